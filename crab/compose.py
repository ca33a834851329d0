"""Scenes that a person composes: from what is on a form to a `Scene`, what it can be asked, and how near an answer is.

Nothing but what is on the form decides the scene, so that whoever changes one thing has changed nothing else: nobody
drifts, the view stands still, voices are equally loud and the room is dry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from crab import CrabError
from crab.scenes.asking import questions, quiz
from crab.scenes.asking.questions import Question
from crab.scenes.asking.quiz import Asked
from crab.scenes.asking.words import event, listed, one_of
from crab.scenes.world import script
from crab.scenes.world.cast import ACTIONS, ACTORS, EMOTIONS, OBJECTS
from crab.scenes.world.script import ASPECT, BACKDROPS, DURATION, Background, Part, Scene, Stretches, seen_parts
from crab.tasks import TASKS

MOST = 4  # actors in a scene
SMALLEST, LARGEST = 20, 95  # per cent of the picture's height
LOOKS = 1000  # looks and backdrops to choose among: 0 to 999
MOST_LOOK = 1_000_000_000  # looks that are typed are smaller than this, which is exact on every side

_DRAWS = 24  # ways to word the questions of a scene that are searched for one asked before
_WHOLE = f"0-{DURATION}"


@dataclass(frozen=True)
class Row:
    """One line of the form. `place` and `size` are per cent of the picture's width and height."""

    actor: str = ""  # "" for nobody
    place: float = 50
    size: float = 50
    seen: str = _WHOLE  # as `stretches` reads it
    heard: str = ""
    look: int = 0


# ---- the form ----


def names() -> list[tuple[str, str]]:
    """Everybody who can be in a scene, group by group: (what a list shows, name)."""
    return [(f"{actor.group.capitalize()} · {name}", name) for name, actor in ACTORS.items()]


def compose(backdrop: str, rows: Iterable[Row], seed: int) -> Scene:
    """The scene of a form; `seed` decides the details of the backdrop. Rows without an actor are empty.

    An actor that is neither seen nor heard is not in the scene; one that would stand over the edge is moved inside.
    Raises CrabError with a sentence where a form asks for what cannot be.
    """
    if backdrop not in BACKDROPS:
        raise CrabError(f"There is no backdrop {backdrop!r}: choose {', '.join(BACKDROPS[:-1])} or {BACKDROPS[-1]}.")
    rows = [row for row in rows if row.actor]
    if len(rows) > MOST:
        raise CrabError(f"{len(rows)} actors are too many for one scene: choose {MOST} at most.")
    _check_cast([row.actor for row in rows])
    parts = [part for part in map(_part, rows) if part.seen or part.heard]
    if not parts:
        raise CrabError("There is nobody in the scene: choose an actor, and say when it is seen or heard.")
    seed = _whole(seed, "The backdrop’s look")
    return Scene(seed, float(DURATION), Background(backdrop, seed), tuple(sorted(parts, key=lambda part: part.x)))


def _check_cast(cast: Sequence[str]) -> None:
    for name in cast:
        if name not in ACTORS:
            raise CrabError(f"Nobody here is called {name!r}: choose an actor from the list.")
        if cast.count(name) > 1:
            raise CrabError(f"The {name} is there twice, and no question could tell which is meant: choose another.")
    people = [name for name in cast if ACTORS[name].group in ("person", "action", "emotion")]
    if len(people) > 1 and (alone := [name for name in people if name in (*ACTIONS, *EMOTIONS)]):
        others = listed([f"“{name}”" for name in people if name != alone[0]])
        raise CrabError(
            f"An action or a feeling is about the only person there: “{alone[0]}” cannot be beside {others}."
        )


def _part(row: Row) -> Part:
    size = float(np.clip(row.size, SMALLEST, LARGEST)) / 100
    half = size / ASPECT / 2
    times = {}
    for sense, text in (("seen", row.seen), ("heard", row.heard)):
        try:
            times[sense] = stretches(text)
        except CrabError as error:
            raise CrabError(f"{row.actor.capitalize()}, when {sense}: {error}") from None
    return Part(
        actor=row.actor,
        variation=_whole(row.look, f"The look of the {row.actor}"),
        x=float(np.clip(row.place / 100, half, 1 - half)),
        y=min(max(0.62 + 0.45 * size, size + 0.04), 0.97),  # what is bigger is nearer
        size=size,
        drift=(0.0, 0.0),
        gain=0.8,
        **times,
    )


def _whole(number: float | None, what: str) -> int:
    if number is None or not 0 <= number < MOST_LOOK or number != int(number):
        raise CrabError(f"{what} is a whole number from 0 to {MOST_LOOK - 1:,}.")
    return int(number)


