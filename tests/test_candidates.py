"""The same question asked several times: what is drawn, which of it agrees, and what is told of it."""

from __future__ import annotations

import json
from contextvars import copy_context
from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from crab import CrabError, candidates, media, stopping
from crab.answer import parse
from crab.ask import ask, to_json
from crab.candidates import agree, agreed, results
from crab.ilora import Intervention
from crab.memory import Memory
from crab.page import zerogpu
from crab.result import Candidate, Candidates, Result
from crab.segment import GrabCut
from crab.step import Step, Written
from crab.tasks import TASKS


@pytest.fixture(scope="module")
def clip(golden):
    return media.open_clip(golden / "media" / "a.mp4")


@pytest.fixture(scope="module")
def prompt(tiny, clip):
    return tiny.prompt(clip, TASKS["ave"])


# ---- drawing ----


def test_the_same_seed_draws_the_same_answers_and_another_one_others(tiny, prompt):
    drawn = tiny.sample(prompt, 3, seed=1, max_new_tokens=5)
    assert drawn == tiny.sample(prompt, 3, seed=1, max_new_tokens=5) != tiny.sample(prompt, 3, seed=2, max_new_tokens=5)
    assert len({tuple(one.token_ids) for one in drawn}) == 3 and {one.end for one in drawn} == {"cut"}


def test_each_token_has_the_probability_that_the_model_gives_it_after_its_own_answer(tiny, prompt):
    for one in tiny.sample(prompt, 3, seed=1, max_new_tokens=5):
        np.testing.assert_allclose(one.logprobs, tiny.scores(prompt, one.token_ids).nats, atol=1e-3)


def test_tokens_are_drawn_as_often_as_they_are_likely(tiny, prompt):
    likely = np.exp(tiny.scores(prompt, []).choice)
    first = np.array([one.token_ids[0] for one in tiny.sample(prompt, 600, max_new_tokens=1) if one.token_ids])
    halves = np.cumsum(likely)[first]  # of what is drawn by them, spread evenly from 0 to 1
    assert abs(np.mean(halves - likely[first] / 2) - 0.5) < 4 * np.sqrt(1 / 12 / 600)
    assert abs(np.mean(halves < 0.25) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 600) + likely.max()


def test_what_was_read_of_a_clip_is_not_read_again_and_changes_nothing(tiny, clip, monkeypatch):
    memory, task = Memory(), TASKS["avqa"]
    made = tiny.prompt(clip, task, "How many?", memory=memory)
    fresh = tiny.sample(made, 3, max_new_tokens=4)
    list(tiny.stream(made, max_new_tokens=1, memory=memory))
    monkeypatch.setattr(tiny.thinker, "get_audio_features", lambda *_, **__: pytest.fail("it was heard already"))
    again = tiny.sample(made, 3, max_new_tokens=4, memory=memory)
    assert [one.token_ids for one in again] == [one.token_ids for one in fresh]


def test_an_answer_ends_where_it_says_so_and_the_others_go_on(tiny, prompt, monkeypatch):
    fresh = tiny.sample(prompt, 3, seed=1, max_new_tokens=5)
    monkeypatch.setattr(tiny, "stops", frozenset({fresh[0].token_ids[2]}))
    first, second, _ = tiny.sample(prompt, 3, seed=1, max_new_tokens=5)
    assert first == Written(fresh[0].token_ids[:2], fresh[0].logprobs[:2], "stop")
    assert second == fresh[1]


def test_what_is_stopped_draws_no_further_token(tiny, prompt, monkeypatch):
    stop, turns, layer = Event(), [], tiny.thinker.model.language_model.layers[0]
    counted = layer.register_forward_pre_hook(lambda *_: (turns.append(1), len(turns) == 3 and stop.set())[0])

    def draw():
        stopping.stops(stop)
        return tiny.sample(prompt, 2, max_new_tokens=9)

    try:
        with pytest.raises(stopping.Stopped):
            copy_context().run(draw)
    finally:
        counted.remove()
    assert len(turns) == 3
    assert len(tiny.sample(prompt, 2, max_new_tokens=2)) == 2  # the next one is drawn as ever


