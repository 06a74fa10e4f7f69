"""The state of the floor: agents, their phones, queues and the items in them. Plain data without rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from acd.agent_state import State
from acd.capacity import PHONE
from acd.requirement import Requirement
from acd.reservation import Reservation
from acd.wrap_up import Notes
from config.queue_rules import QueueRule
from config.queues import Callback, Preference, Rule, Strategy
from config.schema import Destination


class ItemState(StrEnum):
    """Where a live item is. Completed, abandoned and overflowed ones are forgotten: those states are events."""

    QUEUED = "QUEUED"
    RESERVED = "RESERVED"
    KEPT = "KEPT"  # the caller hung up, and may come again (`kept_places.py`)
    DIALLING = "DIALLING"  # a callback: an agent is on the line, the customer's phone rings
    CONNECTED = "CONNECTED"
    WRAP_UP = "WRAP_UP"  # a chat or a mail: its agent notes it down (`written_notes.py`)


@dataclass(slots=True, eq=False)
class Phone:
    """An extension, or the fixed contact of an agent; or what stands for the phone of an agent who is at none."""

    name: str  # extension, or the SIP URI of the contact
    fixed: bool  # a fixed contact needs no registration
    registered: bool = False
    legs: int = 0  # live legs of any call, as the switch reports them
    other_call: bool = False  # the legs began while no queue call held the phone
    held_by: str | None = None  # the agent who is rung, or talks, on it for a queue
    agents: list[str] = field(default_factory=list)  # who uses it; usually one

    @property
    def reachable(self) -> bool:
        return self.fixed or self.registered


@dataclass(slots=True, eq=False)
class Agent:
    """A person who answers."""

    name: str
    slot: int  # his bit in every set of agents
    phone: Phone
    display_name: str
    skills: dict[str, int]  # those of the site file, and over them what a supervisor made of it
    trained: dict[str, int] = field(default_factory=dict)  # those of the site file
    skill_changes: dict[str, int] = field(default_factory=dict)  # by a supervisor; 0: he has it not
    queues: dict[str, int] | None = None  # his own of the site file, with his level in each; None: all that he fits
    queue_changes: dict[str, int] = field(default_factory=dict)  # by a supervisor; 0: he does not serve it
    left: set[str] = field(default_factory=set)  # queues that he does not serve until he joins them
    home: str = ""  # his own phone's name; "": he has none
    fixed: bool = False  # that is a fixed contact
    seat: str | None = None  # the extension where he logged in, in place of his own
    wrap_up_s: float | None = None  # in place of the queue's
    nailed_up: bool = False  # his phone stays connected
    line: bool = False  # it is
    line_called: bool = False  # it rings, so that it is
    channels: dict[str, int] = field(default_factory=lambda: {"call": 1})  # how much of each at once
    work: dict[str, str] = field(default_factory=dict)  # what he has, or is asked for, beside the phone: item, channel
    weight: int = 1
    place: int = 0  # in the site file
    state: State = State.LOGGED_OUT
    reason: str | None = None
    since: float = 0.0  # in this state since then
    idle_since: float = 0.0  # last became ready for work
    wish: State = State.READY  # where to go when the work is over
    wish_reason: str | None = None
    reservation: Reservation | None = None
    item_id: str | None = None  # rung for, talking to, noting down
    notes: Notes | None = None  # of that item, from the answer on
    failures: int = 0  # attempts in a row that could not reach the phone
    resting: bool = False  # left alone for a while after such a failure
    retired: bool = False  # no longer in the site; finishes the call
    calls: int = 0  # answered since he logged in
    talked_s: float = 0.0  # in them
    worked_s: float = 0.0  # rung, talking, noting down; since he logged in
    on_duty_from: float = 0.0  # when he logged in, plus all the time he was not ready since

    @property
    def at(self) -> str | None:
        """The phone where he is reached, if any."""
        return self.seat or self.home or None

    def level_in(self, queue: str) -> int:
        """1 is asked first; 0: he does not serve it."""
        level = self.queue_changes.get(queue)
        if level is None:
            level = 1 if self.queues is None else self.queues.get(queue, 0)
        return level

    def serves(self, queue: str) -> bool:
        return queue not in self.left and self.level_in(queue) > 0


@dataclass(slots=True, eq=False)
class Step:
    """What an agent must fulfil from `after_s` of waiting on."""

    after_s: float
    needs: Requirement | None
    fixed: int | None = None  # who fits every call, when `needs` does not look at the call
    text: str | None = None  # `needs` as the site file has it


@dataclass(slots=True, eq=False)
class Borrow:
    """Agents of other queues, while a rule holds."""

    when: QueueRule
    agents_of: tuple[str, ...]
    needs: Requirement | None
    lenders: int = 0  # who serves one of these queues, as a set
    unlooked: list[str] = field(default_factory=list)  # items that `when` is still to be looked at for, by `turns.py`


class ByChannel(dict[str, int]):
    """How many, of each channel."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Queue:
    """A queue's settings and counters."""

    name: str
    needs: Requirement | None = None
    steps: tuple[Step, ...] = ()  # who fits, as time goes by; the first is `needs`
    listed: tuple[str, ...] | None = None  # agents; None is all
    priority: float = 0.0
    value_weight: float = 0.0
    strategy: Strategy = "longest idle"
    ring_another_s: float = 5.0
    together: bool = False  # several items and agents who meet are paired at once
    prefer: Preference | None = None
    borrow: Borrow | None = None
    priority_set: float | None = None  # by a supervisor, in place of the site's
    last: str | None = None  # the agent who was asked last
    ring_s: float = 20.0
    wrap_up_s: float = 0.0
    dispositions: tuple[str, ...] = ()  # how a call may have ended, for the agent to choose
    disposition_needed: bool = False  # the wrap-up lasts until one is chosen
    max_wait_s: float | None = None
    in_time_s: float = 20.0  # answered later is not in time, for the service level
    in_time_target: float = 0.8  # the share that shall be
    short_s: float = 5.0  # who hangs up before is not counted as lost
    overflow: Destination | None = None
    closed: bool = False  # no longer in the site; serves those in it
    enter: tuple[Rule, ...] = ()  # these five are obeyed by `rules.py`
    leave: tuple[Rule, ...] = ()
    to_when_closed: Destination | None = None
    to_in_emergency: Destination | None = None
    emergency: bool = False  # the switch
    resume_s: float = 0.0
    unlooked: list[str] = field(default_factory=list)  # the same of its `leave` rules
    kept: dict[str, list[str]] = field(default_factory=dict)  # kept places: caller -> items, by when they were left
    members: int = 0  # who serves it, as a set
    able: int = 0  # of these, who could take some call of it, at the last step
    levels: tuple[int, ...] = ()  # the same by level, first asked first; empty if all have one level
    order: dict[int, int] = field(default_factory=dict)  # place in `listed`, by slot
    callback: Callback | None = None  # what the site offers
    callback_rules: Callback | None = None  # what was offered last, for those who wait still
    callbacks: dict[str, str] = field(default_factory=dict)  # number -> callback: one each
    callbacks_open: bool = True  # the hours in which customers may be called
    items: dict[str, WorkItem] = field(default_factory=dict)  # all live ones at the phone
    waiting: ByChannel = field(default_factory=ByChannel)  # without an agent; an index of items
    offered: int = 0
    connected: int = 0
    abandoned: int = 0
    overflowed: int = 0
    resumed: int = 0

    def count(self, channel: str, more: int) -> None:
        """So many more wait, or fewer."""
        self.waiting[channel] = self.waiting.get(channel, 0) + more

    @property
    def waiting_calls(self) -> int:
        """For calls and callbacks, which the same agents take at the same phones."""
        return sum(self.waiting.get(channel, 0) for channel in PHONE)


