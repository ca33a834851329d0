"""Base + adapter -> one `Crab` that answers, streaming text and router weights as they are produced.

The base is the thinker of a checkpoint laid out like `Qwen/Qwen2.5-Omni-7B`, the adapter an I-LoRA file: the published
one or PEFT's own. Nothing here depends on their size: what tells one checkpoint from another stands in its folder, in
the optional `crab.json` beside `config.json` (`name`, `frame_size`, `knows`, `drawn`, `taught`).
"""

from __future__ import annotations

import re
import threading
import traceback
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from peft import PeftModel
from transformers import DynamicCache, Qwen2_5OmniProcessor

from crab import CrabError, loading, prompt, stopping, weights
from crab.about import About, about_of
from crab.ilora import ILoRAConfig, adapted_layers, checkpoint, trace
from crab.ilora.trace import Intervene, intervening
from crab.intervention import Intervention
from crab.memory import Memory, Read, key_of
from crab.prompt import Prompt
from crab.step import Scores, Step, Written, grown
from crab.tasks import check_question
from crab.taught import Taught
from crab.trace import RoutingTrace, Site, Token

TOWERS = {"language_model": "language", "audio_tower": "audio", "visual": "vision"}
LAYER = re.compile(rf"\b({'|'.join(TOWERS)})\.(layers|blocks)\.\d+$")

Numerics = Literal["released", "exact"]


