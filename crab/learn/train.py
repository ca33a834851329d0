"""Train crab-mini by stages, and I-LoRA adapters on it or on any other base, with `transformers.Trainer`.

    python -m crab train --base senses --out runs/mini     then practice, speaks
    python -m crab train --out runs/mini                   I-LoRA on the frozen result
    python -m crab train --data DIR --model M --out DIR    I-LoRA on any base, with records of the published layout

With several processes, `torchrun --nproc-per-node N -m crab train …` (or `accelerate launch --multi_gpu`), to the same
result (`crab.learn.loop`). Every stage goes on from its last checkpoint; micro-batch `i` of a stage is the same on
every run.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import torch
from peft import PeftModel, get_peft_model
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.data import Dataset
from transformers import Qwen2_5OmniProcessor

from crab import CrabError, avuie, prompt
from crab.ilora import ILoRAConfig, checkpoint
from crab.learn import mini, senses
from crab.learn.evaluate import SCENE_SEEDS
from crab.learn.items import make_item
from crab.learn.loop import SAVE_EVERY, Answering, Sensing, Stage, run, whole
from crab.learn.pack import batch, join, ten_of
from crab.learn.processes import device, process
from crab.loading import RENAMES
from crab.model import Crab

# PEFT asks transformers for a property that has been renamed: nothing the person can do about.
warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)

PER_STEP = 8  # sequences of published records in a step: what the released script had on its two GPUs
QUESTIONS = 4  # in one such sequence, at most
WEIGHTS = "weights.safetensors"  # of a finished stage


# Neighbours cost about the same, so that two processes that share a step's micro-batches seldom wait for each other.
_SPEAKS = (
    ("films", 2), ("sounds", 2), ("film", 2), ("film", 2), ("glimpses", 3), ("still", 3), ("moment", 4), ("mood", 2),
    ("deed", 1), ("hear", 3), ("see", 8), ("say", 24),
)  # fmt: skip
_TASKS = (
    ("a2v", 2), ("v2a", 2), ("answers", 3), ("choices", 3), ("events", 3), ("refers", 3), ("box", 4), ("points", 4),
    ("emotion", 2), ("action", 1),
)  # fmt: skip
# More of what takes two things together: whose film a sound is, whether there is what is described, whether it sounds.
_CONCLUDES = (
    ("a2v, decided", 2), ("v2a, decided", 2), ("answers, decided", 3), ("choices, decided", 2), ("events", 2),
    ("refers, decided", 3), ("box", 4), ("points", 4), ("emotion", 1), ("action", 1),
)  # fmt: skip
STAGES = {
    "senses": Stage(steps=2400, kinds=(("look", 16), ("look", 16), ("hear", 4), ("hear", 4)), rate=1e-3, warmup=50),
    "practice": Stage(
        steps=800, kinds=(("see", 8), ("see", 8), ("hear", 4), ("hear", 4), ("say", 24), ("say", 24)), rate=1e-3
    ),
    "speaks": Stage(steps=1200, kinds=_SPEAKS, rate=8e-4),
    "adapter": Stage(steps=1200, kinds=_TASKS, rate=2e-3, held=4),
    "concludes": Stage(steps=600, kinds=_CONCLUDES, rate=1e-3, held=4),
}
BASE = ("senses", "practice", "speaks")  # each begins with the weights of the one before, as does
ADAPTERS = ("adapter", "concludes")  # the second of these
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
    processor = _processor(out)
    earlier = BASE[: BASE.index(name)][-1:]
    thinker = _thinker(out, processor, *earlier, seed=seed)
    # The encoders learn first and then stay as they are: what a language model that knows nothing yet sends back to
    # them destroys what they have learned to see.
    thinker.requires_grad_(name != "senses")
    for tower in (thinker.model.audio_tower, thinker.model.visual):
        tower.requires_grad_(name == "senses")
    if name == "senses":
        model = Sensing(senses.Senses(thinker), tuple(dict(STAGES[name].cycle)))
    else:
        model = Answering(thinker, ten=ten_of(processor.tokenizer))
    data = Scenes(
        processor, STAGES[name], senses.make_batch if name == "senses" else make_batch, seed=_seed(seed, name)
    )
    run(model, data, STAGES[name], out / name, seed=_seed(seed, name))
    if process().is_main_process:
        # In the format that ships, so that the next stage, the adapter too, learns around the very weights it will meet.
        save_file({key: value.to(torch.bfloat16) for key, value in thinker.state_dict().items()}, out / name / "part")
        (out / name / "part").replace(out / name / WEIGHTS)  # never half of it
    process().wait_for_everyone()


def train_adapter(out: str | Path, *, seed: int = 0) -> None:
    """Train I-LoRA on scenes around the frozen base, `out/speaks`, through the stages `ADAPTERS`.

    Each writes to `out/<stage>` both PEFT's folder and the published `finetune_weights.bin`, on the way `checkpoint-N`,
    and rows to `log.jsonl`; one that is finished is left alone. Raises CrabError if there is no such base.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for before, name in zip((None, *ADAPTERS), ADAPTERS):
        if (out / name / "finetune_weights.bin").exists():
            continue
        processor = _processor(out)
        thinker = _thinker(out, processor, BASE[-1], seed=seed)
        if before is None:
            model = adapted(thinker, ILoRAConfig(**ADAPTER), seed=seed)
        else:
            model = PeftModel.from_pretrained(thinker, out / before, is_trainable=True)
        data = Scenes(processor, STAGES[name], make_batch, seed=_seed(seed, name))
        run(Answering(thinker, ten=ten_of(processor.tokenizer)), data, STAGES[name], out / name,
            seed=_seed(seed, name))  # fmt: skip
        save_adapter(model.to(torch.bfloat16), out / name)  # as `train_base` does, in the format that ships


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

    crab = Crab.load(model, device=device())
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
    """Write an adapter to `folder` as PEFT does, and then as published (`finetune_weights.bin`).

    Of one that lies in shards (FSDP) every process has the whole afterwards, and the base stays as it lies.
    """
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            if isinstance(weight, DTensor) and weight.requires_grad:
                setattr(module, name, nn.Parameter(whole(weight)))
    if process().is_main_process:
        model.save_pretrained(folder)
        (folder / "README.md").unlink()  # PEFT's empty form
        checkpoint.save_published(model, folder / "part", renames=RENAMES)
        (folder / "part").replace(folder / "finetune_weights.bin")
    process().wait_for_everyone()


