"""Stop, counted: once it is pressed, no further step of the work begins."""

from __future__ import annotations

from contextvars import copy_context
from dataclasses import replace
from threading import Event

import numpy as np
import pytest
from test_ask import POINTS, Disc, SaysInTurn

from crab import segment, stopping
from crab.answer import Box, parse
from crab.ask import ask
from crab.media import open_clip, process
from crab.stopping import Stopped
from crab.tasks import TASKS


@pytest.fixture
def stop():
    return Event()


def until(stop: Event, work) -> None:
    """Does the work, which was not over when it was stopped."""

    def stoppable():
        stopping.stops(stop)
        work()

    with pytest.raises(Stopped):
        copy_context().run(stoppable)


@pytest.fixture
def computed(tiny):
    """The layers as they are computed, and what is to happen after one: a function of how many there have been."""
    layers, then = [], []

    def after(layer, *_):
        layers.append(layer)
        for happens in then:
            happens(layers)

    towers = tiny.thinker.model
    all_layers = (*towers.audio_tower.layers, *towers.visual.blocks, *towers.language_model.layers)
    hooks = [layer.register_forward_hook(after) for layer in all_layers]
    yield layers, then
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("batch", [False, True], ids=["one", "several at once"])
@pytest.mark.parametrize("passes", [0, 3], ids=["while the clip is read", "after some words"])
def test_no_layer_is_computed_after_stop(tiny, golden_prompts, computed, stop, batch, passes):
    layers, then = computed
    towers = tiny.thinker.model
    first = (towers.language_model.layers if passes else towers.audio_tower.layers)[0]
    then.append(lambda layers: layers.count(first) > passes and stop.set())
    prompt = golden_prompts["ave"]
    until(stop, lambda: tiny.generate([prompt, prompt]) if batch else list(tiny.stream(prompt)))
    assert layers[-1] is first and layers.count(first) == passes + 1


def test_whoever_was_not_stopped_goes_on(tiny, golden_prompts, computed, stop):
    _, then = computed
    then.append(lambda _: stop.set())  # another visitor's
    assert [step.text for step in tiny.stream(golden_prompts["ave"], max_new_tokens=3)]


def test_no_look_into_a_file_and_no_cut_begin_after_stop(tiny, scene_clip, stop, monkeypatch):
    looks, cuts, own = [], [], process._Decoder.ask
    monkeypatch.setattr(process._Decoder, "ask", lambda self, *a, **b: looks.append(a) or own(self, *a, **b))
    clip = replace(open_clip(scene_clip), duration=6.0)
    says = SaysInTurn(tiny, [POINTS.format(112)] * 6)

    class Cutting(Disc):
        def __call__(self, frame, box, points):
            cuts.append(len(looks))
            if len(cuts) == 3:
                stop.set()
            return super().__call__(frame, box, points)

    until(stop, lambda: list(ask(says, clip, TASKS["s4"], segmenter=Cutting(), over_time=True)))
    assert len(cuts) == 3 and len(looks) == cuts[-1]
    until(stop, lambda: open_clip(scene_clip))
    assert len(looks) == cuts[-1]


def test_no_object_of_a_picture_is_cut_out_after_stop(stop):
    cuts = []

    def segmenter(frame, box, points):
        cuts.append(box)
        stop.set()
        return np.ones(frame.shape[:2], bool), None

    answer = replace(parse("", TASKS["arig"]), boxes=(Box("", 0, 0, 4, 4), Box("", 4, 4, 8, 8)))
    until(stop, lambda: segment.masks(segmenter, np.zeros((8, 8, 3), np.uint8), answer, time=0.0))
    assert len(cuts) == 1
