"""People doing something that is heard."""
from __future__ import annotations

from .common import Actor

ACTORS: tuple[Actor, ...] = ()
