"""Composed scenes: what is typed, what is true of them, and how near an answer is."""

import json
from dataclasses import replace

import pytest

from crab import CrabError, answer, compose, truth
from crab.compose import Row, stretches
from crab.scenes.world import render
from crab.scenes.world.cast import ACTIONS, ACTORS, EMOTIONS, OBJECTS

DOG = Row("dog", 20, 50, "0-10", "2-6")
CAT = Row("cat", 75, 40, "0-10", "")
SIZE = (320, 240)


def scene(*rows: Row):
    return compose.compose("meadow", rows, 3)


def question(of, dataset: str, words: str = ""):
    return next(q for q in compose.asked(of).values() if q.dataset == dataset and words in q.question)


# ---- what is typed ----


@pytest.mark.parametrize(
    "text, times",
    [
        ("", ()),
        ("  ", ()),
        (None, ()),
        ("0-3", ((0, 3),)),
        (" 0 - 3 ; 6–8 ", ((0, 3), (6, 8))),
        ("6 to 8 and 0-3", ((0, 3), (6, 8))),
        ("0-3, 3-5", ((0, 5),)),
        ("0-6, 2-4", ((0, 6),)),
        ("0-10", ((0, 10),)),
    ],
)
def test_stretches_are_read_as_people_type_them(text, times):
    assert stretches(text) == times
    assert stretches(compose.typed(times)) == times


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("soon", "not a stretch"),
        ("3", "not a stretch"),
        ("1.5-3", "not a stretch"),
        ("-1-3", "not a stretch"),
        ("8-12", "leaves the clip"),
        ("3-3", "ends before"),
        ("0-2, 6-4", "“6-4” ends before"),
    ],
)
def test_a_stretch_that_cannot_be_gets_a_sentence(text, sentence):
    with pytest.raises(CrabError, match=sentence):
        stretches(text)
    with pytest.raises(CrabError, match="^Dog, when heard: "):
        scene(replace(DOG, heard=text))


@pytest.mark.parametrize(
    "rows, sentence",
    [
        ([], "nobody in the scene"),
        ([Row()], "nobody in the scene"),
        ([replace(DOG, seen="", heard="")], "nobody in the scene"),
        ([Row("unicorn")], "Nobody here is called 'unicorn'"),
        ([DOG, DOG], "dog is there twice"),
        ([Row(name) for name in OBJECTS[:5]], "5 actors are too many"),
        ([Row("clapping"), Row("man")], "the only person"),
        ([Row("happy"), Row("sad")], "the only person"),
        ([replace(DOG, look=None)], "whole number"),
    ],
)
def test_a_scene_that_cannot_be_gets_a_sentence(rows, sentence):
    with pytest.raises(CrabError, match=sentence):
        scene(*rows)


def test_an_unknown_backdrop_gets_a_sentence_that_names_those_there_are():
    with pytest.raises(CrabError, match="'moon'.*meadow"):
        compose.compose("moon", [DOG], 0)


def test_everybody_is_offered_once():
    assert {name for _, name in compose.names()} == set(ACTORS) == {*OBJECTS, *ACTIONS, *EMOTIONS}


# ---- scenes ----


def test_parts_stand_from_left_to_right_whatever_the_order_of_the_rows():
    assert [part.actor for part in scene(CAT, DOG).parts] == ["dog", "cat"]


@pytest.mark.parametrize("place", [0, 100])
def test_nobody_leaves_the_picture(place):
    [(_, mask)] = render.masks(scene(replace(DOG, place=place, size=95)), 5.5, SIZE)
    [(_, middle)] = render.masks(scene(replace(DOG, place=50, size=95)), 5.5, SIZE)
    assert abs(int(mask.sum()) - int(middle.sum())) < 0.02 * middle.sum()


def test_changing_one_thing_changes_nothing_else():
    before, after = scene(DOG, CAT), scene(replace(DOG, heard=""), CAT)
    assert replace(after.parts[0], heard=((2, 6),)) == before.parts[0]
    assert (after.parts[1], after.background, after.hiss) == (before.parts[1], before.background, before.hiss)
    assert compose.changes(before, after) == ["dog heard 2-6 → never"]
    assert compose.changes(before, before) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_surprise_is_a_scene_and_the_form_says_it_all(seed):
    form = compose.surprise(seed)
    made = form.scene()
    assert compose.Form.of(form.values) == form and len(form.rows) == compose.MOST
    assert made.parts and any(part.heard for part in made.parts)


# ---- what they are asked, and the truth ----


def test_the_truth_follows_the_form():
    made = scene(DOG, CAT)
    assert question(made, "avqa", "making the sound").answer == "dog"
    assert question(made, "avqa", "Where is").answer == "left"
    true = truth.truth(question(made, "avvp"), SIZE)
    assert {(e.label, e.modality, e.start, e.end) for e in true.events} == {
        ("dog barking", "visual", 0, 10),
        ("cat meowing", "visual", 0, 10),
        ("dog barking", "audio", 2, 6),
    }


