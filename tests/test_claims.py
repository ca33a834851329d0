"""Claims about heads: what is silenced, what it is held against, and when a claim holds."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from conftest import ROOT
from test_atlas import clip, run  # noqa: F401  the clip of a tiny model's run

from crab import CrabError, __version__
from crab.__main__ import main
from crab.routing import claims
from crab.routing.atlas import Asked
from crab.routing.claims import HELD, NOT_HELD, UNDECIDED, Claim
from crab.tasks import TASKS
from crab.trace import Token

SOUND = Claim("Head 1 hears.", 1, "sound")


def test_what_a_claim_is_about_is_silenced_and_as_many_others_of_its_kind():
    sounds = [Token("audio", start=second, end=second + 1) for second in range(10)]
    reads = {"language": (Token("text", "<|im_start|>"), *sounds, *[Token("video")] * 4, Token("generated", "dog"))}
    onset = Claim("", 1, "sound onsets")
    mine, others = claims._masks(onset, reads, (3.0,), np.random.default_rng(0))
    assert np.flatnonzero(mine["language"]).tolist() == [3, 4]  # seconds 2 to 3 and 3 to 4
    assert others["language"].sum() == 2 and not (mine["language"] & others["language"]).any()
    assert {reads["language"][i].modality for i in np.flatnonzero(others["language"])} == {"audio"}
    # Of all sounds there are not as many others of their kind, so others are of any; both sides silence as many.
    mine, others = claims._masks(SOUND, reads, (), np.random.default_rng(0))
    assert mine["language"].sum() == others["language"].sum() == 6
    assert not any(reads["language"][i].modality == "audio" for i in np.flatnonzero(others["language"]))
    assert claims._masks(Claim("", 1, "numbers"), reads, (), np.random.default_rng(0)) is None


def test_half_a_second_to_either_side_of_where_a_sound_begins_is_its_onset():
    tenths = [Token("audio", start=n / 10, end=(n + 1) / 10) for n in range(100)]
    near = [token.start for token in tenths if claims.TOKENS["sound onsets"](token, (3.05,))]
    assert near == [n / 10 for n in range(25, 36)]  # from 2.5 to 3.6, of which 2.55 to 3.55 is near


def test_onsets_are_where_true_sounds_begin(clip):
    asked = Asked(
        TASKS["unav"],
        clip,
        target="<audio_event>dog, (2 4), (6 7)</audio_event><visual_event>dog, (1 9)</visual_event>",
    )
    assert sorted(claims._onsets(asked)) == [2 * clip.duration / 10, 6 * clip.duration / 10]


def test_the_cost_is_what_the_true_answer_loses_a_token(tiny, clip):
    asked = [Asked(TASKS["ave"], clip, scene=scene, target="<event>dog, (0 4)</event>") for scene in "ab"]
    [found] = claims.examine(tiny, [SOUND], asked)
    prompt = tiny.prompt(clip, TASKS["ave"])
    ids = tiny.processor.tokenizer(asked[0].target)["input_ids"]
    reads = tiny.reads(prompt, ids)
    costs = []
    for at in range(2):
        masks = claims._masks(SOUND, reads, claims._onsets(asked[0]), np.random.default_rng(at))
        means = []
        for by in (None, *(claims._silenced(SOUND, mask) for mask in masks)):
            rows = tiny.logits(prompt, ids, intervention=by).log_softmax(-1)[len(prompt.map.tokens) - 1 : -1]
            means.append(float(rows[torch.arange(len(ids)), ids].mean()))
        costs.append((means[0] - means[1], means[0] - means[2]))
    assert (found.cost, found.other) == (
        pytest.approx(np.mean(costs, 0)[0], abs=1e-5),
        pytest.approx(np.mean(costs, 0)[1], abs=1e-5),
    )
    assert abs(found.cost) > 1e-5 and (found.questions, found.scenes) == (2, 2)


@pytest.mark.parametrize(("cost", "spread", "verdict"), [
    (0.5, 0.1, HELD), (-0.5, 0.1, NOT_HELD), (0.0, 0.001, NOT_HELD), (0.002, 0.001, NOT_HELD), (0.01, 0.5, UNDECIDED),
])  # fmt: skip
def test_a_claim_holds_where_its_tokens_cost_more_beyond_the_interval(cost, spread, verdict):
    noise = np.random.default_rng(0).normal(0, spread, 60)
    rows = [(str(i // 2), cost + by, 0.0) for i, by in enumerate(noise)]
    found = claims._outcome(SOUND, "m", rows)
    assert found.verdict == verdict and found.low <= cost + noise.mean() <= found.high and found.scenes == 30
    assert claims._outcome(SOUND, "m", [("one", 5.0, 0.0)] * 9).verdict == UNDECIDED  # one scene shows nothing


def test_a_scene_counts_once_however_many_questions_are_about_it():
    rows = [(str(scene), cost, 0.0) for scene, cost in enumerate(np.random.default_rng(0).normal(0, 1, 30))]
    few, many = (claims._outcome(SOUND, "m", of) for of in (rows, rows * 5))
    assert (many.low, many.high) == pytest.approx((few.low, few.high)) and (few.scenes, many.questions) == (30, 150)


def test_only_the_families_of_a_claim_count(tiny, clip):
    about = Claim("", 2, "sound", families=("localisation",))
    asked = [
        Asked(TASKS["ave"], clip, scene="a", target="x"),
        Asked(TASKS["avqa"], clip, "How many?", scene="b", target="x"),
    ]
    assert claims.examine(tiny, [about], asked)[0].questions == 1
    with pytest.raises(CrabError, match="nothing tests"):
        claims.examine(tiny, [about], asked[1:])
    with pytest.raises(CrabError, match="no head 9"):
        claims.examine(tiny, [Claim("", 9, "sound")], asked)
    with pytest.raises(CrabError, match="true answers"):
        claims.examine(tiny, [about], [Asked(TASKS["ave"], clip)])


def test_claims_are_written_by_hand_and_outcomes_kept_beside_them(tmp_path):
    told = tmp_path / "claims.json"
    told.write_text(json.dumps([{"text": "Head 1 hears.", "head": 1, "tokens": "sound", "layers": [0, 1]}]))
    [claim] = claims.read(told)
    assert claim == Claim("Head 1 hears.", 1, "sound", layers=(0, 1)) and claims.read_outcomes(told) == ()
    found = claims._outcome(claim, "m", [("a", 0.5, 0.1), ("b", 0.4, 0.1)])
    claims.write([found], told)
    assert claims.read(told) == (claim,) and claims.read_outcomes(told) == (found,)
    assert json.loads(told.read_text())[0]["crab"] == __version__


@pytest.mark.parametrize(("row", "why"), [
    ({"head": 1, "tokens": "sound"}, "Claim 1 of .* needs a text"),
    ({"text": "x", "head": "1", "tokens": "sound"}, "a number from 1"),
    ({"text": "x", "head": 1, "tokens": "smell"}, "give one of sound, picture"),
    ({"text": "x", "head": 1, "tokens": "sound", "layers": 3}, "layers has to be a list"),
    ({"text": "x", "head": 1, "tokens": "sound", "families": ["dance"]}, "no family dance"),
])  # fmt: skip
def test_what_is_no_claim_is_told(tmp_path, row, why):
    (tmp_path / "claims.json").write_text(json.dumps([row]))
    with pytest.raises(CrabError, match=why):
        claims.read(tmp_path / "claims.json")


def test_the_claims_that_ship_are_claims():
    assert len(claims.read(ROOT / "assets" / "claims.json")) >= 6


def test_the_command_prints_every_verdict_and_keeps_it(golden, tmp_path, capsys, scenes_of_one):
    told, out = tmp_path / "claims.json", tmp_path / "out.json"
    told.write_text(json.dumps([{"text": "Head 1 hears.", "head": 1, "tokens": "sound"}]))
    model = ["--model", str(golden / "tiny-omni"), "--adapter", str(golden / "finetune_weights.bin")]
    assert main(["claims", "--data", str(scenes_of_one), "--file", str(told), "--out", str(out), *model]) == 0
    [found] = claims.read_outcomes(out)
    assert str(found) in capsys.readouterr().out
    (tmp_path / "none.json").write_text("{}")
    assert main(["claims", "--data", str(scenes_of_one), "--file", str(tmp_path / "none.json"), *model]) == 2
    assert "holds no claims" in capsys.readouterr().err


@pytest.fixture(scope="module")
def scenes_of_one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    assert main(["scenes", "make", str(folder), "--seed", "1", "--count", "2", "--datasets", "ave"]) == 0
    return folder
