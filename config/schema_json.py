"""The JSON schema of site files, for editors: `python -m config.schema_json` writes `config/schema.json`.

It is the schema of what is written, made a little wider than the models: an editor reads `101` and `112` as numbers
where the loader takes text, and sections may be empty.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from config.schema import Site

PATH = Path(__file__).with_name("schema.json")


def build() -> dict[str, Any]:
    """The schema as a JSON-able value."""
    made = Site.model_json_schema(by_alias=True, mode="validation")
    result: dict[str, Any] = _widened(made)
    for definition in result["$defs"].values():
        _keep_first_paragraph(definition)
    _keep_first_paragraph(result)
    for name, section in result["properties"].items():
        if name not in result["required"]:
            result["properties"][name] = {"anyOf": [section, {"type": "null"}]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Plateau site file",
        **{key: value for key, value in result.items() if key != "title"},
    }


def _widened(value: Any) -> Any:
    """Text may look like a number; titles made from field names say nothing."""
    if isinstance(value, list):
        return [_widened(v) for v in value]
    if not isinstance(value, dict):
        return value
    result = {
        key: {name: _widened(v) for name, v in part.items()} if key in ("properties", "$defs") else _widened(part)
        for key, part in value.items()
        if not (key == "title" and isinstance(part, str)) and key not in ("default", "writeOnly", "propertyNames")
    }
    default = value.get("default")
    if isinstance(default, str | int | float):  # others are not what one would write
        result["default"] = default
    if "patternProperties" in result:
        result["additionalProperties"] = False
    if result.get("type") == "string" and not {"enum", "const", "format"} & result.keys():
        result["type"] = ["string", "number"]
    return result


def _keep_first_paragraph(definition: dict[str, Any]) -> None:
    if "description" in definition:
        definition["description"] = " ".join(definition["description"].split("\n\n")[0].split())


def text() -> str:
    """What stands in `schema.json`."""
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    PATH.write_text(text(), "utf-8")


if __name__ == "__main__":
    main()
