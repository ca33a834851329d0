"""What the page reads from its folder and writes into Gradio's."""

from __future__ import annotations

import pytest

import app  # noqa: F401  imports spaces before torch
from crab import compose
from crab.media import open_clip
from crab.page.files import FILM, filmed, listed_examples
from crab.page.form import SHOWN
from crab.tasks import TASKS


def test_every_example_that_ships_is_there():
    for example in listed_examples():
        assert all(file.is_file() for file in example.files.values()) and example.task.name in TASKS
        needed = SHOWN[example.task.name if example.task.family == "matching" else "video"][0]
        assert example.files.keys() == needed


def test_a_film_is_made_once_for_a_scene_and_anew_for_another(tmp_path):
    scene, other = (compose.compose("room", [compose.Row("dog", heard=heard)], 1) for heard in ("", "0-3"))
    shown = filmed(scene, None, str(tmp_path))
    assert filmed(scene, shown, str(tmp_path)) is shown
    assert filmed(other, shown, str(tmp_path))[1] != shown[1]
    clip = open_clip(shown[1])
    assert (clip.width, clip.height) == FILM and clip.duration == pytest.approx(10, abs=0.2) and clip.audio
