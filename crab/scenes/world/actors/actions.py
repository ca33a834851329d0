"""People doing something that is heard. How they are drawn is told in `common`."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, pi, radians, sin, sqrt

import numpy as np

from ..brush import INK, WHITE, Brush, Colour, shade
from .common import CLOTHES, SKINS, eye, pick

Point = tuple[float, float]
FLASH = (255, 224, 92)
STEEL = (206, 212, 220)
WOOD = ((188, 134, 82), (214, 168, 108), (146, 98, 60))


@dataclass(frozen=True)
class _Look:
    skin: Colour
    hair: Colour
    top: Colour
    legs: Colour
    shoes: Colour
    cut: int  # 0 and 1 short, 2 long, 3 bun, 4 tail
    bare: bool  # forearms
    skirt: bool
    beard: bool
    glasses: bool


def _look(rng: np.random.Generator) -> _Look:
    cut = int(rng.integers(5))
    return _Look(
        pick(rng, *SKINS),
        pick(rng, (50, 36, 30), (120, 74, 40), (222, 180, 96), (130, 130, 136), (170, 76, 40)),
        pick(rng, *CLOTHES),
        pick(rng, (50, 60, 96), (96, 80, 64), (60, 62, 66), (44, 92, 104)),
        pick(rng, (46, 36, 36), (232, 232, 236), (150, 60, 50)),
        cut,
        bool(rng.random() < 0.5),
        bool(rng.random() < 0.5) and cut > 1,
        bool(rng.random() < 0.4) and cut < 2,
        bool(rng.random() < 0.25),
    )


def _up(beat: float | None) -> float:
    """0 at every strike, 1 between two."""
    return 0.0 if beat is None else sin(pi * beat) ** 2


def _mix(a: Point, b: Point, by: float) -> Point:
    return a[0] + (b[0] - a[0]) * by, a[1] + (b[1] - a[1]) * by


def _limb(
    brush: Brush, start: Point, end: Point, bone: float, bend: int, upper: Colour, lower: Colour, width: float
) -> None:
    dx, dy = end[0] - start[0], end[1] - start[1]
    long = max(hypot(dx, dy), 1e-6)
    out = bend * sqrt(max(bone**2 - long**2 / 4, 0)) / long
    joint = (start[0] + dx / 2 - dy * out, start[1] + dy / 2 + dx * out)
    brush.line([start, joint, end], shade(upper, 0.5), width + 0.022)
    brush.line([start, joint, end], lower, width)
    brush.line([start, joint], upper, width)


def _arm(brush: Brush, look: _Look, shoulder: Point, hand: Point, bend: int = 1, size: float = 1.0) -> None:
    _limb(brush, shoulder, hand, 0.165 * size, bend, look.top, look.skin if look.bare else look.top, 0.066 * size)
    brush.oval(*hand, 0.046 * size, 0.044 * size, look.skin)


def _head(brush: Brush, look: _Look, x: float, y: float, r: float, gaze: float, mouth: float) -> None:
    if look.cut == 2:
        brush.blob(
            [(x - r, y), (x, y - 1.2 * r), (x + r, y), (x + 1.15 * r, y + 1.3 * r), (x - 1.15 * r, y + 1.3 * r)],
            look.hair,
        )
    if look.cut == 3:
        brush.oval(x - gaze * 0.4 * r, y - 1.05 * r, 0.42 * r, 0.34 * r, look.hair)
    if look.cut == 4:
        brush.blob(
            [
                (x - 0.6 * r, y - 0.7 * r),
                (x - 1.5 * r, y - 0.3 * r),
                (x - 1.4 * r, y + 0.9 * r),
                (x - 1.0 * r, y + 0.3 * r),
            ],
            look.hair,
        )
    for side in (-1, 1):
        brush.oval(x + side * 0.95 * r, y + 0.05 * r, 0.18 * r, 0.22 * r, look.skin)
    brush.oval(x, y, 0.96 * r, 1.05 * r, look.skin)
    front = x + gaze * r
    if look.beard:
        brush.blob(
            [
                (x - 0.88 * r, y + 0.4 * r),
                (front - 0.35 * r, y + 0.46 * r),
                (front + 0.35 * r, y + 0.46 * r),
                (x + 0.88 * r, y + 0.4 * r),
                (x + 0.6 * r, y + 0.97 * r),
                (x, y + 1.2 * r),
                (x - 0.6 * r, y + 0.97 * r),
            ],
            shade(look.hair, 0.85),
        )
    high = 0.42 if look.cut > 1 else 0.55 + 0.1 * look.cut
    low = 0.05 if look.cut > 1 else -0.3
    brush.blob(
        [
            (x - 1.02 * r, y + low * r),
            (x - 0.9 * r, y - 0.75 * r),
            (x, y - 1.2 * r),
            (x + 0.9 * r, y - 0.75 * r),
            (x + 1.02 * r, y + low * r),
            (x + 0.7 * r, y - high * r),
            (front, y - (high + 0.2) * r),
            (x - 0.65 * r, y - high * r),
        ],
        look.hair,
    )
    for side in (-1, 1):
        eye(brush, front + side * 0.37 * r, y - 0.02 * r, 0.2 * r)
        if look.glasses:
            brush.line(
                [
                    (front + side * 0.37 * r + 0.3 * r * cos(a), y + 0.3 * r * sin(a))
                    for a in np.linspace(0, 2 * pi, 16)
                ],
                INK,
                0.06 * r,
            )
    if mouth:
        brush.oval(front, y + 0.58 * r, 0.26 * r, mouth * r, (120, 30, 40))
    else:
        brush.line(
            [(front - 0.3 * r, y + 0.5 * r), (front, y + 0.64 * r), (front + 0.3 * r, y + 0.5 * r)],
            (150, 56, 60),
            0.1 * r,
            smooth=True,
        )


def _person(
    brush: Brush,
    look: _Look,
    neck: Point = (0.5, 0.36),
    hip: Point = (0.5, 0.64),
    feet: tuple[Point, Point] = ((0.42, 0.95), (0.58, 0.95)),
    *,
    gaze: float = 0.0,
    mouth: float = 0.0,
    bone: float = 0.15,
) -> tuple[Point, Point]:
    """All but the arms; returns the shoulders, from which `_arm` goes to a hand once the prop is drawn."""
    (nx, ny), (hx, hy) = neck, hip
    legs = look.skin if look.skirt else look.legs
    for side, (x, y) in zip((-1, 1), feet):
        _limb(brush, (hx + side * 0.05, hy), (x, y - 0.02), bone, -1, legs, legs, 0.078)
        brush.oval(x + 0.02 * (gaze > 0) + 0.01 * side, y + 0.005, 0.066, 0.03, look.shoes)
    if look.skirt:
        brush.shape(
            [(hx - 0.09, hy - 0.03), (hx + 0.09, hy - 0.03), (hx + 0.17, hy + 0.12), (hx - 0.17, hy + 0.12)], look.legs
        )
    brush.blob(
        [
            (nx - 0.07, ny),
            (nx + 0.07, ny),
            (nx + 0.135, ny + 0.05),
            (hx + 0.1, hy + 0.03),
            (hx - 0.1, hy + 0.03),
            (nx - 0.135, ny + 0.05),
        ],
        look.top,
    )
    _head(brush, look, nx + 0.06 * gaze, ny - 0.15, 0.145, gaze, mouth)
    return (nx - 0.105, ny + 0.06), (nx + 0.105, ny + 0.06)


def _rays(brush: Brush, x: float, y: float, near: float, far: float, first: float, last: float, number: int) -> None:
    """What strikes, flashes: strokes from (x, y) at angles of `first` to `last` degrees."""
    for a in np.radians(np.linspace(first, last, number)):
        brush.line([(x + near * cos(a), y + near * sin(a)), (x + far * cos(a), y + far * sin(a))], FLASH, 0.024)


def _table(brush: Brush, left: float, right: float, top: float, colour: Colour) -> None:
    for x in (left + 0.05, right - 0.05):
        brush.box(x - 0.025, top + 0.03, x + 0.025, 0.98, shade(colour, 0.75))
    brush.box(left, top, right, top + 0.06, colour)


def clapping(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, wide, high = _look(rng), rng.uniform(0.27, 0.33), rng.uniform(0.0, 0.06)
    up = _up(beat)
    shoulders = _person(brush, look, mouth=0 if beat is None else 0.22)
    if beat is not None and up < 0.4:
        _rays(brush, 0.5, 0.49 - high, 0.15, 0.25, -50, 230, 9)
    for side, shoulder in zip((-1, 1), shoulders):
        away = 0.036 + wide * up
        x, y = (0.5 + side * 0.19, 0.66) if beat is None else (0.5 + side * away, 0.54 - high - 0.14 * up)
        _arm(brush, look, shoulder, (x, y), -side)
        if beat is not None:
            with brush.turned(side * (8 + 30 * up), x, y):
                brush.box(x - 0.032, y - 0.13, x + 0.032, y + 0.04, look.skin, round=0.03)
                brush.oval(x - side * 0.04, y - 0.02, 0.028, 0.022, look.skin)


def hammering(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, wood, grip = _look(rng), pick(rng, *WOOD), pick(rng, (150, 96, 52), (200, 60, 50), (50, 90, 160))
    iron, big = pick(rng, (96, 102, 114), (60, 62, 70)), rng.uniform(0.95, 1.15)
    up = _up(beat)
    near, far = _person(brush, look, (0.33, 0.36), (0.31, 0.64), ((0.24, 0.95), (0.4, 0.95)), gaze=0.3)
    _table(brush, 0.48, 0.99, 0.7, wood)
    brush.box(0.52, 0.66, 0.97, 0.7, shade(wood, 1.35))
    sunk = 0.02 if beat is None else 0.05 - 0.02 * up
    brush.box(0.768, 0.57 + sunk, 0.79, 0.66, STEEL)
    brush.box(0.745, 0.56 + sunk, 0.813, 0.575 + sunk, STEEL)
    _arm(brush, look, far, (0.58, 0.645), -1)
    x, y = (0.17, 0.66) if beat is None else _mix((0.58, 0.53), (0.55, 0.27), up)
    with brush.turned(95 if beat is None else -95 * up, x, y):
        brush.line([(x - 0.04, y), (x + 0.2, y)], shade(grip, 0.5), 0.05)
        brush.line([(x - 0.04, y), (x + 0.2, y)], grip, 0.034)
        brush.box(x + 0.2 - 0.045 * big, y - 0.085 * big, x + 0.2 + 0.045 * big, y + 0.08, iron, round=0.012)
    _arm(brush, look, near, (x, y))
    if beat is not None and up < 0.3:
        _rays(brush, 0.78, 0.62, 0.08, 0.17, -30, 20, 3)
        _rays(brush, 0.78, 0.62, 0.08, 0.17, 160, 205, 3)


def ball(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, r = _look(rng), rng.uniform(0.095, 0.125)
    colour, kind = pick(rng, (232, 124, 44), (214, 50, 56), (48, 120, 214), (70, 170, 90)), rng.integers(3)
    seam = shade(colour, 0.4) if kind == 0 else WHITE
    near, far = _person(brush, look, (0.38, 0.36), (0.37, 0.64), ((0.29, 0.95), (0.46, 0.95)), gaze=0.25)
    high = 0 if beat is None else abs(sin(pi * beat))
    flat = 1 if beat is None or high > 0.2 else 0.86
    x, y = (0.46, 0.55) if beat is None else (0.78, 0.97 - r * flat - (0.52 - r) * high)
    palm = (x - 0.02, min(y - r - 0.035, 0.46 + 0.1 * (1 - high)))
    _arm(brush, look, near, (x - r, y + 0.02) if beat is None else (0.22, 0.62))
    brush.oval(x, y, r / flat, r * flat, colour)
    if kind < 2:
        brush.line([(x - r * 0.9, y), (x + r * 0.9, y)], seam, 0.016)
        brush.line([(x, y - r * 0.85 * flat), (x, y + r * 0.85 * flat)], seam, 0.016)
    if kind == 0:
        for side in (-1, 1):
            brush.line(
                [
                    (x + side * r * 0.6, y - r * 0.65 * flat),
                    (x + side * r * 0.3, y),
                    (x + side * r * 0.6, y + r * 0.65 * flat),
                ],
                seam,
                0.014,
                smooth=True,
            )
    if kind == 2:
        brush.oval(x, y, r * 0.5, r * 0.5 * flat, WHITE)
    _arm(brush, look, far, (x + r, y + 0.02) if beat is None else palm, -1)
    if beat is not None and high < 0.3:
        for side in (-1, 1):
            brush.line([(x + side * 0.14, 0.95), (x + side * 0.2, 0.89)], FLASH, 0.024)


def typing(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, wood, seat = _look(rng), pick(rng, *WOOD, (236, 236, 232)), pick(rng, *CLOTHES)
    shell, light = pick(rng, (70, 74, 84), (196, 200, 208)), pick(rng, (150, 214, 250), (250, 250, 240), (40, 60, 90))
    lengths = rng.uniform(0.08, 0.17, 5)
    brush.box(0.19, 0.75, 0.24, 0.93, shade(seat, 0.5))
    brush.box(0.08, 0.93, 0.36, 0.97, shade(seat, 0.5), round=0.018)
    brush.box(0.05, 0.4, 0.13, 0.74, seat, round=0.03)
    brush.box(0.06, 0.71, 0.37, 0.77, seat, round=0.025)
    near, far = _person(brush, look, (0.25, 0.4), (0.22, 0.68), ((0.5, 0.95), (0.57, 0.95)), gaze=0.35, bone=0.22)
    _table(brush, 0.43, 0.99, 0.7, wood)
    brush.shape([(0.46, 0.7), (0.84, 0.7), (0.9, 0.64), (0.56, 0.64)], shell)
    brush.shape([(0.54, 0.685), (0.8, 0.685), (0.84, 0.655), (0.6, 0.655)], shade(shell, 0.5), False)
    brush.shape([(0.6, 0.65), (0.93, 0.65), (0.985, 0.33), (0.66, 0.33)], shell)
    lit = shade(shell, 0.3) if beat is None else light
    brush.shape([(0.633, 0.625), (0.91, 0.625), (0.955, 0.355), (0.681, 0.355)], lit, False)
    for row, long in enumerate(lengths):
        if beat is not None and row <= 2 + int(2 * beat) % 4:
            x, y = 0.7 - 0.009 * row, 0.4 + 0.048 * row
            brush.line([(x, y), (x + long, y)], WHITE if sum(light) < 300 else (40, 60, 110), 0.018)
    for number, shoulder in enumerate((far, near)):
        down = 0 if beat is None else 0.5 + 0.5 * cos(pi * (beat + number))
        x = 0.67 - 0.1 * number
        hand = (0.36 + 0.05 * number, 0.68) if beat is None else (x - 0.02 * down, 0.55 + 0.1 * down)
        _arm(brush, look, shoulder, hand, -1)
        if beat is not None and down > 0.8:
            _rays(brush, *hand, 0.065, 0.11, 190, 260, 3)


def sawing(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, bark, grip = _look(rng), pick(rng, (110, 76, 50), (140, 104, 70)), pick(rng, (206, 70, 50), (214, 160, 60))
    r, wood = rng.uniform(0.12, 0.145), pick(rng, *WOOD)
    specks = rng.uniform(0, 1, (9, 2))
    stroke = 0 if beat is None else cos(pi * beat)
    near, far = _person(
        brush, look, (0.29 - 0.025 * stroke, 0.37), (0.26, 0.65), ((0.16, 0.95), (0.38, 0.95)), gaze=0.3
    )
    for side in (-1, 1):
        brush.line([(0.74 - side * 0.17, 0.52), (0.74 + side * 0.2, 0.96)], shade(wood, 0.55), 0.066)
        brush.line([(0.74 - side * 0.17, 0.52), (0.74 + side * 0.2, 0.96)], wood, 0.046)
    brush.oval(0.74, 0.61, r, r, bark)
    for part, light in ((0.83, 1.55), (0.55, 1.35), (0.25, 1.55)):
        brush.oval(0.74, 0.61, r * part, r * part, shade((206, 156, 100), light))
    _arm(brush, look, far, (0.6, 0.49), -1)
    x, y = (0.2, 0.66) if beat is None else (0.36 - 0.1 * stroke, 0.57)
    with brush.turned(80 if beat is None else 0, x, y):
        teeth = [(x + 0.52 - 0.03 * i, y + (0.03 if i % 2 else 0.005)) for i in range(16)]
        brush.shape([(x + 0.03, y - 0.07), (x + 0.52, y - 0.04), *teeth], STEEL)
        brush.box(x - 0.075, y - 0.085, x + 0.075, y + 0.065, grip, round=0.04)
    _arm(brush, look, near, (x, y), 1)
    if beat is not None:
        for across, fall in specks:
            down = (fall + beat) % 1
            brush.oval(0.74 + (across - 0.5) * (0.1 + 0.3 * down), 0.64 + 0.32 * down, 0.016, 0.014, (240, 206, 140))


def sweeping(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, stick = _look(rng), pick(rng, *WOOD, (70, 130, 190))
    straw, band = pick(rng, (226, 184, 92), (196, 140, 70), (90, 150, 90)), pick(rng, (190, 50, 50), (50, 80, 150))
    specks = rng.uniform(0, 1, (8, 2))
    stroke = 0 if beat is None else cos(pi * beat)
    near, far = _person(brush, look, (0.33 + 0.03 * stroke, 0.36), (0.31, 0.64), ((0.22, 0.95), (0.4, 0.95)), gaze=0.3)
    top, angle = ((0.68, 0.1), 0.0) if beat is None else ((0.47, 0.32), radians(20 + 15 * stroke))
    long = (0.94 - top[1]) / cos(angle)

    def along(d: float, across: float = 0.0) -> Point:
        return top[0] + d * sin(angle) + across * cos(angle), top[1] + d * cos(angle) - across * sin(angle)

    if beat is not None:
        foot = along(long)[0]
        for across, rise in specks:
            size = 0.02 + 0.018 * rise
            brush.oval(
                min(foot + 0.1 + 0.17 * across, 0.96),
                0.94 - 0.16 * rise * (1 - across),
                size,
                size * 0.8,
                (190, 176, 154),
            )
    brush.line([along(0), along(long - 0.15)], shade(stick, 0.5), 0.05)
    brush.line([along(0), along(long - 0.15)], stick, 0.032)
    lag = -0.05 * sin(pi * (beat or 0))
    brush.shape(
        [
            along(long - 0.2, -0.05),
            along(long - 0.2, 0.05),
            along(long + 0.01, 0.14 + lag),
            along(long + 0.01, -0.14 + lag),
        ],
        straw,
    )
    for x in (-0.07, 0.0, 0.07):
        brush.line([along(long - 0.15, x * 0.4), along(long - 0.01, x + lag)], shade(straw, 0.6), 0.012)
    brush.line([along(long - 0.19, -0.05), along(long - 0.19, 0.05)], band, 0.036)
    _arm(brush, look, far, along(0.34) if beat is None else along(0.06))
    _arm(brush, look, near, (0.17, 0.64) if beat is None else along(0.26))


def chopping(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, wood, board = _look(rng), pick(rng, (150, 154, 164), (120, 86, 60), (230, 230, 226)), pick(rng, *WOOD)
    food, grip = pick(rng, (240, 128, 36), (240, 128, 36), (96, 168, 70)), pick(rng, INK, (120, 70, 40), (190, 50, 50))
    slices, cook = int(rng.integers(3, 6)), rng.random() < 0.5
    up = _up(beat)
    left, right = _person(brush, look, (0.34, 0.38), (0.34, 0.66), ((0.27, 0.95), (0.41, 0.95)), gaze=0.3)
    brush.box(0.25, 0.47, 0.43, 0.74, WHITE, round=0.02)
    if cook:
        for x in (0.27, 0.45, 0.36):
            brush.oval(x, 0.07, 0.07, 0.06, WHITE)
        brush.box(0.245, 0.08, 0.475, 0.15, WHITE)
    _table(brush, 0.03, 0.97, 0.76, wood)
    brush.box(0.12, 0.72, 0.92, 0.76, board)
    for x in (0.13, 0.16, 0.1):
        brush.oval(x, 0.66 + (x - 0.13), 0.055, 0.025, (70, 150, 70))
    brush.blob([(0.17, 0.64), (0.3, 0.63), (0.58, 0.65), (0.6, 0.71), (0.3, 0.725), (0.17, 0.72), (0.15, 0.68)], food)
    for number in range(slices):
        brush.oval(0.67 + 0.055 * number, 0.69 + 0.015 * (number % 2), 0.036, 0.042, food)
        brush.oval(0.67 + 0.055 * number, 0.69 + 0.015 * (number % 2), 0.018, 0.021, shade(food, 1.4), False)
    _arm(brush, look, left, (0.3, 0.64))
    x, y = (0.66, 0.62) if beat is None else (0.82 - 0.1 * up, 0.64 - 0.2 * up)
    with brush.turned(92 if beat is None else 65 * up, x, y):
        brush.shape([(x - 0.05, y - 0.045), (x - 0.26, y - 0.04), (x - 0.37, y + 0.07), (x - 0.05, y + 0.07)], STEEL)
        brush.line([(x - 0.08, y + 0.045), (x - 0.31, y + 0.045)], WHITE, 0.014)
        brush.box(x - 0.06, y - 0.035, x + 0.1, y + 0.02, grip, round=0.02)
    _arm(brush, look, right, (x, y))
    if beat is not None and up < 0.3:
        _rays(brush, 0.6, 0.63, 0.08, 0.16, -160, -60, 4)


def knocking(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, door = _look(rng), pick(rng, (150, 96, 56), (186, 60, 56), (56, 110, 90), (70, 100, 160))
    knob, panes, number = pick(rng, (230, 190, 80), (206, 210, 216)), rng.random() < 0.4, rng.integers(2, 4)
    brush.box(0.54, 0.0, 1.0, 0.98, shade(door, 1.75))
    brush.box(0.59, 0.05, 0.95, 0.98, door)
    high = 0.88 / number
    for row in range(number):
        fill = (170, 210, 236) if panes and row == 0 else shade(door, 0.78)
        brush.box(0.68, 0.1 + high * row, 0.9, 0.04 + high * (row + 1), fill)
    brush.oval(0.635, 0.6, 0.03, 0.032, knob)
    near, far = _person(
        brush,
        look,
        (0.24, 0.36),
        (0.24, 0.64),
        ((0.17, 0.95), (0.32, 0.95)),
        gaze=0.3,
        mouth=0 if beat is None else 0.14,
    )
    up = 0 if beat is None else sin(2 * pi * beat) ** 2 if beat < 1 else sin(pi * beat) ** 2
    fist = (0.39, 0.66) if beat is None else _mix((0.585, 0.3), (0.42, 0.44), up)
    _arm(brush, look, near, (0.1, 0.64))
    _arm(brush, look, far, fist, -1)
    if beat is not None:
        brush.box(fist[0] - 0.045, fist[1] - 0.05, fist[0] + 0.05, fist[1] + 0.04, look.skin, round=0.025)
        if up < 0.4:
            _rays(brush, *fist, 0.1, 0.2, -75, 75, 6)


def skipping(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look = _look(rng)
    rope, grip = pick(rng, (240, 220, 90), (236, 96, 130), (250, 250, 246), (110, 220, 240)), pick(rng, *CLOTHES)
    hop = 0 if beat is None else 0.085 * cos(pi * beat) ** 2
    hands = ((0.41, 0.56), (0.59, 0.56)) if beat is None else ((0.2, 0.55 - hop), (0.8, 0.55 - hop))
    middle = 0.93 if beat is None else 0.5 + 0.485 * cos(2 * pi * beat)
    t = np.linspace(0, pi, 25)
    half = (hands[1][0] - hands[0][0]) / 2
    y = hands[0][1] + (middle - hands[0][1]) * np.sin(t) ** 0.55
    arc = np.stack([0.5 - (half + 0.16 * np.sin(t)) * np.cos(t), y], axis=1)
    before = beat is None or beat % 1 >= 0.5

    def swing() -> None:
        brush.line(arc, shade(rope, 0.45), 0.044)
        brush.line(arc, rope, 0.026)

    if not before:
        swing()
    neck, hip, foot = 0.41 - hop, 0.66 - hop, 0.95 - hop
    shoulders = _person(
        brush, look, (0.5, neck), (0.5, hip), ((0.45, foot), (0.55, foot)), mouth=0 if beat is None else 0.18, bone=0.15
    )
    if before:
        swing()
    for side, shoulder, hand in zip((-1, 1), shoulders, hands):
        brush.line([(hand[0] - side * 0.02, hand[1]), (hand[0] + side * 0.07, hand[1] + 0.02)], grip, 0.04)
        _arm(brush, look, shoulder, hand, side)


def teeth(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, grip = _look(rng), pick(rng, (40, 150, 220), (236, 70, 110), (60, 180, 100), (250, 150, 40))
    basin, wall = pick(rng, WHITE, (190, 214, 226), (236, 206, 190)), pick(rng, *CLOTHES)
    foam = rng.uniform(-1, 1, (9, 2)) * (0.1, 0.055)
    brush.blob([(0.38, 0.5), (0.62, 0.5), (0.76, 0.58), (0.78, 0.85), (0.22, 0.85), (0.24, 0.58)], look.top)
    _head(brush, look, 0.5, 0.27, 0.225, 0, 0)
    for side in (-1, 1):
        brush.line([(0.5 + side * 0.13, 0.5), (0.5 + side * 0.17, 0.78)], shade(wall, 0.6), 0.09)
        brush.line([(0.5 + side * 0.13, 0.5), (0.5 + side * 0.17, 0.78)], shade(wall, 1.5), 0.07)
    stroke = 0 if beat is None else cos(pi * beat)
    x, y = (0.86, 0.5) if beat is None else (0.84 + 0.085 * stroke, 0.44)
    if beat is not None:
        brush.oval(0.5, 0.405, 0.12, 0.055, (120, 30, 40))
        brush.box(0.41, 0.375, 0.59, 0.415, WHITE, round=0.015)
    with brush.turned(80 if beat is None else 4, x, y):
        brush.box(x - 0.36, y - 0.05, x + 0.09, y - 0.015, grip, round=0.017)
        brush.box(x - 0.36, y - 0.105, x - 0.22, y - 0.045, WHITE)
        brush.line([(x - 0.35, y - 0.11), (x - 0.23, y - 0.11)], (120, 220, 230), 0.024)
    if beat is not None:
        for number, (dx, dy) in enumerate(foam):
            brush.oval(0.5 + dx + 0.02 * stroke, 0.45 + dy, 0.03 + 0.003 * (number % 4), 0.03, WHITE)
    _arm(brush, look, (0.72, 0.62), (x, y), 1, 1.3)
    if beat is None:
        _arm(brush, look, (0.28, 0.62), (0.2, 0.82), 1, 1.3)
    else:
        _arm(brush, look, (0.28, 0.62), (0.13, 0.72), 1, 1.3)
    brush.box(0.4, 0.84, 0.6, 0.98, shade(basin, 0.85))
    brush.blob([(0.06, 0.76), (0.94, 0.76), (0.86, 0.88), (0.6, 0.93), (0.4, 0.93), (0.14, 0.88)], basin)
    brush.box(0.05, 0.74, 0.95, 0.79, shade(basin, 1.1), round=0.02)
    brush.line([(0.3, 0.77), (0.3, 0.68), (0.38, 0.68), (0.38, 0.71)], (130, 140, 150), 0.034)


def pouring(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, wood, jug = _look(rng), pick(rng, *WOOD), pick(rng, (236, 232, 220), (210, 90, 70), (80, 130, 190))
    wide, pale, water = rng.uniform(0.075, 0.1), (224, 240, 248), (72, 160, 236)
    drops = rng.uniform(0, 1, (6, 2))
    near, far = _person(brush, look, (0.25, 0.36), (0.24, 0.64), ((0.16, 0.95), (0.33, 0.95)), gaze=0.3)
    _table(brush, 0.46, 0.99, 0.78, wood)
    lift = 0 if beat is None else cos(pi * beat)
    x, y = (0.72, 0.36) if beat is None else (0.78, 0.35 - 0.08 * lift)
    full = 0.03 if beat is None else 0.12 + 0.03 * lift
    if beat is not None:
        sway = 0.012 * sin(2 * pi * beat)
        stream = [(x - 0.005, y + 0.01), (x + 0.02 + sway, (y + 0.7) / 2), (0.79, 0.74)]
        brush.line(stream, shade(water, 0.7), 0.06, smooth=True)
        brush.line(stream, shade(water, 1.25), 0.04, smooth=True)
        for across, rise in drops:
            high = (rise + beat) % 1
            brush.oval(0.79 + (across - 0.5) * (0.1 + 0.26 * high), 0.57 - 0.5 * high * (1 - high), 0.016, 0.02, water)
    brush.shape(
        [
            (0.79 - wide * 1.15, 0.55),
            (0.79 - wide * 0.85, 0.78),
            (0.79 + wide * 0.85, 0.78),
            (0.79 + wide * 1.15, 0.55),
            (0.79 + wide, 0.55),
            (0.79 + wide * 0.72, 0.765),
            (0.79 - wide * 0.72, 0.765),
            (0.79 - wide, 0.55),
        ],
        pale,
    )
    brush.shape(
        [
            (0.79 - wide * 0.93, 0.765 - full),
            (0.79 + wide * 0.93, 0.765 - full),
            (0.79 + wide * 0.75, 0.765),
            (0.79 - wide * 0.75, 0.765),
        ],
        water,
        False,
    )
    _arm(brush, look, near, (0.1, 0.62) if beat is None else (0.53, 0.74), 1)
    angle = 0 if beat is None else 62 + 8 * lift
    with brush.turned(angle, x, y):
        brush.line(
            [(x - 0.22, y + 0.05), (x - 0.31, y + 0.06), (x - 0.31, y + 0.18), (x - 0.22, y + 0.2)],
            shade(jug, 0.6),
            0.04,
            smooth=True,
        )
        brush.blob(
            [
                (x - 0.21, y),
                (x + 0.01, y - 0.01),
                (x - 0.03, y + 0.07),
                (x, y + 0.17),
                (x - 0.04, y + 0.27),
                (x - 0.2, y + 0.27),
                (x - 0.24, y + 0.17),
                (x - 0.2, y + 0.07),
            ],
            jug,
        )
        brush.line([(x - 0.21, y + 0.15), (x - 0.03, y + 0.15)], shade(jug, 0.7), 0.02)
    a = radians(angle)
    _arm(brush, look, far, (x - 0.29 * cos(a) - 0.12 * sin(a), y - 0.29 * sin(a) + 0.12 * cos(a)))


def whistle(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, metal = _look(rng), pick(rng, (226, 50, 50), (240, 200, 60), STEEL, (40, 160, 90))
    cord, striped, high = pick(rng, *CLOTHES), rng.random() < 0.5, rng.uniform(0.0, 0.05)
    cap = pick(rng, *CLOTHES)
    near, far = _person(brush, look, (0.4, 0.38), (0.4, 0.65), ((0.32, 0.95), (0.48, 0.95)), gaze=0.3)
    if striped:
        for x in (-0.06, 0.0, 0.06):
            brush.line([(0.4 + x, 0.42), (0.4 + x * 0.85, 0.66)], WHITE, 0.026)
    brush.blob([(0.27, 0.16), (0.29, 0.07), (0.42, 0.03), (0.54, 0.07), (0.565, 0.16), (0.42, 0.14)], cap)
    brush.blob([(0.44, 0.13), (0.62, 0.14), (0.63, 0.17), (0.46, 0.17)], shade(cap, 0.75))
    x, y = (0.4, 0.57) if beat is None else (0.55, 0.3)
    brush.line(
        [(0.34, 0.4), (0.4, 0.52) if beat is None else (0.42, 0.47), (x, y)], shade(cord, 0.7), 0.018, smooth=True
    )
    with brush.turned(70 if beat is None else 0, x, y):
        brush.box(x - 0.08, y - 0.028, x + 0.09, y + 0.022, metal, round=0.01)
        brush.oval(x + 0.1, y + 0.03, 0.068, 0.064, metal)
        brush.oval(x + 0.1, y + 0.035, 0.024, 0.022, shade(metal, 0.35), False)
    if beat is None:
        _arm(brush, look, near, (0.21, 0.66))
        _arm(brush, look, far, (0.59, 0.66), -1)
        return
    part = beat % 1
    brush.oval(0.47, 0.285, 0.035, 0.03, shade((226, 96, 90), 1.1), False)
    for ring in range(3):
        r = 0.1 + 0.07 * ring + 0.06 * part
        if ring < 1 + 3 * (1 - part):
            brush.line([(0.7 + r * cos(a), 0.3 + r * sin(a)) for a in np.linspace(-0.75, 0.75, 9)], FLASH, 0.03)
    _arm(brush, look, far, (0.58, 0.36))
    _arm(brush, look, near, _mix((0.13, 0.1 + high), (0.06, 0.42), _up(beat)))


def digging(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, earth = _look(rng), pick(rng, (112, 76, 48), (142, 100, 62), (84, 62, 50))
    stick, blade = pick(rng, *WOOD), pick(rng, (150, 158, 170), (90, 96, 106), (60, 120, 80))
    clods, heap = rng.uniform(0, 1, (7, 2)), rng.uniform(0.78, 0.84)
    up = _up(beat)
    lean = 0 if beat is None else 0.06 - 0.06 * up
    near, far = _person(brush, look, (0.31 + lean, 0.37 + lean), (0.27, 0.66), ((0.18, 0.95), (0.36, 0.95)), gaze=0.3)
    brush.blob([(0.7, 0.98), (0.76, heap + 0.06), (0.87, heap), (0.97, heap + 0.07), (1.0, 0.98)], earth)
    brush.blob([(0.44, 0.95), (0.55, 0.93), (0.68, 0.95), (0.68, 0.985), (0.44, 0.985)], shade(earth, 0.6))
    if beat is None:
        top, tip = (0.56, 0.36), (0.56, 0.93)
    else:
        top, tip = _mix((0.46, 0.42), (0.3, 0.64), up), _mix((0.66, 0.97), (0.84, 0.5), up)
    long = hypot(tip[0] - top[0], tip[1] - top[1])
    ux, uy = (tip[0] - top[0]) / long, (tip[1] - top[1]) / long

    def at(d: float, across: float = 0.0) -> Point:
        return top[0] + d * ux - across * uy, top[1] + d * uy + across * ux

    for colour, width in ((shade(stick, 0.5), 0.05), (stick, 0.034)):
        brush.line([at(0), at(long - 0.16)], colour, width)
        brush.line([at(0, -0.05), at(0, 0.05)], colour, width)
    brush.shape(
        [at(long - 0.2, -0.075), at(long - 0.2, 0.075), at(long - 0.06, 0.075), at(long), at(long - 0.06, -0.075)],
        blade,
    )
    brush.line([at(long - 0.17), at(long - 0.07)], shade(blade, 0.6), 0.016)
    if beat is not None:
        for dx, dy in clods:
            x, y = at(long - 0.18 + 0.15 * dx)
            flown = max(beat % 1 - 0.45, 0)
            brush.oval(x + 0.2 * flown, y - (0.05 + 0.1 * dy) * up + 0.5 * flown**2 - 0.12 * flown, 0.034, 0.03, earth)
        brush.blob([(0.54, 0.985), (0.59, 0.95), (0.68, 0.955), (0.74, 0.985)], earth)
    _arm(brush, look, far, (0.54, 0.4) if beat is None else at(0.3))
    _arm(brush, look, near, (0.15, 0.66) if beat is None else at(0.02))


def marching(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    look, coat = _look(rng), pick(rng, (204, 44, 50), (40, 70, 160), (40, 110, 70), (70, 70, 84))
    trousers, plume = pick(rng, (240, 240, 236), (40, 44, 60), (96, 100, 112)), pick(rng, WHITE, (230, 60, 60), FLASH)
    gold, hat, tall = (240, 200, 80), pick(rng, INK, (90, 40, 40), (40, 56, 110)), rng.uniform(0.11, 0.14)
    look = _Look(look.skin, look.hair, coat, trousers, INK, look.cut, False, False, look.beard, look.glasses)
    c, s = (0.0, 0.0) if beat is None else (cos(pi * beat), sin(pi * beat))
    feet = (
        ((0.4, 0.95), (0.52, 0.95))
        if beat is None
        else (
            (0.46 - 0.17 * c + 0.18 * max(s, 0), 0.95 - 0.22 * max(s, 0)),
            (0.46 + 0.17 * c + 0.18 * max(-s, 0), 0.95 - 0.22 * max(-s, 0)),
        )
    )
    swing = 0.3 * c + 0.12 * s
    rise = 0.015 * abs(s)
    hands = (
        ((0.29, 0.68), (0.64, 0.68))
        if beat is None
        else ((0.4 + swing, 0.66 - 0.5 * abs(swing)), (0.52 - swing, 0.66 - 0.5 * abs(swing)))
    )
    shoulders = ((0.36, 0.47 - rise), (0.56, 0.47 - rise))
    _arm(brush, look, shoulders[1], hands[1], -1)
    _person(brush, look, (0.46, 0.41 - rise), (0.45, 0.67 - rise), feet, gaze=0.3, bone=0.145)
    brush.line([(0.37, 0.44), (0.54, 0.66)], WHITE, 0.034)
    brush.box(0.355, 0.65 - rise, 0.55, 0.685 - rise, WHITE)
    y = 0.19 - rise
    brush.oval(0.48, y - tall, 0.03, 0.05, plume)
    brush.shape([(0.335, y - tall), (0.62, y - tall), (0.6, y), (0.35, y)], hat)
    brush.line([(0.35, y - 0.025), (0.6, y - 0.025)], gold, 0.026)
    brush.oval(0.49, y - tall / 2 - 0.01, 0.034, 0.034, gold)
    brush.blob([(0.4, y - 0.005), (0.63, y), (0.66, y + 0.03), (0.42, y + 0.02)], INK)
    _arm(brush, look, shoulders[0], hands[0], -1)
    for x, top in shoulders:
        brush.oval(x, top - 0.02, 0.05, 0.028, gold)
