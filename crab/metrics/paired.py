"""Two ways of training, held against each other on the same items: what changed, how sure that is, and for how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from crab.metrics.intervals import redrawn

ENDS = (2.5, 97.5)  # percentiles: a 95 % interval


@dataclass(frozen=True)
class Change:
    """Mean scores before and after, and the 95 % interval of their difference."""

    before: float
    after: float
    low: float
    high: float
    seeds: int
    items: int

    @property
    def mean(self) -> float:
        return self.after - self.before

    @property
    def verdict(self) -> Literal["gains", "loses", "undecided"]:
        """Undecided where the interval holds no change at all."""
        return "gains" if self.low > 0 else "loses" if self.high < 0 else "undecided"


def change(before: np.ndarray, after: np.ndarray, *, samples: int = 1000) -> Change:
    """From scores (seeds, items) of the same seeds and items in one order; both are drawn anew, in pairs."""
    drawn = redrawn(after - before, samples=samples)
    low, high = np.percentile(drawn, ENDS)
    return Change(float(before.mean()), float(after.mean()), float(low), float(high), *before.shape)


@dataclass(frozen=True)
class Shares:
    """Of so many tasks, how many gain, lose, and are undecided; and the share whose mean is better, however little,
    with its 95 % interval."""

    gain: int
    lose: int
    undecided: int
    better: float
    low: float
    high: float

    def __str__(self) -> str:
        tasks = self.gain + self.lose + self.undecided
        return (
            f"of {tasks} tasks {self.gain} gain, {self.lose} lose, {self.undecided} undecided; better, however little, "
            f"{100 * self.better:.0f} % ({100 * self.low:.0f} to {100 * self.high:.0f})"
        )


def shares(pairs: Sequence[tuple[np.ndarray, np.ndarray]], *, samples: int = 1000) -> Shares:
    """Over tasks, each a pair of scores as `change` takes them."""
    verdicts = [change(*pair, samples=samples).verdict for pair in pairs]
    rng = np.random.default_rng(0)
    drawn = np.stack([redrawn(after - before, samples=samples, rng=rng) > 0 for before, after in pairs])
    low, high = np.percentile(drawn.mean(axis=0), ENDS)
    better = float(np.mean([after.mean() > before.mean() for before, after in pairs]))
    gain, lose, undecided = (verdicts.count(one) for one in ("gains", "loses", "undecided"))
    return Shares(gain, lose, undecided, better, float(low), float(high))
