"""The second tab: the form of a scene, and the card that holds the answer beside the truth."""

from __future__ import annotations

import dataclasses

import gradio as gr

import app  # noqa: F401  imports spaces before torch
from crab import compose
from crab.answer import parse
from crab.media import Clip
from crab.page import composer
from crab.page.composing import Card, Composing
from crab.result import Result, Window
from crab.tasks import TASKS


def test_the_composer_lays_out_the_rows_of_a_form_in_the_order_of_their_fields():
    with gr.Blocks():
        laid = composer.lay_out("")
    assert compose.Form.of([field.value for field in laid.inputs]) == compose.surprise(composer.FIRST)


def test_the_card_holds_the_answer_beside_the_truth_and_judges_when_it_is_over():
    scene = compose.compose("room", [compose.Row("dog", heard="2-6")], 1)
    question = next(q for q in compose.asked(scene).values() if q.question.startswith("How many objects are sounding"))
    clip = Clip("scene.mp4", duration=10.0)
    for done in (False, True):
        answer = parse("<answer> two </answer>", TASKS["avqa"])
        result = Result(clip, TASKS["avqa"], question.question, "crab-mini", "", answer.text, answer, done=done)
        card = Card(scene, question, result, ["dog heard never → 2-6"])
        html = card.html()
        assert "two" in html and "one" in html and "dog heard" in html
        assert ("Wrong: it is one, not two." in html) == done
        assert "dog heard" not in dataclasses.replace(card, changed=()).html()


def composing() -> Composing:
    with gr.Blocks():
        return Composing(None, composer.lay_out(""), None, None, None, None)


def test_while_a_question_of_ones_own_is_typed_none_of_the_list_is_chosen():
    part = composing()
    c, values = part.composer, compose.surprise(composer.FIRST).values
    assert part.on_change(None, 2, None, "What is red?", *values)[c.question]["value"] is None
    assert part.on_change(None, 2, None, " ", *values)[c.question]["value"]


def test_stop_says_how_far_it_came_and_leaves_an_answer_from_before_alone():
    part = composing()
    c = part.composer
    assert part.on_stop(None)[c.now] == composer.EMPTY  # it was being drawn
    scene = compose.surprise(composer.FIRST).scene()
    question = next(iter(compose.asked(scene).values()))
    windows = (Window(0, 10, parse("<answer> two", TASKS["avqa"])),)
    result = Result(Clip("scene.mp4", duration=10.0), TASKS["avqa"], "", "", "", windows=windows)
    told = part.on_stop(Card(scene, question, result))
    assert "It was stopped before its end." in told[c.facts] and told[c.last].result.notes == (
        "It was stopped before its end.",
    )
    assert c.now not in part.on_stop(Card(scene, question, dataclasses.replace(result, done=True)))
