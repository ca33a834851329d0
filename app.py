"""The Crab+ page: `python app.py` serves it on http://127.0.0.1:7860.

Environment: CRAB_MODEL (a folder or hub id laid out like Qwen/Qwen2.5-Omni-7B; crab-mini if unset), CRAB_ADAPTER (the
published .bin or a PEFT folder), CRAB_SEGMENTER ("grabcut", or a SAM 2 hub id or folder), and Gradio's own
GRADIO_SERVER_NAME, GRADIO_SERVER_PORT and GRADIO_SHARE.

Components, wiring and launch live here; what is asked lives in `crab`, what is drawn in `visualize`. The page has two
tabs. In "Ask a clip", `form` (what to ask) and `answer_sheet` (what came back) lay out their components and hand them
back by name, and `asking` wires them; in "Compose", `composer` and `composing` do the same for a scene that a visitor
puts together and whose truth is therefore known. `programs` is for gradio_client. `build` joins them.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported: the page calls nobody

import spaces  # noqa: E402  before anything that may touch CUDA; does nothing outside a ZeroGPU Space
import gradio as gr  # noqa: E402

from crab import CrabError  # noqa: E402
from crab.ask import Result, ask, to_json  # noqa: E402
from crab.media import Clip, Limits, open_clip  # noqa: E402
from crab.model import Crab  # noqa: E402
from crab.scenes import compose, render  # noqa: E402
from crab.scenes.script import BACKDROPS, DURATION, Scene  # noqa: E402
from crab.segment import Segmenter, load_segmenter  # noqa: E402
from crab.tasks import FAMILIES, TASKS, Task  # noqa: E402
from visualize import compare, masks, routing, text, theme, timeline  # noqa: E402

ASSETS = Path(__file__).parent / "assets"
SOURCES = [("Video", "video"), ("Sound", "sound"), ("Picture + sound", "picture"), ("Any file", "file")]
TOWERS = {"language": "Language model", "audio": "Hearing", "vision": "Seeing"}
GROUPS = {"text": "Prompt text", "audio": "Sound", "video": "Video", "image": "Picture", "generated": "Answer"}

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
# What to type, by Task.needs: label and example.
WORDS = {
    "": ("Your question", ""),
    "question": ("Your question", "How many instruments are playing?"),
    "options": ("Your question | its options", "What is barking? | a dog; a seal; a person"),
    "expression": ("What to look for", "the animal on the left that makes a sound"),
}
EMPTY = """<div class='empty'>The answer appears here as it is written, with bars over the clip’s seconds, the thing
that sounds marked on its picture, and the router weights behind every word.</div>"""
WAITING = "<div class='waiting' role='status'>Looking and listening</div>"
DRAWING = "<div class='waiting' role='status'>Drawing the scene</div>"
SWITCH = """<details><summary>Ask the 7B model instead</summary>
<p>Start the page with the released weights, each by hub id or folder: about 20 GB in all, so on a GPU.</p>
<pre>CRAB_MODEL=Qwen/Qwen2.5-Omni-7B \\
CRAB_ADAPTER=finetune_weights.bin \\
CRAB_SEGMENTER=facebook/sam2.1-hiera-large \\
python app.py</pre></details>"""
FIRST = 21  # the surprise that the second tab opens with
FILM = (320, 240)  # width and height of a composed scene
# Gradio runs these in the browser: `turn` at once, and figures are drawn for the page's light or dark ground.
BUSY = "() => [{__type__: 'update', interactive: false}, {__type__: 'update', interactive: true}]"
STOPPING = "() => [{__type__: 'update', interactive: false}, {__type__: 'update', interactive: false}]"
DICE = f"() => Math.floor(Math.random() * {compose.LOOKS})"
WITH_DARK = "(...values) => [...values.slice(0, -1), document.querySelector('.dark') !== null]"

log = logging.getLogger("crab.page")


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


def problem(sentence: str) -> gr.Error:
    return gr.Error(escape(sentence, quote=False), title="That did not work", print_exception=False)


def paced(results: Iterator[Result], *, every: float = 0.1) -> Iterator[Result]:
    """Ten results a second and always the last: no screen shows more, and a ZeroGPU worker has to pickle each."""
    shown = 0.0
    with closing(results):
        for result in results:
            if result.done or time.monotonic() - shown >= every:
                shown = time.monotonic()
                yield result


def gpu_seconds(clip: Clip, task: Task, question: str, other: Clip | None) -> int:
    """How long to borrow a ZeroGPU for. A long clip is asked in windows, one answer each."""
    return min(120, 30 + round(clip.duration + (other.duration if other else 0)))


def opened(values: dict[str, Any]) -> tuple[Clip, Clip | None]:
    """The clip and, for matching, the other one, from what is on the form."""
    kind = values["matching_as"] if values["family"] == "matching" else values["source"]
    if kind in ("a2v", "v2a"):
        other = values["other_video" if kind == "a2v" else "other_sound"]
        return open_clip(values["video"], audio=values["sound"]), open_clip(other)
    second = whole_second(values["second"]) if values["family"] == "grounding" else None
    if kind == "picture":
        return open_clip(image=values["picture"], audio=values["sound"], frame=second), None
    return open_clip(values[kind], frame=second), None


def whole_second(typed: str) -> int | None:
    if typed and not typed.strip().isdecimal():
        raise CrabError(f"{typed} is not a second of the clip: give a whole number from 0 on, or nothing.")
    return int(typed) if typed else None


def listed_examples() -> list[SimpleNamespace]:
    """The clips in assets/examples, as its examples.json lists them: [file, family or dataset, question] each."""
    folder = ASSETS / "examples"
    if not (folder / "examples.json").exists():
        return []
    listed = json.loads((folder / "examples.json").read_text())
    return [SimpleNamespace(file=folder / file, task=task_named(name), question=question,
                            label=question or task_named(name).title)
            for file, name, question in listed]


def task_named(name: str) -> Task:
    """A dataset's task, or the one its family asks by default."""
    return TASKS[FAMILIES[name].default if name in FAMILIES else name]


