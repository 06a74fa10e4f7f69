"""What callers hear beside music while they wait: their place in line, the wait to be expected, messages.

    music --due--> being spoken --ready--> heard, music behind it --over--> music
                       |                       |
                       +-- due: said after it -+

Nothing is ever said over something else: what falls due meanwhile follows when that has ended. The music goes on behind
the last word without a gap, as one playlist.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from acd.desk.voice import Attributes, Mute, Prompts, Speaking, Voice
from config.queues import Announcements
from config.sayings import Saying
from config.schema import Queue

if TYPE_CHECKING:
    from pbx.call.call import Call
    from pbx.call.clock import Clock, Timer

ASKED_MOST: Final = 8  # sayings of others that wait for the end of what is heard
SAID_MOST: Final = 31  # prompts in a row: the media plane takes 32, and the music is one
SPOKEN_AT_MOST_S: Final = 120.0  # then its end was missed, and is taken as come

Facts = Callable[[str], tuple[int, float | None]]
"""Of a call that waits: its place in line and, if anybody knows, the wait to be expected in seconds."""


@dataclass(slots=True, eq=False)
class _Listener:
    """A caller who waits."""

    call: Call
    queue: str
    music: str | None
    next_place: float = math.inf  # when place and wait are due
    next_message: float = math.inf
    next_offer: float = math.inf  # of a callback; once
    message: int = 0  # which one is next
    told_minutes: int | None = None  # the wait he was told last
    asked: deque[tuple[tuple[Saying, ...], Mapping[str, str | int | float]]] = field(default_factory=deque)
    speaking: Speaking | None = None  # on its way to be heard
    play_id: int | None = None  # of what is heard
    turn: int = 0  # how often something was said
    busy_until: float = 0.0  # something is being spoken, or heard
    timer: Timer | None = None


class Announcer:
    """One for the desk. A call is known from `begin` until `end`."""

    __slots__ = ("_clock", "_counters", "_facts", "_listeners", "_queues", "voice")

    def __init__(self, clock: Clock, facts: Facts, counters: Counter[str]) -> None:
        self._clock = clock
        self._facts = facts
        self._counters = counters
        self._queues: Mapping[str, Queue] = {}
        self._listeners: dict[str, _Listener] = {}
        self.voice: Voice = Mute()

    def __len__(self) -> int:
        return len(self._listeners)

    def reconfigure(self, queues: Mapping[str, Queue], waiting: Iterable[tuple[Call, str]]) -> None:
        """`waiting`: the calls that hear a queue's music now. From here on they hear what it says now."""
        before, self._queues = self._queues, queues
        for call, queue in waiting:
            listener, settings = self._listeners.get(call.id), queues.get(queue)
            if listener is None:
                self.begin(call, queue)
            elif settings is not None:
                listener.music = settings.music
                if queue not in before or settings.announce != before[queue].announce:
                    self._schedule(listener, settings.announce)

    # --- calls ------------------------------------------------------------------------------------------------------

    def begin(self, call: Call, queue: str) -> None:
        """The caller hears the queue's music from now on."""
        settings = self._queues.get(queue)
        callback = None if settings is None else settings.callback
        offers = callback is not None and bool(callback.offer)
        if settings is None or (settings.announce is None and not offers) or not call.answered:
            return
        listener = self._listeners[call.id] = _Listener(call, queue, settings.music)
        if callback is not None and offers:
            listener.next_offer = self._clock.now() + callback.offer_after_s
        self._schedule(listener, settings.announce)

    def end(self, call_id: str) -> None:
        """It waits no longer: whoever has it now decides what it hears."""
        listener = self._listeners.pop(call_id, None)
        if listener is None:
            return
        if listener.timer is not None:
            listener.timer.cancel()
            listener.timer = None
        if listener.speaking is not None:
            listener.speaking.cancel()
            listener.speaking = None

    def say(self, call: Call, queue: str, sayings: tuple[Saying, ...], attributes: Attributes | None = None) -> None:
        """Let a caller who waits hear something: now, or after what he hears. `attributes` beside the call's."""
        if not sayings or not call.answered:
            return
        listener = self._listeners.get(call.id)
        if listener is None:
            settings = self._queues.get(queue)
            listener = self._listeners[call.id] = _Listener(call, queue, settings.music if settings else None)
        if len(listener.asked) >= ASKED_MOST:
            self._counters["queue_announcements_dropped"] += 1
            return
        listener.asked.append((sayings, attributes or {}))
        self._turn(listener)

    def played(self, call: Call, play_id: int) -> None:
        """What a call heard has ended."""
        listener = self._listeners.get(call.id)
        if listener is not None and listener.play_id == play_id:
            self._over(listener)

    # --- turns ------------------------------------------------------------------------------------------------------

    def _turn(self, listener: _Listener) -> None:
        """Say what is due, unless something is being said."""
        now = self._clock.now()
        if listener.busy_until > now:
            return
        listener.speaking, listener.play_id, listener.busy_until = None, None, 0.0
        sayings, attributes = self._due(listener, now)
        if sayings:
            self._speak(listener, sayings, attributes)
        else:
            self._set_timer(listener)

    def _due(self, listener: _Listener, now: float) -> tuple[tuple[Saying, ...], Attributes]:
        """All that is due, as one."""
        sayings: tuple[Saying, ...] = ()
        attributes = dict(listener.call.attributes)
        settings = self._queues.get(listener.queue)
        announce = None if settings is None else settings.announce
        if announce is not None and now >= listener.next_place:
            listener.next_place = now + announce.every_s
            sayings += self._place(listener, announce, attributes)
        if announce is not None and announce.messages and now >= listener.next_message:
            listener.next_message = now + announce.messages_every_s
            sayings += (announce.messages[listener.message % len(announce.messages)],)
            listener.message += 1
        if now >= listener.next_offer:
            listener.next_offer = math.inf
            sayings += () if settings is None or settings.callback is None else settings.callback.offer
        if listener.asked:
            asked, values = listener.asked.popleft()
            sayings += asked
            attributes.update(values)
        return sayings, attributes

    def _place(
        self, listener: _Listener, announce: Announcements, attributes: dict[str, str | int | float]
    ) -> tuple[Saying, ...]:
        """The place in line and the wait, as far as the site wants them told."""
        sayings: tuple[Saying, ...] = ()
        position, ewt_s = self._facts(listener.call.id)
        furthest = math.inf if announce.position is True else int(announce.position)
        if position <= furthest:
            attributes["position"] = position
            sayings += announce.your_position or self.voice.position()
        if announce.wait and ewt_s is not None and ewt_s <= announce.wait_at_most_s:
            minutes = max(1, math.ceil(ewt_s / 60))
            attributes["wait"] = 60 * minutes
            attributes["wait_minutes"] = minutes
            grown = listener.told_minutes is not None and minutes > listener.told_minutes
            listener.told_minutes = minutes
            if grown:
                sayings += announce.wait_grown or self.voice.wait_grown()
            else:
                sayings += announce.your_wait or self.voice.wait()
        return sayings

    def _speak(self, listener: _Listener, sayings: tuple[Saying, ...], attributes: Attributes) -> None:
        listener.busy_until = self._clock.now() + SPOKEN_AT_MOST_S
        self._set_timer(listener)
        listener.turn = turn = listener.turn + 1
        speaking = self.voice.prepare(sayings, attributes, partial(self._ready, listener, turn))
        if listener.turn == turn and listener.busy_until and listener.play_id is None:  # it was not ready at once
            listener.speaking = speaking

    def _ready(self, listener: _Listener, turn: int, prompts: Prompts) -> None:
        if listener.turn != turn or self._listeners.get(listener.call.id) is not listener:
            return
        listener.speaking = None
        if not prompts:
            self._counters["queue_announcements_unsaid"] += 1
            self._over(listener)
            return
        said = prompts[:SAID_MOST]
        if listener.music is None:
            listener.play_id = listener.call.play(said)
        else:
            listener.play_id = listener.call.play([*said, listener.music], loop=True, once=len(said))

    def _over(self, listener: _Listener) -> None:
        """The next one, if it has fallen due meanwhile."""
        listener.busy_until = 0.0
        self._turn(listener)

    def _schedule(self, listener: _Listener, announce: Announcements | None) -> None:
        """What is due when, for one who waits from now on."""
        now = self._clock.now()
        told = announce is not None and (announce.position is not False or announce.wait)
        listener.next_place = now + announce.first_after_s if announce is not None and told else math.inf
        messages = announce is not None and announce.messages
        listener.next_message = now + announce.messages_every_s if announce is not None and messages else math.inf
        self._set_timer(listener)

    def _set_timer(self, listener: _Listener) -> None:
        if listener.timer is not None:
            listener.timer.cancel()
            listener.timer = None
        at = listener.busy_until or min(listener.next_place, listener.next_message, listener.next_offer)
        if at < math.inf:
            after_s = max(0.0, at - self._clock.now())
            listener.timer = self._clock.after(after_s, partial(self._on_timer, listener))

    def _on_timer(self, listener: _Listener) -> None:
        listener.timer = None
        if self._listeners.get(listener.call.id) is listener:
            self._turn(listener)
