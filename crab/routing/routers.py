"""Other routers in the place of a model's own: what `effects` and `survey` hold its routing against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch

from crab.ilora import adapted_layers
from crab.model import Crab


@contextmanager
def instead(crab: Crab, others: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Other routers, (heads, in) by the name of the adapted layer, while the context lasts: for nobody else's answers
    meanwhile."""
    layers = adapted_layers(crab.model)
    kept = {}
    try:
        for name, rows in others.items():
            held = layers[name].ilora_R[layers[name].active_adapters[0]]
            kept[name] = held.data
            held.data = rows.to(held)
        yield
    finally:
        for name, rows in kept.items():
            layers[name].ilora_R[layers[name].active_adapters[0]].data = rows


def shuffled(crab: Crab, *, seed: int = 0) -> dict[str, torch.Tensor]:
    """To every site the router of another that reads as many features, where there is one."""
    own = _routers(crab)
    found, rng = {}, np.random.default_rng(seed)
    for width in sorted({rows.shape for rows in own.values()}):
        names = [name for name, rows in own.items() if rows.shape == width]
        order = rng.permutation(len(names))
        for at, other in zip(order, np.roll(order, 1)):  # round a ring, so that none keeps its own
            found[names[at]] = own[names[other]]
    return found


def drawn(crab: Crab, *, seed: int = 0) -> dict[str, torch.Tensor]:
    """To every site a router at random, as long as its own."""
    generator = torch.Generator().manual_seed(seed)
    return {name: at_random(own, generator) for name, own in _routers(crab).items()}


def at_random(own: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A router as a fresh adapter has it, (heads, in) float32 on the CPU, and as long as `own`: a longer one would only
    decide harder."""
    rows = torch.empty(own.shape).uniform_(-1, 1, generator=generator)
    return rows * (own.float().norm().cpu() / rows.norm())


def _routers(crab: Crab) -> dict[str, torch.Tensor]:
    layers = adapted_layers(crab.model)
    return {name: layer.ilora_R[layer.active_adapters[0]].detach() for name, layer in layers.items()}
