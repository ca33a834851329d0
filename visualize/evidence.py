"""What the atlas rests on, as HTML: separations beside their controls, and what every part does with its heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from visualize import theme

STYLE = """<style>
.crab-evidence { overflow-x: auto; margin-top: 20px; }
.crab-evidence table { border-collapse: collapse; width: 100%; min-width: 600px; font-variant-numeric: tabular-nums; }
.crab-evidence caption { text-align: left; padding: 0 0 8px; }
/* The page around draws every table as a grid. */
.crab-evidence :is(table, thead, tbody, tr) { border: 0 !important; }
.crab-evidence table :is(th, td) { text-align: left; padding: 7px 14px 7px 0 !important; vertical-align: top;
  border: 0 !important; border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent) !important; }
.crab-evidence table th { font-weight: 560; }
.crab-evidence small { display: block; opacity: .75; font-size: 12px; }
.crab-evidence .clear { font-weight: 650; opacity: 1; }
.crab-evidence svg { display: block; width: 100%; max-width: 220px; height: 44px; overflow: visible; }
.crab-evidence .lean b { font-weight: 560; }
.crab-evidence .lean i { font-style: normal; color: var(--c); }
.crab-evidence .lean { display: block; }
</style>"""
WIDE, HIGH = 220, 44  # of a curve, in its own units


def controls(rows: Sequence[Any], *, by: str, tokens: Mapping[str, str]) -> str:
    """A table of `Control`s of one kind: a line a sort of token (`tokens`, its name -> words), a column a signature.

    How often the nearest run of another scene is of the same kind; under each control, how far the routers are ahead of
    it with the 95 % interval, in bold where that leaves out zero. Empty for no rows of that kind.
    """
    mine = {(row.tokens, row.what): row for row in rows if row.by == by}
    if not mine:
        return ""
    what = list(dict.fromkeys(row.what for row in mine.values()))
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in what)
    lines = []
    for sort in dict.fromkeys(of for of, _ in mine):
        cells = "".join(_cell(mine[sort, name]) if (sort, name) in mine else "<td></td>" for name in what)
        lines.append(f"<tr><th scope='row'>{escape(tokens[sort])}</th>{cells}</tr>")
    return (f"{STYLE}<div class='crab-evidence'><table><caption class='key'>How often the nearest run of another scene "
            f"is of the same {escape(by)}. Small: how far the routers are ahead (95 % interval over scenes); bold where "
            f"that is not zero.</caption><thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>")  # fmt: skip


def _cell(row: Any) -> str:
    if row.gap == row.low == row.high == 0:  # the routers themselves
        return f"<td>{row.accuracy:.2f}</td>"
    ahead = f"{row.gap:+.2f} ({row.low:+.2f} to {row.high:+.2f})".replace("-", "−")
    clear = " class='clear'" if row.low > 0 or row.high < 0 else ""
    return f"<td>{row.accuracy:.2f}<small{clear}>{ahead}</small></td>"


def usage(towers: Mapping[str, Any], *, names: Mapping[str, str]) -> str:
    """A table of `Usage` by tower (`names`: what each is called): flags, imbalance, entropy over depth, what leans where."""
    if not towers:
        return ""
    lines = []
    for tower, of in towers.items():
        flags = [flag for flag in of.flags if flag]
        told = [f"{flags.count(flag)} of {len(of.sites)} {flag}" for flag in dict.fromkeys(flags)]
        idle = sum(map(len, of.idle))
        told += [f"{idle} idle head{'s' * (idle != 1)}"] if idle else []
        lean = "".join(_lean(head, words) for head, words in enumerate(of.leaning))
        lines.append(f"<tr><th scope='row'>{escape(names.get(tower, tower))}</th>"
                     f"<td>{escape('; '.join(told) or 'every router decides')}</td><td>{of.imbalance.mean():.2f}</td>"
                     f"<td>{_pairs(of.pairs)}</td>"
                     f"<td>{_curve(of.by_layer(of.entropy))}</td><td>{lean}</td></tr>")  # fmt: skip
    return (f"{STYLE}<div class='crab-evidence'><table><caption class='key'>What each part does with its heads. Even: all "
            "heads alike for every token; fixed: the same for every token; collapsed: one head has nearly all. Entropy "
            "1 is even, 0 one head alone.</caption><thead><tr><td></td><th scope='col'>Routers that decide nothing</th>"
            "<th scope='col'>Imbalance</th><th scope='col'>Two heads over tokens</th><th scope='col'>Entropy by layer</th><th scope='col'>Words that lean to a "
            f"head</th></tr></thead><tbody>{''.join(lines)}</tbody></table></div>")  # fmt: skip


SIGNS = {"held": "✓", "not held": "✗", "undecided": "?"}


def claims(outcomes: Sequence[Any]) -> str:
    """A table of claims' `Outcome`s: sign and word, the claim, what silencing its head costs there beyond elsewhere."""
    if not outcomes:
        return ""
    lines = []
    for found in sorted(outcomes, key=lambda one: list(SIGNS).index(one.verdict)):
        more = f"{found.cost - found.other:+.3f} ({found.low:+.3f} to {found.high:+.3f})".replace("-", "−")
        lines.append(f"<tr><td class='{'clear' if found.verdict == 'held' else ''}'>{SIGNS[found.verdict]} "
                     f"{found.verdict}</td><td>{escape(found.claim.text)}</td><td>{more}<small>{found.questions} questions "
                     f"about {found.scenes} scenes</small></td></tr>")  # fmt: skip
    return (f"{STYLE}<div class='crab-evidence'><table><caption class='key'>Each head silenced on the tokens that a claim is "
            f"about, and on as many others: nats a token that the true answer loses more (95 % interval over scenes), of "
            f"{escape(outcomes[0].model)}. Held: the interval is above zero. Not held: below, or next to nothing."
            "</caption><thead><tr><th scope='col'>Verdict</th><th scope='col'>Claim</th><th scope='col'>Costs more there"
            f"</th></tr></thead><tbody>{''.join(lines)}</tbody></table></div>")  # fmt: skip


