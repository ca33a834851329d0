"""What tracing costs: time of an answer with and without it, and memory at the shape of the released model.

    python tests/bench/tracing.py

Two copies of crab-mini answer a clip of assets/examples token by token in turn, one traced and one not, on two threads
or as many as OMP_NUM_THREADS says: what else the machine does disturbs both alike. The median of the answers' ratios is
told, with the middle half of them. Every answer ends after the same number of tokens.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from crab import media  # noqa: E402
from crab.ask import ask  # noqa: E402
from crab.model import Crab  # noqa: E402
from crab.tasks import TASKS  # noqa: E402

TURNS, TOKENS = 40, 60


def main() -> None:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    crabs = [Crab.load(ROOT / "assets" / "crab-mini", device="cpu") for _ in range(2)]
    for crab in crabs:
        crab.stops = frozenset()  # every answer as long as any other
    clip = media.open_clip(ROOT / "assets" / "examples" / "evening-1000412.mp4")
    made = crabs[0].prompt(clip, TASKS["avvp"])

    def generate(crab: Crab, traced: bool) -> Iterator:
        return crab.stream(made, max_new_tokens=TOKENS, trace_routing=traced)

    def answer(crab: Crab, traced: bool) -> Iterator:
        return ask(crab, clip, TASKS["avvp"], trace=traced, max_new_tokens=TOKENS)

    for name, run in (("generation", generate), ("whole answer", answer)):
        took = np.array([_one_of_each(run, crabs, first=turn % 2) for turn in range(TURNS + 2)][2:])  # two to warm up
        low, ratio, high = np.quantile(took[:, 1] / took[:, 0], [0.25, 0.5, 0.75])
        off, on = 1e3 * np.median(took, axis=0)
        print(f"{name}, {len(made.map.tokens)} positions read and {TOKENS} tokens written")
        print(f"  {off:.1f} ms untraced {on:.1f} ms traced  {ratio:.3f} x ({low:.3f} to {high:.3f})")

    lines = (ROOT / "tests" / "golden" / "published_manifest.txt").read_text().splitlines()  # "<name> 3x3584"
    routers = [line.split()[1] for line in lines if "model.model.layers." in line and ".lora_route." in line]
    heads = [int(shape.split("x")[0]) for shape in routers]
    megabytes = 1000 * sum(heads) * 4 / 1e6
    print(f"at the 7B shape: {len(heads)} sites, {megabytes:.2f} MB for 1,000 tokens of the language model (float32)")


def _one_of_each(run: Callable[[Crab, bool], Iterator], crabs: list[Crab], *, first: int) -> tuple[float, float]:
    """Seconds of an untraced and of a traced answer, given in turn; `first` is the one that begins."""
    answers = [run(crab, bool(traced)) for traced, crab in enumerate(crabs)]
    took = [0.0, 0.0]
    running = True
    while running:
        for which in (first, 1 - first):
            began = time.perf_counter()
            running = next(answers[which], None) is not None
            took[which] += time.perf_counter() - began
    return took[0], took[1]


if __name__ == "__main__":
    main()
