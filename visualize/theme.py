"""One colour for one thing, in every view.

Families of hue that never mix:

    LABELS      what a clip shows and sounds like: "dog barking" is one colour in its chip, its lane and its mask
    HEADS       the heads of I-LoRA, in the router pictures only; between them, `mix` for what several heads share
    FAMILIES    the task families, in the pictures of many runs only, always with a symbol
    LESS, MORE  the two ends of a difference

The first three were searched for in OKLab so that any two of a family stay at least 0.10 apart to people with normal vision and
with protanopia, deuteranopia and tritanopia (simulated after Machado, Oliveira and Fernandes 2009; the least distance
within the Okabe-Ito palette is 0.076), with a luminance that reads on a light ground and on a dark one. Hue is never
the only cue: words stand beside every colour, and heard and seen differ by lane and pattern, not by hue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations_with_replacement, permutations
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import plotly.graph_objects as go
from PIL import ImageFont

LABELS = ("#ED7C46", "#0C79DA", "#357608", "#BF556D", "#22A1F7", "#A898A6")  # orange blue green rose sky mauve-grey
HEADS = ("#7B45D6", "#0B9C94", "#C99A00")  # violet teal gold
FAMILIES = ("#4FA6FE", "#9D3552", "#F28845", "#1F689D", "#AD8AA2", "#D74404", "#BA15EC")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "star")  # Plotly's, one a family
LESS, MORE = "#2F6FC0", "#B5452F"  # blue, brick
MIX_POWER = 0.6  # of the distance from all alike, in `mix`
CENTRE = ("#F1F2F4", "#262C38")  # all heads alike, on a light ground and on a dark one
NEUTRAL = "#7A828C"  # something without a label
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear red, green and blue
BLACK_ABOVE = 0.179  # the luminance of a ground from which black reads better than white

FONT = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def colours(labels: Iterable[str]) -> dict[str, str]:
    """One colour a label, in order of first appearance; labels that differ only in case or outer blanks share one.

    After the sixth label the colours come round again: the words beside them then carry the difference alone.
    """
    order: dict[str, str] = {}
    return {label: order.setdefault(key(label), LABELS[len(order) % len(LABELS)]) for label in labels}


def answer_colours(answer: Any) -> dict[str, str]:
    """The colours of everything an `Answer` names: in the order of its text, then its events, then its boxes.

    A box that the text does not name is a thing of its own, with the label "". A label first named while the text still
    streams keeps its colour until the end, because text only grows.
    """
    named = [span.label for span in answer.spans if span.label or span.kind in ("box", "point", "object")]
    return colours([*named, *(event.label for event in answer.events), *(box.label for box in answer.boxes)])


def colour(colours: Mapping[str, str], label: str) -> str:
    """The colour of `label`, however it is cased; `NEUTRAL` for a label that has none."""
    if label in colours:
        return colours[label]
    return next((value for name, value in colours.items() if key(name) == key(label)), NEUTRAL)


def key(label: str) -> str:
    """What makes two labels the same thing."""
    return label.strip().casefold()


def head_colour(head: int) -> str:
    """The hue of head `head` (counted from 0)."""
    return HEADS[head % len(HEADS)]


def head_name(head: int) -> str:
    """What people read: heads are counted from 1 on the page."""
    return f"Head {head + 1}"


def rgb(colour: str) -> tuple[int, int, int]:
    """`#RRGGBB` as three bytes."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """For writing on pictures, the face that comes with Matplotlib: the same everywhere, with Greek and Cyrillic."""
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf"), size)


def ink(dark: bool) -> dict[str, str]:
    """`text`, `quiet` text, `line` and `ground` colours for a page; both text tones keep 4.5:1 on their ground."""
    if dark:
        return {"text": "#E7EAF0", "quiet": "#A3ABBA", "line": "#3A4150", "ground": "#151A23"}
    return {"text": "#1C2330", "quiet": "#5A6372", "line": "#D9DDE5", "ground": "#FFFFFF"}


def layout(dark: bool) -> dict[str, Any]:
    """The Plotly layout every figure starts from: transparent, in the page’s type.

    Titles are annotations, never `layout.title`: Gradio adds 100 pixels above a figure that has one.
    """
    tone = ink(dark)
    return {
        "template": "none",
        "autosize": True,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": tone["text"]},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hoverlabel": {
            "bgcolor": tone["ground"],
            "bordercolor": tone["line"],
            "font": {"family": FONT, "size": 12, "color": tone["text"]},
            "align": "left",
        },
    }


def sentence(text: str, dark: bool) -> go.Figure:
    """A figure that has nothing to draw and says why."""
    figure = go.Figure(layout=layout(dark))
    figure.add_annotation(
        text=text,
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        showarrow=False,
        font={"size": 13, "color": ink(dark)["quiet"]},
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure.update_layout(height=90)


def small_print(figure: go.Figure, lines: list[str], margin: int, tone: dict[str, str]) -> None:
    """Quiet lines at the very top of a figure whose upper margin is `margin` pixels."""
    figure.add_annotation(
        text="<br>".join(lines),
        x=0,
        xref="paper",
        xanchor="left",
        y=1,
        yref="paper",
        yanchor="top",
        yshift=margin,
        align="left",
        showarrow=False,
        font={"size": 11, "color": tone["quiet"]},
    )


def layer_axis(rows: list[float], layers: list[int], n_rows: int, tone: dict[str, str]) -> dict[str, Any]:
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


def head_scale(head: int, dark: bool) -> tuple[tuple[int, int, int], ...]:
    """256 colours from the ground to the head's hue, for weights 0…1."""
    return hue_scale(head_colour(head), dark)


