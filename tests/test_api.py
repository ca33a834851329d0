"""The page asked by a program: gradio_client against the real page with crab-mini."""

from __future__ import annotations

import json
import time
import wave

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import app  # noqa: F401  imports spaces before torch
from crab.ask import ask, to_json
from crab.media import open_clip
from crab.page import page as pages
from crab.page.awaited import Awaited
from crab.page.parts import OPEN, ROOT
from crab.scenes.world import render, script
from crab.segment import GrabCut
from crab.tasks import FAMILIES, TASKS
from crab.trace import load as load_npz


@pytest.fixture(scope="module")
def page(mini):
    page = pages.build(mini.about, Awaited.there(mini, GrabCut()))
    page.launch(prevent_thread_lock=True, quiet=True)
    yield page
    page.close()


@pytest.fixture(scope="module")
def client(page):
    return Client(page.local_url, verbose=False)


@pytest.fixture
def clip(scene_clip) -> dict:
    return handle_file(str(scene_clip))


def test_a_clip_comes_back_as_growing_text_then_json_and_weights(client, clip):
    job = client.submit(clip, "localisation", "", None, api_name="/ask")
    text, result, weights = job.result()
    grown = [output[0] for output in job.outputs()]

    assert text and len(grown) > 2
    assert all(later.startswith(earlier) for earlier, later in zip(grown, grown[1:]))
    assert (result["version"], result["task"], result["text"]) == (1, FAMILIES["localisation"].default, text)
    assert result["tokens"]["generated"] == len(result["token_ids"]) > 0
    language = load_npz(weights)["language"].weights
    np.testing.assert_allclose(language.astype(np.float32).sum(-1), 1, atol=2e-3)


def test_a_picture_with_its_sound_is_asked_where(client, tmp_path):
    scene = script.write(5)
    Image.fromarray(render.frame(scene, 2.0, (320, 240))).save(tmp_path / "picture.png")
    samples = (render.sound(scene) * 32767).astype("<i2")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())

    text, result, _ = client.predict(
        handle_file(str(tmp_path / "picture.png")),
        handle_file(str(tmp_path / "sound.wav")),
        "s4",
        "",
        2,
        api_name="/ask_picture",
    )

    assert text and result["task"] == "s4"
    for mask in result["masks"]:
        assert mask["rle"]["size"] == [240, 320]


def test_two_clips_are_matched(client, clip):
    text, result, _ = client.predict(clip, clip, None, "v2a", api_name="/ask_pair")
    assert text and result["task"] == "v2a"


def test_a_stretch_is_asked_about_and_every_second_of_it_is_cut_out(client, clip, scene_clip, tmp_path):
    asked = {"task": "s4", "stretch": "2-5", "masks_over_time": True}
    _, result, weights = client.predict(clip, **asked, api_name="/ask")
    assert result["stretch"] == [2.0, 5.0] and [one["start"] for one in result["pictures"]] == [2.0, 3.0, 4.0]
    assert {mask["time"] for mask in result["masks"]} <= {2.5, 3.5, 4.5}
    assert set(load_npz(weights)) == {"language", "audio", "vision"}

    _, changed, _ = client.predict(clip, change="level", **asked, api_name="/ask_changed")
    assert (changed["stretch"], len(changed["pictures"])) == ([2.0, 5.0], 3)
    Image.fromarray(open_clip(scene_clip).frame_at(2)).save(tmp_path / "picture.png")
    _, heard, _ = client.predict(
        handle_file(str(tmp_path / "picture.png")), clip, stretch="2 to 5 s", api_name="/ask_picture"
    )
    assert heard["stretch"] == [2.0, 5.0] and not heard["pictures"]


def test_what_a_program_gets_is_what_the_command_line_prints(client, clip, scene_clip, mini):
    _, result, _ = client.predict(clip, "unav", "", stretch="2-6", api_name="/ask")
    *_, last = ask(mini, open_clip(scene_clip), TASKS["unav"], stretch=(2.0, 6.0))
    timed = {"seconds": {}, "clip": "scene.mp4"}
    assert result | timed == json.loads(json.dumps(to_json(last))) | timed


def test_a_broken_file_is_told_in_a_sentence_and_the_next_ask_works(client, clip, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"this is no film" * 100)
    with pytest.raises(AppError) as refused:
        client.predict(handle_file(str(broken)), "captioning", "", None, api_name="/ask")
    sentence = refused.value.message
    assert sentence.startswith("broken.mp4") and sentence.endswith(".")
    assert "Error" not in sentence and "Traceback" not in sentence

    text, *_ = client.predict(clip, "captioning", "", None, api_name="/ask")
    assert text


def test_a_question_that_is_missing_is_asked_for(client, clip):
    with pytest.raises(ValueError, match="Type a question"):
        client.predict(clip, "question", "", None, api_name="/ask")


def test_what_is_too_long_is_said_before_it_is_queued(page, client, clip):
    queued = page._queue.events_recorded
    with pytest.raises(ValueError, match="3,000 characters long, and 2,000"):
        client.predict(clip, "question", "why" * 1000, None, api_name="/ask")
    assert page._queue.events_recorded == queued


