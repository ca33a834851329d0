"""Who can be in a scene: how each looks, and how it moves while it sounds. One module a group; `common` says how."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from ..brush import Brush, finished
from . import actions, animals, emotions, household, instruments, people, vehicles
from .common import Actor

POSES = 16  # drawn moments in a pair of beats

ACTORS: dict[str, Actor] = {
    actor.name: actor
    for group in (instruments, animals, vehicles, people, household, actions, emotions)
    for actor in group.ACTORS
}
OBJECTS = tuple(name for name, actor in ACTORS.items() if actor.group not in ("action", "emotion"))
ACTIONS = tuple(name for name, actor in ACTORS.items() if actor.group == "action")
EMOTIONS = tuple(name for name, actor in ACTORS.items() if actor.group == "emotion")


@lru_cache(maxsize=384)
def sprite(actor: str, variation: int, pose: int | None, width: int, height: int) -> Image.Image:
    """The actor as an RGBA picture of this size; odd variations look the other way.

    `pose` counts the moments of two beats (0 to POSES - 1); None is the silent pose.
    """
    finer = 3 if height < 260 else 2
    brush = Brush(width * finer, height * finer)
    beat = None if pose is None else 2 * pose / POSES
    ACTORS[actor].draw(brush, np.random.default_rng(variation), beat)
    image = finished(brush, width, height)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if variation % 2 else image
