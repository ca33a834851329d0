"""How everybody in a scene looks, and moves while sounding. One module a group; `common` says how an actor is drawn."""

from . import actions, animals, emotions, household, instruments, people, vehicles

__all__ = ["actions", "animals", "emotions", "household", "instruments", "people", "vehicles"]
