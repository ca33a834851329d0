"""The third tab, "Atlas": tasks beside each other, as many scenes show them, and the visitor's own runs among them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Literal

import gradio as gr

from crab.page.answering import Answerer
from crab.page.form import WORDS, Asked, Form, opened
from crab.page.line import ask_in_turn
from crab.page.parts import (
    ASSETS,
    AT_ONCE,
    FOLLOWED,
    OPEN,
    WAITING,
    WITH_DARK,
    Updates,
    card,
    figure,
    segments,
    sentences,
    stoppable,
    turn,
)
from crab.page.runs import keep, names
from crab.page.sheet import Sheet
from crab.page.workbench import Workbench
from crab.result import Result
from crab.routing import atlas as atlases
from crab.routing import claims, effects, separation
from crab.tasks import FAMILIES, TASKS, check_question
from visualize import evidence, text, theme, transfer
from visualize.trace import TOWERS


@dataclass(frozen=True)
class Shipped:
    """What ships of the atlas, read once: many runs' signatures, whether they lie apart, and what muting heads does."""

    atlas: atlases.Atlas
    separations: tuple[str, ...]
    verdicts: tuple[str, ...]  # what survives the controls, by family and by dataset
    damage: effects.DamageTable | None
    claims: tuple[claims.Outcome, ...]


def shipped() -> Shipped | None:
    path, damage = ASSETS / "atlas.npz", ASSETS / "damage.json"
    if not path.exists():
        return None
    atlas = atlases.load(path)
    return Shipped(
        atlas,
        tuple(str(atlases.separation(atlas, by=by)) for by in ("family", "dataset")),
        tuple(separation.verdict(atlas.controls, by) for by in ("family", "dataset")),
        effects.damage_table(effects.load(damage)) if damage.exists() else None,
        claims.read_outcomes(ASSETS / "claims.json"),
    )


@dataclass(frozen=True)
class AtlasSheet:
    by: gr.Radio
    looked: gr.State  # the task whose signature is looked for
    controls: gr.HTML
    signatures: gr.Plot
    similarity: gr.Plot
    points: gr.Plot
    damage: gr.Plot
    ask: gr.Button
    stop: gr.Button
    line: gr.HTML  # where the visitor stands in the line, see crab.page.line
    answers: gr.HTML

    def turn(self, *, busy: bool) -> Updates:
        return turn(self.ask, self.stop, busy=busy)

    @property
    def figures(self) -> list[Any]:
        return [self.controls, self.signatures, self.similarity, self.points, self.damage]


def lay_out(found: Shipped | None) -> AtlasSheet:
    there = found is not None
    with gr.Column(elem_classes="card", elem_id="atlas"):
        gr.HTML(f"<h2>How tasks share and part ways</h2>{_words(found)}")
        groups = [("Nineteen datasets", "dataset"), ("Seven families", "family")]
        by = segments(groups, "Runs grouped by", value="dataset", visible=there)
        looked = gr.State("", time_to_live=OPEN)
        controls = gr.HTML(visible=there)
        signatures = figure("Mean routing of each task", shown=there)
        similarity = figure("Which tasks route alike", shown=there)
        points = figure("Every run as a point", shown=there)
        damage = figure("What each family loses without a head", shown=found is not None and found.damage is not None)
        if found:
            gr.HTML(evidence.usage(found.atlas.usage, names=TOWERS))
            gr.HTML(evidence.claims(found.claims), visible=bool(found.claims))
    with gr.Column(elem_classes="card", elem_id="every"):
        gr.HTML(
            "<h2>Your clip, asked by every family</h2><p class='key'>Takes the clip of the first tab. Each run "
            "joins the points above, ringed.</p>"
        )
        with gr.Row(elem_classes="actions"):
            ask = gr.Button("Ask in every family", variant="primary", scale=3, elem_id="ask-every")
            stop = gr.Button("Stop", scale=1, min_width=90, interactive=False, elem_id="stop-every")
        line = gr.HTML(visible=False, elem_classes="line")
        answers = gr.HTML(elem_id="answers")
    return AtlasSheet(by, looked, controls, signatures, similarity, points, damage, ask, stop, line, answers)


def _words(found: Shipped | None) -> str:
    if found is None:
        return (
            "<p class='key'>No atlas came with this model. Make one with <code>python -m crab atlas --data DIR "
            "--out assets/atlas.npz --damage assets/damage.json</code>.</p>"
        )
    told = "".join(f"<li>{escape(sentence)}</li>" for sentence in (*found.verdicts, *found.separations) if sentence)
    runs, scenes = len(found.atlas.datasets), len(set(found.atlas.scenes))
    return (
        "<p class='key'>A signature is a run’s mean router weight by layer and head, over the answer’s tokens. "
        f"Here are {runs} runs of {escape(found.atlas.model)} about {scenes} drawn scenes. Weights alone explain "
        f"nothing; the tables of changes and claims, where heads were muted, are about cause.</p><ul class='notes'>{told}</ul>"
        f"<details class='key'><summary>What the nineteen datasets are called</summary><dl class='codes'>{_codes()}</dl></details>"
    )


def _codes() -> str:
    return "".join(
        f"<dt>{task.name}</dt><dd>{escape(task.title)} ({FAMILIES[task.family].title})</dd>" for task in TASKS.values()
    )


