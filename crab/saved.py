"""A run as one file, and back: an ordinary zip of what every answer is taken along as, and the clip itself.

    answer.json     as `crab.ask.to_json` gives it
    routing.npz     as `crab.trace.save` writes it, where the run was traced
    run.json        what these two leave out: which file is which, windows, how sure, what was changed
    source.npz      the run whose average stood in the routers' place, where one did
    clip/…, other/… the files that were asked about

What the model saw and heard is decoded from the clip again, and the answer is read from its text again: so a file can
hold nothing that an answer could not. It comes from anywhere, and is held to sizes and shapes before it is used.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np

from crab import CrabError, __version__, answer, finite_json, trace
from crab.answer import Answer, Box, Event
from crab.ask import TRACED, seen_of, to_json, to_look_at
from crab.disk import not_taken, whole
from crab.intervention import Intervention
from crab.media import Clip, Limits, open_clip
from crab.prompt import gather
from crab.result import Candidate, Candidates, PackedMask, Result, Seconds, Window
from crab.seen import Media, borne_out
from crab.tasks import LONGEST_QUESTION, SLACK, TASKS
from crab.trace import MODALITIES, RoutingTrace, is_of
from crab.windows import join, view

VERSION = 1  # of run.json
MOST = Limits.bytes  # bytes of all that is in a file: the page takes no larger one
WORDS = 8_000_000  # bytes of the two JSON members each
ENTRIES = 12
SLOTS = (
    "media",
    "image",
    "audio",
)  # what `crab.media.open_clip` takes; a sound that is the video's own is no second file
TOWERS = ("language", "audio", "vision")

_NAME = {"type": ["string", "null"], "pattern": r"^[^/\\:\x00]{1,200}$", "not": {"enum": [".", ".."]}}
_NUMBER, _WHOLE = {"type": "number", "minimum": 0}, {"type": "integer", "minimum": 0}
_NUMBERS = {"type": ["array", "null"], "items": _WHOLE, "maxItems": 1000}
_STRINGS = {"type": ["array", "null"], "items": {"type": "string", "maxLength": 100}, "maxItems": 100}
_CLIP = {
    "type": "object",
    "required": [*SLOTS, "frame"],
    "properties": dict.fromkeys(SLOTS, _NAME) | {"frame": {"type": ["number", "null"], "minimum": 0}},
}
_CHANGE = {
    "type": "object",
    "required": ["what", "heads", "towers", "layers", "modules", "kinds", "whose"],
    "properties": {
        "what": {"enum": ["mute", "force", "uniform", "average"]},
        "heads": {"type": "array", "items": _WHOLE, "maxItems": 1000},
        "layers": _NUMBERS,
        **dict.fromkeys(("towers", "modules", "kinds"), _STRINGS),
        "whose": {"type": "string"},
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["version", "knows", "caveat", "done", "clip", "other", "windows", "ends", "sure", "scores", "change"],
    "properties": {
        "version": {"const": VERSION},
        "knows": {"type": "string"},
        "caveat": {"type": "string"},
        "done": {"type": "boolean"},
        "clip": _CLIP,
        "other": {"anyOf": [_CLIP, {"type": "null"}]},
        "windows": {
            "type": "array",
            "minItems": 1,
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["start", "end", "text", "took", "traced"],
                "properties": {
                    "start": _NUMBER,
                    "end": _NUMBER,
                    "text": {"type": ["string", "null"]},
                    "took": _NUMBER,
                    "traced": {"type": "object", "additionalProperties": _WHOLE},
                },
            },
        },
        "ends": {"type": "array", "items": _WHOLE},
        "sure": {"description": "(where a result's span starts, the share of such results that are right)",
                 "type": "array", "items": {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}},
        "scores": {"description": "of the masks", "type": "array", "items": {"type": ["number", "null"]}},
        "change": {"anyOf": [_CHANGE, {"type": "null"}]},
    },
}  # fmt: skip
"""Of run.json."""


# ---- writing ----


def write(run: Result, path: Path) -> None:
    """Write a run as one file. Raises CrabError where its clip is gone or too large to be opened again."""
    files = _files(run)
    try:
        large = sum(file.stat().st_size for file in files.values())
    except OSError as error:
        raise CrabError("The clip of this run is no longer kept here: ask about it again, then save.") from error
    if large > MOST * 0.9:  # the rest is for the weights
        raise CrabError(
            f"This run's clip has {large / 1e6:.0f} MB, too many for one file: cut it shorter and ask again."
        )
    with whole(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as box:
        box.writestr("answer.json", json.dumps(to_json(run), indent=1))
        box.writestr("run.json", json.dumps(_rest(run), indent=1))
        source = run.intervention.source if run.intervention else None
        for name, routing in (("routing.npz", run.routing), ("source.npz", source)):
            if routing:
                weights = part.with_suffix(".npz")
                trace.save(routing, weights)
                box.write(weights, name, zipfile.ZIP_STORED)
                weights.unlink()
        for name, file in files.items():
            box.write(file, name, zipfile.ZIP_STORED)


def _rest(run: Result) -> dict[str, Any]:
    """What is in run.json."""
    return {
        "version": VERSION,
        "crab": __version__,
        "knows": run.knows,
        "caveat": run.caveat,
        "done": run.done,
        "clip": _described(run.clip),
        "other": _described(run.other) if run.other else None,
        "windows": [
            {"start": one.start, "end": one.end, "text": one.answer and one.answer.text, "took": one.took,
             "traced": dict(one.traced)}
            for one in run.windows or (Window(0.0, run.clip.duration, run.answer),)
        ],
        "ends": list(run.ends),
        "sure": [[start, share] for start, share in run.confidence.items()],
        "scores": [None if mask.score is None else float(mask.score) for mask in run.masks],
        "change": _change(run.intervention) if run.intervention else None,
    }  # fmt: skip


def _slots(clip: Clip) -> dict[str, Path | None]:
    """The files of a clip as `open_clip` takes them."""
    media = clip.video or (None if clip.image else clip.audio)
    return {"media": media, "image": clip.image, "audio": None if clip.audio == media else clip.audio}


def _described(clip: Clip) -> dict[str, Any]:
    return {slot: file and _cleaned(file.name) for slot, file in _slots(clip).items()} | {"frame": clip.frame}


def _files(run: Result) -> dict[str, Path]:
    """The clips' files by the names that they have in the zip."""
    return {
        f"{which}/{slot}/{_cleaned(file.name)}": file
        for which, clip in (("clip", run.clip), ("other", run.other)) if clip
        for slot, file in _slots(clip).items() if file
    }  # fmt: skip


