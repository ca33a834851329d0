"""The line for the model, which answers one at a time: where a visitor stands in it, and about how long that lasts."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import gradio as gr

from crab.page.parts import AT_ONCE, IN_TURN, LOADING, MODEL, PRIVATE, QUIET, WAITING, Updates, about, turn
from crab.result import Result

TICK = 0.4  # seconds between two looks at the line
SOON = 3.0  # seconds within which an ask stands in the line, or has been let through


@dataclass
class Pace:
    """How long answers take, by those there have been and by the one that is being given."""

    took: deque[float] = field(default_factory=lambda: deque(maxlen=20))  # seconds
    began: float | None = None  # when the one that is being given began; None where none is
    over: float | None = None  # when it will be over, as far as it can tell

    def begin(self) -> float:
        """What to tell `end`: a stopped answer may end when the next one has begun already."""
        self.began, self.over = time.monotonic(), None
        return self.began

    def tell(self, result: Result) -> None:
        self.over = None if result.left is None else time.monotonic() + result.left

    def end(self, began: float) -> None:
        self.took.append(time.monotonic() - began)
        if began == self.began:
            self.began = self.over = None

    def wait(self, before: int) -> float | None:
        """Seconds until `before` visitors are answered, the running one among them; None where nobody can say."""
        now, usual, left = time.monotonic(), median(self.took) if self.took else None, 0.0
        if self.over is not None:
            left = max(0.0, self.over - now)
        elif usual is None:
            return None
        elif self.began is not None:
            left = usual - (now - self.began)
            if left < 0:  # it takes longer than usual
                return None
        if before <= 1:
            return left
        return None if usual is None else left + usual * (before - 1)


def place(before: int, seconds: float | None) -> str:
    """Where one stands, in words: `before` others are answered first, in about so many `seconds` if that is known."""
    words = "You are next" if before <= 1 else f"{before} before you"
    return words if seconds is None else f"{words}, about {about(seconds)}"


def before(page: gr.Blocks, visitor: str | None, event: int) -> int | None:
    """How many are answered before a visitor whose `event` waits for the model; None where it does not wait."""
    line = page._queue.event_queue_per_concurrency_id.get(MODEL)
    for ahead, one in enumerate(line.queue if line else ()):
        if line and (one.session_hash, one.fn._id) == (visitor, event):
            return ahead + line.current_concurrency
    return None


def show(page: gr.Blocks, pace: Pace, asking: Callable[..., Any], asked: Any, line: gr.HTML) -> None:
    """Once `asking` has happened, `line` says where a visitor stands, until the event `asked` is let through or gone.

    The component is written to by nothing else. So neither an answer that begins meanwhile nor a Stop has to know of it.
    """

    async def on_wait(request: gr.Request) -> AsyncIterator[Any]:
        said, until = "", time.monotonic() + SOON
        while (ahead := before(page, request.session_hash, asked["id"])) is not None or time.monotonic() < until:
            if ahead is not None:
                until = 0.0
            words = place(ahead, pace.wait(ahead)) if ahead else ""
            if words != said:
                said = words
                yield gr.update(value=words and f"<p><b>{words}</b> Stop leaves the line.</p>", visible=bool(words))
            await asyncio.sleep(TICK)
        if said:
            yield gr.update(value="", visible=False)

    asking(on_wait, None, line, concurrency_limit=None, **QUIET)


def ask_in_turn(
    page: gr.Blocks, pace: Pace, ask: gr.Button, stop: gr.Button, told: gr.HTML, line: gr.HTML, **event: Any
) -> Any:
    """Wires an `event` that waits for the model and says in `told` what comes of it; Ask and Stop take turns about it.

    What waits is called after the click, not by it: of the events that a click calls, each waits for the one before.
    """
    turns: dict[str, Any] = {"fn": None, "outputs": [ask, stop]} | PRIVATE
    pressed = ask.click(None, None, [ask, stop, told], js="() => [...crab.busy(), '']", **PRIVATE)
    running = pressed.then(**event, **IN_TURN)
    show(page, pace, pressed.then, running, line)
    running.failure(js="crab.free", **turns)
    running.success(None, js="crab.isOver", **PRIVATE)

    def on_stop(so_far: str | None) -> Updates:
        so_far = "" if so_far in (None, WAITING, LOADING) else so_far
        return {told: so_far and f"{so_far}<p class='quiet'>Stopped here.</p>"} | turn(ask, stop, busy=False)

    stop.click(js="crab.stopping", **turns)
    stop.click(on_stop, told, [told, ask, stop], cancels=[running], **AT_ONCE | {"queue": True})  # after the last word
    return running
