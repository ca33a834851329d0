"""How often crab-mini says the same when its language model is kept in 8 or 4 bits.

    python tests/bench/quantize.py [FOLDER [SEEDS]]

Scenes of SEEDS seeds (8 if not given, some 150 questions) that no training has seen are drawn in FOLDER, or in a
temporary one, and asked about in all 19 formulations. Counted are the answers of which everything that is read from
them is the same (choice, existence, events with their times, boxes, points; of a description its text), those of
which it is where a place may be a little off, and those that are the same to the letter; and of places that moved, by how much. bfloat16 is asked too, to tell what mere rounding
does. Exit status 1 where fewer than 95 % are the same in 8 or in 4 bits.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from crab import avuie  # noqa: E402
from crab.answer import Answer, parse  # noqa: E402
from crab.learn import evaluate  # noqa: E402
from crab.model import Crab  # noqa: E402
from crab.scenes import dataset  # noqa: E402
from crab.tasks import TASKS  # noqa: E402

WANTED = 0.95
NEAR = 5  # of 224: so far off, a place is on the same thing


def result(answer: Answer) -> tuple | str:
    """What is read from an answer; of one that nothing is read from, all of it."""
    read = answer.choice, answer.exists, answer.events, answer.boxes, answer.points
    return read if any(one not in (None, ()) for one in read) else answer.text


def nearly(one: Answer, other: Answer) -> bool:
    """Whether the same is read from both, a place no farther off than `NEAR`."""
    if not (one.boxes or one.points):
        return result(one) == result(other)
    rest = [(answer.choice, answer.exists, answer.events) for answer in (one, other)]
    return rest[0] == rest[1] and apart(one, other) <= NEAR


def apart(one: Answer, other: Answer) -> float:
    """The farthest that a side of a box or a point's coordinate is off, of 224; infinity where one has more of them."""
    first, second = ([*answer.points, *((b.x1, b.y1, b.x2, b.y2) for b in answer.boxes)] for answer in (one, other))
    if [*map(len, first)] != [*map(len, second)]:
        return float("inf")
    return max(abs(a - b) for place, there in zip(first, second) for a, b in zip(place, there))


def main(folder: Path, seeds: int) -> int:
    first = evaluate.SCENE_SEEDS
    made = dataset.make(folder, range(first, first + seeds), split="test")
    records = []
    for file in made:
        name, split = file.removesuffix(".json").split("/")
        records += avuie.read(folder, name, split=split)
    answered = {}
    for setting, given in {
        "float32": {}, "bfloat16": {"dtype": torch.bfloat16}, "8bit": {"quantize": "8bit"}, "4bit": {"quantize": "4bit"}
    }.items():  # fmt: skip
        rows = evaluate.predict(Crab.load("crab-mini", device="cpu", **given), records)
        answered[setting] = [parse(row["predict"], TASKS[row["task"]]) for row in rows]
    shares = {}
    for setting in ("bfloat16", "8bit", "4bit"):
        same, near, letters, moved = defaultdict(list), 0, 0, []
        for record, whole, packed in zip(records, answered["float32"], answered[setting]):
            same[record.task.grammar].append(result(whole) == result(packed))
            near += nearly(whole, packed)
            letters += whole.text == packed.text
            if (whole.boxes, whole.points) != (packed.boxes, packed.points):
                moved.append(apart(whole, packed))
        count = sum(map(sum, same.values()))
        shares[setting] = count / len(records)
        print(f"{setting}: {count} of {len(records)} answers the same ({shares[setting]:.1%}), "
              f"{near / len(records):.1%} where a place may be {NEAR} of 224 off, "
              f"{letters / len(records):.1%} to the letter")  # fmt: skip
        print("  " + ", ".join(f"{grammar} {sum(those)}/{len(those)}" for grammar, those in same.items()))
        if moved:
            print(f"  places that differ: the farthest by {', '.join(f'{d:.0f}' for d in sorted(moved))} of 224")
    return int(min(shares["8bit"], shares["4bit"]) < WANTED)


if __name__ == "__main__":
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1]), seeds))
    with tempfile.TemporaryDirectory() as drawn:
        sys.exit(main(Path(drawn), seeds))
