"""Box and points to pixels.

Two segmenters, one call. `Sam2` does what the released Crab+ does, but on the frame as it is: the released scripts squash
it to 224 x 224 first and never bring the mask back. `GrabCut` needs no weights: it separates the colours inside the box
from those around it (Rother, Kolmogorov and Blake, SIGGRAPH 2004), so it draws things that stand out from what is next
to them and fails, visibly, where they do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from crab import CrabError, weights
from crab.answer import Answer, Box

if TYPE_CHECKING:
    import torch

Point = tuple[float, float]  # (x, y), pixels of the frame


@dataclass(frozen=True)
class Mask:
    time: float  # seconds of the clip
    label: str
    mask: np.ndarray  # (height, width) bool, the frame's own
    score: float | None  # the segmenter's own guess at its overlap with the truth, 0 to 1; None if it makes none


class Segmenter(Protocol):
    name: str  # for people
    model: torch.nn.Module | None  # its weights, if it has any

    def __call__(self, frame: np.ndarray, box: Box | None, points: Sequence[Point]) -> tuple[np.ndarray, float | None]:
        """One object of `frame` (height, width, 3) uint8 RGB, by its box, by points on it, or by both.

        Returns its mask (height, width) bool, all False where nothing was found, and a score or None.
        """
        ...


def masks(segmenter: Segmenter, frame: np.ndarray, answer: Answer, *, time: float) -> tuple[Mask, ...]:
    """One mask for each box of `answer`, or one for its points where it has no box.

    Points go with the box they lie in, or with the only box. A mask without a pixel is left out: an answer with a box
    or points and fewer masks than boxes (or none) means that the segmenter found nothing there, which is for the
    caller to say. Nothing to segment gives ().
    """
    if not answer.boxes and not answer.points:
        return ()
    made = []
    for box in answer.boxes or (None,):
        alone = len(answer.boxes) < 2
        points = [point for point in answer.points if alone or box is None or _inside(point, box)]
        mask, score = segmenter(frame, box, points)
        if mask.any():
            made.append(Mask(time, box.label if box else "", mask, score))
    return tuple(made)


def _inside(point: Point, box: Box) -> bool:
    return box.x1 <= point[0] <= box.x2 and box.y1 <= point[1] <= box.y2


class GrabCut:
    """OpenCV's GrabCut, seeded with the box (probably the object) and small discs about the points (surely)."""

    name = "GrabCut"
    model = None

    # Only the box's surroundings are looked at: colours from the far end of a frame say little about this object and
    # often cut all of it away. These three were chosen on real frames, with boxes that are a little off as well.
    _MARGIN = 0.5  # of the box's sides
    _SIDE = 384  # pixels at most that the longer side is worked on with
    _ROUNDS = 5
    _DISC = 0.04  # radius about a point, of the box's mean side
    _REACH = 0.15  # how far from points an object may reach where there is no box, of the frame's shorter side

    def __call__(self, frame: np.ndarray, box: Box | None, points: Sequence[Point]) -> tuple[np.ndarray, None]:
        import cv2

        height, width = frame.shape[:2]
        x1, y1, x2, y2 = (box.x1, box.y1, box.x2, box.y2) if box else self._around(points, width, height)
        across, down = x2 - x1, y2 - y1
        left, right = _within(x1 - self._MARGIN * across, x2 + self._MARGIN * across, width)
        top, bottom = _within(y1 - self._MARGIN * down, y2 + self._MARGIN * down, height)

        crop = frame[top:bottom, left:right]
        scale = min(1.0, self._SIDE / max(crop.shape[:2]))
        size = max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale))
        small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)  # (h, w, 3)

        seeds = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
        column = slice(*_within((x1 - left) * scale, (x2 - left) * scale, size[0]))
        row = slice(*_within((y1 - top) * scale, (y2 - top) * scale, size[1]))
        seeds[row, column] = cv2.GC_PR_FGD
        if seeds.all():  # the box is the whole frame: let the outermost pixels stand for what is around the object
            seeds[[0, -1], :] = seeds[:, [0, -1]] = cv2.GC_BGD
        radius = max(1, round(self._DISC * (across + down) / 2 * scale))
        for x, y in points:
            cv2.circle(seeds, (int((x - left) * scale), int((y - top) * scale)), radius, cv2.GC_FGD, cv2.FILLED)

        found = np.zeros((height, width), bool)
        if (seeds == cv2.GC_BGD).all() or (seeds != cv2.GC_BGD).all():
            return found, None  # a few pixels, nothing to tell apart
        cv2.setRNGSeed(0)  # its colour clusters start at random; the same question gets the same mask
        behind, before = np.zeros((1, 65)), np.zeros((1, 65))
        # The rectangle is not read where the seeds are given, and the stubs do not know that it may be left out.
        cv2.grabCut(small, seeds, None, behind, before, self._ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
        object_ = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
        found[top:bottom, left:right] = cv2.resize(object_, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5
        return found, None

    def _around(self, points: Sequence[Point], width: int, height: int) -> tuple[float, float, float, float]:
        """The points' own box, made larger: they lie on the object, not around it."""
        xs, ys = zip(*points)
        reach = self._REACH * min(width, height)
        return (
            max(min(xs) - reach, 0),
            max(min(ys) - reach, 0),
            min(max(xs) + reach, width),
            min(max(ys) + reach, height),
        )


def _within(low: float, high: float, size: int) -> tuple[int, int]:
    """Every pixel that [low, high) touches, at least one, inside 0 to size."""
    start = min(max(int(np.floor(low)), 0), size - 1)
    return start, min(max(int(np.ceil(high)), start + 1), size)


class Sam2:
    """SAM 2 (Ravi et al., arXiv 2408.00714) through transformers, prompted as in the released Crab+.

    `model` is a hub id (`@revision` pins it) or a folder with a SAM 2 or 2.1 checkpoint. All points count as on the
    object, and one mask is made, not three to choose from. Weights are float32; `dtype` is what it computes in, by
    default bfloat16 on a GPU, as released, and float32 elsewhere. Raises CrabError where there is no such model.
    """

    def __init__(
        self, model: str | Path = "facebook/sam2.1-hiera-large", *, device: str | None = None, dtype: str | None = None
    ) -> None:
        import torch
        from transformers import Sam2Model, Sam2Processor

        self.name = str(model)
        model = weights.find_segmenter(self.name)
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._dtype = getattr(torch, dtype or ("bfloat16" if place.type == "cuda" else "float32"))
        try:
            self._processor = Sam2Processor.from_pretrained(model)
            read, loaded = Sam2Model.from_pretrained(model, dtype=torch.float32, output_loading_info=True)
            if loaded["missing_keys"]:  # another model's folder: transformers would fill them at random
                raise OSError(f"{min(loaded['missing_keys'])} is missing")
        except (OSError, ValueError, RuntimeError) as error:
            raise CrabError(
                f"No SAM 2 model could be read from {model}: give a folder that holds one, or a name on "
                "the Hugging Face hub and a connection to it."
            ) from error
        self.model = read.to(place).eval()

    def __call__(self, frame: np.ndarray, box: Box | None, points: Sequence[Point]) -> tuple[np.ndarray, float]:
        import torch

        # The processor counts image, object, point, coordinate: here one image with one object.
        inputs = self._processor(
            images=frame,
            input_boxes=[[[float(box.x1), float(box.y1), float(box.x2), float(box.y2)]]] if box else None,
            input_points=[[[[float(x), float(y)] for x, y in points]]] if points else None,
            input_labels=[[[1] * len(points)]] if points else None,
            return_tensors="pt",
        ).to(self.model.device)
        sizes = inputs.pop("original_sizes")
        computing = torch.autocast(self.model.device.type, self._dtype, enabled=self._dtype != torch.float32)
        with torch.inference_mode(), computing:
            made = self.model(**inputs, multimask_output=False)
        logits = made.pred_masks[0].float().cpu()  # (object, mask, 256, 256)
        mask = self._processor.post_process_masks([logits], sizes)[0]  # (object, mask, height, width) bool
        return mask[0, 0].numpy(), float(made.iou_scores[0, 0, 0])


def load_segmenter(name: str) -> Segmenter:
    """`grabcut`, or a SAM 2 folder or hub id. Raises CrabError where there is no such model."""
    return GrabCut() if name.lower() == "grabcut" else Sam2(name)
