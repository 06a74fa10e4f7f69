"""Why a call went where it went: its events, in words, in order.

Works on what the journal has (kind, time, fields), so it explains calls of last year as well as one that waits now; of
the latter, whoever asks adds an `ItemWaits` of the moment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from acd.callbacks import Callback
from acd.decision import Decision, Excluded, Fitting, fitting
from acd.floor import Floor
from acd.model import ItemState
from acd.rules import position

Data = Mapping[str, Any]


class Happened(Protocol):
    """A row of the journal."""

    @property
    def seq(self) -> int: ...

    @property
    def at(self) -> float: ...

    @property
    def kind(self) -> str: ...

    @property
    def data(self) -> Data: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of the explanation."""

    at: float  # seconds since 1970
    kind: str  # came, waits, needs, offered, refused, connected, ended, left ...
    text: str  # one line
    details: tuple[str, ...] = ()  # lines below it


@dataclass(slots=True)
class Explanation:
    """Of one call."""

    call_id: str
    moments: list[Moment] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """The last word."""
        return self.moments[-1].text if self.moments else ""

    def view(self) -> dict[str, Any]:
        """As plain JSON values."""
        start = self.moments[0].at if self.moments else 0.0
        return {
            "call_id": self.call_id, "outcome": self.outcome,
            "moments": [
                {"at": one.at, "after_s": round(one.at - start, 3), "kind": one.kind, "text": one.text,
                 "details": list(one.details)}
                for one in self.moments
            ],
        }  # fmt: skip


def explain(call_id: str, happened: Iterable[Happened]) -> Explanation:
    """In the order given. What concerns no queue or agent is left out; empty if nothing does."""
    found = Explanation(call_id)
    for one in happened:
        words = _WORDS.get(one.kind)
        if words is not None:
            found.moments.append(words(one.at, one.data))
    if all(moment.kind in ("came", "ended") for moment in found.moments):
        found.moments.clear()  # it was in no queue
    return found


async def story(events: Callable[[str], Awaitable[Sequence[Happened]]], call_id: str) -> list[Happened]:
    """What the journal has of a call; if it was made for a callback, with what became of that; of a callback, with all
    calls that were made for it. `events`: what it has of one id."""
    found = list(await events(call_id))
    if any(one.kind == "CallbackAsked" for one in found):
        number = 1
        while of_attempt := await events(f"{call_id}-{number}"):
            found += of_attempt
            number += 1
    elif "-" in call_id:
        found += [one for one in await events(call_id.rpartition("-")[0]) if one.kind.startswith("Callback")]
    return sorted(found, key=lambda one: one.seq)


def at_present(floor: Floor, item_id: str, now: float) -> Moment | None:
    """What a live item or callback is at; None: it is over, or not of any queue. It looks through the queue: for
    whoever asks."""
    now, callback = max(now, floor.now), floor.callbacks.get(item_id)
    if callback is not None and callback.item_id is None:
        return _scheduled(floor, callback, now)
    item = floor.items.get(item_id if callback is None else callback.item_id or "")
    if item is None:
        return None
    name = item.queue.name
    match item.state:
        case ItemState.QUEUED:
            waits = _waits(now, {"fitting": tuple(fitting(floor, item))})
            expected_s = floor.estimates.of_item(item)
            place = f"place {position(item)} in queue {name}, for {seconds(item.waited_s(now))}"
            ewt = () if expected_s is None else (f"about {seconds(expected_s)} more are to be expected",)
            return Moment(now, "now", f"now: {waits.text}", (place, *ewt, *waits.details))
        case ItemState.RESERVED:
            rung = ", ".join(held.agent for held in item.reservations.values())
            return Moment(now, "now", f"now: the phone of {rung} rings")
        case ItemState.CONNECTED:
            return Moment(now, "now", f"now: talks with {item.agent} for {seconds(now - item.connected_at)}")
        case ItemState.KEPT:
            return Moment(now, "now", f"now: the caller is gone for {seconds(now - item.left_at)}, the place is kept")
    return Moment(now, "now", f"now: {item.state.value.lower()} in queue {name}")


