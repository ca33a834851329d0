"""What else would explain that runs of a task lie together: the atlas' separation beside its controls.

Of the very same passes over the very same words, three more signatures are taken: of routers drawn at random, which
see what the trained ones see; of the plain hidden states that all of them see; and each of these of one sort of token
only, the answer's, the media's or the prompt's words. What holds for random routers too was not learned by routers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from crab import CrabError
from crab.ilora import adapted_layers
from crab.routing.atlas import LONGEST, Asked, Separation, nearest_alike, separation_of
from crab.model import Crab, site_of
from crab.prompt import Token

TOKENS = ("answer", "media", "prompt")
DRAWS = 3  # routers drawn at random, each of which is a control of its own


@dataclass(frozen=True)
class Controlled:
    """Signatures of many runs, (runs, features) float32 each, by (what decided, of which tokens).

    What decided: "routers", "random routers 1" …, "hidden states"; tokens as in `TOKENS`. Weights are means over the
    modules of a layer of the language model, as the atlas' default view.
    """

    datasets: tuple[str, ...]
    families: tuple[str, ...]
    scenes: tuple[str, ...]
    signatures: dict[tuple[str, str], np.ndarray]


class Gap(NamedTuple):
    """How much oftener the nearest run is of the same kind by the routers than by a control, over the same runs."""

    control: str
    value: float
    low: float  # of the 95 % interval
    high: float


def controlled(
    crab: Crab, asked: Iterable[Asked], *, draws: int = DRAWS, max_new_tokens: int = LONGEST
) -> Controlled:
    """Ask every question once, and keep what the routers and every control make of the passes.

    Raises CrabError for a model without an adapter, where nothing is asked, and as asking does.
    """
    if crab.adapter is None:
        raise CrabError(f"{crab.name} has no adapter and so no routing: give one.")
    runs, rows = [], []
    for one in asked:
        prompt = crab.prompt(one.clip, one.task, one.question, other=one.other)
        with _watched(crab, prompt.map.tokens, draws) as sums:
            for _ in crab.stream(prompt, max_new_tokens=max_new_tokens):
                pass
        runs.append(one)
        rows.append(sums.signatures())
    if not runs:
        raise CrabError("There is no question to ask.")
    return Controlled(
        datasets=tuple(one.task.name for one in runs),
        families=tuple(one.task.family for one in runs),
        scenes=tuple(one.scene for one in runs),
        signatures={name: np.stack([row[name] for row in rows]).astype(np.float32) for name in rows[0]},
    )


@dataclass
class _Sums:
    """What one run adds up to, by tokens and layer."""

    tokens: tuple[Token, ...]  # of the prompt
    draws: int
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
        # The position that writes the first token stands for an answer that is over with it: none of its is ever read.
        yield "first", torch.arange(passed) == passed - 1

    def signatures(self) -> dict[tuple[str, str], np.ndarray]:
        found = {}
        layers = sorted({layer for _, layer in self.hidden})
        names = ("routers", *(f"random routers {n + 1}" for n in range(self.draws)))
        for tokens in TOKENS:
            of = "first" if tokens == "answer" and not self.counts.get("answer") else tokens
            count = max(self.counts.get(of, 0), 1)
            by_layer = [self.gates[of, layer] / len(self.modules[layer]) / count for layer in layers]
            for number, name in enumerate(names):
                found[name, tokens] = torch.cat([gates[number] for gates in by_layer]).cpu().numpy()
            hidden = torch.cat([self.hidden[of, layer] / count for layer in layers])
            found["hidden states", tokens] = hidden.cpu().numpy()
        return found


@contextmanager
def _watched(crab: Crab, tokens: tuple[Token, ...], draws: int) -> Iterator[_Sums]:
    """Adds up what every router of the language model, drawn ones among them, makes of what it is given."""
    sums, hooks = _Sums(tokens, draws), []
    for number, (name, layer) in enumerate(adapted_layers(crab.model).items()):
        site = site_of(name)
        if site.tower != "language":
            continue
        own = layer.ilora_R[layer.active_adapters[0]].detach().float()  # (heads, in)
        drawn = _drawn(own, [(draw, number) for draw in range(draws)])
        hooks.append(layer.register_forward_pre_hook(_hook(sums, site.layer, site.module, torch.stack([own, *drawn]))))
    try:
        yield sums
    finally:
        for hook in hooks:
            hook.remove()


def _drawn(own: Tensor, seeds: Iterable[tuple[int, int]]) -> list[Tensor]:
    """Routers as a fresh adapter has them, and as long as the trained one: longer rows would only decide harder."""
    found = []
    for draw, number in seeds:
        generator = torch.Generator().manual_seed(100_003 * draw + number)
        rows = torch.empty(own.shape).uniform_(-1, 1, generator=generator).to(own.device)
        found.append(rows * own.norm() / rows.norm())
    return found


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


def separations(found: Controlled, *, by: Literal["dataset", "family"] = "family") -> dict[tuple[str, str], Separation]:
    """The separation by every signature, in their order."""
    kinds = np.array(found.datasets if by == "dataset" else found.families)
    scenes = np.array(found.scenes)
    return {name: separation_of(rows, kinds, scenes, by) for name, rows in found.signatures.items()}


def gaps(
    found: Controlled, *, by: Literal["dataset", "family"] = "family", tokens: str = "answer", samples: int = 2000
) -> tuple[Gap, ...]:
    """The routers' separation less each control's, with intervals over scenes, whose runs are not independent.

    The random routers are one control: the mean of all that were drawn.
    """
    kinds = np.array(found.datasets if by == "dataset" else found.families)
    scenes = np.array(found.scenes)
    hits = {
        name: nearest_alike(rows, kinds, scenes).astype(float)
        for (name, of), rows in found.signatures.items() if of == tokens
    }  # fmt: skip
    drawn = [of for name, of in hits.items() if name.startswith("random routers")]
    controls = {"random routers": np.mean(drawn, axis=0)} if drawn else {}
    controls["hidden states"] = hits["hidden states"]
    names, which = np.unique(scenes, return_inverse=True)
    rng = np.random.default_rng(0)
    shares = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=samples)[:, which]  # (samples, runs)
    rows = []
    for name, of in controls.items():
        gap = hits["routers"] - of
        low, high = np.percentile(shares @ gap / shares.sum(1), (2.5, 97.5))
        rows.append(Gap(name, float(gap.mean()), float(low), float(high)))
    return tuple(rows)
