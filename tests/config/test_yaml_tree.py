from __future__ import annotations

import pytest

from config.yaml_tree import MAX_DEPTH, Node, YamlProblem, parse

STAR = "expected quotes around a value that begins with *, as '*43', or &NAME above *NAME, found an unquoted *"
MISFIT = "found a line that does not fit here"
NEITHER = "found neither (a value that holds [ ] { } or , needs quotes)"


def told(text: str) -> str:
    with pytest.raises(YamlProblem) as error:
        parse(text, "f")
    return str(error.value.problem)


def scalar(text: str) -> Node:
    root = parse(f"key: {text}", "f")
    assert root is not None
    [(_, value)] = root.pairs()
    return value


@pytest.mark.parametrize(
    "text", ["0123", "1_000", "09:00", "12:30:45", "on", "no", "2026-12-24", "0x1F", "1e3", "+33", "="]
)
def test_scalars_stay_as_written(text: str) -> None:
    value = scalar(text)
    assert (value.kind, value.text, value.plain, value.tag) == ("scalar", text, True, None)


@pytest.mark.parametrize("text", ["'0123'", '"0123"', "!!str 0123"])
def test_quotes_and_the_text_tag_say_that_it_is_text(text: str) -> None:
    assert (scalar(text).text, scalar(text).plain) == ("0123", False)


@pytest.mark.parametrize(
    ("text", "null"), [("", True), ("~", True), ("null", True), ("''", False), ("'~'", False), ("0", False)]
)
def test_null(text: str, null: bool) -> None:
    assert scalar(text).is_null is null


def test_places_count_from_one() -> None:
    root = parse("a: 1\nb:\n  - x\n  - yy: 2\n", "f")
    assert root is not None
    (a, one), (b, items) = root.pairs()
    assert [(n.line, n.column) for n in (root, a, one, b, items, *items.items)] == [
        (1, 1), (1, 1), (1, 4), (2, 1), (3, 3), (3, 5), (4, 5),
    ]  # fmt: skip


def test_an_alias_is_the_node_of_its_anchor() -> None:
    root = parse("a: &x {k: 1}\nb: *x\n", "f")
    assert root is not None
    (_, a), (_, b) = root.pairs()
    assert a is b


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "~\n"])
def test_a_file_without_content(text: str) -> None:
    assert parse(text, "f") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:\n\tb: c", "f:2:1: expected spaces for indentation, found a tab"),
        ("a: b: c", "f:1:5: expected quotes around a value that holds ': ', found a second colon in one line"),
        ("match: *43", f"f:1:8: {STAR}"),
        ("a: &b [*b]", f"f:1:8: {STAR}"),
        ("a: @x", "f:1:4: expected quotes around a value that begins with @, ` or %, found a reserved character"),
        ("a: 'x", "f:1:6: expected a closing quote, found the end of the file"),
        ("a:\n  b: 1\n c: 2", f"f:3:2: expected NAME: VALUE, indented like its neighbours, {MISFIT}"),
        ("a: 1\n---\nb: 1", "f:2:1: expected one site in the file, found a second document (---)"),
        ("a: \x01", "f:1:4: expected printable text, found character U+0001"),
        ('a: "\\q"', "f:1:5: expected valid YAML, found while parsing a quoted scalar, found unknown escape character"),
        ("a: [1", f"f:1:6: expected a comma or a closing ], {NEITHER}"),
        ("a: {b: c[1]}", f"f:1:9: expected a comma or a closing }}, {NEITHER}"),
        ("- a\nb: 1", f"f:2:1: expected a list entry beginning with -, {MISFIT}"),
    ],
)
def test_syntax_errors_in_words(text: str, problem: str) -> None:
    assert told(text) == problem


@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_a_problem_not_a_crash(unit: str) -> None:
    assert f"found more than {MAX_DEPTH}" in told(unit * 100_000)
