"""Scoring on scenes: a model that says the truth is right, one that says nothing is wrong."""

import numpy as np
import pytest

from crab.learn import evaluate
from crab.model import Step
from crab.scenes import questions, script

SEED = evaluate.SCENE_SEEDS + 206
DATASETS = ["ave", "avvp", "avqa", "arig", "s4", "avcap"]


class Knows:
    """Says what it is told to; reads its clip with the tiny model's processor."""

    name = knows = "told"

    def __init__(self, crab, targets):
        self.prompt, self.targets = crab.prompt, targets

    def stream(self, prompt, **_):
        yield Step(next(self.targets), (1,))


def _rows(tiny, targets):
    return list(evaluate.scores(Knows(tiny, iter(targets)), [SEED], DATASETS))


def _asked():
    return [q for q in questions.ask(script.write(SEED), np.random.default_rng([SEED, 1])) if q.dataset in DATASETS]


def test_the_truth_scores_full_marks(tiny):
    summary = evaluate.summary(_rows(tiny, [q.target for q in _asked()]))
    assert set(summary) == set(DATASETS)
    for name, measures in summary.items():
        assert measures.get("right", 1.0) == 1.0, name
        assert measures.get("iou", 1.0) == pytest.approx(1.0), name
    assert summary["ave"]["segment_accuracy"] == summary["avvp"]["segment_type"] == summary["avvp"]["event_event"] == 1.0
    assert summary["s4"]["j"] == summary["s4"]["j_true_box"] > 0.5
    assert summary["arig"]["ciou"] == pytest.approx(1.0)


def test_silence_scores_nothing(tiny):
    summary = evaluate.summary(_rows(tiny, [""] * len(_asked())))
    for measures in summary.values():
        assert measures.get("right", 0.0) == measures.get("iou", 0.0) == measures.get("j", 0.0) == 0.0
    assert summary["avvp"]["event_event"] == summary["avcap"]["cider"] == 0.0


def test_boxes_stand_beside_one_box_for_every_picture():
    true = [f"<obj>(0,0)({width},100)</obj>" for width in (50, 150)]
    [measures] = evaluate.summary({"dataset": "arig", "said": text, "true": text} for text in true).values()
    assert (measures["ciou"], measures["ciou_of_mean_box"]) == pytest.approx((1.0, (50 / 100 + 100 / 150) / 2))


def test_captions_are_measured_over_the_whole_set():
    rows = [{"dataset": "avcap", "said": text, "true": text} for text in ("A dog is on the left.", "We hear a bell.")]
    assert evaluate.summary(rows)["avcap"]["cider"] == pytest.approx(10.0)
