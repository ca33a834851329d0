"""How every adapted layer uses its heads: whether its router decides anything, and which tokens lean to which head."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crab.trace import RoutingTrace, Site

STILL = 0.02  # weights that never leave a place by more than this do not decide anything
COLLAPSED = 0.9  # of all weight on one head
IDLE = 0.1  # of an even share: a head with less is not used
SEEN = 5  # times a token has to have been seen to be told of
MOST = 6  # tokens told of a head

EVEN, FIXED, ONE = "even", "fixed", "collapsed"


@dataclass(frozen=True)
class Usage:
    """One tower's sites over many runs."""

    sites: tuple[Site, ...]
    tokens: int  # that were routed
    share: np.ndarray  # (sites, heads) mean weight
    spread: np.ndarray  # (sites, heads) standard deviation over tokens
    entropy: np.ndarray  # (sites,) of a token's weights, mean over tokens; 1: all heads alike, 0: one has all
    together: np.ndarray  # (sites, heads, heads) correlation over tokens; 0 with a head that never varies
    leaning: tuple[tuple[tuple[str, float], ...], ...]  # by head, words that lean to it most: text, weight above share

    @property
    def flags(self) -> tuple[str, ...]:
        """Of every site: "even" (all heads alike for every token), "fixed" (the same for every token, but not even),
        "collapsed" (one head has nearly all), or "" where the router decides."""
        heads = self.share.shape[1]
        still = self.spread.max(axis=1) < STILL
        even = still & (np.abs(self.share - 1 / heads).max(axis=1) < STILL)
        one = self.share.max(axis=1) > COLLAPSED
        return tuple(EVEN if a else ONE if b else FIXED if c else "" for a, b, c in zip(even, one, still))

    @property
    def idle(self) -> tuple[tuple[int, ...], ...]:
        """Of every site, the heads (from 0) that have next to nothing."""
        bar = IDLE / self.share.shape[1]
        return tuple(tuple(np.flatnonzero(row < bar).tolist()) for row in self.share)

    @property
    def imbalance(self) -> np.ndarray:
        """(sites,) coefficient of variation of the heads' shares; 0: all have as much (Shazeer et al., 2017)."""
        return self.share.std(axis=1) / self.share.mean(axis=1)

    @property
    def pairs(self) -> dict[tuple[int, int], float]:
        """How two heads (from 0) go together over tokens, mean correlation over the sites."""
        mean = self.together.mean(axis=0)
        return {(i, k): float(mean[i, k]) for i in range(len(mean)) for k in range(i + 1, len(mean))}

    @property
    def in_short(self) -> dict[str, float | int]:
        """Means over the sites, and how many of them have which flag."""
        flags = self.flags
        return {
            "entropy": round(float(self.entropy.mean()), 4), "imbalance": round(float(self.imbalance.mean()), 4),
            "idle": sum(map(len, self.idle)), **{flag: flags.count(flag) for flag in (EVEN, FIXED, ONE)},
        }  # fmt: skip

    def by_layer(self, values: np.ndarray) -> dict[int, float]:
        """Means of a value of every site, (sites,), layer by layer."""
        layers = np.array([site.layer for site in self.sites])
        return {int(n): float(values[layers == n].mean()) for n in np.unique(layers)}

    def to_json(self) -> dict[str, Any]:
        arrays = ("share", "spread", "entropy", "together")
        return {
            "sites": [list(site) for site in self.sites], "tokens": self.tokens, "leaning": self.leaning,
            **{name: np.round(getattr(self, name), 4).tolist() for name in arrays},
        }  # fmt: skip

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Usage:
        """What `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        arrays = {name: np.array(told[name], float) for name in ("share", "spread", "entropy", "together")}
        leaning = tuple(tuple((str(text), float(by)) for text, by in head) for head in told["leaning"])
        return cls(tuple(Site(*site) for site in told["sites"]), int(told["tokens"]), leaning=leaning, **arrays)


class Tally:
    """Adds up what the routers did in run after run."""

    def __init__(self) -> None:
        self._towers: dict[str, _Sums] = {}

    def add(self, routing: Mapping[str, RoutingTrace]) -> None:
        """Count one run in, of its traces by tower."""
        for tower, trace in routing.items():
            self._towers.setdefault(tower, _Sums(trace)).add(trace)

    def usage(self) -> dict[str, Usage]:
        """By tower, what there was."""
        return {tower: sums.usage() for tower, sums in self._towers.items()}


class _Sums:
    def __init__(self, trace: RoutingTrace):
        """Of nothing yet; `trace` says how many sites and heads there are."""
        sites, _, heads = trace.weights.shape
        self.sites, self.count = trace.sites, 0
        self.weights, self.products = np.zeros((sites, heads)), np.zeros((sites, heads, heads))
        self.entropy = np.zeros(sites)
        self.words: dict[str, list[Any]] = defaultdict(lambda: [0, 0.0])  # times seen, (heads,) sum of means over sites

    def add(self, trace: RoutingTrace) -> None:
        weights = trace.weights.astype(np.float64)  # (sites, tokens, heads)
        self.count += weights.shape[1]
        self.weights = self.weights + weights.sum(axis=1)
        self.products = self.products + np.einsum("sth,stk->shk", weights, weights)
        logs = np.log(np.clip(weights, 1e-12, None))
        self.entropy = self.entropy - (weights * logs).sum(axis=(1, 2)) / np.log(weights.shape[2])
        for token, leaning in zip(trace.tokens, weights.mean(axis=0)):
            if token.text:
                kept = self.words[token.text]
                kept[0] += 1
                kept[1] = kept[1] + leaning

    def usage(self) -> Usage:
        share = self.weights / self.count
        covariance = self.products / self.count - share[:, :, None] * share[:, None, :]
        spread = np.sqrt(np.clip(np.einsum("shh->sh", covariance), 0, None))
        both = spread[:, :, None] * spread[:, None, :]
        together = np.divide(covariance, both, out=np.zeros_like(covariance), where=both > 1e-8)
        usual = share.mean(axis=0)  # (heads,)
        above = {text: total / times - usual for text, (times, total) in self.words.items() if times >= SEEN}
        leaning = tuple(
            tuple((text, round(float(by[head]), 4)) for text, by in sorted(above.items(), key=lambda item: -item[1][head])[:MOST])
            for head in range(len(usual))
        )  # fmt: skip
        return Usage(self.sites, self.count, share, spread, self.entropy / self.count, together, leaning)


def summary(usage: Mapping[str, Usage]) -> str:
    """Lines for people: a tower's flags, idle heads and imbalance, its curve over depth, what leans to which head."""
    lines = []
    for tower, of in usage.items():
        flags = [flag for flag in of.flags if flag]
        counted = ", ".join(f"{flags.count(flag)} {flag}" for flag in (EVEN, FIXED, ONE) if flag in flags)
        idle = sum(map(len, of.idle))
        lines.append(f"{tower}: {len(of.sites)} sites, {of.tokens:,} tokens; {counted or 'every router decides'}; "
                     f"{idle} idle heads; imbalance {of.imbalance.mean():.2f}; entropy {of.entropy.mean():.3f}")  # fmt: skip
        lines.append("  together over tokens (correlation): "
                     + ", ".join(f"heads {i + 1} and {k + 1} {by:+.2f}" for (i, k), by in of.pairs.items()))  # fmt: skip
        curve = of.by_layer(of.entropy)
        lines.append("  entropy by layer: " + ", ".join(f"{layer} {value:.3f}" for layer, value in curve.items()))
        for head, words in enumerate(of.leaning):
            told = ", ".join(f"{text!r} {by:+.3f}" for text, by in words if by > 0)
            lines += [f"  to head {head + 1} lean {told}"] if told else []
    return "\n".join(lines)
