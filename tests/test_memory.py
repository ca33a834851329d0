"""A second question about a clip: answered as if it were the first, with less work."""

import shutil
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch

from crab import media
from crab import prompt as prompts
from crab.ask import ask
from crab.ilora import Intervention, force, gate_override
from crab.memory import Memory, key_of
from crab.model import Crab
from crab.tasks import TASKS

FIRST, SECOND = ("ave", ""), ("avvp", "")  # they show and play the same


@pytest.fixture(scope="module")
def clip(golden):
    return media.open_clip(golden / "media" / "a.mp4")


def answer(crab, clip, asked, memory=None, **how):
    name, question = asked
    *_, last = ask(crab, clip, TASKS[name], question, memory=memory, **{"max_new_tokens": 6} | how)
    return last


@pytest.fixture
def passes(tiny):
    """How many positions each tower read, a pass: {"vision": [...], "audio": [...], "language": [...]}."""
    read = {"vision": [], "audio": [], "language": []}
    inner = tiny.thinker.model
    hooks = [
        inner.visual.register_forward_pre_hook(lambda _, given: read["vision"].append(len(given[0]))),
        inner.audio_tower.register_forward_pre_hook(lambda _, given: read["audio"].append(given[0].shape[-1])),
        inner.language_model.register_forward_pre_hook(
            lambda _, given, named: read["language"].append(named["inputs_embeds"].shape[1]), with_kwargs=True
        ),
    ]
    yield read
    for hook in hooks:
        hook.remove()


def same(one, other):
    assert (one.token_ids, one.text, one.notes) == (other.token_ids, other.text, other.notes)
    assert one.routing.keys() == other.routing.keys() == {"language", "audio", "vision"}
    for tower, trace in one.routing.items():
        assert trace.tokens == other.routing[tower].tokens and trace.sites == other.routing[tower].sites
        np.testing.assert_allclose(trace.weights, other.routing[tower].weights, atol=1e-5)
    assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert np.array_equal(one.seen.sounds, other.seen.sounds) and len(one.seen.frames) == len(other.seen.frames)


def test_a_second_question_is_answered_and_traced_as_without_memory_and_reads_its_words_alone(tiny, clip, passes):
    memory = Memory()
    same(answer(tiny, clip, FIRST, memory), answer(tiny, clip, FIRST))
    alone = answer(tiny, clip, SECOND)
    for positions in passes.values():
        positions.clear()
    with patch.object(prompts, "gather", side_effect=AssertionError("decoded again")):
        second = answer(tiny, clip, SECOND, memory)
    same(second, alone)
    words = len(tiny.prompt(clip, TASKS["avvp"]).map.tokens) - tiny.prompt(clip, TASKS["avvp"]).shown
    assert passes == {"vision": [], "audio": [], "language": [words, 1, 1, 1, 1, 1]}
    same(answer(tiny, clip, FIRST, memory), answer(tiny, clip, FIRST))  # and nothing of the second stays in it


def test_what_was_read_untraced_is_read_again_where_a_trace_is_wanted(tiny, clip, passes):
    memory = Memory()
    answer(tiny, clip, FIRST, memory, trace=False)
    untraced = answer(tiny, clip, SECOND, memory, trace=False)
    assert untraced.token_ids == answer(tiny, clip, SECOND).token_ids and untraced.routing is None
    same(answer(tiny, clip, SECOND, memory), answer(tiny, clip, SECOND))


