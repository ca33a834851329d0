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

Times count in tenths of the clip, places in a grid of 224 x 224 over the frame. Spaces, decimals, any kind of bracket
(nested, full-width, or none before a closing tag), "3-7", "3 to 7", "from 3 to 7", "between 3 and 7", 00:03 and seconds
as a unit (which counts the same tenths: no model is told how long its clip is) are taken, and a closing tag may be
missing. Several ranges in one bracket are taken where their separators tell them apart: (3 7, 8 9), not (3, 7, 8, 9).
A range written backwards is turned round; what reaches over the clip or the frame is cut there; a range outside the
clip, a box without an area, an event without a name or without a time are dropped. Whatever of a block is dropped or
cannot be read is in `notes`, since a screen shows a chip in the block's place. Nothing is an event before its range has
been written to the end: a stream only ever adds events. Without an <answer> there is no choice, however short the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from crab.tasks import Task

CLOCK = 10.0  # units in a clip
GRID = (224, 224)  # units along the width and the height of a frame


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
    #            | "guess", see `crab.seen.borne_out`
    #            | "reasoning": a tag that carries no result of its own, or is not written to the end yet
    start: int  # characters
    end: int
    shown: str  # "dog barking 0–8 s"
    label: str  # what a colour is chosen by: "dog barking"
    at: float | None = None  # the second of the clip where what it names begins first; None where it names no time


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
    notes: tuple[str, ...] = ()  # what was written as a result and could not be read as one, a sentence each


NOTHING = Answer("", "", None, None, (), (), (), ())


@dataclass(frozen=True)
class _Block:
    """A tag and what is in it."""

    kind: str
    start: int
    end: int
    body: str
    ended: bool  # False: the text stops inside, the last word of the body may be half a word


_KINDS = {
    "event": "event", "visual_event": "visual_event", "visual": "visual_event", "audio_event": "audio_event",
    "audio": "audio_event", "range": "range", "answer": "answer", "obj": "object",
}  # fmt: skip
_MODALITY = {"event": "both", "visual_event": "visual", "audio_event": "audio"}

# ASCII: without it "ſ" and "ı" pass for letters of a tag, and no kind has that name.
_TAG = re.compile(r"<\s?(/?)\s?(" + "|".join(_KINDS) + r")\s?>", re.IGNORECASE | re.ASCII)
_CUT_TAG = re.compile(r"<\s?/?\s?([a-z_]*)\s?\Z", re.IGNORECASE | re.ASCII)
_END_OF_TEXT = "</s>"  # written by the first Crab

# Letter for letter, so that a place in the plain text is the same place in the text.
_PLAIN = str.maketrans("（）［］｛｝【】〔〕，、；：．０１２３４５６７８９−‐‑‒—―〜～~→\u3000",
                       "()[]{}[]()" + ",,;:.0123456789" + "---" + "–––––––" + " ")  # fmt: skip

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_TIME = rf"(?:[0-9]+(?::[0-5][0-9]){{1,2}}(?:\.[0-9]+)?|{_NUMBER})(?:\s*(?:seconds?|secs?|s|秒))?"
_WHOLE = r"(?![0-9:]|\.[0-9]|\s*%)"  # behind a time: it does not go on
_SPACED = r"(?:\s*(?:–|->|\.{2,3})\s*|\s+(?:to|till|until)\s+|\s*-\s+|\s+-\s+|\s+|-)"  # between the times of a range
_COMMA = r"\s*[,;]\s*"
_FROM = r"(?:(?:from|at)\s+)?"
_BETWEEN = rf"between\s+{_TIME}\s+and\s+{_TIME}"
_AND = r"(?:\s*[;&]\s*|\s*,?\s*\band\b\s*)"  # between ranges
# A range; or several, parted by something else than their times are.
_ONE = rf"(?:{_BETWEEN}|{_FROM}{_TIME}(?:{_SPACED}|{_COMMA}){_TIME})"
_SEVERAL = "|".join(
    rf"{_FROM}{_TIME}{inner}{_TIME}(?:{outer}{_FROM}{_TIME}{inner}{_TIME})+"
    for inner, outer in ((_SPACED, rf"(?:{_AND}|\s*,\s*)"), (r"\s*,\s*", _AND))
)
_LIST = rf"(?:{_SEVERAL}|{_ONE}){_WHOLE}"
_PAIR = re.compile(rf"({_TIME})(?:{_SPACED}|{_COMMA}|\s+and\s+)({_TIME}){_WHOLE}", re.IGNORECASE)
_NO_MORE = re.compile(r"\s*[^\s\w:.%]|\s+[0-9:.]|[:.][^0-9]")  # behind a time: its last number is whole
_RANGES = re.compile(rf"[(\[{{]\s*{_LIST}\s*[)\]}}]", re.IGNORECASE)
_BETWEEN_RANGES = re.compile(r"(?:[\s,;&)\]}]|and)*(?:[(\[{]\s*(?=[(\[{]))*")
# Without brackets of its own: what stands before a closing tag or before a bracket.
_LAST_RANGES = re.compile(rf"(?<![\w.:-]){_LIST}(?:[\s,;&.)\]}}]|and\b)*[\s(\[{{]*\Z", re.IGNORECASE)
_BEFORE_RANGES = re.compile(r"(?:[\s,;&)\]}]|and)*|.*[(\[{]\s*", re.DOTALL)
_BRACKET = re.compile(r"[(\[{][^()\[\]{}]*[)\]}]*[\s,;.]*")
_HALF_BRACKET = re.compile(r"[(\[{][^)\]}]*\Z")
_RANGES_ALONE = re.compile(r"(?:[^A-Za-z\n]|(?:to|and|from|between|till|until|s|secs?|seconds?)\b)*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?]\s|\n|\[")

_CLOSING = re.compile(r"(?:\s*[)\]}])*")
_CLOCK = re.compile(r"-?[0-9:.]+")  # of a time, without its unit
_PLACE = rf"({_NUMBER})(?:\s*px)?"
_GAP = r"(?:\s*,\s*|\s+)"
_POINT = rf"\s*{_PLACE}{_GAP}{_PLACE}\s*"
_SQUARE_POINT, _ROUND_POINT = re.compile(rf"\[{_POINT}\]"), re.compile(rf"\({_POINT}\)")
_FOUR = rf"[(\[{{]\s*{_GAP.join([_PLACE] * 4)}\s*[)\]}}]"
_CORNER = rf"\({_POINT}\)"
_BOXES = (
    re.compile(_FOUR),
    re.compile(rf"{_CORNER}\s*,?\s*{_CORNER}"),
    re.compile(rf"top left corner is\s*{_CORNER},? and (?:the )?coordinate of bottom right corner is\s*{_CORNER}"),
)
_BOXES_ALONE = (  # where nothing but a box can stand
    re.compile(rf"[(\[]{_POINT}[)\]]\s*(?:[,;–-]|to)?\s*[(\[]{_POINT}[)\]]"),
    re.compile(r"\A[\s(\[{]*" + r"(?:\s*[,;]\s*|\s+)".join([_PLACE] * 4) + r"[\s)\]}]*\Z"),
)
# Not any number of brackets: a row of them would be gone through once for each.
_INSIDE = r"[^()\[\]{}A-Za-z]"
_NUMBERS = re.compile(rf"[(\[{{][\s(\[{{]{{0,8}}-?[0-9]{_INSIDE}*[^()\[\]{{}}A-Za-z0-9.][0-9]{_INSIDE}*[)\]}}]+")
_NAMED = re.compile(
    r"\b(?:object|source|thing|category)\b[^.<\[\n]{0,120}?\bis\s+"
    r"(?!(?:at|in|on|located|found|visible|present|absent|not|making|producing)\b)(?:(?:an?|the)\s+)?"
    r"([^.<\[(\n]+?)\s*(?=[.<\[(\n]|,? and \w|, (?:its|with|which|located)|\Z)", re.IGNORECASE)  # fmt: skip
_FIRST_OR_SECOND = re.compile(
    r"\b(?:(?:video|audio|clip|sound)[ _]?)?(?:(1|1st|one|first)|2|2nd|two|second)\b", re.I | re.ASCII)  # fmt: skip
_NEITHER = re.compile(r"\s*(?:no|none|neither)\b", re.IGNORECASE)


