"""What is done beside the native loop: STUN checks are answered, DTLS handshakes are made, for all ports of the worker.

`Handshakes` is the core: messages of the loop in, messages to it out; `BesideThread` runs it. The loop's end is
beside.pxi.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Final

from media.worker import stun

if TYPE_CHECKING:
    from OpenSSL import SSL

    from media.worker.dtls import Association

_HEAD: Final = struct.Struct("=BBHIII16s")  # op, family, port, index, generation, number, host
_CONFIGURE, _HANDSHAKE, _PACKET, _FORGET = range(1, 5)
_SEND, _SET_KEYS, _FOUND, _FAILED, _SILENT, _NO_KEYS = range(1, 7)
_KEY_BYTES = 46
_ACTIVE, _ICE = 1, 2
NO_HANDSHAKE, WRONG_CERTIFICATE, TOO_LATE = 2, 3, 4  # reasons, model.pxi has the first
_DIGEST_BYTES = {1: 32, 2: 48, 3: 48}  # of the third the beginning
CONSENT_S = 30.0  # RFC 7675 5.1
_NICE = 5
PERIOD_S = 0.05  # of OpenSSL's timers, which begin with 1 s

Address = tuple[int, int, bytes]  # family, port, host


class _Peer:
    """One port's."""

    __slots__ = ("active", "address", "association", "begun", "deadline", "digest", "hash", "heard", "ice", "key",
                 "pwd", "silent", "ufrag")  # fmt: skip

    def __init__(self, key: tuple[int, int]) -> None:
        self.key = key  # index, generation
        self.association: Association | None = None
        self.address: Address | None = None  # where handshakes go
        self.begun = False
        self.deadline = 0.0  # of the handshake; 0: none is under way
        self.heard = 0.0  # when the last check came
        self.silent = False
        self.ice = self.active = False
        self.hash = 0
        self.digest = b""
        self.ufrag = self.pwd = ""


