"""What Crab+ can be asked: 7 families, 19 datasets, all of it as data.

The texts are an interface. The published weights were trained on exactly these words, media orders and sound plans
(arXiv 2603.04128 and the code that came with it), so nothing here is worded for people except `title` and
`description`. No dataset has a code path of its own: whatever tells two of them apart is a field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from crab import CrabError, shortened

SYSTEM = (
    "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and "
    "visual inputs, as well as generating text and speech."
)


LONGEST_QUESTION = 2000
"""Characters that people may type: room for any question with its options, and seconds, not minutes, for the model."""

SLACK = 0.5  # seconds more than a length count as longer
LONGEST_HEARD = (
    60.0  # seconds of a clip whose sound is heard as the plan has it, which is as long as published clips get
)


@dataclass(frozen=True)
class SoundPlan:
    """Which samples of a sound the model hears. A piece is int(samples / pieces) samples long.

    whole    the first `pieces` pieces, unchanged (only the few samples of the division's rest fall away)
    windows  the stretches in `windows`, joined; each is (start, end) in pieces, both rounded down to whole samples
             (floor, also below 0), and what lies before 0 is silence
    fixed    exactly `seconds`: cut there, or silence after the end
    slice    one piece: around the second `Clip.frame`, or the one whose number is `Clip.piece`
    """

    kind: str  # "whole" | "windows" | "fixed" | "slice"
    pieces: int = 0
    seconds: float = 0.0
    windows: tuple[tuple[float, float], ...] = ()

    def spread(self, start: float, end: float) -> list[tuple[float, float]]:
        """What is heard of more than `LONGEST_HEARD` seconds, from `start` to `end`, so that no prompt grows with its
        clip: each stretch as long as it is there, in the middle of where it would be. Seconds, as `start` and `end`."""
        unit, short = (end - start) / self.pieces, LONGEST_HEARD / self.pieces
        spans = []
        for first, last in self.windows or [(i, i + 1) for i in range(self.pieces)]:
            begins = start + (first + last) / 2 * unit - (last - first) / 2 * short
            spans.append((begins, begins + (last - first) * short))
        return spans


@dataclass(frozen=True)
class Task:
    """One dataset's way of asking: everything that goes into its prompt and how its answer is to be read."""

    name: str  # as published
    family: str
    title: str  # for people
    lead: str  # the text before the media
    media: tuple[str, ...]  # in the prompt's order, each "video" | "audio" | "image"
    frames: int  # of each video; 0 where a picture is shown
    sound: SoundPlan
    instruction: str  # the text after the media; a template where `needs` says so
    grammar: str  # "events" | "choice" | "text" | "box" | "box_points" | "exists_box_points" | "match"
    needs: str = ""  # what the person types: "" | "question" | "options" | "expression"


@dataclass(frozen=True)
class Family:
    """Datasets that ask for the same kind of thing; `default` is asked when a person picks only the family."""

    name: str
    title: str
    description: str
    datasets: tuple[str, ...]
    default: str


_VIDEO = "This is a video and an audio:"
_IMAGE = "This is an image and an audio:"

_WHOLE = SoundPlan("whole", pieces=10)
_WHOLE_OF_5 = SoundPlan("whole", pieces=5)
_TEN_WINDOWS = SoundPlan("windows", pieces=60, windows=tuple((i - 0.5, i + 1.5) for i in range(0, 60, 6)))
_FOUR_SECONDS = SoundPlan("fixed", seconds=4.0)
_ONE_OF_5 = SoundPlan("slice", pieces=5)
_ONE_OF_10 = SoundPlan("slice", pieces=10)

_EVENTS = "Please describe the events and time range that occurred in the video."
_ACTION = "Please identify the action taking place in the video."
_EMOTION = "Please judge the person's emotion at the moment."
_SEGMENT = (
    "Please identify the category of the object producing the sound in the video frame. Then, provide the bounding "
    "box and three pixel points of the object that is making the sound within the frame."
)


def _clip(
    name: str,
    family: str,
    title: str,
    instruction: str,
    grammar: str,
    *,
    frames: int = 10,
    sound: SoundPlan = _WHOLE,
    needs: str = "",
) -> Task:
    return Task(name, family, title, _VIDEO, ("video", "audio"), frames, sound, instruction, grammar, needs)


def _picture(name: str, title: str, instruction: str, grammar: str, *, sound: SoundPlan, needs: str = "") -> Task:
    return Task(name, "grounding", title, _IMAGE, ("image", "audio"), 0, sound, instruction, grammar, needs)


def _emotion(name: str, title: str) -> Task:
    return _clip(name, "emotion", title, _EMOTION, "choice", frames=4, sound=_FOUR_SECONDS)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        _clip("ave", "localisation", "An event both seen and heard, and when", _EVENTS, "events"),
        _clip("unav", "localisation", "Every event, and when, in an untrimmed video", _EVENTS, "events"),
        _clip(
            "avvp",
            "localisation",
            "What is seen when, and what is heard when",
            "Please determine the events that occur based on the visual and audio information in the video, as well as "
            "the start and end times of these events.",
            "events",
        ),
        _clip(
            "avqa",
            "question",
            "A question about music being played",
            "Please answer this question: {question}",
            "choice",
            sound=_TEN_WINDOWS,
            needs="question",
        ),
        _clip(
            "avqa_thu",
            "question",
            "A question with answers to choose from",
            "Please answer the question based on the options: {question}, options:{options}",
            "choice",
            needs="options",
        ),
        _clip(
            "avcap", "captioning", "A description of picture and sound", "Please describe this video and audio.", "text"
        ),
        _clip("ks", "action", "An action that makes a sound", _ACTION, "choice"),
        _clip("ucf", "action", "A sport or an everyday action", _ACTION, "choice"),
        _emotion("meld", "A line of a TV dialogue"),
        _emotion("mer24", "Feelings in film and TV, in Chinese"),
        _emotion("cremad", "An actor speaking a sentence"),
        _emotion("mafw", "Mixed feelings in the wild"),
        _emotion("dfew", "A face in a film"),
        Task(
            "a2v",
            "matching",
            "Which of two videos matches the sound",
            "These are two videos and an audio:",
            ("audio", "video", "video"),
            10,
            _WHOLE,
            "Please listen to the audio and indicate which of the two videos matches what you hear.",
            "match",
        ),
        Task(
            "v2a",
            "matching",
            "Which of two sounds matches the video",
            "This is a video and two audio clips:",
            ("video", "audio", "audio"),
            10,
            _WHOLE,
            "Please view the video and indicate which of the two audio clips matches what you see.",
            "match",
        ),
        _picture("s4", "The one thing that sounds", _SEGMENT, "box_points", sound=_ONE_OF_5),
        _picture("ms3", "The things that sound, among several", _SEGMENT, "box_points", sound=_ONE_OF_5),
        _picture(
            "ref_avs",
            "A thing described in words",
            "Please analyze the video frame and audio to find the object described as <des>{expression}</des>. "
            'Answer with "true" or "false" whether the object exists. If it exists, respond with a sentence '
            "identifying the object's name, its bounding box, and three pixel points; if not, state that the object "
            "is absent.",
            "exists_box_points",
            sound=_ONE_OF_10,
            needs="expression",
        ),
        _picture(
            "arig",
            "A box around the thing that sounds",
            "Please recognize the category of object that makes the sound and then output its bounding box.",
            "box",
            sound=_WHOLE_OF_5,
        ),
    )
}


