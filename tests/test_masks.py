"""Masks, boxes and points on a picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from crab.answer import Box
from crab.segment import Mask
from visualize import theme
from visualize.masks import captioned, overlay

COLOURS = {"dog": "#ED7C46", "violin": "#0C79DA"}


def grey(height=480, width=640, value=128):
    return np.full((height, width, 3), value, np.uint8)


def disc(height=480, width=640, label="dog"):
    y, x = np.mgrid[:height, :width]
    return Mask(0.0, label, (x - width // 2) ** 2 + (y - height // 2) ** 2 < (height // 4) ** 2, None)


def test_a_mask_tints_what_it_covers_and_nothing_else():
    drawn = np.asarray(overlay(grey(), [disc(label="")], colours={"": "#ED7C46"})).astype(int)
    tint = drawn[240, 320] - 128
    assert tint[0] > 20 and tint[2] < -10  # towards orange
    assert (drawn[10, 10] == 128).all()
    assert theme.rgb("#ED7C46") in {tuple(pixel) for pixel in drawn[240]}  # its contour is the full hue


@pytest.mark.parametrize("mask", [disc().mask, np.ones((480, 640), bool)], ids=["part", "everything"])
def test_the_picture_shows_through_a_mask(mask):
    black, white = (
        np.asarray(overlay(grey(value=value), [Mask(0.0, "", mask, None)], colours=COLOURS))[240, 320].astype(int)
        for value in (0, 255)
    )
    assert (white - black > 0.5 * 255).all()


def test_an_empty_mask_draws_nothing():
    drawn = overlay(grey(), [Mask(0.0, "dog", np.zeros((480, 640), bool), None)], colours=COLOURS)
    assert (np.asarray(drawn) == 128).all()


def test_the_frame_itself_is_left_alone():
    frame = grey()
    overlay(frame, [disc()], [Box("dog", 10, 10, 90, 90)], [(50, 50)], colours=COLOURS)
    assert (frame == 128).all()


def test_a_small_frame_comes_back_enlarged_by_a_whole_number_and_a_large_one_as_it_is():
    assert overlay(grey(112, 200), [disc(112, 200)], colours=COLOURS).size == (1000, 560)
    assert overlay(grey(720, 1280), colours=COLOURS).size == (1280, 720)
    assert max(overlay(grey(4, 600), colours=COLOURS).size) <= 1920


def test_things_keep_their_colours():
    boxes = [Box("dog", 60, 60, 200, 200), Box("violin", 300, 200, 500, 400)]
    drawn = np.asarray(overlay(grey(), boxes=boxes, colours=COLOURS))
    for box in boxes:  # its lower left corner is drawn strongly
        corner = drawn[box.y2 - 10 : box.y2, box.x1 - 3 : box.x1 + 3].reshape(-1, 3)
        assert theme.rgb(COLOURS[box.label]) in set(map(tuple, corner.tolist()))


def test_points_are_marked_in_the_colour_of_the_one_thing_there_is():
    drawn = np.asarray(overlay(grey(), boxes=[Box("dog", 60, 60, 200, 200)], points=[(130, 130)], colours=COLOURS))
    assert tuple(drawn[130, 130]) == theme.rgb(COLOURS["dog"])


sides = st.tuples(*[st.sampled_from([-50, 0, 12, 300, 470, 620, 700])] * 2).map(sorted)


@settings(max_examples=30, deadline=None)
@given(sides, sides)
def test_a_label_is_inside_the_picture_wherever_its_box_is(across, down):
    def tag_pixels(x1, y1, x2, y2):
        named, unnamed = (
            np.asarray(overlay(grey(value=250), boxes=[Box(label, x1, y1, x2, y2)], colours={label: "#ED7C46"}))
            for label in ("dog", "")
        )
        return (named != unnamed).any(-1)

    expected = tag_pixels(200, 200, 500, 400)
    found = tag_pixels(across[0], down[0], across[1], down[1])
    # As large as in the middle of the picture, but for the few pixels that equal the box's line beneath.
    assert np.ptp(np.flatnonzero(found.any(0))) >= np.ptp(np.flatnonzero(expected.any(0))) - 8
    assert np.ptp(np.flatnonzero(found.any(1))) >= np.ptp(np.flatnonzero(expected.any(1))) - 8


def test_a_label_too_long_for_the_picture_is_cut():
    drawn = np.asarray(overlay(grey(), boxes=[Box("violin " * 90, 100, 100, 300, 300)], colours={}))
    changed = np.flatnonzero((drawn[:100] != 128).any((0, 2)))
    assert changed[0] >= 0 and np.ptp(changed) < 640


def test_two_labels_do_not_cover_each_other():
    apart = overlay(grey(), boxes=[Box("dog", 40, 200, 300, 300)], colours=COLOURS)
    both = overlay(grey(), boxes=[Box("dog", 40, 200, 300, 300), Box("violin", 40, 200, 300, 300)], colours=COLOURS)
    band = np.s_[170:196, 40:100]  # where the first tag stands
    assert (np.asarray(apart)[band] == np.asarray(both)[band]).all()


def test_a_picture_made_smaller_has_boxes_masks_and_points_where_the_large_one_has_them():
    inside = np.zeros((900, 1600), bool)
    inside[200:600, 400:1200] = True
    marks = ([Mask(0.0, "dog", inside, None)], [Box("dog", 400, 200, 1200, 600)], [(800, 400)])
    marked = np.asarray(overlay(grey(540, 960), *marks, colours=COLOURS, of=(1600, 900)))
    changed = (marked != 128).any(-1)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    scale = marked.shape[1] / 1600
    assert abs(columns[0] - 400 * scale) < 10 and abs(columns[-1] - 1200 * scale) < 10
    assert abs(rows[-1] - 600 * scale) < 10 and changed[int(400 * scale), int(800 * scale)]


def test_a_caption_stands_below_the_picture_and_is_broken_into_lines():
    picture = Image.new("RGB", (320, 240), "red")
    short, long = (captioned(picture, words) for words in ("It means nothing.", "It means nothing at all. " * 8))
    assert short.width == long.width == 320 and 240 < short.height < long.height
    assert np.array_equal(np.asarray(long)[:240], np.asarray(picture))
    strip = np.asarray(long)[240:].max(-1)
    assert strip.max() > 200 and strip[:, :8].max() < 60 and strip[:, -8:].max() < 60  # within its margins
