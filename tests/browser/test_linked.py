"""What joins players, bars, chips, lanes and explorer in the browser, on a page made of no more than these."""

from __future__ import annotations

import base64
import io
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import SOON, folder_served, in_sight
from test_trace import towers

from crab.answer import parse
from crab.tasks import TASKS
from visualize import compare, standalone, text, theme
from visualize.timeline import timeline

expect = pytest.importorskip("playwright.sync_api").expect

LINKED = Path(__file__).parents[2] / "visualize" / "linked.js"
# The clip of `towers` lasts four seconds; its token 59 is a stretch of sound from second 2 on.
SECONDS, SOUND = 4.0, 59
ANSWER = parse("<event>dog, (0.5, 2)</event> <audio_event>rain, (2.5 4)</audio_event>", TASKS["unav"])
AT = "player => player.currentTime"


def sound(seconds: float) -> str:
    """An <audio> of so much silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(np.zeros(int(8000 * seconds), "<i2").tobytes())
    data = base64.b64encode(file.getvalue()).decode()
    return f'<audio controls muted src="data:audio/wav;base64,{data}"></audio>'


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Two tabs beside each other: a clip with its answer, and a composed scene before and now."""
    root = tmp_path_factory.mktemp("linked")
    (root / "data.json").write_text(standalone.data(towers()), encoding="utf-8")
    (root / "plotly.js").write_text(get_plotlyjs(), encoding="utf-8")
    colours = theme.answer_colours(ANSWER)
    bars = timeline(ANSWER.events, SECONDS).to_html(
        full_html=False, include_plotlyjs="plotly.js", config={"responsive": True}
    )
    words, frame = text.chips(ANSWER, colours=colours), standalone.frame("data.json", dark=False)
    lanes = compare.lanes(ANSWER.events, ANSWER.events, SECONDS, colours=colours)
    style = (LINKED.parents[1] / "assets" / "style.css").read_text(encoding="utf-8")
    (root / "index.html").write_text(
        f"""<!doctype html><meta charset="utf-8"><style>{style}</style><body>
        <div role="tabpanel" id="one"><div class="plays">{sound(SECONDS)}</div><div class="plays">{sound(2)}</div>
        <div id="stale"></div><div id="words">{words}</div><div id="when">{bars}</div>
        <div id="truth"><div class="compared">{lanes}</div></div>{frame}</div>
        <div role="tabpanel" id="two"><div class="plays">{sound(SECONDS)}</div>
        <div id="now"><div class="compared">{lanes}</div></div><div id="before"><div class="compared">{lanes}</div></div>
        </div><script>({LINKED.read_text(encoding="utf-8")})();</script>""",
        encoding="utf-8",
    )

    with folder_served(root) as address:
        yield f"{address}/index.html"


@pytest.fixture
def page(browser, address):
    page = opened(browser, address)
    yield page
    assert not page.faults
    page.close()


def opened(browser, address: str):
    page = browser.new_page(viewport={"width": 1366, "height": 900})
    page.set_default_timeout(SOON)
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(address)
    expect(page.frame_locator("iframe").locator("body")).to_have_attribute("data-ready", "1")
    expect(page.locator("#when .crab-playhead")).to_be_attached()
    page.wait_for_function("[...document.querySelectorAll('audio')].every(player => player.readyState > 0)")
    return page


def click_at(page, bars, second: float) -> None:
    """Clicks on bars where this second is."""
    left, wide = bars.evaluate("""bars => { const x = bars.getBoundingClientRect().x, axis = bars._fullLayout?.xaxis;
      const drawn = bars.querySelector('.axis')?.getBoundingClientRect();
      return axis ? [x + axis._offset, axis._length] : [drawn.x, drawn.width]; }""")  # fmt: skip
    bars.scroll_into_view_if_needed()
    box = bars.bounding_box()
    page.mouse.click(left + wide * second / SECONDS, box["y"] + box["height"] / 2)


def together(page, second: float, near: float = 0.005) -> None:
    """Player, bars, the truth’s lanes and explorer of the first tab are at this second."""
    lines = [page.locator(f"{place} .crab-playhead") for place in ("#when", "#truth")]
    for slider in (*lines, page.frame_locator("iframe").get_by_role("slider")):
        there = slider.element_handle()
        there.owner_frame().wait_for_function(
            "([slider, second, near]) => Math.abs(slider.getAttribute('aria-valuenow') - second) <= near",
            arg=[there, second, near],
        )
    assert page.locator("#one audio").first.evaluate(AT) == pytest.approx(second, abs=near)


def test_a_click_on_bars_and_on_a_chip_has_players_and_explorer_there(page):
    click_at(page, page.locator("#when .js-plotly-plot"), 3)
    together(page, 3, 0.02)
    assert page.locator("#one audio").last.evaluate(AT) == pytest.approx(2, abs=0.01)  # it is over by then
    page.locator("#words .chip", has_text="dog").click()
    together(page, 0.5)
    box = page.locator("#when .js-plotly-plot").bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + 30)  # beside the seconds, on a name
    together(page, 0.5)
    assert page.locator("#two audio").evaluate(AT) == 0  # the other tab’s clip is its own


