"""The one path: clip + task + question -> a growing `Result`, of a long clip by windows (`crab.windows`).

Of what can be pointed at, every second of a clip may be asked about on its own, and what was pointed at be cut out of all
of them: masks over time. What is kept does not grow with the clip but for the words: router weights, and what was seen and heard, are those of
the first `TRACED` windows.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from crab import CrabError, __version__, segment, stopping
from crab import answer as answers
from crab.answer import Box, Event
from crab.confidence import confidence
from crab.intervention import Intervention
from crab.media import Clip
from crab.memory import Memory
from crab.prompt import Prompt
from crab.result import Result, Window, packed
from crab.seen import Media, Seen, borne_out
from crab.segment import Cut, Segmenter, Shot
from crab.step import Step, grown
from crab.tasks import SLACK, Task, check_question
from crab.windows import WINDOW, Span, check_stretch, first_is_all, join, part, seconds_of, settled, view, windows_of

if TYPE_CHECKING:
    from crab.model import Crab

VERSION = 1  # of the JSON below, whatever version of this program writes it
BATCH = 4  # windows asked at once: whoever presses Stop waits for all of them
TRACED = 8  # windows, a minute, whose router weights and pictures are kept: on a model of 7B some 10 MB each
LOOKED_AT = 2048  # pixels of the longer side of a picture to look at: no screen shows more, and results are kept


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
    stretch: Span | None = None,
    over_time: bool = False,
    memory: Memory | None = None,
) -> Generator[Result]:
    """Ask `crab` one question about `clip` (and `other`, for matching); yields a `Result` a step, the last one `done`.

    `segmenter` turns boxes and points into masks at the end, `over_time` of every second when it is answered; without
    one there are none. Closing the generator stops the model. `intervention` takes the routers' place, in this answer
    only; a note says so. Of `stretch`, in seconds of the clip, nothing outside is seen or heard. What `memory` holds of
    the clip is neither decoded nor read again, and what is new is put there.
    Raises CrabError (MediaError among them) before the first result. What goes wrong once there are words, or with a
    mask, is said in a note, and the words are kept.
    """
    began = time.perf_counter()
    check_question(task, question)
    if stretch is not None:
        check_stretch(clip, stretch)
    spans = (seconds_of if over_time else windows_of)(clip, task, stretch)
    result = _begun(crab, clip, task, question, other, spans, intervention, trace, stretch, over_time)
    # Several at a time are told once they are whole, and their routing is not traced. Tokens are chosen in one at a time.
    traced = 1 if over_time else TRACED
    alone = math.inf if intervention is not None and intervention.tokens is not None else traced if trace else 1
    cutting, at = _Cutting(segmenter), 0
    while at < len(spans):
        turned, kept = time.perf_counter(), over_time or at < TRACED
        turn = range(at, at + (1 if at < alone else BATCH))
        try:
            spans = spans if over_time else settled(clip, spans, turn)
            turn = range(at, min(turn.stop, len(spans)))
            result = replace(result, windows=(*result.windows[:at], *(Window(*span) for span in spans[at:])))
            views = [view(clip, task, spans[number], over_time=over_time) for number in turn]
            kept_there = {"memory": memory} if memory is not None and at < traced else {}
            asked = [crab.prompt(of, task, question, other=other, window=window, **kept_there) for of, window in views]
            result = _seeing(result, [one.media for one in asked], keep=kept)
            opened = result.seconds.open or time.perf_counter() - began
            tokens = result.prompt_tokens + sum(len(one.map.tokens) for one in asked)
            result = replace(result, prompt_tokens=tokens, seconds=replace(result.seconds, open=opened))
            with closing(_steps(
                crab, asked, max_new_tokens=max_new_tokens, trace_routing=trace and at < traced,
                intervention=intervention, memory=memory,
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
            if over_time:
                result = cutting.over_time(result, turn, [one.media for one in asked])
                yield replace(result, seconds=replace(result.seconds, total=time.perf_counter() - began))
        except CrabError as error:
            if not result.token_ids:
                raise
            where = f" in the window from second {spans[at][0]:.0f} on" if len(spans) > 1 else ""
            result = replace(result, notes=(*result.notes, f"The answer breaks off{where}. {error}"))
            break
        at = turn.stop
    result = replace(result, notes=result.notes + result.answer.notes)
    result = result if over_time else cutting.once(result, asked[-1].media.picture)
    total = replace(result.seconds, total=time.perf_counter() - began)
    yield replace(result, confidence=_confidence(crab, result), seconds=total, done=True)


def _steps(
    crab: Crab, asked: Sequence[Prompt], *, trace_routing: bool, memory: Memory | None, **how: Any
) -> Generator[tuple[int, Step]]:
    """What is written to each prompt, as it is written or, of several, at once: which prompt's, and a step."""
    if len(asked) > 1:
        with suppress(CrabError):  # memory for several may be lacking where there is enough for one
            for number, one in enumerate(crab.generate(list(asked), **how)):
                text, ends = crab.decode(one.token_ids), tuple(crab.ends(one.token_ids))
                yield number, Step(text, tuple(one.token_ids), None, one.end, tuple(one.logprobs), ends)
            return
    for number, prompt in enumerate(asked):
        with closing(crab.stream(prompt, trace_routing=trace_routing, memory=memory, **how)) as steps:
            for step in steps:
                yield number, step


