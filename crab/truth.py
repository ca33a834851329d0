"""What is true of a drawn scene that was asked about, and how near an answer comes to it.

The clips that ship as examples are scenes of this project, so that their truth is known from their seeds; so is that of
a scene which a visitor composes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from crab import CrabError, answer
from crab.answer import Answer
from crab.metrics import accuracy, box_iou, jaccard, temporal_iou
from crab.reference import HOLDS, Reference
from crab.scenes.asking import questions
from crab.scenes.asking.questions import Question
from crab.scenes.world.script import DURATION, Scene
from crab.tasks import TASKS, Task, instruction

NEAR_ENOUGH = 0.5  # IoU from which a stretch of time or a box counts as the true one
SOMEWHERE_NEAR = 0.1  # IoU below which a box is wrong, whatever its name
RULES = {
    "events": "Found: half or more of all seconds that either has are shared.",
    **dict.fromkeys(
        ("box", "box_points", "exists_box_points"),
        "Right: half or more of the area is shared, and the name is right. Partly: a tenth or more, and one of the two.",
    ),
}  # by grammar: from where on what counts
DRAWS = 12  # of questions about a scene, each with other wordings and names


# ---- what is true ----


@dataclass(frozen=True)
class Drawn:
    """A scene of `crab.scenes` by the kind and the seed that `python -m crab scenes show` takes; `which` (0 or 1), of a
    pair, is the scene whose sound or video is to be matched."""

    kind: str
    seed: int
    which: int = 0


@lru_cache(maxsize=64)
def asked_of(drawn: Drawn) -> tuple[Question, ...]:
    """What a drawn scene has a clear answer to, each wording once; what shows one picture is asked at a drawn second."""
    kind = questions.KINDS[drawn.kind]
    written = kind.write(drawn.seed)
    found: dict[tuple, Question] = {}
    for draw in range(DRAWS):
        for question in kind.ask(written, np.random.default_rng([drawn.seed, draw])):
            found.setdefault((question.dataset, question.question, question.time, question.which), question)
    return tuple(found.values())


def found(drawn: Drawn, task: Task, question: str, time: float) -> Question | None:
    """The question with its target, as it is asked of the picture at `time` where one is shown; None where the scene
    has no clear answer to it, or where it is worded as no question of this world is."""
    return next((one for one in _of(drawn, task, time) if _same(task, one.question, question)), None)


def _of(drawn: Drawn, task: Task, time: float) -> Iterator[Question]:
    written = questions.KINDS[drawn.kind].write(drawn.seed)
    if "image" in task.media and isinstance(written, Scene):
        for draw in range(DRAWS):
            rng = np.random.default_rng([drawn.seed, draw])
            ask = questions.ask_about if task.needs else questions.ask_sounding
            yield from (one for one in ask(written, time, rng) if one.dataset == task.name)
        return
    yield from (one for one in asked_of(drawn) if one.dataset == task.name and one.which == drawn.which)


def _same(task: Task, one: str, other: str) -> bool:
    try:
        return instruction(task, one) == instruction(task, other)
    except CrabError:
        return False


def truth(question: Question, size: tuple[int, int]) -> Answer | None:
    """The question's target, read as an answer is read; `size` is the (width, height) that boxes are to be in."""
    if not question.target:
        return None
    return answer.parse(question.target, TASKS[question.dataset], duration=float(DURATION), size=size)


def judged(
    drawn: Drawn, task: Task, question: str, prediction: Answer, *, time: float, size: tuple[int, int]
) -> tuple[Answer | None, Verdict]:
    """What is true of a scene that was asked about, None where that is not known, and whether the prediction says it;
    `time` and `size` (width, height) are those of the picture asked about."""
    known = found(drawn, task, question, time)
    reference = truth(known, size) if known else None
    return reference, judge(prediction, reference, task.grammar)


# ---- how near an answer is ----


@dataclass(frozen=True)
class Verdict:
    right: bool | None  # None: partly, or not to be judged
    sign: str  # "✓" | "✗" | "≈" | "–"
    words: str  # a sentence
    rule: str = ""  # from where on what counts, a sentence


def judge(prediction: Answer, reference: Answer | None, grammar: str) -> Verdict:
    """Whether a prediction is what is true, where a task of this `grammar` has a right and a wrong."""
    if reference is None:
        return Verdict(None, "–", "The truth of this question is not known here: judge for yourself.")
    if grammar == "text":
        return Verdict(None, "–", "A description is neither right nor wrong: compare the two.")
    if grammar == "events":
        return _judge_events(prediction, reference)
    if grammar in ("box", "box_points"):
        return _judge_box(prediction, reference)
    if grammar == "exists_box_points":
        if prediction.exists is None:
            return Verdict(False, "✗", "Wrong: it does not say whether there is such a thing.")
        if prediction.exists != reference.exists:
            return Verdict(False, "✗", f"Wrong: there is {'such a' if reference.exists else 'no such'} thing.")
        return (
            _judge_box(prediction, reference)
            if reference.exists
            else Verdict(True, "✓", "Right: there is no such thing.")
        )
    # Untagged, a text that is the bare word is an answer too, as in crab.learn.evaluate.
    if accuracy([prediction.text if prediction.choice is None else prediction.choice], [reference.choice or ""]):
        return Verdict(True, "✓", f"Right: {reference.choice}.")
    instead = f"not {prediction.choice}" if prediction.choice else "and no answer could be read"
    return Verdict(False, "✗", f"Wrong: it is {reference.choice}, {instead}.")


