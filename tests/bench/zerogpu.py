"""What a step of an answer weighs on its way from a fork to the page, as it was (whole results) and as it is (steps).

    python tests/bench/zerogpu.py

crab-mini answers a clip of ten seconds and every step is pickled, as ZeroGPU's client does; then the same for router
weights of the released model's shape, of a usual prompt and a hundred tokens. Steps are not merged by the clock here,
so that every run counts the same: merged, they weigh less.
"""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from crab import media, prompt  # noqa: E402
from crab.ask import ask  # noqa: E402
from crab.model import Crab, site_of  # noqa: E402
from crab.prompt import Prompt  # noqa: E402
from crab.step import Step, grown  # noqa: E402
from crab.tasks import TASKS  # noqa: E402
from crab.trace import RoutingTrace, Site  # noqa: E402

WRITTEN = 100  # tokens


def main() -> None:
    crab = Crab.load(ROOT / "assets" / "crab-mini", device="cpu")
    clip = media.open_clip(ROOT / "assets" / "examples" / "evening-1000412.mp4")
    task = TASKS["avvp"]
    made = crab.prompt(clip, task)
    steps = crab.stream(made, trace_routing=True)
    _tell("crab-mini, avvp", [_bytes(one) for one in ask(crab, clip, task)], [_bytes(one) for one in steps], made)

    # The released shape: every site of the published adapter, and as many positions as its towers read.
    made = prompt.build(crab.processor, clip, task, frame_size=224)
    lines = (ROOT / "tests" / "golden" / "published_manifest.txt").read_text().splitlines()
    names = [line.split(".lora_route")[0].removeprefix("base_model.model.") for line in lines if ".lora_route." in line]
    sites = [site_of(f"language_{name}" if name.startswith("model.") else name) for name in names]
    routing, before, after = None, [], []
    for number in range(WRITTEN):
        new = {tower: _trace(tower, sites, made, first=number == 0) for tower in ("language", "audio", "vision")}
        new = {tower: trace for tower, trace in new.items() if number == 0 or tower == "language"}
        routing = grown(routing, new)
        before.append(_bytes(routing))
        after.append(_bytes(Step("word", (number,), new)))
    _tell(f"the released shape, {len(sites)} sites", before, after, made)


def _trace(tower: str, sites: list[Site], made: Prompt, *, first: bool) -> RoutingTrace:
    own = tuple(site for site in sites if site.tower == tower)
    read = {"language": made.map.tokens, "audio": made.map.audio, "vision": made.map.vision}[tower]
    read = read if first else read[:1]
    return RoutingTrace(np.random.default_rng(0).random((len(own), len(read), 3), np.float32), own, read)


def _bytes(one: object) -> int:
    return len(pickle.dumps(one))


def _tell(what: str, before: list[int], after: list[int], made: Prompt) -> None:
    print(f"{what}: {len(made.map.tokens)} positions, {len(after)} steps")
    for name, sizes in (("whole results", before), ("what is new", after)):
        print(f"  {name:14} {sum(sizes) / 1e6:8.2f} MB in all, the first {sizes[0] / 1e6:.2f} MB, "
              f"the last {sizes[-1] / 1e3:.1f} kB")  # fmt: skip


if __name__ == "__main__":
    main()
