"""The model's text, read: reasoning apart from result, times in seconds of the clip, places in pixels of the frame.

`parse` is total: any string gives an `Answer`, and so does every prefix of one, because it is called again at each
step of a stream. What it reads (the tags are an interface: the published weights write them, and those of the first
Crab are read too):

    <event>dog barking, (0 3)(7 10)</event>               seen and heard; a block for each event
    <visual_event>dog,(0 3)</visual_event>                seen; <visual> in the first Crab
    <audio_event>barking,(0 3)</audio_event>              heard; <audio> in the first Crab
    <event> dog barking </event> ... <range> 0,8 </range> the first Crab's way
    <answer>saxophone</answer>.                           a choice, "one" or "two", "true" or "false"
    [12,30,200,180] [60,70] [80,90] [99,99]               a box and three points
    <obj>(12,30)(200,180)</obj>                           a box

Times count in tenths of the clip, places in a grid of 224 x 224 over the frame. Spaces, decimals and either kind of
bracket are taken anywhere, and a closing tag may be missing. A range written backwards is turned round; what reaches
over the clip or the frame is cut there; a range outside the clip, a box without an area, an event without a name or
without a time are dropped. Nothing is an event before its range has been written to the end, so that a stream only
ever adds events. Without an <answer> there is no choice, however short the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from crab.tasks import Task

CLOCK = 10.0  # units in a clip
GRID = 224.0  # units along either side of a frame


@dataclass(frozen=True)
class Event:
    label: str
    modality: str  # "audio" | "visual" | "both"
    start: float  # seconds of the clip
    end: float


@dataclass(frozen=True)
class Box:
    label: str  # "" where the text does not name the object
    x1: float  # pixels of the original frame
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Span:
    """A stretch of `Answer.text` that a screen replaces by a chip; where `shown` is empty, by nothing."""

    kind: str  # "event" | "visual_event" | "audio_event" | "range" | "answer" | "object" | "box" | "point"
    #            | "reasoning": a tag that carries no result of its own, or is not written to the end yet
    start: int  # characters
    end: int
    shown: str  # "dog barking 0–8 s"
    label: str  # what a colour is chosen by: "dog barking"


@dataclass(frozen=True)
class Answer:
    text: str  # all of it, tags and all
    reasoning: str  # the prose around the result; "" for a description, where the text is the result
    choice: str | None  # "1" or "2" for matching; as written for the other choices
    exists: bool | None  # only where it was asked whether something exists
    events: tuple[Event, ...]
    boxes: tuple[Box, ...]
    points: tuple[tuple[float, float], ...]  # pixels of the original frame
    spans: tuple[Span, ...]  # in order, none over another


NOTHING = Answer("", "", None, None, (), (), (), ())


@dataclass(frozen=True)
class _Block:
    """A tag and what is in it."""

    kind: str
    start: int
    end: int
    body: str
    ended: bool  # False: the text stops inside, the last word of the body may be half a word


_KINDS = {"event": "event", "visual_event": "visual_event", "visual": "visual_event", "audio_event": "audio_event",
          "audio": "audio_event", "range": "range", "answer": "answer", "obj": "object"}
_MODALITY = {"event": "both", "visual_event": "visual", "audio_event": "audio"}

# ASCII: without it "ſ" and "ı" pass for letters of a tag, and no kind has that name.
_TAG = re.compile(r"<\s?(/?)\s?(" + "|".join(_KINDS) + r")\s?>", re.IGNORECASE | re.ASCII)
_CUT_TAG = re.compile(r"<\s?/?\s?([a-z_]*)\s?\Z", re.IGNORECASE | re.ASCII)
_END_OF_TEXT = "</s>"  # written by the first Crab

_NUMBER = r"(-?[0-9]+(?:\.[0-9]+)?)"
_COMMA = r"(?:\s*,\s*|\s+)"
_PAIR = _NUMBER + r"(?:\s*[,–]\s*|\s+(?:to|-)\s+|\s+|-)" + _NUMBER + r"(?![0-9]|\.[0-9])"
_BARE_RANGE = re.compile(_PAIR)
_RANGE = re.compile(r"[(\[]\s*" + _PAIR + r"\s*[)\]]")
_LAST_RANGE_OPEN = re.compile(r"[(\[]\s*" + _PAIR + r"\s*\Z")
_BETWEEN_RANGES = re.compile(r"(?:[\s,;&]|and)*")
_RANGES_ALONE = re.compile(r"(?:[^A-Za-z\n]|to\b|and\b)*")
_SENTENCE_END = re.compile(r"[.!?]\s|\n|\[")

_POINT = re.compile(r"\[\s*" + _COMMA.join([_NUMBER] * 2) + r"\s*\]")
_FOUR = r"[(\[]\s*" + _COMMA.join([_NUMBER] * 4) + r"\s*[)\]]"
_CORNER = r"\(\s*" + _NUMBER + _COMMA + _NUMBER + r"\s*\)"
_BOXES = (
    re.compile(_FOUR),
    re.compile(_CORNER + r"\s*,?\s*" + _CORNER),
    re.compile(rf"top left corner is\s*{_CORNER},? and (?:the )?coordinate of bottom right corner is\s*{_CORNER}"),
)
_NAMED = re.compile(
    r"\b(?:object|source|thing|category)\b[^.<\[\n]{0,120}?\bis\s+"
    r"(?!(?:at|in|on|located|found|visible|present|absent|not|making|producing)\b)(?:(?:an?|the)\s+)?"
    r"([^.<\[(\n]+?)\s*(?=[.<\[(\n]|,? and \w|, (?:its|with|which|located)|\Z)", re.IGNORECASE)
_FIRST_OR_SECOND = re.compile(
    r"\b(?:(?:video|audio|clip|sound)[ _]?)?(?:(1|1st|one|first)|2|2nd|two|second)\b", re.IGNORECASE | re.ASCII)
_NEITHER = re.compile(r"\s*(?:no|none|neither)\b", re.IGNORECASE)


def parse(text: str, task: Task, *, start: float = 0.0, duration: float = 10.0,
          size: tuple[int, int] = (224, 224)) -> Answer:
    """Read what the model wrote, or the part of it that has been written so far.

    `start` and `duration` are the part of the clip that was asked about, in seconds, `size` the (width, height) of
    the original frame in pixels. Never raises.
    """
    written = text.partition(_END_OF_TEXT)[0]
    blocks, loose = _blocks(written)
    events, spans = _events(blocks, start, duration)

    answers = [(block, _trimmed(block.body)) for block in blocks if block.kind == "answer"]
    spans += [_span(block, said, said) for block, said in answers]
    choice, exists = _choice([said for _, said in answers if said], task.grammar)

    label = _object(written)
    boxes, box_spans = _boxes(written, blocks, size, label, in_prose="box" in task.grammar)
    points, point_spans = _points(written, blocks, size, label) if "points" in task.grammar else ((), [])
    if exists is False:  # whatever else it says, there is nothing to show
        boxes, points = (), ()
    else:
        spans += box_spans + point_spans

    shown = {span.start for span in spans}
    spans += [_span(block, block.body.strip() if block.ended else "…", "")
              for block in blocks if block.start not in shown]
    spans += [Span("reasoning", start, end, "", "") for start, end in loose]
    spans.sort(key=lambda span: span.start)
    reasoning = "" if task.grammar == "text" else _around(spans, written)
    return Answer(text, reasoning, choice, exists, events, boxes, points, tuple(spans))


def join(answers: Sequence[Answer]) -> Answer:
    """The answers about the windows of one clip as one: a line of text each, events that touch made into one."""
    if len(answers) == 1:
        return answers[0]
    text, spans = "", []
    for answer in answers:
        spans += [replace(s, start=s.start + len(text), end=s.end + len(text)) for s in answer.spans]
        text += answer.text + "\n"
    whole: list[Event] = []
    for event in sorted((e for a in answers for e in a.events), key=lambda e: (e.label, e.modality, e.start)):
        last = whole[-1] if whole else None
        if last and (last.label, last.modality) == (event.label, event.modality) and event.start <= last.end:
            whole[-1] = replace(last, end=max(last.end, event.end))
        else:
            whole.append(event)
    reasoning = "\n".join(a.reasoning for a in answers)
    events = tuple(sorted(whole, key=lambda e: (e.start, e.end)))
    return replace(answers[-1], text=text[:-1], reasoning=reasoning, events=events, spans=tuple(spans))


# ---- tags ----

def _blocks(text: str) -> tuple[list[_Block], list[tuple[int, int]]]:
    """The tagged blocks in order, and the stretches of markup that belong to none."""
    blocks, loose, opened = [], [], None
    for tag in _TAG.finditer(text):
        closing = tag[1]
        if opened and closing:
            body = text[opened.end():tag.start()]
            blocks.append(_Block(_KINDS[opened[2].lower()], opened.start(), tag.end(), body, ended=True))
        elif opened:
            blocks.append(_unclosed(opened, text[opened.end():tag.start()], ended=True))
        elif closing:
            loose.append(tag.span())
        opened = None if closing else tag
    cut = _CUT_TAG.search(text)
    if cut and not any(name.startswith(cut[1].lower()) for name in _KINDS):
        cut = None
    if opened:
        blocks.append(_unclosed(opened, text[opened.end():cut.start() if cut else None], ended=False))
    if cut:
        loose.append(cut.span())
    return blocks, loose


def _unclosed(opened: re.Match[str], rest: str, *, ended: bool) -> _Block:
    """A block whose closing tag is missing: it ends with its ranges, or with its sentence, or not at all yet."""
    kind, end = _KINDS[opened[2].lower()], len(rest)
    if kind == "range":
        end = _RANGES_ALONE.match(rest).end()
    elif kind == "answer" and (stop := _SENTENCE_END.search(rest)):
        end = stop.start()
    elif kind in _MODALITY and (found := _RANGE.search(rest)):
        while found:
            end = found.end()
            found = _RANGE.match(rest, _BETWEEN_RANGES.match(rest, end).end())
        # Another range may be half written: then the block is not over.
        if not ended and re.fullmatch(r"(?:[(\[][^)\]]*)?", rest[_BETWEEN_RANGES.match(rest, end).end():]):
            end = len(rest)
    body = rest[:end]
    return _Block(kind, opened.start(), opened.end() + end, body, ended)


def _span(block: _Block, shown: str, label: str) -> Span:
    return Span(block.kind, block.start, block.end, shown, label)


def _trimmed(body: str) -> str:
    return " ".join(body.split()).strip("\"' .")


def _around(spans: Iterable[Span], text: str) -> str:
    """The prose before, between and after the spans; what is punctuation only between two of them goes."""
    pieces, at = [], 0
    for start, end in [(span.start, span.end) for span in spans] + [(len(text), len(text))]:
        piece = text[at:start] if at == 0 else text[at:start].lstrip(" \n\t,.;:)")
        if any(character.isalnum() for character in piece):
            pieces.append(piece.strip())
        at = end
    return " ".join(pieces)


# ---- choices ----

def _choice(said: list[str], grammar: str) -> tuple[str | None, bool | None]:
    """The last answer that is one, and whether the thing asked for exists."""
    if grammar == "text":
        return None, None
    if grammar == "match":
        numbers = [found for words in said
                   if not _NEITHER.match(words) and (found := _FIRST_OR_SECOND.search(words))]
        return ("1" if numbers[-1][1] else "2") if numbers else None, None
    if grammar == "exists_box_points":
        truths = [words for words in map(str.lower, said) if words in ("true", "false")]
        return None, truths[-1] == "true" if truths else None
    return said[-1] if said else None, None


# ---- events ----

def _events(blocks: list[_Block], start: float, duration: float) -> tuple[tuple[Event, ...], list[Span]]:
    events: dict[Event, None] = {}  # in order, each once
    spans: list[Span] = []
    label, modality = "", ""  # of the event that a <range> belongs to
    for block in blocks:
        if block.kind in _MODALITY:
            ranges = list(_RANGE.finditer(block.body))
            if block.ended and (last := _LAST_RANGE_OPEN.search(block.body)):
                ranges.append(last)
            named = block.body[:ranges[0].start()] if ranges else re.sub(r"[(\[][^)\]]*\Z", "", block.body)
            label, modality = " ".join(named.split()).strip(" ,;:"), _MODALITY[block.kind]
        elif block.kind == "range":
            ranges = [found for found in _BARE_RANGE.finditer(block.body)
                      if block.ended or block.body[found.end():] not in ("", ".")]
        else:
            continue
        times = [time for found in ranges if (time := _seconds(found, start, duration))]
        if label:
            events.update((Event(label, modality, *time), None) for time in times)
        shown = [] if block.kind == "range" else [label]
        shown += [", ".join(f"{_tidy(first)}–{_tidy(last)}" for first, last in times) + " s"] if times else []
        shown += [] if block.ended or times else ["…"]
        spans.append(_span(block, " ".join(filter(None, shown)), label))
    return tuple(events), spans


def _seconds(found: re.Match[str], start: float, duration: float) -> tuple[float, float] | None:
    first, last = sorted(float(unit) for unit in found.groups())
    if first >= CLOCK or last < 0 or duration <= 0:
        return None
    return start + max(first, 0.0) * duration / CLOCK, start + min(min(last, CLOCK) * duration / CLOCK, duration)


def _tidy(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


# ---- boxes and points ----

def _object(text: str) -> str:
    """What the text says the sounding or the described object is; "" if it does not."""
    return next((name for found in _NAMED.finditer(text) if (name := found[1].strip(" ,;:"))), "")


def _boxes(text: str, blocks: list[_Block], size: tuple[int, int], label: str, *,
           in_prose: bool) -> tuple[tuple[Box, ...], list[Span]]:
    """The box of the last <obj>, or else the first one in the prose: the published readers take one box only."""
    for block in reversed(blocks):
        found = _corners(block.body) if block.kind == "object" else None
        if found and (box := _box(label, found, size)):
            return (box,), [_span(block, _show(box), label)]
    found = _corners(_without(text, blocks)) if in_prose else None
    if found and (box := _box(label, found, size)):
        return (box,), [Span("box", found.start(), found.end(), _show(box), label)]
    return (), []


def _points(text: str, blocks: list[_Block], size: tuple[int, int],
            label: str) -> tuple[tuple[tuple[float, float], ...], list[Span]]:
    """The last three points, as the published readers take them."""
    found = list(_POINT.finditer(_without(text, blocks)))[-3:]
    points = tuple((_pixels(one[1], size[0]), _pixels(one[2], size[1])) for one in found)
    spans = [Span("point", one.start(), one.end(), f"point {x:.0f}, {y:.0f}", label)
             for one, (x, y) in zip(found, points)]
    return points, spans


def _corners(text: str) -> re.Match[str] | None:
    return next((found for pattern in _BOXES if (found := pattern.search(text))), None)


def _without(text: str, blocks: list[_Block]) -> str:
    """`text` with its blocks blanked out, every other character where it was."""
    for block in blocks:
        text = text[:block.start] + "\0" * (block.end - block.start) + text[block.end:]
    return text


def _box(label: str, found: re.Match[str], size: tuple[int, int]) -> Box | None:
    x1, x2 = sorted(_pixels(x, size[0]) for x in found.groups()[0::2])
    y1, y2 = sorted(_pixels(y, size[1]) for y in found.groups()[1::2])
    return Box(label, x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _show(box: Box) -> str:
    return f"{box.label or 'box'} {box.x1:.0f}, {box.y1:.0f} – {box.x2:.0f}, {box.y2:.0f}"


def _pixels(number: str, side: int) -> float:
    return min(min(max(float(number), 0.0), GRID) * side / GRID, side)
