"""The published folder layout: read, checked, written."""

import json
import subprocess
import sys
import zipfile

import pytest

from crab import CrabError, avuie
from crab.tasks import TASKS

# One record of every file, with the fields that the published ones have.
_CLIP = {"video_path": "a/b.mp4", "audio_path": "a/b.mp3"}
_STILL = {"image_path": "AVS/v/frames/3.jpg", "audio_path": "AVS/v/audio.wav"}
_TEST_STILL = {"visual_path": "AVS/v/frames/3.jpg", "audio_path": "AVS/v/audio.wav"}
_TWO_VIDEOS = {"video1_path": "1.mp4", "video2_path": "2.mp4", "audio_path": "a.mp3", "correct_video": 2}
_TWO_SOUNDS = {"video_path": "a.mp4", "audio1_path": "1.mp3", "audio2_path": "2.mp3", "correct_audio": "1"}
_SPOKEN = {"audio1_event": "dog", "audio2_event": "cat", "video_event": "dog"}
_AVQA = {"video_id": 4, "question_id": 9, "type": "[]", "question": "How many sound?", "answer": "two"}
_THU = {
    "id": 1,
    "video_name": "v",
    "video_id": 3,
    "question_relation": "Both",
    "question_type": "Where",
    "multi_choice": ["a dog", "a seal"],
    "question_text": "What is barking?",
    "answer": 0,
}
_AVE = {"event": "Bark", "vid": "v", "start_time": 0, "end_time": "8"}
_AVVP = {"filename": "v_0_10", "vid": "v", "event": "Dog,Speech"}
_AVS = {"vid": "v", "uid": "u", "a_obj": "dog"}
_POINTS = "The object making the sound in the video is dog. [12,30,200,180] [60,70],[80,90],[99,99]"
ROWS = {
    "train": {
        "a2v": _TWO_VIDEOS | {"audio_event": "dog", "video1_event": "cat", "video2_event": None,
                              "label": "The second barks. <answer>two</answer>."},
        "v2a": _TWO_SOUNDS | _SPOKEN | {"label": "<answer>1</answer>."},
        "ks": _CLIP | {"action": "tap dancing", "label": "He taps. <answer>tap dancing</answer>"},
        "ucf": _CLIP | {"label": "Archery", "new_label": "<answer>archery</answer>"},
        "meld": _CLIP | {"Emotion": "joy", "label": "<answer>joy</answer>."},
        "mer24": _CLIP | {"discrete": "happy", "label": "她笑了。<answer>happy</answer>."},
        "cremad": _CLIP | {"emotion": "anger", "label": "<answer>anger</answer>."},
        "mafw": _CLIP | {"emotion": "anger", "label": "<answer>anger</answer>."},
        "dfew": _CLIP | {"emotion": "anger", "label": "<answer>anger</answer>."},
        "avqa": _CLIP | _AVQA | {"label": "Two of them do, so the answer is two."},
        "avqa_thu": _CLIP | _THU | {"label": "a dog"},
        "ave": _CLIP | _AVE | {"label_content": "<event> Bark </event> and <range> 0,8 </range>."},
        "unav": _CLIP | {"vid": "v", "label_content": "<event>people eating, (0 3)(7 10)</event>."},
        "avvp": _CLIP | _AVVP | {"label_content": "<visual_event>Dog,(0 3)</visual_event>"},
        "avcap": _CLIP | {"video_id": "v", "label_content": "A dog barks."},
        "ms3": _STILL | _AVS | {"frame_idx": 3, "label_content": _POINTS},
        "s4": _STILL | _AVS | {"label_content": _POINTS},
        "arig": _STILL | {"a_obj": "dog", "label_content": "Its coordinates are <obj>(1,2)(30,40)</obj>."},
        "ref_avs": _STILL | {"vid": "v", "fid": 2, "uid": "u", "idx": 7, "description": "The loudest dog",
                             "output": "<answer>false</answer> It is absent."},
    },
    "test": {
        "a2v": _TWO_VIDEOS, "v2a": _TWO_SOUNDS, "ks": _CLIP | {"action": "tap dancing"},
        "ucf": _CLIP | {"label": "Archery"}, "meld": _CLIP | {"Emotion": "joy"}, "cremad": _CLIP | {"emotion": "anger"},
        "mafw": _CLIP | {"emotion": "anger"}, "dfew": _CLIP | {"emotion": "anger"}, "avqa": _CLIP | _AVQA,
        "avqa_thu": _CLIP | _THU, "ave": _CLIP | _AVE, "avvp": _CLIP | _AVVP,
        "ms3": _TEST_STILL | _AVS | {"frame_idx": 3}, "s4": _TEST_STILL | _AVS | {"frame_idx": "3"},
        "arig": _TEST_STILL | {"top_left": [1, 2], "bottom_right": [30, 40], "a_obj": "dog", "frame_idx": 2},
        "ref_avs": _TEST_STILL | {"object": "The loudest dog", "split": "test_s", "vid": "v", "uid": "u", "fid": 2,
                                  "frame_idx": 7},
    },
}  # fmt: skip
EVERY_FILE = [(dataset, split) for split, rows in ROWS.items() for dataset in rows]
MISSING = object()  # in place of a field's value or of a file: it is not there
FOLDER = object()  # in place of a file


