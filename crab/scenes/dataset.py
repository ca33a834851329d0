"""Scenes as a data set in the published layout (`crab.avuie`): records, media and true masks; or one as a film.

Every seed gives one scene of each kind that the chosen data sets ask about, and the same files on every run.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import wave
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from crab import CrabError, avuie
from crab.avuie import FIELDS
from crab.tasks import TASKS

from .asking.questions import DATASETS, KINDS, Question
from .world import render
from .world.script import DURATION, Scene
from .world.sounds.synth import SAMPLE_RATE

FPS = 10
SMALLEST = 56  # pixels a side
RECORDS = {"avqa": 2, "avqa_thu": 2}  # of a scene; of the other data sets one


# Where a picture and its true mask lie: what the released scripts replace in the one path to have the other.
_PICTURES = {
    **dict.fromkeys(("s4", "ms3", "arig"), "frames/{vid}/{idx}.jpg"),
    "ref_avs": "media/{vid}/frames/{idx}.jpg",
}
_MASKS = {
    **dict.fromkeys(("s4", "ms3"), "labels_rgb/{vid}/{idx}.png"),
    "ref_avs": "gt_mask/{vid}/fid_{fid}/0000{idx}.png",
}


# ---- many scenes, as files -------------------------------------------------


def make(
    out: str | Path, seeds: Sequence[int], *, datasets: Sequence[str] = DATASETS, split: str = "train", size: int = 224
) -> dict[str, int]:
    """Write `AVUIE_2/<dataset>/<split>.json` and its media under `out`; returns how many records each file got.

    Pictures are `size` x `size`; boxes and points in texts and fields are on the grid of 224 whatever it is. A data set
    without a published test split gets its train.json in either case. Media that are there already are kept, so that a
    run that was cut short goes on; records are written at the end, and replace those of an earlier run.
    Raises CrabError for a size that cannot be drawn or encoded.
    """
    if size < SMALLEST or size % 2:
        raise CrabError(f"Scenes cannot be {size} pixels wide: give an even number from {SMALLEST} on.")
    home = Path(out) / "AVUIE_2"
    splits = {name: split if name in FIELDS[split] else "train" for name in datasets}
    rows: dict[str, list[dict]] = {name: [] for name in splits}
    with _on_all_cores(len(seeds)) as each:
        for found in tqdm(each(partial(_make_one, home, splits, size), seeds), total=len(seeds), unit=" scenes"):
            for name, row in found:
                rows[name].append(row)
    for name, of in rows.items():
        avuie.write(home, name, splits[name], of)
    return {f"{name}/{splits[name]}.json": len(of) for name, of in rows.items()}


@contextmanager
def _on_all_cores(jobs: int) -> Iterator[Callable]:
    """`map` over processes of one thread each; for a single job or core, `map` itself."""
    workers = min(jobs, os.cpu_count() or 1)
    if workers < 2:
        yield map
        return
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # read by NumPy in the new processes, as it is loaded
    try:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield pool.map
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _make_one(home: Path, splits: dict[str, str], size: int, seed: int) -> list[tuple[str, dict]]:
    """Write the media of one seed; (dataset, record) for all that is asked about them."""
    rows = []
    places: dict[Callable[[Path], None], list[Path]] = defaultdict(list)  # what writes a file -> where it has to be
    for kind, of in KINDS.items():
        if not splits.keys() & set(of.datasets):
            continue
        scenes, asked, rng = _asked(kind, seed)
        writers = [_Writers(scene, size) for scene in scenes]
        for name in of.datasets:
            about = [question for question in asked if question.dataset == name]
            for number, at in enumerate(rng.permutation(len(about))[: RECORDS.get(name, 1)]):
                if name in splits:
                    row, media = _record(about[at], _names(kind, seed), number, splits[name], writers)
                    rows.append((name, row))
                    for place, write in media.items():
                        places[write].append(home / name / place)
    for write, wanted in places.items():
        _put(write, wanted)
    return rows


def _asked(kind: str, seed: int) -> tuple[tuple[Scene, ...], list[Question], np.random.Generator]:
    """The scenes of a seed (two of a pair, else one), all they can be asked, and the generator that drew it."""
    rng = np.random.default_rng([seed, 1])
    written = KINDS[kind].write(seed)
    return written if isinstance(written, tuple) else (written,), KINDS[kind].ask(written, rng), rng


def _names(kind: str, seed: int) -> tuple[str, ...]:
    """What the files of a seed's scenes are called."""
    return (f"pair-{seed}-1", f"pair-{seed}-2") if kind == "pair" else (f"{kind}-{seed}",)


# ---- one record ------------------------------------------------------------


class _Writers:
    """What writes a scene's files; asked for the same file twice, it gives the same function."""

    def __init__(self, scene: Scene, size: int) -> None:
        self.scene, self.size = scene, (size, size)
        self.video = partial(_write_video, scene, self.size)
        self._sounds: dict[tuple[int, int], Callable[[Path], None]] = {}

    def sound(self, start: int = 0, end: int = DURATION) -> Callable[[Path], None]:
        return self._sounds.setdefault((start, end), partial(_write_sound, self.scene, start, end))

    def picture(self, time: float) -> Callable[[Path], None]:
        return partial(_write_picture, self.scene, time, self.size)

    def mask(self, time: float, actor: str) -> Callable[[Path], None]:
        return partial(_write_mask, self.scene, time, self.size, actor)


