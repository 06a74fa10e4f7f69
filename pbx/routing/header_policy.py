"""What one side of a call may learn of the other: who calls, who forwarded, which headers cross (RFC 3323, 3325, 7433).

Each side has an INVITE of its own, made afresh: what is not put there here, or by the leg itself, does not cross. The
same rules hold for X- headers, and User-to-User, of the messages that follow it.

    to                   From           P-Asserted-Identity   Privacy   forwards   X- and the like
    a phone              the caller     -                     -         yes        what the caller's trunk lets in
    a trusted trunk      the caller     the caller            as asked  yes        what both sides let pass
    any other trunk      the caller     -                     as asked  -          what both sides let pass
    ... if he asks to be unknown: "Anonymous" <sip:anonymous@anonymous.invalid>
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from config.frozen import frozen
from config.schema import Site
from config.trunks import HeaderRules
from pbx.sip.address import display_name_of, split_values, uri_of
from pbx.sip.errors import SipError
from pbx.sip.grammar import escape, quote
from pbx.sip.uri import USER_ALLOWED, user_of

CROSSING: Final = 20  # headers of one INVITE that may cross
CROSSING_BYTES: Final = 2048  # of all of them
DIVERSIONS: Final = 5  # that a trusted trunk may tell of: the last ones

ANONYMOUS: Final = '"Anonymous" <sip:anonymous'
NOWHERE: Final = "anonymous.invalid"  # RFC 3323 4.1.1.3
_PRIVATE: Final = frozenset(("id", "user", "header"))  # RFC 3323 4.2, RFC 3325 9.3: all hide who calls
_PURPOSE: Final = "web-session"

Headers = Sequence[tuple[str, str]]


class Caller(NamedTuple):
    """Who calls, as he or a trunk that is believed says."""

    number: str
    name: str


@frozen
class Facts:
    """What is known of a call that is to be sent on."""

    name: str
    number: str  # to show
    headers: Headers  # of the caller's INVITE
    trunk: str | None  # it came in by
    session: str  # the id of the web session that it belongs to, or ""


class Shown(NamedTuple):
    """What an INVITE says of the caller."""

    caller: str  # From up to the host
    host: str  # of From; "": our own address
    headers: str  # further header lines
    history: bool  # whether the peer may know who forwarded or transferred


def asserted(headers: Headers, *, trusted: bool) -> Caller:
    """Who calls by a trunk: the asserted identity if the trunk is trusted and gives one (RFC 3325 9.1), else From."""
    origin = _first(headers, "from") or ""
    name = display_name_of(origin)
    if trusted:
        for value, who in _people(headers, "p-asserted-identity"):
            return Caller(who, display_name_of(value) or ("" if name.lower() == "anonymous" else name))
    return Caller(user_of(uri_of(origin)), name)


def wants_privacy(headers: Headers) -> bool:
    """Whether the caller asks not to be known to whom he calls (RFC 3323 4.2)."""
    value = _first(headers, "privacy")
    return value is not None and any(one.strip().lower() in _PRIVATE for one in re.split("[;,]", value))


def diversions(headers: Headers) -> list[tuple[str, str]]:
    """(number, reason) of the forwards that an INVITE tells of (RFC 5806), the first forward first."""
    found = []
    for value, number in itertools.islice(_people(headers, "diversion"), DIVERSIONS):
        reason = re.search(r';\s*reason\s*=\s*"?([a-z-]{1,30})\b', value, re.IGNORECASE)
        found.append((number, reason[1].lower() if reason else "unknown"))
    return found[::-1]


class HeaderPolicy:
    """The rules of one site; a reload makes another."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._entering = {name: _Filter(trunk.headers.entering) for name, trunk in site.trunks.items()}
        self._leaving = {name: _Filter(trunk.headers.leaving) for name, trunk in site.trunks.items()}

    def to_phone(self, call: Facts) -> Shown:
        crossing = self._let_in(call) if call.trunk is not None else ()
        headers = _lines(crossing) + self._session(call, "extensions")
        return self._shown(call, "", headers, history=True)

    def to_stranger(self, call: Facts) -> Shown:
        """To a SIP URI somewhere."""
        return self._shown(call, "", "Privacy: id\r\n" if wants_privacy(call.headers) else "", history=False)

    def to_trunk(self, call: Facts, name: str, host: str) -> Shown:
        """`host`: where the INVITE goes, so that the peer learns no address but its own."""
        trunk = self._site.trunks[name]
        here = self._leaving[name]
        crossing = [pair for pair in (call.headers if call.trunk is None else self._let_in(call)) if here.passes(pair)]
        headers = _lines(_bounded(crossing))
        headers += _lines(trunk.headers.leaving.set.items())
        headers += self._session(call, "trunks", f"trunk {name}")
        if trunk.trusted:
            headers += f"P-Asserted-Identity: {caller_of(call.name, call.number)}@{trunk.domain or host}>\r\n"
        if wants_privacy(call.headers):
            headers += "Privacy: id\r\n"
        return self._shown(call, trunk.domain or "", headers, history=trunk.trusted)

    def crossing(self, headers: Headers, by: str | None, to: str | None, *, user_to_user: bool) -> str:
        """The header lines of any message but the INVITE that cross with it: X- headers, and User-to-User where RFC
        7433 4 has it. `by`, `to`: a trunk, "" for a phone, None for who is neither."""
        if by is None or to is None or not (by or to):
            return ""
        found = [pair for pair in headers if pair[0][:2] in ("X-", "x-") or _is_user_to_user(pair[0])]
        if not found:
            return ""
        for rules in (self._entering.get(by) if by else None, self._leaving.get(to) if to else None):
            if rules is not None:
                found = [pair for pair in found if rules.passes(pair)]
        if (by and by not in self._entering) or (to and to not in self._leaving):  # gone with a reload
            return ""
        return _lines(_bounded(pair for pair in found if user_to_user or not _is_user_to_user(pair[0])))

    def _let_in(self, call: Facts) -> Headers:
        """What of the caller's headers the trunk he came by lets in."""
        here = self._entering.get(call.trunk or "")
        return _bounded(pair for pair in call.headers if here is not None and here.passes(pair))

    def _session(self, call: Facts, *kinds: str) -> str:
        """User-to-User with the web session, for whom the site names (RFC 7433 4.1)."""
        wanted = self._site.web.session_to
        if not call.session or not ("anyone" in wanted or any(kind in wanted for kind in kinds)):
            return ""
        return f"User-to-User: {call.session.encode().hex()};encoding=hex;purpose={_PURPOSE}\r\n"

    @staticmethod
    def _shown(call: Facts, host: str, headers: str, *, history: bool) -> Shown:
        if wants_privacy(call.headers):
            return Shown(ANONYMOUS, NOWHERE, headers, history)
        return Shown(caller_of(call.name, call.number), host, headers, history)


