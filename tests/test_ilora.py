"""I-LoRA: its maths against plainer ways to compute the same, its two file formats, its traces."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils.error import NoMatchingPeftModuleError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
    Qwen2Config,
    Qwen2ForSequenceClassification,
)

from crab import CrabError
from crab.ilora import (
    CheckpointError,
    ILoRAConfig,
    ILoRALinear,
    Intervention,
    RoutingTrace,
    Site,
    adapted_layers,
    attach,
    force,
    gate_override,
    given,
    inspect,
    intervening,
    mute,
    published,
    read,
    record,
    save_published,
    uniform,
)
from crab.ilora.checkpoint import not_finite

GOLDEN = Path(__file__).parent / "golden"
WEIGHTS = GOLDEN / "finetune_weights.bin"  # rank 8, three heads, every tensor non-zero
RENAMES = {
    "model.layers.": "model.language_model.layers.",
    "audio_tower.": "model.audio_tower.",
    "visual.": "model.visual.",
}


class Net(nn.Module):
    """Two layers of names that I-LoRA adapts, one with a bias and one without, and one that it leaves alone."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.q_proj = nn.Linear(12, 10, dtype=dtype)
        self.down_proj = nn.Linear(10, 7, bias=False, dtype=dtype)
        self.out_proj = nn.Linear(7, 7, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out_proj(self.down_proj(torch.tanh(self.q_proj(x))))


def net(seed: int = 0, dtype: torch.dtype = torch.float32) -> Net:
    torch.manual_seed(seed)
    return Net(dtype).eval()


def loud(layers: dict[str, ILoRALinear]) -> None:
    """Give the heads something to say: a fresh adapter's B are zero."""
    for layer in layers.values():
        nn.init.normal_(layer.ilora_B["default"], std=0.3)


def adapted_net(seed: int = 0, **config) -> PeftModel:
    model = get_peft_model(net(seed), ILoRAConfig(**{"r": 4, "alpha": 8, **config})).eval()
    loud(adapted_layers(model))
    return model


def one_layer(n_in: int = 12, n_out: int = 10, *, bias: bool = True, **config) -> ILoRALinear:
    layer = ILoRALinear(nn.Linear(n_in, n_out, bias=bias), "default", ILoRAConfig(**{"r": 4, "alpha": 8, **config}))
    loud({"": layer})
    return layer.eval()


def weights_of(layer: ILoRALinear) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...]]:
    """R, A and the heads' B of a layer."""
    R, A, B = (weights["default"] for weights in (layer.ilora_R, layer.ilora_A, layer.ilora_B))
    return R, A, B.chunk(len(R), dim=1)


def loop_over_heads(layer: ILoRALinear, x: torch.Tensor, dropped: torch.Tensor | None = None) -> torch.Tensor:
    """The method one head at a time, as its formula is written."""
    R, A, heads = weights_of(layer)
    y = layer.base_layer(x)
    gate = torch.softmax(F.linear(x, R).float(), dim=-1).to(y.dtype)
    h = F.linear(x if dropped is None else dropped, A)
    for i, B in enumerate(heads):
        y = y + gate[..., i : i + 1] * F.linear(h, B) * layer.scale["default"]
    return y


def thinker(config: Qwen2_5OmniThinkerConfig | None = None) -> Qwen2_5OmniThinkerForConditionalGeneration:
    """The small model of the golden cases, or a large one without memory."""
    if config is not None:
        with torch.device("meta"):
            return Qwen2_5OmniThinkerForConditionalGeneration(config)
    small = json.loads((GOLDEN / "tiny-omni/config.json").read_text())["thinker_config"]
    torch.manual_seed(0)
    return Qwen2_5OmniThinkerForConditionalGeneration(Qwen2_5OmniThinkerConfig.from_dict(small)).eval()


def seven_billion() -> Qwen2_5OmniThinkerConfig:
    """The thinker of Qwen2.5-Omni-7B."""
    return Qwen2_5OmniThinkerConfig(
        text_config={
            "hidden_size": 3584,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "intermediate_size": 18944,
            "vocab_size": 152064,
        },
        audio_config={
            "d_model": 1280,
            "encoder_layers": 32,
            "encoder_attention_heads": 20,
            "encoder_ffn_dim": 5120,
            "output_dim": 3584,
        },
        vision_config={
            "depth": 32,
            "hidden_size": 1280,
            "num_heads": 16,
            "intermediate_size": 3420,
            "out_hidden_size": 3584,
        },
    )


def picture_and_sound(model: nn.Module) -> dict[str, torch.Tensor]:
    """A prompt with a video of two frames of 56 x 56 and a quarter of a second of sound, as the thinker takes them."""
    torch.manual_seed(1)
    video, audio = [model.config.video_token_id] * 4, [model.config.audio_token_id] * 6
    ids = [1, 2, *video, 3, *audio, 4, 5]
    return {
        "input_ids": torch.tensor([ids]),
        "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
        "pixel_values_videos": torch.randn(16, 3 * 2 * 14 * 14),
        "video_grid_thw": torch.tensor([[1, 4, 4]]),
        "input_features": torch.randn(1, model.config.audio_config.num_mel_bins, 25),
        "feature_attention_mask": torch.ones(1, 25, dtype=torch.long),
    }


# The method


def test_fresh_adapter_changes_nothing():
    x = torch.randn(2, 5, 12)
    expected = net()(x)
    model = get_peft_model(net(), ILoRAConfig())
    assert torch.equal(model(x), expected)
    assert sum(p.requires_grad for p in model.parameters()) == 2 * 3  # R, A and B of the two adapted layers


