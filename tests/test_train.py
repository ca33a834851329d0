"""What the trainer shows the model, and that training is exact."""

import json
import multiprocessing
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import GOLDEN, ROOT
from safetensors.torch import load_file, save_file

from crab import CrabError, avuie
from crab.__main__ import main
from crab.ilora import ILoRAConfig, adapted_layers
from crab.ilora.trace import record
from crab.learn import loop, mini, pack, train
from crab.model import Crab

WORDS = mini.tokenizer(scenes=5)
CONFIG = mini.config
KINDS = sorted({kind for name, stage in train.STAGES.items() if name != "senses" for kind, _ in stage.cycle})
KIND = train.STAGES["practice"].cycle[0][0]


def small(words):
    """crab-mini with one or two layers a tower."""
    config = CONFIG(words)
    config.text_config.num_hidden_layers, config.text_config.layer_types = 2, config.text_config.layer_types[:2]
    config.audio_config.encoder_layers = config.audio_config.num_hidden_layers = 1
    config.vision_config.depth, config.vision_config.fullatt_block_indexes = 1, [0]
    return config


def shrink(stages, *, bf16=loop.BF16, log=1):
    """Train the small model in these stages, writing every step to the log."""
    mini.tokenizer, mini.config = lambda: WORDS, small
    train.STAGES, loop.BF16, loop.LOG_EVERY = stages, bf16, log


@pytest.fixture(autouse=True)
def undone(monkeypatch):
    for module, names in ((mini, ("tokenizer", "config")), (train, ("STAGES",)), (loop, ("BF16", "LOG_EVERY"))):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name))


@pytest.fixture(scope="module")
def processor():
    return mini.processor(WORDS)


# --- the loop ---


def _log(out):
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_a_kind_that_comes_twice_in_a_step_brings_other_items():
    stage = loop.Stage(steps=2, kinds=(("a", 2), ("b", 1), ("a", 1)), rate=1.0)
    data = train.Scenes(None, stage, lambda _processor, kind, numbers: {kind: numbers}, seed=0)
    assert [data[i].get("a") for i in range(len(data))] == [[0, 1], None, [2], [3, 4], None, [5]]


def test_accumulated_gradients_are_those_of_one_batch(processor, tmp_path, monkeypatch):
    """Also where one micro-batch has many more answer tokens than another."""
    gradients = []

    def clip(self, model):
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
        return torch.tensor(0.0)

    monkeypatch.setattr(loop.Loop, "_clip_grad_norm", clip)
    for name, kinds in (("whole", {KIND: 3}), ("parts", ((KIND, 1),) * 3)):
        shrink(train.STAGES, bf16=False)
        stage = loop.Stage(steps=1, kinds=kinds, rate=1e-3)
        model = loop.Answering(mini.fresh(WORDS), ten=pack.ten_of(WORDS))
        data = train.Scenes(processor, stage, train.make_batch, seed=0)
        loop.run(model, data, stage, tmp_path / name, seed=0)
    whole, parts = gradients
    assert _log(tmp_path)[0]["loss"] == pytest.approx(_log(tmp_path)[1]["loss"], abs=2e-5)
    for name, gradient in whole.items():
        assert torch.allclose(gradient, parts[name], atol=1e-5), name


