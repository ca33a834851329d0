"""What every drawing shares.

An actor is drawn in a unit square (x to the right, y down, feet at y = 0.98) with flat shapes. The generator decides
colours, proportions and small parts and must be drawn from alike in every pose; `beat` is where in a pair of beats
(0 to 2) a sounding actor is, None when it is silent. Whole beats are when it strikes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..brush import INK, WHITE, Brush, Colour, shade

Draw = Callable[[Brush, np.random.Generator, "float | None"], None]

SKINS: tuple[Colour, ...] = ((246, 208, 178), (226, 172, 132), (176, 118, 82), (120, 78, 54))
CLOTHES: tuple[Colour, ...] = (
    (58, 110, 185),
    (196, 62, 60),
    (52, 140, 96),
    (236, 176, 60),
    (122, 84, 160),
    (70, 76, 92),
)


def pick(rng: np.random.Generator, *colours: Colour) -> Colour:
    """One of the colours, a little off."""
    chosen = np.array(colours[rng.integers(len(colours))]) + rng.integers(-12, 13, 3)
    return tuple(int(c) for c in np.clip(chosen, 0, 255))


def edged(brush: Brush, points: object, colour: Colour, outer: float, inner: float, *, smooth: bool = True) -> None:
    """A stroke with a darker edge of its own colour, as shapes have; the edge is what `outer` is wider than `inner`."""
    brush.line(points, shade(colour, 0.55), outer, smooth=smooth)
    brush.line(points, colour, inner, smooth=smooth)


def eye(brush: Brush, x: float, y: float, r: float, iris: Colour = INK) -> None:
    brush.oval(x, y, r, r * 1.1, WHITE)
    brush.oval(x + r * 0.15, y + r * 0.1, r * 0.62, r * 0.7, iris, False)
    brush.oval(x + r * 0.35, y - r * 0.2, r * 0.25, r * 0.25, WHITE, False)


def hand(brush: Brush, x: float, y: float, skin: Colour, sleeve: Colour, elbow: tuple[float, float]) -> None:
    """A hand at (x, y) and the arm from its elbow."""
    brush.line([elbow, (x, y)], shade(sleeve, 0.6), 0.105)
    brush.line([elbow, (x, y)], sleeve, 0.085)
    brush.oval(x, y, 0.058, 0.052, skin)


def note(brush: Brush, x: float, y: float, colour: Colour) -> None:
    """A musical note: what is heard but has no shape of its own."""
    brush.line([(x + 0.03, y + 0.07), (x + 0.03, y - 0.03), (x + 0.075, y + 0.0)], colour, 0.018)
    brush.oval(x, y + 0.075, 0.038, 0.03, colour)
