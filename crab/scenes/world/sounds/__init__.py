"""How everybody in a scene sounds: 16 kHz, mono, float32. One module a group; `synth` says how a voice is made."""

from . import actions, animals, emotions, household, instruments, people, vehicles

__all__ = ["actions", "animals", "emotions", "household", "instruments", "people", "vehicles"]
