"""I-LoRA around models of other families: tiny ones with random weights, built from their configurations alone.

Each hears or sees as well as it reads where its class can without further packages; Gemma 3n's picture encoder is one
of timm's, so that of it the language model stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from peft import get_peft_model
from transformers import (
    Gemma3nForCausalLM,
    Gemma3nTextConfig,
    Phi4MultimodalConfig,
    Phi4MultimodalForCausalLM,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen3OmniMoeThinkerConfig,
    Qwen3OmniMoeThinkerForConditionalGeneration,
)

from crab.ilora import ILoRAConfig, adapted_layers, attach, force, gate_override, mute, record, save_published, uniform

SOUND, PAD = 60, 0  # the token that stands for a piece of sound
MEL = 200  # frames of a spectrogram: two seconds


@dataclass(frozen=True)
class Family:
    build: Callable[[], torch.nn.Module]
    inputs: Callable[[], dict]
    sites: int  # linear layers of the names that are adapted
    config: dict


def words(*, pieces: int = 0) -> dict:
    ids = torch.tensor([[1, 2, *[SOUND] * pieces, 3, 4, 5, 6]])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}


def heard(*, bins: int, pieces: int, mel: int = MEL) -> dict:
    sound = torch.randn(1, bins, mel, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(1, mel, dtype=torch.long)
    return words(pieces=pieces) | {"input_features": sound, "feature_attention_mask": mask}


def qwen3_omni():
    config = Qwen3OmniMoeThinkerConfig(
        audio_config=dict(num_mel_bins=16, d_model=32, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=48,
                          output_dim=32, downsample_hidden_size=8, n_window=50, n_window_infer=100),
        vision_config=dict(depth=1, hidden_size=32, intermediate_size=48, num_heads=2, out_hidden_size=32,
                           num_position_embeddings=16, deepstack_visual_indexes=[0]),
        text_config=dict(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                         num_attention_heads=2, num_key_value_heads=1, head_dim=16, num_experts=4,
                         num_experts_per_tok=2, moe_intermediate_size=24, pad_token_id=PAD,
                         rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]}),
        audio_token_id=SOUND, image_token_id=61, video_token_id=62, audio_start_token_id=59, vision_start_token_id=58,
    )  # fmt: skip
    return Qwen3OmniMoeThinkerForConditionalGeneration(config)


def gemma3n():
    config = Gemma3nTextConfig(
        vocab_size=64, vocab_size_per_layer_input=64, hidden_size=32, hidden_size_per_layer_input=8,
        intermediate_size=48, num_hidden_layers=4, num_attention_heads=2, num_key_value_heads=1, head_dim=16,
        laurel_rank=4, num_kv_shared_layers=0, sliding_window=16, activation_sparsity_pattern=[0.0] * 4, pad_token_id=PAD,
        layer_types=["sliding_attention", "full_attention"] * 2,
    )  # fmt: skip
    return Gemma3nForCausalLM(config)


def phi4():
    config = Phi4MultimodalConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, pad_token_id=PAD, bos_token_id=1, eos_token_id=2,
        vision_config=dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
                           image_size=28, crop_size=28, image_token_id=61),
        audio_config=dict(hidden_size=32, intermediate_size=48, num_blocks=2, num_attention_heads=2, input_size=16,
                          ext_pw_out_channel=32, depthwise_separable_out_channel=32, nemo_conv_channels=32,
                          audio_token_id=SOUND),
    )  # fmt: skip
    return Phi4MultimodalForCausalLM(config)


def qwen2_audio():
    config = Qwen2AudioConfig(
        audio_config=dict(num_mel_bins=16, d_model=32, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=48,
                          max_source_positions=MEL // 2),
        text_config=dict(model_type="qwen2", vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                         num_attention_heads=2, num_key_value_heads=1, pad_token_id=PAD),
        audio_token_index=SOUND,
    )  # fmt: skip
    return Qwen2AudioForConditionalGeneration(config)


FAMILIES = {
    # Its experts are whole tensors, no linear layers, and its encoders give their layers other names.
    "Qwen3-Omni's thinker": Family(qwen3_omni, lambda: heard(bins=16, pieces=26), 2 * 4 + 3, {}),
    "Gemma 3n": Family(gemma3n, words, 4 * 7, {}),
    "Phi-4-multimodal": Family(phi4, words, 2 * 4, {
        "target_modules": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"],
        "exclude_modules": ".*embed_tokens_extend.*",
    }),
    "Qwen2-Audio": Family(qwen2_audio, lambda: heard(bins=16, pieces=50), 2 * 7 + 3, {}),
}  # fmt: skip


def adapted(family: Family, *, seed: int = 0):
    torch.manual_seed(seed)
    return get_peft_model(family.build(), ILoRAConfig(r=2, alpha=4, heads=3, dropout=0.0, **family.config))


def logits(model, family: Family) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(**family.inputs()).logits


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return FAMILIES[request.param]


@pytest.fixture(scope="module")
def trained(family):
    """The adapter after three steps, and the losses before each."""
    model = adapted(family).train()
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer, losses = torch.optim.AdamW(weights, lr=0.01), []
    for _ in range(3):
        losses.append(model(**family.inputs()).loss)
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    return model.eval(), [float(loss.detach()) for loss in losses]


def test_it_attaches_to_the_layers_it_is_to_and_changes_nothing_yet(family):
    model = adapted(family)
    assert len(adapted_layers(model)) == family.sites
    assert all("ilora_" in name for name, p in model.named_parameters() if p.requires_grad)
    with model.disable_adapter():
        bare = logits(model, family)
    assert torch.equal(logits(model, family), bare)


def test_it_learns(family, trained):
    model, losses = trained
    assert losses[-1] < losses[0]
    with model.disable_adapter():
        bare = logits(model, family)
    assert not torch.allclose(logits(model, family), bare, atol=1e-3)


def test_both_formats_of_it_load_into_the_same_model(family, trained, tmp_path):
    model, _ = trained
    model.save_pretrained(tmp_path / "peft")
    if "target_modules" not in family.config:  # the published file names no modules: they are those of Crab+
        save_published(model, tmp_path / "published.bin")
    for file in sorted(tmp_path.iterdir()):
        torch.manual_seed(0)
        loaded, report = attach(family.build(), file, drop_silent=False)
        assert len(report.sites) == family.sites
        # Not to the bit: what is loaded is not trained, so its sites of one input compute together.
        torch.testing.assert_close(logits(loaded, family), logits(model, family), rtol=0, atol=1e-6)


def test_its_routing_is_traced_and_heads_are_muted(family, trained):
    model, _ = trained
    as_it_is = logits(model, family)
    with record(model) as recorder:
        logits(model, family)
    weights = recorder.take()
    assert len(weights) == family.sites
    assert all(of.shape[1] == 3 and np.allclose(of.sum(axis=1), 1, atol=1e-5) for of in weights.values())
    for gate in (mute(0), force(1), uniform()):
        with gate_override(model, gate):
            assert not torch.allclose(logits(model, family), as_it_is, atol=1e-5)
    with gate_override(model, mute(0, 1, 2)), torch.no_grad():
        muted = model(**family.inputs()).logits
    with model.disable_adapter():
        assert torch.allclose(muted, logits(model, family), atol=1e-5)
    assert torch.equal(logits(model, family), as_it_is)
