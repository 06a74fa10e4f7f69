"""The transaction layer: who a message belongs to (RFC 3261 17.1.3, 17.2.3), and two layers over a bad network."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response, parse
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.transaction import Transaction
from pbx.sip.transaction_layer import TransactionLayer
from pbx.sip.via import MAGIC

from .lossy_network import LossyNetwork

PEER = Hop("udp", "198.51.100.7", 5062)
OTHER = Hop("udp", "198.51.100.8", 5060)
TCP = Hop("tcp", "198.51.100.7", 40_001)


class RecordingCore:
    """Notes what the layer hands up; answers nothing by itself."""

    def __init__(self) -> None:
        self.requests: list[tuple[Request, ServerTransaction]] = []
        self.acks: list[Request] = []
        self.cancels: list[Request] = []
        self.stateless = False

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        transaction.user = self
        self.requests.append((request, transaction))

    def on_stateless(self, request: Request, hop: Hop, via: str, now: float) -> bool:
        return self.stateless

    def on_ack(self, request: Request, hop: Hop, now: float) -> None:
        self.acks.append(request)

    def on_cancel(self, request: Request, now: float) -> None:
        self.cancels.append(request)


class Bench:
    """A layer with a recording core."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Hop]] = []
        self.counters: Counter[str] = Counter()
        self.layer = TransactionLayer(lambda data, hop: self.sent.append((data, hop)), self.counters)
        self.core = RecordingCore()
        self.layer.core = self.core
        self.now = 0.0

    def receive(self, data: str, hop: Hop = PEER) -> None:
        self.layer.receive_bytes(data.encode(), hop, self.now)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.layer.timers.earliest <= end:
            self.now = max(self.now, self.layer.timers.earliest)
            self.layer.timers.fire(self.now)
        self.now = end

    def responses(self) -> list[tuple[int, Hop]]:
        found = [(parse(data), hop) for data, hop in self.sent]
        return [(one.status, hop) for one, hop in found if isinstance(one, Response)]

    @property
    def last(self) -> Response:
        message = parse(self.sent[-1][0])
        assert isinstance(message, Response)
        return message

    def is_clean(self) -> bool:
        return (
            not len(self.layer) and not len(self.layer.timers) and not self.layer._origins and not self.layer._origin_of
            and not self.layer._by_connection
        )


@pytest.fixture
def bench() -> Bench:
    return Bench()


def text(
    method: str = "INVITE",
    *,
    branch: str | None = "z9hG4bKa",
    sent_by: str = "198.51.100.7:5062",
    cseq: int = 1,
    to_tag: str = "",
    from_tag: str = "ft",
    via: str = "",
    call_id: str = "cid",
    uri: str = "sip:b@pbx",
) -> str:
    mark = "" if branch is None else f";branch={branch}"
    via = via or f"SIP/2.0/UDP {sent_by}{mark}"
    tags = f";tag={from_tag}" if from_tag else "", f";tag={to_tag}" if to_tag else ""
    return (
        f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@b>{tags[0]}\r\nTo: <sip:b@pbx>{tags[1]}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:a@198.51.100.7>\r\nContent-Length: 0\r\n\r\n"
    )


def response(status: int, branch: str, method: str = "INVITE") -> str:
    return (
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.100:5060;branch={branch}\r\nFrom: <sip:us@pbx>;tag=us\r\n"
        f"To: <sip:a@b>;tag=them\r\nCall-ID: c\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )


# --- whose request is it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("branch", ["z9hG4bKa", "old", "z9hG4bK", None])
@pytest.mark.parametrize("method", ["INVITE", "BYE", "REGISTER"])
def test_a_retransmission_is_no_new_request(bench: Bench, method: str, branch: str | None) -> None:
    """RFC 3261 17.2.3, by branch and by the rules of RFC 2543."""
    for _ in range(3):
        bench.receive(text(method, branch=branch))
    assert len(bench.core.requests) == len(bench.layer) == 1 and bench.sent == []
    bench.core.requests[0][1].respond(404, bench.now, to_tag="t")
    bench.receive(text(method, branch=branch))
    assert [status for status, _ in bench.responses()] == [404, 404]
    bench.run(100)
    assert bench.is_clean()


@pytest.mark.parametrize(
    "other",
    [
        {"branch": "z9hG4bKb"},
        {"sent_by": "198.51.100.7:5063"},
        {"sent_by": "198.51.100.9:5062"},
        {"method": "OPTIONS"},
        {"branch": "z9hG4bKA"},
    ],
)
def test_what_makes_another_request(bench: Bench, other: dict[str, str]) -> None:
    bench.receive(text("BYE", to_tag="x"))
    bench.receive(text(**{"method": "BYE", "to_tag": "x", **other}))  # type: ignore[arg-type]
    assert len(bench.core.requests) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"cseq": 2},
        {"call_id": "x"},
        {"from_tag": "x"},
        {"to_tag": "x"},
        {"uri": "sip:c@pbx"},
        {"sent_by": "h"},
        {"method": "OPTIONS"},
    ],
)
@pytest.mark.parametrize("branch", ["same", MAGIC, None])
def test_what_makes_another_request_of_an_old_peer(bench: Bench, branch: str | None, other: dict[str, object]) -> None:
    """RFC 3261 17.2.3: the branch says nothing; RFC 4475 3.2.1: nor does the bare cookie."""
    bench.receive(text("BYE", branch=branch))
    bench.receive(text(**{"method": "BYE", "branch": branch, **other}))  # type: ignore[arg-type]
    assert len(bench.core.requests) == 2


