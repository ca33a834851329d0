"""What axe finds on the page: nothing, on every tab, before and after an answer, light and dark, explorer included."""

from __future__ import annotations

from pathlib import Path

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
AXE = Path(pytest.importorskip("axe_playwright_python").__file__).with_name("axe.min.js")


def found(page, rules: list[str] | None) -> list[str]:
    """Each finding of some rules, or of all, as one line, of the page and of every frame that is seen in it."""
    only = {"iframes": False, "resultTypes": ["violations"]}
    only |= {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    lines = []
    for frame in page.frames:
        if frame.is_detached() or frame.parent_frame and not frame.frame_element().is_visible():
            continue
        if not frame.evaluate("'axe' in window"):
            frame.evaluate(AXE.read_text(encoding="utf-8"))
        for broken in frame.evaluate("async only => (await axe.run(only)).violations", only):
            lines += [f"{broken['id']}: {node['html'][:160]} ({node['failureSummary']})" for node in broken["nodes"]]
    return lines


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(browser, address, theme):
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.set_default_timeout(120_000)
    page.goto(f"{address}?__theme={theme}")
    page.get_by_text("ships with the page").wait_for()
    problems: list[str] = []

    def look(what: str) -> None:
        page.mouse.move(2, 2)
        page.wait_for_timeout(500)  # colours fade over
        rules = None if theme == "light" else ["color-contrast"]  # the rest is the same in the dark
        problems.extend(f"{what}: {line}" for line in found(page, rules))

    expect(page.frame_locator("#explorer iframe").locator("body")).to_have_attribute("data-ready", "1")
    page.click("#again")
    expect(page.locator("#sides section")).to_have_count(2)
    look("answered, changed and compared")
    page.get_by_role("tab", name="Compose").click()
    expect(page.locator("#still img")).to_be_visible()
    page.click("#compose-ask")
    expect(page.locator("#open-composed")).to_be_visible()
    look("composed and asked")
    page.get_by_role("tab", name="Atlas").click()
    expect(page.locator("[aria-label='Empty value']:visible")).to_have_count(0)  # its figures come one by one
    look("Atlas")
    page.get_by_role("tab", name="About").click()
    look("About")
    page.close()
    assert not problems, "\n".join(problems)
