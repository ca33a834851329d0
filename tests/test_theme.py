"""The colours: one for one thing, told apart by everybody, on any page."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crab.answer import parse
from crab.tasks import TASKS
from visualize import theme

# Severity 1.0 of Machado, Oliveira and Fernandes 2009, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(colours):
    srgb = np.array([theme.rgb(colour) for colour in colours]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    long, m, s = np.cbrt(
        np.clip(rgb, 0, 1) @ [[0.4122, 0.2119, 0.0883], [0.5363, 0.6807, 0.2817], [0.0514, 0.1074, 0.6300]]
    ).T
    lightness = 0.2105 * long + 0.7936 * m - 0.0041 * s
    return np.stack([lightness, 1.9780 * long - 2.4286 * m + 0.4506 * s, 0.0259 * long + 0.7828 * m - 0.8087 * s], -1)


def least_distance(colours, vision="normal"):
    lab = oklab(linear(colours) @ np.transpose(VISION[vision]))
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return distance[~np.eye(len(lab), dtype=bool)].min()


def contrast(one, other):
    """WCAG 2 contrast ratio."""
    low, high = sorted(linear([one, other]) @ [0.2126, 0.7152, 0.0722])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("family", [theme.LABELS, theme.HEADS], ids=["labels", "heads"])
def test_everybody_tells_any_two_colours_of_a_family_apart(family, vision):
    assert least_distance(family, vision) > 0.10


def test_the_hues_of_heads_are_used_for_nothing_else():
    assert least_distance(theme.LABELS + theme.HEADS) > 0.10


@pytest.mark.parametrize("dark", [False, True])
def test_colours_and_type_read_on_light_and_dark_grounds(dark):
    tone = theme.ink(dark)
    assert min(contrast(colour, tone["ground"]) for colour in theme.LABELS + theme.HEADS) > 2.5
    assert min(contrast(tone[name], tone["ground"]) for name in ("text", "quiet")) > 4.5


def test_labels_take_colours_in_order_of_first_appearance():
    assert theme.colours(["dog", "violin", "dog"]) == {"dog": theme.LABELS[0], "violin": theme.LABELS[1]}


def test_case_and_outer_blanks_make_no_second_thing():
    found = theme.colours(["Dog barking", " dog barking", "violin"])
    assert found["Dog barking"] == found[" dog barking"] != found["violin"]
    assert theme.colour(found, "DOG BARKING") == found["Dog barking"]


def test_what_was_never_named_is_grey():
    assert theme.colour(theme.colours(["dog"]), "violin") == theme.NEUTRAL


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)))
def test_labels_that_come_later_change_no_colour(first, later):
    before, after = theme.colours(first), theme.colours(first + later)
    assert all(after[label] == before[label] for label in first)


def test_an_answer_keeps_its_colours_while_it_streams():
    text = "Hear it. <event>dog barking, (0, 3)</event><event>violin, (2, 9)</event>"
    whole = theme.answer_colours(parse(text, TASKS["ave"]))
    assert whole == theme.colours(["dog barking", "violin"])
    half = theme.answer_colours(parse(text[:50], TASKS["ave"]))
    assert half["dog barking"] == whole["dog barking"]


def test_a_box_without_a_name_still_has_a_colour_of_its_own():
    answer = parse("It is at [10,20,100,110].", TASKS["arig"])
    assert theme.answer_colours(answer) == {"": theme.LABELS[0]}


@pytest.mark.parametrize("dark", [False, True])
def test_equal_weights_are_equally_light_in_every_head_and_more_weight_is_further_from_the_ground(dark):
    scales = [theme.head_scale(head, dark) for head in range(3)]
    lightness = np.array(
        [oklab(linear(["#{:02X}{:02X}{:02X}".format(*colour) for colour in scale]))[:, 0] for scale in scales]
    )
    assert np.ptp(lightness, axis=0).max() < 0.02
    steps = np.diff(lightness[:, ::8])
    assert (steps > 0).all() if dark else (steps < 0).all()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("heads", [1, 2, 3, 4])
def test_the_blends_give_the_bytes_of_mix(heads, dark):
    shares = np.random.default_rng(heads).dirichlet(np.ones(heads), 500)
    above = shares - shares.min(1, keepdims=True)
    hue = above / above.sum(1, keepdims=True) if heads > 1 else np.ones((500, 1))
    strength = np.maximum(0, (heads * shares.max(1, keepdims=True) - 1) / max(heads - 1, 1)) ** theme.MIX_POWER
    parts = np.hstack([1 - strength, strength * hue])
    table = np.array(theme.blends(heads, dark))
    i, j, k = table[:, :3].astype(int).T
    light = (parts[:, i] * parts[:, j] * parts[:, k]) @ table[:, 3:]
    _, halfway = theme.light()
    np.testing.assert_array_equal(np.searchsorted(halfway, light), theme.mix(shares, dark))


def test_light_is_that_of_the_bytes_and_between_them():
    light, halfway = theme.light()
    assert light[0] == 0 and light[255] == pytest.approx(1) and len(halfway) == 255
    assert (light[:-1] < halfway).all() and (halfway < light[1:]).all()
    np.testing.assert_allclose(
        light, linear([f"#{byte:02X}{byte:02X}{byte:02X}" for byte in range(256)])[:, 0], atol=1e-6
    )
