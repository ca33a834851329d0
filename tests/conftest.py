"""What several test files share: where things lie, and models that are loaded once."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may wait for a network
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
MINI = ROOT / "assets" / "crab-mini"
SOON = 60_000  # ms: a slow machine is not a broken page


@pytest.fixture(scope="session")
def golden() -> Path:
    return GOLDEN


@pytest.fixture(scope="session")
def golden_cases() -> dict[str, dict]:
    """Dataset -> what the released code computed for its one record."""
    return json.loads((GOLDEN / "golden.json").read_text())


@pytest.fixture(scope="session")
def golden_arrays() -> dict[str, np.ndarray]:
    return dict(np.load(GOLDEN / "golden.npz"))


@pytest.fixture(scope="session")
def tiny():
    """The tiny random checkpoint of the golden cases, with its adapter, in float32 on the CPU."""
    from crab.model import Crab

    return Crab.load(GOLDEN / "tiny-omni", GOLDEN / "finetune_weights.bin", device="cpu")


@pytest.fixture(scope="session")
def golden_prompts(tiny) -> dict:
    """Dataset -> the Prompt of its golden record, built from the files on disk."""
    from crab import avuie

    prompts = {}
    for dataset in json.loads((GOLDEN / "golden.json").read_text()):
        [record] = avuie.read(GOLDEN, dataset)
        clip, other = record.open()
        prompts[dataset] = tiny.prompt(clip, record.task, record.question, other=other)
    return prompts


@pytest.fixture(scope="session")
def mini():
    """The model that ships."""
    from crab.model import Crab

    return Crab.load(MINI, device="cpu")


@pytest.fixture(scope="session")
def tiny_sam2(tmp_path_factory) -> Path:
    """A folder laid out like facebook/sam2.1-hiera-large, with a very small SAM 2 of random weights in it."""
    torch = pytest.importorskip("torch")
    from transformers import (
        Sam2Config,
        Sam2HieraDetConfig,
        Sam2ImageProcessor,
        Sam2MaskDecoderConfig,
        Sam2Model,
        Sam2Processor,
        Sam2PromptEncoderConfig,
        Sam2VisionConfig,
    )

    torch.manual_seed(0)
    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[128, 128],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 1, 1],
        window_size_per_stage=[8, 4, 4, 4],
        global_attention_blocks=[3],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        fpn_hidden_size=32,
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
    )
    config = Sam2Config(
        vision_config=vision,
        prompt_encoder_config=Sam2PromptEncoderConfig(hidden_size=32, image_size=128, patch_size=16),
        mask_decoder_config=Sam2MaskDecoderConfig(
            hidden_size=32, mlp_dim=32, num_hidden_layers=1, num_attention_heads=1, iou_head_hidden_dim=32
        ),
    )
    folder = tmp_path_factory.mktemp("sam2")
    Sam2Model(config).save_pretrained(folder)
    Sam2Processor(Sam2ImageProcessor(size={"height": 128, "width": 128})).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clips() -> Path:
    """Real clips that are not part of this repository."""
    folder = ROOT.parent / "shared" / "clips"
    if not folder.is_dir():
        pytest.skip("the folder of real clips (../shared/clips) is not here")
    return folder


@pytest.fixture(scope="session")
def scene_clip(tmp_path_factory) -> Path:
    """One drawn scene as a video file."""
    from crab.scenes.world import render, script

    path = tmp_path_factory.mktemp("scene") / "scene.mp4"
    render.write_clip(script.write(5), path, size=(160, 120))
    return path


def _film(path: Path, *, seconds: int) -> Path:
    """A grey that changes every second."""
    import av

    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=1)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(seconds):
            picture = np.full((48, 64, 3), number % 250, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode())
    return path


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory) -> Path:
    """Eighty seconds of next to nothing: asked about events it takes ten windows, long enough to be stopped."""
    return _film(tmp_path_factory.mktemp("long") / "long.mp4", seconds=80)


# --- the page ---


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, silent and without a screen."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=SOON)
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=quiet)
        yield browser
        browser.close()


@contextmanager
def served(log: Path, **environment: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """`python app.py` in a process of its own, and where it answers; what it says goes to `log`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1"} | environment
    with log.open("w") as out:
        server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        for _ in range(1800):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)
        yield server, f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """Where `python app.py` answers, one and the same for all tests that only talk with it."""
    with served(tmp_path_factory.mktemp("server") / "log.txt") as (_, address):
        yield address


@contextmanager
def folder_served(root: Path) -> Iterator[str]:
    """Where the files of a folder can be fetched, for tests that need no page of ours around them."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def opened(browser, address):
    """The page just opened, with the answer that ships; `called` is every address it asks for."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(SOON)
    page.called = []
    page.on("request", lambda request: page.called.append(request.url))
    page.goto(address)
    page.get_by_text("ships with the page").wait_for()
    yield page
    page.close()


@pytest.fixture
def page(opened):
    """The same once a visitor has put the example away, to ask a question of their own about a clip of their own."""
    return put_away(opened)


def put_away(opened):
    opened.locator("#video [aria-label=Clear]").click()
    opened.locator("#video input[type=file]").wait_for(state="attached")
    opened.get_by_label("Question answering").click()
    opened.locator("#question").wait_for()
    opened.locator("#question textarea").fill("")
    return opened


@pytest.fixture(scope="session")
def too_long(tmp_path_factory) -> Path:
    """Eleven minutes of next to nothing: a minute more than a clip may have."""
    return _film(tmp_path_factory.mktemp("too_long") / "long.mp4", seconds=660)
