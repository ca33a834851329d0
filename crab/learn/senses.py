"""Practice for the encoders alone: hear who sounds at every moment, see in every cell who is there, whether they sound,
and where they begin and end.

Asking a language model about features that say nothing yet teaches both of them slowly, boxes slowest of all. Here each
encoder's output is read by one linear layer that is thrown away afterwards, so that what the language model then gets
can be read: a cell that shows a part of a dog says "dog", and where the whole dog's box has its sides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from crab import prompt
from crab.answer import GRID
from crab.learn import mini
from crab.media import SAMPLE_RATE
from crab.prompt import TOKEN_SECONDS, TRAILING_SILENCE
from crab.scenes.clip import moments
from crab.scenes.world import render, script
from crab.scenes.world.cast import ACTORS
from crab.tasks import TASKS

NAMES = tuple(ACTORS)
FRAME_TIMES = tuple(moments(10).tolist())  # of the frames of a clip that is asked about
CELLS = 4  # a side: 112 pixels in cells of 28
BINS = 57  # of four units each: the places 0, 4, … 224 where a side of a box can be
PLACES = 0.5  # what the places of a box count in the loss, next to who is there
SHOWS = 0.08  # the share of a cell that somebody has to cover for the cell to know their box

_WHO = slice(0, len(NAMES) + 1)  # the last one is nobody
_ACTS = _WHO.stop
_SIDES = slice(_ACTS + 1, _ACTS + 1 + 4 * BINS)


class Senses(nn.Module):
    """The thinker's encoders, each with a linear reader on top."""

    def __init__(self, thinker: nn.Module):
        super().__init__()
        self.thinker = thinker
        width = thinker.config.text_config.hidden_size
        self.readers = nn.ModuleDict({"hear": nn.Linear(width, _WHO.stop), "look": nn.Linear(width, _SIDES.stop)})

    def loss(self, kind: str, batch: dict[str, Tensor]) -> Tensor:
        """Cross-entropy over who is there, nobody among them, for every sound position or picture cell; in a cell that
        somebody covers also of whether they sound and of the places of the four sides of their box."""
        if kind == "hear":
            made = self.thinker.get_audio_features(batch["input_features"], batch["feature_attention_mask"])
            logits = self.readers["hear"](made.last_hidden_state).float()  # (batch * positions, actors + 1)
            return nn.functional.cross_entropy(logits, batch["who"])
        made = self.thinker.get_image_features(batch["pixel_values"], batch["image_grid_thw"])
        logits = self.readers["look"](torch.cat(tuple(made.pooler_output))).float()  # (batch * cells, …)
        loss = nn.functional.cross_entropy(logits[:, _WHO], batch["who"])
        known = batch["acts"] >= 0
        loss = loss + 0.2 * nn.functional.binary_cross_entropy_with_logits(logits[known, _ACTS], batch["acts"][known])
        sides = logits[known, _SIDES].unflatten(1, (4, BINS))
        return loss + PLACES * -(_bell(batch["box"][known]) * sides.log_softmax(-1)).sum(-1).mean()


def _bell(box: Tensor) -> Tensor:
    """(n, 4) places on the 224 grid -> (n, 4, BINS) targets: the nearest places share, so that near is nearly right."""
    distance = torch.arange(BINS, device=box.device) - box[..., None] / 4
    return (-(distance**2) / (2 * 0.8**2)).softmax(-1)


