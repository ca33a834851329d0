"""The command line, as a person types it (in one process, so that torch is imported once)."""

import json

import pytest

from crab import __version__
from crab.__main__ import main

DATASETS = ["ave", "avqa", "meld", "a2v", "v2a", "s4", "ref_avs"]


@pytest.fixture
def model(golden):
    return ["--model", str(golden / "tiny-omni"), "--adapter", str(golden / "finetune_weights.bin")]


def test_evaluate_writes_the_released_tokens_for_every_golden_record(golden, golden_cases, model, tmp_path):
    out = tmp_path / "predictions.jsonl"
    assert (
        main(
            [
                "evaluate",
                "--data",
                str(golden),
                "--tasks",
                *DATASETS,
                "--max-new-tokens",
                "24",
                "--predictions",
                str(out),
                *model,
            ]
        )
        == 0
    )
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [r["task"] for r in rows] == DATASETS
    for row in rows:
        assert row["token_ids"] == golden_cases[row["task"]]["generated_ids"]
        assert row["predict"] == golden_cases[row["task"]]["generated_text"].strip()
        assert golden_cases[row["task"]]["record"].items() <= row.items()


def test_ask_prints_one_json_object_and_writes_the_routing(golden, model, tmp_path, capsys):
    from crab.trace import load as load_npz

    out = tmp_path / "routing.npz"
    assert (
        main(
            [
                "ask",
                str(golden / "media" / "a.mp4"),
                "--task",
                "ave",
                "--json",
                "--routing",
                str(out),
                "--max-new-tokens",
                "4",
                *model,
            ]
        )
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert (
        told["version"] == 1 and told["crab"] == __version__ and told["task"] == "ave" and len(told["token_ids"]) == 4
    )
    routing = load_npz(out)
    assert routing["language"].weights.shape == (21, told["tokens"]["prompt"] + 3, 3)


def test_ask_writes_the_answer_in_all_its_formats_into_a_new_folder(golden, model, tmp_path, capsys):
    asked = ["ask", str(golden / "media" / "a.mp4"), "--task", "ave", "--max-new-tokens", "4", *model]
    assert main([*asked, "--export", str(tmp_path / "out")]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    told = {"answer.json", "router weights.npz", "film.mp4"}
    assert {f"a · ave · {what}" for what in told} | {"result.schema.json"} <= names
    with pytest.raises(SystemExit) as left:
        main([*asked, "--export", str(tmp_path / "out")])
    assert left.value.code == 2 and "give a folder that is empty or not there yet" in capsys.readouterr().err


def test_ask_samples_eight_more_answers_where_it_is_told_to(golden, model, capsys):
    asked = ["ask", str(golden / "media" / "a.mp4"), "--candidates", "--max-new-tokens", "2", *model]
    assert main([*asked, "--task", "ave", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["candidates"]["asked"] == 8
    assert main([*asked, "--task", "ave"]) == 0
    assert "Asked 8 times more" in capsys.readouterr().out
    assert main([*asked, "--task", "avcap"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "no result that others could agree on" in err  # before the model is asked


def test_it_says_its_version(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0 and capsys.readouterr().out == f"crab-plus {__version__}\n"


def test_a_package_that_is_not_installed_is_a_sentence_and_a_module_of_ours_a_fault(monkeypatch, capsys):
    def lacks(name):
        def check(args):
            raise ModuleNotFoundError(name=name)

        monkeypatch.setattr("crab.__main__.run_check", check)

    lacks("av.video")
    assert main(["data", "check", "."]) == 2
    assert capsys.readouterr().err.startswith("av is not installed")
    lacks("crab.avuie")
    with pytest.raises(ModuleNotFoundError):
        main(["data", "check", "."])


def test_ask_prints_the_answer_as_text(golden, model, capsys):
    assert (
        main(
            [
                "ask",
                "--image",
                str(golden / "media" / "a.jpg"),
                "--audio",
                str(golden / "media" / "a.mp3"),
                "--frame",
                "2",
                "--task",
                "s4",
                "--max-new-tokens",
                "4",
                *model,
            ]
        )
        == 0
    )
    assert capsys.readouterr().out.startswith(" defave")


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["MISSING.mp4", "--task", "ave"], "MISSING.mp4"),
    (["README.md", "--task", "ave"], "README.md"),
    (["tests/golden/media/a.mp4", "--task", "sing"], "There is no task 'sing'"),
    (["tests/golden/media/a.mp4", "--task", "avqa"], "Type a question"),
    (["tests/golden/media/a.mp4", "--task", "a2v"], "second one"),
    (["tests/golden/media/a.mp4", "tests/golden/media/b.mp4", "--task", "ave"], "asks about one clip"),
    (["tests/golden/media/a.mp4", "--task", "ave", "--segmenter", "/nowhere"], "No SAM 2 model"),
    (["tests/golden/media/a.mp4", "--task", "ave", "--model", "tests"], "could not be loaded"),
])  # fmt: skip
def test_what_the_person_can_put_right_is_a_sentence_and_status_two(arguments, sentence, capsys, request):
    root = request.config.rootpath
    arguments = [str(root / a) if a.startswith("tests") or a == "README.md" else a for a in arguments]
    assert main(["ask", *arguments]) == 2
    told = capsys.readouterr().err
    assert sentence in told and "Traceback" not in told


@pytest.mark.parametrize("number, task, sentence", [(1, "a2v", "second one"), (2, "ave", "asks about one clip")])
def test_route_takes_as_many_clips_as_the_task_compares(golden, tmp_path, capsys, number, task, sentence):
    clips = [str(golden / "media" / name) for name in ("a.mp4", "b.mp4")][:number]
    assert main(["route", *clips, "--task", task, "--out", str(tmp_path / "trace.npz")]) == 2
    assert sentence in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_weights_inspect_says_what_a_file_holds(golden, capsys):
    assert main(["weights", "inspect", str(golden / "finetune_weights.bin"), "--model", str(golden / "tiny-omni")]) == 0
    told = capsys.readouterr().out
    assert "rank 8, 3 heads" in told and "6 sites" in told and "fits" in told


def test_weights_inspect_names_what_does_not_fit(golden, tmp_path, capsys):
    import torch

    weights = torch.load(golden / "finetune_weights.bin", weights_only=True)
    lost = weights.popitem()[0]
    torch.save(weights, tmp_path / "broken.bin")
    assert main(["weights", "inspect", str(tmp_path / "broken.bin"), "--model", str(golden / "tiny-omni")]) == 2
    assert lost in capsys.readouterr().err


@pytest.mark.parametrize(("command", "sentence"), [
    (["ask", "a.mp4", "--task", "ave", "--routing", "/nowhere/x.npz"], "/nowhere/x.npz cannot be written"),
    (["ask", "a.mp4", "--task", "ave", "--routing", "."], ". cannot be written"),
    (["ask", "a.mp4", "--task", "ave", "--export", "/nowhere/x"], "/nowhere/x cannot be filled"),
    (["ask", "a.mp4", "--task", "ave", "--export", "README.md"], "README.md cannot be filled"),
    (["ask", "a.mp4", "--task", "ave", "--max-new-tokens", "0"], "0 is not a whole number above 0"),
    (["evaluate", "--data", ".", "--tasks", "ave", "--predictions", "/nowhere/p.jsonl"], "cannot be written"),
    (["scenes", "make", "out", "--seed", "-1", "--count", "1"], "-1 is not a whole number"),
    (["scenes", "make", "out", "--seed", "0", "--count", "0"], "0 is not a whole number above 0"),
    (["scenes", "show", "--seed", "0", "--out", "/nowhere/a.mp4"], "/nowhere/a.mp4 cannot be written"),
])  # fmt: skip
def test_an_argument_that_cannot_be_used_is_told_before_anything_is_loaded(command, sentence, capsys):
    with pytest.raises(SystemExit) as left:
        main(command)
    assert left.value.code == 2 and sentence in capsys.readouterr().err


def test_scenes_make_writes_a_folder_that_data_check_knows(tmp_path, capsys):
    command = ["scenes", "make", str(tmp_path), "--seed", "5", "--count", "1", "--size", "56", "--datasets"]
    assert main([*command, "avcap", "meld", "--split", "test"]) == 0
    assert capsys.readouterr().out.splitlines() == ["avcap/train.json: 1 records", "meld/test.json: 1 records"]
    assert main(["data", "check", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "avcap/train.json: 1 records, 0 faults" in told and "meld/test.json: 1 records, 0 faults" in told
    assert main([*command, "sing"]) == 2
    assert "There is no task 'sing'" in capsys.readouterr().err


def test_scenes_show_writes_a_film_and_says_what_is_true_of_it(tmp_path, capsys, monkeypatch):
    from crab import media

    monkeypatch.chdir(tmp_path)
    assert main(["scenes", "show", "--seed", "7", "--kind", "emotion"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("scene-7.mp4\n") and "<answer>" in told
    clip = media.open_clip("scene-7.mp4")
    assert clip.audio and clip.duration == pytest.approx(10, abs=0.1)
    assert main(["scenes", "show", "--seed", "7", "--out", "a.gif"]) == 2
    assert "scenes are written as .mp4" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["train", "--out", str(tmp_path / "file" / "run")]) == 2
    assert "run cannot be used" in capsys.readouterr().err


def test_data_check_tells_what_is_missing_and_says_so_by_its_status(golden, tmp_path, capsys):
    assert main(["data", "check", str(golden), "--json"]) == 1  # its training files are not part of the golden cases
    told = json.loads(capsys.readouterr().out)
    assert [(fault["file"], fault["kind"]) for split in told["splits"] for fault in split["faults"]] == [
        (f"{split['dataset']}/train.json", "missing file") for split in told["splits"] if split["split"] == "train"
    ]
    assert main(["data", "check", str(golden)]) == 1
    assert "ave/train.json: 0 records" in capsys.readouterr().out
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "There is no dataset" in capsys.readouterr().err


def test_data_check_of_a_whole_folder_is_status_nought(tmp_path, capsys):
    from crab import avuie

    for folder in ("video", "audio"):
        (tmp_path / "AVUIE_2" / "avcap" / folder).mkdir(parents=True)
        (tmp_path / "AVUIE_2" / "avcap" / folder / "a.mp4").write_bytes(b"never opened")
    row = {"video_path": "a.mp4", "audio_path": "a.mp4", "video_id": "a", "label_content": "A dog barks."}
    avuie.write(tmp_path, "avcap", "train", [row])
    assert main(["data", "check", str(tmp_path)]) == 0
    assert "avcap/train.json: 1 records, 0 faults" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--routing", "--model"])
def test_a_name_of_four_thousand_letters_is_a_sentence(option, golden, capsys):
    arguments = ["ask", str(golden / "media" / "a.mp4"), "--task", "ave", option, "a" * 4000]
    try:
        status = main(arguments)
    except SystemExit as refused:  # by argparse
        status = refused.code
    told = capsys.readouterr().err
    assert status == 2 and "Traceback" not in told and ("cannot be written" in told or "could not be loaded" in told)
