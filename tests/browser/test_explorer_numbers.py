"""The explorer's numbers, without the explorer: `numbers.js` alone in a browser, against NumPy, on random traces."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from test_live import random_trace
from test_trace import counterparts, towers

from crab.trace import RoutingTrace
from visualize import standalone, timeline
from visualize import trace as read

STEP = 1 / 65535  # of a weight, as the page has it


@pytest.fixture(scope="module")
def numbers(browser):
    """A blank page that knows `numbers.js` and nothing else."""
    page = browser.new_page()
    page.add_script_tag(path=standalone.PARTS / "numbers.js")
    yield page
    page.close()


@pytest.fixture(params=range(3))
def trace(numbers, request) -> RoutingTrace:
    """One of three random traces; the page has it as `tower`, sites in the order of their layers."""
    trace = random_trace(layers=3, heads=(3, 2, 4)[request.param], seed=request.param, moments=2, sound=30)
    given(numbers, tower=trace)
    return trace


def given(page, **traces: RoutingTrace) -> None:
    """Makes each trace ready in the page, under its name."""
    for name, trace in traces.items():
        [tower] = json.loads(standalone.data({"language": trace}))["towers"]
        page.evaluate("([name, tower]) => { window[name] = prepare(tower); }", [name, tower])


def of_layer(trace: RoutingTrace, layer: int | None) -> np.ndarray:
    """The weights at one layer, or (None) at all: (sites, tokens, heads)."""
    return trace.weights[[layer in (None, site.layer) for site in trace.sites]].astype(np.float64)


def test_a_mean_is_over_the_sites_and_the_tokens_that_are_named(numbers, trace):
    rng = np.random.default_rng(5)
    sites = rng.choice(len(trace.sites), 5, replace=False)
    tokens = rng.choice(len(trace.tokens), 7, replace=False)
    found = numbers.evaluate("([sites, tokens]) => mean(tower, sites, tokens)", [sites.tolist(), tokens.tolist()])
    assert found == pytest.approx(trace.weights[np.ix_(sites, tokens)].mean((0, 1), dtype=np.float64), abs=STEP)
    assert numbers.evaluate("mean(tower, [], [])") == [0] * trace.weights.shape[2]


@pytest.mark.parametrize("layer", [None, 0, 2])
def test_a_tokens_mean_over_a_layer(numbers, trace, layer):
    wanted = of_layer(trace, layer).mean(0)  # (tokens, heads)
    said = "" if layer is None else str(layer)
    found = numbers.evaluate("layer => tower.tokens.map((_, t) => layerMean(tower, layer, t))", said)
    np.testing.assert_allclose(found, wanted, atol=STEP)
    answer = [i for i, token in enumerate(trace.tokens) if token.modality == "generated"]
    assert numbers.evaluate("ofModality(tower, 'generated')") == answer
    whole = numbers.evaluate("([layer, tokens]) => layerMeanOf(tower, layer, tokens)", [said, answer])
    assert whole == pytest.approx(wanted[answer].mean(0), abs=STEP)


def test_entropy_is_that_of_single_tokens_and_distance_that_of_a_mean(numbers, trace):
    heads = trace.weights.shape[2]
    everywhere = list(range(len(trace.tokens)))
    found = numbers.evaluate("tokens => tower.sites.map((_, s) => entropy(tower, s, tokens))", everywhere)
    wanted = read.entropy(trace.weights.astype(np.float64)).mean(1) / np.log2(heads)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    means = trace.weights.mean(1, dtype=np.float64)  # (sites, heads)
    np.testing.assert_allclose(
        numbers.evaluate("all => all.map(distance)", means.tolist()), read.distance(means), atol=1e-6
    )


def test_excess_is_what_each_head_has_above_the_last(numbers):
    shares = np.random.default_rng(6).dirichlet(np.ones(3), 50)
    above = shares - shares.min(1, keepdims=True)
    np.testing.assert_allclose(
        numbers.evaluate("all => all.map(excess)", shares.tolist()), above / above.sum(1, keepdims=True)
    )
    assert numbers.evaluate("excess([.25, .25, .25, .25])") == [0.25] * 4


@pytest.mark.parametrize(
    "shares, leader",
    [((0.2, 0.5, 0.3), 2), ((0.34, 0.325, 0.335), "·"), ((0.345, 0.33, 0.325), 1), ((0.5, 0.5), "·"), ((1.0,), 1)],
)
def test_a_head_leads_from_one_point_on(numbers, shares, leader):
    assert numbers.evaluate("leads", list(shares)) == leader


def test_rows_are_layers_in_order_and_a_picture_is_its_cells(numbers, trace):
    assert numbers.evaluate("tower.layers") == [0, 1, 2]
    assert numbers.evaluate("ofLayer(tower, '1')") == [i for i, site in enumerate(trace.sites) if site.layer == 1]
    steps = numbers.evaluate("tower.steps.map(({start, rows, cols, cells}) => [start, rows, cols, ...cells])")
    cells = [i for i, token in enumerate(trace.tokens) if token.modality == "video"]
    assert steps == [[0, 4, 4, *cells[:16]], [2, 4, 4, *cells[16:]]]
    runs = numbers.evaluate("runsOf(tower.tokens).map(({name, n}) => [name, n])")
    assert runs == [["text", 12], ["video", 32], ["sound", 30], ["text", 12], ["answer", 20]]


def test_the_same_piece_in_another_tower(numbers):
    traces = towers()
    given(numbers, **traces)
    for tower, i in [("language", 8), ("language", 30), ("audio", 21), ("vision", 20), ("language", 0)]:
        for other, mask in counterparts(traces, tower, i).items():
            first = int(mask.argmax()) if mask.any() else None
            assert numbers.evaluate(f"counterpart({tower}, {i}, {other})") == first, (tower, i, other)


def test_sound_and_picture_of_a_moment(numbers, trace):
    starts = [(i, token) for i, token in enumerate(trace.tokens) if token.modality == "audio"]
    for second in (0, 0.04, 0.05, 1.19, 1.2, 5):
        wanted = next((i for i, token in starts if token.start - 1e-9 <= second < token.end - 1e-9), None)
        assert numbers.evaluate(f"soundAt(tower, 0, {second})") == wanted
    assert [numbers.evaluate(f"stepAt(tower.steps, 0, {second})?.start") for second in (-1, 0, 1.9, 2, 9)] == [
        0,
        0,
        0,
        2,
        2,
    ]
    assert numbers.evaluate("stepAt(tower.steps, 1, 0)") is None


def test_a_curve_of_sound_has_at_most_240_points_each_the_mean_of_its_tokens(numbers):
    trace = random_trace(moments=0, sound=500)
    given(numbers, tower=trace)
    points = numbers.evaluate("soundPoints(tower, '', tower.heard.get(0))")
    sounds = trace.weights[:, 12:512].astype(np.float64).mean(0)  # (500, heads)
    groups = np.split(sounds, range(3, 500, 3))
    assert len(points) == len(groups) == 167
    np.testing.assert_allclose([point["w"] for point in points], [group.mean(0) for group in groups], atol=STEP)
    assert points[0]["x"] == pytest.approx(0.06) and not any(point["broken"] for point in points)


@pytest.mark.parametrize("span", [0.8, 4, 10, 33.3, 95, 150, 600])
def test_the_axis_has_the_ticks_of_the_timeline(numbers, span):
    step = numbers.evaluate(f"tickStep({span})")
    ticks = timeline.ticks(span)
    assert [i * step for i in range(len(ticks))] == pytest.approx(ticks) and (len(ticks)) * step > span


@pytest.mark.parametrize(
    "call, words",
    [("clock(2.04)", "2.0 s"), ("clock(125.25)", "125.3 s"), ("clock(170, 0)", "170 s"),
     ("pct(.12345)", "12.3 %"), ("told([.25, .75])", "Head 1 25.0 % · Head 2 75.0 %"),
     ("toldBriefly([.254, .746])", "1: 25 %, 2: 75 %"), ("named('audio')", "sound"), ("named('touch')", "touch")],
)  # fmt: skip
def test_numbers_are_written_one_way(numbers, call, words):
    assert numbers.evaluate(call) == words