def saved(result: Result, folder: str) -> tuple[str, str | None]:
    """Paths of the result as JSON and of its router weights, in Gradio's own folder, which `delete_cache` empties."""
    place = Path(folder) / uuid4().hex
    place.mkdir(parents=True)
    answer = place / "answer.json"
    answer.write_text(json.dumps(to_json(result), indent=2))
    if not result.routing:
        return str(answer), None
    routing.save_npz(result.routing, place / "routing.npz")
    return str(answer), str(place / "routing.npz")


def form() -> SimpleNamespace:
    """The left column: a clip, what to ask of it, Ask and Stop."""
    f = SimpleNamespace()
    f.source = gr.Radio(SOURCES, value="video", label="What do you have?", elem_classes="segments")
    f.video = gr.Video(label="Video", sources=["upload", "webcam"], include_audio=True, height=300, elem_id="video",
                       elem_classes="clip")
    f.other_video = gr.Video(label="Other video", include_audio=True, height=300, visible=False, elem_classes="clip")
    f.picture = gr.Image(label="Picture", type="filepath", height=300, visible=False)
    f.picture.preprocess = lambda file: file and file.path  # crab.media opens it: a broken picture gets its sentence
    f.sound = gr.Audio(label="Sound", type="filepath", buttons=["download"], visible=False)
    f.other_sound = gr.Audio(label="Other sound", type="filepath", buttons=["download"], visible=False)
    f.file = gr.File(label="Any video, sound or picture file", height=140, visible=False)
    f.family = gr.Radio([(family.title, family.name) for family in FAMILIES.values()], value="question",
                        label="What to ask", info=FAMILIES["question"].description, elem_classes="pills")
    f.question = gr.Textbox(label=WORDS["question"][0], placeholder=WORDS["question"][1], lines=1, elem_id="question")
    f.second = gr.Textbox(label="At which second?", placeholder="the middle of a video, the start of a picture’s sound",
                          visible=False)  # gr.Number turns empty into 0
    with gr.Accordion("Ask it as one dataset does", open=False) as f.details:
        for name, family in FAMILIES.items():
            ways = [(f"{TASKS[dataset].title} · {dataset}", dataset) for dataset in family.datasets]
            setattr(f, f"{name}_as", gr.Radio(ways, value=family.default, show_label=False, container=False,
                                              label="Dataset", visible=name == "question", elem_classes="list"))
    with gr.Row(elem_classes="actions"):
        f.ask = gr.Button("Ask", variant="primary", scale=3, elem_id="ask")
        f.stop = gr.Button("Stop", scale=1, min_width=90, interactive=False, elem_id="stop")
    f.dark = gr.Checkbox(visible=False)  # told by the browser; last, see WITH_DARK
    return f


