"""What several test files share: where things lie, and models that are loaded once."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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


def tiny_vision(hidden: int):
    """What looks at pictures, of a very small SAM 2."""
    from transformers import Sam2HieraDetConfig, Sam2VisionConfig

    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[128, 128],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 1, 1],
        window_size_per_stage=[8, 4, 4, 4],
        global_attention_blocks=[3],
    )
    return Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        fpn_hidden_size=hidden,
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
    )


DECODER = {"mlp_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 1, "iou_head_hidden_dim": 32}


@pytest.fixture(scope="session")
def tiny_sam2(tmp_path_factory) -> Path:
    """A folder with a very small SAM 2 of random weights in it, which knows pictures alone."""
    torch = pytest.importorskip("torch")
    from transformers import (
        Sam2Config,
        Sam2ImageProcessor,
        Sam2MaskDecoderConfig,
        Sam2Model,
        Sam2Processor,
        Sam2PromptEncoderConfig,
    )

    torch.manual_seed(0)
    config = Sam2Config(
        vision_config=tiny_vision(32),
        prompt_encoder_config=Sam2PromptEncoderConfig(hidden_size=32, image_size=128, patch_size=16),
        mask_decoder_config=Sam2MaskDecoderConfig(hidden_size=32, **DECODER),
    )
    folder = tmp_path_factory.mktemp("sam2")
    Sam2Model(config).save_pretrained(folder)
    Sam2Processor(Sam2ImageProcessor(size={"height": 128, "width": 128})).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_sam2_video(tmp_path_factory) -> Path:
    """A folder laid out like facebook/sam2.1-hiera-large, whose weights are of the model for clips; very small, random."""
    torch = pytest.importorskip("torch")
    from transformers import (
        Sam2ImageProcessor,
        Sam2Processor,
        Sam2VideoConfig,
        Sam2VideoMaskDecoderConfig,
        Sam2VideoModel,
        Sam2VideoPromptEncoderConfig,
    )

    torch.manual_seed(0)
    config = Sam2VideoConfig(
        vision_config=tiny_vision(128),  # twice the 64 channels of what is remembered, in transformers a constant
        image_size=128,
        prompt_encoder_config=Sam2VideoPromptEncoderConfig(hidden_size=128, image_size=128, patch_size=16),
        mask_decoder_config=Sam2VideoMaskDecoderConfig(hidden_size=128, **DECODER),
        memory_attention_hidden_size=128,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[8, 8],
        memory_encoder_hidden_size=128,
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1,
        num_maskmem=3,
        max_object_pointers_in_encoder=4,
    )
    folder = tmp_path_factory.mktemp("sam2-video")
    Sam2VideoModel(config).save_pretrained(folder)
    Sam2Processor(Sam2ImageProcessor(size={"height": 128, "width": 128})).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_sam3(tmp_path_factory) -> Path:
    """A folder laid out like facebook/sam3, with a very small SAM 3 of random weights in it, which reads single letters."""
    torch = pytest.importorskip("torch")
    from transformers import CLIPTokenizer, Sam3Config, Sam3ImageProcessor, Sam3Model, Sam3Processor

    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_attention_heads": 2}
    layer = small | {"num_layers": 1, "intermediate_size": 16}
    sight = small | {"model_type": "sam3_vit_model", "intermediate_size": 16, "num_hidden_layers": 2, "image_size": 112,
                     "patch_size": 14, "window_size": 4, "global_attn_indexes": [1], "pretrain_image_size": 56}  # fmt: skip
    words = small | {"model_type": "clip_text_model", "vocab_size": 60, "intermediate_size": 16, "projection_dim": 16,
                     "num_hidden_layers": 1, "max_position_embeddings": 32, "bos_token_id": 0, "eos_token_id": 1,
                     "pad_token_id": 1}  # fmt: skip
    config = Sam3Config(
        vision_config={
            "backbone_config": sight,
            "fpn_hidden_size": 16,
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
        },
        text_config=words,
        geometry_encoder_config=layer,
        detr_encoder_config=layer,
        detr_decoder_config=layer | {"num_queries": 6},
        mask_decoder_config=small,
    )
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    written = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    tokenizer = CLIPTokenizer(vocab={token: number for number, token in enumerate(written)}, merges=[])
    folder = tmp_path_factory.mktemp("sam3")
    Sam3Model(config).save_pretrained(folder)
    Sam3Processor(Sam3ImageProcessor(size={"height": 112, "width": 112}), tokenizer).save_pretrained(folder)
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
def programs(address: str, clip: Path) -> Iterator[Callable[[], Callable[[], object] | None]]:
    """Call it, and one more program asks what happens in a clip when, which takes long; call what comes back, and that
    one leaves. None where there was no room for it. At the end all leave."""
    import httpx

    with httpx.Client(base_url=address, timeout=60) as client, ExitStack() as leaving:
        with clip.open("rb") as data:
            [path] = client.post("/gradio_api/upload", files={"files": data}).json()
        number = next(fn["id"] for fn in client.get("/config").json()["dependencies"] if fn["api_name"] == "ask")
        given = [{"path": path, "meta": {"_type": "gradio.FileData"}}, "unav", "", None, "", False]
        visitors = itertools.count()

        def come() -> Callable[[], object] | None:
            told = {"session_hash": f"program{next(visitors)}", "fn_index": number}
            joined = client.post("/gradio_api/queue/join", json=told | {"data": given})
            if joined.status_code == 503:
                return None
            left = told | {"event_id": joined.json()["event_id"]}
            leave = partial(client.post, "/gradio_api/cancel", json=left)
            leaving.callback(leave)
            return leave

        yield come


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
def tab(browser):
    """A page that shows nothing yet, of a visitor of its own; `called` is every address it asks for."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(SOON)
    page.called = []
    page.on("request", lambda request: page.called.append(request.url))
    yield page
    page.close()


@pytest.fixture
def opened(tab, address):
    """The page just opened, with the answer that ships."""
    tab.goto(address)
    tab.get_by_text("ships with the page").wait_for()
    return tab


@pytest.fixture
def page(opened):
    """The same once a visitor has put the example away, to ask a question of their own about a clip of their own."""
    return put_away(opened)


def fits(page, width: int) -> None:
    """Nothing scrolls sideways, once what is drawn anew for this width has been."""
    page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)


def in_sight(page, view: str) -> None:
    """The heading of one of the explorer's views is on the screen, near its top, and nothing lies over it."""
    page.wait_for_function(
        """view => {
          const frame = document.querySelector('iframe.crab-explorer'), top = frame.getBoundingClientRect().top;
          const place = what => frame.contentDocument.querySelector(what)?.getBoundingClientRect();
          const told = place('#told'), head = place(`#${view} h2`);
          return told && head && told.bottom <= head.top && top + head.top < 300;
        }""",
        arg=view,
    )


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
