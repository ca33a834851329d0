"""Ask many questions once each, and keep all that the atlas, its controls and the sites' usage are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from crab import CrabError
from crab.ilora import adapted_layers
from crab.model import Crab, site_of
from crab.routing.atlas import LONGEST, VIEWS, Asked, Atlas, signature
from crab.routing.routers import at_random
from crab.routing.separation import HIDDEN, OWN, RANDOM, TOKENS, By, controls
from crab.routing.sites import Tally
from crab.step import grown
from crab.trace import RoutingTrace, Token
from crab.windows import windows_of

DRAWS = 3  # routers drawn at random, each of which is a control of its own


def survey(crab: Crab, asked: Iterable[Asked], *, draws: int = DRAWS, max_new_tokens: int = LONGEST) -> Atlas:
    """Ask every question with its routing traced: signatures, what else tells the runs apart, how sites used heads.

    Without controls where all questions are about one scene. Raises CrabError for a model without an adapter, where
    nothing is asked, and as asking does.
    """
    if crab.adapter is None:
        raise CrabError(f"{crab.name} has no adapter and so no routing: give one.")
    runs, found, rows, tally = [], [], [], Tally()
    for one in asked:
        sums = _Sums(draws)
        routing = _routed(crab, one, sums, max_new_tokens)
        runs.append(one)
        found.append(signature(routing))
        rows.append(sums.signatures())
        tally.add(routing)
    if not runs:
        raise CrabError("There is no question to ask.")
    datasets, families, scenes = zip(*((one.task.name, one.task.family, one.scene) for one in runs))
    signatures = {name: np.stack([row[name] for row in rows]).astype(np.float32) for name in rows[0]}
    groups: tuple[tuple[By, tuple[str, ...]], ...] = (("family", families), ("dataset", datasets))
    compared = (
        controls(signatures, np.array(kinds), np.array(scenes), by) for by, kinds in groups if len(set(scenes)) > 1
    )
    return Atlas(
        model=crab.name, datasets=datasets, families=families, scenes=scenes, layers=found[0].layers,
        sites=found[0].sites, controls=tuple(one for of in compared for one in of), usage=tally.usage(),
        **{view: np.stack([getattr(one, view) for one in found]).astype(np.float16) for view in VIEWS},
    )  # fmt: skip


def _routed(crab: Crab, one: Asked, sums: _Sums, max_new_tokens: int) -> dict[str, RoutingTrace]:
    """Ask one question, in windows where it is asked so, and add up into `sums`. The traces by tower."""
    routing: dict[str, RoutingTrace] | None = None
    spans = windows_of(one.clip, one.task)
    for span in spans:
        prompt = crab.prompt(one.clip, one.task, one.question, other=one.other, window=span if spans[1:] else None)
        sums.tokens = prompt.map.tokens
        with _watched(crab, sums):
            for step in crab.stream(prompt, max_new_tokens=max_new_tokens, trace_routing=True):
                routing = grown(routing, step.routing)
    return routing or {}


@dataclass
class _Sums:
    """What one run adds up to, by sort of token and layer."""

    draws: int
    tokens: tuple[Token, ...] = ()  # of the prompt that is being read
    gates: dict[tuple[str, int], Tensor] = field(default_factory=dict)  # (routers, heads), over all modules
    modules: dict[int, set[str]] = field(default_factory=dict)  # of every layer
    hidden: dict[tuple[str, int], Tensor] = field(default_factory=dict)  # (width,)
    counts: dict[str, int] = field(default_factory=dict)

    def chosen(self, passed: int) -> Iterator[tuple[str, Tensor]]:
        """Sorts of token, and which positions of a pass over `passed` are of each."""
        if passed != len(self.tokens):
            yield "answer", torch.ones(passed, dtype=torch.bool)
            return
        words = torch.tensor([token.modality == "text" for token in self.tokens])
        yield from (("prompt", words), ("media", ~words))
        # The chat template ends the question and opens the answer in the same words whatever the question is.
        at = torch.arange(passed)
        yield "closing", at >= max(i for i, token in enumerate(self.tokens) if token.text == "<|im_end|>")
        # The position that writes the first token stands for an answer that is over with it: none of its is ever read.
        yield "first", at == passed - 1

    def signatures(self) -> dict[tuple[str, str], np.ndarray]:
        """(features,) float32 by (what decided, of which tokens): means over the modules of a layer, layer by layer."""
        found = {}
        layers = sorted({layer for _, layer in self.hidden})
        names = (OWN, *(f"{RANDOM} {n + 1}" for n in range(self.draws)))
        for tokens in TOKENS:
            of = "first" if tokens == "answer" and not self.counts.get("answer") else tokens
            count = max(self.counts.get(of, 0), 1)
            by_layer = [self.gates[of, layer] / len(self.modules[layer]) / count for layer in layers]
            for number, name in enumerate(names):
                found[name, tokens] = torch.cat([gates[number] for gates in by_layer]).cpu().numpy()
            hidden = torch.cat([self.hidden[of, layer] / count for layer in layers])
            found[HIDDEN, tokens] = hidden.cpu().numpy()
        return found


@contextmanager
def _watched(crab: Crab, sums: _Sums) -> Iterator[None]:
    """Adds up what every router of the language model, drawn ones among them, makes of what it is given."""
    hooks = []
    for number, (name, layer) in enumerate(adapted_layers(crab.model).items()):
        site = site_of(name)
        if site.tower != "language":
            continue
        own = layer.ilora_R[layer.active_adapters[0]].detach().float()  # (heads, in)
        seeds = (100_003 * draw + number for draw in range(sums.draws))
        drawn = [at_random(own, torch.Generator().manual_seed(seed)).to(own.device) for seed in seeds]
        hooks.append(layer.register_forward_pre_hook(_hook(sums, site.layer, site.module, torch.stack([own, *drawn]))))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _hook(sums: _Sums, layer: int, module: str, routers: Tensor):
    def hook(_, arguments: tuple[Tensor, ...]) -> None:
        x = arguments[0].detach()[0].float()  # (tokens, in)
        gates = torch.einsum("ti,rhi->trh", x, routers).softmax(-1)  # (tokens, routers, heads)
        sums.modules.setdefault(layer, set()).add(module)
        for name, mask in sums.chosen(len(x)):
            mask = mask.to(x.device)
            sums.gates[name, layer] = sums.gates.get((name, layer), 0) + gates[mask].sum(0)
            if module == "q_proj":  # has what enters the layer
                sums.hidden[name, layer] = sums.hidden.get((name, layer), 0) + x[mask].sum(0)
                if layer == 0:
                    sums.counts[name] = sums.counts.get(name, 0) + int(mask.sum())

    return hook
