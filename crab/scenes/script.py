"""Who is in a scene, where, and what is seen and heard of them when.

One seed is one scene: everything comes from `numpy.random.default_rng(seed)`.
Times are whole seconds of a ten-second clip. Places are fractions of the
picture (x to the right, y down), so one scene can be drawn at any size.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .actors import ACTORS, OBJECTS

DURATION = 10
ASPECT = 4 / 3
BACKDROPS = ("meadow", "room", "stage", "street", "beach", "evening")

Stretches = tuple[tuple[int, int], ...]

_HOW_MANY = (0.30, 0.35, 0.25, 0.10)
# Tallest and smallest height by number of actors: four must fit side by side.
_SIZES = {1: (0.44, 0.72), 2: (0.38, 0.58), 3: (0.32, 0.42), 4: (0.27, 0.32)}


@dataclass(frozen=True)
class Background:
    kind: str  # one of BACKDROPS
    seed: int  # its colours and details


@dataclass(frozen=True)
class Part:
    """What one actor does in a scene.

    `x` is the middle and `y` the foot of the actor in the middle of the clip,
    `drift` how far both move from the first second to the last, `size` the
    height, all in fractions of the picture. `variation` decides look, tempo
    and voice. `seen` and `heard` hold (start, end) in whole seconds.
    """

    actor: str
    variation: int
    x: float
    y: float
    size: float
    drift: tuple[float, float]
    seen: Stretches
    heard: Stretches
    gain: float


@dataclass(frozen=True)
class Scene:
    seed: int
    duration: float
    background: Background
    parts: tuple[Part, ...]  # from left to right


def during(stretches: Stretches, time: float) -> bool:
    """Whether `time` (seconds) lies in one of the half-open stretches."""
    return any(start <= time < end for start, end in stretches)


def place(part: Part, time: float) -> tuple[float, float]:
    """(x, y) of the part's foot at `time`, in fractions of the picture."""
    along = time / DURATION - 0.5
    return part.x + part.drift[0] * along, part.y + part.drift[1] * along


def write(seed: int, *, actors: int | None = None) -> Scene:
    """The scene of this seed, with `actors` (1 to 4) actors or a drawn number.

    At least one actor sounds; in most scenes exactly one does, in one stretch.
    """
    rng = np.random.default_rng([seed, 0])
    count = int(rng.choice(4, p=_HOW_MANY)) + 1
    count = count if actors is None else actors
    sounding = 1 if count == 1 else min(count, int(rng.choice([1, 2, 3], p=[0.74, 0.22, 0.04])))
    voices = set(rng.choice(count, size=sounding, replace=False).tolist())
    seen, heard = [], []
    for index in range(count):
        # Off-stage voices need company, or the picture would be empty.
        hidden = count > 1 and index in voices and rng.random() < 0.08
        seen.append(() if hidden else _seen(rng))
        heard.append(_heard(rng) if index in voices else ())
    return Scene(seed, float(DURATION), _background(rng), _cast(rng, seen, heard))


def write_picture(seed: int) -> Scene:
    """A scene for looking practice: one to four actors in view throughout.

    Any of them may be in the middle of sounding, so that every pose is met.
    """
    rng = np.random.default_rng([seed, 1])
    count = int(rng.choice(4, p=_HOW_MANY)) + 1
    whole = ((0, DURATION),)
    heard = [whole if rng.random() < 0.5 else () for _ in range(count)]
    return Scene(seed, float(DURATION), _background(rng), _cast(rng, [whole] * count, heard))


def write_sound(seed: int) -> Scene:
    """A scene for listening practice: one actor, never in view."""
    rng = np.random.default_rng([seed, 2])
    return Scene(seed, float(DURATION), _background(rng), _cast(rng, [()], [_heard(rng)]))


def _background(rng: np.random.Generator) -> Background:
    return Background(BACKDROPS[rng.integers(len(BACKDROPS))], int(rng.integers(2**31)))


def _cast(rng: np.random.Generator, seen: list[Stretches], heard: list[Stretches]) -> tuple[Part, ...]:
    """Distinct actors on neighbouring strips of the picture, from left to right."""
    count = len(seen)
    names = rng.choice(OBJECTS, size=count, replace=False)
    order = rng.permutation(count)
    parts = []
    for strip, index in enumerate(order.tolist()):
        size = rng.uniform(*_SIZES[count])
        half = size / ASPECT / 2
        free = max(0.5 / count - half, 0.0)  # how far the middle may leave the strip's middle
        drift = (rng.uniform(-1, 1) * min(free, 0.06), rng.uniform(-0.02, 0.02))
        room = free - abs(drift[0]) / 2
        x = (strip + 0.5) / count + rng.uniform(-room, room)
        y = rng.uniform(max(0.66, size + 0.04), 0.96)
        parts.append(Part(
            actor=str(names[index]),
            variation=int(rng.integers(2**31)),
            x=float(x),
            y=float(y),
            size=float(size),
            drift=(float(drift[0]), float(drift[1])),
            seen=seen[index],
            heard=heard[index],
            gain=float(rng.uniform(0.5, 1.0)),
        ))
    return tuple(parts)


def _seen(rng: np.random.Generator) -> Stretches:
    chance = rng.random()
    if chance < 0.64:
        return ((0, DURATION),)
    if chance < 0.76:
        return ((int(rng.integers(1, 6)), DURATION),)
    if chance < 0.88:
        return ((0, int(rng.integers(5, DURATION))),)
    start = int(rng.integers(1, 5))
    return ((start, int(rng.integers(start + 3, DURATION))),)


def _heard(rng: np.random.Generator) -> Stretches:
    chance = rng.random()
    if chance < 0.16:
        return ((0, DURATION),)
    if chance < 0.84:
        length = int(rng.integers(2, DURATION))
        start = int(rng.integers(0, DURATION - length + 1))
        return ((start, start + length),)
    first = int(rng.integers(0, 3))
    pause = int(rng.integers(first + 2, 6))
    again = int(rng.integers(pause + 2, 9))
    return ((first, pause), (again, int(rng.integers(again + 2, DURATION + 1))))
