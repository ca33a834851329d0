"""The answers of a visit: how many are kept, and what they are called."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import app  # noqa: F401  imports spaces before torch
from crab import CrabError
from crab.ask import LOOKED_AT
from crab.ilora import Intervention
from crab.media import Clip
from crab.page.runs import KEPT, KEPT_BYTES, about, keep, names, still_here, unlike, weight, whose
from crab.result import Result
from crab.tasks import TASKS


def run_of(clip="evening.mp4", task="avqa", question="How many?", **more) -> Result:
    return Result(clip if isinstance(clip, Clip) else Clip(clip), TASKS[task], question, "crab-mini", "", **more)


def test_a_run_is_named_by_its_clip_its_question_and_what_was_changed():
    changed = run_of(intervention=Intervention("mute", (1,)))
    described = run_of(task="avcap", question="")
    assert names([run_of(), changed, described]) == [
        "1 · evening · avqa: How many? · as it is",
        "2 · evening · avqa: How many? · head 2 muted",
        "3 · evening · avcap: A description of picture and sound · as it is",
    ]
    assert whose(changed) == "evening (avqa, head 2 muted)"
    both = run_of("one.mp4", "a2v", "", other=Clip("two.mp4"), intervention=Intervention("average", whose="that run"))
    assert about(both) == "one and two · a2v: Which of two videos matches the sound · average of that run"


def test_only_runs_about_the_same_clip_and_question_are_held_against_each_other(tmp_path):
    for name, words in (("one", "a"), ("again", "a"), ("other", "b")):
        (tmp_path / name).write_text(words)
    one, again, other = (Clip(name, video=tmp_path / name) for name in ("one", "again", "other"))
    assert unlike(run_of(one), run_of(again, intervention=Intervention("uniform"))) == ""
    assert "different clips" in unlike(run_of(one), run_of(other))
    assert "different clips" in unlike(run_of(one, "a2v", other=one), run_of(one, "a2v", other=other))
    assert "two models" in unlike(run_of(one), replace(run_of(one), model="crab-plus"))
    assert "different things" in unlike(run_of(one), run_of(one, question="Which?"))
    assert "different things" in unlike(run_of(one, "avcap"), run_of(one, "avqa"))


def test_only_the_last_runs_are_kept():
    runs = []
    for number in range(KEPT + 2):
        runs = keep(runs, Result(None, TASKS["avqa"], str(number), "", ""))
    assert [run.question for run in runs] == [str(number) for number in range(2, KEPT + 2)]


def test_runs_that_weigh_much_leave_room_for_fewer_others():
    runs = []
    large = np.zeros((LOOKED_AT, LOOKED_AT, 3), np.uint8)
    heavy = np.zeros((100, 50_000, 3), np.float32)
    for number in range(5):
        trace = SimpleNamespace(weights=heavy, tokens=())
        run = Result(None, TASKS["s4"], str(number), "", "", frame=large, routing={"language": trace})
        runs = keep(runs, run)
        assert runs[-1] is run and sum(map(weight, runs)) <= KEPT_BYTES
    assert len(runs) == KEPT_BYTES // (large.nbytes + heavy.nbytes) > 1


def test_a_run_that_was_let_go_is_said():
    with pytest.raises(CrabError, match="no longer kept"):
        still_here(None)