def parse(text: str, task: Task, *, start: float = 0, duration: float = 10, size: tuple[int, int] = GRID) -> Answer:
    """Read what the model wrote, or the part of it that has been written so far.

    `start` and `duration` are the part of the clip that was asked about, in seconds, `size` the (width, height) of
    the original frame in pixels. Never raises.
    """
    written = text.partition(_END_OF_TEXT)[0]
    blocks, loose = _blocks(written)
    events, spans, notes = _events(blocks, start, duration)

    answers = [(block, _trimmed(block.body)) for block in blocks if block.kind == "answer"]
    spans += [_span(block, said, said) for block, said in answers]
    choice, exists = _choice([said for _, said in answers if said], task.grammar)

    label = _object(written)
    prose = _without(written, blocks).translate(_PLAIN) if "box" in task.grammar else ""
    boxes, box_spans = _boxes(prose, blocks, size, label)
    points, point_spans = _points(prose, box_spans, size, label) if "points" in task.grammar else ((), [])
    if exists is False:  # whatever else it says, there is nothing to show
        boxes, points = (), ()
    else:
        spans += box_spans + point_spans
        notes += _unread_places(written, prose, blocks, boxes)

    shown = {span.start for span in spans}
    rest = (block for block in blocks if block.start not in shown)
    spans += [_span(block, block.body.strip() if block.ended else "…", "") for block in rest]
    spans += [Span("reasoning", start, end, "", "") for start, end in loose]
    spans.sort(key=lambda span: span.start)
    reasoning = "" if task.grammar == "text" else _around(spans, written)
    return Answer(text, reasoning, choice, exists, events, boxes, points, tuple(spans), tuple(dict.fromkeys(notes)))


# ---- tags ----


def _blocks(text: str) -> tuple[list[_Block], list[tuple[int, int]]]:
    """The tagged blocks in order, and the stretches of markup that belong to none."""
    blocks, loose, opened = [], [], None
    for tag in _TAG.finditer(text):
        closing = tag[1]
        if opened and closing:
            body = text[opened.end() : tag.start()]
            blocks.append(_Block(_KINDS[opened[2].lower()], opened.start(), tag.end(), body, ended=True))
        elif opened:
            blocks.append(_unclosed(opened, text[opened.end() : tag.start()], ended=True))
        elif closing:
            loose.append(tag.span())
        opened = None if closing else tag
    if (cut := _CUT_TAG.search(text)) and not any(name.startswith(cut[1].lower()) for name in _KINDS):
        cut = None
    if opened:
        over = bool(cut) and opened[2].lower() == "range"  # a tag begins: no number goes on
        blocks.append(_unclosed(opened, text[opened.end() : cut.start() if cut else None], ended=over))
    if cut:
        loose.append(cut.span())
    return blocks, loose


def _reach(pattern: re.Pattern[str], text: str, start: int = 0) -> int:
    """Where what `pattern` takes from `start` on ends: at `start`, where it takes nothing."""
    found = pattern.match(text, start)
    return found.end() if found else start


def _unclosed(opened: re.Match[str], rest: str, *, ended: bool) -> _Block:
    """A block whose closing tag is missing: it ends with its ranges, or with its sentence, or not at all yet."""
    kind, end, plain = _KINDS[opened[2].lower()], len(rest), rest.translate(_PLAIN)
    if kind == "range":
        end = _reach(_RANGES_ALONE, plain)
        # A word may still become one that belongs to a range.
        ended = ended or re.match(r"\n|[A-Za-z]+[^A-Za-z]", plain[end:]) is not None
    elif kind == "answer" and (stop := _SENTENCE_END.search(rest)):
        end = stop.start()
    elif kind in _MODALITY and (found := _RANGES.search(plain)):
        while found:
            end = found.end()
            behind = _reach(_BETWEEN_RANGES, plain, end)
            found = _RANGES.match(plain, behind)
        # Another range may be half written: then the block is not over.
        if not ended and re.fullmatch(r"(?:[(\[{][^)\]}]*)?", plain[behind:]):
            end = len(rest)
        else:
            end = _reach(_CLOSING, plain, end)  # of a list of ranges
    return _Block(kind, opened.start(), opened.end() + end, rest[:end], ended)


def _span(block: _Block, shown: str, label: str) -> Span:
    return Span(block.kind, block.start, block.end, shown, label)


def _trimmed(body: str) -> str:
    return " ".join(body.split()).strip("\"' .")


def _around(spans: Iterable[Span], text: str) -> str:
    """The prose before, between and after the spans; what only joins two of them goes."""
    pieces, at = [], 0
    for start, end in [(span.start, span.end) for span in spans] + [(len(text), len(text))]:
        piece = text[at:start] if at == 0 else text[at:start].lstrip(" \n\t,.;:)")
        if any(character.isalnum() for character in piece) and not (at and piece.strip() in ("and", "or")):
            pieces.append(piece.strip())
        at = end
    return " ".join(pieces)


def _choice(said: list[str], grammar: str) -> tuple[str | None, bool | None]:
    """The last answer that is one, and whether the thing asked for exists."""
    if grammar == "text":
        return None, None
    if grammar == "match":
        numbers = [found for words in said if not _NEITHER.match(words) and (found := _FIRST_OR_SECOND.search(words))]
        return ("1" if numbers[-1][1] else "2") if numbers else None, None
    if grammar == "exists_box_points":
        truths = [words for words in map(str.lower, said) if words in ("true", "false")]
        return None, truths[-1] == "true" if truths else None
    return said[-1] if said else None, None


