"""Scenes as items to train on: item `number` of a kind is the same scene and the same questions on every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from crab import prompt, tasks
from crab.learn import mini
from crab.learn.pack import Item, pack, pack_words
from crab.media import SAMPLE_RATE
from crab.prompt import Media
from crab.scenes import questions, render, script
from crab.tasks import TASKS

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
_TOLD = 6
_ELSEWHERE = 5_000_011


def make_item(processor, kind: str, number: int) -> Item:
    """Item `number` of a kind: the scene of that seed, as the model is to see it, and what it is asked."""
    rng = np.random.default_rng([number, *kind.encode()])
    if kind == "picture":
        scene = script.write_picture(number)
        asked = _few(questions.ask_picture(scene, rng), rng, 6)
        return pack(processor, Media(picture=render.frame(scene, asked[0].time, _SIZE)), asked, media=("image",))
    if kind == "sound":
        scene = script.write_sound(number)
        return pack(processor, _heard([scene], TASKS["ave"]), questions.ask_sound(scene, rng), media=("audio",))
    if kind == "words":
        return pack_words(processor, _conclusions(number, rng, 8))
    told = _conclusions(number + _ELSEWHERE, rng, _TOLD)
    if kind == "action":
        scene = script.write_action(number)
        return pack(processor, _clip(scene, TASKS["ks"]), _few(questions.ask_action(scene, rng), rng, 1), told=told)
    if kind == "emotion":
        scene = script.write_emotion(number)
        return pack(processor, _clip(scene, TASKS["meld"]), _few(questions.ask_emotion(scene, rng), rng, 1), told=told)
    if kind in questions.PAIR_SETS:
        return _pair_item(processor, kind, script.write_pair(number), rng, told)
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


def _pair_item(
    processor, kind: str, pair: tuple[script.Scene, script.Scene], rng: np.random.Generator, told: list
) -> Item:
    task = TASKS[kind]
    [question] = [q for q in questions.ask_pair(pair, rng) if q.dataset == kind]
    match = [pair[question.which]]
    seen, heard = (pair, match) if kind == "a2v" else (match, pair)
    shown = [_shown(scene, task.frames) for scene in seen]
    media = replace(
        _heard(heard, task), videos=tuple(shown), times=_times(task.frames) * len(shown),
        sources=tuple(i for i in range(len(shown)) for _ in range(task.frames)),
    )  # fmt: skip
    return pack(processor, media, [question], told=told)


def _few(asked: list, rng: np.random.Generator, n: int) -> list:
    return [asked[i] for i in rng.permutation(len(asked))[:n]]


def _shown(scene: script.Scene, frames: int) -> np.ndarray:
    return np.stack([render.frame(scene, t, _SIZE) for t in _times(frames)])


def _heard(scenes: Sequence[script.Scene], task: tasks.Task) -> Media:
    """The scenes' sounds one after the other, each cut by the task's plan."""
    pieces, stretches = [], []
    for source, scene in enumerate(scenes):
        samples, cut = prompt.apply_plan(render.sound(scene), task.sound)
        pieces.append(samples)
        stretches += [replace(stretch, source=source) for stretch in cut]
    return Media(sound=np.concatenate(pieces), stretches=tuple(stretches))


def _clip(scene: script.Scene, task: tasks.Task) -> Media:
    frames = _shown(scene, task.frames)
    return replace(_heard([scene], task), videos=(frames,), times=_times(len(frames)), sources=(0,) * len(frames))


def _still(scene: script.Scene, task: tasks.Task, second: float) -> Media:
    start, end, index = prompt.around_still(second, scene.duration, task.sound)
    sound = render.sound(scene)[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    samples, cut = prompt.apply_plan(sound, task.sound, index=index)
    stretches = tuple(replace(stretch, start=stretch.start + start) for stretch in cut)
    picture = render.frame(scene, second, _SIZE)
    return Media(sound=samples, stretches=stretches, picture=picture, picture_time=second)