def turn(f: SimpleNamespace, *, busy: bool) -> dict[Any, Any]:
    """Ask and Stop take turns. An answer hands the turn back; for one that was stopped, Stop does."""
    return {f.ask: gr.update(interactive=not busy), f.stop: gr.update(interactive=busy)}


def chosen(values: dict[str, Any]) -> Task:
    return TASKS[values[values["family"] + "_as"]]


def form_updates(f: SimpleNamespace, values: dict[str, Any]) -> dict[Any, dict[str, Any]]:
    """What the form has to show for the choices made on it."""
    source, family, task = values["source"], FAMILIES[values["family"]], chosen(values)
    matching, label_and_example = family.name == "matching", WORDS[task.needs]
    shown, sound_label = SHOWN[task.name if matching else source]
    return {getattr(f, name): gr.update(visible=name in shown)
            for name in ("video", "other_video", "picture", "other_sound", "file")} | {
        f.source: gr.update(visible=not matching),
        f.sound: gr.update(visible="sound" in shown, label=sound_label),
        f.family: gr.update(info=family.description),
        f.question: gr.update(visible=bool(task.needs), label=label_and_example[0], placeholder=label_and_example[1]),
        f.second: gr.update(visible=family.name == "grounding"),
        f.details: gr.update(open=matching, visible=len(family.datasets) > 1),
    } | {getattr(f, f"{name}_as"): gr.update(visible=name == family.name) for name in FAMILIES}


def answer_sheet() -> SimpleNamespace:
    """The right column: words, bars, picture, router weights, downloads."""
    s = SimpleNamespace()
    s.words = gr.HTML(EMPTY, elem_id="words", label="Answer")
    s.facts = gr.HTML(elem_id="facts", visible=False)
    with gr.Column(visible=False, elem_classes="card", elem_id="when") as s.when:
        gr.HTML("<h2>When</h2>")
        s.timeline = gr.Plot(show_label=False, container=False, label="Events over the clip’s seconds")
    with gr.Column(visible=False, elem_classes="card", elem_id="where") as s.where:
        gr.HTML("<h2>Where</h2>")
        s.picture = gr.Image(show_label=False, container=False, interactive=False, format="png",
                             buttons=["download", "fullscreen"], label="Picture with masks, boxes and points",
                             alt_text="The frame the answer is about, with masks, boxes and points drawn on it")
    with gr.Column(visible=False, elem_classes="card", elem_id="which") as s.which:
        gr.HTML("<h2>Which head</h2><p class='key'>Every adapted layer mixes a few heads anew for each token; the "
                "router’s weights say how.</p>")
        s.live = gr.HTML(elem_id="live")
        with gr.Column(visible=False) as s.weights:
            s.tower = gr.Radio(label="Part of the model", elem_classes="segments")
            with gr.Tab("Layers × heads"):
                s.group = gr.Radio(label="Averaged over", elem_classes="segments")
                s.overview = gr.Plot(show_label=False, container=False, label="Mean router weight by layer and head",
                                     elem_classes="figure")
            with gr.Tab("Every token"):
                s.head = gr.Radio(label="Head", elem_classes="segments")
                s.heatmap = gr.Plot(show_label=False, container=False, label="Router weight by layer and token",
                                    elem_classes="figure")
    with gr.Row(visible=False, elem_id="downloads") as s.downloads:
        s.json = gr.DownloadButton("Answer as JSON", size="sm")
        s.npz = gr.DownloadButton("Router weights as .npz", size="sm")
    s.result = gr.State()  # the Result on screen, for this session alone
    return s


