"""Questions with short answers: the answer is what the script says, yes as often as no, for a reason that is true."""

import re
from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pytest

from crab.scenes.asking import quiz
from crab.scenes.world import script
from crab.scenes.world.cast import ACTORS, OBJECTS
from crab.scenes.world.script import DURATION, place

SEEDS = range(400)
NUMBERS = ("zero", "one", "two", "three", "four")
THIRDS = {"left": "on the left", "middle": "in the middle", "right": "on the right"}
NAME = r"\b(" + "|".join(sorted(OBJECTS, key=len, reverse=True)) + r")\b"
OPENINGS = {  # how a question begins -> the kinds that ask so
    "sounding": ("Which object is making the sound?", "What makes the sound in the video?"),
    "count_sounding": ("How many objects are sounding?", "How many objects are sounding in the video?"),
    "count_kinds": ("How many kinds of objects are in the video?", "How many objects are seen in the video?"),
    "where": ("Where is the sounding object?", "Where is the object that makes the sound?"),
    "first": ("Which object makes a sound first?", "Which is the first sounding object?"),
}


@cache
def asked(kind):
    """(scene, what it is asked) wherever the kind has a clear answer."""
    found = []
    for seed in SEEDS:
        scene = script.write(seed)
        question = getattr(quiz, kind)(scene, np.random.default_rng(seed))
        if question is not None:
            found.append((scene, question))
    return tuple(found)


def seen(scene):
    """Names of who is ever in view, from left to right in the middle of the clip."""
    return [part.actor for part in sorted(scene.parts, key=lambda part: part.x) if part.seen]


def heard(scene):
    return {part.actor: part.heard for part in scene.parts if part.heard}


def starts(scene):
    return {name: stretches[0][0] for name, stretches in heard(scene).items()}


def third(part):
    """The third of the picture that a part never leaves, or else None."""
    along = [place(part, time)[0] for time in np.linspace(0, DURATION, 21)]
    found = {"left" if x < 1 / 3 else "middle" if x < 2 / 3 else "right" for x in along}
    return found.pop() if len(found) == 1 else None


KINDS = [kind.__name__ for kind in quiz.KINDS]
CHOICES = [kind.__name__ for kind in quiz.CHOICES]


# ---- every kind ------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS + CHOICES)
def test_one_seed_is_one_question(kind):
    for seed in range(30):
        one, same = (getattr(quiz, kind)(script.write(seed), np.random.default_rng(seed)) for _ in range(2))
        assert one == same


@pytest.mark.parametrize("kind", KINDS + CHOICES)
def test_every_kind_is_asked_often_with_several_answers(kind):
    share = len(asked(kind)) / len(SEEDS)
    assert share > 0.1
    answers = Counter(question.answer for _, question in asked(kind))
    assert len(answers) >= 2 and answers.most_common(1)[0][1] < 0.75 * answers.total()
    assert len({question.kind for _, question in asked(kind)}) <= 2


@pytest.mark.parametrize("kind", OPENINGS)
def test_several_wordings_are_used(kind):
    assert {question.question for _, question in asked(kind)} == set(OPENINGS[kind])


@pytest.mark.parametrize("kind", ["is_there", "is_sounding"])
def test_several_wordings_about_a_named_object_are_used(kind):
    assert len({re.sub(rf"\ban? {NAME}|{NAME}", "X", question.question) for _, question in asked(kind)}) == 2


@pytest.mark.parametrize("kind", ["is_there", "is_sounding", "left_of", "longer"])
def test_yes_and_no_are_balanced(kind):
    answers = Counter(question.answer for _, question in asked(kind))
    assert set(answers) == {"yes", "no"}
    spread = 3 * np.sqrt(0.25 / answers.total())
    assert answers["yes"] / answers.total() == pytest.approx(0.5, abs=spread)


# ---- reasons ---------------------------------------------------------------


def names_in(text):
    return re.findall(NAME, text)


def lengths(scene):
    return {name: sum(end - start for start, end in of) for name, of in heard(scene).items()}


