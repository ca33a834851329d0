"""The sound of a clip: mono at 16 kHz, on the clip's clock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from crab.media.clip import SAMPLE_RATE, Clip, Limits
from crab.media.container import audio_stream, decoded, open_file, seek, video_stream

_PREROLL = 1.0  # seconds decoded and dropped before a window of sound: coded sound leans on what came before
_MARGIN = 0.1  # seconds resampled on both sides of a window of sound, so that its edges are those of the whole
_GAP = 0.04  # seconds; a timestamp further ahead than this means that sound is missing, less is rounding
_LIKE_SOXR = "filter_size=128:filter_type=kaiser:kaiser_beta=9:cutoff=0.96"  # options of FFmpeg's own resampler


def sound(clip: Clip, *, start: float = 0.0, end: float | None = None) -> np.ndarray:
    """See `crab.media.sound`."""
    end = start + Limits.seconds if end is None else min(end, start + Limits.seconds)
    begins, lag, rate = sound_begins(clip)
    # From here on samples are counted from the first one in the file, `lag` seconds after the first frame.
    first, last = round((start - lag) * SAMPLE_RATE), round((end - lag) * SAMPLE_RATE)
    silence = np.zeros(max(0, min(last, 0) - first), dtype=np.float32)
    return np.concatenate([silence, _window(clip.audio, begins, rate, max(0, first), max(0, last))])


def sound_begins(clip: Clip) -> tuple[float, float, int]:
    """When the sound begins, in seconds on its file's clock and on the clip's, and its own rate in Hz."""
    with open_file(clip.audio) as container:
        stream = audio_stream(container)
        opening = next(decoded(container, stream))
        begins = lag = float((opening.pts or 0) * stream.time_base)
        picture = video_stream(container)
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
    with open_file(path) as container:
        stream = audio_stream(container)
        wind = wind and first > 2 * _PREROLL * rate
        if wind:
            seek(container, stream, round((begins + first / rate - _PREROLL) / stream.time_base))
        for frame in decoded(container, stream):
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


def heard(path: Path) -> Iterator[float]:
    """Seconds of sound decoded so far, as decoding goes on."""
    samples = 0
    with open_file(path) as container:
        stream = audio_stream(container)
        for frame in decoded(container, stream) if stream is not None else ():
            samples += frame.samples
            yield samples / frame.sample_rate