@settings(deadline=None, max_examples=25)
@for_all(
    heads=st.integers(1, 5), r=st.integers(1, 9), sizes=st.tuples(st.integers(1, 17), st.integers(1, 17)),
    bias=st.booleans(), alpha=st.floats(0.5, 64), shape=st.sampled_from([(3,), (2, 5), (2, 1, 4)]),
)  # fmt: skip
def test_one_product_is_the_loop_over_heads(heads, r, sizes, bias, alpha, shape):
    layer = one_layer(*sizes, bias=bias, heads=heads, r=r, alpha=alpha).double()
    x = torch.randn(*shape, sizes[0], dtype=torch.float64)
    layer32, x32 = one_layer(*sizes, bias=bias, heads=heads, r=r, alpha=alpha), x.float()
    # The gate is float32 in either, so double precision shows the algebra only as far as that.
    torch.testing.assert_close(layer(x), loop_over_heads(layer, x), rtol=1e-6, atol=1e-6)
    expected = loop_over_heads(layer32, x32)
    assert (layer32(x32) - expected).abs().max() <= 1e-6 * expected.abs().max().clamp(min=1)


def test_bfloat16_stays_within_its_rounding_of_the_loop():
    layer = one_layer(256, 192, r=16, alpha=32).bfloat16()
    x = torch.randn(50, 256, dtype=torch.bfloat16)
    assert layer(x).dtype == torch.bfloat16
    torch.testing.assert_close(layer(x), loop_over_heads(layer, x), rtol=2**-6, atol=2**-6 * 4)


def test_one_head_is_plain_lora():
    x = torch.randn(3, 12)
    model = adapted_net(heads=1)
    plain = get_peft_model(net(), LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"])).eval()
    for name, layer in adapted_layers(model).items():
        lora = plain.get_base_model().get_submodule(name)
        lora.lora_A["default"].weight.data = layer.ilora_A["default"].data
        lora.lora_B["default"].weight.data = layer.ilora_B["default"].data
    torch.testing.assert_close(model(x), plain(x))


@pytest.mark.parametrize("head", [0, 1, 2])
def test_a_forced_head_is_that_head_alone(head):
    layer, x = one_layer(), torch.randn(6, 12)
    _, A, heads = weights_of(layer)
    with gate_override(layer, force(head)):
        torch.testing.assert_close(layer(x), layer.base_layer(x) + 2.0 * x @ A.T @ heads[head].T)


def test_a_uniform_gate_is_the_mean_of_the_heads():
    layer, x = one_layer(heads=4), torch.randn(6, 12)
    _, A, heads = weights_of(layer)
    with gate_override(layer, uniform()):
        torch.testing.assert_close(layer(x), layer.base_layer(x) + 2.0 * x @ A.T @ sum(heads).T / 4)


def test_a_muted_head_is_missing_and_the_others_are_as_before():
    layer, x = one_layer(), torch.randn(6, 12)
    R, A, heads = weights_of(layer)
    share = torch.softmax(x @ R.T, dim=-1)[:, 1:2]
    whole = layer(x)
    with gate_override(layer, mute(1)):
        torch.testing.assert_close(layer(x), whole - 2.0 * share * (x @ A.T @ heads[1].T))
    with gate_override(layer, mute(0, 1, 2)):
        assert torch.equal(layer(x), layer.base_layer(x))
    assert torch.equal(layer(x), whole)  # nothing of the experiments stays


def test_gates_can_be_overridden_at_single_sites():
    model, x = adapted_net(), torch.randn(4, 12)
    layers = adapted_layers(model)
    with gate_override(model, force(2)), gate_override(model, force(0), sites=["q_proj"]), record(model) as recorder:
        model(x)
    routed = recorder.take()
    assert (routed["q_proj"] == [1, 0, 0]).all() and (routed["down_proj"] == [0, 0, 1]).all()
    assert all(layer.gate is None for layer in layers.values())
    with pytest.raises(KeyError, match="nowhere"), gate_override(model, uniform(), sites=["nowhere"]):
        pass


def test_dropout_is_one_mask_for_all_heads_and_none_for_the_router():
    layer, x = one_layer(dropout=0.5).train(), torch.randn(40, 12)
    torch.manual_seed(7)
    with record(layer) as recorder:
        y = layer(x)
    torch.manual_seed(7)
    dropped = F.dropout(x, 0.5)
    torch.testing.assert_close(y, loop_over_heads(layer, x, dropped))
    router = torch.softmax(x @ layer.ilora_R["default"].T, dim=-1)
    np.testing.assert_allclose(recorder.take()[""], router.detach().numpy(), atol=1e-6)
    torch.testing.assert_close(layer.eval()(x), loop_over_heads(layer, x))


def test_the_base_layer_is_used_only_through_its_own_forward():
    class EightBit(nn.Linear):  # as quantised layers are: a weight that is no float, and a forward that knows
        def __init__(self, n_in: int, n_out: int) -> None:
            super().__init__(n_in, n_out)
            self.step = float(self.weight.detach().abs().max()) / 127
            self.weight = nn.Parameter((self.weight / self.step).round().to(torch.int8), requires_grad=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.linear(x, self.weight.to(x.dtype) * self.step, self.bias.to(x.dtype))

    layer = ILoRALinear(EightBit(12, 10), "default", ILoRAConfig(r=4, alpha=8)).eval()
    loud({"": layer})
    assert layer.ilora_A["default"].dtype == torch.float32
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.bfloat16, 0.05)):
        x = torch.randn(6, 12)
        expected = loop_over_heads(layer, x)
        torch.testing.assert_close(layer(x.to(dtype)).float(), expected, rtol=tolerance, atol=tolerance)


# Training


def test_gradients_reach_every_part_of_every_tower_under_checkpointing():
    model = get_peft_model(thinker(), ILoRAConfig(r=4, alpha=8))
    loud(adapted_layers(model))
    model.get_base_model().gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    inputs = picture_and_sound(model)
    model(**inputs).logits.square().mean().backward()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert len(trained) == 3 * 33 and all("ilora_" in name for name in trained)
    reached = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == trained


