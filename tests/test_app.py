"""The page asked by a program, gradio_client against the real page with crab-mini, and its parts by themselves."""

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

import app  # noqa: F401  imports spaces before torch
from crab import CrabError, compose
from crab.answer import parse
from crab.ask import LOOKED_AT, Result
from crab.ilora import Intervention
from crab.media import Clip, open_clip
from crab.page import composer
from crab.page import form as forms
from crab.page import page as pages
from crab.page.composing import Card
from crab.page.files import FILM, filmed, listed_examples
from crab.page.form import MEDIA, SHOWN, Asked, answered_before, lacking, linked, told_of_length, whole_second
from crab.page.parts import OPEN, ROOT, sentences
from crab.page.runs import KEPT, KEPT_BYTES, keep, names, still_here, weight
from crab.scenes.world import render, script
from crab.segment import GrabCut
from crab.tasks import FAMILIES, TASKS, task_named
from crab.trace import load as load_npz


@pytest.fixture(scope="module")
def page(mini):
    page = pages.build(mini, GrabCut())
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


@pytest.mark.parametrize("name", [None, 5, ["avqa"], "sing", "x" * 4000])
def test_a_task_that_there_is_not_is_said(name):
    with pytest.raises(CrabError, match="There is no task") as refused:
        task_named(name)
    assert len(str(refused.value)) < 400


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


def on_form(*, source="video", task="avqa", question="", second="", **media) -> Asked:
    """A form on which this is chosen and given."""
    wordings = {name: family.default for name, family in FAMILIES.items()} | {TASKS[task].family: task}
    return Asked(source, TASKS[task].family, wordings, dict.fromkeys(MEDIA) | media, question, second, False)


@pytest.mark.parametrize(("asked", "lacks"), [
    ({}, {"video", "question"}),
    ({"video": True}, {"question"}),
    ({"video": True, "question": "What?"}, set()),
    ({"source": "sound", "video": True, "question": "What?"}, {"sound"}),
    ({"source": "picture", "sound": True, "question": "What?"}, {"picture"}),
    ({"source": "picture", "picture": True, "question": "What?"}, set()),
    ({"source": "file", "question": "What?"}, {"file"}),
    ({"video": True, "question": "What barks?", "task": "avqa_thu"}, {"question"}),
    ({"video": True, "question": "What barks? | a dog; a seal", "task": "avqa_thu"}, set()),
    ({"video": True, "task": "avcap"}, set()),
    ({"video": True, "task": "s4", "second": "soon"}, {"second"}),
    ({"video": True, "task": "ref_avs"}, {"question"}),
    ({"video": True, "task": "a2v"}, {"other_video"}),
    ({"source": "sound", "task": "v2a"}, {"video", "other_sound"}),
    ({"video": True, "other_video": True, "task": "a2v", "second": "soon"}, set()),
])  # fmt: skip
def test_the_form_says_what_it_lacks_where_it_lacks_it(tmp_path, asked, lacks):
    told = lacking(on_form(**asked), str(tmp_path))
    assert told.keys() == lacks and all(told.values())


def test_only_files_in_gradios_folder_are_looked_at_before_the_queue(tmp_path, long):
    for path in (long, Path("/etc/hostname"), "\0", "a" * 5000, "http://127.0.0.1:1/a.mp4", 5):
        assert told_of_length({"path": path if isinstance(path, int) else str(path)}, str(tmp_path)) is None
    assert "longer than 300 s" in told_of_length({"path": str(long)}, str(long.parent))


def test_every_state_of_a_visitor_is_let_go_in_time(page):
    states = [block for block in page.blocks.values() if isinstance(block, gr.State)]
    assert len(states) == 4 and all(state.time_to_live == OPEN for state in states)


@pytest.fixture
def runs(scene_clip):
    """What is on a form, and the run that answered it."""
    asked = on_form(question="What?", video=str(scene_clip))
    return asked, [Result(open_clip(scene_clip), TASKS["avqa"], "What?", "", "", done=True)]


def test_the_same_clip_and_question_have_been_answered_before(runs, scene_clip, tmp_path):
    asked, runs = runs
    again = tmp_path / "again.mp4"
    again.write_bytes(scene_clip.read_bytes())
    assert answered_before(runs, asked) == 0
    assert answered_before(runs, on_form(question="What?", video=str(again))) == 0
    assert answered_before(runs, on_form(source="file", question="What?", file=str(again))) == 0


