"""The page that needs nothing else."""

import base64
import json
import re
import shutil

import numpy as np
import pytest
from test_trace import towers

from crab.ilora.trace import RoutingTrace, Site
from crab.prompt import Token
from visualize import standalone, theme

CHROMIUM = shutil.which("chromium")


def released(tokens=1000):
    """A trace of the released model's shape: 196 + 96 + 96 = 388 sites."""
    rng = np.random.default_rng(0)
    names = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    shapes = {"language": (28, names), "audio": (32, names[:3]), "vision": (32, names[4:])}
    kinds = {"language": Token("generated", text="word "), "audio": Token("audio", start=0.0, end=0.02),
             "vision": Token("video", start=0.0, end=1.0, row=0, col=0)}
    return {
        tower: RoutingTrace(
            rng.dirichlet(np.ones(3), (layers * len(modules), tokens)).astype(np.float16),
            tuple(Site(tower, layer, module) for layer in range(layers) for module in modules), (kinds[tower],) * tokens,
        )
        for tower, (layers, modules) in shapes.items()
    }  # fmt: skip


def data(html):
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.S)[1])


def test_it_holds_every_weight_and_nothing_from_elsewhere():
    traces = towers()
    html = standalone.page(traces, title="A <b>", facts=["<i>"])
    assert not re.search(r"""(src|href)\s*=|https?://(?!www\.w3\.org/2000/svg)""", html)
    assert "A &lt;b&gt;" in html and "<i>" not in html.split("<script")[0].replace("<i>x", "")
    for tower in data(html)["towers"]:
        trace = traces[tower["name"]]
        weights = np.frombuffer(base64.b64decode(tower["weights"]), "<u2").reshape(trace.weights.shape) / 65535
        order = [trace.sites.index(Site(tower["name"], *site)) for site in tower["sites"]]
        assert np.abs(weights - trace.weights[order].astype(float)).max() < 1e-5


def test_the_models_words_cannot_end_the_script():
    tokens = (Token("generated", text="</script><script>alert(1)"),)
    trace = RoutingTrace(np.full((1, 1, 3), 1 / 3, np.float16), (Site("language", 0, "q_proj"),), tokens)
    assert standalone.page({"language": trace}).count("</script>") == 2


def test_a_thousand_tokens_of_388_sites_are_at_most_8_megabytes():
    assert len(standalone.page(released()).encode()) < 4_000_000


def test_nothing_traced_is_said():
    assert "nothing was traced" in standalone.page({})


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
def test_pointing_keeping_and_keys_in_a_browser(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    traces = towers()
    (tmp_path / "page.html").write_text(standalone.page(traces), encoding="utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_selector("body[data-ready]")
        told = page.locator("#told")
        assert "Mean of 113 tokens" in told.inner_text()
        shares = np.random.default_rng(1).dirichlet(np.ones(3), 40)
        assert np.abs(np.array(page.evaluate("all => all.map(mix)", shares.tolist())) - theme.mix(shares, False).astype(int)).max() <= 1

        word = page.locator("#words .t").nth(1)  # after the prompt's one word
        word.focus()
        page.keyboard.press("Enter")
        page.wait_for_function("document.getElementById('told').innerText.startsWith('Kept: Token 109')")
        mean = traces["language"].weights[:, 109].mean(0, dtype=np.float32)
        assert f"Head 1 {100 * mean[0]:.1f} %" in told.inner_text()
        page.keyboard.press("Escape")
        page.locator(".panel").first.focus()
        for key in ("ArrowRight", "ArrowDown"):
            page.keyboard.press(key)
        page.wait_for_function("document.getElementById('told').innerText.includes('k_proj') || document.getElementById('told').innerText.includes('o_proj')")
        assert "Token 0" in told.inner_text()
        page.get_by_role("button", name="Picture encoder").click()
        page.wait_for_function("document.querySelectorAll('td.none').length > 0")
        assert not faults
        browser.close()
