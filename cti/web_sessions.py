"""What visitors do on the web site, while it can still matter for a call: bounded in number, bytes and time.

A session is kept as the JSON its agent will see, with the few fields that matching needs beside it. Sessions live for
`web.session_valid_s` after their last update; when the store is full, those not updated for longest go first.
"""

from __future__ import annotations

import json
import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from config.numbers import normalise
from config.schema import Web
from cti.codes import CODE_DIGITS, is_code, make_code
from cti.errors import CodesExhausted, SessionTooLarge, UnknownResource
from cti.models import WebSessionPost

SESSION_BYTES = 28_000  # leaves room for the call's part in a pop of 32 kB
MAX_SESSIONS = 50_000
MAX_BYTES = 128_000_000
MAX_CODES = 20_000  # of a million: a blind guess hits one in fifty at worst, and a call has three
CODE_TRIES = 100
_E164 = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(frozen=True, slots=True)
class WebSession:
    """One version of a visitor's session."""

    id: str
    token: str  # what a SIP header may carry to mean this session
    created_at: float  # seconds since 1970
    updated_at: float
    valid_until: float
    name: str | None
    amount: float | None  # of the basket
    currency: str | None  # ISO 4217
    destination: str | None
    language: str | None
    partner: str | None  # who brought the visitor
    phones: tuple[str, ...]  # E.164
    json: str  # the whole record as the agent sees it, a JSON object


