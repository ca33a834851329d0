"""The second tab, "Compose": a scene as rows of a form, how it looks, what to ask of it, the answer now and before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from crab import compose
from crab.page.parts import CLOSER, LONGEST, OPEN, Updates, segments, turn
from crab.scenes.world.script import BACKDROPS, DURATION
from crab.tasks import LONGEST_QUESTION

FIRST = 21  # the surprise that the tab opens with
EMPTY = "<p class='empty'>The answer appears here beside the truth. Then change one thing, ask again, and compare.</p>"


@dataclass(frozen=True)
class ActorRow:
    """The components of one `crab.compose.Row`, and what stands around them."""

    actor: gr.Dropdown
    place: gr.Slider
    size: gr.Slider
    seen: gr.Textbox
    heard: gr.Textbox
    look: gr.Number
    doing: gr.Row  # hidden where nobody is chosen
    dice: gr.Button

    @property
    def cells(self) -> list[Any]:
        """In the order of the fields of `Row`."""
        return [self.actor, self.place, self.size, self.seen, self.heard, self.look]

    @property
    def edits(self) -> list[Any]:
        """The events after which the scene is another."""
        typed = [event for box in (self.seen, self.heard, self.look) for event in (box.blur, box.submit)]
        return [self.actor.input, self.place.release, self.size.release, *typed]


@dataclass(frozen=True)
class Composer:
    backdrop: gr.Radio
    seed: gr.Number
    dice: gr.Button
    rows: list[ActorRow]
    problem: gr.HTML
    render: gr.Button
    surprise: gr.Button
    lucky: gr.Number  # out of sight: the number drawn for a surprise
    still: gr.Image
    second: gr.Slider
    film: gr.Video
    question: gr.Dropdown
    own: gr.Textbox
    ask: gr.Button
    stop: gr.Button
    go: gr.Button  # out of sight: `crab.go` presses it
    pressed: gr.Textbox  # what `crab.go` is told
    line: gr.HTML  # where the visitor stands in the line, see crab.page.line
    now: gr.HTML
    facts: gr.HTML
    copy: gr.Button
    open: gr.Button  # the answer among the runs of the first tab
    earlier: gr.Column
    before: gr.HTML
    closer: gr.Column
    explorer: gr.HTML
    filmed: gr.State  # (scene, path) of the film on screen
    last: gr.State  # what is on the card "Now", a `Card` of crab.page.composing
    link: gr.Textbox  # as on the answer sheet
    dark: gr.Checkbox

    @property
    def inputs(self) -> list[Any]:
        """As `crab.compose.Form.of` takes their values."""
        return [self.backdrop, self.seed, *(cell for row in self.rows for cell in row.cells)]

    def filled(self, form: compose.Form) -> Updates:
        """What is on the form, row by row."""
        return dict(zip(self.inputs, form.values)) | self.shown(form)

    def shown(self, form: compose.Form) -> Updates:
        """Only rows with an actor show what it does."""
        return {row.doing: gr.update(visible=bool(of.actor)) for row, of in zip(self.rows, form.rows)}

    def turn(self, *, busy: bool) -> Updates:
        return turn(self.ask, self.stop, busy=busy)

    @property
    def form_parts(self) -> list[Any]:
        """All components that `filled` updates."""
        return [*self.inputs, *(row.doing for row in self.rows)]


def lay_out(note: str) -> Composer:
    """`note`: who answers, as HTML."""
    form = compose.surprise(FIRST)
    with gr.Column(elem_classes="card", elem_id="scene"):
        gr.HTML(
            "<p class='key'>Put a scene together, so that what is true of it is known: the answer then stands beside the "
            "truth. Change one thing, ask again, and see what the answer hangs on.</p>"
        )
        with gr.Row(elem_classes="backdrop"):
            backdrops = [(name.capitalize(), name) for name in BACKDROPS]
            backdrop = segments(backdrops, "Backdrop", value=form.backdrop, scale=6)
            seed, dice = _dice("Its look", form.seed)
        rows = [_actor_row(number, row) for number, row in enumerate(form.rows, 1)]
        problem = gr.HTML(visible=False, elem_id="scene-problem")
        with gr.Row(elem_classes="actions"):
            render = gr.Button("Render", elem_id="render", scale=0, min_width=185)
            surprise = gr.Button("Surprise me", elem_id="surprise", scale=0, min_width=185)
    with gr.Row(elem_classes="columns"):
        with gr.Column(scale=5, min_width=300):
            still = gr.Image(
                label="How it looks",
                interactive=False,
                format="png",
                buttons=["fullscreen"],
                elem_id="still",
                alt_text="The scene at the second chosen below",
            )
            second = gr.Slider(0, DURATION - 1, 2, step=1, label="At second", buttons=[], elem_id="second")
            film = gr.Video(label="The clip", interactive=False, visible=False, elem_id="film", elem_classes="plays")
        with gr.Column(scale=7, min_width=300):
            gr.HTML(note, elem_classes="model")
            parts = _question(form) | _cards()
    with gr.Column(elem_classes="card closer", visible=False) as closer:
        gr.HTML(CLOSER)
        explorer = gr.HTML(label="Router weights")
    return Composer(
        backdrop, seed, dice, rows, problem, render, surprise, gr.Number(visible=False), still, second, film, **parts,
        closer=closer, explorer=explorer, filmed=gr.State(time_to_live=OPEN), last=gr.State(time_to_live=OPEN),
        link=gr.Textbox(visible=False), dark=gr.Checkbox(visible=False),
    )  # fmt: skip


def _dice(label: str, value: int, **more: Any) -> tuple[gr.Number, gr.Button]:
    """A whole number, and a button that draws another."""
    with gr.Row(elem_classes="dice"):
        number = gr.Number(value, label=label, precision=0, minimum=0, min_width=60, scale=2, **more)
        button = gr.Button("⚄", min_width=36, scale=0, elem_classes="die")
    return number, button


def _actor_row(number: int, row: compose.Row) -> ActorRow:
    typed: dict[str, Any] = {"placeholder": "never", "lines": 1, "min_width": 100, "max_length": LONGEST["stretch"]}
    slid: dict[str, Any] = {"step": 1, "buttons": [], "min_width": 120}
    with gr.Row(elem_classes="actor", elem_id=f"actor-{number}"):
        cast = [("Nobody", ""), *compose.names()]
        actor = gr.Dropdown(cast, value=row.actor, label=f"Actor {number}", min_width=150, scale=3)
        with gr.Row(visible=bool(row.actor), elem_classes="doing") as doing:
            place = gr.Slider(0, 100, row.place, label="← Place →", **slid)
            size = gr.Slider(compose.SMALLEST, compose.LARGEST, row.size, label="Size", **slid)
            seen = gr.Textbox(row.seen, label="◎ Seen, seconds", **typed)
            heard = gr.Textbox(row.heard, label="♪ Heard, seconds", **typed)
            look, dice = _dice("Look", row.look)
    return ActorRow(actor, place, size, seen, heard, look, doing, dice)


def _question(form: compose.Form) -> dict[str, Any]:
    """What to ask of a scene, by the fields of `Composer`."""
    choices, value = compose.choices(form.scene(), "")
    question = gr.Dropdown(choices, value=value, label="A question with a clear answer", elem_id="asked")
    own = gr.Textbox(
        label="Or one of your own",
        placeholder="Its truth is then not known here",
        lines=1,
        elem_id="own",
        max_length=LONGEST_QUESTION,
    )
    with gr.Row(elem_classes="actions"):
        ask = gr.Button("Ask", variant="primary", scale=3, elem_id="compose-ask")
        stop = gr.Button("Stop", scale=1, min_width=90, interactive=False, elem_id="compose-stop")
        go = gr.Button(visible="hidden", elem_id="compose-go")
    pressed = gr.Textbox(visible=False)
    return {"question": question, "own": own, "ask": ask, "stop": stop, "go": go, "pressed": pressed}


def _cards() -> dict[str, Any]:
    """The answer and the one before, by the fields of `Composer`."""
    with gr.Column(elem_classes="card", elem_id="now"):
        gr.HTML("<h2>Now</h2>")
        line = gr.HTML(visible=False, elem_classes="line")
        now = gr.HTML(EMPTY, label="Answer beside the truth")
        facts = gr.HTML(elem_classes="compared", label="Who answered, in what time")
        with gr.Row():
            copy = gr.Button("Copy link", size="sm", visible=False)
            opened = gr.Button("Change its routing, take it along", size="sm", visible=False, elem_id="open-composed")
    with gr.Column(elem_classes="card", elem_id="before", visible=False) as earlier:
        gr.HTML("<h2>Before</h2>")
        before = gr.HTML(label="The answer before")
    cards = {"line": line, "now": now, "facts": facts, "copy": copy, "open": opened}
    return cards | {"earlier": earlier, "before": before}
