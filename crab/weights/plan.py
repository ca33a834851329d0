"""What memory a model takes, from its configuration alone: sizes are counted on the meta device, nothing is loaded.

Weights, adapter, gradients, optimiser and key-value cache are counted exactly. Activations are an upper estimate of
what is alive at once in the widest layer, and `PROGRAM` was measured; `tests/bench/plan.py` holds both against loads
and training steps. Pages of a weights file that is being converted are told apart: the system takes them back.

A model is planned in each setting that it can answer in: float32 (on a CPU only), bfloat16, and with the language
model's layers quantised to 8 or 4 bits as bitsandbytes keeps them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Literal, get_args

from crab import CrabError, __version__
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

Quantize = Literal["4bit", "8bit"]

# Quantised are the linear layers of the language model's blocks, three quarters of the released model. The encoders
# stay whole, whose errors all layers after them inherit, for the two gigabytes that they would save; so do embeddings
# and head, which choose one of 150,000 words by the last digits of its score.
UNQUANTIZED = ("model.audio_tower", "model.visual", "lm_head")
BLOCK = 64  # weights of a layer that share one scale in 4 bits


@dataclass(frozen=True)
class Need:
    """Bytes on a device, at the widest moment."""

    dtype: str  # how weights are kept that are not quantised: "float32" | "bfloat16"
    weights: int
    adapter: int
    cache: int  # keys and values of prompt and answer
    activations: int
    program: int
    gradients: int = 0
    optimizer: int = 0
    loading: int = 0  # resident on the CPU while weights are read, with pages of the file, which may be taken back
    quantize: Quantize | None = None
    placement: dict[str, str] = field(default_factory=dict)  # module -> device, "" is all of it; {} if there is no room

    @property
    def setting(self) -> str:
        """What people call it: "float32" | "bfloat16" | "8bit" | "4bit"."""
        return self.quantize or self.dtype

    @property
    def total(self) -> int:
        return sum(getattr(self, name) for name in PARTS)

    @property
    def devices(self) -> int:
        """How many of the machine's devices it takes; 0 if they have too little."""
        return len(set(self.placement.values()))


PARTS = tuple(f.name for f in fields(Need) if f.name not in ("dtype", "loading", "quantize", "placement"))
ROWS = (*PARTS, "total", "loading")


@dataclass(frozen=True)
class Machine:
    device: str  # "cpu" | "cuda"
    memory: tuple[int, ...]  # bytes, of every device

    @property
    def names(self) -> tuple[str, ...]:
        """The devices as PyTorch calls them."""
        return ("cpu",) if self.device == "cpu" else tuple(f"{self.device}:{i}" for i in range(len(self.memory)))

    def place(self, need: Need) -> dict[str, str]:
        """The first device that has room for all of it; {} if none has."""
        return next(({"": name} for name, size in zip(self.names, self.memory) if need.total <= size), {})


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
        """The settings that answer on `machine`, best first."""
        return tuple(n.setting for n in self.answering if n.placement)

    @property
    def trainable(self) -> tuple[str, ...]:
        """The dtypes of the base that an adapter can be trained on."""
        return tuple(n.dtype for n in self.training if n.placement)


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
    if place is None:
        return base
    config = cached_config(place)
    assert config is not None  # it is fetched, or the fetching raises
    return str(config.parent)


def is_small(folder: str) -> bool:
    """Whether the weights in a folder are too few to ask where they fit."""
    files = Path(folder).glob("*.safetensors") if os.path.isdir(folder) else ()
    return sum(path.stat().st_size for path in files) < SMALL


def check_quantize(quantize: str | None) -> None:
    """Raises CrabError where a model cannot be quantised so, or not here."""
    if quantize is None:
        return
    if quantize not in get_args(Quantize):
        raise CrabError(f"A model can be quantised to {' or '.join(get_args(Quantize))}, not to {quantize!r}.")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise CrabError("A model is quantised by bitsandbytes, which is not installed: pip install bitsandbytes")


