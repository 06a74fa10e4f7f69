"""The ng protocol's exchanges: a cookie, a space, a bencoded dictionary, over UDP. No sockets here, and no clock.

A request is sent again with the same cookie until it is answered: rtpengine answers a repeated cookie from its cache
(30 s) without doing the thing twice. So each reply counts once, whatever is lost, late or doubled on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from media.plane import MediaError
from media.rtpengine.bencode import BencodeError, Value, Writable, decode, encode

RETRIES_S = (0.25, 0.5, 1.0)  # between one copy of a request and the next
LAST_WAIT_S = 1.25  # after the last copy
PENDING_MOST = 10_000  # requests
LONGEST_BYTES = 65_000  # of a request: what fits a datagram

Reply = dict[str, Value]


class NgError(MediaError):
    """The daemon refused, in its own words."""


class NgTimeout(NgError):
    """The daemon did not answer."""


class UnknownCall(NgError):
    """The daemon does not have the call: it was restarted, or ended the call for want of packets."""


class Timer(Protocol):
    def cancel(self) -> None: ...


After = Callable[..., Timer]  # (delay_s, callback, *args)
OnReply = Callable[[Reply | NgError], None]


class _Request:
    __slots__ = ("copies", "data", "on_reply", "timer")

    def __init__(self, data: bytes, on_reply: OnReply) -> None:
        self.data, self.on_reply = data, on_reply
        self.copies = 0
        self.timer: Timer | None = None


class NgClient:
    """Requests to one daemon. `prefix` makes cookies different from those of other clients, earlier ones included."""

    def __init__(self, send: Callable[[bytes], None], after: After, prefix: str, counters: Counter[str]) -> None:
        self._send, self._after, self._prefix, self._counters = send, after, prefix, counters
        self._pending: dict[bytes, _Request] = {}
        self._number = 0

    def __len__(self) -> int:
        """Requests that wait for their reply."""
        return len(self._pending)

    def request(self, command: str, on_reply: OnReply, **values: Writable) -> None:
        """`on_reply` is told the reply, or what went wrong, once; perhaps before this returns. Underscores in the names
        of values are written as hyphens."""
        self._number += 1
        cookie = b"%s_%d" % (self._prefix.encode(), self._number)
        named = {name.replace("_", "-"): value for name, value in values.items()}
        request = _Request(b"%s %s" % (cookie, encode({"command": command, **named})), on_reply)
        if len(request.data) > LONGEST_BYTES:
            on_reply(NgError(f"a request of {len(request.data)} bytes does not fit a datagram"))
        elif len(self._pending) >= PENDING_MOST:
            self._counters["media_rtpengine_overflow"] += 1
            on_reply(NgTimeout("too many requests wait for an answer"))
        else:
            self._pending[cookie] = request
            self._copy(cookie, request)

    def received(self, data: bytes) -> None:
        """A datagram of the daemon."""
        cookie, _, body = data.partition(b" ")
        request = self._pending.get(cookie)
        if request is None:  # late, or a second answer
            self._counters["media_rtpengine_unexpected"] += 1
            return
        try:
            reply = decode(body)
        except BencodeError:
            reply = b""
        if not isinstance(reply, dict):
            self._counters["media_rtpengine_unreadable"] += 1
            return  # the next copy may be answered better
        del self._pending[cookie]
        if request.timer is not None:
            request.timer.cancel()
        request.on_reply(reply if reply.get("result") in (b"ok", b"pong") else _error(reply))

    def abandon(self) -> None:
        """The daemon is gone: whoever waits is told NgTimeout."""
        pending, self._pending = self._pending, {}
        for request in pending.values():
            if request.timer is not None:
                request.timer.cancel()
            request.on_reply(NgTimeout("rtpengine does not answer"))

    def _copy(self, cookie: bytes, request: _Request) -> None:
        if request.copies > len(RETRIES_S):
            del self._pending[cookie]
            self._counters["media_rtpengine_timeouts"] += 1
            request.on_reply(NgTimeout("rtpengine does not answer"))
            return
        if request.copies:
            self._counters["media_rtpengine_retries"] += 1
        delay_s = (*RETRIES_S, LAST_WAIT_S)[request.copies]
        request.copies += 1
        request.timer = self._after(delay_s, self._copy, cookie, request)
        self._send(request.data)


def _error(reply: Reply) -> NgError:
    reason = reply.get("error-reason", reply.get("message", reply.get("result", b"?")))
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else repr(reason)
    return UnknownCall(text) if text == "Unknown call-id" else NgError(text)