def true_of(clause, scene):
    """Whether one clause of a reason is true; None for one that nobody knows how to check."""
    labels = {ACTORS[name].label: name for name in heard(scene)}
    if found := re.fullmatch(r"The sounds? (is|are) (.+)", clause):
        said = [label for label in (actor.label for actor in ACTORS.values()) if label in found[2]]
        return set(said) == set(labels) and (found[1] == "is") == (len(said) == 1)
    if found := re.fullmatch(r"The video shows (.+)", clause):
        return names_in(found[1]) == seen(scene) or (found[1] == "no object" and not seen(scene))
    if found := re.fullmatch(
        rf"(?:From left to right there are|so) ({NAME} [a-z]+(?:(?:, | and ){NAME} [a-z]+)+)", clause
    ):
        said = {name: NUMBERS.index(number) for name, number in re.findall(rf"{NAME} ({'|'.join(NUMBERS)})\b", clause)}
        places = {name: place for place, name in enumerate(seen(scene), 1)}
        return said.items() <= places.items() and len(said) == (2 if clause.startswith("so") else len(places))
    if found := re.fullmatch(r"From left to right there (is|are) (.+)", clause):
        return names_in(found[2]) == seen(scene) and (found[1] == "is") == (len(seen(scene)) == 1)
    if found := re.fullmatch(rf"so it comes from the {NAME}", clause):
        return [found[1]] == list(heard(scene))
    if found := re.fullmatch(rf"so there is (no|an?) {NAME}", clause):
        return (found[2] in seen(scene)) == (found[1] != "no")
    if found := re.fullmatch(rf"so the {NAME} is (sounding|silent)", clause):
        return (found[1] in heard(scene)) == (found[2] == "sounding")
    if found := re.fullmatch(rf"The (first sounding|sounding) object is the {NAME}", clause):
        times = starts(scene)
        return found[2] == min(times, key=times.get) and (found[1] == "sounding") == (len(times) == 1)
    if found := re.fullmatch(rf"(?:which|and the {NAME}) is (.+)", clause):
        name = found[1] or next(iter(heard(scene)))
        return THIRDS.get(third(next(part for part in scene.parts if part.actor == name))) == found[2]
    if " starts at " in clause:
        plain = re.sub(r",| and ", " ", clause.replace("The ", "").lower())
        said = dict(re.findall(r"([a-z ]+?) starts at (\d+)", plain))
        return {label.strip(): int(at) for label, at in said.items()} == {
            label: starts(scene)[name] for label, name in labels.items()
        }
    if " sounds for " in clause:
        said = {name: int(seconds) for name, seconds in re.findall(rf"[Tt]he {NAME} sounds for (\d+) seconds", clause)}
        return said == lengths(scene)
    if found := re.fullmatch(rf"so the {NAME} sounds longer", clause):
        return lengths(scene)[found[1]] == max(lengths(scene).values())
    return None


@pytest.mark.parametrize("kind", KINDS + CHOICES)
def test_reasons_are_true_of_the_scene(kind):
    for scene, question in asked(kind):
        for sentence in filter(None, re.split(r"\.\s*", question.reason)):
            clauses = [sentence]
            if " starts at " not in sentence:
                clauses = re.split(r", (?=so |which |and the [a-z ]+ is )", sentence)
            for clause in clauses:
                assert true_of(clause, scene) is True, (clause, scene)


def test_a_false_reason_would_be_noticed():
    scene = script.write(0)
    [absent, *_] = [name for name in OBJECTS if name not in {part.actor for part in scene.parts}]
    assert not true_of(f"The sound is {ACTORS[absent].label}", scene)
    assert not true_of(f"The video shows a {absent}", scene)
    assert not true_of(f"so the {absent} is sounding", scene)
    assert true_of("so it is late", scene) is None


# ---- answers ---------------------------------------------------------------


def test_what_sounds():
    for scene, question in asked("sounding"):
        assert [question.answer] == list(heard(scene))


def test_how_many():
    for scene, question in asked("count_sounding"):
        assert question.answer == NUMBERS[len(heard(scene))]
    for scene, question in asked("count_kinds"):
        assert question.answer == NUMBERS[len(seen(scene))]
    assert {question.answer for _, question in asked("count_kinds")} >= {"one", "two", "three", "four"}


def test_whether_it_is_there():
    for scene, question in asked("is_there"):
        [name] = names_in(question.question)
        assert (question.answer == "yes") == (name in seen(scene))
        assert f"{'an' if name[0] in 'aeiou' else 'a'} {name}" in question.question


