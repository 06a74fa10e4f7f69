"""Which ways through the parsers an input goes: steps from one line to the next, found with the interpreter's trace."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

Arc = tuple[str, int, int]  # file, line, next line in the same function
WATCHED = ("/pbx/sip/", "/pbx/sdp/")


def arcs(target: Callable[[bytes], None], data: bytes) -> set[Arc]:
    """The arcs of one run."""
    found: set[Arc] = set()

    def local(last: list[int]) -> Callable[..., Any]:
        def trace(frame: FrameType, event: str, arg: object) -> Callable[..., Any]:
            found.add((frame.f_code.co_filename, last[0], frame.f_lineno))
            last[0] = frame.f_lineno
            return trace

        return trace

    def calls(frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        watched = any(part in frame.f_code.co_filename for part in WATCHED)
        return local([frame.f_lineno]) if watched else None

    sys.settrace(calls)
    try:
        target(data)
    finally:
        sys.settrace(None)
    return found


def fewest(target: Callable[[bytes], None], inputs: Iterable[bytes]) -> list[bytes]:
    """The inputs, smallest first, that go a way which no smaller one went."""
    seen: set[Arc] = set()
    kept: list[bytes] = []
    for data in sorted(set(inputs), key=lambda one: (len(one), one)):
        new = arcs(target, data) - seen
        if new:
            seen |= new
            kept.append(data)
    return kept
