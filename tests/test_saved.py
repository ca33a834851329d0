"""A run as one file: what comes back is what was saved, and what is no run gets a sentence."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from crab import CrabError, media, saved, trace
from crab.answer import Box, Event, parse
from crab.ask import ask, stopped, to_json
from crab.ilora import Intervention
from crab.prompt import gather
from crab.result import Candidate, Candidates, Result, Window, packed
from crab.seen import borne_out
from crab.segment import Mask
from crab.tasks import TASKS


@pytest.fixture(scope="module")
def clip(golden):
    return media.open_clip(golden / "media" / "a.mp4")


@pytest.fixture(scope="module")
def run(tiny, clip):
    *_, last = ask(tiny, clip, TASKS["ave"], max_new_tokens=4)
    return last


@pytest.fixture
def file(run, tmp_path):
    saved.write(run, tmp_path / "run.zip")
    return tmp_path / "run.zip"


def back(run: Result, tmp_path) -> Result:
    saved.write(run, tmp_path / "run.zip")
    return saved.read(tmp_path / "run.zip", tmp_path / "opened")


def same(one: Result, other: Result) -> None:
    """But for where the clip's files lie, for the tenths of milliseconds that JSON leaves out, and digits of nats."""
    rough = {"clip", "other", "seconds", "logprobs", "routing", "frame", "seen", "masks", "intervention"}
    for field in fields(Result):
        if field.name not in rough:
            assert getattr(one, field.name) == getattr(other, field.name), field.name
    assert to_json(one) == to_json(other)
    assert (one.frame is None) == (other.frame is None)
    assert one.frame is None or np.array_equal(one.frame, other.frame)
    for mine, theirs in zip(one.masks, other.masks, strict=True):
        assert (mine.time, mine.label, mine.score) == (theirs.time, theirs.label, theirs.score)
        assert np.array_equal(mine.mask, theirs.mask)
    assert one.routing.keys() == other.routing.keys()
    for tower, weights in one.routing.items():
        assert np.array_equal(weights.weights, other.routing[tower].weights)
        assert (weights.sites, weights.tokens) == (other.routing[tower].sites, other.routing[tower].tokens)
    assert [at[:2] for at in one.seen.frames] == [at[:2] for at in other.seen.frames]
    assert all(np.array_equal(a[2], b[2]) for a, b in zip(one.seen.frames, other.seen.frames))
    assert all(map(np.array_equal, one.seen.sounds, other.seen.sounds))


def test_a_run_comes_back_as_it_was_with_its_clip(run, tmp_path):
    sure = replace(run, confidence={0: 0.25}, notes=("It means nothing.",), caveat="It means nothing.", knows="Scenes.")
    opened = back(sure, tmp_path)
    same(sure, opened)
    assert opened.clip.video.read_bytes() == run.clip.video.read_bytes()
    assert (opened.clip.name, opened.clip.duration) == (run.clip.name, run.clip.duration)
    assert tmp_path / "opened" in opened.clip.video.parents and not list(tmp_path.rglob("*.npz"))


def test_what_sampled_answers_said_comes_back_with_it(run, tmp_path):
    event, box = Event("dog", "audio", 0.25, 1.5), Box("", 1.0, 2.0, 3.5, 4.0)
    found = (
        Candidate("event", "dog", 7, True, (event,)),
        Candidate("box", "", 2, False, (), box),
        Candidate("choice", "two"),
    )
    same(one := replace(run, candidates=Candidates(8, found)), back(one, tmp_path))
    for wrong in ({"votes": 9}, {"events": []}, {"kind": "choice"}):
        told = {"asked": 8, "results": [{"kind": "event", "label": "dog", "votes": 1, "said": False, "box": None,
                                         "events": [{"label": "dog", "modality": "audio", "start": 0, "end": 1}]} | wrong]}  # fmt: skip
        changed(tmp_path / "run.zip", answer=lambda answer, told=told: answer | {"candidates": told})
        with pytest.raises(CrabError, match="no saved run"):
            saved.read(tmp_path / "run.zip", tmp_path / "again")


def test_what_was_stopped_between_windows_comes_back_with_each_of_them(tiny, tmp_path, long_clip):
    first, *_, last = (
        one for one in ask(tiny, media.open_clip(long_clip), TASKS["unav"], max_new_tokens=1) if one.looked <= 2
    )
    cut = stopped(last)
    opened = back(cut, tmp_path)
    same(cut, opened)
    assert (opened.looked, opened.unlooked, opened.done) == (2, ((18.0, 80.0),), False)
    assert np.array_equal(opened.routing_in(1)["language"].weights, cut.routing_in(1)["language"].weights)


