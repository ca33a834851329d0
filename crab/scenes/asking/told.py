"""How crab-mini's base is asked before it knows any task, in plain words: a question, its answer, and how both are put.

The base is to perceive and to speak: who is where and when, what that sounds like, what follows from it. None of the
published prompts, tags, clocks or grids is said here; those are the adapter's to learn. Times are whole seconds. Places
are percent of the picture or, where a question names how wide and high it is, counted in its own units.

Answers say first what is perceived (`given`) and then what follows from it, so that the second can be learned from
words alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crab.answer import GRID
from crab.scenes.world.script import Part, Stretches, place

from . import pointing
from .words import label, listed, one_of

TOPICS = ("sights", "sounds", "times", "places", "conclusions", "feelings", "pairs", "drill")
SIDES = tuple(range(80, 221, 10))  # how wide and high a picture may be said to be


@dataclass(frozen=True)
class Told:
    """A question and its whole answer, which begins with `given`; "" where nothing in it follows from the rest."""

    topic: str  # one of TOPICS
    question: str
    answer: str
    given: str = ""


SORTS = {"instrument": "an instrument", "animal": "an animal", "vehicle": "a vehicle", "person": "a person"}
_THIRDS = ("left", "middle", "right")


def so(topic: str, question: str, facts: str, follows: str) -> Told:
    """What is perceived, and then what follows from it."""
    return Told(topic, question, f"{facts} {follows}", facts)


# ---- who and when ----


def row(names: Sequence[str]) -> str:
    """Who is seen, from left to right."""
    return f"Going right I see {listed(names, article=True)}." if names else "I see nobody."


def voices(parts: Sequence[Part]) -> str:
    """What is heard, in the order given."""
    return f"I hear {listed([label(part) for part in parts])}." if parts else "I hear nothing."


def spans(stretches: Stretches) -> str:
    """From which second to which, in words."""
    return " and ".join(f"second {start} to {end}" for start, end in stretches)


def of_these(options: Sequence[str]) -> str:
    """What there is to choose from: dog, cat or bird."""
    return f"{', '.join(options[:-1])} or {options[-1]}"


# ---- where ----


def across(box: tuple[int, int, int, int], side: int | None = None) -> str:
    """A box on the grid of drawing, as shares of the picture or in units of one that is `side` wide and high."""
    x1, y1, x2, y2 = (_share(v, side) for v in (box[0], box[1], box[2] + 1, box[3] + 1))
    unit = "" if side else " percent"
    return f"{x1} to {x2}{unit} across and {y1} to {y2} down"


def _share(place: float, side: int | None) -> int:
    return round(place * (side or 100) / GRID[0])


def sized(rng: np.random.Generator) -> tuple[int | None, str]:
    """Half of the time no size, which means percent, and else one, with the sentence that says so."""
    if rng.random() < 0.5:
        return None, ""
    side = int(rng.choice(SIDES))
    return side, f"The picture is {side} wide and {side} high. "


def at(mask: np.ndarray, side: int | None = None) -> str:
    """Three places on a mask, in shares or units as `across` has them."""
    unit = "" if side else " percent"
    points = [f"{_share(x, side)} across and {_share(y, side)} down" for x, y in pointing.points_in(mask)]
    return f"at{unit} {', '.join(points)}"


def third(part: Part, time: float, rng: np.random.Generator) -> Told | None:
    """Which third of the picture somebody is in; None where that is not clear."""
    x = place(part, time)[0]
    if min(abs(x - 1 / 3), abs(x - 2 / 3)) < 0.02:
        return None
    question = one_of(rng, f"Which third holds the {part.actor}?", f"In which third is the {part.actor}?")
    return so(
        "places",
        question,
        f"The middle of the {part.actor} is {round(100 * x)} percent across.",
        f"That is the {third_of(x)} third.",
    )


def third_of(x: float) -> str:
    """The name of the third that a place across lies in."""
    return _THIRDS[min(int(x * 3), 2)]
