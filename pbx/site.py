"""A site file read with every check there is, those of the parts that `config` may not know included."""

from __future__ import annotations

from pathlib import Path

from acd.site_check import queue_needs
from config.loader import load
from config.schema import Site


def load_site(path: Path) -> Site:
    """Raises SiteError with every mistake at its line."""
    return load(path, also=(queue_needs,))
