"""Keeps Gradio from writing stubs for editors (`.pyi`) beside every one of its components, each time it is imported: it
parses their sources anew for that, which is a third of its import, and it has no switch.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

WRITER = "gradio.component_meta"


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        vars(module)["create_or_modify_pyi"] = lambda *_: None


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        found = PathFinder.find_spec(name, path) if name == WRITER else None
        if found and found.origin:
            found.loader = _Loader(name, found.origin)
        return found


def leave_out() -> None:
    """Call it before Gradio is imported."""
    sys.meta_path.insert(0, _Finder())
