"""The frames of a clip: which are asked for, and how to get at them exactly.

When each frame is shown is listed without decoding (reading packets is cheap), the frames wanted are picked from that
list, and decoding starts at the key frame before each of them. Files that do not say when their frames are shown (some
AVI, GIF, stream dumps) are decoded from their beginning instead. Either way the frames are the ones that a plain decode
from start to end gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from PIL import Image

from crab.media.clip import Clip, Limits, MediaError
from crab.media.clock import clock
from crab.media.container import decoded, jumps, open_file, packets, seek, ticks, video_stream
from crab.media.picture import is_film, leaves, on_white, read_picture

_TIMED = {"mov", "matroska"}  # containers in which every packet says when it is shown and key frames are marked
_USUAL_RATE = 25  # frames a second, where a file says neither that nor when its frames are shown
_SIDE_DATA_KINDS = 64  # what a frame can carry along is numbered; FFmpeg 8 has some thirty kinds
_INSTANT = 1e-6  # seconds; times closer than this are the same


def frames(clip: Clip, n: int, *, start: float = 0.0, end: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """See `Clip.frames`."""

    def spread(times: np.ndarray) -> np.ndarray:
        last = len(times) - 1
        first = _begun(clip, times, start, until_the_end=end is not None)
        past = len(times) if end is None else _begun(clip, times, end, until_the_end=True)
        if first >= past:
            return np.full(n, _on_show(times, start))
        return np.minimum(first + np.rint(np.linspace(0, past - first - 1, n)).astype(int), last)

    return _chosen(clip, spread)


def _begun(clip: Clip, times: np.ndarray, time: float, *, until_the_end: bool) -> int:
    """How many frames begin before `time`; with those, if wished, that would have been shown until the sound is over.

    The latter are only counted: a file of a few kilobytes may say four million frames a second.
    """
    count = int(np.searchsorted(times, time - _INSTANT))
    if count < len(times) or not until_the_end:
        return count
    most = max(len(times), round((clip.duration - times[0]) * clip.fps))
    return int(np.clip(np.ceil((time - times[0] - _INSTANT) * clip.fps), len(times), most))


def frame_at(clip: Clip, time: float) -> np.ndarray:
    """See `Clip.frame_at`."""
    if clip.image is not None:
        return read_picture(clip.image)
    return _chosen(clip, lambda times: np.array([_on_show(times, time)]))[0][0]


def _on_show(times: np.ndarray, time: float) -> int:
    """Index of the last frame that begins at `time` or before."""
    return max(0, int(np.searchsorted(times, time + _INSTANT, side="right")) - 1)


def _chosen(clip: Clip, choose: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Frames and times for the indices that `choose` makes of the times of all frames."""
    if clip.video is None:
        raise MediaError(f"There is nothing to see in {clip.name}: give a video or a picture.")
    told = listed(clip.video)
    if told is not None:
        indices = choose(told.times)
        pictures, count = _fill(clip, indices, _by_seeking(clip.video, told, np.unique(indices)))
        if count == len(np.unique(indices)):
            return pictures, told.times[indices]
    # Packets do not say when they are shown, or promise a frame that cannot be decoded: go by what can be.
    timeline = counted(clip.video)
    indices = choose(timeline.times)
    pictures, _ = _fill(clip, indices, _from_start(clip.video, np.unique(indices)))
    return pictures, timeline.times[indices]


def _fill(clip: Clip, indices: np.ndarray, found: Iterable[tuple[int, av.VideoFrame]]) -> tuple[np.ndarray, int]:
    """The frames found, wherever they belong: (len(indices), height, width, 3); also how many were found."""
    pictures = np.empty((len(indices), clip.height, clip.width, 3), dtype=np.uint8)
    count, seen, turn = 0, None, Turn()
    for index, frame in found:
        if frame.rotation != seen:  # the same throughout a file, but for the rarest
            seen, turn = frame.rotation, turn_of(frame)
        pictures[indices == index] = _rgb(frame, turn, clip)
        count += 1
    return pictures, count


def _rgb(frame: av.VideoFrame, turn: Turn, clip: Clip) -> np.ndarray:
    """(clip.height, clip.width, 3) uint8, RGB, upright; what is transparent is white."""
    if frame.format.has_palette or any(component.is_alpha for component in frame.format.components):
        picture = on_white(Image.fromarray(frame.to_ndarray(format="rgba")))
    else:
        picture = frame.to_ndarray(format="rgb24")
    picture = upright(picture, turn)
    if picture.shape[:2] != (clip.height, clip.width):  # a video may change its size on the way
        picture = np.asarray(Image.fromarray(picture).resize((clip.width, clip.height)))
    return picture


