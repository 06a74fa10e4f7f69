"""Registering at a carrier: every state with every input, and what is sent, in virtual time."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable

import pytest

from pbx.sip.binding import Binding
from pbx.sip.digest import DigestServer
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response, parse
from pbx.sip.registrar import Registrar
from pbx.sip.registration import _TABLE, MAX_WAIT_S, Account, Registration, State

NOW = 1_700_000_000.0
ACCOUNT = Account(
    "sip:carrier.example.com", "sip:us@carrier.example.com", "us", "pw", "us", "line0123456789", 600
)  # fmt: skip
CONTACT = "sip:us@192.0.2.1:5060;line=line0123456789"
NONCE = 'Digest realm="carrier", nonce="{}", algorithm=MD5, qop="auth"{}'


class Peer:
    """A registration and the carrier's side of it, answer by answer."""

    def __init__(self, account: Account = ACCOUNT, jitter: float = 0.0) -> None:
        tokens = itertools.count()
        self.registration = Registration(account, lambda: f"token{next(tokens)}", lambda: jitter)
        self.now = NOW

    @property
    def state(self) -> State:
        return self.registration.state

    def sent(self) -> Request:
        """The request that is to be sent."""
        assert self.registration.wants_to_send
        self.registration.wants_to_send = False
        request = parse(self.registration.request("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx", "192.0.2.1:5060", "udp"))
        assert isinstance(request, Request)
        self.last = request
        return request

    def answer(self, status: int, *lines: str, reason: str = "Whatever") -> None:
        head = [
            f"SIP/2.0 {status} {reason}", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx", "From: <sip:us@h>;tag=a",
            "To: <sip:us@h>;tag=b", "Call-ID: c", "CSeq: 1 REGISTER", *lines,
        ]  # fmt: skip
        response = parse(("\r\n".join(head) + "\r\n\r\n").encode())
        assert isinstance(response, Response)
        self.registration.receive(response, self.now)

    def wait(self) -> float:
        """Let time pass until something is due; how long it was."""
        due_at = self.registration.due_at
        assert due_at is not None
        passed, self.now = due_at - self.now, due_at
        self.registration.time(self.now)
        return passed

    def registered(self, *lines: str) -> Peer:
        self.registration.start(self.now)
        self.sent()
        self.answer(200, *(lines or (f"Contact: <{CONTACT}>;expires=600",)))
        assert self.state is State.REGISTERED
        return self


def test_what_is_sent_first() -> None:
    peer = Peer()
    peer.registration.start(NOW)
    request = peer.sent()
    assert (request.method, request.uri, request.cseq) == ("REGISTER", "sip:carrier.example.com", 1)
    assert request.get("To") == "<sip:us@carrier.example.com>" and request.from_tag
    assert request.get("Contact") == f"<{CONTACT}>" and request.get("Expires") == "600"
    assert request.get("Authorization") is None and peer.registration.due_at is None


def test_refresh_comes_before_the_end_with_the_same_call_id_and_the_next_cseq() -> None:
    """RFC 3261 10.2.4."""
    for jitter, after_s in ((0.0, 450), (1.0, 540)):
        peer = Peer(jitter=jitter).registered()
        first = peer.last
        assert peer.registration.bound(NOW + 599) and not peer.registration.bound(NOW + 600)
        assert peer.wait() == pytest.approx(after_s)
        second = peer.sent()
        assert (second.call_id, second.from_tag, second.cseq) == (first.call_id, first.from_tag, first.cseq + 1)


@pytest.mark.parametrize(
    ("lines", "granted"),
    [
        ((f"Contact: <sip:other@h>;expires=9999, <{CONTACT}>;expires=120",), 120),
        ((f"Contact: <{CONTACT.replace('192.0.2.1', '198.51.100.1')}>;expires=90", "Expires: 60"), 90),  # rewritten
        (("Contact: <sip:us@192.0.2.1>;expires=90",), 90),
        (("Contact: <sip:a@h>;expires=1, <sip:b@h>;expires=2", "Expires: 300"), 300),
        ((f"Contact: <{CONTACT}>", "Expires: 300"), 300),
        (("Expires: 99999999",), 604_800),
        (("Contact: <<",), 600),
        ((), 600),
    ],
)
def test_what_was_granted(lines: tuple[str, ...], granted: int) -> None:
    peer = Peer()
    peer.registration.start(NOW)
    peer.sent()
    peer.answer(200, *lines)
    assert (peer.state, peer.registration.expires_s) == (State.REGISTERED, granted)


