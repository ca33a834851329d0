"""The clip over its seconds: what lies over its picture, and the strips under it."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from making import clock_clip
from PIL import Image
from test_tracks import over_time, result

from crab.answer import Box
from crab.media import Clip, open_clip
from crab.result import Window, packed
from crab.segment import Mask
from visualize import masks, stage


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Clip:
    """Three seconds, ticking."""
    return open_clip(clock_clip(tmp_path_factory.mktemp("stage") / "clock.mp4", seconds=3))


def images(html: str) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(found))) for found in re.findall(r'base64,([^"]+)"', html)]


def test_a_layer_laid_over_any_picture_is_what_is_drawn_on_it():
    frame = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    cut = np.zeros((480, 640), bool)
    cut[100:300, 200:400] = True
    drawn = {"boxes": [Box("dog", 150, 90, 420, 320)], "points": [(250, 200)], "colours": {"dog": "#ED7C46"}}
    of = [Mask(0.0, "dog", cut, None)]
    layer = stage.layer((640, 480), of, drawn["boxes"], drawn["points"], colours=drawn["colours"])
    laid = Image.fromarray(frame).convert("RGBA")
    laid.alpha_composite(layer)
    expected = np.asarray(masks.overlay(frame, of, **drawn), int)
    assert np.abs(np.asarray(laid.convert("RGB"), int) - expected).max() <= 6
    assert np.asarray(layer)[-1, -1, 3] == 0


def test_over_time_there_is_a_layer_or_a_reason_for_every_second():
    one = replace(
        over_time(),
        frame=np.zeros((48, 64, 3), np.uint8),
        clip=Clip("a.mp4", "a.mp4", duration=3.0, width=64, height=48),
    )
    html = stage.over(one, colours={"dog": "#ED7C46", "cat": "#0C79DA"})
    found = re.findall(r"<(img|p)[^>]* hidden data-from=\"([^\"]+)\" data-to=\"([^\"]+)\">", html)
    assert found == [("img", "0", "1"), ("img", "2", "3"), ("p", "1", "2")]
    assert "The model points at nothing here." in html and "aspect" not in html
    first, second = (np.asarray(image) for image in images(html))
    assert first[..., 3].any() and not np.array_equal(first, second)


def test_of_one_picture_the_layer_stands_around_its_second():
    cut = packed(Mask(6.0, "dog", np.ones((48, 64), bool), None))
    clip = Clip("a.mp4", "a.mp4", duration=12.0, width=64, height=48)
    one = result("<obj>(7,14)(112,224)</obj>", "arig", masks=(cut,), frame=np.zeros((48, 64, 3), np.uint8), clip=clip)
    assert 'data-from="5.5" data-to="6.5"' in stage.over(one, colours={})
    assert stage.over(replace(one, clip=replace(clip, duration=0.0)), colours={}) == ""


def test_the_strips_show_the_clip_and_are_hatched_where_nobody_has_looked(clip):
    one = result(clip=clip, windows=(Window(0.0, 1.5, result().answer), Window(1.5, 3.0)))
    html = stage.strips(one)
    *film, mel = images(html)
    assert len(film) == round(stage.ROOM * 64 / 96) and {image.size for image in film} == {(96, 64)}
    assert mel.mode == "LA" and html.count("<polygon") == 1 and 'data-seconds="3.0' in html
    left, width = re.search(r'class="unseen"[^>]* style="left:([\d.]+)%;width:([\d.]+)%"', html).groups()
    lasts = clip.duration
    assert html.count('class="unseen"') == 3
    assert float(left) == pytest.approx(150 / lasts, abs=0.1) and float(width) == pytest.approx(
        100 - 150 / lasts, abs=0.1
    )
    assert stage.strips(replace(one, windows=())).count("unseen") == 0


def test_loudness_stands_at_its_seconds(clip):
    sound = np.zeros(16_000, np.float32)
    sound[4_000:6_000] = 0.5
    points = re.search(r'points="([^"]+)"', stage._wave(sound, "")).group(1).split()
    up = np.array([float(point.partition(",")[2]) for point in points[: len(points) // 2]])
    loud = np.flatnonzero(up < 50) / len(up)
    assert loud.min() == pytest.approx(0.25, abs=0.01) and loud.max() == pytest.approx(0.375, abs=0.01)


def test_what_plays_is_the_clip_and_a_still_picture_does_not(clip):
    assert stage.player(clip, video="a.mp4").count("<video") == 1 and "--shape:1.5000" in stage.player(clip, video="a")
    heard = replace(clip, video=None, width=0, height=0)
    assert "<audio" in stage.player(heard, audio="a.wav") and "--shape" not in stage.player(heard, audio="a.wav")
    assert stage.player(replace(clip, duration=0.0), video="a.mp4") == ""
    assert "<b>" not in stage.player(replace(clip, name="<b>.mp4"), video="a.mp4")


def test_a_sound_alone_has_no_pictures(clip):
    html = stage.strips(result(clip=replace(clip, video=None), windows=()))
    assert "film" not in html and "mel" in html
