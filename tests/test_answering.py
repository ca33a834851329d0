"""The page's one way to the model: how often a growing answer is shown."""

from __future__ import annotations

from dataclasses import replace

import app  # noqa: F401  imports spaces before torch
from crab.media import Clip
from crab.page import answering
from crab.page.answering import EVERY, Answerer
from crab.page.awaited import Awaited
from crab.result import Result
from crab.tasks import TASKS


def test_an_answer_is_shown_as_often_as_a_browser_can_draw_it(tiny, monkeypatch):
    """Twenty words at four times that pace, then one after a long while: the first, every fourth, that one, the whole."""
    clip = Clip("a", duration=10.0)
    times = [*(n * EVERY / 4 * 1.001 for n in range(20)), 9.0, 9.0]
    results = [Result(clip, TASKS["avqa"], "", "m", "", text=str(n)) for n in range(21)]
    results.append(replace(results[-1], done=True))
    now = iter(times)
    monkeypatch.setattr(answering, "ask", lambda *_, **__: (result for result in results))
    clock = {"now": 0.0}

    def tell(self, result):
        clock["now"] = next(now)

    monkeypatch.setattr(answering.Pace, "tell", tell)
    monkeypatch.setattr(answering.time, "monotonic", lambda: clock["now"])
    answerer = Answerer(tiny.about, Awaited.there(tiny, None))
    shown = [result.text for result in answerer.answers(clip, TASKS["avqa"], "", None)]
    assert shown == ["0", "4", "8", "12", "16", "20", "20"]