# ---- events ----


def _events(blocks: list[_Block], start: float, duration: float) -> tuple[tuple[Event, ...], list[Span], list[str]]:
    events: dict[Event, None] = {}  # in order, each once
    spans: list[Span] = []
    notes: list[str] = []
    label, modality = "", ""  # of the event that a <range> belongs to
    for i, block in enumerate(blocks):
        if block.kind in _MODALITY:
            label, ranges, unread = _named_ranges(block.body, block.ended)
            modality = _MODALITY[block.kind]
        elif block.kind == "range":
            ranges, unread = _bare_ranges(block.body, block.ended)
        else:
            continue
        times = []
        for written, first, last in ranges:
            if time := _seconds(first, last, start, duration):
                times.append(time)
            else:
                unread.append(written)
        follows = blocks[i + 1].kind if i + 1 < len(blocks) else ""
        if not label or not ranges and not unread and (block.kind == "range" or follows != "range"):
            unread = [block.body]
        else:
            events.update((Event(label, modality, *time), None) for time in times)
        notes += [_note("event with a name" if not label else "time in the clip", piece) for piece in unread]
        shown = [] if block.kind == "range" else [label]
        shown += [", ".join(f"{_tidy(first)}–{_tidy(last)}" for first, last in times) + " s"] if times else []
        shown += [] if block.ended or times else ["…"]
        at = min((first for first, _ in times), default=None)
        spans.append(replace(_span(block, " ".join(filter(None, shown)), label), at=at))
    return tuple(events), spans, notes


_Range = tuple[str, float, float]  # as it is written, and its two times in order


def _named_ranges(body: str, ended: bool) -> tuple[str, list[_Range], list[str]]:
    """What an event's block says: its label, its ranges in order, and what in it is neither.

    Before, between and behind the ranges in brackets there may be some without. Those behind count only where the
    block has `ended`, as their last number may not be whole; those before, where the label does not end in a number.
    """
    plain = body.translate(_PLAIN)
    label, ranges, unread, at = body, [], [], 0
    for found in [*_RANGES.finditer(plain), None]:
        end = found.start() if found else len(plain)
        bare = _LAST_RANGES.search(plain, at, end) if found or ended else None
        words = plain[at : bare.start()] if bare else ""
        if bare and (re.search(r"[0-9]\W*\Z", words) if at == 0 else not _BEFORE_RANGES.fullmatch(words)):
            bare = None
        words = plain[at : bare.start() if bare else end]
        if at == 0:
            name = len(words) if found or bare else _end_of_name(words, ended)
            label, lost = body[:name], body[name : len(words)] if ended else ""
        else:
            lost = body[at : at + len(words)]
        unread += [lost.strip(" \n\t,;&")] if re.search("[0-9]", lost) else []
        ranges += _pairs(bare[0]) if bare else []
        ranges += _pairs(found[0]) if found else []
        at = found.end() if found else end
    return _name(label), ranges, unread


def _end_of_name(words: str, ended: bool) -> int:
    """Where brackets begin that have numbers in them, or that are not closed yet, at the end of an event's block."""
    if not ended:
        half = _HALF_BRACKET.search(words)
        return half.start() if half else len(words)
    end = len(words)
    for bracket in reversed(list(_BRACKET.finditer(words))):
        if bracket.end() != end or not re.search("[0-9]", bracket[0]):
            break
        end = bracket.start()
    return end


def _bare_ranges(body: str, ended: bool) -> tuple[list[_Range], list[str]]:
    """The ranges in a <range> block, with or without brackets, and what in it is none."""
    plain = body.translate(_PLAIN)
    found = list(_PAIR.finditer(plain))
    if found and not (ended or _NO_MORE.match(plain, found[-1].end())):
        found.pop()
    edges = [0, *(edge for pair in found for edge in pair.span()), len(plain)]
    rest = [body[start:end].strip() for start, end in zip(edges[::2], edges[1::2])]
    return [one for pair in found for one in _pairs(pair[0])], [one for one in rest if re.search(r"\d", one)]


def _pairs(text: str) -> list[_Range]:
    """Every two times in a text that is known to be a list of ranges."""
    times = [(found[0], _units(found[1]), _units(found[2])) for found in _PAIR.finditer(text)]
    return [(words, min(one, other), max(one, other)) for words, one, other in times]


