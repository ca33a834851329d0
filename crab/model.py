"""Base + adapter -> one `Crab` that answers, streaming text and router weights as they are produced.

The base is the thinker of a checkpoint laid out like `Qwen/Qwen2.5-Omni-7B`, the adapter an I-LoRA file: the published
one or PEFT's own. Nothing here depends on their size: what tells one checkpoint from another stands in its folder, in
the optional `crab.json` beside `config.json` (`name`, `frame_size`, `knows`).
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import (
    DynamicCache,
    Qwen2_5OmniProcessor,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
)
from transformers.utils import cached_file

from crab import CrabError, prompt, weights
from crab.ilora import adapted_layers, checkpoint, trace
from crab.ilora.trace import Intervene, Intervention, RoutingTrace, Site, intervening
from crab.prompt import Prompt, Token

RENAMES = {
    "model.layers.": "model.language_model.layers.",
    "audio_tower.": "model.audio_tower.",
    "visual.": "model.visual.",
}
"""Names of the thinker's parts in the published files -> in transformers."""

TOWERS = {"language_model": "language", "audio_tower": "audio", "visual": "vision"}

Numerics = Literal["released", "exact"]


@dataclass(frozen=True)
class Step:
    """What one step of generation brought: new text, its token ids, and router weights by tower.

    `routing` holds the positions that were read to write this step's token: the whole prompt in the first step, the
    token written last in every later one. None when not asked for.
    """

    text: str
    token_ids: tuple[int, ...]
    routing: dict[str, RoutingTrace] | None = None


@dataclass(frozen=True)
class About:
    """What a checkpoint says of itself in `crab.json`."""

    name: str
    frame_size: int = 224  # pixels a side of what it sees
    knows: str = "It was trained on real audio-visual clips."  # one sentence for the page


