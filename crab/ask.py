"""The one path: clip + task + question -> a growing `Result`, of a long clip by windows (`crab.windows`).

What is kept does not grow with the clip but for the words: router weights, and what was seen and heard, are those of
the first `TRACED` windows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from crab import CrabError, __version__, segment
from crab import answer as answers
from crab.answer import Answer, Event
from crab.confidence import confidence
from crab.ilora.trace import Intervention
from crab.media import Clip
from crab.model import Crab, Step, grown
from crab.prompt import Prompt
from crab.seen import Media, Seen, borne_out
from crab.segment import Mask, Segmenter
from crab.tasks import SLACK, Task
from crab.trace import RoutingTrace
from crab.windows import WINDOW, Span, join, part, settled, windows_of

VERSION = 1  # of the JSON below, whatever version of this program writes it
BATCH = 4  # windows asked at once: whoever presses Stop waits for all of them
TRACED = 8  # windows, a minute, whose router weights and pictures are kept: on a model of 7B some 10 MB each
LOOKED_AT = 2048  # pixels of the longer side of a picture to look at: no screen shows more, and results are kept


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
    def unlooked(self) -> tuple[float, float] | None:
        """The seconds of the clip that no window has come to yet."""
        if self.looked == len(self.windows) or self.looked and self.windows[0].end == self.windows[-1].end:
            return None  # where the whole was asked about first, all was looked at
        return self.windows[self.looked - 1].end if self.looked else 0.0, self.windows[-1].end

    @property
    def left(self) -> float | None:
        """Seconds until the last window is over, if the others take as long as those that are; None: not known yet."""
        over = [window.took for window in self.windows[: max(0, self.looked - 1)]]
        if not over:
            return None
        mean = sum(over) / len(over)
        running = max(0.0, mean - self.windows[len(over)].took)
        return running + mean * (len(self.windows) - self.looked)


def stopped(result: Result) -> Result:
    """A result that will not grow any more, with a note of how much of the clip was looked at."""
    looked, all_of_them = result.looked, len(result.windows)
    said = "It was stopped before its end."
    if all_of_them > 1:
        rest = "; the rest was not looked at" if result.unlooked else ""
        said = f"Stopped in window {looked} of {all_of_them}{rest}."
    return result if said in result.notes else replace(result, notes=(*result.notes, said))


def ask(
    crab: Crab,
    clip: Clip,
    task: Task,
    question: str = "",
    *,
    other: Clip | None = None,
    segmenter: Segmenter | None = None,
    trace: bool = True,
    max_new_tokens: int = 512,
    intervention: Intervention | None = None,
) -> Generator[Result]:
    """Ask `crab` one question about `clip` (and `other`, for matching); yields a `Result` a step, the last one `done`.

    `segmenter` turns boxes and points into masks at the end; without one there are none. Closing the generator stops
    the model. `intervention` takes the routers' place, in this answer only; a note says so.
    Raises CrabError (MediaError among them) before the first result. What goes wrong once there are words, or with a
    mask, is said in a note, and the words are kept.
    """
    began = time.perf_counter()
    spans = windows_of(clip, task)
    result = _begun(crab, clip, task, question, other, spans, intervention, trace)
    # Several at a time are told once they are whole, and their routing is not traced. Tokens are chosen in one at a time.
    alone = math.inf if intervention is not None and intervention.tokens is not None else TRACED if trace else 1
    at = 0
    while at < len(spans):
        turned, kept = time.perf_counter(), at < TRACED
        turn = range(at, at + (1 if at < alone else BATCH))
        try:
            spans = settled(clip, spans, turn)
            turn = range(at, min(turn.stop, len(spans)))
            result = replace(result, windows=(*result.windows[:at], *(Window(*span) for span in spans[at:])))
            asked = [crab.prompt(clip, task, question, other=other, window=part(spans, number)) for number in turn]
            result = _seeing(result, [one.media for one in asked], keep=kept)
            opened = result.seconds.open or time.perf_counter() - began
            tokens = result.prompt_tokens + sum(len(one.map.tokens) for one in asked)
            result = replace(result, prompt_tokens=tokens, seconds=replace(result.seconds, open=opened))
            with closing(_steps(
                crab, asked, max_new_tokens=max_new_tokens, trace_routing=trace and kept,
                intervention=intervention,
            )) as steps:  # fmt: skip
                for number, step in steps:
                    now, at = time.perf_counter(), turn[number]
                    took = (now - turned) / len(turn)
                    result = _grown(result, at, step, asked[number].media, took)
                    text_at = now - began if result.seconds.first_text is None and result.text else None
                    seconds = replace(
                        result.seconds, first_text=text_at or result.seconds.first_text, total=now - began
                    )
                    result = replace(result, seconds=seconds)
                    yield result
        except CrabError as error:
            if not result.token_ids:
                raise
            where = f" in the window from second {spans[at][0]:.0f} on" if len(spans) > 1 else ""
            result = replace(result, notes=(*result.notes, f"The answer breaks off{where}. {error}"))
            break
        at = turn.stop
    masks, told = _masks(segmenter, asked[-1].media.picture, result)
    total = replace(result.seconds, total=time.perf_counter() - began)
    notes = (*result.notes, *result.answer.notes, *told)
    sure = _confidence(crab, result)
    yield replace(result, masks=masks, notes=notes, confidence=sure, seconds=total, done=True)


def _steps(crab: Crab, asked: Sequence[Prompt], *, trace_routing: bool, **how: Any) -> Generator[tuple[int, Step]]:
    """What is written to each prompt, as it is written or, of several, at once: which prompt's, and a step."""
    if len(asked) > 1:
        with suppress(CrabError):  # memory for several may be lacking where there is enough for one
            for number, one in enumerate(crab.generate(list(asked), **how)):
                text, ends = crab.decode(one.token_ids), tuple(crab.ends(one.token_ids))
                yield number, Step(text, tuple(one.token_ids), None, one.end, tuple(one.logprobs), ends)
            return
    for number, prompt in enumerate(asked):
        with closing(crab.stream(prompt, trace_routing=trace_routing, **how)) as steps:
            for step in steps:
                yield number, step


