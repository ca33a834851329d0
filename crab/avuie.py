"""The AV-UIE v2 folder layout, `AVUIE_2/<dataset>/{train,test}.json` and the media beside it: read, checked, written.

Field names differ between datasets, and between training and test of one dataset; all of that is the tables below.
Records are counted from 0. Media are opened by `Record.open` only, so that reading and checking need no decoder.
"""

from __future__ import annotations

import json
import os
import re
import reprlib
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from crab import CrabError, answer
from crab.answer import Answer
from crab.disk import whole
from crab.tasks import TASKS, Task

if TYPE_CHECKING:
    from crab.media import Clip

_Folder = TypeVar("_Folder", Path, zipfile.Path)  # on the disk, or in an archive

# ---- what a field may hold ----


@dataclass(frozen=True)
class Kind:
    """`name` completes "this is not ..."."""

    name: str
    holds: Callable[[object], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _is_number(value: object) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", str(value)) is not None


def _is_whole(value: object) -> bool:
    return re.fullmatch(r"[0-9]{1,9}", str(value)) is not None


def _is_word(value: object) -> bool:
    return _is_text(value) or _is_number(value)


def _is_list(value: object, holds: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and value != [] and all(map(holds, value))


_ANYTHING = Kind("anything", lambda value: True)
_STRING = Kind("text", lambda value: isinstance(value, str))
_TEXT = Kind("text with something in it", _is_text)
_WORD = Kind("text or a number", _is_word)
_WORDS = Kind("text, a number or a list of them", lambda value: _is_word(value) or _is_list(value, _is_word))
_NUMBER = Kind("a number", _is_number)
_WHOLE = Kind("a whole number from 0 on", _is_whole)
_PLACE = Kind(
    "a list of two numbers", lambda value: isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))
)
_NUMBERED = Kind("the path of a file named by a number", lambda value: _is_text(value) and _is_whole(_stem(value)))

KINDS: dict[str, Kind] = {
    **dict.fromkeys(("video_path", "video1_path", "video2_path", "audio_path", "audio1_path", "audio2_path"), _TEXT),
    **dict.fromkeys(("image_path", "visual_path", "question", "question_text", "description", "object"), _TEXT),
    **dict.fromkeys(("action", "label", "Emotion", "emotion", "discrete", "answer"), _WORD),
    **dict.fromkeys(("correct_video", "correct_audio"), _WORD),
    **dict.fromkeys(("event", "a_obj", "multi_choice"), _WORDS),
    **dict.fromkeys(("start_time", "end_time"), _NUMBER),
    **dict.fromkeys(("frame_idx", "idx"), _WHOLE),
    **dict.fromkeys(("top_left", "bottom_right"), _PLACE),
}
"""By field, in whichever dataset. Names and numbers that only identify a record may be anything."""


# ---- what every file holds ----


@dataclass(frozen=True)
class Fields:
    """How the records of one file are read; `{...}` templates are filled from the record.

    media      "video" | "video2" | "audio" | "audio2" | "image" -> the field with its path; "2" is the second to match
    target     the field with the text to train on
    frame      the picture's number in its sound: itself, or the field that holds it (of a path, the stem is meant)
    lower      whether the reference is put in lower case
    demand     the grammar that a target has to follow, where it is not known to be the task's own
    also       what the released loaders read besides: `read` can do without it, `check` misses it
    """

    media: dict[str, str]
    question: str = ""
    reference: str = ""
    target: str = ""
    frame: str | int = ""
    lower: bool = False
    demand: str = ""
    also: tuple[str, ...] = ()

    @cached_property
    def needed(self) -> dict[str, Kind]:
        """The fields without which a record cannot be read."""
        frame = (self.frame,) if isinstance(self.frame, str) else ()
        named = (*self.media.values(), *re.findall(r"\{(\w+)", self.question + self.reference), self.target, *frame)
        return {name: self._kind(name) for name in named if name}

    @cached_property
    def published(self) -> dict[str, Kind]:
        """The fields that the published records have and the released loaders ask for."""
        return self.needed | {name: self._kind(name) for name in self.also}

    def _kind(self, name: str) -> Kind:
        if name == self.target:
            return _STRING  # what has to be in it is the grammar's matter
        if name == self.frame and name in self.media.values():
            return _NUMBERED
        return KINDS.get(name, _ANYTHING)


