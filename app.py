"""The Crab+ page: `python app.py` serves it on http://127.0.0.1:7860.

Environment: CRAB_MODEL (crab-mini if unset; crab-plus, or a folder or hub id laid out like Qwen/Qwen2.5-Omni-7B),
CRAB_ADAPTER (the published .bin or a PEFT folder, here or on the hub), CRAB_QUANTIZE (4bit or 8bit: less memory for the
language model; needs bitsandbytes), CRAB_SEGMENTER ("grabcut", or a SAM 2 hub id or folder), and Gradio's own
GRADIO_SERVER_NAME, GRADIO_SERVER_PORT and GRADIO_SHARE.

Components, wiring and launch live here; what is asked lives in `crab`, what is drawn in `visualize`. The page has three
tabs, and for each part of one a function lays out components and hands them back by name, and another wires them:

    Ask a clip    `form` (what to ask) and `answer_sheet` (what came back): `asking`
                  `workbench` (change the routing, compare runs): `working`
    Compose       `composer` (a scene put together by a visitor, so that its truth is known): `composing`
    Atlas         `atlas_sheet` (many tasks' routing, and the visitor's runs among them): `mapping`

`programs` is for gradio_client and agents. `build` joins them.
"""

from __future__ import annotations

import atexit
import io
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from filecmp import cmp
from functools import partial
from html import escape
from inspect import signature
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported: the page calls nobody
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its advice is for who writes models, not for who asks them

import gradio as gr  # noqa: E402
import spaces  # noqa: E402, F401  before anything that may touch CUDA; does nothing outside a ZeroGPU Space
from PIL import Image  # noqa: E402

from crab import CrabError, compose, trace  # noqa: E402
from crab.ask import Result, ask, shown, to_json  # noqa: E402
from crab.ilora import Intervention  # noqa: E402
from crab.media import Clip, Limits, check_length, open_clip, process  # noqa: E402
from crab.model import Crab  # noqa: E402
from crab.page import zerogpu  # noqa: E402
from crab.prompt import LONGEST_QUESTION, check_question, check_words, is_of  # noqa: E402
from crab.routing import atlas as atlases  # noqa: E402
from crab.routing import claims, effects, separation
from crab.scenes import render  # noqa: E402
from crab.scenes.script import BACKDROPS, DURATION, Scene  # noqa: E402
from crab.segment import Segmenter, load_segmenter  # noqa: E402
from crab.tasks import FAMILIES, TASKS, Task, instruction  # noqa: E402
from crab.weights import meant  # noqa: E402
from visualize import compare, difference, evidence, masks, standalone, text, theme, timeline  # noqa: E402
from visualize import transfer as charts  # noqa: E402
from visualize.live import live  # noqa: E402

ASSETS = Path(__file__).parent / "assets"
LINKED = Path(__file__).parent / "visualize" / "linked.js"  # in the browser: player, bars, explorer together
SOURCES = [("Video", "video"), ("Sound", "sound"), ("Picture + sound", "picture"), ("Any file", "file")]
TOWERS = {"language": "Language model", "audio": "Hearing", "vision": "Seeing"}
KINDS = {"text": "Prompt text", "audio": "Sound", "video": "Video", "image": "Picture", "generated": "Answer"}
CHANGES = [
    ("Mute heads", "mute"),
    ("Force one head", "force"),
    ("All heads alike", "uniform"),
    ("Freeze to another run’s average", "average"),
]
TAKEN = ("csv", "html", "svg", "pdf")
KEPT, KEPT_BYTES = 8, 200_000_000  # runs of a visitor that can be compared, and what they may weigh together
OPEN, LEFT = 6 * 3600, 600  # seconds after which they are let go: since they were made, and since the visitor left
VISITORS = 500  # whose pages are remembered; who comes next takes the place of who was longest away
WAITING_MOST = 20  # asks; who comes next is told to try again
LONGEST = {"second": 9, "stretch": 60, "heads": 60}  # characters that may be typed; for a question crab.prompt says

# The form's inputs. "question_as" is the dataset that a question is worded as, and so on for every family.
CHOICES = ("source", "family", *(f"{family}_as" for family in FAMILIES))
INPUTS = (*CHOICES, "video", "other_video", "picture", "sound", "other_sound", "file", "question", "second", "dark")
# Those that stand on the form for a source, or for one of the two ways to match; what the sound is called there.
SHOWN = {
    "video": ({"video"}, "Sound"),
    "sound": ({"sound"}, "Sound"),
    "picture": ({"picture", "sound"}, "Its sound"),
    "file": ({"file"}, "Sound"),
    "a2v": ({"video", "other_video", "sound"}, "Sound to match"),
    "v2a": ({"video", "other_sound", "sound"}, "First sound (empty: the video's own)"),
}
# What to say at an input that is empty. A sound is only missed where nothing else is given: a video has its own.
MISSING = {
    "video": "Give a video first: drop a file here, or record one.",
    "other_video": "Give the second video: the question compares two.",
    "picture": "Give a picture first: drop a file here.",
    "sound": "Give a sound first: drop a file here, or record one.",
    "other_sound": "Give the second sound: the question compares two.",
    "file": "Give a video, a sound or a picture first: drop a file here.",
}
# The same for programs, by the parameter that is null.
NEEDED = {
    "media": "Give a clip: a video, a sound or a picture file.",
    "picture": "Give a picture file.",
    "first": "Give the first clip: the question compares two.",
    "other": "Give the second clip: the question compares two.",
}
LEVELS = {"mute": "mute", "force": "force", "level": "uniform"}  # what programs call an intervention
# What to type, by Task.needs: label and example.
WORDS = {
    "": ("Your question", ""),
    "question": ("Your question", "How many instruments are playing?"),
    "options": ("Your question | its options", "What is barking? | a dog; a seal; a person"),
    "expression": ("What to look for", "the animal on the left that makes a sound"),
}
EMPTY = """<div class='empty'>The answer appears here as it is written, with bars over the clip’s seconds, the thing
that sounds marked on its picture, and the router weights behind every word.</div>"""
CLOSER = (
    "<h2>Look closer</h2><p class='key'>Point at a word, a piece of picture or of sound: every view shows it. A "
    "click keeps it, Escape lets go.</p>"
)
WAITING = "<div class='waiting' role='status'>Looking and listening</div>"
DRAWING = "<div class='waiting' role='status'>Drawing the scene</div>"
SWITCH = """<details><summary>Ask the 7B model instead</summary>
<p>On a machine with a GPU, start the page with the released weights. They are fetched the first time, about 20 GB.</p>
<pre>CRAB_MODEL=crab-plus python app.py</pre></details>"""
SWITCH_SPACE = """<details><summary>Ask the 7B model instead</summary>
<p>Whoever owns this Space sets its variable CRAB_MODEL to crab-plus, and chooses hardware with a GPU.</p></details>"""
FIRST = 21  # the surprise that the second tab opens with
FILM = (320, 240)  # width and height of a composed scene
# Gradio runs these in the browser: `turn` at once, and figures are drawn for the page's light or dark ground.
BUSY = "() => [{__type__: 'update', interactive: false}, {__type__: 'update', interactive: true}]"
STOPPING = "() => [{__type__: 'update', interactive: false}, {__type__: 'update', interactive: false}]"
# What the queue refused hands the turn back. Gradio calls a stopped answer a failure too, though it hands the turn back
# itself, and tells of it at any time after; but then it says in the same breath that the answer is over.
OVER = "() => { window.crabOver = performance.now(); }"
FREE = """async () => {
  const failed = performance.now();
  await new Promise(later => setTimeout(later, 200));
  return window.crabOver >= failed - 100 ? [{__type__: 'update'}, {__type__: 'update'}]
    : [{__type__: 'update', interactive: true}, {__type__: 'update', interactive: false}];
}"""
FREE_ONE = "() => ({__type__: 'update', interactive: true})"
# A button out of sight is pressed, where there is nothing against it and no other question is under way.
START = """(word) => {
  if (!word || document.querySelector('#ask').disabled) return;
  document.querySelector(word === 'go' ? '#go' : '#known').click();
  const show = tries => {
    const told = document.querySelector('.validation-error');
    if (told) told.scrollIntoView({block: 'nearest'});
    else if (tries) setTimeout(show, 100, tries - 1);
  };
  setTimeout(show, 300, 20);
}"""
# In the second tab, where Stop has not been pressed meanwhile.
GO = """(word) => {
  if (word === 'go' && !document.querySelector('#%s').disabled) document.querySelector('#%s').click();
}"""
SHOW = "() => setTimeout(() => document.querySelector('%s [role=alert]')?.scrollIntoView({block: 'nearest'}), 100)"
DICE = f"() => Math.floor(Math.random() * {compose.LOOKS})"
OPEN_LINK = """() => {
  const asked = new URLSearchParams(location.search);
  const button = asked.has("clip") ? "#ask" : asked.has("scene") ? "#compose-ask" : null;
  if (button) setTimeout(() => document.querySelector(button).click(), 200);
}"""
NAME_LINK = """(link) => {
  const view = link === location.search ? location.hash : "";
  history.replaceState(null, "", (link || location.pathname) + view);
}"""
COPY_LINK = "() => navigator.clipboard.writeText(location.href)"
FETCH = "() => setTimeout(() => document.querySelector('#taken a, a#taken, #taken').click(), 100)"
WITH_DARK = "(...values) => [...values.slice(0, -1), document.querySelector('.dark') !== null]"

log = logging.getLogger("crab.page")
ending = Event()  # the page is being closed: answers end with their next word


@contextmanager
def sentences() -> Iterator[None]:
    """Lets out only what a person can read: the sentence of a CrabError, or one that points to the log."""
    try:
        yield
    except gr.Error:
        raise
    except CrabError as error:
        raise problem(str(error)) from None
    except Exception:
        log.exception("An ask failed")
        raise problem("Something went wrong on our side; the log says what. Please try again.") from None


class Page(gr.Blocks):
    """Blocks that answer what cannot be read with a sentence. Gradio's own way is a traceback, or nothing."""

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *more: Any, **named: Any) -> list[Any]:
        if block_fn.is_validator_function:  # it looks at what was typed, before a file is moved
            return inputs
        try:
            json.dumps(inputs, ensure_ascii=False).encode()  # half a character could not be sent back
            return await super().preprocess_data(block_fn, inputs, *more, **named)
        except gr.Error:
            raise
        except Exception as error:
            log.info("Not to be read: %r", error)
            raise problem(
                "Something that was sent is not of its kind: files have to be uploaded, seconds are whole "
                "numbers, and words are text."
            ) from None