@dataclass(frozen=True)
class Turn:
    """How stored pixels stand on the screen: sides swapped first, then mirrored down and across."""

    swap: bool = False
    down: bool = False
    across: bool = False


def turn_of(frame: av.VideoFrame) -> Turn:
    """What the frame's display matrix says, to the nearest right angle.

    The matrix is nine little-endian 32-bit numbers [a b u, c d v, x y w] that put the stored pixel (x, y) at
    (a x + c y, b x + d y) on the screen (ISO/IEC 14496-12, track header box).

    FFmpeg takes everything else off a copy of the frame before PyAV lists what it carries: PyAV 18 knows no newer kind
    than its own, and frees what a kind carries in text (a colour profile's name) twice, which ends the process.
    """
    graph = av.filter.Graph()
    last = source = graph.add_buffer(template=None, width=frame.width, height=frame.height, format=frame.format,
                                     time_base=frame.time_base or Fraction(1, 1000))  # fmt: skip
    for kind in range(_SIDE_DATA_KINDS):
        if kind != SideData.DISPLAYMATRIX.value:
            other = graph.add("sidedata", f"mode=delete:type={kind}")
            last.link_to(other)
            last = other
    sink = graph.add("buffersink")
    last.link_to(sink)
    graph.configure()
    source.push(frame)
    for matrix in sink.pull().side_data:
        # PyAV's stubs take this for a mapping that is iterated by names.
        a, b, _, c, d = np.frombuffer(bytes(matrix)[:20], dtype="<i4").tolist()  # type: ignore[arg-type]
        swap = abs(b) > abs(a)
        a, d = (c, b) if swap else (a, d)
        return Turn(swap, d < 0, a < 0)
    return Turn()


def upright(picture: np.ndarray, turn: Turn) -> np.ndarray:
    """(height, width, …) as stored -> as it stands on the screen."""
    picture = picture.swapaxes(0, 1) if turn.swap else picture
    return np.ascontiguousarray(picture[:: -1 if turn.down else 1, :: -1 if turn.across else 1])


def _by_seeking(path: Path, timeline: _Listed, indices: np.ndarray) -> Iterator[tuple[int, av.VideoFrame]]:
    """The frames at the indices (rising), decoding from the key frame before each on; ends where none is there."""
    groups: dict[int, dict[int, int]] = {}  # ticks of a key frame -> ticks of the frames that start from it -> index
    for index in indices.tolist():
        due = int(timeline.ticks[index])
        key = int(timeline.keys[max(0, int(np.searchsorted(timeline.keys, due, side="right")) - 1)])
        groups.setdefault(key, {})[due] = index
    with open_file(path) as container:
        stream = _picture(container)
        for key, wanted in groups.items():
            seek(container, stream, key)
            for count, frame in enumerate(decoded(container, stream)):
                if key == timeline.keys[0]:
                    pass  # where a plain decode begins as well
                elif frame.is_corrupt or count == 0 and not _stands_alone(frame, path, timeline):
                    return
                if frame.pts in wanted:
                    yield wanted[frame.pts], frame
                if frame.pts is None or frame.pts >= max(wanted):
                    break


def _picture(container: av.container.InputContainer) -> av.VideoStream:
    """The moving picture of a file that has one."""
    stream = video_stream(container)
    assert stream is not None
    return stream


def _stands_alone(frame: av.VideoFrame, path: Path, timeline: _Listed) -> bool:
    """Whether a frame that the file marks as a key frame is one: its decoder knows. Some files mark all, or wrong ones.

    A few old decoders say nothing, not even of the file's first frame; then marks that tell frames apart are believed.
    """
    if frame.key_frame or frame.pict_type != av.video.frame.PictureType.NONE:
        return frame.key_frame
    _, _, opening = next(every_frame(path))
    return not opening.key_frame and len(timeline.keys) < len(timeline.ticks)


def _from_start(path: Path, indices: np.ndarray) -> Iterator[tuple[int, av.VideoFrame]]:
    """The frames at the indices (rising), decoding from the beginning."""
    for index, (_, _, frame) in enumerate(every_frame(path)):
        if index in indices:
            yield index, frame
        if index >= indices[-1]:
            return


