"""crab-mini: the shape, the words and the folder of the small model that ships.

The same transformers class as the 7B thinker, with a small config, a tokenizer of its own and frames of 112 pixels.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from huggingface_hub import save_torch_state_dict
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    Qwen2_5OmniProcessor,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    WhisperFeatureExtractor,
)
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from crab import tasks
from crab.loading import published_name
from crab.scenes.asking import forms, hearing, questions, seeing, telling
from crab.scenes.world import script

FRAME_SIZE = 112
VOCABULARY = 1536  # byte-level pieces at most, before numbers and special tokens
ROOM = 1792  # words that the weights have room for: as in Qwen's own, more than there are, whatever the texts taught
NUMBERS = 225  # 0..224, one token each: coordinates and seconds are then one decision, not three

SPECIAL = {
    "pad": "<|endoftext|>", "start": "<|im_start|>", "eos": "<|im_end|>",
    "audio": "<|AUDIO|>", "audio_bos": "<|audio_bos|>", "audio_eos": "<|audio_eos|>",
    "image": "<|IMAGE|>", "video": "<|VIDEO|>", "vision_bos": "<|vision_bos|>", "vision_eos": "<|vision_eos|>",
}  # fmt: skip

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_bos|><|IMAGE|><|vision_eos|>"
    "{% elif part['type'] == 'video' %}<|vision_bos|><|VIDEO|><|vision_eos|>"
    "{% elif part['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

ABOUT = {
    "name": "crab-mini",
    "frame_size": FRAME_SIZE,
    "knows": "crab-mini is a 10-million-parameter model that has only ever seen this project's drawn scenes: its "
    "answers about real clips mean nothing.",
    "drawn": True,
}


def tokenizer(*, scenes: int = 400) -> Qwen2Tokenizer:
    """Byte-level BPE learned from the prompts of every task, and from the questions and answers of `scenes` scenes: the
    tasks' own, and the plain ones of the base."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    raw.train_from_iterator(_texts(scenes), trainer)
    learned = json.loads(raw.to_str())["model"]
    tokenizer = Qwen2Tokenizer(
        vocab=learned["vocab"],
        merges=[tuple(m) for m in learned["merges"]],
        unk_token=None, eos_token=SPECIAL["eos"], pad_token=SPECIAL["pad"],
        extra_special_tokens={
            f"{name}_token": token for name, token in SPECIAL.items() if name not in ("pad", "start", "eos")
        },
    )  # fmt: skip
    tokenizer.add_special_tokens({"additional_special_tokens": [SPECIAL["start"]]}, replace_extra_special_tokens=False)
    tokenizer.add_tokens([str(n) for n in range(NUMBERS)])
    return tokenizer


def _texts(scenes: int):
    for _ in range(50):  # the fixed words stand in every prompt: let them become few tokens
        yield tasks.SYSTEM
        yield "system\nuser\nassistant\n"
        for task in tasks.TASKS.values():
            yield task.lead
            yield task.instruction
    for seed in range(scenes):
        rng = np.random.default_rng(seed)
        scene, action, emotion = (write(seed) for write in (script.write, script.write_action, script.write_emotion))
        pair = script.write_pair(seed)
        asked = questions.ask(scene, rng) + questions.ask_action(action, rng) + questions.ask_emotion(emotion, rng)
        for question in asked + questions.ask_pair(pair, rng):
            yield question.question
            yield question.target
        time = float(rng.integers(script.DURATION)) + 0.5
        plain = seeing.picture(script.write_picture(seed), time, rng)
        plain += telling.still(scene, time, script.heard_at(scene, time), rng)
        for told in (scene, action, emotion):
            plain += telling.film(told, rng) + hearing.sound(told, rng)
        for films in (True, False):
            plain += telling.pair(pair, 0, rng, films=films)
        for one in plain:
            yield one.question
            yield one.answer