def cleared(s: SimpleNamespace) -> dict[Any, Any]:
    """The sheet's updates before a new answer: nothing of the last one stays."""
    hidden = (s.facts, s.when, s.where, s.which, s.weights, s.downloads)
    return {part: gr.update(visible=False) for part in hidden} | {
        s.result: None, s.words: WAITING, s.live: gr.update(value="", visible=True)}


def facts(result: Result) -> str:
    """What to know about an answer, who gave it and how long it took."""
    first = "" if result.seconds.first_text is None else f"first words after {result.seconds.first_text:.1f} s · "
    notes = "".join(f"<li>{escape(note)}</li>" for note in result.notes)
    stopped = "" if result.done else "stopped · "
    return (f"<ul class='notes'>{notes}</ul><p class='quiet'>{stopped}{escape(result.model)} · {first}"
            f"{result.seconds.total:.1f} s in all · {len(result.token_ids)} tokens</p>")


def growing(s: SimpleNamespace, result: Result, before: Result | None, dark: bool) -> dict[Any, Any]:
    """The sheet's updates for a result: words and live weights always, figures only where `before` had others."""
    answer, colours = result.answer, theme.answer_colours(result.answer)
    updates = {s.result: result, s.words: text.chips(answer, colours=colours) if result.text else WAITING}
    if result.routing:
        updates |= {s.which: gr.update(visible=True), s.live: routing.live(result.routing["language"])}
    if answer.events != (before.answer.events if before else ()):
        updates |= bars(s, result, dark)
    if result.frame is not None and (before is None or marks(before) != marks(result)):
        picture = masks.overlay(result.frame, result.masks, answer.boxes, answer.points, colours=colours)
        updates |= {s.where: gr.update(visible=True), s.picture: picture}
    return updates


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
        s.facts: gr.update(value=facts(result), visible=True), s.downloads: gr.update(visible=True),
        s.json: gr.update(value=answer), s.npz: gr.update(value=weights, visible=weights is not None)}
    if result.task.grammar == "events" and not result.answer.events:  # a figure that says so
        updates |= bars(s, result, dark)
    if result.routing:
        towers = [(title, name) for name, title in TOWERS.items() if name in result.routing]
        updates |= {s.live: gr.update(visible=False), s.weights: gr.update(visible=True),
                    s.tower: gr.update(choices=towers, value="language")} | tower_updates(s, result, "language", dark)
    return updates


def tower_updates(s: SimpleNamespace, result: Result, tower: str, dark: bool) -> dict[Any, Any]:
    """Both figures and their choices, for one tower."""
    trace = result.routing[tower]
    heads = [("All", -1), *((f"Head {k + 1}", k) for k in range(trace.weights.shape[2]))]
    groups = [("All tokens", ""), *((GROUPS[name], name) for name in routing.token_groups(trace))]
    return {s.head: gr.update(choices=heads, value=-1), s.group: gr.update(choices=groups, value=""),
            s.heatmap: routing.heatmap(trace, dark=dark), s.overview: routing.overview(trace, dark=dark)}


