"""What the explorer draws, pixel by pixel and digit by digit, against the numbers of the trace itself.

The traces are made so that no two sites, tokens or heads are alike, layers come out of order, and some sites have a
leader by just more and just less than the point that a digit needs.
"""

from __future__ import annotations

import base64
import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from test_trace import towers

from crab.trace import RoutingTrace, Site
from visualize import standalone, theme
from visualize import trace as read

expect = pytest.importorskip("playwright.sync_api").expect

FULL = 65535  # what stands for a weight of one in the page


def traced() -> dict[str, RoutingTrace]:
    """`towers`, with layers in another order than their rows are drawn in, and close calls in the language model."""
    found = {}
    for tower, trace in towers().items():
        sites = tuple(Site(tower, {0: 3, 1: 1}[site.layer], site.module) for site in trace.sites)
        weights = trace.weights.astype(np.float32)
        if tower == "language":
            weights[0] = 0.34, 0.327, 0.333  # ahead by 0.007: no digit
            weights[1] = 0.327, 0.345, 0.328  # ahead by 0.017: a digit
        found[tower] = RoutingTrace(weights, sites, trace.tokens)
    return found


@pytest.fixture(scope="module")
def traces():
    return traced()


@pytest.fixture(scope="module")
def page(browser, traces, tmp_path_factory):
    path = tmp_path_factory.mktemp("living") / "page.html"
    frames = tuple((float(t), 0, np.zeros((200, 200, 3), np.uint8)) for t in (0, 2))
    path.write_text(standalone.page(traces, seen=standalone.Seen(4.0, frames, ())), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme="light")
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready='1']", state="attached")
    yield page
    assert not faults
    page.close()


@pytest.fixture(autouse=True)
def fresh(page):
    """Every test begins with the language model, all heads in one cell, heads over the clip, nothing kept."""
    page.evaluate(
        "() => { letGo(); Object.assign(state, {three: false, overlay: 'heads', dark: false}); colours(); open(0); }"
    )


def tower(page, name):
    page.evaluate("name => open(data.towers.findIndex(t => t.name === name))", name)


def rgb(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)[:3]))


def leader(weights: np.ndarray) -> str:
    first, second = np.sort(weights)[::-1][:2]
    return str(int(weights.argmax()) + 1) if first - second >= 0.01 else "·"


def rows_of(trace: RoutingTrace) -> list[int]:
    """The layers' numbers, first on top."""
    return sorted({site.layer for site in trace.sites})


@pytest.mark.parametrize("name", ["language", "audio", "vision"])
def test_a_cell_has_the_digit_and_the_colour_of_its_own_site(page, traces, name):
    tower(page, name)
    trace = traces[name]
    means = {site: trace.weights[i].mean(0) for i, site in enumerate(trace.sites)}
    lines = page.evaluate("""() => [...document.querySelectorAll('#cells tr')].slice(1).map(row => ({
      layer: +row.querySelector('th').innerText, cells: [...row.querySelectorAll('td[data-site]')].map(td => ({
        title: td.title.split('\\n')[0], digit: td.innerText, ground: td.style.backgroundColor}))}))""")
    assert [line["layer"] for line in lines] == rows_of(trace)
    cells = [(line["layer"], cell) for line in lines for cell in line["cells"]]
    assert len(cells) == len(trace.sites)
    for layer, cell in cells:
        module = cell["title"].removeprefix(f"layer {layer} · ")
        mean = means[Site(name, layer, module)]
        assert cell["digit"] == leader(mean), cell
        np.testing.assert_allclose(rgb(cell["ground"]), theme.mix(mean, False), atol=2)
    if name == "language":
        assert {"·"} < {cell["digit"] for _, cell in cells}  # both sides of the threshold are there


