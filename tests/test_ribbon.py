"""Words coloured by head."""

import re
from types import SimpleNamespace

import numpy as np
from test_trace import towers

from crab.ilora.trace import RoutingTrace, Site
from crab.prompt import Token
from visualize import ribbon, theme


def long(n):
    tokens = tuple(Token("generated", text=f"word{i} ") for i in range(n))
    return RoutingTrace(np.full((1, n, 3), 1 / 3, np.float16), (Site("language", 0, "q_proj"),), tokens)


def test_every_word_can_be_reached_and_says_its_numbers():
    trace = towers()["language"]
    html = ribbon.ribbon(trace)
    first = len(trace.tokens) - 4
    assert re.findall(r'data-token="(\d+)"', html) == [str(first + i) for i in range(4)]
    assert html.count('role="button" tabindex="0"') == 4
    mean = trace.weights[:, first].mean(0, dtype=np.float32)
    assert f'title="I : Head 1 {100 * mean[0]:.0f} %' in html and theme.hexes(theme.mix(mean[None], False))[0] in html
    assert html.count("<i style=") == 12  # a bar a head under each


def test_the_models_words_cannot_become_markup():
    assert "<a>" not in ribbon.ribbon(towers()["language"]) and "&lt;a&gt;" in ribbon.ribbon(towers()["language"])


def test_what_lies_between_is_named_and_one_can_be_chosen():
    trace = towers()["language"]
    html = ribbon.ribbon(trace, modalities=("text", "generated"), chosen=0)
    assert "video, 8 tokens" in html and "sound, 100 tokens" in html
    assert html.count('aria-pressed="true"') == 1


def test_some_sites_only():
    trace = towers()["language"]
    assert ribbon.ribbon(trace, sites=[0]) != ribbon.ribbon(trace)
    assert ribbon.ribbon(trace, sites=np.arange(6) == 0) == ribbon.ribbon(trace, sites=[0])


def test_a_long_answer_stays_within_a_page_update():
    html = ribbon.ribbon(long(1000))
    assert len(html.encode()) < 150_000 and "600 words before these" in html


def test_no_words_is_said():
    silent = SimpleNamespace(weights=np.zeros((1, 0, 3)), tokens=(), sites=())
    assert "no words" in ribbon.ribbon(silent)
