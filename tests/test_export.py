"""A trace taken along."""

import csv
import re
import subprocess
import sys
from html import escape

import numpy as np
import pytest
from PIL import Image
from test_trace import towers

from crab import __version__, trace
from crab.__main__ import main
from visualize import export, paper, theme


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "one.npz"
    trace.save(towers(), path)
    return path


def test_a_table_has_a_row_a_site_token_and_head(tmp_path):
    traces = towers()
    export.write(traces, tmp_path / "t.csv")
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(trace.weights.size for trace in traces.values())
    row = next(
        r for r in rows if r["text"] == " dog\n" and r["module"] == "o_proj" and r["layer"] == "1" and r["head"] == "3"
    )
    trace = traces["language"]
    assert float(row["weight"]) == pytest.approx(float(trace.weights[4, -1, 2]), abs=1e-5)
    assert int(row["token"]) == len(trace.tokens) - 1 and row["start"] == ""


@pytest.mark.parametrize("kind", export.KINDS)
@pytest.mark.parametrize("format, opening", [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_every_figure_in_every_format_for_papers(saved, tmp_path, kind, format, opening):
    out = tmp_path / f"figure.{format}"
    more = ["--other", str(saved)] if kind == "compare" else []
    assert main(["figure", str(saved), "--kind", kind, *more, "--out", str(out)]) == 0
    assert out.read_bytes().startswith(opening)
    if format == "svg":  # real text, and the same bytes again
        assert b"<text" in out.read_bytes()


@pytest.mark.parametrize("kind", export.KINDS)
def test_a_figure_says_what_it_is_of_and_who_drew_it(tmp_path, kind):
    other = towers() if kind == "compare" else None
    facts = ["Clip: a$b$.mp4. Asked as avvp: what & when?", "It means nothing."]
    for format in ("svg", "pdf", "png", "html"):
        more = {"other": other, "title": "Router weights · x\udc81", "facts": facts}
        export.write(towers(), tmp_path / f"a.{format}", kind=kind, **more)
    drawn = (tmp_path / "a.svg").read_text()
    for words in (escape(facts[0]), facts[1], "Router weights · x\\udc81", f"Drawn by Crab+ {__version__}."):
        assert drawn.count(words) >= 2, words  # in the drawing, and in what the file says of itself
    assert all(f">Head {k}<" in drawn for k in (1, 2, 3))
    assert all(name in (tmp_path / "a.pdf").read_bytes() for name in (b"/Title", b"/Subject", b"/Creator"))
    assert facts[1] in Image.open(tmp_path / "a.png").info["Description"]
    assert all(escape(fact) in (tmp_path / "a.html").read_text() for fact in facts)


@pytest.mark.parametrize("kind", ["overview", "heatmap"])
def test_the_triangle_stands_where_hues_are_mixed(kind):
    plain = paper.overview(towers()) if kind == "overview" else paper.heatmap(towers()["language"])
    before = len(plain.axes)
    figure = paper.described(plain, "Router weights", heads=3, mixed=kind == "overview")
    legends = figure.axes[before:]
    assert len(legends) == (kind == "overview")
    for legend in legends:
        assert [text.get_text() for text in legend.texts] == ["1", "2", "3"]
        colours = legend.images[0].get_array()
        hues = [colours[2, 80], colours[-1, 2], colours[-1, -3]]  # the corners: a head alone
        near = [np.abs(hue[:3].astype(int) - theme.rgb(own)).max() for hue, own in zip(hues, theme.HEADS)]
        assert max(near) < 40 and colours[107, 80][:3].min() > 225 and colours[2, 2][3] == 0


def test_pages_and_comparisons(saved, tmp_path):
    assert main(["figure", str(saved), "--kind", "heatmap", "--out", str(tmp_path / "a.html")]) == 0
    assert '"view":"heatmap"' in (tmp_path / "a.html").read_text()
    assert (
        main(["figure", str(saved), "--kind", "compare", "--other", str(saved), "--out", str(tmp_path / "b.html")]) == 0
    )
    page = (tmp_path / "b.html").read_text()
    assert "same, word for word" in page and not re.search(r'<(script|link|img)\b[^>]*(src|href)="http', page)


@pytest.mark.parametrize("arguments, sentence", [
    (["--out", "x.gif"], "no format"), (["--kind", "compare", "--out", "x.png"], "needs two traces"),
    (["--kind", "heatmap", "--tower", "ear", "--out", "x.png"], "no tower 'ear'"),
    (["--kind", "compare", "--other", "SAVED", "--out", "x.csv"], "comparison is a picture")])  # fmt: skip
def test_what_does_not_go_together_is_said(saved, tmp_path, capsys, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert main(["figure", str(saved), *(str(saved) if a == "SAVED" else a for a in arguments)]) == 2
    assert sentence in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_another_file_is_no_trace(tmp_path, capsys):
    (tmp_path / "x.npz").write_text("no")
    assert main(["figure", str(tmp_path / "x.npz"), "--out", str(tmp_path / "y.png")]) == 2
    assert "no routing file" in capsys.readouterr().err


def test_a_notebook_with_nothing_but_a_saved_trace_draws_everything(saved, tmp_path, request):
    """Neither torch nor anything of the model or the page is there."""
    code = f"""
import sys
for name in ("torch", "transformers", "peft", "gradio", "av", "cv2"): sys.modules[name] = None
import numpy as np
from visualize import difference, export, paper
from visualize.live import live
from crab import trace as routing
traces = routing.load({str(saved)!r})
trace = traces["language"]
assert all(figure.axes for figure in (paper.overview(traces), paper.heatmap(trace), paper.tokens(trace)))
assert difference.by_group(trace, trace).data and difference.by_module(trace, trace).data and live(trace)
for kind in ("overview", "tokens", "modality", "heatmap"):
    export.write(traces, {str(tmp_path)!r} + f"/{{kind}}.png", kind=kind)
export.write(traces, {str(tmp_path / "page.html")!r})
from visualize import transfer
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=request.config.rootpath, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
