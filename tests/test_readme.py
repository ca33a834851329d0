"""What the README tells people to type works as it stands."""

import re
import shlex
from pathlib import Path

import pytest

from crab import trace
from crab.__main__ import main


@pytest.fixture
def readme(request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    return (request.config.rootpath / "README.md").read_text()


def test_every_crab_command_runs(readme, capsys):
    commands = re.findall(r"^python -m crab (.+)$", readme, re.MULTILINE)
    assert len(commands) >= 3
    for command in commands:
        assert main(shlex.split(command)) == 0, command
        assert capsys.readouterr().out.strip()


def test_the_notebook_code_runs(readme, request, capsys, tmp_path, monkeypatch):
    (tmp_path / "assets").symlink_to(request.config.rootpath / "assets")
    monkeypatch.chdir(tmp_path)
    run(code(readme, "crab.model"))
    assert "3)" in capsys.readouterr().out  # the shape of the router weights
    assert set(trace.load("routing.npz")) == {"language", "audio", "vision"}
    assert "<html" in (tmp_path / "routing.html").read_text(encoding="utf-8")


def test_the_adapter_is_put_around_another_model(readme, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = run(code(readme, "peft"))
    assert len(made["weights"]) == 14 and all(one.shape == (15, 3) for one in made["weights"].values())
    assert "14 layers adapted; rank 8, 3 heads, alpha 16" in capsys.readouterr().out


def test_a_program_asks_the_page(readme, address):
    made = run(code(readme, "gradio_client"), address)
    assert made["text"] and made["muted"] and "answer" in made["choice"]
    assert made["result"]["task"] == "avqa" and Path(made["picture"]).read_bytes().startswith(b"\x89PNG")


def test_an_agent_asks_the_page(readme, address, capsys):
    run(code(readme, "mcp"), address)
    lines = capsys.readouterr().out.splitlines()
    kinds = {"ask_clip": "text", "ask_pair": "text", "ask_changed": "text", "draw_picture": "image"}
    assert [line.split()[:3] for line in lines] == [[tool, "answers:", kind] for tool, kind in kinds.items()]


def code(readme: str, module: str) -> str:
    """The one block of Python that imports `module`."""
    [block] = (block for block in re.findall(r"```python\n(.+?)```", readme, re.DOTALL) if f"from {module} " in block)
    return block


def run(code: str, address: str = "") -> dict:
    """What a block leaves behind; where it speaks of the page, that is at `address`."""
    made = {"__name__": "readme"}
    exec(compile(code.replace("http://127.0.0.1:7860", address), "README.md", "exec"), made)
    return made


def test_the_files_it_links_to_exist(readme, request):
    for target in re.findall(r"\]\((?!http)([^)]+)\)", readme):
        assert (request.config.rootpath / target).exists(), target


def test_the_space_front_matter_names_the_app_and_a_gradio_that_requirements_admit(readme, request):
    front = dict(re.findall(r"^(\w+): (.+)$", readme.split("---")[1], re.MULTILINE))
    assert (request.config.rootpath / front["app_file"]).exists()
    assert front["sdk"] == "gradio" and len(front["short_description"]) <= 60
    requirement = re.search(
        r"^gradio\[mcp\]>=(\d+)\.(\d+),<(\d+)$",
        (request.config.rootpath / "requirements.txt").read_text(),
        re.MULTILINE,
    )
    low_major, low_minor, high = map(int, requirement.groups())
    version = tuple(map(int, front["sdk_version"].split(".")))
    assert (low_major, low_minor) <= version[:2] and version[0] < high