def test_autocast_trains_float32_weights_in_bfloat16():
    model, x = adapted_net().train(), torch.randn(64, 12)
    with torch.autocast("cpu", torch.bfloat16):
        y = model(x)
    assert y.dtype == torch.bfloat16
    y.float().square().mean().backward()
    for layer in adapted_layers(model).values():
        for weights in (layer.ilora_R, layer.ilora_A, layer.ilora_B):
            assert weights["default"].grad.dtype == torch.float32 and weights["default"].grad.any()
    expected = model.eval()(x)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(model(x).float(), expected, rtol=0.1, atol=0.1)


def test_float32_weights_on_a_bfloat16_base_give_bfloat16():
    model = get_peft_model(net(dtype=torch.bfloat16), ILoRAConfig(r=4, alpha=8)).eval()
    loud(adapted_layers(model))
    assert adapted_layers(model)["q_proj"].ilora_A["default"].dtype == torch.float32  # what PEFT trains with
    assert model(torch.randn(3, 12, dtype=torch.bfloat16)).dtype == torch.bfloat16


# As a PEFT method


def test_disable_adapter_gives_the_base_model_back():
    model, x = adapted_net(), torch.randn(3, 12)
    changed = model(x)
    with model.disable_adapter():
        assert torch.equal(model(x), net()(x))
    assert torch.equal(model(x), changed) and not torch.allclose(changed, net()(x))
    assert torch.equal(model.unload()(x), net()(x))


def test_merging_is_refused_with_a_reason():
    model = adapted_net()
    with pytest.raises(NotImplementedError, match="token by token"):
        model.merge_and_unload()
    with pytest.raises(NotImplementedError, match="never merged"):
        adapted_layers(model)["q_proj"].unmerge()


def test_configurations_that_cannot_be_are_refused():
    for wrong in ({"r": 0}, {"heads": 0}):
        with pytest.raises(ValueError, match="positive integer value but the value passed is 0"):
            get_peft_model(net(), ILoRAConfig(**wrong))
    with pytest.raises(NoMatchingPeftModuleError, match="No `target_modules` passed"):
        get_peft_model(net(), ILoRAConfig(target_modules=[]))
    with pytest.raises(TypeError, match="'conv' is a Conv1d"):
        get_peft_model(nn.ModuleDict({"conv": nn.Conv1d(1, 1, 1)}), ILoRAConfig(target_modules=["conv"]))


def test_several_adapters_one_at_a_time():
    model, x = adapted_net(), torch.randn(3, 12)
    first = model(x)
    model.add_adapter("second", ILoRAConfig(r=2, alpha=2, heads=5))
    assert torch.equal(model(x), first)
    model.set_adapter("second")
    assert torch.equal(model(x), net()(x))
    with pytest.raises(CrabError, match="one adapter at a time: activate one of default, second"):
        model.base_model.set_adapter(["default", "second"])
    assert torch.equal(model(x), net()(x))
    model.delete_adapter("second")
    model.set_adapter("default")
    assert torch.equal(model(x), first)


def classifier(seed: int = 0) -> Qwen2ForSequenceClassification:
    """A language model of three layers with a new head of two classes."""
    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1}
    return Qwen2ForSequenceClassification(
        Qwen2Config(**sizes, vocab_size=30, num_hidden_layers=3, num_labels=2, pad_token_id=0)
    )


IDS = torch.arange(1, 13).reshape(2, 6)


def trained_classifier(**config) -> PeftModel:
    """The classifier with an adapter and whatever `config` says, trained for a few steps."""
    model = get_peft_model(classifier(), ILoRAConfig(**{"r": 4, "alpha": 8, "dropout": 0.0, **config}))
    loud(adapted_layers(model))
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        model(input_ids=IDS, labels=torch.tensor([0, 1])).loss.backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("config", [{"task_type": "SEQ_CLS"}, {"modules_to_save": ["score"]}, {
    "modules_to_save": ["score"], "exclude_modules": ["v_proj"], "layers_to_transform": [0, 2],
}])  # fmt: skip
def test_a_new_head_is_trained_saved_and_loaded(config, tmp_path):
    model = trained_classifier(**config)
    trained = {name for name, p in model.named_parameters() if p.requires_grad and "ilora_" not in name}
    assert trained == {"base_model.model.score.modules_to_save.default.weight"}
    head = model.get_parameter(trained.pop())
    assert not torch.equal(head, classifier().score.weight)
    model.save_pretrained(tmp_path)
    assert "base_model.model.score.weight" in load_file(tmp_path / "adapter_model.safetensors")

    by_peft = PeftModel.from_pretrained(classifier(), str(tmp_path)).eval()
    by_us, report = attach(classifier().eval(), tmp_path)
    for again in (by_peft, by_us):
        assert torch.equal(again(input_ids=IDS).logits, model(input_ids=IDS).logits)
    assert set(report.sites) == set(adapted_layers(model))
    assert not any(p.requires_grad for p in by_us.parameters())
    assert len(inspect(tmp_path).towers) == len(inspect(tmp_path, model=classifier()).towers) == 1
    with pytest.raises(CheckpointError, match="no place for .*score.*save_pretrained"):
        save_published(by_us, tmp_path / "a.bin")


def test_a_head_that_is_not_exactly_right_is_refused_by_name(tmp_path):
    trained_classifier(task_type="SEQ_CLS").save_pretrained(tmp_path)
    tensors, file, head = load_file(tmp_path / "adapter_model.safetensors"), tmp_path / "adapter_model.safetensors", (
        "base_model.model.score.weight"
    )  # fmt: skip
    for wrong, sentence in (
        ({head: torch.ones(3, 16)}, "score.weight is 3 x 16 and should be 2 x 16"),
        ({head: torch.full((2, 16), np.nan)}, "score.weight holds NaN"),
        ({"base_model.model.score.bias": torch.ones(2)}, "no place for the tensor base_model.model.score.bias"),
        ({"base_model.model.norm.weight": torch.ones(16)}, "norm.weight is no part of an I-LoRA adapter"),
    ):
        save_file(tensors | wrong, file)
        with pytest.raises(CheckpointError, match=sentence):
            attach(classifier(), tmp_path)
    save_file({name: tensor for name, tensor in tensors.items() if name != head}, file)
    with pytest.raises(CheckpointError, match="score.weight is missing"):
        attach(classifier(), tmp_path)