def test_a_picture_with_its_sound_comes_back_with_its_masks(tiny, golden, tmp_path):
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(tmp_path / "still.png")
    clip = media.open_clip(image=tmp_path / "still.png", audio=golden / "media" / "a.mp3", frame=1)
    *_, run = ask(tiny, clip, TASKS["s4"], max_new_tokens=2)
    cut = np.zeros((48, 64), bool)
    cut[10:20, 5:9] = True
    run = replace(run, masks=(packed(Mask(1.0, "dog", cut, 0.5)), packed(Mask(1.0, "", ~cut, None))))
    opened = back(run, tmp_path)
    same(run, opened)
    assert (opened.clip.frame, opened.clip.audio.name, opened.clip.video) == (1, "a.mp3", None)


def test_what_nothing_could_bear_out_is_a_guess_as_before(tiny, tmp_path):
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(tmp_path / "still.png")
    clip, task = media.open_clip(tmp_path / "still.png"), TASKS["ave"]
    *_, run = ask(tiny, clip, task, max_new_tokens=1)
    said = parse("<audio_event>dog, (0 3)</audio_event>", task, duration=0.0, size=(64, 48))
    said = borne_out(said, gather(clip, task), task, audible=False)
    assert [span.kind for span in said.spans] == ["guess"]
    run = replace(run, text=said.text, answer=said, windows=(Window(0.0, 0.0, said),))
    same(run, back(run, tmp_path))


def test_two_clips_of_one_name_come_back_as_two(tiny, golden, tmp_path):
    shutil.copy(golden / "media" / "b.mp4", tmp_path / "a.mp4")
    one = media.open_clip(golden / "media" / "a.mp4", audio=golden / "media" / "a.mp3")
    *_, run = ask(tiny, one, TASKS["a2v"], other=media.open_clip(tmp_path / "a.mp4"), max_new_tokens=2)
    opened = back(run, tmp_path)
    same(run, opened)
    assert opened.other.video.read_bytes() == (tmp_path / "a.mp4").read_bytes() != opened.clip.video.read_bytes()


def test_what_was_changed_comes_back_in_words_and_in_weights(run, tmp_path):
    change = Intervention(
        "average", (), run.routing, ("language",), (0, 1), ("q_proj",), partial(trace.is_of, ("audio",)), "that"
    )
    opened = back(replace(run, intervention=change), tmp_path).intervention
    assert str(opened) == str(change) == "average of that in layers 0, 1 of q_proj of language, for chosen tokens"
    assert opened.tokens.args == (("audio",),)
    assert np.array_equal(opened.source["language"].weights, run.routing["language"].weights)


def changed(file, **members):
    """The same zip with other members: bytes, or what is done to the JSON; None takes one out."""
    with zipfile.ZipFile(file) as box:
        there = {name: box.read(name) for name in box.namelist()}
    for name, value in members.items():
        name = next((one for one in there if one.startswith(name)), name)
        there[name] = json.dumps(value(json.loads(there[name]))).encode() if callable(value) else value
    with zipfile.ZipFile(file, "w") as box:
        for name, content in there.items():
            if content is not None:
                box.writestr(name, content)


def npz(**arrays) -> bytes:
    out = io.BytesIO()
    np.savez(out, **{name.replace("_", "/"): array for name, array in arrays.items()})
    return out.getvalue()


def weights(array=None, module="q_proj", text="a", tower="language") -> bytes:
    sites, tokens = [[tower, 0, module]], [{"modality": "text", "text": text}]
    array = np.full((1, 1, 3), 1 / 3, np.float32) if array is None else array
    return npz(**{f"{tower}_weights": array, f"{tower}_sites": np.array(json.dumps(sites)),
                  f"{tower}_tokens": np.array(json.dumps(tokens))})  # fmt: skip


