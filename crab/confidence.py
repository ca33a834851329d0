"""How likely each result of an answer is right: the model's own probabilities of what it wrote, held against how often
such results were right.

The probability of a token says how sure the model was of the next word, not whether the result is true: reasoning that
went wrong is followed by a conclusion that is certain. So a result is weighed by two sums, of the log-probabilities of
its own tokens and of all that stand before it, and a logistic curve (Platt, 1999), fitted to answers about scenes that
were not trained on (`crab.learn.calibrate`), makes a share of them. Where no such curve came with a model, nothing is
said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from crab.answer import Answer, Span

KINDS = {
    "event": "event", "visual_event": "event", "audio_event": "event", "object": "box", "box": "box", "answer": "choice",
}  # fmt: skip
"""Kind of span -> kind of result."""


class Evidence(NamedTuple):
    """What the model's probabilities say about one result."""

    span: Span
    kind: str  # "event" | "box" | "choice"
    inside: float  # natural logarithm of the probability of its own tokens
    before: float  # of those before it, in its line


@dataclass(frozen=True)
class Calibration:
    """By kind of result, the three numbers of its curve: 1 / (1 + exp(-(bias + a inside + b before)))."""

    curves: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)

    def __call__(self, one: Evidence) -> float | None:
        """The share of such results that are right; None for a kind without a curve."""
        if one.kind not in self.curves:
            return None
        bias, inside, before = self.curves[one.kind]
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, bias + inside * one.inside + before * one.before))))

    @classmethod
    def of(cls, told: object) -> Calibration:
        """From what is in a file. Raises ValueError where that is not of its kind."""
        if not isinstance(told, dict) or not all(
            kind in KINDS.values() and isinstance(curve, list) and len(curve) == 3
            and all(isinstance(number, (int, float)) and math.isfinite(number) for number in curve)
            for kind, curve in told.items()
        ):  # fmt: skip
            raise ValueError("three finite numbers for each of event, box and choice are what it holds")
        return cls({kind: (curve[0], curve[1], curve[2]) for kind, curve in told.items()})


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
    """Where a result's span starts -> how likely the result is right, 0 to 1. Of an answer whose tokens' probabilities
    are not known, nothing."""
    if not logprobs:
        return {}
    sure = {one.span.start: calibration(one) for one in evidence(answer, ends, logprobs)}
    return {start: share for start, share in sure.items() if share is not None}


def save(calibration: Calibration, path: str | Path) -> None:
    """Write the curves as JSON: `confidence.json` in a model's folder is what comes with it."""
    Path(path).write_text(json.dumps(calibration.curves, indent=2) + "\n", encoding="utf-8")
