"""What an admin may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """`did you mean ring_s?`, or nothing."""
    if text.isdigit():
        return ""  # one number is as near as another
    near = difflib.get_close_matches(text, [*names], n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""
