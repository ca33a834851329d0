"""The transfer laboratory: does training tasks together help or hurt them, and what makes it help?

    python -m crab transfer --out runs/transfer --quick

Every arm of `crab.learn.arms` is trained around one frozen base on the same drawn clips (`crab.learn.features`) and
tested on the same unseen ones. A run goes through its items a number of times, its rate falling along a cosine to the
end; that number is doubled, each time in a fresh run, until the loss on held-out scenes stops falling. So the first
run of an arm is the one at equal samples, and the one of the lowest loss the one trained until it stops improving.

Runs are queued: what stands in `results.json` is not done again, a run that was broken off goes on from its last
checkpoint, one that fails is listed and tried again the next time. With several processes (`accelerate launch`) each
run is shared by all of them, as every training here is.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import broadcast_object_list
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from crab import CrabError, answer
from crab.learn import loop
from crab.learn.arms import ARMS, attach, learner, trainable
from crab.learn.evaluate import BATCH, SCENE_SEEDS
from crab.learn.features import SUBJECTS, Features, hand_on
from crab.learn.loop import HELD, Answering, Stage
from crab.learn.pack import batch, ten_of
from crab.learn.processes import dealt, device, joined, process
from crab.model import Crab
from crab.prompt import Prompt, collate
from crab.routing import lab
from crab.routing.effects import near
from crab.routing.lab import Cosines, Failed, Results, Row
from crab.tasks import TASKS

FIRST = 500_000  # scenes from here on were in no stage of the base
RESULTS = "results.json"
LONGEST = 160  # tokens of an answer: the longest target here has some 130
RATE = 2e-3  # of crab-mini's own adapter
SAVE_EVERY = 20  # steps


@dataclass(frozen=True)
class Size:
    """How large a laboratory is."""

    items: int  # clips of a task to train on, each with all its questions; a multiple of `a_step`
    a_step: int  # of these in a step, of each task that is trained on
    held: int  # clips of a task that a loss is held out on
    tested: int  # clips of a task that are asked about
    most: int  # rounds at most: 1, 2, 4, … of them are tried
    tasks: tuple[str, ...] = tuple(SUBJECTS)

    def steps(self, rounds: int) -> int:
        return rounds * self.items // self.a_step


FULL = Size(items=1200, a_step=4, held=48, tested=200, most=8)
# Many small steps: what an adapter needs first is to be moved often, and on a CPU a step costs what its clips cost.
QUICK = Size(items=128, a_step=1, held=12, tested=32, most=4)


@dataclass(frozen=True)
class Run:
    """One training: an arm on one task, or on all (""), through its items `rounds` times."""

    arm: str
    on: str
    seed: int
    rounds: int

    @property
    def key(self) -> tuple[str, str, int, int]:
        return self.arm, self.on, self.seed, self.rounds

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.arm.replace(" ", "_"), self.on, f"seed{self.seed}", f"x{self.rounds}")))


# --- the queue ------------------------------------------------------------------------------------------------------


def transfer(out: str | Path, model: str, size: Size, seeds: Mapping[str, Sequence[int]]) -> Results:
    """Do what is not done yet of these arms, each with its seeds, in folder `out`, and return all that is there.

    A seed of all arms comes before the next. Writes `results.json` after every run. Raises CrabError where `out` was
    begun with another base or size, and as loading the base does.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    results = _begun(out / RESULTS, model, size)
    workshop = Workshop.set_up(out, model, size)
    for turn in range(max(map(len, seeds.values()), default=0)):
        for name, of in seeds.items():
            for on in size.tasks if ARMS[name].alone else ("",):
                if turn < len(of):
                    _ladder(workshop, results, name, on, of[turn])
    return results


def _begun(path: Path, model: str, size: Size) -> Results:
    about = json.loads(json.dumps(asdict(size)))
    if not path.exists():
        return Results(Path(model).name, about, {name: arm.words for name, arm in ARMS.items()})
    results = lab.load(path)
    if (results.model, results.size) != (Path(model).name, about):
        raise CrabError(
            f"{path} was begun with another base or another size: give another --out, or what it was begun with."
        )
    return results