@pytest.mark.parametrize("config", [
    {"exclude_modules": ["q_proj", "up_proj"]}, {"exclude_modules": r".*layers\.[01]\..*"}, {"layers_to_transform": 1},
    {"layers_to_transform": [0, 2]}, {"layers_to_transform": [1], "layers_pattern": "layers"},
    {"layers_to_transform": [2], "layers_pattern": ["h", "layers"], "exclude_modules": ["o_proj"]},
    {"target_modules": "all-linear"}, {"target_modules": "all-linear", "exclude_modules": ["down_proj"]},
    {"target_modules": r".*\.1\..*_proj", "exclude_modules": ["v_proj"]}, {"modules_to_save": ["mlp"]},
])  # fmt: skip
def test_layers_are_chosen_as_by_pefts_own_lora(config, tmp_path):
    config = {"target_modules": ["q_proj", "v_proj", "up_proj", "o_proj"], "task_type": "SEQ_CLS"} | config
    model = get_peft_model(classifier(), ILoRAConfig(r=4, alpha=8, **config))
    plain = get_peft_model(classifier(), LoraConfig(r=4, lora_alpha=8, **config))
    chosen = [name for name, module in plain.get_base_model().named_modules() if hasattr(module, "lora_A")]
    assert list(adapted_layers(model)) == chosen != []
    model.save_pretrained(tmp_path)  # and the folder says it
    again, _ = attach(classifier(), tmp_path, drop_silent=False)
    assert list(adapted_layers(again)) == list(adapted_layers(PeftModel.from_pretrained(classifier(), str(tmp_path))))
    assert list(adapted_layers(again)) == chosen


@pytest.mark.parametrize("config", [
    {"layers_to_transform": [9]}, {"layers_to_transform": [0], "layers_pattern": "blocks"},
    {"layers_pattern": "layers"}, {"exclude_modules": ["q_proj"]},
    {"exclude_modules": ["nothing"], "target_modules": ["nowhere"]},
    {"target_modules": r".*q_proj", "layers_to_transform": [0]}, {"target_modules": ".*", "layers_pattern": "layers"},
    {"modules_to_save": ["layers"]},
])  # fmt: skip
def test_what_does_not_go_together_is_refused_in_pefts_own_words(config):
    config = {"target_modules": ["q_proj"]} | config
    said = []
    for kind in (LoraConfig, ILoRAConfig):
        with pytest.raises(ValueError) as caught:
            get_peft_model(classifier(), kind(r=4, **config))
        said.append((caught.type, str(caught.value).translate(str.maketrans("{}", "[]"))))  # a set there, a list here
    assert said[0] == said[1]


def test_silent_layers_of_chosen_ones_are_left_alone(tmp_path):
    model = get_peft_model(classifier(), ILoRAConfig(r=4, alpha=8, layers_to_transform=[1], task_type="SEQ_CLS")).eval()
    layers = adapted_layers(model)
    loud({name: layer for name, layer in layers.items() if name.endswith("q_proj")})
    model.save_pretrained(tmp_path / "whole")
    for folder in ("whole", "lean"):
        lean, report = attach(classifier().eval(), tmp_path / folder)
        assert report.sites == ("model.layers.1.self_attn.q_proj",)
        assert torch.equal(lean(input_ids=IDS).logits, model(input_ids=IDS).logits)
        lean.save_pretrained(tmp_path / "lean")


def test_chosen_layers_that_are_all_silent_can_be_saved_and_loaded(tmp_path):
    get_peft_model(classifier(), ILoRAConfig(r=4, layers_to_transform=[1])).save_pretrained(tmp_path / "whole")
    lean, report = attach(classifier(), tmp_path / "whole")
    assert report.sites == () and len(report.silent) == 7
    lean.save_pretrained(tmp_path / "lean")
    assert PeftModel.from_pretrained(classifier(), str(tmp_path / "lean")).peft_config["default"].r == 4


def test_peft_saves_and_loads_it(tmp_path):
    model, x = adapted_net(heads=2, dropout=0.25), torch.randn(3, 12)
    model.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(net(), str(tmp_path))
    assert torch.equal(again(x), model(x))
    config = again.peft_config["default"]
    assert (config.r, config.alpha, config.heads, config.dropout) == (4, 8, 2, 0.25)
    trainable = PeftModel.from_pretrained(net(), str(tmp_path), is_trainable=True)
    assert sum(p.requires_grad for p in trainable.parameters()) == 6


# Files


def test_the_published_file_comes_back_bit_for_bit(tmp_path):
    model, report = attach(thinker(), WEIGHTS, renames=RENAMES)
    assert (len(report.sites), report.silent, report.r, report.heads, report.alpha) == (33, (), 8, 3, 16)
    assert str(report) == "33 layers adapted; rank 8, 3 heads, alpha 16, 72,392 parameters in float32"
    assert not model.training and not any(p.requires_grad for p in model.parameters())

    original = torch.load(WEIGHTS)
    layer = adapted_layers(model)["model.language_model.layers.0.self_attn.q_proj"]
    stem = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
    R, A, heads = weights_of(layer)
    for tensor, part in zip((R, A, *heads), ("route", "A", "B0", "B1", "B2")):
        assert torch.equal(tensor, original[f"{stem}{part}.weight"])

    save_published(model, tmp_path / "again.bin", renames=RENAMES)
    again = torch.load(tmp_path / "again.bin")
    assert list(again) == list(original)
    assert all(torch.equal(again[name], original[name]) for name in original)
    assert all(tensor.is_contiguous() for tensor in again.values())