@pytest.fixture
def folder(tmp_path):
    """All 35 files with four good records each, and their media: files with something in them, which is no medium."""
    for dataset, split in EVERY_FILE:
        avuie.write(tmp_path, dataset, split, [ROWS[split][dataset]] * 4)
        home = tmp_path / "AVUIE_2" / dataset
        for slot, field in avuie.FIELDS[split][dataset].media.items():
            part = "" if dataset in ("ms3", "s4", "arig", "ref_avs") else slot.removesuffix("2")
            path = home / part / ROWS[split][dataset][field]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
    return tmp_path


# ---- reading ----


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
    assert record.open()[0].piece == 7


def test_a_box_stands_in_its_reference(tmp_path):
    avuie.write(tmp_path, "arig", "test", [ROWS["test"]["arig"]])
    [record] = avuie.read(tmp_path, "arig")
    assert record.reference == "The sounding object is dog. Its coordinates are <obj>(1,2)(30,40)</obj>."


def test_every_split_belongs_to_a_task():
    assert set(avuie.TRAIN_FIELDS) == set(TASKS)
    assert set(avuie.TEST_FIELDS) == set(TASKS) - {"unav", "avcap", "mer24"}


@pytest.mark.parametrize("dataset, split", EVERY_FILE)
def test_every_file_is_read(folder, dataset, split):
    record = list(avuie.read(folder, dataset, split=split))[3]
    assert (record.task, record.number, record.row) == (TASKS[dataset], 3, ROWS[split][dataset])
    media = [record.video, record.video2, record.image, record.audio, record.audio2]
    kinds = [kind for kind, path in zip(["video", "video", "image", "audio", "audio"], media) if path]
    assert sorted(kinds) == sorted(TASKS[dataset].media)
    assert all(path.is_file() for path in media if path)
    assert bool(record.question) == bool(TASKS[dataset].needs)
    assert (bool(record.target), bool(record.reference)) == (split == "train", split == "test")


def test_training_and_test_differ_in_their_fields(folder):
    assert _first(folder, "ref_avs", "train").question == _first(folder, "ref_avs", "test").question
    assert [_first(folder, name, "train").frame for name in ("ms3", "s4", "arig", "ref_avs")] == [3, 0, 3, 7]
    assert [_first(folder, name, "test").frame for name in ("ms3", "s4", "arig", "ref_avs")] == [3, 3, 2, 7]
    assert _first(folder, "ks", "train").frame is None
    assert _first(folder, "ucf", "train").target == "<answer>archery</answer>"
    assert _first(folder, "ucf", "test").reference == "<answer>archery</answer>"
    assert _first(folder, "avqa_thu", "test").question == "What is barking?, options:['a dog', 'a seal']"
    assert _first(folder, "mer24", "train").target.startswith("她笑了。")


def test_a_missing_field_is_named(tmp_path):
    avuie.write(tmp_path, "ks", "test", [{"video_path": "a.mp4", "audio_path": "a.mp3"}])
    with pytest.raises(CrabError, match=r"record 0: the field 'action'"):
        list(avuie.read(tmp_path, "ks"))


def test_reading_asks_for_what_it_needs_only(tmp_path):
    avuie.write(tmp_path, "avvp", "test", [{**_CLIP, "event": "Dog"}, {**_CLIP, "event": {}}, 5])
    records = avuie.read(tmp_path, "avvp")
    assert next(records).reference == "Dog"
    with pytest.raises(CrabError, match=r"record 1: the field 'event' is {}, not text, a number or a list of them"):
        next(records)


