"""The twelve actors: how each looks, and how it moves while it sounds.

An actor is drawn in a unit square (x to the right, y down, feet at y = 0.98)
with flat shapes. The generator decides colours, proportions and small parts and
must be drawn from alike in every pose; `beat` is where in a pair of beats (0 to
2) a sounding actor is, None when it is silent. Whole beats are when it strikes.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, sin

import numpy as np
from PIL import Image

from .brush import CIRCLE, INK, WHITE, Brush, Colour, finished, shade

POSES = 16  # drawn moments in a pair of beats

def pick(rng: np.random.Generator, *colours: Colour) -> Colour:
    """One of the colours, a little off."""
    chosen = np.array(colours[rng.integers(len(colours))]) + rng.integers(-12, 13, 3)
    return tuple(int(c) for c in np.clip(chosen, 0, 255))


Draw = Callable[[Brush, np.random.Generator, "float | None"], None]


@dataclass(frozen=True)
class Actor:
    name: str  # the object: "dog"
    label: str  # the event: "dog barking"
    group: str  # "music", "animal", "person" or "thing"
    draw: Draw


ACTORS: dict[str, Actor] = {}


def _actor(name: str, label: str, group: str) -> Callable[[Draw], Draw]:
    def register(draw: Draw) -> Draw:
        ACTORS[name] = Actor(name, label, group, draw)
        return draw

    return register


@lru_cache(maxsize=384)
def sprite(actor: str, variation: int, pose: int | None, width: int, height: int) -> Image.Image:
    """The actor as an RGBA picture of this size; odd variations look the other way.

    `pose` counts the moments of two beats (0 to POSES - 1); None is the silent pose.
    """
    finer = 3 if height < 260 else 2
    brush = Brush(width * finer, height * finer)
    beat = None if pose is None else 2 * pose / POSES
    ACTORS[actor].draw(brush, np.random.default_rng(variation), beat)
    image = finished(brush, width, height)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if variation % 2 else image


def _eye(brush: Brush, x: float, y: float, r: float, iris: Colour = INK) -> None:
    brush.oval(x, y, r, r * 1.1, WHITE)
    brush.oval(x + r * 0.15, y + r * 0.1, r * 0.62, r * 0.7, iris, False)
    brush.oval(x + r * 0.35, y - r * 0.2, r * 0.25, r * 0.25, WHITE, False)


def _hand(brush: Brush, x: float, y: float, skin: Colour, sleeve: Colour, elbow: tuple[float, float]) -> None:
    brush.line([elbow, (x, y)], shade(sleeve, 0.6), 0.105)
    brush.line([elbow, (x, y)], sleeve, 0.085)
    brush.oval(x, y, 0.058, 0.052, skin)


_SKINS: tuple[Colour, ...] = ((246, 208, 178), (226, 172, 132), (176, 118, 82), (120, 78, 54))
_CLOTHES: tuple[Colour, ...] = ((58, 110, 185), (196, 62, 60), (52, 140, 96), (236, 176, 60), (122, 84, 160),
    (70, 76, 92))


@_actor("guitar", "guitar playing", "music")
def _guitar(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    wood = pick(rng, (226, 150, 66), (196, 104, 44), (240, 190, 110), (176, 60, 48), (60, 110, 150))
    wide = rng.uniform(0.92, 1.1)
    skin, sleeve = pick(rng, *_SKINS), pick(rng, *_CLOTHES)
    lean = rng.uniform(12, 26)
    dark = (72, 44, 30)
    with brush.turned(lean, 0.5, 0.7):
        outline = [(0.5, 0.43), (0.62, 0.44), (0.665, 0.52), (0.635, 0.6), (0.7, 0.69), (0.72, 0.8), (0.65, 0.92),
            (0.5, 0.955)]
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
        _hand(brush, 0.56, y, skin, sleeve, (0.93, 0.8))
        brush.shape([(0.51, y), (0.545, y - 0.02), (0.545, y + 0.03)], (235, 60, 60), False)


@_actor("violin", "violin playing", "music")
def _violin(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    wood = pick(rng, (150, 62, 30), (176, 84, 34), (124, 44, 32), (190, 104, 48))
    lean = rng.uniform(-34, -24)
    rest = pick(rng, (40, 34, 36), (60, 40, 30))
    with brush.turned(lean, 0.5, 0.66):
        right = [(0.5, 0.45), (0.6, 0.465), (0.65, 0.53), (0.635, 0.59), (0.592, 0.63), (0.592, 0.69), (0.65, 0.735),
                 (0.685, 0.82), (0.63, 0.92), (0.5, 0.945)]
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


@_actor("drum", "drum playing", "music")
def _drum(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
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
        arc = np.stack([0.5 + 0.385 * np.cos(np.linspace(0, pi, 20)), y + 0.095 * np.sin(np.linspace(0, pi, 20))],
            axis=1)
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


@_actor("piano", "piano playing", "music")
def _piano(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    wood = pick(rng, (44, 40, 48), (120, 66, 38), (92, 40, 36), (228, 224, 214))
    skin, sleeve = pick(rng, *_SKINS), pick(rng, *_CLOTHES)
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
            _hand(brush, x, y, skin, sleeve, (x + (0.08 if x > 0.5 else -0.08), 0.9))


@_actor("trumpet", "trumpet playing", "music")
def _trumpet(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
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
        brush.blob([(0.66, 0.415), (0.78, 0.4), (0.87, 0.35), (0.945, 0.24), (0.965, 0.24), (0.965, 0.64),
            (0.945, 0.64),
                    (0.87, 0.53), (0.78, 0.48), (0.66, 0.465)], brass)
        brush.oval(0.957, 0.44, 0.035, 0.205, shade(brass, 0.72))
        for k, x in enumerate((0.39, 0.48, 0.57)):
            press = 0 if beat is None else 0.05 * ((int(beat * 2) + k) % 3 == 0)
            brush.box(x - 0.033, 0.37, x + 0.033, 0.66, brass, round=0.02)
            brush.line([(x - 0.014, 0.4), (x - 0.014, 0.63)], light, 0.014)
            brush.line([(x, 0.36), (x, 0.3 + press)], dark, 0.024)
            brush.oval(x, 0.285 + press, 0.034, 0.022, WHITE)
    if beat is not None:
        for k, (x, y) in enumerate(((0.56, 0.08), (0.72, 0.04))):
            _note(brush, x + 0.02 * sin(2 * pi * (beat + k / 2)), y + 0.03 * cos(2 * pi * (beat + k / 2)),
                (255, 226, 90))


def _note(brush: Brush, x: float, y: float, colour: Colour) -> None:
    brush.line([(x + 0.03, y + 0.07), (x + 0.03, y - 0.03), (x + 0.075, y + 0.0)], colour, 0.018)
    brush.oval(x, y + 0.075, 0.038, 0.03, colour)


@_actor("dog", "dog barking", "animal")
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
        _eye(brush, 0.57, 0.21, 0.042)
        flap = 0.05 * opening
        brush.blob([(0.36, 0.13), (0.45, 0.12), (0.46, 0.3), (0.36 - flap, 0.46), (0.25 - flap, 0.42), (0.27, 0.24)],
            ear)


@_actor("cat", "cat meowing", "animal")
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


@_actor("bird", "bird singing", "animal")
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
        _eye(brush, 0.635, 0.235, 0.046)
    with brush.turned(26 * max(flap, 0) + 8 * min(flap, 0), 0.5, 0.48):
        brush.blob([(0.52, 0.44), (0.56, 0.56), (0.44, 0.7), (0.2, 0.76), (0.14, 0.7), (0.26, 0.62), (0.36, 0.48)],
            shade(coat, 0.68))
        brush.line([(0.2, 0.72), (0.36, 0.66), (0.48, 0.56)], shade(coat, 0.5), 0.014, smooth=True)
    if beat is not None:
        _note(brush, 0.87 + 0.02 * flap, 0.06 + 0.02 * flap, (255, 255, 255))


@_actor("car", "car engine running", "thing")
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


@_actor("bell", "bell ringing", "thing")
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


@_actor("man", "man speaking", "person")
def _man(brush: Brush, rng: np.random.Generator, beat: float | None) -> None:
    skin, shirt = pick(rng, *_SKINS), pick(rng, *_CLOTHES)
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
        _eye(brush, 0.5 + side * 0.085, 0.235 + y, 0.036)
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


@_actor("alarm clock", "alarm clock ringing", "thing")
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
