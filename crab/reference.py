"""What is true of a clip by somebody's file: records of AV-UIE, a result of this project, or WebVTT. Text only, no media.

record      one JSON object with the fields of its dataset, or a list of them in which the clip's own is looked for
result      what `crab.ask.to_json` gives: what is listed in it counts, whatever its text says
WebVTT      a cue an event; classes `heard` and `seen`, as `visualize.tracks.vtt` writes them, tell by which sense
"""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from crab import CrabError, answer, finite_json, shortened
from crab.answer import GRID, NOTHING, Answer, Box, Event, Span
from crab.avuie import FIELDS, Fields
from crab.tasks import TASKS, Task, instruction

if TYPE_CHECKING:
    from crab.result import Result

LONGEST, LONGEST_RESULT = 60_000_000, 8_000_000  # bytes: of a dataset's file, and of a result
WORDS, CUES = 100_000, 10_000  # characters of a record's text, and events of a file: no clip is told in as many
KINDS = {"both": "event", "visual": "visual_event", "audio": "audio_event"}  # of span, by modality
HOLDS = {
    "events": "events with their times", "choice": "a choice", "match": "a choice", "text": "a description",
    "box": "a box", "box_points": "a box", "exists_box_points": "whether there is such a thing, or a box",
}  # fmt: skip
"""By grammar, what a reference of it has to hold."""

NAMES = ("vid", "video_id", "video_name", "filename")  # fields with a clip's name, besides the paths of its files


@dataclass(frozen=True)
class Mask:
    time: float  # seconds of the clip
    label: str
    mask: np.ndarray  # (height, width) bool


@dataclass(frozen=True)
class Reference:
    answer: Answer  # read as if it had been answered
    masks: tuple[Mask, ...] = ()
    facts: tuple[str, ...] = ()  # what to know about it, a sentence each


def read(path: Path, run: Result) -> Reference:
    """What a file says is true of what a run was asked. Raises CrabError for any other file, and for one about
    something else."""
    if path.stat().st_size > LONGEST:
        raise CrabError(
            f"{path.name} has {path.stat().st_size / 1e6:.0f} MB, more than a file of records: give its part."
        )
    try:
        words = path.read_bytes().decode("utf-8-sig")
    except ValueError as error:
        raise CrabError(f"{path.name} is no text: give a record, a result as JSON, or WebVTT.") from error
    if words.startswith("WEBVTT"):
        return _within(_vtt(words, path.name), run, path.name)
    try:
        data = finite_json(words)
    except (ValueError, RecursionError) as error:
        raise CrabError(f"{path.name} is neither JSON nor WebVTT: give a record, a result, or cues.") from error
    if isinstance(data, dict) and {"version", "task", "events"} <= data.keys():
        if len(words) > LONGEST_RESULT:
            raise CrabError(f"{path.name} is longer than a result is.")
        return _within(_result(data, path.name, run), run, path.name)
    rows = [data] if isinstance(data, dict) else data
    if not isinstance(rows, list) or not rows:
        raise CrabError(f"{path.name} holds no record, and is no result: give one JSON object or a list of them.")
    return _within(_record(rows, path.name, run), run, path.name)


def _within(reference: Reference, run: Result, name: str) -> Reference:
    """Raises CrabError where all of its events lie outside the clip."""
    events = reference.answer.events
    if events and all(event.start >= run.clip.duration for event in events):
        raise CrabError(
            f"All events in {name} lie after the end of {run.clip.name}, which lasts {run.clip.duration:.1f} s."
        )
    return reference


# ---- text ----


_AVE = re.compile(r"event:(.+) start_time:([0-9.]+) end_time:([0-9.]+)")


def of_text(text: str, task: Task, *, duration: float = 10.0, size: tuple[int, int] = GRID) -> Answer:
    """The reference or the target of a record, read as an answer is: what the test loaders make of it."""
    found = answer.parse(text, task, duration=duration, size=size)
    if task.name == "ave" and (event := _AVE.fullmatch(text)):
        return replace(found, events=(Event(event[1], "both", float(event[2]), float(event[3])),))
    if task.name == "avvp" and not found.events:
        found = answer.parse(_tagged(text), task, duration=duration, size=size)
    if task.family == "question" and found.choice is None:
        found = replace(found, choice=text.strip())
    return found


