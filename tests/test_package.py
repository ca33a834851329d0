"""The house rules that a machine can see."""

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import crab

DECODERS = ("media", "segment", "page", "__main__")  # rooms of `crab` that may need a decoder or the page


def test_every_other_room_imports_without_page_or_decoders(request):
    """A machine that only trains or measures has none of these."""
    crab = request.config.rootpath / "crab"
    names = [
        ".".join(path.relative_to(crab.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(crab.rglob("*.py")) if path.relative_to(crab).with_suffix("").parts[0] not in DECODERS
    ]  # fmt: skip
    assert {"crab", "crab.prompt", "crab.learn.train", "crab.routing.survey", "crab.scenes.world.render"} <= set(names)
    code = (
        "import importlib, sys\n"
        "for name in ('gradio', 'av', 'cv2'): sys.modules[name] = None\n"
        "for name in sys.argv[1:]: importlib.import_module(name)"
    )
    done = subprocess.run([sys.executable, "-c", code, *names], cwd=crab.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_in_crab_reaches_for_the_screen(request):
    reach = ("import gradio", "from gradio", "import visualize", "from visualize")
    for path in (request.config.rootpath / "crab").rglob("*.py"):
        if path.name != "__main__.py" and path.parent.name != "page":
            assert "crab.page" not in path.read_text(), path
            assert not any(line.strip().startswith(reach) for line in path.read_text().splitlines()), path


def test_every_room_stands_in_the_list_of_rooms_and_uses_only_what_is_below_it(request):
    root = request.config.rootpath
    told = re.findall(r"^\| `([^`]+)` \|", (root / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.MULTILINE)
    there = {f"{path.name}/" if path.is_dir() else path.name for path in (root / "crab").iterdir()
             if path.name not in ("__init__.py", "__pycache__")}  # fmt: skip
    assert {room.removeprefix("crab/") for room in told if room.startswith("crab/")} == there
    assert {"app.py", "visualize/", "assets/", "tests/"} <= set(told)
    modules = [room.rstrip("/").removesuffix(".py").replace("/", ".") for room in told]
    for place, (room, _module) in enumerate(zip(told, modules)):
        files = sorted((root / room).rglob("*.py")) if room.endswith("/") else [root / room]
        if room in ("assets/", "tests/") or not room.endswith(("/", ".py")):
            continue
        for path in files:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                for name in imported(node):
                    at = next(
                        (i for i, other in enumerate(modules) if name == other or name.startswith(f"{other}.")), place
                    )
                    assert at >= place, f"{path.relative_to(root)} reaches up for {name}"


def test_the_drawn_world_knows_nothing_of_the_house(request):
    world = request.config.rootpath / "crab" / "scenes" / "world"
    known = {"PIL", "numpy", "scipy", *sys.stdlib_module_names}
    for path in world.rglob("*.py"):
        deep = len(path.relative_to(world).parts)  # as many dots lead to the world's own folder
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert all(node.level <= deep for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), path
        assert {name.partition(".")[0] for node in tree.body for name in imported(node)} <= known, path
        assert not [name for node in ast.walk(tree) for name in imported(node) if name.startswith("crab")], path


def imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports, by their whole names; of `from x import y` also x.y."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


@pytest.fixture(scope="module")
def project(request) -> dict:
    tomllib = pytest.importorskip("tomllib")  # Python 3.11's
    return tomllib.loads((request.config.rootpath / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def required(lines: list[str]) -> dict[str, Requirement]:
    """Of every package but our own the line that asks for it."""
    found = [Requirement(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]
    return {canonicalize_name(one.name): one for one in found if one.name != "crab-plus"}


def test_the_package_asks_for_what_the_lists_of_requirements_ask_for(project, request):
    listed, testing = (
        required((request.config.rootpath / name).read_text(encoding="utf-8").splitlines())
        for name in ("requirements.txt", "tests/requirements.txt")
    )
    extras = {name: required(lines) for name, lines in project["optional-dependencies"].items()}
    assert required(project["dependencies"]) | extras["train"] | extras["page"] == listed
    assert extras["dev"] | extras["quantize"] == testing


def test_the_version_is_said_once(project, request):
    assert "version" not in project and re.fullmatch(r"\d+\.\d+\.\d+", crab.__version__)
    cited = re.search(r"^version: (.+)$", (request.config.rootpath / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited and cited[1] == crab.__version__


A_TRAINING = """
import importlib.util, sys
import peft, torch
had = set(sys.modules)
import crab.ilora
assert {name.partition(".")[0] for name in set(sys.modules) - had} == {"crab"}, set(sys.modules) - had
assert not any(map(importlib.util.find_spec, ("av", "cv2", "gradio", "scipy", "matplotlib")))

from transformers import LlamaConfig, LlamaForCausalLM
made = LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
torch.manual_seed(0)
base = LlamaForCausalLM(made)
plain = {name: tensor.clone() for name, tensor in base.state_dict().items()}
model = peft.get_peft_model(base, crab.ilora.ILoRAConfig(r=4, alpha=8))
ids = torch.arange(12)[None]
optimizer = torch.optim.SGD((one for one in model.parameters() if one.requires_grad), lr=1.0)
losses = []
for _ in range(2):
    losses.append(model(input_ids=ids, labels=ids).loss)
    losses[-1].backward()
    optimizer.step()
assert losses[1] < losses[0]
model.eval().save_pretrained("adapter")

again = LlamaForCausalLM(made)
again.load_state_dict(plain)
loaded, report = crab.ilora.attach(again, "adapter", drop_silent=False)
with torch.no_grad():
    assert torch.allclose(loaded(ids).logits, model(ids).logits, atol=1e-6)
assert len(report.sites) == 14
"""


def test_installed_beside_torch_and_peft_alone_it_adapts_a_language_model(project, request, tmp_path):
    """A fresh environment that borrows from this one what the package requires, and what that requires in turn."""
    source = tmp_path / "source"
    source.mkdir()  # a copy, since a build leaves folders behind
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(request.config.rootpath / name, source)
    for name in ("crab", "visualize"):
        shutil.copytree(request.config.rootpath / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    venv.create(tmp_path / "bare")
    python = tmp_path / "bare" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    place = Path(sysconfig.get_path("purelib", "venv", {"base": str(tmp_path / "bare")}))
    install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", place, source]
    subprocess.run([sys.executable, "-m", *install], check=True)
    for path in files_of(list(required(project["dependencies"]).values())):
        (place / path.name).symlink_to(path)

    assert {path.name for path in place.glob("visualize/*.*") if path.suffix != ".py"} == {
        path.name for path in (source / "visualize").glob("*.*") if path.suffix != ".py"
    }
    assert (place / "bin" / "crab").is_file()
    assert not {"app.py", "assets", "tests"} & {path.name for path in place.iterdir()}
    run = {"cwd": tmp_path, "capture_output": True, "text": True}
    said = subprocess.run([python, "-I", "-m", "crab", "--version"], **run)
    assert said.stdout == f"crab-plus {crab.__version__}\n", said.stderr
    needs = subprocess.run([python, "-I", "-m", "crab", "scenes", "show", "--seed", "1"], **run)
    assert needs.returncode == 2 and needs.stderr.count("\n") == 1 and "requirements.txt" in needs.stderr
    done = subprocess.run([python, "-I", "-c", A_TRAINING], **run)
    assert done.returncode == 0, done.stderr


def files_of(wanted: list[Requirement]) -> set[Path]:
    """What the required packages, and those that they require, have put beside each other: files and folders."""
    found, seen = set(), set()
    while wanted:
        one = wanted.pop()
        if (one.name, *sorted(one.extras)) in seen:
            continue
        seen.add((one.name, *sorted(one.extras)))
        try:
            there = distribution(one.name)
        except PackageNotFoundError:  # for another machine
            continue
        found |= {Path(there.locate_file(file.parts[0])) for file in there.files or () if file.parts[0] != ".."}
        extras = one.extras or {""}
        wanted += [
            more for more in map(Requirement, there.requires or ())
            if more.marker is None or any(more.marker.evaluate({"extra": extra}) for extra in extras)
        ]  # fmt: skip
    return {path for path in found if path.name != "__pycache__"}
