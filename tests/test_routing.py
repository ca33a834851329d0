"""Router weights as pictures and files."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from crab.ilora.trace import RoutingTrace, Site
from crab.prompt import Token
from visualize import routing, theme

MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def tokens(*, text=12, moments=5, cells=16, sound=50, generated=20):
    """A prompt as the language model reads it: words, a video, a sound, words; then the answer."""
    return (
        *[Token("text", text="Look ")] * text,
        *[Token("video", start=2.0 * t, end=2.0 * t + 2, row=i // 4, col=i % 4)
          for t in range(moments) for i in range(cells)],
        *[Token("audio", start=0.04 * i, end=0.04 * (i + 1)) for i in range(sound)],
        *[Token("text", text="and listen ")] * text,
        *[Token("generated", text=f"word{i} ") for i in range(generated)],
    )


def random_trace(*, layers=2, heads=3, seed=0, **kinds):
    sites = tuple(Site("language", layer, module) for layer in range(layers) for module in MODULES)
    what = tokens(**kinds)
    weights = np.random.default_rng(seed).dirichlet(np.ones(heads), (len(sites), len(what))).astype(np.float16)
    return RoutingTrace(weights, sites, what)


def constant_trace(by_modality):
    """Weights that depend on the modality alone: {"text": (0.2, 0.3, 0.5), …}."""
    what = tokens()
    weights = np.array([by_modality[token.modality] for token in what], np.float16)[None]
    return RoutingTrace(weights, (Site("language", 0, "q_proj"),), what)


def words(figure):
    return " ".join(note.text for note in figure.layout.annotations)


# --- tokens ---


def test_groups_part_the_tokens_by_modality():
    trace = random_trace()
    groups = routing.token_groups(trace)
    assert list(groups) == ["text", "video", "audio", "generated"]
    assert [int(mask.sum()) for mask in groups.values()] == [24, 80, 50, 20]
    assert (sum(mask.astype(int) for mask in groups.values()) == 1).all()


@pytest.mark.parametrize(
    "token, name",
    [
        (Token("text", text="dog\n"), "text “dog↵”"),
        (Token("generated", text="<event>"), "answer “<event>”"),
        (Token("audio", start=1.2, end=1.24), "sound 1.20–1.24 s"),
        (Token("video", start=2.0, end=4.0, row=0, col=3), "video 2.00–4.00 s, row 1, column 4"),
        (Token("image", row=1, col=1, source=1), "picture, row 2, column 2, second clip"),
    ],
)
def test_tokens_have_names_for_people(token, name):
    assert routing.token_name(token) == name


# --- sites × tokens ---


def test_a_panel_a_head_shows_the_weights_in_per_cent():
    trace = random_trace()
    figure = routing.heatmap(trace)
    assert len(figure.data) == 3
    for head, panel in enumerate(figure.data):
        assert np.abs(panel.z - 100 * trace.weights[:, :, head].astype(float)).max() <= 0.5
    # Hovering shows the other heads beside.
    assert (figure.data[1].customdata[..., 0] == figure.data[0].z).all()
    assert (figure.data[1].customdata[..., 1] == figure.data[2].z).all()


def test_one_head_alone():
    trace = random_trace()
    [panel] = routing.heatmap(trace, head=2).data
    assert (panel.z == routing.heatmap(trace).data[2].z).all()


def test_the_scale_is_the_same_for_any_weights_and_marks_equal_heads():
    flat = constant_trace(dict.fromkeys(("text", "video", "audio", "generated"), (0.34, 0.33, 0.33)))
    for trace in (flat, random_trace()):
        for panel in routing.heatmap(trace).data:
            assert (panel.zmin, panel.zmax) == (0, 100)
            assert list(panel.colorbar.ticktext) == ["0 %", "33 %", "100 %"]


def test_another_scale_is_never_silent():
    figure = routing.heatmap(random_trace(), limits=(0.2, 0.5))
    assert (figure.data[0].zmin, figure.data[0].zmax) == (20, 50)
    assert "scale cut to 20–50 %" in words(figure)
    assert "scale" not in words(routing.heatmap(random_trace()))


def test_rows_are_sites_in_the_order_of_layers():
    trace = random_trace()
    mixed = RoutingTrace(trace.weights[::-1], trace.sites[::-1], trace.tokens)
    names = routing.heatmap(mixed).layout.yaxis.categoryarray
    assert names[0].startswith("language layer 0") and names[-1].startswith("language layer 1")


def test_many_tokens_share_columns_that_show_their_mean_and_it_is_said():
    trace = random_trace(layers=28, moments=5, cells=100, sound=500, generated=40)
    figure = routing.heatmap(trace)
    columns = figure.data[0].z.shape[1]
    assert columns < 400 and "mean of up to" in words(figure)
    # The last columns are the answer, a token each.
    assert np.abs(figure.data[0].z[:, -40:] - 100 * trace.weights[:, -40:, 0].astype(float)).max() <= 0.5
    first = routing.heatmap(trace).layout.xaxis.categoryarray[0]
    last = int(re.match(r"0–(\d+) · text", first)[1])
    mean = 100 * trace.weights[:, : last + 1, 0].astype(float).mean(1)
    assert np.abs(figure.data[0].z[:, 0] - mean).max() <= 0.51


def test_no_column_mixes_two_modalities():
    trace = constant_trace({"text": (1, 0, 0), "video": (0, 1, 0), "audio": (0, 0, 1), "generated": (0.5, 0.5, 0)})
    many = RoutingTrace(np.repeat(trace.weights, 196, 0), trace.sites * 196, trace.tokens)
    assert "mean" in words(routing.heatmap(many))
    assert set(np.unique(routing.heatmap(many).data[0].z)) == {0, 50, 100}


def test_runs_of_tokens_are_named():
    names = words(routing.heatmap(random_trace()))
    assert all(name in names for name in ("video, 0–10 s", "sound, 0–2 s", "answer"))


def test_what_travels_to_the_page_stays_small():
    trace = random_trace(layers=6, moments=5, cells=32, sound=150, generated=60, text=40)
    thirty = RoutingTrace(trace.weights[:30], trace.sites[:30], trace.tokens)
    assert trace.weights.shape == (42, 450, 3)
    assert len(routing.heatmap(thirty).to_json()) < 150_000
    huge = random_trace(layers=56, moments=10, cells=108, sound=250, generated=90)  # 392 × 1,444
    assert len(routing.heatmap(huge).to_json()) < 1_000_000


@pytest.mark.parametrize("draw", [routing.heatmap, routing.overview])
def test_nothing_traced_is_said_in_a_sentence(draw):
    empty = RoutingTrace(np.zeros((0, 0, 3), np.float16), (), ())
    assert not draw(empty).data and words(draw(empty)).endswith(".")


def test_the_models_words_cannot_become_markup():
    said = (Token("generated", text="<a href=x>"),)
    trace = RoutingTrace(np.ones((1, 1, 3), np.float16) / 3, (Site("language", 0, "q_proj"),), said)
    assert routing.heatmap(trace).layout.xaxis.categoryarray == ("0 · answer “&lt;a href=x&gt;”",)
    assert "<a" not in routing.live(trace)


# --- layers × heads ---


def test_the_overview_is_the_mean_over_the_chosen_tokens():
    trace = random_trace(layers=2)
    mask = routing.token_groups(trace)["video"]
    figure = routing.overview(trace, tokens=mask)
    assert "mean of 80 tokens" in words(figure)
    site = trace.sites.index(Site("language", 1, "v_proj"))
    column = 4 * MODULES.index("v_proj")  # three heads and a blank a module
    for head, panel in enumerate(figure.data):
        expected = 100 * trace.weights[site, mask, head].astype(float).mean()
        assert panel.z[1, column + head] == pytest.approx(expected, abs=0.06)
        assert (panel.zmin, panel.zmax) == (0, 100)
        assert np.isfinite(panel.z).sum() == len(trace.sites)  # nothing but its own column of each module


def test_numbers_stand_in_cells_while_there_is_room():
    assert routing.overview(random_trace(layers=2)).data[0].texttemplate
    assert not routing.overview(random_trace(layers=28)).data[0].texttemplate


def test_a_group_without_tokens_is_said():
    trace = random_trace()
    assert not routing.overview(trace, tokens=np.zeros(len(trace.tokens), bool)).data


# --- while it streams ---


def until(trace, n):
    return RoutingTrace(trace.weights[:, :n], trace.sites, trace.tokens[:n])


def strips(html):
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))
        for data in re.findall(r"base64,([^\"]+)", html)
    ]


def test_the_live_picture_grows_by_a_column_a_token_and_keeps_its_size():
    trace = random_trace(generated=20)
    pictures = [routing.live(until(trace, n)) for n in (0, 154, 155, 164, 174)]
    assert len({re.search(r"height:(\d+)px", html)[1] for html in pictures}) == 1
    assert strips(pictures[0]) == [] and len(strips(pictures[1])) == 3  # the prompt, a strip a head
    assert [strips(html)[1].shape[1] for html in pictures[2:]] == [1, 10, 20]
    assert "word19" in pictures[-1]


def test_live_rows_are_layers_and_opacity_is_the_mean_over_modules():
    trace = random_trace(layers=4)
    for head in range(3):
        answer = strips(routing.live(trace))[2 * head + 1]  # (layers, tokens, rgba)
        assert answer.shape == (4, 20, 4)
        assert (answer[..., :3] == theme.rgb(theme.head_colour(head))).all()
        mean = trace.weights[:, -20:, head].astype(float).reshape(4, 7, 20).mean(1)
        assert np.abs(answer[..., 3] / 255 - np.minimum(1, 1.5 * mean)).max() < 0.01


def test_live_numbers_are_the_newest_tokens():
    answer = (0.125, 0.25, 0.625)
    trace = constant_trace({"text": (1, 0, 0), "video": (0, 1, 0), "audio": (0, 0, 1), "generated": answer})
    assert re.findall(r"(\d+) %</b>", routing.live(trace)) == ["12", "25", "62"]


def test_a_long_answer_scrolls_and_stays_small():
    html = routing.live(random_trace(layers=28, cells=100, sound=300, generated=300))
    assert "last 120 of 300" in html
    assert strips(html)[1].shape[:2] == (28, 120) and strips(html)[0].shape[:2] == (28, 80)
    assert len(html) < 30_000


# --- files ---


def test_a_saved_trace_comes_back_the_same(tmp_path):
    saved = {"language": random_trace(), "audio": random_trace(layers=1, text=0, moments=0, generated=0)}
    routing.save_npz(saved, tmp_path / "weights.npz")
    read = routing.load_npz(tmp_path / "weights.npz")
    assert list(read) == ["language", "audio"]
    for tower, trace in saved.items():
        assert read[tower].weights.dtype == np.float16
        assert (read[tower].weights == trace.weights).all()
        assert read[tower].sites == trace.sites
        assert [vars(token) for token in read[tower].tokens] == [vars(token) for token in trace.tokens]
    assert routing.heatmap(read["language"]) == routing.heatmap(saved["language"])


def test_the_file_is_named_as_asked_and_needs_numpy_alone(tmp_path):
    routing.save_npz({"language": random_trace()}, tmp_path / "weights.bin")
    with np.load(tmp_path / "weights.bin", allow_pickle=False) as file:
        assert file["language/weights"].shape == (14, 174, 3)
        assert json.loads(str(file["language/sites"]))[0] == ["language", 0, "q_proj"]
        assert json.loads(str(file["language/tokens"]))[-1]["text"] == "word19 "
