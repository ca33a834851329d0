"""The words as a ribbon: each token coloured by its heads, with a bar a head under it, to be pointed at and chosen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from typing import Any

import numpy as np

from visualize import theme
from visualize.trace import MODALITIES, modality_runs, visible

# A token that is chosen or pointed at in any view: the page sets aria-pressed="true" on it.
STYLE = """<style>
.crab-ribbon { line-height: 2.7; overflow-wrap: anywhere; }
.crab-ribbon .t { display: inline-block; position: relative; white-space: pre; padding: 1px 2px 14px;
  border-radius: 3px; cursor: pointer; font: inherit; line-height: 1.3; max-width: 100%; }
.crab-ribbon .t i { position: absolute; bottom: 1px; width: calc(33% - 2px); max-height: 12px; background: currentColor; }
.crab-ribbon .t:hover { outline: 1.5px solid currentColor; outline-offset: 1px; }
.crab-ribbon .t:focus-visible, .crab-ribbon .t[aria-pressed=true] { outline: 2.5px solid var(--ink, currentColor);
  outline-offset: 1px; }
.crab-ribbon .gap { opacity: .75; font-size: .9em; border: 1px dashed currentColor; border-radius: 3px; padding: 0 .4em;
  margin: 0 .3em; }
</style>"""


def ribbon(
    trace: Any,
    *,
    modalities: Collection[str] = ("generated",),
    sites: np.ndarray | Sequence[int] | None = None,
    chosen: int | None = None,
    label: str = "The answer, token by token",
    dark: bool = False,
) -> str:
    """HTML of the words of `trace` (the language model's): one focusable element a token of `modalities`.

    Each is `<span class="t" role="button" tabindex="0" data-token="i">` with the position `i` in the trace, coloured
    by the mean over `sites` (a mask or indices of the trace's sites; all if None), a `title` and spoken label with the
    numbers, and as the second cue a bar a head under the word, in the order of the heads. `chosen` is marked with
    `aria-pressed`. What lies between (sound, video) is one quiet mark that says how much it is. About 0.3 kB a token;
    of more than 400 the last 400 are shown, and it is said. The text is the model's and escaped. No such token: a sentence.
    """
    wanted = [i for i, token in enumerate(trace.tokens) if token.modality in modalities and token.text]
    if not wanted or not trace.weights.size:
        return f'{STYLE}<p class="crab-ribbon">There are no words here to show.</p>'
    left_out, wanted = len(wanted) - MOST, wanted[-MOST:]
    weights = trace.weights if sites is None else trace.weights[np.asarray(sites)]
    shares = weights[:, wanted].mean(0, dtype=np.float32)  # (wanted, heads)
    grounds = theme.mix(shares, dark)
    hues, inks = theme.hexes(grounds), theme.ink_on(grounds)
    looks = dict(zip(wanted, zip(shares.tolist(), hues, inks)))

    parts = [f'<span class="gap">{left_out} words before these</span>'] if left_out > 0 else []
    for start, stop in modality_runs(trace.tokens):
        token = trace.tokens[start]
        if token.modality in modalities:
            parts += [_token(trace.tokens[i].text, i, *looks[i], i == chosen) for i in range(start, stop) if i in looks]
        elif token.modality not in ("text", "generated") and wanted[0] < start < wanted[-1]:
            parts.append(f'<span class="gap">{MODALITIES[token.modality]}, {stop - start} tokens</span>')
    return f'{STYLE}<div class="crab-ribbon" role="group" aria-label="{escape(label)}">{"".join(parts)}</div>'


MOST = 400


def _token(text: str, i: int, shares: list[float], ground: str, ink: str, chosen: bool) -> str:
    """One token; a line end is shown as ↵ and also ends the line."""
    heads = len(shares)
    numbers = ", ".join(f"{theme.head_name(k)} {100 * share:.0f} %" for k, share in enumerate(shares))
    bars = "".join(
        f'<i style="left:{100 * k / heads:.0f}%;height:{max(1, round(12 * share))}px"></i>' for k, share in enumerate(shares)
    )
    pressed = ' aria-pressed="true"' if chosen else ""
    shown = escape(text.replace("\n", "↵").replace("\t", "⇥"))
    said = escape(f"{visible(text)}: {numbers}")
    return (
        f'<span class="t" role="button" tabindex="0" data-token="{i}"{pressed} title="{said}" aria-label="{said}" '
        f'style="background:{ground};color:{ink}">{shown}{bars}</span>' + ("<br>" if "\n" in text else "<wbr>")
    )
