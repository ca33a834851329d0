"""Voices of `actors.people`. How one is made is told in `synth`."""
from __future__ import annotations

import numpy as np

from .synth import SAMPLE_RATE, VOWELS, Voice, add_at, beat_samples, envelope, periodic, phase


def _man(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(95, 150)
    harmonics = base * np.arange(1, int(5000 / base))
    tables = [
        sum(g * np.exp(-(((harmonics - f) / (90 + 0.05 * f)) ** 2)) for g, f in zip((1, 0.6, 0.3), formants)) + 0.03
        for formants in VOWELS.values()
    ]
    for number, at in enumerate(beat_samples(samples, beats)):
        if number % 9 == 8:  # a breath
            continue
        length = int(rng.uniform(0.7, 0.95) * SAMPLE_RATE / beats)
        t = np.linspace(0, 1, length)
        pitch = base * (1.18 - 0.03 * (number % 9)) * (1 + rng.uniform(-0.12, 0.12) * t)
        turns = phase(pitch, length)
        first, second = rng.integers(len(tables), size=2)
        voice = (1 - t) * periodic(turns, tables[first]) + t * periodic(turns, tables[second])
        add_at(out, at, voice * envelope(length, 0.03, 0.06) * rng.uniform(0.7, 1.0))
        if number % 2:
            hiss = np.diff(rng.standard_normal(int(0.05 * SAMPLE_RATE) + 1))
            add_at(out, at, 0.5 * hiss * np.hanning(len(hiss)))
    return out


VOICES = {
    "man": Voice((3.2, 4.8), _man),
}
