"""A call: the caller's leg, the attempts to reach somebody, and who is in charge of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from config.schema import Destination
from media.plane import MediaPort, PlaylistTooLong, UnknownPrompt
from pbx.call import events, hold, ringing
from pbx.call.absent_caller import AbsentCaller
from pbx.call.attempt import Attempt
from pbx.call.caller_leg import CallerLeg
from pbx.call.controller import NOBODY, Controller, Errand
from pbx.call.diversion import Diversion
from pbx.call.end_report import end_report
from pbx.call.leg import Leg, Party
from pbx.call.origin import Origin
from pbx.call.quality import Inquiry
from pbx.call.reason import in_words
from pbx.call.view import view_of
from pbx.sip.errors import SipError
from pbx.sip.message import Request
from pbx.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from pbx.call.conference import Conference
    from pbx.call.switch import Switch

Attribute = str | int | float

#: Destinations that have to be rung: whether the caller gets there shows later. All others take him at once.
RUNG: Final = frozenset(("extension", "trunk", "uri", "group", "number"))
MOST_AT_ONCE: Final = 20  # destinations that lead to the next one without anybody having rung or waited


class Call:
    """One call, from the INVITE (or the click) that made it to the end of its last leg."""

    __slots__ = (
        "_attempts", "_echoes", "_last_number", "_loop", "_play_id", "_playing", "_routing", "answered", "attributes",
        "caller", "clock", "conference", "connected", "connected_at", "controller", "destination", "dialled",
        "direction", "diversions", "ended", "errand", "from_name", "from_number", "id", "instance", "is_sips", "lost",
        "max_forwards", "menu_s", "on_over", "parked", "parting", "reason", "referred_by", "started_at", "switch",
        "to_number", "waited_s",
    )  # fmt: skip

    def __init__(
        self, switch: Switch, origin: Origin, request: Request | None = None,
        transaction: ServerTransaction | None = None,
    ) -> None:  # fmt: skip
        """`request` is the INVITE; without one a program asked for the call."""
        self.switch = switch
        self.clock = switch.clock
        self.started_at = self.clock.now()
        self.id = switch.ids.call_id(self.started_at)
        self.direction = "inbound" if origin.trunk else "internal"
        self.from_number = origin.number
        self.from_name = origin.name
        self.to_number = origin.dialled
        self.instance = origin.instance
        self.is_sips = origin.is_sips
        self.dialled = origin.dialled  # what a trunk is to dial, after the dial plan
        self.destination = Destination("refuse", "404")
        self.attributes: dict[str, Attribute] = {}
        self.answered = False
        self.ended = False
        self.lost = ""  # why the last one who talked with the caller was hung up by us
        self.reason = ""  # of whoever ends the call, to be told to the other side (RFC 3326)
        self.parting: tuple[Leg, Sequence[tuple[str, str]]] | None = None  # whose BYE ends it, and its headers
        self.controller: Controller = NOBODY
        self.connected: Attempt | None = None  # who the caller talks with
        self.connected_at: float | None = None
        self.conference: Conference | None = None  # that the caller, and whom he talks with, take part in
        self.max_forwards = origin.max_forwards
        self.diversions: tuple[Diversion, ...] = ()  # whom it was forwarded by, in order
        self.referred_by = ""  # Referred-By of the transfer that is on its way (RFC 3892)
        self.errand: Errand | None = None
        self.on_over: Callable[[Call], None] | None = None  # told first of all when the call ends, however it does
        self.parked = ""  # the slot
        self.waited_s = 0.0  # in queues, before it was answered from one
        self.menu_s = 0.0  # in menus, since it last entered a queue
        self._routing = 0  # how deep in destinations that lead to others
        self._loop: Sequence[str] = ()  # music that the caller hears
        self._playing = 0  # the play id of what he hears once
        self._echoes = False  # he hears himself
        self._attempts: list[Attempt] = []
        self._last_number = 1
        self._play_id = 0
        self.caller: Leg
        if request is None or transaction is None:
            self.caller = AbsentCaller(switch, self, origin.extension)
        else:
            self.caller = CallerLeg(switch, self, request, transaction, origin.extension, origin.trunk)
        self.caller.party = Party(origin.name, origin.number)

    # --- facts ------------------------------------------------------------------------------------------------------

    @property
    def trunk(self) -> str | None:
        """Of the caller's leg."""
        return self.caller.trunk

    @property
    def shown(self) -> tuple[str, str]:
        """(name, number) of who calls, for a phone of ours; for the phone of who clicked, of whom he calls."""
        clicked = isinstance(self.caller, AbsentCaller) and not self.answered
        return ("", self.to_number) if clicked else (self.from_name, self.from_number)

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Of the caller's INVITE; none if it is we who called him, before he became the caller."""
        return self.caller.headers

    def header(self, name: str) -> str | None:
        """A header of the caller's INVITE, by any spelling."""
        lower = name.lower()
        return next((value for key, value in self.headers if key.lower() == lower), None)

    def set_attributes(self, new: Mapping[str, Attribute]) -> None:
        self.attributes.update(new)
        self.switch.emit(events.CallAttributesSet(self.clock.now(), self.id, dict(new)))

    def view(self) -> dict[str, object]:
        return view_of(self)

    # --- the caller -------------------------------------------------------------------------------------------------

    @property
    def hears_music(self) -> bool:
        """The caller hears a prompt again and again: a queue's music, a tone."""
        return bool(self._loop)

    def ring(self) -> None:
        """180 to the caller; who is answered already hears the site's ringing tone."""
        if self.ended:
            return
        tone = self.switch.rules.site.media.ringing
        if isinstance(self.caller, CallerLeg) and not self.answered:
            self.caller.ring(self.clock.now())
        elif tone is not None and self.connected is None and self.conference is None and self._loop != (tone,):
            self.play((tone,), loop=True)

    def answer(self, prefer: str | None = None) -> None:
        """200 to the caller; `prefer` is a codec to choose if the caller has it. Nothing happens if it is answered.
        When it can't be (no codec in common, no port) the call is refused a moment later."""
        if self.answered or self.ended or not isinstance(self.caller, CallerLeg):
            return
        try:
            sent = self.caller.answer(prefer, self.clock.now())
        except SipError as error:
            self.switch.counters[f"calls_unanswerable_{error.status}"] += 1
            self.clock.after(0, self._give_up, error.status or 488, error.reason)
            return
        self.answered = True
        self._listen()
        if sent:
            self.answer_sent()

    def answer_sent(self) -> None:
        """The 200 has left: with the answer, or a PRACK later."""
        self.switch.emit(events.CallAnswered(self.clock.now(), self.id))

    def _listen(self) -> None:
        """The caller's keys and sound are this call's."""
        port = self.caller.audio.port
        if port is not None:
            port.on_digit = self._digit
            port.on_played = self._played

    def play(self, prompts: Sequence[str], *, loop: bool = False, once: int = 0) -> int:
        """Play prompts to the caller, answering first; returns the id that `on_played` will tell. A prompt that does
        not exist is counted and left out; if none is left, or the list is too long, it is taken as played. In a loop
        the first `once` are heard once, and it is their end that is told."""
        self.answer()
        port = self.caller.audio.port
        if port is None or self.ended:
            return 0
        self._hears(tuple(prompts[once:]) if loop else ())
        plane = self.switch.plane
        known = [name for name in prompts if plane.has_prompt(name)]
        self.switch.counters["media_unknown_prompts"] += len(prompts) - len(known)
        try:
            if not known and prompts:
                raise UnknownPrompt
            heard = sum(map(plane.has_prompt, prompts[:once]))
            play_id = plane.play(port, known, loop=loop, once=heard)
        except (UnknownPrompt, PlaylistTooLong) as error:
            self.switch.counters["media_playlists_too_long"] += isinstance(error, PlaylistTooLong)
            self._play_id -= 1
            self.clock.after(0, self._played, self._play_id)
            return self._play_id
        if once and not heard:
            self.clock.after(0, self._played, play_id)
        self._playing = play_id if heard or not loop else 0
        return play_id

    def _hears(self, loop: Sequence[str] = (), *, echo: bool = False) -> None:
        self._loop, self._echoes, self._playing = loop, echo, 0

    def silence(self) -> None:
        self._hears()
        if self.caller.audio.port is not None:
            self.switch.plane.silence(self.caller.audio.port)

    def echo(self) -> None:
        """Let the caller hear himself, answering first."""
        self._hears(echo=True)
        self.answer()
        if self.caller.audio.port is not None:
            self.switch.plane.echo(self.caller.audio.port)

    def heard_again(self, leg: Leg) -> None:
        """A leg whose port was lost has another: what it heard goes on. A list of prompts that was broken off counts as
        played."""
        if leg is self.caller:
            self._listen()
        if hold.again(leg) or leg is not self.caller:
            return
        if self._echoes:
            self.echo()
            return
        playing = self._playing
        if self._loop:
            self.play(self._loop, loop=True)
        if playing:
            self.clock.after(0, self._played, playing)

    def _digit(self, digit: str) -> None:
        self.controller.on_digit(self, digit)

    def _played(self, play_id: int) -> None:
        if play_id == self._playing:
            self._playing = 0
        self.controller.on_played(self, play_id)

    # --- the called side --------------------------------------------------------------------------------------------

    def dial(
        self, destination: Destination, *, ring_s: float, agent: str | None = None, phones: Sequence[Destination] = ()
    ) -> Attempt:
        """Ring whoever `destination` is, or all `phones` in its place. Failure at once is told a moment later, never
        from in here."""
        self._last_number += 1
        attempt = Attempt(self, self._last_number, destination, agent)
        if self.ended:  # and who dials has yet to hear of it
            attempt.close()
            return attempt
        self._attempts.append(attempt)
        phones = phones or (destination,)
        ringing.find_and_ring(self, attempt, phones, ring_s, self.switch.targets.unknown(phones), ())
        return attempt

    def ring_next(self, attempt: Attempt) -> None:
        """INVITEs to the phones of an attempt that are next."""
        ringing.ring_next(self, attempt)

    def drop(self, attempt: Attempt, cause: str = "", reason: str = "") -> None:
        """CANCEL or BYE an attempt, with a Reason if there is one to tell; nothing more is heard of it."""
        if attempt.call is None:
            return
        self._forget(attempt)
        self._leg_ended(attempt, 200 if attempt.winner is not None else 487, cause or "dropped")
        self._part(attempt)
        attempt.close(reason)

    def bridge(self, attempt: Attempt) -> None:
        """Let caller and callee hear each other; answers the caller first."""
        leg = attempt.winner
        if leg is None or self.ended:
            return
        self.answer(leg.audio.codec)
        if not self.answered:
            return  # it could not be: `_give_up` is on its way
        if leg.audio.port is not None:
            leg.audio.port.on_digit = leg.audio.port.on_played = None
        self._hears()
        self.connected = attempt
        self.connected_at = self.clock.now()
        hold.join(self.switch, self.caller, leg)
        self.switch.emit(events.CallConnected(self.connected_at, self.id, attempt.number, attempt.agent))
        self.switch.on_standing(self)
        self._reached()

    def hear_early(self, attempt: Attempt) -> None:
        """Let the caller hear what the called side sends before it answers: 183 with SDP (RFC 3261 13.2.1)."""
        leg, caller = attempt.heard, self.caller
        if leg is None or self.ended:
            return
        try:
            if isinstance(caller, CallerLeg) and not self.answered:
                if not caller.progress(leg.audio.codec, self.clock.now()):
                    return
        except SipError:  # what can't be heard early may be answered all the same
            return
        mine, theirs = caller.audio.port, leg.audio.port
        if mine is not None and theirs is not None:
            self._hears()
            self.switch.plane.bridge(mine, theirs)

    def attempt_silent(self) -> None:
        """The phone that was heard early is gone."""
        if not self.ended and self.connected is None:
            self.silence()

    def _part(self, attempt: Attempt) -> None:
        """The caller no longer talks with it, if he did."""
        if attempt is self.connected:
            self.connected = None
            self.silence()
            self.switch.on_standing(self)

    def partner_of(self, leg: Leg) -> Leg | None:
        """The leg that is bridged with this one."""
        if self.connected is None:
            return None
        if leg is self.caller:
            return self.connected.winner
        return self.caller if leg is self.connected.winner else None

    def attempt_ringing(self, attempt: Attempt) -> None:
        self.controller.on_ringing(self, attempt)
        if self.errand is not None:
            self.errand.on_ringing(self)

    def attempt_early_media(self, attempt: Attempt) -> None:
        self.controller.on_early_media(self, attempt)

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
        who = "caller" if leg is self.caller else "callee"
        self._gone(leg, f"{who} hung up{in_words(self.reason)}")

    def legs(self) -> list[Leg]:
        """The caller's, and those that won their attempts."""
        return [self.caller, *[attempt.winner for attempt in self._attempts if attempt.winner is not None]]

    def called(self) -> list[Leg]:
        """Those that ring, and those that won."""
        return [leg for attempt in self._attempts for leg in attempt.legs]

    def port_beside(self, leg: Leg) -> MediaPort | None:
        """A port of another leg, on whose media worker a port of this one is best."""
        ports = [other.audio.port for other in (self.caller, *self.called()) if other is not leg]
        return next((port for port in ports if port is not None), None)

    def ask_quality(self, told: Callable[[list[events.LegQuality]], None]) -> None:
        """How its legs sound so far."""
        Inquiry(self, told)

    def leg_lost(self, leg: Leg, cause: str, status: int = 480, reason: str = "") -> None:
        """A peer that answers no more: hang up and go on as if it had. `status`: what an unanswered one was told."""
        leg.end(reason)
        self.lost = cause
        self._gone(leg, cause, status)

    def _gone(self, leg: Leg, cause: str, status: int = 480) -> None:
        if leg is self.caller:
            self._caller_gone(cause, 200 if self.answered else status)
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
        if self.errand is not None and self.errand.on_left(self, attempt):
            return
        if self.conference is None or not self.conference.called_left(self, attempt):
            self.controller.on_ended(self, attempt)

    def caller_cancelled(self) -> None:
        """CANCEL or BYE while unanswered: 487."""
        self._give_up(487, "caller hung up")

    def _give_up(self, status: int, cause: str) -> None:
        if not self.ended and not self.answered and isinstance(self.caller, CallerLeg):
            self.caller.refuse(status, self.clock.now())
            self._caller_gone(cause, status)

    def _caller_gone(self, cause: str, status: int = 200) -> None:
        if self.conference is not None and self.conference.caller_left(self):
            return
        controller = self.controller
        self._finish(cause, status)
        controller.on_caller_gone(self, cause)

    def hang_up(self, cause: str) -> None:
        """End the call: BYE, or 480 if it was never answered."""
        self._end(480, cause)

    def refuse(self, status: int, cause: str) -> None:
        """Where the call was to go it can't: a final response to the caller; BYE if it was answered. Unless whoever
        sent it there knows another way."""
        if self.ended:
            return
        errand, self.errand = self.errand, None
        if errand is None or not errand.on_refused(self, status, cause):
            self._end(status, cause)

    def _end(self, status: int, cause: str) -> None:
        if self.ended:
            return
        if self.answered or not isinstance(self.caller, CallerLeg):
            self.caller.end()
            self._finish(cause, 200 if self.answered else status)
            return
        retry = f"Retry-After: {self.switch.retry_after_s()}\r\n" if status == 503 else ""
        self.caller.refuse(status, self.clock.now(), retry)
        self._finish(cause, status)

    def _finish(self, cause: str, status: int) -> None:
        """Everything of this call ends here, once, however it ended."""
        if self.ended:
            return
        self.ended = True
        if isinstance(self.caller, CallerLeg) and self.caller.refused:  # whatever was meant to be said
            status = self.caller.refused
        on_over, self.on_over = self.on_over, None
        if on_over is not None:
            on_over(self)
        now = self.clock.now()
        errand, self.errand = self.errand, None
        if errand is not None:
            errand.on_over(self, cause)
        if self.conference is not None:
            self.conference.leave(self)
        attempts, self._attempts, self.connected = self._attempts, [], None
        for attempt in attempts:
            if attempt.call is None:  # dropped by who heard that a phone became free
                continue
            answered = attempt.winner is not None
            attempt.close()
            self._leg_ended(attempt, 200 if answered else 487, cause)
        self.controller = NOBODY
        self.switch.call_ended(self, end_report(self.switch.emit, now, self.id, cause, status, self.caller.audio.codec))

    # --- handing over -----------------------------------------------------------------------------------------------

    def route(self, destination: Destination) -> None:
        """Give the call to the handler of that kind of destination."""
        if self.ended:
            return
        if self._routing > MOST_AT_ONCE:
            self.switch.counters["routes_in_a_circle"] += 1
            self.refuse(482, "destinations lead in a circle")
            return
        self.destination = destination
        errand = self.errand
        self._routing += 1
        self.switch.handle(self, destination)
        self._routing -= 1
        if destination.kind not in RUNG and errand is not None and self.errand is errand:
            self._reached()

    def _reached(self) -> None:
        errand, self.errand = self.errand, None
        if errand is not None and not self.ended:
            errand.on_reached(self)

    def take(self, to: str, controller: Controller) -> None:
        """Somebody else than who is in charge decides where the call goes on."""
        before, self.controller = self.controller, controller
        before.on_taken(self, to)

    # --- legs that move: no party is hung up, no sound is lost but what was bridged --------------------------------

    def set_aside(self) -> Attempt | None:
        """The caller no longer talks with whom he talks with; both stay in the call."""
        attempt, self.connected = self.connected, None
        if attempt is not None and attempt.winner is not None:
            self._told_moved(attempt.winner, self.id, attempt.number, attempt.agent)
        self.silence()
        if self.conference is not None:
            self.conference.refresh()
        hold.resume(self.caller)
        return attempt

    def take_out(self, attempt: Attempt) -> Leg:
        """Take out of the call who answered an attempt. He belongs to no call until one adopts him."""
        leg = attempt.winner
        assert leg is not None
        self._forget(attempt)
        attempt.let_go()
        self._leg_ended(attempt, 200, "moved")
        self._part(attempt)
        leg.unheard()
        return leg

    def goes_on(self, leg: Leg, destination: Destination, agent: str | None) -> None:
        """The caller talks with a leg of the last server, as he did there."""
        self._last_number = leg.number
        attempt = self.connected = Attempt(self, leg.number, destination, agent)
        attempt.won_by(leg)
        self._attempts.append(attempt)
        self._listen()
        hold.join(self.switch, self.caller, leg)

    def adopt(self, leg: Leg, destination: Destination, agent: str | None = None) -> Attempt:
        """An answered leg from elsewhere becomes part of this call as if it had been dialled; `bridge` it, then."""
        hold.resume(leg)
        return self._adopt(leg, destination, agent)

    def _adopt(self, leg: Leg, destination: Destination, agent: str | None = None) -> Attempt:
        self._last_number += 1
        attempt = Attempt(self, self._last_number, destination, agent)
        attempt.won_by(leg)
        self._attempts.append(attempt)
        self._moved_in(leg, attempt.number, agent)
        return attempt

    def replace_winner(self, attempt: Attempt, leg: Leg) -> None:
        """An answered leg from elsewhere takes the place of who answered an attempt, who belongs to no call then. It is
        heard if he was."""
        if attempt.winner is not None:
            attempt.winner.unheard()
            attempt.winner.attempt = None
        attempt.won_by(leg)
        self._moved_in(leg, attempt.number, attempt.agent)
        if attempt is self.connected:
            self.bridge(attempt)

    def answered_elsewhere(self, attempt: Attempt, leg: Leg) -> None:
        """An answered leg from elsewhere takes an attempt while it rings."""
        self._moved_in(leg, attempt.number, attempt.agent)
        attempt.leg_answered(leg)

    def replace_caller(self, leg: Leg) -> Leg:
        """An answered leg from elsewhere takes the caller's place. Returns who had it, neither hung up nor, if he is
        unanswered, refused."""
        old, self.caller = self.caller, leg
        old.unheard()
        leg.attempt = None
        self.from_name, self.from_number = leg.party
        self._moved_in(leg, 1, None)
        hold.resume(leg)
        if not self.answered:
            self.answered = True
            self.answer_sent()
        self._listen()
        if not hold.again(leg) and self._loop:
            self.play(self._loop, loop=True)
        return old

    def swap(self) -> Attempt:
        """Whom the caller talks with becomes the caller; the caller stays in the call as one who was called, and is
        heard by nobody. Only for a call in which two talk."""
        assert self.connected is not None
        old = self.replace_caller(self.take_out(self.connected))
        return self._adopt(old, Destination("extension", old.party.number))

    def swap_back(self, aside: Attempt, destination: Destination, agent: str | None) -> Attempt:
        """Undo a `swap`: who was set aside is the caller again and talks with whom he talked with."""
        attempt = self._adopt(self.replace_caller(self.take_out(aside)), destination, agent)
        self.bridge(attempt)
        return attempt

    def dissolve(self, cause: str) -> None:
        """The caller has moved to another call: this one is over."""
        self._finish(cause, 200)

    def _moved_in(self, leg: Leg, number: int, agent: str | None) -> None:
        before = leg.call
        leg.call, leg.number = self, number
        leg.unheard()
        self._told_moved(leg, self.id if before is None else before.id, number, agent)

    def _told_moved(self, leg: Leg, came_from: str, number: int, agent: str | None) -> None:
        self.switch.emit(events.LegMoved(self.clock.now(), self.id, number, came_from, agent, leg.dialog.call_id))
        self.switch.on_standing(self)
