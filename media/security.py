"""What secures a leg's sound: SRTP keys (RFC 3711, RFC 7714), as SDES brings them or DTLS makes them."""

from __future__ import annotations

import ctypes
import datetime as dt
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from config.schema import Site

#: Suite -> bytes of its master key and of its salt; in the order of the worker's profile numbers, which begin with 1.
SUITES: dict[str, tuple[int, int]] = {
    "AES_CM_128_HMAC_SHA1_80": (16, 14),  # RFC 4568 6.2
    "AES_CM_128_HMAC_SHA1_32": (16, 14),
    "AES_256_CM_HMAC_SHA1_80": (32, 14),  # RFC 6188
    "AES_256_CM_HMAC_SHA1_32": (32, 14),
    "AEAD_AES_128_GCM": (16, 12),  # RFC 7714
    "AEAD_AES_256_GCM": (32, 12),
}
PROFILES = {suite: number for number, suite in enumerate(SUITES, 1)}
LIBRARY = "libcrypto.so.3"
PACKAGE = "libssl3"


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Both directions' master keys, each followed by its salt, in the lengths of SUITES."""

    suite: str
    receive: bytes = field(repr=False)  # the peer's: what it encrypts with
    send: bytes = field(repr=False)  # ours


@dataclass(frozen=True, slots=True)
class Dtls:
    """The keys come of a handshake on the media path, with who has this certificate (RFC 5764)."""

    hash: str  # sha-256, sha-384 or sha-512
    digest: bytes  # of the peer's certificate
    active: bool  # we begin


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """The peer's (RFC 8839 5.4)."""

    ufrag: str
    pwd: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecurityPolicy:
    """What the plane's SRTP and its handshakes may be."""

    suites: tuple[str, ...]  # of DTLS, best first
    ciphers: tuple[str, ...]
    handshake_s: float

    @classmethod
    def of(cls, site: Site) -> SecurityPolicy | None:
        """None: the site has no SRTP."""
        dtls = site.media.dtls
        return cls(site.media.srtp.suites, dtls.ciphers, dtls.handshake_s) if wants_srtp(site) else None


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """What we show in handshakes, made anew with each start; it proves nothing but that it is the one of our SDP."""

    pem: bytes = field(repr=False)  # with its key
    fingerprint: str  # as in a=fingerprint

    @classmethod
    def make(cls) -> OwnCertificate:
        """ECDSA P-256 (RFC 8827 6.5)."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "plateau")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=3650))
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(pem, f"sha-256 {certificate.fingerprint(hashes.SHA256()).hex(':').upper()}")


def wants_srtp(site: Site) -> bool:
    """Whether the sound of anybody may be encrypted."""
    own = {extension.srtp for extension in site.extensions.values()} | {trunk.srtp for trunk in site.trunks.values()}
    return bool({site.media.srtp.policy, *own} & {"optional", "required"})


@lru_cache(maxsize=1)
def srtp_missing() -> str | None:
    """Why this machine can do no SRTP, with the Debian package that helps; None: it can."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return f"SRTP needs the library {LIBRARY}; on Debian or Ubuntu: sudo apt-get install {PACKAGE}"
    return None
