"""The interval of a mean: as wide as it should be, and over groups where rows are not independent."""

import numpy as np
import pytest

from crab.metrics.intervals import bootstrap


def test_of_many_independent_rows_it_is_the_normal_one():
    values = np.random.default_rng(1).normal(3, 2, 400)
    low, high = bootstrap(values, samples=4000)
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_rows_of_one_group_count_as_one():
    few = np.random.default_rng(1).normal(size=30)
    often, groups = np.repeat(few, 10), np.repeat(np.arange(30), 10)
    np.testing.assert_allclose(bootstrap(often, groups=groups), bootstrap(few))
    narrow, wide = np.ptp(bootstrap(often)), np.ptp(bootstrap(often, groups=groups))
    assert 2.5 < wide / narrow < 4  # the square root of ten


def test_groups_of_different_size_weigh_as_they_are_long():
    low, high = bootstrap(np.array([0.0, 1.0, 1.0, 1.0]), groups=["a", "b", "b", "b"], samples=4000)
    assert (low, high) == (0.0, 1.0)
    means = [
        bootstrap(np.array([0.0, 1.0, 1.0, 1.0]), groups=["a", "b", "b", "b"], samples=1, rng=np.random.default_rng(s))
        for s in range(300)
    ]
    assert {round(float(low), 6) for low, _ in means} == {0.0, 0.75, 1.0}  # two of a, one of each, two of b


def test_each_column_has_its_own_and_a_call_gives_the_same_every_time():
    values = np.random.default_rng(2).normal(size=(50, 3, 2))
    low, high = bootstrap(values)
    assert low.shape == high.shape == (3, 2) and (low < values.mean(0)).all() and (values.mean(0) < high).all()
    np.testing.assert_allclose(low[1, 1], bootstrap(values[:, 1, 1])[0])