def test_a_missing_or_broken_file_is_said(tmp_path):
    with pytest.raises(CrabError, match="no ks/test.json"):
        list(avuie.read(tmp_path, "ks"))
    with pytest.raises(CrabError, match="no test split"):
        list(avuie.read(tmp_path, "unav"))
    file = avuie.write(tmp_path, "ks", "test", [])
    assert list(avuie.read(tmp_path, "ks")) == []
    file.write_text("[")
    with pytest.raises(CrabError, match="not JSON"):
        list(avuie.read(tmp_path, "ks"))
    file.write_text("{}")
    with pytest.raises(CrabError, match="not a list"):
        list(avuie.read(tmp_path, "ks"))


def test_no_decoder_is_needed_to_read_and_check(golden):
    """A machine that only trains has none of these; neither do we wait for torch."""
    code = (
        "import sys\n"
        "for name in ('av', 'cv2', 'numpy', 'PIL', 'torch'): sys.modules[name] = None\n"
        "from crab import avuie\n"
        f"print(len(list(avuie.read({str(golden)!r}, 'avqa'))), len(avuie.check({str(golden)!r}).splits))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=golden.parent.parent)
    assert done.stdout.split() == ["1", "14"], done.stderr


# ---- checking ----


def test_a_whole_folder_has_no_faults(folder):
    for name in ("avss", "ks/video/deep"):
        (folder / "AVUIE_2" / name).mkdir()
    report = avuie.check(folder)
    assert [(split.dataset, split.split) for split in report.splits] == sorted(
        EVERY_FILE, key=lambda file: (list(TASKS).index(file[0]), file[1] == "test")
    )
    assert all((split.rows, split.faults) == (4, ()) for split in report.splits)
    assert (report.absent, report.ignored) == ((), ("avss",))
    assert report == avuie.check(folder / "AVUIE_2")


# What is done to one record: dataset, split, row, field ("": the whole row), its new value, the kind of fault.
PLANTED = [
    ("meld", "train", 3, "", "joy", "not an object"),
    ("ks", "train", 3, "", None, "not an object"),
    ("v2a", "test", 1, "", [], "not an object"),
    # A field is not there, whether we read it or only the released code does; its medium is not missed as well.
    ("a2v", "train", 0, "video2_path", MISSING, "missing field"),
    ("a2v", "train", 1, "video1_event", MISSING, "missing field"),
    ("v2a", "test", 0, "audio2_path", MISSING, "missing field"),
    ("ks", "train", 0, "label", MISSING, "missing field"),
    ("ucf", "train", 0, "new_label", MISSING, "missing field"),
    ("meld", "test", 0, "Emotion", MISSING, "missing field"),
    ("mer24", "train", 0, "discrete", MISSING, "missing field"),
    ("avqa", "test", 0, "type", MISSING, "missing field"),
    ("unav", "train", 0, "vid", MISSING, "missing field"),
    ("s4", "test", 0, "frame_idx", MISSING, "missing field"),
    ("arig", "test", 0, "top_left", MISSING, "missing field"),
    ("ref_avs", "train", 0, "description", MISSING, "missing field"),
    ("ref_avs", "test", 0, "object", MISSING, "missing field"),
    # A field holds something else.
    ("ks", "test", 0, "action", None, "wrong kind"),
    ("ks", "test", 1, "action", "", "wrong kind"),
    ("ks", "test", 2, "video_path", ["b.mp4"], "wrong kind"),
    ("ks", "test", 3, "audio_path", "", "wrong kind"),
    ("cremad", "train", 0, "label", {"answer": "anger"}, "wrong kind"),
    ("dfew", "test", 0, "emotion", True, "wrong kind"),
    ("avqa", "test", 1, "question", 3, "wrong kind"),
    ("avqa_thu", "train", 1, "multi_choice", [], "wrong kind"),
    ("ave", "test", 0, "start_time", "early", "wrong kind"),
    ("ms3", "test", 0, "frame_idx", -1, "wrong kind"),
    ("s4", "test", 1, "frame_idx", 1.5, "wrong kind"),
    ("arig", "train", 0, "image_path", "AVS/v/frames/last.jpg", "wrong kind"),
    ("arig", "test", 1, "bottom_right", [30], "wrong kind"),
    ("ref_avs", "test", 1, "object", None, "wrong kind"),
    # A medium is not there, or has nothing in it.
    ("v2a", "train", 0, "audio2_path", "9.mp3", "missing medium"),
    ("ucf", "test", 0, "video_path", "a", "missing medium"),  # a folder
    ("mafw", "test", 0, "audio_path", "nul\0.mp3", "missing medium"),
    ("dfew", "test", 1, "video_path", "half \ud800.mp4", "missing medium"),
    ("ms3", "train", 0, "image_path", "frames/3.jpg", "missing medium"),
    ("avcap", "train", 0, "audio_path", "empty", "empty medium"),
    ("s4", "train", 0, "audio_path", "empty", "empty medium"),
    # A target does not say what it should.
    ("a2v", "train", 2, "label", "<answer>both</answer>.", "bad target"),
    ("v2a", "train", 1, "label", "It is the first.", "bad target"),
    ("ks", "train", 1, "label", "tap dancing", "bad target"),
    ("meld", "train", 0, "label", "<answer> </answer>.", "bad target"),
    ("avqa", "train", 0, "label", "", "bad target"),
    ("avqa_thu", "train", 0, "label", " \n", "bad target"),
    ("ave", "train", 0, "label_content", "<event>Bark</event>", "bad target"),
    ("unav", "train", 1, "label_content", "people eating, (0 3)", "bad target"),
    ("avvp", "train", 0, "label_content", "<audio_event>Dog,(11 12)</audio_event>", "bad target"),
    ("avcap", "train", 1, "label_content", "", "bad target"),
    ("ms3", "train", 1, "label_content", "[12,30,200,180]", "bad target"),
    ("s4", "train", 1, "label_content", "[60,70],[80,90],[99,99]", "bad target"),
    ("arig", "train", 1, "label_content", "The sounding object is dog.", "bad target"),
    ("ref_avs", "train", 1, "output", "The dog, [12,30,200,180]", "bad target"),
    # One record can have several, of which none hides another.
    ("ref_avs", "train", 2, "idx", "seven", "wrong kind"),
    ("ref_avs", "train", 2, "uid", MISSING, "missing field"),
    ("ref_avs", "train", 2, "audio_path", "gone.wav", "missing medium"),
    ("ref_avs", "train", 2, "output", "<answer>maybe</answer>", "bad target"),
]
# What is done to a whole file: its content.
BROKEN = [
    ("cremad", "test", MISSING, "missing file"),
    ("a2v", "test", FOLDER, "unreadable file"),
    ("mafw", "train", b'[{"video_path": ', "not JSON"),
    ("dfew", "train", b"[" * 100_000, "not JSON"),
    ("avqa_thu", "test", b'["\xff"]', "not JSON"),
    ("avvp", "test", b'{"rows": []}', "not a list"),
]


def test_every_planted_fault_is_found_once_and_nothing_else(folder):
    planted = _spoil(folder)
    report = avuie.check(folder)
    found = [(fault.file, fault.row, fault.kind) for split in report.splits for fault in split.faults]
    assert sorted(found, key=str) == sorted(planted, key=str)
    rows = {(split.dataset, split.split): split.rows for split in report.splits}
    assert rows["ks", "test"] == 4 and rows["mafw", "train"] == 0


def test_a_fault_is_a_sentence(folder):
    _spoil(folder)
    said = {(fault.file, fault.row, fault.kind): fault.text for s in avuie.check(folder).splits for fault in s.faults}
    assert said["cremad/test.json", None, "missing file"] == "the file is missing."
    assert said["avvp/test.json", None, "not a list"] == "the file is not a list of records."
    assert said["meld/train.json", 3, "not an object"] == "the record is 'joy', not an object with fields."
    assert said["ks/train.json", 0, "missing field"] == "the field 'label' is missing."
    assert said["arig/test.json", 1, "wrong kind"] == "the field 'bottom_right' is [30], not a list of two numbers."
    assert said["v2a/train.json", 0, "missing medium"] == "the file 'audio/9.mp3' is missing."
    assert said["s4/train.json", 0, "empty medium"] == "the file 'empty' is empty."
    assert said["ks/train.json", 1, "bad target"] == "the target 'tap dancing' lacks an <answer>."
    assert all(text.isprintable() and text.endswith(".") for text in said.values())


def test_reading_stumbles_over_nothing_that_the_check_does_not_name(folder):
    _spoil(folder)
    for checked in avuie.check(folder).splits:
        try:
            read = len(list(avuie.read(folder, checked.dataset, split=checked.split)))
        except CrabError:
            assert {fault.kind for fault in checked.faults} - {"missing medium", "empty medium", "bad target"}
        else:
            assert read == checked.rows


def test_a_report_is_plain_data(folder):
    _spoil(folder)
    report = avuie.to_json(avuie.check(folder))
    plain = json.loads(json.dumps(report))
    assert plain["folder"] == str(folder / "AVUIE_2")
    assert plain["splits"][0].keys() == {"dataset", "split", "rows", "faults"}
    assert {"file": "ks/train.json", "row": 0, "kind": "missing field", "text": "the field 'label' is missing."} in [
        fault for split in plain["splits"] for fault in split["faults"]
    ]


def test_a_dataset_may_be_absent_but_not_all(tmp_path, golden):
    with pytest.raises(CrabError, match="There is no dataset under"):
        avuie.check(tmp_path)
    report = avuie.check(golden)
    assert "ks" in report.absent and "avqa" not in report.absent
    faults = [(fault.file, fault.kind) for split in report.splits for fault in split.faults]
    assert faults == [(f"{split.dataset}/train.json", "missing file") for split in report.splits[::2]]


def _first(folder, dataset, split):
    return next(avuie.read(folder, dataset, split=split))


def _spoil(folder):
    """Do everything in `PLANTED` and `BROKEN`; returns (file, row, kind) of it all."""
    files = {}
    for dataset, split, row, field, value, kind in PLANTED:
        file = folder / "AVUIE_2" / dataset / f"{split}.json"
        rows = files.setdefault(file, json.loads(file.read_text()))
        if field == "":
            rows[row] = value
        elif value is MISSING:
            del rows[row][field]
        else:
            rows[row][field] = value
        if kind == "empty medium":
            (file.parent / ("audio" if dataset == "avcap" else "") / value).touch()
    for file, rows in files.items():
        file.write_text(json.dumps(rows))
    for dataset, split, content, _ in BROKEN:
        file = folder / "AVUIE_2" / dataset / f"{split}.json"
        file.unlink()
        if content is FOLDER:
            file.mkdir()
        elif content is not MISSING:
            file.write_bytes(content)
    planted = [(f"{dataset}/{split}.json", row, kind) for dataset, split, row, _, _, kind in PLANTED]
    return planted + [(f"{dataset}/{split}.json", None, kind) for dataset, split, _, kind in BROKEN]


# ---- writing ----


def test_what_is_written_is_read(tmp_path):
    file = avuie.write(tmp_path, "mer24", "train", (ROWS["train"]["mer24"] for _ in range(2)))
    assert file == tmp_path / "AVUIE_2" / "mer24" / "train.json"
    assert [record.row for record in avuie.read(tmp_path, "mer24", split="train")] == [ROWS["train"]["mer24"]] * 2


def test_the_folder_itself_can_be_written_to(tmp_path):
    for root in (tmp_path / "AVUIE_2", tmp_path):
        avuie.write(root, "ks", "test", [])
    (tmp_path / "AVUIE_2").rename(tmp_path / "mine")
    avuie.write(tmp_path / "mine", "ave", "test", [])
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"ave", "ks"}


