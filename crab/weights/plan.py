"""What memory a model takes, from its configuration alone: sizes are counted on the meta device, nothing is loaded.

Weights, adapter, gradients, optimiser and key-value cache are counted exactly. Activations are an upper estimate of
what is alive at once in the widest layer, and `PROGRAM` was measured; `tests/bench_plan.py` holds both against loads
and training steps. Pages of a weights file that is being converted are told apart: the system takes them back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from crab import CrabError
from crab.weights import names
from crab.weights.hub import Found, Say, cached_config, tell

SHAPES = {
    "Qwen/Qwen2.5-Omni-7B": {
        "text_config": {
            "hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4,
            "intermediate_size": 18944, "vocab_size": 152064,
        },
        "audio_config": {
            "d_model": 1280, "encoder_layers": 32, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120,
            "output_dim": 3584,
        },
        "vision_config": {
            "depth": 32, "hidden_size": 1280, "num_heads": 16, "intermediate_size": 3420, "out_hidden_size": 3584,
        },
    }
}  # fmt: skip
"""Thinkers whose shape is known here, so that they can be planned for before anything is fetched."""

PROGRAM = {"cpu": 0.85e9, "cuda": 0.6e9}  # Python with its libraries; a card's context and workspaces (not measured)
SMALL = 10**8  # bytes of weights that need no planning
FRAMES, SECONDS, TEXT, WRITTEN = 10, 10, 80, 100  # a usual question: frames, seconds of sound, tokens of text, answer


@dataclass(frozen=True)
class Need:
    """Bytes on a device, at the widest moment."""

    dtype: str  # how the weights are kept: "float32" | "bfloat16"
    weights: int
    adapter: int
    cache: int  # keys and values of prompt and answer
    activations: int
    program: int
    gradients: int = 0
    optimizer: int = 0
    loading: int = 0  # resident on the CPU while weights are read, with pages of the file, which may be taken back

    @property
    def total(self) -> int:
        return sum(value for name, value in asdict(self).items() if name not in ("dtype", "loading"))


ROWS = (*(field.name for field in fields(Need) if field.name not in ("dtype", "loading")), "total", "loading")


@dataclass(frozen=True)
class Machine:
    device: str  # "cpu" | "cuda"
    memory: tuple[int, ...]  # bytes, of every device

    def fits(self, need: Need) -> bool:
        """Whether there is room on one device: `Crab.load` puts a model on one."""
        return need.total <= max(self.memory)


@dataclass(frozen=True)
class Plan:
    model: str
    parameters: int
    adapter_parameters: int
    prompt: int  # tokens of a usual question
    machine: Machine
    answering: tuple[Need, ...]
    training: tuple[Need, ...]  # of one process, which has all of it; () if not asked for

    @property
    def fitting(self) -> tuple[str, ...]:
        """The dtypes that answer on `machine`, best first."""
        return tuple(n.dtype for n in self.answering if self.machine.fits(n))

    @property
    def trainable(self) -> tuple[str, ...]:
        """The dtypes of the base that an adapter can be trained on."""
        return tuple(n.dtype for n in self.training if self.machine.fits(n))


def configuration(model: str | Path):
    """The thinker's configuration, of a folder, a hub id or a checkpoint's name; of the hub that one file at most.

    Raises CrabError with what to do where there is none.
    """
    from transformers import Qwen2_5OmniThinkerConfig

    base = names.meant(model).base
    place = names.place(base)
    if place and place.repo in SHAPES and cached_config(place, fetch=False) is None:
        return Qwen2_5OmniThinkerConfig(**SHAPES[place.repo])
    try:
        return Qwen2_5OmniThinkerConfig.from_pretrained(config_folder(model))
    except (OSError, ValueError, TypeError) as error:
        raise CrabError(
            f"The model {base!r} could not be loaded: give {', '.join(names.CHECKPOINTS)}, a folder laid out like "
            f"Qwen/Qwen2.5-Omni-7B, or such a hub id. ({str(error).splitlines()[0]})"
        ) from error


def config_folder(model: str | Path) -> str:
    """The folder with the `config.json` of `model`, which of a hub id is all that is fetched."""
    base = names.meant(model).base
    place = names.place(base)
    return str(cached_config(place).parent) if place else base


def is_small(folder: str) -> bool:
    """Whether the weights in a folder are too few to ask where they fit."""
    files = Path(folder).glob("*.safetensors") if os.path.isdir(folder) else ()
    return sum(path.stat().st_size for path in files) < SMALL


def settle(found: Found, device: str, *, say: Say = tell) -> str:
    """The dtype to load a model in: bfloat16 on an accelerator, on the CPU float32 where there is room for it.

    `say` is told where there is not. Raises CrabError where there is too little memory in either.
    """
    if device != "cpu":
        return "bfloat16"
    if is_small(found.base):
        return "float32"
    made = plan(found.base, found.adapter, device="cpu")
    [free] = made.machine.memory
    wide, narrow = (need.total for need in made.answering[:2])
    if "float32" in made.fitting:
        return "float32"
    if "bfloat16" not in made.fitting:
        raise CrabError(
            f"{found.name} takes {narrow / 1e9:.1f} GB of memory to answer, and {free / 1e9:.1f} GB are free: close "
            "what else is running, or take a larger machine; `python -m crab plan` tells what fits."
        )
    say(f"{found.name} computes in bfloat16: float32 would take {wide / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free.")
    return "bfloat16"


def plan(
    model: str | Path, adapter: str | Path | None = None, *, gpus: Sequence[float] | None = None,
    device: str | None = None, train: bool = False,
) -> Plan:
    """What answering with `model` and its adapter takes, and with `train` training a new one of the released shape.

    `gpus`: bytes of each; by default what this machine has free, its GPUs' if there are any, or with `device` "cpu" its
    own. Raises CrabError as `configuration` does.
    """
    import torch
    from transformers import Qwen2_5OmniThinkerForConditionalGeneration

    config = configuration(model)
    # Published heads have weights of their own, and keep them, even where the configuration says that they are tied.
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = False
    with torch.device("meta"):
        thinker = Qwen2_5OmniThinkerForConditionalGeneration(config)
    machine = Machine("cuda", tuple(map(int, gpus))) if gpus else machine_here(device)
    shape = _adapter_shape(names.meant(model, adapter))
    added = _added(thinker, *shape) if shape else 0
    prompt = _usual_prompt(config, _frame_size(names.meant(model).base))
    whole = ("float32", "bfloat16") if machine.device == "cpu" else ("bfloat16",)
    return Plan(
        model=str(model),
        parameters=sum(p.numel() for p in thinker.parameters()),
        adapter_parameters=added,
        prompt=prompt.text,
        machine=machine,
        answering=tuple(_answering(thinker, dtype, prompt, shape, added, machine.device) for dtype in whole),
        training=tuple(_training(thinker, dtype, prompt, machine.device) for dtype in whole if train),
    )


def machine_here(device: str | None = None) -> Machine:
    """The free memory of this machine's GPUs, or with `device` "cpu" or without any of the machine itself."""
    import torch

    if device != "cpu" and torch.cuda.is_available():
        return Machine("cuda", tuple(torch.cuda.mem_get_info(i)[0] for i in range(torch.cuda.device_count())))
    import psutil

    return Machine("cpu", (min(psutil.virtual_memory().available, _allowed()),))


