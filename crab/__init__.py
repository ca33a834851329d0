"""Crab+: use and understand an audio-visual language model.

One clip travels one way: `media` opens it, `prompt` turns it into tensors, `model` answers with text and router
weights, `answer` reads the text, `segment` draws masks, and `ask` does all of that in one call.
"""

from __future__ import annotations

import json
import math
from typing import Any

__version__ = "0.1.0"  # the one place: pyproject.toml reads it here, and files that we write say it


class CrabError(Exception):
    """Something the person can put right; the message is a sentence that says how."""


def shortened(typed: str) -> str:
    """What was typed, to be told again in a sentence: not all of it, and half a character as a question mark."""
    return (typed if len(typed) <= 40 else f"{typed[:40]}…").encode(errors="replace").decode()


def finite_json(written: str | bytes) -> Any:
    """What JSON from anywhere says. Raises ValueError for what is none, and for numbers that nothing could have."""
    return json.loads(written, parse_constant=_finite, parse_float=_finite)


def _finite(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError(f"{written} is no number that anything could have")
    return number
