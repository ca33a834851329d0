"""The atlas' tables: what stands in their cells, and what is told of it."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape

import numpy as np
from test_sites import usage  # noqa: F401  planted weights of four sites

from crab.routing.claims import Claim, Outcome
from crab.routing.separation import HIDDEN, OWN, RANDOM, TOKENS, Control
from visualize import evidence, theme

ROWS = (
    Control("family", "closing", OWN, 0.9, 0, 0, 0),
    Control("family", "closing", RANDOM, 0.7, 0.2, 0.1, 0.3),
    Control("family", "closing", HIDDEN, 0.95, -0.05, -0.12, 0.02),
    Control("dataset", "media", OWN, 0.5, 0, 0, 0),
)


def test_each_control_stands_beside_the_routers_of_the_same_tokens():
    html = evidence.controls(ROWS, by="family", tokens=TOKENS)
    assert re.findall(r"<tr><th scope='row'>(.*?)</th>(.*?)</tr>", html) == [
        (escape(TOKENS["closing"]),
         "<td>0.90</td><td>0.70<small class='clear'>+0.20 (+0.10 to +0.30)</small></td>"
         "<td>0.95<small>−0.05 (−0.12 to +0.02)</small></td>")
    ]  # fmt: skip
    assert evidence.controls(ROWS[:3], by="dataset", tokens=TOKENS) == ""


def test_a_part_says_which_routers_decide_nothing_and_what_leans_where(usage):
    html = evidence.usage({"language": usage}, names={"language": "Language model"})
    assert "Language model" in html and "1 of 4 even; 1 of 4 fixed; 1 of 4 collapsed; 2 idle heads" in html
    assert "1 and 2: −0.25<br>" in html
    curve = usage.by_layer(usage.entropy)
    [points] = re.findall(r"polyline points='(.*?)'", html)
    heights = [1 - float(point.split(",")[1]) / evidence.HIGH for point in points.split()]
    np.testing.assert_allclose(heights, list(curve.values()), atol=2e-3)
    lean = re.findall(r"--c:(#\w+)'><i aria-hidden='true'>■</i> <b>(.*?)</b> (.*?)</span>", html)
    assert lean[0] == (theme.HEADS[0], "Head 1", "dog +0.09") and lean[1][2].startswith("cat")
    decided = replace(usage, spread=usage.spread + 1, share=np.full((4, 3), 1 / 3))
    assert "every router decides" in evidence.usage({"language": decided}, names={})


def test_words_of_a_clip_are_text(usage):
    leaning = ((("<b>", 0.5),), (), ())
    assert "&lt;b&gt; +0.50" in evidence.usage({"language": replace(usage, leaning=leaning)}, names={})


def test_claims_stand_with_their_verdicts_those_that_hold_first():
    outcomes = [Outcome(Claim(text, 1, "sound"), "m", 0.5, 0.1, low, high, 20, 10, verdict)
                for text, low, high, verdict in (("<one>", -0.1, 0.9, "undecided"), ("two", 0.3, 0.5, "held"))]  # fmt: skip
    html = evidence.claims(outcomes)
    assert html.index("✓ held") < html.index("two") < html.index("? undecided") < html.index("&lt;one&gt;")
    assert "+0.400 (+0.300 to +0.500)" in html and "20 questions about 10 scenes" in html
    assert evidence.claims([]) == ""
