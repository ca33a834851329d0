"""What the base is asked about picture and sound together: a film, a still with its sound, two films; and what it is
asked in words alone, which is what follows from facts about those.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crab.answer import GRID
from crab.scenes.world import render
from crab.scenes.world.cast import ACTIONS, ACTORS, EMOTIONS, OBJECTS
from crab.scenes.world.script import DURATION, Part, Scene, heard_parts, place, seen_parts

from .hearing import sound
from .pointing import SMALLEST
from .questions import LOOKS
from .seeing import left, next_to, rows
from .told import SORTS, Told, across, at, of_these, row, sized, so, spans, third, third_of, voices
from .words import NUMBERS, a, label, listed, one_of

# ---- a film ----


def film(scene: Scene, rng: np.random.Generator) -> list[Told]:
    """What a film with its sound can be asked."""
    heard, seen = heard_parts(scene), seen_parts(scene)
    if heard and heard[0].actor in EMOTIONS:
        feeling = heard[0].actor
        face, voice = LOOKS[feeling]
        return [
            so(
                "feelings",
                one_of(rng, "How does this person feel?", "What mood is this?"),
                f"I see that {face} and hear that {voice}.",
                f"It feels {feeling}.",
            )
        ]
    if heard and heard[0].actor in ACTIONS:
        action = heard[0].actor
        question = one_of(rng, "What is the person doing?", "What is being done?")
        return [Told("sights", question, f"The person is {action}.")]
    names = [part.actor for part in seen]
    told = ", ".join(f"{label(part)} {spans(part.heard)}" for part in heard)
    question = one_of(rng, "What is going on?", "Tell what happens.")
    asked: list[Told | None] = [Told("sights", question, f"{row(names)} I hear {told}.")]
    asked += [seen_when(seen, rng), *rows(names, rng), *sound(scene, rng)]
    asked += [sounding_third(scene, rng), *(_third_of_film(part, rng) for part in seen), which_seen(scene, rng)]
    if heard[0].actor in names and (len(heard) == 1 or heard[0].heard[0][0] < heard[1].heard[0][0]):
        whom = "the one heard first" if len(heard) > 1 else "the one that is heard"
        asked += [next_to(names, rng, names.index(heard[0].actor), whom)]
    return [told for told in asked if told]


def seen_when(seen: Sequence[Part], rng: np.random.Generator) -> Told | None:
    if not seen:
        return None
    question = one_of(rng, "Who can be seen, and when?", "Who is in view at which time?")
    return Told("times", question, f"I see {', '.join(f'{a(part.actor)} {spans(part.seen)}' for part in seen)}.")


def _stays(part: Part) -> bool:
    return bool(part.seen) and len({third_of(place(part, time)[0]) for time in (0, DURATION)}) == 1


def _third_of_film(part: Part, rng: np.random.Generator) -> Told | None:
    return third(part, DURATION / 2, rng) if _stays(part) else None


def sounding_third(scene: Scene, rng: np.random.Generator) -> Told | None:
    heard = heard_parts(scene)
    if len(heard) != 1 or not _stays(heard[0]):
        return None
    x = heard[0].x
    return so(
        "places",
        "Which third holds the one that is heard?",
        f"{voices(heard)} The middle of the {heard[0].actor} is {round(100 * x)} percent across.",
        f"That is the {third_of(x)} third.",
    )


def which_seen(scene: Scene, rng: np.random.Generator) -> Told | None:
    names = [part.actor for part in seen_parts(scene)]
    if not names:
        return None
    name = str(rng.choice(names))
    others = rng.choice([other for other in OBJECTS if other not in names], size=3, replace=False).tolist()
    options = [a(other) for other in rng.permutation([name, *others]).tolist()]
    return so("conclusions", f"Which can be seen: {of_these(options)}?", row(names), f"It is {a(name)}.")


# ---- a picture with its second of sound ----


def still(scene: Scene, time: float, heard: Sequence[Part], rng: np.random.Generator) -> list[Told]:
    """What a picture can be asked together with a sound in which `heard` are heard: who it is, where, what is not."""
    shown = render.masks(scene, time, GRID)
    if not shown or min(mask.sum() for _, mask in shown) < SMALLEST:
        return []
    names = [part.actor for part, _ in shown]
    sounding = [(part, mask) for part, mask in shown if part in heard]
    silent = [(part, mask) for part, mask in shown if part not in heard]
    facts = f"{row(names)} {voices(heard)}"
    asked: list[Told | None] = []
    if len(sounding) == 1 and len(heard) == 1:
        [(part, mask)] = sounding
        side, size = sized(rng)
        asked += [
            Told(
                "places",
                f"{size}Where is the one that is heard?",
                f"{voices(heard)} It is the {part.actor}, from {across(render.box(mask), side)}.",
            )
        ]
        asked += [_found(f"whoever makes {label(part)}", part, mask, facts, rng)]
        asked += [_found("what is heard", part, mask, facts, rng)]
    asked += [_found("what keeps quiet", *silent[0], facts, rng)] if len(silent) == 1 and len(shown) > 1 else []
    which = int(rng.integers(len(shown)))
    asked += [_found(f"{a(names[which])}", *shown[which], facts, rng)]
    if len(shown) > 1:
        edge, end = (("left", 0), ("right", -1))[rng.integers(2)]
        asked += [_found(f"whoever is at the {edge} end", *shown[end], facts, rng)]
    groups = [ACTORS[name].group for name in names]
    for group in sorted({group for group in groups if groups.count(group) == 1} & set(SORTS)):
        asked += [_found(SORTS[group], *shown[groups.index(group)], facts, rng)]
    asked += [_missing(names, facts, rng) for _ in range(1 + len(asked) // 4)]
    return [told for told in asked if told]


def _found(words: str, part: Part, mask: np.ndarray, facts: str, rng: np.random.Generator) -> Told:
    side, size = sized(rng)
    places = at(mask, side) if rng.random() < 0.5 else f"from {across(render.box(mask), side)}"
    question = f"{size}{one_of(rng, 'Find', 'Show me')} {words}."
    return so("places", question, facts, f"Yes, it is the {part.actor}, {places}.")


def _missing(names: Sequence[str], facts: str, rng: np.random.Generator) -> Told:
    absent = sorted(set(SORTS) - {ACTORS[name].group for name in names})
    if absent and rng.random() < 0.3:
        words = SORTS[absent[rng.integers(len(absent))]]
    else:
        words = a(str(rng.choice([name for name in OBJECTS if name not in names])))
    return so("places", f"{one_of(rng, 'Find', 'Show me')} {words}.", facts, "No, there is none.")


# ---- two films ----


def pair(scenes: tuple[Scene, Scene], match: int, rng: np.random.Generator, *, films: bool) -> list[Told]:
    """Of two films and the sound of film `match`, or (not `films`) of two sounds and the film of sound `match`."""
    sights = [f"{part.actor} {number}" for number, scene in zip(NUMBERS[1:], scenes) for part in seen_parts(scene)]
    sounds = [f"{label(part)} {number}" for number, scene in zip(NUMBERS[1:], scenes) for part in heard_parts(scene)]
    number, [part, *_] = NUMBERS[match + 1], heard_parts(scenes[match])
    shown = listed([other.actor for other in seen_parts(scenes[match])], article=True)
    if films:
        facts = f"{voices([part])} The films have {listed(sights)}."
        each = [
            f"film {n} shows {listed([other.actor for other in seen_parts(scene)], article=True)}"
            for n, scene in zip(NUMBERS[1:], scenes)
        ]
        return [so("pairs", one_of(rng, "Which film is the sound from?", "Whose film does the sound fit?"), facts,
                   f"It is {part.actor} {number}: film {number}."),
                Told("pairs", "What do the films show?", f"{listed(each).capitalize()}."),
                Told("sounds", "What do you hear?", voices([part]))]  # fmt: skip
    facts = f"I see {shown}. The sounds have {listed(sounds)}."
    return [so("pairs", one_of(rng, "Which sound is the film's?", "Whose sound fits the film?"), facts,
               f"It is {label(part)} {number}: sound {number}."),
            Told("pairs", "What do you hear, one after the other?", f"I hear {listed(sounds)}."),
            Told("sights", "What do you see?", f"I see {shown}.")]  # fmt: skip


# ---- words alone ----


def conclusions(scene: Scene, rng: np.random.Generator) -> list[Told]:
    """What follows from facts about a film that are given in words."""
    return [told for told in film(scene, rng) if told.given]


def which_is_where(scene: Scene, scenes: tuple[Scene, Scene], rng: np.random.Generator) -> list[Told]:
    """The same of the hardest sort: which number goes with which name, among neighbours and in two films."""
    asked = [left([part.actor for part in seen_parts(scene)], rng)]
    for films in (True, False):
        asked += pair(scenes, int(rng.integers(2)), rng, films=films)
    return [told for told in asked if told and told.given]
