"""Each file has one clock: pictures, sound and length are counted from one zero, the one that its player shows.

Most clips here are clock clips (`making`): frame i shows its number and belongs to second i / 25, burst k sounds at
second k. So what is read at a time says whether it belongs there.
"""

import struct

import av
import numpy as np
import pytest
from making import FPS, bursts, clock_clip, moved, number, numbered, plainly, remux, ticking

from crab.media import SAMPLE_RATE, Clip, Limits, MediaError, open_clip, video
from crab.media.joins import Sent, shifts


def seen(clip, n=40):
    """Number of a frame -> when it is shown."""
    pictures, times = clip.frames(n)
    return {number(picture): time for picture, time in zip(pictures, times, strict=True)}


def behind(shown):
    """How many seconds after their own a clip's frames (number -> time) are shown, each the same."""
    late = [time - index / FPS for index, time in shown.items()]
    assert np.ptp(late) < 0.003  # milliseconds in Matroska and FLV are rounded
    return np.median(late)


def late(heard):
    """The same for bursts (number -> second)."""
    return np.median([second - burst for burst, second in heard.items()])


def agrees(clip):
    """All that is asked of a clip is told by one clock; how many seconds after its own times it plays."""
    shown = seen(clip)
    delay = behind(shown)
    assert late(bursts(clip.sound())) == pytest.approx(delay, abs=0.03)
    first, last = min(shown), max(shown)
    for index in (first, (first + last) // 2, last):
        assert number(clip.frame_at(index / FPS + delay + 0.5 / FPS)) == index
    middle = (first + last) // 2 / FPS + delay
    pictures, times = clip.frames(10, start=middle - 0.001, end=middle + 0.999)
    assert [number(picture) for picture in pictures] == np.rint((times - delay) * FPS).astype(int).tolist()
    assert middle - 0.001 <= times[0] and times[-1] < middle + 0.999
    assert clip.duration == pytest.approx((last + 1) / FPS + delay, abs=0.15)
    assert clip.fps == pytest.approx(FPS, rel=0.01)
    return delay


KINDS = [  # suffix, codecs of picture and sound, options
    ("mp4", "libx264", "aac", {"bf": "2"}),
    ("mov", "libx264", "pcm_s16le", {"bf": "2"}),
    ("mkv", "libx264", "libopus", {"bf": "2"}),
    ("webm", "libvpx-vp9", "libopus", {"deadline": "realtime", "cpu-used": "8"}),
    ("ts", "libx264", "aac", {"bf": "2"}),
    ("mpg", "mpeg2video", "mp2", {"bf": "2", "b": "2M"}),
    ("flv", "libx264", "aac", {"bf": "2"}),
]
kinds = pytest.mark.parametrize("suffix, codec, audio, options", KINDS, ids=[kind[0] for kind in KINDS])


@kinds
@pytest.mark.parametrize("pictures_from, sound_from", [(0, 0), (1.2, 0), (0, 1.2)])
def test_picture_and_sound_may_begin_at_different_times(
    tmp_path, suffix, codec, audio, options, pictures_from, sound_from
):
    path = clock_clip(
        tmp_path / f"a.{suffix}",
        video=codec,
        audio=audio,
        options=options,
        pictures_from=pictures_from,
        sound_from=sound_from,
    )
    clip = open_clip(path)
    shown, heard = seen(clip), bursts(clip.sound())
    assert list(shown)[0] == 0 and list(heard) == list(range(6))
    assert behind(shown) == pytest.approx(pictures_from, abs=0.045)  # sound's start-up may come first
    assert late(heard) - behind(shown) == pytest.approx(sound_from - pictures_from, abs=0.03)
    track = bursts(clip.track(SAMPLE_RATE)[:, 0] / 32768)
    assert track == {burst: pytest.approx(second, abs=0.01) for burst, second in heard.items()}
    assert number(clip.frame_at(0.0)) == 0
    assert clip.duration == pytest.approx(6 + max(pictures_from, sound_from), abs=0.1)
    assert clip.fps == pytest.approx(FPS)
    window = bursts(clip.sound(start=2.5, end=4.4))
    assert all(second + 2.5 == pytest.approx(heard[burst], abs=0.03) for burst, second in window.items()) and window


@pytest.mark.parametrize("suffix, codec", [("mp4", "libx264"), ("mkv", "libx264"), ("webm", "libvpx")])
def test_the_clock_is_the_players(tmp_path, suffix, codec):
    """Chromium shows these times (`requestVideoFrameCallback`, mediaTime), also where nothing comes before."""
    clip = open_clip(clock_clip(tmp_path / f"a.{suffix}", video=codec, audio=None, pictures_from=1.48))
    first = 1.52 if codec == "libx264" else 1.48  # the writer adds what it takes to reorder pictures
    assert clip.frames(2)[1][0] == pytest.approx(first, abs=0.045)
    assert clip.duration == pytest.approx(6 + first, abs=0.045)
    assert number(clip.frame_at(2.0)) == int((2.0 - clip.frames(2)[1][0]) * FPS + 1e-6)


def test_a_broadcast_begins_with_what_comes_first(tmp_path):
    path = clock_clip(tmp_path / "a.ts", pictures_from=0.6)
    later = remux(path, tmp_path / "b.ts", lambda packet: moved(packet, 5000))
    for clip in (open_clip(path), open_clip(later)):
        assert late(bursts(clip.sound())) == pytest.approx(0.02, abs=0.01)  # the sound's start-up comes first
        assert behind(seen(clip)) == pytest.approx(0.62, abs=0.045) and clip.duration == pytest.approx(6.62, abs=0.045)


@kinds
def test_a_recording_that_begins_between_key_frames(tmp_path, suffix, codec, audio, options):
    """Cut at 1.1 s: the next key frame is frame 32, but the sound is on at once, and so is the player's clock."""
    whole = clock_clip(tmp_path / f"a.{suffix}", video=codec, audio=audio, options=options | {"sc_threshold": "0"})

    def cut(packet):
        if packet.pts * packet.time_base < 1.1:
            return False
        packet.dts = packet.pts if packet.dts is None else packet.dts
        moved(packet, -1.1)

    with av.open(str(whole)) as container:
        start = container.start_time / 1e6
    if start > 0.1:  # program streams begin at half a second
        moved_cut, cut = cut, lambda packet: moved(packet, -start + 0.02) or moved_cut(packet)
    clip = open_clip(remux(whole, tmp_path / f"b.{suffix}", cut))
    assert video.listed(clip.video) is None  # what is packed is not what can be seen
    shown = seen(clip)
    assert 16 <= min(shown) <= 33 and max(shown) == 149
    assert agrees(clip) == pytest.approx(-1.1, abs=0.2 if suffix != "mpg" else 0.7)
    truth = plainly(clip.video)
    at = np.rint(np.linspace(0, len(truth) - 1, 40)).astype(int)
    assert np.array_equal(clip.frames(40)[0], np.stack([truth[i] for i in at]))


def joined(tmp_path, suffix, codec, audio, by, options=None):
    """Two recordings of six seconds in one file; the second's clock begins `by` seconds after the first's."""
    one = clock_clip(tmp_path / f"a.{suffix}", video=codec, audio=audio, options=options)
    other = remux(one, tmp_path / f"b.{suffix}", lambda packet: moved(packet, by + 10))
    both = tmp_path / f"both.{suffix}"
    one = remux(one, tmp_path / f"c.{suffix}", lambda packet: moved(packet, 10))
    both.write_bytes(one.read_bytes() + other.read_bytes())
    return both


@pytest.mark.parametrize("by", [1000, 17, 0, -4])
@pytest.mark.parametrize(
    "suffix, codec, audio", [("ts", "libx264", "aac"), ("ts", "mpeg2video", "mp2"), ("mpg", "mpeg2video", "mp2")]
)
def test_recordings_joined_in_one_file_play_on(tmp_path, suffix, codec, audio, by):
    clip = open_clip(joined(tmp_path, suffix, codec, audio, by, {"bf": "2"}))
    assert clip.duration == pytest.approx(12.05, abs=0.1)
    pictures, times = clip.frames(300)
    assert np.all(np.diff(times) > 0)
    numbers = [number(picture) for picture in pictures]
    again = numbers.index(0, 100)  # where the second recording begins
    heard = clip.sound()
    for part, start in ((slice(0, again), 0.0), (slice(again, None), times[again] - 0.2)):
        shown = behind(dict(zip(numbers[part], times[part], strict=True)))
        sounding = bursts(heard[round(start * SAMPLE_RATE) : round((start + 5.5) * SAMPLE_RATE)])
        assert len(sounding) >= 5 and late(sounding) + start == pytest.approx(shown, abs=0.03)
    window = bursts(clip.sound(start=times[again] + 1.5, end=times[again] + 3.5))
    assert {burst: round(second, 1) for burst, second in window.items()} == {2: 0.5, 3: 1.5}
    assert number(clip.frame_at(times[again] + 2.02)) == 50


def test_what_a_broadcast_lost_is_missing(tmp_path):
    """A step of less than ten seconds is no other clock: reception failed, and the player waits."""
    clip = open_clip(joined(tmp_path, "ts", "libx264", "aac", 11))
    assert clip.duration == pytest.approx(17.02, abs=0.05)
    assert number(clip.frame_at(9.0)) == 149 and number(clip.frame_at(13.04)) == 50
    assert bursts(clip.sound(start=8.0, end=14.4)) == pytest.approx({0: 3.02, 1: 4.02, 2: 5.02, 3: 6.02}, abs=0.03)


def test_a_clock_of_33_bits_may_start_again(tmp_path):
    path = clock_clip(tmp_path / "a.ts")
    wrapped = remux(path, tmp_path / "b.ts", lambda packet: moved(packet, 2**33 / 90000 - 3))
    assert agrees(open_clip(wrapped)) == pytest.approx(agrees(open_clip(path)), abs=1e-3)


def packets(*parts, tracks=(0, 1)):
    """Packets of 0.1 s for every (begin, end) in turn, picture and sound together."""
    times = [time for begin, end in parts for time in np.arange(begin, end - 1e-9, 0.1)]
    return [Sent(track, time, time + 0.2 * (track == 0), 0.1) for time in times for track in tracks]


def test_one_wrong_time_is_no_other_clock():
    sent = packets((0, 5))
    wrong = [*sent[:40], Sent(0, 900.0, 900.2, 0.1), *sent[41:]]
    added = shifts(wrong)
    assert added[40] == pytest.approx(sent[40].decoded - 900) and np.count_nonzero(added) == 1


def test_sound_that_pauses_is_no_other_clock():
    sent = [packet for packet in packets((0, 40)) if packet.track == 0 or not 5 < packet.decoded < 25]
    assert not shifts(sent).any()
    alone = [packet for packet in sent if packet.track == 1]
    assert shifts(alone)[-1] == pytest.approx(-19.9, abs=0.11)  # with nothing in between, it is


def test_parts_of_a_recording_may_lack_a_track():
    for lacking in (0, 1):
        middle = packets((500, 505), tracks=(1 - lacking,))
        added = shifts([*packets((0, 5)), *middle, *packets((100, 105))])
        assert added[:100] == pytest.approx(0)
        assert added[100:150] == pytest.approx(-494.9, abs=0.21)
        assert np.ptp(added[150:]) == 0 and added[-1] == pytest.approx(-89.9, abs=0.41)


def test_the_last_of_one_part_may_follow_the_first_of_the_next():
    """Sound is packed in larger pieces: its last 0.6 s come behind the first pictures of what was joined."""
    one, two = packets((0, 5)), packets((1000, 1005))
    rest = [Sent(1, 5 + i / 10, 5 + i / 10, 0.1) for i in range(6)]
    mixed = [*one, two[0], two[2], *rest, two[1], *two[3:]]
    added = shifts(mixed)
    new = np.array([packet.decoded >= 1000 for packet in mixed])
    assert not added[~new].any() and np.ptp(added[new]) == 0 and added[new][0] == pytest.approx(5.6 - 1000)


def test_a_part_begins_when_all_of_the_one_before_is_over():
    """Also a track that ends there: its sound goes on for three seconds after the picture."""
    one = [*packets((0, 5)), *packets((5, 8), tracks=(1,))]
    added = shifts([*one, *packets((1000, 1005), tracks=(0,))])
    assert added[-1] == pytest.approx(8 - 1000.2)


# ------------------------------------------------------------------------------------------------------------ sound


@pytest.mark.parametrize("suffix, audio", [("webm", "libopus"), ("mp4", "aac"), ("mka", "flac"), ("m4a", "aac")])
def test_sound_with_a_gap_lasts_as_long_as_it_plays(tmp_path, suffix, audio):
    whole = clock_clip(tmp_path / f"a.{suffix}", video=None, audio=audio, seconds=10)
    clip = open_clip(remux(whole, tmp_path / f"b.{suffix}", lambda p: not 2.7 < p.pts * p.time_base < 5.7))
    assert clip.duration == pytest.approx(10, abs=0.05)
    assert len(clip.sound()) == pytest.approx(10 * SAMPLE_RATE, abs=0.05 * SAMPLE_RATE)
    heard = bursts(clip.sound())
    assert list(heard) == [0, 1, 2, 6, 7, 8, 9] and list(heard.values()) == pytest.approx(list(heard), abs=0.03)
    assert bursts(clip.sound(start=5.5, end=7.5)) == pytest.approx({6: 0.5, 7: 1.5}, abs=0.03)


@pytest.mark.parametrize(
    "suffix, audio, rates",
    [
        ("aac", "aac", (48000, 24000)),
        ("aac", "aac", (24000, 48000)),
        ("ts", "mp2", (48000, 32000)),
        ("mp3", "libmp3lame", (44100, 48000)),
    ],
)
def test_sound_may_change_its_rate_on_the_way(tmp_path, suffix, audio, rates):
    mux = {"write_xing": "0", "id3v2_version": "0"} if suffix == "mp3" else None
    parts = [
        clock_clip(tmp_path / f"{rate}.{suffix}", video=None, audio=audio, seconds=3, rate=rate, mux=mux)
        for rate in rates
    ]
    if suffix == "ts":
        parts[1] = remux(parts[1], tmp_path / "b.ts", lambda packet: moved(packet, 3))
    path = tmp_path / f"both.{suffix}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    clip = open_clip(path)
    assert clip.duration == pytest.approx(6, abs=0.15)
    assert len(clip.sound()) == pytest.approx(clip.duration * SAMPLE_RATE, abs=0.01 * SAMPLE_RATE)
    first, second = bursts(clip.sound(end=2.9)), bursts(clip.sound(start=2.9))
    assert late(first) == pytest.approx(0.03, abs=0.05) and late(second) == pytest.approx(0.13, abs=0.1)


def wav(path, samples, rate, *, channels=1):
    """A WAV file of 32-bit floats that says `rate`."""
    data = np.asarray(samples, "<f4").tobytes()
    head = struct.pack("<IHHIIHH", 16, 3, channels, rate, rate * 4 * channels % 2**32, 4 * channels, 32)
    content = b"WAVEfmt " + head + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(content)) + content)
    return path


