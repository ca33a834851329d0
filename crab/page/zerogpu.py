"""What of an ask computes on a GPU, and on a Space how long one is borrowed for it (ZeroGPU).

There the page has no GPU and no weights: it packs them away when it starts, and reads none from then on. Whoever
borrows does so in a fork of the page, which gets the weights and for some seconds a GPU; what it is given and what it
tells are pickled. So nothing goes there but a prompt's tensors or a picture, and nothing comes back but what is new.
Clips are decoded, answers parsed and pictures cut out without weights in the page itself. Where no GPU is lent, the
same functions run where they are called.

How long a GPU is borrowed for was derived, not measured, since none of those was at hand:

    MOVED    bytes of weights a second from the Space's disk to the GPU, which a new fork has to wait for: a guess
    READ     seconds for a position of the prompt: two operations for each of 8.9 billion parameters, at 36 Tflop/s, a
             guess well below what such cards are sold for
    WRITTEN  seconds for a token of the answer: transformers writes 15.9 a second with Qwen2.5-Omni-7B from end to
             end, and routed mixtures of LoRA take 29 % longer (AdaFuse, the least of those that tell)
    CUT      seconds for one object of a picture by SAM 2: a guess

MARGIN makes up for what they are off; where that is too little, an answer is cut before the platform takes its GPU
back, and says so. The platform asks for 1.5 times the seconds declared, and refuses whoever has fewer left: without an
account that is 120 a day. MOST keeps every question within them.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np
import spaces

from crab import CrabError
from crab.answer import Box
from crab.model import Crab
from crab.prompt import Media, Prompt
from crab.segment import Cut, Point, Segmenter, Shot, one_by_one
from crab.step import Scores, Step, Written

MOVED, READ, WRITTEN, CUT = 2e9, 5e-4, 1.29 / 15.9, 2.0
MARGIN = 1.4
MOST = 80  # 120 s by the platform's factor of 1.5
ANSWER = 160  # tokens that an answer may have in the time declared; where they come sooner, more

log = logging.getLogger("crab.page")


def seconds(weights: int, prompt: int = 0, written: int = 0, cut: int = 0) -> int:
    """How long to borrow a GPU for: bytes of weights, positions of the prompt, tokens written, objects cut out."""
    computing = weights / MOVED + READ * prompt + WRITTEN * written + CUT * cut
    return min(MOST, math.ceil(MARGIN * computing))


class Lent(Crab):
    """A `Crab` that computes through `borrow`: a job's name, how long it may take, and its arguments."""

    def __init__(self, crab: Crab, borrow: Callable[..., Iterator[Any]], weights: int) -> None:
        vars(self).update(vars(crab))
        self._borrow, self._weights = borrow, weights

    def stream(self, prompt: Prompt, **how: Any) -> Generator[Step]:
        """As of `Crab`, but steps that come within a tenth of a second as one."""
        lent = seconds(self._weights, len(prompt.map.tokens), ANSWER)
        yield from self._borrow("stream", lent, _bare(prompt), **how)

    def generate(self, prompts: list[Prompt], *, max_new_tokens: int = ANSWER, **how: Any) -> list[Written]:
        """As of `Crab`, but of no more tokens than there is time for."""
        lent = seconds(self._weights, sum(len(prompt.map.tokens) for prompt in prompts), ANSWER)
        most = min(max_new_tokens, ANSWER)
        [written] = self._borrow("generate", lent, [_bare(one) for one in prompts], max_new_tokens=most, **how)
        return written

    def sample(self, prompt: Prompt, count: int, *, max_new_tokens: int = ANSWER, **how: Any) -> list[Written]:
        """As of `Crab`, within the same time: one pass writes a token of all of them."""
        lent = seconds(self._weights, len(prompt.map.tokens), ANSWER)
        most = min(max_new_tokens, ANSWER)
        [written] = self._borrow("sample", lent, _bare(prompt), count, max_new_tokens=most, **how)
        return written

    def scores(self, prompt: Prompt, written: Sequence[int], **how: Any) -> Scores:
        lent = seconds(self._weights, len(prompt.map.tokens) + len(written))
        [scores] = self._borrow("scores", lent, _bare(prompt), tuple(written), **how)
        return scores


class LentSegmenter:
    """A `Segmenter` that computes through `borrow`: once a box, and the published answers have one."""

    def __init__(self, segmenter: Segmenter, borrow: Callable[..., Iterator[Any]], weights: int) -> None:
        self.name, self.model = segmenter.name, segmenter.model
        self._borrow, self._weights = borrow, weights

    def __call__(self, frame: np.ndarray, box: Box | None, points: Sequence[Point]) -> tuple[np.ndarray, float | None]:
        [cut] = self._borrow("cut", seconds(self._weights, cut=1), frame, box, tuple(points))
        return cut

    def following(self, shots: Iterable[Shot]) -> Iterator[list[Cut]]:
        """Each picture on its own: what a GPU was borrowed for is forgotten when it is given back."""
        return one_by_one(self, shots)


def _bare(prompt: Prompt) -> Prompt:
    """Without what only the page needs of it: the picture that masks are cut out of is millions of pixels."""
    return replace(prompt, media=Media())


