"""What the transfer laboratory found: its results file, which is never half written, and the tables made of it.

A row is one task tested after one run of training: an `arm` (`crab.learn.arms`), trained on one task (`on`) or on all
("" ), with a `seed`, through its items `rounds` times. Every comparison stands twice: at equal samples (one round), and
with each run's rounds doubled until its held-out loss stopped falling ("until"), which is the one that speaks of
transfer: a task that was alone and got few steps is not worse for being alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from crab import CrabError, __version__
from crab.disk import whole
from crab.metrics.intervals import bootstrap
from crab.metrics.paired import Change, Shares, change, shares

ALONE = "alone"  # the arm that all others are held against
Budget = Literal["equal", "until"]
BUDGETS: dict[Budget, str] = {
    "equal": "at equal samples",
    "until": "each trained until its held-out loss stops falling",
}
VERSION = 1


@dataclass(frozen=True)
class Row:
    arm: str
    on: str  # the task it was trained on, "" for all
    seed: int
    rounds: int  # times through the items
    task: str  # that it was tested on
    scores: tuple[float, ...]  # 0 to 1 each, of the same items in every row of the task
    held_out: float  # loss of the run on what it was trained on, on scenes that nothing is trained on
    steps: int
    clips: int  # that the run was shown, of all its tasks
    seconds: float
    memory: int | None  # bytes at its peak; None where the system does not tell
    parameters: int  # trained
    bytes: int  # of the adapter's file
    neighbours: float  # largest change of a prompt's logits by what else is asked in its batch; rounding is some 1e-5

    @property
    def run(self) -> tuple[str, str, int, int]:
        return self.arm, self.on, self.seed, self.rounds


@dataclass(frozen=True)
class Cosines:
    """Of gradients of the tasks' held-out losses, on all weights of one joint adapter: (tasks, tasks).

    Each task's items are halved: beside the diagonal stands the mean cosine of halves of two tasks, on it that of a
    task's own two halves, which is as high as noise lets any be.
    """

    arm: str
    seed: int
    rounds: int
    tasks: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Failed:
    arm: str
    on: str
    seed: int
    rounds: int
    error: str


@dataclass
class Results:
    model: str
    size: dict[str, Any]  # of the laboratory: items, steps, scenes tested
    words: dict[str, str] = field(default_factory=dict)  # arm -> what it is
    rows: list[Row] = field(default_factory=list)
    cosines: list[Cosines] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    def of_run(self, run: tuple[str, str, int, int]) -> list[Row]:
        return [row for row in self.rows if row.run == run]

    def rounds(self, arm: str, on: str, seed: int, budget: Budget) -> int | None:
        """Of the run that stands for a budget; None where there is none yet."""
        losses = {row.rounds: row.held_out for row in self.rows if (row.arm, row.on, row.seed) == (arm, on, seed)}
        if budget == "equal":
            return 1 if 1 in losses else None
        return min(losses, key=lambda rounds: losses[rounds], default=None)

    def tested(self, arm: str, on: str, task: str, budget: Budget) -> dict[int, Row]:
        """Of one adapter of an arm, tested on one task, its row by seed."""
        found = {}
        for row in self.rows:
            if (row.arm, row.on, row.task) == (arm, on, task) and row.rounds == self.rounds(arm, on, row.seed, budget):
                found[row.seed] = row
        return found

    @property
    def cut_short(self) -> str:
        """How many runs still got better when there were no more rounds to have, in a sentence."""
        runs = {row.run[:3] for row in self.rows}
        short = sum(self.rounds(*run, "until") == self.size.get("most") for run in runs)
        return f"Of {len(runs)} runs {short} still got better in the last round that there was."

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.task for row in self.rows))

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.arm for row in self.rows))


# --- the file -------------------------------------------------------------------------------------------------------


def save(results: Results, path: str | Path) -> None:
    """Write all of it beside the file and then in its place, so that there is always a whole one."""
    data = {"version": VERSION, "crab": __version__, **asdict(results)}
    with whole(path) as part:
        part.write_text(json.dumps(data) + "\n", encoding="utf-8")


def load(path: str | Path) -> Results:
    """Read what `save` wrote. Raises CrabError for a file that is none of its."""
    try:
        data = json.loads(Path(path).read_bytes())
        if data["version"] != VERSION:
            raise ValueError
        parts = {name: [_made(kind, one) for one in data[name]]
                 for name, kind in (("rows", Row), ("cosines", Cosines), ("failed", Failed))}  # fmt: skip
        return Results(str(data["model"]), dict(data["size"]), dict(data["words"]), **parts)
    except (ValueError, KeyError, TypeError) as error:
        raise CrabError(
            f"{path} holds no results of this laboratory: python -m crab transfer --out DIR writes them."
        ) from error


def _made(kind: type, data: dict) -> Any:
    tuples = {"scores": tuple, "tasks": tuple, "values": lambda rows: tuple(map(tuple, rows))}
    return kind(**{one.name: tuples.get(one.name, lambda v: v)(data[one.name]) for one in fields(kind)})


# --- what they say --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """An arm held against single-task training: per task the change, over the seeds that both have."""

    arm: str
    budget: Budget
    changes: dict[str, Change]
    shares: Shares


def compare(results: Results, arm: str, budget: Budget) -> Comparison | None:
    """None where the two have no task and seed in common yet."""
    pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for task in results.tasks:
        ours = results.tested(arm, "", task, budget)
        alone = results.tested(ALONE, task, task, budget)
        seeds = sorted(ours.keys() & alone.keys())
        if seeds:
            before, after = (np.array([of[seed].scores for seed in seeds]) for of in (alone, ours))  # (seeds, items)
            pairs[task] = before, after
    if not pairs:
        return None
    return Comparison(arm, budget, {task: change(*pair) for task, pair in pairs.items()}, shares(list(pairs.values())))


def changed(compared: Comparison | None) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]:
    """A comparison's tasks, and of each mean, low, high: (tasks,) each. Empty where there is none."""
    found = compared.changes if compared else {}
    rows = np.array([(one.mean, one.low, one.high) for one in found.values()]).reshape(-1, 3)
    return tuple(found), rows[:, 0], rows[:, 1], rows[:, 2]


