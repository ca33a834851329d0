"""The fourth tab: there where results ship, and every number in it theirs."""

import numpy as np
import pytest
from test_lab import results  # noqa: F401

from crab.page import transfer
from crab.routing import lab


@pytest.fixture
def telling(results):  # noqa: F811
    import gradio as gr

    with gr.Blocks():
        return transfer.Telling(transfer.lay_out(results), None, gr.Tabs(), results, None, None)


def test_no_results_are_no_tab(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "RESULTS", tmp_path / "none.json")
    assert transfer.shipped() is None


def test_an_arm_is_held_against_training_alone_at_the_budget_that_is_chosen(telling, results):  # noqa: F811
    sheet = telling.sheet
    for budget in ("equal", "until"):
        shown, compared = telling.on_transfer(budget, "lora", False), lab.compare(results, "lora", budget)
        assert str(compared.shares) in shown[sheet.shares]
        drawn = {
            named[0]: x for trace in shown[sheet.changes].data for named, x in zip(trace.customdata or (), trace.x)
        }
        assert drawn == {task: pytest.approx(change.mean) for task, change in compared.changes.items()}
        cost = lab.costs(results, budget)[1]
        assert f"{cost.score:.3f}<small>{cost.low:.3f} to {cost.high:.3f}" in shown[sheet.costs]
    assert "one LoRA for all" in shown[sheet.costs]


def test_cosines_are_the_arms_own_or_none(telling, results):  # noqa: F811
    values = telling.on_transfer("until", "lora", False)[telling.sheet.cosines].data[0].z
    assert sorted(np.ravel(values)) == pytest.approx(sorted(np.ravel(results.cosines[0].values)))
    assert (
        "nothing to compare"
        in telling.on_transfer("until", "wide", False)[telling.sheet.cosines].layout.annotations[0].text
    )


def test_what_failed_is_said(telling):
    assert "wide" in transfer._words(telling.found) and "MemoryError" in transfer._words(telling.found)
