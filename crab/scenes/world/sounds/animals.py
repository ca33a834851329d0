"""Voices of `actors.animals`. How one is made is told in `synth`."""

from __future__ import annotations

import numpy as np

from .synth import SAMPLE_RATE, add_at, bandpass, beat_samples, falling, periodic, phase, times


def dog(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
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


def cat(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
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


def bird(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
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


def cow(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(120, 190)
    length = int(0.92 / beats * SAMPLE_RATE)
    t = np.linspace(0, 1, length)
    frequency = base * (0.72 + 0.42 * np.sin(np.pi * t**0.75)) * (1 + 0.01 * np.sin(2 * np.pi * rng.uniform(5, 8) * t))
    turns = phase(frequency, length)
    harmonics = base * np.arange(1, 25)
    first = rng.uniform(480, 620)
    closed = np.exp(-((harmonics / 260) ** 2)) + 0.02
    wide = np.exp(-(((harmonics - first) / 170) ** 2)) + 0.35 * np.exp(-(((harmonics - 1.9 * first) / 200) ** 2)) + 0.03
    opening = np.clip(2.6 * np.sin(np.pi * t) - 0.8, 0, 1)
    moo = (1 - opening) * periodic(turns, closed) + opening * periodic(turns, wide)
    moo *= np.clip(np.minimum(t / 0.12, (1 - t) / 0.15), 0, 1) ** 0.7
    for at in beat_samples(samples, beats):
        add_at(out, at, moo * rng.uniform(0.8, 1.0))
    return out


def duck(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(150, 230)
    nose = rng.uniform(1000, 1400)
    length = int(min(rng.uniform(0.15, 0.2), 0.46 / beats) * SAMPLE_RATE)
    t = np.linspace(0, 1, length)
    frequency = base * (1.15 - 0.35 * t) * (1 + 0.04 * rng.standard_normal(12).repeat(length // 12 + 1)[:length])
    harmonics = base * np.arange(1, int(6500 / base))
    table = 0.04 + sum(
        g * np.exp(-(((harmonics - f) / w) ** 2))
        for g, f, w in ((1, nose, 260), (0.8, 2.2 * nose, 330), (0.3, 3.3 * nose, 400))
    )
    turns = phase(frequency, length)
    quack = periodic(turns, table) * (0.45 + 0.55 * np.sin(np.pi * turns) ** 2) * np.clip(9 * t, 0, 1) * (1 - t) ** 0.5
    pair = rng.random() < 0.4
    for at in beat_samples(samples, beats):
        add_at(out, at, quack * rng.uniform(0.8, 1.0))
        if pair:
            add_at(out, at + int(0.5 / beats * SAMPLE_RATE), 0.6 * quack)
    return out


def frog(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    throat = rng.uniform(550, 950)
    rate = rng.uniform(26, 44)
    t = times(0.03)
    pop = sum(g * np.sin(2 * np.pi * throat * r * t) * np.exp(-d * t) for g, r, d in ((1, 1, 130), (0.7, 2.6, 190)))
    split = rng.uniform(0.4, 0.55)
    for at in beat_samples(samples, beats):
        for start, end, speed, sharp in ((0.0, split - 0.08, 1.0, 0.8), (split, 0.78, 1.5, 1.2)):
            length = (end - start) / beats
            for k in range(int(length * rate * speed)):
                swell = 0.35 + 0.65 * np.sin(np.pi * (k + 1) / (length * rate * speed + 1))
                place = at + int((start / beats + k / (rate * speed)) * SAMPLE_RATE)
                add_at(out, place, swell * sharp * pop)
    return out


def lion(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    place = t * beats % 1
    base = rng.uniform(55, 85)
    swell = np.clip(np.minimum(place / 0.15, (0.95 - place) / 0.45), 0, 1) ** 0.8
    frequency = base * (0.8 + 0.6 * np.sin(np.pi * np.clip(place, 0, 1) ** 0.6))
    turns = phase(frequency * (1 + 0.06 * np.sin(2 * np.pi * 17 * t)), samples)
    growl = 0.35 + 0.65 * np.abs(np.sin(np.pi * phase(rng.uniform(20, 30) * (0.8 + 0.4 * swell), samples)))
    throat = rng.uniform(330, 480)
    harmonics = base * np.arange(1, 40)
    table = sum(g * np.exp(-(((harmonics - f) / w) ** 2)) for g, f, w in ((1, throat, 220), (0.3, 2.6 * throat, 350)))
    table = table + 0.05
    breath = bandpass(rng.standard_normal(samples), 180, rng.uniform(1000, 1500))
    return (0.06 + swell) * growl * (0.5 * periodic(turns, table) / table.max() + 2.6 * breath)
