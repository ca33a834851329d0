"""One playhead for everything that has time: players of every kind, bars, chips, lanes and the explorer."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_page import choose
from test_routing_page import EXAMPLE, ready

expect = pytest.importorskip("playwright.sync_api").expect

AT = "player => player.currentTime"


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """A drawn scene’s ten seconds of sound, alone."""
    from crab.scenes.world import render, script

    path = tmp_path_factory.mktemp("sound") / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((32767 * np.clip(render.sound(script.write(5)), -1, 1)).astype("<i2").tobytes())
    return path


def ask(page, family: str) -> None:
    """Asks what is on the form, and waits for the answer and its explorer."""
    page.get_by_label(family).click()
    page.evaluate("document.querySelectorAll('#words .crab-answer').forEach(words => { words.dataset.old = '' })")
    page.click("#ask")
    expect(page.locator("#words .crab-answer:not([data-old])").first).to_be_visible()
    expect(page.locator("#ask")).to_be_enabled()
    ready(page, "#explorer")


def click_at(page, bars, share: float) -> float:
    """Clicks on bars where their line is at this share of all seconds; which second that is."""
    seconds = float(bars.get_by_role("slider").get_attribute("aria-valuemax"))
    left, right = bars.evaluate("""bars => { const box = bars.getBoundingClientRect(), plot = bars._fullLayout;
      const axis = plot ? null : bars.querySelector('.axis').getBoundingClientRect();
      return plot ? [box.left + plot.xaxis._offset, box.left + plot.xaxis._offset + plot.xaxis._length]
        : [axis.left, axis.right]; }""")  # fmt: skip
    bars.scroll_into_view_if_needed()
    box = bars.bounding_box()
    page.mouse.click(left + share * (right - left), box["y"] + box["height"] / 2)
    return share * seconds


def together(page, tab, player, time: float) -> None:
    """Player, bars and explorer are all at this second."""
    expect(tab.locator(".crab-playhead").first).to_have_attribute("aria-valuetext", f"{time:.1f} s")
    slider = tab.frame_locator("iframe.crab-explorer").get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuenow", f"{time:.2f}".rstrip("0").rstrip("."))
    assert abs(player.evaluate(AT) - time) < 0.02


def test_a_sound_its_bars_its_chips_and_the_explorer_move_together(page, sound):
    page.get_by_label("Sound", exact=True).first.click()
    page.locator("input[type=file][accept*=audio]").first.set_input_files(str(sound))
    player = page.locator(".plays audio:visible")
    expect(player).to_have_count(1)
    ask(page, "Where and when")
    tab, bars = page.get_by_role("tabpanel").first, page.locator("#when .js-plotly-plot")

    time = click_at(page, bars, 0.58)
    assert abs(player.evaluate(AT) - time) < 0.1
    together(page, tab, player, player.evaluate(AT))

    chip = page.locator("#words .chip[data-at]").last
    chip.click()
    together(page, tab, player, float(chip.get_attribute("data-at")))

    tab.frame_locator("iframe.crab-explorer").get_by_role("slider").press("Home")
    together(page, tab, player, 0)

    player.evaluate("player => { player.muted = true; player.play(); }")
    page.wait_for_function("document.querySelector('#when .crab-playhead').getAttribute('aria-valuenow') > 0.5")
    player.evaluate("player => player.pause()")
    page.wait_for_function("""() => { const at = document.querySelector('.plays audio').currentTime;
      const says = e => +e.getAttribute('aria-valuenow');
      return [document.querySelector('#when .crab-playhead'), document.querySelector('#explorer iframe')
        .contentDocument.getElementById('playhead')].every(e => at > .5 && Math.abs(says(e) - at) < .1) }""")  # fmt: skip


def test_bars_and_chips_go_by_keys_alone(opened):
    """Of the example that the page opens with."""
    page = opened
    ready(page, "#explorer")
    player, line = page.locator("#video video"), page.locator("#when").get_by_role("slider")
    chip = page.locator("#words .chip[data-at]").last
    chip.focus()
    page.keyboard.press("Enter")
    assert player.evaluate(AT) == pytest.approx(float(chip.get_attribute("data-at")), abs=0.01)
    line.focus()
    for key, second in (
        ("Home", 0),
        ("PageUp", 1),
        ("PageUp", 2),
        ("ArrowRight", 2.1),
        ("PageDown", 1.1),
        ("ArrowLeft", 1),
    ):
        page.keyboard.press(key)
        expect(line).to_have_attribute("aria-valuenow", f"{second:g}")
        assert player.evaluate(AT) == pytest.approx(second, abs=0.01)
    page.keyboard.press("End")
    expect(line).to_have_attribute("aria-valuenow", line.get_attribute("aria-valuemax"))
    assert line.evaluate("line => line === document.activeElement")


def test_a_stretch_is_dragged_over_played_alone_and_asked_about(opened):
    """Of the example that the page opens with."""
    page, when = opened, opened.locator("#when")
    ready(page, "#explorer")
    expect(page.locator("#strips .film img").first).to_be_visible()
    strips, player = page.locator("#strips .strips"), page.locator("#player video")
    strips.scroll_into_view_if_needed()
    box, axis = (
        strips.bounding_box(),
        strips.locator(".axis").evaluate("a => [a.getBoundingClientRect().left, a.offsetWidth]"),
    )
    plot = page.locator("#when .js-plotly-plot")
    drawn = plot.evaluate(
        "p => [p.getBoundingClientRect().left + p._fullLayout.xaxis._offset, p._fullLayout.xaxis._length]"
    )
    assert axis == pytest.approx(drawn, abs=1)  # strips and bars share their seconds
    page.mouse.move(axis[0] + 0.2 * axis[1], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(axis[0] + 0.4 * axis[1], box["y"] + 24, steps=4)
    page.mouse.up()
    seconds = [float(second) for second in when.get_attribute("data-chosen").split("–")]
    assert seconds == pytest.approx([2, 4], abs=0.15)
    expect(page.locator("#when .crab-chosen")).to_have_count(2)
    player.evaluate("player => { player.muted = true; player.playbackRate = 4; }")
    when.get_by_role("button", name="Play it alone").click()
    page.wait_for_function("document.querySelector('#player video').currentTime > 3")
    page.wait_for_function("document.querySelector('#player video').paused")
    assert player.evaluate(AT) == pytest.approx(seconds[1], abs=0.05)
    when.get_by_role("button", name="Ask about it").click()
    expect(page.locator("#seconds input, #seconds textarea").first).to_have_value(when.get_attribute("data-chosen"))
    click_at(page, plot, 0.6)
    assert when.get_attribute("data-chosen") is None and player.evaluate(AT) == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("kind", ["video", "audio", "img"])
def test_any_file_is_shown_or_played(page, scene_clip, sound, tmp_path, kind):
    Image.new("RGB", (64, 48)).save(tmp_path / "picture.png")
    file = {"video": scene_clip, "audio": sound, "img": tmp_path / "picture.png"}[kind]
    page.get_by_label("Any file").click()
    page.locator(".block", has_text="Any video, sound or picture file").locator("input[type=file]").set_input_files(
        str(file)
    )
    shown = page.locator(f"#file-shown {kind}")
    expect(shown).to_be_visible()
    if kind == "img":
        assert shown.evaluate("async picture => { await picture.decode(); return picture.naturalWidth }") == 64
        return
    page.wait_for_function("kind => document.querySelector(`#file-shown ${kind}`).duration > 9", arg=kind)
    ask(page, "Where and when")
    click_at(page, page.locator("#when .js-plotly-plot"), 0.4)
    together(page, page.get_by_role("tabpanel").first, shown, shown.evaluate(AT))
    assert shown.evaluate(AT) == pytest.approx(4, abs=0.1)


def test_composed_lanes_show_and_seek_the_film(page):
    page.get_by_role("tab", name="Compose").click()
    expect(page.locator("#still img")).to_be_visible()
    choose(page, page.locator("#asked input"), "avvp")
    page.click("#compose-ask")
    expect(page.locator("#now .verdict")).to_be_visible()
    explorer, film = ready(page, ".closer:visible"), page.locator("#film video")
    lanes, tab = page.locator("#now .lanes"), page.locator("[role=tabpanel]:visible")
    click_at(page, lanes, 0.7)
    together(page, tab, film, film.evaluate(AT))
    assert film.evaluate(AT) == pytest.approx(7, abs=0.1)
    box, line = lanes.locator(".axis").bounding_box(), lanes.locator(".crab-playhead").bounding_box()
    assert abs((line["x"] + line["width"] / 2 - box["x"]) / box["width"] - 0.7) < 0.01
    page.keyboard.press("Tab")
    lanes.get_by_role("slider").press("PageDown")
    together(page, tab, film, round(film.evaluate(AT), 3))
    assert film.evaluate(AT) == pytest.approx(6, abs=0.1)
    explorer.get_by_role("slider").press("Home")
    together(page, tab, film, 0)
    assert page.locator("#video video").count() == 0  # the other tab's playhead is its own
    # The scene before is another film: nothing runs through its lanes.
    page.click("#compose-ask")
    expect(page.locator("#before .lanes")).to_be_visible()
    expect(page.locator("#now .verdict")).to_be_visible()
    expect(page.locator("#before .crab-playhead")).to_have_count(0)


@pytest.mark.parametrize("view", ["clip", "tokens", "heatmap"])
def test_a_link_lands_with_its_view_in_sight_and_the_player_at_its_second(page, address, view):
    page.set_viewport_size({"width": 1366, "height": 900})
    page.goto("about:blank")
    page.goto(f"{address}/?clip={EXAMPLE}&task=avvp#view={view}&tower=language&token=91")
    frame = ready(page, "#explorer")
    expect(frame.locator("#told")).to_contain_text("Kept: Token 91")
    start = page.evaluate(
        "document.querySelector('#explorer iframe').contentWindow.eval('state.tower.tokens[91].start')"
    )
    assert start > 1
    expect(page.locator("#when .crab-playhead")).to_have_attribute("aria-valuetext", f"{start:.1f} s")
    page.wait_for_function(f"Math.abs(document.querySelector('#video video').currentTime - {start}) < 0.01")
    told = frame.locator("#told").bounding_box()
    for _ in range(2):
        head = frame.locator(f"#{view} h2").bounding_box()
        assert told["y"] + told["height"] <= head["y"] < 300
        # What comes late, and makes the page longer above it, does not move it away.
        page.evaluate("document.querySelector('#columns').style.paddingBottom = '400px'")
        page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    page.mouse.wheel(0, -5000)
    page.wait_for_function("scrollY < 100")
    page.evaluate("document.querySelector('#columns').style.paddingBottom = '0'")
    page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert page.evaluate("scrollY") < 100  # whoever has scrolled stays there
