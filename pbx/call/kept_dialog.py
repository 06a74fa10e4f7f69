"""A dialog as JSON has it, for the next server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pbx.sip.dialog import Dialog
from pbx.sip.hop import Hop

if TYPE_CHECKING:
    from pbx.call.switch import Switch

CSEQ_AHEAD: Final = 1000  # more requests than a dialog has sent since it was kept (RFC 3261 12.2.1.1: it only grows)


def keep_dialog(dialog: Dialog) -> dict[str, Any]:
    return {
        "call_id": dialog.call_id, "local": dialog.local, "remote": dialog.remote, "local_tag": dialog.local_tag,
        "remote_tag": dialog.remote_tag, "remote_target": dialog.remote_target, "contact": dialog.contact,
        "hop": list(dialog.hop), "route_set": list(dialog.route_set), "local_cseq": dialog.local_cseq,
        "remote_cseq": dialog.remote_cseq, "max_forwards": dialog.max_forwards,
    }  # fmt: skip


def dialog_of(kept: dict[str, Any], ahead: int = CSEQ_AHEAD) -> Dialog:
    """Raises KeyError or TypeError."""
    fields = {**kept, "hop": Hop(*kept["hop"]), "route_set": tuple(kept["route_set"])}
    fields["local_cseq"] += ahead
    return Dialog(**fields)


def login_of(switch: Switch, trunk: str | None) -> tuple[str, str] | None:
    """What we answer a challenge with, of a trunk that we called."""
    found = switch.rules.site.trunks.get(trunk or "")
    login = None if found is None else found.login
    return None if login is None else (login.username, login.password.get_secret_value())
