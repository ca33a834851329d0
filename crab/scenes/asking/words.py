"""How scenes are put into words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crab.scenes.world.cast import ACTORS
from crab.scenes.world.script import Part, Stretches

NUMBERS = ("zero", "one", "two", "three", "four")


def a(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def listed(words: Sequence[str], *, article: bool = False) -> str:
    """dog, cat and bird; with `article`, a dog, a cat and a bird."""
    words = [a(word) if article else word for word in words]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def one_of(rng: np.random.Generator, *wordings: str) -> str:
    return wordings[rng.integers(len(wordings))]


def from_to(stretches: Stretches) -> str:
    return " and ".join(f"from {start} to {end}" for start, end in stretches)


def label(part: Part) -> str:
    return ACTORS[part.actor].label


def event(tag: str, part: Part, stretches: Stretches) -> str:
    times = "".join(f"({start} {end})" for start, end in stretches)
    return f"<{tag}>{label(part)}, {times}</{tag}>"


def side(x: float) -> str:
    """Which third of the picture, as a place one can be at: "on the left"."""
    return ("on the left", "in the middle", "on the right")[min(int(x * 3), 2)]
