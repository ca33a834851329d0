"""The page asked by a program: gradio_client against the real page with crab-mini, and its parts by themselves."""

from __future__ import annotations

import dataclasses
import time
import wave
from types import SimpleNamespace

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import app
from crab import CrabError
from crab.answer import parse
from crab.ask import LOOKED_AT
from crab.scenes import compose, render, script
from crab.segment import GrabCut
from crab.tasks import FAMILIES, TASKS
from crab.trace import load as load_npz


@pytest.fixture(scope="module")
def page(mini):
    page = app.build(mini, GrabCut())
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
        handle_file(str(tmp_path / "picture.png")), handle_file(str(tmp_path / "sound.wav")), "s4", "", 2,
        api_name="/ask_picture")

    assert text and result["task"] == "s4"
    for mask in result["masks"]:
        assert mask["rle"]["size"] == [240, 320]


def test_two_clips_are_matched(client, clip):
    text, result, _ = client.predict(clip, clip, None, "v2a", api_name="/ask_pair")
    assert text and result["task"] == "v2a"


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
    monkeypatch.setattr(app, "LEFT", 1)
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


@pytest.mark.parametrize("name", [None, 5, ["avqa"], "sing", "x" * 4000])
def test_a_task_that_there_is_not_is_said(name):
    with pytest.raises(CrabError, match="There is no task") as refused:
        app.task_named(name)
    assert len(str(refused.value)) < 400


