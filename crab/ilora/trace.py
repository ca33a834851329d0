"""Recording which head had how much of which token in every adapted layer; and interventions at work, which decide it.

Weights are kept as they were used, in float32: a trace played back gives the same numbers to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from crab import CrabError
from crab.intervention import Intervention
from crab.trace import Site, Token

from .layer import Gate, ILoRALinear, adapted_layers, force, given, mute, uniform


class Recorder:
    """Keeps what was routed, on the device where it was, until somebody takes it."""

    def __init__(self) -> None:
        self._gates: dict[str, list[Tensor]] = {}

    def hook(self, site: str) -> Callable[[Tensor], None]:
        """What to call with the gate, (..., heads), of every call of one layer."""
        # Nothing but the list's own append: it is called hundreds of times for every token that is written.
        return self._gates.setdefault(site, []).append

    def take(self) -> dict[str, np.ndarray]:
        """Everything routed since the last take: {site: (tokens, heads) float32}, sites in the model's order.

        Tokens of several calls follow each other, a batch's rows too (record batches of one to tell tokens apart).
        """
        called = {site: calls for site, calls in self._gates.items() if calls}
        if not called:
            return {}
        rows = [gate.flatten(0, -2) for calls in called.values() for gate in calls]
        # One transfer for all sites: a wait for the device at each of several hundred would cost more than the model.
        stacked = joined(rows).detach().float().cpu().numpy()
        taken, start = {}, 0
        for site, calls in called.items():
            end = start + sum(gate.numel() for gate in calls) // stacked.shape[1]
            taken[site] = stacked[start:end]
            start = end
            calls.clear()
        return taken


def joined(rows: Sequence[Tensor]) -> Tensor:
    """All rows as one tensor on the device of the first; a model may be spread over several."""
    device = rows[0].device
    return torch.cat([row.to(device, non_blocking=True) for row in rows])


@contextmanager
def record(model: nn.Module) -> Iterator[Recorder]:
    """Record the routing of every adapted layer of `model` while the context lasts.

    Names are those of `adapted_layers`. What is recorded is what was used, gate overrides included. Recorders of
    other models, or several of one model, do not disturb each other.
    """
    recorder = Recorder()
    hooks = {layer: recorder.hook(name) for name, layer in adapted_layers(model).items()}
    for layer, hook in hooks.items():
        layer.recorders += (hook,)
    try:
        yield recorder
    finally:
        for layer, hook in hooks.items():
            layer.recorders = tuple(other for other in layer.recorders if other is not hook)


# --- interventions ---


Intervene = Callable[..., AbstractContextManager[None]]


def intervening(layers: Mapping[Site, ILoRALinear], instead: Intervention) -> Intervene:
    """Make an intervention ready for the adapted layers of one model.

    Returns `during(reads, start=0)`, a context for one forward pass of a batch of one. `reads` are by tower the tokens
    that the pass reads, `start` is the position of the first of them. Nothing stays of it after the context.
    Raises CrabError for an intervention that means no site, no head or no token of this model's.
    """
    covered = {site: layer for site, layer in layers.items() if instead.covers(site)}
    if not covered:
        raise CrabError("There is no adapted layer of that tower, number and name to change the routing of.")
    gates = {site: _gates(instead, site, layer) for site, layer in covered.items()}

    @contextmanager
    def during(reads: Mapping[str, Sequence[Token]], start: int = 0) -> Iterator[None]:
        masks = {tower: instead.chosen(tower, tokens, start) for tower, tokens in reads.items()}
        before = {}
        try:
            for site, layer in covered.items():
                if site.tower in masks and masks[site.tower].any():
                    before[layer] = layer.gate
                    layer.gate = gates[site](start, masks[site.tower])
            yield
        finally:
            for layer, gate in before.items():
                layer.gate = gate

    return during


def _gates(instead: Intervention, site: Site, layer: ILoRALinear) -> Callable[[int, np.ndarray], Gate]:
    """What makes the gate of one site, from the position a pass begins at and the mask of those that are meant."""
    R = layer.ilora_R[layer.active_adapters[0]]  # (heads, in)
    if instead.what in ("average", "replay"):
        trace = (instead.source or {}).get(site.tower)
        if trace is None or site not in trace.sites or trace.weights.shape[2] != len(R):
            raise CrabError(f"The run to take weights from holds none for {site.module} in layer {site.layer} of "
                            f"{site.tower}: it is one of another model, or was not traced.")  # fmt: skip
        held = torch.from_numpy(trace.weights[trace.sites.index(site)]).to(R.device, torch.float32)
        if instead.what == "replay":
            return lambda start, mask: _played(held, start, mask)
        mean = held.mean(dim=0)
        return lambda start, mask: _among(lambda gate: mean.expand_as(gate), mask)
    if any(not 0 <= head < len(R) for head in instead.heads):
        raise CrabError(f"There is no head {max(instead.heads) + 1}: the heads of this adapter are 1 to {len(R)}.")
    if len(instead.heads) != 1 if instead.what == "force" else not instead.heads and instead.what == "mute":
        raise CrabError("Say which head: one to force, one or more to mute.")
    gates: dict[str, Callable[..., Gate]] = {"mute": mute, "force": force, "uniform": uniform}
    gate = gates[instead.what](*instead.heads)
    return lambda start, mask: _among(gate, mask)


def _among(instead: Gate, mask: np.ndarray) -> Gate:
    """`instead` for the tokens of `mask`, (tokens,) bool, and the router's own choice for the others."""
    if mask.all():
        return instead
    chosen = torch.from_numpy(mask)[:, None]
    return lambda gate: torch.where(chosen.to(gate.device), instead(gate), gate)  # (batch of one, tokens, heads) too


def _played(held: Tensor, start: int, mask: np.ndarray) -> Gate:
    """What is `held`, (tokens, heads), of the positions that a pass reads, as far as it reaches."""
    rows = held[start : start + len(mask)]
    missing = len(mask) - len(rows)
    there = mask & (np.arange(len(mask)) < len(rows))
    return _among(given(torch.nn.functional.pad(rows, (0, 0, 0, missing))), there)