def processor(tokenizer: Qwen2Tokenizer) -> Qwen2_5OmniProcessor:
    """The stock processor around our words: Whisper log-mel, 14-pixel patches, two frames a grid step."""
    sizes = {"shortest_edge": 28 * 28, "longest_edge": 12845056}
    return Qwen2_5OmniProcessor(
        image_processor=Qwen2VLImageProcessor(size=sizes),
        video_processor=Qwen2VLVideoProcessor(size=sizes, cap_pixels_per_frame=False),  # frames come as they are meant
        feature_extractor=WhisperFeatureExtractor(
            feature_size=128, sampling_rate=16000, hop_length=160, chunk_length=300, n_fft=400,
            return_attention_mask=True,
        ),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
    )  # fmt: skip


def config(tokenizer: Qwen2Tokenizer) -> Qwen2_5OmniThinkerConfig:
    """About 9 million parameters, half of them the language model's."""
    token = {name: tokenizer.convert_tokens_to_ids(text) for name, text in SPECIAL.items()}
    return Qwen2_5OmniThinkerConfig(
        audio_config=dict(
            num_mel_bins=128, d_model=192, encoder_layers=4, encoder_attention_heads=4, encoder_ffn_dim=512,
            num_hidden_layers=4, n_window=100, output_dim=256, max_source_positions=1500,
        ),
        vision_config=dict(
            depth=4, hidden_size=192, intermediate_size=384, num_heads=4, patch_size=14, spatial_merge_size=2,
            temporal_patch_size=2, window_size=112, fullatt_block_indexes=[1, 3], out_hidden_size=256,
        ),
        text_config=dict(
            vocab_size=ROOM, hidden_size=256, intermediate_size=704, num_hidden_layers=6, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=8192, rope_theta=1e6, tie_word_embeddings=False,
            rope_scaling={"type": "default", "rope_type": "default", "mrope_section": [8, 12, 12]},
            bos_token_id=None, eos_token_id=token["eos"], pad_token_id=token["pad"],
        ),
        audio_token_index=token["audio"], image_token_index=token["image"], video_token_index=token["video"],
        audio_start_token_id=token["audio_bos"], audio_end_token_id=token["audio_eos"],
        vision_start_token_id=token["vision_bos"], vision_end_token_id=token["vision_eos"],
        user_token_id=tokenizer.convert_tokens_to_ids("user"), pad_token_id=token["pad"],
        position_id_per_seconds=25, seconds_per_chunk=2, tie_word_embeddings=False,
    )  # fmt: skip


def fresh(tokenizer: Qwen2Tokenizer, *, seed: int = 0) -> Qwen2_5OmniThinkerForConditionalGeneration:
    """An untrained model. The rows of its head are four times as long as is usual.

    Half of what the tasks' answers are made of the base never says, so its head keeps those rows as they were drawn.
    An adapter can only turn the hidden state towards a row: how likely that makes the word is up to the row's length.
    """
    torch.manual_seed(seed)
    model = Qwen2_5OmniThinkerForConditionalGeneration(config(tokenizer))
    with torch.no_grad():
        model.lm_head.weight *= 4
    return model


def save(
    model: Qwen2_5OmniThinkerForConditionalGeneration, processor: Qwen2_5OmniProcessor, folder: str | Path
) -> None:
    """Write a folder laid out as `Qwen/Qwen2.5-Omni-7B` is, in bfloat16, with `crab.json` beside `config.json`.

    Tensors stand under `thinker.` in the published naming; files stay under 9 MB, so that no host asks for LFS.
    """
    folder = Path(folder)
    stop, pad = processor.tokenizer.eos_token_id, processor.tokenizer.pad_token_id
    tensors = {f"thinker.{published_name(name)}": t.to(torch.bfloat16) for name, t in model.state_dict().items()}
    save_torch_state_dict(tensors, folder, max_shard_size="9MB")
    whole = {
        "model_type": "qwen2_5_omni", "architectures": ["Qwen2_5OmniModel"], "enable_audio_output": False,
        "enable_talker": False, "torch_dtype": "bfloat16", "thinker_config": model.config.to_diff_dict(),
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    GenerationConfig(eos_token_id=[stop, pad], pad_token_id=pad, do_sample=False).save_pretrained(folder)
    processor.save_pretrained(folder)
    about = ABOUT | {"taught": asdict(forms.taught())}
    (folder / "crab.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
