"""The released preprocessing, reproduced from the files on disk, and a map that knows every position."""

import numpy as np
import pytest

from crab import CrabError, media, prompt
from crab.tasks import TASKS

DATASETS = ["ave", "avqa", "meld", "a2v", "v2a", "s4", "ref_avs"]


@pytest.mark.parametrize("dataset", DATASETS)
def test_input_ids_are_the_released_ones(dataset, golden_prompts, golden_arrays):
    ids = golden_prompts[dataset].inputs["input_ids"][0].numpy()
    assert np.array_equal(ids, golden_arrays[f"{dataset}/input_ids"].ravel())


@pytest.mark.parametrize("dataset", DATASETS)
def test_pixels_are_the_released_ones(dataset, golden_prompts, golden_cases):
    name = "pixel_values_videos" if "pixel_values_videos_stats" in golden_cases[dataset] else "pixel_values"
    pixels, expected = golden_prompts[dataset].inputs[name], golden_cases[dataset][f"{name}_stats"]
    assert list(pixels.shape) == expected["shape"]
    assert float(pixels.abs().mean()) == pytest.approx(expected["mean_abs"], abs=1e-5)
    assert float(pixels.double().sum()) == pytest.approx(expected["sum"], rel=1e-5)


@pytest.mark.parametrize("dataset", DATASETS)
def test_sound_is_the_released_one(dataset, golden_prompts, golden_cases):
    features = golden_prompts[dataset].inputs["input_features"][0].double()  # (128, mel)
    case = golden_cases[dataset]
    assert int(golden_prompts[dataset].inputs["feature_attention_mask"].sum()) == case["mel_frames"][0]
    # The released array goes on to 300 s with the value of silence, which our last frame holds.
    missing = case["input_features_stats"]["shape"][2] - features.shape[1]
    assert float(features[:, -1].std()) == 0.0
    total = float(features.sum() + missing * features[:, -1].sum())
    assert total == pytest.approx(case["input_features_stats"]["sum"], rel=1e-5)


@pytest.mark.parametrize("dataset", ["ave", "meld", "a2v"])
def test_a_grid_step_is_two_seconds_of_model_time(dataset, golden_prompts):
    assert golden_prompts[dataset].inputs["video_second_per_grid"].tolist() == [2.0]


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_position_is_known(dataset, golden_prompts, tiny):
    made = golden_prompts[dataset]
    ids = made.inputs["input_ids"][0].tolist()
    names = {tiny.processor.audio_token_id: "audio", tiny.processor.video_token_id: "video",
             tiny.processor.image_token_id: "image"}
    assert [t.modality for t in made.map.tokens] == [names.get(i, "text") for i in ids]
    assert "".join(t.text for t in made.map.tokens).startswith("<|im_start|>system\nYou are Qwen")


def test_cells_of_a_video_run_through_time_then_rows_then_columns(golden_prompts):
    made = golden_prompts["ave"]
    cells = [t for t in made.map.tokens if t.modality == "video"]
    assert len(cells) == 5 * made.map.rows * made.map.cols
    assert [(t.row, t.col) for t in cells[:9]] == [(0, c) for c in range(8)] + [(1, 0)]
    times = made.media.times
    assert (cells[0].start, cells[0].end) == (times[0], times[1])
    assert (cells[-1].start, cells[-1].end) == (times[8], times[9])


def test_sound_positions_are_forty_milliseconds_of_the_clip(golden_prompts):
    sound = [t for t in golden_prompts["ave"].map.tokens if t.modality == "audio"]
    assert len(sound) == 250
    assert [t.start for t in sound[:3]] == [0.0, 0.04, 0.08]
    assert sound[-1].end == 10.0


def test_sound_of_a_matching_task_counts_anew_in_its_second_clip(golden_prompts):
    sound = [t for t in golden_prompts["v2a"].map.tokens if t.modality == "audio"]
    second = [t for t in sound if t.source == 1]
    assert second[0].start == pytest.approx(0.0, abs=0.04)
    assert sound.index(second[0]) > 0


def test_windows_of_a_long_clip_keep_the_seconds_they_came_from():
    plan = TASKS["avqa"].sound
    samples, stretches = prompt.apply_plan(np.arange(60 * 16000, dtype=np.float32), plan)
    assert len(samples) == 20 * 16000
    assert [s.start for s in stretches] == [-0.5, 5.5, 11.5, 17.5, 23.5, 29.5, 35.5, 41.5, 47.5, 53.5]
    assert samples[:8000].max() == 0 and samples[8000] == 0 and samples[8001] == 1
    assert samples[2 * 16000] == 5.5 * 16000


@pytest.mark.parametrize(("dataset", "seconds", "heard"), [
    ("ave", 0.4, 1.0), ("ave", 60, 60.0), ("meld", 10, 4.0), ("meld", 1, 4.0), ("s4", 5, 1.0), ("ref_avs", 10, 1.0),
    ("arig", 5, 5.0),
])  # fmt: skip
def test_each_task_hears_as_much_as_it_was_taught_on(dataset, seconds, heard):
    samples, stretches = prompt.apply_plan(np.ones(int(seconds * 16000), np.float32), TASKS[dataset].sound)
    assert len(samples) == heard * 16000
    assert sum(s.samples for s in stretches) == len(samples)


def test_a_slice_after_the_end_is_silence():
    samples, _ = prompt.apply_plan(np.ones(5 * 16000, np.float32), TASKS["s4"].sound, index=7)
    assert len(samples) == 16000 and not samples.any()


@pytest.mark.parametrize(("second", "expected"), [(0.0, (0, 5, 0)), (5.0, (3, 8, 2)), (9.9, (5, 10, 4))])
def test_a_still_out_of_a_video_takes_five_seconds_around_it(second, expected):
    assert prompt.around_still(second, 10.0, TASKS["s4"].sound) == expected


def test_two_clips_are_asked_for_where_two_are_compared(golden):
    clip = media.open_clip(golden / "media" / "a.mp4")
    with pytest.raises(CrabError, match="second one"):
        prompt.gather(clip, TASKS["a2v"])


def test_what_a_clip_lacks_is_said(golden):
    sound_only = media.open_clip(golden / "media" / "a.mp3")
    seen = prompt.gather(sound_only, TASKS["ave"])
    assert not seen.videos[0].any()
    assert any("no picture" in note for note in seen.notes)
    silent = prompt.gather(media.open_clip(golden / "media" / "a.jpg"), TASKS["s4"])
    assert not silent.sound.any()
    assert any("no sound" in note for note in silent.notes)


def test_a_batch_is_padded_on_the_left(golden_prompts):
    a, b = golden_prompts["ave"], golden_prompts["meld"]
    batch = prompt.collate([a, b], pad=7)
    missing = a.inputs["input_ids"].shape[1] - b.inputs["input_ids"].shape[1]
    assert batch["input_ids"][1, :missing].tolist() == [7] * missing
    assert batch["attention_mask"][1].tolist() == [0] * missing + [1] * (batch["input_ids"].shape[1] - missing)
    assert batch["input_features"].shape[0] == 2