@cache
def hue_scale(colour: str, dark: bool) -> tuple[tuple[int, int, int], ...]:
    """256 colours from the ground to the hue of `colour`.

    OKLab lightness falls (rises on a dark ground) in equal steps and is the same for all hues, so equal weights are
    equally light in every panel, and the picture survives a grey printer. Chroma is the colour's own, faded in from the
    ground and cut back only where the screen has no such colour.
    """
    base = _oklab(np.array(rgb(colour), np.float64) / 255)
    chroma, hue = np.hypot(base[1], base[2]), np.arctan2(base[2], base[1])
    weight = np.linspace(0, 1, 256)
    lightness = 0.24 + 0.66 * weight if dark else 0.975 - 0.60 * weight
    wanted = chroma * np.minimum(1, 0.06 + 1.9 * weight)
    # The largest chroma a screen can show at each lightness, by trying ever smaller shares of the wanted one.
    tried = np.linspace(1, 0, 101)[:, None] * wanted  # (shares, weights)
    linear = _linear_rgb(np.broadcast_to(lightness, tried.shape), tried, hue)  # (shares, weights, 3)
    inside = ((linear >= -1e-9) & (linear <= 1 + 1e-9)).all(-1)
    shown = np.take_along_axis(tried, inside.argmax(0)[None], 0)[0]  # (weights,)
    # A kink in chroma would read as an edge in the data.
    shown = np.convolve(np.pad(shown, 24, mode="edge"), np.full(49, 1 / 49), mode="valid")
    linear = _linear_rgb(lightness, shown, hue)  # (weights, 3)
    return tuple(tuple(row) for row in _bytes(linear).tolist())


def plotly_hues(colours: Sequence[tuple[int, int, int]], stops: int = 17) -> list[list[Any]]:
    """Evenly spread colours as a Plotly colour scale of `stops` stops."""
    last = len(colours) - 1
    return [[i / (stops - 1), "rgb({},{},{})".format(*colours[round(last * i / (stops - 1))])] for i in range(stops)]


def diverging_scale(dark: bool) -> list[list[Any]]:
    """A Plotly colour scale for differences, the ground in its middle: `LESS` (blue) below zero, `MORE` (brick) above."""
    scale = plotly_hues([*reversed(hue_scale(LESS, dark)), *hue_scale(MORE, dark)], 33)
    scale[16] = [0.5, ink(dark)["ground"]]  # no difference has no hue
    return scale


def grey_scale(dark: bool) -> list[list[Any]]:
    """A Plotly colour scale for what is no head and no difference: from the ground to ink."""
    return plotly_hues(hue_scale(NEUTRAL, dark))