def told_here(error: gr.Error) -> str:
    """An error's sentence as HTML, for the place where the answer would stand."""
    return f"<p class='problem' role='alert'>{error.message}</p>"


def problem(sentence: str) -> gr.Error:
    return gr.Error(escape(sentence, quote=False), title="That did not work", print_exception=False)


def opened(values: dict[str, Any]) -> tuple[Clip, Clip | None]:
    """The clip and, for matching, the other one, from what is on the form."""
    kind = given_as(values)
    if kind in ("a2v", "v2a"):
        other = values["other_video" if kind == "a2v" else "other_sound"]
        return open_clip(values["video"], audio=values["sound"]), open_clip(other)
    second = whole_second(values["second"]) if values["family"] == "grounding" else None
    if kind == "picture":
        return open_clip(image=values["picture"], audio=values["sound"], frame=second), None
    return open_clip(values[kind], frame=second), None


def whole_second(typed: str) -> int | None:
    if typed and not (typed.strip().isdecimal() and len(typed) <= LONGEST["second"]):
        raise CrabError(f"{shortened(typed)} is not a second of the clip: give a whole number from 0 on, or nothing.")
    return int(typed) if typed else None


def shortened(typed: str) -> str:
    """What was typed, to be told again: not all of it, and half a character as a question mark."""
    return (typed if len(typed) <= 40 else f"{typed[:40]}…").encode(errors="replace").decode()


def lacking(values: dict[str, Any], cache: str) -> dict[str, str]:
    """What stands against asking the form, a sentence by field. Quick, for before anything is queued.

    Files are as a browser sends them, and none is decoded. Only those in Gradio's own folder, `cache`, are looked at;
    what is elsewhere is refused where it is read.
    """
    task, kind = chosen(values), given_as(values)
    needed, _ = SHOWN[kind]
    wrong = {name: MISSING[name] for name in needed if not values[name] and (name != "sound" or kind == "sound")}
    wrong |= {name: told for name in needed if (told := told_of_length(values[name], cache))}
    if told := told_by(lambda: instruction(task, values["question"])):
        wrong["question"] = told
    if values["family"] == "grounding" and (told := told_by(lambda: whole_second(values["second"]))):
        wrong["second"] = told
    return wrong


def told_of_length(sent: Any, cache: str) -> str | None:
    """The sentence where a file is plainly too long, as it is sent to an input; None for everything else."""
    try:
        path = Path(sent["path"]).resolve()
        if not path.is_relative_to(Path(cache).resolve()) or not path.is_file():
            return None
    except (KeyError, TypeError, ValueError, OSError):  # nothing, or no file of ours
        return None
    return told_by(lambda: check_length(path))


def told_by(check: Callable[[], Any]) -> str | None:
    """The sentence of the CrabError that `check` raises, if it does."""
    try:
        check()
    except CrabError as error:
        return str(error)
    return None


def check_room(page: gr.Blocks) -> None:
    """Raises CrabError where no more asks can wait. Gradio would refuse too, in words of its own."""
    if len(page._queue) >= WAITING_MOST:
        raise CrabError(f"{WAITING_MOST} questions are waiting for the model already: ask again in a minute.")


def listed_examples() -> list[SimpleNamespace]:
    """What to ask of the clips in assets/examples, as its examples.json lists it.

    `files` are those of the form by its fields: always a `video`, and for matching what stands beside it.
    """
    folder = ASSETS / "examples"
    if not (folder / "examples.json").exists():
        return []
    examples = []
    for row in json.loads((folder / "examples.json").read_text(encoding="utf-8")):
        task, question = task_named(row.pop("ask")), row.pop("question", "")
        files = {field: folder / name for field, name in row.items()}
        examples.append(SimpleNamespace(files=files, task=task, question=question, label=question or task.title))
    return examples


def task_named(name: str) -> Task:
    """A dataset's task, or the one its family asks by default."""
    if not isinstance(name, str) or name not in (*FAMILIES, *TASKS):
        raise CrabError(f"There is no task {shortened(str(name))}: choose one of {', '.join((*FAMILIES, *TASKS))}.")
    return TASKS[FAMILIES[name].default if name in FAMILIES else name]


def new_folder(cache: str) -> Path:
    """A folder in Gradio's own, which `delete_cache` empties."""
    place = Path(cache) / uuid4().hex
    place.mkdir(parents=True)
    return place


def saved(result: Result, cache: str) -> tuple[str, str | None]:
    """Paths of the result as JSON and of its router weights, None if it has none."""
    place = new_folder(cache)
    answer = place / "answer.json"
    answer.write_text(json.dumps(to_json(result), indent=2), encoding="utf-8")
    if not result.routing:
        return str(answer), None
    trace.save(result.routing, place / "routing.npz")
    return str(answer), str(place / "routing.npz")


def explorer(result: Result, keeper: gr.HTML, dark: bool) -> str:
    """The frame that shows all of a result's router weights; they come to it as a file, which `keeper` looks after."""
    path = new_folder(keeper.GRADIO_CACHE) / "routing.json"
    path.write_text(standalone.data(result.routing, seen=standalone.Seen(*shown(result))), encoding="utf-8")
    url = f"gradio_api/file={keeper.move_resource_to_block_cache(str(path))}"
    return standalone.frame(url, dark=dark, title="Router weights by word, layer, place and time")


def taken(result: Result, format: str, cache: str) -> str:
    """The path of a result's router weights as "csv" (all), "html" (the explorer, to use offline), "svg" or "pdf"."""
    path = new_folder(cache) / f"routing.{format}"
    title = f"Router weights · {result.task.title}"
    if format == "html":
        facts = [f"{result.model}: {result.text}", *([result.question] if result.question else [])]
        path.write_text(
            standalone.page(result.routing, title=title, facts=facts, seen=standalone.Seen(*shown(result))),
            encoding="utf-8",
        )
    else:
        from visualize import export  # with Matplotlib, which the page does not wait for when it starts

        export.write(result.routing, path, title=title)
    return str(path)


def form() -> SimpleNamespace:
    """The left column: a clip, what to ask of it, Ask and Stop."""
    f = SimpleNamespace()
    f.source = gr.Radio(SOURCES, value="video", label="What do you have?", elem_classes="segments")
    f.video = gr.Video(
        label="Video",
        sources=["upload", "webcam"],
        include_audio=True,
        height=300,
        elem_id="video",
        elem_classes="clip",
    )
    f.other_video = gr.Video(label="Other video", include_audio=True, height=300, visible=False, elem_classes="clip")
    f.picture = gr.Image(label="Picture", type="filepath", height=300, visible=False)
    f.picture.preprocess = lambda file: file and file.path  # crab.media opens it: a broken picture gets its sentence
    f.sound = gr.Audio(label="Sound", type="filepath", buttons=["download"], visible=False)
    f.other_sound = gr.Audio(label="Other sound", type="filepath", buttons=["download"], visible=False)
    f.file = gr.File(label="Any video, sound or picture file", height=140, visible=False)
    f.family = gr.Radio(
        [(family.title, family.name) for family in FAMILIES.values()],
        value="question",
        label="What to ask",
        info=FAMILIES["question"].description,
        elem_classes="pills",
    )
    f.question = gr.Textbox(
        label=WORDS["question"][0],
        placeholder=WORDS["question"][1],
        lines=1,
        elem_id="question",
        max_length=LONGEST_QUESTION,
    )
    f.second = gr.Textbox(
        label="At which second?",
        placeholder="the middle of a video, the start of a picture’s sound",
        max_length=LONGEST["second"],
        visible=False,
    )  # gr.Number turns empty into 0
    with gr.Accordion("Ask it as one dataset does", open=False) as f.details:
        for name, family in FAMILIES.items():
            ways = [(f"{TASKS[dataset].title} · {dataset}", dataset) for dataset in family.datasets]
            setattr(
                f,
                f"{name}_as",
                gr.Radio(
                    ways,
                    value=family.default,
                    show_label=False,
                    container=False,
                    label="Dataset",
                    visible=name == "question",
                    elem_classes="list",
                ),
            )
    with gr.Row(elem_classes="actions"):
        f.ask = gr.Button("Ask", variant="primary", scale=3, elem_id="ask")
        f.stop = gr.Button("Stop", scale=1, min_width=90, interactive=False, elem_id="stop")
        f.go = gr.Button(visible="hidden", elem_id="go")  # see START
        f.known = gr.Button(visible="hidden", elem_id="known")
    f.dark = gr.Checkbox(visible=False)  # told by the browser; last, see WITH_DARK
    return f


def turn(f: SimpleNamespace, *, busy: bool) -> dict[Any, Any]:
    """Ask and Stop take turns. An answer hands the turn back; for one that was stopped, Stop does."""
    return {f.ask: gr.update(interactive=not busy), f.stop: gr.update(interactive=busy)}


def chosen(values: dict[str, Any]) -> Task:
    return TASKS[values[values["family"] + "_as"]]


def given_as(values: dict[str, Any]) -> str:
    """What `SHOWN` has the media of the form under: their source, or for matching which of the two ways it goes."""
    return chosen(values).name if values["family"] == "matching" else values["source"]


def form_updates(f: SimpleNamespace, values: dict[str, Any]) -> dict[Any, dict[str, Any]]:
    """What the form has to show for the choices made on it."""
    family, task = FAMILIES[values["family"]], chosen(values)
    matching, label_and_example = family.name == "matching", WORDS[task.needs]
    shown, sound_label = SHOWN[given_as(values)]
    return (
        {
            getattr(f, name): gr.update(visible=name in shown)
            for name in ("video", "other_video", "picture", "other_sound", "file")
        }
        | {
            f.source: gr.update(visible=not matching),
            f.sound: gr.update(visible="sound" in shown, label=sound_label),
            f.family: gr.update(info=family.description),
            f.question: gr.update(
                visible=bool(task.needs), label=label_and_example[0], placeholder=label_and_example[1]
            ),
            f.second: gr.update(visible=family.name == "grounding"),
            f.details: gr.update(open=matching, visible=len(family.datasets) > 1),
        }
        | {getattr(f, f"{name}_as"): gr.update(visible=name == family.name) for name in FAMILIES}
    )


