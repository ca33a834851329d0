"""Other machines: other alphabets in names, other locales, and what Windows and macOS lack.

That training works where workers are not forked is in `test_train.py`.
"""

from __future__ import annotations

import ast
import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import GOLDEN, ROOT

SOURCES = [*sorted((ROOT / "crab").rglob("*.py")), *sorted((ROOT / "visualize").rglob("*.py")), ROOT / "app.py"]
NAME = "Hund 犬 🦀 Á"  # its UTF-8 has a byte that CP1252 does not know


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def called(call: ast.Call) -> tuple[str, str]:
    """What stands before the dot ("" if there is none, "?" if it is no name), and the function's name."""
    if isinstance(call.func, ast.Attribute):
        return (call.func.value.id if isinstance(call.func.value, ast.Name) else "?"), call.func.attr
    return "", getattr(call.func, "id", "")


# --- files say their encoding ---

# What opens a file as text: where its mode stands among the arguments, and the mode if none is given.
OPENS = {"open": (1, "r"), "fdopen": (1, "r"), "NamedTemporaryFile": (0, "w+b"), "TemporaryFile": (0, "w+b"),
         "SpooledTemporaryFile": (1, "w+b")}  # fmt: skip
TEXT = {"read_text": 0, "write_text": 1, "TextIOWrapper": 1, "FileHandler": 2}  # and where the encoding stands
BINARY = {"Image", "av", "wave", "os", "webbrowser", "zipfile", "record"}  # whose `open` gives no text


def unsaid(tree: ast.AST) -> list[int]:
    """The lines where a file or a pipe is opened as text in whatever encoding the machine has."""
    lines = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        before, name = called(call)
        if "encoding" in given or None in given or (name == "open" and before in BINARY):
            continue
        if name in OPENS:
            place, mode = OPENS[name]
            place -= name == "open" and before not in ("", "io", "gzip", "bz2", "lzma")  # a path's own `open`
            node = call.args[place] if len(call.args) > place else given.get("mode")
            mode = node.value if isinstance(node, ast.Constant) else mode
            packed = before in ("gzip", "bz2", "lzma")
            if "t" in mode if packed else "b" not in mode:
                lines.append(call.lineno)
        elif (
            name in TEXT
            and len(call.args) <= TEXT[name]
            or any(getattr(given.get(word), "value", None) is True for word in ("text", "universal_newlines"))
        ):
            lines.append(call.lineno)
    return lines


@pytest.mark.parametrize("source", [
    "open(p)", "open(p, 'w')", "open(p, mode='a')", "io.open(p)", "p.open()", "p.open('w')", "Path(p).open('a')",
    "p.read_text()", "p.write_text(t)", "subprocess.run(c, text=True)", "Popen(c, universal_newlines=True)",
    "NamedTemporaryFile('w')", "os.fdopen(n, 'w')", "gzip.open(p, 'rt')", "logging.FileHandler(p)", "TextIOWrapper(b)",
])  # fmt: skip
def test_what_says_no_encoding_is_found(source):
    assert unsaid(ast.parse(source)) == [1]


@pytest.mark.parametrize("source", [
    "open(p, 'rb')", "open(p, encoding='utf-8')", "p.open('wb')", "p.read_text('utf-8')", "p.read_bytes()",
    "av.open(p)", "Image.open(p)",
    "subprocess.run(c, text=True, encoding='utf-8')", "subprocess.run(c)", "NamedTemporaryFile()",
    "gzip.open(p)", "p.write_text(t, encoding='utf-8')", "open(p, 'w', **utf8)",
])  # fmt: skip
def test_what_says_its_encoding_or_needs_none_is_not(source):
    assert unsaid(ast.parse(source)) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_text_file_says_its_encoding(path):
    assert unsaid(parsed(path)) == []


# --- nothing is called that a machine lacks ---

MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog", "crypt"}  # not on Windows
NAMES = {
    "os": {"sync", "fork", "forkpty", "killpg", "getpgid", "setpgid", "setsid", "getuid", "geteuid", "getgid", "mkfifo",
           "nice", "getloadavg", "sched_getaffinity", "sched_setaffinity", "wait", "waitpid", "wait4", "fdatasync",
           "WNOHANG", "sysconf", "getpriority", "setpriority", "uname", "rename", "statvfs", "chown", "openpty"},
    "signal": {"SIGKILL", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGSTOP", "SIGCONT", "SIGQUIT",
               "alarm", "setitimer", "pause", "pthread_kill", "pthread_sigmask", "sigwait"},
    "select": {"epoll", "poll", "kqueue"},
    "time": {"tzset"},
    "socket": {"AF_UNIX", "socketpair"},
}  # fmt: skip


def _asks(test: ast.expr) -> bool:
    """Whether a condition asks what machine this is."""
    return any(word in ast.unparse(test) for word in ("hasattr(", "sys.platform", "os.name", "platform.system"))


def _is_guarded(parents: list[ast.AST]) -> bool:
    """Whether an enclosing condition asks for the machine, another one has returned before, or its error is caught."""
    for parent, child in zip(parents, parents[1:]):
        if isinstance(parent, (ast.If, ast.IfExp)) and _asks(parent.test):
            return True
        if isinstance(parent, ast.Try) and child in parent.body:
            caught = " ".join(ast.unparse(handler.type) for handler in parent.handlers if handler.type)
            if any(error in caught for error in ("ImportError", "ModuleNotFoundError", "AttributeError")):
                return True
        if isinstance(parent, ast.FunctionDef) and child in parent.body:
            before = parent.body[: parent.body.index(child)]
            asked = [one for one in before if isinstance(one, ast.If) and _asks(one.test)]
            if any(isinstance(one.body[-1], (ast.Return, ast.Raise)) for one in asked):
                return True
    return False


def lacking(node: ast.AST, parents: tuple[ast.AST, ...] = ()) -> list[str]:
    """What a tree calls that is not on every machine, outside a place that asks for it first."""
    found, parents = [], (*parents, node)
    if isinstance(node, ast.Import):
        found = [name.name for name in node.names if name.name.partition(".")[0] in MODULES]
    elif isinstance(node, ast.ImportFrom):
        found = [node.module] if node.module in MODULES else []
        found += [f"{node.module}.{name.name}" for name in node.names if name.name in NAMES.get(node.module, ())]
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        found = [ast.unparse(node)] if node.attr in NAMES.get(node.value.id, ()) else []
    elif isinstance(node, ast.Call) and called(node)[1] == "rename":  # Windows does not over a file
        found = [] if called(node)[0] == "os" else ["rename"]
    elif isinstance(node, ast.Call) and called(node)[1] in ("get_context", "set_start_method"):
        found = [f"{called(node)[1]} fork"] if any(getattr(word, "value", "") == "fork" for word in node.args) else []
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        found = [node.value] if node.value.startswith(("/dev/", "/proc/", "/tmp")) else []
    found = [] if found and _is_guarded(list(parents)) else found
    return found + [name for child in ast.iter_child_nodes(node) for name in lacking(child, parents)]


@pytest.mark.parametrize("source", [
    "os.sync()", "import fcntl", "import os, resource", "from resource import getrusage", "from signal import SIGKILL",
    "os.kill(n, signal.SIGKILL)", "part.rename(path)", "os.rename(a, b)", "os.fork()",
    "multiprocessing.get_context('fork')", "open('/dev/null')",
    "if x:\n    os.sync()", "def f():\n    if x:\n        return\n    os.sync()",
])  # fmt: skip
def test_what_a_machine_lacks_is_found(source):
    assert len(lacking(ast.parse(source))) == 1


