"""One synthesised voice per actor: 16 kHz, mono, float32.

Every voice keeps a tempo (beats a second) that the drawing keeps too, so that
a stick lands when the drum is heard. `tempo` draws it first from the generator;
with the same seed, sight and sound agree.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import butter, sosfilt

SAMPLE_RATE = 16000

_TEMPO = {
    "guitar": (1.6, 3.0), "violin": (0.9, 1.8), "drum": (2.4, 5.0), "piano": (2.6, 4.6),
    "trumpet": (1.6, 3.0), "dog": (1.2, 2.4), "cat": (0.7, 1.1), "bird": (1.4, 2.6),
    "car": (3.0, 5.0), "bell": (0.8, 1.4), "man": (3.2, 4.8), "alarm clock": (1.4, 2.4),
}
_SINES = np.sin(2 * np.pi * np.outer(np.arange(1024) / 1024, np.arange(1, 81)))  # (place in the period, harmonic)
_MAJOR = np.array([0, 2, 4, 5, 7, 9, 11, 12])
_VOWELS = {"a": (750, 1200, 2500), "e": (500, 1850, 2500), "i": (300, 2250, 3000),
           "o": (480, 850, 2450), "u": (330, 750, 2300)}


def tempo(actor: str, rng: np.random.Generator) -> float:
    """Beats a second of this actor: the first thing drawn from `rng`."""
    return float(rng.uniform(*_TEMPO[actor]))


def synthesise(actor: str, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """`seconds` of the actor's sound, (samples,) float32 at 16 kHz, evenly loud.

    Pitch, tempo, tune and timbre come from `rng`; a longer sound from the same
    seed need not begin with the shorter one.
    """
    beats = tempo(actor, rng)
    sound = _VOICES[actor](round(seconds * SAMPLE_RATE), beats, rng)
    level = np.sqrt(np.mean(sound**2)) + 1e-9
    return (sound * min(0.12 / level, 0.8 / (np.abs(sound).max() + 1e-9))).astype(np.float32)


def _seconds(length: float) -> np.ndarray:
    return np.arange(int(length * SAMPLE_RATE)) / SAMPLE_RATE


def _beats(samples: int, rate: float) -> np.ndarray:
    """Sample positions of the beats."""
    return np.arange(0, samples, SAMPLE_RATE / rate).astype(int)


def _add(out: np.ndarray, at: int, sound: np.ndarray) -> None:
    piece = sound[: max(len(out) - at, 0)]
    out[at : at + len(piece)] += piece


def _turns(frequency: np.ndarray | float, samples: int) -> np.ndarray:
    """Phase in turns of a tone whose frequency in Hz may change sample by sample."""
    return np.cumsum(np.broadcast_to(frequency, samples)) / SAMPLE_RATE


def _wave(turns: np.ndarray, partials: np.ndarray) -> np.ndarray:
    """A periodic wave with these harmonic strengths, read from one drawn period."""
    return (_SINES[:, : len(partials)] @ partials)[(turns * 1024).astype(np.int64) & 1023]


def _partials(highest: float, slope: float) -> np.ndarray:
    """Harmonics falling as 1/k^slope, as many as stay below 7.5 kHz."""
    return np.arange(1, max(int(7500 / highest), 1) + 1) ** -slope


def _envelope(length: int, attack: float, release: float) -> np.ndarray:
    t = np.arange(length) / SAMPLE_RATE
    end = length / SAMPLE_RATE
    return np.clip(t / attack, 0, 1) * np.clip((end - t) / release, 0, 1)


def _band(sound: np.ndarray, low: float, high: float) -> np.ndarray:
    return sosfilt(butter(2, [low, high], "bandpass", fs=SAMPLE_RATE, output="sos"), sound)


def _pluck(frequency: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A Karplus-Strong string, its feedback loop solved in the frequency domain."""
    size = 1 << int(2 * seconds * SAMPLE_RATE).bit_length()
    burst = np.zeros(size)
    burst[: int(SAMPLE_RATE / frequency)] = rng.uniform(-1, 1, int(SAMPLE_RATE / frequency))
    omega = np.linspace(0, np.pi, size // 2 + 1)
    loop = 0.994 * np.cos(omega / 2) * np.exp(-1j * omega * SAMPLE_RATE / frequency)
    return np.fft.irfft(np.fft.rfft(burst) / (1 - loop))[: int(seconds * SAMPLE_RATE)]


def _guitar(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    root = rng.uniform(98, 150)
    chords = []
    for third in (4, 3):
        chord = np.zeros(int(1.06 * SAMPLE_RATE))
        for string, step in enumerate((0, 7, 12, 12 + third)):
            shift = 0 if third == 4 else 5
            _add(chord, int(string * 0.018 * SAMPLE_RATE), _pluck(root * 2 ** ((step + shift) / 12), 1.0, rng))
        chords.append(chord * np.exp(-1.6 * np.arange(len(chord)) / SAMPLE_RATE))
    for number, at in enumerate(_beats(samples, beats)):
        _add(out, at, chords[number // 4 % 2] * rng.uniform(0.7, 1.0))
    return out


def _violin(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    base = rng.uniform(330, 520)
    starts = _beats(samples, beats)
    steps = _MAJOR[rng.integers(0, len(_MAJOR), len(starts))]
    note = np.minimum((np.arange(samples) * beats / SAMPLE_RATE).astype(int), len(starts) - 1)
    t = np.arange(samples) / SAMPLE_RATE
    vibrato = 1 + 0.012 * np.sin(2 * np.pi * rng.uniform(5, 6.5) * t)
    frequency = base * 2 ** (steps[note] / 12) * vibrato
    beat = t * beats % 1
    bow = 0.35 + 0.65 * np.sin(np.pi * beat) ** 0.6
    tone = _wave(_turns(frequency, samples), _partials(base * 2, 0.9))
    return tone * bow + 0.03 * rng.standard_normal(samples) * bow


def _drum(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    t = _seconds(0.28)
    low = rng.uniform(55, 95)
    boom = np.sin(2 * np.pi * (low * t + low * 0.06 * (1 - np.exp(-t * 30)))) * np.exp(-t * 14)
    skin = np.sin(2 * np.pi * 2.4 * low * t) * np.exp(-t * 30)
    snare = 0.6 * rng.standard_normal(len(t)) * np.exp(-t * 26) + 0.5 * skin
    tick = 0.5 * rng.standard_normal(len(t)) * np.exp(-t * 120)
    for number, at in enumerate(_beats(samples, beats)):
        _add(out, at, (boom + tick if number % 2 == 0 else snare) * rng.uniform(0.8, 1.0))
    return out


def _piano(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(240, 420)
    t = _seconds(0.9)

    def note(frequency: float) -> np.ndarray:
        turns = frequency * t
        bright = _wave(turns, _partials(max(frequency, 700), 1.3)) * np.exp(-t * 9)
        body = np.sin(2 * np.pi * turns) + 0.25 * np.sin(4.004 * np.pi * turns)
        return (0.5 * bright + body * np.exp(-t * 3.5)) * _envelope(len(t), 0.003, 0.1)

    tune = _MAJOR[rng.integers(0, len(_MAJOR), 4)]
    melody = [note(base * 2 ** (step / 12 + 1)) for step in tune]
    bass = note(base / 2)
    for number, at in enumerate(_beats(samples, beats)):
        _add(out, at, melody[number % 4] * rng.uniform(0.7, 1.0))
        if number % 4 == 0:
            _add(out, at, bass)
    return out


def _trumpet(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(233, 350)
    brass = np.array([0.5, 0.8, 1.0, 0.9, 0.8, 0.6, 0.45, 0.3, 0.2, 0.12])
    length = int(0.8 * SAMPLE_RATE / beats)
    t = np.arange(length) / SAMPLE_RATE
    bend = 1 - 0.05 * np.exp(-t * 40) + 0.006 * np.sin(2 * np.pi * 5 * t)
    steps = (0, 4, 7, 12, 7, 4)
    offset = int(rng.integers(len(steps)))
    for number, at in enumerate(_beats(samples, beats)):
        frequency = base * 2 ** (steps[(number + offset) % len(steps)] / 12)
        tone = _wave(_turns(frequency * bend, length), brass)
        mellow = np.sin(2 * np.pi * _turns(frequency * bend, length))
        swell = np.clip(t / 0.06, 0, 1)
        _add(out, at, (tone * swell + mellow * (1 - swell)) * _envelope(length, 0.02, 0.06))
    return out


def _dog(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(260, 480)
    length = int(rng.uniform(0.15, 0.22) * SAMPLE_RATE)
    t = np.linspace(0, 1, length)
    frequency = base * (0.7 + 0.75 * np.sin(np.pi * t**0.6))
    bark = _wave(_turns(frequency, length), _partials(base * 1.6, 0.5)) + 0.7 * rng.standard_normal(length)
    bark = _band(bark, 350, 1900) * np.sin(np.pi * t**0.5) ** 1.2
    double = rng.random() < 0.5
    for at in _beats(samples, beats):
        _add(out, at, bark * rng.uniform(0.8, 1.0))
        if double:
            _add(out, at + int(1.25 * length), 0.7 * bark)
    return out


def _cat(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(480, 700)
    length = int(0.78 / beats * SAMPLE_RATE)
    t = np.linspace(0, 1, length)
    frequency = base * (0.75 + 0.5 * np.sin(np.pi * t**0.7)) * (1 + 0.012 * np.sin(2 * np.pi * 6 * beats * t))
    turns = _turns(frequency, length)
    narrow = np.array([1.0, 0.25, 0.1, 0.5, 0.4, 0.1])  # "mi"
    wide = np.array([0.7, 1.0, 0.5, 0.2, 0.1, 0.05])  # "aow"
    meow = (1 - t) * _wave(turns, narrow) + t * _wave(turns, wide)
    meow *= np.sin(np.pi * t**0.6) ** 0.8
    for at in _beats(samples, beats):
        _add(out, at, meow * rng.uniform(0.8, 1.0))
    return out


def _bird(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(2600, 4200)
    length = int(rng.uniform(0.06, 0.11) * SAMPLE_RATE)
    t = np.linspace(0, 1, length)
    bend = rng.uniform(-0.35, 0.45)
    chirps = int(rng.integers(2, 5))
    for at in _beats(samples, beats):
        for number in range(chirps):
            track = base * (1 + bend * t + 0.08 * number + 0.12 * np.sin(np.pi * t))
            _add(out, at + int(1.25 * number * length), np.sin(2 * np.pi * _turns(track, length)) * np.sin(np.pi * t))
    return out


def _car(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / SAMPLE_RATE
    revs = rng.uniform(13, 24) * (1 + 0.18 * np.sin(2 * np.pi * rng.uniform(0.15, 0.4) * t + rng.uniform(0, 6)))
    turns = _turns(revs, samples)
    fire = np.exp(-6 * (turns % 1)) + 0.6 * np.exp(-7 * ((turns + 0.47) % 1))
    engine = _wave(turns, np.arange(1, 25) ** -0.6)
    noise = sosfilt(butter(1, 900, fs=SAMPLE_RATE, output="sos"), rng.standard_normal(samples))
    return 0.12 * engine * (0.3 + fire) + 2.2 * noise * fire**2


def _bell(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(320, 620)
    t = _seconds(2.0)
    strike = np.zeros(len(t))
    for ratio, strength, decay in ((0.5, 0.5, 1.2), (1, 1, 1.6), (1.19, 0.8, 2.0), (1.5, 0.4, 2.5), (2, 0.9, 2.6),
        (2.74, 0.6, 4), (3.76, 0.4, 6), (5.4, 0.3, 9)):
        strike += strength * np.sin(2 * np.pi * base * ratio * t) * np.exp(-decay * t)
    for at in _beats(samples, beats):
        _add(out, at, strike * rng.uniform(0.85, 1.0))
    return out


def _man(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(95, 150)
    harmonics = base * np.arange(1, int(5000 / base))
    tables = [
        sum(g * np.exp(-(((harmonics - f) / (90 + 0.05 * f)) ** 2)) for g, f in zip((1, 0.6, 0.3), formants)) + 0.03
        for formants in _VOWELS.values()
    ]
    for number, at in enumerate(_beats(samples, beats)):
        if number % 9 == 8:  # a breath
            continue
        length = int(rng.uniform(0.7, 0.95) * SAMPLE_RATE / beats)
        t = np.linspace(0, 1, length)
        pitch = base * (1.18 - 0.03 * (number % 9)) * (1 + rng.uniform(-0.12, 0.12) * t)
        turns = _turns(pitch, length)
        first, second = rng.integers(len(tables), size=2)
        voice = (1 - t) * _wave(turns, tables[first]) + t * _wave(turns, tables[second])
        _add(out, at, voice * _envelope(length, 0.03, 0.06) * rng.uniform(0.7, 1.0))
        if number % 2:
            hiss = np.diff(rng.standard_normal(int(0.05 * SAMPLE_RATE) + 1))
            _add(out, at, 0.5 * hiss * np.hanning(len(hiss)))
    return out


def _clock(samples: int, beats: float, rng: np.random.Generator) -> np.ndarray:
    out = np.zeros(samples)
    base = rng.uniform(1900, 2600)
    t = _seconds(0.07)
    ding = sum(s * np.sin(2 * np.pi * base * r * t) for r, s in ((1, 1.0), (1.52, 0.7), (2.31, 0.5))) * np.exp(-t * 45)
    rate = rng.uniform(18, 26)
    for at in _beats(samples, rate):
        if at * beats / SAMPLE_RATE % 1 < 0.62:
            _add(out, at, ding)
    return out


_VOICES: dict[str, Callable[[int, float, np.random.Generator], np.ndarray]] = {
    "guitar": _guitar, "violin": _violin, "drum": _drum, "piano": _piano, "trumpet": _trumpet, "dog": _dog,
    "cat": _cat, "bird": _bird, "car": _car, "bell": _bell, "man": _man, "alarm clock": _clock,
}
