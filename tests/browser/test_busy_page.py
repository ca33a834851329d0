"""When the model has too much to do, or the connection breaks: buttons come back, and what was refused is said."""

from __future__ import annotations

import contextlib
from pathlib import Path

import httpx
import pytest
from test_page import answered, upload

expect = pytest.importorskip("playwright.sync_api").expect

JOIN = "**/gradio_api/queue/join*"


@pytest.fixture
def crowd(address, long_clip):
    """Twenty-one others: one whose answer takes long, and as many as can wait."""
    with contextlib.ExitStack() as leaving:
        with Path(long_clip).open("rb") as data:
            [path] = httpx.post(f"{address}/gradio_api/upload", files={"files": data}).json()
        config = httpx.get(f"{address}/config").json()
        number = next(fn["id"] for fn in config["dependencies"] if fn["api_name"] == "ask")
        given = [{"path": path, "meta": {"_type": "gradio.FileData"}}, "unav", "", None]
        for visitor in range(100):
            asked = {"data": given, "fn_index": number, "session_hash": f"visitor{visitor}"}
            joined = httpx.post(f"{address}/gradio_api/queue/join", json=asked, timeout=60)
            if joined.status_code == 503:
                break
            told = {"session_hash": f"visitor{visitor}", "fn_index": number, "event_id": joined.json()["event_id"]}
            leaving.callback(httpx.post, f"{address}/gradio_api/cancel", json=told, timeout=60)
        assert joined.status_code == 503 and visitor >= 20
        yield


def test_when_too_many_wait_ask_says_so_and_works_again(page, crowd, scene_clip):
    upload(page, scene_clip)
    page.get_by_label("Captioning").click()
    page.click("#ask")
    expect(page.locator("#words [role=alert]")).to_contain_text("questions are waiting")
    expect(page.locator("#ask")).to_be_enabled()
    expect(page.locator("#stop")).to_be_disabled()

    page.get_by_role("tab", name="Compose").click()
    expect(page.locator("#still img")).to_be_visible()
    page.click("#compose-ask")
    expect(page.locator("#now [role=alert]")).to_contain_text("questions are waiting")
    expect(page.locator("#compose-ask")).to_be_enabled()

    page.get_by_role("tab", name="Atlas").click()
    page.click("#ask-every")
    expect(page.get_by_text("This application is currently busy")).to_be_visible()  # Gradio's own
    expect(page.locator("#ask-every")).to_be_enabled()


def test_when_they_have_left_the_same_page_answers(page, address, scene_clip):
    upload(page, scene_clip)
    page.get_by_label("Captioning").click()
    page.click("#ask")
    answered(page)
    expect(page.locator("#words .crab-answer")).not_to_be_empty()


@pytest.mark.parametrize("status", [400, 500, 503])
def test_what_the_queue_does_not_take_gives_the_buttons_back(page, scene_clip, status):
    """As where the last place is taken between the look at the queue and the ask."""
    upload(page, scene_clip)
    page.get_by_label("Captioning").click()
    refused(page, status, "#ask")
    expect(page.locator("#stop")).to_be_disabled()
    page.click("#ask")
    answered(page)

    refused(page, status, "#again")
    page.click("#again")
    expect(page.locator("#sides section")).to_have_count(2)

    page.get_by_role("tab", name="Compose").click()
    expect(page.locator("#still img")).to_be_visible()
    refused(page, status, "#compose-ask")
    expect(page.locator("#compose-stop")).to_be_disabled()


def refused(page, status: int, button: str) -> None:
    """The server refuses what the button asks for, and then the button is back."""
    page.route(JOIN, lambda route: route.fulfill(status=status, json={"detail": "Not now."}))
    with page.expect_response(JOIN) as response:
        page.click(button)
    assert response.value.status == status
    expect(page.get_by_text("This application is currently busy" if status == 503 else "Not now.").last).to_be_visible()
    expect(page.locator(button)).to_be_enabled()
    page.unroute(JOIN)


def test_when_the_connection_was_lost_the_page_comes_back(page, scene_clip):
    upload(page, scene_clip)
    page.get_by_label("Captioning").click()
    page.route("**/gradio_api/queue/**", lambda route: route.abort())
    page.click("#ask")
    expect(page.get_by_text("Connection to the server was lost")).to_be_visible()
    page.unroute("**/gradio_api/queue/**")
    expect(page.get_by_text("Connection to the server was lost")).to_be_hidden()  # Gradio loads the page anew
    expect(page.locator("#ask")).to_be_enabled()
    upload(page, scene_clip)
    page.get_by_label("Captioning").click()
    page.click("#ask")
    answered(page)


def test_too_much_is_refused_at_once_and_in_one_place(page, scene_clip):
    upload(page, scene_clip)
    # As whoever writes to the page directly.
    page.locator("#question textarea").evaluate("area => area.removeAttribute('maxlength')")
    page.locator("#question textarea").fill("why " * 5000)
    page.click("#ask")
    expect(page.locator("#words [role=alert]")).to_contain_text("20,000 characters")
    expect(page.locator("#words [role=alert]")).to_be_in_viewport()
    expect(page.locator("#ask")).to_be_enabled()
    assert page.get_by_role("alert").count() == 1
    page.locator("#question textarea").fill("What is heard?")
    page.click("#ask")
    answered(page)
    expect(page.get_by_role("alert")).to_have_count(0)
