"""OPTIONS that ask whether a peer lives (RFC 3261 11), off the path of calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pbx.sip.hop import Hop
from pbx.sip.message import Response

if TYPE_CHECKING:
    from pbx.call.switch import Switch

PATIENCE_S: Final = 8.0  # four retransmissions; the transaction itself would wait for 32 s
NOBODY_THERE: Final = (408, 430, 503, 504)  # said by a proxy on the way, or by a peer that can take nothing


class Probe:
    """One OPTIONS. `told(round_trip_s, now)` once; None: no answer in time, or one that says as much."""

    __slots__ = ("_sent_at", "_told")

    def __init__(
        self, switch: Switch, uri: str, hop: Hop, route: tuple[str, ...], told: Callable[[float | None, float], None],
        now: float,
    ) -> None:  # fmt: skip
        self._told: Callable[[float | None, float], None] | None = told
        self._sent_at = now
        ids = switch.ids
        branch = ids.branch()
        here = switch.local.sent_by(hop)
        routes = f"Route: {', '.join(route)}\r\n" if route else ""
        data = (
            f"OPTIONS {uri} SIP/2.0\r\nVia: {switch.via(hop, branch)}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:plateau@{here}>;tag={ids.token()}\r\nTo: <{uri}>\r\nCall-ID: {ids.token()}\r\n"
            f"CSeq: 1 OPTIONS\r\n{routes}Contact: {switch.contact(hop)}\r\nAccept: application/sdp\r\n"
            "Content-Length: 0\r\n\r\n"
        ).encode()
        switch.layer.timers.set(PATIENCE_S, self, "probe", now)
        switch.layer.request(data, branch, "OPTIONS", hop, self, now)

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        if response.status >= 200:
            self._tell(None if response.status in NOBODY_THERE else now - self._sent_at, now)

    def on_failure(self, status: int, now: float) -> None:
        self._tell(None, now)

    def on_timer(self, kind: str, now: float) -> None:
        self._tell(None, now)

    def _tell(self, round_trip_s: float | None, now: float) -> None:
        told, self._told = self._told, None
        if told is not None:
            told(round_trip_s, now)
