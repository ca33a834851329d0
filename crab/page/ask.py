"""The first tab, "Ask a clip": wires form, answer sheet and examples, and what a link brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import gradio as gr

from crab import CrabError
from crab.ask import stopped
from crab.page import history, line, links
from crab.page.answering import Answerer
from crab.page.files import Example, everything, first_answer, judged_example, taken
from crab.page.form import Asked, Form, answered_before, file_shown, lacking, linked, opened, shows
from crab.page.parts import (
    AT_ONCE,
    FOLLOWED,
    IN_TURN,
    PRIVATE,
    QUIET,
    WAITING,
    WITH_DARK,
    Updates,
    check_room,
    components,
    error_card,
    sentences,
    stoppable,
    turn,
)
from crab.page.runs import keep, one_of, still_here
from crab.page.sheet import EMPTY, EVERYTHING, Sheet
from crab.page.workbench import Workbench
from crab.result import Result
from crab.tasks import FAMILIES, TASKS, check_question, check_words
from crab.truth import asked_of

NAME_LINK = {"fn": None, "outputs": None, "js": "crab.nameLink"} | PRIVATE


@dataclass(frozen=True)
class Asking:
    """What the tab does: from the press of Ask to the finished sheet, and what to do with the answer."""

    page: gr.Blocks
    form: Form
    sheet: Sheet
    bench: Workbench
    shelf: Sequence[gr.Button]  # one an example
    examples: tuple[Example, ...]
    answerer: Answerer

    def wire(self) -> None:
        """Ask goes three ways: what was answered before is shown, what is missing is said, the rest waits its turn."""
        form, sheet, inputs = self.form, self.sheet, self.form.inputs
        outputs = [*components(sheet), *components(self.bench), form.ask, form.stop]
        turns = {"fn": None, "outputs": [form.ask, form.stop]} | PRIVATE
        pressed = gr.on(
            [form.ask.click, form.question.submit],
            self.on_press,
            [sheet.runs, *inputs],
            [form.pressed, sheet.words],
            **AT_ONCE,
        )
        pressed.success(None, form.pressed, None, js="crab.start", **PRIVATE)
        pressed.success(None, js="() => crab.show('#words')", **PRIVATE)
        known = form.known.click(self.on_known, [sheet.runs, form.pressed, *inputs], outputs, js=WITH_DARK, **AT_ONCE)
        self._after(known)
        # An event of its own, since Gradio calls no other when it refuses: so buttons take their turns only after it.
        checked = form.go.click(
            lambda *_: None,
            inputs,
            None,
            validator=self.on_check,
            concurrency_limit=None,
            api_visibility="private",
            show_progress="hidden",
        )
        checked.success(js="crab.busy", **turns)
        # "multiple": a stopped answer ends with its last step only, and whoever asks again meanwhile waits in the queue.
        running = checked.success(
            self.on_ask, [sheet.runs, *inputs], outputs, js=WITH_DARK, trigger_mode="multiple", **IN_TURN
        )
        line.show(self.page, self.answerer.pace, checked.success, running, sheet.line)
        running.failure(js="crab.free", **turns)
        running.success(None, js="crab.isOver", **PRIVATE)
        running.success(None, js="() => crab.show('#words')", **PRIVATE)
        running.success(None, js="() => crab.tell('#words .crab-windows, #words .crab-answer')", **PRIVATE)
        self._after(running)
        self._whose(running.then)
        form.stop.click(js="crab.stopping", **turns)
        ended = form.stop.click(
            self.on_stop,
            [sheet.result, sheet.runs, form.dark],
            outputs,
            cancels=[running],
            js=WITH_DARK,
            **AT_ONCE | {"queue": True},
        )  # after the last word
        self._explored(ended.then)
        arrived = self.page.load(self.on_arrival, form.dark, [*outputs, *components(form)], js=WITH_DARK, **AT_ONCE)
        self._explored(arrived.success)
        self._wire_rest()

    def _after(self, answered: Any) -> None:
        """The address follows the answer, and what takes longer comes after it."""
        self._explored(answered.success(inputs=self.sheet.link, **NAME_LINK).then)

    def _explored(self, happened: Callable[..., Any]) -> None:
        """The strips of the clip, and the explorer."""
        asked, bench = [self.sheet.result, self.form.dark], components(self.bench)
        happened(self.sheet.explored, self.sheet.result, self.sheet.strips, **AT_ONCE).then(
            self.on_explore, asked, bench, js=WITH_DARK, **AT_ONCE
        )

    def _whose(self, happened: Callable[..., Any]) -> None:
        """Whenever the form may show another clip than the sheet is about."""
        sheet = self.sheet
        asked, told = [sheet.result, *self.form.inputs], [sheet.stale, sheet.link, sheet.copy]
        happened(self.on_other, asked, told, **FOLLOWED, **AT_ONCE).success(
            inputs=sheet.stale, **NAME_LINK | {"js": "crab.dropLink"}
        )

    def _wire_rest(self) -> None:
        form, sheet = self.form, self.sheet
        fields = components(form)
        choice = [form.typed, form.question, *form.choices]
        gr.on([one.input for one in form.choices], self.on_choice, choice, fields, **FOLLOWED, **AT_ONCE)
        form.media["file"].change(file_shown, form.media["file"], form.player, **AT_ONCE)
        for number, button in enumerate(self.shelf):
            chosen = button.click(partial(self.on_example, number), None, fields, **AT_ONCE)
            chosen.success(None, js="crab.askNow", **PRIVATE)
        form.suggested.click(lambda row: row[0], form.suggested, form.question, **AT_ONCE)
        others = (*form.media.values(), form.source, form.family, form.wordings["matching"])
        self._whose(partial(gr.on, [field.change for field in others]))
        stretch = [sheet.result, sheet.stretch]
        with_form = [*stretch, *form.inputs]
        told = sheet.chosen["ask"].click(self.on_chosen, with_form, fields, js="crab.withChosen", **AT_ONCE)
        told.success(None, js="() => crab.toSight('#seconds')", **PRIVATE)
        told = sheet.chosen["closer"].click(self.on_closer, stretch, fields, js="crab.withChosen", **AT_ONCE)
        told.success(None, js="crab.askNow", **PRIVATE)
        sheet.chosen["hear"].click(None, js="crab.playChosen", **PRIVATE)
        true = [sheet.truth, sheet.picture]
        sheet.reference.upload(self.on_reference, [sheet.result, sheet.reference], true, **PRIVATE)
        sheet.reference.clear(self.on_no_reference, sheet.result, true, **AT_ONCE)
        for button in sheet.formats.values():
            made = button.click(self.on_take, [sheet.result, button], sheet.file, **PRIVATE)
            made.success(None, js="crab.fetchFile", **PRIVATE)
        written = sheet.save.click(self.on_save, [sheet.result, sheet.folder], [sheet.folder, sheet.file], **PRIVATE)
        written.success(None, js="crab.fetchFile", **PRIVATE)
        packed = sheet.everything.click(self.on_everything, sheet.result, [sheet.everything, sheet.file], **QUIET)
        packed.success(None, js="crab.fetchFile", **PRIVATE)
        packed.then(lambda: EVERYTHING, None, sheet.everything, **AT_ONCE)  # also where it failed
        sheet.copy.click(None, js="crab.copyLink", **PRIVATE)
        self._wire_candidates()

    def _wire_candidates(self) -> None:
        """The model is asked in its turn; what it said goes to the sheet only if that still shows the same answer."""
        sheet = self.sheet
        buttons = sheet.eight, sheet.stop_eight
        running = line.ask_in_turn(
            self.page, self.answerer.pace, *buttons, sheet.agreed, sheet.line,
            fn=self.on_eight, inputs=sheet.result, outputs=[*buttons, sheet.agreed, sheet.drawn],
        )  # fmt: skip
        shown = [sheet.result, sheet.runs, sheet.agreed, *buttons, sheet.json]
        come = running.success(self.on_drawn, [sheet.result, sheet.runs, sheet.drawn], shown, **AT_ONCE)
        come.success(None, js="() => crab.tell('#agreed')", **PRIVATE)

    # --- the events, in the order in which they come ---

    @cached_property
    def first(self) -> Result | None:
        """The answer that the page opens with."""
        return first_answer(self.examples[0]) if self.examples else None

    @sentences()
    def on_arrival(self, dark: bool, request: gr.Request) -> Updates:
        """Without a link the first example stands there, answered."""
        if links.read(request.query_params) or not self.first:
            return {self.sheet.words: gr.skip()}
        shown = self.sheet.finished(
            self.first, dark, judged_example(self.examples, self.first), kept="ships with the page"
        )
        return self.on_example(0) | shown | self.bench.places(self.first) | self.kept([], self.first)

    def not_started(self, card: str) -> Updates:
        return {self.form.pressed: "", self.sheet.words: card}

    @error_card(not_started)
    def on_press(self, runs: list[Result], *values: Any) -> Updates:
        """Whether to wait in the queue at all; what has been answered already does not."""
        asked = Asked.of(values)
        check_words(asked.question)
        known = answered_before(runs, self.answerer.about.name, asked)
        if known is None:
            check_room(self.page)
        return {self.form.pressed: "go" if known is None else str(known)}

    def on_check(self, *values: Any) -> list[dict[str, Any]]:
        """What is missing, said where it is missing. Before the queue, and before files are moved."""
        words = ("question", "second", "seconds", "over_time", "dark")
        fields = ("source", "family", *self.form.wordings, *self.form.media, *words)
        try:
            wrong = lacking(Asked.of(values), self.form.question.GRADIO_CACHE)
        except (KeyError, TypeError, AttributeError, ValueError):  # not from our form: preprocessing says so
            wrong = {}
        return [gr.validate(name not in wrong, wrong.get(name, "")) for name in fields]

    def refused(self, card: str) -> Updates:
        gone = {self.sheet.words: card, self.sheet.link: "", self.sheet.copy: gr.update(visible=False)}
        return gone | self.form.turn(busy=False)

    @stoppable
    @error_card(refused)
    def on_ask(self, runs: list[Result], *values: Any) -> Iterator[Updates]:
        asked = Asked.of(values)
        result: Result | None = None
        yield self.sheet.cleared() | self.bench.cleared() | self.form.turn(busy=True)
        check_question(asked.task, asked.question)
        clip, other = opened(asked)
        yield from self.answerer.waiting(self.sheet.words)
        with closing(self.answerer.answers(clip, asked.task, asked.question, other, **asked.how)) as results:
            for latest in results:
                if not latest.done:
                    yield self.sheet.growing(latest, result, asked.dark)
                result = latest
        assert result is not None  # the last one is done
        yield self.finished(result, asked.dark) | self.kept(runs, result) | self.followed(asked)

    def finished(self, result: Result, dark: bool) -> Updates:
        return (
            self.sheet.finished(result, dark, judged_example(self.examples, result))
            | self.bench.places(result)
            | self.form.turn(busy=False)
        )

    def kept(self, runs: list[Result], latest: Result) -> Updates:
        runs = keep(runs, latest)
        return {self.sheet.runs: runs} | self.bench.known(runs)

    def followed(self, asked: Asked) -> Updates:
        link = linked(self.examples, asked)
        return {self.sheet.link: link, self.sheet.copy: gr.update(visible=bool(link))}

    def not_known(self, card: str) -> Updates:
        return {self.sheet.words: card}

    @error_card(not_known)
    def on_known(self, runs: list[Result], number: str, *values: Any) -> Updates:
        asked, run = Asked.of(values), one_of(runs, int(number) if number.isdecimal() else -1)
        shown = (
            self.sheet.cleared()
            | self.bench.cleared()
            | self.sheet.finished(run, asked.dark, judged_example(self.examples, run), kept="answered before")
        )
        return shown | self.bench.places(run) | self.followed(asked)

    def on_other(self, result: Result | None, *values: Any) -> Updates:
        """What to say while the form shows another clip than the sheet is about; its link is then dropped."""
        sheet, asked = self.sheet, Asked.of(values)
        if result is None or shows(asked, result.clip, result.other):
            return {sheet.stale: ""}
        said = "<p data-stale>The form shows another clip now. This is about the one before.</p>"
        return {sheet.stale: said, sheet.link: "", sheet.copy: gr.update(visible=False)}

    def on_stop(self, result: Result | None, runs: list[Result], dark: bool) -> Updates:
        if result is None:
            return self.form.turn(busy=False) | {self.sheet.words: EMPTY}
        if any(run is result for run in runs):  # the answer before, whose place was not taken yet
            return self.form.turn(busy=False)
        result = stopped(result)
        return self.finished(result, dark) | self.kept(runs, result)

    @sentences()
    def on_explore(self, result: Result | None, dark: bool) -> Updates:
        return self.bench.explored(result, dark)

    @sentences()
    def on_take(self, result: Result | None, button: str) -> str:
        return taken(still_here(result), button.lower(), self.sheet.file.GRADIO_CACHE)

    def not_held(self, card: str) -> Updates:
        return {self.sheet.truth: gr.update(value=card, visible=True)}

    @error_card(not_held)
    def on_reference(self, result: Result | None, file: str | None) -> Updates:
        if not file:
            raise CrabError("Choose a file that says what is true.")
        return self.sheet.held(still_here(result), Path(file))

    @sentences()
    def on_no_reference(self, result: Result | None) -> Updates:
        run = still_here(result)
        return self.sheet.known(run, judged_example(self.examples, run))

    def not_sampled(self, card: str) -> Updates:
        sheet = self.sheet
        shown = {sheet.agreed: gr.update(value=card, visible=True), sheet.drawn: None}
        return shown | turn(sheet.eight, sheet.stop_eight, busy=False)

    @stoppable
    @error_card(not_sampled)
    def on_eight(self, result: Result | None) -> Iterator[Updates]:
        asked = still_here(result)
        yield {self.sheet.agreed: gr.update(value=WAITING, visible=True)}
        yield {self.sheet.drawn: (asked, self.answerer.sampled(asked))}

    def on_drawn(self, result: Result | None, runs: list[Result], drawn: tuple[Result, Result] | None) -> Updates:
        """What was sampled, where the answer it is about is on screen still; it stands with that among the runs, too."""
        if drawn is None or drawn[0] is not result:
            return {self.sheet.agreed: gr.skip()}
        runs = [drawn[1] if run is result else run for run in runs]
        return self.sheet.sampled(drawn[1]) | {self.sheet.runs: runs}

    @sentences()
    def on_save(self, result: Result | None, folder: str | None) -> Updates:
        folder = history.folder_of(folder, self.sheet.file.GRADIO_CACHE)
        return {self.sheet.folder: folder, self.sheet.file: history.written(still_here(result), folder)}

    def on_everything(self, result: Result | None) -> Iterator[Updates]:
        button, file = self.sheet.everything, self.sheet.file
        with sentences(), closing(everything(still_here(result), file.GRADIO_CACHE)) as made:
            for done in made:
                yield {file: done} if isinstance(done, str) else {button: f"Everything: {done:.0%}"}

    def on_choice(self, typed: dict[str, str], question: str, source: str, family: str, *wordings: str) -> Updates:
        task = TASKS[dict(zip(FAMILIES, wordings))[family]]
        taught = self.answerer.about.taught.questions.get(task.name, ())
        updates = self.form.updates(source, task) | self.form.suggestions(taught)
        for field, value in self.form.instead(typed, question, family).items():
            updates[field] = updates[field] | value if field in updates else value
        return updates

    @sentences()
    def on_chosen(self, result: Result | None, stretch: str, *values: Any) -> Updates:
        """The stretch on the form, and the clip that it is of if that shows another."""
        run = still_here(result)
        filled = {} if shows(Asked.of(values), run.clip, run.other) else self.form.again(run)
        return filled | {self.form.seconds: gr.update(value=stretch)}

    @sentences()
    def on_closer(self, result: Result | None, stretch: str) -> Updates:
        """The same question on the form, of the stretch alone."""
        filled = self.form.again(still_here(result))
        return filled | {self.form.seconds: filled[self.form.seconds] | {"value": stretch}}

    @sentences()
    def on_example(self, number: int) -> Updates:
        example = self.examples[number]
        own = [one.question for one in asked_of(example.drawn) if one.dataset == example.task.name and one.question]
        return self.form.filled(example, example.task, example.question) | self.form.suggestions(own)
