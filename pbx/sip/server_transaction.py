"""Server transactions (RFC 3261 17.2, RFC 6026 7.1, 8.5-8.7).

         |INVITE (100 after 200 ms)                   |request
         v                                            v
     proceeding----2xx---> accepted                trying
         |300-699             |L                      |1xx
         v                    v                       v
     completed--H--> failure  terminated          proceeding
G:resend |ACK                                         |2xx-699
         v                                            v
     confirmed--I--> terminated                   completed--J--> terminated
"""

from __future__ import annotations

from typing import ClassVar

from pbx.sip.hop import Hop
from pbx.sip.message import Request, respond
from pbx.sip.timers import T1, T2, T4, TIMEOUT, TIMER_100
from pbx.sip.transaction import TERMINATED, Network, ServerUser, Table, Transaction
from pbx.sip.via import reply_to

TRYING, PROCEEDING, COMPLETED, CONFIRMED, ACCEPTED = "trying", "proceeding", "completed", "confirmed", "accepted"


def reply_hop(via: str, source: Hop) -> Hop:
    """Where responses go (18.2.2, RFC 3581): over UDP to the source's address, and to the port that Via asks for."""
    if source.transport != "udp":
        return source
    port = reply_to(via, source.host, source.port)[1]
    return source if port == source.port else source._replace(port=port)


class ServerTransaction(Transaction):
    """What both kinds share. `source` is where the request came from, `hop` where responses go. `via` is the topmost
    Via value with received and rport filled in (18.2.1)."""

    __slots__ = ("once", "request", "source", "via")

    def __init__(
        self, layer: Network, key: tuple[str, ...], source: Hop, state: str, request: Request, via: str
    ) -> None:
        super().__init__(layer, key, reply_hop(via, source), state)
        self.source = source
        self.request: Request | None = request
        self.via = via
        self.once = False

    def respond(
        self,
        status: int,
        now: float,
        *,
        to_tag: str | None = None,
        reason: str | None = None,
        headers: str = "",
        body: str = "",
        once: bool = False,
    ) -> bytes:
        """Answer, and return what was sent. A second final response is ignored, as is one after the transaction's
        end. A refusal that is said `once` is repeated only for a repeated request (26.3.2.4): who has not shown who he
        is may have written another's address."""
        if self.request is None:
            return b""
        data = respond(self.request, status, via=self.via, to_tag=to_tag, reason=reason, headers=headers, body=body)
        self.once = once
        self.input("send 1xx" if status < 200 else "send 2xx" if status < 300 else "send 300-699", now, data)
        return data

    def send(self, data: object) -> None:
        assert isinstance(data, bytes)
        self.data = data
        self.layer.send(data, self.hop)

    def let_go(self, _: object) -> None:
        """The request has its final response: keep only what a retransmission needs."""
        self.request = None
        self.user = None

    def _end(self) -> None:
        super()._end()
        self.request = None


class InviteServer(ServerTransaction):
    """INVITE (17.2.1). 2xx are retransmitted by the user until the ACK comes (13.3.1.4); this only absorbs (RFC
    6026)."""

    __slots__ = ()

    table: ClassVar[Table] = {
        (PROCEEDING, "request"): (("resend",), PROCEEDING),
        (PROCEEDING, "send 1xx"): (("send",), PROCEEDING),
        (PROCEEDING, "send 2xx"): (("send", "let_go", "start_l"), ACCEPTED),
        (PROCEEDING, "send 300-699"): (("send", "let_go", "start_g", "start_h"), COMPLETED),
        (PROCEEDING, "cancel"): (("cancel",), PROCEEDING),
        (PROCEEDING, "100"): (("trying",), PROCEEDING),
        (COMPLETED, "request"): (("resend",), COMPLETED),
        (COMPLETED, "ACK"): (("start_i",), CONFIRMED),
        (COMPLETED, "G"): (("resend", "back_off"), COMPLETED),
        (COMPLETED, "H"): (("fail",), TERMINATED),
        (CONFIRMED, "I"): ((), TERMINATED),
        (ACCEPTED, "L"): ((), TERMINATED),
    }

    def __init__(self, layer: Network, key: tuple[str, ...], hop: Hop, request: Request, via: str, now: float) -> None:
        super().__init__(layer, key, hop, PROCEEDING, request, via)
        self.now = now
        self._set(TIMER_100, "100")

    def trying(self, _: object) -> None:
        """17.2.1: 100 unless the user has answered within 200 ms."""
        if not self.data and self.request is not None:
            self.send(respond(self.request, 100, via=self.via))

    def cancel(self, request: object) -> None:
        if self.user is not None:
            assert isinstance(request, Request)
            user: ServerUser = self.user
            user.on_cancel(request, self.now)

    def start_l(self, _: object) -> None:
        self.data = b""
        self._set(TIMEOUT, "L")

    def start_g(self, _: object) -> None:
        if not self.hop.reliable and not self.once:
            self.interval_s = T1
            self._set(T1, "G")

    def start_h(self, _: object) -> None:
        self._set(TIMEOUT, "H")

    def back_off(self, _: object) -> None:
        self.interval_s = min(2 * self.interval_s, T2)
        self._set(self.interval_s, "G")

    def start_i(self, _: object) -> None:
        self.data = b""
        self._set(0.0 if self.hop.reliable else T4, "I")

    def fail(self, _: object) -> None:
        self.layer.counters["sip_final_response_unacknowledged"] += 1


class NonInviteServer(ServerTransaction):
    """Anything but INVITE and ACK (17.2.2)."""

    __slots__ = ()

    table: ClassVar[Table] = {
        (TRYING, "send 1xx"): (("send",), PROCEEDING),
        (TRYING, "send 2xx"): (("send", "let_go", "start_j"), COMPLETED),
        (TRYING, "send 300-699"): (("send", "let_go", "start_j"), COMPLETED),
        (PROCEEDING, "request"): (("resend",), PROCEEDING),
        (PROCEEDING, "send 1xx"): (("send",), PROCEEDING),
        (PROCEEDING, "send 2xx"): (("send", "let_go", "start_j"), COMPLETED),
        (PROCEEDING, "send 300-699"): (("send", "let_go", "start_j"), COMPLETED),
        (COMPLETED, "request"): (("resend",), COMPLETED),
        (COMPLETED, "J"): ((), TERMINATED),
    }

    def __init__(self, layer: Network, key: tuple[str, ...], hop: Hop, request: Request, via: str) -> None:
        super().__init__(layer, key, hop, TRYING, request, via)

    def start_j(self, _: object) -> None:
        self._set(0.0 if self.hop.reliable else TIMEOUT, "J")
