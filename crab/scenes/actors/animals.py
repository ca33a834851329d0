"""Animals. How they are drawn is told in `common`."""
from __future__ import annotations

from math import cos, pi, sin

import numpy as np

from ..brush import INK, WHITE, Brush, shade
from .common import Actor, eye, note, pick


def _dog(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    fur = pick(rng, (178, 116, 62), (224, 178, 110), (92, 66, 52), (236, 228, 214), (70, 70, 78))
    ear = shade(fur, 0.6) if rng.random() < 0.7 else shade(fur, 0.8)
    belly = shade(fur, 1.45)
    collar = pick(rng, (214, 50, 54), (46, 110, 200), (40, 150, 90))
    patch = rng.random() < 0.4
    wag = 0 if beat is None else 14 * sin(2 * pi * beat)
    opening = 0 if beat is None else max(0.3, 1 - 1.5 * (beat % 1))
    with brush.turned(wag, 0.2, 0.86):
        brush.line([(0.22, 0.88), (0.08, 0.78), (0.07, 0.62)], shade(fur, 0.55), 0.085, smooth=True)
        brush.line([(0.22, 0.88), (0.08, 0.78), (0.07, 0.62)], fur, 0.065, smooth=True)
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
            brush.blob([(0.56, 0.36), (0.9, 0.37 + 0.02 * opening), (0.84, 0.42 + 0.1 * opening),
                (0.6, 0.47 + 0.04 * opening)], (150, 36, 46))
            brush.blob([(0.62, 0.41), (0.8, 0.41 + 0.06 * opening), (0.72, 0.45 + 0.06 * opening)], (240, 120, 130),
                False)
            brush.blob([(0.55, 0.44), (0.7, 0.45 + 0.06 * opening), (0.85, 0.4 + 0.1 * opening),
                (0.82, 0.45 + 0.11 * opening), (0.62, 0.52 + 0.03 * opening)], fur)
        brush.oval(0.48, 0.28, 0.2, 0.2, fur)
        if patch:
            brush.oval(0.56, 0.22, 0.085, 0.085, ear, False)
        brush.blob([(0.54, 0.27), (0.74, 0.26), (0.92, 0.29), (0.93, 0.36), (0.78, 0.41), (0.56, 0.42)], belly)
        brush.blob([(0.84, 0.25), (0.93, 0.25), (0.95, 0.3), (0.89, 0.33), (0.84, 0.3)], INK, False)
        eye(brush, 0.57, 0.21, 0.042)
        flap = 0.05 * opening
        brush.blob([(0.36, 0.13), (0.45, 0.12), (0.46, 0.3), (0.36 - flap, 0.46), (0.25 - flap, 0.42), (0.27, 0.24)],
            ear)


def _cat(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    fur = pick(rng, (240, 158, 74), (130, 134, 144), (60, 58, 66), (244, 236, 222), (196, 160, 120))
    stripe = shade(fur, 0.68)
    iris = pick(rng, (90, 180, 80), (226, 180, 50), (80, 150, 220))
    striped = rng.random() < 0.65
    light = shade(fur, 1.55)
    sway = 0 if beat is None else 0.04 * sin(pi * beat)
    tail = [(0.66, 0.9), (0.88, 0.9), (0.93, 0.72), (0.84 + sway, 0.6), (0.88 + sway, 0.5)]
    brush.line(tail, shade(fur, 0.55), 0.1, smooth=True)
    brush.line(tail, fur, 0.078, smooth=True)
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
    brush.blob([(0.5, 0.13), (0.7, 0.18), (0.8, 0.36), (0.7, 0.53), (0.5, 0.57), (0.3, 0.53), (0.2, 0.36),
        (0.3, 0.18)], fur)
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


def _bird(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
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
    brush.blob([(0.5, 0.2), (0.66, 0.28), (0.72, 0.5), (0.62, 0.74), (0.44, 0.83), (0.26, 0.74), (0.22, 0.56),
        (0.36, 0.34)], coat)
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
        brush.blob([(0.52, 0.44), (0.56, 0.56), (0.44, 0.7), (0.2, 0.76), (0.14, 0.7), (0.26, 0.62), (0.36, 0.48)],
            shade(coat, 0.68))
        brush.line([(0.2, 0.72), (0.36, 0.66), (0.48, 0.56)], shade(coat, 0.5), 0.014, smooth=True)
    if beat is not None:
        note(brush, 0.87 + 0.02 * flap, 0.06 + 0.02 * flap, (255, 255, 255))


ACTORS = (
    Actor("dog", "dog barking", "animal", _dog),
    Actor("cat", "cat meowing", "animal", _cat),
    Actor("bird", "bird singing", "animal", _bird),
)
