"""Files as FFmpeg reads them, through PyAV: open, choose a track, read packets and decode them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import av

from crab.media.joins import AHEAD, Sent, shifts

# Containers that FFmpeg may take a file for. Playlists (HLS, DASH, concat) are left out on purpose: such a file makes
# the machine open other files and addresses on behalf of whoever uploaded it. Pictures are Pillow's.
_CONTAINERS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,mpegvideo,m4v,h264,hevc,obu,ivf,wav,w64,mp3,flac,ogg,aac,ac3,eac3,"
    "aiff,au,caf,amr,ape,wv,tta,mxf,nut,rm,dv"
)
_Track = TypeVar("_Track", av.VideoStream, av.AudioStream)

_SEES_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders of these leave transparency out


def open_file(path: Path) -> av.container.InputContainer:
    # An absolute path, so that no name is taken for an address ("http:...", "concat:...").
    return av.open(str(path.resolve()), options={"protocol_whitelist": "file", "format_whitelist": _CONTAINERS})


def video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The moving picture. Cover art is none, nor is one tile of a picture that is put together (HEIF)."""
    other = av.stream.Disposition.attached_pic | av.stream.Disposition.dependent
    stream = _meant(stream for stream in container.streams.video if not stream.disposition & other)
    if stream is not None:
        stream.thread_type = "AUTO"
    return stream


def audio_stream(container: av.container.InputContainer) -> av.AudioStream | None:
    """The sound."""
    return _meant(container.streams.audio)


def ticks(stream: av.stream.Stream) -> Fraction:
    """Seconds of one tick of the clock that a stream's times are told by."""
    assert stream.time_base is not None  # every stream that FFmpeg reads has one
    return stream.time_base


def _meant(streams: Iterable[_Track]) -> _Track | None:
    """The track that players take: the default one; else the first that is not made for a few; else the first.

    Only tracks that FFmpeg has a decoder for, and knows enough of to have seen something in them, unless none is.
    """
    for_few = av.stream.Disposition.comment | av.stream.Disposition.visual_impaired
    for_few |= av.stream.Disposition.hearing_impaired | av.stream.Disposition.descriptions

    def rank(stream: av.VideoStream | av.AudioStream) -> tuple[bool, bool, bool]:
        known = stream.codec_context.sample_rate if stream.type == "audio" else stream.codec_context.width
        return bool(known), bool(stream.disposition & av.stream.Disposition.default), not stream.disposition & for_few

    return max((stream for stream in streams if stream.codec_context is not None), key=rank, default=None)


def read(container: av.container.InputContainer, *streams: av.stream.Stream) -> Iterator[av.Packet]:
    """Packets up to the end of the file, or as far as a truncated file can be read."""
    packets = container.demux(streams)
    while True:
        try:
            packet = next(packets)
        except IndexError:  # PyAV's, at times, at a packet of a stream that only turned up on the way
            packets = container.demux(streams)
            continue
        except (StopIteration, av.FFmpegError):
            return
        if packet.size:  # an empty packet stands for a repeated frame (AVI) or the end, and would end decoding
            yield packet


def packets(container: av.container.InputContainer, stream: av.stream.Stream) -> Iterator[av.Packet]:
    """Packets of one stream; where the file's clock jumps, as if it had gone on."""
    added = jumps(container).get(stream.index)
    for i, packet in enumerate(read(container, stream)):
        if added is not None and i < len(added):
            shown = _shown(packet)
            packet.pts = None if shown is None else shown + added[i]
            packet.dts = None if packet.dts is None else packet.dts + added[i]
        yield packet


def jumps(container: av.container.InputContainer) -> Mapping[int, Sequence[int]]:
    """Index of a stream -> ticks to add to each of its packets; empty where the clock goes on from start to end."""
    # PyAV's stubs take a flag's value for the flag.
    if not container.format.flags & av.format.Flags.ts_discont.value:  # type: ignore[operator]
        return {}
    state = os.stat(container.name)
    return _jumps(container.name, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _jumps(name: str, *_: int) -> Mapping[int, Sequence[int]]:
    with open_file(Path(name)) as container:
        streams = {s.index: s for s in (video_stream(container), audio_stream(container)) if s is not None}
        sent = [_sent(packet) for packet in read(container, *streams.values())]
        added = shifts(sent)
        if not added.any():
            return {}
        moved: dict[int, list[int]] = {index: [] for index in streams}
        for packet, seconds in zip(sent, added, strict=True):
            moved[packet.track].append(round(seconds / ticks(streams[packet.track])))
    return moved


def _sent(packet: av.Packet) -> Sent:
    tick, at = float(packet.time_base), _shown(packet)
    shown = math.nan if at is None else at * tick
    decoded = shown if packet.dts is None else packet.dts * tick
    return Sent(packet.stream_index, decoded, shown, max(0, packet.duration or 0) * tick)


def _shown(packet: av.Packet) -> int | None:
    """When a packet is shown; None where that is told by another clock than when it is decoded, as behind a jump."""
    if packet.pts is None or packet.dts is None or abs(packet.pts - packet.dts) * packet.time_base <= AHEAD:
        return packet.pts
    return None


def decoded(container: av.container.InputContainer, stream: av.stream.Stream) -> Iterator:
    """Frames in the order they are shown or heard; what is damaged is passed over."""
    decoder: Any = stream.codec_context
    if stream.metadata.get("alpha_mode") == "1" and _SEES_ALPHA.get(decoder.name) in av.codecs_available:
        decoder = av.CodecContext.create(_SEES_ALPHA[decoder.name], "r")
    for packet in chain(packets(container, stream), [None]):  # None: hand out what the decoder still holds
        try:
            decoded = decoder.decode(packet)
        except av.FFmpegError:
            continue
        yield from decoded


def seek(container: av.container.InputContainer, stream: av.stream.Stream, ticks: int) -> None:
    """Go to the key frame at or before `ticks`. A file that cannot be wound is read on from where it stands."""
    if jumps(container):
        return  # its times come up twice, or not in order
    try:
        container.seek(ticks, stream=stream)
    except av.FFmpegError:
        return
