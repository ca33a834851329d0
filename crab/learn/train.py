"""Train crab-mini: its senses, cheap practice, whole clips, and then I-LoRA on the frozen base.

    python -m crab train --out runs/mini

Several questions of one clip share one sequence: the clip's tokens stand once at its start, every question sees them
and itself, never its neighbours. Every stage writes checkpoints and goes on from the last one; item `i` of a stage is
the same scene and questions on every run.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from peft import get_peft_model
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from crab import prompt, tasks
from crab.ilora import ILoRAConfig, checkpoint
from crab.learn import mini, senses
from crab.learn.evaluate import SCENE_SEEDS
from crab.media import SAMPLE_RATE
from crab.model import RENAMES
from crab.prompt import Media, Stretch
from crab.scenes import questions, render, script
from crab.tasks import TASKS

FRAME_TIMES = tuple(float(i) / 25 for i in np.rint(np.linspace(0, 249, 10)))  # the ten frames of a 25 fps clip


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
SPREAD = 2.0  # units of the 224 grid: how near a coordinate counts as nearly right
ADAPTER = dict(r=8, alpha=16, heads=3, dropout=0.1)


# --- items ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Item:
    """One clip with its questions as one sequence. `segment` 0 is the clip, 1, 2, … its questions; labels -100 = not asked."""

    inputs: dict[str, Tensor]  # the clip's own: input_ids (1, prefix), pixels, mel
    ids: Tensor  # (tokens,)
    labels: Tensor  # (tokens,)
    segment: Tensor  # (tokens,)


def make_item(processor, kind: str, number: int) -> Item:
    """Item `number` of a kind: the scene of that seed, as the model is to see it, and what it is asked."""
    rng = np.random.default_rng([number, *kind.encode()])
    if kind == "picture":
        scene = script.write_picture(number)
        asked = questions.ask_picture(scene, rng)
        seen = Media(picture=render.frame(scene, 0.0, (mini.FRAME_SIZE, mini.FRAME_SIZE)))
        return pack(processor, seen, _few(asked, rng, 3), media=("image",))
    if kind == "sound":
        scene = script.write_sound(number)
        return pack(processor, _heard(scene, TASKS["ave"]), _few(questions.ask_sound(scene, rng), rng, 2), media=("audio",))
    scene = script.write(number)
    asked = questions.ask(scene, rng)
    wanted = {"events": ("ave", "avvp", "avcap"), "answers": ("avqa",), "box": ("arig",), "points": ("s4",)}[kind]
    asked = [q for q in asked if q.dataset in wanted]
    if not asked:  # nothing to point at in this scene: practise on another
        return make_item(processor, kind, number + 7_000_003)
    if kind in ("box", "points"):
        one = asked[int(rng.integers(len(asked)))]
        return pack(processor, _still(scene, TASKS[one.dataset], one.time), [one])
    sound = _heard(scene, TASKS[asked[0].dataset])
    frames = np.stack([render.frame(scene, t, (mini.FRAME_SIZE, mini.FRAME_SIZE)) for t in FRAME_TIMES])
    return pack(processor, replace(sound, videos=(frames,), times=FRAME_TIMES, sources=(0,) * 10), _few(asked, rng, 4))


def _few(asked: list, rng: np.random.Generator, n: int) -> list:
    return [asked[i] for i in rng.permutation(len(asked))[:n]]


def _heard(scene, task: tasks.Task) -> Media:
    samples, stretches = prompt.apply_plan(render.sound(scene), task.sound)
    return Media(sound=samples, stretches=tuple(stretches))


def _still(scene, task: tasks.Task, second: float) -> Media:
    start, end, index = prompt.around_still(second, scene.duration, task.sound)
    sound = render.sound(scene)[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    samples, _ = prompt.apply_plan(sound, task.sound, index=index)
    picture = render.frame(scene, second, (mini.FRAME_SIZE, mini.FRAME_SIZE))
    return Media(sound=samples, stretches=(Stretch(start, len(samples)),), picture=picture, picture_time=second)


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


# --- loss -----------------------------------------------------------------------------------------------------------


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