def test_the_line_stands_over_its_second_on_every_width(page):
    click_at(page, page.locator("#when .js-plotly-plot"), 3)
    for width in (1366, 700):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function("""() => { const plot = document.querySelector('#when .js-plotly-plot');
          const line = document.querySelector('#when .crab-playhead').getBoundingClientRect();
          const {_offset: left, _length: wide} = plot._fullLayout.xaxis, from = plot.getBoundingClientRect().left;
          return plot._fullLayout.width <= innerWidth
            && Math.abs(line.left + line.width / 2 - from - left - wide * .75) <= 2 }""")  # fmt: skip


def test_the_times_beside_a_name_are_there_where_there_is_room_for_them(page):
    times = page.locator("#when .annotation-text tspan").filter(has_text="2.5–4 s")
    for width, there in ((700, True), (150, False), (700, True)):
        page.set_viewport_size({"width": width, "height": 900})
        expect(times).to_be_visible(visible=there)


def test_by_keys_alone(page):
    page.locator("#words .chip", has_text="rain").focus()
    page.keyboard.press("Enter")
    together(page, 2.5)
    line = page.locator("#when").get_by_role("slider", name="Playhead over the bars")
    for _ in range(12):  # Plotly may have buttons of its own in between
        page.keyboard.press("Tab")
        if line.evaluate("line => line === document.activeElement"):
            break
    else:
        pytest.fail("Tab does not lead to the playhead")
    for key, second in (
        ("ArrowRight", 2.6),
        ("PageDown", 1.6),
        ("Home", 0),
        ("ArrowLeft", 0),
        ("End", 4),
        ("ArrowUp", 4),
    ):
        page.keyboard.press(key)
        together(page, second)
    assert line.get_attribute("aria-valuetext") == "4.0 s" and line.get_attribute("aria-valuemax") == "4"


def test_what_plays_moves_the_line_and_so_does_the_explorer(page):
    player = page.locator("#one audio").first
    player.evaluate("player => player.play()")
    page.wait_for_function("+document.querySelector('#when .crab-playhead').getAttribute('aria-valuenow') > 0.3")
    player.evaluate("player => player.pause()")
    player.evaluate("player => { player.currentTime = 1.7 }")
    page.wait_for_function("document.querySelector('#when .crab-playhead').getAttribute('aria-valuenow') === '1.7'")
    together(page, 1.7)
    page.frame_locator("iframe").get_by_role("slider").press("PageUp")
    together(page, 2.7)


def test_lanes_of_now_seek_and_those_of_before_do_not(page):
    player = page.locator("#two audio")
    click_at(page, page.locator("#now .lanes"), 3)
    assert player.evaluate(AT) == pytest.approx(3, abs=0.02)
    line = page.locator("#now .crab-playhead")
    axis, box = page.locator("#now .axis").bounding_box(), line.bounding_box()
    assert box["x"] + box["width"] / 2 == pytest.approx(axis["x"] + axis["width"] * 0.75, abs=2)
    line.press("Home")
    assert player.evaluate(AT) == 0
    click_at(page, page.locator("#before .lanes"), 2)
    assert player.evaluate(AT) == 0 and page.locator("#before .crab-playhead").count() == 0
    # What is drawn anew gets its line where it was.
    line.press("PageUp")
    page.evaluate("document.getElementById('now').innerHTML = document.getElementById('before').innerHTML")
    expect(line).to_have_attribute("aria-valuenow", "1")
    assert page.locator("#one audio").first.evaluate(AT) == 0


def test_no_playhead_of_another_clip_runs_through_an_old_answer(page):
    page.evaluate("document.getElementById('stale').innerHTML = '<p data-stale></p>'")
    player = page.locator("#one audio").first
    player.evaluate("player => { player.currentTime = 1 }")
    page.wait_for_function("document.querySelector('#one audio').currentTime === 1")
    click_at(page, page.locator("#when .js-plotly-plot"), 3)
    line = page.locator("#when .crab-playhead")
    assert float(line.get_attribute("aria-valuenow")) == pytest.approx(3, abs=0.02)
    assert player.evaluate(AT) == 1


def test_a_link_opens_its_view_and_holds_it_in_sight(browser, address):
    page = opened(browser, f"{address}#view=heatmap&tower=language&token={SOUND}")
    frame = page.frame_locator("iframe")
    expect(frame.locator("#told")).to_contain_text(f"Kept: Token {SOUND}")
    together(page, 2)
    for height in (0, 500):  # what comes late makes the page longer above it
        page.evaluate("height => { document.getElementById('stale').style.height = `${height}px` }", height)
        page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        in_sight(page, "heatmap")
    page.mouse.move(700, 450)
    page.mouse.wheel(0, -9000)
    page.wait_for_function("scrollY === 0")
    page.evaluate("document.getElementById('stale').style.height = 0")
    page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert page.evaluate("scrollY") == 0  # whoever has scrolled stays there
    assert not page.faults
    page.close()