def test_the_stateless_leave_nothing(bench: Bench) -> None:
    bench.core.stateless = True
    for method in ("OPTIONS", "REGISTER"):
        bench.receive(text(method))
    assert bench.is_clean() and bench.core.requests == []


def test_a_stateless_reply(bench: Bench) -> None:
    message = parse(text("OPTIONS").encode())
    assert isinstance(message, Request)
    bench.layer.reply(message, PEER, 200, via=message.via, to_tag="t", headers="Allow: BYE\r\n")
    assert (bench.last.status, bench.last.to_tag, bench.last.get("Allow")) == (200, "t", "BYE") and bench.is_clean()


def test_a_merged_request(bench: Bench) -> None:
    """RFC 3261 8.2.2.2: one INVITE forked on its way, both arms leading here."""
    bench.receive(text())
    bench.receive(text(branch="z9hG4bKb", sent_by="h2"))
    assert [status for status, _ in bench.responses()] == [482]
    assert len(bench.core.requests) == 1 and bench.counters["sip_merged_requests"] == 1
    bench.core.requests[0][1].respond(200, bench.now, to_tag="t")
    bench.receive(text(branch="z9hG4bKc"))
    assert [status for status, _ in bench.responses()] == [482, 200, 482]
    bench.run(100)
    assert bench.is_clean()
    bench.receive(text(branch="z9hG4bKd"))
    assert len(bench.core.requests) == 2


@pytest.mark.parametrize("other", [{"cseq": 2}, {"call_id": "x"}, {"from_tag": "x"}, {"to_tag": "x"}])
def test_what_is_no_merged_request(bench: Bench, other: dict[str, object]) -> None:
    bench.receive(text())
    bench.receive(text(branch="z9hG4bKb", **other))  # type: ignore[arg-type]
    assert len(bench.core.requests) == 2


def test_a_challenge_answered_without_a_new_cseq_is_heard(bench: Bench) -> None:
    """Against RFC 3261 22.2, but phones do it."""
    bench.receive(text())
    bench.core.requests[0][1].respond(401, bench.now, to_tag="t")
    bench.receive(text(branch="z9hG4bKb"))
    assert len(bench.core.requests) == 2
    bench.receive(text(branch="z9hG4bKc"))
    assert len(bench.core.requests) == 2 and bench.last.status == 482
    for _, transaction in bench.core.requests:
        transaction.respond(404, bench.now, to_tag="t")
    bench.run(100)
    assert bench.is_clean()


# --- ACK and CANCEL ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("branch", ["z9hG4bKa", "old", None])
def test_the_ack_of_a_refusal_ends_here(bench: Bench, branch: str | None) -> None:
    bench.receive(text(branch=branch))
    bench.core.requests[0][1].respond(486, bench.now, to_tag="t")
    bench.receive(text("ACK", branch=branch, to_tag="t"))
    bench.run(4)
    assert len(bench.sent) == 1 and bench.core.acks == []  # no further 486
    bench.run(100)
    assert bench.is_clean() and not bench.counters["sip_final_response_unacknowledged"]


