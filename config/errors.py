"""Errors of the package.

ConfigError
└── SiteError      a site file that cannot be used; holds every Problem found in it
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class ConfigError(Exception):
    """Root of the tree."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a site file, in the words of its author."""

    file: str
    """As given to `load`, or the secrets file beside it."""
    line: int
    """From 1; 0 when the file could not be read."""
    column: int
    """From 1; 0 when the file could not be read."""
    path: str
    """`queues.asia.ring_s`; empty for the file as a whole."""
    found: str
    """What stands there; never a secret."""
    expected: str
    """What should stand there."""
    hint: str = ""
    """A suggestion, as `did you mean ring_s?`."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        path = f"{self.path}: " if self.path else ""
        hint = f" - {self.hint}" if self.hint else ""
        return f"{where}: {path}expected {self.expected}, found {self.found}{hint}"


class SiteError(ConfigError):
    """The site file is wrong; `problems` holds every mistake, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        once: dict[object, Problem] = {}
        for p in problems:  # entries that share lines (ranges, merges) repeat what is said of the first
            once.setdefault((p.file, p.line, p.column, p.found, p.expected), p)
        self.problems: list[Problem] = sorted(once.values(), key=lambda p: (p.file, p.line, p.column))
        super().__init__("\n".join(map(str, self.problems)))
