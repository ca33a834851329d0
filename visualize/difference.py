"""Two runs: where their routing differs, on a scale centred at zero, and where their words do."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from crab.trace import RoutingTrace, Site
from visualize import theme
from visualize import trace as read

LIMIT = 0.25  # of a weight's range 0…1; a difference beyond it has the colour of the end and is counted


def by_group(one: RoutingTrace, other: RoutingTrace, *, limit: float = LIMIT, dark: bool = False) -> go.Figure:
    """Sites × token groups of one tower, a panel a head: the mean weight in `other` minus that in `one`.

    Columns are the modalities that both traces have. Blue and − is less in `other`, brick and + is more; the scale is
    ±`limit` (of 1), fixed, and written under the title. Sites are matched by layer and module; those of one run only
    are left out and counted. Nothing in common: a figure with a sentence.
    """
    rows, columns, values, left_out = _paired(one, other)
    if values is None:
        return theme.sentence("These two runs have no site and no kind of token in common.", dark)
    tone = theme.ink(dark)
    heads = values.shape[2]
    labels = [read.MODALITIES.get(name, name) for name in columns]
    names = [[f"layer {layer} · {module} · {label}" for label in labels] for layer, module in rows]
    row = float(np.clip(420 / len(rows), 2.5, 16))
    figure = go.Figure(layout=theme.layout(dark))
    wide = (1 - 0.03 * (heads - 1)) / heads
    ticks = read.runs([layer for layer, _ in rows])
    apart = 14 / row
    marks: list[tuple[float, int]] = []
    for start, stop in ticks:
        if not marks or (start + stop - 1) / 2 - marks[-1][0] >= apart:
            marks.append(((start + stop - 1) / 2, rows[start][0]))
    for k in range(heads):
        axis = str(k + 1) if k else ""
        _heat(figure, values[..., k], names, k, limit, axis, dark, digits=row >= 11)
        figure.layout[f"yaxis{axis}"] = theme.layer_axis([at for at, _ in marks], [n for _, n in marks], len(rows), tone) | {
            "anchor": f"x{axis}"
        } | ({} if k == 0 else {"showticklabels": False, "title": None})  # fmt: skip
        left = k * (wide + 0.03)
        figure.layout[f"xaxis{axis}"] = _top_axis(labels, tone) | {"domain": [left, left + wide], "anchor": f"y{axis}"}
        _head_title(figure, k, left, values[..., k], tone)
    return _finish(figure, row * len(rows), limit, values, left_out, tone)


def by_module(one: RoutingTrace, other: RoutingTrace, *, limit: float = LIMIT, dark: bool = False) -> go.Figure:
    """Layers × modules, a panel a head: the mean over all tokens in `other` minus that in `one`; as `by_group`."""
    rows, _, values, left_out = _paired(one, other, groups=False)
    if values is None:
        return theme.sentence("These two runs have no site in common.", dark)
    tone = theme.ink(dark)
    heads = values.shape[2]
    sites = [Site("", layer, module) for layer, module in rows]
    holder = RoutingTrace(values, tuple(sites), ())
    columns = read.modules(holder)
    layers, grid = read.by_cell(holder, values[:, 0], columns)  # (layers, modules, heads)
    names = [[f"layer {layer} · {column}" for column in columns] for layer in layers]
    row = int(np.clip(330 / len(layers), 11, 26))
    figure = go.Figure(layout=theme.layout(dark))
    wide = (1 - 0.03 * (heads - 1)) / heads
    shown = range(0, len(layers), max(1, round(16 / row)))
    for k in range(heads):
        axis = str(k + 1) if k else ""
        _heat(figure, grid[..., k], names, k, limit, axis, dark, digits=True)
        figure.layout[f"yaxis{axis}"] = theme.layer_axis(list(shown), [layers[i] for i in shown], len(layers), tone) | {
            "anchor": f"x{axis}"
        } | ({} if k == 0 else {"showticklabels": False, "title": None})  # fmt: skip
        left = k * (wide + 0.03)
        labels = [column.removesuffix("_proj") for column in columns]
        figure.layout[f"xaxis{axis}"] = _top_axis(labels, tone) | {"domain": [left, left + wide], "anchor": f"y{axis}"}
        _head_title(figure, k, left, values[..., k], tone)
    return _finish(figure, row * len(layers), limit, values, left_out, tone)


def _paired(
    one: RoutingTrace, other: RoutingTrace, *, groups: bool = True
) -> tuple[list[tuple[int, str]], list[str], np.ndarray | None, int]:
    """Sites in common, groups in common, differences (sites, groups, heads) float32 or None, sites left out."""
    places = [{(site.layer, site.module): i for i, site in enumerate(trace.sites)} for trace in (one, other)]
    rows = sorted((key for key in places[0] if key in places[1]), key=lambda key: key[0])
    left_out = len(places[0].keys() ^ places[1].keys())
    masks = [read.token_groups(trace) if groups else {"": np.ones(len(trace.tokens), bool)} for trace in (one, other)]
    columns = [name for name in masks[0] if name in masks[1] and masks[0][name].any() and masks[1][name].any()]
    if not rows or not columns or one.weights.shape[2] != other.weights.shape[2]:
        return rows, columns, None, left_out
    means = [
        np.stack(
            [trace.weights[[place[key] for key in rows]][:, mask[name]].mean(1, dtype=np.float32) for name in columns],
            1,
        )
        for trace, place, mask in zip((one, other), places, masks)
    ]
    return rows, columns, means[1] - means[0], left_out


def paired(one: RoutingTrace, other: RoutingTrace) -> tuple[list[tuple[int, str]], np.ndarray | None]:
    """(layer, module) of the sites both have, and the means of `other` minus those of `one`, (sites, 1, heads) or None."""
    rows, _, values, _ = _paired(one, other, groups=False)
    return rows, values


def _heat(
    figure: go.Figure, values: np.ndarray, names: list[list[str]], head: int, limit: float, axis: str, dark: bool,
    *, digits: bool,
) -> None:  # fmt: skip
    points = np.round(100 * values, 1)
    figure.add_heatmap(
        z=points, zmin=-100 * limit, zmax=100 * limit, zmid=0, colorscale=theme.diverging_scale(dark), showscale=False,
        xgap=1, ygap=1 if digits else 0, hoverongaps=False, customdata=names,
        text=[[_signed(point) for point in line] for line in points] if digits else None,
        texttemplate="%{text}" if digits else None, textfont={"size": 9},
        hovertemplate=f"%{{customdata}}<br><b>{theme.head_name(head)} %{{z:+.1f}} points</b><extra></extra>",
        xaxis=f"x{axis}", yaxis=f"y{axis}",
    )  # fmt: skip


def _signed(points: float) -> str:
    """Whole points with their sign; nothing where they round to zero, or where there is no site."""
    return "" if np.isnan(points) or round(points) == 0 else f"{round(points):+d}".replace("-", "−")


def _top_axis(labels: Sequence[str], tone: dict[str, str]) -> dict[str, Any]:
    return {
        "side": "top", "range": [-0.5, len(labels) - 0.5], "tickvals": list(range(len(labels))), "ticktext": list(labels),
        "tickfont": {"size": 10, "color": tone["quiet"]}, "tickangle": 0, "ticks": "", "showgrid": False, "zeroline": False,
    }  # fmt: skip


def _head_title(figure: go.Figure, head: int, left: float, values: np.ndarray, tone: dict[str, str]) -> None:
    change = f"{100 * float(np.abs(values).mean()):.1f}"
    figure.add_annotation(
        text=f"<span style='color:{theme.head_colour(head)}'>■</span> <b>{theme.head_name(head)}</b>"
        f"  <span style='color:{tone['quiet']}'>moved {change} on average</span>",
        x=left, xref="paper", xanchor="left", y=1, yref="paper", yanchor="bottom", yshift=20, showarrow=False,
        font={"size": 12},
    )  # fmt: skip


def _finish(
    figure: go.Figure, height: float, limit: float, values: np.ndarray, left_out: int, tone: dict[str, str]
) -> go.Figure:
    beyond = int((np.abs(values) > limit).sum())
    less, more = (f"<span style='color:{hue}'>■</span>" for hue in (theme.LESS, theme.MORE))
    lines = [f"Second run minus first, in points of per cent. {less} − less, {more} + more; "
             f"the scale is ±{100 * limit:.0f} points" + (f", {beyond} beyond it" if beyond else "") + "."]  # fmt: skip
    if left_out:
        lines.append(f"{left_out} sites are adapted in one of the two runs only and are left out.")
    top = 52 + 14 * len(lines)
    theme.small_print(figure, lines, top - 4, tone)
    return figure.update_layout(height=int(top + height + 12), margin={"l": 44, "r": 8, "t": top, "b": 12})


STYLE = """<style>
.crab-diff { line-height: 1.9; white-space: pre-wrap; overflow-wrap: anywhere; }
.crab-diff ins, .crab-diff del { padding: .05em .25em; border-radius: .25em; }
.crab-diff ins { text-decoration: underline; text-decoration-thickness: 2px; text-underline-offset: .2em;
  background: color-mix(in srgb, MORE 22%, transparent); }
