"""The routing explorer as a person meets it: look, hold on, change the routing, follow a link back."""

from __future__ import annotations

import json

import pytest
from test_page import answered, choose, downloaded

expect = pytest.importorskip("playwright.sync_api").expect

EXAMPLE = "evening-1000412.mp4"


@pytest.fixture
def asked(page):
    """The page with the first example answered and the explorer there; and what is in the explorer's frame."""
    page.locator("#examples button").first.click()
    answered(page)
    return page, ready(page, "#explorer")


def ready(page, place: str):
    frame = page.frame_locator(f"{place} iframe")
    expect(frame.locator("body")).to_have_attribute("data-ready", "1")
    return frame


def test_a_word_under_the_pointer_is_shown_in_every_view_and_kept_by_a_click(asked):
    page, frame = asked
    word = frame.locator("#words .t").last
    token = word.get_attribute("data-token")
    word.hover()
    for view in ("overview", "film", "lanes", "heatmap"):
        expect(frame.locator(f"#{view}")).to_have_attribute("data-token", token)
    word.click()
    frame.locator("#words .t").first.hover()
    expect(frame.locator("#overview")).to_have_attribute("data-token", token)
    page.keyboard.press("Escape")
    page.mouse.move(5, 5)
    expect(frame.locator("#overview")).not_to_have_attribute("data-token", token)


def test_player_bars_and_explorer_share_one_playhead(asked):
    page, frame = asked
    page.evaluate("document.querySelector('#video video').currentTime = 5")
    expect(frame.get_by_role("slider")).to_have_attribute("aria-valuenow", "5")
    line = page.locator("#when .crab-playhead")
    page.locator("#when").scroll_into_view_if_needed()
    at = line.bounding_box()["x"]
    box = page.locator("#when .js-plotly-plot").bounding_box()
    page.mouse.click(at + 0.2 * box["width"], box["y"] + box["height"] / 2)  # later on the bars
    page.wait_for_function("document.querySelector('#video video').currentTime > 5.5")
    assert line.bounding_box()["x"] > at
    frame.get_by_role("slider").press("Home")
    page.wait_for_function("document.querySelector('#video video').currentTime === 0")


def test_muting_a_head_puts_both_answers_side_by_side(asked):
    page, _ = asked
    page.locator("#change").get_by_label("Head 1").uncheck()
    page.locator("#change").get_by_label("Head 2").check()
    page.click("#again")
    expect(page.locator("#sides section")).to_have_count(2)
    first, second = page.locator("#sides section").all()
    expect(first).to_contain_text("as it is")
    expect(second).to_contain_text("head 2 muted")
    assert first.locator(".crab-answer").inner_text() and second.locator(".crab-answer").inner_text()
    expect(first).to_contain_text("evening-1000412 · avvp: What is seen when")
    expect(page.locator("#sides .crab-shifts small").first).to_be_visible()  # what it did, also where no word changes
    expect(page.locator("#sides .crab-scale")).to_contain_text("nats")
    expect(page.locator("#pair .js-plotly-plot")).to_be_visible()


def test_a_changed_run_is_explored_and_taken_along_as_any(asked):
    page, frame = asked
    before = frame.locator("#words .t").last.get_attribute("style")
    page.get_by_label("All heads alike").click()
    page.click("#again")
    expect(page.locator("#sides section")).to_have_count(2)
    page.locator("#kept button").first.click()
    expect(page.locator("#facts")).to_contain_text("all heads alike")
    expect(page.locator("#whose")).to_be_in_viewport()
    expect(ready(page, "#explorer").locator("#words .t").last).not_to_have_attribute("style", before)
    with page.expect_download() as download:
        page.get_by_text("SVG").click()
    assert download.value.suggested_filename == "evening-1000412 · avvp · all heads alike · router weights.svg"
    told = json.loads(downloaded(page, "Answer as JSON").read_text())
    assert (told["clip"], told["intervention"]) == (EXAMPLE, "all heads alike")
    assert not any("drawn" in note for note in told["notes"])  # it is a drawn scene


def test_a_composed_run_is_changed_and_taken_along_and_compared_as_any(asked):
    page, _ = asked
    page.get_by_role("tab", name="Compose").click()
    page.click("#compose-ask")
    page.click("#open-composed")
    expect(page.locator("#facts")).to_contain_text("answered before")
    expect(page.locator("#video video")).to_be_visible()
    assert json.loads(downloaded(page, "Answer as JSON").read_text())["clip"].startswith("scene with ")
    choose(page, page.locator("#one input"), EXAMPLE.removesuffix(".mp4"))
    expect(page.locator("#sides")).to_contain_text("about different clips")
    expect(page.locator("#sides .crab-diff")).to_have_count(0)
    page.click("#again")
    expect(page.locator("#sides section").last).to_contain_text("head 1 muted")
    expect(page.locator("#sides section").first).to_contain_text("scene with")


