"""The router's pictures for print, by Matplotlib: SVG and PDF with real text, PNG at 200 dots an inch.

Light ground, the same colours, scales and second cues as on the screen; widths are inches of a text column.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from crab import __version__
from crab.trace import RoutingTrace, Site
from visualize import difference, theme
from visualize import trace as read

STYLE = {
    "font.family": "sans-serif", "font.size": 8, "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": "#5A6372", "xtick.color": "#5A6372", "ytick.color": "#5A6372", "svg.fonttype": "none",
    "pdf.fonttype": 42, "hatch.linewidth": 0.4, "svg.hashsalt": "crab",
}  # fmt: skip
WIDTH = 6.8
LINES = ("-", "--", ":")
MARKS = ("o", "^", "s")


def overview(traces: Mapping[str, RoutingTrace], *, unadapted: Mapping[str, Sequence[str]] = read.UNADAPTED) -> Figure:
    """Layers × modules by tower: the mix of heads, with the leading head's digit; hatched: not adapted."""
    names = [name for name in (*read.TOWERS, *(n for n in traces if n not in read.TOWERS)) if name in traces]
    names = [name for name in names if traces[name].weights.size]
    rows = [len({site.layer for site in traces[name].sites}) for name in names]
    size = 0.2 if max(rows, default=1) <= 12 else 0.125  # inches a layer
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, sum(rows) * size + 0.62 * len(names) + 0.3), layout="constrained")
        axes = figure.subplots(len(names) or 1, 1, squeeze=False, height_ratios=rows or None)[:, 0]
        for axis, name in zip(axes, names):
            trace = traces[name]
            columns = read.modules(trace, unadapted.get(name, ()))
            layers, grid = read.by_cell(trace, trace.weights.mean(1, dtype=np.float32), columns)
            there = np.isfinite(grid[..., 0])
            colours = theme.mix(np.nan_to_num(grid, nan=1 / grid.shape[-1]), False)
            colours[~there] = 255
            axis.imshow(colours, aspect="auto", interpolation="nearest")
            for row, column in np.ndindex(*there.shape):
                if there[row, column]:
                    ordered = np.sort(grid[row, column])
                    lead = len(ordered) < 2 or ordered[-1] - ordered[-2] >= 0.01
                    axis.text(column, row, str(int(grid[row, column].argmax()) + 1) if lead else "·", ha="center",
                              va="center", fontsize=6, color=theme.ink_on(colours[row, column][None])[0], in_layout=False)  # fmt: skip
                else:
                    axis.add_patch(
                        Rectangle(
                            (column - 0.5, row - 0.5),
                            1,
                            1,
                            fill=False,
                            hatch="////",
                            lw=0,
                            ec="#C3C9D3",
                            in_layout=False,
                        )
                    )
            for column in np.flatnonzero(~there.any(0)):
                axis.text(column, (len(layers) - 1) / 2, "not adapted", rotation=90, ha="center", va="center", fontsize=6,
                          color="#5A6372", bbox={"fc": "white", "ec": "none", "pad": 1.5}, in_layout=False)  # fmt: skip
            axis.set_xticks(range(len(columns)), [column.removesuffix("_proj") for column in columns])
            step = max(1, round(0.16 / size))
            axis.set_yticks(range(0, len(layers), step), layers[::step])
            axis.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
            axis.set_ylabel("layer", color="#5A6372")
            axis.set_title(read.TOWERS.get(name, name), loc="left", fontweight="bold", fontsize=9)
            axis.spines[:].set_visible(False)
        figure.supxlabel("hue: which heads lead, digit: the first; strength: distance from all alike to the power 0.6", fontsize=7,
                         color="#5A6372")  # fmt: skip
    return figure