_CLIP = {"video": "video_path", "audio": "audio_path"}
_STILL = {"image": "image_path", "audio": "audio_path"}
_TEST_STILL = {"image": "visual_path", "audio": "audio_path"}
_TWO_VIDEOS = {"video": "video1_path", "video2": "video2_path", "audio": "audio_path"}
_TWO_SOUNDS = {"video": "video_path", "audio": "audio1_path", "audio2": "audio2_path"}

_THU_QUESTION = "{question_text}, options:{multi_choice}"
_THU_ALSO = ("id", "video_name", "video_id", "question_relation", "question_type")
_SOUNDING = "The object making the sound in the video is {a_obj}."

TRAIN_FIELDS: dict[str, Fields] = {
    "a2v": Fields(_TWO_VIDEOS, target="label", also=("correct_video", "audio_event", "video1_event", "video2_event")),
    "v2a": Fields(_TWO_SOUNDS, target="label", also=("correct_audio", "audio1_event", "audio2_event", "video_event")),
    "ks": Fields(_CLIP, target="label", also=("action",)),
    "ucf": Fields(_CLIP, target="new_label", also=("label",)),
    "meld": Fields(_CLIP, target="label", also=("Emotion",)),
    "mer24": Fields(_CLIP, target="label", also=("discrete",)),
    "cremad": Fields(_CLIP, target="label", also=("emotion",)),
    "mafw": Fields(_CLIP, target="label", also=("emotion",)),
    "dfew": Fields(_CLIP, target="label", also=("emotion",)),
    # Whether the targets of these two carry <answer> tags has never been seen.
    "avqa": Fields(
        _CLIP, question="{question}", target="label", demand="text", also=("video_id", "question_id", "type", "answer")
    ),
    "avqa_thu": Fields(_CLIP, question=_THU_QUESTION, target="label", demand="text", also=(*_THU_ALSO, "answer")),
    "ave": Fields(_CLIP, target="label_content", also=("event", "vid", "start_time", "end_time")),
    "unav": Fields(_CLIP, target="label_content", also=("vid",)),
    "avvp": Fields(_CLIP, target="label_content", also=("filename", "vid", "event")),
    "avcap": Fields(_CLIP, target="label_content", also=("video_id",)),
    "ms3": Fields(_STILL, target="label_content", frame="frame_idx", also=("vid", "uid", "a_obj")),
    "s4": Fields(_STILL, target="label_content", frame=0, also=("vid", "uid", "a_obj")),
    "arig": Fields(_STILL, target="label_content", frame="image_path", also=("a_obj",)),
    "ref_avs": Fields(_STILL, question="{description}", target="output", frame="idx", also=("vid", "fid", "uid")),
}

TEST_FIELDS: dict[str, Fields] = {
    "a2v": Fields(_TWO_VIDEOS, reference="<answer>{correct_video}</answer>."),
    "v2a": Fields(_TWO_SOUNDS, reference="<answer>{correct_audio}</answer>."),
    "ks": Fields(_CLIP, reference="<answer>{action}</answer>"),
    "ucf": Fields(_CLIP, reference="<answer>{label}</answer>", lower=True),
    "meld": Fields(_CLIP, reference="<answer>{Emotion}</answer>."),
    "cremad": Fields(_CLIP, reference="<answer>{emotion}</answer>."),
    "mafw": Fields(_CLIP, reference="<answer>{emotion}</answer>."),
    "dfew": Fields(_CLIP, reference="<answer>{emotion}</answer>."),
    "avqa": Fields(_CLIP, question="{question}", reference="{answer}", also=("video_id", "question_id", "type")),
    "avqa_thu": Fields(_CLIP, question=_THU_QUESTION, reference="{answer}", also=_THU_ALSO),
    "ave": Fields(_CLIP, reference="event:{event} start_time:{start_time} end_time:{end_time}", also=("vid",)),
    "avvp": Fields(_CLIP, reference="{event}", also=("filename", "vid")),
    "ms3": Fields(_TEST_STILL, reference=_SOUNDING, frame="frame_idx", also=("vid", "uid")),
    "s4": Fields(_TEST_STILL, reference=_SOUNDING, frame="frame_idx", also=("vid", "uid")),
    "arig": Fields(
        _TEST_STILL,
        reference="The sounding object is {a_obj}. Its coordinates are "
        "<obj>({top_left[0]},{top_left[1]})({bottom_right[0]},{bottom_right[1]})</obj>.",
        frame="frame_idx",
    ),
    "ref_avs": Fields(
        _TEST_STILL, question="{object}", reference="{object}", frame="frame_idx", also=("split", "vid", "uid", "fid")
    ),
}
"""Datasets with a test split (unav, avcap and mer24 have none)."""

