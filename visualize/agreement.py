"""Several candidates for one question: what sampled answers say, ranked by how many of them agree."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from html import escape
from io import BytesIO
from typing import Any

from visualize import compare, masks, theme

HEAD = (
    "<h2>Asked {asked} times more</h2><p class='key'>Each time, every word was drawn by the model’s own probabilities. "
    "Counted is how many of the {asked} say the same: that is agreement, and not how likely it is right.{known}</p>"
)
KNOWN = " Where a share of right ones stands beside it, that one was held against the truth on unseen scenes."


def panel(result: Any, *, told: Callable[[Any], str], sure: Callable[[Any, Any], float | None]) -> str:
    """HTML of a result's `candidates`, most votes first, each with its share, and its bar over the clip's seconds or its
    box in the colour that its name has in the answer; "" where there are none. `told` says a candidate in words, `sure`
    how likely it is right, as `crab.candidates` does. What the model named is escaped.
    """
    found = result.candidates
    if found is None:
        return ""
    hues = theme.colours([*theme.answer_colours(result.answer), *(one.label for one in found.results)])
    shares = [sure(result, one) for one in found.results]
    rows = "".join(
        _row(one, found.asked, theme.colour(hues, one.label), told(one), share, result.clip.duration)
        for one, share in zip(found.results, shares)
    )
    head = HEAD.format(asked=found.asked, known=KNOWN if any(share is not None for share in shares) else "")
    none = "" if rows else "<p>None of them says anything that can be read as a result.</p>"
    return f"<div class='agreed'>{head}{none}<ol>{rows}</ol>{_picture(result, hues)}</div>"


def _row(one: Any, asked: int, hue: str, words: str, share: float | None, duration: float) -> str:
    votes = f"{one.votes} of {asked}"
    where = "as answered" if one.said else "not in the answer"
    known = "" if share is None else f"; of such results {100 * share:.0f} % were right"
    bar = ""
    if one.events and duration > 0:
        bar = f"<div class='track' aria-hidden='true'><div>{compare.drawn_bars('said', one.events[0].modality, one.events, duration)}</div></div>"
    return (
        f"<li style='--c:{hue};--share:{one.votes / asked:.3f}'{' class=said' if one.said else ''}><b>{votes}</b>"
        f"<i aria-hidden='true'></i><span>{escape(words)} <small>{where}{known}</small></span>{bar}</li>"
    )


def _picture(result: Any, hues: dict[str, str]) -> str:
    """An <img> with the candidates' boxes, each named by its votes, where there is a picture to point at."""
    asked, of = result.candidates.asked, [one for one in result.candidates.results if one.box]
    if result.frame is None or not of:
        return ""
    boxes, colours = [], {}
    for number, one in enumerate(of, 1):
        name = f"{one.votes} of {asked}" + (", as answered" if one.said else f" ({number})")
        boxes.append(replace(one.box, label=name))
        colours[name] = theme.colour(hues, one.label)
    file = BytesIO()
    masks.overlay(result.frame, (), boxes[::-1], colours=colours, of=result.size).save(file, "JPEG", quality=88)
    data = b64encode(file.getvalue()).decode()
    return f"<img alt='The boxes on their picture: {escape(', '.join(colours))}' src='data:image/jpeg;base64,{data}'>"
