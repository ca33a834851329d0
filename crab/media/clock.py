"""The one clock of a file, for its picture, its sound and its length: where zero is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av

from crab.media.clip import Limits
from crab.media.container import audio_stream, open_file, read, ticks, video_stream

# Containers whose clock is the file's own: a browser's player starts at its zero, whatever comes first and whenever.
# Anywhere else (broadcasts above all) time begins at any number, and zero is when the first picture or sound is due.
_FROM_ZERO = {"mov", "matroska", "ogg"}
_PRIMING = Fraction(1, 10)  # seconds; a lone sound that begins so soon begins at zero: coders need a start-up
_REORDERED = 32  # packets, more than lie between a picture and one that is shown before it


@dataclass(frozen=True)
class Clock:
    """Seconds as the file counts them."""

    zero: Fraction  # the clip's zero
    picture: Fraction  # what the times of pictures say at the clip's zero: the same, but for AVI
    sound: Fraction | None  # when the first sample is heard; None where nothing is
    rate: int  # Hz, of the sound as it begins


def clock(path: Path) -> Clock:
    """The clock of a file; looked up once, because everything asks for it.

    A recording that was cut between key frames has its zero where its packets begin, although pictures can only be
    decoded later: its sound is already on, and a player's clock runs.
    """
    state = os.stat(path)
    return _clock(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _clock(path: Path, *_: int) -> Clock:
    with open_file(path) as container:
        picture, track = video_stream(container), audio_stream(container)
        seen, late, heard = _first_times(container, picture, track)
        names = set(container.format.name.split(","))
        begins = None if heard is None or track is None else (heard.pts or 0) * ticks(track)
    # AVI says in which order pictures are decoded, and no more. FFmpeg counts them from there, and so all their times are
    # late by as much as pictures are decoded ahead; the sound begins with them.
    late = late if "avi" in names else Fraction(0)
    known = [] if seen is None else [seen - late]
    first = min(known if begins is None else [*known, begins], default=Fraction(0))
    # A clock that starts later than a clip may last was started by another, longer recording.
    if _FROM_ZERO & names and 0 <= first <= Limits.seconds and (picture is not None or first > _PRIMING):
        first = Fraction(0)
    return Clock(first, first + late, begins, 0 if heard is None else heard.sample_rate)


def _first_times(
    container: av.container.InputContainer, picture: av.VideoStream | None, track: av.AudioStream | None
) -> tuple[Fraction | None, Fraction, av.AudioFrame | None]:
    """When the first picture is due, whether or not it can be decoded, and how long after the time at which decoding
    begins; the first block of sound that can be decoded."""
    seen: int | None = None
    sent: int | None = None
    heard, looked = None, 0
    for packet in read(container, *filter(None, (picture, track))):
        if track is not None and packet.stream_index == track.index:
            heard = heard or _decode(track, packet)
        elif looked < _REORDERED and packet.pts is not None and not packet.is_discard:
            sent = packet.dts if sent is None else sent
            settled = seen is not None and packet.dts is not None and packet.dts >= seen
            looked = _REORDERED if settled else looked + 1
            seen = packet.pts if seen is None else min(seen, packet.pts)
        if (heard or track is None) and (looked == _REORDERED or picture is None):
            break
    if track is not None:
        heard = heard or _decode(track, None)  # what the decoder of a short sound still holds
    if seen is None or picture is None:
        return None, Fraction(0), heard
    late = 0 if sent is None else max(0, seen - sent)
    return seen * ticks(picture), late * ticks(picture), heard


def _decode(track: av.AudioStream, packet: av.Packet | None) -> av.AudioFrame | None:
    try:
        return next(iter(track.codec_context.decode(packet)), None)
    except av.FFmpegError:
        return None