def _family(name: str, title: str, description: str, *, default: str) -> Family:
    datasets = tuple(task.name for task in TASKS.values() if task.family == name)
    return Family(name, title, description, datasets, default)


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        _family(
            "localisation",
            "Where and when",
            "Which events are heard, which are seen, from when to when?",
            default="avvp",
        ),
        _family("question", "Question answering", "Ask anything about what is seen and heard.", default="avqa"),
        _family("captioning", "Captioning", "Describe the clip, picture and sound, in words.", default="avcap"),
        _family("action", "Action recognition", "What is being done?", default="ks"),
        _family("emotion", "Emotion recognition", "How does the person feel, by face and voice?", default="meld"),
        _family(
            "matching", "Matching", "Which video goes with the sound, or which sound with the video?", default="a2v"
        ),
        _family(
            "grounding",
            "Segmentation and grounding",
            "Which thing in the picture makes the sound, or fits the words?",
            default="s4",
        ),
    )
}

# The published way to write the options of avqa_thu: a Python list, printed.
_OPTIONS = ", options:"
_BAR = re.compile(r"(?<!<)\|(?!>)")  # between question and options; those of a marker such as <|im_end|> are text


def task_named(name: str) -> Task:
    """A dataset's task, or the one its family asks by default. Raises CrabError where there is neither."""
    if not isinstance(name, str) or name not in (*FAMILIES, *TASKS):
        raise CrabError(f"There is no task {shortened(str(name))}: choose one of {', '.join((*FAMILIES, *TASKS))}.")
    return TASKS[FAMILIES[name].default if name in FAMILIES else name]


