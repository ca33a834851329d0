"""What a routing trace says, before anything is drawn: its tokens in words, its numbers.

Several towers travel as {"language": trace, "audio": trace, "vision": trace}, each with its own sites and its own
counting of tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crab.trace import RoutingTrace, Token

MODALITIES = {"text": "text", "audio": "sound", "video": "video", "image": "picture", "generated": "answer"}
TOWERS = {"language": "Language model", "audio": "Sound encoder", "vision": "Picture encoder"}

# Linear layers of the released towers that I-LoRA leaves alone, because its targets go by other names (REFERENCE 1.2).
UNADAPTED = {"audio": ("out_proj", "fc1", "fc2"), "vision": ("attn.q", "attn.k", "attn.v", "attn.proj")}
ATTENTION_FIRST = ("attn.q", "attn.k", "attn.v", "attn.proj", "q_proj", "k_proj", "v_proj", "o_proj", "out_proj")

# --- tokens ---


def token_groups(trace: RoutingTrace) -> dict[str, np.ndarray]:
    """Boolean masks (tokens,) by modality ("text", "audio", "video", "image", "generated"), in order of appearance."""
    modalities = np.array([token.modality for token in trace.tokens], dtype=object)
    return {name: modalities == name for name in dict.fromkeys(modalities)}


def token_name(token: Token) -> str:
    """What a person calls one position: `text “dog”`, `sound 1.20–1.24 s`, `video 2.0 s, row 3, column 5`."""
    name = MODALITIES.get(token.modality, token.modality)
    if token.modality in ("text", "generated"):
        return f"{name} “{visible(token.text)}”"
    if token.start is not None:
        same = token.end is None or token.end <= token.start
        name += f" {token.start:.1f} s" if same else f" {token.start:.2f}–{token.end:.2f} s"
    if token.row is not None:
        name += f", row {token.row + 1}, column {token.col + 1}"
    return name + (", second clip" if token.source else "")


def visible(text: str) -> str:
    """Line ends and tabs made visible, long text cut in its middle."""
    text = text.replace("\n", "↵").replace("\t", "⇥")
    return text if len(text) <= 32 else f"{text[:20]}…{text[-10:]}"


# --- numbers ---


def entropy(weights: np.ndarray) -> np.ndarray:
    """Entropy in bits over the last axis: 0 where one head has all, log2(heads) where all are alike."""
    shares = np.asarray(weights, np.float32)
    return -(shares * np.log2(np.maximum(shares, 1e-12))).sum(-1)


def distance(weights: np.ndarray) -> np.ndarray:
    """Distance from uniform over the last axis, 0…1: (largest share − 1/heads) / (1 − 1/heads)."""
    shares = np.asarray(weights, np.float32)
    heads = shares.shape[-1]
    return np.clip((heads * shares.max(-1) - 1) / max(heads - 1, 1), 0, 1)


def modules(trace: RoutingTrace, unadapted: Sequence[str] = ()) -> list[str]:
    """A tower's module names in the order of its forward pass: those of the trace, and those said to be unadapted."""
    names = list(dict.fromkeys([*(site.module for site in trace.sites), *unadapted]))
    rank = {name: place for place, name in enumerate(ATTENTION_FIRST)}
    return sorted(names, key=lambda name: rank.get(name, len(rank)))


def by_cell(trace: RoutingTrace, values: np.ndarray, columns: Sequence[str]) -> tuple[list[int], np.ndarray]:
    """`values` (sites, …) laid out as (layers, modules, …), NaN where there is no site; and the layers' numbers."""
    layers = sorted({site.layer for site in trace.sites})
    grid = np.full((len(layers), len(columns), *values.shape[1:]), np.nan, np.float32)
    for site, value in zip(trace.sites, values):
        grid[layers.index(site.layer), columns.index(site.module)] = value
    return layers, grid


# --- columns ---


def runs(keys: Sequence[Any]) -> list[tuple[int, int]]:
    """Half-open ranges of equal neighbours."""
    starts = [i for i, key in enumerate(keys) if i == 0 or key != keys[i - 1]]
    return list(zip(starts, [*starts[1:], len(keys)]))


def modality_runs(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    return runs([(token.modality, token.source) for token in tokens])


def bin_means(weights: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(sites, tokens, heads) to float32 means (sites, columns, heads)."""
    sums = np.add.reduceat(weights.astype(np.float32), edges[:-1], axis=1)
    return sums / np.diff(edges)[None, :, None].astype(np.float32)
