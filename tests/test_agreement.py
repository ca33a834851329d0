"""The panel of candidates, as HTML."""

import re
from dataclasses import replace

import numpy as np
import pytest

from crab import candidates
from crab.answer import Event, parse
from crab.media import Clip
from crab.result import Candidate, Candidates, Result
from crab.tasks import TASKS
from visualize import agreement, theme

SAID = parse("<visual_event>dog, (0 4)</visual_event>", TASKS["avvp"])


@pytest.fixture
def run():
    dog = Candidate("event", "dog", 6, True, (Event("dog", "visual", 0.0, 4.0),))
    cat = Candidate("event", "<cat>", 2, False, (Event("<cat>", "audio", 5.0, 10.0),))
    return Result(
        Clip("a.mp4", duration=10.0), TASKS["avvp"], "", "m", "", answer=SAID, candidates=Candidates(8, (dog, cat))
    )


def panel(run):
    return agreement.panel(run, told=candidates.told, sure=candidates.sure)


def test_each_stands_with_its_share_its_bar_and_the_answers_colour(run):
    dog, cat = re.findall("<li .*?</li>", panel(run))
    assert "6 of 8" in dog and "--share:0.750" in dog and "as answered" in dog
    assert f"--c:{theme.answer_colours(SAID)['dog']}" in dog
    assert "class='said visual' style='left:0%;width:40%'" in dog
    assert "2 of 8" in cat and "not in the answer" in cat and "left:50%;width:50%" in cat
    assert "<cat>" not in cat and "&lt;cat&gt;, heard, 5–10 s" in cat
    assert theme.answer_colours(SAID)["dog"] not in cat


def test_it_is_called_agreement_and_a_share_that_is_known_stands_beside_it(run):
    assert "that is agreement, and not how likely it is right" in panel(run) and "%" not in re.sub(
        "<div.*?>|<i.*?>", "", panel(run)
    )
    known = panel(replace(run, confidence={0: 0.75}))
    dog, cat = re.findall("<li .*?</li>", known)
    assert "of such results 75 % were right" in dog and "right" not in cat and agreement.KNOWN in known


def test_boxes_are_drawn_on_their_picture_and_named_by_their_votes(run):
    said = parse("<obj>(0,0)(112,112)</obj>", TASKS["arig"], size=(64, 48))
    [box] = said.boxes
    found = Candidates(
        8, (Candidate("box", "", 7, True, (), box), Candidate("box", "", 1, False, (), replace(box, x2=60.0)))
    )
    frame = np.zeros((48, 64, 3), np.uint8)
    pointed = replace(run, task=TASKS["arig"], answer=said, candidates=found, frame=frame, size=(64, 48))
    assert "alt='The boxes on their picture: 7 of 8, as answered, 1 of 8 (2)'" in panel(pointed)
    assert "<img" not in panel(replace(pointed, frame=None)) and "7 of 8" in panel(replace(pointed, frame=None))


def test_without_candidates_there_is_no_panel_and_with_none_a_sentence(run):
    assert panel(replace(run, candidates=None)) == ""
    assert "None of them says anything" in panel(replace(run, candidates=Candidates(8, ())))
