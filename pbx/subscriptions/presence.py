"""The package `presence`: is he there, is he on the phone (RFC 3856; PIDF, RFC 3863; RPID, RFC 4480)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from pbx.subscriptions.pidf import CONTENT_TYPE, Pidf
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
    """`state_of` says how an extension is; `exists` which there are; `published` what its phone says of its user. That
    is shown of who is there and not on the phone: else what we see ourselves is the news."""

    event: Final = "presence"
    content_type: Final = CONTENT_TYPE
    default_s: Final = 3600

    def __init__(
        self, state_of: Callable[[str], State], exists: Callable[[str], bool],
        published: Callable[[str], Pidf | None] = lambda extension: None,
    ) -> None:  # fmt: skip
        self._state_of = state_of
        self._exists = exists
        self._published = published

    def refusal(self, watcher: str, resource: str) -> int | None:
        return None if self._exists(resource) else 404

    def document(self, resource: str, entity: str, version: int, now: float) -> str:
        basic, activity, note = self._shown(resource)
        return (
            f'{DECLARATION}<presence xmlns="urn:ietf:params:xml:ns:pidf" '
            'xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" '
            f'entity="{attribute(entity)}">\n'
            f'  <tuple id="t{attribute(resource)}"><status><basic>{basic}</basic></status>'
            f"<contact>{text(entity)}</contact><note>{text(note)}</note></tuple>\n"
            f'  <dm:person id="p{attribute(resource)}"><rpid:activities>{activity or "<rpid:unknown/>"}'
            f"</rpid:activities><dm:note>{text(note)}</dm:note></dm:person>\n</presence>\n"
        )

    def _shown(self, extension: str) -> tuple[str, str, str]:
        state = self._state_of(extension)
        said = self._published(extension) if state == "open" else None
        if said is None:
            return _SHOWN[state]
        activities = "".join(f"<rpid:{one}/>" for one in said.activities)
        words = ", ".join(said.activities).replace("-", " ").capitalize()
        return (
            "open" if said.open else "closed",
            activities,
            said.note or words or ("Available" if said.open else "Away"),
        )
