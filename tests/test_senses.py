"""What the encoders are asked on their own is true of the scene, position by position and cell by cell."""

from functools import cache

import numpy as np
import pytest
import torch

from crab import prompt
from crab.learn import mini, senses
from crab.scenes.world import render, script
from crab.tasks import TASKS

RATE, STEP = 16000, 640  # samples a second, samples a position
SIDE = 28  # pixels of a cell
PAIRS = [2, 4, 6, 8, 10, 14]  # numbers whose picture is two frames of a video
PICTURES = [1, 3, 5, 7, 9, 11]


@pytest.fixture(scope="module")
def processor():
    return mini.processor(mini.tokenizer(scenes=5))


@pytest.fixture(scope="module")
def model(processor):
    return senses.Senses(mini.fresh(processor.tokenizer))


# ---- hearing ---------------------------------------------------------------


def heard_scene(number):
    kinds = (script.write, script.write_action, script.write_crowd, script.write_emotion, script.write)
    return kinds[number % 5](number)


@pytest.mark.parametrize("number", range(10))
def test_heard_positions_are_those_of_the_scene(processor, number):
    """The plan cuts a sound whose samples are their own times; the middle of every position is looked up in it."""
    target = senses.make_batch(processor, "hear", [number])["who"].numpy()
    scene = heard_scene(number)
    plan = TASKS["avqa" if number % 3 == 0 else "ave"].sound
    samples, _ = prompt.apply_plan(np.arange(1, 10 * RATE + 1, dtype=np.float64), plan)  # 0: before the clip
    middles = samples[STEP // 2 :: STEP]
    assert len(middles) == len(target) and target.shape[1] == len(senses.NAMES) + 1
    for middle, row in zip(middles, target):
        time = (middle - 1) / RATE if middle else -1.0
        names = {part.actor for part in scene.parts if script.during(part.heard, time)}
        truth = {senses.NAMES.index(name) for name in names} or {len(senses.NAMES)}
        assert set(np.flatnonzero(row)) == truth
        assert row[list(truth)] == pytest.approx(1 / len(truth))


def test_there_are_as_many_targets_as_the_tower_gives_positions(processor, model):
    for numbers in ([1], [3], [0, 1, 3, 5]):
        batch = senses.make_batch(processor, "hear", numbers)
        mel = batch["feature_attention_mask"].sum(1)
        counts = ((mel - 1) // 2 + 1 - 2) // 2 + 1
        assert counts.tolist() == [83 if number % 3 == 0 else 250 for number in numbers]
        with torch.no_grad():
            made = model.thinker.get_audio_features(batch["input_features"], batch["feature_attention_mask"])
        assert made.last_hidden_state.shape[0] == counts.sum() == len(batch["who"])


def test_positions_do_not_depend_on_what_else_is_in_the_batch(processor):
    together = senses.make_batch(processor, "hear", [3, 4])["who"]
    alone = [senses.make_batch(processor, "hear", [number])["who"] for number in (3, 4)]
    assert torch.equal(together, torch.cat(alone))


# ---- looking ---------------------------------------------------------------


def looked_at(number):
    """The scene and its moment, or its two."""
    rng = np.random.default_rng([number, 7])
    if number % 2:
        return script.write_picture(number), (float(rng.integers(10)) + 0.5,)
    times = [round(i) / 25 for i in np.linspace(0, 249, 10)]
    step = 2 * int(rng.integers(5))
    return (script.write if number % 4 else script.write_picture)(number), tuple(times[step : step + 2])


@cache
def shows(number):
    """Part -> its masks, (moments, 112, 112), empty where it does not show."""
    scene, times = looked_at(number)
    found = {}
    for index, time in enumerate(times):
        for part, mask in render.masks(scene, time, (112, 112)):
            found.setdefault(part, np.zeros((len(times), 112, 112), bool))[index] = mask
    return found


def cell(array, number):
    row, column = divmod(number, senses.CELLS)
    return array[:, row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]


@pytest.mark.parametrize("number", PAIRS + PICTURES)
def test_cells_hold_the_share_that_each_covers(processor, number):
    who = senses.make_batch(processor, "look", [number])["who"].numpy()
    assert who.shape == (16, len(senses.NAMES) + 1) and who.sum(1) == pytest.approx(1)
    masks = shows(number)
    for index in range(16):
        for name in senses.NAMES:
            share = sum(cell(mask, index).mean() for part, mask in masks.items() if part.actor == name)
            assert who[index, senses.NAMES.index(name)] == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("number", PAIRS + PICTURES)
def test_cells_know_the_box_of_who_covers_them_most_and_whether_they_sound(processor, number):
    batch = senses.make_batch(processor, "look", [number])
    acts, box = batch["acts"].numpy(), batch["box"].numpy()
    _, times = looked_at(number)
    masks = shows(number)
    for index in range(16):
        shares = {part: cell(mask, index).mean() for part, mask in masks.items()}
        most = max(shares, key=shares.get, default=None)
        if most is None or shares[most] <= senses.SHOWS:
            assert acts[index] == -1
            continue
        if sorted(shares.values())[-1] == pytest.approx(sorted(shares.values())[-2] if len(shares) > 1 else 0):
            continue  # two cover it alike
        assert acts[index] == any(script.during(most.heard, time) for time in times)
        x1, y1, x2, y2 = render.box(masks[most].any(axis=0))  # over both frames of a pair
        assert box[index] == pytest.approx([2 * x1, 2 * y1, 2 * x2 + 1, 2 * y2 + 1])


def test_cells_know_those_who_sound_and_those_who_do_not(processor):
    batch = senses.make_batch(processor, "look", range(1, 25))
    assert {*batch["acts"].tolist()} == {-1.0, 0.0, 1.0}
    assert batch["box"].min() >= 0 and batch["box"].max() <= 223
    assert batch["image_grid_thw"].tolist() == [[1, 8, 8]] * 24 and len(batch["pixel_values"]) == 24 * 64


def test_pairs_are_two_frames_and_pictures_one(processor):
    """A patch holds two moments: of a picture, the same one twice."""
    met = set()
    for number in PAIRS + PICTURES:
        scene, times = looked_at(number)
        pixels = senses.make_batch(processor, "look", [number])["pixel_values"].unflatten(1, (3, 2, 14, 14))
        alike = len({render.frame(scene, time, (112, 112)).tobytes() for time in times}) == 1
        assert torch.equal(pixels[:, :, 0], pixels[:, :, 1]) == alike
        met.add((len(times), alike))
    assert met >= {(1, True), (2, False)}


def test_pictures_are_those_of_the_scene(processor):
    scene, [time] = looked_at(5)
    made = processor.image_processor(
        [torch.tensor(render.frame(scene, time, (112, 112))).permute(2, 0, 1)], do_resize=False, return_tensors="pt"
    )["pixel_values"]
    assert torch.equal(made, senses.make_batch(processor, "look", [5])["pixel_values"])


def test_a_cell_s_target_is_the_cell_the_encoder_gives(processor, model):
    """Rows of targets and of features count cells alike: what changes in one cell changes that row most."""
    batch = senses.make_batch(processor, "look", [5])
    pixels = batch["pixel_values"].clone()
    patches = torch.arange(64).reshape(4, 4, 4)  # (cell row, cell column, the 2 x 2 in a cell)
    pixels[patches[2, 1]] += 3.0
    with torch.no_grad():
        before, after = (
            torch.cat(tuple(model.thinker.get_image_features(p, batch["image_grid_thw"]).pooler_output))
            for p in (batch["pixel_values"], pixels)
        )
    assert (after - before).norm(dim=1).argmax() == 2 * senses.CELLS + 1


# ---- what is learned -------------------------------------------------------


@pytest.mark.parametrize("kind", ["hear", "look"])
def test_the_same_numbers_are_the_same_batch(processor, kind):
    first, second = (senses.make_batch(processor, kind, [3, 4]) for _ in range(2))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind, tower", [("hear", "audio_tower"), ("look", "visual")])
def test_a_loss_is_finite_and_teaches_its_own_encoder_only(processor, model, kind, tower):
    model.zero_grad(set_to_none=True)
    loss = model.loss(kind, senses.make_batch(processor, kind, [1, 2]))
    assert torch.isfinite(loss) and loss > 0
    loss.backward()
    taught = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert {name.split(".")[2] for name in taught if name.startswith("thinker")} == {tower}
    assert {name.split(".")[1] for name in taught if name.startswith("readers")} == {kind}
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("kind", ["hear", "look"])
def test_the_truth_costs_less_than_a_falsehood(processor, model, kind):
    """Readers that said the targets would have the least loss: the right rows are asked for the right things."""
    batch = senses.make_batch(processor, kind, [1, 2])
    with torch.no_grad():
        right = float(model.loss(kind, batch))
        model.readers[kind].bias.zero_()
        names = torch.log(batch["who"].mean(0) + 1e-4)
        kept = {name: p.clone() for name, p in model.readers[kind].named_parameters()}
        model.readers[kind].bias[: len(names)] += names  # who is there on the whole
        assert float(model.loss(kind, batch)) < right
        for name, p in model.readers[kind].named_parameters():
            p.copy_(kept[name])


def test_a_side_s_target_is_a_bell_around_its_place():
    bell = senses._bell(torch.tensor([[0.0, 100.0, 101.0, 223.0]]))
    assert bell.shape == (1, 4, senses.BINS) and bell.sum(-1) == pytest.approx(torch.ones(1, 4))
    assert bell.argmax(-1).tolist() == [[0, 25, 25, 56]]
    assert bell[0, 2, 26] > bell[0, 1, 26]
