"""The left column of the first tab: a clip, what to ask of it, Ask and Stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from filecmp import cmp
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from crab import CrabError, shortened
from crab.media import Clip, check_length, open_clip
from crab.page import links
from crab.page.files import Example
from crab.page.links import ClipLink
from crab.page.parts import LONGEST, OPEN, Updates, segments, told_by, turn
from crab.page.runs import asked_like, same_clip, same_file
from crab.result import Result
from crab.tasks import FAMILIES, LONGEST_QUESTION, TASKS, Family, Task, instruction
from crab.windows import Span, read_stretch

SOURCES = [("Video", "video"), ("Sound", "sound"), ("Picture + sound", "picture"), ("Any file", "file")]
MEDIA = ("video", "other_video", "picture", "sound", "other_sound", "file")
# The media that stand on the form for a source, or for one of the two ways to match; what the sound is called there.
SHOWN = {
    "video": ({"video"}, "Sound"),
    "sound": ({"sound"}, "Sound"),
    "picture": ({"picture", "sound"}, "Its sound"),
    "file": ({"file"}, "Sound"),
    "a2v": ({"video", "other_video", "sound"}, "Sound to match"),
    "v2a": ({"video", "other_sound", "sound"}, "First sound (empty: the video's own)"),
}
DEFAULT = "question"  # the family that is chosen at first
SUGGESTED = 8  # questions to click, at most
# What to say at an input that is empty. A sound is only missed where nothing else is given: a video has its own.
MISSING = {
    "video": "Give a video first: drop a file here, or record one.",
    "other_video": "Give the other video: the question compares two.",
    "picture": "Give a picture first: drop a file here.",
    "sound": "Give a sound first: drop a file here, or record one.",
    "other_sound": "Give the other sound: the question compares two.",
    "file": "Give a video, a sound or a picture first: drop a file here.",
}
# What to type, by Task.needs: label and example.
WORDS = {
    "": ("Your question", ""),
    "question": ("Your question", "How many instruments are playing?"),
    "options": ("Your question | its options", "What is barking? | a dog; a seal; a person"),
    "expression": ("What to look for", "the animal on the left that makes a sound"),
}


# --- what stands on it ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What stands on the form: what is asked, in the words of which dataset by family, and paths of media or None."""

    source: str
    family: str
    wordings: Mapping[str, str]  # family -> dataset
    media: Mapping[str, Any]  # by MEDIA
    question: str
    second: str
    seconds: str  # a stretch of the clip, as it is typed
    over_time: bool
    dark: bool

    @classmethod
    def of(cls, values: Sequence[Any]) -> Asked:
        """From the values of `Form.inputs`."""
        source, family, *rest = values
        wordings, rest = dict(zip(FAMILIES, rest)), rest[len(FAMILIES) :]
        media, rest = dict(zip(MEDIA, rest)), rest[len(MEDIA) :]
        return cls(source, family, wordings, media, *rest)

    @property
    def task(self) -> Task:
        return TASKS[self.wordings[self.family]]

    @property
    def stretch(self) -> Span | None:
        """Raises CrabError where it is none. Two clips are always asked about as wholes."""
        return read_stretch(self.seconds) if self.seconds.strip() and self.family != "matching" else None

    @property
    def how(self) -> dict[str, Any]:
        """What `crab.ask.ask` is told beside clip and question."""
        return {"stretch": self.stretch, "over_time": bool(self.over_time) and self.family == "grounding"}

    @property
    def given_as(self) -> str:
        """What SHOWN has the media under: their source, or for matching which of the two ways it goes."""
        return self.task.name if self.family == "matching" else self.source


def whole_second(typed: str) -> int | None:
    """A second of the clip as it is typed, None where nothing is. Raises CrabError where that is no whole number."""
    if typed and not (typed.strip().isdecimal() and len(typed) <= LONGEST["second"]):
        raise CrabError(f"{shortened(typed)} is not a second of the clip: give a whole number from 0 on, or nothing.")
    return int(typed) if typed else None


