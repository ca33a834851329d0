"""What several processes do together is what one does alone."""

import json
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
from conftest import GOLDEN, ROOT

from crab.__main__ import main
from crab.learn import evaluate, processes

TASKS = ["ave", "avqa", "meld", "s4", "ref_avs"]
COMMAND = ["evaluate", "--data", str(GOLDEN), "--tasks", *TASKS, "--model", str(GOLDEN / "tiny-omni"), "--adapter",
           str(GOLDEN / "finetune_weights.bin"), "--max-new-tokens", "4", "--json"]  # fmt: skip


@pytest.mark.parametrize("of", [1, 2, 3])
def test_blocks_are_dealt_out_in_turn_and_come_back_in_order(of, monkeypatch):
    things = list("abcdefghijk")
    hands = []
    for here in range(of):
        monkeypatch.setattr(processes, "process", lambda: SimpleNamespace(process_index=here, num_processes=of))
        hands.append([processes.dealt(things, 2), processes.dealt(range(len(things)), 2)])
    assert sorted(one for hand, _ in hands for one in hand) == things
    assert hands[0][0][:2] == ["a", "b"] and (of == 1 or hands[1][0][:2] == ["c", "d"])
    everything = [pair for hand, places in hands for pair in zip(places, map(str.upper, hand))]
    monkeypatch.setattr(processes, "gather_object", lambda mine: everything[::-1])
    monkeypatch.setattr(processes, "process", lambda: SimpleNamespace(process_index=0, num_processes=of))
    assert processes.joined([one.upper() for one in hands[0][0]], len(things), 2) == list("ABCDEFGHIJK")


def test_two_processes_write_the_rows_of_one(tmp_path, monkeypatch, capsys):
    """Five records, two at a time: the third and fourth are the second process's."""
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom crab.__main__ import main\nfrom crab.learn import evaluate\n"
        "evaluate.BATCH, answers = 2, evaluate._answers\n"
        "def told(crab, prompts, most):\n"
        f"    with Path({str(tmp_path)!r}, f'rank-{{evaluate.process().process_index}}').open('a') as file:\n"
        "        file.write(f'{len(prompts)} ')\n"
        "    return answers(crab, prompts, most)\n"
        "evaluate._answers = told\nsys.exit(main(sys.argv[1:]))\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # `--multi_gpu` starts processes whatever there is; with `--cpu` Accelerate would start one.
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
              "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port",
              str(port)]  # fmt: skip
    other = subprocess.Popen([*launch, script, *COMMAND, "--predictions", tmp_path / "two.jsonl"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    monkeypatch.setattr(evaluate, "BATCH", 2)
    assert main([*COMMAND, "--predictions", str(tmp_path / "one.jsonl")]) == 0
    said, complained = other.communicate()
    assert other.returncode == 0, complained
    assert (tmp_path / "two.jsonl").read_text() == (tmp_path / "one.jsonl").read_text()
    assert json.loads(said) == json.loads(capsys.readouterr().out)  # told once, by the first of them
    assert [json.loads(line)["task"] for line in (tmp_path / "one.jsonl").read_text().splitlines()] == TASKS
    assert not list(tmp_path.glob("*.part-*"))
    assert {path.name: path.read_text() for path in tmp_path.glob("rank-*")} == {"rank-0": "2 1 ", "rank-1": "2 "}
