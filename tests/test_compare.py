"""An answer beside the truth, as HTML."""

import re

import numpy as np
import pytest

from crab.answer import parse
from crab.metrics.wording import edits
from crab.tasks import TASKS
from crab.truth import Verdict
from visualize import compare, theme

AVVP, ARIG = TASKS["avvp"], TASKS["arig"]
TRUE = parse("<visual_event>dog, (0 10)</visual_event> and <audio_event>dog, (2 6)</audio_event>", AVVP)
SAID = parse("<audio_event>dog, (3 6)</audio_event> and <audio_event>cat, (0 1)</audio_event>", AVVP)


def card(said=SAID, meant=TRUE, verdict=None, **more):
    return compare.card(said, meant, verdict, asked="avvp · What?", duration=10.0, **more)


def test_both_sides_the_verdict_and_what_changed_stand_on_the_card():
    html = card(verdict=Verdict(False, "✗", "Wrong: not so."), changed=["dog heard 2-6 → never"])
    assert "Answer" in html and "Truth" in html
    assert "✗" in html and "Wrong: not so." in html and "dog heard 2-6 → never" in html


def test_while_the_answer_is_written_there_is_no_verdict():
    assert "verdict" not in card(parse("I see", AVVP))


def test_without_a_truth_there_is_neither_its_side_nor_bars():
    html = card(meant=None)
    assert "Truth" not in html and "lanes" not in html


def test_what_the_model_writes_is_escaped():
    assert "<script" not in card(parse("<audio_event><script>, (0 3)</audio_event>", AVVP))


def test_true_and_answered_bars_share_a_track_and_are_told_in_words():
    html = compare.lanes(SAID.events, TRUE.events, 10.0, colours=compare.shared_colours(SAID, TRUE))
    assert (
        "<i class='true audio' style='left:20%;width:40%'></i><i class='said audio' style='left:30%;width:30%'></i>"
    ) in html
    assert "dog, ♪ heard: the truth 2–6 s; the answer 3–6 s; IoU 0.75" in html
    assert "dog, ◎ seen: the truth 0–10 s; the answer never" in html
    assert "cat, ♪ heard: the truth never; the answer 0–1 s" in html


@pytest.mark.parametrize(("duration", "last"), [(10.0, "10 s"), (180.0, "150 s")])
def test_the_axis_has_few_round_seconds_however_long_the_clip_is(duration, last):
    html = compare.lanes(SAID.events, (), duration, colours={})
    ticks = re.findall(r"<span style='left:[^']*'>([^<]*)", html)
    assert (ticks[0], ticks[-1]) == ("0 s", last) and len(ticks) <= 8
    assert f"data-seconds='{duration:g}'" in html


def test_no_times_no_bars():
    assert compare.lanes((), (), 10.0, colours={}) == ""


def test_colours_do_not_change_while_the_answer_is_written():
    halfway = parse("<audio_event>cat, (0 1)</audio_event>", AVVP)
    assert compare.shared_colours(halfway, TRUE)["dog"] == compare.shared_colours(SAID, TRUE)["dog"] == theme.LABELS[0]


def test_a_truth_below_an_answer_has_the_colours_of_the_words_above_it():
    html = compare.truth(SAID, TRUE, Verdict(False, "✗", "Wrong."), 10.0)
    other = parse("<audio_event>cat, (0 1)</audio_event> <audio_event>dog, (3 6)</audio_event>", AVVP)
    assert f"--c:{theme.answer_colours(SAID)['dog']}'><p><i></i>dog" in html
    html = compare.truth(other, TRUE, Verdict(False, "✗", "Wrong."), 10.0)
    assert f"--c:{theme.answer_colours(other)['dog']}'><p><i></i>dog" in html


@pytest.mark.parametrize(
    "said", ["The object is dog. <obj>(10,10)(60,60)</obj>", "<obj>(10,10)(60,60)</obj>", "no idea"]
)
def test_the_true_box_is_drawn_and_named(said):
    frame = np.zeros((48, 64, 3), np.uint8)
    one, other = (parse(text, ARIG, size=(64, 48)) for text in (said, "The object is dog. <obj>(0,0)(112,112)</obj>"))
    html = compare.boxes(frame, one, other)
    assert "truth: dog: 0, 0 to 32, 24" in html and "data:image/jpeg;base64," in html


def test_two_runs_stand_side_by_side_with_what_differs():
    read = {"edits": edits(SAID.text, TRUE.text), "facts": ["The first token <differs>."]}
    html = compare.pair(SAID, TRUE, ("as <it> is", "changed"), duration=10.0, **read)
    assert html.count("<section>") == 2 and "as &lt;it&gt; is" in html and "The first token &lt;differs&gt;." in html
    assert "Thin: as &lt;it&gt; is. Thick: changed." in html and "<ins>" in html and "<del>" in html
    assert "<it>" not in html and "<differs>" not in html


def test_two_runs_say_what_each_was_asked_and_what_the_change_did_to_every_token():
    read = {"edits": edits("x", "x"), "asked": ("a <clip> · as it is", "a clip · head 1 muted")}
    html = compare.pair(SAID, SAID, ("Run 1", "Run 2"), duration=10.0, shifts=[(" dog", -0.01)], **read)
    assert "a &lt;clip&gt; · as it is" in html and "a clip · head 1 muted" in html
    assert html.index("</section></div>") < html.index("−0.010") < html.index("class='lanes'")
    assert "same, word for word" in html


def test_runs_that_cannot_be_held_against_each_other_share_neither_words_nor_bars():
    html = compare.pair(SAID, TRUE, ("Run 1", "Run 2"), duration=10.0, edits=edits("x", "y"), apart="Two <clips>.",
                        facts=["It means nothing."])  # fmt: skip
    assert "Two &lt;clips&gt;." in html and "It means nothing." in html
    assert not any(sign in html for sign in ("class='lanes'", "<ins>", "Word by word", "Token by token"))