def test_what_differs_in_anything_has_not(runs, scene_clip, tmp_path):
    asked, [run] = runs
    other = tmp_path / scene_clip.name  # the same name, length and size of picture
    render.write_clip(script.write(6), other, size=(160, 120))
    for change in ({"video": str(other)}, {"question": "Where?"}, {"task": "avqa_thu"}, {"video": None}):
        assert answered_before([run], on_form(**{"question": "What?", "video": str(scene_clip)} | change)) is None
    for change in ({"intervention": Intervention("mute", (0,))}, {"done": False}, {"other": run.clip}):
        assert answered_before([dataclasses.replace(run, **change)], asked) is None
    at = {"task": "s4", "question": "What?", "video": str(scene_clip)}
    seen = dataclasses.replace(run, task=TASKS["s4"], clip=dataclasses.replace(run.clip, frame=2))
    assert answered_before([seen], on_form(second="2", **at)) == 0
    assert answered_before([seen], on_form(second="3", **at)) is None


def test_a_clip_that_was_let_go_is_asked_again(runs, tmp_path):
    asked, [run] = runs
    gone = dataclasses.replace(run, clip=dataclasses.replace(run.clip, video=tmp_path / "gone.mp4"))
    assert answered_before([gone], asked) is None


def test_the_values_of_the_form_are_read_by_the_names_of_its_inputs():
    with gr.Blocks():
        form = forms.lay_out()
    asked = Asked.of([field.label for field in form.inputs])
    assert (asked.source, asked.family, asked.question) == ("What do you have?", "What to ask", "Your question")
    assert set(asked.wordings.values()) == {"Dataset"} and asked.wordings.keys() == FAMILIES.keys()
    assert asked.media == {name: field.label for name, field in form.media.items()} and len(asked.media) == 6
    assert asked.second == "At which second?"


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_form_shows_what_a_task_needs(task):
    with gr.Blocks():
        form = forms.lay_out()
    shown = form.updates("video", task)

    assert shown[form.question]["visible"] == bool(task.needs)
    assert shown[form.second]["visible"] == (task.family == "grounding")
    assert shown[form.media["video"]]["visible"]
    assert shown[form.media["other_video"]]["visible"] == (task.name == "a2v")
    assert shown[form.media["other_sound"]]["visible"] == (task.name == "v2a")
    assert shown[form.wordings[task.family]]["visible"]


@pytest.mark.parametrize(
    "source, inputs",
    [("video", {"video"}), ("sound", {"sound"}), ("file", {"file"}), ("picture", {"picture", "sound"})],
)
def test_the_form_shows_the_inputs_of_a_source(source, inputs):
    with gr.Blocks():
        form = forms.lay_out()
    shown = form.updates(source, TASKS["avqa"])
    assert {name for name in ("video", "sound", "picture", "file") if shown[form.media[name]]["visible"]} == inputs


def test_what_a_person_can_put_right_keeps_its_sentence():
    with pytest.raises(gr.Error) as shown, sentences():
        raise CrabError("Rock & roll.mp4 has no sound: give another.")
    assert shown.value.message == "Rock &amp; roll.mp4 has no sound: give another."  # Gradio shows it as HTML


def test_what_nobody_foresaw_goes_to_the_log_and_not_to_the_page(caplog):
    with pytest.raises(gr.Error) as shown, sentences():
        raise KeyError("/home/somebody/weights")
    assert "somebody" not in shown.value.message and shown.value.message.endswith(".")
    assert "somebody" in caplog.text


def test_a_second_is_a_whole_number_or_nothing():
    assert whole_second("") is None and whole_second("3") == 3
    for typed in ("3.5", "-1", "9" * 5000):
        with pytest.raises(CrabError, match="whole number") as refused:
            whole_second(typed)
        assert len(str(refused.value)) < 200


def test_every_example_that_ships_is_there():
    for example in listed_examples():
        assert all(file.is_file() for file in example.files.values()) and example.task.name in TASKS
        needed = SHOWN[example.task.name if example.task.family == "matching" else "video"][0]
        assert example.files.keys() == needed


