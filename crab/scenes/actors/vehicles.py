"""Vehicles and machines that move. How they are drawn is told in `common`."""
from __future__ import annotations

from math import pi, sin

import numpy as np

from ..brush import WHITE, Brush, shade
from .common import Actor, pick


def _car(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    paint = pick(rng, (214, 48, 50), (42, 104, 196), (250, 196, 40), (56, 152, 110), (232, 234, 238), (236, 126, 40))
    hop = 0 if beat is None else 0.014 * sin(4 * pi * beat)
    roof = rng.uniform(0.28, 0.36)
    front = rng.uniform(0.68, 0.76)
    y = hop
    if beat is not None:
        for k in range(2):
            age = (beat / 2 + k / 2) % 1
            brush.oval(0.07 - 0.02 * age, 0.72 - 0.2 * age, 0.035 + 0.035 * age, 0.03 + 0.03 * age, (206, 206, 212))
    brush.shape([(0.0, 0.78), (0.09, 0.78), (0.09, 0.81), (0.0, 0.81)], (110, 112, 120))
    brush.blob([(0.04, 0.6 + y), (0.14, 0.54 + y), (0.24, 0.5 + y), (0.32, roof + y), (0.5, roof - 0.03 + y),
        (0.62, roof + 0.02 + y),
                (front, 0.52 + y), (0.9, 0.56 + y), (0.975, 0.66 + y), (0.97, 0.8 + y), (0.5, 0.82 + y),
                    (0.05, 0.8 + y)], paint)
    glass = (176, 222, 240)
    brush.shape([(0.3, 0.52 + y), (0.36, roof + 0.06 + y), (0.47, roof + 0.045 + y), (0.47, 0.52 + y)], glass)
    brush.shape([(0.51, 0.52 + y), (0.51, roof + 0.045 + y), (0.59, roof + 0.07 + y), (front - 0.04, 0.52 + y)], glass)
    brush.line([(0.36, 0.5 + y), (0.41, roof + 0.09 + y)], WHITE, 0.018)
    brush.line([(0.08, 0.65 + y), (0.94, 0.65 + y)], shade(paint, 1.35), 0.02)
    brush.line([(0.49, 0.54 + y), (0.49, 0.78 + y)], shade(paint, 0.6), 0.01)
    brush.line([(0.53, 0.6 + y), (0.58, 0.6 + y)], shade(paint, 0.5), 0.018)
    brush.oval(0.93, 0.66 + y, 0.034, 0.042, (255, 248, 190) if beat is None else (255, 236, 90))
    brush.box(0.03, 0.6 + y, 0.075, 0.68 + y, (200, 40, 40), round=0.015)
    brush.box(0.02, 0.755 + y, 0.985, 0.81 + y, (110, 112, 122), round=0.025)
    turn = 0 if beat is None else 180 * beat
    for x in (0.24, 0.76):
        brush.oval(x, 0.82, 0.135, 0.135, (40, 40, 46))
        brush.oval(x, 0.82, 0.075, 0.075, (206, 210, 218))
        with brush.turned(turn, x, 0.82):
            for a in (0, 60, 120):
                with brush.turned(a, x, 0.82):
                    brush.line([(x - 0.06, 0.82), (x + 0.06, 0.82)], (110, 114, 124), 0.016)
        brush.oval(x, 0.82, 0.02, 0.02, (80, 82, 90), False)


ACTORS = (
    Actor("car", "car engine running", "vehicle", _car),
)
