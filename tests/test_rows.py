"""Answers from a file, joined to the records that they are about."""

import json

import pytest

from crab import avuie
from crab.__main__ import main
from crab.learn.rows import NO_ANSWER, matched

CLIP = {"video_path": "c.mp4", "audio_path": "c.mp3"}
TRUE = ("vacuum cleaner", "one", "girl", "two")


@pytest.fixture
def folder(tmp_path):
    """Four questions and three recordings of actions."""
    questions = [{**CLIP, "question": f"What is {i}?", "answer": answer, "question_id": 10 + i, "type": "Audio"}
                 for i, answer in enumerate(TRUE)]  # fmt: skip
    avuie.write(tmp_path, "avqa", "test", questions)
    avuie.write(tmp_path, "ks", "test", [{**CLIP, "action": action} for action in ("singing", "singing", "jumping")])
    return tmp_path


def answer(record, prediction, **fields):
    return {"task": "avqa", "record": record, "output": "", "predict": f"<answer>{prediction}</answer>"} | fields


def scored(folder, rows, capsys, *options, tasks=("avqa",)):
    file = folder / "p.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["evaluate", "--data", str(folder), "--tasks", *tasks, "--score", str(file), *options]) == 0
    out = capsys.readouterr().out
    return json.loads(out) if "--json" in options else out


ONE_WRONG = [answer(0, "zzz"), *(answer(i, TRUE[i]) for i in (1, 2, 3))]


def test_a_record_that_is_answered_again_counts_once_and_the_last_answer_wins(folder, capsys):
    rows = [answer(3, "girl"), *ONE_WRONG, *ONE_WRONG[1:], *ONE_WRONG[1:]]
    found = scored(folder, rows, capsys, "--json")
    assert found["datasets"]["avqa"]["answers"] == 4 and found["datasets"]["avqa"]["accuracy"] == 3 / 4
    assert [flaw["record"] for flaw in found["replaced"]] == [3, 1, 2, 3, 1, 2, 3] and not found["strangers"]
    assert scored(folder, [*ONE_WRONG, answer(3, "girl")], capsys, "--json")["datasets"]["avqa"]["accuracy"] == 2 / 4


@pytest.mark.parametrize("record", [77, -1, None, True, "1", 1.5, [1], {}])
def test_an_answer_to_no_record_is_listed_and_not_counted(record, folder, capsys):
    found = scored(folder, [*ONE_WRONG, answer(record, "yes", output="yes")], capsys, "--json")
    assert found["datasets"]["avqa"]["answers"] == 4 and found["datasets"]["avqa"]["accuracy"] == 3 / 4
    [flaw] = found["strangers"]
    assert flaw["dataset"] == "avqa" and flaw["reason"] == f"The data have no record {record!r}."


def test_what_is_true_the_data_say_and_not_the_file(folder, capsys):
    rows = [answer(i, "yes", output="yes", answer="yes", type="Guessed") for i in range(4)]
    found = scored(folder, rows, capsys, "--json")
    assert found["datasets"]["avqa"]["accuracy"] == 0.0 and found["datasets"]["avqa"]["by_type"] == {"Audio": 0.0}


def test_a_record_without_an_answer_counts_as_wrong_and_the_table_says_so(folder, capsys):
    lines = scored(folder, [ONE_WRONG[1], ONE_WRONG[1], answer(9, "no")], capsys).splitlines()
    assert lines[:4] == [
        "avqa: 4 answers, 3 invalid, 0 unscored",
        "  3 without an answer, counted as wrong.",
        "  1 of the answers is not counted, because a later one is about the same record.",
        "  1 of the answers is not counted, because the data have no such record.",
    ]
    assert "0.2500" in lines[4]


def test_an_error_in_a_row_is_wrong_and_keeps_its_reason(folder, capsys):
    rows = [{**ONE_WRONG[1], "error": "Its media cannot be used."}]
    found = scored(folder, rows, capsys, "--json")
    assert {"dataset": "avqa", "record": 1, "reason": "Its media cannot be used."} in found["invalid"]


# ---- rows of the released inference, which have no number ----


def released(output, prediction, **fields):
    return {
        "task_name": "ks",
        "output": f"<answer>{output}</answer>",
        "predict": f"<answer>{prediction}</answer>",
    } | fields


def test_released_rows_are_about_the_records_with_their_reference(folder, capsys):
    rows = [released("jumping", "jumping"), released("singing", "no"), released("singing", "singing"),
            released("dancing", "dancing")]  # fmt: skip
    found = scored(folder, rows, capsys, "--json", tasks=("ks",))
    assert found["datasets"]["ks"] == {"answers": 3, "invalid": 0, "unscored": 0, "accuracy": 2 / 3}
    [flaw] = found["strangers"]
    assert flaw["reason"] == "The data have no record whose reference is '<answer>dancing</answer>'."


def test_of_a_file_to_which_a_second_run_was_added_the_second_run_counts(folder):
    records = list(avuie.read(folder, "ks"))
    first = [released("singing", "a"), released("singing", "b"), released("jumping", "c")]
    second = [released("singing", "d"), released("singing", "e"), released("jumping", "f")]
    found = matched(first + second, records)
    assert [row["predict"] for row in found.rows] == [f"<answer>{prediction}</answer>" for prediction in "def"]
    assert [flaw.record for flaw in found.replaced] == [0, 1, 2]
    # A run that stopped, then a whole one: the last rows count all the same.
    found = matched(first[:1] + second, records)
    assert [row["predict"] for row in found.rows] == [f"<answer>{prediction}</answer>" for prediction in "def"]
    found = matched(first[1:2], records)
    assert [row.get("error") for row in found.rows] == [None, NO_ANSWER, NO_ANSWER]


def test_the_number_of_a_question_tells_which_of_those_with_one_reference(tmp_path):
    rows = [{**CLIP, "question": f"{i}?", "answer": "yes", "question_id": i} for i in range(3)]
    avuie.write(tmp_path, "avqa", "test", rows)
    answered = [{"task_name": "avqa", "output": "yes", "predict": str(i), "qid": i} for i in (2, 0, 5)]
    found = matched(answered, list(avuie.read(tmp_path, "avqa")))
    assert [row["predict"] for row in found.rows] == ["0", "", "2"] and len(found.strangers) == 1
