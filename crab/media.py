"""Open, check and decode what people upload: any video, picture or sound file, by its content and not by its name.

`open_clip` looks a file over and hands on a `Clip`, with hardly anything decoded. `frames`, `frame_at` and `sound`
decode what is asked for and no more: when each frame is shown is listed without decoding (reading packets is cheap),
the frames wanted are picked from that list, and decoding starts at the key frame before each of them. Files that do not
say when their frames are shown (some AVI, GIF, stream dumps) are decoded from their beginning instead. Either way the
frames are the ones that a plain decode from start to end gives.

FFmpeg (through PyAV) reads video and sound, Pillow reads pictures and animated WebP. All times are seconds since the
clip's first frame, or since its first sample where nothing moves.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageOps, ImageSequence

from crab import CrabError

SAMPLE_RATE = 16_000  # Hz, what the model's sound encoder listens to

# Containers that FFmpeg may take a file for. Playlists (HLS, DASH, concat) are left out on purpose: such a file makes
# the machine open other files and addresses on behalf of whoever uploaded it.
_CONTAINERS = (
    "mov,mp4,matroska,webm,avi,gif,apng,mpegts,mpeg,flv,asf,mpegvideo,m4v,h264,hevc,obu,ivf,mjpeg,jpeg_pipe,png_pipe,"
    "webp_pipe,wav,w64,mp3,flac,ogg,aac,ac3,eac3,aiff,au,caf,amr,ape,wv,tta,mxf,nut,rm,dv"
)
_PICTURES = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # Pillow's names
_ANIMATIONS = ("GIF", "PNG", "WEBP")  # where several frames mean a film; in the others they are pages or depth maps
_PILLOW_ERRORS = (OSError, EOFError, LookupError, SyntaxError, TypeError, ValueError, struct.error)  # on strange bytes
_WEBP = "webp_pipe"  # FFmpeg's name for WebP; here always an animated one, as stills are read before
_TIMED = {"mov", "matroska"}  # containers in which every packet says when it is shown and key frames are marked
_SEES_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders of these leave transparency out

_USUAL_RATE = 25  # frames a second, where a file says neither that nor when its frames are shown
_OVERHANG = 0.5  # seconds that sound may go on after the picture without making the clip longer: blocks are padded
_INSTANT = 1e-6  # seconds; times closer than this are the same
_PREROLL = 1.0  # seconds decoded and dropped before a window of sound: coded sound leans on what came before
_MARGIN = 0.1  # seconds resampled on both sides of a window of sound, so that its edges are those of the whole
_GAP = 0.04  # seconds; a timestamp further ahead than this means that sound is missing, less is rounding
_LIKE_SOXR = "filter_size=128:filter_type=kaiser:kaiser_beta=9:cutoff=0.96"  # options of FFmpeg's own resampler

_ADVICE = "save it as MP4, JPEG or WAV and try again"


class MediaError(CrabError):
    """A file that cannot be used; the message names the file and says what to do."""


class Limits:
    """What a clip may be, stated once."""

    seconds = 300  # the model's sound front end holds five minutes and cuts what is longer without a word
    bytes = 500_000_000
    pixels = 8192 * 4320  # of one frame
    shortest_sound = 0.1  # seconds; less counts as none


@dataclass(frozen=True)
class Clip:
    """What was uploaded, checked. Width and height are as displayed: rotation applied, in pixels as stored."""

    name: str  # the file's name, for people
    video: Path | None = None  # has a moving picture
    image: Path | None = None
    audio: Path | None = None  # where the sound is (may equal `video`); None where there is none
    duration: float = 0.0  # seconds until picture and sound are both over; 0.0 for a lone picture
    width: int = 0  # 0 if there is nothing to see
    height: int = 0
    fps: float = 0.0  # frames over the video's own length; 0.0 without a video
    frame: int | None = None  # the second that a picture belongs to
    piece: int | None = None  # the piece of its sound that a published picture belongs to, whatever a piece lasts


# ------------------------------------------------------------------------------------------------------ opening


def open_clip(
    media: str | Path | None = None,
    *,
    image: str | Path | None = None,
    audio: str | Path | None = None,
    frame: int | None = None,
    piece: int | None = None,
) -> Clip:
    """Look over what was uploaded.

    Args:
        media: any video, picture or sound file.
        image: a picture, alone or to go with a sound.
        audio: a file whose sound is used; beside a video it replaces the video's own.
        frame: the second of the clip that the picture belongs to, or that boxes and masks are drawn on.
        piece: instead of `frame`, the piece of the sound (a fifth or a tenth, as the task says) that a published
            picture belongs to (`frame_idx`). Pieces are seconds only where the sound is as long as published ones.

    Returns:
        A `Clip`. An animated GIF or WebP is a video, one of a single frame a picture; cover art is not looked at; a
        video whose picture cannot be decoded but whose sound can counts as sound.

    Raises:
        MediaError: a file is missing, unreadable, too large or too long, or holds neither picture nor sound.
    """
    given = [Path(path) for path in (media, image, audio) if path is not None]
    if not given:
        raise MediaError("There is no clip yet: give a video, a picture or a sound file.")
    clip = Clip(name=given[0].name) if media is None else _look(given[0])
    if image is not None:
        picture = _look(Path(image))
        if picture.image is None:
            raise MediaError(f"{picture.name} is not a still picture: give a JPEG, PNG or WebP file.")
        if clip.video or clip.image:
            raise MediaError(f"{clip.name} and {picture.name} both have a picture: give only one of them.")
        clip = dataclasses.replace(picture, name=clip.name, audio=clip.audio)
    if audio is not None:
        heard = _look(Path(audio)).audio
        if heard is None:
            raise MediaError(f"There is no sound in {Path(audio).name}: give a file that has some.")
        clip = dataclasses.replace(clip, audio=heard)
    if clip.audio is not None:
        over = _sound_over(clip)
        if over > clip.duration + _OVERHANG or clip.video is None:
            clip = dataclasses.replace(clip, duration=over)
    if frame is not None and clip.duration and not 0 <= frame < clip.duration:
        last = math.ceil(clip.duration) - 1
        raise MediaError(f"{clip.name} has no second {frame}: it lasts {clip.duration:.1f} s, give 0 to {last}.")
    return dataclasses.replace(clip, frame=frame, piece=piece)


def _look(path: Path) -> Clip:
    """What one file holds."""
    _check_file(path)
    clip = _look_at_picture(path)
    if clip is not None:
        return clip
    try:
        clip = _look_at_video(path)
        if _has_sound(path):
            clip = dataclasses.replace(clip, audio=path)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"{path.name} cannot be read as a video, a picture or a sound: {_ADVICE}.") from error
    if clip.video is None and clip.audio is None:
        raise MediaError(f"{path.name} has neither a picture nor sound that can be read: {_ADVICE}.")
    return clip


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise MediaError(f"{path.name or path} is a folder: give one video, picture or sound file.")
    if not path.is_file():
        raise MediaError(f"{path.name} was not found: check its name, or upload it again.")
    size = path.stat().st_size
    if size == 0:
        raise MediaError(f"{path.name} is empty: upload it again.")
    if size > Limits.bytes:
        most = f"{Limits.bytes / 1e6:.0f} MB"
        raise MediaError(f"{path.name} is {size / 1e6:.0f} MB, more than {most}: cut it shorter or save it smaller.")


def _check_pixels(path: Path, width: int, height: int) -> None:
    if width * height > Limits.pixels:
        most = f"{Limits.pixels / 1e6:.0f} million pixels"
        raise MediaError(f"{path.name} is {width} x {height}, more than {most} a frame: save it smaller.")


def _check_seconds(path: Path, seconds: float) -> None:
    # Rounded, because the last frame or block of sound sticks out of a clip cut at five minutes.
    if round(seconds) > Limits.seconds:
        raise MediaError(f"{path.name} is longer than {Limits.seconds} s: cut it shorter.")


def _look_at_picture(path: Path) -> Clip | None:
    """The picture that a file is; None if it is something else, or moves."""
    try:
        with Image.open(path, formats=_PICTURES) as picture:
            _check_pixels(path, *picture.size)
            if picture.format in _ANIMATIONS and getattr(picture, "n_frames", 1) > 1:
                return None
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path.name} has too many pixels: save it smaller.") from error
    except _PILLOW_ERRORS:
        return None
    height, width, _ = _picture(path).shape
    return Clip(name=path.name, image=path, width=width, height=height)


def _look_at_video(path: Path) -> Clip:
    with _open(path) as container:
        stream = _video_stream(container)
        if stream is None:
            return Clip(name=path.name)
        _check_pixels(path, stream.codec_context.width, stream.codec_context.height)
    first = next((frame for _, _, frame in _every_frame(path)), None)
    if first is None:
        return Clip(name=path.name)
    height, width = _upright(np.empty((first.height, first.width)), first).shape
    timeline = _listed(path) or _counted(path)
    _check_seconds(path, timeline.end)
    fps = len(timeline.times) / timeline.end
    return Clip(name=path.name, video=path, duration=timeline.end, width=width, height=height, fps=fps)


def _has_sound(path: Path) -> bool:
    return any(seconds >= Limits.shortest_sound for seconds in _heard(path))


def _sound_over(clip: Clip) -> float:
    """Second of the clip at which its sound is over, by decoding it: too many headers are wrong, and it is quick."""
    _, lag, _ = _sound_begins(clip)
    for seconds in _heard(clip.audio):
        _check_seconds(clip.audio, lag + seconds)
    return lag + seconds


def _heard(path: Path) -> Iterator[float]:
    """Seconds of sound decoded so far, as decoding goes on."""
    samples = 0
    with _open(path) as container:
        stream = _audio_stream(container)
        for frame in _decoded(container, stream) if stream is not None else ():
            samples += frame.samples
            yield samples / frame.sample_rate


# --------------------------------------------------------------------------------------------------- containers


def _open(path: Path) -> av.container.InputContainer:
    # An absolute path, so that no name is taken for an address ("http:...", "concat:...").
    return av.open(str(path.resolve()), options={"protocol_whitelist": "file", "format_whitelist": _CONTAINERS})


def _video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The first moving picture. Cover art is none, nor is one tile of a picture that is put together (HEIF)."""
    other = av.stream.Disposition.attached_pic | av.stream.Disposition.dependent
    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & other:
            stream.thread_type = "AUTO"
            return stream
    return None


