"""Under form and answer: look closer at the router weights, ask again with others, hold two runs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from crab import CrabError
from crab.intervention import Intervention, What
from crab.metrics.wording import edits
from crab.page import history
from crab.page.answering import Answerer
from crab.page.composer import Composer
from crab.page.files import Example, explorer, judged_example
from crab.page.form import Form
from crab.page.line import ask_in_turn
from crab.page.parts import (
    AT_ONCE,
    CLOSER,
    FOLLOWED,
    IN_TURN,
    PRIVATE,
    WAITING,
    WITH_DARK,
    Updates,
    components,
    error_card,
    figure,
    segments,
    sentences,
    stoppable,
    turn,
)
from crab.page.runs import about, keep, names, one_of, still_here, unlike, whose
from crab.page.sheet import Sheet
from crab.result import Result
from crab.trace import is_of
from visualize import compare, difference, text, theme
from visualize.trace import MODALITIES, TOWERS

CHANGES = [
    ("Mute heads", "mute"),
    ("Force one head", "force"),
    ("All heads alike", "uniform"),
    ("Freeze to another run’s average", "average"),
]
VIEWS = {"group": difference.by_group, "module": difference.by_module}


UNSCORED = "How likely every token became is not told of a clip that was asked in windows."
ANOTHERS = "How likely every token became is not told of the answers of a model that does not answer here."


@dataclass(frozen=True)
class Workbench:
    closer: gr.Column  # the explorer's card
    window: gr.Dropdown  # which part of a long clip the explorer shows
    explorer: gr.HTML
    change: gr.Column  # the card that changes the routing
    what: gr.Radio
    heads: gr.CheckboxGroup
    average: gr.Dropdown  # whose
    towers: gr.Dropdown
    layers: gr.Dropdown
    modules: gr.Dropdown
    kinds: gr.Dropdown
    again: gr.Button
    stop: gr.Button
    line: gr.HTML  # where the visitor stands in the line, see crab.page.line
    said: gr.HTML
    pair: gr.Column  # the card of all runs of the visit
    kept: list[gr.Button]  # each shows one above, see crab.page.history
    upload: gr.UploadButton  # a run that was saved
    one: gr.Dropdown
    two: gr.Dropdown
    held: gr.Column  # the two beside each other
    sides: gr.HTML
    tower: gr.Radio
    by: gr.Radio
    difference: gr.Plot

    def turn(self, *, busy: bool) -> Updates:
        return turn(self.again, self.stop, busy=busy)

    def cleared(self) -> Updates:
        """Before a new answer: what speaks of the last one is not shown."""
        return {part: gr.update(visible=False) for part in (self.closer, self.change, self.held)}

    def explored(self, result: Result | None, dark: bool) -> Updates:
        """The explorer with a result's router weights, if there are any."""
        if result is None or not result.routing:
            return {self.closer: gr.skip()}
        spans = [
            (f"{window.start:g} to {window.end:g} s", n) for n, window in enumerate(result.windows) if window.traced
        ]
        return {
            self.closer: gr.update(visible=True),
            self.window: gr.update(choices=spans, value=0 if spans else None, visible=len(spans) > 1),
            self.explorer: explorer(result, self.explorer, dark),
        }

    def known(self, runs: list[Result]) -> Updates:
        """The runs of the visit, as those whose average can be taken, and of which two can be compared."""
        choices = names(runs)
        latest = choices[-1] if choices else None
        return history.filled(self.kept, runs) | {
            self.average: gr.update(choices=choices, value=None),
            self.pair: gr.update(visible=bool(runs)),
            self.one: gr.update(choices=choices, value=latest),
            self.two: gr.update(choices=choices, value=latest),
            self.held: gr.update(visible=False),
        }

    @property
    def listed(self) -> list[Any]:
        """What `known` updates."""
        return [self.average, self.pair, *self.kept, self.one, self.two, self.held]

    def places(self, result: Result) -> Updates:
        """What the routing of a result can be changed in: heads, towers, layers, modules, kinds of token."""
        if not result.routing:
            return {}
        traces = list(result.routing.values())
        sites = [site for trace in traces for site in trace.sites]
        kinds = dict.fromkeys(token.modality for trace in traces for token in trace.tokens)
        heads = [(theme.head_name(k), k) for k in range(traces[0].weights.shape[2])]
        towers = [(title, name) for name, title in TOWERS.items() if name in result.routing]
        return {
            self.change: gr.update(visible=True),
            self.heads: gr.update(choices=heads, value=[0]),
            self.said: "",
            self.towers: gr.update(choices=towers, value=[]),
            self.layers: gr.update(choices=sorted({site.layer for site in sites}), value=[]),
            self.modules: gr.update(choices=list(dict.fromkeys(site.module for site in sites)), value=[]),
            self.kinds: gr.update(choices=[(MODALITIES[name].capitalize(), name) for name in kinds], value=[]),
        }


