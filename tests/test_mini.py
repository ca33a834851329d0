"""The model that ships: whole, small, one code path with the big one, and better than chance."""

import json

import pytest
import torch
from conftest import MINI

from crab import avuie
from crab.learn import evaluate, train
from crab.learn import mini as mini_model
from crab.loading import published_name, skeleton
from crab.model import Crab, site_of
from crab.scenes import dataset
from crab.segment import GrabCut


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
    assert "drawn scenes" in mini.knows and mini.drawn and mini_model.ABOUT["drawn"]
    assert mini.about.frame_size == about["frame_size"] == 112


def test_the_log_that_ships_is_of_the_whole_recipe():
    rows = [json.loads(line) for line in (MINI / "training.jsonl").read_text().splitlines()]
    last = {row["stage"]: row["step"] for row in rows}
    assert last == {name: stage.steps for name, stage in train.STAGES.items()}
    for stage, factor in {"adapter": 0.5, "concludes": 1.0}.items():
        held_out = [row["held_out"] for row in rows if row["stage"] == stage and "held_out" in row]
        assert len(held_out) == last[stage] // 100 and held_out[-1] < factor * held_out[0], stage


def test_numbers_are_single_tokens():
    words = mini_model.tokenizer(scenes=5)
    for text in ("(12,130)(200,223)", "(0 10)"):
        pieces = [words.decode([i]) for i in words(text)["input_ids"]]
        assert all(p.isdigit() or not any(c.isdigit() for c in p) for p in pieces)
        assert "".join(pieces) == text


def test_a_saved_model_is_the_same_model(tmp_path):
    processor = mini_model.processor(mini_model.tokenizer(scenes=5))
    thinker = mini_model.fresh(processor.tokenizer)
    mini_model.save(thinker, processor, tmp_path)
    loaded = Crab.load(tmp_path, device="cpu")
    assert loaded.about.frame_size == mini_model.FRAME_SIZE and loaded.name == "crab-mini"
    for name, tensor in thinker.state_dict().items():
        assert torch.equal(loaded.thinker.state_dict()[name], tensor.bfloat16().float()), name


def test_its_tensors_are_named_as_in_the_published_files():
    index = json.loads((MINI / "model.safetensors.index.json").read_text())
    assert {f"thinker.{published_name(name)}" for name in skeleton(str(MINI)).state_dict()} == set(index["weight_map"])


@pytest.fixture(scope="module")
def scores(mini, tmp_path_factory):
    """Dataset -> its score on ten scenes that no training has seen."""
    root, seeds = tmp_path_factory.mktemp("scenes"), range(evaluate.SCENE_SEEDS + 40, evaluate.SCENE_SEEDS + 50)
    dataset.make(root, seeds, datasets=["ave", "avcap", "meld"], split="test")
    records = [*avuie.read(root, "ave"), *avuie.read(root, "avcap", split="train"), *avuie.read(root, "meld")]
    rows = evaluate.predict(mini, records, max_new_tokens=160)
    return {score.dataset: score for score in evaluate.score(rows, root=root, segmenter=GrabCut()).scores}


def test_it_hears_who_sounds_and_when_in_scenes_it_never_saw(scores):
    """With the answers to other scenes it is about 0.17, and 0.36 at the luckiest of thirty draws."""
    assert scores["ave"].answers >= 3 and scores["ave"].measures["segment_accuracy"] >= 0.6


def test_it_describes_what_is_seen_and_heard(scores):
    """With the captions of other scenes it is about 0.4, and 1.2 at the luckiest of thirty draws."""
    assert scores["avcap"].answers == 10 and scores["avcap"].measures["cider"] >= 3.0


def test_it_knows_how_a_face_and_a_voice_feel(scores):
    """Chance is one in seven."""
    assert scores["meld"].answers == 10 and scores["meld"].measures["accuracy"] >= 0.5


@pytest.mark.parametrize("file", sorted((MINI.parent / "examples").glob("*.mp4")), ids=lambda f: f.stem)
def test_every_example_is_a_clip_with_sound(file):
    from crab import media

    clip = media.open_clip(file)
    assert clip.audio and clip.duration == pytest.approx(10.0, abs=0.1)
