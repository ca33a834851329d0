"""The configurations for large models: each is one that Accelerate takes, and two processes that lie in shards train as
one does."""

import socket
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from conftest import GOLDEN, ROOT
from safetensors.torch import load_file
from test_train import _log, published  # noqa: F401
from transformers.models.qwen2_5_omni import modeling_qwen2_5_omni

from crab.ilora import ILoRAConfig
from crab.learn import loop, train

CONFIGS = ROOT / "crab" / "learn" / "configs"
SHAPE = dict(r=4, alpha=8, dropout=0.0)


@pytest.mark.parametrize("name", ["fsdp", "fsdp-nodes", "zero2", "zero2-nodes", "zero3", "zero3-nodes"])
def test_each_is_one_that_accelerate_takes(name):
    config = load_config_from_file(str(CONFIGS / f"{name}.yaml"))
    assert config.num_machines == (2 if name.endswith("nodes") else 1)
    assert config.num_processes == train.PER_STEP and config.mixed_precision == "bf16"
    if name.startswith("fsdp"):
        assert config.distributed_type == "FSDP"
        layers = config.fsdp_config["fsdp_transformer_layer_cls_to_wrap"].split(",")
        assert all(hasattr(modeling_qwen2_5_omni, layer) for layer in layers) and len(layers) == 3
    else:
        assert config.distributed_type == "DEEPSPEED" and config.deepspeed_config["zero_stage"] == int(name[4])


@pytest.mark.parametrize("name", ["fsdp", "zero2", "zero3"])
def test_all_of_them_stand_in_the_readme_and_nothing_else(name):
    told = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"crab/learn/configs/{name}.yaml" in told or f"`{name}" in told
    assert {path.stem.removesuffix("-nodes") for path in CONFIGS.iterdir()} == {"fsdp", "zero2", "zero3"}


SCRIPT = """
import sys
sys.path[:0] = [{root!r}]
from accelerate import state
from accelerate.utils import DistributedType

# Accelerate shards over GPUs only. PyTorch's own FSDP shards over CPUs too, and how is all that differs: so it is told
# that these are to be sharded.
init = state.AcceleratorState.__init__


def sharded(self, *arguments, fsdp_plugin=None, **named):
    init(self, *arguments, fsdp_plugin=fsdp_plugin, **named)
    if fsdp_plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin


state.AcceleratorState.__init__ = sharded
from torch.distributed.fsdp import FSDPModule
from crab.ilora import ILoRAConfig
from crab.learn import loop, train

loop.LOG_EVERY, loop.BF16, train.PER_STEP = 1, False, 4
step = loop.Loop.training_step


def checked(self, *arguments):
    assert isinstance(self.model, FSDPModule)
    assert all(isinstance(p, loop.DTensor) for p in self.model.parameters())
    return step(self, *arguments)


loop.Loop.training_step = checked
train.train_data(sys.argv[1], sys.argv[2], {model!r}, steps=2, shape=ILoRAConfig(**{shape!r}))
"""


def launched(config, script, *arguments):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(CONFIGS / config),
              "--num_processes", "2", "--mixed_precision", "no", "--main_process_port", str(port)]  # fmt: skip
    return subprocess.Popen([*launch, script, *arguments], stderr=subprocess.PIPE, text=True)


def test_two_processes_in_shards_have_the_losses_of_one(published, tmp_path, monkeypatch):  # noqa: F811
    """Two steps on published records; then its own checkpoint, which lies in shards, is gone on from."""
    script = tmp_path / "script.py"
    model = str(GOLDEN / "tiny-omni")
    script.write_text(SCRIPT.format(root=str(ROOT), model=model, shape=SHAPE), encoding="utf-8")
    other = launched("fsdp.yaml", script, tmp_path / "two", published)
    for of, name, value in ((loop, "LOG_EVERY", 1), (loop, "BF16", False), (train, "PER_STEP", 4)):
        monkeypatch.setattr(of, name, value)
    train.train_data(tmp_path / "one", published, model, steps=2, shape=ILoRAConfig(**SHAPE))
    assert other.wait() == 0, other.stderr.read()
    one, two = (_log(tmp_path / run) for run in ("one", "two"))
    assert [row["step"] for row in one] == [row["step"] for row in two] == [1, 2]
    for mine, theirs in zip(one, two):
        assert mine.pop("stage") == theirs.pop("stage")
        assert theirs == pytest.approx(mine, rel=1e-4)
    assert one[0]["loss"] != one[1]["loss"]

    adapters = [tmp_path / run / "adapter" / "adapter_model.safetensors" for run in ("one", "two")]
    mine, theirs = map(load_file, adapters)
    assert mine.keys() == theirs.keys()
    assert all(torch.allclose(mine[name], theirs[name], atol=5e-5) for name in mine)
    assert any(tensor.any() for name, tensor in theirs.items() if "ilora_B" in name)

    (tmp_path / "two" / "adapter" / "finetune_weights.bin").unlink()
    adapters[1].unlink()
    again = launched("fsdp.yaml", script, tmp_path / "two", published)
    assert again.wait() == 0, again.stderr.read()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in load_file(adapters[1]).items())
    assert [row["step"] for row in _log(tmp_path / "two")] == [1, 2]  # no step was made again


@pytest.mark.skipif(find_spec("deepspeed") is None, reason="deepspeed is not installed")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="Accelerate starts DeepSpeed on accelerators only")
@pytest.mark.parametrize("config", ["zero2.yaml", "zero3.yaml"])
def test_deepspeed_makes_two_steps(config, published, tmp_path):  # noqa: F811
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n"
        "from crab.ilora import ILoRAConfig\nfrom crab.learn import loop, train\n"
        "loop.LOG_EVERY, train.PER_STEP = 1, 4\n"
        f"train.train_data(sys.argv[1], sys.argv[2], {str(GOLDEN / 'tiny-omni')!r}, steps=2, shape=ILoRAConfig(**{SHAPE!r}))\n"
    )
    ran = launched(config, script, tmp_path / "two", published)
    assert ran.wait() == 0, ran.stderr.read()
    assert [row["step"] for row in _log(tmp_path / "two")] == [1, 2]
