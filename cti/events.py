"""The hub: every domain event gets a number, is kept a while for those who resume, and goes to those who listen.

`publish` is on the call path: with no listeners it counts and appends, nothing else. An event becomes JSON at most
once, when the first writer that has to send it asks for its text. This module knows no sockets: a subscription has a
bounded queue and a `wake` callable, `cti.websocket` empties it.

Who sees what: supervisors all topics but pops (or those they asked for); an agent his own pops and his own state.

    topic    events
    calls    pbx.call.events, ivr.events, cti.domain_events
    queues   acd.events
    agents   AgentStateChanged
    pops     cti.screen_pop, to their agent alone
    statistics  figures of intervals that are over
    system   any other
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from itertools import islice
from re import sub
from typing import Any, Final

from acd.events import AgentStateChanged
from cti.tokens import Identity

RING_EVENTS = 10_000
RING_AGE_S = 600.0  # personal data is not kept longer than a client may take to come back
QUEUE_EVENTS = 1_000  # a client that is further behind is cut off
TOPICS: Final = frozenset({"calls", "queues", "agents", "statistics", "system"})
USUAL: Final = TOPICS - {"statistics"}  # of clients that name none
_TOPIC_OF_MODULE: Final = {
    "pbx.call.events": "calls", "ivr.events": "calls", "cti.domain_events": "calls", "acd.events": "queues",
}  # fmt: skip
_OTHER: Final = "system"
_json = json.JSONEncoder(separators=(",", ":"), default=str).encode  # made once: dumps() makes one each time


def wire_name(kind: type) -> str:
    """`CallStarted` is `call_started` on the wire."""
    return sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


class _Kind:
    """What is to be known of a class of events, found once."""

    __slots__ = ("encode", "fields", "name", "topic")

    def __init__(self, kind: type) -> None:
        self.name = wire_name(kind)
        self.fields = tuple(f.name for f in fields(kind)) if is_dataclass(kind) else ()
        self.encode: Callable[[Any, int], str] | None = getattr(kind, "encode", None)  # its own way, as pops have
        own = getattr(kind, "topic", None)
        self.topic: str = own if isinstance(own, str) else _TOPIC_OF_MODULE.get(kind.__module__, _OTHER)
        if kind is AgentStateChanged:
            self.topic = "agents"


class Message:
    """Something on its way to clients: an event with its number. Its text is made once, when first asked for."""

    __slots__ = ("_event", "_kind", "_text", "sequence")

    def __init__(self, sequence: int, event: object, kind: _Kind) -> None:
        self.sequence = sequence
        self._event = event
        self._kind = kind
        self._text = ""

    def text(self) -> str:
        if not self._text:
            kind, event = self._kind, self._event
            if kind.encode is not None:
                self._text = kind.encode(event, self.sequence)
            else:
                body = {"type": kind.name, "sequence": self.sequence}
                body |= {name: getattr(event, name) for name in kind.fields}
                self._text = _json(body)
        return self._text


class Direct:
    """A message to one client only (a reply, a snapshot): not numbered, not kept."""

    __slots__ = ("_body",)

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    def text(self) -> str:
        return _json(self._body)


class Subscription:
    """One client's bounded queue. `wake` is called when something was put into an empty or overflown queue."""

    __slots__ = ("_limit", "identity", "overflown", "queue", "topics", "wake")

    def __init__(self, identity: Identity, topics: frozenset[str], wake: Callable[[], None], limit: int) -> None:
        self.identity = identity
        self.topics = topics
        self.wake = wake
        self.queue: deque[tuple[Message | Direct, Callable[[], None] | None]] = deque()
        self.overflown = False
        self._limit = limit

    def push(self, message: Message | Direct, written: Callable[[], None] | None = None) -> None:
        """Queue a message; `written` is called once it was written or never will be."""
        if self.overflown or len(self.queue) >= self._limit:
            self.overflown = True
            self.close()
            if written:
                written()
        else:
            self.queue.append((message, written))
        self.wake()

    def allow_backlog(self, messages: list[Message]) -> None:
        """Queue what a resuming client missed: known and bounded by the ring, so the limit counts from there."""
        self.queue.extend((message, None) for message in messages)
        self._limit += len(messages)

    def close(self) -> None:
        """Drop what waits; nobody may wait for it any more."""
        dropped, self.queue = self.queue, deque()
        for _, written in dropped:
            if written:
                written()


