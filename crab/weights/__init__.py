"""Which checkpoint a name means, where it comes from, what it needs.

`find` turns the name of a model into folders and files to load, and fetches what is not here yet; `fetch` does so
beforehand; `plan` tells from the configuration alone what memory answering and training take. Nothing is computed here.
"""

from crab.weights.hub import Found, fetch, find, find_segmenter
from crab.weights.names import CHECKPOINTS, Checkpoint, Place, meant
from crab.weights.plan import (
    UNQUANTIZED,
    Plan,
    Quantize,
    check_quantize,
    config_folder,
    configuration,
    is_small,
    plan,
    settle,
    table,
    to_json,
)

__all__ = [
    "CHECKPOINTS",
    "UNQUANTIZED",
    "Checkpoint",
    "Found",
    "Place",
    "Plan",
    "Quantize",
    "check_quantize",
    "config_folder",
    "configuration",
    "fetch",
    "find",
    "find_segmenter",
    "is_small",
    "meant",
    "plan",
    "settle",
    "table",
    "to_json",
]
