"""On the path of a media worker that is fuzzed: its loop is the one that was built with sanitizers."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

LOOP = "media.worker.loop"


class Instead:
    """A finder before all others."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return importlib.util.spec_from_file_location(name, os.environ["PLATEAU_LOOP"]) if name == LOOP else None


if "PLATEAU_LOOP" in os.environ:
    sys.meta_path.insert(0, Instead)
