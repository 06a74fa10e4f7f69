"""SIP over WebSocket (RFC 7118, RFC 6455): one SIP message is one message of the websocket, text or binary."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from pbx.sip.errors import BadResponse
from pbx.sip.message import MAX_BODY_BYTES, MAX_HEAD_BYTES

MAX_MESSAGE_BYTES = MAX_HEAD_BYTES + MAX_BODY_BYTES
MAX_REQUEST_BYTES = 16_384  # of the opening handshake
IDLE_FRAMES = 32  # without a whole message, that one reading may bring: see stream.PINGS_AT_ONCE

_QUIET = logging.getLogger("pbx.transport.websocket")  # the library's own words: strangers would write our log
_QUIET.setLevel(logging.CRITICAL + 1)


class WebSocket:
    """The framing of one connection that a browser made: the opening handshake, then messages. Obeys `Framing` of
    stream.py. An empty `origins` lets pages of every origin in."""

    def __init__(self, origins: Sequence[str], counters: Counter[str]) -> None:
        self._protocol = ServerProtocol(
            origins=[Origin(one) for one in origins] or None,
            subprotocols=[Subprotocol("sip")],
            max_size=MAX_MESSAGE_BYTES,
            logger=_QUIET,
        )
        self._counters = counters
        self._parts = bytearray()  # of a message in fragments
        self._text = False
        self._behind = 0  # bytes that came and belong to no whole frame yet

    @property
    def partial(self) -> bool:
        """Whether something has begun and not ended: the handshake, a frame, a message in fragments."""
        state = self._protocol.state
        return state is State.CONNECTING or self._behind > 0 or self._protocol.current_size is not None

    @property
    def ended(self) -> bool:
        """Whether nothing more will be heard: closed by the peer, or a handshake that was refused."""
        return self._protocol.close_expected() or self._protocol.state is State.CLOSED

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what came; gives the messages it completes. Raises BadResponse for what is no websocket's; `outgoing`
        has the reason for the peer then."""
        protocol = self._protocol
        self._behind += len(data)
        if protocol.state is State.CONNECTING and self._behind > MAX_REQUEST_BYTES:
            raise BadResponse("WebSocket handshake too long")
        protocol.receive_data(data)
        idle = 0
        for event in protocol.events_received():
            if isinstance(event, Request):
                self._shake_hands(event)
            elif isinstance(event, Frame):
                self._behind -= _size(event)
                if (message := self._message(event)) is not None:
                    yield message
                idle += not message
                if idle > IDLE_FRAMES:
                    raise BadResponse("WebSocket frames without messages")
        if protocol.handshake_exc is not None or protocol.parser_exc is not None:
            why = str(protocol.handshake_exc or protocol.parser_exc)
            protocol.handshake_exc = protocol.parser_exc = None  # they hold the frames that hold the protocol
            raise BadResponse(why)

    def _shake_hands(self, request: Request) -> None:
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self._behind = 0
        request._exception = None  # as below
        if response.status_code != 101:
            self._counters["ws_handshakes_refused"] += 1

    def _message(self, frame: Frame) -> bytes | None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return None
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        if not frame.fin or frame.opcode is Opcode.CONT:
            self._parts += frame.data
            if not frame.fin:
                return None
            message = bytes(self._parts)
            self._parts.clear()
        else:
            message = bytes(frame.data)
        if self._text and not _is_utf8(message):
            self._protocol.fail(1007, "text that is not UTF-8")
            raise BadResponse("WebSocket text that is not UTF-8")
        return message

    def frame(self, message: bytes) -> bytes:
        """A message as it goes out: text when it can be, since browsers read that with less ado."""
        if self._protocol.state is not State.OPEN:
            return b""
        (self._protocol.send_text if _is_utf8(message) else self._protocol.send_binary)(message)
        return self.outgoing()

    def outgoing(self) -> bytes:
        """What the framing itself has to say: the handshake's answer, pongs, a close."""
        return b"".join(self._protocol.data_to_send())

    def ping(self) -> bytes:
        """What makes the peer give a sign of life (RFC 7118 6)."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
        return self.outgoing()

    def close(self) -> bytes:
        """The words to end with; the object is of no use after."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1001)
        last = self.outgoing()
        self._protocol.parser.close()  # it and the protocol hold each other
        return last


def _size(frame: Frame) -> int:
    """Bytes of a client's frame (RFC 6455 5.2)."""
    length = len(frame.data)
    return 6 + length + (0 if length < 126 else 2 if length < 65_536 else 8)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
