"""Client transactions (RFC 3261 17.1, RFC 6026 8.4-8.6).

          |INVITE                                      |request
timer A   v                                   timer E  v
resend  calling --B--> failure                resend  trying --F--> failure
          |1xx    \\2xx                                 |1xx     \\2xx-699
          v        v                                   v         v
      proceeding--accepted--M--> terminated        proceeding-completed--K--> terminated
          |300-699   (2xx: to the user)
          v
      completed--D--> terminated
      (300-699: ACK again)
"""

from __future__ import annotations

from typing import ClassVar

from pbx.sip.hop import Hop
from pbx.sip.message import Response
from pbx.sip.timers import T1, T2, T4, TIMEOUT, TIMER_D
from pbx.sip.transaction import TERMINATED, ClientUser, Network, Table, Transaction

CALLING, TRYING, PROCEEDING, COMPLETED, ACCEPTED = "calling", "trying", "proceeding", "completed", "accepted"


class ClientTransaction(Transaction):
    """What both kinds do with a response and a failure."""

    retransmit: ClassVar[str]  # the timer that sends again
    __slots__ = ("by_udp", "response_hop")

    def __init__(
        self, layer: Network, key: tuple[str, ...], hop: Hop, state: str, data: bytes, user: ClientUser
    ) -> None:
        super().__init__(layer, key, hop, state)
        self.data = data
        self.user = user
        self.response_hop = hop
        self.by_udp: tuple[bytes, Hop] | None = None  # what to send instead when no stream comes up (18.1.1)

    @property
    def pending(self) -> bool:
        """No final response yet."""
        return self.state in (CALLING, TRYING, PROCEEDING)

    def fall_back(self, now: float) -> bool:
        """18.1.1: the peer has no stream for what is too large for UDP, so UDP it is."""
        if self.by_udp is None or self.state not in (CALLING, TRYING):
            return False
        (self.data, self.hop), self.by_udp = self.by_udp, None
        self.now = now
        self.layer.send(self.data, self.hop)
        self.interval_s = T1
        self._set(T1, self.retransmit)
        return True

    def receive(self, response: Response, hop: Hop, now: float) -> bool:
        self.response_hop = hop
        status = response.status
        return self.input("1xx" if status < 200 else "2xx" if status < 300 else "300-699", now, response)

    def deliver(self, response: object) -> None:
        assert isinstance(response, Response)
        if self.user is not None:
            self.user.on_response(response, self.response_hop, self.now)

    def fail_timeout(self, _: object) -> None:
        self.user.on_failure(408, self.now)

    def fail_transport(self, _: object) -> None:
        self.user.on_failure(503, self.now)

    def let_go(self, _: object) -> None:
        """The user has its final response; nothing more will come for it."""
        self.user = None


class InviteClient(ClientTransaction):
    """INVITE (17.1.1). `ack` is built by the layer's user for 2xx, here for anything else (17.1.1.3)."""

    __slots__ = ("ack",)
    retransmit = "A"

    table: ClassVar[Table] = {
        (CALLING, "A"): (("resend", "double_a"), CALLING),
        (CALLING, "B"): (("fail_timeout",), TERMINATED),
        (CALLING, "transport error"): (("fail_transport",), TERMINATED),
        (CALLING, "1xx"): (("deliver",), PROCEEDING),
        (CALLING, "2xx"): (("start_m", "deliver"), ACCEPTED),
        (CALLING, "300-699"): (("start_d", "acknowledge", "deliver", "let_go"), COMPLETED),
        (PROCEEDING, "1xx"): (("deliver",), PROCEEDING),
        (PROCEEDING, "2xx"): (("start_m", "deliver"), ACCEPTED),
        (PROCEEDING, "300-699"): (("start_d", "acknowledge", "deliver", "let_go"), COMPLETED),
        (PROCEEDING, "transport error"): (("fail_transport",), TERMINATED),
        (PROCEEDING, "abandoned"): (("fail_timeout",), TERMINATED),  # 9.1: cancelled, and no final response for 64*T1
        (COMPLETED, "300-699"): (("resend_ack",), COMPLETED),
        (COMPLETED, "transport error"): ((), TERMINATED),
        (COMPLETED, "D"): ((), TERMINATED),
        (ACCEPTED, "2xx"): (("deliver",), ACCEPTED),  # RFC 6026 8.4: a further 2xx, of this or another fork
        (ACCEPTED, "M"): ((), TERMINATED),
    }

    def __init__(
        self, layer: Network, key: tuple[str, ...], hop: Hop, data: bytes, user: ClientUser, now: float
    ) -> None:
        super().__init__(layer, key, hop, CALLING, data, user)
        self.ack = b""
        self.now = now
        layer.send(data, hop)
        if not hop.reliable:
            self.interval_s = T1
            self._set(T1, "A")
        self._set(TIMEOUT, "B")

    def double_a(self, _: object) -> None:
        self.interval_s *= 2
        self._set(self.interval_s, "A")

    def start_m(self, _: object) -> None:
        self.data = b""
        self._set(TIMEOUT, "M")

    def start_d(self, _: object) -> None:
        self._set(0.0 if self.hop.reliable else TIMER_D, "D")

    def acknowledge(self, response: object) -> None:
        assert isinstance(response, Response)
        self.ack = ack_of(self.data, response)
        self.data = b""
        self.layer.send(self.ack, self.hop)

    def resend_ack(self, _: object) -> None:
        self.layer.send(self.ack, self.hop)


