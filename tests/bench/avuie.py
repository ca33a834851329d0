"""What reading and checking a data set of the published size costs.

    python tests/bench/avuie.py

222,000 records, as many as the paper counts, spread evenly over all data sets and splits and written to a temporary
folder. Their media are one stand-in a folder, as it is only looked for. Reading makes a `Record` of each row, checking
looks at every field, medium and target. Seconds are the processor's, so that other work on the machine counts less;
memory is the most that the process had by then.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from crab import avuie  # noqa: E402

RECORDS = 222_000

TARGET = (
    "I hear a dog barking from 0 to 5 and rain from 2 to 8. <event>dog barking, (0 5)</event> "
    "<event>rain, (2 8)</event> The object is a dog. <obj>(10,20)(100,200)</obj> [10,20,100,200] [50,60],[55,65],"
    "[60,70] {choice}."
)
VALUES = {
    "event": "dog barking", "start_time": 0, "end_time": 5, "a_obj": "dog", "frame_idx": 3, "idx": 3, "answer": "two",
    "multi_choice": ["a dog", "a cat", "a bird", "a horse"], "question": "How many objects are sounding?",
    "question_text": "What is seen in the video?", "description": "the sounding object", "object": "the sounder",
    "top_left": [10, 20], "bottom_right": [100, 200], "split": "test_s", "correct_video": "one", "correct_audio": "two",
}  # fmt: skip
MEDIA = {"video": "a.mp4", "audio": "a.wav", "image": "frames/3.jpg"}


def write(root: Path) -> None:
    files = [(split, name) for split, of in avuie.FIELDS.items() for name in of]
    for position, (split, name) in enumerate(files):
        fields = avuie.FIELDS[split][name]
        media = {field: MEDIA[slot.removesuffix("2")] for slot, field in fields.media.items()}
        choice = f"<answer>{'true' if name == 'ref_avs' else 'one'}</answer>"
        known = VALUES | media | ({fields.target: TARGET.format(choice=choice)} if fields.target else {})
        count = RECORDS // len(files) + (position < RECORDS % len(files))
        rows = ({field: known.get(field, f"{name}-{i}") for field in fields.published} for i in range(count))
        path = avuie.write(root, name, split, rows)
        for slot, file in MEDIA.items():
            place = path.parent / ("" if "image" in fields.media else slot) / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"-")


def read(root: Path) -> str:
    records = sum(1 for split, of in avuie.FIELDS.items() for name in of for _ in avuie.read(root, name, split=split))
    return f"{records:,} records"


def check(root: Path) -> str:
    splits = avuie.check(root).splits
    return f"{sum(split.rows for split in splits):,} records, {sum(len(split.faults) for split in splits):,} faults"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "AVUIE_2"
        steps: dict[str, Callable[[Path], str | None]] = {"write": write, "read": read, "check": check}
        for name, step in steps.items():
            start = time.process_time()
            told = step(root)
            seconds, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{name:6} {seconds:7.2f} s  {peak:6.0f} MiB  {told or ''}".rstrip())


if __name__ == "__main__":
    main()
