"""Under the answer: what the explorer is given."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import gradio as gr
from test_trace import towers

import app  # noqa: F401  imports spaces before torch
from crab.answer import NOTHING
from crab.media import Clip
from crab.page import workbench
from crab.page.workbench import Working
from crab.result import Result, Window
from crab.tasks import TASKS


def test_of_a_long_clip_the_explorer_shows_the_window_that_is_chosen():
    routing = towers()
    first = {tower: len(trace.tokens) // 4 for tower, trace in routing.items()}
    rest = {tower: len(trace.tokens) - first[tower] for tower, trace in routing.items()}
    windows = (Window(0, 10, NOTHING, traced=first), Window(10, 20, NOTHING, traced=rest), Window(20, 30))
    result = Result(Clip("clip.mp4", duration=30.0), TASKS["unav"], "", "", "", routing=routing, windows=windows)
    with gr.Blocks():
        bench = workbench.lay_out()
    working = Working(None, bench, None, None, None, None, (), None)

    def shown(frame: str) -> dict[str, list[str]]:
        """By tower, the names of the tokens in the file that a frame fetches."""
        data = json.loads(Path(re.search(r'file=([^"]+)"', unescape(frame))[1]).read_text(encoding="utf-8"))
        return {tower["name"]: [token[0] for token in tower["tokens"]] for tower in data["towers"]}

    opened = bench.explored(result, False)
    assert opened[bench.window]["choices"] == [("0 to 10 s", 0), ("10 to 20 s", 1)]  # in the third nobody has looked
    one, other = (shown(working.on_window(result, number, False)) for number in (0, 1))
    assert shown(opened[bench.explorer]) == one
    assert {tower: len(names) for tower, names in one.items()} == first
    assert {tower: len(names) for tower, names in other.items()} == rest


def test_no_window_is_chosen_of_a_run_that_was_asked_in_none():
    with gr.Blocks():
        bench = workbench.lay_out()
    result = Result(Clip("clip.mp4", duration=10.0), TASKS["unav"], "", "", "", routing=towers())
    told = bench.explored(result, False)[bench.window]
    assert (told["choices"], told["value"], told["visible"]) == ([], None, False)
