"""Ask a model many questions: of the published folder, and of scenes whose truth is known."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from crab import answer as answers
from crab import avuie, media, segment
from crab.ask import ask
from crab.learn.metrics import box_iou, cider, grounding, parsing, segment_accuracy, segmentation, temporal_iou
from crab.model import Crab
from crab.scenes import questions, render, script
from crab.segment import GrabCut
from crab.tasks import TASKS

SCENE_SEEDS = 1_000_000  # scenes from here on are never trained on


def predict(crab: Crab, records: Iterable[avuie.Record], *, max_new_tokens: int = 512) -> Iterator[dict]:
    """One row a record: the published metadata (the record's own fields, `task`, `output`), `predict`, `token_ids`."""
    for record in records:
        clip, other = record.open()
        prompt = crab.prompt(clip, record.task, record.question, other=other)
        [ids] = crab.generate([prompt], max_new_tokens=max_new_tokens)
        yield {
            **record.row, "task": record.task.name, "output": record.reference, "predict": crab.decode(ids),
            "token_ids": ids,
        }  # fmt: skip


def scores(crab: Crab, seeds: Iterable[int], datasets: list[str]) -> Iterator[dict]:
    """Draw the scene of each seed as a video file, ask it every question of `datasets`, and compare with the truth.

    Yields one row a question: seed, dataset, question, what was `said` and what is `true`, and how near the one is to
    the other: `right` and `iou`; of masks by GrabCut `j`, `f`, and `j_true_box`, the most a perfect box would bring.
    """
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            scene = script.write(seed)
            path = Path(folder) / "scene.mp4"
            render.write_clip(scene, path, size=(320, 240))
            clip = media.open_clip(path)
            for question in questions.ask(scene, np.random.default_rng([seed, 1])):
                if question.dataset in datasets:
                    yield {"seed": seed, **_score(crab, scene, clip, question)}


def _score(crab: Crab, scene: script.Scene, clip: media.Clip, question: questions.Question) -> dict:
    task = TASKS[question.dataset]
    still = replace(clip, frame=question.time) if "image" in task.media else clip
    cut = GrabCut() if "points" in task.grammar else None
    for result in ask(crab, still, task, question.question, segmenter=cut, trace=False, max_new_tokens=160):
        pass
    said = result.answer
    true = answers.parse(question.target, task, duration=clip.duration, size=(clip.width, clip.height))
    row = {"dataset": task.name, "question": question.question, "said": result.text, "true": question.target}
    if task.grammar == "events":
        labels = {e.label for e in true.events}
        row["right"] = {e.label for e in said.events} == labels
        kinds = {(e.label, e.modality) for e in true.events}
        row["iou"] = float(np.mean([
            temporal_iou(*([(e.start, e.end) for e in a.events if (e.label, e.modality) == kind] for a in (said, true)))
            for kind in kinds
        ]))  # fmt: skip
    elif true.boxes:
        boxes = [_corners(a) for a in (said, true)]
        row["right"] = said.boxes[:1] != () and said.boxes[0].label == true.boxes[0].label
        row["iou"] = box_iou(*boxes) if all(boxes) else 0.0
    elif task.grammar == "choice":
        row["right"] = said.choice == true.choice
    if cut:
        shown = render.masks(scene, question.time, (clip.width, clip.height))
        [mask] = [mask for part, mask in shown if part.actor == question.answer]
        ideal = segment.masks(cut, result.frame, true, time=question.time)
        row |= segmentation([_mask(result.masks)], [mask])
        row["j_true_box"] = segmentation([_mask(ideal)], [mask])["j"]
    return row


def _corners(answer: answers.Answer) -> tuple[float, float, float, float] | None:
    return next(((box.x1, box.y1, box.x2, box.y2) for box in answer.boxes), None)


def _mask(masks: tuple[segment.Mask, ...]) -> np.ndarray | None:
    return masks[0].mask if masks else None


def summary(rows: Iterable[dict]) -> dict[str, dict[str, float]]:
    """Per dataset: how many questions, the mean of every measure of a row, and what is measured over a whole set."""
    by_dataset: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        by_dataset[row["dataset"]].append(row)
    per_row = ("right", "iou", "j", "f", "j_true_box")
    return {
        name: {"questions": len(of), **{m: float(np.mean([r[m] for r in of])) for m in per_row if m in of[0]}}
        | _over_the_set(name, of)
        for name, of in by_dataset.items()
    }


def _over_the_set(dataset: str, rows: list[dict]) -> dict[str, float]:
    """The measures that a dataset's field uses and that are no mean of the above."""
    task = TASKS[dataset]
    said, true = ([answers.parse(row[side], task) for row in rows] for side in ("said", "true"))
    events = [[answer.events for answer in side] for side in (said, true)]
    if dataset == "ave":
        return {"segment_accuracy": float(np.mean([segment_accuracy(*pair) for pair in zip(*events)]))}
    if task.grammar == "events":
        return parsing(*events)
    if task.grammar == "box":
        boxes, meant = ([_corners(answer) for answer in side] for side in (said, true))
        blind = [tuple(np.mean(meant, axis=0))] * len(meant)  # what one box for every picture brings
        return grounding(boxes, meant) | {"ciou_of_mean_box": grounding(blind, meant)["ciou"]}
    if task.grammar == "text":
        return {"cider": cider([row["said"] for row in rows], [[row["true"]] for row in rows])}
    return {}
