"""Train crab-mini by stages, and I-LoRA adapters on it or on any other base, with `transformers.Trainer`.

    python -m crab train --base senses --out runs/mini     then practice, speaks
    python -m crab train --out runs/mini                   I-LoRA on the frozen result
    python -m crab train --data DIR --model M --out DIR    I-LoRA on any base, with records of the published layout

With several processes, `torchrun --nproc-per-node N -m crab train …` (or `accelerate launch --multi_gpu`), to the same
result: a step is a fixed cycle of micro-batches, dealt out in turn, and its loss the mean over all answer tokens in
them. Every stage goes on from its last checkpoint; micro-batch `i` of a stage is the same on every run.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from peft import PeftModel, get_peft_model
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import Dataset, SequentialSampler
from transformers import Qwen2_5OmniProcessor, Trainer, TrainingArguments

from crab import CrabError, avuie, prompt
from crab.ilora import ILoRAConfig, checkpoint, trace
from crab.learn import mini, senses
from crab.learn.evaluate import SCENE_SEEDS
from crab.learn.items import make_item
from crab.learn.pack import NAMES, answer_losses, batch, join, ten_of
from crab.loading import RENAMES
from crab.model import Crab, site_of
from crab.routing.sites import Tally
from crab.trace import RoutingTrace, Site

# PEFT asks transformers for a property that has been renamed: nothing the person can do about.
warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)

SAVE_EVERY = 100  # steps
LOG_EVERY = 10  # steps; SAVE_EVERY is a multiple, so that a run taken up again logs the same means
# Autocast only where the hardware computes in it: on a processor that emulates it a step takes nine times as long.
_PROCESSOR: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # not every torch can tell
BF16 = torch.cuda.is_available() or any(_PROCESSOR.get(name) for name in ("amx_bf16", "avx512_bf16"))
PER_STEP = 8  # sequences of published records in a step: what the released script had on its two GPUs
QUESTIONS = 4  # in one such sequence, at most
HELD = 2_000_000  # from here on are the scenes that a loss is held out on: neither trained on nor evaluated
WEIGHTS, WHOLE = "weights.safetensors", "whole"  # files: of a finished stage; of a checkpoint that is not half written


@dataclass(frozen=True)
class Stage:
    """One run of optimiser steps and how fast to learn in it.

    `kinds`: the micro-batches of a step in order, kind -> items; as pairs where a kind comes more than once.
    `rate` is reached after `warmup` steps and falls along a cosine to `floor` of it; `betas` and `decay` are AdamW's.
    A checkpoint is written every `save` steps, and with it, where `held` is not 0, the loss on that many micro-batches
    of each kind that are never trained on.
    """

    steps: int
    kinds: Mapping[str, int] | tuple[tuple[str, int], ...]
    rate: float
    warmup: int = 100
    floor: float = 0.05
    betas: tuple[float, float] = (0.9, 0.98)
    decay: float = 0.01
    save: int = SAVE_EVERY
    held: int = 0

    @property
    def cycle(self) -> tuple[tuple[str, int], ...]:
        return tuple(self.kinds.items()) if isinstance(self.kinds, Mapping) else self.kinds

    def pace(self, step: int) -> float:
        """The share of `rate` at a step, counted from 0."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        falling = math.cos(math.pi * (step - self.warmup) / max(1, self.steps - self.warmup))
        return self.floor + (1 - self.floor) * (1 + falling) / 2


# Neighbours cost about the same, so that two processes that share a step's micro-batches seldom wait for each other.
_SPEAKS = (
    ("films", 2), ("sounds", 2), ("film", 2), ("film", 2), ("glimpses", 3), ("still", 3), ("moment", 4), ("mood", 2),
    ("deed", 1), ("hear", 3), ("see", 8), ("say", 24),
)  # fmt: skip
_TASKS = (
    ("a2v", 2), ("v2a", 2), ("answers", 3), ("choices", 3), ("events", 3), ("refers", 3), ("box", 4), ("points", 4),
    ("emotion", 2), ("action", 1),
)  # fmt: skip
STAGES = {
    "senses": Stage(steps=2400, kinds=(("look", 16), ("look", 16), ("hear", 4), ("hear", 4)), rate=1e-3, warmup=50),
    "practice": Stage(
        steps=800, kinds=(("see", 8), ("see", 8), ("hear", 4), ("hear", 4), ("say", 24), ("say", 24)), rate=1e-3
    ),
    "speaks": Stage(steps=1200, kinds=_SPEAKS, rate=8e-4),
    "adapter": Stage(steps=1200, kinds=_TASKS, rate=2e-3, held=4),
}
BASE = ("senses", "practice", "speaks")  # each begins with the weights of the one before
ADAPTER: dict[str, Any] = dict(
    r=12, alpha=24, heads=3, dropout=0.0
)  # no item comes twice, so there is nothing to overfit