def test_what_belongs_to_a_visitor_goes_soon_after_they_have_left(page, client, monkeypatch):
    monkeypatch.setattr(pages, "LEFT", 1)
    runs = next(block for block in page.blocks.values() if isinstance(block, gr.State) and block.value == [])
    with httpx.stream("GET", f"{page.local_url}gradio_api/heartbeat/somebody", timeout=30) as there:
        lines = there.iter_lines()  # which closes the stream when it goes
        next(lines)
        page.state_holder["somebody"][runs._id] = ["a run"]
        time.sleep(2)
        assert runs._id in page.state_holder["somebody"].state_data
    for _ in range(100):
        if runs._id not in page.state_holder["somebody"].state_data:
            return
        time.sleep(0.2)
    pytest.fail("a run of somebody who has left is still kept")


def test_programs_see_five_documented_ways_to_ask_and_nothing_else(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {"/ask", "/ask_picture", "/ask_pair", "/ask_changed", "/draw"}
    for endpoint in endpoints.values():
        assert endpoint["description"].startswith("Ask")
        files = [given["example_input"]["path"] for given in endpoint["parameters"] if given["component"] == "File"]
        assert files and all((ROOT / file).is_file() for file in files)


@pytest.mark.parametrize("name", ["ask", "ask_picture", "ask_pair", "ask_changed", "draw"])
def test_a_call_without_arguments_is_answered(client, name):
    assert client.predict(api_name=f"/{name}")


def test_heads_are_muted_for_programs_in_that_answer_only(client, clip):
    asked = {"media": clip, "task": "captioning", "api_name": "/ask_changed"}
    text, result, weights = client.predict(change="mute", heads="1, 3", **asked)
    assert text and result["notes"][0] == "Not the routers' own choice: heads 1, 3 muted."
    muted = load_npz(weights)["language"].weights
    assert not muted[..., [0, 2]].any() and muted[..., 1].any()

    level = load_npz(client.predict(change="level", **asked)[2])["language"].weights
    np.testing.assert_allclose(level.astype(np.float32), 1 / 3, atol=1e-3)
    _, plain, weights = client.predict(clip, "captioning", api_name="/ask")
    assert not plain["notes"]
    np.testing.assert_allclose(load_npz(weights)["language"].weights.astype(np.float32).sum(-1), 1, atol=2e-3)


def test_a_picture_is_drawn_for_programs_with_what_the_answer_names_on_it(client, clip, scene_clip):
    [box] = client.predict(clip, "arig", "", 2, api_name="/ask")[1]["boxes"]
    drawn = np.asarray(Image.open(client.predict(clip, "arig", "", 2, api_name="/draw")).convert("RGB")).astype(int)
    plain = np.asarray(Image.fromarray(open_clip(scene_clip).frame_at(2)).resize(drawn.shape[1::-1])).astype(int)
    changed = np.abs(drawn - plain).max(axis=2) > 100
    scale = drawn.shape[1] / 160
    x1, y1, x2, y2 = (scale * side for side in box["box"])
    assert changed[:, max(0, round(x1) - 3) : round(x1) + 4].any() and changed.mean() < 0.5


@pytest.mark.parametrize(("name", "given", "told"), [
    ("ask", {"media": None, "task": "captioning"}, "media: Give a clip"),
    ("ask", {"question": " "}, "question: Type a question"),
    ("ask", {"task": "avqa_thu", "question": "What barks?"}, "question: Give the question, a bar and at least two opt"),
    ("ask", {"task": "v2a"}, "task: v2a cannot be asked here: it compares two clips, call ask_pair"),
    ("ask", {"task": "avcap", "stretch": "soon"}, "stretch: soon is no stretch of a clip: give two seconds of it"),
    ("ask", {"task": "avcap", "masks_over_time": True}, "masks_over_time: avcap points at nothing that could be"),
    ("ask", {"task": "s4", "masks_over_time": "perhaps"}, "masks_over_time: Say true or false"),
    ("ask_changed", {"task": "avcap", "stretch": "2"}, "stretch: 2 is no stretch of a clip"),
    ("ask_picture", {"stretch": "6"}, "stretch: 6 is no stretch of a clip"),
    ("ask_picture", {"picture": None}, "picture: Give a picture"),
    ("ask_pair", {"first": "clip"}, "other: Give the second clip"),
    ("ask_pair", {"other": "clip"}, "first: Give the first clip"),
    ("ask_changed", {"heads": "first"}, "heads: “first” names no head"),
    ("ask_changed", {"change": "force", "heads": "1 2"}, "heads: Only one head"),
    ("ask_changed", {"media": None}, "media: Give a clip"),
    ("draw", {"task": "avqa"}, "task: avqa cannot be asked here: choose grounding, s4, ms3, ref_avs, arig"),
    ("draw", {"media": None}, "media: Give a clip"),
    ("ask", {"media": "long"}, "media: long.mp4 is longer than 600 s"),
    ("ask_pair", {"first": "clip", "other": "long"}, "other: long.mp4 is longer than 600 s"),
])  # fmt: skip
def test_what_a_program_lacks_is_named_before_anything_is_queued(page, client, clip, too_long, name, given, told):
    files = {"clip": clip, "long": handle_file(str(too_long))}
    queued = page._queue.events_recorded
    with pytest.raises(ValueError, match=f"1 parameter.s. failed validation:\n- {told}"):
        client.predict(**{key: files.get(value, value) for key, value in given.items()}, api_name=f"/{name}")
    assert page._queue.events_recorded == queued


def test_every_state_of_a_visitor_is_let_go_in_time(page):
    states = [block for block in page.blocks.values() if isinstance(block, gr.State)]
    assert len(states) == 8 and all(state.time_to_live == OPEN for state in states)
