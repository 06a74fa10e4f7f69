"""Checks and handshakes without sockets: a client of OpenSSL on the other side, a clock that is told."""

from __future__ import annotations

import struct

import pytest

from media.security import OwnCertificate
from media.worker import handshakes, stun
from media.worker.dtls import Association, HandshakeFailed, Keys, make_context
from media.worker.handshakes import NO_HANDSHAKE, TOO_LATE, WRONG_CERTIFICATE, Handshakes

HEAD = struct.Struct("=BBHIII16s")
SUITES = ["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"]
CIPHERS = ["ECDHE+AESGCM"]
HERE = (4, 5000, bytes([192, 0, 2, 1]) + bytes(12))
THERE = (4, 6000, bytes([192, 0, 2, 2]) + bytes(12))
UFRAG, PWD = "uFrA", "p" * 22
OURS, THEIRS = OwnCertificate.make(), OwnCertificate.make()
SEND, SET_KEYS, FOUND, FAILED, SILENT, NO_KEYS = range(1, 7)
Message = tuple[int, tuple[int, int, bytes], int, bytes]  # op, address, number, payload


def digest_of(certificate: OwnCertificate) -> bytes:
    return bytes.fromhex(certificate.fingerprint.removeprefix("sha-256 ").replace(":", ""))


class Side:
    """The thread's core, as the loop sees it; one port."""

    def __init__(self) -> None:
        self.core = Handshakes()
        self.core.configure(
            {"certificate": OURS.pem.decode(), "ciphers": CIPHERS, "suites": SUITES, "handshake_s": 15.0}
        )

    def tell(self, op: int, payload: bytes = b"", at: tuple[int, int, bytes] = HERE, now: float = 0.0) -> list[Message]:
        return self.read(self.core.receive(HEAD.pack(op, at[0], at[1], 7, 1, 0, at[2]) + payload, now))

    def begin(self, *, active: bool = False, ice: bool = True, digest: bytes | None = None) -> list[Message]:
        digest = digest_of(THEIRS) if digest is None else digest
        flags = active | ice << 1
        return self.tell(2, struct.pack("=BBxx8s24s48s", flags, 1, UFRAG.encode(), PWD.encode(), digest))

    def check(self, at: tuple[int, int, bytes] = HERE, now: float = 0.0, nominate: bool = False) -> list[Message]:
        more = [(stun.USE_CANDIDATE, b"")] if nominate else []
        request = stun.seal(stun.REQUEST, bytes(12), [(stun.USERNAME, f"{UFRAG}:x".encode()), *more], PWD)
        return self.tell(3, request, at, now)

    def tick(self, now: float) -> list[Message]:
        return self.read(self.core.tick(now))

    @staticmethod
    def read(messages: list[bytes]) -> list[Message]:
        said = []
        for message in messages:
            op, family, port, index, generation, number, host = HEAD.unpack_from(message)
            assert (index, generation) == (7, 1)
            said.append((op, (family, port, host), number, message[HEAD.size :]))
        return said


def client(active: bool = True, suites: list[str] = SUITES, digest: bytes | None = None) -> Association:
    context = make_context(THEIRS.pem, CIPHERS, suites)
    return Association(context, active, 1, digest_of(OURS) if digest is None else digest)


def shake(side: Side, peer: Association, packets: list[bytes], lose: int = -1) -> list[Message]:
    """Until nobody has more to say; what the loop was told but packets."""
    told: list[Message] = []
    while packets:
        answers: list[bytes] = []
        for packet in packets:
            for op, address, number, payload in side.tell(3, packet):
                if op == SEND:
                    answers.append(payload)
                else:
                    told.append((op, address, number, payload))
        packets = [one for answer in answers for one in peer.receive(answer)]
    return told


def keys_of(told: list[Message]) -> Keys:
    ((op, _, profile, payload),) = told
    assert op == SET_KEYS
    size = 28 if profile == 5 else 30
    return Keys(profile, payload[:size], payload[46 : 46 + size])


