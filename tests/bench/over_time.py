"""How right masks over time are, on scenes that crab-mini never saw, and what each second owes to the one before.

    python tests/bench/over_time.py [SCENES]

Every second of a scene is asked which thing in the picture sounds, and what the answer points at is cut out with GrabCut:
once from the last mask of the same thing, as `ask` does, and once each second on its own. J is the share of the area that
mask and truth have in common, of every second in which just one thing sounds and is in view; a second without a mask
counts 0. The same with the true boxes in place of the model's tells what is the segmenter's doing. Then the seconds in
which nothing that sounds is in view: in how many there is a mask all the same.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

import numpy as np  # noqa: E402

from crab import media, segment  # noqa: E402
from crab.answer import Box  # noqa: E402
from crab.ask import ask  # noqa: E402
from crab.metrics import jaccard  # noqa: E402
from crab.model import Crab  # noqa: E402
from crab.scenes.world import render, script  # noqa: E402
from crab.tasks import TASKS  # noqa: E402

SEED, SIZE = 1_000_700, (320, 240)
SMALLEST = 100  # pixels: what shows less is no truth to be held against


def main(count: int) -> None:
    crab = Crab.load(ROOT / "assets" / "crab-mini", device="cpu")
    found: dict[str, list[float]] = {}
    silent = masked = 0
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        for seed in range(SEED, SEED + count):
            scene, file = script.write(seed), Path(place, f"{seed}.mp4")
            render.write_clip(scene, file, SIZE, fps=10)
            task = TASKS["s4" if sum(bool(part.heard) for part in scene.parts) == 1 else "ms3"]
            clip = media.open_clip(file)
            *_, last = ask(crab, clip, task, segmenter=segment.GrabCut(), trace=False, over_time=True)
            true = {second: truth(scene, second + 0.5) for second in range(10)}
            cuts = {int(mask.time): mask.mask for mask in last.masks}
            frames = {second: clip.frame_at(second + 0.5) for second, mask in true.items() if mask is not None}
            for name, made in {
                "as ask cuts them": cuts,
                "each second on its own": {
                    n: one.mask
                    for n in frames
                    for one in segment.masks(segment.GrabCut(), frames[n], last.windows[n].answer, time=n)
                },
                "true boxes, one after the other": dict(zip(frames, followed(frames, true))),
                "true boxes, each on its own": {
                    n: segment.GrabCut()(frames[n], box_of(true[n]), ())[0] for n in frames
                },
            }.items():
                found.setdefault(name, []).extend(jaccard(made[n], true[n]) if n in made else 0.0 for n in frames)
            without = [n for n in true if not any(script.during(part.heard, n + 0.5) and
                                                  script.during(part.seen, n + 0.5) for part in scene.parts)]  # fmt: skip
            silent, masked = silent + len(without), masked + sum(n in cuts for n in without)
            print(f"scene {seed}, {time.perf_counter() - began:.0f} s", flush=True)
    seconds = len(next(iter(found.values())))
    print(f"{count} scenes from seed {SEED} on, {seconds} seconds with one thing that sounds and is seen, "
          f"{time.perf_counter() - began:.0f} s to ask and cut all")  # fmt: skip
    for name, shares in found.items():
        print(f"J {name}: {np.mean(shares):.3f}, at least a half in {np.mean(np.array(shares) >= 0.5):.0%} of seconds")
    print(f"a mask where nothing that sounds is in view: in {masked} of {silent} seconds")


def truth(scene: script.Scene, second: float) -> np.ndarray | None:
    """The mask of the one thing that sounds and is in view; None where there is none, several, or hardly any of it."""
    heard = [part for part in scene.parts if script.during(part.heard, second)]
    shown = [mask for part, mask in render.masks(scene, second, SIZE) if part in heard]
    return shown[0] if len(heard) == len(shown) == 1 and shown[0].sum() >= SMALLEST else None


def box_of(mask: np.ndarray) -> Box:
    x1, y1, x2, y2 = render.box(mask)
    return Box("it", float(x1), float(y1), x2 + 1.0, y2 + 1.0)


def followed(frames: dict[int, np.ndarray], true: dict[int, np.ndarray | None]) -> list[np.ndarray]:
    shots = ((frame, [segment.Pointed("it", box_of(true[n]))]) for n, frame in frames.items())
    return [cut for [(cut, _)] in segment.GrabCut().following(shots)]


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10)
