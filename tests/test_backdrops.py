"""What stands behind everybody and before them: the same for one seed, at any size, however the view moves."""

from dataclasses import replace

import numpy as np
import pytest

from crab.scenes.world import backdrops
from crab.scenes.world.backdrops import backdrop, front
from crab.scenes.world.script import BACKDROPS, FRONTS, Background

SIZE = (80, 60)
PAN = (0.05, 0.015)  # the furthest a view moves


def picture(background, along=0.0, size=SIZE):
    return np.asarray(backdrop(background, size, along)).astype(int)  # (height, width, 3)


@pytest.mark.parametrize("kind", BACKDROPS)
def test_one_seed_is_one_backdrop_and_seeds_differ(kind):
    first = picture(Background(kind, 5))
    backdrops._whole.cache_clear()
    assert np.array_equal(first, picture(Background(kind, 5)))
    assert len({picture(Background(kind, seed)).tobytes() for seed in range(6)}) == 6


def test_kinds_look_different():
    means = [picture(Background(kind, 5)).mean(axis=(0, 1)) for kind in BACKDROPS]
    apart = np.linalg.norm(np.array(means)[:, None] - np.array(means)[None], axis=2)
    assert apart[~np.eye(len(BACKDROPS), dtype=bool)].min() > 4


@pytest.mark.parametrize("kind", BACKDROPS)
@pytest.mark.parametrize("size", [(56, 56), (101, 77)])
def test_backdrops_fit_any_size(kind, size):
    for pan in ((0.0, 0.0), PAN):
        made = backdrop(Background(kind, 1, pan), size, 0.5)
        assert made.size == size and made.mode == "RGB"


def test_a_backdrop_is_ours_to_paint_on():
    for pan in ((0.0, 0.0), PAN):
        background = Background("meadow", 3, pan)
        before = picture(background)
        backdrop(background, SIZE).paste((255, 0, 0), (0, 0, *SIZE))
        assert np.array_equal(before, picture(background))


@pytest.mark.parametrize("kind", BACKDROPS)
def test_the_view_moves_over_one_picture(kind):
    """What is in view first and last is the same, moved by `pan`."""
    size, pan = (400, 400), (0.05, -0.015)
    first, last = (picture(Background(kind, 2, pan), along, size) for along in (-0.5, 0.5))
    assert np.array_equal(last[:-6, 20:], first[6:, :-20])
    still = [picture(Background(kind, 2), along, size) for along in (-0.5, 0.5)]
    assert np.array_equal(*still)


@pytest.mark.parametrize("pan", [(x, y) for x in (-0.05, 0.05) for y in (-0.015, 0.015)])
def test_the_view_never_leaves_the_picture(pan):
    """Outside it everything would be black; the sky of a meadow is nowhere."""
    for size in ((56, 56), (112, 112), (448, 336)):
        for along in (-0.5, 0.5):
            made = picture(Background("meadow", 4, pan), along, size)
            assert min(edge.max(axis=1).min() for edge in (made[0], made[-1], made[:, 0], made[:, -1])) > 20


@pytest.mark.parametrize("kind", FRONTS[1:])
def test_what_stands_in_front_hides_a_part_of_the_picture(kind):
    seen = set()
    for seed in range(4):
        figure = front(Background("room", seed, front=kind), SIZE)
        shape = np.asarray(figure)[..., 3] > 127  # (height, width)
        assert 0.5 < shape.mean() <= 1 and 0.005 < shape.sum() / (SIZE[0] * SIZE[1]) < 0.07
        assert shape[-2:].any()  # it stands on the lower edge
        seen.add(figure.tobytes())
    assert len(seen) > 1


def test_what_stands_in_front_grows_with_the_picture_and_does_not_change_what_is_behind():
    background = Background("street", 9, front="bush")
    small, large = front(background, SIZE), front(background, (160, 120))
    assert large.width == pytest.approx(2 * small.width, abs=2)
    assert np.array_equal(picture(background), picture(replace(background, front="")))
