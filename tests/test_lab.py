"""The laboratory's results: kept whole, and read as they were meant."""

from dataclasses import replace

import numpy as np
import pytest

from crab import CrabError
from crab.__main__ import main
from crab.routing import lab
from crab.routing.lab import ALONE, Cosines, Failed, Results, Row

ROW = Row("", "", 0, 1, "s4", (), 1.0, 10, 40, 2.5, 3_000_000, 1000, 5000, 2e-6)


def row(arm, task, scores, *, on="", seed=0, rounds=1, held_out=1.0):
    return replace(ROW, arm=arm, on=on, task=task, scores=tuple(scores), seed=seed, rounds=rounds, held_out=held_out)


@pytest.fixture
def results():
    """s4 gains by being trained together, avqa loses at equal samples and cannot be told apart when each is done."""
    return Results("mini", {"items": 4}, {"lora": "one LoRA for all"}, [
        row(ALONE, "s4", [0.1] * 20, on="s4"), row(ALONE, "s4", [0.2] * 20, on="s4", rounds=2, held_out=0.5),
        row(ALONE, "s4", [0.0] * 20, on="s4", rounds=4, held_out=0.7),
        row(ALONE, "avqa", [0.9] * 20, on="avqa", held_out=0.1),
        row(ALONE, "ks", [0.25, 0.75] * 10, on="avqa", held_out=0.1),
        row("lora", "s4", [0.5] * 20), row("lora", "avqa", [0.4] * 20),
        row("lora", "s4", [0.6] * 20, rounds=2, held_out=0.9),
        row("lora", "avqa", [0.8, 1.0] * 10, rounds=2, held_out=0.9),
    ], [Cosines("lora", 0, 1, ("s4", "avqa"), ((0.9, -0.25), (-0.25, 0.8)))],
        [Failed("wide", "", 1, 1, "MemoryError: ")])  # fmt: skip


def test_a_file_gives_back_what_was_written_and_is_never_half_there(results, tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    lab.save(results, path)
    assert lab.load(path) == results

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OSError):
        lab.save(Results("other", {}), path)
    assert lab.load(path) == results and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "rows": [{"arm": "a"}]}'])
def test_another_file_is_told(text, tmp_path):
    (tmp_path / "file").write_text(text)
    with pytest.raises(CrabError, match="holds no results of this laboratory"):
        lab.load(tmp_path / "file")


def test_it_is_told_how_many_runs_wanted_more_rounds(results):
    results.size["most"] = 2  # s4 alone and "lora" had their lowest loss in the second
    assert results.cut_short == "Of 3 runs 2 still got better in the last round that there was."
    results.size["most"] = 4
    assert results.cut_short == "Of 3 runs 0 still got better in the last round that there was."


def test_equal_samples_are_one_round_and_the_other_is_the_round_of_the_lowest_loss(results):
    equal, until = (lab.compare(results, "lora", budget) for budget in ("equal", "until"))
    assert equal.changes["s4"].mean == pytest.approx(0.4) and equal.changes["avqa"].mean == pytest.approx(-0.5)
    assert until.changes["s4"].mean == pytest.approx(0.4) and until.changes["s4"].before == pytest.approx(0.2)
    assert until.changes["avqa"].mean == pytest.approx(0.0) and until.changes["avqa"].verdict == "undecided"
    assert (equal.shares.gain, equal.shares.lose) == (1, 1) and (until.shares.gain, until.shares.undecided) == (1, 1)


def test_only_seeds_that_both_have_are_compared(results):
    results.rows.append(row("lora", "s4", [0.9] * 20, seed=1))
    assert lab.compare(results, "lora", "equal").changes["s4"].after == pytest.approx(0.5)
    results.rows.append(row(ALONE, "s4", [0.3] * 20, on="s4", seed=1))
    found = lab.compare(results, "lora", "equal").changes["s4"]
    assert found.after == pytest.approx(0.7) and found.before == pytest.approx(0.2) and found.seeds == 2
    assert lab.compare(results, "nothing", "equal") is None


def test_single_task_adapters_are_crossed_with_tasks_they_were_tested_on(results):
    found = {(one.on, one.task): one for one in lab.crossings(results)}
    assert found.keys() == {("s4", "s4"), ("avqa", "avqa"), ("avqa", "ks")}
    assert found["s4", "s4"].mean == pytest.approx(0.2)
    cell = found["avqa", "ks"]
    assert cell.low < cell.mean == 0.5 < cell.high


def test_the_table_says_every_number_with_its_interval_and_what_failed(results):
    told = lab.table(results)
    assert "  avqa     0.900 -> 0.400  -0.500 (-0.500 to -0.500)  loses (20 items)" in told
    assert "of 2 tasks 1 gain, 0 lose, 1 undecided" in told
    assert "between tasks -0.250 (-0.250 to -0.250); a task with itself +0.850" in told
    assert "avqa on ks       0.500" in told
    assert "wide  seed 1, 1 rounds: MemoryError" in told
    costs = [line.split() for line in told.splitlines() if line.startswith(("alone", "lora "))]
    assert costs[0][:7] == ["alone", "2", "1", "80", "5", "3", "2000"]  # both adapters together
    assert "No run failed." in lab.table(replace(results, failed=[]))


@pytest.mark.parametrize(
    ("kind", "told"), [("changes", "1 gains, 0 loses, 1 undecided"), ("crossings", "learned avqa")]
)
def test_the_command_draws_its_figures(results, kind, told, tmp_path, capsys):
    lab.save(results, tmp_path / "results.json")
    command = ["figure", str(tmp_path / "results.json"), "--kind", kind, "--arm", "lora", "--out"]
    assert main([*command, str(tmp_path / "figure.html")]) == 0
    assert told in (tmp_path / "figure.html").read_text(encoding="utf-8")
    assert main([*command, str(tmp_path / "figure.png")]) == 2 and "is a .html" in capsys.readouterr().err


def test_the_table_of_nothing_is_no_error():
    assert "No run failed." in lab.table(Results("mini", {}))
    assert np.isfinite(len(lab.table(Results("mini", {}, [row("lora", "s4", [0.5])]))))