def test_programs_see_three_documented_ways_to_ask_and_nothing_else(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {"/ask", "/ask_picture", "/ask_pair"}
    assert all(endpoint["description"].startswith("Ask") for endpoint in endpoints.values())


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_form_shows_what_a_task_needs(task):
    with gr.Blocks():
        f = app.form()
    shown = app.form_updates(f, {"source": "video", "family": task.family, f"{task.family}_as": task.name})

    assert shown[f.question]["visible"] == bool(task.needs)
    assert shown[f.second]["visible"] == (task.family == "grounding")
    assert shown[f.video]["visible"]
    assert shown[f.other_video]["visible"] == (task.name == "a2v")
    assert shown[f.other_sound]["visible"] == (task.name == "v2a")
    assert shown[getattr(f, f"{task.family}_as")]["visible"]


@pytest.mark.parametrize("source, inputs", [("video", {"video"}), ("sound", {"sound"}), ("file", {"file"}),
                                            ("picture", {"picture", "sound"})])
def test_the_form_shows_the_inputs_of_a_source(source, inputs):
    with gr.Blocks():
        f = app.form()
    shown = app.form_updates(f, {"source": source, "family": "question", "question_as": "avqa"})
    assert {name for name in ("video", "sound", "picture", "file") if shown[getattr(f, name)]["visible"]} == inputs


def test_what_a_person_can_put_right_keeps_its_sentence():
    with pytest.raises(gr.Error) as shown, app.sentences():
        raise CrabError("Rock & roll.mp4 has no sound: give another.")
    assert shown.value.message == "Rock &amp; roll.mp4 has no sound: give another."  # Gradio shows it as HTML


def test_what_nobody_foresaw_goes_to_the_log_and_not_to_the_page(caplog):
    with pytest.raises(gr.Error) as shown, app.sentences():
        raise KeyError("/home/somebody/weights")
    assert "somebody" not in shown.value.message and shown.value.message.endswith(".")
    assert "somebody" in caplog.text


def test_a_second_is_a_whole_number_or_nothing():
    assert app.whole_second("") is None and app.whole_second("3") == 3
    for typed in ("3.5", "-1", "9" * 5000):
        with pytest.raises(CrabError, match="whole number") as refused:
            app.whole_second(typed)
        assert len(str(refused.value)) < 200


def test_every_example_that_ships_is_there():
    for example in app.listed_examples():
        assert all(file.is_file() for file in example.files.values()) and example.task.name in TASKS
        needed = app.SHOWN[example.task.name if example.task.family == "matching" else "video"][0]
        assert example.files.keys() == needed


def test_only_an_example_has_a_link_that_others_can_follow(tmp_path):
    examples = app.listed_examples()
    files = {name: str(file) for name, file in examples[0].files.items()}
    name = examples[0].files["video"].name
    asked = {"source": "video", "family": "question", "question_as": "avqa", "question": "How many?", "second": "",
             **files}
    assert app.linked(examples, asked) == f"?clip={name}&task=avqa&question=How+many%3F"
    other = tmp_path / name  # the name alone makes no example
    other.write_bytes(b"another film")
    assert app.linked(examples, asked | {"video": str(other)}) == ""
    assert app.linked(examples, asked | {"source": "sound"}) == ""


def test_a_pair_has_a_link_with_all_its_files_only():
    examples = app.listed_examples()
    pair = next(example for example in examples if example.task.family == "matching")
    asked = {"source": "video", "family": "matching", "matching_as": pair.task.name, "question": "", "second": "",
             **{name: str(file) for name, file in pair.files.items()}}
    assert app.linked(examples, asked) == f"?clip={pair.files['video'].name}&task={pair.task.name}"
    assert app.linked(examples, asked | {"sound": None}) == ""


def test_a_run_is_named_by_its_task_and_what_was_changed():
    run = app.Result(None, TASKS["avqa"], "", "", "")
    assert app.named(run, 0) == "1 · avqa · as it is"
    assert app.named(dataclasses.replace(run, intervention=app.Intervention("mute", (1,))), 2) == (
        "3 · avqa · head 2 muted")


def test_only_the_last_runs_are_kept():
    s, runs = SimpleNamespace(runs="runs", source="source"), []
    for number in range(app.KEPT + 2):
        runs = app.kept(s, runs, app.Result(None, TASKS["avqa"], str(number), "", ""))["runs"]
    assert [run.question for run in runs] == [str(number) for number in range(2, app.KEPT + 2)]


def test_runs_that_weigh_much_leave_room_for_fewer_others():
    s, runs = SimpleNamespace(runs="runs", source="source"), []
    large = np.zeros((LOOKED_AT, LOOKED_AT, 3), np.uint8)
    heavy = np.zeros((100, 50_000, 3), np.float32)
    for number in range(5):
        trace = SimpleNamespace(weights=heavy, tokens=())
        run = app.Result(None, TASKS["s4"], str(number), "", "", frame=large, routing={"language": trace})
        runs = app.kept(s, runs, run)["runs"]
        assert runs[-1] is run and sum(map(app.weight, runs)) <= app.KEPT_BYTES
    assert len(runs) == app.KEPT_BYTES // (large.nbytes + heavy.nbytes) > 1


def test_a_run_that_was_let_go_is_said():
    with pytest.raises(CrabError, match="no longer kept"):
        app.still_here(None)


def test_a_row_of_the_composer_has_the_fields_of_a_row_in_their_order():
    row = compose.Row("dog", 20, 40, "0-10", "2-6", 7)
    with gr.Blocks():
        r = app.actor_row(0, row)
    assert tuple(field.value for field in app.row_fields(r)) == dataclasses.astuple(row)


def test_a_film_is_made_once_for_a_scene_and_anew_for_another(tmp_path):
    scene, other = (compose.compose("room", [compose.Row("dog", heard=heard)], 1) for heard in ("", "0-3"))
    shown = app.filmed(scene, None, str(tmp_path))
    assert app.filmed(scene, shown, str(tmp_path)) is shown
    assert app.filmed(other, shown, str(tmp_path))[1] != shown[1]
    clip = app.open_clip(shown[1])
    assert (clip.width, clip.height) == app.FILM and clip.duration == pytest.approx(10, abs=0.2) and clip.audio


def test_the_card_holds_the_answer_beside_the_truth_and_judges_when_it_is_over():
    scene = compose.compose("room", [compose.Row("dog", heard="2-6")], 1)
    question = next(q for q in compose.asked(scene).values() if q.question.startswith("How many objects are sounding"))
    clip = app.Clip("scene.mp4", duration=10.0)
    for done in (False, True):
        answer = parse("<answer> two </answer>", TASKS["avqa"])
        result = app.Result(clip, TASKS["avqa"], question.question, "crab-mini", "", answer.text, answer, done=done)
        last = SimpleNamespace(scene=scene, question=question, result=result, changed=["dog heard never → 2-6"])
        html = app.compared(last)
        assert "two" in html and "one" in html and "dog heard" in html
        assert ("Wrong: it is one, not two." in html) == done
        assert "dog heard" not in app.compared(app.earlier(last))
