"""YAML text into a tree of nodes with positions, one Problem for what is no YAML.

The tree is composed from the parser's events with a stack of our own: libyaml's composer recurses and a file of
brackets would overflow the C stack. Scalars stay text as written (`0123`, `09:00`, `on` keep their letters): what they
mean is for the schema to say, not for YAML 1.1. Anchors and aliases work; an alias inside its own anchor is an
undefined alias.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from config.errors import Problem

MAX_DEPTH = 60
"""Levels of nesting; a site file needs six."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_STANDARD_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp")
)

_NO_LINE_ENDS = {ord(c): " " for c in "\x85\u2028\u2029"}
"""To YAML these end a line, to no editor; so they are blanks and lines count as the admin's editor counts them."""

_QUOTES = "a value that holds [ ] { } or , needs quotes"
_IN_WORDS: tuple[tuple[str, str, str], ...] = (
    ("undefined alias", "quotes around a value that begins with *, as '*43', or &NAME above *NAME", "an unquoted *"),
    ("mapping values are not allowed", "quotes around a value that holds ': '", "a second colon in one line"),
    ("could not find expected ':'", "NAME: VALUE", "a line without its colon"),
    ("cannot start any token", "quotes around a value that begins with @, ` or %", "a reserved character"),
    ("did not find expected key", "NAME: VALUE, indented like its neighbours", "a line that does not fit here"),
    ("expected <block end>", "NAME: VALUE, indented like its neighbours", "a line that does not fit here"),
    ("did not find expected '-' indicator", "a list entry beginning with -", "a line that does not fit here"),
    ("unexpected end of stream", "a closing quote", "the end of the file"),
    ("did not find expected ',' or ']'", "a comma or a closing ]", f"neither ({_QUOTES})"),
    ("did not find expected ',' or '}'", "a comma or a closing }", f"neither ({_QUOTES})"),
    ("did not find expected node content", "a value", f"a sign that cannot begin one ({_QUOTES})"),
    ("found unexpected ':'", "quotes around a value that holds : between [ ] or { }", "an unquoted :"),
    ("document start", "one site in the file", "a second document (---)"),
)


@dataclass(slots=True)
class Node:
    """A scalar (`text`), a list (`items`) or a mapping (`items` in pairs), with its place."""

    kind: Literal["scalar", "list", "mapping"]
    line: int
    column: int
    text: str = ""
    plain: bool = False
    """A scalar without quotes."""
    tag: str | None = None
    """A tag of ours, as `!secret`; standard tags are dropped."""
    items: list[Node] = field(default_factory=list)

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        return zip(self.items[::2], self.items[1::2], strict=True)

    @property
    def is_null(self) -> bool:
        return self.plain and self.tag is None and self.text in ("", "~", "null", "Null", "NULL")


class YamlProblem(Exception):
    """The text is no YAML (or not our kind of it)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def parse(text: str, file: str) -> Node | None:
    """The root node of `text`, None for a file without content. Raises YamlProblem."""
    text = text.translate(_NO_LINE_ENDS)
    try:
        return _compose(text, file)
    except yaml.YAMLError as error:
        raise YamlProblem(_in_words(error, text, file)) from None


def _compose(text: str, file: str) -> Node | None:
    root: Node | None = None
    open_nodes: list[tuple[Node, str | None]] = []
    anchors: dict[str, Node] = {}
    for event in yaml.parse(text, Loader=_Loader):
        mark: Any = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        if isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            node, anchor = open_nodes.pop()
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise yaml.composer.ComposerError(None, None, "found undefined alias", mark)
            node, anchor = anchors[event.anchor], None
        elif isinstance(event, yaml.ScalarEvent):
            node = Node("scalar", line, column, text=event.value, plain=not event.style, tag=_own_tag(event.tag))
            if event.tag and node.tag is None:
                node.plain = False  # `!!str 5` is meant as text
            anchor = event.anchor
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            kind: Literal["list", "mapping"] = "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
            open_nodes.append((Node(kind, line, column, tag=_own_tag(event.tag)), event.anchor))
            if len(open_nodes) > MAX_DEPTH:
                raise YamlProblem(Problem(file, line, column, "", f"more than {MAX_DEPTH}", "a few levels of nesting"))
            continue
        elif isinstance(event, yaml.DocumentStartEvent) and root is not None:
            raise yaml.composer.ComposerError(None, None, "another document start", mark)
        else:
            continue
        if anchor:
            anchors[anchor] = node
        if open_nodes:
            open_nodes[-1][0].items.append(node)
        else:
            root = node
    return None if root is not None and root.is_null else root


def _own_tag(tag: str | None) -> str | None:
    return None if tag in _STANDARD_TAGS or tag == "!" else tag


def _in_words(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """An error of the YAML parser as a Problem; positions are kept inside the text."""
    line, column, reason = 1, 1, str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        if mark is not None:
            line, column = mark.line + 1, mark.column + 1
        reason = ", ".join(part for part in (error.context, error.problem) if part)
    elif isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position] if isinstance(error.position, int) else ""
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        reason = f"character U+{error.character:04X}" if isinstance(error.character, int) else "a special character"
        return Problem(file, line, column, "", reason, "printable text")
    lines = re.split(r"\r\n|\r|\n", text)
    if line > len(lines) or (line == len(lines) and not lines[-1]):  # the end of the file: point at its last character
        line = max(len(lines) - (not lines[-1]), 1)
        column = len(lines[line - 1]) + 1
    if lines[line - 1][column - 1 : column] == "\t":
        return Problem(file, line, column, "", "a tab", "spaces for indentation")
    for part, expected, found in _IN_WORDS:
        if part in reason:
            return Problem(file, line, column, "", found, expected)
    return Problem(file, line, column, "", reason.removeprefix("found "), "valid YAML")
