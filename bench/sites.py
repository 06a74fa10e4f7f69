"""Copies of site files for a run: other ports, other records, the same rules.

The copy keeps `!secret` and everything that is not overridden; merge keys are written out.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Yaml = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Secret:
    name: str


class _Loader(yaml.SafeLoader):
    """Only true, false, null and plain decimal numbers are other than text: `0601` and `+33...` stay what they are."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"~|null|", ["~", "n", ""]),
    ("int", r"-?(?:0|[1-9]\d*)", "-0123456789"),
    ("float", r"-?(?:0|[1-9]\d*)\.\d+", "-0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def _secret(loader: _Loader, node: yaml.Node) -> _Secret:
    assert isinstance(node, yaml.ScalarNode)
    return _Secret(loader.construct_scalar(node))


_Loader.add_constructor("!secret", _secret)
_Dumper.add_representer(_Secret, lambda dumper, secret: dumper.represent_scalar("!secret", secret.name))


@dataclass(frozen=True, slots=True)
class Instead:
    """In `changes`: the value takes the place of what was there, mappings too."""

    value: Any


def merged(base: Yaml, changes: Mapping[str, Any]) -> Yaml:
    """`base` with `changes` laid over it: mappings are merged, all else (and `Instead`) is replaced."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if isinstance(value, Instead):
            result[key] = value.value
        elif isinstance(value, Mapping):
            result[key] = merged(old if isinstance(old, dict) else {}, value)
        else:
            result[key] = value
    return result


def read_site(path: Path) -> Yaml:
    """A site file as plain values."""
    site: Yaml = yaml.load(path.read_text(), _Loader)
    return site


def write_site(site: Yaml, path: Path) -> None:
    path.write_text(yaml.dump(site, Dumper=_Dumper, allow_unicode=True, sort_keys=False))


def copy_site(source: Path, folder: Path, *changes: Mapping[str, Any]) -> Path:
    """A changed copy of `source` in `folder`, with its secrets beside it and its prompts where they were."""
    site = read_site(source)
    prompts = site.get("media", {}).get("prompts")
    if prompts:
        site["media"]["prompts"] = str((source.parent / prompts).resolve())
    target = folder / source.name
    for change in changes:
        site = merged(site, change)
    write_site(site, target)
    secrets = source.with_name(source.stem + ".secrets.yaml")
    if secrets.exists():
        shutil.copy(secrets, folder / secrets.name)
    return target
