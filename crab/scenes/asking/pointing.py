"""Questions that are answered by a box and points: who sounds in this picture, and where is what the words describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from crab.answer import GRID
from crab.scenes.world import render
from crab.scenes.world.cast import ACTORS, OBJECTS
from crab.scenes.world.script import DURATION, Part, Scene, during

from .words import a, label, listed, one_of

SMALLEST = 60  # pixels of the grid: what shows less is not pointed at


@dataclass(frozen=True)
class Pointed:
    """`part` is None where the words describe nothing in the picture; else `mask` is it, on the grid."""

    time: float
    part: Part | None
    mask: np.ndarray | None
    words: str = ""  # ref_avs: the expression
    reason: str = ""  # ref_avs: what is seen and heard


def obj(box: tuple[int, int, int, int]) -> str:
    x1, y1, x2, y2 = box
    return f"<obj>({x1},{y1})({x2},{y2})</obj>"


def box_and_points(mask: np.ndarray) -> str:
    x1, y1, x2, y2 = render.box(mask)
    points = ",".join(f"[{x},{y}]" for x, y in points_in(mask))
    return f"bounding box is [{x1},{y1},{x2},{y2}] and three points on it are {points}"


def points_in(mask: np.ndarray) -> list[tuple[int, int]]:
    """Three (x, y) inside a non-empty mask: its middle a quarter, half and three quarters of the way across."""
    core = scipy.ndimage.binary_erosion(mask, iterations=2)
    core = core if core.any() else mask
    columns = np.flatnonzero(core.any(axis=0))
    points = []
    for share in (0.25, 0.5, 0.75):
        x = columns[round(share * (len(columns) - 1))]
        rows = np.flatnonzero(core[:, x])
        points.append((int(x), int(rows[len(rows) // 2])))
    return points


def sounding_in_view(
    scene: Scene, rng: np.random.Generator, clear: Callable[[Part, float], bool], time: float | None = None
) -> Pointed | None:
    """A time at which one actor sounds, in view, and which is `clear`: `time`, or drawn from those there are."""
    choices = []
    for at in [second + 0.5 for second in range(DURATION)] if time is None else [time]:
        heard = [part for part in scene.parts if during(part.heard, at)]
        if len(heard) == 1 and during(heard[0].seen, at) and clear(heard[0], at):
            choices.append((at, heard[0]))
    if not choices:
        return None
    drawn, part = choices[rng.integers(len(choices))]
    mask = next((mask for other, mask in render.masks(scene, drawn, GRID) if other is part), None)
    return None if mask is None or mask.sum() < SMALLEST else Pointed(drawn, part, mask)


def with_the_whole_sound(scene: Scene, rng: np.random.Generator, time: float | None = None) -> Pointed | None:
    """For arig: the whole sound goes with the picture, so nothing else in view may ever sound."""
    return sounding_in_view(
        scene,
        rng,
        lambda part, time: all(
            not other.heard for other in scene.parts if other is not part and during(other.seen, time)
        ),
        time,
    )


def with_its_second(
    scene: Scene, rng: np.random.Generator, time: float | None = None, *, several: bool
) -> Pointed | None:
    """For s4 and, where `several` sound in the clip, for ms3: one second of sound goes with the picture."""
    if (sum(bool(part.heard) for part in scene.parts) > 1) != several:
        return None
    return sounding_in_view(scene, rng, lambda part, time: True, time)


def described(scene: Scene, rng: np.random.Generator, time: float | None = None) -> Pointed | None:
    """For ref_avs: words for something in the picture at `time` (or of a drawn second), or, one time in three, for
    nothing in it."""
    time = float(rng.integers(DURATION)) + 0.5 if time is None else time
    shown = [(part, mask) for part, mask in render.masks(scene, time, GRID)]
    seen = [part for part, _ in shown]
    if not seen or min(mask.sum() for _, mask in shown) < SMALLEST:
        return None
    heard = [part for part in scene.parts if during(part.heard, time)]
    reason = f"The picture shows {listed([part.actor for part in seen], article=True)}, and the sound is "
    reason += f"{listed([label(part) for part in heard])}." if heard else "silence."
    if rng.random() < 1 / 3:
        return Pointed(time, None, None, _nothing(seen, rng), reason)
    words: list[tuple[str, Part]] = [
        (one_of(rng, f"the {part.actor}", f"{a(part.actor)} in the picture"), part) for part in seen
    ]
    sounding = [part for part in seen if part in heard]
    silent = [part for part in seen if part not in heard]
    if len(sounding) == 1 and len(heard) == 1:
        words.append((one_of(rng, "the sounding object", "the object making a sound"), sounding[0]))
        words.append((f"the object of the {label(sounding[0])}", sounding[0]))
    if len(silent) == 1 and len(seen) > 1:
        words.append(("the silent object", silent[0]))
    if len(seen) > 1:
        words += [("the object on the far left", seen[0]), ("the object on the far right", seen[-1])]
    for group in sorted({ACTORS[part.actor].group for part in seen}):
        members = [part for part in seen if ACTORS[part.actor].group == group]
        if len(members) == 1 and group != "household":
            words.append((f"the {group}", members[0]))
    text, part = words[rng.integers(len(words))]
    mask = next(mask for other, mask in shown if other is part)
    return Pointed(time, part, mask, text, reason)


def _nothing(seen: list[Part], rng: np.random.Generator) -> str:
    names, groups = {part.actor for part in seen}, {ACTORS[part.actor].group for part in seen}
    absent = [group for group in ("instrument", "animal", "vehicle", "person") if group not in groups]
    if absent and rng.random() < 0.25:
        return f"the {rng.choice(absent)}"
    name = str(rng.choice([name for name in OBJECTS if name not in names]))
    return one_of(rng, f"the {name}", f"{a(name)} in the picture")
