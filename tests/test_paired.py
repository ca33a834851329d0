"""Changes whose truth is known, told from scores of the same items."""

import numpy as np
import pytest

from crab.metrics.intervals import redrawn
from crab.metrics.paired import change, shares

RNG = np.random.default_rng(7)


def scores(seeds, items, mean):
    return (RNG.random((seeds, items)) < mean).astype(float)


def test_what_is_paired_is_seen_where_unpaired_noise_would_hide_it():
    """Items differ by far more than the two ways of training do; every item gains a little."""
    before = RNG.normal(0, 10, (1, 50))
    found = change(before, before + 0.1)
    assert found.mean == pytest.approx(0.1) and found.verdict == "gains"
    assert found.low == pytest.approx(0.1) and found.high == pytest.approx(0.1)
    assert change(before, before - 0.1).verdict == "loses"
    assert (found.seeds, found.items) == (1, 50)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Of two hundred experiments on forty items, with a true change of 0.2."""
    held = 0
    for _ in range(200):
        before, after = scores(1, 40, 0.4), scores(1, 40, 0.6)
        found = change(before, after, samples=300)
        held += found.low <= 0.2 <= found.high
    assert 180 <= held <= 199


def test_what_only_one_of_three_seeds_shows_is_undecided():
    before = np.zeros((3, 400))
    lucky = before.copy()
    lucky[1] = 0.3
    assert change(before[1:2], lucky[1:2]).verdict == "gains"
    assert change(before, lucky).verdict == "undecided"
    assert change(before, before + 0.3).verdict == "gains"


def test_draws_are_of_seeds_and_of_items():
    values = np.arange(6.0).reshape(2, 3)
    drawn = redrawn(values, samples=4000)
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.05)
    assert drawn.min() == 0 and drawn.max() == 5  # one seed three times over, and one item
    by_seed, by_item = values.mean(axis=1).std(), values.mean(axis=0).std()
    assert drawn.std() == pytest.approx(np.hypot(by_seed / 2**0.5, by_item / 3**0.5), rel=0.05)


def test_shares_count_tasks_that_gain_lose_and_cannot_be_told():
    still = np.zeros((1, 30))
    noise = np.tile([[1.0, -1.0, 0.5]], (1, 10))  # a little better on the mean
    found = shares([(still, still + 1), (still, still + 1), (still, still - 1), (still, noise)])
    assert (found.gain, found.lose, found.undecided) == (2, 1, 1)
    assert found.better == 0.75 and (found.low, found.high) == (0.5, 0.75)
    assert str(found).startswith("of 4 tasks 2 gain, 1 lose, 1 undecided; better, however little, 75 % (50 to 75)")


def test_no_change_is_undecided_and_not_better():
    still = np.ones((2, 5))
    assert change(still, still).verdict == "undecided" and shares([(still, still)]).better == 0