def test_both_formats_hold_the_same(tmp_path):
    model, _ = attach(thinker(), WEIGHTS, renames=RENAMES)
    model.save_pretrained(tmp_path)
    ids = torch.arange(1, 20)[None]
    expected = model(input_ids=ids).logits
    by_us, report = attach(thinker(), tmp_path)
    by_peft = PeftModel.from_pretrained(thinker(), str(tmp_path))
    assert report.alpha == 16
    for again in (by_us, by_peft):
        assert torch.equal(again(input_ids=ids).logits, expected)
        save_published(again, tmp_path / "again.bin", renames=RENAMES)
        tensors = torch.load(tmp_path / "again.bin")
        assert all(torch.equal(tensor, tensors[name]) for name, tensor in torch.load(WEIGHTS).items())
    from_bin, from_peft = read(WEIGHTS, renames=RENAMES), read(tmp_path)
    assert from_bin.keys() == from_peft.keys()
    for site in from_bin:
        assert all(torch.equal(a, b) for a, b in zip(from_bin[site].tensors, from_peft[site].tensors))


def test_alpha_is_twice_the_rank_unless_somebody_says_otherwise(tmp_path):
    save_published(adapted_net(alpha=12), tmp_path / "a.bin")
    x = torch.randn(3, 12)
    assert attach(net(), tmp_path / "a.bin")[1].alpha == 8
    model, report = attach(net(), tmp_path / "a.bin", alpha=12)
    assert report.alpha == 12
    torch.testing.assert_close(model(x), adapted_net(alpha=12)(x))


def test_weights_take_the_dtype_of_the_base(tmp_path):
    save_published(adapted_net(), tmp_path / "a.bin")
    for base, asked, got in ((torch.bfloat16, None, torch.bfloat16), (torch.bfloat16, torch.float32, torch.float32)):
        model, report = attach(net(dtype=base), tmp_path / "a.bin", dtype=asked)
        assert report.dtype == got == adapted_layers(model)["q_proj"].ilora_B["default"].dtype


def test_silent_layers_are_left_alone(tmp_path):
    model, x = adapted_net(), torch.randn(3, 12)
    layers = adapted_layers(model)
    nn.init.zeros_(layers["q_proj"].ilora_B["default"])
    nn.init.zeros_(layers["down_proj"].ilora_B["default"][:-1])  # one row is enough to be heard
    save_published(model, tmp_path / "a.bin")
    lean, report = attach(net(), tmp_path / "a.bin")
    assert (report.sites, report.silent) == (("down_proj",), ("q_proj",))
    assert "1 layers adapted, 1 more are silent" in str(report)
    assert type(lean.get_base_model().q_proj) is nn.Linear
    assert torch.equal(lean(x), model(x))
    whole, report = attach(net(), tmp_path / "a.bin", drop_silent=False)
    assert (len(report.sites), report.silent) == (2, ())

    save_published(whole, tmp_path / "again.bin")
    with pytest.raises(CheckpointError, match="q_proj is not adapted.*drop_silent=False"):
        save_published(lean, tmp_path / "again.bin")
    lean.save_pretrained(tmp_path / "lean")  # PEFT's format knows which layers there are
    assert torch.equal(attach(net(), tmp_path / "lean")[0](x), model(x))
    assert torch.equal(PeftModel.from_pretrained(net(), str(tmp_path / "lean"))(x), model(x))


def test_an_adapter_that_says_nothing_at_all_loads(tmp_path):
    save_published(get_peft_model(net(), ILoRAConfig(r=4)), tmp_path / "fresh.bin")
    model, report = attach(net(), tmp_path / "fresh.bin")
    x = torch.randn(3, 12)
    assert (report.sites, report.silent) == ((), ("q_proj", "down_proj"))
    assert torch.equal(model(x), net()(x))


@pytest.fixture(scope="module")
def original() -> dict[str, torch.Tensor]:
    return torch.load(WEIGHTS)


LANGUAGE = "base_model.model.model.layers.0.self_attn.q_proj"
AUDIO = "base_model.model.audio_tower.layers.0.self_attn.k_proj"
VISION = "base_model.model.visual.blocks.1.mlp.up_proj"


@pytest.mark.parametrize(
    "gone, extra, sentence",
    [
        (f"{VISION}.lora_B2", {}, f"{VISION}.lora_B2.weight is missing"),
        (f"{LANGUAGE}.lora_route", {}, f"{LANGUAGE}.lora_route.weight is missing"),
        (AUDIO, {}, rf"{AUDIO}.lora_route.weight \(and 4 more\) is missing"),
        (None, {f"{LANGUAGE}.lora_B3": (48, 8)}, f"no place for the tensor {LANGUAGE}.lora_B3.weight"),
        (None, {"base_model.model.lm_head.lora_A": (8, 48)}, "no place for the tensor base_model.model.lm_head.lora_A"),
        (None, {"lm_head": (8, 48)}, "lm_head.weight is no part of an I-LoRA adapter"),
        (None, {f"{AUDIO}.lora_A": (8, 63)}, f"{AUDIO}.lora_A.weight is 8 x 63 and should be 8 x 64"),
        (None, {f"{AUDIO}.lora_A": (7, 64)}, f"{AUDIO}.lora_A.weight is 7 x 64 and should be 8 x 64"),
        (None, {f"{AUDIO}.lora_B1": (64,)}, f"{AUDIO}.lora_B1.weight has 1 dimensions, not two"),
    ],
)
def test_a_file_that_is_not_exactly_right_is_refused_by_name(original, tmp_path, gone, extra, sentence):
    tensors = {name: tensor for name, tensor in original.items() if not (gone and name.startswith(gone))}
    tensors |= {f"{name}.weight": torch.ones(shape) for name, shape in extra.items()}
    torch.save(tensors, tmp_path / "wrong.bin")
    base = thinker()
    with pytest.raises(CheckpointError, match=sentence):
        attach(base, tmp_path / "wrong.bin", renames=RENAMES)
    assert adapted_layers(base) == {}  # and the model is as it was
    with pytest.raises(CheckpointError, match=sentence):
        inspect(tmp_path / "wrong.bin", model=base, renames=RENAMES)


