"""Which dial pattern covers which: a rule behind one that covers it can never match.

A pattern is digits and the classes X (0-9), Z (1-9), N (2-9), [1-5]; `.` at the end is one or more of any character,
`!` none or more. A leading `_` and `-` between digits mean nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CLASSES = {"X": frozenset("0123456789"), "Z": frozenset("123456789"), "N": frozenset("23456789")}
_TOKEN = re.compile(r"\[([0-9-]+)\]|(.)")


@lru_cache(maxsize=4096)
def tokens(pattern: str) -> tuple[tuple[frozenset[str], ...], int | None]:
    """The characters each place takes, and how many more of any the tail asks at least (None: no tail)."""
    tail = {".": 1, "!": 0}.get(pattern[-1:])
    body = (pattern if tail is None else pattern[:-1]).removeprefix("_")
    if not re.search(r"[A-WYa-z]", re.sub(r"[NZ]", "", body)):
        body = re.sub(r"(\[.*?\])|-", r"\1", body)  # a separator between digits
    places = (_digits(m[1]) if m[1] else _CLASSES.get(m[2], frozenset(m[2])) for m in _TOKEN.finditer(body))
    return tuple(places), tail


def _digits(inside: str) -> frozenset[str]:
    digits: set[str] = set()
    for first, last in re.findall(r"(\d)(?:-(\d))?", inside):
        digits.update(str(d) for d in range(int(first), int(last or first) + 1))
    return frozenset(digits)


def covers(earlier: str, later: str) -> bool:
    """True if all that `later` matches is matched by `earlier` too."""
    wide, wide_tail = tokens(earlier)
    narrow, narrow_tail = tokens(later)
    if wide_tail is None:
        if narrow_tail is not None or len(wide) != len(narrow):
            return False
    elif len(narrow) + (narrow_tail or 0) < len(wide) + wide_tail or len(narrow) < len(wide):
        return False
    return all(n <= w for w, n in zip(wide, narrow, strict=False))
