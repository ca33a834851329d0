"""Scenes as items to train on: item `number` of a kind is the same scene and the same questions on every run.

What an item shows and plays is gathered from its scene as a clip that people ask about is (`crab.prompt.gather`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np

from crab import prompt
from crab.learn import mini
from crab.learn.pack import Item, pack, pack_plain
from crab.scenes.asking import drill, hearing, questions, seeing, telling
from crab.scenes.asking.questions import Question
from crab.scenes.asking.told import Told
from crab.scenes.clip import SceneClip
from crab.scenes.world import script
from crab.scenes.world.script import Scene
from crab.seen import Media
from crab.tasks import TASKS, Task

_SIZE = (mini.FRAME_SIZE, mini.FRAME_SIZE)

# Beside what is asked of the clip, conclusions from facts about another scene. Drawn without a clip alone they are
# learned fast and then forgotten as soon as there is one to look at.
_TOLD = 3
_ELSEWHERE = 5_000_011
_ANOTHER = 7_000_003  # from a scene that can be asked nothing to one that is practised on instead


def make_item(processor, kind: str, number: int) -> Item:
    """Item `number` of a kind: the scene of that seed, as the model is to see it, and what it is asked."""
    return KINDS[kind](processor, number, np.random.default_rng([number, *kind.encode()]))


def _few(asked: list, rng: np.random.Generator, n: int) -> list:
    return [asked[i] for i in rng.permutation(len(asked))[:n]]


# --- what a scene shows and plays -----------------------------------------------------------------------------------


def _shown(scene: Scene, task: Task, second: float = 0.0) -> Media:
    """A scene as the task has it; `second` is that of its picture, where it has one."""
    return prompt.gather(SceneClip(scene, _SIZE, second), task)


def _pair(pair: tuple[Scene, Scene], task: Task, which: int) -> Media:
    """Two videos and the sound of one, or a video and two sounds, as a matching task has them."""
    seen, heard = (pair[0], pair[which]) if task.media.count("video") == 2 else (pair[which], pair[0])
    return prompt.gather(SceneClip(seen, _SIZE, heard=heard), task, other=SceneClip(pair[1], _SIZE))


# --- what the base practises: plain questions (`crab.scenes.asking.told`) -------------------------------------------

_LOOK = replace(TASKS["s4"], media=("image",))  # of a task whose media it is, one alone
_LISTEN = replace(TASKS["ave"], media=("audio",))


def _see(processor, number: int, rng: np.random.Generator) -> Item:
    scene, time = script.write_picture(number), int(rng.integers(script.DURATION)) + 0.5
    asked = _few(seeing.picture(scene, time, rng), rng, 8)
    return pack_plain(processor, _shown(scene, _LOOK, time), _LOOK.media, asked)


def _hear(processor, number: int, rng: np.random.Generator) -> Item:
    write = (script.write, script.write_crowd, script.write, script.write_action, script.write_emotion)[number % 5]
    scene = write(number)
    return pack_plain(processor, _shown(scene, _LISTEN), _LISTEN.media, _few(hearing.sound(scene, rng), rng, 5))


def _film(task: Task, processor, number: int, rng: np.random.Generator) -> Item:
    scene = (script.write, script.write, script.write_crowd)[number % 3](number)
    asked = _few(telling.film(scene, rng), rng, 6)
    return pack_plain(processor, _shown(scene, task), ("video", "audio"), asked, told=_plain_conclusions(number, rng))


def _person(task: Task, write: Callable[[int], Scene], processor, number: int, rng: np.random.Generator) -> Item:
    scene = write(number)
    told = _plain_conclusions(number, rng)
    return pack_plain(processor, _shown(scene, task), ("video", "audio"), telling.film(scene, rng), told=told)


def _plain_still(task: Task, processor, number: int, rng: np.random.Generator) -> Item:
    """Every other one of a moment when somebody in view sounds."""
    scene = (script.write, script.write, script.write_crowd)[number % 3](number)
    times = [second + 0.5 for second in range(script.DURATION)]
    busy = [time for time in times if any(
        script.during(part.seen, time) and script.during(part.heard, time) for part in scene.parts)]  # fmt: skip
    time = float(rng.choice(busy if busy and number % 2 else times))
    # Whoever is heard in the five seconds around counts as heard, of which "moment" plays one alone.
    heard = script.heard_around(scene, prompt.around_still(time, scene.duration, task.sound)[:2])
    asked = _few(telling.still(scene, time, heard, rng), rng, 6)
    if not asked:
        return _plain_still(task, processor, number + _ANOTHER, rng)
    return pack_plain(processor, _shown(scene, task, time), ("image", "audio"), asked)


def _plain_pair(films: bool, processor, number: int, rng: np.random.Generator) -> Item:
    scenes, match = script.write_pair(number), int(rng.integers(2))
    shown = _pair(scenes, TASKS["a2v" if films else "v2a"], match)
    asked, told = telling.pair(scenes, match, rng, films=films), _plain_conclusions(number, rng)
    return pack_plain(processor, shown, ("video", "audio"), asked, told=told)


def _say(processor, number: int, rng: np.random.Generator) -> Item:
    """Without a clip: half of the time a conclusion, else a drill."""
    if number % 2:
        return pack_plain(processor, Media(), (), [drill.drill(_pieces(processor.tokenizer), rng)])
    return pack_plain(processor, Media(), (), [], told=_plain_conclusions(number, rng, 1))


def _plain_conclusions(number: int, rng: np.random.Generator, n: int = _TOLD) -> list[Told]:
    """Up to `n`, of scenes that are not shown; one in three of the hardest sort."""
    crowd, pair = script.write_crowd(number + _ELSEWHERE), script.write_pair(number + _ELSEWHERE)
    hard = n // 3 if n > 1 else int(rng.random() < 1 / 3)
    told = telling.conclusions(script.write(number + _ELSEWHERE) if rng.random() < 0.5 else crowd, rng)
    return _few(told, rng, n - hard) + _few(telling.which_is_where(crowd, pair, rng), rng, hard)


@lru_cache(maxsize=1)
def _pieces(words) -> tuple[str, ...]:
    """What the words of a tokenizer look like, but for the special ones."""
    kept = sorted(set(words.get_vocab().values()) - set(words.all_special_ids))
    texts = (words.decode([i]) for i in kept)
    return tuple(text for text in texts if text.isprintable() and "\ufffd" not in text)


# --- what the adapter learns: the nineteen formulations -------------------------------------------------------------


@dataclass(frozen=True)
class Subject:
    """Of scenes of a kind (`questions.KINDS`), `most` of the questions of these data sets, or all of them (None)."""

    scenes: str
    datasets: tuple[str, ...]
    most: int | None = 1


_SUBJECTS = {
    "events": Subject("objects", ("ave", "unav", "avvp", "avcap"), 4),
    "answers": Subject("objects", ("avqa",), 6),
    "choices": Subject("objects", ("avqa_thu",), 4),
    "box": Subject("objects", ("arig",)),
    "points": Subject("objects", ("s4", "ms3")),
    "refers": Subject("objects", ("ref_avs",), None),
    "action": Subject("action", questions.ACTION_SETS),
    "emotion": Subject("emotion", questions.EMOTION_SETS),
    "a2v": Subject("pair", ("a2v",)),
    "v2a": Subject("pair", ("v2a",)),
}


def _task_item(
    kind: str, conclude: Callable[..., list[Question]], processor, number: int, rng: np.random.Generator
) -> Item:
    told = conclude(number + _ELSEWHERE, rng)
    found = _about(_SUBJECTS[kind], number, rng)
    if found is None:
        number += _ANOTHER
        return _task_item(kind, conclude, processor, number, np.random.default_rng([number, *kind.encode()]))
    return pack(processor, *found, told=told)


def clip_about(name: str, subject: Subject, number: int) -> tuple[Media, list[Question]]:
    """The scene of a number as the model is to see it, and what it is asked of a subject of this name; where it can be
    asked nothing, that of another scene."""
    while (found := _about(subject, number, np.random.default_rng([number, *name.encode()]))) is None:
        number += _ANOTHER
    return found


def _about(subject: Subject, number: int, rng: np.random.Generator) -> tuple[Media, list[Question]] | None:
    scenes = questions.KINDS[subject.scenes]
    written = scenes.write(number)
    ask: Callable[..., list[Question]] = scenes.ask if subject.most else _descriptions
    asked = [question for question in ask(written, rng) if question.dataset in subject.datasets]
    if not asked:
        return None
    asked = asked if subject.most is None else _few(asked, rng, subject.most)
    first, task = asked[0], TASKS[asked[0].dataset]  # questions of one kind show their clip alike
    if isinstance(written, tuple):
        return _pair(written, task, first.which), asked
    return _shown(written, task, first.time), asked


def _descriptions(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """Several of what is seen in one picture, where a scene is otherwise asked about one."""
    return questions.ask_about(scene, float(rng.integers(script.DURATION)) + 0.5, rng)


def _conclusions(number: int, rng: np.random.Generator) -> list[Question]:
    """Up to `_TOLD`, one in three of the hardest sort, about which is where."""
    words, places = questions.ask_words(script.write(number), rng), _places(number, rng)
    return _few(words, rng, _TOLD - _TOLD // 2) + _few(places, rng, _TOLD // 2)


def _decisions(number: int, rng: np.random.Generator) -> list[Question]:
    """Twice as many, all of the sorts that take two things together: yes or no, true or false, which is where."""
    words = [asked for asked in questions.ask_words(script.write(number), rng) if asked.answer in _EITHER]
    return _few(words, rng, 4) + _few(_places(number, rng), rng, 2)


_EITHER = ("yes", "no", "true", "false")


def _places(number: int, rng: np.random.Generator) -> list[Question]:
    return [
        question for seed in (number, number + _ELSEWHERE)
        for question in questions.ask_places(script.write(seed), script.write_pair(seed), rng)
    ]  # fmt: skip


# --- the kinds ------------------------------------------------------------------------------------------------------

_PLAIN: dict[str, Callable[..., Item]] = {
    "see": _see, "hear": _hear, "say": _say,
    "film": partial(_film, TASKS["ave"]), "glimpses": partial(_film, TASKS["avqa"]),
    "deed": partial(_person, TASKS["ks"], script.write_action),
    "mood": partial(_person, TASKS["meld"], script.write_emotion),
    "moment": partial(_plain_still, TASKS["s4"]), "still": partial(_plain_still, TASKS["arig"]),
    "films": partial(_plain_pair, True), "sounds": partial(_plain_pair, False),
}  # fmt: skip
KINDS: dict[str, Callable[..., Item]] = (
    _PLAIN
    | {kind: partial(_task_item, kind, _conclusions) for kind in _SUBJECTS}
    | {
        f"{kind}, decided": partial(_task_item, kind, _decisions)
        for kind in ("a2v", "v2a", "answers", "choices", "refers")
    }
)