class WebSessions:
    """The store. Times come in as arguments; `randbelow` is `secrets.randbelow`; numbers are read as in `country`."""

    def __init__(self, web: Web, country: str, randbelow: Callable[[int], int], counters: Counter[str],
                 *, max_sessions: int = MAX_SESSIONS, max_bytes: int = MAX_BYTES) -> None:  # fmt: skip
        self._web = web
        self._country = country
        self._randbelow = randbelow
        self._counters = counters
        self._max_sessions, self._max_bytes = max_sessions, max_bytes
        self._sessions: OrderedDict[str, WebSession] = OrderedDict()  # least recently updated first
        self._bytes = 0
        self._by_token: dict[str, str] = {}
        self._by_phone: dict[str, dict[str, None]] = {}  # session ids, the latest update last
        self._codes: OrderedDict[str, tuple[str, float]] = OrderedDict()  # code -> (session id, valid until)
        self._code_of: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def reconfigure(self, web: Web, country: str) -> None:
        """A reloaded site: new lifetimes hold from each session's next update."""
        self._web, self._country = web, country

    def e164(self, given: str) -> str | None:
        """A number as calls are compared with it; None if it isn't one."""
        number = normalise(given, self._country)
        return number if _E164.fullmatch(number) else None

    # --- writing ----------------------------------------------------------------------------------------------------

    def upsert(self, post: WebSessionPost, now: float) -> WebSession:
        """Store or update a visitor's session. Raises SessionTooLarge; then the old version stays."""
        self._expire(now)
        old = self._sessions.get(post.id)
        record: dict[str, Any] = json.loads(old.json) if old else {}
        for key in post.model_fields_set - {"token"}:
            value = getattr(post, key)
            if value is None:
                record.pop(key, None)
            else:
                record[key] = post.model_dump(mode="json", include={key}, exclude_none=True)[key]
        token = (post.token or post.id) if old is None or "token" in post.model_fields_set else old.token
        session = self._make(record, token, old.created_at if old else now, now)
        if len(session.json) > SESSION_BYTES:
            self._counters["web_sessions_too_large"] += 1
            raise SessionTooLarge(
                f"the session would have {len(session.json)} bytes, at most {SESSION_BYTES} are kept:"
                " send fewer pages, items or form fields"
            )
        if old:
            self._forget(old, keep_code=True)
        self._keep(session)
        self._evict()
        return session

    def code(self, session_id: str, now: float) -> tuple[str, float]:
        """The session's code to type and until when it is good: the live one, prolonged, or a new one.

        Raises UnknownResource, CodesExhausted.
        """
        if self.get(session_id, now) is None:
            raise UnknownResource("no such web session, or it has expired")
        valid_until = now + self._web.code_valid_s
        code = self._code_of.get(session_id) or self._new_code()
        self._codes[code] = (session_id, valid_until)
        self._codes.move_to_end(code)
        self._code_of[session_id] = code
        return code, valid_until

    # --- finding ----------------------------------------------------------------------------------------------------

    def get(self, session_id: str, now: float) -> WebSession | None:
        self._expire(now)
        session = self._sessions.get(session_id)
        return session if session and session.valid_until > now else None

    def by_token(self, token: str, now: float) -> WebSession | None:
        return self.get(self._by_token.get(token, ""), now)

    def by_code(self, typed: str, now: float) -> WebSession | None:
        """The session whose live code was typed."""
        session_id, valid_until = self._codes.get(typed, ("", 0.0)) if is_code(typed) else ("", 0.0)
        return self.get(session_id, now) if valid_until > now else None

    def by_phone(self, caller: str, now: float) -> WebSession | None:
        """The session updated last that gave the caller's number, within `web.caller_id_valid_s`."""
        self._expire(now)
        if not self._by_phone:  # on the call path: reading a number costs more than all the rest here
            return None
        number = self.e164(caller)
        ids = self._by_phone.get(number) if number else None
        session = self._sessions[next(reversed(ids))] if ids else None
        return session if session and session.updated_at + self._web.caller_id_valid_s > now else None

    # --- inside -----------------------------------------------------------------------------------------------------

    def _make(self, record: dict[str, Any], token: str, created_at: float, now: float) -> WebSession:
        valid_until = now + self._web.session_valid_s
        record |= {"created_at": created_at, "updated_at": now, "valid_until": valid_until}
        basket = record.get("basket") or {}
        phones = {self.e164(given): None for given in record.get("phone_numbers") or ()}
        return WebSession(
            id=record["id"], token=token, created_at=created_at, updated_at=now, valid_until=valid_until,
            name=record.get("name"), amount=basket.get("amount"), currency=basket.get("currency"),
            destination=record.get("destination"), language=record.get("language"),
            partner=record.get("partner"),
            phones=tuple(number for number in phones if number),
            json=json.dumps(record, separators=(",", ":")),  # ASCII: characters are bytes
        )  # fmt: skip

    def _keep(self, session: WebSession) -> None:
        self._sessions[session.id] = session
        self._bytes += len(session.json)
        self._by_token[session.token] = session.id
        for number in session.phones:
            self._by_phone.setdefault(number, {})[session.id] = None

    def _forget(self, session: WebSession, *, keep_code: bool = False) -> None:
        del self._sessions[session.id]
        self._bytes -= len(session.json)
        if self._by_token.get(session.token) == session.id:
            del self._by_token[session.token]
        for number in session.phones:
            ids = self._by_phone[number]
            del ids[session.id]
            if not ids:
                del self._by_phone[number]
        code = None if keep_code else self._code_of.pop(session.id, None)
        if code:
            del self._codes[code]

    def _evict(self) -> None:
        while len(self._sessions) > self._max_sessions or self._bytes > self._max_bytes:
            self._forget(next(iter(self._sessions.values())))
            self._counters["web_sessions_evicted"] += 1

    def _expire(self, now: float) -> None:
        sessions, codes = self._sessions, self._codes
        while sessions and (oldest := next(iter(sessions.values()))).valid_until <= now:
            self._forget(oldest)
        while codes and next(iter(codes.values()))[1] <= now:
            _, (session_id, _) = codes.popitem(last=False)
            del self._code_of[session_id]

    def _new_code(self) -> str:
        if len(self._codes) < MAX_CODES:
            for _ in range(CODE_TRIES):
                code = make_code(self._randbelow(10**CODE_DIGITS))
                if code not in self._codes:
                    return code
        self._counters["web_codes_exhausted"] += 1
        raise CodesExhausted("no typed code is free now, try again in some minutes")