@pytest.mark.parametrize("rate", [1, 999, 768_001, 100_000_000])
def test_a_rate_of_samples_that_nothing_has_is_refused(tmp_path, rate):
    with pytest.raises(MediaError, match=f"a.wav has {rate} samples a second: save it with 1 to 768 kHz."):
        open_clip(wav(tmp_path / "a.wav", ticking(3, 16000), rate))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -2e4])
@pytest.mark.parametrize("at", [0, 30000])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_values_that_are_no_sound_are_refused(tmp_path, value, at, channels):
    samples = np.repeat(ticking(3, 16000)[0], channels)
    samples[at * channels] = value
    with pytest.raises(MediaError, match="^a.wav holds .*no sound .*: save it as WAV or MP3 and try again.$"):
        open_clip(wav(tmp_path / "a.wav", samples, 16000, channels=channels))


def test_values_that_are_no_sound_reach_no_model(tmp_path):
    """Not every block can be looked at before; what is handed on is."""
    path = wav(tmp_path / "a.wav", np.full(16000, np.nan), 16000)
    with pytest.raises(MediaError, match="a.wav holds"):
        Clip("a.wav", audio=path, duration=1.0).sound()


def test_a_video_whose_sound_cannot_be_decoded_is_silent(tmp_path):
    """Its clock goes on as the file says, though nothing is heard."""
    path = clock_clip(tmp_path / "a.mkv", audio="flac", pictures_from=0.4)

    def spoil(packet):
        if packet.stream.type == "audio":
            spoilt = av.Packet(b"\x00" * packet.size)
            spoilt.pts, spoilt.dts, spoilt.time_base = packet.pts, packet.dts, packet.time_base
            return spoilt

    clip = open_clip(remux(path, tmp_path / "b.mkv", spoil))
    assert clip.audio is None and clip.sound().shape == (0,)
    assert behind(seen(clip)) == pytest.approx(behind(seen(open_clip(path))))


