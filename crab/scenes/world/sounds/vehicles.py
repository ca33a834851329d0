"""Voices of `actors.vehicles`. How one is made is told in `synth`."""

from __future__ import annotations

import numpy as np
import scipy

from .synth import SAMPLE_RATE, periodic, phase


def _passed(order: int, cut: float | list[float], sound: np.ndarray, kind: str = "lowpass") -> np.ndarray:
    """`sound` through a Butterworth filter, `cut` in Hz."""
    return scipy.signal.sosfilt(scipy.signal.butter(order, cut, kind, fs=SAMPLE_RATE, output="sos"), sound)


def car(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    revs = rng.uniform(13, 24) * (1 + 0.18 * np.sin(2 * np.pi * rng.uniform(0.15, 0.4) * t + rng.uniform(0, 6)))
    turns = phase(revs, samples)
    fire = np.exp(-6 * (turns % 1)) + 0.6 * np.exp(-7 * ((turns + 0.47) % 1))
    engine = periodic(turns, np.arange(1, 25) ** -0.6)
    noise = _passed(1, 900, rng.standard_normal(samples))
    return 0.12 * engine * (0.3 + fire) + 2.2 * noise * fire**2


def train(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    place = t * beats % 2
    base = rng.uniform(300, 420)
    chord = ((1, 1.19, 1.5, 1.78), (1, 1.26, 1.5, 2), (1, 1.26, 1.68))[rng.integers(3)]
    blow = np.clip(np.minimum(place / 0.08, (1.55 - place) / 0.15), 0, 1)
    turns = phase(base * (0.94 + 0.06 * np.clip(place / 0.15, 0, 1)), samples)
    timbre = np.array([1, rng.uniform(0.3, 0.6), 0.3, 0.12, 0.08])
    whistle = sum(periodic(turns * ratio, timbre) for ratio in chord) / len(chord)
    hiss = rng.standard_normal(samples)
    steam = _passed(1, [700, 3500], hiss, "bandpass")
    puff = np.exp(-rng.uniform(4, 6) * (2 * t * beats % 1)) * np.where(2 * t * beats % 2 < 1, 1.0, 0.75)
    return blow * (0.7 * whistle + 0.03 * hiss) + 0.5 * steam * (0.06 + puff)


def motorcycle(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    place = t * beats % 1
    idle = rng.uniform(56, 84)
    rev = np.where(place < 0.22, place / 0.22, np.exp(-rng.uniform(2.5, 4) * (place - 0.22)))
    rev = _passed(1, 6, rev)
    turns = phase(idle * (1 + rng.uniform(1.6, 2.4) * rev), samples)
    limp = rng.uniform(0.3, 0.46)
    fire = np.exp(-5 * (turns % 1)) + rng.uniform(0.4, 0.8) * np.exp(-5 * ((turns + limp) % 1))
    exhaust = periodic(turns, np.arange(1, 37) ** -rng.uniform(0.5, 0.8))
    crackle = _passed(1, 1500, rng.standard_normal(samples))
    return (0.5 + 0.6 * rev) * (0.3 * exhaust * (0.5 + fire) + 0.25 * crackle * fire)


def helicopter(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    chop = 2 * beats * t % 1  # two blades: one passes every half beat
    slap = np.exp(-rng.uniform(5, 8) * chop) * np.clip(chop / 0.04, 0, 1)
    low = _passed(2, [50, rng.uniform(500, 900)], rng.standard_normal(samples), "bandpass")
    thump = np.sin(2 * np.pi * rng.uniform(60, 95) * chop / (2 * beats))
    whine = rng.uniform(1700, 2900)
    turbine = np.sin(2 * np.pi * whine * t) + 0.5 * np.sin(2 * np.pi * 1.51 * whine * t + np.sin(2 * np.pi * 3 * t))
    return slap * (2.4 * low + 0.8 * thump) + 0.2 * low + 0.03 * turbine * (0.7 + 0.6 * slap)


def ambulance(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    place = t * beats % 2
    base = rng.uniform(520, 760)
    wide = rng.uniform(1.28, 1.42)
    wail = base * (1.0 + 0.55 * (1 - np.cos(2 * np.pi * place)))
    tones = base * np.where(place < 1, wide, 1.0)
    tones = _passed(1, 25, tones - base) + base
    turns = phase(wail if rng.random() < 0.4 else tones, samples)
    horn = periodic(turns, np.array([1, rng.uniform(0.1, 0.3), rng.uniform(0.3, 0.6), 0.1, 0.2]))
    road = _passed(1, 400, rng.standard_normal(samples))
    return horn + 0.15 * road


def boat(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    place = t * beats % 1
    base = rng.uniform(75, 120)
    blow = np.clip(np.minimum(place / 0.06, (0.82 - place) / 0.1), 0, 1)
    table = np.arange(1, 31) ** -rng.uniform(0.5, 0.9) * np.exp(-np.arange(1, 31) * base / 1400)
    pair = (1.0, 1 + rng.uniform(0.008, 0.02), (1.5, 1.26, 1.0)[rng.integers(3)])
    turns = phase(base * (1 - 0.05 * np.clip((place - 0.7) / 0.12, 0, 1)), samples)
    horn = sum(periodic(turns * ratio, table) for ratio in pair) / 3
    wash = _passed(1, [250, 1800], rng.standard_normal(samples), "bandpass")
    return blow * horn + 0.3 * wash * (0.7 + 0.3 * np.sin(2 * np.pi * 0.45 * t + rng.uniform(0, 6)))
