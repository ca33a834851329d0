"""Voices of `actors.actions`. How one is made is told in `synth`."""

from __future__ import annotations

import numpy as np

from .synth import SAMPLE_RATE, add_at, bandpass, beat_samples, phase, times


def _noise(seconds: float, low: float, high: float, rng: np.random.Generator) -> np.ndarray:
    sound = bandpass(rng.standard_normal(int(seconds * SAMPLE_RATE)), low, high)
    return sound / (np.abs(sound).max() + 1e-9)


def _ring(seconds: float, *modes: tuple[float, float, float]) -> np.ndarray:
    """Dying tones: (frequency, strength, decay) each."""
    t = times(seconds)
    return sum(s * np.sin(2 * np.pi * f * t) * np.exp(-d * t) for f, s, d in modes if f < 7600)


def _thud(seconds: float, start: float, end: float, decay: float) -> np.ndarray:
    t = times(seconds)
    return np.sin(2 * np.pi * phase(end + (start - end) * np.exp(-30 * t), len(t))) * np.exp(-decay * t)


def _strokes(samples: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """How far each stroke (one a beat) is, 0 to 1, and which ones go back."""
    turns = np.arange(samples) * rate / SAMPLE_RATE
    return turns % 1, turns % 2 >= 1


def clapping(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    centre, room = rng.uniform(950, 1700), rng.uniform(9, 16)
    t = times(0.4)
    claps = []
    for _ in range(4):
        f = centre * rng.uniform(0.9, 1.12)
        clap = 0.13 * _noise(0.4, 0.5 * f, 2.4 * f, rng) * np.exp(-room * t)
        for late, strength in ((0, 0.7), (0.009, 0.6), (0.019, 1.0)):
            burst = _noise(0.07, 0.7 * f, 1.5 * f, rng) * np.exp(-times(0.07) * 95)
            add_at(clap, int((late + rng.uniform(0, 0.003)) * SAMPLE_RATE), strength * burst)
        claps.append(clap)
    for at in beat_samples(samples, beats):
        add_at(out, at, claps[rng.integers(4)] * rng.uniform(0.75, 1.0))
    return out


def hammering(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base, decay = rng.uniform(1900, 2900), rng.uniform(9, 16)
    clank = _ring(
        0.4,
        (base, 1.0, decay),
        (base * 1.37, 0.7, decay * 1.3),
        (base * 1.83, 0.6, decay * 1.5),
        (base * 2.41, 0.4, decay * 2),
    )
    thud = _thud(0.25, rng.uniform(180, 240), rng.uniform(85, 120), 22)
    thud += 0.5 * _noise(0.25, 200, 900, rng) * np.exp(-times(0.25) * 45)
    for number, at in enumerate(beat_samples(samples, beats)):
        add_at(out, at, clank * rng.uniform(0.5, 0.8))
        add_at(out, at, thud * (1.1 + 0.2 * (number % 2)))
    return out


def ball(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    low, air = rng.uniform(58, 85), rng.uniform(290, 470)
    thud = 1.3 * _thud(0.45, low * 2.6, low, 11)
    add_at(thud, 0, _ring(0.45, (air, 0.5, 13), (air * 1.59, 0.25, 17), (air * 2.14, 0.12, 22)))
    add_at(thud, 0, 0.5 * _noise(0.03, 300, 1800, rng) * np.exp(-times(0.03) * 150))
    pat = 0.3 * _noise(0.09, 250, 1100, rng) * np.exp(-times(0.09) * 40)
    for at in beat_samples(samples, beats):
        add_at(out, at, thud * rng.uniform(0.85, 1.0))
        add_at(out, at + int(0.5 * SAMPLE_RATE / beats), pat * rng.uniform(0.7, 1.0))
    return out


def typing(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    t, body = times(0.05), rng.uniform(700, 1500)
    keys = []
    for _ in range(6):
        f = body * rng.uniform(0.85, 1.2)
        key = _noise(0.05, 2200, 6800, rng) * np.exp(-t * 260) + 0.35 * np.sin(2 * np.pi * f * t) * np.exp(-t * 130)
        add_at(key, int(rng.uniform(0.022, 0.03) * SAMPLE_RATE), 0.4 * key[:300])
        keys.append(key)
    space = 0.8 * _noise(0.09, 260, 1100, rng) * np.exp(-times(0.09) * 60)
    for _number, at in enumerate(beat_samples(samples, beats)):
        add_at(out, at, keys[rng.integers(6)] * rng.uniform(0.8, 1.0))
        if rng.random() < 0.16:
            add_at(out, at, space)
        for part in (0.3, 0.52, 0.76):
            if rng.random() < 0.55:
                late = int((part + rng.uniform(-0.07, 0.07)) * SAMPLE_RATE / beats)
                add_at(out, at + late, keys[rng.integers(6)] * rng.uniform(0.45, 0.9))
    return out


def sawing(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    part, back = _strokes(samples, beats)
    low, teeth = rng.uniform(500, 800), rng.uniform(55, 95)
    speed = np.sin(np.pi * part) ** 0.8
    noise = rng.standard_normal(samples)
    push, pull = bandpass(noise, low, 3.4 * low), bandpass(noise, 2.0 * low, 5.5 * low)
    rasp = (0.5 + 0.5 * np.sin(2 * np.pi * phase(teeth * (0.35 + speed), samples))) ** 2
    wood = np.sin(2 * np.pi * phase(0.42 * low * (1 + 0.12 * part), samples))
    return speed * (0.25 + rasp) * (np.where(back, 0.8 * pull, push) + 0.2 * wood)


def sweeping(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    part, back = _strokes(samples, beats)
    low = rng.uniform(1100, 1900)
    noise = rng.standard_normal(samples)
    straws = bandpass(noise, 2.2 * low, min(4.1 * low, 7600)) + 0.5 * bandpass(noise, 0.35 * low, low)
    grit = (rng.random(samples) < 0.004) * rng.uniform(0, 5, samples)
    swell = np.sin(np.pi * np.minimum(part / 0.9, 1) ** rng.uniform(0.6, 0.8)) ** 1.4 + 0.03
    return swell * np.where(back, 0.55, 1.0) * (straws + bandpass(grit, low, 6000))


def chopping(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    board = rng.uniform(330, 520)
    knock = _ring(0.25, (board, 1.0, 30), (board * 1.62, 0.7, 42), (board * 2.77, 0.45, 60), (board * 4.3, 0.2, 80))
    crisp = np.zeros(int(0.07 * SAMPLE_RATE))
    for at in rng.uniform(0, 0.05, 12):
        add_at(crisp, int(at * SAMPLE_RATE), _noise(0.008, 2500, 7000, rng) * np.hanning(128) * rng.uniform(0.3, 1.0))
    early = int(0.045 * SAMPLE_RATE)
    for at in beat_samples(samples, beats):
        add_at(out, at, knock * rng.uniform(0.75, 1.0))
        add_at(out, max(at - early, 0), crisp * rng.uniform(0.5, 0.9))
    return out


def knocking(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    door = rng.uniform(120, 210)
    knock = _ring(0.3, (door, 1.0, 20), (door * 1.7, 0.8, 26), (door * 2.9, 0.5, 38), (door * 4.4, 0.25, 55))
    add_at(knock, 0, 0.5 * _noise(0.012, 500, 2200, rng) * np.hanning(192))
    for at in beat_samples(samples, beats / 2):
        for number, part in enumerate((0, 0.5, 1)):
            strength = rng.uniform(0.8, 1.0) * (1.0, 0.85, 1.1)[number]
            add_at(out, at + int(part * SAMPLE_RATE / beats), knock * strength)
    return out


def skipping(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    part, _ = _strokes(samples, beats)
    low = rng.uniform(350, 550)
    noise = rng.standard_normal(samples)
    near = np.clip((part - 0.35) / 0.65, 0, 1)
    out = 0.5 * near**1.5 * bandpass(noise, 2.2 * low, 5 * low)
    out += 0.17 * np.sin(np.pi * part) * bandpass(noise, low, 2 * low)
    tick = 3 * _noise(0.025, 1800, 5500, rng) * np.exp(-times(0.025) * 220)
    feet = 2.2 * _thud(0.16, rng.uniform(130, 170), rng.uniform(65, 85), 28)
    land = int(rng.uniform(0.2, 0.26) * SAMPLE_RATE / beats)
    for at in beat_samples(samples, beats):
        add_at(out, at, tick * rng.uniform(0.8, 1.0))
        add_at(out, at + land, feet * rng.uniform(0.8, 1.0))
    return out


def teeth(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    part, back = _strokes(samples, beats)
    centre = rng.uniform(3200, 4200)
    noise = rng.standard_normal(samples)
    forth = bandpass(noise, 0.9 * centre, 1.12 * centre)
    backs = bandpass(noise, 1.2 * centre, 1.45 * centre)
    jaw = 0.25 * bandpass(noise, 0.3 * centre, 0.4 * centre)
    side = 1 + 0.3 * np.sin(2 * np.pi * np.arange(samples) / SAMPLE_RATE * rng.uniform(0.2, 0.4))
    return np.sin(np.pi * part) ** 1.5 * (np.where(back, backs, forth) + jaw) * side


def pouring(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    part, _ = _strokes(samples, beats)
    out = 0.07 * bandpass(rng.standard_normal(samples), 900, 4500) * (1 + 0.4 * np.cos(2 * np.pi * part))
    base, fill = rng.uniform(380, 560), rng.uniform(3.5, 6.0)
    t = times(0.07)
    bubbles = [
        np.sin(2 * np.pi * phase(base * r * (1 + 6 * t), len(t))) * np.exp(-t * rng.uniform(40, 80))
        for r in np.geomspace(0.8, 3.6, 20)
    ]
    for at in np.cumsum(rng.exponential(SAMPLE_RATE / 60, int(70 * samples / SAMPLE_RATE) + 8)).astype(int):
        level = at / SAMPLE_RATE % fill / fill
        add_at(out, at, bubbles[int(np.clip(2 + 11 * level + rng.normal(0, 2.2), 0, 19))] * rng.uniform(0.1, 0.5))
    t = times(0.16)
    glug = np.sin(2 * np.pi * phase(base * (0.5 + 2.2 * t), len(t))) * np.hanning(len(t))
    for at in beat_samples(samples, beats):
        add_at(out, at, glug * rng.uniform(0.6, 0.9))
    return out


def whistle(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    part, _ = _strokes(samples, beats)
    pitch, trill = rng.uniform(2100, 3300), rng.uniform(30, 40)
    pea = np.sin(2 * np.pi * phase(trill * rng.uniform(0.97, 1.03), samples))
    long = 1 - rng.uniform(0.14, 0.22)
    blow = np.clip(part / 0.05, 0, 1) * np.clip((long - part) / 0.06, 0, 1)
    turns = phase(pitch * (0.93 + 0.07 * np.minimum(part * 12, 1)) * (1 + 0.035 * pea), samples)
    tone = np.sin(2 * np.pi * turns) + 0.5 * np.sin(2 * np.pi * 1.045 * turns) + 0.12 * np.sin(4 * np.pi * turns)
    air = 0.25 * bandpass(rng.standard_normal(samples), 0.8 * pitch, min(1.5 * pitch, 7500))
    return blow * (tone * (0.6 + 0.4 * pea) + air)


def digging(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    beat = SAMPLE_RATE / beats
    scrape_long = 0.46 / beats
    t = times(scrape_long)
    metal = rng.uniform(2400, 3800)
    fall = 0.42 / beats
    for at in beat_samples(samples, beats):
        grains = np.repeat(rng.uniform(0, 1, len(t) // 60 + 1) ** 3, 60)[: len(t)]
        grit = _noise(scrape_long, 700, 5200, rng) * (0.2 + grains) + 0.12 * grains * np.sin(2 * np.pi * metal * t)
        add_at(out, at, grit * np.minimum(t / 0.02, 1) * (1 - t / scrape_long) ** 0.7 * rng.uniform(0.8, 1.0))
        land = at + int(rng.uniform(0.53, 0.57) * beat)
        add_at(out, land, 1.2 * _thud(0.3, 120, 62, 13) * rng.uniform(0.8, 1.0))
        add_at(out, land, 0.8 * _noise(fall, 120, 650, rng) * np.exp(-times(fall) * 9))
    return out


def marching(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    low, gravel = rng.uniform(70, 95), rng.uniform(900, 1500)
    t = times(0.3)
    steps = []
    for pitch, bright in ((1.0, 1.0), (1.35, 1.5)):
        crunch = _noise(0.3, 0.5 * gravel * bright, 1.6 * gravel * bright, rng)
        crunch *= np.exp(-13 * t) * np.minimum(t * 60, 1)
        crunch *= 0.4 + 0.6 * np.repeat(rng.uniform(0, 1, 60), 80)
        steps.append(_thud(0.3, 2.2 * low * pitch, low * pitch, 17) + 0.8 * crunch)
    for number, at in enumerate(beat_samples(samples, beats)):
        for late in (0, *rng.uniform(0.005, 0.03, 2)):
            add_at(out, at + int(late * SAMPLE_RATE), steps[number % 2] * rng.uniform(0.4, 0.7))
    return out