def ship(out: str | Path, folder: str | Path) -> None:
    """Write what was trained in `out` as the folder that ships: base, `adapter/` (PEFT's format), the published file, and
    the log of the run (`training.jsonl`)."""
    out, folder = Path(out), Path(folder)
    processor = _processor(out)
    model, _ = checkpoint.attach(_thinker(out, processor, BASE[-1]), out / ADAPTERS[-1], drop_silent=False)
    save_adapter(model.to(torch.bfloat16), folder / "adapter")
    if process().is_main_process:
        (folder / "adapter" / "finetune_weights.bin").replace(folder / "finetune_weights.bin")
        mini.save(model.unload(), processor, folder)
        copyfile(out / "log.jsonl", folder / "training.jsonl")
        for name in ("confidence.json", "confidence.svg"):  # of the model that was there
            (folder / name).unlink(missing_ok=True)
    process().wait_for_everyone()


def _seed(seed: int, name: str) -> int:
    return seed + 1000 * list(STAGES).index(name)


def _processor(out: Path) -> Qwen2_5OmniProcessor:
    """The processor of a run: made by its first stage and kept, since a change of the scenes' words would change it."""
    folder = out / "processor"
    with process().main_process_first():
        if not folder.exists():
            mini.processor(mini.tokenizer()).save_pretrained(out / "processor.part")
            (out / "processor.part").replace(folder)
    return Qwen2_5OmniProcessor.from_pretrained(folder)


def _thinker(out: Path, processor: Qwen2_5OmniProcessor, *stage: str, seed: int = 0):
    """crab-mini as a finished `stage` left it, or fresh if none is named."""
    thinker = mini.fresh(processor.tokenizer, seed=seed)
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
