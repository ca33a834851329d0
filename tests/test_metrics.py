"""Each measure on cases small enough to do by hand: what is perfect, what is nothing, what does not matter.

Then on drawn cases against what the fields' published code computes of them; where that is from stands beside it.
"""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_caption import TOGETHER

from crab import metrics
from crab.answer import Event
from crab.metrics import (
    accuracy,
    accuracy_by_type,
    box_iou,
    cider,
    detection_map,
    event_grid,
    grounding,
    jaccard,
    null_s,
    overlap,
    parsing,
    parsing_of_one,
    segment_accuracy,
    segmentation,
    temporal_iou,
)


def event(label, start, end, modality="both"):
    return Event(label, modality, float(start), float(end))


EVENTS = st.lists(
    st.builds(
        lambda label, modality, start, length: event(label, start, min(start + length, 10), modality),
        st.sampled_from(["dog", "cat", "bell"]), st.sampled_from(["audio", "visual", "both"]),
        st.integers(0, 9), st.integers(1, 10),
    ),
    max_size=5,
)  # fmt: skip
VIDEOS = st.lists(st.tuples(EVENTS, EVENTS), min_size=1, max_size=4)  # (prediction, reference) of each


@pytest.mark.parametrize(("prediction", "reference", "iou"), [
    ([(0, 4)], [(0, 4)], 1.0),
    ([(0, 4)], [(2, 6)], 2 / 6),
    ([(0, 2), (4, 6)], [(0, 6)], 4 / 6),
    ([(0, 3), (2, 6)], [(0, 6)], 1.0),  # stretches of one answer may overlap
    ([], [(0, 4)], 0.0),
    ([], [], 1.0),
])  # fmt: skip
def test_temporal_iou(prediction, reference, iou):
    assert temporal_iou(prediction, reference) == pytest.approx(iou)


@pytest.mark.parametrize(("a", "b", "iou"), [
    ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
    ((0, 0, 2, 2), (1, 1, 3, 3), 1 / 7),
    ((0, 0, 1, 1), (2, 2, 3, 3), 0.0),
])  # fmt: skip
def test_box_iou(a, b, iou):
    assert box_iou(a, b) == pytest.approx(iou) == box_iou(b, a)


# ---- choices ----


@pytest.mark.parametrize(("prediction", "reference", "right"), [
    ("violin", "violin", True),
    (" Violin. ", "violin", True),
    ("Playing-guitar", "playing_guitar", True),
    ("two", "2", False),  # words are compared, not what they mean
    ("violin or cello", "violin", False),
    ("", "violin", False),
    (None, "violin", False),
])  # fmt: skip
def test_a_choice(prediction, reference, right):
    assert accuracy([prediction], [reference]) == right


def test_no_choice_is_counted_as_a_wrong_one():
    assert accuracy(["yes", None, "no", "no"], ["yes", "yes", "no", "yes"]) == 0.5


def test_accuracy_by_type():
    predictions, references = ["yes", None, "two", "left"], ["yes", "yes", "two", "right"]
    types = ["existential", "existential", "counting", "location"]
    by_type = accuracy_by_type(predictions, references, types=types)
    assert by_type == {"counting": 1.0, "existential": 0.5, "location": 0.0}


def test_an_answer_too_few_is_an_error_and_not_a_better_score():
    with pytest.raises(ValueError):
        accuracy(["yes"], ["yes", "no"])


# ---- AVE ----


@pytest.mark.parametrize(("prediction", "share"), [
    ([event("Dog", 2, 8)], 1.0),
    ([event("dog", 2, 5), event("dog", 5, 8)], 1.0),
    ([event("dog", 0, 8)], 0.8),  # two seconds of background taken for a dog
    ([event("cat", 2, 8)], 0.4),  # only the background is right
    ([event("dog", 2, 8), event("cat", 7, 8)], 0.9),  # "dog and cat" is not "dog"
    ([event("dog", 2.4, 7.6)], 1.0),  # a segment goes by its middle
    ([event("dog", 2.6, 7.4)], 0.8),
    ([], 0.4),
])  # fmt: skip
def test_segment_accuracy(prediction, share):
    assert segment_accuracy(prediction, [event("dog", 2, 8)]) == pytest.approx(share)


