"""A base in 8 or 4 bits with I-LoRA on top, and a model over several GPUs.

GPUs are PyTorch's fake ones here: they compute nothing, but say where every tensor would lie, and refuse to bring two
together that lie apart.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import weakref

import numpy as np
import pytest
import torch
from conftest import GOLDEN, MINI, ROOT
from peft import get_peft_model
from safetensors.torch import load_file, save_file

from crab import CrabError, weights
from crab.__main__ import main
from crab.ilora import ILoRAConfig, Intervention, adapted_layers, checkpoint, trace
from crab.loading import RENAMES, skeleton
from crab.model import Crab
from crab.weights import Found

plan_module = importlib.import_module("crab.weights.plan")
TINY = GOLDEN / "tiny-omni", GOLDEN / "finetune_weights.bin"
BITS = ["8bit", "4bit"]
needs_library = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="no bitsandbytes here: pip install bitsandbytes"
)


@pytest.fixture(scope="module")
def packed() -> dict[str, Crab]:
    """The model that ships, in 8 and in 4 bits."""
    pytest.importorskip("bitsandbytes")
    return {quantize: Crab.load("crab-mini", device="cpu", quantize=quantize) for quantize in BITS}


@pytest.fixture(scope="module")
def question(mini):
    from crab import media, tasks

    clip = media.open_clip(ROOT / "assets" / "examples" / "evening-1000412.mp4")
    return mini.prompt(clip, tasks.TASKS["ave"])


def kinds(crab: Crab) -> dict[str, str]:
    """What stands at the place of each linear layer: name -> class."""
    found = {name.removesuffix(".base_layer"): module for name, module in crab.thinker.named_modules()}
    names = [name for name, module in found.items() if hasattr(module, "in_features")]
    return {name: type(found[name]).__name__ for name in names}


def held(crab: Crab, adapter: bool) -> int:
    """Bytes that the weights take, with what stands beside them, of the adapter or of the base."""
    state = {name: t for name, t in crab.thinker.state_dict().items() if ("ilora_" in name) == adapter}
    return sum(t.numel() * t.element_size() for t in state.values())


# --- in 8 and in 4 bits ---


@pytest.mark.parametrize("quantize", BITS)
def test_the_language_models_layers_are_quantised_and_nothing_else_is(quantize, packed):
    kind = {"8bit": "Linear8bitLt", "4bit": "Linear4bit"}[quantize]
    for name, there in kinds(packed[quantize]).items():
        assert there == (kind if name.startswith("model.language_model.") else "Linear"), name
    assert packed[quantize].dtype == torch.float32 and not any(p.is_meta for p in packed[quantize].model.parameters())


@needs_library
@pytest.mark.parametrize("quantize", BITS)
def test_what_a_quantised_base_takes_is_planned_to_a_thousandth(quantize):
    crab = Crab.load("crab-mini", device="cpu", quantize=quantize, dtype=torch.bfloat16)
    [need] = [need for need in weights.plan("crab-mini", device="cpu").answering if need.setting == quantize]
    assert need.weights == pytest.approx(held(crab, adapter=False), rel=1e-3)
    assert need.adapter == held(crab, adapter=True)


def off(crab: Crab, mini: Crab, question) -> float:
    """How far the scores of an answer's first word are from those of the model as it ships, of their own spread."""
    one, other = (c.logits(question)[-1].float() for c in (crab, mini))
    return float((one - other).std() / other.std())


def test_a_quantised_model_is_near_to_the_whole_one_and_nearer_in_more_bits(packed, mini, question):
    eight, four = (off(packed[quantize], mini, question) for quantize in BITS)
    assert 1e-4 < eight < four < 0.3 and eight < 0.03


@pytest.mark.parametrize("quantize", BITS)
def test_a_quantised_model_says_what_the_whole_one_says(quantize, packed, mini, question):
    from crab.answer import parse
    from crab.tasks import TASKS

    texts = ["".join(step.text for step in crab.stream(question)) for crab in (packed[quantize], mini)]
    one, other = (parse(text, TASKS["ave"]) for text in texts)
    assert one.events == other.events != ()


