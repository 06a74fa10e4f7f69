"""Two transaction layers and a network between them that loses, repeats and reorders, in virtual time from a seed."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import NEVER, T1, T2, TIMEOUT
from pbx.sip.transaction_layer import TransactionLayer

DUPLICATED = 0.1
LATEST_S = 0.8  # more than T1: retransmissions overtake


@dataclass
class CallerSide:
    """One call as the caller sees it."""

    number: int
    outcome: str = ""  # "answered", "refused", "failure"
    finals: int = 0
    provisional: bool = False
    cancel_wanted: bool = False
    cancelled: bool = False
    byes: int = 0
    events: list[str] = field(default_factory=list)


class LossyNetwork:
    """The caller's layer is at A, the called at B."""

    A, B = Hop("udp", "192.0.2.1", 5060), Hop("udp", "192.0.2.2", 5060)

    def __init__(self, seed: int, loss: float) -> None:
        self.dice = random.Random(seed)
        self.loss = loss
        self.now = 0.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.counters: Counter[str] = Counter()
        self.caller = TransactionLayer(self._wire(self.B), self.counters)
        self.called = TransactionLayer(self._wire(self.A), self.counters)
        self.calls: dict[int, CallerSide] = {}
        self.core = CalledCore(self)
        self.called.core = self.core
        self.caller.core = self.core  # gets nothing but what would be a bug

    def _wire(self, to: Hop) -> Callable[[bytes, Hop], None]:
        source = self.A if to == self.B else self.B

        def arrive(data: bytes) -> None:
            (self.called if to == self.B else self.caller).receive_bytes(data, source, self.now)

        def send(data: bytes, hop: Hop) -> None:
            assert (hop.host, hop.port) == (to.host, to.port)
            for _ in range(2 if self.dice.random() < DUPLICATED else 1):
                if self.dice.random() >= self.loss:
                    self.later(self.dice.random() * LATEST_S, lambda: arrive(data))

        return send

    def later(self, delay_s: float, callback: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + delay_s, next(self._numbers), callback))

    def run(self, seconds: float) -> None:
        while True:
            due = min(
                self._queue[0][0] if self._queue else NEVER, self.caller.timers.earliest, self.called.timers.earliest
            )
            if due > seconds:
                return
            self.now = max(self.now, due)
            while self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            for layer in (self.caller, self.called):
                if layer.timers.earliest <= self.now:
                    layer.timers.fire(self.now)

    def left(self) -> dict[str, int]:
        found = {
            "caller": len(self.caller), "called": len(self.called), "caller timers": len(self.caller.timers),
            "called timers": len(self.called.timers), "origins": len(self.called._origins),
            "keys": len(self.called._origin_of), "on the way": len(self._queue),
        }  # fmt: skip
        return {name: count for name, count in found.items() if count}

    def check(self) -> None:
        for key, times in self.core.served.items():
            # Timer J is up 64*T1 after the answer: a straggler of the last retransmission may come just after.
            assert all(b - a >= TIMEOUT for a, b in itertools.pairwise(times)), (key, times)
        for number, call in self.calls.items():
            assert call.outcome and call.finals == 1, call
            if call.outcome == "answered":
                assert self.core.said[number] == 200
            elif call.outcome == "refused":
                assert self.core.said[number] in (486, 487)
            if self.core.said.get(number) == 487:
                assert call.cancelled

    # --- the caller --------------------------------------------------------------------------------------------------

    def text(self, method: str, number: int, branch: str, cseq: int, to_tag: str = "") -> bytes:
        tag = f";tag={to_tag}" if to_tag else ""
        return (
            f"{method} sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:a@192.0.2.1>;tag=a{number}\r\nTo: <sip:b@192.0.2.2>{tag}\r\n"
            f"Call-ID: {number}\r\nCSeq: {cseq} {method}\r\nContact: <sip:a@192.0.2.1>\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    def call(self, number: int) -> None:
        """Ring B; half of the calls are cancelled after a while if nobody has answered by then."""
        self.calls[number] = CallerSide(number)
        user = InviteUser(self, self.calls[number])
        branch = f"z9hG4bKi{number}"
        self.caller.request(self.text("INVITE", number, branch, 1), branch, "INVITE", self.B, user, self.now)
        if self.dice.random() < 0.5:
            self.later(self.dice.random() * 4.0, user.cancel)


class InviteUser:
    """The user of the caller's INVITE."""

    def __init__(self, network: LossyNetwork, call: CallerSide) -> None:
        self.network = network
        self.call = call

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        network, call = self.network, self.call
        if response.status < 200:
            call.provisional = True
            if call.cancel_wanted:
                self.cancel()
        elif response.status < 300:
            self.network.caller.send(
                network.text("ACK", call.number, f"z9hG4bKa{call.number}", 1, response.to_tag or ""), network.B
            )
            if not call.outcome:
                self._end("answered")
                network.later(network.dice.random() * 3.0, self.hang_up)
        else:
            self._end("refused")

    def on_failure(self, status: int, now: float) -> None:
        self._end("failure")

    def _end(self, outcome: str) -> None:
        self.call.outcome = outcome
        self.call.finals += 1

    def cancel(self) -> None:
        """RFC 3261 9.1: not before a provisional response, and not after a final one."""
        call, network = self.call, self.network
        call.cancel_wanted = True
        if call.outcome or call.cancelled or not call.provisional:
            return
        call.cancelled = True
        branch = f"z9hG4bKi{call.number}"
        data = network.text("CANCEL", call.number, branch, 1)
        network.caller.request(data, branch, "CANCEL", network.B, Unheard(), network.now)
        network.later(TIMEOUT, self.abandon)

    def abandon(self) -> None:
        """9.1: cancelled, and no final response for 64*T1."""
        transaction = self.network.caller._transactions.get((f"z9hG4bKi{self.call.number}", "INVITE"))
        if not self.call.outcome and transaction is not None:
            self._end("failure")
            transaction.input("abandoned", self.network.now)

    def hang_up(self) -> None:
        network, branch = self.network, f"z9hG4bKb{self.call.number}"
        data = network.text("BYE", self.call.number, branch, 2, "b")
        network.caller.request(data, branch, "BYE", network.B, Unheard(), network.now)


class Unheard:
    def on_response(self, response: Response, hop: Hop, now: float) -> None: ...

    def on_failure(self, status: int, now: float) -> None: ...


class CalledCore:
    """B: rings, then answers or refuses; repeats its 200 until the ACK comes (RFC 3261 13.3.1.4)."""

    def __init__(self, network: LossyNetwork) -> None:
        self.network = network
        self.served: dict[tuple[str, str], list[float]] = {}  # when
        self.said: dict[int, int] = {}
        self.acked: set[str] = set()

    def on_stateless(self, request: Request, hop: Hop, via: str, now: float) -> bool:
        return False

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        self.served.setdefault((request.call_id, request.method), []).append(now)
        if request.method == "BYE":
            transaction.respond(200, now)
            return
        assert request.method == "INVITE"
        transaction.user = Ringing(self, transaction, int(request.call_id))
        if self.network.dice.random() < 0.8:
            transaction.respond(180, now, to_tag="b")
        self.network.later(self.network.dice.random() * 6.0, transaction.user.decide)

    def on_ack(self, request: Request, hop: Hop, now: float) -> None:
        self.acked.add(request.call_id)

    def repeat(self, number: int, final: bytes, interval_s: float, since: float) -> None:
        network = self.network
        if str(number) in self.acked or network.now - since > TIMEOUT:
            return
        network.called.send(final, network.A)
        network.later(min(interval_s, T2), lambda: self.repeat(number, final, interval_s * 2, since))


class Ringing:
    """The user of B's INVITE server transaction."""

    def __init__(self, core: CalledCore, transaction: ServerTransaction, number: int) -> None:
        self.core = core
        self.transaction = transaction
        self.number = number

    def decide(self) -> None:
        core, network = self.core, self.core.network
        if self.number in core.said:
            return
        status = core.said[self.number] = 200 if network.dice.random() < 0.7 else 486
        final = self.transaction.respond(status, network.now, to_tag="b")
        if status == 200:
            network.later(T1, lambda: core.repeat(self.number, final, 2 * T1, network.now))

    def on_cancel(self, request: Request, now: float) -> None:
        if self.number not in self.core.said:
            self.core.said[self.number] = 487
            self.transaction.respond(487, now, to_tag="b")
