"""How large words have to begin for a language model of crab-mini's size to learn to look them up: seconds to minutes.

    python tests/bench/beginnings.py [SIZE] [STEPS]

SIZE: how many times as large as is usual (default: 8). On words alone, from scratch: rows of names with a word behind
each, any of them again and again, and rows that repeat. Every 20 steps it prints, of the 20 before, the loss on what has
been there before and the share of it that was right. Of two or three names, to copy any word in sight is right for 0.3.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

import numpy as np  # noqa: E402
import torch  # noqa: E402

from crab.learn import mini  # noqa: E402
from crab.scenes.asking import telling  # noqa: E402
from crab.scenes.world import script  # noqa: E402

ROWS, LONG, RATE, WARMUP, PLANNED = 32, 64, 2e-3, 50, 1200


def main(size: float = 8, steps: int = 400) -> None:
    rng, tokenizer = np.random.default_rng(0), mini.tokenizer()
    words = common(tokenizer)
    thinker = mini.fresh(tokenizer)
    thinker.set_attn_implementation("eager")
    language, head = thinker.model.language_model, thinker.lm_head
    with torch.no_grad():
        language.embed_tokens.weight *= size
    weights = [*language.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    torch.set_flush_denormal(True)
    found: list[list[tuple[float, float]]] = [[], []]
    for step in range(steps):
        pace = min(1, (step + 1) / WARMUP) * (0.05 + 0.95 * (1 + math.cos(math.pi * step / PLANNED)) / 2)
        for group in optimiser.param_groups:
            group["lr"] = RATE * pace
        optimiser.zero_grad()
        for of, make in zip(found, (named, repeated)):
            rows, known = map(torch.tensor, make(words, 2 + step // 200, rng))
            with torch.autocast("cpu", torch.bfloat16):
                hidden = language(input_ids=rows[:, :-1]).last_hidden_state
                logits = head(hidden[known[:, 1:]]).float()
            wanted = rows[:, 1:][known[:, 1:]]
            loss = torch.nn.functional.cross_entropy(logits, wanted)
            loss.backward()
            of.append((float(loss.detach()), float((logits.argmax(-1) == wanted).float().mean())))
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        if step % 20 == 19:
            names, rows_again = (np.mean(of[-20:], axis=0) for of in found)
            print(
                f"{step + 1:>5} names {names[0]:.2f} {names[1]:.2f}   rows {rows_again[0]:.2f} {rows_again[1]:.2f}",
                flush=True,
            )


def common(tokenizer) -> np.ndarray:
    """The words of conclusions about 400 scenes, those that come five times or more."""
    said: dict[int, int] = {}
    for seed in range(400):
        rng = np.random.default_rng(seed)
        for told in telling.conclusions(script.write(seed), rng) + telling.film(script.write(seed), rng):
            for piece in tokenizer(f" {told.answer}", add_special_tokens=False).input_ids:
                said[piece] = said.get(piece, 0) + 1
    return np.array([piece for piece, n in said.items() if n >= 5 and tokenizer.decode([piece]).startswith(" ")])


def named(words: np.ndarray, most: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of 2 to `most` names with a word behind each, up to two others between; which words have been there before."""
    rows, known = np.zeros((ROWS, LONG), int), np.zeros((ROWS, LONG), bool)
    for i in range(ROWS):
        n, gap = int(rng.integers(2, most + 1)), int(rng.integers(3))
        names, behind, between = np.split(rng.choice(words, size=2 * n + gap, replace=False), [n, 2 * n])
        there: set[int] = set()
        for k, who in enumerate(rng.integers(n, size=LONG // (2 + gap)).tolist()):
            at = k * (2 + gap)
            rows[i, at : at + 2 + gap] = [names[who], *between, behind[who]]
            known[i, at + 1 + gap] = who in there
            there.add(who)
    return rows, known


def repeated(words: np.ndarray, most: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of 2 to 22 words that come up to three times, at least twice; all words but the first time."""
    rows, known = np.zeros((ROWS, LONG), int), np.zeros((ROWS, LONG), bool)
    for i in range(ROWS):
        n = int(2 ** rng.uniform(1, 4.5))
        row = np.tile(rng.choice(words, size=n), max(2, min(3, LONG // n)))[:LONG]
        rows[i, : len(row)] = row
        known[i, n + 1 : len(row)] = True
    return rows, known


if __name__ == "__main__":
    main(*(kind(given) for kind, given in zip((float, int), sys.argv[1:])))