def test_a_file_is_never_half_written(tmp_path):
    file = avuie.write(tmp_path, "ks", "test", [ROWS["test"]["ks"]])
    with pytest.raises(TypeError):
        avuie.write(tmp_path, "ks", "test", [{"action": object()}])
    assert len(list(avuie.read(tmp_path, "ks"))) == 1
    assert list(file.parent.iterdir()) == [file]


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(CrabError, match="mer24 has no test split"):
        avuie.write(tmp_path, "mer24", "test", [])
    (tmp_path / "AVUIE_2").write_text("in the way")
    with pytest.raises(CrabError, match=r"ks.test\.json cannot be written"):
        avuie.write(tmp_path, "ks", "test", [])


# ---- the published archive ----


@pytest.fixture
def archive(folder, tmp_path):
    """Makes a zip of the annotations, with `more` entries: name -> bytes."""

    def make(more=(), *, without=(), name="AVUIE_2.zip"):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            for dataset, split in EVERY_FILE:
                if dataset not in without:
                    out.write(folder / "AVUIE_2" / dataset / f"{split}.json", f"AVUIE_2/{dataset}/{split}.json")
            for entry, data in dict(more).items():
                out.writestr(entry, data)
        return path

    return make


def test_the_published_archive_is_checked_as_it_is(archive):
    report = avuie.check(archive({"__MACOSX/AVUIE_2/._ks": b"x", "AVUIE_2/.DS_Store": b"x"}))
    assert len(report.splits) == 35 and {split.rows for split in report.splits} == {4}
    assert not report.media and not any(split.faults for split in report.splits)
    assert report.absent == report.ignored == ()


