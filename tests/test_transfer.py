"""The transfer laboratory at its smallest: arms attach and learn, a queue goes on, and features are what they are of."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_train import WORDS, small

from crab import CrabError
from crab.__main__ import main
from crab.ilora import adapted_layers
from crab.learn import arms, features, loop, mini, pack, transfer
from crab.learn.arms import ARMS, attach, trainable
from crab.learn.transfer import Lessons, Run, Size
from crab.model import Crab
from crab.routing import lab

TASKS = ("s4", "ref_avs")  # of a picture and a second of sound: the quickest to draw
TINY = Size(items=2, a_step=1, held=2, tested=2, most=1, tasks=TASKS)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The folder of a base like crab-mini, with one or two layers a tower and nothing learned."""
    folder, config = tmp_path_factory.mktemp("base"), mini.config
    mini.config = small
    try:
        mini.save(mini.fresh(WORDS), mini.processor(WORDS), folder)
    finally:
        mini.config = config
    return folder


@pytest.fixture(scope="module")
def drawn(base, tmp_path_factory):
    """Features of the clips of `TINY`, which are computed once."""
    crab = Crab.load(base, device="cpu")
    folder = tmp_path_factory.mktemp("drawn")
    return transfer.Workshop.set_up(folder, str(base), TINY).features, crab


@pytest.fixture
def out(drawn, tmp_path):
    """A folder to begin in, with the features there."""
    (tmp_path / "features").symlink_to(drawn[0].folder)
    return tmp_path


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(transfer, "LONGEST", 3)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    monkeypatch.setattr(loop, "BF16", False)


# --- features ---


def test_kept_features_are_what_the_encoders_hand_on(drawn):
    """The loss on a kept clip is that on its pixels and sound, but for the rounding to half the bytes."""
    kept, crab = drawn
    clip = kept.clip("s4", transfer.FIRST)
    item = clip.item(crab.processor)
    seen, asked = features.clip_about("s4", features.SUBJECTS["s4"], transfer.FIRST)
    live = pack.pack(crab.processor, seen, asked)
    for name in ("ids", "labels", "segment", "family"):
        assert torch.equal(getattr(item, name), getattr(live, name))
    assert item.inputs["pixel_values"].shape == (16, 256)
    expected, _ = pack.answer_losses(crab.thinker, pack.batch([live]))
    handing = Crab.load(crab_folder(crab), device="cpu").thinker
    features.hand_on(handing)
    losses, _ = pack.answer_losses(handing, pack.batch([item]))
    assert torch.allclose(losses, expected, atol=0.02) and not torch.equal(losses, expected)


def crab_folder(crab):
    return crab.thinker.config._name_or_path


def test_a_kept_clip_is_asked_as_a_clip_is(drawn):
    kept, crab = drawn
    seen, asked = features.clip_about("ref_avs", features.SUBJECTS["ref_avs"], transfer.FIRST)
    live = features.prompt.assemble(
        crab.processor, seen, features.TASKS["ref_avs"], asked[0].question, frame_size=crab.about.frame_size
    )
    assert len(asked) > 1
    prompts = [kept.clip(task, transfer.FIRST).prompt(crab.processor) for task in ("ref_avs", "s4")]
    assert torch.equal(prompts[0].inputs["input_ids"], live.inputs["input_ids"])
    handing = Crab.load(crab_folder(crab), device="cpu")
    features.hand_on(handing.thinker)
    first, _ = handing.generate(prompts, max_new_tokens=4)  # of two lengths, so that one is padded
    assert first.token_ids == crab.generate([live], max_new_tokens=4)[0].token_ids


def test_a_conclusion_is_what_a_target_ends_in():
    told = features.Asked("avqa", "?", "A dog barks. So the answer is <answer> dog </answer>.")
    assert told.conclusion == "<answer> dog </answer>."
    events = "The sound is a dog. Therefore, the events and time range are <event>dog, (0 3)</event>."
    assert features.Asked("unav", "", events).conclusion == "<event>dog, (0 3)</event>."
    assert features.Asked("avcap", "", "A dog is on the left.").conclusion == "A dog is on the left."