@pytest.mark.parametrize("members", [
    {"run.json": None}, {"answer.json": None}, {"run.json": b"{"}, {"run.json": b"[]"}, {"answer.json": b"5"},
    {"clip": None}, {"run.json": b"[" * 100_000}, {"routing.npz": b"PK"},
    {"run.json": lambda rest: rest | {"ends": "12"}}, {"run.json": lambda rest: rest | {"ends": [1e999]}},
    {"run.json": lambda rest: rest | {"clip": rest["clip"] | {"media": "../../run.mp4"}}},
    {"run.json": lambda rest: rest | {"clip": rest["clip"] | {"media": ".."}}},
    {"run.json": lambda rest: rest | {"windows": rest["windows"] * 2}},
    {"run.json": lambda rest: rest | {"scores": [1.0]}},
    {"answer.json": lambda told: told | {"text": "something else"}},
    {"answer.json": lambda told: told | {"task": "none"}},
    {"answer.json": lambda told: told | {"masks": [{"time": 0, "label": "", "rle": {"size": [2, 2], "counts": [9]}}]}},
    {"routing.npz": weights(np.full((1, 1, 3), np.nan))}, {"routing.npz": weights(np.array([[["a", "b", "c"]]]))},
    {"routing.npz": weights(np.array([[[{}, {}, {}]]]))}, {"routing.npz": weights(module="<img onerror=alert()>")},
    {"routing.npz": weights(text=5)}, {"routing.npz": weights(tower="<b>")}, {"routing.npz": weights(tower="audio")},
    {f"more{n}": b"" for n in range(20)},
], ids=lambda members: "-".join(members)[:20])  # fmt: skip
def test_what_is_no_run_gets_a_sentence_and_leaves_nothing(file, tmp_path, members):
    changed(file, **members)
    with pytest.raises(CrabError, match="run.zip is no saved run, or is damaged"):
        saved.read(file, tmp_path / "opened")
    assert not (tmp_path / "opened").exists()


def test_plain_weights_in_their_place_are_read(file, tmp_path):
    changed(file, **{"routing.npz": weights()})
    assert saved.read(file, tmp_path / "opened").routing["language"].weights.shape == (1, 1, 3)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_what_is_cut_off_gets_a_sentence(file, tmp_path, share):
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CrabError, match="is no saved run"):
        saved.read(file, tmp_path / "opened")


def test_another_version_and_too_much_of_it_are_said(file, tmp_path, monkeypatch):
    with monkeypatch.context() as small:
        small.setattr(saved, "MOST", 1000)
        with pytest.raises(CrabError, match="holds more than"):
            saved.read(file, tmp_path / "opened")
    with monkeypatch.context() as small:
        small.setattr(trace, "UNPACKED", 1000)
        with pytest.raises(CrabError, match="is no saved run"):
            saved.read(file, tmp_path / "opened")
    changed(file, **{"run.json": lambda rest: {"version": 2}})
    with pytest.raises(CrabError, match="of version 2, and this Crab. reads version 1"):
        saved.read(file, tmp_path / "opened")
    assert not (tmp_path / "opened").exists()


def test_a_clip_in_it_that_is_none_is_said_as_any(file, tmp_path):
    changed(file, clip=b"no film")
    with pytest.raises(media.MediaError, match="a.mp4"):
        saved.read(file, tmp_path / "opened")
    assert not (tmp_path / "opened").exists()


def test_a_run_whose_clip_is_gone_or_too_large_is_not_saved(run, tmp_path, monkeypatch):
    gone = replace(run, clip=replace(run.clip, video=tmp_path / "gone.mp4"))
    with pytest.raises(CrabError, match="no longer kept"):
        saved.write(gone, tmp_path / "run.zip")
    monkeypatch.setattr(saved, "MOST", 1000)
    with pytest.raises(CrabError, match="too many for one file"):
        saved.write(run, tmp_path / "run.zip")


def test_its_weights_are_a_routing_file_as_any(file, run, tmp_path):
    with zipfile.ZipFile(file) as box:
        box.extract("routing.npz", tmp_path)
        assert json.loads(box.read("answer.json")) == json.loads(json.dumps(to_json(run)))
    assert trace.load(tmp_path / "routing.npz").keys() == run.routing.keys()


def test_masks_over_time_and_a_stretch_come_back(tiny, golden, tmp_path):
    clip = media.open_clip(golden / "media" / "a.mp4")
    *_, run = ask(tiny, clip, TASKS["s4"], max_new_tokens=2, over_time=True, stretch=(1.0, 3.0))
    cut = np.zeros((run.size[1], run.size[0]), bool)
    cut[2:5, 3:9] = True
    run = replace(run, masks=tuple(packed(Mask(time, "dog", cut, None)) for time in (1.5, 2.5)))
    opened = back(run, tmp_path)
    same(run, opened)
    assert (opened.over_time, opened.stretch, opened.unlooked) == (True, (1.0, 3.0), run.unlooked)
    assert [one.start for one in opened.windows] == [1.0, 2.0] and opened.unmasked == ()
    assert opened.frame_time == run.frame_time and np.array_equal(opened.frame, run.frame)
