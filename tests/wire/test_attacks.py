"""What strangers try on a switch that can be reached: scanners, enumeration, password guessing. Each attacks from an
address of its own; phones at 127.0.0.1 go on."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bench.plateau import Plateau, PlateauError
from bench.ports import free_port
from bench.sipp import Sipp
from pbx.sip.digest import DigestClient, choose_challenge
from pbx.sip.message import Response, parse
from tests.wire.conftest import HERE, OFFICE, eventually, office_changes

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
ROOT = HERE.parents[1]
FILTERS = ROOT / "docs" / "fail2ban" / "filter.d"
PHONE = "127.0.0.1"
AGENT = "Grandstream GXP2135"
PYTHON = "/usr/bin/python3"  # Debian's, whose sipvicious it is
#: svwar and svcrack (0.3.3) take --bindingip and forget it. `agent` is the User-Agent to go by, "" for their own: that
#: one is banned at its first packet, before anything could be learnt or not.
BOUND = """
import functools, importlib, sys
sys.path.insert(0, "/usr/share/sipvicious")
_, program, host, agent, *sys.argv[1:] = sys.argv
module = importlib.import_module(f"sipvicious.{program}")
if agent:
    module.makeRequest = functools.partial(module.makeRequest, useragent=agent)
name = {"svwar": "TakeASip", "svcrack": "ASipOfRedWine"}[program]
setattr(module, name, functools.partial(getattr(module, name), bindingip=host))
module.main()
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plateau() -> AsyncIterator[Plateau]:
    for program in ("svmap", "svwar", "svcrack", "fail2ban-regex"):
        assert shutil.which(program), f"{program} is missing: apt-get install sipvicious fail2ban"
    security = {"ban": {"after": 8, "names": 20}, "never_ban": "127.0.0.200"}
    async with Plateau(OFFICE, changes={**office_changes(free_port()), "security": security}) as plateau:
        yield plateau
    assert plateau.exit_status == 0
    assert not [line for line in plateau.log if "Traceback" in line or "Error" in line]


