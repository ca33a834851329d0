"""Stop: nobody waits for the answer any more. Work looks here before each of its steps, and begins none.

A step is a look into a file, a layer of a tower, an object that is cut out. Whoever asks for work that may be stopped
has it done in a context of its own (`contextvars`), and says there once, by what it will be stopped.
"""

from __future__ import annotations

from contextvars import ContextVar
from threading import Event

_stop: ContextVar[Event | None] = ContextVar("stop", default=None)


class Stopped(BaseException):
    """Ends work that nobody waits for. No Exception: nothing failed, and there is nobody to be told a sentence."""


def stops(stop: Event) -> None:
    """From now on in this context, work ends once `stop` is set."""
    _stop.set(stop)


def check() -> None:
    """Raises Stopped where this work was stopped."""
    stop = _stop.get()
    if stop is not None and stop.is_set():
        raise Stopped
