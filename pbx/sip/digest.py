"""Digest authentication: the server's side (challenge, verify) and the client's (answer a challenge).

RFC 7616 and RFC 8760 (SHA-256 beside MD5), RFC 3261 22, RFC 2069 credentials of phones that know no qop.

    no credentials ----------------------------> MISSING   401 with fresh nonces
    nonce expired, or not ours, or another's ---> STALE    401 stale=true: the phone tries again by itself
    right digest, nonce-count used already -----> STALE
    right digest -------------------------------> ACCEPTED
    wrong digest or unknown user ---------------> WRONG    403

A nonce says when it was made and proves by a keyed hash that we made it, for this address: none is stored. Who forges
another's address never sees one that is good there, so nothing he sends can pass for that one's wrong password; and of
a password that comes with a dead nonce nobody is told whether it was right. What is stored, within a bound, is the
highest nonce-count of nonces that were used well.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from pbx.sip.errors import BadCredentials
from pbx.sip.grammar import quote, unquote

Algorithm = Literal["MD5", "SHA-256"]

_PARAM = re.compile(r'(?<![\w.*-])([A-Za-z][\w.*-]*+)[ \t]*+=[ \t]*+(?:"((?>(?:[^"\\]++|\\.)*))"|([^\s",]++))')
_SCHEME = re.compile(r"[ \t]*+([!-~]++)[ \t]++(.*)", re.DOTALL)
_NONCE = re.compile(r"[0-9a-f]{52}")
_NONCE_COUNT = re.compile(r"[0-9A-Fa-f]{8}")
_STAMP_DIGITS: Final = 20  # 12 of milliseconds, 8 of a sequence number
_MAC_DIGITS: Final = 32
_MAX_CREDENTIALS: Final = 4  # of one request: a phone answers each challenge at most once
_USED_UP: Final = 1 << 32  # higher than any nonce-count


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


_HASHES: Final[dict[str, Callable[[bytes], str]]] = {"MD5": _md5, "SHA-256": _sha256}


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def read_params(text: str, scheme: str = "digest") -> dict[str, str] | None:
    """The parameters of credentials or of a challenge, names in lower case; None if it is another scheme's (RFC 4475
    3.3.7: what we can't read is no credential)."""
    found = _SCHEME.match(text)
    if found is None or found[1].lower() != scheme:
        return None
    parts = _PARAM.findall(found[2])
    if "\\" in text:
        return {name.lower(): bare or unquote(f'"{quoted}"') for name, quoted, bare in parts}
    return {name.lower(): bare or quoted for name, quoted, bare in parts}


def digest_response(
    algorithm: str, ha1: str, method: str, uri: str, nonce: str,
    nc: str | None = None, cnonce: str = "", qop: str | None = None, body: bytes = b"",
) -> str:  # fmt: skip
    """The response of RFC 7616 3.4.1; without qop that of RFC 2069."""
    digest = _HASHES[algorithm]
    if qop == "auth-int":
        ha2 = digest(_octets(f"{method}:{uri}:{digest(body)}"))
    else:
        ha2 = digest(_octets(f"{method}:{uri}"))
    if qop is None:
        return digest(_octets(f"{ha1}:{nonce}:{ha2}"))
    return digest(_octets(f"{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}"))


def digest_ha1(algorithm: str, username: str, realm: str, password: str) -> str:
    return _HASHES[algorithm](_octets(f"{username}:{realm}:{password}"))


def session_ha1(algorithm: str, ha1: str, nonce: str, cnonce: str) -> str:
    """The HA1 of MD5-sess and SHA-256-sess (RFC 7616 3.4.2), each nonce and cnonce a session of its own."""
    return _HASHES[algorithm](_octets(f"{ha1}:{nonce}:{cnonce}"))


class Outcome(enum.Enum):
    ACCEPTED = enum.auto()
    MISSING = enum.auto()
    STALE = enum.auto()
    WRONG = enum.auto()


