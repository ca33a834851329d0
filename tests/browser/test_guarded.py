"""The page under its own policy: nothing that it needs is kept from it, and nothing comes from elsewhere."""

from __future__ import annotations

from test_page import answered, upload

FROM_ELSEWHERE = """() => new Promise(told => {
  document.addEventListener("securitypolicyviolation", event => told(event.blockedURI));
  const script = document.createElement("script");
  script.src = "https://example.org/a.js";
  document.body.append(script);
})"""


def test_an_answer_breaks_no_rule_and_a_script_from_elsewhere_does(page, scene_clip):
    page.evaluate(
        "window.broken = []; document.addEventListener('securitypolicyviolation', e => broken.push(e.blockedURI))"
    )
    upload(page, scene_clip)
    page.get_by_label("Where and when").click()
    page.click("#ask")
    answered(page)
    frame = page.frame_locator("#explorer iframe")
    frame.locator("body[data-ready='1']").wait_for(state="attached")
    assert page.evaluate("broken") == []
    assert page.evaluate(FROM_ELSEWHERE) == "https://example.org/a.js"


def test_what_a_visitor_uploads_is_played_to_them_and_refused_to_others(browser, page, scene_clip):
    upload(page, scene_clip)
    clip = page.locator("#video video").get_attribute("src")
    assert page.request.get(clip).status == 200
    other = browser.new_context()
    assert other.request.get(clip).status == 403
    other.close()