def test_what_is_wrong_in_an_archive_is_told_as_in_a_folder(archive):
    rows = [ROWS["train"]["ks"] | {"label": "He taps."}, 5]
    bad = {"AVUIE_2/ks/train.json": json.dumps(rows), "AVUIE_2/new/a.txt": ""}
    report = avuie.check(archive(bad, without=["ks", "ucf"]))
    ks = {split.split: split for split in report.splits if split.dataset == "ks"}
    assert [(fault.row, fault.kind) for fault in ks["train"].faults] == [(0, "bad target"), (1, "not an object")]
    assert [fault.kind for fault in ks["test"].faults] == ["missing file"]
    assert report.absent == ("ucf",) and report.ignored == ("new",)


def test_a_file_that_is_damaged_in_its_archive_is_a_fault_of_its_own(archive):
    path = archive()
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as opened:
        entry = opened.getinfo("AVUIE_2/ks/test.json")
    at = entry.header_offset + 30 + len(entry.filename) + 2
    data[at : at + 8] = b"\xff" * 8
    path.write_bytes(data)
    faults = [fault for split in avuie.check(path).splits for fault in split.faults]
    assert [(fault.file, fault.kind) for fault in faults] == [("ks/test.json", "unreadable file")]


@pytest.mark.parametrize("name", ["../../evil.json", "/etc/evil.json", "AVUIE_2/../../x", "C:evil", "a\\..\\..\\x"])
def test_an_entry_that_leads_out_of_the_archive_is_refused(archive, name):
    with pytest.raises(CrabError, match="leads out of it"):
        avuie.check(archive({name: b"[]"}))


