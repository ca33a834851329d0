"""Claims about what a head is for, as objects that are tested: silenced on the tokens that a claim is about, against as
many others of the same kind.

What is measured is the true answer's log-probability, not the words: a head may matter long before a word changes. A
claim holds where silencing its head on its tokens costs more than on others, with an interval over scenes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crab import CrabError, __version__, answer
from crab.answer import CLOCK
from crab.disk import whole
from crab.intervention import Intervention
from crab.metrics.intervals import bootstrap
from crab.prompt import Prompt
from crab.routing.atlas import Asked
from crab.tasks import FAMILIES
from crab.trace import Token

if TYPE_CHECKING:
    from crab.model import Crab

NEAR = 0.5  # seconds from where a sound begins, that still count as its onset
NOTHING = 0.005  # nats a token: an interval within ± this shows that there is nothing to speak of

HELD, NOT_HELD, UNDECIDED = "held", "not held", "undecided"


@dataclass(frozen=True)
class Claim:
    """ "Head `head` (from 1) of these sites serves these tokens", of questions of some families."""

    text: str
    head: int
    tokens: str  # one of TOKENS
    towers: tuple[str, ...] | None = None
    layers: tuple[int, ...] | None = None
    modules: tuple[str, ...] | None = None
    families: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Outcome:
    """What silencing costs on the claim's tokens beyond what it costs on others, nats a token of the true answer."""

    claim: Claim
    model: str
    cost: float  # on the claim's tokens
    other: float  # on as many others
    low: float  # of the 95 % interval of cost - other, over scenes
    high: float
    questions: int
    scenes: int
    verdict: str = ""

    def __str__(self) -> str:
        return (f"{self.verdict}: {self.claim.text} Silenced there {self.cost:+.4f}, elsewhere {self.other:+.4f} nats a "
                f"token; more by {self.cost - self.other:+.4f} ({self.low:+.4f} to {self.high:+.4f}), over "
                f"{self.questions} questions about {self.scenes} scenes.")  # fmt: skip


Chosen = Callable[[Token, Sequence[float]], bool]  # of a token and the seconds at which true sounds begin

TOKENS: dict[str, Chosen] = {
    "sound": lambda token, _: token.modality == "audio",
    "picture": lambda token, _: token.modality in ("image", "video"),
    "words": lambda token, _: token.modality == "text",
    "answer": lambda token, _: token.modality == "generated",
    "numbers": lambda token, _: token.modality == "generated" and token.text.strip().isdecimal(),
    "sound onsets": lambda token, onsets: token.modality == "audio"
    and token.start is not None and token.end is not None
    and any(token.start - NEAR < onset < token.end + NEAR for onset in onsets),
}  # fmt: skip
"""What a claim may be about. Numbers are of the answer: seconds, places, how many."""


def examine(crab: Crab, claims: Sequence[Claim], asked: Iterable[Asked]) -> tuple[Outcome, ...]:
    """Test every claim on those of the questions that it is about; two passes a question and claim, and one of its own.

    Raises CrabError where a claim names what this model does not have, a question has no target, or no question is left
    for a claim, and as asking does.
    """
    if crab.adapter is None:
        raise CrabError(f"{crab.name} has no adapter and so no heads to silence: give one.")
    rows: list[list[tuple[str, float, float]]] = [[] for _ in claims]  # scene, cost, other
    for one in asked:
        if not one.target:
            raise CrabError("A claim is tested on true answers, which training records hold (train.json).")
        mine = [i for i, claim in enumerate(claims) if claim.families is None or one.task.family in claim.families]
        if not mine:
            continue
        prompt = crab.prompt(one.clip, one.task, one.question, other=one.other)
        ids = crab.processor.tokenizer(one.target)["input_ids"]
        reads = crab.reads(prompt, ids)
        before = _nats(crab, prompt, ids)
        for i in mine:
            masks = _masks(claims[i], reads, _onsets(one), np.random.default_rng(len(rows[i])))
            if masks is None:  # nothing of the kind is in this clip
                continue
            cost, other = (before - _nats(crab, prompt, ids, _silenced(claims[i], mask)) for mask in masks)
            rows[i].append((one.scene, cost, other))
    return tuple(_outcome(claim, crab.name, of) for claim, of in zip(claims, rows))


def _nats(crab: Crab, prompt: Prompt, ids: Sequence[int], by: Intervention | None = None) -> float:
    """The mean log-probability of an answer's tokens, in nats."""
    return float(crab.scores(prompt, ids, intervention=by).nats.mean())


def _silenced(claim: Claim, masks: Mapping[str, np.ndarray]) -> Intervention:
    return Intervention("mute", (claim.head - 1,), None, claim.towers, claim.layers, claim.modules, masks)


