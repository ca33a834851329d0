"""What the second tab does: draws the scene as it changes, asks it, and lays the answer beside the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from crab import CrabError, compose, truth
from crab.ask import stopped
from crab.media import open_clip
from crab.page import line, links
from crab.page.answering import Answerer
from crab.page.composer import EMPTY, Composer
from crab.page.files import FILM, explorer, filmed
from crab.page.links import SceneLink
from crab.page.parts import (
    AT_ONCE,
    FOLLOWED,
    IN_TURN,
    PRIVATE,
    WAITING,
    WITH_DARK,
    Updates,
    check_room,
    error_card,
    facts,
    sentences,
    stoppable,
)
from crab.page.runs import keep
from crab.page.sheet import Sheet
from crab.page.workbench import Workbench
from crab.result import Result
from crab.scenes.asking.questions import Question
from crab.scenes.world import render
from crab.scenes.world.script import Scene
from crab.tasks import TASKS, check_question
from visualize import compare

DRAWING = "<div class='waiting' role='status'>Drawing the scene</div>"
STILL = (640, 480)  # width and height of how it looks


@dataclass(frozen=True)
class Card:
    """What is on the card "Now": a scene, the question about it, the answer, and what was changed since the last."""

    scene: Scene
    question: Question
    result: Result
    changed: Sequence[str] = ()

    def html(self, told: str = "") -> str:
        """The answer beside the truth, and what else is to be `told` (HTML)."""
        result, question = self.result, self.question
        said, meant = result.answer, truth.truth(question, result.size if result.frame is not None else FILM)
        picture = "" if result.frame is None else compare.boxes(result.frame, said, meant, result.masks, of=result.size)
        return compare.card(
            said,
            meant,
            truth.judge(said, meant, result.task.grammar) if result.done else None,
            asked=compose.told(question),
            duration=result.clip.duration,
            picture=picture,
            changed=self.changed,
            facts=told,
        )


@dataclass(frozen=True)
class Composing:
    page: gr.Blocks
    composer: Composer
    tab: gr.Tab
    answers: Sheet
    bench: Workbench
    answerer: Answerer

    def wire(self) -> None:
        c, inputs = self.composer, self.composer.inputs
        redraw: dict[str, Any] = {
            "fn": self.on_change,
            "inputs": [c.filmed, c.second, c.question, c.own, *inputs],
        } | AT_ONCE
        redraw |= {"outputs": [c.problem, c.still, c.question, c.film, *(row.doing for row in c.rows)]}
        edits = [c.backdrop.input, c.seed.submit, c.seed.blur, *(edit for row in c.rows for edit in row.edits)]
        gr.on(edits, **FOLLOWED, **redraw)  # what is changed while a scene is drawn is drawn next
        for die, number in [(c.dice, c.seed), *((row.dice, row.look) for row in c.rows)]:
            die.click(None, None, number, js=f"() => crab.dice({compose.LOOKS})", **PRIVATE).then(**redraw)
        lucky = c.surprise.click(None, None, c.lucky, js="() => crab.dice(1e6)", **PRIVATE)
        lucky.then(self.on_surprise, c.lucky, c.form_parts, **AT_ONCE).then(**redraw)
        c.second.change(self.on_second, [c.second, *inputs], c.still, **FOLLOWED, **AT_ONCE)
        c.render.click(
            self.on_render, [c.filmed, *inputs], [c.problem, c.filmed, c.film], show_progress_on=c.still, **PRIVATE
        )
        self.tab.select(**redraw)
        self._wire_ask()

    def _wire_ask(self) -> None:
        c, inputs = self.composer, self.composer.inputs
        triggers, turns = [c.ask.click, c.own.submit], {"fn": None, "outputs": [c.ask, c.stop]} | PRIVATE
        gr.on(triggers, js="crab.busy", **turns)
        pressed = gr.on(
            triggers, self.on_press, [c.question, c.own, *inputs], [c.pressed, c.now, c.facts, c.ask, c.stop], **AT_ONCE
        )
        go = "(word) => crab.go(word, '#compose-stop', '#compose-go')"
        pressed.success(None, c.pressed, None, js=go, **PRIVATE)
        pressed.failure(js="crab.free", **turns)
        shown = [c.last, c.filmed, c.film, c.problem, c.earlier, c.before, c.now, c.facts, c.ask, c.stop, c.closer]
        gone = c.go.click(None, js="() => {}", **PRIVATE)
        running = gone.then(
            self.on_ask,
            [self.answers.runs, c.last, c.filmed, c.question, c.own, *inputs],
            [*shown, c.copy, c.open, c.link, self.answers.runs, *self.bench.listed],
            trigger_mode="multiple",
            **IN_TURN,
        )
        line.show(self.page, self.answerer.pace, gone.then, running, c.line)
        running.failure(js="crab.free", **turns)
        running.success(None, js="crab.isOver", **PRIVATE)
        c.stop.click(js="crab.stopping", **turns)
        stopping = AT_ONCE | {"queue": True}
        c.stop.click(self.on_stop, c.last, [c.last, c.now, c.facts, c.ask, c.stop], cancels=[running], **stopping)
        running.success(None, js="() => crab.tell('#now .compared')", **PRIVATE)
        named = running.success(None, c.link, None, js="crab.nameLink", **PRIVATE)
        explored = [c.closer, c.explorer]
        named.then(self.on_explore, [c.last, c.link, c.dark], explored, js=WITH_DARK, **AT_ONCE)
        c.copy.click(None, js="crab.copyLink", **PRIVATE)
        # One question at a time: whoever chooses from the list lets go of their own, and the other way round.
        c.question.input(None, None, c.own, js="() => ''", **PRIVATE)
        c.own.input(None, c.own, c.question, js="crab.instead", **PRIVATE)

    # --- the scene ---

    def on_change(
        self, shown: tuple[Scene, str] | None, second: int, asked: str | None, own: str, *values: Any
    ) -> Updates:
        """How the scene looks now, and what it can be asked; a form that is no scene yet says why not."""
        return self.composer.shown(compose.Form.of(values)) | self._redrawn(shown, second, asked, own, values)

    def not_a_scene(self, card: str) -> Updates:
        return {self.composer.problem: gr.update(value=card, visible=True)}

    @error_card(not_a_scene)
    def _redrawn(
        self, shown: tuple[Scene, str] | None, second: int, asked: str | None, own: str, values: Sequence[Any]
    ) -> Updates:
        c, scene = self.composer, compose.Form.of(values).scene()
        choices, value = compose.choices(scene, asked or "")
        return {
            c.problem: gr.update(visible=False),
            c.still: render.frame(scene, second + 0.5, STILL),
            c.question: gr.update(choices=choices, value=None if own.strip() else value),
            c.film: gr.update(visible=shown is not None and shown[0] == scene),
        }

    def on_surprise(self, lucky: int) -> Updates:
        return self.composer.filled(compose.surprise(lucky))

    def on_second(self, second: int, *values: Any) -> Any:
        try:
            return render.frame(compose.Form.of(values).scene(), second + 0.5, STILL)
        except CrabError:  # which stands at the form already
            return gr.skip()

    @error_card(not_a_scene)
    def on_render(self, shown: tuple[Scene, str] | None, *values: Any) -> Updates:
        c = self.composer
        film = filmed(compose.Form.of(values).scene(), shown, c.film.GRADIO_CACHE)
        return {c.problem: gr.update(visible=False), c.filmed: film, c.film: gr.update(value=film[1], visible=True)}

    # --- the question ---

    def not_started(self, card: str) -> Updates:
        c = self.composer
        return {c.pressed: "", c.now: card, c.facts: ""} | c.turn(busy=False)

    @error_card(not_started)
    def on_press(self, asked: str | None, own: str, *values: Any) -> Updates:
        """Whether to wait in the queue at all."""
        _question(compose.Form.of(values).scene(), asked, own)
        check_room(self.page)
        return {self.composer.pressed: "go"}

    def refused(self, card: str) -> Updates:
        return {self.composer.now: card, self.composer.link: ""} | self.composer.turn(busy=False)

    @stoppable
    @error_card(refused)
    def on_ask(
        self,
        runs: list[Result],
        last: Card | None,
        shown: tuple[Scene, str] | None,
        asked: str | None,
        own: str,
        *values: Any,
    ) -> Iterator[Updates]:
        c, form = self.composer, compose.Form.of(values)
        yield self._begun(last)
        scene = form.scene()
        question = _question(scene, asked, own)
        film = filmed(scene, shown, c.film.GRADIO_CACHE)
        told: Updates = {c.now: WAITING, c.problem: gr.update(visible=False)}
        yield told | {c.filmed: film, c.film: gr.update(value=film[1], visible=True)}
        clip, task = open_clip(film[1]), TASKS[question.dataset]
        clip = replace(clip, frame=question.time) if "image" in task.media else clip
        changed = compose.changes(last.scene, scene) if last else ()
        yield from self.answerer.waiting(c.now)
        with closing(self.answerer.answers(clip, task, question.question, None)) as results:
            for result in results:
                card = Card(scene, question, result, changed)
                yield {c.last: card, c.now: card.html()}
        link = links.write(SceneLink(form, asked or "", own))
        runs, there = keep(runs, result), gr.update(visible=True)
        told = {c.facts: facts(result), c.link: link, c.copy: there, c.open: there, self.answers.runs: runs}
        yield told | self.bench.known(runs) | c.turn(busy=False)

    def _begun(self, last: Card | None) -> Updates:
        """The answer there was moves to the card "Before": what had changed by then is an old story."""
        c, before = self.composer, {}
        if last:
            told = replace(last, changed=()).html(facts(last.result))
            before = {c.earlier: gr.update(visible=True), c.before: told}
        gone = {part: gr.update(visible=False) for part in (c.closer, c.copy, c.open)}
        return before | gone | {c.last: None, c.now: DRAWING, c.facts: ""} | c.turn(busy=True)

    @sentences()
    def on_explore(self, last: Card | None, link: str, dark: bool) -> Updates:
        c = self.composer
        if not link or last is None or not last.result.routing:  # without a link, the last was no answer
            return {c.closer: gr.skip()}
        return {c.closer: gr.update(visible=True), c.explorer: explorer(last.result, c.explorer, dark)}

    def on_stop(self, last: Card | None) -> Updates:
        c = self.composer
        if last is None:  # it was being drawn
            return c.turn(busy=False) | {c.now: EMPTY}
        if last.result.done:  # the answer before, whose place was not taken yet
            return c.turn(busy=False)
        card = replace(last, result=stopped(last.result))
        return c.turn(busy=False) | {c.last: card, c.now: card.html(), c.facts: facts(card.result)}


def _question(scene: Scene, asked: str | None, own: str) -> Question:
    """The question that is chosen for a scene, or one's own. Raises CrabError where there is none, or it is too long."""
    if own.strip():
        check_question(TASKS["avqa"], own)
    return compose.chosen(scene, asked or "", own)
