"""The site's sound: ports, codecs, prompts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from config.fields import Codecs, Expected, OneOrMany, PortRange, PortRangeText
from config.model import Model

SrtpPolicy = Literal["off", "optional", "required"]
SrtpSuite = Literal[
    "AEAD_AES_256_GCM",
    "AEAD_AES_128_GCM",
    "AES_256_CM_HMAC_SHA1_80",
    "AES_256_CM_HMAC_SHA1_32",
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
]
DtlsHash = Literal["sha-256", "sha-384", "sha-512"]


class Srtp(Model):
    """Encrypted sound. `off`: neither offered nor taken; `optional`: offered and taken, but plain sound too (RFC 8643);
    `required`: nothing else. `suites` in order of preference. Keys go by SDES (RFC 4568) where the signalling is
    encrypted, elsewhere only if `in_clear_signalling`; else, and for browsers, by DTLS (RFC 5764)."""

    policy: SrtpPolicy = "optional"
    suites: Annotated[tuple[SrtpSuite, ...], OneOrMany] = Field(
        ("AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"), min_length=1
    )
    in_clear_signalling: bool = False


def _srtp(value: Any) -> Any:
    value = "off" if value is False else value  # YAML's off
    return {"policy": value} if isinstance(value, str) else value


SrtpText = Annotated[
    Srtp, BeforeValidator(_srtp, json_schema_input_type=SrtpPolicy | bool | Srtp),
    Expected("off, optional or required; or policy, suites and in_clear_signalling"),
]  # fmt: skip


def _policy(value: Any) -> Any:
    return "off" if value is False else value


OwnSrtp = Annotated[
    SrtpPolicy | None, BeforeValidator(_policy, json_schema_input_type=SrtpPolicy | bool | None),
    Expected("off, optional or required"),
]  # fmt: skip


class Dtls(Model):
    """The handshake that makes SRTP's keys, of version 1.2: the ciphers, in OpenSSL's words and in order of preference,
    and the hashes that a peer's fingerprint may be of. A handshake is given up after `handshake_s`."""

    ciphers: Annotated[tuple[str, ...], OneOrMany] = Field(("ECDHE+AESGCM", "ECDHE+CHACHA20"), min_length=1)
    hashes: Annotated[tuple[DtlsHash, ...], OneOrMany] = Field(("sha-256", "sha-384", "sha-512"), min_length=1)
    handshake_s: float = Field(15, ge=1, le=60)


class Media(Model):
    """Audio: the RTP port range, the codecs in order of preference (a trunk or an extension may have its own), the
    folder of prompts (NAME.wav is prompt NAME). `ringing` is the prompt that a caller who is answered already hears,
    again and again, while a phone rings."""

    ports: PortRangeText = PortRange(20000, 29999)
    codecs: Codecs = ("PCMA", "PCMU")
    prompts: str | None = None
    ringing: str | None = None
    srtp: SrtpText = Srtp(policy="off")
    dtls: Dtls = Dtls()
