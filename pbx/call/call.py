"""A call: the caller's leg, the attempts to reach somebody, and who is in charge of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from config.schema import Destination
from media.plane import PlaylistTooLong, PortStats, UnknownPrompt
from pbx.call import events
from pbx.call.attempt import Attempt
from pbx.call.called_leg import CalledLeg
from pbx.call.caller_leg import CallerLeg
from pbx.call.leg import Leg, ReInvite
from pbx.sip.errors import SipError
from pbx.sip.message import Request
from pbx.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from pbx.call.switch import Switch

Attribute = str | int | float


class Controller(Protocol):
    """Whoever is in charge of a call: an IVR session, a queue, a plain bridge. Told of everything that happens to
    it."""

    def on_digit(self, call: Call, digit: str) -> None: ...

    def on_played(self, call: Call, play_id: int) -> None:
        """A playlist came to its end by itself."""

    def on_ringing(self, call: Call, attempt: Attempt) -> None: ...

    def on_answered(self, call: Call, attempt: Attempt) -> None:
        """Somebody took the call; nobody hears anybody until `call.bridge(attempt)`."""

    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None:
        """Every phone of the attempt refused (the best status), or none answered in time (408, "no answer")."""

    def on_ended(self, call: Call, attempt: Attempt) -> None:
        """The called side hung up; the caller is still there."""

    def on_caller_gone(self, call: Call, cause: str) -> None:
        """The caller hung up or was lost. The last thing heard of this call; its attempts are dropped already."""


class Origin(NamedTuple):
    """What the switch knows of a new call before it is one."""

    number: str
    name: str
    dialled: str
    trunk: str | None
    extension: str | None
    max_forwards: int  # for the INVITEs that this call makes
    instance: str | None = None  # the one device that was asked for by its GRUU (RFC 5627)


class Passive:
    """A controller that lets everything happen."""

    def on_digit(self, call: Call, digit: str) -> None: ...
    def on_played(self, call: Call, play_id: int) -> None: ...
    def on_ringing(self, call: Call, attempt: Attempt) -> None: ...
    def on_answered(self, call: Call, attempt: Attempt) -> None: ...
    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None: ...
    def on_ended(self, call: Call, attempt: Attempt) -> None: ...
    def on_caller_gone(self, call: Call, cause: str) -> None: ...


NOBODY = Passive()  # in charge of a call that has ended


class Call:
    """One call, from the INVITE that made it to the end of its last leg."""

    __slots__ = (
        "_attempts", "_headers", "_last_number", "_play_id", "answered", "attributes", "caller", "clock", "connected",
        "connected_at", "controller", "destination", "dialled", "direction", "ended", "from_name", "from_number", "id",
        "instance", "max_forwards", "reinviting", "started_at", "switch", "to_number", "trunk",
    )  # fmt: skip

    def __init__(self, switch: Switch, request: Request, transaction: ServerTransaction, origin: Origin) -> None:
        self.switch = switch
        self.clock = switch.clock
        self.started_at = self.clock.now()
        self.id = switch.ids.call_id(self.started_at)
        self.direction = "inbound" if origin.trunk else "internal"
        self.from_number = origin.number
        self.from_name = origin.name
        self.to_number = origin.dialled
        self.instance = origin.instance
        self.trunk = origin.trunk
        self.dialled = origin.dialled  # what a trunk is to dial, after the dial plan
        self.destination = Destination("refuse", "404")
        self.attributes: dict[str, Attribute] = {}
        self.answered = False
        self.ended = False
        self.reinviting: ReInvite | None = None  # of one side, on its way to the other
        self.controller: Controller = NOBODY
        self.connected: Attempt | None = None  # who the caller talks with
        self.connected_at: float | None = None
        self.max_forwards = origin.max_forwards
        self._attempts: list[Attempt] = []
        self._last_number = 1
        self._play_id = 0
        self._headers = request.headers
        self.caller = CallerLeg(switch, self, request, transaction, origin.extension, origin.trunk)

    # --- facts ------------------------------------------------------------------------------------------------------

    def header(self, name: str) -> str | None:
        """A header of the caller's INVITE, by any spelling."""
        lower = name.lower()
        return next((value for key, value in self._headers if key.lower() == lower), None)

    def set_attributes(self, new: Mapping[str, Attribute]) -> None:
        self.attributes.update(new)
        self.switch.emit(events.CallAttributesSet(self.clock.now(), self.id, dict(new)))

    def view(self) -> dict[str, object]:
        """A snapshot for people and programs."""
        talking = self.connected
        return {
            "id": self.id, "direction": self.direction, "from": self.from_number, "name": self.from_name,
            "to": self.to_number, "trunk": self.trunk, "destination": str(self.destination),
            "state": "talking" if talking else "answered" if self.answered else "ringing",
            "since": self.connected_at or self.started_at, "started_at": self.started_at,
            "with": None if talking is None else talking.agent or str(talking.destination),
            "attributes": dict(self.attributes),
        }  # fmt: skip

    # --- the caller -------------------------------------------------------------------------------------------------

    def ring(self) -> None:
        """180 to the caller."""
        if not self.ended:
            self.caller.ring(self.clock.now())

    def answer(self, prefer: str | None = None) -> None:
        """200 to the caller; `prefer` is a codec to choose if the caller has it. Nothing happens if it is answered.
        When it can't be (no codec in common, no port) the call is refused a moment later."""
        if self.answered or self.ended:
            return
        try:
            self.caller.answer(prefer, self.clock.now())
        except SipError as error:
            self.switch.counters[f"calls_unanswerable_{error.status}"] += 1
            self.clock.after(0, self._give_up, error.status or 488, error.reason)
            return
        self.answered = True
        port = self.caller.audio.port
        if port is not None:
            port.on_digit = self._digit
            port.on_played = self._played
            port.on_lost = self._media_lost
        self.switch.emit(events.CallAnswered(self.clock.now(), self.id))

    def play(self, prompts: Sequence[str], *, loop: bool = False) -> int:
        """Play prompts to the caller, answering first; returns the id that `on_played` will tell. A prompt that does
        not exist, or a list that is too long, is counted and taken as played."""
        self.answer()
        port = self.caller.audio.port
        if port is None or self.ended:
            return 0
        try:
            return self.switch.plane.play(port, prompts, loop=loop)
        except (UnknownPrompt, PlaylistTooLong):
            self.switch.counters["media_unknown_prompts"] += 1
            self._play_id -= 1
            self.clock.after(0, self._played, self._play_id)
            return self._play_id

    def silence(self) -> None:
        if self.caller.audio.port is not None:
            self.switch.plane.silence(self.caller.audio.port)

    def echo(self) -> None:
        """Let the caller hear himself, answering first."""
        self.answer()
        if self.caller.audio.port is not None:
            self.switch.plane.echo(self.caller.audio.port)

    def _digit(self, digit: str) -> None:
        self.controller.on_digit(self, digit)

    def _played(self, play_id: int) -> None:
        self.controller.on_played(self, play_id)

    # --- the called side --------------------------------------------------------------------------------------------

    def dial(self, destination: Destination, *, ring_s: float, agent: str | None = None) -> Attempt:
        """Ring whoever `destination` is. Failure at once is told a moment later, never from in here."""
        self._last_number += 1
        attempt = Attempt(self, self._last_number, destination, agent)
        if self.ended:  # and who dials has yet to hear of it
            attempt.close()
            return attempt
        self._attempts.append(attempt)
        now = self.clock.now()
        targets, status, cause = self.switch.targets.find(self, destination)
        for target in targets:
            leg = CalledLeg(self.switch, self, attempt, target, self.max_forwards)
            self.switch.add(leg)
            try:
                leg.invite(self.caller.audio.codecs, now)
            except SipError as error:
                self.switch.counters["calls_without_media_port"] += 1
                status, cause = error.status or 503, error.reason
                leg.unsent()
                continue
            attempt.legs.append(leg)
            self.switch.emit(
                events.LegStarted(now, self.id, attempt.number, target.uri, agent, leg.dialog.call_id)
            )
        if attempt.legs:
            attempt.limit(self.clock.after(ring_s, self.attempt_failed, attempt, 408, "no answer"))
        else:
            attempt.limit(self.clock.after(0, attempt.failed, status, cause))
        return attempt

    def drop(self, attempt: Attempt, cause: str = "") -> None:
        """CANCEL or BYE an attempt; nothing more is heard of it."""
        if attempt.call is None:
            return
        self._forget(attempt)
        self._leg_ended(attempt, 200 if attempt is self.connected else 487, cause or "dropped")
        self._part(attempt)
        attempt.close()

    def bridge(self, attempt: Attempt) -> None:
        """Let caller and callee hear each other; answers the caller first."""
        leg = attempt.winner
        if leg is None or self.ended:
            return
        self.answer(leg.audio.codec)
        mine, theirs = self.caller.audio.port, leg.audio.port
        if mine is None or theirs is None:
            return  # it could not be answered: `_give_up` is on its way
        theirs.on_digit = None
        theirs.on_lost = self._media_lost
        self.switch.plane.bridge(mine, theirs)
        self.connected = attempt
        self.connected_at = self.clock.now()
        self.switch.emit(events.CallConnected(self.connected_at, self.id, attempt.number, attempt.agent))

    def _part(self, attempt: Attempt) -> None:
        """The caller no longer talks with it, if he did."""
        if attempt is self.connected:
            self.connected = None
            self.silence()

    def partner_of(self, leg: Leg) -> Leg | None:
        """The leg that is bridged with this one."""
        if self.connected is None:
            return None
        return self.connected.winner if leg is self.caller else self.caller

    def attempt_ringing(self, attempt: Attempt) -> None:
        self.controller.on_ringing(self, attempt)

    def attempt_answered(self, attempt: Attempt) -> None:
        self.controller.on_answered(self, attempt)

    def attempt_failed(self, attempt: Attempt, status: int, cause: str) -> None:
        if attempt.call is None:
            return
        self._forget(attempt)
        attempt.close()
        self._leg_ended(attempt, status, cause)
        self.controller.on_failed(self, attempt, status, cause)

    def _leg_ended(self, attempt: Attempt, status: int, cause: str) -> None:
        self.switch.emit(events.LegEnded(self.clock.now(), self.id, attempt.number, status, cause))

    def _forget(self, attempt: Attempt) -> None:
        if attempt in self._attempts:
            self._attempts.remove(attempt)

    # --- the end ----------------------------------------------------------------------------------------------------

    def leg_hung_up(self, leg: Leg) -> None:
        """A BYE came."""
        if leg is self.caller and not self.answered:  # 15.1.2: the INVITE still gets its final response
            self.caller_cancelled()
            return
        self.switch.forget(leg)
        leg.call = None
        self._gone(leg, "caller hung up" if leg is self.caller else "callee hung up")

    def leg_lost(self, leg: Leg, cause: str) -> None:
        """A peer that answers no more: hang up and go on as if it had."""
        leg.end()
        self._gone(leg, cause)

    def _gone(self, leg: Leg, cause: str) -> None:
        if not isinstance(leg, CalledLeg):
            self._caller_gone(cause)
            return
        attempt = leg.attempt
        leg.over()
        if attempt is None or attempt.call is None:
            return
        attempt.legs.clear()
        self._forget(attempt)
        attempt.close()
        self._leg_ended(attempt, 200, cause)
        self._part(attempt)
        self.controller.on_ended(self, attempt)

    def caller_cancelled(self) -> None:
        """CANCEL or BYE while unanswered: 487."""
        self._give_up(487, "caller hung up")

    def _media_lost(self) -> None:
        """The media worker died: a call without sound is ended cleanly."""
        if not self.ended:
            self.switch.counters["calls_media_lost"] += 1
            self.leg_lost(self.caller, "media lost")

    def _give_up(self, status: int, cause: str) -> None:
        if not self.ended and not self.answered:
            self.caller.refuse(status, self.clock.now())
            self._caller_gone(cause, status)

    def _caller_gone(self, cause: str, status: int = 200) -> None:
        controller = self.controller
        self._finish(cause, status)
        controller.on_caller_gone(self, cause)

    def hang_up(self, cause: str) -> None:
        """End the call: BYE, or 480 if it was never answered."""
        self.refuse(480, cause)

    def refuse(self, status: int, cause: str) -> None:
        """A final response to the caller; BYE if it was answered."""
        if self.ended:
            return
        if self.answered:
            self.caller.end()
            self._finish(cause, 200)
            return
        retry = f"Retry-After: {self.switch.retry_after_s()}\r\n" if status == 503 else ""
        self.caller.refuse(status, self.clock.now(), retry)
        self._finish(cause, status)

    def _finish(self, cause: str, status: int) -> None:
        """Everything of this call ends here, once, however it ended."""
        if self.ended:
            return
        self.ended = True
        now = self.clock.now()
        attempts, self._attempts, self.connected = self._attempts, [], None
        for attempt in attempts:
            if attempt.call is None:  # dropped by who heard that a phone became free
                continue
            answered = attempt.winner is not None
            attempt.close()
            self._leg_ended(attempt, 200 if answered else 487, cause)
        self.controller = NOBODY
        self.switch.call_ended(self, _end_report(self.switch.emit, now, self.id, cause, status))

    # --- handing over -----------------------------------------------------------------------------------------------

    def route(self, destination: Destination) -> None:
        """Give the call to the handler of that kind of destination."""
        if not self.ended:
            self.destination = destination
            self.switch.handle(self, destination)


def _end_report(
    emit: Callable[[object], None], at: float, call_id: str, cause: str, status: int
) -> Callable[[PortStats], None]:
    """Emits CallEnded when the counters of the caller's port have come; holds nothing of the call."""

    def report(stats: PortStats) -> None:
        emit(
            events.CallEnded(
                at, call_id, cause, status, stats.packets_received, stats.packets_sent, stats.packets_lost,
                stats.jitter_ms,
            )
        )  # fmt: skip

    return report
