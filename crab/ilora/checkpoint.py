"""I-LoRA weights on disk: the published file and PEFT's folder, read strictly and written exactly.

The published format (`finetune_weights.bin`) is one `torch.save`d dictionary, per adapted layer

    base_model.model.<site>.lora_route.weight     (heads, in)
    base_model.model.<site>.lora_A.weight         (r, in)
    base_model.model.<site>.lora_B<i>.weight      (out, r), i from 0 to heads - 1

with the layers named as in the transformers version it was trained with: `renames` says which beginnings of those
names have changed since, {published: current}. PEFT's format (`adapter_model.safetensors` beside
`adapter_config.json`) names layers as they are now:

    base_model.model.<site>.ilora_R               (heads, in)
    base_model.model.<site>.ilora_A               (r, in)
    base_model.model.<site>.ilora_B               (out, heads * r)

Files must hold exactly the tensors that the adapter has, no fewer, no more, none of another shape: an adapter loaded
in part still answers, only worse, and nobody would know.
"""

from __future__ import annotations

import pickle
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from peft import PeftModel, get_peft_model
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils import ModulesToSaveWrapper, set_peft_model_state_dict
from peft.utils.constants import DUMMY_TARGET_MODULES
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from crab import CrabError

from .config import ILoRAConfig
from .layer import adapted_layers

ADAPTER_FILES = ("adapter_model.safetensors", "adapter_model.bin", "finetune_weights.bin")
CONFIG_FILE = "adapter_config.json"
ADAPTER = "default"  # PEFT's own name for a model's first adapter

Sizes = dict[str, tuple[int, int]]  # site → (in, out) of the linear layer there


class CheckpointError(CrabError):
    """A weights file that cannot be used as it is; the message names the tensor that is wrong."""


@dataclass(frozen=True)
class SiteWeights:
    """What one adapted layer adds, as it lies in the file (mapped, not yet read)."""

    route: Tensor  # (heads, in)
    A: Tensor  # (r, in)
    B: tuple[Tensor, ...]  # for every head (out, r)

    @property
    def silent(self) -> bool:
        """Whether every B is exactly zero, so that the layer does what it does without an adapter."""
        # Most layers show with their first row that they are not, and the file holds gigabytes.
        return not any(bool(B[:1].any()) or bool(B.any()) for B in self.B)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (self.route, self.A, *self.B)


@dataclass(frozen=True)
class Report:
    """What `attach` did."""

    sites: tuple[str, ...]  # layers adapted now, by their name in the base model
    silent: tuple[str, ...]  # layers left alone because all their B are zero
    r: int
    heads: int
    alpha: float
    parameters: int  # of the adapted layers' adapters
    dtype: torch.dtype

    def __str__(self) -> str:
        silent = f", {len(self.silent)} more are silent and left as they were" if self.silent else ""
        return (
            f"{len(self.sites)} layers adapted{silent}; rank {self.r}, {self.heads} heads, alpha {self.alpha:g}, "
            f"{self.parameters:,} parameters in {_short(self.dtype)}"
        )


@dataclass(frozen=True)
class Tower:
    """What a file holds for one stack of layers, named by what stands before the layer's number."""

    name: str
    sites: int
    silent: int  # of these, how many have B all zero
    parameters: int
    bytes: int
    dtypes: tuple[str, ...]
    largest_B: float  # max |B|
    even: int  # sites whose router has the same row for every head: all alike, whatever comes
    idle: int  # heads whose B, by its norm, has less than a tenth of an even share of its site's
    imbalance: float  # coefficient of variation of the norms of a site's B, mean over the sites that are not silent


@dataclass(frozen=True)
class Inspection:
    """What a file holds."""

    file: str
    format: str  # "published" or "peft"
    r: int
    heads: int
    alpha: float | None  # the published file does not say
    towers: tuple[Tower, ...]

    def __str__(self) -> str:
        alpha = "alpha not stated (2 r is meant)" if self.alpha is None else f"alpha {self.alpha:g}"
        towers = (
            f"{tower.name}: {tower.sites} sites, {tower.parameters:,} parameters, {tower.bytes:,} bytes "
            f"({', '.join(tower.dtypes)}), largest |B| {tower.largest_B:.4g}, {tower.silent} sites silent, "
            f"{tower.even} routed evenly, {tower.idle} idle heads, imbalance of |B| {tower.imbalance:.2f}"
            for tower in self.towers
        )
        return "\n".join([f"{self.format} format, rank {self.r}, {self.heads} heads, {alpha}", *towers])


