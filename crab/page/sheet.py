"""The right column of the first tab: words, bars, picture, who writes, downloads; and the answers of a visit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from crab import CrabError, candidates, reference
from crab.answer import Answer
from crab.page.files import pictured, saved
from crab.page.history import forget
from crab.page.parts import OPEN, WAITING, Updates, facts, heading, progress
from crab.result import Result
from crab.truth import Verdict, against
from visualize import agreement, compare, stage, text, theme, timeline
from visualize.live import live

CHOSEN = {"ask": "Ask about it", "hear": "Play it alone", "closer": "Look closer"}
TAKEN = ("csv", "html", "svg", "pdf")  # as `crab.page.files.taken` writes them
EVERYTHING = "Everything (zip)"
EMPTY = """<div class='empty'>The answer appears here as it is written, with bars over the clip’s seconds, the thing
that sounds marked on its picture, and the router weights behind every word.</div>"""


@dataclass(frozen=True)
class Sheet:
    line: gr.HTML  # where the visitor stands in the line, see crab.page.line
    whose: gr.HTML  # which clip and question the rest is about
    stale: gr.HTML  # said while the form shows another clip
    words: gr.HTML
    facts: gr.HTML
    eight: gr.Button  # samples other answers, see crab.candidates
    stop_eight: gr.Button
    agreed: gr.HTML  # what these say
    drawn: gr.State  # a Result and the same with its candidates, on its way here
    truth: gr.HTML  # of an example, whose scene is known, or by a file that a visitor gives
    against: gr.Accordion
    reference: gr.File  # that file, see crab.reference
    when: gr.Column
    player: gr.HTML
    over: gr.HTML  # the player's picture
    strips: gr.HTML
    timeline: gr.Plot
    chosen: dict[str, gr.Button]  # what to do with a stretch that was chosen in the bars, by CHOSEN
    stretch: gr.Textbox  # out of sight: which, told by the browser
    where: gr.Column
    picture: gr.Image
    writing: gr.Column
    live: gr.HTML
    downloads: gr.Row
    json: gr.DownloadButton
    npz: gr.DownloadButton
    formats: dict[str, gr.Button]  # by TAKEN
    save: gr.Button  # the run as one file, see crab.saved
    everything: gr.Button  # says how far it is while it is made
    file: gr.DownloadButton  # out of sight: `crab.fetchFile` presses it
    copy: gr.Button
    link: gr.Textbox  # what to put after the page's address to come back here; "" if there is none
    result: gr.State  # the Result on screen, for this session alone
    runs: gr.State  # the Results there have been, as `crab.page.runs.keep` says
    folder: gr.State  # where this visitor's saved and opened runs lie, see crab.page.history; gone with the visit

    def cleared(self) -> Updates:
        """Before a new answer: nothing of the last one stays."""
        hidden = (
            self.whose,
            self.facts,
            self.eight,
            self.stop_eight,
            self.agreed,
            self.truth,
            self.against,
            self.when,
            self.where,
            self.writing,
            self.downloads,
        )
        gone: Updates = {part: gr.update(visible=False) for part in hidden}
        gone |= dict.fromkeys((self.strips, self.over), "") | {self.timeline: gr.update(visible=False)}
        return gone | {self.stale: "", self.result: None, self.words: WAITING}

    def growing(self, result: Result, before: Result | None, dark: bool) -> Updates:
        """Words and live weights of a result always, figures only where `before` had others."""
        answer = result.answer
        words = said(result) if result.text else WAITING
        updates: Updates = {self.result: result, self.words: progress(result) + words}
        if before is None:
            updates[self.whose] = gr.update(value=heading(result), visible=True)
            updates |= self.stage(result)
        if result.routing:
            updates |= {self.writing: gr.update(visible=True), self.live: live(result.routing["language"])}
        if (answer.events or result.masks) and (before is None or _lanes(before) != _lanes(result)):
            updates |= self.bars(result, dark)
        if before is None or _marks(before) != _marks(result):
            updates[self.over] = stage.over(result, colours=theme.answer_colours(answer))
        if result.frame is not None and (before is None or _marks(before) != _marks(result)):
            updates |= {self.where: gr.update(visible=True), self.picture: pictured(result, self.picture.GRADIO_CACHE)}
        return updates

    def finished(
        self, result: Result, dark: bool, truth: tuple[Answer | None, Verdict] | None, *, kept: str = ""
    ) -> Updates:
        """Once no more will come: all of `growing` (a browser may have skipped some), and the rest.

        `truth`, where that is known, and the verdict; `kept`: where the answer is from, if it is not new.
        """
        answer, weights = saved(result, self.json.GRADIO_CACHE)
        updates = self.growing(result, None, dark) | {
            self.words: said(result),
            self.facts: gr.update(value=facts(result, kept=kept), visible=True),
            self.downloads: gr.update(visible=True),
            self.json: gr.update(value=answer),
            self.npz: gr.update(value=weights, visible=weights is not None),
        }
        updates |= self.candidates(result)
        updates |= {self.against: gr.update(visible=True), self.reference: gr.update(value=None)}
        if truth:
            updates |= self.known(result, truth)
        if result.task.grammar == "events" and not result.answer.events:  # a figure that says so
            updates |= self.bars(result, dark)
        return updates

    def candidates(self, result: Result) -> Updates:
        """What sampled answers say, or the button that samples them where that is possible."""
        why = candidates.lacking(result.clip, result.task, stretch=result.stretch, over_time=result.over_time)
        may = result.done and result.intervention is None and result.candidates is None and not why
        shown = agreement.panel(result, told=candidates.told, sure=candidates.sure)
        return {
            self.eight: gr.update(visible=may, interactive=True),
            self.stop_eight: gr.update(visible=may, interactive=False),
            self.agreed: gr.update(value=shown, visible=bool(shown)),
        }

    def sampled(self, result: Result) -> Updates:
        """Once the candidates of the answer on screen have come."""
        answer, _ = saved(result, self.json.GRADIO_CACHE)
        return self.candidates(result) | {self.result: result, self.json: gr.update(value=answer)}

    def known(self, result: Result, truth: tuple[Answer | None, Verdict] | None) -> Updates:
        """What is true, where that is known without a visitor's help."""
        if truth is None:
            return self.pointed(result, None) | {self.truth: gr.update(visible=False)}
        told = compare.truth(result.answer, *truth, result.clip.duration)
        return self.pointed(result, truth[0]) | {self.truth: gr.update(value=told, visible=True)}

    def held(self, result: Result, file: Path) -> Updates:
        """What is true by a visitor's file. Raises CrabError as reading and comparing do."""
        found = against(result.answer, result.masks, reference.read(file, result), result.task.grammar)
        told = compare.truth(
            found.said,
            found.meant,
            found.verdict,
            result.clip.duration,
            source=file.name,
            overlaps=found.overlaps,
            facts=found.facts,
        )
        return self.pointed(result, found.meant) | {self.truth: gr.update(value=told, visible=True)}

    def pointed(self, result: Result, truth: Answer | None) -> Updates:
        """The picture with the true boxes, where there are any."""
        if result.frame is None:
            return {}
        return {self.picture: pictured(result, self.picture.GRADIO_CACHE, truth if truth and truth.boxes else None)}

    def stage(self, result: Result) -> Updates:
        """The clip to play, where it lasts and is one."""
        clip = result.clip
        if not clip.duration or result.other:
            return {self.when: gr.update(visible=False), self.player: ""}
        files = {"video": clip.video, "image": clip.image, "audio": None if clip.video else clip.audio}
        urls = {kind: self.served(file) for kind, file in files.items() if file}
        return {self.when: gr.update(visible=True), self.player: stage.player(clip, **urls)}

    def served(self, file: Path) -> str:
        """Where a browser finds a file of the visitor's or an example's."""
        try:
            return f"gradio_api/file={quote(self.player.move_resource_to_block_cache(str(file)) or '')}"
        except OSError:  # it has been let go
            return ""

    def explored(self, result: Result | None) -> Updates:
        """The strips of the clip, which take a moment and so come after the answer."""
        if result is None or result.other:
            return {self.strips: ""}
        try:
            return {self.strips: stage.strips(result)}
        except CrabError:  # the clip is gone by now, or what is wrong with it was said
            return {self.strips: ""}

    def bars(self, result: Result, dark: bool) -> Updates:
        figure = timeline.timeline(
            stage.lanes(result),
            result.clip.duration,
            colours=theme.answer_colours(result.answer),
            unseen=result.unlooked,
            dark=dark,
        )
        return {self.when: gr.update(visible=True), self.timeline: gr.update(value=figure, visible=True)}