.crab-diff del { text-decoration: line-through; background: color-mix(in srgb, LESS 22%, transparent); }
.crab-diff small { font-weight: 700; }
.crab-shifts { display: flex; flex-wrap: wrap; gap: 6px 2px; line-height: 1.35; }
.crab-shifts span { padding: 1px 4px; border-radius: 4px; text-align: center; white-space: pre;
  background: color-mix(in srgb, var(--c) var(--p), transparent); }
.crab-shifts small { display: block; font-size: 12px; font-variant-numeric: tabular-nums; }
.crab-scale { display: flex; gap: 8px; align-items: center; margin-top: 10px; font-size: 12px; }
.crab-scale i { width: 160px; height: 10px; border-radius: 3px; background: linear-gradient(90deg,
  color-mix(in srgb, LESS 60%, transparent), transparent, color-mix(in srgb, MORE 60%, transparent)); }
</style>""".replace("MORE", theme.MORE).replace("LESS", theme.LESS)


def words(edits: Sequence[tuple[str, str, str]]) -> str:
    """HTML of how a text reads differently from another: <del> with a −, <ins> with a +, escaped.

    `edits`: ("equal" or what else difflib calls it, stretch before, stretch after), which joined are the texts. Signs,
    the line through and the line under carry what the colours do. Two equal texts: a sentence above.
    """
    parts = []
    for kind, before, after in edits:
        gone, new = escape(before), escape(after)
        if kind == "equal":
            parts.append(gone)
            continue
        if gone:
            parts.append(f"<del><small>−</small>{gone}</del>")
        if new:
            parts.append(f"<ins><small>+</small>{new}</ins>")
    alike = all(kind == "equal" for kind, *_ in edits)
    same = "<p>Both answers are the same, word for word.</p>" if alike else ""
    return f'{STYLE}<div class="crab-diff">{same}{"".join(parts)}</div>'


SCALES = (
    0.02,
    0.2,
    2.0,
)  # nats at full colour: the least that holds every token's, since what small changes do is seen too


def shifts(tokens: Sequence[tuple[str, float]]) -> str:
    """HTML of an answer's tokens, each with how much likelier another run finds it: (text, nats) as `Shift` has them.

    Blue and − is less likely, brick and + more. Which of `SCALES` is full colour stands below, on the scale itself;
    numbers have as many decimals as it needs. Escaped. Empty for no tokens.
    """
    if not tokens:
        return ""
    most = max(abs(nats) for _, nats in tokens)
    limit = next((scale for scale in SCALES if most <= scale), SCALES[-1])
    decimals = {0.02: 3, 0.2: 2}.get(limit, 1)
    parts = []
    for text, nats in tokens:
        number = f"{nats:+.{decimals}f}".replace("-", "−") if round(abs(nats), decimals) else "0"
        hue = theme.MORE if nats > 0 else theme.LESS
        share = 60 * min(abs(nats) / limit, 1) if number != "0" else 0
        parts.append(f'<span style="--c:{hue};--p:{share:.0f}%" title="{nats:+.4f} nats">{escape(text.strip() or "␣")}'
                     f"<small>{number}</small></span>")  # fmt: skip
    beyond = sum(abs(nats) > limit for _, nats in tokens)
    past = f"; {beyond} beyond" if beyond else ""
    return (
        f'{STYLE}<div class="crab-shifts">{"".join(parts)}</div><div class="crab-scale"><span>−{limit:g}</span><i></i>'
        f"<span>+{limit:g} nats{past}</span></div>"
        '<p class="key">Under each token of the first answer: how much likelier the second run finds it there, in nats '
        "(+0.7 is twice as likely, −0.7 half). Tokens are as the model writes them: times in tenths of the clip, places "
        "in 224ths of the picture.</p>"
    )
