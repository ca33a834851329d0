"""One synthesised voice per actor: 16 kHz, mono, float32. One module a group; `synth` says how a voice is made."""

from __future__ import annotations

import numpy as np

from . import actions, animals, emotions, household, instruments, people, vehicles
from .synth import SAMPLE_RATE, Voice

VOICES: dict[str, Voice] = {}
for _group in (instruments, animals, vehicles, people, household, actions, emotions):
    VOICES |= _group.VOICES


def tempo(actor: str, rng: np.random.Generator) -> float:
    """Beats a second of this actor: the first thing drawn from `rng`, so that with one seed sight and sound agree."""
    return float(rng.uniform(*VOICES[actor].tempo))


def synthesise(actor: str, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """`seconds` of the actor's sound, (samples,) float32 at 16 kHz, evenly loud.

    Pitch, tempo, tune and timbre come from `rng`; a longer sound from the same
    seed need not begin with the shorter one.
    """
    beats = tempo(actor, rng)
    sound = VOICES[actor].make(round(seconds * SAMPLE_RATE), beats, rng)
    level = np.sqrt(np.mean(sound**2)) + 1e-9
    return (sound * min(0.12 / level, 0.8 / (np.abs(sound).max() + 1e-9))).astype(np.float32)
