"""What would happen to a call: the dial plan's reasons, then the destination as a tree, for `plateau route`.

Pure: the instant is an argument, the dial plan's part and the queues' matching are handed in. Consecutive steps are
siblings; a choice (a key of a menu, too few digits) has its consequences below it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from config.calendar import is_open
from config.sayings import in_words
from config.schema import (
    ByHours,
    CallBack,
    Connect,
    Destination,
    Echo,
    Enqueue,
    Gather,
    HangUp,
    Menu,
    Record,
    Say,
    Site,
    State,
    Wait,
)

Attributes = Mapping[str, str | int | float]
#: (queue, call attributes) -> names of the agents who could serve
Serves = Callable[[str, Attributes], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an explanation, with what follows from it alone."""

    kind: str  # dial_plan, ivr, state, choice, queue, agent, extension, group, park, trunk, uri, refuse ...
    text: str
    below: tuple[Step, ...] = ()


def explain_route(
    site: Site, reasons: Sequence[str], to: Destination | None, dial: str | None, at: dt.datetime, serves: Serves
) -> list[Step]:
    """`reasons`, `to`, `dial`: what the dial plan explained and found (None: nothing). `at` is an aware datetime."""
    steps = [Step("dial_plan", reason) for reason in reasons]
    if to is not None:
        steps.append(_Explainer(site, at, serves).destination(to, dial, {}))
    return steps


_ACTS = {
    "pickup": "takes a call that rings there", "set": "for the phone that dials it",
    "conference": "talks with all who are there", "add": "joins the call of the phone that transfers to it",
    "supervise": "listens to the agent's call, if the phone may",
    "agent": "for the agent at the phone that dials it",
    "number": "where the dial plan sends a phone of ours that dials it",
}  # fmt: skip

#: what a state does, the state after it, False if the flow ends or splits there
_Told = tuple[Step, str | None, bool]


