"""Several questions of one clip as one sequence: the clip once, then questions that each see it and themselves only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from crab import prompt
from crab.prompt import Media
from crab.scenes.asking.told import TOPICS, Told
from crab.tasks import FAMILIES, TASKS, SoundPlan, Task

NAMES = (*FAMILIES, *TOPICS)  # what a question can be of: of the tasks' families, or of the base's own topics
SPREAD = 1.5  # how near a number counts as nearly right
PLACES = 3.0  # what a number counts in the loss, next to a word: where something is, is what is hardest to tell
NUMBERS = 215  # 10, 11, … 224: coordinates, but for the smallest


@dataclass(frozen=True)
class Item:
    """One clip with its questions as one sequence. `segment` 0 is the clip, 1, 2, … its questions.

    `labels` and `family` (an index into `NAMES`) are of the answers' tokens; -100 and -1 at all others.
    """

    inputs: dict[str, Tensor]  # the clip's own: input_ids (1, prefix), pixels, mel
    ids: Tensor  # (tokens,)
    labels: Tensor  # (tokens,)
    segment: Tensor  # (tokens,)
    family: Tensor  # (tokens,)


def pack(processor, seen: Media, asked: list, *, told: Sequence = ()) -> Item:
    """What is asked of a drawn clip (`dataset`, `question`, `target` each), with the clip as large as it was drawn.

    `told` are asked too, with their facts (`given`) put into the model's mouth: only what follows from those is to be
    learned.
    """
    tasks = [TASKS[q.dataset] for q in asked]
    whole = [(task, q.question, "", q.target + processor.tokenizer.eos_token) for task, q in zip(tasks, asked)]
    shown = tasks[0]
    rest = [
        (replace(task, media=shown.media, lead=shown.lead), q.question, q.given, q.target.removeprefix(q.given))
        for task, q in ((TASKS[q.dataset], q) for q in told)
    ]
    return _join_drawn(processor, whole + rest, seen)


def pack_plain(
    processor, seen: Media, media: tuple[str, ...], asked: Sequence[Told], *, told: Sequence[Told] = ()
) -> Item:
    """The same for the base, which is asked in plain words about `media` of the clip, and nothing else.

    What stands before them is Qwen's own system text: no model of this class is ever addressed without it.
    """
    end = processor.tokenizer.eos_token
    whole = [(_plain(one.topic, media), one.question, "", one.answer + end) for one in asked]
    rest = [(_plain(t.topic, media), t.question, t.given, t.answer.removeprefix(t.given) + end) for t in told]
    return _join_drawn(processor, whole + rest, seen)


def _plain(topic: str, media: tuple[str, ...]) -> Task:
    return Task("", topic, "", "", media, 0, SoundPlan("whole"), "{question}", "text", "question")


def _join_drawn(processor, asked: list[tuple[Task, str, str, str]], seen: Media) -> Item:
    side = seen.videos[0].shape[1] if seen.videos else len(seen.picture) if seen.picture is not None else 0
    return join(processor, asked, lambda text: prompt.process(processor, text, seen, frame_size=side))


def join(processor, asked: list[tuple[Task, str, str, str]], read: Callable[[str], dict[str, Tensor]]) -> Item:
    """A clip's tokens, then each (task, question, given, says) as a segment of its own, in one sequence.

    `says` is to be learned, after `given`. The tasks must show the clip alike. `read` turns the text up to the end of
    the clip (without one, of what all share) into the processor's tensors.
    """
    pieces, labels, segment, family = [], [], [], []
    tokens = processor.tokenizer
    for number, (task, question, given, says) in enumerate(asked, 1):
        words = prompt.messages(task, question)
        text = processor.apply_chat_template(words, tokenize=False, add_generation_prompt=True)
        shared = ("user\n", processor.audio_eos_token, processor.vision_eos_token)
        cut = max(text.find(end) + len(end) for end in shared if end in text)
        before = tokens(text[cut:])["input_ids"] + tokens(given)["input_ids"]
        learned = tokens(says)["input_ids"]
        pieces += before + learned
        labels += [-100] * len(before) + learned
        segment += [number] * (len(before) + len(learned))
        family += [-1] * len(before) + [NAMES.index(task.family)] * len(learned)
    inputs = dict(read(text[:cut]))
    clip = inputs["input_ids"][0]
    return Item(
        inputs,
        torch.cat([clip, torch.tensor(pieces)]),
        torch.cat([torch.full_like(clip, -100), torch.tensor(labels)]),
        torch.cat([torch.zeros_like(clip), torch.tensor(segment)]),
        torch.cat([torch.full_like(clip, -1), torch.tensor(family)]),
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
        "family": pad([i.family for i in items], batch_first=True, padding_value=-1),
    }


def answer_losses(thinker, batch: dict[str, Tensor], *, ten: int | None = None) -> tuple[Tensor, Tensor]:
    """Loss and family of every answer token of a batch, (answer tokens,) each.

    A question sees the clip and itself only. `ten` as in `token_loss`.
    """
    batch = dict(batch)
    ids, labels, segment, family, clip = (
        batch.pop(name) for name in ("input_ids", "labels", "segment", "family", "clip_ids")
    )
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
    return token_loss(logits.float(), target[kept], ten=ten), family[:, 1:][kept]


def token_loss(logits: Tensor, target: Tensor, *, ten: int | None = None) -> Tensor:
    """Cross-entropy of (tokens, vocabulary) logits, (tokens,); a coordinate next to the true one is nearly right.

    One token in two hundred says little when it is wrong by one as when it is wrong by a hundred, so the target of a
    number above 10 (seconds end there) is a bell of width `SPREAD` over the numbers around it. `ten`: the id of "10"
    in a vocabulary where it and all numbers up to 224 are tokens in a row (`ten_of`); None where they are not.
    """
    losses = torch.nn.functional.cross_entropy(logits, target, reduction="none")
    if ten is None:
        return losses
    places = (target > ten) & (target < ten + NUMBERS)
    distance = (target[places] - ten)[:, None] - torch.arange(NUMBERS, device=logits.device)  # (places, numbers)
    bell = (-(distance**2) / (2 * SPREAD**2)).softmax(-1)
    losses[places] = -PLACES * (bell * logits[places].log_softmax(-1)[:, ten : ten + NUMBERS]).sum(-1)
    return losses


def ten_of(tokenizer) -> int | None:
    """The id of "10", if it and the numbers up to 224 are one token each and follow each other; or else None."""
    ids = tokenizer.convert_tokens_to_ids([str(10 + n) for n in range(NUMBERS)])
    return ids[0] if None not in ids and ids == list(range(ids[0], ids[0] + NUMBERS)) else None
