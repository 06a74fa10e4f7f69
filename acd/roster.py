"""Agents and their phones: who there is, who has which skill, who is available."""

from __future__ import annotations

from collections.abc import Mapping

from acd import nailed_up
from acd.agent_set import set_of
from acd.agent_state import AT_WORK, State
from acd.capacity import PHONE, capacity, phone_open
from acd.columns import Columns
from acd.condition import Attributes
from acd.errors import UnknownAgent
from acd.model import Agent, Phone, Queue
from acd.selection import IdleOrder
from acd.serving import Serving
from acd.skills import SkillIndex
from config import schema

_AT_WORK = (*AT_WORK, State.WRAP_UP)


def _skills_of(agent: Agent) -> dict[str, int]:
    return {skill: level for skill, level in {**agent.trained, **agent.skill_changes}.items() if level}


class Roster:
    __slots__ = (
        "_free", "_slots", "agents", "at_work", "columns", "idle", "interrupts", "logged_in", "on_duty", "phones",
        "ringing", "serving", "skills", "unable",
    )  # fmt: skip

    def __init__(self) -> None:
        self.agents: dict[str, Agent] = {}
        self.phones: dict[str, Phone] = {}  # those of agents, and those registered or in use
        self.skills = SkillIndex()
        self.serving = Serving()
        self.idle = IdleOrder()
        self.columns = Columns()
        self.interrupts: dict[str, tuple[str, ...]] = {}  # what may come while an agent is at work of what
        self.unable: dict[str, int] = {}  # of the phone's channels: who has none of it, as a set
        self.logged_in = 0  # whoever is not LOGGED_OUT, as a set
        self.on_duty = 0  # and not NOT_READY either
        self.at_work = 0  # who is rung, talks or notes down, as a set
        self.ringing = 0  # who is rung, as a set
        self._slots: list[Agent | None] = []
        self._free: list[int] = []  # slots given back

    def agent(self, name: str) -> Agent:
        """Raises `UnknownAgent`."""
        agent = self.agents.get(name)
        if agent is None:
            raise UnknownAgent(name)
        return agent

    # --- availability ---

    def available(self, agent: Agent) -> bool:
        """Can be rung for a queue now. Derived from what is known of agent and phone, and nowhere kept."""
        if agent.state is not State.READY or agent.resting:
            return False
        if not (nailed_up.is_free(agent) if agent.nailed_up else self.phone_free(agent.phone)):
            return False
        return not agent.work or phone_open(agent, self.interrupts)

    @staticmethod
    def phone_free(phone: Phone) -> bool:
        return phone.reachable and not phone.legs and phone.held_by is None

    def hindrance(self, agent: Agent) -> str | None:
        """Why an agent who is READY is not available."""
        if agent.state is not State.READY:
            return None
        if agent.nailed_up and not agent.line:
            return "no line"
        if not agent.phone.reachable and not agent.nailed_up:
            return "no phone" if agent.at is None else "unregistered"
        if agent.resting:
            return agent.reason or "failed"
        if agent.phone.legs > agent.nailed_up or agent.phone.held_by:
            return "on another call"
        return None if phone_open(agent, self.interrupts) else "at other work"

    def update(self, agent: Agent) -> bool:
        """Bring the idle order in line with the agent; true if he has just become available."""
        listed, available = agent.slot in self.idle, self.available(agent)
        if listed and not available:
            self.idle.remove(agent.slot)
        elif available and not listed:
            self.idle.add(agent.slot, agent.idle_since)
            self.columns.note(agent)
            return True
        return False

    def count_in(self, agent: Agent) -> None:
        """His state may be another one."""
        bit = 1 << agent.slot
        self.logged_in = self.logged_in & ~bit if agent.state is State.LOGGED_OUT else self.logged_in | bit
        off = agent.state in (State.LOGGED_OUT, State.NOT_READY)
        self.on_duty = self.on_duty & ~bit if off else self.on_duty | bit
        self.at_work = self.at_work | bit if agent.state in _AT_WORK else self.at_work & ~bit
        if agent.state is State.RESERVED:
            self.ringing |= bit
        elif self.ringing >> agent.slot & 1:
            self.ringing ^= bit

    def longest_idle(self, eligible: int) -> Agent | None:
        slot = self.idle.longest(eligible)
        return None if slot is None else self._slots[slot]

    def in_slot(self, slot: int) -> Agent:
        """Of a slot that is in use."""
        agent = self._slots[slot]
        assert agent is not None
        return agent

    def eligible(self, queue: Queue, attributes: Attributes, step: int = 0) -> int:
        """The agents of the queue who can take a call with these attributes at this step, as a set."""
        what = queue.steps[step]
        if what.fixed is not None:
            return what.fixed
        return queue.members & what.needs.fits(self.skills, attributes) if what.needs else queue.members

    def remember(self, queue: Queue) -> None:
        """Work out anew who serves a queue: by its list of agents, theirs of queues, and their own choice."""
        queue.order = {}
        members = self.skills.everyone & self.serving.of(queue.name)
        if queue.listed is not None:
            listed = [agent for name in queue.listed if (agent := self.agents.get(name)) and not agent.retired]
            queue.order = {agent.slot: place for place, agent in enumerate(listed)}
            members &= set_of(queue.order)
        queue.members = members
        queue.levels = self.serving.levels(queue.name, members)
        queue.able = 0
        for step in queue.steps:
            step.fixed = None
            if step.needs is None or not step.needs.attributes:
                step.fixed = members & step.needs.fits(self.skills, {}) if step.needs else members
            queue.able |= members & step.needs.bounds(self.skills)[1] if step.needs else members

    def learn(self, agent: Agent) -> None:
        """His skills are those of the site file, and over them what a supervisor made of it."""
        skills = _skills_of(agent)
        for skill in {*agent.skills, *skills}:
            if agent.skills.get(skill) != skills.get(skill):
                self.skills.put(agent.slot, skill, skills.get(skill, 0))
        agent.skills = skills

    # --- phones ---

    def who_is_at(self, destination: str | None) -> str | None:
        """The agent whose phone a destination ("extension 103") is; None if it is nobody's, or more than one's."""
        kind, _, name = (destination or "").partition(" ")
        phone = self.phones.get(name) if kind in ("extension", "uri") else None
        return phone.agents[0] if phone is not None and len(phone.agents) == 1 else None

    def phone(self, name: str, *, fixed: bool = False) -> Phone:
        phone = self.phones.get(name)
        if phone is None:
            phone = self.phones[name] = Phone(name, fixed)
        return phone

    def phone_of(self, agent: Agent, name: str) -> Phone:
        """The phone of that name; without one, what stands for it: nothing reaches that."""
        return self.phone(name or f" {agent.name}", fixed=agent.fixed and name == agent.home)

    def at_work_on(self, phone: Phone) -> str | None:
        """Who is rung, or talks, there for a queue. After a reload two may be: the phone is free when both are done."""
        return next((name for name in phone.agents if self.agents[name].state in AT_WORK), None)

    def tidy(self, phone: Phone) -> None:
        """Forget a phone about which there is nothing to know."""
        if not (phone.agents or phone.registered or phone.legs):
            self.phones.pop(phone.name, None)

    # --- the site ---

    def define(self, site: Mapping[str, schema.Agent]) -> tuple[list[Agent], list[Agent]]:
        """Take over the site's agents; states stay. Returns who is new and who is gone (both still in `agents`)."""
        new: list[Agent] = []
        for place, (name, spec) in enumerate(site.items()):
            agent = self.agents.get(name)
            if agent is None:
                agent = Agent(name, self._free_slot(), Phone("", False), spec.name, {})
                self.agents[name] = self._slots[agent.slot] = agent
                new.append(agent)
            elif agent.retired:
                agent.retired, agent.wish, agent.wish_reason = False, State.READY, None
            agent.display_name = spec.name
            agent.home, agent.fixed = spec.extension or spec.contact or "", spec.contact is not None
            agent.wrap_up_s = spec.wrap_up_s
            agent.nailed_up = spec.nailed_up
            agent.channels = {str(channel): most for channel, most in spec.channels.items()}
            agent.weight, agent.place = spec.weight, place
            self.columns.note(agent)
            agent.trained = dict(spec.skills)
            agent.queues = None if spec.queues is None else dict(spec.queues)
            agent.skills = _skills_of(agent)
            phone = self.phone_of(agent, agent.seat or agent.home)
            if agent.phone is not phone:
                self.move(agent, phone)
        gone = [agent for name, agent in self.agents.items() if name not in site]
        for agent in gone:
            agent.retired = True
        there = [agent for agent in self.agents.values() if not agent.retired]
        self.skills = SkillIndex((agent.slot, agent.skills) for agent in there)
        self.serving = Serving(there)
        self.unable = {
            channel: unable for channel in PHONE
            if (unable := set_of(agent.slot for agent in there if not capacity(agent, channel)))
        }  # fmt: skip
        return new, gone

    def forget(self, agent: Agent) -> None:
        """An agent who is logged out and no longer in the site."""
        del self.agents[agent.name]
        self._slots[agent.slot] = None
        self._free.append(agent.slot)
        agent.phone.agents.remove(agent.name)
        self.tidy(agent.phone)

    def move(self, agent: Agent, phone: Phone) -> None:
        """To another phone. Should he be on the old one, its legs keep it from being rung."""
        old = agent.phone
        if agent.name in old.agents:  # not of one who has just come
            old.agents.remove(agent.name)
        phone.agents.append(agent.name)
        if old.held_by == agent.name:
            old.held_by = self.at_work_on(old)
        if agent.state in AT_WORK and phone.held_by is None:
            phone.held_by = agent.name
        agent.phone = phone
        self.tidy(old)

    def _free_slot(self) -> int:
        if self._free:
            return self._free.pop()
        self._slots.append(None)
        return len(self._slots) - 1
