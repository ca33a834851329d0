"""What the page reads from its folder and writes into Gradio's."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from time import sleep

import numpy as np
import pytest
from PIL import Image
from test_trace import towers

import app  # noqa: F401  imports spaces before torch
from crab import CrabError, compose
from crab.answer import parse
from crab.ask import ask
from crab.media import Clip, open_clip
from crab.page.files import FILM, everything, filmed, first_answer, listed_examples, pictured, saved, taken
from crab.page.form import SHOWN
from crab.page.sheet import TAKEN
from crab.result import Result
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
    shipped = first_answer(example)
    *_, anew = ask(mini, open_clip(example.files["video"]), example.task, example.question)
    assert (shipped.text, shipped.token_ids, shipped.answer) == (anew.text, anew.token_ids, anew.answer)
    assert (shipped.model, shipped.knows, shipped.done) == (mini.name, mini.knows, True)
    assert (shipped.ends, shipped.confidence.keys()) == (tuple(mini.ends(anew.token_ids)), anew.confidence.keys())
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


def result(**more) -> Result:
    """An answer that points, about a clip that is no drawn scene."""
    said = parse("The dog is at <obj>(0,0)(112,224)</obj>.", TASKS["arig"], size=(64, 48))
    caveat = "This means nothing."
    given = {"answer": said, "text": said.text, "frame": np.zeros((48, 64, 3), np.uint8), "size": (64, 48)}
    given |= {"routing": towers(), "notes": (caveat, "Head 1 muted."), "caveat": caveat}
    given |= {"clip": Clip("my clip.mp4"), "task": TASKS["arig"], "question": "", "model": "crab-mini", "knows": ""}
    return Result(**given | more)


def test_what_is_taken_along_is_named_by_what_is_in_it_and_says_what_it_means(tmp_path):
    one = result()
    answer, weights = (Path(path) for path in saved(one, str(tmp_path)))
    assert (answer.name, weights.name) == ("my clip · arig · answer.json", "my clip · arig · router weights.npz")
    told = json.loads(answer.read_text())
    assert (told["clip"], told["intervention"], told["notes"][0]) == ("my clip.mp4", None, one.caveat)
    for format in TAKEN:
        path = Path(taken(one, format, str(tmp_path)))
        assert path.name == f"my clip · arig · router weights.{format}"
        if format in ("svg", "html"):
            words = path.read_text(encoding="utf-8")
            assert all(said in words for said in ("Clip: my clip.mp4. Asked as arig", one.caveat, "0, 0 – 32, 48 px"))


def test_everything_is_one_zip_file_whose_making_is_told(tmp_path):
    *shares, path = everything(result(), str(tmp_path))
    assert Path(path).name == "my clip · arig · everything.zip" and shares[-1] == 1.0
    with zipfile.ZipFile(path) as box:
        names = set(box.namelist())
    assert {f"my clip · arig · {what}" for what in ("answer.json", "picture.png", "router weights.npz")} <= names
    assert [one.name for one in Path(path).parent.iterdir()] == [Path(path).name]


def test_what_goes_wrong_while_everything_is_made_is_said(tmp_path):
    lost = result(clip=Clip("gone.mp4", audio=tmp_path / "gone.mp4", duration=1.0))
    with pytest.raises(CrabError, match="gone.mp4"):
        list(everything(lost, str(tmp_path)))


def test_whoever_leaves_ends_the_making_of_everything(tmp_path, monkeypatch):
    told: list[float] = []

    def write(result, folder, say):
        for share in range(1000):
            say(share / 1000)
            told.append(share)
            sleep(0.001)

    monkeypatch.setattr("visualize.bundle.write", write)
    made = everything(result(), str(tmp_path))
    assert next(made) == 0.0
    made.close()
    assert len(told) < 1000


def test_the_picture_carries_the_caveat_and_says_what_it_is(tmp_path):
    path = Path(pictured(result(), str(tmp_path)))
    assert path.name == "my clip · arig · picture.png"
    with Image.open(path) as picture, Image.open(pictured(result(caveat=""), str(tmp_path))) as plain:
        assert picture.height > plain.height and picture.width == plain.width
        assert "This means nothing." in picture.info["Description"] and picture.info["Software"].startswith("Crab+ ")
    strange = Path(pictured(result(clip=Clip("a\udc81.mp4")), str(tmp_path)))  # a byte that is no character
    assert strange.name == "a- · arig · picture.png" and strange.is_file()


def test_the_film_of_a_composed_scene_is_drawn_and_named_by_who_is_in_it(tmp_path):
    scene = compose.compose("room", [compose.Row("dog"), compose.Row("washing machine")], 1)
    path = Path(filmed(scene, None, str(tmp_path))[1])
    assert path.name == "scene with dog and washing machine.mp4" and open_clip(path).drawn
