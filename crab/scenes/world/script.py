"""Who is in a scene, where, and what is seen and heard of them when.

One seed is one scene of a kind: everything comes from `numpy.random.default_rng([seed, kind])`. Times are whole seconds
of a ten-second clip. Places are fractions of the picture (x to the right, y down), so one scene can be drawn at any
size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .cast import ACTIONS, ACTORS, EMOTIONS, OBJECTS

DURATION = 10
ASPECT = 4 / 3
BACKDROPS = ("meadow", "room", "stage", "street", "beach", "evening")
FRONTS = ("", "bush", "crate", "post", "rock")  # what may stand before everybody; "" for nothing

Stretches = tuple[tuple[int, int], ...]

_HOW_MANY = (0.30, 0.35, 0.25, 0.10)
# Smallest and tallest height by number of actors: four must fit side by side.
_SIZES = {1: (0.44, 0.72), 2: (0.38, 0.58), 3: (0.32, 0.42), 4: (0.27, 0.32)}
_WHOLE: Stretches = ((0, DURATION),)


@dataclass(frozen=True)
class Background:
    kind: str  # one of BACKDROPS
    seed: int  # its colours and details
    pan: tuple[float, float] = (0.0, 0.0)  # how far the view of it moves from the first second to the last
    front: str = ""  # one of FRONTS
    front_x: float = 0.5


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
    """`reverb` is the share of reverberated sound, `hiss` the level of the noise beneath everything."""

    seed: int
    duration: float
    background: Background
    parts: tuple[Part, ...]  # from left to right
    reverb: float = 0.0
    hiss: float = 0.0015


def during(stretches: Stretches, time: float) -> bool:
    """Whether `time` (seconds) lies in one of the half-open stretches."""
    return any(start <= time < end for start, end in stretches)


def place(part: Part, time: float) -> tuple[float, float]:
    """(x, y) of the part's foot at `time`, in fractions of the picture."""
    along = time / DURATION - 0.5
    return part.x + part.drift[0] * along, part.y + part.drift[1] * along


def heard_parts(scene: Scene) -> list[Part]:
    """Sounding actors by when they start (then by name)."""
    return sorted((part for part in scene.parts if part.heard), key=lambda part: (part.heard, part.actor))


def seen_parts(scene: Scene) -> list[Part]:
    """Actors ever in view, from left to right."""
    return [part for part in scene.parts if part.seen]


def heard_at(scene: Scene, time: float) -> list[Part]:
    return [part for part in heard_parts(scene) if during(part.heard, time)]


def heard_around(scene: Scene, window: tuple[float, float]) -> list[Part]:
    """Who is heard at any time from the first second of a window to the last."""
    start, end = window
    return [part for part in heard_parts(scene) if any(first < end and last > start for first, last in part.heard)]


# ---- scenes to be asked about ----------------------------------------------


def write(seed: int, *, actors: int | None = None) -> Scene:
    """Objects that are seen and heard: the scene of this seed, with `actors` (1 to 4) of them or a drawn number.

    At least one sounds; in most scenes exactly one does, in one stretch.
    """
    rng = np.random.default_rng([seed, 0])
    count = _count(rng) if actors is None else actors
    sounding = 1 if count == 1 else min(count, int(rng.choice([1, 2, 3], p=[0.66, 0.28, 0.06])))
    voices = set(rng.choice(count, size=sounding, replace=False).tolist())
    seen, heard = [], []
    for index in range(count):
        # Off-stage voices need company, or the picture would be empty.
        hidden = count > 1 and index in voices and rng.random() < 0.08
        seen.append(() if hidden else _seen(rng))
        heard.append(_heard(rng) if index in voices else ())
    names = rng.choice(OBJECTS, size=count, replace=False)
    return _scene(seed, rng, names, seen, heard)


def write_action(seed: int) -> Scene:
    """Somebody doing something that is heard throughout, now and then beside a silent object."""
    rng = np.random.default_rng([seed, 3])
    names = [str(rng.choice(ACTIONS))]
    if rng.random() < 0.3:
        names.append(str(rng.choice(OBJECTS)))
    sizes = [(0.58, 0.86), (0.3, 0.4)]
    return _scene(seed, rng, names, [_WHOLE] * 2, [_WHOLE, ()], sizes=sizes)


def write_emotion(seed: int) -> Scene:
    """A face, near, that speaks throughout."""
    rng = np.random.default_rng([seed, 4])
    return _scene(seed, rng, [str(rng.choice(EMOTIONS))], [_WHOLE], [_WHOLE], sizes=[(0.78, 0.94)])


def write_pair(seed: int) -> tuple[Scene, Scene]:
    """Two scenes that can be told apart by what sounds in view, for matching: nobody is in both."""
    rng = np.random.default_rng([seed, 5])
    counts = [int(rng.choice([1, 2], p=[0.6, 0.4])) for _ in range(2)]
    names = rng.choice(OBJECTS, size=sum(counts), replace=False)
    pair = []
    for number, cast in enumerate((names[: counts[0]], names[counts[0] :])):
        heard = [_heard(rng), ()][: len(cast)]
        pair.append(_scene(seed * 2 + number, rng, cast, [_WHOLE] * len(cast), heard))
    return pair[0], pair[1]


# ---- scenes to practise on -------------------------------------------------


