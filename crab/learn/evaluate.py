"""Ask a model the questions of the published folder and tell how near its answers are.

`predict` asks a model and gives rows, `score` compares rows with their references and needs no model, so that the
released code's own rows can be scored as well: `matched` finds the record of each. What is true is always what the data
say. How near is near is in `metrics`; here is what is compared with what.
"""

from __future__ import annotations

import re
import reprlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, islice
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from crab import CrabError, __version__, avuie, media, segment
from crab import answer as answers
from crab.answer import GRID, NOTHING, Answer, Box
from crab.candidates import ASKED
from crab.learn.processes import dealt, joined, process
from crab.learn.rows import NO_ANSWER, Flaw, dataset_of, matched, picture_of, row_of, short, written
from crab.metrics import (
    Overlap,
    accuracy,
    accuracy_by_type,
    cider,
    detection_map,
    grounding,
    jaccard,
    null_s,
    overlap,
    parsing,
    segment_accuracy,
    segmentation,
)
from crab.model import Crab
from crab.prompt import Media, Prompt, assemble, gather
from crab.reference import of_text
from crab.segment import Segmenter
from crab.step import Written
from crab.tasks import TASKS, Task

SCENE_SEEDS = 1_000_000  # scenes from here on are never trained on
BATCH = 16  # records answered at once; most of the time then goes into reading them, which larger ones do not save


# ---- asking ----


def predict(
    crab: Crab, records: Iterable[avuie.Record], *, max_new_tokens: int = 512, sampled: bool = False
) -> Iterator[dict]:
    """One row a record, in order: its own fields, `task`, `record` (its number), `output`, `predict`, `token_ids`,
    their `logprobs`, and `ends`: how many characters of `predict` are there with each. With `sampled`, `ASKED` answers
    more, drawn by the model's own probabilities, for which no description is asked.

    `output` is the reference, in training the target. A record whose media cannot be used, for whatever reason, says
    nothing (`predict` is "") and has an `error`, a sentence; the others are still asked. Records are read, answered and
    handed out `BATCH` at a time; in float32 each gets the answer that it gets alone.
    """
    asked = _asked(crab, records)
    while batch := list(islice(asked, BATCH)):
        answered = iter(_answers(crab, [made for _, made in batch if isinstance(made, Prompt)], max_new_tokens))
        for record, made in batch:
            prediction = next(answered) if isinstance(made, Prompt) else made
            if isinstance(prediction, CrabError):
                yield row_of(record) | {"predict": "", "token_ids": [], "error": str(prediction)}
            else:
                yield row_of(record) | {
                    "predict": crab.decode(prediction.token_ids),
                    "token_ids": prediction.token_ids,
                    "logprobs": [round(nats, 4) for nats in prediction.logprobs],
                    "ends": crab.ends(prediction.token_ids),
                    **(_sampled(crab, record, made, max_new_tokens) if sampled and isinstance(made, Prompt) else {}),
                }


def _sampled(crab: Crab, record: avuie.Record, prompt: Prompt, most: int) -> dict:
    if record.task.grammar == "text":
        return {}
    drawn = crab.sample(prompt, ASKED, max_new_tokens=most)
    return {"sampled": [crab.decode(one.token_ids) for one in drawn]}


def answered(
    crab: Crab, records: Sequence[avuie.Record], path: Path | None, *, max_new_tokens: int = 512, sampled: bool = False
) -> list[dict]:
    """`predict`'s rows of all records, each on its way into the file `path`, if there is one, as soon as it is there.

    Of several processes (`accelerate launch`) each answers every so manieth batch and keeps its rows beside the file
    meanwhile; in the end the file, and the list in every process, are those of one process.
    """
    here, together = process().process_index, process().num_processes > 1
    part = path.with_name(f"{path.name}.part-{here}") if path and together else path
    predicted = predict(crab, dealt(records, BATCH), max_new_tokens=max_new_tokens, sampled=sampled)
    mine = written(tqdm(predicted, unit=" answers", disable=not process().is_main_process), part)
    if not together:
        return mine
    rows = joined(mine, len(records), BATCH)
    if path and part:
        if process().is_main_process:
            written(rows, path)
        part.unlink()
    return rows