def answer_sheet() -> SimpleNamespace:
    """The right column: words, bars, picture, who writes, downloads."""
    s = SimpleNamespace()
    s.words = gr.HTML(EMPTY, elem_id="words", label="Answer")
    s.facts = gr.HTML(elem_id="facts", visible=False)
    with gr.Column(visible=False, elem_classes="card", elem_id="when") as s.when:
        gr.HTML("<h2>When</h2>")
        s.timeline = gr.Plot(show_label=False, container=False, label="Events over the clip’s seconds")
    with gr.Column(visible=False, elem_classes="card", elem_id="where") as s.where:
        gr.HTML("<h2>Where</h2>")
        s.picture = gr.Image(
            show_label=False,
            container=False,
            interactive=False,
            format="png",
            buttons=["download", "fullscreen"],
            label="Picture with masks, boxes and points",
            alt_text="The frame the answer is about, with masks, boxes and points drawn on it",
        )
    with gr.Column(visible=False, elem_classes="card", elem_id="writing") as s.writing:
        gr.HTML(
            "<h2>Which head wrote it</h2><p class='key'>Every adapted layer mixes a few heads anew for each token; "
            "the router’s weights say how.</p>"
        )
        s.live = gr.HTML(elem_id="live")
    with gr.Row(visible=False, elem_id="downloads") as s.downloads:
        s.json = gr.DownloadButton("Answer as JSON", size="sm", min_width=120)
        s.npz = gr.DownloadButton("Router weights as .npz", size="sm", min_width=185)
        for format in TAKEN:
            setattr(s, format, gr.Button(format.upper(), size="sm", min_width=52))
        s.taken = gr.DownloadButton(elem_id="taken")  # out of sight: `FETCH` presses it
        s.copy = gr.Button("Copy link", size="sm", min_width=80, visible=False)
    s.link = gr.Textbox(visible=False)  # what to put after the page's address to come back here; "" if there is none
    s.result = gr.State(time_to_live=OPEN)  # the Result on screen, for this session alone
    s.runs = gr.State([], time_to_live=OPEN)  # the Results there have been, as `kept` says
    return s


def cleared(s: SimpleNamespace) -> dict[Any, Any]:
    """The sheet's updates before a new answer: nothing of the last one stays."""
    hidden = (s.facts, s.when, s.where, s.writing, s.downloads, s.which, s.change)
    return {part: gr.update(visible=False) for part in hidden} | {s.result: None, s.words: WAITING}


def facts(result: Result, *, again: bool = False) -> str:
    """What to know about an answer, who gave it and how long it took; `again`: it is one from before."""
    first = "" if result.seconds.first_text is None else f"first words after {result.seconds.first_text:.1f} s · "
    notes = "".join(f"<li>{escape(note)}</li>" for note in result.notes)
    how = "" if result.done else "stopped · "
    how += "answered before · " if again else ""
    return (
        f"<ul class='notes'>{notes}</ul><p class='quiet'>{how}{escape(result.model)} · {first}"
        f"{result.seconds.total:.1f} s in all · {len(result.token_ids)} tokens</p>"
    )


def growing(s: SimpleNamespace, result: Result, before: Result | None, dark: bool) -> dict[Any, Any]:
    """The sheet's updates for a result: words and live weights always, figures only where `before` had others."""
    answer, colours = result.answer, theme.answer_colours(result.answer)
    updates = {s.result: result, s.words: text.chips(answer, colours=colours) if result.text else WAITING}
    if result.routing:
        updates |= {s.writing: gr.update(visible=True), s.live: live(result.routing["language"])}
    if answer.events != (before.answer.events if before else ()):
        updates |= bars(s, result, dark)
    if result.frame is not None and (before is None or marks(before) != marks(result)):
        updates |= {s.where: gr.update(visible=True), s.picture: pictured(result)}
    return updates


def pictured(result: Result) -> Image.Image:
    """The picture asked about with masks, boxes and points on it, in the colours of the answer's words."""
    answer = result.answer
    return masks.overlay(
        result.frame, result.masks, answer.boxes, answer.points, of=result.size, colours=theme.answer_colours(answer)
    )


def bars(s: SimpleNamespace, result: Result, dark: bool) -> dict[Any, Any]:
    colours = theme.answer_colours(result.answer)
    figure = timeline.timeline(result.answer.events, result.clip.duration, colours=colours, dark=dark)
    return {s.when: gr.update(visible=True), s.timeline: figure}


def marks(result: Result) -> tuple[Any, ...]:
    return result.frame is None, result.answer.boxes, result.answer.points, len(result.masks)


def finished(s: SimpleNamespace, result: Result, dark: bool) -> dict[Any, Any]:
    """The sheet's updates once no more will come: all of `growing` (a browser may have skipped some), and the rest."""
    answer, weights = saved(result, s.json.GRADIO_CACHE)
    updates = growing(s, result, None, dark) | {
        s.facts: gr.update(value=facts(result), visible=True),
        s.downloads: gr.update(visible=True),
        s.json: gr.update(value=answer),
        s.npz: gr.update(value=weights, visible=weights is not None),
    }
    if result.task.grammar == "events" and not result.answer.events:  # a figure that says so
        updates |= bars(s, result, dark)
    if result.routing:
        updates |= {s.change: gr.update(visible=True)} | places(s, result)
    return updates


def named(run: Result, number: int) -> str:
    """A run as people tell it from others; `number` counts from 0."""
    return f"{number + 1} · {run.task.name} · {run.intervention or 'as it is'}"


def weight(run: Result) -> int:
    """Bytes that a run takes up, nearly: its picture and its router weights, and each position's place in the clip."""
    traces = (run.routing or {}).values()
    weights = sum(trace.weights.nbytes + 250 * len(trace.tokens) for trace in traces)
    return weights + sum(mask.runs.nbytes for mask in run.masks) + (0 if run.frame is None else run.frame.nbytes)


def kept(s: SimpleNamespace, runs: list[Result], latest: Result) -> dict[Any, Any]:
    """The updates that keep one more run: the last KEPT of them, fewer where they weigh more than KEPT_BYTES."""
    runs = [*runs, latest][-KEPT:]
    while len(runs) > 1 and sum(map(weight, runs)) > KEPT_BYTES:
        runs = runs[1:]
    return {s.runs: runs, s.source: gr.update(choices=[named(run, i) for i, run in enumerate(runs)], value=None)}


def answered_before(runs: list[Result], asked: dict[str, Any]) -> int | None:
    """Which of a visitor's runs is the whole answer to what is on the form, by what is in its files; None if none is.

    Runs with the routing changed are not: they answer another question. Gradio's own cache would not do: `gr.cache`
    copies every yield, which here is a `Result` with all router weights so far for each token; it and `gr.Cache` share
    their bounds among all visitors, do not know what a `Result` weighs, and keep it as long as a page is open.
    """
    same = (chosen(asked), asked["question"])
    plain = [n for n, run in enumerate(runs) if run.done and run.intervention is None]
    alike = [n for n in plain if (runs[n].task, runs[n].question) == same]
    if not alike:
        return None
    try:
        clip, other = opened(asked)
    except CrabError:  # which is told where it is asked
        return None
    return next((n for n in alike if same_clip(runs[n].clip, clip) and same_clip(runs[n].other, other)), None)


def same_clip(one: Clip | None, other: Clip | None) -> bool:
    """Whether two clips are one by what is in their files: whoever uploads a file again has the same clip."""
    if one is None or other is None:
        return one is other
    kinds = ("video", "image", "audio")
    nameless = dict.fromkeys(kinds) | {"name": ""}
    return replace(one, **nameless) == replace(other, **nameless) and all(
        same_file(getattr(one, kind), getattr(other, kind)) for kind in kinds
    )


def same_file(one: Path | None, other: Path | None) -> bool:
    if one is None or other is None:
        return one is other
    try:
        return cmp(one, other, shallow=False)
    except OSError:  # it has been let go
        return False


def one_of(runs: list[Result], number: int) -> Result:
    """A run by its number, from 0. Raises CrabError where it has been let go."""
    return still_here(runs[number] if 0 <= number < len(runs) else None)


def still_here(result: Result | None) -> Result:
    """Raises CrabError where a result has been let go."""
    if result is None:
        raise CrabError("This answer is no longer kept here: ask again.")
    return result


