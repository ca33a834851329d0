"""What the trainer shows the model: clips and questions in one sequence, nothing from the future, nothing from a neighbour."""

import pytest
import torch

from crab.learn import items, mini, pack, train
from crab.tasks import TASKS


@pytest.fixture(scope="module")
def reader():
    return mini.processor(mini.tokenizer(scenes=5))


@pytest.fixture(scope="module")
def thinker(reader):
    return mini.fresh(reader.tokenizer).eval()


@pytest.fixture(scope="module")
def sounds(reader):
    return pack.batch([items.make_item(reader, "sound", n) for n in (1, 2)])


def _hidden(thinker, batch):
    seen = {}
    hook = thinker.model.language_model.register_forward_hook(lambda _m, _i, out: seen.update(h=out[0]))
    with torch.no_grad():
        pack.sequence_loss(thinker, batch)
    hook.remove()
    return seen["h"][0]  # (tokens, hidden) of the first item


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_no_token_sees_the_future_or_another_question(thinker, sounds, attention):
    thinker.set_attn_implementation(attention)
    segment = sounds["segment"][0]
    last = int(((segment == 0) | (segment == 1)).sum()) - 3  # a late token of the first question
    changed = dict(sounds, input_ids=sounds["input_ids"].clone())
    changed["input_ids"][0, last] += 1
    difference = (_hidden(thinker, sounds) - _hidden(thinker, changed)).abs().amax(-1)
    assert not difference[:last].any()
    assert (difference[last : last + 3] > 0).all()
    assert not difference[segment == 2].any()


def test_questions_together_cost_what_each_costs_alone(reader, thinker):
    """The loss of packed questions is the token-weighted mean of the losses of each asked alone."""
    from crab.scenes import questions, script
    import numpy as np

    scene = script.write_sound(3)
    asked = questions.ask_sound(scene, np.random.default_rng(0))[:2]
    seen = items._heard(scene, TASKS["ave"])
    together, *alone = (pack.pack(reader, seen, q, media=("audio",)) for q in (asked, asked[:1], asked[1:]))
    with torch.no_grad():
        losses = [float(pack.sequence_loss(thinker, pack.batch([item]))) for item in (together, *alone)]
    counts = [int((item.labels != -100).sum()) for item in alone]
    assert losses[0] == pytest.approx(np.average(losses[1:], weights=counts), rel=1e-4)


@pytest.mark.parametrize("kind", ["picture", "sound", "events", "answers", "box", "points"])
def test_the_same_number_is_the_same_item(reader, kind):
    first, second = (items.make_item(reader, kind, 11) for _ in range(2))
    assert torch.equal(first.ids, second.ids) and torch.equal(first.labels, second.labels)
    assert (first.labels[first.segment == 0] == -100).all()
    assert (first.labels != -100).any()


def test_numbers_are_single_tokens(reader):
    for text in ("(12,130)(200,223)", "(0 10)"):
        pieces = [reader.tokenizer.decode([i]) for i in reader.tokenizer(text)["input_ids"]]
        assert all(p.isdigit() or not any(c.isdigit() for c in p) for p in pieces)
        assert "".join(pieces) == text


def test_a_coordinate_next_to_the_true_one_is_nearly_right_and_a_word_is_not(reader):
    words = reader.tokenizer

    def loss(said, true):
        logits = torch.zeros(1, len(words))
        logits[0, words.convert_tokens_to_ids(said)] = 10.0
        return float(pack.token_loss(logits, torch.tensor([words.convert_tokens_to_ids(true)])))

    assert loss("120", "120") < loss("121", "120") < loss("124", "120") < loss("140", "120")
    assert loss("140", "120") == pytest.approx(loss("200", "120"), abs=0.01)
    assert loss("4", "5") == pytest.approx(loss("9", "5"))  # seconds are right or wrong
    right = torch.zeros(1, len(words))
    right[0, words.convert_tokens_to_ids("5")] = 10.0
    true = torch.tensor([words.convert_tokens_to_ids("5")])
    assert float(pack.token_loss(right, true)) == pytest.approx(float(torch.nn.functional.cross_entropy(right, true)))


def test_a_saved_model_is_the_same_model(reader, thinker, tmp_path):
    from crab.model import Crab

    mini.save(thinker, reader, tmp_path)
    loaded = Crab.load(tmp_path, device="cpu")
    assert loaded.about.frame_size == mini.FRAME_SIZE and loaded.name == "crab-mini"
    for name, tensor in thinker.state_dict().items():
        assert torch.equal(loaded.thinker.state_dict()[name], tensor.bfloat16().float()), name


def test_training_goes_on_where_it_stopped(tmp_path, monkeypatch):
    """A run broken off and taken up again ends with the weights of a run in one go."""
    stage = train.Stage(steps=4, kinds={"sound": 1}, rate=1e-3, warmup=2)
    monkeypatch.setattr(mini, "tokenizer", lambda words=mini.tokenizer(scenes=5): words)
    monkeypatch.setattr(train, "SAVE_EVERY", 2)
    monkeypatch.setattr(train, "STAGES", {"practice": stage})
    train.train(tmp_path / "whole", workers=1)

    interrupted = train.sequence_loss
    calls = []

    def fails_at_the_fourth(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return interrupted(*arguments)

    monkeypatch.setattr(train, "sequence_loss", fails_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        train.train(tmp_path / "broken", workers=1)
    monkeypatch.setattr(train, "sequence_loss", interrupted)
    train.train(tmp_path / "broken", workers=1)
    whole, broken = (torch.load(tmp_path / run / "practice.pt", weights_only=True) for run in ("whole", "broken"))
    assert whole["done"] == broken["done"] == 4
    for name, tensor in whole["model"].items():
        assert torch.equal(tensor, broken["model"][name]), name
