"""Which head: router weights of I-LoRA as pictures.

A router weight is a share: at each site (adapted layer) and token the heads' weights add up to one, so 1 / heads is
"all heads alike". Every picture keeps the scale 0…1 unless it is told otherwise and then says so, because a scale that
adapts to its data makes noise look like a finding.

Here are the plain views, a panel a head. `simplex` draws all heads in one cell, `ribbon` the words, `spacetime` the
clip, `compare` two runs, `transfer` many; `live` is what a page shows meanwhile; `trace` is what all of them read, and
what `trace`, `live` offer is found here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from visualize import theme
from visualize.live import live
from visualize.trace import (
    MODALITIES, Site, Trace, bin_means, bins, load_npz, modality_runs, runs, save_npz, token_groups, token_name, visible,
)

__all__ = ["MODALITIES", "Site", "Trace", "heatmap", "live", "load_npz", "overview", "save_npz", "token_groups", "token_name"]

CELLS = 12_000  # rows × columns a heatmap aims at: about 150 kB of JSON for three heads
COLUMNS = (160, 480)  # columns it uses at the least and at the most


# --- sites × tokens ---

HEADING, NOTE = 26, 14  # pixels above each panel, and of a line of small print


def heatmap(
    trace: Any, *, head: int | None = None, limits: tuple[float, float] = (0.0, 1.0), dark: bool = False
) -> go.Figure:
    """Sites × tokens: one panel a head, or `head` alone (from 0), all on the one colour scale `limits`.

    Rows are sites, first layer on top. Columns are tokens, bracketed by modality; where there are more tokens than a
    screen can tell apart, neighbours of one kind share a column that shows their mean, and the line above says so;
    the answer's own tokens are the last to be merged. Hovering names site and token and gives every head's weight in
    whole per cent. Three heads of 42 sites × 450 tokens are about 160 kB of JSON. Nothing traced: a sentence.
    """
    n_sites, n_tokens, n_heads = trace.weights.shape
    if not n_sites or not n_tokens:
        return theme.sentence("No router weights: nothing was traced.", dark)
    tone = theme.ink(dark)
    order = sorted(range(n_sites), key=lambda i: trace.sites[i].layer)  # stable: modules stay in their order
    sites = [trace.sites[i] for i in order]
    edges, merged = bins(trace.tokens, columns=int(np.clip(CELLS // n_sites, *COLUMNS)))
    percent = np.rint(100 * bin_means(trace.weights[order], edges)).astype(np.uint8)  # (sites, columns, heads)

    heads = list(range(n_heads)) if head is None else [head]
    notes = _notes(n_sites, n_tokens, n_heads, merged, limits)
    panel = int(np.clip(4.5 * n_sites, 64, 300 if len(heads) > 1 else 460))
    inner = len(heads) * (HEADING + panel)
    top, bottom = 8 + NOTE * len(notes), 34

    figure = go.Figure(layout=theme.layout(dark))
    figure.layout.xaxis = _token_axis(_column_names(trace.tokens, edges), tone)
    for place, k in enumerate(heads):
        ceiling = 1 - (place * (HEADING + panel) + HEADING) / inner  # of the panel, in shares of the plot's height
        axis = "" if place == 0 else str(place + 1)
        others = [j for j in range(n_heads) if j != k]
        weights = [f"<b>{theme.head_name(k)} %{{z}} %</b>"]
        weights += [f"{theme.head_name(j)} %{{customdata[{i}]}} %" for i, j in enumerate(others)]
        figure.add_heatmap(
            z=percent[:, :, k],
            zmin=100 * limits[0],
            zmax=100 * limits[1],
            colorscale=theme.plotly_scale(k, dark),
            colorbar=_colour_bar(limits, n_heads, tone) | {"y": ceiling - panel / inner / 2, "len": panel / inner},
            customdata=percent[:, :, others],
            hovertemplate="%{y}<br>%{x}<br>" + " · ".join(weights) + "<extra></extra>",
            xaxis="x",
            yaxis=f"y{axis}",
        )
        figure.layout[f"yaxis{axis}"] = _site_axis(sites, tone, apart=14 * n_sites / panel) | {
            "domain": [max(0, ceiling - panel / inner), ceiling]
        }
        share = 100 * float(trace.weights[:, :, k].mean(dtype=np.float32))
        figure.add_annotation(
            text=f"<span style='color:{theme.head_colour(k)}'>■</span> <b>{theme.head_name(k)}</b>"
            f"  <span style='color:{tone['quiet']}'>{share:.0f} % of all</span>",
            x=0, xref="paper", xanchor="left", y=ceiling, yref="paper", yanchor="bottom", yshift=3, showarrow=False,
        )
    _brackets(figure, trace.tokens, edges, len(heads), tone)
    theme.small_print(figure, notes, top, tone)
    return figure.update_layout(height=top + inner + bottom, margin={"l": 44, "r": 52, "t": top, "b": bottom})


def _notes(
    n_sites: int, n_tokens: int, n_heads: int, merged: tuple[int, int], limits: tuple[float, float]
) -> list[str]:
    """What must be known to read a heatmap."""
    notes = [f"{n_sites} sites × {n_tokens} tokens; {100 / n_heads:.0f} % = all heads alike"]
    if tuple(limits) != (0.0, 1.0):
        notes.append(f"<b>scale cut to {100 * limits[0]:.0f}–{100 * limits[1]:.0f} %</b>")
    if max(merged) > 1:
        answer = f"up to {merged[1]}" if merged[1] > 1 else "one"
        notes.append(f"a column is the mean of up to {merged[0]} tokens, {answer} in the answer")
    return notes


def _column_names(tokens: Sequence[Any], edges: np.ndarray) -> list[str]:
    """One name a column, with its position: Plotly merges categories of the same name."""
    names = []
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist()):
        first, last = tokens[start], tokens[stop - 1]
        if stop - start == 1:
            name = token_name(first)
        elif first.modality in ("text", "generated"):
            joined = visible("".join(token.text for token in tokens[start:stop]))
            name = f"{MODALITIES[first.modality]} “{joined}”"
        else:
            name = f"{token_name(first)} … {token_name(last)}"
        position = str(start) if stop - start == 1 else f"{start}–{stop - 1}"
        names.append(f"{position} · {escape(name)}")
    return names


def _token_axis(names: list[str], tone: dict[str, str]) -> dict[str, Any]:
    """The x axis all panels share, with a line through all of them where the pointer is."""
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": names,
        "range": [-0.5, len(names) - 0.5],
        "anchor": "free",
        "position": 0,
        "showticklabels": False,
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        "showspikes": True,
        "spikemode": "across",
        "spikethickness": 1,
        "spikedash": "solid",
        "spikecolor": tone["quiet"],
    }


def _site_axis(sites: Sequence[Any], tone: dict[str, str], *, apart: float) -> dict[str, Any]:
    """A y axis of site names that shows layer numbers, no closer than `apart` rows."""
    ticks: list[tuple[float, int]] = []
    for start, stop in runs([site.layer for site in sites]):
        middle = (start + stop - 1) / 2
        if not ticks or middle - ticks[-1][0] >= apart:
            ticks.append((middle, sites[start].layer))
    return theme.layer_axis([row for row, _ in ticks], [layer for _, layer in ticks], len(sites), tone) | {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": [f"{site.tower} layer {site.layer} · {site.module}" for site in sites],
    }


def _colour_bar(limits: tuple[float, float], n_heads: int, tone: dict[str, str]) -> dict[str, Any]:
    """Both ends of the scale and, on it, the weight at which all heads are alike."""
    marks = sorted({limits[0], limits[1], min(max(1 / n_heads, limits[0]), limits[1])})
    return {
        "thickness": 8,
        "outlinewidth": 0,
        "x": 1.0,
        "xpad": 6,
        "ypad": 0,
        "tickvals": [100 * mark for mark in marks],
        "ticktext": [f"{100 * mark:.0f} %" for mark in marks],
        "ticks": "inside",
        "ticklen": 8,
        "tickcolor": tone["text"],
        "tickfont": {"size": 10, "color": tone["quiet"]},
    }


def _brackets(
    figure: go.Figure, tokens: Sequence[Any], edges: np.ndarray, panels: int, tone: dict[str, str]
) -> None:
    """Runs of one modality: parted in the panels, bracketed and named below them, a video's moments ticked."""
    pen = {"color": tone["quiet"], "width": 1}
    columns = len(edges) - 1
    inset = min(0.3, columns / 1200)
    lines = []
    for start, stop in modality_runs(tokens):
        left, right = np.searchsorted(edges, [start, stop]) - 0.5
        if start:
            dotted = {"type": "line", "x0": left, "x1": left, "y0": 0, "y1": 1, "line": pen | {"dash": "dot"}}
            lines += [dotted | {"yref": f"y{axis or ''} domain"} for axis in [0, *range(2, panels + 1)]]
        lines.append(_line_below(left + inset, right - inset, -7, -7, pen))
        lines += [_line_below(x, x, -7, -2, pen) for x in (left + inset, right - inset)]

        run = tokens[start:stop]
        name = MODALITIES.get(run[0].modality, run[0].modality)
        moments = runs([token.start for token in run])
        if len(moments) > 1:
            name += f", {min(token.start for token in run):.0f}–{max(token.end for token in run):.0f} s"
        if run[0].modality == "video":
            inner = np.searchsorted(edges, [start + first for first, _ in moments[1:]]) - 0.5
            lines += [_line_below(x, x, -7, -4, pen) for x in inner]
        letters = 300 * (right - left) / columns / 5.5  # that have room on a narrow screen
        name = name if len(name) <= letters else name.partition(",")[0]
        if len(name) <= letters:
            figure.add_annotation(
                text=name, x=(left + right) / 2, y=0, yref="paper", yanchor="top", yshift=-8, showarrow=False,
                font={"size": 11, "color": tone["quiet"]},
            )
    figure.layout.shapes = lines