def heatmap(trace: RoutingTrace) -> Figure:
    """Sites × tokens, a panel a head on the scale 0…1, tokens bracketed by modality. The panels are pictures inside."""
    order = sorted(range(len(trace.sites)), key=lambda i: trace.sites[i].layer)
    heads = trace.weights.shape[2]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.55 * heads + 0.5), layout="constrained")
        axes = figure.subplots(heads, 1, sharex=True, squeeze=False)[:, 0]
        for k, axis in enumerate(axes):
            shown = axis.imshow(trace.weights[order][:, :, k].astype(np.float32), vmin=0, vmax=1, cmap=_head_map(k),
                                aspect="auto", interpolation="nearest", rasterized=True)  # fmt: skip
            bar = figure.colorbar(shown, ax=axis, ticks=[0, 1 / heads, 1], aspect=14, pad=0.01)
            bar.ax.set_yticklabels(["0 %", f"{100 / heads:.0f} %", "100 %"])
            bar.outline.set_visible(False)
            runs = read.runs([trace.sites[i].layer for i in order])
            step = max(1, round(len(runs) / 7))
            axis.set_yticks(
                [(a + b - 1) / 2 for a, b in runs[::step]], [trace.sites[order[a]].layer for a, _ in runs[::step]]
            )
            axis.set_ylabel("layer", color="#5A6372")
            axis.set_title(theme.head_name(k), loc="left", fontweight="bold", fontsize=9, color=theme.head_colour(k))
            axis.tick_params(length=0)
            axis.spines[:].set_visible(False)
        middles, names = [], []
        for a, b in read.modality_runs(trace.tokens):
            for axis in axes if a else []:
                axis.axvline(a - 0.5, color="#5A6372", lw=0.6, ls=":")
            if b - a > len(trace.tokens) / 16:
                middles.append((a + b - 1) / 2)
                names.append(read.MODALITIES.get(trace.tokens[a].modality, trace.tokens[a].modality))
        axes[-1].set_xticks(middles, names)
    return figure


def modality(trace: RoutingTrace) -> Figure:
    """Mean share of each head by layer, a panel a modality, scale 0…100 %; dotted grey: all heads alike."""
    groups = read.token_groups(trace)
    layers = sorted({site.layer for site in trace.sites})
    of_layer = np.array([site.layer for site in trace.sites])
    heads = trace.weights.shape[2]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.9), layout="constrained")
        axes = figure.subplots(1, len(groups) or 1, sharey=True, squeeze=False)[0]
        for axis, (name, mask) in zip(axes, groups.items()):
            shares = np.array(
                [trace.weights[of_layer == layer][:, mask].mean((0, 1), dtype=np.float32) for layer in layers]
            )
            axis.axhline(100 / heads, color="#9AA2AE", lw=0.8, ls=(0, (1, 2)))
            for k in range(heads):
                axis.plot(layers, 100 * shares[:, k], color=theme.head_colour(k), ls=LINES[k % 3], marker=MARKS[k % 3], ms=3,
                          lw=1.2, label=theme.head_name(k))  # fmt: skip
            axis.set_ylim(0, 100)
            axis.set_title(f"{read.MODALITIES.get(name, name)} ({int(mask.sum())})", loc="left", fontsize=9)
            axis.set_xlabel("layer", color="#5A6372")
        axes[0].set_ylabel("share, %", color="#5A6372")
        if groups:
            axes[-1].legend(frameon=False, fontsize=7, handlelength=2.6)
    return figure


