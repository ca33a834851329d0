"""Voices of `actors.people`. How one is made is told in `synth`."""

from __future__ import annotations

import numpy as np

from .synth import MAJOR, SAMPLE_RATE, VOWELS, add_at, beat_samples, envelope, gasp, periodic, phase, spoken, strengths


def man(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(95, 150)
    tables = [strengths(base, formants) for formants in VOWELS.values()]
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


def woman(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(262, 370)
    rate, depth, tract = rng.uniform(5.2, 6.6), rng.uniform(0.018, 0.028), rng.uniform(1.1, 1.2)
    degree, before, at = int(rng.integers(1, 5)), base, 0
    while at < samples:
        held = int(rng.choice((1, 1, 2)))
        length = int(held * SAMPLE_RATE / beats)
        degree = int(np.clip(degree + rng.choice((-2, -1, 1, 2, 3)), 0, 7))
        pitch = base * 2 ** (MAJOR[degree] / 12)
        t = np.arange(length) / SAMPLE_RATE
        track = pitch + (before - pitch) * np.exp(-t / 0.035)
        track = track * (1 + depth * np.clip(t / 0.25, 0.2, 1) * np.sin(2 * np.pi * rate * t))
        vowels = "aoeu"[int(rng.integers(4))] + "aae"[int(rng.integers(3))]
        swell = 0.6 + 0.4 * np.sin(np.pi * np.linspace(0, 1, length))
        add_at(out, at, spoken(track, vowels, tract, -0.15) * swell * envelope(length, 0.04, 0.05))
        before, at = pitch, at + length
    return out


def baby(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base, tract = rng.uniform(350, 430), rng.uniform(1.35, 1.55)
    period = SAMPLE_RATE / beats
    for at in beat_samples(samples, beats):
        length = int(rng.uniform(0.74, 0.84) * period)
        t = np.linspace(0, 1, length)
        track = base * (1 + rng.uniform(0.25, 0.42) * np.sin(np.pi * t ** rng.uniform(0.5, 0.9)))
        track = track * (1 + 0.02 * np.sin(2 * np.pi * rng.uniform(8, 12) * np.arange(length) / SAMPLE_RATE))
        rough = 1 + 0.45 * np.sin(np.pi * phase(track, length)) * np.sin(np.pi * t)
        wail = spoken(track, "eaa" if rng.random() < 0.6 else "uae", tract, -0.5) * rough
        add_at(out, at, np.tanh(1.5 * wail) * envelope(length, 0.05, 0.12) * rng.uniform(0.85, 1.0))
        add_at(out, at + int(0.82 * period), 0.5 * gasp(0.17 / beats, 1200, 5000, rng))
    return out


def girl(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base, tract = rng.uniform(330, 460), rng.uniform(1.2, 1.35)
    vowel = "aaei"[int(rng.integers(4))]
    huff = gasp(0.3 / beats, 1000, 6000, rng)
    left = several = int(rng.integers(5, 9))
    for at in beat_samples(samples, beats):
        if not left:
            left = several = int(rng.integers(5, 9))
            add_at(out, at, 0.35 * gasp(0.9 / beats, 1500, 4500, rng))
            continue
        done = 1 - left / several
        left -= 1
        length = int(0.6 * SAMPLE_RATE / beats)
        t = np.linspace(0, 1, length)
        track = base * (1.3 - 0.45 * done) * (1.08 - 0.3 * t) * rng.uniform(0.96, 1.04)
        add_at(out, at, 0.6 * huff)
        burst = spoken(track, vowel, tract) * np.sin(np.pi * t**0.6) * (1 - 0.4 * done)
        add_at(out, at + int(0.12 * SAMPLE_RATE / beats), burst)
    return out