_STRETCH = re.compile(r"\s*([0-9]{1,4})\s*(?:[-–—]|to)\s*([0-9]{1,4})\s*")


def stretches(text: str | None) -> Stretches:
    """Whole seconds as they are typed: `0-3, 6-8`; nothing typed is never. What touches or overlaps becomes one.

    Raises CrabError where that is not what is written, and where a stretch leaves the clip or lasts no time.
    """
    found: list[tuple[int, int]] = []
    for piece in re.split(r"[,;]|\band\b", text or ""):
        if not piece.strip():
            continue
        if not (match := _STRETCH.fullmatch(piece)):
            raise CrabError(
                f"“{piece.strip()}” is not a stretch of whole seconds. Write 0-3, or 0-3, 6-8, or nothing for never."
            )
        start, end = int(match[1]), int(match[2])
        if end > DURATION:
            raise CrabError(f"“{piece.strip()}” leaves the clip, which lasts {DURATION} seconds.")
        if start >= end:
            raise CrabError(f"“{piece.strip()}” ends before it has begun: write the earlier second first.")
        found.append((start, end))
    joined: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def typed(times: Stretches) -> str:
    """Stretches as a person would type them."""
    return ", ".join(f"{start}-{end}" for start, end in times)


@dataclass(frozen=True)
class Form:
    """A form as a page holds it: a backdrop, its look, and rows, of which some may be empty."""

    backdrop: str
    seed: int
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, values: Sequence[Any]) -> Form:
        """From backdrop, seed and the fields of its rows one after the other; the opposite of `values`."""
        backdrop, seed, *cells = values
        width = len(fields(Row))
        return cls(backdrop, seed, tuple(Row(*cells[at : at + width]) for at in range(0, len(cells), width)))

    @property
    def values(self) -> list[object]:
        return [self.backdrop, self.seed, *(value for row in self.rows for value in vars(row).values())]

    def scene(self) -> Scene:
        """What the form describes; raises CrabError as `compose` does."""
        return compose(self.backdrop, self.rows, self.seed)


def to_link(form: Form) -> str:
    """A form as a link carries it: a list in JSON, which `of_link` reads."""
    return json.dumps(form.values, separators=(",", ":"))


def of_link(link: str) -> Form:
    """The form that a link carries, whose scene can be drawn.

    Raises CrabError where that is no form of ours: whoever wrote the link may have written anything.
    """
    try:
        values = json.loads(link)
        if not isinstance(values, list):
            raise ValueError("not the fields of a form")
        form = Form.of(values)
        right = isinstance(form.backdrop, str) and _counts(form.seed) and len(form.rows) == MOST
        if not (right and form.values == values and all(map(_is_row, form.rows))):
            raise ValueError("not the fields of a form")
        form.scene()
        return form
    except (ValueError, TypeError, RecursionError, CrabError):
        raise CrabError("The link does not name a scene that can be drawn: open the page without it.") from None


def _is_row(row: Row) -> bool:
    words = isinstance(row.actor, str) and all(text is None or isinstance(text, str) for text in (row.seen, row.heard))
    return words and all(_counts(n) and 0 <= n <= 100 for n in (row.place, row.size)) and _counts(row.look)


def _counts(number: Any) -> bool:
    return type(number) in (int, float) and abs(number) < MOST_LOOK  # which no NaN is


def surprise(seed: int) -> Form:
    """A form with `MOST` rows that is filled in near the scene that `script.write` makes of this seed."""
    scene = script.write(seed)
    rows = [
        Row(
            part.actor,
            round(100 * part.x),
            round(100 * part.size),
            typed(part.seen),
            typed(part.heard),
            part.variation % LOOKS,
        )
        for part in scene.parts
    ]
    rows += [Row()] * (MOST - len(rows))
    return Form(scene.background.kind, scene.background.seed % LOOKS, tuple(rows))


def changes(before: Scene, now: Scene) -> list[str]:
    """What is different in `now`, a phrase a thing: "dog heard 2-6 → never"."""
    told = []
    if (before.background.kind, before.seed) != (now.background.kind, now.seed):
        told.append("another backdrop")
    was, is_now = ({part.actor: part for part in scene.parts} for scene in (before, now))
    told += [f"{name} gone" for name in was if name not in is_now]
    for name, part in is_now.items():
        if name not in was:
            told.append(f"{name} new")
            continue
        for sense in ("seen", "heard"):
            one, other = (typed(getattr(of, sense)) or "never" for of in (was[name], part))
            told += [f"{name} {sense} {one} → {other}"] * (one != other)
        for what, attribute in (("place", "x"), ("size", "size")):
            one, other = (round(100 * getattr(of, attribute)) for of in (was[name], part))
            told += [f"{name}’s {what} {one} → {other}"] * (one != other)
        told += [f"{name} looks different"] * (was[name].variation != part.variation)
    return told