def write_crowd(seed: int) -> Scene:
    """A scene harder than any that is asked about: two to four objects, two or three of them sound, at once if they
    will; in every other scene all are of one group, so that what sounds stands among its like."""
    rng = np.random.default_rng([seed, 6])
    count = int(rng.integers(2, 5))
    voices = set(rng.choice(count, size=min(count, int(rng.integers(2, 4))), replace=False).tolist())
    group = str(rng.choice(sorted({ACTORS[name].group for name in OBJECTS})))
    alike = [name for name in OBJECTS if ACTORS[name].group == group]
    names = rng.choice(alike if rng.random() < 0.5 and len(alike) >= count else OBJECTS, size=count, replace=False)
    heard = [_heard(rng) if index in voices else () for index in range(count)]
    return _scene(seed, rng, names, [_seen(rng) for _ in range(count)], heard)


def write_picture(seed: int) -> Scene:
    """A scene for looking practice: one to four objects in view throughout, or an action, or a face.

    Anybody may be in the middle of sounding, so that every pose is met.
    """
    rng = np.random.default_rng([seed, 1])
    kind = rng.random()
    if kind < 0.3:
        scene = (write_action if kind < 0.18 else write_emotion)(seed)
        parts = tuple(replace(part, heard=()) if rng.random() < 0.25 else part for part in scene.parts)
        return replace(scene, parts=parts)
    count = _count(rng)
    heard = [_WHOLE if rng.random() < 0.5 else () for _ in range(count)]
    names = rng.choice(OBJECTS, size=count, replace=False)
    return _scene(seed, rng, names, [_WHOLE] * count, heard)


def write_sound(seed: int) -> Scene:
    """A scene for listening practice: one object, never in view."""
    rng = np.random.default_rng([seed, 2])
    return _scene(seed, rng, [rng.choice(OBJECTS)], [()], [_heard(rng)])


# ---- how they are drawn ----------------------------------------------------


def _count(rng: np.random.Generator) -> int:
    return int(rng.choice(4, p=_HOW_MANY)) + 1


def _scene(
    seed: int,
    rng: np.random.Generator,
    names: object,
    seen: list[Stretches],
    heard: list[Stretches],
    *,
    sizes: list[tuple[float, float]] | None = None,
) -> Scene:
    pan = tuple(float(v) for v in rng.uniform(-1, 1, 2) * (0.05, 0.015)) if rng.random() < 0.35 else (0.0, 0.0)
    front = str(rng.choice(FRONTS[1:])) if rng.random() < 0.15 else ""
    background = Background(
        BACKDROPS[rng.integers(len(BACKDROPS))], int(rng.integers(2**31)), pan, front, float(rng.uniform(0.1, 0.9))
    )
    parts = _cast(rng, names, seen, heard, pan, sizes or [_SIZES[len(names)]] * len(names))
    reverb = float(rng.uniform(0.1, 0.5)) if rng.random() < 0.4 else 0.0
    return Scene(seed, float(DURATION), background, parts, reverb, math.exp(rng.uniform(-6.8, -5.0)))


def _cast(
    rng: np.random.Generator,
    names: object,
    seen: list[Stretches],
    heard: list[Stretches],
    pan: tuple[float, float],
    sizes: list[tuple[float, float]],
) -> tuple[Part, ...]:
    """Distinct actors on neighbouring strips of the picture, from left to right; the view's own motion is theirs too."""
    heights = [float(rng.uniform(*size)) for size, _ in zip(sizes, names)]
    order = rng.permutation(len(names)).tolist()
    slack = max(0.98 - sum(heights) / ASPECT, 0.0) / len(names)  # between neighbours
    parts, left = [], 0.01
    for index in order:
        half = heights[index] / ASPECT / 2
        free = slack / 2 + 0.012  # how far the middle may leave its strip's: a little over, so that some overlap
        middle = left + slack / 2 + half
        left += slack + 2 * half
        drift = (rng.uniform(-1, 1) * min(free, 0.06) + pan[0], rng.uniform(-0.02, 0.02) + pan[1])
        room = max(free - abs(drift[0]) / 2, 0.0)
        x = middle + rng.uniform(-room, room)
        y = rng.uniform(min(max(0.66, heights[index] + 0.04), 0.97), 0.97)
        parts.append(
            Part(
                actor=str(names[index]),
                variation=int(rng.integers(2**31)),
                x=float(x),
                y=float(y),
                size=heights[index],
                drift=(float(drift[0]), float(drift[1])),
                seen=seen[index],
                heard=heard[index],
                gain=float(rng.uniform(0.5, 1.0)),
            )
        )
    return tuple(parts)


def _seen(rng: np.random.Generator) -> Stretches:
    chance = rng.random()
    if chance < 0.64:
        return _WHOLE
    if chance < 0.76:
        return ((int(rng.integers(1, 6)), DURATION),)
    if chance < 0.88:
        return ((0, int(rng.integers(5, DURATION))),)
    start = int(rng.integers(1, 5))
    return ((start, int(rng.integers(start + 3, DURATION))),)


def _heard(rng: np.random.Generator) -> Stretches:
    chance = rng.random()
    if chance < 0.16:
        return _WHOLE
    if chance < 0.84:
        length = int(rng.integers(2, DURATION))
        start = int(rng.integers(0, DURATION - length + 1))
        return ((start, start + length),)
    first = int(rng.integers(0, 3))
    pause = int(rng.integers(first + 2, 6))
    again = int(rng.integers(pause + 2, 9))
    return ((first, pause), (again, int(rng.integers(again + 2, DURATION + 1))))
