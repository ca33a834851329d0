"""How right a long clip's events are, in windows, beside the same scenes asked one by one; what it takes.

    python tests/bench/windows.py [SCENES]

Scenes that crab-mini never saw are drawn (18 are three minutes), joined, and asked about events: each alone, and all as
one clip, in windows that end at its cuts and in windows that do not look for them. F counts events at a temporal IoU of
0.5. Then one minute and ten of the same scenes: peak memory of this process, router weights traced, and seconds until
the first word and until the first window is over. Every run is a process of its own, since a peak does not fall.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from making import event_f, joined  # noqa: E402

from crab import media, windows  # noqa: E402
from crab.ask import ask  # noqa: E402
from crab.model import Crab  # noqa: E402
from crab.scenes.world import render, script  # noqa: E402
from crab.tasks import TASKS  # noqa: E402
from crab.truth import Drawn, found, truth  # noqa: E402

SEED, TASK, SIZE = 1_000_600, TASKS["avvp"], (224, 168)


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        seeds = range(SEED, SEED + count)
        files = [Path(place, f"{seed}.mp4") for seed in seeds]
        for seed, file in zip(seeds, files):
            render.write_clip(script.write(seed), file, SIZE, fps=10)
        scenes = [media.open_clip(file) for file in files]
        true = [moved(truth(found(Drawn("objects", seed), TASK, "", 0.0), SIZE), i) for i, seed in enumerate(seeds)]
        true = [event for of in true for event in of]
        crab = Crab.load(ROOT / "assets" / "crab-mini", device="cpu")
        alone = [event for i, scene in enumerate(scenes) for event in moved(answer(crab, scene), i)]
        whole = media.open_clip(joined(Path(place, "whole.mp4"), scenes))
        print(f"F of {count} scenes one by one: {event_f(alone, true):.3f}")
        print(f"F of them as one clip: {event_f(answer(crab, whole).events, true):.3f}")
        windows.MOST = 2.0  # more than all pixels: nothing is a cut
        print(f"F where cuts are not looked for: {event_f(answer(crab, whole).events, true):.3f}", flush=True)
        for minutes in (1, 10):
            long = joined(Path(place, f"{minutes}.mp4"), [scenes[i % count] for i in range(6 * minutes)])
            subprocess.run([sys.executable, __file__, "--one", str(long)], check=True)


def answer(crab, clip):
    *_, last = ask(crab, clip, TASK, trace=False)
    return last.answer


def moved(answer, number):
    return [replace(event, start=event.start + 10 * number, end=event.end + 10 * number) for event in answer.events]


def one(path: str) -> None:
    crab = Crab.load(ROOT / "assets" / "crab-mini", device="cpu")
    clip = media.open_clip(path)
    began, over = time.perf_counter(), None
    for result in ask(crab, clip, TASK):
        if over is None and result.looked > 1:
            over = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{clip.duration:.0f} s: peak {peak:.0f} MiB, first word after {result.seconds.first_text:.1f} s, first window "
          f"over after {over:.1f} s, all after {result.seconds.total:.0f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    if "--one" in sys.argv:
        one(sys.argv[-1])
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 18)