FIELDS = {"train": TRAIN_FIELDS, "test": TEST_FIELDS}


# ---- reading ----


@dataclass(frozen=True)
class Record:
    """One row, ready to be asked or trained on. `row` is the record as it stands in the file.

    `reference` is what the released code compares an answer with ("" in training), `target` the text to train on ("" in
    test).
    """

    task: Task
    number: int
    row: dict
    question: str
    reference: str
    target: str = ""
    video: Path | None = None
    video2: Path | None = None
    audio: Path | None = None
    audio2: Path | None = None
    image: Path | None = None
    frame: int | None = None

    def open(self) -> tuple[Clip, Clip | None]:
        """The clip, and the second one of a matching task. Raises MediaError for a file that cannot be read."""
        from crab import media

        clip = media.open_clip(self.video, image=self.image, audio=self.audio, piece=self.frame)
        second = self.video2 or self.audio2
        return clip, media.open_clip(second) if second else None


def read(root: str | Path, dataset: str, *, split: str = "test") -> Iterator[Record]:
    """The records of one dataset under `root` (the folder that holds `AVUIE_2`, or that folder itself).

    `split` is "train" or "test". The file is read when the first record is asked for.
    Raises CrabError that names the file, and the row where it is one row's fault.
    """
    path = _path(root, dataset, split)
    if zipfile.is_zipfile(root):
        raise CrabError(f"{root} is an archive without media: unpack it into the folder that has them, and give that.")
    if not path.is_file():
        raise CrabError(f"There is no {dataset}/{split}.json under {root}.")
    return _records(path, TASKS[dataset], FIELDS[split][dataset])


def _records(path: Path, task: Task, fields: Fields) -> Iterator[Record]:
    rows, fault = _load(path)
    if fault:
        raise CrabError(f"{path}: {fault[1]}")
    for number, row in enumerate(rows):
        if amiss := _amiss(row, fields.needed):
            _, text = next(iter(amiss.values()))
            raise CrabError(f"{path}, record {number}: {text}")
        reference = fields.reference.format_map(row)
        yield Record(
            task=task,
            number=number,
            row=row,
            question=fields.question.format_map(row),
            reference=reference.lower() if fields.lower else reference,
            target=row[fields.target] if fields.target else "",
            frame=_frame(fields.frame, row),
            **{slot: path.parent / _place(fields, slot, row) for slot in fields.media},
        )


def _home(root: _Folder) -> _Folder:
    """The folder of the datasets: `root` itself if it looks like it, or else its `AVUIE_2`, there or not."""
    inner = root / "AVUIE_2"
    bare = root.name == "AVUIE_2" or any((root / name).is_dir() for name in TASKS)
    return root if bare and not inner.is_dir() else inner


def _path(root: str | Path, dataset: str, split: str) -> Path:
    if dataset not in FIELDS[split]:
        raise CrabError(f"{dataset} has no {split} split; those that have one are: {', '.join(FIELDS[split])}.")
    return _home(Path(root)) / dataset / f"{split}.json"


def _load(path: Path | zipfile.Path) -> tuple[list, tuple[str, str] | None]:
    """The rows of a file, or none and what is the matter with it: kind and sentence."""
    try:
        rows = json.loads(path.read_bytes())
    except FileNotFoundError:
        return [], ("missing file", "the file is missing.")
    except OSError as error:
        return [], ("unreadable file", f"the file cannot be read: {error.strerror}.")
    except (ValueError, RecursionError) as error:
        return [], ("not JSON", f"the file is not JSON: {error}.")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        return [], ("unreadable file", "the file is damaged in its archive.")
    if not isinstance(rows, list):
        return [], ("not a list", "the file is not a list of records.")
    return rows, None


