"""The answers of a visit: how many are kept, and how they are named."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

import app  # noqa: F401  imports spaces before torch
from crab import CrabError
from crab.ask import LOOKED_AT, Result
from crab.ilora import Intervention
from crab.page.runs import KEPT, KEPT_BYTES, keep, names, still_here, weight
from crab.tasks import TASKS


def test_a_run_is_named_by_its_task_and_what_was_changed():
    run = Result(None, TASKS["avqa"], "", "", "")
    changed = dataclasses.replace(run, intervention=Intervention("mute", (1,)))
    assert names([run, run, changed]) == ["1 · avqa · as it is", "2 · avqa · as it is", "3 · avqa · head 2 muted"]


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