def asking(f: SimpleNamespace, s: SimpleNamespace, shelf: gr.Dataset, examples: list[SimpleNamespace],
           answers: Any) -> None:
    """Wires the first tab."""
    inputs, fields, sheet = [getattr(f, name) for name in INPUTS], list(vars(f).values()), list(vars(s).values())

    def on_ask(*values: Any) -> Iterator[dict[Any, Any]]:
        asked = dict(zip(INPUTS, values))
        result = None
        yield cleared(s) | turn(f, busy=True)
        try:
            with sentences():
                clip, other = opened(asked)
                with closing(answers(clip, chosen(asked), asked["question"], other)) as results:
                    for latest in results:
                        if not latest.done:
                            yield growing(s, latest, result, asked["dark"])
                        result = latest
                yield finished(s, result, asked["dark"]) | turn(f, busy=False)
        except gr.Error as error:
            yield {s.words: f"<p class='problem' role='alert'>{error.message}</p>"} | turn(f, busy=False)
            raise

    def on_stop(result: Result | None, dark: bool) -> dict[Any, Any]:
        return turn(f, busy=False) | ({s.words: EMPTY} if result is None else finished(s, result, dark))

    def on_choice(*values: Any) -> dict[Any, Any]:
        return form_updates(f, dict(zip(CHOICES, values)))

    def on_example(number: int) -> dict[Any, Any]:
        example = examples[number]
        family = example.task.family
        values = {"source": "video", "family": family, f"{family}_as": example.task.name}
        updates = form_updates(f, values)
        for name, value in (values | {"video": str(example.file), "question": example.question}).items():
            updates[getattr(f, name)] |= {"value": value}
        return updates

    def on_tower(result: Result, tower: str, dark: bool) -> dict[Any, Any]:
        return tower_updates(s, result, tower, dark)

    def on_group(result: Result, tower: str, group: str, dark: bool) -> Any:
        trace = result.routing[tower]
        return routing.overview(trace, tokens=routing.token_groups(trace).get(group), dark=dark)

    def on_head(result: Result, tower: str, head: int, dark: bool) -> Any:
        return routing.heatmap(result.routing[tower], head=None if head < 0 else head, dark=dark)

    turns = {"fn": None, "outputs": [f.ask, f.stop], "api_visibility": "private"}
    at_once = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
    told = {"js": WITH_DARK, **at_once}
    triggers, choices = [f.ask.click, f.question.submit], [getattr(f, name) for name in CHOICES]
    gr.on(triggers, js=BUSY, **turns)
    # "multiple": a stopped answer ends with its last step only, and whoever asks again meanwhile waits in the queue.
    running = gr.on(triggers, on_ask, inputs, [*sheet, f.ask, f.stop], js=WITH_DARK, concurrency_id="model",
                   trigger_mode="multiple", api_visibility="private", show_progress="minimal",
                   show_progress_on=s.words)
    f.stop.click(js=STOPPING, **turns)
    f.stop.click(on_stop, [s.result, f.dark], [*sheet, f.ask, f.stop], cancels=[running],
                 **told | {"queue": True})  # after the last word
    gr.on([choice.input for choice in choices], on_choice, choices, fields, **at_once)
    shelf.click(on_example, shelf, fields, **at_once)
    s.tower.input(on_tower, [s.result, s.tower, f.dark], sheet, **told)
    s.group.input(on_group, [s.result, s.tower, s.group, f.dark], s.overview, **told)
    s.head.input(on_head, [s.result, s.tower, s.head, f.dark], s.heatmap, **told)


