"""Practice for the encoders alone: hear who sounds at every moment, see who is in every cell and where its edges are.

Asking a language model about features that say nothing yet teaches both of them slowly. Here each encoder's output is
read by one linear layer that is thrown away afterwards, so that what the language model then gets can be read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from crab.learn import mini
from crab.media import SAMPLE_RATE
from crab.prompt import TOKEN_SECONDS, TRAILING_SILENCE
from crab.scenes import render, script
from crab.scenes.actors import ACTORS

NAMES = tuple(ACTORS)
CELLS = 4  # a side: 112 pixels in cells of 28
BLOCKS = 7  # a side of a cell: blocks of 4 pixels, fine enough for the edges of a box


class Senses(nn.Module):
    """The thinker's encoders, each with a linear reader on top."""

    def __init__(self, thinker: nn.Module):
        super().__init__()
        self.thinker = thinker
        width = thinker.config.text_config.hidden_size
        self.readers = nn.ModuleDict(
            {"hear": nn.Linear(width, len(NAMES)), "look": nn.Linear(width, len(NAMES) + BLOCKS * BLOCKS)}
        )

    def loss(self, kind: str, batch: dict[str, Tensor]) -> Tensor:
        """Binary cross-entropy over actors, for every sound position or picture cell of the batch; in a cell over its
        blocks as well."""
        if kind == "hear":
            made = self.thinker.get_audio_features(batch["input_features"], batch["feature_attention_mask"])
            features = made.last_hidden_state  # (batch * positions, width)
        else:
            made = self.thinker.get_image_features(batch["pixel_values"], batch["image_grid_thw"])
            features = torch.cat(tuple(made.pooler_output))  # (batch * cells, width)
        logits, target = self.readers[kind](features).float(), batch["target"].flatten(0, 1)
        who, shape = slice(len(NAMES)), slice(len(NAMES), None)
        loss = nn.functional.binary_cross_entropy_with_logits(logits[:, who], target[:, who])
        if kind == "look":
            loss = loss + nn.functional.binary_cross_entropy_with_logits(logits[:, shape], target[:, shape])
        return loss


def make_batch(processor, kind: str, numbers: Sequence[int]) -> dict[str, Tensor]:
    """The scenes of these seeds, heard or looked at, with the truth about every position."""
    scenes = [script.write(n) for n in numbers] if kind == "hear" else [script.write_picture(n) for n in numbers]
    if kind == "hear":
        sounds = [render.sound(scene) for scene in scenes]
        made = processor.feature_extractor(
            sounds, sampling_rate=SAMPLE_RATE, padding="max_length", max_length=len(sounds[0]) + TRAILING_SILENCE + 80,
            return_attention_mask=True, return_tensors="pt",
        )  # fmt: skip
        return {
            "input_features": made["input_features"],
            "feature_attention_mask": made["attention_mask"],
            "target": torch.tensor(np.stack([_who_sounds(scene) for scene in scenes])),
        }
    size = (mini.FRAME_SIZE, mini.FRAME_SIZE)
    pictures = [torch.tensor(render.frame(scene, 0.0, size)).permute(2, 0, 1) for scene in scenes]
    made = processor.image_processor(pictures, do_resize=False, return_tensors="pt")
    return {**made, "target": torch.tensor(np.stack([_who_is_where(scene, size) for scene in scenes]))}


def _who_sounds(scene: script.Scene) -> np.ndarray:
    """(positions, actors) float32: 1 where an actor is heard."""
    times = (np.arange(round(scene.duration / TOKEN_SECONDS)) + 0.5) * TOKEN_SECONDS
    target = np.zeros((len(times), len(NAMES)), np.float32)
    for part in scene.parts:
        target[[script.during(part.heard, t) for t in times], NAMES.index(part.actor)] = 1.0
    return target


def _who_is_where(scene: script.Scene, size: tuple[int, int]) -> np.ndarray:
    """(cells, actors + blocks) float32: the share of a cell that an actor covers, and of its blocks that any does."""
    who = np.zeros((CELLS * CELLS, len(NAMES)), np.float32)
    shape = np.zeros((CELLS * CELLS, BLOCKS * BLOCKS), np.float32)
    for part, mask in render.masks(scene, 0.0, size):  # (height, width)
        blocks = mask.reshape(CELLS, BLOCKS, size[1] // CELLS // BLOCKS, CELLS, BLOCKS, -1).mean((2, 5))
        blocks = blocks.transpose(0, 2, 1, 3).reshape(shape.shape)
        who[:, NAMES.index(part.actor)] = blocks.mean(1)
        shape += blocks
    return np.concatenate([who, shape], axis=1)