def test_what_is_trained_on_held_out_and_tested_is_never_the_same_scene(drawn):
    kept, _ = drawn
    said = [kept.clip(task, number).inputs for task in TASKS for number in (
        transfer.FIRST, transfer.FIRST + 1, loop.HELD, loop.HELD + 1, transfer.SCENE_SEEDS, transfer.SCENE_SEEDS + 1)]  # fmt: skip
    pictures = [inputs["pixel_values"].flatten()[:64].tolist() for inputs in said]
    assert len({tuple(one) for one in pictures}) == len(pictures)


def test_tasks_that_ask_the_same_in_the_same_words_are_one(drawn):
    prompts = {(features.TASKS[name].lead, features.TASKS[name].instruction) for name in features.SUBJECTS}
    everything = {(task.lead, task.instruction) for task in features.TASKS.values()}
    assert prompts == everything and len(prompts) == len(features.SUBJECTS)


# --- order ---


@pytest.mark.parametrize("processes", [1, 2])
def test_every_round_has_every_clip_once_in_an_order_of_its_own(processes):
    size = Size(items=8, a_step=2, held=1, tested=1, most=4, tasks=("s4", "arig"))
    data = Lessons(None, Run("lora", "", 0, 2), size.tasks, size, processes=processes)
    shown = [data.numbers(i) for i in range(len(data))]
    for task in size.tasks:
        numbers = [number for name, of in shown if name == task for number in of]
        first, second = numbers[:8], numbers[8:]
        assert sorted(first) == sorted(second) == list(range(transfer.FIRST, transfer.FIRST + 8)) and first != second
    alone = Lessons(None, Run("alone", "s4", 0, 2), ("s4",), size, processes=processes)
    assert [alone.numbers(i) for i in range(len(alone))] == [one for one in shown if one[0] == "s4"]


def test_a_step_that_cannot_be_dealt_out_evenly_is_told():
    with pytest.raises(CrabError, match="2 clips of a task, which 3 processes"):
        len(Lessons(None, Run("lora", "", 0, 1), ("s4",), Size(4, 2, 1, 1, 1), processes=3))


# --- arms ---


@pytest.fixture(scope="module")
def thinker(base):
    return Crab.load(base, device="cpu").thinker


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_adapts_the_language_model_alone_and_leaves_the_base_as_it_was(thinker, name):
    before = [key for key, _ in thinker.named_parameters()]
    thinker.requires_grad_(False)
    model = attach(thinker, ARMS[name], seed=0)
    trained = [key for key, p in model.named_parameters() if p.requires_grad]
    assert trained and all("language_model" in key for key in trained)
    model.unload()
    assert [key for key, _ in thinker.named_parameters()] == before


def test_what_is_compared_has_as_many_weights(thinker):
    weights = {}
    for name, arm in ARMS.items():
        thinker.requires_grad_(False)
        model = attach(thinker, arm, seed=0)
        weights[name] = trainable(model)
        model.unload()
    for name in ("alone", "lora", "alike", "lily", "concise", "concise lora"):
        assert weights[name] == pytest.approx(weights["ilora"], rel=0.03), name
    assert weights["small lora"] < weights["lora"] / 3 and weights["wide"] > 1.3 * weights["lora"]
    assert weights["1 head"] < weights["2 heads"] < weights["ilora"] < weights["6 heads"]


def test_even_routers_stay_even_and_are_not_trained(thinker):
    model = attach(thinker, ARMS["even"], seed=0)
    assert not any("ilora_R" in name for name, p in model.named_parameters() if p.requires_grad)
    gates = [layer.gate(torch.rand(5, 3)) for layer in adapted_layers(model).values()]
    assert all(torch.equal(gate, torch.full((5, 3), 1 / 3)) for gate in gates)
    model.unload()


