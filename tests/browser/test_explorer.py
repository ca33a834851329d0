"""The routing explorer as a person meets it: a saved file, and the same document in an iframe of a page."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import folder_served
from test_trace import towers

from visualize import standalone

expect = pytest.importorskip("playwright.sync_api").expect

# The clip of `towers`: token 0 is a word, 1…8 the cells of two pictures, 9…108 sound of 40 ms each, 109…112 words.
WORD, CELL, SOUND = 110, 8, 59


@pytest.fixture(scope="module")
def clip():
    """Four seconds: pictures at 0…3 s, a tone in the second half."""
    frames = tuple((float(t), 0, np.full((300, 400, 3), 60 * t + 30, np.uint8)) for t in range(4))
    seconds = np.arange(4 * 16_000) / 16_000
    return standalone.Seen(4.0, frames, (np.where(seconds < 2, 0, np.sin(3000 * seconds)).astype(np.float32),))


@pytest.fixture(scope="module")
def address(tmp_path_factory, clip):
    """A folder served: the data, a page of ours around an iframe, light and dark, and one whose data is gone."""
    root = tmp_path_factory.mktemp("served")
    (root / "data.json").write_text(standalone.data(towers(), seen=clip), encoding="utf-8")
    (root / "kept.json").write_text(
        standalone.data(towers(), seen=clip, view="heatmap", tower="audio", token=17), encoding="utf-8"
    )
    for name, url, dark in (("light", "data.json", False), ("dark", "data.json", True), ("kept", "kept.json", False),
                            ("gone", "gone.json", False)):  # fmt: skip
        (root / f"{name}.html").write_text(
            f'<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f'<body style="margin:0;background:{"#151a23" if dark else "#fff"}"><h1>Ours</h1>'
            f"<div id=card>{standalone.frame(url, dark=dark)}</div><script>window.heard = [];"
            "for (const name of ['crab-seek', 'crab-view']) document.addEventListener(name, e => heard.push("
            "[name, e.detail, e instanceof CustomEvent && e.target.className]));</script>",
            encoding="utf-8",
        )

    with folder_served(root) as address:
        yield address


def fresh(browser, **options):
    page = browser.new_page(**({"viewport": {"width": 1200, "height": 900}} | options))
    page.faults, page.called = [], []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("request", lambda request: page.called.append(request.url))
    return page


@pytest.fixture
def saved(browser, tmp_path, clip):
    """The saved file, opened without a network."""
    path = tmp_path / "page.html"
    path.write_text(standalone.page(towers(), seen=clip), encoding="utf-8")
    page = fresh(browser)
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready]", state="attached")
    yield page
    assert not page.faults
    assert [url for url in page.called if not url.startswith(("file:", "data:"))] == []
    page.close()


@pytest.fixture
def framed(browser, address):
    """Our page, and the document in its iframe."""
    page = fresh(browser)
    page.goto(f"{address}/light.html")
    page.inside = page.frame_locator("iframe.crab-explorer")
    expect(page.inside.locator("#told")).to_contain_text("Mean of")
    yield page
    assert not page.faults
    assert all(url.startswith((address, "data:", "about:")) for url in page.called)
    page.close()


VIEWS = ("tokens", "overview", "clip", "film", "lanes", "modality", "heatmap")


def shown(place, token):
    """Every view says that it shows `token`; None: no token."""
    for view in VIEWS:
        said = f'[data-token="{token}"]' if token is not None else ":not([data-token])"
        expect(place.locator(f"#{view}{said}")).to_be_attached()


def point(page, locator, x=0.5, y=0.5):
    """Moves the pointer to a place of an element, in shares of its width and height."""
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    at = box["x"] + x * box["width"], box["y"] + y * box["height"]
    page.mouse.move(*at)
    return at


def test_a_word_under_the_pointer_is_shown_in_every_view(saved):
    table = saved.locator("#cells td[data-site]").first
    before = table.get_attribute("title")
    saved.locator(f'#words .t[data-token="{WORD}"]').hover()
    shown(saved, WORD)
    expect(saved.locator("#told")).to_contain_text(f"Token {WORD} ·")
    assert table.get_attribute("title") != before
    expect(saved.locator("#of")).to_contain_text(f"Token {WORD} ·")
    expect(saved.locator("#film .face i, .time > i")).to_have_count(0)  # it has no place in the clip
    line = saved.locator(".panel .x").first.bounding_box()
    panel = saved.locator(".panel").first.bounding_box()
    assert abs((line["x"] + line["width"] / 2 - panel["x"]) / panel["width"] - (WORD + 0.5) / 113) < 0.004
    saved.mouse.move(5, 5)
    expect(saved.locator("#told")).to_contain_text("Mean of 113 tokens")
    shown(saved, None)


def test_a_cell_and_a_stretch_of_sound_are_shown_in_every_view(saved):
    point(saved, saved.locator("#film .face").nth(1), 0.75, 0.75)
    shown(saved, CELL)
    expect(saved.locator("#told")).to_contain_text("video 2.00–3.00 s, row 2, column 2")
    ring = saved.locator("#film figure:nth-child(2) .face i")
    expect(ring).to_have_attribute("data-token", str(CELL))
    box, face = ring.bounding_box(), saved.locator("#film .face").nth(1).bounding_box()
    assert abs(box["x"] - face["x"] - face["width"] / 2) < 2 and abs(box["y"] - face["y"] - face["height"] / 2) < 2

    for lane in (".time.spectrum", ".time.strip", ".time.curve >> nth=0"):
        point(saved, saved.locator(lane), (SOUND - 9 + 0.5) / 100)
        shown(saved, SOUND)
        expect(saved.locator(f"{lane} >> i")).to_have_attribute("data-token", str(SOUND))
        expect(saved.locator("#told")).to_contain_text("sound 2.00–2.04 s")
    point(saved, saved.locator(".panel").first, (CELL + 0.5) / 113)
    shown(saved, CELL)
    expect(ring).to_have_attribute("data-token", str(CELL))


def test_a_click_keeps_escape_lets_go(saved):
    saved.mouse.click(*point(saved, saved.locator(".time.strip"), (SOUND - 9 + 0.5) / 100))
    expect(saved.locator("#told")).to_contain_text(f"Kept: Token {SOUND}")
    expect(saved.locator("#playhead")).to_have_attribute("aria-valuenow", "2.02")
    saved.locator(f'#words .t[data-token="{WORD}"]').hover()
    shown(saved, SOUND)
    saved.keyboard.press("Escape")
    saved.mouse.move(5, 5)
    expect(saved.locator("#told")).to_contain_text("Mean of")
    # The same again by a second click.
    word = saved.locator(f'#words .t[data-token="{WORD}"]')
    word.click()
    expect(saved.locator("#told")).to_contain_text(f"Kept: Token {WORD}")
    word.click()
    expect(saved.locator("#told")).not_to_contain_text("Kept")


def test_everything_goes_by_keyboard(saved):
    saved.keyboard.press("Tab")  # from here on the focus is one of the keyboard
    face = saved.locator("#film .face").first
    face.focus()
    for key in ("ArrowRight", "ArrowDown"):
        saved.keyboard.press(key)
    shown(saved, 4)
    saved.keyboard.press("Enter")
    expect(saved.locator("#told")).to_contain_text("Kept: Token 4")
    saved.keyboard.press("Escape")

    saved.locator(".time.strip").focus()
    shown(saved, 9)
    saved.keyboard.press("ArrowRight")
    saved.keyboard.press("ArrowRight")
    shown(saved, 11)

    playhead = saved.get_by_role("slider")
    playhead.focus()
    saved.keyboard.press("Home")
    for key in ("PageUp", "PageUp", "ArrowRight", "ArrowRight", "ArrowLeft"):
        saved.keyboard.press(key)
    expect(playhead).to_have_attribute("aria-valuenow", "2.1")
    expect(playhead).to_have_attribute("aria-valuetext", "2.1 s, picture 2 of 2, sound 2.08–2.12 s")
    shown(saved, 61)
    assert saved.locator("#film figure.now").count() == 1
    expect(saved.locator("#film figure").nth(1)).to_have_class("now")
    saved.keyboard.press("End")
    expect(playhead).to_have_attribute("aria-valuenow", "4")

    chart = saved.locator("#charts figure").first
    chart.focus()
    saved.keyboard.press("Enter")
    expect(saved.locator("#charts figure.large")).to_have_count(1)
    assert saved.locator("#charts figure.large").bounding_box()["width"] > 900
    saved.keyboard.press("Enter")
    expect(saved.locator("#charts figure.large")).to_have_count(0)

    three = saved.get_by_role("button", name="Three panels")
    three.focus()
    saved.keyboard.press("Enter")
    expect(saved.locator("#cells table")).to_have_count(3)
    cells = [int(text) for text in saved.locator("#cells td[data-site]").all_inner_texts()]
    assert len(cells) == 18 and all(99 <= sum(cells[i::6]) <= 101 for i in range(6))


def test_a_ribbon_of_words_is_one_tab_stop_with_arrows_inside(saved):
    focused = "+document.activeElement.dataset.token"
    words = saved.evaluate("[...document.querySelectorAll('#words .t')].map(e => +e.dataset.token)")
    saved.locator("#mode").focus()  # the last before them
    saved.keyboard.press("Tab")
    assert saved.evaluate(focused) == words[0]
    shown(saved, words[0])
    for key, token in (("ArrowRight", words[1]), ("End", words[-1]), ("ArrowLeft", words[-2]), ("Home", words[0]),
                       ("ArrowLeft", words[0])):  # fmt: skip
        saved.keyboard.press(key)
        assert saved.evaluate(focused) == token
        shown(saved, token)
    saved.keyboard.press("ArrowRight")
    saved.keyboard.press("Enter")
    expect(saved.locator("#told")).to_contain_text(f"Kept: Token {words[1]}")
    saved.keyboard.press("Escape")
    expect(saved.locator("#told")).not_to_contain_text("Kept")
    # One Tab leads out of them, and back to the word that was left.
    saved.keyboard.press("Tab")
    assert saved.evaluate("document.activeElement.closest('#tokens')") is None
    saved.keyboard.press("Shift+Tab")
    assert saved.evaluate(focused) == words[1]
    # Drawn anew, they are one stop again.
    saved.locator("#layer").select_option("1")
    assert saved.locator("#words .t[tabindex='0']").count() == 1


def test_up_and_down_lead_to_the_word_above_and_below(saved):
    saved.set_viewport_size({"width": 390, "height": 800})
    saved.evaluate("$('words').style.width = '60px'")
    place = "(e => [e.offsetTop, e.offsetLeft])(document.activeElement)"
    saved.locator("#words .t").first.focus()
    top, left = saved.evaluate(place)
    saved.keyboard.press("ArrowDown")
    below, near = saved.evaluate(place)
    assert below > top and near == left
    saved.keyboard.press("ArrowUp")
    assert saved.evaluate(place) == [top, left]
    saved.keyboard.press("ArrowUp")
    assert saved.evaluate(place) == [top, left]


def test_what_is_laid_over_the_pictures_is_the_routing(saved):
    def ink(where):
        # Of the second picture, in its last cell, beside the digit.
        return saved.evaluate(
            "where => { const c = document.querySelectorAll(where)[1], at = [.85 * c.width, .85 * c.height];"
            "return [...c.getContext('2d').getImageData(...at.map(Math.round), 1, 1).data] }", where)  # fmt: skip

    saved.get_by_role("button", name="head 2", exact=True).click()
    weight = saved.evaluate(f"share({CELL})[1]")
    red, green, blue, opacity = ink("#film canvas")
    assert abs(opacity - 255 * 0.85 * weight) < 3
    assert np.abs(np.array([red, green, blue]) - [0x0B, 0x9C, 0x94]).max() < 6
    saved.get_by_role("button", name="off", exact=True).click()
    assert ink("#film canvas")[3] == 0
    saved.get_by_role("button", name="heads", exact=True).click()
    wanted = saved.evaluate(f"laid(share({CELL}))")
    assert abs(ink("#film canvas")[3] - 255 * wanted[3]) < 3


def test_another_tower_keeps_the_piece_of_the_clip(saved):
    saved.mouse.click(*point(saved, saved.locator("#film .face").nth(1), 0.75, 0.75))
    saved.get_by_role("button", name="Picture encoder").click()
    expect(saved.locator("#told")).to_contain_text("video 2.00–3.00 s, row 3, column 3")
    expect(saved.locator("#told")).to_contain_text("Kept")
    expect(saved.locator("#film figure:nth-child(2) .face i")).to_have_count(1)
    saved.get_by_role("button", name="Sound encoder").click()  # it saw no picture
    expect(saved.locator("#told")).not_to_contain_text("Kept")
    expect(saved.locator("#film img")).to_have_count(2)
    saved.get_by_role("button", name="Language model").click()
    expect(saved.locator("#told")).to_contain_text(f"Kept: Token {CELL}")

    saved.mouse.click(*point(saved, saved.locator(".time.strip"), (SOUND - 9 + 0.5) / 100))
    saved.get_by_role("button", name="Sound encoder").click()
    expect(saved.locator("#told")).to_contain_text("Kept: Token 100 · sound 2.00–2.02 s")
    expect(saved.locator(".time.strip i")).to_have_attribute("data-token", "100")


def test_light_and_dark(saved):
    ground = saved.evaluate("getComputedStyle(document.body).backgroundColor")
    saved.get_by_role("button", name="Light or dark").click()
    assert saved.evaluate("getComputedStyle(document.body).backgroundColor") != ground


@pytest.mark.parametrize("width", [390, 1200])
def test_no_sideways_scroll(browser, address, saved, width):
    saved.set_viewport_size({"width": width, "height": 800})
    for tower in ("Picture encoder", "Sound encoder", "Language model"):
        saved.get_by_role("button", name=tower).click()
        saved.locator("#three").click()
        assert saved.evaluate("document.documentElement.scrollWidth") == width
    page = fresh(browser, viewport={"width": width, "height": 800})
    page.goto(f"{address}/dark.html")
    inside = page.frame_locator("iframe.crab-explorer")
    expect(inside.locator("#told")).to_contain_text("Mean of")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    root = inside.locator("html")
    assert root.evaluate("e => e.scrollWidth") <= width
    page.wait_for_function("Math.abs(document.querySelector('iframe').offsetHeight - document.querySelector('iframe')"
                           ".contentDocument.querySelector('main').offsetHeight) <= 2")  # fmt: skip
    # The ground of the card that it stands in, dark's --sheet of assets/style.css.
    assert root.evaluate("e => getComputedStyle(e.ownerDocument.body).backgroundColor") == "rgb(21, 26, 35)"
    assert root.evaluate("e => e.classList.contains('dark')")
    assert inside.locator("h1").bounding_box()["width"] == 1  # for whoever listens
    assert inside.locator("#mode").is_hidden()
    assert not page.faults
    page.close()


def test_the_page_around_hears_seeking_and_moves_the_playhead(framed):
    inside = framed.inside
    assert framed.evaluate("heard") == []  # opening is no news
    framed.evaluate(
        "document.querySelector('iframe').dispatchEvent(new CustomEvent('crab-time', {detail: {time: 2.5}}))"
    )
    playhead = inside.get_by_role("slider")
    expect(playhead).to_have_attribute("aria-valuenow", "2.5")
    expect(inside.locator("#film figure").nth(1)).to_have_class("now")
    assert framed.evaluate("heard") == []  # the player is not sought back

    playhead.focus()
    framed.keyboard.press("PageDown")
    expect(playhead).to_have_attribute("aria-valuenow", "1.5")
    seeks = framed.evaluate("heard.filter(([name]) => name === 'crab-seek')")
    assert seeks == [["crab-seek", {"time": 1.5}, "crab-explorer"]]

    framed.evaluate("heard.length = 0")
    framed.mouse.click(*point(framed, inside.locator("#film .face").nth(1), 0.75, 0.75))
    framed.wait_for_function("heard.length === 2")
    seek, view = framed.evaluate("heard")
    assert seek[:2] == ["crab-seek", {"time": 2}]
    assert view[:2] == ["crab-view", {"view": "clip", "tower": "language", "token": CELL}]

    framed.evaluate("heard.length = 0")
    inside.get_by_role("button", name="Picture encoder").click()
    framed.wait_for_function("heard.length === 1")
    assert framed.evaluate("heard[0][1].tower") == "vision"


def test_the_page_around_opens_a_view(framed, browser, address):
    inside = framed.inside
    framed.evaluate("document.querySelector('iframe').dispatchEvent(new CustomEvent('crab-open', "
                    "{detail: {view: 'heatmap', tower: 'audio', token: 100}}))")  # fmt: skip
    expect(inside.locator("#told")).to_contain_text("Kept: Token 100 · sound 2.00–2.02 s")
    shown(inside, 100)
    assert framed.evaluate("heard") == [
        ["crab-seek", {"time": 2}, "crab-explorer"]
    ]  # no news but where the player goes
    assert framed.evaluate("scrollY") > 500
    # The telling of what is shown came along.
    framed.wait_for_function("document.querySelector('iframe').contentDocument.getElementById('shown').style.transform")
    assert 0 <= inside.locator("#shown").bounding_box()["y"] < 120
    framed.evaluate("document.querySelector('iframe').dispatchEvent(new CustomEvent('crab-open', "
                    "{detail: {view: 'nonsense', tower: 'no such', token: 9999}}))")  # fmt: skip
    expect(inside.locator("#told")).to_contain_text("Mean of 113 tokens")

    page = fresh(browser)
    page.goto(f"{address}/kept.html")
    expect(page.frame_locator("iframe").locator("#told")).to_contain_text("Kept: Token 17")
    assert page.evaluate("heard") == []
    page.close()


def test_data_that_is_gone_is_said(browser, address):
    page = fresh(browser)
    page.goto(f"{address}/gone.html")
    expect(page.frame_locator("iframe").locator("#loading")).to_contain_text("could not be loaded")
    assert not page.faults
    page.close()
