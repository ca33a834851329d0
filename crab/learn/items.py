"""Scenes as items to train on: item `number` of a kind is the same scene and the same questions on every run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crab import prompt, tasks
from crab.learn import mini
from crab.learn.pack import Item, pack
from crab.media import SAMPLE_RATE
from crab.prompt import Media, Stretch
from crab.scenes import questions, render, script
from crab.tasks import TASKS

FRAME_TIMES = tuple(float(i) / 25 for i in np.rint(np.linspace(0, 249, 10)))  # the ten frames of a 25 fps clip


def make_item(processor, kind: str, number: int) -> Item:
    """Item `number` of a kind: the scene of that seed, as the model is to see it, and what it is asked."""
    rng = np.random.default_rng([number, *kind.encode()])
    if kind == "picture":
        scene = script.write_picture(number)
        asked = questions.ask_picture(scene, rng)
        seen = Media(picture=render.frame(scene, 0.0, (mini.FRAME_SIZE, mini.FRAME_SIZE)))
        return pack(processor, seen, _few(asked, rng, 3), media=("image",))
    if kind == "sound":
        scene = script.write_sound(number)
        return pack(processor, _heard(scene, TASKS["ave"]), _few(questions.ask_sound(scene, rng), rng, 2), media=("audio",))
    scene = script.write(number)
    asked = questions.ask(scene, rng)
    wanted = {"events": ("ave", "avvp", "avcap"), "answers": ("avqa",), "box": ("arig",), "points": ("s4",)}[kind]
    asked = [q for q in asked if q.dataset in wanted]
    if not asked:  # nothing to point at in this scene: practise on another
        return make_item(processor, kind, number + 7_000_003)
    if kind in ("box", "points"):
        one = asked[int(rng.integers(len(asked)))]
        return pack(processor, _still(scene, TASKS[one.dataset], one.time), [one])
    sound = _heard(scene, TASKS[asked[0].dataset])
    frames = np.stack([render.frame(scene, t, (mini.FRAME_SIZE, mini.FRAME_SIZE)) for t in FRAME_TIMES])
    return pack(processor, replace(sound, videos=(frames,), times=FRAME_TIMES, sources=(0,) * 10), _few(asked, rng, 4))


def _few(asked: list, rng: np.random.Generator, n: int) -> list:
    return [asked[i] for i in rng.permutation(len(asked))[:n]]


def _heard(scene, task: tasks.Task) -> Media:
    samples, stretches = prompt.apply_plan(render.sound(scene), task.sound)
    return Media(sound=samples, stretches=tuple(stretches))


def _still(scene, task: tasks.Task, second: float) -> Media:
    start, end, index = prompt.around_still(second, scene.duration, task.sound)
    sound = render.sound(scene)[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    samples, _ = prompt.apply_plan(sound, task.sound, index=index)
    picture = render.frame(scene, second, (mini.FRAME_SIZE, mini.FRAME_SIZE))
    return Media(sound=samples, stretches=(Stretch(start, len(samples)),), picture=picture, picture_time=second)
