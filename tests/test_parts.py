"""What the parts of the page share: sentences for errors, the card that shows one, components in turn."""

from __future__ import annotations

import dataclasses

import gradio as gr
import pytest

import app  # noqa: F401  imports spaces before torch
from crab import CrabError
from crab.page.parts import components, error_card, sentences


def test_what_a_person_can_put_right_keeps_its_sentence():
    with pytest.raises(gr.Error) as shown, sentences():
        raise CrabError("Rock & roll.mp4 has no sound: give another.")
    assert shown.value.message == "Rock &amp; roll.mp4 has no sound: give another."  # Gradio shows it as HTML


def test_what_nobody_foresaw_goes_to_the_log_and_not_to_the_page(caplog):
    with pytest.raises(gr.Error) as shown, sentences():
        raise KeyError("/home/somebody/weights")
    assert "somebody" not in shown.value.message and shown.value.message.endswith(".")
    assert "somebody" in caplog.text


@dataclasses.dataclass(frozen=True)
class Part:
    box: str

    def failed(self, card):
        return {self.box: card}

    @error_card(failed)
    def once(self, given):
        if given is None:
            raise CrabError("Give a <clip> first.")
        return {self.box: given}

    @error_card(failed)
    def growing(self, given):
        yield {self.box: "begun"}
        yield self.once.__wrapped__(self, given)


def test_an_error_becomes_the_card_of_the_part_where_it_came_up():
    part = Part("words")
    assert part.once("a clip") == {"words": "a clip"}
    assert part.once(None) == {"words": "<p class='problem' role='alert'>Give a &lt;clip&gt; first.</p>"}
    assert list(part.growing("a clip")) == [{"words": "begun"}, {"words": "a clip"}]
    begun, told = part.growing(None)  # what came before stays
    assert begun == {"words": "begun"} and "&lt;clip&gt;" in told["words"]


def test_the_components_of_a_part_come_in_the_order_of_its_fields():
    @dataclasses.dataclass(frozen=True)
    class Whole:
        first: gr.HTML
        rows: list
        named: dict
        nested: Part

    with gr.Blocks():
        boxes = [gr.HTML() for _ in range(5)]
    whole = Whole(boxes[0], [boxes[1], boxes[2]], {"a": boxes[3]}, Part(boxes[4]))
    assert components(whole) == boxes
