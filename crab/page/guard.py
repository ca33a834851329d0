"""What stands between the page and whoever comes: what a browser may load, whose an upload is, how much lies on the disk.

`Guard` goes around the page's application (ASGI). Uploads lie under names that nobody can guess; one that came with a
visit's cookie is besides given out to that visit alone. Where a browser keeps no cookies (a page inside another site's)
the name is all there is.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import gradio as gr
from gradio import processing_utils
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

COOKIE = "crab-visit"
# Gradio's page is made of scripts and styles in the page itself, and of words that become functions (`js=`): these it
# needs. What it does not need is anything from elsewhere, or a way for anything to get there.
POLICY = "; ".join((
    "default-src 'self' data: blob:", "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src 'self' 'unsafe-inline'", "object-src 'none'", "base-uri 'self'", "form-action 'self'",
))  # fmt: skip
MOST, LEFT = 4_000_000_000, 0.9  # bytes of all visits' files, and the share of them that stays when there are more
EVERY = 20.0  # seconds between two looks at the disk

_FILE = re.compile(r".*?/file[=/](.*)", re.DOTALL)  # the first: files may be called so, too
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/")


class Guard:
    """Says with every answer what a browser may load, and keeps one visit from another's uploads."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.visits: dict[str, set[str]] = {}  # by the path of an upload, who brought it

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        visit, path = _visit(scope), scope["path"]
        if (asked := _FILE.fullmatch(path)) and not self.may_read(asked[1], visit):
            return await PlainTextResponse("This file is not one of this visit's.", 403)(scope, receive, send)
        told = bytearray() if path.endswith("/upload") and scope["method"] == "POST" and visit else None

        async def passed(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = POLICY
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "same-origin"
                if visit is None and headers.get("content-type", "").startswith("text/html"):
                    headers.append("set-cookie", f"{COOKIE}={token_urlsafe()}; Path=/; HttpOnly; SameSite=Lax")
            elif told is not None:
                told.extend(message.get("body", b""))
                if not message.get("more_body") and visit:
                    self.remember(bytes(told), visit)
            await send(message)

        await self.app(scope, receive, passed)

    def may_read(self, file: str, visit: str | None) -> bool:
        """No address is fetched on anybody's behalf, and no upload is given to another visit."""
        if _ADDRESS.match(file):
            return False
        with suppress(ValueError, OSError):  # no name of a file: Gradio refuses it
            visits = self.visits.get(os.path.realpath(file))
            return visits is None or visit in visits
        return True

    def remember(self, told: bytes, visit: str) -> None:
        """`told`: what Gradio answers to an upload, a list of paths in JSON, or why there is none."""
        # What is new may still be on its way from another disk.
        self.visits = {file: whose for file, whose in self.visits.items() if os.path.exists(file)}
        with suppress(ValueError):
            files = json.loads(told)
            for file in files if isinstance(files, list) else ():
                self.visits.setdefault(os.path.realpath(file), set()).add(visit)


def _visit(scope: Any) -> str | None:
    """Who it is, by a cookie."""
    with suppress(CookieError):
        if found := SimpleCookie(Headers(scope=scope).get("cookie", "")).get(COOKIE):
            return found.value
    return None


def leave_files_alone() -> None:
    """Keep Gradio from converting what a browser may not play: it would have FFmpeg, where the machine has that, open
    visitors' files in this process' name, without a limit. `crab.media` alone decodes."""
    processing_utils.ffmpeg_installed = lambda: False


# --- the disk -------------------------------------------------------------------------------------------------------


def watch_disk(page: gr.Blocks, folder: Path, over: threading.Event) -> None:
    """Hold what lies in Gradio's folder to `MOST` bytes, beside its own rule of hours, until it is `over`."""

    def watching() -> None:
        while not over.wait(EVERY):
            spare(folder, MOST, keep=_kept(page))

    threading.Thread(target=watching, daemon=True).start()


def _kept(page: gr.Blocks) -> set[str]:
    """Files that are everybody's: what components came with."""
    return {file for block in list(page.blocks.values()) for file in getattr(block, "keep_in_cache", ())}


def spare(folder: Path, most: int, *, keep: set[str]) -> None:
    """Where there is more than `most` bytes in a folder, let go of what is oldest in it, until there is `LEFT` of that."""
    found = sorted(_files(folder))
    size = sum(large for _, large, _ in found)
    if size <= most:
        return
    for _, large, file in found:
        if size <= LEFT * most:
            return
        if file not in keep:
            with suppress(OSError):
                os.remove(file)
                os.rmdir(os.path.dirname(file))  # where nothing else is in it
            size -= large


def _files(folder: Path) -> Iterator[tuple[float, int, str]]:
    """When each was last put there or used again, how large it is, and where."""
    for place, _, names in os.walk(folder):
        for name in names:
            file = os.path.join(place, name)
            with suppress(OSError):  # it went meanwhile
                state = os.stat(file)
                yield state.st_ctime, state.st_size, file
