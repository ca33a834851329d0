"""Voices of `actors.animals`. How one is made is told in `synth`."""
from __future__ import annotations

import numpy as np

from .synth import SAMPLE_RATE, Voice, add_at, bandpass, beat_samples, falling, periodic, phase


def _dog(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(260, 480)
    length = int(rng.uniform(0.15, 0.22) * SAMPLE_RATE)
    t = np.linspace(0, 1, length)
    frequency = base * (0.7 + 0.75 * np.sin(np.pi * t**0.6))
    bark = periodic(phase(frequency, length), falling(base * 1.6, 0.5)) + 0.7 * rng.standard_normal(length)
    bark = bandpass(bark, 350, 1900) * np.sin(np.pi * t**0.5) ** 1.2
    double = rng.random() < 0.5
    for at in beat_samples(samples, beats):
        add_at(out, at, bark * rng.uniform(0.8, 1.0))
        if double:
            add_at(out, at + int(1.25 * length), 0.7 * bark)
    return out


def _cat(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(480, 700)
    length = int(0.78 / beats * SAMPLE_RATE)
    t = np.linspace(0, 1, length)
    frequency = base * (0.75 + 0.5 * np.sin(np.pi * t**0.7)) * (1 + 0.012 * np.sin(2 * np.pi * 6 * beats * t))
    turns = phase(frequency, length)
    narrow = np.array([1.0, 0.25, 0.1, 0.5, 0.4, 0.1])  # "mi"
    wide = np.array([0.7, 1.0, 0.5, 0.2, 0.1, 0.05])  # "aow"
    meow = (1 - t) * periodic(turns, narrow) + t * periodic(turns, wide)
    meow *= np.sin(np.pi * t**0.6) ** 0.8
    for at in beat_samples(samples, beats):
        add_at(out, at, meow * rng.uniform(0.8, 1.0))
    return out


def _bird(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(2600, 4200)
    length = int(rng.uniform(0.06, 0.11) * SAMPLE_RATE)
    t = np.linspace(0, 1, length)
    bend = rng.uniform(-0.35, 0.45)
    chirps = int(rng.integers(2, 5))
    for at in beat_samples(samples, beats):
        for number in range(chirps):
            track = base * (1 + bend * t + 0.08 * number + 0.12 * np.sin(np.pi * t))
            add_at(out, at + int(1.25 * number * length), np.sin(2 * np.pi * phase(track, length)) * np.sin(np.pi * t))
    return out


VOICES = {
    "dog": Voice((1.2, 2.4), _dog),
    "cat": Voice((0.7, 1.1), _cat),
    "bird": Voice((1.4, 2.6), _bird),
}