def _answers(crab: Crab, prompts: list[Prompt], most: int) -> list[Written | CrabError]:
    """What is written to each prompt, or why there is nothing: what cannot be answered costs its own answer only."""
    if not prompts:
        return []
    try:
        return crab.generate(prompts, max_new_tokens=most)
    except CrabError as error:
        if len(prompts) == 1:
            return [error]
        return [answer for one in prompts for answer in _answers(crab, [one], most)]


def _asked(crab: Crab, records: Iterable[avuie.Record]) -> Iterator[tuple[avuie.Record, Prompt | CrabError]]:
    """Each record with its prompt, or with why there is none. Media that neighbours share are decoded once."""
    for _, neighbours in groupby(records, key=_what_is_seen):
        seen = None
        for record in neighbours:
            try:
                seen = seen or _gathered(record)
                made = assemble(crab.processor, seen, record.task, record.question, frame_size=crab.about.frame_size)
            except CrabError as error:
                yield record, error
            except (OSError, ValueError) as error:  # a name too long for the disk, or with a character it cannot have
                yield record, CrabError(f"Its media cannot be used: {short(error)}.")
            else:
                # The answer needs the tensors only, and a batch of clips' frames, at their own size, is gigabytes.
                yield record, replace(made, media=Media())


def _what_is_seen(record: avuie.Record) -> tuple:
    """What two records have in common that show and play the same."""
    return record.task, record.video, record.video2, record.audio, record.audio2, record.image, record.frame


def _gathered(record: avuie.Record) -> Media:
    clip, other = record.open()
    return gather(clip, record.task, other=other)


# ---- scoring ----


@dataclass(frozen=True)
class Score:
    dataset: str
    answers: int  # valid or not
    measures: dict  # name -> number, or type or split -> such a dict; without those that nothing could be compared for


@dataclass(frozen=True)
class Report:
    scores: tuple[Score, ...]  # datasets in the order of their first rows
    invalid: tuple[Flaw, ...]  # answers that could not be read, counted as wrong
    unscored: tuple[Flaw, ...]  # rows without a readable reference or true mask, left out of what needs it
    strangers: tuple[Flaw, ...] = ()  # answers to what the data do not have, not counted
    replaced: tuple[Flaw, ...] = ()  # answers to a record that is answered again further down, not counted


@dataclass(frozen=True)
class _Case:
    row: dict
    prediction: Answer | None  # None: invalid, wrong in all there is to measure
    reference: Answer
    overlap: Overlap | None  # of the mask of what was said and the true one; None where that is missing
    ideal: float | None  # J of what the segmenter makes of the true box (s4, ms3); None where that cannot be told


def score_answers(
    rows: Sequence[dict], records: Sequence[avuie.Record], *, root: str | Path, segmenter: Segmenter
) -> Report:
    """`score` of what the rows of a file say about `records`."""
    found = matched(rows, records)
    report = score(found.rows, root=root, segmenter=segmenter)
    return replace(report, strangers=found.strangers, replaced=found.replaced)


def score(rows: Iterable[dict], *, root: str | Path, segmenter: Segmenter) -> Report:
    """Compare rows of `predict` or `matched` with their references, as each dataset's field does.

    `root` is the folder of the data, for the pictures and true masks of s4, ms3 and ref_avs; `segmenter` makes masks
    of the boxes and points that were answered. Pictures and masks are compared as released, squashed to 224 x 224.
    """
    by_dataset: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        by_dataset[dataset_of(row)].append(row)
    scores, invalid, unscored = [], [], []
    for name, of in by_dataset.items():
        cases = []
        for position, row in enumerate(of):
            case, wrong, missing = _case(row, TASKS[name], _home(root), segmenter)
            record = row.get("record", position)
            invalid += [Flaw(name, record, wrong)] if wrong else []
            unscored += [Flaw(name, record, missing)] if missing else []
            cases += [case] if case else []
        scores.append(Score(name, len(of), _measures(TASKS[name], cases) if cases else {}))
    return Report(tuple(scores), tuple(invalid), tuple(unscored))


