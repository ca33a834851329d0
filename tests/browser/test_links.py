"""Links as anybody may write them: what cannot be opened is said, and the page works all the same."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from test_page import answered, upload
from test_routing_page import EXAMPLE, ready

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.mark.parametrize(("link", "said"), [
    ("?scene=" + "[" * 20_000, "does not name a scene"),
    ("?scene=" + quote(json.dumps(["room", 1e999, *["", 50, float("nan"), "", "", 0] * 4])), "does not name a scene"),
    ("?clip=gone.mp4&task=avqa", "That example is no longer here: gone.mp4"),
    (f"?clip={EXAMPLE}&task=sing", "There is no task"),
    (f"?clip={EXAMPLE}&task=avqa&question={'why+' * 3000}", "characters long"),
    (f"?clip={EXAMPLE}&task=s4&second=soon", "not a second"),
], ids=["brackets", "numbers", "clip", "task", "question", "second"])  # fmt: skip
def test_a_link_that_cannot_be_opened_is_said_and_nothing_is_asked(tab, address, link, said):
    tab.goto(f"{address}/{link}")
    expect(tab.get_by_text(said)).to_be_visible()
    expect(tab.locator("#words .empty")).to_be_visible()
    expect(tab.locator("#ask")).to_be_enabled()


def test_after_a_link_that_cannot_be_opened_the_page_works(tab, address, scene_clip):
    tab.goto(f"{address}/?clip=gone.mp4&task=avqa")
    expect(tab.get_by_text("no longer here")).to_be_visible()
    upload(tab, scene_clip)
    tab.get_by_label("Captioning").click()
    tab.click("#ask")
    answered(tab)


def test_a_run_about_a_stretch_with_masks_over_time_comes_back_as_it_was(tab, address):
    tab.goto(f"{address}/?clip={EXAMPLE}&task=s4&stretch=2-4&masks_over_time=yes")
    answered(tab)
    expect(tab.locator("#whose")).to_contain_text("seconds 2 to 4")
    expect(tab.locator("#facts")).to_contain_text("Asked 2 times")
    expect(tab.locator("#seconds :is(input, textarea)")).to_have_value("2-4")
    tab.wait_for_url(f"**/?clip={EXAMPLE}&task=s4&stretch=2-4&masks_over_time=yes")


def test_a_view_that_there_is_not_is_passed_over(tab, address):
    tab.goto(f"{address}/?clip={EXAMPLE}&task=avvp#view=%3Cb%3E&tower=nobody&token=-1e999")
    answered(tab)
    frame = ready(tab, "#explorer")
    expect(frame.locator("#words .t").first).to_be_visible()
