"""Each measure on cases small enough to do by hand: what is perfect, what is nothing, what does not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crab.answer import Event
from crab.learn.metrics import (
    accuracy,
    accuracy_by_type,
    box_iou,
    cider,
    detection_map,
    event_grid,
    grounding,
    jaccard,
    mask_f,
    null_s,
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
VIDEOS = st.lists(st.tuples(EVENTS, EVENTS), min_size=1, max_size=4)  # (said, true) of each


@pytest.mark.parametrize(("said", "true", "iou"), [
    ([(0, 4)], [(0, 4)], 1.0),
    ([(0, 4)], [(2, 6)], 2 / 6),
    ([(0, 2), (4, 6)], [(0, 6)], 4 / 6),
    ([(0, 3), (2, 6)], [(0, 6)], 1.0),  # stretches of one answer may overlap
    ([], [(0, 4)], 0.0),
    ([], [], 1.0),
])  # fmt: skip
def test_temporal_iou(said, true, iou):
    assert temporal_iou(said, true) == pytest.approx(iou)


@pytest.mark.parametrize(("a", "b", "iou"), [
    ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
    ((0, 0, 2, 2), (1, 1, 3, 3), 1 / 7),
    ((0, 0, 1, 1), (2, 2, 3, 3), 0.0),
])  # fmt: skip
def test_box_iou(a, b, iou):
    assert box_iou(a, b) == pytest.approx(iou) == box_iou(b, a)


# ---- choices ----

@pytest.mark.parametrize(("said", "true", "right"), [
    ("violin", "violin", True),
    (" Violin. ", "violin", True),
    ("Playing-guitar", "playing_guitar", True),
    ("two", "2", False),  # words are compared, not what they mean
    ("violin or cello", "violin", False),
    ("", "violin", False),
    (None, "violin", False),
])  # fmt: skip
def test_a_choice(said, true, right):
    assert accuracy([said], [true]) == right


def test_no_choice_is_counted_as_a_wrong_one():
    assert accuracy(["yes", None, "no", "no"], ["yes", "yes", "no", "yes"]) == 0.5


def test_accuracy_by_type():
    said, true = ["yes", None, "two", "left"], ["yes", "yes", "two", "right"]
    types = ["existential", "existential", "counting", "location"]
    by_type = accuracy_by_type(said, true, types=types)
    assert by_type == {"counting": 1.0, "existential": 0.5, "location": 0.0}


def test_an_answer_too_few_is_an_error_and_not_a_better_score():
    with pytest.raises(ValueError):
        accuracy(["yes"], ["yes", "no"])


# ---- AVE ----

@pytest.mark.parametrize(("said", "share"), [
    ([event("Dog", 2, 8)], 1.0),
    ([event("dog", 2, 5), event("dog", 5, 8)], 1.0),
    ([event("dog", 0, 8)], 0.8),  # two seconds of background taken for a dog
    ([event("cat", 2, 8)], 0.4),  # only the background is right
    ([event("dog", 2, 8), event("cat", 7, 8)], 0.9),  # "dog and cat" is not "dog"
    ([event("dog", 2.4, 7.6)], 1.0),  # a segment goes by its middle
    ([event("dog", 2.6, 7.4)], 0.8),
    ([], 0.4),
])  # fmt: skip
def test_segment_accuracy(said, share):
    assert segment_accuracy(said, [event("dog", 2, 8)]) == pytest.approx(share)


def test_background_alone():
    assert segment_accuracy([], []) == 1.0


@given(EVENTS, EVENTS)
def test_segment_accuracy_has_no_sides_and_no_order(said, true):
    share = segment_accuracy(said, true)
    assert share == segment_accuracy(true, said) == segment_accuracy(said[::-1], true[::-1])
    assert segment_accuracy(said, said) == 1.0


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
    said = grid("####......", "......####")
    true = grid("##........", "......##..")
    scores = parsing_of_one(said, true)
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
    said, true = grid("####......", ".........."), grid("##........", "..........")
    silent = np.zeros((2, 24, 10), bool)
    all_25 = parsing_of_one(np.concatenate([said, silent], axis=1), np.concatenate([true, silent], axis=1))
    assert all_25 == parsing_of_one(said, true)
    assert set(parsing_of_one(silent, silent).values()) == {1.0}


def test_parsing_is_a_mean_over_videos_and_counts_labels_nobody_knows():
    true = [[event("dog", 0, 10, "audio")], [event("dog", 0, 10, "audio")]]
    said = [[event("Dog", 0, 10, "audio")], [event("dog", 0, 10, "audio"), event("werewolf", 0, 10, "audio")]]
    scores = parsing(said, true)
    assert scores["segment_audio"] == scores["event_audio"] == pytest.approx((1 + 1 / 2) / 2)
    assert scores["segment_visual"] == 1.0


def test_an_answer_that_could_not_be_read_is_not_right_about_silence():
    true = [[event("dog", 0, 10, "audio")]]
    assert parsing([[]], true)["segment_visual"] == 1.0
    assert set(parsing([None], true).values()) == {0.0}


@given(VIDEOS)
def test_parsing_has_no_order_and_the_truth_is_perfect(videos):
    said, true = zip(*videos)
    scores = parsing(said, true)
    assert scores == pytest.approx(parsing([e[::-1] for e in said[::-1]], true[::-1]))
    assert len(scores) == 10 and all(0 <= score <= 1 for score in scores.values())
    assert set(parsing(true, true).values()) == {1.0}


@given(EVENTS, EVENTS)
def test_segments_have_no_sides(said, true):
    one, other = parsing([said], [true]), parsing([true], [said])
    assert all(one[name] == pytest.approx(other[name]) for name in one if name.startswith("segment"))


# ---- UnAV ----

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def test_map_by_iou():
    true = [[event("dog", 0, 10)]]
    scores = detection_map([[event("dog", 0, 5)]], true)
    assert [scores[f"map_{iou}"] for iou in THRESHOLDS] == [1, 1, 1, 1, 1, 0, 0, 0, 0]
    assert scores["map"] == pytest.approx(5 / 9) and len(scores) == 10


@pytest.mark.parametrize(("said", "precision"), [
    ([event("dog", 0, 4), event("dog", 6, 9)], 1.0),
    ([event("dog", 0, 4)], 1 / 2),
    ([event("dog", 0, 4), event("dog", 0, 4)], 1 / 2),  # the second one finds nothing that is left
    ([event("dog", 4, 6), event("dog", 0, 4), event("dog", 6, 9)], 2 / 3),  # the first is wrong: 1/2, then 2/3 hold
    ([event("dog", 0, 4), event("dog", 6, 9), event("dog", 4, 6)], 1.0),  # what is wrong comes last: no harm
    ([event("dog", 0, 4), event("dog", 4, 6), event("dog", 6, 9)], 1 / 2 + 1 / 2 * 2 / 3),
    ([event("cat", 0, 4), event("cat", 6, 9)], 0.0),
    ([], 0.0),
])  # fmt: skip
def test_average_precision_of_one_class(said, precision):
    true = [[event("dog", 0, 4), event("dog", 6, 9)]]
    assert detection_map([said], true) == pytest.approx(dict.fromkeys(detection_map([said], true), precision))


def test_map_is_a_mean_over_the_true_classes():
    true = [[event("dog", 0, 4), event("bell", 0, 9)], [event("dog", 2, 6)]]
    said = [[event("dog", 0, 4), event("horse", 0, 9)], [event("dog", 2, 6)]]
    assert detection_map(said, true)["map"] == pytest.approx((1 + 0) / 2)


def test_all_first_events_rank_before_all_second_ones():
    true = [[event("dog", 0, 4)], [event("dog", 0, 4)]]
    said = [[event("dog", 0, 4), event("dog", 6, 9)], [event("dog", 6, 9), event("dog", 0, 4)]]
    # First rank: one of two is right. After the second: two of four.
    assert detection_map(said, true)["map"] == pytest.approx(1 / 2)
    assert detection_map(said[::-1], true[::-1])["map"] == pytest.approx(1 / 2)


def test_an_event_in_a_video_without_one_is_a_false_alarm():
    assert detection_map([[event("dog", 0, 4)], [event("dog", 0, 4)]], [[event("dog", 0, 4)], []])["map"] == 0.5


@given(VIDEOS.filter(lambda videos: any(true for _, true in videos)))
def test_map_does_not_know_which_video_comes_first_and_falls_with_the_iou(videos):
    said, true = zip(*videos)
    scores = detection_map(said, true)
    assert scores == pytest.approx(detection_map(said[::-1], true[::-1]))
    by_iou = [scores[f"map_{iou}"] for iou in THRESHOLDS]
    assert all(0 <= score <= 1 + 1e-9 for score in by_iou)
    assert detection_map(true, true)["map"] == pytest.approx(1.0)
    assert detection_map([[] for _ in true], true)["map"] == 0.0


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


@pytest.mark.parametrize(("said", "true", "j", "f"), [
    ("##..", "##..", 1.0, 1.0),
    ("##..", ".##.", 1 / 3, 1 / 2),  # precision and recall are both a half
    ("#...", "##..", 1 / 2, 1.3 * 1 * 0.5 / (0.3 * 1 + 0.5)),
    ("##..", "#...", 1 / 2, 1.3 * 0.5 * 1 / (0.3 * 0.5 + 1)),
    ("#...", "...#", 0.0, 0.0),
    ("....", "...#", 0.0, 0.0),
    ("#...", "....", 0.0, 0.0),
    ("....", "....", 1.0, 1.0),
])  # fmt: skip
def test_masks(said, true, j, f):
    assert jaccard(mask(said), mask(true)) == pytest.approx(j)
    assert mask_f(mask(said), mask(true)) == pytest.approx(f)


def test_the_f_of_masks_weighs_precision_more_than_recall():
    few, many = mask("#..."), mask("####")
    assert mask_f(few, many) > mask_f(many, few)


def test_no_mask_is_an_empty_one():
    true = [mask("##.."), mask("##.."), mask("....")]
    assert segmentation([true[0], None, None], true) == pytest.approx({"j": 2 / 3, "f": 2 / 3})


def test_what_is_shown_where_nothing_should_be():
    # One pixel to three; nothing; nothing, for want of an answer; and all, which is only counted.
    s = null_s([mask("#..."), mask("...."), None, mask("####")])
    assert s == pytest.approx({"s": (3**-0.5 + 0 + 0) / 3, "infinite": 1})
    assert null_s([mask("####")]) == {"infinite": 1}


PIXELS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12).map(lambda p: np.array(p).T)


@given(PIXELS)
def test_masks_have_a_best_and_a_worst(pair):
    said, true = pair
    assert jaccard(said, true) == jaccard(true, said)
    assert jaccard(true, true) == mask_f(true, true) == 1.0
    assert 0 <= jaccard(said, true) <= mask_f(said, true) + 1e-9 <= 1 + 2e-9  # J is below F, whatever beta is


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
    said = ["a dog barks", "the rain falls on a roof", "birds birds birds sing"]
    assert cider(said, REFERENCES) == pytest.approx(2.4173118172035264)


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
    said = ["a dog barks", "the rain falls", "birds sing"]
    assert cider([said[i] for i in order], [REFERENCES[i] for i in order]) == pytest.approx(cider(said, REFERENCES))