def said(result: Result) -> str:
    """The words of an answer as HTML; those of a long clip's windows fold."""
    colours = theme.answer_colours(result.answer)
    if len(result.windows) < 2:
        return text.chips(result.answer, colours=colours, confidence=result.confidence)
    parts = [(window.start, window.end, window.answer) for window in result.windows]
    return text.windows(parts, colours=colours, confidence=result.confidence)


def _marks(result: Result) -> tuple[Any, ...]:
    seconds = result.looked if result.over_time else 0
    return result.frame is None, result.answer.boxes, result.answer.points, len(result.masks), seconds


def _lanes(result: Result) -> tuple[Any, ...]:
    return result.answer.events, len(result.masks), result.looked


def lay_out() -> Sheet:
    line = gr.HTML(visible=False, elem_id="line")
    whose, stale = gr.HTML(visible=False, elem_id="whose"), gr.HTML(elem_id="stale")
    words = gr.HTML(EMPTY, elem_id="words", label="Answer")
    told = gr.HTML(elem_id="facts", visible=False)
    with gr.Row(elem_id="eights"):
        eight = gr.Button("Ask it eight times", size="sm", visible=False, elem_id="eight")
        stop_eight = gr.Button("Stop", size="sm", visible=False, interactive=False, elem_id="stop-eight")
    agreed, drawn = gr.HTML(visible=False, elem_id="agreed"), gr.State(time_to_live=OPEN)
    true = gr.HTML(visible=False, elem_id="truth")
    with gr.Accordion("Against a truth of your own", open=False, visible=False, elem_id="against") as own:
        given = gr.File(label="A record of AV-UIE or a result (JSON), or WebVTT", height=150, elem_id="reference")
    with gr.Column(visible=False, elem_classes="card", elem_id="when") as when:
        gr.HTML("<h2>When</h2>")
        with gr.Column(elem_id="screen"):
            player, over = gr.HTML(elem_id="player"), gr.HTML(elem_id="over")
        strips = gr.HTML(elem_id="strips")
        bars = gr.Plot(show_label=False, container=False, label="Events over the clip’s seconds")
        with gr.Row(elem_id="chosen"):
            gr.HTML("<p class='key'>Drag over the seconds to choose some.</p>", elem_id="which-seconds")
            chosen = {what: gr.Button(name, size="sm", min_width=90) for what, name in CHOSEN.items()}
            stretch = gr.Textbox(visible=False)
    with gr.Column(visible=False, elem_classes="card", elem_id="where") as where:
        gr.HTML("<h2>Where</h2>")
        picture = gr.Image(
            show_label=False,
            container=False,
            interactive=False,
            format="png",
            buttons=["download", "fullscreen"],
            label="Picture with masks, boxes and points",
            alt_text="The frame the answer is about, with masks, boxes and points drawn on it",
        )
    with gr.Column(visible=False, elem_classes="card", elem_id="writing") as writing:
        gr.HTML(
            "<h2>How the heads were mixed</h2><p class='key'>Every adapted layer mixes a few heads anew for each "
            "token; the router’s weights say how, and not which head the answer is owed to.</p>"
        )
        weights = gr.HTML(elem_id="live")
    with gr.Row(visible=False, elem_id="downloads") as downloads:
        answer = gr.DownloadButton("Answer as JSON", size="sm", min_width=120)
        npz = gr.DownloadButton("Router weights as .npz", size="sm", min_width=185)
        formats = {format: gr.Button(format.upper(), size="sm", min_width=52) for format in TAKEN}
        save = gr.Button("Save this run", size="sm", min_width=110)
        everything = gr.Button(EVERYTHING, size="sm", min_width=150)
        file = gr.DownloadButton(elem_id="taken")
        copy = gr.Button("Copy link", size="sm", min_width=80, visible=False)
    link, result, runs = gr.Textbox(visible=False), gr.State(time_to_live=OPEN), gr.State([], time_to_live=OPEN)
    folder = gr.State(time_to_live=OPEN, delete_callback=forget)
    return Sheet(
        line, whose, stale, words, told, eight, stop_eight, agreed, drawn, true, own, given, when, player, over, strips, bars, chosen, stretch, where, picture, writing, weights, downloads, answer, npz, formats,
        save, everything, file, copy, link, result, runs, folder,
    )  # fmt: skip