def test_loud_sound_is_sound(tmp_path):
    clip = open_clip(wav(tmp_path / "a.wav", 9000 * ticking(3, 16000), 16000))
    assert np.abs(clip.sound()).max() == pytest.approx(4500, rel=0.01)


# ----------------------------------------------------------------------------------------------------------- tracks


def two_tracks(path, *, pictures=False, marked=None, mux=None):
    """A file with a black or silent track first and then one that has something; `marked`: stream -> disposition."""
    with av.open(str(path), "w", options=mux or {}) as out:
        tracks = []
        for i in range(2):
            if pictures:
                stream = out.add_stream("libx264", rate=FPS)
                stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            else:
                stream = out.add_stream("aac", rate=48000, layout="mono")
            stream.disposition = (marked or {}).get(i, av.stream.Disposition(0))
            tracks.append(stream)
        for i, stream in enumerate(tracks):
            if pictures:
                for index in range(50):
                    frame = av.VideoFrame.from_ndarray(numbered(index * i), format="rgb24").reformat(format="yuv420p")
                    frame.pts = index
                    out.mux(stream.encode(frame))
            else:
                frame = av.AudioFrame.from_ndarray(ticking(2, 48000) * i, format="fltp", layout="mono")
                frame.sample_rate = 48000
                for block in av.AudioResampler("fltp", "mono", 48000, 1024).resample(frame):
                    out.mux(stream.encode(block))
            out.mux(stream.encode(None))
    return path