def lay_out() -> Workbench:
    with gr.Column(visible=False, elem_classes="card", elem_id="which") as closer:
        gr.HTML(CLOSER)
        window = gr.Dropdown(label="Of a long clip, the window", visible=False, elem_id="window")
        explorer = gr.HTML(elem_id="explorer")
    with gr.Column(visible=False, elem_classes="card", elem_id="change") as change:
        gr.HTML(
            "<h2>What if it were routed otherwise?</h2><p class='key'>Weights alone explain nothing: they show "
            "what was mixed, not why. Change them, ask again, and see what the answer owes to them.</p>"
        )
        what = segments(CHANGES, "What to do", value="mute")
        heads = gr.CheckboxGroup(label="Which heads", elem_classes="segments")
        average = gr.Dropdown(label="Whose average", visible=False, type="index")
        with gr.Accordion("Only in some places (all, where nothing is chosen)", open=False), gr.Row():
            places: dict[str, Any] = {
                name: gr.Dropdown(label=label, multiselect=True, min_width=width)
                for name, label, width in (
                    ("towers", "Parts of the model", 180),
                    ("layers", "Layers, from 0", 140),
                    ("modules", "Modules", 140),
                    ("kinds", "Tokens", 140),
                )
            }
        with gr.Row(elem_classes="actions"):
            again = gr.Button("Ask again, changed", variant="primary", scale=3, elem_id="again")
            stop = gr.Button("Stop", scale=1, min_width=90, interactive=False, elem_id="stop-again")
        line = gr.HTML(visible=False, elem_classes="line")
        said = gr.HTML(elem_id="said")
    with gr.Column(visible=False, elem_classes="card", elem_id="pair") as pair:
        gr.HTML(
            "<h2>The runs of this visit</h2><p class='key'>Every answer, those about composed scenes too. One that you "
            "press comes back: to explore it, to change its routing, to take it along. “Save this run”, under an answer, "
            "keeps it and its clip in a file that opens here again.</p>"
        )
        kept = history.lay_out()
        upload = gr.UploadButton("Open a saved run", size="sm", min_width=150, scale=0, elem_id="open-saved")
        gr.HTML("<h3>Two of them side by side</h3>")
        with gr.Row():
            one, two = (
                gr.Dropdown(label=label, type="index", min_width=280, elem_id=name)
                for name, label in (("one", "First"), ("two", "Second"))
            )
        with gr.Column(visible=False) as held:
            sides = gr.HTML(elem_id="sides")
            tower = segments([], "Second minus first, in this part of the model")
            by = segments([("By kind of token", "group"), ("By module", "module")], "Laid out", value="group")
            drawn = figure("Difference of mean router weights")
    return Workbench(
        closer, window, explorer, change, what, heads, average, **places, again=again, stop=stop, line=line, said=said, pair=pair,
        kept=kept, upload=upload, one=one, two=two, held=held, sides=sides, tower=tower, by=by, difference=drawn,
    )  # fmt: skip


