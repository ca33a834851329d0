"""Box and points to pixels, of one picture or of a clip's pictures one after the other.

Three segmenters, two calls. `Sam2` does what the released Crab+ does, but on the frame as it is: the released scripts
squash it to 224 x 224 first and never bring the mask back. `Sam3` goes by the object's name, and takes of what it finds
the one that the box is about. `GrabCut` needs no weights: it separates the colours inside the box from those around it
(Rother, Kolmogorov and Blake, SIGGRAPH 2004), so it draws things that stand out from what is next to them and fails,
visibly, where they do not.

Over time, what has one name is one object. `Sam2` remembers it, `GrabCut` starts from its last mask, `Sam3` looks anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from crab import CrabError, stopping, weights
from crab.answer import Answer, Box
from crab.metrics import box_iou

if TYPE_CHECKING:
    import torch

Point = tuple[float, float]  # (x, y), pixels of the frame


@dataclass(frozen=True)
class Mask:
    time: float  # seconds of the clip
    label: str
    mask: np.ndarray  # (height, width) bool, the frame's own
    score: float | None  # the segmenter's own guess at its overlap with the truth, 0 to 1; None if it makes none


@dataclass(frozen=True)
class Pointed:
    """One object as an answer points to it, in pixels of its frame."""

    label: str  # "" where it has no name
    box: Box | None
    points: tuple[Point, ...] = ()


Cut = tuple[np.ndarray, float | None]  # a mask (height, width) bool, and the segmenter's score
Shot = tuple[np.ndarray, Sequence[Pointed]]  # a frame (height, width, 3) uint8 RGB, and what is pointed at in it


class Segmenter(Protocol):
    name: str  # for people
    model: torch.nn.Module | None  # its weights, if it has any

    def __call__(self, frame: np.ndarray, box: Box | None, points: Sequence[Point]) -> tuple[np.ndarray, float | None]:
        """One object of `frame` (height, width, 3) uint8 RGB, by its box, by points on it, or by both.

        Returns its mask (height, width) bool, all False where nothing was found, and a score or None.
        """
        ...

    def following(self, shots: Iterable[Shot]) -> Iterator[list[Cut]]:
        """The objects of one frame after another of a clip, those of each as soon as it is given. What has the same
        label, by `alike`, is the same object."""
        ...


def one_by_one(segmenter: Segmenter, shots: Iterable[Shot]) -> Iterator[list[Cut]]:
    """`following` without a memory."""
    for frame, objects in shots:
        yield [segmenter(frame, one.box, one.points) for one in objects]


def alike(label: str) -> str:
    """What makes two labels one object's."""
    return label.strip().casefold()


def pointed(answer: Answer) -> tuple[Pointed, ...]:
    """What an answer points at: an object a box, or one for its points where it has no box.

    Points go with the box they lie in, or with the only box.
    """
    if not answer.boxes and not answer.points:
        return ()
    objects = []
    for box in answer.boxes or (None,):
        alone = len(answer.boxes) < 2
        points = tuple(point for point in answer.points if alone or box is None or _inside(point, box))
        objects.append(Pointed(box.label if box else "", box, points))
    return tuple(objects)


def masks(segmenter: Segmenter, frame: np.ndarray, answer: Answer, *, time: float) -> tuple[Mask, ...]:
    """One mask for each of the objects that `answer` points at.

    A mask without a pixel is left out: an answer with a box or points and fewer masks than boxes (or none) means that
    the segmenter found nothing there, which is for the caller to say. Nothing to segment gives ().
    """
    objects, cuts = pointed(answer), []
    for one in objects:
        stopping.check()
        cuts.append(segmenter(frame, one.box, one.points))
    return named(objects, cuts, time=time)


def named(objects: Sequence[Pointed], cuts: Sequence[Cut], *, time: float) -> tuple[Mask, ...]:
    """What was cut out of one frame, without what has no pixel."""
    return tuple(Mask(time, one.label, mask, score) for one, (mask, score) in zip(objects, cuts) if mask.any())


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
        return self._cut(frame, box, points, None)

    def following(self, shots: Iterable[Shot]) -> Iterator[list[Cut]]:
        """As of `Segmenter`. The last mask of an object, moved to where its box is now, says what in the box is probably
        it and what is not."""
        last: dict[str, np.ndarray] = {}
        for frame, objects in shots:
            cuts: list[Cut] = []
            for one in objects:
                cut = self._cut(frame, one.box, one.points, last.get(alike(one.label)))
                if cut[0].any():
                    last[alike(one.label)] = cut[0]
                cuts.append(cut)
            yield cuts

    def _cut(
        self, frame: np.ndarray, box: Box | None, points: Sequence[Point], before: np.ndarray | None
    ) -> tuple[np.ndarray, None]:
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
        if box and before is not None:
            seeds[row, column][~_stretched(before, seeds[row, column].shape)] = cv2.GC_PR_BGD
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


