"""From a checkpoint's folder or hub id to a thinker with its processor: read, checked, and never half right.

What is wrong with a file is said in a sentence that names it, before the first question is asked.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from transformers import (
    BitsAndBytesConfig,
    GenerationConfig,
    Qwen2_5OmniProcessor,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
)
from transformers.utils import cached_file
from transformers.utils import logging as transformers_logging

from crab import CrabError, prompt, weights
from crab.about import About, check_layout, damaged, refused
from crab.ilora import checkpoint

RENAMES = {
    "model.embed_tokens.": "model.language_model.embed_tokens.",
    "model.layers.": "model.language_model.layers.",
    "model.norm.": "model.language_model.norm.",
    "audio_tower.": "model.audio_tower.",
    "visual.": "model.visual.",
}
"""Names of the thinker's parts in the published files -> in transformers."""


def published_name(name: str) -> str:
    """A tensor's name in transformers -> in the published files."""
    return checkpoint.renamed(name, {current: published for published, current in RENAMES.items()})


def best_device(model: str, quantize: weights.Quantize | None) -> str:
    """Where to compute. A model as small as `weights.is_small` says answers on a CPU as fast, and takes no GPU's time."""
    if weights.is_small(model):
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    # Quantised weights have to be loaded where they stay, and loading does not go to MPS (`thinker_of`).
    return "mps" if torch.backends.mps.is_available() and not quantize else "cpu"


@contextmanager
def reading(model: str, what: str) -> Iterator[None]:
    """Turn whatever the libraries make of a missing or damaged file into a sentence that names it."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise CrabError(f"There is not enough memory for the model {model!r}.") from error
    except Exception as error:  # nothing that a file holds may end in a traceback, and libraries raise all there is
        raise damaged(model, what, error) from error


def config_of(model: str) -> Qwen2_5OmniThinkerConfig:
    check_layout(model)
    with reading(model, "config.json"):
        return Qwen2_5OmniThinkerConfig.from_pretrained(model)


def processor_of(model: str) -> Qwen2_5OmniProcessor:
    with reading(model, "the processor's files (tokenizer, chat template, preprocessor_config.json)"):
        processor = Qwen2_5OmniProcessor.from_pretrained(model)
        # What is shown is resized before it comes to the processor (`prompt.squash`), so no cap may shrink it again:
        # later releases of transformers would, where nothing is said.
        processor.video_processor.cap_pixels_per_frame = False
        return processor


def check(model: str, about: About, processor: Qwen2_5OmniProcessor, config: Qwen2_5OmniThinkerConfig) -> None:
    """Find now, before gigabytes are read, what the first question would find. Raises CrabError."""
    vision, sound, text = config.vision_config, config.audio_config, config.text_config
    pixels, waves = processor.image_processor, processor.feature_extractor
    with reading(model, "preprocessor_config.json"):
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
        raise refused(model, f"frame_size in its crab.json is {about.frame_size}; it has to be a multiple of {step} "
                             f"from {step} to {most}.")  # fmt: skip
    marks = {
        "audio_token": config.audio_token_id,
        "image_token": config.image_token_id,
        "video_token": config.video_token_id,
        "audio_bos_token": config.audio_start_token_id,
        "vision_bos_token": config.vision_start_token_id,
    }
    with reading(model, "the tokenizer's files (tokenizer.json, tokenizer_config.json)"):
        for name, needed in marks.items():
            said = processor.tokenizer.convert_tokens_to_ids(getattr(processor, name))
            if said != needed:
                raise ValueError(f"{name} has the number {said}, and config.json says {needed}")
    with reading(model, "the tokenizer or the chat template (chat_template.json or chat_template.jinja)"):
        made = prompt.rehearse(processor, frame_size=about.frame_size)
        if max(int(one.inputs["input_ids"].max()) for one in made) >= text.vocab_size:
            raise ValueError(f"the tokenizer knows more tokens than the {text.vocab_size} of config.json")
    for name, value in (item for one in made for item in one.inputs.items()):
        if not value.isfinite().all():
            raise refused(model, f"with its preprocessor_config.json, {name} of a black picture and silence are no "
                                 "finite numbers.")  # fmt: skip


def _pictures(processor: Qwen2_5OmniProcessor) -> tuple:
    return ("of pictures", processor.image_processor), ("of videos", processor.video_processor)


def thinker_of(
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
    with reading(model, "generation_config.json"):
        if cached_file(model, "generation_config.json", _raise_exceptions_for_missing_entries=False):
            GenerationConfig.from_pretrained(model)  # from_pretrained below does without one that it cannot read
    with (
        reading(model, _damaged(model) or "its weights, or they are not those of its config.json"),
        _no_bar() if weights.is_small(model) else nullcontext(),
    ):  # fmt: skip
        thinker, loaded = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(
            model, config=config, dtype=dtype, ignore_mismatched_sizes=True, output_loading_info=True, **options
        )  # fmt: skip
    if loaded["missing_keys"]:  # transformers would fill them at random
        raise CrabError(f"The model {model!r} is not whole: {min(loaded['missing_keys'])} is missing.")
    if loaded["mismatched_keys"]:
        name, found, needed = min(loaded["mismatched_keys"])
        raise refused(model, f"{name} is {tuple(found)} in its weights and {tuple(needed)} by its config.json.")
    bad = checkpoint.not_finite(thinker.state_dict())
    if bad:
        raise refused(model, f"its tensor {bad} holds NaN or infinity. Fetch or save the weights anew.")
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


def skeleton(model: str) -> Qwen2_5OmniThinkerForConditionalGeneration:
    """The thinker of a hub id or folder without its weights: names and shapes only, on the meta device."""
    config = config_of(model)
    with reading(model, "config.json"), torch.device("meta"):
        return Qwen2_5OmniThinkerForConditionalGeneration(config)


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