def _audio_stream(container: av.container.InputContainer) -> av.AudioStream | None:
    return next((stream for stream in container.streams.audio if stream.codec_context is not None), None)


def _packets(container: av.container.InputContainer, stream: av.stream.Stream) -> Iterator[av.Packet]:
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


def _decoded(container: av.container.InputContainer, stream: av.stream.Stream) -> Iterator:
    """Frames in the order they are shown or heard; what is damaged is passed over."""
    decoder = stream.codec_context
    if stream.metadata.get("alpha_mode") == "1" and _SEES_ALPHA.get(decoder.name) in av.codecs_available:
        decoder = av.CodecContext.create(_SEES_ALPHA[decoder.name], "r")
    for packet in chain(_packets(container, stream), [None]):  # None: hand out what the decoder still holds
        try:
            decoded = decoder.decode(packet)
        except av.FFmpegError:
            continue
        yield from decoded


def _seek(container: av.container.InputContainer, stream: av.stream.Stream, ticks: int) -> None:
    """Go to the key frame at or before `ticks`. A file that cannot be wound is read on from where it stands."""
    try:
        container.seek(ticks, stream=stream)
    except av.FFmpegError:
        return


# ----------------------------------------------------------------------------------------------------- pictures


def _picture(path: Path) -> np.ndarray:
    """(height, width, 3) uint8, RGB, upright; what is transparent is white."""
    try:
        with Image.open(path, formats=_PICTURES) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I;16"):  # Pillow would clip sixteen bits to eight instead of scaling them
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            return _on_white(upright) if upright.has_transparency_data else np.array(upright.convert("RGB"))
    except _PILLOW_ERRORS as error:
        raise MediaError(f"{path.name} is damaged and cannot be read: upload it again, or save it anew.") from error


