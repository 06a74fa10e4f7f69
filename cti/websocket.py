"""One client of `GET /v1/events`: a reader that takes commands, a writer that empties the client's queue.

    connect -> (token) -> hello -> missed events | gap with a snapshot | snapshot -> events, pops, replies ... -> close

The token comes in the Authorization header, as `access_token` in the address, or as the first message `{"token": ...}`.
Close codes: 1001 the server stops; else 4000 + an HTTP status: 4401 token bad or expired, 4403, 4404, 4408 too slow.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from cti import problems
from cti.commands import AgentCommands
from cti.errors import CtiError, Forbidden, InvalidQuery, MalformedBody, NotAWebsocket, TokenError, TooManyClients
from cti.events import TOPICS, USUAL, Direct, EventHub, Subscription
from cti.screen_pop import ScreenPops
from cti.tokens import Identity, Tokens
from cti.views import LiveView
from pbx.call.clock import Clock, Timer

log = logging.getLogger("plateau.http")

HEARTBEAT_S = 20.0  # a ping this often; half of it without a pong: gone
FIRST_MESSAGE_S = 10.0
CLOSE_S = 2.0  # how long a client may take to say goodbye
MESSAGE_BYTES = 16_384  # from the client
MAX_CLIENTS = 5_000
TOO_SLOW: Final = 4408


@dataclass(slots=True, eq=False)
class EventStream:
    """What all clients share."""

    hub: EventHub
    pops: ScreenPops
    view: LiveView
    commands: AgentCommands
    tokens: Tokens | None
    clock: Clock
    counters: Counter[str]
    clients: set[Client] = field(default_factory=set)

    def identify(self, token: str) -> Identity:
        """Raises TokenError."""
        if self.tokens is None:
            raise TokenError("this site has no api.secret, so no token is valid")
        return self.tokens.check(token, self.clock.now())

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Handle one websocket from handshake to close."""
        if len(self.clients) >= MAX_CLIENTS:
            self.counters["event_clients_refused"] += 1
            raise TooManyClients(f"{MAX_CLIENTS} clients listen already")
        ask = _Ask.read(request)
        header_token = bearer(request) or request.query.get("access_token")
        who = self._admit(header_token) if header_token else None
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=MESSAGE_BYTES, timeout=CLOSE_S, compress=False
        )
        if not socket.can_prepare(request).ok:
            raise NotAWebsocket("expected a websocket handshake")
        await socket.prepare(request)
        client = Client(self, socket, request)
        self.clients.add(client)
        try:
            who = who or await self._first_message(socket)
            await client.run(who, ask)
        except CtiError as e:
            await _say_no(socket, e)
        except ConnectionResetError:
            self.counters["event_clients_lost"] += 1  # gone in the middle of a write: as good as a close
        finally:
            self.clients.discard(client)
        return socket

    async def close(self) -> None:
        """The server stops: say goodbye to all."""
        for client in tuple(self.clients):
            client.end(WSCloseCode.GOING_AWAY, "the server is stopping")
        for _ in range(int(CLOSE_S * 20) + 10):
            if not self.clients:
                return
            await asyncio.sleep(0.05)

    def _admit(self, token: str) -> Identity:
        who = self.identify(token)
        if who.role == "shop":
            raise Forbidden("role shop may not listen to events")
        if who.role == "agent":
            self.view.agent(who.name)  # raises UnknownResource
        return who

    async def _first_message(self, socket: web.WebSocketResponse) -> Identity:
        try:
            message = await socket.receive(timeout=FIRST_MESSAGE_S)
        except TimeoutError:
            raise TokenError("no token came") from None
        try:
            token = json.loads(message.data)["token"] if message.type is WSMsgType.TEXT else None
        except (ValueError, KeyError, TypeError, RecursionError):
            token = None
        if not isinstance(token, str):
            raise TokenError('expected the first message to be {"token": "..."}')
        return self._admit(token)


@dataclass(frozen=True, slots=True)
class _Ask:
    """What the address asks for."""

    since: int | None
    epoch: str | None
    topics: frozenset[str]

    @staticmethod
    def read(request: web.Request) -> _Ask:
        query = request.query
        since = query.get("since")
        if since is not None and not (since.isascii() and since.isdigit() and len(since) <= 18):
            raise InvalidQuery("since: expected the last sequence number you saw")
        topics = frozenset(filter(None, query.get("topics", "").split(","))) or USUAL
        if not topics <= TOPICS:
            raise InvalidQuery(f"topics: expected some of {', '.join(sorted(TOPICS))}, with commas between")
        return _Ask(int(since) if since is not None else None, query.get("epoch"), topics)


