"""Items to train on: one number is one item, of media in the model's shapes and questions that share one clip."""

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch

from crab.answer import parse
from crab.learn import items, mini, pack
from crab.prompt import apply_plan, around_still
from crab.scenes.asking import questions
from crab.scenes.world import render, script
from crab.tasks import TASKS

# Kind -> (patches of pictures, patches of videos, samples of sound, questions at most, what follows from words)
CELLS = 64  # patches of a frame, or of a pair of a video's
PLAIN = {
    "see": (CELLS, 0, 0, 8, 0), "hear": (0, 0, 160000, 5, 0), "film": (0, 5 * CELLS, 160000, 6, 3),
    "glimpses": (0, 5 * CELLS, 53320, 6, 3), "deed": (0, 5 * CELLS, 160000, 1, 3), "mood": (0, 2 * CELLS, 64000, 1, 3),
    "moment": (CELLS, 0, 16000, 6, 0), "still": (CELLS, 0, 80000, 6, 0), "films": (0, 10 * CELLS, 160000, 3, 3),
    "sounds": (0, 5 * CELLS, 320000, 3, 3),
}  # fmt: skip
ASKED = {
    "events": (0, 5 * CELLS, 160000, 4, 3), "answers": (0, 5 * CELLS, 53320, 6, 3),
    "choices": (0, 5 * CELLS, 160000, 4, 3), "box": (CELLS, 0, 80000, 1, 3), "points": (CELLS, 0, 16000, 1, 3),
    "refers": (CELLS, 0, 16000, 4, 3), "action": (0, 5 * CELLS, 160000, 1, 3), "emotion": (0, 2 * CELLS, 64000, 1, 3),
    "a2v": (0, 10 * CELLS, 160000, 1, 3), "v2a": (0, 5 * CELLS, 320000, 1, 3),
}  # fmt: skip
DECIDED = {f"{kind}, decided": (*ASKED[kind][:4], 6) for kind in ("answers", "choices", "refers", "a2v", "v2a")}
ASKED |= DECIDED
KINDS = PLAIN | ASKED
FAMILY = {
    "events": {"localisation", "captioning"}, "answers": {"question"}, "choices": {"question"}, "box": {"grounding"},
    "points": {"grounding"}, "refers": {"grounding"}, "action": {"action"}, "emotion": {"emotion"},
    "a2v": {"matching"}, "v2a": {"matching"},
}  # fmt: skip
FAMILY |= {kind: FAMILY[kind.removesuffix(", decided")] for kind in DECIDED}


@cache
def reader():
    return mini.processor(mini.tokenizer(scenes=40))


@cache
def item(kind, number=11):
    return items.make_item(reader(), kind, number)


def said(item, number):
    """The text to answer question `number` with."""
    return reader().tokenizer.decode(item.labels[(item.segment == number) & (item.labels != -100)])


def asked(item, number):
    return reader().tokenizer.decode(item.ids[(item.segment == number) & (item.labels == -100)])


