"""The process that decodes: what befalls it costs the request that it befalls, and no other."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from crab.media import Limits, MediaError, open_clip, process

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals that stop and end a process are POSIX's")


@pytest.fixture
def picture(tmp_path):
    Image.fromarray(np.full((30, 40, 3), 200, np.uint8)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture
def decoder(picture):
    """The process id of the decoder that the next call will take; no others are at rest."""
    process._pool.close()
    assert open_clip(picture).width == 40
    [resting] = process._pool._resting
    return resting._process.pid


@POSIX
def test_one_process_is_used_again_and_again(decoder, picture):
    for _ in range(3):
        open_clip(picture).frame_at(0.0)
    assert [resting._process.pid for resting in process._pool._resting] == [decoder]


@POSIX
def test_a_decoder_that_died_at_rest_costs_nothing(decoder, picture):
    os.kill(decoder, signal.SIGKILL)
    process._pool._resting[0]._process.wait()
    assert open_clip(picture).width == 40
    assert process._pool._resting[0]._process.pid != decoder


@POSIX
def test_a_decoder_that_dies_at_work_costs_one_request(decoder, picture, caplog):
    os.kill(decoder, signal.SIGSTOP)  # so that it is at work for as long as we like
    told = []

    def ask():
        with pytest.raises(MediaError) as error:
            open_clip(picture)
        told.append(str(error.value))

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.2)
    assert asking.is_alive()
    os.kill(decoder, signal.SIGKILL)
    asking.join(10)
    assert told == ["a.png made its decoder fail: save it as MP4, JPEG or WAV and try again."]
    assert "status -9 in open_clip of a.png" in caplog.text
    assert open_clip(picture).width == 40


@POSIX
def test_a_decoder_that_hangs_is_ended(decoder, picture, monkeypatch):
    os.kill(decoder, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(Limits, "decoding", 0.3)
        with pytest.raises(MediaError, match="a.png takes longer than 0.3 s to decode"):
            open_clip(picture)
    assert not os.path.exists(f"/proc/{decoder}")
    assert open_clip(picture).width == 40


@POSIX
def test_a_slow_file_keeps_nobody_waiting(decoder, picture):
    os.kill(decoder, signal.SIGSTOP)
    slow = threading.Thread(target=lambda: open_clip(picture))
    slow.start()
    time.sleep(0.2)
    assert open_clip(picture).width == 40 and slow.is_alive()
    os.kill(decoder, signal.SIGCONT)
    slow.join(10)
    assert not slow.is_alive()
    assert len(process._pool._resting) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process' memory")
def test_memory_is_limited(tmp_path, picture, monkeypatch):
    Image.new("RGB", (8000, 4000)).save(tmp_path / "large.png")  # 96 MB of pixels in a small file
    process._pool.close()
    with monkeypatch.context() as patch:
        patch.setattr(Limits, "memory", 600_000_000)
        with pytest.raises(MediaError, match=r"^large.png takes more than 0.6 GB of memory"):
            open_clip(tmp_path / "large.png")
        assert open_clip(picture).width == 40
        process._pool.close()
    assert open_clip(tmp_path / "large.png").width == 8000


def test_a_mistake_of_ours_is_a_sentence_and_logged(picture, caplog):
    clip = open_clip(picture)
    with pytest.raises(MediaError, match=r"^a.png cannot be read: save it as MP4, JPEG or WAV and try again.$"):
        process.call("frame_at", clip.image, clip=clip, time=0.0, colour="blue")
    assert "TypeError" in caplog.text and "colour" in caplog.text
    assert open_clip(picture).width == 40


def test_paths_are_meant_from_where_we_stand(decoder, picture, monkeypatch, tmp_path):
    (tmp_path / "Ein Ordner 犬").mkdir()
    picture.rename(tmp_path / "Ein Ordner 犬" / "🦀 b.png")
    monkeypatch.chdir(tmp_path / "Ein Ordner 犬")
    assert open_clip("🦀 b.png").name == "🦀 b.png"


@POSIX
def test_a_forked_process_starts_its_own(decoder, picture):
    """As ZeroGPU and data loaders fork: two that write into one pipe would read each other's answers."""
    child = os.fork()
    if not child:
        fine = open_clip(picture).width == 40 and process._pool._resting[0]._process.pid != decoder
        process._pool.close()
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert open_clip(picture).width == 40
    assert [resting._process.pid for resting in process._pool._resting] == [decoder]


def test_it_ends_with_the_process_that_started_it(picture, request):
    code = (
        "import sys; from crab.media import open_clip, process; open_clip(sys.argv[1]);"
        "print(process._pool._resting[0]._process.pid); sys.stdout.flush(); __import__('os')._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, picture], cwd=request.config.rootpath, capture_output=True, text=True, check=True
    )
    for _ in range(100):
        if not process_lives(int(done.stdout)):
            return
        time.sleep(0.05)
    pytest.fail("The decoder outlives its owner")


def process_lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
