"""A scene as pictures, masks, sound and files.

Pictures are the scene's 4:3 stage squashed to whatever size is asked for, as
the model's own frames are.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy
from PIL import Image

from .backdrops import backdrop, front
from .cast import POSES, sprite, synthesise, tempo
from .script import ASPECT, DURATION, Part, Scene, during, place
from .sounds.synth import SAMPLE_RATE

Size = tuple[int, int]  # (width, height) in pixels
MARK = "A scene drawn by Crab+"  # the comment in every file of a scene: so it is known for one wherever it turns up
_ENTRANCE = 0.3  # seconds an actor takes to drop in or leap out
_FADE = 0.02  # seconds at either end of a heard stretch


def frame(scene: Scene, time: float, size: Size) -> np.ndarray:
    """The picture at `time` (seconds), (height, width, 3) uint8."""
    picture = backdrop(scene.background, size, time / DURATION - 0.5)
    for _, figure, left, top, ground in _placed(scene, time, size):
        shadow = _shadow(figure.width, max(2, figure.height // 8))
        picture.paste((18, 16, 26), (left, ground - shadow.height // 2), shadow)
        picture.paste(figure, (left, top), figure)
    if scene.background.front:
        before, at = _before(scene, time, size)
        picture.paste(before, at, before)
    return np.asarray(picture)


def masks(scene: Scene, time: float, size: Size) -> list[tuple[Part, np.ndarray]]:
    """What shows of each actor in view, left to right: (height, width) bool masks, disjoint."""
    width, height = size
    taken = np.zeros((height, width), bool)
    if scene.background.front:
        taken |= _covered(*_before(scene, time, size), size)
    shown = {}
    for part, figure, left, top, _ in reversed(_placed(scene, time, size)):
        mask = _covered(figure, (left, top), size) & ~taken
        taken |= mask
        shown[part] = mask
    return [(part, shown[part]) for part in scene.parts if part in shown and shown[part].any()]


def _covered(figure: Image.Image, at: tuple[int, int], size: Size) -> np.ndarray:
    layer = Image.new("L", size)
    layer.paste(figure.getchannel("A"), at)
    return np.asarray(layer) > 127


def _before(scene: Scene, time: float, size: Size) -> tuple[Image.Image, tuple[int, int]]:
    """What stands before everybody, and where its left upper corner is."""
    figure, along = front(scene.background, size), time / DURATION - 0.5
    x = scene.background.front_x + scene.background.pan[0] * along
    return figure, (round(x * size[0] - figure.width / 2), round(size[1] * 1.02) - figure.height)


def box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(x1, y1, x2, y2): the first and last column and row that a non-empty mask touches."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def sound(scene: Scene) -> np.ndarray:
    """The scene's sound, (160000,) float32 mono at 16 kHz: its voices, as they sound in its room, over a bed of noise."""
    rate = SAMPLE_RATE
    rng = np.random.default_rng([scene.seed, 3])
    out = np.zeros(DURATION * rate, np.float32)
    for part in scene.parts:
        if not part.heard:
            continue
        longest = max(end - start for start, end in part.heard)
        voice = part.gain * synthesise(part.actor, longest, _voice(part))
        for start, end in part.heard:
            piece = voice[: (end - start) * rate].copy()
            ramp = np.linspace(0, 1, int(_FADE * rate), dtype=np.float32)
            piece[: len(ramp)] *= ramp
            piece[-len(ramp) :] *= ramp[::-1]
            out[start * rate : end * rate] += piece
    noise = scene.hiss * rng.standard_normal(len(out), dtype=np.float32)
    if scene.reverb:
        out += scene.reverb * scipy.signal.fftconvolve(out, _echoes(rng))[: len(out)].astype(np.float32)
    return np.clip(out + noise, -0.99, 0.99)


