"""The one way from the page to the model, for every part of it."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from crab import CrabError, candidates
from crab.about import About
from crab.ask import ask
from crab.intervention import Intervention
from crab.media import Clip
from crab.memory import Memory
from crab.page.awaited import TICK, Awaited, ending
from crab.page.line import Pace
from crab.page.parts import LOADING, WAITING, Updates, sentences
from crab.page.runs import unlike
from crab.result import Result
from crab.routing import effects
from crab.tasks import Task

# What a browser cannot draw as fast as it is written piles up there, and goes on coming after Stop.
EVERY = 0.08


@dataclass(frozen=True)
class Answerer:
    """A model and what cuts pictures out, as the page uses them, and what is known of the model before it is there."""

    about: About
    model: Awaited
    pace: Pace = field(default_factory=Pace)
    memory: Memory = field(default_factory=Memory)  # one for all visitors: it is bounded, and found by what files hold

    def waiting(self, place: gr.HTML) -> Iterator[Updates]:
        """What stands in the answer's place until the model is there, and once it is; nothing where it was before."""
        if self.model.over():
            return
        yield {place: LOADING}  # once: what is written after Stop may stand there for good
        while not self.model.over(TICK) and not ending.is_set():
            pass
        yield {place: WAITING}

    def answers(
        self, clip: Clip, task: Task, question: str, other: Clip | None, changed: Intervention | None = None, **how: Any
    ) -> Generator[Result]:
        """The growing results of an ask, the first, the last and one every `EVERY` seconds; close them. `how`: what else
        `ask` takes.

        Raises gr.Error with a sentence.
        """
        with sentences():
            crab, segmenter = self.model.get()
            results = ask(
                crab, clip, task, question, other=other, segmenter=segmenter, intervention=changed,
                memory=self.memory, **how,
            )  # fmt: skip
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

    def sampled(self, result: Result) -> Result:
        """An answer with its candidates. Raises gr.Error with a sentence."""
        with sentences():
            crab, _ = self.model.get()
            began = self.pace.begin()
            try:
                return candidates.draw(crab, result, memory=self.memory)
            finally:
                self.pace.end(began)

    def compare(self, one: Result, other: Result) -> effects.Comparison:
        """What differs; where this model was asked the same twice, also how much likelier either run finds every token."""
        alike = one.model == self.about.name and not unlike(one, other)
        return effects.compare(one, other, crab=self.model.get()[0] if alike else None)
