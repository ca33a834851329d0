"""Voices of `actors.instruments`. How one is made is told in `synth`."""

from __future__ import annotations

import numpy as np

from .synth import MAJOR, SAMPLE_RATE, add_at, bandpass, beat_samples, envelope, falling, periodic, phase, pluck, times


def guitar(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    root = rng.uniform(98, 150)
    chords = []
    for third in (4, 3):
        chord = np.zeros(int(1.06 * SAMPLE_RATE))
        for string, step in enumerate((0, 7, 12, 12 + third)):
            shift = 0 if third == 4 else 5
            add_at(chord, int(string * 0.018 * SAMPLE_RATE), pluck(root * 2 ** ((step + shift) / 12), 1.0, rng))
        chords.append(chord * np.exp(-1.6 * np.arange(len(chord)) / SAMPLE_RATE))
    for number, at in enumerate(beat_samples(samples, beats)):
        add_at(out, at, chords[number // 4 % 2] * rng.uniform(0.7, 1.0))
    return out


def violin(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    base = rng.uniform(330, 520)
    starts = beat_samples(samples, beats)
    steps = MAJOR[rng.integers(0, len(MAJOR), len(starts))]
    note = np.minimum((np.arange(samples) * beats / SAMPLE_RATE).astype(int), len(starts) - 1)
    t = np.arange(samples) / SAMPLE_RATE
    vibrato = 1 + 0.012 * np.sin(2 * np.pi * rng.uniform(5, 6.5) * t)
    frequency = base * 2 ** (steps[note] / 12) * vibrato
    beat = t * beats % 1
    bow = 0.35 + 0.65 * np.sin(np.pi * beat) ** 0.6
    tone = periodic(phase(frequency, samples), falling(base * 2, 0.9))
    return tone * bow + 0.03 * rng.standard_normal(samples) * bow


def drum(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    t = times(0.28)
    low = rng.uniform(55, 95)
    boom = np.sin(2 * np.pi * (low * t + low * 0.06 * (1 - np.exp(-t * 30)))) * np.exp(-t * 14)
    skin = np.sin(2 * np.pi * 2.4 * low * t) * np.exp(-t * 30)
    snare = 0.6 * rng.standard_normal(len(t)) * np.exp(-t * 26) + 0.5 * skin
    tick = 0.5 * rng.standard_normal(len(t)) * np.exp(-t * 120)
    for number, at in enumerate(beat_samples(samples, beats)):
        add_at(out, at, (boom + tick if number % 2 == 0 else snare) * rng.uniform(0.8, 1.0))
    return out


def piano(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(240, 420)
    t = times(0.9)

    def note(frequency: float) -> np.ndarray:
        turns = frequency * t
        bright = periodic(turns, falling(max(frequency, 700), 1.3)) * np.exp(-t * 9)
        body = np.sin(2 * np.pi * turns) + 0.25 * np.sin(4.004 * np.pi * turns)
        return (0.5 * bright + body * np.exp(-t * 3.5)) * envelope(len(t), 0.003, 0.1)

    tune = MAJOR[rng.integers(0, len(MAJOR), 4)]
    melody = [note(base * 2 ** (step / 12 + 1)) for step in tune]
    bass = note(base / 2)
    for number, at in enumerate(beat_samples(samples, beats)):
        add_at(out, at, melody[number % 4] * rng.uniform(0.7, 1.0))
        if number % 4 == 0:
            add_at(out, at, bass)
    return out


def trumpet(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(233, 350)
    brass = np.array([0.5, 0.8, 1.0, 0.9, 0.8, 0.6, 0.45, 0.3, 0.2, 0.12])
    length = int(0.8 * SAMPLE_RATE / beats)
    t = np.arange(length) / SAMPLE_RATE
    bend = 1 - 0.05 * np.exp(-t * 40) + 0.006 * np.sin(2 * np.pi * 5 * t)
    steps = (0, 4, 7, 12, 7, 4)
    offset = int(rng.integers(len(steps)))
    for number, at in enumerate(beat_samples(samples, beats)):
        frequency = base * 2 ** (steps[(number + offset) % len(steps)] / 12)
        tone = periodic(phase(frequency * bend, length), brass)
        mellow = np.sin(2 * np.pi * phase(frequency * bend, length))
        swell = np.clip(t / 0.06, 0, 1)
        add_at(out, at, (tone * swell + mellow * (1 - swell)) * envelope(length, 0.02, 0.06))
    return out


def flute(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    base = rng.uniform(560, 860)
    starts = beat_samples(samples, beats)
    steps = MAJOR[np.abs(np.cumsum(rng.integers(-2, 3, len(starts))) + rng.integers(0, 8)) % 8]
    t = np.arange(samples) / SAMPLE_RATE
    note, beat = np.minimum((t * beats).astype(int), len(starts) - 1), t * beats % 1
    vibrato = np.sin(2 * np.pi * rng.uniform(4.5, 6) * t)
    tone = periodic(
        phase(base * 2 ** (steps[note] / 12) * (1 + 0.006 * vibrato), samples),
        np.array([1, rng.uniform(0.3, 0.5), 0.16, 0.05, 0.02]),
    )
    blown = np.clip(beat / beats / 0.05, 0, 1) * np.clip((1 - beat) / beats / 0.04, 0.12, 1)
    breath = bandpass(rng.standard_normal(samples), 1800, 6500)
    return tone * blown * (1 + 0.18 * vibrato) + breath * (0.12 + 0.3 * np.exp(-beat / beats * 40))


def harp(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    root = rng.uniform(175, 262)
    third = int(rng.integers(3, 5))
    strings = []
    for step in (0, 7, 12, 12 + third, 19, 24, 24 + third, 31):
        string = pluck(root * 2 ** (step / 12), 1.0, rng)
        strings.append(string * np.exp(-2.2 * np.arange(len(string)) / SAMPLE_RATE) / (np.abs(string).max() + 1e-9))
    run = ((0, 2, 4, 6, 7, 5, 3, 1), (0, 1, 2, 3, 4, 5, 6, 7), (7, 5, 6, 4, 5, 3, 2, 0))[rng.integers(3)]
    for number, at in enumerate(beat_samples(samples, beats * 4)):
        add_at(out, at, strings[run[number % 8]] * (1.0 if number % 4 == 0 else rng.uniform(0.55, 0.8)))
    return out


def xylophone(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(760, 1150)
    t = times(0.3)
    knock = 0.5 * rng.standard_normal(len(t)) * np.exp(-t * 300)
    ratio = rng.uniform(2.7, 3.1)
    steps = MAJOR[rng.integers(0, len(MAJOR), 6)]
    bars = []
    for frequency in base * 2 ** (steps / 12):
        bars.append(
            knock
            + sum(
                strength * np.sin(2 * np.pi * frequency * r * t) * np.exp(-decay * t)
                for r, strength, decay in ((1, 1.0, 14), (ratio, 0.5, 32), (5.4, 0.2, 60))
                if frequency * r < 7800
            )
        )
    for number, at in enumerate(beat_samples(samples, beats)):
        add_at(out, at, bars[number % 6] * rng.uniform(0.75, 1.0))
    return out
