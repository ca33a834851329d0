"""The page as a person meets it: `python app.py` in a process of its own, and Debian's Chromium in front of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crab.tasks import FAMILIES
from crab.trace import load as load_npz

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"

expect = pytest.importorskip("playwright.sync_api").expect


def upload(page, file) -> None:
    page.set_input_files("#video input[type=file]", str(file))
    expect(page.locator("#video video")).to_be_visible()


def answered(page) -> None:
    expect(page.locator("#facts")).not_to_contain_text("ships with the page")
    expect(page.locator("#downloads")).to_be_visible()
    expect(page.locator("#ask")).to_be_enabled()


def settled(page) -> None:
    """Until the words have been the same for a second and a half."""
    page.wait_for_function(
        """() => {
          const now = document.querySelector("#words").innerHTML;
          if (window.wordsBefore !== now) { window.wordsBefore = now; window.wordsSince = performance.now(); }
          return performance.now() - window.wordsSince > 1500;
        }""",
        polling=200,
    )


def downloaded(page, name: str) -> Path:
    with page.expect_download() as download:
        page.get_by_text(name).click()
    return Path(download.value.path())


def choose(page, field, words: str) -> None:
    """Choose from a list. An open list stays where it is while the page under it grows, so that a click may not reach."""
    field.click()
    field.fill(words)
    page.get_by_role("option").filter(has_text=words).first.dispatch_event("mousedown")


def test_a_clip_brings_text_bars_and_router_weights(page, address, scene_clip):
    upload(page, scene_clip)
    page.get_by_label("Where and when").click()
    expect(page.locator("#question")).to_be_hidden()
    page.click("#ask")
    answered(page)

    expect(page.locator("#words .crab-answer")).not_to_be_empty()
    expect(page.locator("#facts")).to_contain_text("crab-mini")
    expect(page.locator("#when .js-plotly-plot")).to_be_visible()
    events = json.loads(downloaded(page, "Answer as JSON").read_text())["events"]
    assert len(events) <= page.locator("#when .bars path").count() <= 2 * len(events) and events
    expect(page.locator("#writing .crab-live")).to_be_visible()
    assert set(load_npz(downloaded(page, "Router weights as .npz"))) == {"language", "audio", "vision"}
    assert all(url.startswith((address, "data:", "blob:")) for url in page.called), "the page calls nobody"


def test_the_sounding_thing_is_marked_on_the_picture(page, scene_clip):
    upload(page, scene_clip)
    page.get_by_label("Segmentation and grounding").click()
    page.get_by_label("At which second?").fill("2")
    page.click("#ask")
    answered(page)
    expect(page.locator("#where img")).to_be_visible()
    answer = json.loads(downloaded(page, "Answer as JSON").read_text())
    [mask] = answer["masks"]
    assert (mask["time"], mask["rle"]["size"]) == (2.0, [120, 160])


def test_a_broken_file_gets_a_sentence_and_the_page_goes_on(page, scene_clip, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"this is no film" * 100)
    page.set_input_files("#video input[type=file]", str(tmp_path / "broken.mp4"))
    expect(page.locator("#video video")).to_be_attached()
    page.locator("#question textarea").fill("What is heard?")
    page.click("#ask")
    expect(page.locator("#words [role=alert]")).to_contain_text("broken.mp4 cannot be read")
    expect(page.locator("#question textarea")).to_have_value("What is heard?")

    page.locator("#video [aria-label=Clear]").click()
    upload(page, scene_clip)
    page.click("#ask")
    answered(page)
    expect(page.locator("#words .crab-answer")).not_to_be_empty()


def test_what_is_missing_is_said_where_it_is_missing(page, scene_clip):
    page.click("#ask")
    expect(page.locator("#video .validation-error")).to_contain_text("Give a video first")
    expect(page.locator("#question")).to_contain_text("Type a question about the clip first")
    expect(page.locator("#video .validation-error")).to_be_in_viewport()
    expect(page.locator("#words .crab-answer")).to_be_visible()  # the answer there was stays
    page.get_by_label("Matching", exact=True).click()
    page.click("#ask")
    expect(page.locator(".validation-error", has_text="Give the other video")).to_be_visible()

    page.get_by_label("Question answering").click()
    upload(page, scene_clip)
    page.locator("#question textarea").fill("What is heard?")
    page.locator("#question textarea").press("Enter")
    answered(page)
    expect(page.locator("#words .crab-answer")).not_to_be_empty()
    expect(page.locator(".validation-error", has_text="first")).to_have_count(0)


def test_the_same_question_again_is_answered_at_once_and_a_changed_one_is_not(page, scene_clip, tmp_path):
    upload(page, scene_clip)
    page.get_by_label("Captioning").click()
    page.click("#ask")
    answered(page)
    settled(page)
    said = page.locator("#words").inner_text()
    page.get_by_label("All heads alike").click()
    page.click("#again")
    expect(page.locator("#sides section")).to_have_count(2)
    page.get_by_label("Where and when").click()
    page.click("#ask")
    expect(page.locator("#facts")).to_be_hidden()
    answered(page)
    expect(page.locator("#facts")).not_to_contain_text("answered before")

    again = tmp_path / "again.mp4"
    again.write_bytes(scene_clip.read_bytes())
    page.locator("#video [aria-label=Clear]").click()
    upload(page, again)
    page.get_by_label("Captioning").click()
    page.route("**/gradio_api/queue/join*", lambda route: pytest.fail("it waits"))
    page.click("#ask")
    expect(page.locator("#facts")).to_contain_text("answered before")
    assert page.locator("#words").inner_text() == said
    expect(page.locator("#when .js-plotly-plot")).to_be_hidden()
    expect(page.locator("#which iframe")).to_be_visible()
    expect(page.locator("#ask")).to_be_enabled()
    expect(page.locator("#stop")).to_be_disabled()


def test_stop_ends_the_answer_and_leaves_what_there_is(page, long_clip):
    upload(page, long_clip)
    page.get_by_label("Where and when").click()
    page.click("#ask")
    expect(page.locator("#words .progress")).to_be_visible()
    page.click("#stop")
    expect(page.locator("#facts")).to_contain_text("stopped")
    expect(page.locator("#facts")).to_contain_text("of 10; the rest was not looked at.")
    expect(page.locator("#words .progress")).to_be_hidden()
    expect(page.locator("#ask")).to_be_enabled()
    expect(page.locator("#which iframe")).to_be_visible()
    page.wait_for_timeout(500)  # what was already on its way
    said = page.locator("#words").inner_text()
    page.wait_for_timeout(1500)
    assert page.locator("#words").inner_text() == said


def test_of_a_long_clip_one_window_is_unfolded_and_progress_is_told(page, long_clip):
    upload(page, long_clip)
    page.get_by_label("Where and when").click()
    page.click("#ask")
    expect(page.locator("#words .progress")).to_contain_text("Window 2 of 10, about")
    expect(page.locator("#words details")).to_have_count(2)
    expect(page.locator("#words details[open]")).to_have_count(1)
    expect(page.locator("#words details[open] summary")).to_have_text("8–18 s")
    page.click("#stop")
    answered(page)
    settled(page)  # what was on its way when Stop was pressed comes still
    page.locator("#words summary").filter(has_text="0–10 s").first.click()
    expect(page.locator("#words details[open] summary")).to_have_text("0–10 s")

    frame = page.frame_locator("#explorer iframe")
    expect(frame.locator("body[data-ready='1']")).to_be_attached()
    asked = "Describe the events"  # of the prompt, which each window has
    words = frame.locator("#words").inner_text()
    choose(page, page.locator("#window input"), "8 to 18 s")
    expect(frame.locator("#words")).not_to_have_text(words)
    assert words.count(asked) == frame.locator("#words").inner_text().count(asked)


def test_arrows_choose_among_radio_buttons_and_tab_passes_them_by(page):
    families = page.locator("fieldset").filter(has_text="What to ask").locator("input")
    expect(families.nth(1)).to_be_visible()
    chosen = families.evaluate_all("all => all.findIndex(one => one.checked)")
    families.nth(chosen).focus()
    page.keyboard.press("ArrowRight")
    expect(families.nth((chosen + 1) % 7)).to_be_focused()
    expect(families.nth((chosen + 1) % 7)).to_be_checked()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(families.nth((chosen - 1) % 7)).to_be_checked()
    told = list(FAMILIES.values())[(chosen - 1) % 7].description
    expect(page.locator("fieldset").filter(has_text="What to ask")).to_contain_text(told)  # the form has followed
    page.keyboard.press("Tab")
    assert not families.evaluate_all("all => all.includes(document.activeElement)")
    page.keyboard.press("Shift+Tab")
    expect(families.nth((chosen - 1) % 7)).to_be_focused()


def test_the_sheet_steps_back_while_the_form_shows_another_clip(page, scene_clip):
    page.locator("#examples button").first.click()
    answered(page)
    expect(page.locator("#whose")).to_contain_text("About evening-1000412.mp4 · Where and when, as")
    expect(page.locator("#stale p")).to_have_count(0)
    page.wait_for_url("**/?clip=evening-*")

    page.locator("#video [aria-label=Clear]").click()
    expect(page.locator("#stale")).to_contain_text("another clip")
    page.wait_for_url(lambda url: "clip=" not in url)
    upload(page, scene_clip)
    at = page.locator("#when .crab-playhead").evaluate_all("lines => lines.map(line => line.style.left)")
    page.evaluate("document.querySelector('#video video').currentTime = 4")
    page.wait_for_timeout(500)  # the line would have moved by now
    assert page.locator("#when .crab-playhead").evaluate_all("lines => lines.map(line => line.style.left)") == at
    page.locator("#examples button").first.click()
    expect(page.locator("#stale p")).to_have_count(0)  # it is back


def test_an_answer_is_read_out_once_it_is_over_and_the_focus_stays_in_the_row(page, long_clip):
    upload(page, long_clip)
    page.get_by_label("Where and when").click()
    page.locator("#ask").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#words .crab-answer").first).to_be_visible()
    expect(page.locator("#stop")).to_be_focused()
    expect(page.locator("#told [role=status]")).to_be_empty()
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_be_focused()

    page.get_by_label("Captioning").click()
    page.click("#ask")
    expect(page.locator("#facts")).to_be_hidden()
    answered(page)
    settled(page)
    said = page.locator("#words").inner_text()
    expect(page.locator("#told [role=status]")).to_have_text(said)


def test_after_stop_one_can_ask_again_at_once(page, long_clip):
    upload(page, long_clip)
    page.get_by_label("Where and when").click()
    page.click("#ask")
    expect(page.locator("#words .progress")).to_be_visible()
    page.click("#stop")
    page.click("#ask")
    expect(page.locator("#facts")).to_be_hidden()
    expect(page.locator("#words .crab-answer").first).to_be_visible()
    page.wait_for_timeout(1500)  # the end of the stopped answer must not take the turn of this one
    expect(page.locator("#ask")).to_be_disabled()
    page.click("#stop")
    expect(page.locator("#facts")).to_contain_text("stopped")


def test_a_picture_with_its_sound_is_marked(page, clips):
    page.get_by_label("Picture + sound").click()
    page.set_input_files("input[type=file][accept*=image]", str(clips / "fire_engine" / "frame.jpg"))
    page.set_input_files("input[type=file][accept*=audio]", str(clips / "fire_engine" / "audio.wav"))
    # Both are there: what still unfolds would move the button from under the pointer.
    expect(page.get_by_role("button", name="Remove Image")).to_be_visible()
    expect(page.locator(".plays audio:visible")).to_have_count(1)
    page.get_by_label("Segmentation and grounding").click()
    page.get_by_label("At which second?").fill("7")
    page.click("#ask")
    answered(page)
    expect(page.locator("#where img")).to_be_visible()
    assert json.loads(downloaded(page, "Answer as JSON").read_text())["task"] == "s4"


def test_the_page_opens_with_an_example_answered(opened):
    shipped = json.loads((EXAMPLES / "first.json").read_text())
    expect(opened.locator("#words .crab-answer")).to_contain_text(shipped["text"].split(". ")[0])
    expect(opened.locator("#video video")).to_be_visible()
    expect(opened.locator("#when .js-plotly-plot")).to_be_visible()
    expect(opened.locator("#truth .verdict")).to_be_visible()
    expect(opened.frame_locator("#explorer iframe").locator("#words .t").first).to_be_visible()
    expect(opened.locator("#change")).to_be_visible()
    for width, height in ((1366, 768), (390, 844)):
        opened.set_viewport_size({"width": width, "height": height})
        expect(opened.locator("#ask")).to_be_in_viewport()
        expect(opened.locator("#examples button").first).to_be_in_viewport()
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
    for tab in ("Ask a clip", "Compose", "Atlas", "About"):  # on a phone too, none behind dots
        expect(opened.get_by_role("tab", name=tab)).to_be_visible()
    expect(opened.get_by_role("button", name="More tabs")).to_be_hidden()
    expect(opened.get_by_role("button", name="Use via API")).to_be_visible()


def test_a_click_on_an_example_asks_it_and_shows_what_is_true(opened):
    opened.locator("#examples button").nth(1).click()
    expect(opened.locator("#question textarea")).to_have_value("Which object makes a sound first?")
    answered(opened)
    expect(opened.locator("#words .crab-answer")).to_be_in_viewport()
    expect(opened.locator("#truth .verdict")).to_be_visible()
    expect(opened.locator("#truth")).to_contain_text("ambulance")  # the siren starts at 2, the flute at 6


def test_what_was_taught_is_a_click_away_and_what_was_not_is_noted(page, scene_clip):
    upload(page, scene_clip)
    page.locator("#suggested").get_by_text("How many objects are sounding?", exact=True).click()
    expect(page.locator("#question textarea")).to_have_value("How many objects are sounding?")
    page.click("#ask")
    answered(page)
    expect(page.locator("#facts")).not_to_contain_text("was not taught")
    expect(page.locator("#truth")).to_be_hidden()  # whose clip this is, nobody knows
    page.locator("#question textarea").fill("What colour is the dog?")
    page.click("#ask")
    expect(page.locator("#facts")).to_contain_text("was not taught a question of this form")
    page.get_by_text("What crab-mini knows").click()
    expect(page.get_by_text("washing machine").last).to_be_visible()


def test_matching_takes_two(page):
    page.get_by_label("Matching", exact=True).click()
    expect(page.get_by_text("Other video")).to_be_visible()
    page.get_by_label("Which of two sounds matches the video").click()
    expect(page.get_by_text("Other sound")).to_be_visible()
    expect(page.get_by_text("Other video")).to_be_hidden()


def test_narrow_screens_have_one_column_and_no_sideways_scroll(page):
    page.set_viewport_size({"width": 400, "height": 800})
    ask, words = page.locator("#ask").bounding_box(), page.locator("#words").bounding_box()
    assert words["y"] > ask["y"] and words["x"] < 60
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_example_of_a_pair_brings_all_its_files_and_a_link(page, address):
    page.locator("#examples button").last.click()
    expect(page.locator("#video video")).to_be_visible()
    expect(page.get_by_text("Sound to match")).to_be_visible()
    answered(page)
    expect(page.locator("#words")).to_contain_text("the matching video is")
    page.wait_for_url("**/?clip=pair-*task=a2v*")