def asking(
    page: gr.Blocks,
    f: SimpleNamespace,
    s: SimpleNamespace,
    shelf: gr.Dataset,
    examples: list[SimpleNamespace],
    model: SimpleNamespace,
) -> None:
    """Wires asking a clip, and what to do with the answer."""
    inputs, fields, sheet = [getattr(f, name) for name in INPUTS], list(vars(f).values()), list(vars(s).values())

    def on_ask(runs: list[Result], *values: Any) -> Iterator[dict[Any, Any]]:
        asked = dict(zip(INPUTS, values))
        result = None
        yield cleared(s) | turn(f, busy=True)
        try:
            with sentences():
                check_question(chosen(asked), asked["question"])
                clip, other = opened(asked)
                with closing(model.answers(clip, chosen(asked), asked["question"], other)) as results:
                    for latest in results:
                        if not latest.done:
                            yield growing(s, latest, result, asked["dark"])
                        result = latest
                yield finished(s, result, asked["dark"]) | turn(f, busy=False) | kept(s, runs, result) | followed(asked)
        except gr.Error as error:
            yield {s.words: told_here(error), s.link: "", s.copy: gr.update(visible=False)} | turn(f, busy=False)

    def followed(asked: dict[str, Any]) -> dict[Any, Any]:
        link = linked(examples, asked)
        return {s.link: link, s.copy: gr.update(visible=bool(link))}

    def on_press(runs: list[Result], *values: Any) -> dict[Any, Any]:
        """Whether to wait in the queue at all; what has been answered already does not."""
        asked = dict(zip(INPUTS, values))
        try:
            with sentences():
                check_words(asked["question"])
                known = answered_before(runs, asked)
                if known is None:
                    check_room(page)
        except gr.Error as error:
            return {f.go: "", s.words: told_here(error)}
        return {f.go: "go" if known is None else str(known)}

    def on_check(*values: Any) -> list[dict[str, Any]]:
        """What is missing, said where it is missing. Before the queue, and before files are moved."""
        try:
            wrong = lacking(dict(zip(INPUTS, values)), f.video.GRADIO_CACHE)
        except (KeyError, TypeError, AttributeError):  # not from our form: preprocessing says so
            wrong = {}
        return [gr.validate(name not in wrong, wrong.get(name, "")) for name in INPUTS]

    def on_known(runs: list[Result], number: str, *values: Any) -> dict[Any, Any]:
        asked = dict(zip(INPUTS, values))
        try:
            with sentences():
                run = one_of(runs, int(number) if number.isdecimal() else -1)
                return (
                    cleared(s)
                    | finished(s, run, asked["dark"])
                    | followed(asked)
                    | {s.facts: gr.update(value=facts(run, again=True), visible=True)}
                )
        except gr.Error as error:
            return {s.words: told_here(error)}

    def on_stop(result: Result | None, runs: list[Result], dark: bool) -> dict[Any, Any]:
        if result is None:
            return turn(f, busy=False) | {s.words: EMPTY}
        return turn(f, busy=False) | finished(s, result, dark) | kept(s, runs, result)

    def on_explore(result: Result | None, dark: bool) -> dict[Any, Any]:
        if result is None or not result.routing:
            return {s.which: gr.skip()}
        with sentences():
            return {s.which: gr.update(visible=True), s.explorer: explorer(result, s.explorer, dark)}

    def on_take(result: Result | None, button: str) -> str:
        with sentences():
            return taken(still_here(result), button.lower(), s.taken.GRADIO_CACHE)

    def on_choice(*values: Any) -> dict[Any, Any]:
        return form_updates(f, dict(zip(CHOICES, values)))

    def on_example(number: int) -> dict[Any, Any]:
        with sentences():
            example = examples[number]
            return filled(f, example, example.task, example.question)

    turns = {"fn": None, "outputs": [f.ask, f.stop], "api_visibility": "private"}
    at_once = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
    explore = {"fn": on_explore, "inputs": [s.result, f.dark], "outputs": [s.which, s.explorer], **at_once}
    linking = {"fn": None, "inputs": s.link, "outputs": None, "js": NAME_LINK, "api_visibility": "private"}
    choices = [getattr(f, name) for name in CHOICES]
    pressed = gr.on([f.ask.click, f.question.submit], on_press, [s.runs, *inputs], [f.go, s.words], **at_once)
    pressed.success(None, f.go, None, js=START, api_visibility="private")
    pressed.success(None, js=SHOW % "#words", api_visibility="private")
    f.known.click(on_known, [s.runs, f.go, *inputs], sheet, js=WITH_DARK, **at_once).success(**linking).then(
        js=WITH_DARK, **explore
    )
    # An event of its own, since Gradio calls no other when it refuses: so buttons take their turns only after it.
    checked = f.go.click(
        lambda *_: None,
        inputs,
        None,
        validator=on_check,
        concurrency_limit=None,
        api_visibility="private",
        show_progress="hidden",
    )
    checked.success(js=BUSY, **turns)
    # "multiple": a stopped answer ends with its last step only, and whoever asks again meanwhile waits in the queue.
    running = checked.success(
        on_ask,
        [s.runs, *inputs],
        [*sheet, f.ask, f.stop],
        js=WITH_DARK,
        concurrency_id="model",
        trigger_mode="multiple",
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=s.words,
    )
    running.failure(js=FREE, **turns)
    running.then(None, js=OVER, api_visibility="private")
    running.success(None, js=SHOW % "#words", api_visibility="private")
    running.success(**linking).then(js=WITH_DARK, **explore)
    f.stop.click(js=STOPPING, **turns)
    stopped = f.stop.click(
        on_stop,
        [s.result, s.runs, f.dark],
        [*sheet, f.ask, f.stop],
        cancels=[running],
        js=WITH_DARK,
        **at_once | {"queue": True},
    )  # after the last word
    stopped.then(js=WITH_DARK, **explore)
    gr.on([choice.input for choice in choices], on_choice, choices, fields, **at_once)
    shelf.click(on_example, shelf, fields, **at_once)
    for format in TAKEN:
        button = getattr(s, format)
        button.click(on_take, [s.result, button], s.taken, api_visibility="private").success(js=FETCH, fn=None)
    s.copy.click(None, js=COPY_LINK, api_visibility="private")


def filled(f: SimpleNamespace, example: SimpleNamespace, task: Task, question: str) -> dict[Any, dict[str, Any]]:
    """The form's updates that ask `task` of an example. Raises CrabError where its files are gone."""
    if not all(file.is_file() for file in example.files.values()):
        raise CrabError(f"{example.files['video'].name} is no longer here: choose another example, or give a clip.")
    values = {"source": "video", "family": task.family, f"{task.family}_as": task.name}
    updates = form_updates(f, values)
    files = {name: str(file) for name, file in example.files.items()}
    for name, value in (values | files | {"question": question}).items():
        updates[getattr(f, name)] |= {"value": value}
    return updates


def linked(examples: list[SimpleNamespace], asked: dict[str, Any]) -> str:
    """What to put after the page's address to ask the same again: only examples are there for everybody."""
    needed, _ = SHOWN[given_as(asked)]
    same = (
        example.files["video"].name
        for example in examples
        if {"video"} <= needed <= example.files.keys()
        and all(asked[name] and cmp(example.files[name], asked[name], shallow=False) for name in needed)
    )
    clip = next(same, None)
    words = {"clip": clip, "task": chosen(asked).name, "question": asked["question"], "second": asked["second"]}
    return "?" + urlencode({name: value for name, value in words.items() if value}) if clip else ""


def opening(
    page: gr.Blocks, f: SimpleNamespace, c: SimpleNamespace, tabs: gr.Tabs, examples: list[SimpleNamespace]
) -> None:
    """Wires what a link brings: an example with its question, or a composed scene with its; both are asked at once."""
    scene = [c.backdrop, c.seed, *(field for r in c.rows for field in row_fields(r))]

    def on_open(request: gr.Request) -> dict[Any, Any]:
        with sentences():
            return restored(request.query_params)

    def restored(asked: Mapping[str, str]) -> dict[Any, Any]:
        if "scene" in asked:
            values, composed = compose.of_link(asked["scene"])
            own = asked.get("own", "")
            if own:
                check_question(TASKS["avqa"], own)
            choices, value = compose.choices(composed, asked.get("question", "")[:LONGEST_QUESTION])
            rows = {r.doing: gr.update(visible=bool(values[2 + 6 * n])) for n, r in enumerate(c.rows)}
            return (
                dict(zip(scene, values))
                | rows
                | {tabs: gr.update(selected="compose"), c.question: gr.update(choices=choices, value=value), c.own: own}
            )
        if "clip" not in asked:
            return {tabs: gr.skip()}
        example = next((example for example in examples if example.files["video"].name == asked["clip"]), None)
        if example is None:
            raise CrabError(
                f"The link’s clip, {shortened(asked['clip'])}, is not among the examples here: choose one "
                "of them, or give a clip."
            )
        task, question = task_named(asked.get("task")), asked.get("question", "")
        check_question(task, question)
        updates = filled(f, example, task, question)
        whole_second(second := asked.get("second", ""))
        updates[f.second] |= {"value": second}
        return updates

    outputs = [*vars(f).values(), *scene, *(r.doing for r in c.rows), tabs, c.question, c.own]
    page.load(on_open, None, outputs, api_visibility="private", show_progress="hidden").success(None, js=OPEN_LINK)


def workbench() -> SimpleNamespace:
    """Under form and answer: look closer at the router weights, ask again with others, hold two runs side by side."""
    w = SimpleNamespace()
    with gr.Column(visible=False, elem_classes="card", elem_id="which") as w.which:
        gr.HTML(CLOSER)
        w.explorer = gr.HTML(elem_id="explorer")
    with gr.Column(visible=False, elem_classes="card", elem_id="change") as w.change:
        gr.HTML(
            "<h2>What if it were routed otherwise?</h2><p class='key'>Weights alone explain nothing: they show "
            "what was mixed, not why. Change them, ask again, and see what the answer owes to them.</p>"
        )
        w.what = gr.Radio(CHANGES, value="mute", label="What to do", elem_classes="segments")
        w.heads = gr.CheckboxGroup(label="Which heads", elem_classes="segments")
        w.source = gr.Dropdown(label="Whose average", visible=False, type="index")
        with gr.Accordion("Only in some places (all, where nothing is chosen)", open=False), gr.Row():
            w.towers = gr.Dropdown(label="Parts of the model", multiselect=True, min_width=180)
            w.layers = gr.Dropdown(label="Layers, from 0", multiselect=True, min_width=140)
            w.modules = gr.Dropdown(label="Modules", multiselect=True, min_width=140)
            w.kinds = gr.Dropdown(label="Tokens", multiselect=True, min_width=140)
        w.again = gr.Button("Ask again, changed", variant="primary", elem_id="again")
        w.said = gr.HTML(elem_id="said")
    with gr.Column(visible=False, elem_classes="card", elem_id="pair") as w.pair:
        gr.HTML("<h2>Two runs side by side</h2>")
        with gr.Row():
            w.one = gr.Dropdown(label="First", type="index", elem_id="one")
            w.two = gr.Dropdown(label="Second", type="index", elem_id="two")
        w.sides = gr.HTML(elem_id="sides")
        w.tower = gr.Radio(label="Second minus first, in this part of the model", elem_classes="segments")
        w.by = gr.Radio(
            [("By kind of token", "group"), ("By module", "module")],
            value="group",
            label="Laid out",
            elem_classes="segments",
        )
        w.difference = gr.Plot(
            show_label=False, container=False, label="Difference of mean router weights", elem_classes="figure"
        )
    return w


def places(w: SimpleNamespace, result: Result) -> dict[Any, Any]:
    """What the routing of a result can be changed in: heads, towers, layers, modules, kinds of token."""
    traces = list(result.routing.values())
    sites = [site for trace in traces for site in trace.sites]
    kinds = dict.fromkeys(token.modality for trace in traces for token in trace.tokens)
    heads = [(theme.head_name(k), k) for k in range(traces[0].weights.shape[2])]
    return {
        w.heads: gr.update(choices=heads, value=[0]),
        w.said: "",
        w.towers: gr.update(choices=[(TOWERS[name], name) for name in TOWERS if name in result.routing], value=[]),
        w.layers: gr.update(choices=sorted({site.layer for site in sites}), value=[]),
        w.modules: gr.update(choices=list(dict.fromkeys(site.module for site in sites)), value=[]),
        w.kinds: gr.update(choices=[(KINDS[name], name) for name in kinds], value=[]),
    }


