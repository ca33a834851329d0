"""I-LoRA: one linear layer with several low-rank heads and a router that divides every token among them.

                    x  (..., in)
        ┌───────────┼───────────────┐
        │           │            dropout
        │           │               │
        │       R (heads, in)    A (r, in)
        │           │               │
    W (out, in)  softmax            h  (..., r)
        │           │               │
        │           g ────── ⊗ ─────┘            g ⊗ h  (..., heads * r)
        │                    │
        │        [B_1 | B_2 | … | B_heads]       (out, heads * r)
        │                    │
        y ◄───────── + ──────┘                   (..., out)

    y = W x + b + s · Σ_i g_i · B_i A dropout(x)        g = softmax(R x) over heads, in float32        s = alpha / r

The sum over heads is one product: with the heads' B side by side in one matrix and A x repeated under each head's
gate, Σ_i g_i B_i h is that matrix times (g ⊗ h). A head's share depends on the token, so the sum cannot be folded
into W. The router sees x without dropout; R and A start random, B at zero, so that a fresh adapter changes nothing.
Where nothing is trained, sites that read one x compute it together (`together`).

Source: the released Crab+ (GeWu-Lab/Crab_Plus), `peft_hyper/tuners/lora.py`, and its paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from crab import CrabError

from .config import ILoRAConfig
from .together import Together

Gate = Callable[[Tensor], Tensor]  # what the router decided, (..., heads) float32 → what to use instead


class ILoRALinear(nn.Module, BaseTunerLayer):
    """A linear layer (plain or quantised: only its own forward is called) and its I-LoRA adapters, by name."""

    adapter_layer_names = ("ilora_R", "ilora_A", "ilora_B")
    other_param_names = ("scale", "dropout")

    def __init__(self, base_layer: nn.Module, adapter_name: str, config: ILoRAConfig) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.ilora_R = nn.ParameterDict()  # (heads, in)
        self.ilora_A = nn.ParameterDict()  # (r, in)
        self.ilora_B = nn.ParameterDict()  # (out, heads * r), one head's columns after the other's
        self.scale: dict[str, float] = {}
        self.dropout: dict[str, float] = {}
        self.gate: Gate | None = None  # set by `gate_override`
        self.recorders: tuple[Callable[[Tensor], None], ...] = ()  # set by `trace.record`
        self.place = 0  # among the sites of `together`
        self.together = Together([self])
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, config)

    def update_layer(self, adapter_name: str, config: ILoRAConfig) -> None:
        """Add an adapter, or replace the one of that name."""
        base = self.get_base_layer()
        self.ilora_R[adapter_name] = nn.Parameter(torch.empty(config.heads, base.in_features))
        self.ilora_A[adapter_name] = nn.Parameter(torch.empty(config.r, base.in_features))
        self.ilora_B[adapter_name] = nn.Parameter(torch.empty(base.out_features, config.heads * config.r))
        nn.init.kaiming_uniform_(self.ilora_R[adapter_name], a=math.sqrt(5))
        nn.init.kaiming_uniform_(self.ilora_A[adapter_name], a=math.sqrt(5))
        nn.init.zeros_(self.ilora_B[adapter_name])
        self.scale[adapter_name] = config.alpha / config.r
        self.dropout[adapter_name] = config.dropout
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def set_adapter(self, adapter_names: str | list[str], inference_mode: bool = False) -> None:
        """Activate an adapter. Raises CrabError for several: what is recorded and overridden is one adapter's routing."""
        if not isinstance(adapter_names, str) and len(adapter_names) > 1:
            raise CrabError(f"I-LoRA routes by one adapter at a time: activate one of {', '.join(adapter_names)}.")
        super().set_adapter(adapter_names, inference_mode=inference_mode)
        self.frozen = inference_mode

    def enable_adapters(self, enabled: bool) -> None:
        """As PEFT's, but what is not to be trained is not to be trained after a look at the bare base either."""
        if not enabled:
            super().enable_adapters(False)
            return
        self.set_adapter(self.active_adapters, inference_mode=self.frozen)
        self._disable_adapters = False

    def load(
        self, adapter_name: str, *, R: Tensor, A: Tensor, heads: Sequence[Tensor], dtype: torch.dtype | None = None
    ) -> None:
        """Fill an adapter with copies of these weights, frozen, on the base layer's device.

        R (heads, in), A (r, in), each of `heads` (out, r). Their dtype becomes `dtype`, or the base layer's if that
        is a floating one, or stays.
        """
        device, base_dtype = self._get_base_layer_device_and_dtype(self.get_base_layer())
        if device is None or device.type == "meta":  # a base without memory does not say where it will be
            device = torch.device("cpu")
        if dtype is None:
            dtype = base_dtype if base_dtype is not None and base_dtype.is_floating_point else A.dtype
        for weights, parts in ((self.ilora_R, (R,)), (self.ilora_A, (A,)), (self.ilora_B, heads)):
            columns = sum(part.shape[1] for part in parts)
            whole = torch.empty(len(parts[0]), columns, device=device, dtype=dtype)
            for part, place in zip(parts, whole.chunk(len(parts), dim=1)):
                place.copy_(part)
            weights[adapter_name] = nn.Parameter(whole, requires_grad=False)

    def forward(self, x: Tensor, *args, **kwargs) -> Tensor:
        """(..., in) → (..., out)."""
        y = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters:
            return y
        for name in self.active_adapters:
            if name in self.scale:
                x = x if x.dtype == y.dtype else x.to(y.dtype)
                if not self.together.add(self, name, x, y):
                    y = y + self._heads(name, x)
        return y

    def chosen(self, gate: Tensor) -> Tensor:
        """What is used of what the router decided, (..., heads) float32; whoever records it is told."""
        if self.gate is not None:
            gate = self.gate(gate)
        for record in self.recorders:
            record(gate)
        return gate

    def _heads(self, name: str, x: Tensor) -> Tensor:
        """What the heads of one adapter add to the base's result, in the dtype of `x`: (..., in) → (..., out)."""
        # Casts of the parameters cost nothing where dtypes agree; in training under autocast the base's result is
        # bfloat16 while these stay float32.
        R, A, B = (weights[name].to(x.dtype) for weights in (self.ilora_R, self.ilora_A, self.ilora_B))
        gate = self.chosen(F.linear(x, R).softmax(dim=-1, dtype=torch.float32))  # (..., heads)
        h = F.linear(F.dropout(x, self.dropout[name], self.training), A)  # (..., r)
        scaled = (gate * self.scale[name]).to(x.dtype)  # the scale goes to the smallest factor
        gated = (scaled.unsqueeze(-1) * h.unsqueeze(-2)).flatten(-2)  # (..., heads * r)
        return F.linear(gated, B)

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        raise NotImplementedError("I-LoRA cannot be merged into the base: its heads are weighed token by token.")

    def unmerge(self) -> None:
        raise NotImplementedError("I-LoRA is never merged, so there is nothing to unmerge.")