def _masks(
    claim: Claim, reads: Mapping[str, Sequence[Token]], onsets: Sequence[float], rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]] | None:
    """The claim's tokens by tower and as many others, of the same modality as far as there are any. None without any."""
    towers = claim.towers or tuple(reads)
    mine, others = {}, {}
    for tower in towers:
        tokens = reads[tower]
        chosen = np.array([TOKENS[claim.tokens](token, onsets) for token in tokens], bool)
        alike = np.isin([token.modality for token in tokens], list({t.modality for t, c in zip(tokens, chosen) if c}))
        pool = np.flatnonzero(~chosen & alike)
        if len(pool) < chosen.sum():
            pool = np.flatnonzero(~chosen)
        count = min(len(pool), int(chosen.sum()))
        mine[tower], others[tower] = np.zeros(len(tokens), bool), np.zeros(len(tokens), bool)
        # Where too few others are there, as many of its own are left alone: both sides silence equally many.
        mine[tower][rng.permutation(np.flatnonzero(chosen))[:count]] = True
        others[tower][rng.permutation(pool)[:count]] = True
    return (mine, others) if any(mask.any() for mask in mine.values()) else None


def _onsets(one: Asked) -> tuple[float, ...]:
    """Seconds at which something begins to be heard, by the true answer."""
    true = answer.parse(one.target, one.task, duration=one.clip.duration or CLOCK)
    return tuple(event.start for event in true.events if event.modality != "visual")


def _outcome(claim: Claim, model: str, rows: Sequence[tuple[str, float, float]], samples: int = 2000) -> Outcome:
    if not rows:
        raise CrabError(f"No question is about {claim.tokens} and {', '.join(claim.families or FAMILIES)}: nothing "
                        f"tests {claim.text!r}")  # fmt: skip
    scenes, cost, other = (np.array(of) for of in zip(*rows))
    low, high = bootstrap(cost - other, groups=scenes, samples=samples)
    found = Outcome(
        claim, model, float(cost.mean()), float(other.mean()), float(low), float(high), len(rows), len(set(scenes))
    )
    return replace(found, verdict=_verdict(found))


def _verdict(found: Outcome) -> str:
    if found.scenes < 2:
        return UNDECIDED
    if found.high < 0 or -NOTHING < found.low <= found.high < NOTHING:
        return NOT_HELD  # an effect too small to speak of, however sure, does not bear a claim out
    return HELD if found.low > 0 else UNDECIDED


def read(path: str | Path) -> tuple[Claim, ...]:
    """The claims of a JSON file: a list of objects with the fields of `Claim`, those that may be left out too.

    What `write` wrote is read too. Raises CrabError with the number of the claim that is not one, and why.
    """
    try:
        told = json.loads(Path(path).read_bytes())
        if not isinstance(told, list) or not told:
            raise ValueError("it has to be a list of claims")
    except (OSError, ValueError) as error:
        raise CrabError(f"{path} holds no claims: {error}.") from error
    return tuple(_claim(row, number, path) for number, row in enumerate(told, 1))


def _claim(row: Any, number: int, path: str | Path) -> Claim:
    kinds = {"text": str, "head": int, "tokens": str}
    lists = {"towers": str, "layers": int, "modules": str, "families": str}
    said = f"Claim {number} of {path}"
    if not isinstance(row, dict) or any(type(row.get(name)) is not kind for name, kind in kinds.items()):
        raise CrabError(f"{said} needs a text, a head (a number from 1) and tokens.")
    if row["tokens"] not in TOKENS:
        raise CrabError(f"{said} is about {row['tokens']!r}: give one of {', '.join(TOKENS)}.")
    for name, kind in lists.items():
        value = row.get(name)
        if value is not None and not (isinstance(value, list) and value and all(type(one) is kind for one in value)):
            raise CrabError(f"{said}: {name} has to be a list, or be left out.")
    strange = set(row.get("families") or ()) - FAMILIES.keys()
    if strange:
        raise CrabError(f"{said}: there is no family {min(strange)}, only {', '.join(FAMILIES)}.")
    return Claim(*(row[name] for name in kinds), *(row.get(name) and tuple(row[name]) for name in lists))


def write(outcomes: Sequence[Outcome], path: str | Path) -> None:
    """Write outcomes as `read` reads claims and `read_outcomes` outcomes: a claim's fields, and what came of it."""
    rows = []
    for found in outcomes:
        outcome = asdict(found)
        rows.append(outcome.pop("claim") | {"crab": __version__, "outcome": outcome})
    with whole(path) as part:
        part.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def read_outcomes(path: str | Path) -> tuple[Outcome, ...]:
    """What came of the claims in a file, where they were tested. Raises CrabError as `read` does."""
    claims, rows = read(path), json.loads(Path(path).read_bytes())
    return tuple(Outcome(**row["outcome"] | {"claim": claim}) for claim, row in zip(claims, rows) if "outcome" in row)
