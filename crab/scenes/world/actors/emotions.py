"""Faces that feel something, in the seven words that the emotion data sets share.

One bust for all of them: `LOOKS` says what each emotion does to it. Hair, clothes and skin say nothing about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

from ..brush import CIRCLE, INK, WHITE, Brush, Colour, shade
from .common import CLOTHES, SKINS, pick

MOUTH, LIPS, TONGUE = (112, 22, 38), (124, 32, 42), (238, 106, 122)
TEAR = (120, 200, 255)
SIDES = np.array([(-1, 1), (1, 1)])
DROP = np.array([(0, -0.07), (0.036, 0.01), (0, 0.045), (-0.036, 0.01)])
CURLS = np.array(
    [(-0.29, -0.16), (-0.23, -0.27), (-0.12, -0.34), (0, -0.36), (0.12, -0.34), (0.23, -0.27), (0.29, -0.16)]
)

Tell = Callable[[Brush, np.ndarray, Colour, float], None]


@dataclass(frozen=True)
class Look:
    """Lengths in face widths of one; heights above what they belong to are positive."""

    brow: tuple[float, float] = (0.115, 0.115)  # its inner and its outer end above the eye
    eye: float = 0.078  # half its height; 0: shut and smiling
    iris: float = 0.04
    lid: tuple[float, float] = (0.6, 0.0)  # where the upper lid ends (1: above the eye), and how much higher outwards
    under: float = -1.0  # where the lower lid ends (-1: below the eye)
    mouth: tuple[float, float] = (0.12, 0.0)  # half its width, how high its corners are
    opening: tuple[float, float, float] = (0.0, 0.022, 0.06)  # half the mouth's height: silent, least and most speaking
    square: float = 2.0  # 2: a round mouth; larger: a square one
    wave: float = 0.0
    clenched: bool = False
    tint: tuple[Colour, float] = ((255, 255, 255), 0.0)  # mixed into the skin
    shoulders: float = 0.0  # how far they are raised
    swing: tuple[float, float, float] = (0.0, 0.012, 1.0)  # how far the head moves sideways and down; times a beat
    lean: float = 0.0  # degrees that the head turns on the beat
    tells: tuple[Tell, ...] = ()


def _blush(brush: Brush, face: np.ndarray, skin: Colour, beat: float) -> None:
    for side in SIDES:
        brush.oval(*(face + side * (0.2, 0.1)), 0.065, 0.042, (244, 120, 120), False)


def _tears(brush: Brush, face: np.ndarray, skin: Colour, beat: float) -> None:
    for side, late in zip(SIDES, (0, 0.5)):
        fall = (beat / 2 + late) % 1
        brush.line([face + side * (0.15, 0.03), face + side * (0.185, 0.12 + 0.18 * fall)], TEAR, 0.034)
        brush.blob(DROP + face + side * (0.19, 0.14 + 0.2 * fall), TEAR)


def _sweat(brush: Brush, face: np.ndarray, skin: Colour, beat: float) -> None:
    for side, late in zip(SIDES, (0, 0.5)):
        fall = (beat + late) % 1
        brush.blob(1.1 * DROP + face + side * (0.26, -0.17 + 0.13 * fall), TEAR)
        brush.blob(0.8 * DROP + face + side * (0.4, -0.3 + 0.06 * fall), TEAR)


def _fury(brush: Brush, face: np.ndarray, skin: Colour, beat: float) -> None:
    for x in (-0.03, 0.03):
        brush.line([face + (x, -0.1), face + (0.6 * x, -0.02)], shade(skin, 0.5), 0.018)
    puff = 0.012 * sin(2 * pi * beat)
    for side in SIDES:
        for x, y, r in ((0.4, -0.24, 0.05), (0.43, -0.32, 0.042), (0.37, -0.34, 0.036)):
            brush.oval(*(face + side * (x + puff, y - puff)), r, r, WHITE)


def _start(brush: Brush, face: np.ndarray, skin: Colour, beat: float) -> None:
    far = 0.03 * (1 - beat % 1)
    for side in SIDES:
        for a, b in (((0.36, -0.2), (0.44, -0.3)), ((0.38, -0.1), (0.45, -0.13)), ((0.29, -0.31), (0.34, -0.42))):
            brush.line([face + side * (np.array(a) + far), face + side * (np.array(b) + far)], (255, 226, 90), 0.03)


def _sick(brush: Brush, face: np.ndarray, skin: Colour, beat: float) -> None:
    for y in (0.0, 0.035):
        for side in SIDES:
            brush.line([face + side * (0.015, y), face + side * (0.07, y - 0.035)], shade(skin, 0.5), 0.016)
    long = 0.13 + 0.03 * sin(2 * pi * beat)
    brush.blob(
        [
            face + (-0.055, 0.21),
            face + (0.055, 0.21),
            face + (0.065, 0.2 + 0.6 * long),
            face + (0, 0.22 + long),
            face + (-0.065, 0.2 + 0.6 * long),
        ],
        TONGUE,
    )
    brush.line([face + (0, 0.22), face + (0, 0.17 + long)], shade(TONGUE, 0.7), 0.014)


LOOKS = {
    "neutral": Look(),
    "happy": Look(
        brow=(0.14, 0.13),
        eye=0,
        mouth=(0.17, 0.075),
        opening=(0.032, 0.06, 0.105),
        swing=(0, 0.03, 1),
        lean=5,
        tells=(_blush,),
    ),
    "sad": Look(
        brow=(0.155, 0.06),
        eye=0.06,
        lid=(0.45, -0.9),
        mouth=(0.105, -0.06),
        opening=(0, 0.014, 0.04),
        tint=((120, 150, 200), 0.15),
        shoulders=-0.025,
        swing=(0, 0.035, 0.5),
        lean=-7,
        tells=(_tears,),
    ),
    "angry": Look(
        brow=(0.015, 0.145),
        eye=0.07,
        iris=0.03,
        lid=(0.25, 0.9),
        under=-0.7,
        mouth=(0.14, -0.03),
        opening=(0.04, 0.055, 0.1),
        square=7,
        clenched=True,
        tint=((226, 40, 30), 0.38),
        shoulders=0.02,
        swing=(0.022, 0.008, 2),
        tells=(_fury,),
    ),
    "surprise": Look(
        brow=(0.185, 0.16),
        eye=0.112,
        iris=0.036,
        lid=(1, 0),
        mouth=(0.07, 0),
        opening=(0.05, 0.075, 0.125),
        swing=(0, -0.03, 0.5),
        tells=(_start,),
    ),
    "disgust": Look(
        brow=(0.03, 0.09),
        eye=0.06,
        iris=0.034,
        lid=(0.3, 0.2),
        under=-0.45,
        mouth=(0.14, -0.055),
        opening=(0.016, 0.03, 0.06),
        tint=((110, 170, 60), 0.38),
        swing=(0.02, 0, 0.5),
        lean=8,
        tells=(_sick,),
    ),
    "fear": Look(
        brow=(0.19, 0.09),
        eye=0.1,
        iris=0.02,
        lid=(1, 0),
        mouth=(0.15, -0.015),
        opening=(0.03, 0.042, 0.07),
        square=5,
        wave=0.016,
        clenched=True,
        tint=((150, 180, 236), 0.4),
        shoulders=0.09,
        swing=(0.014, 0.004, 4),
        tells=(_sweat,),
    ),
}


def _eye(brush: Brush, at: np.ndarray, side: float, look: Look, skin: Colour, iris: Colour) -> None:
    if not look.eye:
        brush.line(at + [(-0.08, 0.03), (0, -0.035), (0.08, 0.03)], INK, 0.034, smooth=True)
        return
    white = CIRCLE * (0.076, look.eye)
    brush.shape(white + at, WHITE)
    brush.oval(*at, look.iris, look.iris * 1.1, iris, False)
    brush.oval(*at, look.iris * 0.55, look.iris * 0.6, INK, False)
    brush.oval(*(at + (0.012, -0.014)), 0.012, 0.012, WHITE, False)
    upper, lower = white.copy(), white.copy()
    edge = look.eye * (-look.lid[0] - look.lid[1] * side * white[:, 0] / 0.076)
    upper[:, 1] = np.minimum(white[:, 1], edge)
    lower[:, 1] = np.maximum(white[:, 1], -look.eye * look.under)
    for lid in (upper, lower):
        if np.ptp(lid[:, 1]) > 0.01:
            brush.shape(lid + at, shade(skin, 0.9))


def _mouth(brush: Brush, at: np.ndarray, look: Look, opening: float) -> None:
    wide, lift = look.mouth
    x = np.linspace(-1, 1, 33)
    middle = lift * (0.5 - x**2) + look.wave * np.sin(3.5 * pi * x)
    if not opening:
        brush.line(np.stack([wide * x, middle], 1) + at, LIPS, 0.028)
        return
    half = opening * (1 - np.abs(x) ** look.square) ** (1 / look.square)
    rise = 0.3 * max(lift, 0)  # a smile's upper lip is the flatter one
    upper, lower = middle - half + rise * x**2 * (half > 0), middle + half
    outline = np.concatenate([np.stack([wide * x, upper], 1), np.stack([wide * x, lower], 1)[::-1]]) + at
    brush.shape(outline, WHITE if look.clenched else MOUTH)
    if look.clenched:
        dark = 0.9 * max(opening - look.opening[0], 0.012)
        inside = np.stack([0.86 * wide * x, middle], 1) + at
        brush.line(inside, MOUTH, dark)
        for part in range(4, 32, 6):
            gap = np.array([(wide * x[part], upper[part]), (wide * x[part], lower[part])]) + at
            brush.line(gap, shade(WHITE, 0.6), 0.01)
    elif look.mouth[1] >= 0 and look.mouth[0] > 0.1 and opening > 0.03:
        teeth = [np.stack([wide * x, edge], 1)[5:-5] for edge in (upper, upper + 0.4 * half)]
        brush.shape(np.concatenate([teeth[0], teeth[1][::-1]]) + at, WHITE, False)


@dataclass(frozen=True)
class _Person:
    skin: Colour
    shirt: Colour
    hair: Colour
    iris: Colour
    woman: bool
    glasses: bool
    beard: bool
    style: int  # of the hair, one of three
    collar: int  # 0 white, 1 a scarf, 2 none
    rounder: float
    scarf: Colour


def _person(rng: np.random.Generator, tint: Colour, strength: float) -> _Person:
    plain, shirt = pick(rng, *SKINS), pick(rng, *CLOTHES)
    return _Person(
        tuple(int(a + (b - a) * strength) for a, b in zip(plain, tint)),
        shirt,
        pick(rng, (46, 34, 30), (112, 68, 40), (222, 174, 92), (170, 76, 40), (130, 130, 136), (24, 22, 28)),
        pick(rng, (84, 56, 36), (60, 110, 170), (70, 130, 80)),
        rng.random() < 0.5,
        rng.random() < 0.2,
        rng.random() < 0.35,
        int(rng.integers(3)),
        int(rng.integers(3)),
        rng.uniform(-0.015, 0.015),
        pick(rng, *CLOTHES),
    )


def _mirrored(*half: tuple[float, float]) -> np.ndarray:
    """An outline from its right half, which runs from the axis down to the axis."""
    return np.array([*half, *((-x, y) for x, y in half[-2:0:-1])])


def _hair_behind(brush: Brush, face: np.ndarray, person: _Person) -> None:
    if not person.woman:
        return
    if person.style < 2:
        end = (0.36, 0.42 - 0.16 * person.style)
        outline = _mirrored((0, -0.43), (0.27, -0.36), (0.37, -0.1), (0.39, 0.2), end, (0, 0.34))
        brush.blob(face + outline, person.hair)
    else:
        for side in SIDES:
            brush.oval(*(face + side * (0.26, -0.33)), 0.095, 0.09, person.hair)


def _body(brush: Brush, top: float, person: _Person) -> None:
    left, right = [(0.03, 0.965), (0.13, top + 0.03), (0.3, top)], [(0.7, top), (0.87, top + 0.03), (0.97, 0.965)]
    brush.blob([(0.5, top - 0.03), *right, (0.5, 0.98), *left], person.shirt)
    neck = [(0.39, 0.66), (0.61, 0.66), (0.63, top - 0.005), (0.5, top + 0.08), (0.37, top - 0.005)]
    brush.shape(neck, shade(person.skin, 0.82))
    if person.collar == 0:
        for side in (-1, 1):
            outer = [(0.5 + side * 0.12, top - 0.04), (0.5 + side * 0.2, top + 0.04)]
            brush.shape([*outer, (0.5 + side * 0.09, top + 0.12), (0.5, top + 0.07)], WHITE)
    elif person.collar == 1:
        brush.line([(0.36, top), (0.5, top + 0.07), (0.64, top)], person.scarf, 0.055, smooth=True)


def _head(brush: Brush, face: np.ndarray, person: _Person) -> None:
    for side in SIDES:
        brush.oval(*(face + side * (0.315, 0.02)), 0.045, 0.065, shade(person.skin, 0.93))
    temple, cheek = (0.31 + person.rounder, -0.04), (0.26 + person.rounder, 0.2)
    skull = _mirrored((0, -0.36), (0.23, -0.29), temple, cheek, (0.12, 0.35), (0, 0.38))
    brush.blob(face + skull, person.skin)
    if person.beard and not person.woman:
        edge = [(-0.31, 0.02), (-0.24, 0.14), (-0.2, 0.25), (0, 0.28), (0.2, 0.25), (0.24, 0.14), (0.31, 0.02)]
        chin = [(0.28, 0.25), (0.14, 0.39), (0, 0.41), (-0.14, 0.39), (-0.28, 0.25)]
        brush.blob(face + [*edge, *chin], person.hair)


def _hair(brush: Brush, face: np.ndarray, person: _Person) -> None:
    if person.woman:
        crown = [(-0.33, 0.02), (-0.31, -0.27), (0, -0.43), (0.31, -0.27), (0.33, 0.02)]
        parting = [(0.27, -0.16), (0.1, -0.28), (-0.16, -0.24), (-0.27, -0.14)]
        brush.blob(face + [*crown, *parting], person.hair)
    elif person.style == 0:
        crown = [(-0.325, -0.02), (-0.31, -0.28), (0, -0.43), (0.31, -0.28), (0.325, -0.02)]
        brush.blob(face + [*crown, (0.27, -0.2), (0, -0.25), (-0.27, -0.2)], person.hair)
    elif person.style == 1:
        for at in face + CURLS:
            brush.oval(*at, 0.085, 0.075, person.hair)
    else:
        for side in SIDES:
            brush.blob(face + side * [(0.27, -0.16), (0.33, -0.12), (0.34, 0.0), (0.3, 0.02)], person.hair)


def _eyes(brush: Brush, face: np.ndarray, person: _Person, look: Look) -> None:
    inner, outer = look.brow
    for side in SIDES:
        at = face + side * (0.135, -0.03)
        _eye(brush, at, side[0], look, person.skin, person.iris)
        if person.woman and look.eye:
            brush.line([at + side * (0.07, -0.02), at + side * (0.11, -0.05)], INK, 0.018)
        if person.glasses:
            brush.line(CIRCLE * (0.115, 0.105) + at, (70, 70, 84), 0.016)
        middle = at + side * (0.01, -0.012) - (0, (inner + outer) / 2)
        brow = [at - side * (0.085, inner), middle, at + side * (0.1, 0) - (0, outer)]
        brush.line(brow, shade(person.hair, 0.4), 0.038, smooth=True)


def bust(brush: Brush, rng: np.random.Generator, beat: float | None, *, look: Look) -> None:
    person = _person(rng, *look.tint)
    aside, down, times = look.swing
    turn = 0 if beat is None else cos(2 * pi * times * beat)
    face = np.array([0.5 + aside * turn, 0.45 + down * (0 if beat is None else (1 - turn) / 2)])
    silent, least, most = look.opening
    opening = silent if beat is None else least + (most - least) * sin(pi * (beat % 1) ** 0.8)
    top = 0.83 - look.shoulders - 0.3 * down * turn
    lean = 0 if beat is None else look.lean * sin(pi * beat)

    with brush.turned(lean, 0.5, 0.8):
        _hair_behind(brush, face, person)
    _body(brush, top, person)
    with brush.turned(lean, 0.5, 0.8):
        _head(brush, face, person)
        _hair(brush, face, person)
        brush.blob(face + [(-0.015, 0.02), (0.035, 0.1), (0, 0.12), (-0.045, 0.1)], shade(person.skin, 0.78), False)
        _mouth(brush, face + (0, 0.215), look, opening)
        _eyes(brush, face, person, look)
        for tell in look.tells:
            tell(brush, face, person.skin, beat or 0)