def test_training_goes_on_where_it_stopped(tmp_path, monkeypatch):
    """A run broken off and taken up again has the losses and the final weights of a run in one go, dropout and all; its
    second stage begins with what the first handed on."""
    stage = loop.Stage(steps=4, kinds={KIND: 1}, rate=1e-2, warmup=2, save=2)
    shrink({"adapter": stage, "concludes": replace(stage, steps=1, rate=0.0, decay=0.0)})
    for run in ("whole", "broken"):
        (tmp_path / run / train.BASE[-1]).mkdir(parents=True)
        save_file(mini.fresh(WORDS).state_dict(), tmp_path / run / train.BASE[-1] / train.WEIGHTS)
    train.train_adapter(tmp_path / "whole")

    step = loop.Loop.training_step

    def fails_at_the_fourth(self, *arguments):
        if self.state.global_step == 3:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(loop.Loop, "training_step", fails_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        train.train_adapter(tmp_path / "broken")
    monkeypatch.setattr(loop.Loop, "training_step", step)
    half = tmp_path / "broken" / "adapter" / "checkpoint-3"  # the power went while it was written
    shutil.copytree(half.with_name("checkpoint-2"), half)
    (half / loop.WHOLE).unlink()
    (half / "optimizer.pt").write_bytes(b"")
    train.train_adapter(tmp_path / "broken")

    assert not half.exists()
    whole, broken, handed_on = (
        load_file(tmp_path / run / stage / "adapter_model.safetensors")
        for run, stage in (("whole", "concludes"), ("broken", "concludes"), ("whole", "adapter"))
    )
    assert all(torch.equal(tensor, broken[name]) for name, tensor in whole.items())
    assert all(torch.equal(tensor, handed_on[name]) for name, tensor in whole.items())  # it did not learn
    assert {tensor.dtype for tensor in whole.values()} == {torch.bfloat16}
    losses = {(row["stage"], row["step"]): row for row in _log(tmp_path / "broken")}
    assert list(losses.values()) == _log(tmp_path / "whole")
    before = (tmp_path / "whole" / "log.jsonl").read_text(encoding="utf-8")
    train.train_adapter(tmp_path / "whole")  # finished: left alone
    assert (tmp_path / "whole" / "log.jsonl").read_text(encoding="utf-8") == before


def test_a_loss_is_held_out_on_scenes_that_are_never_trained_on(processor, tmp_path):
    shrink(train.STAGES)
    drawn = []

    def make(processor, kind, numbers):
        drawn.append((kind, tuple(numbers)))
        return train.make_batch(processor, kind, numbers)

    stage = loop.Stage(steps=2, kinds=((KIND, 1), ("say", 2)), rate=0.0, save=1, held=2)
    model = loop.Answering(mini.fresh(WORDS), ten=pack.ten_of(WORDS))
    numbers = np.arange(loop.HELD, loop.HELD + 2).tolist()
    losses = [
        pack.answer_losses(model.thinker.eval(), train.make_batch(processor, kind, numbers), ten=model.ten)[0]
        for kind in (KIND, "say")
    ]
    arguments = loop.TrainingArguments(output_dir=str(tmp_path / "s"), use_cpu=True, max_steps=2, report_to=[])
    loop.Loop(model, arguments, stage, train.Scenes(processor, stage, make, seed=0))._hold_out()
    assert drawn == [(kind, tuple(numbers)) for kind in sorted((KIND, "say"))]
    [row] = _log(tmp_path)
    assert row["held_out"] == pytest.approx(float(torch.cat(losses).detach().mean()), abs=1e-4)
    trained = {n for i in range(4) for n in train.Scenes(None, stage, lambda _p, _k, of: {"of": of}, seed=7)[i]["of"]}
    assert max(trained) < train.SCENE_SEEDS < loop.HELD


def test_the_log_says_how_routers_use_their_heads(processor, tmp_path):
    """By tower, over what is held out; of the language model without the padding of a batch."""
    shrink(train.STAGES)
    thinker = mini.fresh(WORDS)
    train.adapted(thinker, ILoRAConfig(r=2, alpha=4, heads=3))
    model = loop.Answering(thinker.eval(), ten=pack.ten_of(WORDS))
    stage = loop.Stage(steps=1, kinds={KIND: 1}, rate=0.0, held=3)
    arguments = loop.TrainingArguments(output_dir=str(tmp_path / "s"), use_cpu=True, max_steps=1, report_to=[])
    loop.Loop(model, arguments, stage, train.Scenes(processor, stage, train.make_batch, seed=0))._hold_out()
    [row] = _log(tmp_path)
    batch = train.make_batch(processor, KIND, range(loop.HELD, loop.HELD + 3))
    real = (batch["segment"] >= 0).flatten().numpy()
    assert not real.all()
    with torch.no_grad(), record(model) as recorder:
        model(kind=KIND, **batch)
    gates = np.stack([of for name, of in recorder.take().items() if "language_model" in name])[:, real]
    entropy = -(gates * np.log(gates)).sum(-1).mean() / np.log(3)
    assert row["routers"]["language"]["entropy"] == pytest.approx(entropy, abs=1e-4)
    assert row["routers"].keys() >= {"language"} and row["routers"]["language"]["collapsed"] == 0


@pytest.fixture
def one_thread():
    """As each of several processes has: with more, sums are of another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_two_processes_end_where_one_does(tmp_path, one_thread):
    """The same global batch, dealt out over gloo: the sound of one micro-batch never meets the picture of another."""
    cycles = {"senses": [kind for kind, _ in train.STAGES["senses"].cycle][:2], "practice": [*KINDS[:2], *KINDS[-2:]]}
    stages = {
        name: loop.Stage(2, tuple((kind, 1) for kind in cycle), rate=1e-3, warmup=1) for name, cycle in cycles.items()
    }
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]\n"
        "import torch, test_train\nfrom crab.learn.train import BASE, Stage, train_base\n"
        f"test_train.shrink({stages!r}, bf16=False)\n"
        "for name in ('senses', 'practice'):\n    train_base(sys.argv[1], name)\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    other = subprocess.Popen([*launch, script, tmp_path / "two"], stderr=subprocess.PIPE, text=True)
    shrink(stages, bf16=False)
    for name in stages:
        train.train_base(tmp_path / "one", name)
    assert other.wait() == 0, other.stderr.read()
    assert (tmp_path / "two" / "practice" / "checkpoint-2" / "rng_state_1.pth").exists()
    for name in stages:
        one, two = (load_file(tmp_path / run / name / "checkpoint-2" / "model.safetensors") for run in ("one", "two"))
        furthest = max(float((tensor - two[key]).abs().max()) for key, tensor in one.items())
        # Adam's first steps are as long as the rate whatever the gradient is, so a sum in another order is seen where a
        # gradient is almost zero: a twentieth of a step was never reached, and another batch moves weights by whole ones.
        assert furthest < 5e-5
    one, two = ([row["loss"] for row in _log(tmp_path / run)] for run in ("one", "two"))
    assert one == pytest.approx(two, rel=1e-4) and len(one) == 4


def test_micro_batches_that_cannot_be_dealt_out_evenly_are_told(monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "process", lambda: SimpleNamespace(num_processes=2))
    with pytest.raises(CrabError, match="3 micro-batches, which 2 processes cannot share"):
        loop.run(None, None, loop.Stage(1, {"a": 1, "b": 1, "c": 1}, rate=1.0), tmp_path, seed=0)


def test_stages_come_one_after_the_other(tmp_path, capsys):
    shrink(train.STAGES)
    assert main(["train", "--base", "speaks", "--out", str(tmp_path)]) == 2
    assert "'practice' is not finished" in capsys.readouterr().err


# --- published records ---

TARGETS = {
    "ave": {"label_content": "<event>dog, (0 3)</event>"},
    "avqa": {"label": "one"},
    "meld": {"label": "<answer>neutral</answer>."},
    "a2v": {"label": "<answer>two</answer>."},
    "v2a": {"label": "<answer>one</answer>."},
    "s4": {"label_content": "[1,2,30,40][5,6][7,8][9,10]", "image_path": "a.jpg"},
    "ref_avs": {"output": "<answer>false</answer>", "image_path": "a.jpg", "idx": 7, "description": "the dog"},
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The golden records, as records to train on; of avqa one has two questions, and one has no media."""
    root = tmp_path_factory.mktemp("data")
    for name, fields in TARGETS.items():
        shutil.copytree(GOLDEN / "AVUIE_2" / name, root / "AVUIE_2" / name)
        [row] = json.loads((GOLDEN / "AVUIE_2" / name / "test.json").read_text())
        rows = [row | fields]
        if name == "avqa":
            rows += [rows[0] | {"question": "Is there a dog?", "label": "no"}, rows[0] | {"video_path": "gone.mp4"}]
        avuie.write(root, name, "train", rows)
    return root


@pytest.fixture(scope="module")
def records(published):
    return [record for name in TARGETS for record in avuie.read(published, name, split="train")]


def test_questions_about_one_clip_share_a_sequence(records):
    clips = train.by_clip(records)
    assert sorted(map(len, clips)) == [1, 1, 1, 1, 1, 1, 1, 2]
    assert sorted(map(len, train.by_clip(records[1:2] * 9))) == [1, 4, 4]


def test_every_record_comes_once_an_epoch_and_what_cannot_be_opened_is_named(records, tiny, capsys):
    clips = tuple(train.by_clip(records))
    data = train.Records(tiny.processor, clips, 2 * len(clips), frame_size=224, cache=None, seed=0)
    said = [tuple(batch["labels"][batch["labels"] != -100].tolist()) for batch in (data[i] for i in range(len(data)))]
    first, second = said[: len(clips)], said[len(clips) :]
    assert set(first) == set(second) and len(set(first)) == len(clips) - 1 and first != second
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and all("avqa/train.json, record 2 is left out: gone.mp4 was not found" in t for t in told)


def test_a_clip_in_the_cache_is_not_opened_again_until_it_changes(records, tiny, tmp_path, monkeypatch):
    [group] = train.by_clip(records[:1])
    plain, kept = (
        train.Records(tiny.processor, (group,), 1, frame_size=224, cache=cache, seed=0) for cache in (None, tmp_path)
    )
    expected, first = plain[0], kept[0]
    opened = []
    monkeypatch.setattr(avuie.Record, "open", lambda self: opened.append(self) or 1 / 0)
    for name, tensor in kept[0].items():
        assert torch.equal(tensor, first[name]) and torch.allclose(tensor, expected[name], rtol=0.01), name
    assert not opened
    again = replace(kept, frame_size=112)
    with pytest.raises(ZeroDivisionError):
        again[0]


def test_an_adapter_is_trained_on_published_records(published, tmp_path, monkeypatch, capfd):
    """All towers learn under checkpointing, and both formats of the result are the same adapter."""
    shutil.copytree(GOLDEN / "tiny-omni", tmp_path / "base")
    command = ["train", "--data", str(published), "--model", str(tmp_path / "base"), "--out", str(tmp_path / "out"),
               "--cache", str(tmp_path / "cache"), "--steps", "2"]  # fmt: skip
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    monkeypatch.setattr(train, "PER_STEP", 4)
    assert main(command) == 0
    assert "record 2 is left out" in capfd.readouterr().err
    one = Crab.load(tmp_path / "base", tmp_path / "out" / "adapter", device="cpu")
    other = Crab.load(tmp_path / "base", tmp_path / "out" / "adapter" / "finetune_weights.bin", device="cpu")
    assert one.adapter.r == 128 and one.adapter.heads == 3 and one.adapter.alpha == 256
    assert not one.adapter.silent and {name.split(".")[1] for name in one.adapter.sites} == {
        "language_model", "audio_tower", "visual",
    }  # fmt: skip
    ours, theirs = one.thinker.state_dict(), other.thinker.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    rows = _log(tmp_path / "out")
    assert [row["step"] for row in rows] == [1, 2] and all(np.isfinite(row["loss"]) for row in rows)


def test_encoders_get_gradients_though_nothing_that_enters_them_needs_one(records, golden):
    crab = Crab.load(golden / "tiny-omni", device="cpu")
    train.adapted(crab.thinker, ILoRAConfig(r=2))
    crab.thinker.activation_checkpointing_enable({"use_reentrant": False})
    model = loop.Answering(crab.thinker).train()
    data = train.Records(crab.processor, (tuple(records[:1]),), 1, frame_size=224, cache=None, seed=0)
    model(**data[0])["loss"].backward()
    layers = adapted_layers(crab.thinker)
    assert {name.split(".")[1] for name in layers} == {"language_model", "audio_tower", "visual"}
    for name, layer in layers.items():
        assert layer.ilora_B["default"].grad.any(), name


def test_it_trains_where_workers_are_not_forked(published, tmp_path):
    """As on macOS, on Windows and from Python 3.14 on: a worker gets data set and collator pickled."""
    other = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    script = tmp_path / "a script.py"
    script.write_text(
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]\n"
        "if __name__ == '__main__':\n"
        "    import multiprocessing, test_train\n"
        "    from crab.learn import loop, train\n"
        "    train.PER_STEP = 1\n"
        "    multiprocessing.set_start_method('spawn')\n"
        "    test_train.shrink({'senses': loop.Stage(2, (('hear', 1),), rate=1e-3, warmup=1)})\n"
        "    train.train_base(sys.argv[1], 'senses')\n"
        f"    multiprocessing.set_start_method({other!r}, force=True)\n"
        f"    train.train_data(sys.argv[1], {str(published)!r}, {str(GOLDEN / 'tiny-omni')!r}, steps=2, cache='')\n",
        encoding="utf-8",
    )
    out = tmp_path / "Läufe 犬"
    ran = subprocess.run([sys.executable, script, out], stderr=subprocess.PIPE, encoding="utf-8", errors="replace")
    assert ran.returncode == 0, ran.stderr
    assert [(row["stage"], row["step"]) for row in _log(out) if np.isfinite(row["loss"])] == [
        ("senses", 1), ("senses", 2), ("adapter", 1), ("adapter", 2),
    ]  # fmt: skip
    assert (out / "senses" / train.WEIGHTS).is_file() and (out / "adapter" / "finetune_weights.bin").is_file()
