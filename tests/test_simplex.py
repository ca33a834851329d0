"""All heads in one cell."""

import numpy as np
import pytest
from test_theme import VISION, least_distance, linear, oklab
from test_trace import towers

from crab.ilora.trace import RoutingTrace
from visualize import simplex, theme


def mixes(figure):
    return [data for data in figure.data if data.type == "heatmap" and data.meta == "mix"]


def words(figure):
    return " ".join(note.text for note in figure.layout.annotations)


def test_a_corner_is_the_heads_own_colour_and_the_centre_nearly_the_ground():
    assert theme.hexes(theme.mix(np.eye(3), dark=False)) == list(theme.HEADS)
    assert theme.hexes(theme.mix(np.full((1, 3), 1 / 3), dark=True)) == [theme.CENTRE[True]]


@pytest.mark.parametrize("vision", VISION)
def test_edges_and_corners_are_told_apart_by_everybody_but_the_digit_is_there_too(vision):
    corners = theme.hexes(theme.mix(np.eye(3) * 0.7 + 0.1, dark=False))
    assert least_distance(corners, vision) > 0.08


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_written_on_a_mix_reads(dark):
    colours = theme.mix(np.random.default_rng(0).dirichlet(np.ones(3), 300), dark)
    for hue, ink in zip(theme.hexes(colours), theme.ink_on(colours)):
        low, high = sorted(linear([hue, ink]) @ [0.2126, 0.7152, 0.0722])
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_further_from_all_alike_is_never_paler():
    path = np.linspace(1 / 3, 1, 50)[:, None]
    shares = np.concatenate([path, (1 - path) / 2, (1 - path) / 2], 1)
    chroma = np.linalg.norm(oklab(linear(theme.hexes(theme.mix(shares, False))))[:, 1:], axis=1)
    assert (np.diff(chroma) > -0.004).all()


def test_each_cell_has_its_colour_its_digit_and_its_numbers():
    traces = towers()
    panel = mixes(simplex.overview(traces))[0]
    mean = traces["language"].weights.mean(1, dtype=np.float32)
    row, column = 1, 2  # layer 1, up_proj
    i = int(panel.z[row, column])
    assert panel.colorscale[2 * i][1] == theme.hexes(theme.mix(mean[5:6], False))[0]
    assert panel.text[row][column] in ("·", str(mean[5].argmax() + 1))
    name, numbers, entropy, distance = panel.customdata[row][column]
    assert name == "layer 1 · up_proj" and f"Head 1 {100 * mean[5, 0]:.1f} %" in numbers
    assert float(distance) == pytest.approx((3 * mean[5].max() - 1) / 2, abs=0.006)


def test_what_is_not_adapted_is_hatched_and_says_so():
    figure = simplex.overview(towers(), unadapted={"audio": ("out_proj",)})
    [bar, *_] = [data for data in figure.data if data.type == "bar"]
    assert bar.marker.pattern.shape == "/" and "not adapted" in bar.hovertemplate and set(bar.customdata) == {"out_proj"}


def test_the_numbers_have_their_own_grey_panels_from_0_to_1():
    figure = simplex.overview(towers())
    grey = [data for data in figure.data if data.type == "heatmap" and data.meta != "mix"]
    assert len(grey) == 2 * 3 and all((data.zmin, data.zmax) == (0, 1) for data in grey)


def test_one_token_is_shown_in_every_tower_that_had_it():
    traces = towers()
    assert len(mixes(simplex.token_view(traces, 9))) == 2  # a sound: language and sound encoder
    word = simplex.token_view(traces, len(traces["language"].tokens) - 2)
    assert len(mixes(word)) == 1 and "&lt;a&gt;" in words(word)
    assert not simplex.token_view(traces, 10_000).data


@pytest.mark.parametrize("heads", [1, 2, 4, 8])
def test_any_number_of_heads_is_drawn(heads):
    trace = towers()["language"]
    weights = np.random.default_rng(0).dirichlet(np.ones(heads), trace.weights.shape[:2]).astype(np.float16)
    other = {"language": RoutingTrace(weights, trace.sites, trace.tokens)}
    assert simplex.overview(other).data and simplex.token_view(other, 0).data and simplex.modalities(other["language"]).data
    if heads > 3:
        assert len(simplex.overview(other).data) == heads  # the panel view


def test_a_modality_is_its_mean_by_layer_on_the_whole_scale():
    trace = towers()["language"]
    figure = simplex.modalities(trace)
    assert "video" in words(figure) and "answer" in words(figure)
    lines = [data for data in figure.data if data.xaxis == "x"]  # text
    assert lines[1].y[0] == pytest.approx(100 * trace.weights[:3, 0, 1].mean(), abs=0.05)
    assert figure.layout.yaxis.range == (0, 100) and "cut" not in words(figure)
    assert len({line.line.dash for line in lines}) == 3
    assert "scale cut to 20–50 %" in words(simplex.modalities(trace, limits=(0.2, 0.5)))
    assert len(simplex.modalities(trace, only="audio").data) == 3


def test_nothing_chosen_is_said():
    traces = {"language": towers()["language"]}
    nothing = {"language": np.zeros(len(traces["language"].tokens), bool)}
    assert not simplex.overview(traces, tokens=nothing).data


def test_the_released_models_overview_fits_a_page_update():
    from test_standalone import released

    assert len(simplex.overview(released(60)).to_json()) < 150_000
