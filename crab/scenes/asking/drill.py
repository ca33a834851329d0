"""Exercises for the base in words and numbers that are about nothing: to say again, to count on, to reckon.

What was never said cannot be learned by an adapter around a frozen vocabulary; here every piece of it comes up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .told import SIDES, Told

_TAG = re.compile(r"</?[a-z_]+ ?>")  # what no exercise may hit upon by chance


def drill(pieces: Sequence[str], rng: np.random.Generator) -> Told:
    """One of them; `pieces` are those of the vocabulary."""
    which = rng.random()
    if which < 0.5:
        size = int(2 ** rng.uniform(0, 4.6))  # 1 to 24, mostly short: those are learned first, and long ones from them
        text = "".join(pieces[i] for i in rng.integers(len(pieces), size=size)).strip()
        return Told("drill", f"Say again: {text}", text) if text and not _TAG.search(text) else drill(pieces, rng)
    return (count_on if which < 0.65 else share_of if which < 0.85 else how_far)(rng)


def count_on(rng: np.random.Generator) -> Told:
    step = int(rng.choice([1, 1, 2, 5, 10]))
    start = int(rng.integers(0, 225 - 5 * step))
    numbers = [str(start + i * step) for i in range(6)]
    return Told("drill", f"Count on: {', '.join(numbers[:2])}", f"{', '.join(numbers[2:])}.")


def share_of(rng: np.random.Generator) -> Told:
    side, share = int(rng.choice(SIDES)), int(rng.integers(101))
    place = round(side * share / 100)
    if rng.random() < 0.5:
        return Told("drill", f"What is {share} percent of {side}?", f"That is {place}.")
    return Told("drill", f"How much of {side} is {place}?", f"That is {round(100 * place / side)} percent.")


def how_far(rng: np.random.Generator) -> Told:
    one, other = sorted(rng.choice(11, size=2, replace=False).tolist())
    return Told("drill", f"How long is it from second {one} to second {other}?", f"That is {other - one} seconds.")
