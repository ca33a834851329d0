"""What the page shows of the router weights while an answer is written."""

import base64
import io
import re

import numpy as np
from PIL import Image

from crab.trace import RoutingTrace, Site, Token
from visualize import theme
from visualize.live import live, unmarked

MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def tokens(*, text=12, moments=5, cells=16, sound=50, generated=20):
    """A prompt as the language model reads it: words, a video, a sound, words; then the answer."""
    return (
        *[Token("text", text="Look ")] * text,
        *[
            Token("video", start=2.0 * t, end=2.0 * t + 2, row=i // 4, col=i % 4)
            for t in range(moments)
            for i in range(cells)
        ],
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


def test_the_models_words_cannot_become_markup():
    said = (Token("generated", text="<a href=x>"),)
    trace = RoutingTrace(np.ones((1, 1, 3), np.float16) / 3, (Site("language", 0, "q_proj"),), said)
    assert "<a" not in live(trace) and "&lt;a" in live(trace)


def until(trace, n):
    return RoutingTrace(trace.weights[:, :n], trace.sites, trace.tokens[:n])


def strips(html):
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))
        for data in re.findall(r"base64,([^\"]+)", html)
    ]


def test_the_live_picture_grows_by_a_column_a_token_and_keeps_its_size():
    trace = random_trace(generated=20)
    pictures = [live(until(trace, n)) for n in (0, 154, 155, 164, 174)]
    assert len({re.search(r"height:(\d+)px", html)[1] for html in pictures}) == 1
    assert strips(pictures[0]) == [] and len(strips(pictures[1])) == 3  # the prompt, a strip a head
    assert [strips(html)[1].shape[1] for html in pictures[2:]] == [1, 10, 20]
    assert "word19" in pictures[-1]


def test_live_rows_are_layers_and_opacity_is_the_mean_over_modules():
    trace = random_trace(layers=4)
    for head in range(3):
        answer = strips(live(trace))[2 * head + 1]  # (layers, tokens, rgba)
        assert answer.shape == (4, 20, 4)
        assert (answer[..., :3] == theme.rgb(theme.head_colour(head))).all()
        mean = trace.weights[:, -20:, head].astype(float).reshape(4, 7, 20).mean(1)
        assert np.abs(answer[..., 3] / 255 - np.minimum(1, 1.5 * mean)).max() < 0.01


def test_live_numbers_are_the_newest_tokens():
    answer = (0.125, 0.25, 0.625)
    trace = constant_trace({"text": (1, 0, 0), "video": (0, 1, 0), "audio": (0, 0, 1), "generated": answer})
    assert re.findall(r"(\d+) %</b>", live(trace)) == ["12", "25", "62"]


def test_a_long_answer_scrolls_and_stays_small():
    html = live(random_trace(layers=28, cells=100, sound=300, generated=300))
    assert "last 120 of 300" in html
    assert strips(html)[1].shape[:2] == (28, 120) and strips(html)[0].shape[:2] == (28, 80)
    assert len(html) < 30_000


def test_it_says_what_its_rows_are_and_how_much_a_shade_stands_for():
    html = live(random_trace(layers=2, cells=4, sound=4, generated=1))
    assert "rows: layers, the first on top" in html and "0 % <i" in html and "</i> 67 % and more" in html


def test_the_newest_words_stand_without_the_markup_around_results():
    said = "audio_event>dog barking, (0 3)</audio_event>\nAnd <event>rain, (2 4)</event> <aud"
    assert unmarked(said) == "dog barking, (0 3) And rain, (2 4)"
    assert unmarked("is 3 > 2, or a < b?") == "is 3 > 2, or a < b?"