def _judge_events(prediction: Answer, reference: Answer) -> Verdict:
    """Stretches of one label and one sense count as one thing, found where half of their seconds or more are shared."""
    claimed, true = _by_thing(prediction), _by_thing(reference)
    hits = sum(temporal_iou(claimed.get(thing, []), spans) >= NEAR_ENOUGH for thing, spans in true.items())
    extra = sum(thing not in true for thing in claimed)
    words = f"{hits} of {len(true)} found, at about the right time"
    words += f", and {extra} that {'is' if extra == 1 else 'are'} not there." if extra else "."
    return _graded(hits == len(true) and not extra, bool(hits), words, RULES["events"])


def _by_thing(of: Answer) -> dict[tuple[str, str], list[tuple[float, float]]]:
    things: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for one in of.events:
        things.setdefault((one.label.casefold(), one.modality), []).append((one.start, one.end))
    return things


def _judge_box(prediction: Answer, reference: Answer) -> Verdict:
    if not prediction.boxes:
        return Verdict(False, "✗", "Wrong: it gives no box.")
    box, true = prediction.boxes[0], reference.boxes[0]
    shared = box_iou((box.x1, box.y1, box.x2, box.y2), (true.x1, true.y1, true.x2, true.y2))
    near, named = shared >= NEAR_ENOUGH, bool(accuracy([box.label], [true.label]))
    name = f"it is the {true.label}"
    if not named:
        name += f", not the {box.label}" if box.label else ", which it does not say"
    words = f"the box shares {shared:.0%} of its area with the true one, and {name}."
    return _graded(near and named, near or named and shared >= SOMEWHERE_NEAR, words, RULES["box"])


def _graded(right: bool, partly: bool, words: str, rule: str) -> Verdict:
    if right:
        return Verdict(True, "✓", f"Right: {words}", rule)
    return (
        Verdict(None, "≈", f"Partly right: {words}", rule) if partly else Verdict(False, "✗", f"Wrong: {words}", rule)
    )


# ---- by somebody's file ----


@dataclass(frozen=True)
class Against:
    """An answer and what a file says is true, made comparable, and how near they are."""

    said: Answer
    meant: Answer
    verdict: Verdict
    overlaps: tuple[tuple[int, float], ...]  # (second, J of what is masked in it on either side), in order
    facts: tuple[str, ...]  # what to know about the comparison, a sentence each


def against(said: Answer, masks: Iterable[Any], reference: Reference, grammar: str) -> Against:
    """Hold an answer of this `grammar`, and its masks (each with a `time` and a `mask`), against a reference.

    Raises CrabError where the two have nothing in common that could be compared.
    """
    meant, facts = reference.answer, reference.facts
    overlaps, why = _by_second(masks, reference.masks)
    facts += (why,) if why else ()
    if "box" in grammar and meant.boxes and meant.exists is None:
        meant = replace(meant, exists=True)
    there = {
        "events": bool(meant.events), "text": bool(meant.text.strip()), "box": bool(meant.boxes or overlaps),
        **dict.fromkeys(("choice", "match"), meant.choice is not None), "box_points": bool(meant.boxes or overlaps),
        "exists_box_points": meant.exists is not None or bool(overlaps),
    }  # fmt: skip
    if not there[grammar]:
        has = [name for name in ("events", "boxes") if getattr(meant, name)] + ["a choice"] * (meant.choice is not None)
        has += ["masks"] * bool(reference.masks)
        raise CrabError(
            f"To hold this answer against the file, it needs {HOLDS[grammar]}; what it has is "
            f"{' and '.join(has) or 'none of that'}{f'. {why}' if why else '.'}"
        )
    if grammar == "events" and _senseless(meant) != _senseless(said):
        said, meant = _without_senses(said), _without_senses(meant)
        facts += ("One of the two does not tell what is heard from what is seen: only labels and times are compared.",)
    return Against(said, meant, _verdict(said, meant, grammar), overlaps, facts)


def _verdict(said: Answer, meant: Answer, grammar: str) -> Verdict:
    if "box" in grammar and not meant.boxes and False not in (said.exists, meant.exists):
        return Verdict(None, "–", "Where it is, the file tells by masks alone, or not at all.")
    return judge(said, meant, grammar)


def _senseless(of: Answer) -> bool:
    """Whether no event tells by which sense it is known, of some at least."""
    return bool(of.events) and all(event.modality == "both" for event in of.events)


def _without_senses(of: Answer) -> Answer:
    return replace(of, events=tuple(replace(event, modality="both") for event in of.events))


def _by_second(ours: Iterable[Any], theirs: Iterable[Any]) -> tuple[tuple[tuple[int, float], ...], str]:
    """J a second of all that is masked in it, and why there is none where both sides have masks."""
    sides: tuple[dict[int, list[np.ndarray]], ...] = (defaultdict(list), defaultdict(list))
    for side, masks in zip(sides, (ours, theirs)):
        for one in masks:
            side[int(one.time)].append(one.mask)
    if not all(sides):
        return (), ""
    if len({mask.shape for side in sides for of in side.values() for mask in of}) > 1:
        return (), "The masks are of pictures of two sizes, and are not compared."
    both = sorted(sides[0].keys() & sides[1].keys())
    found = tuple((second, jaccard(*(np.any(side[second], axis=0) for side in sides))) for second in both)
    return found, "" if found else "The masks are of different seconds, and are not compared."
