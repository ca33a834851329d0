"""What a model says, in its `crab.json`, that it was taught: names of things, and questions in the words of its lessons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from crab.tasks import Task

BAR = re.compile(r"\s*(?:\||, options:).*", re.DOTALL)  # the options of a question


@dataclass(frozen=True)
class Taught:
    """Empty where a model says nothing of its lessons. `questions` has one of every form, by dataset, with names of
    things in them as an example."""

    things: tuple[str, ...] = ()  # that are seen, or sound
    sounds: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    emotions: tuple[str, ...] = ()
    questions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, told: Any) -> Taught:
        """From what is in a file. Raises ValueError, TypeError or AttributeError where that is not of its kind."""
        if unknown := told.keys() - {part.name for part in fields(cls)}:
            raise ValueError(f"taught has {', '.join(sorted(unknown))}, which is not known")
        questions = {dataset: _texts(listed) for dataset, listed in told.get("questions", {}).items()}
        names = {name: _texts(listed) for name, listed in told.items() if name != "questions"}
        return cls(**names, questions=questions)

    def covers(self, task: Task, question: str) -> bool:
        """Whether a question is of a form that was taught: the same words but for the names of things. True where the
        model says nothing of its lessons, or of this task's; options are not looked at."""
        taught = self.questions.get(task.name, ())
        return not taught or self._form(question) in map(self._form, taught)

    def _form(self, question: str) -> str:
        words = BAR.sub("", question).casefold().strip(" \t\n?.!")
        names = sorted((*self.sounds, *self.things), key=len, reverse=True)
        named = re.sub(rf"\b(?:{'|'.join(map(re.escape, names))})\b", "*", words) if names else words
        return re.sub(r"\ban? \*", "a *", re.sub(r"\s+", " ", named))


def _texts(listed: Any) -> tuple[str, ...]:
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ValueError(f"taught has {listed!r}, which is no list of texts")
    return tuple(listed)
