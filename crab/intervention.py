"""What takes the routers' place, as plain data; `ilora.trace` puts it to work. NumPy only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from crab.trace import RoutingTrace, Site, Token

What = Literal["mute", "force", "uniform", "average", "replay"]


@dataclass(frozen=True)
class Intervention:
    """What takes the routers' place: which weights, at which sites, for which tokens.

    mute      the `heads` (from 0) add nothing; the others keep their weights, which then sum to less than one
    force     the one head of `heads` has every token
    uniform   all heads share every token equally
    average   every token gets what the site had on average in another run, `source`
    replay    a token gets what `source` holds for its position; later positions are routed as ever

    Where nothing is said of `towers`, `layers` or `modules`, all of them are meant. `tokens` tells what stands at a
    position (as in `RoutingTrace.tokens`) whether it is meant, or is by tower a mask (positions,) bool, prompt and
    answer counted through: positions beyond its end and towers without one are not meant.
    """

    what: What
    heads: tuple[int, ...] = ()
    source: Mapping[str, RoutingTrace] | None = field(default=None, repr=False)  # by tower
    towers: Collection[str] | None = None
    layers: Collection[int] | None = None
    modules: Collection[str] | None = None
    tokens: Callable[[Token], bool] | Mapping[str, np.ndarray] | None = field(default=None, repr=False)
    whose: str = "another run"  # what people call the run that `source` is of

    def __str__(self) -> str:
        """Words for people, who count heads from 1: "head 2 muted in layers 0, 1 of language, for chosen tokens"."""
        numbers = ", ".join(str(head + 1) for head in self.heads)
        named = f"head{'s' * (len(self.heads) > 1)} {numbers}"
        words = {
            "mute": f"{named} muted", "force": f"{named} forced", "uniform": "all heads alike",
            "average": f"average of {self.whose}", "replay": f"weights of {self.whose}",
        }[self.what]  # fmt: skip
        where = [f"layer{'s' * (len(self.layers) > 1)} {_listed(self.layers)}"] if self.layers is not None else []
        where += [_listed(names) for names in (self.modules, self.towers) if names is not None]
        return words + f" in {' of '.join(where)}" * bool(where) + ", for chosen tokens" * (self.tokens is not None)

    def covers(self, site: Site) -> bool:
        """Whether a site is meant."""
        wanted = ((self.towers, site.tower), (self.layers, site.layer), (self.modules, site.module))
        return all(names is None or name in names for names, name in wanted)

    def chosen(self, tower: str, tokens: Sequence[Token], start: int = 0) -> np.ndarray:
        """Which positions of a tower are meant, from `start` on, where `tokens` stand: (len(tokens),) bool."""
        if self.tokens is None:
            return np.ones(len(tokens), bool)
        if callable(self.tokens):
            return np.fromiter((bool(self.tokens(token)) for token in tokens), bool, len(tokens))
        mask = np.asarray(self.tokens.get(tower, ()), bool)[start : start + len(tokens)]
        return np.pad(mask, (0, len(tokens) - len(mask)))


def _listed(names: Collection[Any]) -> str:
    return ", ".join(map(str, names))