def _curve(values: Mapping[int, float]) -> str:
    """Entropy 0 … 1, bottom to top, over layers from left to right; the lowest is named."""
    layers = list(values)
    across = [WIDE * i / max(len(layers) - 1, 1) for i in range(len(layers))]
    points = " ".join(f"{x:.1f},{HIGH * (1 - values[layer]):.1f}" for x, layer in zip(across, layers))
    lowest = min(values, key=values.get)
    told = f"entropy {values[lowest]:.2f} at layer {lowest}, the lowest of {len(layers)}"
    return (f"<svg viewBox='0 0 {WIDE} {HIGH}' role='img' aria-label='{told}' preserveAspectRatio='none'>"
            f"<line x1='0' x2='{WIDE}' y1='0' y2='0' stroke='currentColor' opacity='.25'/>"
            f"<line x1='0' x2='{WIDE}' y1='{HIGH}' y2='{HIGH}' stroke='currentColor' opacity='.25'/>"
            f"<polyline points='{points}' fill='none' stroke='currentColor' stroke-width='1.5' "
            f"vector-effect='non-scaling-stroke'/></svg><small>{told}</small>")  # fmt: skip


def _pairs(pairs: Mapping[tuple[int, int], float]) -> str:
    """Correlations of two heads' weights."""
    return "<br>".join(f"{i + 1} and {k + 1}: {by:+.2f}".replace("-", "−") for (i, k), by in pairs.items())


def _lean(head: int, words: Sequence[tuple[str, float]]) -> str:
    told = ", ".join(f"{escape(text.strip() or repr(text))} {by:+.2f}" for text, by in words[:4] if by > 0)
    named = f"<i aria-hidden='true'>■</i> <b>{theme.head_name(head)}</b> {told}"
    return f"<span class='lean' style='--c:{theme.head_colour(head)}'>{named}</span>" if told else ""
