"""What every voice is made of: 16 kHz, mono.

A voice is a function of the number of samples, its tempo (beats a second) and a generator that decides pitch, tune and
timbre. It keeps the tempo that the drawing keeps too, so that a stick lands when the drum is heard: whole beats are when
it strikes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy

Voice = Callable[[int, float, np.random.Generator], np.ndarray]  # (samples, tempo, generator) -> (samples,)

SAMPLE_RATE = 16000
SINES = np.sin(2 * np.pi * np.outer(np.arange(1024) / 1024, np.arange(1, 129)))  # (place in the period, harmonic)
MAJOR = np.array([0, 2, 4, 5, 7, 9, 11, 12])
VOWELS = {
    "a": (750, 1200, 2500),
    "e": (500, 1850, 2500),
    "i": (300, 2250, 3000),
    "o": (480, 850, 2450),
    "u": (330, 750, 2300),
}


def times(length: float) -> np.ndarray:
    return np.arange(int(length * SAMPLE_RATE)) / SAMPLE_RATE


def beat_samples(samples: int, rate: float) -> np.ndarray:
    """Sample positions of the beats."""
    return np.arange(0, samples, SAMPLE_RATE / rate).astype(int)


def add_at(out: np.ndarray, at: int, sound: np.ndarray) -> None:
    piece = sound[: max(len(out) - at, 0)]
    out[at : at + len(piece)] += piece


def phase(frequency: np.ndarray | float, samples: int) -> np.ndarray:
    """Phase in turns of a tone whose frequency in Hz may change sample by sample."""
    return np.cumsum(np.broadcast_to(frequency, samples)) / SAMPLE_RATE


def periodic(turns: np.ndarray, partials: np.ndarray) -> np.ndarray:
    """A periodic wave with these harmonic strengths, read from one drawn period."""
    return (SINES[:, : len(partials)] @ partials)[(turns * 1024).astype(np.int64) & 1023]


def falling(highest: float, slope: float) -> np.ndarray:
    """Harmonics falling as 1/k^slope, as many as stay below 7.5 kHz."""
    return np.arange(1, max(int(7500 / highest), 1) + 1) ** -slope


def strengths(pitch: float, formants: tuple[float, ...]) -> np.ndarray:
    """Harmonics of a voice at this pitch whose mouth has these formants."""
    harmonics = pitch * np.arange(1, int(5000 / pitch))
    return sum(g * np.exp(-(((harmonics - f) / (90 + 0.05 * f)) ** 2)) for g, f in zip((1, 0.6, 0.3), formants)) + 0.03


def spoken(pitch: np.ndarray, vowels: str, tract: float = 1.0, tilt: float = 0.0) -> np.ndarray:
    """A voice that follows the pitch through the vowels; a small head has a `tract` above 1, a soft voice `tilt`."""
    turns, out = phase(pitch, len(pitch)), np.zeros(len(pitch))
    place = np.linspace(0, max(len(vowels) - 1, 1), len(pitch))
    for number, vowel in enumerate(vowels):
        at = float(pitch[round((len(pitch) - 1) * number / max(len(vowels) - 1, 1))])
        partials = strengths(at, tuple(tract * f for f in VOWELS[vowel]))
        partials = partials * np.arange(1, len(partials) + 1) ** -tilt
        near = np.clip(1 - np.abs(place - number), 0, 1) if len(vowels) > 1 else 1.0
        out += near * periodic(turns, partials / np.sqrt(np.sum(partials**2)))
    return out


def gasp(seconds: float, low: float, high: float, rng: np.random.Generator) -> np.ndarray:
    """Breath through a mouth."""
    length = int(seconds * SAMPLE_RATE)
    return 2 * bandpass(rng.standard_normal(length), low, high) * np.hanning(length)


def envelope(length: int, attack: float, release: float) -> np.ndarray:
    t = np.arange(length) / SAMPLE_RATE
    end = length / SAMPLE_RATE
    return np.clip(t / attack, 0, 1) * np.clip((end - t) / release, 0, 1)


def bandpass(sound: np.ndarray, low: float, high: float) -> np.ndarray:
    return scipy.signal.sosfilt(scipy.signal.butter(2, [low, high], "bandpass", fs=SAMPLE_RATE, output="sos"), sound)


def pluck(frequency: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A Karplus-Strong string, its feedback loop solved in the frequency domain."""
    size = 1 << int(2 * seconds * SAMPLE_RATE).bit_length()
    burst = np.zeros(size)
    burst[: int(SAMPLE_RATE / frequency)] = rng.uniform(-1, 1, int(SAMPLE_RATE / frequency))
    omega = np.linspace(0, np.pi, size // 2 + 1)
    loop = 0.994 * np.cos(omega / 2) * np.exp(-1j * omega * SAMPLE_RATE / frequency)
    return np.fft.irfft(np.fft.rfft(burst) / (1 - loop))[: int(seconds * SAMPLE_RATE)]
