"""The published shape of a result, held against what the model that ships answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from crab.ask import VERSION, ask, to_json
from crab.media import open_clip
from crab.segment import load_segmenter
from crab.tasks import TASKS

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "assets" / "examples"
# Dataset -> the clips and the question; a dataset of each family, and what a result of it has to hold.
ASKED = {
    "avvp": ("evening-1000412.mp4", None, "", "events"),
    "avqa": ("evening-1000443.mp4", None, "Which object makes a sound first?", "choice"),
    "avcap": ("stage-1000440.mp4", None, "", "text"),
    "ucf": ("action-1001501.mp4", None, "", "choice"),
    "cremad": ("emotion-1001503.mp4", None, "", "choice"),
    "s4": ("evening-1000430.mp4", None, "", "masks"),
    "a2v": ("pair-1001502-1.mp4", "pair-1001502-2.mp4", "", "choice"),
}


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    published = json.loads((ROOT / "crab" / "result.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(published)
    return jsonschema.Draft202012Validator(published)


@pytest.mark.parametrize("dataset", ASKED)
def test_what_the_model_answers_has_the_published_shape(mini, schema, dataset):
    media, media2, question, held = ASKED[dataset]
    other = open_clip(EXAMPLES / media2) if media2 else None
    *_, result = ask(
        mini, open_clip(EXAMPLES / media), TASKS[dataset], question, other=other, segmenter=load_segmenter("grabcut"),
        trace=False,
    )  # fmt: skip
    told = json.loads(json.dumps(to_json(result)))
    assert told[held]
    schema.validate(told)
    schema.validate(json.loads(json.dumps(to_json(replace(result, notes=("It was stopped.",), done=False)))))


def test_a_dataset_of_each_family_is_asked():
    assert {TASKS[name].family for name in ASKED} == {task.family for task in TASKS.values()}


def test_what_shipped_earlier_has_the_published_shape_and_what_differs_from_it_is_refused(schema):
    shipped = json.loads((EXAMPLES / "first.json").read_text(encoding="utf-8"))
    schema.validate(shipped)
    assert shipped["version"] == VERSION
    event = {"label": "dog", "modality": "audio", "start": 0.0, "end": 1.0}
    rle = {"size": [2, 2], "counts": [1, 3]}
    schema.validate(shipped | {"events": [event], "masks": [{"time": 0.0, "label": "", "rle": rle}]})
    for wrong in (
        {"version": VERSION + 1},
        {"choice": 1},
        {"extra": None},
        {"events": [event | {"modality": "heard"}]},
        {"events": [event | {"end": "1"}]},
        {"boxes": [{"label": "dog", "box": [0, 0, 1]}]},
        {"masks": [{"time": 0.0, "label": "", "rle": rle | {"counts": "13"}}]},
    ):
        assert not schema.is_valid(shipped | wrong), wrong
    for key in shipped:
        assert not schema.is_valid({name: value for name, value in shipped.items() if name != key}), key
