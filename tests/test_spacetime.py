"""Routing over the clip's own pictures and seconds."""

import numpy as np
import pytest
from test_trace import towers

from crab.ilora.trace import RoutingTrace, Site
from crab.prompt import Token
from visualize import spacetime, theme, timeline

TONE = np.sin(2 * np.pi * 1000 * np.arange(4 * 16_000) / 16_000).astype(np.float32)


def test_a_time_has_its_grid_step_and_each_cell_its_token():
    trace = towers()["language"]
    assert spacetime.frame_cells(trace, 0.0).tolist() == [[1, 2], [3, 4]]
    assert spacetime.frame_cells(trace, 1.9).tolist() == [[1, 2], [3, 4]]
    assert spacetime.frame_cells(trace, 2.0).tolist() == [[5, 6], [7, 8]]
    assert spacetime.frame_cells(towers()["audio"], 0.0) is None
    assert spacetime.frame_overlay(towers()["audio"], (10, 10), 0.0) is None


def test_one_heads_overlay_is_its_hue_with_its_weight_as_opacity():
    trace = towers()["language"]
    overlay = spacetime.frame_overlay(trace, (40, 60), 2.5, head=1)
    assert overlay.shape == (40, 60, 4) and overlay.dtype == np.uint8
    assert (overlay[..., :3] == theme.rgb(theme.head_colour(1))).all()
    weight = trace.weights[:, 7, 1].mean(dtype=np.float32)  # lower left
    assert overlay[30, 10, 3] == pytest.approx(255 * 0.85 * weight, abs=1)


def test_cells_that_are_undecided_are_clear_and_a_chosen_one_is_outlined():
    cells = tuple(Token("image", start=0.0, end=0.0, row=i // 2, col=i % 2) for i in range(4))
    weights = np.array([[1 / 3] * 3, [1, 0, 0], [0, 1, 0], [0, 0, 1]])[None]
    trace = RoutingTrace(weights, (Site("language", 0, "q_proj"),), cells)
    overlay = spacetime.frame_overlay(trace, (12, 12), 7.0)
    assert overlay[2, 2, 3] < 3 and overlay[2, 9, 3] == pytest.approx(0.85 * 255, abs=1)
    assert tuple(overlay[2, 9, :3]) == theme.rgb(theme.HEADS[0])
    assert spacetime.frame_overlay(trace, (12, 12), 7.0, chosen=3)[6:, 6:].max() == 255


def test_curves_share_the_timelines_axis_and_its_playhead():
    trace = towers()["language"]
    figure = spacetime.curves(trace, 4.0, playhead=1.5, chosen=9)
    assert figure.layout.xaxis.range == (0, 4) and figure.layout.margin.l == timeline.timeline([_event()], 4.0).layout.margin.l
    playhead, chosen = figure.layout.shapes[:2]
    assert (playhead.name, playhead.x0, playhead.visible) == ("playhead", 1.5, True)
    assert (chosen.name, chosen.x0, chosen.x1, chosen.visible) == ("chosen", 0.0, 0.04, True)
    assert figure.data[0].customdata[10][0] in (1 + 8 + 10, 1 + 8 + 9)  # positions, for the other views
    assert figure.layout.yaxis.range == (0, 100)


def _event():
    from crab.answer import Event

    return Event("dog", "audio", 0.0, 1.0)


def test_the_answer_has_an_axis_of_its_own_and_its_word_can_be_marked():
    trace = towers()["language"]
    figure = spacetime.curves(trace, 4.0, chosen=len(trace.tokens) - 2)
    assert "token" in figure.layout.xaxis3.title.text
    [word] = [shape for shape in figure.layout.shapes if shape.name == "chosen word"]
    assert word.visible and (word.x0 + word.x1) / 2 == pytest.approx(2)
    assert not figure.layout.shapes[1].visible


def test_other_limits_are_said():
    figure = spacetime.curves(towers()["language"], 4.0, limits=(0.2, 0.5))
    assert any("scale cut to 20–50 %" in note.text for note in figure.layout.annotations)


def test_a_tone_lies_in_its_band_at_its_level():
    level, step = spacetime.log_mel(TONE, columns=360)
    middle = level[:, level.shape[1] // 2]
    centres = spacetime.mel_edges()[1:-1]
    assert abs(centres[middle.argmax()] - 1000) < 120
    assert middle.max() == pytest.approx(0, abs=4)  # a full-scale sine
    assert step * level.shape[1] == pytest.approx(4, abs=0.05)


def test_the_spectrogram_stands_over_what_its_tokens_took():
    trace = towers()["language"]
    figure = spacetime.spectrogram(TONE, trace, playhead=2.0)
    assert (figure.data[0].zmin, figure.data[0].zmax) == spacetime.LOUD
    mix, *heads = figure.data[1:]
    assert len(heads) == 3 and all((strip.zmin, strip.zmax) == (0, 100) for strip in heads)
    assert mix.customdata[0][10][0] == 1 + 8 + 10
    assert heads[2].z[0, 10] == pytest.approx(100 * trace.weights[:, 19, 2].mean(), abs=0.1)
    assert figure.layout.xaxis2.matches == "x" and figure.layout.shapes[0].x0 == 2.0


def test_what_was_not_heard_is_blank():
    some = tuple(Token("audio", start=2 + 0.04 * i, end=2.04 + 0.04 * i) for i in range(25))
    trace = RoutingTrace(np.full((1, 25, 3), 1 / 3, np.float16), (Site("language", 0, "q_proj"),), some)
    strip = spacetime.spectrogram(TONE, trace).data[2].z[0]
    assert np.isnan(strip[:49]).all() and np.isfinite(strip[52:73]).all() and np.isnan(strip[77:]).all()


def test_five_minutes_fit_a_page_update():
    sound = tuple(Token("audio", start=0.04 * i, end=0.04 * (i + 1)) for i in range(7500))
    weights = np.random.default_rng(0).dirichlet(np.ones(3), (2, 7500)).astype(np.float16)
    trace = RoutingTrace(weights, (Site("language", 0, "q_proj"), Site("language", 1, "q_proj")), sound)
    noise = np.random.default_rng(0).normal(0, 0.1, 300 * 16_000).astype(np.float32)
    assert len(spacetime.spectrogram(noise, trace).to_json()) < 150_000
    assert len(spacetime.curves(trace, 300.0).to_json()) < 150_000


def test_nothing_to_hear_or_to_time_is_said():
    empty = RoutingTrace(np.zeros((1, 0, 3), np.float16), (Site("language", 0, "q_proj"),), ())
    assert not spacetime.curves(empty, 4.0).data and not spacetime.spectrogram(np.zeros(0), empty).data