def test_heads_that_are_pulled_come_together(thinker):
    model = attach(thinker, ARMS["alike"], seed=0)
    assert arms.apart(model) == 0
    layer = next(iter(adapted_layers(model).values()))
    with torch.no_grad():
        layer.ilora_B["default"].copy_(torch.randn_like(layer.ilora_B["default"]))
    first = arms.apart(model)
    heads = layer.ilora_B["default"].detach().chunk(3, dim=1)
    mean = sum(heads) / 3
    assert first.item() == pytest.approx(sum((head - mean).square().sum().item() for head in heads), rel=1e-4)
    [gradient] = torch.autograd.grad(first, [layer.ilora_B["default"]])
    with torch.no_grad():
        layer.ilora_B["default"] -= 0.1 * gradient
    assert arms.apart(model) < first
    model.unload()


def test_an_arm_that_there_is_not_is_told():
    assert list(arms.arms_named(["ilora", "alone"])) == ["alone", "ilora"]
    with pytest.raises(CrabError, match="no arm 'dora'"):
        arms.arms_named(["dora"])


# --- the queue ---


@pytest.mark.parametrize("name", ["alike", "even", "lily", "concise"])
def test_an_arm_learns_is_saved_and_answers(base, out, name):
    results = transfer.transfer(out, str(base), TINY, {name: [0]})
    assert not results.failed
    assert [row.task for row in results.rows] == list(TASKS)
    for row in results.rows:
        assert (row.steps, row.clips, row.rounds) == (2, 4, 1) and np.isfinite(row.held_out)
        assert len(row.scores) == 2 and all(0 <= score <= 1 for score in row.scores)
        assert row.seconds > 0 and row.parameters and row.bytes > 4 * row.parameters
    [cosines] = results.cosines
    values = np.array(cosines.values)
    assert values.shape == (2, 2) and np.allclose(values, values.T) and np.abs(values).max() <= 1
    assert lab.load(out / transfer.RESULTS) == results


def test_rounds_are_doubled_until_that_brings_nothing(monkeypatch):
    losses = {"": [3.0, 2.0, 1.0, 0.5], "s4": [3.0, 2.0, 2.5], "ref_avs": [1.0, 1.0]}
    row = lab.Row("", "", 0, 1, "s4", (0.0,), 0.0, 1, 1, 1.0, None, 1, 1, 0.0)
    done = []

    def do(run):
        done.append((run.on, run.rounds))
        held_out = losses[run.on][(1, 2, 4, 8).index(run.rounds)]
        return [replace(row, arm=run.arm, on=run.on, rounds=run.rounds, held_out=held_out)], None

    results = lab.Results("", {})
    monkeypatch.setattr(lab, "save", lambda *_: None)
    workshop = SimpleNamespace(do=do, size=replace(TINY, most=8), out=Path())
    for on in losses:
        transfer._ladder(workshop, results, "lora", on, 0)
    assert done == [("", 1), ("", 2), ("", 4), ("", 8), ("s4", 1), ("s4", 2), ("s4", 4), ("ref_avs", 1), ("ref_avs", 2)]
    assert [results.rounds("lora", on, 0, "until") for on in losses] == [8, 2, 1]
    assert [results.rounds("lora", on, 0, "equal") for on in losses] == [1, 1, 1]
    transfer._ladder(workshop, results, "lora", "s4", 0)
    assert len(done) == 9  # nothing is done twice


