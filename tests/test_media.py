"""Clips of every kind, made small and on the spot, where frame i of a video is grey at `grey(i)`: a frame taken from the
wrong place has the wrong colour. Real recordings are tried where `../shared/clips` is present."""

import os
import struct
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import wraps
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from crab import CrabError, media
from crab.media import SAMPLE_RATE, Limits, MediaError, check_length, open_clip, opening, video

GOLDEN = Path(__file__).parent / "golden" / "media"
CLIPS = Path(__file__).parents[2] / "shared" / "clips"
needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not at <repository>/../shared/clips")


def grey(i):
    return 24 + 10 * i  # 20 frames fit


def seen_index(picture):
    """Which frame a picture shows."""
    return round((float(np.median(picture)) - 24) / 10)


def need(codec):
    try:
        av.Codec(codec, "w")
    except ValueError:
        pytest.skip(f"PyAV's FFmpeg has no encoder {codec}")


def tone(seconds, rate=44100, loudness=(0.5,), hz=440.0):
    """(channels, samples) float32, one channel for each loudness."""
    wave = np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return (np.array(loudness)[:, None] * wave).astype(np.float32)


def loudest_hz(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return spectrum.argmax() * SAMPLE_RATE / len(samples)


def beginning(samples):
    """Seconds until it is loud."""
    return int(np.argmax(np.abs(samples) > 0.1)) / SAMPLE_RATE


def apart(function):
    """In a thread that ends with it: where it may, SVT-AV1 lets the thread that calls it go before all others, and with
    it whatever that starts later. A browser so started leaves no time for the page's server."""

    @wraps(function)
    def run(*args, **named):
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(function, *args, **named).result()

    return run


@apart
def write(
    path,
    *,
    video=None,
    pix_fmt="yuv420p",
    size=(64, 48),
    fps=10,
    pictures=20,
    ticks=None,
    rotation=None,
    options=None,
    audio=None,
    samples=None,
    rate=44100,
    layout="mono",
    begins=0.0,
    container=None,
    mux=None,
):
    """A file with `pictures` (their number, or arrays) shown at `ticks` (ms) and `samples` (channels, n); its path."""
    for codec in filter(None, (video, audio)):
        need(codec)
    with av.open(str(path), "w", format=container, options=mux or {}) as out:
        # Streams first: a container's header is written with the first packet.
        if video:
            stream = out.add_stream(video, rate=fps, options=options or {})
            (stream.width, stream.height), stream.pix_fmt = size, pix_fmt
            clock = Fraction(1, fps if ticks is None else 1000)
            stream.codec_context.time_base = clock
            if rotation:
                stream.set_display_rotation(**rotation)
        if audio:
            track = out.add_stream(audio, rate=rate, layout=layout)
            track.bit_rate = 64_000 * len(samples)
        if video:
            if isinstance(pictures, int):
                pictures = [np.full((size[1], size[0], 3), grey(i), np.uint8) for i in range(pictures)]
            for i, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgba" if picture.shape[2] == 4 else "rgb24")
                frame = frame.reformat(format=pix_fmt)
                frame.pts, frame.time_base = i if ticks is None else ticks[i], clock
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        if audio:
            convert = av.AudioResampler(track.format.name, layout, rate, track.codec_context.frame_size or 1024)
            interleaved = np.ascontiguousarray(samples.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=layout)
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), round(begins * rate)
            for block in (*convert.resample(frame), *convert.resample(None)):
                out.mux(track.encode(block))
            out.mux(track.encode(None))
    return path


