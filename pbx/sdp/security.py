"""How an audio stream is secured, by its lines of the description:

* SDES (RFC 4568, suites of RFC 6188 and RFC 7714): a=crypto brings each side's key, and whoever reads the signalling
  has it;
* DTLS-SRTP (RFC 5763, RFC 5764): a=fingerprint and a=setup, the keys are made on the media path; with ICE, of which we
  are the lite side (RFC 8445 2.5, RFC 8839), for browsers;
* both in an RTP/AVP offer that may be answered without: opportunistic (RFC 8643).

`Secure` is our side of one stream. RTCP on the RTP port (RFC 5761) is taken whoever offers it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from pbx.sdp.errors import BadSdp, NotSecure
from pbx.sdp.sdp import Attributes, Media, Session, first_attribute

#: Suite -> bytes of its master key and salt together.
KEY_BYTES: Final = {
    "AES_CM_128_HMAC_SHA1_80": 30, "AES_CM_128_HMAC_SHA1_32": 30, "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_256_CM_HMAC_SHA1_32": 46, "AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44,
}  # fmt: skip
DIGEST_BYTES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}  # weaker ones prove nothing (RFC 8122 5)
SECURED: Final = frozenset(("RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"))
#: Lines that the quick reading of a description leaves to the whole one.
LINES: Final = ("a=crypto:", "a=fingerprint:", "a=setup:", "a=ice-", "a=rtcp-mux", "a=mid:", "a=group:")
PLAIN, SDES, DTLS = "plain", "sdes", "dtls"

_CRYPTO = re.compile(r"([0-9]{1,9}) +([A-Za-z0-9_]+) +([!-~]+)(?: +([ -~]*[!-~]))? *")
_INLINE = re.compile(r"inline:([A-Za-z0-9+/]+={0,2})(?:\|(?:2\^)?[0-9]+)?")
_FINGERPRINT = re.compile(r"([A-Za-z0-9-]+) +([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*) *")
_ICE = re.compile(r"[A-Za-z0-9+/]{4,256}")
_MID = re.compile(r"[!-~]{1,64}")


class Crypto(NamedTuple):
    """An a=crypto line that we could take (RFC 4568 9.1)."""

    tag: str
    suite: str
    key: bytes


class Security(NamedTuple):
    """What a description says of a stream's security, ICE and multiplexing."""

    cryptos: tuple[Crypto, ...] = ()
    hash: str = ""  # of the certificate that the peer will show, as sha-256
    digest: bytes = b""
    setup: str = ""  # who begins the handshake (RFC 4145 4): active, passive, actpass, holdconn
    ice_ufrag: str = ""
    ice_pwd: str = ""
    rtcp_mux: bool = False
    mid: str = ""
    bundled: bool = False  # the stream's mid is of a BUNDLE group (RFC 8843)


class Means(NamedTuple):
    """How one leg may be secured."""

    policy: str = "off"  # off, optional, required
    suites: tuple[str, ...] = ()  # of SDES, best first; empty: no keys in this signalling
    keys: tuple[bytes, ...] = ()  # ours, one a suite
    fingerprint: str = ""  # of our certificate, as "sha-256 AB:CD..."; "": no DTLS
    web: bool = False  # the peer is a browser: our offers are DTLS-SRTP with ICE
    hashes: tuple[str, ...] = tuple(DIGEST_BYTES)  # of a peer's fingerprint


class Agreed(NamedTuple):
    """SRTP as agreed: by SDES if `suite` is set, else by DTLS."""

    suite: str = ""
    receive: bytes = b""  # the peer's master key and salt
    send: bytes = b""  # ours
    hash: str = ""
    digest: bytes = b""
    active: bool = False  # we begin the handshake
    ice_ufrag: str = ""  # the peer's; "": no ICE
    ice_pwd: str = ""


class Parts(NamedTuple):
    """What a description of ours says: the protocol of its m-line, and lines of the session and of the stream."""

    proto: str
    session: str
    stream: str


OFF: Final = Means()
NOTHING: Final = Security()


def security_of(session: Session, media: Media) -> Security:
    """The stream's lines, or those of the session that stand for all its streams. Raises BadSdp if they can't be read.
    Keys that we can't use are left out."""
    whole = media.attributes
    cryptos = [_crypto(value or "") for name, value in whole if name == "crypto"]
    hash_name, digest = _fingerprint(whole) or _fingerprint(session.attributes) or ("", b"")
    mid = media.first("mid") or ""
    groups = [(value or "").split() for name, value in session.attributes if name == "group"]
    return Security(
        tuple([one for one in cryptos if one is not None]), hash_name, digest,
        media.first("setup") or session.first("setup") or "",
        _ice(media.first("ice-ufrag") or session.first("ice-ufrag")),
        _ice(media.first("ice-pwd") or session.first("ice-pwd")),
        first_attribute(whole, "rtcp-mux") is not None,
        mid if _MID.fullmatch(mid) else "",
        any(group[:1] == ["BUNDLE"] and mid in group[1:] for group in groups),
    )  # fmt: skip


