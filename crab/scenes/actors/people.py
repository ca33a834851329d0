"""People, with faces. How they are drawn is told in `common`."""
from __future__ import annotations

from math import pi, sin

import numpy as np

from ..brush import CIRCLE, INK, WHITE, Brush, shade
from .common import CLOTHES, SKINS, Actor, eye, hand, pick


def _man(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    skin, shirt = pick(rng, *SKINS), pick(rng, *CLOTHES)
    hair = pick(rng, (50, 36, 30), (110, 70, 40), (214, 170, 90), (120, 120, 126), (24, 22, 28))
    beard, glasses, bald = rng.random() < 0.35, rng.random() < 0.3, rng.random() < 0.2
    legs = pick(rng, (50, 60, 90), (84, 72, 60), (60, 62, 66))
    for x in (0.42, 0.58):
        brush.box(x - 0.065, 0.76, x + 0.065, 0.95, legs)
        brush.oval(x, 0.95, 0.09, 0.032, (46, 36, 36))
    raised = 0 if beat is None else 0.1 + 0.08 * sin(pi * beat)
    for side in (-1, 1):
        up = raised if side > 0 else 0.4 * raised
        hand = (0.5 + side * (0.26 + 0.6 * up), 0.76 - 1.4 * up)
        elbow = (0.5 + side * 0.27, 0.66 + 0.1 * up)
        for colour, width in ((shade(shirt, 0.55), 0.12), (shirt, 0.098)):
            brush.line([(0.5 + side * 0.16, 0.54), elbow, hand], colour, width, smooth=True)
        brush.oval(*hand, 0.056, 0.054, skin)
    brush.blob([(0.38, 0.47), (0.62, 0.47), (0.7, 0.54), (0.68, 0.82), (0.32, 0.82), (0.3, 0.54)], shirt)
    brush.shape([(0.44, 0.465), (0.56, 0.465), (0.5, 0.57)], WHITE)
    brush.shape([(0.485, 0.5), (0.515, 0.5), (0.53, 0.68), (0.5, 0.72), (0.47, 0.68)], shade(shirt, 0.45))
    brush.box(0.45, 0.4, 0.55, 0.49, shade(skin, 0.85), False)
    nod = 0 if beat is None else 0.01 * sin(2 * pi * beat)
    y = nod
    for side in (-1, 1):
        brush.oval(0.5 + side * 0.19, 0.27 + y, 0.04, 0.05, skin)
    if not bald:
        brush.oval(0.5, 0.2 + y, 0.2, 0.19, hair)
    brush.blob([(0.5, 0.06 + y), (0.64, 0.1 + y), (0.69, 0.25 + y), (0.63, 0.4 + y), (0.5, 0.46 + y), (0.37, 0.4 + y),
        (0.31, 0.25 + y), (0.36, 0.1 + y)], skin)
    if beard:
        brush.blob([(0.31, 0.28 + y), (0.38, 0.33 + y), (0.5, 0.325 + y), (0.62, 0.33 + y), (0.69, 0.28 + y),
            (0.645, 0.42 + y), (0.5, 0.49 + y), (0.355, 0.42 + y)], hair)
    if not bald:
        brush.blob([(0.305, 0.23 + y), (0.33, 0.07 + y), (0.5, 0.0 + y), (0.67, 0.07 + y), (0.695, 0.23 + y),
            (0.63, 0.15 + y), (0.45, 0.13 + y), (0.36, 0.17 + y)], hair)
    for side in (-1, 1):
        eye(brush, 0.5 + side * 0.085, 0.235 + y, 0.036)
        brush.line([(0.5 + side * 0.045, 0.175 + y), (0.5 + side * 0.12, 0.172 + y)], shade(hair, 0.8), 0.02)
        if glasses:
            ring = CIRCLE * (0.062, 0.056) + (0.5 + side * 0.085, 0.238 + y)
            brush.line(ring, INK, 0.014)
    brush.blob([(0.49, 0.26 + y), (0.52, 0.3 + y), (0.48, 0.31 + y)], shade(skin, 0.8), False)
    if beat is None:
        brush.line([(0.445, 0.375 + y), (0.5, 0.39 + y), (0.555, 0.375 + y)], (150, 60, 60), 0.018, smooth=True)
    else:
        wide = 0.018 + 0.034 * sin(pi * (beat % 1))
        brush.oval(0.5, 0.375 + y, 0.068, wide, (120, 30, 40))
        brush.box(0.455, 0.375 + y - wide * 0.8, 0.545, 0.375 + y - wide * 0.3, WHITE, False)


ACTORS = (
    Actor("man", "man speaking", "person", _man),
)