def opened(asked: Asked) -> tuple[Clip, Clip | None]:
    """The clip and, for matching, the other one. Raises CrabError as opening does."""
    kind, media = asked.given_as, asked.media
    if kind in ("a2v", "v2a"):
        other = media["other_video" if kind == "a2v" else "other_sound"]
        return open_clip(media["video"], audio=media["sound"]), open_clip(other)
    second = whole_second(asked.second) if asked.family == "grounding" else None
    if kind == "picture":
        return open_clip(image=media["picture"], audio=media["sound"], frame=second), None
    return open_clip(media[kind], frame=second), None


def lacking(asked: Asked, cache: str) -> dict[str, str]:
    """What stands against asking, a sentence by field. Quick, for before anything is queued.

    Files are as a browser sends them, and none is decoded. Only those in Gradio's own folder, `cache`, are looked at;
    what is elsewhere is refused where it is read.
    """
    needed, _ = SHOWN[asked.given_as]
    only = asked.given_as == "sound"
    wrong = {name: MISSING[name] for name in needed if not asked.media[name] and (name != "sound" or only)}
    wrong |= {name: told for name in needed if (told := told_of_length(asked.media[name], cache))}
    if told := told_by(lambda: instruction(asked.task, asked.question)):
        wrong["question"] = told
    if asked.family == "grounding" and (told := told_by(lambda: whole_second(asked.second))):
        wrong["second"] = told
    if told := told_by(lambda: asked.stretch):
        wrong["seconds"] = told
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


def shows(asked: Asked, clip: Clip, other: Clip | None) -> bool:
    """Whether the form shows the clip, and for matching the other one, that an answer is about: by their files."""
    given = [asked.media[name] for name in SHOWN[asked.given_as][0] if asked.media[name]]
    of = {file for one in (clip, other) if one for file in (one.video, one.image, one.audio) if file}
    return len(given) == len(of) and all(any(same_file(Path(file), about) for about in of) for file in given)


def answered_before(runs: list[Result], model: str, asked: Asked) -> int | None:
    """Which of a visitor's runs is this model's whole answer to what is asked, by what is in its files; None if none is."""
    try:
        alike = asked_like(runs, model, asked.task, asked.question, **asked.how)
    except CrabError:  # as below
        alike = []
    if not alike:
        return None
    try:
        clip, other = opened(asked)
    except CrabError:  # which is told where it is asked
        return None
    return next((n for n in alike if same_clip(runs[n].clip, clip) and same_clip(runs[n].other, other)), None)


def linked(examples: Sequence[Example], asked: Asked) -> str:
    """What to put after the page's address to ask the same again: only examples are there for everybody."""
    needed, _ = SHOWN[asked.given_as]
    for example in examples:
        if {"video"} <= needed <= example.files.keys() and all(
            asked.media[name] and cmp(example.files[name], asked.media[name], shallow=False) for name in needed
        ):
            stretch = asked.seconds.strip().replace("–", "-") if asked.stretch else ""
            masked = asked.how["over_time"]
            link = ClipLink(example.clip, asked.task.name, asked.question, asked.second, stretch, masked)
            return links.write(link)
    return ""


def file_shown(file: str | None) -> str:
    """HTML that shows or plays a file in Gradio's own folder; "" where there is none, or none that can be opened."""
    try:
        clip = open_clip(file)
    except CrabError:  # which is told where it is asked
        return ""
    source = f'src="gradio_api/file={quote(str(file))}"'
    if clip.image:
        return f'<img {source} alt="{escape(clip.name)}">'
    return f"<video {source} controls></video>" if clip.video else f"<audio {source} controls></audio>"