def _allowed() -> int:
    """What a container may still have, which its memory does not show."""
    group = Path("/sys/fs/cgroup")
    try:
        most, taken = (int((group / f"memory.{name}").read_bytes()) for name in ("max", "current"))
        return most - taken
    except (OSError, ValueError):  # no container, or "max"
        return 2**63


def to_json(made: Plan) -> dict:
    """The plan as plain data, with totals and what fits."""
    told = asdict(made) | {"fitting": made.fitting, "trainable": made.trainable}
    for kind in ("answering", "training"):
        told[kind] = [asdict(need) | {"total": need.total} for need in getattr(made, kind)]
    return told


def table(made: Plan) -> str:
    """The plan for people."""
    lines = [f"{made.model}: {made.parameters / 1e9:.2f} billion parameters, {made.adapter_parameters / 1e9:.2f} "
             f"billion more in the adapter; a usual question is {made.prompt} tokens"]  # fmt: skip
    for kind in ("answering", "training"):
        needs = getattr(made, kind)
        if needs:
            lines += ["", f"{kind + ', GB':<14}" + "".join(f"{need.dtype:>10}" for need in needs)]
            for name in ROWS:
                if any(getattr(need, name) for need in needs):
                    lines.append(f"{name:<14}" + "".join(f"{getattr(need, name) / 1e9:>10.2f}" for need in needs))
    sizes = " + ".join(f"{size / 1e9:.1f} GB" for size in made.machine.memory)
    device = "this machine's memory" if made.machine.device == "cpu" else "on GPUs"
    answers = f"answers in {', '.join(made.fitting)}" if made.fitting else "too little to answer"
    lines += ["", f"{sizes} {device}: {answers}"]
    if made.training:
        lines.append(f"trains on a base in {', '.join(made.trainable)}" if made.trainable else "too little to train")
    return "\n".join(lines)


# ---- counting ----

@dataclass(frozen=True)
class _Prompt:
    """Positions that each tower reads."""

    text: int
    audio: int
    vision: int