def test_interrupted_anywhere_the_file_is_whole_and_the_queue_goes_on(base, out, monkeypatch):
    plan = {"alone": [0]}
    monkeypatch.setattr(transfer, "SAVE_EVERY", 1)
    step, tested = loop.Loop.training_step, transfer.Workshop._tested

    def breaks_off(self, *arguments):
        if "ref_avs" in self.args.output_dir and self.state.global_step == 1:
            raise KeyboardInterrupt
        return step(self, *arguments)

    def breaks_off_later(self, crab, task):
        raise KeyboardInterrupt

    for of, name, broken, whole in (
        (loop.Loop, "training_step", breaks_off, step),
        (transfer.Workshop, "_tested", breaks_off_later, tested),
    ):
        monkeypatch.setattr(of, name, broken)
        with pytest.raises(KeyboardInterrupt):
            transfer.transfer(out, str(base), TINY, plan)
        monkeypatch.setattr(of, name, whole)
        assert [row.on for row in lab.load(out / transfer.RESULTS).rows] == ["s4"]
    results = transfer.transfer(out, str(base), TINY, plan)

    assert [row.run for row in results.rows] == [("alone", "s4", 0, 1), ("alone", "ref_avs", 0, 1)]
    assert not list(out.rglob("checkpoint-*")) and not list(out.glob("*.part"))
    logged = [json.loads(line) for line in (out / "runs" / "log.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in logged if row["stage"] == "alone-ref_avs-seed0-x1"]
    assert steps == [1, 2]  # neither from the beginning again, nor a step too many


def test_a_run_that_fails_is_listed_and_tried_again(base, out, monkeypatch):
    attach_it = transfer.attach
    monkeypatch.setattr(transfer, "attach", lambda *_, **__: 1 / 0)
    results = transfer.transfer(out, str(base), TINY, {"lora": [3]})
    [failed] = results.failed
    assert (failed.arm, failed.seed, failed.error) == ("lora", 3, "ZeroDivisionError: division by zero")
    assert "lora  seed 3, 1 rounds: ZeroDivisionError" in lab.table(results)
    monkeypatch.setattr(transfer, "attach", attach_it)
    again = transfer.transfer(out, str(base), TINY, {"lora": [3]})
    assert not again.failed and len(again.rows) == 2


def test_another_size_or_base_needs_another_folder(base, out):
    lab.save(lab.Results("crab-mini", {"items": 1}), out / transfer.RESULTS)
    with pytest.raises(CrabError, match="another --out"):
        transfer.transfer(out, str(base), TINY, {"lora": [0]})


def test_the_command_prints_the_table(base, out, monkeypatch, capsys):
    monkeypatch.setattr(transfer, "QUICK", replace(TINY, tasks=("s4",)))
    command = ["transfer", "--quick", "--out", str(out), "--model", str(base), "--arms", "lora", "alone"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "== at equal samples ==" in printed and "lora, against alone, 1 seed: of 1 tasks" in printed
    assert main([*command[:-2], "nothing"]) == 2
    assert "There is no arm 'nothing'" in capsys.readouterr().err


# --- what a run is looked at by ---


@pytest.mark.parametrize(("name", "moves"), [("ilora", False), ("even", False), ("lora", False), ("lily", True)])
def test_only_lily_lets_an_answer_depend_on_its_neighbours(drawn, base, name, moves):
    """Its heads are mixed by the mean of the router over the whole batch, those of I-LoRA token by token."""
    kept, _ = drawn
    crab = Crab.load(base, device="cpu")
    features.hand_on(crab.thinker)
    model = attach(crab.thinker, ARMS[name], seed=0)
    torch.manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.copy_(0.1 * torch.randn_like(p))
    prompts = [kept.clip(task, transfer.FIRST).prompt(crab.processor) for task in ("ref_avs", "s4")]
    assert prompts[0].inputs["input_ids"].shape != prompts[1].inputs["input_ids"].shape  # one is padded
    for some in (prompts, prompts[::-1]):
        moved = transfer.moved_by_others(Crab(model, crab.processor, crab.about), some)
        assert moved > 1e-2 if moves else moved < 1e-4


def test_cosines_of_halves_tell_agreement_from_noise():
    one, two = torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0])
    found = transfer.cosines_of(torch.stack([torch.stack([one, one]), torch.stack([2 * one, two])]))
    np.testing.assert_allclose(found, [[1, 0.5], [0.5, 0]], atol=1e-6)