class Verdict(NamedTuple):
    outcome: Outcome
    username: str  # as claimed; proven only if ACCEPTED. "" if MISSING


_MISSING: Final = Verdict(Outcome.MISSING, "")


class NonceCounts:
    """The highest nonce-count seen of each nonce in use, in at most two generations of `limit` nonces.

    When a generation has to go before its time, every nonce made until it was closed is called stale from then on
    (`floor_s`): under a flood phones authenticate a round trip more often, and a replay still fails.
    """

    __slots__ = ("closed_s", "current", "floor_s", "limit", "opened_s", "period_s", "previous")

    def __init__(self, period_s: float, limit: int) -> None:
        self.period_s = period_s
        self.limit = limit
        self.current: dict[str, int] = {}
        self.previous: dict[str, int] = {}
        self.opened_s = 0.0
        self.closed_s = 0.0  # when `previous` was closed
        self.floor_s = 0.0

    def take(self, nonce: str, count: int, now: float) -> bool:
        """Note that `count` of `nonce` is used; False if it was used before."""
        if count <= self.current.get(nonce, 0) or count <= self.previous.get(nonce, 0):
            return False
        if now - self.opened_s >= self.period_s or len(self.current) >= self.limit:
            self._turn(now)  # only now: what it forgets has been compared
        self.current[nonce] = count
        return True

    def _turn(self, now: float) -> None:
        self.floor_s = self.closed_s
        self.previous = self.current
        self.closed_s = now
        self.current = {}
        self.opened_s = now


