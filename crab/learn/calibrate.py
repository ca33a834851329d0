"""From answers with their tokens' log-probabilities to the curves of `crab.confidence`, and how well those hold; from
answers that were sampled besides, how often a result is right on which so many agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from crab import CrabError, answer, candidates
from crab.answer import Answer, Span
from crab.confidence import BINS, Calibration, Curve, Evidence, Reliability, evidence
from crab.learn.rows import dataset_of
from crab.metrics import accuracy, box_iou, temporal_iou
from crab.tasks import TASKS, Task

NEAR = 0.5  # IoU from which an event or a box counts as right
FEW = 30  # results of a kind, and of either sort 1: with fewer there is nothing to fit
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
    """Logistic curves, one a kind of result of which there are enough: the most likely ones, of small slopes.

    A box's size, an offset a dataset, beta calibration and isotonic steps were tried too, and were no clear gain: the
    card of crab-mini has how far off they were.
    """
    curves = {}
    for kind in sorted({one.evidence.kind for one in results}):
        of = [one for one in results if one.evidence.kind == kind]
        right = np.array([one.right for one in of], float)
        if len(of) < FEW or not 0 < right.sum() < len(of):
            continue
        features = np.array([[1.0, one.evidence.inside, one.evidence.before] for one in of])  # (results, 3)

        def loss(weights: np.ndarray, features: np.ndarray = features, right: np.ndarray = right) -> float:
            scores = features @ weights
            return float(np.mean(np.logaddexp(0, scores) - right * scores) + _STEADY * np.sum(weights[1:] ** 2))

        curves[kind] = Curve(*(round(float(number), 4) for number in minimize(loss, np.zeros(3)).x))
    return Calibration(curves)


def reliability(results: Sequence[Judged], calibration: Calibration) -> list[Reliability]:
    """How the confidence of each kind that has a curve compares with how often such results were right."""
    found = []
    for kind in calibration.curves:
        of = [one for one in results if one.evidence.kind == kind]
        found.append(_held(kind, [calibration(one.evidence) or 0.0 for one in of], [one.right for one in of]))
    return found


def agreement(rows: Iterable[dict]) -> list[Reliability]:
    """How large a share of sampled answers says what an answer says, against how often that is so: a kind of result each.

    Of rows of `evaluate.predict` with `sampled` about training records; what is the same result is as `crab.candidates`
    has it, of two answers and of an answer and its truth.
    """
    shares: dict[str, list[float]] = defaultdict(list)
    right: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if not (sampled := row.get("sampled")):
            continue
        task = TASKS[dataset_of(row)]
        said, true, *others = (answer.parse(str(text), task) for text in (row["predict"], row["output"], *sampled))
        truths = candidates.results(true)
        for one in candidates.agreed(said, others):
            if one.said:
                shares[one.kind].append(one.votes / len(others))
                right[one.kind].append(any(candidates.agree(one, other) for other in truths))
    return [_held(kind, shares[kind], right[kind]) for kind in sorted(shares)]


def _held(kind: str, sure: Sequence[float], right: Sequence[bool]) -> Reliability:
    shares, truths = np.array(sure, float), np.array(right, float)
    bins = np.minimum((shares * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bins, weights=values, minlength=BINS) / counts for values in (shares, truths)]
    return Reliability(kind, counts, *means)
