"""How long things take, side by side in one run: what is measured here is a ratio, seconds are only told along.

Ways to do the same take turns, round after round, so that whatever else the machine does disturbs all alike; of each
round the ratio to the first way is taken, and of these the median. Beside them stands what no implementation can go
below where bytes, or operations, are all that counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

ROUNDS = 5  # at least, beside one to warm up
MOST_ROUNDS = 60
SECONDS = 10.0  # of a table: after ROUNDS, no further round begins later


@dataclass(frozen=True)
class Row:
    """One way. `floor_bytes`, `floor_flop`: the least ratio by what has to be moved, or computed; None: not known."""

    name: str
    ratio: float  # to the first way of the table, the median over the rounds
    low: float  # quartiles of it
    high: float
    seconds: float  # the median
    floor_bytes: float | None = None
    floor_flop: float | None = None


@dataclass(frozen=True)
class Table:
    part: str
    what: str
    rounds: int
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [f"{self.part}: {self.what} ({self.rounds} rounds)"]
        for row in self.rows:
            floors = [(row.floor_bytes, "bytes"), (row.floor_flop, "FLOP")]
            told = ", ".join(f"{floor:.2f} by {of}" for floor, of in floors if floor is not None)
            lines.append(f"  {row.name:{width}}  {row.ratio:7.3f} x  ({row.low:.3f} to {row.high:.3f})  "
                         f"{1e3 * row.seconds:10.3f} ms{f'  floor {told}' if told else ''}")  # fmt: skip
        return "\n".join(lines)


Way = Callable[[], float | None]  # does it once; its own seconds, where not all of it counts


def table(
    part: str,
    what: str,
    ways: Mapping[str, Way],
    *,
    floors: Mapping[str, tuple[float, float]] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Table:
    """Time the ways in turn; ratios are to the first of them. `floors`: by way, by bytes and by FLOP."""
    names, began = list(ways), clock()
    rounds: list[list[float]] = []
    while len(rounds) < 1 + MOST_ROUNDS and (len(rounds) < 1 + ROUNDS or clock() - began < SECONDS):
        first = len(rounds) % len(names)
        took = {}
        for name in names[first:] + names[:first]:
            start = clock()
            own = ways[name]()
            took[name] = clock() - start if own is None else own
        rounds.append([took[name] for name in names])
    seconds = np.array(rounds[1:])  # (rounds, ways)
    low, ratio, high = np.quantile(seconds / seconds[:, :1], [0.25, 0.5, 0.75], axis=0)
    middle = np.median(seconds, axis=0)
    rows = tuple(
        Row(name, *(float(of[i]) for of in (ratio, low, high, middle)), *((floors or {}).get(name) or (None, None)))
        for i, name in enumerate(names)
    )
    return Table(part, what, len(seconds), rows)
