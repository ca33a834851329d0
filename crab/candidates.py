"""Several candidates for one question: what sampled answers say, and how many of them agree.

The prompt is read once; answers are then drawn from the model's own probabilities, `ASKED` of them at once. What two of
them say is the same result if it is the same choice, events of one name and sense with a temporal IoU of `NEAR`, or
boxes with such an IoU. How many agree is agreement, and no share of right answers: how far the two go together
`crab.learn.calibrate` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from crab import CrabError
from crab import answer as answers
from crab.answer import Answer, Event
from crab.confidence import KINDS
from crab.media import Clip
from crab.memory import Memory
from crab.metrics import accuracy, box_iou, temporal_iou
from crab.result import Candidate, Candidates, Result
from crab.seen import borne_out
from crab.tasks import Task
from crab.windows import Span, view, windows_of

if TYPE_CHECKING:
    from crab.model import Crab

ASKED = 8  # answers in a batch: agreement is told in eighths
NEAR = 0.5  # IoU from which two events or boxes are one
SENSES = {"both": "event", "visual": "visual_event", "audio": "audio_event"}  # of an event -> kind of its span


def lacking(clip: Clip, task: Task, *, stretch: Span | None = None, over_time: bool = False) -> str:
    """Why no other answers can be sampled to a question, a sentence; "" where they can."""
    if task.grammar == "text":
        return "A description holds no result that others could agree on: candidates are of events, boxes and choices."
    if over_time or len(windows_of(clip, task, stretch)) > 1:
        return "Candidates are of one question, and this clip is asked in windows: choose a stretch of ten seconds."
    return ""


def draw(crab: Crab, result: Result, *, memory: Memory | None = None, max_new_tokens: int = 512) -> Result:
    """`result` with its candidates: the same every time. Raises CrabError where `lacking` says why, for an answer that
    was stopped or whose routing was changed, and for another model's."""
    if why := lacking(result.clip, result.task, stretch=result.stretch, over_time=result.over_time):
        raise CrabError(why)
    if not result.done or result.intervention is not None:
        raise CrabError("Candidates are of whole answers with the routing as it is: ask again, unchanged.")
    if result.model != crab.name:
        raise CrabError(f"This is an answer of {result.model}, and {crab.name} answers here: ask again.")
    [span] = windows_of(result.clip, result.task, result.stretch)
    clip, window = view(result.clip, result.task, span)
    kept = {"memory": memory} if memory is not None else {}
    prompt = crab.prompt(clip, result.task, result.question, other=result.other, window=window, **kept)
    shown, picture = prompt.media, prompt.media.picture
    size = picture.shape[1::-1] if picture is not None else (result.clip.width, result.clip.height)
    said = []
    for written in crab.sample(prompt, ASKED, max_new_tokens=max_new_tokens, memory=memory):
        text = crab.decode(written.token_ids)
        one = answers.parse(text, result.task, start=span[0], duration=span[1] - span[0], size=size)
        said.append(borne_out(one, shown, result.task, audible=result.clip.audible))
    return replace(result, candidates=Candidates(len(said), agreed(result.answer, said)))


def results(answer: Answer) -> list[Candidate]:
    """What an answer says, result by result, each said by itself alone."""
    found = [] if answer.exists is None else [Candidate("choice", str(answer.exists).lower())]
    found += [] if answer.choice is None else [Candidate("choice", answer.choice)]
    named: dict[tuple[str, str], list[Event]] = {}
    for event in answer.events:
        named.setdefault((event.label, event.modality), []).append(event)
    found += [Candidate("event", label, events=tuple(of)) for (label, _), of in named.items()]
    return found + [Candidate("box", box.label, box=box) for box in answer.boxes]


def agree(one: Candidate, other: Candidate) -> bool:
    """Whether two results are the same."""
    if one.kind != other.kind:
        return False
    if one.box and other.box:
        return box_iou(*((b.x1, b.y1, b.x2, b.y2) for b in (one.box, other.box))) >= NEAR
    if accuracy([one.label], [other.label]) < 1:
        return False
    if not one.events:
        return True
    spans = [[(event.start, event.end) for event in of.events] for of in (one, other)]
    return one.events[0].modality == other.events[0].modality and temporal_iou(*spans) >= NEAR


def agreed(said: Answer, sampled: Sequence[Answer]) -> tuple[Candidate, ...]:
    """The results of an answer, each with how many of the `sampled` say so too, and those that only these say; most
    votes first.

    Of what only these say, the one that most others agree with takes them in, then the next of those left.
    """
    left = [results(answer) for answer in sampled]
    found = [_with_votes(replace(one, said=True), left) for one in results(said)]
    while any(left):
        most = max(
            (one for of in left for one in of), key=lambda one: sum(any(agree(one, o) for o in of) for of in left)
        )
        found.append(_with_votes(most, left))
    return tuple(sorted(found, key=lambda one: -one.votes))


def _with_votes(one: Candidate, left: list[list[Candidate]]) -> Candidate:
    """With as many votes as answers agree; what says so is taken out of `left`."""
    votes = 0
    for number, of in enumerate(left):
        rest = [other for other in of if not agree(one, other)]
        votes += len(rest) < len(of)
        left[number] = rest
    return replace(one, votes=votes)


def sure(result: Result, one: Candidate) -> float | None:
    """How likely a candidate is right by curves that were held against the truth; None where nothing is known: of what
    the answer does not say, and of what has no curve."""
    kinds = [SENSES[event.modality] for event in one.events[:1]] or [k for k, v in KINDS.items() if v == one.kind]
    spans = [s for s in result.answer.spans if s.kind in kinds and (one.kind != "event" or s.label == one.label)]
    shares = [result.confidence[span.start] for span in spans if span.start in result.confidence]
    return shares[-1] if one.said and shares else None


def told(one: Candidate) -> str:
    """A candidate in words: "dog, seen, 0–4 s"."""
    if one.events:
        sense = {"both": "", "audio": ", heard", "visual": ", seen"}[one.events[0].modality]
        return f"{one.label}{sense}, {', '.join(f'{event.start:.3g}–{event.end:.3g}' for event in one.events)} s"
    if one.box:
        return f"{one.label or 'box'} {one.box.x1:.0f}, {one.box.y1:.0f} – {one.box.x2:.0f}, {one.box.y2:.0f} px"
    return one.label


def lines(result: Result) -> list[str]:
    """The candidates of a result for people, a line each; none where none were asked for."""
    if result.candidates is None:
        return []
    asked = result.candidates.asked
    head = f"Asked {asked} times more, each word drawn by the model's own probabilities: how many say the same."
    rows = []
    for one in result.candidates.results:
        share = sure(result, one)
        known = "" if share is None else f", right as often as {100 * share:.0f} %"
        where = f"as the answer says{known}" if one.said else "not in the answer"
        rows.append(f"  {one.votes} of {asked}  {told(one)} ({where})")
    return [head, *(rows or ["  None says anything that can be read as a result."])]
