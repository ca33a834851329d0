"""Take it along: a trace as a table, a web page that works offline, or a figure for a paper.

`write` is the one door: what the file's name ends in decides. `.npz`, which holds everything, is `crab.trace.save`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from crab import CrabError, __version__
from crab.disk import whole
from crab.metrics.wording import edits
from crab.seen import Seen
from crab.trace import RoutingTrace
from visualize import difference, paper, standalone

KINDS = ("overview", "tokens", "modality", "heatmap", "compare")
FORMATS = ("html", "svg", "pdf", "png", "csv")
COLUMNS = (
    "tower",
    "layer",
    "module",
    "token",
    "modality",
    "text",
    "start",
    "end",
    "row",
    "col",
    "source",
    "head",
    "weight",
)


def csv_lines(traces: Mapping[str, RoutingTrace]) -> Iterator[str]:
    """CSV (RFC 4180), line by line: `COLUMNS`, then one row a site, token and head.

    `layer`, `token`, `row`, `col` and `source` count from 0, `head` from 1 as people do; `start`, `end` are seconds of the
    clip; `weight` has five decimals.
    """
    yield ",".join(COLUMNS) + "\r\n"
    for tower, trace in traces.items():
        places = [
            _cells(i, *(getattr(token, name, None) for name in COLUMNS[4:11])) for i, token in enumerate(trace.tokens)
        ]
        for site, weights in zip(trace.sites, trace.weights.tolist()):
            where = _cells(tower, site.layer, site.module)
            for place, shares in zip(places, weights):
                for head, share in enumerate(shares, 1):
                    yield f"{where},{place},{head},{share:.5f}\r\n"


def _cells(*values: Any) -> str:
    buffer = io.StringIO()
    # The writer quotes line ends only where they could end its own rows.
    csv.writer(buffer, lineterminator="\r\n").writerow(["" if value is None else value for value in values])
    return buffer.getvalue().removesuffix("\r\n")


def write(
    traces: Mapping[str, RoutingTrace], path: str | Path, *, kind: str = "overview", other: Mapping[str, Any] | None = None,
    tower: str = "language", title: str = "Router weights", facts: Sequence[str] = (), seen: Seen | None = None,
) -> None:  # fmt: skip
    """Writes a figure of `kind` (one of `KINDS`) in the format that `path` ends in (one of `FORMATS`).

    "overview" is of all towers, the others of `tower`. "compare" is `other` minus `traces`; as .html it is also the two
    answers word for word. .csv is the whole trace, whatever the kind, and there is none of a comparison. All others have
    `title`, `facts`, a paragraph each, and who made them over the figure, as .svg, .pdf and .png also in what they say of
    themselves; .html with `seen` has the clip's pictures and sound. Raises CrabError for what does not go together;
    OSError where the file cannot be written.
    """
    path = Path(path)
    format = path.suffix[1:].lower()
    if format not in FORMATS:
        raise CrabError(f"{path.name} ends in no format known here: give a name in .{', .'.join(FORMATS)}.")
    if kind not in KINDS:
        raise CrabError(f"There is no figure {kind!r}; choose one of: {', '.join(KINDS)}.")
    if (kind == "compare") != (other is not None):
        raise CrabError("A comparison needs two traces: --kind compare with --other TRACE2.npz.")
    if format == "csv" and kind == "compare":
        raise CrabError("A comparison is a picture: write each trace as .csv on its own.")
    for routing in (traces, other or traces) if kind != "overview" and format != "csv" else []:
        if tower not in routing:
            raise CrabError(f"There is no tower {tower!r} in this trace, only {', '.join(routing)}.")

    facts = (*facts, f"Drawn by Crab+ {__version__}.")
    # A file's name may hold bytes that are no characters; JSON, and the eye, have them as \udc81.
    utf8 = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}
    if format == "csv":
        with whole(path) as part, open(part, "w", **utf8) as file:
            file.writelines(csv_lines(traces))
    elif format == "html":
        text = (
            _comparison(traces[tower], other[tower], title, facts)
            if other
            else standalone.page(traces, title=title, facts=facts, seen=seen, view=kind)
        )
        with whole(path) as part:
            part.write_text(text, **utf8)
    else:
        draw: dict[str, Callable[[], Figure]] = {
            "overview": lambda: paper.overview(traces),
            "tokens": lambda: paper.tokens(traces[tower]),
            "modality": lambda: paper.modality(traces[tower]),
            "heatmap": lambda: paper.heatmap(traces[tower]),
            "compare": lambda: paper.compare(traces[tower], (other or traces)[tower]),
        }
        heads = max((trace.weights.shape[2] for trace in traces.values()), default=0)
        figure = paper.described(draw[kind](), title, facts, heads=heads, mixed=kind in ("overview", "tokens"))
        with whole(path) as part:
            paper.save(figure, part, title=title, facts=facts)


def _comparison(one: RoutingTrace, other: RoutingTrace, title: str, facts: Sequence[str]) -> str:
    """A whole page that works offline: the differences as Plotly figures (its script is 4.6 MB), the answers as words."""
    figures = [difference.by_module(one, other), difference.by_group(one, other)]
    said = ["".join(token.text for token in trace.tokens if token.modality == "generated") for trace in (one, other)]
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=place == 0, config={"displaylogo": False, "responsive": True})
        for place, figure in enumerate(figures)
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
        '<body style="max-width:1000px;margin:20px auto;font:14px/1.5 system-ui,sans-serif;color:#1C2330">'
        f"<h1>{escape(title)}</h1>{''.join(f'<p>{escape(fact)}</p>' for fact in facts)}<h2>Layers and modules</h2>{parts[0]}<h2>By kind of token</h2>{parts[1]}"
        f"<h2>The answers</h2>{difference.words(edits(*said))}</body></html>"
    )
