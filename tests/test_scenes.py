"""The scenes: one seed is one scene, and every answer is true of what is drawn and heard."""
import re
from functools import lru_cache

import numpy as np
import pytest

from crab.scenes import questions, render, script, sounds
from crab.scenes.actors import ACTORS, POSES, sprite

SEEDS = range(16)
SIZE = (112, 112)
INTERVALS = r"(?:\(\d+ \d+\))+"
LABEL = "(?:" + "|".join(actor.label for actor in ACTORS.values()) + ")"
NAME = "(?:" + "|".join(ACTORS) + ")"
WORD = f"(?:yes|no|left|middle|right|zero|one|two|three|four|{NAME})"
OBJ = r"<obj>\(\d+,\d+\)\(\d+,\d+\)</obj>"


def several(tag):
    one = rf"<{tag}>{LABEL}, {INTERVALS}</{tag}>"
    return f"{one}(?:, {one})*"


GRAMMAR = {
    "ave": rf"[^<]+Therefore, the events and time range are {several('event')}\.",
    "avvp": rf"[^<]+The events are (?:{several('visual_event')} and )?{several('audio_event')}\.",
    "avqa": rf"[^<]+<answer> {WORD} </answer>\.",
    "arig": rf"The sounding object is {NAME}\. Its coordinates are {OBJ}\.",
    "s4": rf"The object making the sound in the video is {NAME}\. "
    r"Its bounding box is \[\d+,\d+,\d+,\d+\] and three points on it are \[\d+,\d+\],\[\d+,\d+\],\[\d+,\d+\]\.",
    "avcap": r"[^<]+ seconds\.",
}


@lru_cache(maxsize=None)
def asked(seed):
    return questions.ask(script.write(seed), np.random.default_rng(seed))


def events(text, tag):
    """label -> intervals of every <tag> in the text."""
    found = re.findall(rf"<{tag}>(.+?), ({INTERVALS})</{tag}>", text)
    return {label: tuple((int(a), int(b)) for a, b in re.findall(r"\((\d+) (\d+)\)", times)) for label, times in found}


def integers(text):
    return [int(number) for number in re.findall(r"\d+", text)]


def mask_of(scene, name, time):
    return next(mask for part, mask in render.masks(scene, time, questions.GRID) if part.actor == name)


def test_one_seed_is_one_scene():
    for seed in SEEDS:
        scene = script.write(seed)
        assert scene == script.write(seed)
        assert asked(seed) == questions.ask(scene, np.random.default_rng(seed))
    first = render.frame(scene, 3.3, SIZE).tobytes(), render.sound(scene).tobytes()
    for cache in (sprite, render.backdrop):
        cache.cache_clear()
    assert first == (render.frame(scene, 3.3, SIZE).tobytes(), render.sound(scene).tobytes())
    assert script.write(0) != script.write(1)


def test_scenes_vary_as_promised():
    scenes = [script.write(seed) for seed in range(400)]
    sizes = np.bincount([len(scene.parts) for scene in scenes], minlength=5)[1:] / len(scenes)
    assert np.allclose(sizes, (0.30, 0.35, 0.25, 0.10), atol=0.06)
    sounding = [[part for part in scene.parts if part.heard] for scene in scenes]
    assert min(map(len, sounding)) == 1
    assert np.mean([len(parts) == 1 and len(parts[0].heard) == 1 for parts in sounding]) > 0.6
    assert {part.actor for scene in scenes for part in scene.parts} == set(ACTORS)
    assert len(script.write(5, actors=4).parts) == 4


@pytest.mark.parametrize("write", [script.write, script.write_picture, script.write_sound])
def test_stretches_lie_in_the_clip_in_order(write):
    for seed in range(100):
        for part in write(seed).parts:
            for stretches in (part.seen, part.heard):
                edges = [edge for stretch in stretches for edge in stretch]
                assert edges == sorted(set(edges)) and all(0 <= edge <= 10 for edge in edges)


def test_a_frame_is_the_backdrop_and_whoever_is_in_view():
    scene = script.write(2)
    frame = render.frame(scene, 0.5, (160, 120))
    assert frame.shape == (120, 160, 3) and frame.dtype == np.uint8
    changed = (frame != np.asarray(render.backdrop(scene.background, (160, 120)))).any(axis=2)
    (part, mask), = render.masks(scene, 0.5, (160, 120))
    assert part.actor == "bell" and changed[mask].mean() > 0.95


def test_masks_do_not_overlap_and_follow_who_is_seen():
    for seed in SEEDS:
        scene = script.write(seed)
        for time in (0.5, 4.5, 9.5):
            shown = render.masks(scene, time, SIZE)
            assert np.all(sum((mask.astype(int) for _, mask in shown), np.zeros((112, 112), int)) <= 1)
            assert [part for part, _ in shown] == [part for part in scene.parts if script.during(part.seen, time)]


def test_actors_move_while_they_sound():
    for name in ACTORS:
        silent = np.asarray(sprite(name, 4, None, 60, 60))
        poses = {np.asarray(sprite(name, 4, pose, 60, 60)).tobytes() for pose in range(POSES)}
        assert len(poses) >= 2 and silent.tobytes() not in poses


def test_every_voice_sounds_and_no_two_are_alike():
    spectra = []
    for name in ACTORS:
        voice = sounds.synthesise(name, 4, np.random.default_rng(7))
        assert voice.shape == (64000,) and voice.dtype == np.float32
        assert 0.03 < np.sqrt(np.mean(voice**2)) < 0.2 and np.abs(voice).max() <= 0.81
        power = np.abs(np.fft.rfft(voice)) ** 2
        octaves = np.add.reduceat(power, np.geomspace(200, 28000, 24).astype(int))
        spectra.append(np.log(octaves / octaves.sum() + 1e-6))
    apart = np.linalg.norm(np.array(spectra)[:, None] - np.array(spectra)[None], axis=2)
    assert apart[~np.eye(len(ACTORS), dtype=bool)].min() > 4


