"""What the base is asked about a sound: who is heard, when, how long, together or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crab.scenes.world.cast import ACTIONS, ACTORS, EMOTIONS, OBJECTS
from crab.scenes.world.script import Part, Scene, heard_parts

from . import quiz
from .questions import LOOKS
from .told import Told, of_these, so, spans, voices
from .words import NUMBERS, label, listed, one_of


def sound(scene: Scene, rng: np.random.Generator) -> list[Told]:
    """What can be asked about sounds alone."""
    parts = heard_parts(scene)
    if parts[0].actor in EMOTIONS:
        feeling = parts[0].actor
        facts = f"I hear that {LOOKS[feeling][1]}."
        return [so("feelings", "How does this voice feel?", facts, f"It feels {feeling}.")]
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
    return so("sounds", question, voices(parts), f"It is {names}.")


def how_many_sounds(parts: Sequence[Part], rng: np.random.Generator) -> Told:
    question = one_of(rng, "How many different things do you hear?", "How many can be heard?")
    return so("conclusions", question, voices(parts), f"That makes {NUMBERS[len(parts)]}.")


def audible(scene: Scene, rng: np.random.Generator) -> Told:
    heard = heard_parts(scene)
    names = [part.actor for part in heard]
    silent = [part.actor for part in scene.parts if not part.heard]
    yes = rng.random() < 0.5
    absent = [name for name in OBJECTS if name not in names]
    name = str(rng.choice(names if yes else silent if silent and rng.random() < 0.6 else absent))
    question = one_of(rng, f"Do you hear the {name}?", f"Can the {name} be heard?")
    follows = f"The {name} is among them: yes." if yes else f"The {name} is quiet: no."
    return so("conclusions", question, voices(heard), follows)


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
    return so("conclusions", question, _starts(parts), follows)


def _lengths(parts: Sequence[Part]) -> str:
    longest_first = sorted(parts, key=_lasting, reverse=True)
    return f"{listed([f'the {part.actor} lasts {_lasting(part)} seconds' for part in longest_first]).capitalize()}."


def longest(parts: Sequence[Part], rng: np.random.Generator) -> Told | None:
    lengths = sorted((_lasting(part), part.actor) for part in parts)
    if len(parts) < 2 or lengths[-1][0] - lengths[-2][0] < 2:
        return None
    return so("conclusions", "Who lasts longest?", _lengths(parts), f"Longest lasts the {lengths[-1][1]}.")


def is_longer(parts: Sequence[Part], rng: np.random.Generator) -> Told | None:
    if len(parts) != 2 or abs(_lasting(parts[0]) - _lasting(parts[1])) < 2:
        return None
    one, other = (parts[i] for i in rng.permutation(2))
    longer = max(parts, key=_lasting)
    return so(
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
    return so(
        "conclusions",
        question,
        f"{told[0].upper()}{told[1:]}.",
        "They meet: yes." if one & other else "They never meet: no.",
    )


def begins(parts: Sequence[Part], rng: np.random.Generator) -> Told | None:
    part = parts[int(rng.integers(len(parts)))]
    question = f"In which second does {label(part)} begin?"
    return Told("times", question, f"{label(part).capitalize()} begins in second {part.heard[0][0]}.")


def which_sounds(scene: Scene, rng: np.random.Generator) -> Told | None:
    parts = heard_parts(scene)
    if len(parts) != 1:
        return None
    options = [f"the {name}" for name in quiz.four_with(parts[0].actor, scene, rng)]
    question = f"Who makes the noise: {of_these(options)}?"
    return so("conclusions", question, voices(parts), f"It is the {parts[0].actor}.")


def which_heard(scene: Scene, rng: np.random.Generator) -> Told | None:
    parts = heard_parts(scene)
    if len(parts) != 1:
        return None
    options = [ACTORS[name].label for name in quiz.four_with(parts[0].actor, scene, rng)]
    return so("conclusions", f"Which noise is it: {of_these(options)}?", voices(parts), f"It is {label(parts[0])}.")


def which_second(parts: Sequence[Part], rng: np.random.Generator) -> Told | None:
    if len(parts) != 1:
        return None
    start = parts[0].heard[0][0]
    others = rng.choice([second for second in range(9) if abs(second - start) > 1], size=3, replace=False).tolist()
    options = [f"second {second}" for second in sorted([start, *others])]
    question = f"When does the noise begin: {of_these(options)}?"
    return so("conclusions", question, _starts(parts), f"It is second {start}.")


def _lasting(part: Part) -> int:
    return sum(end - start for start, end in part.heard)
