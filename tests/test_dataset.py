"""Scenes written as a data set: the published layout, the same on every run, and what a reader makes of it is true."""

import itertools
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from crab import CrabError, avuie, media, prompt
from crab.answer import GRID
from crab.learn import evaluate, items
from crab.learn.rows import row_of
from crab.scenes import dataset
from crab.scenes.asking import questions
from crab.scenes.asking.questions import DATASETS
from crab.scenes.world import render, script

SIZE = 112
N = 3  # seeds


def _asks_all(seeds):
    asked = [q for seed in seeds for q in questions.ask(script.write(seed), np.random.default_rng([seed, 1]))]
    ref_avs = {q.answer for q in asked if q.dataset == "ref_avs"}
    return {q.dataset for q in asked} == set(questions.OBJECT_SETS) and ref_avs == {"true", "false"}


FIRST = next(n for n in itertools.count(evaluate.SCENE_SEEDS) if _asks_all(range(n, n + N)))
SEEDS = range(FIRST, FIRST + N)
SPLITS = {name: "test" if name in avuie.TEST_FIELDS else "train" for name in DATASETS}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The same scenes as training and as test data, each in its folder."""
    folders = {split: tmp_path_factory.mktemp(split) for split in ("train", "test")}
    for split, folder in folders.items():
        counts = dataset.make(folder, SEEDS, split=split, size=SIZE)
        assert sum(counts.values()) == len(list(_records(folder, split))) and min(counts.values()) > 0
    return folders


def _records(folder, split):
    for name in DATASETS:
        yield from avuie.read(folder, name, split=split if split == "train" else SPLITS[name])


def _tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- the layout ----


def test_the_check_finds_nothing_but_that_the_other_split_is_not_there(made):
    for split, other in (("train", "test"), ("test", "train")):
        report = avuie.check(made[split])
        assert {part.dataset for part in report.splits if part.rows} == set(DATASETS)
        assert report.absent == report.ignored == ()
        faults = [(fault.file, fault.kind) for part in report.splits for fault in part.faults]
        assert faults == [(f"{name}/{other}.json", "missing file") for name in avuie.TASKS if SPLITS[name] == "test"]


def test_both_splits_in_one_folder_have_no_fault(made, tmp_path):
    for folder in made.values():
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    assert [fault for part in avuie.check(tmp_path).splits for fault in part.faults] == []


@pytest.mark.parametrize("split", ["train", "test"])
def test_records_have_the_published_fields_and_no_others(made, split):
    for record in _records(made[split], split):
        of = split if split == "train" else SPLITS[record.task.name]
        assert record.row.keys() == avuie.FIELDS[of][record.task.name].published.keys()


def test_a_scene_gives_one_record_and_of_the_questions_two(made):
    counts = {name: len(list(avuie.read(made["train"], name, split="train"))) for name in DATASETS}
    assert counts["avqa"] == 2 * N and counts["avqa_thu"] <= 2 * N
    assert all(counts[name] == N for name in ("unav", "avvp", "avcap", *dataset.KINDS["emotion"].datasets, "a2v", "ks"))
    assert max(count for name, count in counts.items() if name not in dataset.RECORDS) == N


def test_what_is_drawn_of_one_data_set_does_not_depend_on_the_others(made, tmp_path):
    dataset.make(tmp_path, SEEDS[:1], datasets=["avqa_thu"], size=SIZE)
    [*alone] = avuie.read(tmp_path, "avqa_thu", split="train")
    [*among] = avuie.read(made["train"], "avqa_thu", split="train")
    assert [record.row for record in alone] == [record.row for record in among[: len(alone)]]
    assert [path.name for path in (tmp_path / "AVUIE_2").iterdir()] == ["avqa_thu"]


# ---- files ----


def test_two_runs_write_the_same_bytes(made, tmp_path):
    dataset.make(tmp_path, SEEDS, size=SIZE)
    assert _tree(tmp_path) == _tree(made["train"])


def test_a_run_that_was_cut_short_goes_on(made, tmp_path):
    shutil.copytree(made["train"], tmp_path, dirs_exist_ok=True)
    video, *lost = (tmp_path / "AVUIE_2" / place for place in (
        f"ave/video/objects-{FIRST}.mp4", f"avvp/audio/objects-{FIRST}.wav", f"unav/audio/objects-{FIRST}.wav",
        f"avcap/video/objects-{FIRST}.mp4", f"dfew/video/emotion-{FIRST}.mp4", "ks/train.json",
    ))  # fmt: skip
    kept = tmp_path / "AVUIE_2" / "avvp" / "video" / f"objects-{FIRST}.mp4"
    written = kept.stat().st_mtime_ns
    video.unlink(missing_ok=True)
    for path in lost:
        path.unlink()
    lost[2].with_name(lost[2].name + ".part").write_bytes(b"half of it")
    dataset.make(tmp_path, SEEDS, size=SIZE)
    assert _tree(tmp_path) == _tree(made["train"]) and kept.stat().st_mtime_ns == written


def test_a_scene_is_on_disk_once(made):
    home = made["train"] / "AVUIE_2"
    for file in (f"video/objects-{FIRST}.mp4", f"audio/objects-{FIRST}.wav"):
        assert len({(home / name / file).stat().st_ino for name in ("unav", "avvp", "avqa", "avcap")}) == 1


def test_where_files_cannot_be_linked_they_are_copied(made, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    dataset.make(tmp_path, SEEDS[:1], datasets=["ks", "ucf"], size=SIZE)
    videos = [tmp_path / "AVUIE_2" / name / "video" / f"action-{FIRST}.mp4" for name in ("ks", "ucf")]
    assert videos[0].stat().st_ino != videos[1].stat().st_ino
    assert (
        videos[0].read_bytes()
        == videos[1].read_bytes()
        == (made["train"] / "AVUIE_2" / "ks" / "video" / videos[0].name).read_bytes()
    )


# ---- what a reader makes of it ----


def _seen_as_in_training(shown, meant):
    return np.abs(shown.astype(float) - meant).mean() < 6  # chroma is stored at half the size


def _scene(record):
    [name] = {record.video.stem} if record.video else {record.row.get("vid") or record.image.parent.name}
    kind, seed, *_ = name.split("-")
    return dataset.KINDS[kind].write(int(seed))


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", ["ave", "avqa", "ks", "meld"])
def test_clips_are_seen_and_heard_as_in_training(made, name, split):
    for record in avuie.read(made[split], name, split=split):
        clip, _ = record.open()
        assert (clip.duration, clip.width, clip.height, clip.fps) == pytest.approx((10, SIZE, SIZE, dataset.FPS))
        seen, meant = prompt.gather(clip, record.task), items._shown(_scene(record), record.task)
        assert np.allclose(seen.times, meant.times, atol=0.07) and seen.stretches == meant.stretches
        assert np.allclose(seen.sound, meant.sound, atol=1 / 32768)
        # Between the two times a thing may have moved: what is compared is the scene at the reader's own.
        frames = [render.frame(_scene(record), round(time, 3), (SIZE, SIZE)) for time in seen.times]
        assert _seen_as_in_training(seen.videos[0], np.stack(frames))


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", ["arig", "s4", "ms3", "ref_avs"])
def test_stills_are_seen_and_heard_as_in_training(made, name, split):
    for record in avuie.read(made[split], name, split=split):
        scene = _scene(record)
        [question] = [q for q in questions.ask(scene, np.random.default_rng([scene.seed, 1])) if q.dataset == name]
        seen, meant = prompt.gather(record.open()[0], record.task), items._shown(scene, record.task, question.time)
        assert np.allclose(seen.sound, meant.sound, atol=1 / 32768)
        assert seen.picture.shape == (SIZE, SIZE, 3) == meant.picture.shape
        assert _seen_as_in_training(seen.picture, meant.picture)
        pieces = record.task.sound.pieces
        assert media.open_clip(record.audio).duration == pytest.approx(pieces)
        assert record.open()[0].drawn


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_match_of_a_pair_is_what_the_answer_says(made, split):
    for record in avuie.read(made[split], "a2v", split=split):
        match = {"one": record.video, "two": record.video2}[record.row["correct_video"]]
        assert record.audio.stem == match.stem and record.video.stem != record.video2.stem
    for record in avuie.read(made[split], "v2a", split=split):
        match = {"one": record.audio, "two": record.audio2}[record.row["correct_audio"]]
        assert record.video.stem == match.stem and record.audio.stem != record.audio2.stem


class WholeBox:
    """Takes the whole box for the object."""

    name = "the box"

    def __call__(self, frame, box, points):
        mask = np.zeros(frame.shape[:2], bool)
        mask[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = True
        return mask, None


def test_the_targets_are_right_about_the_references_and_the_true_masks(made):
    targets = {(record.task.name, record.number): record.target for record in _records(made["train"], "train")}
    rows = [
        row_of(record) | {"predict": targets[record.task.name, record.number]}
        for record in _records(made["test"], "test")
    ]
    told = evaluate.to_json(evaluate.score(rows, root=made["test"], segmenter=WholeBox()))
    assert told["invalid"] == told["unscored"] == []
    full = {"accuracy", "segment_accuracy", "map", "event_event", "segment_type"}
    for name, measures in told["datasets"].items():
        assert all(measures[measure] == pytest.approx(1.0) for measure in full & measures.keys()), name
    assert told["datasets"]["arig"]["ciou"] == pytest.approx(1.0)
    assert told["datasets"]["avcap"]["cider"] == pytest.approx(10.0)
    for name in ("s4", "ms3"):
        # Answers are on the grid of 224, masks as large as the picture: the boxes differ by a pixel or two.
        assert told["datasets"][name]["j_avsbench"] == pytest.approx(told["datasets"][name]["j_of_true_box"], abs=0.06)
        assert told["datasets"][name]["j_avsbench"] > 0.4
    assert set(told["datasets"]["ref_avs"]["by_split"]) == {"test_n", "test_s"}
    assert told["datasets"]["ref_avs"]["by_split"]["test_n"]["s_ref_avs"] == 0.0


def test_of_what_is_not_there_the_mask_is_empty(made):
    home = made["test"] / "AVUIE_2"
    for record in avuie.read(made["test"], "ref_avs"):
        row = row_of(record)
        with Image.open(home / evaluate._true_mask_place(row)) as mask:
            assert mask.size == (SIZE, SIZE) and mask.mode == "L"
            assert np.asarray(mask).any() == (row["split"] != "test_n")


def test_boxes_are_on_the_grid_of_224_whatever_the_size(made):
    for record in avuie.read(made["test"], "arig"):
        scene = _scene(record)
        [question] = [q for q in questions.ask(scene, np.random.default_rng([scene.seed, 1])) if q.dataset == "arig"]
        shown = {part.actor: mask for part, mask in render.masks(scene, question.time, GRID)}
        assert (*record.row["top_left"], *record.row["bottom_right"]) == render.box(shown[record.row["a_obj"]])


# ---- the rest ----


@pytest.mark.parametrize("size", [20, 113])
def test_a_size_that_cannot_be_encoded_is_a_sentence(size, tmp_path):
    with pytest.raises(CrabError, match=f"cannot be {size} pixels wide"):
        dataset.make(tmp_path, SEEDS, size=size)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", dataset.KINDS)
def test_one_scene_is_a_film_and_all_that_is_true_of_it(kind, tmp_path, monkeypatch):
    films = []
    monkeypatch.setattr(render, "write_clip", lambda scene, film: films.append(film))
    lines = "\n".join(dataset.show(5, kind, tmp_path / "a.mp4"))
    names = ["a-1.mp4", "a-2.mp4"] if kind == "pair" else ["a.mp4"]
    assert [film.name for film in films] == names and lines.startswith(str(films[0]))
    scenes, asked, _ = dataset._asked(kind, 5)
    assert len(scenes) == len(films) and all(q.target in lines and q.question in lines for q in asked)
    with pytest.raises(CrabError, match="as .mp4"):
        next(iter(dataset.show(5, kind, tmp_path / "a.gif")))


def test_it_needs_no_torch(request):
    code = "import sys, crab.scenes.dataset; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=request.config.rootpath).returncode == 0