@pytest.mark.parametrize("source", [
    "part.replace(path)", "os.replace(a, b)", "os.fsync(n)", "multiprocessing.get_context('spawn')", "signal.SIGTERM",
    "if hasattr(os, 'sync'):\n    os.sync()", "try:\n    import resource\nexcept ImportError:\n    resource = None",
    "n = os.nice(1) if sys.platform != 'win32' else 0",
    "def f():\n    if os.name == 'nt':\n        return\n    os.sync()",
])  # fmt: skip
def test_what_asks_for_the_machine_first_is_not(source):
    assert lacking(ast.parse(source)) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_called_that_a_machine_lacks(path):
    assert lacking(parsed(path)) == []


# --- under another locale ---


@pytest.fixture(scope="module")
def cp1252(tmp_path_factory) -> dict[str, str]:
    """The environment of a process whose files, pipes and names are CP1252 where nobody says otherwise."""
    home = tmp_path_factory.mktemp("locale")
    if shutil.which("localedef") is None:
        pytest.skip("no localedef here, so no CP1252 locale can be made")
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "CP1252", home / "de_DE.CP1252"], capture_output=True)
    if not (home / "de_DE.CP1252").is_dir():
        pytest.skip(f"localedef cannot make a CP1252 locale here: {made.stderr.decode(errors='replace')}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHONIO"))}
    return environment | {"LOCPATH": str(home), "LC_ALL": "de_DE.CP1252", "PYTHONUTF8": "0", "MPLBACKEND": "Agg"}


SCRIPT = """
import dataclasses, locale, os, sys
from pathlib import Path
from types import SimpleNamespace

assert locale.getpreferredencoding(False).upper() == "CP1252"
ROOT, home, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
sys.path.insert(0, str(ROOT))
from crab import ask, media, model
from crab.__main__ import main
from crab.tasks import TASKS

stream = model.Crab.stream
def says(self, *given, **more):
    for text, step in zip(("<event>Hund 犬 🦀", ", (0 3)(4)</event>"), stream(self, *given, **more)):
        yield dataclasses.replace(step, text=text)
model.Crab.stream = says

golden, film = ROOT / "tests" / "golden", home / f"{name}.mp4"
base, adapter = golden / "tiny-omni", golden / "finetune_weights.bin"
crab = ["--model", str(base), "--adapter", str(adapter), "--max-new-tokens", "2"]
out = lambda end: str(home / f"{name} out{end}")
for words in (
    ["ask", str(film), "--task", "unav", "--routing", out(".npz"), *crab],
    ["ask", str(film), "--task", "avqa", "--question", "犬 🦀?", "--json", *crab],
    ["route", str(film), "--task", "unav", "--mute", "1", "--out", out(" 2.npz"), *crab],
    *(["figure", out(".npz"), "--out", out(end)] for end in (".html", ".csv", ".svg", ".pdf", ".png")),
    ["figure", out(".npz"), "--kind", "compare", "--other", out(" 2.npz"), "--out", out(" both.html")],
    ["evaluate", "--data", str(golden), "--tasks", "avqa", "--predictions", out(".jsonl"), *crab],
    ["scenes", "make", out(""), "--seed", "5", "--count", "1", "--size", "56", "--datasets", "meld", "s4"],
    ["scenes", "show", "--seed", "7", "--out", out(" show.mp4")],
):
    assert main(words) == 0, words
assert main(["data", "check", out("")]) == 1 and main(["ask", out(" gone.mp4"), "--task", "ave"]) == 2

import logging
import gradio as gr
import app
from crab.page import files, page as pages

logging.basicConfig()
logging.getLogger("crab.page").error("Something went wrong with %s", "犬 🦀")
*_, result = ask.ask(model.Crab.load(base, adapter, device="cpu"),
                     media.open_clip(film), TASKS["avqa"], "犬 🦀 Ж?", max_new_tokens=2)
folder = str(home / "page")
answer, weights = files.saved(result, folder)
with gr.Blocks():
    keeper = gr.HTML()
    keeper.GRADIO_CACHE = folder
    assert "<iframe" in files.explorer(result, keeper, False)
written = [answer, weights, *(files.taken(result, format, folder) for format in ("html", "csv", "svg", "pdf"))]
assert all(map(os.path.getsize, written))
files.listed_examples()
served = {"mcp_error": None, "mcp_server": None, "share": False, "share_url": None, "local_url": "http://127.0.0.1:7860/"}
pages.launch(SimpleNamespace(launch=lambda **given: (given["js"] + given["head"]).index("=>"), **served))
"""


