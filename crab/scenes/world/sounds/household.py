"""Voices of `actors.household`. How one is made is told in `synth`."""

from __future__ import annotations

import numpy as np

from .synth import SAMPLE_RATE, add_at, bandpass, beat_samples, falling, periodic, phase, times


def bell(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(320, 620)
    t = times(2.0)
    strike = np.zeros(len(t))
    for ratio, strength, decay in (
        (0.5, 0.5, 1.2),
        (1, 1, 1.6),
        (1.19, 0.8, 2.0),
        (1.5, 0.4, 2.5),
        (2, 0.9, 2.6),
        (2.74, 0.6, 4),
        (3.76, 0.4, 6),
        (5.4, 0.3, 9),
    ):
        strike += strength * np.sin(2 * np.pi * base * ratio * t) * np.exp(-decay * t)
    for at in beat_samples(samples, beats):
        add_at(out, at, strike * rng.uniform(0.85, 1.0))
    return out


def clock(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(1900, 2600)
    t = times(0.07)
    ding = sum(s * np.sin(2 * np.pi * base * r * t) for r, s in ((1, 1.0), (1.52, 0.7), (2.31, 0.5))) * np.exp(-t * 45)
    rate = rng.uniform(18, 26)
    for at in beat_samples(samples, rate):
        if at * beats / SAMPLE_RATE % 1 < 0.62:
            add_at(out, at, ding)
    return out


def telephone(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base, apart = rng.uniform(820, 1250), rng.uniform(1.17, 1.3)
    t = times(0.3)
    bells = [
        sum(
            s * np.sin(2 * np.pi * base * pitch * r * t) * np.exp(-d * t)
            for r, s, d in ((1, 1.0, 12), (2.52, 0.5, 18), (4.3, 0.25, 30))
        )
        for pitch in (1, apart)
    ]
    for number, at in enumerate(beat_samples(samples, rng.uniform(19, 25))):
        if at * beats / SAMPLE_RATE % 1 < 0.68:
            add_at(out, at, bells[number % 2])
    return out


def kettle(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    puff = np.exp(-3 * (t * beats % 1))
    pitch = rng.uniform(1900, 2900) * (1 - rng.uniform(0.25, 0.45) * np.exp(-t / rng.uniform(0.4, 0.9)))
    pitch *= 1 + 0.012 * np.sin(2 * np.pi * rng.uniform(9, 15) * t) + 0.03 * puff
    whistle = periodic(phase(pitch, samples), np.array([1, 0.25]))
    hiss = bandpass(rng.standard_normal(samples), 3200, 7800)
    return whistle * (0.75 + 0.25 * puff) + hiss * (0.35 + 0.4 * puff)


def vacuum(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    stroke = np.cos(2 * np.pi * beats * t)
    load = 1 + 0.03 * stroke
    hum = periodic(phase(rng.uniform(90, 150) * load, samples), falling(600, 0.7))
    whine = np.sin(2 * np.pi * phase(rng.uniform(1100, 1700) * load, samples))
    noise = rng.standard_normal(samples)
    body, air = bandpass(noise, 250, 6000), bandpass(rng.standard_normal(samples), 2000, 6500)
    return 0.35 * hum + 0.4 * whine + 0.45 * body + air * (0.6 + 0.5 * stroke)


def blender(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    surge = 1 - 0.32 * np.exp(-4 * (t * beats % 1))
    turns = phase(rng.uniform(330, 480) * surge, samples)
    motor = periodic(turns, falling(480, 0.35))
    rough = 0.55 + 0.45 * np.sin(2 * np.pi * turns / rng.integers(7, 12))
    chunks = np.repeat(rng.uniform(0, 1, samples // 400 + 1) ** 4, 400)[:samples]
    noise = bandpass(rng.standard_normal(samples), 1000, 4000)
    return motor * rough + 2.5 * noise * chunks


def washer(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    beat = t * beats % 1
    hum = periodic(phase(rng.uniform(48, 68), samples), np.array([0.5, 1, 0.4, 0.7, 0.3, 0.2]))
    noise = rng.standard_normal(samples)
    deep, splash = bandpass(noise, 150, 600), bandpass(noise, 700, rng.uniform(1800, 2600))
    fall = np.clip(beat / 0.06, 0, 1) * np.exp(-3.5 * beat)
    thump = np.sin(2 * np.pi * 85 * beat / beats) * np.exp(-beat / beats * 16)
    return 0.5 * hum + deep * (0.25 + 2.2 * fall) + 1.6 * splash * fall**2 + 1.5 * thump