def test_only_an_example_has_a_link_that_others_can_follow(tmp_path):
    examples = listed_examples()
    files = {name: str(file) for name, file in examples[0].files.items()}
    name = examples[0].files["video"].name
    asked = {"question": "How many?", **files}
    assert linked(examples, on_form(**asked)) == f"?clip={name}&task=avqa&question=How+many%3F"
    other = tmp_path / name  # the name alone makes no example
    other.write_bytes(b"another film")
    assert linked(examples, on_form(**asked | {"video": str(other)})) == ""
    assert linked(examples, on_form(source="sound", **asked)) == ""


def test_a_pair_has_a_link_with_all_its_files_only():
    examples = listed_examples()
    pair = next(example for example in examples if example.task.family == "matching")
    files = {name: str(file) for name, file in pair.files.items()}
    asked = {"task": pair.task.name, **files}
    assert linked(examples, on_form(**asked)) == f"?clip={pair.clip}&task={pair.task.name}"
    assert linked(examples, on_form(**asked | {"sound": None})) == ""


def test_a_run_is_named_by_its_task_and_what_was_changed():
    run = Result(None, TASKS["avqa"], "", "", "")
    changed = dataclasses.replace(run, intervention=Intervention("mute", (1,)))
    assert names([run, run, changed]) == ["1 · avqa · as it is", "2 · avqa · as it is", "3 · avqa · head 2 muted"]


def test_only_the_last_runs_are_kept():
    runs = []
    for number in range(KEPT + 2):
        runs = keep(runs, Result(None, TASKS["avqa"], str(number), "", ""))
    assert [run.question for run in runs] == [str(number) for number in range(2, KEPT + 2)]


def test_runs_that_weigh_much_leave_room_for_fewer_others():
    runs = []
    large = np.zeros((LOOKED_AT, LOOKED_AT, 3), np.uint8)
    heavy = np.zeros((100, 50_000, 3), np.float32)
    for number in range(5):
        trace = SimpleNamespace(weights=heavy, tokens=())
        run = Result(None, TASKS["s4"], str(number), "", "", frame=large, routing={"language": trace})
        runs = keep(runs, run)
        assert runs[-1] is run and sum(map(weight, runs)) <= KEPT_BYTES
    assert len(runs) == KEPT_BYTES // (large.nbytes + heavy.nbytes) > 1


def test_a_run_that_was_let_go_is_said():
    with pytest.raises(CrabError, match="no longer kept"):
        still_here(None)


def test_the_composer_lays_out_the_rows_of_a_form_in_the_order_of_their_fields():
    with gr.Blocks():
        laid = composer.lay_out("")
    assert compose.Form.of([field.value for field in laid.inputs]) == compose.surprise(composer.FIRST)


def test_a_film_is_made_once_for_a_scene_and_anew_for_another(tmp_path):
    scene, other = (compose.compose("room", [compose.Row("dog", heard=heard)], 1) for heard in ("", "0-3"))
    shown = filmed(scene, None, str(tmp_path))
    assert filmed(scene, shown, str(tmp_path)) is shown
    assert filmed(other, shown, str(tmp_path))[1] != shown[1]
    clip = open_clip(shown[1])
    assert (clip.width, clip.height) == FILM and clip.duration == pytest.approx(10, abs=0.2) and clip.audio


def test_the_card_holds_the_answer_beside_the_truth_and_judges_when_it_is_over():
    scene = compose.compose("room", [compose.Row("dog", heard="2-6")], 1)
    question = next(q for q in compose.asked(scene).values() if q.question.startswith("How many objects are sounding"))
    clip = Clip("scene.mp4", duration=10.0)
    for done in (False, True):
        answer = parse("<answer> two </answer>", TASKS["avqa"])
        result = Result(clip, TASKS["avqa"], question.question, "crab-mini", "", answer.text, answer, done=done)
        card = Card(scene, question, result, ["dog heard never → 2-6"])
        html = card.html()
        assert "two" in html and "one" in html and "dog heard" in html
        assert ("Wrong: it is one, not two." in html) == done
        assert "dog heard" not in dataclasses.replace(card, changed=()).html()
