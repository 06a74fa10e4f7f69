"""A floor with everything at once in random histories: `python -m tests.acd.floor_machine [FIRST SEED] [SEEDS]`.

Every strategy, steps, waited-for and borrowed agents, kept places, callbacks both ways, rules, hours, the emergency
switch, levels, seats, nailed-up lines, chats and mails, dispositions, reloads, restarts. After every input `audit` must
find nothing, the events alone must tell the whole story in a possible order, and what this module works out by itself,
the slow way, must agree.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from acd import callback_events as cb
from acd import events as ev
from acd import figures
from acd.agent_state import State
from acd.audit import audit
from acd.capacity import PHONE
from acd.checkpoint import keep, take_up
from acd.commands import OfferItem, WithdrawOffer
from acd.engine import Engine
from acd.errors import AcdError
from acd.input_log import replay
from acd.model import Agent, ItemState, WorkItem
from acd.reservation import Outcome, Reservation
from acd.skills import SkillIndex
from tests.acd.floor_sites import CALLERS, DESTINATIONS, EXTENSIONS, NAMES, QUEUES, SITES, site

T0 = 1_700_040_000.0  # a morning, so that no history gets to midnight
names, extensions, queues = st.sampled_from(NAMES), st.sampled_from(EXTENSIONS), st.sampled_from(sorted(QUEUES))
picks = st.integers(0, 30)  # one of what there is at the moment
AFTER_A_CHAT = [("note", {"disposition": "sold"}), ("note", {"disposition": "what"}), ("wrap_up_done", {}), ("again",),
                ("wrap_up_done", {"disposition": "lost"}), ("extend_wrap_up", {"seconds": 9.0})]  # fmt: skip


class FloorMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.now = T0
        self.engine = Engine(site(0), self.now)
        self.made = 0
        self.live: dict[str, str] = {}  # item -> what its events say of it
        self.states: dict[str, str] = {}  # agent -> likewise
        self.offers: dict[int, OfferItem] = {}
        self.counted: dict[str, Counter[str]] = {}  # by queue, from events
        self.connected: set[str] = set()
        self.callbacks: set[str] = set()
        self.entries: list[bytes] = []
        self.checkpoint()
        self.look()
        for name in ("ann", "bob", "dee", "eve"):
            self.work(name)

    def items(self) -> dict[str, WorkItem]:
        """Of all channels."""
        return self.engine.floor.items | self.engine.floor.written.items

    def held(self) -> dict[int, Reservation]:
        return self.engine.floor.reservations | self.engine.floor.written.reservations

    def do(self, what: Callable[..., Any], *args: Any, **others: Any) -> Any:
        """One input. What is refused must have changed nothing but the time."""
        self.engine.floor.advance(self.now)
        before = keep(self.engine.floor)
        try:
            result = what(*args, **others, now=self.now)
        except AcdError:
            assert keep(self.engine.floor) == before
            assert self.engine.take() == ([], [])
            return None
        self.look()
        return result

    # --- what must hold ---

    def look(self, *, one_input: bool = True) -> None:
        events, commands = self.engine.take()
        floor = self.engine.floor
        for event in events:
            self.follow(event)
        for command in commands:
            if isinstance(command, OfferItem):
                assert command.reservation not in self.offers
                self.offers[command.reservation] = command
            elif isinstance(command, WithdrawOffer):
                assert self.offers.pop(command.reservation).agent == command.agent
        held = self.held()
        self.offers = {n: offer for n, offer in self.offers.items() if n in held}
        assert set(self.offers) == set(held)
        problems = audit(floor)
        assert not problems, problems
        assert self.live == {name: item.state.value for name, item in self.items().items()}
        assert self.callbacks == set(floor.callbacks)
        for agent in floor.roster.agents.values():
            assert self.states.get(agent.name, "LOGGED_OUT") == agent.state.value
        self.nobody_is_left()
        self.no_work_is_left()
        self.in_order()
        self.totals_balance()
        if one_input:
            for event in events:
                if isinstance(event, ev.ItemReserved):
                    self.was_next(event)
                    if (chat := floor.written.reservations.get(event.reservation)) is not None:
                        agent, channel = floor.roster.agents[event.agent], floor.written.items[chat.item_id].channel
                        assert list(agent.work.values()).count(channel) <= agent.channels[channel], "more than he may"

    def follow(self, event: object) -> None:
        match event:
            case ev.ItemQueued(item_id=item, queue=queue):
                assert item not in self.live
                self.live[item] = "QUEUED"
                self.count(queue, "offered")
            case ev.ItemReserved(item_id=item):
                assert self.live[item] in ("QUEUED", "RESERVED")
                self.live[item] = "RESERVED"
            case ev.ReservationEnded(item_id=item, outcome=outcome):
                if outcome != Outcome.ANSWERED_ELSEWHERE and item in self.live:
                    left = any(r.item_id == item for r in self.held().values())
                    self.live[item] = "RESERVED" if left else self.live[item]
                    if self.live[item] == "RESERVED" and not left:
                        self.live[item] = "QUEUED"
            case cb.CallbackTaken(item_id=item):
                assert self.live[item] == "RESERVED"
                self.live[item] = "DIALLING"
            case ev.ItemConnected(item_id=item, queue=queue):
                assert self.live[item] in ("RESERVED", "DIALLING")
                assert item not in self.connected, "answered twice"
                self.live[item] = "CONNECTED"
                self.connected.add(item)
                self.count(queue, "answered")
            case ev.ItemCompleted(item_id=item, channel=channel, wraps_up=wraps_up):
                assert self.live.pop(item) == "CONNECTED"
                if wraps_up:
                    assert channel not in PHONE
                    self.live[item] = "WRAP_UP"
            case ev.WrapUpEnded(item_id=item):
                assert self.live.pop(item) == "WRAP_UP"
                self.connected.discard(item)  # the same may come again
            case ev.ItemKept(item_id=item):
                assert self.live[item] in ("QUEUED", "RESERVED")
                self.live[item] = "KEPT"
            case ev.ItemAbandoned(item_id=item, queue=queue):
                assert self.live.pop(item) != "CONNECTED"
                self.count(queue, "abandoned")
            case ev.ItemOverflowed(item_id=item, queue=queue):
                assert self.live.pop(item) != "CONNECTED"
                self.count(queue, "overflowed")
            case ev.ItemResumed(item_id=item, queue=queue):
                assert self.live.pop(item) != "CONNECTED"
                self.count(queue, "resumed")
            case ev.AgentStateChanged(agent=agent, state=state):
                self.states[agent] = state
            case cb.CallbackAsked(callback_id=callback):
                self.callbacks.add(callback)
            case cb.CallbackClosed(callback_id=callback):
                self.callbacks.remove(callback)
            case _:
                pass

    def count(self, queue: str, what: str) -> None:
        self.counted.setdefault(queue, Counter())[what] += 1

    def can_take(self, agent: Agent, item: WorkItem) -> bool:
        """Worked out from the agent and the call alone. Not asked of waited-for and borrowed agents."""
        queue = item.queue
        if agent.retired or not agent.serves(queue.name):
            return False
        if queue.listed is not None and agent.name not in queue.listed:
            return False
        needs = queue.steps[item.step].needs
        return needs is None or bool(needs.fits(SkillIndex([(0, agent.skills)]), item.attributes))

    def nobody_is_left(self) -> None:
        """No agent who is free and no caller who waits, where the one can take the other."""
        floor = self.engine.floor
        held = {offer.agent for offer in self.offers.values() if offer.channel in PHONE}
        rung = {floor.roster.agents[name].phone.name for name in held}
        rung |= {a.phone.name for a in floor.roster.agents.values() if a.state is State.BUSY}
        free = [
            agent for agent in floor.roster.agents.values()
            if agent.state is State.READY and not agent.resting and agent.phone.name not in rung
            and (agent.line if agent.nailed_up else agent.phone.reachable) and agent.phone.legs <= agent.nailed_up
            and not floor.gathered >> agent.slot & 1 and set(agent.work.values()) <= self.goes_with("call")
        ]  # fmt: skip
        for item in floor.items.values():
            if item.state is ItemState.QUEUED and item.preferred is None:
                for agent in free:
                    able = agent.channels.get("call") and agent.channels.get(item.channel, 1)
                    assert not able or not self.can_take(agent, item), f"{item.id} waits, {agent.name} is free"

    def goes_with(self, channel: str) -> set[str]:
        """Work of which other channels an agent may have who gets something of this one."""
        return set(self.engine.floor.roster.interrupts.get(channel, ()))

    def no_work_is_left(self) -> None:
        """No chat or mail waits while somebody may have one more."""
        floor = self.engine.floor
        for agent in floor.roster.agents.values():
            for channel, most in agent.channels.items():
                has, beside = list(agent.work.values()), self.goes_with(channel)
                if channel in PHONE or has.count(channel) >= most or agent.resting or agent.wish is not State.READY:
                    continue
                at_phone = agent.state in (State.RESERVED, State.BUSY, State.WRAP_UP) or agent.phone.legs
                if agent.state in (State.LOGGED_OUT, State.NOT_READY) or (at_phone and "call" not in beside):
                    continue
                if set(has) <= beside | {channel}:
                    for item in floor.written.items.values():
                        left = item.state is ItemState.QUEUED and item.channel == channel
                        assert not left or not self.can_take(agent, item), f"{item.id} waits, {agent.name} may have it"

    def in_order(self) -> None:
        waiting = list(self.engine.floor.lines)
        keys = [(item.age_from - item.score, item.number) for item in waiting]
        assert keys == sorted(keys)

    def was_next(self, event: ev.ItemReserved) -> None:
        """Nobody who still waits, and whom the agent fits, was before the one he got."""
        floor = self.engine.floor
        item, agent = floor.items.get(event.item_id), floor.roster.agents.get(event.agent)
        if item is None or agent is None or event.reservation not in floor.reservations:
            return
        before = [
            one.id for one in floor.lines
            if one is not item and one.eligible >> agent.slot & 1 and (one.rank, one.number) < (item.rank, item.number)
            and event.agent not in {held.agent for held in one.reservations.values()}
        ]  # fmt: skip
        assert not before, f"{event.agent} got {item.id} before {before}"

    def totals_balance(self) -> None:
        floor = self.engine.floor
        over = (ItemState.CONNECTED, ItemState.WRAP_UP)
        waits = Counter(item.queue.name for item in self.items().values() if item.state not in over)
        for queue, count in self.counted.items():
            ended = count["answered"] + count["abandoned"] + count["overflowed"] + count["resumed"]
            assert count["offered"] == ended + waits[queue], (queue, count, waits[queue])
            rows = [series.today(floor.now) for series in floor.statistics.queues[queue].values()]
            assert sum(row[figures.OFFERED] for row in rows) == count["offered"], queue
            assert sum(row[figures.ANSWERED] for row in rows) == count["answered"], queue
            assert sum(row[figures.ABANDONED] for row in rows) == count["abandoned"], queue

    # --- callers ---

    @rule(queue=queues, basket=st.integers(0, 300), destination=st.sampled_from(DESTINATIONS),
          caller=st.sampled_from(CALLERS), wanted=st.sampled_from(["", *NAMES]),
          is_open=st.sampled_from([True] * 9 + [False]), earlier=st.sampled_from([None, None, 20.0]))  # fmt: skip
    def call(
        self, queue: str, basket: int, destination: str, caller: str, wanted: str, is_open: bool, earlier: float | None
    ) -> None:
        self.made += 1
        known = {"basket": basket, "destination": destination, "preferred_agent": wanted}
        self.do(self.engine.enqueue, f"c{self.made}", queue, known, caller=caller, is_open=is_open,
                age_from=None if earlier is None else self.now - earlier)  # fmt: skip

    def one_of(self, pick: int, *states: ItemState) -> WorkItem | None:
        found = [item for item in self.engine.floor.items.values() if item.state in states]
        return found[pick % len(found)] if found else None

    @rule(queue=queues, channel=st.sampled_from(["chat", "chat", "mail"]), destination=st.sampled_from(DESTINATIONS))
    def writes(self, queue: str, channel: str, destination: str) -> None:
        self.made += 1
        self.do(self.engine.enqueue_work, f"{channel}{self.made}", queue, channel, {"destination": destination})

    @rule(pick=picks, what=st.sampled_from(AFTER_A_CHAT), by=st.sampled_from(["", "boss"]))
    def after_a_chat(self, pick: int, what: tuple[Any, ...], by: str) -> None:
        found = [item for item in self.engine.floor.written.items.values() if item.agent is not None]
        if found:
            item = found[pick % len(found)]
            if what[0] == "again":
                self.do(self.engine.enqueue_work, item.id, item.queue.name, item.channel, {"destination": "asia"})
            else:
                self.do(getattr(self.engine, what[0]), item.agent, **what[1], item=item.id, by=by)

    @rule(pick=picks, what=st.sampled_from(["complete", "complete", "abandon", "withdraw"]))
    def writes_no_more(self, pick: int, what: str) -> None:
        found = [item for item in self.engine.floor.written.items.values()
                 if (item.state is ItemState.CONNECTED) is (what == "complete")]  # fmt: skip
        if found:
            args = ["queue all"] if what == "withdraw" else []
            self.do(getattr(self.engine, what), found[pick % len(found)].id, *args)

    @rule(pick=picks)
    def caller_hangs_up(self, pick: int) -> None:
        item = self.one_of(pick, ItemState.QUEUED, ItemState.RESERVED, ItemState.CONNECTED)
        if item is None:
            return
        if item.state is ItemState.CONNECTED:
            self.do(self.engine.complete, item.id, by="caller")
        elif item.callback is None or self.engine.floor.callbacks[item.callback].reached:
            self.do(self.engine.abandon, item.id)

    @rule(pick=picks)
    def talk_ends(self, pick: int) -> None:
        item = self.one_of(pick, ItemState.CONNECTED)
        if item is not None:
            self.do(self.engine.complete, item.id, by="agent")

    @rule(pick=picks)
    def sent_elsewhere(self, pick: int) -> None:
        item = self.one_of(pick, ItemState.QUEUED, ItemState.RESERVED)
        if item is not None and item.callback is None:
            self.do(self.engine.withdraw, item.id, "extension 9")

    @rule(pick=picks, basket=st.integers(0, 300), destination=st.sampled_from(DESTINATIONS))
    def more_is_known(self, pick: int, basket: int, destination: str) -> None:
        item = self.one_of(pick, *ItemState)
        if item is not None:
            self.do(self.engine.rescore, item.id, {"basket": basket, "destination": destination})

    @rule(pick=picks, priority=st.sampled_from([None, 0.0, 50.0, -50.0]))
    def item_priority(self, pick: int, priority: float | None) -> None:
        item = self.one_of(pick, *ItemState)
        if item is not None:
            self.do(self.engine.set_priority, item.id, priority)

    @rule(queue=queues, priority=st.sampled_from([None, 0.0, 50.0]))
    def queue_priority(self, queue: str, priority: float | None) -> None:
        self.do(self.engine.set_queue_priority, queue, priority)

    @rule(queue=queues, on=st.booleans())
    def emergency(self, queue: str, on: bool) -> None:
        self.do(self.engine.set_emergency, queue, on)

    # --- phones that ring ---

    def an_offer(self, pick: int) -> int:
        live = sorted(self.offers)
        return live[pick % len(live)] if live else -1

    @rule(pick=picks)
    def answer(self, pick: int) -> None:
        held = self.offers.get(self.an_offer(pick))
        item = None if held is None else self.items()[held.item_id]
        assert self.do(self.engine.answer, self.an_offer(pick)) is (held is not None)
        if item is not None:
            assert not item.reservations and not [o for o in self.offers.values() if o.item_id == item.id]

    @rule(pick=picks, outcome=st.sampled_from([one for one in Outcome if one is not Outcome.ANSWERED_ELSEWHERE]))
    def fail(self, pick: int, outcome: Outcome) -> None:
        held = self.an_offer(pick)
        assert self.do(self.engine.fail, held, outcome) is (held != -1)

    @rule(pick=picks)
    def hears_first(self, pick: int) -> None:
        self.do(self.engine.picked_up, self.an_offer(pick), 30.0)

    # --- callbacks ---

    @rule(queue=st.sampled_from(["back", "back2"]), number=st.sampled_from(CALLERS[1:]), pick=picks,
          how=st.sampled_from(["now", "now", "later", "place"]), destination=st.sampled_from(DESTINATIONS))  # fmt: skip
    def ask_callback(self, queue: str, number: str, pick: int, how: str, destination: str) -> None:
        self.made += 1
        place = self.one_of(pick, ItemState.QUEUED, ItemState.RESERVED) if how == "place" else None
        self.do(
            self.engine.ask_callback, f"callback-{self.made}", queue, number, {"destination": destination},
            due_at=self.now + 45 if how == "later" else None, place_of=None if place is None else place.id,
        )  # fmt: skip

    def a_callback(self, pick: int) -> tuple[str, str]:
        """Its id, and that of its item."""
        found = list(self.engine.floor.callbacks.values())
        return (found[pick % len(found)].id, found[pick % len(found)].item_id or "none") if found else ("none", "none")

    @rule(pick=picks, what=st.sampled_from(["cancel", "later", "known"]))
    def change_callback(self, pick: int, what: str) -> None:
        callback = self.a_callback(pick)[0]
        if what == "cancel":
            self.do(self.engine.cancel_callback, callback)
        elif what == "later":
            self.do(self.engine.reschedule_callback, callback, self.now + 25)
        else:
            self.do(self.engine.callback_known, callback, {"destination": "asia", "basket": 250})

    @rule(pick=picks, what=st.sampled_from(["dialled", "dialled", "reached", "busy", "agent_hung_up", "let go"]))
    def customer(self, pick: int, what: str) -> None:
        item = self.a_callback(pick)[1]
        if what == "dialled":
            self.do(self.engine.customer_dialled, item)
        elif what == "reached":
            self.do(self.engine.customer_reached, item)
        elif what == "let go":
            self.do(self.engine.callback_let_go, item)
        else:
            self.do(self.engine.customer_missed, item, what)

    @rule(queue=st.sampled_from(["back", "back2"]), is_open=st.booleans())
    def callback_hours(self, queue: str, is_open: bool) -> None:
        self.do(self.engine.callback_hours, queue, is_open)

    # --- agents ---

    @rule(name=names)
    def work(self, name: str) -> None:
        agent = self.engine.floor.roster.agents.get(name)
        if agent is not None and agent.home and not agent.fixed:
            self.do(self.engine.phone_registered, agent.phone.name, True)
        seat = None if agent is None or agent.home else EXTENSIONS[self.made % len(EXTENSIONS)]
        self.do(self.engine.login, name, phone=seat)
        self.do(self.engine.ready, name)
        self.line(name, is_up=self.made % 4 > 0)

    @rule(name=names, is_up=st.booleans())
    def line(self, name: str, is_up: bool) -> None:
        """Of a nailed-up agent, as the desk tells it."""
        agent = self.engine.floor.roster.agents.get(name)
        if agent is not None and agent.nailed_up and is_up and agent.line_called:
            self.do(self.engine.line_up, name)
        elif agent is not None and agent.nailed_up and not is_up:
            self.do(self.engine.line_down, name, "line lost")

    @rule(name=names, what=st.sampled_from(["login", "logout", "ready", "not_ready", "wrap_up_done"]),
          by=st.sampled_from(["", "boss"]))  # fmt: skip
    def command(self, name: str, what: str, by: str) -> None:
        args = ("lunch",) if what == "not_ready" else ()
        self.do(getattr(self.engine, what), name, *args, by=by)

    @rule(name=names, phone=st.sampled_from([None, *EXTENSIONS]), only=st.none() | st.lists(queues, max_size=2))
    def login_at(self, name: str, phone: str | None, only: list[str] | None) -> None:
        self.do(self.engine.login, name, queues=only, phone=phone)

    @rule(name=names, disposition=st.sampled_from(["sold", "lost", "what"]), done=st.booleans())
    def note(self, name: str, disposition: str, done: bool) -> None:
        if done:
            self.do(self.engine.wrap_up_done, name, disposition=disposition)
        else:
            self.do(self.engine.note, name, disposition)

    @rule(name=names, seconds=st.sampled_from([10.0, 400.0]))
    def extend(self, name: str, seconds: float) -> None:
        self.do(self.engine.extend_wrap_up, name, seconds)

    @rule(name=names, queue=queues, joins=st.booleans())
    def joins_or_leaves(self, name: str, queue: str, joins: bool) -> None:
        self.do(self.engine.join_queue if joins else self.engine.leave_queue, name, queue)

    @rule(name=names, skill=st.sampled_from(["asia", "french"]), level=st.sampled_from([None, 0, 2, 9]))
    def change_skills(self, name: str, skill: str, level: int | None) -> None:
        self.do(self.engine.change_skills, name, {skill: level}, by="boss")

    @rule(name=names, queue=queues, level=st.sampled_from([None, 0, 1, 4]))
    def change_queues(self, name: str, queue: str, level: int | None) -> None:
        self.do(self.engine.change_queues, name, {queue: level}, by="boss")

    @rule(extension=extensions, registered=st.booleans())
    def phone_registered(self, extension: str, registered: bool) -> None:
        self.do(self.engine.phone_registered, extension, registered)

    @rule(extension=extensions, legs=st.integers(0, 2))
    def phone_calls(self, extension: str, legs: int) -> None:
        self.do(self.engine.phone_calls, extension, legs)

    # --- time, and the server ---

    @rule(seconds=st.sampled_from([0.1, 0.5, 3.0, 6.0, 12.0, 35.0]))
    def time_passes(self, seconds: float) -> None:
        until = self.now + seconds
        for _ in range(2000):
            due = self.engine.next_deadline()
            if due is None or due > until:
                break
            assert due >= self.now, "something overdue was left"
            self.now = due
            self.engine.tick(due)
            self.look(one_input=False)  # several things may be due
        else:
            raise AssertionError("deadlines without end")
        self.now = until

    @rule()
    def clock_steps_back(self) -> None:
        before = self.engine.floor.now
        self.engine.tick(self.now - 5000)
        assert self.engine.floor.now == before
        self.look()

    @rule(number=st.integers(0, len(SITES) - 1))
    def reload(self, number: int) -> None:
        waiting = {item.id for item in self.engine.floor.lines}
        self.engine.reconfigure(site(number), self.now)
        assert waiting <= set(self.engine.floor.items)
        self.look(one_input=False)

    def told(self, entry: bytes | None) -> None:
        if entry is None:
            self.kept, self.entries = keep(self.engine.floor), []
        else:
            self.entries.append(entry)

    @rule()
    def checkpoint(self) -> None:
        self.kept, self.entries = keep(self.engine.floor), []
        self.engine.log = self.told

    @rule()
    def killed(self) -> None:
        """What the next server makes of checkpoint and inputs is what the last one had."""
        again = Engine.on(take_up(self.kept))
        replay(again, [json.loads(entry) for entry in self.entries])
        assert keep(again.floor) == keep(self.engine.floor)
        self.engine = again
        self.engine.log = self.told
        self.look()

    @rule(outlived=st.integers(0, 3), registered=st.sets(extensions), seconds=st.sampled_from([0.0, 30.0, -600.0]))
    def the_next_server(self, outlived: int, registered: set[str], seconds: float) -> None:
        self.killed()
        calls = [name for name in self.live if sum(map(ord, name)) % 4 < outlived]
        self.now += seconds
        self.engine.restarted(calls, {}, sorted(registered), 60.0, self.now)
        assert self.engine.floor.now == self.now
        self.engine.tick(self.now)  # what became due meanwhile
        self.look(one_input=False)


def run(histories: int, steps: int, *, derandomize: bool, shrink: bool = False) -> None:
    """Shrinking a failure takes minutes."""
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    run_state_machine_as_test(
        FloorMachine,
        settings=settings(
            max_examples=histories, stateful_step_count=steps, derandomize=derandomize, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), print_blob=False, phases=phases,
        ),
    )  # fmt: skip


def a_step(machine: FloorMachine, rng: random.Random) -> tuple[str, dict[str, Any]]:
    """What happens next on a floor where there is much to do: by weight, where hypothesis takes all rules alike."""
    pick, one = rng.randrange(31), rng.choice
    name, extension, queue = one(NAMES), one(EXTENSIONS), one(list(QUEUES))
    call = {"queue": queue, "basket": one((0, 100, 300)), "destination": one(DESTINATIONS), "caller": one(CALLERS),
            "wanted": one(["", "", "", *NAMES]), "is_open": pick > 1, "earlier": one((None, 9.0))}  # fmt: skip
    failed = [outcome for outcome in Outcome if outcome is not Outcome.ANSWERED_ELSEWHERE]
    commands = ["login", "logout", "ready", "ready", "not_ready", "wrap_up_done"]
    steps: list[tuple[int, str, dict[str, Any]]] = [
        (20, "call", call), (18, "answer", {"pick": pick}), (8, "talk_ends", {"pick": pick}),
        (6, "caller_hangs_up", {"pick": pick}), (2, "sent_elsewhere", {"pick": pick}),
        (3, "more_is_known", {"pick": pick, "basket": 200, "destination": one(DESTINATIONS)}),
        (2, "item_priority", {"pick": pick, "priority": one((None, 0.0, 50.0, -50.0))}),
        (1, "queue_priority", {"queue": queue, "priority": one((None, 0.0, 50.0))}),
        (1, "emergency", {"queue": one(["pairs", "back", queue]), "on": rng.random() < 0.4}),
        (6, "fail", {"pick": pick, "outcome": one(failed)}), (2, "hears_first", {"pick": pick}),
        (6, "ask_callback", {"queue": one(["back", "back2"]), "number": one(CALLERS[1:]), "pick": pick,
                             "how": one(["now", "now", "later", "place"]), "destination": one(DESTINATIONS)}),
        (2, "change_callback", {"pick": pick, "what": one(["cancel", "later", "known"])}),
        (9, "customer", {"pick": pick, "what": one(
            ["dialled", "dialled", "dialled", "reached", "reached", "busy", "agent_hung_up", "let go"])}),
        (1, "callback_hours", {"queue": one(["back", "back2"]), "is_open": rng.random() < 0.7}),
        (20, "work", {"name": name}), (5, "command", {"name": name, "what": one(commands), "by": one(["", "boss"])}),
        (2, "login_at", {"name": name, "phone": one([None, *EXTENSIONS]), "only": one([None, [], [queue]])}),
        (4, "note", {"name": name, "disposition": one(["sold", "lost", "what"]), "done": rng.random() < 0.6}),
        (1, "extend", {"name": name, "seconds": one((10.0, 400.0))}),
        (2, "joins_or_leaves", {"name": name, "queue": queue, "joins": rng.random() < 0.6}),
        (2, "change_skills", {"name": name, "skill": one(["asia", "french"]), "level": one((None, 0, 2, 9))}),
        (2, "change_queues", {"name": name, "queue": queue, "level": one((None, 0, 1, 4))}),
        (14, "writes", {"queue": queue, "channel": one(["chat", "chat", "mail"]), "destination": one(DESTINATIONS)}),
        (6, "after_a_chat", {"pick": pick, "what": one(AFTER_A_CHAT), "by": one(["", "boss"])}),
        (12, "writes_no_more", {"pick": pick, "what": one(["complete", "complete", "abandon", "withdraw"])}),
        (3, "line", {"name": one(["ann", "gus"]), "is_up": rng.random() < 0.7}),
        (5, "phone_registered", {"extension": extension, "registered": rng.random() < 0.7}),
        (4, "phone_calls", {"extension": extension, "legs": one((0, 0, 1, 2))}),
        (14, "time_passes", {"seconds": one((0.1, 0.5, 3.0, 6.0, 12.0, 35.0))}), (1, "clock_steps_back", {}),
        (2, "reload", {"number": rng.randrange(len(SITES))}), (1, "checkpoint", {}), (1, "killed", {}),
        (1, "the_next_server", {"outlived": rng.randrange(4), "registered": set(rng.sample(EXTENSIONS, 4)),
                                "seconds": one((0.0, 30.0, -600.0))}),
    ]  # fmt: skip
    _, what, others = rng.choices(steps, [step[0] for step in steps])[0]
    return what, others


def walk(seed: int, steps: int) -> Counter[str]:
    """One history of so many steps; how often what happened. What led to a failure is in its note."""
    rng, machine, happened = random.Random(seed), FloorMachine(), Counter[str]()
    machine.begin()
    for number in range(steps):
        what, others = a_step(machine, rng)
        happened[what] += 1
        try:
            getattr(machine, what)(**others)
        except Exception as error:
            error.add_note(f"seed {seed}, step {number}: {what} {others}")
            raise
    happened["connected"] = len(machine.connected)
    return happened


if __name__ == "__main__":
    first, count = (int(word) for word in [*sys.argv[1:], "1", "1000"][:2])
    for seed in range(first, first + count):
        walk(seed, 300)
        print(f"\r{seed}", end="", flush=True)  # noqa: T201
