"""An answer as text that other programs open: tables, subtitles, labels and annotations.

Pure functions from a `crab.result.Result` to the text of a file:

    events_csv, boxes_csv, masks_csv   tables (RFC 4180)
    vtt, srt                           subtitles: WebVTT (https://www.w3.org/TR/webvtt1/) and SubRip
    audacity                           a label track, as Audacity imports and exports it: start, end and label by tabs
    eaf                                an ELAN document (EAF 3.0, http://www.mpi.nl/tools/elan/EAFv3.0.xsd)
    coco                               masks as a COCO data set, as `pycocotools.coco.COCO` reads it

Times are seconds of the clip (milliseconds in `eaf`), places pixels of the original frame. In all of them it stands
whether something was heard or seen, and what the answer is worth: as a comment or a property where there are any, as a
column where there are none, and in a format of lines alone as one more line, over the whole clip.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from itertools import count
from mimetypes import guess_type
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np

from crab import __version__
from visualize import theme
from visualize.text import told
from visualize.timeline import GLYPHS, SENSES

if TYPE_CHECKING:
    from crab.answer import Event
    from crab.result import Result

NEVER = "1970-01-01T00:00:00Z"  # ELAN wants a date; one answer is one file to the byte, whenever it is written
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# --- tables ---


def events_csv(result: Result) -> str:
    """A row an event, in order of time: label, sense ("heard", "seen", "heard and seen"), start and end in seconds."""
    rows = [
        {
            "label": event.label,
            "sense": " and ".join(senses(event)),
            "start": _tidy(event.start),
            "end": _tidy(event.end),
        }
        for event in _in_order(result)
    ]
    return _table(result, rows)


def boxes_csv(result: Result) -> str:
    """A row a box: label, the second of the clip it was asked about, corners, and the frame's size."""
    told = [(result.frame_time, result.answer)]
    if result.over_time:
        told = [((one.start + one.end) / 2, one.answer) for one in result.windows if one.answer]
    rows = [
        {"label": box.label, "time": _tidy(time)}
        | {side: _tidy(getattr(box, side)) for side in ("x1", "y1", "x2", "y2")}
        | {"width": result.size[0], "height": result.size[1]}
        for time, answer in told
        for box in answer.boxes
    ]
    return _table(result, rows)


def masks_csv(result: Result) -> str:
    """A row a mask: label, its second of the clip, score where the segmenter gave one, how many pixels, their extent
    (x2 and y2 are the first column and row past it), and the frame's size."""
    rows = []
    for mask in result.masks:
        x, y, width, height = _extent(mask.mask)
        rows.append(
            {"label": mask.label, "time": _tidy(mask.time), "score": "" if mask.score is None else _tidy(mask.score)}
            | {"pixels": int(mask.mask.sum()), "x1": x, "y1": y, "x2": x + width, "y2": y + height}
            | {"width": mask.size[1], "height": mask.size[0]}
        )
    return _table(result, rows)


def _table(result: Result, rows: Sequence[dict[str, Any]]) -> str:
    """Rows with what holds for all of them around: of which clip they are, whose answer, and its notes.

    A comment above the header would be read as the header by most programs.
    """
    first = {"clip": _words(result.clip.name)}
    last = {"model": result.model, "notes": _words(" ".join(result.notes))}
    file = io.StringIO()
    table = csv.DictWriter(file, [*first, *(rows[0] if rows else ()), *last], lineterminator="\r\n")
    table.writeheader()
    table.writerows(first | row | last for row in rows)
    return file.getvalue()


# --- subtitles and labels ---


def vtt(result: Result) -> str:
    """WebVTT: a cue an event, of the classes `heard` and `seen`; what the answer is about, and its notes, as a NOTE."""
    about = "\n".join(" ".join(line.split()).replace("-->", "->") for line in told(result))
    blocks = ["WEBVTT", f"NOTE\n{about}"]
    for number, event in enumerate(_in_order(result), 1):
        start, end = (_clock(time) for time in _milliseconds(event))
        words = _named(event).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{number}\n{start} --> {end}\n<c.{'.'.join(senses(event))}>{words}</c>")
    return "\n\n".join(blocks) + "\n"


def srt(result: Result) -> str:
    """SubRip: a cue an event. The format has no comments, so a caveat is a cue of its own over the whole clip."""
    cues = [(_milliseconds(event), _named(event)) for event in _in_order(result)]
    if result.caveat:
        cues.insert(0, ((0, round(1000 * result.clip.duration)), _words(result.caveat)))
    return "\n".join(
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{words.replace('-->', '->')}\n"
        for number, ((start, end), words) in enumerate(cues, 1)
    )


def audacity(result: Result) -> str:
    """An Audacity label track: a label an event; over the whole clip one with the notes, where there are any."""
    labels = [(event.start, event.end, _named(event)) for event in _in_order(result)]
    if result.notes:
        labels.insert(0, (0.0, result.clip.duration, _words(" ".join(result.notes))))
    return "".join(f"{start:.6f}\t{end:.6f}\t{words}\n" for start, end, words in labels)


# --- ELAN ---


