"""Whatever is done to a site file, the loader answers with a site or with problems at places inside the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import SiteError
from config.loader import load

SITES = Path(__file__).parents[2] / "config" / "sites"
TRAVEL = (SITES / "travel.yaml").read_text("utf-8")
SECRETS = "agent_phone: hidden-1\noffice_phone: hidden-2\ncarrier_in: hidden-3\napi: hidden-4\n"
WORDS = re.findall(r"[^\s\[\]{},:]+|[\[\]{},:]", TRAVEL)
ODD = [
    "~", "null", "yes", "0123", "09:00", "-1", "1e999", ".nan", "2026-02-30", "[]", "{}", "''", "*x", "&x y", "<<: {}",
    "!secret api", "!secret nope", "!x", "{number}", "1..9", "9..1", "a: b", "- a", "\t", "\n", "'", '"', "#", "\x00",
    "\ufeff", "\u2028", "\x85", "é", "💺", "|", ">", "? ", "---\n", "...\n", "%YAML 1.1\n", "x" * 100, "queue asia",
]  # fmt: skip

odd = st.sampled_from(ODD) | st.sampled_from(WORDS) | st.text(max_size=8)
change = st.tuples(st.integers(0, len(WORDS) - 1), st.sampled_from(["replace", "before", "after", "remove"]), odd)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sites")
    (made / "prompts").symlink_to(SITES / "prompts")
    (made / "travel.secrets.yaml").write_text(SECRETS)
    return made


def check(folder: Path, data: bytes) -> None:
    path = folder / "travel.yaml"
    path.write_bytes(data)
    try:
        load(path, {})
    except SiteError as error:
        assert error.problems
        text = data.decode("utf-8", "replace").removeprefix("\ufeff")
        lines = re.split(r"\r\n|\r|\n", text)
        for problem in error.problems:
            assert problem.file == str(path)
            assert 1 <= problem.line <= len(lines) and 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem
            assert "hidden" not in str(problem)
            assert not re.search(r"Input should|validation error|pydantic|Traceback|NoneType", str(problem)), problem


def changed(changes: list[tuple[int, str, str]]) -> str:
    spans = [m.span() for m in re.finditer(r"[^\s\[\]{},:]+|[\[\]{},:]", TRAVEL)]
    text = TRAVEL
    for index, how, what in sorted(changes, reverse=True):
        start, end = spans[index]
        if how == "before":
            end = start
        elif how == "after":
            start = end
        text = text[:start] + ("" if how == "remove" else what) + text[end:]
    return text


@settings(max_examples=250)
@given(st.lists(change, min_size=1, max_size=4))
def test_changed_words(folder: Path, changes: list[tuple[int, str, str]]) -> None:
    check(folder, changed(changes).encode("utf-8", "surrogatepass"))


@settings(max_examples=60)
@given(st.data())
def test_moved_and_missing_lines(folder: Path, data: st.DataObject) -> None:
    lines = TRAVEL.split("\n")
    for _ in range(data.draw(st.integers(1, 4))):
        here, there = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        line = lines.pop(here)
        if data.draw(st.booleans()):
            lines.insert(there, " " * data.draw(st.integers(0, 3)) + line)
    check(folder, "\n".join(lines).encode())


@settings(max_examples=60)
@given(st.binary(max_size=200) | st.text("ab:-[]{}&*!|>'\"#%@` \n\t0", max_size=60).map(str.encode))
def test_anything(folder: Path, data: bytes) -> None:
    check(folder, data)