def test_page_and_command_line_write_under_a_windows_locale(cp1252, tmp_path):
    """Names from file systems that hold UTF-8, words of the model and of the person that CP1252 has no letters for."""
    home = tmp_path / "Ordner mit 犬"
    home.mkdir()
    shutil.copy(GOLDEN / "media" / "a.mp4", home / f"{NAME}.mp4")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    ran = subprocess.run([sys.executable, script, ROOT, home, NAME], env=cp1252, capture_output=True)
    assert ran.returncode == 0, ran.stdout.decode("cp1252", "replace") + ran.stderr.decode("cp1252", "replace")
    printed = ran.stdout.decode("cp1252", "replace")
    assert r"Hund \u72ac \U0001f980, (0 3)(4)" in printed and "No time in the clip could be read in “(4)”." in printed
    assert rb"wrong with \u72ac \U0001f980" in ran.stderr
    assert b"Traceback" not in ran.stderr and b" gone.mp4 was not found" in ran.stderr

    answer = json.loads(next(home.glob("page/*/*answer.json")).read_bytes())
    assert answer["question"] == "犬 🦀 Ж?" and answer["text"] == "<event>Hund 犬 🦀, (0 3)(4)</event>"
    assert "犬 🦀 Ж?" in next(home.glob("page/*/*router weights.html")).read_text(encoding="utf-8")
    explored = json.loads(next(home.glob("page/*/routing.json")).read_text(encoding="utf-8"))
    shown = "".join(token[2] for token in explored["towers"][0]["tokens"])
    assert "this question: �" in shown  # a token is half a letter
    with (home / f"{NAME} out.csv").open(encoding="utf-8", newline="") as file:
        assert {"language", "audio", "vision"} <= {row["tower"] for row in csv.DictReader(file)}
    assert "<title>" in (home / f"{NAME} out.html").read_text(encoding="utf-8")
    assert r"\udc81" in (home / f"{NAME} out both.html").read_text(encoding="utf-8")  # the byte that is no letter
    [row] = map(json.loads, (home / f"{NAME} out.jsonl").read_bytes().splitlines())
    assert row["task"] == "avqa" and row["predict"]
    for written in home.rglob("*"):  # a name that Windows takes
        assert not set('<>:"|?*\\') & set(written.name) and written.name[-1] not in ". "


@pytest.mark.parametrize("locale", [
    {"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
], ids=lambda given: " ".join(f"{name}={value}" for name, value in given.items()))  # fmt: skip
def test_a_name_that_the_locale_cannot_write_is_no_traceback(locale, tmp_path):
    """On standard output and on standard error."""
    folder = tmp_path / NAME / "AVUIE_2" / "avcap"
    folder.mkdir(parents=True)
    row = {"video_path": "犬 🦀.mp4", "audio_path": "a.wav", "video_id": "a", "label_content": "A dog barks."}
    (folder / "train.json").write_text(json.dumps([row], ensure_ascii=False), encoding="utf-8")
    command = [sys.executable, "-m", "crab", "data", "check"]
    checked = subprocess.run([*command, tmp_path / NAME], cwd=ROOT, env=os.environ | locale, capture_output=True)
    assert checked.returncode == 1 and not checked.stderr and b"avcap/train.json: 1 records, 2 faults" in checked.stdout
    assert b".mp4' is missing." in checked.stdout
    gone = subprocess.run([*command, tmp_path / f"{NAME} gone"], cwd=ROOT, env=os.environ | locale, capture_output=True)
    assert gone.returncode == 2 and b"There is no dataset under" in gone.stderr and b"Traceback" not in gone.stderr
