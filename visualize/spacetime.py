"""Routing in the clip's own space and time: over its pictures, under its sound, along its seconds.

Every view can say which token stands where, so that one that is pointed at is shown in all of them:

    frame_cells     (rows, cols) positions of the cells of the picture at a time
    figures         `customdata[0]` of every point is its position in the trace
    figures         shapes[0] is the playhead and shapes[1] the chosen stretch; a page moves them by setting their `x0`,
                    `x1` and `visible`, as on the timeline, whose margins these figures share

Seconds are the clip's. A trace is one tower's: of "language", or of "vision" (finer patches) or "audio" (20 ms).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageDraw

from visualize import theme, timeline, trace as read

SAMPLE_RATE = 16_000
MELS, WINDOW, COLUMNS = 48, 400, 360  # mel bands; samples a window; columns a figure uses at the most
LOUD = (-90.0, -10.0)  # decibels of a full-scale sine that the grey scale spans, fixed
LEFT, RIGHT = 66, 16  # margins, those of the timeline


# --- over the pictures ---


def frame_cells(trace: Any, time: float, *, source: int = 0) -> np.ndarray | None:
    """Positions of the tokens that show the picture at second `time` of clip `source`: (rows, cols) int.

    That is the last grid step that had begun by then (a step is two frames), or the first. A picture has one for all
    times. None where the trace saw no picture.
    """
    seen = [i for i, token in enumerate(trace.tokens) if token.row is not None and token.source == source]
    if not seen:
        return None
    starts = sorted({trace.tokens[i].start for i in seen})
    start = max((s for s in starts if s <= time + 1e-6), default=starts[0])
    cells = [(i, trace.tokens[i]) for i in seen if trace.tokens[i].start == start]
    grid = np.full((max(t.row for _, t in cells) + 1, max(t.col for _, t in cells) + 1), -1)
    for i, token in cells:
        grid[token.row, token.col] = i
    return grid


def frame_overlay(
    trace: Any,
    size: tuple[int, int],
    time: float,
    *,
    source: int = 0,
    head: int | None = None,
    sites: np.ndarray | Sequence[int] | None = None,
    chosen: int | None = None,
    dark: bool = False,
) -> np.ndarray | None:
    """Head weights patch by patch, to be laid over the frame at second `time`: (height, width, 4) uint8, RGBA.

    `size` is the frame's (height, width), whose aspect ratio the model did not keep: its cells are as wide as the frame
    divided by their number. `head` None: colour is the mix of heads and opacity how far they are from all alike, with
    the leading head's digit in each cell where there is room. `head` k: that head's hue, clear at weight 0 and, at
    weight 1, as opaque as it gets (0.85). Means are over `sites` (mask or indices; all if None). Token `chosen` is
    outlined if it is among the cells. None where the trace saw no picture.
    """
    grid = frame_cells(trace, time, source=source)
    if grid is None or not trace.weights.size:
        return None
    height, width = size
    shares = _over(trace, sites)[grid.ravel()].reshape(*grid.shape, -1)  # (rows, cols, heads)
    if head is None:
        strength = read.distance(shares) ** theme.MIX_POWER
        # Colours at full strength: opacity alone says how far from alike, once.
        excess = shares - shares.min(-1, keepdims=True)
        total = excess.sum(-1, keepdims=True)
        colours = theme.mix(np.where(total > 1e-6, excess / np.maximum(total, 1e-6), 1 / shares.shape[-1]), dark)
        opacity = 0.85 * strength
    else:
        colours = np.broadcast_to(np.array(theme.rgb(theme.head_colour(head)), np.uint8), (*grid.shape, 3))
        opacity = 0.85 * shares[..., head]
    opacity = np.where(grid < 0, 0, opacity)
    cells = np.dstack([colours, np.rint(255 * opacity).astype(np.uint8)])
    rows = np.minimum(np.arange(height) * grid.shape[0] // height, grid.shape[0] - 1)
    cols = np.minimum(np.arange(width) * grid.shape[1] // width, grid.shape[1] - 1)
    picture = Image.fromarray(cells[rows][:, cols])

    pen = ImageDraw.Draw(picture)
    tall, wide = height / grid.shape[0], width / grid.shape[1]
    letter = int(min(tall, wide, 3 * 16) // 3)
    for row, col in np.ndindex(*grid.shape) if head is None and letter >= 8 else []:
        ordered = np.sort(shares[row, col])
        if grid[row, col] >= 0 and (len(ordered) < 2 or ordered[-1] - ordered[-2] >= 0.01):
            digit, at = str(int(shares[row, col].argmax()) + 1), ((col + 0.5) * wide, (row + 0.5) * tall)
            pen.text(at, digit, font=theme.font(letter), fill="white", anchor="mm", stroke_width=max(1, letter // 8),
                     stroke_fill=(16, 20, 28))  # fmt: skip
    for row, col in np.argwhere(grid == chosen) if chosen is not None else []:
        box = [col * wide, row * tall, (col + 1) * wide - 1, (row + 1) * tall - 1]
        pen.rectangle(box, outline=(16, 20, 28, 255), width=max(4, letter // 3))
        inner = [box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1]
        pen.rectangle(inner, outline=(255, 255, 255, 255), width=max(2, letter // 6))
    return np.asarray(picture)


# --- along the seconds ---


def curves(
    trace: Any, duration: float, *, sites: np.ndarray | Sequence[int] | None = None, source: int = 0,
    playhead: float | None = None, chosen: int | None = None, limits: tuple[float, float] = (0.0, 1.0), dark: bool = False,
) -> go.Figure:  # fmt: skip
    """Mean weight of each head along the clip's seconds: sound, pictures; and apart, along the answer's tokens.

    The mean is over `sites` (mask or indices; all if None), and over a picture's cells; a sound of more than 360 tokens
    is averaged in columns, and the figure says so. Heads differ by dash and marker beside hue; the scale is `limits`,
    and another than 0…1 is said. `playhead` in seconds, `chosen`
    a position of the trace. Nothing that has a time, and no answer: a figure with a sentence.
    """
    rows = [
        (name, group) for name in ("audio", "video", "image", "generated")
        if (group := [i for i, t in enumerate(trace.tokens) if t.modality == name and t.source == source])
    ]  # fmt: skip
    if not rows or not trace.weights.size:
        return theme.sentence("No sound, no pictures and no answer: nothing here has a time.", dark)
    tone = theme.ink(dark)
    duration = duration or 1.0
    mean = _over(trace, sites)
    heads = mean.shape[1]
    low, high = (100 * limit for limit in limits)
    scale_ticks = [low, (low + high) / 2, high]
    figure = go.Figure(layout=theme.layout(dark))
    panel, heading, foot = 96, 22, 26
    timed = [name for name, _ in rows if name != "generated"]
    total = len(rows) * (panel + heading) + (foot if timed and len(timed) < len(rows) else 0)
    at, floor = 0, 1.0
    for place, (name, group) in enumerate(rows):
        answer = name == "generated"
        at += heading + (foot if answer and place else 0)
        domain = [max(0.0, 1 - (at + panel) / total), 1 - at / total]
        at += panel
        floor = floor if answer else domain[0]
        axis = str(place + 1) if place else ""
        if answer:
            x, shares, who = np.arange(len(group)), mean[group], np.array(group)
            told = [_quoted(trace.tokens[i].text) for i in group]
        elif name == "audio":
            x, shares, who = _sampled(trace, group, mean, duration)
            told = [f"{second:.2f} s" for second in x]
        else:
            steps = read.runs([trace.tokens[i].start for i in group])
            x = np.array([_middle(trace.tokens[group[a]]) for a, _ in steps])
            shares = np.array([mean[group[a:b]].mean(0) for a, b in steps])
            who = np.array([group[a] for a, _ in steps])
            told = [read.token_name(trace.tokens[i]).partition(", row")[0] for i in who]
        few = len(x) <= 60
        for k in range(heads):
            figure.add_scatter(
                x=np.round(x, 3), y=np.round(100 * shares[:, k], 1), mode="lines+markers" if few else "lines",
                line={"color": theme.head_colour(k), "dash": theme.DASHES[k % 3], "width": 2 if few else 1.5},
                marker={"symbol": theme.MARKERS[k % 3], "size": 6}, name=theme.head_name(k), legendgroup=str(k),
                showlegend=place == 0, xaxis=f"x{axis}", yaxis=f"y{axis}",
                customdata=[[int(i), text] for i, text in zip(who, told)],
                hovertemplate="%{customdata[1]}: <b>%{fullData.name} %{y:.1f} %</b><extra></extra>",
            )  # fmt: skip
        small = {"ticks": "", "zeroline": False, "tickfont": {"size": 10, "color": tone["quiet"]}, "fixedrange": True}
        figure.layout[f"yaxis{axis}"] = small | {
            "domain": domain, "range": [low, high], "tickvals": scale_ticks,
            "ticktext": [f"{tick:.0f} %" for tick in scale_ticks],
            "gridcolor": tone["line"], "anchor": f"x{axis}",
        }  # fmt: skip
        figure.layout[f"xaxis{axis}"] = small | (
            {"range": [-0.5, max(len(group), 2) - 0.5], "title": {"text": "token of the answer", "standoff": 2,
             "font": {"size": 11, "color": tone["quiet"]}}, "showgrid": False}
            if answer else _seconds(duration, tone, labels=name == timed[-1])
        ) | {"anchor": f"y{axis}"}  # fmt: skip
        note = f"{len(group)} tokens" if len(x) in (len(group), 1) or name != "audio" else (
            f"{len(group)} tokens in {len(x)} columns")  # fmt: skip
        if place == 0 and tuple(limits) != (0.0, 1.0):
            note += f"; <b>scale cut to {low:.0f}–{high:.0f} %</b>"
        figure.add_annotation(
            text=f"<b>{read.MODALITIES[name]}</b>  <span style='color:{tone['quiet']}'>{note}</span>", x=0, xref="paper",
            xanchor="left", y=domain[1], yref="paper", yanchor="bottom", yshift=3, showarrow=False,
        )  # fmt: skip
        figure.add_shape(
            type="line", x0=0, x1=1, xref=f"x{axis} domain", y0=100 / heads, y1=100 / heads, yref=f"y{axis}",
            line={"color": tone["quiet"], "width": 1, "dash": "dot"}, layer="below",
        )  # fmt: skip
    shapes = list(figure.layout.shapes)
    word = {"visible": False, "x0": 0, "x1": 0}
    if chosen is not None and rows[-1][0] == "generated" and chosen in rows[-1][1]:
        place = rows[-1][1].index(chosen)
        word = {"visible": True, "x0": place - 0.4, "x1": place + 0.4}
    figure.layout.shapes = [*_moving(trace, chosen, playhead, tone, floor=floor if timed else None), *shapes]
    if rows[-1][0] == "generated":
        axis = str(len(rows)) if len(rows) > 1 else ""
        figure.add_shape(name="chosen word", type="rect", y0=0, y1=1, xref=f"x{axis}", yref=f"y{axis} domain",
                         line={"width": 0}, fillcolor=tone["quiet"], opacity=0.3, layer="below", **word)  # fmt: skip
    return figure.update_layout(
        height=total + 40 + 38, margin={"l": LEFT, "r": RIGHT, "t": 24, "b": 54}, hovermode="x",
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom", "font": {"size": 11}},
    )  # fmt: skip


def spectrogram(
    samples: np.ndarray, trace: Any, *, duration: float | None = None, start: float = 0.0, source: int = 0,
    sites: np.ndarray | Sequence[int] | None = None, playhead: float | None = None, chosen: int | None = None,
    dark: bool = False,
) -> go.Figure:  # fmt: skip
    """Log-mel spectrogram of `samples` (16 kHz mono, from second `start`) and under it which heads its tokens took.

    The grey scale is fixed at −90…−10 dB of a full-scale sine. Below, on the same seconds: the mix of heads (its digit
    is in the hover) and a strip a head, on the scale 0…1; what no token heard is blank. Means are over `sites` (all if None). `duration`: seconds of the axis,
    by default those of the samples. No samples and no sound tokens: a figure with a sentence. At most 150 kB of JSON.
    """
    heard = [i for i, token in enumerate(trace.tokens) if token.modality == "audio" and token.source == source]
    if not len(samples) and not heard:
        return theme.sentence("There is no sound in this clip.", dark)
    duration = duration or start + len(samples) / SAMPLE_RATE or 1.0
    tone = theme.ink(dark)
    figure = go.Figure(layout=theme.layout(dark))
    heads = trace.weights.shape[2]
    sound, gap, thick, thin = 150, 30, 22, 13
    total = sound + gap + thick + 6 + heads * (thin + 2)

    level, step = log_mel(samples, columns=COLUMNS) if len(samples) else (np.zeros((MELS, 0), np.float32), 1.0)
    edges = mel_edges()
    ticks = [int(np.argmin(np.abs(edges[1:-1] - hertz))) for hertz in (250, 1000, 4000)]
    figure.add_heatmap(
        z=np.rint(level).astype(np.int8), x0=start + step / 2, dx=step, y0=0, dy=1, zmin=LOUD[0], zmax=LOUD[1],
        colorscale=theme.grey_scale(dark), showscale=False, hovertemplate="%{x:.2f} s · %{z} dB<extra></extra>",
        xaxis="x", yaxis="y",
    )  # fmt: skip
    figure.layout.yaxis = {
        "domain": [1 - sound / total, 1], "range": [-0.5, MELS - 0.5], "tickvals": ticks, "fixedrange": True,
        "ticktext": ["250 Hz", "1 kHz", "4 kHz"], "tickfont": {"size": 10, "color": tone["quiet"]}, "ticks": "",
        "showgrid": False, "zeroline": False,
    }  # fmt: skip
    figure.layout.xaxis = _seconds(duration, tone, labels=True) | {"anchor": "y"}

    mean = _over(trace, sites)
    x, shares, who = _sampled(trace, heard, mean, duration, gaps=True) if heard else (np.zeros(0), mean[:0], [])
    figure.layout.xaxis2 = _seconds(duration, tone, labels=False) | {"matches": "x", "anchor": f"y{heads + 2}"}
    names = [f"{'' if i < 0 else read.token_name(trace.tokens[i])}" for i in who]
    top = 1 - (sound + gap) / total
    for line in range(heads + 1):
        size = thick if line == 0 else thin
        axis = f"y{line + 2}"
        label = "mix" if line == 0 else theme.head_name(line - 1)
        figure.layout[f"yaxis{line + 2}"] = {
            "domain": [max(0.0, top - size / total), top], "range": [-0.5, 0.5], "tickvals": [0], "ticktext": [label],
            "tickfont": {"size": 10, "color": tone["quiet"]}, "ticks": "", "showgrid": False, "zeroline": False,
            "fixedrange": True, "anchor": "x2",
        }  # fmt: skip
        top -= (size + (6 if line == 0 else 2)) / total
        if not len(x):
            continue
        z = np.full((1, len(x)), np.nan, np.float32)
        there = np.asarray(who) >= 0
        if line == 0:
            z[0, there] = np.arange(there.sum())
            stairs, n = theme.hexes(theme.mix(shares[there], dark)), int(there.sum())
            scale = {"zmin": -0.5, "zmax": n - 0.5,
                     "colorscale": [[e / n, hue] for k, hue in enumerate(stairs) for e in (k, k + 1)]}  # fmt: skip
            info = [[[int(i), name, " · ".join(f"{k + 1}: {100 * s:.0f} %" for k, s in enumerate(row))]
                     for i, name, row in zip(who, names, np.nan_to_num(shares))]]  # fmt: skip
            text = "%{customdata[1]}<br>heads <b>%{customdata[2]}</b><extra></extra>"
        else:
            z[0, there] = np.rint(1000 * shares[there, line - 1]) / 10
            scale = {"zmin": 0, "zmax": 100, "colorscale": theme.plotly_scale(line - 1, dark)}
            info = [[[int(i)] for i in who]]
            text = f"%{{x:.2f}} s<br><b>{label} %{{z:.1f}} %</b><extra></extra>"
        figure.add_heatmap(
            z=z, x0=float(x[0]), dx=float(x[1] - x[0]) if len(x) > 1 else duration, y0=0, dy=1, showscale=False,
            hoverongaps=False, customdata=info, hovertemplate=text, xaxis="x2", yaxis=axis, **scale,
        )  # fmt: skip
    figure.layout.shapes = _moving(trace, chosen, playhead, tone, floor=0.0)
    return figure.update_layout(height=total + 18, margin={"l": LEFT, "r": RIGHT, "t": 8, "b": 10}, hovermode="closest")


def _over(trace: Any, sites: np.ndarray | Sequence[int] | None) -> np.ndarray:
    """Mean over `sites`: (tokens, heads) float32."""
    return (trace.weights if sites is None else trace.weights[np.asarray(sites)]).mean(0, dtype=np.float32)


def _sampled(
    trace: Any, group: list[int], mean: np.ndarray, duration: float, *, gaps: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tokens of `group` on an even clock: middles of its steps (s), shares (steps, heads), a token of each (−1: none).

    A step is as long as the group's tokens, or longer, so that there are at most `COLUMNS`. Without `gaps`, steps that
    no token heard are left out.
    """
    tokens = [trace.tokens[i] for i in group]
    length = float(np.median([token.end - token.start for token in tokens])) or 0.04
    n = max(1, min(COLUMNS, int(np.ceil(duration / length - 1e-6))))
    step = duration / n
    column = np.clip(((np.array([_middle(token) for token in tokens])) / step).astype(int), 0, n - 1)
    inside = np.array([token.start < duration for token in tokens])
    shares, counts, who = np.zeros((n, mean.shape[1]), np.float32), np.zeros(n), np.full(n, -1)
    np.add.at(shares, column[inside], mean[np.array(group)[inside]])
    np.add.at(counts, column[inside], 1)
    who[column[inside][::-1]] = np.array(group)[inside][::-1]  # the first of each
    shares /= np.maximum(counts, 1)[:, None]
    # Steps and tokens are not quite of one length: a single empty step between two full ones is a matter of rounding.
    for i in np.flatnonzero(who[1:-1] < 0) + 1:
        if who[i - 1] >= 0 and counts[i + 1]:
            shares[i], who[i] = shares[i - 1], who[i - 1]
    middles = step * (np.arange(n) + 0.5)
    kept = slice(None) if gaps else who >= 0
    return middles[kept], shares[kept], who[kept]


