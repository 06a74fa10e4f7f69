"""The package `reg`: one's own registrations (RFC 3680)."""

from __future__ import annotations

import hashlib
from typing import Final

from pbx.routing.location import Location
from pbx.sip.binding import Binding
from pbx.subscriptions.xml import DECLARATION, attribute, text


class RegInfo:
    event: Final = "reg"
    content_type: Final = "application/reginfo+xml"
    default_s: Final = 3761  # RFC 3680 4.3

    def __init__(self, location: Location) -> None:
        self._location = location

    def refusal(self, watcher: str, resource: str) -> int | None:
        return None if resource == watcher else 403

    def document(self, resource: str, entity: str, version: int, now: float) -> str:
        bindings = self._location.contacts(resource, now)
        state = "active" if bindings else "terminated"
        contacts = "".join(_contact(one, now) for one in bindings)
        return (
            f'{DECLARATION}<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="{version}" state="full">\n'
            f'  <registration aor="{attribute(entity)}" id="{attribute(resource)}" state="{state}">\n{contacts}'
            "  </registration>\n</reginfo>\n"
        )


def _contact(binding: Binding, now: float) -> str:
    identity = hashlib.sha256(binding.contact.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    left_s = max(0, round(binding.expires_at - now))
    return (
        f'    <contact id="{identity}" state="active" event="registered" expires="{left_s}" q="{binding.q:g}" '
        f'callid="{attribute(binding.call_id)}" cseq="{binding.cseq}"><uri>{text(binding.contact)}</uri></contact>\n'
    )
