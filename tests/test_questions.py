"""What scenes are asked: targets that say the truth of the scene, in a form that is read back as exactly that."""

import json
import re
from collections import Counter
from functools import cache

import numpy as np
import pytest

from crab.answer import GRID, Event, parse
from crab.avuie import TEST_FIELDS, TRAIN_FIELDS
from crab.scenes.asking import questions
from crab.scenes.asking.pointing import points_in
from crab.scenes.asking.words import NUMBERS
from crab.scenes.world import render, script
from crab.scenes.world.cast import ACTIONS, ACTORS, EMOTIONS, OBJECTS
from crab.tasks import TASKS, instruction

SEEDS = range(60)
WRITERS = {"ask": "write", "ask_action": "write_action", "ask_emotion": "write_emotion", "ask_pair": "write_pair"}
TOLD = ("avqa", "avqa_thu", "ref_avs", "a2v", "v2a")  # whose answers follow from facts

INTERVALS = r"(?:\(\d+ \d+\))+"
LABEL = "(?:" + "|".join(ACTORS[name].label for name in OBJECTS) + ")"
NAME = r"\b(?:" + "|".join(sorted(OBJECTS, key=len, reverse=True)) + r")\b"
BOX_POINTS = r"bounding box is \[\d+,\d+,\d+,\d+\] and three points on it are \[\d+,\d+\],\[\d+,\d+\],\[\d+,\d+\]\."


def several(tag):
    one = rf"<{tag}>{LABEL}, {INTERVALS}</{tag}>"
    return f"{one}(?:, {one})*"


GRAMMAR = {
    **dict.fromkeys(("ave", "unav"), rf"[^<]+Therefore, the events and time range are {several('event')}\."),
    "avvp": rf"[^<]+The events are (?:{several('visual_event')} and )?{several('audio_event')}\.",
    "avqa": r"[^<]+ <answer> [a-z ]+ </answer>\.",
    "avqa_thu": r"[^<]+ <answer>[a-z0-9 ]+</answer>\.",
    "avcap": r"[^<]+ seconds\.",
    "arig": rf"The sounding object is {NAME}\. Its coordinates are <obj>\(\d+,\d+\)\(\d+,\d+\)</obj>\.",
    **dict.fromkeys(("s4", "ms3"), rf"The object making the sound in the video is {NAME}\. Its {BOX_POINTS}"),
    "ref_avs": r"[^<]+ <answer>(?:false</answer> The object is absent\."
    rf"|true</answer> The object is the {NAME}\. Its {BOX_POINTS})",
    **dict.fromkeys(questions.ACTION_SETS, rf"[^<]+ <answer>(?:{'|'.join(ACTIONS)})</answer>\."),
    **dict.fromkeys(questions.EMOTION_SETS, rf"[^<]+ <answer>(?:{'|'.join(EMOTIONS)})</answer>\."),
    **dict.fromkeys(questions.PAIR_SETS, r"[^<]+ <answer>(?:one|two)</answer>\."),
}


@cache
def asked(ask, seed):
    """The scene (or pair) of a seed and what it is asked."""
    scene = getattr(script, (WRITERS)[ask])(seed)
    return scene, tuple(getattr(questions, ask)(scene, np.random.default_rng(seed)))


@cache
def of(dataset):
    """(scene or pair, question) of one data set, many times over."""
    ask = next(ask for ask in WRITERS if dataset in SETS[ask])
    every = (asked(ask, seed) for seed in SEEDS)
    return tuple((scene, q) for scene, found in every for q in found if q.dataset == dataset)


SETS = dict(zip(WRITERS, (questions.OBJECT_SETS, questions.ACTION_SETS, questions.EMOTION_SETS, questions.PAIR_SETS)))


def read(question):
    return parse(question.target, TASKS[question.dataset], duration=10, size=GRID)


def heard(scene):
    return {ACTORS[part.actor].label: part.heard for part in scene.parts if part.heard}


def seen(scene):
    return {ACTORS[part.actor].label: part.seen for part in scene.parts if part.seen}


def events(stretches, modality):
    return {Event(label, modality, *times) for label, all_times in stretches.items() for times in all_times}


def mask_of(scene, name, time):
    return next(mask for part, mask in render.masks(scene, time, GRID) if part.actor == name)


def corners(box):
    return box.x1, box.y1, box.x2, box.y2


# ---- every data set --------------------------------------------------------


def test_all_nineteen_formulations_are_asked():
    assert set(questions.DATASETS) == set(TASKS) and len(questions.DATASETS) == 19
    assert sorted(name for names in SETS.values() for name in names) == sorted(questions.DATASETS)
    assert all(len(of(name)) >= 8 for name in questions.DATASETS)