def composer(note: str) -> SimpleNamespace:
    """The second tab: a scene as rows of a form, how it looks, what to ask of it, the answer now and the one before."""
    c = SimpleNamespace(rows=[])
    backdrop, rows, seed = compose.surprise(FIRST)
    with gr.Column(elem_classes="card", elem_id="scene"):
        with gr.Row(elem_classes="backdrop"):
            c.backdrop = gr.Radio([(name.capitalize(), name) for name in BACKDROPS], value=backdrop, label="Backdrop",
                                  elem_classes="segments", scale=6)
            c.seed, c.dice = dice("Its look", seed)
        for number in range(compose.MOST):
            c.rows.append(actor_row(number, rows[number] if number < len(rows) else compose.Row()))
        c.problem = gr.HTML(visible=False, elem_id="scene-problem")
        with gr.Row(elem_classes="actions"):
            c.render = gr.Button("Render", variant="primary", elem_id="render", scale=0, min_width=150)
            c.surprise = gr.Button("Surprise me", elem_id="surprise", scale=0, min_width=150)
    with gr.Row(elem_classes="columns"):
        with gr.Column(scale=5, min_width=300):
            c.still = gr.Image(label="How it looks", interactive=False, format="png", buttons=["fullscreen"],
                               elem_id="still", alt_text="The scene at the second chosen below")
            c.second = gr.Slider(0, DURATION - 1, 2, step=1, label="At second", buttons=[], elem_id="second")
            c.film = gr.Video(label="The clip", interactive=False, visible=False, elem_id="film")
        with gr.Column(scale=7, min_width=300):
            gr.HTML(note, elem_classes="model")
            c.question = gr.Dropdown(label="A question with a clear answer", elem_id="asked")
            c.own = gr.Textbox(label="Or one of your own", placeholder="Its truth is then not known here", lines=1,
                               elem_id="own")
            with gr.Row(elem_classes="actions"):
                c.ask = gr.Button("Ask", variant="primary", scale=3, elem_id="compose-ask")
                c.stop = gr.Button("Stop", scale=1, min_width=90, interactive=False, elem_id="compose-stop")
            with gr.Column(elem_classes="card", elem_id="now"):
                gr.HTML("<h2>Now</h2>")
                c.now = gr.HTML("<p class='empty'>The answer appears here beside the truth. Then change one thing, ask "
                                "again, and compare.</p>", label="Answer beside the truth")
                c.facts = gr.HTML(elem_classes="compared", label="Who answered, in what time")
            with gr.Column(elem_classes="card", elem_id="before", visible=False) as c.earlier:
                gr.HTML("<h2>Before</h2>")
                c.before = gr.HTML(label="The answer before")
    c.shown = gr.State()  # (scene, path) of the film on screen
    c.last = gr.State()  # what is on the card "Now", as `compared` takes it
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
        r.actor = gr.Dropdown([("Nobody", ""), *compose.names()], value=row.actor, label=f"Actor {number + 1}",
                              min_width=150, scale=3)
        with gr.Row(visible=bool(row.actor), elem_classes="doing") as r.doing:
            r.place = gr.Slider(0, 100, row.place, step=1, label="← Place →", buttons=[], min_width=120)
            r.size = gr.Slider(compose.SMALLEST, compose.LARGEST, row.size, step=1, label="Size", buttons=[],
                               min_width=120)
            r.seen = gr.Textbox(row.seen, label="◎ Seen, seconds", placeholder="never", lines=1, min_width=100)
            r.heard = gr.Textbox(row.heard, label="♪ Heard, seconds", placeholder="never", lines=1, min_width=100)
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
    size = result.frame.shape[1::-1] if result.frame is not None else FILM
    said, meant = result.answer, compose.truth(question, size)
    verdict = compose.judge(said, meant, result.task.grammar) if result.done else None
    picture = "" if result.frame is None else compare.boxes(result.frame, said, meant, result.masks)
    return compare.card(said, meant, verdict, asked=compose.told(question), duration=result.clip.duration,
                        picture=picture, changed=last.changed, facts=told)


def earlier(last: SimpleNamespace) -> SimpleNamespace:
    """What was on the card "Now", for the card "Before": what had changed by then is an old story."""
    return SimpleNamespace(**vars(last) | {"changed": ()})


