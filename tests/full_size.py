"""The released model's size, with random weights: whether it loads and answers, how fast, in how much memory.

    python tests/full_size.py [--layers N] [--tokens N] [--folder DIR]

Run by hand. Writes a checkpoint laid out like the published ones (thinker in bfloat16, adapter of the published
manifest, shards of a talker that nothing reads) into a folder of its own in DIR, which is gone at the end, however that
comes: some 20 GB of disk, and as much memory. `--layers` makes every tower that low, to try this script with.

Two processes, one after the other, so that each has a peak of its own: a base without an adapter answers a batch of
two. One with its adapter answers a clip traced, with a head muted and with the adapter off, a token of each in turn,
then the batch with the adapter on and off. Computes on an accelerator where there is one. A processor that has no
instructions for bfloat16 takes minutes to read a prompt, and about nine are read.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from crab import media  # noqa: E402
from crab.ilora import Intervention  # noqa: E402
from crab.loading import published_name, skeleton  # noqa: E402
from crab.model import Crab  # noqa: E402
from crab.prompt import Prompt  # noqa: E402
from crab.step import Step  # noqa: E402
from crab.tasks import TASKS  # noqa: E402
from crab.weights.plan import SHAPES  # noqa: E402

MINI = ROOT / "assets" / "crab-mini"
CLIP = ROOT / "assets" / "examples" / "evening-1000412.mp4"
MANIFEST = ROOT / "tests" / "golden" / "published_manifest.txt"
ADAPTER = "finetune_weights.bin"
SHARD = 2 * 10**9  # bytes of one file, all of which are in memory while it is written
SPARE = 2 * 10**9  # bytes that the disk should have left
NEVER = 152_063  # a token that no answer ends with: all are of the same length


# --- the checkpoint ---


def describe(folder: Path, layers: int | None) -> None:
    """All but weights: the published shape, with the processor and the words of crab-mini, which has the same."""
    for path in MINI.iterdir():
        if path.suffix in (".json", ".jinja") and "index" not in path.name:
            shutil.copy(path, folder)
    config = json.loads((MINI / "config.json").read_text())
    thinker = config["thinker_config"]
    for part, shape in SHAPES["Qwen/Qwen2.5-Omni-7B"].items():
        thinker[part] |= shape
    text, audio, vision = (thinker[f"{part}_config"] for part in ("text", "audio", "vision"))
    if layers is not None:
        text["num_hidden_layers"] = audio["encoder_layers"] = vision["depth"] = layers
    text["layer_types"] = ["full_attention"] * text["num_hidden_layers"]
    text["rope_parameters"]["mrope_section"] = [16, 24, 24]
    text["max_position_embeddings"] = 32_768
    vision["fullatt_block_indexes"] = [block for block in (7, 15, 23, 31) if block < vision["depth"]]
    (folder / "config.json").write_text(json.dumps(config))
    about = {"name": "full size", "knows": "Its weights are random: it knows nothing."}
    (folder / "crab.json").write_text(json.dumps(about))


def published_shapes(folder: Path) -> dict[str, torch.Size]:
    """The thinker's tensors by their names in the published files."""
    tensors = skeleton(str(folder)).state_dict()
    return {f"thinker.{published_name(name)}": tensor.shape for name, tensor in tensors.items()}


def adapter_shapes(layers: int | None) -> dict[str, torch.Size]:
    """The adapter's tensors by their published names, those of the first `layers` of every tower."""
    shapes = {}
    for name, shape in (line.split() for line in MANIFEST.read_text().splitlines()):
        if layers is None or int(re.search(r"\.(?:layers|blocks)\.(\d+)\.", name)[1]) < layers:
            shapes[name] = torch.Size(map(int, shape.split("x")))
    return shapes


def make(folder: Path, layers: int | None) -> None:
    """Write the checkpoint into `folder`. Exits with a sentence where the disk has no room for it."""
    describe(folder, layers)
    thinker, adapter = published_shapes(folder), adapter_shapes(layers)
    numbers = [sum(shape.numel() for shape in shapes.values()) for shapes in (thinker, adapter)]
    needed, free = 2 * sum(numbers), shutil.disk_usage(folder).free
    print(f"{numbers[0] / 1e9:.2f} billion parameters and {numbers[1] / 1e9:.2f} of the adapter: {needed / 1e9:.1f} "
          f"GB, and {free / 1e9:.1f} GB are free in {folder.parent}", flush=True)  # fmt: skip
    if needed + SPARE > free:
        sys.exit(f"There is no room for it: give a --folder on a disk with {(needed + SPARE) / 1e9:.0f} GB free.")
    began = time.perf_counter()
    torch.manual_seed(0)
    where, shard, number = {}, {}, 0
    for name, shape in thinker.items():
        if shard and sum(2 * one.numel() for one in shard.values()) + 2 * shape.numel() > SHARD:
            where |= _write(shard, folder / f"model-{number}.safetensors")
            shard, number = {}, number + 1
        shard[name] = _drawn(name, shape)
    where |= _write(shard, folder / f"model-{number}.safetensors")
    del shard
    where |= {name: _decoy(name, folder) for name in ("talker.model.embed_tokens.weight", "token2wav.zeros")}
    index = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    torch.save({name: _drawn(name, shape) for name, shape in adapter.items()}, folder / ADAPTER)
    print(f"written in {time.perf_counter() - began:.0f} s", flush=True)