@pytest.mark.parametrize("branch", ["z9hG4bKa", "old", None])
def test_the_ack_of_a_2xx_is_the_cores(bench: Bench, branch: str | None) -> None:
    """RFC 6026 7.1, also from a peer that gives it the INVITE's branch."""
    bench.receive(text(branch=branch))
    bench.core.requests[0][1].respond(200, bench.now, to_tag="t")
    bench.receive(text("ACK", branch=branch, to_tag="t"))
    bench.receive(text("ACK", branch="z9hG4bKnew", to_tag="t"))
    assert len(bench.core.acks) == 2
    bench.run(100)
    assert bench.is_clean()


def test_an_ack_of_nothing_is_the_cores_to_count(bench: Bench) -> None:
    bench.receive(text("ACK", to_tag="t"))
    assert len(bench.core.acks) == 1 and bench.is_clean() and bench.sent == []


@pytest.mark.parametrize("branch", ["z9hG4bKa", "old", None])
@pytest.mark.parametrize("to_tag", ["", "dialog"])
def test_a_cancel_finds_its_invite(bench: Bench, branch: str | None, to_tag: str) -> None:
    """RFC 3261 9.2; with a To tag it cancels a re-INVITE."""
    bench.receive(text(branch=branch, to_tag=to_tag))
    invite = bench.core.requests[0][1]
    invite.respond(180, bench.now, to_tag="ours")
    bench.receive(text("CANCEL", branch=branch, to_tag=to_tag))
    assert bench.last.status == 200 and bench.last.cseq_method == "CANCEL"
    assert bench.last.to_tag == (to_tag or "ours")  # 9.2: the tag of the INVITE's responses
    assert len(bench.core.cancels) == 1
    invite.respond(487, bench.now, to_tag="ours")
    bench.receive(text("CANCEL", branch=branch, to_tag=to_tag))  # a retransmission
    assert len(bench.core.cancels) == 1 and bench.last.status == 200
    bench.run(100)
    assert bench.is_clean()


@pytest.mark.parametrize("status", [200, 486])
def test_a_cancel_that_comes_too_late_changes_nothing(bench: Bench, status: int) -> None:
    bench.receive(text())
    bench.core.requests[0][1].respond(status, bench.now, to_tag="ours")
    bench.receive(text("CANCEL"))
    assert bench.last.status == 200 and bench.core.cancels == []


@pytest.mark.parametrize("before", [[], ["BYE"], ["INVITE of another branch"]])
def test_a_cancel_of_nothing(bench: Bench, before: list[str]) -> None:
    for one in before:
        bench.receive(text("BYE") if one == "BYE" else text(branch="z9hG4bKother"))
    kept = len(bench.layer)
    bench.receive(text("CANCEL"))
    assert bench.last.status == 481 and bench.last.to_tag
    assert bench.core.cancels == [] and len(bench.layer) == kept, "a flood of them fills nothing"


def test_a_cancel_of_nothing_is_judged_like_any_request(bench: Bench) -> None:
    bench.core.stateless = True
    bench.receive(text("CANCEL"))
    assert bench.sent == []


# --- responses -----------------------------------------------------------------------------------------------------


class Listener:
    def __init__(self) -> None:
        self.heard: list[int] = []

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        self.heard.append(response.status)

    def on_failure(self, status: int, now: float) -> None:
        self.heard.append(-status)


def ask(bench: Bench, method: str = "INVITE", hop: Hop = PEER, branch: str = "z9hG4bKours") -> Listener:
    listener = Listener()
    data = text(method, via=f"SIP/2.0/UDP 192.0.2.100:5060;branch={branch}").encode()
    bench.layer.request(data, branch, method, hop, listener, bench.now)
    return listener


def test_a_response_finds_its_request_by_branch_and_method(bench: Bench) -> None:
    """RFC 3261 17.1.3: a CANCEL has the branch of its INVITE."""
    invite, cancel = ask(bench), ask(bench, "CANCEL")
    bench.receive(response(200, "z9hG4bKours", "CANCEL"))
    bench.receive(response(487, "z9hG4bKours"))
    assert (invite.heard, cancel.heard) == ([487], [200])
    bench.run(100)
    assert bench.is_clean()


@pytest.mark.parametrize("data", [response(200, "z9hG4bKx"), response(200, "z9hG4bKours", "BYE")])
def test_a_response_to_nothing_is_counted_and_dropped(bench: Bench, data: str) -> None:
    listener = ask(bench)
    bench.receive(data)
    assert listener.heard == [] and bench.counters["sip_responses_unmatched"] == 1


