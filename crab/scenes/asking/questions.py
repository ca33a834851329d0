"""What a scene can be asked, and the truth.

Questions carry the published data set's name, so that the same prompts and the same reading of answers serve the
shipped model and the released one. Target texts reason in a sentence or two that are true of the scene and end in the
data set's tagged result. Times are whole seconds, coordinates whole pixels of the 224 x 224 picture.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from crab.scenes.world import render, script
from crab.scenes.world.cast import ACTIONS
from crab.scenes.world.script import DURATION, Scene, heard_parts, seen_parts

from . import pointing, quiz
from .pointing import Pointed
from .quiz import Asked
from .words import NUMBERS, event, from_to, label, listed, one_of, side

OBJECT_SETS = ("ave", "unav", "avvp", "avqa", "avqa_thu", "avcap", "arig", "s4", "ms3", "ref_avs")
ACTION_SETS = ("ks", "ucf")
EMOTION_SETS = ("meld", "mer24", "cremad", "mafw", "dfew")
PAIR_SETS = ("a2v", "v2a")
DATASETS = (*OBJECT_SETS, *ACTION_SETS, *EMOTION_SETS, *PAIR_SETS)


@dataclass(frozen=True)
class Question:
    """One thing to ask of a scene.

    `question` is what a person types ("" where the data set's own instruction says it all), `target` the full text to
    answer, `answer` the bare reference: the word, the tagged events, the published reference sentence (arig), the
    caption. `given` begins the target with what is seen and heard, where the rest can be told from it and the question;
    else it is "". `time` is the second whose picture is meant where one picture is asked about, else 0. `fields` are the
    published fields that hold the truth; `actor` is whose mask is meant, "" for nobody's; `which` (0 or 1), of a pair,
    the scene that is both seen and heard.
    """

    dataset: str
    question: str
    target: str
    answer: str
    time: float = 0.0
    fields: dict = field(default_factory=dict)
    actor: str = ""
    which: int = 0
    given: str = ""


def ask(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """Every question of `OBJECT_SETS` that a scene of `script.write` has a clear answer to, of the two with questions
    several kinds."""
    asked = [_ave(scene, rng), _unav(scene, rng), _avvp(scene, rng), _avcap(scene, rng)]
    asked += [_avqa(kind(scene, rng), rng) for kind in quiz.KINDS]
    asked += [_avqa_thu(kind(scene, rng), rng) for kind in quiz.CHOICES]
    asked += [_arig(pointing.with_the_whole_sound(scene, rng))]
    asked += [_points("s4", pointing.with_its_second(scene, rng, several=False))]
    asked += [_points("ms3", pointing.with_its_second(scene, rng, several=True))]
    asked += [_ref_avs(pointing.described(scene, rng))]
    return [question for question in asked if question is not None]


def ask_action(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """`ACTION_SETS`, for scenes of `script.write_action`."""
    part = next(part for part in scene.parts if part.actor in ACTIONS)
    reason = one_of(
        rng,
        f"The person is {part.actor}, as is seen and heard.",
        f"The video shows a person {part.actor}.",
        f"I see and hear a person {part.actor}.",
    )
    close = one_of(rng, "The action is", "Therefore, the action is")
    target = f"{reason} {close} <answer>{part.actor}</answer>."
    return [
        Question("ks", "", target, part.actor, fields={"action": part.actor}),
        Question("ucf", "", target, part.actor, fields={"label": part.actor}),
    ]


LOOKS = {
    "neutral": ("the face is calm", "the voice is even"),
    "happy": ("the face smiles", "the voice is bright and quick"),
    "sad": ("the face is downcast", "the voice is low and slow"),
    "angry": ("the brows are drawn together", "the voice is loud and harsh"),
    "surprise": ("eyes and mouth are wide open", "the voice leaps up"),
    "disgust": ("the nose is wrinkled", "the voice is low and drawn out"),
    "fear": ("the brows are raised in worry", "the voice trembles"),
}
_EMOTION_FIELD = {"meld": "Emotion", "mer24": "discrete", "cremad": "emotion", "mafw": "emotion", "dfew": "emotion"}


def ask_emotion(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """`EMOTION_SETS`, for scenes of `script.write_emotion`."""
    feeling = scene.parts[0].actor
    face, voice = LOOKS[feeling]
    asked = []
    for name, truth in _EMOTION_FIELD.items():
        reason = one_of(rng, f"{face.capitalize()}, and {voice}.", f"{voice.capitalize()}, and {face}.")
        close = one_of(rng, "The emotion is", "Therefore, the person's emotion is")
        target = f"{reason} {close} <answer>{feeling}</answer>."
        asked.append(Question(name, "", target, feeling, fields={truth: feeling}))
    return asked


def ask_pair(pair: tuple[Scene, Scene], rng: np.random.Generator) -> list[Question]:
    """`PAIR_SETS`, for `script.write_pair`: which of the two videos goes with one sound, which of two sounds with one
    video."""
    one, other = int(rng.integers(2)), int(rng.integers(2))
    # Each name with its number right behind it: what follows a word already said is what a small model learns to find.
    sights = [f"{part.actor} {number}" for number, scene in zip(NUMBERS[1:], pair) for part in seen_parts(scene)]
    sounds = [f"{label(part)} {number}" for number, scene in zip(NUMBERS[1:], pair) for part in heard_parts(scene)]
    heard, shown = heard_parts(pair[one])[0], listed([part.actor for part in seen_parts(pair[other])], article=True)
    match = heard_parts(pair[other])[0]
    return [
        _match(
            "a2v",
            "video",
            pair,
            one,
            f"The audio is {label(heard)}. The videos show {listed(sights)},",
            heard.actor,
            {"audio_event": label(heard)},
        ),
        _match(
            "v2a",
            "audio",
            pair,
            other,
            f"The video shows {shown}. The sounds are {listed(sounds)},",
            label(match),
            {"video_event": label(match)},
        ),
    ]


def _match(
    dataset: str, kind: str, pair: tuple[Scene, Scene], which: int, given: str, found: str, fields: dict
) -> Question:
    answer, sounds = NUMBERS[which + 1], [label(heard_parts(scene)[0]) for scene in pair]
    target = f"{given} so {found} {answer}. Therefore, the matching {kind} is <answer>{answer}</answer>."
    fields |= {f"correct_{kind}": answer, f"{kind}1_event": sounds[0], f"{kind}2_event": sounds[1]}
    return Question(dataset, "", target, answer, fields=fields, which=which, given=given)


# ---- practice --------------------------------------------------------------


def ask_about(scene: Scene, time: float, rng: np.random.Generator) -> list[Question]:
    """Practice for ref_avs: several descriptions for the picture of one second."""
    asked = {}
    for _ in range(4):
        question = _ref_avs(pointing.described(scene, rng, time))
        if question is not None:
            asked[question.question] = question
    return list(asked.values())


def ask_sounding(scene: Scene, time: float, rng: np.random.Generator) -> list[Question]:
    """What sounds in the picture of a time, as arig, s4 and ms3 ask it; none where that is not clear."""
    asked = [_arig(pointing.with_the_whole_sound(scene, rng, time))]
    asked += [_points("s4", pointing.with_its_second(scene, rng, time, several=False))]
    asked += [_points("ms3", pointing.with_its_second(scene, rng, time, several=True))]
    return [question for question in asked if question is not None]


def ask_words(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """Thinking practice, for scenes of `script.write`: what can be told from words.

    Of ref_avs only what is true, and of what; where it is has to be seen.
    """
    asked = [_avqa(kind(scene, rng), rng) for kind in quiz.KINDS]
    asked += [_avqa_thu(kind(scene, rng), rng) for kind in quiz.CHOICES]
    asked += [
        replace(found, target=found.target.partition(" Its ")[0])
        for found in ask_about(scene, float(rng.integers(DURATION)) + 0.5, rng)
    ]
    return [question for question in asked if question is not None]


def ask_places(scene: Scene, pair: tuple[Scene, Scene], rng: np.random.Generator) -> list[Question]:
    """The same for a scene of `script.write` and a pair of `script.write_pair`: which number goes with which name."""
    return [*filter(None, [_avqa(quiz.left_of(scene, rng), rng)]), *ask_pair(pair, rng)]


# ---- data sets -------------------------------------------------------------


def _events(dataset: str, scene: Scene, rng: np.random.Generator, fields: dict) -> Question:
    heard = heard_parts(scene)
    sounds = listed([f"{label(part)} {from_to(part.heard)}" for part in heard])
    events = ", ".join(event("event", part, part.heard) for part in heard)
    reason = one_of(rng, f"The sound is {sounds}.", f"I hear {sounds}.")
    target = f"{reason} Therefore, the events and time range are {events}."
    return Question(dataset, "", target, events, fields=fields)


def _ave(scene: Scene, rng: np.random.Generator) -> Question | None:
    """As in that set: one event, in one stretch."""
    heard = heard_parts(scene)
    if len(heard) != 1 or len(heard[0].heard) != 1:
        return None
    [(start, end)] = heard[0].heard
    return _events("ave", scene, rng, {"event": label(heard[0]), "start_time": start, "end_time": end})


def _unav(scene: Scene, rng: np.random.Generator) -> Question:
    return _events("unav", scene, rng, {})


def _avvp(scene: Scene, rng: np.random.Generator) -> Question:
    seen, heard = seen_parts(scene), heard_parts(scene)
    sights = listed([part.actor for part in seen], article=True) or "no object"
    sounds = listed([label(part) for part in heard])
    events = " and ".join(
        filter(
            None,
            (
                ", ".join(event("visual_event", part, part.seen) for part in seen),
                ", ".join(event("audio_event", part, part.heard) for part in heard),
            ),
        )
    )
    reason = one_of(rng, f"The video shows {sights}, and the sound is {sounds}.", f"I see {sights} and hear {sounds}.")
    return Question("avvp", "", f"{reason} The events are {events}.", events, fields={"event": events})


def _avqa(asked: Asked | None, rng: np.random.Generator, time: float = 0.0) -> Question | None:
    if asked is None:
        return None
    close = one_of(rng, "The answer is", "So the answer is")
    target = f"{asked.reason} {close} <answer> {asked.answer} </answer>."
    fields = {"question": asked.question, "answer": asked.answer, "type": json.dumps(asked.kind)}
    return Question("avqa", asked.question, target, asked.answer, time, fields, given=asked.given)


def _avqa_thu(asked: Asked | None, rng: np.random.Generator) -> Question | None:
    if asked is None:
        return None
    options = list(asked.options)
    close = one_of(rng, "The answer is", "So the answer is")
    target = f"{asked.reason} {close} <answer>{asked.answer}</answer>."
    fields = {
        "question_text": asked.question,
        "multi_choice": options,
        "answer": asked.answer,
        "question_relation": asked.kind[0],
        "question_type": asked.kind[1],
    }
    return Question(
        "avqa_thu", f"{asked.question}, options:{options}", target, asked.answer, fields=fields, given=asked.given
    )


def _arig(found: Pointed | None) -> Question | None:
    if found is None or found.part is None or found.mask is None:
        return None
    box = render.box(found.mask)
    sentence = f"The sounding object is {found.part.actor}. Its coordinates are {pointing.obj(box)}."
    fields = {"a_obj": found.part.actor, "top_left": list(box[:2]), "bottom_right": list(box[2:])}
    return Question("arig", "", sentence, sentence, found.time, fields, found.part.actor)


def _points(dataset: str, found: Pointed | None) -> Question | None:
    if found is None or found.part is None or found.mask is None:
        return None
    name = found.part.actor
    target = f"The object making the sound in the video is {name}. Its {pointing.box_and_points(found.mask)}."
    return Question(dataset, "", target, name, found.time, {"a_obj": name}, name)


def _ref_avs(found: Pointed | None) -> Question | None:
    if found is None:
        return None
    if found.part is None or found.mask is None:
        target = f"{found.reason} <answer>false</answer> The object is absent."
        return Question("ref_avs", found.words, target, "false", found.time, {"split": "test_n"}, given=found.reason)
    name = found.part.actor
    target = (
        f"{found.reason} <answer>true</answer> The object is the {name}. Its {pointing.box_and_points(found.mask)}."
    )
    return Question("ref_avs", found.words, target, "true", found.time, {"split": "test_s"}, name, given=found.reason)


def _avcap(scene: Scene, rng: np.random.Generator) -> Question:
    seen, heard = seen_parts(scene), heard_parts(scene)
    names = [part.actor for part in seen]
    if not seen:
        sight = "The stage is empty."
    elif len(seen) == 1:
        sight = f"{listed(names, article=True).capitalize()} is {side(seen[0].x)}."
    else:
        sight = f"{quiz.in_a_row(names)}."
    sounds = listed([f"{label(part)} {from_to(part.heard)}" for part in heard])
    caption = f"{sight} {one_of(rng, 'The sound is', 'We hear')} {sounds} seconds."
    return Question("avcap", "", caption, caption)


# ---- the kinds of scene ----------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """Scenes of one kind: `write` makes of a seed what `ask` asks about, a scene or a pair of them."""

    datasets: tuple[str, ...]
    write: Callable[[int], Scene | tuple[Scene, Scene]]
    ask: Callable[..., list[Question]]


KINDS = {
    "objects": Kind(OBJECT_SETS, script.write, ask),
    "action": Kind(ACTION_SETS, script.write_action, ask_action),
    "emotion": Kind(EMOTION_SETS, script.write_emotion, ask_emotion),
    "pair": Kind(PAIR_SETS, script.write_pair, ask_pair),
}
