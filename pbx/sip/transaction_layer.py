"""The transaction layer: every message in finds its transaction here, every transaction's message leaves here
(RFC 3261 17.1.3, 17.2.3; RFC 2543 peers by the old rule).

    datagram -> receive -> server transaction -> core.on_request      (a new request)
                        -> core.on_ack                                 (ACK of a 2xx: belongs to no transaction)
                        -> client transaction -> its user.on_response
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from pbx.sip.address import split_values, tag_of
from pbx.sip.client_transaction import ClientTransaction, InviteClient, NonInviteClient
from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.sip.message import Message, Request, Response, parse, respond
from pbx.sip.server_transaction import (
    ACCEPTED,
    PROCEEDING,
    InviteServer,
    NonInviteServer,
    ServerTransaction,
    reply_hop,
)
from pbx.sip.timers import Timers
from pbx.sip.transaction import ClientUser, Transaction
from pbx.sip.via import MAGIC, branch_of, top_via, via_stamp, with_via


class Core(Protocol):
    """What stands on the transaction layer (RFC 3261 5: the transaction user)."""

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None: ...

    def on_stateless(self, request: Request, hop: Hop, via: str, now: float) -> bool:
        """Answer without a transaction if the request is one that may be (8.2.7); False to have one made."""

    def on_ack(self, request: Request, hop: Hop, now: float) -> None: ...


#: Call-ID, From tag and CSeq: who sent a request, whatever way it took (8.2.2.2).
Origin = tuple[str, str | None, int]


#: The transport, host and port of a Hop: the part that names a connection.
Connection = tuple[str, str, int]


LIMIT = 500_000  # transactions at once: 3,000 calls a second, of which each leaves four for 32 s
RETRY_AFTER_S = 10


class TransactionLayer:
    """All live transactions, by the keys of RFC 3261 17.1.3 and 17.2.3. Beyond `limit` of them, requests are refused
    without one: a flood costs no memory."""

    def __init__(self, send: Callable[[bytes, Hop], None], counters: Counter[str], limit: int = LIMIT) -> None:
        self.send = send
        self.counters = counters
        self.limit = limit
        self.timers = Timers()
        #: A request too large for UDP: its bytes and hop by a stream (18.1.1); None if it stays.
        self.by_stream: Callable[[bytes, Hop], tuple[bytes, Hop] | None] = lambda data, hop: None
        self.core: Core | None = None
        self.bears: Callable[[Hop, float], bool] = lambda hop, now: True  # whether one more of its mistakes is answered
        self.cut_off: Callable[[Hop], None] = lambda hop: None  # a stream that brings more mistakes than that
        self.feedback: Callable[[str, Hop], str] | None = None  # RFC 7339: what we answer to `oc` in a stamped Via
        self._transactions: dict[tuple[str, ...], Transaction] = {}
        self._by_connection: dict[Connection, dict[tuple[str, ...], ClientTransaction]] = {}  # what fails with it
        self._origins: dict[Origin, tuple[str, ...]] = {}  # INVITEs that came from outside a dialog -> their key
        self._origin_of: dict[tuple[str, ...], Origin] = {}

    def __len__(self) -> int:
        return len(self._transactions)

    @property
    def pending_clients(self) -> int:
        """Requests of ours that have no final response yet: a drain waits for them."""
        return sum(isinstance(t, ClientTransaction) and t.pending for t in self._transactions.values())

    def forget(self, transaction: Transaction) -> None:
        key = transaction.key
        self._transactions.pop(key, None)
        if isinstance(transaction, ClientTransaction) and transaction.hop.transport != "udp":
            self._off_connection(transaction.hop[:3], key)
        origin = self._origin_of.pop(key, None)
        if origin is not None and self._origins.get(origin) == key:
            del self._origins[origin]

    # --- in ---------------------------------------------------------------------------------------------------------

    def receive_bytes(self, data: bytes, hop: Hop, now: float) -> None:
        """One datagram or one framed message of a stream, from `hop`. Never raises for what a peer sends."""
        try:
            message = parse(data)
        except SipError as error:
            self._refuse(error, hop, now)
            return
        self.receive(message, hop, now)

    def receive(self, message: Request | Response, hop: Hop, now: float) -> None:
        if isinstance(message, Request):
            self._receive_request(message, hop, now)
        else:
            self._receive_response(message, hop, now)

    def _receive_request(self, request: Request, hop: Hop, now: float) -> None:
        key = _server_key(request)
        transaction = self._transactions.get(key)
        method = request.method
        if transaction is not None:
            if not transaction.input("ACK" if method == "ACK" else "request", now, request) and method == "ACK":
                self._to_core_as_ack(request, hop, now)
            return
        if method == "ACK":
            self._to_core_as_ack(request, hop, now)
            return
        core = self.core
        assert core is not None
        via = via_stamp(request.via, hop.host, hop.port)
        if ";oc" in via and self.feedback is not None:
            via = self.feedback(via, hop)
        if len(self._transactions) >= self.limit:
            self.counters["sip_overload_refused"] += 1
            retry = f"Retry-After: {RETRY_AFTER_S}\r\n"
            self.reply(request, hop, 503, via=via, to_tag="overload", headers=retry)
            return
        if method == "CANCEL" and isinstance(self._cancelled(request), InviteServer):
            self._receive_cancel(request, key, hop, via, now)
            return
        if core.on_stateless(request, hop, via, now):
            return
        if method == "CANCEL":  # 9.2: of nothing, or of what is over
            self.reply(request, hop, 481, via=via, to_tag="none")
            return
        new: ServerTransaction
        if method != "INVITE":
            self._transactions[key] = new = NonInviteServer(self, key, hop, request, via)
        else:
            self._transactions[key] = new = InviteServer(self, key, hop, request, via, now)
            if request.to_tag is None and self._merged(request, key):
                new.respond(482, now, to_tag="merged")
                return
        try:
            core.on_request(request, new, now)
        except Exception:
            new.respond(500, now, to_tag="fault")  # of ours: the transaction must not stay for ever
            raise

    def _merged(self, request: Request, key: tuple[str, ...]) -> bool:
        """8.2.2.2: the same request came before by another way and is being served. One that was refused does not
        count: phones exist that answer a challenge without a new CSeq."""
        origin = (request.call_id, request.from_tag, request.cseq)
        known = self._origins.get(origin)
        if known is not None:
            other = self._transactions.get(known)
            if isinstance(other, InviteServer) and other.state in (PROCEEDING, ACCEPTED):
                self.counters["sip_merged_requests"] += 1
                return True
        self._origins[origin] = key
        self._origin_of[key] = origin
        return False

    def _to_core_as_ack(self, request: Request, hop: Hop, now: float) -> None:
        assert self.core is not None
        self.core.on_ack(request, hop, now)

    def _receive_cancel(self, request: Request, key: tuple[str, ...], hop: Hop, via: str, now: float) -> None:
        """9.2: 200 for an INVITE that is there, whose user hears of it if it is still pending."""
        invite = self._cancelled(request)
        assert invite is not None
        self._transactions[key] = transaction = NonInviteServer(self, key, hop, request, via)
        transaction.respond(200, now, to_tag=_to_tag_in(invite.data) or "none")
        invite.input("cancel", now, request)

    def _cancelled(self, cancel: Request) -> Transaction | None:
        """What a CANCEL is for."""
        return self._transactions.get(_server_key(cancel, "INVITE"))

    def _receive_response(self, response: Response, hop: Hop, now: float) -> None:
        transaction = self._transactions.get((response.branch or "", response.cseq_method))
        if not isinstance(transaction, ClientTransaction):
            self.counters["sip_responses_unmatched"] += 1
            return
        if not transaction.receive(response, hop, now):
            self.counters["sip_responses_late"] += 1

    def _refuse(self, error: SipError, hop: Hop, now: float) -> None:
        """Answer what could not be parsed, if it can be answered at all; count it either way."""
        self.counters["sip_malformed"] += 1
        if hop.reliable and not self.bears(hop, now):  # nobody can have written another's address
            self.counters["sip_malformed_dropped"] += 1
            self.cut_off(hop)
            return
        request = error.message
        top = (request.get("Via") or "") if isinstance(request, Request) and request.method != "ACK" else ""
        borne = error.status is not None and top and (hop.reliable or self.bears(hop, now))
        if error.status is None or not isinstance(request, Request) or not borne:
            self.counters["sip_malformed_dropped"] += 1
            return
        via = request.via or split_values(top)[0]
        try:
            via = via_stamp(via, hop.host, hop.port)
            hop = reply_hop(via, hop)
        except SipError:
            pass  # a Via that can't be read goes back as it came, to where it came from
        tag = None if "tag=" in (request.get("To") or "") else "malformed"
        self.send(respond(request, error.status, via=via, to_tag=tag, reason=error.reason), hop)

    def reply(self, request: Request, hop: Hop, status: int, *, via: str, to_tag: str, headers: str = "") -> None:
        """Answer without a transaction (8.2.7)."""
        self.send(respond(request, status, via=via, to_tag=to_tag, headers=headers), reply_hop(via, hop))

    # --- out --------------------------------------------------------------------------------------------------------

    def request(
        self, data: bytes, branch: str, method: str, hop: Hop, user: ClientUser, now: float
    ) -> ClientTransaction:
        """Send a request by a new client transaction. `branch` is the one in its topmost Via."""
        key = (branch, method)
        by_udp = None
        if method == "CANCEL":
            data, hop = self._as_the_invite(data, branch, hop)
        elif hop.transport == "udp" and (moved := self.by_stream(data, hop)) is not None:
            by_udp = (data, hop)
            data, hop = moved
        transaction: ClientTransaction
        if method == "INVITE":
            transaction = InviteClient(self, key, hop, data, user, now)
        else:
            transaction = NonInviteClient(self, key, hop, data, user, now)
        transaction.by_udp = by_udp
        self._transactions[key] = transaction
        if hop.transport != "udp":
            self._by_connection.setdefault(hop[:3], {})[key] = transaction
        return transaction

    def _as_the_invite(self, cancel: bytes, branch: str, hop: Hop) -> tuple[bytes, Hop]:
        """9.1: CANCEL goes where its INVITE went, by the same Via; that may have changed to a stream."""
        invite = self._transactions.get((branch, "INVITE"))
        if invite is None or invite.hop.transport == hop.transport or not invite.data:
            return cancel, hop
        return with_via(cancel, top_via(invite.data)), invite.hop

    def has_invite(self, via: str) -> bool:
        """Whether the INVITE with this topmost Via value is here already (17.2.3)."""
        return (branch_of(via) or "", via[: via.find(";")], "INVITE") in self._transactions

    def client_user(self, branch: str, method: str) -> ClientUser | None:
        """Whose request of ours has this branch; None when it is over, or not ours."""
        transaction = self._transactions.get((branch, method))
        return transaction.user if isinstance(transaction, ClientTransaction) else None

    def transport_failed(self, hop: Hop, now: float, *, sent: bool = True) -> None:
        """The stream to `hop` is gone or never came up (`sent` is False then: nothing got through): its client
        transactions fail (8.1.3.1, 17.1.4), but for those that only size made take a stream (18.1.1)."""
        for transaction in list(self._by_connection.get(hop[:3], {}).values()):
            if not sent and transaction.fall_back(now):
                self._off_connection(hop[:3], transaction.key)
                self.counters["sip_fell_back_to_udp"] += 1
            elif transaction.input("transport error", now):
                self.counters["sip_transport_failures"] += 1

    def _off_connection(self, connection: Connection, key: tuple[str, ...]) -> None:
        transactions = self._by_connection.get(connection)
        if transactions is not None:
            transactions.pop(key, None)
            if not transactions:
                del self._by_connection[connection]


def _server_key(message: Message, method: str = "") -> tuple[str, ...]:
    """17.2.3: branch, sent-by and method for RFC 3261 peers; the whole identity of the request for RFC 2543 ones.
    `method` is the method of the transaction that is looked for, when it is not the message's own (9.2, 17.2.3)."""
    method = method or ("INVITE" if message.cseq_method == "ACK" else message.cseq_method)
    branch = message.branch
    via = message.via
    if branch is not None and branch.startswith(MAGIC) and len(branch) > len(MAGIC):
        return branch, via[: via.find(";")], method
    assert isinstance(message, Request)
    to_tag = "" if method == "INVITE" else message.to_tag or ""
    # An ACK carries the To tag that our response gave, so the tag can't be part of an INVITE's key.
    return message.call_id, str(message.cseq), message.from_tag or "", to_tag, message.uri, via, method


def _to_tag_in(response: bytes) -> str | None:
    """The To tag of a response of ours: the 200 of a CANCEL has the same (9.2)."""
    _, _, to = response.partition(b"\r\nTo: ")
    return tag_of(to.partition(b"\r\n")[0].decode("utf-8", "surrogateescape")) if to else None