def _middle(token: Any) -> float:
    return (token.start + (token.start if token.end is None else token.end)) / 2


def _seconds(duration: float, tone: Mapping[str, str], *, labels: bool) -> dict[str, Any]:
    """The x axis of the clip's seconds, as the timeline has it."""
    ticks = timeline.ticks(duration)
    return {
        "range": [0, duration], "tickvals": ticks, "ticktext": [timeline.clock(tick, duration) for tick in ticks],
        "tickfont": {"size": 11, "color": tone["quiet"]}, "ticks": "", "gridcolor": tone["line"], "griddash": "dot",
        "zeroline": False, "showticklabels": labels, "fixedrange": True,
    }  # fmt: skip


def _moving(
    trace: Any, chosen: int | None, playhead: float | None, tone: Mapping[str, str], *, floor: float | None
) -> list[dict[str, Any]]:
    """The shapes a page moves: the playhead, and the chosen token's stretch."""
    token = None if chosen is None else trace.tokens[chosen]
    timed = token is not None and token.start is not None and floor is not None
    common = {"xref": "x", "yref": "paper", "y0": floor or 0, "y1": 1}
    now = playhead or 0.0
    line = {"name": "playhead", "type": "line", "x0": now, "x1": now, "layer": "above",
            "visible": playhead is not None and floor is not None, "line": {"color": tone["text"], "width": 2}}  # fmt: skip
    band = {"name": "chosen", "type": "rect", "x0": token.start if timed else 0, "visible": timed, "layer": "above",
            "x1": max(token.end or 0, token.start + 0.04) if timed else 0, "fillcolor": tone["quiet"], "opacity": 0.35,
            "line": {"color": tone["text"], "width": 1}}  # fmt: skip
    return [line | common, band | common]