def _record(
    question: Question, names: tuple[str, ...], number: int, split: str, writers: list[_Writers]
) -> tuple[dict, dict[str, Callable[[Path], None]]]:
    """One row, with the fields of its split, and what writes its media, by their places in the data set's folder."""
    name = question.dataset
    fields = FIELDS[split][name]
    vid = names[question.which]
    row = {
        **dict.fromkeys(("vid", "uid", "video_id", "video_name", "filename"), vid), "fid": 1,
        **dict.fromkeys(("id", "question_id"), f"{vid}-{number}"),
        **dict.fromkeys(("description", "object"), question.question),
        **question.fields,
    }  # fmt: skip
    if fields.target:
        row[fields.target] = question.target
    if "image" in fields.media:
        second, pieces = int(question.time), TASKS[name].sound.pieces
        # As `prompt.around_still`; but where training always hears piece 0, the sound begins with the picture's second.
        start = min(max(second - pieces // 2, 0), DURATION - pieces) if fields.frame != 0 else second
        row["idx"] = row["frame_idx"] = second - start
        picture, sound = _PICTURES[name].format_map(row), f"audio/{vid}_{start}-{start + pieces}.wav"
        row |= {fields.media["image"]: picture, fields.media["audio"]: sound}
        media = {picture: writers[0].picture(question.time), sound: writers[0].sound(start, start + pieces)}
        if name in _MASKS:
            media[_MASKS[name].format_map(row)] = writers[0].mask(question.time, question.actor)
    else:
        media = {}
        for slot, field in fields.media.items():
            of = slot.removesuffix("2")
            scene = int(slot != of) if f"{of}2" in fields.media else question.which
            row[field] = f"{names[scene]}.{'mp4' if of == 'video' else 'wav'}"
            media[f"{of}/{row[field]}"] = writers[scene].video if of == "video" else writers[scene].sound()
    return {field: row[field] for field in fields.published}, media


# ---- files -----------------------------------------------------------------


def _put(write: Callable[[Path], None], places: list[Path]) -> None:
    """Have one file in all its places: kept where it is, else a link to where it is, else written. Never half there."""
    first = next((place for place in places if place.exists()), None)
    for place in places:
        if place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f"{place.name}.part")
        part.unlink(missing_ok=True)
        if first is None:
            write(part)
            first = place
        else:
            try:
                os.link(first, part)
            except OSError:  # the disk has no links, or no more of this file
                shutil.copyfile(first, part)
        part.replace(place)


# One thread, and nothing that looks ahead: x264's lookahead does not give the same bytes each time, even in one thread.
_X264 = {
    "crf": "12", "preset": "veryfast", "threads": "1",
    "x264-params": "rc-lookahead=0:mbtree=0:bframes=0:scenecut=0:weightp=0",
}  # fmt: skip


def _write_video(scene: Scene, size: tuple[int, int], path: Path) -> None:
    """H.264 without sound, of little loss."""
    pictures = (render.frame(scene, number / FPS, size) for number in range(int(scene.duration) * FPS))
    render.write_film(path, pictures, size=size, fps=FPS, options=_X264, comment=render.MARK)


def _write_sound(scene: Scene, start: int, end: int, path: Path) -> None:
    """Seconds `start` to `end` as 16-bit WAV, silent after the scene's end."""
    samples = render.sound(scene)[start * SAMPLE_RATE : end * SAMPLE_RATE]
    samples = np.pad(samples, (0, (end - start) * SAMPLE_RATE - len(samples)))
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        out.writeframes(np.rint(32768 * samples).astype("<i2").tobytes())
    mark(path)


def mark(path: Path) -> None:
    """Adds to a WAV file the comment that films of scenes have, which the standard library cannot write."""
    said = render.MARK.encode() + b"\0" * (2 - len(render.MARK) % 2)
    listed = b"INFOICMT" + len(said).to_bytes(4, "little") + said
    wav = path.read_bytes() + b"LIST" + len(listed).to_bytes(4, "little") + listed
    path.write_bytes(wav[:4] + (len(wav) - 8).to_bytes(4, "little") + wav[8:])


def _write_picture(scene: Scene, time: float, size: tuple[int, int], path: Path) -> None:
    Image.fromarray(render.frame(scene, time, size)).save(path, "JPEG", quality=95, subsampling=0, comment=render.MARK)


def _write_mask(scene: Scene, time: float, size: tuple[int, int], actor: str, path: Path) -> None:
    """White where the actor shows; nowhere, if it does not or there is none."""
    shown = {part.actor: mask for part, mask in render.masks(scene, time, size)}
    mask = shown.get(actor, np.zeros(size[::-1], bool))
    Image.fromarray(255 * mask.astype(np.uint8)).save(path, "PNG")


# ---- one scene, to look at -------------------------------------------------


def show(seed: int, kind: str, out: str | Path) -> Iterable[str]:
    """Write a scene of one of `KINDS` as the film `out`; yields, line by line, its name and what is true of it.

    Of a pair there are two films, with -1 and -2 at the end of their names. Raises CrabError where `out` is no .mp4.
    """
    out = Path(out)
    if out.suffix != ".mp4":
        raise CrabError(f"{out} cannot be written: scenes are written as .mp4.")
    scenes, asked, _ = _asked(kind, seed)
    films = [out] if len(scenes) == 1 else [out.with_stem(f"{out.stem}-{n}") for n in (1, 2)]
    for scene, film in zip(scenes, films):
        render.write_clip(scene, film)
        yield str(film)
    for question in asked:
        about = f", second {int(question.time)}" if "image" in TASKS[question.dataset].media else ""
        if kind == "pair":
            about = f", the {'sound' if question.dataset == 'a2v' else 'video'} of {films[question.which]}"
        yield f"\n{question.dataset}{about}: {question.question or TASKS[question.dataset].title}\n  {question.target}"
