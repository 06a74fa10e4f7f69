"""What goes into a flow machine and what comes out of it. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from config.sayings import Saying
from config.schema import Destination

# --- inputs ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Begin at the flow's first state."""


@dataclass(frozen=True, slots=True)
class Digit:
    """The caller pressed a key."""

    key: str  # one of 0-9 * # A-D


@dataclass(frozen=True, slots=True)
class Played:
    """What `Play` asked for ended by itself."""

    heard: bool = True  # False: there was nothing to play (a prompt the site lacks), so no time passed


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The timer of the last `SetTimer` is due."""


@dataclass(frozen=True, slots=True)
class IsOpen:
    """The answer to `AskHours`."""

    open: bool


@dataclass(frozen=True, slots=True)
class CallbackNoted:
    """The answer to `AskCallback`."""

    noted: bool


Input = Start | Digit | Played | TimedOut | IsOpen | CallbackNoted

# --- outputs --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entered:
    """A state was entered; what follows belongs to it."""

    state: str


@dataclass(frozen=True, slots=True)
class Play:
    """Let these be heard one after the other, in place of whatever is heard now; answer with `Played`."""

    prompts: tuple[Saying, ...]


@dataclass(frozen=True, slots=True)
class StopPlay:
    """The caller barged in: stop, no `Played` is due."""


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Start the one timer of the flow, in place of the one that may run."""

    after_s: float


@dataclass(frozen=True, slots=True)
class StopTimer:
    """Stop it."""


@dataclass(frozen=True, slots=True)
class AskHours:
    """Is this calendar open now? Answer with `IsOpen`. Always the last output of its batch."""

    hours: str


@dataclass(frozen=True, slots=True)
class AskCallback:
    """The caller is to be called by a queue. Answer with `CallbackNoted`. Always the last output of its batch."""

    queue: str
    number: str | None  # the call attribute that has it; None: the caller's
    after_s: float | None  # not before
    attributes: Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Keyed:
    """Keys were used by a state: a menu's key; what a gather collected, `#` if that alone."""

    state: str
    digits: str
    matched: bool  # False: a key that the menu has not; too few


@dataclass(frozen=True, slots=True)
class NoInput:
    """A state waited for keys in vain."""

    state: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """A gather succeeded."""

    name: str  # the call attribute to set
    digits: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Hold the line, play nothing."""


@dataclass(frozen=True, slots=True)
class Echo:
    """Send the caller's sound back, until he hangs up."""


@dataclass(frozen=True, slots=True)
class Record:
    """Start, stop, mask or unmask the call's recording."""

    what: str


@dataclass(frozen=True, slots=True)
class Enqueue:
    """The flow is over: the call waits in a queue."""

    queue: str
    attributes: Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Connect:
    """The flow is over: the call goes to a destination."""

    destination: Destination


@dataclass(frozen=True, slots=True)
class HangUp:
    """The flow is over: end the call."""

    cause: str
    looping: bool = False  # cut off because it went round and round


Output = (
    Entered | Play | StopPlay | SetTimer | StopTimer | AskHours | AskCallback | Keyed | NoInput | Gathered | Silence
    | Echo | Record | Enqueue | Connect | HangUp
)  # fmt: skip