def _on_white(picture: Image.Image) -> np.ndarray:
    colours = picture.convert("RGBA")
    white = Image.new("RGB", colours.size, (255, 255, 255))
    white.paste(colours, mask=colours.getchannel("A"))
    return np.array(white)


def _rgb(frame: av.VideoFrame, clip: Clip) -> np.ndarray:
    """(clip.height, clip.width, 3) uint8, RGB, upright; what is transparent is white."""
    if frame.format.has_palette or any(component.is_alpha for component in frame.format.components):
        picture = _on_white(Image.fromarray(frame.to_ndarray(format="rgba")))
    else:
        picture = frame.to_ndarray(format="rgb24")
    picture = _upright(picture, frame)
    if picture.shape[:2] != (clip.height, clip.width):  # a video may change its size on the way
        picture = np.asarray(Image.fromarray(picture).resize((clip.width, clip.height)))
    return picture


def _upright(picture: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Turned and mirrored as the frame's display matrix says, to the nearest right angle.

    The matrix is nine little-endian 32-bit numbers [a b u, c d v, x y w] that put the stored pixel (x, y) at
    (a x + c y, b x + d y) on the screen (ISO/IEC 14496-12, track header box).
    """
    for side_data in frame.side_data:
        if side_data.type == av.sidedata.sidedata.Type.DISPLAYMATRIX:
            a, b, _, c, d = np.frombuffer(bytes(side_data)[:20], dtype="<i4").tolist()
            if abs(b) > abs(a):
                picture, a, d = picture.swapaxes(0, 1), c, b
            return np.ascontiguousarray(picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
    return picture


# ------------------------------------------------------------------------------------------------------- frames


def frames(clip: Clip, n: int, *, start: float = 0.0, end: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """`n` frames spread evenly over [start, end), the first and the last one included.

    Which ones: round-half-even(linspace(0, total - 1, n)) over the frames that begin from `start` on and before `end`
    (the whole clip by default), as the released Crab+ picks them. Where there are fewer than `n`, frames repeat; where
    there is none, the one on show at `start` stands for all. In a part of the clip, a video that is over before the
    sound goes on showing its last frame. A picture gives `n` copies (one in memory) at time 0.

    Returns:
        Frames (n, height, width, 3) uint8, RGB, at the clip's own size; their times (n,) float64, seconds.

    Raises:
        MediaError: there is nothing to see in the clip.
    """

    def spread(times: np.ndarray) -> np.ndarray:
        last = len(times) - 1
        if end is not None:  # count as many frames as would have been shown until the sound is over
            held = len(times) + np.arange(round(clip.duration * clip.fps) - len(times))
            times = np.concatenate([times, held / clip.fps])
        first = np.searchsorted(times, start - _INSTANT)
        past = len(times) if end is None else np.searchsorted(times, end - _INSTANT)
        if first >= past:
            return np.full(n, min(_on_show(times, start), last))
        return np.minimum(first + np.rint(np.linspace(0, past - first - 1, n)).astype(int), last)

    if clip.image is not None:
        picture = _picture(clip.image)
        return np.broadcast_to(picture, (n, *picture.shape)), np.zeros(n)
    return _chosen(clip, spread)


def frame_at(clip: Clip, time: float) -> np.ndarray:
    """The frame on show at `time` (seconds): (height, width, 3) uint8, RGB. A picture is always on show.

    Before the first frame that is the first, after the last the last. Raises MediaError if there is nothing to see.
    """
    if clip.image is not None:
        return _picture(clip.image)
    return _chosen(clip, lambda times: np.array([_on_show(times, time)]))[0][0]


def _on_show(times: np.ndarray, time: float) -> int:
    """Index of the last frame that begins at `time` or before."""
    return max(0, int(np.searchsorted(times, time + _INSTANT, side="right")) - 1)


def _chosen(clip: Clip, choose: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Frames and times for the indices that `choose` makes of the times of all frames."""
    if clip.video is None:
        raise MediaError(f"There is nothing to see in {clip.name}: give a video or a picture.")
    timeline = _listed(clip.video)
    if timeline is not None:
        indices = choose(timeline.times)
        pictures, count = _fill(clip, indices, _by_seeking(clip.video, timeline, np.unique(indices)))
        if count == len(np.unique(indices)):
            return pictures, timeline.times[indices]
    # Packets do not say when they are shown, or promise a frame that cannot be decoded: go by what can be.
    timeline = _counted(clip.video)
    indices = choose(timeline.times)
    pictures, _ = _fill(clip, indices, _from_start(clip.video, np.unique(indices)))
    return pictures, timeline.times[indices]


def _fill(clip: Clip, indices: np.ndarray, found: Iterable[tuple[int, av.VideoFrame]]) -> tuple[np.ndarray, int]:
    """The frames found, wherever they belong: (len(indices), height, width, 3); also how many were found."""
    pictures = np.empty((len(indices), clip.height, clip.width, 3), dtype=np.uint8)
    count = 0
    for index, frame in found:
        pictures[indices == index] = _rgb(frame, clip)
        count += 1
    return pictures, count


def _by_seeking(path: Path, timeline: _Timeline, indices: np.ndarray) -> Iterator[tuple[int, av.VideoFrame]]:
    """The frames at the indices (rising), decoding from the key frame before each on."""
    groups: dict[int, dict[int, int]] = {}  # ticks of a key frame -> ticks of the frames that start from it -> index
    for index in indices.tolist():
        ticks = int(timeline.ticks[index])
        key = int(timeline.keys[max(0, np.searchsorted(timeline.keys, ticks, side="right") - 1)])
        groups.setdefault(key, {})[ticks] = index
    with _open(path) as container:
        stream = _video_stream(container)
        for key, wanted in groups.items():
            _seek(container, stream, key)
            for frame in _decoded(container, stream):
                if frame.pts in wanted:
                    yield wanted[frame.pts], frame
                if frame.pts is None or frame.pts >= max(wanted):
                    break


def _from_start(path: Path, indices: np.ndarray) -> Iterator[tuple[int, av.VideoFrame]]:
    """The frames at the indices (rising), decoding from the beginning."""
    for index, (_, _, frame) in enumerate(_every_frame(path)):
        if index in indices:
            yield index, frame
        if index >= indices[-1]:
            return


def _every_frame(path: Path) -> Iterator[tuple[float | None, float, av.VideoFrame]]:
    """Decode from the beginning: when each frame is shown (None: unknown), for how long (0: unknown), and itself."""
    with _open(path) as container:
        if container.format.name == _WEBP:
            yield from _leaves(path)
            return
        stream = _video_stream(container)
        tick = stream.time_base
        for frame in _decoded(container, stream):
            yield None if frame.pts is None else float(frame.pts * tick), float((frame.duration or 0) * tick), frame


def _leaves(path: Path) -> Iterator[tuple[float, float, av.VideoFrame]]:
    """`_every_frame` of an animated WebP, by Pillow: FFmpeg finds no picture in it."""
    ticks = 0  # ms
    try:
        with Image.open(path, formats=["WEBP"]) as film:
            for leaf in ImageSequence.Iterator(film):
                pixels = np.asarray(leaf.convert("RGBA"))  # first, because the duration is read along with them
                shown = leaf.info["duration"] or 100  # so long a browser shows a frame that does not say
                yield ticks / 1000, shown / 1000, av.VideoFrame.from_ndarray(pixels, format="rgba")
                ticks += shown
    except _PILLOW_ERRORS:
        return


@dataclass(frozen=True)
class _Timeline:
    """When each frame of a video is shown."""

    times: np.ndarray  # (frames,) float64, seconds, rising from 0
    end: float  # seconds; the last frame is shown until then
    ticks: np.ndarray | None = None  # (frames,) the same on the file's own clock; None where frames are counted
    keys: np.ndarray | None = None  # (key frames,) ticks of the frames that decoding can start at, rising


def _listed(path: Path) -> _Timeline | None:
    """The timeline by reading packets, decoding nothing; None where they do not say when they are shown."""
    with _open(path) as container:
        stream = _video_stream(container)
        timed = _TIMED & set(container.format.name.split(",")) or stream.codec_context.codec.intra_only
        if not timed or container.format.name == _WEBP:
            return None
        shown = [
            (packet.pts, packet.duration or 0, packet.is_keyframe)
            for packet in _packets(container, stream)
            if not (packet.is_discard or packet.is_corrupt or _is_hidden(packet))
        ]
        tick, rate = stream.time_base, stream.average_rate
    if any(pts is None for pts, _, _ in shown) or not any(is_key for _, _, is_key in shown):
        return None
    shown.sort()
    ticks = np.array([pts for pts, _, _ in shown])
    if not np.all(np.diff(ticks) > 0):
        return None
    times = np.array([float((pts - shown[0][0]) * tick) for pts, _, _ in shown])
    keys = np.array([pts for pts, _, is_key in shown if is_key])
    return _Timeline(times, _end(times, float(shown[-1][1] * tick), rate), ticks, keys)


def _counted(path: Path) -> _Timeline:
    """The timeline by decoding every frame; stops where the clip is longer than it may be."""
    times, last = [], 0.0
    with _open(path) as container:
        rate = _video_stream(container).average_rate
    for time, last, _ in _every_frame(path):
        times.append(time)
        if time is not None and time - (times[0] or 0.0) > Limits.seconds + 1:
            break
    if None in times or not np.all(np.diff(times) > 0):
        times = [index / float(rate or _USUAL_RATE) for index in range(len(times))]
    times = np.array(times) - times[0]
    return _Timeline(times, _end(times, last, rate))


def _is_hidden(packet: av.Packet) -> bool:
    """Whether a packet only helps to decode others: VP8 keeps such frames apart (RFC 6386, 9.1, show_frame)."""
    return packet.stream.codec_context.name == "vp8" and not memoryview(packet)[0] >> 4 & 1


def _end(times: np.ndarray, last: float, rate: Fraction | None) -> float:
    """When the last frame, shown for `last` seconds, is over; if the file says nothing (0), it lasts as the others."""
    if last <= 0:
        last = np.median(np.diff(times)) if len(times) > 1 else 1 / (rate or _USUAL_RATE)
    return float(times[-1] + float(last))


# -------------------------------------------------------------------------------------------------------- sound


def sound(clip: Clip, *, start: float = 0.0, end: float | None = None) -> np.ndarray:
    """The sound from `start` to `end` (to its own end by default), on the clip's clock.

    Channels are averaged, then brought to 16 kHz by FFmpeg's resampler with a filter set to be close to librosa's soxr
    (which PyAV's FFmpeg lacks). Where the first frame is shown before the sound begins, silence fills the time between;
    nothing is padded at the end, so less comes back where the sound is over before `end`.

    Returns:
        (samples,) float32 at `SAMPLE_RATE`, at most `Limits.seconds` of it; empty if the clip is silent.
    """
    if clip.audio is None:
        return np.zeros(0, dtype=np.float32)
    end = start + Limits.seconds if end is None else min(end, start + Limits.seconds)
    begins, lag, rate = _sound_begins(clip)
    # From here on samples are counted from the first one in the file, `lag` seconds after the first frame.
    first, last = round((start - lag) * SAMPLE_RATE), round((end - lag) * SAMPLE_RATE)
    silence = np.zeros(max(0, min(last, 0) - first), dtype=np.float32)
    return np.concatenate([silence, _window(clip.audio, begins, rate, max(0, first), max(0, last))])


def _sound_begins(clip: Clip) -> tuple[float, float, int]:
    """When the sound begins, in seconds on its file's clock and on the clip's, and its own rate in Hz."""
    with _open(clip.audio) as container:
        stream = _audio_stream(container)
        opening = next(_decoded(container, stream))
        begins = lag = float((opening.pts or 0) * stream.time_base)
        picture = _video_stream(container)
        if clip.audio != clip.video:
            lag = 0.0
        elif picture.start_time is not None:
            lag = begins - float(picture.start_time * picture.time_base)
    return begins, lag, opening.sample_rate


def _window(path: Path, begins: float, rate: int, first: int, last: int) -> np.ndarray:
    """Samples [first, last) at 16 kHz of the sound that begins at `begins` seconds on its file's clock."""
    # Both rates count from a sample that they share, so that a window is exactly a slice of the whole.
    common = math.gcd(rate, SAMPLE_RATE)
    margin = round(_MARGIN * SAMPLE_RATE)
    shared = max(0, first - margin) // (SAMPLE_RATE // common)
    own_first, own_last = shared * (rate // common), math.ceil((last + margin) * rate / SAMPLE_RATE)
    samples = _resample(_own_samples(path, begins, rate, own_first, own_last), rate)
    offset = shared * (SAMPLE_RATE // common)
    return samples[first - offset : last - offset]


def _own_samples(path: Path, begins: float, rate: int, first: int, last: int, *, wind: bool = True) -> np.ndarray:
    """Samples [first, last) at the file's own rate, channels averaged, placed by their timestamps."""
    samples = np.zeros(last - first, dtype=np.float32)
    position = None  # of the next sample
    converters: dict[tuple, av.AudioResampler] = {}
    with _open(path) as container:
        stream = _audio_stream(container)
        wind = wind and first > 2 * _PREROLL * rate
        if wind:
            _seek(container, stream, round((begins + first / rate - _PREROLL) / stream.time_base))
        for frame in _decoded(container, stream):
            stamp = position or 0
            if frame.pts is not None:
                stamp = round((float(frame.pts * stream.time_base) - begins) * rate)
            if position is None and wind and stamp > first:  # the file's index led past the window
                return _own_samples(path, begins, rate, first, last, wind=False)
            if position is None or stamp - position > _GAP * rate:
                position = stamp
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)  # a broadcast may change it on the way
            converter = converters.setdefault(kind, av.AudioResampler(format="flt", rate=rate))
            heard = _mono(converter.resample(frame))
            lower, upper = max(position, first), min(position + len(heard), last)
            if lower < upper:
                samples[lower - first : upper - first] = heard[lower - position : upper - position]
            position += len(heard)
            if position >= last:
                break
    return samples[: max(0, (position or 0) - first)]


def _mono(blocks: Iterable[av.AudioFrame]) -> np.ndarray:
    """(samples,) float32, the mean of the channels, full scale 1.

    Channels have to be interleaved: of separate ones, PyAV 18 reads past the last if there are eight or more.
    """
    mixed = [block.to_ndarray().reshape(block.samples, -1).mean(axis=1) for block in blocks]  # (samples, channels)
    return np.concatenate([np.zeros(0, dtype=np.float32), *mixed])


def _resample(samples: np.ndarray, rate: int) -> np.ndarray:
    """From `rate` to `SAMPLE_RATE`: ceil(samples * SAMPLE_RATE / rate) samples, the first at the same instant."""
    if rate == SAMPLE_RATE or not samples.size:
        return samples
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
    graph = av.filter.Graph()
    source = graph.add_abuffer(template=None, sample_rate=rate, format="flt", layout="mono", time_base=frame.time_base)
    sink = graph.add("abuffersink")
    graph.link_nodes(source, graph.add("aresample", f"{SAMPLE_RATE}:{_LIKE_SOXR}"), sink).configure()
    source.push(frame)
    source.push(None)
    pieces = []
    while True:
        try:
            pieces.append(sink.pull().to_ndarray()[0])
        except (av.BlockingIOError, av.EOFError):
            return np.concatenate(pieces)[: math.ceil(len(samples) * SAMPLE_RATE / rate)]