def test_granted_for_no_time_is_a_failure() -> None:
    peer = Peer()
    peer.registration.start(NOW)
    peer.sent()
    peer.answer(200, f"Contact: <{CONTACT}>;expires=0")
    assert (peer.state, peer.registration.last_reason) == (State.WAITING, "registered for no time")


# --- credentials ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "asks", "answers"), [
    (401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization"),
])  # fmt: skip
def test_a_challenge_is_answered_and_its_nonce_used_again(status: int, asks: str, answers: str) -> None:
    peer = Peer()
    peer.registration.start(NOW)
    peer.sent()
    peer.answer(status, f"{asks}: {NONCE.format('n1', '')}")
    request = peer.sent()
    assert request.cseq == 2 and 'nonce="n1"' in (request.get(answers) or "") and "nc=00000001" in str(request.headers)
    peer.answer(200)
    peer.wait()
    assert "nc=00000002" in (peer.sent().get(answers) or "")  # no round trip more
    peer.answer(status, f"{asks}: {NONCE.format('n2', '')}")  # this carrier wants a new one each time
    assert 'nonce="n2"' in (peer.sent().get(answers) or "")
    peer.answer(200)
    assert peer.state is State.REGISTERED


def test_a_wrong_password_is_not_tried_again_at_once() -> None:
    peer = Peer()
    peer.registration.start(NOW)
    peer.sent()
    peer.answer(401, f"WWW-Authenticate: {NONCE.format('n1', '')}")
    peer.sent()
    peer.answer(401, f"WWW-Authenticate: {NONCE.format('n2', '')}", reason="Unauthorized")
    assert (peer.state, peer.registration.last_status) == (State.WAITING, 401)
    assert not peer.registration.wants_to_send
    peer.wait()
    assert peer.sent().get("Authorization") is None  # from the start again


def test_stale_nonces_are_followed_but_not_for_ever() -> None:
    peer = Peer()
    peer.registration.start(NOW)
    for number in range(4):
        peer.sent()
        peer.answer(401, f"WWW-Authenticate: {NONCE.format(f'n{number}', ', stale=true')}")
    assert peer.state is State.WAITING


def test_proxy_and_registrar_may_both_ask() -> None:
    peer = Peer()
    peer.registration.start(NOW)
    peer.sent()
    peer.answer(407, f"Proxy-Authenticate: {NONCE.format('p', '')}")
    peer.sent()
    peer.answer(401, f"WWW-Authenticate: {NONCE.format('r', '')}")
    request = peer.sent()
    assert 'nonce="p"' in (request.get("Proxy-Authorization") or "")
    assert 'nonce="r"' in (request.get("Authorization") or "")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "MD5-sess"])
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_our_own_registrar_is_content(algorithm: str, qop: str) -> None:
    kept: list[Binding] = []

    class Store:
        def contacts(self, aor: str, now: float) -> list[Binding]:
            return kept

        def replace(self, aor: str, bindings: object, now: float) -> None:
            kept[:] = bindings  # type: ignore[call-overload]

    base = algorithm.removesuffix("-sess")
    digest = DigestServer("carrier", b"k", {"us": "pw"}.get, algorithms=(base,))  # type: ignore[arg-type]
    registrar = Registrar(Store(), digest, {"us": 1}.get, counters=Counter())
    peer = Peer()
    peer.registration.start(NOW)
    for _ in range(2):
        reply = registrar.register(peer.sent(), Hop("udp", "192.0.2.1", 5060), NOW)
        lines = reply.headers.replace(f"algorithm={base}", f"algorithm={algorithm}").replace('"auth"', f'"{qop}"')
        peer.answer(reply.status, *lines.strip().split("\r\n"))
    assert peer.state is State.REGISTERED and [one.contact for one in kept] == [CONTACT]
    assert f"qop={qop}" in (peer.last.get("Authorization") or "")
    peer.registration.stop(NOW)
    registrar.register(peer.sent(), Hop("udp", "192.0.2.1", 5060), NOW)
    assert not kept


