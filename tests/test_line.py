"""The line for the model: how long it lasts, and what whoever stands in it is told from the first second to the last."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

import app  # noqa: F401  imports spaces before torch
from crab.page import line
from crab.page.line import Pace, before, place
from crab.result import Result
from crab.tasks import TASKS


@pytest.mark.parametrize(
    ("ahead", "seconds", "words"),
    [
        (1, None, "You are next"),
        (1, 7.5, "You are next, about 8 s"),
        (2, 21.0, "2 before you, about 20 s"),
        (3, None, "3 before you"),
    ],
)
def test_a_place_in_words(ahead, seconds, words):
    assert place(ahead, seconds) == words


@pytest.fixture
def clock(monkeypatch):
    """The time; set `now`."""
    now = SimpleNamespace(now=100.0)
    monkeypatch.setattr(line.time, "monotonic", lambda: now.now)
    return now


def test_how_long_it_lasts_is_reckoned_from_answers_there_have_been(clock):
    pace = Pace()
    began = pace.begin()
    assert pace.wait(1) is None  # nobody knows how long an answer takes
    clock.now += 4
    pace.end(began)
    assert pace.wait(1) == 0
    pace.begin()
    clock.now += 1
    assert (pace.wait(1), pace.wait(3)) == (3, 3 + 2 * 4)
    clock.now += 5  # longer than usual
    assert pace.wait(1) is pace.wait(2) is None


def test_an_answer_in_windows_says_itself_how_long_it_takes(clock):
    pace, told = Pace(), Result(None, TASKS["unav"], "", "", "")
    pace.end(clock.now - 4)
    pace.begin()
    clock.now += 60
    pace.tell(SimpleNamespace(left=30.0))
    clock.now += 10
    assert (pace.wait(1), pace.wait(2)) == (20, 24)
    pace.tell(told)
    assert pace.wait(1) is None  # it cannot tell any more, and has taken longer than usual


def test_a_stopped_answer_that_ends_late_does_not_end_the_next_one(clock):
    pace = Pace()
    stopped = pace.begin()
    clock.now += 2
    pace.begin()
    pace.end(stopped)
    assert pace.wait(1) == 2


def queue(*waiting, running=1):
    """A page in whose line these visitors wait, each for event 7."""
    events = [SimpleNamespace(session_hash=visitor, fn=SimpleNamespace(_id=7)) for visitor in waiting]
    told = SimpleNamespace(queue=events, current_concurrency=running)
    return SimpleNamespace(_queue=SimpleNamespace(event_queue_per_concurrency_id={"model": told}))


def test_who_is_asked_before_a_visitor_is_counted_with_the_one_who_is_being_answered():
    page = queue("ann", "bob")
    assert [before(page, visitor, 7) for visitor in ("ann", "bob", "eve")] == [1, 2, None]
    assert before(page, "bob", 8) is None  # another ask of theirs
    assert before(queue("ann", running=0), "ann", 7) == 0
    page._queue.event_queue_per_concurrency_id.clear()  # nobody has ever asked
    assert before(page, "ann", 7) is None


def test_a_place_is_told_as_it_changes_and_goes_with_the_turn(monkeypatch):
    monkeypatch.setattr(line, "TICK", 0)
    page, wired = queue(), []
    line.show(page, Pace(), lambda told, *_, **how: wired.append((told, how)), {"id": 7}, None)
    [(told, how)] = wired
    assert how["concurrency_limit"] is None  # or else whoever waits would wait to be told so
    waiting = page._queue.event_queue_per_concurrency_id["model"].queue

    async def watch() -> list[str]:
        says = told(SimpleNamespace(session_hash="bob"))
        first = asyncio.ensure_future(anext(says))
        await asyncio.sleep(0.01)  # the ask is not in the line yet
        waiting.extend(queue("ann", "bob")._queue.event_queue_per_concurrency_id["model"].queue)
        said = [await first]
        del waiting[0]
        said.append(await anext(says))
        waiting.clear()
        return [one["value"] for one in (*said, *[last async for last in says])]

    assert asyncio.run(watch()) == [
        "<p><b>2 before you</b> Stop leaves the line.</p>", "<p><b>You are next</b> Stop leaves the line.</p>", "",
    ]  # fmt: skip
