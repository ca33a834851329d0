"""Voices of `actors.household`. How one is made is told in `synth`."""
from __future__ import annotations

import numpy as np

from .synth import SAMPLE_RATE, Voice, add_at, beat_samples, times


def _bell(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(320, 620)
    t = times(2.0)
    strike = np.zeros(len(t))
    for ratio, strength, decay in ((0.5, 0.5, 1.2), (1, 1, 1.6), (1.19, 0.8, 2.0), (1.5, 0.4, 2.5), (2, 0.9, 2.6),
        (2.74, 0.6, 4), (3.76, 0.4, 6), (5.4, 0.3, 9)):
        strike += strength * np.sin(2 * np.pi * base * ratio * t) * np.exp(-decay * t)
    for at in beat_samples(samples, beats):
        add_at(out, at, strike * rng.uniform(0.85, 1.0))
    return out


def _clock(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(1900, 2600)
    t = times(0.07)
    ding = sum(s * np.sin(2 * np.pi * base * r * t) for r, s in ((1, 1.0), (1.52, 0.7), (2.31, 0.5))) * np.exp(-t * 45)
    rate = rng.uniform(18, 26)
    for at in beat_samples(samples, rate):
        if at * beats / SAMPLE_RATE % 1 < 0.62:
            add_at(out, at, ding)
    return out


VOICES = {
    "bell": Voice((0.8, 1.4), _bell),
    "alarm clock": Voice((1.4, 2.4), _clock),
}