class _Explainer:
    """Walks a site from one destination. Each state and queue is told once; after that it is only named."""

    def __init__(self, site: Site, at: dt.datetime, serves: Serves) -> None:
        self._site = site
        self._at = at
        self._serves = serves
        self._told: set[tuple[str, str]] = set()

    # --- destinations -----------------------------------------------------------------------------------------------

    def destination(self, to: Destination, dial: str | None, attributes: Attributes) -> Step:
        match to.kind:
            case "ivr":
                return self._ivr(to.name, attributes)
            case "queue":
                return self._queue(to.name, attributes)
            case "extension":
                return self._extension(to.name, attributes)
            case "group":
                return self._group(to.name, attributes)
            case "park":
                return self._park(to.name, attributes)
            case "pickup" | "set" | "number" | "conference" | "add" | "supervise" | "agent":
                return Step(to.kind, f"{to}: {_ACTS[to.kind]}")
            case "trunk":
                return self._trunk(to.name, dial)
            case "refuse":
                return Step("refuse", f"refused with {to.name}")
            case _:
                return Step("uri", to.name)

    def _extension(self, name: str, attributes: Attributes) -> Step:
        extension = self._site.extensions.get(name)
        if extension is None:
            return Step("refuse", f"extension {name} does not exist: 404")
        text = f"extension {name}" + (f" ({extension.name})" if extension.name else "")
        forward = extension.forward
        ways = [
            ("always", forward.always),
            ("do not disturb" if extension.do_not_disturb else "when busy or refused", forward.busy),
            (f"after {forward.after_s:g} s", forward.no_answer), ("when not registered", forward.unregistered),
        ]  # fmt: skip
        led = [(when, to) for when, to in ways if to is not None]
        if led and ("extension", name) in self._told:
            return Step("extension", f"{text}: as told above")
        self._told.add(("extension", name))
        below = [Step("choice", when, (self.destination(to, None, attributes),)) for when, to in led]
        return Step("extension", text, tuple(below))

    def _group(self, name: str, attributes: Attributes) -> Step:
        group = self._site.groups.get(name)
        if group is None:
            return Step("refuse", f"group {name} does not exist: 404")
        if ("group", name) in self._told:
            return Step("group", f"group {name}: as told above")
        self._told.add(("group", name))
        how = "ring together" if group.ring == "all" else f"ring one after the other, {group.ring}"
        below = [Step("extension", f"extension {member}") for member in group.extensions]
        if group.otherwise is not None:
            below.append(Step("choice", "when nobody takes it", (self.destination(group.otherwise, None, attributes),)))
        return Step("group", f"group {name}: {how}, {group.ring_s:g} s", tuple(below))

    def _park(self, name: str, attributes: Attributes) -> Step:
        lot, _, slot = name.partition(" ")
        spec = self._site.park.get(lot)
        if spec is None or (slot and not spec.slots.has(slot)):
            return Step("refuse", f"park {name} does not exist: 404")
        back = [Step("choice", f"after {spec.timeout_s:g} s", (Step("note", "back to the extension that parked it"),))]
        if spec.otherwise is not None:
            back.append(Step("choice", "if not taken there", (self.destination(spec.otherwise, None, attributes),)))
        what = f"slot {slot}: fetches who waits there, or parks" if slot else "parks in the first free slot"
        return Step("park", f"park {lot}, {what}", tuple(back))

    def _trunk(self, name: str, dial: str | None) -> Step:
        trunk = self._site.trunks.get(name)
        if trunk is None:
            return Step("refuse", f"trunk {name} does not exist: 404")
        way = f"by its gateway{'s' if len(trunk.ways) > 1 else ''} {', '.join(one.uri for one in trunk.ways)}"
        if not trunk.ways:
            if trunk.registers_as is None:
                return Step("refuse", f"trunk {name} has no gateway and does not register here: 503")
            way = f"where it registered as {trunk.registers_as.username}"
        return Step("trunk", f"trunk {name}{f', dial {dial}' if dial else ''}, {way}")

    def _ivr(self, name: str, attributes: Attributes) -> Step:
        flow = self._site.ivr.get(name)
        if not flow:
            return Step("refuse", f"ivr {name} does not exist: 404")
        return Step("ivr", f"ivr {name}", tuple(self._states(name, next(iter(flow)), attributes)))

    # --- flows ------------------------------------------------------------------------------------------------------

    def _states(self, flow: str, name: str | None, attributes: Attributes) -> list[Step]:
        """The states from `name` on, one after the other, until the flow ends or splits."""
        steps: list[Step] = []
        while name is not None:
            if (f"ivr {flow}", name) in self._told:
                steps.append(Step("note", f"{name}: as told above"))
                return steps
            self._told.add((f"ivr {flow}", name))
            state = self._site.ivr[flow].get(name)
            if state is None:
                steps.append(Step("note", f"{name}: no such state, hang up"))
                return steps
            step, name, goes_on = self._state(flow, name, state, attributes)
            steps.append(step)
            if not goes_on:
                return steps
        steps.append(Step("note", "hang up"))
        return steps

    def _state(self, flow: str, name: str, state: State, attributes: Attributes) -> _Told:
        match state:
            case Say():
                return Step("state", f"{name}: say {in_words(state.say)}"), state.then, True
            case Wait():
                return Step("state", f"{name}: wait {state.wait_s:g} s"), state.then, True
            case ByHours():
                opening, text = self._hours(state)
                other = f"otherwise {state.closed if opening else state.open}"
                step = Step("state", f"{name}: {text}", (Step("note", other),))
                return step, state.open if opening else state.closed, True
            case Gather():
                return self._gather(flow, name, state, attributes)
            case Menu():
                return self._menu(flow, name, state, attributes), None, False
            case Enqueue():
                known = {**attributes, **state.set}
                sets = "".join(f", {key} = {value}" for key, value in state.set.items())
                step = Step("state", f"{name}: enqueue{sets}", (self._queue(state.enqueue, known),))
                return step, None, False
            case Connect():
                to = self.destination(state.connect, None, attributes)
                return Step("state", f"{name}: connect", (to,)), None, False
            case Record():
                heard = f", after {in_words(state.announce)}" if state.announce else ""
                return Step("state", f"{name}: recording: {state.record}{heard}"), state.then, True
            case CallBack():
                whom = "the caller" if state.number is None else f"call.{state.number}"
                text = f"{name}: callback to {whom}, noted in queue {state.callback}"
                if state.then == state.otherwise:
                    return Step("state", text), state.then, True
                noted, not_noted = (tuple(self._states(flow, to, attributes)) for to in (state.then, state.otherwise))
                choices = Step("choice", "noted", noted), Step("choice", "otherwise", not_noted)
                return Step("state", text, choices), None, False
            case Echo():
                return Step("state", f"{name}: echo, until the caller hangs up"), None, False
            case HangUp():
                return Step("state", f"{name}: hang up"), None, False

    def _hours(self, state: ByHours) -> tuple[bool, str]:
        hours = self._site.hours.get(state.hours)
        if hours is None:
            return False, f"no calendar {state.hours}, taken as closed"
        timezone = self._site.locale.timezone
        answer = is_open(hours, self._at, timezone)
        local = self._at.astimezone(ZoneInfo(timezone))
        when = f"{local:%a %Y-%m-%d %H:%M} {timezone}"
        verdict = "open" if answer.open else f"closed ({answer.reason})"
        target = state.open if answer.open else state.closed
        return answer.open, f"calendar {state.hours} is {verdict} at {when}, to {target}"

    def _gather(self, flow: str, name: str, state: Gather, attributes: Attributes) -> _Told:
        least = state.digits if state.min_digits is None else state.min_digits
        count = f"{state.digits}" if least == state.digits else f"{least} to {state.digits}"
        text = f"{name}: gather {count} digits into {state.into}"
        if state.then == state.otherwise:
            return Step("state", text), state.then, True
        after = self._states(flow, state.then, attributes)
        without = self._states(flow, state.otherwise, attributes)
        choices = Step("choice", "enough digits", tuple(after)), Step("choice", "otherwise", tuple(without))
        return Step("state", text, choices), None, False

    def _menu(self, flow: str, name: str, state: Menu, attributes: Attributes) -> Step:
        choices = [
            Step("choice", f"key {key}", tuple(self._states(flow, target, attributes)))
            for key, target in state.keys.items()
        ]
        attempts = "one attempt" if state.retries == 0 else f"{state.retries + 1} attempts"
        without = tuple(self._states(flow, state.otherwise, attributes))
        choices.append(Step("choice", f"no valid key after {attempts}", without))
        return Step("state", f"{name}: menu {in_words(state.menu)}", tuple(choices))

    # --- queues -----------------------------------------------------------------------------------------------------

    def _queue(self, name: str, attributes: Attributes) -> Step:
        queue = self._site.queues.get(name)
        if queue is None:
            return Step("refuse", f"queue {name} does not exist: 404")
        needs = f", needs {queue.needs}" if queue.needs else ""
        text = f"queue {name}{needs}"
        if ("queue", name) in self._told and not _call_attributes(queue.needs):
            return Step("queue", f"queue {name}: as told above")
        self._told.add(("queue", name))
        below = [
            Step("note", f"call.{attribute} is not known here, taken as missing")
            for attribute in _call_attributes(queue.needs)
            if attribute not in attributes
        ]
        below += [self._agent(agent) for agent in self._serves(name, attributes)] or [
            Step("note", "no agent could serve")
        ]
        if queue.overflow is not None:
            after = f"after {queue.max_wait_s:g} s" if queue.max_wait_s is not None else "when it must overflow"
            below.append(Step("choice", after, (self._overflow(queue.overflow, attributes),)))
        return Step("queue", text, tuple(below))

    def _overflow(self, to: Destination, attributes: Attributes) -> Step:
        if to.kind == "queue" and ("queue", to.name) in self._told:
            return Step("queue", f"queue {to.name}: as told above")
        return self.destination(to, None, attributes)

    def _agent(self, name: str) -> Step:
        agent = self._site.agents[name]
        skills = ", ".join(f"{skill} {level}" for skill, level in agent.skills.items())
        who = f"{name} ({agent.name})" if agent.name else name
        return Step("agent", f"{who}: {skills}" if skills else who)


def _call_attributes(needs: str | None) -> list[str]:
    return list(dict.fromkeys(re.findall(r"\bcall\s*\.\s*(\w+)", needs or "")))
