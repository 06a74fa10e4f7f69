"""The site's sound: ports, codecs, prompts, the processes that make it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from config.fields import Codecs, Expected, OneOrMany, PortRange, PortRangeText
from config.model import Model
from config.rtpengine import Rtpengine, RtpengineText

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


#: How keys go between us and a peer.
Dtmf = Literal["auto", "rfc4733", "info", "inband"]

#: What happens to a leg whose peer is silent.
OnSilence = Literal["end", "tell"]

#: A peer's own time until it counts as silent; None: the site's.
OwnSilence = Annotated[float, Field(ge=1, le=86_400)] | Literal["never"] | None


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
    handshake_s: float = Field(default=15, ge=1, le=60)


class Media(Model):
    """Audio: the RTP port range, the codecs in order of preference (a trunk or an extension may have its own), the
    folder of prompts (NAME.wav, mp3, opus, ogg or flac is the prompt NAME, NAME.txt is spoken). `ringing` is the prompt
    that a caller who is answered already hears, again and again, while a phone rings. `loudness_db` brings all prompts
    to one level; `prompts_mb` is the memory they may take, `prompt_cache` the folder where converted ones are kept.

    `workers` processes share the ports, each on its own CPU of `cpus` if that is given. A server that dies leaves their
    sound flowing for `grace_s`. A leg whose phone sends nothing for `silent_after_s`, though it should, is over
    (`end`), or that is only told (`tell`); a trunk or an extension may have both of its own.

    `backend` is who carries the sound: workers of our own, or daemons of `rtpengine`."""

    ports: PortRangeText = PortRange(20000, 29999)
    codecs: Codecs = ("PCMA", "PCMU")
    prompts: str | None = None
    ringing: str | None = "tone:ringback"
    srtp: SrtpText = Srtp(policy="off")
    dtls: Dtls = Dtls()
    loudness_db: float | None = Field(default=None, ge=-40, le=-6)
    prompts_mb: int = Field(default=512, ge=1)
    prompt_cache: str | None = None
    workers: int = Field(default=1, ge=1, le=64)
    cpus: tuple[Annotated[int, Field(ge=0)], ...] = ()
    grace_s: float = Field(default=30.0, ge=0, le=3600)
    silent_after_s: float | None = Field(default=300.0, ge=1, le=86_400)
    on_silence: OnSilence = "end"
    backend: Literal["worker", "rtpengine"] = "worker"
    rtpengine: RtpengineText = Rtpengine()

    @model_validator(mode="after")
    def _every_worker_has_ports(self) -> Self:
        pairs = (self.ports.last - self.ports.first + 1) // 2
        if pairs < self.workers:
            raise ValueError(f"{self.workers} workers share {pairs} pairs of ports: each needs one at least")
        return self
