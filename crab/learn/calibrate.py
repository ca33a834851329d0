"""From answers with their tokens' log-probabilities to the curves of `crab.confidence`, and how well those hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from crab import CrabError, answer
from crab.answer import Answer, Span
from crab.confidence import Calibration, Evidence, evidence
from crab.learn.rows import dataset_of
from crab.metrics import accuracy, box_iou, temporal_iou
from crab.tasks import TASKS, Task

NEAR = 0.5  # IoU from which an event or a box counts as right
FEW = 30  # results of a kind, and of either sort 1: with fewer there is nothing to fit
BINS = 10  # of the reliability: how sure, in tenths
_STEADY = 1e-3  # pulls the slopes to 0, so that results that are all alike do not send them off


class Judged(NamedTuple):
    """A result of an answer, and whether it is so."""

    evidence: Evidence
    right: bool


def judged(rows: Iterable[dict]) -> list[Judged]:
    """The results in rows of `evaluate.predict` about training records, whose `output` is a whole target.

    An event is right if it and the true events of its name and sense overlap by an IoU of `NEAR`, a box if it and the
    true box do, a choice if it is the true one. Raises CrabError for rows without log-probabilities.
    """
    found = []
    for row in rows:
        if "error" in row:
            continue
        if "logprobs" not in row or "ends" not in row:
            raise CrabError("These answers have no log-probabilities: let `evaluate --predictions` write them anew.")
        task = TASKS[dataset_of(row)]
        said, true = (answer.parse(str(row[name]), task) for name in ("predict", "output"))
        for one in evidence(said, row["ends"], row["logprobs"]):
            found.append(Judged(one, _right(one.span, one.kind, said, true, task)))
    return found


def _right(span: Span, kind: str, said: Answer, true: Answer, task: Task) -> bool:
    if kind == "choice":
        if "exists" in task.grammar:
            return said.exists is not None and said.exists == true.exists
        return true.choice is not None and accuracy([said.choice], [true.choice]) == 1
    if kind == "box":
        one, other = (next(((b.x1, b.y1, b.x2, b.y2) for b in of.boxes), None) for of in (said, true))
        return one is not None and other is not None and box_iou(one, other) >= NEAR
    sense = {"event": "both", "visual_event": "visual", "audio_event": "audio"}[span.kind]
    mine, theirs = (
        [(e.start, e.end) for e in of.events if e.label == span.label and e.modality == sense] for of in (said, true)
    )
    return bool(mine and theirs) and temporal_iou(mine, theirs) >= NEAR


def fit(results: Sequence[Judged]) -> Calibration:
    """Logistic curves by maximum likelihood, one a kind of result of which there are enough."""
    curves = {}
    for kind in sorted({one.evidence.kind for one in results}):
        of = [one for one in results if one.evidence.kind == kind]
        right = np.array([one.right for one in of], float)
        if len(of) < FEW or not 0 < right.sum() < len(of):
            continue
        features = np.array([[1.0, one.evidence.inside, one.evidence.before] for one in of])

        def loss(weights: np.ndarray, features: np.ndarray = features, right: np.ndarray = right) -> float:
            scores = features @ weights
            return float(np.mean(np.logaddexp(0, scores) - right * scores) + _STEADY * np.sum(weights[1:] ** 2))

        bias, inside, before = minimize(loss, np.zeros(3)).x
        curves[kind] = (round(float(bias), 4), round(float(inside), 4), round(float(before), 4))
    return Calibration(curves)


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

    def __str__(self) -> str:
        lines = [f"{self.kind}: {self.counts.sum()} results, expected calibration error {self.error:.3f}"]
        for number, (count, sure, right) in enumerate(zip(self.counts, self.sure, self.right)):
            if count:
                bar = "█" * round(20 * right)
                lines.append(
                    f"  {10 * number:>3}–{10 * number + 10:<3} % sure {100 * sure:3.0f} %, right {100 * right:3.0f} % "
                    f"of {count:<5} {bar}"
                )
        return "\n".join(lines)


def reliability(results: Sequence[Judged], calibration: Calibration) -> list[Reliability]:
    """How the confidence of each kind that has a curve compares with how often such results were right."""
    found = []
    for kind in calibration.curves:
        of = [one for one in results if one.evidence.kind == kind]
        sure = np.array([calibration(one.evidence) for one in of], float)
        right = np.array([one.right for one in of], float)
        bins = np.minimum((sure * BINS).astype(int), BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        with np.errstate(invalid="ignore"):
            means = [np.bincount(bins, weights=values, minlength=BINS) / counts for values in (sure, right)]
        found.append(Reliability(kind, counts, *means))
    return found