def _usual_prompt(config, side: int) -> _Prompt:
    vision = config.vision_config
    patches = FRAMES // vision.temporal_patch_size * (side // vision.patch_size) ** 2
    sound = 50 * SECONDS  # after the encoder's first layers; the language model gets every second
    return _Prompt(TEXT + patches // vision.spatial_merge_size**2 + sound // 2, sound, patches)


def _frame_size(base: str) -> int:
    about = Path(base) / "crab.json"
    return json.loads(about.read_text(encoding="utf-8")).get("frame_size", 224) if about.is_file() else 224


def _adapter_shape(checkpoint: names.Checkpoint) -> tuple[int, int] | None:
    """Rank and heads of a checkpoint's adapter; the released ones' where it is not here."""
    from crab.ilora import ILoRAConfig
    from crab.ilora.checkpoint import read

    own = Path(checkpoint.base) / "adapter"
    path = Path(checkpoint.adapter or own)
    if path.exists():
        site = next(iter(read(path).values()))
        return len(site.A), len(site.route)
    return (ILoRAConfig.r, ILoRAConfig.heads) if checkpoint.adapter else None


def _linears(thinker) -> dict[str, tuple[int, int]]:
    """The linear layers inside the towers: name → (in, out)."""
    import torch

    modules = thinker.model.named_modules()
    return {name: (m.in_features, m.out_features) for name, m in modules if isinstance(m, torch.nn.Linear)}


def _added(thinker, r: int, heads: int) -> int:
    """Parameters of an adapter on every site the released one has: R, A, and B of all heads."""
    from crab.ilora import TARGET_MODULES

    sites = [size for name, size in _linears(thinker).items() if name.rpartition(".")[2] in TARGET_MODULES]
    return sum(heads * n_in + r * n_in + heads * r * n_out for n_in, n_out in sites)


def _weights(thinker, dtype: str) -> int:
    return sum(p.numel() for p in thinker.parameters()) * (4 if dtype == "float32" else 2)


def _answering(thinker, dtype: str, prompt: _Prompt, shape: tuple[int, int] | None, added: int, device: str) -> Need:
    text = thinker.config.text_config
    size = 4 if dtype == "float32" else 2  # bytes of a number that is computed
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return Need(
        dtype=dtype,
        weights=_weights(thinker, dtype),
        adapter=added * size,
        cache=2 * text.num_hidden_layers * text.num_key_value_heads * head * (prompt.text + WRITTEN) * size,
        activations=int(size * max(_alive(thinker, prompt, shape)) + 4 * text.vocab_size),
        program=int(PROGRAM[device]),
        loading=_loading(thinker, dtype),
    )


def _training(thinker, dtype: str, prompt: _Prompt, device: str) -> Need:
    """Of one process that trains an adapter of the released shape, in float32, around a frozen base."""
    from crab.ilora import ILoRAConfig

    shape = ILoRAConfig.r, ILoRAConfig.heads
    added = _added(thinker, *shape)
    config = thinker.config
    size = 4 if dtype == "float32" else 2
    # Checkpointing keeps what goes into every layer, and computes one layer at a time again, with what its gradients
    # need: about as much as is alive in it, once more for the way back, and the scores of its plain attention.
    kept = size * sum(tokens * width * depth for tokens, width, depth in _towers(config, prompt))
    heads = config.text_config.num_attention_heads
    scores = prompt.text**2 * heads * (4 + 4 + 2)
    answers = 4 * WRITTEN * config.text_config.vocab_size * 4 * 3  # of four questions: logits, and what a loss needs
    return Need(
        dtype=dtype,
        weights=_weights(thinker, dtype),
        adapter=4 * added,
        cache=0,
        activations=int(kept + 2 * size * max(_alive(thinker, prompt, shape)) + scores + answers),
        program=int(PROGRAM[device]),
        gradients=4 * added,
        optimizer=8 * added,
        loading=_loading(thinker, dtype),
    )


def _loading(thinker, dtype: str) -> int:
    file = _weights(thinker, "bfloat16")  # as published; kept as it is where nothing is converted
    return int(PROGRAM["cpu"]) + _weights(thinker, dtype) + (file if dtype != "bfloat16" else 0)


def _towers(config, prompt: _Prompt) -> list[tuple[int, int, int]]:
    """(positions, width, layers) of each tower."""
    text, audio, vision = config.text_config, config.audio_config, config.vision_config
    return [
        (prompt.text, text.hidden_size, text.num_hidden_layers),
        (prompt.audio, audio.d_model, audio.encoder_layers),
        (prompt.vision, vision.hidden_size, vision.depth),
    ]


def _alive(thinker, prompt: _Prompt, shape: tuple[int, int] | None) -> list[int]:
    """Numbers alive at once in a layer of each tower: residual, norm, queries, keys, values, the wide layer's three.

    An adapter adds its heads' inputs and a second result of the widest layer.
    """
    config = thinker.config
    text, audio, vision = config.text_config, config.audio_config, config.vision_config
    wide = (text.intermediate_size, audio.encoder_ffn_dim, vision.intermediate_size)
    added = shape[0] * shape[1] if shape else 0
    return [
        tokens * (6 * width + (4 if shape else 3) * widest + added)
        for (tokens, width, _), widest in zip(_towers(config, prompt), wide)
    ]
