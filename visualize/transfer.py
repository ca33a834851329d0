"""Many runs: how tasks route, which of them route alike, and what each loses without a head.

Everything is drawn from plain arrays and names; how they were measured is for the caller to say (`note`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go

from visualize import theme

NAMES = 104  # pixels left of a matrix, for the tasks' names


def family_marks(families: Sequence[str]) -> dict[str, tuple[str, str]]:
    """(colour, Plotly symbol) of each family, in order of first appearance."""
    names = list(dict.fromkeys(families))
    return {
        name: (theme.FAMILIES[i % len(theme.FAMILIES)], theme.SYMBOLS[i % len(theme.SYMBOLS)])
        for i, name in enumerate(names)
    }


def signatures(
    means: np.ndarray, tasks: Sequence[str], *, low: np.ndarray | None = None, high: np.ndarray | None = None,
    layers: Sequence[int] | None = None, looked: str = "", note: str = "", dark: bool = False,
) -> go.Figure:  # fmt: skip
    """Tasks × (layer, head): mean router weight, a panel a head, on the scale 0…1. The task `looked` for is bold.

    `means` (tasks, layers, heads); `low`, `high` of the same shape bound the confidence interval that the hover shows;
    `layers` are their numbers (0… if None). Rows stay in the order they come in.
    """
    means, low, high = (None if of is None else np.asarray(of, np.float32) for of in (means, low, high))
    if not means.size:
        return theme.sentence("No runs: there is nothing to compare.", dark)
    tone = theme.ink(dark)
    n_tasks, n_layers, heads = means.shape
    layers = list(range(n_layers)) if layers is None else list(layers)
    figure = go.Figure(layout=theme.layout(dark))
    row, wide = 17, (1 - 0.03 * (heads - 1)) / heads
    step = max(1, round(n_layers / 7))
    for k in range(heads):
        axis, left = str(k + 1) if k else "", k * (wide + 0.03)
        interval = low is not None and high is not None
        spread = [
            [[f"layer {layer}", f"{100 * low[i, j, k]:.1f}–{100 * high[i, j, k]:.1f} %" if interval else ""]
             for j, layer in enumerate(layers)] for i in range(n_tasks)
        ]  # fmt: skip
        figure.add_heatmap(
            z=np.round(100 * means[..., k], 1), zmin=0, zmax=100, colorscale=theme.plotly_scale(k, dark), showscale=False,
            xgap=1, ygap=1, customdata=spread, xaxis=f"x{axis}", yaxis=f"y{axis}", text=[[escape(t)] * n_layers for t in tasks],
            hovertemplate=f"%{{text}} · %{{customdata[0]}}<br><b>{theme.head_name(k)} %{{z:.1f}} %</b>"
            + ("<br>interval %{customdata[1]}" if interval else "") + "<extra></extra>",
        )  # fmt: skip
        figure.layout[f"yaxis{axis}"] = _names(tasks, tone, shown=k == 0) | {"anchor": f"x{axis}"}
        figure.layout[f"xaxis{axis}"] = _bare(tone) | {
            "domain": [left, left + wide], "anchor": f"y{axis}", "range": [-0.5, n_layers - 0.5],
            "tickvals": list(range(0, n_layers, step)), "ticktext": [str(layer) for layer in layers[::step]],
            "title": {"text": "layer", "font": {"size": 11, "color": tone["quiet"]}, "standoff": 2},
        }  # fmt: skip
        figure.add_annotation(
            text=f"<span style='color:{theme.head_colour(k)}'>■</span> <b>{theme.head_name(k)}</b>", x=left, xref="paper",
            xanchor="left", y=1, yref="paper", yanchor="bottom", yshift=3, showarrow=False,
        )  # fmt: skip
    if looked in tasks:
        at = list(tasks).index(looked)
        figure.layout.yaxis.ticktext = [f"<b>{escape(t)}</b>" if t == looked else escape(t) for t in tasks]
        figure.add_shape(
            type="rect", xref="paper", x0=0, x1=1, y0=at - 0.5, y1=at + 0.5, line={"color": tone["text"], "width": 1.5}
        )
    lines = [f"Mean router weight, scale 0–100 %; {100 / heads:.0f} % = all heads alike.", *([note] if note else [])]
    top = 30 + 14 * len(lines)
    theme.small_print(figure, lines, top - 4, tone)
    return figure.update_layout(height=top + row * n_tasks + 40, margin={"l": NAMES, "r": 8, "t": top, "b": 40})


def order(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Rows so that what is alike stands together, and the tree: leaves (n,) of average linkage in optimal leaf order,
    and SciPy's linkage matrix (None for fewer than two). `distance` (n, n), symmetric, zero on its diagonal."""
    from scipy.cluster import hierarchy  # which the page does not wait for when it starts
    from scipy.spatial.distance import squareform

    n = len(distance)
    if n < 2:
        return np.arange(n), None
    condensed = squareform(np.clip((distance + distance.T) / 2, 0, None) * (1 - np.eye(n)), checks=False)
    tree = hierarchy.optimal_leaf_ordering(hierarchy.linkage(condensed, "average"), condensed)
    return hierarchy.leaves_list(tree), tree


