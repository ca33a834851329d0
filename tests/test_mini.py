"""The model that ships: whole, small, one code path with the big one, and better than chance."""

import json

import pytest
import torch

from crab.learn import evaluate
from crab.model import Crab, site_of
from conftest import MINI


def test_it_fits_a_host_without_large_file_storage():
    sizes = [f.stat().st_size for f in MINI.rglob("*") if f.is_file()]
    assert sum(sizes) < 30e6 and max(sizes) < 10e6


def test_both_formats_of_its_adapter_are_the_same_adapter(mini):
    published = Crab.load(MINI, MINI / "finetune_weights.bin", device="cpu")
    ours, theirs = mini.thinker.state_dict(), published.thinker.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_every_site_is_adapted_in_all_three_towers(mini):
    towers = [site_of(name).tower for name in mini.adapter.sites]
    assert {t: towers.count(t) for t in towers} == {"audio": 12, "vision": 12, "language": 42}
    assert not mini.adapter.silent and mini.adapter.heads == 3


def test_it_says_what_it_is(mini):
    about = json.loads((MINI / "crab.json").read_text())
    assert mini.name == "crab-mini" == about["name"]
    assert "drawn scenes" in mini.knows
    assert mini.about.frame_size == about["frame_size"] == 112


def test_it_hears_who_sounds_and_when_in_scenes_it_never_saw(mini):
    """Chance is one in twelve for the event, and an IoU of about a third."""
    rows = list(evaluate.scores(mini, range(evaluate.SCENE_SEEDS, evaluate.SCENE_SEEDS + 10), ["ave"]))
    measures = evaluate.summary(rows)["ave"]
    assert measures["questions"] == 10
    assert measures["right"] >= 0.6 and measures["iou"] >= 0.5


@pytest.mark.parametrize("file", sorted((MINI.parent / "examples").glob("*.mp4")), ids=lambda f: f.stem)
def test_every_example_is_a_clip_with_sound(file):
    from crab import media

    clip = media.open_clip(file)
    assert clip.audio and clip.duration == pytest.approx(10.0, abs=0.1)
