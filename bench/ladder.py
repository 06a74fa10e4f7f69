"""A call ladder: who told whom what and when, gathered from the server's events, the phones and the desktops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from bench.cti_client import POPS, Received
from bench.softphones import Phone

_PLATEAU = "plateau"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the ladder."""

    at: float  # Unix seconds
    who: str
    whom: str
    what: str


Event = dict[str, Any]
_Line = tuple[str, str, str]

# What a line says of each event of the server: who, whom, what. Events not here are not shown.
_SAYS: dict[str, Callable[[Event], _Line]] = {
    "call_started": lambda e: (
        e["trunk"] or e["from_number"], _PLATEAU, f"INVITE {e['to_number']} from {e['from_number']}: {e['destination']}"
    ),
    "call_answered": lambda e: (_PLATEAU, "caller", "200 OK"),
    "web_session_matched": lambda e: (
        _PLATEAU, "", f"web session {e['session_id']} (by {e['method']}, confidence {e['confidence']:g})"
    ),
    "call_attributes_set": lambda e: (
        _PLATEAU, "", "attributes " + ", ".join(f"{key} {value}" for key, value in e["attributes"].items())
    ),
    "ivr_state_entered": lambda e: (_PLATEAU, "caller", f"IVR {e['flow']}: {e['state']}"),
    "ivr_digits": lambda e: ("caller", _PLATEAU, f"presses {e['digits']}"),
    "ivr_no_input": lambda e: ("caller", _PLATEAU, "presses nothing"),
    "item_queued": lambda e: (_PLATEAU, f"queue {e['queue']}", f"waits, score {e['score']:g}"),
    "item_reserved": lambda e: (f"queue {e['queue']}", e["agent"], f"reserved after {e['waited_s']:.1f} s: {e['why']}"),
    "leg_started": lambda e: (_PLATEAU, e["agent"] or "", f"INVITE {e['target']}"),
    "call_connected": lambda e: ("caller", e["agent"] or "", "bridged"),
    "leg_ended": lambda e: (_PLATEAU, f"leg {e['leg']}", f"over: {e['status']} {e['cause']}"),
    "reservation_ended": lambda e: (_PLATEAU, e["agent"], f"reservation ended: {e['outcome']}"),
    "item_abandoned": lambda e: ("caller", f"queue {e['queue']}", f"abandoned after {e['waited_s']:.1f} s"),
    "agent_state_changed": lambda e: (e["agent"], "", f"{e['state']}{' (' + e['reason'] + ')' if e['reason'] else ''}"),
    "call_ended": lambda e: (_PLATEAU, "caller", f"call ended: {e['cause']}"),
}  # fmt: skip

_PHONE_SAYS: dict[str, str] = {
    "incoming": "INVITE arrived",
    "ringing": "hears it ring",
    "established": "talks",
    "ended": "hung up",
}


class Ladder:
    """Collects; `steps()` is in order of time."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def add(self, at: float, who: str, whom: str, what: str) -> None:
        self._steps.append(Step(at, who, whom, what))

    def server_event(self, message: Received) -> None:
        """Of a supervisor's websocket."""
        says = _SAYS.get(message.type)
        if says is not None:
            self.add(float(message["at"]), *says(message.body))

    def pop(self, agent: str, message: Received) -> None:
        """Of an agent's websocket; the time is that of arrival."""
        if message.type in POPS and "pop_id" in message.body:
            reason = f" ({message['reason']})" if message["reason"] else ""
            self.add(message.arrived_at, _PLATEAU, f"{agent}'s screen", f"pop {message.type}{reason}")

    def follow(self, phone: Phone, name: str) -> None:
        """Take in what a phone reports."""

        def note(event: Event) -> None:
            what = _PHONE_SAYS.get(event["event"])
            if what is not None:
                self.add(float(event.get("arrived_at") or event["at"]), f"{name}'s phone", "", what)

        phone.on_event = note

    def steps(self) -> list[Step]:
        return sorted(self._steps, key=lambda step: step.at)

    def table(self, title: str = "Call ladder") -> Table:
        table = Table(title=title, title_justify="left", expand=False)
        table.add_column("s", justify="right", no_wrap=True)
        for column in ("who", "whom"):
            table.add_column(column, no_wrap=True)
        table.add_column("what")
        steps = self.steps()
        for step in steps:
            table.add_row(f"{step.at - steps[0].at:.3f}", escape(step.who), escape(step.whom), escape(step.what))
        return table
