"""Questions in words, with short answers: whether, how many, where, which, when, more or less, and multiple choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crab.scenes.world.cast import ACTORS, OBJECTS
from crab.scenes.world.script import DURATION, Part, Scene, heard_parts, place, seen_parts

from .words import NUMBERS, a, label, listed, one_of, side


@dataclass(frozen=True)
class Asked:
    """`facts` are seen and heard; `so`, which may be "", and the answer follow from them and the question.

    `kind` is the question's type as the field's question sets name them: (what it needs, what it asks).
    """

    question: str
    facts: str
    answer: str
    kind: tuple[str, str]
    options: tuple[str, ...] = ()
    so: str = ""

    @property
    def given(self) -> str:
        return f"{self.facts}{',' if self.so else '.'}"

    @property
    def reason(self) -> str:
        return f"{self.given} so {self.so}." if self.so else self.given


def sounds_are(scene: Scene) -> str:
    labels = [label(part) for part in heard_parts(scene)]
    return f"The {'sound is' if len(labels) == 1 else 'sounds are'} {listed(labels)}"


def shows(scene: Scene) -> str:
    return f"The video shows {listed([part.actor for part in seen_parts(scene)], article=True) or 'no object'}"


# ---- one function a kind of question; None where the scene has no clear answer ----


def sounding(scene: Scene, rng: np.random.Generator) -> Asked | None:
    heard = heard_parts(scene)
    if len(heard) != 1:
        return None
    name = heard[0].actor
    question = one_of(rng, "Which object is making the sound?", "What makes the sound in the video?")
    return Asked(question, sounds_are(scene), name, ("Audio", "Existential"), so=f"it comes from the {name}")


def count_sounding(scene: Scene, rng: np.random.Generator) -> Asked:
    question = one_of(rng, "How many objects are sounding?", "How many objects are sounding in the video?")
    return Asked(question, sounds_are(scene), NUMBERS[len(heard_parts(scene))], ("Audio", "Counting"))


def count_kinds(scene: Scene, rng: np.random.Generator) -> Asked:
    question = one_of(rng, "How many kinds of objects are in the video?", "How many objects are seen in the video?")
    return Asked(question, shows(scene), NUMBERS[len(seen_parts(scene))], ("Visual", "Counting"))


def is_there(scene: Scene, rng: np.random.Generator) -> Asked:
    seen = [part.actor for part in seen_parts(scene)]
    yes = bool(seen) and rng.random() < 0.5
    name = str(rng.choice(seen if yes else [name for name in OBJECTS if name not in seen]))
    question = one_of(rng, f"Is there {a(name)} in the video?", f"Is {a(name)} seen in the video?")
    return Asked(
        question,
        shows(scene),
        "yes" if yes else "no",
        ("Visual", "Existential"),
        so=f"there is {a(name) if yes else f'no {name}'}",
    )


def is_sounding(scene: Scene, rng: np.random.Generator) -> Asked:
    heard = [part.actor for part in heard_parts(scene)]
    silent = [part.actor for part in seen_parts(scene) if not part.heard]
    yes = rng.random() < 0.5
    absent = [name for name in OBJECTS if name not in heard]
    name = str(rng.choice(heard if yes else silent if silent and rng.random() < 0.7 else absent))
    question = one_of(rng, f"Is the {name} making a sound?", f"Is the {name} sounding in the video?")
    return Asked(
        question,
        sounds_are(scene),
        "yes" if yes else "no",
        ("Audio-Visual", "Existential"),
        so=f"the {name} is {'sounding' if yes else 'silent'}",
    )


def left_of(scene: Scene, rng: np.random.Generator) -> Asked | None:
    seen = [part.actor for part in seen_parts(scene)]
    if len(seen) < 2:
        return None
    left, right = sorted(rng.choice(len(seen), size=2, replace=False).tolist())
    yes = rng.random() < 0.5
    one, other = (left, right) if yes else (right, left)
    numbered = [f"{name} {NUMBERS[place]}" for place, name in enumerate(seen, 1)]
    return Asked(
        f"Is the {seen[one]} to the left of the {seen[other]}?",
        f"From left to right there are {listed(numbered)}",
        "yes" if yes else "no",
        ("Visual", "Location"),
        so=f"{numbered[one]} and {numbered[other]}",
    )


def in_a_row(names: list[str]) -> str:
    return f"From left to right there {'is' if len(names) == 1 else 'are'} {listed(names, article=True)}"


def where(scene: Scene, rng: np.random.Generator) -> Asked | None:
    heard = heard_parts(scene)
    if len(heard) != 1 or (spot := _third(heard[0])) is None:
        return None
    question = one_of(rng, "Where is the sounding object?", "Where is the object that makes the sound?")
    facts = f"The sounding object is the {heard[0].actor}, which is {side(heard[0].x)}"
    return Asked(question, facts, spot, ("Audio-Visual", "Location"))


def _third(part: Part) -> str | None:
    """Which third of the picture a part stays in, None when that is not clear."""
    spots = {_of_thirds(place(part, time)[0]) for time in (0, DURATION)} if part.seen else {None}
    return spots.pop() if len(spots) == 1 else None


def _of_thirds(x: float) -> str | None:
    if min(abs(x - 1 / 3), abs(x - 2 / 3)) < 0.03:
        return None
    return ("left", "middle", "right")[min(int(x * 3), 2)]


def first(scene: Scene, rng: np.random.Generator) -> Asked | None:
    heard = heard_parts(scene)
    starts = [part.heard[0][0] for part in heard]
    if len(heard) < 2 or starts[0] == starts[1]:
        return None
    question = one_of(rng, "Which object makes a sound first?", "Which is the first sounding object?")
    return Asked(question, _starts(heard), heard[0].actor, ("Audio-Visual", "Temporal"))


def last(scene: Scene, rng: np.random.Generator) -> Asked | None:
    heard = heard_parts(scene)
    starts = [part.heard[0][0] for part in heard]
    if len(heard) < 2 or starts[-1] == starts[-2]:
        return None
    return Asked("Which object starts to sound last?", _starts(heard), heard[-1].actor, ("Audio-Visual", "Temporal"))


def _starts(heard: list[Part]) -> str:
    told = listed([f"{label(part)} starts at {part.heard[0][0]}" for part in heard])
    return f"{told[0].upper()}{told[1:]}"


def neighbour(scene: Scene, rng: np.random.Generator) -> Asked | None:
    """Which is the left object of the first sounding object?"""
    heard, seen = heard_parts(scene), seen_parts(scene)
    if len(heard) > 1 and heard[0].heard[0][0] == heard[1].heard[0][0] or heard[0] not in seen or len(seen) < 2:
        return None
    at = seen.index(heard[0])
    sides = [("left", at - 1)] * (at > 0) + [("right", at + 1)] * (at + 1 < len(seen))
    which, other = sides[rng.integers(len(sides))]
    sounds = "first sounding" if len(heard) > 1 else "sounding"
    facts = f"The {sounds} object is the {heard[0].actor}. {in_a_row([part.actor for part in seen])}"
    question = f"Which is the {which} object of the {sounds} object?"
    return Asked(question, facts, seen[other].actor, ("Audio-Visual", "Temporal" if len(heard) > 1 else "Location"))


def longer(scene: Scene, rng: np.random.Generator) -> Asked | None:
    heard = heard_parts(scene)
    if len(heard) != 2:
        return None
    lengths = {part.actor: sum(end - start for start, end in part.heard) for part in heard}
    one, other = rng.permutation(list(lengths)).tolist()
    if abs(lengths[one] - lengths[other]) < 2:
        return None
    longest = sorted(lengths, key=lambda name: lengths[name], reverse=True)
    told = listed([f"the {name} sounds for {lengths[name]} seconds" for name in longest])
    return Asked(
        f"Does the {one} sound longer than the {other}?",
        f"{told[0].upper()}{told[1:]}",
        "yes" if one == longest[0] else "no",
        ("Audio", "Comparative"),
        so=f"the {longest[0]} sounds longer",
    )


KINDS = (sounding, count_sounding, count_kinds, is_there, is_sounding, left_of, where, first, last, neighbour, longer)


# ---- multiple choice ----


def choose_sound(scene: Scene, rng: np.random.Generator) -> Asked | None:
    heard = heard_parts(scene)
    if len(heard) != 1:
        return None
    return Asked(
        "What is the main sound source in the video?",
        sounds_are(scene),
        heard[0].actor,
        ("Sound", "Which"),
        four_with(heard[0].actor, scene, rng),
    )


def choose_happening(scene: Scene, rng: np.random.Generator) -> Asked | None:
    heard = heard_parts(scene)
    if len(heard) != 1:
        return None
    names = four_with(heard[0].actor, scene, rng)
    return Asked(
        "What happens in the video?",
        sounds_are(scene),
        label(heard[0]),
        ("Both", "Happening"),
        tuple(ACTORS[name].label for name in names),
    )


def choose_seen(scene: Scene, rng: np.random.Generator) -> Asked | None:
    seen = [part.actor for part in seen_parts(scene)]
    if not seen:
        return None
    name = str(rng.choice(seen))
    options = [name, *rng.choice([other for other in OBJECTS if other not in seen], size=3, replace=False).tolist()]
    return Asked(
        "What is seen in the video?", shows(scene), name, ("View", "Which"), tuple(rng.permutation(options).tolist())
    )


def choose_start(scene: Scene, rng: np.random.Generator) -> Asked | None:
    heard = heard_parts(scene)
    if len(heard) != 1:
        return None
    start = heard[0].heard[0][0]
    others = rng.choice([second for second in range(9) if abs(second - start) > 1], size=3, replace=False).tolist()
    options = tuple(f"at {second} seconds" for second in rng.permutation([start, *others]))
    return Asked(
        "When does the sound start?",
        f"The {label(heard[0])} starts at {start}",
        f"at {start} seconds",
        ("Sound", "When"),
        options,
    )


def choose_where(scene: Scene, rng: np.random.Generator) -> Asked | None:
    clear = [part for part in seen_parts(scene) if _third(part)]
    if not clear:
        return None
    part = clear[rng.integers(len(clear))]
    facts = f"{in_a_row([other.actor for other in seen_parts(scene)])}, and the {part.actor} is {side(part.x)}"
    options = ("on the left", "in the middle", "on the right")
    return Asked(f"Where is the {part.actor}?", facts, side(part.x), ("View", "Where"), options)


def four_with(name: str, scene: Scene, rng: np.random.Generator) -> tuple[str, ...]:
    """Four objects, `name` and what else is in the scene among them."""
    others = [part.actor for part in scene.parts if part.actor != name][:2]
    absent = [other for other in OBJECTS if other not in {name, *others}]
    drawn = rng.choice(absent, size=3 - len(others), replace=False).tolist()
    return tuple(rng.permutation([name, *others, *drawn]).tolist())


CHOICES = (choose_sound, choose_happening, choose_seen, choose_start, choose_where)