def _tagged(text: str) -> str:
    """Events written as data, as tagged text; "" where they are not.

    `{"audio": {"Speech": [[0, 3]]}, "visual": ...}` is read, and `[{"event": "Speech", "modality": "audio", "start": 0,
    "end": 3}]`. What the published files hold has never been seen; lists of tagged texts need none of this.
    """
    try:
        data = ast.literal_eval(text)
        if isinstance(data, dict):
            labels = [(kind, label, spans) for kind, of in data.items() for label, spans in of.items()]
            events = [(kind, label, *span) for kind, label, spans in labels for span in spans]
        else:
            events = [(event["modality"], event["event"], event["start"], event["end"]) for event in data]
        return " ".join(f"<{kind}_event>{label}, ({start} {end})</{kind}_event>" for kind, label, start, end in events)
    except (ValueError, SyntaxError, TypeError, LookupError, AttributeError, RecursionError, MemoryError):
        return ""


def told(
    events: Iterable[Event] = (), choice: str | None = None, exists: bool | None = None, boxes: Sequence[Box] = (),
    text: str = "",
) -> Answer:  # fmt: skip
    """An `Answer` that says these and nothing else."""
    events = tuple(sorted(events, key=lambda event: (event.start, event.end)))
    parts: list[tuple[str, str, str, float | None]] = []
    parts += [(KINDS[e.modality], f"{e.label} {e.start:g}–{e.end:g} s", e.label, e.start) for e in events]
    parts += [("answer", word, word, None) for word in (choice, exists and "true", exists is False and "false") if word]
    parts += [("object", box.label, box.label, None) for box in boxes if box.label]
    spans, words = [], ""
    for kind, shown, label, at in parts:
        spans.append(Span(kind, len(words), len(words) + len(shown), shown, label, at))
        words += f"{shown} "
    return replace(NOTHING, text=words.strip() or text, choice=choice, exists=exists, events=events, boxes=tuple(boxes),
                   spans=tuple(spans))  # fmt: skip


# ---- records ----


def _record(rows: Sequence[Any], name: str, run: Result) -> Reference:
    """The record of a run's clip and question among `rows`, read. Raises CrabError where there is none."""
    mine = {_bare(clip.name) for clip in (run.clip, run.other) if clip}
    named = [row for row in rows if isinstance(row, dict) and mine & set(_called(row))]
    if not named and len(rows) > 1:
        raise CrabError(f"None of the {len(rows):,} records in {name} is about {run.clip.name}.")
    found = [(row, *kind) for row in named or rows if (kind := _dataset(row, run.task))]
    if not found:
        raise CrabError(
            f"{name} holds no record of {run.task.name}, nor of a dataset that asks for the same kind of thing."
        )
    facts: tuple[str, ...] = ()
    if not named:
        about = next(iter(found[0][2].media.values()))
        facts = (f"The record is about {shortened(str(found[0][0][about]))}, by its name another clip.",)
    asked = [one for one in found if _same(run, one[1], one[2].question.format_map(one[0]))]
    if not asked:
        other = shortened(found[0][2].question.format_map(found[0][0]))
        raise CrabError(f"What {name} says of this clip answers another question: {other}")
    row, task, fields = next((one for one in asked if _frame(*one) == int(run.frame_time)), asked[0])
    size, frame = run.size if run.frame is not None else (run.clip.width, run.clip.height), _frame(row, task, fields)
    if frame is not None and frame != int(run.frame_time):
        facts += (f"The record is about second {frame}, and this picture shows {run.frame_time:.1f} s.",)
    meant = of_text(_text(row, fields), task, duration=run.clip.duration, size=size)
    if "exists" in task.grammar and "split" in row:
        meant = replace(meant, exists=row["split"] != "test_n")
    if task != run.task:
        facts += (f"The record is one of {task.name}, and the clip was asked as {run.task.name}.",)
    if "points" in task.grammar and not meant.boxes:
        facts += ("Its mask is a file that the record only names: masks are not compared.",)
    if task.grammar == "text":
        return Reference(meant, facts=facts)
    return Reference(told(meant.events, meant.choice, meant.exists, meant.boxes, meant.text), facts=facts)


def _dataset(row: Any, asked: Task) -> tuple[Task, Fields] | None:
    """Of which dataset a record can be: the one asked, or one of the same grammar. Where events are asked for, one as
    which it has some: the fields of AVE are also those of LLP."""
    alike = [asked, *(task for task in TASKS.values() if task.grammar == asked.grammar and task != asked)]
    fit = [
        (task, FIELDS[split][task.name])
        for task in alike for split in ("test", "train")
        if task.name in FIELDS[split] and _fits(row, FIELDS[split][task.name])
    ]  # fmt: skip
    told_by = (one for one in fit if asked.grammar != "events" or of_text(_text(row, one[1]), one[0]).events)
    return next(told_by, fit[0] if fit else None)


def _fits(row: Any, fields: Fields) -> bool:
    return isinstance(row, dict) and all(name in row and kind.holds(row[name]) for name, kind in fields.needed.items())