def _amiss(row: object, wanted: dict[str, Kind]) -> dict[str, tuple[str, str]]:
    """Field ("" for the whole row) -> what is the matter with it: kind and sentence."""
    if not isinstance(row, dict):
        return {"": ("not an object", f"the record is {reprlib.repr(row)}, not an object with fields.")}
    found = {}
    for name, kind in wanted.items():
        if name not in row:
            found[name] = ("missing field", f"the field '{name}' is missing.")
        elif not kind.holds(row[name]):
            found[name] = ("wrong kind", f"the field '{name}' is {reprlib.repr(row[name])}, not {kind.name}.")
    return found


def _place(fields: Fields, slot: str, row: dict) -> str:
    """Where a medium lies in its dataset's folder: a picture's files by their path, a video's in video/ and audio/."""
    path = row[fields.media[slot]]
    return path if "image" in fields.media else os.path.join(slot.removesuffix("2"), path)


def _frame(frame: str | int, row: dict) -> int | None:
    if isinstance(frame, int):
        return frame
    return int(_stem(row[frame])) if frame else None


def _stem(value: object) -> str:
    return PurePath(str(value)).stem


# ---- checking ----


@dataclass(frozen=True)
class Fault:
    """One thing that somebody has to put right."""

    file: str  # "ks/train.json"
    row: int | None  # None: the file as a whole
    kind: str  # "missing file" | "unreadable file" | "not JSON" | "not a list" | "not an object" | "missing field"
    #            | "wrong kind" (of a field) | "missing medium" | "empty medium" | "bad target"
    text: str  # a sentence, to follow the file and the row


@dataclass(frozen=True)
class Split:
    dataset: str
    split: str  # "train" | "test"
    rows: int  # with and without faults; 0 where the file cannot be read
    faults: tuple[Fault, ...]  # in the file's order


@dataclass(frozen=True)
class Report:
    folder: str  # the one that holds the datasets
    media: bool  # whether media were looked for: an archive has none
    splits: tuple[Split, ...]  # of the datasets that have a folder
    absent: tuple[str, ...]  # datasets without one
    ignored: tuple[str, ...]  # folders that are no dataset

    def __str__(self) -> str:
        lines = []
        for split in self.splits:
            lines.append(f"{split.dataset}/{split.split}.json: {split.rows:,} records, {len(split.faults):,} faults")
            lines += [f"  {'' if f.row is None else f'record {f.row}: '}{f.text}" for f in split.faults]
        if not self.media:
            lines.append(
                "media are no part of an archive and were not looked for: unpack it beside them, check that folder"
            )
        if self.absent:
            lines.append(f"not there: {', '.join(self.absent)}")
        if self.ignored:
            lines.append(f"no dataset: {', '.join(self.ignored)}")
        return "\n".join(lines)


_DEMANDS: dict[str, tuple[str, Callable[[Answer], object]]] = {
    "events": ("an event with its time", lambda said: said.events),
    "choice": ("an <answer>", lambda said: said.choice),
    "text": ("any text", lambda said: said.text.strip()),
    "box": ("a box", lambda said: said.boxes),
    "box_points": ("a box or points", lambda said: said.boxes and said.points),
    "exists_box_points": ("an <answer> of true or false", lambda said: said.exists is not None),
    "match": ("an <answer> of one or two", lambda said: said.choice),
}
"""Grammar -> what a target has to have in it."""