def test_a_response_does_not_reach_a_server_transaction(bench: Bench) -> None:
    bench.receive(text("BYE"))
    bench.receive(response(200, "z9hG4bKa", "BYE"))
    assert bench.counters["sip_responses_unmatched"] == 1 and bench.sent == []


def test_a_late_response_is_counted(bench: Bench) -> None:
    listener = ask(bench, "BYE")
    for status in (200, 200, 404):
        bench.receive(response(status, "z9hG4bKours", "BYE"))
    assert listener.heard == [200] and bench.counters["sip_responses_late"] == 2


def test_pending_clients(bench: Bench) -> None:
    ask(bench)
    assert bench.layer.pending_clients == 1
    bench.receive(response(180, "z9hG4bKours"))
    assert bench.layer.pending_clients == 1
    bench.receive(response(404, "z9hG4bKours"))
    assert bench.layer.pending_clients == 0


def test_a_transport_that_fails_ends_its_requests_alone(bench: Bench) -> None:
    lost, kept = ask(bench, "BYE", TCP), ask(bench, "INVITE", OTHER)
    bench.layer.transport_failed(TCP, bench.now)
    assert lost.heard == [-503] and kept.heard == []


class Unsearched(dict[tuple[str, ...], Transaction]):
    """A table that is too large to be gone through."""

    def values(self) -> Any:
        raise AssertionError("all transactions were searched")

    __iter__ = items = values


def test_a_connection_that_fails_costs_no_search_of_all_transactions(bench: Bench) -> None:
    asked = [ask(bench, "BYE", Hop("tcp", "198.51.100.7", port), f"z9hG4bK{port}") for port in range(5060, 5070)]
    ask(bench, "INVITE", OTHER)
    bench.layer._transactions = Unsearched(bench.layer._transactions)
    bench.layer.transport_failed(Hop("tcp", "198.51.100.7", 5063), bench.now)
    assert [one.heard for one in asked].count([-503]) == 1 and asked[3].heard == [-503]
    bench.run(40)
    assert not len(bench.layer) and not bench.layer._by_connection


def test_what_falls_back_to_udp_fails_with_its_connection_no_more(bench: Bench) -> None:
    bench.layer.by_stream = lambda data, hop: (data, TCP)
    listener = ask(bench, "BYE")
    bench.layer.transport_failed(TCP, bench.now, sent=False)
    bench.layer.transport_failed(TCP, bench.now)
    assert bench.sent[-1][1].transport == "udp" and listener.heard == []
    bench.receive(response(200, "z9hG4bKours", "BYE"))
    bench.run(40)
    assert listener.heard == [200] and bench.is_clean()


# --- where responses go --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("via", "goes_to", "stamp"),
    [
        ("SIP/2.0/UDP 198.51.100.7:5070;branch=z9hG4bKa", ("198.51.100.7", 5070), ""),
        ("SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKa", ("198.51.100.7", 5060), ""),
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa", ("198.51.100.7", 5070), ";received=198.51.100.7"),
        ("SIP/2.0/UDP phone.local;branch=z9hG4bKa", ("198.51.100.7", 5060), ";received=198.51.100.7"),
        ("SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bKa", ("198.51.100.7", 5062), "rport=5062"),
        ("SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bKa;rport", ("198.51.100.7", 5062), ";received=198.51.100.7"),
        ("SIP/2.0/UDP h;maddr=203.0.113.9;branch=z9hG4bKa", ("198.51.100.7", 5060), ""),
        ("SIP/2.0/UDP h;received=203.0.113.9;branch=z9hG4bKa", ("198.51.100.7", 5060), ";received=198.51.100.7"),
    ],
)
@pytest.mark.parametrize("malformed", [False, True])
def test_over_udp(bench: Bench, via: str, goes_to: tuple[str, int], stamp: str, malformed: bool) -> None:
    """RFC 3261 18.2.1, 18.2.2; RFC 3581 4. `received` and `maddr` of the sender's own making aim at nobody."""
    data = text("BYE", via=via)
    bench.receive(data.replace("Contact:", "Subject\r\nContact:") if malformed else data)
    if not malformed:
        bench.core.requests[0][1].respond(200, bench.now)
    ((answer, hop),) = bench.sent
    assert (hop.host, hop.port) == goes_to
    assert stamp in bench.last.via and answer.startswith(b"SIP/2.0 400" if malformed else b"SIP/2.0 200")


