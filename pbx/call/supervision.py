"""Supervision: an agent's live call is listened to, or joined. Destinations `supervise MODE AGENT`.

    mode       hears        is heard by
    monitor    both         nobody
    whisper    both         the agent
    barge      both         both

Who supervises is called first if a program asks for it, hears the agent's call, and may change the mode (keys
4, 5, 6). It is over when he hangs up, or when the agent talks no more in that call: the agent is supervised, not his
caller. The others hear nothing of it, the agent the site's beep if there is one. Each part is an event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from config.schema import Destination
from media.plane import ConferencesExhausted, MediaPort, UnknownPrompt
from pbx.call import events
from pbx.call.conference import Listens, Seat
from pbx.call.originate import ClickToDial, NotDialled

if TYPE_CHECKING:
    from config.schema import Site
    from pbx.call.call import Call
    from pbx.call.leg import Leg
    from pbx.call.rooms import Rooms
    from pbx.call.switch import Switch

MODES: Final = {"4": "monitor", "5": "whisper", "6": "barge"}  # by the key that changes to it


class NotSupervised(NotDialled):
    """`why` may be `forbidden`, and `idle` (no live call), besides what it is of calls that are not made."""


class _Watch:
    """A supervisor who listens; or whose phone rings, until his call has come here."""

    __slots__ = ("agent", "call", "mode", "since", "supervisor", "watched")

    def __init__(self, call: Call, supervisor: str, agent: str, mode: str, watched: str, since: float) -> None:
        self.call, self.supervisor, self.agent, self.mode = call, supervisor, agent, mode
        self.watched, self.since = watched, since


class Supervision(Seat):
    """In charge of the calls of those who listen. `begin`, `change` and `end` raise NotSupervised."""

    def __init__(self, switch: Switch, rooms: Rooms, clicks: ClickToDial) -> None:
        self._switch, self._rooms, self._clicks = switch, rooms, clicks
        self._watches: dict[str, _Watch] = {}  # by the call of who listens
        self.phone_of: Callable[[str], str | None] = self._home  # where an agent sits
        self.agent_at: Callable[[str], str | None] = self._owner  # who sits there

    # --- what programs ask for --------------------------------------------------------------------------------------

    def view(self, agent: str) -> list[dict[str, object]]:
        return [
            {
                "supervisor": one.supervisor, "agent": one.agent, "mode": one.mode, "call_id": one.watched,
                "supervisor_call_id": one.call.id, "since": one.since,
            }
            for one in self._watches.values() if one.agent == agent
        ]  # fmt: skip

    def begin(self, agent: str, supervisor: str, mode: str) -> Call:
        """Ring the supervisor's phone, then let him listen; his call."""
        site = self._switch.rules.site
        if agent not in site.agents:
            raise NotSupervised("unknown", f"no agent {agent}")
        self._check(supervisor, agent, mode)
        if self._leg_of(agent) is None:
            raise NotSupervised("idle", f"{agent} has no live call")
        if any(one.supervisor == supervisor for one in self._watches.values()):
            raise NotSupervised("listening", f"{supervisor} listens already")
        to = Destination("supervise", f"{mode} {agent}")
        return self._clicks.ring(supervisor, self.phone_of(agent) or agent, to, "")

    def change(self, agent: str, supervisor: str, mode: str) -> None:
        one = self._of(agent, supervisor)
        self._check(supervisor, agent, mode)
        self._change(one, mode)

    def end(self, agent: str, supervisor: str) -> None:
        self._of(agent, supervisor).call.hang_up("supervision ended")

    def _of(self, agent: str, supervisor: str) -> _Watch:
        for one in self._watches.values():
            if (one.agent, one.supervisor) == (agent, supervisor):
                return one
        raise NotSupervised("unknown", f"{supervisor} does not listen to {agent}")

    def _home(self, agent: str) -> str | None:
        spec = self._switch.rules.site.agents.get(agent)
        return None if spec is None else spec.extension

    def _owner(self, extension: str) -> str | None:
        agents = self._switch.rules.site.agents
        return next((name for name, agent in agents.items() if agent.extension == extension), None)

    def _may(self, supervisor: str, agent: str, mode: str) -> bool:
        return self.phone_of(agent) != supervisor and may(self._switch.rules.site, supervisor, agent, mode)

    def _check(self, supervisor: str, agent: str, mode: str) -> None:
        if not self._may(supervisor, agent, mode):
            raise NotSupervised("forbidden", f"{supervisor} may not {mode} calls of {agent}")

    # --- calls ------------------------------------------------------------------------------------------------------

    def start(self, call: Call, name: str) -> None:
        """Handler of destinations `supervise`."""
        mode, _, who = name.partition(" ")
        supervisor, site = call.caller.extension, call.switch.rules.site
        agent = who if who in site.agents else self.agent_at(who) or ""
        if call.errand is not None or supervisor is None or not self._may(supervisor, agent, mode):
            call.refuse(403, "may not supervise")
            return
        leg = self._leg_of(agent)
        if leg is None or leg.extension == supervisor:
            call.refuse(480, "no live call there")
            return
        call.answer()
        if call.answered:
            call.silence()
            call.controller = self
            self._listen(call, supervisor, agent, mode, leg)

    def _leg_of(self, agent: str) -> Leg | None:
        """The leg on which an agent talks with somebody."""
        switch = self._switch
        phone = self.phone_of(agent)
        if phone is not None and phone in switch.rules.site.extensions:
            legs = switch.legs_of(phone)
        else:
            calls = [call.connected for call in switch.calls()]
            legs = [one.winner for one in calls if one is not None and one.agent == agent and one.winner is not None]
        return next((leg for leg in reversed(legs) if leg.partner is not None and leg.phase == "confirmed"), None)

    def _listen(self, call: Call, supervisor: str, agent: str, mode: str, leg: Leg) -> None:
        host = leg.call
        assert host is not None
        try:
            self._rooms.of(host).enter(call, Listens(leg, mode), host)
        except ConferencesExhausted:
            call.switch.counters["calls_without_conference"] += 1
            call.refuse(503, "no more conferences")
            return
        now = call.clock.now()
        self._watches[call.id] = _Watch(call, supervisor, agent, mode, host.id, now)
        call.on_over = self._over
        call.switch.counters["supervisions"] += 1
        call.switch.emit(events.SupervisionStarted(now, host.id, agent, supervisor, mode, call.id))
        _beep(leg)

    def on_digit(self, call: Call, digit: str) -> None:
        one = self._watches.get(call.id)
        mode = MODES.get(digit)
        if one is not None and mode is not None and self._may(one.supervisor, one.agent, mode):
            self._change(one, mode)

    def _change(self, one: _Watch, mode: str) -> None:
        conference = one.call.conference
        part = None if conference is None else conference.part_of(one.call)
        if conference is None or part is None or mode == one.mode:
            return
        quiet, one.mode = one.mode == "monitor", mode
        one.call.destination = Destination("supervise", f"{mode} {one.agent}")
        conference.enter(one.call, part._replace(mode=mode))
        now = one.call.clock.now()
        one.call.switch.emit(
            events.SupervisionChanged(now, one.watched, one.agent, one.supervisor, mode, one.call.id)
        )  # fmt: skip
        if quiet:
            _beep(part.agent)

    def on_taken(self, call: Call, to: str) -> None:
        super().on_taken(call, to)
        self._over(call)

    def _over(self, call: Call) -> None:
        one = self._watches.pop(call.id, None)
        if one is not None:
            call.on_over = None
            now = call.clock.now()
            call.switch.emit(
                events.SupervisionEnded(
                    now, one.watched, one.agent, one.supervisor, one.mode, call.id, round(now - one.since, 3)
                )
            )  # fmt: skip


def may(site: Site, supervisor: str, agent: str, mode: str) -> bool:
    """Whether an extension may listen so to an agent's calls."""
    spec = site.supervision.supervisors.get(supervisor)
    if agent not in site.agents or spec is None:
        return False
    return mode in spec.modes and (spec.agents is None or agent in spec.agents)


def _beep(leg: Leg) -> None:
    """The agent hears the site's beep, once, in place of the others."""
    prompt, port = leg.switch.rules.site.supervision.beep, leg.audio.port
    if prompt is None or port is None:
        return
    try:
        leg.switch.plane.play(port, (prompt,))
    except UnknownPrompt:
        leg.switch.counters["media_unknown_prompts"] += 1
        return
    port.on_played = _Beeped(leg, port)


class _Beeped:
    """Waits for the end of a beep: the agent hears the others again."""

    __slots__ = ("_before", "_leg", "_port")

    def __init__(self, leg: Leg, port: MediaPort) -> None:
        self._leg, self._port, self._before = leg, port, port.on_played

    def __call__(self, play_id: int) -> None:
        self._port.on_played = self._before
        if self._leg.call is not None and self._leg.call.conference is not None:
            self._leg.call.conference.refresh()
