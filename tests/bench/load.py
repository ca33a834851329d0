"""What a served page does under many visitors: who is answered, who is told to come later, how long it takes, in what order.

    python tests/bench/load.py [--visitors 32] [--seconds 120]

Starts `python app.py` on this machine. Every visitor uploads a clip under a name of its own and asks about it, again
and again, until the time is over; what waits then is still waited for. All come at once, which is the worst there is.
Figures of a machine with other work on it are that machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from conftest import served  # noqa: E402

from crab.page.parts import WAITING_MOST  # noqa: E402

CLIPS = ("evening-1000412.mp4", "evening-1000443.mp4", "room-1000434.mp4", "action-1001501.mp4")
PATIENCE = 600.0  # seconds that one ask is waited for
AGAIN = 2.0  # seconds after which a visitor who was refused asks again


@dataclass(frozen=True)
class Asked:
    visitor: int
    came: float  # seconds since the first visitor, when it stood in the line
    outcome: str  # "answered" | "refused" | "failed: …"
    text: float | None = None  # seconds since it came, to the first words
    over: float = 0.0  # the same, to the end
    ended: float = 0.0  # seconds since the first visitor


def ask(page: httpx.Client, visitor: int, path: str, began: float) -> Asked:
    came = time.monotonic()
    given = [{"path": path, "meta": {"_type": "gradio.FileData"}}, "avqa", "Which object makes a sound first?", None]
    joined = page.post("/gradio_api/call/ask", json={"data": given})
    if joined.status_code == 503:
        return Asked(visitor, came - began, "refused", over=time.monotonic() - came)
    if joined.status_code != 200:
        return Asked(visitor, came - began, f"failed: {joined.status_code} {joined.text[:100]}")
    stood = time.monotonic() - began
    text, event, data = None, "", "null"
    with page.stream("GET", f"/gradio_api/call/ask/{joined.json()['event_id']}") as stream:
        for line in stream.iter_lines():
            kind, _, value = line.partition(": ")
            event, data = (value, data) if kind == "event" else (event, value if kind == "data" else data)
            if text is None and event == "generating" and kind == "data" and json.loads(data)[0]:
                text = time.monotonic() - came
    over = time.monotonic() - came
    if event != "complete":
        return Asked(visitor, stood, f"failed: {data[:200]}", text, over)
    own = json.loads(data)[1]["clip"] == Path(path).name
    return Asked(
        visitor, stood, "answered" if own else "failed: about another's clip", text, over, time.monotonic() - began
    )


def visit(address: str, visitor: int, seconds: float, began: float, told: list[Asked]) -> None:
    with httpx.Client(base_url=address, timeout=PATIENCE) as page:
        page.get("/")
        clip = (ROOT / "assets" / "examples" / CLIPS[visitor % len(CLIPS)]).read_bytes()
        [path] = page.post("/gradio_api/upload", files={"files": (f"clip-{visitor}.mp4", clip)}).json()
        while time.monotonic() - began < seconds:
            told.append(ask(page, visitor, path, began))
            if told[-1].outcome == "refused":
                time.sleep(AGAIN)


def overtaken(told: list[Asked]) -> int:
    """How many who stood in the line a second later were answered before somebody, at most."""
    done = [one for one in told if one.outcome == "answered"]
    return max((sum(o.came > one.came + 1 and o.ended < one.ended for o in done) for one in done), default=0)


def memory(process: int) -> float:
    """MB that a process holds, where the system tells (Linux)."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmRSS"))
    except OSError:
        return float("nan")


def on_disk(folder: Path) -> float:
    """MB in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def report(told: list[Asked], visitors: int) -> str:
    count = Counter(one.outcome for one in told)
    served_ones = {one.visitor for one in told if one.outcome == "answered"}
    first = [one.text for one in told if one.outcome == "answered" and one.text is not None]
    lines = [
        f"{len(told)} asks of {visitors} visitors, of whom {WAITING_MOST} can wait: {count['answered']} answered, "
        f"{count['refused']} told to come later, {len(told) - count['answered'] - count['refused']} failed; "
        f"{visitors - len(served_ones)} visitors never served",
        *(f"  {outcome}: {n}" for outcome, n in count.items() if outcome.startswith("failed")),
    ]
    if first:
        each = Counter(one.visitor for one in told if one.outcome == "answered")
        lines += [
            f"first text after {np.median(first):.1f} s at the median, {np.percentile(first, 95):.1f} s at the 95th percentile",
            f"answers a visitor: {min(each[v] for v in range(visitors))} to {max(each.values())}; "
            f"at most {overtaken(told)} who came later were answered before one who came earlier",
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--visitors", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        log = Path(place, "log.txt")
        with served(log, GRADIO_TEMP_DIR=place) as (server, address):
            told: list[Asked] = []
            visit(address, args.visitors, 0.1, time.monotonic(), told)  # one answer, after which memory is counted
            told.clear()
            before, began = memory(server.pid), time.monotonic()
            come = [
                threading.Thread(target=visit, args=(address, n, args.seconds, began, told))
                for n in range(args.visitors)
            ]
            for one in come:
                one.start()
            for one in come:
                one.join()
            print(report(told, args.visitors))
            print(
                f"the page's process: {before:.0f} MB before, {memory(server.pid):.0f} MB after; on the disk {on_disk(Path(place)):.0f} MB"
            )
        if os.path.getsize(log):
            said = [
                line
                for line in log.read_text(encoding="utf-8").splitlines()
                if line and not line.startswith(("The page: ", "For agents"))
            ]
            print(f"its log has {len(said)} lines" + "".join(f"\n  {line}" for line in said[:5]))


if __name__ == "__main__":
    main()