def test_next_nonce() -> None:
    """RFC 7616 3.5."""
    peer = Peer()
    peer.registration.start(NOW)
    peer.sent()
    peer.answer(401, f"WWW-Authenticate: {NONCE.format('n1', '')}")
    peer.sent()
    peer.answer(200, 'Authentication-Info: nextnonce="n2", qop=auth')
    peer.wait()
    assert re.search(r'nonce="n2".*nc=00000001', peer.sent().get("Authorization") or "")


# --- other answers ----------------------------------------------------------------------------------------------------


def test_too_brief() -> None:
    """10.2.8."""
    peer = Peer()
    peer.registration.start(NOW)
    peer.sent()
    peer.answer(423, "Min-Expires: 1800")
    assert peer.sent().get("Expires") == "1800"
    for least in ("1800", "none", "99999999"):  # no progress
        again = Peer()
        again.registration.start(NOW)
        again.sent()
        again.answer(423, "Min-Expires: 1800")
        again.sent()
        again.answer(423, f"Min-Expires: {least}")
        assert again.state is State.WAITING


def test_moved() -> None:
    """8.1.3.4: 302 for now, 301 for good, until it fails there."""
    for status, next_time in ((302, "sip:carrier.example.com"), (301, "sip:new.example.com")):
        peer = Peer()
        peer.registration.start(NOW)
        peer.sent()
        peer.answer(status, "Contact: <sip:new.example.com?X=y>;q=1, <sip:other.example.com>")
        assert peer.sent().uri == "sip:new.example.com"
        peer.answer(200)
        peer.wait()
        assert peer.sent().uri == next_time
        peer.answer(500)
        peer.wait()
        assert peer.sent().uri == "sip:carrier.example.com"


@pytest.mark.parametrize("contact", ["<mailto:a@b>", "<sips:a@b>", "<sip:é>", '"'])
def test_moved_to_where_nobody_can_go(contact: str) -> None:
    peer = Peer()
    peer.registration.start(NOW)
    peer.sent()
    peer.answer(302, f"Contact: {contact}")
    assert peer.state is State.WAITING


def test_moved_in_a_circle() -> None:
    peer = Peer()
    peer.registration.start(NOW)
    for _ in range(6):
        peer.sent()
        peer.answer(302, "Contact: <sip:carrier.example.com>")
    assert (peer.state, peer.registration.last_status) == (State.WAITING, 302)


def test_waits_grow_and_begin_anew_after_a_success() -> None:
    """RFC 5626 4.5."""
    for jitter, factor in ((0.0, 0.5), (1.0, 1.0)):
        peer = Peer(jitter=jitter)
        peer.registration.start(NOW)
        waits = []
        for _ in range(8):
            peer.sent()
            peer.registration.failed(408, "no answer", peer.now)
            waits.append(peer.wait())
        assert waits == pytest.approx([factor * min(MAX_WAIT_S, 30 * 2**n) for n in range(1, 9)], abs=1e-3)
        peer.sent()
        peer.answer(200)
        assert (peer.registration.failures, peer.registration.last_status) == (0, 0)
        peer.wait()
        peer.sent()
        peer.answer(503)
        assert peer.wait() == pytest.approx(60 * factor, abs=1e-3)


@pytest.mark.parametrize(
    ("value", "wait_s"), [("120", 120), ("120 (busy);duration=60", 120), ("1", 30), ("99999", 3600), ("soon", 30)]
)
def test_retry_after(value: str, wait_s: float) -> None:
    peer = Peer()
    peer.registration.start(NOW)
    peer.sent()
    peer.answer(503, f"Retry-After: {value}")
    assert peer.wait() == pytest.approx(wait_s)


def test_a_failed_refresh_leaves_what_was_granted() -> None:
    peer = Peer().registered()
    peer.wait()
    peer.sent()
    peer.answer(503)
    assert peer.state is State.WAITING and peer.registration.bound(peer.now)
    peer.registration.stop(peer.now)
    assert peer.sent().get("Expires") == "0"


