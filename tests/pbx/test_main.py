"""The `plateau` command given what it can't do: one line, exit status 2, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pbx.__main__ import app, printable

SITE = str(Path(__file__).parents[2] / "config" / "sites" / "travel.yaml")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("token", "--supervisor", ""), "--supervisor: expected a name"),
        (("token", "--agent", "nobody"), "no agent nobody in this site; there are: alice, bruno"),
        (("token",), "expected exactly one of"),
        (("token", "--agent", "alice", "--shop", "x"), "expected exactly one of"),
        (("route", "--from", "[/x]", "--to", "102"), "[/x] is no extension and no trunk"),
        (("route", "--from", "101", "--to", "102", "--at", "soon"), "--at: expected a date and time"),
        (("serve", "--drain", "-1"), "--drain"),
        (("serve", "--log-level", "loud"), "--log-level: expected debug, info, warning or error, found loud"),
    ],
)
def test_what_cant_be_done(arguments: tuple[str, ...], says: str) -> None:
    result = CliRunner().invoke(app, [arguments[0], SITE, *arguments[1:]], env={"COLUMNS": "200"})
    assert result.exit_code == 2 and says in result.output and "Traceback" not in result.output


def test_what_a_stranger_sends_can_neither_forge_nor_flood_the_log() -> None:
    """The user of a refused REGISTER is the stranger's text."""
    said = printable(None, "warning", {"user": "a\r\x1b[2J" + "x" * 5000, "status": 403})
    assert said["user"].startswith("a\\r\\x1b[2Jxxx") and len(said["user"]) <= 1000 and said["status"] == 403


@pytest.mark.parametrize("number", ["[/x]", "[bold]", "", "*43", "01 80 00 00 00"])
def test_a_route_is_shown_as_it_was_dialled(number: str) -> None:
    result = CliRunner().invoke(app, ["route", SITE, "--from", "101", "--to", number])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert number in result.output and result.exit_code == (0 if number[:1] in ("*", "0") else 1)