def _cleaned(name: str) -> str:
    """A file's name in characters that every zip and file system has."""
    return re.sub(r"[/\\:\x00-\x1f]", "-", name.encode(errors="replace").decode())[-200:]


def _change(of: Intervention) -> dict[str, Any]:
    kinds = of.tokens.args[0] if isinstance(of.tokens, partial) else None
    places = {"towers": of.towers, "layers": of.layers, "modules": of.modules, "kinds": kinds}
    told = {name: None if value is None else list(value) for name, value in places.items()}
    return {"what": of.what, "heads": list(of.heads), "whose": of.whose} | told


# ---- reading ----


def read(path: Path, folder: Path) -> Result:
    """The run that `write` wrote, its clip unpacked into `folder`, which is made.

    Raises CrabError, and leaves no folder, for a file that is something else, damaged, too large or of another version.
    """
    folder.mkdir(parents=True)
    try:
        return _read(path, folder)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and (said := not_taken(error)):
            raise CrabError(said) from error
        if isinstance(error, (_Other, *_DAMAGED)):
            said = f"{path.name} is no saved run, or is damaged: “Save this run” makes one."
            raise CrabError(said) from error
        raise


class _Other(Exception):
    """What is in the file is no run."""


_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, LookupError, TypeError, ValueError, ArithmeticError, OSError,
    jsonschema.ValidationError, MemoryError,
)  # fmt: skip