def read(path: str | Path, *, renames: Mapping[str, str] | None = None) -> dict[str, SiteWeights]:
    """Read an adapter's weights, by site: the name of the adapted layer in the base model.

    `path` is a weights file or a folder with one. Nothing is copied: tensors are mapped from the file. Raises
    CheckpointError, naming the tensor, if the file does not hold a whole adapter.
    """
    return _arrange(_open(path), renames=renames).sites


def attach(
    model: nn.Module,
    path: str | Path,
    *,
    alpha: float | None = None,
    renames: Mapping[str, str] | None = None,
    drop_silent: bool = True,
    dtype: torch.dtype | None = None,
) -> tuple[PeftModel, Report]:
    """Adapt `model`, in place, with the weights at `path`: for inference, frozen and in eval mode.

    The layers are those of the adapter's configuration or, for the published file, of its rule (`TARGET_MODULES`).
    `alpha` comes from the configuration too; the published file has none and means 2 r. Weights take the base
    layer's device and, unless `dtype` says otherwise, its dtype. Layers whose B are all zero are left as they are:
    same result, less work. To train on or to save in the published format, keep them (`drop_silent=False`).

    Raises CheckpointError if a tensor is missing, superfluous or of another shape than the model needs.
    """
    file = _open(path)
    config = file.config or ILoRAConfig()
    sizes = _sizes(model, config)
    if not sizes:
        raise CheckpointError(f"{file.path} does not fit this model: it has no layer of the names to adapt.")
    whole, file = _whole_modules(file, model)
    weights = _arrange(file, renames=renames, sizes=sizes)
    config.r, config.heads = weights.r, weights.heads
    if alpha is not None:
        config.alpha = alpha
    elif file.config is None:
        config.alpha = 2 * weights.r
    config.inference_mode = True

    silent = {site for site, tensors in weights.sites.items() if drop_silent and tensors.silent}
    if silent:
        config.target_modules = [site for site in weights.sites if site not in silent] or DUMMY_TARGET_MODULES
        config.layers_to_transform = config.layers_pattern = None  # the sites are named one by one now
    # PEFT would first make every weight at random: it makes them without memory, and they are put in place below.
    adapted = get_peft_model(model, config, autocast_adapter_dtype=False, low_cpu_mem_usage=True)
    layers = adapted_layers(adapted)
    for site, layer in layers.items():
        found = weights.sites[site]
        layer.load(ADAPTER, R=found.route, A=found.A, heads=found.B, dtype=dtype)
    if whole:
        set_peft_model_state_dict(adapted, whole, ADAPTER)

    report = Report(
        sites=tuple(layers),
        silent=tuple(site for site in weights.sites if site in silent),
        r=config.r,
        heads=config.heads,
        alpha=config.alpha,
        parameters=sum(t.numel() for site in layers for t in weights.sites[site].tensors),
        dtype=next((layer.ilora_A[ADAPTER].dtype for layer in layers.values()), dtype or torch.float32),
    )
    return adapted.eval(), report