def _line_below(x0: float, x1: float, y0: float, y1: float, pen: dict[str, Any]) -> dict[str, Any]:
    """A line under the panels: x in columns, y in pixels from their lower edge."""
    pixels = {"yref": "paper", "ysizemode": "pixel", "yanchor": 0, "y0": y0, "y1": y1}
    return {"type": "line", "x0": x0, "x1": x1, "line": pen} | pixels


# --- layers × heads ---


def overview(trace: Any, *, tokens: np.ndarray | None = None, dark: bool = False) -> go.Figure:
    """Layers × heads averaged over `tokens` (a mask (tokens,) such as `token_groups` gives; all if None).

    One group of columns a module, one column a head, on the scale 0…1. Up to 12 layers the numbers (per cent) stand
    in the cells. No weights, or no token in the mask: a figure with a sentence.
    """
    chosen = np.ones(trace.weights.shape[1], bool) if tokens is None else np.asarray(tokens)
    if not trace.weights.size or not chosen.any():
        return theme.sentence("No tokens of this kind were traced.", dark)
    tone = theme.ink(dark)
    means = 100 * trace.weights[:, chosen].mean(1, dtype=np.float32)  # (sites, heads)
    layers = sorted({site.layer for site in trace.sites})
    modules = list(dict.fromkeys(site.module for site in trace.sites))
    n_heads = means.shape[1]
    step = n_heads + 1  # a blank column between modules
    grid = np.full((n_heads, len(layers), step * len(modules) - 1), np.nan, np.float32)
    for site, mean in zip(trace.sites, means):
        column = step * modules.index(site.module)
        grid[range(n_heads), layers.index(site.layer), range(column, column + n_heads)] = mean

    row = int(np.clip(300 / len(layers), 11, 30))  # pixels
    top, bottom = 66, 26
    figure = go.Figure(layout=theme.layout(dark))
    for k in range(n_heads):
        figure.add_heatmap(
            z=grid[k].round(1),
            zmin=0,
            zmax=100,
            colorscale=theme.plotly_scale(k, dark),
            showscale=False,
            xgap=1,
            ygap=1,
            hoverongaps=False,
            texttemplate="%{z:.0f}" if len(layers) <= 12 else None,
            textfont={"size": 9},
            customdata=[[f"layer {layer} · {modules[c // step]}" for c in range(grid.shape[2])] for layer in layers],
            hovertemplate=f"%{{customdata}}<br><b>{theme.head_name(k)} %{{z:.1f}} %</b><extra></extra>",
        )
    shown = range(0, len(layers), max(1, round(16 / row)))
    figure.update_yaxes(theme.layer_axis(list(shown), [layers[i] for i in shown], len(layers), tone))
    figure.update_xaxes(
        range=[-0.5, grid.shape[2] - 0.5],
        tickvals=[step * m + k for m in range(len(modules)) for k in range(n_heads)],
        ticktext=[f"<span style='color:{theme.head_colour(k)}'><b>{k + 1}</b></span>" for k in range(n_heads)]
        * len(modules),
        tickfont={"size": 10},
        tickangle=0,
        ticks="",
        showgrid=False,
        zeroline=False,
    )
    for m, module in enumerate(modules):
        figure.add_annotation(
            text=module.removesuffix("_proj"), x=step * m + (n_heads - 1) / 2, y=1, yref="paper", yanchor="bottom",
            yshift=2, showarrow=False, font={"size": 11, "color": tone["quiet"]},
        )
    legend = [f"<span style='color:{theme.head_colour(k)}'>■</span> {theme.head_name(k)}" for k in range(n_heads)]
    mean_of = f"mean of {int(chosen.sum())} tokens in per cent; {100 / n_heads:.0f} % = all heads alike"
    theme.small_print(figure, ["  ".join(legend), mean_of], top, tone)
    return figure.update_layout(
        height=top + row * len(layers) + bottom, margin={"l": 44, "r": 8, "t": top, "b": bottom}
    )