def similarity(
    values: np.ndarray, tasks: Sequence[str], *, families: Sequence[str] | None = None,
    limits: tuple[float, float] = (0.0, 1.0), measure: str = "similarity", note: str = "", dark: bool = False,
) -> go.Figure:  # fmt: skip
    """Tasks × tasks, ordered by the dendrogram that is drawn on its right (average linkage of 1 − `values`).

    `values` (n, n) symmetric, 1 = alike, named `measure` in the hover. The grey scale is `limits`, and another than
    0…1 is said. `families`, one a task, put each family's colour and symbol beside the names.
    """
    values = np.asarray(values, np.float64)
    if not values.size:
        return theme.sentence("No runs: there is nothing to compare.", dark)
    tone = theme.ink(dark)
    n = len(values)
    leaves, tree = order(1 - values)
    tasks_in_order = [tasks[i] for i in leaves]
    figure = go.Figure(layout=theme.layout(dark))
    row = int(np.clip(380 / n, 15, 30))
    shown = values[np.ix_(leaves, leaves)]
    pairs = [[f"{escape(a)} and {escape(b)}" for b in tasks_in_order] for a in tasks_in_order]
    figure.add_heatmap(
        z=np.round(shown, 4), zmin=limits[0], zmax=limits[1], colorscale=theme.grey_scale(dark), xgap=1, ygap=1,
        showscale=False, customdata=pairs, hovertemplate=f"%{{customdata}}<br><b>{measure} %{{z:.3f}}</b><extra></extra>",
        texttemplate="%{z:.2f}" if n <= 12 else None, textfont={"size": 9},
    )  # fmt: skip
    figure.layout.xaxis = _bare(tone) | {"domain": [0, 0.72], "range": [-0.5, n - 0.5], "side": "bottom",
        "tickvals": list(range(n)), "ticktext": tasks_in_order, "tickangle": -60}  # fmt: skip
    figure.layout.yaxis = _names(tasks_in_order, tone, shown=True)
    if tree is not None:
        from scipy.cluster.hierarchy import dendrogram

        lines = dendrogram(tree, no_plot=True)  # leaves at 5, 15, 25, …
        x, y, told = [], [], []
        for heights, places in zip(lines["dcoord"], lines["icoord"]):
            x += [*heights, None]
            y += [*((place - 5) / 10 for place in places), None]
            told += [1 - max(heights)] * 4 + [None]
        figure.add_scatter(
            x=x, y=y, mode="lines", line={"color": tone["quiet"], "width": 1.5, "shape": "linear"}, xaxis="x2", yaxis="y",
            customdata=told, hovertemplate=f"joined at {measure} %{{customdata:.3f}}<extra></extra>", showlegend=False,
        )  # fmt: skip
        top_distance = float(tree[-1, 2]) or 1.0
        figure.layout.xaxis2 = _bare(tone) | {
            "domain": [0.78, 1], "anchor": "y", "range": [-0.03 * top_distance, 1.05 * top_distance], "showticklabels": True,
            "tickvals": [0, top_distance], "ticktext": ["1", f"{1 - top_distance:.2f}"],
            "title": {"text": f"{measure} of groups", "font": {"size": 11, "color": tone["quiet"]}, "standoff": 2},
        }  # fmt: skip
    lines = [f"Grey scale {limits[0]:g} to {limits[1]:g}, dark is alike.".replace("dark", "light" if dark else "dark")]
    if tuple(limits) != (0.0, 1.0):
        lines[0] = f"<b>Scale {limits[0]:g} to {limits[1]:g}</b>, {'light' if dark else 'dark'} is alike."
    lines += [note] if note else []
    marks = {}
    if families is not None:
        marks = family_marks(families)
        figure.add_scatter(
            x=[0.985] * n, y=list(range(n)), mode="markers", xaxis="x3", yaxis="y", showlegend=False,
            marker={"color": [marks[families[i]][0] for i in leaves], "symbol": [marks[families[i]][1] for i in leaves],
                    "size": 9},
            customdata=[families[i] for i in leaves], hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
        figure.layout.xaxis3 = _bare(tone) | {"domain": [0.725, 0.765], "range": [0.9, 1.07], "anchor": "y",
                                             "showticklabels": False}  # fmt: skip
        _family_legend(figure, marks)
    top = 12 + 14 * len(lines) + (44 if marks else 0)
    theme.small_print(figure, lines, top - 4, tone)
    figure.update_layout(height=top + row * n + 96, margin={"l": NAMES, "r": 12, "t": top, "b": 84})
    if marks:
        figure.layout.legend = _legend(44, row * n)
    return figure


def projection(
    points: np.ndarray, families: Sequence[str], labels: Sequence[str], *,
    own: Sequence[tuple[float, float, str]] = (), explained: tuple[float, float] | None = None, note: str = "", dark: bool = False,
) -> go.Figure:  # fmt: skip
    """Every run a point: `points` (runs, 2), its family's colour and symbol, `labels` in the hover.

    Both axes have one unit, so that distances can be compared. `own` are the visitor's runs, (x, y, name) each, ringed
    crosses with their names; `explained` the two shares of variance (0…1) written at the axes.
    """
    points = np.asarray(points, np.float64).reshape(-1, 2)
    if not len(points):
        return theme.sentence("No runs: there is nothing to compare.", dark)
    tone = theme.ink(dark)
    marks = family_marks(families)
    figure = go.Figure(layout=theme.layout(dark))
    for name, (hue, symbol) in marks.items():
        mine = [i for i, family in enumerate(families) if family == name]
        figure.add_scatter(
            x=np.round(points[mine, 0], 4), y=np.round(points[mine, 1], 4), mode="markers", name=name,
            marker={"color": hue, "symbol": symbol, "size": 8 if len(points) <= 120 else 6, "opacity": 0.85,
                    "line": {"color": tone["ground"], "width": 0.5}},
            customdata=[escape(labels[i]) for i in mine], hovertemplate="<b>%{customdata}</b><br>" + escape(name) + "<extra></extra>",
        )  # fmt: skip
    for x, y, name in own:
        figure.add_scatter(
            x=[x], y=[y], mode="markers", showlegend=False, name=name,
            marker={"symbol": "circle-x-open", "size": 18, "color": tone["text"], "line": {"width": 2.5, "color": tone["text"]}},
            hovertemplate=f"<b>{escape(name)}</b><extra></extra>",
        )  # fmt: skip
        figure.add_annotation(x=x, y=y, text=f"<b>{escape(name)}</b>", showarrow=False, yshift=20, bgcolor=tone["ground"],
                              borderpad=2)  # fmt: skip
    for axis, place in (("xaxis", 0), ("yaxis", 1)):
        share = f" ({100 * explained[place]:.0f} % of the variance)" if explained else ""
        figure.layout[axis] = _bare(tone) | {
            "title": {"text": f"component {place + 1}{share}", "font": {"size": 11, "color": tone["quiet"]}, "standoff": 4},
            "showgrid": True, "gridcolor": tone["line"], "zeroline": False, "showticklabels": True,
        }  # fmt: skip
    figure.layout.yaxis.scaleanchor = "x"
    lines = [f"{len(points)} runs, a point each; near = routed alike.", *([note] if note else [])]
    height, top = 380, 12 + 14 * len(lines) + 44
    theme.small_print(figure, lines, top - 4, tone)
    return figure.update_layout(height=height + top + 44, margin={"l": 52, "r": 12, "t": top, "b": 44},
                                legend=_legend(44, height), showlegend=True, hovermode="closest")  # fmt: skip


def damage(
    values: np.ndarray, rows: Sequence[str], families: Sequence[str], *, low: np.ndarray | None = None,
    high: np.ndarray | None = None, counts: Mapping[str, int] | None = None,
    unit: str = "change of score", note: str = "", dark: bool = False,
) -> go.Figure:  # fmt: skip
    """Intervention × family: how much a score changes, numbers in the cells, on a scale centred at zero.

    `values` (rows, families), negative is worse, of scores 0…1; NaN was not measured. `rows` are what was done ("head 1
    muted"). `low`, `high` bound the interval in the hover; a cell whose interval spans zero is bracketed and has no
    colour, as not told from nothing. The scale is ±1, the most a score can change. `counts`: how many questions of each family.
    """
    values = np.asarray(values, np.float32)
    if not values.size:
        return theme.sentence("No runs: there is nothing to compare.", dark)
    tone = theme.ink(dark)
    interval = low is not None and high is not None
    told, shown = [], []
    vague = (low <= 0) & (high >= 0) if interval else np.zeros(values.shape, bool)
    for i, what in enumerate(rows):
        told.append([])
        shown.append([])
        for j, family in enumerate(families):
            n = f", {counts[family]} questions" if counts and family in counts else ""
            spread = f"<br>interval {low[i, j]:+.3f} to {high[i, j]:+.3f}" if interval else ""
            told[-1].append(f"{escape(what)}: {escape(family)}{n}<br><b>{unit} {values[i, j]:+.3f}</b>{spread}")
            number = "not measured" if np.isnan(values[i, j]) else f"{values[i, j]:+.2f}".replace("-", "−")
            shown[-1].append(f"({number})" if vague[i, j] else number)
    figure = go.Figure(layout=theme.layout(dark))
    figure.add_heatmap(
        z=np.where(vague, 0, values), zmin=-1, zmax=1, zmid=0, colorscale=theme.diverging_scale(dark),
        showscale=False, xgap=2, ygap=2, text=shown, texttemplate="%{text}", textfont={"size": 11}, customdata=told, hoverongaps=False,
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    row = 34
    figure.layout.yaxis = _names(rows, tone, shown=True)
    figure.layout.xaxis = _bare(tone) | {"range": [-0.5, len(families) - 0.5], "tickvals": list(range(len(families))),
                                         "ticktext": list(families), "side": "top", "tickangle": 0}  # fmt: skip
    less, more = (f"<span style='color:{hue}'>■</span>" for hue in (theme.LESS, theme.MORE))
    lines = [f"{unit}: {less} − worse, {more} + better; the scale is ±1."]
    if interval:
        clear = ~vague & np.isfinite(values)
        many = f"{clear.sum()} of {np.isfinite(values).sum()} effects are" if clear.any() else "No effect is"
        asked = f", over {sum(counts.values())} questions" if counts else ""
        lines.append(
            f"{many} told from zero{asked}; of the others, in brackets and without a colour, the interval spans it."
        )
    lines += [note] if note else []
    top = 36 + 14 * len(lines)
    theme.small_print(figure, lines, top - 4, tone)
    return figure.update_layout(height=top + row * len(rows) + 12, margin={"l": NAMES + 90, "r": 8, "t": top, "b": 12})


def _bare(tone: Mapping[str, str]) -> dict:
    return {"ticks": "", "showgrid": False, "zeroline": False, "tickfont": {"size": 10, "color": tone["quiet"]}}


def _names(names: Sequence[str], tone: Mapping[str, str], *, shown: bool) -> dict:
    """A y axis of names, first on top."""
    return _bare(tone) | {
        "range": [len(names) - 0.5, -0.5], "tickvals": list(range(len(names))), "ticktext": [escape(name) for name in names],
        "showticklabels": shown, "tickfont": {"size": 11, "color": tone["text"]}, "ticklabelstandoff": 4,
    }  # fmt: skip


def _family_legend(figure: go.Figure, marks: Mapping[str, tuple[str, str]]) -> None:
    for name, (hue, symbol) in marks.items():
        figure.add_scatter(x=[None], y=[None], mode="markers", name=name, xaxis="x", yaxis="y",
                           marker={"color": hue, "symbol": symbol, "size": 9})  # fmt: skip


def _legend(pixels: int, plot: int) -> dict:
    return {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 1 + pixels / plot,
        "yanchor": "top",
        "font": {"size": 11},
    }
