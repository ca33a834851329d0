"""Every form of question that is asked in words, one of each: what crab-mini says of its lessons (`crab.taught`)."""

from __future__ import annotations

from functools import cache

import numpy as np

from crab.scenes.asking import pointing, quiz
from crab.scenes.asking.quiz import Asked
from crab.scenes.world import script
from crab.scenes.world.cast import ACTIONS, ACTORS, EMOTIONS, OBJECTS
from crab.tasks import TASKS
from crab.taught import Taught

SCENES = 110  # that are asked until every form has been met; a test holds that more bring no others


@cache
def taught(scenes: int = SCENES) -> Taught:
    """All there is in this world, and a question of every form of avqa, avqa_thu and ref_avs."""
    found: dict[str, list[str]] = {"avqa": [], "avqa_thu": [], "ref_avs": []}
    known = Taught(tuple(OBJECTS), tuple(ACTORS[name].label for name in OBJECTS), tuple(ACTIONS), tuple(EMOTIONS))
    for seed in range(scenes):
        scene, rng = script.write(seed), np.random.default_rng(seed)
        one = pointing.described(scene, rng)
        words = {
            "avqa": [_typed(kind(scene, rng)) for kind in quiz.KINDS],
            "avqa_thu": [_typed(kind(scene, rng)) for kind in quiz.CHOICES],
            "ref_avs": [one.words if one else ""],
        }
        for dataset, questions in words.items():
            for question in filter(None, questions):
                so_far = Taught(known.things, known.sounds, questions={dataset: tuple(found[dataset])})
                if not found[dataset] or not so_far.covers(TASKS[dataset], question):
                    found[dataset].append(question)
    return Taught(known.things, known.sounds, known.actions, known.emotions, {k: tuple(v) for k, v in found.items()})


def _typed(asked: Asked | None) -> str:
    """As a person types it."""
    if asked is None:
        return ""
    return f"{asked.question} | {'; '.join(asked.options)}" if asked.options else asked.question
