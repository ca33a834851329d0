"""Who can be in a scene: an entry an actor, with how it looks, how it sounds and what that is called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from PIL import Image

from . import actors, sounds
from .actors.common import Draw
from .brush import Brush, finished
from .sounds.synth import SAMPLE_RATE, Voice

POSES = 16  # drawn moments in a pair of beats


@dataclass(frozen=True)
class Actor:
    name: str  # the object: "dog"
    label: str  # the event: "dog barking"
    group: str  # "instrument", "animal", "vehicle", "person" or "household"; "action" or "emotion"
    draw: Draw
    tempo: tuple[float, float]  # beats a second, from and to
    voice: Voice


_CAST = (
    Actor("guitar", "guitar playing", "instrument", actors.instruments.guitar, (1.6, 3.0), sounds.instruments.guitar),
    Actor("violin", "violin playing", "instrument", actors.instruments.violin, (0.9, 1.8), sounds.instruments.violin),
    Actor("drum", "drum playing", "instrument", actors.instruments.drum, (2.4, 5.0), sounds.instruments.drum),
    Actor("piano", "piano playing", "instrument", actors.instruments.piano, (2.6, 4.6), sounds.instruments.piano),
    Actor(
        "trumpet", "trumpet playing", "instrument", actors.instruments.trumpet, (1.6, 3.0), sounds.instruments.trumpet
    ),
    Actor("flute", "flute playing", "instrument", actors.instruments.flute, (1.4, 3.0), sounds.instruments.flute),
    Actor("harp", "harp playing", "instrument", actors.instruments.harp, (1.5, 2.4), sounds.instruments.harp),
    Actor(
        "xylophone",
        "xylophone playing",
        "instrument",
        actors.instruments.xylophone,
        (3.2, 5.0),
        sounds.instruments.xylophone,
    ),
    Actor("dog", "dog barking", "animal", actors.animals.dog, (1.2, 2.4), sounds.animals.dog),
    Actor("cat", "cat meowing", "animal", actors.animals.cat, (0.7, 1.1), sounds.animals.cat),
    Actor("bird", "bird singing", "animal", actors.animals.bird, (1.4, 2.6), sounds.animals.bird),
    Actor("cow", "cow mooing", "animal", actors.animals.cow, (0.5, 0.75), sounds.animals.cow),
    Actor("duck", "duck quacking", "animal", actors.animals.duck, (2.2, 3.4), sounds.animals.duck),
    Actor("frog", "frog croaking", "animal", actors.animals.frog, (1.3, 2.2), sounds.animals.frog),
    Actor("lion", "lion roaring", "animal", actors.animals.lion, (0.5, 0.8), sounds.animals.lion),
    Actor("car", "car engine running", "vehicle", actors.vehicles.car, (3.0, 5.0), sounds.vehicles.car),
    Actor("train", "train whistling", "vehicle", actors.vehicles.train, (1.0, 1.7), sounds.vehicles.train),
    Actor(
        "motorcycle",
        "motorcycle revving",
        "vehicle",
        actors.vehicles.motorcycle,
        (0.7, 1.2),
        sounds.vehicles.motorcycle,
    ),
    Actor(
        "helicopter", "helicopter flying", "vehicle", actors.vehicles.helicopter, (4.0, 6.5), sounds.vehicles.helicopter
    ),
    Actor("ambulance", "ambulance siren", "vehicle", actors.vehicles.ambulance, (1.1, 2.0), sounds.vehicles.ambulance),
    Actor("boat", "boat horn blowing", "vehicle", actors.vehicles.boat, (0.4, 0.6), sounds.vehicles.boat),
    Actor("man", "man speaking", "person", actors.people.man, (3.2, 4.8), sounds.people.man),
    Actor("woman", "woman singing", "person", actors.people.woman, (1.6, 2.4), sounds.people.woman),
    Actor("baby", "baby crying", "person", actors.people.baby, (0.8, 1.1), sounds.people.baby),
    Actor("girl", "girl laughing", "person", actors.people.girl, (4.2, 5.8), sounds.people.girl),
    Actor("bell", "bell ringing", "household", actors.household.bell, (0.8, 1.4), sounds.household.bell),
    Actor(
        "alarm clock", "alarm clock ringing", "household", actors.household.clock, (1.4, 2.4), sounds.household.clock
    ),
    Actor(
        "telephone",
        "telephone ringing",
        "household",
        actors.household.telephone,
        (1.05, 1.6),
        sounds.household.telephone,
    ),
    Actor("kettle", "kettle whistling", "household", actors.household.kettle, (1.4, 2.6), sounds.household.kettle),
    Actor(
        "vacuum cleaner",
        "vacuum cleaner running",
        "household",
        actors.household.vacuum,
        (0.9, 1.6),
        sounds.household.vacuum,
    ),
    Actor("blender", "blender running", "household", actors.household.blender, (0.9, 1.6), sounds.household.blender),
    Actor(
        "washing machine",
        "washing machine running",
        "household",
        actors.household.washer,
        (1.0, 1.7),
        sounds.household.washer,
    ),
    Actor("clapping", "clapping", "action", actors.actions.clapping, (2.6, 4.0), sounds.actions.clapping),
    Actor("hammering", "hammering", "action", actors.actions.hammering, (2.0, 3.0), sounds.actions.hammering),
    Actor("bouncing ball", "bouncing ball", "action", actors.actions.ball, (1.6, 2.4), sounds.actions.ball),
    Actor("typing", "typing", "action", actors.actions.typing, (3.2, 4.4), sounds.actions.typing),
    Actor("sawing", "sawing", "action", actors.actions.sawing, (2.0, 3.0), sounds.actions.sawing),
    Actor("sweeping", "sweeping", "action", actors.actions.sweeping, (1.2, 1.8), sounds.actions.sweeping),
    Actor("chopping", "chopping", "action", actors.actions.chopping, (3.2, 4.6), sounds.actions.chopping),
    Actor(
        "knocking on door", "knocking on door", "action", actors.actions.knocking, (3.0, 3.8), sounds.actions.knocking
    ),
    Actor("skipping rope", "skipping rope", "action", actors.actions.skipping, (1.8, 2.6), sounds.actions.skipping),
    Actor("brushing teeth", "brushing teeth", "action", actors.actions.teeth, (3.6, 5.0), sounds.actions.teeth),
    Actor("pouring water", "pouring water", "action", actors.actions.pouring, (1.2, 2.0), sounds.actions.pouring),
    Actor("blowing whistle", "blowing whistle", "action", actors.actions.whistle, (1.0, 1.8), sounds.actions.whistle),
    Actor("digging", "digging", "action", actors.actions.digging, (0.9, 1.3), sounds.actions.digging),
    Actor("marching", "marching", "action", actors.actions.marching, (2.0, 2.6), sounds.actions.marching),
    *(
        Actor(
            name,
            name,
            "emotion",
            partial(actors.emotions.bust, look=look),
            sounds.emotions.MANNERS[name].tempo,
            partial(sounds.emotions.speech, manner=sounds.emotions.MANNERS[name]),
        )
        for name, look in actors.emotions.LOOKS.items()
    ),
)

ACTORS: dict[str, Actor] = {actor.name: actor for actor in _CAST}
OBJECTS = tuple(name for name, actor in ACTORS.items() if actor.group not in ("action", "emotion"))
ACTIONS = tuple(name for name, actor in ACTORS.items() if actor.group == "action")
EMOTIONS = tuple(name for name, actor in ACTORS.items() if actor.group == "emotion")


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


def tempo(actor: str, rng: np.random.Generator) -> float:
    """Beats a second of this actor: the first thing drawn from `rng`, so that with one seed sight and sound agree."""
    return float(rng.uniform(*ACTORS[actor].tempo))


def synthesise(actor: str, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """`seconds` of the actor's sound, (samples,) float32 at 16 kHz, evenly loud.

    Pitch, tempo, tune and timbre come from `rng`; a longer sound from the same
    seed need not begin with the shorter one.
    """
    beats = tempo(actor, rng)
    sound = ACTORS[actor].voice(round(seconds * SAMPLE_RATE), beats, rng)
    level = np.sqrt(np.mean(sound**2)) + 1e-9
    return (sound * min(0.12 / level, 0.8 / (np.abs(sound).max() + 1e-9))).astype(np.float32)
