"""The house rules that a machine can see."""

import subprocess
import sys


def test_the_package_imports_without_page_or_decoders(request):
    """A machine that only trains or measures has none of these."""
    code = (
        "import sys\n"
        "for name in ('gradio', 'av', 'cv2'): sys.modules[name] = None\n"
        "import crab, crab.media, crab.prompt, crab.ask, crab.learn.train, crab.learn.evaluate\n"
        "print(crab.CrabError.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=request.config.rootpath, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "CrabError"), done.stderr


def test_nothing_in_crab_reaches_for_the_screen(request):
    reach = ("import gradio", "from gradio", "import visualize", "from visualize")
    for path in (request.config.rootpath / "crab").rglob("*.py"):
        if path.name != "__main__.py" and path.parent.name != "page":
            assert "crab.page" not in path.read_text(), path
            assert not any(line.strip().startswith(reach) for line in path.read_text().splitlines()), path
