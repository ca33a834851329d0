"""Clips and questions about them: opening a large one, asking a second time, and how soon the page is up."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np

from crab.bench import Table, table

ROOT = Path(__file__).parents[2]
MINI, EXAMPLE = ROOT / "assets" / "crab-mini", ROOT / "assets" / "examples" / "evening-1000412.mp4"
SIZE, RATE, SECONDS, FRAMES = (1920, 1080), 25, 10, 10


def opening(*, size: tuple[int, int] = SIZE, seconds: int = SECONDS) -> Iterator[Table]:
    """Ten frames, spread over a clip, and its sound at 16 kHz, of a file of high definition made here."""
    from crab import media
    from crab.media import process

    with tempfile.TemporaryDirectory() as folder:
        file = film(Path(folder) / "film.mp4", size=size, seconds=seconds)
        process.start()  # as the page does, long before a clip comes

        def ours() -> None:
            clip = media.open_clip(file)
            clip.frames(FRAMES)
            clip.sound()

        ways = {"MoviePy's iterator": lambda: _moviepy(file), "a whole decode": lambda: _decoded(file), "ours": ours}
        what = f"{FRAMES} frames and the sound of {seconds} s of {size[0]} x {size[1]}"
        yield table("clip", what, ways)


def film(path: Path, *, size: tuple[int, int], seconds: int) -> Path:
    """Moving stripes and a tone, as H.264 and AAC."""
    import av

    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        sound = out.add_stream("aac", rate=44_100, layout="stereo")
        stripes = np.add.outer(np.arange(size[1]), np.arange(size[0]))[..., None] + np.array([0, 80, 160])
        for number in range(seconds * RATE):
            picture = av.VideoFrame.from_ndarray((stripes + 5 * number).astype(np.uint8), format="rgb24")
            out.mux(video.encode(picture))
        tone = np.sin(np.arange(seconds * 44_100) / 16).astype(np.float32)
        block = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
        block.sample_rate = 44_100
        out.mux(sound.encode(block))
        for stream in (video, sound):
            out.mux(stream.encode())
    return path


def _moviepy(file: Path) -> None:
    """As the released code takes them: all frames pass by, ten are kept."""
    from moviepy import VideoFileClip

    with VideoFileClip(str(file)) as clip:
        wanted = set(np.rint(np.linspace(0, round(clip.duration * clip.fps) - 1, FRAMES)).astype(int).tolist())
        _ = [frame for number, frame in enumerate(clip.iter_frames()) if number in wanted]
        clip.audio.to_soundarray(fps=16_000)


def _decoded(file: Path) -> None:
    import av

    with av.open(str(file)) as container:
        for frame in container.decode(video=0):
            frame.to_ndarray(format="rgb24")
    with av.open(str(file)) as container:
        heard = av.AudioResampler("fltp", "mono", 16_000)
        for block in container.decode(audio=0):
            heard.resample(block)


def question(*, file: Path = EXAMPLE, most: int = 512) -> Iterator[Table]:
    """crab-mini is asked about a clip, and then something else about it: until the first words, and in all."""
    from crab import media
    from crab.ask import ask
    from crab.media import process
    from crab.memory import Memory
    from crab.model import Crab
    from crab.result import Seconds
    from crab.tasks import TASKS

    crab = Crab.load(MINI, device="cpu")
    process.start()

    def asked(name: str, memory: Memory, most: int = most) -> Seconds:
        began = time.perf_counter()
        clip = media.open_clip(file)
        opened = time.perf_counter() - began
        *_, last = ask(crab, clip, TASKS[name], memory=memory, max_new_tokens=most)
        took = last.seconds
        return Seconds(took.open + opened, (took.first_text or took.total) + opened, took.total + opened)

    def second(name: str) -> Seconds:
        memory = Memory()
        asked("avcap", memory, 1)
        return asked(name, memory)

    for until, said in (("first_text", "its first words"), ("total", "its whole answer")):
        ways = {
            "asked first": lambda until=until: getattr(asked("avvp", Memory()), until),
            "asked second": lambda until=until: getattr(second("avvp"), until),
        }
        yield table("question", f"avvp of {file.name}, traced, from opening it until {said}", ways)


def start() -> Iterator[Table]:
    """From the call of `app.py` until its page is there, and until the first words of an answer, whose model comes after
    the page; beside what imports alone take."""
    libraries = "import gradio, torch, transformers.models.qwen2_5_omni.modeling_qwen2_5_omni, peft"
    ways = {
        "these libraries imported": lambda: _program("-c", libraries),
        "the page is up": lambda: _up(lambda address: None),
        "its model answers": lambda: _up(_asked),
        "python -m crab --version": lambda: _program("-m", "crab", "--version"),
    }
    yield table("start", libraries, ways)


def _program(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)


def _asked(address: str) -> None:
    """Until there are words about the example, asked at once."""
    api, fetch = f"{address}/gradio_api", build_opener(ProxyHandler({})).open
    with fetch(f"{api}/info") as told:
        parameters = json.load(told)["named_endpoints"]["/ask"]["parameters"]
    given = {"data": [parameter["parameter_default"] for parameter in parameters]}
    call = Request(f"{api}/call/ask", json.dumps(given).encode(), {"content-type": "application/json"})
    with fetch(call) as told:
        event = json.load(told)["event_id"]
    with fetch(f"{api}/call/ask/{event}") as told:
        if not any(line.startswith(b"data: [") for line in told):
            raise RuntimeError("The page did not answer.")


def _up(then: Callable[[str], None]) -> float:
    """Seconds until there is a page, and what `then` does with its address is done."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    began = time.perf_counter()
    server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        while server.poll() is None:
            with socket.socket() as knock:
                there = knock.connect_ex(("127.0.0.1", port)) == 0
            if there:
                then(f"http://127.0.0.1:{port}")
                return time.perf_counter() - began
            time.sleep(0.02)
        raise RuntimeError("The page did not start.")
    finally:
        server.terminate()
        server.wait()
