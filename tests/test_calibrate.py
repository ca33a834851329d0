"""Curves of confidence: fitted to answers and their truth, and held against others."""

import json

import numpy as np
import pytest

from crab import CrabError
from crab.__main__ import main
from crab.confidence import Calibration
from crab.learn import calibrate

EVENT = "<event>dog, (0 4)</event>"


def row(predict: str, output: str, task: str = "ave", nats: float = -0.1) -> dict:
    return {"task": task, "predict": predict, "output": output, "token_ids": [1], "logprobs": [nats],
            "ends": [len(predict)]}  # fmt: skip


@pytest.mark.parametrize(("task", "predict", "output", "right"), [
    ("ave", EVENT, "<event>dog, (0 5)</event>", True),
    ("ave", EVENT, "<event>dog, (2 9)</event>", False),
    ("ave", EVENT, "<event>cat, (0 4)</event>", False),
    ("avvp", "<visual_event>dog, (0 4)</visual_event>", "<audio_event>dog, (0 4)</audio_event>", False),
    ("avqa", "<answer>two</answer>", "<answer> Two </answer>", True),
    ("avqa", "<answer>two</answer>", "<answer>three</answer>", False),
    ("a2v", "<answer>one</answer>", "<answer>one</answer>", True),
    ("ref_avs", "<answer>false</answer>", "<answer>false</answer>", True),
    ("ref_avs", "<answer>false</answer>", "<answer>true</answer> Its box is [0,0,9,9].", False),
    ("arig", "<obj>(0,0)(100,100)</obj>", "<obj>(0,0)(100,60)</obj>", True),
    ("arig", "<obj>(0,0)(100,100)</obj>", "<obj>(0,0)(100,40)</obj>", False),
])  # fmt: skip
def test_what_is_right(task, predict, output, right):
    [one] = calibrate.judged([row(predict, output, task)])
    assert one.right is right and one.evidence.inside == -0.1


def test_answers_without_log_probabilities_are_refused():
    with pytest.raises(CrabError, match="no log-probabilities"):
        calibrate.judged([{"task": "ave", "predict": EVENT, "output": EVENT}])
    assert calibrate.judged([{"task": "ave", "predict": "", "output": EVENT, "error": "No clip."}]) == []


def drawn(count: int, rng: np.random.Generator) -> list[dict]:
    """Answers whose chance to be right is the curve with bias 2 and slope 1 of their log-probability."""
    nats = -rng.exponential(2.0, count)
    right = rng.random(count) < 1 / (1 + np.exp(-(2 + nats)))
    return [row("<answer>two</answer>", f"<answer>{'two' if ok else 'three'}</answer>", "avqa", float(n))
            for n, ok in zip(nats, right)]  # fmt: skip


def test_a_curve_is_found_again_and_holds_on_others():
    rng = np.random.default_rng(0)
    fitted = calibrate.fit(calibrate.judged(drawn(4000, rng)))
    bias, inside, _ = fitted.curves["choice"]
    assert bias == pytest.approx(2, abs=0.15) and inside == pytest.approx(1, abs=0.1)
    others = calibrate.judged(drawn(4000, rng))
    [held] = calibrate.reliability(others, fitted)
    assert held.error < 0.03 and held.counts.sum() == 4000
    [off] = calibrate.reliability(others, Calibration({"choice": (5.0, 0.0, 0.0)}))  # sure of everything
    assert off.error == pytest.approx(1 / (1 + np.exp(-5)) - np.mean([one.right for one in others]), abs=1e-6)


def test_nothing_is_fitted_to_few_or_to_what_is_always_right():
    one = row("<answer>two</answer>", "<answer>two</answer>", "avqa")
    other = row("<answer>two</answer>", "<answer>one</answer>", "avqa")
    assert calibrate.fit(calibrate.judged([one] * 100)).curves == {}
    assert calibrate.fit(calibrate.judged([one, other])).curves == {}


def test_the_command_writes_curves_and_says_how_well_they_hold(tmp_path, capsys):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(one) + "\n" for one in drawn(300, np.random.default_rng(1))))
    out = tmp_path / "confidence.json"
    assert main(["calibrate", "--answers", str(rows), "--out", str(out)]) == 0
    assert set(json.loads(out.read_text())) == {"choice"}
    assert "choice: 300 results, expected calibration error 0.0" in capsys.readouterr().out
    rows.write_text(json.dumps(row(EVENT, EVENT)) + "\n")
    assert main(["calibrate", "--answers", str(rows), "--out", str(tmp_path / "other.json")]) == 2
    assert "nothing to fit" in capsys.readouterr().err