DEFAULT, COMMENT = av.stream.Disposition.default, av.stream.Disposition.comment
FOR_FEW = [COMMENT, av.stream.Disposition.visual_impaired, av.stream.Disposition.hearing_impaired]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("pictures", [True, False])
@pytest.mark.parametrize(
    "marked, second",
    [({1: DEFAULT}, True), ({0: DEFAULT}, False), ({}, False), ({0: DEFAULT, 1: DEFAULT}, False)],
    ids=["second", "first", "none", "both"],
)
def test_the_default_track_is_taken(tmp_path, suffix, pictures, marked, second):
    mux = {"default_mode": "passthrough"} if suffix == "mkv" else None
    path = two_tracks(tmp_path / f"a.{suffix}", pictures=pictures, marked=marked, mux=mux)
    with av.open(str(path)) as container:
        defaults = [bool(stream.disposition & DEFAULT) for stream in container.streams]
    if marked == {} and defaults[0] != defaults[1]:
        pytest.skip("this container marks one")
    clip = open_clip(path)
    assert (number(clip.frame_at(1.0)) == 25 if pictures else bool(bursts(clip.sound()))) == second


@pytest.mark.parametrize("few", FOR_FEW)
def test_a_track_for_a_few_is_not_taken_before_one_for_all(tmp_path, few):
    path = two_tracks(tmp_path / "a.mkv", marked={0: few}, mux={"default_mode": "passthrough"})
    assert bursts(open_clip(path).sound())
    path = two_tracks(tmp_path / "b.mkv", marked={0: few | DEFAULT}, mux={"default_mode": "passthrough"})
    assert not bursts(open_clip(path).sound())  # the file says so