# --- crab-mini's stages ---------------------------------------------------------------------------------------------


def train_base(out: str | Path, name: str, *, seed: int = 0) -> None:
    """Run stage `name` of the base in folder `out`: all weights of the encoders (senses) or of the language model.

    Writes `<stage>/weights.safetensors`, `<stage>/checkpoint-N` on the way, and rows to `log.jsonl`. A stage that is
    finished is left alone, one begun goes on. Raises CrabError if the stage before is not finished.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if (out / name / WEIGHTS).exists():
        return
    reader = _reader(out)
    earlier = BASE[: BASE.index(name)][-1:]
    thinker = _thinker(out, reader, *earlier, seed=seed)
    # The encoders learn first and then stay as they are: what a language model that knows nothing yet sends back to
    # them destroys what they have learned to see.
    thinker.requires_grad_(name != "senses")
    for tower in (thinker.model.audio_tower, thinker.model.visual):
        tower.requires_grad_(name == "senses")
    if name == "senses":
        model = Sensing(senses.Senses(thinker), tuple(dict(STAGES[name].cycle)))
    else:
        model = Answering(thinker, ten=ten_of(reader.tokenizer))
    data = Scenes(reader, STAGES[name], senses.make_batch if name == "senses" else make_batch, seed=_seed(seed, name))
    run(model, data, STAGES[name], out / name, seed=_seed(seed, name))
    if _process().is_main_process:
        # In the format that ships, so that the next stage, the adapter too, learns around the very weights it will meet.
        save_file({key: value.to(torch.bfloat16) for key, value in thinker.state_dict().items()}, out / name / "part")
        (out / name / "part").replace(out / name / WEIGHTS)  # never half of it
    _process().wait_for_everyone()


def train_adapter(out: str | Path, *, seed: int = 0) -> None:
    """Train I-LoRA on scenes around the frozen base, `out/speaks`.

    Writes `out/adapter`, both PEFT's folder and the published `finetune_weights.bin`, on the way `checkpoint-N`, and
    rows to `log.jsonl`. Raises CrabError if there is no such base.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if (out / "adapter" / "finetune_weights.bin").exists():
        return
    reader = _reader(out)
    thinker = _thinker(out, reader, BASE[-1], seed=seed)
    model = adapted(thinker, ILoRAConfig(**ADAPTER), seed=seed)
    data = Scenes(reader, STAGES["adapter"], make_batch, seed=_seed(seed, "adapter"))
    run(Answering(thinker, ten=ten_of(reader.tokenizer)), data, STAGES["adapter"], out / "adapter",
        seed=_seed(seed, "adapter"))  # fmt: skip
    save_adapter(model, out / "adapter")


