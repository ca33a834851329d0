"""The sound of a clip: mono at 16 kHz, on the clip's clock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from crab.media.clip import SAMPLE_RATE, Clip, Limits, MediaError
from crab.media.clock import clock
from crab.media.container import audio_stream, decoded, open_file, seek, ticks

_PREROLL = 1.0  # seconds decoded and dropped before a window of sound: coded sound leans on what came before
_MARGIN = 0.1  # seconds resampled on both sides of a window of sound, so that its edges are those of the whole
_GAP = 0.04  # seconds; a timestamp further ahead than this means that sound is missing, less is rounding
_LOUDEST = 1e4  # times full scale; more is no sound
# Formats of samples that may hold anything.
_FLOATS: dict[str, np.dtype] = {"flt": np.dtype(np.float32), "dbl": np.dtype(np.float64)}
_LIKE_SOXR = "filter_size=128:filter_type=kaiser:kaiser_beta=9:cutoff=0.96"  # options of FFmpeg's own resampler


def sound(clip: Clip, *, start: float = 0.0, end: float | None = None) -> np.ndarray:
    """See `Clip.sound`, for a clip that has some."""
    assert clip.audio is not None
    end = start + Limits.seconds if end is None else min(end, start + Limits.seconds)
    lag = sound_lag(clip.audio)
    # From here on samples are counted from the first one in the file, `lag` seconds after the clip's zero.
    first, last = round((start - lag) * SAMPLE_RATE), round((end - lag) * SAMPLE_RATE)
    silence = np.zeros(max(0, min(last, 0) - first), dtype=np.float32)
    heard = np.concatenate([silence, _window(clip.audio, max(0, first), max(0, last))])
    _check_values(clip.audio, heard)
    return heard


def sound_lag(audio: Path) -> float:
    """Seconds from the clip's zero to the first sample."""
    time = clock(audio)
    return 0.0 if time.sound is None else float(time.sound - time.zero)


def track(clip: Clip, rate: int) -> np.ndarray:
    """See `Clip.track`, for a clip that has some."""
    assert clip.audio is not None
    own, lag = clock(clip.audio).rate, sound_lag(clip.audio)
    converters: dict[tuple, av.AudioResampler] = {}
    converter, position = None, 0  # of the next sample
    with open_file(clip.audio) as container:
        stream = audio_stream(container)
        assert stream is not None
        channels = min(2, stream.codec_context.layout.nb_channels) or 1
        samples = np.zeros((math.ceil(clip.duration * rate), channels), np.int16)
        for begins, frame in _placed(clip.audio, container, stream):
            due = (begins / own + lag) * rate
            if converter is None or due - position > _GAP * rate:
                position = round(due)
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)  # a broadcast may change it on the way
            to = av.AudioResampler(format="s16", layout="stereo" if channels == 2 else "mono", rate=rate)
            converter = converters.setdefault(kind, to)
            position = _put(samples, converter.resample(frame), position)
            if position >= len(samples):
                break
        if converter is not None:
            _put(samples, converter.resample(None), position)  # what it still holds
    return samples


def _put(samples: np.ndarray, blocks: Iterable[av.AudioFrame], position: int) -> int:
    """Write blocks into (samples, channels) from `position` on, which may lie before its beginning; where they end."""
    for block in blocks:
        heard = block.to_ndarray().reshape(-1, samples.shape[1])
        lower, upper = max(position, 0), min(position + len(heard), len(samples))
        if lower < upper:
            samples[lower:upper] = heard[lower - position : upper - position]
        position += len(heard)
    return position


