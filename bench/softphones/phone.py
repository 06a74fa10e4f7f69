"""Softphone processes and their accounts, as asyncio objects. Calls are in `call.py`."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from bench.ports import free_sip_port
from bench.softphones.call import PhoneCall, SoftphoneError, SoftphoneMissing

Stack = Literal["pjsip", "baresip"]
_MODULES = {"pjsip": "pjsua2", "baresip": "baresip"}
_COMMAND_S = 30.0
_END_S = 10.0
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@dataclass(eq=False)
class Phone:
    """One account."""

    process: Softphones = field(repr=False)
    user: str
    server: str
    calls: asyncio.Queue[PhoneCall] = field(default_factory=asyncio.Queue, repr=False)
    on_event: Callable[[dict[str, Any]], None] | None = field(default=None, repr=False)

    async def register(self) -> int:
        """The registrar's final status."""
        return int((await self.process.do("register", account=self.user))["status"])

    async def unregister(self) -> int:
        return int((await self.process.do("unregister", account=self.user))["status"])

    async def policy(self, policy: dict[str, Any]) -> None:
        """What to do with calls that come: `answer(after_ms)`, `reject(status)`, `ring_only()`."""
        await self.process.do("policy", account=self.user, policy=policy)

    async def call(self, to: str, headers: Mapping[str, str] | None = None) -> PhoneCall:
        """Dial a user of the server or a whole SIP URI; returns once the INVITE is on its way."""
        uri = to if to.startswith("sip:") else f"sip:{to}@{self.server}"
        made = await self.process.do("call", account=self.user, to=uri, headers=dict(headers or {}))
        return self.process.adopt(PhoneCall(self, int(made["call"]), incoming=False))

    async def next_call(self, within_s: float = 30.0) -> PhoneCall:
        """The next call that reaches this phone, in order of arrival. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            return await self.calls.get()


class Softphones:
    """A child process with one SIP stack and any number of accounts. Use it with `async with`."""

    def __init__(self, stack: Stack, *, host: str = "127.0.0.1", port: int = 0, expose: tuple[str, ...] = ()) -> None:
        if importlib.util.find_spec(_MODULES[stack]) is None:
            raise SoftphoneMissing(
                f"{_MODULES[stack]} is not installed: softphones need the extra 'softphone' "
                "(pip install 'plateau-pbx[softphone]')"
            )
        self.stack, self.host, self.port, self._expose = stack, host, port, expose
        self._phones: dict[str, Phone] = {}
        self._calls: dict[int, PhoneCall] = {}
        self._early: dict[int, list[dict[str, Any]]] = {}  # events of a call whose number we do not know yet
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._commands = 0
        self._unsent: list[bytes] = []  # commands of this turn of the loop: the child reads them in one turn of its own
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._started: asyncio.Future[int] | None = None

    @property
    def exit_status(self) -> int | None:
        return None if self._process is None else self._process.returncode

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._started = loop.create_future()
        if not self.port:
            self.port = free_sip_port(self.host)
        read_end, write_end = os.pipe()
        module = f"bench.softphones.{self.stack}"
        command = [sys.executable, "-m", module, str(write_end), self.host, str(self.port)]
        if self.stack == "baresip":
            command += self._expose
        path = os.pathsep.join(part for part in (_ROOT, os.environ.get("PYTHONPATH")) if part)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, pass_fds=(write_end,), start_new_session=True,
                env={**os.environ, "PYTHONPATH": path},
            )
        finally:
            os.close(write_end)
        reader = asyncio.StreamReader(limit=1 << 20)
        pipe = os.fdopen(read_end, "rb")
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        self._reading = loop.create_task(self._read(reader, transport))
        try:
            async with asyncio.timeout(_COMMAND_S):
                self.port = await self._started
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def phone(
        self,
        user: str,
        *,
        server: str = "none",
        password: str = "",
        login: str | None = None,
        display: str | None = None,
        policy: dict[str, Any] | None = None,
        loops: bool = False,
        tone_hz: float | None = None,
        transport: Literal["udp", "tcp", "tls"] = "udp",
        expires_s: int = 300,
        codecs: tuple[str, ...] = ("pcmu", "pcma"),
    ) -> Phone:
        """Add an account. `server` is HOST:PORT, or "none" for a phone that is called by its address alone.

        `codecs` are obeyed by baresip; PJSIP always offers all it has.
        """
        identity = {"user": user, "server": server, "password": password, "login": login, "display": display}
        manner = {"policy": policy or {}, "loops": loops, "tone_hz": tone_hz, "transport": transport, "codecs": codecs}
        arguments: dict[str, Any] = {**identity, **manner}
        await self.do("account", name=user, expires_s=expires_s, **arguments)
        phone = self._phones[user] = Phone(self, user, server)
        return phone

    async def remove(self, phone: Phone) -> None:
        """Take an account away; it is unregistered. PJSIP has room for eight."""
        if phone.user in self._phones:
            await self.do("remove", account=phone.user)
            del self._phones[phone.user]

    async def hang_up_all(self) -> None:
        """End every call of every phone, and wait until they are over."""
        for call in list(self._calls.values()):
            await call.hang_up()
        for call in list(self._calls.values()):
            await call.ended()

    @property
    def phones(self) -> list[Phone]:
        return list(self._phones.values())

    def address(self, user: str) -> str:
        """The URI that reaches a phone of this process without any server."""
        return f"sip:{user}@{self.host}:{self.port}"

    async def do(self, verb: str, *, more_s: float = 0.0, **arguments: Any) -> dict[str, Any]:
        """Send a command, return its result. Raises SoftphoneError, also when the process has died."""
        if self._process is None or self._process.stdin is None or self._process.returncode is not None:
            raise SoftphoneError(f"the {self.stack} process is not running")
        self._commands += 1
        number = self._commands
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send)
        self._unsent.append(json.dumps({"id": number, "do": verb, **arguments}).encode() + b"\n")
        try:
            async with asyncio.timeout(_COMMAND_S + more_s):
                return await future
        except TimeoutError:
            raise SoftphoneError(f"{self.stack} did not answer {verb} in {_COMMAND_S + more_s:g} s") from None
        finally:
            self._waiting.pop(number, None)

    def _send(self) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(b"".join(self._unsent))
        self._unsent.clear()

    def adopt(self, call: PhoneCall) -> PhoneCall:
        """Begin to follow a call; what it did before its number was known is caught up."""
        self._calls[call.number] = call
        for event in self._early.pop(call.number, []):
            self._note(call, event)
        return call

    def _note(self, call: PhoneCall, event: dict[str, Any]) -> None:
        call.note(event)
        if call.phone.on_event is not None:
            call.phone.on_event(event)
        if call.ended_at is not None:
            self._calls.pop(call.number, None)

    async def _read(self, reader: asyncio.StreamReader, transport: asyncio.BaseTransport) -> None:
        while line := await reader.readline():
            self._received(json.loads(line))
        transport.close()
        gone = SoftphoneError(f"the {self.stack} process ended")
        waiting: list[asyncio.Future[Any]] = [*self._waiting.values(), *([self._started] if self._started else [])]
        for future in waiting:
            if not future.done():
                future.set_exception(gone)
                future.exception()  # whoever waits sees it; nobody waiting is no fault

    def _received(self, message: dict[str, Any]) -> None:
        if "id" in message:
            future = self._waiting.get(message["id"])
            if future is None or future.done():
                return
            if "error" in message:
                future.set_exception(SoftphoneError(message["error"]))
            else:
                future.set_result(message["ok"])
        elif message["event"] == "started":
            if self._started is not None and not self._started.done():
                self._started.set_result(message["port"])
        elif message["event"] == "incoming":
            self._incoming(message)
        elif "call" in message:
            call = self._calls.get(message["call"])
            if call is None:
                self._early.setdefault(message["call"], []).append(message)
            else:
                self._note(call, message)

    def _incoming(self, event: dict[str, Any]) -> None:
        phone = self._phones.get(event["account"])
        if phone is None:  # removed: baresip keeps its accounts, and refuses for them
            return
        call = PhoneCall(phone, event["call"], incoming=True, arrived_at=event["arrived_at"], told_at=time.time())
        call.headers, call.source = event["headers"], event["source"]
        self._calls[call.number] = call
        phone.calls.put_nowait(call)
        if phone.on_event is not None:
            phone.on_event(event)

    async def close(self) -> int:
        """Hang up, unregister and end in order; kills what does not end. Returns the exit status."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None and process.stdin is not None:
            await _quietly(self.do("end")) if self.stack == "baresip" else await _quietly(self._end())
            process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reading is not None:
            await self._reading
        return process.returncode or 0

    async def _end(self) -> None:
        """PJSIP ends inside the command and cannot answer it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(b'{"id": 0, "do": "end"}\n')
            await self._process.stdin.drain()

    async def kill(self) -> None:
        """As if somebody pulled the plug: nothing is hung up or unregistered."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading


async def _quietly(work: Awaitable[object]) -> None:
    try:
        await work
    except (SoftphoneError, ConnectionError):  # it died first: the exit status tells
        pass