def _echoes(rng: np.random.Generator) -> np.ndarray:
    """A room's answer to a click: noise that dies away within a third of a second."""
    length = int(rng.uniform(0.12, 0.33) * SAMPLE_RATE)
    answer = rng.standard_normal(length) * np.exp(-6 * np.arange(length) / length)
    answer[: int(0.012 * SAMPLE_RATE)] = 0  # the direct sound is there already
    return (answer / np.sqrt((answer**2).sum())).astype(np.float32)


def write_clip(scene: Scene, path: str | Path, size: Size = (448, 336), fps: int = 25) -> None:
    """Write the scene as an mp4 (H.264 and AAC) of ten seconds. Needs PyAV."""
    double = (2 * size[0], 2 * size[1])  # drawn finer, so that slow drifts do not step from pixel to pixel
    drawn = (Image.fromarray(frame(scene, number / fps, double)) for number in range(int(scene.duration * fps)))
    pictures = (np.asarray(picture.resize(size, Image.Resampling.BOX)) for picture in drawn)
    options = {"crf": "20", "preset": "medium"}
    write_film(path, pictures, size=size, fps=fps, options=options, sound=sound(scene), comment=MARK)


def write_film(
    path: str | Path,
    pictures: Iterable[np.ndarray],
    *,
    size: Size,
    fps: int,
    options: dict[str, str],
    sound: np.ndarray | None = None,
    comment: str = "",
) -> None:
    """Write pictures, (height, width, 3) uint8, as an mp4 (H.264 with x264's `options`), with mono `sound` (float32 at
    16 kHz, as AAC) or without, and what the file says of itself. Needs PyAV."""
    import av

    with av.open(str(path), "w", format="mp4") as out:
        out.metadata["comment"] = comment
        video = out.add_stream("libx264", rate=fps, options=options)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        audio = None if sound is None else out.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        if audio:
            audio.bit_rate = 96000
        for picture in pictures:
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode())
        if audio:
            samples = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            samples.sample_rate = SAMPLE_RATE
            out.mux(audio.encode(samples))
            out.mux(audio.encode())


def _voice(part: Part) -> np.random.Generator:
    return np.random.default_rng([part.variation, 1])


@lru_cache(maxsize=1024)
def _tempo(part: Part) -> float:
    return tempo(part.actor, _voice(part))


def _placed(scene: Scene, time: float, size: Size) -> list[tuple[Part, Image.Image, int, int, int]]:
    """(part, figure, left, top, ground) of those in view at `time`, the farthest first."""
    width, height = size
    placed = []
    for part in sorted(scene.parts, key=lambda part: part.y):
        if not during(part.seen, time):
            continue
        x, y = place(part, time)
        figure = sprite(
            part.actor,
            part.variation,
            _pose(part, time),
            max(4, round(part.size / ASPECT * width)),
            max(4, round(part.size * height)),
        )
        left, ground = round(x * width - figure.width / 2), round(y * height)
        top = ground - figure.height - round(_leap(part, time) * height)
        placed.append((part, figure, left, top, ground - figure.height // 20))
    return placed


def _pose(part: Part, time: float) -> int | None:
    for start, end in part.heard:
        if start <= time < end:
            return int((time - start) * _tempo(part) / 2 % 1 * POSES)
    return None


def _leap(part: Part, time: float) -> float:
    """How far above its ground an actor is while it drops in or leaps out, of the height."""
    up = 0.0
    for start, end in part.seen:
        if start > 0 and time - start < _ENTRANCE:
            up = max(up, 1 - (time - start) / _ENTRANCE)
        if end < DURATION and end - time < _ENTRANCE:
            up = max(up, 1 - (end - time) / _ENTRANCE)
    return 0.1 * up**2


@lru_cache(maxsize=256)
def _shadow(width: int, height: int) -> Image.Image:
    x = np.linspace(-1, 1, width)[None]
    y = np.linspace(-1, 1, height)[:, None]
    return Image.fromarray((110 * np.clip(1.15 - np.hypot(x, y) * 1.15, 0, 1) ** 0.7).astype(np.uint8))
