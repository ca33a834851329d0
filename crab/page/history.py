"""The runs of a visit as a row of buttons, newest first, each with a small picture: a press brings one back; and runs
as files, saved and opened again.

The row leaves no file: its pictures travel in the updates themselves. What saving and opening leave lies in one folder
a visitor, the last file that was saved and the clips of opened runs that are still kept, and goes when the visit does.
"""

from __future__ import annotations

import shutil
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import gradio as gr
import numpy as np
from PIL import Image

from crab import CrabError, saved
from crab.page.parts import Updates
from crab.page.runs import KEPT, names
from crab.result import Result
from visualize import mel
from visualize.bundle import file_name

THUMBNAIL, QUALITY = (160, 120), 70  # width and height at most, and of the JPEG


def lay_out() -> list[gr.Button]:
    """As many buttons as there can be runs, hidden until there are."""
    with gr.Row(elem_id="kept", elem_classes="shelf"):
        return [gr.Button(visible=False, min_width=120, elem_id=f"kept-{n}") for n in range(KEPT)]


def filled(buttons: list[gr.Button], runs: list[Result]) -> Updates:
    """The buttons with the runs on them."""
    shown = [
        gr.update(value=name, icon=icon and {"url": icon}, visible=True)
        for name, icon in reversed(list(zip(names(runs), map(thumbnail, runs))))
    ]
    return dict(zip(buttons, shown + [gr.update(visible=False)] * (len(buttons) - len(shown))))


def chosen(buttons: list[gr.Button], pressed: gr.EventData, runs: list[Result]) -> int:
    """The number of the run, from 0, whose button was pressed; less than 0 where it has been let go."""
    name = getattr(pressed.target, "elem_id", None)  # of its _id an update makes another
    return len(runs) - 1 - next(n for n, button in enumerate(buttons) if button.elem_id == name)


def thumbnail(run: Result) -> str | None:
    """A small JPEG of what the model saw in the middle, or of how it sounds where there is nothing to see: a data URL;
    None for a run that kept neither."""
    seen = run.seen
    if seen is None:
        return None
    frames = [frame for _, source, frame in seen.frames if source == 0]
    if run.clip.visible and frames:
        picture = Image.fromarray(frames[len(frames) // 2])
    elif seen.sounds and seen.sounds[0].size:
        picture = _spectrogram(seen.sounds[0])
    else:
        return None
    picture.thumbnail(THUMBNAIL)
    file = BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode()}"


# --- files ----------------------------------------------------------------------------------------------------------


def folder_of(folder: str | None, cache: str) -> str:
    """The folder of a visitor's saved and opened runs: what they have, or a new one in Gradio's own."""
    return folder or str(Path(cache) / uuid4().hex)


def forget(folder: str | None) -> None:
    """When a visit is over."""
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def written(run: Result, folder: str) -> str:
    """The path of a run as one file, in the place of the one that was saved before. Raises CrabError as saving does."""
    place = Path(folder) / "saved"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    path = place / file_name(run, "run", "zip")
    saved.write(run, path)
    return str(path)


def opened(file: str | None, folder: str) -> Result:
    """The run in a file that `written` wrote, which is then let go. Raises CrabError for any other."""
    if not file:
        raise CrabError("Choose the file of a run that was saved.")
    try:
        return saved.read(Path(file), Path(folder) / uuid4().hex)
    finally:
        Path(file).unlink(missing_ok=True)


def tidy(folder: str, runs: list[Result]) -> None:
    """Let go of the clips of opened runs that are no longer kept."""
    clips = [clip for run in runs for clip in (run.clip, run.other) if clip]
    there = [file for clip in clips for file in (clip.video, clip.image, clip.audio) if file]
    for place in Path(folder).iterdir():
        if place.name != "saved" and not any(place in file.parents for file in there):
            shutil.rmtree(place, ignore_errors=True)


def _spectrogram(sound: np.ndarray) -> Image.Image:
    """Mel bands upwards over time, loud is light."""
    levels, _ = mel.log_mel(sound, columns=THUMBNAIL[0])
    quiet, loud = mel.LOUD
    grey = np.clip((levels[::-1] - quiet) / (loud - quiet), 0, 1)
    return Image.fromarray(np.rint(255 * grey).astype(np.uint8)).resize(THUMBNAIL)
