"""Ask a model many questions: of the published folder, and of scenes whose truth is known."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from crab import answer as answers
from crab import avuie, media
from crab.ask import ask
from crab.learn.metrics import box_iou, temporal_iou
from crab.model import Crab
from crab.scenes import questions, render, script
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

    Yields one row a question: seed, dataset, question, what was answered and what is true, and its measures.
    """
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            scene = script.write(seed)
            path = Path(folder) / "scene.mp4"
            render.write_clip(scene, path, size=(320, 240))
            clip = media.open_clip(path)
            for question in questions.ask(scene, np.random.default_rng([seed, 1])):
                if question.dataset in datasets:
                    yield {"seed": seed, **_score(crab, clip, question)}


def _score(crab: Crab, clip: media.Clip, question: questions.Question) -> dict:
    task = TASKS[question.dataset]
    still = replace(clip, frame=question.time) if "image" in task.media else clip
    for result in ask(crab, still, task, question.question, trace=False, max_new_tokens=160):
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
        boxes = [(b.x1, b.y1, b.x2, b.y2) for a in (said, true) for b in a.boxes]
        row["right"] = said.boxes[:1] != () and said.boxes[0].label == true.boxes[0].label
        row["iou"] = box_iou(*boxes) if len(boxes) == 2 else 0.0
    elif task.grammar == "choice":
        row["right"] = said.choice == true.choice
    return row


def summary(rows: Iterable[dict]) -> dict[str, dict[str, float]]:
    """Per dataset: how many questions, and the mean of every measure."""
    by_dataset: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        by_dataset[row["dataset"]].append(row)
    return {
        name: {"questions": len(of), **{m: float(np.mean([r[m] for r in of])) for m in ("right", "iou") if m in of[0]}}
        for name, of in by_dataset.items()
    }
