"""Routing traces as data: which head had how much of which token in every adapted layer. NumPy only."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from crab import CrabError, __version__
from crab.disk import whole

UNPACKED = 400_000_000  # bytes of router weights and their names: an answer of the 7B model has a tenth of that
MODALITIES = ("text", "audio", "video", "image", "generated")

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "The JSON members of a routing file, for each tower T",
    "type": "object",
    "properties": {
        "T/sites": {
            "description": "rows of T/weights: tower, layer counted from 0, module",
            "type": "array",
            "items": {
                "type": "array",
                "prefixItems": [{"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "string"}],
                "items": False,
            },
        },
        "T/tokens": {
            "description": "columns of T/weights; start and end in seconds of the clip, row and col of the picture grid",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["modality"],
                "properties": {
                    "modality": {"enum": list(MODALITIES)},
                    "text": {"type": "string"},
                    "start": {"type": ["number", "null"]},
                    "end": {"type": ["number", "null"]},
                    "row": {"type": ["integer", "null"], "minimum": 0},
                    "col": {"type": ["integer", "null"], "minimum": 0},
                    "source": {"type": "integer", "description": "1 for the second clip of a matching task"},
                },
            },
        },
    },
}


class Site(NamedTuple):
    """One adapted linear layer, as people speak of it: ("language", 3, "q_proj")."""

    tower: str
    layer: int
    module: str


@dataclass(frozen=True)
class Token:
    """What one position is. `start`/`end`: seconds of the clip; `row`/`col`: cell of the picture's grid."""

    modality: str  # one of MODALITIES
    text: str = ""
    start: float | None = None
    end: float | None = None
    row: int | None = None
    col: int | None = None
    source: int = 0  # 1 for the second clip of a matching task


def is_of(modalities: tuple[str, ...], token: Token) -> bool:
    """Whether a token is of one of these modalities."""
    return token.modality in modalities


@dataclass(frozen=True)
class RoutingTrace:
    """Router weights of one tower, token by token."""

    weights: np.ndarray  # (sites, tokens, heads) float32; over heads each sums to one, unless heads were muted
    sites: tuple[Site, ...]
    tokens: tuple[Token, ...]  # what stands at each position

    def append(self, later: RoutingTrace) -> RoutingTrace:
        """This trace and then `later`, of the same sites: tokens after tokens."""
        return RoutingTrace(
            weights=np.concatenate([self.weights, later.weights], axis=1),
            sites=self.sites,
            tokens=self.tokens + later.tokens,
        )

    def part(self, first: int, last: int) -> RoutingTrace:
        """Its tokens from `first` up to `last`, that one not among them."""
        return RoutingTrace(self.weights[:, first:last], self.sites, self.tokens[first:last])

    def mean(self, token_mask: np.ndarray) -> np.ndarray:
        """Weights averaged over the tokens chosen by `token_mask`, (tokens,) bool with at least one true.

        Returns (sites, heads) float32.
        """
        return self.weights[:, token_mask].mean(axis=1, dtype=np.float32)


def save(routing: Mapping[str, RoutingTrace], path: str | Path) -> None:
    """Write traces by tower into one compressed file that NumPy alone can read.

    For each tower: `<tower>/weights` (sites, tokens, heads) float32, `<tower>/sites` JSON [[tower, layer, module], …]
    and `<tower>/tokens` JSON [{modality, text, start, end, row, col, source}, …]; beside them `schema`, the JSON Schema
    (`SCHEMA`) of the two. JSON members are strings of no dimension: `json.loads(str(file["language/sites"]))`. So is
    `crab`, the version of what wrote the file.
    """
    arrays: dict[str, Any] = {"schema": np.array(json.dumps(SCHEMA)), "crab": np.array(__version__)}
    for tower, trace in routing.items():
        arrays[f"{tower}/weights"] = trace.weights
        arrays[f"{tower}/sites"] = np.array(json.dumps([list(site) for site in trace.sites]))
        tokens = [asdict(token) for token in trace.tokens]
        arrays[f"{tower}/tokens"] = np.array(json.dumps(tokens, ensure_ascii=False))
    with whole(path) as part, open(part, "wb") as file:  # a name given to NumPy would get .npz appended
        np.savez_compressed(file, **arrays)


class NoArrays(Exception):
    """A file of arrays that is something else, damaged, or lies."""


@contextmanager
def unpacked(path: str | Path) -> Iterator[Mapping[str, np.ndarray]]:
    """The arrays of a file, while the context lasts; no more than `UNPACKED` bytes are ever read of it.

    Raises OSError where it cannot be opened, NoArrays for whatever is wrong with what is in it, by what the context does
    with that too: NumPy, zipfile and json raise more kinds of errors than they tell of.
    """
    with open(path, "rb") as opened:
        try:
            with zipfile.ZipFile(opened) as box:
                if sum(entry.file_size for entry in box.infolist()) > UNPACKED:
                    raise ValueError(f"more than {UNPACKED:,} bytes")
            opened.seek(0)
            with np.load(opened) as file:
                yield file
        except Exception as error:
            raise NoArrays(str(path)) from error


def load(path: str | Path) -> dict[str, RoutingTrace]:
    """Read what `save` wrote: one trace a tower.

    Raises CrabError where the file is something else, OSError where it cannot be opened.
    """
    try:
        with unpacked(path) as file:
            found = {
                tower: RoutingTrace(
                    file[f"{tower}/weights"],
                    tuple(Site(*site) for site in json.loads(str(file[f"{tower}/sites"]))),
                    tuple(Token(**token) for token in json.loads(str(file[f"{tower}/tokens"]))),
                )
                for tower in (name.removesuffix("/weights") for name in file if name.endswith("/weights"))
            }
    except NoArrays as error:
        raise CrabError(f"{path} is no routing file: `python -m crab ask … --routing FILE.npz` writes one.") from error
    if not found or any(
        trace.weights.ndim != 3 or trace.weights.shape[:2] != (len(trace.sites), len(trace.tokens))
        for trace in found.values()
    ):
        raise CrabError(f"{path} holds no router weights that fit its sites and tokens.")
    return found
