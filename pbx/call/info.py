"""INFO inside a call (RFC 6086, the old way): keys, and whatever else two phones tell each other."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from media.plane import KEYS
from pbx.call.sent_request import SentRequest
from pbx.sip.message import Request
from pbx.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from pbx.call.leg import Leg

RELAY: Final = "application/dtmf-relay"
_PLAIN: Final = "application/dtmf"
_USUAL_MS: Final = 160
_SIGNAL = re.compile(r"^\s*Signal\s*=\s*(\S+)\s*$", re.IGNORECASE | re.MULTILINE)
_DURATION = re.compile(r"^\s*Duration\s*=\s*([0-9]{1,5})\s*$", re.IGNORECASE | re.MULTILINE)
_MOST_BYTES: Final = 4096  # of a body that is passed on
_KIND = re.compile(r"[\w.+-]+/[\w.+-]+(?:\s*;[^\r\n]{0,200})?")


def serve(leg: Leg, request: Request, transaction: ServerTransaction, now: float) -> None:
    """Keys go to who listens to this leg, and to the other side of its bridge; so does any other body."""
    kind = (request.get("Content-Type") or "").strip()
    base = kind.partition(";")[0].strip().lower()
    if request.get("Info-Package") is not None:
        transaction.respond(469, now, headers="Recv-Info: \r\n")  # 4.2.2: we take no packages
    elif base in (RELAY, _PLAIN):
        key = read_key(base, request.body.decode("utf-8", "replace"))
        transaction.respond(200 if key else 400, now)
        if key:
            _pressed(leg, *key)
    else:
        transaction.respond(200, now)
        partner = leg.partner
        sent = request.body and len(request.body) <= _MOST_BYTES and _KIND.fullmatch(kind)
        if sent and partner is not None and partner.allows("INFO"):
            body = request.body.decode("utf-8", "surrogateescape")
            lines = leg.passes(request.headers, partner)
            SentRequest(leg.switch, partner.dialog, partner.login, "INFO", f"{lines}Content-Type: {kind}\r\n", body)


def read_key(kind: str, body: str) -> tuple[str, int] | None:
    """(key, milliseconds) of a body; None if it is no key."""
    if kind == _PLAIN:
        text, duration_ms = body.strip(), _USUAL_MS
    else:
        signal, duration = _SIGNAL.search(body), _DURATION.search(body)
        text = signal[1] if signal else ""
        duration_ms = _within_reason(int(duration[1])) if duration else _USUAL_MS
    text = {"10": "*", "11": "#"}.get(text, text.upper())  # as some number them
    return (text, duration_ms) if len(text) == 1 and text in KEYS else None


def _pressed(leg: Leg, key: str, duration_ms: int) -> None:
    partner, port = leg.partner, leg.audio.port
    if leg.audio.dtmf in ("rfc4733", "inband") or (port is not None and port.keys):
        leg.switch.counters["keys_said_twice"] += 1  # they come with the sound: this tells of the same press
        return
    if partner is not None:
        partner.send_key(key, duration_ms)
    if port is not None and port.on_digit is not None:
        port.on_digit(key)


def _within_reason(duration_ms: int) -> int:
    return min(max(duration_ms, 40), 5000)


def relay_keys(leg: Leg) -> None:
    """The other side of the bridge can't get the keys of `leg` as RFC 4733 events: they go by INFO, as they end."""
    port = leg.audio.port
    if port is not None:
        port.on_key_end = partial(_pass_on, leg)


def _pass_on(leg: Leg, key: str, held_ms: int) -> None:
    partner = leg.partner
    if partner is not None and partner.keys_by_info:
        send_key(partner, key, _within_reason(held_ms))


def send_key(leg: Leg, key: str, duration_ms: int) -> None:
    body = f"Signal={key}\r\nDuration={duration_ms}\r\n"
    SentRequest(leg.switch, leg.dialog, leg.login, "INFO", f"Content-Type: {RELAY}\r\n", body)
