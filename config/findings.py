"""What a check finds, and the names of a file by which checks know what exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from config.schema import Site
from config.suggestion import did_you_mean
from config.values import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake found by a check."""

    path: Path
    found: str
    expected: str
    hint: str = ""
    on_key: bool = False
    """Point at the key rather than at its value."""
    certain: bool = False
    """A mistake by itself, whatever else is wrong in the same entry."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names the file gives to things, by section, damaged entries included."""

    raw: Mapping[str, Any]
    damaged: frozenset[Path]

    def of(self, section: str) -> list[str]:
        value = self.raw.get(section)
        return [*value] if isinstance(value, Mapping) else []

    def known(self, section: str) -> bool:
        """False if the section could not be read as a whole: then nobody can say that a name is missing."""
        misspelt = any(len(path) == 1 and path[0] not in Site.model_fields for path in self.damaged)
        return (section,) not in self.damaged and not (misspelt and section not in self.raw)

    def whole(self, section: str) -> bool:
        """True if no entry of the section was set aside."""
        return not any(path[:1] == (section,) for path in self.damaged)

    def check(self, section: str, name: str, path: Path, word: str) -> Iterator[Finding]:
        """A finding if `name` is not in `section`."""
        names = self.of(section)
        if name not in names and self.known(section):
            listed = f" ({', '.join(names)})" if 0 < len(names) <= 8 else ""
            hint = did_you_mean(name, names) if names else f"the section {section} is empty"
            yield Finding(path, f'"{name}"', f"an existing {word}{listed}", hint, certain=True)
