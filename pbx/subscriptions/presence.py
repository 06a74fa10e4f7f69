"""The package `presence`: is he there, is he on the phone (RFC 3856; PIDF, RFC 3863; RPID, RFC 4480)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from pbx.subscriptions.xml import DECLARATION, attribute, text

State = Literal["offline", "open", "on the phone", "do not disturb"]

#: basic status of the tuple, activity of the person, what a person reads
_SHOWN: Final[dict[str, tuple[str, str, str]]] = {
    "offline": ("closed", "", "Offline"),
    "open": ("open", "", "Available"),
    "on the phone": ("open", "<rpid:on-the-phone/>", "On the phone"),
    "do not disturb": ("closed", "<rpid:busy/>", "Do not disturb"),
}


class Presence:
    """`state_of` says how an extension is; `exists` which there are."""

    event: Final = "presence"
    content_type: Final = "application/pidf+xml"
    default_s: Final = 3600

    def __init__(self, state_of: Callable[[str], State], exists: Callable[[str], bool]) -> None:
        self._state_of = state_of
        self._exists = exists

    def refusal(self, watcher: str, resource: str) -> int | None:
        return None if self._exists(resource) else 404

    def document(self, resource: str, entity: str, version: int, now: float) -> str:
        basic, activity, note = _SHOWN[self._state_of(resource)]
        return (
            f'{DECLARATION}<presence xmlns="urn:ietf:params:xml:ns:pidf" '
            'xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" '
            f'entity="{attribute(entity)}">\n'
            f'  <tuple id="t{attribute(resource)}"><status><basic>{basic}</basic></status>'
            f"<contact>{text(entity)}</contact><note>{note}</note></tuple>\n"
            f'  <dm:person id="p{attribute(resource)}"><rpid:activities>{activity or "<rpid:unknown/>"}'
            f"</rpid:activities><dm:note>{note}</dm:note></dm:person>\n</presence>\n"
        )
