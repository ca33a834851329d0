"""Whether runs of a kind lie together, and what else would explain it.

Of the very same passes several signatures are taken: of the routers; of routers drawn at random, which see what the
trained ones see; of the plain hidden states that all of them see. Each of tokens of one sort only. What holds for
random routers too was not learned by routers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from crab import CrabError
from crab.metrics.intervals import bootstrap

TOKENS = {
    "answer": "the answer's tokens",
    "media": "tokens of sound and picture",
    "prompt": "words of the prompt",
    "closing": "the prompt's last five tokens, the same in every prompt",
}
"""Sorts of token -> in words. Of the closing ones the wording is held fixed: what they tell of a task they have read."""

WORDLESS = ("media", "closing")  # tokens that are no words, and words that are the same in every prompt

OWN, RANDOM, HIDDEN = "routers", "random routers", "hidden states"
NORMAL_95 = 1.96  # standard deviations to either side: 95 %, as every interval here

By = Literal["dataset", "family"]


@dataclass(frozen=True)
class Separation:
    """How often a run's nearest neighbour is of its own kind."""

    by: str
    accuracy: float
    low: float  # of the 95 % interval
    high: float
    chance: float  # how often a neighbour drawn at random would be
    runs: int
    scenes: int

    def __str__(self) -> str:
        verdict = "better than chance" if self.low > self.chance else "not shown to be better than chance"
        return (
            f"{self.by}: the nearest run of another scene is of the same {self.by} for {self.accuracy:.2f} of "
            f"{self.runs} runs (95 % interval {self.low:.2f} to {self.high:.2f} over {self.scenes} scenes); "
            f"chance {self.chance:.2f}: {verdict}"
        )


def separation(rows: np.ndarray, kinds: np.ndarray, scenes: np.ndarray, by: By) -> Separation:
    """Leave-one-out nearest neighbour over runs, by Euclidean distance of signatures, (runs, features).

    `kinds` and `scenes`, (runs,) of text. Runs about the same scene are left out with the run, because they hear and
    see the same. Wilson's interval, in which each scene counts once: its runs are not independent. Raises CrabError for
    runs about a single scene.
    """
    hits = nearest_alike(rows, kinds, scenes)
    others, same = scenes[:, None] != scenes, kinds[:, None] == kinds  # (runs, runs)
    chance = float(((same & others).sum(axis=1) / np.maximum(others.sum(axis=1), 1)).mean())
    n = len(set(scenes.tolist()))
    low, high = _wilson(float(hits.mean()), n)
    return Separation(by, float(hits.mean()), low, high, chance, len(kinds), n)


def nearest_alike(rows: np.ndarray, kinds: np.ndarray, scenes: np.ndarray) -> np.ndarray:
    """Whether the nearest run of another scene is of a run's own kind, (runs,) bool."""
    rows = rows.astype(np.float64)
    squares = (rows**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * rows @ rows.T
    others = scenes[:, None] != scenes  # (runs, runs)
    if not others.any():
        raise CrabError("An atlas of one scene cannot tell whether its runs lie apart by task: ask about more scenes.")
    nearest = np.where(others, distances, np.inf).argmin(axis=1)
    return kinds == kinds[nearest]


def _wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share seen in `n` independent trials (Wilson, JASA 1927)."""
    z = NORMAL_95
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


# --- beside its controls --------------------------------------------------------------------------------------------


class Control(NamedTuple):
    """How well one signature of one sort of token tells runs apart, and what the routers are ahead of it by."""

    by: By
    tokens: str  # one of TOKENS
    what: str  # OWN, RANDOM (the mean of all that were drawn) or HIDDEN
    accuracy: float  # share of runs whose nearest is of their kind
    gap: float  # the routers' accuracy less this one; 0 of the routers themselves
    low: float  # of the gap's 95 % interval
    high: float


def controls(
    signatures: Mapping[tuple[str, str], np.ndarray],
    kinds: np.ndarray,
    scenes: np.ndarray,
    by: By,
    *,
    samples: int = 2000,
) -> tuple[Control, ...]:
    """Every signature, (runs, features) by (what decided, of which tokens), beside the others of the same tokens.

    Several draws are named "random routers 1" and so on. Intervals over scenes, whose runs are not independent
    (bootstrap); both of a pair are of the same runs. Raises CrabError for runs about a single scene.
    """
    found = []
    for tokens in dict.fromkeys(of for _, of in signatures):
        hits = dict(_hits({what: rows for (what, of), rows in signatures.items() if of == tokens}, kinds, scenes))
        for what, hit in hits.items():
            gap = hits[OWN] - hit
            low, high = bootstrap(gap, groups=scenes, samples=samples)
            found.append(Control(by, tokens, what, *(float(x) for x in (hit.mean(), gap.mean(), low, high))))
    return tuple(found)


def _hits(
    signatures: Mapping[str, np.ndarray], kinds: np.ndarray, scenes: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """(runs,) float of the routers, of all random ones in one mean, and of the hidden states."""
    hits = {what: nearest_alike(rows, kinds, scenes).astype(float) for what, rows in signatures.items()}
    yield OWN, hits[OWN]
    drawn = [hit for what, hit in hits.items() if what.startswith(RANDOM)]
    if drawn:
        yield RANDOM, np.mean(drawn, axis=0)
    if HIDDEN in hits:
        yield HIDDEN, hits[HIDDEN]


def verdict(found: tuple[Control, ...], by: By = "family") -> str:
    """The sentences that survive the controls: what trained routers tell beyond random ones given the same tokens, of
    those tokens in which wording tells nothing (WORDLESS). "" where none were looked at."""
    looked = {one.tokens: one for one in found if (one.by, one.what) == (by, RANDOM) and one.tokens in WORDLESS}
    ahead = [name for name, control in looked.items() if control.low > 0]
    level = [name for name in looked if name not in ahead]
    told = []
    if ahead:
        told.append(
            f"What the routers learned tells a {by} apart beyond what random routers see in the same tokens: "
            + ", and ".join(f"{_gap(looked[name])} of runs by {TOKENS[name]}" for name in ahead)
        )
    if level:
        where = ", and ".join(f"{_gap(looked[name])} of runs by {TOKENS[name]}" for name in level)
        told.append(f"That runs of a {by} lie together is not shown to come from what the routers learned: {where}")
    return " ".join(f"{sentence}." for sentence in told)


def _gap(control: Control) -> str:
    return f"{control.gap:+.2f} (95 % interval {control.low:+.2f} to {control.high:+.2f})".replace("-", "−")


def table(found: tuple[Control, ...]) -> str:
    """A line a kind, sort of token and signature."""
    lines = []
    for by in dict.fromkeys(control.by for control in found):
        lines.append(
            f"nearest run of another scene of the same {by}, and how far the routers are ahead (95 % interval):"
        )
        for control in (control for control in found if control.by == by):
            ahead = "" if control.what == OWN else f"  {control.gap:+.3f}  ({control.low:+.3f} to {control.high:+.3f})"
            lines.append(f"  {control.tokens:<8} {control.what:<15} {control.accuracy:.3f}{ahead}")
    return "\n".join(lines)