def test_service_route() -> None:
    """RFC 3608."""
    peer = Peer().registered("Service-Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>")
    assert peer.registration.service_route == ("<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>")
    peer.wait()
    peer.sent()
    peer.answer(200)
    assert not peer.registration.service_route


# --- the end ----------------------------------------------------------------------------------------------------------


def test_unregistering_takes_the_same_contact_away() -> None:
    peer = Peer().registered()
    peer.registration.stop(NOW + 1)
    request = peer.sent()
    assert (request.get("Contact"), request.get("Expires"), request.cseq) == (f"<{CONTACT}>", "0", 2)
    peer.answer(401, f"WWW-Authenticate: {NONCE.format('n1', '')}")
    assert peer.sent().get("Expires") == "0"
    peer.answer(200)
    assert peer.state is State.STOPPED and not peer.registration.bound(NOW + 1) and peer.registration.due_at is None


@pytest.mark.parametrize("status", [200, 401, 403])
def test_stopped_while_a_request_is_on_its_way(status: int) -> None:
    """10.2: only one at a time."""
    peer = Peer()
    peer.registration.start(NOW)
    peer.sent()
    peer.registration.stop(NOW)
    assert peer.state is State.LEAVING and not peer.registration.wants_to_send
    peer.answer(status, f"WWW-Authenticate: {NONCE.format('n1', '')}")
    assert peer.state is (State.REMOVING if status == 200 else State.STOPPED)
    assert peer.registration.due_at is None


def test_wanted_again_while_leaving() -> None:
    peer = Peer()
    peer.registration.start(NOW)
    peer.sent()
    peer.registration.stop(NOW)
    peer.registration.start(NOW)
    peer.answer(200)
    assert peer.state is State.REGISTERED


INPUTS: dict[str, Callable[[Peer], None]] = {
    "start": lambda peer: peer.registration.start(peer.now),
    "time": lambda peer: peer.registration.time(peer.now),
    "lost": lambda peer: peer.registration.lost(peer.now),
    "stop": lambda peer: peer.registration.stop(peer.now),
    "again": lambda peer: peer.answer(401, f"WWW-Authenticate: {NONCE.format('n', '')}"),
    "2xx": lambda peer: peer.answer(200, f"Contact: <{CONTACT}>;expires=600"),
    "failed": lambda peer: peer.answer(403),
}


def in_state(state: State, *, bound: bool) -> Peer:
    """A registration brought there by inputs alone."""
    peer = Peer()
    if bound:
        peer.registered()
    if state in (State.REGISTERING, State.WAITING, State.LEAVING):
        (peer.registration.lost if bound else peer.registration.start)(NOW)
        peer.sent()
    if state is State.WAITING:
        peer.registration.failed(503, "no way", NOW)
    elif state is State.LEAVING:
        peer.registration.stop(NOW)
    elif state is State.REMOVING:
        peer.registration.stop(NOW)
        peer.sent()
    elif state is State.STOPPED and bound:
        peer.registration.stop(NOW)
        peer.sent()
        peer.answer(200)
    assert peer.state is state
    return peer


STATES = [(state, bound) for state in State for bound in (False, True)]
STATES = [one for one in STATES if one not in ((State.REGISTERED, False), (State.REMOVING, False))]  # cannot be


@pytest.mark.parametrize(("state", "bound"), STATES)
@pytest.mark.parametrize("kind", INPUTS)
def test_every_state_with_every_input(state: State, kind: str, bound: bool) -> None:
    """The table holds; what is not in it changes nothing; and something is always sent, awaited or due, or it is
    over."""
    peer = in_state(state, bound=bound)
    INPUTS[kind](peer)
    row = _TABLE.get((state, kind))
    expected = state if row is None else row[1]
    if expected is State.REMOVING and state in (State.WAITING, State.LEAVING) and not (bound or kind == "2xx"):
        expected = State.STOPPED  # there is nothing to take away
    registration = peer.registration
    assert registration.state is expected
    sends = row is not None and bool({"begin", "send", "remove"} & {*row[0]}) and expected is not State.STOPPED
    assert registration.wants_to_send == sends
    assert (registration.due_at is not None) == (expected in (State.REGISTERED, State.WAITING))