def working(f: SimpleNamespace, s: SimpleNamespace, model: SimpleNamespace) -> None:
    """Wires the workbench; its parts are on the sheet `s`."""

    def on_what(what: str) -> dict[Any, Any]:
        return {s.heads: gr.update(visible=what in ("mute", "force")), s.source: gr.update(visible=what == "average")}

    def on_again(
        result: Result | None,
        runs: list[Result],
        what: str,
        heads: list[int],
        source: int | None,
        towers: list[str],
        layers: list[int],
        modules: list[str],
        kinds: list[str],
    ) -> Iterator[dict[Any, Any]]:
        yield {s.again: gr.update(interactive=False), s.said: WAITING}
        try:
            with sentences():
                asked = still_here(result)
                if what == "average" and source is None:
                    raise CrabError("Choose the run whose average to take.")
                change = Intervention(
                    what,
                    tuple(heads) if what in ("mute", "force") else (),
                    one_of(runs, source).routing if what == "average" else None,
                    tuple(towers) or None,
                    tuple(layers) or None,
                    tuple(modules) or None,
                    partial(is_of, tuple(kinds)) if kinds else None,
                )
                with closing(model.answers(asked.clip, asked.task, asked.question, asked.other, change)) as results:
                    for latest in results:
                        yield {s.said: text.chips(latest.answer, colours=theme.answer_colours(latest.answer))}
            updates = kept(s, runs, latest)
            choices = [named(run, i) for i, run in enumerate(updates[s.runs])]
            first = next((i for i, run in enumerate(updates[s.runs]) if run is result), 0)
            yield updates | {
                s.again: gr.update(interactive=True),
                s.said: "",
                s.pair: gr.update(visible=True),
                s.one: gr.update(choices=choices, value=choices[first]),
                s.two: gr.update(choices=choices, value=choices[-1]),
            }
        except gr.Error as error:
            yield {s.again: gr.update(interactive=True), s.said: told_here(error)}

    def on_pair(
        runs: list[Result], one: int | None, two: int | None, tower: str | None, by: str, dark: bool
    ) -> dict[Any, Any]:
        if one is None or two is None:
            return {s.sides: gr.skip()}
        with sentences():
            first, second = one_of(runs, one), one_of(runs, two)
            pictures = tuple(
                compare.boxes(run.frame, run.answer, None, run.masks, of=run.size) if run.frame is not None else ""
                for run in (first, second)
            )
            differs = model.differ(first, second)
            sides = compare.pair(
                first.answer,
                second.answer,
                (named(first, one), named(second, two)),
                pictures=pictures,
                duration=first.clip.duration,
                facts=differs.facts,
                shifts=differs.shifts,
            )
        towers = [(title, name) for name, title in TOWERS.items() if name in first.routing and name in second.routing]
        tower = tower if tower in first.routing else "language"
        return {s.sides: sides, s.tower: gr.update(choices=towers, value=tower)} | drawn(first, second, tower, by, dark)

    def drawn(first: Result, second: Result, tower: str, by: str, dark: bool) -> dict[Any, Any]:
        draw = {"group": difference.by_group, "module": difference.by_module}[by]
        return {s.difference: draw(first.routing[tower], second.routing[tower], dark=dark)}

    def on_view(runs: list[Result], one: int, two: int, tower: str, by: str, dark: bool) -> dict[Any, Any]:
        with sentences():
            return drawn(one_of(runs, one), one_of(runs, two), tower, by, dark)

    at_once = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
    s.what.input(on_what, s.what, [s.heads, s.source], **at_once)
    asked = s.again.click(
        on_again,
        [s.result, s.runs, s.what, s.heads, s.source, s.towers, s.layers, s.modules, s.kinds],
        [s.again, s.said, s.runs, s.source, s.pair, s.one, s.two],
        concurrency_id="model",
        api_visibility="private",
        show_progress="hidden",
    )
    view = [s.runs, s.one, s.two, s.tower, s.by, f.dark]
    both = {
        "fn": on_pair,
        "inputs": view,
        "outputs": [s.sides, s.tower, s.difference],
        "js": WITH_DARK,
        "concurrency_id": "model",
        "api_visibility": "private",
        "show_progress": "hidden",
    }
    asked.failure(None, None, s.again, js=FREE_ONE, api_visibility="private")
    asked.success(**both)
    gr.on([s.one.input, s.two.input], **both)
    gr.on([s.tower.input, s.by.input], on_view, view, s.difference, js=WITH_DARK, **at_once)


@dataclass(frozen=True)
class Atlas:
    """What ships of the atlas, read once: many runs' signatures, whether they lie apart, and what muting heads does."""

    atlas: atlases.Atlas
    separations: tuple[str, ...]
    verdict: str  # what survives the controls
    damage: effects.DamageTable | None
    claims: tuple[claims.Outcome, ...]


def shipped_atlas() -> Atlas | None:
    path, damage = ASSETS / "atlas.npz", ASSETS / "damage.json"
    if not path.exists():
        return None
    atlas = atlases.load(path)
    return Atlas(
        atlas,
        tuple(str(atlases.separation(atlas, by=by)) for by in ("family", "dataset")),
        separation.verdict(atlas.controls),
        effects.damage_table(effects.load(damage)) if damage.exists() else None,
        claims.read_outcomes(ASSETS / "claims.json"),
    )


def atlas_sheet(found: Atlas | None) -> SimpleNamespace:
    """The third tab: tasks beside each other, as many scenes show them, and the visitor's own runs among them."""
    a = SimpleNamespace()
    with gr.Column(elem_classes="card", elem_id="atlas"):
        gr.HTML(f"<h2>How tasks share and part ways</h2>{atlas_words(found)}")
        a.by = gr.Radio(
            [("Nineteen datasets", "dataset"), ("Seven families", "family")],
            value="dataset",
            label="Runs grouped by",
            elem_classes="segments",
            visible=found is not None,
        )
        plain = {"show_label": False, "container": False, "elem_classes": "figure", "visible": found is not None}
        a.controls = gr.HTML(visible=found is not None)
        a.signatures = gr.Plot(label="Mean routing of each task", **plain)
        a.similarity = gr.Plot(label="Which tasks route alike", **plain)
        a.points = gr.Plot(label="Every run as a point", **plain)
        a.damage = gr.Plot(
            label="What each family loses without a head",
            **plain | {"visible": found is not None and found.damage is not None},
        )
        if found:
            gr.HTML(evidence.usage(found.atlas.usage, names=TOWERS))
            gr.HTML(evidence.claims(found.claims), visible=bool(found.claims))
    with gr.Column(elem_classes="card", elem_id="every"):
        gr.HTML(
            "<h2>Your clip, asked by every family</h2><p class='key'>Takes the clip of the first tab. Each run "
            "joins the points above, ringed.</p>"
        )
        a.ask = gr.Button("Ask in every family", variant="primary", elem_id="ask-every")
        a.answers = gr.HTML(elem_id="answers")
    return a


def atlas_words(found: Atlas | None) -> str:
    if found is None:
        return (
            "<p class='key'>No atlas came with this model. Make one with <code>python -m crab atlas --data DIR "
            "--out assets/atlas.npz --damage assets/damage.json</code>.</p>"
        )
    told = "".join(f"<li>{escape(sentence)}</li>" for sentence in (found.verdict, *found.separations) if sentence)
    runs, scenes = len(found.atlas.datasets), len(set(found.atlas.scenes))
    return (
        "<p class='key'>A signature is a run’s mean router weight by layer and head, over the answer’s tokens. "
        f"Here are {runs} runs of {escape(found.atlas.model)} about {scenes} drawn scenes. Weights alone explain "
        f"nothing; the tables of changes and claims, where heads were muted, are about cause.</p><ul class='notes'>{told}</ul>"
    )


def mapping(
    f: SimpleNamespace, s: SimpleNamespace, a: SimpleNamespace, tab: gr.Tab, found: Atlas | None, model: SimpleNamespace
) -> None:
    """Wires the third tab."""
    inputs = [getattr(f, name) for name in INPUTS]

    def on_atlas(runs: list[Result], by: str, dark: bool) -> dict[Any, Any]:
        if found is None:
            return {a.points: gr.skip()}
        atlas, plane = found.atlas, atlases.project(found.atlas)
        means, alike = atlases.means(atlas, by=by), atlases.similarity(atlas, by=by)
        mean, low, high, _ = zip(*means.values())
        families = [TASKS[name].family if by == "dataset" else name for name in alike.names]
        own = [
            (*plane.place(sign).tolist(), named(run, i))
            for i, run in enumerate(runs)
            if run.routing and (sign := atlases.signature(run.routing)).sites == plane.sites
        ]
        labels = [f"{name}, {scene}" for name, scene in zip(atlas.datasets, atlas.scenes)]
        updates = {
            a.controls: evidence.controls(atlas.controls, by=by, tokens=separation.TOKENS),
            a.signatures: charts.signatures(mean, list(means), low=low, high=high, layers=atlas.layers, dark=dark),
            a.similarity: charts.similarity(
                alike.matrix, alike.names, families=families, limits=(-1, 1), measure="cosine", dark=dark
            ),
            a.points: charts.projection(
                plane.points, atlas.families, labels, own=own, explained=tuple(plane.explained), dark=dark
            ),
        }
        if found.damage:
            t = found.damage
            updates[a.damage] = charts.damage(
                t.values, t.rows, t.families, low=t.low, high=t.high, counts=t.counts, limit=0.25, dark=dark
            )
        return updates

    def on_every(runs: list[Result], *values: Any) -> Iterator[dict[Any, Any]]:
        asked, rows = dict(zip(INPUTS, values)), []
        yield {a.ask: gr.update(interactive=False), a.answers: WAITING}
        try:
            with sentences():
                if asked["question"]:
                    check_question(chosen(asked), asked["question"])
                for name, family in FAMILIES.items():
                    one = asked | {"family": name, f"{name}_as": family.default}
                    task = chosen(one)
                    if task.grammar == "match":
                        rows.append(f"<p><b>{escape(family.title)}</b> needs two clips: ask it in the first tab.</p>")
                        continue
                    typed = task.needs and asked["family"] == name and asked["question"]
                    clip, other = opened(one)
                    with closing(model.answers(clip, task, typed or WORDS[task.needs][1], other)) as results:
                        for result in results:
                            said = text.chips(result.answer, colours=theme.answer_colours(result.answer))
                            yield {a.answers: "".join([*rows, f"<h3>{escape(family.title)}</h3>{said}"])}
                    rows.append(f"<h3>{escape(family.title)}</h3>{said}")
                    updates = kept(s, runs, result)
                    runs = updates[s.runs]
                    yield updates
            yield {a.ask: gr.update(interactive=True), a.answers: "".join(rows)}
        except gr.Error as error:
            yield {a.ask: gr.update(interactive=True), a.answers: f"{''.join(rows)}{told_here(error)}"}

    draw = {
        "fn": on_atlas,
        "inputs": [s.runs, a.by, f.dark],
        "js": WITH_DARK,
        "queue": False,
        "outputs": [a.controls, a.signatures, a.similarity, a.points, a.damage],
        "api_visibility": "private",
        "show_progress": "hidden",
    }
    tab.select(**draw)
    a.by.input(**draw)
    every = a.ask.click(
        on_every,
        [s.runs, *inputs],
        [a.ask, a.answers, s.runs, s.source],
        js=WITH_DARK,
        concurrency_id="model",
        api_visibility="private",
        show_progress="hidden",
    )
    every.failure(None, None, a.ask, js=FREE_ONE, api_visibility="private")
    every.then(**draw)


