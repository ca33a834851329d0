"""Several visitors at once: whoever waits sees their place from the first second to the last, and can leave the line."""

from __future__ import annotations

import pytest
from conftest import SOON, put_away
from test_page import answered, settled, upload

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def visitor(browser, address):
    """Call it, and another one has opened the page."""
    contexts = []

    def come():
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}))
        page = contexts[-1].new_page()
        page.set_default_timeout(SOON)
        page.goto(address)
        page.get_by_text("ships with the page").wait_for()
        return put_away(page)

    yield come
    for context in contexts:
        context.close()


def prepared(page, clip, family: str):
    upload(page, clip)
    page.get_by_label(family).click()
    return page


def ask(page, clip, family: str) -> None:
    prepared(page, clip, family).click("#ask")


def test_each_sees_their_place_until_it_is_their_turn(visitor, long_clip, scene_clip):
    first = prepared(visitor(), long_clip, "Where and when")
    second, third = (prepared(visitor(), scene_clip, "Captioning") for _ in range(2))
    first.click("#ask")
    expect(first.locator("#words .progress")).to_be_visible()
    second.click("#ask")
    expect(second.locator("#line")).to_contain_text("You are next")
    third.click("#ask")
    expect(third.locator("#line")).to_contain_text("2 before you")
    expect(third.locator("#line")).to_be_in_viewport()

    second.click("#stop")
    expect(second.locator("#line")).to_be_hidden()
    expect(second.locator("#facts")).to_contain_text("ships with the page")  # what stood there before
    expect(second.locator("#ask")).to_be_enabled()
    expect(third.locator("#line")).to_contain_text("You are next")

    first.click("#stop")
    answered(third)
    expect(third.locator("#line")).to_be_hidden()
    expect(third.locator("#facts")).not_to_contain_text("stopped")


def test_whoever_leaves_the_line_has_the_answer_before_again(visitor, long_clip, scene_clip):
    page, other = visitor(), visitor()
    ask(page, scene_clip, "Captioning")
    answered(page)
    settled(page)
    said = page.locator("#words").inner_text()
    ask(other, long_clip, "Where and when")
    expect(other.locator("#words .crab-answer").first).to_be_visible()
    page.get_by_label("Where and when").click()
    page.click("#ask")
    expect(page.locator("#line")).to_be_visible()
    page.click("#stop")
    expect(page.locator("#line")).to_be_hidden()
    expect(page.locator("#words")).to_have_text(said)
    expect(page.locator("#facts")).not_to_contain_text("stopped")
    page.get_by_label("All heads alike").click()
    page.click("#again")
    expect(page.locator("#change .prose.line")).to_contain_text("You are next")
    page.click("#stop-again")
    expect(page.locator("#change .prose.line")).to_be_hidden()
    expect(page.locator("#again")).to_be_enabled()
    other.click("#stop")
    page.click("#again")
    expect(page.locator("#sides section")).to_have_count(2)


def test_in_compose_too(visitor, long_clip):
    page, other = visitor(), visitor()
    page.get_by_role("tab", name="Compose").click()
    expect(page.locator("#still img")).to_be_visible()
    ask(other, long_clip, "Where and when")
    expect(other.locator("#words .crab-answer").first).to_be_visible()
    page.click("#compose-ask")
    expect(page.locator("#now .prose.line")).to_contain_text("You are next")
    page.click("#compose-stop")
    expect(page.locator("#now .prose.line")).to_be_hidden()
    expect(page.locator("#now .empty")).to_be_visible()
    page.click("#compose-ask")
    expect(page.locator("#now .prose.line")).to_be_visible()
    other.click("#stop")
    expect(page.locator("#now .verdict")).to_be_visible()
    expect(page.locator("#now .prose.line")).to_be_hidden()
