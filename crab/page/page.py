"""Joins the parts of the page, and serves it. Each part lays out its components and hands them back, another wires them.

    Ask a clip    `form` (what to ask), `sheet` (what came back), `workbench` (change the routing, compare): `ask`
    Compose       `composer` (a scene put together by a visitor, so that its truth is known): `composing`
    Atlas         `atlas` (many tasks' routing, and the visitor's runs among them)
    Transfer      `transfer` (what learning together does to each task)

`api` is for gradio_client and agents; `following` opens what a link names.
"""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout
from html import escape
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from crab.about import About
from crab.media import Limits
from crab.page import atlas, composer, form, guard, sheet, title, transfer, workbench
from crab.page.answering import Answerer
from crab.page.api import Programs
from crab.page.ask import Asking
from crab.page.awaited import Awaited, ending
from crab.page.composing import Composing
from crab.page.files import Example, listed_examples
from crab.page.following import Following
from crab.page.parts import ASSETS, OPEN, ROOT, WAITING_MOST, Page
from crab.tasks import FAMILIES
from visualize import theme, timeline

LINKED = ROOT / "visualize" / "linked.js"  # in the browser: player, bars, explorer together
PAGE_JS = ROOT / "crab" / "page" / "page.js"
LEFT = 600  # seconds after which what belongs to a visitor is let go, counted from when they left
VISITORS = 500  # whose pages are remembered; who comes next takes the place of who was longest away
SWITCH = """<details><summary>Ask the 7B model instead</summary>
<p>On a machine with a GPU, start the page with the released weights. They are fetched the first time, about 20 GB.</p>
<pre>CRAB_MODEL=crab-plus python app.py</pre></details>"""
SWITCH_SPACE = """<details><summary>Ask the 7B model instead</summary>
<p>Whoever owns this Space sets its variable CRAB_MODEL to crab-plus, and chooses hardware with a GPU.</p></details>"""


def build(about: About, model: Awaited) -> gr.Blocks:
    """The page for one model, which need not be there yet. Whatever belongs to a visitor lives in that visitor's session."""
    guard.leave_files_alone()
    learned = transfer.shipped()
    examples, found, answerer = listed_examples(), atlas.shipped(), Answerer(about, model)
    switch = SWITCH_SPACE if os.environ.get("SPACE_ID") else SWITCH
    note = f"<p>Answering here: <strong>{escape(about.name)}</strong></p><p>{escape(about.knows)}</p>{switch}"
    with Page(title="Crab+", delete_cache=(3600, OPEN), fill_width=True) as page:
        gr.HTML(title.title(), elem_id="title")
        gr.HTML("<div role='status'></div>", elem_id="told")  # out of sight: `crab.tell` has answers read out
        with gr.Tabs(elem_id="pages") as tabs:
            with gr.Tab("Ask a clip", id="ask"):
                shelf = _shelf(examples)
                with gr.Row(elem_id="columns", elem_classes="columns"):
                    with gr.Column(scale=5, min_width=320):
                        asked = form.lay_out(about.taught.questions.get(FAMILIES["question"].default, ()))
                        gr.HTML(_lessons(about), visible=bool(about.taught.things), elem_classes="model")
                    with gr.Column(scale=7, min_width=320):
                        gr.HTML(note, elem_id="model", elem_classes="model")
                        answer = sheet.lay_out()
                        # Out of sight: makes the browser fetch Plotly now, not in the middle of the first answer.
                        gr.Plot(timeline.timeline((), 10.0), show_label=False, container=False, elem_id="ahead")
                bench = workbench.lay_out()
            with gr.Tab("Compose", id="compose") as composing_tab:
                scene = composer.lay_out(note)
            with gr.Tab("Atlas", id="atlas") as atlas_tab:
                map_sheet = atlas.lay_out(found)
            if learned:
                with gr.Tab("Transfer", id="transfer") as transfer_tab:
                    transfer_sheet = transfer.lay_out(learned)
            with gr.Tab("About", id="about"):
                gr.Markdown(title.about(), elem_id="about", sanitize_html=False)  # ours, with its picture
        mapping = atlas.Mapping(page, map_sheet, atlas_tab, found, asked, answer, bench, answerer)
        if learned:
            transfer.Telling(transfer_sheet, transfer_tab, tabs, learned, map_sheet, mapping).wire()
        for part in (
            Programs(answerer, examples),
            Asking(page, asked, answer, bench, shelf, examples, answerer),
            workbench.Working(page, bench, answer, asked, scene, tabs, examples, answerer),
            Composing(page, scene, composing_tab, answer, bench, answerer),
            mapping,
            Following(page, asked, scene, tabs, examples),
        ):
            part.wire()

        def on_leave(request: gr.Request) -> None:
            """Gradio itself would keep for an hour what belongs to a visitor who has left."""
            if request.session_hash in page.state_holder:
                page.state_holder[request.session_hash].STATE_TTL_WHEN_CLOSED = LEFT

        page.unload(on_leave)
    return page.queue(max_size=WAITING_MOST, default_concurrency_limit=1)


def _shelf(examples: tuple[Example, ...]) -> list[gr.Button]:
    with gr.Row(elem_id="examples", elem_classes="shelf", visible=bool(examples)):
        return [gr.Button(example.label, icon=example.picture, min_width=120) for example in examples]


def _lessons(about: About) -> str:
    """What the model can be asked about, as HTML to open."""
    taught = about.taught
    kinds = {"Things, seen or heard": taught.things, "Actions": taught.actions, "Emotions": taught.emotions}
    rows = "".join(f"<p><b>{name}:</b> {escape(', '.join(kind))}.</p>" for name, kind in kinds.items() if kind)
    return f"<details><summary>What {escape(about.name)} knows</summary>{rows}</details>"


def launch(page: gr.Blocks) -> None:
    """Serves the page from now on and says where, in system type and without hues: those are for clips and heads."""
    look = gr.themes.Base(
        neutral_hue="slate",
        primary_hue="slate",
        font_mono=["ui-monospace", "monospace"],
        font=[name.strip("'") for name in theme.FONT.split(", ")],
    )
    gr.set_static_paths([ASSETS / "page.png"])  # for whoever shares the page, see `title.head`
    with redirect_stdout(io.StringIO()) as said:
        page.launch(
            theme=look,
            css_paths=ASSETS / "style.css",
            footer_links=["api", "settings"],
            head=f"{title.head(os.environ.get('SPACE_HOST'))}<script>{PAGE_JS.read_text(encoding='utf-8')}</script>",
            js=LINKED.read_text(encoding="utf-8"),
            max_file_size=Limits.bytes,
            state_session_capacity=VISITORS,
            prevent_thread_lock=True,  # whoever calls waits
            mcp_server=True,
            run_history=False,  # it would keep clips in the visitor's browser
            app_kwargs={"middleware": [Middleware(guard.Guard)]},
        )
    guard.watch_disk(page, Path(get_upload_folder()), ending)
    if page.mcp_error or page.share and not page.share_url:
        print(said.getvalue())  # why there is nothing for agents, or no link
    address = str(page.share_url or page.local_url).rstrip("/")
    agents = f"\nFor agents (MCP): {address}/gradio_api/mcp/" if page.mcp_server else ""
    print(f"The page: {address}{agents}", flush=True)
