"""What else separates the tasks: routers drawn at random, hidden states, and tokens of one sort, of the same passes."""

from __future__ import annotations

import numpy as np
import pytest
from test_atlas import clip, own, run  # noqa: F401  a run of a tiny model

from crab import CrabError
from crab.ilora import adapted_layers
from crab.routing import atlas as atlases
from crab.routing import survey
from crab.routing.atlas import Asked
from crab.tasks import TASKS


@pytest.fixture(scope="module")
def asked(clip):
    return [Asked(TASKS[name], clip, "How many?", scene=name) for name in ("ave", "avqa")]


def signatures(tiny, one, *, draws=2, tokens=6):
    sums = survey._Sums(draws)
    survey._routed(tiny, one, sums, tokens)
    return sums.signatures()


@pytest.fixture(scope="module")
def found(tiny, asked):
    return [signatures(tiny, one) for one in asked]


def by_layer(trace, chosen):
    layers = np.array([site.layer for site in trace.sites])
    return np.stack([trace.mean(chosen)[layers == n].mean(0) for n in np.unique(layers)]).ravel()


def test_the_routers_signatures_are_means_of_the_trace(found, own):
    ours, language = found[0], own.routing["language"]
    np.testing.assert_allclose(
        ours["routers", "answer"], atlases.signature(own.routing).layers_answer.ravel(), atol=1e-5
    )
    modalities = np.array([token.modality for token in language.tokens])
    np.testing.assert_allclose(ours["routers", "prompt"], by_layer(language, modalities == "text"), atol=1e-5)
    media = ~np.isin(modalities, ("text", "generated"))
    np.testing.assert_allclose(ours["routers", "media"], by_layer(language, media), atol=1e-5)


def test_the_closing_tokens_are_the_same_words_whatever_is_asked(found, own, tiny, asked):
    closing = []
    for one in asked:
        tokens = tiny.prompt(one.clip, one.task, one.question).map.tokens
        sums = survey._Sums(0, tokens)
        chosen = dict(sums.chosen(len(tokens)))["closing"]
        closing.append([token.text for token, is_it in zip(tokens, chosen.tolist()) if is_it])
    assert closing[0] == closing[1] == ["<|im_end|>", "\n", "<|im_start|>", "assistant", "\n"]
    language = own.routing["language"]
    at = np.arange(len(language.tokens))
    expected = by_layer(language, (at >= own.prompt_tokens - 5) & (at < own.prompt_tokens))
    np.testing.assert_allclose(found[0]["routers", "closing"], expected, atol=1e-5)


def test_drawn_routers_decide_on_what_the_own_ones_see_and_change_nothing(tiny, asked, found):
    assert found[0]["random routers 1", "answer"].shape == found[0]["routers", "answer"].shape
    one, other = (found[0][f"random routers {n}", "media"] for n in (1, 2))
    assert not np.allclose(one, other)
    np.testing.assert_allclose(signatures(tiny, asked[0], draws=1)["random routers 1", "media"], one, atol=1e-5)
    assert not any(layer._forward_pre_hooks for layer in adapted_layers(tiny.model).values())


def test_hidden_states_are_what_enters_a_layer(tiny, found):
    width, layers = tiny.thinker.config.text_config.hidden_size, tiny.thinker.config.text_config.num_hidden_layers
    assert found[0]["hidden states", "media"].shape == (width * layers,)
    assert not np.allclose(*(one["hidden states", "prompt"] for one in found))


def test_an_answer_of_one_token_is_the_position_that_wrote_it(tiny, asked):
    row = signatures(tiny, asked[0], tokens=1)["routers", "answer"]
    assert np.isfinite(row).all() and np.allclose(row.reshape(-1, 3).sum(1), 1, atol=1e-5)


def test_a_survey_holds_signatures_controls_and_usage(tiny, asked):
    made = survey.survey(tiny, asked, draws=1, max_new_tokens=3)
    assert {(c.by, c.tokens, c.what) for c in made.controls} == {
        (by, tokens, what) for by in ("family", "dataset") for tokens in ("answer", "media", "prompt", "closing")
        for what in ("routers", "random routers", "hidden states")
    }  # fmt: skip
    assert set(made.usage) == {"language", "audio", "vision"}
    np.testing.assert_allclose(made.usage["language"].share.sum(1), 1, atol=1e-5)
    alone = survey.survey(tiny, [asked[0]], draws=1, max_new_tokens=1)  # one scene has no neighbour to be told from
    assert alone.controls == () and len(alone.datasets) == 1


def test_nothing_asked_and_nothing_to_ask_of_are_told(tiny):
    with pytest.raises(CrabError, match="no question"):
        survey.survey(tiny, [])