# --- its components -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Form:
    """The form's components; `wordings` and `media` by the keys of `Asked`."""

    source: gr.Radio
    family: gr.Radio
    wordings: dict[str, gr.Radio]
    media: dict[str, gr.Video | gr.Image | gr.Audio | gr.File]
    player: gr.HTML  # of the file, whatever it is: `file_shown`
    question: gr.Textbox
    typed: gr.State  # by family, what was typed when another was chosen; under "" the family that is chosen
    suggested: gr.Dataset  # questions to click, in the words of the model's lessons
    second: gr.Textbox
    seconds: gr.Textbox
    over_time: gr.Checkbox
    details: gr.Accordion  # around the wordings
    ask: gr.Button
    stop: gr.Button
    go: gr.Button  # out of sight, as `known`: `crab.start` presses them
    known: gr.Button
    pressed: gr.Textbox  # what `crab.start` is told
    dark: gr.Checkbox  # told by the browser

    @property
    def choices(self) -> list[gr.Radio]:
        return [self.source, self.family, *self.wordings.values()]

    @property
    def inputs(self) -> list[Any]:
        """As `Asked.of` takes their values; `dark` is last, see `crab.withDark`."""
        return [
            *self.choices, *self.media.values(), self.question, self.second, self.seconds, self.over_time, self.dark,
        ]  # fmt: skip

    def turn(self, *, busy: bool) -> Updates:
        return turn(self.ask, self.stop, busy=busy)

    def updates(self, source: str, task: Task) -> Updates:
        """What the form has to show for the choices made on it."""
        family = FAMILIES[task.family]
        matching, (label, example) = family.name == "matching", WORDS[task.needs]
        shown, sound_label = SHOWN[task.name if matching else source]
        found: Updates = {field: gr.update(visible=name in shown) for name, field in self.media.items()}
        found[self.media["sound"]] |= {"label": sound_label}
        found |= {
            self.player: gr.update(visible="file" in shown),
            self.source: gr.update(visible=not matching),
            self.family: gr.update(info=family.description),
            self.question: gr.update(visible=bool(task.needs), label=label, placeholder=example),
            self.second: gr.update(visible=family.name == "grounding"),
            self.seconds: gr.update(visible=not matching),
            self.over_time: gr.update(visible=family.name == "grounding"),
            self.details: gr.update(label=_as(task), visible=len(family.datasets) > 1),
        }
        if matching or task.name != family.default:  # what is chosen stays in sight; else it is as the visitor has it
            found[self.details]["open"] = True
        return found | {field: gr.update(visible=name == family.name) for name, field in self.wordings.items()}

    def instead(self, typed: Mapping[str, str], question: str, family: str) -> Updates:
        """Where another family was chosen, its own question in place of the one before, which waits for its return."""
        before = typed.get("", DEFAULT)
        if family == before:
            return {}
        return {self.typed: {**typed, before: question, "": family}, self.question: {"value": typed.get(family, "")}}

    def suggestions(self, questions: Sequence[str]) -> Updates:
        """Up to SUGGESTED questions to click; none, and there is nothing to see."""
        return {self.suggested: gr.update(samples=[[one] for one in questions[:SUGGESTED]], visible=bool(questions))}

    def filled(self, example: Example, task: Task, question: str) -> Updates:
        """The updates that ask `task` of an example. Raises CrabError where its files are gone."""
        if not all(file.is_file() for file in example.files.values()):
            raise CrabError(f"{example.clip} is no longer here: choose another example, or give a clip.")
        found = self.updates("video", task)
        values: Updates = {self.source: "video", self.family: task.family, self.wordings[task.family]: task.name}
        values |= {self.media[name]: str(file) for name, file in example.files.items()} | {self.question: question}
        values |= {self.seconds: "", self.over_time: False}
        found[self.typed] = {"": task.family}
        for field, value in values.items():
            found[field] |= {"value": value}
        return found

    def again(self, run: Result) -> Updates:
        """The updates that ask what a run was asked, of its own clips."""
        clip, other, task = run.clip, run.other, run.task
        source = "video" if clip.video else "picture" if clip.image else "sound"
        found = self.updates(source, task)
        files = {"video": clip.video, "picture": clip.image, "sound": None if clip.audio == clip.video else clip.audio}
        files |= {"other_video": other.video, "other_sound": other.audio} if other else {}
        values: Updates = {self.source: source, self.family: task.family, self.wordings[task.family]: task.name}
        values |= {self.question: run.question, self.second: "" if clip.frame is None else f"{clip.frame:.0f}"}
        values |= {self.seconds: typed(run.stretch), self.over_time: run.over_time}
        values |= {self.media[name]: str(file) for name, file in files.items() if file}
        found[self.typed] = {"": task.family}
        for field, value in values.items():
            found[field] |= {"value": value}
        return found


def typed(stretch: Span | None) -> str:
    """As `read_stretch` reads it."""
    return f"{stretch[0]:g}–{stretch[1]:g}" if stretch else ""


