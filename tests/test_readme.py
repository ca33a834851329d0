"""What the README tells people to type works as it stands."""

import re
import shlex

import pytest

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


def test_the_notebook_code_runs(readme, capsys):
    [code] = re.findall(r"```python\n(.+?)```", readme, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert "3)" in capsys.readouterr().out  # the shape of the router weights


def test_the_files_it_links_to_exist(readme, request):
    for target in re.findall(r"\]\((?!http)([^)]+)\)", readme):
        assert (request.config.rootpath / target).exists(), target


def test_the_space_front_matter_names_the_app_and_a_gradio_that_requirements_admit(readme, request):
    front = dict(re.findall(r"^(\w+): (.+)$", readme.split("---")[1], re.MULTILINE))
    assert (request.config.rootpath / front["app_file"]).exists()
    assert front["sdk"] == "gradio" and len(front["short_description"]) <= 60
    requirement = re.search(r"^gradio>=(\d+)\.(\d+),<(\d+)$", (request.config.rootpath / "requirements.txt").read_text(), re.MULTILINE)
    low_major, low_minor, high = map(int, requirement.groups())
    version = tuple(map(int, front["sdk_version"].split(".")))
    assert (low_major, low_minor) <= version[:2] and version[0] < high