def test_background_alone():
    assert segment_accuracy([], []) == 1.0


@given(EVENTS, EVENTS)
def test_segment_accuracy_has_no_sides_and_no_order(prediction, reference):
    share = segment_accuracy(prediction, reference)
    assert share == segment_accuracy(reference, prediction) == segment_accuracy(prediction[::-1], reference[::-1])
    assert segment_accuracy(prediction, prediction) == 1.0


# ---- AVVP ----


def grid(audio, visual):
    """One class, from the ten segments as they are printed: "..###....."."""
    return np.array([[[mark == "#" for mark in stream]] for stream in (audio, visual)])


def test_event_grid():
    events = [event("dog", 0, 3), event("dog", 7, 10, "audio"), event("bell", 4, 6, "visual")]
    audio, visual = event_grid(events, ["Bell", "Dog"])
    assert audio.tolist() == [[False] * 10, [True] * 3 + [False] * 4 + [True] * 3]
    assert visual.tolist() == [[False] * 4 + [True] * 2 + [False] * 4, [True] * 3 + [False] * 7]


def test_parsing_counted_by_hand():
    prediction = grid("####......", "......####")
    reference = grid("##........", "......##..")
    scores = parsing_of_one(prediction, reference)
    assert scores["segment_audio"] == scores["segment_visual"] == pytest.approx(2 * 2 / (2 * 2 + 2))
    assert scores["segment_av"] == 1.0  # heard and seen at once: never, neither in the answer nor in truth
    assert scores["segment_type"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert scores["segment_event"] == pytest.approx(2 * 4 / (2 * 4 + 4))
    assert scores["event_audio"] == scores["event_event"] == 1.0  # half of the union is enough


def test_a_run_with_less_than_half_of_the_union_is_missed_and_a_false_alarm():
    scores = parsing_of_one(grid("#####.....", ".........."), grid("##........", ".........."))
    assert scores["event_audio"] == 0.0 and scores["event_visual"] == 1.0
    assert scores["event_type"] == pytest.approx(2 / 3) and scores["event_event"] == 0.0


def test_one_run_may_find_two_but_two_need_not_find_one():
    whole, halves = grid("##########", ".........."), grid("#####.####", "..........")
    # The first half has 5 of 10 segments in common with the whole, the second 4 of 10.
    assert parsing_of_one(halves, whole)["event_audio"] == pytest.approx(2 / 3)  # a hit, a false alarm, no miss
    assert parsing_of_one(whole, halves)["event_audio"] == pytest.approx(2 / 3)  # a hit, a miss


def test_classes_that_occur_nowhere_do_not_count():
    prediction, reference = grid("####......", ".........."), grid("##........", "..........")
    silent = np.zeros((2, 24, 10), bool)
    all_25 = parsing_of_one(np.concatenate([prediction, silent], axis=1), np.concatenate([reference, silent], axis=1))
    assert all_25 == parsing_of_one(prediction, reference)
    assert set(parsing_of_one(silent, silent).values()) == {1.0}


def test_parsing_is_a_mean_over_videos_and_counts_labels_nobody_knows():
    references = [[event("dog", 0, 10, "audio")], [event("dog", 0, 10, "audio")]]
    predictions = [[event("Dog", 0, 10, "audio")], [event("dog", 0, 10, "audio"), event("werewolf", 0, 10, "audio")]]
    scores = parsing(predictions, references)
    assert scores["segment_audio"] == scores["event_audio"] == pytest.approx((1 + 1 / 2) / 2)
    assert scores["segment_visual"] == 1.0


def test_an_answer_that_could_not_be_read_is_not_right_about_silence():
    references = [[event("dog", 0, 10, "audio")]]
    assert parsing([[]], references)["segment_visual"] == 1.0
    assert set(parsing([None], references).values()) == {0.0}


@given(VIDEOS)
def test_parsing_has_no_order_and_the_truth_is_perfect(videos):
    predictions, references = zip(*videos)
    scores = parsing(predictions, references)
    assert scores == pytest.approx(parsing([e[::-1] for e in predictions[::-1]], references[::-1]))
    assert len(scores) == 10 and all(0 <= score <= 1 for score in scores.values())
    assert set(parsing(references, references).values()) == {1.0}


def test_parsing_as_the_published_code_scores_it():
    """`segment_level` and `event_level` of YapengTian/AVVP-ECCV20, and the means its `eval` takes of them."""
    drawn = np.random.default_rng(3).random((2, 12, 2, 5, 10))  # (sides, videos, streams, classes, segments)
    predictions, references = drawn < 0.4
    predictions[0] = references[0] = references[1] = False
    scores = [parsing_of_one(*pair) for pair in zip(predictions, references)]
    assert {name: float(np.mean([score[name] for score in scores])) for name in scores[0]} == pytest.approx({
        "segment_audio": 0.3779377104377104, "segment_visual": 0.4147084397084398, "segment_av": 0.1845238095238095,
        "segment_type": 0.32572331988998654, "segment_event": 0.41444834043030304,
        "event_audio": 0.3210714285714286, "event_visual": 0.334920634920635, "event_av": 0.1902777777777778,
        "event_type": 0.2820899470899471, "event_event": 0.33403753653753654,
    }, abs=1e-12)  # fmt: skip


@given(EVENTS, EVENTS)
def test_segments_have_no_sides(prediction, reference):
    one, other = parsing([prediction], [reference]), parsing([reference], [prediction])
    assert all(one[name] == pytest.approx(other[name]) for name in one if name.startswith("segment"))


# ---- UnAV ----

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def test_map_by_iou():
    references = [[event("dog", 0, 10)]]
    scores = detection_map([[event("dog", 0, 5)]], references)
    assert [scores[f"map_{iou}"] for iou in THRESHOLDS] == [1, 1, 1, 1, 1, 0, 0, 0, 0]
    assert scores["map"] == pytest.approx(5 / 9) and len(scores) == 10


@pytest.mark.parametrize(("prediction", "precision"), [
    ([event("dog", 0, 4), event("dog", 6, 9)], 1.0),
    ([event("dog", 0, 4)], 1 / 2),
    ([event("dog", 0, 4), event("dog", 0, 4)], 1 / 2),  # the second one finds nothing that is left
    ([event("dog", 4, 6), event("dog", 0, 4), event("dog", 6, 9)], 2 / 3),  # the first is wrong: 1/2, then 2/3 hold
    ([event("dog", 0, 4), event("dog", 6, 9), event("dog", 4, 6)], 1.0),  # what is wrong comes last: no harm
    ([event("dog", 0, 4), event("dog", 4, 6), event("dog", 6, 9)], 1 / 2 + 1 / 2 * 2 / 3),
    ([event("cat", 0, 4), event("cat", 6, 9)], 0.0),
    ([], 0.0),
])  # fmt: skip
def test_average_precision_of_one_class(prediction, precision):
    references = [[event("dog", 0, 4), event("dog", 6, 9)]]
    assert detection_map([prediction], references) == pytest.approx(
        dict.fromkeys(detection_map([prediction], references), precision)
    )


def test_map_is_a_mean_over_the_true_classes():
    references = [[event("dog", 0, 4), event("bell", 0, 9)], [event("dog", 2, 6)]]
    predictions = [[event("dog", 0, 4), event("horse", 0, 9)], [event("dog", 2, 6)]]
    assert detection_map(predictions, references)["map"] == pytest.approx((1 + 0) / 2)


def test_all_first_events_rank_before_all_second_ones():
    references = [[event("dog", 0, 4), event("dog", 6, 9)], [event("dog", 0, 4), event("dog", 6, 9)]]
    predictions = [[event("dog", 0, 4), event("dog", 4, 6)], [event("dog", 6, 9), event("dog", 4, 5)]]
    # Both that are right come before both that are wrong, whichever of them is first.
    assert detection_map(predictions, references)["map"] == pytest.approx(2 / 4)
    assert detection_map([answer[::-1] for answer in predictions], references)["map"] == pytest.approx(
        1 / 4 * 2 / 4 + 1 / 4 * 2 / 4
    )


def test_of_equal_ranks_the_one_that_numpy_sorts_last_comes_first(monkeypatch):
    references, predictions = [[event("dog", 0, 4)], [event("dog", 0, 4)]], [[event("dog", 0, 4)], [event("dog", 6, 9)]]
    monkeypatch.setattr(metrics, "_ranking", stably)
    assert detection_map(predictions, references)["map"] == pytest.approx(1 / 2 * 1 / 2)  # the wrong one first
    assert detection_map(predictions[::-1], references[::-1])["map"] == pytest.approx(1 / 2)
    monkeypatch.undo()
    scores = -np.arange(40.0) % 3
    assert (metrics._ranking(scores) == scores.argsort()[::-1]).all()  # what the published code writes


def test_true_events_that_are_listed_twice_are_one():
    predictions = [[event("dog", 0, 4)]]
    twice = [[event("dog", 0, 4), event("Dog", 0.0005, 4)]]
    assert detection_map(predictions, twice)["map"] == 1.0
    assert detection_map(predictions, [[event("dog", 0, 4), event("dog", 0.002, 4)]])["map"] == 0.5
    assert detection_map(predictions, [[event("dog", 0, 4), event("cat", 0, 4)]])["map"] == 0.5


def test_an_event_at_one_moment_is_found_there():
    assert detection_map([[event("dog", 3, 3)]], [[event("dog", 3, 3)]])["map"] == 1.0
    assert detection_map([[event("dog", 3, 3)]], [[event("dog", 3, 4)]])["map"] == 0.0


def drawn_videos(count, *, doubled):
    """(prediction, reference) of each: most of the truth a little off, some of it missed, some said that is not there."""
    draw = random.Random(count).random

    def drawn():
        label, start = ("dog", "cat", "bell", "rain", "car")[int(draw() * 5)], draw() * 50
        return label, start, start + 1 + draw() * 15

    for _ in range(count):
        reference = [drawn() for _ in range(1 + int(draw() * 4))]
        prediction = [(label, start - draw() * 3, end + draw() * 3) for label, start, end in reference if draw() < 0.8]
        prediction += [drawn() for _ in range(int(draw() * 3))]
        if doubled:
            reference += [(label, start + 5e-4, end) for label, start, end in reference if draw() < 0.3]
        yield [event(*of) for of in prediction], [event(*of) for of in reference]


def stably(scores):
    return np.argsort(scores, kind="stable")[::-1]


@pytest.mark.parametrize(("count", "doubled", "at", "mean"), [
    (20, False, [0.728459136823, 0.708519742883, 0.633242817788, 0.051616161616], 0.510400459623),
    (20, True, [0.628993041272, 0.575819964349, 0.435610680170, 0.015793650794], 0.390784132232),
    (100, False, [0.626883270173, 0.572939604962, 0.460356330400, 0.005921152910], 0.382369189582),
    (100, True, [0.663844692814, 0.614505877727, 0.490807934355, 0.002605200694], 0.405038312925),
    (400, False, [0.617951747945, 0.571974316057, 0.472872790758, 0.005053720177], 0.385456659060),
    (400, True, [0.622716030355, 0.588795815584, 0.484286329261, 0.003494714755], 0.395506731998),
])  # fmt: skip
def test_map_as_the_published_code_computes_it(count, doubled, at, mean, monkeypatch):
    """`libs/utils/metrics.py` of ttgeng233/UnAV, with its `remove_duplicate_annotations`.

    How NumPy sorts what is equal depends on the processor, so the values are those of a stable sort, here and there.
    """
    monkeypatch.setattr(metrics, "_ranking", stably)
    predictions, references = zip(*drawn_videos(count, doubled=doubled))
    scores = detection_map(predictions, references)
    assert [scores[f"map_{iou}"] for iou in (0.1, 0.3, 0.5, 0.9)] == pytest.approx(at, abs=1e-11)
    assert scores["map"] == pytest.approx(mean, abs=1e-11)


def test_an_event_in_a_video_without_one_is_a_false_alarm():
    assert detection_map([[event("dog", 0, 4)], [event("dog", 0, 4)]], [[event("dog", 0, 4)], []])["map"] == 0.5


@given(VIDEOS.filter(lambda videos: any(reference for _, reference in videos)))
def test_the_truth_has_a_map_of_one_and_nothing_has_none(videos):
    predictions, references = zip(*videos)
    assert all(0 <= score <= 1 + 1e-9 for score in detection_map(predictions, references).values())
    once = [list({(e.label, e.start, e.end): e for e in events}.values()) for events in references]
    assert detection_map(once, references)["map"] == pytest.approx(1.0)  # said twice, it would be a false alarm
    assert detection_map([[] for _ in references], references)["map"] == 0.0


# ---- ARIG ----

BOX = (0.0, 0.0, 10.0, 10.0)


def test_grounding():
    assert grounding([BOX, BOX], [BOX, BOX]) == pytest.approx({"ciou": 1.0, "auc": 1.0})
    half = (0.0, 0.0, 10.0, 5.0)  # reaches 0, 0.05, ... 0.5, then no more: ten steps and half of one
    assert grounding([half], [BOX]) == pytest.approx({"ciou": 0.5, "auc": 0.525})
    assert grounding([half, BOX], [BOX, BOX]) == pytest.approx({"ciou": 0.75, "auc": (0.525 + 1) / 2})


def test_no_box_is_an_iou_of_nothing():
    assert grounding([None, BOX], [BOX, BOX])["ciou"] == 0.5
    assert grounding([None], [BOX]) == pytest.approx({"ciou": 0.0, "auc": 0.025})


# ---- masks ----


def mask(pixels):
    return np.array([[mark == "#" for mark in pixels]])


def of_one(prediction, reference):
    """The four measures of one frame: J and F of AVSBench, J and F as released."""
    prediction = None if prediction is None else mask(prediction)
    scores = segmentation([overlap(prediction, mask(reference))], clips=["a"])
    return [scores[name] for name in ("j_avsbench", "f_avsbench", "j_released", "f_released")]


FEW, MANY = 1.3 * 0.5 / (0.3 + 0.5), 1.3 * 0.5 / (0.3 * 0.5 + 1)  # half of it found; twice as much shown
WHOLE = 1.3 * 0.25 / (0.3 * 0.25 + 1)  # all of the frame shown for a quarter of it


@pytest.mark.parametrize(("prediction", "reference", "scores"), [
    ("##..", "##..", [1, 1, 1, 1]),
    ("##..", ".##.", [1 / 3, 1.3 * 0.5 / (0.3 * 0.5 + 1), 1 / 3, 1 / 2]),  # the whole frame has the better F
    ("#...", "##..", [1 / 2, 1.3 * 0.5 / (0.3 + 0.5), 1 / 2, 1.3 * 0.5 / (0.3 + 0.5)]),
    ("##..", "#...", [1 / 2, MANY, 1 / 2, MANY]),
    ("#...", "...#", [0, WHOLE, 0, 0]),
    ("....", "...#", [0, WHOLE, 0, 0]),
    ("#...", "....", [3 / 4, 0, 0, 0]),  # AVSBench: a clip where nothing is ever true has an F of 0
    ("....", "....", [1, 0, 1, 1]),
    ("####", "....", [0, 0, 0, 0]),
    (None, "##..", [0, 0, 0, 0]),
    (None, "....", [0, 0, 0, 0]),  # not right by saying nothing
])  # fmt: skip
def test_masks(prediction, reference, scores):
    assert of_one(prediction, reference) == pytest.approx(scores)


def test_the_f_of_masks_weighs_precision_more_than_recall():
    assert of_one("#...", "####")[3] > of_one("####", "#...")[3]


def test_what_frames_of_one_clip_change():
    # Alone, the second frame is better shown whole and the third has an F of 0; in a clip, only the mean counts.
    frames = [
        overlap(mask(prediction), mask(reference))
        for prediction, reference in (("##..", "##.."), ("#...", "...#"), ("....", "...."))
    ]
    alone, together = (segmentation(frames, clips=clips) for clips in ("abc", "aaa"))
    assert alone["f_avsbench"] == pytest.approx((1 + WHOLE + 0) / 3)
    assert together["f_avsbench"] == pytest.approx((1 + 0) / 2)
    assert alone["j_avsbench"] == together["j_avsbench"] == alone["j_released"] == pytest.approx(2 / 3)


def test_what_is_shown_where_nothing_should_be():
    frames = [
        overlap(mask(prediction) if prediction else None, mask("....")) for prediction in ("#...", "....", "####")
    ]
    # One pixel to three; nothing; and all, which is only counted.
    one_each = null_s(frames, clips="abc")
    assert one_each == pytest.approx({"s_ref_avs": (0.5 + 0 + 1) / 3, "s_released": (3**-0.5 + 0) / 2, "infinite": 1})
    assert null_s(frames, clips="aaa")["s_ref_avs"] == pytest.approx(math.sqrt(5 / 12))


def test_an_answer_that_could_not_be_read_shows_all():
    unread, empty, full = (overlap(prediction, mask("....")) for prediction in (None, mask("...."), mask("####")))
    assert null_s([unread], clips="a") == null_s([full], clips="a") == {"s_ref_avs": 1.0, "infinite": 1}
    assert null_s([empty], clips="a") == {"s_ref_avs": 0.0, "s_released": 0.0, "infinite": 0}


def drawn_masks(seed):
    """Twenty frames of (prediction, reference); the truth of each fifth and the answer of each seventh is empty."""
    draw = np.random.default_rng(seed).random
    for frame in range(20):
        area, slip = draw(2)
        reference = draw((16, 16)) < area * 0.6 * (frame % 5 > 0)
        yield (reference ^ (draw((16, 16)) < slip * 0.6) if frame % 7 else np.zeros_like(reference)), reference


@pytest.mark.parametrize(("seed", "in_a_clip", "j", "f", "s"), [
    (0, 20, 0.3916550874710083, 0.36736422777175903, 0.6045078039169312),
    (1, 5, 0.47885194420814514, 0.5175116434693336, 0.6068021655082703),
])  # fmt: skip
def test_masks_as_the_published_code_scores_them(seed, in_a_clip, j, f, s):
    """`mask_iou` and `Eval_Fmeasure` of OpenNLPLab/AVSBench, `metric_s_for_null` of GeWu-Lab/Ref-AVS, clip by clip.

    They count in single precision.
    """
    frames = [overlap(*pair) for pair in drawn_masks(seed)]
    clips = [str(frame // in_a_clip) for frame in range(len(frames))]
    scores = segmentation(frames, clips=clips) | null_s(frames, clips=clips)
    assert [scores[name] for name in ("j_avsbench", "f_avsbench", "s_ref_avs")] == pytest.approx([j, f, s], abs=1e-6)


def test_masks_as_the_released_scripts_score_them():
    """By their rules, frame by frame; that they are another measure than the field's shows on the same frames."""
    pairs = list(drawn_masks(0))
    js = [
        np.sum(prediction & reference) / np.sum(prediction | reference) if (prediction | reference).any() else 1.0
        for prediction, reference in pairs
    ]
    frames = [overlap(*pair) for pair in pairs]
    scores = segmentation(frames, clips=["a"] * 20) | null_s(frames, clips=["a"] * 20)
    assert scores["j_released"] == pytest.approx(np.mean(js)) == pytest.approx(0.2713425997927045)
    assert scores["f_released"] == pytest.approx(0.32552315426778394)
    areas = [prediction.mean() for prediction, _ in pairs]
    assert scores["s_released"] == pytest.approx(np.mean([np.sqrt(area / (1 - area)) for area in areas]))


PIXELS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12).map(lambda p: np.array(p).T)


@given(PIXELS)
def test_masks_have_a_best_and_a_worst(pair):
    prediction, reference = pair
    assert jaccard(prediction, reference) == jaccard(reference, prediction)
    scores, best = (segmentation([overlap(answer, reference)], clips="a") for answer in (prediction, reference))
    assert best["j_avsbench"] == best["j_released"] == best["f_released"] == 1.0
    assert all(0 <= score <= 1 + 1e-9 for score in scores.values())
    assert scores["j_released"] <= scores["f_released"] + 1e-9  # J is below F, whatever beta is


# ---- captions ----

REFERENCES = [["a dog barks at a man"], ["rain falls on the red roof", "it rains"], ["birds sing near the old car"]]


def test_one_word_by_hand():
    # "dog" and "cat" are as rare; of one word in a row the cosine is 1, of two to four there is none.
    assert cider(["dog", "bird"], [["Dog."], ["cat"]]) == pytest.approx((10 / 4 + 0) / 2)


def test_two_words_by_hand():
    # Of "a dog", only "dog" and "a dog" are rare: "a" is in every reference and weighs nothing.
    assert cider(["a dog", "a cat"], [["a dog"], ["a cat"]]) == pytest.approx(10 * 2 / 4)
    # "the dog": one word of two with the same weight as "dog", and "the dog" is not "a dog".
    assert cider(["the dog", "a cat"], [["a dog"], ["a cat"]]) == pytest.approx((10 * 0.5**0.5 / 4 + 10 * 2 / 4) / 2)


def test_as_the_coco_caption_evaluation_scores_it():
    # The number is what `Cider` of pycocoevalcap 1.2 gives for the same words.
    predictions = ["a dog barks", "the rain falls on a roof", "birds birds birds sing"]
    assert cider(predictions, REFERENCES) == pytest.approx(2.4173118172035264)


def test_as_the_coco_caption_evaluation_scores_contractions_numbers_and_full_stops():
    """The numbers are what `PTBTokenizer` and `Cider` of pycocoevalcap 1.2 make of these captions."""
    predictions = [
        "A dog doesn't bark but can't sit.", "They cannot hear it, they're gonna see it.",
        "A 3,000-dollar piano of the U.S. at 10:30 p.m.", "Mr. Smith meets Dr. Lee.", "He lives in the US.",
        "She plays in C", "The choir sings in the 1990's style.", "A black and white shirt (twice)",
    ]  # fmt: skip
    references = [caption for caption, _ in TOGETHER]
    assert cider(predictions, [[caption] for caption in references[:8]]) == pytest.approx(3.6848580195574625, abs=1e-9)
    assert cider(
        predictions, [[caption, references[(i + 8) % 14]] for i, caption in enumerate(references[:8])]
    ) == pytest.approx(1.4918223338779426, abs=1e-9)


def test_a_caption_that_is_its_only_reference_is_perfect():
    references = [[texts[0]] for texts in REFERENCES]
    assert cider([text.upper() + "!" for [text] in references], references) == pytest.approx(10.0)


def test_to_repeat_and_to_ramble_earn_less():
    references = [["dog"], ["a cat"]]
    once, thrice = (cider([text, ""], references) for text in ("dog", "dog dog dog"))
    assert thrice < once
    long = cider(["a dog barks at a man" + " and so on" * 5, "", ""], REFERENCES)
    assert long < cider(["a dog barks at a man and so on", "", ""], REFERENCES)


def test_no_caption_scores_nothing():
    assert cider([None, "", "..."], REFERENCES) == 0.0


def test_of_one_clip_alone_nothing_is_rare():
    assert cider(["a dog barks"], [["a dog barks"]]) == 0.0


@given(st.permutations(range(3)))
def test_the_order_of_the_clips_does_not_matter_to_cider(order):
    predictions = ["a dog barks", "the rain falls", "birds sing"]
    assert cider([predictions[i] for i in order], [REFERENCES[i] for i in order]) == pytest.approx(
        cider(predictions, REFERENCES)
    )
