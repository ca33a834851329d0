"""When the model has too much to do, or the connection breaks: buttons come back, and what was refused is said."""

from __future__ import annotations

import contextlib

import pytest
from conftest import programs
from test_page import answered, upload

expect = pytest.importorskip("playwright.sync_api").expect

JOIN = "**/gradio_api/queue/join*"


@pytest.fixture
def crowd(address, long_clip):
    """Call it, and others wait for an answer that takes long, as many as can; at the end they leave."""
    with programs(address, long_clip) as come:

        def crowd() -> None:
            if all(come() for _ in range(200)):
                pytest.fail("The queue takes everybody")

        yield crowd


def test_when_too_many_wait_ask_says_so_and_works_again(page, crowd, scene_clip):
    upload(page, scene_clip)
    page.get_by_label("Captioning").click()
    finds_no_room(page, crowd, "#ask", "#stop", "#words [role=alert]")
    expect(page.locator("#ask")).to_be_enabled()
    expect(page.locator("#stop")).to_be_disabled()

    page.get_by_role("tab", name="Compose").click()
    expect(page.locator("#still img")).to_be_visible()
    finds_no_room(page, crowd, "#compose-ask", "#compose-stop", "#now [role=alert]")
    expect(page.locator("#compose-ask")).to_be_enabled()


def finds_no_room(page, crowd, ask: str, stop: str, alert: str) -> None:
    for _ in range(8):
        crowd()
        page.click(ask)
        with contextlib.suppress(AssertionError):
            expect(page.locator(alert)).to_contain_text("questions are waiting", timeout=8000)
            return
        page.click(stop)  # somebody was answered between the two, and this ask took the place
        expect(page.locator(ask)).to_be_enabled()
    pytest.fail("There was room every time")


def test_when_they_have_left_the_same_page_answers(page, address, scene_clip):
    upload(page, scene_clip)
    page.get_by_label("Captioning").click()
    page.click("#ask")
    answered(page)
    expect(page.locator("#words .crab-answer")).not_to_be_empty()


def test_what_the_queue_does_not_take_gives_the_buttons_back(page, scene_clip):
    """As where the last place is taken between the look at the queue and the ask."""
    upload(page, scene_clip)
    page.get_by_label("Captioning").click()
    for status in (400, 500, 503):
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

    page.get_by_role("tab", name="Atlas").click()
    refused(page, status, "#ask-every")


def refused(page, status: int, button: str) -> None:
    """The server refuses what the button asks for, and then the button is back."""
    told = f"Not now ({status})."
    page.route(JOIN, lambda route: route.fulfill(status=status, json={"detail": told}))
    with page.expect_response(JOIN) as response:
        page.click(button)
    assert response.value.status == status
    expect(page.get_by_text("This application is currently busy" if status == 503 else told).last).to_be_visible()
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