def composing(c: SimpleNamespace, tab: gr.Tab, answers: Any) -> None:
    """Wires the second tab."""
    inputs = [c.backdrop, c.seed, *(field for r in c.rows for field in row_fields(r))]
    doing = [r.doing for r in c.rows]

    def problem_told(error: gr.Error) -> str:
        return f"<p class='problem' role='alert'>{error.message}</p>"

    def on_change(shown: tuple[Scene, str] | None, second: int, asked: str | None, *form: Any) -> dict[Any, Any]:
        """How the scene looks now, and what it can be asked; a form that is no scene yet says why not."""
        updates = {r.doing: gr.update(visible=bool(form[2 + 6 * number])) for number, r in enumerate(c.rows)}
        try:
            with sentences():
                scene = compose.of_form(*form)
        except gr.Error as error:
            return updates | {c.problem: gr.update(value=problem_told(error), visible=True)}
        choices, value = compose.choices(scene, asked or "")
        return updates | {
            c.problem: gr.update(visible=False), c.still: render.frame(scene, second + 0.5, (640, 480)),
            c.question: gr.update(choices=choices, value=value),
            c.film: gr.update(visible=bool(shown) and shown[0] == scene)}

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
            return {c.problem: gr.update(value=problem_told(error), visible=True)}
        return {c.problem: gr.update(visible=False), c.shown: shown, c.film: gr.update(value=shown[1], visible=True)}

    def on_ask(last: SimpleNamespace | None, shown: tuple[Scene, str] | None, asked: str | None, own: str,
               *form: Any) -> Iterator[dict[Any, Any]]:
        kept = {}
        if last:
            kept = {c.earlier: gr.update(visible=True), c.before: compared(earlier(last), facts(last.result))}
        yield kept | {c.now: DRAWING, c.facts: ""} | turn(c, busy=True)
        try:
            with sentences():
                scene = compose.of_form(*form)
                question = compose.chosen(scene, asked or "", own)
                shown = filmed(scene, shown, c.film.GRADIO_CACHE)
                yield {c.shown: shown, c.film: gr.update(value=shown[1], visible=True), c.now: WAITING,
                       c.problem: gr.update(visible=False)}
                clip, task = open_clip(shown[1]), TASKS[question.dataset]
                clip = replace(clip, frame=question.time) if "image" in task.media else clip
                changed = compose.changes(last.scene, scene) if last else ()
                with closing(answers(clip, task, question.question, None)) as results:
                    for result in results:
                        last = SimpleNamespace(scene=scene, question=question, result=result, changed=changed)
                        yield {c.last: last, c.now: compared(last)}
            yield {c.facts: facts(result)} | turn(c, busy=False)
        except gr.Error as error:
            yield {c.now: problem_told(error)} | turn(c, busy=False)

    def on_stop(last: SimpleNamespace | None) -> dict[Any, Any]:
        told = {c.now: compared(last), c.facts: facts(last.result)} if last else {c.now: ""}
        return turn(c, busy=False) | told

    at_once = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
    turns = {"fn": None, "outputs": [c.ask, c.stop], "api_visibility": "private"}
    redraw = {"fn": on_change, "inputs": [c.shown, c.second, c.question, *inputs],
              "outputs": [c.problem, c.still, c.question, c.film, *doing], **at_once}
    done = [c.backdrop.input, c.seed.submit, c.seed.blur]
    for r in c.rows:
        done += [r.actor.input, r.place.release, r.size.release, r.seen.blur, r.seen.submit, r.heard.blur,
                 r.heard.submit, r.look.submit, r.look.blur]
    gr.on(done, trigger_mode="always_last", **redraw)  # what is changed while a scene is drawn is drawn next
    for die, number in [(c.dice, c.seed), *((r.dice, r.look) for r in c.rows)]:
        die.click(None, None, number, js=DICE, api_visibility="private").then(**redraw)
    lucky = gr.Number(visible=False)
    c.surprise.click(None, None, lucky, js="() => Math.floor(Math.random() * 1e6)", api_visibility="private").then(
        compose.as_form, lucky, inputs, **at_once).then(**redraw)
    c.second.change(on_second, [c.second, *inputs], c.still, trigger_mode="always_last", **at_once)
    c.render.click(on_render, [c.shown, *inputs], [c.problem, c.shown, c.film], api_visibility="private",
                   show_progress_on=c.still)
    triggers = [c.ask.click, c.own.submit]
    gr.on(triggers, js=BUSY, **turns)
    running = gr.on(triggers, on_ask, [c.last, c.shown, c.question, c.own, *inputs],
                   [c.last, c.shown, c.film, c.problem, c.earlier, c.before, c.now, c.facts, c.ask, c.stop],
                   concurrency_id="model", trigger_mode="multiple", api_visibility="private",
                   show_progress="hidden")
    c.stop.click(js=STOPPING, **turns)
    c.stop.click(on_stop, c.last, [c.now, c.facts, c.ask, c.stop], cancels=[running], **at_once | {"queue": True})
    tab.select(**redraw)


