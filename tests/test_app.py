"""The page asked by a program: gradio_client against the real page with crab-mini, and its parts by themselves."""

from __future__ import annotations

import dataclasses
import time
import wave
from pathlib import Path
from types import SimpleNamespace

import av
import gradio as gr
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import app
from crab import CrabError, compose
from crab.answer import parse
from crab.ask import LOOKED_AT
from crab.media import frame_at, open_clip
from crab.scenes import render, script
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


def test_programs_see_five_documented_ways_to_ask_and_nothing_else(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {"/ask", "/ask_picture", "/ask_pair", "/ask_changed", "/draw"}
    for endpoint in endpoints.values():
        assert endpoint["description"].startswith("Ask")
        files = [given["example_input"]["path"] for given in endpoint["parameters"] if given["component"] == "File"]
        assert files and all((app.ASSETS.parent / file).is_file() for file in files)


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
    plain = np.asarray(Image.fromarray(frame_at(open_clip(scene_clip), 2)).resize(drawn.shape[1::-1])).astype(int)
    changed = np.abs(drawn - plain).max(axis=2) > 100
    scale = drawn.shape[1] / 160
    x1, y1, x2, y2 = (scale * side for side in box["box"])
    assert changed[:, max(0, round(x1) - 3) : round(x1) + 4].any() and changed.mean() < 0.5


@pytest.mark.parametrize(("name", "given", "told"), [
    ("ask", {"media": None, "task": "captioning"}, "media: Give a clip"),
    ("ask", {"question": " "}, "question: Type a question"),
    ("ask", {"task": "avqa_thu", "question": "What barks?"}, "question: Give the question, a bar and at least two opt"),
    ("ask", {"task": "v2a"}, "task: v2a cannot be asked here: it compares two clips, call ask_pair"),
    ("ask_picture", {"picture": None}, "picture: Give a picture"),
    ("ask_pair", {"first": "clip"}, "other: Give the second clip"),
    ("ask_pair", {"other": "clip"}, "first: Give the first clip"),
    ("ask_changed", {"heads": "first"}, "heads: “first” names no head"),
    ("ask_changed", {"change": "force", "heads": "1 2"}, "heads: Only one head"),
    ("ask_changed", {"media": None}, "media: Give a clip"),
    ("draw", {"task": "avqa"}, "task: avqa cannot be asked here: choose grounding, s4, ms3, ref_avs, arig"),
    ("draw", {"media": None}, "media: Give a clip"),
    ("ask", {"media": "long"}, "media: long.mp4 is longer than 300 s"),
    ("ask_pair", {"first": "clip", "other": "long"}, "other: long.mp4 is longer than 300 s"),
])  # fmt: skip
def test_what_a_program_lacks_is_named_before_anything_is_queued(page, client, clip, long, name, given, told):
    files = {"clip": clip, "long": handle_file(str(long))}
    queued = page._queue.events_recorded
    with pytest.raises(ValueError, match=f"1 parameter.s. failed validation:\n- {told}"):
        client.predict(**{key: files.get(value, value) for key, value in given.items()}, api_name=f"/{name}")
    assert page._queue.events_recorded == queued


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Six minutes of black."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=1)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for _ in range(360):
            out.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        out.mux(video.encode())
    return path


@pytest.mark.parametrize(("asked", "lacks"), [
    ({}, {"video", "question"}),
    ({"video": True}, {"question"}),
    ({"video": True, "question": "What?"}, set()),
    ({"source": "sound", "video": True, "question": "What?"}, {"sound"}),
    ({"source": "picture", "sound": True, "question": "What?"}, {"picture"}),
    ({"source": "picture", "picture": True, "question": "What?"}, set()),
    ({"source": "file", "question": "What?"}, {"file"}),
    ({"video": True, "question": "What barks?", "question_as": "avqa_thu"}, {"question"}),
    ({"video": True, "question": "What barks? | a dog; a seal", "question_as": "avqa_thu"}, set()),
    ({"video": True, "family": "captioning"}, set()),
    ({"video": True, "family": "grounding", "second": "soon"}, {"second"}),
    ({"video": True, "family": "grounding", "grounding_as": "ref_avs"}, {"question"}),
    ({"video": True, "family": "matching"}, {"other_video"}),
    ({"source": "sound", "family": "matching", "matching_as": "v2a"}, {"video", "other_sound"}),
    ({"video": True, "other_video": True, "family": "matching", "second": "soon"}, set()),
])  # fmt: skip
def test_the_form_says_what_it_lacks_where_it_lacks_it(tmp_path, asked, lacks):
    form = dict.fromkeys(app.INPUTS) | {f"{name}_as": family.default for name, family in FAMILIES.items()}
    form |= {"source": "video", "family": "question", "question": "", "second": ""} | asked
    told = app.lacking(form, str(tmp_path))
    assert told.keys() == lacks and all(told.values())


def test_only_files_in_gradios_folder_are_looked_at_before_the_queue(tmp_path, long):
    for path in (long, Path("/etc/hostname"), "\0", "a" * 5000, "http://127.0.0.1:1/a.mp4", 5):
        assert app.told_of_length({"path": path if isinstance(path, int) else str(path)}, str(tmp_path)) is None
    assert "longer than 300 s" in app.told_of_length({"path": str(long)}, str(long.parent))


def test_every_state_of_a_visitor_is_let_go_in_time(page):
    states = [block for block in page.blocks.values() if isinstance(block, gr.State)]
    assert len(states) == 4 and all(state.time_to_live == app.OPEN for state in states)


@pytest.fixture
def runs(scene_clip):
    """A form, and the run that answered it."""
    form = dict.fromkeys(app.INPUTS) | {f"{name}_as": family.default for name, family in FAMILIES.items()}
    form |= {"source": "video", "family": "question", "question": "What?", "second": "", "video": str(scene_clip)}
    return form, [app.Result(app.open_clip(scene_clip), TASKS["avqa"], "What?", "", "", done=True)]


def test_the_same_clip_and_question_have_been_answered_before(runs, scene_clip, tmp_path):
    form, runs = runs
    again = tmp_path / "again.mp4"
    again.write_bytes(scene_clip.read_bytes())
    assert app.answered_before(runs, form) == 0
    assert app.answered_before(runs, form | {"video": str(again)}) == 0
    assert app.answered_before(runs, form | {"source": "file", "file": str(again)}) == 0


def test_what_differs_in_anything_has_not(runs, scene_clip, tmp_path):
    form, [run] = runs
    other = tmp_path / scene_clip.name  # the same name, length and size of picture
    render.write_clip(script.write(6), other, size=(160, 120))
    for change in ({"video": str(other)}, {"question": "Where?"}, {"question_as": "avqa_thu"}, {"video": None}):
        assert app.answered_before([run], form | change) is None
    for change in ({"intervention": app.Intervention("mute", (0,))}, {"done": False}, {"other": run.clip}):
        assert app.answered_before([dataclasses.replace(run, **change)], form) is None
    at = {"family": "grounding", "grounding_as": "s4", "second": "2"}
    seen = dataclasses.replace(run, task=TASKS["s4"], clip=dataclasses.replace(run.clip, frame=2))
    assert app.answered_before([seen], form | at) == 0
    assert app.answered_before([seen], form | at | {"second": "3"}) is None


def test_a_clip_that_was_let_go_is_asked_again(runs, tmp_path):
    form, [run] = runs
    gone = dataclasses.replace(run, clip=dataclasses.replace(run.clip, video=tmp_path / "gone.mp4"))
    assert app.answered_before([gone], form) is None


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


@pytest.mark.parametrize(
    "source, inputs",
    [("video", {"video"}), ("sound", {"sound"}), ("file", {"file"}), ("picture", {"picture", "sound"})],
)
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
    asked = {
        "source": "video",
        "family": "question",
        "question_as": "avqa",
        "question": "How many?",
        "second": "",
        **files,
    }
    assert app.linked(examples, asked) == f"?clip={name}&task=avqa&question=How+many%3F"
    other = tmp_path / name  # the name alone makes no example
    other.write_bytes(b"another film")
    assert app.linked(examples, asked | {"video": str(other)}) == ""
    assert app.linked(examples, asked | {"source": "sound"}) == ""


def test_a_pair_has_a_link_with_all_its_files_only():
    examples = app.listed_examples()
    pair = next(example for example in examples if example.task.family == "matching")
    asked = {
        "source": "video",
        "family": "matching",
        "matching_as": pair.task.name,
        "question": "",
        "second": "",
        **{name: str(file) for name, file in pair.files.items()},
    }
    assert app.linked(examples, asked) == f"?clip={pair.files['video'].name}&task={pair.task.name}"
    assert app.linked(examples, asked | {"sound": None}) == ""


def test_a_run_is_named_by_its_task_and_what_was_changed():
    run = app.Result(None, TASKS["avqa"], "", "", "")
    assert app.named(run, 0) == "1 · avqa · as it is"
    assert app.named(dataclasses.replace(run, intervention=app.Intervention("mute", (1,))), 2) == (
        "3 · avqa · head 2 muted"
    )


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