class Client:
    """One open websocket."""

    def __init__(self, stream: EventStream, socket: web.WebSocketResponse, request: web.Request) -> None:
        self._stream = stream
        self._socket = socket
        self._request = request
        self._wake = asyncio.Event()
        self._goodbye: tuple[int, str] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None

    async def run(self, who: Identity, ask: _Ask) -> None:
        """Until either side has enough. The hub holds this client only in here."""
        stream = self._stream
        subscription = stream.hub.subscribe(who, ask.topics, self._woken)
        self._subscription = subscription
        expiry: Timer = stream.clock.after(
            max(0.0, who.expires_at - stream.clock.now()), self.end, 4401, "the token has expired"
        )
        stream.counters["event_clients_accepted"] += 1
        try:
            self._greet(subscription, ask)
            jobs = (self._read(subscription), self._write(subscription))
            self._tasks = {asyncio.create_task(job) for job in jobs}
            if self._goodbye:  # ended before there was a task to end
                return
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            expiry.cancel()
            stream.hub.unsubscribe(subscription)
            for task in self._tasks:
                task.cancel()
            done = await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks, self._subscription = set(), None  # it holds us by `wake`: leave no cycle behind
            await self._close()
        for result in done:
            if isinstance(result, Exception):
                raise result

    def end(self, code: int, reason: str) -> None:
        """Close from our side, for a reason."""
        self._goodbye = self._goodbye or (code, reason)
        if self._tasks:
            for task in self._tasks:
                task.cancel()
        elif self._subscription is None and self._request.transport is not None:
            self._request.transport.close()  # still waiting for its token

    # --- inside -----------------------------------------------------------------------------------------------------

    def _greet(self, subscription: Subscription, ask: _Ask) -> None:
        hub, who = self._stream.hub, subscription.identity
        missed = None if ask.since is None else hub.missed(subscription, ask.since, ask.epoch)
        hello: dict[str, Any] = {
            "type": "hello", "at": self._stream.clock.now(), "epoch": hub.epoch, "sequence": hub.sequence,
            "role": who.role, "name": who.name, "resumed": missed is not None, "heartbeat_s": HEARTBEAT_S,
        }  # fmt: skip
        subscription.push(Direct(hello))
        if missed is not None:
            subscription.allow_backlog(missed)
        else:
            subscription.push(Direct(self._snapshot(who, ask.since)))

    def _snapshot(self, who: Identity, since: int | None) -> dict[str, Any]:
        hub, view = self._stream.hub, self._stream.view
        head: dict[str, Any] = {"type": "snapshot"}
        if since is not None:
            head = {"type": "gap", "since": since, "oldest": hub.oldest}
        head["sequence"] = hub.sequence
        if who.role == "supervisor":
            return head | view.everything()
        return head | {"agent": view.agent(who.name), "pops": self._stream.pops.live(who.name)}

    def _woken(self) -> None:
        subscription = self._subscription
        if subscription is not None and subscription.overflown:
            self._stream.counters["event_clients_too_slow"] += 1
            self.end(TOO_SLOW, "too slow: come back with the last sequence you saw")
        else:
            self._wake.set()

    async def _write(self, subscription: Subscription) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while subscription.queue:
                message, written = subscription.queue.popleft()
                try:
                    await self._socket.send_str(message.text())
                finally:
                    if written:
                        written()

    async def _read(self, subscription: Subscription) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                self._goodbye = (WSCloseCode.UNSUPPORTED_DATA, "expected text messages")
                return
            subscription.push(Direct(self._command(subscription.identity, message.data)))

    def _command(self, who: Identity, text: str) -> dict[str, Any]:
        """Obey one message; the reply."""
        reply: dict[str, Any] = {"type": "reply", "reply": None}
        try:
            body = _object(text)
            reply["reply"] = body.get("id")
            command, agent = (_string(body, key) for key in ("command", "agent"))
            if command != "ping":
                more = {key: value for key, value in body.items() if key not in ("command", "agent", "id")}
                reply["agent"] = self._stream.commands.run(who, agent or who.name, command or "", more)
            return reply | {"ok": True}
        except CtiError as e:
            return reply | {"ok": False, "problem": problems.of_error(e)}
        except Exception:
            self._stream.counters["http_errors"] += 1
            log.exception("command over websocket failed")
            return reply | {"ok": False, "problem": problems.problem(500, "Internal error")}

    async def _close(self) -> None:
        code, reason = self._goodbye or (WSCloseCode.OK, "")
        try:
            await asyncio.wait_for(self._socket.close(code=code, message=reason.encode()), CLOSE_S)
        except (TimeoutError, ConnectionError):
            if self._request.transport is not None:
                self._request.transport.abort()  # its buffers are full of what it never read


def bearer(request: web.Request) -> str | None:
    """The token of `Authorization: Bearer TOKEN` (RFC 6750 2.1)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _object(text: str) -> dict[str, Any]:
    try:
        body = orjson.loads(text)  # no NaN, no infinity, no half of a character: none of them may come back in a reply
    except ValueError:
        raise MalformedBody('expected JSON, as {"command": "ready", "id": 1}') from None
    if not isinstance(body, dict):
        raise MalformedBody('expected a JSON object, as {"command": "ready", "id": 1}')
    return body


def _string(body: dict[str, Any], key: str) -> str | None:
    value = body.get(key)
    if value is not None and (not isinstance(value, str) or len(value) > 100):
        raise MalformedBody(f"{key}: expected a string of at most 100 characters")
    return value


async def _say_no(socket: web.WebSocketResponse, error: CtiError) -> None:
    try:
        await socket.send_json({"type": "error", "problem": problems.of_error(error)})
        await socket.close(code=4000 + error.status, message=str(error).encode()[:120])
    except ConnectionError:
        return  # it left without waiting for the answer
