"""Clips whose clock can be read: frame i shows its number, and burst k sounds at second k, (300 + 100 k) Hz.

`clock_clip` writes one, `remux` passes the packets of a file on to another, changed or left out, as cameras, recorders
and cutters do that tests cannot have. `joined` makes a long one of short ones, `event_f` tells how near what is said of it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from crab.answer import Event
from crab.media import SAMPLE_RATE, Clip
from crab.media.clip import DRAWN
from crab.scenes.world import render
from visualize.timeline import SENSES

FPS = 25


def need(codec: str) -> None:
    try:
        av.Codec(codec, "w")
    except ValueError:
        pytest.skip(f"PyAV's FFmpeg has no encoder {codec}")


def numbered(i: int, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """A picture (height, width, 3) that shows `i` as twelve blocks, light where a bit is set."""
    bits = (i >> np.arange(12) & 1).reshape(3, 4)
    rows, columns = np.arange(size[1]) * 3 // size[1], np.arange(size[0]) * 4 // size[0]
    return np.repeat((30 + 190 * bits[rows][:, columns])[..., None], 3, 2).astype(np.uint8)


def number(picture: np.ndarray) -> int:
    """What `numbered` shows."""
    height, width, _ = picture.shape
    blocks = [picture[height * (2 * r + 1) // 6, width * (2 * c + 1) // 8].mean() for r in range(3) for c in range(4)]
    return sum(1 << i for i, light in enumerate(blocks) if light > 127)


def bursts(sound: np.ndarray, threshold: float = 0.1) -> dict[int, float]:
    """Number of each burst heard -> the second of the sound at which it begins."""
    found, last = {}, -SAMPLE_RATE
    for at in np.flatnonzero(np.abs(sound) > threshold):
        if at - last > 0.3 * SAMPLE_RATE:
            piece = sound[at + 80 : at + 1280]
            spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), SAMPLE_RATE))
            found[round((spectrum.argmax() - 300) / 100)] = at / SAMPLE_RATE
        last = at
    return found


def ticking(seconds: int, rate: int) -> np.ndarray:
    """(1, samples) float32: burst k at second k, a tenth of a second long."""
    time = np.arange(seconds * rate) / rate
    wave = np.sin(2 * np.pi * (300 + 100 * np.floor(time)) * (time % 1))
    return (0.5 * wave * (time % 1 < 0.1))[None].astype(np.float32)


def clock_clip(
    path: Path,
    *,
    video: str | None = "libx264",
    audio: str | None = "aac",
    seconds: int = 6,
    options: dict | None = None,
    pictures_from: float = 0.0,
    sound_from: float = 0.0,
    rate: int = 48000,
    mux: dict | None = None,
) -> Path:
    """A file of `seconds` whose picture and sound begin at these seconds of its clock; its path."""
    for codec in filter(None, (video, audio)):
        need(codec)
    with av.open(str(path), "w", options=mux or {}) as out:
        if video:
            stream = out.add_stream(video, rate=FPS, options={"g": "16"} | (options or {}))
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            stream.codec_context.time_base = Fraction(1, FPS)
        if audio:
            track = out.add_stream(audio, rate=rate, layout="mono")
        if video:
            for i in range(seconds * FPS):
                frame = av.VideoFrame.from_ndarray(numbered(i), format="rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = i + round(pictures_from * FPS), Fraction(1, FPS)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        if audio:
            convert = av.AudioResampler(track.format.name, "mono", rate, track.codec_context.frame_size or 1024)
            frame = av.AudioFrame.from_ndarray(ticking(seconds, rate), format="flt", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), round(sound_from * rate)
            for block in (*convert.resample(frame), *convert.resample(None)):
                out.mux(track.encode(block))
            out.mux(track.encode(None))
    return path


def remux(source: Path, path: Path, change: Callable[[av.Packet], object], *, mux: dict | None = None) -> Path:
    """Write the packets of `source`, each as `change` leaves it, or the one it gives instead; False leaves one out."""
    with av.open(str(source)) as box, av.open(str(path), "w", options=mux or {}) as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in box.streams}
        for packet in box.demux():
            instead = change(packet) if packet.size else False
            if instead is not False:
                stream = streams[packet.stream_index]
                packet = instead if isinstance(instead, av.Packet) else packet
                packet.stream = stream
                out.mux(packet)
    return path


def moved(packet: av.Packet, seconds: float) -> None:
    """Change when a packet is decoded and shown."""
    ticks = round(seconds / packet.time_base)
    packet.pts += ticks
    packet.dts += ticks


def plainly(path: Path) -> list[np.ndarray]:
    """All frames by a plain decode from start to end."""
    frames = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            try:
                frames += packet.decode()
            except av.FFmpegError:
                continue  # what comes before the first key frame
    return [frame.to_ndarray(format="rgb24") for frame in frames]


def joined(path: Path, clips: Sequence[Clip], *, fps: int = 10, size: tuple[int, int] = (224, 168)) -> Path:
    """A film of `clips`, ten seconds each, one after the other."""
    count = 10 * fps
    pictures = (
        np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))
        for clip in clips for frame in clip.frames(count, start=0.0, end=10.0)[0]
    )  # fmt: skip
    sound = [np.pad(one, (0, 10 * SAMPLE_RATE - len(one))) for one in (clip.sound(end=10.0) for clip in clips)]
    options = {"preset": "veryfast", "g": str(count)}
    render.write_film(path, pictures, size=size, fps=fps, options=options, sound=np.concatenate(sound), comment=DRAWN)
    return path


def event_f(said: Sequence[Event], true: Sequence[Event], *, tiou: float = 0.5) -> float:
    """F1 over events: one is found where one of its label and sense shares `tiou` of their common seconds with it.
    What is both heard and seen counts as two."""
    left = [one for event in true for one in _by_sense(event)]
    spoken = [one for event in said for one in _by_sense(event)]
    count = len(left) + len(spoken)
    for one in spoken:
        shares = [_tiou(one, other) for other in left]
        if shares and max(shares) >= tiou:
            left.pop(int(np.argmax(shares)))
    found = count - len(spoken) - len(left)
    return 2 * found / count if count else 1.0


def _by_sense(event: Event) -> list[Event]:
    return [replace(event, modality=sense) for sense in SENSES if event.modality in (sense, "both")]


def _tiou(one: Event, other: Event) -> float:
    if (one.label, one.modality) != (other.label, other.modality):
        return 0.0
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared / (max(one.end, other.end) - min(one.start, other.start))
