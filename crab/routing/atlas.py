"""How tasks share and part ways: routing signatures of many runs.

A signature is what the routers decided on average in one run. The atlas keeps those of many, and plain functions look
at it: means, similarity, a projection, and whether a run's nearest neighbour is of its own kind. That is coincidence;
`effects` is about cause.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from crab import CrabError, __version__, avuie
from crab.disk import whole
from crab.media import Clip
from crab.metrics.intervals import bootstrap
from crab.routing import separation as apart
from crab.routing.separation import By, Control, Separation
from crab.routing.sites import Usage
from crab.tasks import TASKS, Task
from crab.trace import NoArrays, RoutingTrace, Site, unpacked

LONGEST = 160  # tokens of an answer, where many are asked

View = Literal["layers_answer", "layers_all", "sites_answer", "sites_all"]
VIEWS: tuple[View, ...] = ("layers_answer", "layers_all", "sites_answer", "sites_all")


# --- questions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """One question of many. `scene` names what it is about, alike for all questions about one scene."""

    task: Task
    clip: Clip
    question: str = ""
    other: Clip | None = None
    scene: str = ""
    target: str = ""  # the whole text to answer; "" where it is not known


def questions(root: str | Path, *, count: int | None = None, split: str = "train") -> Iterator[Asked]:
    """The first `count` records (by default all) of every dataset under `root`, their clips opened one by one.

    Training records hold whole targets, test records do not; of a dataset that has no such split the other is taken.
    Raises CrabError where there is no record at all, and as reading records and opening clips do.
    """
    records = [record for name in TASKS for record in islice(_records(root, name, split), count)]
    if not records:
        raise CrabError(f"There is no record under {root}: give the folder that holds AVUIE_2.")
    for record in records:
        clip, other = record.open()
        yield Asked(record.task, clip, record.question, other, _scene(record), record.target)


def _records(root: str | Path, dataset: str, split: str) -> Iterator[avuie.Record]:
    for name in (split, *avuie.FIELDS):
        try:
            return avuie.read(root, dataset, split=name)
        except CrabError:  # there is no such file
            pass
    return iter(())


def _scene(record: avuie.Record) -> str:
    """Of the folders that `scenes make` writes, the scene's name; of others the file's."""
    path = record.video or record.image
    found = re.findall(r"\b(?:objects|action|emotion|pair)-\d+", str(path))
    assert path is not None  # every formulation shows one of the two
    return found[-1] if found else path.stem


# --- one run --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Signature:
    """A run's routing on average, each (layers or sites, heads) float32.

    Layers are the language model's, over all their modules; only it reads the answer. `sites` are its sites, then
    those of the encoders. The token written last is never read, so an answer of one token has none of its own: there,
    `answer` stands for the position that wrote it.
    """

    layers: tuple[int, ...]
    sites: tuple[Site, ...]
    layers_answer: np.ndarray
    layers_all: np.ndarray
    sites_answer: np.ndarray  # of the language model only
    sites_all: np.ndarray


def signature(routing: Mapping[str, RoutingTrace]) -> Signature:
    """What was decided on average in a run, of its traces by tower."""
    language = routing["language"]
    towers = ["language", *sorted(routing.keys() - {"language"})]
    said = np.array([token.modality == "generated" for token in language.tokens])
    if not said.any():
        said[-1] = True
    everything = [trace.mean(np.ones(len(trace.tokens), bool)) for trace in (routing[t] for t in towers)]
    numbers = np.array([site.layer for site in language.sites])
    layers = np.unique(numbers)
    by_site = {"answer": language.mean(said), "all": everything[0]}
    by_layer = {name: np.stack([of[numbers == n].mean(axis=0) for n in layers]) for name, of in by_site.items()}
    return Signature(
        layers=tuple(layers.tolist()),
        sites=tuple(Site(*site) for tower in towers for site in routing[tower].sites),
        layers_answer=by_layer["answer"],
        layers_all=by_layer["all"],
        sites_answer=by_site["answer"],
        sites_all=np.concatenate(everything),
    )


# --- many runs ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Atlas:
    """The signatures of many runs of one model, (runs, layers or sites, heads) float16 each, and what the runs were."""

    model: str
    datasets: tuple[str, ...]  # of every run
    families: tuple[str, ...]
    scenes: tuple[str, ...]
    layers: tuple[int, ...]
    sites: tuple[Site, ...]
    layers_answer: np.ndarray
    layers_all: np.ndarray
    sites_answer: np.ndarray
    sites_all: np.ndarray
    controls: tuple[Control, ...] = ()  # what else tells the runs apart
    usage: dict[str, Usage] = field(default_factory=dict)  # by tower, how every site used its heads

    def vectors(self, view: View) -> np.ndarray:
        """One row a run, (runs, features) float32."""
        weights = getattr(self, view)
        return weights.reshape(len(weights), -1).astype(np.float32)

    def kinds(self, by: By) -> np.ndarray:
        """Dataset or family of every run, (runs,) of text."""
        return np.array(self.datasets if by == "dataset" else self.families)


def save(atlas: Atlas, path: str | Path) -> None:
    """Write one compressed file that NumPy alone can read: the four arrays, and `about`, the rest as JSON."""
    about = {
        "version": 2, "crab": __version__, "model": atlas.model, "datasets": atlas.datasets, "families": atlas.families,
        "scenes": atlas.scenes, "layers": atlas.layers, "sites": [list(site) for site in atlas.sites],
        "controls": [list(control) for control in atlas.controls],
        "usage": {tower: usage.to_json() for tower, usage in atlas.usage.items()},
    }  # fmt: skip
    with whole(path) as part, open(part, "wb") as file:  # a name given to NumPy would get .npz appended
        arrays = {view: getattr(atlas, view) for view in VIEWS}
        np.savez_compressed(file, about=np.array(json.dumps(about, ensure_ascii=False)), **arrays)


def load(path: str | Path) -> Atlas:
    """Read what `save` wrote. Raises CrabError for a file that is none of its."""
    try:
        with unpacked(path) as file:
            about = json.loads(str(file["about"]))
            return Atlas(
                model=about["model"],
                datasets=tuple(about["datasets"]),
                families=tuple(about["families"]),
                scenes=tuple(about["scenes"]),
                layers=tuple(about["layers"]),
                sites=tuple(Site(*site) for site in about["sites"]),
                controls=tuple(Control(*row) for row in about["controls"]),
                usage={tower: Usage.from_json(told) for tower, told in about["usage"].items()},
                **{view: file[view] for view in VIEWS},
            )
    except NoArrays as error:
        raise CrabError(f"{path} is no atlas of this version: make one with python -m crab atlas.") from error


class Mean(NamedTuple):
    """A mean signature with the ends of its 95 % interval, (layers or sites, heads) each."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    runs: int