@pytest.mark.parametrize("quantize", BITS)
def test_an_adapter_keeps_its_numbers_on_a_quantised_base_and_is_saved_and_read_again(
    quantize, mini, question, tmp_path
):
    # One of its own, and asked first: on some processors bitsandbytes lays weights out anew when it computes, and does not
    # get them back as they were when they are listed.
    crab = Crab.load("crab-mini", device="cpu", quantize=quantize)
    before = crab.logits(question)
    published = [checkpoint.published(c.model, renames=RENAMES) for c in (crab, mini)]
    assert published[0].keys() == published[1].keys()
    assert all(torch.equal(tensor, published[1][name]) for name, tensor in published[0].items())

    checkpoint.save_published(crab.model, tmp_path / "adapter.bin", renames=RENAMES)
    crab.model.save_pretrained(tmp_path / "adapter")
    for adapter in (tmp_path / "adapter.bin", tmp_path / "adapter"):
        again = Crab.load("crab-mini", adapter, device="cpu", quantize=quantize)
        assert again.adapter == crab.adapter
        assert torch.equal(again.logits(question), before)


@pytest.mark.parametrize("quantize", BITS)
def test_router_weights_are_traced_and_played_back_on_a_quantised_base(quantize, packed, mini, question):
    own, other = ([*crab.stream(question, max_new_tokens=2, trace_routing=True)] for crab in (packed[quantize], mini))
    for tower, traced in own[0].routing.items():
        assert traced.sites == other[0].routing[tower].sites and traced.tokens == other[0].routing[tower].tokens
        assert np.allclose(traced.weights.sum(-1), 1, atol=1e-5)
    far = np.abs(own[0].routing["language"].weights - other[0].routing["language"].weights)
    assert 0 < far.mean() < 0.05
    for tower in ("vision", "audio"):  # the encoders are whole
        assert np.array_equal(own[0].routing[tower].weights, other[0].routing[tower].weights)

    replay = Intervention("replay", source=other[0].routing)
    [played] = packed[quantize].stream(question, max_new_tokens=1, trace_routing=True, intervention=replay)
    for tower, traced in played.routing.items():
        assert np.array_equal(traced.weights, other[0].routing[tower].weights)


@needs_library
@pytest.mark.parametrize("quantize", BITS)
def test_a_base_that_is_not_finite_is_refused_when_it_is_quantised_too(quantize, tmp_path):
    shutil.copytree(TINY[0], tmp_path / "bad")
    tensors = load_file(tmp_path / "bad" / "model.safetensors")
    tensors["thinker.model.layers.1.self_attn.q_proj.weight"][0, 0] = float("nan")
    save_file(tensors, tmp_path / "bad" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CrabError, match="layers.1.self_attn.q_proj.*holds NaN or infinity"):
        Crab.load(tmp_path / "bad", device="cpu", quantize=quantize)


def test_how_to_quantise_is_a_sentence_where_it_cannot_be(monkeypatch):
    with pytest.raises(CrabError, match="quantised to 4bit or 8bit, not to '3bit'"):
        Crab.load("crab-mini", quantize="3bit")
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(CrabError, match="pip install bitsandbytes"):
        Crab.load("crab-mini", quantize="4bit")


def loading(monkeypatch) -> list:
    """What `Crab.load` is asked for, in place of loading."""
    asked = []

    def load(model, adapter=None, **more):
        asked.append(more)
        raise CrabError("enough")

    monkeypatch.setattr(Crab, "load", load)
    return asked


