"""The model as the page has it: read while the page is there already, since torch and weights take longer than the page."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING

from crab import CrabError

if TYPE_CHECKING:
    from crab.model import Crab
    from crab.segment import Segmenter

TICK = 0.2  # seconds between two looks at whether the page is being closed

ending = threading.Event()  # the page is being closed: answers end with their next word, and nobody waits any more


class Awaited:
    """A model and what cuts pictures out, as `load` gives them. Once it has begun, loading is a thread of its own."""

    def __init__(self, load: Callable[[], tuple[Crab, Segmenter]]) -> None:
        self._load = load
        self._parts: Future[tuple[Crab, Segmenter]] = Future()

    @classmethod
    def there(cls, crab: Crab, segmenter: Segmenter) -> Awaited:
        """Of what is loaded."""
        awaited = cls(lambda: (crab, segmenter))
        awaited._run()
        return awaited

    def begin(self) -> None:
        """Load now, where nobody has."""
        if not self._parts.done():
            threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._parts.set_result(self._load())
        except BaseException as error:  # raised where it is waited for
            self._parts.set_exception(error)

    def over(self, within: float = 0.0) -> bool:
        """Whether loading is over, well or not, after so many seconds at the latest."""
        return bool(wait([self._parts], within).done)

    def get(self) -> tuple[Crab, Segmenter]:
        """Waits for both. Raises what loading raised, and CrabError where the page is closed meanwhile."""
        while not self.over(TICK):
            if ending.is_set():
                raise CrabError("The page was closed before the model was there.")
        return self._parts.result()