def _seeing(result: Result, shown: Sequence[Media], *, keep: bool) -> Result:
    """With what the next prompts show and play; where that is to be kept, as seen."""
    for media in shown:
        picture = media.picture
        result = replace(
            result,
            frame=to_look_at(picture) if picture is not None and media.visible else None,
            frame_time=media.picture_time,
            seen=result.seen.with_more(media) if keep and result.seen else result.seen,
            size=picture.shape[1::-1] if picture is not None else (result.clip.width, result.clip.height),
            notes=tuple(dict.fromkeys(result.notes + media.notes)),
        )
    return result


def _grown(result: Result, number: int, step: Step, shown: Media, took: float) -> Result:
    """With one more step of the answer about a window."""
    windows, window = list(result.windows), result.windows[number]
    text = (window.answer.text if window.answer else "") + step.text
    told = answers.parse(text, result.task, start=window.start, duration=window.end - window.start, size=result.size)
    told = borne_out(told, shown, result.task, audible=result.clip.audible)
    routing = grown(result.routing, step.routing)
    positions = {
        tower: len(of.tokens) - sum(before.traced.get(tower, 0) for before in windows[:number])
        for tower, of in (routing or {}).items()
    }
    traced = {tower: count for tower, count in positions.items() if count}
    windows[number] = replace(window, answer=told, took=took, traced=traced)
    merged = join([one.answer for one in windows if one.answer])
    before, token_ids = len(merged.text) - len(step.text), result.token_ids + step.token_ids
    cut = f"The model was stopped before its answer came to an end, after {len(token_ids)} tokens."
    return replace(
        result,
        text=merged.text,
        answer=merged,
        windows=tuple(windows),
        token_ids=token_ids,
        logprobs=result.logprobs + step.logprobs,
        ends=result.ends + tuple(before + end for end in step.ends),
        routing=routing,
        notes=(*result.notes, cut) if step.end == "cut" else result.notes,
    )


def _confidence(crab: Crab, result: Result) -> dict[int, float]:
    """Nothing of a clip or a routing that is not of the kind that the model's curves were fitted to."""
    if result.caveat or result.intervention is not None:
        return {}
    return confidence(result.answer, result.ends, result.logprobs, crab.about.calibration)


def _begun(
    crab: Crab,
    clip: Clip,
    task: Task,
    question: str,
    other: Clip | None,
    spans: list[Span],
    intervention: Intervention | None,
    trace: bool,
) -> Result:
    """A result before the first word, with the notes that are known by then. Raises CrabError for an intervention at
    positions of one prompt, where there will be several."""
    if (
        intervention is not None
        and len(spans) > 1
        and (intervention.what == "replay" or isinstance(intervention.tokens, Mapping))
    ):
        raise CrabError("A clip this long is asked in windows, each with positions of its own: choose tokens by "
                        "their kind, and play weights back to a shorter clip.")  # fmt: skip
    caveat = _caveat(crab, clip, other)
    notes = [caveat] if caveat else []
    notes += _notes(clip, other, task, spans)
    if not crab.taught.covers(task, question):
        notes.append(f"{crab.name} was not taught a question of this form: what it says is a guess.")
    if intervention is not None:
        notes.insert(0, f"Not the routers' own choice: {intervention}.")
    if trace and len(spans) > TRACED:
        notes.append(f"Router weights are kept of the first {TRACED} windows.")
    return Result(
        clip, task, question, crab.name, crab.knows, notes=tuple(notes), other=other, intervention=intervention,
        caveat=caveat, seen=seen_of(clip, other, spans), windows=tuple(Window(*span) for span in spans),
    )  # fmt: skip


