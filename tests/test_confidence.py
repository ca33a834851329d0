"""How likely a result is right: what its tokens and those before it were worth, through a curve."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from test_atlas import clip  # noqa: F401  a clip of a second

from crab import CrabError, answer, confidence
from crab.about import about_of
from crab.ask import ask, to_json
from crab.confidence import Calibration, Curve, Evidence, Reliability
from crab.ilora import Intervention
from crab.page import zerogpu
from crab.tasks import TASKS
from crab.weights import Found
from crab.windows import join
from visualize import text

TOKENS = ("A dog.", " <event>", "dog, ", "(0 4)", "</event>", " and", " <event>cat, (1 2)</event>")
NATS = (-0.5, -0.1, -0.2, -0.3, -0.4, -1.0, -2.0)


def said(tokens=TOKENS, dataset="ave"):
    whole = answer.parse("".join(tokens), TASKS[dataset])
    return whole, [len("".join(tokens[: i + 1])) for i in range(len(tokens))]


def test_a_result_is_weighed_by_its_own_tokens_and_by_those_before_it():
    whole, ends = said()
    dog, cat = confidence.evidence(whole, ends, NATS)
    assert (dog.span.label, dog.kind) == ("dog", "event")
    assert dog.inside == pytest.approx(-0.1 - 0.2 - 0.3 - 0.4) and dog.before == pytest.approx(-0.5)
    assert cat.inside == pytest.approx(-2.0) and cat.before == pytest.approx(sum(NATS[:-1]))


def test_each_window_of_a_long_clip_is_weighed_on_its_own():
    whole, ends = said()
    other = replace(whole)
    both = join([whole, other])
    later = [len(whole.text) + 1 + end for end in ends]
    found = confidence.evidence(both, [*ends, *later], [*NATS, *NATS])
    assert len(found) == 4 and found[2].inside == pytest.approx(found[0].inside)
    assert [one.before for one in found[2:]] == pytest.approx([one.before for one in found[:2]])


@pytest.mark.parametrize(("dataset", "words", "kind"), [
    ("avqa", "So <answer>two</answer>.", "choice"),
    ("arig", "It is <obj>(0,0)(100,100)</obj>.", "box"),
    ("s4", "Its box is [1,2,30,40] and three points are [2,3],[4,5],[6,7].", "box"),
    ("avvp", "<visual_event>dog, (0 4)</visual_event>", "event"),
])  # fmt: skip
def test_what_counts_as_a_result(dataset, words, kind):
    whole, ends = said((words,), dataset)
    assert [one.kind for one in confidence.evidence(whole, ends, [-1.0])] == [kind]


def test_a_curve_makes_a_share_of_all_that_is_known():
    curve = Calibration({"event": Curve(1.0, 2.0, 0.5)})
    whole, ends = said()
    dog, cat = confidence.evidence(whole, ends, NATS)
    assert curve(dog) == pytest.approx(1 / (1 + math.exp(-(1 + 2 * -1.0 + 0.5 * -0.5))))
    assert curve(dog._replace(kind="choice")) is None
    assert curve(Evidence(dog.span, "event", -1e9, 0)) < 1e-9  # and does not overflow
    assert set(confidence.confidence(whole, ends, NATS, curve)) == {dog.span.start, cat.span.start}
    assert confidence.confidence(whole, ends, NATS, Calibration()) == {}


BROKEN = (
    "[]",
    "{}",
    '{"curves": {"mood": {"bias": 1, "inside": 1, "before": 1}}}',
    '{"curves": {"box": [1, 2, 3]}}',
    '{"curves": {"box": {"bias": 1, "inside": 1}}}',
    '{"curves": {"box": {"bias": 1, "inside": 1, "before": NaN}}}',
    '{"curves": {"box": {"bias": 1, "inside": 1, "before": "1"}}}',
    '{"curves": {"box": {"bias": 1, "inside": 1, "before": 1, "size": 0}}}',
)


def test_curves_are_kept_beside_a_model_and_read_with_it(tmp_path):
    curve = Calibration({"choice": Curve(0.5, 1.0, 1.5), "box": Curve(1.0, 0.25, 0.5)})
    assert about_of(Found("m", str(tmp_path), None)).calibration == Calibration()
    confidence.save(curve, (), tmp_path / "confidence.json")
    assert about_of(Found("m", str(tmp_path), None)).calibration == curve
    assert about_of(Found("m", str(tmp_path), "another")).calibration == Calibration()
    for broken in BROKEN:
        (tmp_path / "confidence.json").write_text(broken)
        with pytest.raises(CrabError, match="confidence.json"):
            about_of(Found("m", str(tmp_path), None))


def held(kind="box", counts=(0, 2, 0, 0, 0, 0, 0, 0, 3, 5)):
    counts = np.array(counts)
    sure = np.where(counts > 0, (np.arange(10) + 0.5) / 10, np.nan)
    return Reliability(kind, counts, sure, np.where(counts > 0, 0.5, np.nan))


def test_how_far_off_it_is_and_how_far_chance_alone_would_put_it():
    assert held().error == pytest.approx((2 * 0.35 + 3 * 0.35 + 5 * 0.45) / 10)
    rng, sure, counts = np.random.default_rng(0), np.array([0.35, 0.8, 0.95]), np.array([40, 100, 300])
    shares = rng.binomial(counts, sure, (4000, 3)) / counts  # right exactly as often as it is sure
    errors = np.average(np.abs(shares - sure), axis=1, weights=counts)
    assert Reliability("box", counts, sure, shares[0]).chance == pytest.approx(errors.mean(), rel=0.03)


def test_how_curves_held_is_kept_beside_them(tmp_path):
    file = tmp_path / "confidence.json"
    confidence.save(Calibration(), [held("box"), held("event")], file)
    (box, event), _ = confidence.reliability_of(file)
    assert (box.kind, event.kind) == ("box", "event") and box.error == pytest.approx(held().error)
    assert np.array_equal(box.counts, held().counts) and np.array_equal(np.isnan(box.sure), held().counts == 0)
    confidence.save(Calibration(), (), file)
    with pytest.raises(CrabError, match="held against nothing"):
        confidence.reliability_of(file)
    bins = {"counts": [1] * 10, "sure": [0.5] * 10, "right": [0.5] * 10}
    for wrong in (
        "[]", "{", '{"curves": {}}', json.dumps({"reliability": {"mood": bins}}),
        json.dumps({"reliability": {"box": bins | {"sure": [0.5] * 9}}}),
        json.dumps({"reliability": {"box": bins | {"right": [None] * 10}}}),
    ):  # fmt: skip
        file.write_text(wrong)
        with pytest.raises(CrabError, match="does not tell how sure"):
            confidence.reliability_of(file)


def test_an_answer_says_how_sure_it_is_where_the_curves_are_of_its_kind(tiny, clip, monkeypatch):
    """Of its own routing and of clips that the model knows; else it says nothing."""
    curves = Calibration({"choice": Curve(0.0, 0.0, 0.0)})
    monkeypatch.setattr(tiny, "about", replace(tiny.about, calibration=curves))
    words = "<answer>two</answer>"
    steps = [replace(step, text=words if i == 0 else "") for i, step in
             enumerate(tiny.stream(tiny.prompt(clip, TASKS["avqa"], "How many?"), max_new_tokens=3))]  # fmt: skip
    monkeypatch.setattr(tiny, "stream", lambda *_, **__: (step for step in steps))
    *_, result = ask(tiny, clip, TASKS["avqa"], "How many?", trace=False)
    assert result.confidence == {0: 0.5} and len(result.ends) == len(result.logprobs) == len(result.token_ids)
    assert to_json(result)["confidence"] == [{"kind": "answer", "label": "two", "text": "two", "share": 0.5}]
    assert "50 %" in text.chips(result.answer, colours={}, confidence=result.confidence)
    assert "%" not in text.chips(result.answer, colours={}).partition("</style>")[2]
    *_, muted = ask(tiny, clip, TASKS["avqa"], "How many?", trace=False, intervention=Intervention("mute", (1,)))
    assert muted.confidence == {}
    monkeypatch.setattr(tiny, "about", replace(tiny.about, drawn=True))
    *_, strange = ask(tiny, clip, TASKS["avqa"], "How many?", trace=False)
    assert strange.caveat and strange.confidence == {}


def test_how_many_tokens_come_at_a_time_changes_nothing(tiny, clip, monkeypatch):
    """As many characters and as much probability belong to each, where a page takes several as one."""
    asked, stream = (tiny, clip, TASKS["avqa"], "How many?"), tiny.stream
    *_, each = ask(*asked, trace=False, max_new_tokens=9)
    monkeypatch.setattr(tiny, "stream", lambda *args, **how: zerogpu.paced(stream(*args, **how), every=60))
    *_, several = ask(*asked, trace=False, max_new_tokens=9)
    assert (several.text, several.ends, several.logprobs) == (each.text, each.ends, each.logprobs)
    assert len(set(each.ends)) > 2 and each.ends[-1] == len(each.text)


def test_the_shares_of_windows_stand_at_their_chips():
    whole, _ = said(("<event>dog, (0 4)</event>",))
    both = join([whole, whole])
    shown = text.windows([(0, 10, whole), (10, 20, whole)], colours={}, confidence={both.spans[1].start: 0.25})
    assert "25 %" in shown.rpartition("<details")[2] and "25 %" not in shown.rpartition("<details")[0]
