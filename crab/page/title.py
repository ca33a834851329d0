"""The top of the page: what this is, what a head and a router weight are, in a paragraph and a drawing; where to read on."""

from __future__ import annotations

import re
from base64 import b64encode
from html import escape

import numpy as np

from crab.page.parts import ASSETS
from visualize import theme

PAPER = "https://arxiv.org/abs/2603.04128"
WEIGHTS = "https://huggingface.co/datasets/Jayson236/Crab_Plus"
DESCRIPTION = (
    "Ask a clip what it shows and sounds like, and watch how an audio-visual language model with Interaction-aware LoRA "
    "routes every word."
)
SHARES = (0.6, 0.3, 0.1)  # of the drawing's heads


def title() -> str:
    """HTML"""
    return f"""<div class='what'><h1>Crab+</h1>
<p>Ask a clip what it shows and sounds like, and watch how the model routes every word.</p>
<p class='key'><b>Interaction-aware LoRA</b> teaches a frozen model many tasks with a small adapter at each layer: one
matrix A that everything passes, then three <b>heads</b>, B1 to B3. For every token a <b>router</b> decides how much of
each head is mixed in; these three shares, which add up to 100&nbsp;%, are its <b>router weights</b>. So tasks can share
heads, or part ways.</p>
<p class='links'><a href='{PAPER}' target='_blank' rel='noopener'>Paper</a>
<a href='{WEIGHTS}' target='_blank' rel='noopener'>Released weights</a> <span>How to cite, and the card of the model that ships: About</span></p></div>
{drawing(SHARES)}"""


def drawing(shares: tuple[float, ...]) -> str:
    """SVG of one adapted layer: a token's way through A and the heads, whose lines are as thick as their `shares`."""
    heads, middle = [], 78
    for number, share in enumerate(shares, 1):
        y, hue = 26 + 52 * (number - 1), theme.head_colour(number - 1)
        ink = theme.ink_on(np.array([theme.rgb(hue)]))[0]
        heads.append(
            f"<path d='M206 {middle} C236 {middle} 232 {y} 262 {y} M330 {y} C360 {y} 356 {middle} 386 {middle}' "
            f"fill='none' stroke='{hue}' stroke-width='{16 * share:g}'/>"
            f"<rect x='262' y='{y - 17}' width='68' height='34' rx='7' fill='{hue}'/>"
            f"<text x='296' y='{y + 5}' style='fill:{ink}'>B{number}</text>"
            f"<text class='small' x='296' y='{y + 31}'>{100 * share:.0f} %</text>"
        )
    told = (
        "A token enters an adapted layer. Its way goes through the frozen weights, and beside them through A and three "
        f"heads, mixed by the router as {', '.join(f'{100 * share:.0f} %' for share in shares)}; both are added."
    )
    return f"""<svg class='ilora' viewBox='0 0 500 214' role='img' aria-label='{escape(told)}'>
<g class='plain'><rect x='4' y='{middle - 17}' width='66' height='34' rx='17'/><text x='37' y='{middle + 5}'>token</text>
<path d='M70 {middle} H150 M386 {middle} H428 M100 {middle} V190 H442 V95' fill='none'/>
<rect x='150' y='{middle - 17}' width='56' height='34' rx='7'/><text x='178' y='{middle + 5}'>A</text>
<rect x='206' y='176' width='180' height='30' rx='7'/><text x='296' y='196'>frozen weights</text>
<circle cx='442' cy='{middle}' r='14'/><text x='442' y='{middle + 6}'>+</text>
<path d='M456 {middle} H494' fill='none'/>
<path class='dashed' d='M100 {middle} V22 H120' fill='none'/><rect x='120' y='6' width='66' height='32' rx='7'/>
<text x='153' y='27'>router</text><path class='dashed' d='M186 22 H252' fill='none'/></g>
{"".join(heads)}</svg>"""


def about() -> str:
    """Markdown: how to cite, and the card of the model that ships, the pictures beside it put into it."""
    folder = ASSETS / "crab-mini"

    def inside(found: re.Match[str]) -> str:
        picture = folder / found[2]
        if not picture.is_file():  # of a model that was never held against other answers
            return ""
        return f"![{found[1]}](data:image/svg+xml;base64,{b64encode(picture.read_bytes()).decode()})"

    card = re.sub(r"!\[([^]]*)\]\(([\w-]+\.svg)\)", inside, (folder / "README.md").read_text(encoding="utf-8"))
    cited = (ASSETS.parent / "CITATION.cff").read_text(encoding="utf-8")
    return f"# How to cite\n\n```yaml\n{cited}```\n\n{card}"


def head(host: str | None) -> str:
    """Tags for whoever shares the page; the picture needs the name of the `host`, which a Space knows."""
    tags = {"description": DESCRIPTION}
    shared = {"og:title": "Crab+", "og:description": DESCRIPTION, "og:type": "website"}
    if host:
        shared |= {"og:url": f"https://{host}/", "og:image": f"https://{host}/gradio_api/file={ASSETS / 'page.png'}"}
    return "".join(f"<meta name='{name}' content='{escape(text)}'>" for name, text in tags.items()) + "".join(
        f"<meta property='{name}' content='{escape(text)}'>" for name, text in shared.items()
    )
