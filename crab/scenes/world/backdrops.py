"""What stands behind the actors and, now and then, before them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from .brush import Brush, finished, shade
from .script import Background

HORIZON = 0.58  # of the height: where floors begin
_MARGIN = 0.03  # of either side: how much of the backdrop lies outside the view when the view moves


@lru_cache(maxsize=64)
def _whole(background: Background, size: tuple[int, int]) -> Image.Image:
    rng = np.random.default_rng(background.seed)
    width, height = 2 * size[0], 2 * size[1]
    image = _KINDS[background.kind](rng, width, height).resize(size, Image.Resampling.BOX)
    grain = rng.normal(0, 3, (size[1], size[0], 1)) + rng.uniform(-6, 6, 3)
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def backdrop(background: Background, size: tuple[int, int], along: float = 0.0) -> Image.Image:
    """The empty stage as an RGB picture of `size`; `along` is how far the view has moved, -0.5 to 0.5."""
    if background.pan == (0.0, 0.0):
        return _whole(background, size).copy()
    width, height = size
    extra = round(_MARGIN * width), round(_MARGIN * height)
    left = extra[0] - round(background.pan[0] * along * width)
    top = extra[1] - round(background.pan[1] * along * height)
    whole = _whole(background, (width + 2 * extra[0], height + 2 * extra[1]))
    return whole.crop((left, top, left + width, top + height))


@lru_cache(maxsize=64)
def front(background: Background, size: tuple[int, int]) -> Image.Image:
    """What stands before everybody, as an RGBA picture; its foot is the picture's lower edge."""
    tall, wide = _FRONTS[background.front][0]
    width, height = max(6, round(wide * size[0])), max(6, round(tall * size[1]))
    brush = Brush(2 * width, 2 * height)
    _FRONTS[background.front][1](brush, np.random.default_rng(background.seed + 1))
    return finished(brush, width, height)


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


def _clouds(
    pen: ImageDraw.ImageDraw, rng: np.random.Generator, width: int, height: int, fill: tuple[int, int, int]
) -> None:
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
            _disc(
                pen,
                x,
                y - tall,
                tall / 3.5,
                tall / 3.5,
                [(255, 244, 250), (255, 220, 110), (250, 170, 190)][rng.integers(3)],
            )
    return image