def test_three_panels_have_each_its_own_heads_numbers_and_hue(page, traces):
    page.get_by_role("button", name="Three panels").click()
    trace = traces["language"]
    panels = page.evaluate("""() => [...document.querySelectorAll('#cells table')].map(table =>
      [...table.querySelectorAll('tr')].slice(1).map(row => [...row.querySelectorAll('td[data-site]')].map(td =>
        ({title: td.title.split('\\n')[0], number: +td.innerText, ground: td.style.backgroundColor}))))""")
    assert len(panels) == 3
    for head, rows in enumerate(panels):
        for layer, row in zip(rows_of(trace), rows, strict=True):
            for cell in row:
                site = Site("language", layer, cell["title"].removeprefix(f"layer {layer} · "))
                mean = trace.weights[trace.sites.index(site)].mean(0)[head]
                assert abs(cell["number"] - 100 * mean) <= 0.51
                np.testing.assert_allclose(
                    rgb(cell["ground"]), theme.head_scale(head, False)[round(255 * mean)], atol=3
                )
    titles = page.locator("#cells .key").all_inner_texts()
    assert [re.search(r"Head \d", title)[0] for title in titles] == ["Head 1", "Head 2", "Head 3"]


def test_a_word_has_the_colour_of_its_mix_and_a_bar_a_head_from_the_line_of_an_even_share(page, traces):
    trace = traces["language"]
    words = page.evaluate("""() => [...document.querySelectorAll('#words .t')].map(e => ({token: +e.dataset.token,
      text: e.firstChild.textContent, ground: e.style.backgroundColor, under: e.getBoundingClientRect().bottom,
      bars: [...e.querySelectorAll('i')].map(i => { const {top, bottom} = i.getBoundingClientRect();
        return {left: parseFloat(i.style.left), top, bottom, colour: i.style.backgroundColor}; })}))""")
    spoken = [i for i, token in enumerate(trace.tokens) if token.modality in ("text", "generated")]
    assert [word["token"] for word in words] == spoken
    far = np.abs(trace.weights[:, spoken].mean(0) - 1 / 3).max()
    expect(page.locator("#bars")).to_contain_text(
        f"than 33.3 %, down where less, the whole way for {100 * far:.1f} points"
    )
    for word in words:
        mean = trace.weights[:, word["token"]].mean(0)
        assert word["text"] == trace.tokens[word["token"]].text.replace("\n", "↵")
        np.testing.assert_allclose(rgb(word["ground"]), theme.mix(mean, False), atol=2)
        line = word["under"] + 11
        assert len(word["bars"]) == 3
        for head, (bar, share) in enumerate(zip(word["bars"], mean)):
            up = 9 * (share - 1 / 3) / far  # a pixel is the least that is drawn
            assert (line - bar["top"], bar["bottom"] - line) == pytest.approx((max(up, 0), max(-up, 0)), abs=1.1)
            assert bar["left"] == pytest.approx(100 * head / 3, abs=0.01)
            assert rgb(bar["colour"]) == theme.rgb(theme.head_colour(head))


def test_the_triangle_of_hues_stays_in_sight_with_what_is_shown(page):
    shown = page.locator("#shown")
    for view in ("tokens", "overview", "clip", "heatmap"):
        page.locator(f"#{view}").scroll_into_view_if_needed()
        expect(shown.locator("#legend")).to_be_in_viewport(ratio=1)
    pixels = canvas(page, "#legend")
    middle = pixels[34 + 86, 111, :3]  # near two thirds of its height, where all are alike
    np.testing.assert_allclose(middle, theme.mix(np.full(3, 1 / 3), False), atol=12)


def canvas(page, where: str) -> np.ndarray:
    """Every pixel of a canvas, (height, width, 4) uint8."""
    width, height, data = page.evaluate("""where => { const c = document.querySelector(where), parts = [];
      const {data} = c.getContext('2d').getImageData(0, 0, c.width, c.height);
      for (let i = 0; i < data.length; i += 8192) parts.push(String.fromCharCode(...data.subarray(i, i + 8192)));
      return [c.width, c.height, btoa(parts.join(''))]; }""", where)  # fmt: skip
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)


