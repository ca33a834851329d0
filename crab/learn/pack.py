"""Several questions of one clip as one sequence: the clip once, then questions that each see it and themselves only."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from crab import prompt
from crab.learn import mini
from crab.prompt import Media
from crab.tasks import TASKS

SPREAD = 2.0  # units of the 224 grid: how near a coordinate counts as nearly right


@dataclass(frozen=True)
class Item:
    """One clip with its questions as one sequence. `segment` 0 is the clip, 1, 2, … its questions; labels -100 = not asked."""

    inputs: dict[str, Tensor]  # the clip's own: input_ids (1, prefix), pixels, mel
    ids: Tensor  # (tokens,)
    labels: Tensor  # (tokens,)
    segment: Tensor  # (tokens,)


def pack(processor, seen: Media, asked: list, *, media: tuple[str, ...] | None = None) -> Item:
    """A clip's tokens, then each question with its answer, as segments of one sequence."""
    pieces, labels, segment = [], [], []
    for number, question in enumerate(asked, 1):
        task = TASKS[question.dataset]
        task = replace(task, media=media) if media else task
        words = prompt.messages(task, question.question)
        text = processor.apply_chat_template(words, tokenize=False, add_generation_prompt=True)
        cut = max(text.rfind(end) + len(end) for end in (mini.SPECIAL["audio_eos"], mini.SPECIAL["vision_eos"]))
        asks = processor.tokenizer(text[cut:])["input_ids"]
        says = processor.tokenizer(question.target + mini.SPECIAL["eos"])["input_ids"]
        pieces += asks + says
        labels += [-100] * len(asks) + says
        segment += [number] * (len(asks) + len(says))
    inputs = dict(prompt.process(processor, text[:cut], seen, frame_size=mini.FRAME_SIZE))
    clip = inputs["input_ids"][0]
    return Item(
        inputs,
        torch.cat([clip, torch.tensor(pieces)]),
        torch.cat([torch.full_like(clip, -100), torch.tensor(labels)]),
        torch.cat([torch.zeros_like(clip), torch.tensor(segment)]),
    )


def batch(items: list[Item]) -> dict[str, Tensor]:
    """Items of one kind -> one batch, padded on the right; `segment` is -1 where there is nothing."""
    pad = torch.nn.utils.rnn.pad_sequence
    media = {
        name: torch.cat([i.inputs[name] for i in items])
        for name in items[0].inputs
        if name not in ("input_ids", "attention_mask")
    }
    return media | {
        "clip_ids": torch.cat([i.inputs["input_ids"] for i in items]),  # all clips of a kind are equally long
        "input_ids": pad([i.ids for i in items], batch_first=True),
        "labels": pad([i.labels for i in items], batch_first=True, padding_value=-100),
        "segment": pad([i.segment for i in items], batch_first=True, padding_value=-1),
    }


def sequence_loss(thinker, batch: dict[str, Tensor]) -> Tensor:
    """Mean cross-entropy over the answers' tokens, each question seeing the clip and itself only."""
    batch = dict(batch)
    ids, labels, segment, clip = (batch.pop(name) for name in ("input_ids", "labels", "segment", "clip_ids"))
    lengths = batch["feature_attention_mask"].sum(-1) if "feature_attention_mask" in batch else None
    start, _ = thinker.get_rope_index(
        clip, batch.get("image_grid_thw"), batch.get("video_grid_thw"), torch.ones_like(clip), False, lengths,
        batch.get("video_second_per_grid"),
    )  # fmt: skip
    after = start.amax(dim=(0, 2))[:, None] + 1  # (batch, 1): where every question starts
    running = torch.arange(ids.shape[1], device=ids.device)[None].expand_as(ids)
    first = torch.where(segment.diff(dim=1, prepend=segment[:, :1]) != 0, running, 0).cummax(dim=1).values
    positions = (after + running - first).expand(3, -1, -1).clone()
    positions[:, :, : clip.shape[1]] = start

    causal = running[:, :, None] >= running[:, None, :]
    shared = (segment[:, None, :] == 0) | (segment[:, None, :] == segment[:, :, None])
    seen = (causal & shared)[:, None]  # (batch, 1, query, key)
    # Added to the scores, not a bool: plain attention adds whatever it is given, and a bool would hide nothing.
    mask = torch.zeros(seen.shape, device=ids.device).masked_fill(~seen, torch.finfo(torch.bfloat16).min)

    hidden = thinker.model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, **batch)[0]
    target = labels[:, 1:]
    kept = target != -100
    logits = thinker.lm_head(hidden[:, :-1][kept])
    return token_loss(logits.float(), target[kept])


def token_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy of (tokens, vocabulary) logits; a coordinate next to the true one is nearly right.

    One token in two hundred says little when it is wrong by one as when it is wrong by a hundred, so the target of a
    number above 10 (seconds end there) is a bell of width `SPREAD` over the numbers around it.
    """
    numbers = logits.shape[1] - (mini.NUMBERS - 10)  # the words end with 10, 11, … 224
    losses = torch.nn.functional.cross_entropy(logits, target, reduction="none")
    places = target > numbers
    scale = torch.arange(logits.shape[1] - numbers, device=logits.device)  # (numbers,), from 10 on
    distance = (target[places] - numbers)[:, None] - scale  # (places, numbers)
    bell = (-(distance**2) / (2 * SPREAD**2)).softmax(-1)
    losses[places] = -(bell * logits[places].log_softmax(-1)[:, numbers:]).sum(-1)
    return losses.mean()
