"""Answering, not training: what sites that read one input have in common is computed once for all of them.

An attention's query, key and value read the same tokens, and so do the two halves of a gated feed-forward layer. Their
routers and A lie one below the other in one tensor, of which each site's weights are rows: nothing is kept twice, and
what is written into a site's weights is written there.

        x  (..., in)
        │
    [R_q; R_k; R_v; A_q; A_k; A_v]  (sites * (heads + r), in)
        │
    softmax of each site's logits, ⊗ its A x       (rows, sites, heads, r)
        │
    B_q, B_k, B_v, each added to its base's result in place

A small model spends on a token as long on being called as on its weights, so this counts calls: for three sites one
product, one softmax and one gating instead of three, six and nine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from .layer import ILoRALinear


class _Part(NamedTuple):
    """Where one site's weights of a kind are kept, and the address they have there.

    A model that was moved, or given other weights, has others elsewhere: nothing else can be at an address while what
    was there is kept.
    """

    kept: Mapping[str, nn.Parameter | None]
    address: int

    def same(self, name: str) -> bool:
        part = self.kept.get(name)
        return part is not None and part.data_ptr() == self.address


class _Joined(NamedTuple):
    """The weights of all sites."""

    rows: Tensor  # (sites * (heads + r), in): all routers, then all A
    parts: tuple[_Part, ...]  # of `rows`
    B: tuple[tuple[_Part, Tensor], ...]  # a site: (heads * r, out), B itself seen the other way round
    heads: int
    r: int


class _Read(NamedTuple):
    """What the first of the sites made of an input, for those after it."""

    x: Tensor
    joined: _Joined
    gates: Tensor  # (rows, sites, heads, 1) float32
    h: Tensor  # (rows, sites, 1, r)
    gated: Tensor  # (rows, sites, heads, r)


class Together:
    """Sites that read one input, or may: those that another input is given to compute their own."""

    def __init__(self, layers: Sequence[ILoRALinear]) -> None:
        self.layers = tuple(layers)
        for place, layer in enumerate(self.layers):
            layer.together, layer.place = self, place
        self._joined: dict[str, _Joined] = {}
        self._read: _Read | None = None
        self._taken = 0  # the site that took its part of it last; only those after it may take theirs

    def add(self, layer: ILoRALinear, name: str, x: Tensor, y: Tensor) -> bool:
        """Add to `y`, the base's result, in place, what the heads of one of the sites add; its recorders are told.

        A gate that is overridden, and whoever records, is asked now, when the site itself is called. False, and nothing
        done, where gradients are wanted or the weights cannot be joined.
        """
        if layer.training or torch.is_grad_enabled():
            return False
        place, sites, read, joined = layer.place, len(self.layers), self._read, self._joined.get(name)
        if read is None or read.x is not x or read.joined is not joined or place <= self._taken:
            if torch.compiler.is_compiling():  # where weights have no address
                return False
            if joined is None or not all(part.same(name) for part in joined.parts):
                joined = self._join(name)
            if joined is None or joined.rows.dtype != x.dtype:
                return False
            read = self._read_by_all(joined, x)
        self._read, self._taken = read if place + 1 < sites else None, place

        heads, r = joined.heads, joined.r
        wide, rows = heads * r, read.gated.shape[0]
        gated = read.gated.as_strided((rows, wide), (sites * wide, 1), place * wide)
        if layer.gate is not None or layer.recorders:
            own = read.gates.as_strided((rows, heads), (sites * heads, 1), place * heads).view(*x.shape[:-1], heads)
            gate = layer.chosen(own)
            if gate is not own:
                gated = (gate.reshape(rows, heads, 1).to(x.dtype) * read.h[:, place]).view(rows, wide)
        part, B = joined.B[place]
        if not part.same(name):
            B = layer.ilora_B[name].t()
        y.view(rows, B.shape[1]).addmm_(gated, B, alpha=layer.scale[name])
        return True

    def _read_by_all(self, joined: _Joined, x: Tensor) -> _Read:
        both = F.linear(x, joined.rows)  # (..., sites * (heads + r))
        width, sites, heads, r = both.shape[-1], len(self.layers), joined.heads, joined.r
        rows = both.numel() // width
        # One call a view, where slices and reshapes would be three: what is strided is as contiguous as a product is.
        logits = both.as_strided((rows, sites, heads, 1), (width, heads, 1, 1), 0)
        h = both.as_strided((rows, sites, 1, r), (width, r, r, 1), sites * heads)
        gates = torch.softmax(logits, 2, torch.float32)
        return _Read(x, joined, gates, h, gates * h if h.dtype == torch.float32 else gates.to(h.dtype) * h)

    def _join(self, name: str) -> _Joined | None:
        """None where they may not move, since they are trained, or do not fit each other."""
        self._joined.pop(name, None)
        kept = [getattr(layer, kind)._parameters for kind in ("ilora_R", "ilora_A", "ilora_B") for layer in self.layers]
        found = [of.get(name) for of in kept]
        sites, weights = len(self.layers), [weight for weight in found if weight is not None]
        if len(weights) < len(found) or any(weight.requires_grad for weight in weights):
            return None
        if len({(weight.dtype, weight.device) for weight in weights}) > 1:
            return None
        with torch.inference_mode(False), torch.no_grad():  # or they could never be trained again
            rows = torch.cat([weight.data for weight in weights[: 2 * sites]])
            for weight, own in zip(weights, rows.split([len(weight) for weight in weights[: 2 * sites]])):
                weight.data = own
            turned = [weight.data.t() for weight in weights[2 * sites :]]
        parts = tuple(_Part(of, weight.data_ptr()) for of, weight in zip(kept, weights))
        self._joined[name] = _Joined(
            rows, parts[: 2 * sites], tuple(zip(parts[2 * sites :], turned)), len(weights[0]), len(weights[sites])
        )
        return self._joined[name]
