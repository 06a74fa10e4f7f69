"""Nobody learns which users exist: the same answers to the byte and the same work, for those who do and who do not."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest

from pbx.sip import digest
from pbx.sip.digest import DigestClient, choose_challenge
from pbx.sip.message import Response, parse

from .world import Phone, World

KNOWN, UNKNOWN = "101", "999"
METHODS = ("REGISTER", "INVITE", "SUBSCRIBE", "MESSAGE", "OPTIONS", "REFER", "PUBLISH", "BYE", "INFO", "NOTIFY")
GUEST = "203.0.113.50"


def request(phone: Phone, method: str, user: str, number: int, headers: str = "", to_tag: str = "") -> bytes:
    """Send a request about `user`; the final response as it came."""
    tag = f";tag={to_tag}" if to_tag else ""
    phone.send(
        f"{method} sip:{user}@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP {GUEST}:5060;branch=z9hG4bK{method}{number}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{user}@192.0.2.100>;tag=f\r\nTo: <sip:{user}@192.0.2.100>{tag}\r\n"
        f"Call-ID: {method}-{number}\r\nCSeq: {number} {method}\r\nContact: <sip:{user}@{GUEST}>\r\n"
        f"Event: dialog\r\n{headers}Content-Length: 0\r\n\r\n"
    )
    while True:
        data = phone.inbox.pop(0)
        response = parse(data)
        assert isinstance(response, Response)
        if response.status >= 200:
            return data


def told(data: bytes) -> str:
    """A response without what is random in any: nonce, our tag. User names are as long as each other."""
    text = data.decode().replace(UNKNOWN, KNOWN)
    text = re.sub(r'nonce="[0-9a-f]+"', 'nonce=""', text)
    return re.sub(r"(?m)^(To: .*;tag=)[0-9a-f]+", r"\1", text)


def credentials(method: str, user: str, asked: bytes, password: str) -> str:
    response = parse(asked)
    challenge = choose_challenge(response.all("WWW-Authenticate"))
    assert challenge is not None
    value = DigestClient(challenge, user, password).credentials(method, "sip:192.0.2.100", "c0ffee00")
    return f"Authorization: {value}\r\n"


@pytest.fixture
def guest(world: World) -> Phone:
    return world.phone(GUEST)


@pytest.mark.parametrize("method", METHODS)
def test_strangers_get_the_same_answer_to_the_byte(world: World, guest: Phone, method: str) -> None:
    for served in ("SUBSCRIBE", "MESSAGE"):
        world.switch.serve(served, lambda request, transaction, identity, now: None)
    world.register(KNOWN, world.phone("192.0.2.1"))
    known = told(request(guest, method, KNOWN, 1))
    unknown = told(request(guest, method, UNKNOWN, 1 + 10**6)).replace(str(1 + 10**6), "1")
    assert known == unknown
    assert not known.startswith(("SIP/2.0 404", "SIP/2.0 484", "SIP/2.0 480"))


@pytest.mark.parametrize("method", ["INVITE", "SUBSCRIBE", "REGISTER"])
@pytest.mark.parametrize("wrong", ["password", "nonce"])
def test_wrong_credentials_get_the_same_answer(world: World, guest: Phone, method: str, wrong: str) -> None:
    world.switch.serve("SUBSCRIBE", lambda request, transaction, identity, now: None)
    answers = []
    for user in (KNOWN, UNKNOWN):
        asked = request(guest, method, user, 1)
        line = credentials(method, user, asked, "guess")
        if wrong == "nonce":
            line = re.sub('nonce="....', 'nonce="0000', line)
        answers.append(told(request(guest, method, user, 2, line)))
        world.run(64)
    assert answers[0] == answers[1]
    assert answers[0].startswith("SIP/2.0 403" if wrong == "password" else "SIP/2.0 401")


def test_another_users_registration_is_refused_alike(world: World, guest: Phone) -> None:
    """Who has one password learns of no other extension by it."""
    answers = []
    for user in ("102", UNKNOWN):
        asked = request(guest, "REGISTER", KNOWN, 1)
        world.run(64)
        line = credentials("REGISTER", KNOWN, asked, "secret")
        answers.append(told(request(guest, "REGISTER", user, 2, line)).replace("102", KNOWN))
        world.run(64)
    assert answers[0] == answers[1] and answers[0].startswith("SIP/2.0 403")


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The sizes of what is hashed, in order: the work that an answer takes, without a clock."""
    sizes: list[int] = []

    def counted(name: str) -> object:
        def digest_of(data: bytes) -> str:
            sizes.append(len(data))
            return hashlib.new(name, data, usedforsecurity=False).hexdigest()

        return digest_of

    monkeypatch.setattr(digest, "_HASHES", {"MD5": counted("md5"), "SHA-256": counted("sha256")})
    yield sizes


@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
def test_a_wrong_password_takes_the_same_work(world: World, guest: Phone, hashes: list[int], method: str) -> None:
    """The hashes made for users that exist, whether they were ever seen or not, and for those that do not."""
    world.digest.prepare(world.site.extensions)
    work: dict[str, set[tuple[int, ...]]] = {KNOWN: set(), UNKNOWN: set()}
    for number in range(1, 41):
        user = KNOWN if number % 2 else UNKNOWN
        asked = request(guest, method, user, 2 * number)
        line = credentials(method, user, asked, f"guess{number:03d}")
        hashes.clear()
        request(guest, method, user, 2 * number + 1, line)
        work[user].add(tuple(hashes))
    assert work[KNOWN] == work[UNKNOWN] and len(work[KNOWN]) == 1
