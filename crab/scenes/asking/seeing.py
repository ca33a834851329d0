"""What the base is asked about a picture: who is there, in which row, and where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crab.answer import GRID
from crab.scenes.world import render
from crab.scenes.world.cast import ACTIONS, ACTORS, EMOTIONS, OBJECTS
from crab.scenes.world.script import Scene

from .questions import LOOKS
from .told import SORTS, Told, across, at, row, sized, so, third
from .words import NUMBERS, a, listed, one_of


def picture(scene: Scene, time: float, rng: np.random.Generator) -> list[Told]:
    """What a picture without sound can be asked."""
    shown = render.masks(scene, time, GRID)
    names = [part.actor for part, _ in shown]
    if names and names[0] in EMOTIONS:
        face = LOOKS[names[0]][0]
        return [so("feelings", "How does this face feel?", f"I see that {face}.", f"It feels {names[0]}.")]
    action = next((name for name in names if name in ACTIONS), None)
    if action:
        asked: list[Told | None] = [Told("sights", "What is the person doing?", f"The person is {action}.")]
        shown = [(part, mask) for part, mask in shown if part.actor != action]
    else:
        asked = rows(names, rng)
    for part, mask in shown:
        asked += [where(part.actor, mask, rng), touch(part.actor, mask, rng), third(part, time, rng)]
    return [told for told in asked if told]


def where(name: str, mask: np.ndarray, rng: np.random.Generator) -> Told:
    side, size = sized(rng)
    question = f"{size}{one_of(rng, f'Where is the {name}?', f'How far does the {name} reach?')}"
    return Told("places", question, f"The {name} reaches from {across(render.box(mask), side)}.")


def touch(name: str, mask: np.ndarray, rng: np.random.Generator) -> Told:
    side, size = sized(rng)
    return Told("places", f"{size}Where could one touch the {name}?", f"The {name} is {at(mask, side)}.")


def rows(names: Sequence[str], rng: np.random.Generator) -> list[Told | None]:
    """Who stands where in a row."""
    asked: list[Told | None] = [Told("sights", one_of(rng, "Who is there?", "What do you see?"), row(names))]
    if not names:
        return asked
    asked += [how_many(names, rng), anywhere(names, rng), end_of(names, rng), sort_of(names, rng)]
    return asked + [left(names, rng), next_to(names, rng)]


def how_many(names: Sequence[str], rng: np.random.Generator) -> Told:
    question = one_of(rng, "How many things do you see?", "How many are there to be seen?")
    return so("conclusions", question, row(names), f"That makes {NUMBERS[len(names)]}.")


def anywhere(names: Sequence[str], rng: np.random.Generator) -> Told:
    yes = rng.random() < 0.5
    name = str(rng.choice(names if yes else [name for name in OBJECTS if name not in names]))
    follows = f"{a(name).capitalize()} is among them: yes." if yes else f"No {name} is among them: no."
    question = one_of(rng, f"Do you see {a(name)} anywhere?", f"Can you find {a(name)}?")
    return so("conclusions", question, row(names), follows)


def end_of(names: Sequence[str], rng: np.random.Generator) -> Told:
    side, at_end = (("left", 0), ("right", -1))[rng.integers(2)]
    follows = f"At the {side} end is the {names[at_end]}."
    return so("conclusions", f"Who stands at the {side} end?", row(names), follows)


def sort_of(names: Sequence[str], rng: np.random.Generator) -> Told | None:
    """Which of them is an animal, an instrument, …; one time in three none is."""
    groups = [ACTORS[name].group for name in names]
    single = sorted({group for group in groups if groups.count(group) == 1} & set(SORTS))
    absent = sorted(set(SORTS) - set(groups))
    if absent and rng.random() < 1 / 3:
        group, follows = (absent[rng.integers(len(absent))], "none")
    elif single:
        group = single[rng.integers(len(single))]
        follows = f"the {names[groups.index(group)]}"
    else:
        return None
    sort = SORTS[group]
    return so("conclusions", f"Which of them is {sort}?", row(names), f"{sort.capitalize()} is {follows}.")


def left(names: Sequence[str], rng: np.random.Generator) -> Told | None:
    """Each name with its number right behind it: what follows a word already said is what a small model can find."""
    if len(names) < 2:
        return None
    one, other = rng.choice(len(names), size=2, replace=False).tolist()
    numbered = [f"{name} {NUMBERS[number]}" for number, name in enumerate(names, 1)]
    side, yes = (("left", one < other), ("right", one > other))[rng.integers(2)]
    question = f"Is the {names[one]} {side} of the {names[other]}?"
    facts = f"Going right I count {listed(numbered)}."
    follows = f"It is {numbered[one]} and {numbered[other]}: {'yes' if yes else 'no'}."
    return so("conclusions", question, facts, follows)


def next_to(names: Sequence[str], rng: np.random.Generator, whom: int | None = None, told: str = "") -> Told | None:
    """Who stands beside somebody, of whom `told` says something else than the name."""
    if len(names) < 2:
        return None
    whom = int(rng.integers(len(names))) if whom is None else whom
    sides = [("left", whom - 1)] * (whom > 0) + [("right", whom + 1)] * (whom + 1 < len(names))
    side, other = sides[rng.integers(len(sides))]
    facts = f"{told[0].upper()}{told[1:]} is the {names[whom]}. {row(names)}" if told else row(names)
    question = f"Who stands just {side} of {told or f'the {names[whom]}'}?"
    return so("conclusions", question, facts, f"Just {side} of the {names[whom]} is the {names[other]}.")