class Handshakes:
    """By port. Without a configuration every handshake fails."""

    def __init__(self) -> None:
        self._peers: dict[int, _Peer] = {}
        self._context: SSL.Context | None = None
        self._handshake_s = 15.0

    def __len__(self) -> int:
        return len(self._peers)

    @property
    def idle(self) -> bool:
        """No timers run."""
        return not self._peers

    def configure(self, settings: dict[str, object]) -> None:
        """`certificate` (PEM with its key), `ciphers`, `suites`, `handshake_s`."""
        from media.worker.dtls import make_context  # what OpenSSL costs, only sites with DTLS pay

        certificate, ciphers, suites = settings["certificate"], settings["ciphers"], settings["suites"]
        assert isinstance(certificate, str) and isinstance(ciphers, list) and isinstance(suites, list)
        self._context = make_context(certificate.encode(), ciphers, suites)
        self._handshake_s = float(str(settings["handshake_s"]))

    def receive(self, message: bytes, now: float) -> list[bytes]:
        """A message of the loop but CONFIGURE; returns what to tell it."""
        op, family, port, index, generation, _, host = _HEAD.unpack_from(message)
        address, payload = (family, port, host), message[_HEAD.size :]
        if op == _HANDSHAKE:
            return self._begin((index, generation), address, payload, now)
        peer = self._peers.get(index)
        if peer is None or peer.key != (index, generation):
            return []
        if op == _FORGET:
            del self._peers[index]
        elif op == _PACKET and payload[0] < 4:
            return self._on_check(peer, address, payload, now)
        elif op == _PACKET:
            return self._on_dtls(peer, address, payload, now)
        return []

    def tick(self, now: float) -> list[bytes]:
        """Timers: lost flights are repeated, handshakes given up, peers that fell silent are not sent to."""
        said: list[bytes] = []
        for peer in list(self._peers.values()):
            if peer.ice and peer.heard and not peer.silent and now - peer.heard > CONSENT_S:
                peer.silent = True
                said.append(_message(_SILENT, peer))
            if not peer.deadline:
                continue
            if now >= peer.deadline:
                said += self._fail(peer, TOO_LATE)
            elif peer.association is not None and peer.association.timeout_s == 0:
                said += self._proceed(peer, None)
        return said

    # --- inside -------------------------------------------------------------------------------------------------------

    def _begin(self, key: tuple[int, int], address: Address, payload: bytes, now: float) -> list[bytes]:
        """What `connect` says; said again with the same certificate, the keys stay (RFC 8842 5.5)."""
        flags, hash_number, ufrag, pwd, digest = struct.unpack("=BBxx8s24s48s", payload)
        digest = digest[: _DIGEST_BYTES.get(hash_number, 0)]
        peer = self._peers.get(key[0])
        if peer is None or peer.key != key:
            peer = self._peers[key[0]] = _Peer(key)
        peer.ufrag, peer.pwd = ufrag.rstrip(b"\0").decode(), pwd.rstrip(b"\0").decode()
        peer.ice = bool(flags & _ICE)
        if (peer.hash, peer.digest) == (hash_number, digest):
            return []
        said = [_message(_NO_KEYS, peer)] if peer.digest else []
        peer.hash, peer.digest, peer.active = hash_number, digest, bool(flags & _ACTIVE)
        peer.association, peer.begun, peer.deadline = None, False, now + self._handshake_s
        if self._context is None or not digest:
            return said + self._fail(peer, NO_HANDSHAKE)
        from media.worker.dtls import Association

        peer.association = Association(self._context, peer.active, hash_number, digest)
        if not peer.ice:
            peer.address = address
        if peer.active and peer.address is not None and peer.address[0]:
            said += self._start(peer)
        return said

    def _start(self, peer: _Peer) -> list[bytes]:
        peer.begun = True
        return self._proceed(peer, None)

    def _on_check(self, peer: _Peer, address: Address, packet: bytes, now: float) -> list[bytes]:
        """The peer is where its first check comes from, until it nominates another pair (RFC 8445 8.1.1)."""
        family, port, host = address
        text = socket.inet_ntop(socket.AF_INET6 if family == 6 else socket.AF_INET, host[: 16 if family == 6 else 4])
        answer = stun.answer(packet, text, port, peer.ufrag, peer.pwd)
        said = [_message(_SEND, peer, address, answer.packet)] if answer.packet else []
        if not answer.valid:
            return said
        peer.heard = now
        if peer.address is None or answer.nominates or peer.silent:
            if peer.address != address or peer.silent:
                peer.address, peer.silent = address, False
                said.append(_message(_FOUND, peer, address))
            if peer.active and not peer.begun and peer.association is not None:
                said += self._start(peer)
        return said

    def _on_dtls(self, peer: _Peer, address: Address, packet: bytes, now: float) -> list[bytes]:
        if peer.association is None:
            return []
        if not peer.ice:
            peer.address = address
        return self._proceed(peer, packet)

    def _proceed(self, peer: _Peer, packet: bytes | None) -> list[bytes]:
        from media.worker.dtls import HandshakeFailed, WrongCertificate

        association = peer.association
        assert association is not None and peer.address is not None
        fresh = association.keys is None
        try:
            packets = association.proceed() if packet is None else association.receive(packet)
        except WrongCertificate:
            return self._fail(peer, WRONG_CERTIFICATE)
        except HandshakeFailed:
            return self._fail(peer, NO_HANDSHAKE)
        said = [_message(_SEND, peer, peer.address, one) for one in packets]
        if fresh and association.keys is not None:
            peer.deadline = 0.0
            profile, receive, send = association.keys
            both = receive.ljust(_KEY_BYTES, b"\0") + send.ljust(_KEY_BYTES, b"\0")
            said.append(_message(_SET_KEYS, peer, peer.address, both, profile))
        return said

    def _fail(self, peer: _Peer, reason: int) -> list[bytes]:
        peer.association, peer.deadline = None, 0.0
        return [_message(_FAILED, peer, number=reason)]


def _message(op: int, peer: _Peer, address: Address = (0, 0, b""), payload: bytes = b"", number: int = 0) -> bytes:
    return _HEAD.pack(op, address[0], address[1], *peer.key, number, address[2]) + payload


class BesideThread(threading.Thread):
    """Ends with the process. `loop_fd` is the loop's end of the socket."""

    def __init__(self) -> None:
        super().__init__(name="beside", daemon=True)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket, self._loop_end = ours, theirs
        theirs.setblocking(False)
        self._handshakes = Handshakes()

    @property
    def loop_fd(self) -> int:
        return self._loop_end.fileno()

    def run(self) -> None:
        with contextlib.suppress(OSError):  # sound comes before handshakes
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        core = self._handshakes
        ticked = 0.0
        while True:
            ready, _, _ = select.select([self._socket], [], [], None if core.idle else PERIOD_S)
            now = time.monotonic()
            said: list[bytes] = []
            if ready:
                message = self._socket.recv(65536)
                if not message:
                    return
                if message[0] == _CONFIGURE:
                    self._configure(_HEAD.unpack_from(message)[5])
                else:
                    said += core.receive(message, now)
            if now - ticked >= PERIOD_S:
                ticked = now
                said += core.tick(now)
            for one in said:
                self._socket.send(one)

    def _configure(self, descriptor: int) -> None:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(0)
            settings = json.load(file)
        os.close(descriptor)
        self._handshakes.configure(settings)
