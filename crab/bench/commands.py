"""The command that measures: `python -m crab bench`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from crab.arguments import Commands
from crab.bench import Table

PARTS = ("layer", "generation", "clip", "question", "start")


def add_bench(commands: Commands) -> None:
    bench = commands.add_parser(
        "bench", help="how long layers, generation, clips, questions and start-up take, beside other ways",
        description="Measures side by side, in turns, and tells ratios: to a bare layer, to no adapter, to MoviePy, to "
        "the first question. On a machine with other work they are rough. Everything takes half an hour on two cores.",
    )  # fmt: skip
    bench.add_argument("--only", choices=PARTS, metavar="PART", help=f"one part of it: {', '.join(PARTS)}")
    bench.add_argument("--json", action="store_true", help="print one JSON object at the end instead of tables")
    bench.set_defaults(run=run_bench)


def run_bench(args: argparse.Namespace) -> None:
    tables = []
    for part in [args.only] if args.only else PARTS:
        for one in measuring(part)():
            tables.append(one)
            if not args.json:
                print(one, flush=True)
    if args.json:
        print(json.dumps({"machine": machine(), "tables": [asdict(one) for one in tables]}))


def measuring(part: str) -> Callable[[], Iterator[Table]]:
    """What measures a part; it is imported with what it needs, and nothing else is."""
    if part == "layer":
        from crab.bench import layers

        return layers.measure
    if part == "generation":
        from crab.bench import generation

        return generation.measure
    from crab.bench import clips

    others: dict[str, Callable[[], Iterator[Table]]] = {
        "clip": clips.opening, "question": clips.question, "start": clips.start
    }  # fmt: skip
    return others[part]


def machine() -> dict[str, Any]:
    """What was measured on, as far as it is known."""
    import platform

    import torch

    return {"python": platform.python_version(), "torch": torch.__version__, "threads": torch.get_num_threads(),
            "processor": dict(torch.cpu.get_capabilities()), "system": platform.platform()}  # fmt: skip
