"""Routing traces: which head had how much of which token, in every adapted layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .layer import adapted_layers


class Site(NamedTuple):
    """One adapted linear layer, as people speak of it: ("language", 3, "q_proj")."""

    tower: str
    layer: int
    module: str


@dataclass(frozen=True)
class RoutingTrace:
    """Router weights of one tower, token by token."""

    weights: np.ndarray  # (sites, tokens, heads) float16; over heads each sums to one
    sites: tuple[Site, ...]
    tokens: tuple[Any, ...]  # what stands at each position, for whoever made the trace

    def append(self, later: RoutingTrace) -> RoutingTrace:
        """This trace and then `later`, of the same sites: tokens after tokens."""
        return RoutingTrace(
            weights=np.concatenate([self.weights, later.weights], axis=1),
            sites=self.sites,
            tokens=self.tokens + later.tokens,
        )

    def mean(self, token_mask: np.ndarray) -> np.ndarray:
        """Weights averaged over the tokens chosen by `token_mask`, (tokens,) bool with at least one true.

        Returns (sites, heads) float32.
        """
        return self.weights[:, token_mask].mean(axis=1, dtype=np.float32)


class Recorder:
    """Keeps what was routed, on the device where it was, until somebody takes it."""

    def __init__(self) -> None:
        self._gates: dict[str, list[Tensor]] = {}

    def add(self, site: str, gate: Tensor) -> None:
        """Remember one call of one layer: gate (..., heads)."""
        self._gates.setdefault(site, []).append(gate.detach().reshape(-1, gate.shape[-1]))

    def take(self) -> dict[str, np.ndarray]:
        """Everything routed since the last take: {site: (tokens, heads) float16}, sites in the order of their calls.

        Tokens of several calls follow each other, a batch's rows too (record batches of one to tell tokens apart).
        """
        gates, self._gates = self._gates, {}
        if not gates:
            return {}
        device = next(iter(gates.values()))[0].device
        # One transfer for all sites: a wait for the device at each of several hundred would cost more than the model.
        stacked = torch.cat([gate.to(device) for calls in gates.values() for gate in calls]).half().cpu().numpy()
        ends = np.cumsum([sum(len(gate) for gate in calls) for calls in gates.values()])
        return dict(zip(gates, np.split(stacked, ends[:-1])))


@contextmanager
def record(model: nn.Module) -> Iterator[Recorder]:
    """Record the routing of every adapted layer of `model` while the context lasts.

    Names are those of `adapted_layers`. What is recorded is what was used, gate overrides included. Recorders of
    other models, or several of one model, do not disturb each other.
    """
    recorder = Recorder()
    hooks = {layer: partial(recorder.add, name) for name, layer in adapted_layers(model).items()}
    for layer, hook in hooks.items():
        layer.recorders += (hook,)
    try:
        yield recorder
    finally:
        for layer, hook in hooks.items():
            layer.recorders = tuple(other for other in layer.recorders if other is not hook)