def eaf(result: Result) -> str:
    """An ELAN document: a tier a label and sense, what the answer is about in the property `about`, notes in `notes`.

    The clip is named without a folder: ELAN looks for it beside the document. A tier cannot hold two annotations at a
    time, so events of one label that overlap go to a second one.
    """
    name = _words(result.clip.name)
    document = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
            "AUTHOR": _xml(f"{result.model}, by Crab+ {__version__}"),
            "DATE": NEVER,
            "FORMAT": "3.0",
            "VERSION": "3.0",
        },
    )
    header = ElementTree.SubElement(document, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    where = {"MEDIA_URL": quote(name), "RELATIVE_MEDIA_URL": f"./{quote(name)}"}
    ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", where | {"MIME_TYPE": guess_type(name)[0] or "unknown"})
    for property, lines in (("about", told(result)[:2]), ("notes", told(result)[2:])):
        if lines:
            ElementTree.SubElement(header, "PROPERTY", {"NAME": property}).text = _xml("\n".join(lines))

    order, slots, numbers = ElementTree.SubElement(document, "TIME_ORDER"), [], count(1)
    for name, events in _tiers(result).items():
        tier = ElementTree.SubElement(document, "TIER", {"LINGUISTIC_TYPE_REF": "event", "TIER_ID": _xml(name)})
        for event, number in zip(events, numbers):
            # A slot is of one annotation alone, or moving that in ELAN would move others.
            ends = {f"TIME_SLOT_REF{end}": f"ts{2 * number + end - 2}" for end in (1, 2)}
            slots += zip(_milliseconds(event), ends.values())
            annotation = ElementTree.SubElement(
                ElementTree.SubElement(tier, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                {"ANNOTATION_ID": f"a{number}"} | ends,
            )
            ElementTree.SubElement(annotation, "ANNOTATION_VALUE").text = _xml(event.label)
    for moment, slot in sorted(slots):
        ElementTree.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(moment)})
    kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": "event", "TIME_ALIGNABLE": "true"}
    ElementTree.SubElement(document, "LINGUISTIC_TYPE", kind)
    ElementTree.indent(document)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(document, encoding="unicode") + "\n"


def _tiers(result: Result) -> dict[str, list[Event]]:
    """Events by the name of their tier, "dog barking (heard)"; none overlaps another in its tier."""
    tiers: dict[str, list[Event]] = {}
    names: dict[tuple[str, str], str] = {}  # the label as it is written first, whatever its case later on
    for event in _in_order(result):
        for sense in senses(event):
            first = names.setdefault((theme.key(event.label), sense), f"{_words(event.label)} ({sense})")
            number, name = 1, first
            while name in tiers and _milliseconds(tiers[name][-1])[1] > _milliseconds(event)[0]:
                number += 1
                name = f"{first} {number}"
            tiers.setdefault(name, []).append(event)
    return tiers


# --- masks ---


def coco(result: Result) -> str:
    """Masks as a COCO data set of an image a second that has any (https://cocodataset.org/#format-data), uncompressed run
    lengths.

    `COCO(file).annToMask` gives their pixels. `second` of an image is when the clip shows it.
    """
    times = list(dict.fromkeys(mask.time for mask in result.masks))
    labels = list(dict.fromkeys(mask.label or "object" for mask in result.masks))
    annotations = [
        {
            "id": number,
            "image_id": 1 + times.index(mask.time),
            "category_id": 1 + labels.index(mask.label or "object"),
            "segmentation": {"size": list(mask.size), "counts": mask.runs.tolist()},
            "area": int(mask.mask.sum()),
            "bbox": _extent(mask.mask),
            "iscrowd": 0,
            "score": None if mask.score is None else float(mask.score),
        }
        for number, mask in enumerate(result.masks, 1)
    ]
    width, height = result.size
    image = {"file_name": _words(result.clip.name), "width": width, "height": height}
    data = {
        "info": {"description": "\n".join(told(result)), "contributor": f"{result.model}, by Crab+ {__version__}"},
        "images": [{"id": number} | image | {"second": time} for number, time in enumerate(times, 1)],
        "categories": [{"id": number, "name": label} for number, label in enumerate(labels, 1)],
        "annotations": annotations,
    }
    return json.dumps(data, indent=1)


def _extent(mask: np.ndarray) -> list[int]:
    """[x, y, width, height] of what is set in (height, width) bool; zeros for nothing."""
    down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not down.size:
        return [0, 0, 0, 0]
    x, y = int(across[0]), int(down[0])
    return [x, y, int(across[-1]) + 1 - x, int(down[-1]) + 1 - y]


# --- words ---


def senses(event: Event) -> list[str]:
    """By which an event is known: "heard", "seen", or both."""
    return [word for sense, word in SENSES.items() if event.modality in (sense, "both")]


def _named(event: Event) -> str:
    """A line for people: "♪ dog barking (heard)"."""
    signs = "".join(sign for sense, sign in GLYPHS.items() if event.modality in (sense, "both"))
    return f"{signs} {_words(event.label)} ({' and '.join(senses(event))})"


def _in_order(result: Result) -> list[Event]:
    return sorted(result.answer.events, key=lambda event: (event.start, event.end))


def _milliseconds(event: Event) -> tuple[int, int]:
    """When an event starts and ends; what is over at once lasts one, or players would leave it out."""
    start = round(1000 * event.start)
    return start, max(round(1000 * event.end), start + 1)


def _clock(milliseconds: int, point: str = ".") -> str:
    """hh:mm:ss.mmm"""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"


def _tidy(number: float) -> float:
    return round(float(number), 3)


def _words(written: str) -> str:
    """On one line, and with a question mark for half a character, which a file's name may hold."""
    return " ".join(written.encode(errors="replace").decode().split())


def _xml(words: str) -> str:
    """With a sign of its own for each character that XML has no way to write."""
    return _NO_XML.sub("\ufffd", words)
