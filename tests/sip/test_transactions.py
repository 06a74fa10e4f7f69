"""The four transactions: every state x input pair of every table, and the timers at their RFC values, in virtual
time."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import product

import pytest

from pbx.sip.client_transaction import ACCEPTED, CALLING, COMPLETED, PROCEEDING, TRYING, InviteClient, NonInviteClient
from pbx.sip.hop import Hop
from pbx.sip.server_transaction import CONFIRMED, InviteServer, NonInviteServer
from pbx.sip.timers import NEVER
from pbx.sip.transaction import TERMINATED, Transaction

from .network import TCP, UDP, FakeNetwork, User, parsed_request, request, response

VIA = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc"


def invite_client(network: FakeNetwork, hop: Hop = UDP) -> tuple[InviteClient, User]:
    user = User()
    return InviteClient(network, ("k",), hop, request(), user, network.now), user


def bye_client(network: FakeNetwork, hop: Hop = UDP) -> tuple[NonInviteClient, User]:
    user = User()
    return NonInviteClient(network, ("k",), hop, request("BYE"), user, network.now), user


def invite_server(network: FakeNetwork, hop: Hop = UDP) -> tuple[InviteServer, User]:
    transaction, user = InviteServer(network, ("k",), hop, parsed_request(), VIA, network.now), User()
    transaction.user = user
    return transaction, user


def bye_server(network: FakeNetwork, hop: Hop = UDP) -> tuple[NonInviteServer, User]:
    return NonInviteServer(network, ("k",), hop, parsed_request("BYE"), VIA), User()


MAKERS: dict[str, Callable[..., tuple[Transaction, User]]] = {
    "invite client": invite_client, "bye client": bye_client, "invite server": invite_server, "bye server": bye_server,
}  # fmt: skip

STATES = {
    "invite client": (CALLING, PROCEEDING, COMPLETED, ACCEPTED),
    "bye client": (TRYING, PROCEEDING, COMPLETED),
    "invite server": (PROCEEDING, COMPLETED, CONFIRMED, ACCEPTED),
    "bye server": (TRYING, PROCEEDING, COMPLETED),
}
CLIENT_INPUTS = ("1xx", "2xx", "300-699", "A", "B", "D", "E", "F", "K", "M", "transport error", "abandoned")
SERVER_INPUTS = ("request", "ACK", "cancel", "send 1xx", "send 2xx", "send 300-699", "100", "G", "H", "I", "J", "L")

#: The next state of every pair that means something; every other pair must be ignored. Written from the RFC's figures.
EXPECTED = {
    "invite client": {
        (CALLING, "1xx"): PROCEEDING, (CALLING, "2xx"): ACCEPTED, (CALLING, "300-699"): COMPLETED,
        (CALLING, "A"): CALLING,
        (CALLING, "B"): TERMINATED, (CALLING, "transport error"): TERMINATED, (PROCEEDING, "1xx"): PROCEEDING,
        (PROCEEDING, "2xx"): ACCEPTED, (PROCEEDING, "300-699"): COMPLETED, (PROCEEDING, "transport error"): TERMINATED,
        (PROCEEDING, "abandoned"): TERMINATED, (COMPLETED, "300-699"): COMPLETED, (COMPLETED, "D"): TERMINATED,
        (COMPLETED, "transport error"): TERMINATED, (ACCEPTED, "2xx"): ACCEPTED, (ACCEPTED, "M"): TERMINATED,
    },
    "bye client": {
        (TRYING, "1xx"): PROCEEDING, (TRYING, "2xx"): COMPLETED, (TRYING, "300-699"): COMPLETED, (TRYING, "E"): TRYING,
        (TRYING, "F"): TERMINATED, (TRYING, "transport error"): TERMINATED, (PROCEEDING, "1xx"): PROCEEDING,
        (PROCEEDING, "2xx"): COMPLETED, (PROCEEDING, "300-699"): COMPLETED, (PROCEEDING, "E"): PROCEEDING,
        (PROCEEDING, "F"): TERMINATED, (PROCEEDING, "transport error"): TERMINATED, (COMPLETED, "K"): TERMINATED,
    },
    "invite server": {
        (PROCEEDING, "request"): PROCEEDING, (PROCEEDING, "send 1xx"): PROCEEDING, (PROCEEDING, "send 2xx"): ACCEPTED,
        (PROCEEDING, "send 300-699"): COMPLETED, (PROCEEDING, "cancel"): PROCEEDING, (PROCEEDING, "100"): PROCEEDING,
        (COMPLETED, "request"): COMPLETED, (COMPLETED, "ACK"): CONFIRMED, (COMPLETED, "G"): COMPLETED,
        (COMPLETED, "H"): TERMINATED, (CONFIRMED, "I"): TERMINATED, (ACCEPTED, "L"): TERMINATED,
    },
    "bye server": {
        (TRYING, "send 1xx"): PROCEEDING, (TRYING, "send 2xx"): COMPLETED, (TRYING, "send 300-699"): COMPLETED,
        (PROCEEDING, "request"): PROCEEDING, (PROCEEDING, "send 1xx"): PROCEEDING, (PROCEEDING, "send 2xx"): COMPLETED,
        (PROCEEDING, "send 300-699"): COMPLETED, (COMPLETED, "request"): COMPLETED, (COMPLETED, "J"): TERMINATED,
    },
}  # fmt: skip

PAIRS = [
    (kind, state, name)
    for kind in MAKERS
    for state, name in product(STATES[kind], CLIENT_INPUTS if "client" in kind else SERVER_INPUTS)
]


def argument_of(name: str) -> object:
    if name.startswith("send"):
        return b"SIP/2.0 200 OK\r\n\r\n"
    if name in ("1xx", "2xx", "300-699"):
        return response({"1xx": 180, "2xx": 200, "300-699": 486}[name])
    return parsed_request("CANCEL") if name == "cancel" else None


@pytest.mark.parametrize(("kind", "state", "name"), PAIRS)
def test_every_pair(kind: str, state: str, name: str) -> None:
    network = FakeNetwork()
    transaction, _ = MAKERS[kind](network)
    transaction.state = state
    expected = EXPECTED[kind].get((state, name))
    assert transaction.input(name, network.now, argument_of(name)) is (expected is not None)
    assert transaction.state == (expected or state)
    assert network.forgotten == ([transaction] if expected == TERMINATED else [])


def test_invite_client_repeats_by_timer_a_and_fails_by_timer_b() -> None:
    """RFC 3261 17.1.1.2: 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s, failure at 32 s."""
    network = FakeNetwork()
    transaction, user = invite_client(network)
    network.run(40)
    assert network.times == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert user.heard == ["failure 408"]
    assert network.forgotten == [transaction]


def test_invite_client_stops_repeating_after_a_provisional_response() -> None:
    network = FakeNetwork()
    transaction, user = invite_client(network)
    transaction.receive(response(180), UDP, network.now)
    network.run(100)
    assert network.times == [0]
    assert user.heard == [180] and transaction.state == PROCEEDING


def test_reliable_transports_repeat_nothing_and_wait_for_nothing() -> None:
    network = FakeNetwork()
    transaction, _ = invite_client(network, TCP)
    network.run(5)
    assert network.times == [0]
    transaction.receive(response(486), TCP, network.now)
    network.run(5.1)
    assert transaction.state == TERMINATED  # timer D is 0 s


def test_refused_invite_is_acknowledged_each_time_it_is_refused() -> None:
    """17.1.1.3: same branch, Request-URI, From, Call-ID and CSeq number, the To of the response."""
    network = FakeNetwork()
    transaction, user = invite_client(network)
    for _ in range(3):
        transaction.receive(response(486, tag="xyz"), UDP, network.now)
    assert network.starts[1:] == ["ACK sip:bob@192.0.2.9 SIP/2.0"] * 3
    ack = network.sent[1][1].decode()
    assert "branch=z9hG4bKabc\r\n" in ack and "tag=xyz\r\n" in ack and "CSeq: 1 ACK\r\n" in ack
    assert user.heard == [486]
    network.run(32.1)
    assert transaction.state == TERMINATED


def test_further_2xx_reach_the_user_for_32_s() -> None:
    """RFC 6026 8.4: timer M."""
    network = FakeNetwork()
    transaction, user = invite_client(network)
    transaction.receive(response(200), UDP, network.now)
    network.run(31.9)
    transaction.receive(response(200, tag="fork"), UDP, network.now)
    assert user.heard == [200, 200]
    network.run(32.1)
    assert not transaction.receive(response(200), UDP, network.now)


def test_bye_client_repeats_by_timer_e_up_to_t2() -> None:
    """17.1.2.2: intervals 0.5, 1, 2, 4, 4, ... s; failure at 32 s."""
    network = FakeNetwork()
    _, user = bye_client(network)
    network.run(40)
    assert network.times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert user.heard == ["failure 408"]


def test_bye_client_repeats_every_t2_once_provisional() -> None:
    network = FakeNetwork()
    transaction, _ = bye_client(network)
    network.run(0.1)
    transaction.receive(response(100, "BYE"), UDP, network.now)
    network.run(9)
    assert network.times == [0, 0.5, 4.5, 8.5]


def test_invite_server_says_trying_after_200_ms_unless_answered() -> None:
    network = FakeNetwork()
    invite_server(network)
    network.run(1)
    assert network.times == [0.2] and network.starts == ["SIP/2.0 100 Trying"]
    network = FakeNetwork()
    transaction, _ = invite_server(network)
    transaction.respond(180, network.now, to_tag="t")
    network.run(1)
    assert network.starts == ["SIP/2.0 180 Ringing"]


def test_invite_server_repeats_its_refusal_until_the_ack() -> None:
    """17.2.1: timer G 0.5, 1, 2, 4, 4 ... s; timer H ends it at 32 s; timer I keeps it 5 s after the ACK."""
    network = FakeNetwork()
    transaction, _ = invite_server(network)
    transaction.respond(486, network.now, to_tag="t")
    network.run(40)
    assert network.times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert network.counters["sip_final_response_unacknowledged"] == 1
    network = FakeNetwork()
    transaction, _ = invite_server(network)
    transaction.respond(486, network.now, to_tag="t")
    assert transaction.input("ACK", network.now)
    network.run(4.9)
    assert network.times == [0] and transaction.state == CONFIRMED
    network.run(5.1)
    assert transaction.state == TERMINATED


def test_invite_server_sends_no_second_final_response() -> None:
    network = FakeNetwork()
    transaction, _ = invite_server(network)
    assert transaction.respond(200, network.now, to_tag="t")
    assert transaction.respond(487, network.now, to_tag="t") == b""
    assert network.starts == ["SIP/2.0 200 OK"]


def test_a_repeated_request_gets_the_last_response_again() -> None:
    network = FakeNetwork()
    transaction, _ = bye_server(network)
    assert not transaction.input("request", network.now)  # nothing said yet
    transaction.respond(200, network.now)
    transaction.input("request", network.now)
    assert network.starts == ["SIP/2.0 200 OK"] * 2
    network.run(32.1)
    assert transaction.state == TERMINATED


def respond_with(status: int) -> Callable[[Transaction, float], None]:
    def drive(transaction: Transaction, now: float) -> None:
        assert isinstance(transaction, InviteServer | NonInviteServer)
        transaction.respond(status, now, to_tag="t")

    return drive


def receive(status: int, method: str = "INVITE") -> Callable[[Transaction, float], None]:
    def drive(transaction: Transaction, now: float) -> None:
        assert isinstance(transaction, InviteClient | NonInviteClient)
        transaction.receive(response(status, method), UDP, now)

    return drive


def refuse_and_hear_the_ack(transaction: Transaction, now: float) -> None:
    respond_with(486)(transaction, now)
    assert transaction.input("ACK", now)


def nothing(transaction: Transaction, now: float) -> None: ...


BACK_OFF = [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]  # doubling
EVERY_T2 = [0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]  # 17.1.2.2, once provisional
BACK_OFF_TO_T2 = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]  # doubling up to 4 s

#: RFC 3261 17 table 4 and RFC 6026 8.11, row by row: what begins it; over UDP when something is sent and when the
#: transaction is over; over a stream the same. In seconds from its begin.
TIMERS = {
    "A, B: INVITE, no answer": ("invite client", nothing, BACK_OFF, 32, [0], 32),
    "D: INVITE refused": ("invite client", receive(486), [0, 0], 32, [0, 0], 0),  # and acknowledged
    "M: INVITE answered": ("invite client", receive(200), [0], 32, [0], 32),
    "E, F: BYE, no answer": ("bye client", nothing, BACK_OFF_TO_T2, 32, [0], 32),
    "E, F: BYE, a provisional answer": ("bye client", receive(100, "BYE"), EVERY_T2, 32, [0], 32),
    "K: BYE answered": ("bye client", receive(200, "BYE"), [0], 5, [0], 0),
    "G, H: INVITE refused by us, no ACK": ("invite server", respond_with(486), BACK_OFF_TO_T2, 32, [0], 32),
    "I: INVITE refused by us, acknowledged": ("invite server", refuse_and_hear_the_ack, [0], 5, [0], 0),
    "L: INVITE answered by us": ("invite server", respond_with(200), [0], 32, [0], 32),
    "J: BYE answered by us": ("bye server", respond_with(200), [0], 32, [0], 0),
}


@pytest.mark.parametrize("hop", [UDP, TCP], ids=["udp", "stream"])
@pytest.mark.parametrize("name", TIMERS)
def test_timers_at_the_values_of_the_rfc(name: str, hop: Hop) -> None:
    kind, drive, udp_sent, udp_over, stream_sent, stream_over = TIMERS[name]
    network = FakeNetwork()
    transaction, _ = MAKERS[kind](network, hop)
    drive(transaction, network.now)
    over = None
    while network.timers.earliest < NEVER:
        network.run(network.timers.earliest - 1000.0)
        if over is None and transaction.state == TERMINATED:
            over = network.now - 1000.0
    assert (network.times, over) == ((udp_sent, udp_over) if hop is UDP else (stream_sent, stream_over))
    assert network.forgotten == [transaction]


def test_ended_transactions_hold_nothing() -> None:
    """The collector is off in the server: nothing may need it."""
    gc.collect()
    for make in MAKERS.values():
        network = FakeNetwork()
        transaction, _ = make(network)
        if isinstance(transaction, InviteServer | NonInviteServer):
            transaction.respond(200, network.now, to_tag="t")
        network.run(100)
        assert transaction.state == TERMINATED
        assert transaction.user is None and transaction.data == b""
        network.forgotten.clear()
        del transaction, network
    assert gc.collect() == 0