async def run(*command: str, within_s: float = 30.0) -> str:
    """What a program says."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(within_s):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        output, _ = await process.communicate()
    return output.decode(errors="replace")


async def banned(plateau: Plateau) -> dict[str, str]:
    """Source -> reason."""
    return {ban["source"]: ban["reason"] for ban in (await plateau.get("/v1/bans"))["bans"]}


async def phones_go_on(plateau: Plateau) -> None:
    """A phone elsewhere registers."""
    sipp = Sipp(
        HERE / "sipp" / "register.xml", plateau.sip, service="102", user="102", password="wire", calls=1, rate=1,
        within_s=60, host=PHONE,
    )  # fmt: skip
    await sipp.start()
    result = await sipp.wait()
    assert result.ok, result.errors


class Attacker:
    """A socket of somebody who takes care to look like a phone."""

    def __init__(self, plateau: Plateau, host: str) -> None:
        self._plateau, self._target = plateau, (PHONE, plateau.sip_port)
        self._number = itertools.count(1)
        self.host = host
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)

    def __enter__(self) -> Attacker:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    async def ask(self, method: str, user: str, password: str | None = None, login: str = "") -> list[int]:
        """The statuses of the final responses: to the bare request, and to the one with credentials (of `login`)."""
        first = await self._exchange(method, user, "")
        if first is None:
            return []
        challenge = choose_challenge(first.all("WWW-Authenticate"))
        if password is None or challenge is None:
            return [first.status]
        client = DigestClient(challenge, login or user, password)
        line = f"Authorization: {client.credentials(method, 'sip:' + PHONE, 'c' * 16)}\r\n"
        second = await self._exchange(method, user, line)
        return [first.status, *([second.status] if second else [])]

    async def _exchange(self, method: str, user: str, headers: str) -> Response | None:
        """The final response; None when the request was dropped."""
        number, port = next(self._number), self.socket.getsockname()[1]
        before, dropped = await self._silence(), False
        self.socket.sendto(
            f"{method} sip:{user}@{PHONE} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.host}:{port};branch=z9hG4bK{port}x{number}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{user}@{PHONE}>;tag={number}\r\nTo: <sip:{user}@{PHONE}>\r\n"
            f"Call-ID: {port}-{user}\r\nCSeq: {number} {method}\r\nContact: <sip:{user}@{self.host}:{port}>\r\n"
            f"User-Agent: Grandstream GXP2135\r\n{headers}Content-Length: 0\r\n\r\n".encode(),
            self._target,
        )
        for _ in range(600):
            try:
                async with asyncio.timeout(0.05):
                    return await self._answer(number)
            except TimeoutError:
                if dropped:
                    return None
                dropped = await self._silence() != before  # an answer from before that is here by now
        raise TimeoutError(f"{method} {user}: neither answered nor dropped")

    async def _silence(self) -> tuple[float, bool]:
        """Changes with each request that gets none: the first one bans, the others are dropped."""
        return await self._plateau.counter("plateau_ban_drops_total"), self.host in await banned(self._plateau)

    async def _answer(self, number: int) -> Response:
        while True:
            response = parse(await asyncio.get_running_loop().sock_recv(self.socket, 65_535))
            if isinstance(response, Response) and response.status >= 200 and response.cseq == number:
                return response


async def test_svmap_finds_nothing(plateau: Plateau) -> None:
    said = await run("svmap", "-b", "127.0.0.9", "-p", str(plateau.sip_port), PHONE)
    assert "Plateau" not in said and str(plateau.sip_port) not in said, said
    assert "scanner" in (await banned(plateau))["127.0.0.9"]
    assert await plateau.counter("plateau_scanner_requests_total") >= 1
    await phones_go_on(plateau)


@pytest.mark.parametrize(
    ("method", "host"), [("REGISTER", "127.0.0.10"), ("INVITE", "127.0.0.11"), ("OPTIONS", "127.0.0.12")]
)
async def test_svwar_learns_no_extension(plateau: Plateau, method: str, host: str) -> None:
    said = await run(
        PYTHON, "-c", BOUND, "svwar", host, "", "-p", str(plateau.sip_port), "-m", method, "-e", "95-115", "--force",
        "--maximumtime", "2", PHONE,
    )  # fmt: skip
    assert not [line for line in said.splitlines() if "10" in line and "|" in line], said
    assert host in await banned(plateau), said
    await phones_go_on(plateau)


@pytest.mark.parametrize(
    ("method", "host"), [("REGISTER", "127.0.0.21"), ("INVITE", "127.0.0.22"), ("OPTIONS", "127.0.0.23")]
)
async def test_svwar_in_disguise_learns_no_extension(plateau: Plateau, method: str, host: str) -> None:
    """It takes for an extension whoever is answered otherwise than a name that can be none, and begins with 101."""
    said = await run(
        PYTHON, "-c", BOUND, "svwar", host, AGENT, "-p", str(plateau.sip_port), "-m", method, "-e", "101-115",
        "--force", "--maximumtime", "2", "-v", PHONE,
    )  # fmt: skip
    assert "Ok SIP device found" in said and "found nothing" in said, said
    assert host not in await banned(plateau), "it was answered, and the answers told it nothing"
    await phones_go_on(plateau)


@pytest.mark.parametrize(("host", "agent"), [("127.0.0.13", ""), ("127.0.0.24", AGENT)], ids=["itself", "disguised"])
async def test_svcrack_finds_no_password(plateau: Plateau, tmp_path: Path, host: str, agent: str) -> None:
    words = tmp_path / "words"
    words.write_text("\n".join([*[f"guess{i}" for i in range(50)], "wire"]))
    said = await run(
        PYTHON, "-c", BOUND, "svcrack", host, agent, "-p", str(plateau.sip_port), "-u", "101", "-d",
        str(words), PHONE, within_s=10.0,
    )  # fmt: skip
    assert "wire" not in said, said
    reason = (await banned(plateau))[host]
    assert ("wrong passwords, last for 101" == reason) is bool(agent), reason
    await phones_go_on(plateau)


async def test_a_guesser_who_looks_like_a_phone(plateau: Plateau) -> None:
    """Known or not, users are answered alike until the source is not listened to any more."""
    answers = []
    for host, user in (("127.0.0.14", "101"), ("127.0.0.15", "555")):
        with Attacker(plateau, host) as attacker:
            answers.append([await attacker.ask("REGISTER", user, f"guess{i}") for i in range(10)])
            assert f"wrong passwords, last for {user}" == (await banned(plateau))[host]
            drops = await plateau.counter("plateau_ban_drops_total")
            assert await attacker.ask("REGISTER", user, "wire") == [], "too late for the right one"
            assert await plateau.counter("plateau_ban_drops_total") == drops + 1
    assert answers[0] == answers[1] == [[401, 403]] * 8 + [[]] * 2
    await phones_go_on(plateau)


@pytest.mark.parametrize(
    ("method", "host"), [("REGISTER", "127.0.0.16"), ("INVITE", "127.0.0.17"), ("SUBSCRIBE", "127.0.0.18")]
)
async def test_asking_for_one_user_after_the_other(plateau: Plateau, method: str, host: str) -> None:
    with Attacker(plateau, host) as attacker:
        answers = [await attacker.ask(method, str(user)) for user in range(95, 118)]
    assert answers == [[401]] * 20 + [[]] * 3
    assert "asked for 20 users" in (await banned(plateau))[host]
    await phones_go_on(plateau)


async def test_who_is_never_banned(plateau: Plateau) -> None:
    with Attacker(plateau, "127.0.0.200") as attacker:
        assert [await attacker.ask("REGISTER", "101", "guess") for _ in range(12)] == [[401, 403]] * 12
    assert "127.0.0.200" not in await banned(plateau)


async def test_the_command_lists_and_lifts(plateau: Plateau) -> None:
    with Attacker(plateau, "127.0.0.19") as attacker:
        while await attacker.ask("REGISTER", "101", "guess"):
            pass
        command = (sys.executable, "-m", "pbx", "bans", str(plateau.site))
        said = await run(*command)
        assert "127.0.0.19" in said and "wrong passwords, last for 101" in said, said
        assert "listened to again" in await run(*command, "--lift", "127.0.0.19")
        assert "127.0.0.19" not in await run(*command)
        assert await attacker.ask("REGISTER", "101", "wire") == [401, 200]
    assert "is not banned" in await run(*command, "--lift", "127.0.0.19")


async def test_agents_may_not_lift(plateau: Plateau) -> None:
    with pytest.raises(PlateauError, match="403"):
        await plateau.get("/v1/bans", role="agent", name="anna")


async def test_fail2ban_reads_our_log(plateau: Plateau, tmp_path: Path) -> None:
    """The filters of docs/fail2ban over the log of this very server: who guessed is found, who is innocent is not."""
    forged = 'x source=udp:127.0.0.1:5060 level=warning event="authentication failed" source=udp:127.0.0.1:5060 '
    with Attacker(plateau, "127.0.0.20") as attacker:
        while await attacker.ask("REGISTER", "101", "guess", forged):
            pass

    async def told() -> bool:
        return any("banned" in line and "127.0.0.20" in line for line in plateau.log)

    await eventually(told)
    file = tmp_path / "plateau.log"
    file.write_text("\n".join(plateau.log) + "\n")
    found: dict[str, Any] = {}
    for name in ("plateau", "plateau-banned"):
        said = await run("fail2ban-regex", "-v", str(file), str(FILTERS / f"{name}.conf"))
        found[name] = {word for line in said.splitlines() for word in line.split() if word.startswith("127.0.0.")}
    assert "127.0.0.20" in found["plateau"] and "127.0.0.20" in found["plateau-banned"], found
    for addresses in found.values():
        assert PHONE not in addresses
