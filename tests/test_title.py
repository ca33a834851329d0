"""The top of the page: a drawing of one adapted layer, what is told to whoever shares the page, how to cite."""

import re

import pytest

from crab.page import title
from visualize import theme


@pytest.mark.parametrize("shares", [(0.6, 0.3, 0.1), (0.2, 0.8)])
def test_a_heads_line_is_as_thick_as_its_share_and_has_its_hue(shares):
    drawing = title.drawing(shares)
    lines = re.findall(r"stroke='(#\w+)' stroke-width='([\d.]+)'", drawing)
    assert [hue for hue, _ in lines] == [theme.head_colour(head) for head in range(len(shares))]
    widths = [float(width) for _, width in lines]
    assert [width / sum(widths) for width in widths] == pytest.approx(shares)
    assert [int(told) for told in re.findall(r"(\d+) %</text>", drawing)] == [round(100 * share) for share in shares]


def test_what_is_shared_names_a_picture_only_where_the_host_is_known():
    assert title.DESCRIPTION in title.head(None) and "og:image" not in title.head(None)
    assert f"content='https://some.hf.space/gradio_api/file={title.ASSETS / 'page.png'}'" in title.head("some.hf.space")


def test_who_wants_to_read_on_finds_paper_weights_card_and_how_to_cite():
    assert title.PAPER in title.title() and title.WEIGHTS in title.title()
    assert "cff-version" in title.about() and "# crab-mini" in title.about()


def test_the_picture_beside_the_card_stands_in_it_where_there_is_one(tmp_path, monkeypatch):
    (tmp_path / "assets" / "crab-mini").mkdir(parents=True)
    card = tmp_path / "assets" / "crab-mini" / "README.md"
    card.write_text("# A card\n\n![How sure](confidence.svg)\n\nThe end.")
    (tmp_path / "CITATION.cff").write_text("cff")
    monkeypatch.setattr(title, "ASSETS", tmp_path / "assets")
    assert "![" not in title.about() and "The end." in title.about()
    card.with_name("confidence.svg").write_bytes(b"<svg/>")
    assert "![How sure](data:image/svg+xml;base64,PHN2Zy8+)" in title.about()