def _quoted(text: str) -> str:
    return f"“{escape(read.visible(text))}”"


# --- mel ---


def mel_edges() -> np.ndarray:
    """Edges of the mel bands in hertz, (MELS + 2,), 0…8 kHz, on Slaney's scale as Whisper's filters have it.

    Linear to 1 kHz (66.7 Hz a mel), logarithmic above (27 mels for a factor of 6.4); Slaney 1998, Auditory Toolbox.
    """
    top = 15 + 27 * np.log(8000 / 1000) / np.log(6.4)
    mels = np.linspace(0, top, MELS + 2)
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))


def log_mel(samples: np.ndarray, *, columns: int) -> tuple[np.ndarray, float]:
    """Level by mel band and time of 16 kHz `samples`: (MELS, at most `columns`) decibels; and seconds a column.

    0 dB is a full-scale sine. A window is 25 ms (Hann) every 10 ms; a column is the mean power of its windows.
    """
    samples = np.asarray(samples, np.float32)
    hop = 160
    padded = np.pad(samples, (WINDOW // 2, WINDOW // 2 + hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::hop][: max(1, -(-len(samples) // hop))]
    window = np.hanning(WINDOW).astype(np.float32)
    hertz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
    edges = mel_edges()
    rise = (hertz[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - hertz[None]) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.clip(np.minimum(rise, fall), 0, None)  # (mels, bins)
    # The narrowest bands may fall between two bins: they take the nearest.
    for band in np.flatnonzero(filters.sum(1) < 1e-3):
        filters[band, np.abs(hertz - edges[band + 1]).argmin()] = 1
    full = (window.sum() / 2) ** 2
    n = len(frames)
    each = -(-n // columns)
    power = np.concatenate([
        (np.abs(np.fft.rfft(frames[i : i + 4096] * window, axis=1)) ** 2 / full) @ filters.T for i in range(0, n, 4096)
    ])  # (frames, mels); in pieces, because an hour would be gigabytes  # fmt: skip
    power = np.add.reduceat(power, np.arange(0, n, each)) / np.diff([*range(0, n, each), n])[:, None]
    return 10 * np.log10(np.maximum(power.T, 1e-12)).astype(np.float32), each * hop / SAMPLE_RATE
