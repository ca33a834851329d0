"""A scene drawn and heard: the same bytes from one seed, masks of what shows, silence where nobody sounds."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from crab.scenes.world import backdrops, render, script
from crab.scenes.world.cast import sprite, tempo
from crab.scenes.world.script import DURATION
from crab.scenes.world.sounds.synth import SAMPLE_RATE

SIZE = (112, 112)
SEEDS = range(24)
RATE = SAMPLE_RATE
TAIL = 0.35  # seconds after which a room is quiet again
WHOLE = ((0, DURATION),)


@cache
def scene_of(seed, writer="write"):
    return getattr(script, writer)(seed)


def still(**changes):
    """One object that stands in the middle throughout, before nothing and behind nothing."""
    part = replace(scene_of(1).parts[0], x=0.5, y=0.8, size=0.5, drift=(0.0, 0.0), seen=WHOLE, heard=())
    scene = replace(scene_of(1), parts=(part,), background=script.Background("room", 3), reverb=0.0)
    background = {name: changes.pop(name) for name in ("pan", "front", "front_x") if name in changes}
    own = {name: changes.pop(name) for name in ("reverb", "hiss") if name in changes}
    return replace(scene, parts=(replace(part, **changes),), background=replace(scene.background, **background), **own)


def mask_of(scene, time, size=SIZE):
    [(_, mask)] = render.masks(scene, time, size)
    return mask


def frame(scene, time, size=SIZE):
    return render.frame(scene, time, size).astype(int)  # (height, width, 3)


def level(samples):
    return float(np.sqrt(np.mean(np.asarray(samples, float) ** 2)))


# ---- one seed --------------------------------------------------------------


@pytest.mark.parametrize("writer", ["write", "write_action", "write_emotion", "write_picture", "write_sound"])
def test_one_seed_is_one_picture_and_one_sound(writer):
    made = set()
    for seed in range(3):
        scene = scene_of(seed, writer)
        first = render.frame(scene, 3.3, SIZE).tobytes(), render.sound(scene).tobytes()
        for cached in (sprite, backdrops._whole, backdrops.front, render._shadow, render._tempo):
            cached.cache_clear()
        again = getattr(script, writer)(seed)
        assert first == (render.frame(again, 3.3, SIZE).tobytes(), render.sound(again).tobytes())
        made.update(first)
    assert len(made) == 6


# ---- pictures --------------------------------------------------------------


def test_a_frame_is_the_backdrop_and_whoever_is_in_view():
    for seed in SEEDS:
        scene, size = scene_of(seed), (160, 120)
        drawn = frame(scene, 4.5, size)
        assert drawn.shape == (120, 160, 3)
        empty = frame(replace(scene, parts=()), 4.5, size)
        changed = (drawn != empty).any(axis=2)
        shown = render.masks(scene, 4.5, size)
        assert shown or not changed.any()
        for _, mask in shown:
            assert changed[mask].mean() > 0.95


def test_a_frame_shows_nobody_before_they_come_or_after_they_left():
    come = still(seen=((3, 7),))
    empty = frame(replace(come, parts=()), 5)
    for time, there in ((2.9, False), (3.0, True), (6.9, True), (7.0, False), (9.9, False)):
        assert (frame(come, time) != empty).any() == there == bool(render.masks(come, time, SIZE))


def test_who_comes_drops_in_and_who_leaves_leaps_out():
    scene = still(seen=((3, 7),))
    top = {time: render.box(mask_of(scene, time))[1] for time in (3.0, 3.2, 4.0, 6.5, 6.95)}
    assert top[3.0] < top[3.2] <= top[4.0] == top[6.5] > top[6.95]
    assert len({render.box(mask_of(still(), time)) for time in (0, 0.1, 9.9)}) == 1  # there all along


def test_who_sounds_moves_and_who_is_silent_stands_still():
    scene = still(heard=((2, 6),))
    times = (0.5, 1.5, 6.5, 9.5), tuple(np.arange(2.05, 4, 0.15))
    silent, sounding = ({frame(scene, time).tobytes() for time in of} for of in times)
    assert len(silent) == 1 and len(sounding) >= 2 and not silent & sounding


def test_poses_keep_the_tempo_that_is_heard():
    scene = still(heard=WHOLE)
    part = scene.parts[0]
    beats = tempo(part.actor, np.random.default_rng([part.variation, 1]))
    for time in (0.05, 0.4, 0.77):
        assert np.array_equal(frame(scene, time), frame(scene, time + 2 / beats + 1e-9))


def test_who_walks_goes_where_the_script_says():
    scene = still(drift=(0.2, -0.1))
    (left, top, *_), (later, higher, *_) = (render.box(mask_of(scene, time)) for time in (0, 10 - 1e-6))
    assert later - left == pytest.approx(0.2 * 112, abs=1.5) and higher - top == pytest.approx(-0.1 * 112, abs=1.5)


def test_masks_are_disjoint_and_follow_who_is_seen():
    for seed in SEEDS:
        scene = scene_of(seed)
        for time in (0.5, 4.5, 9.5):
            shown = render.masks(scene, time, SIZE)
            assert sum((mask.astype(int) for _, mask in shown), np.zeros((112, 112), int)).max() <= 1
            assert [part for part, _ in shown] == [part for part in scene.parts if script.during(part.seen, time)]
            assert all(mask.dtype == bool and mask.any() for _, mask in shown)


def test_masks_show_the_same_at_any_size():
    for seed in range(8):
        small, large = (render.masks(scene_of(seed), 4.5, size) for size in (SIZE, (224, 224)))
        assert [part for part, _ in small] == [part for part, _ in large]
        for (_, one), (_, other) in zip(small, large):
            assert np.array(render.box(other)) / 2 == pytest.approx(np.array(render.box(one)), abs=2.5)
            assert other.mean() == pytest.approx(one.mean(), rel=0.1, abs=0.002)


def test_who_is_nearer_hides_who_is_farther():
    far, near = still(y=0.75).parts[0], still(y=0.9, x=0.6).parts[0]
    scene = replace(still(), parts=(far, near))
    (_, behind), (_, before) = render.masks(scene, 5, SIZE)
    alone = mask_of(replace(scene, parts=(near,)), 5)
    assert np.array_equal(before, alone)
    assert np.array_equal(behind, mask_of(replace(scene, parts=(far,)), 5) & ~alone)


def test_masks_leave_out_what_stands_in_front():
    met = 0
    for seed in range(150):
        scene = scene_of(seed)
        if not scene.background.front:
            continue
        free = replace(scene, background=replace(scene.background, front=""))
        bare, covered = (render.frame(replace(one, parts=()), 4.5, SIZE) for one in (free, scene))
        front = (bare != covered).any(axis=2)
        before = dict(render.masks(free, 4.5, SIZE))
        for part, mask in render.masks(scene, 4.5, SIZE):
            assert not (mask & ~before[part]).any()
            assert not (mask & binary_erosion(front)).any()
            assert not ((before[part] & ~mask) & ~front).any()
            met += (before[part] & ~mask).any()
        # And the picture shows it: the same before everybody as on the empty stage.
        inside = binary_erosion(front, iterations=2)
        assert np.array_equal(render.frame(scene, 4.5, SIZE)[inside], covered[inside])
    assert met > 3


def test_what_is_hidden_altogether_has_no_mask():
    part = replace(still().parts[0], size=0.08, y=0.98)
    scene = still(front="rock")
    assert render.masks(replace(scene, parts=(part,)), 5, SIZE) == []


def test_everything_moves_with_the_view():
    """Backdrop, who stands there, and what stands in front: one picture, moved."""
    pan, size, end = (0.05, 0.0), (200, 200), 10 - 1e-9
    scene = still(pan=pan, drift=pan, front="crate", front_x=0.2)
    empty, bare = replace(scene, parts=()), still(pan=pan)
    first, last = (frame(replace(bare, parts=()), time, size) for time in (0, end))
    assert np.array_equal(last[:, 10:], first[:, :-10])
    masks = [mask_of(scene, time, size) for time in (0, end)]
    front = [(frame(empty, time, size) != frame(replace(bare, parts=()), time, size)).any(axis=2) for time in (0, end)]
    for before, after in (masks, front):
        moved = np.subtract(render.box(after), render.box(before))
        assert moved == pytest.approx([10, 0, 10, 0], abs=1)
    assert np.abs(frame(scene, end, size)[:, 10:] - frame(scene, 0, size)[:, :-10]).mean() < 4  # a pixel at edges


def test_a_box_touches_its_mask():
    mask = np.zeros((9, 12), bool)
    mask[3, 5:8] = mask[6, 2] = True
    assert render.box(mask) == (2, 3, 7, 6)


# ---- sound -----------------------------------------------------------------


def test_silence_outside_the_heard_stretches():
    """But for the noise beneath everything and what a room adds after the end."""
    for seed in range(40):
        scene = scene_of(seed, "write_sound")
        (part,) = scene.parts
        sound = render.sound(scene)
        assert sound.shape == (DURATION * RATE,) and sound.dtype == np.float32 and np.abs(sound).max() <= 0.99
        quiet = np.ones(len(sound), bool)
        for start, end in part.heard:
            assert min(level(sound[s * RATE : (s + 1) * RATE]) for s in range(start, end)) > 2 * scene.hiss
            quiet[start * RATE : int((end + (TAIL if scene.reverb else 0)) * RATE)] = False
        if quiet.any():
            assert level(sound[quiet]) == pytest.approx(scene.hiss, rel=0.05)
            assert np.abs(sound[quiet]).max() < 7 * scene.hiss


def test_a_room_goes_on_after_the_sound_and_dies_away():
    dry, wet = (render.sound(still(heard=((2, 5),), reverb=reverb, hiss=0.0)) for reverb in (0.0, 0.5))
    after = slice(5 * RATE, int(5.05 * RATE))
    assert not dry[5 * RATE :].any() and level(wet[after]) > 0.0005
    assert not np.abs(wet[int((5 + TAIL) * RATE) :]).max() > 1e-5
    assert not np.abs(wet[: 2 * RATE]).max() > 1e-5
    assert level(wet) > level(dry)


def test_hiss_is_as_loud_as_it_says():
    for hiss in (0.0, 0.001, 0.006):
        assert level(render.sound(still(hiss=hiss))) == pytest.approx(hiss, rel=0.02, abs=1e-9)


def test_the_noise_beneath_a_scene_is_drawn_from_its_seed():
    """By the stream that the weights were trained with, whatever the machine rounds like."""
    for seed in (3, 4):
        drawn = np.random.default_rng([seed, 3]).standard_normal(DURATION * RATE, dtype=np.float32)
        np.testing.assert_allclose(render.sound(replace(still(hiss=0.01), seed=seed)), 0.01 * drawn, rtol=1e-6)


def test_a_voice_is_as_loud_as_its_gain():
    loud, soft = (level(render.sound(still(heard=WHOLE, gain=gain, hiss=0.0))) for gain in (0.8, 0.4))
    assert loud == pytest.approx(2 * soft, rel=0.01)


def test_voices_together_are_each_alone_added():
    guitar, dog = (
        replace(still(heard=heard).parts[0], actor=actor, gain=0.3)
        for actor, heard in (("guitar", ((1, 6),)), ("dog", ((4, 9),)))
    )
    scene = replace(still(hiss=0.0), parts=(guitar, dog))
    alone = [render.sound(replace(scene, parts=(part,))) for part in scene.parts]
    assert np.allclose(render.sound(scene), alone[0] + alone[1], atol=1e-6)


def test_a_stretch_begins_and_ends_softly():
    sound = render.sound(still(heard=((2, 5),), hiss=0.0))
    assert sound[2 * RATE] == 0 and abs(sound[5 * RATE - 1]) < 1e-6


# ---- files -----------------------------------------------------------------


def test_a_clip_is_ten_seconds_of_picture_and_sound(tmp_path):
    av = pytest.importorskip("av")
    path, size, scene = tmp_path / "scene.mp4", (64, 48), scene_of(2)
    render.write_clip(scene, path, size, fps=10)
    with av.open(str(path)) as clip:
        frames = [picture.to_ndarray(format="rgb24") for picture in clip.decode(video=0)]
    assert len(frames) == 100 and frames[0].shape == (48, 64, 3)
    assert np.abs(frames[60].astype(int) - frame(scene, 6.0, size)).mean() < 12
    with av.open(str(path)) as clip:
        heard = np.concatenate([block.to_ndarray()[0] for block in clip.decode(audio=0)])
    assert abs(len(heard) - DURATION * RATE) <= 2048
    assert level(heard) == pytest.approx(level(render.sound(scene)), rel=0.15)
