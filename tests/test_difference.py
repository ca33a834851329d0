"""Two runs held against each other."""

import re

import numpy as np
import pytest
from test_trace import towers

from crab.metrics.wording import edits
from crab.trace import RoutingTrace
from visualize import difference, theme


def pair():
    one = towers()["language"]
    weights = one.weights.astype(np.float32)
    weights[:, :, 0] += 0.1
    weights[:, :, 2] -= 0.1
    return one, RoutingTrace(weights, one.sites, one.tokens)


def words(figure):
    return " ".join(note.text for note in figure.layout.annotations)


@pytest.mark.parametrize("draw", [difference.by_group, difference.by_module])
def test_it_is_the_second_minus_the_first_on_a_scale_centred_at_zero(draw):
    figure = draw(*pair())
    assert [np.nanmean(data.z) for data in figure.data] == pytest.approx([10, 0, -10], abs=0.1)
    assert all((data.zmin, data.zmid, data.zmax) == (-25, 0, 25) for data in figure.data)
    assert "scale is ±25 points" in words(figure)
    assert figure.data[0].text is None or "+10" in str(figure.data[0].text) and "−10" in str(figure.data[2].text)


def test_what_is_beyond_the_scale_is_counted_not_rescaled():
    figure = difference.by_module(*pair(), limit=0.05)
    assert figure.data[0].zmax == 5 and "12 beyond it" in words(figure)


def test_sites_of_one_run_only_are_left_out_and_counted():
    one, other = pair()
    fewer = RoutingTrace(other.weights[1:], other.sites[1:], other.tokens)
    assert "1 sites" in words(difference.by_module(one, fewer))
    none = RoutingTrace(other.weights[:0], (), other.tokens)
    assert not difference.by_group(one, none).data and not difference.by_module(one, none).data


def test_words_are_marked_by_signs_and_lines_and_escaped():
    html = difference.words(edits("I hear a dog.", "I see a <b>dog."))
    assert "<del><small>−</small>hear</del><ins><small>+</small>see</ins>" in html
    assert "<b>" not in html and "&lt;" in html
    assert "same, word for word" in difference.words(edits("x", "x")) and "same" not in html


def told(tokens):
    """(hue, per cent of it, nats in full, token, number) of each, and the two ends of the scale."""
    html = difference.shifts(tokens)
    shown = re.findall(r'--c:(#\w+);--p:(\d+)%" title="(.*?) nats">(.*?)<small>(.*?)</small>', html)
    return shown, re.findall(r"<span>([−+].*?)</span>", html)


def test_tokens_say_how_much_likelier_they_became():
    assert told([(" <dog>", -0.7), (" ran", 0.04), (" off", 5.0)]) == (
        [
            (theme.LESS, "21", "-0.7000", "&lt;dog&gt;", "−0.7"),
            (theme.MORE, "0", "+0.0400", "ran", "0"),
            (theme.MORE, "60", "+5.0000", "off", "+5.0"),
        ],
        ["−2", "+2 nats; 1 beyond"],
    )
    assert difference.shifts([]) == ""


def test_what_a_change_did_is_seen_on_a_smaller_scale_where_it_did_little():
    assert told([(" a", 0.01), (" b", -0.0001)]) == (
        [(theme.MORE, "30", "+0.0100", "a", "+0.010"), (theme.LESS, "0", "-0.0001", "b", "0")],
        ["−0.02", "+0.02 nats"],
    )
    assert told([(" a", -0.2)])[1] == ["−0.2", "+0.2 nats"] and told([(" a", -0.201)])[1] == ["−2", "+2 nats"]
