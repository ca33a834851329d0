"""Train crab-mini: its senses, cheap practice, whole clips, and then I-LoRA on the frozen base.

    python -m crab train --out runs/mini

Every stage writes checkpoints and goes on from the last one; item `i` of a stage is
the same scene and questions on every run.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import get_peft_model
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from crab.ilora import ILoRAConfig, checkpoint
from crab.learn import mini, senses
from crab.learn.evaluate import SCENE_SEEDS
from crab.learn.items import make_item
from crab.learn.pack import batch, sequence_loss
from crab.model import RENAMES

@dataclass(frozen=True)
class Stage:
    """One run of steps: which `kinds` of item make up a step and how many of each, and how fast to learn."""

    steps: int
    kinds: dict[str, int]
    rate: float
    warmup: int = 100


_CLIPS = {"events": 4, "answers": 2, "box": 2, "points": 2, "picture": 4}
STAGES = {
    "senses": Stage(steps=400, kinds={"hear": 8, "look": 32}, rate=1e-3, warmup=50),
    "practice": Stage(steps=900, kinds={"sound": 4, "picture": 12}, rate=1e-3),
    "clips": Stage(steps=700, kinds=_CLIPS, rate=7e-4),
    "adapter": Stage(steps=100, kinds=_CLIPS, rate=1e-3, warmup=20),
}

SAVE_EVERY = 100  # steps
ADAPTER = dict(r=8, alpha=16, heads=3, dropout=0.1)


class Practice(IterableDataset):
    """The steps of a stage from `first` on: each a dict kind -> batch. Workers take turns, so the order is fixed."""

    def __init__(self, processor, stage: Stage, seed: int, first: int):
        self.processor, self.stage, self.seed, self.first = processor, stage, seed, first

    def __iter__(self):
        torch.set_num_threads(1)
        worker = torch.utils.data.get_worker_info()
        for step in range(self.first + worker.id, self.stage.steps, worker.num_workers):
            yield {kind: self._batch(kind, range(step * n, step * n + n)) for kind, n in self.stage.kinds.items()}

    def _batch(self, kind: str, items: range) -> dict[str, Tensor]:
        numbers = [(self.seed * 100_003 + item) % SCENE_SEEDS for item in items]
        if kind in ("hear", "look"):
            return senses.make_batch(self.processor, kind, numbers)
        return batch([make_item(self.processor, kind, number) for number in numbers])


# --- the loop -------------------------------------------------------------------------------------------------------


def train(out: str | Path, *, seed: int = 0, workers: int = 1) -> None:
    """Run all stages one after the other in folder `out`; a stage that is finished is skipped, one begun goes on.

    Writes `<stage>.pt` (weights, optimiser, steps done) and `log.jsonl` (step, loss by kind, seconds).
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    reader = mini.processor(mini.tokenizer())
    thinker = mini.fresh(reader.tokenizer, seed=seed)
    thinker.set_attn_implementation("eager")  # on a CPU, for sequences this short, faster than the fused kernels
    thinker.to("cuda" if torch.cuda.is_available() else "cpu")
    for name in STAGES:
        model = {"senses": senses.Senses, "adapter": adapted}.get(name, lambda base: base)(thinker)
        run_stage(model, thinker, reader, name, out=out, seed=seed, workers=workers)


def adapted(thinker):
    """The base, frozen, with a fresh I-LoRA adapter around every site the released one adapts."""
    return get_peft_model(thinker, ILoRAConfig(**ADAPTER))


def run_stage(model, thinker, processor, name: str, *, out: Path, seed: int, workers: int) -> None:
    """Train what of `model` wants gradients for one stage, from its checkpoint if there is one."""
    stage, path, device = STAGES[name], out / f"{name}.pt", thinker.device
    weights = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=stage.rate, betas=(0.9, 0.98), weight_decay=0.01)
    done = 0
    if path.exists():
        saved = torch.load(path, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        done = saved["done"]
    model.train()
    seed = seed + 1000 * list(STAGES).index(name)
    loader = DataLoader(Practice(processor, stage, seed, done), batch_size=None, num_workers=workers, prefetch_factor=4)
    began = time.time()
    for step, batches in enumerate(loader, done):
        for group in optimiser.param_groups:
            group["lr"] = stage.rate * _pace(step, stage)
        losses = {}
        for kind, practice in batches.items():
            practice = {key: value.to(device) for key, value in practice.items()}
            with torch.autocast(device.type, torch.bfloat16):
                loss = model.loss(kind, practice) if name == "senses" else sequence_loss(thinker, practice)
            (loss / len(batches)).backward()
            losses[kind] = round(loss.item(), 4)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step % 20 == 0:
            row = {"stage": name, "step": step, "seconds": round(time.time() - began, 1), **losses}
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == stage.steps:
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "done": step + 1}
            torch.save(state, path.with_suffix(".part"))
            path.with_suffix(".part").rename(path)  # never half a checkpoint


def _pace(step: int, stage: Stage) -> float:
    """Linear warm-up, then a cosine down to a twentieth."""
    if step < stage.warmup:
        return (step + 1) / stage.warmup
    return 0.525 + 0.475 * math.cos(math.pi * (step - stage.warmup) / max(1, stage.steps - stage.warmup))


def ship(out: str | Path, folder: str | Path) -> None:
    """Write what was trained in `out` as the folder that ships: the base, `adapter/` (PEFT's format) and the published one."""
    reader = mini.processor(mini.tokenizer())
    model = adapted(mini.fresh(reader.tokenizer))
    model.load_state_dict(torch.load(Path(out) / "adapter.pt", map_location="cpu", weights_only=True)["model"])
    model.to(torch.bfloat16).save_pretrained(Path(folder) / "adapter")
    (Path(folder) / "adapter" / "README.md").unlink()  # PEFT's empty form; ours stands one folder up
    checkpoint.save_published(model, Path(folder) / "finetune_weights.bin", renames=RENAMES)
    mini.save(model.unload(), reader, folder)