def test_a_peft_folder_is_held_to_its_configuration(tmp_path):
    adapted_net().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | {"r": 5}))
    with pytest.raises(CheckpointError, match="q_proj.ilora_A is 4 x 12 and should be 5 x 12"):
        attach(net(), tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | {"peft_type": "LORA"}))
    with pytest.raises(CheckpointError, match="LORA adapter, not I-LoRA"):
        attach(net(), tmp_path)
    (tmp_path / "adapter_config.json").write_text("{")
    with pytest.raises(CheckpointError, match="not an adapter's configuration"):
        attach(net(), tmp_path)


@pytest.mark.parametrize(("said", "sentence"), [
    ({"alpha": np.nan}, "finite number"), ({"alpha": np.inf}, "finite"), ({"alpha": "x"}, "not an adapter's configur"),
    ({"r": "4"}, "`r` should be a positive integer value but the value passed is '4'"), ({"r": 4.5}, "`r` should be"),
    ({"r": True}, "`r` should be"), ({"heads": None}, "`heads` should be"), ({"heads": 0}, "`heads` should be"),
    ({"dropout": 1.0}, "below 1"), ({"dropout": -0.1}, "at least 0"), ({"target_modules": 7}, "not an adapter's conf"),
    ({"target_modules": "((("}, "not an adapter's conf"), ({"exclude_modules": "((("}, "not an adapter's conf"),
    ({"target_modules": None}, "not an adapter's configuration"), ({"layers_pattern": ["layers"]}, "must also be"),
])  # fmt: skip
def test_a_configuration_that_says_strange_things_gets_a_sentence(said, sentence, tmp_path):
    adapted_net().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | said))
    base = net()
    with pytest.raises(CheckpointError, match=sentence):
        attach(base, tmp_path)
    assert adapted_layers(base) == {}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["R", "A", "B"])
def test_a_number_that_is_not_finite_is_refused_by_the_name_of_its_tensor(value, part, tmp_path):
    model = adapted_net()
    with torch.no_grad():
        getattr(adapted_layers(model)["down_proj"], f"ilora_{part}")["default"][-1, -1] = value
    model.save_pretrained(tmp_path)
    save_published(model, tmp_path / "a.bin")
    published_name = {"R": "lora_route", "A": "lora_A", "B": "lora_B2"}[part]
    for path, name in ((tmp_path, f"ilora_{part}"), (tmp_path / "a.bin", f"{published_name}.weight")):
        base = net()
        for look in (lambda: attach(base, path), lambda: inspect(path), lambda: read(path)):
            with pytest.raises(CheckpointError, match=f"down_proj.{name} holds NaN or infinity"):
                look()
        assert adapted_layers(base) == {}


def test_what_is_large_is_still_finite(tmp_path):
    assert not_finite({"a": torch.full((4,), 3e38), "b": torch.full((9,), 6e4, dtype=torch.half)}) is None
    assert not_finite({"a": torch.tensor([np.inf, -np.inf]), "b": torch.tensor(np.nan)}) == "a"
    assert not_finite({"i": torch.tensor([1]), "m": torch.empty(3, device="meta")}) is None


def test_other_files_are_refused_with_a_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.bin").write_text("weights, honestly")
    (tmp_path / "half.bin").write_bytes(WEIGHTS.read_bytes()[:100_000])
    (tmp_path / "text.safetensors").write_text("weights, honestly")
    torch.save({"step": 3}, tmp_path / "state.bin")
    torch.save({}, tmp_path / "none.bin")
    for name, sentence in {
        "nowhere": "There is no adapter at",
        "empty": "holds no adapter; it should have one of",
        "text.bin": "is not a file of weights",
        "half.bin": "is not a file of weights",
        "text.safetensors": "is not a file of weights",
        "state.bin": "something else than named tensors",
        "none.bin": "holds no tensors",
    }.items():
        with pytest.raises(CheckpointError, match=sentence):
            read(tmp_path / name)
    with pytest.raises(CheckpointError, match="no layer of the names to adapt"):
        attach(nn.Sequential(nn.Linear(3, 3)), WEIGHTS)


def test_inspect_tells_the_towers_apart(tmp_path, original):
    tensors = {name: t * 0 if "visual" in name and "lora_B" in name else t.bfloat16() for name, t in original.items()}
    torch.save(tensors, tmp_path / "finetune_weights.bin")
    seen = inspect(tmp_path, model=thinker(), renames=RENAMES)
    assert (seen.format, seen.r, seen.heads, seen.alpha) == ("published", 8, 3, None)
    assert [(tower.name, tower.sites, tower.silent) for tower in seen.towers] == [
        ("model.audio_tower.layers", 6, 0),
        ("model.visual.blocks", 6, 6),
        ("model.language_model.layers", 21, 0),
    ]
    audio, vision, language = seen.towers
    assert (audio.parameters, audio.bytes, audio.dtypes) == (13_440, 26_880, ("bfloat16",))
    assert vision.largest_B == 0 and vision.dtypes == ("bfloat16", "float32")
    heads = [t for name, t in tensors.items() if ".model.layers" in name and "lora_B" in name]
    assert language.largest_B == max(float(B.abs().max()) for B in heads)
    assert [(tower.even, tower.idle) for tower in seen.towers] == [(0, 0)] * 3 and vision.imbalance == 0


def test_inspect_counts_even_routers_and_idle_heads(tmp_path, original):
    """A router with one row for all heads, a head a hundredth as strong as the others of its site."""
    tensors = dict(original)
    route = next(name for name in tensors if ".model.layers.0" in name and "lora_route" in name)
    tensors[route] = tensors[route][:1].expand_as(tensors[route]).clone()
    weak = next(name for name in tensors if ".model.layers.1" in name and "lora_B1" in name)
    tensors[weak] = tensors[weak] / 100
    torch.save(tensors, tmp_path / "finetune_weights.bin")
    *_, language = inspect(tmp_path).towers
    *_, before = inspect(WEIGHTS).towers
    assert (language.even, language.idle) == (1, 1) and language.imbalance > before.imbalance > 0