def decoded(path):
    """All frames by a plain decode from start to end."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def published(total, n):
    return np.rint(np.linspace(0, total - 1, n)).astype(int)


VIDEOS = [  # file name, encoder, pixel format, encoder options
    ("h264.mp4", "libx264", "yuv420p", {"g": "6", "bf": "2"}),
    ("h264-one-gop.mp4", "libx264", "yuv420p", {"bf": "3"}),
    ("h264-open-gop.mkv", "libx264", "yuv420p", {"g": "6", "bf": "2", "x264-params": "open-gop=1:scenecut=0"}),
    ("h264-444.mov", "libx264", "yuv444p", {"g": "6"}),
    ("h264.avi", "libx264", "yuv420p", {"g": "6", "bf": "2"}),
    ("h264.ts", "libx264", "yuv420p", {"g": "6", "bf": "2"}),
    ("h264.flv", "libx264", "yuv420p", {"g": "6", "bf": "2"}),
    ("hevc.mp4", "libx265", "yuv420p", {"x265-params": "keyint=6:min-keyint=6:open-gop=1:log-level=none"}),
    ("hevc-10bit.mkv", "libx265", "yuv420p10le", {"x265-params": "keyint=6:log-level=none"}),
    ("av1.mp4", "libsvtav1", "yuv420p", {"g": "6", "preset": "12"}),
    ("av1.webm", "libsvtav1", "yuv420p", {"g": "6", "preset": "12"}),
    ("vp8.webm", "libvpx", "yuv420p", {"g": "6", "deadline": "realtime"}),
    ("vp8-hidden-frames.webm", "libvpx", "yuv420p", {"auto-alt-ref": "1", "lag-in-frames": "16", "b": "1M"}),
    ("vp9.webm", "libvpx-vp9", "yuv420p", {"g": "6", "deadline": "realtime", "cpu-used": "8"}),
    ("vp9-hidden-frames.mkv", "libvpx-vp9", "yuv420p", {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "4"}),
    ("mpeg4.mp4", "mpeg4", "yuv420p", {"g": "6", "bf": "2", "b": "4M"}),
    ("mpeg4.avi", "mpeg4", "yuv420p", {"g": "6"}),
    ("mpeg4-b-frames.avi", "mpeg4", "yuv420p", {"g": "6", "bf": "2", "b": "4M"}),
    ("mjpeg.avi", "mjpeg", "yuvj420p", {}),
    ("mpeg2.mpg", "mpeg2video", "yuv420p", {"g": "6", "bf": "2", "b": "4M"}),
    ("wmv2.wmv", "wmv2", "yuv420p", {"g": "6"}),
    ("prores.mov", "prores_ks", "yuv422p10le", {}),
    ("rle.mov", "qtrle", "rgb24", {"g": "6"}),
    ("ffv1.mkv", "ffv1", "yuv420p", {"g": "6"}),
    ("animated.gif", "gif", "gray", {}),
]


@pytest.mark.parametrize("name, codec, pix_fmt, options", VIDEOS, ids=[video[0] for video in VIDEOS])
def test_frames_of_every_kind_of_video_are_those_of_a_plain_decode(tmp_path, name, codec, pix_fmt, options):
    fps = 25 if codec == "mpeg2video" else 10
    path = write(tmp_path / name, video=codec, pix_fmt=pix_fmt, options=options, fps=fps)
    clip = open_clip(path)
    assert (clip.video, clip.image, clip.audio) == (path, None, None)
    assert (clip.width, clip.height) == (64, 48)
    assert clip.duration == pytest.approx(20 / fps, abs=1.01 / fps)
    assert clip.fps == pytest.approx(fps, rel=0.06)

    truth = decoded(path)
    assert len(truth) == 20
    for n in (1, 4, 10, 33):
        pictures, times = clip.frames(n)
        assert pictures.shape == (n, 48, 64, 3) and pictures.dtype == np.uint8
        assert np.array_equal(pictures, np.stack([truth[i] for i in published(20, n)]))
        assert [seen_index(picture) for picture in pictures] == published(20, n).tolist()
        assert times == pytest.approx(published(20, n) / fps, abs=0.002)

    pictures, times = clip.frames(4, start=5 / fps, end=12 / fps)  # frames 5 to 11
    assert [seen_index(picture) for picture in pictures] == [5, 7, 9, 11]
    for i in (19, 0, 7, 12):
        assert seen_index(clip.frame_at((i + 0.5) / fps)) == i


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="this system does not tell")
def test_what_a_clip_can_be_asked_is_there_as_functions_too(scene_clip):
    clip = media.open_clip(scene_clip)
    for one, other in ((media.frames(clip, 3, start=2), clip.frames(3, start=2)), ([media.frame_at(clip, 4)], [clip.frame_at(4)]),
                       ([media.sound(clip)], [clip.sound()])):  # fmt: skip
        assert all(np.array_equal(mine, its) for mine, its in zip(one, other, strict=True))


def test_whatever_writes_a_clip_for_a_test_leaves_the_tests_after_it_as_they_were(tmp_path):
    write(tmp_path / "a.mp4", video="libsvtav1")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_only_the_frames_from_the_key_frame_on_are_decoded(tmp_path, monkeypatch):
    clip = open_clip(write(tmp_path / "a.mp4", video="libx264", options={"g": "5", "bf": "0"}))
    count = 0

    def counting(decoded):
        def decode(*arguments):
            nonlocal count
            for frame in decoded(*arguments):
                count += 1
                yield frame

        return decode

    monkeypatch.setattr(video, "decoded", counting(video.decoded))
    assert seen_index(video.frame_at(clip, 1.75)) == 17
    assert count == 3  # 15, 16, 17


@pytest.mark.parametrize(
    "name, codec", [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx-vp9"), ("a.ts", "libx264")]
)
def test_a_variable_frame_rate_gives_the_times_of_the_file(tmp_path, name, codec):
    ticks = [0, 100, 133, 166, 500, 1500, 1540, 1580, 2900, 3000]  # ms
    clip = open_clip(write(tmp_path / name, video=codec, pictures=10, ticks=ticks))
    pictures, times = clip.frames(10)
    assert times == pytest.approx(np.array(ticks) / 1000, abs=0.001)
    assert [seen_index(picture) for picture in pictures] == list(range(10))
    assert clip.duration == pytest.approx(3.0, abs=0.15)
    assert seen_index(clip.frame_at(1.4)) == 4 and seen_index(clip.frame_at(2.8)) == 7
    pictures, times = clip.frames(3, start=0.6, end=1.4)  # no frame begins in there: the one on show stands for all
    assert [seen_index(picture) for picture in pictures] == [4, 4, 4] and set(times) == {times[0]}


@pytest.mark.parametrize("size", [(63, 47), (1, 1), (17, 200), (161, 2)])
def test_odd_sizes(tmp_path, size):
    clip = open_clip(write(tmp_path / "a.mkv", video="ffv1", pix_fmt="yuv444p", size=size, pictures=3))
    assert (clip.width, clip.height) == size
    assert clip.frames(4)[0].shape == (4, size[1], size[0], 3)


CORNERS = np.zeros((48, 64, 3), np.uint8)  # red, green / blue, white, so that turns and mirrors show
CORNERS[:24, :32], CORNERS[:24, 32:], CORNERS[24:, :32], CORNERS[24:, 32:] = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
)


@pytest.mark.parametrize("hflip, vflip", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_video_stands_upright(tmp_path, degrees, hflip, vflip):
    if not hasattr(av.VideoStream, "set_display_rotation"):
        pytest.skip("this PyAV cannot write a display matrix")
    rotation = {"degrees": degrees, "hflip": hflip, "vflip": vflip}
    path = write(tmp_path / "a.mov", video="qtrle", pix_fmt="rgb24", pictures=[CORNERS] * 3, rotation=rotation)
    expected = np.rot90(CORNERS, degrees // 90)  # counter-clockwise, then mirrored
    expected = expected[:: -1 if vflip else 1, :: -1 if hflip else 1]
    clip = open_clip(path)
    assert (clip.height, clip.width) == expected.shape[:2]
    assert np.array_equal(clip.frames(2)[0], np.stack([expected, expected]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_stands_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(CORNERS).save(tmp_path / "a.png", exif=exif)
    flip, turns = {1: (0, 0), 2: (1, 0), 3: (0, 2), 4: (1, 2), 5: (1, 1), 6: (0, 3), 7: (1, 3), 8: (0, 1)}[orientation]
    expected = np.rot90(CORNERS[:, ::-1] if flip else CORNERS, turns)
    clip = open_clip(tmp_path / "a.png")
    assert (clip.height, clip.width) == expected.shape[:2]
    assert np.array_equal(clip.frame_at(0.0), expected)


VEILED = np.dstack([CORNERS, np.full((48, 64), 255, np.uint8)])
VEILED[:24, :, 3], VEILED[24:, :32, 3] = 0, 128  # top half gone, bottom left half gone


@pytest.mark.parametrize(
    "name, codec, pix_fmt",
    [
        ("a.mov", "qtrle", "argb"),
        ("a.mov", "png", "rgba"),
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.webm", "libvpx", "yuva420p"),
    ],
)
def test_transparent_video_lies_on_white(tmp_path, name, codec, pix_fmt):
    options = {"auto-alt-ref": "0", "b": "1M"} if "vpx" in codec else {}
    path = write(tmp_path / name, video=codec, pix_fmt=pix_fmt, pictures=[VEILED] * 3, options=options)
    top_right, bottom_left, bottom_right = open_clip(path).frames(1)[0][0][[8, 40, 40], [50, 10, 50]].astype(int)
    for colour, expected in (
        (top_right, (255, 255, 255)),
        (bottom_left, (127, 127, 255)),
        (bottom_right, (255, 255, 255)),
    ):
        assert np.abs(colour - expected).max() <= 12  # of colours squeezed into 4:2:0


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pictures_lie_on_white(tmp_path, mode):
    veiled = Image.fromarray(VEILED)
    if mode == "P":
        veiled = veiled.quantize(16)
    veiled.convert(mode).save(tmp_path / "a.png")
    picture = open_clip(tmp_path / "a.png").frame_at(0.0)
    assert (picture[:24] == 255).all() and not (picture[24:, :32] == 255).all()


def test_pictures_of_every_kind(tmp_path):
    for name in ("a.jpg", "a.png", "a.webp", "a.gif", "a.bmp", "a.tiff"):
        Image.fromarray(CORNERS).save(tmp_path / name)
        clip = open_clip(tmp_path / name)
        assert (clip.image, clip.video, clip.audio) == (tmp_path / name, None, None)
        assert (clip.width, clip.height, clip.duration) == (64, 48, 0.0)
        pictures, times = clip.frames(3, start=4.0, end=5.0)
        assert pictures.shape == (3, 48, 64, 3) and pictures.dtype == np.uint8 and times.tolist() == [0.0] * 3
        assert pictures[0].base is not None and np.shares_memory(pictures[0], pictures[2])
        assert np.abs(pictures[0][[8, 40], [50, 10]].astype(int) - [[0, 255, 0], [0, 0, 255]]).max() < 40
        assert clip.sound().shape == (0,)
    deep = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.array_equal(open_clip(tmp_path / "deep.png").frame_at(0.0)[..., 0], deep >> 8)


SOUNDS = [  # file name, encoder, rate
    ("a.wav", "pcm_s16le", 44100),
    ("bytes.wav", "pcm_u8", 22050),
    ("deep.wav", "pcm_s24le", 96000),
    ("floats.wav", "pcm_f32le", 48000),
    ("doubles.wav", "pcm_f64le", 11025),
    ("slow.wav", "pcm_s16le", 8000),
    ("same.wav", "pcm_s16le", 16000),
    ("a.mp3", "libmp3lame", 44100),
    ("slow.mp3", "libmp3lame", 16000),
    ("a.m4a", "aac", 48000),
    ("a.aac", "aac", 32000),
    ("a.flac", "flac", 44100),
    ("a.ogg", "libopus", 48000),
    ("flac.ogg", "flac", 44100),
    ("a.webm", "libopus", 48000),
    ("a.mka", "libmp3lame", 22050),
    ("a.aiff", "pcm_s16be", 44100),
    ("a.wma", "wmav2", 44100),
]


@pytest.mark.parametrize("name, codec, rate", SOUNDS, ids=[sound[0] for sound in SOUNDS])
def test_sound_of_every_kind(tmp_path, name, codec, rate):
    path = write(tmp_path / name, audio=codec, samples=tone(3, rate), rate=rate)
    clip = open_clip(path)
    assert (clip.video, clip.image, clip.audio) == (None, None, path)
    assert (clip.width, clip.height, clip.fps) == (0, 0, 0.0)
    assert clip.duration == pytest.approx(3.0, abs=0.15)  # blocks of coded sound stick out at the end
    heard = clip.sound()
    assert heard.dtype == np.float32 and heard.ndim == 1
    assert len(heard) == pytest.approx(clip.duration * SAMPLE_RATE, abs=2)
    middle = heard[SAMPLE_RATE : 2 * SAMPLE_RATE]
    assert loudest_hz(middle) == pytest.approx(440, abs=1)
    assert np.sqrt(2 * (middle**2).mean()) == pytest.approx(0.5, rel=0.06)  # LAME makes sound 5 % quieter


def test_a_window_of_sound_is_a_slice_of_the_whole(tmp_path):
    for name, codec, rate in (("a.wav", "pcm_s16le", 44100), ("a.flac", "flac", 48000), ("a.wav", "pcm_s16le", 16000)):
        noise = np.random.default_rng(0).normal(0, 0.1, (1, 8 * rate)).astype(np.float32)
        clip = open_clip(write(tmp_path / name, audio=codec, samples=noise, rate=rate))
        whole = clip.sound()
        for start, end in ((0.0, 1.0), (0.313, 2.7), (5.0001, 7.3), (7.5, 8.0), (7.9, 12.0)):
            piece = clip.sound(start=start, end=end)
            assert piece == pytest.approx(whole[round(start * 16000) : round(end * 16000)], abs=1e-4)
        assert clip.sound(start=9.0, end=10.0).shape == clip.sound(start=2.0, end=2.0).shape == (0,)


@pytest.mark.parametrize("name, codec, rate", [("a.mp3", "libmp3lame", 44100), ("a.m4a", "aac", 44100)])
def test_a_window_of_coded_sound_is_in_its_place(tmp_path, name, codec, rate):
    samples = np.zeros((1, 8 * rate), np.float32)
    samples[:, 5 * rate : 6 * rate] = tone(1, rate)
    clip = open_clip(write(tmp_path / name, audio=codec, samples=samples, rate=rate))
    assert beginning(clip.sound()) == pytest.approx(5.0, abs=0.005)
    assert beginning(clip.sound(start=4.5, end=5.5)) == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize(
    "layout, channels",
    [("mono", 1), ("stereo", 2), ("2.1", 3), ("quad", 4), ("5.0", 5), ("5.1", 6), ("6.1", 7), ("7.1", 8)],
)
@pytest.mark.parametrize("name, codec", [("a.wav", "pcm_s16le"), ("a.mka", "flac"), ("a.m4a", "aac")])
def test_channels_are_averaged(tmp_path, name, codec, layout, channels):
    loudness = np.linspace(0.1, 0.8, channels)
    samples = tone(1, 48000, loudness, hz=80)  # so low that a subwoofer's channel keeps it
    clip = open_clip(write(tmp_path / name, audio=codec, samples=samples, rate=48000, layout=layout))
    assert np.sqrt(2 * (clip.sound()[4000:12000] ** 2).mean()) == pytest.approx(loudness.mean(), rel=0.02)


@pytest.mark.parametrize(
    "name, video, audio",
    [
        ("a.mp4", "libx264", "aac"),
        ("a.mov", "libx264", "pcm_s16le"),
        ("a.mkv", "libx264", "flac"),
        ("a.webm", "libvpx-vp9", "libopus"),
        ("a.avi", "mpeg4", "libmp3lame"),
        ("a.ts", "libx264", "aac"),
    ],
)
def test_picture_and_sound_keep_together(tmp_path, name, video, audio):
    samples = np.zeros((1, 3 * 48000), np.float32)
    samples[:, 48000:96000] = tone(1, 48000)
    pictures = [np.full((48, 64, 3), 200 if 10 <= i < 20 else 50, np.uint8) for i in range(30)]
    path = write(tmp_path / name, video=video, audio=audio, pictures=pictures, samples=samples, rate=48000)
    clip = open_clip(path)
    assert clip.video == clip.audio == path
    pictures, times = clip.frames(30)
    flash = times[np.argmax(pictures.mean(axis=(1, 2, 3)) > 125)]
    assert flash == pytest.approx(1.0, abs=0.11)  # the writer of AVI puts an empty picture in
    assert beginning(clip.sound()) == pytest.approx(flash, abs=0.11)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_sound_that_begins_late_is_preceded_by_silence(tmp_path, name):
    path = write(tmp_path / name, video="libx264", audio="aac", samples=tone(1), begins=0.7)
    heard = open_clip(path).sound()
    assert beginning(heard) == pytest.approx(0.7, abs=0.03)
    assert not heard[: int(0.6 * SAMPLE_RATE)].any()
    assert beginning(open_clip(path).sound(start=0.5, end=1.0)) == pytest.approx(0.2, abs=0.03)


def test_a_silent_video_has_no_sound(tmp_path):
    clip = open_clip(write(tmp_path / "a.mp4", video="libx264"))
    assert clip.audio is None
    assert clip.sound().shape == (0,) and clip.sound().dtype == np.float32


def test_sound_of_another_file(tmp_path):
    seen = write(tmp_path / "a.mp4", video="libx264", audio="aac", samples=tone(2))
    other = write(tmp_path / "b.wav", audio="pcm_s16le", samples=tone(1, hz=1000))
    clip = open_clip(seen, audio=other)
    assert (clip.name, clip.video, clip.audio, clip.duration) == ("a.mp4", seen, other, 2.0)
    assert loudest_hz(clip.sound()) == pytest.approx(1000, abs=2)
    assert open_clip(other, audio=seen).audio == seen


def test_a_clip_lasts_until_picture_and_sound_are_over(tmp_path):
    clip = open_clip(write(tmp_path / "a.mp4", video="libx264", pictures=10, audio="aac", samples=tone(4)))
    assert clip.duration == pytest.approx(4.0, abs=0.05) and clip.fps == 10.0
    assert [seen_index(picture) for picture in clip.frames(4)[0]] == [0, 3, 6, 9]  # of the whole, as the released code
    pictures, times = clip.frames(4, start=0.0, end=2.0)
    assert [seen_index(picture) for picture in pictures] == [0, 6, 9, 9]
    assert times == pytest.approx([0.0, 0.6, 0.9, 0.9])
    assert [seen_index(picture) for picture in clip.frames(4, start=2.0, end=4.0)[0]] == [9] * 4
    assert seen_index(clip.frame_at(3.0)) == 9

    late = write(tmp_path / "late.mkv", video="libx264", audio="flac", samples=tone(1), begins=1.7)
    assert open_clip(late).duration == pytest.approx(2.7, abs=0.01)
    heard = write(tmp_path / "a.wav", audio="pcm_s16le", samples=tone(5))
    assert open_clip(write(tmp_path / "b.mp4", video="libx264"), audio=heard, frame=4).duration == 5.0
    one = open_clip(write(tmp_path / "one.mp4", video="libx264", pictures=1), audio=heard)
    assert one.duration == 5.0 and [seen_index(picture) for picture in one.frames(3, start=3.0, end=5.0)[0]] == [0] * 3


def test_sound_that_sticks_out_a_little_does_not_make_a_clip_longer(tmp_path):
    path = write(tmp_path / "a.mp4", video="libx264", audio="aac", samples=tone(2.4))
    assert open_clip(path).duration == 2.0


def test_a_picture_with_its_sound(tmp_path):
    Image.fromarray(CORNERS).save(tmp_path / "a.jpg")
    heard = write(tmp_path / "a.wav", audio="pcm_s16le", samples=tone(5))
    for clip in (
        open_clip(image=tmp_path / "a.jpg", audio=heard, frame=3),
        open_clip(str(tmp_path / "a.jpg"), audio=str(heard), frame=3),
        open_clip(heard, image=tmp_path / "a.jpg", frame=3),
    ):
        assert (clip.image, clip.audio, clip.video) == (tmp_path / "a.jpg", heard, None)
        assert (clip.width, clip.height, clip.duration, clip.frame) == (64, 48, 5.0, 3)
        assert len(clip.sound(start=3, end=4)) == SAMPLE_RATE
    with pytest.raises(MediaError, match="a.jpg has no second 5: it lasts 5.0 s, give 0 to 4"):
        open_clip(image=tmp_path / "a.jpg", audio=heard, frame=5)
    published = open_clip(image=tmp_path / "a.jpg", audio=heard, piece=7)  # past the end: silence, as released
    assert (published.frame, published.piece) == (None, 7)


def test_a_video_of_one_frame(tmp_path):
    for name in ("a.mp4", "a.mkv", "a.avi"):
        clip = open_clip(write(tmp_path / name, video="mpeg4", pictures=1))
        assert clip.video is not None and 0 < clip.duration <= 0.2
        pictures, times = clip.frames(4)
        assert [seen_index(picture) for picture in pictures] == [0] * 4 and times.tolist() == [0.0] * 4


def test_cover_art_is_not_a_video(tmp_path):
    path = write(tmp_path / "plain.mp3", audio="libmp3lame", samples=tone(1))
    Image.fromarray(CORNERS).save(tmp_path / "cover.jpg")
    jpeg = (tmp_path / "cover.jpg").read_bytes()
    body = b"APIC" + struct.pack(">IH", len(jpeg) + 14, 0) + b"\0image/jpeg\0\x03\0" + jpeg
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    covered = tmp_path / "covered.mp3"
    covered.write_bytes(b"ID3\x03\0\0" + size + body + path.read_bytes())
    with av.open(str(covered)) as container:
        assert len(container.streams.video) == 1  # the cover is there to be mistaken
    clip = open_clip(covered)
    assert (clip.video, clip.image, clip.audio) == (None, None, covered)
    with pytest.raises(MediaError, match="nothing to see in covered.mp3"):
        clip.frames(4)


@pytest.mark.parametrize(
    "lie, truth",
    [
        ("a.avi", "a.mp4"),
        ("a.mp4", "a.webm"),
        ("a.mp3", "a.mp4"),
        ("a.jpg", "a.mp4"),
        ("a.wav", "a.mkv"),
        ("a", "a.mov"),
    ],
)
def test_a_video_is_known_by_its_content(tmp_path, lie, truth):
    path = write(tmp_path / truth, video="libvpx-vp9" if truth == "a.webm" else "libx264").rename(tmp_path / lie)
    assert [seen_index(picture) for picture in open_clip(path).frames(4)[0]] == [0, 6, 13, 19]


def test_a_picture_and_a_sound_are_known_by_their_content(tmp_path):
    Image.fromarray(CORNERS).save(tmp_path / "a.png")
    assert open_clip((tmp_path / "a.png").rename(tmp_path / "picture.mp4")).image is not None
    path = write(tmp_path / "a.wav", audio="pcm_s16le", samples=tone(1)).rename(tmp_path / "sound.mp4")
    assert open_clip(path).audio == path
    path = write(tmp_path / "a.mp3", audio="libmp3lame", samples=tone(1)).rename(tmp_path / "sound.wav")
    assert open_clip(path).audio == path


def test_a_recording_that_changes_on_the_way(tmp_path):
    """Two broadcasts in one file: another picture size, other channels, another rate, and the clock starts again."""
    one = write(tmp_path / "a.ts", video="libx264", audio="aac", samples=tone(2, 48000), rate=48000)
    two = write(
        tmp_path / "b.ts",
        video="libx264",
        size=(32, 24),
        audio="aac",
        samples=tone(2, 44100, (0.5, 0.5), hz=1000),
        rate=44100,
        layout="stereo",
    )
    (tmp_path / "c.ts").write_bytes(one.read_bytes() + two.read_bytes())
    clip = open_clip(tmp_path / "c.ts")
    pictures, times = clip.frames(40)
    assert pictures.shape == (40, 48, 64, 3) and np.all(np.diff(times) > 0)
    assert [seen_index(picture) for picture in pictures] == [*range(20), *range(20)]
    heard = clip.sound()
    assert len(heard) == pytest.approx(4 * SAMPLE_RATE, rel=0.05)
    assert loudest_hz(heard[8000:24000]) == pytest.approx(440, abs=2)
    assert loudest_hz(heard[40000:56000]) == pytest.approx(1000, abs=2)


def test_a_stream_that_turns_up_on_the_way_is_left_alone(tmp_path):
    """Sound that changes its codec is a new stream in FLV. PyAV knows the streams of the opening only: at a packet of
    another it stumbles or passes on, by what its memory happens to hold there."""
    pictures = [np.full((48, 64, 3), grey(i // 10), np.uint8) for i in range(200)]
    path = write(tmp_path / "a.flv", video="libx264", pictures=pictures, audio="aac", samples=tone(20))
    content, at, heard = bytearray(path.read_bytes()), 13, []
    while at < len(content):  # a tag of FLV: type, size (3 bytes), time (4), stream (3), data, size again (4)
        if content[at] == 8:
            heard.append(at)
        at += 15 + int.from_bytes(content[at + 1 : at + 4], "big")
    content[heard[-5] + 11] = 0x2F  # from AAC to MP3
    path.write_bytes(content)
    clip = open_clip(path)
    assert [seen_index(picture) for picture in clip.frames(4)[0]] == [0, 6, 13, 19]
    assert len(clip.sound()) == pytest.approx(20 * SAMPLE_RATE, rel=0.01)  # with what follows the strange packet


def test_an_animated_gif_is_a_video_and_a_still_one_a_picture(tmp_path):
    stills = [Image.new("L", (64, 48), grey(i)) for i in range(5)]
    stills[0].save(tmp_path / "a.gif", save_all=True, append_images=stills[1:], duration=200)
    clip = open_clip(tmp_path / "a.gif")
    assert clip.video and clip.duration == pytest.approx(1.0, abs=0.01)
    assert [seen_index(picture) for picture in clip.frames(5)[0]] == list(range(5))
    stills[3].save(tmp_path / "b.gif")
    assert open_clip(tmp_path / "b.gif").image


def test_an_animated_webp_is_a_video_and_a_still_one_a_picture(tmp_path):
    stills = [Image.new("RGB", (64, 48), (grey(i),) * 3) for i in range(5)]
    path = tmp_path / "a.mp4"
    stills[0].save(
        path, "WEBP", save_all=True, append_images=stills[1:], duration=[100, 200, 300, 0, 50], lossless=True
    )
    clip = open_clip(path)
    assert (clip.video, clip.image, clip.audio, clip.width, clip.height) == (path, None, None, 64, 48)
    assert clip.duration == pytest.approx(0.75) and clip.fps == pytest.approx(5 / 0.75)
    pictures, times = clip.frames(5)
    assert [seen_index(picture) for picture in pictures] == list(range(5))
    assert times == pytest.approx([0.0, 0.1, 0.3, 0.6, 0.7])
    assert seen_index(clip.frame_at(0.5)) == 2
    stills[3].save(tmp_path / "b.webp")
    assert open_clip(tmp_path / "b.webp").image


def test_a_transparent_animated_webp_lies_on_white(tmp_path):
    veiled, plain = Image.fromarray(VEILED), Image.new("RGBA", (64, 48))
    veiled.save(tmp_path / "a.webp", save_all=True, append_images=[plain], duration=100, lossless=True)
    colours = open_clip(tmp_path / "a.webp").frame_at(0.0)[[8, 40, 40], [50, 10, 50]].astype(int)
    assert np.abs(colours - [(255, 255, 255), (127, 127, 255), (255, 255, 255)]).max() <= 1


def test_a_video_recorded_by_a_browser(tmp_path):
    """WebM as written live: no duration, no index, uneven times."""
    ticks = [0, 70, 190, 201, 330, 461, 777, 800, 903, 1004, 1120, 1300]
    path = write(
        tmp_path / "a.webm",
        video="libvpx",
        options={"g": "4", "deadline": "realtime"},
        pictures=12,
        ticks=ticks,
        audio="libopus",
        samples=tone(1.4, 48000),
        rate=48000,
        mux={"live": "1"},
    )
    clip = open_clip(path)
    pictures, times = clip.frames(12)
    assert [seen_index(picture) for picture in pictures] == list(range(12))
    assert times == pytest.approx(np.array(ticks) / 1000, abs=0.001)
    assert clip.audio == path


@pytest.mark.parametrize(
    "name, mux",
    [
        ("a.mp4", {"movflags": "faststart"}),
        ("b.mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("a.mkv", {}),
        ("a.avi", {}),
    ],
)
def test_what_is_left_of_a_truncated_video_is_used(tmp_path, name, mux):
    rng = np.random.default_rng(0)
    pictures = [np.kron(rng.integers(0, 2, (24, 32, 1)), np.full((2, 2, 3), grey(i))) for i in range(20)]
    path = write(
        tmp_path / name,
        video="libx264",
        options={"g": "5", "bf": "0"},
        pictures=[picture.astype(np.uint8) for picture in pictures],
        mux=mux,
    )
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    clip = open_clip(path)
    assert clip.duration < 1.8
    pictures, times = clip.frames(5)
    brightest = pictures.max(axis=(1, 2, 3))
    assert np.all(np.diff(brightest.astype(int)) > 0) and times[-1] > 0.5


def test_what_is_left_of_a_truncated_gif_is_used(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (5, 48, 64), dtype=np.uint8)
    stills = [Image.fromarray(still) for still in noise]
    stills[0].save(tmp_path / "a.gif", save_all=True, append_images=stills[1:], duration=200)
    content = (tmp_path / "a.gif").read_bytes()
    for left in range(len(content) // 2, len(content), len(content) // 20):
        (tmp_path / "a.gif").write_bytes(content[:left])
        clip = open_clip(tmp_path / "a.gif")
        assert clip.video and clip.duration < 1.01
        assert np.array_equal(clip.frame_at(0.3)[..., 0], noise[1])


def refused(*arguments, **more):
    with pytest.raises(CrabError) as error:
        open_clip(*arguments, **more)
    return str(error.value)


def test_files_that_are_no_clips_are_named_with_advice(tmp_path, capfd):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("This is not a video.\n" * 100)
    (tmp_path / "noise.wav").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "folder.mp4").mkdir()
    video = write(tmp_path / "a.mp4", video="libx264")
    (tmp_path / "head.mp4").write_bytes(video.read_bytes()[:1000])
    Image.fromarray(CORNERS).resize((640, 480)).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:600])
    messages = {
        "empty.mp4": "is empty",
        "text.mp4": "cannot be read",
        "noise.wav": "cannot be read",
        "head.mp4": "cannot be read",
        "half.png": "is damaged",
        "folder.mp4": "is a folder",
        "missing.mp4": "was not found",
    }
    for name, reason in messages.items():
        message = refused(tmp_path / name)
        assert message.startswith(name) and reason in message and message.endswith(".")
        assert str(tmp_path) not in message and "Error" not in message and "Errno" not in message
    assert capfd.readouterr() == ("", "")  # FFmpeg keeps its thoughts to itself


def test_playlists_are_not_followed(tmp_path):
    video = write(tmp_path / "a.ts", video="libx264")
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{video}\n#EXT-X-ENDLIST\n")
    (tmp_path / "list.txt").write_text(f"ffconcat version 1.0\nfile {video.name}\n")
    assert "cannot be read" in refused(tmp_path / "list.mp4")
    assert "cannot be read" in refused(tmp_path / "list.txt")


def test_what_does_not_go_together(tmp_path):
    Image.fromarray(CORNERS).save(tmp_path / "a.jpg")
    silent = write(tmp_path / "a.mp4", video="libx264")
    assert "There is no clip yet" in refused()
    assert "a.mp4 is not a still picture" in refused(image=silent)
    assert "a.mp4 and a.jpg both have a picture" in refused(silent, image=tmp_path / "a.jpg")
    assert "There is no sound in a.mp4" in refused(tmp_path / "a.jpg", audio=silent)
    assert "There is no sound in a.mp4" in refused(silent, audio=silent)


def test_limits(tmp_path, monkeypatch):
    video = write(tmp_path / "a.mp4", video="libx264", audio="aac", samples=tone(2))
    counted = write(tmp_path / "a.ts", video="libx264")
    heard = write(tmp_path / "a.wav", audio="pcm_s16le", samples=tone(2))
    short = write(tmp_path / "short.wav", audio="pcm_s16le", samples=tone(0.05))
    Image.fromarray(CORNERS).save(tmp_path / "a.jpg")
    assert "short.wav has neither a picture nor sound" in refused(short)

    with monkeypatch.context() as patch:
        patch.setattr(Limits, "seconds", 1)
        for path in (video, counted, heard):
            assert refused(path) == f"{path.name} is longer than 1 s: cut it shorter."
        assert "a.wav is longer than 1 s" in refused(tmp_path / "a.jpg", audio=heard)
    with monkeypatch.context() as patch:  # the sound of a video, its own or another, is held to the same
        patch.setattr(Limits, "seconds", 2)
        longer = write(tmp_path / "b.mp4", video="libx264", pictures=10, audio="aac", samples=tone(4))
        assert refused(longer) == refused(counted, audio=longer) == "b.mp4 is longer than 2 s: cut it shorter."
    with monkeypatch.context() as patch:
        patch.setattr(Limits, "pixels", 64 * 48 - 1)
        for path in (video, counted, tmp_path / "a.jpg"):
            assert f"{path.name} is 64 x 48, more than" in refused(path)
    with monkeypatch.context() as patch:
        patch.setattr(Limits, "bytes", 100)
        assert "cut it shorter or save it smaller" in refused(video)


@pytest.mark.parametrize(("name", "kinds"), [
    ("a.mp4", {"video": "libx264", "audio": "aac"}), ("a.webm", {"video": "libvpx", "audio": "libopus", "rate": 48000}),
    ("a.avi", {"video": "mjpeg", "pix_fmt": "yuvj420p"}), ("a.wav", {"audio": "pcm_s16le"}),
    ("a.mp3", {"audio": "libmp3lame"}),
    ("a.mp4", {"video": "libx264", "pictures": 5, "audio": "aac"}),
])  # fmt: skip
def test_what_is_too_long_is_told_by_its_packets_in_the_words_of_open_clip(tmp_path, monkeypatch, name, kinds):
    path = write(tmp_path / name, samples=tone(2, rate=kinds.get("rate", 44100)), **kinds)
    monkeypatch.setattr(Limits, "seconds", 1)
    sentence = refused(path)
    for module in (media.audio, video):
        monkeypatch.setattr(module, "decoded", None)  # nothing may be
    with pytest.raises(MediaError) as told:
        opening.check_length(path)
    assert str(told.value) == sentence == f"{name} is longer than 1 s: cut it shorter."
    with pytest.raises(MediaError, match="longer than 1 s"):
        check_length(path)
    monkeypatch.setattr(Limits, "seconds", 2)
    check_length(path)


def test_of_what_packets_do_not_tell_nothing_is_said(tmp_path, monkeypatch):
    stream = write(tmp_path / "a.ts", video="libx264")
    (tmp_path / "text.mp4").write_text("This is not a video.\n" * 100)
    Image.fromarray(CORNERS).save(tmp_path / "a.jpg")
    monkeypatch.setattr(Limits, "seconds", 1)
    for path in (stream, tmp_path / "text.mp4", tmp_path / "a.jpg"):
        check_length(path)
    assert "longer than 1 s" in refused(stream)


def test_sound_is_never_longer_than_the_limit(tmp_path, monkeypatch):
    clip = open_clip(write(tmp_path / "a.mp4", video="libx264", audio="aac", samples=tone(5)))
    monkeypatch.setattr(Limits, "seconds", 3)
    assert len(clip.sound()) == 3 * SAMPLE_RATE


# What the released Crab+ reads from these files: ten frames of each video, and as many samples as mel frames x 160.
@pytest.mark.parametrize("name, total, seconds", [("a", 250, 10), ("b", 180, 12)])
def test_golden_media(name, total, seconds):
    clip = open_clip(GOLDEN / f"{name}.mp4", audio=GOLDEN / f"{name}.mp3")
    truth = decoded(clip.video)
    assert len(truth) == total and clip.duration == seconds
    for n in (4, 10):
        pictures, times = clip.frames(n)
        assert np.array_equal(pictures, np.stack([truth[i] for i in published(total, n)]))
        assert times == pytest.approx(published(total, n) * seconds / total)
    heard = clip.sound()
    assert len(heard) == seconds * SAMPLE_RATE
    with av.open(str(clip.audio)) as container:  # librosa gives the same within 1e-6
        whole = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1).mean(axis=0)
    assert np.abs(heard - whole).max() < 1e-6
    assert np.array_equal(clip.sound(start=3.0, end=4.0), heard[48000:64000])


def test_golden_pictures():
    for name, size in (("a.jpg", (240, 180)), ("odd.jpg", (641, 359))):
        clip = open_clip(GOLDEN / name)
        assert (clip.width, clip.height) == size
        assert np.array_equal(clip.frame_at(7.0), np.asarray(Image.open(GOLDEN / name).convert("RGB")))


@needs_clips
def test_real_clips():
    clip = open_clip(CLIPS / "speech.mp4")
    assert (clip.width, clip.height, clip.fps, clip.duration) == (450, 360, 25.0, 10.0)
    truth = decoded(clip.video)
    assert np.array_equal(clip.frames(10)[0], np.stack([truth[i] for i in published(250, 10)]))
    own, apart = clip.sound()[:160000], open_clip(CLIPS / "speech.mp3").sound()[:160000]
    assert np.corrcoef(own[48:], apart[:-48])[0, 1] > 0.99  # the video's sound begins 3 ms after its picture
    for folder, size in (("lawn_mower", (720, 540)), ("fire_engine", (1280, 720))):
        clip = open_clip(image=CLIPS / folder / "frame.jpg", audio=CLIPS / folder / "audio.wav", frame=2)
        assert (clip.width, clip.height) == size
        assert np.abs(clip.sound()).max() > 0.1


# --- drawn scenes ---


def test_files_of_drawn_scenes_say_so_and_no_others(scene_clip, tmp_path, golden):
    assert media.open_clip(scene_clip).drawn
    assert not media.open_clip(golden / "media" / "a.mp4").drawn
    folder = Path(__file__).parents[1] / "assets" / "examples"
    examples = [path for ending in ("mp4", "wav", "jpg") for path in folder.glob(f"*.{ending}")]
    assert {path.suffix for path in examples} == {".mp4", ".wav", ".jpg"}
    assert all(media.open_clip(path).drawn for path in examples)


def test_a_drawn_picture_with_a_sound_of_ones_own_is_not_drawn(golden):
    examples = Path(__file__).parents[1] / "assets" / "examples"
    [picture], [sound] = examples.glob("*.jpg"), examples.glob("*.wav")
    assert media.open_clip(image=picture, audio=sound).drawn
    assert not media.open_clip(image=picture, audio=golden / "media" / "a.mp4").drawn
    assert not media.open_clip(golden / "media" / "a.mp4", audio=sound).drawn
