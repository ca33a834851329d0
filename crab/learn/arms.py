"""The arms of the transfer laboratory: what each trains, and how it is put around the frozen base.

All adapt the same layers, those of the language model, at one rate and in the same way (`crab.learn.transfer`), so that
arms differ in what stands here and in nothing else. I-LoRA of rank `RANK` with three heads sets how many weights an arm
has; what is to have as many gets the ranks that come nearest, layer by layer for LoRA, one for all for Lily.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from peft import LilyConfig, LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn

from crab import CrabError
from crab.ilora import TARGET_MODULES, ILoRAConfig, adapted_layers, uniform
from crab.learn.loop import Answering

RANK, HEADS = 8, 3
ALONE = "alone"  # the arm that all others are compared with
ENCODERS = r".*(audio_tower|visual)\..*"  # left alone in all arms alike, so that their features are computed once
PULL = 1.0  # of "alike": what the heads' squared differences count beside the loss
_SPREAD = 2.0  # what an adapter adds is scaled by alpha / r, which is this in all arms


@dataclass(frozen=True)
class Arm:
    """`rank`: of its A; None for as many weights as I-LoRA has. `alone`: an adapter for every task, not one for all."""

    words: str
    method: Literal["lora", "ilora", "lily"] = "ilora"
    rank: int | None = None
    heads: int = HEADS
    alone: bool = False
    even: bool = False  # routers are not trained, and every head has an equal share of every token
    pull: float = 0.0  # what the heads' squared differences count in the loss
    concise: bool = False  # targets are the tagged result alone, without the reasoning before it


ARMS: dict[str, Arm] = {
    ALONE: Arm("(a) one LoRA for each task", "lora", alone=True),
    "lora": Arm("(b) one LoRA for all tasks, as many weights", "lora"),
    "ilora": Arm("(c) one I-LoRA for all tasks", rank=RANK),
    "wide": Arm("(d) one LoRA of I-LoRA's rank over all heads", "lora", rank=RANK * HEADS),
    "even": Arm("(e) I-LoRA with even routers", rank=RANK, even=True),
    "alike": Arm("(f) I-LoRA with its heads pulled alike", rank=RANK, pull=PULL),
    "lily": Arm("(g) Lily, as many weights", "lily"),
    "concise": Arm("(h) I-LoRA without reasoning texts", rank=RANK, concise=True),
    "1 head": Arm("I-LoRA with 1 head", rank=RANK, heads=1),
    "2 heads": Arm("I-LoRA with 2 heads", rank=RANK, heads=2),
    "6 heads": Arm("I-LoRA with 6 heads", rank=RANK, heads=6),
    "rank 2": Arm("I-LoRA of rank 2", rank=2),
    "rank 24": Arm("I-LoRA of rank 24", rank=24),
    # Pressure, under which tasks should get into each other's way: a quarter of the weights, no reasoning.
    "small lora": Arm("one LoRA for all tasks, rank 2", "lora", rank=2),
    "concise lora": Arm("one LoRA for all tasks, without reasoning texts", "lora", concise=True),
}
MAIN = (ALONE, "lora", "ilora")


def arms_named(names: Iterable[str]) -> dict[str, Arm]:
    """These arms in the laboratory's own order. Raises CrabError where there is none of a name."""
    names = list(names)
    for name in names:
        if name not in ARMS:
            raise CrabError(f"There is no arm {name!r}; choose one of: {', '.join(ARMS)}.")
    return {name: arm for name, arm in ARMS.items() if name in names}


def attach(thinker: nn.Module, arm: Arm, *, seed: int) -> PeftModel:
    """The frozen base with a fresh adapter of an arm around its language model. Changes `thinker`; `unload` undoes it."""
    sizes = _sizes(thinker)
    torch.manual_seed(seed)
    model = get_peft_model(thinker, _config(arm, sizes))
    if arm.even:
        for layer in adapted_layers(model).values():
            layer.gate = uniform()
            layer.ilora_R["default"].requires_grad_(False)
    return model


