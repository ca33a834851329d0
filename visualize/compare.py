"""An answer beside the truth, or beside another answer: words, bars on one axis, boxes on pictures.

The truth is ink (on pictures, white) and thin; what was answered has the colour of its label, as everywhere else.
Signs and words carry what colours do.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from io import BytesIO
from typing import Any

import numpy as np

from crab.metrics import temporal_iou
from visualize import difference, masks, text, theme, timeline

TRUTH = "#FFFFFF"  # on pictures
# What a track is called; an event that is not told apart by sense has one of its own, and says nothing about either.
SENSES = {"both": "♪◎ event", "audio": "♪ heard", "visual": "◎ seen"}


def card(
    said: Any,
    meant: Any | None,
    verdict: Any | None,
    *,
    asked: str,
    duration: float,
    picture: str = "",
    changed: Sequence[str] = (),
    facts: str = "",
) -> str:
    """HTML of one question about a scene.

    `said` and `meant` are `Answer`s (`meant` None where the truth is not known), `verdict` has a `sign` and `words`
    (None while the answer is not over), `asked` is the question in words, `picture` an <img> as `boxes` makes it,
    `changed` what differs from the scene asked about before, `facts` HTML. What comes from the model is escaped.
    """
    colours = shared_colours(said, meant)
    parts = [f"<p class='asked'>{escape(asked)}</p>"]
    if changed:
        parts.append(f"<p class='changed'>Changed: {escape('; '.join(changed))}</p>")
    if verdict:
        parts.append(ruled(verdict))
    parts.append(f"<div class='sides'>{_side('Answer', said, colours)}{_side('Truth', meant, colours)}</div>")
    if meant is not None:
        parts.append(lanes(said.events, meant.events, duration, colours=colours))
    return f"<div class='compared'>{''.join(parts)}{picture}{facts}</div>"


def truth(
    said: Any,
    meant: Any | None,
    verdict: Any,
    duration: float,
    *,
    source: str = "",
    overlaps: Sequence[tuple[int, float]] = (),
    facts: Sequence[str] = (),
) -> str:
    """HTML of what is true of what was asked, for below an answer that stands by itself; arguments as for `card`.

    `source`: the name of the file that says so, where one does; `overlaps`: (second, J of the masks) each; `facts`: what
    to know about it, a sentence each.
    """
    if meant is None:
        return f"<div class='compared'>{ruled(verdict)}</div>"
    colours = shared_colours(meant, said)  # the answer's first: they are those of the words and bars around
    asked = f"<p class='asked'>Against {escape(source)}</p>" if source else ""
    bars = lanes(said.events, meant.events, duration, colours=colours) + _seconds(overlaps)
    told = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    told = told and f"<ul class='notes'>{told}</ul>"
    side = _side("Truth", meant, colours) if meant.text else ""
    return f"<div class='compared'>{asked}{ruled(verdict)}{side}{bars}{told}</div>"


def _seconds(overlaps: Sequence[tuple[int, float]]) -> str:
    """HTML of how much of the masks is shared in each second."""
    if not overlaps:
        return ""
    cells = "".join(f"<li style='--j:{share:.3f}'><b>{share:.2f}</b> {second} s</li>" for second, share in overlaps)
    mean = sum(share for _, share in overlaps) / len(overlaps)
    each = f", a second; {mean:.2f} on average" if len(overlaps) > 1 else ""
    return f"<h3>J of the masks, pixels in both over pixels in either{each}</h3><ol class='seconds'>{cells}</ol>"


def ruled(verdict: Any) -> str:
    """HTML of a verdict, which has a `sign`, `words` and, where there is one, the `rule` it follows."""
    rule = f"<small>{escape(verdict.rule)}</small>" if verdict.rule else ""
    return f"<p class='verdict'><b aria-hidden='true'>{verdict.sign}</b> {escape(verdict.words)}{rule}</p>"


def pair(
    one: Any,
    other: Any,
    names: tuple[str, str],
    *,
    asked: tuple[str, str] = ("", ""),
    duration: float,
    edits: Sequence[tuple[str, str, str]],
    apart: str = "",
    pictures: tuple[str, str] = ("", ""),
    facts: Sequence[str] = (),
    shifts: Sequence[tuple[str, float]] = (),
) -> str:
    """HTML of two runs' `Answer`s side by side, and what differs: token by token, on one axis of seconds, word by word,
    and `facts`.

    `names` say which runs these are, `asked` about which clip, what and how changed; `pictures` are an <img> each as
    `boxes` makes it; `edits` and `shifts` as `difference.words` and `difference.shifts` take them. `apart`: why the two
    cannot be held against each other, a sentence that stands in the place of bars and words. All text is escaped.
    """
    colours = shared_colours(other, one)
    sides = "".join(
        f"<section><h3>{escape(name)}</h3><p class='asked'>{escape(about)}</p>"
        f"{text.chips(answer, colours=colours)}{picture}</section>"
        for name, about, answer, picture in zip(names, asked, (one, other), pictures)
    )
    told = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    if apart:
        between = f"<p class='key'>{escape(apart)}</p>"
    else:
        between = f"<h3>Token by token</h3>{difference.shifts(shifts)}" if shifts else ""
        between += lanes(other.events, one.events, duration, colours=colours, names=names)
        between += f"<h3>Word by word</h3>{difference.words(edits)}"
    return f"<div class='compared'><div class='sides'>{sides}</div>{between}<ul class='notes'>{told}</ul></div>"


def shared_colours(said: Any, meant: Any | None) -> dict[str, str]:
    """One colour a label for both: the truth's first, so that they stay while the answer is being written."""
    return theme.colours(
        label for answer in (meant, said) if answer is not None for label in theme.answer_colours(answer)
    )