# ---- what it can be asked ----


def asked(scene: Scene) -> dict[str, Question]:
    """The questions that a composed scene has a clear answer to, by a key that names each."""
    return {key(question): question for question in _ask(scene, 0)}


def again(scene: Scene, keep: str) -> Question | None:
    """The question that had this key in another scene, if this one answers it too.

    That is the same question, or the nearest to it where options or the second of a picture are drawn anew.
    """
    draws = [_ask(scene, draw) for draw in range(_DRAWS)] if keep else []
    return next(
        (
            question
            for alike in (str, _stem)
            for draw in draws
            for question in draw
            if alike(key(question)) == alike(keep)
        ),
        None,
    )


def choices(scene: Scene, keep: str = "") -> tuple[list[tuple[str, str]], str | None]:
    """For a list to choose from: (what it shows, key) of each question, and the key of the one that is chosen.

    That is the one asked before (`keep`) as long as the scene has a clear answer to it, else the first.
    """
    known, kept = asked(scene), again(scene, keep)
    if kept:
        known.setdefault(key(kept), kept)
    return [(told(question), name) for name, question in known.items()], key(kept) if kept else next(iter(known), None)


def chosen(scene: Scene, of: str, own: str = "") -> Question:
    """What to ask: a person's own question if there is one (its truth is not known: no target), or that with key `of`.

    Raises CrabError where this scene has no clear answer to that.
    """
    if own.strip():
        return Question("avqa", own.strip(), "", "")
    if not of:
        raise CrabError("There is no question yet: choose one, or type your own.")
    if not (question := again(scene, of)):
        raise CrabError("This scene has no clear answer to that question: choose another, or type it as your own.")
    return question


def key(question: Question) -> str:
    return f"{question.dataset}@{question.time:g} {question.question}"


def _stem(of: str) -> str:
    """A key without what is drawn anew in every scene: options and second."""
    where, _, words = of.partition(" ")
    return f"{where.partition('@')[0]} {words.partition(', options:')[0]}"


def told(question: Question) -> str:
    """A question in a line of a list: its data set, and what is asked or what the data set asks for."""
    words, _, options = question.question.partition(", options:")
    words = words or TASKS[question.dataset].title
    words += f" ({options.strip('[]').replace(chr(39), '')})" if options else ""
    at = f", at {question.time:g} s" if question.time else ""
    return f"{question.dataset} · {words}{at}"


def _ask(scene: Scene, draw: int) -> list[Question]:
    rng = np.random.default_rng([scene.seed, draw])
    person = next((part for part in scene.parts if part.actor in (*ACTIONS, *EMOTIONS)), None)
    if person:  # what is done or felt is clear to whom it is both shown and heard
        clear = person.seen and person.heard
        if person.actor in ACTIONS:
            return questions.ask_action(scene, rng) if clear else []
        return questions.ask_emotion(Scene(**{**vars(scene), "parts": (person,)}), rng) if clear else []
    if any(part.heard for part in scene.parts):
        return questions.ask(scene, rng)
    return _ask_silent(scene, rng)


def _ask_silent(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """What is left where nobody sounds: `questions.ask` is for scenes in which somebody does."""
    names = [part.actor for part in seen_parts(scene)]
    events = ", ".join(event("visual_event", part, part.seen) for part in seen_parts(scene))
    made = [Question("avvp", "", f"{quiz.shows(scene)}, and there is no sound. The events are {events}.", events)]
    made.append(Question("avcap", "", caption := f"{quiz.in_a_row(names)}. There is no sound.", caption))
    silence, name = "There is no sound", str(rng.choice(names if rng.random() < 0.5 else OBJECTS))
    count = one_of(rng, "How many objects are sounding?", "How many objects are sounding in the video?")
    sounds = one_of(rng, f"Is the {name} making a sound?", f"Is the {name} sounding in the video?")
    words = [
        Asked(count, f"{silence}.", "zero", ("Audio", "Counting")),
        Asked(sounds, f"{silence}, so the {name} is silent.", "no", ("Audio-Visual", "Existential")),
        quiz.count_kinds(scene, rng),
        quiz.is_there(scene, rng),
        quiz.left_of(scene, rng),
    ]
    made += [
        Question("avqa", one.question, f"{one.reason} The answer is <answer> {one.answer} </answer>.", one.answer)
        for one in words
        if one
    ]
    for one in filter(None, (quiz.choose_seen(scene, rng), quiz.choose_where(scene, rng))):
        made.append(
            Question(
                "avqa_thu",
                f"{one.question}, options:{list(one.options)}",
                f"{one.reason} The answer is <answer>{one.answer}</answer>.",
                one.answer,
            )
        )
    return made
