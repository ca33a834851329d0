"""Questions that share a clip's sequence: nothing from the future, nothing from a neighbour, and what a miss costs."""

from dataclasses import replace

import pytest
import torch

from crab.learn import items, mini, pack


@pytest.fixture(scope="module")
def processor():
    return mini.processor(mini.tokenizer(scenes=5))


@pytest.fixture(scope="module")
def thinker(processor):
    return mini.fresh(processor.tokenizer).eval()


@pytest.fixture(scope="module")
def item(processor):
    """A clip's, with several questions."""
    return items.make_item(processor, "events", 0)


def _hidden(thinker, batch):
    seen = {}
    hook = thinker.model.language_model.register_forward_hook(lambda _m, _i, out: seen.update(h=out[0]))
    with torch.no_grad():
        pack.answer_losses(thinker, batch)
    hook.remove()
    return seen["h"][0]  # (tokens, hidden) of the first item


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_no_token_sees_the_future_or_another_question(thinker, item, attention):
    thinker.set_attn_implementation(attention)
    batch = pack.batch([item])
    segment = batch["segment"][0]
    last = int(((segment == 0) | (segment == 1)).sum()) - 3  # a late token of the first question
    changed = dict(batch, input_ids=batch["input_ids"].clone())
    changed["input_ids"][0, last] += 1
    difference = (_hidden(thinker, batch) - _hidden(thinker, changed)).abs().amax(-1)
    assert not difference[:last].any()
    assert (difference[last : last + 3] > 0).all()
    assert not difference[segment == 2].any()


def test_questions_together_cost_what_each_costs_alone(thinker, item):
    with torch.no_grad():
        together, families = pack.answer_losses(thinker, pack.batch([item]))
        alone = []
        for question in range(1, int(item.segment.max()) + 1):
            kept = (item.segment == 0) | (item.segment == question)
            tokens = {name: getattr(item, name)[kept] for name in ("ids", "labels", "segment", "family")}
            alone.append(pack.answer_losses(thinker, pack.batch([replace(item, **tokens)]))[0])
    assert torch.allclose(together, torch.cat(alone), atol=1e-4)
    assert families.tolist() == item.family[item.labels != -100].tolist()


def test_a_coordinate_next_to_the_true_one_is_nearly_right_and_a_word_is_not(processor):
    words, ten = processor.tokenizer, pack.ten_of(processor.tokenizer)

    def loss(said, true):
        logits = torch.zeros(1, len(words))
        logits[0, words.convert_tokens_to_ids(said)] = 10.0
        [loss] = pack.token_loss(logits, torch.tensor([words.convert_tokens_to_ids(true)]), ten=ten)
        return float(loss)

    assert loss("120", "120") < loss("121", "120") < loss("124", "120") < loss("140", "120")
    assert loss("140", "120") == pytest.approx(loss("200", "120"), abs=0.01)
    assert loss("4", "5") == pytest.approx(loss("9", "5"))  # seconds are right or wrong
    logits, true = torch.zeros(1, len(words)), torch.tensor([words.convert_tokens_to_ids("5")])
    logits[0, true] = 10.0
    exact = torch.nn.functional.cross_entropy(logits, true)
    assert float(pack.token_loss(logits, true, ten=ten)) == pytest.approx(float(exact))


def test_a_vocabulary_without_numbers_has_the_plain_loss(tiny):
    assert pack.ten_of(tiny.processor.tokenizer) is None
