"""How sure a mean is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def bootstrap(
    values: np.ndarray, *, groups: Sequence[str] | np.ndarray | None = None, samples: int = 1000, rng=None
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 95 % interval of the mean over rows of `values`, (rows, …), by the percentiles of `samples` draws.

    With `groups`, one a row, whole groups are drawn: rows of one scene are not independent. `rng`: a
    numpy.random.Generator to draw from, by default a new one with seed 0, so that a call gives the same every time.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    names, which = np.unique(np.arange(len(values)) if groups is None else groups, return_inverse=True)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=samples)[:, which]  # (samples, rows)
    shares = drawn / np.maximum(drawn.sum(axis=1, keepdims=True), 1)
    low, high = np.percentile(np.tensordot(shares, values, 1), (2.5, 97.5), axis=0)
    return low, high


def redrawn(values: np.ndarray, *, samples: int = 1000, rng=None) -> np.ndarray:
    """The mean of `values`, (seeds, items), under `samples` draws of seeds and of items, each with replacement:
    (samples,). Of a single seed items alone are drawn, and what its luck was is not in them. `rng` as in `bootstrap`.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    seeds, items = (
        rng.multinomial(n, np.full(n, 1 / n), size=samples) / n for n in np.shape(values)
    )  # (samples, seeds), (samples, items)
    return np.einsum("ns,si,ni->n", seeds, values, items)
