"""An answer as a film: the clip with its events as bars below, boxes and masks at their time, labels, and the caveat.

    original(clip)              the clip as MoviePy has it, on its own clock, for the two below
    annotated(result, clip)     the film of an answer
    save(film, path, …)         H.264 and AAC in MP4, as every browser plays it; sound alone as AAC in M4A

    ┌──────────────────────┐
    │ picture, or for a    │   of sound alone a card of words
    │ sound alone a card   │
    │ ■ ♪ dog barking      │   what is heard and seen at this moment
    ├──────────────────────┤
    │ dog  ♪ ───███──┃──── │   heard: solid
    │      ◎ ───▨▨▨▨▨┃──── │   seen: hatched
    │ the answer means …   │
    └──────────────────────┘

Pictures and sound come from the decoding process (`crab.media`), so they are at the seconds that the answer speaks of,
whatever the file's clock is, and held to its limits; MoviePy, which is imported only where a film is made, brings
rhythm and encoding: what it gives FFmpeg is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from crab import CrabError, __version__, shortened
from crab.disk import whole
from visualize import masks, theme
from visualize.text import plain, told
from visualize.timeline import GLYPHS, MASKED, SENSES, SHOWN, masked, ticks

if TYPE_CHECKING:
    from crab.answer import Event
    from crab.media import Clip
    from crab.result import Result

SHORT_SIDE, LONG_SIDE = 480, 1280  # pixels that a picture is brought to: letters are read, and no screen needs more
CARD = (854, 240)  # of a sound alone
RATES = (12.0, 60.0)  # frames a second at least, so that the playhead moves, and at most
RATE_OF_SOUND = 44_100
SHORTEST = 0.2  # seconds of a cut
AHEAD = 200_000_000  # bytes of pictures decoded at a time
LANES, CAPTIONS = 8, 4  # labels that there is room for, in bars and on the picture
SAID = 240  # characters of an answer
_SOUND_SHARE = 0.1  # of the time it takes to write a film


# --- the clip ---


def original(clip: Clip) -> Any:
    """The clip as a MoviePy clip of its own size, rate and sound; of sound alone an `AudioClip`.

    Raises CrabError where it cannot be read, or does not last: of a lone picture there is no film.
    """
    if not clip.duration:
        raise CrabError(f"{clip.name} is a picture that stands still: there is no film of it.")
    from moviepy import VideoClip

    film = sound = _sound(clip) if clip.audio else None
    if clip.visible:
        film = VideoClip(_pictures(clip), duration=clip.duration).with_audio(sound)
    film.fps = rate(clip)
    return film


def _sound(clip: Clip) -> Any:
    """All of its sound, on the clip's clock.

    From the decoding process, as pictures are: MoviePy would have FFmpeg open what somebody uploaded, without limits.
    """
    from moviepy import AudioClip

    samples = clip.track(RATE_OF_SOUND)  # (samples, channels) int16

    def heard(times: float | np.ndarray) -> np.ndarray:
        places = np.round(np.asarray(times) * RATE_OF_SOUND).astype(int)
        there = (places >= 0) & (places < len(samples))
        return np.where(there[..., None], samples[np.clip(places, 0, len(samples) - 1)] / 32768, 0.0)

    return AudioClip(heard, duration=clip.duration, fps=RATE_OF_SOUND)


def rate(clip: Clip) -> float:
    """Frames a second of its films. MoviePy tells FFmpeg two decimals, and picture and sound are to stay in step."""
    least, most = RATES
    return round(min(max(clip.fps, least), most), 2)


def _pictures(clip: Clip) -> Callable[[float], np.ndarray]:
    """What the clip shows at a second: (height, width, 3) uint8."""
    if clip.video is None:
        still = clip.frame_at(0.0)
        return lambda time: still
    return _Ahead(clip)


class _Ahead:
    """The frames of a video by their second, decoded some at a time, since each look costs a walk from a key frame."""

    def __init__(self, clip: Clip) -> None:
        self._clip, each = clip, 3 * clip.width * clip.height
        self._seconds = min(10.0, max(1, AHEAD // each) / rate(clip))
        self._from = self._to = 0.0
        self._frames, self._times = np.empty((0, clip.height, clip.width, 3), np.uint8), np.empty(0)

    def __call__(self, time: float) -> np.ndarray:
        time += 1e-6  # a frame is on show from its own second on, rounded or not
        if not self._from <= time < self._to:
            self._look(time)
        place = int(np.searchsorted(self._times, time, side="right")) - 1
        return self._frames[place] if place >= 0 else self._before

    def _look(self, time: float) -> None:
        clip, goes_on = self._clip, self._to and abs(time - self._to) < 1 / rate(self._clip)
        last = self._frames[-1].copy() if goes_on else None
        count = 1 + round(self._seconds * min(clip.fps, rate(clip)))
        start, self._from = (self._to if goes_on else time), time
        self._to = start + self._seconds
        self._frames, self._times = clip.frames(count, start=start, end=self._to)
        if self._times[0] > time:  # the frame on show is one from before
            self._before = clip.frame_at(time) if last is None else last


# --- what is drawn ---


def annotated(result: Result, clip: Any) -> Any:
    """The film of an answer about `clip`, which is `original(result.clip)`, as a MoviePy clip of even width and height."""
    from moviepy import VideoClip

    seen = result.clip.visible
    across, down = _size(result.clip) if seen else CARD
    colours = theme.answer_colours(result.answer)
    width = max(across, SHORT_SIDE)
    base = Image.new("RGB", (width, down), theme.ink(True)["ground"])
    if not seen:
        _write(base, told(result)[:2])
    bars, (left, right, top, bottom) = _bars(result, colours, width)
    page = Image.new("RGB", (width, down + bars.height), theme.ink(True)["ground"])
    page.paste(base)
    page.paste(bars, (0, down))
    said = plain(result.answer)
    if not result.answer.events and seen and said:
        page = masks.captioned(page, said if len(said) <= SAID else f"{said[:SAID]}…")
    page = masks.captioned(page, result.caveat) if result.caveat else page
    page = page.crop((0, 0, page.width + page.width % 2, page.height + page.height % 2))

    def frame(time: float) -> np.ndarray:
        drawn = page.copy()
        picture = base.copy()
        if seen:
            shown = _marked(result, clip.get_frame(time), (across, down), time, colours)
            picture.paste(shown, ((width - across) // 2, 0))
        _caption(picture, [event for event in result.answer.events if event.start <= time < event.end], colours)
        drawn.paste(picture)
        x = left + (right - left) * min(time / result.clip.duration, 1)
        ImageDraw.Draw(drawn).line((x, down + top, x, down + bottom), fill="white", width=max(2, width // 400))
        return np.asarray(drawn)

    film = VideoClip(frame, duration=clip.duration).with_audio(clip.audio if seen else clip)
    film.fps = clip.fps
    return film


def _size(clip: Clip) -> tuple[int, int]:
    """Width and height of the picture in a film, both even."""
    scale = min(max(1.0, SHORT_SIDE / min(clip.width, clip.height)), LONG_SIDE / max(clip.width, clip.height))
    across, down = (max(2, 2 * round(side * scale / 2)) for side in (clip.width, clip.height))
    return across, down


def _marked(
    result: Result, frame: np.ndarray, size: tuple[int, int], time: float, colours: dict[str, str]
) -> Image.Image:
    """A frame at its size in the film; in the second they are of, or around it, with boxes, points and masks. A still
    picture always has them, unless they are of every second."""
    picture, answer = Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR), result.answer
    if result.over_time:
        [one] = [one for one in result.windows if one.start <= time < one.end] or [None]
        at = [mask for mask in result.masks if one and one.start <= mask.time < one.end]
        boxes, points = (one.answer.boxes, one.answer.points) if one and one.answer else ((), ())
    else:
        at = [mask for mask in result.masks if result.clip.video is None or abs(time - mask.time) <= SHOWN]
        here = result.clip.video is None or abs(time - result.frame_time) <= SHOWN
        boxes, points = (answer.boxes, answer.points) if here else ((), ())
    if not (at or boxes or points):
        return picture
    return masks.overlay(np.asarray(picture), at, boxes, points, of=result.size, colours=colours)


def _caption(picture: Image.Image, events: Sequence[Event], colours: dict[str, str]) -> None:
    """What is heard and seen, in the lower left corner, one above the other."""
    gap = round(min(picture.size) / 60)
    bottom = picture.height - gap
    for event in events[:CAPTIONS]:
        signs = "".join(sign for sense, sign in GLYPHS.items() if event.modality in (sense, "both"))
        hue = theme.colour(colours, event.label)
        _, top, _, _ = masks.tag(picture, f"{signs} {event.label}", hue, (gap, bottom), ())
        bottom = top - gap // 2


def _bars(result: Result, colours: dict[str, str], width: int) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """A lane for what is heard and one for what is seen of each label, over the clip's seconds; and where in that image
    the seconds are: left, right, top, bottom."""
    tone, duration, letters = theme.ink(True), result.clip.duration, max(13, round(width / 48))
    font, small = theme.font(letters), theme.font(round(0.8 * letters))
    lanes: dict[str, list[Event]] = {}
    for event in sorted((*result.answer.events, *masked(result)), key=lambda event: event.start):
        lanes.setdefault(theme.key(event.label), []).append(event)
    shown, bar = list(lanes.values())[:LANES], round(0.7 * letters)
    row, left, right = round(2.3 * letters), round(0.34 * width) if shown else letters, width - letters
    bottom = letters // 2 + row * max(1, len(shown))
    more = f"and {len(lanes) - LANES} more, not drawn" if len(lanes) > LANES else ""
    image = Image.new("RGB", (width, bottom + 2 * letters + (2 * letters if more else 0)), tone["ground"])
    pen = ImageDraw.Draw(image)

    def at(second: float) -> float:
        return left + (right - left) * min(max(second / duration, 0), 1)

    for tick in ticks(duration):
        pen.line((at(tick), letters // 2, at(tick), bottom), fill=tone["line"])
        anchor = "lt" if at(tick) < left + letters else "rt" if at(tick) > right - letters else "mt"
        pen.text((at(tick), bottom + letters // 3), f"{tick:g} s", font=small, fill=tone["quiet"], anchor=anchor)
    for place, events in enumerate(shown):
        top = letters // 2 + row * place
        hue, name = theme.colour(colours, events[0].label), " ".join(events[0].label.split())
        pen.rectangle((letters, top + 0.5 * row - letters / 2, 1.6 * letters, top + 0.5 * row + letters / 2), fill=hue)
        while font.getlength(name) > left - 4.2 * letters and len(name) > 1:
            name = f"{name[:-2]}…"
        pen.text((2.1 * letters, top + 0.5 * row), name, font=font, fill=tone["text"], anchor="lm")
        for half, sense in enumerate(SENSES):
            y = top + 0.35 * letters + half * (bar + 0.2 * letters)
            pen.text((left - 0.5 * letters, y + bar / 2), GLYPHS[sense], font=small, fill=tone["quiet"], anchor="rm")
            pen.line((left, y + bar / 2, right, y + bar / 2), fill=tone["line"])
            for event in events:
                sides = (at(event.start), y, max(at(event.end), at(event.start) + 3), y + bar)
                if event.modality in (sense, "both"):
                    _bar(image, sides, hue, hatched=sense == "visual")
                elif event.modality == MASKED and sense == "visual":
                    _masked(pen, sides, hue)
    for start, end in result.unlooked:
        _bar(image, (at(start), letters // 2, at(end), bottom), tone["quiet"], hatched=True)
    if (
        result.clip.video and not result.over_time and (result.answer.boxes or result.answer.points)
    ):  # the moment that places are of
        x, y, half = at(result.frame_time), letters // 2, letters // 3
        pen.polygon([(x, y - half), (x + half, y), (x, y + half), (x - half, y)], fill=tone["text"])
    if more:
        pen.text((2.1 * letters, bottom + 2 * letters), more, font=small, fill=tone["quiet"])
    return image, (left, right, letters // 2, bottom)


def _bar(image: Image.Image, sides: tuple[float, float, float, float], hue: str, *, hatched: bool) -> None:
    x1, y1, x2, y2 = map(round, sides)
    pen = ImageDraw.Draw(image)
    if not hatched:
        pen.rectangle((x1, y1, x2, y2), fill=hue)
        return
    stripes = Image.new("L", (max(1, x2 - x1), max(1, y2 - y1)))
    lines = ImageDraw.Draw(stripes)
    for x in range(-stripes.height, stripes.width, 6):
        lines.line((x, stripes.height, x + stripes.height, 0), fill=255, width=2)
    image.paste(hue, (x1, y1), stripes)
    pen.rectangle((x1, y1, x2, y2), outline=hue, width=1)


def _masked(pen: ImageDraw.ImageDraw, sides: tuple[float, float, float, float], hue: str) -> None:
    """When something has a mask: a line at either edge, as a mask has on the picture."""
    x1, y1, x2, y2 = map(round, sides)
    pen.rectangle((x1, y1, x2, y2), outline=hue, width=2)


def _write(card: Image.Image, paragraphs: Sequence[str]) -> None:
    """Words on a card, as many as there is room for."""
    letters, y = round(card.height / 14), round(card.height / 14)
    for words, tone in zip(paragraphs, ("quiet", "text")):
        for line in masks.wrapped(words, theme.font(letters), card.width - 2 * letters):
            if y > card.height - 5 * letters:  # below are the labels
                return
            ImageDraw.Draw(card).text((letters, y), line, font=theme.font(letters), fill=theme.ink(True)[tone])
            y += round(1.4 * letters)


# --- files ---


def cut(clip: Any, event: Event) -> Any:
    """The seconds of an event out of `original(…)`; of what is over at once, `SHORTEST`."""
    start = max(0.0, min(event.start, clip.duration - SHORTEST))
    made = clip.subclipped(start, min(clip.duration, max(event.end, start + SHORTEST)))
    made.fps = clip.fps
    return made


def save(film: Any, path: Path, facts: Sequence[str], *, say: Callable[[float], object] = lambda share: None) -> None:
    """Write a MoviePy clip as .mp4, one of sound alone as .m4a, with `facts` as its comment.

    `say` is told what share of it is written, 0 to 1. Raises CrabError where FFmpeg cannot make it.
    """
    comment = "\n".join((*facts, f"Made by Crab+ {__version__}."))
    about = ["-metadata", f"comment={comment}", "-movflags", "+faststart"]
    # MoviePy asks for transparency, which H.264 has none of; an odd side gets one more line, black.
    plain = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2,format=yuv420p"]
    with whole(path) as part:
        try:
            if path.suffix == ".m4a":
                film.write_audiofile(str(part), RATE_OF_SOUND, codec="aac", ffmpeg_params=about, logger=_logger(say, 1))
            else:
                film.write_videofile(
                    str(part), codec="libx264", audio_codec="aac", preset="veryfast",
                    temp_audiofile=str(part.with_name("sound.m4a")),  # raw AAC would come late by what a coder needs to start up
                    ffmpeg_params=[*plain, *about], logger=_logger(say, _SOUND_SHARE if film.audio else 0),
                )  # fmt: skip
        except OSError as error:
            raise _unmade(path.name, error) from error
    say(1.0)


def _logger(say: Callable[[float], object], sound: float) -> Any:
    """MoviePy's idea of progress as a share of the whole; `sound`: of the part that is sound, which comes first."""
    from proglog import ProgressBarLogger

    class Told(ProgressBarLogger):
        def bars_callback(self, bar: str, attr: str, value: Any, old_value: Any = None) -> None:
            if attr == "index":
                share = value / max(1, self.bars[bar]["total"])
                say(sound * share if bar == "chunk" else sound + (1 - sound) * share)

    return Told()


def _unmade(name: str, error: OSError) -> CrabError | OSError:
    """A sentence for what MoviePy raises, which is all of FFmpeg's words; a full disk stays one."""
    if error.errno is not None and error.strerror:
        return error
    return CrabError(f"No film could be made of {shortened(name)}: open the clip again, or save it as MP4 first.")