def train_data(
    out: str | Path,
    data: str | Path,
    model: str,
    *,
    names: Iterable[str] = (),
    cache: str | Path | None = None,
    epochs: float = 5,
    steps: int | None = None,
    shape: ILoRAConfig | None = None,
    seed: int = 0,
) -> None:
    """Train I-LoRA on the training records under `data` around the frozen base `model` (folder or hub id).

    `names`: the datasets, by default all that have a `train.json` there; their records are shuffled together. `cache`:
    a folder for what the processor makes of each clip, so that it is decoded once. `steps` instead of `epochs`;
    `shape`: by default that of the released adapter, as is the rest of the recipe. Writes `out/adapter` as
    `train_adapter` does. Raises CrabError as reading the records and loading the model do.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if (out / "adapter" / "finetune_weights.bin").exists():
        return
    names = list(names) or [name for name in avuie.TRAIN_FIELDS if avuie._path(data, name, "train").is_file()]
    clips = by_clip(record for name in names for record in avuie.read(data, name, split="train"))
    if not clips:
        raise CrabError(f"There is no record of {', '.join(names) or 'any dataset'} to train on under {data}.")
    steps = steps or math.ceil(epochs * len(clips) / PER_STEP)
    # 0.9 billion weights and their optimiser are ten gigabytes, so checkpoints are rarer.
    stage = Stage(steps, (("clip", 1),) * PER_STEP, rate=1e-4, warmup=math.ceil(0.03 * steps), floor=0.0,
                  betas=(0.9, 0.999), decay=0.0, save=10 * SAVE_EVERY)  # fmt: skip

    crab = Crab.load(model, device=str(_process().device))
    thinker = crab.model.unload() if crab.adapter else crab.thinker  # a folder may bring an adapter of its own
    if not torch.cuda.is_available():
        _for_cpus(thinker)
    adapter = adapted(thinker, shape or ILoRAConfig(), seed=seed)
    # Not the reentrant kind, which would leave the encoders without gradients: nothing that goes into them needs one.
    thinker.activation_checkpointing_enable({"use_reentrant": False})
    records = Records(crab.processor, tuple(clips), steps * PER_STEP, frame_size=crab.about.frame_size,
                      cache=Path(cache) if cache else None, seed=seed)  # fmt: skip
    run(Answering(thinker, ten=ten_of(crab.processor.tokenizer)), records, stage, out / "adapter", seed=seed)
    save_adapter(adapter, out / "adapter")


def adapted(thinker: nn.Module, shape: ILoRAConfig, *, seed: int = 0) -> PeftModel:
    """The base, frozen, with a fresh I-LoRA adapter around every site the released one adapts. Changes `thinker`."""
    torch.manual_seed(seed)
    return get_peft_model(thinker, shape)


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write an adapter to `folder` as PEFT does, and then as published (`finetune_weights.bin`)."""
    if _process().is_main_process:
        model.save_pretrained(folder)
        (folder / "README.md").unlink()  # PEFT's empty form
        checkpoint.save_published(model, folder / "part", renames=RENAMES)
        (folder / "part").replace(folder / "finetune_weights.bin")
    _process().wait_for_everyone()


def ship(out: str | Path, folder: str | Path) -> None:
    """Write what was trained in `out` as the folder that ships: base, `adapter/` (PEFT's format), the published file."""
    out, folder = Path(out), Path(folder)
    reader = _reader(out)
    model, _ = checkpoint.attach(_thinker(out, reader, BASE[-1]), out / "adapter", drop_silent=False)
    save_adapter(model.to(torch.bfloat16), folder / "adapter")
    if _process().is_main_process:
        (folder / "adapter" / "finetune_weights.bin").replace(folder / "finetune_weights.bin")
        mini.save(model.unload(), reader, folder)
    _process().wait_for_everyone()


def _process() -> PartialState:
    """This process among those that train together; without a GPU they talk by gloo."""
    return PartialState(cpu=not torch.cuda.is_available())


def _seed(seed: int, name: str) -> int:
    return seed + 1000 * list(STAGES).index(name)


def _reader(out: Path) -> Qwen2_5OmniProcessor:
    """The processor of a run: made by its first stage and kept, since a change of the scenes' words would change it."""
    folder = out / "processor"
    with _process().main_process_first():
        if not folder.exists():
            mini.processor(mini.tokenizer()).save_pretrained(out / "processor.part")
            (out / "processor.part").replace(folder)
    return Qwen2_5OmniProcessor.from_pretrained(folder)


def _thinker(out: Path, reader: Qwen2_5OmniProcessor, *stage: str, seed: int = 0):
    """crab-mini as a finished `stage` left it, or fresh if none is named."""
    thinker = mini.fresh(reader.tokenizer, seed=seed)
    if not torch.cuda.is_available():
        _for_cpus(thinker)
    for name in stage:
        if not (out / name / WEIGHTS).exists():
            raise CrabError(f"The stage {name!r} is not finished in {out}: train it first, with --base {name}.")
        thinker.load_state_dict(load_file(out / name / WEIGHTS))
    return thinker


def _for_cpus(thinker: nn.Module) -> None:
    """The same mathematics in a form that is faster on a processor."""
    thinker.set_attn_implementation("eager")  # for sequences this short faster than the fused kernels
    embed = thinker.model.visual.patch_embed
    # Patches do not overlap, so their convolution is one product: with it, a step of looking took 1.5 s, with this 0.7.
    embed.forward = lambda pixels: nn.functional.linear(
        pixels.reshape(len(pixels), -1).to(embed.proj.weight.dtype), embed.proj.weight.flatten(1)
    )