def _drawn(name: str, shape: torch.Size) -> torch.Tensor:
    """As such a model begins: norms of one, no biases, the rest at random. B too, or heads would be silent."""
    if len(shape) == 1:
        return torch.full(shape, float(name.endswith("weight")), dtype=torch.bfloat16)
    return torch.empty(shape, dtype=torch.bfloat16).normal_(std=0.02)


def _write(shard: dict[str, torch.Tensor], path: Path) -> dict[str, str]:
    from safetensors.torch import save_file

    save_file(shard, path, metadata={"format": "pt"})
    return dict.fromkeys(shard, path.name)


def _decoy(name: str, folder: Path) -> str:
    """A shard of a gigabyte of zeros, which takes no room on the disk."""
    size = 10**9
    path = folder / f"model-{name.split('.')[0]}.safetensors"
    tensor = {"dtype": "BF16", "shape": [size // 2], "data_offsets": [0, size]}
    header = json.dumps({"__metadata__": {"format": "pt"}, name: tensor}).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    return path.name


# --- answers ---


def answer(folder: Path, adapter: Path | None, tokens: int) -> None:
    """Load and ask; with an adapter, also without it by turns. Prints."""
    began = time.perf_counter()
    crab = Crab.load(folder, adapter, dtype=torch.bfloat16)
    print(f"\n{'with its adapter' if adapter else 'the bare base'}: loaded on {crab.device} in "
          f"{time.perf_counter() - began:.1f} s, {peak()}", flush=True)  # fmt: skip
    crab.stops = frozenset({NEVER})
    clip = media.open_clip(CLIP)
    prompts = [crab.prompt(clip, TASKS["ave"]), crab.prompt(clip, TASKS["avqa"], "Which object makes a sound first?")]
    if adapter:
        streamed(crab, prompts[0], tokens, {
            "adapter, traced": (nullcontext, {"trace_routing": True}),
            "adapter, head 1 muted": (nullcontext, {"intervention": Intervention("mute", (0,))}),
            "adapter off": (crab.model.disable_adapter, {}),
        })  # fmt: skip
        batch(crab, prompts, tokens, "adapter")
        with crab.model.disable_adapter():
            batch(crab, prompts, tokens, "adapter off")
    else:
        batch(crab, prompts, tokens, "no adapter")
    print(f"in the end {peak()}", flush=True)


Way = tuple[Callable[[], AbstractContextManager], dict]


def streamed(crab: Crab, asked: Prompt, tokens: int, ways: dict[str, Way]) -> None:
    """One answer a way, a token of each in turn; who begins changes with every token."""
    streams: dict[str, Iterator[Step]] = {
        name: crab.stream(asked, max_new_tokens=tokens, **how) for name, (_, how) in ways.items()
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(tokens):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            with ways[name][0]():
                began = now()
                step = next(streams[name])
                took[name].append(now() - began)
            if number == 0:
                sites = sum(len(trace.sites) for trace in (step.routing or {}).values())
                weighed = f", router weights at {sites} sites" if sites else ""
                print(f"one clip, {name:22} {took[name][0]:8.2f} s to the first token, "
                      f"{len(asked.map.tokens)} positions read{weighed}", flush=True)  # fmt: skip
    for name, (_, *later) in took.items():
        each = sorted(later)[len(later) // 2]
        print(f"one clip, {name:22} {each:8.3f} s a token, {1 / each:.2f} tokens a second", flush=True)


def batch(crab: Crab, prompts: list[Prompt], tokens: int, name: str) -> None:
    began = now()
    written = crab.generate(prompts, max_new_tokens=tokens)
    took = now() - began
    assert [len(one.token_ids) for one in written] == [tokens] * len(prompts)
    print(f"a batch of {len(prompts)}, {name:20} {took:8.2f} s in all, {len(prompts) * tokens / took:.3f} tokens a "
          "second", flush=True)  # fmt: skip


def now() -> float:
    """Seconds, when an accelerator has done what it was given."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter()


def peak() -> str:
    """The most memory of this process so far, and of its GPU's where there is one. Mapped files count."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    status = Path("/proc/self/status")  # on Linux, `ru_maxrss` begins with that of the process that started this one
    if status.exists():
        most = 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])
    gpu = f" and {torch.cuda.max_memory_allocated() / 1e9:.1f} GB of the GPU's" if torch.cuda.is_available() else ""
    return f"at most {most / 1e9:.1f} GB of memory{gpu}"


@contextmanager
def room(folder: str | None) -> Iterator[Path]:
    """A folder that is gone afterwards, also where somebody ends this."""
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="full-size-", dir=folder) as made:
        yield Path(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, help="of every tower; if not given, as published")
    parser.add_argument("--tokens", type=int, default=6, help="of every answer, at least 2")
    parser.add_argument("--folder", help="on a disk with the room; the system's for temporary files if not given")
    args = parser.parse_args()
    if args.tokens < 2 or (args.layers is not None and not 1 <= args.layers <= 28):
        parser.error("--tokens has to be at least 2, and --layers 1 to 28")
    with room(args.folder) as folder:
        make(folder, args.layers)
        spawn = multiprocessing.get_context("spawn")  # one that dies for want of memory leaves this one to clean up
        for adapter in (None, folder / ADAPTER):
            process = spawn.Process(target=answer, args=(folder, adapter, args.tokens), daemon=True)
            process.start()
            process.join()
            if process.exitcode:
                sys.exit(f"It ended with status {process.exitcode}; -9 is what the system does for want of memory.")


if __name__ == "__main__":
    main()
