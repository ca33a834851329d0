"""What tracing costs: time of an answer with and without it, and memory at the shape of the released model.

    python tests/bench_trace.py

crab-mini answers a clip of assets/examples, tracing on and off in turn, on two threads or as many as OMP_NUM_THREADS
says. Of each the fastest turn counts, so that other work on the machine disturbs both alike; processor time is told
beside the clock's, because a machine with other work shares out the clock's time as it likes. Every turn ends after the
same number of tokens.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from crab import media  # noqa: E402
from crab.ask import ask  # noqa: E402
from crab.model import Crab  # noqa: E402
from crab.tasks import TASKS  # noqa: E402

TURNS, TOKENS = 8, 60


def main() -> None:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    crab = Crab.load(ROOT / "assets" / "crab-mini", device="cpu")
    crab.stops = frozenset()  # every turn as long as any other
    clip = media.open_clip(min((ROOT / "assets" / "examples").glob("*.mp4")))
    made = crab.prompt(clip, TASKS["avvp"])

    def generate(traced: bool) -> None:
        for _ in crab.stream(made, max_new_tokens=TOKENS, trace_routing=traced):
            pass

    def answer(traced: bool) -> None:
        for _ in ask(crab, clip, TASKS["avvp"], trace=traced, max_new_tokens=TOKENS):
            pass

    for name, run in (("generation", generate), ("whole answer", answer)):
        fastest = {traced: [float("inf")] * 2 for traced in (False, True)}
        run(True)
        for turn in range(2 * TURNS):
            traced = turn % 4 in (1, 2)  # off, on, on, off: neither always follows the other
            clock, processor = time.perf_counter(), time.process_time()
            run(traced)
            took = time.perf_counter() - clock, time.process_time() - processor
            fastest[traced] = [min(pair) for pair in zip(fastest[traced], took)]
        print(f"{name}, {len(made.map.tokens)} positions read and {TOKENS} tokens written")
        for i, kind in enumerate(("clock", "processor")):
            off, on = fastest[False][i], fastest[True][i]
            print(f"  {kind:10} {1e3 * off:8.1f} ms untraced {1e3 * on:8.1f} ms traced  {on / off:.3f} x")

    lines = (ROOT / "tests" / "golden" / "published_manifest.txt").read_text().splitlines()  # "<name> 3x3584"
    routers = [line.split()[1] for line in lines if "model.model.layers." in line and ".lora_route." in line]
    heads = [int(shape.split("x")[0]) for shape in routers]
    megabytes = 1000 * sum(heads) * 4 / 1e6
    print(f"at the 7B shape: {len(heads)} sites, {megabytes:.2f} MB for 1,000 tokens of the language model (float32)")


if __name__ == "__main__":
    main()
