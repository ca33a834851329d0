"""The laboratory's figures: what stands where, and what is told from nothing."""

import numpy as np

from visualize import laboratory, theme

TASKS = ["unav", "s4", "avqa"]


def test_tasks_stand_by_their_change_with_their_intervals():
    figure = laboratory.changes(TASKS, [0.1, -0.2, 0.02], [0.05, -0.3, -0.1], [0.15, -0.1, 0.1])
    assert list(figure.layout.yaxis.ticktext) == ["unav", "avqa", "s4"]
    gains, loses, undecided = figure.data
    assert (list(gains.y), list(undecided.y), list(loses.y)) == ([0], [1], [2])
    assert (
        loses.x[0] == -0.2 and np.isclose(loses.error_x.array[0], 0.1) and np.isclose(loses.error_x.arrayminus[0], 0.1)
    )
    assert gains.marker.color == theme.MORE and loses.marker.color == theme.LESS and "open" in undecided.marker.symbol
    assert "-0.300 to -0.100" in loses.customdata[0][1]
    assert "3 tasks: 1 gains, 1 loses, 1 undecided" in figure.layout.annotations[0].text


def test_what_was_not_asked_is_empty_and_no_zero():
    values = np.array([[0.9, np.nan, 0.5], [np.nan, 0.0, np.nan], [0.25, np.nan, 1.0]])
    figure = laboratory.crossings(values, TASKS, low=values - 0.1, high=values + 0.1)
    [heat] = figure.data
    assert list(heat.text[0]) == ["0.90", "", "0.50"] and heat.text[1][1] == "0.00"
    assert (heat.zmin, heat.zmax) == (0, 1) and heat.hoverongaps is False
    assert "learned avqa, asked unav<br><b>score 0.250</b><br>interval 0.150 to 0.350" in heat.customdata[2][0]


def test_nothing_is_a_sentence():
    for figure in (laboratory.changes([], [], [], []), laboratory.crossings(np.empty((0, 0)), [])):
        assert "nothing to compare" in figure.layout.annotations[0].text
