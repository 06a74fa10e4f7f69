"""Call records as a projection of the journal: a fold without I/O, the same for live events and for a rebuild.

```
 CallStarted      -> the record opens        ItemQueued     -> queue; waiting begins
 CallAnswered     -> answered_at             ItemConnected  -> agent; waiting ends
 CallConnected    -> connected_at, agent     ItemAbandoned  -> waiting ends
 LegEnded, -Moved -> a conversation ends     ItemOverflowed -> waiting ends
 CallAttributesSet-> web_session, basket     CallEnded      -> the record is complete
 CallTransferred  -> transfers, to whom       LegQuality     -> how a leg sounded
WorkNoted        -> disposition
```

It reads kinds and fields by name, because this package may not import those who make the events. Values are
checked here: whatever the journal holds, a record can be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, NamedTuple

from .rows import JournalRow, clean

MAX_OPEN_CALLS: Final = 100_000
MAX_OPEN_S: Final = 7 * 86_400.0
_MAX_INTEGER: Final = 2**31 - 1


class CdrRow(NamedTuple):
    """One call. A named tuple, because it goes to the driver as it is; the columns of `tables.cdr`, in order."""

    seq: int  # journal number of the CallEnded that closed it
    call_id: str
    started_at: float  # all times: seconds since 1970 (UTC)
    answered_at: float | None  # the caller got a 200
    connected_at: float | None  # first heard another person
    ended_at: float
    direction: str  # inbound, outbound, internal
    from_number: str
    to_number: str
    trunk: str | None
    destination: str  # where the call was first sent: "ivr welcome"
    queue: str | None  # the last one
    agent: str | None  # the last who talked
    waited_s: float  # in all queues
    talked_s: float  # in all conversations
    cause: str
    status: int | None  # final SIP status the caller got; None when nobody knows (the server stopped)
    web_session: str | None
    basket: float | None  # euros
    packets_received: int  # from the caller
    packets_sent: int
    packets_lost: int
    jitter_ms: float
    transfers: int = 0  # how often somebody gave the party on
    transferred_to: str | None = None  # the last time: "extension 103"
    caller_rtt_ms: float | None = None  # round trip to the caller; None: his phone sent no reports
    caller_mos: float | None = None  # how he sounded, 1 to 4.5
    callee_lost: int | None = None  # packets, of the last who talked with him
    callee_jitter_ms: float | None = None
    callee_rtt_ms: float | None = None
    callee_mos: float | None = None
    disposition: str | None = None  # the last one noted, often after the call: such a row is mended


class Note(NamedTuple):
    """A disposition that came after the call's end."""

    disposition: str | None
    call_id: str
    seq: int  # its own: later records of that id are of other calls


@dataclass(slots=True)
class OpenCall:
    """What is known of a call that is not over."""

    seq: int  # journal number of its CallStarted
    call_id: str
    started_at: float
    last_at: float  # its last event
    direction: str
    from_number: str
    to_number: str
    trunk: str | None
    destination: str
    answered_at: float | None = None
    connected_at: float | None = None
    queue: str | None = None
    queued_at: float | None = None  # set while it waits
    agent: str | None = None
    talking_at: float | None = None  # set while two parties hear each other
    talking_leg: object = None
    waited_s: float = 0.0
    talked_s: float = 0.0
    web_session: str | None = None
    basket: float | None = None
    transfers: int = 0
    transferred_to: str | None = None
    caller_rtt_ms: float | None = None
    caller_mos: float | None = None
    callee_lost: int | None = None
    callee_jitter_ms: float | None = None
    callee_rtt_ms: float | None = None
    callee_mos: float | None = None
    disposition: str | None = None


class CdrFold:
    """Journal rows in, in order; a record out when a call ended. Holds the open calls, oldest first."""

    def __init__(self) -> None:
        self.open: dict[str, OpenCall] = {}

    def take(self, row: JournalRow) -> CdrRow | None:
        """Rows of a call that never started, or is over already, change nothing."""
        _, at, kind, call_id, data = row
        step = _STEPS.get(kind)
        if step is not None:
            call = self.open.get(call_id)  # type: ignore[arg-type]  # None is no key: not found
            if call is not None:
                call.last_at = at
                step(call, at, data)
        elif kind == "CallStarted" and call_id is not None and call_id not in self.open:
            self.open[call_id] = _start(row, call_id)
        elif kind == "CallEnded" and (call := self.open.pop(call_id, None)) is not None:  # type: ignore[arg-type]
            return _end(call, row)
        return None

    def late_note(self, row: JournalRow) -> Note | None:
        """What a row says of the record of a call that is over."""
        if row.kind != "WorkNoted" or row.call_id is None or row.call_id in self.open:
            return None
        return Note(_text(row.data.get("disposition")), row.call_id, row.seq)

    def open_from(self, seq: int) -> int:
        """The journal number from which a reader rebuilds the open calls, when everything up to `seq` was taken."""
        return next((call.seq for call in self.open.values()), seq + 1)

    def overdue(self, at: float) -> Iterator[OpenCall]:
        """Calls whose end must have been missed: too many newer ones are open, or it is too long ago.

        The caller journals an end for each before asking for the next.
        """
        while self.open:
            oldest = next(iter(self.open.values()))
            if len(self.open) <= MAX_OPEN_CALLS and at - oldest.last_at <= MAX_OPEN_S:
                return
            yield oldest


def closing_row(seq: int, call: OpenCall, at: float, cause: str) -> JournalRow:
    """A CallEnded for a call whose own was never journalled."""
    status = None if call.answered_at is None else 200
    return JournalRow(seq, at, "CallEnded", call.call_id, {"cause": cause, "status": status})


