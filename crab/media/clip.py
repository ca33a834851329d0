"""What is uploaded, once it is checked, and what it may be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crab import CrabError
from crab.seen import SAMPLE_RATE as SAMPLE_RATE  # what the model's sound encoder listens to

ADVICE = "save it as MP4, JPEG or WAV and try again"


DRAWN = "A scene drawn by Crab+"  # what the files of scenes have as their comment, see crab.scenes.world.render


class MediaError(CrabError):
    """A file that cannot be used; the message names the file and says what to do."""


class Limits:
    """What a clip may be, stated once."""

    seconds = 600  # some minutes of asking on a small machine; what is kept of an answer does not grow with them
    bytes = 500_000_000
    pixels = 8192 * 4320  # of one frame
    rates = (1_000, 768_000)  # samples of sound a second
    shortest_sound = 0.1  # seconds; less counts as none
    decoding = 60  # seconds that one look into a file may take
    memory = 4_000_000_000  # bytes of address space that decoding may take


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
    frame: float | None = None  # the second that a picture belongs to
    piece: int | None = None  # the piece of its sound that a published picture belongs to, whatever a piece lasts
    drawn: bool = False  # every file of it says that it is a scene drawn by this project (`DRAWN`)

    @property
    def visible(self) -> bool:
        return self.video is not None or self.image is not None

    @property
    def audible(self) -> bool:
        return self.audio is not None

    @property
    def still(self) -> float:
        """The second of the one picture that stands for the clip: the one that was named, or else the middle."""
        second = self.frame if self.piece is None else self.piece  # published pieces are meant as seconds
        if second is not None:
            return float(second)
        return self.duration / 2 if self.video is not None else 0.0

    def frames(self, n: int, *, start: float = 0.0, end: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """`n` frames spread evenly over [start, end), the first and the last one included.

        Which ones: round-half-even(linspace(0, total - 1, n)) over the frames that begin from `start` on and before
        `end` (the whole clip by default), as the released Crab+ picks them. Where there are fewer than `n`, frames
        repeat; where there is none, the one on show at `start` stands for all. In a part of the clip, a video that is
        over before the sound goes on showing its last frame. A picture gives `n` copies (one in memory) at time 0.

        Returns:
            Frames (n, height, width, 3) uint8, RGB, at the clip's own size; their times (n,) float64, seconds.

        Raises:
            MediaError: there is nothing to see in the clip.
        """
        if self.image is not None:
            picture = self.frame_at(0.0)
            return np.broadcast_to(picture, (n, *picture.shape)), np.zeros(n)
        pictures, times = _decoded("frames", self.video, clip=self, n=n, start=start, end=end)
        return pictures, times

    def frame_at(self, time: float) -> np.ndarray:
        """The frame on show at `time` (seconds): (height, width, 3) uint8, RGB. A picture is always on show.

        Before the first frame that is the first, after the last the last. Raises MediaError if there is nothing to see.
        """
        return _decoded("frame_at", self.image or self.video, clip=self, time=time)

    def sound(self, *, start: float = 0.0, end: float | None = None) -> np.ndarray:
        """The sound from `start` to `end` (to its own end by default), on the clip's clock.

        Channels are averaged, then brought to 16 kHz by FFmpeg's resampler with a filter set to be close to librosa's
        soxr (which PyAV's FFmpeg lacks). Where the sound begins later than the clip, silence fills the time before;
        nothing is padded at the end, so less comes back where the sound is over before `end`.

        Returns:
            (samples,) float32 at `SAMPLE_RATE`, at most `Limits.seconds` of it; empty if the clip is silent.
        """
        if self.audio is None:
            return np.zeros(0, dtype=np.float32)
        return _decoded("sound", self.audio, clip=self, start=start, end=end)

    def track(self, rate: int) -> np.ndarray:
        """All of its sound to be heard, at `rate` Hz on the clip's clock, silence before it begins and after it is over.

        Returns:
            (samples, channels) int16, as long as the clip; more than two channels are mixed down to two.
        """
        if self.audio is None:
            return np.zeros((0, 1), dtype=np.int16)
        return _decoded("track", self.audio, clip=self, rate=rate)


def _decoded(function: str, file: Path | None, **arguments: Any) -> Any:
    from crab.media import process  # which sends and gets clips, and so needs this module first

    return process.call(function, file, **arguments)


def check_pixels(path: Path, width: int, height: int) -> None:
    if width * height > Limits.pixels:
        most = f"{Limits.pixels / 1e6:.0f} million pixels"
        raise MediaError(f"{path.name} is {width} x {height}, more than {most} a frame: save it smaller.")


def check_seconds(path: Path, seconds: float) -> None:
    # Rounded, because the last frame or block of sound sticks out of a clip cut at ten minutes.
    if round(seconds) > Limits.seconds:
        raise MediaError(f"{path.name} is longer than {Limits.seconds} s: cut it shorter.")
