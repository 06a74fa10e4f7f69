"""Regular expressions that mean the same to every Python from 3.11 on."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

import acd
import config
import cti
import ivr
import media
import pbx

_OF_ONE = {op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY}


def patterns() -> dict[str, re.Pattern[Any]]:
    found = {}
    for package in (acd, config, cti, ivr, media, pbx):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__") and ".migrations." not in module.name:
                for name, value in vars(importlib.import_module(module.name)).items():
                    if isinstance(value, re.Pattern):
                        found[f"{module.name}.{name}"] = value
    return found


def repeated(parsed: Any) -> Iterator[Any]:
    """What is repeated possessively, anywhere in a parsed pattern."""
    for what, of in parsed:
        if what is op.POSSESSIVE_REPEAT:
            yield of[2]
        for inner in _inner(of):
            yield from repeated(inner)


def _inner(of: Any) -> Iterator[Any]:
    if isinstance(of, parser.SubPattern):
        yield of
    elif isinstance(of, tuple | list):
        for one in of:
            yield from _inner(one)


def groups(pattern: re.Pattern[Any]) -> list[Any]:
    parsed = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    return [one for one in repeated(parsed) if len(one) != 1 or one[0][0] not in _OF_ONE]


def test_no_group_is_repeated_possessively() -> None:
    """Python before 3.11.5, which Debian 12 has, keeps what a repetition of it that failed has taken."""
    found = patterns()
    assert len(found) > 50
    assert [name for name, pattern in found.items() if groups(pattern)] == []


@pytest.mark.parametrize("pattern", ["a(?:-b)*+", "(?:a|(?:bc)++)", "x(?:=(?:cd)?+)", "(?>a(?:bc|d)*+)", "a(c+)?+"])
def test_one_would_be_found(pattern: str) -> None:
    assert groups(re.compile(pattern))


@pytest.mark.parametrize("pattern", ["[ab]*+c++.?+", "(?>(?:a|b)*)", rb"[^\r\n]++x{1,3}+"])
def test_one_character_may_be(pattern: Any) -> None:
    assert not groups(re.compile(pattern))