def _window(path: Path, first: int, last: int) -> np.ndarray:
    """Samples [first, last) at 16 kHz, counted from the first one of the file."""
    rate = clock(path).rate
    # Both rates count from a sample that they share, so that a window is exactly a slice of the whole.
    common = math.gcd(rate, SAMPLE_RATE)
    margin = round(_MARGIN * SAMPLE_RATE)
    shared = max(0, first - margin) // (SAMPLE_RATE // common)
    own_first, own_last = shared * (rate // common), math.ceil((last + margin) * rate / SAMPLE_RATE)
    samples = _resample(_own_samples(path, own_first, own_last), rate)
    offset = shared * (SAMPLE_RATE // common)
    return samples[first - offset : last - offset]


def _own_samples(path: Path, first: int, last: int, *, wind: bool = True) -> np.ndarray:
    """Samples [first, last) at the file's own rate, channels averaged, placed by their timestamps."""
    time = clock(path)
    samples = np.zeros(last - first, dtype=np.float32)
    position = None  # of the next sample
    converters: dict[tuple, av.AudioResampler] = {}
    with open_file(path) as container:
        stream = audio_stream(container)
        assert stream is not None
        wind = wind and first > 2 * _PREROLL * time.rate
        if wind:
            assert time.sound is not None  # else there is no rate, and nothing before `first`
            seek(container, stream, round((float(time.sound) + first / time.rate - _PREROLL) / ticks(stream)))
        for begins, frame in _placed(path, container, stream):
            astray = begins > first or _is_counted(container) and frame.sample_rate != time.rate
            if position is None and wind and astray:  # the file's index led past the window, or nobody knows where
                return _own_samples(path, first, last, wind=False)
            if position is None or begins - position > _GAP * time.rate / 2:
                position = round(begins)
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)  # a broadcast may change it on the way
            converter = converters.setdefault(kind, av.AudioResampler(format="flt", rate=time.rate))
            heard = _mono(converter.resample(frame))
            lower, upper = max(position, first), min(position + len(heard), last)
            if lower < upper:
                samples[lower - first : upper - first] = heard[lower - position : upper - position]
            position += len(heard)
            if position >= last:
                break
    return samples[: max(0, (position or 0) - first)]


def _placed(
    path: Path, container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator[tuple[float, av.AudioFrame]]:
    """Blocks of sound, and where each begins, in samples from the first one of the file at the rate of that one.

    A block follows the one before, unless its time says that sound is missing in between. Samples of the file are not
    counted: their rate may change on the way.
    """
    rate, began, tick = clock(path).rate, float(clock(path).sound or 0), ticks(stream)
    counted, told, position = _is_counted(container), True, None
    lowest, highest = Limits.rates
    for frame in decoded(container, stream):
        if not lowest <= frame.sample_rate <= highest:
            most = f"{lowest // 1000} to {highest // 1000} kHz"
            raise MediaError(f"{path.name} has {frame.sample_rate} samples a second: save it with {most}.")
        told = told and not (counted and frame.sample_rate != rate)
        if frame.pts is not None and (told or position is None):
            stamp = round((float(frame.pts * tick) - began) * rate)
            if position is None or stamp - position > _GAP * rate:
                position = stamp
        position = position or 0
        yield position, frame
        position += frame.samples * rate / frame.sample_rate


def _is_counted(container: av.container.InputContainer) -> bool:
    """Whether times are only what FFmpeg counts, all blocks as long as the first: in a bare stream of sound."""
    return container.format.name in {"aac", "mp3", "ac3", "eac3"}


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
            pieces.append(graph.pull().to_ndarray()[0])
        except (av.BlockingIOError, av.EOFError):
            return np.concatenate(pieces)[: math.ceil(len(samples) * SAMPLE_RATE / rate)]


def heard(path: Path) -> Iterator[float]:
    """When the sound decoded so far is over, in seconds from its first sample, as decoding goes on."""
    rate = clock(path).rate
    with open_file(path) as container:
        stream = audio_stream(container)
        for begins, frame in _placed(path, container, stream) if stream is not None else ():
            _check_floats(path, frame)
            yield (begins + frame.samples * rate / frame.sample_rate) / rate


def _check_floats(path: Path, frame: av.AudioFrame) -> None:
    """Refuse what is no sound. Numbers that are whole cannot be anything else, and many channels wait for `sound`."""
    kind, channels = _FLOATS.get(frame.format.packed.name), frame.layout.nb_channels
    if kind is None or frame.format.is_planar and channels >= 8:  # which PyAV 18 counts wrong
        return
    for plane in frame.planes:
        _check_values(path, np.frombuffer(memoryview(plane), kind)[: frame.samples * channels // len(frame.planes)])


def _check_values(path: Path, samples: np.ndarray) -> None:
    # No sample is larger than the root of the sum of their squares, which takes next to no time.
    if not np.vdot(samples, samples) <= _LOUDEST**2 and not np.abs(samples).max() <= _LOUDEST:
        why = "values that are no sound (not a number, or far too large)"
        raise MediaError(f"{path.name} holds {why}: save it as WAV or MP3 and try again.")
