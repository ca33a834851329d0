"""What changing the routing does: to one answer (`compare`), and to the answers to many questions (`damage`)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from crab import CrabError, answer
from crab.answer import Answer, Event
from crab.disk import whole
from crab.intervention import Intervention
from crab.metrics import accuracy, box_iou, jaccard, temporal_iou
from crab.metrics.intervals import bootstrap
from crab.metrics.wording import Edit, edits
from crab.prompt import Prompt
from crab.result import Result
from crab.routing.atlas import LONGEST, Asked
from crab.seen import borne_out
from crab.step import Scores
from crab.windows import join, view, windows_of

if TYPE_CHECKING:
    import torch

    from crab.model import Crab

BATCH = 16  # questions answered at once, for each change in turn

# --- two runs -------------------------------------------------------------------------------------------------------


class Shift(NamedTuple):
    """A token of the first answer, and how much likelier the second run finds it, given what stands before it."""

    text: str
    nats: float  # natural logarithm of the ratio; below 0 it is less likely


@dataclass(frozen=True)
class Comparison:
    """What differs between two answers. An IoU is 0 where only one has any, None where neither does."""

    same: bool  # token by token
    words: tuple[Edit, ...]  # the first text turned into the second
    choices: tuple[str | None, str | None]
    events: float | None  # mean over labels and modalities of their temporal IoU
    boxes: float | None  # IoU of the first box of either
    masks: float | None  # IoU of the first mask of either
    first: int | None  # number of the first token that differs, from 0; None where none does
    kl: float | None  # nats from the first answer's distribution of that token to the second's; None without a model
    shifts: tuple[Shift, ...] = ()  # of the first answer, token by token; empty without a model

    @property
    def facts(self) -> tuple[str, ...]:
        """Sentences for people: what differs besides the words."""
        if self.first is None:
            return ("The same answer, token by token.", *self._shifted)
        kl = "" if self.kl is None else f"; there the second run's choice lies {self.kl:.4f} nats (KL) from the first's"
        sentences = [f"The first token that differs is number {self.first + 1}{kl}."]
        if self.choices[0] != self.choices[1]:
            sentences.append(f"The choice was {self.choices[0]} and is {self.choices[1]}.")
        ious = {"events": self.events, "boxes": self.boxes, "masks": self.masks}
        sentences += [f"The {name} overlap by {iou:.2f} (IoU)." for name, iou in ious.items() if iou is not None]
        return (*sentences, *self._shifted)

    @property
    def _shifted(self) -> tuple[str, ...]:
        if not self.shifts:
            return ()
        most = max(self.shifts, key=lambda shift: abs(shift.nats))
        means = np.mean([shift.nats for shift in self.shifts]), most.nats
        mean, peak = (f"{nats:+.3f}".replace("-", "−") for nats in means)
        return (f"The second run gives the first answer {mean} nats a token, most of all {peak} at "
                f"{most.text.strip()!r}.",)  # fmt: skip

    def __str__(self) -> str:
        edits = (f"{edit.kind}: {edit.before!r} -> {edit.after!r}" for edit in self.words if edit.kind != "equal")
        return "\n".join((*edits, *self.facts))


def compare(before: Result, after: Result, *, crab: Crab | None = None) -> Comparison:
    """Tell two answers apart, of two runs of one question with and without an intervention, or of any two.

    With `crab`, the model that gave both, the first answer is scored again, token by token, once with either run's
    intervention (two passes): `shifts` shows what a change did even where no word is another, `kl` how far apart the
    choices lie where the answers part. Not so for a clip that was asked in windows.
    """
    ids = before.token_ids, after.token_ids
    first = next((i for i in range(min(map(len, ids))) if ids[0][i] != ids[1][i]), min(map(len, ids)))
    same = ids[0] == ids[1]
    kl: float | None = None
    shifts: tuple[Shift, ...] = ()
    if crab is not None:
        one, two = (_scores(crab, result, ids[0], first) for result in (before, after))
        if one is not None and two is not None:
            kl = None if same else _kl(one.choice, two.choice)
            words = (crab.processor.tokenizer.decode([token]) for token in ids[0])
            shifts = tuple(map(Shift, words, (two.nats - one.nats).tolist()))
    boxes = [_corners(result.answer) for result in (before, after)]
    masks = [result.masks_here[0].mask if result.masks_here else None for result in (before, after)]
    return Comparison(
        same=same,
        words=edits(before.text, after.text),
        choices=(before.answer.choice, after.answer.choice),
        events=events_iou(before.answer.events, after.answer.events),
        boxes=_iou(box_iou, *boxes),
        masks=_iou(jaccard, *masks),
        first=None if same else first,
        kl=kl,
        shifts=shifts,
    )


def events_iou(a: Sequence[Event], b: Sequence[Event]) -> float | None:
    """Mean over the labels and modalities of either of their temporal IoU; None where there are no events."""
    kinds = {(event.label, event.modality) for event in (*a, *b)}
    spans = [[[(e.start, e.end) for e in of if (e.label, e.modality) == kind] for of in (a, b)] for kind in kinds]
    return float(np.mean([temporal_iou(*pair) for pair in spans])) if kinds else None


def _iou(measure: Callable, a, b) -> float | None:
    if a is None and b is None:
        return None
    if a is None or b is None or np.shape(a) != np.shape(b):
        return 0.0
    return measure(a, b)


def _corners(found: Answer) -> tuple[float, float, float, float] | None:
    return next(((box.x1, box.y1, box.x2, box.y2) for box in found.boxes), None)


def _scores(crab: Crab, result: Result, written: Sequence[int], at: int) -> Scores | None:
    """What a run makes of `written`, and of what comes after `at` tokens of it; None of a run in windows."""
    if result.over_time:
        return None
    clip, window = view(result.clip, result.task, result.stretch or (0.0, result.clip.duration))
    prompt = crab.prompt(clip, result.task, result.question, other=result.other, window=window)
    if len(prompt.map.tokens) != result.prompt_tokens:
        return None
    return crab.scores(prompt, written, at=at, intervention=result.intervention)


def _kl(a: np.ndarray, b: np.ndarray) -> float:
    """Of two rows of log-probabilities, (vocabulary,)."""
    return max(float((np.exp(a) * (a - b)).sum()), 0.0)


# --- damage ---------------------------------------------------------------------------------------------------------


def nearness(prediction: Answer, asked: Asked, size: tuple[int, int]) -> float:
    """How near an answer is to its target, 0 to 1; `size` is the (width, height) of the picture it is about.

    Choices and matches right or wrong; events by `events_iou`; boxes by IoU; what does not exist by saying so; captions
    by their words (F1). An answer that cannot be read is 0.
    """
    reference = answer.parse(asked.target, asked.task, duration=asked.clip.duration or answer.CLOCK, size=size)
    return near(prediction, reference)


def near(prediction: Answer, reference: Answer) -> float:
    """The same, of a target that is read already."""
    if reference.exists is False:
        return float(prediction.exists is False)
    if reference.boxes:
        box, reference_box = _corners(prediction), _corners(reference)
        return box_iou(box, reference_box) if box and reference_box else 0.0
    if reference.events:
        return events_iou(prediction.events, reference.events) or 0.0
    if reference.choice is not None:
        return accuracy([prediction.choice], [reference.choice])
    return _overlap(prediction.text, reference.text)


def _overlap(prediction: str, reference: str) -> float:
    a, b = (Counter(re.findall(r"\w+", text.lower())) for text in (prediction, reference))
    return 2 * (a & b).total() / max(a.total() + b.total(), 1)


@dataclass(frozen=True)
class Damage:
    """Scores of the same questions, the routing as it is and changed."""

    changes: tuple[str, ...]  # "head 1 muted", ..., "all heads alike"
    families: tuple[str, ...]  # of every question
    before: np.ndarray  # (questions,)
    after: np.ndarray  # (changes, questions)


class DamageTable(NamedTuple):
    """How much a mean score changes, (rows, families) below 0 where answers get worse, with its 95 % interval."""

    rows: tuple[str, ...]  # what was done
    families: tuple[str, ...]
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    before: np.ndarray  # (families,) mean score of the routing as it is
    counts: dict[str, int]  # questions of each family

    @property
    def clear(self) -> np.ndarray:
        """(rows, families) whether the interval leaves out no change at all: the others are not shown to differ."""
        return (self.low > 0) | (self.high < 0)

    def __str__(self) -> str:
        """A line a family and row."""
        lines, width = ["change of the mean score, with its 95 % interval:"], max(map(len, self.rows), default=0)
        for j, family in enumerate(self.families):
            lines.append(f"{family} ({self.counts[family]} questions, score {self.before[j]:.2f})")
            for i, row in enumerate(self.rows):
                interval = f"({self.low[i, j]:+.3f} to {self.high[i, j]:+.3f})"
                lines.append(f"  {row:<{width}}  {self.values[i, j]:+.3f}  {interval}")
        return "\n".join(lines)


def damage(
    crab: Crab,
    asked: Iterable[Asked],
    *,
    score: Callable[[Answer, Asked, tuple[int, int]], float] = nearness,
    max_new_tokens: int = LONGEST,
) -> Damage:
    """Ask every question as it is; with each head muted, in all of the model, in one tower alone and in a third of the
    language model's layers, and each forced; with the router taken away (all heads alike), given to another site, or
    drawn at random; and with all heads muted, which leaves the bare base.

    Questions are answered `BATCH` at a time. Raises CrabError for a question without a target, and as asking does.
    """
    from crab.routing import routers

    if crab.adapter is None:
        raise CrabError(f"{crab.name} has no adapter and so no heads to mute: give one.")
    changes = _changes(crab)
    families, scores = [], []
    asked = iter(asked)
    while some := list(islice(asked, BATCH)):
        if not all(one.target for one in some):
            raise CrabError("What is lost cannot be told without targets, which training records hold (train.json).")
        windows = [_windows(crab, one) for one in some]
        after = []
        for change, instead in changes.values():
            with routers.instead(crab, instead):
                answers = list(_answers(crab, some, windows, change, max_new_tokens))
            after.append([score(*one) for one in zip(answers, some, map(_size, some, windows))])
        families += [one.task.family for one in some]
        scores.append(np.array(after, dtype=float))
    before, *rest = np.concatenate(scores, axis=1) if scores else np.empty((len(changes), 0))
    return Damage(tuple(changes)[1:], tuple(families), before, np.array(rest))


Change = tuple[Intervention | None, "dict[str, torch.Tensor]"]  # and the routers that stand in for the model's own


def _changes(crab: Crab) -> dict[str, Change]:
    """By name; the first, "", changes nothing."""
    from crab.model import site_of
    from crab.routing import routers

    assert crab.adapter is not None
    heads, sites = range(crab.adapter.heads), [site_of(name) for name in crab.adapter.sites]
    layers = sorted({site.layer for site in sites if site.tower == "language"})
    thirds = [tuple(part.tolist()) for part in np.array_split(layers, 3) if len(part)]
    muted = [Intervention("mute", (head,)) for head in heads]
    made = [*muted, *(Intervention("force", (head,)) for head in heads)]
    made += [replace(one, towers=(tower,)) for tower in dict.fromkeys(site.tower for site in sites) for one in muted]
    made += [replace(one, towers=("language",), layers=third) for third in thirds for one in muted]
    changes: dict[str, Change] = {"": (None, {})}
    changes |= {str(one): (one, {}) for one in (*made, Intervention("uniform"))}
    changes["routers of other sites"] = (None, routers.shuffled(crab))
    changes["routers drawn at random"] = (None, routers.drawn(crab))
    changes["all heads muted"] = (Intervention("mute", tuple(heads)), {})  # the floor: what the bare base says
    return changes


class _Window(NamedTuple):
    """A stretch of a clip, in its seconds, and the prompt that asks about it."""

    start: float
    end: float
    prompt: Prompt


def _windows(crab: Crab, one: Asked) -> list[_Window]:
    spans = windows_of(one.clip, one.task)
    ask = partial(crab.prompt, one.clip, one.task, one.question, other=one.other)
    return [_Window(*span, ask(window=span if spans[1:] else None)) for span in spans]


def _size(one: Asked, windows: list[_Window]) -> tuple[int, int]:
    picture = windows[0].prompt.media.picture
    return (one.clip.width, one.clip.height) if picture is None else (picture.shape[1], picture.shape[0])


def _answers(
    crab: Crab, asked: list[Asked], windows: list[list[_Window]], change: Intervention | None, most: int
) -> Iterator[Answer]:
    """One a question, read as `ask` reads it."""
    prompts = [window.prompt for of in windows for window in of]
    parts = (prompts[i : i + BATCH] for i in range(0, len(prompts), BATCH))
    rows = (row for part in parts for row in crab.generate(part, max_new_tokens=most, intervention=change))
    for one, of in zip(asked, windows):
        said = []
        for start, end, prompt in of:
            text, size = crab.decode(next(rows).token_ids), _size(one, of)
            read = answer.parse(text, one.task, start=start, duration=end - start, size=size)
            said.append(borne_out(read, prompt.media, one.task, audible=one.clip.audible))
        yield join(said)


def save(damage: Damage, path: str | Path) -> None:
    """Write the scores as JSON."""
    data = asdict(damage) | {"before": damage.before.tolist(), "after": damage.after.tolist()}
    with whole(path) as part:
        part.write_text(json.dumps(data) + "\n", encoding="utf-8")


def load(path: str | Path) -> Damage:
    """Read what `save` wrote. Raises CrabError for a file that is none of its."""
    try:
        data = json.loads(Path(path).read_bytes())
        return Damage(
            tuple(data["changes"]), tuple(data["families"]), np.array(data["before"]), np.array(data["after"])
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CrabError(f"{path} holds no damage: python -m crab atlas … --damage FILE.json writes it.") from error


def damage_table(damage: Damage, *, samples: int = 1000) -> DamageTable:
    """Head x family, with bootstrap intervals over the questions of a family."""
    rng = np.random.default_rng(0)
    families = tuple(dict.fromkeys(damage.families))
    counts, columns = {}, []
    for family in families:
        mine = np.array(damage.families) == family
        changed = damage.after[:, mine] - damage.before[mine]  # (changes, questions)
        counts[family] = changed.shape[1]
        low, high = bootstrap(changed.T, samples=samples, rng=rng)
        columns.append((changed.mean(axis=1), low, high, damage.before[mine].mean()))
    values, low, high, before = (np.stack(of, axis=-1) for of in zip(*columns))
    return DamageTable(damage.changes, families, values, low, high, before, counts)