@dataclass(frozen=True)
class Crossing:
    """How a single-task adapter does on a task, mean score and 95 % interval."""

    on: str
    task: str
    mean: float
    low: float
    high: float


def crossings(results: Results, budget: Budget = "until") -> list[Crossing]:
    """Adapters of one task, tested on theirs and on others of the same form of answer."""
    found = []
    for on in results.tasks:
        for task in results.tasks:
            rows = results.tested(ALONE, on, task, budget)
            if rows:
                scores = np.array([row.scores for row in rows.values()]).mean(axis=0)  # (items,)
                low, high = bootstrap(scores)
                found.append(Crossing(on, task, float(scores.mean()), float(low), float(high)))
    return found


def crossed(results: Results, budget: Budget = "until") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`crossings` as mean, low, high: (tasks, tasks) each, learned × asked, NaN where there is none."""
    tasks = results.tasks
    mean, low, high = np.full((3, len(tasks), len(tasks)), np.nan)
    for one in crossings(results, budget):
        at = tasks.index(one.on), tasks.index(one.task)
        mean[at], low[at], high[at] = one.mean, one.low, one.high
    return mean, low, high


@dataclass(frozen=True)
class Cost:
    """What an arm took and weighs, a seed; of single-task arms all adapters together."""

    arm: str
    runs: int  # of all seeds
    rounds: tuple[int, int]  # fewest and most
    clips: float
    seconds: float
    memory: int | None  # bytes at the peak of the run that took most
    parameters: float
    bytes: float
    neighbours: float  # at the most
    score: float  # mean over its tasks, with its interval over them
    low: float
    high: float


def costs(results: Results, budget: Budget) -> list[Cost]:
    """Of every arm that has a run for this budget."""
    found = []
    for arm in results.arms:
        runs = {}
        for row in results.rows:
            if row.arm == arm and row.rounds == results.rounds(arm, row.on, row.seed, budget):
                runs[row.run] = row
        if not runs:
            continue
        seeds, rounds = {row.seed for row in runs.values()}, [row.rounds for row in runs.values()]
        own = [row for row in results.rows if row.run in runs and row.on in ("", row.task)]
        means = np.array([np.mean(row.scores) for row in own])
        low, high = bootstrap(means, groups=[row.task for row in own])
        of = {name: sum(getattr(row, name) for row in runs.values()) / len(seeds)
              for name in ("clips", "seconds", "parameters", "bytes")}  # fmt: skip
        peak = max((row.memory for row in runs.values() if row.memory is not None), default=None)
        found.append(
            Cost(arm, len(runs), (min(rounds), max(rounds)), of["clips"], of["seconds"], peak, of["parameters"],
                 of["bytes"], max(row.neighbours for row in own), float(means.mean()), float(low), float(high))
        )  # fmt: skip
    return found


def table(results: Results) -> str:
    """All of it for people."""
    parts = [f"{results.model}; " + ", ".join(f"{name} {value}" for name, value in results.size.items())]
    parts += [results.cut_short]
    for budget, words in BUDGETS.items():
        parts += [f"\n== {words} ==", *_costs(results, budget)]
        for arm in results.arms:
            if arm != ALONE and (compared := compare(results, arm, budget)):
                parts += _compared(compared)
    if crossed := crossings(results):
        parts += ["\n== single-task adapters on other tasks of the same form of answer (other forms: not asked) ==",
                  *(f"  {one.on:>8} on {one.task:<8} {_with(one.mean, one.low, one.high)}" for one in crossed)]  # fmt: skip
    for cosines in results.cosines:
        parts += _cosines(cosines)
    parts += ["\n== failed ==" if results.failed else "\nNo run failed."]
    parts += [f"  {one.arm} {one.on} seed {one.seed}, {one.rounds} rounds: {one.error}" for one in results.failed]
    return "\n".join(parts)


def _with(mean: float, low: float, high: float, *, sign: bool = False) -> str:
    form = "{:+.3f}" if sign else "{:.3f}"
    return f"{form} ({form} to {form})".format(mean, low, high)


def _compared(one: Comparison) -> Iterator[str]:
    seeds = max(found.seeds for found in one.changes.values())
    yield f"\n{one.arm}, against {ALONE}, {seeds} seed{'s' * (seeds > 1)}: {one.shares}"
    for task, found in sorted(one.changes.items(), key=lambda item: item[1].mean):
        told = _with(found.mean, found.low, found.high, sign=True)
        yield f"  {task:<8} {found.before:.3f} -> {found.after:.3f}  {told}  {found.verdict} ({found.items} items)"


def _costs(results: Results, budget: Budget) -> Iterator[str]:
    heads = f"{'arm':<14}{'runs':>5}{'rounds':>8}{'clips':>9}{'seconds':>9}{'peak MB':>9}{'weights':>10}{'file MB':>9}"
    yield f"{heads}{'by batch':>10}  score"
    for one in costs(results, budget):
        peak = float("nan") if one.memory is None else one.memory / 1e6
        yield (
            f"{one.arm:<14}{one.runs:>5}{'–'.join(map(str, sorted(set(one.rounds)))):>8}{one.clips:>9.0f}"
            f"{one.seconds:>9.0f}{peak:>9.0f}{one.parameters:>10.0f}{one.bytes / 1e6:>9.2f}{one.neighbours:>10.1e}"
            f"  {_with(one.score, one.low, one.high)}"
        )


def _cosines(of: Cosines) -> Iterator[str]:
    values = np.array(of.values)
    apart = ~np.eye(len(values), dtype=bool)
    # Pairs of one task are not independent, so whole rows are drawn.
    low, high = bootstrap(values[apart], groups=np.nonzero(apart)[0]) if apart.any() else (np.nan, np.nan)
    mean = values[apart].mean() if apart.any() else np.nan
    yield (
        f"\n== cosines of the tasks' gradients: {of.arm}, seed {of.seed}, after {of.rounds} rounds: between tasks "
        f"{_with(float(mean), float(low), float(high), sign=True)}; a task with itself {np.diag(values).mean():+.3f} =="
    )
    yield " " * 10 + "".join(f"{task:>9}" for task in of.tasks)
    for task, row in zip(of.tasks, of.values):
        yield f"{task:>9} " + "".join(f"{value:>+9.2f}" for value in row)
