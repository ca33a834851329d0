"""What the page reads from its folder and writes into Gradio's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import app  # noqa: F401  imports spaces before torch
from crab import compose
from crab.ask import ask
from crab.media import open_clip
from crab.page.files import FILM, filmed, first_answer, listed_examples
from crab.page.form import SHOWN
from crab.scenes.asking.questions import KINDS
from crab.scenes.world import render
from crab.tasks import TASKS


def test_every_example_that_ships_is_there():
    for example in listed_examples():
        assert all(file.is_file() for file in example.files.values()) and example.task.name in TASKS
        needed = SHOWN[example.task.name if example.task.family == "matching" else "video"][0]
        assert example.files.keys() == needed


def test_the_first_example_still_gets_the_answer_that_ships(mini):
    example = listed_examples()[0]
    shipped = first_answer(mini, example)
    *_, anew = ask(mini, open_clip(example.files["video"]), example.task, example.question)
    assert (shipped.text, shipped.token_ids, shipped.answer) == (anew.text, anew.token_ids, anew.answer)
    assert (shipped.model, shipped.knows, shipped.done) == (mini.name, mini.knows, True)
    assert shipped.routing.keys() == anew.routing.keys()
    for tower, routing in anew.routing.items():
        assert shipped.routing[tower].sites == routing.sites
        np.testing.assert_allclose(shipped.routing[tower].weights, routing.weights, atol=0.02)
    assert [time for time, *_ in shipped.seen.frames] == [time for time, *_ in anew.seen.frames]


@pytest.mark.parametrize("example", listed_examples(), ids=lambda example: example.clip)
def test_an_example_is_the_film_of_the_scene_that_it_names(example):
    clip, written = open_clip(example.files["video"]), KINDS[example.drawn.kind].write(example.drawn.seed)
    scene = written[0] if isinstance(written, tuple) else written
    shown = render.frame(scene, 5.0, (clip.width, clip.height))
    other = render.frame(replace(scene, parts=()), 5.0, (clip.width, clip.height))
    frame = clip.frame_at(5.0).astype(int)
    assert np.abs(frame - shown).mean() < 0.6 * np.abs(frame - other).mean()
    small = np.asarray(Image.open(example.picture).convert("RGB").resize((clip.width, clip.height))).astype(int)
    assert np.abs(frame - small).mean() < 12


def test_a_clip_is_an_example_by_what_is_in_its_files(tmp_path):
    pair, single = listed_examples()[-1], listed_examples()[0]
    copy = tmp_path / "mine.mp4"
    copy.write_bytes(single.files["video"].read_bytes())
    assert single.has(open_clip(copy), None) and not pair.has(open_clip(copy), None)
    one, other = open_clip(pair.files["video"], audio=pair.files["sound"]), open_clip(pair.files["other_video"])
    assert pair.has(one, other) and not pair.has(one, None) and not pair.has(other, one)
    assert not single.has(open_clip(pair.files["sound"]), None)


def test_a_film_is_made_once_for_a_scene_and_anew_for_another(tmp_path):
    scene, other = (compose.compose("room", [compose.Row("dog", heard=heard)], 1) for heard in ("", "0-3"))
    shown = filmed(scene, None, str(tmp_path))
    assert filmed(scene, shown, str(tmp_path)) is shown
    assert filmed(other, shown, str(tmp_path))[1] != shown[1]
    clip = open_clip(shown[1])
    assert (clip.width, clip.height) == FILM and clip.duration == pytest.approx(10, abs=0.2) and clip.audio