class Secure:
    """Our side of one stream's security. `form` is how it is secured since the last offer or answer."""

    __slots__ = ("_bundled", "_ice", "_mid", "_mux", "_prescribed", "_proto", "form", "ice_pwd", "ice_ufrag", "means")

    def __init__(self, means: Means = OFF) -> None:
        self.means = means
        self.ice_ufrag = self.ice_pwd = ""  # ours; to be set before anything is said, if `means` has DTLS
        self.form = self._first_form()
        self._prescribed = False  # our keys are those of the media plane
        self._proto = ""  # of the session as it stands
        self._mid = "0" if means.web else ""
        self._mux = self._ice = self._bundled = means.web

    def use(self, means: Means) -> None:
        """Other means for the first offer: it goes another way than was thought."""
        self.means = means
        self._mid = "0" if means.web else ""
        self._mux = self._ice = self._bundled = means.web
        self.form = self._first_form()

    def prescribe(self, ufrag: str, pwd: str, fingerprint: str, keys: Mapping[str, bytes] | None) -> None:
        """What the media plane shows at this port: `fingerprint` "" leaves that of the site, `keys` None our own."""
        self.ice_ufrag, self.ice_pwd = ufrag, pwd
        means = self.means
        if fingerprint and means.fingerprint:
            means = means._replace(fingerprint=fingerprint)
        self._prescribed = keys is not None
        if keys is not None:
            suites = tuple([suite for suite in means.suites if suite in keys])
            means = means._replace(suites=suites, keys=tuple([keys[suite] for suite in suites]))
        self.means = means

    def _keep_to(self, agreed: Agreed) -> None:
        """A plane that makes keys has none but that of the suite agreed from now on."""
        if self._prescribed:
            self.means = self.means._replace(suites=(agreed.suite,), keys=(agreed.send,))

    def _first_form(self) -> str:
        means = self.means
        if means.policy == "off":
            return PLAIN
        if means.fingerprint and (means.web or (means.policy == "required" and not means.suites)):
            return DTLS
        return SDES if means.suites else PLAIN

    def offer(self, host: str, port: int) -> Parts:
        """What an offer of ours says. Raises NotSecure if there is nothing that the site would take."""
        means = self.means
        if self.form == PLAIN:
            if means.policy == "required":
                raise NotSecure("SRTP is required, but its keys may not go over this signalling")
            return Parts("RTP/AVP", "", "")
        if self.form == SDES:
            cryptos = [
                _crypto_line(str(tag), suite, key)
                for tag, (suite, key) in enumerate(zip(means.suites, means.keys, strict=True), 1)
            ]
            usual = "RTP/SAVP" if means.policy == "required" else "RTP/AVP"
            return Parts(self._proto or usual, "", "".join(cryptos) + ("a=rtcp-mux\r\n" if self._mux else ""))
        session, lines = self._dtls_lines(host, port, "actpass")
        return Parts(self._proto or ("UDP/TLS/RTP/SAVPF" if means.web else "UDP/TLS/RTP/SAVP"), session, lines)

    def answer(self, theirs: Security, proto: str, host: str, port: int) -> tuple[Parts, Agreed | None]:
        """The answer's lines, and what follows; None: plain RTP. Raises NotSecure."""
        agreed = self.choose(theirs, proto)
        mux = "a=rtcp-mux\r\n" if theirs.rtcp_mux else ""
        self._proto, self._mux, self._mid, self._bundled = proto, theirs.rtcp_mux, theirs.mid, theirs.bundled
        if agreed is None:
            self.form = PLAIN
            return Parts(proto, "", mux), None
        if agreed.suite:
            self.form = SDES
            self._keep_to(agreed)
            tag = next(one.tag for one in theirs.cryptos if one.suite == agreed.suite)
            return Parts(proto, "", _crypto_line(tag, agreed.suite, agreed.send) + mux), agreed
        self.form = DTLS
        self._ice = bool(agreed.ice_ufrag)
        session, lines = self._dtls_lines(host, port, "active" if agreed.active else "passive")
        return Parts(proto, session, lines), agreed

    def answered(self, theirs: Security, proto: str) -> Agreed | None:
        """What the peer's answer to our offer makes of it. Raises NotSecure if that is not what was offered."""
        self._mux = theirs.rtcp_mux
        if self.form == DTLS:
            return self._by_dtls(theirs)
        agreed = self._by_sdes(theirs) if self.form == SDES else None
        if agreed is None:
            if self.form == SDES and (self.means.policy == "required" or proto in SECURED):
                raise NotSecure("no key in the answer")
            self.form = PLAIN
        else:
            self._keep_to(agreed)
        self._proto = proto
        return agreed

    def choose(self, theirs: Security, proto: str) -> Agreed | None:
        """How an offer is to be answered; None: plain RTP. Raises NotSecure if it can't be."""
        means = self.means
        agreed = None
        if means.policy != "off":
            agreed = None if proto.startswith("UDP/TLS") else self._by_sdes(theirs)
            if agreed is None and theirs.digest and means.fingerprint:
                agreed = self._by_dtls(theirs)
        if agreed is None and proto in SECURED:
            raise NotSecure("no SRTP" if means.policy == "off" else "no SRTP that both can do")
        if agreed is None and means.policy == "required":
            raise NotSecure("SRTP is required")
        return agreed

    def _by_sdes(self, theirs: Security) -> Agreed | None:
        """The first of our suites that the peer has a key for (RFC 4568 5.1.2)."""
        for suite, ours in zip(self.means.suites, self.means.keys, strict=True):
            for crypto in theirs.cryptos:
                if crypto.suite == suite:
                    return Agreed(suite, crypto.key, ours)
        return None

    def _by_dtls(self, theirs: Security) -> Agreed:
        """RFC 5763 5: who was offered the choice lets the other begin."""
        if theirs.hash not in self.means.hashes or theirs.setup not in ("active", "passive", "actpass", ""):
            raise NotSecure("no fingerprint, or no role for the handshake")
        ice = bool(theirs.ice_ufrag and theirs.ice_pwd)
        return Agreed(
            hash=theirs.hash, digest=theirs.digest, active=theirs.setup == "passive",
            ice_ufrag=theirs.ice_ufrag if ice else "", ice_pwd=theirs.ice_pwd if ice else "",
        )  # fmt: skip

    def _dtls_lines(self, host: str, port: int, setup: str) -> tuple[str, str]:
        """(session lines, stream lines). One candidate: our address, of the highest priority (RFC 8445 5.1.2.1)."""
        session, lines = "", f"a=fingerprint:{self.means.fingerprint}\r\na=setup:{setup}\r\n"
        if self._bundled:
            session += f"a=group:BUNDLE {self._mid}\r\n"
        if self._mid:
            lines = f"a=mid:{self._mid}\r\n{lines}"
        if self._mux:
            lines += "a=rtcp-mux\r\n"
        if self._ice:
            session += "a=ice-lite\r\na=msid-semantic: WMS plateau\r\n"
            lines += (
                f"a=ice-ufrag:{self.ice_ufrag}\r\na=ice-pwd:{self.ice_pwd}\r\n"
                f"a=candidate:1 1 UDP 2130706431 {host} {port} typ host\r\n"
            )
            if not self._mux:
                lines += f"a=candidate:1 2 UDP 2130706430 {host} {port + 1} typ host\r\n"
            lines += "a=end-of-candidates\r\na=msid:plateau sound\r\n"
        return session, lines