def _read(path: Path, folder: Path) -> Result:
    with zipfile.ZipFile(path) as box:
        entries = box.infolist()
        if len(entries) > ENTRIES or len({entry.filename for entry in entries}) < len(entries):
            raise _Other
        if sum(entry.file_size for entry in entries) > MOST:
            raise CrabError(f"{path.name} holds more than the {MOST / 1e6:.0f} MB that a saved run may have.")
        rest, told = _json(box, "run.json"), _json(box, "answer.json")
        if isinstance(rest, dict) and isinstance(rest.get("version"), int) and rest["version"] != VERSION:
            raise CrabError(f"{path.name} is a saved run of version {rest['version']}, and this Crab+ reads version "
                            f"{VERSION}: open it with the one that wrote it.")  # fmt: skip
        jsonschema.validate(rest, SCHEMA, jsonschema.Draft202012Validator)
        jsonschema.validate(told, _published(), jsonschema.Draft202012Validator)
        routing, source = _routing(box, "routing.npz", folder), _routing(box, "source.npz", folder)
        clip, other = (rest[name] and _clip(box, name, rest[name], folder) for name in ("clip", "other"))
    return _run(told, rest, routing, source, clip, other)


def _published() -> Any:
    """The JSON Schema of answer.json."""
    return json.loads(Path(__file__).with_name("result.schema.json").read_text(encoding="utf-8"))


def _json(box: zipfile.ZipFile, name: str) -> Any:
    if box.getinfo(name).file_size > WORDS:
        raise _Other
    return finite_json(box.read(name))


