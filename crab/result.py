"""What is known of one question: a `Result`, which grows while it is answered, and what it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from crab import answer as answers
from crab.answer import Answer, Box, Event
from crab.intervention import Intervention
from crab.media import Clip
from crab.seen import Seen
from crab.segment import Mask
from crab.tasks import Task
from crab.trace import RoutingTrace
from crab.windows import Span


@dataclass(frozen=True)
class Seconds:
    """How long it took: to open and prepare the clip, to the first text, and in all. Wall clock, from the call."""

    open: float = 0.0
    first_text: float | None = None
    total: float = 0.0


@dataclass(frozen=True)
class Window:
    """A part of the clip that is asked about on its own, in seconds of the clip, and what came of it so far."""

    start: float
    end: float
    answer: Answer | None = None  # None: nobody has looked there
    took: float = 0.0  # seconds, wall clock
    traced: Mapping[str, int] = field(default_factory=dict)  # by tower, how many positions of `Result.routing` are its


@dataclass(frozen=True)
class PackedMask:
    """A `Mask` to keep: of a large picture a thousandth of its bytes."""

    time: float  # seconds of the clip
    label: str
    score: float | None
    size: tuple[int, int]  # (height, width)
    runs: np.ndarray  # (runs,) int32: how many pixels in turn are background and mask, column by column

    @property
    def mask(self) -> np.ndarray:
        """(height, width) bool"""
        flat = np.repeat(np.arange(len(self.runs)) % 2 == 1, self.runs)
        return flat.reshape(self.size[::-1]).T


def packed(mask: Mask) -> PackedMask:
    columns = mask.mask.T.ravel()
    edges = np.flatnonzero(columns[1:] != columns[:-1]) + 1
    starts = np.concatenate([[0] * (1 + bool(columns[0])), edges, [columns.size]])  # background comes first, if empty
    return PackedMask(mask.time, mask.label, mask.score, mask.mask.shape, np.diff(starts).astype(np.int32))


@dataclass(frozen=True)
class Candidate:
    """One thing that may be so, and how many sampled answers say it."""

    kind: str  # "event" | "box" | "choice"
    label: str  # of the event or the box; or what is chosen
    votes: int = 0
    said: bool = False  # by the answer itself, too
    events: tuple[Event, ...] = ()  # of one label and one sense
    box: Box | None = None


@dataclass(frozen=True)
class Candidates:
    """What came of asking again, by sampling."""

    asked: int  # answers that were sampled
    results: tuple[Candidate, ...]  # most votes first


@dataclass(frozen=True)
class Result:
    """All that is known so far of one question; the only thing a screen needs."""

    clip: Clip
    task: Task
    question: str
    model: str
    knows: str  # what this model knows, one sentence
    text: str = ""
    answer: Answer = answers.NOTHING
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()  # of the tokens, natural logarithms
    ends: tuple[int, ...] = ()  # how many characters of `text` are there with each token
    confidence: Mapping[int, float] = field(default_factory=dict)  # by where a result's span starts: how likely right
    prompt_tokens: int = 0
    routing: dict[str, RoutingTrace] | None = None  # by tower; None when not traced
    frame: np.ndarray | None = None  # (height, width, 3) uint8: the picture asked about, no larger than LOOKED_AT
    frame_time: float = 0.0
    seen: Seen | None = None  # what the prompts so far showed and played
    size: tuple[int, int] = (0, 0)  # (width, height) of the picture as it is: boxes, points and masks are in its pixels
    masks: tuple[PackedMask, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: Seconds = Seconds()
    done: bool = False
    other: Clip | None = None  # the second clip of a matching question
    intervention: Intervention | None = None  # what stood in the routers' place
    caveat: str = ""  # one of the notes: why this model can make nothing of such a clip
    windows: tuple[Window, ...] = ()  # one, where the clip is asked about as a whole
    stretch: Span | None = None  # the seconds of the clip that alone were asked about; None: all of it
    candidates: Candidates | None = None  # of sampled answers; None: nobody asked for them
    over_time: bool = False  # every window is a second, asked of its picture; `frame` is the first that shows something

    @property
    def looked(self) -> int:
        """How many windows were begun."""
        return sum(window.answer is not None for window in self.windows)

    def routing_in(self, number: int) -> dict[str, RoutingTrace]:
        """Router weights of one window, by tower; nothing where they were not traced."""
        found = {}
        for tower, trace in (self.routing or {}).items():
            ends = np.cumsum([window.traced.get(tower, 0) for window in self.windows[: number + 1]])
            found[tower] = trace.part(int(ends[-1]) - self.windows[number].traced.get(tower, 0), int(ends[-1]))
        return found

    @property
    def masks_here(self) -> tuple[PackedMask, ...]:
        """The masks of `frame`: all, but over time."""
        return tuple(mask for mask in self.masks if mask.time == self.frame_time) if self.over_time else self.masks

    @property
    def unlooked(self) -> tuple[Span, ...]:
        """The seconds of the clip that no window has come to, or never will, in order. One picture is of its second."""
        looked = [(window.start, window.end) for window in self.windows if window.answer is not None]
        if looked and "image" in self.task.media and not self.over_time and self.clip.video:
            looked = [(self.frame_time - 0.5, self.frame_time + 0.5)]
        gaps, at = [], 0.0
        for start, end in sorted(looked):
            gaps += [(at, start)] if start > at else []
            at = max(at, end)
        gaps += [(at, self.clip.duration)] if self.windows and at < self.clip.duration else []
        return tuple(gaps)

    @property
    def unmasked(self) -> tuple[tuple[Span, str], ...]:
        """The seconds of masks over time that have none, in order, and why, a sentence each."""
        if not self.over_time:
            return ()
        masked = {mask.time for mask in self.masks}
        return tuple(
            ((one.start, one.end), _why_unmasked(one.answer))
            for one in self.windows if not any(one.start <= time < one.end for time in masked)
        )  # fmt: skip

    @property
    def left(self) -> float | None:
        """Seconds until the last window is over, if the others take as long as those that are; None: not known yet."""
        over = [window.took for window in self.windows[: max(0, self.looked - 1)]]
        if not over:
            return None
        mean = sum(over) / len(over)
        running = max(0.0, mean - self.windows[len(over)].took)
        return running + mean * (len(self.windows) - self.looked)


def _why_unmasked(of: Answer | None) -> str:
    if of is None:
        return "Nobody has looked at this second."
    if of.exists is False:
        return "The model sees no such thing here."
    if not (of.boxes or of.points):
        return next((note for note in of.notes if "guess" in note), "The model points at nothing here.")
    return "Nothing could be cut out where the model points to."
