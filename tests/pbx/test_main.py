"""The `plateau` command given what it can't do: one line, exit status 2, no traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pbx.__main__ import app, printable
from pbx.console import converting

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


def made_site(folder: Path, listen: str) -> str:
    ports = "media: {ports: 40960-40979}\nrecords: {url: 'sqlite:///" + str(folder / "records.db") + "'}\n"
    (folder / "site.yaml").write_text(f"site: test\nlisten:\n  {listen}\n{ports}")
    return str(folder / "site.yaml")


def test_a_wrong_certificate(tmp_path: Path) -> None:
    """`check` says where it is named, `serve` what is wrong with it: one line each."""
    (tmp_path / "cert.pem").write_text("nothing\n")
    site = made_site(tmp_path, "sip: tls:127.0.0.1:0\n  tls:\n    certificate: cert.pem")
    wrong = f"expected a certificate in PEM, found {tmp_path}/cert.pem (something else)"
    result = CliRunner().invoke(app, ["check", site], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert result.output.splitlines()[0] == f"{site}:5:18: listen.tls.certificate: {wrong}"
    assert served(site) == (2, f"plateau: listen.tls.certificate: {wrong}")


def served(site: str) -> tuple[int, str]:
    """Exit status and last line of a server that does not start."""
    command = [sys.executable, "-m", "pbx", "serve", site]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("transport", ["udp", "ws"])
def test_a_port_in_use(tmp_path: Path, transport: str) -> None:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if transport != "udp":
            taken.listen()
        where = f"{transport}:127.0.0.1:{taken.getsockname()[1]}"
        status, said = served(made_site(tmp_path, f"sip: {where}"))
    assert status == 2 and said.lower() == f"plateau: {where}: address already in use"


def test_no_progress_bar_into_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with converting() as told:
        told(0, 2)
        told(2, 2)
    assert capsys.readouterr() == ("", "")
