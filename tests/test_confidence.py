"""How likely a result is right: what its tokens and those before it were worth, through a curve."""

import math
from dataclasses import replace

import pytest
from test_atlas import clip  # noqa: F401  a clip of a second

from crab import CrabError, answer, confidence
from crab.ask import ask, to_json
from crab.confidence import Calibration, Evidence
from crab.ilora import Intervention
from crab.loading import about_of
from crab.page import zerogpu
from crab.tasks import TASKS
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


def test_a_curve_makes_a_share_of_both_sums():
    curve = Calibration({"event": (1.0, 2.0, 0.5)})
    whole, ends = said()
    dog, cat = confidence.evidence(whole, ends, NATS)
    assert curve(dog) == pytest.approx(1 / (1 + math.exp(-(1 + 2 * -1.0 + 0.5 * -0.5))))
    assert curve(dog._replace(kind="box")) is None
    assert curve(Evidence(dog.span, "event", -1e9, 0)) < 1e-9  # and does not overflow
    assert set(confidence.confidence(whole, ends, NATS, curve)) == {dog.span.start, cat.span.start}
    assert confidence.confidence(whole, ends, NATS, Calibration()) == {}


def test_curves_are_kept_beside_a_model_and_read_with_it(tmp_path):
    curve = Calibration({"choice": (0.5, 1.0, 1.5)})
    confidence.save(curve, tmp_path / "confidence.json")
    assert about_of(str(tmp_path), "m").calibration == curve
    for broken in ('{"choice": [1, 2]}', '{"mood": [1, 2, 3]}', "[]", '{"box": [1, 2, NaN]}'):
        (tmp_path / "confidence.json").write_text(broken)
        with pytest.raises(CrabError, match="confidence.json"):
            about_of(str(tmp_path), "m")


def test_an_answer_says_how_sure_it_is_where_the_curves_are_of_its_kind(tiny, clip, monkeypatch):
    """Of its own routing and of clips that the model knows; else it says nothing."""
    curves = Calibration(dict.fromkeys(("event", "box", "choice"), (0.0, 0.0, 0.0)))
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