def _scheduled(floor: Floor, callback: Callback, now: float) -> Moment:
    queue = floor.queues[callback.queue]
    when = "when the hours of callbacks begin" if not queue.emergency else "when the emergency is over"
    if callback.due_at > now:
        when = f"in {seconds(callback.due_at - now)}"
    tried = f"attempts: {callback.attempts}, given up in {seconds(max(0.0, callback.expires_at - now))}"
    return Moment(now, "now", f"now: to be called {when}", (tried,))


# --- words ------------------------------------------------------------------------------------------------------------


def seconds(value: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 5 min`."""
    if value < 60:
        return f"{value:.0f} s" if value >= 9.95 or value == int(value) else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _agents(count: int) -> str:
    return "nobody" if count == 0 else "1 agent" if count == 1 else f"{count} agents"


def _attributes(data: Data) -> tuple[str, ...]:
    known = [f"{name} {value}" for name, value in data.get("attributes", {}).items() if value not in ("", None)]
    return (f"known of it: {', '.join(known)}",) if known else ()


def _came(at: float, data: Data) -> Moment:
    return Moment(at, "came", f"the call came: {data.get('from_number') or 'no number'} to {data.get('to_number')}")


def _queued(at: float, data: Data) -> Moment:
    score = f"score {data['score']:g} before age" if data.get("score") else ""
    return Moment(at, "queued", f"came to queue {data['queue']}", (*_attributes(data), *([score] if score else [])))


def _rescored(at: float, data: Data) -> Moment:
    return Moment(at, "known", f"more is known of the caller: score {data['score']:g}", _attributes(data))


def _waits(at: float, data: Data) -> Moment:
    try:
        who = Fitting(*data["fitting"])
    except TypeError:  # of another version
        return Moment(at, "waits", "nobody takes it now")
    needed = f"it needs {who.needs}" if who.needs else "it needs nothing in particular"
    more = f"{needed} (step {who.step})" if who.step else needed
    details = (more, *_excluded(who.excluded), *_named(who))
    if not who.fits:
        return Moment(at, "waits", "nobody in the site can take it", details)
    if not who.logged_in:
        return Moment(at, "waits", f"{_agents(who.fits)} could take it, nobody of them is logged in", details)
    counts = (
        (who.fits - who.logged_in, "logged out"),
        (who.logged_in - who.on_duty, "not ready"),
        (who.on_duty - who.free, "at work or without a free phone"),
        (who.free, "free, for others who are before it"),
    )
    shares = ", ".join(f"{count} {what}" for count, what in counts if count)
    return Moment(at, "waits", f"nobody is free: {_agents(who.fits)} could take it, {shares}", details)


REASONS: Final = {
    "later_level": "free, but asked later by their level in the queue", "ringing": "rung", "at_work": "at work",
    "not_free": "without a free phone", "not_ready": "not ready", "logged_out": "logged out",
    "not_preferred": "not the agent it waits for", "no_channel": "for other channels", "unfit": "without what it needs",
    "elsewhere": "of other queues",
}  # fmt: skip


def _excluded(counts: Excluded | None) -> list[str]:
    shares = ", ".join(f"{count} {REASONS.get(why, why)}" for why, count in (counts or {}).items())
    return [f"excluded: {shares}"] if shares else []


def _named(who: Decision | Fitting) -> list[str]:
    lines = [f"{name}: {_doing(what)}" for name, what in who.named]
    more = sum((who.excluded or {}).values()) - len(lines)
    return [*lines, f"and {more} more"] if lines and more > 0 else lines


def _doing(what: str) -> str:
    state, _, why = what.partition(" ")
    word = _STATES.get(state, state.lower())
    return word if not why else f"{word} {why}" if state in _AND_WHAT else f"{word} ({why})"


_STATES: Final = {
    "LOGGED_OUT": "logged out", "NOT_READY": "not ready", "READY": "ready", "RESERVED": "rung for another call",
    "BUSY": "talks", "WRAP_UP": "notes down a call", "ASKED": "rung for this call, too",
    "LATER_LEVEL": "free, but asked later: level", "UNFIT": "does not fit:", "NO_CHANNEL": "is for other channels, not",
    "NOT_PREFERRED": "fits, but it waits for another agent", "ELSEWHERE": "serves other queues",
}  # fmt: skip
_AND_WHAT: Final = ("LATER_LEVEL", "UNFIT", "NO_CHANNEL")


def _relaxed(at: float, data: Data) -> Moment:
    step = f"step {data['step']}: " if data.get("needs") else ""
    now = f"it needs {data['needs']} from now on, " if data.get("needs") else ""
    return Moment(at, "needs", f"{step}{now}{data['why']}")


def _prefers(at: float, data: Data) -> Moment:
    return Moment(at, "prefers", f"it waits for {data['agent']}, up to {seconds(max(0.0, data['until'] - at))}")


def _reserved(at: float, data: Data) -> Moment:
    text = f"offered to {data['agent']} after {seconds(data['waited_s'])}"
    try:
        decision = Decision(*data.get("decision", ()))
    except TypeError:
        return Moment(at, "offered", text, (data["why"],))
    needed = f"needed: {decision.needs}" if decision.needs else "needed: nothing in particular"
    lines = [f"{needed}, at step {decision.step}" if decision.step else needed]
    lines.append(f"{_agents(decision.fits)} {'fits' if decision.fits < 2 else 'fit'}, {decision.logged_in} logged in")
    lines.append(_chosen(decision, data))
    if decision.rival is not None:
        call, queue, score = decision.rival
        lines.append(f"next would have been {call} of queue {queue}: score {score:.1f}")
    if decision.kind == "preferred":
        lines.append("it waited for this agent")
    elif decision.kind == "borrowed":
        lines.append("borrowed: the agent is of another queue")
    return Moment(at, "offered", text, (*lines, *_shown(decision), *_excluded(decision.excluded), *_named(decision)))


def _chosen(decision: Decision, data: Data) -> str:
    if not decision.free:
        return f"the agent came free: {data['why']}"
    if decision.free == 1:
        return "the only one free"
    return f"{decision.free} free, chosen by strategy {decision.strategy}"


def _shown(decision: Decision) -> list[str]:
    if decision.free < 2:
        return []
    lines = [f"{name}: {_number(decision.strategy, key, idle_s)}" for name, key, idle_s in decision.shown]
    if len(lines) < decision.free:
        lines.append(f"and {decision.free - len(lines)} more")
    return lines


def _number(strategy: str, key: float | None, idle_s: float) -> str:
    idle = f"idle for {seconds(idle_s)}"
    if key is None:
        return idle
    match strategy:
        case "most skilled":
            return f"levels {key:g} in sum, {idle}"
        case "fewest calls":
            return f"{key:g} calls since log-in, {idle}"
        case "least talk time":
            return f"talked for {seconds(key)} since log-in, {idle}"
        case "least occupied":
            return f"at work for {100 * key:.0f} % of the time, {idle}"
        case "least loaded":
            return f"has {key:g} of these, {idle}"
        case "round robin" | "top down":
            return f"place {key + 1:g} in the list, {idle}"
    return f"drawn {key:.4g}, {idle}"


_OUTCOMES: Final = {
    "no_answer": "did not answer", "rejected": "rejected it", "busy": "was busy",
    "unregistered": "has no phone registered", "failed": "could not be reached",
    "caller_hung_up": "rang in vain: the caller hung up",
    "withdrawn": "was asked no longer", "answered_elsewhere": "was asked no longer: another answered",
}  # fmt: skip


def _refused(at: float, data: Data) -> Moment:
    return Moment(at, "refused", f"{data['agent']} {_OUTCOMES.get(data['outcome'], data['outcome'])}")


def _connected(at: float, data: Data) -> Moment:
    waited = f"after {seconds(data['waited_s'])} in queue {data['queue']}"
    return Moment(at, "connected", f"{data['agent']} answered, {waited}")


def _completed(at: float, data: Data) -> Moment:
    return Moment(at, "completed", f"talked with {data['agent']} for {seconds(data['talked_s'])}")


def _abandoned(at: float, data: Data) -> Moment:
    return Moment(at, "abandoned", f"the caller hung up after {seconds(data['waited_s'])} in queue {data['queue']}")


def _overflowed(at: float, data: Data) -> Moment:
    to = f"to {data['to']}" if data.get("to") else "and was hung up"
    why = _REASONS.get(data.get("reason", ""), data.get("reason", ""))
    if data.get("reason") == "withdrawn" and not data.get("to"):
        why = "a supervisor withdrew it"
    left = f"left queue {data['queue']} after {seconds(data['waited_s'])} {to}"
    return Moment(at, "left", left, (why,) if why else ())


_REASONS: Final = {
    "max_wait": "it had waited for as long as the queue allows", "closed": "the queue is closed at this hour",
    "emergency": "the queue is switched to emergency", "moved": "a supervisor moved it",
    "withdrawn": "somebody sent it there", "callback": "the caller wants to be called, and keeps the place",
}  # fmt: skip


def _kept(at: float, data: Data) -> Moment:
    return Moment(
        at, "kept", f"the caller is gone after {seconds(data['waited_s'])}; the place is kept",
        (f"for {seconds(max(0.0, data['until'] - at))}, should the caller call again",),
    )  # fmt: skip


def _resumed(at: float, data: Data) -> Moment:
    if data.get("channel") == "callback":
        return Moment(at, "resumed", f"this attempt is over; {data['by']} has its place")
    return Moment(at, "resumed", f"the caller is back, and has the place again: call {data['by']}")


def _priority(at: float, data: Data) -> Moment:
    given = "its queue's again" if data["priority"] is None else f"{data['priority']:g}"
    return Moment(at, "priority", f"a supervisor changed its priority: {given}")


def _transferred(at: float, data: Data) -> Moment:
    return Moment(at, "transferred", f"{data['by']} transferred it ({data['kind']}) to {data['to']}")


def _revived(at: float, data: Data) -> Moment:
    return Moment(at, "revived", "the server was started again; the call goes on")


def _ended(at: float, data: Data) -> Moment:
    return Moment(at, "ended", f"the call ended: {data.get('cause')}")


def _asked(at: float, data: Data) -> Moment:
    when = f"to be called in {seconds(data['due_at'] - at)}" if data["due_at"] > at else "to be called in its turn"
    place = (f"it has the place of call {data['instead_of']}",) if data.get("instead_of") else ()
    return Moment(at, "asked", f"a callback to {data['number']} was asked for in queue {data['queue']}", (when, *place))


def _put_off(at: float, data: Data) -> Moment:
    return Moment(at, "put_off", f"the callback was put off: in {seconds(max(0.0, data['due_at'] - at))}")


def _taken(at: float, data: Data) -> Moment:
    return Moment(at, "taken", f"{data['agent']} answered; the customer is called next")


def _dialled(at: float, data: Data) -> Moment:
    return Moment(at, "dialled", f"the customer's phone is called, attempt {data['attempt']}")


def _reached(at: float, data: Data) -> Moment:
    return Moment(at, "reached", "the customer answered")


def _missed(at: float, data: Data) -> Moment:
    after = "that was the last attempt"
    if data["next_at"] is not None:
        after = f"next attempt in {seconds(max(0.0, data['next_at'] - at))}"
    return Moment(at, "missed", f"the customer was not reached: {data['outcome'].replace('_', ' ')}", (after,))


def _closed(at: float, data: Data) -> Moment:
    tried = (f"attempts: {data['attempts']}",)
    return Moment(at, "closed", f"the callback is over: {data['outcome'].replace('_', ' ')}", tried)


_WORDS: Final[dict[str, Callable[[float, Data], Moment]]] = {
    "CallStarted": _came, "ItemQueued": _queued, "ItemRescored": _rescored, "ItemWaits": _waits,
    "ItemRelaxed": _relaxed, "ItemPrefers": _prefers, "ItemReserved": _reserved, "ReservationEnded": _refused,
    "ItemConnected": _connected, "ItemCompleted": _completed, "ItemAbandoned": _abandoned,
    "ItemOverflowed": _overflowed, "ItemKept": _kept, "ItemResumed": _resumed, "PriorityChanged": _priority,
    "CallbackAsked": _asked, "CallbackRescheduled": _put_off, "CallbackTaken": _taken, "CallbackDialled": _dialled,
    "CallbackReached": _reached, "CallbackMissed": _missed, "CallbackClosed": _closed,
    "CallTransferred": _transferred, "CallRevived": _revived, "CallEnded": _ended,
}  # fmt: skip

