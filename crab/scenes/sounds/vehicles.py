"""Voices of `actors.vehicles`. How one is made is told in `synth`."""
from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from .synth import SAMPLE_RATE, Voice, periodic, phase


def _car(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    revs = rng.uniform(13, 24) * (1 + 0.18 * np.sin(2 * np.pi * rng.uniform(0.15, 0.4) * t + rng.uniform(0, 6)))
    turns = phase(revs, samples)
    fire = np.exp(-6 * (turns % 1)) + 0.6 * np.exp(-7 * ((turns + 0.47) % 1))
    engine = periodic(turns, np.arange(1, 25) ** -0.6)
    noise = sosfilt(butter(1, 900, fs=SAMPLE_RATE, output="sos"), rng.standard_normal(samples))
    return 0.12 * engine * (0.3 + fire) + 2.2 * noise * fire**2


VOICES = {
    "car": Voice((3.0, 5.0), _car),
}
