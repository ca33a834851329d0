"""The clip itself over its seconds: a player, what lies over its picture, and under it pictures, loudness and pitches.

    player    the clip, to play
    over      what is pointed at in every second, over the player's picture, and why there is nothing where it is so
    strips    what the clip shows and how it sounds, on the seconds of `timeline`, hatched where nobody has looked

All three are HTML that needs nothing else; `linked.js` moves one playhead through them. What lies over the picture names
the seconds that it is for (`data-from`, `data-to`), and is shown in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from visualize import masks, mel
from visualize.standalone import spectrogram, url
from visualize.timeline import SHOWN, masked

if TYPE_CHECKING:
    from crab.media import Clip
    from crab.result import Result

TALL = 480  # pixels at most that what lies over a picture is drawn in, along its shorter side
ROOM = 13.5  # pictures beside each other, each as wide as high
FEWEST, MOST = 6, 18
THUMB, QUALITY = 96, 70  # pixels of a small picture's height, and of the JPEG
COLUMNS = 480  # of the loudness
UNSEEN = "not looked at"


def player(clip: Clip, *, video: str = "", image: str = "", audio: str = "") -> str:
    """The clip as something to play, from the URLs of its files; "" where it does not last."""
    if not clip.duration:
        return ""
    plays = f'controls preload="metadata" aria-label="{escape(clip.name)}"'
    if video:
        return _screen(clip, f'<video src="{escape(video)}" playsinline {plays}></video>')
    shown = _screen(clip, f'<img src="{escape(image)}" alt="">') if image else ""
    return f'{shown}<audio src="{escape(audio)}" {plays}></audio>'


def _screen(clip: Clip, inner: str) -> str:
    """Room for a picture in the clip's shape, the same wherever it is made."""
    return f'<div class="screen" style="--shape:{clip.width / clip.height:.4f}">{inner}</div>'


def over(result: Result, *, colours: dict[str, str]) -> str:
    """What the answer points at over the player's picture: a transparent picture a second that has some, and a sentence
    for each that has none. "" where the clip does not last or nothing is pointed at."""
    clip, answer = result.clip, result.answer
    if not clip.duration or not clip.visible or result.frame is None:
        return ""
    if result.over_time:
        told = [(one.start, one.end, one.answer) for one in result.windows if one.answer]
    else:
        told = [(result.frame_time - SHOWN, result.frame_time + SHOWN, answer)]
    parts = []
    for start, end, said in told:
        cut = [mask for mask in result.masks if start <= mask.time < end]
        if cut or said.boxes or said.points:
            drawn = layer(result.size, cut, said.boxes, said.points, colours=colours)
            parts.append(f'<img alt="" src="{url(drawn, "PNG", optimize=True)}"{_when(start, end)}>')
    parts += [f"<p{_when(*span)}>{escape(why)}</p>" for span, why in result.unmasked]
    return _screen(clip, "".join(parts))


def _when(start: float, end: float) -> str:
    return f' hidden data-from="{start:g}" data-to="{end:g}"'


def layer(
    size: tuple[int, int],
    cut: Sequence[Any],
    boxes: Sequence[Any],
    points: Sequence[tuple[float, float]],
    *,
    colours: dict[str, str],
) -> Image.Image:
    """What `masks.overlay` draws on a picture of `size` (width, height), without the picture: RGBA, made smaller.

    It is drawn on black and on white: where both give the same it is opaque, and what is between says how much.
    """
    shrink = min(1.0, TALL / min(size))
    across, down = (max(1, round(side * shrink)) for side in size)
    black, white = (
        np.asarray(masks.overlay(np.full((down, across, 3), ground, np.uint8), cut, boxes, points, of=size, colours=colours))
        for ground in (0, 255)
    )  # fmt: skip
    clear = (white.astype(np.int16) - black).clip(0, 255).mean(-1)  # 255 where there is nothing
    opacity = 255 - clear
    colour = np.divide(255.0 * black, opacity[..., None], out=np.zeros(black.shape), where=opacity[..., None] > 0)
    return Image.fromarray(np.dstack([colour, opacity]).round().clip(0, 255).astype(np.uint8))


# --- strips ---


def strips(result: Result) -> str:
    """Pictures, loudness and spectrogram of the whole clip; "" where it does not last. Raises MediaError as decoding does."""
    clip = result.clip
    if not clip.duration:
        return ""
    rows = []
    if clip.video:
        rows.append(_row("film", "◎ seen", _film(clip), result))
    if clip.audible:
        sound = clip.sound()
        lasts = f"width:{100 * min(1.0, len(sound) / mel.SAMPLE_RATE / clip.duration):.3f}%"
        rows.append(_row("wave", "♪ level", _wave(sound, lasts), result))
        picture = f'<img src="{spectrogram(sound)}" alt="" draggable="false" style="{lasts}">'
        rows.append(_row("mel", "♪ 0–8 kHz", picture, result))
    about = 'role="img" aria-label="Pictures, level and spectrogram over the clip’s seconds"'
    inner = f'{"".join(rows)}<div class="axis"></div>'
    return f'<div class="lanes strips" data-seconds="{clip.duration:.3f}" {about}>{inner}</div>'


def _row(kind: str, name: str, inner: str, result: Result) -> str:
    lasts = result.clip.duration
    hatched = "".join(
        f'<b class="unseen" title="{UNSEEN}" style="left:{100 * start / lasts:.3f}%;'
        f'width:{100 * (end - start) / lasts:.3f}%"></b>'
        for start, end in result.unlooked
    )
    return f'<div class="track {kind}"><span>{name}</span><div>{inner}{hatched}</div></div>'


def _film(clip: Clip) -> str:
    """As many pictures as there is room for, each of the middle of its part of the clip."""
    count = min(max(round(ROOM * clip.height / clip.width), FEWEST), MOST)
    shown = []
    for number in range(count):
        image = Image.fromarray(clip.frame_at((number + 0.5) * clip.duration / count))
        image.thumbnail((10 * THUMB, THUMB))
        shown.append(f'<img src="{url(image, "JPEG", quality=QUALITY)}" alt="" draggable="false">')
    return "".join(shown)


def _wave(sound: np.ndarray, lasts: str) -> str:
    """The loudest sample of each moment, against the loudest of all, both ways from the middle."""
    if not sound.size:
        return ""
    edges = np.linspace(0, len(sound), min(COLUMNS, len(sound)) + 1).astype(int)[:-1]
    peaks = np.maximum.reduceat(np.abs(sound), edges)
    peaks = peaks / max(float(peaks.max()), 1e-6)
    up = " ".join(f"{x},{100 - 98 * peak:.0f}" for x, peak in enumerate(peaks))
    down = " ".join(f"{x},{100 + 98 * peak:.0f}" for x, peak in reversed(list(enumerate(peaks))))
    shape = f'viewBox="0 0 {len(peaks) - 1 or 1} 200" preserveAspectRatio="none"'
    return f'<svg {shape} style="{lasts}" aria-hidden="true"><polygon points="{up} {down}"/></svg>'


def lanes(result: Result) -> list[Any]:
    """What has a lane: the answer's events, and when what has masks has them."""
    return [*result.answer.events, *masked(result)]