# The 7B model


def manifest() -> dict[str, tuple[int, ...]]:
    lines = (GOLDEN / "published_manifest.txt").read_text().splitlines()
    return {name: tuple(map(int, shape.split("x"))) for name, shape in map(str.split, lines)}


def test_the_7b_adapter_has_the_published_names_and_shapes():
    model = get_peft_model(thinker(seven_billion()), ILoRAConfig(), low_cpu_mem_usage=True)
    names = list(adapted_layers(model))
    assert len(names) == 388
    assert not any(name.endswith(("out_proj", "lm_head", "attn.q", "fc1")) for name in names)
    assert sum(p.numel() for name, p in model.named_parameters() if "ilora_" in name) == 870_480_512
    tensors = published(model, renames=RENAMES)
    assert [(name, tuple(t.shape)) for name, t in tensors.items()] == list(manifest().items())


def test_a_file_of_the_published_manifest_loads(tmp_path):
    # A tensor of one repeated value takes no room in the file: encoders silent, one language layer loud.
    values = {name: 0.5 if ".model.layers.3." in name or "lora_B" not in name else 0.0 for name in manifest()}
    tensors = {
        name: torch.tensor(values[name], dtype=torch.bfloat16).expand(shape) for name, shape in manifest().items()
    }
    torch.save(tensors, tmp_path / "finetune_weights.bin")
    model, report = attach(thinker(seven_billion()), tmp_path / "finetune_weights.bin", renames=RENAMES)
    assert (report.r, report.heads, report.alpha, report.dtype) == (128, 3, 256, torch.float32)
    assert len(report.silent) == 388 - 7
    assert [site.rsplit(".", 1)[1] for site in report.sites] == [
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    ]  # fmt: skip
    B = adapted_layers(model)["model.language_model.layers.3.mlp.down_proj"].ilora_B["default"]
    assert B.shape == (3584, 384) and (B == 0.5).all()


# Traces


def test_a_trace_is_the_softmax_of_each_router():
    model, x = adapted_net(), torch.randn(1, 6, 12)
    inputs = {}
    for name, layer in adapted_layers(model).items():
        layer.register_forward_pre_hook(lambda _, args, name=name: inputs.update({name: args[0]}))
    with record(model) as recorder:
        model(x)
    routed = recorder.take()
    assert list(routed) == ["q_proj", "down_proj"]  # in the order of the model
    for name, layer in adapted_layers(model).items():
        expected = torch.softmax(inputs[name] @ layer.ilora_R["default"].T, dim=-1)[0]
        assert routed[name].dtype == np.float32 and routed[name].shape == (6, 3)
        np.testing.assert_allclose(routed[name], expected.detach().numpy(), atol=1e-6)
        np.testing.assert_allclose(routed[name].sum(axis=1), 1, atol=1e-6)


def test_the_router_decides_in_float32_in_a_model_of_bfloat16_too():
    layer, gates = one_layer(256, 192).bfloat16(), []
    layer.recorders = (gates.append,)
    x = torch.randn(50, 256, dtype=torch.bfloat16)
    layer(x)
    R, _, _ = weights_of(layer)
    [gate] = gates
    assert gate.dtype == torch.float32 and torch.equal(gate, F.linear(x, R).float().softmax(dim=-1))


def test_a_recorder_gives_what_came_since_it_was_last_asked():
    model, x = adapted_net(), torch.randn(1, 9, 12)
    with record(model) as recorder:
        model(x)
        whole = recorder.take()
        for part in x.split([4, 1, 4], dim=1):
            model(part)
        parts = recorder.take()
        assert recorder.take() == {}
    for site in whole:
        np.testing.assert_allclose(parts[site], whole[site], atol=1e-6)
    model(x)
    assert recorder.take() == {}  # nothing is recorded once the context is left
    assert all(layer.recorders == () for layer in adapted_layers(model).values())


def test_recorders_do_not_disturb_each_other():
    one, other = adapted_net(0), adapted_net(1)
    outer_context = record(one)
    outer = outer_context.__enter__()
    with record(one) as inner, record(other) as elsewhere:
        one(torch.randn(1, 3, 12))
        outer_context.__exit__(None, None, None)  # as an abandoned generator would, late or early
        one(torch.randn(1, 2, 12))
        other(torch.randn(1, 7, 12))
    assert [len(recorder.take()["q_proj"]) for recorder in (outer, inner, elsewhere)] == [3, 5, 7]


def test_a_trace_played_back_gives_the_same_logits():
    model, _ = attach(thinker(), WEIGHTS, renames=RENAMES)
    inputs = picture_and_sound(model)
    with torch.no_grad():
        with record(model) as recorder:
            expected = model(**inputs).logits
        routed = recorder.take()
        assert len(routed) == 33
        with ExitStack() as stack:
            for site, weights in routed.items():
                stack.enter_context(gate_override(model, given(torch.from_numpy(weights)), sites=[site]))
            replayed = model(**inputs).logits
        with gate_override(model, uniform()):
            elsewhere = model(**inputs).logits
    assert torch.equal(replayed, expected)
    assert not torch.allclose(elsewhere, expected)


def test_traces_follow_each_other_and_average_over_tokens():
    sites = (Site("language", 0, "q_proj"), Site("language", 0, "down_proj"))
    weights = np.random.default_rng(0).dirichlet(np.ones(3), size=(2, 5)).astype(np.float32)
    first = RoutingTrace(weights[:, :3], sites, ("a", "b", "c"))
    trace = first.append(RoutingTrace(weights[:, 3:], sites, ("d", "e")))
    assert trace.tokens == ("a", "b", "c", "d", "e") and first.tokens == ("a", "b", "c")
    np.testing.assert_array_equal(trace.weights, weights)
    mean = trace.mean(np.array([True, False, False, False, True]))
    assert mean.shape == (2, 3) and mean.dtype == np.float32
    np.testing.assert_allclose(mean, (weights[:, 0].astype(float) + weights[:, 4]) / 2, rtol=1e-6)


