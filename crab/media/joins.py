"""Where a file's clock jumps, and what to add so that it goes on.

Recordings joined end to end (transport streams above all) keep the clock of each: times leap ahead, or start again. The
file lasts as long as it plays, so each part is put right behind the one before, picture and sound by the same amount.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

AHEAD = 10.0  # seconds; a leap further ahead is another clock, as FFmpeg's own tools say; less is something missing
_BACK = 0.1  # seconds; nothing is decoded that much before what came before it, on one clock
_NEAR = 5.0  # seconds; picture and sound that lie so close together in a file may be of the same moment


@dataclass(frozen=True)
class Sent:
    """A packet: its track, in seconds on the file's clock when it is decoded and shown (NaN: unknown), for how long."""

    track: int
    decoded: float
    shown: float
    lasts: float


@dataclass
class _Track:
    last: float  # when its last packet was decoded
    due: float  # when its next one is
    part: int


def shifts(packets: Sequence[Sent]) -> np.ndarray:
    """Seconds to add to the times of each packet, (packets,) float64; packets are in the order of the file."""
    parts, strays = _parts(packets)
    added = np.zeros(len(packets))
    track = np.array([packet.track for packet in packets])
    shown = np.array([packet.shown for packet in packets]) + strays
    over = shown + [packet.lasts for packet in packets]
    last = {one: parts[track == one].max() for one in set(track.tolist())}
    reaches = np.array([last[one] for one in track.tolist()])
    for part in range(1, max(parts, default=0) + 1):
        here = parts == part
        # A track that goes on in this part may have its last packets of the part before behind the first ones of this.
        before = (parts < part) & ((reaches >= part) | (np.arange(len(parts)) < np.argmax(here)))
        if not (np.isnan(shown[here]).all() or np.isnan(over[before]).all()):
            added[here] = np.nanmax((over + added)[before]) - np.nanmin(shown[here])
    return added + strays


def _parts(packets: Sequence[Sent]) -> tuple[np.ndarray, np.ndarray]:
    """(packets,) int, which part of the recording each is of; (packets,) float64, what to add to stray times."""
    parts, strays = np.zeros(len(packets), int), np.zeros(len(packets))
    following = _following(packets)
    tracks: dict[int, _Track] = {}
    for i, packet in enumerate(packets):
        time, lasts = packet.decoded, packet.lasts
        others = [track for key, track in tracks.items() if key != packet.track]
        track = tracks.get(packet.track)
        if track is None:
            near = [other.part for other in others if abs(other.due - time) <= _NEAR]
            parts[i] = max(near or (other.part for other in others), default=0)
            if time == time:
                tracks[packet.track] = _Track(time, time + lasts, parts[i])
            continue
        jumps = time < track.last - _BACK or time > track.due + AHEAD  # False where unknown
        if jumps and not -_BACK <= following[i] - time <= AHEAD:  # one wrong time, not another clock
            strays[i] = track.due - time
            track.due += lasts
        elif jumps:
            track.part = _part(track, time, others)
        if time == time and not strays[i]:
            track.last, track.due = time, time + lasts
        parts[i] = track.part
    return parts, strays


def _part(track: _Track, time: float, others: Sequence[_Track]) -> int:
    """The part that `track` is in from `time` on."""
    near = [other.part for other in others if abs(other.due - time) <= _NEAR and other.part >= track.part]
    if near and max(near) > track.part:
        return max(near)  # another track has jumped there before
    if near and time > track.last:
        return track.part  # the others have got there without a jump: this one paused
    return max([track.part, *(other.part for other in others)]) + 1


def _following(packets: Sequence[Sent]) -> list[float]:
    """When the next packet of the same track is decoded (NaN: there is none)."""
    following = [np.nan] * len(packets)
    later: dict[int, float] = {}
    for i in reversed(range(len(packets))):
        following[i] = later.get(packets[i].track, np.nan)
        if packets[i].decoded == packets[i].decoded:
            later[packets[i].track] = packets[i].decoded
    return following