_FLAWS = ("invalid", "unscored", "strangers", "replaced")


def to_json(report: Report) -> dict:
    """The report as plain data."""
    counts = {
        score.dataset: {
            "answers": score.answers,
            "invalid": sum(flaw.dataset == score.dataset for flaw in report.invalid),
            "unscored": sum(flaw.dataset == score.dataset for flaw in report.unscored),
        }
        for score in report.scores
    }
    return {
        "version": 2,
        "crab": __version__,
        "datasets": {score.dataset: counts[score.dataset] | score.measures for score in report.scores},
        **{name: [asdict(flaw) for flaw in getattr(report, name)] for name in _FLAWS},
    }


def table(report: Report) -> str:
    """The report's numbers for people, a dataset after the other."""
    lines = []
    for name, measures in to_json(report)["datasets"].items():
        counts = (f"{measures.pop(count):,} {count}" for count in ("answers", "invalid", "unscored"))
        lines.append(f"{name}: {', '.join(counts)}")
        lines += [f"  {note}" for note in _notes(report, name)]
        for path, value in _leaves(measures):
            lines.append(f"  {path:<32}" + (f"{value:.4f}" if isinstance(value, float) else f"{value:,}"))
    return "\n".join(lines)


def _notes(report: Report, dataset: str) -> Iterator[str]:
    """What the numbers do not show about the answers that were given, a sentence each."""
    silent = sum(flaw.dataset == dataset and flaw.reason == NO_ANSWER for flaw in report.invalid)
    if silent:
        yield f"{silent:,} without an answer, counted as wrong."
    for flaws, why in (
        (report.replaced, "a later one is about the same record"),
        (report.strangers, "the data have no such record"),
    ):
        if count := sum(flaw.dataset == dataset for flaw in flaws):
            yield f"{count:,} of the answers {'are' if count > 1 else 'is'} not counted, because {why}."


def _leaves(measures: dict, above: str = "") -> Iterator[tuple[str, float | int]]:
    for name, value in measures.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{name.removeprefix('by_')} ")
        else:
            yield above + name, value


def _home(root: str | Path) -> Path:
    """The folder of the datasets, which lies in `root` or is it."""
    inner = Path(root) / "AVUIE_2"
    return inner if inner.is_dir() else Path(root)


# ---- one row ----


def _case(row: dict, task: Task, home: Path, segmenter: Segmenter) -> tuple[_Case | None, str, str]:
    """What was said and what is true; what is wrong with the one, and what is missing of the other."""
    reference = _reference(row, task)
    prediction, wrong = _prediction(row, task, reference)
    mask, true_mask, ideal = np.zeros(GRID, bool), None, None
    missing = "" if reference else f"The reference {reprlib.repr(row['output'])} cannot be read."
    if prediction and (prediction.boxes or prediction.points) and "points" in task.grammar:
        try:
            mask = _mask_on_grid(prediction, home / task.name / picture_of(row), segmenter)
        except CrabError as error:
            prediction, wrong = None, str(error)
    if reference and reference.exists is False:
        true_mask = np.zeros(GRID, bool)
    elif reference and reference.exists:
        place = _true_mask_place(row)
        true_mask = _true_mask(home / place)
        if true_mask is None:
            missing = f"The true mask {short(place)} is missing or cannot be read."
        elif task.grammar == "box_points":
            ideal = _of_true_box(true_mask, home / task.name / picture_of(row), segmenter)
    compared = None if true_mask is None else overlap(mask if prediction else None, true_mask)
    return (_Case(row, prediction, reference, compared, ideal) if reference else None), wrong, missing


_WANTED: dict[str, tuple[str, Callable[[Answer], object]]] = {
    "events": ("an event with its time", lambda a: a.events),
    "choice": ("an <answer>", lambda a: a.choice),
    "match": ("an <answer> of one or two", lambda a: a.choice),
    "text": ("any text", lambda a: a.text.strip()),
    "box": ("a box with an area", lambda a: a.boxes),
    "box_points": ("a box with an area, or points", lambda a: a.boxes or a.points),
    "exists_box_points": (
        "an <answer> of false, or one of true and a box with an area or points",
        lambda a: a.exists is False or (a.exists and (a.boxes or a.points)),
    ),
}
"""Grammar -> what has to be in an answer, and in a reference of the same form."""