def adapted_layers(model: nn.Module) -> dict[str, ILoRALinear]:
    """The adapted layers of a model by their name in the base model (no `base_model.model.` in front)."""
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    return {name: module for name, module in base.named_modules() if isinstance(module, ILoRALinear)}


@contextmanager
def gate_override(model: nn.Module, gate: Gate, *, sites: Collection[str] | None = None) -> Iterator[None]:
    """Replace what the routers decide while the context lasts: an experiment, not a setting.

    `gate` maps the router weights, (..., heads) float32, to those to use; `mute`, `force`, `uniform` and `given` make
    such functions. `sites` are names as in `adapted_layers`; all of them by default. Raises KeyError for a name that
    is no adapted layer.
    """
    layers = adapted_layers(model)
    chosen = list(layers.values()) if sites is None else [layers[site] for site in sites]
    before = [layer.gate for layer in chosen]
    for layer in chosen:
        layer.gate = gate
    try:
        yield
    finally:
        for layer, previous in zip(chosen, before):
            layer.gate = previous


def mute(*heads: int) -> Gate:
    """A gate in which these heads add nothing; the others keep their weights (which then sum to less than one)."""

    def muted(gate: Tensor) -> Tensor:
        kept = torch.ones(gate.shape[-1], device=gate.device)
        kept[list(heads)] = 0.0
        return gate * kept

    return muted


def force(head: int) -> Gate:
    """A gate in which one head has every token."""

    def forced(gate: Tensor) -> Tensor:
        one = torch.zeros_like(gate)
        one[..., head] = 1.0
        return one

    return forced


def uniform() -> Gate:
    """A gate in which all heads share every token equally: the router's choice taken away."""
    return lambda gate: torch.full_like(gate, 1.0 / gate.shape[-1])


def given(weights: Tensor) -> Gate:
    """A gate of known weights, (tokens, heads): a recorded trace played back, for instance."""
    return lambda gate: weights.to(gate).reshape(gate.shape)
