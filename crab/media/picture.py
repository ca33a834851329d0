"""Still pictures, and films that are kept like pictures (animated GIF, PNG, WebP, AVIF), by Pillow.

Pillow alone reads these: what it refuses, because it is damaged or unpacks to more than a picture should, is refused
for good and not handed on to the next reader.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from crab.media.clip import MediaError, check_pixels

_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")  # Pillow's names
_ANIMATED = (
    "PNG",
    "WEBP",
    "AVIF",
    "GIF",
)  # where several frames mean a film; in the others they are pages or depth maps
_ERRORS = (
    OSError,
    EOFError,
    LookupError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)  # Pillow's, on strange bytes
_SHORTEST = 10  # ms; browsers show a frame of a film for 100 ms if it asks for no more than this
_USUAL = 100  # ms
_SAMPLE_FORMAT, _SIGNED = 339, 2  # of TIFF


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The file as Pillow reads it. Raises UnidentifiedImageError where it is none of these, MediaError where it is bad."""
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            check_pixels(path, *picture.size)
            yield picture
    except (UnidentifiedImageError, MediaError):
        raise
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path.name} has too many pixels: save it smaller.") from error
    except _ERRORS as error:
        raise MediaError(f"{path.name} is damaged and cannot be read: upload it again, or save it anew.") from error


def is_picture(path: Path) -> bool:
    """Whether the file is a still picture."""
    try:
        with _opened(path) as picture:
            return not _moves(picture)
    except UnidentifiedImageError:
        return False


def is_film(path: Path) -> bool:
    """Whether the file is a picture that moves."""
    try:
        with _opened(path) as picture:
            return _moves(picture)
    except UnidentifiedImageError:
        return False


def _moves(picture: Image.Image) -> bool:
    return picture.format in _ANIMATED and getattr(picture, "is_animated", False)


def read_picture(path: Path) -> np.ndarray:
    """(height, width, 3) uint8, RGB, upright; what is transparent is white."""
    with _opened(path) as picture:
        try:
            upright = ImageOps.exif_transpose(picture)
        except _ERRORS:  # what a camera noted beside the pixels is broken, they are not
            upright = picture
        if upright.mode.startswith(("I", "F")):  # Pillow would clip these to eight bits instead of scaling them
            tags = getattr(picture, "tag_v2", {})  # of a TIFF
            upright = Image.fromarray(_eight_bits(upright, signed=tags.get(_SAMPLE_FORMAT) == (_SIGNED,)))
        return on_white(upright) if upright.has_transparency_data else np.array(upright.convert("RGB"))


def comment(path: Path) -> str:
    """What the file has as its comment; "" where it has none."""
    with _opened(path) as picture:
        said = picture.info.get("comment", "")
        return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def _eight_bits(picture: Image.Image, *, signed: bool) -> np.ndarray:
    """(height, width) uint8 of greys in 16 or 32 bits, or in floats: of 0 to 1 where they keep to that."""
    grey = np.asarray(picture)
    if picture.mode.startswith("I;16"):
        return (grey >> 8).astype(np.uint8)
    if picture.mode == "F":
        grey = np.nan_to_num(grey, posinf=np.nan, neginf=np.nan)
        low, high = min(0.0, float(grey.min())), max(1.0, float(grey.max()))
        return np.rint((grey - low) / (high - low) * 255).astype(np.uint8)
    if grey.min() >= 0 and grey.max() < 1 << 16:  # sixteen bits in a wider room, as some writers keep them
        return (grey >> 8).astype(np.uint8)
    black = 1 << 31 if signed else 0
    return (((grey.astype(np.int64) + black) & 0xFFFFFFFF) >> 24).astype(np.uint8)


def on_white(picture: Image.Image) -> np.ndarray:
    """(height, width, 3) uint8, RGB: the picture as it looks on a white page."""
    colours = picture.convert("RGBA")
    white = Image.new("RGB", colours.size, (255, 255, 255))
    white.paste(colours, mask=colours.getchannel("A"))
    return np.array(white)


def leaves(path: Path) -> Iterator[tuple[float, float, np.ndarray]]:
    """Second at which each frame of a film is shown, for how many, and (height, width, 4) uint8, RGBA, as far as whole."""
    shown = 0  # ms
    try:
        with _opened(path) as film:
            for leaf in ImageSequence.Iterator(film):
                pixels = np.asarray(leaf.convert("RGBA"))  # first, because the duration is read along with them
                duration = leaf.info.get("duration") or 0
                duration = duration if duration > _SHORTEST else _USUAL
                yield shown / 1000, duration / 1000, pixels
                shown += duration
    except MediaError:  # cut off: what there was is the film
        return
