"""Curves of confidence: fitted to answers and their truth, and held against others."""

import json

import numpy as np
import pytest

from crab import CrabError
from crab.__main__ import main
from crab.confidence import Calibration, Curve, reliability_of
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


def drawn(count: int, rng: np.random.Generator, bias: float = 2.0, task: str = "avqa") -> list[dict]:
    """Answers whose chance to be right is the curve with this bias and slope 1 of their log-probability."""
    nats = -rng.exponential(2.0, count)
    right = rng.random(count) < 1 / (1 + np.exp(-(bias + nats)))
    return [row("<answer>one</answer>", f"<answer>{'one' if ok else 'two'}</answer>", task, float(n))
            for n, ok in zip(nats, right)]  # fmt: skip


def test_a_curve_is_found_again_and_holds_on_others():
    rng = np.random.default_rng(0)
    fitted = calibrate.fit(calibrate.judged(drawn(4000, rng)))
    choice = fitted.curves["choice"]
    assert choice.bias == pytest.approx(2, abs=0.15)
    assert choice.inside == pytest.approx(1, abs=0.1)
    others = calibrate.judged(drawn(4000, rng))
    [held] = calibrate.reliability(others, fitted)
    assert held.error < 0.03 and held.counts.sum() == 4000
    [off] = calibrate.reliability(others, Calibration({"choice": Curve(5.0, 0.0, 0.0)}))  # sure of everything
    assert off.error == pytest.approx(1 / (1 + np.exp(-5)) - np.mean([one.right for one in others]), abs=1e-6)


def test_nothing_is_fitted_to_few_or_to_what_is_always_right():
    one = row("<answer>two</answer>", "<answer>two</answer>", "avqa")
    other = row("<answer>two</answer>", "<answer>one</answer>", "avqa")
    assert calibrate.fit(calibrate.judged([one] * 100)).curves == {}
    assert calibrate.fit(calibrate.judged([one, other])).curves == {}


CAT = EVENT.replace("dog", "cat")
TWO, ONE = (f"<answer>{number}</answer>" for number in ("two", "one"))


def test_agreement_is_the_share_of_sampled_answers_and_is_held_against_the_truth():
    rows = [
        row(EVENT, "<event>dog, (0 5)</event>") | {"sampled": [EVENT] * 6 + [CAT] * 2},
        row(EVENT + CAT, CAT) | {"sampled": [EVENT + CAT, CAT, CAT, "Nothing."]},
        row(ONE, TWO, "avqa") | {"sampled": [TWO] * 8},  # none agrees, and it is wrong
        row(TWO, TWO, "avqa") | {"sampled": [TWO] * 8},
        row(ONE, ONE, "avqa"),  # nothing was sampled
    ]
    choice, event = calibrate.agreement(rows)
    assert (choice.kind, event.kind) == ("choice", "event")
    assert (choice.counts[[0, 9]].tolist(), choice.right[[0, 9]].tolist()) == ([1, 1], [0, 1])
    assert np.flatnonzero(event.counts).tolist() == [2, 7] and event.counts[7] == 2
    assert event.sure[[2, 7]].tolist() == [0.25, 0.75] and event.right[[2, 7]].tolist() == [0, 1]


def test_the_command_writes_curves_and_says_how_well_they_hold(tmp_path, capsys):
    rng, (rows, check, other) = np.random.default_rng(1), (tmp_path / f"{name}.jsonl" for name in "abc")
    sampled = [{**each, "sampled": [each["predict"]] * 8} for each in drawn(200, rng)]
    for file, one in ((rows, drawn(300, rng)), (check, sampled), (other, [row(EVENT, EVENT)])):
        file.write_text("".join(json.dumps(each) + "\n" for each in one))
    out = tmp_path / "confidence.json"
    assert main(["calibrate", "--answers", str(rows), "--check", str(check), "--out", str(out)]) == 0
    assert set(json.loads(out.read_text())["curves"]) == {"choice"}
    said = capsys.readouterr().out
    [held], [agreed] = reliability_of(out)
    assert agreed.counts[9] == 200 and agreed.right[9] == pytest.approx(
        held.right[held.counts > 0] @ held.counts[held.counts > 0] / 200, abs=1e-3
    )
    assert "How large a share of sampled answers agrees" in said
    assert held.counts.sum() == 200 and f"choice: 200 results, expected calibration error {held.error:.3f}" in said
    assert main(["calibrate", "--answers", str(rows), "--out", str(out)]) == 0  # what it was fitted to proves nothing
    with pytest.raises(CrabError, match="held against nothing"):
        reliability_of(out)
    assert main(["calibrate", "--answers", str(other), "--out", str(tmp_path / "other.json")]) == 2
    assert "nothing to fit" in capsys.readouterr().err
