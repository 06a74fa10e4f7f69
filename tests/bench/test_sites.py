"""Copies of site files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.plateau import SITES
from bench.sites import Instead, copy_site, merged, read_site
from config.loader import load


def test_mappings_are_merged_and_all_else_is_replaced() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": [1], "e": {"f": 1}}
    changes = {"a": {"c": 3}, "d": [2], "e": Instead({"g": 1}), "new": {"h": Instead(1)}}
    assert merged(base, changes) == {"a": {"b": 1, "c": 3}, "d": [2], "e": {"g": 1}, "new": {"h": 1}}
    assert base["a"] == {"b": 1, "c": 2}


@pytest.mark.parametrize("name", ["travel", "bench"])
def test_a_copy_is_the_same_site_but_for_the_changes(tmp_path: Path, name: str) -> None:
    source = SITES / f"{name}.yaml"
    before = load(source)
    copy = load(copy_site(source, tmp_path, {"listen": {"http": "127.0.0.1:4711"}}))
    assert copy.listen.http is not None and copy.listen.http.port == 4711
    assert copy.model_copy(update={"listen": before.listen}) == before


def test_numbers_that_are_text_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    lines = ("a: 0601", "b: +33180000000", "c: 2026-12-24", "d: on entry", "e: 12", "f: true", "g: 1.5", "h: yes")
    path.write_text("\n".join([*lines, "i: 09:00-21:00", "j:"]))
    assert list(read_site(path).values()) == [
        "0601", "+33180000000", "2026-12-24", "on entry", 12, True, 1.5, "yes", "09:00-21:00", None,
    ]  # fmt: skip


def test_secrets_stay_secrets(tmp_path: Path) -> None:
    text = copy_site(SITES / "travel.yaml", tmp_path).read_text()
    assert "!secret 'api'" in text or "!secret api" in text
    assert (tmp_path / "travel.secrets.yaml").exists()
