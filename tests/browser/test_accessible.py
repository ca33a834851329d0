"""What axe finds on the page: nothing, on every tab, before and after an answer, light and dark, explorer included."""

from __future__ import annotations

from pathlib import Path

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
AXE = Path(pytest.importorskip("axe_playwright_python").__file__).with_name("axe.min.js")


def found(page) -> list[str]:
    """Each finding as one line, of the page and of every frame in it."""
    lines = []
    for frame in [page.main_frame, *(frame for frame in page.frames if frame.parent_frame and not frame.is_detached())]:
        frame.evaluate(AXE.read_text(encoding="utf-8"))
        for broken in frame.evaluate("async () => (await axe.run()).violations"):
            lines += [f"{broken['id']}: {node['html'][:160]} ({node['failureSummary']})" for node in broken["nodes"]]
    return lines


def look(page, problems: list[str], what: str) -> None:
    page.mouse.move(2, 2)
    page.wait_for_timeout(500)
    problems += [f"{what}: {line}" for line in found(page)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(browser, address, theme):
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.set_default_timeout(120_000)
    page.goto(f"{address}?__theme={theme}")
    page.get_by_text("ships with the page").wait_for()
    problems: list[str] = []
    look(page, problems, "opened")
    page.locator("#examples button").nth(2).click()
    expect(page.locator("#facts")).not_to_contain_text("ships with the page")
    expect(page.locator("#downloads")).to_be_visible()
    expect(page.locator("#ask")).to_be_enabled()
    expect(page.frame_locator("#explorer iframe").locator("body")).to_have_attribute("data-ready", "1")
    look(page, problems, "answered")
    page.click("#again")
    expect(page.locator("#sides section")).to_have_count(2)
    look(page, problems, "changed")
    page.get_by_role("tab", name="Compose").click()
    expect(page.locator("#still img")).to_be_visible()
    page.click("#compose-ask")
    expect(page.locator("#open-composed")).to_be_visible()
    look(page, problems, "composed and asked")
    page.get_by_role("tab", name="Atlas").click()
    expect(page.locator("[aria-label='Empty value']:visible")).to_have_count(0)  # its figures come one by one
    look(page, problems, "Atlas")
    page.get_by_role("tab", name="About").click()
    look(page, problems, "About")
    page.close()
    assert not problems, "\n".join(problems)
