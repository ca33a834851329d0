"""A scene as pictures, masks, sound and files.

Pictures are the scene's 4:3 stage squashed to whatever size is asked for, as
the model's own frames are.
"""
from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from . import sounds
from .actors import POSES, sprite
from .script import ASPECT, DURATION, Background, Part, Scene, during, place

Size = tuple[int, int]  # (width, height) in pixels
HORIZON = 0.58  # of the height: where floors begin
_ENTRANCE = 0.3  # seconds an actor takes to drop in or leap out
_FADE = 0.02  # seconds at either end of a heard stretch


def frame(scene: Scene, time: float, size: Size) -> np.ndarray:
    """The picture at `time` (seconds), (height, width, 3) uint8."""
    picture = backdrop(scene.background, size).copy()
    for _, figure, left, top, ground in _placed(scene, time, size):
        shadow = _shadow(figure.width, max(2, figure.height // 8))
        picture.paste((18, 16, 26), (left, ground - shadow.height // 2), shadow)
        picture.paste(figure, (left, top), figure)
    return np.asarray(picture)


def masks(scene: Scene, time: float, size: Size) -> list[tuple[Part, np.ndarray]]:
    """What shows of each actor in view, left to right: (height, width) bool masks, disjoint."""
    width, height = size
    taken = np.zeros((height, width), bool)
    shown = {}
    for part, figure, left, top, _ in reversed(_placed(scene, time, size)):
        layer = Image.new("L", size)
        layer.paste(figure.getchannel("A"), (left, top))
        mask = (np.asarray(layer) > 127) & ~taken
        taken |= mask
        shown[part] = mask
    return [(part, shown[part]) for part in scene.parts if part in shown and shown[part].any()]


def box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(x1, y1, x2, y2): the first and last column and row that a non-empty mask touches."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def sound(scene: Scene) -> np.ndarray:
    """The scene's sound, (160000,) float32 mono at 16 kHz: its voices over a faint bed of noise."""
    rate = sounds.SAMPLE_RATE
    out = 0.0015 * np.random.default_rng([scene.seed, 3]).standard_normal(DURATION * rate, dtype=np.float32)
    for part in scene.parts:
        if not part.heard:
            continue
        longest = max(end - start for start, end in part.heard)
        voice = part.gain * sounds.synthesise(part.actor, longest, _voice(part))
        for start, end in part.heard:
            piece = voice[: (end - start) * rate].copy()
            ramp = np.linspace(0, 1, int(_FADE * rate), dtype=np.float32)
            piece[: len(ramp)] *= ramp
            piece[-len(ramp) :] *= ramp[::-1]
            out[start * rate : end * rate] += piece
    return np.clip(out, -0.99, 0.99)


def write_clip(scene: Scene, path: str | Path, size: Size = (448, 336), fps: int = 25) -> None:
    """Write the scene as an mp4 (H.264 and AAC) of ten seconds. Needs PyAV."""
    import av

    double = (2 * size[0], 2 * size[1])  # drawn finer, so that slow drifts do not step from pixel to pixel
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=fps, options={"crf": "20", "preset": "medium"})
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        audio = out.add_stream("aac", rate=sounds.SAMPLE_RATE, layout="mono")
        audio.bit_rate = 96000
        for number in range(int(scene.duration * fps)):
            picture = Image.fromarray(frame(scene, number / fps, double)).resize(size, Image.Resampling.BOX)
            out.mux(video.encode(av.VideoFrame.from_image(picture)))
        out.mux(video.encode())
        samples = av.AudioFrame.from_ndarray(sound(scene)[None], format="fltp", layout="mono")
        samples.sample_rate = sounds.SAMPLE_RATE
        out.mux(audio.encode(samples))
        out.mux(audio.encode())


def _voice(part: Part) -> np.random.Generator:
    return np.random.default_rng([part.variation, 1])


@lru_cache(maxsize=1024)
def _tempo(part: Part) -> float:
    return sounds.tempo(part.actor, _voice(part))


def _placed(scene: Scene, time: float, size: Size) -> list[tuple[Part, Image.Image, int, int, int]]:
    """(part, figure, left, top, ground) of those in view at `time`, the farthest first."""
    width, height = size
    placed = []
    for part in sorted(scene.parts, key=lambda part: part.y):
        if not during(part.seen, time):
            continue
        x, y = place(part, time)
        figure = sprite(
            part.actor, part.variation, _pose(part, time),
            max(4, round(part.size / ASPECT * width)), max(4, round(part.size * height)),
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


@lru_cache(maxsize=64)
def backdrop(background: Background, size: Size) -> Image.Image:
    """The empty stage as an RGB picture."""
    rng = np.random.default_rng(background.seed)
    width, height = 2 * size[0], 2 * size[1]
    image = _KINDS[background.kind](rng, width, height).resize(size, Image.Resampling.BOX)
    grain = rng.normal(0, 3, (size[1], size[0], 1)) + rng.uniform(-6, 6, 3)
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def _gradient(width: int, height: int, *colours: tuple[int, int, int]) -> Image.Image:
    """Colours spread evenly from top to bottom."""
    stops = np.linspace(0, 1, len(colours))
    rows = np.linspace(0, 1, height)
    column = np.stack([np.interp(rows, stops, [c[k] for c in colours]) for k in range(3)], axis=1)
    return Image.fromarray(np.broadcast_to(column[:, None], (height, width, 3)).astype(np.uint8))


def _stacked(width: int, height: int, *bands: tuple[float, Image.Image]) -> Image.Image:
    """Bands laid over one another, each from its own height (a fraction) downwards."""
    image = Image.new("RGB", (width, height))
    for top, band in bands:
        image.paste(band, (0, round(top * height)))
    return image


def _hill(rng: np.random.Generator, width: int, height: int, middle: float, swell: float) -> list[tuple[float, float]]:
    x = np.linspace(0, 1, 48)
    y = middle + swell * sum(np.sin(2 * np.pi * (f * x + rng.random())) / f for f in (0.8, 1.7, 3.1))
    return [(0, height), *zip((x * width).tolist(), (y * height).tolist()), (width, height)]


def _disc(pen: ImageDraw.ImageDraw, x: float, y: float, rx: float, ry: float, fill: tuple[int, int, int]) -> None:
    pen.ellipse([x - rx, y - ry, x + rx, y + ry], fill=fill)


def _clouds(pen: ImageDraw.ImageDraw, rng: np.random.Generator, width: int, height: int,
    fill: tuple[int, int, int]) -> None:
    for _ in range(int(rng.integers(1, 4))):
        x, y, r = rng.uniform(0, width), rng.uniform(0.06, 0.26) * height, rng.uniform(0.04, 0.07) * height
        for dx, up, grow in ((-1.3, 0, 0.7), (0, 0.35, 1.0), (1.3, 0, 0.8), (0.4, -0.15, 0.9)):
            _disc(pen, x + dx * r * 1.2, y - up * r, r * grow * 1.5, r * grow * 0.8, fill)


def _meadow(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    sky = [((120, 190, 240), (222, 242, 250)), ((150, 205, 235), (250, 240, 215))][rng.integers(2)]
    image = _gradient(width, height, *sky)
    pen = ImageDraw.Draw(image)
    _disc(pen, rng.uniform(0.1, 0.9) * width, 0.16 * height, 0.06 * width, 0.08 * height, (255, 240, 180))
    _clouds(pen, rng, width, height, (252, 252, 252))
    pen.polygon(_hill(rng, width, height, HORIZON - 0.1, 0.05), fill=(150, 200, 150))
    pen.polygon(_hill(rng, width, height, HORIZON - 0.03, 0.025), fill=(122, 184, 112))
    ground = _gradient(width, height, (134, 196, 96), (86, 156, 66), (64, 130, 56))
    cover = Image.new("L", image.size)
    ImageDraw.Draw(cover).polygon(_hill(rng, width, height, HORIZON + 0.03, 0.012), fill=255)
    image.paste(ground, (0, 0), cover)
    pen = ImageDraw.Draw(image)
    for _ in range(46):
        depth = rng.random() ** 0.7
        x, y, tall = rng.uniform(0, width), (HORIZON + 0.08 + 0.34 * depth) * height, (0.012 + 0.02 * depth) * height
        flower = rng.random() < 0.25
        for lean in (-0.4, 0, 0.4):
            pen.line([x, y, x + lean * tall, y - tall], fill=(74, 142, 60), width=max(1, int(tall / 4)))
        if flower:
            _disc(pen, x, y - tall, tall / 3.5, tall / 3.5, [(255, 244, 250), (255, 220, 110),
                (250, 170, 190)][rng.integers(3)])
    return image


def _room(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    wall = [(236, 220, 196), (186, 208, 214), (206, 216, 190), (226, 200, 198), (178, 184, 208)][rng.integers(5)]
    dim = tuple(int(c * 0.9) for c in wall)
    wood = [(188, 140, 96), (150, 106, 72), (206, 170, 128)][rng.integers(3)]
    dark = tuple(int(c * 0.72) for c in wood)
    edge = HORIZON + 0.04
    image = _stacked(width, height, (0, _gradient(width, height, wall, dim)),
                     (edge, _gradient(width, int((1 - edge) * height) + 2, dark, wood, wood)))
    pen = ImageDraw.Draw(image)
    stripes = int(rng.integers(9, 16))
    faint = tuple(int(c * 0.955) for c in wall)
    for k in range(0, 2 * stripes, 2):
        pen.rectangle([k * width / (2 * stripes), 0, (k + 1) * width / (2 * stripes), edge * height], fill=faint)
    for k in range(-14, 15):
        pen.line([(0.5 + k * 0.075) * width, edge * height, (0.5 + k * 0.2) * width, height], fill=dark,
            width=max(1, width // 260))
    pen.rectangle([0, (edge - 0.035) * height, width, edge * height], fill=(244, 240, 232))
    left, top = rng.choice([0.08, 0.38, 0.66]) * width, 0.07 * height
    right, bottom = left + 0.26 * width, 0.4 * height
    pen.rectangle([left - 0.015 * width, top - 0.02 * height, right + 0.015 * width, bottom + 0.02 * height],
        fill=(246, 242, 234))
    image.paste(_gradient(int(right - left), int(bottom - top), (150, 205, 240), (225, 240, 246)),
        (int(left), int(top)))
    middle = (left + right) / 2
    pen.line([middle, top, middle, bottom], fill=(246, 242, 234), width=width // 80)
    pen.line([left, (top + bottom) / 2, right, (top + bottom) / 2], fill=(246, 242, 234), width=width // 80)
    rug = [(178, 78, 76), (84, 112, 150), (110, 134, 96), (196, 150, 84)][rng.integers(4)]
    _disc(pen, 0.5 * width, 0.87 * height, 0.42 * width, 0.11 * height, tuple(int(c * 0.85) for c in rug))
    _disc(pen, 0.5 * width, 0.87 * height, 0.39 * width, 0.098 * height, rug)
    return image


def _stage(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    cloth = np.array([(150, 34, 44), (60, 40, 110), (26, 86, 92), (120, 70, 30)][rng.integers(4)])
    folds = int(rng.integers(10, 17))
    x = np.linspace(0, 2 * np.pi * folds, width)
    glow = 0.72 + 0.2 * np.sin(x + 0.8 * np.sin(x / 3))
    curtain = Image.fromarray(np.broadcast_to((cloth * glow[:, None])[None], (height, width, 3)).astype(np.uint8))
    edge = HORIZON + 0.06
    boards = _gradient(width, int((1 - edge) * height) + 2, (96, 60, 40), (170, 116, 74))
    image = _stacked(width, height, (0, curtain), (edge, boards))
    pen = ImageDraw.Draw(image)
    for k in range(1, 7):
        y = (edge + (1 - edge) * (k / 7) ** 1.5) * height
        pen.line([0, y, width, y], fill=(104, 68, 46), width=max(1, width // 300))
    light = Image.new("L", (width // 4, height // 4))
    beam = ImageDraw.Draw(light)
    for at in rng.choice([0.2, 0.5, 0.8], size=2, replace=False):
        beam.polygon([(at * light.width - 4, 0), (at * light.width + 4, 0),
            ((at + 0.2) * light.width, 0.86 * light.height), ((at - 0.2) * light.width, 0.86 * light.height)], fill=46)
        _disc(beam, at * light.width, 0.84 * light.height, 0.23 * light.width, 0.09 * light.height, 90)
    light = light.filter(ImageFilter.BoxBlur(light.width / 40)).resize(image.size)
    return ImageChops.add(image, ImageChops.multiply(Image.merge("RGB", (light,) * 3),
        Image.new("RGB", image.size, (255, 236, 190))))


def _street(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    edge = HORIZON + 0.02
    image = _stacked(width, height, (0, _gradient(width, height, (146, 196, 232), (240, 238, 228))),
                     (edge, _gradient(width, int((1 - edge) * height) + 2, (190, 186, 182), (160, 158, 158))))
    pen = ImageDraw.Draw(image)
    _clouds(pen, rng, width, height, (250, 250, 252))
    left = -0.02
    while left < 1:
        wide, top = rng.uniform(0.13, 0.22), rng.uniform(0.1, 0.34)
        house = [(214, 170, 140), (196, 196, 200), (228, 206, 160), (170, 184, 196), (204, 148, 132)][rng.integers(5)]
        pen.rectangle([left * width, top * height, (left + wide) * width, edge * height], fill=house)
        pen.rectangle([left * width, top * height, (left + wide) * width, (top + 0.02) * height],
            fill=tuple(int(c * 0.8) for c in house))
        for row in np.arange(top + 0.055, edge - 0.1, 0.095):
            for k in range(3):
                x = left + wide * (0.14 + 0.27 * k)
                pen.rectangle([x * width, row * height, (x + wide * 0.17) * width, (row + 0.05) * height],
                    fill=(112, 140, 164))
        left += wide
    pen.rectangle([0, edge * height, width, (edge + 0.02) * height], fill=(214, 210, 204))
    image.paste(_gradient(width, int(0.3 * height), (92, 94, 102), (70, 72, 80)), (0, int(0.76 * height)))
    pen.rectangle([0, 0.745 * height, width, 0.765 * height], fill=(220, 216, 210))
    shift = rng.uniform(0, 0.2)
    for k in range(-1, 6):
        x = shift + 0.2 * k
        pen.polygon([(x * width, 0.9 * height), ((x + 0.1) * width, 0.9 * height),
            ((x + 0.09) * width, 0.92 * height), ((x - 0.01) * width, 0.92 * height)], fill=(236, 226, 190))
    return image


def _beach(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    sky = [((96, 180, 232), (214, 240, 248)), ((250, 176, 130), (255, 228, 180))][rng.integers(2)]
    image = _stacked(width, height, (0, _gradient(width, int(0.46 * height), *sky)),
                     (0.44, _gradient(width, int(0.2 * height), (46, 130, 180), (96, 196, 206))))
    pen = ImageDraw.Draw(image)
    _disc(pen, rng.uniform(0.15, 0.85) * width, 0.2 * height, 0.05 * width, 0.066 * height, (255, 246, 206))
    _clouds(pen, rng, width, height, (255, 252, 246))
    for _ in range(26):
        x, y = rng.uniform(0, width), rng.uniform(0.46, 0.6) * height
        pen.line([x, y, x + rng.uniform(0.02, 0.07) * width, y], fill=(170, 224, 230), width=max(1, width // 250))
    shore = _hill(rng, width, height, HORIZON + 0.03, 0.012)
    pen.polygon([(x, y - 0.012 * height if y < height else y) for x, y in shore], fill=(240, 250, 248))
    cover = Image.new("L", image.size)
    ImageDraw.Draw(cover).polygon(shore, fill=255)
    image.paste(_gradient(width, height, (246, 222, 170), (240, 212, 156), (222, 184, 124)), (0, 0), cover)
    pen = ImageDraw.Draw(image)
    for _ in range(70):
        x, y, r = rng.uniform(0, width), rng.uniform(0.66, 1) * height, rng.uniform(0.002, 0.005) * width
        _disc(pen, x, y, r, r * 0.7, [(214, 178, 122), (255, 240, 206)][rng.integers(2)])
    return image


def _evening(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    sky = [((38, 34, 88), (150, 90, 140), (250, 170, 130)), ((18, 28, 66), (44, 74, 128),
        (120, 160, 190))][rng.integers(2)]
    image = _gradient(width, height, *sky)
    pen = ImageDraw.Draw(image)
    for _ in range(40):
        x, y, r = rng.uniform(0, width), rng.uniform(0, 0.4) * height, rng.uniform(0.001, 0.003) * width
        _disc(pen, x, y, r, r * 1.2, (255, 250, 226))
    _disc(pen, rng.uniform(0.1, 0.9) * width, 0.17 * height, 0.05 * width, 0.066 * height, (252, 246, 220))
    far, near = np.array(sky[1]), np.array(sky[0])
    pen.polygon(_hill(rng, width, height, HORIZON - 0.08, 0.06), fill=tuple((0.75 * far).astype(int).tolist()))
    pen.polygon(_hill(rng, width, height, HORIZON, 0.03), fill=tuple((0.5 * far + 0.3 * near).astype(int).tolist()))
    ground = _gradient(width, height, (112, 130, 132), (94, 134, 114), (66, 104, 92))
    cover = Image.new("L", image.size)
    ImageDraw.Draw(cover).polygon(_hill(rng, width, height, HORIZON + 0.04, 0.01), fill=255)
    image.paste(ground, (0, 0), cover)
    return image


_KINDS = {"meadow": _meadow, "room": _room, "stage": _stage, "street": _street, "beach": _beach, "evening": _evening}