def trainable(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _config(arm: Arm, sizes: Mapping[str, list[tuple[int, int]]]) -> ILoRAConfig | LoraConfig | LilyConfig:
    where: dict[str, Any] = {"target_modules": list(TARGET_MODULES), "exclude_modules": ENCODERS}
    if arm.method == "ilora":
        assert arm.rank, "I-LoRA's rank is what others are measured by"
        return ILoRAConfig(r=arm.rank, alpha=_SPREAD * arm.rank, heads=arm.heads, dropout=0.0, **where)
    if arm.method == "lily":
        return LilyConfig(r=arm.rank or _rank_of_lily(sizes, arm.heads), num_B=arm.heads, scaling=_SPREAD, **where)
    if arm.rank:
        return LoraConfig(r=arm.rank, lora_alpha=round(_SPREAD * arm.rank), lora_dropout=0.0, **where)
    ranks = {name: round(_of_ilora(*of[0]) / sum(of[0])) for name, of in sizes.items()}
    alphas = {name: round(_SPREAD * rank) for name, rank in ranks.items()}
    return LoraConfig(rank_pattern=ranks, alpha_pattern=alphas, lora_dropout=0.0, **where)


def _sizes(thinker: nn.Module) -> dict[str, list[tuple[int, int]]]:
    """(in, out) of the layers to adapt, one after the other, by the last part of their names."""
    found: dict[str, list[tuple[int, int]]] = {}
    for name, module in thinker.named_modules():
        last = name.rpartition(".")[2]
        if "language_model" in name and last in TARGET_MODULES:
            found.setdefault(last, []).append((module.in_features, module.out_features))
    return found


def _of_ilora(wide_in: int, wide_out: int) -> int:
    """Weights of I-LoRA's router, A and heads around one layer."""
    return (HEADS + RANK) * wide_in + HEADS * RANK * wide_out


def _rank_of_lily(sizes: Mapping[str, list[tuple[int, int]]], heads: int) -> int:
    """At which Lily's A and router in every layer, and the B that layers of a name share, come nearest to I-LoRA."""
    wanted = sum(_of_ilora(*one) for of in sizes.values() for one in of)
    a_rank = sum(sum(wide_in + heads for wide_in, _ in of) + heads * of[0][1] for of in sizes.values())
    return max(1, round(wanted / a_rank))


class Pulled(Answering):
    """As `Answering`, with a loss beside it that pulls the heads of every layer towards their mean.

    `pull` times the sum over layers of the squared distances of the heads' B from their mean, once a step: every
    micro-batch brings the share of it that it has of the step's answer tokens.
    """

    def __init__(self, thinker: nn.Module, *, ten: int | None, pull: float):
        super().__init__(thinker, ten=ten)
        self.pull = pull

    def forward(self, num_items_in_batch: Tensor | None = None, kind: str = "", **batch: Tensor) -> dict[str, Tensor]:
        found = super().forward(num_items_in_batch, kind, **batch)
        tokens = found["counts"].sum()
        share = 1.0 if num_items_in_batch is None else tokens / num_items_in_batch
        return found | {"loss": found["loss"] + share * self.pull * apart(self.thinker)}


def apart(model: nn.Module) -> Tensor:
    """How far the heads of a model are from each other: squared distances of each layer's B from their mean, summed."""
    total = torch.zeros((), device=next(model.parameters()).device)
    for layer in adapted_layers(model).values():
        B = layer.ilora_B["default"]
        heads = B.unflatten(1, (len(layer.ilora_R["default"]), -1))  # (out, heads, r)
        total = total + (heads - heads.mean(dim=1, keepdim=True)).square().sum()
    return total


def learner(model: PeftModel, arm: Arm, *, ten: int | None) -> Answering:
    """What `loop.run` trains."""
    thinker = model.get_base_model()
    return Pulled(thinker, ten=ten, pull=arm.pull) if arm.pull else Answering(thinker, ten=ten)
