"""What `crab plan` says beside what is measured: a load with one answer, and training steps, each in its own process.

    python tests/bench/plan.py [FOLDER]

A random checkpoint of crab-mini's kind, but of 130 million parameters, is made in FOLDER (or in a temporary one), with
an adapter of the released rank. Memory is the most that was resident at once. Exit status 1 where a plan is off by
more than 15 %.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
MINI = ROOT / "assets" / "crab-mini"
CLIP = ROOT / "assets" / "examples" / "evening-1000412.mp4"
ALLOWED = 0.15

# What the system says of a process's own peak (Linux); `ru_maxrss` would begin with that of the process it came from.
ANSWER = r"""
import re, sys, torch
from crab import media, tasks
from crab.model import Crab
folder, adapter, dtype, quantize, clip = sys.argv[1:]
crab = Crab.load(folder, adapter or None, device="cpu", dtype=getattr(torch, dtype), quantize=quantize or None)
list(crab.stream(crab.prompt(media.open_clip(clip), tasks.TASKS["ave"]), max_new_tokens=4))
print(1024 * int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]))
"""
TRAIN = r"""
import re, sys
from crab.learn import train
train.PER_STEP = 1  # micro-batches come one after the other and take no more memory for being eight
train.train_data(sys.argv[2], sys.argv[3], sys.argv[1], steps=2)
print(1024 * int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]))
"""


def make(folder: Path) -> None:
    """A base of bfloat16 weights in `folder`, and the published file of an adapter beside them."""
    from safetensors.torch import save_file
    from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

    from crab.ilora import ILoRAConfig, checkpoint
    from crab.learn.train import adapted
    from crab.loading import RENAMES, published_name

    folder.mkdir(parents=True, exist_ok=True)
    for path in MINI.iterdir():
        if path.suffix in (".json", ".jinja") and "index" not in path.name:
            shutil.copy(path, folder)
    config = json.loads((MINI / "config.json").read_text())
    thinker = config["thinker_config"]
    thinker["text_config"] |= dict(
        hidden_size=1024, intermediate_size=3072, num_hidden_layers=8, num_attention_heads=16, num_key_value_heads=4,
        layer_types=["full_attention"] * 8,
    )  # fmt: skip
    thinker["audio_config"] |= dict(
        d_model=384, encoder_layers=6, encoder_attention_heads=6, encoder_ffn_dim=1536, output_dim=1024
    )
    thinker["vision_config"] |= dict(
        depth=6, hidden_size=384, num_heads=6, intermediate_size=1152, out_hidden_size=1024,
        fullatt_block_indexes=[2, 5],
    )  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    model = Qwen2_5OmniThinkerForConditionalGeneration(Qwen2_5OmniThinkerConfig.from_pretrained(folder)).bfloat16()
    tensors = {f"thinker.{published_name(name)}": tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with_adapter = adapted(model, ILoRAConfig())
    for name, parameter in with_adapter.named_parameters():
        if "ilora_B" in name:
            torch.nn.init.normal_(parameter, std=0.01)
    checkpoint.save_published(with_adapter.bfloat16(), folder / "finetune_weights.bin", renames=RENAMES)


def measured(script: str, *arguments) -> int:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    # Layers of the released size, once let go of, are the system's again. Of these small ones glibc would keep what was
    # read to be quantised.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "1000000"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return int(done.stdout.split()[-1])


def main(folder: Path) -> int:
    from crab import weights
    from crab.scenes import dataset

    base = folder / "model"
    make(base)
    dataset.make(folder / "data", range(5, 7), datasets=["avqa"], split="train")
    bare = weights.plan(base, device="cpu", train=True)
    full = weights.plan(base, base / "finetune_weights.bin", device="cpu")
    rows = []
    for name, made, adapter in (("alone", bare, ""), ("adapted", full, base / "finetune_weights.bin")):
        for need in made.answering:
            seen = measured(ANSWER, base, adapter, need.dtype, need.quantize or "", CLIP)
            rows.append((f"answer, {need.setting}, {name}", need, seen))
    rows.append(("train, float32", bare.training[0], measured(TRAIN, base, folder / "run", folder / "data")))
    print(f"{bare.parameters / 1e6:.0f} million parameters and {full.adapter_parameters / 1e6:.0f} of the adapter; GB")
    worst = 0.0
    for name, need, seen in rows:
        planned = max(need.total, need.loading)
        off = planned / seen - 1
        worst = max(worst, abs(off))
        print(f"{name:<28}planned {planned / 1e9:.2f}  measured {seen / 1e9:.2f}  {off:+.0%}")
    return int(worst > ALLOWED)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as made_for_this:
        sys.exit(main(Path(made_for_this)))
