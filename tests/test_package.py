"""The house rules that a machine can see."""

import ast
import re
import subprocess
import sys

DECODERS = ("media", "segment", "page", "__main__")  # rooms of `crab` that may need a decoder or the page


def test_every_other_room_imports_without_page_or_decoders(request):
    """A machine that only trains or measures has none of these."""
    crab = request.config.rootpath / "crab"
    names = [
        ".".join(path.relative_to(crab.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(crab.rglob("*.py")) if path.relative_to(crab).with_suffix("").parts[0] not in DECODERS
    ]  # fmt: skip
    assert {"crab", "crab.prompt", "crab.learn.train", "crab.routing.survey", "crab.scenes.render"} <= set(names)
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
        if room in ("assets/", "tests/"):
            continue
        for path in files:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                for name in imported(node):
                    at = next(
                        (i for i, other in enumerate(modules) if name == other or name.startswith(f"{other}.")), place
                    )
                    assert at >= place, f"{path.relative_to(root)} reaches up for {name}"


def imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports, by their whole names; of `from x import y` also x.y."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []
