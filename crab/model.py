"""Base + adapter -> one `Crab` that answers, streaming text and router weights as they are produced.

The base is the thinker of a checkpoint laid out like `Qwen/Qwen2.5-Omni-7B`, the adapter an I-LoRA file: the published
one or PEFT's own. Nothing here depends on their size: what tells one checkpoint from another stands in its folder, in
the optional `crab.json` beside `config.json` (`name`, `frame_size`, `knows`).
"""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import threading
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from peft import PeftModel
from safetensors import SafetensorError, safe_open
from transformers import (
    BitsAndBytesConfig,
    DynamicCache,
    GenerationConfig,
    Qwen2_5OmniProcessor,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
)
from transformers.utils import cached_file
from transformers.utils import logging as transformers_logging

from crab import CrabError, prompt, weights
from crab.ilora import adapted_layers, checkpoint, trace
from crab.ilora.trace import Intervene, Intervention, intervening
from crab.prompt import Prompt
from crab.trace import RoutingTrace, Site, Token

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
    end: Literal["", "stop", "cut"] = ""  # of the answer: by the model itself, or with more to come; "" before its end

    def append(self, later: Step) -> Step:
        """This step and the one after it as one."""
        return Step(self.text + later.text, self.token_ids + later.token_ids, grown(self.routing, later.routing),
                    later.end)  # fmt: skip


class Scores(NamedTuple):
    """An answer under a model and its routing, natural logarithms, float64."""

    nats: np.ndarray  # (tokens,) log-probability of each token after those before it
    choice: np.ndarray  # (vocabulary,) log-probabilities at the place that was asked for


def grown(
    routing: dict[str, RoutingTrace] | None, new: dict[str, RoutingTrace] | None
) -> dict[str, RoutingTrace] | None:
    """Router weights by tower, and then new ones."""
    if not new:
        return routing
    routing = dict(routing or {})
    for tower, later in new.items():
        routing[tower] = routing[tower].append(later) if tower in routing else later
    return routing


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
        stops = processor.tokenizer.eos_token_id if stops is None else stops
        self.stops = frozenset(stops if isinstance(stops, list) else [stops])
        if not all(type(stop) is int and 0 <= stop < len(processor.tokenizer) for stop in self.stops):
            raise CrabError(f"{about.name} would never stop: neither generation_config.json nor the tokenizer names "
                            "the token that ends an answer (eos_token_id).")  # fmt: skip
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
        _check_quantize(quantize)
        found = weights.find(model, adapter)
        model, adapter = found.base, found.adapter
        if device == "cuda":  # asked for by its name, it is PyTorch's own choice of them
            device = f"cuda:{torch.cuda.current_device()}"
        device = device or _best_device(model, quantize)
        placement = {"": device}
        if dtype is None:
            name, placement = weights.settle(found, device, quantize)
            dtype = getattr(torch, name)
        numerics = numerics or ("released" if adapter and Path(adapter).suffix == ".bin" else "exact")
        config = _config(model)
        with _reading(model, "the processor's files (tokenizer, chat template, preprocessor_config.json)"):
            processor = Qwen2_5OmniProcessor.from_pretrained(model)
            # What is shown is resized before it comes to the processor (`prompt.squash`), so no cap may shrink it
            # again: later releases of transformers would, where nothing is said.
            processor.video_processor.cap_pixels_per_frame = False
        about = _about(model, found.name)
        _check(model, about, processor, config)
        # 8-bit weights are not to be moved, and several devices are not one: these are loaded where they stay.
        stays = quantize is not None or len(placement) > 1
        thinker = _thinker(model, config, dtype=dtype, quantize=quantize, placement=placement if stays else None)
        if dtype == torch.bfloat16 and numerics == "released":
            round_positions(thinker)
        own = Path(model) / "adapter"
        if adapter is None and own.is_dir():
            adapter = own
        if adapter is None:
            return cls(thinker if stays else thinker.to(placement[""]), processor, about)
        with warnings.catch_warnings():
            # PEFT asks transformers for a property that has been renamed: nothing the person can do about.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            adapted, report = checkpoint.attach(thinker, adapter, renames=RENAMES, dtype=dtype)
        return cls(adapted if stays else adapted.to(placement[""]), processor, about, report)

    def prompt(self, clip, task, question: str = "", *, other=None, window=None) -> Prompt:
        """`prompt.build` with this checkpoint's processor and frame size."""
        return prompt.build(
            self.processor, clip, task, question, frame_size=self.about.frame_size, other=other, window=window
        )

    @torch.inference_mode()
    def stream(
        self,
        prompt: Prompt,
        *,
        max_new_tokens: int = 512,
        trace_routing: bool = False,
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
                    with _enough_memory(), instead(reads, start), self._last_scores():
                        outputs = self.model(**inputs, position_ids=positions, cache=cache, use_cache=True)
                    gates = recorder.take() if recorder else None
                scores = outputs.logits[0, -1]
                token = int(scores.argmax())
                _must_be_finite(scores[token])  # NaN and infinity are the largest there is
                routing = None if gates is None else _traces(gates, reads)
                last = token in self.stops or len(written) + 1 >= max_new_tokens
                new = () if token in self.stops else (token,)
                written += new
                text = self.processor.tokenizer.decode(written, skip_special_tokens=True)
                # Half a character decodes to U+FFFD: wait for its other half.
                text = text if last else text.rstrip("\ufffd")
                yield Step(text[len(shown) :], new, routing, ("cut" if new else "stop") if last else "")
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
        with self._turn, _enough_memory(), self._last_scores():
            ids = self.model.generate(
                **batch, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=pad,
                eos_token_id=sorted(self.stops),
                logits_processor=[_stopping_at_no_numbers],
            )  # fmt: skip
        answers = ids[:, batch["input_ids"].shape[1] :].tolist()
        return [row[: next((i for i, t in enumerate(row) if t in self.stops), len(row))] for row in answers]

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


# --- loading --------------------------------------------------------------------------------------------------------


@contextmanager
def _reading(model: str, what: str) -> Iterator[None]:
    """Turn whatever the libraries make of a missing or damaged file into a sentence that names it."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise CrabError(f"There is not enough memory for the model {model!r}.") from error
    except Exception as error:  # nothing that a file holds may end in a traceback, and libraries raise all there is
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise CrabError(
            f"The model {model!r} could not be loaded: there is something wrong with {what}. Give a folder laid out "
            f"like Qwen/Qwen2.5-Omni-7B, or a hub id and a network. ({reason})"
        ) from error


def _refused(model: str, reason: str) -> CrabError:
    return CrabError(f"The model {model!r} could not be loaded: {reason}")


def _config(model: str) -> Qwen2_5OmniThinkerConfig:
    with _reading(model, "config.json"):
        kind = Qwen2_5OmniThinkerConfig.get_config_dict(model)[0].get("model_type", "nothing known")
    if kind not in ("qwen2_5_omni", "qwen2_5_omni_thinker"):
        raise _refused(model, f"its config.json is missing, or of {kind}: it has to be laid out like "
                              "Qwen/Qwen2.5-Omni-7B, with the model_type qwen2_5_omni.")  # fmt: skip
    with _reading(model, "config.json"):
        return Qwen2_5OmniThinkerConfig.from_pretrained(model)


def _about(model: str, name: str) -> About:
    about = About(name=name)
    with _reading(model, "crab.json"):
        found = cached_file(model, "crab.json", _raise_exceptions_for_missing_entries=False)
        told = json.loads(Path(found).read_text(encoding="utf-8")) if found else {}
        for name, value in told.items():
            if type(value) is not type(getattr(about, name, None)):
                raise ValueError(f"{name} is {value!r}; name and knows are texts, frame_size a whole number")
        return replace(about, **told)


def _check(model: str, about: About, processor: Qwen2_5OmniProcessor, config: Qwen2_5OmniThinkerConfig) -> None:
    """Find now, before gigabytes are read, what the first question would find. Raises CrabError."""
    vision, sound, text = config.vision_config, config.audio_config, config.text_config
    pixels, waves = processor.image_processor, processor.feature_extractor
    with _reading(model, "preprocessor_config.json"):
        for name, said, needed in (
            *((f"patch_size {kind}", p.patch_size, vision.patch_size) for kind, p in _pictures(processor)),
            *((f"merge_size {kind}", p.merge_size, vision.spatial_merge_size) for kind, p in _pictures(processor)),
            ("temporal_patch_size", pixels.temporal_patch_size, vision.temporal_patch_size),
            ("window_size", prompt.VISION_WINDOW, vision.window_size),
            ("feature_size", waves.feature_size, sound.num_mel_bins),
            ("sampling_rate", waves.sampling_rate, prompt.SAMPLE_RATE),
            ("hop_length", waves.hop_length, prompt.MEL_HOP),
        ):  # fmt: skip
            if said != needed:
                raise ValueError(f"{name} is {said!r}, and the model needs {needed!r}")
    step = vision.patch_size * vision.spatial_merge_size
    most = int(math.sqrt(text.max_position_embeddings / 10)) * step  # twenty frames of a matching task, two a step
    if about.frame_size not in range(step, most + 1, step):
        raise _refused(model, f"frame_size in its crab.json is {about.frame_size}; it has to be a multiple of {step} "
                              f"from {step} to {most}.")  # fmt: skip
    marks = {
        "audio_token": config.audio_token_id,
        "image_token": config.image_token_id,
        "video_token": config.video_token_id,
        "audio_bos_token": config.audio_start_token_id,
        "vision_bos_token": config.vision_start_token_id,
    }
    with _reading(model, "the tokenizer's files (tokenizer.json, tokenizer_config.json)"):
        for name, needed in marks.items():
            said = processor.tokenizer.convert_tokens_to_ids(getattr(processor, name))
            if said != needed:
                raise ValueError(f"{name} has the number {said}, and config.json says {needed}")
    with _reading(model, "the tokenizer or the chat template (chat_template.json or chat_template.jinja)"):
        made = prompt.rehearse(processor, frame_size=about.frame_size)
        if max(int(one.inputs["input_ids"].max()) for one in made) >= text.vocab_size:
            raise ValueError(f"the tokenizer knows more tokens than the {text.vocab_size} of config.json")
    for name, value in (item for one in made for item in one.inputs.items()):
        if not value.isfinite().all():
            raise _refused(model, f"with its preprocessor_config.json, {name} of a black picture and silence are no "
                                  "finite numbers.")  # fmt: skip


def _pictures(processor: Qwen2_5OmniProcessor) -> tuple:
    return ("of pictures", processor.image_processor), ("of videos", processor.video_processor)


def _check_quantize(quantize: str | None) -> None:
    if quantize is None:
        return
    if quantize not in get_args(weights.Quantize):
        raise CrabError(f"A model can be quantised to {' or '.join(get_args(weights.Quantize))}, not to {quantize!r}.")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise CrabError("A model is quantised by bitsandbytes, which is not installed: pip install bitsandbytes")


def _thinker(
    model: str,
    config: Qwen2_5OmniThinkerConfig,
    *,
    dtype: torch.dtype,
    quantize: weights.Quantize | None,
    placement: Mapping[str, str] | None,
) -> Qwen2_5OmniThinkerForConditionalGeneration:
    """The thinker with its weights, all of them there and finite. Raises CrabError with the name of the tensor.

    On the CPU, unless there is a `placement`: transformers loads to other devices from threads, which ZeroGPU's
    stand-in for CUDA does not know and Apple's MPS does not survive.
    """
    options = {"device_map": placement}
    if quantize:
        # It says at each of a million products that it computes in 16 bits.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=quantize == "4bit", load_in_8bit=quantize == "8bit", bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=dtype, llm_int8_skip_modules=list(weights.UNQUANTIZED),
        )  # fmt: skip
    with _reading(model, "generation_config.json"):
        if cached_file(model, "generation_config.json", _raise_exceptions_for_missing_entries=False):
            GenerationConfig.from_pretrained(model)  # from_pretrained below does without one that it cannot read
    with (
        _reading(model, _damaged(model) or "its weights, or they are not those of its config.json"),
        _no_bar() if weights.is_small(model) else nullcontext(),
    ):  # fmt: skip
        thinker, loaded = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(
            model, config=config, dtype=dtype, ignore_mismatched_sizes=True, output_loading_info=True, **options
        )  # fmt: skip
    if loaded["missing_keys"]:  # transformers would fill them at random
        raise CrabError(f"The model {model!r} is not whole: {min(loaded['missing_keys'])} is missing.")
    if loaded["mismatched_keys"]:
        name, found, needed = min(loaded["mismatched_keys"])
        raise _refused(model, f"{name} is {tuple(found)} in its weights and {tuple(needed)} by its config.json.")
    bad = checkpoint.not_finite(thinker.state_dict())
    if bad:
        raise _refused(model, f"its tensor {bad} holds NaN or infinity. Fetch or save the weights anew.")
    return thinker


@contextmanager
def _no_bar() -> Iterator[None]:
    """No progress bar: for weights that are read before anybody could look at one."""
    if not transformers_logging.is_progress_bar_enabled():
        yield
        return
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.enable_progress_bar()


def _damaged(model: str) -> str | None:
    """The first of a model's files of weights that cannot be opened, which is not named by what is raised then."""
    for file in sorted(Path(model).glob("*.safetensors")):
        try:
            safe_open(file, framework="pt")
        except (OSError, SafetensorError):
            return file.name
    return None


def _must_be_finite(best: torch.Tensor) -> None:
    """Stop where the highest scores of the vocabulary are no numbers: what is written then is a row of `!`."""
    if not best.isfinite().all():
        raise CrabError(
            "The model's numbers are no longer finite, so there is no answer. If that happens with every clip, its "
            "weights or its adapter are damaged: load them anew; if with one clip only, please try another."
        )


def _stopping_at_no_numbers(_: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    _must_be_finite(scores.amax(-1))
    return scores


def skeleton(model: str) -> Qwen2_5OmniThinkerForConditionalGeneration:
    """The thinker of a hub id or folder without its weights: names and shapes only, on the meta device."""
    config = _config(model)
    with _reading(model, "config.json"), torch.device("meta"):
        return Qwen2_5OmniThinkerForConditionalGeneration(config)


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


def _best_device(model: str, quantize: weights.Quantize | None) -> str:
    """Where to compute. A model as small as `weights.is_small` says answers on a CPU as fast, and takes no GPU's time."""
    if weights.is_small(model):
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    # Quantised weights have to be loaded where they stay, and loading does not go to MPS (`_thinker`).
    return "mps" if torch.backends.mps.is_available() and not quantize else "cpu"