def _unpacked(box: zipfile.ZipFile, name: str, place: Path) -> Path:
    """No more of a member is ever read than the directory says it has."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.Path(box, name).open("rb") as inside, place.open("xb") as out:
        shutil.copyfileobj(inside, out)
    return place


def _clip(box: zipfile.ZipFile, which: str, told: Mapping[str, Any], folder: Path) -> Clip:
    """Raises MediaError where a file is no clip that can be opened."""
    files = {
        slot: _unpacked(box, f"{which}/{slot}/{told[slot]}", folder / which / slot / told[slot])
        for slot in SLOTS if told[slot]
    }  # fmt: skip
    clip = open_clip(files.get("media"), image=files.get("image"), audio=files.get("audio"))
    return replace(clip, frame=told["frame"])


def _routing(box: zipfile.ZipFile, name: str, folder: Path) -> dict[str, RoutingTrace] | None:
    if name not in box.namelist():
        return None
    file = _unpacked(box, name, folder / name)
    try:
        found = trace.load(file)
    except CrabError as error:
        raise _Other from error
    file.unlink()
    heads = {one.weights.shape[2] for one in found.values()}
    if "language" not in found or len(heads) > 1 or not all(_sound(tower, one) for tower, one in found.items()):
        raise _Other
    return found


def _sound(tower: str, one: RoutingTrace) -> bool:
    """Whether weights are weights, and their names such as a model and a clip have."""
    weights = one.weights
    return (
        tower in TOWERS
        and weights.dtype.kind == "f"
        and 0 < weights.shape[2] <= 64
        and weights.size > 0
        and bool(np.isfinite(weights).all())
        and all(
            site.tower == tower and type(site.layer) is int and isinstance(site.module, str)
            and re.fullmatch(r"[\w.]{1,60}", site.module) is not None
            for site in one.sites
        )
        and all(
            token.modality in MODALITIES and isinstance(token.text, str) and token.source in (0, 1)
            and all(value is None or type(value) in (int, float) for value in (token.start, token.end))
            and all(value is None or type(value) is int for value in (token.row, token.col))
            for token in one.tokens
        )
    )  # fmt: skip


def _run(
    told: dict[str, Any],
    rest: dict[str, Any],
    routing: dict[str, RoutingTrace] | None,
    source: dict[str, RoutingTrace] | None,
    clip: Clip,
    other: Clip | None,
) -> Result:
    if told["task"] not in TASKS or len(told["question"]) > LONGEST_QUESTION:
        raise _Other
    task = TASKS[told["task"]]
    spans = [(one["start"], one["end"]) for one in rest["windows"]]
    if not all(0 <= start <= end <= clip.duration for start, end in spans):
        raise _Other
    over_time, stretch = bool(told.get("pictures")), told.get("stretch")
    if over_time and "image" not in task.media or stretch and not 0 <= stretch[0] < stretch[1] <= clip.duration + SLACK:
        raise _Other
    seen, windows, said, shown = seen_of(clip, other, spans), [], [], None
    pointed: tuple[Media, Answer] | None = None
    for number, ((start, end), one) in enumerate(zip(spans, rest["windows"])):
        if one["text"] is None:
            windows.append(Window(start, end))
            continue
        of, window = view(clip, task, (start, end), over_time=over_time)
        shown = gather(of, task, other=other, window=window)
        seen = seen.with_more(shown) if over_time or number < TRACED else seen
        size = shown.picture.shape[1::-1] if shown.picture is not None else (clip.width, clip.height)
        parsed = answer.parse(one["text"], task, start=start, duration=end - start, size=size)
        said.append(borne_out(parsed, shown, task, audible=clip.audible))
        windows.append(Window(start, end, said[-1], one["took"], one["traced"]))
        if over_time and (said[-1].boxes or said[-1].points) and pointed is None:
            pointed = shown, said[-1]
    if shown is None or len(told["masks"]) != len(rest["scores"]):
        raise _Other
    merged = join(said)
    if over_time:
        shown, one = pointed or (shown, said[-1])
        merged = replace(merged, boxes=one.boxes, points=one.points, exists=one.exists)
    if merged.text != told["text"]:
        raise _Other
    return Result(
        clip,
        task,
        told["question"],
        told["model"],
        rest["knows"],
        told["text"],
        merged,
        tuple(told["token_ids"]),
        tuple(told["logprobs"]),
        tuple(rest["ends"]),
        {int(start): share for start, share in rest["sure"]},
        prompt_tokens=told["tokens"]["prompt"],
        routing=routing,
        frame=to_look_at(shown.picture) if shown.picture is not None and shown.visible else None,
        frame_time=shown.picture_time,
        seen=seen,
        size=size,
        masks=tuple(map(_mask, told["masks"], rest["scores"])),
        notes=tuple(told["notes"]),
        seconds=Seconds(**told["seconds"]),
        done=rest["done"],
        other=other,
        intervention=_intervention(rest["change"], source) if rest["change"] else None,
        caveat=rest["caveat"],
        windows=tuple(windows),
        stretch=stretch and (stretch[0], stretch[1]),
        candidates=_candidates(told["candidates"]) if told.get("candidates") else None,
        over_time=over_time,
    )


def _candidates(told: dict[str, Any]) -> Candidates:
    found = tuple(
        Candidate(
            one["kind"], one["label"], one["votes"], one["said"], tuple(Event(**event) for event in one["events"]),
            Box(one["box"]["label"], *one["box"]["box"]) if one["box"] else None,
        )
        for one in told["results"]
    )  # fmt: skip
    if any(one.votes > told["asked"] or (one.kind == "event") != bool(one.events) or (one.kind == "box") != bool(one.box)
           for one in found):  # fmt: skip
        raise _Other
    return Candidates(told["asked"], found)


def _mask(told: dict[str, Any], score: float | None) -> PackedMask:
    size, runs = tuple(told["rle"]["size"]), told["rle"]["counts"]
    if sum(runs) != size[0] * size[1] or sum(runs) > Limits.pixels:  # before they are NumPy's, which would count round
        raise _Other
    return PackedMask(told["time"], told["label"], score, size, np.array(runs, np.int32))


def _intervention(told: dict[str, Any], source: dict[str, RoutingTrace] | None) -> Intervention:
    towers, layers, modules, kinds = (
        None if told[name] is None else tuple(told[name]) for name in ("towers", "layers", "modules", "kinds")
    )
    chosen = partial(is_of, kinds) if kinds else None
    return Intervention(told["what"], tuple(told["heads"]), source, towers, layers, modules, chosen, told["whose"])