def every_frame(path: Path) -> Iterator[tuple[float | None, float, av.VideoFrame]]:
    """Decode from the beginning: when each frame is shown (None: unknown), for how long (0: unknown), and itself."""
    if is_film(path):
        for time, shown, pixels in leaves(path):
            yield time, shown, av.VideoFrame.from_ndarray(pixels, format="rgba")
        return
    with open_file(path) as container:
        stream = _picture(container)
        tick, zero = ticks(stream), clock(path).picture
        for frame in decoded(container, stream):
            due = None if frame.pts is None else float(frame.pts * tick - zero)
            yield due, float((frame.duration or 0) * tick), frame


@dataclass(frozen=True)
class _Timeline:
    """When each frame of a video is shown."""

    times: np.ndarray  # (frames,) float64, seconds, rising
    end: float  # seconds; the last frame is shown until then


@dataclass(frozen=True)
class _Listed(_Timeline):
    """One that the file tells, on its own clock too."""

    ticks: np.ndarray  # (frames,) `times` on that clock
    keys: np.ndarray  # (key frames,) ticks of the frames that decoding can start at, rising


def listed(path: Path) -> _Listed | None:
    """The timeline by reading packets, decoding nothing; None where they do not say which are shown, or when."""
    if is_film(path):
        return None
    with open_file(path) as container:
        stream = _picture(container)
        timed = _TIMED & set(container.format.name.split(",")) or stream.codec_context.codec.intra_only
        if not timed or jumps(container):
            return None
        read = [
            (packet.pts, packet.duration or 0, packet.is_keyframe, packet.is_discard)
            for packet in packets(container, stream)
            if not (packet.is_corrupt or _is_hidden(packet))
        ]
        tick, rate = ticks(stream), stream.average_rate
    known = [(pts, duration, is_key, cut) for pts, duration, is_key, cut in read if pts is not None]
    shown = sorted((pts, duration) for pts, duration, _, cut in known if not cut)
    if not shown or len(known) < len(read):
        return None
    pts, _, is_key, _ = known[0]
    if not is_key or shown[0][0] < pts:
        return None  # a recording that begins between key frames: only decoding tells which frame is the first
    dues = np.array([pts for pts, _ in shown])
    if not np.all(np.diff(dues) > 0):
        return None
    zero = clock(path).picture
    times = np.array([float(pts * tick - zero) for pts, _ in shown])
    keys = np.array(sorted(pts for pts, _, is_key, _ in known if is_key))
    return _Listed(times, _end(times, float(shown[-1][1] * tick), rate), dues, keys)


def counted(path: Path) -> _Timeline:
    """The timeline by decoding every frame; stops where the clip is longer than it may be."""
    told: list[float | None] = []
    last, rate = 0.0, None
    if not is_film(path):
        with open_file(path) as container:
            rate = _picture(container).average_rate
    for time, duration, _ in every_frame(path):
        told.append(time)
        last = duration
        if time is not None and time > Limits.seconds + 1:
            break
    times = _known(told, 1 / float(rate or _USUAL_RATE))
    return _Timeline(times, _end(times, last, rate))


def _known(times: list[float | None], lasts: float) -> np.ndarray:
    """Rising times: unknown ones follow the frame before, which `lasts` seconds; where that is no order, all do."""
    begins = next((time - index * lasts for index, time in enumerate(times) if time is not None), 0.0)
    filled: list[float] = []
    for time in times:
        filled.append((filled[-1] + lasts if filled else begins) if time is None else time)
    if np.all(np.diff(filled) > 0):
        return np.array(filled)
    return max(0.0, begins) + np.arange(len(times)) * lasts


def _is_hidden(packet: av.Packet) -> bool:
    """Whether a packet only helps to decode others: VP8 keeps such frames apart (RFC 6386, 9.1, show_frame)."""
    return packet.stream.codec_context.name == "vp8" and not memoryview(packet)[0] >> 4 & 1


def _end(times: np.ndarray, last: float, rate: Fraction | None) -> float:
    """When the last frame, shown for `last` seconds, is over; if the file says nothing (0), it lasts as the others."""
    if last <= 0:
        last = float(np.median(np.diff(times))) if len(times) > 1 else float(1 / (rate or _USUAL_RATE))
    return float(times[-1] + last)
