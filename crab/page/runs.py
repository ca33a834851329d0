"""The answers of a visit: which are kept, what they are called, and which of them answered the same before."""

from __future__ import annotations

from dataclasses import replace
from filecmp import cmp
from pathlib import Path
from typing import Any

from crab import CrabError, shortened
from crab.media import Clip
from crab.result import Result
from crab.tasks import Task
from crab.windows import Span
from visualize.bundle import clip_names

KEPT, KEPT_BYTES = 8, 200_000_000  # runs of a visitor that can be compared, and what they may weigh together


def keep(runs: list[Result], latest: Result) -> list[Result]:
    """The runs with one more: the last KEPT of them, fewer where they weigh more than KEPT_BYTES."""
    runs = [*runs, latest][-KEPT:]
    while len(runs) > 1 and sum(map(weight, runs)) > KEPT_BYTES:
        runs = runs[1:]
    return runs


def weight(run: Result) -> int:
    """Bytes that a run takes up, nearly: what was seen and heard, router weights, each position's place in the clip."""
    traces = (run.routing or {}).values()
    weights = sum(trace.weights.nbytes + 250 * len(trace.tokens) for trace in traces)
    pictures = (0 if run.frame is None else run.frame.nbytes) + (0 if run.seen is None else run.seen.nbytes)
    return weights + sum(mask.runs.nbytes for mask in run.masks) + pictures


def names(runs: list[Result]) -> list[str]:
    """The runs as people tell them apart, counted from 1: clip, question, change."""
    return [f"{i} · {about(run)}" for i, run in enumerate(runs, 1)]


def about(run: Result) -> str:
    """Of which clip a run is and of which of its seconds, what was asked, and what was changed."""
    seconds = f" {run.stretch[0]:g}–{run.stretch[1]:g} s" if run.stretch else ""
    seconds += ", every second" if run.over_time else ""
    asked = shortened(run.question or run.task.title)
    return f"{clip_names(run)}{seconds} · {run.task.name}: {asked} · {changed(run)}"


def changed(run: Result) -> str:
    return str(run.intervention or "as it is")


def whose(run: Result) -> str:
    """A run in a few words, where another one has its average."""
    return f"{clip_names(run)} ({run.task.name}, {changed(run)})"


def unlike(one: Result, other: Result) -> str:
    """Why two runs' words and times cannot be held against each other, a sentence; "" where they can."""
    if one.model != other.model:
        return "These runs are two models': words and times are not compared."
    if not (same_clip(one.clip, other.clip) and same_clip(one.other, other.other)):
        return "These runs are about different clips, or different seconds of one: words and times are not compared."
    if (one.task, one.question, one.stretch, one.over_time) != (
        other.task,
        other.question,
        other.stretch,
        other.over_time,
    ):
        return "These runs were asked different things: words and times are not compared."
    return ""


def one_of(runs: list[Result], number: int) -> Result:
    """A run by its number, from 0. Raises CrabError where it has been let go."""
    return still_here(runs[number] if 0 <= number < len(runs) else None)


def still_here(result: Result | None) -> Result:
    """Raises CrabError where a result has been let go."""
    if result is None:
        raise CrabError("This answer is no longer kept here: ask again.")
    return result


def asked_like(
    runs: list[Result], model: str, task: Task, question: str, stretch: Span | None = None, over_time: bool = False
) -> list[int]:
    """Which runs are whole answers of this model to the same question of the same seconds, with the routing as it is.

    Gradio's own cache would not do: `gr.cache` copies every yield, which here is a `Result` with all router weights so
    far for each token; it and `gr.Cache` share their bounds among all visitors, do not know what a `Result` weighs, and
    keep it as long as a page is open.
    """
    asked = (model, task, question, stretch, over_time)
    return [
        number
        for number, run in enumerate(runs)
        if run.done
        and run.intervention is None
        and (run.model, run.task, run.question, run.stretch, run.over_time) == asked
    ]


def same_clip(one: Clip | None, other: Clip | None) -> bool:
    """Whether two clips are one by what is in their files: whoever uploads a file again has the same clip."""
    if one is None or other is None:
        return one is other
    kinds = ("video", "image", "audio")
    nameless: dict[str, Any] = dict.fromkeys(kinds) | {"name": ""}
    return replace(one, **nameless) == replace(other, **nameless) and all(
        same_file(getattr(one, kind), getattr(other, kind)) for kind in kinds
    )


def same_file(one: Path | None, other: Path | None) -> bool:
    """Whether two files hold the same, or neither is there to be looked at."""
    if one is None or other is None:
        return one is other
    try:
        return cmp(one, other, shallow=False)
    except OSError:  # it has been let go
        return False