def test_over_a_stream_they_take_it_back(bench: Bench) -> None:
    bench.receive(text("BYE", via="SIP/2.0/TCP 203.0.113.9:5090;branch=z9hG4bKa"), TCP)
    bench.core.requests[0][1].respond(200, bench.now)
    assert bench.sent[0][1] == TCP
    bench.run(0.1)
    assert bench.is_clean()  # timer J is 0 there


@pytest.mark.parametrize(
    "via",
    [
        "x",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP h:0;branch=z9hG4bKa",
        "SIP/2.0/UDP h:99999;branch=z9hG4bKa",
        ",,,",
        "SIP/3.0/UDP h",
        ";rport",
    ],
)
def test_a_via_that_cant_be_read_comes_back_to_where_it_came_from(bench: Bench, via: str) -> None:
    bench.receive(text("BYE", via=via))
    ((answer, hop),) = bench.sent
    assert answer.startswith(b"SIP/2.0 400 ") and hop.host == PEER.host
    assert bench.counters["sip_malformed"] == 1 and bench.is_clean()


def test_what_is_never_answered(bench: Bench) -> None:
    ack = text("ACK").replace("Contact:", "Subject\r\nContact:")
    without_via = text("BYE").replace("Via: ", "Vi: ")
    for data in (ack, without_via, "GET / HTTP/1.1\r\n\r\n", "\x00" * 20, "", response(200, "b").replace("CSeq", "X")):
        bench.receive(data)
    assert bench.sent == [] and bench.counters["sip_malformed_dropped"] == bench.counters["sip_malformed"] == 6


def test_mistakes_beyond_what_is_borne_are_not_answered(bench: Bench) -> None:
    asked: list[Hop] = []

    def bears(hop: Hop, now: float) -> bool:
        asked.append(hop)
        return len(asked) <= 2

    bench.layer.bears = bears
    for _ in range(3):
        bench.receive(text("BYE").replace("Contact:", "Subject\r\nContact:"))
    assert len(bench.sent) == 2 and asked == [PEER] * 3 and bench.counters["sip_malformed_dropped"] == 1


def test_a_stream_with_more_mistakes_than_are_borne(bench: Bench) -> None:
    """Answered or not, they count: its peer has not written another's address."""
    cut: list[Hop] = []
    bench.layer.bears = lambda hop, now: not bench.sent
    bench.layer.cut_off = cut.append
    hop = PEER._replace(transport="tcp")
    for data in ("\x00" * 20, text("BYE").replace("Contact:", "Subject\r\nContact:"), "\x00" * 20):
        assert cut == []
        bench.receive(data, hop)
    assert cut == [hop] and bench.counters["sip_malformed_dropped"] == 2


@pytest.mark.parametrize(("once", "sent"), [(False, 11), (True, 1)])
def test_a_refusal_that_is_said_once(bench: Bench, once: bool, sent: int) -> None:
    """RFC 3261 26.3.2.4: no more goes to an address that may be forged than came in its name."""
    bench.receive(text())
    bench.core.requests[0][1].respond(401, bench.now, to_tag="t", once=once)
    bench.run(100)
    assert len(bench.sent) == sent and bench.is_clean()


def test_what_was_said_once_is_said_again_to_who_asks_again(bench: Bench) -> None:
    bench.receive(text())
    bench.core.requests[0][1].respond(401, bench.now, to_tag="t", once=True)
    bench.receive(text())
    assert [status for status, _ in bench.responses()] == [401, 401]


def test_a_tag_is_not_added_to_a_malformed_request_that_has_one(bench: Bench) -> None:
    bench.receive(text("BYE", to_tag="theirs").replace("1 BYE", "BYE"))
    assert bench.sent[0][0].count(b"tag=") == 2


# --- two layers over a bad network ---------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3, 0.5, 1.0])
def test_calls_over_a_bad_network(loss: float) -> None:
    """INVITE, CANCEL, ACK and BYE in every order that loss, duplication and reordering make of them. Whatever happens,
    both sides end up with nothing, no request is served twice, and the sides agree on what became of the call."""
    for seed in range(150):
        network = LossyNetwork(seed, loss)
        for number in range(3):
            network.call(number)
        network.run(300.0)
        assert network.left() == {}, seed
        network.check()
        if loss == 0.0:
            assert not any(call.outcome == "failure" for call in network.calls.values())
        if loss == 1.0:
            assert all(call.outcome == "failure" for call in network.calls.values())
