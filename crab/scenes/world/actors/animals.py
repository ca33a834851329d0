"""Animals. How they are drawn is told in `common`."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np

from ..brush import CIRCLE, INK, WHITE, Brush, shade
from .common import edged, eye, note, pick


def dog(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    fur = pick(rng, (178, 116, 62), (224, 178, 110), (92, 66, 52), (236, 228, 214), (70, 70, 78))
    ear = shade(fur, 0.6) if rng.random() < 0.7 else shade(fur, 0.8)
    belly = shade(fur, 1.45)
    collar = pick(rng, (214, 50, 54), (46, 110, 200), (40, 150, 90))
    patch = rng.random() < 0.4
    wag = 0 if beat is None else 14 * sin(2 * pi * beat)
    opening = 0 if beat is None else max(0.3, 1 - 1.5 * (beat % 1))
    with brush.turned(wag, 0.2, 0.86):
        edged(brush, [(0.22, 0.88), (0.08, 0.78), (0.07, 0.62)], fur, 0.085, 0.065)
    brush.blob([(0.36, 0.45), (0.55, 0.48), (0.64, 0.66), (0.62, 0.95), (0.3, 0.97), (0.15, 0.9), (0.2, 0.68)], fur)
    brush.oval(0.29, 0.83, 0.15, 0.14, fur)
    brush.blob([(0.53, 0.56), (0.62, 0.64), (0.6, 0.86), (0.5, 0.8)], belly, False)
    for x in (0.5, 0.6):
        brush.box(x - 0.05, 0.68, x + 0.05, 0.965, fur, round=0.045)
        brush.oval(x + 0.02, 0.945, 0.07, 0.035, belly)
    brush.oval(0.28, 0.95, 0.1, 0.035, belly)
    with brush.turned(-10 * opening, 0.5, 0.5):
        brush.box(0.34, 0.46, 0.64, 0.52, collar, round=0.025)
        brush.oval(0.56, 0.535, 0.032, 0.035, (246, 206, 80))
        if opening:
            front = [(0.9, 0.37 + 0.02 * opening), (0.84, 0.42 + 0.1 * opening)]
            brush.blob([(0.56, 0.36), *front, (0.6, 0.47 + 0.04 * opening)], (150, 36, 46))
            tongue = [(0.62, 0.41), (0.8, 0.41 + 0.06 * opening), (0.72, 0.45 + 0.06 * opening)]
            brush.blob(tongue, (240, 120, 130), False)
            front = [(0.85, 0.4 + 0.1 * opening), (0.82, 0.45 + 0.11 * opening)]
            brush.blob([(0.55, 0.44), (0.7, 0.45 + 0.06 * opening), *front, (0.62, 0.52 + 0.03 * opening)], fur)
        brush.oval(0.48, 0.28, 0.2, 0.2, fur)
        if patch:
            brush.oval(0.56, 0.22, 0.085, 0.085, ear, False)
        brush.blob([(0.54, 0.27), (0.74, 0.26), (0.92, 0.29), (0.93, 0.36), (0.78, 0.41), (0.56, 0.42)], belly)
        brush.blob([(0.84, 0.25), (0.93, 0.25), (0.95, 0.3), (0.89, 0.33), (0.84, 0.3)], INK, False)
        eye(brush, 0.57, 0.21, 0.042)
        flap = 0.05 * opening
        brush.blob(
            [(0.36, 0.13), (0.45, 0.12), (0.46, 0.3), (0.36 - flap, 0.46), (0.25 - flap, 0.42), (0.27, 0.24)], ear
        )


def cat(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    fur = pick(rng, (240, 158, 74), (130, 134, 144), (60, 58, 66), (244, 236, 222), (196, 160, 120))
    stripe = shade(fur, 0.68)
    iris = pick(rng, (90, 180, 80), (226, 180, 50), (80, 150, 220))
    striped = rng.random() < 0.65
    light = shade(fur, 1.55)
    sway = 0 if beat is None else 0.04 * sin(pi * beat)
    tail = [(0.66, 0.9), (0.88, 0.9), (0.93, 0.72), (0.84 + sway, 0.6), (0.88 + sway, 0.5)]
    edged(brush, tail, fur, 0.1, 0.078)
    brush.blob([(0.36, 0.5), (0.64, 0.5), (0.76, 0.8), (0.72, 0.96), (0.28, 0.96), (0.24, 0.8)], fur)
    brush.blob([(0.42, 0.58), (0.58, 0.58), (0.6, 0.8), (0.5, 0.88), (0.4, 0.8)], light, False)
    for x in (0.41, 0.59):
        brush.line([(x, 0.74), (x, 0.93)], stripe, 0.012)
        brush.oval(x, 0.945, 0.085, 0.038, light)
    if striped:
        for side in (-1, 1):
            for y in (0.66, 0.75, 0.84):
                brush.line([(0.5 + side * 0.23, y + 0.02), (0.5 + side * 0.15, y)], stripe, 0.026)
    for side in (-1, 1):
        ear = np.array([(0.09, 0.16), (0.25, -0.0), (0.285, 0.25)])
        brush.shape(ear * (side, 1) + (0.5, 0.03), fur)
        inner = np.array([(0.15, 0.14), (0.235, 0.06), (0.25, 0.2)])
        brush.shape(inner * (side, 1) + (0.5, 0.03), (244, 150, 150), False)
    brush.blob(
        [(0.5, 0.13), (0.7, 0.18), (0.8, 0.36), (0.7, 0.53), (0.5, 0.57), (0.3, 0.53), (0.2, 0.36), (0.3, 0.18)], fur
    )
    if striped:
        for x in (0.43, 0.5, 0.57):
            brush.line([(x, 0.15), (0.5 + (x - 0.5) * 0.8, 0.24)], stripe, 0.026)
        for side in (-1, 1):
            brush.line([(0.5 + side * 0.28, 0.36), (0.5 + side * 0.2, 0.38)], stripe, 0.024)
    for side in (-1, 1):
        brush.oval(0.5 + side * 0.13, 0.33, 0.068, 0.062, iris)
        brush.oval(0.5 + side * 0.13, 0.33, 0.02, 0.056, INK, False)
        brush.oval(0.515 + side * 0.13, 0.305, 0.014, 0.014, WHITE, False)
    brush.oval(0.45, 0.455, 0.07, 0.05, light, False)
    brush.oval(0.55, 0.455, 0.07, 0.05, light, False)
    if beat is None:
        brush.line([(0.44, 0.475), (0.47, 0.5), (0.5, 0.47), (0.53, 0.5), (0.56, 0.475)], INK, 0.014, smooth=True)
    else:
        wide = 0.035 + 0.045 * sin(pi * (beat % 1))
        brush.oval(0.5, 0.455 + wide, 0.062, wide, (132, 32, 44))
        brush.oval(0.5, 0.46 + 1.4 * wide, 0.038, 0.5 * wide, (244, 128, 138), False)
    brush.shape([(0.46, 0.415), (0.54, 0.415), (0.5, 0.455)], (236, 110, 120))
    for side in (-1, 1):
        for y in (0.41, 0.46):
            brush.line([(0.5 + side * 0.13, 0.45), (0.5 + side * 0.38, y)], WHITE, 0.01)


def bird(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    coat = pick(rng, (52, 140, 220), (232, 72, 60), (250, 196, 44), (70, 178, 96), (150, 96, 200))
    breast = pick(rng, (255, 236, 196), (255, 200, 120), (245, 245, 240))
    beak = (250, 156, 36)
    flap = 0 if beat is None else sin(2 * pi * beat)
    gape = 0 if beat is None else 0.35 + 0.65 * abs(cos(2 * pi * beat))
    bark = (140, 98, 64)
    brush.blob([(0.24, 0.88), (0.76, 0.88), (0.79, 0.96), (0.86, 0.985), (0.14, 0.985), (0.21, 0.96)], shade(bark, 0.8))
    brush.oval(0.5, 0.88, 0.27, 0.045, shade(bark, 1.45))
    brush.oval(0.5, 0.88, 0.15, 0.023, shade(bark, 1.2), False)
    brush.blob([(0.76, 0.93), (0.82, 0.83), (0.92, 0.8), (0.9, 0.9)], (92, 170, 76))
    for x in (0.43, 0.53):
        brush.line([(x, 0.78), (x, 0.9)], shade(beak, 0.8), 0.026)
    brush.shape([(0.28, 0.6), (0.0, 0.76), (0.03, 0.86), (0.13, 0.84), (0.36, 0.72)], shade(coat, 0.75))
    brush.blob(
        [(0.5, 0.2), (0.66, 0.28), (0.72, 0.5), (0.62, 0.74), (0.44, 0.83), (0.26, 0.74), (0.22, 0.56), (0.36, 0.34)],
        coat,
    )
    brush.blob([(0.66, 0.42), (0.705, 0.52), (0.61, 0.73), (0.46, 0.8), (0.44, 0.6), (0.56, 0.46)], breast, False)
    with brush.turned(-8 * gape, 0.56, 0.4):
        brush.shape([(0.71, 0.235), (0.92, 0.27 - 0.05 * gape), (0.73, 0.3)], beak)
        brush.shape([(0.71, 0.3), (0.88, 0.3 + 0.08 * gape), (0.69, 0.345)], shade(beak, 0.85))
        crest = rng.random() < 0.5
        if crest:
            brush.blob([(0.48, 0.13), (0.36, 0.0), (0.52, 0.05), (0.56, -0.01), (0.62, 0.12)], shade(coat, 0.85))
        brush.oval(0.57, 0.26, 0.185, 0.18, coat)
        brush.oval(0.66, 0.33, 0.07, 0.05, breast, False)
        eye(brush, 0.635, 0.235, 0.046)
    with brush.turned(26 * max(flap, 0) + 8 * min(flap, 0), 0.5, 0.48):
        brush.blob(
            [(0.52, 0.44), (0.56, 0.56), (0.44, 0.7), (0.2, 0.76), (0.14, 0.7), (0.26, 0.62), (0.36, 0.48)],
            shade(coat, 0.68),
        )
        brush.line([(0.2, 0.72), (0.36, 0.66), (0.48, 0.56)], shade(coat, 0.5), 0.014, smooth=True)
    if beat is not None:
        note(brush, 0.87 + 0.02 * flap, 0.06 + 0.02 * flap, (255, 255, 255))


def cow(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    hide, patch = ((246, 244, 238), (44, 42, 50)) if rng.random() < 0.55 else ((248, 238, 220), (148, 84, 48))
    muzzle = pick(rng, (240, 172, 166), (228, 150, 140))
    bell = pick(rng, (240, 190, 60), (220, 168, 70))
    strap = pick(rng, (200, 50, 54), (50, 100, 190))
    marks = rng.uniform(-0.025, 0.025, (3, 2))
    size = rng.uniform(0.85, 1.1, 3)
    horn = rng.uniform(0.07, 0.1)
    moo = 0 if beat is None else 0.4 + 0.6 * sin(pi * (beat % 1) ** 0.7)
    swing = 0 if beat is None else 8 * sin(2 * pi * beat)
    with brush.turned(swing, 0.1, 0.37):
        edged(brush, [(0.1, 0.37), (0.055, 0.48), (0.07, 0.7)], hide, 0.045, 0.028)
        brush.blob([(0.055, 0.66), (0.09, 0.66), (0.11, 0.78), (0.075, 0.84), (0.04, 0.78)], patch)
    for x in (0.25, 0.58):
        brush.box(x - 0.045, 0.6, x + 0.045, 0.93, shade(hide, 0.8), round=0.02)
        brush.box(x - 0.05, 0.9, x + 0.05, 0.97, (62, 54, 54), round=0.015)
    brush.blob([(0.3, 0.68), (0.44, 0.69), (0.45, 0.79), (0.37, 0.83), (0.29, 0.79)], muzzle)
    for x in (0.33, 0.41):
        brush.line([(x, 0.81), (x, 0.855)], shade(muzzle, 0.85), 0.024)
    back = [(0.07, 0.38), (0.14, 0.31), (0.4, 0.34), (0.66, 0.28), (0.76, 0.4)]
    brush.blob([*back, (0.73, 0.64), (0.6, 0.75), (0.36, 0.73), (0.14, 0.73), (0.06, 0.56)], hide)
    for (dx, dy), s, (x, y, rx, ry) in zip(
        marks, size, ((0.16, 0.56, 0.06, 0.09), (0.36, 0.46, 0.13, 0.105), (0.57, 0.6, 0.085, 0.075))
    ):
        mark = np.array([(-1, -0.3), (-0.3, -0.7), (0.6, -1), (1, 0.1), (0.2, 0.5), (-0.1, 1), (-0.7, 0.6)])
        brush.blob(mark * (rx * s, ry * s) + (x + dx, y + dy), patch, False)
    brush.blob([(0.55, 0.31), (0.66, 0.285), (0.74, 0.36), (0.68, 0.46), (0.58, 0.42)], patch, False)
    for x, colour in ((0.14, patch), (0.68, hide)):
        brush.box(x - 0.05, 0.6, x + 0.05, 0.94, colour, round=0.02)
        brush.box(x - 0.055, 0.9, x + 0.055, 0.98, (74, 64, 62), round=0.015)
    with brush.turned(14 - 26 * moo, 0.7, 0.4):
        brush.line([(0.66, 0.5), (0.72, 0.56), (0.78, 0.52)], strap, 0.035, smooth=True)
        brush.shape([(0.69, 0.57), (0.75, 0.57), (0.78, 0.66), (0.66, 0.66)], bell)
        for x, lean in ((0.72, -0.03), (0.82, 0.05)):
            tip = [(x + lean - 0.012, 0.17 - horn), (x + 1.6 * lean, 0.12 - horn), (x + lean + 0.02, 0.17 - horn)]
            brush.blob([(x - 0.025, 0.17), *tip, (x + 0.03, 0.17)], (236, 222, 182))
        if moo:
            jaw = [(0.96, 0.46 + 0.06 * moo), (0.88, 0.5 + 0.08 * moo), (0.76, 0.48 + 0.04 * moo)]
            brush.blob([(0.78, 0.4), (0.93, 0.43), *jaw], muzzle)
            brush.blob([(0.8, 0.4), (0.95, 0.42), (0.94, 0.44 + 0.06 * moo), (0.84, 0.45 + 0.06 * moo)], (140, 34, 44))
        brush.blob(
            [(0.66, 0.19), (0.78, 0.14), (0.88, 0.22), (0.92, 0.36), (0.84, 0.46), (0.73, 0.46), (0.65, 0.34)], hide
        )
        brush.blob([(0.67, 0.2), (0.76, 0.155), (0.79, 0.24), (0.74, 0.36), (0.665, 0.33)], patch, False)
        brush.blob([(0.85, 0.29), (0.95, 0.31), (0.985, 0.4), (0.94, 0.46), (0.83, 0.46), (0.79, 0.4)], muzzle)
        brush.oval(0.92, 0.36, 0.016, 0.02, shade(muzzle, 0.5), False)
        brush.blob([(0.68, 0.2), (0.58, 0.17), (0.53, 0.23), (0.58, 0.28), (0.67, 0.27)], patch)
        eye(brush, 0.81, 0.26, 0.038)


def duck(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    coats = ((252, 208, 52), (252, 208, 52)), ((250, 248, 240), (250, 248, 240)), ((164, 134, 108), (30, 128, 78))
    coat, top = coats[rng.integers(3)]
    wing = shade(coat, rng.uniform(0.78, 0.88))
    bill = pick(rng, (246, 130, 30), (252, 152, 40))
    tail = rng.uniform(0.36, 0.44)
    quack = 0 if beat is None else max(0.25, 1 - 1.6 * (beat % 1))
    wet = (84, 170, 226)
    y = 0 if beat is None else -0.018 * sin(pi * (beat % 1))
    bob = np.array([0, y])
    brush.oval(0.5, 0.86, 0.49, 0.12, wet)
    for k in range(2):
        spread = 0.78 + 0.1 * k if beat is None else 0.7 + 0.14 * ((beat + k) % 2)
        brush.line(CIRCLE[1:19] * (0.49 * spread, 0.11 * spread) + (0.5, 0.865), (190, 228, 248), 0.014)
    back = [(0.02, tail), (0.14, 0.5), (0.3, 0.5), (0.5, 0.55), (0.74, 0.5), (0.84, 0.64)]
    brush.blob(bob + [*back, (0.78, 0.8), (0.6, 0.89), (0.34, 0.89), (0.14, 0.78), (0.05, 0.6)], coat)
    with brush.turned(-10 * quack, 0.34, 0.6 + y):
        upper = [(0.2, 0.58), (0.44, 0.55), (0.6, 0.64)]
        brush.blob(bob + [*upper, (0.54, 0.76), (0.36, 0.79), (0.18, 0.7), (0.1, 0.62)], wing)
        for k in range(2):
            feather = bob + [(0.2 + 0.06 * k, 0.66 + 0.05 * k), (0.4 + 0.03 * k, 0.68 + 0.04 * k)]
            brush.line(feather, shade(wing, 0.7), 0.013)
    with brush.turned(-9 * quack, 0.66, 0.55 + y):
        brush.blob(bob + [(0.53, 0.56), (0.56, 0.34), (0.76, 0.34), (0.79, 0.56), (0.7, 0.64)], top)
        if top != coat:
            brush.line(bob + [(0.54, 0.5), (0.66, 0.54), (0.78, 0.5)], WHITE, 0.04, smooth=True)
        tip = [(0.9, 0.25 - 0.05 * quack), (0.985, 0.29 - 0.09 * quack), (0.9, 0.33 - 0.05 * quack)]
        brush.blob(bob + [(0.76, 0.26), *tip, (0.76, 0.33)], bill)
        tip = [(0.86, 0.32 + 0.05 * quack), (0.95, 0.33 + 0.13 * quack), (0.84, 0.37 + 0.09 * quack)]
        brush.blob(bob + [(0.75, 0.32), *tip, (0.73, 0.38)], shade(bill, 0.8))
        brush.oval(0.65, 0.23 + y, 0.175, 0.17, top)
        if top == coat:
            brush.blob(bob + [(0.58, 0.09), (0.55, 0.02), (0.62, 0.05), (0.66, 0.01), (0.67, 0.08)], top)
        eye(brush, 0.71, 0.2 + y, 0.042)


def frog(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    skin = pick(rng, (86, 176, 62), (58, 150, 84), (132, 190, 50))
    belly = pick(rng, (232, 238, 168), (214, 232, 150))
    sac = pick(rng, (250, 226, 150), (252, 206, 170), (236, 236, 208))
    iris = pick(rng, (230, 176, 40), (206, 78, 48))
    spots = rng.uniform(-0.02, 0.02, (4, 2))
    spotted = rng.random() < 0.7
    croak = 0 if beat is None else 0.25 + 0.75 * sin(pi * min((beat % 1) / 0.75, 1)) ** 0.7
    dark = shade(skin, 0.72)
    for side in (-1, 1):
        limb = np.array([(0.2, 0.62), (0.36, 0.54), (0.48, 0.66), (0.46, 0.86), (0.3, 0.92), (0.18, 0.84)])
        brush.blob(limb * (side, 1) + (0.5, 0), dark)
        foot = np.array(
            [(0.2, 0.95), (0.26, 0.88), (0.36, 0.9), (0.47, 0.88), (0.43, 0.93), (0.49, 0.965), (0.36, 0.975)]
        )
        brush.blob(foot * (side, 1) + (0.5, 0), skin)
    brush.blob([(0.3, 0.42), (0.7, 0.42), (0.8, 0.7), (0.72, 0.92), (0.5, 0.96), (0.28, 0.92), (0.2, 0.7)], skin)
    brush.blob([(0.38, 0.6), (0.62, 0.6), (0.66, 0.8), (0.5, 0.93), (0.34, 0.8)], belly, False)
    for side in (-1, 1):
        brush.line([(0.5 + side * 0.22, 0.64), (0.5 + side * 0.2, 0.9)], dark, 0.09)
        brush.line([(0.5 + side * 0.22, 0.64), (0.5 + side * 0.2, 0.9)], skin, 0.07)
        for toe in (-0.06, 0.0, 0.06):
            brush.line([(0.5 + side * 0.19, 0.91), (0.5 + side * 0.19 + toe, 0.965)], skin, 0.034)
    y = -0.03 * croak
    lift = np.array([0, y])
    right, left = [(0.76, 0.23), (0.93, 0.4), (0.84, 0.56)], [(0.16, 0.56), (0.07, 0.4), (0.24, 0.23)]
    brush.blob(lift + [(0.5, 0.22), *right, (0.5, 0.62), *left], skin)
    if spotted:
        for (dx, dy), x in zip(spots, (0.4, 0.5, 0.6, 0.52)):
            brush.oval(x + dx, 0.28 + dy + (0.05 if x == 0.52 else 0) + y, 0.028, 0.02, dark, False)
    for side in (-1, 1):
        brush.oval(0.5 + side * 0.25, 0.17 + y, 0.145, 0.14, skin)
        brush.oval(0.5 + side * 0.25, 0.16 + y, 0.1, 0.1, WHITE)
        brush.oval(0.5 + side * 0.24, 0.165 + y, 0.072, 0.076, iris, False)
        brush.oval(0.5 + side * 0.24, 0.165 + y, 0.055, 0.028, INK, False)
        brush.oval(0.5 + side * 0.05, 0.35 + y, 0.012, 0.01, shade(skin, 0.45), False)
    if croak:
        brush.oval(0.5, 0.53 + 0.12 * croak + y, 0.17 + 0.14 * croak, 0.06 + 0.14 * croak, sac)
        brush.oval(0.44 - 0.05 * croak, 0.52 + 0.07 * croak + y, 0.06, 0.03 + 0.02 * croak, shade(sac, 1.6), False)
    else:
        brush.oval(0.5, 0.53, 0.26, 0.06, shade(belly, 1.1), False)
    mouth = lift + [(0.13, 0.44), (0.3, 0.475), (0.5, 0.485), (0.7, 0.475), (0.87, 0.44)]
    brush.line(mouth, shade(skin, 0.35), 0.02, smooth=True)


def lion(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    fur = pick(rng, (234, 182, 92), (222, 166, 84), (242, 200, 122))
    mane = pick(rng, (150, 78, 32), (112, 60, 34), (184, 96, 36))
    tufts = int(rng.integers(13, 18))
    ragged = rng.uniform(0.9, 1.03, 2 * 18)
    iris = pick(rng, (120, 78, 30), (92, 110, 40))
    light = shade(fur, 1.55)
    roar = 0 if beat is None else 0.35 + 0.65 * sin(pi * (beat % 1) ** 0.6)
    sway = 0 if beat is None else 16 * sin(2 * pi * beat)
    with brush.turned(sway, 0.12, 0.6):
        edged(brush, [(0.14, 0.62), (0.05, 0.5), (0.08, 0.34), (0.16, 0.28)], fur, 0.065, 0.045)
        brush.blob([(0.13, 0.32), (0.1, 0.22), (0.2, 0.14), (0.25, 0.22), (0.2, 0.31)], mane)
    for x in (0.3, 0.56):
        brush.box(x - 0.055, 0.7, x + 0.055, 0.95, shade(fur, 0.8), round=0.03)
    back = [(0.08, 0.66), (0.16, 0.54), (0.4, 0.54), (0.74, 0.5), (0.8, 0.7)]
    brush.blob([*back, (0.66, 0.83), (0.38, 0.8), (0.2, 0.86), (0.08, 0.8)], fur)
    for x in (0.16, 0.7):
        brush.box(x - 0.065, 0.68, x + 0.065, 0.97, fur, round=0.04)
        brush.oval(x + 0.02, 0.95, 0.085, 0.035, light)
    turns = np.linspace(0, 2 * pi, 2 * tufts + 1)[:-1]
    reach = np.where(np.arange(2 * tufts) % 2, 0.29, 0.365 + 0.02 * roar) * ragged[: 2 * tufts]
    x, y = 0.62, 0.39 - 0.02 * roar
    outline = np.stack([reach * np.cos(turns), reach * np.sin(turns)], axis=1)
    brush.blob(outline + (x, y), mane)
    outline = np.stack([reach * np.cos(turns + 0.1), reach * np.sin(turns + 0.1)], axis=1)
    brush.blob(outline * 0.78 + (x, y), shade(mane, 1.2), False)
    for side in (-1, 1):
        brush.oval(x + side * 0.17, y - 0.2, 0.065, 0.065, fur)
        brush.oval(x + side * 0.17, y - 0.195, 0.035, 0.035, shade(fur, 0.6), False)
    jaw, chin = y + 0.16 + 0.07 * roar, y + 0.21 + 0.08 * roar
    right, left = [(x + 0.2, y - 0.02), (x + 0.14, jaw)], [(x - 0.14, jaw), (x - 0.2, y - 0.02)]
    brush.blob([(x - 0.12, y - 0.2), (x + 0.12, y - 0.2), *right, (x, chin), *left], fur)
    for side in (-1, 1):
        eye(brush, x + side * 0.095, y - 0.08, 0.036, iris)
        brow = [(x + side * 0.05, y - 0.12 + 0.015 * roar), (x + side * 0.14, y - 0.135 - 0.01 * roar)]
        brush.line(brow, shade(mane, 0.7), 0.02)
    if roar:
        _lion_mouth(brush, x, y, roar)
    for side in (-1, 1):
        brush.oval(x + side * 0.065, y + 0.075 + 0.01 * (not roar), 0.08, 0.055, light)
    brush.blob([(x - 0.055, y + 0.0), (x + 0.055, y + 0.0), (x, y + 0.065)], (112, 56, 48))
    if not roar:
        brush.line([(x - 0.08, y + 0.135), (x, y + 0.15), (x + 0.08, y + 0.135)], INK, 0.014, smooth=True)


def _lion_mouth(brush: Brush, x: float, y: float, roar: float) -> None:
    deep = 0.09 + 0.08 * roar
    brush.oval(x, y + 0.1 + 0.5 * deep, 0.125 + 0.015 * roar, 0.03 + 0.62 * deep, (128, 26, 36))
    brush.oval(x, y + 0.12 + 0.8 * deep, 0.08, 0.3 * deep, (240, 120, 130), False)
    for side in (-1, 1):
        inner, outer = x + side * 0.045, x + side * 0.095
        brush.shape([(inner, y + 0.1), (outer, y + 0.1), (x + side * 0.072, y + 0.175)], WHITE, False)
        inner, outer = (x + side * 0.05, y + 0.13 + deep), (x + side * 0.08, y + 0.12 + deep)
        brush.shape([inner, outer, (x + side * 0.062, y + 0.08 + deep)], WHITE, False)
