"""Where: masks, boxes and points on the picture they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from visualize import theme

# A small picture is enlarged until its short side has 480 pixels, so that lines stay crisp.
SHORT_SIDE, LONG_SIDE = 480, 1920
DARK, WHITE = (16, 20, 28), (255, 255, 255)


def overlay(
    frame: np.ndarray,
    masks: Sequence[Any] = (),
    boxes: Sequence[Any] = (),
    points: Sequence[tuple[float, float]] = (),
    *,
    colours: Mapping[str, str],
    of: tuple[int, int] | None = None,
) -> Image.Image:
    """`frame` (H, W, 3) uint8 with masks (fill and contour), boxes, points and label tags on it.

    `of` is the (width, height) of the picture that boxes, points and masks are in pixels of, where `frame` is that
    picture made smaller. Colours are by label as `theme.answer_colours` gives them. A mask is never opaque, and the
    clearer the more of the picture it covers; each label has one tag, always inside the picture. A small frame comes
    back enlarged by a whole number.
    """
    height, width = frame.shape[:2]
    scale = max(1, min(ceil(SHORT_SIDE / min(height, width)), LONG_SIDE // max(height, width)))
    size = (width * scale, height * scale)
    picture = frame.copy() if scale == 1 else cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC)
    line = max(2, round(min(size) / 260))
    across, down = (shown / own for shown, own in zip(size, of or (width, height)))

    corners: dict[str, tuple[int, int]] = {}  # label → upper left corner of what it names; a box's before a mask's
    for mask in masks:
        inside = cv2.resize(mask.mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
        if inside.any():
            corners[mask.label] = _mask(picture, inside, theme.rgb(theme.colour(colours, mask.label)), line)
    for box in boxes:
        sides = [across * box.x1, down * box.y1, across * box.x2, down * box.y2]
        corners[box.label] = _box(picture, sides, theme.rgb(theme.colour(colours, box.label)), line)
    owner = theme.rgb(theme.colour(colours, next(iter(corners)))) if len(corners) == 1 else WHITE
    for x, y in points:
        _point(picture, (round(across * x), round(down * y)), owner, line)

    image = Image.fromarray(picture)
    taken: list[tuple[int, int, int, int]] = []
    for label, corner in corners.items():
        if label:
            taken.append(tag(image, label, theme.colour(colours, label), corner, taken))
    return image


def captioned(image: Image.Image, words: str) -> Image.Image:
    """The picture over a strip of dark ground with `words`, broken into lines as wide as it is."""
    letters = max(13, round(min(image.size) / 34))
    font = theme.font(letters)
    lines = wrapped(words, font, image.width - 2 * letters)
    tall = round(letters * (1.4 * len(lines) + 0.8))
    whole = Image.new("RGB", (image.width, image.height + tall), DARK)
    whole.paste(image)
    ImageDraw.Draw(whole).multiline_text(
        (letters, image.height + 0.5 * letters), "\n".join(lines), font=font, fill="white", spacing=0.4 * letters
    )
    return whole


def wrapped(words: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """Lines of whole words, no wider than `width` pixels where a word is not."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _mask(picture: np.ndarray, inside: np.ndarray, hue: tuple[int, int, int], line: int) -> tuple[int, int]:
    """Fills and outlines `inside` (H, W) bool; returns the upper left corner of its extent."""
    strength = 0.45 - 0.25 * inside.mean()
    tinted = cv2.addWeighted(picture, 1 - strength, np.full_like(picture, hue), strength, 0)
    np.copyto(picture, tinted, where=inside[..., None])
    contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, DARK, line + 2, cv2.LINE_AA)
    cv2.drawContours(picture, contours, -1, hue, line, cv2.LINE_AA)
    return int(inside.any(0).argmax()), int(inside.any(1).argmax())


def _box(picture: np.ndarray, sides: Sequence[float], hue: tuple[int, int, int], line: int) -> tuple[int, int]:
    """A thin frame with strong corners, so that a contour inside it leads; returns its upper left corner."""
    edge = line // 2 + 1
    x1, x2 = (int(np.clip(round(x), edge, picture.shape[1] - 1 - edge)) for x in (sides[0], sides[2]))
    y1, y2 = (int(np.clip(round(y), edge, picture.shape[0] - 1 - edge)) for y in (sides[1], sides[3]))
    arm = min(x2 - x1, y2 - y1, 24 * line) // 3
    for colour, thin, strong in ((DARK, line // 2 + 2, line + 2), (hue, line // 2, line)):
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, thin, cv2.LINE_AA)
        for x, across in ((x1, arm), (x2, -arm)):
            for y, down in ((y1, arm), (y2, -arm)):
                elbow = np.array([(x + across, y), (x, y), (x, y + down)])
                cv2.polylines(picture, [elbow], False, colour, strong, cv2.LINE_AA)
    return x1 - edge, y1 - edge


def _point(picture: np.ndarray, centre: tuple[int, int], hue: tuple[int, int, int], line: int) -> None:
    """A dot in two rings, told from any picture and from a contour it may lie on."""
    for radius, colour in ((2 * line + 2, DARK), (2 * line + 1, WHITE), (2 * line - line // 2 - 1, hue)):
        cv2.circle(picture, centre, radius, colour, -1, cv2.LINE_AA)


def tag(
    image: Image.Image, label: str, colour: str, corner: tuple[int, int], taken: Sequence[tuple[int, int, int, int]]
) -> tuple[int, int, int, int]:
    """Draws a label on a dark ground, above `corner` if there is room, clear of `taken`; returns its rectangle."""
    letters = max(13, round(min(image.size) / 30))
    pad = letters // 2
    font = theme.font(letters)
    text = " ".join(label.split())
    room = image.width - 4 * pad - letters
    if font.getlength(text) > room:
        while text and font.getlength(text + "…") > room:
            text = text[:-1]
        text += "…"
    swatch = round(letters * 0.7)
    width, height = round(font.getlength(text)) + swatch + 3 * pad, round(letters * 1.7)

    x = min(max(corner[0], 0), image.width - width)
    above = corner[1] - height
    y = above if above >= 0 else max(corner[1], 0)
    for other in sorted(taken, key=lambda rectangle: rectangle[1]):
        if x < other[2] and other[0] < x + width and y < other[3] and other[1] < y + height:
            y = min(other[3] + 2, image.height - height)

    sign = Image.new("RGBA", (width, height))
    pen = ImageDraw.Draw(sign)
    pen.rounded_rectangle((0, 0, width - 1, height - 1), radius=pad * 0.7, fill=(*DARK, 215))
    pen.rectangle((pad, (height - swatch) / 2, pad + swatch, (height + swatch) / 2), fill=colour)
    pen.text((2 * pad + swatch, height / 2), text, font=font, fill="white", anchor="lm")
    image.paste(sign, (x, y), sign)
    return x, y, x + width, y + height
