"""Flat shapes on a transparent picture: what the actors are drawn with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import cos, pi, radians, sin

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
INK = (38, 34, 46)
WHITE = (250, 248, 242)

CIRCLE = np.stack([np.cos(np.linspace(0, 2 * pi, 40)), np.sin(np.linspace(0, 2 * pi, 40))], axis=1)


def shade(colour: Colour, by: float) -> Colour:
    """Darker (by < 1) or, towards white, lighter (by > 1) colour."""
    if by <= 1:
        return tuple(int(c * by) for c in colour)
    return tuple(int(c + (255 - c) * (by - 1)) for c in colour)


class Brush:
    """Draws shapes given in the unit square onto an RGBA picture of any size."""

    def __init__(self, width: int, height: int):
        self.image = Image.new("RGBA", (width, height))
        self._pen = ImageDraw.Draw(self.image)
        self._scale = np.array([width, height], float)
        self._unit = float(np.sqrt(width * height))
        # The unit square keeps a margin, so that the dark rim of what touches its edge is not cut.
        self._turn, self._shift = np.eye(2) * 0.95, np.array([0.025, 0.03])

    @contextmanager
    def turned(self, degrees: float, x: float, y: float) -> Iterator[None]:
        """Everything drawn inside is turned (clockwise) about (x, y)."""
        before = self._turn, self._shift
        a = radians(degrees)
        turn = np.array([[cos(a), sin(a)], [-sin(a), cos(a)]])  # for row vectors
        centre = np.array([x, y])
        self._turn, self._shift = turn @ before[0], (centre - centre @ turn) @ before[0] + before[1]
        yield
        self._turn, self._shift = before

    def shape(self, points: object, fill: Colour, edge: bool = True) -> None:
        """A filled polygon, with a darker edge of its own colour."""
        flat = self._pixels(points)
        self._pen.polygon(flat, fill=fill)
        if edge:
            self._pen.line(flat + flat[:4], fill=shade(fill, 0.55), width=max(1, round(0.011 * self._unit)))

    def blob(self, points: object, fill: Colour, edge: bool = True) -> None:
        """A closed smooth curve through the points (Catmull-Rom)."""
        self.shape(_smooth(np.asarray(points, float), closed=True), fill, edge)

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Colour, edge: bool = True) -> None:
        self.shape(CIRCLE * (rx, ry) + (x, y), fill, edge)

    def box(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        fill: Colour,
        edge: bool = True,
        *,
        round: float = 0.0,
    ) -> None:
        """A rectangle, its corners rounded by `round`."""
        if not round:
            self.shape([(left, top), (right, top), (right, bottom), (left, bottom)], fill, edge)
            return
        corner = CIRCLE[:-1] * round
        sign = np.where(corner >= 0, 1, -1)
        half = np.array([(right - left) / 2 - round, (bottom - top) / 2 - round])
        self.shape(corner + sign * half + ((left + right) / 2, (top + bottom) / 2), fill, edge)

    def line(self, points: object, fill: Colour, width: float, *, smooth: bool = False) -> None:
        """A stroke with round ends."""
        points = np.asarray(points, float)
        flat = self._pixels(_smooth(points, closed=False) if smooth else points)
        pixels = width * self._unit
        self._pen.line(flat, fill=fill, width=max(1, round(pixels)), joint="curve" if pixels > 3 else None)
        if pixels > 3:
            for x, y in (flat[:2], flat[-2:]):
                self._pen.ellipse([x - pixels / 2, y - pixels / 2, x + pixels / 2, y + pixels / 2], fill=fill)

    def _pixels(self, points: object) -> list[float]:
        return ((np.asarray(points, float) @ self._turn + self._shift) * self._scale).ravel().tolist()


def _smooth(points: np.ndarray, *, closed: bool) -> np.ndarray:
    if closed:
        p = np.concatenate([points[-1:], points, points[:2]])
    else:
        p = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, 9)[:-1, None, None]
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    curve = curve.transpose(1, 0, 2).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def finished(brush: Brush, width: int, height: int) -> Image.Image:
    """The picture at its final size, lit from above, with a dark rim that stands off any backdrop."""
    alpha = brush.image.getchannel("A")
    rim = alpha.filter(ImageFilter.BoxBlur(max(1, alpha.height / 110))).point(lambda v: min(255, v * 5))
    out = Image.new("RGBA", (width, height), INK)
    out.putalpha(rim.resize((width, height), Image.Resampling.BOX))
    figure = brush.image.resize((width, height), Image.Resampling.BOX)
    light = Image.linear_gradient("L").resize((width, height)).point(lambda v: 255 - v // 5)
    lit = ImageChops.multiply(figure, Image.merge("RGBA", (light, light, light, Image.new("L", figure.size, 255))))
    out.alpha_composite(lit)
    return out