def _units(time: str) -> float:
    """3, 3.5, "3 s" or 00:03 on the clip's clock."""
    whole = 0.0
    for part in time[: _reach(_CLOCK, time)].split(":"):
        whole = 60 * whole + float(part)
    return whole


def _name(written: str) -> str:
    """An event's label, without what belongs to the list that it stands in."""
    name = re.sub(r"\s+(?:from|between|at)[\s(\[{]*\Z", "", " ".join(written.split())).strip(" ,;:，、；：")
    name = name.rstrip(" ,;:，、；：([{（［【–—=")
    listed = name[:1] and name[0] in "([{（［【" and not re.search(r"[)\]}）］】]", name)
    name = name.lstrip(" ([{（［【") if listed else name
    return name[1:-1].strip() if re.fullmatch('"[^"]*"|“[^”]*”' + "|'[^']*'" * bool(listed), name) else name


def _seconds(first: float, last: float, start: float, duration: float) -> tuple[float, float] | None:
    if first >= CLOCK or last < 0 or duration <= 0:
        return None
    return start + max(first, 0.0) * duration / CLOCK, start + min(min(last, CLOCK) * duration / CLOCK, duration)


def _note(what: str, piece: str) -> str:
    piece = " ".join(piece.split())
    return f"No {what} could be read in “{piece[:60]}{'…' * (len(piece) > 60)}”."


def _tidy(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


# ---- boxes and points ----


def _object(text: str) -> str:
    """What the text says the sounding or the described object is; "" if it does not."""
    return next((name for found in _NAMED.finditer(text) if (name := found[1].strip(" ,;:"))), "")


def _boxes(prose: str, blocks: list[_Block], size: tuple[int, int], label: str) -> tuple[tuple[Box, ...], list[Span]]:
    """The box of the last <obj>, or else the first one in the prose: the published readers take one box only."""
    for block in reversed(blocks):
        found = _corners(block.body.translate(_PLAIN), alone=block.ended) if block.kind == "object" else None
        if found and (box := _box(label, found, size)):
            return (box,), [_span(block, _show(box), label)]
    found = _corners(prose)
    if found and (box := _box(label, found, size)):
        return (box,), [Span("box", found.start(), found.end(), _show(box), label)]
    return (), []


def _points(
    prose: str, boxes: list[Span], size: tuple[int, int], label: str
) -> tuple[tuple[tuple[float, float], ...], list[Span]]:
    """The last three points, as the published readers take them; in round brackets, where there are no square ones."""
    rounds = [one for one in _ROUND_POINT.finditer(prose) if not any(b.start <= one.start() < b.end for b in boxes)]
    found = (list(_SQUARE_POINT.finditer(prose)) or rounds)[-3:]
    points = tuple((_pixels(one[1], size[0]), _pixels(one[2], size[1])) for one in found)
    spans = [
        Span("point", one.start(), one.end(), f"point {x:.0f}, {y:.0f} px", label) for one, (x, y) in zip(found, points)
    ]
    return points, spans


def _unread_places(text: str, prose: str, blocks: list[_Block], boxes: tuple[Box, ...]) -> list[str]:
    """Notes on numbers in brackets that are neither box nor point, and on an <obj> without a box."""
    pieces = [block.body for block in blocks if block.kind == "object" and not boxes]
    for found in _NUMBERS.finditer(prose):
        if not any(pattern.search(found[0]) for pattern in (*_BOXES, _SQUARE_POINT, _ROUND_POINT)):
            pieces.append(text[found.start() : found.end()])
    return [_note("place in the picture", piece) for piece in pieces]


def _corners(text: str, *, alone: bool = False) -> re.Match[str] | None:
    patterns = _BOXES + _BOXES_ALONE if alone else _BOXES
    return next((found for pattern in patterns if (found := pattern.search(text))), None)


def _without(text: str, blocks: list[_Block]) -> str:
    """`text` with its blocks blanked out, every other character where it was."""
    for block in blocks:
        text = text[: block.start] + "\0" * (block.end - block.start) + text[block.end :]
    return text


def _box(label: str, found: re.Match[str], size: tuple[int, int]) -> Box | None:
    x1, x2 = sorted(_pixels(x, size[0]) for x in found.groups()[0::2])
    y1, y2 = sorted(_pixels(y, size[1]) for y in found.groups()[1::2])
    return Box(label, x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _show(box: Box) -> str:
    return f"{box.label or 'box'} {box.x1:.0f}, {box.y1:.0f} – {box.x2:.0f}, {box.y2:.0f} px"


def _pixels(number: str, side: int) -> float:
    units = GRID[0]  # as many along one side as along the other
    return min(min(max(float(number), 0.0), units) * side / units, side)