def test_a_link_in_an_archive_is_refused(archive):
    link = zipfile.ZipInfo("AVUIE_2/ks/link.json")
    link.external_attr = 0o120777 << 16
    with pytest.raises(CrabError, match="leads out of it"):
        avuie.check(archive({link: "/etc/passwd"}))


def test_an_archive_that_inflates_to_gigabytes_is_refused_before_any_of_it_is_read(archive, monkeypatch):
    path = archive({"AVUIE_2/bomb": b"\0" * 2_000_000})
    monkeypatch.setattr(avuie, "INFLATED", 1_900_000)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(CrabError, match="would inflate to 0.0 GB in 36 files"):
        avuie.check(path)


def test_an_entry_that_is_larger_than_the_directory_says_is_read_no_further(archive):
    """The size in the directory is a claim: 100 bytes that inflate to 10 MB."""
    path = archive({"AVUIE_2/ks/test.json": b" " * 10_000_000}, without=["ks"])
    data = bytearray(path.read_bytes())
    where = data.rfind(b"AVUIE_2/ks/test.json") - 46  # its record in the directory, where the size stands at 24
    assert data[where : where + 4] == b"PK\x01\x02"
    data[where + 24 : where + 28] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    [split] = [s for s in avuie.check(path).splits if (s.dataset, s.split) == ("ks", "test")]
    assert [fault.kind for fault in split.faults] == ["unreadable file"]


def test_a_file_that_is_no_archive_is_a_sentence(tmp_path):
    (tmp_path / "AVUIE_2.zip").write_bytes(b"<html>not found</html>")
    with pytest.raises(CrabError, match="no archive that can be read"):
        avuie.check(tmp_path / "AVUIE_2.zip")


def test_records_are_not_read_from_an_archive_because_their_media_are_not_there(archive):
    with pytest.raises(CrabError, match="archive without media: unpack it"):
        avuie.read(archive(), "ks")
