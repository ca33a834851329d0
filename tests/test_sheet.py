"""The answer sheet: its bars, and its row of files, pressed as a browser presses it."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import httpx

from crab.answer import parse
from crab.ilora import Intervention
from crab.media import Clip
from crab.page.ask import Asking
from crab.page.sheet import EVERYTHING, lay_out
from crab.result import Candidates, Result, Window
from crab.tasks import TASKS

LONG = 600  # seconds: a slow machine is not a broken page


def test_the_bars_of_a_long_clip_stand_on_its_own_seconds():
    """Four tenths of the second window, of ten seconds, are four seconds of thirty; the third was not looked at."""
    answer = parse("<event>dog, (2 6)</event>", TASKS["ave"], start=10, duration=10)
    windows = (Window(0, 10, parse("", TASKS["ave"])), Window(10, 20, answer), Window(20, 30))
    result = Result(Clip("a.mp4", duration=30.0), TASKS["ave"], "", "", "", answer=answer, windows=windows)
    with gr.Blocks():
        sheet = lay_out()
    figure = sheet.bars(result, False)[sheet.timeline]["value"]
    assert tuple(figure.layout.xaxis.range) == (0, 30)
    spans = [(bar.name, start, start + length) for bar in figure.data for start, length in zip(bar.base, bar.x)]
    assert spans == [("heard", 12, 16), ("seen", 12, 16), ("not looked at", 20, 30)]


def test_what_was_sampled_comes_to_the_answer_it_is_about_and_to_no_other(tmp_path):
    run = Result(Clip("a.mp4", duration=9.0), TASKS["ave"], "", "m", "", answer=parse("", TASKS["ave"]), done=True)
    drawn, other = replace(run, candidates=Candidates(8, ())), replace(run, text="another")
    with gr.Blocks():
        sheet = lay_out()
    asking = SimpleNamespace(sheet=sheet)
    assert sheet.candidates(run)[sheet.eight]["visible"] and not sheet.candidates(run)[sheet.agreed]["visible"]
    sheet.json.GRADIO_CACHE = str(tmp_path)
    shown = Asking.on_drawn(asking, run, [other, run], (run, drawn))
    assert shown[sheet.result] is drawn and shown[sheet.runs] == [other, drawn] and shown[sheet.agreed]["visible"]
    assert not shown[sheet.eight]["visible"]
    for on_screen, came in ((other, (run, drawn)), (run, None), (None, (run, drawn))):
        assert sheet.result not in Asking.on_drawn(asking, on_screen, [other, run], came)


def test_what_cannot_be_asked_eight_times_has_no_button_for_it():
    run = Result(Clip("a.mp4", duration=9.0), TASKS["ave"], "", "m", "", answer=parse("", TASKS["ave"]), done=True)
    with gr.Blocks():
        sheet = lay_out()
    changed = Intervention("mute", (0,))
    for other in (replace(run, done=False), replace(run, intervention=changed), replace(run, task=TASKS["avcap"])):
        assert not sheet.candidates(other)[sheet.eight]["visible"]


def pressed(address: str, visitor: str, number: int) -> list[dict]:
    """What the server tells of an event, from its first output to its last."""
    asked = {"data": [None], "fn_index": number, "session_hash": visitor}
    httpx.post(f"{address}/gradio_api/queue/join", json=asked, timeout=60).raise_for_status()
    told = []
    with httpx.stream("GET", f"{address}/gradio_api/queue/data?session_hash={visitor}", timeout=LONG) as lines:
        for line in lines.iter_lines():
            if line.startswith("data:"):
                told.append(json.loads(line[5:]))
                if told[-1]["msg"] in ("process_completed", "unexpected_error"):
                    return told
    raise AssertionError(told)


def test_everything_about_the_answer_that_stands_there_comes_as_one_zip_file(address):
    config = httpx.get(f"{address}/config", timeout=60).json()
    [button] = [one["id"] for one in config["components"] if one["props"].get("value") == EVERYTHING]
    numbers = {(target[0], target[1]): one["id"] for one in config["dependencies"] for target in one["targets"]}
    arrives = [one["id"] for one in config["dependencies"] if one["targets"] and one["targets"][0][1] == "load"]
    for number in arrives:
        inputs = next(one["inputs"] for one in config["dependencies"] if one["id"] == number)
        httpx.post(
            f"{address}/gradio_api/run/predict",
            json={"data": [None] * len(inputs), "fn_index": number, "session_hash": "zip"},
            timeout=LONG,
        )
    told = pressed(address, "zip", numbers[button, "click"])
    assert told[-1]["success"], told[-1]
    [file] = [one for one in told[-1]["output"]["data"] if isinstance(one, dict) and one.get("path")]
    packed = zipfile.ZipFile(io.BytesIO(httpx.get(f"{address}/gradio_api/file={file['path']}", timeout=LONG).content))
    names = {name.rpartition(" · ")[2] for name in packed.namelist()}
    assert {"answer.json", "events.vtt", "events.eaf", "film.mp4", "router weights.npz"} <= names
    words = json.dumps(told)
    assert "Everything: " in words
