"""Clients of the event websocket: an agent's desktop and a supervisor's screen, as a desktop program would be one."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import ClientWebSocketResponse, WSMsgType

from bench.plateau import Plateau, PlateauError
from cti.tokens import Role

_REPLY_S = 30.0
POPS = frozenset({"offer", "updated", "retract", "connected", "wrap_up", "ended"})


@dataclass(frozen=True, slots=True)
class Received:
    """One message and when it arrived here (Unix seconds)."""

    arrived_at: float
    body: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.body.get("type"))

    def __getitem__(self, name: str) -> Any:
        return self.body.get(name)


class EventClient:
    """Keeps all that came. `async with` connects and disconnects."""

    def __init__(self, plateau: Plateau, role: Role, name: str) -> None:
        self._plateau, self._role, self.name = plateau, role, name
        self.received: list[Received] = []
        self.on_message: Callable[[Received], None] | None = None
        self._numbers = itertools.count(1)
        self._changed = asyncio.Event()
        self._socket: ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._socket = await self._plateau.websocket(self._role, self.name)
        self._reading = asyncio.create_task(self._read(self._socket))
        await self.until(lambda message: message.type == "snapshot")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._socket is not None and self._reading is not None:
            await self._socket.close()
            await self._reading

    async def _read(self, socket: ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            one = Received(time.time(), json.loads(message.data))
            self.received.append(one)
            if self.on_message is not None:
                self.on_message(one)
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    async def until(self, wanted: Callable[[Received], object], within_s: float = 30.0) -> Received:
        """The first message (of those that came or will) that is wanted. Raises TimeoutError."""
        seen = 0
        async with asyncio.timeout(within_s):
            while True:
                for message in self.received[seen:]:
                    if wanted(message):
                        return message
                seen = len(self.received)
                await self._changed.wait()

    async def command(self, command: str, **arguments: str) -> dict[str, Any]:
        """An agent command; the agent's state after it. Raises PlateauError with the problem."""
        number = next(self._numbers)
        assert self._socket is not None
        await self._socket.send_json({"command": command, "id": number, **arguments})
        reply = await self.until(lambda message: message.type == "reply" and message["reply"] == number, _REPLY_S)
        if not reply["ok"]:
            raise PlateauError(f"{command} of {self.name}: {reply['problem']}")
        return dict(reply["agent"] or {})

    def pops(self) -> list[Received]:
        """The screen pops so far."""
        return [message for message in self.received if message.type in POPS]

    async def pop(self, kind: str, call_id: str | None = None, within_s: float = 30.0) -> Received:
        """The first pop of a kind (of a call). Raises TimeoutError."""
        return await self.until(
            lambda message: message.type == kind
            and "pop_id" in message.body
            and (call_id is None or message["call_id"] == call_id),
            within_s,
        )


def desktop(plateau: Plateau, agent: str) -> EventClient:
    """An agent's."""
    return EventClient(plateau, "agent", agent)


def supervisor(plateau: Plateau, name: str = "bench") -> EventClient:
    return EventClient(plateau, "supervisor", name)
