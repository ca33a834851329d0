"""Scenes in words: articles, lists, times, tags and places."""

from dataclasses import replace

import numpy as np
import pytest

from crab.answer import Event, parse
from crab.scenes.asking import words
from crab.scenes.world import script
from crab.scenes.world.cast import ACTORS
from crab.tasks import TASKS


@pytest.mark.parametrize("name, said", [("dog", "a dog"), ("ambulance", "an ambulance"), ("car", "a car")])
def test_articles(name, said):
    assert words.a(name) == said


@pytest.mark.parametrize("names, said", [
    ([], ""), (["dog"], "dog"), (["dog", "cat"], "dog and cat"), (["dog", "cat", "bird"], "dog, cat and bird"),
])  # fmt: skip
def test_lists(names, said):
    assert words.listed(names) == said


def test_lists_with_articles():
    assert words.listed(["dog", "ambulance", "bird"], article=True) == "a dog, an ambulance and a bird"


def test_every_wording_is_used_and_only_those():
    rng = np.random.default_rng(0)
    assert {words.one_of(rng, "a", "b", "c") for _ in range(60)} == {"a", "b", "c"}


def test_times():
    assert words.from_to(((0, 3),)) == "from 0 to 3"
    assert words.from_to(((0, 3), (7, 10))) == "from 0 to 3 and from 7 to 10"


@pytest.mark.parametrize("tag, modality", [("event", "both"), ("visual_event", "visual"), ("audio_event", "audio")])
def test_an_event_is_read_back_as_it_was_written(tag, modality):
    for name, actor in ACTORS.items():
        part = replace(script.write(0).parts[0], actor=name)
        assert words.label(part) == actor.label
        said = parse(words.event(tag, part, ((0, 3), (7, 10))), TASKS["avvp"])
        assert said.events == (Event(actor.label, modality, 0, 3), Event(actor.label, modality, 7, 10))


@pytest.mark.parametrize("x, place", [
    (-0.1, "on the left"), (0.0, "on the left"), (0.32, "on the left"), (0.34, "in the middle"),
    (0.66, "in the middle"), (0.67, "on the right"), (1.0, "on the right"), (1.2, "on the right"),
])  # fmt: skip
def test_places(x, place):
    assert words.side(x) == place


def test_numbers_go_as_far_as_actors_do():
    assert words.NUMBERS[:5] == ("zero", "one", "two", "three", "four")
