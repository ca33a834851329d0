"""The fourth tab, "Transfer": whether tasks that are learned together help or hurt each other, as the laboratory found.

It stands where results ship: `python -m crab transfer` writes them, `crab.routing.lab` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from crab.page.atlas import AtlasSheet, Mapping
from crab.page.parts import ASSETS, AT_ONCE, FOLLOWED, WITH_DARK, Updates, figure, segments
from crab.routing import lab
from crab.tasks import TASKS
from visualize import laboratory, transfer

RESULTS = ASSETS / "transfer.json"


def shipped() -> lab.Results | None:
    return lab.load(RESULTS) if RESULTS.exists() else None


@dataclass(frozen=True)
class TransferSheet:
    budget: gr.Radio
    arm: gr.Radio
    shares: gr.HTML
    changes: gr.Plot
    task: gr.Radio
    crossings: gr.Plot
    cosines: gr.Plot
    costs: gr.HTML

    @property
    def figures(self) -> list[Any]:
        return [self.shares, self.changes, self.crossings, self.cosines, self.costs]


def lay_out(found: lab.Results) -> TransferSheet:
    arms = [(found.words.get(arm, arm), arm) for arm in found.arms if arm != lab.ALONE]
    with gr.Column(elem_classes="card", elem_id="transfer"):
        gr.HTML(f"<h2>Does learning together help?</h2>{_words(found)}")
        budget = segments([(words, name) for name, words in lab.BUDGETS.items()], "Each run", value="until")
        arm = segments(arms, "Held against one adapter for each task", value=arms[-1][1])
        shares = gr.HTML()
        changes = figure("Each task's change")
        task = segments([(name, name) for name in found.tasks], "Look at a task's routing in the Atlas")
        gr.HTML("<h3>What an adapter of one task can do on others</h3>")
        crossed = figure("One task's adapter on others")
        gr.HTML("<h3>Which tasks pull the same way</h3>")
        cosines = figure("Cosines of the tasks' gradients")
        costs = gr.HTML()
    return TransferSheet(budget, arm, shares, changes, task, crossed, cosines, costs)


def _words(found: lab.Results) -> str:
    size = ", ".join(f"{name} {value}" for name, value in found.size.items() if isinstance(value, int))
    failed = "".join(f"<li>{escape(f'{one.arm} {one.on} failed: {one.error}')}</li>" for one in found.failed)
    return (
        "<p class='key'>The paper reports that training tasks together by ordinary means makes most of them worse, and "
        f"that I-LoRA makes them better. Here {escape(found.model)}’s frozen base learned {len(found.tasks)} tasks about "
        "drawn scenes, each alone and all together, with equally many weights, and was asked about scenes that nothing "
        f"was trained on ({size}). {found.cut_short} What came out is below, whatever it is.</p>"
        f"<ul class='notes'>{failed}</ul>"
    )


@dataclass(frozen=True)
class Telling:
    """What the tab does."""

    sheet: TransferSheet
    tab: gr.Tab
    tabs: gr.Tabs
    found: lab.Results
    atlas: AtlasSheet
    mapping: Mapping

    def wire(self) -> None:
        sheet = self.sheet
        draw: dict[str, Any] = {
            "fn": self.on_transfer,
            "inputs": [sheet.budget, sheet.arm, self.mapping.form.dark],
            "outputs": sheet.figures,
            "js": WITH_DARK,
        } | AT_ONCE
        self.tab.select(**draw)
        sheet.budget.input(**FOLLOWED, **draw)
        sheet.arm.input(**FOLLOWED, **draw)
        looked = sheet.task.input(
            self.on_task, sheet.task, [self.tabs, self.atlas.by, self.atlas.looked], **FOLLOWED, **AT_ONCE
        )
        looked.then(**self.mapping.drawing)

    def on_transfer(self, budget: lab.Budget, arm: str, dark: bool) -> Updates:
        sheet, found = self.sheet, self.found
        compared = lab.compare(found, arm, budget)
        mean, low, high = lab.crossed(found, budget)
        return {
            sheet.shares: f"<p>{escape(str(compared.shares))}.</p>" if compared else "",
            sheet.changes: laboratory.changes(*lab.changed(compared), dark=dark),
            sheet.crossings: laboratory.crossings(mean, found.tasks, low=low, high=high, dark=dark),
            sheet.cosines: self._cosines(arm, dark),
            sheet.costs: laboratory.costs(lab.costs(found, budget), found.words, budget=lab.BUDGETS[budget]),
        }

    def _cosines(self, arm: str, dark: bool) -> Any:
        of = [one for one in self.found.cosines if one.arm == arm]
        if not of:
            return transfer.similarity(np.empty((0, 0)), (), dark=dark)
        last = max(of, key=lambda one: (one.rounds, one.seed))
        return transfer.similarity(
            np.array(last.values), last.tasks, families=[TASKS[task].family for task in last.tasks], limits=(-1, 1),
            measure="cosine", dark=dark,
            note=f"After {last.rounds} rounds, seed {last.seed}. On the diagonal a task's two halves: noise lets none be higher.",
        )  # fmt: skip

    def on_task(self, task: str) -> Updates:
        return {self.tabs: gr.update(selected="atlas"), self.atlas.by: "dataset", self.atlas.looked: task}
