"""What crab-mini says of its lessons: its things, and whether a question is of a form that it was taught."""

import json
from dataclasses import asdict

import pytest
from conftest import MINI

from crab.scenes.asking.forms import taught
from crab.scenes.world.cast import OBJECTS
from crab.tasks import TASKS
from crab.taught import Taught


def test_what_ships_is_what_this_world_teaches(mini):
    told = json.loads((MINI / "crab.json").read_text())["taught"]
    assert told == json.loads(json.dumps(asdict(taught()))) and mini.taught == taught()
    assert set(OBJECTS) == set(mini.taught.things)


def test_more_scenes_bring_no_other_form():
    more = taught(150).questions
    assert {name: len(forms) for name, forms in more.items()} == {n: len(f) for n, f in taught().questions.items()}


@pytest.mark.parametrize("dataset, question, covered", [
    ("avqa", "Is there a dog in the video?", True),
    ("avqa", "is there an alarm clock in the video", True),
    ("avqa", "  Does the cat   sound longer than the washing machine? ", True),
    ("avqa", "Is there a unicorn in the video?", False),
    ("avqa", "What colour is the helicopter?", False),
    ("avqa", "Hello, who are you?", False),
    ("avqa_thu", "What is seen in the video? | cat; dog; lion; harp", True),
    ("avqa_thu", "What is seen in the video?, options:['cat', 'dog']", True),
    ("avqa_thu", "Why? | cat; dog", False),
    ("ref_avs", "The helicopter", True),
    ("ref_avs", "the object of the train whistling", True),
    ("ref_avs", "the purple elephant", False),
    ("ref_avs", "the vehicle with a red cross", False),
    ("avvp", "", True),
])  # fmt: skip
def test_a_question_is_of_a_taught_form_whatever_things_it_names(mini, dataset, question, covered):
    assert mini.taught.covers(TASKS[dataset], question) == covered


def test_a_model_that_says_nothing_of_its_lessons_is_not_doubted():
    assert Taught().covers(TASKS["avqa"], "Hello, who are you?")


@pytest.mark.parametrize("told", [[], "", {"things": "dog"}, {"things": [1]}, {"colours": ["red"]}, {"questions": []}])
def test_what_is_no_list_of_lessons_is_refused(told):
    with pytest.raises((ValueError, TypeError, AttributeError)):
        Taught.of(told)