def _is_user_to_user(name: str) -> bool:
    return name.lower() == "user-to-user"


class _Filter:
    """The rules of one direction: what may pass, less what is dropped."""

    def __init__(self, rules: HeaderRules) -> None:
        self._passes = _expression(rules.passes)
        self._drops = _expression(rules.drop)

    def passes(self, pair: tuple[str, str]) -> bool:
        name = pair[0]
        return bool(self._passes and self._passes.fullmatch(name)) and not (
            self._drops and self._drops.fullmatch(name)
        )


def _expression(patterns: Sequence[str]) -> re.Pattern[str] | None:
    if not patterns:
        return None
    return re.compile("|".join(re.escape(one).replace(r"\*", ".*") for one in patterns), re.IGNORECASE)


def _bounded(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    kept: list[tuple[str, str]] = []
    left = CROSSING_BYTES
    for name, value in pairs:
        left -= len(name) + len(value) + 4
        if left < 0 or len(kept) == CROSSING:
            break
        kept.append((name, value))
    return kept


def _lines(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in pairs)


def caller_of(name: str, number: str) -> str:
    """A name-addr up to the host."""
    display = f"{quote(name)} " if name else ""
    return f"{display}<sip:{escape(number, USER_ALLOWED) if number else 'anonymous'}"


def _first(headers: Headers, name: str) -> str | None:
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


def _people(headers: Headers, name: str) -> Iterator[tuple[str, str]]:
    """(value, number) of those that a header names; what can't be read names nobody."""
    for key, line in headers:
        if key.lower() != name:
            continue
        try:
            named = [(value, user_of(uri_of(value)), display_name_of(value)) for value in split_values(line)]
        except SipError:
            continue
        yield from ((value, number) for value, number, _ in named if number)
