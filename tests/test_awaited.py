"""The model comes after the page: whoever asks before waits and is answered, or told why not."""

from __future__ import annotations

import threading

import pytest

import app  # noqa: F401  imports spaces before torch
from crab import CrabError
from crab.about import About
from crab.media import Clip
from crab.page import answering, awaited
from crab.page.answering import Answerer
from crab.page.awaited import Awaited
from crab.page.parts import LOADING, WAITING
from crab.result import Result
from crab.tasks import TASKS


@pytest.fixture
def gate():
    """Set, and the model may come."""
    gate = threading.Event()
    yield gate
    gate.set()


def test_whoever_asks_before_the_model_is_there_reads_why_and_is_answered(gate, monkeypatch):
    clip, task = Clip("a", duration=10.0), TASKS["avqa"]
    results = [Result(clip, task, "", "m", "", text=text, done=text == "a dog") for text in ("a", "a dog")]
    asked = []

    def ask(crab, *_, segmenter, **__):
        asked.append((crab, segmenter))
        yield from results

    monkeypatch.setattr(answering, "ask", ask)
    model = Awaited(lambda: (gate.wait(), ("crab", "segmenter"))[1])
    answerer, texts = Answerer(About("m"), model), []
    model.begin()
    told = answerer.waiting("place")
    assert next(told) == {"place": LOADING}
    program = threading.Thread(target=lambda: texts.extend(one.text for one in answerer.answers(clip, task, "", None)))
    program.start()
    program.join(0.1)
    assert program.is_alive() and asked == []

    gate.set()
    assert [*told] == [{"place": WAITING}]
    program.join()
    assert texts == ["a", "a dog"] and asked == [("crab", "segmenter")]
    assert [*answerer.waiting("place")] == []


def test_where_no_model_comes_whoever_waits_is_told_why():
    def load():
        raise CrabError("There is no such model.")

    model = Awaited(load)
    model.begin()
    for _ in range(2):
        with pytest.raises(CrabError, match="no such model"):
            model.get()


def test_nobody_waits_for_a_page_that_is_closed(gate, monkeypatch):
    model, closed = Awaited(gate.wait), threading.Event()
    model.begin()
    for module in (awaited, answering):
        monkeypatch.setattr(module, "ending", closed)
    told = Answerer(About("m"), model).waiting("place")
    next(told)
    closed.set()
    assert [*told] == [{"place": WAITING}]
    with pytest.raises(CrabError, match="closed"):
        model.get()


def test_what_is_there_is_not_loaded_again(monkeypatch):
    monkeypatch.setattr(threading, "Thread", None)
    model = Awaited.there("crab", "segmenter")
    model.begin()
    assert model.over() and model.get() == ("crab", "segmenter")
