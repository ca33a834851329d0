"""Under form and answer: look closer at the router weights, ask again with others, hold two runs side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from crab import CrabError
from crab.ask import Result
from crab.ilora import Intervention
from crab.ilora.trace import What
from crab.page.answering import Answerer
from crab.page.files import explorer
from crab.page.parts import (
    AT_ONCE,
    CLOSER,
    IN_TURN,
    PRIVATE,
    WAITING,
    WITH_DARK,
    Updates,
    error_card,
    figure,
    segments,
    sentences,
)
from crab.page.runs import keep, names, one_of, still_here
from crab.page.sheet import Sheet
from crab.prompt import is_of
from visualize import compare, difference, text, theme
from visualize.trace import MODALITIES, TOWERS

CHANGES = [
    ("Mute heads", "mute"),
    ("Force one head", "force"),
    ("All heads alike", "uniform"),
    ("Freeze to another run’s average", "average"),
]
VIEWS = {"group": difference.by_group, "module": difference.by_module}


@dataclass(frozen=True)
class Workbench:
    closer: gr.Column  # the explorer's card
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
    said: gr.HTML
    pair: gr.Column  # the card of two runs
    one: gr.Dropdown
    two: gr.Dropdown
    sides: gr.HTML
    tower: gr.Radio
    by: gr.Radio
    difference: gr.Plot

    def cleared(self) -> Updates:
        """Before a new answer: what speaks of the last one is not shown."""
        return {self.closer: gr.update(visible=False), self.change: gr.update(visible=False)}

    def explored(self, result: Result | None, dark: bool) -> Updates:
        """The explorer with a result's router weights, if there are any."""
        if result is None or not result.routing:
            return {self.closer: gr.skip()}
        return {self.closer: gr.update(visible=True), self.explorer: explorer(result, self.explorer, dark)}

    def known(self, runs: list[Result]) -> Updates:
        """The runs of the visit, as those whose average can be taken."""
        return {self.average: gr.update(choices=names(runs), value=None)}

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
        again = gr.Button("Ask again, changed", variant="primary", elem_id="again")
        said = gr.HTML(elem_id="said")
    with gr.Column(visible=False, elem_classes="card", elem_id="pair") as pair:
        gr.HTML("<h2>Two runs side by side</h2>")
        with gr.Row():
            one, two = (
                gr.Dropdown(label=label, type="index", elem_id=name)
                for name, label in (("one", "First"), ("two", "Second"))
            )
        sides = gr.HTML(elem_id="sides")
        tower = segments([], "Second minus first, in this part of the model")
        by = segments([("By kind of token", "group"), ("By module", "module")], "Laid out", value="group")
        drawn = figure("Difference of mean router weights")
    return Workbench(
        closer, explorer, change, what, heads, average, **places, again=again, said=said, pair=pair, one=one, two=two,
        sides=sides, tower=tower, by=by, difference=drawn,
    )  # fmt: skip


@dataclass(frozen=True)
class Working:
    """What the workbench does."""

    bench: Workbench
    sheet: Sheet
    dark: gr.Checkbox  # told by the browser
    answerer: Answerer

    def wire(self) -> None:
        bench, sheet = self.bench, self.sheet
        bench.what.input(self.on_what, bench.what, [bench.heads, bench.average], **AT_ONCE)
        places = [bench.towers, bench.layers, bench.modules, bench.kinds]
        asked = bench.again.click(
            self.on_again,
            [sheet.result, sheet.runs, bench.what, bench.heads, bench.average, *places],
            [bench.again, bench.said, sheet.runs, bench.average, bench.pair, bench.one, bench.two],
            **IN_TURN,
        )
        asked.failure(None, None, bench.again, js="crab.freeOne", **PRIVATE)
        view = [sheet.runs, bench.one, bench.two, bench.tower, bench.by, self.dark]
        both = {"fn": self.on_pair, "inputs": view, "outputs": [bench.sides, bench.tower, bench.difference]}
        both |= {"js": WITH_DARK} | IN_TURN
        asked.success(**both)
        gr.on([bench.one.input, bench.two.input], **both)
        gr.on([bench.tower.input, bench.by.input], self.on_view, view, bench.difference, js=WITH_DARK, **AT_ONCE)

    def on_what(self, what: str) -> Updates:
        return {
            self.bench.heads: gr.update(visible=what in ("mute", "force")),
            self.bench.average: gr.update(visible=what == "average"),
        }

    def refused(self, card: str) -> Updates:
        return {self.bench.again: gr.update(interactive=True), self.bench.said: card}

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
        yield {bench.again: gr.update(interactive=False), bench.said: WAITING}
        asked = still_here(result)
        source = None
        if what == "average":
            if average is None:
                raise CrabError("Choose the run whose average to take.")
            source = one_of(runs, average).routing
        change = Intervention(
            what,
            tuple(heads) if what in ("mute", "force") else (),
            source,
            tuple(towers) or None,
            tuple(layers) or None,
            tuple(modules) or None,
            partial(is_of, tuple(kinds)) if kinds else None,
        )
        with closing(self.answerer.answers(asked.clip, asked.task, asked.question, asked.other, change)) as results:
            for latest in results:
                yield {bench.said: text.chips(latest.answer, colours=theme.answer_colours(latest.answer))}
        runs = keep(runs, latest)
        choices = names(runs)
        first = next((i for i, run in enumerate(runs) if run is result), 0)
        yield bench.known(runs) | {
            self.sheet.runs: runs,
            bench.again: gr.update(interactive=True),
            bench.said: "",
            bench.pair: gr.update(visible=True),
            bench.one: gr.update(choices=choices, value=choices[first]),
            bench.two: gr.update(choices=choices, value=choices[-1]),
        }

    @sentences()
    def on_pair(
        self, runs: list[Result], one: int | None, two: int | None, tower: str | None, by: str, dark: bool
    ) -> Updates:
        bench = self.bench
        if one is None or two is None:
            return {bench.sides: gr.skip()}
        first, second = one_of(runs, one), one_of(runs, two)
        differs = self.answerer.compare(first, second)
        sides = compare.pair(
            first.answer,
            second.answer,
            (names(runs)[one], names(runs)[two]),
            pictures=(_boxes(first), _boxes(second)),
            duration=first.clip.duration,
            edits=differs.words,
            facts=differs.facts,
            shifts=differs.shifts,
        )
        ours, theirs = first.routing or {}, second.routing or {}
        towers = [(title, name) for name, title in TOWERS.items() if name in ours and name in theirs]
        tower = tower if tower in ours else "language"
        return {
            bench.sides: sides,
            bench.tower: gr.update(choices=towers, value=tower),
            bench.difference: VIEWS[by](ours[tower], theirs[tower], dark=dark),
        }

    @sentences()
    def on_view(self, runs: list[Result], one: int, two: int, tower: str, by: str, dark: bool) -> Updates:
        first, second = (one_of(runs, number).routing or {} for number in (one, two))
        return {self.bench.difference: VIEWS[by](first[tower], second[tower], dark=dark)}


def _boxes(run: Result) -> str:
    return "" if run.frame is None else compare.boxes(run.frame, run.answer, None, run.masks, of=run.size)
