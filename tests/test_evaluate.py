"""Scoring rows of the published layout by hand-made answers."""

import json

import numpy as np
import pytest
from PIL import Image

from crab import CrabError, avuie
from crab.__main__ import main
from crab.ask import ask
from crab.learn import evaluate
from crab.learn.rows import read_rows
from crab.prompt import Media, gather
from crab.scenes import dataset
from crab.step import Written

CLIP = {"video_path": "c.mp4", "audio_path": "c.mp3"}
NOTHING_THERE = "Nothing makes a sound."


# ---- rows ----


class WholeBox:
    """Takes the whole box for the object."""

    name = "the box"

    def __call__(self, frame, box, points):
        mask = np.zeros(frame.shape[:2], bool)
        if box:
            mask[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = True
        return mask, None


def report_on(dataset, fields, predictions, *, root="nowhere"):
    """The report on one dataset, from each record's fields and reference and what was said about it."""
    rows = [
        {**of, "task": dataset, "record": i, "predict": text} for i, (of, text) in enumerate(zip(fields, predictions))
    ]
    return evaluate.to_json(evaluate.score(rows, root=root, segmenter=WholeBox()))


def measures_of(dataset, references, predictions):
    report = report_on(dataset, [{"output": reference} for reference in references], predictions)
    return report["datasets"][dataset], [flaw["record"] for flaw in report["invalid"]]


@pytest.mark.parametrize(("dataset", "reference", "right", "wrong"), [
    ("ks", "<answer>playing_guitar</answer>", "He plays. <answer>Playing guitar</answer>.", "<answer>dancing</answer>"),
    ("ucf", "<answer>archery</answer>", "<answer>Archery</answer>", "<answer>bowling</answer>"),
    ("meld", "<answer>neutral</answer>.", "<answer> neutral </answer>", "<answer>joy</answer>"),
    ("mer24", "A sad face. <answer>\u60b2\u4f24</answer>.", "<answer>\u60b2\u4f24</answer>", "<answer>sad</answer>"),
    ("cremad", "<answer>anger</answer>.", "<answer>anger", "<answer>fear</answer>"),
    ("mafw", "<answer>anger</answer>.", "<answer>fear</answer> or <answer>anger</answer>.", "<answer>fear</answer>"),
    ("dfew", "<answer>happy</answer>.", "<answer>Happy.</answer>", "<answer>sad</answer>"),
    ("a2v", "<answer>2</answer>.", "<answer>two</answer>.", "<answer>first</answer>"),
    ("v2a", "<answer>one</answer>.", "<answer>first</answer>.", "<answer>2</answer>"),
])  # fmt: skip
def test_accuracy_counts_an_answer_that_cannot_be_read_as_wrong(dataset, reference, right, wrong):
    measures, invalid = measures_of(dataset, [reference] * 4, [right, wrong, "I cannot tell.", ""])
    assert measures == {"answers": 4, "invalid": 2, "unscored": 0, "accuracy": 1 / 4}
    assert invalid == [2, 3]


def test_questions_are_counted_by_type_as_well():
    fields = [
        {"output": "two", "type": '["Audio", "Counting"]'}, {"output": "two", "type": ["Audio", "Counting"]},
        {"output": "yes", "type": "Existential"}, {"output": "yes", "type": "Existential"},
    ]  # fmt: skip
    report = report_on("avqa", fields, ["<answer>two</answer>", "<answer>one</answer>", " Yes.", "They do, yes."])
    assert report["datasets"]["avqa"]["accuracy"] == 2 / 4
    assert report["datasets"]["avqa"]["by_type"] == {"Audio Counting": 1 / 2, "Existential": 1 / 2}
    # A bare word is an answer where it is the reference; other prose without an <answer> is none.
    assert report["invalid"] == [
        {"dataset": "avqa", "record": 3, "reason": "The answer 'They do, yes.' lacks an <answer>."}
    ]


def test_the_other_questions_have_another_field_for_the_type():
    report = report_on("avqa_thu", [{"output": "a dog", "question_type": "Which"}], ["<answer>a dog</answer>"])
    assert report["datasets"]["avqa_thu"]["by_type"] == {"Which": 1.0}


def test_ave_counts_segments_and_silence_is_not_right_about_the_background():
    reference = "event:Male speech, man speaking start_time:0 end_time:8"
    measures, invalid = measures_of("ave", [reference] * 4, [
        "<event>Male speech, man speaking, (0 8)</event>",
        "<event> male speech, man speaking </event>, and the time range is <range> 0,4 </range>.",
        "<event>Dog, (0 8)</event>",
        NOTHING_THERE,
    ])  # fmt: skip
    assert measures["segment_accuracy"] == pytest.approx((1.0 + 0.6 + 0.2 + 0.0) / 4) and invalid == [3]


def test_unav_is_mean_average_precision():
    target = "It barks. The events are <event>dog barking, (0 5)</event> <event>rain, (2 8)</event>."
    measures, invalid = measures_of("unav", [target], ["<event>dog barking, (0 4)</event> <event>rain, (2 8)</event>"])
    assert (
        measures["map_0.5"] == measures["map_0.8"] == 1.0 and measures["map_0.9"] == 0.5
    )  # (0 4) of (0 5) is an IoU of 0.8
    assert measures["map"] == pytest.approx((8 + 0.5) / 9) and invalid == []
    measures, invalid = measures_of("unav", [target], [NOTHING_THERE])
    assert measures["map"] == measures["map_0.5"] == 0.0 and invalid == [0]


DOG = "<audio_event>Dog, (0 5)</audio_event> <visual_event>Dog, (0 10)</visual_event>"


@pytest.mark.parametrize("event", [
    DOG,
    "<audio>Dog,(0 5)</audio> and <visual>Dog,(0 10)</visual>",
    str(DOG.split("> <")).replace("', '", ">', '<"),  # a list of tagged texts, printed
    {"audio": {"Dog": [[0, 5]]}, "visual": {"Dog": [[0, 10]]}},
    '[{"event": "Dog", "modality": "audio", "start": 0, "end": 5}, '
    '{"event": "Dog", "modality": "visual", "start": 0, "end": 10}]',
])  # fmt: skip
def test_avvp_reads_events_in_several_forms(event):
    measures, invalid = measures_of("avvp", [event], [DOG])
    assert measures["unscored"] == 0 and invalid == []
    assert all(measures[f"{level}_{of}"] == 1.0 for level in ("segment", "event")
               for of in ("audio", "visual", "av", "type", "event"))  # fmt: skip


def test_avvp_by_hand_and_says_which_reference_it_cannot_read():
    report = report_on("avvp", [{"output": DOG}, {"output": DOG}, {"output": "Dog,Speech"}], [
        "<visual_event>Dog, (0 10)</visual_event>", NOTHING_THERE, DOG,
    ])  # fmt: skip
    measures = report["datasets"]["avvp"]
    assert (measures["segment_audio"], measures["segment_visual"], measures["segment_av"]) == (0.0, 0.5, 0.0)
    assert measures["segment_event"] == pytest.approx(2 * 10 / (2 * 10 + 5) / 2)
    assert measures["segment_type"] == pytest.approx(1 / 3 / 2)
    assert [flaw["record"] for flaw in report["invalid"]] == [1]
    assert [(flaw["record"], flaw["reason"]) for flaw in report["unscored"]] == [
        (2, "The reference 'Dog,Speech' cannot be read.")
    ]
    assert (measures["answers"], measures["invalid"], measures["unscored"]) == (3, 1, 1)


def test_arig_counts_a_box_without_an_area_as_no_box():
    reference = "The sounding object is dog. Its coordinates are <obj>(0,0)(100,100)</obj>."
    measures, invalid = measures_of("arig", [reference] * 4, [
        reference, "<obj>(0,0)(100,50)</obj>", "<obj>(7,7)(7,50)</obj>", NOTHING_THERE,
    ])  # fmt: skip
    assert measures["ciou"] == pytest.approx(1.5 / 4) and invalid == [2, 3]
    assert measures["auc"] == pytest.approx((1.0 + 0.525 + 0.025 + 0.025) / 4)


def test_boxes_stand_beside_one_box_for_every_picture():
    references = [f"The sounding object is dog. Its coordinates are <obj>(0,0)({x},100)</obj>." for x in (50, 150)]
    measures, _ = measures_of("arig", references, [references[0], NOTHING_THERE])
    assert (measures["ciou"], measures["ciou_of_mean_box"]) == pytest.approx((1 / 2, (50 / 100 + 100 / 150) / 2))


def test_captions_are_scored_over_the_set():
    measures, invalid = measures_of(
        "avcap", ["A dog is on the left.", "We hear a bell.", "It rains."], ["A dog is on the left.", "", "The sun"]
    )
    assert measures["cider"] == pytest.approx(10 / 3) and invalid == [1]


def _picture(path, mask=None):
    """A grey picture, or a mask that is a box, at twice the grid's size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((448, 448), 90, np.uint8)
    if mask:
        x1, y1, x2, y2 = mask
        pixels[:] = 0
        pixels[2 * y1 : 2 * y2, 2 * x1 : 2 * x2] = 38
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("dataset", ["s4", "ms3"])
def test_masks_are_compared_with_the_true_ones(dataset, tmp_path):
    home = tmp_path / "AVUIE_2" / dataset
    places = [f"s/frames/v/{i}.jpg" for i in range(6)]
    for i, place in enumerate(places):
        if i != 4:  # a picture that is missing
            _picture(home / place)
        if i != 5:  # a true mask that is missing
            _picture(home / f"s/labels_rgb/v/{i}.png", mask=(0, 0, 100, 100))
    fields = [{"output": "The object making the sound in the video is dog.", "visual_path": place} for place in places]
    box = "The object is a dog. [0,0,100,100] [50,50] [60,60] [70,70]"
    predictions = [box, "[0,0,100,50] [9,9]", "[5,5,5,99] [50,50] [60,60] [70,70]", NOTHING_THERE, box, box]
    report = report_on(dataset, fields, predictions, root=tmp_path)
    measures = report["datasets"][dataset]
    # Of one clip, where something is always to be seen, the two rules agree.
    assert measures["j_avsbench"] == measures["j_released"] == pytest.approx((1.0 + 0.5) / 5)
    assert measures["f_avsbench"] == measures["f_released"] == pytest.approx((1.0 + 1.3 * 0.5 / (0.3 + 0.5)) / 5)
    assert (measures["answers"], measures["masks"]) == (6, 5)
    # The box of the true mask ends with its last row and column; without the picture there is no mask to make of it.
    assert measures["j_of_true_box"] == pytest.approx(99 * 99 / (100 * 100))
    assert [flaw["record"] for flaw in report["invalid"]] == [2, 3, 4]
    assert "box without an area" in report["invalid"][0]["reason"] and "4.jpg" in report["invalid"][2]["reason"]
    assert [flaw["record"] for flaw in report["unscored"]] == [5]
    assert report["unscored"][0]["reason"].startswith(f"The true mask {dataset}/s/labels_rgb/v/5.png is missing")


def test_points_alone_are_an_answer_too(tmp_path):
    report = report_on("s4", [{"output": "", "visual_path": "s/frames/v/0.jpg"}], ["[5,5] [6,6] [7,7]"], root=tmp_path)
    assert "0.jpg" in report["invalid"][0]["reason"]  # it got as far as the picture


def test_ref_avs_by_split(tmp_path):
    home = tmp_path / "AVUIE_2" / "ref_avs"
    for fid in (1, 2):
        _picture(home / f"gt_mask/v/fid_{fid}/00007.png", mask=(0, 0, 100, 100))
    _picture(home / "media/v/frames/7.jpg")
    common = {"output": "the dog", "visual_path": "media/v/frames/7.jpg"}
    splits = [("test_s", 1), ("test_s", 2), ("test_s", 1), ("test_s", 3), ("test_u", 1), ("test_n", 1), ("test_n", 1)]
    found, absent = "<answer>true</answer> [0,0,100,100] [50,50]", "<answer>false</answer> It is absent."
    report = report_on(
        "ref_avs",
        [{**common, "split": split, "fid": fid} for split, fid in splits],
        [found, absent, "[0,0,100,100]", found, "<answer>true</answer>", absent, found],
        root=tmp_path,
    )
    measures = report["datasets"]["ref_avs"]
    assert measures["accuracy"] == pytest.approx(3 / 7)
    share = 100 * 100 / (224 * 224 - 100 * 100)
    whole = 100 * 100 / 224**2  # the precision of the whole frame, which AVSBench takes where it is better
    shown = 100 * 100 / (2 * 224 * 224)  # of two frames that are asked for the same thing
    assert measures["by_split"] == {
        "test_n": pytest.approx(
            {"answers": 2, "accuracy": 1 / 2, "s_ref_avs": shown**0.5, "s_released": share**0.5 / 2, "infinite": 0}
        ),
        # An absent object is J 0, no answer is J 0; the fourth has no true mask and is right about existence.
        "test_s": pytest.approx({"answers": 4, "accuracy": 2 / 4, "masks": 3, "j_avsbench": (1 / 2 + 0) / 2,
                                 "f_avsbench": (1 / 2 + 1.3 * whole / (0.3 * whole + 1)) / 2,
                                 "j_released": 1 / 3, "f_released": 1 / 3}),
        "test_u": pytest.approx({"answers": 1, "accuracy": 0.0, "masks": 1, "j_avsbench": 0.0, "f_avsbench": 0.0,
                                 "j_released": 0.0, "f_released": 0.0}),
    }  # fmt: skip
    assert [flaw["record"] for flaw in report["invalid"]] == [2, 4]
    assert [flaw["record"] for flaw in report["unscored"]] == [3]


def test_an_answer_that_cannot_be_read_is_no_empty_mask():
    fields = {"output": "the dog", "visual_path": "media/v/frames/7.jpg", "split": "test_n"}
    predictions = ["<answer>false</answer> It is absent.", "I cannot tell."]
    report = report_on("ref_avs", [fields | {"fid": fid} for fid in (1, 2)], predictions)["datasets"]["ref_avs"]
    assert report["by_split"]["test_n"] == {
        "answers": 2, "accuracy": 1 / 2, "s_ref_avs": 1 / 2, "s_released": 0.0, "infinite": 1
    }  # fmt: skip


def test_frames_of_one_folder_are_one_clip(tmp_path):
    home = tmp_path / "AVUIE_2" / "ms3"
    places = [f"s/frames/{clip}/{i}.jpg" for clip in "ab" for i in range(2)]
    for place, mask in zip(places, [(0, 0, 100, 100), (0, 0, 0, 0), (0, 0, 100, 100), (0, 0, 100, 100)]):
        _picture(home / place)
        _picture(home / place.replace("frames", "labels_rgb").replace("jpg", "png"), mask=mask)
    fields = [{"output": "The object making the sound in the video is dog.", "visual_path": place} for place in places]
    predictions = ["[0,0,100,100]", "[0,0,112,224]", "[0,0,100,100]", NOTHING_THERE]
    measures = report_on("ms3", fields, predictions, root=tmp_path)["datasets"]["ms3"]
    assert measures["j_avsbench"] == pytest.approx((1 + 1 / 2 + 1 + 0) / 4) and measures["masks"] == 4
    assert measures["j_released"] == pytest.approx((1 + 0 + 1 + 0) / 4)
    assert measures["f_avsbench"] == pytest.approx((1 + 1 / 2) / 2)  # of the first clip's frames one has something
    assert measures["f_released"] == pytest.approx((1 + 0 + 1 + 0) / 4)


# ---- the released code's own rows ----


def _lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_released_rows_are_scored_from_a_file_without_a_model(tmp_path, capsys):
    record = {
        "visual_path": "s/frames/v/0.jpg",
        "audio_path": "a.wav",
        "vid": "v",
        "uid": "u",
        "a_obj": "dog",
        "frame_idx": 0,
    }
    avuie.write(tmp_path, "s4", "test", [record])
    avuie.write(tmp_path, "ks", "test", [{**CLIP, "action": "singing"}] * 2)
    _picture(tmp_path / "AVUIE_2" / "s4" / "s/frames/v/0.jpg")
    _picture(tmp_path / "AVUIE_2" / "s4" / "s/labels_rgb/v/0.png", mask=(10, 20, 100, 200))
    file = _lines(tmp_path / "inference.jsonl", [
        {"task_name": "ks", "output": "<answer>singing</answer>", "predict": "<answer>singing</answer>"},
        {"a_obj": "dog", "idx": 0, "image_path": "/there/AVUIE_2/s4/s/frames/v/0.jpg", "task_name": "s4",
         "output": "The object making the sound in the video is dog.", "predict": "A dog. [10,20,100] [50,60]"},
        {"task_name": "ks", "output": "<answer>singing</answer>", "predict": "singing"},
        {"task_name": "ave", "output": "not asked for", "predict": ""},
    ])  # fmt: skip
    assert main(["evaluate", "--data", str(tmp_path), "--tasks", "ks", "s4", "--score", file, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["datasets"]["ks"] == {"answers": 2, "invalid": 1, "unscored": 0, "accuracy": 1 / 2}
    assert report["datasets"]["s4"]["masks"] == 1 and report["datasets"]["s4"]["unscored"] == 0
    assert report["invalid"] == [{"dataset": "ks", "record": 1, "reason": "The answer 'singing' lacks an <answer>."}]


def test_a_record_that_a_file_has_no_answer_to_counts_as_wrong(tmp_path, capsys):
    avuie.write(tmp_path, "ks", "test", [{**CLIP, "action": "singing"}] * 2)
    file = _lines(
        tmp_path / "p.jsonl",
        [{"task": "ks", "record": 1, "output": "<answer>singing</answer>", "predict": "<answer>singing</answer>"}],
    )
    assert main(["evaluate", "--data", str(tmp_path), "--tasks", "ks", "--score", file]) == 0
    printed = capsys.readouterr().out
    assert (
        printed.splitlines()[0] == "ks: 2 answers, 1 invalid, 0 unscored"
        and "accuracy" in printed
        and "0.5000" in printed
    )


@pytest.mark.parametrize("line", [
    "{", "[]", "1", "\xff", '{"output": "", "predict": ""}', '{"task": "ks", "predict": ""}',
    '{"task": "ks", "output": "", "predict": null}', '{"task": "sing", "output": "", "predict": ""}',
])  # fmt: skip
def test_a_line_that_is_no_answer_is_named(line, tmp_path):
    file = tmp_path / "p.jsonl"
    file.write_bytes(b'{"task": "ks", "output": "", "predict": ""}\n\n' + line.encode("latin-1"))
    with pytest.raises(CrabError, match="line 3: not an answer"):
        read_rows(file, ["ks"])


# ---- from records to scores ----


class Told:
    """Reads its clips with the tiny model's processor and says what it is told to; `asked` are its batches."""

    def __init__(self, crab, predictions):
        self.processor, self.about, self.predictions, self.asked = crab.processor, crab.about, iter(predictions), []

    def generate(self, prompts, **_):
        assert prompts
        self.asked.append(prompts)
        return [Written([next(self.predictions)], [-0.1]) for _ in prompts]

    def decode(self, ids):
        return ids[0]

    def ends(self, ids):
        return [len(ids[0])]


def _clip(golden, folder):
    for kind, name in (("video", "a.mp4"), ("audio", "a.mp3")):
        (folder / kind).mkdir(parents=True)
        (folder / kind / f"c{name[1:]}").write_bytes((golden / "media" / name).read_bytes())


def test_each_record_of_a_batch_gets_the_answer_that_it_gets_alone(mini, tmp_path):
    names = ["avqa", "ave", "ks", "a2v", "s4"]
    dataset.make(tmp_path, [2_000_000, 2_000_001], datasets=names, split="test", size=112)
    records = [record for name in names for record in avuie.read(tmp_path, name)]
    alone = []
    for record in records:
        clip, other = record.open()
        *_, result = ask(mini, clip, record.task, record.question, other=other, trace=False, max_new_tokens=40)
        alone.append(result)
    assert len(records) <= evaluate.BATCH and len({result.prompt_tokens for result in alone}) >= 5
    assert len({len(result.token_ids) for result in alone}) >= 5  # some answers are over long before others
    rows = list(evaluate.predict(mini, records, max_new_tokens=40))
    assert [tuple(row["token_ids"]) for row in rows] == [result.token_ids for result in alone]
    assert [row["predict"] for row in rows] == [result.text.strip() for result in alone]


def test_answers_are_sampled_beside_each_but_for_descriptions(tiny, tmp_path):
    dataset.make(tmp_path, [2_000_000], datasets=["ave", "avcap"], split="train", size=112)
    records = [record for name in ("ave", "avcap") for record in avuie.read(tmp_path, name, split="train")][:2]
    ave, avcap = evaluate.answered(tiny, records, tmp_path / "rows.jsonl", max_new_tokens=3, sampled=True)
    drawn = tiny.sample(tiny.prompt(records[0].open()[0], records[0].task, records[0].question), 8, max_new_tokens=3)
    assert ave["sampled"] == [tiny.decode(one.token_ids) for one in drawn] and "sampled" not in avcap
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == [ave, avcap]


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_a_medium_that_cannot_be_opened_counts_as_wrong_and_the_run_goes_on(batch, tiny, golden, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "BATCH", batch)
    rows = [
        {**CLIP, "action": "singing"},
        {**CLIP, "video_path": "gone.mp4", "action": "singing"},
        {**CLIP, "action": "singing"},
    ]
    avuie.write(tmp_path, "ks", "test", rows)
    _clip(golden, tmp_path / "AVUIE_2" / "ks")
    told = Told(tiny, ["<answer>singing</answer>", "<answer>dancing</answer>"])
    rows = list(evaluate.predict(told, avuie.read(tmp_path, "ks")))
    assert [row["record"] for row in rows] == [0, 1, 2] and rows[1]["predict"] == ""
    report = evaluate.score(rows, root=tmp_path, segmenter=WholeBox())
    [score] = report.scores
    assert (score.answers, score.measures) == (3, {"accuracy": 1 / 3})
    [flaw] = report.invalid
    assert (flaw.record, flaw.reason) == (1, rows[1]["error"]) and "gone.mp4" in flaw.reason


def test_what_the_model_cannot_answer_counts_as_wrong_and_its_batch_goes_on(tiny, golden, monkeypatch):
    records = [record for name in ("meld", "s4", "avqa") for record in list(avuie.read(golden, name))[:1]]
    fine = list(evaluate.predict(tiny, records, max_new_tokens=3))
    longest = max(prompts := [made.inputs["input_ids"].shape[1] for _, made in evaluate._asked(tiny, records)])
    assert len(set(prompts)) == 3
    monkeypatch.setattr(tiny.thinker.config.text_config, "max_position_embeddings", longest - 1)
    rows = list(evaluate.predict(tiny, records, max_new_tokens=3))
    for row, before, length in zip(rows, fine, prompts, strict=True):
        if length == longest:
            assert row["predict"] == "" and "please take a shorter clip" in row["error"]
        else:
            assert row == before


@pytest.mark.parametrize("name", ["x" * 5000 + ".mp4", "a\0b.mp4", "\ud800.mp4", "../" * 2000 + "c.mp4", "."])
def test_a_file_name_that_no_disk_has_counts_as_wrong_and_the_run_goes_on(name, tiny, golden, tmp_path):
    rows = [{**CLIP, "action": "singing"}, {**CLIP, "video_path": name, "action": "singing"}]
    avuie.write(tmp_path, "ks", "test", rows)
    _clip(golden, tmp_path / "AVUIE_2" / "ks")
    rows = list(evaluate.predict(Told(tiny, ["<answer>singing</answer>"]), avuie.read(tmp_path, "ks")))
    report = evaluate.score(rows, root=tmp_path, segmenter=WholeBox())
    assert report.scores[0].measures == {"accuracy": 1 / 2}
    assert [(flaw.record, flaw.reason) for flaw in report.invalid] == [(1, rows[1]["error"])]
    assert rows[1]["error"].endswith(".") and len(rows[1]["error"]) < 6000


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_picture_that_no_disk_has_counts_as_wrong_and_so_does_its_mask(name, tmp_path):
    fields = {"output": "The object making the sound in the video is dog.", "visual_path": f"s/frames/{name}.jpg"}
    report = report_on("s4", [fields], ["[0,0,100,100] [50,50]"], root=tmp_path)
    assert len(report["invalid"]) == len(report["unscored"]) == 1


def test_no_records_are_a_sentence(tmp_path, capsys):
    avuie.write(tmp_path, "ks", "test", [])
    assert main(["evaluate", "--data", str(tmp_path), "--tasks", "ks"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and f"ks/test.json under {tmp_path} holds no records" in printed.err


def test_a_clip_is_decoded_once_for_the_questions_that_follow_each_other(tiny, golden, tmp_path, monkeypatch):
    decoded = []

    def gathered(clip, task, *, other=None):
        decoded.append(clip.name)
        return gather(clip, task, other=other)

    monkeypatch.setattr(evaluate, "gather", gathered)
    clips = [CLIP, CLIP, {**CLIP, "video_path": "d.mp4"}, CLIP]
    rows = [{**clip, "question": f"How many is {i}?", "answer": "two"} for i, clip in enumerate(clips)]
    avuie.write(tmp_path, "avqa", "test", rows)
    home = tmp_path / "AVUIE_2" / "avqa"
    _clip(golden, home)
    (home / "video" / "d.mp4").write_bytes((home / "video" / "c.mp4").read_bytes())
    told = Told(tiny, "abcd")
    assert [row["predict"] for row in evaluate.predict(told, avuie.read(tmp_path, "avqa"))] == list("abcd")
    assert decoded == ["c.mp4", "d.mp4", "c.mp4"]
    questions = [tiny.decode(made.inputs["input_ids"][0]) for made in told.asked[0]]
    assert all(f"How many is {i}?" in question for i, question in enumerate(questions))


def test_only_one_batch_is_held_and_none_of_its_frames(tiny, golden, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "BATCH", 2)
    avuie.write(tmp_path, "ks", "test", [{**CLIP, "action": "singing"}] * 5)
    _clip(golden, tmp_path / "AVUIE_2" / "ks")
    told, records = Told(tiny, "abcde"), avuie.read(tmp_path, "ks")
    rows = evaluate.predict(told, records)
    assert next(rows)["predict"] == "a" and next(records).number == 2  # the first batch is all that has been read
    assert [row["record"] for row in rows] == [1, 3, 4]
    assert [len(prompts) for prompts in told.asked] == [2, 2]
    assert all(made.media == Media() for prompts in told.asked for made in prompts)


def test_the_training_split_is_compared_with_its_targets(tiny, golden, tmp_path):
    targets = ["A dog barks at a man.", "It rains on the roof."]
    avuie.write(tmp_path, "avcap", "train", [{**CLIP, "video_id": 1, "label_content": target} for target in targets])
    _clip(golden, tmp_path / "AVUIE_2" / "avcap")
    rows = list(evaluate.predict(Told(tiny, targets), avuie.read(tmp_path, "avcap", split="train")))
    [score] = evaluate.score(rows, root=tmp_path, segmenter=WholeBox()).scores
    assert score.measures == {"cider": pytest.approx(10.0)}


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["--data", ".", "--tasks", "unav"], "unav has no test split"),
    (["--data", ".", "--tasks", "sing"], "There is no task 'sing'"),
])  # fmt: skip
def test_what_cannot_be_scored_is_a_sentence(arguments, sentence, capsys):
    assert main(["evaluate", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_evaluate_needs_no_file_and_prints_one_json_object(golden, capsys):
    model = ["--model", str(golden / "tiny-omni"), "--adapter", str(golden / "finetune_weights.bin")]
    command = ["evaluate", "--data", str(golden), "--tasks", "meld", "s4", "--max-new-tokens", "4", "--json"]
    assert main([*command, *model]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["datasets"]) == ["meld", "s4"] and report["datasets"]["meld"]["accuracy"] == 0.0
    assert [flaw["dataset"] for flaw in report["invalid"]] == ["meld", "s4"]
    assert [flaw["dataset"] for flaw in report["unscored"]] == ["s4"]  # the golden cases have no true masks