def lay_out(questions: Sequence[str] = ()) -> Form:
    """`questions`: to click at first."""
    source = segments(SOURCES, "What do you have?", value="video")
    media = _media()
    player = gr.HTML(visible=False, elem_id="file-shown", elem_classes="plays")
    family = gr.Radio(
        [(family.title, family.name) for family in FAMILIES.values()],
        value=DEFAULT,
        label="What to ask",
        info=FAMILIES[DEFAULT].description,
        elem_classes="pills",
    )
    label, example = WORDS["question"]
    kept = gr.State({}, time_to_live=OPEN)
    question = gr.Textbox(label=label, placeholder=example, lines=1, elem_id="question", max_length=LONGEST_QUESTION)
    suggested = gr.Dataset(
        components=[gr.Textbox(visible=False)],
        samples=[[one] for one in questions[:SUGGESTED]],
        label="Taught, to click",
        samples_per_page=SUGGESTED,
        visible=bool(questions),
        elem_id="suggested",
    )
    second = gr.Textbox(  # gr.Number turns empty into 0
        label="At which second?",
        placeholder="the middle of a video, the start of a picture’s sound",
        max_length=LONGEST["second"],
        visible=False,
    )
    over_time = gr.Checkbox(
        label="Masks over time",
        info="Asks about every second, a minute at most, and cuts out what it points at.",
        visible=False,
        elem_id="over-time",
    )
    seconds = gr.Textbox(
        label="Only these seconds",
        placeholder="all of the clip; or two seconds, such as 2–6",
        max_length=LONGEST["seconds"],
        elem_id="seconds",
    )
    with gr.Accordion(_as(TASKS[FAMILIES[DEFAULT].default]), open=False) as details:
        wordings = {name: _wording(family) for name, family in FAMILIES.items()}
    with gr.Row(elem_classes="actions"):
        ask = gr.Button("Ask", variant="primary", scale=3, elem_id="ask")
        stop = gr.Button("Stop", scale=1, min_width=90, interactive=False, elem_id="stop")
        go, known = (gr.Button(visible="hidden", elem_id=name) for name in ("go", "known"))
    pressed, dark = gr.Textbox(visible=False), gr.Checkbox(visible=False)
    return Form(
        source, family, wordings, media, player, question, kept, suggested, second, seconds, over_time, details, ask, stop, go, known, pressed,
        dark,
    )  # fmt: skip


def _as(task: Task) -> str:
    """What stands over the choice of a dataset: the one that is chosen, where it is not a family's own."""
    return f"Ask it as {'one dataset' if task.name == FAMILIES[task.family].default else task.name} does"


def _media() -> dict[str, Any]:
    """The inputs for files, by MEDIA. What plays is of class `plays`: there the page's playhead finds it."""
    film: dict[str, Any] = {"include_audio": True, "height": 300, "elem_classes": ["clip", "plays"]}
    # The browser's own player: it works by keys, and unlike a drawn wave it can be found and sought.
    heard: dict[str, Any] = {"waveform_options": gr.WaveformOptions(show_recording_waveform=False)}
    heard |= {"type": "filepath", "buttons": ["download"], "visible": False, "elem_classes": "plays"}
    video = gr.Video(label="Video", sources=["upload", "webcam"], elem_id="video", **film)
    other_video = gr.Video(label="Other video", visible=False, **film)
    picture = gr.Image(label="Picture", type="filepath", height=300, visible=False)
    # crab.media opens it: a broken picture gets its sentence.
    vars(picture)["preprocess"] = lambda file: file and file.path
    sound, other_sound = (gr.Audio(label=label, **heard) for label in ("Sound", "Other sound"))
    file = gr.File(label="Any video, sound or picture file", height=140, visible=False)
    return dict(zip(MEDIA, (video, other_video, picture, sound, other_sound, file)))


def _wording(family: Family) -> gr.Radio:
    """Which dataset's words to ask a family in."""
    return gr.Radio(
        [(f"{TASKS[dataset].title} · {dataset}", dataset) for dataset in family.datasets],
        value=family.default,
        show_label=False,
        container=False,
        label="Dataset",
        visible=family.name == DEFAULT,
        elem_classes="list",
    )