def _room(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    wall = [(236, 220, 196), (186, 208, 214), (206, 216, 190), (226, 200, 198), (178, 184, 208)][rng.integers(5)]
    dim = tuple(int(c * 0.9) for c in wall)
    wood = [(188, 140, 96), (150, 106, 72), (206, 170, 128)][rng.integers(3)]
    dark = tuple(int(c * 0.72) for c in wood)
    edge = HORIZON + 0.04
    image = _stacked(
        width,
        height,
        (0, _gradient(width, height, wall, dim)),
        (edge, _gradient(width, int((1 - edge) * height) + 2, dark, wood, wood)),
    )
    pen = ImageDraw.Draw(image)
    stripes = int(rng.integers(9, 16))
    faint = tuple(int(c * 0.955) for c in wall)
    for k in range(0, 2 * stripes, 2):
        pen.rectangle([k * width / (2 * stripes), 0, (k + 1) * width / (2 * stripes), edge * height], fill=faint)
    for k in range(-14, 15):
        pen.line(
            [(0.5 + k * 0.075) * width, edge * height, (0.5 + k * 0.2) * width, height],
            fill=dark,
            width=max(1, width // 260),
        )
    pen.rectangle([0, (edge - 0.035) * height, width, edge * height], fill=(244, 240, 232))
    left, top = rng.choice([0.08, 0.38, 0.66]) * width, 0.07 * height
    right, bottom = left + 0.26 * width, 0.4 * height
    pen.rectangle(
        [left - 0.015 * width, top - 0.02 * height, right + 0.015 * width, bottom + 0.02 * height], fill=(246, 242, 234)
    )
    image.paste(
        _gradient(int(right - left), int(bottom - top), (150, 205, 240), (225, 240, 246)), (int(left), int(top))
    )
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
        beam.polygon(
            [
                (at * light.width - 4, 0),
                (at * light.width + 4, 0),
                ((at + 0.2) * light.width, 0.86 * light.height),
                ((at - 0.2) * light.width, 0.86 * light.height),
            ],
            fill=46,
        )
        _disc(beam, at * light.width, 0.84 * light.height, 0.23 * light.width, 0.09 * light.height, 90)
    light = light.filter(ImageFilter.BoxBlur(light.width / 40)).resize(image.size)
    return ImageChops.add(
        image, ImageChops.multiply(Image.merge("RGB", (light,) * 3), Image.new("RGB", image.size, (255, 236, 190)))
    )


def _street(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    edge = HORIZON + 0.02
    image = _stacked(
        width,
        height,
        (0, _gradient(width, height, (146, 196, 232), (240, 238, 228))),
        (edge, _gradient(width, int((1 - edge) * height) + 2, (190, 186, 182), (160, 158, 158))),
    )
    pen = ImageDraw.Draw(image)
    _clouds(pen, rng, width, height, (250, 250, 252))
    left = -0.02
    while left < 1:
        wide, top = rng.uniform(0.13, 0.22), rng.uniform(0.1, 0.34)
        house = [(214, 170, 140), (196, 196, 200), (228, 206, 160), (170, 184, 196), (204, 148, 132)][rng.integers(5)]
        pen.rectangle([left * width, top * height, (left + wide) * width, edge * height], fill=house)
        pen.rectangle(
            [left * width, top * height, (left + wide) * width, (top + 0.02) * height],
            fill=tuple(int(c * 0.8) for c in house),
        )
        for row in np.arange(top + 0.055, edge - 0.1, 0.095):
            for k in range(3):
                x = left + wide * (0.14 + 0.27 * k)
                pen.rectangle(
                    [x * width, row * height, (x + wide * 0.17) * width, (row + 0.05) * height], fill=(112, 140, 164)
                )
        left += wide
    pen.rectangle([0, edge * height, width, (edge + 0.02) * height], fill=(214, 210, 204))
    image.paste(_gradient(width, int(0.3 * height), (92, 94, 102), (70, 72, 80)), (0, int(0.76 * height)))
    pen.rectangle([0, 0.745 * height, width, 0.765 * height], fill=(220, 216, 210))
    shift = rng.uniform(0, 0.2)
    for k in range(-1, 6):
        x = shift + 0.2 * k
        pen.polygon(
            [
                (x * width, 0.9 * height),
                ((x + 0.1) * width, 0.9 * height),
                ((x + 0.09) * width, 0.92 * height),
                ((x - 0.01) * width, 0.92 * height),
            ],
            fill=(236, 226, 190),
        )
    return image


def _beach(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    sky = [((96, 180, 232), (214, 240, 248)), ((250, 176, 130), (255, 228, 180))][rng.integers(2)]
    image = _stacked(
        width,
        height,
        (0, _gradient(width, int(0.46 * height), *sky)),
        (0.44, _gradient(width, int(0.2 * height), (46, 130, 180), (96, 196, 206))),
    )
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
    sky = [((38, 34, 88), (150, 90, 140), (250, 170, 130)), ((18, 28, 66), (44, 74, 128), (120, 160, 190))][
        rng.integers(2)
    ]
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


def _bush(brush: Brush, rng: np.random.Generator) -> None:
    leaf = [(66, 130, 62), (92, 150, 60), (48, 108, 74)][rng.integers(3)]
    for x, y, r in ((0.2, 0.66, 0.24), (0.8, 0.68, 0.24), (0.5, 0.46, 0.34), (0.35, 0.72, 0.28), (0.66, 0.74, 0.28)):
        brush.oval(x, y, r, r * 1.1, shade(leaf, float(rng.uniform(0.85, 1.15))))


def _crate(brush: Brush, rng: np.random.Generator) -> None:
    wood = [(176, 128, 80), (150, 104, 62), (196, 150, 100)][rng.integers(3)]
    brush.box(0.02, 0.1, 0.98, 1.0, wood)
    for y in (0.32, 0.55, 0.78):
        brush.line([(0.04, y), (0.96, y)], shade(wood, 0.7), 0.02)
    for a, b in (((0.08, 0.16), (0.92, 0.94)), ((0.02, 0.1), (0.98, 0.1))):
        brush.line([a, b], shade(wood, 0.8), 0.07)


def _post(brush: Brush, rng: np.random.Generator) -> None:
    paint = [(120, 124, 132), (146, 98, 62), (70, 84, 100)][rng.integers(3)]
    brush.box(0.25, 0.02, 0.75, 1.0, paint)
    brush.box(0.1, 0.02, 0.9, 0.09, shade(paint, 1.2))
    brush.box(0.34, 0.1, 0.46, 1.0, shade(paint, 1.25), False)


def _rock(brush: Brush, rng: np.random.Generator) -> None:
    stone = [(132, 130, 134), (116, 108, 104), (150, 146, 138)][rng.integers(3)]
    lean = float(rng.uniform(-0.08, 0.08))
    brush.blob([(0.02, 0.98), (0.1, 0.5), (0.36 + lean, 0.14), (0.66 + lean, 0.2), (0.92, 0.56), (0.98, 0.98)], stone)
    brush.blob([(0.3, 0.4), (0.44 + lean, 0.24), (0.6 + lean, 0.3), (0.46, 0.5)], shade(stone, 1.25), False)


_FRONTS = {  # (height, width) in fractions of the picture, drawing
    "bush": ((0.22, 0.24), _bush),
    "crate": ((0.2, 0.17), _crate),
    "post": ((0.5, 0.06), _post),
    "rock": ((0.16, 0.22), _rock),
}
