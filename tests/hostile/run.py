"""Hands a corpus of hostile inputs to the product, one after the other: each gets an answer or a sentence.

    python tests/hostile/run.py [WORD…]      those whose names have one of these words in them; without any, all

Each has to be over in `SECONDS` and `MEMORY`, without a traceback and without asking any address; after each, a good
input of its kind is answered. Prints what became of them by door, and whatever went wrong; exit status 1 if anything
did. Nothing is fetched or kept: the corpus is made on the spot.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from functools import cache
from io import StringIO
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import corpus_archives  # noqa: E402
import corpus_media  # noqa: E402
import corpus_words  # noqa: E402
from corpus_archives import ADAPTER, MODEL  # noqa: E402
from corpus_media import EXAMPLES, ROOT, Case  # noqa: E402
from PIL import Image  # noqa: E402

from crab import CrabError, answer, avuie, media, saved, trace  # noqa: E402
from crab.ask import ask  # noqa: E402
from crab.compose import of_link  # noqa: E402
from crab.reference import read as read_reference  # noqa: E402
from crab.result import Result  # noqa: E402
from crab.routing import atlas  # noqa: E402
from crab.tasks import TASKS  # noqa: E402

SECONDS = 75  # what a look into a file may take, and what goes with it
MEMORY = 1_500_000_000  # bytes that this process may grow by; the decoding process has its own limit
LONGEST = 10_000  # characters of a sentence: a name of 4,000 that was typed is told again, some twice
CLIP = EXAMPLES / "evening-1000412.mp4"


class Wrong(Exception):
    """What may not happen."""


@cache
def model(base: Path = ROOT / "assets" / "crab-mini", adapter: Path | None = None) -> Any:
    from crab.model import Crab

    return Crab.load(base, adapter, device="cpu")


# ---- the doors: what is done with an input; raises CrabError where it is refused ----


def watch(path: Path) -> None:
    clip = media.open_clip(path)
    if clip.visible:
        clip.frames(4)
        clip.frame_at(0.5)
    clip.sound(end=20.0)


def keep_closed(path: Path | str) -> None:
    media.open_clip(path)
    raise Wrong("was opened")


def put(question: Any) -> None:
    clip = media.open_clip(CLIP)
    for _ in ask(model(), clip, TASKS["avqa"], question, max_new_tokens=2):
        pass


def parse(text: str) -> None:
    for name in ("avvp", "avqa", "a2v", "s4", "ref_avs", "avcap"):
        answer.parse(text, TASKS[name])


def compare(path: Path) -> None:
    """With runs of several tasks; all of them have to refuse it for a refusal."""
    refused = []
    clip = media.Clip("clip.mp4", video=Path("clip.mp4"), duration=10.0, width=64, height=48)
    for task in ("avvp", "avqa", "ave", "s4", "arig"):
        try:
            read_reference(path, Result(clip, TASKS[task], "What?", "crab-mini", "", size=(64, 48), done=True))
        except CrabError as error:
            refused.append(error)
    if len(refused) == 5:
        raise refused[0]


def reopen(path: Path) -> None:
    place = path.parent / "opened"
    try:
        saved.read(path, place)
    except CrabError:
        if place.exists():
            raise Wrong("left a folder behind") from None
        raise
    if {one.name for one in path.parent.iterdir()} != {path.name, "opened"}:
        raise Wrong("wrote beside its folder")


def follow(words: dict[str, str]) -> None:
    import app  # noqa: F401  imports spaces before torch
    from crab.page.links import read

    read(words)


def command(arguments: list[str]) -> None:
    from crab.__main__ import main

    said, before = StringIO(), Path.cwd()
    with TemporaryDirectory() as folder, redirect_stderr(said), redirect_stdout(StringIO()):
        os.chdir(folder)
        try:
            status = main(arguments)
        except SystemExit as error:  # argparse, which says how the command is used first
            status, said = error.code, StringIO(said.getvalue().strip().splitlines()[-1])
        finally:
            os.chdir(before)
    if status != 2:
        raise Wrong(f"exit status {status}, {said.getvalue()[:300]}")
    lines = said.getvalue().rstrip("\n").splitlines()  # carriage returns are a bar's that grew
    raise CrabError("\n".join(line for line in lines if line.strip() and "/s]" not in line))


DOORS: dict[str, Callable[[Any], object]] = {
    "media": watch, "closed": keep_closed, "question": put, "text": parse, "reference": compare, "saved": reopen,
    "trace": trace.load, "atlas": atlas.load, "records": lambda path: str(avuie.check(path)), "scene": of_link, "link": follow,
    "command": command, "adapter": lambda path: model.__wrapped__(MODEL, path), "model": lambda path: model.__wrapped__(path, ADAPTER),
}  # fmt: skip


def next_one(door: str, folder: Path) -> None:
    """A good input of the same kind has to be answered."""
    if door in ("media", "closed"):
        Image.new("RGB", (40, 30)).save(folder / "good.png")
        if media.open_clip(folder / "good.png").width != 40:
            raise Wrong("the next picture is not as it was")
    elif door == "question":
        put("How many?")
    elif door in ("adapter", "model"):
        model.__wrapped__(MODEL, ADAPTER)
    elif door == "saved":
        (folder / "next").mkdir()
        reopen(corpus_archives.put("run.zip", corpus_archives.run_saved, folder / "next"))
    elif door == "trace":
        trace.load(corpus_archives.FIRST)
    elif door == "atlas":
        atlas.load(ROOT / "assets" / "atlas.npz")


# ---- handing them in ----


@contextmanager
def bounded() -> Iterator[None]:
    """Raises Wrong where it takes longer, or more, than it may."""

    def late(*_: object) -> None:
        raise Wrong(f"takes longer than {SECONDS} s")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    handler = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
    if grown > MEMORY:
        raise Wrong(f"takes {grown / 1e9:.1f} GB")


def check_sentence(said: str) -> None:
    odd = [word for word in ("Traceback", "Error(", "Errno", "<class", " 0x") if word in said]
    if odd or not said.strip() or "\n" in said or len(said) > LONGEST:
        raise Wrong(f"no sentence ({len(said)} characters): {said[:300]!r}")


def hand_in(case: Case) -> str:
    """ "answer" or "sentence"; raises whatever else comes of it."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "in"
        folder.mkdir()
        given = case.make(folder)
        came = "answer"
        with bounded():
            try:
                DOORS[case.door](given)
            except CrabError as error:
                came = "sentence"
                check_sentence(str(error))
        next_one(case.door, folder)
    return came


