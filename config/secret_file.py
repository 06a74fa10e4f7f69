"""`!secret NAME`: the environment first, then `<site>.secrets.yaml` beside the site file.

The secrets file is a flat list of `NAME: value`. Nothing here ever quotes a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from config.errors import Problem
from config.yaml_tree import Node, YamlProblem, parse


class Secrets:
    """The secrets of one site file. `problems` holds what is wrong with the secrets file."""

    def __init__(self, site_file: Path, shown: str, environment: Mapping[str, str]) -> None:
        self._site = shown
        self._environment = environment
        self.path = site_file.with_name(site_file.stem + ".secrets.yaml")
        self._shown = str(Path(shown).with_name(self.path.name))
        self.problems: list[Problem] = []
        self._values = self._read()

    def get(self, name: str, node: Node) -> SecretStr | Problem:
        """The secret, or the Problem that it is nowhere."""
        variable = "PLATEAU_SECRET_" + re.sub(r"\W", "_", name).upper()
        value = self._environment.get(variable) or self._values.get(name)
        if value:
            return SecretStr(value)
        expected = f"{name} in {self.path.name} or {variable} in the environment"
        return Problem(self._site, node.line, node.column, "", "neither", expected)

    def _read(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        try:
            root = parse(self.path.read_text("utf-8-sig"), self._shown)
        except YamlProblem as error:
            self.problems.append(error.problem)
            return {}
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "other bytes"
            self.problems.append(Problem(self._shown, 0, 0, "", str(reason), "a file of UTF-8 text"))
            return {}
        if root is None:
            return {}
        if root.kind != "mapping":
            self._wrong(root, "", "something else", "lines of NAME: value")
            return {}
        values: dict[str, str] = {}
        for key, value in root.pairs():
            if key.kind != "scalar" or value.kind != "scalar" or value.is_null or value.tag:
                self._wrong(value, key.text, "something else", "NAME: value, the value one text")
            elif key.text in values:
                self._wrong(key, key.text, f"{key.text} again", "each name once")
            else:
                values[key.text] = value.text
        return values

    def _wrong(self, node: Node, path: str, found: str, expected: str) -> None:
        self.problems.append(Problem(self._shown, node.line, node.column, path, found, expected))