# --- micro-batches --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scenes(Dataset):
    """The micro-batches of a stage in order, cycle after cycle: element i is one dict of tensors (and its `kind`).

    `make(processor, kind, numbers)` draws them; a kind's items are numbered on from micro-batch to micro-batch.
    """

    processor: Qwen2_5OmniProcessor
    stage: Stage
    make: Callable[[Qwen2_5OmniProcessor, str, list[int]], dict]
    seed: int = field(kw_only=True)

    def __len__(self) -> int:
        return self.stage.steps * len(self.stage.cycle)

    def __getitem__(self, i: int) -> dict:
        step, place = divmod(i, len(self.stage.cycle))
        kind, n = self.stage.cycle[place]
        a_step = sum(n for other, n in self.stage.cycle if other == kind)
        first = step * a_step + sum(n for other, n in self.stage.cycle[:place] if other == kind)
        numbers = [(self.seed * 100_003 + item) % SCENE_SEEDS for item in range(first, first + n)]
        return {"kind": kind, **self.make(self.processor, kind, numbers)}


def make_batch(processor, kind: str, numbers: list[int]) -> dict[str, Tensor]:
    """The items of a kind with these numbers as one batch."""
    return batch([make_item(processor, kind, number) for number in numbers])


def by_clip(records: Iterable[avuie.Record]) -> list[tuple[avuie.Record, ...]]:
    """Records that show and play the same clip in the same way, up to `QUESTIONS` of them together."""
    found = defaultdict(list)
    for record in records:
        task = record.task
        found[_files(record), record.frame, task.lead, task.media, task.frames, task.sound].append(record)
    return [tuple(of[i : i + QUESTIONS]) for of in found.values() for i in range(0, len(of), QUESTIONS)]


def _files(record: avuie.Record) -> tuple[Path, ...]:
    return tuple(filter(None, (record.video, record.video2, record.audio, record.audio2, record.image)))


@dataclass(frozen=True)
class Records(Dataset):
    """`length` micro-batches of published records, one clip each: all `clips` in a new order every time through.

    What cannot be opened is named on standard error, and the next clip stands in for it.
    """

    processor: Qwen2_5OmniProcessor
    clips: tuple[tuple[avuie.Record, ...], ...]
    length: int
    frame_size: int = field(kw_only=True)
    cache: Path | None = field(kw_only=True)
    seed: int = field(kw_only=True)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, i: int) -> dict:
        epoch, place = divmod(i, len(self.clips))
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.clips))
        for which in np.roll(order, -place):
            records = self.clips[which]
            end = self.processor.tokenizer.eos_token
            asked = [(record.task, record.question, "", record.target + end) for record in records]
            try:
                return batch([join(self.processor, asked, partial(self._inputs, records[0]))])
            except CrabError as error:
                for one in records:
                    print(f"{one.task.name}/train.json, record {one.number} is left out: {error}", file=sys.stderr)
        raise CrabError("There is nothing to train on: no record has media that can be opened.")

    def _inputs(self, record: avuie.Record, text: str) -> dict[str, Tensor]:
        """The processor's tensors for a record's clip and the text up to its end, from the cache if they are there."""
        if self.cache is None:
            return self._process(record, text)
        task, files = record.task, [(path.resolve(), path.stat()) for path in _files(record) if path.is_file()]
        key = repr((
            [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in files],
            record.frame, task.media, task.frames, task.sound, text, self.frame_size, self.processor,
        ))  # fmt: skip
        name = hashlib.sha256(key.encode()).hexdigest()
        path = self.cache / name[:2] / f"{name}.safetensors"
        try:
            kept = load_file(path)
        except (FileNotFoundError, SafetensorError):  # not there, or the power went while it was written
            kept = {
                # Half the bytes, and nothing lost: in training the encoders round what they are given to bfloat16.
                name: (value.to(torch.bfloat16) if value.is_floating_point() else value).contiguous()
                for name, value in self._process(record, text).items()
            }
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}")  # another process may be at the same clip
            save_file(kept, part)
            part.replace(path)
        return {name: value.float() if value.is_floating_point() else value for name, value in kept.items()}

    def _process(self, record: avuie.Record, text: str) -> dict[str, Tensor]:
        clip, other = record.open()
        seen = prompt.gather(clip, record.task, other=other)
        return dict(prompt.process(self.processor, text, seen, frame_size=self.frame_size))


# --- what Trainer wraps ---------------------------------------------------------------------------------------------