@pytest.mark.parametrize("ask", WRITERS)
def test_one_seed_is_one_set_of_questions(ask):
    for seed in range(5):
        scene, found = asked(ask, seed)
        assert tuple(getattr(questions, ask)(scene, np.random.default_rng(seed))) == found
    if ask != "ask_emotion":
        assert len({found for seed in range(5) for found in map(repr, asked(ask, seed)[1])}) > 5


@pytest.mark.parametrize("dataset", questions.DATASETS)
def test_targets_keep_to_their_grammar(dataset):
    for _, question in of(dataset):
        assert re.fullmatch(GRAMMAR[dataset], question.target), question.target
        assert question.answer and question.answer in question.target
        assert len(question.target.split()) <= 70


@pytest.mark.parametrize("dataset", questions.DATASETS)
def test_what_is_asked_is_what_the_task_needs(dataset):
    for _, question in of(dataset):
        assert bool(question.question) == bool(TASKS[dataset].needs)
        text = instruction(TASKS[dataset], question.question)
        assert question.question.partition(", options:")[0] in text
    assert (dataset in ("s4", "ms3", "arig", "ref_avs")) == any(question.time for _, question in of(dataset))


def truths(fields):
    """The fields of a file that say what is true: no ids, no media, not the text to train on, not what is typed."""
    named = re.findall(r"\{(\w+)", fields.question)
    ids = {"vid", "uid", "fid", "id", "video_id", "video_name", "question_id", "filename"}
    typed = {"description", "object"} & set(named)  # `Question.question` itself
    frame = {fields.frame} if isinstance(fields.frame, str) else set()
    return set(fields.published) - ids - typed - frame - set(fields.media.values()) - {fields.target}


@pytest.mark.parametrize("dataset", questions.DATASETS)
def test_published_fields_are_filled(dataset):
    for files in (TRAIN_FIELDS, TEST_FIELDS):
        fields = files.get(dataset)
        for _, question in of(dataset) if fields else ():
            assert truths(fields) <= question.fields.keys()
            for name, value in question.fields.items():
                assert name not in fields.published or fields.published[name].holds(value), (name, value)
            assert json.loads(json.dumps(question.fields)) == question.fields
            if "{" in fields.reference and not truths(fields) - question.fields.keys() and dataset != "ref_avs":
                assert "{" not in fields.reference.format_map(question.fields)


WORDINGS = {  # data set -> what some of its targets say and others do not
    **dict.fromkeys(("ave", "unav"), ("The sound is ", "I hear ")),
    "avvp": ("The video shows ", "I see "),
    "avcap": ("The sound is ", "We hear "),
    **dict.fromkeys(("avqa", "avqa_thu"), (" The answer is ", " So the answer is ")),
    **dict.fromkeys(questions.ACTION_SETS, ("The person is ", "The video shows ", "I see and hear ", "Therefore")),
    **dict.fromkeys(questions.EMOTION_SETS, (" The emotion is ", "Therefore")),
}


@pytest.mark.parametrize("dataset", WORDINGS)
def test_several_wordings_are_used(dataset):
    targets = [question.target for _, question in of(dataset)]
    for words in WORDINGS[dataset]:
        assert 0 < sum(words in target for target in targets) < len(targets), words


# ---- events ----------------------------------------------------------------


@pytest.mark.parametrize("dataset", ["ave", "unav"])
def test_events_are_read_back_as_those_of_the_scene(dataset):
    for scene, question in of(dataset):
        said = read(question)
        assert set(said.events) == events(heard(scene), "both") and len(said.events) == len(set(said.events))
        assert set(parse(question.answer, TASKS[dataset]).events) == set(said.events)
        assert (said.choice, said.exists, said.boxes, said.points) == (None, None, (), ())
        for label, stretches in heard(scene).items():
            told = " and ".join(f"from {start} to {end}" for start, end in stretches)
            assert f"{label} {told}" in said.reasoning


def test_ave_has_one_event_in_one_stretch():
    for seed in SEEDS:
        scene, found = asked("ask", seed)
        simple = [len(stretches) for stretches in heard(scene).values()] == [1]
        assert simple == any(q.dataset == "ave" for q in found)
    for scene, question in of("ave"):
        [(label, ((start, end),))] = heard(scene).items()
        assert question.fields == {"event": label, "start_time": start, "end_time": end}


