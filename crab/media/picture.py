"""Still pictures, by Pillow."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from crab.media.clip import MediaError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # Pillow's names
ANIMATED = ("GIF", "PNG", "WEBP")  # where several frames mean a film; in the others they are pages or depth maps
PILLOW_ERRORS = (OSError, EOFError, LookupError, SyntaxError, TypeError, ValueError, struct.error)  # on strange bytes


def read_picture(path: Path) -> np.ndarray:
    """(height, width, 3) uint8, RGB, upright; what is transparent is white."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I;16"):  # Pillow would clip sixteen bits to eight instead of scaling them
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            return on_white(upright) if upright.has_transparency_data else np.array(upright.convert("RGB"))
    except PILLOW_ERRORS as error:
        raise MediaError(f"{path.name} is damaged and cannot be read: upload it again, or save it anew.") from error


def on_white(picture: Image.Image) -> np.ndarray:
    colours = picture.convert("RGBA")
    white = Image.new("RGB", colours.size, (255, 255, 255))
    white.paste(colours, mask=colours.getchannel("A"))
    return np.array(white)
