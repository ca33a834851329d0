"""Many runs side by side."""

import numpy as np
import pytest
from test_theme import VISION, least_distance

from crab.tasks import TASKS
from visualize import theme, transfer

NAMES = list(TASKS)
KIN = [TASKS[name].family for name in NAMES]


def means():
    return np.random.default_rng(0).dirichlet(np.ones(3), (19, 6))


def words(figure):
    return " ".join(note.text for note in figure.layout.annotations)


@pytest.mark.parametrize("vision", VISION)
def test_families_have_colours_of_their_own_and_a_symbol_each(vision):
    assert least_distance(theme.FAMILIES, vision) > 0.10
    assert least_distance(theme.FAMILIES + theme.HEADS) > 0.09
    assert (
        len(set(transfer.family_marks(KIN).values())) == 7 == len({s for _, s in transfer.family_marks(KIN).values()})
    )


def test_a_signature_is_a_panel_a_head_with_its_interval():
    m = means()
    figure = transfer.signatures(m, NAMES, low=m - 0.02, high=m + 0.02)
    assert len(figure.data) == 3
    assert figure.data[2].z[4, 1] == pytest.approx(100 * m[4, 1, 2], abs=0.06)
    assert (figure.data[0].zmin, figure.data[0].zmax) == (0, 100)
    assert figure.data[0].customdata[0][0][1] == f"{100 * m[0, 0, 0] - 2:.1f}–{100 * m[0, 0, 0] + 2:.1f} %"
    assert "interval" not in transfer.signatures(m, NAMES).data[0].hovertemplate


def test_the_task_that_is_looked_for_is_framed_and_bold():
    figure = transfer.signatures(means(), NAMES, looked=NAMES[2])
    assert figure.layout.yaxis.ticktext[2] == f"<b>{NAMES[2]}</b>" and figure.layout.yaxis.ticktext[1] == NAMES[1]
    assert [(shape.y0, shape.y1) for shape in figure.layout.shapes] == [(1.5, 2.5)]
    assert not transfer.signatures(means(), NAMES).layout.shapes


def test_alike_stands_together_and_the_tree_is_drawn():
    group = np.array([0, 1, 0, 1, 0, 1])
    same = np.where(group[:, None] == group, 0.9, 0.1) + 0.1 * np.eye(6)
    figure = transfer.similarity(same, list("abcdef"), families=["x" if g else "y" for g in group])
    order = "".join(figure.layout.yaxis.ticktext)
    assert set(order[:3]) in ({"a", "c", "e"}, {"b", "d", "f"})
    assert (figure.data[0].zmin, figure.data[0].zmax) == (0, 1)
    tree = next(data for data in figure.data if data.type == "scatter" and data.mode == "lines")
    assert sum(x is None for x in tree.x) == 5 and max(x for x in tree.x if x is not None) == pytest.approx(0.9)


def test_another_scale_is_said_and_one_task_has_no_tree():
    assert "Scale -1 to 1" in words(transfer.similarity(np.eye(2), ["a", "b"], limits=(-1, 1)))
    assert len(transfer.similarity(np.ones((1, 1)), ["a"]).data) == 1


def test_every_run_is_a_point_and_the_visitors_is_ringed():
    points = np.random.default_rng(0).normal(size=(38, 2))
    figure = transfer.projection(points, KIN * 2, NAMES * 2, own=[(0.0, 0.0, "your run")], explained=(0.5, 0.2))
    assert sum(len(data.x) for data in figure.data if data.showlegend is None) == 38
    assert "your run" in words(figure) and "50 % of the variance" in figure.layout.xaxis.title.text
    assert figure.layout.yaxis.scaleanchor == "x"


def test_damage_is_centred_at_zero_signed_and_honest_about_noise():
    values = np.array([[-0.4, 0.01], [np.nan, 0.3]])
    figure = transfer.damage(
        values, ["head 1 muted", "head 2 muted"], ["a", "b"], low=values - 0.1, high=values + 0.1, counts={"a": 40}
    )
    [panel] = figure.data
    assert (panel.zmin, panel.zmid, panel.zmax) == (-1, 0, 1)
    assert [list(row) for row in panel.text] == [["−0.40", "(+0.01)"], ["not measured", "+0.30"]]
    assert "the scale is ±1" in words(figure) and "40 questions" in panel.customdata[0][0]
    np.testing.assert_allclose(panel.z, [[-0.4, 0], [np.nan, 0.3]])  # what is not told from nothing has no colour
    assert "2 of 3 effects are told from zero, over 40 questions" in words(figure)
    nothing = transfer.damage(values, ["head 1 muted", "head 2 muted"], ["a", "b"], low=values - 1, high=values + 1)
    assert "No effect is told from zero" in words(nothing)


@pytest.mark.parametrize(
    "figure",
    [
        transfer.signatures(np.zeros((0, 0, 3)), []),
        transfer.similarity(np.zeros((0, 0)), []),
        transfer.projection(np.zeros((0, 2)), [], []),
        transfer.damage(np.zeros((0, 0)), [], []),
    ],
)
def test_no_runs_are_said(figure):
    assert not figure.data and words(figure).endswith(".")
