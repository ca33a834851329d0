"""What every part of the page uses: sentences for errors, the card that shows one, how events are wired, small words."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import fields, is_dataclass
from functools import wraps
from html import escape
from inspect import isgeneratorfunction
from pathlib import Path
from threading import Event
from typing import Any

import gradio as gr
from gradio.blocks import Block

from crab import CrabError, stopping
from crab.disk import not_taken
from crab.result import Result
from crab.tasks import FAMILIES

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "assets"
WAITING_MOST = 40  # asks; who comes next is told to try again
OPEN = 6 * 3600  # seconds after which what belongs to a visitor is let go, counted from when it was made
LONGEST = {
    "second": 9,
    "seconds": 40,
    "stretch": 60,
    "heads": 60,
}  # characters that may be typed; for a question crab.prompt says
CLOSER = (
    "<h2>Look closer</h2><p class='key'>Point at a word, a piece of picture or of sound: every view shows it. A "
    "click keeps it, Escape lets go.</p>"
)
WAITING = "<div class='waiting' role='status'>Looking and listening</div>"
LOADING = "<div class='waiting' role='status'>The model is being loaded; it answers as soon as it is there</div>"

# How events are wired. `page.js` says what the functions named `crab.…` do in the browser.
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
QUIET = PRIVATE | {"show_progress": "hidden"}
AT_ONCE = QUIET | {"queue": False}
# Where a choice may be made anew before the first is answered for: Gradio would leave out the later one.
FOLLOWED: dict[str, Any] = {"trigger_mode": "always_last"}
MODEL = "model"  # whoever wants the model stands in the line of this name
IN_TURN = QUIET | {"concurrency_id": MODEL}
WITH_DARK = "crab.withDark"

Updates = dict[Block, Any]

log = logging.getLogger("crab.page")


# --- errors ---------------------------------------------------------------------------------------------------------


@contextmanager
def sentences() -> Iterator[None]:
    """Lets out only what a person can read: the sentence of a CrabError, or one that points to the log."""
    try:
        yield
    except gr.Error:
        raise
    except CrabError as error:
        raise problem(str(error)) from None
    except Exception as error:
        if isinstance(error, OSError) and (told := not_taken(error)):
            log.warning("%s", error)
            raise problem(told) from None
        log.exception("An ask failed")
        raise problem("Something went wrong on our side; the log says what. Please try again.") from None


def problem(sentence: str) -> gr.Error:
    """An error that Gradio shows beside the page; also for programs."""
    return gr.Error(escape(sentence, quote=False), title="That did not work", print_exception=False)


def card(error: gr.Error) -> str:
    """An error's sentence as HTML, for the place where the answer would stand."""
    return f"<p class='problem' role='alert'>{error.message}</p>"


def error_card(failed: Callable[[Any, str], Updates]) -> Callable[[Callable], Callable]:
    """For a method that answers an event: where it raises, the updates are those of `failed(self, card)`."""

    def decorate(method: Callable) -> Callable:
        @wraps(method)
        def once(self: Any, *values: Any) -> Updates:
            try:
                with sentences():
                    return method(self, *values)
            except gr.Error as error:
                return failed(self, card(error))

        @wraps(method)
        def growing(self: Any, *values: Any) -> Iterator[Updates]:
            try:
                with sentences():
                    yield from method(self, *values)
            except gr.Error as error:
                yield failed(self, card(error))

        return growing if isgeneratorfunction(method) else once

    return decorate


def stoppable(method: Callable) -> Callable:
    """For a method that answers an event step by step. Its steps are taken in a thread of their own, so that a Stop does
    not wait for the one that is under way; that hears of it (`crab.stopping`), and none comes after it."""

    @wraps(method)
    async def steps(self: Any, *values: Any, **named: Any) -> AsyncIterator[Any]:
        stop, context, over = Event(), copy_context(), object()
        context.run(stopping.stops, stop)
        work, thread = method(self, *values, **named), ThreadPoolExecutor(1)

        def take() -> Any:
            return context.run(next, work, over)

        try:
            while (step := await asyncio.wrap_future(thread.submit(take))) is not over:
                yield step
        finally:
            stop.set()
            thread.submit(context.run, work.close)  # in its turn, after the step that is under way
            thread.shutdown(wait=False)

    return steps


