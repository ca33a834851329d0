"""An answer as a film: read back with PyAV, whose frames show their number and whose sound ticks every second."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from making import bursts, clock_clip, number
from PIL import Image
from test_tracks import CAVEAT, result

from crab import CrabError
from crab.answer import NOTHING, Box, Event, parse
from crab.media import SAMPLE_RATE, open_clip
from crab.result import Window, packed
from crab.segment import Mask
from crab.tasks import TASKS
from visualize import film, theme

ACROSS, DOWN = 720, 480  # of the clock clips (96 x 64) in a film
EVENTS = (Event("dog barking", "audio", 0.0, 1.0), Event("dog barking", "visual", 1.0, 2.0))


@pytest.fixture(scope="module")
def ticking(tmp_path_factory) -> Path:
    return clock_clip(tmp_path_factory.mktemp("film") / "clock.mp4", seconds=2)


def about(file: Path | None = None, *, events=EVENTS, boxes=(), **given):
    """An answer about a file."""
    clip = open_clip(file, **{name: given.pop(name) for name in ("image", "audio") if name in given})
    one = result(clip=clip, size=(clip.width, clip.height), **given)
    return replace(one, answer=replace(one.answer, events=events, boxes=boxes, spans=(), text=""))


def made(one, path: Path, say=lambda share: None) -> Path:
    film.save(film.annotated(one, film.original(one.clip)), path, [CAVEAT], say=say)
    return path


def read(path: Path) -> tuple[list[np.ndarray], np.ndarray, dict]:
    """All frames, the sound at 16 kHz, and what the file says of itself."""
    frames, heard = [], []
    with av.open(str(path)) as box:
        told = {"format": box.format.name, "comment": box.metadata["comment"]}
        for stream in box.streams:
            told[stream.type] = stream.codec_context.name
        if box.streams.video:
            stream = box.streams.video[0]
            told |= {"pixels": stream.pix_fmt, "size": (stream.width, stream.height), "rate": stream.average_rate}
            frames = [frame.to_ndarray(format="rgb24") for frame in box.decode(video=0)]
    with av.open(str(path)) as box:
        if box.streams.audio:
            resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
            blocks = [one for frame in box.decode(audio=0) for one in resampler.resample(frame)]
            heard = [block.to_ndarray()[0] for block in (*blocks, *resampler.resample(None))]
    return frames, np.concatenate([np.zeros(0, np.float32), *heard]), told


def picture_of(frame: np.ndarray) -> np.ndarray:
    """The clip's picture, without the left corner, where it is said what is heard and seen."""
    return frame[:DOWN, :ACROSS]


def test_the_film_is_what_browsers_play_with_the_clip_in_step_and_the_caveat(ticking, tmp_path):
    shares: list[float] = []
    one = about(ticking, events=())
    frames, sound, told = read(made(one, tmp_path / "a.mp4", shares.append))
    assert "mp4" in told["format"] and (told["video"], told["audio"], told["pixels"]) == ("h264", "aac", "yuv420p")
    width, height = told["size"]
    assert width == ACROSS and height > DOWN and width % 2 == height % 2 == 0
    assert told["rate"] == 25 and abs(len(frames) / 25 - one.clip.duration) <= 1 / 25
    assert [number(picture_of(frame)) for frame in frames[:50]] == list(range(50))
    assert bursts(sound) == {number: pytest.approx(number, abs=0.04) for number in (0, 1)}
    assert CAVEAT in told["comment"] and "A scene drawn by" not in told["comment"]
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) > 3
    assert (tmp_path / "a.mp4").read_bytes().index(b"moov") < (tmp_path / "a.mp4").read_bytes().index(b"mdat")


def test_with_a_caveat_it_is_burned_in_at_the_bottom(ticking):
    clip = film.original(open_clip(ticking))
    plain = film.annotated(about(ticking, caveat=""), clip).get_frame(0.5)
    warned = film.annotated(about(ticking), clip).get_frame(0.5)
    assert warned.shape[0] > plain.shape[0] and np.array_equal(warned[: len(plain) - 2], plain[:-2])
    assert warned[len(plain) :].max() == 255