class Answering(nn.Module):
    """A thinker, adapted or not, whose forward is the loss of one micro-batch of packed questions.

    forward(**batch) -> `loss`: the sum over its answer tokens over `num_items_in_batch`, those of the whole step (of
    the micro-batch itself if not given); `sums` and `counts`: losses and tokens of each of `names`, families and topics.
    """

    names = NAMES

    def __init__(self, thinker: nn.Module, *, ten: int | None = None):
        super().__init__()
        self.thinker, self.ten = thinker, ten

    def forward(self, num_items_in_batch: Tensor | None = None, kind: str = "", **batch: Tensor) -> dict[str, Tensor]:
        losses, family = answer_losses(self.thinker, batch, ten=self.ten)
        total = len(losses) if num_items_in_batch is None else num_items_in_batch
        parts = self.thinker.model
        unused = [parts.audio_tower] if "input_features" not in batch else [parts.audio_tower.audio_bos_eos_token]
        unused += [] if {"pixel_values", "pixel_values_videos"} & batch.keys() else [parts.visual]
        nothing = torch.zeros(len(self.names), device=losses.device)
        return {
            "loss": losses.sum() / total + still(*unused),
            "sums": nothing.index_add(0, family, losses.detach()),
            "counts": nothing.index_add(0, family, torch.ones_like(losses)),
        }


class Sensing(nn.Module):
    """The encoders with their readers, whose forward is the mean loss of one micro-batch; `names` are the kinds."""

    def __init__(self, model: senses.Senses, names: tuple[str, ...]):
        super().__init__()
        self.senses, self.names = model, names

    def forward(self, kind: str, **batch: Tensor) -> dict[str, Tensor]:
        loss = self.senses.loss(kind, batch)
        which = torch.tensor([float(kind == name) for name in self.names], device=loss.device)
        return {"loss": loss + still(self.senses), "sums": which * loss.detach(), "counts": which}


def still(*modules: nn.Module) -> Tensor | float:
    """Zero, with gradient zero for every trainable weight in `modules`.

    With several processes every forward has to involve all weights: those that it left out would keep the gradients of
    their own process only.
    """
    return 0.0 * sum(p.sum() for module in modules for p in module.parameters() if p.requires_grad)


# --- the loop -------------------------------------------------------------------------------------------------------


def run(model: nn.Module, data: Dataset, stage: Stage, folder: Path, *, seed: int) -> None:
    """Train what of `model` wants gradients for one stage, from its last whole checkpoint in `folder` if there is one.

    Raises CrabError if the micro-batches of a step cannot be dealt out evenly to the processes there are.
    """
    processes = _process().num_processes
    if len(stage.cycle) % processes:
        raise CrabError(
            f"A step of this stage is {len(stage.cycle)} micro-batches, which {processes} processes cannot share "
            "evenly: start a number of processes that divides it."
        )
    on_gpu = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=stage.steps, learning_rate=stage.rate, weight_decay=stage.decay,
        adam_beta1=stage.betas[0], adam_beta2=stage.betas[1], max_grad_norm=1.0, bf16=BF16, use_cpu=not on_gpu,
        per_device_train_batch_size=1, gradient_accumulation_steps=len(stage.cycle) // processes,
        average_tokens_across_devices=True, ddp_find_unused_parameters=False,
        dataloader_num_workers=max(1, (os.cpu_count() or 1) // (2 * processes)), dataloader_pin_memory=on_gpu,
        dataloader_prefetch_factor=2 * len(stage.cycle), remove_unused_columns=False,
        save_steps=stage.save, save_total_limit=2, logging_steps=LOG_EVERY, logging_nan_inf_filter=False,
        report_to=[], disable_tqdm=False, seed=seed,
    )  # fmt: skip
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several cards are several processes, never one with DataParallel
    trainer = Loop(model, arguments, stage, data)
    trainer.train(resume_from_checkpoint=_last_checkpoint(folder))