def _ladder(workshop: Workshop, results: Results, arm: str, on: str, seed: int) -> None:
    """Twice the rounds, and twice, as long as that lowers the held-out loss."""
    best, rounds = float("inf"), 1
    while rounds <= workshop.size.most:
        run = Run(arm, on, seed, rounds)
        if not results.of_run(run.key):
            _do(workshop, results, run)
        rows = results.of_run(run.key)
        if not rows or rows[0].held_out >= best:
            return
        best, rounds = rows[0].held_out, 2 * rounds


def _do(workshop: Workshop, results: Results, run: Run) -> None:
    results.failed = [one for one in results.failed if (one.arm, one.on, one.seed, one.rounds) != run.key]
    try:
        rows, cosines = workshop.do(run)
    except Exception as error:  # of a queue of days, one run costs itself only
        if process().num_processes > 1:  # the others are waiting in the middle of it
            raise
        traceback.print_exc()
        results.failed.append(Failed(*run.key, f"{type(error).__name__}: {error}"))
    else:
        results.rows += rows
        results.cosines += [cosines] if cosines else []
    if process().is_main_process:
        lab.save(results, workshop.out / RESULTS)
    process().wait_for_everyone()


# --- one run --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lessons(Dataset):
    """The micro-batches of a run in order: in every step of each of its tasks `a_step` clips, in one micro-batch a
    process. Every round has all items once, in an order of its own."""

    features: Features
    run: Run
    tasks: tuple[str, ...]
    size: Size
    processes: int = field(kw_only=True)

    @property
    def cycle(self) -> tuple[tuple[str, int], ...]:
        """The micro-batches of a step. Raises CrabError where a step's clips cannot be dealt out evenly."""
        if self.size.a_step % self.processes:
            raise CrabError(f"A step has {self.size.a_step} clips of a task, which {self.processes} processes cannot "
                            "share evenly: start a number of processes that divides it.")  # fmt: skip
        return tuple((task, self.size.a_step // self.processes) for task in self.tasks for _ in range(self.processes))

    def __len__(self) -> int:
        return self.size.steps(self.run.rounds) * len(self.cycle)

    def numbers(self, i: int) -> tuple[str, list[int]]:
        """The task of micro-batch `i`, and its clips."""
        step, place = divmod(i, len(self.cycle))
        task, n = self.cycle[place]
        first = step * self.size.a_step + place % self.processes * n
        epoch, at = divmod(first, self.size.items)
        order = np.random.default_rng([self.run.seed, epoch, *task.encode()]).permutation(self.size.items)
        return task, [FIRST + int(number) for number in order[at : at + n]]

    def __getitem__(self, i: int) -> dict:
        task, numbers = self.numbers(i)
        return {"kind": task, **_batch(self.features, task, numbers, concise=ARMS[self.run.arm].concise)}


def _batch(features: Features, task: str, numbers: Sequence[int], *, concise: bool) -> dict[str, Tensor]:
    clips = (features.clip(task, number) for number in numbers)
    return batch([clip.item(features.processor, concise=concise) for clip in clips])


@dataclass(frozen=True)
class Workshop:
    """The frozen base, and the features of all clips."""

    out: Path
    crab: Crab  # without an adapter
    features: Features
    size: Size

    @classmethod
    def set_up(cls, out: Path, model: str, size: Size) -> Workshop:
        """Load the base and encode what is not encoded yet."""
        crab = Crab.load(model, device=device(), dtype=torch.float32)
        thinker = crab.model.unload() if crab.adapter else crab.thinker  # a folder may bring an adapter of its own
        thinker.requires_grad_(False)
        features = Features(out / "features", crab.processor)
        wanted = [(task, number) for task in size.tasks for start, n in (
            (FIRST, size.items), (HELD, size.held), (SCENE_SEEDS, size.tested)) for number in range(start, start + n)]  # fmt: skip
        missing = [one for one in wanted if not features.path(*one).exists()]
        process().wait_for_everyone()  # all have looked before the first writes
        mine = dealt(missing, 1)
        for task, number in tqdm(mine, unit=" clips", disable=not mine):
            features.keep(thinker, task, number, frame_size=crab.about.frame_size)
        process().wait_for_everyone()
        hand_on(thinker)
        return cls(out, Crab(thinker, crab.processor, crab.about), features, size)

    def do(self, run: Run) -> tuple[list[Row], Cosines | None]:
        """Train, save the adapter in `runs/<name>`, and test it: a row a task."""
        folder, arm = self.out / "runs" / run.name, ARMS[run.arm]
        tasks = (run.on,) if run.on else self.size.tasks
        data = Lessons(self.features, run, tasks, self.size, processes=process().num_processes)
        steps = self.size.steps(run.rounds)
        stage = Stage(steps, data.cycle, rate=RATE, warmup=max(1, min(50, steps // 10)), save=SAVE_EVERY)
        adapter = attach(self.crab.thinker, arm, seed=run.seed)
        try:
            weights, ten = trainable(adapter), ten_of(self.crab.processor.tokenizer)
            earlier, began, peak = _logged(folder), time.time(), watched_peak()
            loop.run(learner(adapter, arm, ten=ten), data, stage, folder, seed=run.seed)
            seconds, memory = earlier + time.time() - began, peak()
            if process().is_main_process:
                adapter.save_pretrained(folder / "adapter")
            process().wait_for_everyone()
            file = (folder / "adapter" / "adapter_model.safetensors").stat().st_size
            # Of one process, so that all go on alike.
            told = [self._held_out(Answering(adapter.get_base_model(), ten=ten).eval(), run, tasks)
                    if process().is_main_process else None]  # fmt: skip
            [(held_out, cosines)] = broadcast_object_list(told)
            made = Crab(adapter, self.crab.processor, self.crab.about)
            rows = [
                Row(*run.key, task, self._tested(made, task), held_out, steps, steps * self.size.a_step * len(tasks),
                    round(seconds, 1), memory, weights, file, self._among_others(made, task))
                for task in _tested_on(tasks, self.size.tasks)
            ]  # fmt: skip
        finally:
            adapter.unload()
            self.crab.thinker.requires_grad_(False)
        if process().is_main_process:
            for path in folder.glob("checkpoint-*"):
                shutil.rmtree(path)
        return rows, cosines

    def _tested(self, crab: Crab, task: str) -> tuple[float, ...]:
        """How near the answers about the clips to test are, 0 to 1 each (`effects.near`)."""
        numbers = range(SCENE_SEEDS, SCENE_SEEDS + self.size.tested)
        mine, found = dealt(numbers, BATCH), []
        for start in range(0, len(mine), BATCH):
            clips = [self.features.clip(task, number) for number in mine[start : start + BATCH]]
            written = crab.generate([clip.prompt(crab.processor) for clip in clips], max_new_tokens=LONGEST)
            for asked, one in zip((clip.asked[0] for clip in clips), written):
                said = answer.parse(crab.decode(one.token_ids), TASKS[asked.dataset])
                found.append(round(near(said, asked.reference), 4))
        return tuple(joined(found, len(numbers), BATCH))

    def _among_others(self, crab: Crab, task: str) -> float:
        numbers = range(SCENE_SEEDS, SCENE_SEEDS + min(BATCH, self.size.tested))
        return moved_by_others(crab, [self.features.clip(task, number).prompt(crab.processor) for number in numbers])

    def _held_out(self, model: torch.nn.Module, run: Run, tasks: Sequence[str]) -> tuple[float, Cosines | None]:
        """The loss on held-out clips, the mean over tasks, as each counts as much as another; of a joint adapter also
        how its tasks' gradients lie to each other."""
        losses, gradients = [], []
        weights = [p for p in model.parameters() if p.requires_grad]
        half = max(1, self.size.held // 2)
        for task in tasks:
            sums = torch.zeros(2)
            for start in range(0, self.size.held, half)[:2]:
                numbers = range(HELD + start, HELD + min(start + half, self.size.held))
                gradient = torch.zeros(sum(p.numel() for p in weights))
                for some in (numbers[i : i + 4] for i in range(0, len(numbers), 4)):
                    given = _batch(self.features, task, some, concise=ARMS[run.arm].concise)
                    with torch.set_grad_enabled(not run.on):
                        found = model(**{name: value.to(process().device) for name, value in given.items()})
                        tokens = found["counts"].sum().item()
                        if not run.on:
                            parts = torch.autograd.grad(found["loss"] * tokens, weights)
                            gradient += torch.cat([part.flatten() for part in parts]).float().cpu()
                    sums += torch.tensor([found["sums"].sum().item(), tokens])
                gradients.append(gradient)
            losses.append(float(sums[0] / sums[1]))
        if run.on:
            return float(np.mean(losses)), None
        values = cosines_of(torch.stack(gradients).unflatten(0, (len(tasks), -1)))
        rounded = tuple(tuple(round(float(value), 4) for value in row) for row in values)
        return float(np.mean(losses)), Cosines(run.arm, run.seed, run.rounds, tuple(tasks), rounded)


@torch.inference_mode()
def moved_by_others(crab: Crab, prompts: Sequence[Prompt]) -> float:
    """How far the first prompt's logits, before its first word, move when the others are asked along with it: the
    largest difference. An answer that does not depend on its neighbours moves by rounding alone."""
    pad, alone, among = crab.processor.tokenizer.pad_token_id, prompts[:1], prompts
    with crab._last_scores():
        logits = [crab.model(**crab._on_device(collate(list(some), pad=pad)), use_cache=False).logits[0, -1]
                  for some in (alone, among)]  # fmt: skip
    return float((logits[0] - logits[1]).abs().max())


def cosines_of(gradients: Tensor) -> np.ndarray:
    """Of gradients (tasks, halves, weights): the mean cosine of the halves of two tasks, and on the diagonal that of a
    task's two halves, (tasks, tasks)."""
    tasks, halves, _ = gradients.shape
    unit = torch.nn.functional.normalize(gradients.flatten(0, 1), dim=1)
    between = (unit @ unit.T).unflatten(0, (tasks, halves)).unflatten(2, (tasks, halves)).permute(0, 2, 1, 3)
    found = between.mean(dim=(2, 3))  # (tasks, tasks)
    for task in range(tasks):
        own = between[task, task]
        found[task, task] = (own.sum() - own.trace()) / max(1, halves * (halves - 1))
    return found.numpy()


def _tested_on(trained: tuple[str, ...], tasks: tuple[str, ...]) -> tuple[str, ...]:
    """The tasks an adapter is tested on: its own, and of an adapter of one task those of the same form of answer."""
    forms = {TASKS[task].grammar for task in trained}
    return tuple(task for task in tasks if TASKS[task].grammar in forms)


def _logged(folder: Path) -> float:
    """Seconds that a run took before it was broken off, by what it logged: at most some steps too few."""
    log = folder.parent / "log.jsonl"
    total = last = 0.0
    for row in map(json.loads, log.read_text(encoding="utf-8").splitlines()) if log.exists() else ():
        if row["stage"] == folder.name:
            total += last if row["seconds"] < last else 0.0  # begun anew
            last = row["seconds"]
    return total + last


def watched_peak() -> Callable[[], int | None]:
    """From now on, the most memory in use at once, in bytes: of the GPU where there is one, else of this process.

    None where the system cannot be told to begin anew.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.max_memory_allocated
    if sys.platform != "linux":
        return lambda: None
    status = Path("/proc/self/status")
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak
    except OSError:
        return lambda: None

    def peak() -> int | None:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        line = next((line for line in lines if line.startswith("VmHWM:")), None)
        return int(line.split()[1]) * 1024 if line else None

    return peak