def own(item):
    """The questions that are answered whole, from the clip; the others are told the facts."""
    numbers = range(1, int(item.segment.max()) + 1)
    return [number for number in numbers if asked(item, number).endswith("assistant\n")]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_number_is_the_same_item_and_others_differ(kind):
    first, again = item(kind), items.make_item(reader(), kind, 11)
    for name in ("ids", "labels", "segment", "family"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert first.inputs.keys() == again.inputs.keys()
    assert all(torch.equal(first.inputs[name], again.inputs[name]) for name in first.inputs)
    other = item(kind, 12)
    media = next(name for name in first.inputs if name.startswith(("pixel", "input_features")))
    assert first.inputs[media].shape == other.inputs[media].shape
    assert not torch.equal(first.inputs[media], other.inputs[media])


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_labelled_and_nothing_else(kind):
    made = item(kind)
    assert made.ids.shape == made.labels.shape == made.segment.shape == made.family.shape
    labelled = made.labels != -100
    assert labelled.any() and not labelled[made.segment == 0].any()
    assert torch.equal(made.labels[labelled], made.ids[labelled])
    assert torch.equal(made.family >= 0, labelled)
    for number in range(1, int(made.segment.max()) + 1):
        places = torch.nonzero((made.segment == number) & labelled).flatten()
        assert len(places) > 1 and places[-1] == torch.nonzero(made.segment == number).max()  # up to the segment's end
        assert (places.diff() == 1).all()
        # A task's answer may go on from the facts to a box, where there is a clip to look at: no end is learned there.
        ended = kind in PLAIN or number in own(made)
        assert said(made, number).endswith(reader().tokenizer.eos_token) == ended
        assert made.family[places].unique().numel() == 1


@pytest.mark.parametrize("kind", FAMILY)
def test_answers_know_their_family(kind):
    made = [item(kind, number) for number in (11, 12, 13)]
    found = {int(one.family[one.segment == number].max()) for one in made for number in own(one)}
    families = {pack.NAMES[family] for family in found}
    assert families == FAMILY[kind] if kind != "events" else "localisation" in families <= FAMILY[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_media_have_the_shapes_the_model_reads(kind):
    pictures, videos, samples, *_ = KINDS[kind]
    made = item(kind).inputs
    assert made.get("pixel_values", torch.empty(0)).shape[0] == pictures
    assert made.get("pixel_values_videos", torch.empty(0)).shape[0] == videos
    if pictures:
        assert made["image_grid_thw"].tolist() == [[1, 8, 8]]
    if videos:
        assert made["video_grid_thw"].tolist() == [[videos // CELLS, 8, 8]]
        assert made["video_second_per_grid"].tolist() == [2.0]
    if samples:
        mel = int(made["feature_attention_mask"].sum())
        assert mel == -(-samples // 160)
        assert made["input_features"].shape[:2] == (1, 128) and made["input_features"].shape[2] >= mel
    else:
        assert "input_features" not in made
    tokens, ids = reader().tokenizer, made["input_ids"][0].tolist()
    count = lambda name: ids.count(tokens.convert_tokens_to_ids(mini.SPECIAL[name]))  # noqa: E731
    assert (count("image"), count("video")) == (pictures // 4, videos // 4)
    assert count("audio") == (((-(-samples // 160) - 1) // 2 + 1 - 2) // 2 + 1 if samples else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_questions_share_one_clip(kind):
    most = KINDS[kind][3]
    counts = []
    for number in range(11, 17):
        made = item(kind, number)
        clip = made.inputs["input_ids"][0]
        assert torch.equal(made.ids[: len(clip)], clip) and (made.segment == 0).sum() == len(clip)
        assert (made.segment.diff() >= 0).all() and set(made.segment.diff().tolist()) <= {0, 1}
        counts.append(len(own(made)))
        told = [(asked(made, n), said(made, n)) for n in own(made)]
        # ave and unav ask in the same words, and may be answered in the same.
        assert len(set(told)) >= len(told) - (kind == "events")
    assert max(counts) <= most and (most == 1 or max(counts) > 1)


@pytest.mark.parametrize("kind", KINDS)
def test_items_of_a_kind_go_into_one_batch(kind):
    batch = pack.batch([item(kind, 11), item(kind, 12)])
    longest = max(len(item(kind, number).ids) for number in (11, 12))
    assert batch["input_ids"].shape == batch["labels"].shape == batch["segment"].shape == (2, longest)
    assert torch.equal(
        batch["segment"] == -1,
        torch.stack([torch.arange(longest) >= len(item(kind, number).ids) for number in (11, 12)]),
    )
    assert batch["clip_ids"].shape[0] == 2


def test_a_scene_with_nothing_to_point_at_gives_way_to_another():
    bare = next(
        n
        for n in range(200)
        if not any(q.dataset == "arig" for q in questions.ask(script.write(n), np.random.default_rng([n, *b"box"])))
    )
    assert torch.equal(item("box", bare).ids, item("box", bare + 7_000_003).ids)


def told_of(number, kind):
    """The conclusions that item 11 of a kind may have: any, and those that tell which is where."""
    rng = np.random.default_rng([11, *kind.encode()])
    words = questions.ask_words(script.write(number), rng)
    if kind in DECIDED:  # which of them is drawn before places are
        words = items._few([q for q in words if q.answer in ("yes", "no", "true", "false")], rng, 4)
    return words, [
        q
        for seed in (number, number + items._ELSEWHERE)
        for q in questions.ask_places(script.write(seed), script.write_pair(seed), rng)
    ]


def test_conclusions_about_another_scene_stand_beside_what_is_asked_of_a_clip():
    for kind in KINDS:
        made = item(kind)
        told = [n for n in range(1, int(made.segment.max()) + 1) if n not in own(made)]
        assert len(told) == KINDS[kind][4]
        if kind in ASKED:
            words, places = ({q.given for q in of} for of in told_of(11 + items._ELSEWHERE, kind))
            given = [asked(made, n).partition("assistant\n")[2] for n in told]
            assert words | places >= set(given) and any(facts in places for facts in given)


def test_what_is_decided_takes_two_things_together():
    """Yes or no, true or false, or which of two."""
    for kind in DECIDED:
        made = item(kind)
        for n in range(1, int(made.segment.max()) + 1):
            if n not in own(made):
                assert re.search(r"<answer> ?(yes|no|true|false|one|two) ?</answer>", said(made, n)), (kind, n)


def test_plain_words_alone_are_conclusions_and_drills():
    topics = Counter()
    for number in range(20):
        made = item("say", number)
        assert "input_features" not in made.inputs and (made.segment == 0).sum() == made.inputs["input_ids"].shape[1]
        assert reader().tokenizer.decode(made.inputs["input_ids"][0]).endswith("user\n")
        assert int(made.segment.max()) == 1 and said(made, 1).endswith(reader().tokenizer.eos_token)
        drill = pack.NAMES[int(made.family.max())] == "drill"
        assert drill == asked(made, 1).endswith("assistant\n")
        topics[drill] += 1
    assert topics[True] == topics[False] == 10


def everything_said(kind, numbers):
    """Texts of items, without the system's that Qwen brings along."""
    for number in numbers:
        made = item(kind, number)
        for n in range(1, int(made.segment.max()) + 1):
            yield asked(made, n).replace("<|im_end|>\n<|im_start|>assistant\n", " "), said(made, n)


@pytest.mark.parametrize("kind", (*PLAIN, "say"))
def test_the_base_meets_no_task(kind):
    """No lead, no instruction, no tag, and nothing that any task's grammar reads as a result."""
    fixed = {task.lead for task in TASKS.values()}
    for task in TASKS.values():
        fixed |= {piece.strip() for piece in re.split(r"\{\w+\}", task.instruction) if len(piece.split()) > 2}
    for question, answer in everything_said(kind, range(11, 71 if kind == "say" else 17)):
        answer = answer.removesuffix(reader().tokenizer.eos_token)
        for text in (question, answer):
            assert not [words for words in fixed if words.lower() in text.lower()]
            assert not re.search(r"</?[a-z_]+ ?>", text)
            if "Say again" not in question:
                assert not re.search(r"[<>\[\]()]|224", text)
            for task in TASKS.values():
                read = parse(text, task)
                assert (read.choice, read.exists, read.events, read.boxes, read.points) == (None, None, (), (), ())
    start = reader().tokenizer.decode(item(kind).inputs["input_ids"][0])
    assert not [task.lead for task in TASKS.values() if task.lead in start]


# ---- what the model sees and hears is the scene that is asked about ----------


@pytest.mark.parametrize("kind", ["box", "points", "refers"])
def test_a_still_is_a_picture_and_the_sound_around_it(kind):
    dataset = {"box": "arig", "points": "s4", "refers": "ref_avs"}[kind]
    for second in (0.5, 3.5, 9.5):
        scene, task = script.write(4), TASKS[dataset]
        media = items._shown(scene, task, second)
        assert np.array_equal(media.picture, render.frame(scene, second, (112, 112)))
        assert media.picture_time == second
        start, _, index = around_still(second, 10.0, task.sound)
        [stretch] = media.stretches
        at = int(stretch.start * 16000)
        assert np.array_equal(media.sound, render.sound(scene)[at : at + stretch.samples])
        assert stretch.start == (start if dataset == "arig" else int(second))


@pytest.mark.parametrize("dataset", ["ave", "avqa", "ks", "meld"])
def test_a_clip_is_its_frames_and_the_planned_sound(dataset):
    scene, task = script.write(6), TASKS[dataset]
    media = items._shown(scene, task)
    assert len(media.times) == len(media.videos[0]) == len(media.sources) == task.frames
    for time, frame in zip(media.times[::3], media.videos[0][::3]):
        assert np.array_equal(frame, render.frame(scene, time, (112, 112)))
    assert media.times[0] == 0 and media.times[-1] == pytest.approx(249 / 25)
    assert np.array_equal(media.sound, apply_plan(render.sound(scene), task.sound)[0])
    assert sum(stretch.samples for stretch in media.stretches) == len(media.sound)


@pytest.mark.parametrize("kind", ["a2v", "v2a"])
def test_a_pair_shows_both_and_its_answer_is_the_one_that_matches(kind, monkeypatch):
    """What the model gets is caught on its way: the single medium is of the scene that the answer names."""
    caught = {}
    monkeypatch.setattr(items, "pack", lambda processor, media, asked, told: caught.update(media=media, asked=asked))
    answers = set()
    for number in range(8):
        items.make_item(None, kind, number)
        media, [question] = caught["media"], caught["asked"]
        pair = script.write_pair(number)
        named = {"one": 0, "two": 1}[question.answer]
        match, both = [pair[named]], list(pair)
        shown, heard = (both, match) if kind == "a2v" else (match, both)
        assert len(media.videos) == len(shown)
        for video, scene in zip(media.videos, shown):
            assert np.array_equal(video[4], render.frame(scene, media.times[4], (112, 112)))
        assert np.array_equal(media.sound, np.concatenate([render.sound(scene) for scene in heard]))
        assert [stretch.source for stretch in media.stretches] == list(range(len(heard)))
        assert media.sources == tuple(i for i in range(len(shown)) for _ in range(10))
        answers.add(question.answer)
    assert answers == {"one", "two"}


def test_an_item_s_words_are_the_questions_of_its_scene():
    scene = script.write(11)
    rng = np.random.default_rng([11, *b"answers"])
    items._conclusions(11 + items._ELSEWHERE, rng)  # are drawn first
    targets = {q.target for q in questions.ask(scene, rng) if q.dataset == "avqa"}
    made = item("answers")
    assert {said(made, n).removesuffix(reader().tokenizer.eos_token) for n in own(made)} <= targets


def test_items_can_be_learned_from():
    thinker = mini.fresh(reader().tokenizer).eval()
    ten = pack.ten_of(reader().tokenizer)
    for kind in ("refers", "v2a", "see", "sounds"):
        with torch.no_grad():
            losses, families = pack.answer_losses(thinker, pack.batch([item(kind)]), ten=ten)
        assert torch.isfinite(losses).all() and len(losses) == len(families) == int((item(kind).labels != -100).sum())