def composer(note: str) -> SimpleNamespace:
    """The second tab: a scene as rows of a form, how it looks, what to ask of it, the answer now and the one before."""
    c = SimpleNamespace(rows=[])
    backdrop, rows, seed = compose.surprise(FIRST)
    with gr.Column(elem_classes="card", elem_id="scene"):
        with gr.Row(elem_classes="backdrop"):
            c.backdrop = gr.Radio(
                [(name.capitalize(), name) for name in BACKDROPS],
                value=backdrop,
                label="Backdrop",
                elem_classes="segments",
                scale=6,
            )
            c.seed, c.dice = dice("Its look", seed)
        for number in range(compose.MOST):
            c.rows.append(actor_row(number, rows[number] if number < len(rows) else compose.Row()))
        c.problem = gr.HTML(visible=False, elem_id="scene-problem")
        with gr.Row(elem_classes="actions"):
            c.render = gr.Button("Render", variant="primary", elem_id="render", scale=0, min_width=185)
            c.surprise = gr.Button("Surprise me", elem_id="surprise", scale=0, min_width=185)
    with gr.Row(elem_classes="columns"):
        with gr.Column(scale=5, min_width=300):
            c.still = gr.Image(
                label="How it looks",
                interactive=False,
                format="png",
                buttons=["fullscreen"],
                elem_id="still",
                alt_text="The scene at the second chosen below",
            )
            c.second = gr.Slider(0, DURATION - 1, 2, step=1, label="At second", buttons=[], elem_id="second")
            c.film = gr.Video(label="The clip", interactive=False, visible=False, elem_id="film")
        with gr.Column(scale=7, min_width=300):
            gr.HTML(note, elem_classes="model")
            c.question = gr.Dropdown(label="A question with a clear answer", elem_id="asked")
            c.own = gr.Textbox(
                label="Or one of your own",
                placeholder="Its truth is then not known here",
                lines=1,
                elem_id="own",
                max_length=LONGEST_QUESTION,
            )
            with gr.Row(elem_classes="actions"):
                c.ask = gr.Button("Ask", variant="primary", scale=3, elem_id="compose-ask")
                c.stop = gr.Button("Stop", scale=1, min_width=90, interactive=False, elem_id="compose-stop")
                c.go = gr.Button(visible="hidden", elem_id="compose-go")
            with gr.Column(elem_classes="card", elem_id="now"):
                gr.HTML("<h2>Now</h2>")
                c.now = gr.HTML(
                    "<p class='empty'>The answer appears here beside the truth. Then change one thing, ask "
                    "again, and compare.</p>",
                    label="Answer beside the truth",
                )
                c.facts = gr.HTML(elem_classes="compared", label="Who answered, in what time")
                c.copy = gr.Button("Copy link", size="sm", visible=False)
            with gr.Column(elem_classes="card", elem_id="before", visible=False) as c.earlier:
                gr.HTML("<h2>Before</h2>")
                c.before = gr.HTML(label="The answer before")
    with gr.Column(elem_classes="card closer", visible=False) as c.closer:
        gr.HTML(CLOSER)
        c.explorer = gr.HTML(label="Router weights")
    c.shown = gr.State(time_to_live=OPEN)  # (scene, path) of the film on screen
    c.last = gr.State(time_to_live=OPEN)  # what is on the card "Now", as `compared` takes it
    c.link = gr.Textbox(visible=False)  # as on the answer sheet
    c.dark = gr.Checkbox(visible=False)
    return c


def dice(label: str, value: int, **more: Any) -> tuple[gr.Number, gr.Button]:
    """A whole number, and a button that draws another."""
    with gr.Row(elem_classes="dice"):
        number = gr.Number(value, label=label, precision=0, minimum=0, min_width=60, scale=2, **more)
        button = gr.Button("⚄", min_width=36, scale=0, elem_classes="die")
    return number, button


def actor_row(number: int, row: compose.Row) -> SimpleNamespace:
    r = SimpleNamespace()
    with gr.Row(elem_classes="actor", elem_id=f"actor-{number + 1}"):
        r.actor = gr.Dropdown(
            [("Nobody", ""), *compose.names()], value=row.actor, label=f"Actor {number + 1}", min_width=150, scale=3
        )
        with gr.Row(visible=bool(row.actor), elem_classes="doing") as r.doing:
            r.place = gr.Slider(0, 100, row.place, step=1, label="← Place →", buttons=[], min_width=120)
            r.size = gr.Slider(
                compose.SMALLEST, compose.LARGEST, row.size, step=1, label="Size", buttons=[], min_width=120
            )
            r.seen = gr.Textbox(
                row.seen,
                label="◎ Seen, seconds",
                placeholder="never",
                lines=1,
                min_width=100,
                max_length=LONGEST["stretch"],
            )
            r.heard = gr.Textbox(
                row.heard,
                label="♪ Heard, seconds",
                placeholder="never",
                lines=1,
                min_width=100,
                max_length=LONGEST["stretch"],
            )
            r.look, r.dice = dice("Look", row.look)
    return r


def row_fields(r: SimpleNamespace) -> list[Any]:
    """A row's inputs, in the order of the fields of compose.Row."""
    return [r.actor, r.place, r.size, r.seen, r.heard, r.look]


def filmed(scene: Scene, shown: tuple[Scene, str] | None, folder: str) -> tuple[Scene, str]:
    """The scene and its film: the one on screen where it is of this scene, else a new one in Gradio's own folder."""
    if shown and shown[0] == scene and Path(shown[1]).exists():
        return shown
    place = Path(folder) / uuid4().hex
    place.mkdir(parents=True)
    render.write_clip(scene, place / "scene.mp4", FILM, fps=15)
    return scene, str(place / "scene.mp4")


def compared(last: SimpleNamespace, told: str = "") -> str:
    """A card's HTML: the answer to `last.question` beside the truth, and what else is to be `told` (HTML)."""
    result, question = last.result, last.question
    said, meant = result.answer, compose.truth(question, result.size if result.frame is not None else FILM)
    verdict = compose.judge(said, meant, result.task.grammar) if result.done else None
    picture = "" if result.frame is None else compare.boxes(result.frame, said, meant, result.masks, of=result.size)
    return compare.card(
        said,
        meant,
        verdict,
        asked=compose.told(question),
        duration=result.clip.duration,
        picture=picture,
        changed=last.changed,
        facts=told,
    )


def earlier(last: SimpleNamespace) -> SimpleNamespace:
    """What was on the card "Now", for the card "Before": what had changed by then is an old story."""
    return SimpleNamespace(**vars(last) | {"changed": ()})


