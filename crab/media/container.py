"""Files as FFmpeg reads them, through PyAV: open, choose a track, read packets and decode them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av

# Containers that FFmpeg may take a file for. Playlists (HLS, DASH, concat) are left out on purpose: such a file makes
# the machine open other files and addresses on behalf of whoever uploaded it. Pictures are Pillow's.
_CONTAINERS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,mpegvideo,m4v,h264,hevc,obu,ivf,wav,w64,mp3,flac,ogg,aac,ac3,eac3,aiff,au,caf,amr,ape,wv,tta,mxf,nut,rm,dv"
)
_SEES_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders of these leave transparency out


def open_file(path: Path) -> av.container.InputContainer:
    # An absolute path, so that no name is taken for an address ("http:...", "concat:...").
    return av.open(str(path.resolve()), options={"protocol_whitelist": "file", "format_whitelist": _CONTAINERS})


def video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The first moving picture. Cover art is none, nor is one tile of a picture that is put together (HEIF)."""
    other = av.stream.Disposition.attached_pic | av.stream.Disposition.dependent
    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & other:
            stream.thread_type = "AUTO"
            return stream
    return None


def audio_stream(container: av.container.InputContainer) -> av.AudioStream | None:
    return next((stream for stream in container.streams.audio if stream.codec_context is not None), None)


def packets(container: av.container.InputContainer, stream: av.stream.Stream) -> Iterator[av.Packet]:
    """Packets up to the end of the file, or as far as a truncated file can be read."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except IndexError:  # PyAV's, at times, at a packet of a stream that only turned up on the way
            packets = container.demux(stream)
            continue
        except (StopIteration, av.FFmpegError):
            return
        if packet.size:  # an empty packet stands for a repeated frame (AVI) or the end, and would end decoding
            yield packet


def decoded(container: av.container.InputContainer, stream: av.stream.Stream) -> Iterator:
    """Frames in the order they are shown or heard; what is damaged is passed over."""
    decoder = stream.codec_context
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
    try:
        container.seek(ticks, stream=stream)
    except av.FFmpegError:
        return
