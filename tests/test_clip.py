"""A scene as a clip: what a film of it would show and play, for any task, by the way that uploaded clips go."""

import subprocess
import sys

import numpy as np
import pytest

from crab import media, prompt
from crab.scenes.clip import SceneClip, moments
from crab.scenes.world import render, script
from crab.tasks import TASKS

SIZE = (80, 56)


def clip(seed=6, **more):
    return SceneClip(script.write(seed), SIZE, **more)


def test_frames_are_those_of_a_film_of_25_a_second():
    assert moments(10).tolist() == [i / 25 for i in (0, 28, 55, 83, 111, 138, 166, 194, 221, 249)]
    assert moments(3, start=2.0, end=4.0).tolist() == [2.0, 2.96, 3.96]
    assert moments(2, start=9.5, end=12.0).tolist() == [9.52, 9.96]
    assert moments(2, start=4.001, end=4.002).tolist() == [4.04, 4.04]
    shown, times = clip().frames(4, start=1.0, end=3.0)
    assert shown.shape == (4, 56, 80, 3) and shown.dtype == np.uint8
    for frame, time in zip(shown, times):
        assert np.array_equal(frame, render.frame(script.write(6), time, SIZE))


def test_sound_is_cut_where_it_is_asked_for():
    whole = render.sound(script.write(6))
    assert np.array_equal(clip().sound(), whole)
    assert np.array_equal(clip().sound(start=2.0, end=4.5), whole[32000:72000])
    assert len(clip().sound(start=8.0, end=13.0)) == 32000
    other = script.write(7)
    assert np.array_equal(clip(heard=other).sound(), render.sound(other))


@pytest.mark.parametrize("dataset", TASKS)
def test_every_task_can_be_asked_about_a_scene(dataset):
    task = TASKS[dataset]
    seen = prompt.gather(clip(frame=7.5), task, other=clip(7))
    assert len(seen.videos) == task.media.count("video") and (seen.picture is not None) == ("image" in task.media)
    assert all(video.shape == (task.frames, 56, 80, 3) for video in seen.videos) and not seen.notes
    assert sum(stretch.samples for stretch in seen.stretches) == len(seen.sound)
    if seen.picture is not None:
        assert np.array_equal(seen.picture, render.frame(script.write(6), 7.5, SIZE)) and seen.picture_time == 7.5


def test_a_window_of_a_scene_is_seen_and_heard_alone():
    seen = prompt.gather(clip(), TASKS["ave"], window=(2.0, 7.0))
    assert seen.times[0] == 2.0 and seen.times[-1] == 6.96
    assert np.array_equal(seen.sound[:80000], render.sound(script.write(6))[32000:112000])


def test_a_scene_is_gathered_as_the_film_that_is_written_of_it(tmp_path):
    scene = script.write(6)
    render.write_clip(scene, tmp_path / "a.mp4", size=SIZE)
    film = media.open_clip(tmp_path / "a.mp4", frame=7)
    for dataset in ("meld", "s4"):
        drawn, decoded = (prompt.gather(one, TASKS[dataset]) for one in (SceneClip(scene, SIZE, frame=7.0), film))
        assert drawn.times == pytest.approx(decoded.times) and drawn.picture_time == decoded.picture_time
        assert drawn.stretches == decoded.stretches and drawn.sound.shape == decoded.sound.shape
        pictures = [*zip(drawn.videos, decoded.videos)] or [(drawn.picture, decoded.picture)]
        assert all(np.abs(one.astype(float) - other).mean() < 12 for one, other in pictures)


def test_no_decoder_is_needed_for_a_scene(request):
    code = (
        "import sys; sys.modules['av'] = None\n"
        "from crab import prompt; from crab.media import process\n"
        "from crab.scenes.clip import SceneClip; from crab.scenes.world import script; from crab.tasks import TASKS\n"
        "process.call = None\n"
        "assert prompt.gather(SceneClip(script.write(6), (56, 56)), TASKS['ave']).sound.any()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=request.config.rootpath, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