def _start(row: JournalRow, call_id: str) -> OpenCall:
    data = row.data
    return OpenCall(
        row.seq,
        call_id,
        row.at,
        row.at,
        _text(data.get("direction")) or "",
        _text(data.get("from_number")) or "",
        _text(data.get("to_number")) or "",
        _text(data.get("trunk")),
        _text(data.get("destination")) or "",
    )


def _end(call: OpenCall, row: JournalRow) -> CdrRow:
    at, data = row.at, row.data
    _stop_waiting(call, at)
    _stop_talking(call, at)
    return CdrRow(
        row.seq,
        call.call_id,
        call.started_at,
        call.answered_at,
        call.connected_at,
        at,
        call.direction,
        call.from_number,
        call.to_number,
        call.trunk,
        call.destination,
        call.queue,
        call.agent,
        round(call.waited_s, 6),
        round(call.talked_s, 6),
        _text(data.get("cause")) or "",
        _whole(data.get("status")),
        call.web_session,
        call.basket,
        _whole(data.get("packets_received")) or 0,
        _whole(data.get("packets_sent")) or 0,
        _whole(data.get("packets_lost")) or 0,
        _number(data.get("jitter_ms")) or 0.0,
        call.transfers,
        call.transferred_to,
        call.caller_rtt_ms,
        call.caller_mos,
        call.callee_lost,
        call.callee_jitter_ms,
        call.callee_rtt_ms,
        call.callee_mos,
        call.disposition,
    )


def _answered(call: OpenCall, at: float, data: dict[str, Any]) -> None:
    if call.answered_at is None:
        call.answered_at = at


def _connected(call: OpenCall, at: float, data: dict[str, Any]) -> None:
    _stop_talking(call, at)  # a transfer: one conversation follows the other
    call.talking_at, call.talking_leg = at, data.get("leg")
    if call.connected_at is None:
        call.connected_at = at
    call.agent = _text(data.get("agent")) or call.agent


def _leg_ended(call: OpenCall, at: float, data: dict[str, Any]) -> None:
    if call.talking_at is not None and data.get("leg") == call.talking_leg:
        _stop_talking(call, at)


def _transferred(call: OpenCall, at: float, data: dict[str, Any]) -> None:
    call.transfers += 1
    call.transferred_to = _text(data.get("to"))
    call.agent = _text(data.get("to_agent")) or call.agent


def _quality(call: OpenCall, at: float, data: dict[str, Any]) -> None:
    """A leg is over. Of called legs the last one counts."""
    trip, score = _number(data.get("rtt_ms")), _number(data.get("mos"))
    if data.get("leg") == 1:
        call.caller_rtt_ms, call.caller_mos = trip, score
        return
    call.callee_rtt_ms, call.callee_mos = trip, score
    call.callee_lost, call.callee_jitter_ms = _whole(data.get("packets_lost")), _number(data.get("jitter_ms"))


def _attributes(call: OpenCall, at: float, data: dict[str, Any]) -> None:
    attributes = data.get("attributes")
    if isinstance(attributes, dict):
        if "web_session" in attributes:
            call.web_session = _text(attributes["web_session"])
        if "basket" in attributes:
            call.basket = _number(attributes["basket"])


def _queued(call: OpenCall, at: float, data: dict[str, Any]) -> None:
    _stop_waiting(call, at)
    call.queue, call.queued_at = _text(data.get("queue")), at


def _dequeued(call: OpenCall, at: float, data: dict[str, Any]) -> None:
    _stop_waiting(call, at)


def _item_connected(call: OpenCall, at: float, data: dict[str, Any]) -> None:
    _stop_waiting(call, at)
    call.queue = _text(data.get("queue")) or call.queue
    call.agent = _text(data.get("agent")) or call.agent


def _noted(call: OpenCall, at: float, data: dict[str, Any]) -> None:
    call.disposition = _text(data.get("disposition"))


# The waiting time is measured from the events' own times, not taken from their `waited_s`: a call that ends while it
# waits then counts the same, whichever of CallEnded and ItemAbandoned comes first.
def _stop_waiting(call: OpenCall, at: float) -> None:
    if call.queued_at is not None:
        call.waited_s += max(0.0, at - call.queued_at)
        call.queued_at = None


def _stop_talking(call: OpenCall, at: float) -> None:
    if call.talking_at is not None:
        call.talked_s += max(0.0, at - call.talking_at)
        call.talking_at = None


_STEPS: Final[dict[str, Callable[[OpenCall, float, dict[str, Any]], None]]] = {
    "CallAnswered": _answered,
    "CallConnected": _connected,
    "LegEnded": _leg_ended,
    "LegMoved": _leg_ended,  # set aside; who is heard on is connected again
    "CallAttributesSet": _attributes,
    "CallTransferred": _transferred,
    "LegQuality": _quality,
    "ItemQueued": _queued,
    "ItemConnected": _item_connected,
    "ItemAbandoned": _dequeued,
    "ItemOverflowed": _dequeued,
    "WorkNoted": _noted,
}
KINDS: Final = ("CallStarted", "CallEnded", *_STEPS)  # the rows a rebuild needs


def _text(value: object) -> str | None:
    return None if value is None else clean(str(value))


def _number(value: object) -> float | None:
    """Also from text: a shop may post a basket as "2300"."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def _whole(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(max(-_MAX_INTEGER, min(_MAX_INTEGER, number)))
