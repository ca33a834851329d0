"""When: swim lanes over the clip's own seconds.

One lane a label, each in two halves that are always both there, because silence and absence say something too:

    dog barking  2–6 s
    ♪ heard   ────────██████████──────────      solid
    ◎ seen    ─▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨──      hatched, outlined
                0 s       2 s       4 s

What has a mask has a lane of one half, ◩ mask, tinted and outlined as the mask is on the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import log10
from typing import Any

import plotly.graph_objects as go

from crab.answer import Event
from visualize import theme

# Pixels; the y axis counts them downwards, so that figures of any number of lanes share one rhythm.
LANE, NAME, BAR, GAP = 58, 20, 13, 4
LEFT, RIGHT = 66, 16  # of the seconds; what stands above them on the page keeps to these too
SHOWN = 0.5  # seconds that what is of one moment stands before and after it
SENSES = {"audio": "heard", "visual": "seen"}
MASKED = "mask"  # what a lane is of where it says when something has a mask
GLYPHS = {"audio": "♪", "visual": "◎"}
SIGNS = GLYPHS | {MASKED: "◩"}  # of lanes


def masked(result: Any) -> tuple[Event, ...]:
    """When what has masks has them, as events of the modality `MASKED`: over time the seconds that they are of, together
    where one follows the other; of a single picture its second."""
    spans: dict[str, list[tuple[float, float]]] = {}
    names: dict[str, str] = {}
    for mask in result.masks:
        windows = [(one.start, one.end) for one in result.windows if one.start <= mask.time < one.end]
        start, end = windows[0] if result.over_time and windows else (mask.time - SHOWN, mask.time + SHOWN)
        name = names.setdefault(theme.key(mask.label), mask.label)
        of = spans.setdefault(name, [])
        if of and start <= of[-1][1]:
            start, _ = of.pop()
        of.append((max(0.0, start), min(end, result.clip.duration)))
    return tuple(Event(label, MASKED, *span) for label, of in spans.items() for span in of)


def timeline(
    events: Sequence[Any],
    duration: float,
    *,
    colours: Mapping[str, str] | None = None,
    unseen: Sequence[tuple[float, float]] = (),
    dark: bool = False,
) -> go.Figure:
    """Swim lanes of `Event`s over 0…`duration` seconds, in order of first appearance; those of `masked` after them.

    `colours` are those of the other views (`theme.answer_colours`); by default the events' own. Hovering gives seconds
    as they were said. What reaches past the clip is drawn up to its end. The axis stands still, so that a page can lay
    its playhead over it. Over `unseen`, the seconds from and to which nobody has looked, all lanes are hatched in grey.
    No events, or a clip that does not last: a figure with a sentence.
    """
    if not events or duration <= 0:
        why = "A picture stands still: there is no timeline." if duration <= 0 else "The answer names no times."
        return theme.sentence(why, dark)
    colours = theme.colours(event.label for event in events) if colours is None else colours
    tone = theme.ink(dark)
    lanes: dict[tuple[str, bool], list[Any]] = {}
    for event in sorted(events, key=lambda event: event.modality == MASKED):
        lanes.setdefault((theme.key(event.label), event.modality == MASKED), []).append(event)

    figure = go.Figure(layout=theme.layout(dark))
    shapes, extents, top = [], [], 0.0
    for (_, of_masks), lane in lanes.items():
        label = lane[0].label
        hue = theme.colour(colours, label)
        figure.add_annotation(
            text=f"<span style='color:{hue}'>■</span> <b>{escape(_short(label) or 'what it points at')}</b>"
            f"  <span style='color:{tone['quiet']}'>{_summary(lane)}</span>",
            x=0,
            y=top + NAME,
            xanchor="left",
            yanchor="bottom",
            xshift=-4,
            showarrow=False,
        )
        for half, sense in enumerate((MASKED,) if of_masks else SENSES):
            middle = top + NAME + BAR / 2 + half * (BAR + GAP)
            line = {"type": "line", "x0": 0, "x1": duration, "y0": middle, "y1": middle, "layer": "below"}
            shapes.append(line | {"line": {"color": tone["line"], "width": 1}})
            figure.add_annotation(
                text=f"{SIGNS[sense]} {SENSES.get(sense, sense)}",
                x=0,
                xref="paper",
                y=middle,
                xanchor="right",
                xshift=-8,
                showarrow=False,
                font={"size": 11, "color": tone["quiet"]},
            )
            modalities = (sense,) if of_masks else (sense, "both")
            _bars(figure, [event for event in lane if event.modality in modalities], sense, middle, duration, hue)
        extents.append((top + NAME, BAR if of_masks else 2 * BAR + GAP))
        top += LANE - (BAR + GAP) * of_masks
    height = top - GAP
    if unseen:
        _hatch(figure, unseen, extents, tone)
    marks = ticks(duration)
    figure.update_xaxes(
        range=[0, duration],
        tickvals=marks,
        ticktext=[f"{tick:g} s" for tick in marks],
        tickfont={"size": 11, "color": tone["quiet"]},
        ticks="",
        gridcolor=tone["line"],
        griddash="dot",
        zeroline=False,
        fixedrange=True,
    )
    figure.update_yaxes(range=[height, 0], visible=False, fixedrange=True)
    return figure.update_layout(
        shapes=shapes,
        barmode="overlay",
        barcornerradius=3,
        hovermode="closest",
        dragmode=False,
        showlegend=False,
        height=height + 36,
        margin={"l": LEFT, "r": RIGHT, "t": 8, "b": 28},
    )


def _bars(figure: go.Figure, events: list[Any], sense: str, middle: float, duration: float, hue: str) -> None:
    """One trace of bars on one half of a lane."""
    if not events:
        return
    moment = 0.006 * duration  # what is over at once, or starts at the very end, must be seen too
    starts = [min(max(event.start, 0), duration - moment) for event in events]
    lengths = [max(min(event.end, duration) - start, moment) for event, start in zip(events, starts)]
    tint = "rgba({},{},{},{})".format(*theme.rgb(hue), 0.15 if sense == "visual" else 0.4)
    outline = {"color": hue, "width": 1.5}
    if sense == "audio":
        marker = {"color": hue, "line": outline}
    elif sense == MASKED:
        marker = {"color": tint, "line": outline}
    else:
        pattern = {"shape": "/", "fgcolor": hue, "bgcolor": tint, "size": 6, "solidity": 0.4, "fillmode": "replace"}
        marker = {"color": hue, "pattern": pattern, "line": outline}
    figure.add_bar(
        orientation="h",
        base=starts,
        x=lengths,
        y=[middle] * len(events),
        width=BAR,
        marker=marker,
        name=SENSES.get(sense, sense),
        customdata=[[event.start, event.end, event.end - event.start] for event in events],
        hovertemplate=f"<b>{escape(_short(events[0].label))}</b> {SENSES.get(sense, sense)}<br>"
        "%{customdata[0]:.2~f}–%{customdata[1]:.2~f} s (%{customdata[2]:.2~f} s)<extra></extra>",
    )


def _hatch(
    figure: go.Figure,
    unseen: Sequence[tuple[float, float]],
    extents: Sequence[tuple[float, float]],
    tone: Mapping[str, str],
) -> None:
    """Bars over those seconds of every lane, which is (upper edge, height); a trace for each stretch of seconds."""
    pattern = {"shape": "x", "fgcolor": tone["quiet"], "bgcolor": "rgba(0,0,0,0)", "size": 7, "solidity": 0.12}
    for start, end in unseen:
        figure.add_bar(
            orientation="h",
            base=[start] * len(extents),
            x=[end - start] * len(extents),
            y=[top + tall / 2 for top, tall in extents],
            width=[tall for _, tall in extents],
            marker={"color": "rgba(0,0,0,0)", "pattern": pattern | {"fillmode": "replace"}, "line": {"width": 0}},
            name="not looked at",
            hovertemplate=f"not looked at<br>{start:.0f}–{end:.0f} s<extra></extra>",
        )


def _short(label: str, letters: int = 40) -> str:
    return label if len(label) <= letters else label[: letters - 1] + "…"


def _summary(lane: list[Any]) -> str:
    """The lane's times in words, where they are few enough to be read beside its name."""
    lane = sorted(lane, key=lambda event: event.start)
    if lane[0].modality == MASKED:
        words = f"{', '.join(f'{event.start:g}–{event.end:g}' for event in lane)} s"
        return words if len(words) + len(_short(lane[0].label)) <= 46 else ""
    heard, seen = (
        ", ".join(f"{event.start:g}–{event.end:g}" for event in lane if event.modality in (sense, "both"))
        for sense in SENSES
    )
    words = (
        f"{heard or seen} s"
        if heard == seen or not (heard and seen)
        else f"{GLYPHS['audio']} {heard} · {GLYPHS['visual']} {seen} s"
    )
    return words if len(words) + len(_short(lane[0].label)) <= 46 else ""


def ticks(duration: float) -> list[float]:
    """About six round steps from 0."""
    rough = duration / 6
    power = 10 ** int(log10(rough) // 1)
    step = next(power * unit for unit in (1, 2, 5, 10) if power * unit >= rough)
    return [round(i * step, 6) for i in range(int(duration / step + 1e-9) + 1)]
