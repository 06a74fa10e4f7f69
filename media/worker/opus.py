"""Where libopus may be: Debian's package, or the copy that comes with PyAV's wheel."""

from __future__ import annotations

import ctypes
import importlib.util
from functools import lru_cache
from pathlib import Path

PACKAGE = "libopus0"


@lru_cache(maxsize=1)
def libraries() -> tuple[str, ...]:
    """Names for the dynamic loader, the system's first."""
    found = importlib.util.find_spec("av")
    places = [] if found is None or found.origin is None else [Path(found.origin).parents[1] / "av.libs"]
    bundled = [str(path) for place in places for path in sorted(place.glob("libopus-*.so*"))]
    return ("libopus.so.0", *bundled)


@lru_cache(maxsize=1)
def missing() -> str | None:
    """Why this machine can do no Opus, with the Debian package that helps; None: it can."""
    for name in libraries():
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return None
    return f"Opus needs the library libopus.so.0; on Debian or Ubuntu: sudo apt-get install {PACKAGE}"
