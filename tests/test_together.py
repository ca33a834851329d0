"""What sites that read one input share when nobody trains: the same numbers, and weights that are still each site's own."""

from __future__ import annotations

import copy
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file
from torch import nn

from crab.ilora import ILoRAConfig, adapted_layers, force, gate_override, mute, record, uniform
from crab.ilora.together import Together

ATTENTION = ("q_proj", "k_proj", "v_proj")


class Block(nn.Module):
    """An attention's three projections of one input, and one of another."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.q_proj = nn.Linear(12, 10, dtype=dtype)
        self.k_proj = nn.Linear(12, 4, bias=False, dtype=dtype)
        self.v_proj = nn.Linear(12, 4, dtype=dtype)
        self.o_proj = nn.Linear(10, 12, dtype=dtype)

    def forward(self, x: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        near = x if other is None else other
        return self.o_proj(torch.tanh(self.q_proj(x) + F.pad(self.k_proj(near) * self.v_proj(near), (0, 6))))


def adapted(*, dtype: torch.dtype = torch.float32, frozen: bool = True, **config) -> PeftModel:
    torch.manual_seed(0)
    made = ILoRAConfig(**{"r": 3, "alpha": 5, "inference_mode": frozen, **config})
    model = get_peft_model(Block(dtype), made, autocast_adapter_dtype=False).eval()
    for layer in adapted_layers(model).values():
        nn.init.normal_(layer.ilora_B["default"], std=0.3)
    return model


def apart(model: nn.Module, *inputs: torch.Tensor):
    """What each site computes for itself."""
    with patch.object(Together, "add", return_value=False):
        return together(model, *inputs)


def together(model: nn.Module, *inputs: torch.Tensor):
    with torch.inference_mode(), record(model) as recorder:
        return model(*inputs), recorder.take()


def same(one, other) -> None:
    torch.testing.assert_close(one[0], other[0])
    assert one[1].keys() == other[1].keys()
    for site, gates in one[1].items():
        torch.testing.assert_close(torch.from_numpy(gates), torch.from_numpy(other[1][site]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 12), (5, 12), (2, 7, 12)])
def test_sites_together_compute_what_each_does_alone(shape, dtype):
    model, x = adapted(dtype=dtype), torch.randn(*shape, dtype=dtype)
    same(together(model, x), apart(model, x))


def test_bfloat16_stays_within_its_rounding():
    model, x = adapted(dtype=torch.bfloat16), torch.randn(5, 12, dtype=torch.bfloat16)
    torch.testing.assert_close(together(model, x)[0], apart(model, x)[0], rtol=2**-6, atol=2**-5)


def test_three_sites_take_one_product_and_a_fourth_its_own():
    model, products = adapted(), []
    with patch.object(F, "linear", side_effect=lambda *given: products.append(1) or torch._C._nn.linear(*given)):
        together(model, torch.randn(1, 12))
    assert len(products) == 4 + 2  # of the four base layers; of attention and what follows it


def test_sites_of_different_inputs_are_not_mixed_up():
    model, x, other = adapted(), torch.randn(4, 12), torch.randn(4, 12)
    same(together(model, x, other), apart(model, x, other))
    same(together(model, x), apart(model, x))


@pytest.mark.parametrize("gate", [mute(1), force(2), uniform()])
@pytest.mark.parametrize("sites", [None, ["k_proj"], ["o_proj", "q_proj"]])
def test_a_gate_is_overridden_where_it_is_meant_and_nowhere_else(gate, sites):
    model, x = adapted(), torch.randn(4, 12)
    before = together(model, x)
    with gate_override(model, gate, sites=sites):
        changed = together(model, x)
        same(changed, apart(model, x))
    assert not torch.allclose(changed[0], before[0])
    same(together(model, x), before)


def test_who_records_or_overrides_is_asked_when_the_site_is_called():
    """Also where another site of the same input was called before."""
    model, x = adapted(), torch.randn(4, 12)
    q, k, _ = (adapted_layers(model)[name] for name in ATTENTION)
    with torch.inference_mode():
        q(x)
        with gate_override(k, force(0)), record(k) as recorder:
            forced = k(x)
    assert (recorder.take()[""] == [1, 0, 0]).all()
    with patch.object(Together, "add", return_value=False), gate_override(k, force(0)):
        torch.testing.assert_close(forced, k(x).detach())


def test_a_site_that_is_called_again_with_the_same_input_reads_it_again():
    model, x = adapted(), torch.randn(4, 12)
    layer = adapted_layers(model)["q_proj"]
    with torch.inference_mode():
        first = layer(x)
        layer.ilora_A["default"].data.mul_(3.0)
        second = layer(x)
        with patch.object(Together, "add", return_value=False):
            torch.testing.assert_close(second, layer(x))
    assert not torch.allclose(first, second)


# Weights


def test_weights_that_are_changed_are_the_weights_used():
    model, x = adapted(), torch.randn(4, 12)
    layers = adapted_layers(model)
    first = together(model, x)
    seen = [first]
    layers["v_proj"].ilora_R["default"].data = torch.randn(3, 12)  # others in their place
    seen.append(together(model, x))
    layers["k_proj"].ilora_A["default"].data.mul_(3.0)  # others written into them
    seen.append(together(model, x))
    layers["q_proj"].ilora_B["default"].data = torch.randn(10, 9)
    seen.append(together(model, x))
    layers["o_proj"].load("default", R=torch.randn(3, 10), A=torch.randn(3, 10), heads=[torch.randn(12, 3)] * 3)
    seen.append(together(model, x))
    same(seen[-1], apart(model, x))
    for one, other in zip(seen, seen[1:]):
        assert not torch.allclose(one[0], other[0], atol=1e-5)


def test_a_model_that_is_moved_is_joined_anew_and_a_copy_is_another_model():
    model, x = adapted(), torch.randn(4, 12)
    first = together(model, x)
    twin = copy.deepcopy(model)
    adapted_layers(model)["k_proj"].ilora_B["default"].data.zero_()
    same(together(twin, x), first)
    double = together(model.double(), x.double())
    same(double, apart(model, x.double()))
    assert double[0].dtype == torch.float64


def test_nothing_is_kept_twice():
    model = adapted()
    together(model, torch.randn(4, 12))
    weights = [w["default"] for name in ATTENTION for layer in [adapted_layers(model)[name]]
               for w in (layer.ilora_R, layer.ilora_A)]  # fmt: skip
    assert len({weight.untyped_storage().data_ptr() for weight in weights}) == 1
    assert weights[0].untyped_storage().nbytes() == sum(weight.nbytes for weight in weights)


def test_what_is_saved_is_each_sites_own(tmp_path):
    fresh, used = adapted(), adapted()
    x = torch.randn(4, 12)
    answer = together(used, x)
    for number, model in enumerate((fresh, used)):
        model.save_pretrained(tmp_path / str(number))
    one, other = (load_file(tmp_path / str(number) / "adapter_model.safetensors") for number in (0, 1))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    torch.manual_seed(0)
    same(together(PeftModel.from_pretrained(Block(torch.float32), tmp_path / "1").eval(), x), answer)


# Training


def test_weights_that_are_trained_stay_where_they_are_and_get_gradients():
    model, x = adapted(frozen=False), torch.randn(4, 12)
    places = [weight.data_ptr() for weight in model.parameters()]
    together(model, x)
    assert places == [weight.data_ptr() for weight in model.parameters()]
    model(x).square().sum().backward()
    assert all(weight.grad is not None for weight in model.parameters() if weight.requires_grad)


def test_after_an_answer_weights_can_be_trained_and_the_next_answer_is_by_what_was_learnt():
    model, x = adapted(), torch.randn(4, 12)
    before = together(model, x)
    weights = [w["default"] for layer in adapted_layers(model).values()
               for w in (layer.ilora_R, layer.ilora_A, layer.ilora_B)]  # fmt: skip
    for weight in weights:
        weight.requires_grad_(True)
    optimizer = torch.optim.SGD(weights, lr=0.1)
    model.train()(x).square().sum().backward()
    optimizer.step()
    model.eval()
    after = together(model, x)
    same(after, apart(model, x))
    assert not torch.allclose(after[0], before[0], atol=1e-4)


def test_a_look_at_the_bare_base_makes_no_frozen_weight_trainable():
    for frozen in (True, False):
        model = adapted(frozen=frozen)
        with model.disable_adapter():
            together(model, torch.randn(4, 12))
        assert any(weight.requires_grad for weight in model.parameters()) != frozen
