"""A start-up as on ZeroGPU, without a GPU: the platform's client emulates CUDA, a stub of ours answers its calls."""

import http.server
import json
import os
import subprocess
import sys
import threading

import pytest
from conftest import ROOT

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


@pytest.fixture
def platform():
    """Its address, and the paths that it has been told."""
    told = []

    class Stub(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            told.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", told
    server.shutdown()


def test_the_page_starts_reports_and_answers_from_the_cpu(platform, tmp_path):
    """A function that borrowed a GPU would ask the platform for one before it answers."""
    address, told = platform
    done = subprocess.run(
        [sys.executable, "-c", START, ROOT / "assets" / "examples" / "evening-1000412.mp4"],
        cwd=ROOT, capture_output=True, text=True, timeout=240, env={
            **os.environ, "SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": address,
            "ZEROGPU_OFFLOAD_DIR": str(tmp_path), "CRAB_MODEL": "", "GRADIO_SERVER_NAME": "127.0.0.1",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["model"] == "crab-mini" and answer["text"]
    assert told == ["/startup-report"]
