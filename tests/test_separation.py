"""Whether runs lie together by kind, beside what else would explain it: on planted runs."""

from __future__ import annotations

import numpy as np
import pytest

from crab import CrabError
from crab.routing import separation
from crab.routing.separation import HIDDEN, OWN, RANDOM, Control


def planted(apart: dict[str, float], tokens: str = "closing", scenes: int = 40):
    """Two families in every scene, apart by as much as is said of each signature."""
    rng = np.random.default_rng(0)
    kinds = np.array(["question", "grounding"] * scenes)
    far = (kinds == "question").astype(float)[:, None]
    rows = {(name, tokens): rng.normal(0, 1, (2 * scenes, 3)) + by * far for name, by in apart.items()}
    return rows, kinds, np.array([str(i // 2) for i in range(2 * scenes)])


def controls(apart, **more):
    rows, kinds, scenes = planted(apart, **more)
    return {found.what: found for found in separation.controls(rows, kinds, scenes, "family")}


def test_runs_about_the_same_scene_are_no_neighbours():
    """Of each kind one run a scene; a run's scene-mate is nearest and of the other kind."""
    rows = np.array([[0, 0], [1, 0], [0, 10], [1, 10]])
    kinds, scenes = np.array(["ave", "avqa"] * 2), np.array(["one", "one", "two", "two"])
    assert separation.nearest_alike(rows, kinds, scenes).all()
    assert not separation.nearest_alike(rows, kinds, np.array(list("abcd"))).any()
    with pytest.raises(CrabError, match="one scene"):
        separation.nearest_alike(rows, kinds, np.array(["one"] * 4))


def test_a_scene_counts_once_however_many_runs_are_about_it():
    signatures, kinds, scenes = planted({OWN: 2, f"{RANDOM} 1": 1})
    often = {key: np.repeat(rows, 5, axis=0) for key, rows in signatures.items()}
    labels = np.repeat(kinds, 5), np.repeat(scenes, 5)
    few = separation.separation(signatures[OWN, "closing"], kinds, scenes, "family")
    many = separation.separation(often[OWN, "closing"], *labels, "family")
    assert (many.runs, many.scenes) == (5 * few.runs, few.scenes) and few.low < few.accuracy < few.high
    assert (many.low, many.high) == pytest.approx((few.low, few.high))
    [_, few], [_, many] = (
        separation.controls(signatures, kinds, scenes, "family"),
        separation.controls(often, *labels, "family"),
    )
    assert (many.low, many.high) == pytest.approx((few.low, few.high)) and few.low < few.gap < few.high


def test_a_gap_is_above_nothing_only_where_the_control_does_worse():
    alike = controls({OWN: 5, f"{RANDOM} 1": 5, HIDDEN: 5})
    assert all(found.low <= 0 <= found.high for found in alike.values())
    apart = controls({OWN: 5, f"{RANDOM} 1": 0, f"{RANDOM} 2": 0, HIDDEN: 5})
    random = apart[RANDOM]
    assert 0.2 < random.low < random.gap < random.high and apart[HIDDEN].low <= 0
    assert apart[OWN].accuracy > 0.95 and abs(random.accuracy - 0.5) < 0.2
    assert apart[OWN].gap == apart[OWN].low == apart[OWN].high == 0
    assert random.gap == pytest.approx(apart[OWN].accuracy - random.accuracy)


def test_the_mean_of_the_drawn_routers_is_one_control():
    rows, kinds, scenes = planted({OWN: 5, f"{RANDOM} 1": 5, f"{RANDOM} 2": 0})
    [_, both] = separation.controls(rows, kinds, scenes, "family")
    each = [float(separation.nearest_alike(rows[f"{RANDOM} {n}", "closing"], kinds, scenes).mean()) for n in (1, 2)]
    assert both.accuracy == pytest.approx(np.mean(each)) and each[0] != each[1]


def test_the_sentence_claims_what_survives_the_control_with_the_wording_held_fixed():
    learned = tuple(controls({OWN: 5, f"{RANDOM} 1": 0, HIDDEN: 5}).values())
    assert separation.verdict(learned).startswith("What the routers learned tells a family apart")
    not_so = tuple(controls({OWN: 5, f"{RANDOM} 1": 5, HIDDEN: 5}).values())
    assert "is not shown to come from what the routers learned" in separation.verdict(not_so)
    elsewhere = tuple(controls({OWN: 5, f"{RANDOM} 1": 0}, tokens="answer").values())  # the words differ there too
    assert separation.verdict(elsewhere) == ""
    assert f"{learned[1].gap:+.3f}" in separation.table(learned)
    unsure = (Control("family", "closing", RANDOM, accuracy=0.6, gap=0.05, low=-0.01, high=0.11),)
    assert "is not shown to come from what the routers learned" in separation.verdict(unsure)
    two = (*unsure, Control("family", "media", RANDOM, accuracy=0.6, gap=0.05, low=0.01, high=0.11))
    assert separation.verdict(two).startswith(
        "What the routers learned tells a family apart beyond what random routers see in the same tokens: +0.05 (95 % "
        "interval +0.01 to +0.11) of runs by tokens of sound and picture. That runs of a family lie together is not "
        "shown to come from what the routers learned: +0.05 (95 % interval −0.01 to +0.11) of runs by the prompt"
    )
    assert separation.verdict(two, "dataset") == ""
