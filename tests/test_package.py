"""The house rules that a machine can see."""

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