def settle(
    found: Found, device: str, quantize: Quantize | None = None, *, say: Say = tell
) -> tuple[str, dict[str, str]]:
    """The dtype to load a model in, and which of its modules go to which device ("" is all of it).

    bfloat16 on an accelerator, on the CPU float32 where there is room for it and nothing is quantised. `device` "cuda"
    is any GPU of this machine, or several where none has room for the whole; "cuda:1" is that one, asked or not.
    `say` is told of what was not wished for. Raises CrabError where there is too little memory.
    """
    if is_small(found.base) or device not in ("cpu", "cuda"):
        return ("float32" if device == "cpu" else "bfloat16"), {"": device}
    made = plan(found.base, found.adapter, device=device)
    wanted = [need for need in made.answering if need.quantize == quantize]
    best = wanted[0]
    need = next((need for need in wanted if need.placement), None)
    free = " + ".join(f"{size / 1e9:.1f}" for size in made.machine.memory)
    where = "of memory" if device == "cpu" else "of a GPU's memory"
    if need is None:
        others = [setting for setting in made.fitting if setting in ("8bit", "4bit")]
        instead = (
            f"it fits quantised: add --quantize {others[0]}, or set CRAB_QUANTIZE={others[0]}"
            if others
            else "close what else is running, or take a larger machine"
        )
        raise CrabError(
            f"{found.name} takes {wanted[-1].total / 1e9:.1f} GB {where} to answer, and {free} GB are free: {instead}; "
            "`python -m crab plan` tells what fits."
        )
    if need is not best:
        say(f"{found.name} computes in {need.dtype}: {best.dtype} would take {best.total / 1e9:.1f} GB, and {free} GB "
            "are free.")  # fmt: skip
    if need.devices > 1:
        say(f"{found.name} is spread over {need.devices} GPUs: it takes {need.total / 1e9:.1f} GB, and {free} GB are "
            "free.")  # fmt: skip
    return need.dtype, need.placement


