"""What else separates the tasks: routers drawn at random, hidden states, and tokens of one sort, of the same passes."""

from __future__ import annotations

import numpy as np
import pytest
from test_atlas import clip, own, run  # noqa: F401  a run of a tiny model

from crab import CrabError
from crab.ilora import adapted_layers
from crab.routing import atlas as atlases, controls
from crab.routing.controls import Controlled
from crab.routing.atlas import Asked
from crab.tasks import TASKS


@pytest.fixture(scope="module")
def asked(clip):
    return [Asked(TASKS[name], clip, "How many?", scene=name) for name in ("ave", "avqa")]


@pytest.fixture(scope="module")
def found(tiny, asked):
    return controls.controlled(tiny, asked, draws=2, max_new_tokens=6)


def test_the_routers_signature_is_the_atlas_own(found, own):
    ours = found.signatures["routers", "answer"][0]
    np.testing.assert_allclose(ours, atlases.signature(own).layers_answer.ravel(), atol=1e-5)
    language = own.routing["language"]
    words = np.array([token.modality == "text" for token in language.tokens])
    layers = np.array([site.layer for site in language.sites])
    expected = np.stack([language.mean(words)[layers == n].mean(0) for n in np.unique(layers)])
    np.testing.assert_allclose(found.signatures["routers", "prompt"][0], expected.ravel(), atol=1e-5)


def test_drawn_routers_decide_on_what_the_own_ones_see_and_change_nothing(tiny, asked, found):
    assert found.signatures["random routers 1", "answer"].shape == found.signatures["routers", "answer"].shape
    one, other = (found.signatures[f"random routers {n}", "media"] for n in (1, 2))
    assert not np.allclose(one, other)
    again = controls.controlled(tiny, asked[:1], draws=1, max_new_tokens=6)
    np.testing.assert_allclose(again.signatures["random routers 1", "media"][0], one[0], atol=1e-5)
    assert not any(layer._forward_pre_hooks for layer in adapted_layers(tiny.model).values())


def test_hidden_states_are_what_enters_a_layer(tiny, found):
    width, layers = tiny.thinker.config.text_config.hidden_size, tiny.thinker.config.text_config.num_hidden_layers
    assert found.signatures["hidden states", "media"].shape == (2, width * layers)
    # The media come before the question, so nothing of theirs can tell one task from another that shows the same.
    prompt = found.signatures["hidden states", "prompt"]
    assert not np.allclose(prompt[0], prompt[1])


def test_an_answer_of_one_token_is_the_position_that_wrote_it(tiny, asked):
    [row] = controls.controlled(tiny, asked[:1], max_new_tokens=1).signatures["routers", "answer"]
    assert np.isfinite(row).all() and np.allclose(row.reshape(-1, 3).sum(1), 1, atol=1e-5)


def planted(apart: dict[str, float], scenes: int = 40) -> Controlled:
    """Two families in every scene, apart by as much as is said of each signature."""
    rng = np.random.default_rng(0)
    families = ("question", "grounding") * scenes
    far = np.array([family == "question" for family in families], float)[:, None]
    rows = {(name, "answer"): rng.normal(0, 1, (2 * scenes, 3)) + by * far for name, by in apart.items()}
    return Controlled(families, families, tuple(str(i // 2) for i in range(2 * scenes)), rows)


def test_a_gap_is_above_nothing_only_where_the_control_does_worse():
    alike = controls.gaps(planted({"routers": 5, "random routers 1": 5, "hidden states": 5}))
    assert all(gap.low <= 0 <= gap.high for gap in alike)
    apart = {"routers": 5, "random routers 1": 0, "random routers 2": 0, "hidden states": 5}
    random, hidden = controls.gaps(planted(apart))
    assert random.control == "random routers" and random.low > 0.2 and hidden.low <= 0
    assert random.low < random.value < random.high
    by = controls.separations(planted({"routers": 5, "random routers 1": 0}))
    assert by["routers", "answer"].accuracy > 0.95 and abs(by["random routers 1", "answer"].accuracy - 0.5) < 0.2


def test_nothing_asked_and_nothing_to_ask_of_are_told(tiny):
    with pytest.raises(CrabError, match="no question"):
        controls.controlled(tiny, [])
