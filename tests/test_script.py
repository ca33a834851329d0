"""The scripts: one seed is one scene of a kind, and scenes vary as promised."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from crab.scenes.world import script
from crab.scenes.world.cast import ACTIONS, ACTORS, EMOTIONS, OBJECTS
from crab.scenes.world.script import ASPECT, DURATION

WRITERS = ("write", "write_action", "write_emotion", "write_picture", "write_sound", "write_pair")
WHOLE = ((0, DURATION),)


@cache
def scenes(writer, count=400):
    """All scenes of the first seeds; of pairs, both."""
    written = [getattr(script, writer)(seed) for seed in range(count)]
    return tuple(scene for one in written for scene in (one if isinstance(one, tuple) else (one,)))


@pytest.mark.parametrize("writer", WRITERS)
def test_one_seed_is_one_scene(writer):
    write = getattr(script, writer)
    for seed in range(40):
        assert write(seed) == write(seed)
        assert hash(write(seed)) == hash(write(seed))
    assert len(set(scenes(writer))) == len(scenes(writer))


def test_kinds_of_one_seed_are_scenes_of_their_own():
    for seed in range(20):
        seeds = {
            getattr(script, writer)(seed).background.seed
            for writer in ("write", "write_action", "write_emotion", "write_sound")
        }
        assert len(seeds) == 4


@pytest.mark.parametrize("writer", WRITERS)
def test_stretches_lie_in_the_clip_in_order(writer):
    for scene in scenes(writer):
        assert scene.duration == DURATION
        for part in scene.parts:
            for stretches in (part.seen, part.heard):
                edges = [edge for stretch in stretches for edge in stretch]
                assert edges == sorted(set(edges)) and all(0 <= edge <= DURATION for edge in edges)
            assert all(end - start >= 2 for start, end in part.heard)
            assert all(end - start >= 3 for start, end in part.seen)


@pytest.mark.parametrize("writer", WRITERS)
def test_everybody_stands_in_the_picture_in_a_row(writer):
    for scene in scenes(writer):
        for time in (0, DURATION):
            feet = [script.place(part, time) for part in scene.parts]
            assert [x for x, _ in feet] == sorted(x for x, _ in feet)
            for part, (x, y) in zip(scene.parts, feet):
                half = part.size / ASPECT / 2
                assert half - 0.03 <= x <= 1.03 - half
                assert part.size - 0.02 <= y <= 1.0


@pytest.mark.parametrize("writer", WRITERS)
def test_the_view_takes_everybody_with_it(writer):
    moving = [scene for scene in scenes(writer) if scene.background.pan != (0.0, 0.0)]
    assert moving
    for scene in moving:
        pan = scene.background.pan
        assert abs(pan[0]) <= 0.05 and abs(pan[1]) <= 0.015
        for part in scene.parts:  # what is left is their own walk
            assert abs(part.drift[0] - pan[0]) <= 0.06 and abs(part.drift[1] - pan[1]) <= 0.02


@pytest.mark.parametrize("writer", WRITERS)
def test_views_rooms_and_backdrops_vary(writer):
    of = scenes(writer)
    if writer == "write_picture":  # what is looked at only needs no room
        of = [scene for scene in of if scene.parts[0].actor in OBJECTS and len(scene.parts) > 1]
    share = lambda holds: np.mean([holds(scene) for scene in of])  # noqa: E731
    assert share(lambda s: s.background.pan != (0.0, 0.0)) == pytest.approx(0.35, abs=0.08)
    assert share(lambda s: s.background.front != "") == pytest.approx(0.15, abs=0.06)
    assert share(lambda s: s.reverb > 0) == pytest.approx(0.4, abs=0.08)
    assert {s.background.kind for s in of} == set(script.BACKDROPS)
    assert {s.background.front for s in of} == set(script.FRONTS)
    hiss = [scene.hiss for scene in of]
    assert 0.001 < min(hiss) < 0.0015 and 0.005 < max(hiss) < 0.007
    assert all(scene.reverb == 0 or 0.1 <= scene.reverb <= 0.5 for scene in of)


def test_objects_appear_in_the_numbers_promised():
    of = scenes("write")
    sizes = np.bincount([len(scene.parts) for scene in of], minlength=5)[1:] / len(of)
    assert np.allclose(sizes, (0.30, 0.35, 0.25, 0.10), atol=0.06)
    assert {part.actor for scene in of for part in scene.parts} == set(OBJECTS)
    assert len({ACTORS[part.actor].group for scene in of for part in scene.parts}) == 5
    for scene in of:
        names = [part.actor for part in scene.parts]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("actors", [1, 2, 3, 4])
def test_a_number_of_actors_can_be_asked_for(actors):
    assert all(len(script.write(seed, actors=actors).parts) == actors for seed in range(30))


def test_somebody_sounds_and_mostly_one_in_one_stretch():
    sounding = [[part for part in scene.parts if part.heard] for scene in scenes("write")]
    counts = np.array([len(parts) for parts in sounding])
    assert counts.min() == 1 and counts.max() == 3
    assert 0.1 < np.mean(counts > 1) < 0.4
    assert np.mean([len(parts) == 1 and len(parts[0].heard) == 1 for parts in sounding]) > 0.5
    assert any(len(part.heard) == 2 for parts in sounding for part in parts)


def test_who_is_never_seen_is_heard_and_has_company():
    unseen = [(scene, part) for scene in scenes("write") for part in scene.parts if not part.seen]
    assert 0.02 < len(unseen) / len(scenes("write")) < 0.2
    assert all(part.heard and len(scene.parts) > 1 for scene, part in unseen)


def test_some_come_late_or_leave_early():
    seen = [part.seen for scene in scenes("write") for part in scene.parts if part.seen]
    assert 0.55 < np.mean([stretches == WHOLE for stretches in seen]) < 0.73
    assert any(start > 0 and end == DURATION for ((start, end),) in seen)
    assert any(start == 0 and end < DURATION for ((start, end),) in seen)
    assert any(start > 0 and end < DURATION for ((start, end),) in seen)


def test_an_action_is_seen_and_heard_throughout_and_its_company_is_silent():
    of = scenes("write_action")
    for scene in of:
        doing = [part for part in scene.parts if part.actor in ACTIONS]
        assert [(part.seen, part.heard) for part in doing] == [(WHOLE, WHOLE)]
        for part in scene.parts:
            assert part in doing or (part.actor in OBJECTS and part.seen == WHOLE and part.heard == ())
            assert part in doing or part.size < doing[0].size
    assert np.mean([len(scene.parts) == 2 for scene in of]) == pytest.approx(0.3, abs=0.07)
    assert {part.actor for scene in of for part in scene.parts} >= set(ACTIONS)


def test_a_feeling_is_one_near_face_that_speaks_throughout():
    for scene in scenes("write_emotion"):
        (face,) = scene.parts
        assert (face.seen, face.heard) == (WHOLE, WHOLE) and face.size > 0.75
    shares = [np.mean([scene.parts[0].actor == name for scene in scenes("write_emotion")]) for name in EMOTIONS]
    assert np.allclose(shares, 1 / 7, atol=0.07)


def test_a_pair_can_be_told_apart():
    for seed in range(300):
        first, second = script.write_pair(seed)
        assert not {part.actor for part in first.parts} & {part.actor for part in second.parts}
        assert first.seed != second.seed and first.background != second.background
        for scene in (first, second):
            assert sum(bool(part.heard) for part in scene.parts) == 1
            assert all(part.seen == WHOLE for part in scene.parts) and len(scene.parts) <= 2
    assert {part.actor for scene in scenes("write_pair") for part in scene.parts} == set(OBJECTS)
    assert len({scene.seed for scene in scenes("write_pair")}) == len(scenes("write_pair"))


def test_pictures_show_everybody_in_every_mood():
    of = scenes("write_picture")
    assert all(part.seen == WHOLE for scene in of for part in scene.parts)
    assert {part.actor for scene in of for part in scene.parts} == set(ACTORS)
    assert np.mean([scene.parts[0].actor in EMOTIONS for scene in of]) == pytest.approx(0.12, abs=0.05)
    acting = [part for scene in of for part in scene.parts if part.actor in ACTIONS]
    assert len(acting) / len(of) == pytest.approx(0.18, abs=0.06)
    for kind in (OBJECTS, ACTIONS, EMOTIONS):
        sounding = [bool(part.heard) for scene in of for part in scene.parts if part.actor in kind]
        assert any(sounding) and not all(sounding)


def test_sounds_are_of_one_object_out_of_view():
    for scene in scenes("write_sound"):
        (part,) = scene.parts
        assert part.seen == () and part.heard and part.actor in OBJECTS
    assert {scene.parts[0].actor for scene in scenes("write_sound")} == set(OBJECTS)


def test_stretches_include_their_start_and_not_their_end():
    stretches = ((1, 3), (5, 6))
    assert [time for time in np.arange(0, 8, 0.5) if script.during(stretches, time)] == [1, 1.5, 2, 2.5, 5, 5.5]


def test_a_part_is_in_its_place_in_the_middle_of_the_clip():
    part = replace(script.write(3).parts[0], x=0.4, y=0.9, drift=(0.1, -0.02))
    assert script.place(part, 5) == pytest.approx((0.4, 0.9))
    assert script.place(part, 0) == pytest.approx((0.35, 0.91))
    assert script.place(part, 10) == pytest.approx((0.45, 0.89))
