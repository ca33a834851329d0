"""Instruments: plucked, bowed, struck, keyed and blown. How they are drawn is told in `common`."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np

from ..brush import CIRCLE, INK, WHITE, Brush, shade
from .common import CLOTHES, SKINS, edged, hand, note, pick


def guitar(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    wood = pick(rng, (226, 150, 66), (196, 104, 44), (240, 190, 110), (176, 60, 48), (60, 110, 150))
    wide = rng.uniform(0.92, 1.1)
    skin, sleeve = pick(rng, *SKINS), pick(rng, *CLOTHES)
    lean = rng.uniform(12, 26)
    dark = (72, 44, 30)
    with brush.turned(lean, 0.5, 0.7):
        outline = [
            (0.5, 0.43),
            (0.62, 0.44),
            (0.665, 0.52),
            (0.635, 0.6),
            (0.7, 0.69),
            (0.72, 0.8),
            (0.65, 0.92),
            (0.5, 0.955),
        ]
        left = [(1 - x, y) for x, y in outline[-2:0:-1]]
        body = np.array(outline + left)
        body[:, 0] = 0.5 + (body[:, 0] - 0.5) * wide
        brush.blob(body, shade(wood, 0.62))
        brush.blob((body - (0.5, 0.7)) * 0.9 + (0.5, 0.7), wood, False)
        brush.oval(0.5, 0.635, 0.085, 0.085, shade(wood, 1.45), False)
        brush.oval(0.5, 0.635, 0.068, 0.068, (44, 28, 24), False)
        brush.box(0.4, 0.8, 0.6, 0.835, dark, False)
        brush.box(0.463, 0.1, 0.537, 0.58, dark)
        for fret in range(6):
            y = 0.16 + 0.4 * (1 - 0.84**fret) / 0.75
            brush.line([(0.468, y), (0.532, y)], (214, 200, 170), 0.007)
        brush.shape([(0.45, 0.0), (0.55, 0.0), (0.54, 0.12), (0.46, 0.12)], shade(wood, 0.55))
        for y in (0.025, 0.065, 0.1):
            brush.oval(0.43, y, 0.02, 0.013, WHITE, False)
            brush.oval(0.57, y, 0.02, 0.013, WHITE, False)
        sway = 0 if beat is None else 0.012 * cos(8 * pi * beat)
        for k, x in enumerate((0.475, 0.5, 0.525)):
            brush.line([(x, 0.1), (x + sway * (-1) ** k, 0.62), (x, 0.81)], (255, 250, 225), 0.007, smooth=True)
    if beat is not None:
        y = 0.64 + 0.09 * sin(pi * beat)
        hand(brush, 0.56, y, skin, sleeve, (0.93, 0.8))
        brush.shape([(0.51, y), (0.545, y - 0.02), (0.545, y + 0.03)], (235, 60, 60), False)


def violin(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    wood = pick(rng, (150, 62, 30), (176, 84, 34), (124, 44, 32), (190, 104, 48))
    lean = rng.uniform(-34, -24)
    rest = pick(rng, (40, 34, 36), (60, 40, 30))
    with brush.turned(lean, 0.5, 0.66):
        right = [
            (0.5, 0.45),
            (0.6, 0.465),
            (0.65, 0.53),
            (0.635, 0.59),
            (0.592, 0.63),
            (0.592, 0.69),
            (0.65, 0.735),
            (0.685, 0.82),
            (0.63, 0.92),
            (0.5, 0.945),
        ]
        body = np.array(right + [(1 - x, y) for x, y in right[-2:0:-1]])
        brush.blob(body, shade(wood, 0.6))
        brush.blob((body - (0.5, 0.7)) * 0.9 + (0.5, 0.7), wood, False)
        brush.blob([(0.44, 0.52), (0.5, 0.49), (0.52, 0.6), (0.46, 0.66)], shade(wood, 1.18), False)
        brush.line([(0.425, 0.655), (0.44, 0.69), (0.425, 0.73), (0.437, 0.77)], INK, 0.014, smooth=True)
        brush.line([(0.575, 0.655), (0.56, 0.69), (0.575, 0.73), (0.563, 0.77)], INK, 0.014, smooth=True)
        brush.box(0.472, 0.12, 0.528, 0.62, rest)
        brush.shape([(0.475, 0.76), (0.525, 0.76), (0.545, 0.9), (0.455, 0.9)], rest)
        brush.oval(0.38, 0.87, 0.065, 0.045, rest)
        brush.blob([(0.465, 0.13), (0.455, 0.05), (0.5, 0.01), (0.545, 0.05), (0.535, 0.13)], shade(wood, 0.75))
        brush.oval(0.5, 0.055, 0.022, 0.022, shade(wood, 0.4), False)
        for y in (0.09, 0.125):
            brush.line([(0.42, y), (0.58, y)], rest, 0.022)
        for x in (0.487, 0.513):
            brush.line([(x, 0.12), (x, 0.77)], (240, 232, 214), 0.006)
        brush.box(0.45, 0.7, 0.55, 0.722, (232, 206, 150), False)
    if beat is None:
        with brush.turned(8, 0.86, 0.6):
            _bow(brush, 0.86, 0.58)
    else:
        slide = 0.16 * cos(pi * beat)
        with brush.turned(62, 0.5, 0.62):
            _bow(brush, 0.5, 0.62 + slide)


def _bow(brush: Brush, x: float, y: float) -> None:
    brush.line([(x + 0.035, y - 0.36), (x + 0.02, y), (x + 0.035, y + 0.36)], (96, 50, 26), 0.022, smooth=True)
    brush.line([(x, y - 0.34), (x, y + 0.33)], WHITE, 0.016)
    brush.box(x - 0.012, y + 0.28, x + 0.04, y + 0.35, INK, False)


def drum(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    shell = pick(rng, (206, 44, 48), (40, 92, 176), (30, 140, 110), (236, 170, 40), (120, 60, 150))
    rim = pick(rng, (240, 206, 110), (214, 218, 226))
    deep = rng.uniform(0.78, 0.86)
    brush.line([(0.3, deep), (0.22, 0.97)], (120, 124, 132), 0.04)
    brush.line([(0.7, deep), (0.78, 0.97)], (120, 124, 132), 0.04)
    side = CIRCLE[:20] * (0.38, 0.09)
    brush.shape(np.concatenate([side + (0.5, deep), (side * (1, -1) + (0.5, 0.52))[::-1] * (1, 0) + (0, 0.52)]), shell)
    brush.shape([(0.16, 0.53), (0.3, 0.6), (0.3, deep + 0.06), (0.16, deep)], shade(shell, 1.25), False)
    xs = np.linspace(0.14, 0.86, 9)
    bulge = 0.09 * np.sqrt(np.clip(1 - ((xs - 0.5) / 0.38) ** 2, 0, 1))
    low = np.where(np.arange(9) % 2, deep - 0.03, 0.56) + bulge
    brush.line(np.stack([xs, low], axis=1), WHITE, 0.024)
    for y in (deep, 0.52):
        arc = np.stack(
            [0.5 + 0.385 * np.cos(np.linspace(0, pi, 20)), y + 0.095 * np.sin(np.linspace(0, pi, 20))], axis=1
        )
        brush.line(arc, shade(rim, 0.6), 0.058)
        brush.line(arc, rim, 0.042)
    brush.oval(0.5, 0.51, 0.385, 0.105, rim)
    brush.oval(0.5, 0.505, 0.34, 0.083, WHITE)
    lift = (0.0, 0.0) if beat is None else (abs(sin(pi * beat / 2)), abs(cos(pi * beat / 2)))
    for (handle, tip), up in zip((((0.06, 0.2), (0.44, 0.5)), ((0.94, 0.2), (0.56, 0.51))), lift):
        if beat is None:  # laid down across the head
            handle, tip = (handle[0] * 0.9 + 0.05, 0.44), (1 - tip[0], 0.5)
        tip = (tip[0], tip[1] - 0.34 * up)
        handle = (handle[0], handle[1] - 0.06 * up)
        brush.line([handle, tip], (130, 84, 44), 0.05)
        brush.line([handle, tip], (234, 190, 120), 0.034)
        brush.oval(*tip, 0.036, 0.03, (246, 214, 150))
        if beat is not None and up < 0.35:
            for dx in (-0.1, 0.1):
                brush.line([(tip[0] + dx, 0.42), (tip[0] + 1.7 * dx, 0.35)], (255, 214, 70), 0.024)


def piano(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    wood = pick(rng, (44, 40, 48), (120, 66, 38), (92, 40, 36), (228, 224, 214))
    skin, sleeve = pick(rng, *SKINS), pick(rng, *CLOTHES)
    top = rng.uniform(0.2, 0.28)
    for x in (0.1, 0.84):
        brush.box(x, 0.66, x + 0.06, 0.98, shade(wood, 0.8))
    brush.box(0.08, top, 0.92, 0.93, wood, round=0.02)
    brush.box(0.12, 0.76, 0.88, 0.9, shade(wood, 0.8))
    brush.box(0.05, top - 0.035, 0.95, top + 0.025, shade(wood, 1.2), round=0.02)
    brush.box(0.13, top + 0.06, 0.87, 0.52, shade(wood, 1.1))
    brush.shape([(0.36, top + 0.02), (0.64, top + 0.02), (0.66, 0.5), (0.34, 0.5)], WHITE)
    for y in np.linspace(top + 0.08, 0.45, 4):
        brush.line([(0.39, y), (0.61, y)], (130, 130, 140), 0.008)
    for x, y in ((0.42, 0.36), (0.5, 0.33), (0.57, 0.38)):
        brush.oval(x, y, 0.02, 0.016, INK, False)
        brush.line([(x + 0.016, y), (x + 0.016, y - 0.07)], INK, 0.008)
    brush.shape([(0.03, 0.56), (0.97, 0.56), (1.0, 0.7), (0.0, 0.7)], WHITE)
    down = () if beat is None else ((2, 9) if beat < 1 else (3, 8))
    edges = np.linspace(0.03, 0.97, 13), np.linspace(0.0, 1.0, 13)
    for key in range(12):
        a, b, c, d = edges[0][key], edges[0][key + 1], edges[1][key + 1], edges[1][key]
        if key in down:
            brush.shape([(a, 0.56), (b, 0.56), (c, 0.7), (d, 0.7)], (255, 196, 84), False)
        brush.line([(b, 0.57), (c, 0.69)], (130, 126, 130), 0.008)
        if key % 7 not in (2, 6):
            brush.shape([(b - 0.02, 0.56), (b + 0.02, 0.56), (b + 0.02, 0.635), (b - 0.022, 0.635)], INK, False)
    brush.box(0.0, 0.7, 1.0, 0.755, shade(wood, 1.15))
    for x in (0.45, 0.55):
        brush.line([(x, 0.9), (x, 0.95)], (236, 196, 90), 0.03)
    if beat is not None:
        hop = 0.06 * sin(pi * (beat % 1))
        for x, y in ((0.22 + 0.07 * (beat >= 1), 0.67 - hop), (0.78 - 0.07 * (beat >= 1), 0.67 - hop)):
            hand(brush, x, y, skin, sleeve, (x + (0.08 if x > 0.5 else -0.08), 0.9))


def trumpet(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    brass = pick(rng, (242, 190, 54), (228, 164, 40), (206, 212, 222))
    dark, light = shade(brass, 0.55), shade(brass, 1.6)
    tilt = rng.uniform(-16, -6) - (0 if beat is None else 4 * sin(2 * pi * beat))
    brush.line([(0.5, 0.6), (0.5, 0.9)], (58, 58, 66), 0.034)
    brush.line([(0.3, 0.97), (0.5, 0.86), (0.7, 0.97)], (58, 58, 66), 0.034)

    def tube(points: object, width: float, smooth: bool = False) -> None:
        brush.line(points, dark, width + 0.02, smooth=smooth)
        brush.line(points, brass, width, smooth=smooth)
        brush.line(np.asarray(points) - (0, width * 0.22), light, width * 0.22, smooth=smooth)

    with brush.turned(tilt, 0.5, 0.5):
        tube([(0.3, 0.6), (0.24, 0.55), (0.24, 0.49), (0.3, 0.44)], 0.045, True)
        tube([(0.66, 0.6), (0.74, 0.57), (0.74, 0.47), (0.66, 0.44)], 0.045, True)
        tube([(0.28, 0.6), (0.68, 0.6)], 0.045)
        tube([(0.03, 0.44), (0.7, 0.44)], 0.045)
        brush.shape([(-0.005, 0.395), (0.035, 0.42), (0.035, 0.46), (-0.005, 0.485)], brass)
        brush.blob(
            [
                (0.66, 0.415),
                (0.78, 0.4),
                (0.87, 0.35),
                (0.945, 0.24),
                (0.965, 0.24),
                (0.965, 0.64),
                (0.945, 0.64),
                (0.87, 0.53),
                (0.78, 0.48),
                (0.66, 0.465),
            ],
            brass,
        )
        brush.oval(0.957, 0.44, 0.035, 0.205, shade(brass, 0.72))
        for k, x in enumerate((0.39, 0.48, 0.57)):
            press = 0 if beat is None else 0.05 * ((int(beat * 2) + k) % 3 == 0)
            brush.box(x - 0.033, 0.37, x + 0.033, 0.66, brass, round=0.02)
            brush.line([(x - 0.014, 0.4), (x - 0.014, 0.63)], light, 0.014)
            brush.line([(x, 0.36), (x, 0.3 + press)], dark, 0.024)
            brush.oval(x, 0.285 + press, 0.034, 0.022, WHITE)
    if beat is not None:
        for k, (x, y) in enumerate(((0.56, 0.08), (0.72, 0.04))):
            note(
                brush, x + 0.02 * sin(2 * pi * (beat + k / 2)), y + 0.03 * cos(2 * pi * (beat + k / 2)), (255, 226, 90)
            )


def flute(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    tube = pick(rng, (204, 212, 226), (240, 204, 112), (84, 54, 46), (170, 92, 56))
    keys = pick(rng, (224, 228, 236), (246, 214, 120))
    skin, sleeve = pick(rng, *SKINS), pick(rng, *CLOTHES)
    tilt = rng.uniform(-43, -35) + (0 if beat is None else 3 * sin(pi * beat))
    cups = np.linspace(0.4, rng.uniform(0.9, 0.96), 7)
    with brush.turned(tilt, 0.5, 0.5):
        if beat is not None:
            for x, elbow in ((0.53, (0.4, 0.93)), (0.81, (0.72, 0.92))):
                hand(brush, x, 0.63, skin, sleeve, elbow)
        brush.box(-0.12, 0.43, 1.12, 0.57, tube, round=0.03)
        brush.line([(-0.08, 0.467), (1.08, 0.467)], shade(tube, 1.6), 0.028)
        brush.line([(-0.08, 0.542), (1.08, 0.542)], shade(tube, 0.72), 0.02)
        for x in (-0.09, 0.24, 1.02):
            brush.box(x - 0.022, 0.412, x + 0.022, 0.588, shade(keys, 0.85))
        brush.oval(0.07, 0.48, 0.11, 0.075, keys)
        brush.oval(0.07, 0.475, 0.045, 0.028, INK, False)
        brush.line([(0.33, 0.44), (1.0, 0.44)], shade(keys, 0.6), 0.02)
        for x in cups:
            brush.oval(x, 0.49, 0.044, 0.06, keys)
            brush.oval(x, 0.49, 0.021, 0.028, shade(keys, 0.62), False)
        if beat is not None:
            for k, x in enumerate((0.46, 0.53, 0.6, 0.74, 0.81, 0.88)):
                up = 0.05 * ((int(beat * 2) + k) % 3 == 0)
                root, tip = (x, 0.62), (x + 0.015, 0.49 - up)
                brush.line([root, tip], shade(skin, 0.6), 0.052)
                brush.line([root, tip], skin, 0.036)
    if beat is not None:
        for k, (x, y) in enumerate(((0.12, 0.3), (0.34, 0.1))):
            note(
                brush, x + 0.02 * sin(2 * pi * (beat + k / 2)), y + 0.03 * cos(2 * pi * (beat + k / 2)), (140, 226, 255)
            )


def harp(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    gold = pick(rng, (240, 190, 62), (222, 156, 46), (250, 216, 120))
    box = pick(rng, (150, 84, 40), (186, 122, 58), (112, 54, 40))
    skin, sleeve = pick(rng, *SKINS), pick(rng, *CLOTHES)
    dip = rng.uniform(0.2, 0.26)
    strings = np.linspace(0.25, 0.81, int(rng.integers(8, 11)))
    neck = np.array([(0.13, 0.1), (0.27, 0.13), (0.44, dip), (0.6, dip), (0.76, 0.1), (0.9, 0.13)])
    reach = (0, 0) if beat is None else (0.1 * sin(pi * beat), 0.08 * cos(pi * beat))
    at = (0.58 + reach[0], 0.4), (0.42 + reach[1], 0.64)
    for k, x in enumerate(strings):
        top, bottom = float(np.interp(x, neck[:, 0], neck[:, 1])), min(0.2 + (0.88 - x) * 1.25, 0.93)
        near = beat is not None and min(abs(x - at[0][0] + 0.06), abs(x - at[1][0] + 0.06)) < 0.04
        bend = 0.03 * cos(8 * pi * beat) if near else 0
        colour = (255, 236, 90) if near else ((226, 60, 60), (255, 250, 232), (255, 250, 232), (84, 110, 200))[k % 4]
        brush.line(
            [(x, top), (x + bend, (top + bottom) / 2), (x, bottom)], colour, 0.019 if near else 0.014, smooth=True
        )
    brush.shape([(0.84, 0.17), (0.98, 0.2), (0.5, 0.94), (0.26, 0.94)], box)
    brush.line([(0.9, 0.2), (0.38, 0.92)], shade(box, 1.35), 0.03)
    edged(brush, neck, gold, 0.125, 0.1)
    brush.line(neck - (0, 0.025), shade(gold, 1.5), 0.02, smooth=True)
    brush.box(0.08, 0.1, 0.19, 0.93, gold)
    for x in (0.115, 0.155):
        brush.line([(x, 0.2), (x, 0.84)], shade(gold, 0.7), 0.012)
    for y in (0.17, 0.86):
        brush.box(0.06, y - 0.025, 0.21, y + 0.025, shade(gold, 1.25))
    brush.blob([(0.02, 0.05), (0.07, 0.0), (0.135, 0.03), (0.2, 0.0), (0.25, 0.05), (0.2, 0.13), (0.07, 0.13)], gold)
    brush.oval(0.93, 0.13, 0.06, 0.06, gold)
    brush.oval(0.93, 0.13, 0.025, 0.025, shade(gold, 0.62), False)
    brush.box(0.02, 0.91, 0.6, 0.98, shade(gold, 0.85), round=0.02)
    if beat is not None:
        hand(brush, *at[0], skin, sleeve, (0.96, 0.56))
        hand(brush, *at[1], skin, sleeve, (0.94, 0.84))


RAINBOW = (
    (230, 56, 60),
    (244, 126, 44),
    (250, 206, 60),
    (130, 196, 70),
    (48, 160, 110),
    (54, 170, 214),
    (58, 96, 196),
    (124, 80, 180),
    (226, 96, 160),
)


def xylophone(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    count = int(rng.integers(7, 10))
    first = int(rng.integers(0, 10 - count))
    wood = pick(rng, (206, 150, 90), (150, 100, 60), (110, 76, 56), (236, 232, 224))
    ball = pick(rng, (240, 60, 70), (60, 60, 72), (250, 220, 90))
    short = rng.uniform(0.13, 0.17)
    for a, b in ((0.16, 0.3), (0.84, 0.7)):
        brush.line([(a, 0.7), (b, 0.965)], shade(wood, 0.5), 0.065)
        brush.line([(a, 0.7), (b, 0.965)], shade(wood, 0.8), 0.045)
    brush.line([(0.24, 0.88), (0.76, 0.88)], shade(wood, 0.7), 0.035)
    for side in (-1, 1):
        brush.shape(
            [
                (0.0, 0.58 + side * 0.17),
                (1.0, 0.58 + side * short * 0.66),
                (1.0, 0.58 + side * short * 0.66 + 0.045),
                (0.0, 0.58 + side * 0.17 + 0.045),
            ],
            wood,
        )
    xs = np.linspace(0.075, 0.925, count)
    wide = 0.41 / count
    lift = (0.0, 0.0) if beat is None else (abs(sin(pi * beat / 2)), abs(cos(pi * beat / 2)))
    hit = (1, count - 3)
    for k, x in enumerate(xs):
        half = 0.31 + (short - 0.31) * k / (count - 1)
        rung = beat is not None and k in hit and lift[hit.index(k)] < 0.5
        colour = RAINBOW[first + k]
        drop = 0.015 if rung else 0
        brush.box(
            x - wide,
            0.59 - half + drop,
            x + wide,
            0.59 + half + drop,
            shade(colour, 1.45) if rung else colour,
            round=0.018,
        )
        brush.line([(x - wide * 0.45, 0.63 - half), (x - wide * 0.45, 0.55 + half)], shade(colour, 1.4), 0.014)
        for y in (0.635 - half, 0.545 + half):
            brush.oval(x, y, 0.012, 0.012, INK, False)
    for (handle, bar), up in zip((((0.42, 0.04), hit[0]), ((0.6, 0.06), hit[1])), lift):
        tip = (xs[bar] + (-0.07 if bar == hit[0] else 0.07) * up, 0.5 - 0.3 * up)
        if beat is None:  # laid down across the bars
            handle, tip = ((0.12, 0.66), (0.84, 0.62)) if bar == hit[0] else ((0.9, 0.54), (0.16, 0.5))
        brush.line([handle, tip], (110, 76, 44), 0.046)
        brush.line([handle, tip], (248, 222, 170), 0.03)
        brush.oval(*tip, 0.056, 0.054, ball)
        brush.oval(tip[0] - 0.015, tip[1] - 0.018, 0.016, 0.014, shade(ball, 1.6), False)
        if beat is not None and up < 0.35:
            for dx in (-0.09, 0.09):
                brush.line([(tip[0] + dx, 0.42), (tip[0] + 1.7 * dx, 0.34)], (255, 244, 120), 0.026)
