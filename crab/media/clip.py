"""What is uploaded, once it is checked, and what it may be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crab import CrabError
from crab.seen import SAMPLE_RATE as SAMPLE_RATE  # what the model's sound encoder listens to

ADVICE = "save it as MP4, JPEG or WAV and try again"


class MediaError(CrabError):
    """A file that cannot be used; the message names the file and says what to do."""


class Limits:
    """What a clip may be, stated once."""

    seconds = 300  # the model's sound front end holds five minutes and cuts what is longer without a word
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


def check_pixels(path: Path, width: int, height: int) -> None:
    if width * height > Limits.pixels:
        most = f"{Limits.pixels / 1e6:.0f} million pixels"
        raise MediaError(f"{path.name} is {width} x {height}, more than {most} a frame: save it smaller.")


def check_seconds(path: Path, seconds: float) -> None:
    # Rounded, because the last frame or block of sound sticks out of a clip cut at five minutes.
    if round(seconds) > Limits.seconds:
        raise MediaError(f"{path.name} is longer than {Limits.seconds} s: cut it shorter.")
