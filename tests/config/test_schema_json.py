from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from config import schema_json

SITES = Path(__file__).parents[2] / "config" / "sites"


class EditorLoader(yaml.SafeLoader):
    """YAML as an editor sees it, with its numbers; dates stay text."""


EditorLoader.add_constructor("!secret", lambda loader, node: node.value)
EditorLoader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: node.value)


def as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): as_json(entry) for key, entry in value.items()}
    return [as_json(entry) for entry in value] if isinstance(value, list) else value


def errors(text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema_json.build())
    site = as_json(yaml.load(text, EditorLoader))
    return [error.json_path for error in validator.iter_errors(site)]


def test_the_file_is_up_to_date() -> None:
    assert schema_json.PATH.read_text("utf-8") == schema_json.text(), "run python -m config.schema_json"


def test_it_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_json.text()))


@pytest.mark.parametrize("name", ["travel", "bench"])
def test_editors_accept_the_example_sites(name: str) -> None:
    assert errors((SITES / f"{name}.yaml").read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("queue: {}", "$"),
        ("queues: {asia: {rings_s: 5}}", "$.queues"),
        ("extensions: {101: {}}", "$.extensions"),
        ("ivr: {f: {a: {menu: x, keys: {12: a}}}}", "$.ivr"),
        ("listen: {}", "$.listen"),
    ],
)
def test_editors_mark_mistakes(text: str, path: str) -> None:
    listen = "" if text.startswith("listen") else "listen: {sip: udp:h:1}\n"
    assert path in errors(f"site: x\n{listen}{text}\n")


def test_an_empty_section_is_no_mistake() -> None:
    assert errors("site: x\nlisten: {sip: udp:h:1}\ntrunks:\n") == []