def test_the_true_box_is_where_the_actor_stands_in_pixels_of_the_picture():
    made = scene(DOG, CAT)
    asked = question(made, "s4")
    [box] = truth.truth(asked, SIZE).boxes
    mask = next(mask for part, mask in render.masks(made, asked.time, SIZE) if part.actor == "dog")
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx(render.box(mask), abs=3)


def test_who_is_behind_the_curtain_is_heard_and_not_seen():
    true = truth.truth(question(scene(replace(DOG, seen=""), CAT), "avvp"), SIZE)
    assert {(e.label, e.modality) for e in true.events} == {("dog barking", "audio"), ("cat meowing", "visual")}


def test_where_nobody_sounds_there_is_still_something_to_ask():
    silent = scene(replace(DOG, heard=""), CAT)
    assert question(silent, "avqa", "How many objects are sounding").answer == "zero"
    assert {event.modality for event in truth.truth(question(silent, "avvp"), SIZE).events} == {"visual"}
    assert not any(q.dataset in ("ave", "unav", "s4", "arig") for q in compose.asked(silent).values())


@pytest.mark.parametrize("name, datasets", [("clapping", {"ks", "ucf"}), ("happy", {"meld", "cremad"})])
def test_actions_and_feelings_are_asked_by_their_own_sets_where_shown_and_heard(name, datasets):
    person = Row(name, 70, 80, "0-10", "0-10")
    asked = compose.asked(scene(person, DOG)).values()
    assert datasets <= {q.dataset for q in asked} and {q.answer for q in asked} == {name}
    assert not compose.asked(scene(replace(person, heard="")))


def test_a_question_asked_before_is_found_again_and_what_has_no_answer_any_more_is_told():
    before, silent = scene(DOG, CAT), scene(replace(DOG, heard=""), CAT)
    left = compose.key(question(before, "avqa", "to the left of"))
    assert compose.key(compose.again(silent, left)) == left
    choices, value = compose.choices(silent, left)
    assert value == left in [key for _, key in choices]
    with pytest.raises(CrabError, match="no clear answer"):
        compose.chosen(silent, compose.key(question(before, "s4")))


def test_an_own_question_has_no_truth():
    own = compose.chosen(scene(DOG), "", " What is it? ")
    assert (own.dataset, own.question) == ("avqa", "What is it?") and truth.truth(own, SIZE) is None
    assert truth.judge(answer.NOTHING, None, "choice").right is None


# --- what a link says ---

FORM = [compose.BACKDROPS[0], 3, *("dog", 50, 40.5, "0-10", "2-6", 7), *("", 50, 50, "0-10", None, 0) * 3]


def test_a_link_says_what_is_on_the_form():
    form = compose.of_link(json.dumps(FORM))
    assert form.values == FORM and json.loads(compose.to_link(form)) == FORM


@pytest.mark.parametrize("link", [
    "[" * 20_000 + "]" * 20_000, "[" * 20_000, "", "null", "5", '"room"', "{}", "[]", "[1, 2]", json.dumps(FORM[:-1]),
    json.dumps([*FORM, 1]), json.dumps(FORM).replace("40.5", "NaN"), json.dumps(FORM).replace("40.5", "Infinity"),
    json.dumps(FORM).replace("40.5", "1e999"), json.dumps(FORM).replace("40.5", "9" * 400),
    json.dumps(FORM).replace("40.5", "9" * 5000), json.dumps(FORM).replace("40.5", "true"),
    json.dumps(FORM).replace("40.5", '"half"'), json.dumps(FORM).replace("40.5", "[]"),
    json.dumps(FORM).replace(" 7,", " 1e30,"), json.dumps(FORM).replace(" 7,", " -1,"),
    json.dumps(FORM).replace(" 7,", " NaN,"), json.dumps(FORM).replace(" 7,", " 7.5,"),
    json.dumps(FORM).replace(" 3,", " null,"), json.dumps(FORM).replace(" 3,", " Infinity,"),
    json.dumps(FORM).replace('"dog"', '"unicorn"'), json.dumps(FORM).replace('"dog"', '["dog"]'),
    json.dumps(FORM).replace('"dog"', '"\\ud800"'), json.dumps(FORM).replace('"2-6"', "26"),
    json.dumps(FORM).replace('"2-6"', '"8-14"'), json.dumps(FORM).replace(json.dumps(FORM[0]), "{}"),
    json.dumps(FORM).replace(" 0]", " 1e30]"),
])  # fmt: skip
def test_a_link_that_says_no_scene_is_told_so(link):
    with pytest.raises(CrabError, match="does not name a scene"):
        compose.of_link(link)


@pytest.mark.parametrize("look", [None, -1, 0.5, 1e9, 10**400, float("nan"), float("inf")])
def test_a_look_is_a_whole_number(look):
    with pytest.raises(CrabError, match="whole number"):
        compose.compose("room", [compose.Row("dog", look=look)], 1)