class DigestServer:
    """Challenges and verifies for one realm. `password_of(user)` gives None for users that don't exist. A nonce is
    bound to `source_of(host)`: the same for addresses that stand for one another.

    MD5 comes first, against RFC 8760 2.4 which would put the stronger first: a client takes the topmost challenge that
    it knows, but many deployed ones look at the topmost only and fail there on SHA-256 (PJSIP before 2.11, sipp before
    3.7.2, Asterisk, FreeSWITCH). A site without such peers passes `algorithms=("SHA-256", "MD5")` or SHA-256 alone.
    """

    def __init__(
        self,
        realm: str,
        secret: bytes,
        password_of: Callable[[str], str | None],
        *,
        algorithms: Sequence[Algorithm] = ("MD5", "SHA-256"),
        nonce_valid_s: float = 300.0,
        max_nonces: int = 20_000,
        source_of: Callable[[str], str] = str,
    ) -> None:
        self.realm = realm
        self.nonce_valid_s = nonce_valid_s
        self._secret = hashlib.sha256(b"nonce:" + secret + b":" + _octets(realm)).digest()
        self._password_of = password_of
        self._source_of = source_of
        self._algorithms: tuple[str, ...] = tuple(algorithms)
        self._counts = NonceCounts(nonce_valid_s, max_nonces)
        self._issued = 0
        # algorithm -> user -> (password, HA1); only of users that exist, so the site is its bound
        self._ha1: dict[str, dict[str, tuple[str, str]]] = {name: {} for name in self._algorithms}
        dummy = hashlib.sha256(b"dummy:" + secret).hexdigest()
        self._dummy = {name: digest_ha1(name, dummy, realm, dummy) for name in self._algorithms}
        self._tails = [f'", algorithm={name}, qop="auth"' for name in self._algorithms]
        self._head = f'Digest realm={quote(realm)}, nonce="'

    def challenges(self, now: float, host: str = "", *, stale: bool = False) -> list[str]:
        """The values of the WWW-Authenticate (or Proxy-Authenticate) lines of a 401 (407) to `host`, one line for
        each."""
        nonce = self._nonce(now, host)
        end = ", stale=true" if stale else ""
        return [f"{self._head}{nonce}{tail}{end}" for tail in self._tails]

    def challenge_lines(self, now: float, host: str = "", *, stale: bool = False, proxy: bool = False) -> str:
        """The same as header lines, each with its CRLF."""
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        return "".join([f"{name}: {value}\r\n" for value in self.challenges(now, host, stale=stale)])

    def verify(
        self, method: str, credentials: Iterable[str], now: float, body: bytes = b"", host: str = ""
    ) -> Verdict:
        """Judge the Authorization (Proxy-Authorization) lines of a request from `host`, not split at commas.

        Of several the one that proves most counts. Raises BadCredentials for digest credentials of this realm that lack
        what they must have. The `uri` parameter is hashed but not compared with the Request-URI: proxies and test tools
        differ there, and the nonce-count keeps others from using it again.
        """
        best = _MISSING
        tried = 0
        for text in credentials:
            params = read_params(text)
            if params is None or params.get("realm") != self.realm:
                continue
            algorithm = params.get("algorithm", "MD5").upper()
            if algorithm.removesuffix("-SESS") not in self._dummy:
                continue
            verdict = self._judge(algorithm, params, method, body, now, host)
            if verdict.outcome is Outcome.ACCEPTED:
                return verdict
            if best is _MISSING or verdict.outcome is Outcome.STALE:
                best = verdict
            tried += 1
            if tried == _MAX_CREDENTIALS:
                break
        return best

    def _judge(
        self, algorithm: str, params: dict[str, str], method: str, body: bytes, now: float, host: str
    ) -> Verdict:
        try:
            username, nonce, uri, response = params["username"], params["nonce"], params["uri"], params["response"]
        except KeyError as missing:
            raise BadCredentials(f"credentials without {missing.args[0]}") from None
        qop = params.get("qop")
        nc = params.get("nc")
        if qop is not None and (qop not in ("auth", "auth-int") or nc is None or not _NONCE_COUNT.fullmatch(nc)):
            raise BadCredentials("credentials with bad qop or nc")
        if not self._is_live(nonce, host, now):
            return Verdict(Outcome.STALE, username)
        base, cnonce = algorithm.removesuffix("-SESS"), params.get("cnonce", "")
        known, ha1 = self._ha1_of(base, username)
        if base != algorithm:
            ha1 = session_ha1(base, ha1, nonce, cnonce)
        expected = digest_response(base, ha1, method, uri, nonce, nc, cnonce, qop, body)
        right = hmac.compare_digest(_octets(expected), _octets(response.lower())) and known
        if not right:
            return Verdict(Outcome.WRONG, username)
        # RFC 2069 credentials have no count: their nonce is good once.
        count = int(nc, 16) if qop is not None and nc is not None else _USED_UP
        if not self._counts.take(nonce[:_STAMP_DIGITS], count, now):
            return Verdict(Outcome.STALE, username)
        return Verdict(Outcome.ACCEPTED, username)

    def prepare(self, users: Iterable[str]) -> None:
        """Make the HA1s of these users now: the first answer about one of them takes no longer then than any other."""
        for user in users:
            for algorithm in self._ha1:
                self._ha1_of(algorithm, user)

    def _ha1_of(self, algorithm: str, username: str) -> tuple[bool, str]:
        """(user exists, HA1). A user who doesn't exist costs the same hashes, with an HA1 that nobody can know.
        The HA1 of one who does is made once, by `prepare` or at the first request in his name."""
        password = self._password_of(username)
        kept = self._ha1[algorithm]
        cached = kept.get(username)
        if password is None:
            if cached is not None:
                del kept[username]
            return False, self._dummy[algorithm]
        if cached is not None and cached[0] == password:
            return True, cached[1]
        ha1 = digest_ha1(algorithm, username, self.realm, password)
        kept[username] = (password, ha1)
        return True, ha1

    def _nonce(self, now: float, host: str) -> str:
        # The number keeps two phones that are challenged in one millisecond from sharing a nonce, hence a count.
        self._issued = (self._issued + 1) & 0xFFFFFFFF
        stamp = f"{int(now * 1000) & 0xFFFFFFFFFFFF:012x}{self._issued:08x}"
        return stamp + self._mac(stamp, host)

    def _mac(self, stamp: str, host: str) -> str:
        # Keyed BLAKE2 (RFC 7693 2.9) is a MAC as good as an HMAC, for a third of its time.
        text = _octets(stamp + self._source_of(host))
        return hashlib.blake2b(text, key=self._secret, digest_size=_MAC_DIGITS // 2).hexdigest()

    def _is_live(self, nonce: str, host: str, now: float) -> bool:
        if not _NONCE.fullmatch(nonce):
            return False
        stamp = nonce[:_STAMP_DIGITS]
        if not hmac.compare_digest(self._mac(stamp, host), nonce[_STAMP_DIGITS:]):
            return False
        made_s = int(stamp[:12], 16) / 1000
        return now - self.nonce_valid_s <= made_s and made_s > self._counts.floor_s


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge to answer, one we have the means for."""

    realm: str
    nonce: str
    algorithm: str  # MD5, SHA-256, MD5-sess, SHA-256-sess
    algorithm_named: bool  # whether the challenge named it: an answer repeats what was named
    qop: str | None  # auth, auth-int, or None for a server of RFC 2069
    opaque: str | None
    stale: bool  # our last answer was right but its nonce too old: try again without asking anybody

    @classmethod
    def parse(cls, text: str) -> Challenge | None:
        """Read one WWW-Authenticate or Proxy-Authenticate line; None if we can't answer it."""
        params = read_params(text)
        if params is None or "nonce" not in params:
            return None
        named = params.get("algorithm")
        algorithm = _ALGORITHM_NAMES.get((named or "MD5").upper())
        qops = [one.strip().lower() for one in params["qop"].split(",")] if params.get("qop") else []
        qop = "auth" if "auth" in qops else "auth-int" if "auth-int" in qops else None
        if algorithm is None or (qops and qop is None):
            return None
        return cls(
            params.get("realm", ""), params["nonce"], algorithm, named is not None, qop,
            params.get("opaque"), params.get("stale", "").lower() == "true",
        )  # fmt: skip


_ALGORITHM_NAMES: Final = {name.upper(): name for name in ("MD5", "SHA-256", "MD5-sess", "SHA-256-sess")}


def choose_challenge(challenges: Iterable[str]) -> Challenge | None:
    """The topmost challenge that we can answer (RFC 8760 2.4); None if there is none."""
    for text in challenges:
        challenge = Challenge.parse(text)
        if challenge is not None:
            return challenge
    return None


class DigestClient:
    """Answers one challenge, for as many requests as its nonce lives: the count goes up with each."""

    __slots__ = ("_count", "_password", "_username", "challenge")

    def __init__(self, challenge: Challenge, username: str, password: str) -> None:
        self.challenge = challenge
        self._username = username
        self._password = password
        self._count = 0

    def credentials(self, method: str, uri: str, cnonce: str, body: bytes = b"") -> str:
        """The value of Authorization (after 401) or Proxy-Authorization (after 407). `cnonce` is fresh randomness."""
        c = self.challenge
        base = c.algorithm.removesuffix("-sess")
        ha1 = digest_ha1(base, self._username, c.realm, self._password)
        if c.algorithm != base:
            ha1 = session_ha1(base, ha1, c.nonce, cnonce)
        self._count += 1
        nc = f"{self._count:08x}"
        response = digest_response(base, ha1, method, uri, c.nonce, nc, cnonce, c.qop, body)
        text = (
            f"Digest username={quote(self._username)}, realm={quote(c.realm)}, nonce={quote(c.nonce)}, "
            f'uri="{uri}", response="{response}"'
        )
        if c.algorithm_named:
            text += f", algorithm={c.algorithm}"
        if c.qop is not None:
            text += f', cnonce="{cnonce}", qop={c.qop}, nc={nc}'
        elif c.algorithm != base:
            text += f', cnonce="{cnonce}"'
        if c.opaque is not None:
            text += f", opaque={quote(c.opaque)}"
        return text
