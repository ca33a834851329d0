"""Voices of `actors.emotions`. How one is made is told in `synth`."""
from __future__ import annotations

from .synth import Voice

VOICES: dict[str, Voice] = {}