def _said(change: str) -> str:
    """What was changed, short, its part of the model by the name that people know: "head 1 muted: sound encoder"."""
    what, where, place = change.partition(" in ")
    layers, _, tower = place.rpartition(" of ")
    if layers:
        first, *_, last = [*re.findall(r"\d+", layers)] * 2
        return f"{what}: layer{f's {first}–{last}' if first != last else f' {first}'}"
    return f"{what}: {TOWERS[tower].lower()}" if where and tower in TOWERS else change


@dataclass(frozen=True)
class Mapping:
    """What the tab does."""

    page: gr.Blocks
    sheet: AtlasSheet
    tab: gr.Tab
    found: Shipped | None
    form: Form
    answers: Sheet
    bench: Workbench
    answerer: Answerer

    @property
    def drawing(self) -> dict[str, Any]:
        """The event that draws the tab."""
        inputs = [self.answers.runs, self.sheet.by, self.sheet.looked, self.form.dark]
        return {"fn": self.on_atlas, "inputs": inputs, "outputs": self.sheet.figures, "js": WITH_DARK} | AT_ONCE

    def wire(self) -> None:
        sheet, runs, draw = self.sheet, self.answers.runs, self.drawing
        self.tab.select(**draw)
        sheet.by.input(**FOLLOWED, **draw)
        every = ask_in_turn(
            self.page, self.answerer.pace, sheet.ask, sheet.stop, sheet.answers, sheet.line,
            fn=self.on_every,
            inputs=[runs, *self.form.inputs],
            outputs=[sheet.ask, sheet.stop, sheet.answers, runs, *self.bench.listed],
            js=WITH_DARK,
        )  # fmt: skip
        every.then(**draw)

    def on_atlas(self, runs: list[Result], by: Literal["dataset", "family"], looked: str, dark: bool) -> Updates:
        sheet, found = self.sheet, self.found
        if found is None:
            return {sheet.points: gr.skip()}
        atlas, plane = found.atlas, atlases.project(found.atlas)
        means, alike = atlases.means(atlas, by=by), atlases.similarity(atlas, by=by)
        mean, low, high, _ = zip(*means.values())
        families = [TASKS[name].family if by == "dataset" else name for name in alike.names]
        own = [
            (*plane.place(sign).tolist(), name)
            for run, name in zip(runs, names(runs))
            if run.routing and (sign := atlases.signature(run.routing)).sites == plane.sites
        ]
        labels = [f"{name}, {scene}" for name, scene in zip(atlas.datasets, atlas.scenes)]
        updates: Updates = {
            sheet.controls: evidence.controls(atlas.controls, by=by, tokens=separation.TOKENS),
            sheet.signatures: transfer.signatures(
                mean, list(means), low=low, high=high, layers=atlas.layers, looked=looked, dark=dark
            ),
            sheet.similarity: transfer.similarity(
                alike.matrix, alike.names, families=families, limits=(-1, 1), measure="cosine", dark=dark
            ),
            sheet.points: transfer.projection(
                plane.points, atlas.families, labels, own=own, explained=tuple(plane.explained), dark=dark
            ),
        }
        if found.damage:
            t = found.damage
            updates[sheet.damage] = transfer.damage(
                t.values, list(map(_said, t.rows)), t.families, low=t.low, high=t.high, counts=t.counts, dark=dark
            )
        return updates

    @stoppable
    def on_every(self, runs: list[Result], *values: Any) -> Iterator[Updates]:
        answers: list[str] = []  # as HTML; an error stands after those there are
        yield {self.sheet.answers: WAITING} | self.sheet.turn(busy=True)
        try:
            with sentences():
                yield from self._in_every_family(runs, Asked.of(values), answers)
        except gr.Error as error:
            answers.append(card(error))
        yield {self.sheet.answers: "".join(answers)} | self.sheet.turn(busy=False)

    def _in_every_family(self, runs: list[Result], asked: Asked, answers: list[str]) -> Iterator[Updates]:
        if asked.question:
            check_question(asked.task, asked.question)
        yield from self.answerer.waiting(self.sheet.answers)
        for name, family in FAMILIES.items():
            task = TASKS[family.default]
            heading = f"<h3>{escape(family.title)}</h3>"
            taught = self.answerer.about.taught.questions.get(task.name, ())
            typed = asked.question if asked.family == name else ""
            question = (typed or next(iter(taught), WORDS[task.needs][1])) if task.needs else ""
            heading += f"<p class='key'>Asked: {escape(question)}</p>" if question else ""
            if task.grammar == "match":
                answers.append(f"<p><b>{escape(family.title)}</b> needs two clips: ask it in the first tab.</p>")
                continue
            clip, other = opened(replace(asked, family=name, wordings={name: family.default}))
            with closing(self.answerer.answers(clip, task, question, other)) as results:
                for result in results:
                    colours = theme.answer_colours(result.answer)
                    said = text.chips(result.answer, colours=colours, confidence=result.confidence)
                    yield {self.sheet.answers: "".join([*answers, heading, said])}
            answers.append(f"{heading}{said}")
            runs = keep(runs, result)
            yield {self.answers.runs: runs} | self.bench.known(runs)