@pytest.mark.parametrize(("suites", "profile"), [(SUITES, 5), (SUITES[1:], 1)])
def test_the_peer_begins(suites: list[str], profile: int) -> None:
    side, peer = Side(), client(suites=suites)
    assert side.begin() == []
    assert [op for op, *_ in side.check()] == [SEND, FOUND]
    keys = keys_of(shake(side, peer, peer.proceed()))
    assert peer.keys == Keys(profile, keys.send, keys.receive)
    assert keys.profile == profile and keys.send != keys.receive


def test_we_begin_when_we_know_where() -> None:
    side, peer = Side(), client(active=False)
    assert side.begin(active=True) == []
    said = side.check()
    assert [op for op, *_ in said] == [SEND, FOUND, SEND]
    packets = [one for one in peer.receive(said[2][3])]
    keys = keys_of(shake(side, peer, packets))
    assert peer.keys == Keys(keys.profile, keys.send, keys.receive)


def test_without_ice_we_begin_at_once() -> None:
    ((op, address, _, packet),) = Side().begin(active=True, ice=False)
    assert (op, address) == (SEND, HERE) and packet[0] == 22


def test_another_certificate() -> None:
    side, peer = Side(), client()
    side.begin(digest=bytes(32))
    side.check()
    assert [(op, number) for op, _, number, _ in shake(side, peer, peer.proceed())] == [(FAILED, WRONG_CERTIFICATE)]


def test_no_profile_in_common() -> None:
    side, peer = Side(), client(suites=["AES_CM_128_HMAC_SHA1_32"])
    side.begin()
    side.check()
    with pytest.raises(HandshakeFailed):
        shake(side, peer, peer.proceed())
        raise HandshakeFailed  # who notices first is not said


def test_nothing_is_begun_before_a_check() -> None:
    side = Side()
    side.begin(active=True)
    assert side.tick(1.0) == []


def test_too_late() -> None:
    side = Side()
    side.begin()
    assert side.tick(14.9) == []
    assert [(op, number) for op, _, number, _ in side.tick(15.0)] == [(FAILED, TOO_LATE)]
    assert side.tick(16.0) == []


def test_not_configured() -> None:
    side = Side()
    side.core = Handshakes()
    assert [(op, number) for op, _, number, _ in side.begin()] == [(FAILED, NO_HANDSHAKE)]


def test_the_same_again_changes_nothing_and_another_begins_anew() -> None:
    side, peer = Side(), client()
    side.begin()
    side.check()
    shake(side, peer, peer.proceed())
    assert side.begin() == []
    assert [op for op, *_ in side.begin(digest=b"x" * 32)] == [NO_KEYS]


def test_where_the_peer_is() -> None:
    side = Side()
    side.begin()
    assert [op for op, *_ in side.check(HERE)] == [SEND, FOUND]
    assert [op for op, *_ in side.check(THERE)] == [SEND]  # valid, but not chosen
    said = side.check(THERE, nominate=True)
    assert [op for op, *_ in said] == [SEND, FOUND] and said[1][1] == THERE
    forged = stun.seal(stun.REQUEST, bytes(12), [(stun.USERNAME, f"{UFRAG}:x".encode())], "guessed")
    assert [op for op, *_ in side.tell(3, forged, HERE)] == [SEND]  # 401


def test_consent() -> None:
    """RFC 7675: after 30 s without a check nothing may be sent, until one comes."""
    side = Side()
    side.begin()
    side.check(now=1.0)
    assert side.tick(14.0) == []
    assert SILENT in [op for op, *_ in side.tick(1.1 + handshakes.CONSENT_S)]
    assert [op for op, *_ in side.check(now=40.0)] == [SEND, FOUND]


def test_lost_flights_are_repeated() -> None:
    """OpenSSL repeats after a second by its own clock: what it would send then is the same flight."""
    peer = client()
    first = peer.proceed()
    timeout_s = peer.timeout_s
    assert first and timeout_s is not None and 0 < timeout_s <= 1.0


def test_a_lease_that_is_over() -> None:
    side = Side()
    side.begin()
    side.tell(4)
    assert len(side.core) == 0 and side.check() == []


def test_rubbish() -> None:
    side = Side()
    side.begin()
    side.check()
    for packet in (b"\x16", b"\x16\xfe\xfd" + bytes(10), b"\x17" * 100):
        assert side.tell(3, packet) == []
    assert [op for op, *_ in side.check(nominate=True)] == [SEND]
