"""Hostile videos, sounds and pictures, each made on the spot from clips of a second or two.

`cases()` lists them; nothing is made before `Case.make` is called with a folder. Chance is seeded: a name is a file.
"""

from __future__ import annotations

import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from zlib import crc32

import numpy as np
from PIL import Image, ImageCms

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "assets" / "examples"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from making import clock_clip, remux  # noqa: E402

FILMS = {"mp4": ("libx264", "aac"), "mkv": ("libx264", "flac"), "webm": ("libvpx", "libopus"), "avi": ("mpeg4", "mp2"),
         "ts": ("mpeg2video", "mp2"), "flv": ("flv", "aac")}  # fmt: skip
SOUNDS = {"wav": "pcm_s16le", "flac": "flac", "mp3": "libmp3lame", "ogg": "libopus", "m4a": "aac"}
PICTURES = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "tiff": "TIFF", "bmp": "BMP", "avif": "AVIF"}
LEAVES = 6  # frames of a picture that moves


@dataclass(frozen=True)
class Case:
    """What is handed in, and at which of the doors of `run.py`."""

    name: str
    door: str
    make: Callable[[Path], Any]  # in a folder of its own: a path, or words


# ---- whole files to start from ----


@cache
def whole(kind: str) -> bytes:
    """A good file of a kind: what the others are spoilt from."""
    path = Path(mkdtemp()) / f"whole.{kind}"
    if kind in FILMS:
        video, audio = FILMS[kind]
        clock_clip(path, video=video, audio=audio, seconds=2, rate=44100 if kind == "flv" else 48000)
    elif kind in SOUNDS:
        clock_clip(path, video=None, audio=SOUNDS[kind], seconds=2)
    elif kind in PICTURES:
        Image.open(EXAMPLES / "small" / "evening-1000412.jpg").save(path, PICTURES[kind])
    else:
        first, *others = (Image.new("RGB", (48, 32), (40 * i, 0, 90)) for i in range(LEAVES))
        kind = kind.removeprefix("moving-")
        first.save(path.with_suffix(f".{kind}"), save_all=True, append_images=others, duration=100)
        path = path.with_suffix(f".{kind}")
    data = path.read_bytes()
    path.unlink()
    return data


MOVING = ("moving-gif", "moving-png", "moving-webp")


def ending(kind: str) -> str:
    return kind.removeprefix("moving-")


# ---- ways to spoil one ----


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def flipped(data: bytes, seed: int, rate: float) -> bytes:
    """Some bits turned over, those of the first 64 bytes among them only by chance."""
    rng, spoilt = np.random.default_rng(seed), np.frombuffer(data, np.uint8).copy()
    for at in rng.integers(0, len(spoilt), max(1, int(rate * len(spoilt)))):
        spoilt[at] ^= 1 << int(rng.integers(8))
    return spoilt.tobytes()


def hollow(data: bytes) -> bytes:
    """Its middle third is nought."""
    third = len(data) // 3
    return data[:third] + bytes(third) + data[2 * third :]


def at(place: int, form: str, *values: int) -> Callable[[bytes], bytes]:
    """These numbers written over what stands at `place`."""
    return lambda data: data[:place] + (new := struct.pack(form, *values)) + data[place + len(new) :]


def behind(mark: bytes, form: str, *values: int, skip: int = 0) -> Callable[[bytes], bytes]:
    """The same behind the first `mark`, `skip` bytes on. Fails where there is none: the case would be a whole file."""
    return lambda data: at(data.index(mark) + len(mark) + skip, form, *values)(data)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))


