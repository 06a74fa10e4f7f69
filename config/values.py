"""A tree of YAML nodes into plain values for the schema, each with its place.

Every scalar becomes text exactly as written (`Plain` when it had no quotes). Ranges of keys (`reg0001..reg1000`) are
unfolded, `!secret` is looked up, duplicate keys and odd tags are problems. Nothing here knows the schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from config.errors import Problem
from config.fields import Plain
from config.yaml_tree import Node

Path = tuple[str | int, ...]

MAX_VALUES = 1_000_000
"""Values a file may unfold to, aliases and ranges included."""
MAX_RANGE = 100_000
"""Entries one range of keys may stand for."""

_RANGE = re.compile(r"(.*?)(\d+)\.\.(.*?)(\d+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the value, and its key (the same for a list entry)."""

    line: int
    column: int
    key_line: int
    key_column: int
    shown: str
    """The path as its author would write it: ranges folded."""
    node: Node


def in_words(node: Node) -> str:
    """A value as a problem quotes it; no content of what is not one short scalar."""
    if node.tag == "!secret":
        return "a secret"
    if node.kind != "scalar":
        return "an empty list" if node.kind == "list" and not node.items else f"a {node.kind}"
    if node.is_null:
        return "nothing"
    if node.plain and re.fullmatch(r"-?\d+(\.\d+)?", node.text):
        return node.text
    return quoted(node.text)


def quoted(text: str) -> str:
    """Text between quotes, in one line and of a bearable length."""
    text = text if len(text) <= 60 else text[:57] + "..."
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def kind_in_words(node: Node) -> str:
    """What sort of value it is, without its content (which may be a password in the wrong place)."""
    return in_words(node) if node.kind != "scalar" or node.is_null or node.tag else "text"


class TooMuch(Exception):
    """The file unfolds to more than MAX_VALUES."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Values:
    """Builds `value` and `places` from a tree; `problems` collects what is wrong on the way."""

    def __init__(
        self,
        root: Node,
        file: str,
        *,
        secret: Callable[[str, Node], SecretStr | Problem],
        ranges_in: frozenset[Path] = frozenset(),
    ) -> None:
        self._file = file
        self._secret = secret
        self._ranges_in = ranges_in
        self._count = 0
        self.places: dict[Path, Place] = {}
        self.problems: list[Problem] = []
        self.unread: set[Path] = set()
        """Mappings with a key that could not be read: not all their names are known."""
        self.value = self._build(root, (), root, "", {})

    def place(self, path: Path) -> Place:
        """The place of `path`, or of the nearest part of the file around it."""
        return self.places[self.written(path)]

    def written(self, path: Path) -> Path:
        """`path` as far as it is in the file: a list of one may have been written without brackets."""
        found: Path = ()
        for part in path:
            if (*found, part) in self.places:
                found = (*found, part)
            elif part != 0:
                break
        return found

    def _problem(self, node: Node, path: str, found: str, expected: str, hint: str = "") -> None:
        self.problems.append(Problem(self._file, node.line, node.column, path, found, expected, hint))

    def _build(self, node: Node, path: Path, key: Node, shown: str, names: dict[str, str]) -> object:
        self._count += 1
        if self._count > MAX_VALUES:
            raise TooMuch(Problem(self._file, key.line, key.column, shown, "more", f"at most {MAX_VALUES:,} values"))
        place = Place(node.line, node.column, key.line, key.column, shown, node)
        self.places[path] = place
        if node.tag == "!secret":
            return self._look_up(node, shown)
        if node.tag is not None:
            tag = node.tag.removeprefix("tag:yaml.org,2002:")
            self._problem(node, shown, f"the tag {tag}", "a plain value or !secret NAME", _tag_hint(tag))
            return None
        if node.kind == "scalar":
            if node.is_null:
                return None
            text = node.text
            for name, value in names.items():
                text = text.replace(name, value)
            return Plain(text) if node.plain else text
        if node.kind == "list":
            return [
                self._build(item, (*path, i), item, f"{shown}[{i}]", names) for i, item in enumerate(node.items)
            ]
        return self._mapping(node, path, shown, names)

    def _look_up(self, node: Node, shown: str) -> object:
        if node.kind != "scalar" or not node.text:
            self._problem(node, shown, "no name", "the name of a secret, as !secret carrier_password")
            return None
        secret = self._secret(node.text, node)
        if isinstance(secret, Problem):
            self.problems.append(Problem(secret.file, secret.line, secret.column, shown, secret.found, secret.expected))
            return SecretStr("(missing; told already)".ljust(64))  # so that the schema does not report it once more
        return secret

    def _mapping(self, node: Node, path: Path, shown: str, names: dict[str, str]) -> dict[str, object]:
        result: dict[str, object] = {}
        lines: dict[str, int] = {}
        for source in self._with_merged(node, shown):
            for key, value in source.pairs():
                if key.text == "<<" and key.plain:
                    continue
                if key.kind != "scalar" or not key.text or key.tag is not None:
                    self._problem(key, shown, in_words(key), "a name before the colon")
                    continue
                below = f"{shown}.{key.text}" if shown else key.text
                for name, new_names in self._unfold(key, path, below, names):
                    if name not in lines:
                        lines[name] = key.line
                        result[name] = self._build(value, (*path, name), key, below, new_names)
                    elif source is node:
                        self._problem(key, below, f"{name} again", "each name once", f"first in line {lines[name]}")
        return result

    def _with_merged(self, node: Node, shown: str) -> list[Node]:
        """A mapping and those it merges by `<<`; what is nearer wins, so it comes first."""
        sources = [node]
        self._count += 1
        if self._count > MAX_VALUES:
            raise TooMuch(Problem(self._file, node.line, node.column, shown, "more", f"at most {MAX_VALUES:,} values"))
        for key, value in node.pairs():
            if key.text == "<<" and key.plain:
                for part in value.items if value.kind == "list" else [value]:
                    if part.kind == "mapping":
                        sources += self._with_merged(part, shown)
                    else:
                        self._problem(part, shown, in_words(part), "<<: *NAME, the name of a mapping")
        return sources

    def _unfold(self, key: Node, path: Path, shown: str, names: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
        """The names a key stands for, with the placeholders its values may use."""
        if path not in self._ranges_in or ".." not in key.text:
            return [(key.text, names)]
        m = _RANGE.fullmatch(key.text)
        first, last = (int(m[2][:9]), int(m[4][:9])) if m else (0, 0)
        if not m or m[1] != m[3] or not first < last or last - first >= MAX_RANGE or len(m[4]) > 9:
            expected = f"a range as 101..199 or reg001..reg100, of at most {MAX_RANGE:,}"
            self._problem(key, shown, in_words(key), expected)
            self.unread.add(path)
            return []
        width = len(m[2])
        numbered = [(f"{m[1]}{n:0{width}}", n) for n in range(first, last + 1)]
        return [(name, {**names, "{name}": name, "{n}": str(n)}) for name, n in numbered]


def _tag_hint(tag: str) -> str:
    if tag.lower().lstrip("!").startswith("sec"):
        return "did you mean !secret?"
    return f"quotes make it text: '{tag}'" if tag.startswith("!") else ""
