"""A question asked eight times, as a person meets it."""

from __future__ import annotations

import json

import pytest
from test_page import answered, downloaded

expect = pytest.importorskip("playwright.sync_api").expect


def test_asked_eight_times_it_ranks_what_was_said_and_the_run_has_it_from_then_on(opened):
    page = opened
    expect(page.locator("#agreed")).to_be_hidden()
    page.click("#eight")
    expect(page.locator("#eight")).to_be_disabled()
    expect(page.locator("#agreed .waiting")).to_be_visible()
    page.click("#stop-eight")
    expect(page.locator("#agreed")).to_be_hidden()
    expect(page.locator("#stop-eight")).to_be_disabled()
    page.click("#eight")
    rows = page.locator("#agreed li")
    expect(rows.first).to_be_visible()
    expect(page.locator("#eight")).to_be_hidden()
    told = json.loads(downloaded(page, "Answer as JSON").read_text())["candidates"]
    votes = [one["votes"] for one in told["results"]]
    assert told["asked"] == 8 and votes == sorted(votes, reverse=True) and any(one["said"] for one in told["results"])
    shown = rows.locator("> b").all_inner_texts()
    assert shown == [f"{count} of 8" for count in votes]
    assert page.locator("#agreed .track .said").count() == sum(len(one["events"]) for one in told["results"])
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1280, "height": 900})

    page.locator("#examples button").last.click()
    expect(page.locator("#agreed")).to_be_hidden()
    answered(page)
    expect(page.locator("#agreed")).to_be_hidden()
    page.locator("#kept button:visible").last.click()  # the oldest
    expect(page.locator("#agreed li > b")).to_have_text(shown)
