"""The published folder layout, read."""

import json

import pytest

from crab import CrabError, avuie
from crab.tasks import TASKS


def test_a_record_becomes_clips_and_a_question(golden):
    [record] = avuie.read(golden, "avqa")
    assert record.question == "How many people are speaking in the video?"
    assert record.reference == "one"
    clip, other = record.open()
    assert clip.video and clip.audio and other is None


def test_matching_has_a_second_clip(golden):
    [record] = avuie.read(golden, "v2a")
    assert record.reference == "<answer>1</answer>."
    clip, other = record.open()
    assert clip.video.name == "1.mp4" and clip.audio.name == "1.mp3" and other.audio.name == "2.mp3"


def test_a_still_knows_its_second(golden):
    [record] = avuie.read(golden / "AVUIE_2", "ref_avs")
    assert record.open()[0].frame == 7


def test_a_box_stands_in_its_reference(tmp_path):
    row = {"visual_path": "a.jpg", "audio_path": "a.wav", "top_left": [1, 2], "bottom_right": [30, 40],
           "a_obj": "dog", "frame_idx": 2}
    _write(tmp_path, "arig", [row])
    [record] = avuie.read(tmp_path, "arig")
    assert record.reference == "The sounding object is dog. Its coordinates are <obj>(1,2)(30,40)</obj>."


def test_every_test_split_belongs_to_a_task():
    assert set(avuie.TEST_FIELDS) == set(TASKS) - {"unav", "avcap", "mer24"}


def test_a_missing_field_is_named(tmp_path):
    _write(tmp_path, "ks", [{"video_path": "a.mp4", "audio_path": "a.mp3"}])
    with pytest.raises(CrabError, match=r"record 0: the field 'action'"):
        list(avuie.read(tmp_path, "ks"))


def test_a_missing_or_broken_file_is_said(tmp_path):
    with pytest.raises(CrabError, match="no ks/test.json"):
        list(avuie.read(tmp_path, "ks"))
    with pytest.raises(CrabError, match="no test split"):
        list(avuie.read(tmp_path, "unav"))
    _write(tmp_path, "ks", [])
    (tmp_path / "AVUIE_2" / "ks" / "test.json").write_text("[")
    with pytest.raises(CrabError, match="not JSON"):
        list(avuie.read(tmp_path, "ks"))


def _write(folder, dataset, rows):
    (folder / "AVUIE_2" / dataset).mkdir(parents=True)
    (folder / "AVUIE_2" / dataset / "test.json").write_text(json.dumps(rows))