class Loop(Trainer):
    """Trainer with micro-batches for elements, our schedule, checkpoints of what is trained only, and our log."""

    def __init__(self, model: nn.Module, arguments: TrainingArguments, stage: Stage, data: Dataset):
        super().__init__(model, arguments, train_dataset=data, data_collator=_only)
        self.stage, self.began = stage, time.time()
        self.seen = torch.zeros(2, len(model.names), device=arguments.device)  # sums, counts since the last log

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)

    def create_scheduler(self, num_training_steps: int, optimizer=None):
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, self.stage.pace)
        return self.lr_scheduler

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        self.seen += torch.stack([outputs["sums"], outputs["counts"]])
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Write one row to `log.jsonl` beside the stage's folder: means since the row before."""
        if "loss" not in logs:  # Trainer's summary
            return
        sums, counts = self.accelerator.reduce(self.seen, "sum")
        self.seen = torch.zeros_like(self.seen)
        if not self.is_world_process_zero():
            return
        self._write({
            "learning_rate": logs["learning_rate"], "grad_norm": round(float(logs["grad_norm"]), 4),
            "loss": round(logs["loss"], 5), **self._means(sums, counts),
        })  # fmt: skip

    def _hold_out(self) -> None:
        """Write a row with the loss on `held` items of each kind that are never trained on, all in one mean.

        Beside it, how the adapter's routers use their heads there, by tower, of the kinds that this process has.
        """
        data, kinds = self.train_dataset, sorted(dict(self.stage.cycle))
        seen, tally = torch.zeros(2, len(self.model.names), device=self.args.device), Tally()
        self.model.eval()
        for kind in kinds[self.args.process_index :: self.args.world_size]:
            batch = self._prepare_inputs(data.make(data.processor, kind, list(range(HELD, HELD + self.stage.held))))
            with torch.no_grad(), self.accelerator.autocast(), trace.record(self.model) as recorder:
                outputs = self.model(kind=kind, **batch)
            seen += torch.stack([outputs["sums"], outputs["counts"]])
            tally.add(_routing(recorder.take(), (batch["segment"] >= 0).flatten().cpu().numpy()))
        sums, counts = self.accelerator.reduce(seen, "sum")
        if self.is_world_process_zero():
            routers = {tower: usage.in_short for tower, usage in tally.usage().items()}
            self._write({"held_out": round(float(sums.sum() / counts.sum()), 5), **self._means(sums, counts)}
                        | ({"routers": routers} if routers else {}))  # fmt: skip

    def _means(self, sums: Tensor, counts: Tensor) -> dict[str, float]:
        return {
            name: round(float(total / count), 4) for name, total, count in zip(self.model.names, sums, counts) if count
        }  # fmt: skip

    def _write(self, row: dict[str, Any]) -> None:
        folder = Path(self.args.output_dir)
        at = {"stage": folder.name, "step": self.state.global_step, "seconds": round(time.time() - self.began, 1)}
        with (folder.parent / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(at | row) + "\n")

    # Checkpoints hold what is trained: of a base of billions of frozen weights nothing is written.

    def _save(self, output_dir: str, state_dict: dict[str, Tensor] | None = None) -> None:
        os.makedirs(output_dir, exist_ok=True)
        state = self.model.state_dict() if state_dict is None else state_dict
        trained = {name for name, p in self.model.named_parameters() if p.requires_grad}
        save_file({name: state[name].contiguous() for name in trained}, Path(output_dir) / "model.safetensors")

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        self.model.load_state_dict(load_file(Path(resume_from_checkpoint) / "model.safetensors"), strict=False)

    def _save_checkpoint(self, model: nn.Module, trial) -> None:
        if self.stage.held:
            self._hold_out()
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            for path in filter(Path.is_file, folder.rglob("*")):
                with path.open("rb+") as file:
                    os.fsync(file.fileno())  # all of it on the disk before it is called whole
            (folder / WHOLE).touch()


def _routing(gates: Mapping[str, np.ndarray], real: np.ndarray) -> dict[str, RoutingTrace]:
    """Traces by tower, without their tokens: of the language model those of `real`, (tokens,) bool, are no padding."""
    towers: dict[str, dict[Site, np.ndarray]] = defaultdict(dict)
    for name, rows in gates.items():
        site = site_of(name)
        towers[site.tower][site] = rows[real] if site.tower == "language" else rows
    return {tower: RoutingTrace(np.stack(list(of.values())), tuple(of), ()) for tower, of in towers.items()}


def _only(elements: list[dict]) -> dict:
    """The collator: an element is a micro-batch already. By name, as workers that are not forked get it pickled."""
    [element] = elements
    return element


def _last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end; others are removed."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    whole = [path for path in found if (path / WHOLE).exists()]
    _process().wait_for_everyone()
    if _process().is_main_process:
        for path in set(found) - set(whole):
            shutil.rmtree(path)
    return str(whole[-1]) if whole else None
