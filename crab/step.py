"""What a model tells while it answers, as plain data. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from crab.trace import RoutingTrace


@dataclass(frozen=True)
class Step:
    """What one step of generation brought: new text, its token ids and their log-probabilities, router weights by tower.

    `routing` holds the positions that were read to write this step's token: the whole prompt in the first step, the
    token written last in every later one. None when not asked for.
    """

    text: str
    token_ids: tuple[int, ...]
    routing: dict[str, RoutingTrace] | None = None
    end: Literal["", "stop", "cut"] = ""  # of the answer: by the model itself, or with more to come; "" before its end
    logprobs: tuple[float, ...] = ()  # of the tokens, each after those before it; natural logarithms
    ends: tuple[int, ...] = ()  # how many characters of `text` are there with each token

    def append(self, later: Step) -> Step:
        """This step and the one after it as one."""
        ends = tuple(len(self.text) + end for end in later.ends)
        return Step(self.text + later.text, self.token_ids + later.token_ids, grown(self.routing, later.routing),
                    later.end, self.logprobs + later.logprobs, self.ends + ends)  # fmt: skip


class Written(NamedTuple):
    """A whole answer, up to the stop token, which is left out."""

    token_ids: list[int]
    logprobs: list[float]  # of each after those before it; natural logarithms
    end: Literal["stop", "cut"] = "stop"  # by the model itself, or with more to come


class Scores(NamedTuple):
    """An answer under a model and its routing, natural logarithms, float64."""

    nats: np.ndarray  # (tokens,) log-probability of each token after those before it
    choice: np.ndarray  # (vocabulary,) log-probabilities at the place that was asked for


def grown(
    routing: dict[str, RoutingTrace] | None, new: dict[str, RoutingTrace] | None
) -> dict[str, RoutingTrace] | None:
    """Router weights by tower, and then new ones."""
    if not new:
        return routing
    routing = dict(routing or {})
    for tower, later in new.items():
        routing[tower] = routing[tower].append(later) if tower in routing else later
    return routing