@contextmanager
def listening() -> Iterator[list[object]]:
    """Counts who asks the address that playlists name."""
    asked: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        corpus_media.listener[0] = f"http://127.0.0.1:{server.getsockname()[1]}"

        def count() -> None:
            with suppress(OSError):
                while True:
                    asked.append(server.accept())

        threading.Thread(target=count, daemon=True).start()
        yield asked


def all_cases() -> list[Case]:
    cases = list(chain(corpus_media.cases(), corpus_words.cases(), corpus_archives.cases()))
    assert len({case.name for case in cases}) == len(cases)
    return cases


def main() -> int:
    cases = [case for case in all_cases() if not sys.argv[1:] or any(word in case.name for word in sys.argv[1:])]
    came: Counter[tuple[str, str]] = Counter()
    slowest: list[tuple[float, str]] = []
    wrong = 0
    with listening() as asked:
        for case in cases:
            began = time.monotonic()
            try:
                came[case.door, hand_in(case)] += 1
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                wrong += 1
                came[case.door, "wrong"] += 1
                print(f"WRONG {case.name}: {type(error).__name__}: {str(error)[:400]}", flush=True)
            slowest.append((time.monotonic() - began, case.name))
        if asked:
            wrong += 1
            print(f"WRONG {len(asked)} requests were made to the address that a playlist names")
    print(
        f"{len(cases)} inputs: "
        + ", ".join(
            f"{sum(n for (_, kind), n in came.items() if kind == what)} {what}"
            for what in ("answer", "sentence", "wrong")
        )
    )
    for door in DOORS:
        print(f"  {door:10}" + "".join(f"{came[door, what]:5} {what}" for what in ("answer", "sentence", "wrong")))
    print("slowest: " + ", ".join(f"{name} {took:.1f} s" for took, name in sorted(slowest, reverse=True)[:5]))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
