"""What a link brings back: all that stood on the form when the link was written."""

from __future__ import annotations

import gradio as gr
import pytest
from test_form import on_form

from crab import CrabError
from crab.page import form as forms
from crab.page import links
from crab.page.files import listed_examples
from crab.page.following import Following
from crab.page.links import ClipLink
from crab.tasks import TASKS

EXAMPLES = listed_examples()
FILM = EXAMPLES[0].clip


@pytest.fixture
def following():
    with gr.Blocks() as page:
        return Following(page, forms.lay_out(), None, None, EXAMPLES)


def of(link: str) -> ClipLink:
    return links.read(dict(word.split("=") for word in link.removeprefix("?").split("&")))


@pytest.mark.parametrize("given", [
    {"task": "s4", "seconds": "2–6.5", "over_time": True},
    {"task": "ms3", "second": "3"},
    {"task": "avvp", "seconds": "2-6"},
], ids=["masks over time", "a second", "a stretch"])  # fmt: skip
def test_a_run_about_a_stretch_or_every_second_comes_back_as_it_was(following, given):
    asked = on_form(video=str(EXAMPLES[0].files["video"]), **given)
    form, link = following.form, forms.linked(EXAMPLES, asked)
    shown = following.example(of(link))
    brought = {name: shown[getattr(form, name)]["value"] for name in ("second", "seconds", "over_time")}
    again = on_form(video=shown[form.media["video"]]["value"], task=given["task"], **brought)
    assert shown[form.wordings[TASKS[given["task"]].family]]["value"] == given["task"]
    assert (again.how, again.second, forms.linked(EXAMPLES, again)) == (asked.how, asked.second, link)


@pytest.mark.parametrize(("link", "said"), [
    (ClipLink(FILM, "avvp", stretch="soon"), "soon is no stretch"),
    (ClipLink(FILM, "avvp", masks_over_time=True), "avvp points at nothing"),
    (ClipLink("gone.mp4", "avvp"), "no longer here"),
])  # fmt: skip
def test_a_link_that_cannot_be_asked_is_said(following, link, said):
    with pytest.raises(CrabError, match=said):
        following.example(link)