def test_on_a_lent_gpu_the_same_is_drawn_within_the_time_of_one_answer(tiny, prompt):
    sent = []
    lent, _ = zerogpu.lend(tiny, GrabCut())
    here = lent._borrow
    lent._borrow = lambda *asked, **how: (sent.append((asked, how)), here(*asked, **how))[1]
    assert lent.sample(prompt, 2, max_new_tokens=2) == tiny.sample(prompt, 2, max_new_tokens=2)
    [((job, within, crossed, count), how)] = sent
    assert (job, count, how) == ("sample", 2, {"max_new_tokens": 2}) and crossed.media.videos == ()
    assert within == zerogpu.seconds(0, len(prompt.map.tokens), zerogpu.ANSWER)


# ---- agreeing ----


def said(words: str, dataset: str = "ave"):
    return parse(words, TASKS[dataset])


@pytest.mark.parametrize(("dataset", "one", "other", "same"), [
    ("ave", "<event>dog, (0 4)</event>", "<event>Dog, (0 5)</event>", True),
    ("ave", "<event>dog, (0 4)</event>", "<event>dog, (3 9)</event>", False),
    ("ave", "<event>dog, (0 4)</event>", "<event>cat, (0 4)</event>", False),
    ("ave", "<event>dog, (0 4)</event>", "<event>dog, (0 2)(2 4)</event>", True),
    ("avvp", "<visual_event>dog, (0 4)</visual_event>", "<audio_event>dog, (0 4)</audio_event>", False),
    ("avqa", "<answer>two</answer>", "So <answer>Two.</answer>", True),
    ("avqa", "<answer>two</answer>", "<answer>three</answer>", False),
    ("a2v", "<answer>one</answer>", "<answer>first</answer>", True),
    ("ref_avs", "<answer>false</answer>", "<answer>true</answer> Its box is [0,0,9,9].", False),
    ("arig", "<obj>(0,0)(100,100)</obj>", "<obj>(0,0)(100,60)</obj>", True),
    ("arig", "<obj>(0,0)(100,100)</obj>", "<obj>(0,0)(100,40)</obj>", False),
])  # fmt: skip
def test_what_is_the_same_result(dataset, one, other, same):
    one, other = (results(said(words, dataset))[0] for words in (one, other))
    assert agree(one, other) is agree(other, one) is same


def test_what_the_answer_says_is_counted_and_so_is_what_only_others_say():
    dog, cat = "<event>dog, (0 4)</event>", "<event>cat, (1 9)</event>"
    sampled = [dog + cat, "<event>dog, (0 5)</event>", cat, "<event>dog, (8 9)</event>", "Nothing.", cat + dog]
    found = agreed(said(dog), [said(one) for one in sampled])
    assert [(one.label, one.votes, one.said) for one in found] == [
        ("dog", 3, True),
        ("cat", 3, False),
        ("dog", 1, False),
    ]
    assert found[0].events[0].end == 4  # the answer's own, not another's


def test_of_boxes_the_one_that_most_agree_with_stands_for_them():
    drawn = [said(f"<obj>(0,0)({x},100)</obj>", "arig") for x in (40, 70, 100, 200)]
    found = agreed(said("nothing", "arig"), drawn)
    assert [(one.box.x2, one.votes, one.said) for one in found] == [(70, 3, False), (200, 1, False)]


def test_what_nobody_else_says_has_no_votes():
    [one] = agreed(said("<answer>two</answer>", "avqa"), [said("Well.", "avqa")] * 3)
    assert (one.label, one.votes, one.said) == ("two", 0, True)


# ---- the whole way ----


