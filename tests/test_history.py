"""The runs of a visit as buttons with pictures, and as files that go with the visit."""

from __future__ import annotations

import io
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from gradio.state_holder import StateHolder
from PIL import Image

import app  # noqa: F401  imports spaces before torch
from crab import CrabError, saved
from crab.media import Clip
from crab.page import history, sheet
from crab.page.runs import KEPT
from crab.result import Result
from crab.seen import SIDE, Seen
from crab.tasks import TASKS

RED, BLUE = (np.full((SIDE, SIDE, 3), colour, np.uint8) for colour in ([200, 0, 0], [0, 0, 200]))
FILM, SOUND = Clip("a.mp4", video=Path("a.mp4"), audio=Path("a.mp4")), Clip("a.wav", audio=Path("a.wav"))


def run_of(question="What?", clip=FILM, **more) -> Result:
    return Result(clip, TASKS["avqa"], question, "crab-mini", "", **more)


def looked_at(url: str) -> np.ndarray:
    kind, _, data = url.partition(",")
    assert kind == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(b64decode(data))).convert("RGB"))


def test_a_run_is_pictured_by_the_middle_of_what_its_first_clip_showed():
    frames = [(0.0, 0, BLUE), (1.0, 0, RED), (2.0, 0, BLUE), *[(float(n), 1, BLUE) for n in range(9)]]
    picture = looked_at(history.thumbnail(run_of(seen=Seen(3.0, tuple(frames)))))
    assert picture.shape[1] <= 160 and picture.shape[0] <= 120
    assert np.abs(picture.mean((0, 1)) - [200, 0, 0]).max() < 4


def test_a_run_with_nothing_to_see_is_pictured_by_its_sound_high_above_low():
    tone = np.sin(2 * np.pi * 6000 * np.arange(16_000) / 16_000).astype(np.float32)
    black = ((0.0, 0, np.zeros_like(RED)),)
    picture = looked_at(history.thumbnail(run_of(clip=SOUND, seen=Seen(1.0, black, (tone,))))).mean(-1)
    upper, lower = picture[: len(picture) // 2].mean(), picture[len(picture) // 2 :].mean()
    assert upper > lower + 20
    assert history.thumbnail(run_of(seen=None)) is history.thumbnail(run_of(seen=Seen(1.0))) is None


def test_the_newest_run_is_first_and_the_rest_of_the_row_is_not_there():
    with gr.Blocks():
        buttons = history.lay_out()
    runs = [run_of(str(n), seen=Seen(1.0, ((0.0, 0, RED),))) for n in range(3)]
    updates = [history.filled(buttons, runs)[button] for button in buttons]
    assert [one["value"] for one in updates[:3]] == [f"{n + 1} · a · avqa: {n} · as it is" for n in (2, 1, 0)]
    assert [one["visible"] for one in updates] == [True] * 3 + [False] * (KEPT - 3)
    for at, run in zip(buttons, (2, 1, 0, -1)):
        assert history.chosen(buttons, SimpleNamespace(target=gr.Button(elem_id=at.elem_id, render=False)), runs) == run


def test_a_full_row_is_a_small_update():
    rng = np.random.default_rng(0)
    busy = Image.fromarray(rng.integers(0, 255, (28, 28, 3), dtype=np.uint8)).resize((SIDE, SIDE))
    run = run_of(seen=Seen(1.0, ((0.0, 0, np.asarray(busy)),)))
    assert KEPT * len(history.thumbnail(run)) < 100_000


def test_of_what_is_saved_the_last_file_stays_and_all_goes_with_the_visit(tmp_path, monkeypatch):
    monkeypatch.setattr(saved, "write", lambda run, path: path.write_text(run.question))
    folder = history.folder_of(None, str(tmp_path))
    assert history.folder_of(folder, str(tmp_path)) == folder != history.folder_of(None, str(tmp_path))
    for question in ("one", "two"):
        path = Path(history.written(run_of(question), folder))
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [path] and path.read_text() == "two"
    history.forget(folder)
    history.forget(None)
    assert not list(tmp_path.iterdir())


def test_the_clips_of_opened_runs_stay_as_long_as_the_runs(tmp_path, monkeypatch):
    def read(_, folder):
        folder.mkdir(parents=True)
        (folder / "a.mp4").write_text("film")
        return replace(run_of(), clip=Clip("a.mp4", video=folder / "a.mp4"))

    monkeypatch.setattr(saved, "read", read)
    uploaded = tmp_path / "saved" / "run.zip"
    uploaded.parent.mkdir()
    uploaded.touch()
    one, other = (history.opened(str(uploaded), str(tmp_path)) for _ in range(2))
    assert not uploaded.exists()
    history.tidy(str(tmp_path), [run_of(), other])
    assert other.clip.video.exists() and not one.clip.video.parent.exists() and (tmp_path / "saved").exists()
    with pytest.raises(CrabError, match="Choose the file"):
        history.opened(None, str(tmp_path))


def test_a_visitor_who_has_left_takes_the_folder_along(tmp_path):
    with gr.Blocks() as page:
        shown = sheet.lay_out()
    holder = StateHolder()
    holder.set_blocks(page)
    (tmp_path / "mine").mkdir()
    for visitor in ("here", "gone"):
        (tmp_path / visitor).mkdir()
        holder[visitor][shown.folder._id] = str(tmp_path / visitor)
    holder["gone"].is_closed, holder["gone"].STATE_TTL_WHEN_CLOSED = True, -1
    holder.delete_all_expired_state()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["here", "mine"]
