"""What the model sees and hears of a clip: `Media`, decoded for one prompt, and `Seen`, what is kept beside the answer;
and what of an answer that can bear out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from PIL import Image

from crab.answer import Answer, Span
from crab.tasks import Task

SAMPLE_RATE = 16_000
SIDE = 224  # pixels a side, at most, of the pictures that are kept: what the published model is shown


@dataclass(frozen=True)
class Stretch:
    """A run of sound as the model hears it: `samples` of it, from second `start` of clip number `source`."""

    start: float
    samples: int
    source: int = 0


@dataclass(frozen=True)
class Media:
    """What one prompt shows and plays, decoded.

    `videos`: (frames, height, width, 3) uint8 each, seen one after the other; `times`, `sources`: of every frame.
    `picture`: (height, width, 3) uint8. `sound`: float32 mono at 16 kHz, after the task's plan; `stretches` says which
    seconds of the clip it consists of.
    """

    videos: tuple[np.ndarray, ...] = ()
    times: tuple[float, ...] = ()
    sources: tuple[int, ...] = ()
    picture: np.ndarray | None = None
    picture_time: float = 0.0
    sound: np.ndarray | None = None
    stretches: tuple[Stretch, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property  # asked with every token
    def visible(self) -> bool:
        """Whether there is anything to see: black stands for nothing."""
        pictures = self.videos if self.picture is None else (*self.videos, self.picture)
        return any(bool(picture.any()) for picture in pictures)

    @cached_property
    def audible(self) -> bool:
        """Whether there is anything to hear: a tenth of a second at least that is not quite silent."""
        return self.sound is not None and int(np.count_nonzero(self.sound)) >= SAMPLE_RATE // 10

    def small(self) -> Media:
        """The same with videos of at most `SIDE` pixels a side; the picture stays, since masks are cut out of it."""
        videos = tuple(np.stack([_small(frame) for frame in video]) for video in self.videos)
        return replace(self, videos=videos)


@dataclass(frozen=True)
class Seen:
    """What the clip shows and sounds like, to lay the routing over it.

    `duration`: seconds of the clip. `frames`: (second, source, (height, width, 3) uint8 RGB) each, those the model saw
    or some near them. `sounds`: one a source, mono float32 at 16 kHz from second 0; empty where there is none. Source 1
    is the second clip of a matching task.
    """

    duration: float
    frames: tuple[tuple[float, int, np.ndarray], ...] = ()
    sounds: tuple[np.ndarray, ...] = ()

    @property
    def nbytes(self) -> int:
        return sum(frame.nbytes for *_, frame in self.frames) + sum(sound.nbytes for sound in self.sounds)

    def with_more(self, shown: Media) -> Seen:
        """This, and what one more prompt of the same clips shows and plays, on the clips' own seconds.

        Pictures no larger than `SIDE`; sound is silent where no prompt had it.
        """
        pictures = [frame for video in shown.videos for frame in video]
        frames = [*zip(shown.times, shown.sources, pictures)]
        frames += [(shown.picture_time, 0, shown.picture)] if shown.picture is not None else []
        small = tuple((time, source, _small(frame)) for time, source, frame in frames)
        return Seen(self.duration, self.frames + small, self._heard(shown.sound, shown.stretches))

    def _heard(self, samples: np.ndarray | None, stretches: Sequence[Stretch]) -> tuple[np.ndarray, ...]:
        if samples is None:
            return self.sounds
        sounds, at = [sound.copy() for sound in self.sounds], 0
        for stretch in stretches:
            while len(sounds) <= stretch.source:
                sounds.append(np.zeros(round(self.duration * SAMPLE_RATE), np.float32))
            sound, first = sounds[stretch.source], round(stretch.start * SAMPLE_RATE)
            piece = samples[at + max(-first, 0) : at + stretch.samples][: max(len(sound) - max(first, 0), 0)]
            sound[max(first, 0) : max(first, 0) + len(piece)] = piece
            at += stretch.samples
        return tuple(sounds)


def _small(frame: np.ndarray) -> np.ndarray:
    """(height, width, 3) uint8 of at most `SIDE` pixels a side; a copy, so that what it was part of can go."""
    image = Image.fromarray(frame)
    image.thumbnail((SIDE, SIDE))
    return np.array(image)


_SENSE = {"event": "both", "visual_event": "visual", "audio_event": "audio", "box": "visual", "object": "visual",
          "point": "visual"}  # kind of span -> what it is said to be known by  # fmt: skip


_PLACES = ("box", "object", "point")


def borne_out(said: Answer, shown: Media, task: Task, *, audible: bool = True) -> Answer:
    """The answer without what the model cannot know: heard where nothing sounds, seen where there is nothing to see,
    and where what sounds is, of a silent second. A clip without any sound, not `audible`, is another matter: there the
    picture alone is asked what might sound.

    Such events, boxes and points are no results. Their words stay, as spans of the kind "guess", and `notes` says so.
    What is said to be both seen and heard counts for the one sense that has something.
    """
    lost = [sense for sense, there in (("visual", shown.visible), ("audio", shown.audible)) if not there]
    if not lost:
        return said
    silent = audible and "audio" in lost and task.grammar in ("box", "box_points")  # both ask for what sounds
    nowhere = silent or "visual" in lost
    left = "audio" if "visual" in lost else "visual"
    events = [replace(event, modality=left) if event.modality == "both" else event for event in said.events]
    spans: list[Span] = []
    for span in said.spans:
        sense, guessed = _SENSE.get(span.kind), bool(spans) and spans[-1].kind == "guess"
        if span.shown and (sense in lost or span.kind in _PLACES and nowhere or span.kind == "range" and guessed):
            span = replace(span, kind="guess", label="")
        elif sense == "both":
            span = replace(span, kind=f"{left}_event")
        spans.append(span)
    kept = tuple(event for event in events if event.modality not in lost)
    boxes, points = ((), ()) if nowhere else (said.boxes, said.points)
    notes = said.notes
    if nowhere and "visual" not in lost and (boxes, points) != (said.boxes, said.points):
        notes += ("Where it points to is a guess: nothing sounds that could be anywhere.",)
    elif len(kept) < len(events) or boxes != said.boxes or points != said.points:
        what = {"audio": ("heard", "nothing to hear"), "visual": ("seen", "nothing to see")}
        notes += tuple(f"What it calls {what[sense][0]} is a guess: there was {what[sense][1]}." for sense in lost)
    return replace(said, events=kept, boxes=boxes, points=points, spans=tuple(spans), notes=notes)