_BOX_WRITTEN = re.compile(r"[(\[]\s*(?:-?[0-9.]+[\s,()]+){3}-?[0-9.]+")


def _prediction(row: dict, task: Task, reference: Answer | None) -> tuple[Answer | None, str]:
    """What was said, or None and why it is invalid."""
    if "error" in row:
        return None, row["error"]
    prediction = answers.parse(row["predict"], task)
    # Whether answers to questions are tagged has never been seen: a text that is the bare reference is an answer too.
    choice = reference.choice if reference and task.family == "question" else None
    if choice and prediction.choice is None and accuracy([prediction.text], [choice]):
        prediction = replace(prediction, choice=prediction.text)
    name, is_met = _WANTED[task.grammar]
    if not is_met(prediction):
        return None, f"The answer {reprlib.repr(prediction.text)} lacks {name}."
    # As in the released scripts, points alone will do, but not beside a box that is none.
    if prediction.points and not prediction.boxes and _BOX_WRITTEN.search(prediction.text):
        return None, f"The answer {reprlib.repr(prediction.text)} has a box without an area."
    return prediction, ""


def _reference(row: dict, task: Task) -> Answer | None:
    """The reference, read: what the test loaders make of a record, or a target; None if it cannot be."""
    text = str(row["output"])
    if task.grammar == "box_points":  # names the object only; where it is, its mask tells
        return replace(NOTHING, text=text, exists=True)
    if task.grammar == "exists_box_points" and "split" in row:
        return replace(NOTHING, text=text, exists=row["split"] != "test_n")  # seen, unseen and null objects
    reference = of_text(text, task)
    return reference if _WANTED[task.grammar][1](reference) else None


# ---- pictures and masks ----

_TRUE_MASKS = {
    **dict.fromkeys(("s4", "ms3"), (("/frames/", "/labels_rgb/"), (".jpg", ".png"))),
    "ref_avs": (("/media/", "/gt_mask/"), ("/frames/", "/fid_{fid}/0000"), (".jpg", ".png")),
}
"""What the released scripts replace in a picture's path to find its true mask."""


def _true_mask_place(row: dict) -> str:
    """Where its true mask lies in the folder of the datasets."""
    place = f"/{dataset_of(row)}/{picture_of(row)}"
    for old, new in _TRUE_MASKS[dataset_of(row)]:
        place = place.replace(old, new.format(fid=row.get("fid")))
    return place.removeprefix("/")


