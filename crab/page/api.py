"""The page for programs: what gradio_client and agents (MCP) can ask, whose tools Gradio makes of docstrings here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from crab import CrabError, shortened
from crab.ask import to_json
from crab.intervention import Intervention, What
from crab.media import Clip, Limits, open_clip
from crab.page.answering import Answerer
from crab.page.files import Example, saved
from crab.page.form import told_of_length
from crab.page.parts import LONGEST, ROOT, sentences, stoppable, told_by
from crab.tasks import FAMILIES, LONGEST_QUESTION, TASKS, check_question, task_named
from crab.windows import check_over_time, read_stretch
from visualize import bundle

LEVELS: dict[str, What] = {"mute": "mute", "force": "force", "level": "uniform"}  # what programs call an intervention
# What to say of a parameter that is null.
NEEDED = {
    "media": "Give a clip: a video, a sound or a picture file.",
    "picture": "Give a picture file.",
    "first": "Give the first clip: the question compares two.",
    "other": "Give the second clip: the question compares two.",
}
MATCHES, PLACES = FAMILIES["matching"].datasets, ("grounding", *FAMILIES["grounding"].datasets)
ALONE = [name for name in (*FAMILIES, *TASKS) if name not in ("matching", *MATCHES)]


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


def asked_how(stretch: str | None, masks_over_time: bool | None = False) -> dict[str, Any]:
    """What `crab.ask.ask` is told beside clip and question. Raises CrabError where that is no stretch."""
    return {"stretch": read_stretch(stretch) if stretch else None, "over_time": bool(masks_over_time)}


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
    if told := told_by(lambda: asked_how(given.get("stretch"))):
        wrong["stretch"] = told
    if (masked := given.get("masks_over_time")) and (told := told_by(lambda: check_over_time(task))):
        wrong["masks_over_time"] = told
    if masked not in (None, True, False):
        wrong["masks_over_time"] = "Say true or false."
    return wrong


@dataclass(frozen=True)
class Programs:
    """Files in; text as it grows out, at its end JSON and router weights. What is left out has a value that works."""

    answerer: Answerer
    examples: Sequence[Example]
    outputs: list[Any] = field(default_factory=list)  # of the calls that answer, once `wire` has made them

    def wire(self) -> None:
        asked = {example.task.name: example for example in self.examples}
        clip, still = (asked[name].files["video"] if name in asked else None for name in ("avqa", "s4"))
        pair = self._pair()
        with gr.Row(visible=False):
            media, scene = _file("media", clip), _file("media", still)
            picture = _file("picture", still and still.with_suffix(".jpg"))
            first, other = _file("first", shown=pair.get("video")), _file("other", shown=pair.get("other_video"))
            sound = _file("sound", shown=pair.get("sound"))
            task, still_task = (gr.Dropdown(ALONE, value=name, label="task") for name in ("question", "grounding"))
            match = gr.Dropdown(MATCHES, value="a2v", label="task")
            place = gr.Dropdown(PLACES, value="grounding", label="task")
            typed = asked["avqa"].question if clip else ""
            question, words = (
                gr.Textbox(value, label="question", max_length=LONGEST_QUESTION) for value in (typed, "")
            )
            second = gr.Number(label="second", placeholder="none", precision=0, maximum=Limits.seconds)
            change = gr.Dropdown(list(LEVELS), value="mute", label="change")
            heads = gr.Textbox("1", label="heads", max_length=LONGEST["heads"])
            part = gr.Textbox("", label="stretch", max_length=LONGEST["seconds"])
            masked = gr.Checkbox(label="masks_over_time")
            self.outputs.extend([gr.Textbox(label="text"), gr.JSON(label="result"), gr.File(label="routing")])
            drawing = gr.Image(label="picture", format="png")
            button = gr.Button()
        told, seen = [task, question, second, part, masked], [picture, sound, still_task, words, second, part]
        _call(button, self.ask_clip, "ask", [media, *told], self.outputs)
        _call(button, self.ask_picture, "ask_picture", seen, self.outputs)
        _call(button, self.ask_pair, "ask_pair", [first, other, sound, match], self.outputs)
        _call(button, self.ask_changed, "ask_changed", [media, change, heads, *told], self.outputs)
        _call(button, self.draw_picture, "draw", [scene, place, words, second], drawing)

    def _pair(self) -> dict[str, Path]:
        """The example of two videos and a sound, by its fields."""
        return next((example.files for example in self.examples if example.task.name == "a2v"), {})

    def _told(
        self,
        name: str,
        words: str,
        clip: Clip,
        beside: Clip | None = None,
        changed: Intervention | None = None,
        **how: Any,
    ) -> Iterator[tuple[Any, ...]]:
        with closing(self.answerer.answers(clip, task_named(name), words, beside, changed, **how)) as results:
            for result in results:
                yield result.text, None, None
        yield result.text, to_json(result), saved(result, self.outputs[2].GRADIO_CACHE)[1]

    @stoppable
    def ask_clip(
        self,
        media: str,
        task: str = "question",
        question: str = "",
        second: int | None = None,
        stretch: str = "",
        masks_over_time: bool = False,
    ):
        """Ask a video, a sound or a picture what it shows and what it sounds like.

        Parameters:
            media: The clip: a video, sound or picture file of ten minutes at most. Left out: an example of 10 seconds.
            task: localisation, question, captioning, action, emotion, grounding, or one dataset's wording of these.
            question: The question in words, where the task needs one; "question | option; option" for avqa_thu.
            second: For grounding, the second of the clip to look at, from 0; null for its middle.
            stretch: Seconds of the clip to ask about, such as "2-6"; empty for all of it.
            masks_over_time: For grounding, whether every second is asked about and cut out, a minute at most.

        Returns:
            text, the answer in words
            result, JSON with events (seconds), boxes, points and masks (pixels), notes and token ids
            routing, a .npz file of all router weights
        """
        with sentences():
            how = asked_how(stretch, masks_over_time)
            yield from self._told(task, question, open_clip(media, frame=second), **how)

    @stoppable
    def ask_picture(
        self,
        picture: str,
        sound: str | None = None,
        task: str = "grounding",
        question: str = "",
        second: int | None = None,
        stretch: str = "",
    ):
        """Ask a still picture together with a sound, by default which thing in it makes the sound, and where it is.

        Parameters:
            picture: The picture file. Left out: an example, a drawn scene.
            sound: A file whose sound belongs to the picture, also a video's; null for silence.
            task: A family or a dataset, as for ask_clip.
            question: The question, or for ref_avs the thing to look for, where the task needs words.
            second: The second of the sound that the picture belongs to, from 0; null for its start.
            stretch: Seconds of the sound to ask about, such as "2-6"; empty for all of it.

        Returns:
            text, result and routing as of ask_clip
        """
        with sentences():
            clip = open_clip(image=picture, audio=sound, frame=second)
            yield from self._told(task, question, clip, **asked_how(stretch))

    @stoppable
    def ask_pair(self, first: str | None = None, other: str | None = None, sound: str | None = None, task: str = "a2v"):
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
            if not first and not other and (pair := self._pair()):
                first, other, sound = (str(pair[name]) for name in ("video", "other_video", "sound"))
            yield from self._told(task, "", open_clip(first, audio=sound), open_clip(other))

    @stoppable
    def ask_changed(
        self,
        media: str,
        change: str = "mute",
        heads: str = "1",
        task: str = "question",
        question: str = "",
        second: int | None = None,
        stretch: str = "",
        masks_over_time: bool = False,
    ):
        """Ask a clip with the routers overruled everywhere, to see what the answer of ask_clip owes to the heads.

        Parameters:
            media: The clip, as for ask_clip.
            change: mute (the heads add nothing), force (one head has every token) or level (all heads alike).
            heads: Which heads, numbers from 1: one or more to mute ("1, 3"), one to force; not used to level.
            task: A family or a dataset, as for ask_clip.
            question: The question in words, where the task needs one.
            second: For grounding, the second of the clip to look at, from 0; null for its middle.
            stretch: Seconds of the clip to ask about, as for ask_clip.
            masks_over_time: As for ask_clip.

        Returns:
            text, result and routing as of ask_clip; the first of the notes says what was changed
        """
        with sentences():
            changed, how = overruling(change, heads), asked_how(stretch, masks_over_time)
            yield from self._told(task, question, open_clip(media, frame=second), None, changed, **how)

    def draw_picture(
        self, media: str, task: str = "grounding", question: str = "", second: int | None = None
    ) -> Image.Image:
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
            results = self.answerer.answers(open_clip(media, frame=second), task_named(task), question, None)
            with closing(results):
                *_, result = results
            return bundle.picture(result)


def _file(label: str, given: Path | None = None, shown: Path | None = None) -> gr.File:
    """An input: `given` is sent where it is left out, `shown` is what the API's page says to send."""
    made = gr.File(str(given) if given and given.exists() else None, label=label)
    if shown := shown or given:
        here = str(shown.relative_to(ROOT))
        vars(made)["example_payload"] = lambda: {"path": here, "url": here, "meta": {"_type": "gradio.FileData"}}
    return made


def _call(button: gr.Button, function: Callable, name: str, inputs: list[Any], outputs: Any) -> None:
    """Makes a function an endpoint: what is wrong with a call is said before it is queued."""
    names = list(signature(function).parameters)
    tasks = [value for _, value in inputs[names.index("task")].choices]

    def check(*values: Any) -> list[dict[str, Any]]:
        if len(values) < len(names):
            raise CrabError(f"There is too little in this call: send {', '.join(names)}.")
        wrong = check_call(dict(zip(names, values)), tasks, button.GRADIO_CACHE)
        return [gr.validate(name not in wrong, wrong.get(name, "")) for name in names]

    button.click(function, inputs, outputs, api_name=name, validator=check, concurrency_id="model")
