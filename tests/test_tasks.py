"""The interface to the published weights, spelled out once more: a changed word or order must fail here."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crab import CrabError
from crab.tasks import FAMILIES, SYSTEM, TASKS, SoundPlan, instruction, task_named

WITH_VIDEO = "This is a video and an audio:"
WITH_IMAGE = "This is an image and an audio:"
EVENTS = "Please describe the events and time range that occurred in the video."
ACTION = "Please identify the action taking place in the video."
EMOTION = "Please judge the person's emotion at the moment."
SEGMENT = (
    "Please identify the category of the object producing the sound in the video frame. Then, provide the "
    "bounding box and three pixel points of the object that is making the sound within the frame."
)

# name: leading text, media, frames a video, kind of sound plan, instruction (with nothing typed where none is needed)
PUBLISHED = {
    "a2v": (
        "These are two videos and an audio:",
        "audio video video",
        10,
        "whole",
        "Please listen to the audio and indicate which of the two videos matches what you hear.",
    ),
    "v2a": (
        "This is a video and two audio clips:",
        "video audio audio",
        10,
        "whole",
        "Please view the video and indicate which of the two audio clips matches what you see.",
    ),
    "ks": (WITH_VIDEO, "video audio", 10, "whole", ACTION),
    "ucf": (WITH_VIDEO, "video audio", 10, "whole", ACTION),
    "avqa": (WITH_VIDEO, "video audio", 10, "windows", "Please answer this question: WHAT?"),
    "avqa_thu": (
        WITH_VIDEO,
        "video audio",
        10,
        "whole",
        "Please answer the question based on the options: WHAT?, options:['a', 'b']",
    ),
    "ave": (WITH_VIDEO, "video audio", 10, "whole", EVENTS),
    "unav": (WITH_VIDEO, "video audio", 10, "whole", EVENTS),
    "avvp": (
        WITH_VIDEO,
        "video audio",
        10,
        "whole",
        "Please determine the events that occur based on the visual and audio information in the video, as well "
        "as the start and end times of these events.",
    ),
    "avcap": (WITH_VIDEO, "video audio", 10, "whole", "Please describe this video and audio."),
    "meld": (WITH_VIDEO, "video audio", 4, "fixed", EMOTION),
    "mer24": (WITH_VIDEO, "video audio", 4, "fixed", EMOTION),
    "cremad": (WITH_VIDEO, "video audio", 4, "fixed", EMOTION),
    "mafw": (WITH_VIDEO, "video audio", 4, "fixed", EMOTION),
    "dfew": (WITH_VIDEO, "video audio", 4, "fixed", EMOTION),
    "ms3": (WITH_IMAGE, "image audio", 0, "slice", SEGMENT),
    "s4": (WITH_IMAGE, "image audio", 0, "slice", SEGMENT),
    "ref_avs": (
        WITH_IMAGE,
        "image audio",
        0,
        "slice",
        "Please analyze the video frame and audio to find the object described as <des>the loud dog</des>. "
        'Answer with "true" or "false" whether the object exists. If it exists, respond with a sentence '
        "identifying the object's name, its bounding box, and three pixel points; if not, state that the "
        "object is absent.",
    ),
    "arig": (
        WITH_IMAGE,
        "image audio",
        0,
        "whole",
        "Please recognize the category of object that makes the sound and then output its bounding box.",
    ),
}
TYPED = {"question": "WHAT?", "options": "WHAT? | a; b", "expression": "The LOUD dog", "": ""}


def test_all_nineteen_datasets_are_there():
    assert set(TASKS) == set(PUBLISHED)
    assert len(TASKS) == 19


@pytest.mark.parametrize("name", PUBLISHED)
def test_prompt_is_word_for_word_the_published_one(name):
    task = TASKS[name]
    asked = instruction(task, TYPED[task.needs])
    assert (task.lead, " ".join(task.media), task.frames, task.sound.kind, asked) == PUBLISHED[name]


def test_system_prompt_is_the_published_one():
    assert SYSTEM == (
        "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving "
        "auditory and visual inputs, as well as generating text and speech."
    )


def test_each_dataset_belongs_to_one_of_seven_families():
    assert len(FAMILIES) == 7
    assert sorted(name for family in FAMILIES.values() for name in family.datasets) == sorted(TASKS)
    for family in FAMILIES.values():
        assert family.default in family.datasets
        assert all(TASKS[name].family == family.name for name in family.datasets)


def test_a_template_has_fields_exactly_where_something_is_needed():
    fields = {"": set(), "question": {"question"}, "options": {"question", "options"}, "expression": {"expression"}}
    for task in TASKS.values():
        assert {field for _, field, _, _ in string.Formatter().parse(task.instruction) if field} == fields[task.needs]


def test_sound_plans():
    assert TASKS["ave"].sound == SoundPlan("whole", pieces=10)
    assert TASKS["arig"].sound == SoundPlan("whole", pieces=5)
    assert TASKS["meld"].sound == SoundPlan("fixed", seconds=4.0)
    assert TASKS["s4"].sound == TASKS["ms3"].sound == SoundPlan("slice", pieces=5)
    assert TASKS["ref_avs"].sound == SoundPlan("slice", pieces=10)


def test_avqa_hears_ten_windows_of_two_pieces_the_first_beginning_in_silence():
    plan = TASKS["avqa"].sound
    assert plan.pieces == 60
    assert plan.windows[:3] == ((-0.5, 1.5), (5.5, 7.5), (11.5, 13.5))
    assert len(plan.windows) == 10 and plan.windows[-1] == (53.5, 55.5)


@pytest.mark.parametrize("name", ["avqa", "avqa_thu", "ref_avs"])
@pytest.mark.parametrize("typed", ["", "  \n"])
def test_saying_nothing_where_words_are_needed_is_refused_with_an_example(name, typed):
    with pytest.raises(CrabError, match="for example"):
        instruction(TASKS[name], typed)


@pytest.mark.parametrize("typed", ["What barks?", "What barks? |", "What barks? | a dog", "| a; b", "x, y; z"])
def test_a_question_without_options_is_refused(typed):
    with pytest.raises(CrabError, match="at least two options"):
        instruction(TASKS["avqa_thu"], typed)


def test_options_are_written_as_a_python_list():
    asked = instruction(TASKS["avqa_thu"], "What barks, and why? | a dog;the neighbour's seal ; ")
    assert asked.endswith("""options: What barks, and why?, options:['a dog', "the neighbour's seal"]""")


def test_options_in_the_published_form_are_taken_as_they_stand():
    options = ["a; b", "c | d"]
    asked = instruction(TASKS["avqa_thu"], f"Which?, options:{options}")
    assert asked == "Please answer the question based on the options: Which?, options:['a; b', 'c | d']"


@given(st.text().filter(str.strip))
def test_a_question_reaches_the_prompt_as_typed_braces_and_all(question):
    assert instruction(TASKS["avqa"], question) == "Please answer this question: " + question


@pytest.mark.parametrize("name", [None, 5, ["avqa"], "sing", "x" * 4000])
def test_a_task_that_there_is_not_is_said(name):
    with pytest.raises(CrabError, match="There is no task") as refused:
        task_named(name)
    assert len(str(refused.value)) < 400