def png(width: int, height: int, *more: bytes, data: bytes = b"\0" * 64) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (chunk(b"IHDR", head), *more, chunk(b"IDAT", zlib.compress(data, 9)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def wav(form: bytes, data: bytes, says: int | None = None) -> bytes:
    said = len(data) if says is None else says
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", said) + data
    return b"RIFF" + struct.pack("<I", min(0xFFFFFFFF, len(body) - len(data) + said)) + body


def pcm(kind: int = 1, channels: int = 1, rate: int = 16000, align: int = 2, bits: int = 16) -> bytes:
    return struct.pack("<HHIIHH", kind, channels, rate, rate * align & 0xFFFFFFFF, align, bits)


def box(kind: bytes, *inside: bytes) -> bytes:
    """A box of an MP4."""
    return struct.pack(">I4s", 8 + sum(map(len, inside)), kind) + b"".join(inside)


def nested(kind: bytes, depth: int) -> bytes:
    made = b""
    for _ in range(depth):
        made = box(kind, made)
    return made


def zipped(name: str, size: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(size))
    return out.getvalue()


# ---- lists of them ----


def spoilt() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Every kind of file, cut, flipped and hollowed."""
    for kind in (*FILMS, *SOUNDS, *PICTURES, *MOVING):
        for share in (0.03, 0.5, 0.98):
            yield f"cut at {share}.{kind}", lambda k=kind, s=share: cut(whole(k), s)
        for seed, rate in ((1, 0.0003), (2, 0.003), (3, 0.03)):
            yield f"flipped {seed}.{kind}", lambda k=kind, s=seed, r=rate: flipped(whole(k), s, r)
        yield f"hollow.{kind}", lambda k=kind: hollow(whole(k))


def misnamed() -> Iterator[tuple[str, Callable[[], bytes]]]:
    for kind, name in (("mp4", "jpg"), ("jpg", "mp4"), ("wav", "png"), ("webm", "txt"), ("png", "wav"), ("ts", "gif"),
                       ("flac", "mp4"), ("moving-gif", "mp3"), ("mkv", "json"), ("mp3", "exe")):  # fmt: skip
        yield f"a {kind} as.{name}", lambda k=kind: whole(k)
    yield "two in one.mp4", lambda: whole("mp4") + whole("mp4")
    yield "two kinds.mp4", lambda: whole("jpg") + whole("mp4")
    yield "tail.png", lambda: whole("png") + b"\0" * 100_000
    for name, data in (("empty.mp4", b""), ("one byte.mp4", b"\0"), ("noughts.mp4", bytes(100_000)),
                       ("elf.mp4", b"\x7fELF" + bytes(5000)), ("gz.mp4", b"\x1f\x8b\x08" + bytes(500)),
                       ("pickle.mp4", b"cos\nsystem\n(S'true'\ntR."), ("chance.avi", flipped(bytes(50_000), 9, 0.5)),
                       ("html.mp4", b"<html><script>alert(1)</script></html>" * 50)):  # fmt: skip
        yield name, lambda d=data: d


def lying() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Headers that promise what is not there, or what nobody could hold."""
    mp4, film = partial(whole, "mp4"), {
        "lasts for ever": behind(b"mvhd", ">II", 1, 0xFFFFFFFF, skip=12), "no timescale": behind(b"mdhd", ">I", 0, skip=12),
        "hasty timescale": behind(b"mdhd", ">I", 0xFFFFFFFF, skip=12), "slow timescale": behind(b"mdhd", ">I", 1, skip=12),
        "wide": behind(b"avc1", ">HH", 0xFFFF, 0xFFFF, skip=24), "no size": behind(b"avc1", ">HH", 0, 0, skip=24),
        "many samples": behind(b"stsz", ">II", 0, 0x7FFFFFFF, skip=4), "large samples": behind(b"stsz", ">I", 0x7FFFFFFF, skip=4),
        "no samples": behind(b"stsz", ">II", 0, 0, skip=4), "samples beyond": behind(b"stco", ">II", 1, 0xFFFFFFF0, skip=4),
        "long ticks": behind(b"stts", ">III", 1, 1, 0x7FFFFFFF, skip=4), "many ticks": behind(b"stts", ">III", 1, 0x7FFFFFFF, 1, skip=4),
        "box of nought": behind(b"moov", ">I", 0), "box beyond": behind(b"moov", ">I", 0x7FFFFFFF),
        "many chunks": behind(b"stsc", ">III", 1, 1, 0x7FFFFFFF, skip=4), "turned oddly": behind(b"tkhd", ">9I", *range(9), skip=40),
        "no description": behind(b"stsd", ">I", 0, skip=4), "many descriptions": behind(b"stsd", ">I", 0x7FFFFFFF, skip=4),
    }  # fmt: skip
    for name, change in film.items():
        yield f"{name}.mp4", lambda c=change: c(mp4())
    yield "nested.mp4", lambda: box(b"ftyp", b"isom\0\0\2\0isom") + nested(b"moov", 20_000)
    yield "a box of 2^63.mp4", lambda: box(b"ftyp", b"isom\0\0\2\0isom") + struct.pack(">I4sQ", 1, b"moov", 1 << 63)
    yield "no moov.mp4", lambda: box(b"ftyp", b"isom\0\0\2\0isom") + box(b"mdat", bytes(5000))
    sounds = {
        "no channels": (pcm(channels=0), None), "65535 channels": (pcm(channels=65535, align=65534), None),
        "no rate": (pcm(rate=0), None), "4 GHz": (pcm(rate=0xFFFFFFFF), None), "one a second": (pcm(rate=1), None),
        "no bits": (pcm(bits=0), None), "255 bits": (pcm(bits=255), None), "no alignment": (pcm(align=0), None),
        "4 GB": (pcm(), 0xFFFFFFFF), "unknown code": (pcm(kind=0x4242), None), "half a form": (pcm()[:7], None),
        "no data": (pcm(), 0),
    }  # fmt: skip
    for name, (form, says) in sounds.items():
        yield f"{name}.wav", lambda f=form, s=says: wav(f, bytes(32_000), s)
    floats = {"not numbers": np.nan, "infinite": np.inf, "loud": 1e30}
    for name, value in floats.items():
        yield f"{name}.wav", lambda v=value: wav(pcm(3, align=4, bits=32), np.full(8000, v, "<f4").tobytes())
    for width, height in ((0, 0), (0xFFFF_FFFF, 0xFFFF_FFFF), (0x7FFF_FFFF, 1), (60_000, 60_000), (1, 30_000_000)):
        yield f"{width} x {height}.png", lambda w=width, h=height: png(w, h)
    yield "65535 x 65535.jpg", lambda: behind(b"\xff\xc0", ">HH", 0xFFFF, 0xFFFF, skip=3)(whole("jpg"))
    yield "no size.jpg", lambda: behind(b"\xff\xc0", ">HH", 0, 0, skip=3)(whole("jpg"))
    yield "65535 x 65535.gif", lambda: at(6, "<HH", 0xFFFF, 0xFFFF)(whole("moving-gif"))
    yield "no size.gif", lambda: at(6, "<HH", 0, 0)(whole("moving-gif"))
    yield "large.bmp", lambda: at(18, "<ii", 0x7FFF_FFFF, 0x7FFF_FFFF)(whole("bmp"))
    yield "upside down.bmp", lambda: at(18, "<ii", 10, -0x7FFF_FFFF)(whole("bmp"))
    yield "in a ring.tiff", ring
    yield "many entries.tiff", lambda: b"II*\0\x08\0\0\0\xff\xff" + bytes(2000)
    yield "of 16383 x 16383.webp", lambda: b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f" + b"\xff\xff\xff\x0f" + bytes(12)
    yield "size unknown.mkv", lambda: b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" * 2000
    yield "no pictures.avi", lambda: cut(whole("avi"), 0.3)[:2048]
    yield "no streams.flv", lambda: b"FLV\x01\x05\0\0\0\x09\0\0\0\0"
    yield "headers only.ts", lambda: (b"\x47\x40\0\x10" + bytes(184)) * 500


def ring() -> bytes:
    """A TIFF whose only directory names itself as the next."""
    entry = struct.pack("<HHII", 256, 4, 1, 16)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + struct.pack("<I", 8)


def bombs() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Small files of much."""
    note = b"note\0\0" + zlib.compress(bytes(70_000_000), 9)
    yield "notes.png", lambda: png(8, 8, *[chunk(b"zTXt", note)] * 40, data=bytes(8 * 25))
    yield (
        "profile.png",
        lambda: png(8, 8, chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(200_000_000), 9)), data=bytes(200)),
    )
    yield "35 million pixels.png", lambda: saved_as("PNG", (7000, 5000))
    yield "36 million pixels.png", lambda: saved_as("PNG", (8200, 4400))
    yield "too many pixels.webp", lambda: saved_as("WEBP", (16383, 2200))
    yield "black.gif", lambda: saved_as("GIF", (9000, 4000))
    yield "many leaves.gif", lambda: leaves(3000, 1)
    yield "large leaves.gif", lambda: leaves(12, 2500)
    yield "for ever.gif", lambda: leaves(40, 8, duration=655_350)
    yield "a zip.mp4", lambda: zipped("clip.mp4", 500_000_000)
    yield "a zip in a jpeg.jpg", lambda: whole("jpg") + zipped("clip.mp4", 100_000_000)
    yield "silence.flac", partial(coded, "flac", 601)
    yield "a long tone.mp3", partial(coded, "libmp3lame", 700)
    yield "four thousand pixels.mp4", large_film


def saved_as(format: str, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("L", size).save(out, format)
    return out.getvalue()


def leaves(count: int, side: int, duration: int = 20) -> bytes:
    out = io.BytesIO()
    first, *others = (Image.new("P", (side, side), i % 250) for i in range(count))
    first.save(out, "GIF", save_all=True, append_images=others, duration=duration, optimize=False)
    return out.getvalue()


def coded(codec: str, seconds: int) -> bytes:
    """Silence, a second at a time."""
    import av

    path = Path(mkdtemp()) / f"long.{'mp3' if codec == 'libmp3lame' else codec}"
    with av.open(str(path), "w") as out:
        track = out.add_stream(codec, rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        convert = av.AudioResampler(track.format.name, "mono", 8000, track.codec_context.frame_size or 1024)
        for second in range(seconds):
            frame.pts = 8000 * second
            for block in convert.resample(frame):
                out.mux(track.encode(block))
        out.mux(track.encode(None))
    return path.read_bytes()


def large_film() -> bytes:
    """Frames just within the limit, of one colour."""
    import av

    path = Path(mkdtemp()) / "large.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=2, options={"preset": "ultrafast", "threads": "2"})
        stream.width, stream.height, stream.pix_fmt = 8192, 4320, "yuv420p"
        frame = av.VideoFrame(8192, 4320, "yuv420p")
        for i in range(3):
            frame.pts = i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path.read_bytes()


CLOCKS: dict[str, Callable[[Any, int], object]] = {
    "a leap of a day": lambda packet, n: later(packet, 86_400.0) if n > 20 else None,
    "in a far year": lambda packet, n: later(packet, 1e8),
    "before nought": lambda packet, n: later(packet, -40.0),
    "every other gone": lambda packet, n: n % 2 == 0,
    "no key frame": lambda packet, n: not packet.is_keyframe or n > 30,
    "a hole": lambda packet, n: not 10 < n < 90,
}


def later(packet: Any, seconds: float) -> None:
    ticks = round(seconds / packet.time_base)
    packet.pts, packet.dts = (None if time is None else time + ticks for time in (packet.pts, packet.dts))


def clocks() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Films whose packets are dated oddly, lost or in another order."""
    for kind in ("mp4", "ts", "mkv"):
        for name in CLOCKS:
            yield f"{name}.{kind}", partial(dated, kind, name)
    for kind in ("ts", "flv", "mkv", "mp3", "ogg"):
        yield f"twice.{kind}", lambda k=kind: whole(k) * 2
    yield "halves swapped.ts", lambda: b"".join(in_pieces(2)[::-1])
    yield "shuffled.ts", lambda: b"".join(in_pieces(9)[n] for n in np.random.default_rng(3).permutation(9))
    yield "by chance.flv", lambda: stamped(lambda n, rng: int(rng.integers(1 << 24)))
    yield "backwards.flv", lambda: stamped(lambda n, rng: max(0, 2000 - 40 * n))
    yield "back and forth.flv", lambda: stamped(lambda n, rng: 50_000 * (n % 2))
    yield "standing still.flv", lambda: stamped(lambda n, rng: 0)


def dated(kind: str, name: str) -> bytes:
    folder = Path(mkdtemp())
    (folder / f"whole.{kind}").write_bytes(whole(kind))
    count = iter(range(1_000_000))
    made = remux(
        folder / f"whole.{kind}", folder / f"made.{kind}", lambda packet: CLOCKS[name](packet, next(count)),
        mux={"avoid_negative_ts": "disabled"},
    )  # fmt: skip
    return made.read_bytes()


def in_pieces(count: int) -> list[bytes]:
    """A transport stream cut between its packets of 188 bytes."""
    data, step = whole("ts"), 188 * (len(whole("ts")) // 188 // count + 1)
    return [data[n : n + step] for n in range(0, len(data), step)]


def stamped(stamp: Callable[[int, np.random.Generator], int]) -> bytes:
    """An FLV whose tags have these milliseconds."""
    data, place, rng = bytearray(whole("flv")), 13, np.random.default_rng(4)
    for n in range(1_000_000):
        if place + 11 > len(data):
            return bytes(data)
        data[place + 4 : place + 7] = stamp(n, rng).to_bytes(3, "big")
        place += 15 + int.from_bytes(data[place + 1 : place + 4], "big")
    raise AssertionError("no end")


PLAYLISTS = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{there}\n#EXT-X-ENDLIST\n",
    "m3u": "#EXTM3U\n#EXTINF:9,a\n{there}\n", "pls": "[playlist]\nFile1={there}\nNumberOfEntries=1\n",
    "ffconcat": "ffconcat version 1.0\nfile '{there}'\n", "concat.mp4": "ffconcat version 1.0\nfile {there}\nduration 9\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet '
           'mimeType="video/mp4"><Representation id="1" bandwidth="9"><BaseURL>{there}</BaseURL></Representation>'
           "</AdaptationSet></Period></MPD>",
    "asx": '<asx version="3.0"><entry><ref href="{there}"/></entry></asx>',
    "ram": "{there}\n", "url": "[InternetShortcut]\nURL={there}\n", "edl": "# mpv EDL v0\n{there},0,9\n",
    "cue": 'FILE "{there}" WAVE\n TRACK 01 AUDIO\n  INDEX 01 00:00:00\n',
    "smil": '<smil><body><video src="{there}"/></body></smil>',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{there}" width="9" height="9"/></svg>',
    "m3u8.mp4": "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"{there}\"\n#EXTINF:9,\n{there}\n#EXT-X-ENDLIST\n",
}  # fmt: skip
"""What would have another file or address opened. `{there}` is a good clip, or an address that nobody may ask."""


def playlist(folder: Path, name: str, there: str) -> Path:
    secret = folder / "secret.mp4"
    secret.write_bytes(whole("mp4"))
    path = folder / f"list.{name}"
    there = str(secret) if there == "file" else f"{listener[0]}/a.mp4"
    path.write_text(PLAYLISTS[name].replace("{there}", there), encoding="utf-8")
    return path


listener = ["http://127.0.0.1:9"]  # where `run.py` counts who asks
ADDRESSES = (
    "http://127.0.0.1:9/a.mp4", "file:///etc/hostname", "concat:/etc/hostname|/etc/passwd", "data:video/mp4;base64,AAAA",
    "subfile,,start,0,end,9,,:/etc/hostname", "crypto:/etc/hostname", "pipe:0", "fd:0", "tcp://127.0.0.1:9", "rtp://127.0.0.1:9",
    "lavfi:testsrc", "/dev/zero", "/dev/stdin", "/proc/self/mem", "/proc/self/environ", "..", "/", "", ".", "\0", "a\0b.mp4", "~",
    "-i", "--help", "%s%n", "CON", "a" * 100_000, "a/" * 50_000, "\ud800.mp4", "犬" * 300, "../" * 2000 + "etc/hostname",
)  # fmt: skip
"""Names that are given in a file's place."""

NAMES = ("-i.mp4", "concat:a|b.mp4", "http:a.mp4", "a%s%n.mp4", "a\nb.mp4", "<b onload=alert(1)>.mp4", "a'\";--.mp4",
         "ends in dots...", "\u202e4pm.exe", "é" * 120)  # fmt: skip
"""Names of a good clip."""


def written(name: str, make: Callable[[], bytes], folder: Path) -> Path:
    stem, _, kind = name.rpartition(".")
    path = folder / f"{stem}.{ending(kind)}"
    path.write_bytes(make())
    return path


def linked(folder: Path, target: str) -> Path:
    (folder / "link.mp4").symlink_to(target)
    return folder / "link.mp4"


def cases() -> Iterator[Case]:
    for maker in (spoilt, misnamed, lying, bombs, clocks):
        for name, make in maker():
            yield Case(f"{maker.__name__}: {name}", "media", partial(written, name, make))
    for name in PLAYLISTS:
        for there in ("file", "address"):
            yield Case(f"reaching: {name} for {there}", "closed", partial(playlist, name=name, there=there))
    for address in ADDRESSES:
        yield Case(f"address: {address[:30]!a}", "closed", lambda folder, a=address: a)
    for target in ("/etc/passwd", "/dev/zero", "link.mp4", "nowhere"):
        yield Case(f"link to {target}", "closed", partial(linked, target=target))
    for name in NAMES:
        yield Case(f"name: {name[:30]!a}", "media", lambda folder, n=name: named(folder / n))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield Case("a moving picture with a profile", "media", lambda folder: profiled(folder / "moving.png", profile))


def named(path: Path) -> Path:
    path.write_bytes(whole("mp4"))
    return path


def profiled(path: Path, profile: bytes) -> Path:
    first, *others = (Image.new("RGB", (64, 64), (40 * i, 0, 0)) for i in range(5))
    first.save(path, save_all=True, append_images=others, duration=100, icc_profile=profile)
    return path