def test_avvp_tells_sights_from_sounds():
    for scene, question in of("avvp"):
        said = read(question)
        assert set(said.events) == events(seen(scene), "visual") | events(heard(scene), "audio")
        assert question.fields["event"] == question.answer
        told = r"(?:The video shows|I see) (.+?)(?:, and the sound is| and hear) (.+?)\. "
        sights, sounds = re.match(told, question.target).groups()
        names = [part.actor for part in scene.parts if part.seen]
        assert re.findall(NAME, sights) == names or (sights == "no object" and not names)
        assert set(re.findall(LABEL, sounds)) == set(heard(scene))


def test_captions_say_who_is_where_and_what_is_heard_when():
    for scene, question in of("avcap"):
        assert question.answer == question.target == read(question).text
        names = [part.actor for part in scene.parts if part.seen]
        sight, sound = re.split(r"\. (?:The sound is|We hear) ", question.target)
        assert re.findall(NAME, sight.lower()) == names
        if len(names) == 1:
            [part] = [part for part in scene.parts if part.seen]
            where = ("on the left", "in the middle", "on the right")[int(np.clip(part.x * 3, 0, 2))]
            assert sight.endswith(f" is {where}")
        for label, stretches in heard(scene).items():
            assert f"{label} " + " and ".join(f"from {a} to {b}" for a, b in stretches) in sound


# ---- choices ---------------------------------------------------------------


@pytest.mark.parametrize("dataset", ["avqa", "avqa_thu", *questions.ACTION_SETS, *questions.EMOTION_SETS])
def test_choices_are_read_back(dataset):
    for _, question in of(dataset):
        said = read(question)
        assert said.choice == question.answer
        assert (said.events, said.exists, said.boxes, said.points) == ((), None, (), ())


def test_questions_have_their_published_types():
    for _, question in of("avqa"):
        about, kind = json.loads(question.fields["type"])
        assert about in ("Audio", "Visual", "Audio-Visual")
        assert kind in ("Existential", "Counting", "Location", "Temporal", "Comparative")
    assert len({question.fields["type"] for _, question in of("avqa")}) >= 8
    for _, question in of("avqa_thu"):
        assert question.fields["question_relation"] in ("Sound", "View", "Both")
        assert question.fields["question_type"] in ("Which", "Happening", "When", "Where")


def test_options_are_typed_as_published_and_hold_the_answer_once():
    for _, question in of("avqa_thu"):
        options = question.fields["multi_choice"]
        assert question.question == f"{question.fields['question_text']}, options:{options}"
        assert options.count(question.answer) == 1 and len(set(options)) == len(options)


def test_a_scene_is_asked_several_questions_and_none_twice():
    for seed in SEEDS:
        found = [(q.dataset, q.question) for q in asked("ask", seed)[1]]
        assert len(found) == len(set(found)) >= 7


def test_yes_and_no_are_balanced():
    answers = Counter(question.answer for _, question in of("avqa"))
    total = answers["yes"] + answers["no"]
    assert total > 100 and answers["yes"] / total == pytest.approx(0.5, abs=1.5 / np.sqrt(total))


def test_actions_and_feelings_are_those_of_the_scene():
    for dataset in questions.ACTION_SETS:
        for scene, question in of(dataset):
            assert [part.actor for part in scene.parts if part.actor in ACTIONS] == [question.answer]
            assert question.answer in question.target.partition("<")[0]  # the reason says it too
    looks = {}
    for dataset in questions.EMOTION_SETS:
        for scene, question in of(dataset):
            assert scene.parts[0].actor == question.answer and list(question.fields.values()) == [question.answer]
            words = frozenset(re.split(r"\. |, and ", question.target.lower())[:2])
            assert looks.setdefault(words, question.answer) == question.answer
    assert set(looks.values()) == set(EMOTIONS) and len(looks) == len(EMOTIONS)  # a reason of its own each


# ---- pairs -----------------------------------------------------------------


