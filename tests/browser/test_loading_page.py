"""A visitor who comes before the model: the page is whole, says what is waited for where the answer will be, and answers."""

from __future__ import annotations

import threading

import pytest
from conftest import SOON
from test_page import answered

import app  # noqa: F401  imports spaces before torch
from crab.page import page as pages
from crab.page.awaited import Awaited
from crab.segment import GrabCut

expect = pytest.importorskip("playwright.sync_api").expect
LOADED = "The model is being loaded"


def test_whoever_asks_before_the_model_is_there_reads_so_may_stop_and_is_answered(browser, mini):
    gate = threading.Event()
    model = Awaited(lambda: (gate.wait(), (mini, GrabCut()))[1])
    served = pages.build(mini.about, model)
    pages.launch(served)
    model.begin()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(SOON)
    try:
        page.goto(served.local_url)
        page.get_by_text("ships with the page").wait_for()
        expect(page.locator("#model").first).to_contain_text("crab-mini")

        page.locator("#examples button").nth(1).click()
        expect(page.locator("#words")).to_contain_text(LOADED)
        page.click("#stop")
        expect(page.locator("#words .empty")).to_be_visible()
        page.get_by_role("tab", name="Compose").click()
        expect(page.locator("#still img")).to_be_visible()
        page.click("#compose-ask")
        expect(page.locator("#now")).to_contain_text(LOADED)
        page.get_by_role("tab", name="Ask a clip").click()
        page.click("#ask")

        gate.set()
        answered(page)
        expect(page.locator("#words")).not_to_contain_text(LOADED)
        page.get_by_role("tab", name="Compose").click()
        expect(page.locator("#now .verdict")).to_be_visible()
    finally:
        gate.set()
        page.close()
        served.close(verbose=False)
