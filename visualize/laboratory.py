"""What the transfer laboratory found: tasks by their change with intervals, and adapters of one task on others.

Drawn from plain names and numbers, as `crab.routing.lab` tells them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from visualize import evidence, theme

NAMES = 104  # pixels left, for the tasks' names
ROW = 24


def changes(
    tasks: Sequence[str], means: np.ndarray, low: np.ndarray, high: np.ndarray, *, what: str = "change of score",
    note: str = "", dark: bool = False,
) -> go.Figure:  # fmt: skip
    """Tasks sorted by how much they change against training alone, the greatest gain on top, each with its interval.

    `means`, `low`, `high` (tasks,). Gains and losses have the colours they have elsewhere; a task whose interval spans
    zero is hollow and grey, as not told from none.
    """
    means, low, high = (np.asarray(of, np.float64) for of in (means, low, high))
    if not len(means):
        return theme.sentence("No runs: there is nothing to compare.", dark)
    tone, order = theme.ink(dark), np.argsort(-means, kind="stable")
    figure = go.Figure(layout=theme.layout(dark))
    kinds = (
        ("gains", low > 0, theme.MORE, "circle"), ("loses", high < 0, theme.LESS, "circle"),
        ("undecided", (low <= 0) & (high >= 0), tone["quiet"], "circle-open"),
    )  # fmt: skip
    for name, mask, hue, symbol in kinds:
        rows = [row for row, i in enumerate(order) if mask[i]]
        those = order[rows]
        figure.add_scatter(
            x=means[those], y=rows, mode="markers", name=name, marker={"color": hue, "symbol": symbol, "size": 9},
            error_x={"type": "data", "symmetric": False, "array": high[those] - means[those],
                     "arrayminus": means[those] - low[those], "color": hue, "thickness": 2, "width": 4},
            customdata=[[escape(tasks[i]), f"{low[i]:+.3f} to {high[i]:+.3f}"] for i in those],
            hovertemplate=f"%{{customdata[0]}}, {name}<br><b>{what} %{{x:+.3f}}</b><br>interval %{{customdata[1]}}"
            "<extra></extra>", showlegend=False,
        )  # fmt: skip
    figure.add_vline(x=0, line={"color": tone["line"], "width": 1.5})
    figure.layout.yaxis = _names([tasks[i] for i in order], tone)
    figure.layout.xaxis = {"zeroline": False, "gridcolor": tone["line"], "tickfont": {"size": 10, "color": tone["quiet"]},
                           "title": {"text": what, "font": {"size": 11, "color": tone["quiet"]}, "standoff": 4}}  # fmt: skip
    counts = ", ".join(f"{int(mask.sum())} {name}" for name, mask, _, _ in kinds)
    lines = [f"{len(means)} tasks: {counts}. Bars are 95 % intervals.", *([note] if note else [])]
    top = 14 + 14 * len(lines)
    theme.small_print(figure, lines, top - 4, tone)
    return figure.update_layout(height=top + ROW * len(means) + 48, margin={"l": NAMES, "r": 12, "t": top, "b": 48})


def crossings(
    values: np.ndarray, tasks: Sequence[str], *, low: np.ndarray | None = None, high: np.ndarray | None = None,
    note: str = "", dark: bool = False,
) -> go.Figure:  # fmt: skip
    """Task × task: mean score of the adapter that learned the row's task alone, on the column's task, scale 0…1.

    `values` (tasks, tasks), NaN where it was not asked; `low`, `high` of the same shape bound the interval in the hover.
    """
    values = np.asarray(values, np.float64)
    if not values.size:
        return theme.sentence("No runs: there is nothing to compare.", dark)
    tone, n = theme.ink(dark), len(values)
    figure = go.Figure(layout=theme.layout(dark))
    told = [[_told(tasks[i], tasks[j], values[i, j], None if low is None else low[i, j],
                   None if high is None else high[i, j]) for j in range(n)] for i in range(n)]  # fmt: skip
    figure.add_heatmap(
        z=np.round(values, 4), zmin=0, zmax=1, colorscale=theme.grey_scale(dark), xgap=2, ygap=2, showscale=False,
        text=[["" if np.isnan(value) else f"{value:.2f}" for value in row] for row in values], texttemplate="%{text}",
        textfont={"size": 10}, customdata=told, hovertemplate="%{customdata}<extra></extra>", hoverongaps=False,
    )  # fmt: skip
    figure.layout.yaxis = _names(tasks, tone)
    figure.layout.xaxis = {
        "tickvals": list(range(n)), "ticktext": [escape(task) for task in tasks], "tickangle": -60, "showgrid": False,
        "zeroline": False, "range": [-0.5, n - 0.5], "tickfont": {"size": 11, "color": tone["text"]},
    }  # fmt: skip
    lines = ["Rows: what an adapter learned; columns: what it was asked. Empty: another form of answer, not asked."]
    lines += [note] if note else []
    top = 14 + 14 * len(lines)
    theme.small_print(figure, lines, top - 4, tone)
    return figure.update_layout(height=top + 30 * n + 84, margin={"l": NAMES, "r": 12, "t": top, "b": 84})


def costs(rows: Sequence[Any], words: Mapping[str, str], *, budget: str) -> str:
    """A table of `Cost`s as HTML, an arm a line (`words`: what each is): what its runs took, weigh and reach."""
    if not rows:
        return ""
    heads = (
        "Arm",
        "Runs",
        "Rounds",
        "Clips",
        "Seconds",
        "Peak MB",
        "Weights",
        "File MB",
        "Moved by its batch",
        "Score",
    )
    lines = []
    for one in rows:
        peak = "" if one.memory is None else f"{one.memory / 1e6:,.0f}"
        cells = (one.runs, "–".join(map(str, sorted(set(one.rounds)))), f"{one.clips:,.0f}", f"{one.seconds:,.0f}", peak,
                 f"{one.parameters:,.0f}", f"{one.bytes / 1e6:.1f}", f"{one.neighbours:.0e}")  # fmt: skip
        score = f"{one.score:.3f}<small>{one.low:.3f} to {one.high:.3f}</small>"
        lines.append(f"<tr><th scope='row'>{escape(words.get(one.arm, one.arm))}</th>"
                     + "".join(f"<td>{cell}</td>" for cell in (*cells, score)) + "</tr>")  # fmt: skip
    head = "".join(f"<th scope='col'>{name}</th>" for name in heads)
    return (f"{evidence.STYLE}<div class='crab-evidence'><table><caption class='key'>What each arm takes, a seed, {escape(budget)}; "
            "of adapters for single tasks all together. Moved by its batch: the largest change of a logit by what else is "
            f"asked with it; rounding is some 1e-5.</caption><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>")  # fmt: skip


def _told(on: str, task: str, value: float, low: float | None, high: float | None) -> str:
    interval = "" if low is None or high is None else f"<br>interval {low:.3f} to {high:.3f}"
    return f"learned {escape(on)}, asked {escape(task)}<br><b>score {value:.3f}</b>{interval}"


def _names(names: Sequence[str], tone) -> dict:
    """A y axis of names, first on top."""
    return {
        "range": [len(names) - 0.5, -0.5], "tickvals": list(range(len(names))),
        "ticktext": [escape(name) for name in names], "showgrid": False, "zeroline": False, "ticks": "",
        "tickfont": {"size": 11, "color": tone["text"]}, "ticklabelstandoff": 4,
    }  # fmt: skip
