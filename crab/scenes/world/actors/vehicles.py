"""Vehicles and machines that move. How they are drawn is told in `common`."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np

from ..brush import WHITE, Brush, Colour, shade
from .common import pick


def car(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
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
    brush.blob(
        [
            (0.04, 0.6 + y),
            (0.14, 0.54 + y),
            (0.24, 0.5 + y),
            (0.32, roof + y),
            (0.5, roof - 0.03 + y),
            (0.62, roof + 0.02 + y),
            (front, 0.52 + y),
            (0.9, 0.56 + y),
            (0.975, 0.66 + y),
            (0.97, 0.8 + y),
            (0.5, 0.82 + y),
            (0.05, 0.8 + y),
        ],
        paint,
    )
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


def _puff(brush: Brush, x: float, y: float, r: float, colour: Colour) -> None:
    """A little cloud."""
    for dx, dy, s in ((-0.6, 0.2, 0.75), (0.6, 0.25, 0.7), (0.0, -0.15, 1.0)):
        brush.oval(x + dx * r, y + dy * r, s * r, 0.85 * s * r, colour, s == 1.0)


def train(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    paint = pick(rng, (46, 106, 82), (44, 72, 150), (170, 42, 46), (54, 56, 66))
    trim = pick(rng, (214, 50, 44), (236, 184, 60), (226, 120, 40))
    brass = (240, 194, 84)
    stack = rng.uniform(0.13, 0.18)
    dome = rng.uniform(0.5, 0.56)
    bands = int(rng.integers(2, 4))
    if beat is not None:
        for k in range(3):
            age = (beat / 2 + k / 3) % 1
            _puff(brush, 0.77 - 0.34 * age, 0.12 - 0.04 * age, 0.045 + 0.035 * age, shade(WHITE, 1 - 0.1 * age))
        if beat < 1.5:
            for k, high in enumerate((0.0, 0.5)):
                _puff(
                    brush,
                    dome - 0.09 + 0.02 * k,
                    0.28 - 0.07 * k - 0.03 * ((2 * beat + high) % 1),
                    0.035 + 0.01 * k,
                    WHITE,
                )
    brush.box(0.01, 0.945, 0.99, 0.98, (120, 104, 92))
    brush.shape([(0.7, stack), (0.84, stack), (0.815, 0.29), (0.81, 0.42), (0.73, 0.42), (0.725, 0.29)], (52, 52, 60))
    brush.box(0.69, stack - 0.02, 0.85, stack + 0.025, trim, round=0.015)
    brush.blob(
        [(dome - 0.06, 0.43), (dome - 0.05, 0.34), (dome, 0.31), (dome + 0.05, 0.34), (dome + 0.06, 0.43)], brass
    )
    brush.box(0.3, 0.4, 0.93, 0.7, paint, round=0.05)
    brush.line([(0.34, 0.45), (0.88, 0.45)], shade(paint, 1.35), 0.024)
    for k in range(bands):
        at = 0.44 + k * 0.4 / bands
        brush.line([(at, 0.41), (at, 0.69)], brass, 0.018)
    brush.box(0.84, 0.395, 0.95, 0.705, (58, 58, 66), round=0.03)
    brush.oval(0.945, 0.45, 0.035, 0.05, (255, 246, 180) if beat is None else (255, 232, 80))
    brush.box(0.04, 0.22, 0.36, 0.72, paint)
    brush.box(0.09, 0.29, 0.205, 0.48, (176, 222, 240))
    brush.box(0.235, 0.29, 0.325, 0.48, (176, 222, 240))
    brush.line([(0.06, 0.58), (0.34, 0.58)], trim, 0.03)
    brush.blob([(0.02, 0.2), (0.1, 0.13), (0.3, 0.13), (0.38, 0.2), (0.38, 0.23), (0.02, 0.23)], shade(trim, 0.85))
    brush.box(0.02, 0.69, 0.96, 0.77, trim)
    brush.shape([(0.84, 0.75), (0.96, 0.75), (1.0, 0.94), (0.84, 0.94)], (70, 70, 80))
    for x in (0.88, 0.92):
        brush.line([(x, 0.78), (x + 0.025, 0.92)], (150, 152, 160), 0.014)
    turn = 40 if beat is None else 40 + 180 * beat
    wheels = ((0.15, 0.8, 0.145), (0.46, 0.8, 0.145), (0.73, 0.855, 0.09))
    for x, y, r in wheels:
        brush.oval(x, y, r, r, (44, 44, 50))
        brush.oval(x, y, 0.76 * r, 0.76 * r, trim)
        with brush.turned(turn, x, y):
            for a in (0, 60, 120):
                with brush.turned(a, x, y):
                    brush.line([(x - 0.7 * r, y), (x + 0.7 * r, y)], (44, 44, 50), 0.02)
        brush.oval(x, y, 0.25 * r, 0.25 * r, brass, False)
    dx, dy = 0.075 * cos(pi * turn / 180), 0.075 * sin(pi * turn / 180)
    brush.line([(0.46 + dx, 0.8 + dy), (0.78 + 0.6 * dx, 0.74)], (150, 152, 164), 0.03)
    brush.line([(0.15 + dx, 0.8 + dy), (0.46 + dx, 0.8 + dy)], (208, 210, 220), 0.036)
    for x in (0.15, 0.46):
        brush.oval(x + dx, 0.8 + dy, 0.026, 0.026, brass)


def motorcycle(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    paint = pick(rng, (206, 40, 44), (36, 92, 190), (48, 144, 84), (240, 160, 36), (60, 60, 72))
    seat = pick(rng, (60, 44, 40), (110, 70, 44))
    flame = rng.random() < 0.5
    bar = rng.uniform(0.12, 0.18)
    steel, chrome = (104, 108, 120), (206, 212, 222)
    rev = 0 if beat is None else max(0.25, 1 - (beat % 1))
    shake = 0 if beat is None else -1.5 + 1.5 * cos(8 * pi * beat) - 3 * rev
    if beat is not None:
        for k in range(3):
            age = (beat + k / 3) % 1
            _puff(brush, 0.1 - 0.01 * age, 0.62 - 0.42 * age, 0.035 + 0.032 * age, (196, 196, 204))
    turn = 0 if beat is None else 180 * beat
    with brush.turned(shake, 0.2, 0.78):
        for x in (0.215, 0.785):
            brush.oval(x, 0.77, 0.205, 0.205, (38, 38, 44))
            brush.oval(x, 0.77, 0.145, 0.145, (226, 228, 234))
            brush.oval(x, 0.77, 0.12, 0.12, (120, 126, 138), False)
            with brush.turned(turn, x, 0.77):
                for a in range(0, 180, 45):
                    with brush.turned(a, x, 0.77):
                        brush.line([(x - 0.13, 0.77), (x + 0.13, 0.77)], chrome, 0.012)
            brush.oval(x, 0.77, 0.04, 0.04, steel)
        brush.line([(0.785, 0.77), (0.64, 0.28)], steel, 0.055)
        brush.line([(0.785, 0.77), (0.64, 0.28)], chrome, 0.03)
        brush.blob([(0.6, 0.66), (0.68, 0.58), (0.84, 0.54), (0.98, 0.64), (0.84, 0.6), (0.7, 0.63)], paint)
        brush.line([(0.22, 0.77), (0.36, 0.6), (0.62, 0.42)], steel, 0.05)
        brush.oval(0.47, 0.72, 0.125, 0.12, steel)
        brush.oval(0.47, 0.74, 0.07, 0.065, chrome)
        for k in range(3):
            brush.line([(0.4, 0.58 + 0.04 * k), (0.56, 0.56 + 0.04 * k)], chrome, 0.024)
        brush.line([(0.52, 0.82), (0.36, 0.88), (0.08, 0.82)], shade(chrome, 0.6), 0.07)
        brush.line([(0.52, 0.82), (0.36, 0.88), (0.08, 0.82)], chrome, 0.048)
        brush.blob([(0.05, 0.58), (0.12, 0.5), (0.26, 0.5), (0.4, 0.6), (0.24, 0.56), (0.1, 0.62)], paint)
        brush.blob(
            [(0.14, 0.42), (0.26, 0.43), (0.44, 0.42), (0.46, 0.5), (0.3, 0.55), (0.16, 0.51), (0.1, 0.46)], seat
        )
        brush.blob([(0.4, 0.46), (0.48, 0.34), (0.62, 0.33), (0.69, 0.42), (0.6, 0.52), (0.44, 0.55)], paint)
        if flame:
            brush.blob(
                [(0.66, 0.4), (0.54, 0.39), (0.46, 0.46), (0.56, 0.45), (0.52, 0.5), (0.64, 0.46)],
                (250, 190, 60),
                False,
            )
        else:
            brush.line([(0.47, 0.46), (0.65, 0.42)], shade(paint, 1.6), 0.022)
        brush.line([(0.65, 0.32), (0.6, bar + 0.05), (0.48, bar + 0.04)], (44, 44, 52), 0.04, smooth=True)
        brush.blob([(0.63, 0.3), (0.66, bar), (0.7, bar - 0.07), (0.76, 0.2), (0.76, 0.3)], (176, 222, 240))
        brush.oval(0.74, 0.35, 0.075, 0.075, chrome)
        brush.oval(0.77, 0.35, 0.045, 0.055, (255, 248, 190) if beat is None else (255, 232, 80), False)


def helicopter(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    paint = pick(rng, (226, 60, 48), (40, 112, 196), (246, 188, 40), (74, 112, 62), (236, 238, 240))
    stripe = pick(rng, (250, 248, 242), (40, 46, 66), (240, 150, 40))
    fin = rng.uniform(0.22, 0.28)
    nose = rng.uniform(0.94, 0.97)
    dark = (72, 76, 88)
    y = 0 if beat is None else 0.025 * sin(pi * beat)
    tilt = 0 if beat is None else 3
    with brush.turned(tilt, 0.58, 0.5):
        for x in (0.5, 0.74):
            brush.line([(x, 0.74 + y), (x - 0.02 + 0.08 * (x > 0.6), 0.94 + y)], dark, 0.03)
        brush.line([(0.34, 0.95 + y), (0.88, 0.95 + y), (0.95, 0.9 + y)], dark, 0.045)
        brush.shape([(0.1, 0.42 + y), (0.48, 0.42 + y), (0.48, 0.64 + y), (0.12, 0.49 + y)], paint)
        brush.shape([(0.06, fin + y), (0.14, fin + y), (0.22, 0.43 + y), (0.11, 0.55 + y)], shade(paint, 0.8))
        brush.box(0.56, 0.12 + y, 0.61, 0.36 + y, dark)
        brush.blob(
            [
                (0.42, 0.34 + y),
                (0.6, 0.29 + y),
                (0.8, 0.33 + y),
                (nose, 0.5 + y),
                (nose, 0.66 + y),
                (0.84, 0.79 + y),
                (0.54, 0.8 + y),
                (0.36, 0.7 + y),
                (0.34, 0.48 + y),
            ],
            paint,
        )
        brush.line([(0.37, 0.67 + y), (nose - 0.02, 0.67 + y)], stripe, 0.04)
        brush.blob(
            [(0.7, 0.38 + y), (0.8, 0.38 + y), (nose - 0.04, 0.52 + y), (nose - 0.05, 0.61 + y), (0.7, 0.61 + y)],
            (176, 222, 240),
        )
        brush.box(0.47, 0.42 + y, 0.62, 0.6 + y, (176, 222, 240), round=0.03)
        brush.line([(0.76, 0.56 + y), (0.8, 0.43 + y)], WHITE, 0.02)
        turn = 30 if beat is None else 30 + 225 * beat
        if beat is not None:
            brush.oval(0.12, 0.42 + y, 0.1, 0.11, (214, 222, 230))
        with brush.turned(turn, 0.12, 0.42 + y):
            brush.line([(0.03, 0.42 + y), (0.21, 0.42 + y)], dark, 0.028)
        if beat is None:
            brush.line(
                [(0.18, 0.15), (0.36, 0.115), (0.585, 0.1), (0.82, 0.115), (0.97, 0.14)], dark, 0.035, smooth=True
            )
        else:
            reach = 0.1 + 0.27 * abs(cos(2 * pi * beat))
            brush.oval(0.585, 0.09 + y, 0.385, 0.055, (222, 228, 234))
            rise = 0.035 * sin(2 * pi * beat)
            brush.line([(0.585 - reach, 0.09 + rise + y), (0.585 + reach, 0.09 - rise + y)], dark, 0.038)
        brush.oval(0.585, 0.095 + y, 0.045, 0.035, dark)


def ambulance(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    body = (int(rng.integers(234, 252)),) * 3
    stripe = pick(rng, (222, 40, 44), (232, 92, 30))
    front = rng.uniform(0.8, 0.84)
    chequered = rng.random() < 0.5
    red = (216, 32, 40)
    lit = beat is not None and beat % 1 < 0.5
    dim, bright = (44, 86, 176), (70, 170, 255)
    hop = 0 if beat is None else 0.008 * sin(4 * pi * beat)
    lamps = ((0.3, lit), (0.56, beat is not None and not lit))
    for x, on in lamps:
        if on:
            for a in range(-80, 81, 40):
                with brush.turned(a, x, 0.2):
                    brush.line([(x, 0.11), (x, 0.03)], bright, 0.026)
            brush.oval(x, 0.16, 0.105, 0.1, (150, 210, 255), False)
        brush.box(x - 0.06, 0.11, x + 0.06, 0.24, bright if on else dim, round=0.045)
        if on:
            brush.oval(x, 0.15, 0.03, 0.03, WHITE, False)
    y = hop
    brush.box(0.02, 0.21 + y, 0.7, 0.83 + y, body, round=0.03)
    brush.shape(
        [(0.66, 0.31 + y), (front, 0.31 + y), (0.92, 0.54 + y), (0.985, 0.6 + y), (0.985, 0.83 + y), (0.66, 0.83 + y)],
        body,
    )
    brush.shape([(0.72, 0.36 + y), (front - 0.02, 0.36 + y), (0.88, 0.54 + y), (0.72, 0.54 + y)], (150, 206, 232))
    brush.line([(0.74, 0.5 + y), (0.78, 0.4 + y)], WHITE, 0.018)
    brush.box(0.025, 0.64 + y, 0.98, 0.73 + y, stripe, False)
    if chequered:
        for k in range(8):
            brush.box(0.06 + 0.12 * k, 0.64 + y, 0.12 + 0.12 * k, 0.685 + y, (252, 214, 60), False)
    brush.line([(0.69, 0.33 + y), (0.69, 0.82 + y)], shade(body, 0.6), 0.012)
    brush.box(0.3, 0.28 + y, 0.41, 0.61 + y, red, False)
    brush.box(0.19, 0.39 + y, 0.52, 0.5 + y, red, False)
    brush.line([(0.73, 0.6 + y), (0.77, 0.6 + y)], (90, 94, 104), 0.018)
    brush.oval(0.965, 0.66 + y, 0.026, 0.042, (255, 248, 190) if beat is None else (255, 232, 80))
    brush.box(0.03, 0.25 + y, 0.07, 0.32 + y, (236, 130, 40), False)
    brush.box(0.01, 0.79 + y, 0.99, 0.845 + y, (110, 112, 122), round=0.02)
    turn = 0 if beat is None else 180 * beat
    for x in (0.2, 0.78):
        brush.oval(x, 0.85, 0.125, 0.125, (40, 40, 46))
        brush.oval(x, 0.85, 0.068, 0.068, (206, 210, 218))
        with brush.turned(turn, x, 0.85):
            for a in (0, 60, 120):
                with brush.turned(a, x, 0.85):
                    brush.line([(x - 0.055, 0.85), (x + 0.055, 0.85)], (110, 114, 124), 0.016)


def boat(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    hull = pick(rng, (44, 58, 96), (180, 44, 46), (40, 104, 110), (52, 50, 58))
    funnel = pick(rng, (220, 60, 48), (240, 160, 40), (44, 110, 190))
    cabin = pick(rng, (250, 246, 236), (246, 226, 186))
    ports = int(rng.integers(3, 6))
    lean = rng.uniform(-0.02, 0.02)
    flag = pick(rng, (230, 60, 60), (250, 210, 70), (70, 160, 90))
    rock = 0 if beat is None else 3.5 * sin(pi * beat)
    y = 0 if beat is None else 0.02 * cos(pi * beat)
    blow = beat is not None and beat % 1 < 0.8
    sea = (50, 132, 196)
    with brush.turned(rock, 0.5, 0.85):
        if beat is not None:
            for k in range(3):
                age = (beat + k / 3) % 1
                r = (0.05 + 0.05 * age) * (1.0 if blow else 0.6)
                _puff(brush, 0.4 - 0.26 * age, 0.14 - 0.03 * age + y, r, WHITE)
        brush.line([(0.78, 0.42 + y), (0.78, 0.1 + y)], (110, 84, 66), 0.026)
        brush.shape([(0.78, 0.1 + y), (0.92, 0.145 + y), (0.78, 0.2 + y)], flag)
        brush.shape([(0.34 + lean, 0.14 + y), (0.5 + lean, 0.14 + y), (0.52, 0.42 + y), (0.34, 0.42 + y)], funnel)
        brush.shape(
            [(0.34 + lean, 0.14 + y), (0.5 + lean, 0.14 + y), (0.505 + lean, 0.2 + y), (0.34 + lean, 0.2 + y)],
            (50, 50, 58),
        )
        brush.line([(0.355 + lean / 2, 0.28 + y), (0.5 + lean / 2, 0.28 + y)], WHITE, 0.04)
        brush.box(0.25, 0.37 + y, 0.7, 0.5 + y, cabin)
        brush.box(0.16, 0.48 + y, 0.78, 0.62 + y, shade(cabin, 0.93))
        for x in (0.31, 0.42, 0.53, 0.63):
            brush.box(x - 0.03, 0.4 + y, x + 0.03, 0.46 + y, (120, 190, 224), False)
        for x in np.linspace(0.24, 0.7, ports + 1):
            brush.oval(x, 0.55 + y, 0.032, 0.034, (120, 190, 224))
        brush.shape(
            [(0.03, 0.6 + y), (0.97, 0.56 + y), (0.91, 0.72 + y), (0.84, 0.93 + y), (0.14, 0.93 + y), (0.05, 0.78 + y)],
            hull,
        )
        brush.line([(0.05, 0.645 + y), (0.935, 0.615 + y)], WHITE, 0.026)
        brush.oval(0.88, 0.69 + y, 0.026, 0.028, (210, 212, 220))
    roll = 0 if beat is None else beat / 2
    for depth, top, tint in ((0, 0.83, shade(sea, 1.25)), (1, 0.885, sea)):
        x = np.linspace(0, 1, 41)
        wave = top + 0.025 * np.sin(2 * pi * (3 * x + roll + 0.4 * depth))
        brush.shape([(0, 0.98), *zip(x.tolist(), wave.tolist()), (1, 0.98)], tint)
        brush.line(np.stack([x[2:-2], wave[2:-2] + 0.012], axis=1), shade(tint, 1.6), 0.012)
