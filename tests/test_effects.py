"""The difference between two answers and the damage table: on planted data, and on real runs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_atlas import clip, forced, model, own, result_of, run  # noqa: F401  the runs of a tiny model

from crab import CrabError, media
from crab.__main__ import main
from crab.answer import Box, Event
from crab.ask import ask
from crab.ilora import Intervention
from crab.routing import effects, routers
from crab.routing.atlas import Asked
from crab.routing.effects import Edit
from crab.seen import Media
from crab.segment import Mask
from crab.step import Written
from crab.tasks import TASKS


def test_the_same_answer_differs_in_nothing(tiny, own):
    found = effects.compare(own, own, crab=tiny)
    assert found.same and found.first is None and found.kl is None
    assert len(found.shifts) == len(own.token_ids) and not any(shift.nats for shift in found.shifts)
    assert [edit.kind for edit in found.words] == ["equal"] and "same answer" in str(found)


def test_the_first_differing_token_has_a_kl_and_only_with_a_model(tiny, own, forced):
    found = effects.compare(own, forced, crab=tiny)
    assert not found.same and own.token_ids[: found.first] == forced.token_ids[: found.first]
    assert own.token_ids[found.first] != forced.token_ids[found.first] and found.kl > 0
    prompt = tiny.prompt(own.clip, own.task)
    p, q = (tiny.logits(prompt, own.token_ids[: found.first], intervention=how)[-1].log_softmax(-1).numpy()
            for how in (None, forced.intervention))  # fmt: skip
    assert found.kl == pytest.approx(float((np.exp(p) * (p - q)).sum()), rel=1e-3)
    assert effects.compare(own, forced).kl is None
    assert effects.compare(own, forced, crab=tiny) == found
    assert "KL" in str(found)
    windowed = replace(own, prompt_tokens=2 * own.prompt_tokens)
    assert effects.compare(windowed, forced, crab=tiny).kl is None


def test_a_change_shows_in_every_token_even_where_the_words_stay(tiny, own):
    """Of the same answer under another routing: each token's log-probability, as the two runs' own passes have it."""
    how = Intervention("mute", (1,), layers=(2,), towers=("language",))
    other = replace(own, intervention=how)
    found = effects.compare(own, other, crab=tiny)
    prompt = tiny.prompt(own.clip, own.task)
    for number, (token, shift) in enumerate(zip(own.token_ids, found.shifts, strict=True)):
        p, q = (tiny.logits(prompt, own.token_ids[:number], intervention=by)[-1].log_softmax(-1)[token]
                for by in (None, how))  # fmt: skip
        assert shift.nats == pytest.approx(float(q - p), abs=1e-4)
        assert shift.text == tiny.processor.tokenizer.decode([token])
    assert max(abs(shift.nats) for shift in found.shifts) > 1e-3
    assert found.same and "nats a token" in found.facts[1]
    back = effects.compare(other, own, crab=tiny)
    assert [shift.nats for shift in back.shifts] == pytest.approx([-shift.nats for shift in found.shifts], abs=1e-6)
    assert effects.compare(own, other).shifts == ()


def test_words_events_boxes_and_masks_are_compared():
    before = result_of("A dog. <event>dog, (0 4)</event>", "ave", token_ids=(1, 2))
    after = result_of("A cat. <event>dog, (2 6)</event>", "ave", token_ids=(1, 3))
    found = effects.compare(before, after)
    assert found.events == pytest.approx(2 / 6) and found.boxes is None and found.masks is None and found.first == 1
    assert found.words[1] == Edit("replace", "dog", "cat")
    assert [edit.kind for edit in found.words] == ["equal", "replace", "equal", "replace", "equal", "replace", "equal"]
    box = replace(before.answer, boxes=(Box("dog", 0, 0, 10, 10),))
    whole, half = np.ones((4, 4), bool), np.arange(16).reshape(4, 4) < 8
    a, b = (replace(before, answer=box, masks=(Mask(0.0, "dog", mask, None),)) for mask in (half, whole))
    assert effects.compare(a, b).masks == 0.5 and effects.compare(a, b).boxes == 1.0
    assert effects.compare(a, before).boxes == effects.compare(a, before).masks == 0.0


def test_events_that_only_one_has_count_as_nothing_in_common():
    dog, cat = Event("dog", "both", 0, 4), Event("cat", "both", 0, 4)
    assert effects.events_iou([dog], [dog, cat]) == 0.5
    assert effects.events_iou([], []) is None and effects.events_iou([dog], []) == 0.0


# Damage


@pytest.mark.parametrize(("dataset", "target", "prediction", "score"), [
    ("avqa", "<answer>two</answer>", "So <answer> two </answer>.", 1.0),
    ("avqa", "<answer>two</answer>", "three", 0.0),
    ("a2v", "<answer>one</answer>", "<answer>one</answer>", 1.0),
    ("ave", "<event>dog, (0 4)</event>", "<event>dog, (2 6)</event>", 1 / 3),
    ("arig", "<obj>(0,0)(100,100)</obj>", "<obj>(0,0)(100,50)</obj>", 0.5),
    ("arig", "<obj>(0,0)(100,100)</obj>", "nothing", 0.0),
    ("ref_avs", "<answer>false</answer> It is absent.", "<answer>false</answer>", 1.0),
    ("ref_avs", "<answer>false</answer> It is absent.", "", 0.0),
    ("avcap", "a dog barks twice there", "a dog sings", 0.5),  # of five words and three two are common
])  # fmt: skip
def test_nearness_to_the_target(dataset, target, prediction, score):
    clip = media.Clip("clip.mp4", duration=10.0, width=224, height=224)
    asked = Asked(TASKS[dataset], clip, target=target)
    prediction = result_of(prediction, dataset).answer
    assert effects.nearness(prediction, asked, (224, 224)) == pytest.approx(score)


def test_damage_asks_with_each_head_muted_and_tells_what_is_lost_by_family(tiny, clip, monkeypatch):
    asked = [Asked(TASKS[name], clip, "How many?", target="x") for name in ("ave", "avqa", "avqa")]
    worse, fine = (tiny.processor.tokenizer(word)["input_ids"] for word in ("dog", "cat"))

    def generate(prompts, *, max_new_tokens, intervention):
        """What is said without head 2 is a quarter worse by the score below."""
        return [Written(worse if intervention == Intervention("mute", (1,)) else fine, [])] * len(prompts)

    monkeypatch.setattr(tiny, "generate", generate)
    monkeypatch.setattr(effects, "BATCH", 2)
    found = effects.damage(tiny, asked, score=lambda said, *_: {"dog": 0.75, "cat": 1.0}[said.text])
    thirds = ("layer 0", "layer 1", "layer 2")
    assert found.changes == (
        "head 1 muted", "head 2 muted", "head 3 muted", "head 1 forced", "head 2 forced", "head 3 forced",
        *(f"head {head} muted in {tower}" for tower in ("audio", "vision", "language") for head in (1, 2, 3)),
        *(f"head {head} muted in {third} of language" for third in thirds for head in (1, 2, 3)),
        "all heads alike", "routers of other sites", "routers drawn at random", "all heads muted",
    )  # fmt: skip
    table = effects.damage_table(found)
    assert table.families == ("localisation", "question") and table.counts == {"localisation": 1, "question": 2}
    rows = len(found.changes)
    np.testing.assert_allclose(table.values, [[0, 0], [-0.25, -0.25], *[[0, 0]] * (rows - 2)])
    assert table.clear.tolist() == [[False, False], [True, True], *[[False, False]] * (rows - 2)]
    assert (table.low <= table.values).all() and (table.values <= table.high).all() and "-0.250" in str(table)
    with pytest.raises(CrabError, match="without targets"):
        effects.damage(tiny, [Asked(TASKS["ave"], clip)])


def test_the_interval_of_a_family_is_of_its_own_questions():
    """One loses everything in every question, the other nothing: of neither there is any doubt."""
    lost = np.repeat([[1.0, 0.0]], 20)
    families = ("action",) * 20 + ("question",) * 20
    table = effects.damage_table(effects.Damage(("head 1 muted",), families, np.ones(40), 1 - lost[None]))
    for found in (table.values, table.low, table.high):
        np.testing.assert_allclose(found, [[-1, 0]], atol=1e-9)


def test_what_is_said_of_windows_is_on_the_clock_of_the_clip():
    """As `ask` has it: three tenths of the second window are seconds 10 to 13."""
    media_of_one = Media(videos=(np.ones((1, 2, 2, 3), np.uint8),), sound=np.ones(16000, np.float32))
    windows = [effects._Window(start, start + 10.0, SimpleNamespace(media=media_of_one)) for start in (0.0, 10.0)]
    crab = SimpleNamespace(
        generate=lambda prompts, **_: [Written([1], [])] * len(prompts), decode=lambda _: "<event>dog, (0 3)</event>"
    )
    asked = [Asked(TASKS["unav"], media.Clip("clip.mp4", duration=20.0, width=224, height=224))]
    [found] = effects._answers(crab, asked, [windows], None, 6)
    assert [(event.start, event.end) for event in found.events] == [(0, 3), (10, 13)]


def test_damage_hears_each_change_as_one_question_alone_does(tiny, clip):
    """In a batch, another question beside it, with the change in place: the answers of `ask`, and none is the first."""
    asked = [Asked(TASKS[name], clip, "How many?", target="x") for name in ("avqa", "ave")]
    heard: list[str] = []
    effects.damage(tiny, asked, max_new_tokens=4, score=lambda said, *_: float(heard.append(said.text) or 0))
    changes = effects._changes(tiny)
    for number, (name, (change, instead)) in enumerate(changes.items()):
        for place, one in enumerate(asked):
            with routers.instead(tiny, instead):
                *_, alone = ask(tiny, clip, one.task, one.question, intervention=change, trace=False, max_new_tokens=4)
            assert heard[2 * number + place] == alone.text.strip(), name
    assert len(set(heard[::2])) > 3


def test_routers_change_places_and_come_back(tiny, clip):
    own = routers._routers(tiny)
    before = {name: rows.clone() for name, rows in own.items()}
    for instead in (routers.shuffled(tiny), routers.drawn(tiny)):
        with routers.instead(tiny, instead):
            now = routers._routers(tiny)
            assert all(torch.equal(now[name], rows.to(now[name])) for name, rows in instead.items())
        assert all(torch.equal(rows, before[name]) for name, rows in routers._routers(tiny).items())
    ring = routers.shuffled(tiny)
    assert not [name for name, rows in ring.items() if torch.equal(rows, before[name])]
    shapes = lambda of: sorted(tuple(rows.shape) for rows in of.values())  # noqa: E731
    assert shapes(ring) == shapes(before)
    sums = lambda of: sorted(float(rows.float().sum()) for rows in of.values())  # noqa: E731
    assert sums(ring) == sums(before)
    for name, rows in routers.drawn(tiny).items():
        assert float(rows.norm()) == pytest.approx(float(before[name].float().norm()), rel=1e-3)


def test_with_all_heads_muted_the_bare_base_answers(tiny, clip):
    prompt = tiny.prompt(clip, TASKS["ave"])
    muted = tiny.logits(prompt, intervention=Intervention("mute", (0, 1, 2)))
    with tiny.model.disable_adapter():
        assert torch.equal(tiny.logits(prompt), muted)


def test_damage_is_kept_and_read_back(tmp_path):
    found = effects.Damage(("head 1 muted",), ("question", "action"), np.array([1.0, 0.5]), np.array([[0.0, 0.5]]))
    effects.save(found, tmp_path / "damage.json")
    again = effects.load(tmp_path / "damage.json")
    assert (again.changes, again.families) == (found.changes, found.families)
    assert (again.before == found.before).all() and (again.after == found.after).all()
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(CrabError, match="holds no damage"):
        effects.load(tmp_path / "other.json")


# The command line


def test_route_prints_both_answers_and_writes_the_changed_trace(golden, model, tmp_path, capsys):
    from crab.trace import load as load_npz

    out = tmp_path / "trace.npz"
    command = ["route", str(golden / "media" / "a.mp4"), "--task", "ave", "--out", str(out), *model]
    command += ["--max-new-tokens", "4"]
    assert main([*command, "--force", "1", "--towers", "language", "--layers", "0", "2"]) == 0
    printed = capsys.readouterr().out
    assert "head 1 forced in layers 0, 2 of language" in printed and ("KL" in printed or "same answer" in printed)
    trace = load_npz(out)["language"]
    forced = (trace.weights == [1, 0, 0]).all(axis=(1, 2))
    assert {site.layer for site, is_forced in zip(trace.sites, forced) if is_forced} == {0, 2}
    assert main(command) == 0 and "forced" not in capsys.readouterr().out
    assert main([*command, "--layers", "0"]) == 2 and "Say what to do there" in capsys.readouterr().err
    assert main([*command, "--mute", "9"]) == 2 and "no head 9" in capsys.readouterr().err
