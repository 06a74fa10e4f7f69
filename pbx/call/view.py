"""A call as people and programs see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbx.call.call import Call


def view_of(call: Call) -> dict[str, object]:
    """A snapshot."""
    talking = call.connected
    return {
        "id": call.id, "direction": call.direction, "from": call.from_number, "name": call.from_name,
        "to": call.to_number, "trunk": call.trunk, "destination": str(call.destination),
        "state": "talking" if talking else "parked" if call.parked else "answered" if call.answered else "ringing",
        "since": call.connected_at or call.started_at, "started_at": call.started_at,
        "with": None if talking is None else talking.agent or str(talking.destination),
        "attributes": dict(call.attributes), "slot": call.parked or None,
        "conference": None if call.conference is None else call.conference.name,
    }  # fmt: skip
