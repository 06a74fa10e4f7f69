"""One DTLS handshake that makes SRTP's keys (RFC 5763, RFC 5764), without sockets or clocks of its own.

OpenSSL's timers are its own: `timeout_s` says when it wants to be asked again.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

#: OpenSSL's name -> profile number of the loop, bytes of the master key, of the salt (RFC 5764 4.1.2, RFC 7714 14.2).
PROFILES: Final = {
    b"SRTP_AEAD_AES_256_GCM": (6, 32, 12),
    b"SRTP_AEAD_AES_128_GCM": (5, 16, 12),
    b"SRTP_AES128_CM_SHA1_80": (1, 16, 14),
    b"SRTP_AES128_CM_SHA1_32": (2, 16, 14),
}
NAMES: Final = {
    "AEAD_AES_256_GCM": b"SRTP_AEAD_AES_256_GCM",
    "AEAD_AES_128_GCM": b"SRTP_AEAD_AES_128_GCM",
    "AES_CM_128_HMAC_SHA1_80": b"SRTP_AES128_CM_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32": b"SRTP_AES128_CM_SHA1_32",
}
HASHES: Final[dict[int, hashes.HashAlgorithm]] = {1: hashes.SHA256(), 2: hashes.SHA384(), 3: hashes.SHA512()}
_DTLS_1_2 = 0xFEFD
_DATAGRAM_BYTES = 1200  # what passes everywhere (RFC 8834 4.9 counts on as much)
_LABEL = b"EXTRACTOR-dtls_srtp"


class HandshakeFailed(Exception):
    """No keys will come of it."""


class WrongCertificate(HandshakeFailed):
    """The peer is not who its description says (RFC 8122 6.2)."""


class Keys(NamedTuple):
    """What SRTP needs: each a master key and its salt."""

    profile: int
    receive: bytes
    send: bytes


def make_context(certificate: bytes, ciphers: Sequence[str], suites: Sequence[str]) -> SSL.Context:
    """`certificate`: PEM with its key. Version 1.2 only. ValueError or OpenSSL's error if something of it is wrong."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_min_proto_version(_DTLS_1_2)
    context.use_certificate(x509.load_pem_x509_certificate(certificate))
    context.use_privatekey(load_pem_private_key(certificate, None))  # type: ignore[arg-type]
    context.set_cipher_list(":".join(ciphers).encode())
    context.set_tlsext_use_srtp(b":".join(NAMES[suite] for suite in suites if suite in NAMES))
    # Who it is says the fingerprint, so that certificates sign themselves (RFC 5763 5).
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    context.set_options(SSL.OP_NO_QUERY_MTU | int(ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION))
    return context


class Association:
    """A handshake with one peer, of whose certificate the digest must begin with `digest`."""

    def __init__(self, context: SSL.Context, active: bool, hash_number: int, digest: bytes) -> None:
        self.hash_number, self.digest = hash_number, digest
        self.keys: Keys | None = None
        self._active = active
        self._ssl = SSL.Connection(context, None)
        self._ssl.set_ciphertext_mtu(_DATAGRAM_BYTES)
        if active:
            self._ssl.set_connect_state()
        else:
            self._ssl.set_accept_state()

    @property
    def timeout_s(self) -> float | None:
        """Until `proceed` should be called again, to repeat what was lost."""
        timeout: float | None = None if self.keys is not None else self._ssl.DTLSv1_get_timeout()
        return timeout

    def receive(self, packet: bytes) -> list[bytes]:
        """A packet of the peer; returns what to send. Raises HandshakeFailed."""
        self._ssl.bio_write(packet)
        return self.proceed()

    def proceed(self) -> list[bytes]:
        """Begin, or repeat what was lost. Raises HandshakeFailed."""
        try:
            if self.keys is None:
                self._ssl.DTLSv1_handle_timeout()
                self._ssl.do_handshake()
                self.keys = self._take_keys()
            else:
                self._ssl.recv(1)  # answers what is repeated; nothing else should come (RFC 5764 4.1)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            pass  # the peer closes it: the signalling will say so
        except SSL.Error as error:
            if self.keys is None:
                raise HandshakeFailed(str(error)) from None
        return self._outgoing()

    def _outgoing(self) -> list[bytes]:
        """Whole records, as many as a datagram holds."""
        try:
            data = self._ssl.bio_read(65536)
        except SSL.WantReadError:
            return []
        packets: list[bytes] = []
        packet = b""
        while data:
            size = 13 + int.from_bytes(data[11:13])
            if packet and len(packet) + size > _DATAGRAM_BYTES:
                packets.append(packet)
                packet = b""
            packet, data = packet + data[:size], data[size:]
        return [*packets, packet]

    def _take_keys(self) -> Keys:
        """RFC 5764 4.2: the client's key, the server's, the client's salt, the server's."""
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        if certificate is None or not certificate.fingerprint(HASHES[self.hash_number]).startswith(self.digest):
            raise WrongCertificate("the certificate has another fingerprint")
        known = PROFILES.get(self._ssl.get_selected_srtp_profile())
        if known is None:
            raise HandshakeFailed("no SRTP profile in common")
        profile, key_bytes, salt_bytes = known
        material = self._ssl.export_keying_material(_LABEL, 2 * (key_bytes + salt_bytes))
        salts = material[2 * key_bytes :]
        client = material[:key_bytes] + salts[:salt_bytes]
        server = material[key_bytes : 2 * key_bytes] + salts[salt_bytes:]
        return Keys(profile, server, client) if self._active else Keys(profile, client, server)