CHANGES = [
    Intervention("force", (1,), towers=("vision",)),
    Intervention("mute", (0,), towers=("audio",)),
    Intervention("uniform", towers=("language",)),
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_changed_routing_is_neither_answered_from_memory_nor_kept_there(tiny, clip, change, passes):
    memory = Memory()
    own = answer(tiny, clip, FIRST, memory)
    expected = answer(tiny, clip, SECOND, intervention=change)
    passes["vision"].clear()
    same(answer(tiny, clip, SECOND, memory, intervention=change), expected)
    assert passes["vision"]
    empty = Memory()
    answer(tiny, clip, FIRST, empty, intervention=change)
    same(answer(tiny, clip, FIRST, empty), own)


def test_gates_and_adapters_that_others_changed_are_seen_too(tiny, clip):
    memory = Memory()
    own = answer(tiny, clip, FIRST, memory)
    for change in (gate_override(tiny.model, force(2)), tiny.model.disable_adapter()):
        made = tiny.prompt(clip, TASKS["ave"], memory=memory)
        with change:
            steps = [list(tiny.stream(made, max_new_tokens=3, memory=held)) for held in (memory, None)]
        assert steps[0] == steps[1] and steps[0][0].logprobs != own.logprobs[:1]
    same(answer(tiny, clip, FIRST, memory), own)


# What counts as the same


def test_the_same_is_what_holds_the_same_and_is_shown_the_same(golden, clip, tmp_path):
    again = media.open_clip(shutil.copy(clip.video, tmp_path / clip.name))
    other = media.open_clip(shutil.copy(golden / "media" / "b.mp4", tmp_path / "other.mp4"))
    task = TASKS["ave"]
    assert key_of(clip, task) == key_of(again, task) == key_of(clip, TASKS["avvp"])
    different = [key_of(clip, task), key_of(other, task), key_of(clip, task, window=(0.0, 5.0)),
                 key_of(clip, TASKS["meld"]), key_of(clip, TASKS["arig"]), key_of(replace(again, audio=None), task),
                 key_of(clip, TASKS["a2v"], other=other), key_of(other, TASKS["a2v"], other=clip)]  # fmt: skip
    assert len(set(different)) == len(different) and all(different)
    shutil.copy(other.video, again.video)  # another film in its place
    assert key_of(again, task) != key_of(clip, task)
    again.video.unlink()
    assert key_of(again, task) == key_of(object(), task) == ""


def test_memory_is_bounded_and_lets_go_of_what_was_asked_about_longest_ago(tiny, clip):
    memory = Memory()
    answer(tiny, clip, FIRST, memory)
    one = memory.nbytes
    assert one > sum(t.nbytes for t in tiny.prompt(clip, TASKS["ave"]).inputs.values())
    small = Memory(round(2.5 * one))
    windows = [(0.0, end) for end in (5.0, 6.0, 7.0, 8.0)]
    for window in windows:
        made = tiny.prompt(clip, TASKS["ave"], window=window, memory=small)
        next(tiny.stream(made, max_new_tokens=1, trace_routing=True, memory=small))
        assert small.nbytes <= small.most
    made = [tiny.prompt(clip, TASKS["ave"], window=window) for window in windows]
    keys = [replace(one, key=key_of(clip, TASKS["ave"], window=w)) for one, w in zip(made, windows)]
    there = [small.read(one, traced=True) is not None for one in keys]
    assert there[-1] and not there[0]


def test_without_memory_every_prompt_is_made_anew(tiny, clip):
    with patch.object(prompts, "gather", wraps=prompts.gather) as gather:
        for _ in range(2):
            answer(tiny, clip, FIRST)
    assert gather.call_count == 2


def test_a_question_that_cannot_be_asked_is_refused_before_anything_is_decoded(tiny, clip):
    with patch.object(prompts, "gather") as gather, pytest.raises(Exception, match="question"):
        tiny.prompt(clip, TASKS["avqa"], "", memory=Memory())
    assert not gather.called


def test_in_two_parts_logits_are_those_of_one(tiny, clip):
    """The numbers themselves, not only the tokens they lead to."""
    memory, scored = Memory(), []
    hook = tiny.thinker.lm_head.register_forward_hook(lambda _module, _inputs, logits: scored.append(logits.clone()))
    for held in (memory, memory, None):
        assert isinstance(tiny, Crab)
        made = tiny.prompt(clip, TASKS["ave"], memory=held)
        list(tiny.stream(made, max_new_tokens=3, memory=held))
    hook.remove()
    first, second, alone = torch.stack(scored).flatten(1).chunk(3)
    assert torch.equal(first, alone)
    torch.testing.assert_close(second, alone, rtol=1e-4, atol=1e-5)
