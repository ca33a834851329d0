"""A scene as a source of frames and sound for a prompt, as a clip that somebody uploaded is one (`crab.prompt.Source`).

What it gives is what a film of the scene would hold, 25 frames a second, drawn instead of decoded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .world import render
from .world.script import DURATION, Scene
from .world.sounds.synth import SAMPLE_RATE

FPS = 25


def moments(n: int, *, start: float = 0.0, end: float = DURATION) -> np.ndarray:
    """When `n` frames are, spread evenly over those of [start, end) as `media.Clip.frames` picks them: (n,) float64."""
    first = math.ceil(round(start * FPS, 6))
    last = max(math.ceil(round(min(end, DURATION) * FPS, 6)) - 1, first)
    return np.rint(np.linspace(first, last, n)) / FPS


@dataclass(frozen=True)
class SceneClip:
    """`size`: (width, height) in pixels. `frame`: the second that a picture of it is of.

    `heard`: another scene, whose sound it has instead of its own, as a file of sound replaces a video's.
    """

    scene: Scene
    size: tuple[int, int]
    frame: float = DURATION / 2
    heard: Scene | None = None

    visible = audible = drawn = True  # an empty stage is a picture, and the noise beneath everything a sound
    piece = None  # its sound is as long as it is itself, so seconds say it all

    @property
    def name(self) -> str:
        return f"Scene {self.scene.seed}"

    @property
    def duration(self) -> float:
        return self.scene.duration

    @property
    def still(self) -> float:
        return self.frame

    def frames(self, n: int, *, start: float = 0.0, end: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """`n` frames of [start, end), (n, height, width, 3) uint8, and when they are, (n,) float64, seconds."""
        times = moments(n, start=start, end=DURATION if end is None else end)
        return np.stack([self.frame_at(time) for time in times.tolist()]), times

    def frame_at(self, time: float) -> np.ndarray:
        """The picture at `time` (seconds): (height, width, 3) uint8."""
        return render.frame(self.scene, time, self.size)

    def sound(self, *, start: float = 0.0, end: float | None = None) -> np.ndarray:
        """The sound from `start` to `end` (to its own end by default): (samples,) float32 at 16 kHz."""
        stop = None if end is None else round(end * SAMPLE_RATE)
        return render.sound(self.heard or self.scene)[round(start * SAMPLE_RATE) : stop]