def test_heard_and_seen_are_bars_over_the_seconds_and_words_at_their_time(ticking):
    one = about(ticking)
    hue = theme.rgb(theme.answer_colours(one.answer)["dog barking"])
    _, (left, right, top, bottom) = film._bars(one, theme.answer_colours(one.answer), ACROSS)
    clip = film.original(one.clip)
    drawn = film.annotated(one, clip)
    early, late = drawn.get_frame(0.4), drawn.get_frame(1.6)

    def shares(frame: np.ndarray, start: float, end: float) -> list[float]:
        """How much of the middle of the upper and of the lower lane has the label's colour, between two seconds."""
        columns = slice(*(round(left + (right - left) * second / 2) for second in (start, end)))
        lanes = frame[DOWN + round(top) : DOWN + round(bottom), columns]
        inked = (np.abs(lanes.astype(int) - hue).max(-1) < 8).mean(1)
        return [float(inked[round(len(inked) * place)]) for place in (0.3, 0.7)]

    assert shares(early, 0.5, 0.9) == [1.0, 0.0]  # heard: solid, above
    assert shares(early, 1.1, 1.9) == [0.0, pytest.approx(0.35, abs=0.2)]  # seen: hatched, below
    whites = [np.flatnonzero((frame[DOWN + round(top) + 1] == 255).all(-1)).mean() for frame in (early, late)]
    assert whites == pytest.approx([left + (right - left) * second / 2 for second in (0.4, 1.6)], abs=2)
    corner = np.s_[DOWN - 40 : DOWN, :250]
    clip = film.original(one.clip)
    bare = film.annotated(about(ticking, events=()), clip)
    assert all((bare.get_frame(t)[corner] != drawn.get_frame(t)[corner]).any() for t in (0.4, 1.6))
    later = film.annotated(about(ticking, events=EVENTS[:1]), clip)
    assert np.array_equal(bare.get_frame(1.6)[corner], later.get_frame(1.6)[corner])


def test_boxes_stand_around_the_second_that_they_are_of(ticking):
    one = about(ticking, events=(), boxes=(Box("dog", 10, 10, 60, 50),), frame_time=1.0)
    clip = film.original(one.clip)
    drawn, bare = (film.annotated(each, clip) for each in (one, about(ticking, events=(), frame_time=1.0)))
    changed = {
        time: bool((picture_of(drawn.get_frame(time)) != picture_of(bare.get_frame(time))).any())
        for time in (0.0, 0.4, 0.6, 1.0, 1.4, 1.6)
    }
    assert changed == {0.0: False, 0.4: False, 0.6: True, 1.0: True, 1.4: True, 1.6: False}


def test_over_time_each_second_shows_its_own_masks_and_they_are_bars(ticking):
    said = [parse("The sounding object is dog. Its box is [0,0,112,112].", TASKS["s4"], duration=1.0, size=(96, 64))]
    windows = (Window(0.0, 1.0, said[0]), Window(1.0, 2.0, NOTHING))
    cut = np.zeros((64, 96), bool)
    cut[20:40, 30:60] = True
    over = {"windows": windows, "over_time": True, "masks": (packed(Mask(0.5, "dog", cut, None)),), "task": "s4"}
    one, bare = about(ticking, events=(), **over), about(ticking, events=())
    clip = film.original(one.clip)
    drawn, plain = film.annotated(one, clip), film.annotated(bare, clip)
    changed = [
        bool((picture_of(drawn.get_frame(t)) != picture_of(plain.get_frame(t))).any()) for t in (0.0, 0.9, 1.1, 1.9)
    ]
    assert changed == [True, True, False, False]
    image, (left, right, top, bottom) = film._bars(one, {"dog": "#FF0000"}, ACROSS)
    inked = (np.asarray(image)[round(top) : round(bottom)] == (255, 0, 0)).all(-1).any(0)
    middle = round((left + right) / 2)
    assert inked[round(left) + 2 : middle - 2].all() and not inked[middle + 3 :].any()


@pytest.mark.parametrize(
    ("suffix", "video", "audio"),
    [
        ("mp4", "libx264", "aac"),
        ("webm", "libvpx", "libopus"),
        ("ts", "libx264", "aac"),
        ("avi", "mpeg4", "libmp3lame"),
    ],
)
def test_sound_that_begins_late_stays_late(tmp_path, suffix, video, audio):
    file = clock_clip(tmp_path / f"late.{suffix}", video=video, audio=audio, seconds=2, sound_from=0.5)
    clip = open_clip(file)
    sound = film.original(clip).audio.to_soundarray(fps=SAMPLE_RATE)[:, 0]
    assert bursts(sound) == {number: pytest.approx(at, abs=0.01) for number, at in bursts(clip.sound()).items()}
    assert bursts(sound)[0] == pytest.approx(0.5 if suffix != "avi" else bursts(clip.sound())[0], abs=0.04)


def test_a_sound_alone_gets_a_card_and_a_playhead(tmp_path):
    file = clock_clip(tmp_path / "clock.wav", video=None, audio="pcm_s16le", seconds=2)
    frames, sound, told = read(made(about(file), tmp_path / "a.mp4"))
    assert (told["video"], told["audio"], told["pixels"]) == ("h264", "aac", "yuv420p")
    assert told["size"][0] == film.CARD[0] and abs(len(frames) / float(told["rate"]) - 2) <= 1 / 12
    assert bursts(sound) == {number: pytest.approx(number, abs=0.04) for number in (0, 1)}
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 100


