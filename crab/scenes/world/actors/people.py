"""People, with faces. How they are drawn is told in `common`."""

from __future__ import annotations

from math import pi, sin

import numpy as np

from ..brush import CIRCLE, INK, WHITE, Brush, Colour, shade
from .common import CLOTHES, SKINS, edged, eye, note, pick


def man(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
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
        edged(brush, [(0.5 + side * 0.16, 0.54), elbow, hand], shirt, 0.12, 0.098)
        brush.oval(*hand, 0.056, 0.054, skin)
    brush.blob([(0.38, 0.47), (0.62, 0.47), (0.7, 0.54), (0.68, 0.82), (0.32, 0.82), (0.3, 0.54)], shirt)
    brush.shape([(0.44, 0.465), (0.56, 0.465), (0.5, 0.57)], WHITE)
    brush.shape([(0.485, 0.5), (0.515, 0.5), (0.53, 0.68), (0.5, 0.72), (0.47, 0.68)], shade(shirt, 0.45))
    brush.box(0.45, 0.4, 0.55, 0.49, shade(skin, 0.85), False)
    _man_head(brush, beat, skin, hair, beard=beard, glasses=glasses, bald=bald)


def _man_head(
    brush: Brush, beat: float | None, skin: Colour, hair: Colour, *, beard: bool, glasses: bool, bald: bool
) -> None:
    y = 0 if beat is None else 0.01 * sin(2 * pi * beat)
    nod = np.array([0, y])
    for side in (-1, 1):
        brush.oval(0.5 + side * 0.19, 0.27 + y, 0.04, 0.05, skin)
    if not bald:
        brush.oval(0.5, 0.2 + y, 0.2, 0.19, hair)
    right, left = [(0.64, 0.1), (0.69, 0.25), (0.63, 0.4)], [(0.37, 0.4), (0.31, 0.25), (0.36, 0.1)]
    brush.blob(nod + [(0.5, 0.06), *right, (0.5, 0.46), *left], skin)
    if beard:
        edge = [(0.31, 0.28), (0.38, 0.33), (0.5, 0.325), (0.62, 0.33), (0.69, 0.28)]
        brush.blob(nod + [*edge, (0.645, 0.42), (0.5, 0.49), (0.355, 0.42)], hair)
    if not bald:
        crown = [(0.305, 0.23), (0.33, 0.07), (0.5, 0.0), (0.67, 0.07), (0.695, 0.23)]
        brush.blob(nod + [*crown, (0.63, 0.15), (0.45, 0.13), (0.36, 0.17)], hair)
    for side in (-1, 1):
        eye(brush, 0.5 + side * 0.085, 0.235 + y, 0.036)
        brush.line([(0.5 + side * 0.045, 0.175 + y), (0.5 + side * 0.12, 0.172 + y)], shade(hair, 0.8), 0.02)
        if glasses:
            ring = CIRCLE * (0.062, 0.056) + (0.5 + side * 0.085, 0.238 + y)
            brush.line(ring, INK, 0.014)
    brush.blob(nod + [(0.49, 0.26), (0.52, 0.3), (0.48, 0.31)], shade(skin, 0.8), False)
    if beat is None:
        brush.line(nod + [(0.445, 0.375), (0.5, 0.39), (0.555, 0.375)], (150, 60, 60), 0.018, smooth=True)
    else:
        wide = 0.018 + 0.034 * sin(pi * (beat % 1))
        brush.oval(0.5, 0.375 + y, 0.068, wide, (120, 30, 40))
        brush.box(0.455, 0.375 + y - wide * 0.8, 0.545, 0.375 + y - wide * 0.3, WHITE, False)


def woman(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    skin = pick(rng, *SKINS)
    dress = pick(rng, (206, 52, 96), (118, 64, 168), (24, 140, 150), (236, 180, 60), (226, 226, 236), (40, 90, 190))
    hair = pick(rng, (40, 30, 32), (112, 62, 36), (224, 176, 92), (176, 70, 40))
    sash = pick(rng, (250, 214, 120), (240, 240, 236), (60, 40, 70))
    necklace, flower, wavy = rng.random() < 0.5, rng.random() < 0.5, 0.03 * rng.random()
    petal = pick(rng, (246, 90, 120), (250, 210, 80), (240, 240, 240))
    sung = 0 if beat is None else 0.35 + 0.65 * sin(pi * (beat % 1))
    sway = 0 if beat is None else 4 * sin(pi * beat)
    for x in (0.43, 0.57):
        brush.oval(x, 0.955, 0.055, 0.026, shade(dress, 0.5))
    with brush.turned(sway, 0.5, 0.95):
        right = [(0.66, 0.07), (0.72, 0.24), (0.73 + wavy, 0.4), (0.71 - wavy, 0.52), (0.6, 0.57)]
        left = [(0.4, 0.57), (0.29 + wavy, 0.52), (0.27 - wavy, 0.4), (0.28, 0.24), (0.34, 0.07)]
        brush.blob([(0.5, 0.02), *right, *left], hair)
        if beat is None:
            far = [(0.38, 0.47), (0.29, 0.57), (0.34, 0.7)]
        else:
            far = [(0.38, 0.46), (0.22, 0.52 - 0.04 * sung), (0.08, 0.42 - 0.08 * sung)]
        edged(brush, far, skin, 0.088, 0.068)
        _dress(brush, dress, sash)
        brush.blob([(0.43, 0.42), (0.57, 0.42), (0.54, 0.5), (0.5, 0.52), (0.46, 0.5)], skin, False)
        if necklace:
            brush.line([(0.43, 0.44), (0.5, 0.49), (0.57, 0.44)], (250, 224, 130), 0.016, smooth=True)
        right, left = [(0.62, 0.11), (0.66, 0.25), (0.6, 0.38)], [(0.4, 0.38), (0.34, 0.25), (0.38, 0.11)]
        brush.blob([(0.5, 0.07), *right, (0.5, 0.43), *left], skin)
        crown = [(0.33, 0.27), (0.33, 0.1), (0.5, 0.01), (0.67, 0.1), (0.67, 0.27)]
        brush.blob([*crown, (0.6, 0.16), (0.54, 0.1), (0.44, 0.17)], hair)
        if flower:
            for x, y in ((0.33, 0.1), (0.4, 0.1), (0.33, 0.16), (0.4, 0.16)):
                brush.oval(x, y, 0.034, 0.034, petal)
            brush.oval(0.365, 0.13, 0.022, 0.022, (250, 220, 90), False)
        _woman_face(brush, sung)
        mic = (0.61, 0.52) if beat is None else (0.575, 0.43)
        grip = (mic[0] + 0.06, mic[1] + 0.085)
        brush.line([mic, (grip[0] + 0.025, grip[1] + 0.04)], INK, 0.05)
        edged(brush, [(0.62, 0.47), (0.75, 0.6), grip], skin, 0.088, 0.068)
        brush.oval(*mic, 0.047, 0.047, (156, 160, 170))
        brush.oval(*grip, 0.042, 0.042, skin)
    if beat is not None:
        for x, y in ((0.86, 0.24), (0.78, 0.06), (0.1, 0.12)):
            note(brush, x, y + 0.04 * sin(pi * beat + 9 * x), WHITE)


def _dress(brush: Brush, dress: Colour, sash: Colour) -> None:
    right = [(0.6, 0.44), (0.635, 0.52), (0.585, 0.63), (0.68, 0.78), (0.79, 0.95)]
    left = [(0.21, 0.95), (0.32, 0.78), (0.415, 0.63), (0.365, 0.52)]
    brush.blob([(0.4, 0.44), *right, (0.5, 0.965), *left], dress)
    for x in (0.4, 0.6):
        brush.line([(0.5 + 0.35 * (x - 0.5), 0.7), (x, 0.93)], shade(dress, 0.75), 0.016)
    brush.box(0.41, 0.615, 0.59, 0.66, sash, round=0.02)


def _woman_face(brush: Brush, sung: float) -> None:
    lips = (186, 44, 66)
    for side in (-1, 1):
        x = 0.5 + side * 0.075
        if sung:
            brush.line([(x - 0.038, 0.235), (x, 0.255), (x + 0.038, 0.235)], INK, 0.018, smooth=True)
        else:
            eye(brush, x, 0.24, 0.034)
        brush.line([(x + side * 0.025, 0.22), (x + side * 0.055, 0.205)], INK, 0.014)
        brush.oval(x + side * 0.015, 0.3, 0.025, 0.017, (236, 130, 120), False)
    if sung:
        brush.oval(0.5, 0.35, 0.04, 0.022 + 0.034 * sung, lips, False)
        brush.oval(0.5, 0.352, 0.026, 0.012 + 0.03 * sung, (90, 16, 34), False)
    else:
        brush.blob([(0.455, 0.345), (0.5, 0.35), (0.545, 0.345), (0.5, 0.372)], lips, False)


def baby(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    skin = pick(rng, *SKINS)
    suit = pick(rng, (160, 208, 240), (250, 190, 204), (250, 230, 140), (176, 226, 176), (206, 188, 240))
    hair = pick(rng, (90, 60, 40), (226, 186, 110), (40, 32, 32))
    dotted, nappy, bow = rng.random() < 0.5, rng.random() < 0.4, rng.random() < 0.4
    ribbon = pick(rng, (230, 70, 110), (90, 120, 220), (246, 200, 70))
    dummy = pick(rng, (70, 150, 220), (236, 96, 110), (250, 200, 60))
    top = skin if nappy else suit
    kick = 0 if beat is None else 0.03 * sin(2 * pi * beat)
    for side in (-1, 1):
        up = 0 if beat is None else 0.16 + 0.07 * sin(2 * pi * beat + side)
        fist = (0.5 + side * (0.3 + 0.55 * up), 0.8 - 1.1 * up)
        edged(brush, [(0.5 + side * 0.14, 0.66), (0.5 + side * 0.26, 0.7 - 0.4 * up), fist], top, 0.135, 0.112)
        brush.oval(*fist, 0.062, 0.058, skin)
    brush.blob(
        [(0.4, 0.58), (0.6, 0.58), (0.71, 0.74), (0.73, 0.9), (0.62, 0.965), (0.38, 0.965), (0.27, 0.9), (0.29, 0.74)],
        top,
    )
    if nappy:
        brush.oval(0.5, 0.75, 0.016, 0.014, shade(skin, 0.6), False)
        brush.blob([(0.27, 0.77), (0.5, 0.8), (0.73, 0.77), (0.73, 0.93), (0.5, 0.97), (0.27, 0.93)], WHITE)
    elif dotted:
        for x, y in ((0.4, 0.72), (0.5, 0.79), (0.6, 0.72), (0.4, 0.86), (0.6, 0.86)):
            brush.oval(x, y, 0.024, 0.024, WHITE, False)
    for side in (-1, 1):
        foot = (0.5 + side * 0.36, 0.885 - side * kick)
        edged(brush, [(0.5 + side * 0.17, 0.9), foot], top, 0.165, 0.14, smooth=False)
        brush.oval(*foot, 0.075, 0.088, skin)
        brush.oval(foot[0], foot[1] + 0.02, 0.036, 0.04, shade(skin, 0.85), False)
    with brush.turned(0 if beat is None else 5 * sin(2 * pi * beat), 0.5, 0.62):
        for side in (-1, 1):
            brush.oval(0.5 + side * 0.305, 0.37, 0.055, 0.065, skin)
        right = [(0.7, 0.13), (0.795, 0.33), (0.78, 0.5), (0.66, 0.61)]
        left = [(0.34, 0.61), (0.22, 0.5), (0.205, 0.33), (0.3, 0.13)]
        brush.blob([(0.5, 0.06), *right, (0.5, 0.635), *left], skin)
        for bend in (-0.06, 0.02, 0.08):
            brush.line([(0.5, 0.09), (0.5 + bend, 0.03), (0.51 + 1.6 * bend, 0.06)], hair, 0.026, smooth=True)
        if bow:
            for side in (-1, 1):
                brush.blob([(0.5, 0.1), (0.5 + side * 0.1, 0.04), (0.5 + side * 0.1, 0.15)], ribbon)
            brush.oval(0.5, 0.1, 0.03, 0.03, shade(ribbon, 0.8))
        _baby_face(brush, beat, skin, dummy)


def _baby_face(brush: Brush, beat: float | None, skin: Colour, dummy: Colour) -> None:
    for side in (-1, 1):
        x = 0.5 + side * 0.125
        brush.oval(x + side * 0.06, 0.45, 0.055, 0.04, (240, 130, 120), False)
        if beat is None:
            eye(brush, x, 0.33, 0.06)
            brush.line([(x - 0.035, 0.225), (x + 0.035, 0.225)], shade(skin, 0.6), 0.018)
        else:
            brush.line([(x + side * 0.06, 0.29), (x - side * 0.055, 0.335), (x + side * 0.06, 0.375)], INK, 0.024)
            brush.line([(x + side * 0.07, 0.235), (x - side * 0.05, 0.21)], shade(skin, 0.6), 0.024)
            drop = (beat + (0.5 if side > 0 else 0)) % 1
            stream = [(x + side * 0.07, 0.37), (x + side * 0.12, 0.47), (x + side * 0.11, 0.57)]
            brush.line(stream, (110, 190, 250), 0.05, smooth=True)
            tear = np.array([(0, -0.065), (0.035, 0.01), (0, 0.045), (-0.035, 0.01)])
            brush.blob(tear + (x + side * (0.2 + 0.12 * drop), 0.34 + 0.3 * drop**2), (120, 200, 255))
    brush.oval(0.5, 0.42, 0.03, 0.022, shade(skin, 0.82), False)
    if beat is None:
        brush.oval(0.5, 0.52, 0.085, 0.055, dummy)
        brush.oval(0.5, 0.52, 0.04, 0.036, WHITE)
    else:
        wail = 0.3 + 0.7 * sin(pi * (beat % 1) ** 0.7)
        brush.oval(0.5, 0.52, 0.075 + 0.045 * wail, 0.03 + 0.062 * wail, (130, 24, 40))
        brush.oval(0.5, 0.535 + 0.035 * wail, 0.055 + 0.02 * wail, 0.012 + 0.025 * wail, (240, 110, 120), False)


def girl(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    skin = pick(rng, *SKINS)
    hair = pick(rng, (196, 86, 40), (238, 192, 90), (96, 56, 34), (36, 28, 32))
    blouse = pick(rng, (250, 220, 90), (240, 240, 236), (140, 214, 190), (250, 150, 120))
    skirt = pick(rng, (214, 50, 70), (70, 90, 200), (230, 110, 180), (60, 150, 90))
    bow = pick(rng, (230, 50, 90), (60, 150, 230), (250, 200, 60))
    freckles, braids, gap = rng.random() < 0.5, rng.random() < 0.5, rng.random() < 0.5
    socks = pick(rng, (250, 248, 242), (250, 200, 80), (120, 190, 230))
    hop = 0 if beat is None else 0.085 * sin(pi * (beat % 1))
    fly = 0 if beat is None else 10 + 180 * hop
    y = 0.04 if beat is None else 0.08 - hop
    down = np.array([0, y])
    for side in (-1, 1):
        x = 0.5 + side * 0.075
        ankle = (x + side * 0.7 * hop, 0.93 - 0.75 * hop)
        edged(brush, [(x, 0.74 + y), ankle], skin, 0.076, 0.056, smooth=False)
        brush.line([(ankle[0], ankle[1] - 0.055), ankle], socks, 0.062)
        brush.oval(ankle[0] + side * 0.012, ankle[1] + 0.018, 0.062, 0.032, shade(bow, 0.7))
        fist = (0.5 + side * 0.27, 0.7 + y) if beat is None else (0.5 + side * (0.33 + 0.6 * hop), 0.46 + y - 1.2 * hop)
        edged(brush, [(0.5 + side * 0.11, 0.52 + y), (0.5 + side * 0.21, 0.6 + y), fist], skin, 0.08, 0.06)
        brush.oval(*fist, 0.042, 0.042, skin)
        with brush.turned(-side * fly, 0.5 + side * 0.2, 0.15 + y):
            if braids:
                for step in range(4):
                    x = 0.5 + side * (0.29 + 0.025 * step)
                    brush.oval(x, 0.17 + 0.075 * step + y, 0.058 - 0.006 * step, 0.05, hair)
            else:
                tail = np.array([(0.2, 0.12), (0.32, 0.09), (0.41, 0.2), (0.4, 0.38), (0.35, 0.44), (0.31, 0.3)])
                brush.blob(tail * (side, 1) + (0.5, y), hair)
    brush.blob(down + [(0.42, 0.46), (0.58, 0.46), (0.65, 0.52), (0.6, 0.66), (0.4, 0.66), (0.35, 0.52)], blouse)
    flare, hem = 0.03 + 0.5 * hop, 0.8 + y - hop
    low = [(0.73 + flare, hem), (0.61, 0.83 + y), (0.5, 0.81 + y), (0.39, 0.83 + y), (0.27 - flare, hem)]
    brush.shape([(0.4, 0.62 + y), (0.6, 0.62 + y), *low], skirt)
    for x in (0.44, 0.56):
        brush.line([(0.5 + 0.6 * (x - 0.5), 0.65 + y), (x, 0.8 + y)], shade(skirt, 0.7), 0.014)
    with brush.turned(0 if beat is None else 6 * sin(pi * beat), 0.5, 0.45):
        brush.oval(0.5, 0.2 + y, 0.215, 0.205, hair)
        right, left = [(0.63, 0.08), (0.695, 0.24), (0.64, 0.4)], [(0.36, 0.4), (0.305, 0.24), (0.37, 0.08)]
        brush.blob(down + [(0.5, 0.04), *right, (0.5, 0.455), *left], skin)
        crown = [(0.29, 0.22), (0.34, 0.05), (0.5, 0), (0.66, 0.05), (0.71, 0.22)]
        brush.blob(down + [*crown, (0.6, 0.13), (0.5, 0.08), (0.4, 0.13)], hair)
        for side in (-1, 1):
            x = 0.5 + side * 0.095
            brush.blob(np.array([(0.21, 0.11), (0.27, 0.06), (0.28, 0.17)]) * (side, 1) + (0.5, y), bow)
            if beat is None:
                eye(brush, x, 0.24 + y, 0.042)
            else:
                brush.line([(x - 0.045, 0.255 + y), (x, 0.215 + y), (x + 0.045, 0.255 + y)], INK, 0.022, smooth=True)
            brush.oval(x + side * 0.035, 0.31 + y, 0.036, 0.024, (242, 130, 130), False)
            if freckles:
                for dx in (-0.02, 0.015):
                    brush.oval(x + dx, 0.29 + y, 0.007, 0.007, shade(skin, 0.65), False)
        _girl_mouth(brush, beat, y, gap)


def _girl_mouth(brush: Brush, beat: float | None, y: float, gap: bool) -> None:
    if beat is None:
        brush.line([(0.435, 0.34 + y), (0.5, 0.375 + y), (0.565, 0.34 + y)], (160, 50, 60), 0.018, smooth=True)
        return
    low = 0.35 + 0.085 * max(0.35, 1 - 1.1 * (beat % 1)) + y
    upper = [(0.4, 0.325 + y), (0.5, 0.33 + y), (0.6, 0.325 + y)]
    brush.blob([*upper, (0.57, low - 0.02), (0.5, low), (0.43, low - 0.02)], (130, 24, 40))
    brush.box(0.435, 0.333 + y, 0.565, 0.355 + y, WHITE, False)
    if gap:
        brush.box(0.49, 0.333 + y, 0.512, 0.355 + y, (130, 24, 40), False)
    brush.oval(0.5, low - 0.022, 0.045, 0.018, (240, 110, 120), False)
