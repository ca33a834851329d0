"""What is true of a drawn scene, and how near an answer comes to it."""

import pytest

from crab import answer, compose, truth
from crab.scenes.world import render, script
from crab.tasks import TASKS
from crab.truth import Drawn

SIZE = (320, 240)
PAIR = Drawn("pair", 1001502, 1)

# ---- what is true ----


@pytest.mark.parametrize(
    "kind, dataset", [("objects", "avvp"), ("objects", "avcap"), ("action", "ks"), ("emotion", "meld")]
)
def test_the_truth_of_a_seed_is_that_of_its_scene(kind, dataset):
    drawn = Drawn(kind, 1000412)
    question = truth.found(drawn, TASKS[dataset], "", 0.0)
    assert question.target in {one.target for one in truth.asked_of(drawn)}
    if kind == "objects" and dataset == "avvp":
        spans = {(part.actor, span) for part in script.write(1000412).parts for span in part.heard}
        events = truth.truth(question, SIZE).events
        assert {(e.label.split()[0], (e.start, e.end)) for e in events if e.modality == "audio"} == spans


def test_words_are_found_as_typed_and_as_published():
    drawn = Drawn("objects", 1000412)
    [one, *_] = [one for one in truth.asked_of(drawn) if one.dataset == "avqa_thu"]
    stem, _, options = one.question.partition(", options:")
    typed = f"{stem} | {options.strip('[]').replace(chr(39), '').replace(',', ';')}"
    for question in (one.question, typed):
        assert truth.found(drawn, TASKS["avqa_thu"], question, 0.0).answer == one.answer
    assert truth.found(drawn, TASKS["avqa"], "What colour is the helicopter?", 0.0) is None
    assert truth.found(drawn, TASKS["avqa_thu"], "no options", 0.0) is None


@pytest.mark.parametrize("time", [4.0, 6.25])
def test_the_true_box_is_that_of_the_time_that_is_shown(time):
    scene = script.write(1000412)
    box = truth.truth(truth.found(Drawn("objects", 1000412), TASKS["s4"], "", time), SIZE).boxes[0]
    mask = next(mask for part, mask in render.masks(scene, time, SIZE) if part.actor == "helicopter")
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx(render.box(mask), abs=3)
    assert truth.found(Drawn("objects", 1000412), TASKS["s4"], "", 1.0) is None  # nothing sounds yet


@pytest.mark.parametrize("words, there", [("the helicopter", "true"), ("the ambulance", "true")])
def test_what_is_described_is_looked_for_in_the_picture_of_the_time(words, there):
    assert truth.found(Drawn("objects", 1000412), TASKS["ref_avs"], words, 5.0).answer == there


def test_of_a_pair_it_is_known_which_matches():
    assert truth.found(PAIR, TASKS["a2v"], "", 0.0).answer == "two"
    assert truth.found(Drawn("pair", 1001502, 0), TASKS["a2v"], "", 0.0).answer == "one"


# ---- how near an answer is ----


def verdict(dataset: str, prediction: str, reference: str):
    one, other = (answer.parse(text, TASKS[dataset]) for text in (prediction, reference))
    return truth.judge(one, other, TASKS[dataset].grammar)


@pytest.mark.parametrize("seed", range(8))
def test_the_truth_is_right_about_every_question(seed):
    for asked in compose.asked(compose.surprise(seed).scene()).values():
        true, grammar = truth.truth(asked, SIZE), TASKS[asked.dataset].grammar
        assert truth.judge(true, true, grammar).sign == ("–" if grammar == "text" else "✓"), asked


@pytest.mark.parametrize(
    "dataset, prediction, reference, sign",
    [
        ("avqa", "<answer> Dog </answer>", "<answer> dog </answer>", "✓"),
        ("avqa", "dog", "<answer> dog </answer>", "✓"),
        ("avqa", "<answer>cat</answer>", "<answer> dog </answer>", "✗"),
        ("avqa", "", "<answer> dog </answer>", "✗"),
        ("ave", "<event>dog barking, (3 6)</event>", "<event>dog barking, (2 6)</event>", "✓"),
        ("ave", "<event>dog barking, (2 4)</event>", "<event>dog barking, (2 6)</event>", "✓"),  # half is shared
        ("ave", "<event>dog barking, (0 10)</event>", "<event>dog barking, (2 6)</event>", "✗"),
        ("unav", "<event>dog, (2 6)</event>, <event>cat, (2 6)</event>", "<event>dog, (2 6)</event>", "≈"),
        ("avvp", "<audio_event>dog, (2 6)</audio_event>", "<visual_event>dog, (2 6)</visual_event>", "✗"),
        ("arig", "The object is dog. <obj>(0,0)(100,100)</obj>", "The object is dog. <obj>(0,0)(100,90)</obj>", "✓"),
        ("arig", "The object is cat. <obj>(0,0)(100,100)</obj>", "The object is dog. <obj>(0,0)(100,90)</obj>", "≈"),
        ("arig", "The object is dog. <obj>(99,99)(199,199)</obj>", "The object is dog. <obj>(0,0)(100,90)</obj>", "✗"),
        ("arig", "The object is dog. <obj>(50,0)(150,100)</obj>", "The object is dog. <obj>(0,0)(100,100)</obj>", "≈"),
        ("arig", "The object is dog. <obj>(0,0)(100,50)</obj>", "The object is dog. <obj>(0,0)(100,100)</obj>", "✓"),
        ("arig", "The object is dog. <obj>(0,0)(100,11)</obj>", "The object is dog. <obj>(0,0)(100,100)</obj>", "≈"),
        ("arig", "The object is dog. <obj>(0,0)(100,9)</obj>", "The object is dog. <obj>(0,0)(100,100)</obj>", "✗"),
        ("arig", "dog", "The object is dog. <obj>(0,0)(100,90)</obj>", "✗"),
        ("ref_avs", "<answer>false</answer>", "<answer>false</answer> The object is absent.", "✓"),
        ("ref_avs", "<answer>true</answer> [0,0,9,9]", "<answer>false</answer> The object is absent.", "✗"),
        ("avcap", "A dog.", "A dog.", "–"),
    ],
)
def test_signs(dataset, prediction, reference, sign):
    judged = verdict(dataset, prediction, reference)
    assert judged.sign == sign and judged.words.endswith(".")
    assert (judged.right is True) == (sign == "✓")