def _text(row: Mapping[str, Any], fields: Fields) -> str:
    text = fields.reference.format_map(row) or str(row[fields.target])
    if len(text) > WORDS:
        raise CrabError(
            f"A record has {len(text):,} characters, more than anything that is true of a clip: shorten it."
        )
    return text


def _bare(name: object) -> str:
    """A file's name by its letters and digits: what uploading leaves of it."""
    return re.sub(r"[\W_]", "", PurePath(str(name)).stem).casefold()


def _called(row: Mapping[str, Any]) -> Iterator[str]:
    """What a record calls its clip: the names of its files, and those that only identify it."""
    for field, value in row.items():
        if (field.endswith("_path") or field in NAMES) and (called := _bare(value)):
            yield called


def _same(run: Result, task: Task, question: str) -> bool:
    try:
        return not task.needs or instruction(task, question).split() == instruction(task, run.question).split()
    except CrabError:
        return False


def _frame(row: Mapping[str, Any], task: Task, fields: Fields) -> int | None:
    if not fields.frame or isinstance(fields.frame, int):
        return None
    return int(PurePath(str(row[fields.frame])).stem)


# ---- results ----


def _result(data: dict[str, Any], name: str, run: Result) -> Reference:
    import jsonschema  # which only whoever reads results needs

    schema = json.loads(Path(__file__).with_name("result.schema.json").read_text(encoding="utf-8"))
    wrong = next(iter(jsonschema.Draft202012Validator(schema).iter_errors(data)), None)
    if wrong is not None:
        place = "/".join(map(str, wrong.absolute_path)) or "the whole"
        raise CrabError(f"{name} is no result of version 1: {place} is not as its schema has it.")
    facts = [f"The result is about {data['clip']}, by its name another clip."] * (
        _bare(data["clip"]) != _bare(run.clip.name)
    )
    if data["task"] in TASKS and not _same(run, TASKS[data["task"]], data["question"]):
        facts.append(f"The result answers another question: {shortened(data['question'])}")
    meant = told(
        (Event(**event) for event in data["events"]),
        data["choice"],
        data["exists"],
        [Box(box["label"], *box["box"]) for box in data["boxes"]],
        data["text"],
    )
    masks = []
    for one in data["masks"]:
        (height, width), counts = one["rle"]["size"], one["rle"]["counts"]
        if sum(counts) != height * width or sum(counts) > 2**26:  # before they are NumPy's, which would count round
            raise CrabError(f"A mask in {name} is not as large as it says.")
        flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        masks.append(Mask(one["time"], one["label"], flat.reshape(width, height).T))
    return Reference(meant, tuple(masks), tuple(facts))


# ---- WebVTT ----


_STAMP = r"(?:(\d{2,4}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMES = re.compile(rf"{_STAMP}[ \t]+-->[ \t]+{_STAMP}(?:[ \t].*)?")
_TAG = re.compile(r"<[^<>]*>")  # one that is opened and never closed is not looked for to the end, again and again
_SENSES = re.compile(r"^[♪◎\s]+|\s*\((?:heard|seen|heard and seen)\)\s*$")  # as `visualize.tracks` writes them


def _vtt(words: str, name: str) -> Reference:
    """Cues as events; all lines of a cue are its label."""
    events = []
    for block in re.split(r"\n{2,}", words.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip().split("\n")
        at = next((n for n, line in enumerate(lines[:2]) if "-->" in line), None)
        if at is None or lines[0].startswith(("NOTE", "STYLE", "REGION")):
            continue
        if not (found := _TIMES.fullmatch(lines[at].strip())):
            raise CrabError(f"{name} has a cue whose times cannot be read: {shortened(lines[at])}")
        hours = [int(part or 0) for part in found.groups()]
        start, end = (3600 * h + 60 * m + s + ms / 1000 for h, m, s, ms in (hours[:4], hours[4:]))
        body = " ".join(" ".join(lines[at + 1 :]).split())
        classes = set(re.findall(r"\.(\w+)", " ".join(re.findall(r"<c([^<>]*)>", body))))
        heard, seen = "heard" in classes, "seen" in classes
        label = _SENSES.sub("", html.unescape(_TAG.sub("", body))).strip()
        if label and end > start:
            events.append(Event(label, "both" if heard == seen else "audio" if heard else "visual", start, end))
    if len(events) > CUES:
        raise CrabError(f"{name} has {len(events):,} cues, more than a clip has events: give the clip's part.")
    if not events:
        raise CrabError(f"{name} has no cue with words and a length: nothing in it is an event.")
    return Reference(told(events))
