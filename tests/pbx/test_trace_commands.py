"""`plateau trace` and `plateau ladder` against a server's API."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from pbx import trace_commands as commands
from pbx.__main__ import app, seconds_of
from pbx.call.events import CallStarted
from pbx.sip.hop import Hop
from pbx.trace.pcapng import head
from tests.cti.conftest import FakeCall, Floor, LoopClock

SITE = str(Path(__file__).parents[2] / "config" / "sites" / "travel.yaml")
INVITE = (
    b"INVITE sip:1000@x SIP/2.0\r\nFrom: <sip:[bold]@x>;tag=1\r\nTo: <sip:1000@x>\r\n"
    b"Call-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n"
)


class Running:
    """A server with one call, and a terminal of 100 columns."""

    def __init__(self, base: str, token: str) -> None:
        self.base, self.token = base, token
        self.out = Console(file=io.StringIO(), width=100)

    @property
    def printed(self) -> str:
        assert isinstance(self.out.file, io.StringIO)
        return self.out.file.getvalue()


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    floor = Floor(LoopClock())
    now = floor.clock.now()
    floor.switch.live.append(FakeCall("c1", started_at=now))
    floor.ring.message("<-", INVITE, Hop("udp", "198.51.100.7", 5060))
    floor.ring.event(CallStarted(now, "c1", "inbound", "+33612345678", "1000", "carrier", "ivr welcome", "c1"))
    server = floor.server()
    host, port = await server.start("127.0.0.1", 0)
    yield Running(f"http://{host}:{port}", floor.tokens.make("supervisor", "boss", now, 60))
    await server.close()


async def test_a_line_a_message(running: Running) -> None:
    await commands.trace(running.base, running.token, {"call": "c1"}, dt.UTC, running.out, verbose=False)
    assert running.printed.count("\n") == 1, "what does not fit is not wrapped"
    assert "← udp 198.51.100.7:5060      INVITE" in running.printed
    assert "[bold] → 1000" in running.printed, "never read as markup"


async def test_whole_messages(running: Running) -> None:
    await commands.trace(running.base, running.token, {}, dt.UTC, running.out, verbose=True)
    assert "CSeq: 1 INVITE\n" in running.printed


async def test_to_a_file(running: Running, tmp_path: Path) -> None:
    file = tmp_path / "x.pcapng"
    written = await commands.trace_to_file(running.base, running.token, {}, file)
    assert file.stat().st_size == written and file.read_bytes().startswith(head())


async def test_a_ladder(running: Running) -> None:
    await commands.ladder(running.base, running.token, "c1", running.out)
    assert "── INVITE ──" in running.printed and "◆ call to 1000: ivr welcome" in running.printed


async def test_the_last_call(running: Running) -> None:
    await commands.ladder(running.base, running.token, None, running.out)
    assert running.printed.startswith("call c1\n")


async def test_what_the_server_refuses_is_one_line(running: Running, tmp_path: Path) -> None:
    with pytest.raises(commands.AskError, match="says: no messages of call 'nothing' are kept"):
        await commands.ladder(running.base, running.token, "nothing", running.out)
    with pytest.raises(commands.AskError, match="there is no trunk"):
        await commands.trace(running.base, running.token, {"trunk": "x"}, dt.UTC, running.out, verbose=False)
    with pytest.raises(commands.AskError, match="the token is not one of this site"):
        await commands.trace_to_file(running.base, "nonsense", {}, tmp_path / "x")
    assert not (tmp_path / "x").exists()


async def test_no_server() -> None:
    with pytest.raises(commands.AskError, match="is the server running"):
        await commands.ladder("http://127.0.0.1:9", "token", "c1", Console())


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1h", 3600), ("24h", 86_400), ("7", 7)])
def test_times(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["soon", "", "25h", "-5m", "1.5m", "٣m", "9" * 50])
def test_what_is_no_time(text: str) -> None:
    result = CliRunner().invoke(app, ["trace", SITE, f"--last={text}"], env={"COLUMNS": "200"})
    assert result.exit_code == 2 and "as 90s, 5m or 1h" in result.output and "Traceback" not in result.output
