"""Dial patterns: the telephone trade's small language, made into regular expressions, and the numbers they match."""

from __future__ import annotations

import re
from typing import Final

LONGEST_NUMBER: Final = 128  # characters; more is no number but an attack

_WILDCARDS: Final = {
    "X": "[0-9]", "Z": "[1-9]", "N": "[2-9]",
    # control characters (an escaped line end in a URI) never match: numbers go into headers and logs
    ".": r"[^\x00-\x1f\x7f]+", "!": r"[^\x00-\x1f\x7f]*",
}  # fmt: skip
_PARTS: Final = re.compile(r"\[[0-9-]+\]|.")
_OF_DIGITS: Final = re.compile(r"(?:[0-9XZN+*#.!-]|\[[0-9-]+\])+")
_SEPARATED: Final = re.compile(r"[0-9+*# \-.()]*")
_SEPARATORS: Final = str.maketrans("", "", " -.()")  # RFC 3966 5.1.1 visual separators, and the blank of RFC 3966 4
_FIELD: Final = re.compile(r"\{number(?::(\d+))?\}")


def expression(pattern: str) -> str:
    """The source of a regular expression, without groups, that matches in full what `pattern` means."""
    return "".join(
        _WILDCARDS.get(part) or (part if part[0] == "[" and len(part) > 1 else re.escape(part))
        for part in _parts(pattern)
    )


def literal(pattern: str) -> str | None:
    """The one number that `pattern` matches; None if it has wildcards."""
    parts = _parts(pattern)
    return None if any(part in _WILDCARDS or len(part) > 1 for part in parts) else "".join(parts)


def _parts(pattern: str) -> list[str]:
    bare = pattern.removeprefix("_")
    parts: list[str] = _PARTS.findall(bare)
    return [part for part in parts if part != "-"] if _OF_DIGITS.fullmatch(bare) else parts


def dialled(text: str) -> str:
    """What was dialled, without the visual separators of a number; a name stays as it is."""
    if text.isalnum() or not _SEPARATED.fullmatch(text):
        return text
    return text.translate(_SEPARATORS) or text


def fill(template: str, number: str) -> str:
    """`{number}` and `{number:N}` (without its first N characters) replaced."""
    if "{" not in template:
        return template
    return _FIELD.sub(lambda field: number[int(field[1] or 0) :], template)
