"""What a ladder says of the things that happened to a call besides its messages: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

Fields = Mapping[str, Any]

SAYS: Final[dict[str, Callable[[Fields], str]]] = {
    "CallStarted": lambda e: f"call to {e['to_number']}: {e['destination']}",
    "CallConnected": lambda e: f"caller and {e['who']} hear each other",
    "CallAttributesSet": lambda e: "attributes " + ", ".join(f"{k} {v}" for k, v in e["attributes"].items()),
    "LegEnded": lambda e: f"{e['who']}'s leg is over: {e['status']} {e['cause']}",
    "CallEnded": lambda e: f"call ended: {e['cause']}",
    "WebSessionMatched": lambda e: f"web session {e['session_id']} (by {e['method']}, confidence {e['confidence']:g})",
    "IvrStateEntered": lambda e: f"IVR {e['flow']}: {e['state']}",
    "IvrDigits": lambda e: f"presses {e['digits']}" + ("" if e["matched"] else " (no match)"),
    "IvrNoInput": lambda e: "presses nothing",
    "IvrEnded": lambda e: f"IVR {e['flow']} ends: {e['outcome']}",
    "ItemQueued": lambda e: f"waits in queue {e['queue']}, score {e['score']:g}",
    "ItemReserved": lambda e: f"{e['agent']} reserved after {e['waited_s']:.1f} s: {e['why']}",
    "ReservationEnded": lambda e: f"reservation of {e['agent']} ended: {e['outcome']}",
    "ItemAbandoned": lambda e: f"abandons queue {e['queue']} after {e['waited_s']:.1f} s",
    "ItemOverflowed": lambda e: f"leaves queue {e['queue']} after {e['waited_s']:.1f} s: {e['to'] or 'hung up'}",
}  # fmt: skip
"""By the event's class. What the messages show themselves (a leg began, the caller was answered) is left out."""


def note_of(event: object, who: Mapping[int, str]) -> str | None:
    """The line for an event, None if it needs none; `who` are the names of the legs by number."""
    says = SAYS.get(type(event).__name__)
    if says is None or not is_dataclass(event):
        return None
    try:
        values = {field.name: getattr(event, field.name) for field in fields(event)}
        leg = values.get("leg")
        return says(values | {"who": who.get(leg) or f"leg {leg}"} if leg is not None else values)
    except (KeyError, TypeError, ValueError):
        return None  # an event of this name with other fields
