"""What a link brings: an example with its question, or a composed scene with its; both are asked at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr

from crab import CrabError, compose, shortened
from crab.page import links
from crab.page.composer import Composer
from crab.page.files import Example
from crab.page.form import Form, whole_second
from crab.page.links import ClipLink, SceneLink
from crab.page.parts import PRIVATE, QUIET, Updates, components, sentences
from crab.tasks import LONGEST_QUESTION, TASKS, check_question, task_named
from crab.windows import check_over_time, read_stretch


@dataclass(frozen=True)
class Following:
    page: gr.Blocks
    form: Form
    composer: Composer
    tabs: gr.Tabs
    examples: Sequence[Example]

    def wire(self) -> None:
        scene = [*self.composer.form_parts, self.composer.question, self.composer.own]
        outputs = [*components(self.form), *scene, self.tabs]
        self.page.load(self.on_open, None, outputs, **QUIET).success(None, js="crab.openLink", **PRIVATE)

    @sentences()
    def on_open(self, request: gr.Request) -> Updates:
        link = links.read(request.query_params)
        if isinstance(link, SceneLink):
            return self.composed(link)
        return self.example(link) if link else {self.tabs: gr.skip()}

    def composed(self, link: SceneLink) -> Updates:
        """A scene on the form of the second tab. Raises CrabError as checking the question does."""
        c = self.composer
        if link.own:
            check_question(TASKS["avqa"], link.own)
        choices, value = compose.choices(link.scene.scene(), link.question[:LONGEST_QUESTION])
        question = {c.question: gr.update(choices=choices, value=None if link.own else value), c.own: link.own}
        return c.filled(link.scene) | question | {self.tabs: gr.update(selected="compose")}

    def example(self, link: ClipLink) -> Updates:
        """An example on the form of the first tab. Raises CrabError where there is none, or it cannot be asked so."""
        example = next((example for example in self.examples if example.clip == link.clip), None)
        if example is None:
            raise CrabError(
                f"That example is no longer here: {shortened(link.clip)}. Choose one of those that are, or give a clip."
            )
        task = task_named(link.task)
        check_question(task, link.question)
        whole_second(link.second)
        if link.stretch:
            read_stretch(link.stretch)
        if link.masks_over_time:
            check_over_time(task)
        form, updates = self.form, self.form.filled(example, task, link.question)
        for field, value in (
            (form.second, link.second), (form.seconds, link.stretch), (form.over_time, link.masks_over_time)
        ):  # fmt: skip
            updates[field] |= {"value": value}
        return updates
