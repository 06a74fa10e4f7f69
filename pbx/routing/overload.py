"""Overload control: how much of which requests is sent away, so that the rest is served in time.

What is measured, twenty times a second, is the time that a request waits before it is read (the age of the oldest
unread datagram, the lateness of the event loop). A controller holds it at a target:

    severity += GAIN * (delay - target) + DAMPING * (delay - delay before)        within 0 ... 3

This is PIE's law (RFC 8033 4.2), with gains for an answer that acts at once: what is refused costs a tenth of what
is served, so every bit of severity changes how fast the queue drains. One number orders what is shed:

    0 ... 1     this fraction of new INVITEs
    1 ... 2     all of them, and of SUBSCRIBE, MESSAGE, OPTIONS, first REGISTERs the fraction above 1
    2 ... 3     those too, and of REGISTER refreshes the fraction above 2

It climbs into the next kind only if that makes up a tenth of what comes, and falls by a tenth each period while next to
nothing waits, so that a stall (another program's, the disk's) is over soon after it is over.

Those that come by UDP are refused before they are read (pbx.sip.refusal): to read them, and the ACKs, would cost an
eighth of a call each, which under five times the load is most of what there is. To drop them in silence would cost more
than either: each is repeated six times.

Requests in dialogs, ACK, CANCEL and responses are never shed: they finish work that was paid for. The fraction is taken
evenly (one in three, not three in nine), without dice.

It begins when the delay has exceeded the target for 0.3 s, for a machine that stood still a while (another program, the
disk) is not overloaded; at once, that is with the second measurement in a row, when it exceeds T1, for then callers
repeat what they sent. It is over when nothing was shed for two seconds and the
delay is below half of it: so one line in the log each, however the load flutters.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Callable
from typing import Final

from pbx.sip.errors import SipError
from pbx.sip.grammar import param, without_params
from pbx.sip.via import Via

PERIOD_S: Final = 0.05  # of measuring
GAIN: Final = 0.2  # severity per second of delay, each period: moves it while there is an error
DAMPING: Final = 2.0  # severity per second that the delay grew
MAX_STEP: Final = 0.2  # a burst is no catastrophe
EASE: Final = 0.9  # of severity is left each period while next to nothing waits
SHARE: Final = 0.1  # of the requests that a kind must have to be worth refusing
MAX_SEVERITY: Final = 3.0
BEGIN_S: Final = 0.3  # above the target
GRAVE_S: Final = 0.5  # RFC 3261 17.1.1.2: T1
END_S: Final = 2.0
RETRY_AFTER_S: Final = 5  # least; the refused are spread over as much again, and more when it is grave
RETRY_SPREAD_S: Final = 10
VALIDITY_MS: Final = 500  # of what a proxy is told (RFC 7339 4.4: the default)
_GOLDEN: Final = 0.6180339887498949  # multiples of it, modulo 1, are spread evenly however many they are


class Kind(enum.IntEnum):
    """What is shed, first to last; the value is where its share of the severity begins."""

    CALL = 0
    OTHER = 1
    REFRESH = 2


class Overload:
    """One a server. `on_change(overloaded, delay_s)` is told of the begin and the end."""

    __slots__ = (
        "_asked", "_counters", "_delay_s", "_due", "_high_since", "_let_in", "_quiet_since", "_refused", "_target_s",
        "active", "measured_at", "on_change", "severity",
    )  # fmt: skip

    def __init__(self, target_s: float, counters: Counter[str]) -> None:
        self._counters = counters
        self._target_s = target_s
        self.severity = 0.0
        self.active = False
        self.measured_at = 0.0
        self.on_change: Callable[[bool, float], None] = lambda overloaded, delay_s: None
        self._delay_s = 0.0
        self._high_since: float | None = None  # when the delay rose above the target, while it is not overload yet
        self._quiet_since = 0.0
        self._let_in = False  # the INVITE that is being read has been asked for
        self._due = [0.0] * len(Kind)  # by kind: what is to be shed, in requests
        self._asked = [0] * len(Kind)  # by kind: requests in this period
        self._refused = 0

    def reconfigure(self, target_s: float) -> None:
        self._target_s = target_s

    @property
    def delay_s(self) -> float:
        """As measured last."""
        return self._delay_s

    def measure(self, delay_s: float, now: float) -> None:
        """How long requests wait to be read now; to be called every PERIOD_S."""
        before, self._delay_s = self._delay_s, delay_s
        self.measured_at = now
        if not self.active:
            if not self._began(delay_s, before, now):
                return
            self.active = True
            self._high_since = None
            self._counters["overloads"] += 1
            self.on_change(True, delay_s)
        step = GAIN * (delay_s - self._target_s) + DAMPING * (delay_s - before)
        severity = self.severity + min(MAX_STEP, max(-MAX_STEP, step))
        if step < 0.0 and delay_s < self._target_s / 4:
            severity = min(severity, self.severity * EASE)
        self.severity = max(0.0, min(severity, self._ceiling()))
        self._asked = [0] * len(Kind)
        if self.severity > 0.0 or delay_s > self._target_s / 2:
            self._quiet_since = now
        elif now - self._quiet_since >= END_S:
            self.active = False
            self.on_change(False, delay_s)

    def _began(self, delay_s: float, before_s: float, now: float) -> bool:
        """Whether this is more than a stall."""
        if delay_s <= self._target_s:
            self._high_since = None
            return False
        if self._high_since is None:
            self._high_since = now
        return min(delay_s, before_s) > GRAVE_S or now - self._high_since >= BEGIN_S - PERIOD_S / 2

    def _ceiling(self) -> float:
        """Not beyond what the kinds shed already have, when the next one hardly comes: to refuse it would not help, and
        all of that would have to be taken back before calls are served again."""
        following = max(1, math.ceil(self.severity))
        if following > Kind.REFRESH or self._asked[following] > SHARE * sum(self._asked):
            return MAX_SEVERITY
        return float(following)

    def sheds(self, kind: Kind) -> bool:
        """Whether this request is one of those to be sent away; to be asked for each while severity is above 0."""
        if self._let_in and kind is Kind.CALL:
            self._let_in = False
            return False
        self._asked[kind] += 1
        fraction = min(1.0, self.severity - kind)
        if fraction <= 0.0:
            return False
        due = self._due[kind] + fraction
        if due < 1.0:
            self._due[kind] = due
            return False
        self._due[kind] = due - 1.0
        self._counters[f"overload_shed_{kind.name.lower()}"] += 1
        return True

    def sheds_unread(self) -> bool:
        """The same for an INVITE that has not been read; one that stays is not asked for again when it is."""
        shed = self.sheds(Kind.CALL)
        self._let_in = not shed
        return shed

    def reading(self) -> None:
        """The next message: whoever was let in has been served."""
        self._let_in = False

    def retry_after_s(self) -> int:
        """For the 503: spread, so that the refused don't return together; longer the graver it is."""
        self._refused += 1
        return RETRY_AFTER_S + int(self._refused * _GOLDEN % 1 * RETRY_SPREAD_S * (1.0 + self.severity))

    def feedback(self, via: str) -> str:
        """RFC 7339: what our responses say in the topmost Via to a proxy that offered `oc` there: send that much
        less. A Via without the offer, or that offers other algorithms than loss only, stays as it is."""
        try:
            parsed = Via.parse(via)
        except SipError:
            return via
        algorithms = param(parsed.params, "oc-algo")
        if param(parsed.params, "oc") is None or algorithms is None:
            return via
        if "loss" not in [name.strip().lower() for name in algorithms.strip('"').split(",")]:
            return via
        percent = round(100 * min(1.0, self.severity)) if self.active else 0
        rest = without_params(parsed.params, ("oc", "oc-algo", "oc-validity", "oc-seq"))
        validity_ms = VALIDITY_MS if self.active else 0  # 0: nothing is asked (4.4)
        return (
            f'{Via(parsed.transport, parsed.host, parsed.port, rest)};oc={percent};oc-algo="loss"'
            f";oc-validity={validity_ms};oc-seq={self.measured_at:.5f}"
        )
