"""The form: what it lacks, what of it was asked before, what it shows, and the link that brings it back."""

from __future__ import annotations

import dataclasses
import wave
from pathlib import Path

import gradio as gr
import pytest
from PIL import Image

import app  # noqa: F401  imports spaces before torch
from crab import CrabError
from crab.ilora import Intervention
from crab.media import open_clip
from crab.page import form as forms
from crab.page.files import listed_examples
from crab.page.form import MEDIA, Asked, answered_before, lacking, linked, shows, told_of_length, whole_second
from crab.result import Result
from crab.scenes.world import render, script
from crab.tasks import FAMILIES, TASKS


def on_form(*, source="video", task="avqa", question="", second="", seconds="", over_time=False, **media) -> Asked:
    """A form on which this is chosen and given."""
    wordings = {name: family.default for name, family in FAMILIES.items()} | {TASKS[task].family: task}
    return Asked(source, TASKS[task].family, wordings, dict.fromkeys(MEDIA) | media, question, second, seconds,
                 over_time, False)  # fmt: skip


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
    ({"video": True, "other_video": True, "task": "a2v", "second": "soon", "seconds": "soon"}, set()),
    ({"video": True, "task": "avcap", "seconds": "soon"}, {"seconds"}),
    ({"video": True, "task": "avcap", "seconds": "2 to 6 s"}, set()),
])  # fmt: skip
def test_the_form_says_what_it_lacks_where_it_lacks_it(tmp_path, asked, lacks):
    told = lacking(on_form(**asked), str(tmp_path))
    assert told.keys() == lacks and all(told.values())


def test_a_stretch_and_every_second_are_asked_where_they_can_be():
    asked = on_form(task="s4", seconds="2–6.5", over_time=True)
    assert asked.how == {"stretch": (2.0, 6.5), "over_time": True}
    assert on_form(task="ave", over_time=True).how == {"stretch": None, "over_time": False}
    assert on_form(task="a2v", seconds="2–6").how["stretch"] is None


def test_each_family_keeps_its_own_question():
    """What to look for is no question, and comes back with its family."""
    with gr.Blocks():
        form = forms.lay_out()
    assert form.instead({}, "How many?", "question") == {}
    pointing = form.instead({}, "How many?", "grounding")
    assert pointing[form.question] == {"value": ""}
    back = form.instead(pointing[form.typed], "the dog", "question")
    assert back[form.question] == {"value": "How many?"}
    assert form.instead(back[form.typed], "How many?", "grounding")[form.question] == {"value": "the dog"}


def test_only_files_in_gradios_folder_are_looked_at_before_the_queue(tmp_path, too_long):
    for path in (too_long, Path("/etc/hostname"), "\0", "a" * 5000, "http://127.0.0.1:1/a.mp4", 5):
        assert told_of_length({"path": path if isinstance(path, int) else str(path)}, str(tmp_path)) is None
    assert "longer than 600 s" in told_of_length({"path": str(too_long)}, str(too_long.parent))


@pytest.fixture
def runs(scene_clip):
    """What is on a form, and the run that answered it."""
    asked = on_form(question="What?", video=str(scene_clip))
    return asked, [Result(open_clip(scene_clip), TASKS["avqa"], "What?", "", "", done=True)]


def test_the_same_clip_and_question_have_been_answered_before(runs, scene_clip, tmp_path):
    asked, runs = runs
    again = tmp_path / "again.mp4"
    again.write_bytes(scene_clip.read_bytes())
    assert answered_before(runs, "", asked) == 0
    assert answered_before(runs, "another model", asked) is None
    assert answered_before(runs, "", on_form(question="What?", video=str(again))) == 0
    assert answered_before(runs, "", on_form(source="file", question="What?", file=str(again))) == 0


