"""Which head: router weights of I-LoRA as pictures, and as files.

A router weight is a share: at each site (adapted layer) and token the heads' weights add up to one, so 1 / heads is
"all heads alike". Every picture keeps the scale 0…1 unless it is told otherwise and then says so, because a scale that
adapts to its data makes noise look like a finding.

A trace is anything with `weights` (sites, tokens, heads), `sites` (tower, layer, module) and `tokens`
(`crab.prompt.Token`): one of `crab.ilora.trace`, or one read back by `load_npz`.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from html import escape
from math import ceil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from visualize import theme

MODALITIES = {"text": "text", "audio": "sound", "video": "video", "image": "picture", "generated": "answer"}

CELLS = 12_000  # rows × columns a heatmap aims at: about 150 kB of JSON for three heads
COLUMNS = (160, 480)  # columns it uses at the least and at the most


class Site(NamedTuple):
    """One adapted linear layer."""

    tower: str
    layer: int
    module: str


class Trace(NamedTuple):
    """A trace read from a file, with the fields of `crab.ilora.trace.RoutingTrace`."""

    weights: np.ndarray  # (sites, tokens, heads) float16
    sites: tuple[Site, ...]
    tokens: tuple[Any, ...]


def token_groups(trace: Any) -> dict[str, np.ndarray]:
    """Boolean masks (tokens,) by modality ("text", "audio", "video", "image", "generated"), in order of appearance."""
    modalities = np.array([token.modality for token in trace.tokens], dtype=object)
    return {name: modalities == name for name in dict.fromkeys(modalities)}


def token_name(token: Any) -> str:
    """What a person calls one position: `text “dog”`, `sound 1.20–1.24 s`, `video 2.0 s, row 3, column 5`."""
    name = MODALITIES.get(token.modality, token.modality)
    if token.modality in ("text", "generated"):
        return f"{name} “{_visible(token.text)}”"
    if token.start is not None:
        same = token.end is None or token.end <= token.start
        name += f" {token.start:.1f} s" if same else f" {token.start:.2f}–{token.end:.2f} s"
    if token.row is not None:
        name += f", row {token.row + 1}, column {token.col + 1}"
    return name + (", second clip" if token.source else "")


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
    edges, merged = _bins(trace.tokens, columns=int(np.clip(CELLS // n_sites, *COLUMNS)))
    percent = np.rint(100 * _bin_means(trace.weights[order], edges)).astype(np.uint8)  # (sites, columns, heads)

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
    _small_print(figure, notes, top, tone)
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


def _runs(keys: Sequence[Any]) -> list[tuple[int, int]]:
    """Half-open ranges of equal neighbours."""
    starts = [i for i, key in enumerate(keys) if i == 0 or key != keys[i - 1]]
    return list(zip(starts, [*starts[1:], len(keys)]))


def _modality_runs(tokens: Sequence[Any]) -> list[tuple[int, int]]:
    return _runs([(token.modality, token.source) for token in tokens])


def _bins(tokens: Sequence[Any], *, columns: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Where display columns start and the last one ends (columns + 1,), none across two modalities; and how many
    tokens at most share a column: (the prompt's, the answer's)."""
    runs = [(start, stop, tokens[start].modality == "generated") for start, stop in _modality_runs(tokens)]
    answer = ceil(sum(stop - start for start, stop, generated in runs if generated) / (columns // 2)) or 1
    for prompt in range(1, len(tokens) + 1):
        edges = [edge for start, stop, generated in runs for edge in range(start, stop, answer if generated else prompt)]
        if len(edges) <= columns:
            break
    return np.array([*edges, len(tokens)]), (prompt, answer)


def _bin_means(weights: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(sites, tokens, heads) to float32 means (sites, columns, heads)."""
    sums = np.add.reduceat(weights.astype(np.float32), edges[:-1], axis=1)
    return sums / np.diff(edges)[None, :, None].astype(np.float32)


def _column_names(tokens: Sequence[Any], edges: np.ndarray) -> list[str]:
    """One name a column, with its position: Plotly merges categories of the same name."""
    names = []
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist()):
        first, last = tokens[start], tokens[stop - 1]
        if stop - start == 1:
            name = token_name(first)
        elif first.modality in ("text", "generated"):
            joined = _visible("".join(token.text for token in tokens[start:stop]))
            name = f"{MODALITIES[first.modality]} “{joined}”"
        else:
            name = f"{token_name(first)} … {token_name(last)}"
        position = str(start) if stop - start == 1 else f"{start}–{stop - 1}"
        names.append(f"{position} · {escape(name)}")
    return names


def _visible(text: str) -> str:
    """Line ends and tabs made visible, long text cut in its middle."""
    text = text.replace("\n", "↵").replace("\t", "⇥")
    return text if len(text) <= 32 else f"{text[:20]}…{text[-10:]}"


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
    for start, stop in _runs([site.layer for site in sites]):
        middle = (start + stop - 1) / 2
        if not ticks or middle - ticks[-1][0] >= apart:
            ticks.append((middle, sites[start].layer))
    return _layer_ticks([row for row, _ in ticks], [layer for _, layer in ticks], len(sites), tone) | {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": [f"{site.tower} layer {site.layer} · {site.module}" for site in sites],
    }


def _layer_ticks(rows: list[float], layers: list[int], n_rows: int, tone: dict[str, str]) -> dict[str, Any]:
    """A y axis of `n_rows` rows, counted downwards, with layer numbers at some of them."""
    return {
        "range": [n_rows - 0.5, -0.5],
        "tickvals": rows,
        "ticktext": [str(layer) for layer in layers],
        "tickfont": {"size": 10, "color": tone["quiet"]},
        "title": {"text": "layer", "font": {"size": 11, "color": tone["quiet"]}, "standoff": 4},
        "ticks": "",
        "ticklabelstandoff": 4,
        "showgrid": False,
        "zeroline": False,
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
    for start, stop in _modality_runs(tokens):
        left, right = np.searchsorted(edges, [start, stop]) - 0.5
        if start:
            dotted = {"type": "line", "x0": left, "x1": left, "y0": 0, "y1": 1, "line": pen | {"dash": "dot"}}
            lines += [dotted | {"yref": f"y{axis or ''} domain"} for axis in [0, *range(2, panels + 1)]]
        lines.append(_line_below(left + inset, right - inset, -7, -7, pen))
        lines += [_line_below(x, x, -7, -2, pen) for x in (left + inset, right - inset)]

        run = tokens[start:stop]
        name = MODALITIES.get(run[0].modality, run[0].modality)
        moments = _runs([token.start for token in run])
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


def _small_print(figure: go.Figure, lines: list[str], margin: int, tone: dict[str, str]) -> None:
    """Quiet lines at the very top of a figure whose upper margin is `margin` pixels."""
    figure.add_annotation(
        text="<br>".join(lines), x=0, xref="paper", xanchor="left", y=1, yref="paper", yanchor="top", yshift=margin,
        align="left", showarrow=False, font={"size": 11, "color": tone["quiet"]},
    )


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
    figure.update_yaxes(_layer_ticks(list(shown), [layers[i] for i in shown], len(layers), tone))
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
    _small_print(figure, ["  ".join(legend), mean_of], top, tone)
    return figure.update_layout(
        height=top + row * len(layers) + bottom, margin={"l": 44, "r": 8, "t": top, "b": bottom}
    )


# --- while it streams ---

PROMPT_COLUMNS, ANSWER_COLUMNS = 80, 120


def live(trace: Any) -> str:
    """HTML of the trace so far, made to be replaced at every token: always of one size, at most 30 kB.

    One band a head, rows are layers (mean over modules); on the left the prompt squeezed into a strip, on the right one
    column for each token of the answer, the last 120 of them. Numbers are the newest token's mean over all sites.
    Colour is the head's hue, from clear at weight 0 to solid at 2/3 and above, so it fits a light page and a dark one.
    """
    n_sites, n_tokens, n_heads = trace.weights.shape
    generated = np.fromiter((token.modality == "generated" for token in trace.tokens), bool, n_tokens)
    prompt, answer = np.flatnonzero(~generated), np.flatnonzero(generated)
    layers = np.array([site.layer for site in trace.sites])
    average = (np.unique(layers)[:, None] == layers).astype(np.float32)  # (layers, sites)
    average /= np.maximum(average.sum(1, keepdims=True), 1)

    def by_layer(columns: np.ndarray) -> np.ndarray:
        """(layers, len(columns), heads)"""
        return np.tensordot(average, trace.weights[:, columns].astype(np.float32), 1)

    left = by_layer(prompt)
    if len(prompt) > PROMPT_COLUMNS:
        left = _bin_means(left, np.linspace(0, len(prompt), PROMPT_COLUMNS + 1).astype(int))
    right = by_layer(answer[-ANSWER_COLUMNS:])
    newest = trace.weights[:, -1].mean(0, dtype=np.float32) if n_tokens and n_sites else np.zeros(n_heads)
    said = "".join(trace.tokens[i].text for i in answer[-24:]).replace("\n", "↵")[-56:]
    grown = 100 * right.shape[1] / ANSWER_COLUMNS

    bands = "".join(
        f'<div style="white-space:nowrap"><b style="color:{theme.head_colour(k)}">■</b> {theme.head_name(k)} '
        f'<b style="font-variant-numeric:tabular-nums">{100 * newest[k]:.0f} %</b></div>'
        f'<div style="{_TRACK}">{_strip(left[:, :, k], k, 100)}</div>'
        f'<div style="{_TRACK}">{_strip(right[:, :, k], k, grown)}'
        f'<i style="position:absolute;top:0;bottom:0;left:{grown:.2f}%;border-left:2px solid currentColor"></i></div>'
        for k in range(n_heads)
    )
    last = f"last {ANSWER_COLUMNS} of " if len(answer) > ANSWER_COLUMNS else ""
    return (
        f'<div class="crab-live" style="height:{n_heads * 48 + 44}px;overflow:hidden;font-size:12px;line-height:18px">'
        f'<div style="height:20px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis;opacity:.75">'
        f"{'… ' + escape(said) if said else 'reading the prompt'}</div>"
        f'<div style="{_GRID};grid-auto-rows:44px;align-items:center">{bands}</div>'
        f'<div style="{_GRID};height:20px;opacity:.75;white-space:nowrap">'
        f"<span>newest token</span><span>prompt, {len(prompt)}</span>"
        f"<span>answer, {last}{len(answer)} tokens</span></div></div>"
    )


_GRID = "display:grid;grid-template-columns:92px 1fr 2fr;gap:4px 6px"
_TRACK = "position:relative;height:44px;border-radius:4px;overflow:hidden;background:rgba(128,134,144,.14)"


def _strip(weights: np.ndarray, head: int, width: float) -> str:
    """An `<img>` of (layers, columns) weights, `width` per cent of its track wide; nothing if there is no column."""
    if not weights.size:
        return ""
    levels = np.rint(np.minimum(63, 63 * 1.5 * weights)).astype(np.uint8)  # 64 opacities: more only make it larger
    image = Image.frombytes("P", levels.shape[::-1], levels.tobytes())
    image.putpalette(bytes(theme.rgb(theme.head_colour(head))) * 64)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=bytes(round(255 * level / 63) for level in range(64)))
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<img alt="" src="data:image/png;base64,{data}" style="position:absolute;left:0;top:0;height:100%;'
        f'width:{width:.2f}%;max-width:none;margin:0;image-rendering:pixelated">'
    )


# --- files ---


def save_npz(routing: Mapping[str, Any], path: str | Path) -> None:
    """Writes traces by tower into one compressed file that NumPy alone can read.

    For each tower: `<tower>/weights` (sites, tokens, heads) float16, `<tower>/sites` JSON [[tower, layer, module], …]
    and `<tower>/tokens` JSON [{modality, text, start, …}, …].
    """
    arrays = {}
    for tower, trace in routing.items():
        arrays[f"{tower}/weights"] = trace.weights
        arrays[f"{tower}/sites"] = np.array(json.dumps([list(site) for site in trace.sites]))
        arrays[f"{tower}/tokens"] = np.array(json.dumps([vars(token) for token in trace.tokens], ensure_ascii=False))
    with open(path, "wb") as file:  # a name given to NumPy would get .npz appended
        np.savez_compressed(file, **arrays)


def load_npz(path: str | Path) -> dict[str, Trace]:
    """Reads what `save_npz` wrote: one `Trace` a tower, its tokens with the attributes they were saved with."""
    with np.load(path) as file:
        return {
            tower: Trace(
                file[f"{tower}/weights"],
                tuple(Site(*site) for site in json.loads(str(file[f"{tower}/sites"]))),
                tuple(SimpleNamespace(**token) for token in json.loads(str(file[f"{tower}/tokens"]))),
            )
            for tower in (name.removesuffix("/weights") for name in file.files if name.endswith("/weights"))
        }
