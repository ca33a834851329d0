"""What a checkpoint's folder says of itself, before anything of it is loaded. It needs no torch, so a page can show it
at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crab import CrabError
from crab.confidence import Calibration, calibration_of
from crab.taught import Taught
from crab.weights import Found

LAID_OUT = "laid out like Qwen/Qwen2.5-Omni-7B"


@dataclass(frozen=True)
class About:
    """What a checkpoint says of itself in `crab.json`."""

    name: str
    frame_size: int = 224  # pixels a side of what it sees
    knows: str = "It was trained on real audio-visual clips."  # one sentence for the page
    drawn: bool = False  # it has seen nothing but the scenes that this project draws
    taught: Taught = Taught()
    calibration: Calibration = Calibration()  # of its confidence, from `confidence.json` beside it


def about_of(found: Found) -> About:
    """What the base's folder says; of the answers of another adapter than its own, its calibration says nothing.

    Raises CrabError for what is not of its kind.
    """
    about = About(name=found.name)
    try:
        told = _read(found.base, "crab.json")
        if "taught" in told:
            told["taught"] = Taught.of(told["taught"])
        for name, value in told.items():
            if type(value) is not type(getattr(about, name, None)):
                raise ValueError(
                    f"{name} is {value!r}; name and knows are texts, frame_size a whole number, drawn is true or false"
                )
        about = replace(about, **told)
    except Exception as error:  # as in `loading.reading`
        raise damaged(found.base, "crab.json", error) from error
    if found.adapter is not None:
        return about
    try:
        if not Path(found.base, "confidence.json").exists():
            return about
        return replace(about, calibration=calibration_of(_read(found.base, "confidence.json")))
    except Exception as error:
        raise damaged(found.base, "confidence.json", error) from error


def check_layout(model: str) -> None:
    """Raises CrabError where a folder's configuration is none that can be loaded. Quick: one small file is read."""
    try:
        kind = _read(model, "config.json").get("model_type", "nothing known")
    except Exception as error:
        raise damaged(model, "config.json", error) from error
    if kind not in ("qwen2_5_omni", "qwen2_5_omni_thinker"):
        raise refused(model, f"its config.json is missing, or of {kind}: it has to be {LAID_OUT}, with the model_type "
                             "qwen2_5_omni.")  # fmt: skip


def _read(folder: str, name: str) -> Any:
    """What a JSON file of a folder says; {} where there is none."""
    path = Path(folder, name)
    return json.loads(path.read_bytes()) if path.exists() else {}


def damaged(model: str, what: str, error: Exception) -> CrabError:
    """The sentence for whatever was raised when `what` of a model was read."""
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return refused(model, f"there is something wrong with {what}. Give a folder {LAID_OUT}, or a hub id and a network. "
                          f"({reason})")  # fmt: skip


def refused(model: str, reason: str) -> CrabError:
    return CrabError(f"The model {model!r} could not be loaded: {reason}")