def check(root: str | Path) -> Report:
    """Look over every record under `root`, both splits, and whether its media are there; no medium is opened.

    `root` may be the published archive as it is: then media are not looked for, since they are no part of it. A
    dataset may be absent, but one that has a folder has to be whole. What is wrong with one field is one fault, and a
    field that is at fault is not looked into further. Raises CrabError if there is no dataset at all, or for an archive
    that is damaged, or larger or other inside than annotations are.
    """
    archive = os.path.isfile(root)
    home: Path | zipfile.Path = _home(_in_archive(root)) if archive else _home(Path(root))
    folders = sorted(path.name for path in home.iterdir() if path.is_dir()) if home.is_dir() else []
    if not any(name in TASKS for name in folders):
        raise CrabError(f"There is no dataset under {root}: give the folder that holds AVUIE_2.")
    return Report(
        folder=str(home),
        media=not archive,
        splits=tuple(
            _check_split(home, name, split)
            for name in TASKS if name in folders
            for split in FIELDS if name in FIELDS[split]
        ),
        absent=tuple(name for name in TASKS if name not in folders),
        ignored=tuple(name for name in folders if name not in TASKS),
    )  # fmt: skip


def to_json(report: Report) -> dict:
    """The report as plain data, its faults as objects with `file`, `row`, `kind` and `text`."""
    return asdict(report)


def _check_split(home: Path | zipfile.Path, dataset: str, split: str) -> Split:
    file = f"{dataset}/{split}.json"
    rows, fault = _load(home / file)
    faults = [Fault(file, None, *fault)] if fault else []
    folder = home / dataset if isinstance(home, Path) else None
    for number, row in enumerate(rows):
        found = _faults(folder, TASKS[dataset], FIELDS[split][dataset], row)
        faults += [Fault(file, number, kind, text) for kind, text in found]
    return Split(dataset, split, len(rows), tuple(faults))


def _faults(folder: Path | None, task: Task, fields: Fields, row: Any) -> Iterator[tuple[str, str]]:
    """Kind and sentence of everything that is the matter with one row."""
    amiss = _amiss(row, fields.published)
    yield from amiss.values()
    if "" in amiss:
        return
    for slot, name in fields.media.items():
        if folder and name not in amiss:
            yield from _wrong_medium(folder, _place(fields, slot, row))
    if fields.target and fields.target not in amiss:
        name, is_met = _DEMANDS[fields.demand or task.grammar]
        if not is_met(answer.parse(row[fields.target], task)):
            yield "bad target", f"the target {reprlib.repr(row[fields.target])} lacks {name}."


INFLATED = 2**31  # bytes; the published archive is 22 MB and inflates to a tenth of this
_ENTRIES = 100_000


def _in_archive(path: str | Path) -> zipfile.Path:
    """The top folder of an archive of annotations. What its directory says is looked over before anything is read.

    No more of a file is ever read than the directory says it has.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise CrabError(f"{path} is no archive that can be read: give AVUIE_2.zip as published or a folder.") from error
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if len(entries) > _ENTRIES or size > INFLATED:
        raise CrabError(f"{path} would inflate to {size / 1e9:.1f} GB in {len(entries):,} files, which is more than "
                        "annotations are: unpack what you need of it and give the folder.")  # fmt: skip
    names = [entry.filename for entry in entries]
    for entry in entries:
        parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
        if ".." in parts or "/" in parts or ":" in entry.filename or stat.S_ISLNK(entry.external_attr >> 16):
            raise CrabError(f"{path} has an entry that leads out of it, {entry.filename!r}: fetch it anew.")
        if entry.flag_bits & 1:
            raise CrabError(f"{path} is locked by a password: give AVUIE_2.zip as published, or a folder.")
    if len(set(names)) < len(names):
        raise CrabError(f"{path} holds a file twice, {_twice(names)!r}: fetch it anew.")
    return zipfile.Path(archive)


def _twice(names: list[str]) -> str:
    return next(name for name, count in Counter(names).items() if count > 1)


def _wrong_medium(folder: Path, place: str) -> Iterator[tuple[str, str]]:
    path = os.path.join(folder, place)
    if not os.path.isfile(path):
        yield "missing medium", f"the file {place!r} is missing."
    elif not os.path.getsize(path):
        yield "empty medium", f"the file {place!r} is empty."


# ---- writing ----


def write(root: str | Path, dataset: str, split: str, rows: Iterable[dict]) -> Path:
    """Write the records of one split as its file, the whole of it or nothing, and return where it is.

    Raises CrabError if the dataset has no such split or the disk does not take it.
    """
    path = _path(root, dataset, split)
    text = json.dumps(list(rows))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CrabError(f"{path} cannot be written: {error.strerror}.") from error
    return path
