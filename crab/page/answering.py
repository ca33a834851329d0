"""The one way from the page to the model, for every part of it."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event

from crab import CrabError
from crab.ask import Result, ask
from crab.ilora import Intervention
from crab.media import Clip
from crab.model import Crab
from crab.page import zerogpu
from crab.page.line import Pace
from crab.page.parts import sentences
from crab.page.runs import unlike
from crab.routing import effects
from crab.segment import Segmenter
from crab.tasks import Task

# What a browser cannot draw as fast as it is written piles up there, and goes on coming after Stop.
EVERY = 0.08
ending = Event()  # the page is being closed: answers end with their next word


@dataclass(frozen=True)
class Answerer:
    """A loaded model and what cuts pictures out, as the page uses them: on a Space they may compute elsewhere."""

    crab: Crab
    segmenter: Segmenter
    pace: Pace = field(default_factory=Pace)

    @classmethod
    def of(cls, crab: Crab, segmenter: Segmenter) -> Answerer:
        return cls(*zerogpu.lend(crab, segmenter))

    def answers(
        self, clip: Clip, task: Task, question: str, other: Clip | None, changed: Intervention | None = None
    ) -> Generator[Result]:
        """The growing results of an ask, the first, the last and one every `EVERY` seconds; close them.

        Raises gr.Error with a sentence.
        """
        with sentences():
            results = ask(self.crab, clip, task, question, other=other, segmenter=self.segmenter, intervention=changed)
            began, shown = self.pace.begin(), -math.inf
            try:
                with closing(results):
                    for result in results:
                        if ending.is_set():
                            raise CrabError("The page was closed before the answer was over.")
                        self.pace.tell(result)
                        if result.done or time.monotonic() - shown >= EVERY:
                            shown = time.monotonic()
                            yield result
            finally:
                self.pace.end(began)

    def compare(self, one: Result, other: Result) -> effects.Comparison:
        """What differs; where this model was asked the same twice, also how much likelier either run finds every token."""
        alike = one.model == self.crab.name and not unlike(one, other)
        return effects.compare(one, other, crab=self.crab if alike else None)
