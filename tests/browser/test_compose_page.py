"""The second tab as a person meets it: a scene put together, asked about, changed and asked about again."""

from __future__ import annotations

import pytest
from conftest import fits
from test_page import choose

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def composer(page):
    page.get_by_role("tab", name="Compose").click()
    expect(page.locator("#still img")).to_be_visible()
    return page


def cast(page, number: int, actor: str, *, seen: str, heard: str) -> None:
    row = page.locator(f"#actor-{number}")
    choose(page, row.get_by_label(f"Actor {number}"), actor)
    row.get_by_label("Seen").fill(seen)
    row.get_by_label("Heard").fill(heard)
    row.get_by_label("Heard").press("Enter")


def answered(page) -> None:
    expect(page.locator("#now .verdict")).to_be_visible()
    expect(page.locator("#compose-ask")).to_be_enabled()


def test_a_scene_is_composed_rendered_asked_about_changed_and_compared(composer):
    page = composer
    for number in (3, 4):
        choose(page, page.locator(f"#actor-{number}").get_by_label(f"Actor {number}"), "Nobody")
    cast(page, 1, "dog", seen="0-10", heard="2-6")
    cast(page, 2, "violin", seen="0-10", heard="")
    page.click("#render")
    expect(page.locator("#film video")).to_be_visible()

    choose(page, page.locator("#asked input"), "avvp")
    page.click("#compose-ask")
    answered(page)
    expect(page.locator("#now .sides section")).to_have_count(2)
    expect(page.locator("#now .true")).to_have_count(3)  # dog and violin seen, dog heard
    expect(page.locator("#now")).to_contain_text("dog barking 2–6 s")
    expect(page.locator("#before")).to_be_hidden()

    cast(page, 1, "dog", seen="0-10", heard="")  # the one thing that is changed
    expect(page.locator("#film")).to_be_hidden()  # it shows another scene than the form
    page.click("#compose-ask")
    expect(page.locator("#before .verdict")).to_be_visible()
    answered(page)
    expect(page.locator("#now .changed")).to_contain_text("dog heard 2-6 → never")
    expect(page.locator("#now .true")).to_have_count(2)
    expect(page.locator("#before .true")).to_have_count(3)


def test_whoever_chooses_from_the_list_lets_go_of_their_own_question(composer):
    page, own, chosen = composer, composer.locator("#own textarea"), composer.locator("#asked input")
    expect(chosen).not_to_have_value("")
    own.fill("What is red?")
    choose(page, chosen, "avqa")
    expect(own).to_have_value("")
    page.click("#compose-ask")
    answered(page)
    expect(page.locator("#now .verdict")).not_to_contain_text("your own question")


def test_a_bad_stretch_gets_a_sentence_and_the_form_stays(composer):
    page = composer
    heard = page.locator("#actor-1").get_by_label("Heard")
    heard.fill("8-14")
    heard.press("Enter")
    expect(page.locator("#scene-problem [role=alert]")).to_contain_text("leaves the clip")
    page.click("#compose-ask")
    expect(page.locator("#now [role=alert]")).to_contain_text("leaves the clip")
    expect(page.locator("#compose-ask")).to_be_enabled()
    expect(heard).to_have_value("8-14")

    heard.fill("8-10")
    heard.press("Enter")
    expect(page.locator("#scene-problem")).to_be_hidden()


def test_a_narrow_screen_has_no_sideways_scroll(composer):
    composer.set_viewport_size({"width": 390, "height": 800})
    fits(composer, 390)