def _seeing(result: Result, shown: Sequence[Media], *, keep: bool) -> Result:
    """With what the next prompts show and play; where that is to be kept, as seen."""
    for media in shown:
        if not (result.over_time and result.token_ids):  # then what it is has been seen already
            result = _looking(result, media)
        seen = result.seen.with_more(media) if keep and result.seen else result.seen
        result = replace(result, seen=seen, notes=tuple(dict.fromkeys(result.notes + media.notes)))
    return result


def _looking(result: Result, media: Media) -> Result:
    """With the picture of a prompt as the one to look at."""
    picture = media.picture
    frame = to_look_at(picture) if picture is not None and media.visible else None
    size = picture.shape[1::-1] if picture is not None else (result.clip.width, result.clip.height)
    return replace(result, frame=frame, frame_time=media.picture_time, size=size)


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
    if result.over_time:  # where there is something, instead of where it was looked for first
        shows = next((one.answer for one in windows if one.answer and (one.answer.boxes or one.answer.points)), told)
        merged = replace(merged, boxes=shows.boxes, points=shows.points, exists=shows.exists)
        result = _looking(result, shown) if shows is told and result.frame_time != shown.picture_time else result
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
    stretch: Span | None,
    over_time: bool,
) -> Result:
    """A result before the first word, with the notes that are known by then. Raises CrabError for an intervention at
    positions of one prompt, where there will be several."""
    if (
        intervention is not None
        and len(spans) > 1
        and (intervention.what == "replay" or isinstance(intervention.tokens, Mapping))
    ):
        raise CrabError("A clip this long, or one asked second by second, is asked in windows, each with positions of its "
                        "own: choose tokens by their kind, and play weights back to a shorter clip.")  # fmt: skip
    caveat = _caveat(crab, clip, other)
    notes = [caveat] if caveat else []
    notes += _notes(clip, other, task, spans, stretch, over_time)
    if not crab.taught.covers(task, question):
        notes.append(f"{crab.name} was not taught a question of this form: what it says is a guess.")
    if intervention is not None:
        off = intervention.what == "mute" and set(range(crab.heads)) <= set(intervention.heads)
        notes.insert(0, f"Not the routers' own choice: {intervention}{', so that the adapter adds nothing' * off}.")
    if trace and len(spans) > (1 if over_time else TRACED):
        notes.append(f"Router weights are kept of the first {'second' if over_time else f'{TRACED} windows'}.")
    return Result(
        clip, task, question, crab.name, crab.knows, notes=tuple(notes), other=other, intervention=intervention,
        caveat=caveat, seen=seen_of(clip, other, spans), windows=tuple(Window(*span) for span in spans),
        stretch=stretch, over_time=over_time,
    )  # fmt: skip


def seen_of(clip: Clip, other: Clip | None, spans: list[Span]) -> Seen:
    """Room for what of clips is kept: all, or where the first is asked in windows, those that are traced."""
    traced = spans[0][0] + TRACED * (WINDOW + SLACK)
    long = clip.duration if part(clip, spans[0]) is None else min(clip.duration, traced)
    return Seen(max(long, other.duration if other else 0.0))


