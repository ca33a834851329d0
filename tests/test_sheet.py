"""The answer sheet's row of files, pressed as a browser presses it."""

from __future__ import annotations

import io
import json
import zipfile

import httpx

from crab.page.sheet import EVERYTHING

LONG = 600  # seconds: a slow machine is not a broken page


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