def published(model: nn.Module, *, renames: Mapping[str, str] | None = None) -> dict[str, Tensor]:
    """The adapter of `model` under the names and in the order of the published format, heads apart.

    Raises CheckpointError if a layer that the published format must have is not adapted, or if the adapter has
    modules of its own beside (`modules_to_save`), for which that format has no place.
    """
    layers = adapted_layers(model)
    beside = next((name for name, module in model.named_modules() if isinstance(module, ModulesToSaveWrapper)), None)
    if beside is not None:
        raise CheckpointError(f"The published format has no place for {beside}, which this adapter trains whole; "
                              "PEFT's has: use save_pretrained.")  # fmt: skip
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    for site in _sizes(base, ILoRAConfig()):
        if site not in layers:
            raise CheckpointError(
                f"The published format holds every layer of its rule, and {site} is not adapted in this model; "
                "an adapter loaded from a file keeps its silent layers with drop_silent=False."
            )
    layout = _published_layout(renames or {})
    tensors = {}
    for site, layer in layers.items():
        [name] = layer.active_adapters
        R, A, B = (weights[name].detach() for weights in (layer.ilora_R, layer.ilora_A, layer.ilora_B))
        for part, tensor in zip(layout.shapes(0, 0, 0, len(R)), (R, A, *B.chunk(len(R), dim=1))):
            tensors[layout.name(site, part)] = tensor.clone(memory_format=torch.contiguous_format)  # of its own storage
    return tensors


def save_published(model: nn.Module, path: str | Path, *, renames: Mapping[str, str] | None = None) -> None:
    """Write the adapter of `model` as a published file (`finetune_weights.bin`), each tensor as it is.

    `renames` as in `read`. PEFT's format is written by `model.save_pretrained(folder)`.
    """
    torch.save({name: tensor.cpu() for name, tensor in published(model, renames=renames).items()}, path)


def inspect(
    path: str | Path, *, model: nn.Module | None = None, renames: Mapping[str, str] | None = None
) -> Inspection:
    """Say what a weights file holds, tower by tower; with `model` (the meta device will do), check that it fits.

    Raises CheckpointError as `attach` does.
    """
    file = _open(path)
    sizes = None if model is None else _sizes(model, file.config or ILoRAConfig())
    _, file = _whole_modules(file, model)
    weights = _arrange(file, renames=renames, sizes=sizes)
    towers: dict[str, list[SiteWeights]] = defaultdict(list)
    for site, tensors in weights.sites.items():
        towers[re.split(r"\.\d+\.", site, maxsplit=1)[0]].append(tensors)
    return Inspection(
        file=str(file.path),
        format=file.format,
        r=weights.r,
        heads=weights.heads,
        alpha=file.config.alpha if file.config else None,
        towers=tuple(_tower(name, sites) for name, sites in towers.items()),
    )


