"""Whether crab-mini finds in its own words what stands behind a name, which every conclusion from two facts takes.

    python tests/bench/lookups.py [SCENES] [MODEL]

About scenes that it never saw, with two things in view or more. It is given the beginning of an answer that names all
of them, each with one word behind it, and then one name again: is that name's word likelier than each of the others?
The words are, in turn: the numbers of their places in the row; those of the third of the picture that each is in; and
the thirds' own names. Chance is one in as many as there are.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

import numpy as np  # noqa: E402

from crab.metrics.intervals import bootstrap  # noqa: E402
from crab.model import Crab  # noqa: E402
from crab.scenes.asking.words import NUMBERS, listed  # noqa: E402
from crab.scenes.clip import SceneClip  # noqa: E402
from crab.scenes.world import script  # noqa: E402
from crab.scenes.world.script import seen_parts  # noqa: E402
from crab.tasks import TASKS  # noqa: E402

FIRST = 1_000_000
PLACES = ("on the left", "in the middle", "on the right")


def main(scenes: int = 60, model: str = "crab-mini") -> None:
    crab, found = Crab.load(model), {"numbers of the row": [], "numbers of thirds": [], "names of thirds": []}
    rng, seed, size = np.random.default_rng(0), FIRST, (crab.about.frame_size,) * 2
    while len(found["names of thirds"]) < scenes:
        scene, seed = script.write(seed), seed + 1
        parts = seen_parts(scene)
        thirds = [min(int(part.x * 3), 2) for part in parts]
        if len(set(thirds)) < 2:
            continue
        asked = int(rng.integers(len(parts)))
        names = [part.actor for part in parts]
        question = f"Where is the {names[asked]}? | {'; '.join(PLACES)}"
        prompt = crab.prompt(SceneClip(scene, size), TASKS["avqa_thu"], question)
        for kind, opening, words in (
            ("numbers of the row", "From left to right there are", [NUMBERS[i + 1] for i in range(len(parts))]),
            ("numbers of thirds", "There are", [NUMBERS[third + 1] for third in thirds]),
            ("names of thirds", "There are", [PLACES[third].split()[-1] for third in thirds]),
        ):
            said = f"{opening} {listed([f'{name} {word}' for name, word in zip(names, words)])}, so {names[asked]}"
            found[kind].append(finds(crab, prompt, said, words[asked], sorted(set(words))))
    for kind, hits in found.items():
        low, high = bootstrap(np.array(hits, float))
        print(f"{kind}: {sum(hits)} of {len(hits)}, {np.mean(hits):.2f} ({low:.2f} to {high:.2f})")


def finds(crab: Crab, prompt, said: str, wanted: str, words: list[str]) -> bool:
    """Whether the one wanted is the likeliest of `words` after what was said."""
    ids = {word: crab.processor.tokenizer(f" {word}", add_special_tokens=False).input_ids for word in words}
    assert all(len(pieces) == 1 for pieces in ids.values())
    written = crab.processor.tokenizer(said, add_special_tokens=False).input_ids
    choice = crab.scores(prompt, [*written, *ids[wanted]], at=len(written)).choice  # (vocabulary,)
    return max(words, key=lambda word: choice[ids[word][0]]) == wanted


if __name__ == "__main__":
    main(*(kind(given) for kind, given in zip((int, str), sys.argv[1:])))