class _Cutting:
    """What cuts pictures out, and of masks over time what is given to it, picture by picture."""

    def __init__(self, segmenter: Segmenter | None) -> None:
        self._segmenter = segmenter
        self._given: deque[Shot] = deque()
        self._cuts: Iterator[list[Cut]] | None = None

    def once(self, result: Result, picture: np.ndarray | None) -> Result:
        """With masks of what the answer points to, and notes where there should be some and are none."""
        if self._segmenter is None or picture is None or not (result.answer.boxes or result.answer.points):
            return result
        try:
            masks = segment.masks(self._segmenter, picture, result.answer, time=result.frame_time)
        except CrabError as error:
            return replace(result, notes=(*result.notes, f"There is no mask: {error}"))
        none = "No mask could be cut out of the picture at the place the model points to."
        return replace(result, masks=tuple(map(packed, masks)), notes=result.notes if masks else (*result.notes, none))

    def over_time(self, result: Result, numbers: range, shown: Sequence[Media]) -> Result:
        """With the masks of some more windows, of which these are the pictures; after one that fails there are none."""
        for number, media in zip(numbers, shown):
            said, picture = result.windows[number].answer, media.picture
            if self._segmenter is None or said is None or picture is None:
                continue
            if self._cuts is None:
                self._cuts = self._segmenter.following(iter(self._given.popleft, None))
            stopping.check()
            objects = segment.pointed(said)
            self._given.append((picture, objects))
            try:
                made = segment.named(objects, next(self._cuts), time=media.picture_time)
            except CrabError as error:
                self._segmenter = None
                return replace(result, notes=(*result.notes, f"There are no more masks: {error}"))
            result = replace(result, masks=(*result.masks, *map(packed, made)))
        return result


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


def _notes(
    clip: Clip,
    other: Clip | None,
    task: Task,
    windows: list[Span],
    stretch: Span | None = None,
    over_time: bool = False,
) -> tuple[str, ...]:
    notes = []
    lasts = stretch[1] - stretch[0] if stretch else clip.duration
    seen = max(c.duration if c and c.video else 0.0 for c in (clip, other))
    seen = min(seen, lasts) if stretch else seen
    if stretch:
        notes.append(f"Seconds {stretch[0]:g} to {stretch[1]:g} of the clip were asked about, and nothing else of it.")
    if over_time:
        notes.append(f"Asked {len(windows)} times, about the picture in the middle of each second with its sound.")
    elif len(windows) > 1:
        how = "as a whole and then " if first_is_all(windows) else ""
        what = "This stretch" if stretch else "The clip"
        notes.append(f"{what} is {lasts:.0f} s long, so it is asked {how}in windows of ten seconds. They overlap by two, "
                     "but where the picture cuts.")  # fmt: skip
    elif task.frames and seen > WINDOW + SLACK:
        notes.append(f"The model sees {task.frames} frames spread over the whole {seen:.0f} s.")
    if clip.audible and task.sound.kind == "fixed" and lasts > task.sound.seconds + SLACK:
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
        "boxes": [_box(box) for box in answer.boxes],
        "points": [list(p) for p in answer.points],
        "masks": [
            {"time": m.time, "label": m.label, "rle": {"size": list(m.size), "counts": m.runs.tolist()}}
            for m in result.masks
        ],
        "stretch": list(result.stretch) if result.stretch else None,
        "pictures": _pictures(result),
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
        "candidates": result.candidates and {
            "asked": result.candidates.asked,
            "results": [
                {"kind": one.kind, "label": one.label, "votes": one.votes, "said": one.said,
                 "events": [_event(e) for e in one.events], "box": one.box and _box(one.box)}
                for one in result.candidates.results
            ],
        },
        "seconds": {
            "open": round(result.seconds.open, 3),
            "first_text": None if result.seconds.first_text is None else round(result.seconds.first_text, 3),
            "total": round(result.seconds.total, 3),
        },
    }  # fmt: skip


def _pictures(result: Result) -> list[dict]:
    """Of masks over time what each second's answer says, and why it has no mask, if it has none."""
    if not result.over_time:
        return []
    why = {start: said for (start, _), said in result.unmasked}
    told = []
    for one in result.windows:
        said = one.answer or answers.NOTHING
        told.append({
            "start": one.start,
            "end": one.end,
            "text": one.answer and said.text,
            "boxes": [_box(box) for box in said.boxes],
            "points": [list(point) for point in said.points],
            "no_mask": why.get(one.start),
        })  # fmt: skip
    return told


def _box(box: Box) -> dict:
    return {"label": box.label, "box": [box.x1, box.y1, box.x2, box.y2]}


def _event(event: Event) -> dict:
    return {"label": event.label, "modality": event.modality, "start": event.start, "end": event.end}
