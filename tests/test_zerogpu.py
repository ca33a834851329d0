"""A start-up and questions as on ZeroGPU, without a GPU: the platform's client emulates CUDA, a stub of ours answers
its calls. What the page sends to its forks and gets back is in `crab/page/zerogpu.py`."""

import http.server
import json
import math
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import torch
from conftest import GOLDEN, ROOT
from safetensors import safe_open

from crab import media, weights
from crab.ask import ask
from crab.model import Crab, Step
from crab.page import zerogpu
from crab.segment import GrabCut
from crab.tasks import TASKS

START = """
import json, sys
import app  # imports spaces before torch

page = app.build(*app.load())
_, address, _ = page.launch(prevent_thread_lock=True, quiet=True)
from gradio_client import Client, handle_file
text, result, _ = Client(address, verbose=False).predict(handle_file(sys.argv[1]), "captioning", "", None, api_name="/ask")
print(json.dumps({"text": text, "model": result["model"]}))
sys.stdout.flush()
import os
os._exit(0)
"""

LENT = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "allowed"}
OVER = {"left": 12, "wait": 11_000}
EVENTS = {"content-type": "text/event-stream"}
QUOTA = {"X-Approve-Result": "quota-exceeded"}
# How the platform refuses -> (status, headers, body) of /schedule, and words of the sentence that a visitor gets.
CASES = {
    "quota without an account": ((429, QUOTA, OVER), "12 s are left. Try again in 4 hours, log in to Hugging Face"),
    "quota with an account": ((429, QUOTA | {"X-Authenticated": "regular"}, OVER | {"wait": 3541}),
                              "12 s are left. Try again in 60 minutes, or run this page on a machine of your own."),
    "quota of a day": ((429, QUOTA | {"X-Authenticated": "pro"}, OVER | {"wait": 90_000}), "Try again in 25 hours, or"),
    "runs": ((429, {"X-Approve-Result": "runs-exceeded"}, OVER | {"wait": 0}), "as often as one visitor may"),
    "duration": ((429, {"X-Approve-Result": "illegal-duration"}, OVER | {"wait": -1}), "give a shorter clip, or run"),
    "pending": ((429, {"X-Approve-Result": "pending-overquota-exceeded"}, OVER), "ask again when they are answered"),
    "queue": ((200, EVENTS, "event: failed\n\n"), "Try again in a minute, or run"),
    "none": ((503, {}, ""), "Try again in a minute, or run"),
    "expired": ((401, {}, ""), "reload it"),
    "failing": ((500, {}, ""), "Something went wrong while a GPU was borrowed"),
    "not allowed": ((200, {}, LENT | {"idle": False, "allowToken": "not allowed"}), "Something went wrong while a GPU"),
    "unknown visitor, quota": ((429, QUOTA, OVER), "Log in to Hugging Face and ask again, come back in an hour, or run"),
    "unknown visitor, queue": ((200, EVENTS, "event: failed\n\n"), "All GPUs of the Space are taken"),
}  # fmt: skip


@pytest.fixture
def platform():
    """Its address, and (path, parameters) of all that it has been told."""
    told, answers = [], {"next": (200, {}, LENT)}

    class Stub(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            path, asked = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            told.append((path, asked))
            if path == "/schedule":
                self.say(*answers["next"])
                answers["next"] = (200, {}, LENT)
                return
            if path == "/begin/anew":
                answers["next"] = (200, {}, LENT | {"idle": False})
            if path.startswith("/refuse/"):
                answers["next"] = CASES[unquote(path).removeprefix("/refuse/")][0]
            self.say(403 if asked.get("allowToken") == ["not allowed"] and path == "/allow" else 200, {}, "")

        def do_GET(self):
            paths = [path for path, _ in told]
            self.say(200, {}, list(CASES) if self.path == "/cases" else paths.count(self.path))

        def say(self, status, headers, body):
            self.send_response(status)
            for name, value in ({"content-type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write((body if isinstance(body, str) else json.dumps(body)).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", told
    server.shutdown()


def space(address: str, folder: Path, *command, **environment: str) -> dict:
    """What a program prints that runs as on such a Space, the last line of it as JSON."""
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=240, env={
            **os.environ, "SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": address, "HOME": str(folder),
            "ZEROGPU_OFFLOAD_DIR": str(folder / "offload"), "GRADIO_SERVER_NAME": "127.0.0.1", **environment,
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1]) | {"log": done.stdout + done.stderr}


def test_the_page_starts_reports_and_answers_from_the_cpu(platform, tmp_path):
    """A function that borrowed a GPU would ask the platform for one before it answers."""
    address, told = platform
    answer = space(address, tmp_path, "-c", START, ROOT / "assets" / "examples" / "evening-1000412.mp4", CRAB_MODEL="")
    assert answer["model"] == "crab-mini" and answer["text"]
    assert [path for path, _ in told] == ["/startup-report"]


@pytest.fixture
def large(tmp_path) -> Path:
    """The tiny model, in a folder that is large: a shard that no index names, as a talker's is, without its zeros."""
    folder = tmp_path / "large"
    shutil.copytree(GOLDEN / "tiny-omni", folder)
    size = 10**8  # bytes
    header = json.dumps({"talker.zeros": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}})
    with (folder / "talker.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header.encode())
        file.truncate(8 + len(header) + size)
    with safe_open(folder / "talker.safetensors", framework="pt") as opened:
        assert opened.keys() == ["talker.zeros"]
    assert not weights.is_small(folder)
    return folder


def test_a_large_model_answers_from_forks_and_the_page_reads_no_weight(platform, tmp_path, large, tiny_sam2):
    address, told = platform
    clip, picture = GOLDEN / "media" / "a.mp4", GOLDEN / "media" / "a.jpg"
    adapter = GOLDEN / "finetune_weights.bin"
    seen = space(address, tmp_path, "tests/lent_gpu.py", clip, picture, CRAB_MODEL=str(large),
                 CRAB_ADAPTER=str(adapter), CRAB_SEGMENTER=str(tiny_sam2))  # fmt: skip
    # ...
    print(json.dumps({k: v for k, v in seen.items() if k != "log"}, indent=1)); print(seen["log"][-3000:])
    print(told)
