"""Rows: a record of the published folder and what was answered to it, as one object a line.

`predict` writes them and so does the released inference, whose rows do not say which record they are about. Here they
are read and joined to the records again, so that what is true comes from the data and not from the file.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crab import CrabError, avuie
from crab.tasks import TASKS

NO_ANSWER = "There is no answer to this record."


@dataclass(frozen=True)
class Flaw:
    dataset: str
    record: int | None  # its number; None of an answer to no record
    reason: str  # a sentence


def written(rows: Iterable[dict], path: Path | None) -> list[dict]:
    """All `rows`, each on its way into the file, if there is one, as soon as it is there."""
    kept = []
    with open(path or os.devnull, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
            file.flush()
            kept.append(row)
    return kept


def row_of(record: avuie.Record) -> dict:
    known = {"task": record.task.name, "record": record.number, "output": record.reference or record.target}
    return {**record.row, **known}


def dataset_of(row: dict) -> str:
    return row["task"] if "task" in row else row["task_name"]


def picture_of(row: dict) -> str:
    """Where it lies in its dataset's folder, "" where a row has none; released rows have a whole path, on the machine
    they are from."""
    path = next((row[field] for field in ("visual_path", "image_path", "frame_path") if row.get(field)), "")
    return str(path).rpartition(f"AVUIE_2/{dataset_of(row)}/")[2]


# ---- from a file ----


def read_rows(path: str | Path, datasets: Sequence[str]) -> list[dict]:
    """The rows about `datasets` of a file that `predict` or the released inference wrote.

    The latter has `task_name` for `task` and no `record`. Raises CrabError that names the line where one is no answer.
    """
    rows = []
    for number, line in enumerate(Path(path).read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            is_answer = dataset_of(row) in TASKS and isinstance(row["predict"], str) and "output" in row
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            is_answer = False
        if not is_answer:
            raise CrabError(f"{path}, line {number}: not an answer; one has the fields task, output and predict.")
        if dataset_of(row) in datasets:
            rows.append(row)
    return rows


@dataclass(frozen=True)
class Matched:
    rows: list[dict]  # one a record, in the order of the records, as `predict` gives them
    strangers: tuple[Flaw, ...]  # answers to what the data do not have
    replaced: tuple[Flaw, ...]  # answers to a record that is answered again further down


def matched(rows: Sequence[dict], records: Sequence[avuie.Record]) -> Matched:
    """Every record with the last answer that `rows` have to it, or with an `error` that says that there is none.

    Of a row only what it says counts (`predict`, or the `error` for which it says nothing): what is true, and where the
    media lie, the record tells.
    """
    answers: dict[tuple[str, int | None], dict | None] = {(record.task.name, record.number): None for record in records}
    strangers, replaced = [], []
    for row, number in zip(rows, _numbers(rows, records), strict=True):
        name = dataset_of(row)
        if (name, number) not in answers:
            what = f"record {row['record']!r}" if "record" in row else f"record whose reference is {row['output']!r}"
            strangers.append(Flaw(name, number, f"The data have no {short(what)}."))
            continue
        if answers[name, number]:
            replaced.append(Flaw(name, number, "A later answer to this record counts instead."))
        answers[name, number] = row
    rows = [row_of(record) | _prediction(answers[record.task.name, record.number]) for record in records]
    return Matched(rows, tuple(strangers), tuple(replaced))


def _prediction(row: dict | None) -> dict:
    if row is None:
        return {"predict": "", "error": NO_ANSWER}
    return {"predict": row["predict"]} | ({"error": str(row["error"])} if "error" in row else {})


_RELEASED_AS = {"qid": "question_id", "uid": "uid", "fid": "fid", "split": "split"}
"""Field of a row of the released inference -> the record's field that it is copied from."""


def _numbers(rows: Sequence[dict], records: Sequence[avuie.Record]) -> list[int | None]:
    """Of the record that each row is about; None, or one that there is not, where it is about none.

    Rows of the released inference do not say it. They are about the records that have their `output` for a reference,
    and their picture and other fields where they tell. Among several such records they go in order, and start again
    after the last: of a file to which a second run was added, the second run counts.
    """
    numbers = [row["record"] if type(row.get("record")) is int else None for row in rows]
    alike: dict[tuple, list[int]] = defaultdict(list)  # what a row tells -> where such rows stand
    for position, row in enumerate(rows):
        if "record" not in row:
            copied = tuple((field, str(row[field])) for field in _RELEASED_AS if field in row)
            alike[dataset_of(row), str(row["output"]), picture_of(row), copied].append(position)
    by_reference: dict[tuple[str, str], list[avuie.Record]] = defaultdict(list)
    for record in records:
        by_reference[record.task.name, row_of(record)["output"]].append(record)
    for (name, reference, picture, copied), positions in alike.items():
        candidates = [
            record.number for record in by_reference[name, reference]
            if picture in ("", picture_of(row_of(record)))
            and all(str(record.row.get(_RELEASED_AS[field])) == value for field, value in copied)
        ]  # fmt: skip
        skipped = -len(positions) % len(candidates) if len(positions) > len(candidates) > 0 else 0
        for turn, position in enumerate(positions, skipped):
            numbers[position] = candidates[turn % len(candidates)] if candidates else None
    return numbers


def short(what: object) -> str:
    """So much of it as fits into a line."""
    text = str(what).rstrip(".")
    return text if len(text) <= 200 else f"{text[:100]} … {text[-99:]}"
