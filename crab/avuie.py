"""The AV-UIE v2 folder layout: `AVUIE_2/<dataset>/{train,test}.json` and the media beside it.

Field names differ between datasets, and between training and test of one dataset; all of that is the table below.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crab import CrabError, media
from crab.media import Clip
from crab.tasks import TASKS, Task


@dataclass(frozen=True)
class Fields:
    """How one dataset's records are read. Media fields name the file's field; `{...}` templates are filled from the record.

    `video2`, `audio2`: the second of a kind, for matching. `frame`: field of the picture's number in its sound.
    """

    question: str = ""
    reference: str = ""
    video: str = ""
    video2: str = ""
    audio: str = "audio_path"
    audio2: str = ""
    image: str = ""
    frame: str = ""


_VIDEO = dict(video="video_path")
_IMAGE = dict(image="visual_path", frame="frame_idx")

TEST_FIELDS: dict[str, Fields] = {
    "a2v": Fields(reference="<answer>{correct_video}</answer>.", video="video1_path", video2="video2_path"),
    "v2a": Fields(
        reference="<answer>{correct_audio}</answer>.", audio="audio1_path", audio2="audio2_path", **_VIDEO
    ),
    "ks": Fields(reference="<answer>{action}</answer>", **_VIDEO),
    "ucf": Fields(reference="<answer>{label}</answer>", **_VIDEO),
    "meld": Fields(reference="<answer>{Emotion}</answer>.", **_VIDEO),
    "cremad": Fields(reference="<answer>{emotion}</answer>.", **_VIDEO),
    "mafw": Fields(reference="<answer>{emotion}</answer>.", **_VIDEO),
    "dfew": Fields(reference="<answer>{emotion}</answer>.", **_VIDEO),
    "avqa": Fields(question="{question}", reference="{answer}", **_VIDEO),
    "avqa_thu": Fields(question="{question_text}, options:{multi_choice}", reference="{answer}", **_VIDEO),
    "ave": Fields(reference="event:{event} start_time:{start_time} end_time:{end_time}", **_VIDEO),
    "avvp": Fields(reference="{event}", **_VIDEO),
    "s4": Fields(reference="The object making the sound in the video is {a_obj}.", **_IMAGE),
    "ms3": Fields(reference="The object making the sound in the video is {a_obj}.", **_IMAGE),
    "arig": Fields(
        reference="The sounding object is {a_obj}. Its coordinates are "
        "<obj>({top_left[0]},{top_left[1]})({bottom_right[0]},{bottom_right[1]})</obj>.",
        **_IMAGE,
    ),
    "ref_avs": Fields(question="{object}", reference="{object}", **_IMAGE),
}
"""Datasets with a test split (unav, avcap and mer24 have none)."""


@dataclass(frozen=True)
class Record:
    """One row, ready to be asked. `row` is the record as it stands in the file, `reference` the published one."""

    task: Task
    number: int
    row: dict
    question: str
    reference: str
    video: Path | None = None
    video2: Path | None = None
    audio: Path | None = None
    audio2: Path | None = None
    image: Path | None = None
    frame: int | None = None

    def open(self) -> tuple[Clip, Clip | None]:
        """The clip, and the second one of a matching task. Raises MediaError for a file that cannot be read."""
        clip = media.open_clip(self.video, image=self.image, audio=self.audio, frame=self.frame)
        second = self.video2 or self.audio2
        return clip, media.open_clip(second) if second else None


def read(root: str | Path, dataset: str) -> Iterator[Record]:
    """The test records of one dataset under `root` (the folder that holds `AVUIE_2`, or that folder itself).

    Raises CrabError that names the file, and the row where it is one row's fault.
    """
    if dataset not in TEST_FIELDS:
        raise CrabError(f"{dataset} has no test split; those that have one are: {', '.join(TEST_FIELDS)}.")
    folder = Path(root)
    folder = (folder / "AVUIE_2" if (folder / "AVUIE_2").is_dir() else folder) / dataset
    path = folder / "test.json"
    try:
        rows = json.loads(path.read_text())
    except OSError as error:
        raise CrabError(f"There is no {dataset}/test.json under {root}.") from error
    except ValueError as error:
        raise CrabError(f"{path} is not JSON: {error}.") from error
    for number, row in enumerate(rows):
        try:
            yield _record(folder, dataset, number, row)
        except (KeyError, TypeError, IndexError) as error:
            raise CrabError(f"{path}, record {number}: the field {error} is missing or of another kind.") from error


def _record(folder: Path, dataset: str, number: int, row: dict) -> Record:
    fields = TEST_FIELDS[dataset]
    still = bool(fields.image)  # a picture's files stand by their path, a video's in video/ and audio/

    def file(field: str, kind: str) -> Path | None:
        return (folder / row[field] if still else folder / kind / row[field]) if field else None

    return Record(
        task=TASKS[dataset],
        number=number,
        row=row,
        question=fields.question.format(**row),
        reference=fields.reference.format(**row).lower() if dataset == "ucf" else fields.reference.format(**row),
        video=file(fields.video, "video"),
        video2=file(fields.video2, "video"),
        audio=file(fields.audio, "audio"),
        audio2=file(fields.audio2, "audio"),
        image=file(fields.image, "image"),
        frame=int(row[fields.frame]) if fields.frame else None,
    )
