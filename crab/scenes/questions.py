"""What a scene can be asked, and the truth.

Questions carry the published data set's name, so that the same prompts and the
same reading of answers serve the shipped model and the released one. Target
texts reason in a sentence or two that is true of the scene and end in the data
set's tagged result. Times are whole seconds, coordinates whole pixels of the
224 x 224 picture.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_erosion

from . import render
from .actors import ACTORS
from .script import DURATION, Part, Scene, Stretches, during, place

DATASETS = ("ave", "avvp", "avqa", "arig", "s4", "avcap")  # what `ask` asks
GRID = (224, 224)
_NUMBERS = ("zero", "one", "two", "three", "four")


@dataclass(frozen=True)
class Question:
    """One thing to ask of a scene.

    `question` is what a person types ("" where the data set's own instruction
    says it all), `target` the full text to answer, `answer` the bare reference:
    the word (avqa, s4), the tagged events (ave, avvp), the published reference
    sentence (arig), the caption (avcap). `time` is the second whose picture is
    meant where one picture is asked about (arig, s4), else 0.
    """

    dataset: str
    question: str
    target: str
    answer: str
    time: float = 0.0


def ask(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """Every question of `DATASETS` this scene has a clear answer to, of avqa several kinds."""
    asked = [_ave(scene, rng), _avvp(scene, rng)]
    for kind in (_sounding, _count_sounding, _count_kinds, _is_there, _is_sounding, _left_of, _where, _first):
        asked.append(kind(scene, rng))
    asked += [_arig(scene, rng), _s4(scene, rng), _avcap(scene, rng)]
    return [question for question in asked if question is not None]


def ask_picture(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """Looking practice, for scenes of `script.write_picture`: all about the one picture at `time`."""
    time = int(rng.integers(DURATION)) + 0.5
    shown = render.masks(scene, time, GRID)
    names = [part.actor for part, _ in shown]
    row = f"From left to right there {'is' if len(names) == 1 else 'are'} {_list(names, article=True)}."
    part, mask = shown[rng.integers(len(shown))]
    kinds = [
        ("How many kinds of objects are in the picture?", row, _NUMBERS[len(names)]),
        ("What is on the left?", row, names[0]),
        ("What is on the right?", row, names[-1]),
    ]
    asked = [_answered(question, reason, answer, rng, time) for question, reason, answer in kinds]
    asked += [question for question in (_is_there(scene, rng, time), _left_of(scene, rng, time)) if question]
    sentence = f"Its coordinates are {_obj(render.box(mask))}."
    asked.append(Question("avqa", f"What are the coordinates of the {part.actor}?",
        f"The object is {part.actor}. {sentence}", sentence, time))
    if len(shown) == 1:
        sentence = f"The sounding object is {part.actor}. {sentence}"
        asked.append(Question("arig", "", sentence, sentence, time))
    return asked


def ask_sound(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """Listening practice, for scenes of `script.write_sound`."""
    asked = (_ave(scene, rng), _sounding(scene, rng), _is_sounding(scene, rng))
    return [question for question in asked if question is not None]


# ---- words -----------------------------------------------------------------


def _a(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _list(words: Sequence[str], *, article: bool = False) -> str:
    words = [_a(word) if article else word for word in words]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _one_of(rng: np.random.Generator, *wordings: str) -> str:
    return wordings[rng.integers(len(wordings))]


def _from_to(stretches: Stretches) -> str:
    return " and ".join(f"from {start} to {end}" for start, end in stretches)


def _event(tag: str, part: Part, stretches: Stretches) -> str:
    times = "".join(f"({start} {end})" for start, end in stretches)
    return f"<{tag}>{ACTORS[part.actor].label}, {times}</{tag}>"


def _obj(box: tuple[int, int, int, int]) -> str:
    x1, y1, x2, y2 = box
    return f"<obj>({x1},{y1})({x2},{y2})</obj>"


# ---- what is true ----------------------------------------------------------


def _heard(scene: Scene) -> list[Part]:
    """Sounding actors by when they start (then by name)."""
    return sorted((part for part in scene.parts if part.heard), key=lambda part: (part.heard, part.actor))


def _seen(scene: Scene) -> list[Part]:
    """Actors ever in view, from left to right."""
    return [part for part in scene.parts if part.seen]


# ---- data sets -------------------------------------------------------------


def _ave(scene: Scene, rng: np.random.Generator) -> Question:
    heard = _heard(scene)
    sounds = _list([f"{ACTORS[part.actor].label} {_from_to(part.heard)}" for part in heard])
    events = ", ".join(_event("event", part, part.heard) for part in heard)
    reason = _one_of(rng, f"The sound is {sounds}.", f"I hear {sounds}.")
    return Question("ave", "", f"{reason} Therefore, the events and time range are {events}.", events)


def _avvp(scene: Scene, rng: np.random.Generator) -> Question:
    seen, heard = _seen(scene), _heard(scene)
    sights = _list([part.actor for part in seen], article=True) or "no object"
    sounds = _list([ACTORS[part.actor].label for part in heard])
    events = " and ".join(filter(None, (
        ", ".join(_event("visual_event", part, part.seen) for part in seen),
        ", ".join(_event("audio_event", part, part.heard) for part in heard),
    )))
    reason = _one_of(rng, f"The video shows {sights}, and the sound is {sounds}.", f"I see {sights} and hear {sounds}.")
    return Question("avvp", "", f"{reason} The events are {events}.", events)


def _answered(question: str, reason: str, answer: str, rng: np.random.Generator, time: float = 0.0) -> Question:
    close = _one_of(rng, "The answer is", "So the answer is")
    return Question("avqa", question, f"{reason} {close} <answer> {answer} </answer>.", answer, time)


def _sounding(scene: Scene, rng: np.random.Generator) -> Question | None:
    heard = _heard(scene)
    if len(heard) != 1:
        return None
    name = heard[0].actor
    reason = f"The sound is {ACTORS[name].label}, so it comes from the {name}."
    return _answered("Which object is making the sound?", reason, name, rng)


def _sounds_are(scene: Scene) -> str:
    labels = [ACTORS[part.actor].label for part in _heard(scene)]
    return f"The {'sound is' if len(labels) == 1 else 'sounds are'} {_list(labels)}"


def _count_sounding(scene: Scene, rng: np.random.Generator) -> Question:
    return _answered("How many objects are sounding?", f"{_sounds_are(scene)}.", _NUMBERS[len(_heard(scene))], rng)


def _shows(scene: Scene) -> str:
    return f"The video shows {_list([part.actor for part in _seen(scene)], article=True) or 'no object'}"


def _count_kinds(scene: Scene, rng: np.random.Generator) -> Question:
    return _answered("How many kinds of objects are in the video?", f"{_shows(scene)}.", _NUMBERS[len(_seen(scene))],
        rng)


def _is_there(scene: Scene, rng: np.random.Generator, time: float = 0.0) -> Question:
    seen = [part.actor for part in _seen(scene)]
    yes = bool(seen) and rng.random() < 0.5
    name = str(rng.choice(seen if yes else [name for name in ACTORS if name not in seen]))
    reason = f"{_shows(scene)}, so there is {_a(name) if yes else f'no {name}'}."
    return _answered(f"Is there {_a(name)} in the video?", reason, "yes" if yes else "no", rng, time)


def _is_sounding(scene: Scene, rng: np.random.Generator) -> Question:
    heard = [part.actor for part in _heard(scene)]
    silent = [part.actor for part in _seen(scene) if not part.heard]
    yes = rng.random() < 0.5
    absent = [name for name in ACTORS if name not in heard]
    name = str(rng.choice(heard if yes else silent if silent and rng.random() < 0.7 else absent))
    reason = f"{_sounds_are(scene)}, so the {name} is {'sounding' if yes else 'silent'}."
    return _answered(f"Is the {name} making a sound?", reason, "yes" if yes else "no", rng)


def _left_of(scene: Scene, rng: np.random.Generator, time: float = 0.0) -> Question | None:
    seen = [part.actor for part in _seen(scene)]
    if len(seen) < 2:
        return None
    left, right = sorted(rng.choice(len(seen), size=2, replace=False).tolist())
    yes = rng.random() < 0.5
    one, other = (seen[left], seen[right]) if yes else (seen[right], seen[left])
    side = "left" if yes else "right"
    reason = f"From left to right there are {_list(seen, article=True)}, so the {one} is to the {side} of the {other}."
    return _answered(f"Is the {one} to the left of the {other}?", reason, "yes" if yes else "no", rng, time)


def _where(scene: Scene, rng: np.random.Generator) -> Question | None:
    heard = _heard(scene)
    if len(heard) != 1 or not heard[0].seen:
        return None
    thirds = {_third(place(heard[0], time)[0]) for time in (0, DURATION)}
    side = thirds.pop()
    if thirds or side is None:
        return None
    reason = f"The sounding object is the {heard[0].actor}, which is {'in' if side == 'middle' else 'on'} the {side}."
    return _answered("Where is the sounding object?", reason, side, rng)


def _third(x: float) -> str | None:
    """Which third of the picture, None when too near a border to say."""
    if min(abs(x - 1 / 3), abs(x - 2 / 3)) < 0.03:
        return None
    return ("left", "middle", "right")[int(x * 3)]


def _first(scene: Scene, rng: np.random.Generator) -> Question | None:
    heard = _heard(scene)
    starts = [part.heard[0][0] for part in heard]
    if len(heard) < 2 or starts[0] == starts[1]:
        return None
    told = _list([f"{ACTORS[part.actor].label} starts at {start}" for part, start in zip(heard, starts)])
    return _answered("Which object makes a sound first?", f"{told}.".capitalize(), heard[0].actor, rng)


def _sounding_picture(scene: Scene, rng: np.random.Generator,
    clear: Callable[[list[Part], float], bool]) -> tuple[float, Part, np.ndarray] | None:
    """A drawn second at which one actor sounds in view and the scene is `clear`: (time, actor, mask)."""
    choices = []
    for second in range(DURATION):
        time = second + 0.5
        heard = [part for part in scene.parts if during(part.heard, time)]
        if len(heard) == 1 and during(heard[0].seen, time) and clear(heard, time):
            choices.append((time, heard[0]))
    if not choices:
        return None
    time, part = choices[rng.integers(len(choices))]
    mask = next((mask for other, mask in render.masks(scene, time, GRID) if other is part), None)
    if mask is None or mask.sum() < 60:
        return None
    return time, part, mask


def _arig(scene: Scene, rng: np.random.Generator) -> Question | None:
    # The whole sound goes with the picture, so nothing else in view may ever sound.
    def clear(heard: list[Part], time: float) -> bool:
        return all(not part.heard for part in scene.parts if part not in heard and during(part.seen, time))

    found = _sounding_picture(scene, rng, clear)
    if found is None:
        return None
    time, part, mask = found
    sentence = f"The sounding object is {part.actor}. Its coordinates are {_obj(render.box(mask))}."
    return Question("arig", "", sentence, sentence, time)


def _s4(scene: Scene, rng: np.random.Generator) -> Question | None:
    # One fifth of the sound goes with the picture, so nobody else may sound in those two seconds.
    def clear(heard: list[Part], time: float) -> bool:
        piece = int(time) // 2 * 2
        others = [part for part in scene.parts if part not in heard]
        return not any(during(part.heard, second) for part in others for second in (piece, piece + 1))

    found = _sounding_picture(scene, rng, clear)
    if found is None:
        return None
    time, part, mask = found
    x1, y1, x2, y2 = render.box(mask)
    points = ",".join(f"[{x},{y}]" for x, y in points_in(mask))
    where = f"Its bounding box is [{x1},{y1},{x2},{y2}] and three points on it are {points}."
    target = f"The object making the sound in the video is {part.actor}. {where}"
    return Question("s4", "", target, part.actor, time)


def points_in(mask: np.ndarray) -> list[tuple[int, int]]:
    """Three (x, y) inside a non-empty mask: its middle a quarter, half and three quarters of the way across."""
    core = binary_erosion(mask, iterations=2)
    core = core if core.any() else mask
    columns = np.flatnonzero(core.any(axis=0))
    points = []
    for share in (0.25, 0.5, 0.75):
        x = columns[round(share * (len(columns) - 1))]
        rows = np.flatnonzero(core[:, x])
        points.append((int(x), int(rows[len(rows) // 2])))
    return points


def _avcap(scene: Scene, rng: np.random.Generator) -> Question:
    seen, heard = _seen(scene), _heard(scene)
    names = [part.actor for part in seen]
    if not seen:
        sight = "The stage is empty."
    elif len(seen) == 1:
        side = ("left", "middle", "right")[int(seen[0].x * 3)]
        sight = f"{_a(names[0]).capitalize()} is {'in' if side == 'middle' else 'on'} the {side}."
    else:
        sight = f"From left to right there are {_list(names, article=True)}."
    sounds = _list([f"{ACTORS[part.actor].label} {_from_to(part.heard)}" for part in heard])
    caption = f"{sight} {_one_of(rng, 'The sound is', 'We hear')} {sounds} seconds."
    return Question("avcap", "", caption, caption)