def composing(page: gr.Blocks, c: SimpleNamespace, tab: gr.Tab, model: SimpleNamespace) -> None:
    """Wires the second tab."""
    inputs = [c.backdrop, c.seed, *(field for r in c.rows for field in row_fields(r))]
    doing = [r.doing for r in c.rows]

    def on_change(shown: tuple[Scene, str] | None, second: int, asked: str | None, *form: Any) -> dict[Any, Any]:
        """How the scene looks now, and what it can be asked; a form that is no scene yet says why not."""
        updates = {r.doing: gr.update(visible=bool(form[2 + 6 * number])) for number, r in enumerate(c.rows)}
        try:
            with sentences():
                scene = compose.of_form(*form)
        except gr.Error as error:
            return updates | {c.problem: gr.update(value=told_here(error), visible=True)}
        choices, value = compose.choices(scene, asked or "")
        return updates | {
            c.problem: gr.update(visible=False),
            c.still: render.frame(scene, second + 0.5, (640, 480)),
            c.question: gr.update(choices=choices, value=value),
            c.film: gr.update(visible=bool(shown) and shown[0] == scene),
        }

    def on_second(second: int, *form: Any) -> Any:
        try:
            return render.frame(compose.of_form(*form), second + 0.5, (640, 480))
        except CrabError:
            return gr.skip()

    def on_render(shown: tuple[Scene, str] | None, *form: Any) -> dict[Any, Any]:
        try:
            with sentences():
                shown = filmed(compose.of_form(*form), shown, c.film.GRADIO_CACHE)
        except gr.Error as error:
            return {c.problem: gr.update(value=told_here(error), visible=True)}
        return {c.problem: gr.update(visible=False), c.shown: shown, c.film: gr.update(value=shown[1], visible=True)}

    def on_press(asked: str | None, own: str, *form: Any) -> dict[Any, Any]:
        """Whether to wait in the queue at all."""
        try:
            with sentences():
                check_own(own)
                compose.chosen(compose.of_form(*form), asked or "", own)
                check_room(page)
        except gr.Error as error:
            return {c.go: "", c.now: told_here(error), c.facts: ""} | turn(c, busy=False)
        return {c.go: "go"}

    def check_own(own: str) -> None:
        if own.strip():
            check_question(TASKS["avqa"], own)

    def on_ask(
        last: SimpleNamespace | None, shown: tuple[Scene, str] | None, asked: str | None, own: str, *form: Any
    ) -> Iterator[dict[Any, Any]]:
        kept = {}
        if last:
            kept = {c.earlier: gr.update(visible=True), c.before: compared(earlier(last), facts(last.result))}
        gone = {part: gr.update(visible=False) for part in (c.closer, c.copy)}
        yield kept | gone | {c.now: DRAWING, c.facts: ""} | turn(c, busy=True)
        try:
            with sentences():
                check_own(own)
                scene = compose.of_form(*form)
                question = compose.chosen(scene, asked or "", own)
                shown = filmed(scene, shown, c.film.GRADIO_CACHE)
                yield {
                    c.shown: shown,
                    c.film: gr.update(value=shown[1], visible=True),
                    c.now: WAITING,
                    c.problem: gr.update(visible=False),
                }
                clip, task = open_clip(shown[1]), TASKS[question.dataset]
                clip = replace(clip, frame=question.time) if "image" in task.media else clip
                changed = compose.changes(last.scene, scene) if last else ()
                with closing(model.answers(clip, task, question.question, None)) as results:
                    for result in results:
                        last = SimpleNamespace(scene=scene, question=question, result=result, changed=changed)
                        yield {c.last: last, c.now: compared(last)}
            words = {"scene": json.dumps(form, separators=(",", ":")), "question": asked or "", "own": own}
            link = "?" + urlencode({name: value for name, value in words.items() if value})
            yield {c.facts: facts(result), c.link: link, c.copy: gr.update(visible=True)} | turn(c, busy=False)
        except gr.Error as error:
            yield {c.now: told_here(error), c.link: ""} | turn(c, busy=False)

    def on_explore(last: SimpleNamespace | None, link: str, dark: bool) -> dict[Any, Any]:
        if not link or last is None or not last.result.routing:  # without a link, the last was no answer
            return {c.closer: gr.skip()}
        with sentences():
            return {c.closer: gr.update(visible=True), c.explorer: explorer(last.result, c.explorer, dark)}

    def on_stop(last: SimpleNamespace | None) -> dict[Any, Any]:
        told = {c.now: compared(last), c.facts: facts(last.result)} if last else {c.now: ""}
        return turn(c, busy=False) | told

    at_once = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
    turns = {"fn": None, "outputs": [c.ask, c.stop], "api_visibility": "private"}
    redraw = {
        "fn": on_change,
        "inputs": [c.shown, c.second, c.question, *inputs],
        "outputs": [c.problem, c.still, c.question, c.film, *doing],
        **at_once,
    }
    done = [c.backdrop.input, c.seed.submit, c.seed.blur]
    for r in c.rows:
        done += [
            r.actor.input,
            r.place.release,
            r.size.release,
            r.seen.blur,
            r.seen.submit,
            r.heard.blur,
            r.heard.submit,
            r.look.submit,
            r.look.blur,
        ]
    gr.on(done, trigger_mode="always_last", **redraw)  # what is changed while a scene is drawn is drawn next
    for die, number in [(c.dice, c.seed), *((r.dice, r.look) for r in c.rows)]:
        die.click(None, None, number, js=DICE, api_visibility="private").then(**redraw)
    lucky = gr.Number(visible=False)
    c.surprise.click(None, None, lucky, js="() => Math.floor(Math.random() * 1e6)", api_visibility="private").then(
        compose.as_form, lucky, inputs, **at_once
    ).then(**redraw)
    c.second.change(on_second, [c.second, *inputs], c.still, trigger_mode="always_last", **at_once)
    c.render.click(
        on_render, [c.shown, *inputs], [c.problem, c.shown, c.film], api_visibility="private", show_progress_on=c.still
    )
    triggers = [c.ask.click, c.own.submit]
    gr.on(triggers, js=BUSY, **turns)
    pressed = gr.on(triggers, on_press, [c.question, c.own, *inputs], [c.go, c.now, c.facts, c.ask, c.stop], **at_once)
    pressed.success(None, c.go, None, js=GO % ("compose-stop", "compose-go"), api_visibility="private")
    pressed.failure(js=FREE, **turns)
    running = c.go.click(
        on_ask,
        [c.last, c.shown, c.question, c.own, *inputs],
        [
            c.last,
            c.shown,
            c.film,
            c.problem,
            c.earlier,
            c.before,
            c.now,
            c.facts,
            c.ask,
            c.stop,
            c.closer,
            c.copy,
            c.link,
        ],
        concurrency_id="model",
        trigger_mode="multiple",
        api_visibility="private",
        show_progress="hidden",
    )
    running.failure(js=FREE, **turns)
    running.then(None, js=OVER, api_visibility="private")
    c.stop.click(js=STOPPING, **turns)
    c.stop.click(on_stop, c.last, [c.now, c.facts, c.ask, c.stop], cancels=[running], **at_once | {"queue": True})
    explore = {"fn": on_explore, "inputs": [c.last, c.link, c.dark], "outputs": [c.closer, c.explorer], "js": WITH_DARK}
    running.success(None, c.link, None, js=NAME_LINK, api_visibility="private").then(**explore, **at_once)
    c.copy.click(None, js=COPY_LINK, api_visibility="private")
    tab.select(**redraw)


def overruling(change: str, heads: str) -> Intervention:
    """What a program asks for: `change` as `LEVELS` has it, `heads` as people count them, "1" or "1, 3"."""
    if not isinstance(change, str) or change not in LEVELS:
        raise CrabError(f"There is no change {shortened(str(change))}: choose one of {', '.join(LEVELS)}.")
    if change == "level":
        return Intervention(LEVELS[change])
    numbers = heads.replace(",", " ").split() if isinstance(heads, str) else []
    if not numbers or not all(number.isdecimal() and int(number) for number in numbers):
        raise CrabError(f"“{shortened(str(heads))}” names no head: give numbers from 1 on, such as 1, 3.")
    if change == "force" and len(numbers) > 1:
        raise CrabError("Only one head can be forced: give one number.")
    return Intervention(LEVELS[change], tuple(sorted({int(number) - 1 for number in numbers})))


def check_call(given: dict[str, Any], tasks: Collection[str], cache: str) -> dict[str, str]:
    """What stands against a program's call, a sentence by parameter. Quick, for before anything is queued.

    `given` is what was sent, by parameter; of files only those in Gradio's own folder, `cache`, are looked at. `tasks`
    are those that the call takes.
    """
    wrong = {name: told for name, told in NEEDED.items() if name in given and not given[name]}
    if wrong.keys() == {"first", "other"}:  # then the example's are taken
        wrong = {}
    wrong |= {name: told for name, sent in given.items() if (told := told_of_length(sent, cache))}
    if told := told_by(lambda: task_named(given["task"])):
        return wrong | {"task": told}
    task = task_named(given["task"])
    if given["task"] not in tasks:
        instead = "it compares two clips, call ask_pair" if task.grammar == "match" else f"choose {', '.join(tasks)}"
        return wrong | {"task": f"{given['task']} cannot be asked here: {instead}."}
    if "question" in given and (told := told_by(lambda: check_question(task, given["question"]))):
        wrong["question"] = told
    if "change" in given and (told := told_by(lambda: overruling(given["change"], given["heads"]))):
        wrong["heads"] = told
    return wrong


