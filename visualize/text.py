"""The answer in words: quiet reasoning, and every tagged result as a chip in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from visualize import theme

# A chip's pattern is its lane's: heard solid, seen hatched. Colours mix with whatever the page's ground and ink are.
STYLE = """<style>
.crab-answer { line-height: 2; white-space: pre-wrap; overflow-wrap: anywhere; }
.crab-answer .prose.quiet { opacity: .72; }
.crab-answer .chip { display: inline-block; max-width: 100%; line-height: 1.4; padding: .1em .6em .14em .45em;
  border-radius: .6em; font-weight: 600;
  border: 1.5px solid var(--c); background: color-mix(in srgb, var(--c) 20%, transparent); }
.crab-answer .chip.visual_event { background: repeating-linear-gradient(135deg,
  color-mix(in srgb, var(--c) 26%, transparent) 0 3px, transparent 3px 7px); }
.crab-answer .chip.answer { font-size: 1.15em; }
.crab-answer .chip i { font-style: normal; font-weight: 400; font-size: .8em; opacity: .8; margin-left: .5em;
  font-variant-numeric: tabular-nums; }
.crab-answer .chip.box, .crab-answer .chip.point { font-weight: 400; font-variant-numeric: tabular-nums; }
.crab-answer .chip.guess { border-style: dashed; background: none; font-weight: 400; opacity: .8; }
.crab-answer .chip b { color: color-mix(in srgb, var(--c) 75%, currentColor); font-weight: 400; margin-right: .3em; }
.crab-windows { display: flex; flex-wrap: wrap; gap: .3em .4em; line-height: 1.4; }
.crab-windows summary { padding: .15em .6em; border-radius: .6em; font-size: .78em; cursor: pointer; list-style: none;
  font-variant-numeric: tabular-nums; background: color-mix(in srgb, currentColor 9%, transparent); }
.crab-windows summary::-webkit-details-marker { display: none; }
.crab-windows details[open] { order: 1; flex-basis: 100%; }
.crab-windows details[open] summary { width: fit-content; font-weight: 600; }
</style>"""

GLYPHS = {  # kind of span → sign, and what a screen reader and a resting pointer say
    "event": ("♪◎", "heard and seen"),
    "audio_event": ("♪", "heard"),
    "visual_event": ("◎", "seen"),
    "range": ("", "when"),
    "answer": ("", "the answer"),
    "object": ("▢", "where"),
    "box": ("▢", "where"),
    "point": ("✛", "a point on it"),
    "guess": ("?", "a guess: there was nothing to know it by"),
}


def chips(answer: Any, *, colours: Mapping[str, str], confidence: Mapping[int, float] | None = None) -> str:
    """HTML of an `Answer`: its text in order, each tagged result as a chip in its label's colour.

    Prose around results is set quietly; where the text is itself the result (a description) it is not. What is only
    markup or punctuation between two chips is left out. All of it is the model's and therefore escaped; colours come
    from `theme.answer_colours`. A chip that has a time says in `data-at` at which second it begins. Fits light and dark
    pages. An empty answer gives an empty block. `confidence`: by where a result's span starts, how likely it is right.
    """
    return STYLE + _said(answer, colours, confidence or {})


def windows(
    parts: Sequence[tuple[float, float, Any]], *, colours: Mapping[str, str],
    confidence: Mapping[int, float] | None = None,
) -> str:  # fmt: skip
    """HTML of the `Answer`s about parts of a clip, as (start, end, answer): one unfolds at a time, at first the last, or
    the first where that is about the whole.

    A part whose answer is None has not been asked about, and is left out. `confidence` as in `chips`, of the answers
    joined, a line each.
    """
    asked = [(start, end, answer) for start, end, answer in parts if answer is not None]
    folds, line = "", 0
    unfolded = 1 if parts[0][1] == parts[-1][1] else len(asked)
    for number, (start, end, answer) in enumerate(asked, 1):
        sure = {at - line: share for at, share in (confidence or {}).items()}
        folds += (
            f"<details name='crab-windows'{' open' if number == unfolded else ''}><summary>"
            f"{start:g}–{end:g} s</summary>{_said(answer, colours, sure)}</details>"
        )
        line += len(answer.text) + 1
    return f"{STYLE}<div class='crab-windows'>{folds}</div>"


def _said(answer: Any, colours: Mapping[str, str], confidence: Mapping[int, float]) -> str:
    quiet = " quiet" if answer.reasoning else ""
    parts, at = [], 0
    for span in answer.spans:
        parts += [_prose(answer.text[at : span.start], quiet), _chip(span, colours, confidence.get(span.start))]
        at = span.end
    parts.append(_prose(answer.text[at:], quiet))
    return f'<div class="crab-answer">{"".join(parts).strip()}</div>'


def plain(answer: Any) -> str:
    """The answer as `chips` shows it, in words alone: results in seconds and pixels, no markup."""
    parts, at = [], 0
    for span in answer.spans:
        parts += [answer.text[at : span.start], span.shown]
        at = span.end
    return " ".join("".join([*parts, answer.text[at:]]).split())


def told(result: Any) -> tuple[str, ...]:
    """What a file or a figure of a `Result` says of itself, a paragraph each: clip, question, answer, and all notes."""
    clips = " and ".join(one.name for one in (result.clip, result.other) if one)
    said = plain(result.answer)
    lines = (
        f"Clip: {clips}. Asked as {result.task.name}: {result.question or result.task.title}",
        f"{result.model} said: {said if len(said) <= 600 else f'{said[:600]}…'}",
        *result.notes,
    )
    return tuple(line.encode(errors="replace").decode() for line in lines)  # a file's name may hold half a character


def _prose(text: str, quiet: str) -> str:
    if not any(character.isalnum() for character in text):
        return " "
    return f'<span class="prose{quiet}">{escape(text)}</span>'


def _chip(span: Any, colours: Mapping[str, str], sure: float | None) -> str:
    if not span.shown:
        return ""
    sign, meaning = GLYPHS.get(span.kind, ("", ""))
    at = "" if span.at is None else f' data-at="{span.at:g}"'
    share = "" if sure is None else f"{100 * sure:.0f} %"
    meaning += f"; of such results {share} were right" if share else ""
    return (
        f'<span class="chip {escape(span.kind)}" style="--c:{theme.colour(colours, span.label)}" title="{meaning}"{at}>'
        f"{f'<b>{sign}</b>' if sign else ''}{escape(span.shown)}{f'<i>{share}</i>' if share else ''}</span>"
    )
