"""Voices of `actors.emotions`: one babble for all, and `MANNERS` of speaking. How one is made is told in `synth`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .synth import SAMPLE_RATE, add_at, beat_samples, envelope, gasp, phase, spoken


@dataclass(frozen=True)
class Manner:
    """Pitch is in semitones above the speaker's own, men's or women's."""

    tempo: tuple[float, float]  # syllables a second, from and to
    phrase: tuple[int, int]  # syllables between two breaths, from fewest to most
    pitch: float = 0.0
    course: float = -1.0  # how far pitch rises over a phrase
    wander: float = 0.6  # how far a syllable strays from that
    glide: float = -0.5  # how far pitch rises within a syllable
    bend: float = 1.0  # when in the syllable: 1 evenly, more: towards its end
    tremble: tuple[float, float] = (0.0, 5.0)  # vibrato: semitones, Hz
    filled: float = 0.85  # how much of a beat sounds
    attack: float = 0.03
    tilt: float = 0.2  # soft, or below 0 bright
    drive: float = 0.0  # harshness
    creak: float = 0.0
    hiss: float = 0.15  # consonants
    airy: float = 0.0
    sobs: int = 1  # how many breaths in a row
    vowels: str = "aeiou"


MANNERS = {
    "neutral": Manner((3.6, 4.4), (7, 10)),
    "happy": Manner((4.8, 5.8), (5, 8), pitch=5, course=7, wander=2.5, glide=5, filled=0.9, tilt=-0.1, vowels="aaei"),
    "sad": Manner(
        (1.7, 2.1),
        (3, 5),
        pitch=-1,
        course=-4,
        wander=0.4,
        glide=-3.5,
        bend=1.4,
        tremble=(0.35, 4.5),
        filled=0.92,
        attack=0.12,
        tilt=1.1,
        hiss=0,
        airy=0.25,
        sobs=3,
        vowels="uoou",
    ),
    "angry": Manner(
        (4.6, 5.8),
        (6, 9),
        pitch=5,
        course=-2,
        wander=1.5,
        glide=-8,
        bend=1.6,
        filled=0.62,
        attack=0.006,
        tilt=-0.6,
        drive=5,
        hiss=1.4,
        vowels="aaeo",
    ),
    "surprise": Manner(
        (1.5, 2.0),
        (2, 3),
        pitch=9,
        course=2,
        wander=2,
        glide=15,
        bend=1.8,
        filled=0.8,
        attack=0.02,
        tilt=0.1,
        hiss=0,
        airy=0.05,
        vowels="ooua",
    ),
    "disgust": Manner(
        (1.0, 1.4),
        (9, 10),
        pitch=-1,
        course=0,
        wander=1.2,
        glide=-9,
        bend=0.8,
        filled=0.9,
        attack=0.08,
        tilt=0.3,
        drive=1.5,
        creak=0.9,
        hiss=0.3,
        vowels="iu",
    ),
    "fear": Manner(
        (5.4, 6.6),
        (4, 9),
        pitch=9,
        course=1.5,
        wander=1,
        glide=0,
        tremble=(1.3, 10),
        filled=0.95,
        tilt=0,
        hiss=0.3,
        airy=0.2,
        sobs=2,
        vowels="eiia",
    ),
}


def speech(samples: int, beats: float, rng: np.random.Generator, *, manner: Manner) -> np.ndarray:
    out = np.zeros(samples)
    lowest, head = (165, 1.08) if rng.random() < 0.5 else (90, 0.95)
    base, tract = lowest * rng.uniform(1, 1.4), head * rng.uniform(1, 1.1)
    depth, rate = manner.tremble[0] * rng.uniform(0.8, 1.2), manner.tremble[1] * rng.uniform(0.9, 1.1)
    period = SAMPLE_RATE / beats
    left = several = int(rng.integers(manner.phrase[0], manner.phrase[1] + 1))
    busy = 0
    for at in beat_samples(samples, beats):
        if at < busy:
            continue
        if not left:
            left = several = int(rng.integers(manner.phrase[0], manner.phrase[1] + 1))
            for sob in range(manner.sobs):
                sigh = gasp(0.9 / beats / manner.sobs, 700, 3200, rng)
                add_at(out, at + int(period * sob / manner.sobs), (0.25 if manner.sobs == 1 else 0.7) * sigh)
            continue
        length = int(period * manner.filled * rng.uniform(0.94, 1.04))
        if manner.tremble[0] > 1 and rng.random() < 0.3:  # the trembling speak unevenly
            length, busy = int(length + period), int(at + 1.5 * period)
        done = 1 - left / several
        left -= 1
        t = np.linspace(0, 1, length)
        semitones = manner.pitch + manner.course * done + manner.wander * rng.uniform(-1, 1)
        semitones = semitones + manner.glide * rng.uniform(0.8, 1.15) * (t**manner.bend - 0.5)
        shaking = np.sin(2 * np.pi * rate * (at + np.arange(length)) / SAMPLE_RATE)
        track = base * 2 ** ((semitones + depth * shaking) / 12)
        vowels = manner.vowels if len(manner.vowels) == 2 else "".join(rng.choice(list(manner.vowels), 2))
        voice = spoken(track, vowels, tract, manner.tilt) * (1 + 0.25 * depth * shaking)
        if manner.creak:
            pulses = phase(track / 4 * (1 + 0.15 * rng.standard_normal()), length) % 1
            voice = voice * (1 - manner.creak * t**0.5 * (1 - np.exp(-3 * pulses)))
        if manner.drive:
            voice = np.tanh(manner.drive * voice)
        if manner.airy:
            voice = voice + manner.airy * rng.standard_normal(length)
        add_at(out, at, voice * envelope(length, manner.attack, 0.05) * rng.uniform(0.8, 1.0))
        if manner.hiss and left % 2:
            noise = np.diff(rng.standard_normal(int(0.05 * SAMPLE_RATE) + 1))
            add_at(out, at, manner.hiss * noise * np.hanning(len(noise)))
    return out