class EventHub:
    """Numbers, keeps and hands out events. `started_at` (unix seconds) makes the first number."""

    def __init__(self, started_at: float, counters: Counter[str], *, ring: int = RING_EVENTS,
                 queue: int = QUEUE_EVENTS) -> None:  # fmt: skip
        # No restart comes before a million events a second have been published, so numbers never run backwards.
        self.sequence = int(started_at) * 1_000_000
        self.epoch = f"{int(started_at):x}"
        self._counters = counters
        self._ring: deque[object] = deque(maxlen=ring)
        self._queue_limit = queue
        self._kinds: dict[type, _Kind] = {}
        self._listening = False
        self._supervisors: dict[Subscription, None] = {}
        self._agents: dict[str, dict[Subscription, None]] = {}

    # --- publishing -------------------------------------------------------------------------------------------------

    def publish(self, event: object) -> None:
        """Number and keep an event, hand it to whoever may see it."""
        self.sequence += 1
        self._ring.append(event)
        if self._listening:
            self._fan_out(event, None)

    def publish_written(self, event: object, written: Callable[[], None]) -> None:
        """The same for a pop: `written` is called once for each of the agent's sockets that took it or was cut off."""
        self.sequence += 1
        self._ring.append(event)
        self._fan_out(event, written)

    def sockets(self, agent: str) -> int:
        """How many desktops the agent has open."""
        return len(self._agents.get(agent, ()))

    def _fan_out(self, event: object, written: Callable[[], None] | None) -> None:
        kind = self._kind(type(event))
        topic = kind.topic
        message = Message(self.sequence, event, kind)
        if topic == "agents" or topic == "pops":
            for agent_socket in tuple(self._agents.get(event.agent, ())):  # type: ignore[attr-defined]
                agent_socket.push(message, written)
        if topic != "pops":
            for supervisor in self._supervisors:
                if topic in supervisor.topics:
                    supervisor.push(message)

    def _kind(self, kind: type) -> _Kind:
        found = self._kinds.get(kind)
        if found is None:
            found = self._kinds[kind] = _Kind(kind)
        return found

    # --- listening --------------------------------------------------------------------------------------------------

    def watching(self, topic: str) -> list[Subscription]:
        """The supervisors' clients that asked for the topic."""
        return [supervisor for supervisor in self._supervisors if topic in supervisor.topics]

    @property
    def clients(self) -> int:
        return len(self._supervisors) + sum(len(sockets) for sockets in self._agents.values())

    def subscribe(self, identity: Identity, topics: frozenset[str], wake: Callable[[], None]) -> Subscription:
        """Start listening: everything published from here on, as far as the role may see it."""
        subscription = Subscription(identity, topics, wake, self._queue_limit)
        if identity.role == "supervisor":
            self._supervisors[subscription] = None
        else:
            self._agents.setdefault(identity.name, {})[subscription] = None
        self._listening = True
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop listening; twice is harmless."""
        self._supervisors.pop(subscription, None)
        sockets = self._agents.get(subscription.identity.name)
        if sockets is not None:
            sockets.pop(subscription, None)
            if not sockets:
                del self._agents[subscription.identity.name]
        self._listening = bool(self._supervisors or self._agents)
        subscription.close()

    @property
    def oldest(self) -> int:
        """The number of the oldest event still held (the next one, if none is)."""
        return self.sequence - len(self._ring) + 1

    def missed(self, subscription: Subscription, since: int, epoch: str | None) -> list[Message] | None:
        """What this client may see of the events after `since`. None: they aren't held any more, or never were."""
        if not self.oldest - 1 <= since <= self.sequence or (epoch is not None and epoch != self.epoch):
            self._counters["event_gaps"] += 1
            return None
        return [message for message in self._held(since) if self._may_see(subscription, message)]

    def _held(self, since: int) -> Iterator[Message]:
        first = since + 1 - self.oldest
        for sequence, event in enumerate(islice(self._ring, first, None), since + 1):
            yield Message(sequence, event, self._kind(type(event)))

    def _may_see(self, subscription: Subscription, message: Message) -> bool:
        topic = message._kind.topic
        if subscription.identity.role == "supervisor":
            return topic in subscription.topics
        return topic in ("agents", "pops") and getattr(message._event, "agent", None) == subscription.identity.name

    def trim(self, now: float) -> None:
        """Forget events older than ten minutes. Called now and then, off the call path."""
        ring, horizon = self._ring, now - RING_AGE_S
        while ring and getattr(ring[0], "at", now) < horizon:
            ring.popleft()