def seen_of(clip: Clip, other: Clip | None, spans: list[Span]) -> Seen:
    """Room for what of clips is kept: all, or where the first is asked in windows, those that are traced."""
    long = clip.duration if part(spans, 0) is None else min(clip.duration, TRACED * (WINDOW + SLACK))
    return Seen(max(long, other.duration if other else 0.0))


def _masks(
    segmenter: Segmenter | None, picture: np.ndarray | None, result: Result
) -> tuple[tuple[PackedMask, ...], tuple[str, ...]]:
    """Masks of what the answer points to, and notes where there should be some and are none."""
    if segmenter is None or picture is None or not (result.answer.boxes or result.answer.points):
        return (), ()
    try:
        masks = tuple(map(packed, segment.masks(segmenter, picture, result.answer, time=result.frame_time)))
    except CrabError as error:
        return (), (f"There is no mask: {error}",)
    return masks, () if masks else ("No mask could be cut out of the picture at the place the model points to.",)


def to_look_at(picture: np.ndarray) -> np.ndarray:
    """(height, width, 3) uint8, made smaller where it is larger than LOOKED_AT."""
    height, width, _ = picture.shape
    shrink = LOOKED_AT / max(height, width)
    if shrink >= 1:
        return picture
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS, reducing_gap=2))


def _caveat(crab: Crab, clip: Clip, other: Clip | None) -> str:
    if not crab.drawn or all(one.drawn for one in (clip, other) if one):
        return ""
    return f"{crab.name} has only ever seen drawn scenes, and this is not known to be one: the answer means nothing."


def _notes(clip: Clip, other: Clip | None, task: Task, windows: list[Span]) -> tuple[str, ...]:
    notes = []
    seen = max(c.duration if c and c.video else 0.0 for c in (clip, other))
    if len(windows) > 1:
        whole = part(windows, 0) is None
        how = "as a whole and then " if whole else ""
        notes.append(f"The clip is {clip.duration:.0f} s long, so it is asked {how}in windows of ten seconds. They overlap "
                     "by two, but where the picture cuts.")  # fmt: skip
    elif task.frames and seen > WINDOW + SLACK:
        notes.append(f"The model sees {task.frames} frames spread over the whole {seen:.0f} s.")
    if clip.audible and task.sound.kind == "fixed" and clip.duration > task.sound.seconds + SLACK:
        notes.append(f"For this question the model hears only the first {task.sound.seconds:.0f} s of the sound.")
    return tuple(notes)


def to_json(result: Result) -> dict:
    """The object `python -m crab ask --json` prints and the page offers for download.

    Boxes are (x1, y1, x2, y2) and points (x, y) in pixels of the original frame, masks COCO run lengths (column by
    column, starting with background), times seconds of the clip.
    """
    answer = result.answer
    return {
        "version": VERSION,
        "crab": __version__,
        "model": result.model,
        "clip": result.clip.name,
        "other_clip": result.other.name if result.other else None,
        "task": result.task.name,
        "question": result.question,
        "intervention": str(result.intervention) if result.intervention else None,
        "text": result.text,
        "reasoning": answer.reasoning,
        "choice": answer.choice,
        "exists": answer.exists,
        "events": [_event(e) for e in answer.events],
        "boxes": [{"label": b.label, "box": [b.x1, b.y1, b.x2, b.y2]} for b in answer.boxes],
        "points": [list(p) for p in answer.points],
        "masks": [
            {"time": m.time, "label": m.label, "rle": {"size": list(m.size), "counts": m.runs.tolist()}}
            for m in result.masks
        ],
        "notes": list(result.notes),
        "tokens": {"prompt": result.prompt_tokens, "generated": len(result.token_ids)},
        "token_ids": list(result.token_ids),
        "logprobs": [round(nats, 4) for nats in result.logprobs],
        "confidence": [
            {
                "kind": span.kind,
                "label": span.label,
                "text": span.shown,
                "share": round(result.confidence[span.start], 3),
            }
            for span in answer.spans
            if span.start in result.confidence
        ],
        "seconds": {
            "open": round(result.seconds.open, 3),
            "first_text": None if result.seconds.first_text is None else round(result.seconds.first_text, 3),
            "total": round(result.seconds.total, 3),
        },
    }


def _event(event: Event) -> dict:
    return {"label": event.label, "modality": event.modality, "start": event.start, "end": event.end}
