"""A trace as one HTML document whose views are linked: no network, no Plotly, the same numbers under the pointer.

`explorer/` beside this file is the document in parts: words, layers × modules, the clip's own pictures and seconds,
layers by modality, sites × tokens. They are joined here, and used in two ways:

    page     a file of its own, with the data in it, that works offline
    frame    an iframe on our page, whose document fetches the same data (`data`) and talks with the page by events

The weights travel as base64 uint16 (a step is 1/65535) and are painted on canvases:
1,000 tokens × 388 sites × 3 heads are 3.3 MB, where Plotly's own script alone is 4.6 MB.

Events on the iframe element, all with a `detail`:

    crab-ready {}                     from here: the data have come
    crab-seek  {time}                 from here: the visitor moved the playhead
    crab-view  {view, tower, token}   from here: another view, tower or kept token
    crab-time  {time}                 to here: the player moved; the playhead follows and does not seek back
    crab-open  {view, tower, token}   to here: show this, and hold it in sight until the visitor does something; a token
                                      of a moment is answered by crab-seek
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crab.seen import SIDE, Seen
from crab.trace import RoutingTrace
from visualize import mel, theme
from visualize import trace as read

VIEWS = ("overview", "tokens", "clip", "modality", "heatmap")
QUALITY = 70  # of the pictures, which are JPEGs of SIDE pixels a side at most
COLUMNS = 720  # of a spectrogram at the most
PARTS = Path(__file__).with_name("explorer")
# In this order in one script: what is at the top of a file may use only what stands above it.
SCRIPTS = (
    "numbers", "state", "dom", "colour", "bar", "words", "cells", "simplex", "clip", "pictures", "sound", "curve",
    "depth", "heatmap", "pointer", "page", "main",
)  # fmt: skip


def page(
    traces: Mapping[str, RoutingTrace],
    *,
    title: str = "Router weights",
    facts: Sequence[str] = (),
    seen: Seen | None = None,
    view: str = "overview",
    tower: str | None = None,
    token: int | None = None,
    unadapted: Mapping[str, Sequence[str]] = read.UNADAPTED,
) -> str:
    """A whole HTML document of `traces` (by tower) that needs nothing else.

    Pointing at a word, a cell of a picture, a stretch of sound or a column, or reaching it by keys, shows it in every
    view; a click or Enter keeps it, Escape lets go. `facts` are lines under the title, such as clip and question;
    `seen` are the clip's pictures and sound, without which its view shows the bare cells and seconds. `view` (one of
    `VIEWS`), `tower` and the kept `token` are what it opens at. Light or dark as the reader's system is, with a switch.
    All text is escaped.
    """
    body = data(traces, seen=seen, view=view, tower=tower, token=token, unadapted=unadapted)
    return _document(title, "".join(f"<p>{escape(fact)}</p>" for fact in facts), body)


def frame(url: str, *, dark: bool, title: str = "Router weights") -> str:
    """An iframe of the same document, to stand in a page of ours: HTML.

    Its document fetches what `data` wrote from `url` (same origin), grows to its content, is transparent and leaves out
    title and light switch. The element takes and sends the events named above. `title` is its spoken name.
    """
    given = json.dumps({"url": url, "dark": dark}, ensure_ascii=False).replace("<", "\\u003c")
    return (
        f'<iframe class="crab-explorer" title="{escape(title)}" scrolling="no" '
        'style="display:block;width:100%;height:240px;border:0;background:transparent" '
        f'srcdoc="{escape(_document(title, "", given))}"></iframe>'
    )


def data(
    traces: Mapping[str, RoutingTrace],
    *,
    seen: Seen | None = None,
    view: str = "overview",
    tower: str | None = None,
    token: int | None = None,
    unadapted: Mapping[str, Sequence[str]] = read.UNADAPTED,
) -> str:
    """What the document draws, as JSON without a "<", so that it can also stand inside a script element.

    `towers`: name, title, heads, modules, sites [layer, module], tokens [name, modality, text, source, start, end, row,
    col] and weights, base64 of little-endian uint16 (sites, tokens, heads). `clip`: seconds, pictures a grid step,
    spectrograms a source. The rest are colours, and what to open at.
    """
    shown = {
        name: traces[name]
        for name in [*(n for n in read.TOWERS if n in traces), *(n for n in traces if n not in read.TOWERS)]
        if traces[name].weights.size
    }
    towers = [_tower(name, trace, unadapted.get(name, ())) for name, trace in shown.items()]
    heads = max((tower["heads"] for tower in towers), default=0)
    modes = {"light": False, "dark": True}
    light, halfway = theme.light()
    content = {
        "towers": towers, "clip": _clip(shown, seen), "view": view, "tower": tower, "token": token,
        "power": theme.MIX_POWER, "hues": [theme.head_colour(k) for k in range(heads)],
        "blends": {mode: _rounded(theme.blends(heads, dark)) for mode, dark in modes.items()},
        "light": _rounded(light), "halfway": _rounded(halfway),
        "luminance": theme.LUMINANCE, "black_above": theme.BLACK_ABOVE,
        "scales": {mode: [_scale(theme.head_scale(k, dark)) for k in range(heads)] for mode, dark in modes.items()},
        "greys": {mode: _scale(theme.hue_scale(theme.NEUTRAL, dark)) for mode, dark in modes.items()},
    }  # fmt: skip
    # "<" would let a model's words end the script element.
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _document(title: str, facts: str, body: str) -> str:
    # Without what only readers need, lines of comment and what is set in: a page gets a document with every answer.
    script = re.sub("^ *(//.*\n)?", "", "".join(_part(f"{name}.js") for name in SCRIPTS), flags=re.MULTILINE)
    given = {"TITLE": escape(title), "FACTS": facts, "DATA": body, "STYLE": _part("style.css"), "SCRIPT": script}
    # In one pass: a model's words may look like a place to fill.
    return re.sub("@([A-Z]+)@", lambda place: given[place[1]], _part("index.html"))


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _tower(name: str, trace: RoutingTrace, unadapted: Sequence[str]) -> dict[str, Any]:
    order = sorted(range(len(trace.sites)), key=lambda i: trace.sites[i].layer)
    weights = np.rint(65535 * np.clip(trace.weights[order].astype(np.float32), 0, 1)).astype("<u2")
    return {
        "name": name, "title": read.TOWERS.get(name, name), "heads": weights.shape[2],
        "sites": [[trace.sites[i].layer, trace.sites[i].module] for i in order],
        "modules": read.modules(trace, unadapted),
        "tokens": [
            [read.token_name(t), t.modality, t.text, t.source, _second(t.start), _second(t.end), t.row, t.col]
            for t in trace.tokens
        ],
        "weights": base64.b64encode(weights.tobytes()).decode(),
    }  # fmt: skip


def _second(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _rounded(table: Any) -> Any:
    """A table of numbers as lists, with as many digits as a colour can need."""
    return np.round(np.asarray(table), 10).tolist()


def _scale(colours: Sequence[tuple[int, int, int]]) -> str:
    """256 colours as base64 of 768 bytes."""
    return base64.b64encode(bytes(value for colour in colours for value in colour)).decode()


# --- the clip ---


def _clip(traces: Mapping[str, RoutingTrace], seen: Seen | None) -> dict[str, Any]:
    """The clip's `duration` (s), `pictures` [source, start, width, height, data URL] a grid step, `sounds` [seconds,
    data URL] or null a source, and `hertz` [name, height 0…1] for the spectrograms' scale."""
    tokens = [token for trace in traces.values() for token in trace.tokens if token.start is not None]
    if seen is None:
        last = max((max(token.start, token.end or 0) for token in tokens), default=0)
        return {"duration": _second(last), "pictures": [], "sounds": [], "hertz": []}
    steps = sorted({(token.source, _second(token.start)) for token in tokens if token.row is not None})
    pictures = []
    for source, start in steps:
        frames = [(abs(time - start), picture) for time, of, picture in seen.frames if of == source]
        if frames:
            _, picture = min(frames, key=lambda frame: frame[0])
            pictures.append([source, start, *_jpeg(picture)])
    edges = mel.mel_edges()[1:-1]
    hertz = [
        [name, round((int(np.abs(edges - at).argmin()) + 0.5) / len(edges), 3)]
        for name, at in (("250 Hz", 250), ("1 kHz", 1000), ("4 kHz", 4000))
    ]
    sounds = [[len(s) / mel.SAMPLE_RATE, spectrogram(s)] if len(s) else None for s in seen.sounds]
    return {"duration": _second(seen.duration), "pictures": pictures, "sounds": sounds, "hertz": hertz}


def _jpeg(picture: np.ndarray) -> tuple[int, int, str]:
    """(height, width, 3) uint8 as width, height and data URL of at most `SIDE` pixels a side."""
    image = Image.fromarray(picture).convert("RGB")
    image.thumbnail((SIDE, SIDE))
    return *image.size, url(image, "JPEG", quality=QUALITY, optimize=True)


def spectrogram(samples: np.ndarray) -> str:
    """Log-mel levels as a PNG of dark ink, the more opaque the louder; the scale is `mel.LOUD`, fixed."""
    level, _ = mel.log_mel(samples, columns=COLUMNS)
    quiet, loud = mel.LOUD
    alpha = np.rint(255 * np.clip((level[::-1] - quiet) / (loud - quiet), 0, 1)).astype(np.uint8)
    return url(Image.fromarray(np.dstack([np.full_like(alpha, 28), alpha])), "PNG", optimize=True)


def url(image: Image.Image, format: str, **options: Any) -> str:
    """An image as a data URL."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return f"data:image/{format.lower()};base64," + base64.b64encode(buffer.getvalue()).decode()
