"""How sites use their heads: on planted weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

from crab.routing import sites
from crab.routing.sites import Usage
from crab.trace import RoutingTrace, Site, Token

SITES = tuple(Site("language", layer, module) for layer in (0, 1) for module in ("q_proj", "o_proj"))
WORDS = ["dog", "cat"] * 20


def trace() -> RoutingTrace:
    """A site where all heads are alike, one that is the same for all, one that has one head, one that tells words."""
    weights = np.empty((4, len(WORDS), 3), np.float32)
    weights[0] = 1 / 3
    weights[1] = 0.5, 0.3, 0.2
    weights[2] = 0.98, 0.01, 0.01
    weights[3, 0::2], weights[3, 1::2] = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1)
    return RoutingTrace(weights, SITES, tuple(Token("generated", text=word) for word in WORDS))


@pytest.fixture
def usage() -> Usage:
    tally = sites.Tally()
    whole = trace()
    for half in (slice(0, 12), slice(12, None)):  # two runs are as one
        tally.add({"language": RoutingTrace(whole.weights[:, half], SITES, whole.tokens[half])})
    return tally.usage()["language"]


def test_flags_say_where_a_router_decides_nothing(usage):
    assert usage.flags == ("even", "fixed", "collapsed", "") and usage.tokens == len(WORDS)
    assert usage.idle == ((), (), (1, 2), ())


def test_shares_entropy_spread_and_what_goes_together_are_over_tokens(usage):
    weights = trace().weights.astype(float)
    np.testing.assert_allclose(usage.share, weights.mean(1), atol=1e-6)
    np.testing.assert_allclose(usage.spread, weights.std(1), atol=1e-6)
    entropy = -(weights * np.log(weights)).sum(2).mean(1) / np.log(3)
    np.testing.assert_allclose(usage.entropy, entropy, atol=1e-6)
    assert usage.entropy[0] == pytest.approx(1) and usage.together[3, 0, 1] == pytest.approx(-1)
    assert usage.together[3, 0, 2] == usage.together[0, 0, 1] == 0  # what never varies goes with nothing
    assert usage.pairs == {(0, 1): pytest.approx(-1 / 4), (0, 2): 0, (1, 2): 0}  # in one of four sites
    np.testing.assert_allclose(usage.imbalance, usage.share.std(1) * 3, atol=1e-6)
    assert usage.by_layer(usage.entropy) == {0: pytest.approx(entropy[:2].mean()), 1: pytest.approx(entropy[2:].mean())}


def test_tokens_lean_to_the_head_that_has_more_of_them_than_of_others(usage):
    assert [head[0][0] for head in usage.leaning[:2]] == ["dog", "cat"]
    assert usage.leaning[0][0][1] == pytest.approx(0.35 / 4, abs=1e-4) == -usage.leaning[0][1][1]
    silent = sites.Tally()
    silent.add({"audio": RoutingTrace(trace().weights, SITES, (Token("audio", start=0.0, end=0.1),) * len(WORDS))})
    assert silent.usage()["audio"].leaning == ((), (), ())  # what is heard is no word
    rare = sites.Tally()
    rare.add({"language": RoutingTrace(trace().weights[:, :4], SITES, trace().tokens[:4])})
    assert rare.usage()["language"].leaning == ((), (), ())  # seen twice each


def test_it_is_written_and_read_and_told(usage):
    again = Usage.from_json(json.loads(json.dumps(usage.to_json())))
    assert (again.sites, again.flags, again.leaning) == (usage.sites, usage.flags, usage.leaning)
    np.testing.assert_allclose(again.share, usage.share, atol=1e-4)
    told = sites.summary({"language": usage})
    assert (
        "heads 1 and 2 -0.25" in told
        and "1 even, 1 fixed, 1 collapsed" in told
        and "2 idle heads" in told
        and "to head 1 lean 'dog'" in told
    )