def not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that holds NaN or infinity; None if all are finite."""
    for name, tensor in tensors.items():
        # A sum is what is read fastest, and not finite where one number is not; it may also just be too large.
        has_numbers = tensor.is_floating_point() and tensor.element_size() > 1 and not tensor.is_meta
        if has_numbers and not bool(tensor.sum().isfinite()) and not bool(tensor.isfinite().all()):
            return name
    return None


def _tower(name: str, sites: list[SiteWeights]) -> Tower:
    tensors = [tensor for site in sites for tensor in site.tensors]
    largest = [max(float(B.abs().max()) for B in site.B) for site in sites]
    norms = [torch.stack([B.float().norm() for B in site.B]) for site in sites if not site.silent]  # (heads,) each
    return Tower(
        name=name,
        sites=len(sites),
        silent=largest.count(0.0),
        parameters=sum(tensor.numel() for tensor in tensors),
        bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        dtypes=tuple(sorted({_short(tensor.dtype) for tensor in tensors})),
        largest_B=max(largest),
        even=sum(bool((site.route == site.route[:1]).all()) for site in sites),
        idle=sum(int((of < 0.1 * of.mean()).sum()) for of in norms),
        imbalance=sum(float(of.std(correction=0) / of.mean()) for of in norms) / max(len(norms), 1),
    )


# Reading: open the file, work out which tensors it must hold, compare.


class _File(NamedTuple):
    path: Path
    format: str  # "published" or "peft"
    tensors: dict[str, Tensor]
    config: ILoRAConfig | None


class _Weights(NamedTuple):
    sites: dict[str, SiteWeights]
    r: int
    heads: int


class _Layout(NamedTuple):
    """How a format names and shapes the parts of a site: R, A, and B (all heads) or B0, B1, … (one head each)."""

    parse: Callable[[str], tuple[str, str] | None]  # a tensor's name → (site, part), None if it is of another kind
    name: Callable[[str, str], str]  # (site, part) → the tensor's name
    shapes: Callable[[int, int, int, int], dict[str, tuple[int, int]]]  # (in, out, r, heads) → part → shape


def _published_layout(renames: Mapping[str, str]) -> _Layout:
    pattern = re.compile(r"base_model\.model\.(.+)\.lora_(route|A|B\d+)\.weight")
    back = {current: old for old, current in renames.items()}

    def parse(name: str) -> tuple[str, str] | None:
        match = pattern.fullmatch(name)
        return (renamed(match[1], renames), "R" if match[2] == "route" else match[2]) if match else None

    def name(site: str, part: str) -> str:
        return f"base_model.model.{renamed(site, back)}.lora_{'route' if part == 'R' else part}.weight"

    def shapes(n_in: int, n_out: int, r: int, heads: int) -> dict[str, tuple[int, int]]:
        return {"R": (heads, n_in), "A": (r, n_in)} | {f"B{head}": (n_out, r) for head in range(heads)}

    return _Layout(parse, name, shapes)


def _peft_layout() -> _Layout:
    pattern = re.compile(r"base_model\.model\.(.+)\.ilora_([RAB])")

    def parse(name: str) -> tuple[str, str] | None:
        match = pattern.fullmatch(name)
        return (match[1], match[2]) if match else None

    def name(site: str, part: str) -> str:
        return f"base_model.model.{site}.ilora_{part}"

    def shapes(n_in: int, n_out: int, r: int, heads: int) -> dict[str, tuple[int, int]]:
        return {"R": (heads, n_in), "A": (r, n_in), "B": (n_out, heads * r)}

    return _Layout(parse, name, shapes)


def renamed(name: str, renames: Mapping[str, str]) -> str:
    """`name` with the first beginning of `renames` that it has turned into the other; as it is without any."""
    for old, new in renames.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _open(path: str | Path) -> _File:
    path = Path(path)
    file = path
    if path.is_dir():
        there = [path / name for name in ADAPTER_FILES if (path / name).is_file()]
        if not there:
            raise CheckpointError(f"{path} holds no adapter; it should have one of {', '.join(ADAPTER_FILES)}.")
        file = there[0]
    elif not path.is_file():
        raise CheckpointError(f"There is no adapter at {path}.")
    try:
        if file.suffix == ".safetensors":
            tensors = load_file(file)
        else:
            tensors = torch.load(file, weights_only=True, mmap=True, map_location="cpu")
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise CheckpointError(f"{file} is not a file of weights, or it is damaged or incomplete.") from error
    named = isinstance(tensors, dict) and all(isinstance(name, str) for name in tensors)
    if not named or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise CheckpointError(f"{file} holds something else than named tensors.")
    if not tensors:
        raise CheckpointError(f"{file} holds no tensors.")
    for name, tensor in tensors.items():
        if tensor.is_complex() or tensor.layout != torch.strided:
            raise CheckpointError(
                f"{file}: {name} is of a kind that no weights are ({_short(tensor.dtype)}, {tensor.layout})."
            )
    return _File(
        path=file,
        format="peft" if any(".ilora_" in name for name in tensors) else "published",
        tensors=tensors,
        config=_config(file.parent) if file.name.startswith("adapter_model") else None,
    )


def _config(folder: Path) -> ILoRAConfig | None:
    if not (folder / CONFIG_FILE).is_file():
        return None
    try:
        config = ILoRAConfig.from_pretrained(str(folder))
        if not isinstance(config, ILoRAConfig):
            raise CheckpointError(f"{folder / CONFIG_FILE} describes a {config.peft_type} adapter, not I-LoRA.")
        check_target_module_exists(config, "")  # reads the names and expressions
    except (ValueError, LookupError, TypeError, AttributeError, re.error) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise CheckpointError(f"{folder / CONFIG_FILE} is not an adapter's configuration ({reason}).") from error
    return config


def _whole_modules(file: _File, model: nn.Module | None) -> tuple[dict[str, Tensor], _File]:
    """The tensors of modules that were trained and saved whole (`modules_to_save`), and the file without them.

    With a `model`, they are compared with its own.
    """
    names = (file.config.modules_to_save if file.config else None) or ()
    inside = re.compile(rf"base_model\.model\..*({'|'.join(map(re.escape, names))})\..+").fullmatch  # as PEFT matches
    whole = {name: tensor for name, tensor in file.tensors.items() if names and inside(name)}
    if names and model is not None:
        own = {f"base_model.model.{name}": tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        _compare(file._replace(tensors=whole), {name: shape for name, shape in own.items() if inside(name)})
    _must_be_finite(file, whole)
    return whole, file._replace(tensors={name: t for name, t in file.tensors.items() if name not in whole})


def _must_be_finite(file: _File, tensors: Mapping[str, Tensor]) -> None:
    bad = not_finite(tensors)
    if bad is not None:
        raise CheckpointError(f"{file.path.name}: the tensor {bad} holds NaN or infinity. Fetch or save it anew.")


def _sizes(model: nn.Module, config: ILoRAConfig) -> Sizes:
    return {
        name: (module.in_features, module.out_features)
        for name, module in model.named_modules()
        if check_target_module_exists(config, name) and hasattr(module, "in_features")
    }


def _arrange(file: _File, *, renames: Mapping[str, str] | None, sizes: Sizes | None = None) -> _Weights:
    """Sort a file's tensors into sites, having checked that they are exactly those that `sizes` asks for.

    Without `sizes` these are taken from the file itself, which then need only be complete and agree with itself.
    """
    layout = _peft_layout() if file.format == "peft" else _published_layout(renames or {})
    found: dict[str, dict[str, Tensor]] = defaultdict(dict)  # site → part → tensor
    for name, tensor in file.tensors.items():
        place = layout.parse(name)
        if place is None:
            raise CheckpointError(f"{file.path.name}: {name} is no part of an I-LoRA adapter.")
        if tensor.ndim != 2:
            raise CheckpointError(f"{file.path.name}: {name} has {tensor.ndim} dimensions, not two.")
        site, part = place
        found[site][part] = tensor

    r = file.config.r if file.config else _rows(found, "A")
    heads = file.config.heads if file.config else _rows(found, "R")
    if sizes is None:
        sizes = {site: _size(parts) for site, parts in found.items()}
    _compare(file, {
        layout.name(site, part): shape
        for site, (n_in, n_out) in sizes.items()
        for part, shape in layout.shapes(n_in, n_out, r, heads).items()
    })  # fmt: skip
    _must_be_finite(file, file.tensors)

    sites = {}
    for site in sizes:
        R, A, *B = (found[site][part] for part in layout.shapes(0, 0, r, heads))
        sites[site] = SiteWeights(R, A, tuple(B) if file.format == "published" else B[0].chunk(heads, dim=1))
    return _Weights(sites, r, heads)


def _rows(found: dict[str, dict[str, Tensor]], part: str) -> int:
    """How many rows this part has at most sites: what the odd one out is measured by."""
    rows = Counter(len(parts[part]) for parts in found.values() if part in parts)
    return max(rows, key=rows.__getitem__, default=0)


def _size(parts: dict[str, Tensor]) -> tuple[int, int]:
    n_in = next((parts[part].shape[1] for part in ("A", "R") if part in parts), 0)
    n_out = next((len(tensor) for part, tensor in parts.items() if part.startswith("B")), 0)
    return n_in, n_out


def _compare(file: _File, expected: dict[str, tuple[int, int]]) -> None:
    missing = [name for name in expected if name not in file.tensors]
    if missing:
        raise CheckpointError(f"{file.path.name}: the tensor {_first(missing)} is missing.")
    superfluous = [name for name in file.tensors if name not in expected]
    if superfluous:
        raise CheckpointError(f"{file.path.name}: there is no place for the tensor {_first(superfluous)}.")
    for name, shape in expected.items():
        if tuple(file.tensors[name].shape) != shape:
            raise CheckpointError(
                f"{file.path.name}: the tensor {name} is {_by(file.tensors[name].shape)} and should be {_by(shape)}."
            )


def _first(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
