"""Files are written whole or not at all, whatever cuts the writing short."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from test_trace import towers

from crab import trace
from crab.__main__ import main
from crab.disk import not_taken, whole
from visualize import bundle, export

FULL = OSError(errno.ENOSPC, "No space left on device")


def test_what_is_written_takes_its_name_at_the_end(tmp_path):
    (tmp_path / "a.txt").write_text("before", encoding="utf-8")
    with whole(tmp_path / "a.txt") as part:
        part.write_text("after", encoding="utf-8")
        assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "before" and part.name == "a.txt"
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "after" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("cut", [FULL, KeyboardInterrupt(), ValueError("no")], ids=lambda cut: type(cut).__name__)
def test_what_is_cut_short_leaves_what_stood_there_and_nothing_else(tmp_path, cut):
    (tmp_path / "a.txt").write_text("before", encoding="utf-8")
    for name in ("a.txt", "b.txt"):
        with pytest.raises(type(cut)), whole(tmp_path / name) as part:
            part.write_text("half", encoding="utf-8")
            raise cut
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "before"


def test_a_folder_that_is_not_there_is_named_by_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as error, whole(tmp_path / "none" / "a.txt"):
        pass
    assert error.value.filename == str(tmp_path / "none" / "a.txt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
def test_a_pipe_stays_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with whole(tmp_path / "pipe") as part:
        assert part == tmp_path / "pipe"
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_sentences_for_what_a_disk_does_not_take():
    assert not_taken(OSError(errno.ENOSPC, "", "/x/a.npz")) == (
        "There is no room left on the disk for a.npz: make some, then try again."
    )
    assert "may not be written to" in not_taken(OSError(errno.EROFS, ""))
    assert not_taken(OSError(errno.ENOENT, "")) is None


# --- what is written, on a disk that becomes full ---


@pytest.fixture
def full(monkeypatch):
    """Call it, and files take no more than 1,000 bytes each from then on."""

    def fill() -> None:
        opened = open

        def small(file, mode="r", *more, **named):
            there = opened(file, mode, *more, **named)
            if "w" in mode and isinstance(file, (str, Path)):
                there = Small(there)
            return there

        monkeypatch.setattr("builtins.open", small)
        monkeypatch.setattr("io.open", small)  # which pathlib calls

    return fill


class Small:
    """A file on a disk that has no room for more than 1,000 bytes of it."""

    def __init__(self, file):
        self._file, self._left = file, 1000

    def write(self, data):
        self._left -= len(data)
        if self._left < 0:
            raise FULL
        return self._file.write(data)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "a.html", "a.svg"])
def test_router_weights_are_there_or_not(tmp_path, full, name):
    full()
    path = tmp_path / name
    with pytest.raises(OSError) as error:
        trace.save(towers(), path) if name == "a.npz" else export.write(towers(), path)
    assert error.value.errno == errno.ENOSPC and error.value.filename == str(path)
    assert not list(tmp_path.iterdir())


def test_an_export_that_finds_no_room_leaves_what_was_there_before(tmp_path, full):
    from test_tracks import result

    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    one = result(routing=towers())
    full()
    with pytest.raises(OSError):
        bundle.write(one, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_the_command_line_says_so_with_status_two(tmp_path, full, capsys):
    trace.save(towers(), tmp_path / "a.npz")
    full()
    assert main(["figure", str(tmp_path / "a.npz"), "--out", str(tmp_path / "a.csv")]) == 2
    told = capsys.readouterr().err
    assert told == f"{tmp_path / 'a.csv'} cannot be used: No space left on device.\n"
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_a_folder_that_may_only_be_read_is_a_sentence(tmp_path, monkeypatch, capsys):
    trace.save(towers(), tmp_path / "a.npz")

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system", "a name of its own")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    assert main(["figure", str(tmp_path / "a.npz"), "--out", str(tmp_path / "a.csv")]) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'a.csv'} cannot be used: Read-only file system.\n"


def test_weights_come_back_from_a_file_that_was_written_whole(tmp_path):
    trace.save(towers(), tmp_path / "a.npz")
    back = trace.load(tmp_path / "a.npz")
    assert all(np.array_equal(back[tower].weights, one.weights) for tower, one in towers().items())
