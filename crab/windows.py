"""Which parts of a long clip are asked about on their own.

The published model was taught on clips of ten seconds and answers in a clock of ten units, so a longer clip is asked
about events in windows of ten seconds. They overlap by two, so that what is short is in one of them whole. Where the
picture cuts in the overlap, one window ends and the next begins there instead: what is on both sides of a cut has
nothing to do with each other, and windows that go over cuts are answered worse (`tests/bench/windows.py` tells how
much). `join` makes the answers one.

Where something is over time is asked of every second on its own, of the picture in its middle. Of all this a person may
choose a stretch of the clip, which then is all there is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from crab import CrabError, shortened
from crab.answer import Answer, Event
from crab.media import Clip
from crab.prompt import Source
from crab.tasks import LONGEST_HEARD, SLACK, Task

WINDOW = 10.0  # seconds
OVERLAP = 2.0
STRIDE = WINDOW - OVERLAP
LOOKS = 11  # frames that are looked at for a cut, once to find it and once to find it exactly
LOOK = (32, 32)  # pixels that they are made small to
CHANGED = 6  # of 255: a pixel that differs by more, in any colour, is another
MOST = 0.4  # of the pixels are others after a cut: more than if something comes or goes
SEAM = 0.5  # seconds: half a unit of the clock in a window of ten seconds, which is what a time in it may be off by
LONGEST_MASKED = 60.0  # seconds that are asked about one by one
SHORTEST = 0.5  # seconds of a stretch: what is shorter has a frame or two, and no word
SHARPER = 2  # times as many as usual, or else all of the picture moves

Span = tuple[float, float]  # seconds of the clip


def windows_of(clip: Source, task: Task, stretch: Span | None = None) -> list[Span]:
    """Spans of the clip, or of a stretch of it, to ask about one after the other, as far as they are known before the
    clip is looked at.

    What is left over at the end makes no span of its own where it is short: the last one takes it in. A question or a
    description is about the whole, which then is the first span, and the only one up to a minute.
    """
    start, end = whole = stretch or (0.0, clip.duration)
    over = task.family in ("question", "captioning") and end - start > LONGEST_HEARD + SLACK
    if not over and task.grammar != "events":
        return [whole]
    spans = _from(start, end, start)
    return [whole, *spans] if over else spans


def seconds_of(clip: Source, task: Task, stretch: Span | None = None) -> list[Span]:
    """The seconds of a clip, or of a stretch of it, where every one is asked about on its own: the last takes in what is
    left over, or is shorter. Raises CrabError where there is nothing to follow, or too much."""
    check_over_time(task)
    start, end = stretch or (0.0, clip.duration)
    if not clip.visible or not clip.duration:
        raise CrabError(f"{clip.name} has no moving picture, or does not last: there is nothing to follow over time.")
    if end - start > LONGEST_MASKED + SLACK:
        raise CrabError(f"Something is followed over {LONGEST_MASKED:.0f} s at most, and this is {end - start:.0f} s: "
                        "choose a stretch of the clip.")  # fmt: skip
    count = max(1, math.floor(end - start + 0.5))
    firsts = [start + number for number in range(count)]
    return [*((first, first + 1.0) for first in firsts[:-1]), (firsts[-1], end)]


def check_over_time(task: Task) -> None:
    """Raises CrabError where a task points at nothing, so that there is nothing to ask every second about."""
    if "image" not in task.media:
        raise CrabError(
            f"{task.name} points at nothing that could be followed over time: ask s4, ms3, ref_avs or arig."
        )


_STRETCH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*s?\s*(?:[-–—,:]|\bto\b|\s)\s*(\d+(?:\.\d+)?)\s*s?\s*", re.ASCII)


def read_stretch(typed: str) -> Span:
    """Seconds of a clip as people type them, "2-6" or "2.5 to 6 s". Raises CrabError for anything else."""
    found = _STRETCH.fullmatch(typed) if isinstance(typed, str) else None
    if not found:
        raise CrabError(f"{shortened(str(typed))} is no stretch of a clip: give two seconds of it, such as 2-6.")
    return float(found[1]), float(found[2])


def check_stretch(clip: Source, stretch: Span) -> None:
    """Raises CrabError where there is no such stretch of the clip."""
    start, end = stretch
    if not 0 <= start < end <= clip.duration + SLACK or end - start < SHORTEST:
        raise CrabError(f"Seconds {start:g} to {end:g} are no stretch of {clip.name}, which lasts {clip.duration:.1f} s: "
                        f"give two moments of it, half a second apart at least.")  # fmt: skip


def _from(start: float, end: float, least: float) -> list[Span]:
    """Windows from `start` on; the last one reaches back, to `least` at most, to be as long as the others, unless it is
    nearly that."""
    count = 1 + max(0, math.ceil((end - start - SLACK - WINDOW) / STRIDE))
    firsts = [start + i * STRIDE for i in range(count)]
    last = firsts[-1] if count == 1 and end - start >= WINDOW / 2 else max(least, min(firsts[-1], end - WINDOW))
    return [*((first, first + WINDOW) for first in firsts[:-1]), (last, end)]


def part(clip: Source, span: Span) -> Span | None:
    """One of `windows_of` as a prompt is given it: None for the whole clip."""
    return None if span == (0.0, clip.duration) else span


def view(clip: Clip, task: Task, span: Span, *, over_time: bool = False) -> tuple[Clip, Span | None]:
    """A span of a clip as a prompt is given it, a clip and a window: where one picture is shown, that in its middle, or
    what a still picture sounds like at its start, but for a second that was named. Raises CrabError where that is not in
    the span."""
    start, end = span
    if over_time:
        return replace(clip, frame=(start + end) / 2, piece=None), None
    if "image" not in task.media or clip.piece is not None:
        return clip, part(clip, span)
    if clip.frame is not None:
        if part(clip, span) is not None and not start <= clip.frame <= end:
            raise CrabError(f"Second {clip.frame:g} is not one of seconds {start:g} to {end:g}: give another, or none.")
        return clip, part(clip, span)
    return replace(clip, frame=(start + end) / 2 if clip.video is not None else start), None


def first_is_all(spans: list[Span]) -> bool:
    """Whether the first of several spans is all that the others are parts of."""
    return len(spans) > 1 and spans[0][1] == spans[-1][1]


def settled(clip: Source, spans: list[Span], numbers: range) -> list[Span]:
    """The spans, once the clip was looked at where those of `numbers` overlap with the next. Raises as decoding does."""
    for number in numbers:
        if clip.visible and number < len(spans) - 1 and not (number == 0 and first_is_all(spans)):
            start, end = spans[number]
            at = cut(clip, start + STRIDE, end + SLACK)
            if at is not None:
                spans = [*spans[:number], (start, at), *_from(at, spans[-1][1], spans[0][0])]
    return spans


def cut(clip: Source, start: float, end: float) -> float | None:
    """The second of the first frame after a cut of the picture, the sharpest between `start` and `end`; None without."""
    for _ in range(2):
        frames, times = clip.frames(LOOKS, start=start, end=end)
        small = np.stack([np.asarray(Image.fromarray(one).resize(LOOK, Image.Resampling.BOX), int) for one in frames])
        others = np.abs(np.diff(small, axis=0)).max(-1) > CHANGED  # (LOOKS - 1, height, width)
        changes = others.mean((1, 2))
        at = int(changes.argmax())
        if changes[at] < max(MOST, SHARPER * np.median(changes)):
            return None
        start, end = float(times[at]), float(times[at + 1]) + 1e-3
    return float(times[at + 1])


def join(answers: Sequence[Answer]) -> Answer:
    """The answers about the windows of one clip as one: a line of text each; choice and places are the first's.

    Events of one label and one sense that overlap or touch are one. Windows may count from any moment of the clip, so
    events of two of them touch within `SEAM`: what lasts over a seam is one event, and so is what both have.
    """
    if len(answers) == 1:
        return answers[0]
    text, spans = "", []
    for answer in answers:
        spans += [replace(s, start=s.start + len(text), end=s.end + len(text)) for s in answer.spans]
        text += answer.text + "\n"
    notes = tuple(dict.fromkeys(note for a in answers for note in a.notes))
    joined = replace(answers[0], text=text[:-1], events=_joined(answers), spans=tuple(spans), notes=notes)
    return replace(joined, reasoning="\n".join(a.reasoning for a in answers))


def _joined(answers: Sequence[Answer]) -> tuple[Event, ...]:
    whole: list[tuple[Event, int]] = []  # and of which window's its end is
    told = [(event, window) for window, answer in enumerate(answers) for event in answer.events]
    for event, window in sorted(told, key=lambda one: (one[0].label, one[0].modality, one[0].start)):
        last, of = whole[-1] if whole else (None, -1)
        near = SEAM if of != window else 0.0
        if last and (last.label, last.modality) == (event.label, event.modality) and event.start <= last.end + near:
            whole[-1] = (replace(last, end=event.end), window) if event.end > last.end else (last, of)
        else:
            whole.append((event, window))
    return tuple(sorted((event for event, _ in whole), key=lambda event: (event.start, event.end)))
