"""Several processes that `accelerate launch` or `torchrun` started together: which of them this is, and work dealt out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import gather_object

T = TypeVar("T")


def process() -> PartialState:
    """This process among those that work together; without a GPU they talk by gloo."""
    return PartialState(cpu=not torch.cuda.is_available())


def device() -> str:
    """Where this process computes, as `Crab.load` takes it: of several processes on a CPU Accelerate calls it "cpu:0"."""
    of = process().device
    return "cpu" if of.type == "cpu" else str(of)


def dealt(things: Sequence[T], n: int) -> list[T]:
    """What of `things` is this process's to do: blocks of `n`, dealt out in turn."""
    here, of = process().process_index, process().num_processes
    return [one for start in range(here * n, len(things), of * n) for one in things[start : start + n]]


def joined(mine: Sequence[T], total: int, n: int) -> list[T]:
    """What every process made of its `dealt` things, one each, in the order of all `total` of them: the same list in
    every process."""
    places = dealt(range(total), n)
    found = dict(gather_object(list(zip(places, mine, strict=True))))
    return [found[place] for place in range(total)]
