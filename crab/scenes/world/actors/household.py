"""What stands about the house. How they are drawn is told in `common`."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np

from ..brush import CIRCLE, INK, WHITE, Brush, shade
from .common import CLOTHES, SKINS, edged, hand, pick


def bell(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
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
        brush.blob(
            [(0.43, 0.25), (0.47, 0.26), (0.42, 0.5), (0.36, 0.62), (0.35, 0.58), (0.38, 0.4)], shade(metal, 1.6), False
        )
        brush.line([(0.3, 0.6), (0.5, 0.635), (0.7, 0.6)], shade(metal, 0.62), 0.018, smooth=True)
        brush.line([(0.225, 0.71), (0.5, 0.755), (0.775, 0.71)], shade(metal, 0.7), 0.035, smooth=True)
    if beat is not None:
        for side in (-1, 1):
            for k in (0, 1):
                x = 0.5 + side * (0.31 + 0.05 * k)
                brush.line(
                    [(x, 0.3 - 0.03 * k), (x + side * 0.035, 0.4), (x, 0.5 + 0.03 * k)],
                    (255, 240, 170),
                    0.018,
                    smooth=True,
                )


def clock(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
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
            brush.line(
                [(0.5 + inner * sin(a), 0.58 + inner * cos(a)), (0.5 + 0.245 * sin(a), 0.58 + 0.245 * cos(a))],
                INK,
                0.022 if k % 3 == 0 else 0.012,
            )
        brush.line([(0.5, 0.58), (0.5 + 0.12 * sin(hour), 0.58 - 0.12 * cos(hour))], INK, 0.034)
        brush.line([(0.5, 0.58), (0.5 + 0.19 * sin(minute), 0.58 - 0.19 * cos(minute))], INK, 0.024)
        brush.oval(0.5, 0.58, 0.028, 0.028, (220, 50, 50))
    if beat is not None:
        for side in (-1, 1):
            for k in (0, 1):
                x = 0.5 + side * (0.39 + 0.055 * k)
                brush.line(
                    [(x, 0.3 - 0.03 * k), (x + side * 0.025, 0.37), (x + side * 0.025, 0.44 + 0.03 * k)],
                    (255, 214, 70),
                    0.02,
                    smooth=True,
                )


def telephone(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    case = pick(rng, (204, 44, 48), (52, 50, 60), (236, 222, 186), (60, 130, 110), (70, 110, 180))
    plate = pick(rng, (246, 240, 224), (214, 218, 226), (240, 206, 110))
    wide = rng.uniform(0.92, 1.0)
    parked = rng.uniform(0, 2 * pi)
    ringing = beat is not None and beat % 1 < 0.68
    shake = 0 if not ringing else (7 if int(beat * 8) % 2 else -7)
    coil = np.linspace(0, 1, 25)
    brush.line(np.stack([0.06 + 0.03 * np.cos(coil * 14 * pi), 0.36 + 0.54 * coil], axis=1), shade(case, 0.7), 0.022)
    outline = np.array(
        [(0.32, 0.36), (0.68, 0.36), (0.76, 0.5), (0.95, 0.84), (0.97, 0.95), (0.03, 0.95), (0.05, 0.84), (0.24, 0.5)]
    )
    outline[:, 0] = 0.5 + (outline[:, 0] - 0.5) * wide
    for x in (0.16, 0.84):
        brush.oval(x, 0.955, 0.07, 0.028, INK)
    brush.shape(outline, case)
    brush.shape([(0.33, 0.4), (0.4, 0.4), (0.2, 0.84), (0.1, 0.84)], shade(case, 1.35), False)
    for x in (0.3, 0.7):
        brush.box(x - 0.05, 0.27, x + 0.05, 0.4, shade(case, 0.75), round=0.02)
    brush.oval(0.5, 0.67, 0.25, 0.235, shade(case, 0.6))
    brush.oval(0.5, 0.67, 0.22, 0.205, plate)
    for k in range(9):
        a = parked + k * 2 * pi / 10.5
        brush.oval(0.5 + 0.155 * cos(a), 0.67 + 0.145 * sin(a), 0.037, 0.035, INK, False)
    brush.oval(0.5, 0.67, 0.085, 0.08, case)
    brush.oval(0.5, 0.67, 0.045, 0.042, WHITE, False)
    up = 0.05 if ringing else 0
    with brush.turned(shake, 0.5, 0.3):
        for x, side in ((0.13, -1), (0.87, 1)):
            with brush.turned(side * 14, x, 0.3 - up):
                brush.box(x - 0.12, 0.21 - up, x + 0.12, 0.36 - up, case, round=0.05)
                brush.line([(x - 0.08, 0.345 - up), (x + 0.08, 0.345 - up)], shade(case, 0.55), 0.03)
        bar = np.array([(0.1, 0.24), (0.24, 0.16), (0.5, 0.135), (0.76, 0.16), (0.9, 0.24)]) - (0, up)
        edged(brush, bar, case, 0.135, 0.112)
        brush.line(bar[1:-1] - (0, 0.025), shade(case, 1.5), 0.024, smooth=True)
    if beat is not None:
        for side in (-1, 1):
            brush.line([(0.5 + side * 0.42, 0.1), (0.5 + side * 0.45, 0.01)], (255, 214, 70), 0.034)
            for k in (0, 1):
                x = 0.5 + side * (0.32 + 0.07 * k)
                brush.line(
                    [(x, 0.41 - 0.02 * k), (x + side * 0.03, 0.48), (x, 0.55 + 0.02 * k)],
                    (255, 214, 70),
                    0.026,
                    smooth=True,
                )


def kettle(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    enamel = pick(rng, (210, 52, 52), (48, 150, 150), (176, 186, 198), (244, 190, 64), (64, 100, 170))
    grip = pick(rng, (52, 46, 50), (140, 88, 52))
    fat = rng.uniform(0.0, 0.04)
    dotted = bool(rng.integers(2))
    brush.box(0.12, 0.93, 0.98, 0.98, (70, 72, 82), round=0.015)
    handle = np.array([(0.29, 0.6), (0.27, 0.36), (0.38, 0.22), (0.56, 0.18), (0.74, 0.22), (0.85, 0.36), (0.83, 0.6)])
    brush.line(handle, (120, 124, 134), 0.045, smooth=True)
    brush.line(handle[2:5], shade(grip, 0.6), 0.1, smooth=True)
    brush.line(handle[2:5], grip, 0.078, smooth=True)
    brush.blob(
        [(0.34, 0.6), (0.24, 0.57), (0.16, 0.46), (0.1, 0.42), (0.0, 0.46), (0.03, 0.53), (0.1, 0.68), (0.26, 0.84)],
        enamel,
    )
    hop = 0.0 if beat is None else 0.03 * abs(sin(2 * pi * beat))
    brush.oval(0.56, 0.36 - hop, 0.052, 0.046, grip)
    brush.oval(0.56, 0.45 - hop, 0.2, 0.07, shade(enamel, 1.2))
    right = [(0.56, 0.455), (0.75, 0.475), (0.88 + fat / 2, 0.6), (0.93 + fat, 0.78), (0.88 + fat, 0.92)]
    brush.blob(right + [(1.12 - x, y) for x, y in right[:0:-1]], enamel)
    brush.blob(
        [(0.36, 0.54), (0.42, 0.53), (0.33, 0.66), (0.31, 0.8), (0.26, 0.78), (0.28, 0.64)], shade(enamel, 1.6), False
    )
    if dotted:
        for x, y in ((0.48, 0.64), (0.66, 0.62), (0.57, 0.76), (0.75, 0.75), (0.42, 0.82), (0.68, 0.86)):
            brush.oval(x, y, 0.036, 0.034, WHITE, False)
    else:
        brush.line([(0.21, 0.75), (0.56, 0.8), (0.91, 0.75)], WHITE, 0.035, smooth=True)
    brush.line([(0.22, 0.905), (0.56, 0.925), (0.9, 0.905)], shade(enamel, 0.62), 0.035, smooth=True)
    brush.line([(0.0, 0.455), (0.1, 0.415)], (90, 94, 104), 0.04)
    if beat is not None:
        for k, x in enumerate(np.linspace(0.2, 0.92, 7)):
            tall = 0.06 + 0.04 * ((int(beat * 4) + k) % 2)
            brush.shape([(x - 0.05, 0.94), (x, 0.94 - tall), (x + 0.05, 0.94)], (110, 190, 255), False)
        for k in range(5):
            f = (beat / 2 + k / 5) % 1
            size = 0.035 + 0.07 * f
            brush.oval(0.06 + 0.1 * f + 0.035 * sin(2 * pi * f + k), 0.37 - 0.27 * f, size * 1.1, size, WHITE)


def vacuum(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    shell = pick(rng, (214, 50, 56), (44, 104, 190), (70, 160, 84), (240, 140, 44), (128, 78, 168))
    trim = pick(rng, (60, 62, 72), (226, 228, 234))
    hose = pick(rng, (84, 86, 98), (150, 154, 166))
    skin, sleeve = pick(rng, *SKINS), pick(rng, *CLOTHES)
    bow = rng.uniform(0.68, 0.76)
    slide = 0 if beat is None else 0.065 * cos(pi * beat)
    shake = 0 if beat is None else (2.5 if int(beat * 8) % 2 else -2.5)
    foot, grip = 0.235 + slide, (0.46 + 0.4 * slide, 0.1)
    bend = np.array([(0.62, 0.7), (bow, 0.5), (bow + 0.02, 0.26), (0.6, 0.07), grip])
    brush.line(bend, shade(hose, 0.5), 0.105, smooth=True)
    brush.line(bend, hose, 0.08, smooth=True)
    for x, y, dx, dy in (
        (bow - 0.01, 0.55, 1, 0.2),
        (bow + 0.015, 0.43, 1, 0),
        (bow + 0.02, 0.31, 1, -0.1),
        (bow - 0.02, 0.18, 0.8, -0.6),
        (0.6, 0.07, 0.3, -1),
    ):
        brush.line([(x - dx * 0.035, y - dy * 0.035), (x + dx * 0.035, y + dy * 0.035)], shade(hose, 0.55), 0.018)
    for colour, width in (((90, 94, 104), 0.085), ((210, 214, 222), 0.06)):
        brush.line([grip, (foot, 0.9)], colour, width)
    brush.line([(grip[0] + 0.03, grip[1] - 0.02), (grip[0] - 0.055, 0.27)], INK, 0.09)
    brush.shape(
        [
            (foot - 0.16, 0.98),
            (foot - 0.15, 0.92),
            (foot - 0.05, 0.86),
            (foot + 0.06, 0.86),
            (foot + 0.15, 0.92),
            (foot + 0.16, 0.98),
        ],
        shell,
    )
    brush.line([(foot - 0.15, 0.965), (foot + 0.16, 0.965)], INK, 0.03)
    with brush.turned(shake, 0.72, 0.97):
        brush.blob(
            [
                (0.46, 0.92),
                (0.45, 0.8),
                (0.54, 0.67),
                (0.7, 0.6),
                (0.86, 0.61),
                (0.96, 0.7),
                (0.99, 0.84),
                (0.96, 0.92),
            ],
            shell,
        )
        brush.blob(
            [(0.56, 0.71), (0.68, 0.64), (0.8, 0.64), (0.78, 0.68), (0.66, 0.69), (0.57, 0.77)],
            shade(shell, 1.5),
            False,
        )
        brush.line([(0.47, 0.83), (0.97, 0.83)], trim, 0.045)
        brush.oval(0.6, 0.68, 0.07, 0.055, INK)
        for x in (0.86, 0.905):
            brush.line([(x, 0.67), (x + 0.012, 0.77)], shade(shell, 0.5), 0.018)
        for x, r in ((0.84, 0.125), (0.54, 0.07)):
            brush.oval(x, 0.98 - r, r, r, (48, 48, 58))
            brush.oval(x, 0.98 - r, r * 0.5, r * 0.5, trim)
    if beat is not None:
        hand(brush, grip[0] - 0.02, grip[1] + 0.06, skin, sleeve, (grip[0] - 0.36, 0.26))
        for k in range(5):
            f = 1 - (beat * 1.5 + k / 5) % 1
            x = foot - 0.09 - (0.02 + 0.04 * (k % 3)) * f
            brush.oval(x, 0.86 - 0.26 * f, 0.022, 0.022, (206, 180, 124))


def blender(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    base = pick(rng, (206, 48, 56), (60, 60, 70), (120, 190, 170), (236, 232, 226), (60, 110, 180))
    drink = pick(rng, (240, 110, 150), (150, 200, 70), (250, 160, 60), (150, 90, 180))
    fruit = [pick(rng, (220, 40, 60), (250, 216, 80), (120, 180, 60), (84, 70, 150), (250, 150, 50)) for _ in range(7)]
    glass = (206, 230, 240)
    shake = 0 if beat is None else (2 if int(beat * 8) % 2 else -2)
    rush = 0 if beat is None else 1 - beat % 1
    with brush.turned(shake, 0.5, 0.98):
        for colour, width in ((shade(glass, 0.5), 0.09), (shade(glass, 0.82), 0.062)):
            brush.line([(0.77, 0.24), (0.93, 0.26), (0.95, 0.42), (0.88, 0.54), (0.7, 0.6)], colour, width, smooth=True)
        brush.shape([(0.16, 0.14), (0.08, 0.17), (0.19, 0.24), (0.3, 0.7), (0.7, 0.7), (0.83, 0.14)], glass)
        if beat is not None:
            dip = 0.3 + 0.16 * rush
            brush.shape(
                [
                    (0.2, 0.2),
                    (0.3, 0.23),
                    (0.44, dip),
                    (0.5, dip + 0.08),
                    (0.56, dip),
                    (0.7, 0.23),
                    (0.8, 0.2),
                    (0.69, 0.69),
                    (0.31, 0.69),
                ],
                drink,
            )
            for y, reach in ((0.36, 0.2), (0.47, 0.17), (0.58, 0.14)):
                turn = 0.05 * sin(3 * pi * beat + 9 * y)
                brush.line(
                    [(0.5 - reach, y - 0.05 + turn), (0.5, y + 0.04), (0.5 + reach, y - 0.05 - turn)],
                    shade(drink, 1.5),
                    0.022,
                    smooth=True,
                )
        for k, colour in enumerate(fruit):
            if beat is None:
                x, y = (0.37, 0.5, 0.63, 0.42, 0.57, 0.36, 0.5)[k], (0.63, 0.64, 0.63, 0.53, 0.53, 0.45, 0.43)[k]
                brush.oval(x, y, 0.068, 0.058, colour)
                brush.oval(x - 0.02, y - 0.02, 0.018, 0.014, shade(colour, 1.6), False)
            else:
                a, y = 2 * pi * (1.5 * beat + k / 7), 0.3 + 0.05 * k
                brush.oval(0.5 + (0.29 - 0.3 * (y - 0.2)) * 0.8 * cos(a), y + 0.025 * sin(a), 0.042, 0.034, colour)
        brush.line([(0.73, 0.24), (0.655, 0.62)], WHITE, 0.03)
        for y in (0.34, 0.44, 0.54):
            brush.line([(0.31 + (y - 0.34) * 0.2, y), (0.37 + (y - 0.34) * 0.2, y)], shade(glass, 0.6), 0.014)
        brush.box(0.14, 0.08, 0.85, 0.165, base, round=0.02)
        brush.box(0.38, 0.01, 0.62, 0.09, shade(base, 0.75), round=0.02)
        brush.box(0.27, 0.68, 0.73, 0.745, shade(base, 0.6))
        brush.shape([(0.25, 0.74), (0.75, 0.74), (0.88, 0.97), (0.12, 0.97)], base)
        brush.shape([(0.28, 0.76), (0.34, 0.76), (0.25, 0.94), (0.17, 0.94)], shade(base, 1.4), False)
        brush.oval(0.5, 0.86, 0.085, 0.08, (214, 218, 226))
        a = -0.8 if beat is None else 0.8
        brush.line([(0.5, 0.86), (0.5 + 0.06 * sin(a), 0.86 - 0.06 * cos(a))], INK, 0.026)
        for x in (0.66, 0.74):
            brush.oval(x, 0.9, 0.026, 0.026, WHITE if beat is None else (120, 255, 120))


def washer(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    case = pick(rng, (244, 244, 240), (206, 212, 220), (230, 220, 200), (190, 214, 228))
    ring = pick(rng, (160, 166, 178), (84, 88, 100), (220, 224, 232))
    colours = (226, 60, 70), (250, 204, 70), (70, 170, 110), (240, 120, 170), (246, 240, 230)
    laundry = [pick(rng, *colours) for _ in range(5)]
    knob = rng.uniform(0.56, 0.64)
    sizes = rng.uniform(0.075, 0.1, 5)
    shake = 0 if beat is None else (2.5 if int(beat * 8) % 2 else -2.5)
    with brush.turned(shake, 0.5, 0.98):
        for x in (0.18, 0.82):
            brush.box(x - 0.06, 0.92, x + 0.06, 0.98, (70, 72, 82))
        brush.box(0.08, 0.03, 0.92, 0.95, case, round=0.03)
        brush.box(0.08, 0.03, 0.92, 0.21, shade(case, 0.84), round=0.03)
        brush.box(0.13, 0.07, 0.4, 0.17, case)
        brush.line([(0.2, 0.135), (0.33, 0.135)], shade(case, 0.5), 0.02)
        brush.oval(knob, 0.12, 0.06, 0.06, ring)
        brush.line([(knob, 0.12), (knob + 0.02, 0.075)], INK, 0.02)
        brush.box(0.71, 0.08, 0.87, 0.16, (40, 52, 50) if beat is None else (110, 250, 140))
        brush.line([(0.12, 0.89), (0.88, 0.89)], shade(case, 0.75), 0.016)
        brush.oval(0.5, 0.55, 0.33, 0.325, ring)
        brush.oval(0.5, 0.55, 0.26, 0.255, (44, 58, 84))
        if beat is not None:
            a = np.linspace(0.1 * cos(pi * beat), pi + 0.1 * cos(pi * beat), 20)
            brush.shape(np.stack([0.5 + 0.25 * np.cos(a), 0.55 + 0.245 * np.sin(a)], axis=1), (90, 180, 240), False)
        with brush.turned(0 if beat is None else 180 * beat, 0.5, 0.55):
            for k in range(3):
                a = 0.5 + 2 * pi * k / 3
                brush.line(
                    [(0.5 + 0.2 * cos(a), 0.55 + 0.2 * sin(a)), (0.5 + 0.25 * cos(a), 0.55 + 0.25 * sin(a))],
                    (150, 164, 190),
                    0.03,
                )
            for k, (colour, size) in enumerate(zip(laundry, sizes)):
                a = 0.35 + 0.6 * k if beat is None else 2 * pi * k / 5
                x, y = 0.5 + 0.15 * cos(a), 0.55 + 0.15 * sin(a)
                brush.blob(
                    [
                        (x - size, y),
                        (x - size * 0.3, y - size * 0.9),
                        (x + size * 0.8, y - size * 0.6),
                        (x + size, y + size * 0.4),
                        (x, y + size * 0.8),
                    ],
                    colour,
                )
        if beat is not None:
            for k in range(6):
                x = 0.33 + 0.068 * k
                brush.oval(x, 0.5 + 0.03 * sin(2 * pi * beat + 2 * k), 0.03, 0.03, WHITE)
        brush.line([(0.35, 0.46), (0.4, 0.39), (0.47, 0.35)], (226, 240, 250), 0.03, smooth=True)
        brush.box(0.78, 0.5, 0.86, 0.6, shade(ring, 0.7), round=0.015)
    if beat is not None:
        for side in (-1, 1):
            for y in (0.3, 0.62):
                x = 0.5 + side * 0.475
                brush.line([(x, y), (x + side * 0.025, y + 0.06), (x, y + 0.12)], (255, 214, 70), 0.022, smooth=True)
