"""How sure a model is against how often it is right, for print and for its card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from visualize import paper, theme

PLURALS = {"box": "Boxes", "choice": "Choices", "event": "Events"}
CERTAIN = 1.96  # standard deviations of a 95 % interval


def figure(held: Sequence[Any], agreed: Sequence[Any] = ()) -> Figure:
    """A panel a `crab.confidence.Reliability`: how sure against how often right, a point a tenth that has results, with
    the 95 % interval (Wilson, 1927) of its share; below, how many results each has. On the diagonal, sure is right.

    `agreed` has the same of agreement: what share of sampled answers says so, in a row of their own.
    """
    ink = theme.ink(False)
    blocks = [(of, "sure, %" if of is held else "agree, %", of is held) for of in (held, agreed) if of]
    with matplotlib.rc_context(paper.STYLE):
        drawn = Figure(figsize=(paper.WIDTH, 3.1 * len(blocks)), layout="constrained")
        columns = max(len(of) for of, *_ in blocks)
        rows = drawn.subplots(2 * len(blocks), columns, squeeze=False, sharex="col", height_ratios=(3, 1) * len(blocks))
        for row, (of, across, is_curve) in enumerate(blocks):
            for column in range(columns):
                above, below = rows[2 * row, column], rows[2 * row + 1, column]
                if column >= len(of):
                    above.set_axis_off()
                    below.set_axis_off()
                    continue
                one = of[column]
                _panel(above, below, one, ink)
                name, total = PLURALS.get(one.kind, one.kind), int(one.counts.sum())
                against = f"\nerror {one.error:.3f}, by chance {one.chance:.3f}" if is_curve else ""
                above.set_title(f"{name}: {total:,}{against}", loc="left", fontsize=8)
                below.set_xlabel(across, color=ink["quiet"])
                if not column:
                    above.set_ylabel("right, %", color=ink["quiet"])
                    below.set_ylabel("results", color=ink["quiet"])
    return drawn


def _panel(above: Axes, below: Axes, one: Any, ink: dict[str, str]) -> None:
    there = one.counts > 0
    sure, right, counts = 100 * one.sure[there], 100 * one.right[there], one.counts[there]
    low, high = (100 * bound for bound in interval(one.right[there], counts))
    above.plot((0, 100), (0, 100), color=theme.NEUTRAL, lw=0.8, ls=(0, (1, 2)))
    above.vlines(sure, low, high, color=ink["quiet"], lw=1)
    above.plot(sure, right, color=ink["text"], ls="", marker="o", ms=4)
    above.set(xlim=(0, 100), ylim=(0, 104), aspect="auto")
    width = 100 / len(one.counts)
    below.bar(width * (np.arange(len(one.counts)) + 0.5), one.counts, 0.84 * width, color="#9AA2AE")
    for at in np.flatnonzero(there):
        below.text(width * (at + 0.5), one.counts[at], f"{one.counts[at]:,}", ha="center", va="bottom", fontsize=5)
    below.tick_params(axis="y", labelsize=7)
    below.tick_params(axis="x", labelbottom=True)


def interval(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % bounds, (n,) each, of `share` (n,) of `count` (n,) results."""
    spread = CERTAIN**2 / count
    middle = (share + spread / 2) / (1 + spread)
    wide = CERTAIN * np.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return middle - wide, middle + wide


def facts(held: Sequence[Any], agreed: Sequence[Any] = ()) -> list[str]:
    """What the figure says in words, a paragraph each."""
    told = "; ".join(f"{PLURALS.get(one.kind, one.kind).lower()} {one.error:.3f}" for one in held)
    lines = [
        f"Expected calibration error: {told}. “By chance” is what it would be on average, with as many results, if every "
        "share were exactly right. Lines at the points: 95 % intervals. Grey: how many results."
    ]
    if agreed:
        lines.append(
            "Below: what share of eight sampled answers says what the answer says, and how often that is right."
        )
    return lines