def fingerprint_line(hash_name: str, digest: bytes) -> str:
    """As in a=fingerprint (RFC 8122 5)."""
    return f"{hash_name} {digest.hex(':').upper()}"


def _crypto_line(tag: str, suite: str, key: bytes) -> str:
    return f"a=crypto:{tag} {suite} inline:{base64.b64encode(key).decode()}\r\n"


def _crypto(text: str) -> Crypto | None:
    """RFC 4568 9.1. None if it is for others: an unknown suite, several keys, a master key identifier, or parameters
    that would change what is encrypted (6.3). The size of a window, and what may be ignored, is."""
    found = _CRYPTO.fullmatch(text)
    if found is None:
        raise BadSdp(f"SDP: bad crypto {text.partition(' inline:')[0][:60]!r}")
    suite = found[2].upper()
    inline = _INLINE.fullmatch(found[3])
    if suite not in KEY_BYTES or inline is None:
        return None
    if any(not one.startswith(("WSH=", "-")) for one in (found[4] or "").split()):
        return None
    try:
        key = base64.b64decode(inline[1].rstrip("=") + "=" * (-len(inline[1].rstrip("=")) % 4))
    except binascii.Error:
        return None
    return Crypto(found[1], suite, key) if len(key) == KEY_BYTES[suite] else None


def _fingerprint(attributes: Attributes) -> tuple[str, bytes] | None:
    """The strongest one."""
    best: tuple[str, bytes] | None = None
    for name, value in attributes:
        if name != "fingerprint":
            continue
        found = _FINGERPRINT.fullmatch(value or "")
        if found is None:
            raise BadSdp(f"SDP: bad fingerprint {(value or '')[:60]!r}")
        hash_name, digest = found[1].lower(), bytes.fromhex(found[2].replace(":", ""))
        if DIGEST_BYTES.get(hash_name) == len(digest) and (best is None or len(digest) > len(best[1])):
            best = hash_name, digest
    return best


def _ice(text: str | None) -> str:
    return text if text is not None and _ICE.fullmatch(text) else ""