# Interventions

SITES = {"q_proj": Site("one", 0, "q_proj"), "down_proj": Site("one", 1, "down_proj")}
TOKENS = {"one": "abcd"}  # what stands at the four positions of the tests below


def routed_with(model: PeftModel, instead: Intervention, x: torch.Tensor, start: int = 0) -> dict[str, np.ndarray]:
    """What the routers are seen to decide in one pass over `x`, (1, tokens, 12), with something in their place."""
    layers = {SITES[name]: layer for name, layer in adapted_layers(model).items()}
    with intervening(layers, instead)(TOKENS, start), record(model) as recorder:
        model(x)
    assert all(layer.gate is None for layer in layers.values())
    return recorder.take()


def traced(model: PeftModel, x: torch.Tensor) -> dict[str, RoutingTrace]:
    with record(model) as recorder:
        model(x)
    gates = recorder.take()
    return {"one": RoutingTrace(np.stack(list(gates.values())), tuple(SITES[name] for name in gates), tuple("abcd"))}


@pytest.fixture
def asked() -> tuple[PeftModel, torch.Tensor, dict[str, np.ndarray]]:
    """A model, an input, and how it is routed when nobody intervenes."""
    model, x = adapted_net(), torch.randn(1, 4, 12)
    with record(model) as recorder:
        model(x)
    return model, x, recorder.take()


def test_an_intervention_decides_in_the_routers_place(asked):
    model, x, own = asked
    assert (routed_with(model, Intervention("force", (2,)), x)["q_proj"] == [0, 0, 1]).all()
    assert (routed_with(model, Intervention("uniform"), x)["down_proj"] == np.float32(1 / 3)).all()
    muted = routed_with(model, Intervention("mute", (0, 2)), x)["q_proj"]
    np.testing.assert_array_equal(muted, own["q_proj"] * [0, 1, 0])


@pytest.mark.parametrize("where", [{"layers": (1,)}, {"modules": ("down_proj",)}, {"towers": ("one",), "layers": {1}}])
def test_only_the_sites_that_are_meant_are_changed(asked, where):
    model, x, own = asked
    routed = routed_with(model, Intervention("force", (0,), **where), x)
    np.testing.assert_array_equal(routed["q_proj"], own["q_proj"])
    assert (routed["down_proj"] == [1, 0, 0]).all()


@pytest.mark.parametrize("chosen", [lambda token: token in "bd", {"one": np.array([False, True, False, True])}])
def test_only_the_tokens_that_are_meant_are_changed(asked, chosen):
    model, x, own = asked
    routed = routed_with(model, Intervention("force", (0,), modules=("q_proj",), tokens=chosen), x)["q_proj"]
    assert (routed[[1, 3]] == [1, 0, 0]).all()
    np.testing.assert_array_equal(routed[[0, 2]], own["q_proj"][[0, 2]])


def test_masks_count_positions_through_and_mean_nothing_beyond_their_end(asked):
    model, x, own = asked
    mask = np.zeros(8, bool)
    mask[5] = True
    instead = Intervention("force", (0,), tokens={"one": mask})
    assert (routed_with(model, instead, x, start=4)["q_proj"] == [1, 0, 0]).all(axis=1).tolist() == [0, 1, 0, 0]
    for elsewhere in (replace(instead, tokens={"other": mask}), replace(instead, tokens={"one": mask[:4]})):
        np.testing.assert_array_equal(routed_with(model, elsewhere, x, start=4)["q_proj"], own["q_proj"])


def test_the_average_of_another_run_is_one_weight_for_all_tokens(asked):
    model, x, _ = asked
    other = traced(model, torch.randn(1, 4, 12))
    routed = routed_with(model, Intervention("average", source=other), x)
    mean = other["one"].mean(np.ones(4, bool))
    for row, name in enumerate(SITES):
        np.testing.assert_allclose(routed[name], np.tile(mean[row], (4, 1)), atol=1e-6)


def test_a_trace_played_back_is_the_trace_and_ends_where_it_ends(asked):
    model, x, own = asked
    other = traced(model, torch.randn(1, 4, 12))
    played = routed_with(model, Intervention("replay", source=other), x)
    np.testing.assert_array_equal(played["q_proj"], other["one"].weights[0])
    late = routed_with(model, Intervention("replay", source=other), x, start=3)["q_proj"]
    np.testing.assert_array_equal(late[0], other["one"].weights[0, 3])
    np.testing.assert_array_equal(late[1:], own["q_proj"][1:])


@pytest.mark.parametrize(("instead", "sentence"), [
    (Intervention("mute", (3,)), "no head 4"),
    (Intervention("mute"), "Say which head"),
    (Intervention("force", (0, 1)), "Say which head"),
    (Intervention("uniform", layers=(7,)), "no adapted layer"),
    (Intervention("average"), "was not traced"),
    (Intervention("replay", source={"one": RoutingTrace(np.ones((0, 4, 3)), (), tuple("abcd"))}), "another model"),
])  # fmt: skip
def test_what_fits_no_adapter_is_refused_with_a_sentence(asked, instead, sentence):
    with pytest.raises(CrabError, match=sentence):
        routed_with(asked[0], instead, asked[1])


def test_an_intervention_says_what_it_is():
    assert str(Intervention("mute", (0, 2))) == "heads 1, 3 muted"
    assert str(Intervention("force", (1,), layers=(3,), towers=("language",))) == "head 2 forced in layer 3 of language"
    some = Intervention("uniform", layers=(0, 1), modules=("q_proj",), tokens=str.isupper)
    assert str(some) == "all heads alike in layers 0, 1 of q_proj, for chosen tokens"
