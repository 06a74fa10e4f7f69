"""Who is this? A trunk by its address, its registration or the name in its certificate, an extension by digest; nobody
else learns anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pbx.routing.header_policy import asserted
from pbx.routing.trunk import TrunkTable
from pbx.sip.address import display_name_of
from pbx.sip.digest import DigestServer, Outcome
from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.sip.message import Request


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: `extension` or `trunk`, never both."""

    number: str
    display_name: str
    extension: str | None
    trunk: str | None
    dialled: str = ""  # the number, when the Request-URI has another: a contact that we registered at a carrier


#: A response to give instead: status and header lines.
Refusal = tuple[int, str]


class Screening:
    """The answer to a request of somebody who is not yet known. `report(user, source, method)` hears of wrong
    passwords; `peer_names(hop)` are the names that the far end of a TLS connection has proven; `by_contact(request,
    hop)` gives (trunk, number) of a call to a contact that we registered at a carrier."""

    def __init__(
        self,
        digest: DigestServer,
        trunks: TrunkTable,
        names: dict[str, str],
        trunk_of_login: dict[str, str],
        counters: Counter[str],
        report: Callable[[str, Hop, str], None],
        trunk_of_name: Mapping[str, str] | None = None,
        peer_names: Callable[[Hop], Iterable[str]] = lambda hop: (),
        by_contact: Callable[[Request, Hop], tuple[str, str] | None] = lambda request, hop: None,
    ) -> None:
        self._digest = digest
        self._trunks = trunks
        self._names = names  # extension -> display name
        self._trunk_of_login = trunk_of_login
        self._counters = counters
        self._report = report
        self._trunk_of_name = trunk_of_name or {}  # lower case
        self._peer_names = peer_names
        self._by_contact = by_contact

    def name_of(self, extension: str) -> str:
        """The display name of one of our phones."""
        return self._names.get(extension, "")

    def challenge(self, hop: Hop, now: float) -> Refusal:
        """What anybody is told who has not said who he is."""
        self._counters["sip_auth_challenges"] += 1
        return 401, self._digest.challenge_lines(now, hop.host)

    def identify(self, request: Request, hop: Hop, now: float) -> Identity | Refusal:
        """The caller of an INVITE, or the response that asks who it is (401) or sends it away (403)."""
        found = self.trunk_of(request, hop)
        if found is None:
            name = self._authenticate(request, hop, now)
            if isinstance(name, tuple):
                return name
            trunk = self._trunk_of_login.get(name)
            if trunk is None:
                origin = request.get("From") or ""
                return Identity(name, self.name_of(name) or display_name_of(origin), name, None)
            found = trunk, ""
        return self._of_trunk(request, *found)

    def trunk_of(self, request: Request, hop: Hop) -> tuple[str, str] | None:
        """The trunk that is known without credentials, and the number it calls if the Request-URI has another."""
        found = self._by_contact(request, hop)
        if found is not None:
            return found
        trunk = self._trunks.trunk_of(hop.host, hop.port, hop.transport)
        if trunk is None and self._trunk_of_name:
            trunk = self._by_certificate(hop)
        return None if trunk is None else (trunk, "")

    def _of_trunk(self, request: Request, trunk: str, dialled: str) -> Identity:
        caller = asserted(request.headers, trusted=self._trunks.trusts(trunk))
        return Identity(caller.number, caller.name, None, trunk, dialled)

    def _by_certificate(self, hop: Hop) -> str | None:
        """RFC 5922 7.2: the names are compared without regard to case; wildcards are not for SIP."""
        for name in self._peer_names(hop):
            trunk = self._trunk_of_name.get(name.lower())
            if trunk is not None:
                return trunk
        return None

    def _authenticate(self, request: Request, hop: Hop, now: float) -> str | Refusal:
        try:
            verdict = self._digest.verify(request.method, request.all("Authorization"), now, request.body, hop.host)
        except SipError as error:
            return error.status or 400, ""
        if verdict.outcome is Outcome.ACCEPTED:
            return verdict.username
        if verdict.outcome is Outcome.WRONG:
            self._counters["sip_auth_failures"] += 1
            self._report(verdict.username, hop, request.method)
            return 403, ""
        return 401, self._digest.challenge_lines(now, hop.host, stale=verdict.outcome is Outcome.STALE)