def _stretched(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What a mask covers of its own extent, brought to `size` (height, width); all of it where nothing would be left."""
    import cv2

    down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    own = mask[down[0] : down[-1] + 1, across[0] : across[-1] + 1].astype(np.float32)
    shape = cv2.resize(own, size[::-1], interpolation=cv2.INTER_AREA) > 0.5
    return shape if shape.any() else np.ones(size, bool)


def _within(low: float, high: float, size: int) -> tuple[int, int]:
    """Every pixel that [low, high) touches, at least one, inside 0 to size."""
    start = min(max(int(np.floor(low)), 0), size - 1)
    return start, min(max(int(np.ceil(high)), start + 1), size)


def _place(device: str | None) -> torch.device:
    import torch

    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _read(kind: Any, folder: str, what: str) -> torch.nn.Module:
    """A model of transformers in float32. Raises CrabError where the folder holds another."""
    import torch

    try:
        read, loaded = kind.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
        if loaded["missing_keys"]:  # another model's folder: transformers would fill them at random
            raise OSError(f"{min(loaded['missing_keys'])} is missing")
    except (OSError, ValueError, RuntimeError) as error:
        raise CrabError(_NONE.format(what=what, folder=folder)) from error
    return read.eval()


_NONE = ("No {what} could be read from {folder}: give a folder that holds one, or a name on the Hugging Face hub and a "
         "connection to it.")  # fmt: skip


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
        self._folder = weights.find_segmenter(self.name)
        place = _place(device)
        self._dtype = getattr(torch, dtype or ("bfloat16" if place.type == "cuda" else "float32"))
        try:
            self._processor = Sam2Processor.from_pretrained(self._folder)
        except (OSError, ValueError, RuntimeError) as error:
            raise CrabError(_NONE.format(what="SAM 2 model", folder=self._folder)) from error
        self.model = _read(Sam2Model, self._folder, "SAM 2 model").to(place)

    def __call__(self, frame: np.ndarray, box: Box | None, points: Sequence[Point]) -> tuple[np.ndarray, float]:
        inputs, sizes = self._prompted(frame, box, points)
        with self._computing():
            made = self.model(**inputs, multimask_output=False)
        return self._whole(made.pred_masks[0], sizes), float(made.iou_scores[0, 0, 0])

    def following(self, shots: Iterable[Shot]) -> Iterator[list[Cut]]:
        """As of `Segmenter`, by SAM 2's video model, which remembers every object: of a frame it is told box and points,
        on top of what it remembers. Scores are how sure it is that the object is there at all.

        Memory does not grow with the clip: of what was seen, only what it can still look back at is kept.
        """
        import torch
        from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

        model, place = self._video, self.model.device
        session = Sam2VideoInferenceSession(
            inference_device=place, inference_state_device=place, video_storage_device=place, dtype=torch.float32
        )
        numbers: dict[str, int] = {}
        for at, (frame, objects) in enumerate(shots):
            session.video_height, session.video_width = frame.shape[:2]
            session.add_new_frame(self._prompted(frame, None, ())[0]["pixel_values"], at)
            with self._computing():
                if numbers:  # first where they are by memory, so that what is told comes on top of that
                    model(session, frame_idx=at)
                asked = [numbers.setdefault(alike(one.label), len(numbers)) for one in objects]
                for number, one in zip(asked, objects):
                    told, sizes = self._prompted(frame, one.box, one.points)
                    session.add_point_inputs(session.obj_id_to_idx(number), at, _as_points(told))
                session.obj_with_new_inputs = list(dict.fromkeys(asked))
                made: Any = model(session, frame_idx=at) if asked else None
            cuts: list[Cut] = []
            for number in asked:
                row = made.object_ids.index(number)
                sure = float(made.object_score_logits[row].float().sigmoid())
                cuts.append((self._whole(made.pred_masks[row][None], sizes), sure))
            _forget(session, at, model.config)
            yield cuts

    @cached_property
    def _video(self) -> Any:
        """The model for clips, of the same checkpoint; what looks at pictures, most of it, is shared with the other."""
        from transformers import Sam2VideoModel

        video: Any = _read(Sam2VideoModel, self._folder, "SAM 2 model for clips").to(self.model.device)
        video.vision_encoder = self.model.vision_encoder
        return video

    def _prompted(self, frame: np.ndarray, box: Box | None, points: Sequence[Point]) -> tuple[Any, Any]:
        """What the model is given, and the frame's size. The processor counts image, object, point, coordinate: here one
        image with one object."""
        inputs = self._processor(
            images=frame,
            input_boxes=[[[float(box.x1), float(box.y1), float(box.x2), float(box.y2)]]] if box else None,
            input_points=[[[[float(x), float(y)] for x, y in points]]] if points else None,
            input_labels=[[[1] * len(points)]] if points else None,
            return_tensors="pt",
        ).to(self.model.device)
        return inputs, inputs.pop("original_sizes")

    @contextmanager
    def _computing(self) -> Iterator[None]:
        import torch

        computing = torch.autocast(self.model.device.type, self._dtype, enabled=self._dtype != torch.float32)
        with torch.inference_mode(), computing:
            yield

    def _whole(self, logits: torch.Tensor, sizes: Any) -> np.ndarray:
        """(object, mask, 256, 256) as one mask of the frame's own size, (height, width) bool."""
        return self._processor.post_process_masks([logits.float().cpu()], sizes)[0][0, 0].numpy()


def _as_points(told: Any) -> dict[str, torch.Tensor]:
    """Box and points as the video model takes them: corners of a box are points of two labels of their own."""
    import torch

    places, labels = [], []
    if told.get("input_boxes") is not None:
        places.append(told["input_boxes"].reshape(1, 1, 2, 2))
        labels.append(torch.tensor([[[2, 3]]], dtype=torch.int32, device=places[0].device))
    if told.get("input_points") is not None:
        places.append(told["input_points"])
        labels.append(told["input_labels"].to(torch.int32))
    return {"point_coords": torch.cat(places, 2), "point_labels": torch.cat(labels, 2)}


def _forget(session: Any, at: int, config: Any) -> None:
    """Let go of a frame's pixels, and of what is too long ago to be looked back at; where an object was shown first
    stays."""
    session.processed_frames[at] = None
    back = max(config.num_maskmem, config.max_object_pointers_in_encoder)
    for outputs in session.output_dict_per_obj.values():
        outputs["non_cond_frame_outputs"].pop(at - back, None)
        for kept in (*outputs["cond_frame_outputs"].values(), *outputs["non_cond_frame_outputs"].values()):
            kept.pop("high_res_masks", None)


class Sam3:
    """SAM 3 (Carion et al., arXiv 2511.16719) through transformers: finds all things of a name in a picture, of which
    one is taken.

    `model` is a hub id or a folder with a SAM 3 checkpoint; where an object has no name, its box is shown instead. One
    picture is looked at at a time, so memory does not grow with the clip. Raises CrabError where there is no such model.
    """

    _SURE = 0.3  # how sure it has to be of a thing, as transformers has it

    def __init__(
        self, model: str | Path = "facebook/sam3", *, device: str | None = None, dtype: str | None = None
    ) -> None:
        import torch
        from transformers import Sam3Model, Sam3Processor

        self.name = str(model)
        folder, place = weights.find_segmenter(self.name), _place(device)
        self._dtype = getattr(torch, dtype or ("bfloat16" if place.type == "cuda" else "float32"))
        try:
            self._processor = Sam3Processor.from_pretrained(folder)
        except (OSError, ValueError, RuntimeError) as error:
            raise CrabError(_NONE.format(what="SAM 3 model", folder=folder)) from error
        self.model = _read(Sam3Model, folder, "SAM 3 model").to(place)

    def __call__(self, frame: np.ndarray, box: Box | None, points: Sequence[Point]) -> tuple[np.ndarray, float | None]:
        import torch

        if box is None:  # points alone have no name to look for
            return np.zeros(frame.shape[:2], bool), None
        shown = {"text": box.label} if box.label else {"input_boxes": [[[box.x1, box.y1, box.x2, box.y2]]]}
        inputs = self._processor(images=frame, return_tensors="pt", **shown).to(self.model.device)
        inputs.pop("original_sizes", None)
        computing = torch.autocast(self.model.device.type, self._dtype, enabled=self._dtype != torch.float32)
        with torch.inference_mode(), computing:
            made = self.model(**inputs)
        [found] = self._processor.post_process_instance_segmentation(
            made, threshold=self._SURE, target_sizes=[frame.shape[:2]]
        )
        corners = (box.x1, box.y1, box.x2, box.y2)
        shares = [box_iou(corners, one) for one in found["boxes"].float().cpu().tolist()]
        if not shares or not max(shares):
            return np.zeros(frame.shape[:2], bool), None
        best = int(np.argmax(shares))
        return found["masks"][best].cpu().numpy().astype(bool), float(found["scores"][best])

    def following(self, shots: Iterable[Shot]) -> Iterator[list[Cut]]:
        return one_by_one(self, shots)


def load_segmenter(name: str) -> Segmenter:
    """`grabcut`, or a SAM 2 or SAM 3 folder or hub id. Raises CrabError where there is no such model."""
    if name.lower() == "grabcut":
        return GrabCut()
    return Sam3(name) if _kind(weights.find_segmenter(name)).startswith("sam3") else Sam2(name)


def _kind(folder: str) -> str:
    """The kind of model in a folder, "" where that is not told."""
    try:
        return str(json.loads(Path(folder, "config.json").read_text(encoding="utf-8")).get("model_type", ""))
    except (OSError, ValueError, AttributeError):
        return ""