def _true_mask(path: Path) -> np.ndarray | None:
    """(224, 224) bool, or None where there is none."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L").resize(GRID, Image.Resampling.NEAREST)) > 0
    except (OSError, SyntaxError, ValueError):  # what Pillow raises on damaged PNG, and Python on a null in a name
        return None


def _mask_on_grid(answer: Answer, path: Path, segmenter: Segmenter) -> np.ndarray:
    """(224, 224) bool from the box and points of `answer`, empty where nothing was found; raises CrabError."""
    try:
        picture = Image.fromarray(media.open_clip(image=path).frame_at(0.0))
    except (OSError, ValueError) as error:
        raise CrabError(f"The picture cannot be used: {short(error)}.") from error
    squashed = np.asarray(picture.resize(GRID, Image.Resampling.LANCZOS))
    masks = segment.masks(segmenter, squashed, answer, time=0.0)
    return masks[0].mask if masks else np.zeros(GRID, bool)


def _of_true_box(true_mask: np.ndarray, path: Path, segmenter: Segmenter) -> float | None:
    """J of the mask that the box around the true one brings; None without a pixel in it or a picture."""
    rows, columns = np.nonzero(true_mask)
    if not len(rows):
        return None
    box = Box("", *(float(edge) for edge in (columns.min(), rows.min(), columns.max(), rows.max())))
    try:
        mask = _mask_on_grid(replace(NOTHING, boxes=(box,)), path, segmenter)
    except CrabError:
        return None
    return jaccard(mask, true_mask)


# ---- whole sets ----


def _measures(task: Task, cases: Sequence[_Case]) -> dict:
    predictions = [case.prediction or NOTHING for case in cases]
    references = [case.reference for case in cases]
    if task.grammar in ("choice", "match"):
        choices = [answer.choice for answer in predictions], [answer.choice or "" for answer in references]
        by_type = {"by_type": accuracy_by_type(*choices, types=[_type(case.row) for case in cases])}
        return {"accuracy": accuracy(*choices)} | (by_type if task.family == "question" else {})
    if task.name == "ave":  # an answer that names nothing is not right about the background
        right = [segment_accuracy(a.events, b.events) if a.events else 0.0 for a, b in zip(predictions, references)]
        return {"segment_accuracy": float(np.mean(right))}
    if task.name == "unav":
        return detection_map([answer.events for answer in predictions], [answer.events for answer in references])
    if task.name == "avvp":
        return parsing([answer.events or None for answer in predictions], [answer.events for answer in references])
    if task.grammar == "box":
        boxes = [_corners(answer) for answer in predictions]
        corners = [found for found in map(_corners, references) if found]  # all: a reference without one cannot be read
        x1, y1, x2, y2 = np.mean(corners, axis=0).tolist()
        mean = [(x1, y1, x2, y2)] * len(corners)  # what one box for every picture brings
        return grounding(boxes, corners) | {"ciou_of_mean_box": grounding(mean, corners)["ciou"]}
    if task.grammar == "text":
        return {"cider": cider([answer.text for answer in predictions], [[answer.text] for answer in references])}
    if task.grammar == "box_points":
        ideal = [case.ideal for case in cases if case.ideal is not None]
        return _overlaps(cases) | ({"j_of_true_box": float(np.mean(ideal))} if ideal else {})
    by_split: dict[str, list[_Case]] = defaultdict(list)
    for case in cases:
        by_split[case.row.get("split", "train")].append(case)
    return {"accuracy": _existence(cases), "by_split": {name: _of_split(of) for name, of in sorted(by_split.items())}}


def _type(row: dict) -> str:
    """MUSIC-AVQA writes its types as a JSON list: '["Audio", "Counting"]'."""
    return " ".join(re.findall(r"[\w-]+", str(row.get("question_type", row.get("type", ""))))) or "no type"


def _overlaps(cases: Sequence[_Case]) -> dict:
    """J and F, and over how many `masks`: those of the cases whose true mask is there."""
    compared = [case for case in cases if case.overlap]
    overlaps = [case.overlap for case in compared if case.overlap]
    means = segmentation(overlaps, clips=_clips(compared)) if compared else {}
    return means | {"masks": len(compared)}


def _clips(cases: Sequence[_Case]) -> list[str]:
    """Which frames belong together: those of one folder, in ref_avs those that are asked for the same thing."""
    folders = [picture_of(case.row).rpartition("/")[0] for case in cases]
    asked = [f"{case.row.get('fid')} {case.reference.text}" if "split" in case.row else "" for case in cases]
    return [f"{folder} {of}" for folder, of in zip(folders, asked)]


def _existence(cases: Sequence[_Case]) -> float:
    pairs = [(case.prediction, case.reference) for case in cases]
    right = [prediction is not None and prediction.exists == reference.exists for prediction, reference in pairs]
    return float(np.mean(right))


def _of_split(cases: Sequence[_Case]) -> dict:
    """Of ref_avs: J and F of what is there, S of what is not."""
    there, not_there = ([case for case in cases if case.reference.exists is exists] for exists in (True, False))
    return (
        {"answers": len(cases), "accuracy": _existence(cases)}
        | (_overlaps(there) if there else {})
        | (null_s([case.overlap for case in not_there if case.overlap], clips=_clips(not_there)) if not_there else {})
    )


def _corners(answer: Answer) -> tuple[float, float, float, float] | None:
    return next(((box.x1, box.y1, box.x2, box.y2) for box in answer.boxes), None)
