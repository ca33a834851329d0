"""Questions answered by a box and points: what is pointed at is meant, and nothing else is."""

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest

from crab.answer import GRID, parse
from crab.scenes.asking import pointing
from crab.scenes.world import render, script
from crab.scenes.world.cast import ACTORS, OBJECTS
from crab.scenes.world.script import DURATION, during
from crab.tasks import TASKS

SEEDS = range(120)
GROUPS = ("instrument", "animal", "vehicle", "person")


@cache
def shown(seed, time):
    """Name -> (part, mask on the grid) of who shows, from left to right."""
    return {part.actor: (part, mask) for part, mask in render.masks(script.write(seed), time, GRID)}


@cache
def pointed(kind):
    """(seed, what is pointed at) for every scene where that is clear."""
    ask = {
        "arig": pointing.with_the_whole_sound,
        "s4": lambda scene, rng: pointing.with_its_second(scene, rng, several=False),
        "ms3": lambda scene, rng: pointing.with_its_second(scene, rng, several=True),
        "ref_avs": pointing.described,
    }[kind]
    found = [(seed, ask(script.write(seed), np.random.default_rng(seed))) for seed in SEEDS]
    return tuple((seed, one) for seed, one in found if one is not None)


def sounding(seed, time):
    return [part for part in script.write(seed).parts if during(part.heard, time)]


@pytest.mark.parametrize("kind", ["arig", "s4", "ms3", "ref_avs"])
def test_masks_are_those_of_the_picture_and_large_enough(kind):
    assert len(pointed(kind)) > 15
    for seed, found in pointed(kind):
        assert found.time in np.arange(DURATION) + 0.5
        if found.part is None:
            assert kind == "ref_avs" and found.mask is None
        else:
            part, mask = shown(seed, found.time)[found.part.actor]
            assert part == found.part and np.array_equal(mask, found.mask)
            assert mask.sum() >= pointing.SMALLEST


@pytest.mark.parametrize("kind", ["arig", "s4", "ms3"])
def test_who_is_pointed_at_is_the_one_that_sounds(kind):
    for seed, found in pointed(kind):
        assert sounding(seed, found.time) == [found.part]
        voices = sum(bool(part.heard) for part in script.write(seed).parts)
        if kind == "arig":  # the whole sound goes with the picture
            assert all(not part.heard or part == found.part for part, _ in shown(seed, found.time).values())
        else:
            assert (voices > 1) == (kind == "ms3")
    assert len({found.part.actor for _, found in pointed(kind)}) > 10 or kind == "ms3"
    assert len({found.time for _, found in pointed(kind)}) >= 8


# ---- boxes and points ------------------------------------------------------


def test_points_lie_inside_from_left_to_right():
    for _seed, found in (*pointed("s4"), *pointed("ref_avs")):
        if found.mask is not None:
            points = pointing.points_in(found.mask)
            assert len(points) == 3 and all(found.mask[y, x] for x, y in points)
            assert [x for x, _ in points] == sorted(x for x, _ in points)


def test_points_lie_even_in_what_is_one_pixel_thin():
    mask = np.zeros((30, 40), bool)
    mask[4, 5:30] = True
    assert all(mask[y, x] for x, y in pointing.points_in(mask))
    mask = np.zeros((30, 40), bool)
    mask[7, 9] = True
    assert pointing.points_in(mask) == [(9, 7)] * 3


def test_text_is_read_back_as_the_box_and_the_points():
    for _seed, found in pointed("s4"):
        said = parse(f"Its {pointing.box_and_points(found.mask)}.", TASKS["s4"], size=GRID)
        [box] = said.boxes
        assert (box.x1, box.y1, box.x2, box.y2) == render.box(found.mask)
        assert list(said.points) == pointing.points_in(found.mask)
        [box] = parse(pointing.obj(render.box(found.mask)), TASKS["arig"], size=GRID).boxes
        assert (box.x1, box.y1, box.x2, box.y2) == render.box(found.mask)


# ---- what words describe ---------------------------------------------------


def fitting(words, seed, time):
    """Names of all in the picture that the words fit; None for words that nobody knows."""
    there, heard = shown(seed, time), {part.actor for part in sounding(seed, time)}
    middles = {name: np.nonzero(mask)[1].mean() for name, (_, mask) in there.items()}
    by_label = {ACTORS[name].label: name for name in OBJECTS}
    if words in ("the sounding object", "the object making a sound"):
        assert len(heard) == 1  # or "the" one is not clear, though it be out of view
        return [name for name in there if name in heard]
    if words == "the silent object":
        return [name for name in there if name not in heard]
    if found := re.fullmatch(r"the object on the far (left|right)", words):
        most = min if found[1] == "left" else max
        return [most(middles, key=middles.get)]
    if found := re.fullmatch(r"the object of the (.+)", words):
        return [name for name in there if name == by_label[found[1]] and name in heard]
    if found := re.fullmatch(r"the (.+)|(?:a|an) (.+) in the picture", words):
        noun = found[1] or found[2]
        if noun in GROUPS:
            return [name for name in there if ACTORS[name].group == noun]
        return [name for name in there if name == noun] if noun in OBJECTS else None
    return None


def test_words_fit_what_is_meant_and_nothing_else():
    for seed, found in pointed("ref_avs"):
        meant = [] if found.part is None else [found.part.actor]
        assert fitting(found.words, seed, found.time) == meant, found.words


def test_words_of_every_kind_are_used():
    used = Counter()
    for _seed, found in pointed("ref_avs"):
        words = found.words
        for name in sorted(OBJECTS, key=len, reverse=True):
            words = words.replace(f"the {ACTORS[name].label}", "the LABEL").replace(f" {name}", " NAME")
        used[re.sub("|".join(GROUPS), "GROUP", words), found.part is None] += 1
    yes = {words for words, nothing in used if not nothing}
    no = {words for words, nothing in used if nothing}
    assert yes >= {
        "the NAME", "a NAME in the picture", "the sounding object", "the object of the LABEL", "the silent object",
        "the object on the far left", "the object on the far right", "the GROUP",
    }  # fmt: skip
    assert no >= {"the NAME", "a NAME in the picture", "the GROUP"}


def test_two_in_three_are_there():
    there = [found.part is not None for _, found in pointed("ref_avs")]
    assert np.mean(there) == pytest.approx(2 / 3, abs=0.13)


def test_reasons_say_what_is_seen_and_heard():
    for seed, found in pointed("ref_avs"):
        sight, sound = re.fullmatch(r"The picture shows (.+), and the sound is (.+)\.", found.reason).groups()
        names = "|".join(sorted(OBJECTS, key=len, reverse=True))
        assert re.findall(rf"\ban? ({names})\b", sight) == list(shown(seed, found.time))
        heard = {ACTORS[part.actor].label for part in sounding(seed, found.time)}
        assert {actor.label for actor in ACTORS.values() if actor.label in sound} == heard
        assert (sound == "silence") == (not heard)


def test_a_second_may_be_given():
    for seed in range(20):
        found = pointing.described(script.write(seed), np.random.default_rng(seed), 3.5)
        assert found is None or found.time == 3.5
