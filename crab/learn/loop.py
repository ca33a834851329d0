"""A stage of training with `transformers.Trainer`: micro-batches for elements, checkpoints of what is trained, our log.

With several processes the result is that of one: a step is a fixed cycle of micro-batches, dealt out in turn, and its
loss the mean over all answer tokens in them. A stage goes on from its last whole checkpoint.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.tensor import DTensor
from torch.utils.data import Dataset, SequentialSampler
from transformers import Trainer, TrainingArguments

from crab import CrabError
from crab.ilora import trace
from crab.learn import senses
from crab.learn.pack import NAMES, answer_losses
from crab.learn.processes import process
from crab.model import site_of
from crab.routing.sites import Tally
from crab.trace import RoutingTrace, Site

SAVE_EVERY = 100  # steps
LOG_EVERY = 10  # steps; SAVE_EVERY is a multiple, so that a run taken up again logs the same means
# Autocast only where the hardware computes in it: on a processor that emulates it a step takes nine times as long.
_PROCESSOR: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # not every torch can tell
BF16 = torch.cuda.is_available() or any(_PROCESSOR.get(name) for name in ("amx_bf16", "avx512_bf16"))
HELD = 2_000_000  # from here on are the scenes that a loss is held out on: neither trained on nor evaluated
WHOLE = "whole"  # a file in a checkpoint that is not half written


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


def whole(weight: Tensor) -> Tensor:
    """A weight that lies in shards on several processes as one tensor, on each of them; any other as it is."""
    return (weight.full_tensor() if isinstance(weight, DTensor) else weight).detach()


# --- the loop -------------------------------------------------------------------------------------------------------


def run(model: nn.Module, data: Dataset, stage: Stage, folder: Path, *, seed: int) -> None:
    """Train what of `model` wants gradients for one stage, from its last whole checkpoint in `folder` if there is one.

    Raises CrabError if the micro-batches of a step cannot be dealt out evenly to the processes there are.
    """
    processes = process().num_processes
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
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))


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

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        trained = {name: whole(p).contiguous() for name, p in self.model.named_parameters() if p.requires_grad}
        if self.args.should_save:
            folder = Path(output_dir or self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            save_file(trained, folder / "model.safetensors")

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        trained = load_file(Path(resume_from_checkpoint) / "model.safetensors")
        if self.is_fsdp_enabled:  # every process reads all, and keeps its shards
            set_model_state_dict(self.model, trained, options=StateDictOptions(full_state_dict=True, strict=False))
        else:
            self.model.load_state_dict(trained, strict=False)

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


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end; others are removed."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    whole = [path for path in found if (path / WHOLE).exists()]
    process().wait_for_everyone()
    if process().is_main_process:
        for path in set(found) - set(whole):
            shutil.rmtree(path)
    return str(whole[-1]) if whole else None