class Crab:
    """A loaded model. Stateless between calls: several callers may stream from it at once, in threads or in turn."""

    def __init__(self, model: torch.nn.Module, processor: Qwen2_5OmniProcessor, about: About, report=None):
        self.model = model.eval()
        self.processor = processor
        self.about = about
        self.adapter = report  # what the adapter file held; None for a bare base
        self.thinker = model.get_base_model() if isinstance(model, PeftModel) else model
        stops = self.thinker.generation_config.eos_token_id
        self.stops = frozenset(stops if isinstance(stops, list) else [stops])
        # One forward pass at a time: routers tell every recorder there is, and an answer that nobody listens to any
        # more may still be on its last pass.
        self._turn = threading.Lock()

    @property
    def name(self) -> str:
        return self.about.name

    @property
    def knows(self) -> str:
        return self.about.knows

    @property
    def device(self) -> torch.device:
        return self.thinker.device

    @property
    def dtype(self) -> torch.dtype:
        return self.thinker.dtype

    @classmethod
    def load(
        cls, model: str | Path, adapter: str | Path | None = None, *, device: str | None = None,
        dtype: torch.dtype | None = None, numerics: Numerics | None = None,
    ) -> Crab:
        """Load a base and an adapter (published `.bin`, or PEFT's folder; by default the base folder's own `adapter/`,
        if it has one), each by folder, file or hub id, or both by the name of a checkpoint (`weights.find`).

        Only the thinker's tensors are read, straight into `dtype` (`weights.settle` chooses).
        `numerics` tells how positions are rounded in bfloat16: "released" as the published weights were trained,
        which is the default with a published adapter, or "exact". Raises CrabError with what to do about it.
        """
        found = weights.find(model, adapter)
        model, adapter = found.base, found.adapter
        device = device or _best_device()
        dtype = dtype or getattr(torch, weights.settle(found, device))
        numerics = numerics or ("released" if adapter and Path(adapter).suffix == ".bin" else "exact")
        try:
            about = _about(model, found.name)
            config = Qwen2_5OmniThinkerConfig.from_pretrained(model)
            processor = Qwen2_5OmniProcessor.from_pretrained(model)
            thinker, loaded = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(
                model, config=config, dtype=dtype, device_map=None if device == "cpu" else {"": device},
                output_loading_info=True,
            )  # fmt: skip
        except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
            raise _not_found(model, error) from error
        if loaded["missing_keys"]:  # transformers would fill them at random
            raise CrabError(f"The model {model!r} is not whole: {min(loaded['missing_keys'])} is missing.")
        if dtype == torch.bfloat16 and numerics == "released":
            round_positions(thinker)
        own = Path(model) / "adapter"
        if adapter is None and own.is_dir():
            adapter = own
        if adapter is None:
            return cls(thinker, processor, about)
        with warnings.catch_warnings():
            # PEFT asks transformers for a property that has been renamed: nothing the person can do about.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            adapted, report = checkpoint.attach(thinker, adapter, renames=RENAMES)
        return cls(adapted, processor, about, report)

    def prompt(self, clip, task, question: str = "", *, other=None, window=None) -> Prompt:
        """`prompt.build` with this checkpoint's processor and frame size."""
        return prompt.build(
            self.processor, clip, task, question, frame_size=self.about.frame_size, other=other, window=window
        )

    @torch.inference_mode()
    def stream(
        self, prompt: Prompt, *, max_new_tokens: int = 512, trace_routing: bool = False,
        intervention: Intervention | None = None,
    ) -> Iterator[Step]:
        """Answer greedily, one `Step` a token. Closing the generator stops at once.

        `intervention` takes the routers' place in every forward pass of this answer and of no other; traces hold what
        was used. Raises CrabError, at the first step, where it does not fit this model or this prompt.
        """
        instead = self._intervening(intervention, prompt)
        inputs = self._on_device(prompt.inputs)
        positions, delta = self._positions(inputs)
        reads = _reads(prompt)  # by tower, what the next forward pass reads
        start = 0  # the language model's position of the first of these
        written: list[int] = []
        shown = ""
        cache = DynamicCache(config=self.thinker.config.text_config)
        with trace.record(self.model) if trace_routing else nullcontext() as recorder:
            while True:
                with self._turn:
                    if recorder:
                        recorder.take()  # whatever another caller's answer left between two of our tokens
                    with instead(reads, start), self._last_scores():
                        outputs = self.model(**inputs, position_ids=positions, cache=cache, use_cache=True)
                    gates = recorder.take() if recorder else None
                token = int(outputs.logits[0, -1].argmax())
                routing = _traces(gates, reads) if recorder else None
                last = token in self.stops or len(written) + 1 >= max_new_tokens
                new = () if token in self.stops else (token,)
                written += new
                text = self.processor.tokenizer.decode(written, skip_special_tokens=True)
                # Half a character decodes to U+FFFD: wait for its other half.
                text = text if last else text.rstrip("\ufffd")
                yield Step(text[len(shown) :], new, routing)
                if last:
                    return
                shown = max(shown, text, key=len)
                start = cache.get_seq_length()
                reads = {"language": self._written([token])}
                inputs = {"input_ids": torch.tensor([[token]], device=self.device)}
                positions = (delta + start).expand(3, 1, 1)

    @torch.inference_mode()
    def generate(self, prompts: list[Prompt], *, max_new_tokens: int = 512) -> list[list[int]]:
        """Answer a batch greedily: the new token ids of each, up to the stop token, which is left out."""
        pad = self.processor.tokenizer.pad_token_id
        batch = self._on_device(prompt.collate(prompts, pad=pad))
        with self._turn, self._last_scores():
            ids = self.model.generate(
                **batch, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=pad,
                eos_token_id=sorted(self.stops),
            )  # fmt: skip
        answers = ids[:, batch["input_ids"].shape[1] :].tolist()
        return [row[: next((i for i, t in enumerate(row) if t in self.stops), len(row))] for row in answers]

    @torch.inference_mode()
    def logits(
        self, prompt: Prompt, continuation: Sequence[int] = (), *, intervention: Intervention | None = None
    ) -> torch.Tensor:
        """(prompt + continuation, vocabulary) logits in one pass without a cache; `intervention` as in `stream`."""
        instead = self._intervening(intervention, prompt)
        reads = _reads(prompt)
        reads["language"] += self._written(continuation)
        inputs = self._on_device(prompt.inputs)
        positions, _ = self._positions(inputs)
        extra = torch.tensor([list(continuation)], dtype=torch.long, device=self.device)
        inputs["input_ids"] = torch.cat([inputs["input_ids"], extra], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        after = positions[..., -1:] + 1 + torch.arange(extra.shape[1], device=self.device)
        with self._turn, instead(reads):
            return self.model(**inputs, position_ids=torch.cat([positions, after], dim=-1), use_cache=False).logits[0]

    def decode(self, token_ids) -> str:
        return self.processor.tokenizer.decode(token_ids, skip_special_tokens=True).strip()

    @contextmanager
    def _last_scores(self) -> Iterator[None]:
        """Score the vocabulary at the last position only: at all of a batch of prompts it would take gigabytes."""
        hook = self.thinker.lm_head.register_forward_pre_hook(lambda _, hidden: (hidden[0][:, -1:],))
        try:
            yield
        finally:
            hook.remove()

    def _on_device(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {
            name: value.to(self.device, self.dtype if value.is_floating_point() and name != "video_second_per_grid" else None)
            for name, value in inputs.items()
        }

    def _positions(self, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """(3, 1, tokens) rotary positions and the (1, 1) offset of later ones.

        Asked for here and passed along, because the model would keep the offset as its own state: with two answers
        under way, one would read the other's.
        """
        return self.thinker.get_rope_index(
            inputs["input_ids"],
            inputs.get("image_grid_thw"),
            inputs.get("video_grid_thw"),
            inputs["attention_mask"],
            False,
            inputs["feature_attention_mask"].sum(-1),
            inputs.get("video_second_per_grid"),
        )

    def _written(self, token_ids: Sequence[int]) -> tuple[Token, ...]:
        return tuple(Token("generated", text=self.processor.tokenizer.decode([i])) for i in token_ids)

    def _intervening(self, intervention: Intervention | None, prompt: Prompt) -> Intervene:
        """What puts an intervention in place for one forward pass. Raises CrabError where it cannot be."""
        if intervention is None:
            return lambda reads, start=0: nullcontext()
        during = intervening({site_of(name): layer for name, layer in adapted_layers(self.model).items()}, intervention)
        if intervention.what == "replay":
            for tower, tokens in _reads(prompt).items():
                played = intervention.source.get(tower)
                known = sum(token.modality != "generated" for token in played.tokens) if played else len(tokens)
                if known != len(tokens):
                    raise CrabError(f"Weights can be played back to their own question only: they are of {known} "
                                    f"positions of {tower}, and this question has {len(tokens)}.")  # fmt: skip
        return during


def _reads(prompt: Prompt) -> dict[str, tuple[Token, ...]]:
    """What the pass over a prompt reads, by tower."""
    return {"language": prompt.map.tokens, "audio": prompt.map.audio, "vision": prompt.map.vision}


def _traces(gates: Mapping[str, np.ndarray], reads: Mapping[str, tuple[Token, ...]]) -> dict[str, RoutingTrace]:
    """Recorded gates by module name -> one trace a tower."""
    traces = {}
    for tower, sites in _by_tower(tuple(gates)).items():
        rows = [gates[name] for name in sites]
        # `np.stack` in a quarter of its time, which counts where it is done for every token.
        weights = np.concatenate(rows).reshape(len(rows), *rows[0].shape)
        traces[tower] = RoutingTrace(weights, tuple(sites.values()), reads[tower])
    return traces


@cache  # of a model, only a prompt's names and a written token's are ever asked for
def _by_tower(names: tuple[str, ...]) -> dict[str, dict[str, Site]]:
    """Module names sorted by tower, with their sites."""
    towers: dict[str, dict[str, Site]] = {}
    for name in names:
        site = site_of(name)
        towers.setdefault(site.tower, {})[name] = site
    return towers


def skeleton(model: str) -> Qwen2_5OmniThinkerForConditionalGeneration:
    """The thinker of a hub id or folder without its weights: names and shapes only, on the meta device."""
    try:
        config = Qwen2_5OmniThinkerConfig.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise _not_found(model, error) from error
    with torch.device("meta"):
        return Qwen2_5OmniThinkerForConditionalGeneration(config)


def _not_found(model: str, error: Exception) -> CrabError:
    return CrabError(
        f"The model {model!r} could not be loaded: give a folder laid out like Qwen/Qwen2.5-Omni-7B, or a hub id and "
        f"a network. ({str(error).splitlines()[0]})"
    )


def site_of(name: str) -> Site:
    """A module's dotted name -> (tower, layer, module), e.g. ("language", 3, "q_proj")."""
    parts = name.split(".")
    tower = next(TOWERS[p] for p in parts if p in TOWERS)
    layer = next(int(p) for p in parts if p.isdigit())
    return Site(tower, layer, parts[-1])


def round_positions(thinker: torch.nn.Module) -> None:
    """Round position tables to bfloat16 as the released code does: the published weights were trained so.

    Its `model.to(bfloat16)` also casts the rotary inverse frequencies of language model and picture encoder, and its
    sound encoder's sinusoid table is computed in bfloat16 throughout. In place.
    """
    for module in (thinker.model.language_model.rotary_emb, thinker.model.visual.rotary_pos_emb):
        module.inv_freq.copy_(module.inv_freq.bfloat16())
    table = thinker.model.audio_tower.positional_embedding
    half = table.channels // 2
    step = float(np.log(table.max_timescale) / (half - 1))
    rates = torch.exp(-step * torch.arange(half).bfloat16())
    angles = torch.arange(table.length)[:, None] * rates[None, :]  # (positions, channels / 2), bfloat16
    rounded = torch.cat([angles.sin(), angles.cos()], dim=1)
    table.positional_embedding.copy_(rounded)


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _about(model: str, name: str) -> About:
    found = cached_file(model, "crab.json", _raise_exceptions_for_missing_entries=False)
    about = About(name=name)
    return replace(about, **json.loads(Path(found).read_text())) if found else about
