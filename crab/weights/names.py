"""Names of checkpoints and of places on the Hugging Face hub.

A name is one of `CHECKPOINTS`, a folder or file, or a place on the hub:

    user/repo                       a model repository (for an adapter, a data set repository if there is no such model)
    user/repo/file.bin              one file of it
    datasets/user/repo              a data set repository and no other
    …@revision                      a branch, a tag or a commit of it; `main` where nothing is said
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

ASSETS = Path(__file__).parents[2] / "assets"

_PLACE = re.compile(r"(?:(datasets|models)/)?([\w.-]+/[\w.-]+)(?:/([^@]+))?(?:@([\w./-]+))?", re.ASCII)


@dataclass(frozen=True)
class Checkpoint:
    """The parts that answer together, each by a name as above."""

    base: str
    adapter: str | None = None  # None: the base's own, if its folder has one
    segmenter: str = "grabcut"


CHECKPOINTS = {
    "crab-mini": Checkpoint(str(ASSETS / "crab-mini")),
    "crab-plus": Checkpoint(
        base="Qwen/Qwen2.5-Omni-7B",
        adapter="datasets/Jayson236/Crab_Plus/finetune_weights.bin",
        segmenter="facebook/sam2.1-hiera-large",
    ),
}
"""The model that ships, and the released one."""


@dataclass(frozen=True)
class Place:
    """A repository of the hub, or one file of it."""

    repo: str
    kinds: tuple[str, ...] = ("model",)  # of repository, the first that exists: "model" | "dataset"
    file: str = ""
    revision: str = "main"

    def __str__(self) -> str:
        kind = "datasets/" if self.kinds == ("dataset",) else ""
        return f"{kind}{self.repo}{self.file and '/' + self.file}@{self.revision}"


def meant(model: str | Path, adapter: str | Path | None = None, segmenter: str | None = None) -> Checkpoint:
    """The checkpoint that `model` names, with the parts that are named beside it in place of its own."""
    known = CHECKPOINTS.get(str(model)) or Checkpoint(str(model))
    named = {"adapter": adapter and str(adapter), "segmenter": segmenter}
    return replace(known, **{part: name for part, name in named.items() if name})


def place(name: str, *, files: bool = False) -> Place | None:
    """Where on the hub `name` lies; None if it names something on this machine, there or not.

    With `files` it may go on into the repository, as an adapter's may, and the repository may hold data.
    """
    found = None if os.path.exists(name) else _PLACE.fullmatch(name)
    if found is None or found[2].startswith(".") or (found[3] and not files):
        return None
    kinds = {"datasets": ("dataset",), "models": ("model",)}.get(found[1] or "", ("model", "dataset")[: 1 + files])
    return Place(found[2], kinds, found[3] or "", found[4] or "main")
