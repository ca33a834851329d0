"""A start-up and questions as on ZeroGPU, without a GPU: the platform's client emulates CUDA, a stub of ours answers
its calls. What the page sends to its forks and gets back is in `crab/page/zerogpu.py`."""

import http.server
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest
import torch
from conftest import GOLDEN, ROOT
from PIL import Image
from safetensors import safe_open

from crab import media, weights
from crab.answer import Box
from crab.ask import ask
from crab.ilora import Intervention
from crab.model import Crab
from crab.page import zerogpu
from crab.routing import effects
from crab.segment import GrabCut, Sam2
from crab.step import Step
from crab.tasks import TASKS
from crab.trace import RoutingTrace

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
    "unknown visitor, quota": ((429, QUOTA, OVER), "Log in to Hugging Face and ask again, come back in an hour, or"),
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
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=600, env={
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

    # The same as without a Space: had the page computed anything, it would have done so without weights.
    crab = Crab.load(large, adapter, device="cpu", dtype=torch.bfloat16)
    opened, task = media.open_clip(clip), TASKS["ave"]
    *_, before = ask(crab, opened, task, max_new_tokens=24)
    *_, after = ask(crab, opened, task, max_new_tokens=24, intervention=Intervention("force", (0,)))
    assert (seen["asked"]["text"], tuple(seen["asked"]["token_ids"])) == (before.text, before.token_ids)
    assert tuple(seen["compared"]["token_ids"]) == after.token_ids != before.token_ids
    assert seen["compared"]["kl"] == pytest.approx(effects.compare(before, after, crab=crab).kl, rel=1e-3)
    assert seen["routing"] == pytest.approx(before.routing["language"].weights.sum(dtype=float), rel=1e-6)
    frame = np.asarray(Image.open(picture).convert("RGB"))
    mask, score = Sam2(tiny_sam2, device="cpu", dtype="bfloat16")(frame, Box("", 20, 20, 90, 90), [(50, 50)])
    assert (seen["cut"]["pixels"], seen["cut"]["score"]) == (mask.sum(), pytest.approx(score, rel=1e-3))

    # A GPU was borrowed once a question, once a picture, and given back each time.
    assert (seen["asked"]["borrowed"], seen["cut"]["borrowed"]) == (1, 2)
    paths = [path for path, _ in told]
    refused = len(CASES) - 1  # one of them lends a GPU that may not be used
    assert paths.count("/release") == paths.count("/schedule") - refused
    declared = {int(asked["durationSeconds"][0]) for path, asked in told if path == "/schedule"}
    assert max(declared) == zerogpu.seconds(0, before.prompt_tokens, zerogpu.ANSWER) > 0
    assert seen["left"] < 60

    # What goes wrong there is told in our words, and costs no words that have been written.
    assert seen["bad"] == "There is no head 8: the heads of this adapter are 1 to 3."
    assert seen["broken"]["done"] and seen["broken"]["tokens"] == 3
    assert "breaks off. The GPU was taken back before" in seen["broken"]["notes"][-1]
    for case, (_, words) in CASES.items():
        assert words in seen["refused"][case] and seen["refused"][case].endswith("."), case
        assert "ZeroGPU" not in seen["refused"][case] and "Error" not in seen["refused"][case]
    assert "500" in seen["log"] and "AssertionError" in seen["log"]


# --- how long, and how much ---


def test_no_question_is_longer_than_what_a_visitor_without_an_account_has_a_day():
    released = 19_600_000_000  # bytes of thinker and adapter in bfloat16
    usual = zerogpu.seconds(released, 653, zerogpu.ANSWER)
    assert usual * 1.5 < 60  # two such questions of the 120 seconds, at the worst
    assert zerogpu.seconds(released, 653, 1) < usual < zerogpu.seconds(released, 6530, zerogpu.ANSWER)
    assert zerogpu.seconds(10 * released, 32_768, 512) * 1.5 == 120


def step(number: int, end: str = "") -> Step:
    trace = RoutingTrace(np.full((2, 1, 3), number, np.float32), ("q", "k"), (number,))
    return Step(str(number), (number,), {"language": trace}, end, (-float(number),), (1,))


def test_steps_in_between_come_as_one_and_the_first_and_the_last_are_never_held_back():
    steps = [step(number, "stop" if number == 4 else "") for number in range(5)]
    first, rest = zerogpu.paced((one for one in steps), every=60)
    assert first is steps[0]
    assert (rest.text, rest.token_ids, rest.end) == ("1234", (1, 2, 3, 4), "stop")
    assert (rest.ends, rest.logprobs) == ((1, 2, 3, 4), (-1, -2, -3, -4))
    assert rest.routing["language"].tokens == (1, 2, 3, 4)
    assert rest.routing["language"].weights[0, :, 0].tolist() == [1, 2, 3, 4]


def test_steps_of_an_end_that_is_not_told_are_not_lost():
    assert "".join(one.text for one in zerogpu.paced((step(number) for number in range(5)), every=60)) == "01234"


def test_an_answer_is_cut_when_the_time_that_was_lent_is_over():
    endless = (step(number) for number in itertools.count())
    *_, last = zerogpu.paced(endless, every=60, within=0.05)
    assert last.end == "cut" and next(endless, None) is None
    [one] = zerogpu.paced((step(0, "stop") for _ in range(1)), within=-1)
    assert one.end == "stop"  # it was over by itself


def test_leaving_early_stops_the_model():
    steps = (step(number) for number in itertools.count())
    shown = zerogpu.paced(steps)
    next(shown)
    shown.close()
    assert next(steps, None) is None


def test_windows_asked_at_once_cross_without_their_pictures_and_are_written_within_the_time_that_is_lent(tiny):
    sent = []
    lent, _ = zerogpu.lend(tiny, GrabCut())
    here = lent._borrow
    lent._borrow = lambda job, within, prompts, **how: (
        sent.append((job, within, prompts, how)), here(job, within, prompts, **how))[1]  # fmt: skip
    clip = media.open_clip(GOLDEN / "media" / "a.mp4")
    prompts = [tiny.prompt(clip, TASKS["unav"], window=window) for window in ((0, 5), (5, 10))]
    assert lent.generate(prompts, max_new_tokens=3) == tiny.generate(prompts, max_new_tokens=3)
    [(job, within, crossed, how)] = sent
    assert job == "generate" and within == zerogpu.seconds(0, 2 * len(prompts[0].map.tokens), zerogpu.ANSWER)
    assert all(one.media.videos == () for one in crossed) and how == {"max_new_tokens": 3}
    lent._borrow = lambda job, within, prompts, **how: [sent.append(how)]
    lent.generate(prompts, max_new_tokens=512)
    assert sent[-1] == {"max_new_tokens": zerogpu.ANSWER}


def test_what_crosses_is_a_prompt_without_its_picture_and_only_what_is_new(tiny):
    sent = []
    lent, segmenter = zerogpu.lend(tiny, GrabCut())
    here = lent._borrow
    lent._borrow = lambda job, within, prompt, *more, **how: (
        sent.append(prompt), here(job, within, prompt, *more, **how))[1]  # fmt: skip
    clip = media.open_clip(GOLDEN / "media" / "a.jpg", audio=GOLDEN / "media" / "a.mp3")
    made = tiny.prompt(clip, TASKS["s4"])
    steps = list(lent.stream(made, max_new_tokens=40, trace_routing=True))
    assert made.media.picture is not None and sent[0].media.picture is None
    assert sent[0].inputs.keys() == made.inputs.keys()
    assert isinstance(segmenter, GrabCut)  # without weights it borrows nothing
    ours, theirs = (model.scores(made, [5, 7], at=1) for model in (lent, tiny))
    assert sent[-1].media.picture is None and ours.nats.shape == (2,)
    assert (ours.nats == theirs.nats).all() and (ours.choice == theirs.choice).all()
    positions = sum(one.routing["language"].weights.shape[1] for one in steps)
    assert positions == len(made.map.tokens) + sum(len(one.token_ids) for one in steps) - 1
