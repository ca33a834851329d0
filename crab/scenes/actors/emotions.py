"""Faces that feel something, in the seven words that the emotion data sets share."""
from __future__ import annotations

from .common import Actor

ACTORS: tuple[Actor, ...] = ()
