"""How likely each result of an answer is right: the model's own probabilities of what it wrote, held against how often
such results were right.

The probability of a token says how sure the model was of the next word, not whether the result is true: reasoning that
went wrong is followed by a conclusion that is certain. So a result is weighed by two sums, of the log-probabilities of
its own tokens and of all that stand before it. A logistic curve (Platt, 1999) for each kind of result, fitted to answers
about scenes that were not trained on (`crab.learn.calibrate`), makes a share of them. Where no such curve came with a
model, nothing is said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crab import CrabError, finite_json
from crab.answer import Answer, Span
from crab.disk import whole

KINDS = {
    "event": "event", "visual_event": "event", "audio_event": "event", "object": "box", "box": "box", "answer": "choice",
}  # fmt: skip
"""Kind of span -> kind of result."""


BINS = 10  # of a reliability: how sure, in tenths


class Evidence(NamedTuple):
    """What is known of one result by what the model wrote and how likely it found that."""

    span: Span
    kind: str  # "event" | "box" | "choice"
    inside: float  # natural logarithm of the probability of its own tokens
    before: float  # of those before it, in its line


@dataclass(frozen=True)
class Curve:
    """How likely results of a kind are right: 1 / (1 + exp(-(bias + inside … + before …)))."""

    bias: float
    inside: float
    before: float

    def __call__(self, one: Evidence) -> float:
        score = self.bias + self.inside * one.inside + self.before * one.before
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, score))))


@dataclass(frozen=True)
class Calibration:
    """A curve a kind of result."""

    curves: Mapping[str, Curve] = field(default_factory=dict)

    def __call__(self, one: Evidence) -> float | None:
        """The share of such results that are right; None for a kind without a curve."""
        return self.curves[one.kind](one) if one.kind in self.curves else None


@dataclass(frozen=True)
class Reliability:
    """Of results of one kind: how sure, in tenths, against how many of them were right."""

    kind: str
    counts: np.ndarray  # (BINS,) results
    sure: np.ndarray  # (BINS,) mean confidence, NaN where there is none
    right: np.ndarray  # (BINS,) share that was right, NaN where there is none

    @property
    def error(self) -> float:
        """The expected calibration error (Naeini et al., 2015): the mean distance of the two, over results."""
        there = self.counts > 0
        return float(np.average(np.abs(self.sure - self.right)[there], weights=self.counts[there]))

    @property
    def chance(self) -> float:
        """What `error` would be on average if every share were exactly right, with as many results: the mean distance
        of a binomial share from its own mean, taken as normal."""
        there = self.counts > 0
        counts, sure = self.counts[there], self.sure[there]
        return float(np.average(np.sqrt(2 * sure * (1 - sure) / (math.pi * counts)), weights=counts))

    def __str__(self) -> str:
        lines = [f"{self.kind}: {self.counts.sum()} results, expected calibration error {self.error:.3f}; curves without "
                 f"fault would have {self.chance:.3f} by chance"]  # fmt: skip
        for number, (count, sure, right) in enumerate(zip(self.counts, self.sure, self.right)):
            if count:
                bar = "█" * round(20 * right)
                lines.append(
                    f"  {10 * number:>3}–{10 * number + 10:<3} % sure {100 * sure:3.0f} %, right {100 * right:3.0f} % "
                    f"of {count:<5} {bar}"
                )
        return "\n".join(lines)


def evidence(answer: Answer, ends: Sequence[int], logprobs: Sequence[float]) -> list[Evidence]:
    """For every result that is written in `answer`, in order.

    `ends` and `logprobs` are of its tokens: how many characters of its text are there with each, and the natural
    logarithm of its probability. A line is a window of a long clip, which was asked about on its own.
    """
    found = []
    starts = [0, *ends]
    for span in answer.spans:
        if (kind := KINDS.get(span.kind)) is None:
            continue
        line = answer.text.rfind("\n", 0, span.start) + 1
        inside = before = 0.0
        for start, end, nats in zip(starts, ends, logprobs):
            if start < span.end and end > span.start:
                inside += nats
            elif line < end <= span.start:
                before += nats
        found.append(Evidence(span, kind, inside, before))
    return found


def confidence(
    answer: Answer, ends: Sequence[int], logprobs: Sequence[float], calibration: Calibration
) -> dict[int, float]:
    """Where a result's span starts -> how likely the result is right, 0 to 1. Of an answer whose tokens' probabilities are
    not known, nothing."""
    if not logprobs:
        return {}
    sure = {one.span.start: calibration(one) for one in evidence(answer, ends, logprobs)}
    return {start: share for start, share in sure.items() if share is not None}


# ---- the file ----


def save(
    calibration: Calibration, held: Sequence[Reliability], path: str | Path, *, agreed: Sequence[Reliability] = ()
) -> None:
    """Write curves, how they held, and what sampled answers that agree are worth, as JSON: `confidence.json` in a
    model's folder is what comes with it."""
    told = {"curves": {kind: asdict(curve) for kind, curve in calibration.curves.items()}, "reliability": _told(held)}
    if agreed:
        told["agreement"] = _told(agreed)
    with whole(path) as part:
        part.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _told(held: Sequence[Reliability]) -> dict[str, dict]:
    return {
        one.kind: {"counts": one.counts.tolist(), "sure": _rounded(one.sure), "right": _rounded(one.right)}
        for one in held
    }


def _rounded(shares: np.ndarray) -> list[float | None]:
    return [None if math.isnan(share) else round(float(share), 4) for share in shares]


def calibration_of(told: object) -> Calibration:
    """The curves in what is in a file. Raises ValueError where that is not of its kind."""
    curves = told.get("curves") if isinstance(told, dict) else None
    if not isinstance(curves, dict) or not curves.keys() <= set(KINDS.values()):
        raise ValueError("curves of event, box and choice are what it holds")
    return Calibration({kind: _curve(curve) for kind, curve in curves.items()})


def _curve(told: object) -> Curve:
    names = ("bias", "inside", "before")
    if not isinstance(told, dict) or told.keys() != {*names}:
        raise ValueError(f"a curve is {', '.join(names)}")
    if not all(_finite(told[name]) for name in names):
        raise ValueError("a curve is of finite numbers")
    return Curve(*(float(told[name]) for name in names))


def _finite(number: object) -> bool:
    return type(number) in (int, float) and math.isfinite(number)  # type: ignore[arg-type]


def reliability_of(path: str | Path) -> tuple[list[Reliability], list[Reliability]]:
    """How the curves in a file held on other answers, and what agreement was worth there, a kind each; the latter may
    not be known. Raises CrabError where the former is not told there."""
    try:
        told = finite_json(Path(path).read_bytes())
        held, agreed = (_reliabilities(of) for of in (told["reliability"], told.get("agreement", {})))
    except OSError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise CrabError(f"{path} does not tell how sure a model is and how often right: `calibrate` writes such a "
                        "file.") from error  # fmt: skip
    if not held:
        raise CrabError(f"{path} holds curves that were held against nothing: run `calibrate` with --check.")
    return held, agreed


def _reliabilities(told: Mapping) -> list[Reliability]:
    found = []
    for kind, of in told.items():
        counts = np.array(of["counts"], int)
        sure, right = (np.array(of[name], float) for name in ("sure", "right"))  # None becomes NaN
        if not counts.shape == sure.shape == right.shape == (BINS,) or kind not in KINDS.values():
            raise ValueError(kind)
        if not ((counts >= 0) & (np.isfinite(sure) & np.isfinite(right) | (counts == 0))).all():
            raise ValueError(kind)
        found.append(Reliability(kind, counts, sure, right))
    return found
