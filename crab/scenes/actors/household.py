"""What stands about the house. How they are drawn is told in `common`."""
from __future__ import annotations

from math import cos, pi, sin

import numpy as np

from ..brush import CIRCLE, INK, WHITE, Brush, shade
from .common import Actor, pick


def _bell(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    metal = pick(rng, (236, 178, 52), (206, 140, 60), (150, 156, 120))
    wood = pick(rng, (122, 78, 48), (92, 64, 50), (150, 106, 66))
    swing = 0 if beat is None else 15 * cos(pi * beat)
    for x in (0.1, 0.9):
        brush.box(x - 0.045, 0.12, x + 0.045, 0.97, wood)
        brush.line([(x, 0.4), (0.5 + (x - 0.5) * 0.5, 0.13)], shade(wood, 0.8), 0.05)
    brush.box(0.02, 0.04, 0.98, 0.14, shade(wood, 1.1), round=0.02)
    brush.line([(0.04, 0.96), (0.2, 0.96)], shade(wood, 0.6), 0.05)
    brush.line([(0.8, 0.96), (0.96, 0.96)], shade(wood, 0.6), 0.05)
    with brush.turned(swing, 0.5, 0.14):
        with brush.turned(swing * 0.5, 0.5, 0.4):
            brush.line([(0.5, 0.5), (0.5, 0.8)], INK, 0.03)
            brush.oval(0.5, 0.815, 0.06, 0.055, (84, 72, 64))
        brush.box(0.45, 0.12, 0.55, 0.22, shade(metal, 0.6))
        right = [(0.5, 0.19), (0.6, 0.215), (0.66, 0.32), (0.685, 0.5), (0.72, 0.62), (0.79, 0.72)]
        brush.blob(right + [(0.5, 0.755)] + [(1 - x, y) for x, y in right[:0:-1]], metal)
        brush.blob([(0.43, 0.25), (0.47, 0.26), (0.42, 0.5), (0.36, 0.62), (0.35, 0.58), (0.38, 0.4)],
            shade(metal, 1.6), False)
        brush.line([(0.3, 0.6), (0.5, 0.635), (0.7, 0.6)], shade(metal, 0.62), 0.018, smooth=True)
        brush.line([(0.225, 0.71), (0.5, 0.755), (0.775, 0.71)], shade(metal, 0.7), 0.035, smooth=True)
    if beat is not None:
        for side in (-1, 1):
            for k in (0, 1):
                x = 0.5 + side * (0.31 + 0.05 * k)
                brush.line([(x, 0.3 - 0.03 * k), (x + side * 0.035, 0.4), (x, 0.5 + 0.03 * k)], (255, 240, 170),
                    0.018, smooth=True)


def _clock(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    case = pick(rng, (222, 56, 60), (46, 160, 170), (250, 170, 50), (110, 96, 190), (96, 170, 96))
    bells = pick(rng, (246, 206, 90), (214, 218, 226))
    hour, minute = rng.uniform(0, 2 * pi, 2)
    shake = 0 if beat is None else (6 if int(beat * 8) % 2 else -6)
    with brush.turned(shake, 0.5, 0.95):
        for side in (-1, 1):
            brush.line([(0.5 + side * 0.2, 0.82), (0.5 + side * 0.29, 0.95)], shade(case, 0.6), 0.06)
            with brush.turned(side * 36, 0.5, 0.58):
                brush.line([(0.5, 0.2), (0.5, 0.3)], shade(bells, 0.6), 0.04)
                dome = CIRCLE[20:] * (0.135, 0.13) + (0.5, 0.21)
                brush.shape(dome, bells)
                brush.oval(0.5, 0.075, 0.022, 0.022, shade(bells, 0.7))
        tap = 0 if beat is None else (0.05 if int(beat * 8) % 2 else -0.05)
        brush.line([(0.5, 0.3), (0.5 + tap, 0.12)], (90, 92, 100), 0.028)
        brush.box(0.455 + tap, 0.08, 0.545 + tap, 0.145, (90, 92, 100), round=0.02)
        brush.oval(0.5, 0.58, 0.34, 0.34, case)
        brush.oval(0.5, 0.58, 0.275, 0.275, WHITE)
        for k in range(12):
            a = k * pi / 6
            inner = 0.2 if k % 3 == 0 else 0.225
            brush.line([(0.5 + inner * sin(a), 0.58 + inner * cos(a)), (0.5 + 0.245 * sin(a), 0.58 + 0.245 * cos(a))],
                INK, 0.022 if k % 3 == 0 else 0.012)
        brush.line([(0.5, 0.58), (0.5 + 0.12 * sin(hour), 0.58 - 0.12 * cos(hour))], INK, 0.034)
        brush.line([(0.5, 0.58), (0.5 + 0.19 * sin(minute), 0.58 - 0.19 * cos(minute))], INK, 0.024)
        brush.oval(0.5, 0.58, 0.028, 0.028, (220, 50, 50))
    if beat is not None:
        for side in (-1, 1):
            for k in (0, 1):
                x = 0.5 + side * (0.39 + 0.055 * k)
                brush.line([(x, 0.3 - 0.03 * k), (x + side * 0.025, 0.37), (x + side * 0.025, 0.44 + 0.03 * k)],
                    (255, 214, 70), 0.02, smooth=True)


ACTORS = (
    Actor("bell", "bell ringing", "household", _bell),
    Actor("alarm clock", "alarm clock ringing", "household", _clock),
)