@pytest.fixture
def speaking(tiny, clip, monkeypatch):
    """A result, and a model that draws what it is given."""

    def speak(dataset: str, answer: str, sampled: list[str]) -> Result:
        texts = dict(enumerate([answer, *sampled]))
        monkeypatch.setattr(tiny, "decode", lambda ids: texts[ids[0]])
        monkeypatch.setattr(tiny, "stream", lambda *_, **__: (one for one in [Step(answer, (0,), end="stop")]))
        drawn = [Written([number + 1], [-1.0]) for number in range(len(sampled))]
        monkeypatch.setattr(tiny, "sample", lambda _, count, **__: drawn[:count])
        *_, result = ask(tiny, clip, TASKS[dataset], "How many?" if dataset == "avqa" else "", trace=False)
        return candidates.draw(tiny, result)

    return speak


def test_times_and_places_are_the_clips_own(speaking, clip):
    drawn = speaking("ave", "<event>dog, (0 4)</event>", ["<event>dog, (0 5)</event>", "<event>cat, (5 10)</event>"])
    dog, cat = drawn.candidates.results
    assert (dog.votes, drawn.candidates.asked) == (1, 2) and cat.events[0].end == pytest.approx(clip.duration)
    box = speaking("s4", "Its box is [0,0,112,224].", ["Its box is [0,0,110,224]."]).candidates.results[0]
    assert (box.box.x2, box.box.y2, box.votes) == (clip.width / 2, clip.height, 1)


def test_a_share_that_was_held_against_the_truth_stands_at_what_the_answer_says_alone(speaking):
    drawn = speaking("avqa", "<answer>two</answer>", ["<answer>two</answer>", "<answer>three</answer>"])
    drawn = replace(drawn, confidence={0: 0.875})
    shares = [candidates.sure(drawn, one) for one in drawn.candidates.results]
    assert shares == [0.875, None]
    head, two, three = candidates.lines(drawn)
    assert two == "  1 of 2  two (as the answer says, right as often as 88 %)" and "three (not in the answer)" in three


def test_candidates_are_told_in_the_published_shape(speaking, request):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((request.config.rootpath / "crab" / "result.schema.json").read_text())
    told = to_json(speaking("s4", "Its box is [0,0,112,224].", ["Its box is [0,0,110,224]."]))
    jsonschema.validate(told, schema)
    assert told["candidates"]["asked"] == 1 and told["candidates"]["results"][0]["box"]["box"][0] == 0
    none = to_json(replace(Result(media.Clip("a"), TASKS["ave"], "", "m", ""), candidates=Candidates(8, ())))
    jsonschema.validate(none, schema)


def test_what_cannot_be_asked_again_gets_a_sentence(tiny, clip, speaking):
    run = speaking("ave", "<event>dog, (0 4)</event>", ["Nothing."])
    for other, why in (
        (replace(run, task=TASKS["avcap"]), "no result"),
        (replace(run, clip=replace(clip, duration=30.0)), "in windows"),
        (replace(run, over_time=True), "in windows"),
        (replace(run, done=False), "unchanged"),
        (replace(run, intervention=Intervention("mute", (1,))), "unchanged"),
        (replace(run, model="another"), "an answer of another"),
    ):
        with pytest.raises(CrabError, match=why):
            candidates.draw(tiny, other)


def test_of_a_stretch_the_stretch_is_asked_again(tiny, clip, monkeypatch):
    asked = []
    monkeypatch.setattr(tiny, "sample", lambda prompt, *_, **__: [asked.append(prompt)] and [Written([1], [0.0])])
    monkeypatch.setattr(tiny, "decode", lambda _: "<event>dog, (0 10)</event>")
    run = Result(clip, TASKS["ave"], "", tiny.name, "", stretch=(1.0, 2.0), done=True)
    [dog] = candidates.draw(tiny, run).candidates.results
    assert (dog.events[0].start, dog.events[0].end) == (1.0, 2.0)
    assert min(time for time in asked[0].media.times) >= 1


def test_a_candidate_is_told_in_words():
    told = [candidates.told(one) for one in results(said("<visual_event>dog, (0 4)(5.25 6)</visual_event>", "avvp"))]
    assert told == ["dog, seen, 0–4, 5.25–6 s"]
    assert candidates.told(Candidate("choice", "two")) == "two"