class Page(gr.Blocks):
    """Blocks that answer what cannot be read with a sentence. Gradio's own way is a traceback, or nothing."""

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *more: Any, **named: Any) -> list[Any]:
        if block_fn.is_validator_function:  # it looks at what was typed, before a file is moved
            return inputs
        try:
            json.dumps(inputs, ensure_ascii=False).encode()  # half a character could not be sent back
            return await super().preprocess_data(block_fn, inputs, *more, **named)
        except gr.Error:
            raise
        except Exception as error:
            log.info("Not to be read: %r", error)
            raise problem(
                "Something that was sent is not of its kind: files have to be uploaded, seconds are whole "
                "numbers, and words are text."
            ) from None


def told_by(check: Callable[[], Any]) -> str | None:
    """The sentence of the CrabError that `check` raises, if it does."""
    try:
        check()
    except CrabError as error:
        return str(error)
    return None


def check_room(page: gr.Blocks) -> None:
    """Raises CrabError where no more asks can wait. Gradio would refuse too, in words of its own."""
    if len(page._queue) >= WAITING_MOST:
        raise CrabError(f"{WAITING_MOST} questions are waiting for the model already: ask again in a minute.")


# --- components -----------------------------------------------------------------------------------------------------


def components(part: Any) -> list[Block]:
    """All components of a part of the page: a dataclass of them, of lists, of dicts and of such dataclasses."""
    if isinstance(part, Block):
        return [part]
    if is_dataclass(part):
        part = [getattr(part, field.name) for field in fields(part)]
    return [found for one in (part.values() if isinstance(part, dict) else part) for found in components(one)]


def turn(ask: gr.Button, stop: gr.Button, *, busy: bool) -> Updates:
    """Ask and Stop take turns. An answer hands the turn back; for one that was stopped, Stop does."""
    return {ask: gr.update(interactive=not busy), stop: gr.update(interactive=busy)}


def segments(choices: list[tuple[str, str]], label: str, *, value: str | None = None, **more: Any) -> gr.Radio:
    """A choice of one among a few, side by side."""
    return gr.Radio(choices, value=value, label=label, elem_classes="segments", **more)


def figure(label: str, *, shown: bool = True) -> gr.Plot:
    return gr.Plot(label=label, show_label=False, container=False, elem_classes="figure", visible=shown)


# --- words ----------------------------------------------------------------------------------------------------------


def about(seconds: float) -> str:
    """A time that nobody knows exactly, in round words: "8 s", "20 s", "3 min"."""
    if seconds < 10:
        return f"{max(1, math.ceil(seconds))} s"
    return f"{5 * round(seconds / 5)} s" if seconds < 98 else f"{round(seconds / 60)} min"


def progress(result: Result) -> str:
    """How far an answer in windows has come, as HTML; nothing for one that is over or has a single window."""
    if result.done or len(result.windows) < 2:
        return ""
    left = "" if result.left is None else f", about {about(result.left)} left"
    what = "Second" if result.over_time else "Window"
    return f"<p class='progress'>{what} {max(1, result.looked)} of {len(result.windows)}{left}</p>"


def heading(result: Result) -> str:
    """What an answer is about, as HTML: clip, question, dataset."""
    task, clips = result.task, [one.name for one in (result.clip, result.other) if one]
    asked = f" “{escape(result.question)}”" if result.question else ""
    changed = f" · {escape(str(result.intervention))}" if result.intervention else ""
    changed += f" · seconds {result.stretch[0]:g} to {result.stretch[1]:g}" if result.stretch else ""
    return (
        f"<h2>About <b>{escape(' and '.join(clips))}</b> · {escape(FAMILIES[task.family].title)}, "
        f"as {escape(task.name)}{asked}{changed}</h2>"
    )


def facts(result: Result, *, kept: str = "") -> str:
    """What to know about an answer, who gave it and how long it took; `kept`: where it is from, if it is not new."""
    took = "" if result.seconds.first_text is None else f"first words after {result.seconds.first_text:.1f} s · "
    took += f"{result.seconds.total:.1f} s in all · "
    notes = "".join(f"<li>{escape(note)}</li>" for note in result.notes)
    how = "" if result.done else "stopped · "
    how, took = (f"{kept} · ", "") if kept else (how, took)
    return (
        f"<ul class='notes'>{notes}</ul><p class='quiet'>{how}{escape(result.model)} · {took}"
        f"{len(result.token_ids)} tokens</p>"
    )