def programs(answers: Any) -> None:
    """The same asked by gradio_client: files in; text as it grows out, and at its end JSON and router weights."""
    with gr.Row(visible=False):
        media, sound, other = gr.File(label="media"), gr.File(label="sound"), gr.File(label="other")
        task = gr.Dropdown([*FAMILIES, *TASKS], value="question", label="task")
        match = gr.Dropdown(list(FAMILIES["matching"].datasets), value="a2v", label="task")
        place = gr.Dropdown([*FAMILIES, *TASKS], value="grounding", label="task")
        question, second = gr.Textbox("", label="question"), gr.Number(label="second", placeholder="none", precision=0)
        outputs = [gr.Textbox(label="text"), gr.JSON(label="result"), gr.File(label="routing")]
        button = gr.Button()

    def told(name: str, words: str, clip: Clip, beside: Clip | None = None) -> Iterator[tuple[Any, ...]]:
        with closing(answers(clip, task_named(name), words, beside)) as results:
            for result in results:
                yield result.text, None, None
        yield result.text, to_json(result), saved(result, outputs[2].GRADIO_CACHE)[1]

    def ask_clip(media: str, task: str = "question", question: str = "", second: int | None = None):
        """Ask a video, a sound or a picture; `task` is a family or a dataset, `second` where to look for grounding."""
        with sentences():
            yield from told(task, question, open_clip(media, frame=second))

    def ask_picture(picture: str, sound: str, task: str = "grounding", question: str = "", second: int | None = None):
        """Ask a picture with its sound; `second` is the second of the sound that the picture belongs to."""
        with sentences():
            yield from told(task, question, open_clip(image=picture, audio=sound, frame=second))

    def ask_pair(first: str, other: str, sound: str | None = None, task: str = "a2v"):
        """Ask which of two goes with the other: a2v, which video the sound; v2a, which of two sounds the video."""
        with sentences():
            yield from told(task, "", open_clip(first, audio=sound), open_clip(other))

    model = {"outputs": outputs, "concurrency_id": "model"}
    button.click(ask_clip, [media, task, question, second], api_name="ask", **model)
    button.click(ask_picture, [media, sound, place, question, second], api_name="ask_picture", **model)
    button.click(ask_pair, [media, other, sound, match], api_name="ask_pair", **model)


def build(crab: Crab, segmenter: Segmenter) -> gr.Blocks:
    """The page for one loaded model. Whatever belongs to a visitor lives in that visitor's session."""
    examples = listed_examples()

    @spaces.GPU(duration=gpu_seconds)
    def answers(clip: Clip, task: Task, question: str, other: Clip | None) -> Iterator[Result]:
        with sentences():
            yield from paced(ask(crab, clip, task, question, other=other, segmenter=segmenter))

    note = (f"<p>Answering here: <strong>{escape(crab.name)}</strong></p><p>{escape(crab.knows)}</p>{SWITCH}")
    with gr.Blocks(title="Crab+", delete_cache=(3600, 6 * 3600), fill_width=True) as page:
        gr.HTML("<h1>Crab+</h1><p>Ask a clip what it shows and what it sounds like, and watch which heads of the "
                "model answer.</p>", elem_id="title")
        with gr.Tabs(elem_id="pages"):
            with gr.Tab("Ask a clip", id="ask"):
                with gr.Row(elem_id="columns", elem_classes="columns"):
                    with gr.Column(scale=5, min_width=320):
                        f = form()
                        shelf = gr.Dataset(samples=[[str(example.file), example.label] for example in examples],
                                           type="index", components=["video", "textbox"], headers=["Clip", "Asked"],
                                           layout="table", label="Examples", visible=bool(examples),
                                           elem_id="examples")
                    with gr.Column(scale=7, min_width=320):
                        gr.HTML(note, elem_id="model", elem_classes="model")
                        s = answer_sheet()
            with gr.Tab("Compose", id="compose") as tab:
                c = composer(note)
        programs(answers)
        asking(f, s, shelf, examples, answers)
        composing(c, tab, answers)
    return page.queue(max_size=20, default_concurrency_limit=1)


def launch(page: gr.Blocks) -> None:
    """Serves the page until interrupted, in system type and without hues: those are for what a clip shows, and heads."""
    look = gr.themes.Base(neutral_hue="slate", primary_hue="slate", font_mono=["ui-monospace", "monospace"],
                          font=[name.strip("'") for name in theme.FONT.split(", ")])
    page.launch(theme=look, css_paths=ASSETS / "style.css", footer_links=["api", "settings"],
                run_history=False, max_file_size=Limits.bytes)  # run_history would keep clips in the visitor's browser


def load() -> tuple[Crab, Segmenter]:
    """The model and the segmenter that the environment names. Raises CrabError where there is none."""
    crab = Crab.load(os.environ.get("CRAB_MODEL") or ASSETS / "crab-mini", os.environ.get("CRAB_ADAPTER"))
    return crab, load_segmenter(os.environ.get("CRAB_SEGMENTER") or "grabcut")


def main() -> None:
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    try:
        page = build(*load())
    except CrabError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    launch(page)


if __name__ == "__main__":
    main()
