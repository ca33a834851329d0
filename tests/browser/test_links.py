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
def test_a_link_that_cannot_be_opened_is_said_and_the_page_works(page, address, scene_clip, link, said):
    page.goto("about:blank")
    page.goto(f"{address}/{link}")
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.locator("#words .empty")).to_be_visible()  # nothing was asked
    upload(page, scene_clip)
    page.get_by_label("Captioning").click()
    page.click("#ask")
    answered(page)


def test_a_view_that_there_is_not_is_passed_over(page, address):
    page.goto("about:blank")
    page.goto(f"{address}/?clip={EXAMPLE}&task=avvp#view=%3Cb%3E&tower=nobody&token=-1e999")
    answered(page)
    frame = ready(page, "#explorer")
    expect(frame.locator("#words .t").first).to_be_visible()
