"""Task + clip -> the tensors the model reads, and a map that says what every position is.

Reproduces the released preprocessing (frames squashed to a square, ten or four of them, sound cut by the task's plan,
one second a video grid step of 2.0), with the stock Qwen2.5-Omni processor.

The work is in two halves: `gather` takes what a task needs from a clip, be it decoded or drawn (arrays), `assemble` turns
arrays and words into tensors.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from crab import CrabError, tasks
from crab.media import Limits
from crab.seen import SAMPLE_RATE, Media, Stretch
from crab.tasks import LONGEST_HEARD, SLACK, SoundPlan, Task
from crab.trace import Token

if TYPE_CHECKING:
    import torch

SECOND_PER_GRID = 2.0
"""Seconds of model time between two video grids. The released processor assumes one frame a second whatever the clip's
rate, and the published weights were trained so."""

Window = tuple[float, float]  # seconds of a clip
MEL_HOP = 160  # samples between mel frames: 100 a second
VISION_WINDOW = 112  # pixels a side of what the picture encoder's attention sees at once (vision_config.window_size)
TRAILING_SILENCE = 400  # one analysis window; without it the last mel frames differ from a sound padded to 300 s
TOKEN_SECONDS = 0.04  # an audio token: four mel frames


@dataclass(frozen=True)
class TokenMap:
    """What every position is, in each tower's own counting.

    `tokens`: the language model's prompt. `audio`: the sound encoder's positions, 20 ms each. `vision`: the picture
    encoder's patches in the order it visits them (window by window). `rows` x `cols`: language-side cells of a frame.
    """

    tokens: tuple[Token, ...]
    audio: tuple[Token, ...]
    vision: tuple[Token, ...]
    rows: int
    cols: int


@dataclass(frozen=True)
class Prompt:
    """`inputs`: tensors of batch size one, as the thinker's forward names them. `map`: what each position is.

    `media`: what those tensors were made of, its videos no larger than they are kept. `shown`: how many positions stand
    before the words; of all prompts with one `key` these are the same.
    """

    inputs: dict[str, torch.Tensor]
    map: TokenMap
    media: Media = field(repr=False)
    shown: int = 0
    key: str = ""


# --- what a task needs from a clip ----------------------------------------------------------------------------------


class Source(Protocol):
    """What frames and sound come from: a clip that was uploaded (`media.Clip`) or a scene (`scenes.clip.SceneClip`)."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def duration(self) -> float:
        """Seconds until picture and sound are both over; 0.0 for a lone picture."""

    @property
    def visible(self) -> bool:
        """Whether there is anything to see."""

    @property
    def audible(self) -> bool:
        """Whether there is anything to hear."""

    @property
    def still(self) -> float:
        """The second of the one picture that stands for it."""

    @property
    def piece(self) -> int | None:
        """The piece of its sound that this picture belongs to, where that is not told by the second."""

    def frames(self, n: int, *, start: float = 0.0, end: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """`n` frames of [start, end), (n, height, width, 3) uint8, and their seconds, (n,) float64."""

    def frame_at(self, time: float) -> np.ndarray:
        """The frame on show at `time`, (height, width, 3) uint8."""

    def sound(self, *, start: float = 0.0, end: float | None = None) -> np.ndarray:
        """Mono float32 at 16 kHz, shorter where it is over before `end`."""


def gather(clip: Source, task: Task, *, other: Source | None = None, window: Window | None = None) -> Media:
    """Take what `task` needs of `clip` (and of `other`, for matching): all of it, or seconds `window` of it.

    What a clip lacks is replaced (black picture, silence) and said in `Media.notes`. Raises MediaError as decoding
    does, and CrabError where a matching task has one clip only.
    """
    clips = _clips(clip, task, other)
    notes: list[str] = []
    parts: dict = {}

    videos = [c for kind, c in clips if kind == "video"]
    if videos:
        shown = [_frames(c, task.frames, window, notes) for c in videos]
        parts["videos"] = tuple(frames for frames, _ in shown)
        parts["times"] = tuple(float(t) for _, times in shown for t in times)
        parts["sources"] = tuple(i for i, (_, times) in enumerate(shown) for _ in times)
    if "image" in task.media:
        parts["picture_time"] = clip.still
        if clip.visible:
            parts["picture"] = clip.frame_at(clip.still)
        else:
            notes.append("There is no picture in this clip; the model sees a black one.")
            parts["picture"] = np.zeros((224, 224, 3), np.uint8)

    sounds = [c for kind, c in clips if kind == "audio"]
    if sounds:
        heard = [_sound(c, task.sound, "image" in task.media, window, i, notes) for i, c in enumerate(sounds)]
        parts["sound"] = np.concatenate([samples for samples, _ in heard])
        parts["stretches"] = tuple(s for _, stretches in heard for s in stretches)
    return Media(**parts, notes=tuple(notes))


def _clips(clip: Source, task: Task, other: Source | None) -> list[tuple[str, Source]]:
    """The task's media slots with the clip that fills each: the second slot of a kind belongs to `other`."""
    seen: set[str] = set()
    filled = []
    for kind in task.media:
        if kind not in seen:
            filled.append((kind, clip))
        elif other is not None:
            filled.append((kind, other))
        else:
            raise CrabError("This question compares two clips: please give a second one.")
        seen.add(kind)
    return filled


def _frames(clip: Source, n: int, window: Window | None, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    start, end = window or (0.0, None)
    if clip.visible:
        return clip.frames(n, start=start, end=end)
    notes.append(f"There is no picture in {clip.name}; the model sees black frames.")
    return np.zeros((n, 224, 224, 3), np.uint8), np.linspace(start, end or clip.duration, n)


def _sound(
    clip: Source, plan: SoundPlan, still: bool, window: Window | None, source: int, notes: list[str]
) -> tuple[np.ndarray, list[Stretch]]:
    index = clip.piece or 0
    if still and clip.piece is None:
        first, last, index = around_still(clip.still, clip.duration, plan)
        window = first, last
    start, end = window or (0.0, None)
    spread = plan.pieces and not still and (end or clip.duration) - start > LONGEST_HEARD + SLACK
    if spread:
        spans = plan.spread(start, end or clip.duration)
        pieces = [_lasting(clip.sound(start=first, end=last), last - first) for first, last in spans]
        samples = np.concatenate(pieces)
        stretches = [Stretch(first - start, len(piece)) for (first, _), piece in zip(spans, pieces)]
    else:
        samples = clip.sound(start=start, end=end)
        if window or not clip.audible:
            # Pieces and times are counted on the window, so the sound has to last as long.
            samples = _lasting(samples, (end or clip.duration or 1.0) - start)
        samples, stretches = apply_plan(samples, plan, index=index)
    if not clip.audible:
        notes.append(f"There is no sound in {clip.name}; the model hears silence.")
    elif np.count_nonzero(samples) < Limits.shortest_sound * SAMPLE_RATE:  # it is over, or has not begun
        where = f"around second {int(clip.still)}" if still else "in a part of it"
        notes.append(f"{clip.name} has no sound {where}; there the model hears silence.")
    elif spread:
        notes.append(f"Of the sound of {clip.name} the model hears {len(stretches)} pieces spread over it, "
                     f"{len(samples) / SAMPLE_RATE:.0f} s in all.")  # fmt: skip
    return samples, [Stretch(s.start + start, s.samples, source) for s in stretches]


def _lasting(samples: np.ndarray, seconds: float) -> np.ndarray:
    """16 kHz `samples`, with silence after them up to `seconds`."""
    return np.pad(samples, (0, max(0, round(seconds * SAMPLE_RATE) - len(samples))))


def around_still(second: float, duration: float, plan: SoundPlan) -> tuple[float, float, int]:
    """Start, end (seconds) and piece number of the sound that goes with the still of one second of a clip.

    A published still comes with five or ten seconds of sound, a piece a second; so does ours, with silence at the end
    of a clip that is shorter.
    """
    start = float(np.clip(np.floor(second) - plan.pieces // 2, 0.0, max(0.0, duration - plan.pieces)))
    return start, start + plan.pieces, min(int(second - start), plan.pieces - 1)


def apply_plan(samples: np.ndarray, plan: SoundPlan, *, index: int = 0) -> tuple[np.ndarray, list[Stretch]]:
    """Cut 16 kHz `samples` the way the released dataset code does for one task.

    Returns the samples the model hears and the stretches of the source they are. `index`: which piece, for "slice".
    """
    if len(samples) < SAMPLE_RATE:
        samples = np.pad(samples, (0, SAMPLE_RATE - len(samples)))
    unit = len(samples) // plan.pieces if plan.pieces else 0
    if plan.kind == "whole":
        kept = samples[: unit * plan.pieces]
        return kept, [Stretch(0.0, len(kept))]
    if plan.kind == "fixed":
        wanted = int(plan.seconds * SAMPLE_RATE)
        return np.pad(samples, (0, max(0, wanted - len(samples))))[:wanted], [Stretch(0.0, wanted)]
    if plan.kind == "slice":
        kept = samples[index * unit : (index + 1) * unit]
        return np.pad(kept, (0, unit - len(kept))), [Stretch(index * unit / SAMPLE_RATE, unit)]
    bounds = [(int(np.floor(a * unit)), int(np.floor(b * unit))) for a, b in plan.windows]
    pieces = [np.pad(samples[max(a, 0) : b], (max(-a, 0), 0)) for a, b in bounds]
    return np.concatenate(pieces), [Stretch(a / SAMPLE_RATE, len(p)) for (a, _), p in zip(bounds, pieces)]


# --- tensors --------------------------------------------------------------------------------------------------------


def build(
    processor, clip: Source, task: Task, question: str = "", *, frame_size: int = 224, other: Source | None = None,
    window: Window | None = None,
) -> Prompt:  # fmt: skip
    """Everything at once: `tasks.check_question`, so that nothing is decoded in vain, `gather`, then `assemble`."""
    tasks.check_question(task, question)
    return assemble(processor, gather(clip, task, other=other, window=window), task, question, frame_size=frame_size)


def assemble(processor, seen: Media, task: Task, question: str = "", *, frame_size: int = 224) -> Prompt:
    """Decoded media and words -> tensors (batch 1) and the map of positions: `show`, then `say`."""
    return say(processor, show(processor, seen, task, frame_size=frame_size), task, question)


def show(processor, seen: Media, task: Task, *, frame_size: int = 224) -> Prompt:
    """Decoded media -> a prompt that ends where the words begin: all questions of a task begin alike.
    `processor`: a Qwen2_5OmniProcessor. `frame_size`: pixels a side that the checkpoint sees, a multiple of 28.
    """
    inputs = dict(process(processor, _template(processor, task)[0], seen, frame_size=frame_size))
    ids = inputs["input_ids"][0]
    return Prompt(inputs, _map(processor, ids, inputs, seen, frame_size), seen.small(), shown=len(ids))


def say(processor, shown: Prompt, task: Task, question: str = "") -> Prompt:
    """What was shown, and then the words.
    What is typed is text: no word of it is read as a token that steers the model. Raises CrabError where the task
    needs words that are missing, and as `tasks.check_question` does.
    """
    import torch

    tasks.check_question(task, question)
    _, after = _template(processor, task)
    words = words_only(processor.tokenizer, tasks.instruction(task, question)) + processor.tokenizer(after)["input_ids"]
    ids = torch.cat([shown.inputs["input_ids"][0], torch.tensor(words)])
    inputs = shown.inputs | {"input_ids": ids[None], "attention_mask": torch.ones_like(ids[None])}
    said = tuple(Token("text", text=processor.tokenizer.decode([i])) for i in words)
    return replace(shown, inputs=inputs, map=replace(shown.map, tokens=shown.map.tokens + said))


def messages(task: Task, question: str = "") -> list[dict]:
    """The conversation before the answer, in the processor's chat form.

    Two videos (or two sounds) of a matching task travel as one, so each kind of media stands once, where its last
    slot is.
    """
    return _conversation(task, tasks.instruction(task, question))


def _conversation(task: Task, instruction: str) -> list[dict]:
    kinds = [kind for i, kind in enumerate(task.media) if kind not in task.media[i + 1 :]]
    content = [{"type": "text", "text": task.lead}, *({"type": kind} for kind in kinds)]
    content.append({"type": "text", "text": instruction})
    return [{"role": "system", "content": tasks.SYSTEM}, {"role": "user", "content": content}]


def _template(processor, task: Task) -> tuple[str, str]:
    """What the chat template puts before a task's instruction, media placeholders and all, and what after it."""
    gap = "\0"  # nothing of ours holds it, and nobody may type it
    text = processor.apply_chat_template(_conversation(task, gap), tokenize=False, add_generation_prompt=True)
    before, *rest = text.split(gap)
    if len(rest) != 1:
        raise CrabError("The chat template does not pass on what the person says: it has to print every text once.")
    return before, rest[0]


def words_only(tokenizer, text: str) -> list[int]:
    """Token ids of `text` as nothing but words: where a marker such as `<|im_end|>` is spelt out, its letters.

    Text without markers is tokenized as ever. Added tokens that are plain words (crab-mini's numbers) are words.
    """
    markers = _markers(tokenizer)
    ids: list[int] = []
    while text:
        read = tokenizer(text, return_offsets_mapping=True)
        at = next((n for n, i in enumerate(read["input_ids"]) if i in markers), None)
        if at is None:
            return ids + read["input_ids"]
        start, end = read["offset_mapping"][at]
        if end - start < 2:
            raise CrabError(f"The model takes {text[start:end]!r} for a sign of its own: please leave it out.")
        ids += words_only(tokenizer, text[: start + 1])  # cut within the marker: neither part is one any more
        text = text[start + 1 :]
    return ids


def _markers(tokenizer) -> set[int]:
    """Ids of the added tokens that are no words: special ones, and others in brackets, such as `<tool_call>`."""
    bracketed = re.compile(r"[^\w\s].*\w.*[^\w\s]").fullmatch
    return {i for i, token in tokenizer.added_tokens_decoder.items() if token.special or bracketed(token.content)}


def rehearse(processor, *, frame_size: int = 224) -> tuple[Prompt, ...]:
    """One prompt with a video and one with a picture, black and silent, as the first person to ask would need them.

    Raises CrabError where the processor's files do not make what the rest of this module relies on.
    """
    silence, stretches = np.zeros(SAMPLE_RATE, np.float32), (Stretch(0.0, SAMPLE_RATE),)
    black = np.zeros((10, frame_size, frame_size, 3), np.uint8)
    shown = {"avqa": {"videos": (black,), "times": tuple(range(10)), "sources": (0,) * 10},
             "ref_avs": {"picture": black[0]}}  # fmt: skip
    prompts = []
    for name, pictures in shown.items():
        task, question, tokenizer = tasks.TASKS[name], "How many things make a sound?", processor.tokenizer
        words = tasks.instruction(task, question)
        if tokenizer.decode(words_only(tokenizer, words)) != words:
            raise CrabError("The tokenizer does not know the letters of an ordinary question.")
        before, after = (tokenizer(text)["input_ids"] for text in _template(processor, task))
        if not (before and after and {before[-1], after[0]} <= _markers(tokenizer)):
            raise CrabError("The chat template does not set what a person says apart by tokens of its own.")
        seen = Media(**pictures, sound=silence, stretches=stretches)
        made = assemble(processor, seen, task, question, frame_size=frame_size)
        cells = made.map.rows * made.map.cols
        expected = {"audio": round(1 / TOKEN_SECONDS)} | ({"video": 5 * cells} if seen.videos else {"image": cells})
        if Counter(t.modality for t in made.map.tokens if t.modality != "text") != expected:
            raise CrabError("The chat template does not give every picture and every sound its place, once.")
        prompts.append(made)
    return tuple(prompts)


def process(processor, text: str, seen: Media, *, frame_size: int = 224):
    """Run the stock processor on one text and its media; returns its BatchFeature, `video_second_per_grid` set right."""
    import torch

    given: dict = {}
    if seen.videos:
        given["videos"] = [torch.cat([squash(frames, frame_size) for frames in seen.videos])]
    if seen.picture is not None:
        given["images"] = [Image.fromarray(seen.picture).resize((frame_size, frame_size))]
    if seen.sound is not None:
        given["audio"] = [seen.sound]
        length = -(-(len(seen.sound) + TRAILING_SILENCE) // MEL_HOP) * MEL_HOP
        given["audio_kwargs"] = {"max_length": length}
    inputs = processor(
        text=[text],
        videos_kwargs={"do_resize": False},
        images_kwargs={"do_resize": False},
        return_tensors="pt",
        **given,
    )
    if seen.videos:
        inputs["video_second_per_grid"] = torch.full((len(inputs["video_grid_thw"]),), SECOND_PER_GRID)
    return inputs


def squash(frames: np.ndarray, side: int) -> torch.Tensor:
    """(frames, height, width, 3) uint8 -> (frames, 3, side, side) uint8: bicubic, antialiased, aspect ratio not kept."""
    import torch
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as tvf

    # A still is one array seen many times over: it is resized once. Others one at a time, as copies of large ones are
    # gigabytes.
    distinct = frames[:1] if frames.strides[0] == 0 else frames
    pictures = (torch.tensor(frame[None]).permute(0, 3, 1, 2) for frame in distinct)
    squashed = torch.cat([tvf.resize(p, [side, side], InterpolationMode.BICUBIC, antialias=True) for p in pictures])
    return squashed.expand(len(frames), -1, -1, -1)


def collate(prompts: list[Prompt], *, pad: int) -> dict[str, torch.Tensor]:
    """Several prompts -> one batch, padded on the left, so that every answer starts right after its own prompt."""
    import torch

    longest = max(p.inputs["input_ids"].shape[1] for p in prompts)
    batch: dict[str, list[torch.Tensor]] = {}
    for prompt in prompts:
        for name, value in prompt.inputs.items():
            if name in ("input_ids", "attention_mask"):
                missing = longest - value.shape[1]
                value = torch.nn.functional.pad(value, (missing, 0), value=pad if name == "input_ids" else 0)
            batch.setdefault(name, []).append(value)
    for name in ("input_features", "feature_attention_mask"):
        widest = max((f.shape[-1] for f in batch[name]), default=0)
        batch[name] = [torch.nn.functional.pad(f, (0, widest - f.shape[-1])) for f in batch[name]]
    return {name: torch.cat(values) for name, values in batch.items()}


# --- the map --------------------------------------------------------------------------------------------------------


def _map(processor, ids: torch.Tensor, inputs: dict, seen: Media, frame_size: int) -> TokenMap:
    cells = frame_size // processor.image_processor.patch_size // processor.image_processor.merge_size
    n_audio = int((ids == processor.audio_token_id).sum())
    streams = {
        processor.audio_token_id: iter(_audio_tokens(seen.stretches, n_audio, TOKEN_SECONDS)),
        processor.video_token_id: iter(_video_tokens(seen, cells)),
        processor.image_token_id: iter(_image_tokens(seen, cells)),
    }
    tokens = tuple(
        next(streams[i]) if i in streams else Token("text", text=processor.tokenizer.decode([i])) for i in ids.tolist()
    )
    mel = int(inputs["feature_attention_mask"].sum())
    audio = tuple(_audio_tokens(seen.stretches, (mel - 1) // 2 + 1, TOKEN_SECONDS / 2))
    return TokenMap(tokens, audio, tuple(_vision_order(seen, frame_size, processor.image_processor)), cells, cells)


def _audio_tokens(stretches: tuple[Stretch, ...], n: int, step: float) -> list[Token]:
    """`n` positions of `step` seconds of heard sound, each with the seconds of the clip it came from."""
    ends = np.cumsum([s.samples / SAMPLE_RATE for s in stretches])
    tokens = []
    for i in range(n):
        which = min(int(np.searchsorted(ends, i * step, side="right")), len(stretches) - 1)
        stretch = stretches[which]
        start = stretch.start + i * step - (ends[which] - stretch.samples / SAMPLE_RATE)
        tokens.append(Token("audio", start=round(start, 3), end=round(start + step, 3), source=stretch.source))
    return tokens


def _video_tokens(seen: Media, cells: int) -> list[Token]:
    """Language-side cells of the video: a grid step is two frames."""
    return [
        Token("video", start=seen.times[k], end=seen.times[k + 1], row=row, col=col, source=seen.sources[k])
        for k in range(0, len(seen.times), 2) for row in range(cells) for col in range(cells)
    ]  # fmt: skip


def _image_tokens(seen: Media, cells: int) -> list[Token]:
    at = seen.picture_time
    return [Token("image", start=at, end=at, row=row, col=col) for row in range(cells) for col in range(cells)]


def _vision_order(seen: Media, frame_size: int, sizes) -> list[Token]:
    """Patches in the picture encoder's own order: window by window, in a window cell by cell, in a cell row by row.

    `sizes`: the image processor, for its `patch_size` and `merge_size`.
    """
    import torch
    from transformers.vision_utils import get_vision_window_index

    merge, patches = sizes.merge_size, frame_size // sizes.patch_size
    grid = torch.tensor([[1, patches, patches]])
    visited, _ = get_vision_window_index(grid, merge, VISION_WINDOW, sizes.patch_size)  # (cells,)
    cell_rows, cell_cols = np.divmod(visited.numpy(), patches // merge)
    inner_rows, inner_cols = np.divmod(np.arange(merge * merge), merge)
    rows = (cell_rows[:, None] * merge + inner_rows).ravel()  # (patches,)
    cols = (cell_cols[:, None] * merge + inner_cols).ravel()
    if seen.videos:
        steps = [("video", seen.times[k], seen.times[k + 1], seen.sources[k]) for k in range(0, len(seen.times), 2)]
    elif seen.picture is not None:
        steps = [("image", seen.picture_time, seen.picture_time, 0)]
    else:
        steps = []
    return [
        Token(kind, start=start, end=end, row=int(rows[i]), col=int(cols[i]), source=source)
        for kind, start, end, source in steps for i in range(len(rows))
    ]  # fmt: skip