def tokens(trace: RoutingTrace, *, modalities: Sequence[str] = ("generated",)) -> Figure:
    """The words as a ribbon, each on its mix of heads, over a bar a head (0…100 %), mean over all sites."""
    wanted = [i for i, token in enumerate(trace.tokens) if token.modality in modalities and token.text]
    shares = trace.weights[:, wanted].mean(0, dtype=np.float32) if wanted else np.zeros((0, 3), np.float32)
    colours = theme.mix(shares, False) / 255 if wanted else shares
    placed, x, line = [], 0.0, 0
    for i in wanted:
        text = trace.tokens[i].text.replace("\n", "↵").replace("\t", "⇥").replace("$", r"\$")
        wide = 0.068 * max(1, len(trace.tokens[i].text)) + 0.04
        if x + wide > WIDTH - 0.1:
            x, line = 0.0, line + 1
        placed.append((text, x, line, wide))
        x += wide
    tall = 0.42
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, (line + 1) * tall + 0.1))
        axis = figure.add_axes((0, 0, 1, 1), xlim=(-0.05, WIDTH - 0.05), ylim=((line + 1) * tall + 0.05, -0.05))
        axis.axis("off")
        for (text, x, line, wide), share, colour in zip(placed, shares, colours):
            top = line * tall
            axis.add_patch(Rectangle((x, top), wide, 0.19, fc=colour, ec="white", lw=0.5))
            ink = theme.ink_on((255 * colour)[None])[0]
            axis.text(
                x + wide / 2,
                top + 0.1,
                text.strip(),
                ha="center",
                va="center",
                fontsize=7,
                color=ink,
                family="monospace",
            )
            for k, value in enumerate(share):
                each = wide / len(share)
                axis.add_patch(Rectangle((x + k * each, top + 0.35 - 0.15 * value), 0.85 * each, 0.15 * value,
                                         fc=theme.head_colour(k), ec="none"))  # fmt: skip
        if not placed:
            axis.text(0, 0.2, "There are no words here to show.")
    return figure


def compare(one: RoutingTrace, other: RoutingTrace, *, limit: float = difference.LIMIT) -> Figure:
    """Layers × modules, a panel a head: mean of `other` minus mean of `one`, on the fixed scale ±`limit`, signed numbers."""
    rows, values = difference.paired(one, other)
    if values is None:
        raise ValueError("These two runs have no site in common.")
    holder = RoutingTrace(values, tuple(Site("", layer, module) for layer, module in rows), ())
    columns = read.modules(holder)
    layers, grid = read.by_cell(holder, values[:, 0], columns)
    heads = grid.shape[-1]
    size = 0.2 if len(layers) <= 12 else 0.13
    ends = [[value / 255 for value in colour] for colour in
            (*reversed(theme.hue_scale(theme.LESS, False)), *theme.hue_scale(theme.MORE, False))]  # fmt: skip
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, len(layers) * size + 1.0), layout="constrained")
        axes = figure.subplots(1, heads, sharey=True, squeeze=False)[0]
        for k, axis in enumerate(axes):
            shown = axis.imshow(100 * grid[..., k], vmin=-100 * limit, vmax=100 * limit, aspect="auto",
                                cmap=LinearSegmentedColormap.from_list("difference", ends, 512), interpolation="nearest")  # fmt: skip
            for row, column in np.ndindex(*grid.shape[:2]):
                value = grid[row, column, k]
                if np.isfinite(value) and round(100 * float(value)):
                    axis.text(column, row, f"{round(100 * float(value)):+d}".replace("-", "−"), ha="center", va="center",
                              fontsize=5.5, color="white" if abs(value) > 0.55 * limit else "black", in_layout=False)  # fmt: skip
            axis.set_xticks(range(len(columns)), [column.removesuffix("_proj") for column in columns], rotation=90)
            axis.set_title(theme.head_name(k), loc="left", fontweight="bold", fontsize=9, color=theme.head_colour(k))
            axis.tick_params(length=0)
            axis.spines[:].set_visible(False)
        step = max(1, round(0.16 / size))
        axes[0].set_yticks(range(0, len(layers), step), layers[::step])
        axes[0].set_ylabel("layer", color="#5A6372")
        bar = figure.colorbar(shown, ax=list(axes), aspect=20, pad=0.01, ticks=[-100 * limit, 0, 100 * limit])
        bar.set_label("second run minus first, points", color="#5A6372")
        bar.outline.set_visible(False)
    return figure