def test_silence_outside_the_heard_stretches():
    for seed in range(20):
        (part,) = script.write_sound(seed).parts
        sound = render.sound(script.write_sound(seed))
        assert sound.shape == (160000,) and sound.dtype == np.float32
        loud = np.sqrt((sound.reshape(10, -1) ** 2).mean(axis=1))
        heard = np.array([script.during(part.heard, second) for second in range(10)])
        assert loud[heard].min() > 5 * 0.0015
        assert loud[~heard].max(initial=0) < 2 * 0.0015


@pytest.mark.parametrize("seed", SEEDS)
def test_targets_keep_to_their_grammar(seed):
    for question in asked(seed):
        assert re.fullmatch(GRAMMAR[question.dataset], question.target), question.target
        assert question.answer in question.target
        assert len(question.target.split()) <= 60
        assert bool(question.question) == (question.dataset == "avqa")


@pytest.mark.parametrize("seed", SEEDS)
def test_events_are_those_of_the_scene(seed):
    scene = script.write(seed)
    heard = {ACTORS[part.actor].label: part.heard for part in scene.parts if part.heard}
    seen = {ACTORS[part.actor].label: part.seen for part in scene.parts if part.seen}
    target = {question.dataset: question.target for question in asked(seed)}
    assert events(target["ave"], "event") == heard
    assert events(target["avvp"], "audio_event") == heard
    assert events(target["avvp"], "visual_event") == seen


def test_answers_about_who_and_where_are_true():
    met = set()
    for seed in range(80):
        scene = script.write(seed)
        seen = [part.actor for part in scene.parts if part.seen]
        heard = {part.actor: part.heard for part in scene.parts if part.heard}
        number = ("zero", "one", "two", "three", "four")
        for q in asked(seed):
            if q.dataset != "avqa":
                continue
            named = re.findall(NAME, q.question)
            if q.question.startswith("Which object is"):
                truth = next(iter(heard)) if len(heard) == 1 else None
            elif q.question.startswith("Which object makes"):
                truth = min(heard, key=heard.get)
            elif q.question.startswith("How many objects"):
                truth = number[len(heard)]
            elif q.question.startswith("How many kinds"):
                truth = number[len(seen)]
            elif q.question.startswith("Is there"):
                truth = "yes" if named[0] in seen else "no"
            elif "making a sound" in q.question:
                truth = "yes" if named[0] in heard else "no"
            elif "to the left of" in q.question:
                truth = "yes" if seen.index(named[0]) < seen.index(named[1]) else "no"
            else:
                x = next(part.x for part in scene.parts if part.heard)
                truth = ("left", "middle", "right")[int(x * 3)]
            assert q.answer == truth, q
            met.add(q.answer)
    assert met >= {"yes", "no", "left", "middle", "right", "one", "two", "three"}


def test_yes_and_no_are_balanced():
    answers = [q.answer for seed in range(80) for q in asked(seed) if q.answer in ("yes", "no")]
    assert 0.42 < answers.count("yes") / len(answers) < 0.58


def test_boxes_and_points_lie_on_the_sounding_actor():
    met = set()
    for seed in range(40):
        scene = script.write(seed)
        for q in asked(seed):
            if q.dataset not in ("arig", "s4"):
                continue
            met.add(q.dataset)
            name = re.search(rf" is ({NAME})\.", q.target)[1]
            sounding = [part.actor for part in scene.parts if script.during(part.heard, q.time)]
            assert sounding == [name]
            mask = mask_of(scene, name, q.time)
            x1, y1, x2, y2, *points = integers(re.search(r"<obj>.*|\[.*", q.target)[0])
            rows, columns = np.nonzero(mask)
            assert (x1, y1, x2, y2) == (columns.min(), rows.min(), columns.max(), rows.max())
            assert 0 <= x1 < x2 <= 223 and 0 <= y1 < y2 <= 223
            assert all(mask[y, x] for x, y in zip(points[::2], points[1::2]))
    assert met == {"arig", "s4"}


def test_practice_questions_are_true():
    for seed in range(15):
        scene = script.write_picture(seed)
        names = [part.actor for part in scene.parts]
        for q in questions.ask_picture(scene, np.random.default_rng(seed)):
            if q.question == "What is on the left?":
                assert q.answer == names[0]
            elif q.question.startswith("How many"):
                assert q.answer == ("zero", "one", "two", "three", "four")[len(names)]
            elif q.question.startswith("What are the coordinates"):
                named = re.search(NAME, q.question)[0]
                assert tuple(integers(q.target)) == render.box(mask_of(scene, named, q.time))
        scene = script.write_sound(seed)
        (part,) = scene.parts
        ave, which, _ = questions.ask_sound(scene, np.random.default_rng(seed))
        assert events(ave.target, "event") == {ACTORS[part.actor].label: part.heard}
        assert which.answer == part.actor


def test_a_clip_is_ten_seconds_of_picture_and_sound(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "scene.mp4"
    scene = script.write(2)
    render.write_clip(scene, path, (112, 84))
    with av.open(str(path)) as clip:
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    assert len(frames) == 250
    assert np.abs(frames[60].astype(int) - render.frame(scene, 60 / 25, (112, 84))).mean() < 12
    with av.open(str(path)) as clip:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in clip.decode(audio=0)])
    assert abs(len(heard) - 160000) <= 2048
