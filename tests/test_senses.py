"""What the encoders are asked on their own is true of the scene, position by position."""

import numpy as np
import pytest
import torch

from crab.learn import mini, senses
from crab.scenes import render, script


@pytest.fixture(scope="module")
def reader():
    return mini.processor(mini.tokenizer(scenes=5))


def test_heard_positions_are_those_of_the_scene(reader):
    batch = senses.make_batch(reader, "hear", [4])
    [target] = batch["target"]
    scene = script.write(4)
    for part in scene.parts:
        heard = target[:, senses.NAMES.index(part.actor)].numpy()
        assert heard.sum() == sum(end - start for start, end in part.heard) * 25
    assert target.sum(1).max() <= sum(bool(p.heard) for p in scene.parts)


def test_cells_hold_the_share_an_actor_covers(reader):
    [target] = senses.make_batch(reader, "look", [4])["target"]
    scene = script.write_picture(4)
    for part, mask in render.masks(scene, 0.0, (112, 112)):
        assert target[:, senses.NAMES.index(part.actor)].mean() == pytest.approx(mask.mean(), abs=1e-6)
    row, col = np.argwhere(mask)[len(np.argwhere(mask)) // 2] // 28
    assert target[row * senses.CELLS + col, senses.NAMES.index(part.actor)] > 0


def test_blocks_draw_the_shapes_of_a_picture(reader):
    [target] = senses.make_batch(reader, "look", [4])["target"]
    side, fine = senses.CELLS, senses.BLOCKS
    blocks = target[:, len(senses.NAMES) :].reshape(side, side, fine, fine).permute(0, 2, 1, 3)
    drawn = blocks.reshape(side * fine, side * fine).numpy()  # (28, 28)
    covered = sum(mask for _, mask in render.masks(script.write_picture(4), 0.0, (112, 112)))
    assert drawn == pytest.approx(covered.reshape(28, 4, 28, 4).mean((1, 3)), abs=1e-6)


@pytest.mark.parametrize("kind", ["hear", "look"])
def test_every_position_is_asked_and_teaches_its_encoder_only(reader, kind):
    model = senses.Senses(mini.fresh(reader.tokenizer))
    batch = senses.make_batch(reader, kind, [1, 2])
    asked = len(senses.NAMES) + (0 if kind == "hear" else senses.BLOCKS**2)
    assert batch["target"].shape == (2, 250 if kind == "hear" else 16, asked)
    model.loss(kind, batch).backward()
    taught = {n.split(".")[2] for n, p in model.named_parameters() if p.grad is not None and n.startswith("thinker")}
    assert taught == {"audio_tower" if kind == "hear" else "visual"}
    assert torch.isfinite(model.loss(kind, batch))
