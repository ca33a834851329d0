"""What the encoders make of the laboratory's clips, computed once and kept: arms that leave the encoders alone share it.

A clip is drawn, processed and encoded once. What is kept of it is the processor's result for the text up to the end of
the clip, with the encoders' features where pixels and spectrogram were, and beside it what is asked and the target.
`hand_on` makes a thinker take such features for media, so that training and answering go on as with any clip.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from crab import prompt
from crab.answer import Answer, parse
from crab.disk import whole
from crab.learn.items import Subject, clip_about
from crab.learn.pack import Item, join
from crab.prompt import Prompt, TokenMap
from crab.seen import Media
from crab.tasks import TASKS

# A task here is what a person would call one: of the nineteen formulations, some ask the same in the same words (ave and
# unav; the two about actions; the five about emotions; s4 and ms3), and what one of these gives another is no transfer.
SUBJECTS = {
    "unav": Subject("objects", ("unav",)),
    "avvp": Subject("objects", ("avvp",)),
    "avcap": Subject("objects", ("avcap",)),
    "avqa": Subject("objects", ("avqa",), 6),
    "avqa_thu": Subject("objects", ("avqa_thu",), 4),
    "ks": Subject("action", ("ks",)),
    "meld": Subject("emotion", ("meld",)),
    "a2v": Subject("pair", ("a2v",)),
    "v2a": Subject("pair", ("v2a",)),
    "arig": Subject("objects", ("arig",)),
    "s4": Subject("objects", ("s4",)),
    "ref_avs": Subject("objects", ("ref_avs",), None),
}
MEDIA = ("input_features", "pixel_values", "pixel_values_videos")
_CONCLUSIONS = ("<answer>", "<event>", "<visual_event>", "<audio_event>")  # what a tagged result begins with


@dataclass(frozen=True)
class Asked:
    """One question about a kept clip: dataset, what a person types, and the whole text to answer."""

    dataset: str
    question: str
    target: str

    @property
    def conclusion(self) -> str:
        """The target without the reasoning before its tagged result; all of it where nothing is tagged."""
        starts = [at for at in (self.target.find(tag) for tag in _CONCLUSIONS) if at >= 0]
        return self.target[min(starts, default=0) :]

    @property
    def reference(self) -> Answer:
        return parse(self.target, TASKS[self.dataset])


@dataclass(frozen=True)
class Clip:
    """`inputs`: the processor's tensors up to the end of the clip, features in place of media."""

    inputs: dict[str, Tensor]
    asked: tuple[Asked, ...]

    def item(self, processor, *, concise: bool = False) -> Item:
        """The clip and all its questions, to train on; `concise` leaves out what a target reasons."""
        end = processor.tokenizer.eos_token
        says = [(one.conclusion if concise else one.target) + end for one in self.asked]
        return join(processor, [(TASKS[one.dataset], one.question, "", text) for one, text in zip(self.asked, says)],
                    lambda text: self.inputs)  # fmt: skip

    def prompt(self, processor) -> Prompt:
        """The clip and its first question, to be answered."""
        item = Clip(self.inputs, self.asked[:1]).item(processor)
        ids = item.ids[item.labels == -100][None]
        inputs = self.inputs | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return Prompt(inputs, TokenMap((), (), (), 0, 0), Media())


@dataclass(frozen=True)
class Features:
    """Clips by task and number, as files under `folder`."""

    folder: Path
    processor: object

    def path(self, name: str, number: int) -> Path:
        return self.folder / name / f"{number}.safetensors"

    def clip(self, name: str, number: int) -> Clip:
        with safe_open(self.path(name, number), "pt") as file:
            asked = json.loads(file.metadata()["asked"])
            kept = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        inputs = {key: value.float() if value.is_floating_point() else value for key, value in kept.items()}
        return Clip(inputs, tuple(Asked(*one) for one in asked))

    def keep(self, thinker: nn.Module, name: str, number: int, *, frame_size: int) -> None:
        """Draw, encode and write a clip, unless it is there. `thinker` is one that encodes still (no `hand_on`)."""
        path = self.path(name, number)
        if path.exists():
            return
        seen, asked = clip_about(name, SUBJECTS[name], number)
        words: list[dict] = []

        def read(text: str) -> dict[str, Tensor]:
            words.append(encoded(thinker, prompt.process(self.processor, text, seen, frame_size=frame_size)))
            return words[0]

        join(self.processor, [(TASKS[one.dataset], one.question, "", one.target) for one in asked], read)
        said = json.dumps([(one.dataset, one.question, one.target) for one in asked])
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            save_file({key: value.contiguous() for key, value in words[0].items()}, part, metadata={"asked": said})


@torch.no_grad()
def encoded(thinker: nn.Module, inputs) -> dict[str, Tensor]:
    """The processor's tensors with features, (tokens, hidden) bfloat16, in place of pixels and spectrogram.

    Half the bytes of float32, and alike for all that learn from them.
    """
    found = dict(inputs)
    of, device = thinker.model, thinker.device
    get: dict[str, Callable[[], Sequence[Tensor]]] = {
        "input_features": lambda: [of.get_audio_features(
            found["input_features"].to(device), found["feature_attention_mask"].to(device), return_dict=True
        ).last_hidden_state],
        "pixel_values": lambda: of.get_image_features(
            found["pixel_values"].to(device), found["image_grid_thw"].to(device), return_dict=True).pooler_output,
        "pixel_values_videos": lambda: of.get_video_features(
            found["pixel_values_videos"].to(device), found["video_grid_thw"].to(device), return_dict=True).pooler_output,
    }  # fmt: skip
    features = {name: torch.cat(tuple(get[name]())).to("cpu", torch.bfloat16) for name in MEDIA if name in found}
    return found | features


def hand_on(thinker: nn.Module) -> None:
    """Let what a thinker is given for media be what its encoders hand on to the language model. In place, for good."""

    def sounds(input_features: Tensor, *_, **__) -> BaseModelOutputWithPooling:
        return BaseModelOutputWithPooling(last_hidden_state=input_features)

    # Named as the model's own, by which `generate` knows what to hand them.
    def pictures(pixel_values: Tensor, image_grid_thw: Tensor | None = None, **_) -> BaseModelOutputWithPooling:
        return BaseModelOutputWithPooling(pooler_output=(pixel_values,))

    def films(pixel_values_videos: Tensor, video_grid_thw: Tensor | None = None, **_) -> BaseModelOutputWithPooling:
        return BaseModelOutputWithPooling(pooler_output=(pixel_values_videos,))

    of = thinker.model
    of.get_audio_features, of.get_image_features, of.get_video_features = sounds, pictures, films
