"""While it streams: the trace so far as a small piece of HTML, made to be replaced at every token."""

from __future__ import annotations

import base64
import io
import re
from html import escape

import numpy as np
from PIL import Image

from crab.trace import RoutingTrace
from visualize import theme
from visualize.trace import bin_means

PROMPT_COLUMNS, ANSWER_COLUMNS = 80, 120


def live(trace: RoutingTrace) -> str:
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
        left = bin_means(left, np.linspace(0, len(prompt), PROMPT_COLUMNS + 1).astype(int))
    right = by_layer(answer[-ANSWER_COLUMNS:])
    newest = trace.weights[:, -1].mean(0, dtype=np.float32) if n_tokens and n_sites else np.zeros(n_heads)
    said = unmarked("".join(trace.tokens[i].text for i in answer[-40:]))[-56:]
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
        f'<div class="crab-live" style="height:{n_heads * 48 + 64}px;overflow:hidden;font-size:12px;line-height:18px">'
        f'<div style="height:20px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis;opacity:.75">'
        f"{'… ' + escape(said) if said else 'reading the prompt'}</div>"
        f'<div style="{_GRID};grid-auto-rows:44px;align-items:center">{bands}</div>'
        f'<div style="{_GRID};height:20px;opacity:.75;white-space:nowrap">'
        f"<span>newest token</span><span>prompt, {len(prompt)}</span>"
        f"<span>answer, {last}{len(answer)} tokens</span></div>"
        f'<div style="height:20px;overflow:hidden;opacity:.75;white-space:nowrap">rows: layers, the first on top · 0 % '
        f'<i style="display:inline-block;width:72px;height:9px;border-radius:2px;background:linear-gradient('
        f'90deg,transparent,currentColor)"></i> 67 % and more</div></div>'
    )


def unmarked(text: str) -> str:
    """The end of an answer without the tags around its results, of which the first and the last may be cut."""
    return " ".join(_CUT.sub("", _TAG.sub(" ", text)).split())


_TAG = re.compile(r"</?(?:visual_|audio_)?(?:event|range|answer|obj|visual|audio)>|</?[a-z_]*\Z")
_CUT = re.compile(r"\A\w*>")
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