def test_an_earlier_run_comes_back_with_all_its_views_and_so_does_one_that_was_saved(asked, tmp_path):
    page, frame = asked
    first = frame.locator("#words .t").all_inner_texts()  # waited for below: the frame before may still stand
    page.get_by_label("Captioning").click()
    page.click("#ask")
    expect(page.locator("#kept button:visible")).to_have_count(2)
    expect(page.get_by_role("button", name="2 · evening-1000412 · avcap")).to_be_visible()
    page.get_by_role("button", name="1 · evening-1000412 · avvp").press("Enter")
    expect(page.locator("#facts")).to_contain_text("answered before")
    expect(page.locator("#when .js-plotly-plot")).to_be_visible()
    expect(ready(page, "#explorer").locator("#words .t")).to_have_text(first, use_inner_text=True)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this run").click()
    assert download.value.suggested_filename == "evening-1000412 · avvp · run.zip"
    download.value.save_as(tmp_path / "run.zip")
    (tmp_path / "none.zip").write_bytes(b"no run")

    page.reload()
    page.get_by_text("ships with the page").wait_for()
    page.set_input_files("#pair input[type=file]", str(tmp_path / "none.zip"))
    expect(page.get_by_text("none.zip is no saved run")).to_be_visible()
    page.set_input_files("#pair input[type=file]", str(tmp_path / "run.zip"))
    expect(page.locator("#facts")).to_contain_text("from a saved file")
    expect(page.locator("#truth .verdict")).to_be_visible()  # by what is in the clip it is the example
    expect(page.locator("#kept button:visible")).to_have_count(2)
    expect(ready(page, "#explorer").locator("#words .t")).to_have_text(first, use_inner_text=True)
    page.click("#again")
    expect(page.locator("#sides section")).to_have_count(2)


def test_an_answer_is_held_against_a_file_until_that_is_taken_away(asked, tmp_path):
    page, _ = asked
    (tmp_path / "mine.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\n<c.heard>dog barking</c>\n")
    (tmp_path / "mine.json").write_text("{")
    shipped = page.locator("#truth").inner_text()
    page.get_by_role("button", name="Against a truth of your own").click()
    page.set_input_files("#reference input[type=file]", str(tmp_path / "mine.vtt"))
    expect(page.locator("#truth .asked")).to_have_text("Against mine.vtt")
    expect(page.locator("#truth .lane", has_text="dog barking").locator("b")).to_have_text("0.00")
    page.locator("#reference [aria-label=Clear]").click()
    expect(page.locator("#truth")).to_have_text(shipped, use_inner_text=True)
    page.set_input_files("#reference input[type=file]", str(tmp_path / "mine.json"))
    expect(page.locator("#truth [role=alert]")).to_contain_text("neither JSON nor WebVTT")


def test_a_change_without_a_head_is_refused_in_a_sentence(asked):
    page, _ = asked
    page.locator("#change").get_by_label("Head 1").uncheck()
    page.click("#again")
    expect(page.locator("#said [role=alert]")).to_contain_text("Say which head")
    expect(page.locator("#again")).to_be_enabled()
    expect(page.locator("#said [role=alert]")).to_be_in_viewport()
    expect(page.locator("#sides")).to_be_hidden()  # where the run would stand beside itself


def test_a_link_restores_clip_question_and_view(asked, address):
    page, frame = asked
    frame.get_by_role("button", name="Sound encoder").click()
    frame.locator("#panels .panel").first.click(position={"x": 200, "y": 10})
    page.wait_for_function("location.hash.includes('token')")
    link, kept = page.url, frame.locator("#told").inner_text().splitlines()[0]
    assert f"clip={EXAMPLE}" in link and "tower=audio" in link and kept.startswith("Kept: Token")

    page.goto("about:blank")
    page.goto(link)
    answered(page)
    again = ready(page, "#explorer")
    expect(page.get_by_label("Where and when")).to_be_checked()
    expect(again.locator("#told")).to_contain_text(kept)


def test_a_link_restores_a_composed_scene(page):
    page.get_by_role("tab", name="Compose").click()
    expect(page.locator("#still img")).to_be_visible()
    question = page.locator("#asked input").input_value()
    page.locator("#actor-1").get_by_label("Heard").fill("3-7")
    page.locator("#actor-1").get_by_label("Heard").press("Enter")
    expect(page.locator("#asked input")).not_to_have_value(question)  # a second thing that sounds: no longer ave
    page.click("#compose-ask")
    expect(page.locator("#now .verdict")).to_be_visible()
    ready(page, ".closer")
    link, truth = page.url, page.locator("#now .sides section").last.inner_text()
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator("#now .verdict")).to_be_visible()
    expect(page.locator("#actor-1").get_by_label("Heard")).to_have_value("3-7")
    assert page.locator("#now .sides section").last.inner_text() == truth


def test_all_families_are_asked_at_one_press_and_join_the_atlas(page):
    page.locator("#examples button").first.click()
    answered(page)
    page.get_by_role("tab", name="Atlas").click()
    page.click("#ask-every")
    expect(page.locator("#ask-every")).to_be_disabled()
    expect(page.locator("#ask-every")).to_be_enabled()
    expect(page.locator("#answers .crab-answer")).to_have_count(6)
    expect(page.locator("#answers")).to_contain_text("Matching needs two clips")


def test_what_is_taken_along_works_without_the_page(asked, browser, tmp_path):
    page, _ = asked
    assert downloaded(page, "CSV").read_text().startswith("tower,layer,module")
    assert downloaded(page, "PDF").read_bytes().startswith(b"%PDF")
    assert "<svg" in downloaded(page, "SVG").read_text()
    saved = tmp_path / "explorer.html"
    saved.write_bytes(downloaded(page, "HTML").read_bytes())
    alone = browser.new_page()
    alone.route("http*://**", lambda route: route.abort())
    alone.goto(saved.as_uri())
    word = alone.locator("#words .t").last
    word.hover()
    expect(alone.locator("#overview")).to_have_attribute("data-token", word.get_attribute("data-token"))
    alone.close()
