"""Messages out of a byte stream (RFC 3261 18.3): the head ends at an empty line, Content-Length says the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pbx.sip.errors import BadMessage, BadResponse
from pbx.sip.message import MAX_BODY_BYTES, MAX_HEAD_BYTES

_FOLD = re.compile(rb"\r?\n[ \t]+")
_LENGTH = re.compile(rb"[\r\n](?:content-length|l)[ \t]*:([^\n]*)", re.I)  # a lone CR ends a line for some
_READABLE = re.compile(rb"[ \t]*(\d{1,20})[ \t]*\r?")
PING, PONG = b"\r\n\r\n", b"\r\n"


class Framer:
    """Bytes in, whole messages out. Memory is bounded: a head or body over the limit raises SipError, and the stream is
    to be closed, since nobody can tell where its next message begins. A body over the limit, or a head whose length is
    in doubt, is BadMessage, and its `message` the head, to be answered first."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._need = 0  # bytes of the whole message, once its head is known
        self._searched = 0  # bytes in which no end of a head begins

    @property
    def partial(self) -> bool:
        """Whether a message has begun and not ended. A lone line end is a peer's keep-alive, not half a message."""
        return bool(self._buffer) and self._buffer != PONG

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what came; gives the messages it completes, and PING for each keep-alive (RFC 5626 4.4.1). What stands
        before something over the limit is given first."""
        self._buffer += data
        while message := self._next():
            yield message

    def _next(self) -> bytes | None:
        buffer = self._buffer
        if not self._need:
            if buffer[:2] == PONG:
                return self._skip_blank()
            end = buffer.find(b"\r\n\r\n", self._searched)
            if end < 0:
                if len(buffer) > MAX_HEAD_BYTES:
                    raise BadResponse("Head too large")
                self._searched = max(0, len(buffer) - 3)
                return None
            self._searched = 0
            if end > MAX_HEAD_BYTES:
                raise BadResponse("Head too large")
            self._need = end + 4 + _length_in(bytes(buffer[: end + 4]))
        if len(buffer) < self._need:
            return None
        message = bytes(buffer[: self._need])
        del buffer[: self._need]
        self._need = 0
        return message

    def _skip_blank(self) -> bytes | None:
        """Empty lines before a message are ignored (7.5); a pair of them is a ping."""
        if self._buffer[:4] == PING:
            del self._buffer[:4]
            return PING
        if len(self._buffer) >= 4 or (len(self._buffer) == 3 and self._buffer[2:3] != b"\r"):
            del self._buffer[:2]
            return self._next()
        return None


def _length_in(head: bytes) -> int:
    """Bytes of the body (20.14), as the parser reads it. Who took one length of two, or what can be read of an
    unreadable one, would frame otherwise than a proxy before us may: what that took for a body would be a request."""
    lines = _LENGTH.findall(_FOLD.sub(b" ", head) if b"\n " in head or b"\n\t" in head else head)
    if not lines:
        raise BadResponse("No Content-Length on a stream")
    readable = _READABLE.fullmatch(lines[0])
    if len(lines) > 1 or readable is None:
        error = BadMessage("Content-Length in doubt")
    elif (length := int(readable[1])) > MAX_BODY_BYTES:
        error = BadMessage("Request Entity Too Large", 413)
    else:
        return length
    error.message = head
    raise error