@pytest.mark.parametrize("name", ["language", "vision"])
def test_a_heatmaps_pixel_is_its_heads_weight_of_its_site_and_token(page, traces, name):
    tower(page, name)
    trace = traces[name]
    order = sorted(range(len(trace.sites)), key=lambda i: trace.sites[i].layer)  # stable: modules as they were
    for head in range(3):
        pixels = canvas(page, f"#panels .panel:nth-of-type({2 * head + 2}) canvas")
        scale = np.array(theme.head_scale(head, False))
        level = np.round(trace.weights[order, :, head] * FULL).astype(int) >> 8  # (sites, tokens)
        np.testing.assert_allclose(pixels[..., :3].astype(int), scale[level], atol=4)
        assert (pixels[..., 3] == 255).all()


def test_over_a_picture_every_cell_is_its_own_token(page, traces):
    trace = traces["language"]
    cells = {(t.start, t.row, t.col): i for i, t in enumerate(trace.tokens) if t.modality == "video"}
    for overlay in ("1", "2", "3"):
        page.locator(f"#overlay [data-overlay='{overlay}']").click()
        for picture, start in enumerate((0.0, 2.0)):
            pixels = canvas(page, f"#film figure:nth-child({picture + 1}) canvas")
            height, width, _ = pixels.shape
            for row in (0, 1):
                for col in (0, 1):
                    # In the cell's corner: its middle holds the number, its edge the grid.
                    pixel = pixels[int((row + 0.12) / 2 * height), int((col + 0.12) / 2 * width)]
                    weight = trace.weights[:, cells[start, row, col], int(overlay) - 1].mean()
                    assert abs(int(pixel[3]) - 255 * 0.85 * weight) < 3
                    np.testing.assert_allclose(pixel[:3].astype(int), theme.rgb(theme.HEADS[int(overlay) - 1]), atol=6)


def test_under_the_sound_stands_who_leads_at_every_moment(page, traces):
    trace = traces["language"]
    pixels = canvas(page, ".time.strip canvas").astype(int)
    height, width, _ = pixels.shape
    top, tall = 26 / 58, 32 / 58 / 3  # of the rows of marks, in shares of the height
    ink = rgb("rgb(28, 35, 48)")
    for i, token in enumerate(trace.tokens):
        if token.modality != "audio":
            continue
        mean = trace.weights[:, i].mean(0)
        column = int((token.start + token.end) / 2 / 4 * width)
        marks = [pixels[int((top + tall * (head + 0.5) - 0.02) * height), column] for head in range(3)]
        marked = [
            str(head + 1) for head, pixel in enumerate(marks) if pixel[3] > 200 and np.abs(pixel[:3] - ink).max() < 40
        ]
        assert marked == ([] if leader(mean) == "·" else [leader(mean)]), (i, mean)
        far = float(read.distance(mean)) ** theme.MIX_POWER
        assert abs(pixels[int(0.1 * height), column, 3] - 255 * 0.85 * far) < 4


def test_a_chart_by_modality_is_the_mean_of_its_tokens_layer_by_layer(page, traces):
    trace = traces["language"]
    kinds = np.array([token.modality for token in trace.tokens])
    layers = np.array([site.layer for site in trace.sites])
    charts = page.evaluate("""() => Object.fromEntries([...document.querySelectorAll('#charts figure')].map(f => [
      f.dataset.modality, [...f.querySelectorAll('svg > polyline')].map(l => [l.getAttribute('stroke'),
        l.getAttribute('points').split(' ').map(p => +p.split(',')[1])])]))""")
    assert set(charts) == {"text", "video", "audio", "generated"}
    for kind, lines in charts.items():
        assert [hue for hue, _ in lines] == list(theme.HEADS)
        for head, (_, heights) in enumerate(lines):
            wanted = [trace.weights[layers == n][:, kinds == kind, head].mean() for n in rows_of(trace)]
            assert [(110 - y) / 98 for y in heights] == pytest.approx(wanted, abs=0.002)  # from 110 up to 12
