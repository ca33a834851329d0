"""Pictures, still and moving: what is odd beside the pixels never decides whether a file opens."""

import io
import struct
import zlib

import av
import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from crab.media import Limits, MediaError, open_clip

GREYS = np.kron(np.array([[66, 138], [59, 209]], np.uint8), np.ones((24, 32), np.uint8))  # (48, 64)


def films(n=5):
    return [Image.fromarray(np.full((48, 64, 3), 24 + 10 * i, np.uint8)) for i in range(n)]


def seen(clip, n):
    return [round((float(np.median(picture)) - 24) / 10) for picture in clip.frames(n)[0]]


def refused(path):
    with pytest.raises(MediaError) as error:
        open_clip(path)
    return str(error.value)


@pytest.mark.parametrize("name", ["a.avif", "a.webp", "a.gif", "a.png"])
@pytest.mark.parametrize("duration, shown", [(200, 200), (20, 20), (10, 100), (0, 100)])
def test_a_moving_picture_lasts_as_long_as_browsers_show_it(tmp_path, name, duration, shown):
    first, *others = films()
    first.save(tmp_path / name, save_all=True, append_images=others, duration=duration, lossless=True, quality=100)
    clip = open_clip(tmp_path / name)
    assert clip.video and not clip.image
    assert clip.duration == pytest.approx(5 * shown / 1000)
    assert clip.frames(5)[1] == pytest.approx(np.arange(5) * shown / 1000)
    assert seen(clip, 5) == list(range(5))


@pytest.mark.parametrize("name", ["a.avif", "a.webp", "a.png"])
def test_transparency_of_every_kind_lies_on_white(tmp_path, name):
    veiled = np.zeros((48, 64, 4), np.uint8)  # black where nobody sees it
    veiled[:, 32:] = (0, 0, 255, 255)
    Image.fromarray(veiled).save(tmp_path / name, lossless=True, quality=100)
    clip = open_clip(image=tmp_path / name)
    assert np.abs(clip.frame_at(0.0)[24, [8, 56]].astype(int) - [(255, 255, 255), (0, 0, 255)]).max() <= 3


@pytest.mark.parametrize(
    "grey",
    [
        GREYS.astype(np.uint16) << 8,
        GREYS.astype(np.int32) << 8,  # sixteen bits in a wider room
        (GREYS.astype(np.uint32) << 24).view(np.int32),
        ((GREYS.astype(np.float64) + 0.4) / 255).astype(np.float32),
    ],
    ids=["16 bits", "16 in 32 bits", "32 bits", "floats"],
)
def test_greys_of_every_depth_look_alike(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "a.tif")
    if grey.dtype == np.int32 and grey.min() < 0:  # Pillow writes 32 bits as signed, cameras and tools write unsigned
        content = (tmp_path / "a.tif").read_bytes()
        signed, unsigned = struct.pack("<HHIHH", 339, 3, 1, 2, 0), struct.pack("<HHIHH", 339, 3, 1, 1, 0)
        assert content.count(signed) == 1
        (tmp_path / "a.tif").write_bytes(content.replace(signed, unsigned))
    assert np.array_equal(open_clip(tmp_path / "a.tif").frame_at(0.0)[..., 0], GREYS)


def test_signed_greys_have_black_at_the_bottom(tmp_path):
    Image.fromarray(((GREYS.astype(np.int64) << 24) - (1 << 31)).astype(np.int32)).save(tmp_path / "a.tif")
    assert np.array_equal(open_clip(tmp_path / "a.tif").frame_at(0.0)[..., 0], GREYS)


def test_floats_beyond_one_are_fitted_in(tmp_path):
    kelvin = np.where(GREYS > 100, 310.0, 280.0).astype(np.float32)
    kelvin[0, 0] = np.nan
    Image.fromarray(kelvin).save(tmp_path / "a.tif")
    picture = open_clip(tmp_path / "a.tif").frame_at(0.0)[..., 0]
    assert picture[0, 63] == 255 and picture[24, 0] == round(280 / 310 * 255) and picture[0, 0] == 0


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.jpg", "a.avif"])
@pytest.mark.parametrize("exif", [b"Exif\x00\x00garb", b"Exif\x00\x00MM\x00*\xff\xff\xff\xff", b"\x00" * 3])
def test_broken_notes_beside_whole_pixels(tmp_path, name, exif):
    try:
        films()[2].save(tmp_path / name, exif=exif, lossless=True)
    except SyntaxError:  # AVIF's does not
        pytest.skip("Pillow does not write such a chunk into this kind of file")
    assert open_clip(tmp_path / name).frame_at(0.0)[20, 20] == pytest.approx([44] * 3, abs=2)


def test_a_colour_profile_in_a_moving_picture(tmp_path):
    """FFmpeg keeps the profile's name beside each frame, and PyAV 18 frees that twice: the process died of it."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    first, *others = films()
    first.save(tmp_path / "a.png", save_all=True, append_images=others, duration=100, icc_profile=profile)
    clip = open_clip(tmp_path / "a.png")
    for _ in range(3):
        assert seen(clip, 5) == list(range(5))


def motion_jpeg(path, **saved):
    """An AVI whose frames are JPEG files as Pillow saves them."""
    with av.open(str(path), "w", format="avi") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for i, picture in enumerate(films()):
            content = io.BytesIO()
            picture.save(content, "JPEG", **saved)
            packet = av.Packet(content.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, i, i, stream.time_base or 1
            packet.is_keyframe = True
            out.mux(packet)
    return path


@pytest.mark.parametrize("beside", ["exif", "profile"])
def test_what_a_camera_notes_beside_each_frame(tmp_path, beside):
    exif = Image.Exif()
    exif[271] = "Maker"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    saved = {"exif": exif.tobytes()} if beside == "exif" else {"icc_profile": profile}
    clip = open_clip(motion_jpeg(tmp_path / "a.avi", **saved))
    for _ in range(3):
        assert seen(clip, 5) == list(range(5))


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("bombs", [1, 40])
def test_packed_text_that_unpacks_to_gigabytes(tmp_path, bombs):
    """Pillow's guard refuses; FFmpeg, which was asked next, unpacked it all."""
    picture = io.BytesIO()
    films()[0].save(picture, "PNG")
    content = picture.getvalue()
    text = chunk(b"zTXt", b"note\0\0" + zlib.compress(b"\0" * 70_000_000, 9))
    (tmp_path / "bomb.png").write_bytes(content[:33] + text * bombs + content[33:])
    assert refused(tmp_path / "bomb.png").startswith("bomb.png is damaged and cannot be read")


def test_pixels_are_counted_before_they_are_made(tmp_path):
    header = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    assert "too many pixels" in refused(tmp_path / "a.png")
    Image.new("1", (Limits.pixels // 4000 + 1, 4000)).save(tmp_path / "b.png")
    assert "more than 35 million pixels a frame" in refused(tmp_path / "b.png")


def test_text_chunks_of_an_ordinary_size_are_fine(tmp_path):
    notes = PngImagePlugin.PngInfo()
    notes.add_text("note", "x" * 10_000, zip=True)
    films()[0].save(tmp_path / "a.png", pnginfo=notes)
    assert open_clip(tmp_path / "a.png").image
