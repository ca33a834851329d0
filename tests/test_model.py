"""The released model's numbers, and what streaming, batching and tracing must not change."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from crab import CrabError, avuie
from crab.ilora import Intervention, adapted_layers
from crab.model import Crab, round_positions, site_of, skeleton

DATASETS = ["ave", "avqa", "meld", "a2v", "v2a", "s4", "ref_avs"]


@pytest.mark.parametrize("dataset", DATASETS)
def test_logits_are_the_released_ones(dataset, tiny, golden_prompts, golden_arrays):
    logits = tiny.logits(golden_prompts[dataset])[-1].numpy()
    expected = golden_arrays[f"{dataset}/logits"].ravel()
    assert np.abs(logits - expected).max() / np.abs(expected).max() < 1e-4


@pytest.mark.parametrize("dataset", DATASETS)
def test_tokens_and_routing_are_the_released_ones(dataset, tiny, golden_prompts, golden_cases, golden_arrays):
    steps = list(tiny.stream(golden_prompts[dataset], max_new_tokens=24, trace_routing=True))
    assert [i for s in steps for i in s.token_ids] == golden_cases[dataset]["generated_ids"]
    assert "".join(s.text for s in steps) == golden_cases[dataset]["generated_text"]
    means = [_weights(steps[0].routing, name).mean(0) for name in golden_cases[dataset]["router_sites"]]
    assert np.abs(np.array(means) - golden_arrays[f"{dataset}/routes_mean"]).max() < 1e-4


@pytest.mark.parametrize("dataset", ["s4", "ave"])
def test_every_token_is_routed_as_released(dataset, tiny, golden, golden_prompts):
    routing = next(tiny.stream(golden_prompts[dataset], max_new_tokens=1, trace_routing=True)).routing
    expected = {k.split("/")[-1]: v for k, v in np.load(golden / "golden_routes.npz").items() if k.startswith(dataset)}
    assert expected
    for name, weights in expected.items():
        assert np.abs(_weights(routing, name) - weights).max() < 2e-4, name  # sound is decoded not quite alike


def _weights(routing, published: str) -> np.ndarray:
    name = published.removeprefix("base_model.model.").removesuffix(".lora_route")
    site = site_of(f"language_{name}" if name.startswith("model.") else name)
    trace = routing[site.tower]
    return trace.weights[trace.sites.index(site)]


def test_a_batch_answers_as_each_alone(tiny, golden_prompts, golden_cases):
    together = tiny.generate([golden_prompts[d] for d in ("ave", "avqa", "meld")], max_new_tokens=24)
    assert together == [golden_cases[d]["generated_ids"] for d in ("ave", "avqa", "meld")]


def test_answering_scores_the_last_position_only(tiny, golden_prompts):
    scored = []
    hook = tiny.thinker.lm_head.register_forward_hook(lambda _module, _inputs, logits: scored.append(logits.shape[1]))
    tiny.generate([golden_prompts["ave"], golden_prompts["avqa"]], max_new_tokens=3)
    list(tiny.stream(golden_prompts["ave"], max_new_tokens=3))
    assert scored == [1] * 6
    hook.remove()
    assert len(tiny.logits(golden_prompts["ave"])) == len(golden_prompts["ave"].map.tokens)


def test_cached_equals_uncached(tiny, golden_prompts, golden_cases):
    ids = golden_cases["s4"]["generated_ids"]
    logits = tiny.logits(golden_prompts["s4"], ids[:-1])
    assert logits[-len(ids) :].argmax(-1).tolist() == ids


def test_a_trace_covers_the_prompt_then_each_written_token(tiny, golden_prompts):
    made = golden_prompts["s4"]
    first, second, third = tiny.stream(made, max_new_tokens=3, trace_routing=True)
    assert first.routing["language"].tokens == made.map.tokens
    assert first.routing["vision"].weights.shape[1] == len(made.map.vision) == 256
    assert first.routing["audio"].weights.shape[1] == len(made.map.audio)
    assert set(second.routing) == {"language"}
    assert [t.modality for t in second.routing["language"].tokens] == ["generated"]
    assert np.allclose(first.routing["language"].weights.sum(-1), 1.0, atol=1e-6)


def test_nothing_is_traced_unless_asked(tiny, golden_prompts):
    assert all(step.routing is None for step in tiny.stream(golden_prompts["s4"], max_new_tokens=2))


def test_two_answers_under_way_do_not_mix(tiny, golden_prompts, golden_cases):
    streams = {d: tiny.stream(golden_prompts[d], max_new_tokens=8, trace_routing=True) for d in ("ave", "s4")}
    said = {d: [] for d in streams}
    for _ in range(8):
        for dataset, stream in streams.items():
            step = next(stream)
            said[dataset] += step.token_ids
            assert step.routing["language"].weights.shape[1] in (1, len(golden_prompts[dataset].map.tokens))
    assert said == {d: golden_cases[d]["generated_ids"][:8] for d in streams}


def test_two_answers_in_two_threads_do_not_mix(tiny, golden_prompts, golden_cases):
    """A page goes on with the next visitor while an answer that was stopped is still on its last pass."""

    def answer(dataset):
        return list(tiny.stream(golden_prompts[dataset], max_new_tokens=8, trace_routing=True))

    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            for dataset, steps in zip(("ave", "s4"), pool.map(answer, ("ave", "s4"))):
                assert [i for s in steps for i in s.token_ids] == golden_cases[dataset]["generated_ids"][:8]
                lengths = [step.routing["language"].weights.shape[1] for step in steps]
                assert lengths == [len(golden_prompts[dataset].map.tokens)] + [1] * 7


# Interventions


@pytest.fixture(params=["tiny", "mini"])
def asked(request, golden):
    """A model that answers with traced routing: the random one of the golden cases, or the one that ships."""
    crab = request.getfixturevalue(request.param)
    return crab, _prompt(crab, golden, "ave")


def _prompt(crab, golden, dataset):
    [record] = avuie.read(golden, dataset)
    clip, other = record.open()
    return crab.prompt(clip, record.task, record.question, other=other)


def _answer(crab, made, monkeypatch, tokens=8, **how):
    """Token ids, the last logits of every pass, and the whole trace by tower."""
    logits, routing = [], {}
    forward = crab.model.forward

    def listened_to(*args, **inputs):
        outputs = forward(*args, **inputs)
        logits.append(outputs.logits[0, -1].clone())
        return outputs

    with monkeypatch.context() as patch:
        patch.setattr(crab.model, "forward", listened_to)
        steps = list(crab.stream(made, max_new_tokens=tokens, trace_routing=True, **how))
    for step in steps:
        for tower, trace in step.routing.items():
            routing[tower] = routing[tower].append(trace) if tower in routing else trace
    return [i for step in steps for i in step.token_ids], torch.stack(logits), routing


def test_weights_shown_are_the_weights_used(asked, monkeypatch):
    """A run's trace in the routers' place, in all three towers, from the prompt to the last token: the same logits."""
    crab, made = asked
    ids, logits, routing = _answer(crab, made, monkeypatch)
    assert set(routing) == {"language", "audio", "vision"} and len(ids) > 1
    replay = Intervention("replay", source=routing)
    again = _answer(crab, made, monkeypatch, intervention=replay)
    assert again[0] == ids and torch.equal(again[1], logits)
    assert all(np.array_equal(again[2][tower].weights, trace.weights) for tower, trace in routing.items())
    whole = crab.logits(made, ids[:-1], intervention=replay)[-len(ids) :]  # in one pass, without a cache
    assert (whole - logits[: len(ids)]).abs().max() < 1e-5 * logits.abs().max()
    elsewhere = _answer(crab, made, monkeypatch, intervention=Intervention("uniform"))
    assert not torch.allclose(elsewhere[1][0], logits[0], atol=1e-3)


def test_muting_all_heads_is_the_base_model(asked, monkeypatch):
    crab, made = asked
    muted = _answer(crab, made, monkeypatch, intervention=Intervention("mute", (0, 1, 2)))
    with crab.model.disable_adapter():
        base = list(crab.stream(made, max_new_tokens=8))
        expected = crab.logits(made)[-1]
    assert muted[0] == [i for step in base for i in step.token_ids]
    assert torch.equal(crab.logits(made, intervention=Intervention("mute", (0, 1, 2)))[-1], expected)
    own = _answer(crab, made, monkeypatch)
    assert not torch.allclose(own[1][0], expected, atol=1e-3)  # and nothing of it stays


@pytest.mark.parametrize("head", [0, 1, 2])
def test_a_forced_head_is_a_plain_lora_of_that_head(tiny, golden, golden_prompts, head):
    bare = Crab.load(golden / "tiny-omni", device="cpu")
    layers = adapted_layers(tiny.model)
    lora = get_peft_model(bare.thinker, LoraConfig(r=8, lora_alpha=16, target_modules=list(layers)))
    for name, layer in layers.items():
        plain = lora.get_base_model().get_submodule(name)
        plain.lora_A["default"].weight.data = layer.ilora_A["default"].data
        plain.lora_B["default"].weight.data = layer.ilora_B["default"].data.chunk(3, dim=1)[head].contiguous()
    expected = Crab(lora, bare.processor, bare.about).logits(golden_prompts["ave"])
    forced = tiny.logits(golden_prompts["ave"], intervention=Intervention("force", (head,)))
    assert (forced - expected).abs().max() < 1e-5 * expected.abs().max()


def test_an_intervention_holds_for_its_tokens_and_no_others(tiny, golden_prompts, monkeypatch):
    made = golden_prompts["ave"]
    _, own, before = _answer(tiny, made, monkeypatch)
    heard = Intervention("force", (1,), tokens=lambda token: token.modality == "audio", towers=("language",))
    _, _, after = _answer(tiny, made, monkeypatch, intervention=heard)
    weights, tokens = after["language"].weights, after["language"].tokens
    forced = (weights == [0, 1, 0]).all(axis=2)  # (sites, tokens)
    assert (forced == [token.modality == "audio" for token in tokens]).all()
    assert all(np.array_equal(after[tower].weights, before[tower].weights) for tower in ("audio", "vision"))

    said = Intervention("force", (1,), tokens=lambda token: token.modality == "generated")
    _, logits, after = _answer(tiny, made, monkeypatch, intervention=said)
    prompt = len(made.map.tokens)
    assert torch.equal(logits[0], own[0]) and not torch.equal(logits[1], own[1])
    assert np.array_equal(after["language"].weights[:, :prompt], before["language"].weights[:, :prompt])
    assert (after["language"].weights[:, prompt:] == [0, 1, 0]).all()


def test_a_mask_counts_the_answer_after_the_prompt(tiny, golden_prompts, monkeypatch):
    made = golden_prompts["ave"]
    mask = np.zeros(len(made.map.tokens) + 3, bool)
    mask[[0, -1]] = True
    _, _, after = _answer(tiny, made, monkeypatch, intervention=Intervention("force", (1,), tokens={"language": mask}))
    forced = (after["language"].weights == [0, 1, 0]).all(axis=(0, 2))
    assert np.flatnonzero(forced).tolist() == np.flatnonzero(mask).tolist()


def test_two_answers_in_turn_one_of_them_intervened_in(tiny, golden_prompts, golden_cases):
    instead = Intervention("force", (0,))
    alone = [i for s in tiny.stream(golden_prompts["ave"], max_new_tokens=8, intervention=instead) for i in s.token_ids]
    assert alone != golden_cases["ave"]["generated_ids"][:8]
    streams = [
        tiny.stream(golden_prompts["ave"], max_new_tokens=8, trace_routing=True, intervention=how)
        for how in (instead, None, instead)
    ]
    said = [[], [], []]
    for steps in zip(*streams):
        for ids, step in zip(said, steps):
            ids += step.token_ids
        forced = [(step.routing["language"].weights == [1, 0, 0]).all() for step in steps]
        assert forced == [True, False, True]
    assert said == [alone, golden_cases["ave"]["generated_ids"][:8], alone]


def test_two_answers_in_two_threads_one_of_them_intervened_in(tiny, golden_prompts, golden_cases):
    def answer(how):
        return [i for s in tiny.stream(golden_prompts["s4"], max_new_tokens=8, intervention=how) for i in s.token_ids]

    instead = Intervention("force", (0,))
    alone = answer(instead)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            assert list(pool.map(answer, (instead, None))) == [alone, golden_cases["s4"]["generated_ids"][:8]]


def test_an_intervention_that_fits_nothing_gets_a_sentence(tiny, golden, golden_prompts, monkeypatch):
    _, _, routing = _answer(tiny, golden_prompts["ave"], monkeypatch, tokens=1)
    with pytest.raises(CrabError, match="their own question only: they are of 650 positions of language.* has 223"):
        next(tiny.stream(golden_prompts["s4"], intervention=Intervention("replay", source=routing)))
    with pytest.raises(CrabError, match="no adapted layer"):
        bare = Crab.load(golden / "tiny-omni", device="cpu")
        next(bare.stream(golden_prompts["s4"], intervention=Intervention("uniform")))


def test_closing_the_stream_stops_the_model(tiny, golden_prompts, monkeypatch):
    calls = []
    forward = tiny.model.forward
    monkeypatch.setattr(tiny.model, "forward", lambda *a, **k: (calls.append(1), forward(*a, **k))[1])
    stream = tiny.stream(golden_prompts["s4"], max_new_tokens=50, trace_routing=True)
    next(stream)
    stream.close()
    assert len(calls) == 1
    assert next(tiny.stream(golden_prompts["s4"], max_new_tokens=1)).routing is None


def test_positions_are_rounded_as_released(golden):
    """Both roundings, against the released code's own arithmetic: tables built while bfloat16 is torch's default."""
    thinker = Crab.load(golden / "tiny-omni", device="cpu").thinker
    exact = thinker.model.language_model.rotary_emb.inv_freq.clone()
    round_positions(thinker)
    assert torch.equal(thinker.model.language_model.rotary_emb.inv_freq, exact.bfloat16().float())
    table = thinker.model.audio_tower.positional_embedding
    torch.set_default_dtype(torch.bfloat16)
    try:
        steps = torch.exp(-np.log(10000) / (table.channels // 2 - 1) * torch.arange(table.channels // 2))
        angles = torch.arange(table.length)[:, None] * steps[None, :]
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(table.positional_embedding, torch.cat([angles.sin(), angles.cos()], dim=1).float())


def test_the_released_rounding_is_for_bfloat16_alone(golden, tiny):
    table = tiny.thinker.model.language_model.rotary_emb.inv_freq
    assert not torch.equal(table, table.bfloat16().float())
    half = Crab.load(golden / "tiny-omni", golden / "finetune_weights.bin", device="cpu", dtype=torch.bfloat16)
    table = half.thinker.model.language_model.rotary_emb.inv_freq
    assert torch.equal(table, table.bfloat16().float())


def test_what_is_no_model_gets_a_sentence(tmp_path):
    with pytest.raises(CrabError, match="could not be loaded"):
        Crab.load(tmp_path / "nothing-here")
    with pytest.raises(CrabError, match="could not be loaded"):
        skeleton(str(tmp_path / "nothing-here"))


def test_a_base_that_is_not_whole_is_refused_by_the_name_of_what_is_missing(golden, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(golden / "tiny-omni", broken)
    tensors = load_file(broken / "model.safetensors")
    del tensors["thinker.model.layers.1.self_attn.q_proj.weight"]
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CrabError, match="layers.1.self_attn.q_proj.weight is missing"):
        Crab.load(broken, device="cpu")
    (broken / "model.safetensors").write_bytes((golden / "tiny-omni" / "model.safetensors").read_bytes()[:100_000])
    with pytest.raises(CrabError, match="could not be loaded"):
        Crab.load(broken, device="cpu")


def test_a_folder_that_says_strange_things_of_itself_gets_a_sentence(golden, tmp_path):
    shutil.copytree(golden / "tiny-omni", tmp_path / "strange")
    (tmp_path / "strange" / "crab.json").write_text(json.dumps({"colour": "orange"}))
    with pytest.raises(CrabError, match="could not be loaded"):
        Crab.load(tmp_path / "strange", device="cpu")
