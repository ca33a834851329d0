"""How two texts read apart."""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple


class Edit(NamedTuple):
    """A stretch of text: "equal", "replace", "delete" or "insert", as difflib has them."""

    kind: str
    before: str
    after: str


def edits(before: str, after: str) -> tuple[Edit, ...]:
    """What turns one text into the other, by words, spaces and signs; the pieces joined are the two texts."""
    a, b = (re.findall(r"\s+|[^\W_]+|[\W_]", text) for text in (before, after))
    codes = difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    return tuple(Edit(kind, "".join(a[i:j]), "".join(b[k:m])) for kind, i, j, k, m in codes)
