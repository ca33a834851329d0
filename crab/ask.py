"""The one path: clip + task + question -> a growing `Result`.

A clip longer than ten seconds is asked about events in windows of ten seconds, because the published model was taught
on clips that long and answers in a ten-unit clock; every other question sees the whole clip at once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from crab import CrabError, __version__, segment
from crab import answer as answers
from crab.answer import Answer, Event
from crab.confidence import confidence
from crab.ilora.trace import Intervention
from crab.media import Clip
from crab.model import Crab, grown
from crab.prompt import Prompt
from crab.seen import Seen, borne_out
from crab.segment import Mask, Segmenter
from crab.tasks import Task
from crab.trace import RoutingTrace

VERSION = 1  # of the JSON below, whatever version of this program writes it
WINDOW = 10.0  # seconds
SLACK = 0.5  # seconds more than this count as longer
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
        if self.looked == len(self.windows):
            return None
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
        rest = "" if looked == all_of_them else "; the rest was not looked at"
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
    result = _begun(crab, clip, task, question, other, spans, intervention)
    windows = [Window(start, end) for start, end in spans]
    finished: list[Answer] = []
    for number, (start, end) in enumerate(spans):
        window, turned = (start, end) if len(spans) > 1 else None, time.perf_counter()
        asked = crab.prompt(clip, task, question, other=other, window=window)
        shown = asked.media
        result = _with_prompt(result, asked, time.perf_counter() - began)
        text, parsed = "", answers.NOTHING
        before = {tower: len(trace.tokens) for tower, trace in (result.routing or {}).items()}
        try:
            with closing(crab.stream(
                asked, max_new_tokens=max_new_tokens, trace_routing=trace, intervention=intervention
            )) as steps:  # fmt: skip
                for step in steps:
                    line = sum(len(answer.text) + 1 for answer in finished) + len(text)
                    text += step.text
                    parsed = answers.parse(text, task, start=start, duration=end - start, size=result.size)
                    parsed = borne_out(parsed, shown, task, audible=clip.audible)
                    merged = answers.join([*finished, parsed])
                    now = time.perf_counter() - began
                    first = result.seconds.first_text
                    routing = grown(result.routing, step.routing)
                    traced = {tower: len(of.tokens) - before.get(tower, 0) for tower, of in (routing or {}).items()}
                    windows[number] = Window(start, end, parsed, time.perf_counter() - turned, traced)
                    result = replace(
                        result,
                        text=merged.text,
                        answer=merged,
                        windows=tuple(windows),
                        token_ids=result.token_ids + step.token_ids,
                        logprobs=result.logprobs + step.logprobs,
                        ends=result.ends + tuple(line + end for end in step.ends),
                        routing=routing,
                        seconds=replace(result.seconds, first_text=now if first is None and text else first, total=now),
                    )
                    yield result
        except CrabError as error:
            if not result.token_ids:
                raise
            where = f" in the window from second {start:.0f} on" if window else ""
            result = replace(result, notes=(*result.notes, f"The answer breaks off{where}. {error}"))
            break
        if step.end == "cut":
            said = f"The model was stopped before its answer came to an end, after {len(result.token_ids)} tokens."
            result = replace(result, notes=(*result.notes, said))
        finished.append(parsed)
    masks, told = _masks(segmenter, shown.picture, result)
    total = replace(result.seconds, total=time.perf_counter() - began)
    notes = (*result.notes, *result.answer.notes, *told)
    sure = _confidence(crab, result)
    yield replace(result, masks=masks, notes=notes, confidence=sure, seconds=total, done=True)


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
    spans: list[tuple[float, float]],
    intervention: Intervention | None,
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
    return Result(
        clip, task, question, crab.name, crab.knows, notes=tuple(notes), other=other, intervention=intervention,
        caveat=caveat,
    )  # fmt: skip


def _with_prompt(result: Result, asked: Prompt, opened: float) -> Result:
    """The result with what one more prompt reads, shows and plays. `opened`: seconds until the first one was there."""
    shown, clip, picture = asked.media, result.clip, asked.media.picture
    seen = result.seen or Seen(max(one.duration for one in (clip, result.other) if one))
    return replace(
        result,
        prompt_tokens=result.prompt_tokens + len(asked.map.tokens),
        frame=to_look_at(picture) if picture is not None and shown.visible else None,
        frame_time=shown.picture_time,
        seen=seen.with_more(shown),
        size=(clip.width, clip.height) if picture is None else (picture.shape[1], picture.shape[0]),
        notes=tuple(dict.fromkeys(result.notes + shown.notes)),
        seconds=replace(result.seconds, open=result.seconds.open or opened),
    )


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


def windows_of(clip: Clip, task: Task) -> list[tuple[float, float]]:
    """Spans of the clip to ask about one after the other; the last one reaches back to be as long as the others.

    What is left over at the end makes no span of its own where it is short: the last one takes it in.
    """
    count = math.ceil((clip.duration - SLACK) / WINDOW)
    if task.grammar != "events" or count <= 1:
        return [(0.0, clip.duration)]
    starts = [i * WINDOW for i in range(count - 1)]
    last = min((count - 1) * WINDOW, clip.duration - WINDOW)
    return [*((start, start + WINDOW) for start in starts), (last, clip.duration)]


def _caveat(crab: Crab, clip: Clip, other: Clip | None) -> str:
    if not crab.drawn or all(one.drawn for one in (clip, other) if one):
        return ""
    return f"{crab.name} has only ever seen drawn scenes, and this is not known to be one: the answer means nothing."


def _notes(clip: Clip, other: Clip | None, task: Task, windows: list[tuple[float, float]]) -> tuple[str, ...]:
    notes = []
    seen = max(c.duration if c and c.video else 0.0 for c in (clip, other))
    if len(windows) > 1:
        notes.append(
            f"The clip is {clip.duration:.0f} s long, so it is asked in {len(windows)} windows of ten seconds, one by one."
        )
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
