"""Who is this? A trunk by its address or registration, an extension by digest; nobody else learns anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pbx.routing.trunk import TrunkTable
from pbx.sip.address import display_name_of, uri_of
from pbx.sip.digest import DigestServer, Outcome
from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.sip.message import Request
from pbx.sip.uri import user_of


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: `extension` or `trunk`, never both."""

    number: str
    display_name: str
    extension: str | None
    trunk: str | None


#: A response to give instead: status and header lines.
Refusal = tuple[int, str]


class Screening:
    """The answer to a request of somebody who is not yet known. `report(user, source, why)` hears of wrong
    passwords."""

    def __init__(
        self,
        digest: DigestServer,
        trunks: TrunkTable,
        names: dict[str, str],
        trunk_of_login: dict[str, str],
        counters: Counter[str],
        report: Callable[[str, str, str], None],
    ) -> None:
        self._digest = digest
        self._trunks = trunks
        self._names = names  # extension -> display name
        self._trunk_of_login = trunk_of_login
        self._counters = counters
        self._report = report

    def challenge(self, now: float) -> Refusal:
        """What anybody is told who has not said who he is."""
        self._counters["sip_auth_challenges"] += 1
        return 401, self._digest.challenge_lines(now)

    def identify(self, request: Request, hop: Hop, now: float) -> Identity | Refusal:
        """The caller of an INVITE, or the response that asks who it is (401) or sends it away (403)."""
        origin = request.get("From") or ""
        trunk = self._trunks.trunk_of(hop.host, hop.port)
        if trunk is None:
            name = self._authenticate(request, hop, now)
            if isinstance(name, tuple):
                return name
            trunk = self._trunk_of_login.get(name)
            if trunk is None:
                return Identity(name, self._names.get(name) or display_name_of(origin), name, None)
        return Identity(user_of(uri_of(origin)), display_name_of(origin), None, trunk)

    def _authenticate(self, request: Request, hop: Hop, now: float) -> str | Refusal:
        try:
            verdict = self._digest.verify(request.method, request.all("Authorization"), now, request.body)
        except SipError as error:
            return error.status or 400, ""
        if verdict.outcome is Outcome.ACCEPTED:
            return verdict.username
        if verdict.outcome in (Outcome.WRONG, Outcome.REFUSED):
            self._counters["sip_auth_failures"] += 1
            self._report(verdict.username, str(hop), request.method)
        if verdict.outcome is Outcome.WRONG:
            return 403, ""
        return 401, self._digest.challenge_lines(now, stale=verdict.outcome is Outcome.STALE)
