"""One connection: TCP or TLS below; SIP's own framing or a websocket's above (RFC 3261 18.3, RFC 7118).

network -> TlsChannel.receive -> Framing.feed -> messages
        <- TlsChannel.send    <- Framing.frame <-
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, cast

from pbx.sip.errors import BadResponse, SipError
from pbx.sip.framing import PING, PONG, Framer
from pbx.sip.hop import Hop
from pbx.transport.local import host_of
from pbx.transport.tls import TlsChannel, TlsError, covers

if TYPE_CHECKING:
    from pbx.transport.streams import Streams

PARTIAL_S = 10.0  # how long half a message may stand (slow loris)
HANDSHAKE_S = 5.0  # how long TLS may take to begin
WRITE_LIMIT_BYTES = 1 << 20  # unsent bytes after which a peer that does not read is cut off
TURN_BYTES = 8192  # one reading, and one in each turn of the loop: who sends much leaves others theirs
PINGS_AT_ONCE = 32  # keep-alives that one reading may bring: a flood of them costs more to answer than to send
LINGER_S = 2.0  # how long the last words may take to a peer that is being cut off


class Framing(Protocol):
    """Messages out of a byte stream and into it, and what the framing says by itself (pongs, a handshake)."""

    @property
    def partial(self) -> bool: ...
    @property
    def ended(self) -> bool: ...
    def feed(self, data: bytes) -> Iterator[bytes]: ...
    def frame(self, message: bytes) -> bytes: ...
    def outgoing(self) -> bytes: ...
    def ping(self) -> bytes: ...
    def close(self) -> bytes: ...


class Bare(Framer):
    """SIP's own framing: messages follow each other, empty lines keep alive (RFC 5626 4.4.1)."""

    ended = False

    def frame(self, message: bytes) -> bytes:
        return message

    def outgoing(self) -> bytes:
        return b""

    def ping(self) -> bytes:
        return PING

    def close(self) -> bytes:
        return b""