def test_what_differs_in_anything_has_not(runs, scene_clip, tmp_path):
    asked, [run] = runs
    other = tmp_path / scene_clip.name  # the same name, length and size of picture
    render.write_clip(script.write(6), other, size=(160, 120))
    for change in ({"video": str(other)}, {"question": "Where?"}, {"task": "avqa_thu"}, {"video": None}):
        assert (
            answered_before([run], run.model, on_form(**{"question": "What?", "video": str(scene_clip)} | change))
            is None
        )
    for change in ({"intervention": Intervention("mute", (0,))}, {"done": False}, {"other": run.clip}):
        assert answered_before([dataclasses.replace(run, **change)], run.model, asked) is None
    at = {"task": "s4", "question": "What?", "video": str(scene_clip)}
    seen = dataclasses.replace(run, task=TASKS["s4"], clip=dataclasses.replace(run.clip, frame=2))
    assert answered_before([seen], run.model, on_form(second="2", **at)) == 0
    assert answered_before([seen], run.model, on_form(second="3", **at)) is None


def test_a_clip_that_was_let_go_is_asked_again(runs, tmp_path):
    asked, [run] = runs
    gone = dataclasses.replace(run, clip=dataclasses.replace(run.clip, video=tmp_path / "gone.mp4"))
    assert answered_before([gone], run.model, asked) is None


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


def test_the_dataset_that_is_chosen_stays_in_sight():
    with gr.Blocks():
        form = forms.lay_out()
    assert form.updates("video", TASKS["ref_avs"])[form.details] == {
        "__type__": "update", "label": "Ask it as ref_avs does", "visible": True, "open": True
    }  # fmt: skip
    own = form.updates("video", TASKS["avqa"])[form.details]
    assert own["label"] == "Ask it as one dataset does" == form.details.label
    assert "open" not in own  # it is as the visitor has left it


def test_the_form_shows_the_clip_of_an_answer_by_what_is_in_its_files(scene_clip, tmp_path):
    again, other = tmp_path / "again.mp4", tmp_path / "other.mp4"
    again.write_bytes(scene_clip.read_bytes())
    other.write_bytes(b"another film")
    clip = open_clip(scene_clip)
    assert clip.audio  # its own sound makes no second file
    assert shows(on_form(video=str(scene_clip)), clip, None)
    assert shows(on_form(source="file", file=str(again), video=str(other)), clip, None)
    for asked in (on_form(), on_form(video=str(other)), on_form(source="sound", video=str(scene_clip))):
        assert not shows(asked, clip, None)
    pair = on_form(task="a2v", video=str(scene_clip), other_video=str(other))
    assert not shows(pair, clip, None)
    assert shows(pair, clip, dataclasses.replace(clip, video=other, audio=None))


@pytest.mark.parametrize(
    "source, inputs",
    [("video", {"video"}), ("sound", {"sound"}), ("file", {"file"}), ("picture", {"picture", "sound"})],
)
def test_the_form_shows_the_inputs_of_a_source(source, inputs):
    with gr.Blocks():
        form = forms.lay_out()
    shown = form.updates(source, TASKS["avqa"])
    assert {name for name in ("video", "sound", "picture", "file") if shown[form.media[name]]["visible"]} == inputs
    assert shown[form.player]["visible"] == (source == "file")


def test_any_file_is_shown_as_what_it_is(scene_clip, tmp_path):
    picture, sound, broken = tmp_path / "a “picture”.png", tmp_path / "sound.wav", tmp_path / "broken.mp4"
    Image.new("RGB", (64, 48)).save(picture)
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(32_000))
    broken.write_bytes(b"no film")
    assert forms.file_shown(str(scene_clip)) == f'<video src="gradio_api/file={scene_clip}" controls></video>'
    assert forms.file_shown(str(sound)) == f'<audio src="gradio_api/file={sound}" controls></audio>'
    assert forms.file_shown(str(picture)).startswith(f'<img src="gradio_api/file={tmp_path}/a%20%E2%80%9Cpicture')
    assert forms.file_shown(str(broken)) == forms.file_shown(None) == ""


def test_a_second_is_a_whole_number_or_nothing():
    assert whole_second("") is None and whole_second("3") == 3
    for typed in ("3.5", "-1", "9" * 5000):
        with pytest.raises(CrabError, match="whole number") as refused:
            whole_second(typed)
        assert len(str(refused.value)) < 200


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
