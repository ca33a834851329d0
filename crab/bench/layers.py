"""The adapted layers of the released model, and other ways to adapt them.

Attention's projections (query, key and value read one input) and the feed-forward layer's, at the shapes of
Qwen2.5-Omni-7B with rank 128 and three heads. All ways stand on the same base weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from peft import LilyConfig, LoraConfig, PeftConfig, get_peft_model
from torch import Tensor, nn

from crab.bench import Table, Way, table
from crab.ilora import ILoRAConfig, ILoRALinear

WIDE, NARROW, INNER, RANK, HEADS = 3584, 512, 18944, 128, 3
TOKENS = (1, 64, 600)
DTYPES = (torch.float32, torch.bfloat16)


class Attention(nn.Module):
    """Its four projections without what lies between them."""

    def __init__(self, wide: int, narrow: int, _: int) -> None:
        super().__init__()
        self.q_proj, self.o_proj = nn.Linear(wide, wide), nn.Linear(wide, wide, bias=False)
        self.k_proj, self.v_proj = nn.Linear(wide, narrow), nn.Linear(wide, narrow)

    def forward(self, x: Tensor) -> Tensor:
        q, _, _ = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        return self.o_proj(q)


class FeedForward(nn.Module):
    def __init__(self, wide: int, _: int, inner: int) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(wide, inner, bias=False), nn.Linear(wide, inner, bias=False)
        self.down_proj = nn.Linear(inner, wide, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


@contextmanager
def loop_over_heads() -> Iterator[None]:
    """Adapted layers compute as the released code does: head by head, each result gated, scaled and added."""

    def forward(layer: ILoRALinear, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        y = layer.base_layer(x, *args, **kwargs)
        if layer.disable_adapters:
            return y
        [name] = layer.active_adapters
        R, A, B = (weights[name] for weights in (layer.ilora_R, layer.ilora_A, layer.ilora_B))
        gate = F.linear(x, R).softmax(dim=-1, dtype=torch.float32).to(y.dtype)  # (..., heads)
        h = F.linear(x, A)
        for number, head in enumerate(B.chunk(len(R), dim=1)):
            y = y + gate[..., number, None] * F.linear(h, head) * layer.scale[name]
        return y

    own = ILoRALinear.forward
    ILoRALinear.forward = forward  # type: ignore[method-assign, assignment]  # as if it had been written there
    try:
        yield
    finally:
        ILoRALinear.forward = own  # type: ignore[method-assign]


def loud(model: nn.Module) -> nn.Module:
    """Heads that were trained: those of a fresh adapter are zero, and zeros may be multiplied faster."""
    for name, weight in model.named_parameters():
        if any(kind in name for kind in ("ilora_B", "lora_B", "lily_B")):
            nn.init.normal_(weight, std=0.02)
    return model.eval().requires_grad_(False)


def measure(*, shape: tuple[int, int, int] = (WIDE, NARROW, INNER), rank: int = RANK) -> Iterator[Table]:
    for dtype in DTYPES:
        for kind in (Attention, FeedForward):
            torch.manual_seed(0)
            bare = kind(*shape).to(dtype).requires_grad_(False)
            made = adapted(partial(_twin, kind, bare, shape), rank)
            for tokens in TOKENS:
                yield _table(bare, made, dtype, tokens)


def adapted(twin: Callable[[], nn.Module], rank: int) -> dict[str, nn.Module]:
    """The ways to adapt one block, each around a twin of it."""
    names = [name for name, module in twin().named_modules() if isinstance(module, nn.Linear)]
    frozen = ILoRAConfig(r=rank, alpha=2 * rank, heads=HEADS, target_modules=names, inference_mode=True)
    ours = _around(twin(), frozen)
    sums = sum(sum(module.weight.shape) for module in twin().modules() if isinstance(module, nn.Linear))
    as_many = round(_count(ours, "ilora_") / sums)  # the rank at which plain LoRA has as many parameters
    lily = LilyConfig(r=rank, stride_A=1, num_B=HEADS, target_modules=names, inference_mode=True)
    return {
        f"LoRA of rank {rank}": _around(twin(), LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names)),
        f"LoRA of as many parameters (rank {as_many})": _around(
            twin(), LoraConfig(r=as_many, lora_alpha=2 * as_many, target_modules=names)
        ),
        "Lily": _around(twin(), lily),
        "loop over heads": ours,
        "ours": ours,
    }


def _table(bare: nn.Module, made: dict[str, nn.Module], dtype: torch.dtype, tokens: int) -> Table:
    x = torch.randn(1, tokens, next(bare.parameters()).shape[1], dtype=dtype)

    def run(model: nn.Module, loop: bool) -> Way:
        @torch.inference_mode()
        def way() -> None:
            if loop:
                with loop_over_heads():
                    model(x)
            else:
                model(x)

        return way

    ways = {"bare": run(bare, False)} | {name: run(model, name.startswith("loop")) for name, model in made.items()}
    floors = {name: _floors(bare, model, tokens) for name, model in made.items()}
    what = f"{type(bare).__name__} of the 7B shape, {tokens} token{'s' * (tokens > 1)}, {str(dtype).split('.')[1]}"
    return table("layer", what, ways, floors=floors)


def _floors(bare: nn.Module, model: nn.Module, tokens: int) -> tuple[float, float]:
    """By bytes (weights and what goes in and comes out, each once) and by operations (two a weight and token)."""
    own = sum(weight.numel() for weight in bare.parameters())
    added = sum(weight.numel() for name, weight in model.named_parameters() if "base_layer" not in name)
    moved = tokens * sum(sum(module.weight.shape) for module in bare.modules() if isinstance(module, nn.Linear))
    return 1 + added / (own + moved), 1 + added / own


def _twin(kind: type[nn.Module], bare: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
    """The same block around the same weights, to be wrapped."""
    with torch.device("meta"):
        twin = kind(*shape)
    twin.load_state_dict(bare.state_dict(), assign=True)
    return twin


def _around(block: nn.Module, config: PeftConfig) -> nn.Module:
    return loud(get_peft_model(block, config, autocast_adapter_dtype=False).to(next(block.parameters()).dtype))


def _count(model: nn.Module, kind: str) -> int:
    return sum(weight.numel() for name, weight in model.named_parameters() if kind in name)
