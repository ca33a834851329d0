"""Which head, all heads in one cell: layers × modules coloured by their place in the triangle of the three heads.

Colour is `theme.mix`, fixed for all figures; the digit in a cell is the head that leads there, so that nothing hangs on
hue alone. Beside it stand two numbers that are easily confused, in grey:

    entropy    of a single token's routing, averaged over the tokens: low where the router decides token by token
    distance   of the tokens' mean from uniform: high only where it decides the same for all of them
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from math import log2
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageDraw

from visualize import routing, theme, trace as read

ROW = (11, 26)  # pixels a layer has at the least and at the most
LEAD = 0.01  # a head that is less than this ahead of the next does not lead
HEADING, NAMES, GAP = 26, 18, 16  # pixels: a tower's title, its modules' names, what parts towers
TRIANGLE = 64  # pixels a side of the legend


def overview(
    traces: Mapping[str, Any],
    *,
    tokens: Mapping[str, np.ndarray] | None = None,
    unadapted: Mapping[str, Sequence[str]] = read.UNADAPTED,
    dark: bool = False,
) -> go.Figure:
    """Layers × modules of every tower in `traces`, averaged over `tokens` (tower → mask; all where it has none).

    Modules are those of the trace's own sites and those named `unadapted` for its tower; where a layer has no adapted
    module of that name, the cell is hatched and says so. Hovering gives every head's mean, entropy and distance.
    With more than three heads there is no triangle: then it is the panel view, of the first tower. About 40 kB of JSON
    for crab-mini, 130 kB for the released model. A tower of which no token was chosen is left out; none at all: a
    figure with a sentence.
    """
    chosen = _chosen(traces, tokens or {})
    if not chosen:
        return theme.sentence("No tokens of this kind were traced.", dark)
    if (fallen := _more_heads(traces, chosen, dark)) is not None:
        return fallen
    figure = _towers(traces, chosen, unadapted, dark, numbers=True)
    counts = " · ".join(f"{read.TOWERS.get(name, name).lower()} {int(mask.sum())}" for name, mask in chosen.items())
    lines = [
        "A cell is the mean over tokens: " + counts + ".",
        "Hue: which heads lead; digit: the first of them, “·” where none is 1 point ahead.",
        "Strength: how far from all alike, to the power 0.6, the same in all figures.",
        "Grey: 0…1, how undecided a token is, and how far the mean is from all alike. Hatched: not adapted.",
    ]
    return _legend(figure, lines, dark)


def token_view(
    traces: Mapping[str, Any],
    i: int,
    *,
    tower: str = "language",
    unadapted: Mapping[str, Sequence[str]] = read.UNADAPTED,
    dark: bool = False,
) -> go.Figure:
    """Which heads in which layers take token `i` of `tower`: layers × modules, of every tower that had it.

    A piece of sound or picture is shown in its encoder too, as the mean over the positions it came from
    (`trace.counterparts`). Hovering gives every head's weight in per cent.
    """
    if not 0 <= i < len(traces[tower].tokens):
        return theme.sentence("There is no such token in this trace.", dark)
    chosen = _chosen(traces, read.counterparts(traces, tower, i))
    if (fallen := _more_heads(traces, chosen, dark)) is not None:
        return fallen
    figure = _towers(traces, chosen, unadapted, dark, numbers=False)
    token = escape(read.token_name(traces[tower].tokens[i]))
    lines = [
        f"<b>Token {i}: {token}</b>",
        "Hue: which heads lead; digit: the first of them, “·” where none is 1 point ahead.",
        "Strength: how far from all alike, to the power 0.6. Hatched: not adapted.",
    ]
    return _legend(figure, lines, dark)


def _chosen(traces: Mapping[str, Any], tokens: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    masks = {name: np.asarray(tokens.get(name, np.ones(len(trace.tokens), bool))) for name, trace in traces.items()}
    order = sorted(masks, key=lambda name: list(read.TOWERS).index(name) if name in read.TOWERS else len(read.TOWERS))
    return {name: masks[name] for name in order if traces[name].weights.size and masks[name].any()}


def _more_heads(traces: Mapping[str, Any], chosen: Mapping[str, np.ndarray], dark: bool) -> go.Figure | None:
    """The panel view of the first tower, where a triangle cannot hold the heads."""
    name = next(iter(chosen))
    if traces[name].weights.shape[2] <= len(theme.HEADS):
        return None
    return routing.overview(traces[name], tokens=chosen[name], dark=dark)


def _towers(
    traces: Mapping[str, Any], chosen: Mapping[str, np.ndarray], unadapted: Mapping[str, Sequence[str]], dark: bool,
    *, numbers: bool,
) -> go.Figure:
    """Tower under tower, with the panels of numbers on the right; `layout.height` is that of the plot alone."""
    tone = theme.ink(dark)
    figure = go.Figure(layout=theme.layout(dark))
    rows = {name: len({site.layer for site in traces[name].sites}) for name in chosen}
    row = int(np.clip(330 / max(rows.values()), *ROW))
    heights = {name: HEADING + NAMES + row * rows[name] + GAP for name in chosen}
    total = sum(heights.values()) - GAP
    at = 0
    for place, name in enumerate(chosen):
        top = 1 - (at + HEADING + NAMES) / total
        domain = [max(0.0, top - row * rows[name] / total), top]
        title = f"<b>{read.TOWERS.get(name, name)}</b>"
        figure.add_annotation(
            text=title, x=0, xref="paper", xanchor="left", y=1 - at / total, yref="paper", yanchor="top",
            xshift=-36, showarrow=False, font={"size": 13},
        )
        _tower(
            figure, traces[name], chosen[name], unadapted.get(name, ()), tone, dark, place=place, domain=domain, row=row,
            numbers=numbers,
        )  # fmt: skip
        at += heights[name]
    figure.update_layout(height=total, barmode="overlay", bargap=0, showlegend=False)
    return figure


def _tower(
    figure: go.Figure, trace: Any, mask: np.ndarray, unadapted: Sequence[str], tone: dict[str, str], dark: bool,
    *, place: int, domain: list[float], row: int, numbers: bool,
) -> None:  # fmt: skip
    columns = read.modules(trace, unadapted)
    shares = trace.weights[:, mask].astype(np.float32)  # (sites, chosen, heads)
    mean = shares.mean(1)  # (sites, heads)
    heads = mean.shape[-1]
    undecided = read.entropy(shares).mean(1) / log2(max(heads, 2))  # (sites,), 0…1
    far = read.distance(mean)
    layers, grid = read.by_cell(trace, np.concatenate([mean, undecided[:, None], far[:, None]], 1), columns)
    there = np.isfinite(grid[..., 0])  # (layers, modules)

    # Each cell its own colour: the z of a cell is its number, the scale a staircase of all cells' colours.
    cells = grid[there][:, :heads]
    stairs = [f"#{r:02X}{g:02X}{b:02X}" for r, g, b in theme.mix(cells, dark).tolist()]
    z = np.full(there.shape, np.nan, np.float32)
    z[there] = np.arange(len(cells))
    ordered = np.sort(cells, -1)
    leads = np.where(ordered[:, -1] - ordered[:, -2] >= LEAD if heads > 1 else True, cells.argmax(-1) + 1, 0)
    digits = np.full(there.shape, "", object)
    digits[there] = [str(lead) if lead else "·" for lead in leads]
    words = np.full(there.shape, "", object)
    words[there] = [
        " · ".join(f"{theme.head_name(k)} {100 * share:.1f} %" for k, share in enumerate(cell)) for cell in cells
    ]
    names = [[f"layer {layer} · {column}" for column in columns] for layer in layers]
    info = np.dstack([np.array(names, object), words, np.char.mod("%.2f", np.nan_to_num(grid[..., heads] * log2(max(heads, 2)))),
                      np.char.mod("%.2f", np.nan_to_num(grid[..., heads + 1]))])  # fmt: skip
    hover = (
        "%{customdata[0]}<br><b>%{customdata[1]}</b><br>"
        f"entropy of a token %{{customdata[2]}} of {log2(max(heads, 2)):.2f} bits<br>"
        "distance of the mean from all alike %{customdata[3]}<extra></extra>"
    )
    parts = [(0.0, 0.58), (0.64, 0.80), (0.84, 1.0)] if numbers else [(0.0, 1.0)]
    for part, (left, right) in enumerate(parts):
        axis = str(3 * place + part + 1) if place or part else ""
        common = {
            "xaxis": f"x{axis}", "yaxis": f"y{axis}", "showscale": False, "xgap": 1, "ygap": 1, "hoverongaps": False,
        }  # fmt: skip
        if part == 0:
            n = len(stairs)
            figure.add_heatmap(
                z=z, zmin=-0.5, zmax=n - 0.5, text=digits, texttemplate="%{text}",
                textfont={"size": 9 if row < 16 else 11},
                colorscale=[[edge / n, hue] for k, hue in enumerate(stairs) for edge in (k, k + 1)],
                meta="mix", customdata=info, hovertemplate=hover, **common,
            )  # fmt: skip
        else:
            what = "entropy of a token, as a share of the most" if part == 1 else "distance of the mean from all alike"
            figure.add_heatmap(
                z=np.round(grid[..., heads + part - 1], 3), zmin=0, zmax=1, colorscale=theme.grey_scale(dark),
                customdata=names, hovertemplate=f"%{{customdata}}<br>{what} <b>%{{z:.2f}}</b><extra></extra>", **common,
            )  # fmt: skip
        _absent(figure, there, columns, layers, axis, tone, row, words=part == 0)
        shown = range(0, len(layers), max(1, round(16 / row)))
        figure.layout[f"yaxis{axis}"] = theme.layer_axis(list(shown), [layers[i] for i in shown], len(layers), tone) | {
            "domain": domain, "anchor": f"x{axis}", "fixedrange": True,
        } | ({} if part == 0 else {"showticklabels": False, "title": None})  # fmt: skip
        figure.layout[f"xaxis{axis}"] = {
            "domain": [left, right], "anchor": f"y{axis}", "side": "top", "range": [-0.5, len(columns) - 0.5],
            "tickvals": list(range(len(columns))) if part == 0 else [(len(columns) - 1) / 2],
            "ticktext": [column.removesuffix("_proj").removeprefix("attn.") for column in columns]
            if part == 0 else ["entropy" if part == 1 else "distance"],
            "tickfont": {"size": 11, "color": tone["quiet"]}, "ticks": "", "showgrid": False, "zeroline": False,
            "tickangle": 0, "fixedrange": True,
        }  # fmt: skip


def _absent(
    figure: go.Figure, there: np.ndarray, columns: Sequence[str], layers: Sequence[int], axis: str, tone: dict[str, str],
    row: int, *, words: bool,
) -> None:  # fmt: skip
    """Hatching where a layer has no adapted module of that name."""
    spans = [
        (column, start, stop)
        for column in range(len(columns))
        for start, stop in read.runs(list(there[:, column]))
        if not there[start, column]
    ]
    if not spans:
        return
    figure.add_bar(
        x=[column for column, _, _ in spans],
        base=[start - 0.5 for _, start, _ in spans],
        y=[stop - start for _, start, stop in spans],
        width=[0.92] * len(spans),
        marker={
            "color": "rgba(0,0,0,0)", "line": {"color": tone["line"], "width": 1},
            "pattern": {"shape": "/", "fgcolor": tone["line"], "bgcolor": "rgba(0,0,0,0)", "size": 6, "solidity": 0.25},
        },
        customdata=[columns[column] for column, _, _ in spans],
        hovertemplate="%{customdata}: not adapted<extra></extra>",
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
    )  # fmt: skip
    for column, start, stop in spans if words else []:
        if row * (stop - start) >= 76:
            figure.add_annotation(
                text="not adapted", x=column, y=(start + stop - 1) / 2, xref=f"x{axis}", yref=f"y{axis}", textangle=-90,
                showarrow=False, font={"size": 10, "color": tone["quiet"]}, bgcolor=tone["ground"], borderpad=2,
            )


def _legend(figure: go.Figure, lines: list[str], dark: bool) -> go.Figure:
    """The triangle with its corners named, and the small print beside it, above the plot."""
    tone = theme.ink(dark)
    top, plot = TRIANGLE + 40, figure.layout.height
    figure.add_layout_image(
        source=triangle_source(dark), xref="paper", yref="paper", x=1, y=1 + 34 / plot, xanchor="right",
        yanchor="bottom", sizex=0.115, sizey=(TRIANGLE - 8) / plot, sizing="contain", layer="above",
    )  # fmt: skip
    theme.small_print(figure, lines, top - 6, tone)
    return figure.update_layout(height=top + plot + 10, margin={"l": 44, "r": 12, "t": top, "b": 10})


def triangle(dark: bool, side: int = 240) -> Image.Image:
    """The legend: every mix of three heads at its place, corners numbered (1 on top, 2 on the left, 3 on the right)."""
    pad, height = side // 7, round(side * 0.866)
    y, x = np.mgrid[0:height, 0:side].astype(np.float64)
    one = 1 - (y + 0.5) / height
    three = (x + 0.5) / side - one / 2
    shares = np.stack([one, 1 - one - three, three], -1)
    inside = (shares >= -1e-3).all(-1)
    colours = theme.mix(np.clip(shares, 0, 1) / np.clip(shares, 0, 1).sum(-1, keepdims=True), dark)
    picture = np.zeros((height + 2 * pad, side + 2 * pad, 4), np.uint8)
    picture[pad:-pad, pad:-pad, :3] = colours
    picture[pad:-pad, pad:-pad, 3] = 255 * inside
    image = Image.fromarray(picture)
    pen, font = ImageDraw.Draw(image), theme.font(pad)
    ink = theme.ink(dark)["text"]
    for digit, (px, py) in zip("123", ((pad + side / 2, pad / 2), (pad / 2, pad + height), (side + 1.5 * pad, pad + height))):
        pen.text((px, py), digit, font=font, fill=ink, anchor="mm")
    return image


def triangle_source(dark: bool) -> str:
    """`triangle` as a data URL."""
    buffer = io.BytesIO()
    triangle(dark, 112).quantize(64).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


# --- by modality ---


def modalities(trace: Any, *, only: str | None = None, limits: tuple[float, float] = (0.0, 1.0), dark: bool = False) -> go.Figure:
    """Mean share of each head by layer, a small panel a modality (or `only` one, large): text, sound, video, answer.

    The mean is over the modality's tokens and the layer's modules; hovering also gives the quartiles over them. Heads
    differ by dash and marker beside hue; the dotted line is all heads alike; the scale is `limits`, and another than 0…1 is said.
    """
    groups = {name: mask for name, mask in read.token_groups(trace).items() if only in (None, name)}
    if not trace.weights.size or not groups:
        return theme.sentence("No tokens of this kind were traced.", dark)
    tone = theme.ink(dark)
    heads = trace.weights.shape[2]
    layers = sorted({site.layer for site in trace.sites})
    of_layer = np.array([site.layer for site in trace.sites])
    low, high = (100 * limit for limit in limits)
    scale_ticks = [low, (low + high) / 2, high]
    cut = "" if tuple(limits) == (0.0, 1.0) else f"; <b>scale cut to {low:.0f}–{high:.0f} %</b>"
    figure = go.Figure(layout=theme.layout(dark))
    across = min(2, len(groups))
    down = -(-len(groups) // across)
    panel, heading, foot = (300 if only else 150), 24, 34
    total = down * (heading + panel + foot) - foot
    wide = 0.46 if across == 2 else 1.0
    for place, (name, mask) in enumerate(groups.items()):
        column, line = place % across, place // across
        top = 1 - (line * (heading + panel + foot) + heading) / total
        axis = str(place + 1) if place else ""
        left = column * (1 - wide)
        per_layer = [trace.weights[of_layer == layer][:, mask].astype(np.float32) for layer in layers]
        for k in range(heads):
            quarters = [[100 * float(q) for q in np.percentile(shares[..., k], (25, 75))] for shares in per_layer]
            figure.add_scatter(
                x=layers, y=[round(100 * float(shares[..., k].mean()), 2) for shares in per_layer],
                mode="lines+markers", line={"color": theme.head_colour(k), "dash": theme.DASHES[k % 3], "width": 2},
                marker={"symbol": theme.MARKERS[k % 3], "size": 7}, name=theme.head_name(k), legendgroup=str(k),
                showlegend=place == 0, customdata=np.round(quarters, 1), xaxis=f"x{axis}", yaxis=f"y{axis}",
                hovertemplate="<b>%{fullData.name} %{y:.1f} %</b>, half of them %{customdata[0]}–%{customdata[1]} %"
                "<extra></extra>",
            )  # fmt: skip
        figure.add_shape(
            type="line", x0=0, x1=1, xref=f"x{axis} domain", y0=100 / heads, y1=100 / heads, yref=f"y{axis}",
            line={"color": tone["quiet"], "width": 1, "dash": "dot"}, layer="below",
        )  # fmt: skip
        figure.add_annotation(
            text=f"<b>{read.MODALITIES.get(name, name)}</b>  <span style='color:{tone['quiet']}'>{int(mask.sum())} tokens{cut}</span>",
            x=left, xref="paper", xanchor="left", y=top, yref="paper", yanchor="bottom", yshift=4, showarrow=False,
        )  # fmt: skip
        step = max(1, len(layers) // 7)
        small = {"ticks": "", "zeroline": False, "tickfont": {"size": 10, "color": tone["quiet"]}}
        figure.layout[f"yaxis{axis}"] = small | {
            "domain": [max(0, top - panel / total), top], "range": [low, high],
            "tickvals": scale_ticks, "ticktext": [f"{tick:.0f} %" for tick in scale_ticks], "gridcolor": tone["line"], "anchor": f"x{axis}", "fixedrange": True,
        }  # fmt: skip
        figure.layout[f"xaxis{axis}"] = small | {
            "domain": [left, left + wide], "range": [layers[0] - 0.4, layers[-1] + 0.4], "tickvals": layers[::step],
            "showgrid": False, "anchor": f"y{axis}", "title": {"text": "layer", "font": {"size": 11, "color": tone["quiet"]},
            "standoff": 2}, "fixedrange": True, "hoverformat": "layer d",
        }  # fmt: skip
    return figure.update_layout(
        height=total + 46 + 52, margin={"l": 44, "r": 12, "t": 52, "b": 46}, hovermode="x unified",
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1 + 48 / total, "yanchor": "top", "font": {"size": 11}},
    )  # fmt: skip