def test_a_picture_with_a_sound_is_shown_throughout_with_its_boxes(tmp_path):
    Image.new("RGB", (97, 65), (40, 90, 160)).save(tmp_path / "still.png")
    sound = clock_clip(tmp_path / "clock.wav", video=None, audio="pcm_s16le", seconds=1)
    one = about(image=tmp_path / "still.png", audio=sound, events=(), boxes=(Box("dog", 10, 10, 60, 50),))
    clip = film.original(one.clip)
    drawn = film.annotated(one, clip)
    first, last = drawn.get_frame(0.0), drawn.get_frame(0.9)
    assert np.array_equal(first[:DOWN], last[:DOWN]) and len(np.unique(first[:DOWN].reshape(-1, 3), axis=0)) > 10
    assert drawn.audio is not None and first.shape[0] % 2 == first.shape[1] % 2 == 0
    film.save(film.cut(clip, Event("dog", "visual", 0.5, 0.5)), tmp_path / "cut.mp4", [])
    frames, _, told = read(tmp_path / "cut.mp4")
    assert told["size"] == (98, 66) and told["pixels"] == "yuv420p" and len(frames) == pytest.approx(3, abs=1)


def test_an_event_is_cut_out_with_its_sound(ticking, tmp_path):
    clip = film.original(open_clip(ticking))
    film.save(film.cut(clip, Event("dog", "both", 0.6, 1.4)), tmp_path / "cut.mp4", [CAVEAT])
    frames, sound, told = read(tmp_path / "cut.mp4")
    assert [number(frame) for frame in frames] == list(range(15, 35)) and told["size"] == (96, 64)
    assert bursts(sound) == {1: pytest.approx(0.4, abs=0.04)} and CAVEAT in told["comment"]


def test_of_a_sound_alone_a_cut_is_sound(tmp_path):
    file = clock_clip(tmp_path / "clock.wav", video=None, audio="pcm_s16le", seconds=2)
    clip = film.original(open_clip(file))
    film.save(film.cut(clip, Event("dog", "audio", 0.6, 1.4)), tmp_path / "cut.m4a", [CAVEAT])
    frames, sound, told = read(tmp_path / "cut.m4a")
    assert (told["audio"], frames) == ("aac", []) and CAVEAT in told["comment"]
    assert bursts(sound) == {1: pytest.approx(0.4, abs=0.04)}


@pytest.mark.parametrize("pictures_from", [0.0, 0.3])
def test_pictures_read_ahead_are_those_of_the_clip_at_any_second(tmp_path, monkeypatch, pictures_from):
    clip = open_clip(clock_clip(tmp_path / "a.mp4", seconds=1, audio=None, pictures_from=pictures_from))
    monkeypatch.setattr(film, "AHEAD", 5 * 96 * 64 * 3)  # five frames at a time
    shown = film._Ahead(clip)
    for time in (*np.arange(0, clip.duration, 0.03), 0.2, 0.21, 0.9):
        assert number(shown(time)) == number(clip.frame_at(time)), time


def test_what_cannot_be_a_film_is_a_sentence(ticking, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "still.png")
    with pytest.raises(CrabError, match="stands still"):
        film.original(open_clip(tmp_path / "still.png"))
    gone = replace(open_clip(ticking), audio=tmp_path / "gone.mp4")
    with pytest.raises(CrabError, match="gone.mp4 is no longer here: upload it again"):
        film.original(gone)


def test_no_program_but_the_decoding_process_reads_what_was_uploaded(ticking, monkeypatch):
    clip = open_clip(ticking)  # so that the decoding process is there
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: pytest.fail(f"{command} was started"))
    made = film.original(clip)
    assert number(made.get_frame(1.0)) == 25 and made.audio.to_soundarray(fps=SAMPLE_RATE).any()


def test_two_channels_stay_two_and_more_become_two(tmp_path):
    for layout, channels in (("mono", 1), ("stereo", 2), ("5.1", 2)):
        with av.open(str(tmp_path / "a.wav"), "w") as out:
            track = out.add_stream("pcm_s16le", rate=32000, layout=layout)
            count = len(track.codec_context.layout.channels)
            samples = np.zeros((1, 32000 * count), np.int16)
            samples[0, ::count] = 8000  # the left one alone
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            frame.sample_rate = 32000
            out.mux(track.encode(frame))
        heard = open_clip(tmp_path / "a.wav").track(film.RATE_OF_SOUND)
        assert heard.shape == (film.RATE_OF_SOUND, channels) and heard[1000:-1000, 0].min() > 2000
        assert channels == 1 or not heard[:, 1].any()


def test_moviepy_is_not_waited_for_before_there_is_a_film(request):
    code = "import sys; from visualize import bundle, film; assert 'moviepy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=request.config.rootpath, check=True)