def described(figure: Figure, title: str, facts: Sequence[str] = (), *, heads: int = 0, mixed: bool = False) -> Figure:
    """The figure with a head above it: `title`, `facts`, a paragraph each, and what hues stand for which of `heads`.

    `mixed`: colours are mixes of the heads' hues, so the triangle of three heads stands beside the words.
    """
    triangle, title, facts = mixed and heads == 3, _printed(title), [_printed(fact) for fact in facts]
    lines = [line for fact in facts for line in textwrap.wrap(fact, 100 if triangle else 124) or [""]]
    legend = 0.17 * bool(heads)
    head = max(0.3 + 0.135 * len(lines) + legend, 0.85 * triangle) + 0.12
    wide, tall = figure.get_size_inches()
    share = tall / (tall + head)
    figure.set_size_inches(wide, tall + head)
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.set(rect=(0, 0, 1, share))  # type: ignore[call-arg]  # of a constrained layout
    else:
        for axis in figure.axes:
            left, bottom, width, height = axis.get_position().bounds
            axis.set_position((left, bottom * share, width, height * share))

    def write(x: float, down: float, text: str, **how: Any) -> None:
        figure.text(x / wide, 1 - down / (tall + head), text, va="top", parse_math=False, **how)

    with matplotlib.rc_context(STYLE):
        write(0.06, 0.06, title, fontsize=10, fontweight="bold")
        for number, line in enumerate(lines):
            write(0.06, 0.27 + 0.135 * number, line, fontsize=7, color="#5A6372")
        for k in range(heads):
            x, down = 0.06 + 0.75 * k, 0.27 + 0.135 * len(lines) + 0.03
            write(x, down, "■", fontsize=8, color=theme.head_colour(k))
            write(x + 0.13, down, theme.head_name(k), fontsize=7)
        if triangle:
            _triangle(figure, wide, tall + head)
    return figure


def _printed(text: str) -> str:
    """What may be written into every format: a file's name may hold bytes that are no characters."""
    text = text.encode(errors="backslashreplace").decode()
    return "".join(character if character.isprintable() else " " for character in text)


def _triangle(figure: Figure, wide: float, tall: float) -> None:
    """The legend of mixed hues in the upper right corner: a place for every mix of three heads, corners numbered."""
    side = 160
    one = 1 - (np.arange(side)[:, None] + 0.5) / side
    last = (np.arange(side)[None] + 0.5) / side - one / 2
    shares = np.stack([np.broadcast_to(one, last.shape), 1 - one - last, last], -1)
    inside = shares.min(-1) >= 0
    colours = np.dstack([theme.mix(np.where(inside[..., None], shares, 1 / 3), False), 255 * inside[..., None]])
    axis = figure.add_axes((1 - 0.86 / wide, 1 - 0.8 / tall, 0.7 / wide, 0.62 / tall))
    axis.set_in_layout(False)
    axis.imshow(colours.astype(np.uint8), aspect="auto", interpolation="nearest", extent=(0, 1, 0, 1))
    axis.axis("off")
    for k, (x, y, across) in enumerate(((0.5, 1.04, "center"), (-0.03, 0, "right"), (1.03, 0, "left"))):
        axis.text(x, y, str(k + 1), ha=across, va="bottom", fontsize=7, fontweight="bold")


def data(figure: Figure, format: str, *, title: str = "", facts: Sequence[str] = ()) -> bytes:
    """The figure as a file of `format` ("svg", "pdf", "png"), which says of itself what it is: `title` and `facts`.

    The same bytes for the same figure.
    """
    buffer, ours = BytesIO(), f"Crab+ {__version__}"
    title, told = _printed(title), "\n".join(map(_printed, facts))
    about: dict[str, Any] = {
        "svg": {"Date": None, "Title": title, "Description": told, "Creator": ours},
        "pdf": {"CreationDate": None, "Title": title, "Subject": told, "Creator": ours},
        "png": {"Title": title, "Description": told, "Software": ours},
    }[format]
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format=format, dpi=200, metadata=about, facecolor="white")
    return buffer.getvalue()


def save(figure: Figure, path: str | Path, *, title: str = "", facts: Sequence[str] = ()) -> None:
    """Writes the figure in the format its name ends in, as `data` makes it."""
    Path(path).write_bytes(data(figure, Path(path).suffix[1:].lower(), title=title, facts=facts))


def _head_map(head: int) -> LinearSegmentedColormap:
    colours = [[value / 255 for value in colour] for colour in theme.head_scale(head, False)]
    return LinearSegmentedColormap.from_list(f"head {head}", colours, 256)
