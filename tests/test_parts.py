"""What the parts of the page share: sentences for errors, the card that shows one, components in turn."""

from __future__ import annotations

import asyncio
import dataclasses
from threading import Event

import gradio as gr
import httpx
import pytest

import app  # noqa: F401  imports spaces before torch
from crab import CrabError, stopping
from crab.answer import NOTHING
from crab.ilora import Intervention
from crab.media import Clip
from crab.page.parts import about, components, error_card, heading, progress, sentences, stoppable
from crab.result import Result, Window
from crab.tasks import TASKS


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


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "1 s"), (7.2, "8 s"), (9.9, "10 s"), (21, "20 s"), (97, "95 s"), (98, "2 min"), (200, "3 min")],
)
def test_a_time_that_nobody_knows_exactly_is_round(seconds, words):
    assert about(seconds) == words


def of_windows(*took, of, done=False):
    windows = [Window(0, 1, NOTHING, seconds) for seconds in took] + [Window(0, 1)] * (of - len(took))
    return Result(Clip("a.mp4"), TASKS["unav"], "", "", "", windows=tuple(windows), done=done)


def test_progress_counts_windows_while_they_are_asked():
    assert progress(of_windows(3.0, of=19)) == "<p class='progress'>Window 1 of 19</p>"
    assert progress(of_windows(3.0, 1.0, of=4)) == "<p class='progress'>Window 2 of 4, about 8 s left</p>"
    assert progress(of_windows(3.0, of=1)) == progress(of_windows(3.0, 3.0, of=2, done=True)) == ""


def test_an_answer_is_headed_with_clip_question_and_dataset():
    run = Result(Clip("<b>.mp4"), TASKS["avqa"], "What barks?", "", "", intervention=Intervention("mute", (0,)))
    assert heading(run) == (
        "<h2>About <b>&lt;b&gt;.mp4</b> · Question answering, as avqa “What barks?” · head 1 muted</h2>"
    )
    pair = dataclasses.replace(run, task=TASKS["a2v"], other=Clip("two.mp4"), question="", intervention=None)
    assert "<b>&lt;b&gt;.mp4 and two.mp4</b> · Matching, as a2v</h2>" in heading(pair)


class Counting:
    """A part of a page that counts, and between two numbers has to be let go on."""

    def __init__(self) -> None:
        self.counted: list[int] = []
        self.under_way, self.go_on, self.ended = Event(), Event(), Event()

    @stoppable
    def on_ask(self, upto: int):
        try:
            for number in range(upto):
                self.counted.append(number)
                yield number
                self.under_way.set()
                self.go_on.wait(60)
                stopping.check()
        finally:
            self.ended.set()


def test_steps_come_one_after_the_other():
    part = Counting()
    part.go_on.set()

    async def visit():
        return [number async for number in part.on_ask(3)]

    assert asyncio.run(visit()) == [0, 1, 2] and part.ended.is_set()


def test_stop_does_not_wait_for_the_step_under_way_and_none_comes_after_it():
    part = Counting()

    async def visit():
        steps = part.on_ask(5)
        assert await anext(steps) == 0

        async def following():
            return await anext(steps)

        waiting = asyncio.create_task(following())
        await asyncio.to_thread(part.under_way.wait, 60)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not part.ended.is_set()  # it is still under way
        part.go_on.set()
        await asyncio.to_thread(part.ended.wait, 60)

    asyncio.run(visit())
    assert part.counted == [0] and part.ended.is_set()


def test_whoever_leaves_between_two_steps_ends_the_work():
    part = Counting()

    async def visit():
        steps = part.on_ask(5)
        assert await anext(steps) == 0
        await steps.aclose()
        await asyncio.to_thread(part.ended.wait, 60)

    asyncio.run(visit())
    assert part.counted == [0] and part.ended.is_set()


def test_of_several_quick_choices_the_last_is_followed(address):
    """Gradio leaves out an `input` that comes while the one before is answered, unless it is told otherwise."""
    told = httpx.get(f"{address}/config", timeout=60).json()["dependencies"]
    chosen = [one for one in told if one["backend_fn"] and any(event == "input" for _, event in one["targets"])]
    assert len(chosen) > 5
    assert {one["trigger_mode"] for one in chosen} == {"always_last"}