@pytest.mark.parametrize("command", [
    ["ask", str(GOLDEN / "media" / "a.mp4"), "--task", "ave"],
    ["route", str(GOLDEN / "media" / "a.mp4"), "--task", "ave", "--out", "route.npz"],
    ["evaluate", "--data", str(GOLDEN), "--tasks", "avqa"],
    ["atlas", "--data", str(GOLDEN), "--split", "test", "--out", "atlas.npz"],
], ids=lambda command: command[0])  # fmt: skip
def test_every_command_that_asks_a_model_quantises_it(command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    asked = loading(monkeypatch)
    monkeypatch.delenv("CRAB_QUANTIZE", raising=False)
    main([*command, "--quantize", "8bit"])
    main(command)
    monkeypatch.setenv("CRAB_QUANTIZE", "4bit")
    main(command)
    assert [one["quantize"] for one in asked] == ["8bit", None, "4bit"]


def test_the_page_quantises_as_the_environment_says(monkeypatch):
    import app

    asked = loading(monkeypatch)
    for said in ("4bit", ""):
        monkeypatch.setenv("CRAB_QUANTIZE", said)
        _, model = app.load()
        model.begin()
        with pytest.raises(CrabError, match="enough"):
            model.get()
    assert [one["quantize"] for one in asked] == ["4bit", None]


# --- several GPUs ---


def settled(monkeypatch, *gigabytes: float, quantize: str | None = None) -> tuple[tuple, list[str]]:
    """How the released model is loaded on a machine with such GPUs, and what is said of it."""
    said = []
    machine = plan_module.Machine("cuda", tuple(int(size * 1e9) for size in gigabytes))
    monkeypatch.setattr(plan_module, "machine_here", lambda device: machine)
    monkeypatch.setattr(plan_module, "is_small", lambda folder: False)
    found = Found("crab-plus", "Qwen/Qwen2.5-Omni-7B", "datasets/Jayson236/Crab_Plus/finetune_weights.bin")
    return weights.settle(found, "cuda", quantize, say=said.append), said


def test_one_gpu_is_enough_where_it_has_room_and_the_first_of_those_that_have(monkeypatch):
    assert settled(monkeypatch, 24, 24) == (("bfloat16", {"": "cuda:0"}), [])
    assert settled(monkeypatch, 12, 24) == (("bfloat16", {"": "cuda:1"}), [])
    assert settled(monkeypatch, 10, 12, quantize="4bit") == (("bfloat16", {"": "cuda:1"}), [])


def test_a_model_too_large_for_one_gpu_is_spread_over_several_and_that_is_said(monkeypatch):
    (dtype, placement), said = settled(monkeypatch, 12, 12, 12)
    assert dtype == "bfloat16" and set(placement.values()) == {"cuda:0", "cuda:1"}  # as few as do
    assert [*placement.values()] == sorted(placement.values())  # a token goes from one to the next once
    assert said == ["crab-plus is spread over 2 GPUs: it takes 20.4 GB, and 12.0 + 12.0 + 12.0 GB are free."]

    # Every module that has weights or tables of its own lies somewhere, and no GPU is given more than it has.
    base = skeleton_of_crab_plus()
    adapter = {n: 2 * plan_module._added_to(n, *size, 128, 3) for n, size in plan_module._linears(base).items()}
    load = {"cuda:0": 0, "cuda:1": 0}
    for name, size in plan_module._weights(base, "bfloat16").items():
        blocks = [block for block in placement if name == block or name.startswith(f"{block}.")]
        assert len(blocks) == 1 or not any(True for _ in base.get_submodule(name).parameters(recurse=False)), name
        if blocks:
            load[placement[blocks[0]]] += size + adapter.get(name, 0)
    [need] = weights.plan("crab-plus", gpus=[24e9]).answering[:1]
    assert sum(load.values()) == need.weights + need.adapter
    assert all(size + need.total - need.weights - need.adapter <= 12e9 for size in load.values())


def skeleton_of_crab_plus():
    from transformers import Qwen2_5OmniThinkerForConditionalGeneration

    with torch.device("meta"):
        return Qwen2_5OmniThinkerForConditionalGeneration(weights.configuration("crab-plus"))


def test_too_little_memory_on_gpus_is_a_sentence_that_says_what_fits(monkeypatch):
    with pytest.raises(CrabError, match=r"takes 20.4 GB of a GPU's memory .* 12.0 GB are free: .*--quantize 4bit"):
        settled(monkeypatch, 12)
    with pytest.raises(CrabError, match=r"takes 11.1 GB .* 4.0 \+ 4.0 GB are free: .*larger machine"):
        settled(monkeypatch, 4, 4, quantize="4bit")


@pytest.fixture
def two_gpus():
    """crab-mini's model without numbers: the encoders and two layers on one GPU, the rest on another."""
    from accelerate import dispatch_model
    from torch._subclasses.fake_tensor import FakeTensorMode

    base = skeleton(str(MINI))
    base.set_attn_implementation("eager")  # the fused one asks the driver which kernel to take
    held = {name: 1 for name, _ in base.named_modules()}
    in_front = sum(name.startswith(("model.audio", "model.visual")) for name in held)
    layer = sum(name.startswith("model.language_model.layers.0") for name in held)
    placement = plan_module._spread(held, {"cuda:0": in_front + 1 + 2 * layer, "cuda:1": 10**6})
    with FakeTensorMode(allow_non_fake_inputs=True), pytest.warns(UserWarning, match="data pointer of FakeTensor"):
        for block, device in placement.items():
            for module in base.get_submodule(block).modules():
                for tensors in (module._parameters, module._buffers):
                    for name, t in [(name, t) for name, t in tensors.items() if t is not None]:
                        there = torch.empty(t.shape, dtype=t.dtype, device=device)
                        tensors[name] = torch.nn.Parameter(there) if tensors is module._parameters else there
        yield dispatch_model(base.eval(), placement, main_device="cuda:0", force_hooks=True), placement


def test_adapters_lie_beside_their_layers_and_a_pass_brings_no_two_devices_together(two_gpus):
    base, placement = two_gpus
    assert {block for block, device in placement.items() if device == "cuda:0"} == {
        "model.audio_tower", "model.visual", "model.language_model.embed_tokens", "model.language_model.layers.0",
        "model.language_model.layers.1",
    }  # fmt: skip
    # As `checkpoint.attach` does with what it has read, which without numbers it cannot check.
    adapted = get_peft_model(base, ILoRAConfig(), autocast_adapter_dtype=False, low_cpu_mem_usage=True)
    for name, layer in adapted_layers(adapted).items():
        n_out, n_in = layer.base_layer.weight.shape
        layer.load("default", R=torch.empty(3, n_in), A=torch.empty(8, n_in), heads=3 * [torch.empty(n_out, 8)])
        [block] = [block for block in placement if name.startswith(f"{block}.")]
        there = {str(t.device) for t in layer.parameters()}
        assert there == {placement[block]}, name

    ids = torch.zeros(1, 7, dtype=torch.long, device=base.device)
    positions = torch.zeros(3, 1, 7, dtype=torch.long, device=base.device)
    with torch.inference_mode(), trace.record(adapted) as recorder:
        logits = adapted(input_ids=ids, position_ids=positions, use_cache=False).logits
        gates = [gate.flatten(0, -2) for calls in recorder._gates.values() for gate in calls]
        assert {str(gate.device) for gate in gates} == {"cuda:0", "cuda:1"}
        together = trace.joined(gates)
    assert str(base.device) == str(logits.device) == str(together.device) == "cuda:0"
    assert together.shape == (7 * 42, 3)


# --- memory that runs out ---


@pytest.mark.parametrize("error", [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory"),
], ids=lambda error: type(error).__name__)  # fmt: skip
def test_memory_that_runs_out_in_an_answer_is_a_sentence_and_the_next_answer_works(
    error, tiny, golden_prompts, golden_cases
):
    made, left, said = golden_prompts["s4"], [], []

    def run_out(module, arguments):
        computed = torch.zeros(1000)
        left.append(weakref.ref(computed))
        raise error

    with pytest.raises(CrabError, match="memory ran out") as caught:
        for step in tiny.stream(made, max_new_tokens=8):
            said += step.token_ids
            if len(said) == 3:
                hook = tiny.thinker.model.language_model.layers[1].register_forward_pre_hook(run_out)
    assert said == golden_cases["s4"]["generated_ids"][:3]
    assert left[0]() is None and caught.value.__cause__ is error  # let go of, though the error is still held
    for answer in (lambda: tiny.generate([made], max_new_tokens=2), lambda: tiny.logits(made)):
        with pytest.raises(CrabError, match="memory ran out"):
            answer()
    hook.remove()
    [again] = tiny.generate([made], max_new_tokens=3)
    assert again.token_ids == said


def test_memory_that_runs_out_in_earnest_is_a_sentence(tiny, golden_prompts):
    """The allocator's own words."""
    hook = tiny.thinker.lm_head.register_forward_pre_hook(lambda *_: torch.empty(2**50))
    with pytest.raises(CrabError, match="memory ran out"):
        tiny.logits(golden_prompts["s4"])
    hook.remove()


def test_an_error_that_is_none_of_memory_is_not_called_one(tiny, golden_prompts):
    hook = tiny.thinker.lm_head.register_forward_pre_hook(lambda *_: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="size"):
        tiny.logits(golden_prompts["s4"])
    hook.remove()
