"""Generation at a middle size: a language model of some 300 million parameters, with the adapter and without.

Its prompt and its answer are any tokens: what they are costs nothing. Its encoders are as small as they may be, and
are not asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from peft import PeftModel, get_peft_model
from torch import Tensor, nn
from transformers import DynamicCache, Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

from crab.bench import Table, Way, table
from crab.bench.layers import loop_over_heads, loud
from crab.ilora import ILoRAConfig, record

MIDDLE = {
    "hidden_size": 1280, "num_hidden_layers": 15, "num_attention_heads": 10, "num_key_value_heads": 2,
    "intermediate_size": 3840, "vocab_size": 8192, "max_position_embeddings": 4096,
}  # fmt: skip
RANKS, PROMPT, BATCH = (32, 128), 600, 8

States = list[tuple[Tensor, Tensor]]  # a layer's keys and values, (1, heads, positions, features) each


def measure(*, shape: dict[str, int] = MIDDLE, prompt: int = PROMPT) -> Iterator[Table]:
    """In float32, and in bfloat16 where the processor has instructions for it: without, all ways mostly convert."""
    quick = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    for dtype in (torch.float32, torch.bfloat16)[: 1 + quick]:
        for rank in RANKS:
            yield from _of(_model(shape, rank, dtype), f"rank {rank}, {str(dtype).split('.')[1]}", prompt)


def _model(shape: dict[str, int], rank: int, dtype: torch.dtype) -> PeftModel:
    wide = shape["hidden_size"]
    config = Qwen2_5OmniThinkerConfig(
        text_config=shape,
        audio_config={"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32,
                      "output_dim": wide},
        vision_config={"depth": 1, "hidden_size": 32, "num_heads": 2, "intermediate_size": 32,
                       "out_hidden_size": wide},
    )  # fmt: skip
    torch.manual_seed(0)
    thinker = Qwen2_5OmniThinkerForConditionalGeneration(config).to(dtype)
    sites = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"
    made = ILoRAConfig(r=rank, alpha=2 * rank, target_modules=sites, inference_mode=True)
    return loud(get_peft_model(thinker, made, autocast_adapter_dtype=False))


def _of(model: PeftModel, said: str, prompt: int) -> Iterator[Table]:
    thinker = model.get_base_model()
    ids = torch.arange(prompt)[None] % 100 + 1
    states: States = []

    def read() -> DynamicCache:
        cache = DynamicCache(config=thinker.config.text_config)
        _pass(thinker, ids, cache)
        return cache

    def write(batch: int) -> Callable[[], Callable[[], object]]:
        def ready() -> Callable[[], object]:
            cache = DynamicCache(config=thinker.config.text_config)
            for number, (keys, values) in enumerate(states):
                cache.update(keys.expand(batch, -1, -1, -1), values.expand(batch, -1, -1, -1), number)
            return lambda: _pass(thinker, ids[:, :1].expand(batch, -1), cache)

        return ready

    with torch.inference_mode():
        states += [(layer.keys, layer.values) for layer in read().layers]
    how: dict[str, Callable[[], AbstractContextManager]] = {
        "no adapter": model.disable_adapter, "loop over heads": loop_over_heads, "ours": nullcontext,
        "ours, traced": lambda: record(model),
    }  # fmt: skip
    weights = f"{sum(w.numel() for name, w in model.named_parameters() if 'ilora_' not in name) / 1e6:.0f} M, {said}"
    for what, ready, batch, positions in (
        (f"prefill of {prompt}", lambda: read, 1, prompt),
        ("a token", write(1), 1, 1),
        (f"a token for each of {BATCH}", write(BATCH), BATCH, 1),
    ):
        ways = {name: _way(within, ready) for name, within in how.items()}
        floor = _floors(model, states, batch, positions)
        yield table("generation", f"{what}, {weights}", ways, floors=dict.fromkeys(list(how)[1:], floor))
    alone, together = _way(nullcontext, write(1)), _way(nullcontext, write(BATCH))
    eight: dict[str, Way] = {f"{BATCH} times alone": lambda: BATCH * (alone() or 0.0), "together": together}
    yield table("generation", f"a token for each of {BATCH}, ours, {weights}", eight)


def _way(within: Callable[[], AbstractContextManager], ready: Callable[[], Callable[[], object]]) -> Way:
    """One pass, and where it is traced what takes the trace; not what gets it ready."""

    def way() -> float:
        with torch.inference_mode(), within() as recorder:
            once = ready()
            began = time.perf_counter()
            once()
            if hasattr(recorder, "take"):
                recorder.take()
            return time.perf_counter() - began

    return way


def _pass(thinker: nn.Module, ids: Tensor, cache: DynamicCache) -> None:
    """Scores after the last position, as an answer needs them."""
    start = cache.get_seq_length()
    positions = torch.arange(start, start + ids.shape[1]).expand(3, len(ids), -1)
    hidden = thinker.model(input_ids=ids, position_ids=positions, cache=cache, use_cache=True).last_hidden_state
    thinker.lm_head(hidden[:, -1:])


def _floors(model: PeftModel, states: States, batch: int, positions: int) -> tuple[float, float]:
    """By bytes (weights and what attention remembers, each once) and by operations (two a weight and position)."""
    layers = model.get_base_model().model.language_model.layers
    added = sum(weight.numel() for name, weight in layers.named_parameters() if "ilora_" in name)
    own = sum(weight.numel() for weight in layers.parameters()) - added
    head = model.get_base_model().lm_head.weight.numel()
    held = batch * sum(keys.numel() + values.numel() for keys, values in states)
    # Products of queries with keys, and with values: of a prompt each position sees half of it.
    seen = states[0][0].shape[2] / (2 if positions > 1 else 1)
    attention = 2 * len(states) * seen * model.get_base_model().config.text_config.hidden_size
    return 1 + added / (own + head + held), 1 + added / (own + attention + head / positions)
