"""The package `dialog`: the calls of a phone, for busy lamps (RFC 4235)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pbx.call.caller_leg import CallerLeg
from pbx.call.leg import Leg
from pbx.sip.address import display_name_of, uri_of
from pbx.subscriptions.xml import DECLARATION, attribute, text


class DialogInfo:
    """`legs_of` gives the live legs of an extension; `exists` says which extensions there are."""

    event: Final = "dialog"
    content_type: Final = "application/dialog-info+xml"
    default_s: Final = 3600

    def __init__(self, legs_of: Callable[[str], Iterable[Leg]], exists: Callable[[str], bool]) -> None:
        self._legs_of = legs_of
        self._exists = exists

    def refusal(self, watcher: str, resource: str) -> int | None:
        return None if self._exists(resource) else 404

    def document(self, resource: str, entity: str, version: int, now: float) -> str:
        dialogs = "".join(_dialog(leg, entity) for leg in self._legs_of(resource))
        return (
            f'{DECLARATION}<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" state="full" '
            f'entity="{attribute(entity)}">\n{dialogs}</dialog-info>\n'
        )


def _dialog(leg: Leg, entity: str) -> str:
    """One dialog as the watched phone sees it: what is local to us is remote to it."""
    dialog = leg.dialog
    direction = "initiator" if isinstance(leg, CallerLeg) else "recipient"
    tags = "".join(
        f' {name}="{attribute(tag)}"'
        for name, tag in (("local-tag", dialog.remote_tag), ("remote-tag", dialog.local_tag))
        if tag
    )
    other = dialog.local  # who the phone talks with, as it was told by us
    name = display_name_of(other)
    display = f' display="{attribute(name)}"' if name else ""
    return (
        f'  <dialog id="{attribute(dialog.local_tag)}" call-id="{attribute(dialog.call_id)}"{tags} '
        f'direction="{direction}">\n    <state>{leg.phase}</state>\n'
        f"    <local><identity>{text(entity)}</identity></local>\n"
        f"    <remote><identity{display}>{text(uri_of(other))}</identity>"
        f'<target uri="{attribute(uri_of(other))}"/></remote>\n  </dialog>\n'
    )