def make_batch(processor, kind: str, numbers: Sequence[int]) -> dict[str, Tensor]:
    """The scenes of these seeds, heard or looked at, with the truth about every position.

    Every other picture is two frames of a video, a second apart, as a video's cells are.
    """
    if kind == "hear":
        return _hear(processor, numbers)
    size = (mini.FRAME_SIZE, mini.FRAME_SIZE)
    pixels, truths = [], []
    for number in numbers:
        rng = np.random.default_rng([number, 7])
        if number % 2:
            scene = script.write_picture(number)
            times: tuple[float, ...] = (float(rng.integers(script.DURATION)) + 0.5,)
        else:
            scene = script.write(number) if number % 4 else script.write_picture(number)
            step = 2 * int(rng.integers(len(FRAME_TIMES) // 2))
            times = FRAME_TIMES[step : step + 2]
        frames = torch.tensor(np.stack([render.frame(scene, t, size) for t in times])).permute(0, 3, 1, 2)
        if len(times) == 2:
            made = processor.video_processor([frames], do_resize=False, do_sample_frames=False, return_tensors="pt")
            pixels.append(made["pixel_values_videos"])
        else:
            pixels.append(processor.image_processor(list(frames), do_resize=False, return_tensors="pt")["pixel_values"])
        truths.append(_cells(scene, times, size))
    who, acts, box = (torch.tensor(np.concatenate(part)) for part in zip(*truths))
    side = mini.FRAME_SIZE // 14
    grid = torch.tensor([[1, side, side]]).expand(len(truths), 3)
    return {"pixel_values": torch.cat(pixels), "image_grid_thw": grid, "who": who, "acts": acts, "box": box}


def _hear(processor, numbers: Sequence[int]) -> dict[str, Tensor]:
    """Scenes of every kind; a third of them cut as the question sets cut their sound."""
    sounds, targets = [], []
    for number in numbers:
        write = (script.write, script.write_action, script.write_crowd, script.write_emotion, script.write)[number % 5]
        scene = write(number)
        plan = TASKS["avqa" if number % 3 == 0 else "ave"].sound
        samples, stretches = prompt.apply_plan(render.sound(scene), plan)
        sounds.append(samples)
        targets.append(_who_sounds(scene, stretches))
    longest = script.DURATION * SAMPLE_RATE + TRAILING_SILENCE + 80
    made = processor.feature_extractor(
        sounds, sampling_rate=SAMPLE_RATE, padding="max_length", max_length=longest, return_attention_mask=True,
        return_tensors="pt",
    )  # fmt: skip
    return {
        "input_features": made["input_features"], "feature_attention_mask": made["attention_mask"],
        "who": torch.tensor(np.concatenate(targets)),
    }  # fmt: skip


def _who_sounds(scene: script.Scene, stretches: list[prompt.Stretch]) -> np.ndarray:
    """(positions, actors + 1) float32: who is heard, in equal shares, or else nobody."""
    step = round(TOKEN_SECONDS * SAMPLE_RATE)
    time = np.concatenate([s.start + np.arange(s.samples) / SAMPLE_RATE for s in stretches])[step // 2 :: step]
    target = np.zeros((len(time), _WHO.stop), np.float32)
    for part in scene.parts:
        target[[script.during(part.heard, t) for t in time], NAMES.index(part.actor)] = 1.0
    target[:, -1] = target.sum(1) == 0
    return target / target.sum(1, keepdims=True)


def _cells(scene: script.Scene, times: Sequence[float], size: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Of every cell: (cells, actors + 1) the share that each covers, and nobody, over the moments; (cells,) whether who covers it most
    sounds, -1 where nobody covers enough; (cells, 4) that one's box on the 224 grid, over the moments."""
    who = np.zeros((CELLS * CELLS, _WHO.stop), np.float32)
    parts: dict[script.Part, list] = {}
    for time in times:
        for part, mask in render.masks(scene, time, size):  # (height, width)
            share = mask.reshape(CELLS, size[1] // CELLS, CELLS, -1).mean((1, 3)).ravel()
            who[:, NAMES.index(part.actor)] += share / len(times)
            sounds = any(script.during(part.heard, time) for time in times)
            parts.setdefault(part, []).append((render.box(mask), sounds))
    acts, box = np.full(len(who), -1, np.float32), np.zeros((len(who), 4), np.float32)
    for part, seen in parts.items():
        column = who[:, NAMES.index(part.actor)]
        most = (column == who.max(1)) & (column > SHOWS)
        acts[most] = seen[0][1]
        corners = np.array([corner for corner, _ in seen]) * GRID[0] / size[0]
        box[most] = [*corners[:, :2].min(0), *(corners[:, 2:].max(0) + 1)]
    who[:, -1] = np.maximum(1 - who.sum(1), 0)
    return who, acts, box
