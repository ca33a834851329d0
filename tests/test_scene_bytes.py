"""What the drawn world shows, sounds like, is asked and is trained with, held to the byte.

A scene is its seed: weights, scores and links rest on that. `golden/scenes.json` holds what was drawn when it was
written; `python -m tests.test_scene_bytes`, in the folder of the project, writes it anew, for a change that is meant.
"""

import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import scipy
from PIL import Image, ImageDraw, ImageFilter

from crab.learn import items, mini
from crab.scenes.asking import drill, hearing, pointing, questions, quiz, seeing, telling
from crab.scenes.world import render, script

FILE = Path(__file__).parent / "golden" / "scenes.json"
SEEDS = range(21)
SCENES = {
    "objects": script.write, "crowd": script.write_crowd, "picture": script.write_picture, "sound": script.write_sound,
    "action": script.write_action, "emotion": script.write_emotion, "pair": script.write_pair,
}  # fmt: skip
NUMBERS = (11, 12)  # of the items of a kind


class Digest:
    """What is said to it, as sixteen digits."""

    def __init__(self) -> None:
        self.state = hashlib.sha256()

    def __call__(self, *what: object) -> None:
        for one in what:
            if isinstance(one, np.ndarray):
                self.state.update(f"{one.dtype}{one.shape}".encode() + np.ascontiguousarray(one).tobytes())
            else:
                self.state.update(repr(one).encode())

    def __str__(self) -> str:
        return self.state.hexdigest()[:16]


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, 77])


def written(kind: str) -> list[script.Scene]:
    made = [SCENES[kind](seed) for seed in SEEDS]
    return [scene for one in made for scene in (one if isinstance(one, tuple) else (one,))]


def moments(number: int) -> tuple[float, ...]:
    return number * 0.77 % 10, 9.92


def scenes_of(kind: str) -> dict[str, str]:
    """What is decided, seen, where it shows and what is heard, of the scenes of a kind."""
    script_of, frames, masks, sound = Digest(), Digest(), Digest(), Digest()
    for number, scene in enumerate(written(kind)):
        script_of(scene)
        for time in moments(number):
            frames(render.frame(scene, time, (112, 112)))
            for part, mask in render.masks(scene, time, (224, 224)):
                masks(part.actor, mask)
        sound(np.rint(32768 * render.sound(scene)).astype(np.int16))
    return {"script": str(script_of), "frames": str(frames), "masks": str(masks), "sound": str(sound)}


def asked() -> dict[str, str]:
    """Of every function that asks, all it asks of the scenes it is for."""
    told: dict[str, Digest] = {}

    def note(name: str, *what: object) -> None:
        told.setdefault(name, Digest())(*what)

    for kind in SCENES:
        for number, scene in enumerate(written(kind)):
            draw, time = rng(number), number % 10 + 0.5
            note("picture", seeing.picture(scene, time, draw))
            note("heard", script.heard_at(scene, time), script.heard_around(scene, (time - 2, time + 3)))
            if not any(part.heard for part in scene.parts):
                continue
            note("sound", hearing.sound(scene, draw))
            note("film", telling.film(scene, draw))
            note("conclusions", telling.conclusions(scene, draw))
            if kind not in ("action", "emotion"):
                note("still", telling.still(scene, time, script.heard_at(scene, time), draw))
                note("quiz", [of(scene, draw) for of in (*quiz.KINDS, *quiz.CHOICES)])
                note("words", questions.ask_words(scene, draw))
    for seed in SEEDS:
        draw, scene, pair = rng(seed), script.write(seed), script.write_pair(seed)
        note("ask", questions.ask(scene, draw))
        note("ask_action", questions.ask_action(script.write_action(seed), draw))
        note("ask_emotion", questions.ask_emotion(script.write_emotion(seed), draw))
        note("ask_pair", questions.ask_pair(pair, draw))
        note("ask_about", questions.ask_about(scene, seed % 10 + 0.5, draw))
        note("ask_places", questions.ask_places(scene, pair, draw))
        note("pair", [telling.pair(pair, seed % 2, draw, films=films) for films in (True, False)])
        note("which_is_where", telling.which_is_where(scene, pair, draw))
        note("drill", [drill.drill(("a", "bc", " de", "7"), draw) for _ in range(5)])
        for found in (pointing.with_the_whole_sound(scene, draw), pointing.described(scene, draw)):
            note("pointing", *(getattr(found, name, None) for name in ("time", "part", "mask", "words", "reason")))
    return {name: str(digest) for name, digest in told.items()}


@cache
def reader():
    return mini.processor(mini.tokenizer(scenes=5))


def item_of(kind: str, number: int) -> dict:
    """Words exactly; of what a processor computes, which rounds as a machine does, shape and sum."""
    made, digest, sums = items.make_item(reader(), kind, number), Digest(), {}
    digest(*(getattr(made, name).numpy() for name in ("ids", "labels", "segment", "family")))
    for name, tensor in made.inputs.items():
        if tensor.is_floating_point():
            sums[name] = [list(tensor.shape), round(float(tensor.double().sum()), 2)]
        else:
            digest(name, tensor.numpy())
    return {"words": str(digest), "sums": sums}


def machine() -> str:
    """How a machine rounds: what it makes of sines, echoes and soft edges. Elsewhere pixels may differ by one."""
    wave = np.sin(np.arange(20_000) * 0.37) * np.exp(-np.arange(20_000) / 7000)
    image = Image.new("RGB", (300, 200))
    ImageDraw.Draw(image).polygon([(10, 20), (270, 60), (140, 190)], (200, 90, 30))
    image = image.filter(ImageFilter.GaussianBlur(3)).resize((97, 61), Image.Resampling.LANCZOS)
    digest = Digest()
    digest(wave, wave.astype(np.float32), scipy.signal.fftconvolve(wave, wave[:3000]), np.asarray(image))
    digest(np.tanh(wave), np.power(np.abs(wave), 0.7), np.hypot(wave, 0.3))
    return str(digest)


def everything() -> dict:
    return {
        "machine": machine(),
        "scenes": {kind: scenes_of(kind) for kind in SCENES},
        "asked": asked(),
        "items": {f"{kind} {number}": item_of(kind, number) for kind in items.KINDS for number in NUMBERS},
    }


@pytest.fixture(scope="module")
def kept() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", SCENES)
def test_a_seed_is_the_same_scene_to_the_byte(kind, kept):
    made = scenes_of(kind)
    assert made["script"] == kept["scenes"][kind]["script"]
    if machine() != kept["machine"]:
        pytest.skip("this machine rounds otherwise than the one that the bytes are of")
    assert made == kept["scenes"][kind]


def test_a_seed_is_asked_the_same(kept):
    assert asked() == kept["asked"]


@pytest.mark.parametrize("kind", items.KINDS)
def test_an_item_is_the_same_words_and_as_good_as_the_same_numbers(kind, kept):
    for number in NUMBERS:
        made, meant = item_of(kind, number), kept["items"][f"{kind} {number}"]
        assert made["words"] == meant["words"]
        assert made["sums"].keys() == meant["sums"].keys()
        for name, (shape, total) in meant["sums"].items():
            assert made["sums"][name][0] == shape
            assert made["sums"][name][1] == pytest.approx(total, rel=1e-4, abs=1.0)


if __name__ == "__main__":
    FILE.write_text(json.dumps(everything(), indent=1) + "\n", encoding="utf-8")
