"""What stands between the page and whoever comes: one visit does not see another's uploads, and the disk does not fill."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import app  # noqa: F401  imports spaces before torch
from crab.page import guard
from crab.page.guard import COOKIE, Guard, spare


@pytest.fixture
def visits(tmp_path):
    """Call it for a visitor of a page that behaves as Gradio's does; `clip` is what each uploads."""
    clip = tmp_path / "a b.mp4"
    clip.write_bytes(b"mine")

    async def page(request):
        return HTMLResponse("<p>")

    async def upload(request):
        return JSONResponse([str(clip)])

    async def file(request):
        return PlainTextResponse(f"given: {request.path_params['path']}")

    routes = [Route("/", page), Route("/gradio_api/upload", upload, methods=["POST"]),
              Route("/gradio_api/file={path:path}", file), Route("/gradio_api/file/{path:path}", file)]  # fmt: skip
    served = Guard(Starlette(routes=routes))

    def come(cookies: bool = True) -> TestClient:
        visitor = TestClient(served)
        if cookies:
            visitor.get("/")
        return visitor

    come.clip = clip
    return come


def test_an_upload_is_given_to_the_visit_that_it_came_with_alone(visits):
    mine, other, stranger = visits(), visits(), visits(cookies=False)
    assert mine.cookies[COOKIE] != other.cookies[COOKIE]
    mine.post("/gradio_api/upload")
    sideways = visits.clip.parent / "x" / ".." / visits.clip.name
    for path in (visits.clip, f"/{visits.clip}", sideways):
        for way in ("file=", "file/"):
            assert mine.get(f"/gradio_api/{way}{path}").text.startswith("given")
            assert other.get(f"/gradio_api/{way}{path}").status_code == 403
            assert stranger.get(f"/gradio_api/{way}{path}").status_code == 403
    assert other.get(f"/gradio_api/file={visits.clip.parent}/other.png").status_code == 200  # everybody's


def test_who_uploads_the_same_file_has_it_too(visits):
    mine, other = visits(), visits()
    mine.post("/gradio_api/upload")
    other.post("/gradio_api/upload")
    assert mine.get(f"/gradio_api/file={visits.clip}").status_code == 200
    assert other.get(f"/gradio_api/file={visits.clip}").status_code == 200


def test_programs_and_pages_within_pages_do_without_cookies(visits):
    program = visits(cookies=False)
    program.post("/gradio_api/upload")
    assert program.get(f"/gradio_api/file={visits.clip}").status_code == 200


def test_a_file_that_is_called_as_the_way_to_it_is_still_somebodys(visits):
    named = visits.clip.parent / "file=a.mp4"
    named.write_bytes(b"")
    visits.clip = named
    mine, other = visits(), visits()
    mine.post("/gradio_api/upload")  # of the first clip
    assert other.get(f"/gradio_api/file={visits.clip}").status_code == 200
    one = Guard(None)
    one.remember(f'["{named}"]'.encode(), "mine")
    asked = guard._FILE.fullmatch(f"/gradio_api/file={named}")[1]
    assert one.may_read(asked, "mine") and not one.may_read(asked, "other")


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1/a", "https://a.b/c", "HTTP://a.b", "file:///etc/passwd", "ftp:/a"]
)
def test_an_address_given_as_a_file_is_refused(visits, address):
    assert visits().get(f"/gradio_api/file={address}").status_code == 403


def test_what_is_no_name_and_no_list_is_left_to_gradio(visits):
    one = Guard(None)
    assert one.may_read("a\0b", "mine") and one.may_read("a" * 5000, "mine") and one.may_read(r"C:/a.mp4", "mine")
    for told in (b"", b"{", b"5", b"null", b"too large", b'{"detail": "no"}'):
        one.remember(told, "mine")
    assert not one.visits


def test_uploads_that_are_gone_are_forgotten(visits):
    one = Guard(None)
    one.remember(f'["{visits.clip}"]'.encode(), "mine")
    assert list(one.visits) == [os.path.realpath(visits.clip)]
    visits.clip.unlink()
    one.remember(b"[]", "mine")
    assert not one.visits


def test_every_answer_says_what_a_browser_may_load(visits):
    headers = visits(cookies=False).get("/").headers
    assert "object-src 'none'" in headers["content-security-policy"]
    assert not any(away in headers["content-security-policy"] for away in ("*", "http:", "https:"))
    assert headers["x-content-type-options"] == "nosniff"
    assert "HttpOnly" in headers["set-cookie"] and "SameSite=Lax" in headers["set-cookie"]
    assert "set-cookie" not in visits().get("/").headers  # who has one keeps it


# --- the disk ---


def filled(folder: Path, *sizes: int) -> list[Path]:
    """Files in folders of their own, the oldest first."""
    made = []
    for number, size in enumerate(sizes):
        (folder / f"{number}").mkdir()
        made.append(folder / f"{number}" / "file")
        made[-1].write_bytes(bytes(size))
    return made


@pytest.fixture
def in_order(monkeypatch):
    """Files are as old as their folders' names say, not as fast as a disk counts."""
    files = guard._files
    monkeypatch.setattr(guard, "_files", lambda folder: ((int(Path(f).parent.name), n, f) for _, n, f in files(folder)))


def test_what_is_oldest_goes_until_there_is_room(tmp_path, in_order):
    first, second, third, last = filled(tmp_path, 250, 300, 300, 350)
    spare(tmp_path, 1200, keep=set())
    assert first.exists()
    spare(tmp_path, 1000, keep=set())  # nine tenths of that stay: who comes next has room
    assert not first.parent.exists() and not second.parent.exists() and third.exists() and last.exists()


def test_what_belongs_to_everybody_stays(tmp_path, in_order):
    first, second, last = filled(tmp_path, 400, 300, 300)
    spare(tmp_path, 900, keep={str(first)})
    assert first.exists() and last.exists() and not second.exists()


def test_a_folder_that_is_not_there_is_no_trouble(tmp_path):
    spare(tmp_path / "none", 0, keep=set())


def test_gradio_converts_nothing(monkeypatch, tmp_path):
    import gradio as gr
    from gradio import processing_utils

    monkeypatch.setattr(processing_utils, "ffmpeg_installed", lambda: True)
    monkeypatch.setattr(processing_utils, "video_is_playable", lambda file: pytest.fail("FFmpeg was to look at it"))
    monkeypatch.setattr(processing_utils, "audio_is_playable", lambda file: pytest.fail("FFmpeg was to look at it"))
    guard.leave_files_alone()
    monkeypatch.setattr(processing_utils, "_check_allowed", lambda *_, **__: None)
    (tmp_path / "a.avi").write_bytes(b"any")
    assert gr.Video().postprocess(str(tmp_path / "a.avi")).path.endswith("a.avi")
    assert gr.Audio().postprocess(str(tmp_path / "a.avi")).path.endswith("a.avi")
