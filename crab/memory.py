"""What is kept of a clip between two questions about it: decoded, as tensors, and as the model has read it.

All questions of a kind begin alike, with the clip; the words come last. So what stands before the words is prepared
once (`Prompt.shown` positions), and what the model made of it, its encoders' work included, is its attention's keys
and values at these positions. The next question is read from there on.

Entries are found by what the clip's files hold, not by their names' promises. Nothing is kept of an answer whose
routing was changed, and none is answered from here: that is the model's (`Crab.stream`) to see to.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crab.media import Clip
from crab.prompt import Prompt, Window
from crab.tasks import Task
from crab.trace import RoutingTrace

if TYPE_CHECKING:
    from torch import Tensor

MOST = 200_000_000  # bytes: four clips of the released model, on its device for the most part; of crab-mini many
_TOKEN = 250  # bytes, nearly, of what is said of a position


@dataclass(frozen=True)
class Read:
    """What a model made of the positions before the words.

    `states`: a layer's keys and values, (1, heads, positions, features) each. `routing`: by tower, where it was traced.
    """

    states: tuple[tuple[Tensor, Tensor], ...]
    routing: dict[str, RoutingTrace] | None = None

    @property
    def nbytes(self) -> int:
        traces = (self.routing or {}).values()
        return sum(k.nbytes + v.nbytes for k, v in self.states) + sum(trace.weights.nbytes for trace in traces)


@dataclass
class _Kept:
    shown: Prompt
    read: Read | None = None

    @property
    def nbytes(self) -> int:
        media, positions = self.shown.media, self.shown.map
        arrays = [*media.videos, *(one for one in (media.picture, media.sound) if one is not None)]
        tokens = len(positions.tokens) + len(positions.audio) + len(positions.vision)
        tensors = sum(tensor.nbytes for tensor in self.shown.inputs.values())
        return (
            sum(array.nbytes for array in arrays) + tensors + _TOKEN * tokens + (self.read.nbytes if self.read else 0)
        )


class Memory:
    """Of one model. The clips asked about last, as many as `most` bytes hold; for any number of threads."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def shown(self, key: str, make: Callable[[], Prompt]) -> Prompt:
        """What stands before the words, made now if it is not there."""
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None:
            return kept.shown
        made = make()  # it takes its time, and others need not wait for it
        self._keep(key, _Kept(made))
        return made

    def read(self, prompt: Prompt, *, traced: bool) -> Read | None:
        """What the model made of what stands before the words of a prompt; None where it has not read that yet, or
        was not `traced` meanwhile and has to be."""
        with self._lock:
            kept = self._kept.get(prompt.key)
            if kept is None or kept.read is None or traced and kept.read.routing is None:
                return None
            self._kept.move_to_end(prompt.key)
            return kept.read

    def keep(self, prompt: Prompt, read: Read) -> None:
        with self._lock:
            kept = self._kept.get(prompt.key)
        if kept is not None:
            self._keep(prompt.key, replace(kept, read=read))

    def _keep(self, key: str, kept: _Kept) -> None:
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and self.nbytes > self.most:
                self._kept.popitem(last=False)

    @property
    def nbytes(self) -> int:
        return sum(kept.nbytes for kept in self._kept.values())


def key_of(clip: object, task: Task, *, other: object = None, window: Window | None = None) -> str:
    """What is shown of a clip to a task, as a name: by the bytes of its files. "" for what is no file, or is gone."""
    told = hashlib.sha256(repr((task.lead, task.media, task.frames, task.sound, window)).encode())
    for one in (clip, other):
        if one is None:
            continue
        if not isinstance(one, Clip):
            return ""
        files = (one.video, one.image, one.audio)
        told.update(repr(replace(one, video=None, image=None, audio=None)).encode())
        try:
            for file in files:
                told.update(b"none" if file is None else _digest(file))
        except OSError:
            return ""
    return told.hexdigest()


def _digest(file: Path) -> bytes:
    found = hashlib.sha256()
    with file.open("rb") as opened:
        while part := opened.read(1 << 20):
            found.update(part)
    return found.digest()
