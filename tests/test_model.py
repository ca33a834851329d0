"""The released model's numbers, and what streaming, batching and tracing must not change."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from safetensors.torch import load_file, save_file
from scipy.io import wavfile

from crab import CrabError, avuie, media, weights
from crab.ilora import Intervention, adapted_layers
from crab.loading import round_positions, skeleton
from crab.model import Crab, site_of
from crab.tasks import TASKS
from crab.trace import Site

MINI = Path(__file__).parent.parent / "assets" / "crab-mini"
DATASETS = ["ave", "avqa", "meld", "a2v", "v2a", "s4", "ref_avs"]


def test_no_release_of_transformers_decides_what_is_seen_of_a_frame(mini, tiny):
    """Where nothing is said, it warns that it will (`cap_pixels_per_frame`)."""
    assert mini.processor.video_processor.cap_pixels_per_frame is False
    assert tiny.processor.video_processor.cap_pixels_per_frame is False


def test_small_weights_are_read_without_a_bar_and_large_ones_with_it(monkeypatch, capsys):
    for small in (True, False):
        monkeypatch.setattr(weights, "is_small", lambda folder: small)
        Crab.load(MINI, device="cpu")
        assert ("Loading weights" in capsys.readouterr().err) != small


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
    for name, gates in expected.items():
        assert np.abs(_weights(routing, name) - gates).max() < 2e-4, name  # sound is decoded not quite alike


def _weights(routing, published: str) -> np.ndarray:
    name = published.removeprefix("base_model.model.").removesuffix(".lora_route")
    site = site_of(f"language_{name}" if name.startswith("model.") else name)
    trace = routing[site.tower]
    return trace.weights[trace.sites.index(site)]


def test_a_batch_answers_as_each_alone(tiny, golden_prompts, golden_cases):
    together = tiny.generate([golden_prompts[d] for d in ("ave", "avqa", "meld")], max_new_tokens=24)
    assert [one.token_ids for one in together] == [golden_cases[d]["generated_ids"] for d in ("ave", "avqa", "meld")]


def test_each_token_comes_with_its_log_probability(tiny, golden_prompts):
    """Streamed and in a batch, also of an answer that is over before the other: those of one pass over all of it."""
    prompts = [golden_prompts[d] for d in ("ave", "avqa")]
    alone = [list(tiny.stream(made, max_new_tokens=6)) for made in prompts]
    stops, tiny.stops = tiny.stops, frozenset(alone[0][2].token_ids)
    try:
        together = tiny.generate(prompts, max_new_tokens=6)
        [*_, short] = tiny.stream(prompts[0], max_new_tokens=6)
    finally:
        tiny.stops = stops
    assert len(together[0].token_ids) == len(together[0].logprobs) < len(together[1].token_ids) == 6
    assert short.end == "stop" and short.logprobs == ()
    for made, one, steps in zip(prompts, together, alone):
        expected = tiny.scores(made, one.token_ids).nats
        streamed = [nats for step in steps for nats in step.logprobs][: len(expected)]
        assert streamed == pytest.approx(expected, abs=1e-4) and one.logprobs == pytest.approx(expected, abs=1e-4)


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


# What a model folder lacks


def saying(file, **said):
    """What puts these values into a JSON file of a model folder; `a__b` is b within a."""

    def change(folder):
        told = json.loads((folder / file).read_text())
        for name, value in said.items():
            *outer, last = name.split("__")
            reduce(dict.__getitem__, outer, told)[last] = value
        (folder / file).write_text(json.dumps(told))

    return change


def without(*files):
    return lambda folder: [(folder / file).unlink() for file in files]


def holding(file, text):
    return lambda folder: (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())


def cut(file, size):
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:size])


def chatting(old, new=""):
    """What changes the chat template."""

    def change(folder):
        told = json.loads((folder / "chat_template.json").read_text())["chat_template"]
        assert old in told
        (folder / "chat_template.json").write_text(json.dumps({"chat_template": told.replace(old, new)}))

    return change


def letterless(folder):
    """Leaves a tokenizer that knows no letter, with as many words as before."""
    told = json.loads((folder / "tokenizer.json").read_text())
    told["model"] |= {"vocab": {f"<{i}>": i for i in told["model"]["vocab"].values()}, "merges": []}
    (folder / "tokenizer.json").write_text(json.dumps(told))


TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "added_tokens.json")
CHAT, PIXELS, ABOUT = "chat_template.json", "preprocessor_config.json", "crab.json"
TEXT = "thinker_config__text_config__"
SIZES = ("0", "-28", "27", "100", "28.0", '"224"', "true", "NaN", "Infinity", "[224]", "null", "28000000")

SPOILT = {
    "no config": (without("config.json"), "config.json is missing"),
    "half a config": (cut("config.json", 300), "wrong with config.json"),
    "the config of another model": (saying("config.json", model_type="llama"), "config.json is missing, or of llama"),
    "a config of a list": (holding("config.json", "[]"), "wrong with config.json"),
    "a size that is a word": (saying("config.json", **{TEXT + "hidden_size": "x"}), "wrong with config.json"),
    "no chat template": (without(CHAT), "chat_template.json.*does not have a chat template"),
    "a chat template that is none": (chatting("{% endif %}"), CHAT),
    "no room for words": (chatting("{{ content['text'] }}"), "chat_template.json.*print every text once"),
    "no room for sound": (chatting("<|AUDIO|>"), "chat_template.json.*AUDIO"),
    "no end of words": (chatting("<|im_end|>", "Bye."), "chat_template.json.*apart by tokens of its own"),
    "no tokenizer": (without(*TOKENIZER, "special_tokens_map.json"), "tokenizer"),
    "half a tokenizer": (cut("tokenizer.json", 3000), "tokenizer"),
    "another tokenizer": (lambda folder: shutil.copy(MINI / "tokenizer.json", folder), "audio_token has the number"),
    "no letters": (letterless, "tokenizer.*letters of an ordinary question"),
    "numbers of markers": (saying("config.json", thinker_config__audio_token_index=5), "audio_token.*says 5"),
    "starts of pictures": (saying("config.json", thinker_config__vision_start_token_id=5), "vision_bos_token.*says 5"),
    "a small vocabulary": (saying("config.json", **{TEXT + "vocab_size": 900}), "more tokens than the 900"),
    "no preprocessor": (without(PIXELS), PIXELS),
    "a preprocessor of a list": (holding(PIXELS, "[]"), PIXELS),
    "other patches": (saying(PIXELS, patch_size=16), "preprocessor_config.json.*patch_size .* is 16.*needs 14"),
    "other cells": (saying(PIXELS, merge_size=1), "preprocessor_config.json.*merge_size .* is 1.*needs 2"),
    "other sound": (saying(PIXELS, feature_size=80), "preprocessor_config.json.*feature_size is 80.*needs 128"),
    "division by nothing": (saying(PIXELS, image_std=[0, 0, 0]), "preprocessor_config.json.*no finite numbers"),
    "half a crab.json": (holding(ABOUT, '{"name": '), "crab.json.*Expecting value"),
    "a crab.json of bytes": (holding(ABOUT, b"\xff\xfe{}"), ABOUT),
    "a crab.json of brackets": (holding(ABOUT, "[" * 100_000), ABOUT),
    "a crab.json of null": (holding(ABOUT, "null"), ABOUT),
    "a crab.json with a colour": (holding(ABOUT, '{"colour": "orange"}'), "crab.json.*colour is 'orange'"),
    "a number for a name": (holding(ABOUT, '{"name": 7}'), "crab.json.*name is 7"),
    **{f"frame_size {size}": (holding(ABOUT, f'{{"frame_size": {size}}}'), "crab.json.*(multiple of 28|whole number)")
       for size in SIZES},
    "half a generation_config": (cut("generation_config.json", 10), "generation_config.json"),
    "a word for an end": (saying("generation_config.json", eos_token_id="x"), "would never stop"),
    "an end that is no token": (saying("generation_config.json", eos_token_id=[99999]), "would never stop"),
    "no weights": (without("model.safetensors"), "its weights.*model.safetensors"),
    "weights of nothing": (holding("model.safetensors", ""), "wrong with model.safetensors"),
    "half the weights": (cut("model.safetensors", 100_000), "wrong with model.safetensors"),
    "other weights": (saying("config.json", **{TEXT + "num_key_value_heads": 4}), "in its weights and .*config.json"),
    "fewer weights": (saying("config.json", **{TEXT + "num_hidden_layers": 9}), "is missing"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "sentence"), SPOILT.values(), ids=SPOILT)
def test_what_is_wrong_with_a_model_folder_is_said_when_it_is_loaded(spoil, sentence, golden, tmp_path):
    shutil.copytree(golden / "tiny-omni", tmp_path / "spoilt")
    spoil(tmp_path / "spoilt")
    with pytest.raises(CrabError, match=f"(?s)spoilt.*({sentence})"):
        Crab.load(tmp_path / "spoilt", device="cpu")


@pytest.mark.parametrize("file", ["model-00002-of-00003.safetensors", "model.safetensors.index.json"])
def test_a_part_of_the_weights_that_is_missing_or_cut_is_named(file, tmp_path):
    shutil.copytree(MINI, tmp_path / "parts")
    cut(file, 2000)(tmp_path / "parts")
    with pytest.raises(CrabError, match=file if file.endswith("safetensors") else "its weights"):
        Crab.load(tmp_path / "parts", device="cpu")
    (tmp_path / "parts" / file).unlink()
    with pytest.raises(CrabError, match=file if file.endswith("safetensors") else "no file named model.safetensors"):
        Crab.load(tmp_path / "parts", device="cpu")


def test_a_folder_that_says_nothing_of_where_an_answer_ends_ends_with_the_tokenizers_own(golden, tmp_path):
    shutil.copytree(golden / "tiny-omni", tmp_path / "endless")
    (tmp_path / "endless" / "generation_config.json").unlink()
    crab = Crab.load(tmp_path / "endless", device="cpu")
    assert crab.stops == {crab.processor.tokenizer.eos_token_id}


# Numbers that are none


@pytest.mark.parametrize("name", ["model.embed_tokens", "audio_tower.layers.0.fc1", "visual.blocks.1.norm1"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_base_that_is_not_finite_is_refused_by_the_name_of_the_tensor(name, value, golden, tmp_path):
    shutil.copytree(golden / "tiny-omni", tmp_path / "bad")
    tensors = load_file(tmp_path / "bad" / "model.safetensors")
    tensors[f"thinker.{name}.weight"].view(-1)[-1] = value
    save_file(tensors, tmp_path / "bad" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CrabError, match=f"{name.removeprefix('model.')}.weight holds NaN or infinity"):
        Crab.load(tmp_path / "bad", device="cpu")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_on_the_way_ends_in_a_sentence_and_not_in_a_row_of_marks(value, tiny, golden_prompts):
    made, good = golden_prompts["s4"], golden_prompts["ave"]
    deaf = replace(made, inputs=made.inputs | {"input_features": made.inputs["input_features"] * value})
    for answer in (
        lambda: next(tiny.stream(deaf, max_new_tokens=3)),
        lambda: tiny.generate([good, deaf], max_new_tokens=3),
        lambda: tiny.logits(deaf),
    ):
        with pytest.raises(CrabError, match="no longer finite"):
            answer()
    assert next(tiny.stream(made, max_new_tokens=1)).token_ids  # and the next one works


def test_what_is_not_finite_later_on_stops_the_answer_there(tiny, golden_prompts, golden_cases):
    said = []
    with pytest.raises(CrabError, match="no longer finite"):
        for step in tiny.stream(golden_prompts["s4"], max_new_tokens=8):
            said += step.token_ids
            if len(said) == 3:
                hook = tiny.thinker.lm_head.register_forward_hook(lambda _module, _inputs, logits: logits * np.nan)
    hook.remove()
    assert said == golden_cases["s4"]["generated_ids"][:3]


# What is longer than the model reads


def test_a_prompt_longer_than_the_model_reads_gets_a_sentence_before_it_is_read(tiny, golden_prompts, monkeypatch):
    made = golden_prompts["ave"]
    length = made.inputs["input_ids"].shape[1]
    monkeypatch.setattr(tiny.thinker.config.text_config, "max_position_embeddings", length)
    assert next(tiny.stream(made, max_new_tokens=1)).token_ids
    monkeypatch.setattr(tiny.thinker.config.text_config, "max_position_embeddings", length - 1)
    monkeypatch.setattr(tiny.model, "forward", None)
    for answer in (
        lambda: next(tiny.stream(made)), lambda: tiny.generate([made, golden_prompts["s4"]]), lambda: tiny.logits(made)
    ):  # fmt: skip
        with pytest.raises(CrabError, match=f"{length} tokens, and tiny-omni reads {length - 1} at most"):
            answer()


@pytest.mark.parametrize("place", [(0, 0), (3, 9), (9, 2), (11, 12), (15, 15)])  # of 16 x 16 patches, in four windows
def test_a_vision_weight_belongs_to_the_patch_that_was_seen(tiny, tmp_path, place):
    """One patch of a grey picture is bright: of what the picture encoder's first block reads, that position differs."""
    row, col = place
    side = tiny.processor.image_processor.patch_size
    rows = []
    for bright in (False, True):
        picture = np.full((224, 224, 3), 90, np.uint8)
        if bright:
            picture[row * side : (row + 1) * side, col * side : (col + 1) * side] = 240
        Image.fromarray(picture).save(tmp_path / "p.png")
        wavfile.write(tmp_path / "s.wav", 16_000, np.zeros(16_000, np.int16))
        prompt = tiny.prompt(media.open_clip(image=tmp_path / "p.png", audio=tmp_path / "s.wav"), TASKS["arig"])
        *_, first = (step for step, _ in zip(tiny.stream(prompt, trace_routing=True), range(1)))
        vision = first.routing["vision"]
        rows.append(vision.weights[vision.sites.index(Site("vision", 0, "gate_proj"))])
    changed = np.abs(rows[1] - rows[0]).max(axis=1)  # (patches,)
    token = prompt.map.vision[int(changed.argmax())]
    assert (token.row, token.col) == place


def test_scores_of_an_answer_are_those_of_its_logits(tiny, golden_prompts):
    prompt, ids = golden_prompts["ave"], [5, 7, 9]
    rows = tiny.logits(prompt, ids)[len(prompt.map.tokens) - 1 :].double().log_softmax(-1)
    found = tiny.scores(prompt, ids, at=2)
    np.testing.assert_allclose(found.nats, [float(rows[i, token]) for i, token in enumerate(ids)], atol=1e-5)
    np.testing.assert_allclose(found.choice, rows[2], atol=1e-5)