# ------------------------------------------------------------------------------------------------------- key frames


def moving(path, codec, options, pix_fmt="yuv420p"):
    """A hundred frames of a pattern that moves, which no frame shows that is decoded without the ones before."""
    pattern = np.kron(np.random.default_rng(0).integers(0, 255, (20, 30, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pix_fmt
        for i in range(100):
            picture = np.ascontiguousarray(np.roll(pattern, (i // 2, i), (0, 1))[:64, :96])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
            frame.pts = i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


LIARS = [
    ("mp4", "mpeg4", {"g": "12", "bf": "2", "b": "2M"}, "yuv420p"),
    ("mkv", "mpeg4", {"g": "12", "b": "2M"}, "yuv420p"),
    ("mp4", "libx264", {"g": "30", "bf": "3"}, "yuv420p"),
    ("mkv", "libx264", {"x264-params": "intra-refresh=1:keyint=20:ref=3:log-level=none"}, "yuv420p"),
    ("mkv", "libx264", {"x264-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3:log-level=none"}, "yuv420p"),
    ("mp4", "libx265", {"x265-params": "keyint=12:open-gop=1:bframes=3:log-level=none"}, "yuv420p"),
    ("webm", "libvpx", {"g": "20", "deadline": "realtime", "b": "1M"}, "yuv420p"),
    ("webm", "libvpx-vp9", {"g": "20", "deadline": "realtime", "cpu-used": "8"}, "yuv420p"),
    ("mkv", "mpeg2video", {"g": "12", "bf": "2", "b": "3M"}, "yuv420p"),
    ("mov", "qtrle", {"g": "12"}, "rgb24"),
]


@pytest.mark.parametrize("suffix, codec, options, pix_fmt", LIARS, ids=[f"{one[1]}.{one[0]}" for one in LIARS])
@pytest.mark.parametrize("marked", ["all", "wrong"])
def test_key_frames_that_are_none_are_not_believed(tmp_path, suffix, codec, options, pix_fmt, marked):
    source = moving(tmp_path / f"a.{suffix}", codec, options, pix_fmt)
    count = 0

    def mark(packet):
        nonlocal count
        packet.is_keyframe = marked == "all" or count % 7 == 0
        count += 1

    if codec == "qtrle" and marked == "wrong":
        pytest.skip("its decoder tells no key frame from another frame")
    path = remux(source, tmp_path / f"b.{suffix}", mark)
    clip, truth = open_clip(path), plainly(path)
    assert len(truth) == 100
    for n in (1, 7, 100):
        at = np.rint(np.linspace(0, 99, n)).astype(int)
        assert np.array_equal(clip.frames(n)[0], np.stack([truth[i] for i in at]))
    begins = clip.frames(100)[1]
    for i in (3, 14, 50, 77, 99):
        assert np.array_equal(clip.frame_at(begins[i] + 0.01), truth[i])


# ---------------------------------------------------------------------------------------------------------- bounds


def test_frames_are_counted_and_not_made_where_a_file_says_millions_a_second():
    clip = Clip("a.mp4", duration=295.0, fps=4_194_304.0)
    times = np.zeros(1)
    assert video._begun(clip, times, 295.0, until_the_end=True) == pytest.approx(295 * 4_194_304, abs=10)
    assert video._begun(clip, times, 295.0, until_the_end=False) == 1


def test_frames_on_show_until_the_sound_is_over_are_counted_as_if_they_were_there():
    clip = Clip("a.mp4", duration=4.0, fps=10.0)
    times = np.arange(10) / 10 + 0.3
    held = np.concatenate([times, 0.3 + np.arange(10, 37) / 10])
    for time in np.linspace(-1, 5, 97):
        assert video._begun(clip, times, time, until_the_end=True) == (held < time - 1e-6).sum()


def test_a_clock_far_from_zero_is_another_recordings(tmp_path):
    path = clock_clip(tmp_path / "a.webm", video="libvpx", audio="libopus", pictures_from=3000, sound_from=3000)
    assert agrees(open_clip(path)) == pytest.approx(0, abs=0.03)
    assert Limits.seconds < 3000
