"""Take all of it along: a result as a folder of files, each in a format that its own programs open.

`write` is the one door. What a result has nothing of leaves no file.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, PngImagePlugin

import crab
from crab import __version__, shortened, trace
from visualize import compare, masks, theme, tracks
from visualize.text import told

if TYPE_CHECKING:
    from crab.answer import Answer
    from crab.result import Result

SCHEMA = Path(crab.__file__).with_name("result.schema.json")  # what `crab.ask.to_json` gives
TRACKS = {"csv": tracks.events_csv, "vtt": tracks.vtt, "srt": tracks.srt, "txt": tracks.audacity, "eaf": tracks.eaf}


def write(result: Result, folder: Path, *, say: Callable[[float], object] = lambda share: None) -> None:
    """Write into `folder`, which is made if need be: the answer as JSON beside its schema and in words, its events as
    tracks, boxes and masks as tables, masks as a COCO data set and as pictures, the picture with all of it drawn on,
    router weights with their explorer, the clip as a film with all of it, and each event cut out of the clip.

    `say` is told what share of the work is done, 0 to 1. Raises OSError where a file cannot be written, and leaves none;
    CrabError where the clip is gone or no film can be made of it; all else is written by then.
    """
    there = set(folder.iterdir()) if folder.exists() else set()
    try:
        _write(result, folder, say)
    except OSError:
        for file in set(folder.iterdir()) - there if folder.exists() else ():
            file.unlink(missing_ok=True)
        raise


def _write(result: Result, folder: Path, say: Callable[[float], object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, words in _texts(result):
        (folder / name).write_text(words, encoding="utf-8", newline="")
    shutil.copyfile(SCHEMA, folder / SCHEMA.name)
    for number, mask in enumerate(result.masks, 1):
        when = f" at {mask.time:.1f} s" if result.over_time else ""
        what = f"mask {number} {shortened(mask.label)}".strip() + when
        about = described("Mask", (f"Mask of: {mask.label}", *told(result)))
        Image.fromarray(mask.mask).save(folder / file_name(result, what, "png"), pnginfo=about)
    if result.frame is not None:
        save_picture(result, folder / file_name(result, "picture", "png"))
    if result.routing:
        from visualize import export  # with Matplotlib, which the page does not wait for when it starts

        trace.save(result.routing, folder / file_name(result, "router weights", "npz"))
        explorer = folder / file_name(result, "router weights", "html")
        title = f"Router weights · {result.task.title}"
        export.write(result.routing, explorer, title=title, facts=told(result), seen=result.seen)
    if result.clip.video or result.clip.audio:
        _films(result, folder, say)
    say(1.0)


def _films(result: Result, folder: Path, say: Callable[[float], object]) -> None:
    """The film of the answer, and a cut an event; `say` is told the share by the seconds that are written."""
    from visualize import film

    clip, done = film.original(result.clip), 0.0
    made = [(film.annotated(result, clip), file_name(result, "film", "mp4"), told(result))]
    for number, event in enumerate(sorted(result.answer.events, key=lambda event: event.start), 1):
        senses = " and ".join(tracks.senses(event))
        what = f"event {number} {shortened(event.label)} ({senses}) {event.start:.1f}-{event.end:.1f} s"
        ending = "mp4" if result.clip.visible else "m4a"
        facts = (f"{event.label}, {senses} from {event.start:.1f} to {event.end:.1f} s", *told(result))
        made.append((film.cut(clip, event), file_name(result, what, ending), facts))
    whole = sum(one.duration for one, *_ in made)
    for one, name, facts in made:
        film.save(one, folder / name, facts, say=_part(say, done / whole, one.duration / whole))
        done += one.duration


def _part(say: Callable[[float], object], start: float, length: float) -> Callable[[float], object]:
    """Tells `say` of the shares of a part of the whole."""
    return lambda share: say(start + share * length)


def _texts(result: Result) -> Iterator[tuple[str, str]]:
    """Names and contents of the files that are text."""
    from crab.ask import to_json  # with torch, which has been here since there is a result
    from crab.candidates import lines

    answer = {"$schema": SCHEMA.name} | to_json(result)
    yield file_name(result, "answer", "json"), json.dumps(answer, indent=2)
    yield file_name(result, "answer", "txt"), "\n".join((*told(result), *lines(result), result.knows)).strip() + "\n"
    if result.answer.events:
        for ending, track in TRACKS.items():
            yield file_name(result, "events", ending), track(result)
    if result.answer.boxes:  # over time too, where it is those of the first picture that has any
        yield file_name(result, "boxes", "csv"), tracks.boxes_csv(result)
    if result.masks:
        yield file_name(result, "masks", "csv"), tracks.masks_csv(result)
        yield file_name(result, "masks", "coco.json"), tracks.coco(result)


def zipped(folder: Path) -> Path:
    """The folder as one file beside it, which takes its place."""
    file = shutil.make_archive(str(folder), "zip", folder)
    shutil.rmtree(folder)
    return Path(file)


def picture(result: Result, truth: Answer | None = None) -> Image.Image:
    """The picture asked about with masks, boxes and points on it, in the colours of the answer's words; over them the
    true boxes, white, where they are known; below, what keeps the answer from meaning anything."""
    assert result.frame is not None
    said, colours = result.answer, theme.answer_colours(result.answer)
    true = [replace(box, label=f"truth: {box.label}") for box in truth.boxes] if truth else []
    colours |= {box.label: compare.TRUTH for box in true}
    boxes = [*said.boxes, *true]
    drawn = masks.overlay(result.frame, result.masks_here, boxes, said.points, of=result.size, colours=colours)
    return masks.captioned(drawn, result.caveat) if result.caveat else drawn


def save_picture(result: Result, path: Path, truth: Answer | None = None) -> None:
    """What `picture` draws, as PNG that says of itself what it is."""
    picture(result, truth).save(path, pnginfo=described("Where", told(result)))


def described(title: str, facts: tuple[str, ...]) -> PngImagePlugin.PngInfo:
    """What a PNG says of itself."""
    about = PngImagePlugin.PngInfo()
    for name, words in (("Title", title), ("Description", "\n".join(facts)), ("Software", f"Crab+ {__version__}")):
        about.add_itxt(name, words)
    return about


def file_name(run: Result, what: str, ending: str) -> str:
    """A name for a file that is taken along, in characters that every file system has: clip, dataset, change, `what`."""
    change = f"{run.intervention} · " if run.intervention else ""
    whose, what = (
        re.sub(r"[^\w .,()+·-]", "-", words) for words in (f"{clip_names(run)} · {run.task.name} · {change}", what)
    )
    return (
        f"{whose[: 150 - len(what)]}{what}.{ending}"  # never without what it is: files of one run have that to differ
    )


def clip_names(run: Result) -> str:
    """The clips of a run as people call them, without what their names end in."""
    return " and ".join(shortened(Path(one.name).stem) for one in (run.clip, run.other) if one)
