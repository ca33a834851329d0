"""How heavy and how quick the routing views are in a browser: a page update, live updates a second, the saved page.

    python tests/bench/page.py

A machine with other work shares out the clock's time as it likes, so run it on a quiet one. Needs Debian's Chromium.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from test_standalone import released, seen  # noqa: E402

from visualize import standalone  # noqa: E402
from visualize.live import live  # noqa: E402

LOADS = 6
# The times at which what the live heatmap says or shows becomes another.
WATCH = """() => {
  window.changes = [];
  let last = "";
  new MutationObserver(() => {
    const live = document.querySelector("#live")?.innerHTML || "";
    if (live !== last && live.includes("crab-live")) changes.push(performance.now());
    last = live;
  }).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
}"""


def main() -> None:
    traces = released(1000)
    strip, frame = len(live(traces["language"])), len(standalone.frame("routing.json", dark=False))
    print(
        f"a page update: {strip / 1e3:.1f} kB for 1,000 tokens x {len(traces['language'].sites)} sites; "
        f"the explorer's frame, once an answer: {frame / 1e3:.1f} kB"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        _saved_page(browser, traces)
        _live_updates(browser)
        browser.close()


def _saved_page(browser: Browser, traces: dict) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(standalone.page(traces, seen=seen()), encoding="utf-8")
        took = []
        for _ in range(LOADS):
            page = browser.new_page()
            began = time.perf_counter()
            page.goto(path.as_uri())
            page.wait_for_selector("body[data-ready]", state="attached")
            took.append(time.perf_counter() - began)
            page.close()
        sites = sum(len(trace.sites) for trace in traces.values())
        print(
            f"the saved page of 1,000 tokens x {sites} sites: {path.stat().st_size / 1e6:.2f} MB, open in "
            f"{min(took):.2f} to {max(took):.2f} s over {LOADS} loads"
        )


def _live_updates(browser: Browser) -> None:
    """Asks every example once; counts from an answer's first live weights to its last."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, **quiet)
    try:
        while server.poll() is None:
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        page = browser.new_page()
        rows = page.locator("#examples tbody tr")
        steps, seconds, answers = [], [], 1
        while len(steps) < answers:
            page.goto(f"http://127.0.0.1:{port}")  # not a reload, which would ask again what the address names
            rows.first.wait_for()
            answers = rows.count()
            rows.nth(len(steps)).click()
            page.wait_for_timeout(2000)
            page.evaluate(WATCH)
            page.click("#ask")
            page.wait_for_selector("#explorer iframe", timeout=60_000)
            changes = page.evaluate("changes")
            steps.append(len(changes) - 1)
            seconds.append((changes[-1] - changes[0]) / 1000)
        print(
            f"live updates: {sum(steps)} after the first in {sum(seconds):.1f} s of {answers} answers, "
            f"{sum(steps) / sum(seconds):.1f} a second; in the first answer of a visit "
            f"{steps[0] / seconds[0]:.1f}"
        )
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