@dataclass(slots=True, eq=False)
class WorkItem:
    """A call that waits, rings at an agent or talks to one."""

    id: str
    number: int  # in order of arrival; decides between equal ranks
    queue: Queue
    attributes: dict[str, str | int | float]
    queued_at: float  # in this queue
    age_from: float  # in whatever queue it waited first
    score: float = 0.0  # priority + value weight x basket
    eligible: int = 0  # the agents who fit, as a set
    state: ItemState = ItemState.QUEUED
    reservations: dict[int, Reservation] = field(default_factory=dict)  # live ones; several if many ring at once
    agent: str | None = None  # talking to; noted down by
    connected_at: float = 0.0
    caller: str = ""  # his number; empty: not known
    left_at: float = 0.0  # a kept place: when he hung up
    predicted_s: float | None = None  # when it came and had to wait: how long, as was estimated
    priority_set: float | None = None  # by a supervisor, in place of the queue's
    step: int = 0  # of the queue's `steps`
    preferred: str | None = None  # the agent who is waited for
    preference_over: bool = False  # somebody was
    borrowing: bool = False  # agents of other queues may take it
    ring_more: bool = False  # rings somewhere, and it is time that another phone rings, too
    picked_up: bool = False  # an agent has it, and is told of it before he hears the caller
    tries: int = 0  # how often it was offered
    channel: str = "call"
    callback: str | None = None  # whose item it is (`callbacks.py`)
    notes: Notes | None = None  # of a chat or a mail, from the answer on; those of a call are its agent's

    @property
    def rank(self) -> float:
        """Lowest first. All items gain one point a second, so score + age orders as age_from - score, for ever."""
        return self.age_from - self.score

    def turn(self, state: ItemState) -> None:
        """Into another state; its queue counts who waits."""
        if (state is ItemState.QUEUED) is not (self.state is ItemState.QUEUED):
            self.queue.count(self.channel, 1 if state is ItemState.QUEUED else -1)
        self.state = state

    def waited_s(self, now: float) -> float:
        """In this queue."""
        return max(0.0, now - self.queued_at)