def lend(crab: Crab, segmenter: Segmenter) -> tuple[Crab, Segmenter]:
    """Both as a page asks them: what is on a GPU computes where one is lent, the rest where it is called.

    Call it on such a Space before the page is launched, when weights may still be read. ZeroGPU wants to hear of a function that
    borrows in any case; what does not borrow costs nobody's quota.
    """

    def stream(within: float, prompt: Prompt, **how: Any) -> Generator[Step]:
        return paced(crab.stream(prompt, **how), within=within)

    def scores(_: float, prompt: Prompt, written: Sequence[int], **how: Any) -> Iterator[Scores]:
        yield crab.scores(prompt, written, **how)

    def generate(_: float, prompts: list[Prompt], **how: Any) -> Iterator[list[Written]]:
        yield crab.generate(prompts, **how)

    def sample(_: float, prompt: Prompt, count: int, **how: Any) -> Iterator[list[Written]]:
        yield crab.sample(prompt, count, **how)

    def cut(_: float, *asked: Any) -> Iterator[tuple[np.ndarray, float | None]]:
        yield segmenter(*asked)

    jobs: dict[str, Callable[..., Iterator[Any]]] = {
        "stream": stream, "generate": generate, "sample": sample, "scores": scores, "cut": cut,
    }  # fmt: skip
    parts = [part for part in (crab.model, segmenter.model) if _on_gpu(part)]
    weights = sum(parameter.nbytes for part in parts if part is not None for parameter in part.parameters())

    def here(job: str, _: float, *asked: Any, **how: Any) -> Iterator[Any]:
        return jobs[job](math.inf, *asked, **how)

    def there(job: str, lent: float, *asked: Any, **how: Any) -> Iterator[Any]:
        try:
            yield from jobs[job](lent - MARGIN * weights / MOVED, *asked, **how)
        except CrabError as error:  # of what is raised there, only its class would be told
            yield error

    # One function for all that is borrowed for: each has a fork of its own, which waits for all the weights.
    borrowing = spaces.GPU(duration=lambda job, lent, *asked, **how: lent)(there)

    def borrow(*asked: Any, **how: Any) -> Iterator[Any]:
        how.pop("memory", None)  # a fork ends with what it has read
        try:
            with closing(borrowing(*asked, **how)) as told:
                for one in told:
                    if isinstance(one, CrabError):
                        raise one
                    yield one
        except CrabError:
            raise
        except gr.Error as error:
            log.warning("No GPU was lent: %s: %s", error.title, error.message)
            raise CrabError(refusal(error.title, str(error.message))) from error
        except Exception as error:
            log.exception("No GPU was lent")
            raise CrabError(SORRY) from error

    lending = borrowing is not there  # outside of such a Space `spaces.GPU` gives back what it is given
    lent = Lent(crab, borrow if lending and crab.model in parts else here, weights)
    return lent, LentSegmenter(segmenter, borrow, weights) if lending and segmenter.model in parts else segmenter


def _on_gpu(part: Any) -> bool:
    return part is not None and next(part.parameters()).device.type == "cuda"


def paced(steps: Generator[Step], *, every: float = 0.1, within: float = math.inf) -> Generator[Step]:
    """Steps ten times a second, those in between as one: no screen shows more, and a fork has to pickle each.

    After `within` seconds the answer is cut, before whoever lends the GPU ends it.
    """
    began, told, held = time.monotonic(), -math.inf, None
    with closing(steps):
        for step in steps:
            held = step if held is None else held.append(step)
            now = time.monotonic()
            if now - began > within and not held.end:
                yield replace(held, end="cut")
                return
            if held.end or now - told >= every:
                yield held
                told, held = now, None
    if held is not None:
        yield held


HOME = "run this page on a machine of your own"
AGAIN = f"Try again in a minute, or {HOME}."
BUSY = f"All GPUs of the Space are taken just now; none of your time on them was spent. {AGAIN}"
SORRY = f"Something went wrong while a GPU was borrowed; the log says what. {AGAIN}"


def refusal(title: str, said: str) -> str:
    """What to tell a visitor, by the title and the words of the platform's client (`spaces` 0.51, `zero/client.py`)."""
    if "No GPU was available" in said:
        return BUSY
    if "GPU task aborted" in said:
        return f"The GPU was taken back before it was done. Ask again, with a shorter clip if that recurs, or {HOME}."
    if "Expired ZeroGPU proxy token" in said:
        return "This page has been open for so long that the Space no longer knows who asks: reload it, and ask again."
    if title == "ZeroGPU illegal duration":
        return f"This question may take a GPU for longer than one is lent to you: give a shorter clip, or {HOME}."
    if title == "ZeroGPU pending credits exceeded":
        return "Other questions of yours have the GPU time that you have left: ask again when they are answered."
    if title == "ZeroGPU quota exceeded":
        asked = re.search(r"\((\d+)s requested vs\. (-?\d+)s left\)", said)
        if asked:
            more = ", log in to Hugging Face, which gives you more" if "your ZeroGPU quota" in said else ""
            return (f"Your GPU time on Spaces is used up for now: this question may take {asked[1]} s of it, and "
                    f"{asked[2]} s are left. Try again {_when(said)}{more}, or {HOME}.")  # fmt: skip
        if "runs limit" in said:
            return f"You have asked for a GPU as often as one visitor may for now. Try again in an hour, or {HOME}."
        return ("The GPU time of visitors without an account is used up on this Space. Log in to Hugging Face and ask "
                f"again, come back in an hour, or {HOME}.")  # fmt: skip
    return SORRY


def _when(said: str) -> str:
    """When to try again, of a `timedelta` in the platform's words."""
    wait = re.search(r"Try again in (?:(\d+) days?, )?(\d+):(\d\d):(\d\d)", said)
    if wait is None:
        return "later today"
    days, hours, minutes, rest = (int(part or 0) for part in wait.groups())
    minutes += 60 * (24 * days + hours) + (rest > 0)
    return f"in {minutes} minute{'s' * (minutes != 1)}" if minutes < 120 else f"in {math.ceil(minutes / 60)} hours"