def means(atlas: Atlas, *, view: View = "layers_answer", by: By = "dataset", samples: int = 1000) -> dict[str, Mean]:
    """Mean signature of every dataset (or family), in the atlas' order, with bootstrap intervals over its runs."""
    kinds, weights = atlas.kinds(by), getattr(atlas, view).astype(np.float32)
    rng = np.random.default_rng(0)
    found = {}
    for kind in dict.fromkeys(kinds.tolist()):
        of = weights[kinds == kind]
        found[kind] = Mean(of.mean(axis=0), *bootstrap(of, samples=samples, rng=rng), len(of))
    return found


class Similarity(NamedTuple):
    names: tuple[str, ...]
    matrix: np.ndarray  # (names, names), -1 to 1


def similarity(atlas: Atlas, *, view: View = "layers_answer", by: By = "dataset") -> Similarity:
    """Cosine between the mean signatures of datasets (or families), each less the mean of all of them.

    1: their routing departs from what all have in common in the same way; -1: in opposite ways. A signature that does
    not depart at all is like no other, 0.
    """
    found = means(atlas, view=view, by=by, samples=1)
    rows = np.stack([mean.mean.ravel() for mean in found.values()])
    rows = rows - rows.mean(axis=0)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 1e-12)
    matrix = np.clip(rows @ rows.T, -1, 1)
    np.fill_diagonal(matrix, 1)
    return Similarity(tuple(found), matrix)


@dataclass(frozen=True)
class Projection:
    """A plane through the signatures (PCA), in which they lie widest apart."""

    view: View
    sites: tuple[Site, ...]  # of the model whose runs these are
    points: np.ndarray  # (runs, 2)
    explained: np.ndarray  # (2,) shares of the variance
    centre: np.ndarray  # (features,)
    axes: np.ndarray  # (2, features)

    def place(self, one: Signature) -> np.ndarray:
        """Where another run lies, (2,). Raises ValueError for a signature of another model."""
        if one.sites != self.sites:
            raise ValueError("a signature of another model has no place here")
        return self.axes @ (getattr(one, self.view).ravel() - self.centre)


def project(atlas: Atlas, *, view: View = "layers_answer") -> Projection:
    """Every run as a point in the plane."""
    rows = atlas.vectors(view)
    centre = rows.mean(axis=0)
    _, widths, axes = np.linalg.svd(rows - centre, full_matrices=False)
    axes = np.pad(axes[:2], ((0, 2 - len(axes[:2])), (0, 0)))
    largest = axes[np.arange(2), np.abs(axes).argmax(axis=1)]
    axes *= np.where(largest < 0, -1, 1)[:, None]  # the same way round on every machine
    variance = np.pad(widths**2, (0, 2))
    explained = variance[:2] / max(variance.sum(), 1e-12)
    return Projection(view, atlas.sites, (rows - centre) @ axes.T, explained, centre, axes)


def separation(atlas: Atlas, *, by: By = "family", view: View = "layers_answer") -> Separation:
    """How often a run's nearest neighbour is of its own kind, by its signature in a view."""
    return apart.separation(atlas.vectors(view), atlas.kinds(by), np.array(atlas.scenes), by)