def dataset_named(name: str) -> Task:
    """A dataset's task. Raises CrabError where there is none of that name."""
    if name not in TASKS:
        raise CrabError(f"There is no task {name!r}; choose one of: {', '.join(TASKS)}.")
    return TASKS[name]


def check_question(task: Task, question: str) -> None:
    """Raise CrabError, with a sentence, where `question` cannot be asked with `task`. Quick: nothing is decoded."""
    check_words(question)
    instruction(task, question)


def check_words(question: str) -> None:
    """Raise CrabError where `question` can be asked with no task: it is no text, or too much.

    What is typed is checked for a task that needs no words too: it travels along with the answer.
    """
    if not isinstance(question, str):
        raise CrabError("The question has to be text; where a task needs none, leave it empty.")
    if len(question) > LONGEST_QUESTION:
        raise CrabError(f"The question is {len(question):,} characters long, and {LONGEST_QUESTION:,} can be asked at "
                        "most: please shorten it.")  # fmt: skip
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in question):
        raise CrabError("The question holds something that is no character, half of one or a zero byte: please type "
                        "it anew.")  # fmt: skip


def instruction(task: Task, question: str = "") -> str:
    """The text after the media, with the person's words filled in exactly as typed (`ref_avs` is put in lower case).

    A question with options is typed `question | one; another; a third`; the form the dataset is published in,
    `question, options:['one', 'another']`, is taken as it stands. Words for a task that needs none are not used.
    Raises CrabError if something needed is missing.
    """
    if task.needs and not question.strip():
        raise CrabError(_MISSING[task.needs])
    if task.needs == "options":
        question, options = _split_options(question)
        return task.instruction.format(question=question, options=options)
    return task.instruction.format(question=question, expression=question.lower())


_MISSING = {
    "question": "Type a question about the clip first, for example: How many instruments are playing?",
    "options": "Type a question and its options first, for example: What is barking? | a dog; a seal; a person",
    "expression": "Describe the object to look for first, for example: the instrument that plays loudest",
}


def _split_options(text: str) -> tuple[str, str]:
    question, found, options = text.rpartition(_OPTIONS)
    if found:
        return question, options
    bar = max((found.start() for found in _BAR.finditer(text)), default=len(text))
    question, listed = text[:bar], [option.strip() for option in text[bar + 1 :].split(";") if option.strip()]
    if not question.strip() or len(listed) < 2:
        raise CrabError(f"Give the question, a bar and at least two options: {_MISSING['options'].split(': ', 1)[1]}")
    return question.strip(), str(listed)
