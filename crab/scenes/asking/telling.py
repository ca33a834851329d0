"""What crab-mini's base is asked before it knows any task: plain questions about a picture, a sound or a film.

The base is to perceive and to speak: who is where and when, what that sounds like, what follows from it. None of the
published prompts, tags, clocks or grids is said here; those are the adapter's to learn. Times are whole seconds. Places
are percent of the picture or, where a question names how wide and high it is, counted in its own units.

Answers say first what is perceived (`given`) and then what follows from it, so that the second can be learned from
words alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crab.scenes.world import render
from crab.scenes.world.actors import ACTIONS, ACTORS, EMOTIONS, OBJECTS
from crab.scenes.world.script import DURATION, Part, Scene, Stretches, during, heard_parts, place, seen_parts

from . import pointing, quiz
from .pointing import GRID, SMALLEST
from .questions import LOOKS
from .words import NUMBERS, a, label, listed, one_of

TOPICS = ("sights", "sounds", "times", "places", "conclusions", "feelings", "pairs", "drill")
SIDES = tuple(range(80, 221, 10))  # how wide and high a picture may be said to be
_THIRDS = ("left", "middle", "right")


@dataclass(frozen=True)
class Told:
    """A question and its whole answer, which begins with `given`; "" where nothing in it follows from the rest."""

    topic: str  # one of TOPICS
    question: str
    answer: str
    given: str = ""


def _so(topic: str, question: str, facts: str, follows: str) -> Told:
    return Told(topic, question, f"{facts} {follows}", facts)


# ---- how things are put ----


def row(names: Sequence[str]) -> str:
    return f"Going right I see {listed(names, article=True)}." if names else "I see nobody."


def hearing(parts: Sequence[Part]) -> str:
    return f"I hear {listed([label(part) for part in parts])}." if parts else "I hear nothing."


def spans(stretches: Stretches) -> str:
    return " and ".join(f"second {start} to {end}" for start, end in stretches)


def _lasting(part: Part) -> int:
    return sum(end - start for start, end in part.heard)


def across(box: tuple[int, int, int, int], side: int | None = None) -> str:
    """A box on the grid of drawing, as shares of the picture or in units of one that is `side` wide and high."""
    x1, y1, x2, y2 = (_share(v, side) for v in (box[0], box[1], box[2] + 1, box[3] + 1))
    unit = "" if side else " percent"
    return f"{x1} to {x2}{unit} across and {y1} to {y2} down"


def _share(place: float, side: int | None) -> int:
    return round(place * (side or 100) / GRID[0])


def _sized(rng: np.random.Generator) -> tuple[int | None, str]:
    """Half of the time no size, which means percent, and else one, with the sentence that says so."""
    if rng.random() < 0.5:
        return None, ""
    side = int(rng.choice(SIDES))
    return side, f"The picture is {side} wide and {side} high. "


# ---- a picture ----


def picture(scene: Scene, time: float, rng: np.random.Generator) -> list[Told]:
    """What a picture without sound can be asked."""
    shown = render.masks(scene, time, GRID)
    names = [part.actor for part, _ in shown]
    if names and names[0] in EMOTIONS:
        face = LOOKS[names[0]][0]
        return [_so("feelings", "How does this face feel?", f"I see that {face}.", f"It feels {names[0]}.")]
    action = next((name for name in names if name in ACTIONS), None)
    if action:
        asked: list[Told | None] = [Told("sights", "What is the person doing?", f"The person is {action}.")]
        shown = [(part, mask) for part, mask in shown if part.actor != action]
    else:
        asked = _rows(names, rng)
    for part, mask in shown:
        asked += [where(part.actor, mask, rng), touch(part.actor, mask, rng), _third(part, time, rng)]
    return [told for told in asked if told]


def where(name: str, mask: np.ndarray, rng: np.random.Generator) -> Told:
    side, size = _sized(rng)
    question = f"{size}{one_of(rng, f'Where is the {name}?', f'How far does the {name} reach?')}"
    return Told("places", question, f"The {name} reaches from {across(render.box(mask), side)}.")


def touch(name: str, mask: np.ndarray, rng: np.random.Generator) -> Told:
    side, size = _sized(rng)
    return Told("places", f"{size}Where could one touch the {name}?", f"The {name} is {at(mask, side)}.")


def at(mask: np.ndarray, side: int | None = None) -> str:
    """Three places on a mask, in shares or units as `across` has them."""
    unit = "" if side else " percent"
    points = [f"{_share(x, side)} across and {_share(y, side)} down" for x, y in pointing.points_in(mask)]
    return f"at{unit} {', '.join(points)}"


def _third(part: Part, time: float, rng: np.random.Generator) -> Told | None:
    x = place(part, time)[0]
    if min(abs(x - 1 / 3), abs(x - 2 / 3)) < 0.02:
        return None
    question = one_of(rng, f"Which third holds the {part.actor}?", f"In which third is the {part.actor}?")
    return _so(
        "places",
        question,
        f"The middle of the {part.actor} is {round(100 * x)} percent across.",
        f"That is the {_third_of(x)} third.",
    )


def _third_of(x: float) -> str:
    return _THIRDS[min(int(x * 3), 2)]


def _rows(names: Sequence[str], rng: np.random.Generator) -> list[Told | None]:
    """Who stands where in a row."""
    asked: list[Told | None] = [Told("sights", one_of(rng, "Who is there?", "What do you see?"), row(names))]
    if not names:
        return asked
    asked += [how_many(names, rng), anywhere(names, rng), end_of(names, rng), sort_of(names, rng)]
    return asked + [left(names, rng), next_to(names, rng)]


def how_many(names: Sequence[str], rng: np.random.Generator) -> Told:
    question = one_of(rng, "How many things do you see?", "How many are there to be seen?")
    return _so("conclusions", question, row(names), f"That makes {NUMBERS[len(names)]}.")


def anywhere(names: Sequence[str], rng: np.random.Generator) -> Told:
    yes = rng.random() < 0.5
    name = str(rng.choice(names if yes else [name for name in OBJECTS if name not in names]))
    follows = f"{a(name).capitalize()} is among them: yes." if yes else f"No {name} is among them: no."
    question = one_of(rng, f"Do you see {a(name)} anywhere?", f"Can you find {a(name)}?")
    return _so("conclusions", question, row(names), follows)


def end_of(names: Sequence[str], rng: np.random.Generator) -> Told:
    side, at_end = (("left", 0), ("right", -1))[rng.integers(2)]
    follows = f"At the {side} end is the {names[at_end]}."
    return _so("conclusions", f"Who stands at the {side} end?", row(names), follows)


def sort_of(names: Sequence[str], rng: np.random.Generator) -> Told | None:
    """Which of them is an animal, an instrument, …; one time in three none is."""
    groups = [ACTORS[name].group for name in names]
    single = sorted({group for group in groups if groups.count(group) == 1} & set(_SORTS))
    absent = sorted(set(_SORTS) - set(groups))
    if absent and rng.random() < 1 / 3:
        group, follows = (absent[rng.integers(len(absent))], "none")
    elif single:
        group = single[rng.integers(len(single))]
        follows = f"the {names[groups.index(group)]}"
    else:
        return None
    sort = _SORTS[group]
    return _so("conclusions", f"Which of them is {sort}?", row(names), f"{sort.capitalize()} is {follows}.")


_SORTS = {"instrument": "an instrument", "animal": "an animal", "vehicle": "a vehicle", "person": "a person"}


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
    return _so("conclusions", question, facts, follows)


def next_to(names: Sequence[str], rng: np.random.Generator, whom: int | None = None, told: str = "") -> Told | None:
    """Who stands beside somebody, of whom `told` says something else than the name."""
    if len(names) < 2:
        return None
    whom = int(rng.integers(len(names))) if whom is None else whom
    sides = [("left", whom - 1)] * (whom > 0) + [("right", whom + 1)] * (whom + 1 < len(names))
    side, other = sides[rng.integers(len(sides))]
    facts = f"{told[0].upper()}{told[1:]} is the {names[whom]}. {row(names)}" if told else row(names)
    question = f"Who stands just {side} of {told or f'the {names[whom]}'}?"
    return _so("conclusions", question, facts, f"Just {side} of the {names[whom]} is the {names[other]}.")


# ---- sounds ----


def sound(scene: Scene, rng: np.random.Generator) -> list[Told]:
    """What can be asked about sounds alone."""
    parts = heard_parts(scene)
    if parts[0].actor in EMOTIONS:
        feeling = parts[0].actor
        facts = f"I hear that {LOOKS[feeling][1]}."
        return [_so("feelings", "How does this voice feel?", facts, f"It feels {feeling}.")]
    if parts[0].actor in ACTIONS:
        return [Told("sounds", "What is the person doing?", f"The person is {parts[0].actor}.")]
    asked: list[Told | None] = [
        heard_when(parts, rng),
        whose(parts, rng),
        how_many_sounds(parts, rng),
        audible(scene, rng),
    ]
    asked += [sounds_from(parts, rng), first(parts, rng), longest(parts, rng), is_longer(parts, rng)]
    asked += [
        at_once(parts, rng),
        begins(parts, rng),
        which_sounds(scene, rng),
        which_heard(scene, rng),
        which_second(parts, rng),
    ]
    return [told for told in asked if told]


def heard_when(parts: Sequence[Part], rng: np.random.Generator) -> Told:
    question = one_of(rng, "What do you hear, and when?", "What can be heard at which time?")
    return Told("times", question, f"I hear {', '.join(f'{label(part)} {spans(part.heard)}' for part in parts)}.")


def sounds_from(parts: Sequence[Part], rng: np.random.Generator) -> Told:
    part = parts[int(rng.integers(len(parts)))]
    return Told("times", f"When do you hear {label(part)}?", f"That can be heard {spans(part.heard)}.")


def whose(parts: Sequence[Part], rng: np.random.Generator) -> Told:
    names = listed([f"the {part.actor}" for part in parts])
    question = one_of(rng, "Who is it that you hear?", "Whose sounds are these?")
    return _so("sounds", question, hearing(parts), f"It is {names}.")


def how_many_sounds(parts: Sequence[Part], rng: np.random.Generator) -> Told:
    question = one_of(rng, "How many different things do you hear?", "How many can be heard?")
    return _so("conclusions", question, hearing(parts), f"That makes {NUMBERS[len(parts)]}.")


def audible(scene: Scene, rng: np.random.Generator) -> Told:
    heard = heard_parts(scene)
    names = [part.actor for part in heard]
    silent = [part.actor for part in scene.parts if not part.heard]
    yes = rng.random() < 0.5
    absent = [name for name in OBJECTS if name not in names]
    name = str(rng.choice(names if yes else silent if silent and rng.random() < 0.6 else absent))
    question = one_of(rng, f"Do you hear the {name}?", f"Can the {name} be heard?")
    follows = f"The {name} is among them: yes." if yes else f"The {name} is quiet: no."
    return _so("conclusions", question, hearing(heard), follows)


def _starts(parts: Sequence[Part]) -> str:
    told = listed([f"{label(part)} begins in second {part.heard[0][0]}" for part in parts])
    return f"{told[0].upper()}{told[1:]}."


def first(parts: Sequence[Part], rng: np.random.Generator) -> Told | None:
    starts = [part.heard[0][0] for part in parts]
    early = rng.random() < 0.5
    if len(parts) < 2 or (starts[0] == starts[1] if early else starts[-1] == starts[-2]):
        return None
    question = "Who is heard before the others?" if early else "Who joins in after the others?"
    follows = f"The earliest is the {parts[0].actor}." if early else f"The latest is the {parts[-1].actor}."
    return _so("conclusions", question, _starts(parts), follows)


def _lengths(parts: Sequence[Part]) -> str:
    longest_first = sorted(parts, key=_lasting, reverse=True)
    return f"{listed([f'the {part.actor} lasts {_lasting(part)} seconds' for part in longest_first]).capitalize()}."


def longest(parts: Sequence[Part], rng: np.random.Generator) -> Told | None:
    lengths = sorted((_lasting(part), part.actor) for part in parts)
    if len(parts) < 2 or lengths[-1][0] - lengths[-2][0] < 2:
        return None
    return _so("conclusions", "Who lasts longest?", _lengths(parts), f"Longest lasts the {lengths[-1][1]}.")


def is_longer(parts: Sequence[Part], rng: np.random.Generator) -> Told | None:
    if len(parts) != 2 or abs(_lasting(parts[0]) - _lasting(parts[1])) < 2:
        return None
    one, other = (parts[i] for i in rng.permutation(2))
    longer = max(parts, key=_lasting)
    return _so(
        "conclusions",
        f"Does the {one.actor} last longer than the {other.actor}?",
        _lengths(parts),
        f"Longer lasts the {longer.actor}: {'yes' if one is longer else 'no'}.",
    )


def at_once(parts: Sequence[Part], rng: np.random.Generator) -> Told | None:
    if len(parts) != 2:
        return None
    one, other = ({t for start, end in part.heard for t in range(start, end)} for part in parts)
    told = " and ".join(f"the {part.actor} is heard {spans(part.heard)}" for part in parts)
    question = one_of(rng, "Are the two ever heard together?", "Do the two sounds ever overlap?")
    return _so(
        "conclusions",
        question,
        f"{told[0].upper()}{told[1:]}.",
        "They meet: yes." if one & other else "They never meet: no.",
    )


def begins(parts: Sequence[Part], rng: np.random.Generator) -> Told | None:
    part = parts[int(rng.integers(len(parts)))]
    question = f"In which second does {label(part)} begin?"
    return Told("times", question, f"{label(part).capitalize()} begins in second {part.heard[0][0]}.")


def _of_these(options: Sequence[str]) -> str:
    return f"{', '.join(options[:-1])} or {options[-1]}"


def which_sounds(scene: Scene, rng: np.random.Generator) -> Told | None:
    parts = heard_parts(scene)
    if len(parts) != 1:
        return None
    options = [f"the {name}" for name in quiz.four_with(parts[0].actor, scene, rng)]
    question = f"Who makes the noise: {_of_these(options)}?"
    return _so("conclusions", question, hearing(parts), f"It is the {parts[0].actor}.")


def which_heard(scene: Scene, rng: np.random.Generator) -> Told | None:
    parts = heard_parts(scene)
    if len(parts) != 1:
        return None
    options = [ACTORS[name].label for name in quiz.four_with(parts[0].actor, scene, rng)]
    return _so("conclusions", f"Which noise is it: {_of_these(options)}?", hearing(parts), f"It is {label(parts[0])}.")


def which_second(parts: Sequence[Part], rng: np.random.Generator) -> Told | None:
    if len(parts) != 1:
        return None
    start = parts[0].heard[0][0]
    others = rng.choice([second for second in range(9) if abs(second - start) > 1], size=3, replace=False).tolist()
    options = [f"second {second}" for second in sorted([start, *others])]
    question = f"When does the noise begin: {_of_these(options)}?"
    return _so("conclusions", question, _starts(parts), f"It is second {start}.")


# ---- a film ----


def film(scene: Scene, rng: np.random.Generator) -> list[Told]:
    """What a film with its sound can be asked."""
    heard, seen = heard_parts(scene), seen_parts(scene)
    if heard and heard[0].actor in EMOTIONS:
        feeling = heard[0].actor
        face, voice = LOOKS[feeling]
        return [
            _so(
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
    asked += [seen_when(seen, rng), *_rows(names, rng), *sound(scene, rng)]
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
    return bool(part.seen) and len({_third_of(place(part, time)[0]) for time in (0, DURATION)}) == 1


def _third_of_film(part: Part, rng: np.random.Generator) -> Told | None:
    return _third(part, DURATION / 2, rng) if _stays(part) else None


def sounding_third(scene: Scene, rng: np.random.Generator) -> Told | None:
    heard = heard_parts(scene)
    if len(heard) != 1 or not _stays(heard[0]):
        return None
    x = heard[0].x
    return _so(
        "places",
        "Which third holds the one that is heard?",
        f"{hearing(heard)} The middle of the {heard[0].actor} is {round(100 * x)} percent across.",
        f"That is the {_third_of(x)} third.",
    )


def which_seen(scene: Scene, rng: np.random.Generator) -> Told | None:
    names = [part.actor for part in seen_parts(scene)]
    if not names:
        return None
    name = str(rng.choice(names))
    others = rng.choice([other for other in OBJECTS if other not in names], size=3, replace=False).tolist()
    options = [a(other) for other in rng.permutation([name, *others]).tolist()]
    return _so("conclusions", f"Which can be seen: {_of_these(options)}?", row(names), f"It is {a(name)}.")


# ---- a picture with its second of sound ----


def still(scene: Scene, time: float, heard: Sequence[Part], rng: np.random.Generator) -> list[Told]:
    """What a picture can be asked together with a sound in which `heard` are heard: who it is, where, what is not."""
    shown = render.masks(scene, time, GRID)
    if not shown or min(mask.sum() for _, mask in shown) < SMALLEST:
        return []
    names = [part.actor for part, _ in shown]
    sounding = [(part, mask) for part, mask in shown if part in heard]
    silent = [(part, mask) for part, mask in shown if part not in heard]
    facts = f"{row(names)} {hearing(heard)}"
    asked: list[Told | None] = []
    if len(sounding) == 1 and len(heard) == 1:
        [(part, mask)] = sounding
        side, size = _sized(rng)
        asked += [
            Told(
                "places",
                f"{size}Where is the one that is heard?",
                f"{hearing(heard)} It is the {part.actor}, from {across(render.box(mask), side)}.",
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
    for group in sorted({group for group in groups if groups.count(group) == 1} & set(_SORTS)):
        asked += [_found(_SORTS[group], *shown[groups.index(group)], facts, rng)]
    asked += [_missing(names, facts, rng) for _ in range(1 + len(asked) // 4)]
    return [told for told in asked if told]


def _found(words: str, part: Part, mask: np.ndarray, facts: str, rng: np.random.Generator) -> Told:
    side, size = _sized(rng)
    places = at(mask, side) if rng.random() < 0.5 else f"from {across(render.box(mask), side)}"
    question = f"{size}{one_of(rng, 'Find', 'Show me')} {words}."
    return _so("places", question, facts, f"Yes, it is the {part.actor}, {places}.")


def _missing(names: Sequence[str], facts: str, rng: np.random.Generator) -> Told:
    absent = sorted(set(_SORTS) - {ACTORS[name].group for name in names})
    if absent and rng.random() < 0.3:
        words = _SORTS[absent[rng.integers(len(absent))]]
    else:
        words = a(str(rng.choice([name for name in OBJECTS if name not in names])))
    return _so("places", f"{one_of(rng, 'Find', 'Show me')} {words}.", facts, "No, there is none.")


def heard_around(scene: Scene, window: tuple[float, float]) -> list[Part]:
    """Who is heard at any time from the first second of a window to the last."""
    start, end = window
    return [part for part in heard_parts(scene) if any(first < end and last > start for first, last in part.heard)]


def heard_at(scene: Scene, time: float) -> list[Part]:
    return [part for part in heard_parts(scene) if during(part.heard, time)]


# ---- two films ----


def pair(scenes: tuple[Scene, Scene], match: int, rng: np.random.Generator, *, films: bool) -> list[Told]:
    """Of two films and the sound of film `match`, or (not `films`) of two sounds and the film of sound `match`."""
    sights = [f"{part.actor} {number}" for number, scene in zip(NUMBERS[1:], scenes) for part in seen_parts(scene)]
    sounds = [f"{label(part)} {number}" for number, scene in zip(NUMBERS[1:], scenes) for part in heard_parts(scene)]
    number, [part, *_] = NUMBERS[match + 1], heard_parts(scenes[match])
    shown = listed([other.actor for other in seen_parts(scenes[match])], article=True)
    if films:
        facts = f"{hearing([part])} The films have {listed(sights)}."
        each = [
            f"film {n} shows {listed([other.actor for other in seen_parts(scene)], article=True)}"
            for n, scene in zip(NUMBERS[1:], scenes)
        ]
        return [_so("pairs", one_of(rng, "Which film is the sound from?", "Whose film does the sound fit?"), facts,
                    f"It is {part.actor} {number}: film {number}."),
                Told("pairs", "What do the films show?", f"{listed(each).capitalize()}."),
                Told("sounds", "What do you hear?", hearing([part]))]  # fmt: skip
    facts = f"I see {shown}. The sounds have {listed(sounds)}."
    return [_so("pairs", one_of(rng, "Which sound is the film's?", "Whose sound fits the film?"), facts,
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
