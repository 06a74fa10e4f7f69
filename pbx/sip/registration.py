"""Registering at a carrier, as its client (RFC 3261 10.2): one contact at one registrar, kept alive.

            start               2xx              time, lost
  STOPPED --------> REGISTERING ----> REGISTERED ----------> REGISTERING
     ^               |  ^   ^ 401 407 423 301 302: again, at once
     |       refused,|  +---+
     |        failed v      time
     |             WAITING -------> REGISTERING
     | any end
  REMOVING <--- stop (a request that is on its way is waited for first, in LEAVING: 10.2 allows but one)

A refresh goes out at 75 to 90 % of what was granted. After a failure the wait is that of RFC 5626 4.5: twice as long
each time, half of it by chance. What was granted stays granted meanwhile: `bound(now)`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from pbx.sip.address import parts_of, uri_of
from pbx.sip.digest import DigestClient, choose_challenge, read_params
from pbx.sip.errors import SipError
from pbx.sip.grammar import param, parse_params
from pbx.sip.message import Response

BASE_WAIT_S: Final = 30.0  # RFC 5626 4.5
MAX_WAIT_S: Final = 1800.0
MAX_RETRY_AFTER_S: Final = 3600.0
MAX_EXPIRES_S: Final = 7 * 86_400  # more is neither asked for nor believed
MAX_REDIRECTS: Final = 5
MAX_STALE: Final = 3  # challenges answered for one registration: who calls every nonce stale is not followed for ever
_SECONDS = re.compile(r"\s*+(\d{1,9})(?![\d.])")
_AUTHORIZATION: Final = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


class State(enum.Enum):
    STOPPED = "stopped"
    REGISTERING = "registering"
    REGISTERED = "registered"
    WAITING = "waiting"  # for the next try after a failure
    LEAVING = "leaving"
    REMOVING = "removing"


@dataclass(frozen=True, slots=True)
class Account:
    """What to register, and where."""

    registrar: str  # Request-URI: sip:HOST, without a user (10.2)
    aor: str  # To and From: sip:USER@HOST
    username: str
    password: str
    contact_user: str
    line: str  # a token nobody can guess: by it, calls to our contact are known to come from this registrar's side
    expires_s: int

    def contact(self, sent_by: str, transport: str) -> str:
        """Our Contact URI as seen by a peer."""
        by = "" if transport == "udp" else f";transport={transport}"
        return f"sip:{self.contact_user}@{sent_by}{by};line={self.line}"


#: A request is on its way.
_ASKING: Final = (State.REGISTERING, State.LEAVING, State.REMOVING)

#: (state, input) -> (actions, next state). A pair that is not here is ignored: it came too late to mean anything.
_TABLE: Final[dict[tuple[State, str], tuple[tuple[str, ...], State]]] = {
    (State.STOPPED, "start"): (("begin",), State.REGISTERING),
    (State.REGISTERING, "again"): (("send",), State.REGISTERING),
    (State.REGISTERING, "2xx"): (("keep",), State.REGISTERED),
    (State.REGISTERING, "failed"): (("wait",), State.WAITING),
    (State.REGISTERING, "stop"): ((), State.LEAVING),
    (State.REGISTERED, "time"): (("begin",), State.REGISTERING),
    (State.REGISTERED, "lost"): (("begin",), State.REGISTERING),
    (State.REGISTERED, "stop"): (("remove",), State.REMOVING),
    (State.WAITING, "time"): (("begin",), State.REGISTERING),
    (State.WAITING, "stop"): (("remove",), State.REMOVING),
    (State.LEAVING, "start"): ((), State.REGISTERING),
    (State.LEAVING, "again"): (("remove",), State.REMOVING),
    (State.LEAVING, "2xx"): (("remove",), State.REMOVING),
    (State.LEAVING, "failed"): (("remove",), State.REMOVING),
    (State.REMOVING, "again"): (("send",), State.REMOVING),
    (State.REMOVING, "2xx"): (("end",), State.STOPPED),
    (State.REMOVING, "failed"): (("end",), State.STOPPED),
}


class Registration:
    """One registration. After each call, if `wants_to_send`: send `request(...)` to `uri`, once; and call `time` at
    `due_at` (None: nothing is due). `jitter()` gives a number of 0 to 1, `token()` 16 random digits."""

    def __init__(self, account: Account, token: Callable[[], str], jitter: Callable[[], float]) -> None:
        self.account = account
        self.state = State.STOPPED
        self.uri = account.registrar
        self.wants_to_send = False
        self.due_at: float | None = None
        self.expires_s = 0  # as granted
        self.bound_until = 0.0
        self.failures = 0  # in a row
        self.last_status = 0  # of the last failure, 0 after a success
        self.last_reason = ""
        self.service_route: tuple[str, ...] = ()  # RFC 3608: the Route of calls by this trunk
        self._home = account.registrar  # where the next registration goes; a 301 moves it
        self._token = token
        self._jitter = jitter
        self._call_id = token()
        self._tag = token()
        self._cseq = 0
        self._contact = ""
        self._asked_s = account.expires_s
        self._redirects = 0
        self._clients: dict[str, DigestClient] = {}  # header to answer with -> the challenge it answers
        self._answered: dict[str, int] = {}  # the same -> challenges answered for this registration

    def bound(self, now: float) -> bool:
        """Whether the registrar still has our contact, as far as we know."""
        return now < self.bound_until

    # --- inputs -----------------------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        self._input("start", now)

    def stop(self, now: float) -> None:
        """Take the contact away again. STOPPED when that is done."""
        self._input("stop", now)

    def time(self, now: float) -> None:
        """`due_at` has come."""
        self._input("time", now)

    def lost(self, now: float) -> None:
        """The connection to the registrar is gone, and with it perhaps the way back to us."""
        self._input("lost", now)

    def failed(self, status: int, reason: str, now: float) -> None:
        """No final response came (408), or the request could not be sent (503)."""
        if self.state in _ASKING:
            self._fail(status, reason, 0.0, now)

    def receive(self, response: Response, now: float) -> None:
        """A response to what was sent last."""
        if response.status < 200 or self.state not in _ASKING:
            return
        if response.status < 300:
            self._granted(response, now)
        elif self._can_go_on(response):
            self._input("again", now)
        else:
            self._fail(response.status, response.reason, _seconds(response.get("Retry-After")), now)

    def request(self, via: str, sent_by: str, transport: str) -> bytes:
        """The REGISTER to send, to a hop that knows us as `sent_by`."""
        removing = self.state is State.REMOVING
        if not removing:
            self._contact = self.account.contact(sent_by, transport)
        credentials = "".join(
            [
                f"{name}: {client.credentials('REGISTER', self.uri, self._token())}\r\n"
                for name, client in self._clients.items()
            ]
        )
        return (
            f"REGISTER {self.uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n"
            f"From: <{self.account.aor}>;tag={self._tag}\r\nTo: <{self.account.aor}>\r\nCall-ID: {self._call_id}\r\n"
            f"CSeq: {self._cseq} REGISTER\r\nContact: <{self._contact}>\r\n"
            f"Expires: {0 if removing else self._asked_s}\r\nSupported: path\r\n{credentials}Content-Length: 0\r\n\r\n"
        ).encode()

    # --- the table --------------------------------------------------------------------------------------------------

    def _input(self, kind: str, now: float) -> None:
        found = _TABLE.get((self.state, kind))
        if found is None:
            return
        actions, self.state = found
        self.due_at = None
        for action in actions:
            getattr(self, f"_{action}")(now)

    def _begin(self, now: float) -> None:
        """A new registration or refresh, from the start of what may come between."""
        self.uri = self._home
        self._redirects = 0
        self._answered.clear()
        self._send(now)

    def _send(self, now: float) -> None:
        self._cseq += 1
        self.wants_to_send = True

    def _remove(self, now: float) -> None:
        if self.bound(now):
            self._begin(now)
        else:
            self._end(now)

    def _end(self, now: float) -> None:
        self.state = State.STOPPED
        self.bound_until = 0.0
        self.expires_s = 0
        self.service_route = ()

    def _keep(self, now: float) -> None:
        self.due_at = now + max(1.0, self.expires_s * (0.75 + 0.15 * self._jitter()))

    def _wait(self, now: float) -> None:
        longest_s = min(MAX_WAIT_S, BASE_WAIT_S * 2.0 ** min(self.failures, 10))
        self.due_at = now + longest_s * (0.5 + 0.5 * self._jitter())

    def _fail(self, status: int, reason: str, retry_after_s: float, now: float) -> None:
        self.failures += 1
        self.last_status, self.last_reason = status, reason
        self._home = self.account.registrar
        self._asked_s = self.account.expires_s
        self._clients.clear()
        self._input("failed", now)
        if self.due_at is not None and retry_after_s:  # 21.5.4; spread, so that not all who were told so come together
            self.due_at = max(self.due_at, now + min(retry_after_s, MAX_RETRY_AFTER_S) * (1 + 0.1 * self._jitter()))

    # --- what responses say -----------------------------------------------------------------------------------------

    def _granted(self, response: Response, now: float) -> None:
        granted_s = 0 if self.state is State.REMOVING else self._read_expires(response)
        if granted_s == 0 and self.state is not State.REMOVING:
            self._fail(response.status, "registered for no time", 0.0, now)
            return
        self.expires_s, self.bound_until = granted_s, now + granted_s
        self.failures, self.last_status, self.last_reason = 0, 0, ""
        self.service_route = tuple(response.values("Service-Route"))
        self._take_next_nonce(response)
        self._input("2xx", now)

    def _read_expires(self, response: Response) -> int:
        """What our own Contact was granted (10.2.4); registrars rewrite addresses, so it is known by its token."""
        contacts = response.values("Contact")
        ours = [one for one in contacts if f"line={self.account.line}" in one]
        if not ours and len(contacts) == 1:
            ours = contacts
        text = response.get("Expires")
        try:
            if ours:
                text = param(parse_params(ours[0], parts_of(ours[0])[2]), "expires") or text
        except SipError:
            pass  # a Contact of theirs that can't be read: the header, or what we asked for, has to do
        return min(self._asked_s if text is None else int(_seconds(text)), MAX_EXPIRES_S)

    def _take_next_nonce(self, response: Response) -> None:
        """RFC 7616 3.5: the nonce to use next."""
        info = read_params(f"Digest {response.get('Authentication-Info') or ''}") or {}
        client = self._clients.get("Authorization")
        if client is not None and (nonce := info.get("nextnonce")):
            challenge = replace(client.challenge, nonce=nonce)
            self._clients["Authorization"] = DigestClient(challenge, self.account.username, self.account.password)

    def _can_go_on(self, response: Response) -> bool:
        """Whether a refusal can be answered by another request, prepared here."""
        status = response.status
        if status in _AUTHORIZATION:
            return self._answer(response)
        if status == 423:
            least_s = int(_seconds(response.get("Min-Expires")))
            if self.state is State.REMOVING or not self._asked_s < least_s <= MAX_EXPIRES_S:
                return False
            self._asked_s = least_s
            return True
        return status in (301, 302) and self._follow(response)

    def _answer(self, response: Response) -> bool:
        """A challenge is answered once; again when only the nonce was too old (22.2, RFC 7616 3.3)."""
        asked, answered = _AUTHORIZATION[response.status]
        challenge = choose_challenge(response.all(asked))
        count = self._answered.get(answered, 0)
        if challenge is None or (count and not challenge.stale) or count >= MAX_STALE:
            return False
        self._answered[answered] = count + 1
        self._clients[answered] = DigestClient(challenge, self.account.username, self.account.password)
        return True

    def _follow(self, response: Response) -> bool:
        """8.1.3.4: to where the registrar moved; for good after a 301, until something fails there."""
        self._redirects += 1
        try:
            uri = uri_of((response.values("Contact") or [""])[0])
        except SipError:
            return False
        if self._redirects > MAX_REDIRECTS or uri[:4].lower() != "sip:" or not uri.isascii() or not uri.isprintable():
            return False
        self.uri = uri.partition("?")[0]
        self._clients.clear()  # another server, another realm
        self._answered.clear()
        if response.status == 301:
            self._home = self.uri
        return True


def _seconds(text: str | None) -> float:
    """delta-seconds at the start of a value, 0 for none."""
    found = _SECONDS.match(text or "")
    return float(found[1]) if found is not None else 0.0