def test_whether_it_sounds():
    about = Counter()
    for scene, question in asked("is_sounding"):
        [name] = names_in(question.question)
        assert (question.answer == "yes") == (name in heard(scene))
        about[name in seen(scene), question.answer] += 1
    assert about[True, "no"] > 20 and about[False, "no"] > 20  # silent ones, and absent ones
    assert about[False, "yes"] > 0  # heard, never seen


def test_left_or_right():
    for scene, question in asked("left_of"):
        one, other = names_in(question.question)
        assert (question.answer == "yes") == (seen(scene).index(one) < seen(scene).index(other))


def test_where_it_sounds():
    for scene, question in asked("where"):
        [part] = [part for part in scene.parts if part.heard]
        assert part.seen and question.answer == third(part)
    assert {question.answer for _, question in asked("where")} == set(THIRDS)


def test_first_and_last():
    for kind, most in (("first", min), ("last", max)):
        for scene, question in asked(kind):
            times = starts(scene)
            extreme = most(times.values())
            assert len(times) > 1 and [name for name, at in times.items() if at == extreme] == [question.answer]


def test_the_neighbour_of_what_sounds_first():
    met = defaultdict(int)
    for scene, question in asked("neighbour"):
        times = starts(scene)
        who = min(times, key=times.get)
        assert list(times.values()).count(times[who]) == 1
        side = re.search(r"the (left|right) object of the", question.question)[1]
        assert ("first" in question.question) == (len(times) > 1)
        row = seen(scene)
        assert row[row.index(who) + (1 if side == "right" else -1)] == question.answer
        assert row.index(who) or side == "right"
        met[side] += 1
    assert min(met["left"], met["right"]) > 20


def test_which_sounds_longer():
    for scene, question in asked("longer"):
        one, other = names_in(question.question)
        seconds = lengths(scene)
        assert len(seconds) == 2 and abs(seconds[one] - seconds[other]) >= 2
        assert (question.answer == "yes") == (seconds[one] > seconds[other])


# ---- multiple choice -------------------------------------------------------


@pytest.mark.parametrize("kind", CHOICES)
def test_options_hold_the_answer_once_and_nothing_else_that_is_true(kind):
    for scene, question in asked(kind):
        options = question.options
        assert options.count(question.answer) == 1 and len(set(options)) == len(options) >= 3
        labels = [ACTORS[name].label for name in heard(scene)]
        if kind in ("choose_sound", "choose_happening"):
            assert [option for option in options if option in (*heard(scene), *labels)] == [question.answer]
        if kind == "choose_seen":
            assert [option for option in options if option in seen(scene)] == [question.answer]
        if kind == "choose_start":
            [start] = starts(scene).values()
            assert question.answer == f"at {start} seconds"
            others = [int(re.search(r"\d+", option)[0]) for option in options]
            assert all(at == start or abs(at - start) > 1 for at in others)
        if kind == "choose_where":
            name = re.fullmatch(rf"Where is the {NAME}\?", question.question)[1]
            assert question.answer == THIRDS[third(next(part for part in scene.parts if part.actor == name))]


@pytest.mark.parametrize("kind", ["choose_sound", "choose_happening", "choose_seen", "choose_start"])
def test_the_answer_stands_in_every_place(kind):
    places = Counter(question.options.index(question.answer) for _, question in asked(kind))
    assert set(places) == {0, 1, 2, 3} and min(places.values()) > 0.15 * places.total()


def test_silent_company_is_among_the_options():
    for scene, question in asked("choose_sound"):
        silent = [part.actor for part in scene.parts if not part.heard]
        assert len(set(silent) & set(question.options)) >= min(len(silent), 2)


def test_a_scene_without_a_clear_answer_is_not_asked():
    for seed in SEEDS:
        scene, rng = script.write(seed), np.random.default_rng(seed)
        alone = len(heard(scene)) == 1
        for kind in (quiz.sounding, quiz.choose_sound, quiz.choose_happening, quiz.choose_start):
            assert (kind(scene, rng) is not None) == alone
        assert (quiz.left_of(scene, rng) is not None) == (len(seen(scene)) > 1)
        assert (quiz.choose_seen(scene, rng) is not None) == bool(seen(scene))
