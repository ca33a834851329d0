"""How sure against how often right, as a figure."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from crab.__main__ import main
from crab.confidence import Calibration, Reliability, reliability_of, save
from visualize import reliability


@pytest.fixture
def held():
    counts = np.array([0, 0, 4, 0, 0, 10, 0, 0, 0, 86])
    sure = np.where(counts > 0, (np.arange(10) + 0.5) / 10, np.nan)
    right = np.where(counts > 0, [0, 0, 0.5, 0, 0, 0.4, 0, 0, 0, 0.9], np.nan)
    return [Reliability("box", counts, sure, right), Reliability("event", counts[::-1], sure[::-1], right[::-1])]


def test_points_stand_where_they_were_found_and_empty_tenths_have_none(held):
    box, event, below, _ = reliability.figure(held).axes
    line = box.lines[1]
    np.testing.assert_allclose(line.get_xdata(), [25, 55, 95])
    np.testing.assert_allclose(line.get_ydata(), [50, 40, 90])
    assert [bar.get_height() for bar in below.patches] == held[0].counts.tolist()
    assert [bar.get_x() + bar.get_width() / 2 for bar in below.patches] == pytest.approx(range(5, 100, 10))
    assert [label.get_text() for label in below.texts] == ["4", "10", "86"]
    title = box.get_title(loc="left")
    assert title.startswith("Boxes: 100") and f"error {held[0].error:.3f}, by chance {held[0].chance:.3f}" in title
    assert event.get_title(loc="left").startswith("Events: 100")


def test_agreement_has_a_row_of_its_own(held):
    axes = reliability.figure(held, held[1:]).axes
    assert [ax.get_xlabel() for ax in axes if ax.axison] == ["", "", "sure, %", "sure, %", "", "agree, %"]
    above = next(ax for ax in axes if ax.get_title(loc="left") == "Events: 100")
    np.testing.assert_allclose(above.lines[1].get_ydata(), [90, 40, 50])
    assert "Below" in " ".join(reliability.facts(held, held)) and "Below" not in " ".join(reliability.facts(held))


def test_intervals_are_wilsons():
    """Of ten, four right: 0.168 to 0.687 (Newcombe, 1998, method 3, computed anew)."""
    low, high = reliability.interval(np.array([0.4, 1.0]), np.array([10, 5]))
    assert (low[0], high[0]) == pytest.approx((0.1682, 0.6873), abs=1e-4)
    assert high[1] == pytest.approx(1) and 0.5 < low[1] < 0.6


@pytest.mark.parametrize("format, opening", [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_the_command_draws_what_calibrate_wrote(held, tmp_path, format, opening):
    save(Calibration(), held, tmp_path / "confidence.json")
    out = tmp_path / f"held.{format}"
    assert main(["figure", str(tmp_path / "confidence.json"), "--kind", "reliability", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(opening)
    if format == "svg":
        words = " ".join(ElementTree.parse(out).getroot().itertext())
        assert "Boxes: 100" in words and "right, %" in words and f"boxes {held[0].error:.3f}" in words
    if format == "png":
        assert "calibration error" in Image.open(out).info["Description"]


def test_the_picture_in_the_card_is_of_the_curves_beside_it(request):
    """Where how they held is known: a model that was never held against other answers has no picture."""
    folder = request.config.rootpath / "assets" / "crab-mini"
    assert "](confidence.svg)" in (folder / "README.md").read_text(encoding="utf-8")
    picture = folder / "confidence.svg"
    if not json.loads((folder / "confidence.json").read_text())["reliability"]:
        assert not picture.exists()
        return
    words = " ".join(ElementTree.parse(picture).getroot().itertext())
    for one in reliability_of(folder / "confidence.json")[0]:
        assert f"error {one.error:.3f}, by chance {one.chance:.3f}" in words


def test_what_holds_nothing_of_it_gets_a_sentence(tmp_path, capsys):
    file = tmp_path / "confidence.json"
    file.write_text("{}")
    assert main(["figure", str(file), "--kind", "reliability", "--out", str(tmp_path / "a.svg")]) == 2
    assert "does not tell how sure" in capsys.readouterr().err
    assert main(["figure", str(file), "--kind", "reliability", "--out", str(tmp_path / "a.html")]) == 2
    assert "is a .svg, .pdf or .png" in capsys.readouterr().err