@pytest.mark.parametrize("dataset", questions.PAIR_SETS)
def test_the_match_is_the_scene_that_is_both_seen_and_heard(dataset):
    for pair, question in of(dataset):
        assert question.answer == NUMBERS[question.which + 1]
        assert read(question).choice == str(question.which + 1)
        assert (read(question).events, read(question).boxes) == ((), ())
        sounds = [" and ".join(heard(scene)) for scene in pair]
        kind = {"a2v": "video", "v2a": "audio"}[dataset]
        given, found, _ = re.split(r", so |\. Therefore", question.target)
        listed = given.partition("The videos show " if dataset == "a2v" else "The sounds are ")[2]
        told = [tuple(one.rsplit(" ", 1)) for one in re.split(", | and ", listed)]
        [name] = [part.actor for part in pair[question.which].parts if part.heard]
        if dataset == "a2v":
            assert given.startswith(f"The audio is {sounds[question.which]}. ")
            assert told == [(part.actor, number) for number, scene in zip(("one", "two"), pair) for part in scene.parts]
            assert found == f"{name} {question.answer}"
            fields = ("correct_video", "audio_event", "video1_event", "video2_event")
        else:
            seen_now = re.findall(NAME, re.match(r"The video shows (.+?)\. ", given)[1])
            assert seen_now == [part.actor for part in pair[question.which].parts]
            assert told == list(zip(sounds, ("one", "two"))) and found == f"{sounds[question.which]} {question.answer}"
            fields = ("correct_audio", "video_event", "audio1_event", "audio2_event")
        assert f"the matching {kind} is" in question.target
        assert question.fields == dict(zip(fields, (question.answer, sounds[question.which], *sounds)))
    answers = Counter(question.answer for _, question in of(dataset))
    assert answers["one"] / answers.total() == pytest.approx(0.5, abs=0.25)


def test_the_two_questions_of_a_pair_are_drawn_apart():
    assert len({tuple(q.which for q in asked("ask_pair", seed)[1]) for seed in SEEDS}) == 4


# ---- boxes and points ------------------------------------------------------


@pytest.mark.parametrize("dataset", ["arig", "s4", "ms3", "ref_avs"])
def test_boxes_and_points_are_those_of_the_visible_mask(dataset):
    for scene, question in of(dataset):
        said = read(question)
        if dataset == "ref_avs" and question.answer == "false":
            assert (said.exists, said.boxes, said.points, question.actor) == (False, (), (), "")
            continue
        mask = mask_of(scene, question.actor, question.time)
        [box] = said.boxes
        assert box.label == question.actor and corners(box) == render.box(mask)
        assert 0 <= box.x1 < box.x2 <= 223 and 0 <= box.y1 < box.y2 <= 223
        assert said.exists == (True if dataset == "ref_avs" else None) and said.events == ()
        if dataset == "arig":
            assert said.points == ()
            assert (*question.fields["top_left"], *question.fields["bottom_right"]) == corners(box)
        else:
            assert list(said.points) == points_in(mask)
            assert len(said.points) == 3 and all(mask[int(y), int(x)] for x, y in said.points)
        if dataset != "ref_avs":
            assert question.fields["a_obj"] == question.actor
            assert [part.actor for part in scene.parts if script.during(part.heard, question.time)] == [question.actor]


def test_two_in_three_descriptions_fit():
    more = (questions.ask(script.write(seed), np.random.default_rng(seed)) for seed in range(60, 160))
    answers = Counter(question.answer for _, question in of("ref_avs"))
    answers += Counter(question.answer for found in more for question in found if question.dataset == "ref_avs")
    total = answers["true"] + answers["false"]
    assert answers["true"] / total == pytest.approx(2 / 3, abs=1.5 / np.sqrt(total))
    assert {question.fields["split"] for _, question in of("ref_avs")} == {"test_s", "test_n"}
    for _, question in of("ref_avs"):
        assert (question.fields["split"] == "test_n") == (question.answer == "false")


# ---- practice --------------------------------------------------------------


def test_practice_with_descriptions_asks_each_once():
    for seed in range(20):
        scene = script.write(seed)
        found = questions.ask_about(scene, 3.5, np.random.default_rng(seed))
        assert len({question.question for question in found}) == len(found) <= 4
        for question in found:
            assert question.time == 3.5 and re.fullmatch(GRAMMAR["ref_avs"], question.target)
            assert read(question).exists == (question.answer == "true")
            if question.actor:
                [box] = read(question).boxes
                assert corners(box) == render.box(mask_of(scene, question.actor, 3.5))


def test_facts_begin_the_target_and_hold_no_answer():
    for dataset in questions.DATASETS:
        for _, question in of(dataset):
            assert bool(question.given) == (dataset in TOLD)
            assert question.target.startswith(question.given) and "<answer>" not in question.given


def test_thinking_practice_ends_where_looking_would_begin():
    kinds = Counter()
    for seed in range(20):
        scene, rng = script.write(seed), np.random.default_rng(seed)
        found = questions.ask_words(scene, rng) + questions.ask_places(scene, script.write_pair(seed), rng)
        kinds.update(question.dataset for question in found)
        for question in found:
            assert question.given and "bounding box" not in question.target
            assert "<answer>" in question.target.removeprefix(question.given)
    assert kinds.keys() == set(TOLD)
