"""The `plateau` command given what it can't do: one line, exit status 2, no traceback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.ports import ClaimedPorts
from pbx.__main__ import app, printable
from pbx.console import converting
from tests.transport.certificates import DAY, Authority

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


def made_site(folder: Path, listen: str, media: str = "40960-40979") -> str:
    ports = f"media: {{ports: {media}}}\nrecords: {{url: 'sqlite:///{folder}/records.db'}}\n"
    (folder / "site.yaml").write_text(f"site: test\nlisten:\n  {listen}\n{ports}")
    return str(folder / "site.yaml")


CERTIFICATE, KEY = "expected a certificate in PEM, found", "expected an unencrypted private key in PEM, found"


@pytest.mark.parametrize(
    ("tls", "place", "said"),
    [
        (("certificate: text", "key: main.key"), "5:18", f"certificate: {CERTIFICATE} {{}}/text (something else)"),
        (("certificate: main.pem", "key: gone"), "6:10", f"key: {KEY} {{}}/gone (No such file or directory)"),
        (
            ("certificate: main.pem", "key: other.key"), "6:10",
            "key: expected the key of {0}/main.pem, found {0}/other.key (another)",
        ),
        (
            ("certificate: main.pem", "key: main.key", "names: {shop: {certificate: other.pem, key: main.key}}"),
            "7:49", "names.shop.key: expected the key of {0}/other.pem, found {0}/main.key (another)",
        ),
    ],
    ids=["certificate", "key absent", "key of another", "key of another name"],
)  # fmt: skip
def test_a_wrong_certificate(tmp_path: Path, tls: tuple[str, ...], place: str, said: str) -> None:
    """`check` says where it is named, `serve` what is wrong with it: one line each."""
    authority = Authority(tmp_path)
    for name in ("main", "other"):
        authority.issue(name, valid=90 * DAY)
    (tmp_path / "text").write_text("nothing\n")
    site = made_site(tmp_path, "\n    ".join(("sip: tls:127.0.0.1:0\n  tls:", *tls)))
    wrong = f"listen.tls.{said.format(tmp_path)}"
    result = CliRunner().invoke(app, ["check", site], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert result.output.splitlines() == [f"{site}:{place}: {wrong}", f"{site}: 1 mistake"]
    assert served(site) == (2, [f"plateau: {wrong}"])


def test_text_of_the_site_is_shown_as_it_is(tmp_path: Path) -> None:
    """Between colons it may be the name of a small picture, which a terminal would be given in its place."""
    queue = 'queues: {a: {whisper: [{text: "{money:basket:EURO}"}]}}'
    result = CliRunner().invoke(app, ["check", made_site(tmp_path, f"sip: udp:127.0.0.1:0\n{queue}")])
    assert result.exit_code == 1 and 'found "{money:basket:EURO}"' in result.output


def served(site: str) -> tuple[int, list[str]]:
    """Exit status of a server that does not start, and what it says beside its log."""
    command = [sys.executable, "-m", "pbx", "serve", site]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lines = [*ended.stdout.splitlines(), *ended.stderr.splitlines()]
    return ended.returncode, [line for line in lines if not line.startswith("timestamp=")]


@contextmanager
def taken(transport: str) -> Iterator[str]:
    """`TRANSPORT:ADDRESS:PORT` where another program listens."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if transport != "udp":
            other.listen()
        yield f"{transport}:127.0.0.1:{other.getsockname()[1]}"


@pytest.mark.parametrize("transports", [("udp", "tcp", "tls", "http"), ("ws", "wss"), ("http",)], ids="+".join)
def test_ports_in_use(tmp_path: Path, transports: tuple[str, ...]) -> None:
    """A line for each that is in use, and none for others."""
    Authority(tmp_path).issue("main", valid=90 * DAY)
    with ExitStack() as others:
        places = [others.enter_context(taken(transport)) for transport in transports]
        sip = [place for place in places if not place.startswith("http")]
        listen = f"sip: {json.dumps([*sip, 'udp:127.0.0.1:0'])}\n  tls: {{certificate: main.pem, key: main.key}}"
        http = "".join(f"\n  {place.replace(':', ': ', 1)}" for place in places if place not in sip)
        status, said = served(made_site(tmp_path, listen + http))
    assert status == 2
    assert [line.lower() for line in said] == [f"plateau: {place}: address already in use" for place in places]


def test_media_ports_in_use(tmp_path: Path) -> None:
    ports = ClaimedPorts(20)
    with ExitStack() as others:
        others.callback(ports.release)
        for port in range(ports.first, ports.last + 1):
            other = others.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            other.bind(("127.0.0.1", port))
        status, said = served(made_site(tmp_path, "sip: udp:127.0.0.1:0", str(ports)))
    assert status == 2 and len(said) == 1 and said[0].startswith("plateau: "), said


def test_no_progress_bar_into_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with converting() as told:
        told(0, 2)
        told(2, 2)
    assert capsys.readouterr() == ("", "")