class Stream(asyncio.BufferedProtocol):
    """One connection. `hop` names its far end; one that we made has a future that tells when it can be used."""

    __slots__ = (
        "_deadline", "_framing", "_streams", "_tls", "_transport", "accepted", "asked", "heard_at", "hop", "keys",
        "opened_at", "pinged_at", "ready", "spoken", "usable",
    )  # fmt: skip

    def __init__(
        self, streams: Streams, hop: Hop, framing: Framing, usable: asyncio.Future[None] | None = None
    ) -> None:
        self._streams = streams
        self._framing = framing
        self._tls: TlsChannel | None = None
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.hop = hop
        self.keys: list[tuple[str, str, int]] = []  # what it is found by: its far end, and an alias
        self.usable = usable
        self.accepted = usable is None
        self.ready = False  # messages may pass
        self.asked = False  # a request of ours went out on it
        self.spoken = False  # a message came
        self.opened_at = self.heard_at = self.pinged_at = streams.loop.time()

    @property
    def peer_names(self) -> tuple[str, ...]:
        """Of the peer's verified certificate."""
        return () if self._tls is None else self._tls.peer_names

    def is_of(self, name: str) -> bool:
        """Whether the far end has shown to be `name`: to us when we called it, or by its certificate."""
        return (not self.accepted and name == (self.hop.name or self.hop.host)) or covers(self.peer_names, name)

    # --- in ---------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        peer = transport.get_extra_info("peername")
        if not peer:  # gone again already
            self._transport.abort()
            return
        if self.accepted:
            self.hop = self.hop._replace(host=host_of(peer), port=peer[1])
        if not self._streams.admit(self):
            self._transport.abort()
            return
        if self.hop.secure:
            self._deadline = self._streams.loop.call_later(HANDSHAKE_S, self._handshake_failed, "took too long")
            try:
                self._tls = self._streams.channel(self.hop, accepted=self.accepted)
            except TlsError as error:  # a name that can be nobody's
                self._handshake_failed(str(error))
                return
            self._write(self._tls.outgoing())
        else:
            self._begin()

    def _begin(self) -> None:
        self.ready = True
        self._cancel_deadline()
        self._watch(begun=False)
        self._streams.add(self)
        if self.usable is not None and not self.usable.done():
            self.usable.set_result(None)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._streams.reading

    def buffer_updated(self, nbytes: int) -> None:
        if nbytes == TURN_BYTES and self._transport is not None:  # there may be more
            self._transport.pause_reading()
            self._streams.loop.call_soon(self._read_on)
        self._received(bytes(self._streams.reading[:nbytes]))

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _received(self, data: bytes) -> None:
        self.heard_at = self._streams.loop.time()
        if self._tls is None:
            self._plain_received(data)
            return
        try:
            for plain in self._tls.receive(data):
                if not self.ready:
                    self._begin()
                self._plain_received(plain)
        except TlsError as error:
            self._write(self._tls.outgoing())  # the alert
            if self.ready:
                self._streams.counters["tls_failures"] += 1
                self.close()
            else:
                self._handshake_failed(str(error))
            return
        self._write(self._tls.outgoing())
        if self._tls.established and not self.ready:
            self._begin()
        if self._tls.ended:
            self.close()

    def _plain_received(self, data: bytes) -> None:
        if self.closing:
            return  # by what stood before it in the same segment
        complete = False
        pings = 0
        try:
            for message in self._framing.feed(data):
                complete = True
                if message == PING:
                    pings += 1
                    if pings > PINGS_AT_ONCE:
                        raise BadResponse("Nothing but keep-alives")
                    self._send(PONG)
                elif len(message) > 4:  # a pong, or an empty frame of a websocket
                    self.spoken = True
                    if b";alias" in message:
                        self._streams.alias(self, message)
                    self._streams.receive(message, self.hop)
                if self.closing:
                    return
        except SipError as error:
            self._streams.counters["tcp_unframeable"] += 1
            self._say(self._framing.outgoing())
            if isinstance(error.message, bytes):
                self._streams.receive(error.message, self.hop)  # the head alone: it is answered with 400 or 413
            self.close()
            return
        self._say(self._framing.outgoing())
        if self._framing.ended:
            self.close()
        else:
            self._watch(begun=complete)

    def _watch(self, *, begun: bool) -> None:
        """Half a message must become a whole one in time; drops of it don't move the deadline."""
        partial = self._framing.partial
        if begun or not partial:
            self._cancel_deadline()
        if partial and self._deadline is None:
            self._deadline = self._streams.loop.call_later(PARTIAL_S, self._too_slow)

    def _too_slow(self) -> None:
        self._deadline = None
        self._streams.counters["tcp_partial_timeouts"] += 1
        self.close()

    def give_way(self) -> None:
        """Its handshake takes its time while others wait for the place."""
        self._handshake_failed("too slow while many wait")

    def _handshake_failed(self, reason: str) -> None:
        self._cancel_deadline()
        self._streams.handshake_failed(self, reason)
        if self.usable is not None and not self.usable.done():
            self.usable.set_exception(ConnectionError(reason))
        self.close()
        self._tls = None

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # --- out --------------------------------------------------------------------------------------------------------

    @property
    def closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def send(self, message: bytes) -> None:
        if not message.startswith(b"SIP/2.0 "):
            self.asked = True
        self._send(message)

    def ping(self) -> None:
        self.pinged_at = self._streams.loop.time()
        self._say(self._framing.ping())

    def _send(self, message: bytes) -> None:
        if self.closing or not self.ready:
            self._streams.counters["tcp_sends_lost"] += 1
        else:
            self._say(self._framing.frame(message))

    def _say(self, plain: bytes) -> None:
        if self._tls is None or not plain:
            self._write(plain)
            return
        try:
            self._write(self._tls.send(plain))
        except TlsError:
            self._streams.counters["tls_failures"] += 1
            self._abort()

    def _write(self, data: bytes) -> None:
        if not data or self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > WRITE_LIMIT_BYTES:
            self._streams.counters["tcp_slow_readers"] += 1
            self._abort()

    # --- the end ----------------------------------------------------------------------------------------------------

    def _abort(self) -> None:
        """At once. Who depends on it hears of it from `connection_lost`, not in the midst of a send."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        self._transport = None
        if self._tls is not None and self._tls.begun and not self.ready:
            self._streams.handshake_failed(self, "given up by the peer")
        self._framing.close()
        self._streams.remove(self)
        if self.usable is not None and not self.usable.done():
            self.usable.set_exception(ConnectionError("closed"))

    def close(self) -> None:
        """What was written still goes out, if the peer reads it soon; what comes later needs a new connection."""
        self._streams.remove(self)
        if self.closing:
            return
        assert self._transport is not None
        if self.ready:
            self._say(self._framing.close())
        if self._tls is not None:
            self._write(self._tls.close())
        if self._transport is not None:  # a write may have ended it
            self._cancel_deadline()
            self._deadline = self._streams.loop.call_later(LINGER_S, self._abort)
            self._transport.close()