class NonInviteClient(ClientTransaction):
    """Anything but INVITE and ACK (17.1.2)."""

    __slots__ = ()
    retransmit = "E"

    table: ClassVar[Table] = {
        (TRYING, "E"): (("resend", "back_off"), TRYING),
        (TRYING, "F"): (("fail_timeout",), TERMINATED),
        (TRYING, "transport error"): (("fail_transport",), TERMINATED),
        (TRYING, "1xx"): (("deliver",), PROCEEDING),
        (TRYING, "2xx"): (("start_k", "deliver", "let_go"), COMPLETED),
        (TRYING, "300-699"): (("start_k", "deliver", "let_go"), COMPLETED),
        (PROCEEDING, "E"): (("resend", "slow"), PROCEEDING),
        (PROCEEDING, "F"): (("fail_timeout",), TERMINATED),
        (PROCEEDING, "transport error"): (("fail_transport",), TERMINATED),
        (PROCEEDING, "1xx"): (("deliver",), PROCEEDING),
        (PROCEEDING, "2xx"): (("start_k", "deliver", "let_go"), COMPLETED),
        (PROCEEDING, "300-699"): (("start_k", "deliver", "let_go"), COMPLETED),
        (COMPLETED, "K"): ((), TERMINATED),
    }

    def __init__(
        self, layer: Network, key: tuple[str, ...], hop: Hop, data: bytes, user: ClientUser, now: float
    ) -> None:
        super().__init__(layer, key, hop, TRYING, data, user)
        self.now = now
        layer.send(data, hop)
        if not hop.reliable:
            self.interval_s = T1
            self._set(T1, "E")
        self._set(TIMEOUT, "F")

    def back_off(self, _: object) -> None:
        self.interval_s = min(2 * self.interval_s, T2)
        self._set(self.interval_s, "E")

    def slow(self, _: object) -> None:
        self._set(T2, "E")

    def start_k(self, _: object) -> None:
        self.data = b""
        self._set(0.0 if self.hop.reliable else T4, "K")


def ack_of(invite: bytes, response: Response) -> bytes:
    """The ACK of a final response other than 2xx (17.1.1.3): the INVITE's Request-URI, top Via, From, Call-ID, Route
    and CSeq number, the response's To."""
    text = invite.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    start, *lines = text.split("\r\n")
    kept = [line for line in lines if line.startswith(("Via:", "From:", "Call-ID:", "Max-Forwards:", "Route:"))]
    uri = start.split(" ")[1]
    return (
        f"ACK {uri} SIP/2.0\r\n" + "\r\n".join(kept) + f"\r\nTo: {response.get('To')}\r\n"
        f"CSeq: {response.cseq} ACK\r\nContent-Length: 0\r\n\r\n"
    ).encode("utf-8", "surrogateescape")
