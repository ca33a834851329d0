"""`python app.py` as a person starts it: what it says, what it does before the model is there, and how it ends then."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import MINI, ROOT, served
from gradio_client import Client

import app
from crab import CrabError

BUILT = """
import json, os, sys
stubs = []
sys.addaudithook(lambda event, of: stubs.append(of[0]) if event == "open" and str(of[0]).endswith(".pyi") else None)
import app
from crab.page.files import first_answer, listed_examples

app.build(*app.load())
assert first_answer(listed_examples()[0]).text
heavy = {"torch", "torchvision", "transformers", "peft", "bitsandbytes"} & set(sys.modules)
print(json.dumps({"heavy": sorted(heavy), "stubs": stubs}))
"""


def test_the_log_names_the_address_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.delenv("TRANSFORMERS_VERBOSITY")  # that the tests are quiet by
    with served(tmp_path / "log.txt") as (_, address):  # and the model is not there yet
        text, *_ = Client(address, verbose=False).predict(api_name="/ask")  # the first answer says nothing either
        assert text
    assert (tmp_path / "log.txt").read_text().splitlines() == [
        f"The page: {address}", f"For agents (MCP): {address}/gradio_api/mcp/",
    ]  # fmt: skip


def test_the_page_and_the_answer_that_it_opens_with_need_no_torch_and_no_stubs_are_written():
    """Whatever a room that the page uses imports, it waits for: torch and its like belong where something computes."""
    built = subprocess.run([sys.executable, "-c", BUILT], cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout) == {"heavy": [], "stubs": []}


def test_weights_that_are_found_to_be_damaged_while_the_page_is_there_end_it_with_a_sentence(tmp_path):
    shutil.copytree(MINI, tmp_path / "damaged")
    os.truncate(tmp_path / "damaged" / "model-00002-of-00003.safetensors", 1000)
    with served(tmp_path / "log.txt", CRAB_MODEL=str(tmp_path / "damaged")) as (server, _):
        assert server.wait(300) == 2
    said = [line for line in (tmp_path / "log.txt").read_text().splitlines() if "http://" not in line]
    assert len(said) == 1 and "there is something wrong with model-00002-of-00003.safetensors" in said[0]


def test_what_can_be_told_at_once_is_told_before_there_is_a_page():
    wrong = os.environ | {"CRAB_MODEL": "tests"}
    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=wrong, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    [said] = done.stderr.splitlines()
    assert "its config.json is missing" in said


@pytest.mark.parametrize(("wrong", "sentence"), [
    ({"CRAB_MODEL": "nobody/nothing"}, "nobody/nothing@main is not here yet"),
    ({"CRAB_ADAPTER": "nobody/nothing"}, "nobody/nothing@main is not here yet"),
    ({"CRAB_SEGMENTER": "nobody/nothing"}, "nobody/nothing@main is not here yet"),
    ({"CRAB_QUANTIZE": "3bit"}, "quantised to 4bit or 8bit, not to '3bit'"),
])  # fmt: skip
def test_that_is_whatever_the_environment_names_and_is_not_there(wrong, sentence, monkeypatch):
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CrabError, match=sentence):
        app.load()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_page_ends_while_its_model_is_being_loaded(tmp_path, name):
    with served(tmp_path / "log.txt") as (server, _):
        server.send_signal(getattr(signal, name))
        assert server.wait(20) in (0, 130)
    log = (tmp_path / "log.txt").read_text()
    assert "Traceback" not in log and "terminate called" not in log
