"""Scenes as items to train on: item `number` of a kind is the same scene and the same questions on every run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from crab import prompt
from crab.learn import mini
from crab.learn.pack import Item, pack, pack_plain
from crab.media import SAMPLE_RATE
from crab.prompt import Media
from crab.scenes.asking import drill, hearing, questions, seeing, telling
from crab.scenes.asking.told import Told
from crab.scenes.world import render, script
from crab.tasks import TASKS, Task

_SIZE = (mini.FRAME_SIZE, mini.FRAME_SIZE)


def _times(frames: int) -> tuple[float, ...]:
    """When the frames of a 25 fps clip of ten seconds are."""
    return tuple(float(i) / 25 for i in np.rint(np.linspace(0, 249, frames)))


FRAME_TIMES = _times(10)

# What the kinds of item that show a whole clip ask about, and how many questions of it at most.
_OF_A_CLIP = {"events": (("ave", "unav", "avvp", "avcap"), 4), "answers": (("avqa",), 6), "choices": (("avqa_thu",), 4)}
# The same for those that show a picture and a stretch of sound.
_OF_A_STILL = {"box": ("arig",), "points": ("s4", "ms3")}
# Beside what is asked of the clip, conclusions from facts about another scene. Drawn without a clip alone they are
# learned fast and then forgotten as soon as there is one to look at.
_TOLD = 3
_ELSEWHERE = 5_000_011


def make_item(processor, kind: str, number: int) -> Item:
    """Item `number` of a kind: the scene of that seed, as the model is to see it, and what it is asked."""
    rng = np.random.default_rng([number, *kind.encode()])
    return _PLAIN[kind](processor, number, rng) if kind in _PLAIN else _task_item(processor, kind, number, rng)


# --- what the base practises: plain questions (`crab.scenes.asking.told`) -------------------------------------------------


def _see(processor, number: int, rng: np.random.Generator) -> Item:
    scene, time = script.write_picture(number), int(rng.integers(script.DURATION)) + 0.5
    asked = _few(seeing.picture(scene, time, rng), rng, 8)
    return pack_plain(processor, Media(picture=render.frame(scene, time, _SIZE)), ("image",), asked)


def _hear(processor, number: int, rng: np.random.Generator) -> Item:
    write = (script.write, script.write_crowd, script.write, script.write_action, script.write_emotion)[number % 5]
    scene = write(number)
    return pack_plain(processor, _heard([scene], TASKS["ave"]), ("audio",), _few(hearing.sound(scene, rng), rng, 5))


def _film(task: Task, processor, number: int, rng: np.random.Generator) -> Item:
    scene = (script.write, script.write, script.write_crowd)[number % 3](number)
    asked = _few(telling.film(scene, rng), rng, 6)
    return pack_plain(processor, _clip(scene, task), ("video", "audio"), asked, told=_plain_conclusions(number, rng))


def _person(task: Task, write: Callable[[int], script.Scene], processor, number: int, rng: np.random.Generator) -> Item:
    scene = write(number)
    told = _plain_conclusions(number, rng)
    return pack_plain(processor, _clip(scene, task), ("video", "audio"), telling.film(scene, rng), told=told)


def _plain_still(task: Task, processor, number: int, rng: np.random.Generator) -> Item:
    """Every other one of a moment when somebody in view sounds."""
    scene = (script.write, script.write, script.write_crowd)[number % 3](number)
    times = [second + 0.5 for second in range(script.DURATION)]
    busy = [time for time in times if any(
        script.during(part.seen, time) and script.during(part.heard, time) for part in scene.parts)]  # fmt: skip
    time = float(rng.choice(busy if busy and number % 2 else times))
    whole = task.sound.pieces == 5
    heard = (
        script.heard_around(scene, prompt.around_still(time, scene.duration, task.sound)[:2])
        if whole
        else script.heard_at(scene, time)
    )
    asked = _few(telling.still(scene, time, heard, rng), rng, 6)
    if not asked:
        return _plain_still(task, processor, number + 7_000_003, rng)
    return pack_plain(processor, _still(scene, task, time), ("image", "audio"), asked)


def _plain_pair(films: bool, processor, number: int, rng: np.random.Generator) -> Item:
    scenes, match = script.write_pair(number), int(rng.integers(2))
    shown = _pair(TASKS["a2v" if films else "v2a"], scenes, match)
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


_PLAIN: dict[str, Callable[..., Item]] = {
    "see": _see, "hear": _hear, "say": _say,
    "film": partial(_film, TASKS["ave"]), "glimpses": partial(_film, TASKS["avqa"]),
    "deed": partial(_person, TASKS["ks"], script.write_action),
    "mood": partial(_person, TASKS["meld"], script.write_emotion),
    "moment": partial(_plain_still, TASKS["s4"]), "still": partial(_plain_still, TASKS["arig"]),
    "films": partial(_plain_pair, True), "sounds": partial(_plain_pair, False),
}  # fmt: skip
PLAIN = tuple(_PLAIN)


# --- what the adapter learns: the nineteen formulations -------------------------------------------------------------


def _task_item(processor, kind: str, number: int, rng: np.random.Generator) -> Item:
    told = _conclusions(number + _ELSEWHERE, rng, _TOLD)
    if kind == "action":
        scene = script.write_action(number)
        return pack(processor, _clip(scene, TASKS["ks"]), _few(questions.ask_action(scene, rng), rng, 1), told=told)
    if kind == "emotion":
        scene = script.write_emotion(number)
        return pack(processor, _clip(scene, TASKS["meld"]), _few(questions.ask_emotion(scene, rng), rng, 1), told=told)
    if kind in questions.PAIR_SETS:
        pair = script.write_pair(number)
        [question] = [q for q in questions.ask_pair(pair, rng) if q.dataset == kind]
        return pack(processor, _pair(TASKS[kind], pair, question.which), [question], told=told)
    scene = script.write(number)
    if kind == "refers":
        time = float(rng.integers(script.DURATION)) + 0.5
        asked = questions.ask_about(scene, time, rng)
    else:
        asked = questions.ask(scene, rng)
        wanted = _OF_A_STILL[kind] if kind in _OF_A_STILL else _OF_A_CLIP[kind][0]
        asked = [q for q in asked if q.dataset in wanted]
    if not asked:  # nothing to point at in this scene: practise on another
        return make_item(processor, kind, number + 7_000_003)
    if kind in _OF_A_CLIP:
        few = _few(asked, rng, _OF_A_CLIP[kind][1])
        return pack(processor, _clip(scene, TASKS[asked[0].dataset]), few, told=told)
    asked = asked if kind == "refers" else _few(asked, rng, 1)
    return pack(processor, _still(scene, TASKS[asked[0].dataset], asked[0].time), asked, told=told)


def _conclusions(number: int, rng: np.random.Generator, n: int) -> list[questions.Question]:
    """Up to `n`, half of them of the hardest sort, about which is where."""
    words = questions.ask_words(script.write(number), rng)
    places = [
        question for seed in (number, number + _ELSEWHERE)
        for question in questions.ask_places(script.write(seed), script.write_pair(seed), rng)
    ]  # fmt: skip
    return _few(words, rng, n - n // 2) + _few(places, rng, n // 2)


# --- media ----------------------------------------------------------------------------------------------------------


def _pair(task: Task, pair: tuple[script.Scene, script.Scene], which: int) -> Media:
    """Two videos and the sound of one, or a video and two sounds, as a matching task has them."""
    seen, heard = (pair, [pair[which]]) if task.media.count("video") == 2 else ([pair[which]], pair)
    shown = [_shown(scene, task.frames) for scene in seen]
    return replace(
        _heard(heard, task), videos=tuple(shown), times=_times(task.frames) * len(shown),
        sources=tuple(i for i in range(len(shown)) for _ in range(task.frames)),
    )  # fmt: skip


def _few(asked: list, rng: np.random.Generator, n: int) -> list:
    return [asked[i] for i in rng.permutation(len(asked))[:n]]


def _shown(scene: script.Scene, frames: int) -> np.ndarray:
    return np.stack([render.frame(scene, t, _SIZE) for t in _times(frames)])


def _heard(scenes: Sequence[script.Scene], task: Task) -> Media:
    """The scenes' sounds one after the other, each cut by the task's plan."""
    pieces, stretches = [], []
    for source, scene in enumerate(scenes):
        samples, cut = prompt.apply_plan(render.sound(scene), task.sound)
        pieces.append(samples)
        stretches += [replace(stretch, source=source) for stretch in cut]
    return Media(sound=np.concatenate(pieces), stretches=tuple(stretches))


def _clip(scene: script.Scene, task: Task) -> Media:
    frames = _shown(scene, task.frames)
    return replace(_heard([scene], task), videos=(frames,), times=_times(len(frames)), sources=(0,) * len(frames))


def _still(scene: script.Scene, task: Task, second: float) -> Media:
    start, end, index = prompt.around_still(second, scene.duration, task.sound)
    sound = render.sound(scene)[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    samples, cut = prompt.apply_plan(sound, task.sound, index=index)
    stretches = tuple(replace(stretch, start=stretch.start + start) for stretch in cut)
    picture = render.frame(scene, second, _SIZE)
    return Media(sound=samples, stretches=stretches, picture=picture, picture_time=second)