class Crab:
    """A loaded model. Stateless between calls: several callers may stream from it at once, in threads or in turn."""

    def __init__(self, model: torch.nn.Module, processor: Qwen2_5OmniProcessor, about: About, report=None):
        self.model = model.eval()
        self.processor = processor
        self.about = about
        self.adapter = report  # what the adapter file held; None for a bare base
        self.thinker = model.get_base_model() if isinstance(model, PeftModel) else model
        stops = self.thinker.generation_config.eos_token_id
        stops = processor.tokenizer.eos_token_id if stops is None else stops
        self.stops = frozenset(stops if isinstance(stops, list) else [stops])
        if not all(type(stop) is int and 0 <= stop < len(processor.tokenizer) for stop in self.stops):
            raise CrabError(f"{about.name} would never stop: neither generation_config.json nor the tokenizer names "
                            "the token that ends an answer (eos_token_id).")  # fmt: skip
        # One forward pass at a time: routers tell every recorder there is, and an answer that nobody listens to any
        # more may still be on its last pass.
        self._turn = threading.Lock()
        self._layers = [layer for name, layer in self.thinker.named_modules() if LAYER.search(name)]

    @property
    def name(self) -> str:
        return self.about.name

    @property
    def knows(self) -> str:
        return self.about.knows

    @property
    def heads(self) -> int:
        """How many heads its adapter has; 0 without one."""
        adapters = self.model.peft_config.values() if isinstance(self.model, PeftModel) else ()
        return max((adapter.heads for adapter in adapters if isinstance(adapter, ILoRAConfig)), default=0)

    @property
    def drawn(self) -> bool:
        """Whether it knows nothing but drawn scenes."""
        return self.about.drawn

    @property
    def taught(self) -> Taught:
        return self.about.taught

    @property
    def device(self) -> torch.device:
        return self.thinker.device

    @property
    def dtype(self) -> torch.dtype:
        return self.thinker.dtype

    @classmethod
    def load(
        cls,
        model: str | Path,
        adapter: str | Path | None = None,
        *,
        device: str | None = None,
        dtype: torch.dtype | None = None,
        numerics: Numerics | None = None,
        quantize: weights.Quantize | None = None,
    ) -> Crab:
        """Load a base and an adapter (published `.bin`, or PEFT's folder; by default the base folder's own `adapter/`,
        if it has one), each by folder, file or hub id, or both by the name of a checkpoint (`weights.find`).

        Only the thinker's tensors are read, straight into `dtype`, onto `device`; `weights.settle` chooses what is not
        given, also which GPUs, several where it takes them. `quantize` keeps the language model's layers in 8 or 4
        bits, with the adapter on top in `dtype`.
        `numerics` tells how positions are rounded in bfloat16: "released" as the published weights were trained,
        which is the default with a published adapter, or "exact". Raises CrabError with what to do about it.
        """
        weights.check_quantize(quantize)
        found = weights.find(model, adapter)
        model, adapter = found.base, found.adapter
        if device == "cuda":  # asked for by its name, it is PyTorch's own choice of them
            device = f"cuda:{torch.cuda.current_device()}"
        device = device or loading.best_device(model, quantize)
        placement = {"": device}
        if dtype is None:
            name, placement = weights.settle(found, device, quantize)
            dtype = getattr(torch, name)
        numerics = numerics or ("released" if adapter and Path(adapter).suffix == ".bin" else "exact")
        config = loading.config_of(model)
        processor = loading.processor_of(model)
        about = about_of(found)
        loading.check(model, about, processor, config)
        # 8-bit weights are not to be moved, and several devices are not one: these are loaded where they stay.
        stays = quantize is not None or len(placement) > 1
        thinker = loading.thinker_of(
            model, config, dtype=dtype, quantize=quantize, placement=placement if stays else None
        )
        if dtype == torch.bfloat16 and numerics == "released":
            loading.round_positions(thinker)
        own = Path(model) / "adapter"
        if adapter is None and own.is_dir():
            adapter = own
        if adapter is None:
            return cls(thinker if stays else thinker.to(placement[""]), processor, about)
        with warnings.catch_warnings():
            # PEFT asks transformers for a property that has been renamed: nothing the person can do about.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            adapted, report = checkpoint.attach(thinker, adapter, renames=loading.RENAMES, dtype=dtype)
        return cls(adapted if stays else adapted.to(placement[""]), processor, about, report)

    def prompt(
        self, clip, task, question: str = "", *, other=None, window=None, memory: Memory | None = None
    ) -> Prompt:
        """`prompt.build` with this checkpoint's processor and frame size; of a clip that is in `memory`, with what was
        prepared then."""
        size = self.about.frame_size
        key = key_of(clip, task, other=other, window=window) if memory is not None else ""
        if memory is None or not key:
            return prompt.build(self.processor, clip, task, question, frame_size=size, other=other, window=window)
        check_question(task, question)

        def show() -> Prompt:
            seen = prompt.gather(clip, task, other=other, window=window)
            return replace(prompt.show(self.processor, seen, task, frame_size=size), key=key)

        return prompt.say(self.processor, memory.shown(key, show), task, question)

    @torch.inference_mode()
    def stream(
        self,
        prompt: Prompt,
        *,
        max_new_tokens: int = 512,
        trace_routing: bool = False,
        intervention: Intervention | None = None,
        memory: Memory | None = None,
    ) -> Generator[Step]:
        """Answer greedily, one `Step` a token. Closing the generator stops at once.

        `intervention` takes the routers' place in every forward pass of this answer and of no other; traces hold what
        was used. Raises CrabError, at the first step, where it does not fit this model or this prompt.
        What `memory` holds of a clip is not read again, but where routing is changed, by whatever means: the same
        numbers but for the rounding that comes of reading in two parts.
        """
        instead = self._intervening(intervention, prompt)
        inputs = self._on_device(prompt.inputs)
        positions, delta = self._positions(inputs)
        reads = _reads(prompt)  # by tower, what the next forward pass reads
        start = 0  # the language model's position of the first of these
        written: list[int] = []
        shown = ""
        cache = DynamicCache(config=self.thinker.config.text_config)
        if not prompt.key or intervention is not None or not self._routes_as_it_is():
            memory = None
        known = memory.read(prompt, traced=trace_routing) if memory is not None else None
        if known is not None:
            for number, (keys, values) in enumerate(known.states):
                cache.update(keys, values, number)
            start, memory = prompt.shown, None
            inputs, positions = {"input_ids": inputs["input_ids"][:, start:]}, positions[..., start:]
            reads = {"language": reads["language"][start:]}
        with self._unless_stopped(), trace.record(self.model) if trace_routing else nullcontext() as recorder:
            while True:
                with self._turn:
                    if recorder:
                        recorder.take()  # whatever another caller's answer left between two of our tokens
                    with _enough_memory(), instead(reads, start), self._last_scores():
                        outputs = self.model(**inputs, position_ids=positions, cache=cache, use_cache=True)
                    gates = recorder.take() if recorder else None
                scores = outputs.logits[0, -1]
                token = int(scores.argmax())
                _must_be_finite(scores[token])  # NaN and infinity are the largest there is
                routing = None if gates is None else _traces(gates, reads)
                if memory is not None:
                    memory.keep(prompt, _read(cache, routing, prompt.shown))
                if known is not None and routing is not None:
                    routing = grown(known.routing, routing)
                known = memory = None
                last = token in self.stops or len(written) + 1 >= max_new_tokens
                new, nats = ((), ()) if token in self.stops else ((token,), (float(scores.log_softmax(-1)[token]),))
                written += new
                text = self.processor.tokenizer.decode(written, skip_special_tokens=True)
                # Half a character decodes to U+FFFD: wait for its other half.
                text = text if last else text.rstrip("\ufffd")
                fresh = text[len(shown) :]
                ends = (len(fresh),) * len(new)
                yield Step(fresh, new, routing, ("cut" if new else "stop") if last else "", nats, ends)
                if last:
                    return
                shown = max(shown, text, key=len)
                start = cache.get_seq_length()
                reads = {"language": self._written([token])}
                inputs = {"input_ids": torch.tensor([[token]], device=self.device)}
                positions = (delta + start).expand(3, 1, 1)

    @torch.inference_mode()
    def generate(
        self, prompts: list[Prompt], *, max_new_tokens: int = 512, intervention: Intervention | None = None
    ) -> list[Written]:
        """Answer a batch greedily.

        `intervention` as in `stream`, for all answers and their every token. Raises CrabError for one that is about
        chosen tokens or plays weights back: these are of one prompt.
        """
        if intervention is not None and (intervention.tokens is not None or intervention.what == "replay"):
            raise CrabError("Tokens are chosen, and weights played back, in one question at a time.")
        instead = self._intervening(intervention, prompts[0])
        everywhere = {tower: tokens[:1] for tower, tokens in _reads(prompts[0]).items()}
        pad = self.processor.tokenizer.pad_token_id
        batch = self._on_device(prompt.collate(prompts, pad=pad))
        best = _Best([])
        with self._turn, _enough_memory(), instead(everywhere), self._last_scores(), self._unless_stopped():
            ids = self.model.generate(
                **batch, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=pad,
                eos_token_id=sorted(self.stops),
                logits_processor=[best],
            )  # fmt: skip
        answers, nats = ids[:, batch["input_ids"].shape[1] :].tolist(), torch.stack(best.nats, dim=1).tolist()
        lengths = [next((i for i, t in enumerate(row) if t in self.stops), len(row)) for row in answers]
        ends: list[Literal["stop", "cut"]] = ["stop" if self.stops.intersection(row) else "cut" for row in answers]
        return [Written(row[:n], one[:n], end) for row, one, n, end in zip(answers, nats, lengths, ends)]

    @torch.inference_mode()
    def sample(
        self, prompt: Prompt, count: int, *, seed: int = 0, max_new_tokens: int = 512, memory: Memory | None = None
    ) -> list[Written]:
        """`count` answers, each token drawn by the model's own probabilities, in one batch after one pass over the
        prompt: the same for the same `seed`. What `memory` holds of the clip is not read again."""
        chance = torch.Generator().manual_seed(seed)
        inputs, cache = self._on_device(prompt.inputs), DynamicCache(config=self.thinker.config.text_config)
        positions, delta = self._positions(inputs)
        known = memory.read(prompt, traced=False) if memory is not None and self._routes_as_it_is() else None
        if known is not None:
            for number, (keys, values) in enumerate(known.states):
                cache.update(keys, values, number)
            inputs, positions = {"input_ids": inputs["input_ids"][:, prompt.shown :]}, positions[..., prompt.shown :]
        ids: list[list[int]] = [[] for _ in range(count)]
        nats: list[list[float]] = [[] for _ in range(count)]
        going = set(range(count))
        for _ in range(max_new_tokens):
            with self._turn, _enough_memory(), self._last_scores(), self._unless_stopped():
                outputs = self.model(**inputs, position_ids=positions, cache=cache, use_cache=True)
                if cache.layers[0].keys.shape[0] < count:  # the prompt was read once, for all of them
                    cache.batch_repeat_interleave(count)
            scores = outputs.logits[:, -1].float().cpu().log_softmax(-1).expand(count, -1)  # (count, vocabulary)
            _must_be_finite(scores.amax(-1))
            drawn = torch.multinomial(scores.exp(), 1, generator=chance)  # (count, 1)
            for row, token in enumerate(drawn[:, 0].tolist()):
                if token in self.stops:
                    going.discard(row)
                elif row in going:
                    ids[row].append(token)
                    nats[row].append(float(scores[row, token]))
            if not going:
                break
            inputs = {"input_ids": drawn.to(self.device)}
            positions = (delta + cache.get_seq_length()).expand(3, count, 1)
        return [Written(one, of, "cut" if row in going else "stop") for row, (one, of) in enumerate(zip(ids, nats))]

    @torch.inference_mode()
    def scores(
        self, prompt: Prompt, written: Sequence[int], *, at: int = 0, intervention: Intervention | None = None
    ) -> Scores:
        """What the model makes of an answer, `written`, and of what follows `at` tokens of it, in one pass."""
        logits = self._logits(prompt, written, intervention, last=len(written) + 1)
        rows = logits.cpu().double().log_softmax(dim=-1)  # (written + 1, vocabulary); not every device has float64
        said = torch.tensor(list(written), dtype=torch.long)[:, None]
        return Scores(rows[:-1].gather(1, said)[:, 0].numpy(), rows[at].numpy())

    @torch.inference_mode()
    def logits(
        self, prompt: Prompt, continuation: Sequence[int] = (), *, intervention: Intervention | None = None
    ) -> torch.Tensor:
        """(prompt + continuation, vocabulary) logits in one pass without a cache; `intervention` as in `stream`."""
        return self._logits(prompt, continuation, intervention)

    def _logits(
        self, prompt: Prompt, continuation: Sequence[int], intervention: Intervention | None, *, last: int | None = None
    ) -> torch.Tensor:
        """Those of the `last` positions only, where that is given."""
        instead = self._intervening(intervention, prompt)
        reads = self.reads(prompt, continuation)
        inputs = self._on_device(prompt.inputs)
        positions, _ = self._positions(inputs)
        extra = torch.tensor([list(continuation)], dtype=torch.long, device=self.device)
        inputs["input_ids"] = torch.cat([inputs["input_ids"], extra], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        after = positions[..., -1:] + 1 + torch.arange(extra.shape[1], device=self.device)
        with self._turn, _enough_memory(), instead(reads), self._last_scores(last) if last else nullcontext():
            scored = self.model(**inputs, position_ids=torch.cat([positions, after], dim=-1), use_cache=False).logits[0]
        _must_be_finite(scored[-1].amax())
        return scored

    def reads(self, prompt: Prompt, continuation: Sequence[int] = ()) -> dict[str, tuple[Token, ...]]:
        """By tower, what stands at every position that a pass over a prompt and what continues it reads."""
        reads = _reads(prompt)
        return reads | {"language": reads["language"] + self._written(continuation)}

    def decode(self, token_ids) -> str:
        return self.processor.tokenizer.decode(token_ids, skip_special_tokens=True).strip()

    def ends(self, token_ids: Sequence[int]) -> list[int]:
        """How many characters of `decode` are there with each token."""
        decode = self.processor.tokenizer.decode
        texts = [decode(token_ids[: i + 1], skip_special_tokens=True) for i in range(len(token_ids))]
        return [len(text.strip()) for text in texts]

    def _routes_as_it_is(self) -> bool:
        """Whether no gate is overridden and no adapter is off."""
        return not any(layer.gate or layer.disable_adapters for layer in adapted_layers(self.model).values())

    @contextmanager
    def _unless_stopped(self) -> Iterator[None]:
        """Compute layer by layer, of every tower, and none once `stopping` says so."""
        hooks = [layer.register_forward_pre_hook(_check_stop) for layer in self._layers]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @contextmanager
    def _last_scores(self, count: int = 1) -> Iterator[None]:
        """Score the vocabulary at the last positions only: at all of a batch of prompts it would take gigabytes."""
        hook = self.thinker.lm_head.register_forward_pre_hook(lambda _, hidden: (hidden[0][:, -count:],))
        try:
            yield
        finally:
            hook.remove()

    def _on_device(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """What a prompt or a batch holds, where and as the model reads it. Raises CrabError where it is too long."""
        length, most = inputs["input_ids"].shape[1], self.thinker.config.text_config.max_position_embeddings
        if length > most:
            raise CrabError(f"This question and its clip are {length:,} tokens, and {self.name} reads {most:,} at "
                            "most: please take a shorter clip, or fewer words.")  # fmt: skip
        as_read = {
            name: self.dtype if value.is_floating_point() and name != "video_second_per_grid" else None
            for name, value in inputs.items()
        }
        with _enough_memory():
            return {name: value.to(self.device, as_read[name]) for name, value in inputs.items()}

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
                played = (intervention.source or {}).get(tower)
                known = sum(token.modality != "generated" for token in played.tokens) if played else len(tokens)
                if known != len(tokens):
                    raise CrabError(f"Weights can be played back to their own question only: they are of {known} "
                                    f"positions of {tower}, and this question has {len(tokens)}.")  # fmt: skip
        return during


def _check_stop(*_: object) -> None:
    stopping.check()


def _reads(prompt: Prompt) -> dict[str, tuple[Token, ...]]:
    """What the pass over a prompt reads, by tower."""
    return {"language": prompt.map.tokens, "audio": prompt.map.audio, "vision": prompt.map.vision}


def _read(cache: DynamicCache, routing: dict[str, RoutingTrace] | None, shown: int) -> Read:
    """What is to be kept of a pass over a prompt: its first `shown` positions."""
    states = tuple((layer.keys[:, :, :shown], layer.values[:, :, :shown]) for layer in cache.layers)
    if routing is not None:
        routing = routing | {"language": routing["language"].part(0, shown)}
    return Read(states, routing)


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


@contextmanager
def _enough_memory() -> Iterator[None]:
    """Turn memory that runs out into a sentence, and let go of what was computed so far: the next answer needs it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # of which torch.OutOfMemoryError is one; CPUs raise the plain one
        if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and "can't allocate memory" not in str(error):
            raise
        traceback.clear_frames(error.__traceback__)
        raise CrabError(
            "The memory ran out over this question: please take a shorter clip, or ask again when less is under way. "
            "If that happens with every clip, the model is too large for this machine: `python -m crab plan` tells "
            "what fits, and --quantize makes it smaller."
        ) from error


def _must_be_finite(best: torch.Tensor) -> None:
    """Stop where the highest scores of the vocabulary are no numbers: what is written then is a row of `!`."""
    if not best.isfinite().all():
        raise CrabError(
            "The model's numbers are no longer finite, so there is no answer. If that happens with every clip, its "
            "weights or its adapter are damaged: load them anew; if with one clip only, please try another."
        )


@dataclass(frozen=True)
class _Best:
    """A processor of scores that changes none: it keeps the log-probability of the token that a greedy answer takes,
    and stops where there are no numbers."""

    nats: list[torch.Tensor]  # (batch,) a step

    def __call__(self, _: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        best = scores.amax(-1)
        _must_be_finite(best)
        self.nats.append(best - scores.logsumexp(-1))
        return scores


def site_of(name: str) -> Site:
    """A module's dotted name -> (tower, layer, module), e.g. ("language", 3, "q_proj")."""
    parts = name.split(".")
    tower = next(TOWERS[p] for p in parts if p in TOWERS)
    layer = next(int(p) for p in parts if p.isdigit())
    return Site(tower, layer, parts[-1])
