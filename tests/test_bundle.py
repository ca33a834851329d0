"""All of a result in a folder."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from making import clock_clip
from PIL import Image
from test_runs import run_of
from test_trace import towers
from test_tracks import CAVEAT, masked, result

from crab import trace
from crab.answer import NOTHING, Event
from crab.ilora import Intervention
from crab.media import Clip, open_clip
from visualize import bundle


def names(folder: Path) -> list[str]:
    return sorted(path.name.removeprefix("my clip, é · ") for path in folder.iterdir())


def test_an_answer_that_points_is_written_in_all_its_formats(tmp_path):
    one = replace(masked(), frame=np.zeros((48, 64, 3), np.uint8), routing=towers())
    shares: list[float] = []
    bundle.write(one, tmp_path / "new", say=shares.append)
    assert names(tmp_path / "new") == [
        "arig · answer.json", "arig · answer.txt", "arig · boxes.csv", "arig · mask 1 dog.png", "arig · mask 2.png",
        "arig · masks.coco.json", "arig · masks.csv", "arig · picture.png", "arig · router weights.html",
        "arig · router weights.npz", "result.schema.json",
    ]  # fmt: skip
    assert shares[-1] == 1.0 and shares == sorted(shares)
    folder = tmp_path / "new"
    for mask, name in zip(one.masks, ("mask 1 dog", "mask 2")):
        with Image.open(folder / f"my clip, é · arig · {name}.png") as picture:
            assert np.array_equal(np.asarray(picture).astype(bool), mask.mask)
            assert CAVEAT in picture.info["Description"]
    assert trace.load(folder / "my clip, é · arig · router weights.npz").keys() == one.routing.keys()
    for path in folder.iterdir():  # what it is worth goes along
        if path.suffix in (".json", ".txt", ".csv", ".html") and path.name != "result.schema.json":
            assert CAVEAT in path.read_text(encoding="utf-8"), path.name


def test_the_answer_names_its_schema_which_lies_beside_it(tmp_path):
    bundle.write(masked(), tmp_path)
    told = json.loads((tmp_path / "my clip, é · arig · answer.json").read_text(encoding="utf-8"))
    jsonschema.validate(told, json.loads((tmp_path / told["$schema"]).read_text(encoding="utf-8")))


def test_an_answer_with_times_is_written_as_tracks_and_one_without_leaves_none(tmp_path):
    bundle.write(result(), tmp_path / "times")
    assert names(tmp_path / "times") == [
        "avvp · answer.json", "avvp · answer.txt", "avvp · events.csv", "avvp · events.eaf", "avvp · events.srt",
        "avvp · events.txt", "avvp · events.vtt", "result.schema.json",
    ]  # fmt: skip
    bundle.write(result(answer=NOTHING), tmp_path / "none")
    assert names(tmp_path / "none") == ["avvp · answer.json", "avvp · answer.txt", "result.schema.json"]


def test_lines_end_as_their_format_says(tmp_path):
    bundle.write(result(), tmp_path)
    table, subtitles = ((tmp_path / f"my clip, é · avvp · events.{one}").read_bytes() for one in ("csv", "vtt"))
    assert table.count(b"\r\n") == table.count(b"\n") == 5 and b"\r" not in subtitles


def test_a_clip_that_lasts_leaves_a_film_and_a_cut_an_event(tmp_path):
    events = (Event("dog", "audio", 0.2, 0.6), Event("dog", "both", 0.5, 0.9))
    clip = open_clip(clock_clip(tmp_path / "my clip, é.mp4", seconds=1))
    shares: list[float] = []
    bundle.write(result(clip=clip, answer=replace(NOTHING, events=events)), tmp_path / "out", say=shares.append)
    films = [path for path in sorted((tmp_path / "out").iterdir()) if path.suffix == ".mp4"]
    assert [path.name.removeprefix("my clip, é · avvp · ") for path in films] == [
        "event 1 dog (heard) 0.2-0.6 s.mp4", "event 2 dog (heard and seen) 0.5-0.9 s.mp4", "film.mp4",
    ]  # fmt: skip
    made = [open_clip(film) for film in films]
    assert [film.duration for film in made] == [pytest.approx(one, abs=0.08) for one in (0.4, 0.4, 1.0)]
    assert all(film.audible and not film.drawn for film in made)
    assert shares == sorted(shares) and shares[-1] == 1.0 and min(shares) < 0.5


def test_a_folder_becomes_one_file(tmp_path):
    bundle.write(result(answer=NOTHING), tmp_path / "all of it")
    was = names(tmp_path / "all of it")
    file = bundle.zipped(tmp_path / "all of it")
    assert file == tmp_path / "all of it.zip" and not (tmp_path / "all of it").exists()
    with zipfile.ZipFile(file) as box:
        assert box.testzip() is None
        assert sorted(name.removeprefix("my clip, é · ") for name in box.namelist() if name[-1] != "/") == was


def test_a_file_is_named_by_what_is_in_it_in_characters_that_every_system_has():
    name = bundle.file_name
    assert name(run_of(), "answer", "json") == "evening · avqa · answer.json"
    changed = run_of('a/b: "犬?" <1>|*.mp4', intervention=Intervention("mute", (0, 2)))
    assert name(changed, "router weights", "svg") == "b- -犬-- -1--- · avqa · heads 1, 3 muted · router weights.svg"
    long = run_of("x" * 300, intervention=Intervention("uniform", whose="y" * 300))
    assert len(name(long, "answer", "json")) < 160
    assert name(long, "mask 1", "png") != name(long, "mask 2", "png")
    assert name(run_of(Clip("a\udc81.mp4")), "answer", "json") == "a- · avqa · answer.json"