def _side(name: str, answer: Any | None, colours: Mapping[str, str]) -> str:
    if answer is None:
        return ""
    words = text.chips(answer, colours=colours) if answer.text else "<p class='waiting'>…</p>"
    return f"<section><h3>{name}</h3>{words}</section>"


def lanes(
    said: Sequence[Any],
    meant: Sequence[Any],
    duration: float,
    *,
    colours: Mapping[str, str],
    names: tuple[str, str] = ("the truth", "the answer"),
) -> str:
    """HTML of bars over 0…`duration` seconds: a lane a label, in it a track a sense, the bar of `meant`, thin, over that
    of `said`, thick, and their IoU; `names` are what they are called, `meant` first. `data-seconds` is how long they are."""
    if not said and not meant or duration <= 0:
        return ""
    labels: dict[str, str] = {}
    for event in (*meant, *said):
        labels.setdefault(theme.key(event.label), event.label)
    rows = []
    for name, label in labels.items():
        tracks = []
        for sense, word in SENSES.items():
            true, answered = (
                [event for event in events if theme.key(event.label) == name and event.modality == sense]
                for events in (meant, said)
            )
            if true or answered:
                shared = temporal_iou(*([(event.start, event.end) for event in of] for of in (answered, true)))
                told = f"{label}, {word}: {names[0]} {_times(true)}; {names[1]} {_times(answered)}; IoU {shared:.2f}"
                bars = drawn_bars("true", sense, true, duration) + drawn_bars("said", sense, answered, duration)
                tracks.append(
                    f"<div class='track' role='img' aria-label='{escape(told)}' title='{escape(told)}'>"
                    f"<span>{word}</span><div>{bars}</div><b>{shared:.2f}</b></div>"
                )
        hue = theme.colour(colours, label)
        rows.append(f"<div class='lane' style='--c:{hue}'><p><i></i>{escape(label)}</p>{''.join(tracks)}</div>")
    ticks = "".join(f"<span style='left:{100 * at / duration:g}%'>{at:g} s</span>" for at in timeline.ticks(duration))
    return (
        f"<div class='lanes' data-seconds='{duration:g}'>{''.join(rows)}<div class='axis' aria-hidden='true'>{ticks}</div>"
        f"<p class='key'>Thin: {escape(names[0])}. Thick: {escape(names[1])}. At the end: IoU, seconds of both over "
        f"seconds of either.</p></div>"
    )


def drawn_bars(kind: str, sense: str, events: Sequence[Any], duration: float) -> str:
    """HTML of bars of one sense over 0…`duration` seconds, for a track; `kind`: "true" (thin) or "said" (thick)."""
    drawn = ""
    for event in events:
        start, end = (100 * min(max(time, 0.0), duration) / duration for time in (event.start, event.end))
        drawn += f"<i class='{kind} {sense}' style='left:{start:g}%;width:{max(end - start, 0.6):g}%'></i>"
    return drawn


def _times(events: Sequence[Any]) -> str:
    return ", ".join(f"{event.start:g}–{event.end:g} s" for event in events) or "never"


def boxes(
    frame: np.ndarray, said: Any, meant: Any | None, cut: Sequence[Any] = (), *, of: tuple[int, int] | None = None
) -> str:
    """An <img> of `frame` (height, width, 3) with the answer's masks `cut`, boxes and points, and over them the true
    box, white and named as such. `of`: as `masks.overlay` takes it."""
    colours, true = shared_colours(said, meant), ()
    if meant is not None:
        true = [replace(box, label=f"truth: {box.label}") for box in meant.boxes]
        colours |= {box.label: TRUTH for box in true}
    answered = [replace(box, label=box.label or "answer") for box in said.boxes]
    colours |= {"answer": theme.colour(colours, "")}
    picture = masks.overlay(frame, cut, [*answered, *true], said.points, colours=colours, of=of)
    file = BytesIO()
    picture.save(file, "JPEG", quality=88)
    words = "; ".join(
        f"{box.label}: {box.x1:.0f}, {box.y1:.0f} to {box.x2:.0f}, {box.y2:.0f}" for box in [*answered, *true]
    )
    data = b64encode(file.getvalue()).decode()
    return f"<img alt='{escape(words or 'The picture asked about')}' src='data:image/jpeg;base64,{data}'>"