def mix(weights: np.ndarray, dark: bool) -> np.ndarray:
    """The colours of shares (..., heads) that add up to one, (..., 3) uint8: a place in the triangle of the heads.

    The centre, all heads alike, is nearly the ground; a corner is the head's own hue; hue says which heads lead and
    strength how far they do, as (distance from uniform) ** 0.6, so that what a trained router does near the centre is
    seen too. The mapping is fixed. In grey, strength is what remains: a figure has to name the leading head as well.
    """
    shares = np.asarray(weights, np.float64)
    heads = shares.shape[-1]
    corners = _oklab(np.array([rgb(head_colour(k)) for k in range(heads)]) / 255)  # (heads, 3)
    excess = np.clip(shares - shares.min(-1, keepdims=True), 0, None)
    total = excess.sum(-1, keepdims=True)
    hue = np.where(total > 1e-9, excess / np.maximum(total, 1e-9), 1 / heads) @ corners
    strength = np.clip((heads * shares.max(-1, keepdims=True) - 1) / max(heads - 1, 1), 0, 1) ** MIX_POWER
    centre = _oklab(np.array(rgb(CENTRE[dark])) / 255)
    lab = centre + strength * (hue - centre)
    return _bytes((lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T)


def blends(heads: int, dark: bool) -> list[tuple[int, int, int, float, float, float]]:
    """`mix` as a sum, for places that have no NumPy: rows (i, j, k, red, green, blue).

    Part 0 of a mix is the centre, 1 - strength; part k + 1 is strength times what head k has of the hue; together they
    are one. On the way back from OKLab sums are cubed, so the light of a mix is a cubic of its parts: the sum over the
    rows of parts[i] * parts[j] * parts[k] * (red, green, blue), linear RGB, not clipped.
    """
    colours = np.array([rgb(colour) for colour in (CENTRE[dark], *map(head_colour, range(heads)))])
    roots = _oklab(colours / 255) @ np.linalg.inv(_TO_LAB).T  # (parts, 3), to be cubed
    rows = []
    for parts in combinations_with_replacement(range(heads + 1), 3):
        orders = len(set(permutations(parts)))
        light = orders * roots[list(parts)].prod(0) @ np.linalg.inv(_TO_LMS).T
        rows.append((*parts, *light.tolist()))
    return rows


def light() -> tuple[np.ndarray, np.ndarray]:
    """How much linear light, 0…1, the 256 bytes of a colour channel stand for, and the 255 places halfway between."""
    return _linear(np.arange(256) / 255), _linear((np.arange(255) + 0.5) / 255)


def ink_on(colours: np.ndarray) -> list[str]:
    """Black or white for each of (n, 3) bytes: whichever is easier to read on it, at least 4.5:1."""
    luminances = _linear(np.asarray(colours) / 255) @ LUMINANCE
    return ["#000000" if luminance > BLACK_ABOVE else "#FFFFFF" for luminance in luminances]


def plotly_scale(head: int, dark: bool) -> list[list[Any]]:
    """`head_scale` as a Plotly colour scale (17 stops)."""
    return plotly_hues(head_scale(head, dark))


# OKLab, Ottosson 2020: https://bottosson.github.io/posts/oklab/
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB 0…1 to linear RGB."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _oklab(srgb: np.ndarray) -> np.ndarray:
    """sRGB 0…1 (..., 3) to OKLab (..., 3)."""
    return np.cbrt(_linear(srgb) @ _TO_LMS.T) @ _TO_LAB.T


def _linear_rgb(lightness: np.ndarray, chroma: np.ndarray, hue: float) -> np.ndarray:
    """OKLCH to linear RGB (..., 3), not clipped."""
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], -1)
    return (lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T


def _bytes(linear: np.ndarray) -> np.ndarray:
    """Linear RGB (..., 3), clipped, to sRGB bytes."""
    curve = 1.055 * np.clip(linear, 0.0031308, None) ** (1 / 2.4) - 0.055
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, curve)
    return np.clip(np.rint(255 * encoded), 0, 255).astype(np.uint8)