def programs(model: SimpleNamespace, examples: list[SimpleNamespace]) -> None:
    """The same for gradio_client and for agents (MCP), whose tools Gradio makes of these functions' docstrings.

    Files in; text as it grows out, and at its end JSON and router weights. What is left out has a value that works.
    """
    asked = {example.task.name: example for example in examples}

    def file(label: str, given: Path | None = None, shown: Path | None = None) -> gr.File:
        """An input: `given` is sent where it is left out, `shown` is what the API's page says to send."""
        made = gr.File(str(given) if given and given.exists() else None, label=label)
        if shown := shown or given:
            here = str(shown.relative_to(ASSETS.parent))
            made.example_payload = lambda: {"path": here, "url": here, "meta": {"_type": "gradio.FileData"}}
        return made

    clip, still = (asked[name].files["video"] if name in asked else None for name in ("avqa", "s4"))
    pair = asked["a2v"].files if "a2v" in asked else {}
    matches, places = FAMILIES["matching"].datasets, ("grounding", *FAMILIES["grounding"].datasets)
    alone = [name for name in (*FAMILIES, *TASKS) if name not in ("matching", *matches)]
    with gr.Row(visible=False):
        media, scene = file("media", clip), file("media", still)
        picture = file("picture", still and still.with_suffix(".jpg"))
        first, other = file("first", shown=pair.get("video")), file("other", shown=pair.get("other_video"))
        sound = file("sound", shown=pair.get("sound"))
        task, still_task = (gr.Dropdown(alone, value=name, label="task") for name in ("question", "grounding"))
        match = gr.Dropdown(matches, value="a2v", label="task")
        place = gr.Dropdown(places, value="grounding", label="task")
        question = gr.Textbox(asked["avqa"].question if clip else "", label="question", max_length=LONGEST_QUESTION)
        words = gr.Textbox("", label="question", max_length=LONGEST_QUESTION)
        second = gr.Number(label="second", placeholder="none", precision=0, maximum=Limits.seconds)
        change = gr.Dropdown(list(LEVELS), value="mute", label="change")
        heads = gr.Textbox("1", label="heads", max_length=LONGEST["heads"])
        outputs = [gr.Textbox(label="text"), gr.JSON(label="result"), gr.File(label="routing")]
        drawing = gr.Image(label="picture", format="png")
        button = gr.Button()

    def told(
        name: str, words: str, clip: Clip, beside: Clip | None = None, changed: Intervention | None = None
    ) -> Iterator[tuple[Any, ...]]:
        with closing(model.answers(clip, task_named(name), words, beside, changed)) as results:
            for result in results:
                yield result.text, None, None
        yield result.text, to_json(result), saved(result, outputs[2].GRADIO_CACHE)[1]

    def ask_clip(media: str, task: str = "question", question: str = "", second: int | None = None):
        """Ask a video, a sound or a picture what it shows and what it sounds like.

        Parameters:
            media: The clip: a video, sound or picture file of five minutes at most. Left out: an example of 10 seconds.
            task: localisation, question, captioning, action, emotion, grounding, or one dataset's wording of these.
            question: The question in words, where the task needs one; "question | option; option" for avqa_thu.
            second: For grounding, the second of the clip to look at, from 0; null for its middle.

        Returns:
            text, the answer in words
            result, JSON with events (seconds), boxes, points and masks (pixels), notes and token ids
            routing, a .npz file of all router weights
        """
        with sentences():
            yield from told(task, question, open_clip(media, frame=second))

    def ask_picture(
        picture: str, sound: str | None = None, task: str = "grounding", question: str = "", second: int | None = None
    ):
        """Ask a still picture together with a sound, by default which thing in it makes the sound, and where it is.

        Parameters:
            picture: The picture file. Left out: an example, a drawn scene.
            sound: A file whose sound belongs to the picture, also a video's; null for silence.
            task: A family or a dataset, as for ask_clip.
            question: The question, or for ref_avs the thing to look for, where the task needs words.
            second: The second of the sound that the picture belongs to, from 0; null for its start.

        Returns:
            text, result and routing as of ask_clip
        """
        with sentences():
            yield from told(task, question, open_clip(image=picture, audio=sound, frame=second))

    def ask_pair(first: str | None = None, other: str | None = None, sound: str | None = None, task: str = "a2v"):
        """Ask which of two goes with the other: which of two videos with a sound, or which of two sounds with a video.

        Parameters:
            first: The first clip, which for v2a brings the video. Left out together with `other`: an example pair.
            other: The second clip: for a2v the other video, for v2a the other sound.
            sound: For a2v the sound to match, for v2a the first sound; null for the first clip's own.
            task: a2v, which of two videos matches the sound; v2a, which of two sounds matches the video.

        Returns:
            text, result and routing as of ask_clip
        """
        with sentences():
            if not first and not other and pair:
                first, other, sound = (str(pair[name]) for name in ("video", "other_video", "sound"))
            yield from told(task, "", open_clip(first, audio=sound), open_clip(other))

    def ask_changed(
        media: str,
        change: str = "mute",
        heads: str = "1",
        task: str = "question",
        question: str = "",
        second: int | None = None,
    ):
        """Ask a clip with the routers overruled everywhere, to see what the answer of ask_clip owes to the heads.

        Parameters:
            media: The clip, as for ask_clip.
            change: mute (the heads add nothing), force (one head has every token) or level (all heads alike).
            heads: Which heads, numbers from 1: one or more to mute ("1, 3"), one to force; not used to level.
            task: A family or a dataset, as for ask_clip.
            question: The question in words, where the task needs one.
            second: For grounding, the second of the clip to look at, from 0; null for its middle.

        Returns:
            text, result and routing as of ask_clip; the first of the notes says what was changed
        """
        with sentences():
            yield from told(task, question, open_clip(media, frame=second), None, overruling(change, heads))

    def draw_picture(media: str, task: str = "grounding", question: str = "", second: int | None = None) -> Image.Image:
        """Ask where something is in a clip's picture, and get that picture with masks, boxes and points drawn on it.

        Parameters:
            media: The clip, as for ask_clip.
            task: grounding or one of its datasets: s4, ms3, ref_avs, arig.
            question: For ref_avs, the thing to look for in words.
            second: The second of the clip to look at, from 0; null for its middle.

        Returns:
            A PNG picture
        """
        with sentences():
            with closing(model.answers(open_clip(media, frame=second), task_named(task), question, None)) as results:
                [*_, result] = results
            return pictured(result)

    def call(function: Callable, name: str, inputs: list[Any], told: Any = outputs) -> None:
        names = list(signature(function).parameters)
        tasks = [value for _, value in inputs[names.index("task")].choices]

        def check(*values: Any) -> list[dict[str, Any]]:
            if len(values) < len(names):
                raise CrabError(f"There is too little in this call: send {', '.join(names)}.")
            wrong = check_call(dict(zip(names, values)), tasks, drawing.GRADIO_CACHE)
            return [gr.validate(name not in wrong, wrong.get(name, "")) for name in names]

        button.click(function, inputs, told, api_name=name, validator=check, concurrency_id="model")

    call(ask_clip, "ask", [media, task, question, second])
    call(ask_picture, "ask_picture", [picture, sound, still_task, words, second])
    call(ask_pair, "ask_pair", [first, other, sound, match])
    call(ask_changed, "ask_changed", [media, change, heads, task, question, second])
    call(draw_picture, "draw", [scene, place, words, second], drawing)


def build(crab: Crab, segmenter: Segmenter) -> gr.Blocks:
    """The page for one loaded model. Whatever belongs to a visitor lives in that visitor's session."""
    examples, found = listed_examples(), shipped_atlas()
    lent, cutting = zerogpu.lend(crab, segmenter)

    def answers(
        clip: Clip, task: Task, question: str, other: Clip | None, changed: Intervention | None = None
    ) -> Iterator[Result]:
        with sentences():
            results = ask(lent, clip, task, question, other=other, segmenter=cutting, intervention=changed)
            with closing(results):
                for result in results:
                    if ending.is_set():
                        raise CrabError("The page was closed before the answer was over.")
                    yield result

    def differ(one: Result, other: Result) -> effects.Comparison:
        """What differs; where both were asked the same, also how much likelier either run finds every token."""
        alike = (one.clip, one.task, one.question, one.other) == (other.clip, other.task, other.question, other.other)
        return effects.compare(one, other, crab=lent if alike else None)

    model = SimpleNamespace(answers=answers, differ=differ)
    switch = SWITCH_SPACE if os.environ.get("SPACE_ID") else SWITCH
    note = f"<p>Answering here: <strong>{escape(crab.name)}</strong></p><p>{escape(crab.knows)}</p>{switch}"
    with Page(title="Crab+", delete_cache=(3600, OPEN), fill_width=True) as page:
        gr.HTML(
            "<h1>Crab+</h1><p>Ask a clip what it shows and what it sounds like, and watch which heads of the "
            "model answer.</p>",
            elem_id="title",
        )
        with gr.Tabs(elem_id="pages") as tabs:
            with gr.Tab("Ask a clip", id="ask"):
                with gr.Row(elem_id="columns", elem_classes="columns"):
                    with gr.Column(scale=5, min_width=320):
                        f = form()
                        samples = [[str(example.files["video"]), example.label] for example in examples]
                        shelf = gr.Dataset(
                            samples=samples,
                            type="index",
                            components=["video", "textbox"],
                            headers=["Clip", "Asked"],
                            layout="table",
                            label="Examples",
                            visible=bool(examples),
                            elem_id="examples",
                        )
                    with gr.Column(scale=7, min_width=320):
                        gr.HTML(note, elem_id="model", elem_classes="model")
                        s = answer_sheet()
                        # Out of sight: makes the browser fetch Plotly now, not in the middle of the first answer.
                        gr.Plot(timeline.timeline((), 10.0), show_label=False, container=False, elem_id="ahead")
                s = SimpleNamespace(**vars(s), **vars(workbench()))
            with gr.Tab("Compose", id="compose") as composing_tab:
                c = composer(note)
            with gr.Tab("Atlas", id="atlas") as atlas_tab:
                a = atlas_sheet(found)
        programs(model, examples)
        asking(page, f, s, shelf, examples, model)
        working(f, s, model)
        composing(page, c, composing_tab, model)
        mapping(f, s, a, atlas_tab, found, model)
        opening(page, f, c, tabs, examples)

        def on_leave(request: gr.Request) -> None:
            """Gradio itself would keep for an hour what belongs to a visitor who has left."""
            if request.session_hash in page.state_holder:
                page.state_holder[request.session_hash].STATE_TTL_WHEN_CLOSED = LEFT

        page.unload(on_leave)
    return page.queue(max_size=WAITING_MOST, default_concurrency_limit=1)


def launch(page: gr.Blocks) -> None:
    """Serves the page from now on and says where, in system type and without hues: those are for clips and heads."""
    look = gr.themes.Base(
        neutral_hue="slate",
        primary_hue="slate",
        font_mono=["ui-monospace", "monospace"],
        font=[name.strip("'") for name in theme.FONT.split(", ")],
    )
    with redirect_stdout(io.StringIO()) as said:
        page.launch(
            theme=look,
            css_paths=ASSETS / "style.css",
            footer_links=["api", "settings"],
            js=LINKED.read_text(encoding="utf-8"),
            max_file_size=Limits.bytes,
            state_session_capacity=VISITORS,
            prevent_thread_lock=True,  # `main` waits
            mcp_server=True,
            run_history=False,
        )  # it would keep clips in the visitor's browser
    if page.mcp_error or page.share and not page.share_url:
        print(said.getvalue())  # why there is nothing for agents, or no link
    address = (page.share_url or page.local_url).rstrip("/")
    agents = f"\nFor agents (MCP): {address}/gradio_api/mcp/" if page.mcp_server else ""
    print(f"The page: {address}{agents}", flush=True)


def load() -> tuple[Crab, Segmenter]:
    """The model and the segmenter that the environment names. Raises CrabError where there is none."""
    model, adapter = os.environ.get("CRAB_MODEL") or "crab-mini", os.environ.get("CRAB_ADAPTER")
    parts = meant(model, segmenter=os.environ.get("CRAB_SEGMENTER"))
    quantize = os.environ.get("CRAB_QUANTIZE") or None
    return Crab.load(model, adapter, quantize=quantize), load_segmenter(parts.segmenter)


def main() -> None:
    """Serves until Ctrl-C or SIGTERM, also in the middle of an answer."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    process.start()  # or the first clip would wait for it
    page = None
    try:
        page = build(*load())
        launch(page)
        while True:
            time.sleep(0.5)
    except CrabError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: os._exit(130))  # whoever cannot wait
        ending.set()
        if page:
            page.close(verbose=False)
        leave(0 if page else 130)


def leave(status: int) -> None:
    """Ends the process without taking the interpreter apart.

    Answers run in daemon threads. Where one is inside torch when the interpreter ends, Python ends the thread as soon
    as it comes back, through frames of C++ that may not be left so, and C++ aborts the process (signal 6).
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
