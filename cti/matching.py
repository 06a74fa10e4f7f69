"""Which web session a call belongs to, and how sure that is.

    method     how                                                          confidence
    token      the SIP header `web.token_header` carries the session's token,   1.0
               or User-to-User does (RFC 7433)
    code       the caller typed the code shown on the page                      0.95
    callback   we call, as was asked for on the page                            0.9
    caller_id  the caller's number is one typed on the site lately              0.7

A better match replaces a worse one, never the other way round. A match becomes call attributes: `web_session`,
`match_method`, `match_confidence`, `basket` (euros), `customer`, `destination` (if none is set), `language`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from config.schema import Web
from cti import user_to_user
from cti.codes import is_code
from cti.domain_events import WebSessionMatched
from cti.ports import AttributeValue, CallView
from cti.web_sessions import WebSession, WebSessions
from pbx.call.clock import Clock

CONFIDENCE: Final = {"token": 1.0, "code": 0.95, "callback": 0.9, "caller_id": 0.7}
CODE_ATTRIBUTE = "web_code"  # what an IVR state gathers `into`
MAX_GUESSES = 3  # codes with a right check digit that were nobody's, a call
MAX_CALLS = 100_000  # calls remembered at once; more are not matched, and counted


@dataclass(slots=True)
class _Joined:
    """A live call and what this module knows of it."""

    call: CallView
    session_id: str = ""
    confidence: float = 0.0
    guesses: int = 0
    own: dict[str, AttributeValue] | None = None  # attributes that were set here, to replace them with a better match


def attributes_of(session: WebSession) -> dict[str, AttributeValue]:
    """What a session tells the routing. The basket counts in euros only: there are no exchange rates here."""
    found: dict[str, AttributeValue] = {}
    if session.amount is not None and session.currency == "EUR":
        found["basket"] = session.amount
    if session.name:
        found["customer"] = session.name
    if session.destination:
        found["destination"] = session.destination
    if session.language:
        found["language"] = session.language
    if session.partner:
        found["partner"] = session.partner
    return found


class Matching:
    """Joins calls to sessions; `on_updated(call)` is called when the session of a live call changed."""

    def __init__(self, web: Web, sessions: WebSessions, clock: Clock, emit: Callable[[object], None],
                 counters: Counter[str], on_updated: Callable[[CallView], None]) -> None:  # fmt: skip
        self._web = web
        self._sessions = sessions
        self._clock = clock
        self._emit = emit
        self._counters = counters
        self._on_updated = on_updated
        self._joined: dict[str, _Joined] = {}  # by call id
        self._calls_of: dict[str, dict[str, None]] = {}  # session id -> call ids

    def reconfigure(self, web: Web) -> None:
        self._web = web

    def on_call(self, call: CallView) -> None:
        """A call from outside was admitted: look for a token, then for the caller's number."""
        if not self._sessions:
            return
        now = self._clock.now()
        if (session := self._by_token(call, now)) is not None:
            self._join(call, session, "token")
        elif session := self._sessions.by_phone(call.from_number, now):
            self._join(call, session, "caller_id")

    def on_callback(self, call: CallView) -> None:
        """We call a customer whose page asked for it: his session is known from the start."""
        session = self._sessions.get(str(call.attributes.get("web_session", "")), self._clock.now())
        if session is not None:
            self._join(call, session, "callback")

    def on_gathered(self, call: CallView, name: str, digits: str) -> bool:
        """The IVR gathered digits into `name`. True if they were a live code of a session.

        A mistyped code (wrong check digit) costs nothing; three that are nobody's end the guessing for this call.
        """
        if name != CODE_ATTRIBUTE:
            return False
        if not is_code(digits):
            self._counters["web_codes_mistyped"] += 1
            return False
        joined = self._entry(call)
        if joined is None or joined.guesses >= MAX_GUESSES:
            self._counters["web_codes_refused"] += 1
            return False
        session = self._sessions.by_code(digits, self._clock.now())
        if session is None:
            joined.guesses += 1
            self._counters["web_codes_unknown"] += 1
            return False
        self._join(call, session, "code")
        return True

    def on_ended(self, call_id: str) -> None:
        """The call is over: forget it."""
        joined = self._joined.pop(call_id, None)
        if joined and joined.session_id:
            self._leave(joined.session_id, call_id)

    def on_session(self, session: WebSession) -> int:
        """The session was stored or updated: its live calls get what changed. Returns how many they are."""
        call_ids = self._calls_of.get(session.id, ())
        for call_id in list(call_ids):
            joined = self._joined[call_id]
            self._set(joined, attributes_of(session))
            self._on_updated(joined.call)
        return len(call_ids)

    def _by_token(self, call: CallView, now: float) -> WebSession | None:
        token = call.header(self._web.token_header)
        found = self._sessions.by_token(token.strip(), now) if token else None
        if found is None and (header := call.header(user_to_user.HEADER)):
            found = next(filter(None, (self._sessions.by_token(one, now) for one in user_to_user.tokens(header))), None)
        return found

    # --- inside -----------------------------------------------------------------------------------------------------

    def _entry(self, call: CallView) -> _Joined | None:
        joined = self._joined.get(call.id)
        if joined is None:
            if len(self._joined) >= MAX_CALLS:
                self._counters["web_matches_refused"] += 1
                return None
            joined = self._joined[call.id] = _Joined(call)
        return joined

    def _join(self, call: CallView, session: WebSession, method: str) -> None:
        confidence = CONFIDENCE[method]
        joined = self._entry(call)
        if joined is None or joined.confidence >= confidence:
            return
        if joined.session_id and joined.session_id != session.id:
            self._leave(joined.session_id, call.id)
        joined.session_id, joined.confidence = session.id, confidence
        self._calls_of.setdefault(session.id, {})[call.id] = None
        self._counters[f"web_matches_{method}"] += 1
        match: dict[str, AttributeValue] = {
            "web_session": session.id, "match_method": method, "match_confidence": confidence,
        }  # fmt: skip
        self._set(joined, match | attributes_of(session))
        self._emit(WebSessionMatched(self._clock.now(), call.id, session.id, method, confidence))

    def _leave(self, session_id: str, call_id: str) -> None:
        calls = self._calls_of[session_id]
        del calls[call_id]
        if not calls:
            del self._calls_of[session_id]

    def _set(self, joined: _Joined, wanted: dict[str, AttributeValue]) -> None:
        """Set on the call what differs; what an earlier match or version said and this one doesn't is blanked."""
        present, own = joined.call.attributes, joined.own or {}
        if present.get("destination") and present.get("destination") != own.get("destination"):
            wanted.pop("destination", None)  # chosen in the IVR: the caller knows best
        for key in own.keys() - wanted.keys():
            if present.get(key) == own[key] and key not in ("web_session", "match_method", "match_confidence"):
                wanted[key] = 0 if key == "basket" else ""
        changed = {key: value for key, value in wanted.items() if present.get(key) != value}
        joined.own = own | wanted
        if changed:
            joined.call.set_attributes(changed)