@dataclass(frozen=True)
class Working:
    """What the workbench does."""

    page: gr.Blocks
    bench: Workbench
    sheet: Sheet
    form: Form
    composer: Composer
    tabs: gr.Tabs
    examples: Sequence[Example]
    answerer: Answerer

    def wire(self) -> None:
        bench, sheet, dark = self.bench, self.sheet, self.form.dark
        bench.window.input(
            self.on_window, [sheet.result, bench.window, dark], bench.explorer, js=WITH_DARK, **FOLLOWED, **AT_ONCE
        )
        bench.what.input(self.on_what, bench.what, [bench.heads, bench.average], **FOLLOWED, **AT_ONCE)
        places = [bench.towers, bench.layers, bench.modules, bench.kinds]
        buttons = bench.again, bench.stop
        asked = ask_in_turn(
            self.page, self.answerer.pace, *buttons, bench.said, bench.line,
            fn=self.on_again,
            inputs=[sheet.result, sheet.runs, bench.what, bench.heads, bench.average, *places],
            outputs=[*buttons, bench.said, sheet.runs, *bench.listed],
        )  # fmt: skip
        view = [sheet.runs, bench.one, bench.two, bench.tower, bench.by, dark]
        both = {"fn": self.on_pair, "inputs": view, "outputs": [bench.held, bench.sides, bench.tower, bench.difference]}
        both |= {"js": WITH_DARK} | IN_TURN
        asked.success(**both).then(None, js="() => crab.toSight('#said [role=alert], #pair')", **PRIVATE)
        gr.on([bench.one.input, bench.two.input], **FOLLOWED, **both)
        gr.on(
            [bench.tower.input, bench.by.input],
            self.on_view,
            view,
            bench.difference,
            js=WITH_DARK,
            **FOLLOWED,
            **AT_ONCE,
        )
        shown = [*components(sheet), *components(bench), *components(self.form), self.tabs]
        composed = [self.composer.last, dark]
        for opened in (
            gr.on(
                [button.click for button in bench.kept],
                self.on_open,
                [sheet.runs, dark],
                shown,
                js=WITH_DARK,
                **AT_ONCE,
            ),
            self.composer.open.click(self.on_open_composed, composed, shown, js=WITH_DARK, **AT_ONCE),
            bench.upload.upload(
                self.on_open_saved, [bench.upload, sheet.runs, sheet.folder, dark], shown, js=WITH_DARK, **PRIVATE
            ),
        ):
            named = opened.success(None, sheet.link, None, js="crab.nameLink", **PRIVATE)
            named.then(sheet.explored, sheet.result, sheet.strips, **AT_ONCE).then(
                self.on_explore, [sheet.result, dark], components(bench), js=WITH_DARK, **AT_ONCE
            )
            opened.success(None, js="() => crab.toSight('#whose')", **PRIVATE)

    def opened(self, run: Result, dark: bool, kept: str = "answered before") -> Updates:
        """A run of the visit as the one that is on screen: explored, changed, taken along as any."""
        shown = (
            self.sheet.cleared()
            | self.sheet.finished(run, dark, judged_example(self.examples, run), kept=kept)
            | self.bench.places(run)
        )
        link = {self.sheet.link: "", self.sheet.copy: gr.update(visible=False)}
        return shown | link | self.form.again(run) | {self.tabs: gr.update(selected="ask")}

    @sentences()
    def on_open(self, runs: list[Result], dark: bool, pressed: gr.EventData) -> Updates:
        return self.opened(one_of(runs, history.chosen(self.bench.kept, pressed, runs)), dark)

    @sentences()
    def on_open_composed(self, card: Any, dark: bool) -> Updates:
        return self.opened(still_here(card and card.result), dark)

    @sentences()
    def on_open_saved(self, file: str | None, runs: list[Result], folder: str | None, dark: bool) -> Updates:
        folder = history.folder_of(folder, self.sheet.file.GRADIO_CACHE)
        run = history.opened(file, folder)
        runs = keep(runs, run)
        history.tidy(folder, runs)
        known = {self.sheet.runs: runs, self.sheet.folder: folder, self.bench.upload: gr.update(value=None)}
        return self.opened(run, dark, "from a saved file") | self.bench.known(runs) | known

    @sentences()
    def on_explore(self, result: Result | None, dark: bool) -> Updates:
        return self.bench.explored(result, dark)

    @sentences()
    def on_window(self, result: Result | None, window: int, dark: bool) -> str:
        return explorer(still_here(result), self.bench.explorer, dark, window=window)

    def on_what(self, what: str) -> Updates:
        return {
            self.bench.heads: gr.update(visible=what in ("mute", "force")),
            self.bench.average: gr.update(visible=what == "average"),
        }

    def refused(self, card: str) -> Updates:
        return {self.bench.said: card} | self.bench.turn(busy=False)

    @stoppable
    @error_card(refused)
    def on_again(
        self,
        result: Result | None,
        runs: list[Result],
        what: What,
        heads: list[int],
        average: int | None,
        towers: list[str],
        layers: list[int],
        modules: list[str],
        kinds: list[str],
    ) -> Iterator[Updates]:
        bench = self.bench
        yield {bench.said: WAITING} | bench.turn(busy=True)
        asked = still_here(result)
        source, of = None, ""
        if what == "average":
            if average is None:
                raise CrabError("Choose the run whose average to take.")
            run = one_of(runs, average)
            source, of = run.routing, whose(run)
        change = Intervention(
            what,
            tuple(heads) if what in ("mute", "force") else (),
            source,
            tuple(towers) or None,
            tuple(layers) or None,
            tuple(modules) or None,
            partial(is_of, tuple(kinds)) if kinds else None,
            of,
        )
        how = {"stretch": asked.stretch, "over_time": asked.over_time}
        yield from self.answerer.waiting(bench.said)
        with closing(
            self.answerer.answers(asked.clip, asked.task, asked.question, asked.other, change, **how)
        ) as results:
            for latest in results:
                yield {bench.said: text.chips(latest.answer, colours=theme.answer_colours(latest.answer))}
        runs = keep(runs, latest)
        known, first = bench.known(runs), next((i for i, run in enumerate(runs) if run is result), 0)
        known[bench.one] |= {"value": names(runs)[first]}
        yield known | bench.turn(busy=False) | {self.sheet.runs: runs, bench.said: ""}

    @sentences()
    def on_pair(
        self, runs: list[Result], one: int | None, two: int | None, tower: str | None, by: str, dark: bool
    ) -> Updates:
        bench = self.bench
        if one is None or two is None or one == two:  # a run beside itself, as after a change that was refused
            return {bench.held: gr.update(visible=False)}
        first, second = one_of(runs, one), one_of(runs, two)
        differs, apart = self.answerer.compare(first, second), unlike(first, second)
        unscored = UNSCORED if first.model == self.answerer.about.name else ANOTHERS
        caveats = tuple(dict.fromkeys(run.caveat for run in (first, second) if run.caveat))
        sides = compare.pair(
            first.answer,
            second.answer,
            (f"Run {one + 1}", f"Run {two + 1}"),
            asked=(about(first), about(second)),
            pictures=(_boxes(first), _boxes(second)),
            duration=first.clip.duration,
            edits=edits(text.plain(first.answer), text.plain(second.answer)),
            apart=apart,
            facts=caveats if apart else (*caveats, *differs.facts, *([] if differs.shifts else [unscored])),
            shifts=differs.shifts,
        )
        ours, theirs = first.routing or {}, second.routing or {}
        towers = [(title, name) for name, title in TOWERS.items() if name in ours and name in theirs]
        tower = tower if tower in ours else "language"
        return {
            bench.held: gr.update(visible=True),
            bench.sides: sides,
            bench.tower: gr.update(choices=towers, value=tower),
            bench.difference: VIEWS[by](ours[tower], theirs[tower], dark=dark),
        }

    @sentences()
    def on_view(self, runs: list[Result], one: int, two: int, tower: str, by: str, dark: bool) -> Updates:
        first, second = (one_of(runs, number).routing or {} for number in (one, two))
        return {self.bench.difference: VIEWS[by](first[tower], second[tower], dark=dark)}


def _boxes(run: Result) -> str:
    return "" if run.frame is None else compare.boxes(run.frame, run.answer, None, run.masks_here, of=run.size)