def plan(
    model: str | Path,
    adapter: str | Path | None = None,
    *,
    gpus: Sequence[float] | None = None,
    device: str | None = None,
    train: bool = False,
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
    prompt = _usual_prompt(config, _frame_size(names.meant(model).base))
    whole = ("float32", "bfloat16") if machine.device == "cpu" else ("bfloat16",)
    # What needs quantising to fit is not computed in float32 beside it.
    settings: list[tuple[str, Quantize | None]] = [(dtype, None) for dtype in whole]
    settings += [("bfloat16", "8bit"), ("bfloat16", "4bit")]
    training = [_training(thinker, dtype, prompt, machine.device) for dtype in whole if train]
    return Plan(
        model=str(model),
        parameters=sum(p.numel() for p in thinker.parameters()),
        adapter_parameters=_added(thinker, *shape) if shape else 0,
        prompt=prompt.text,
        machine=machine,
        answering=tuple(_answering(thinker, dtype, quantize, prompt, shape, machine) for dtype, quantize in settings),
        training=tuple(replace(need, placement=machine.place(need)) for need in training),
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
    told = {"crab": __version__} | asdict(made) | {"fitting": made.fitting, "trainable": made.trainable}
    for kind in ("answering", "training"):
        told[kind] = [
            asdict(need) | {"setting": need.setting, "total": need.total, "devices": need.devices}
            for need in getattr(made, kind)
        ]
    return told


def table(made: Plan) -> str:
    """The plan for people."""
    lines = [f"{made.model}: {made.parameters / 1e9:.2f} billion parameters, {made.adapter_parameters / 1e9:.2f} "
             f"billion more in the adapter; a usual question is {made.prompt} tokens"]  # fmt: skip
    for kind in ("answering", "training"):
        needs = getattr(made, kind)
        if needs:
            lines += ["", f"{kind + ', GB':<14}" + "".join(f"{need.setting:>10}" for need in needs)]
            for name in ROWS:
                if any(getattr(need, name) for need in needs):
                    lines.append(f"{name:<14}" + "".join(f"{getattr(need, name) / 1e9:>10.2f}" for need in needs))
    sizes = " + ".join(f"{size / 1e9:.1f} GB" for size in made.machine.memory)
    device = "this machine's memory" if made.machine.device == "cpu" else "on GPUs"
    fitting = [n.setting + f" (over {n.devices})" * (n.devices > 1) for n in made.answering if n.placement]
    answers = f"answers in {', '.join(fitting)}" if fitting else "too little to answer"
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

    modules = thinker.named_modules()
    return {name: (m.in_features, m.out_features) for name, m in modules if isinstance(m, torch.nn.Linear)}


def _added_to(name: str, n_in: int, n_out: int, r: int, heads: int) -> int:
    """Parameters of an adapter on one linear layer, if the released one has it there: R, A, and B of all heads."""
    from crab.ilora import TARGET_MODULES

    return heads * n_in + r * n_in + heads * r * n_out if name.rpartition(".")[2] in TARGET_MODULES else 0


def _added(thinker, r: int, heads: int) -> int:
    return sum(_added_to(name, *size, r, heads) for name, size in _linears(thinker).items())


def _size(dtype: str) -> int:
    return 4 if dtype == "float32" else 2


def _weights(thinker, dtype: str, quantize: Quantize | None = None) -> dict[str, int]:
    """Bytes of what each module holds itself, without those inside it, by its name."""
    quantized = {n: size for n, size in _linears(thinker).items() if quantize and not n.startswith(UNQUANTIZED)}
    held = {name: sum(p.numel() for p in m.parameters(recurse=False)) for name, m in thinker.named_modules()}
    sizes = {name: _size(dtype) * count for name, count in held.items()}
    for name, (n_in, n_out) in quantized.items():
        bias = held[name] - n_in * n_out
        # Beside the numbers stands one float32 scale a row in 8 bits, and in 4 bits one a block and what they mean.
        packed = n_in * n_out + 4 * n_out if quantize == "8bit" else _packed(n_in * n_out)
        sizes[name] = packed + _size(dtype) * bias
    return sizes


def _packed(count: int) -> int:
    return -(-count // 2) + 4 * -(-count // BLOCK) + 4 * 2**4


def _answering(
    thinker, dtype: str, quantize: Quantize | None, prompt: _Prompt, shape: tuple[int, int] | None, machine: Machine
) -> Need:
    text = thinker.config.text_config
    size = _size(dtype)  # bytes of a number that is computed
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    weights = _weights(thinker, dtype, quantize)
    linears = _linears(thinker)
    adapter = {name: size * _added_to(name, *sides, *shape) for name, sides in linears.items()} if shape else {}
    # What is quantised is a whole layer again while it computes.
    opened = size * max(n_in * n_out for n, (n_in, n_out) in linears.items() if not n.startswith(UNQUANTIZED))
    need = Need(
        dtype=dtype,
        weights=sum(weights.values()),
        adapter=sum(adapter.values()),
        cache=2 * text.num_hidden_layers * text.num_key_value_heads * head * (prompt.text + WRITTEN) * size,
        activations=int(size * max(_alive(thinker, prompt, shape)) + 4 * text.vocab_size) + (opened if quantize else 0),
        program=int(PROGRAM[machine.device]),
        loading=_loading(thinker, dtype, quantize),
        quantize=quantize,
    )
    placement = machine.place(need)
    if not placement and len(machine.memory) > 1:
        held = {name: size + adapter.get(name, 0) for name, size in weights.items()}
        # Each of them runs the program and has room for the widest layer's numbers, and for all of the cache.
        more = need.total - sum(held.values())
        placement = _spread(held, {name: size - more for name, size in zip(machine.names, machine.memory)})
    return replace(need, placement=placement)


def _spread(held: dict[str, int], room: dict[str, int]) -> dict[str, str]:
    """Encoders and the language model's layers, with what is held by their modules, on one GPU after the other.

    `held`: bytes by module, in the model's order; `room`: bytes by GPU. {} where they do not fit. (Accelerate has this
    too, but keeps room on the first GPU for layers to come from a disk, and sees no adapter.)
    """
    blocks: dict[str, int] = {}
    for name, size in held.items():
        found = re.match(r"model\.language_model\.(layers\.\d+|\w+)(?=\.|$)|model\.(?!language_model)\w+|lm_head", name)
        if found and found[0] != "model.language_model.layers":
            blocks[found[0]] = blocks.get(found[0], 0) + size
    placed, devices = {}, iter(room.items())
    device, left = next(devices)
    for block, size in blocks.items():
        while size > left:
            following = next(devices, None)
            if following is None:
                return {}
            device, left = following
        left -= size
        placed[block] = device
    return placed


def _training(thinker, dtype: str, prompt: _Prompt, device: str) -> Need:
    """Of one process that trains an adapter of the released shape, in float32, around a frozen base."""
    from crab.ilora import ILoRAConfig

    shape = ILoRAConfig.r, ILoRAConfig.heads
    added = _added(thinker, *shape)
    config = thinker.config
    size = _size(dtype)
    # Checkpointing keeps what goes into every layer, and computes one layer at a time again, with what its gradients
    # need: about as much as is alive in it, once more for the way back, and the scores of its plain attention.
    kept = size * sum(tokens * width * depth for tokens, width, depth in _towers(config, prompt))
    heads = config.text_config.num_attention_heads
    scores = prompt.text**2 * heads * (4 + 4 + 2)
    answers = 4 * WRITTEN * config.text_config.vocab_size * 4 * 3  # of four questions: logits, and what a loss needs
    return Need(
        dtype=dtype,
        weights=sum(_weights(thinker, dtype).values()),
        adapter=4 * added,
        cache=0,
        activations=int(kept + 2 * size * max(_alive(thinker, prompt, shape)) + scores + answers),
        program=int(PROGRAM[device]),
        gradients=4 * added,
        optimizer=8 * added,
        loading=_loading(thinker, dtype),
    )


def _loading(thinker, dtype: str, quantize: Quantize | None = None) -> int:
    file = sum(_weights(thinker, "bfloat16").values())  # as published; kept as it is where nothing is converted
    kept = sum(_weights(thinker, dtype, quantize).values())
    return int(PROGRAM["cpu"]) + kept + (file if dtype != "bfloat16" or quantize else 0)


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
