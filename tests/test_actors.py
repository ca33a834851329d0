"""The actors: each is itself in every pose, moves while it sounds, and fills the square it is given."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from crab.scenes.world import render
from crab.scenes.world.brush import Brush, finished
from crab.scenes.world.cast import ACTIONS, ACTORS, EMOTIONS, OBJECTS, POSES, sprite

SIDE = 60
GROUPS = {"instrument", "animal", "vehicle", "person", "household"}


def drawn(name, variation, pose):
    return np.asarray(sprite(name, variation, pose, SIDE, SIDE)).astype(int)  # (side, side, 4)


def test_the_cast_is_objects_of_five_groups_actions_and_feelings():
    assert (len(OBJECTS), len(ACTIONS), len(EMOTIONS)) == (32, 14, 7)
    assert {*OBJECTS} | {*ACTIONS} | {*EMOTIONS} == {*ACTORS} and len(ACTORS) == 53
    groups = Counter(ACTORS[name].group for name in OBJECTS)
    assert groups.keys() == GROUPS and min(groups.values()) >= 4
    assert all(name == actor.name for name, actor in ACTORS.items())


def test_no_two_share_a_label_and_an_object_s_label_says_what_it_does():
    assert len({actor.label for actor in ACTORS.values()}) == len(ACTORS)
    for name, actor in ACTORS.items():
        if name in OBJECTS:
            assert actor.label.startswith(f"{name} ") and actor.label != name
        else:
            assert actor.label == name
        assert not set(actor.label) & set("<>[](),;|'\"0123456789")  # what answers and options are read by


@pytest.mark.parametrize("name", ACTORS)
def test_an_actor_moves_while_it_sounds_and_rests_otherwise(name):
    silent = drawn(name, 4, None)
    poses = [drawn(name, 4, pose) for pose in range(POSES)]
    assert min((pose != silent).any(axis=2).mean() for pose in poses) > 0.005
    steps = [(poses[k] != poses[k - 1]).any(axis=2).mean() for k in range(POSES)]
    assert max(steps) > 0.03 and sum(step > 0 for step in steps) >= 2


@pytest.mark.parametrize("name", ACTORS)
def test_every_pose_draws_the_same_random_numbers(name):
    """Or colours and proportions would change when an actor begins to sound."""
    for variation in range(4):
        after = set()
        for pose in (None, 0, 3, 8, 13):
            rng = np.random.default_rng(variation)
            ACTORS[name].draw(Brush(8, 8), rng, None if pose is None else 2 * pose / POSES)
            after.add(str(rng.bit_generator.state))
        assert len(after) == 1


@pytest.mark.parametrize("name", ACTORS)
def test_an_actor_fills_its_square_and_stands_on_its_foot(name):
    for variation, pose in ((0, None), (1, 3), (2, 7), (5, 12)):
        shape = drawn(name, variation, pose)[..., 3] > 127
        left, top, right, bottom = render.box(shape)
        assert 0.15 < shape.mean() < 0.85
        assert right - left > SIDE / 3 and bottom - top > SIDE / 2
        assert bottom > 0.88 * SIDE  # nobody floats, jumps apart
        assert left + right == pytest.approx(SIDE, abs=0.36 * SIDE)  # about its middle


@pytest.mark.parametrize("name", ACTORS)
def test_variations_look_different_and_odd_ones_the_other_way(name):
    assert len({drawn(name, variation, None).tobytes() for variation in range(4)}) == 4
    brush = Brush(3 * SIDE, 3 * SIDE)
    ACTORS[name].draw(brush, np.random.default_rng(7), None)
    turned = finished(brush, SIDE, SIDE).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert np.array_equal(turned, drawn(name, 7, None))


def test_no_two_look_alike():
    small = {name: np.asarray(sprite(name, 4, None, 24, 24)).astype(float) for name in ACTORS}
    names = list(small)
    for index, one in enumerate(names):
        for other in names[:index]:
            assert np.abs(small[one] - small[other]).mean() > 3, (one, other)


def test_a_picture_is_the_same_after_the_cache_is_emptied():
    before = drawn("ambulance", 11, 5)
    sprite.cache_clear()
    assert np.array_equal(before, drawn("ambulance", 11, 5))


def test_drawings_fit_any_size():
    for width, height in ((4, 4), (9, 31), (200, 300)):
        assert sprite("harp", 2, 3, width, height).size == (width, height)
