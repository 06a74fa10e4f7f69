"""What this package needs of its neighbours, and no more. The root passes the real ones, tests pass fakes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from acd.explain import Happened, Moment
from acd.report import Part
from config.fields import Destination
from pbx.store.intervals import AgentRow, CallsRow, IvrRow

AttributeValue = str | int | float


class CallView(Protocol):
    """A live call (`pbx.call.call.Call`)."""

    @property
    def id(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def from_number(self) -> str: ...
    @property
    def from_name(self) -> str: ...
    @property
    def to_number(self) -> str: ...
    @property
    def shown(self) -> tuple[str, str]:
        """(name, number) of who calls; while we call a customer, he."""

    @property
    def started_at(self) -> float: ...
    @property
    def attributes(self) -> Mapping[str, AttributeValue]: ...

    def header(self, name: str) -> str | None:
        """A header of the caller's INVITE."""

    def set_attributes(self, new: Mapping[str, AttributeValue]) -> None: ...

    def view(self) -> dict[str, Any]:
        """JSON-able snapshot."""


class Calls(Protocol):
    """The switch (`pbx.call.switch.Switch`)."""

    def calls(self) -> Iterable[CallView]: ...


class AgentDesk(Protocol):
    """The desk (`acd.desk.Desk`). Commands raise `AgentCommandError` (with `.state`), `UnknownAgent`, and
    what the engine's inputs of their names say."""

    def login(self, agent: str, queues: Sequence[str] | None = None, *, by: str = "") -> None: ...
    def logout(self, agent: str, *, at_once: bool = False, by: str = "") -> None: ...
    def ready(self, agent: str, *, by: str = "") -> None: ...
    def not_ready(self, agent: str, reason: str, *, at_once: bool = False, by: str = "") -> None: ...
    def hang_up(self, agent: str, *, by: str = "") -> None: ...
    def note(self, agent: str, disposition: str, *, item: str | None = None, by: str = "") -> None: ...
    def wrap_up_done(
        self, agent: str, disposition: str | None = None, *, item: str | None = None, by: str = ""
    ) -> None: ...
    def extend_wrap_up(self, agent: str, seconds: float, *, item: str | None = None, by: str = "") -> None: ...
    def join_queue(self, agent: str, queue: str, *, by: str = "") -> None: ...
    def leave_queue(self, agent: str, queue: str, *, by: str = "") -> None: ...
    def change_skills(self, agent: str, levels: Mapping[str, int | None], *, by: str = "") -> None: ...
    def change_queues(self, agent: str, levels: Mapping[str, int | None], *, by: str = "") -> None: ...
    def agent(self, name: str) -> Mapping[str, Any]: ...
    def set_emergency(self, queue: str, on: bool) -> None: ...
    def set_queue_priority(self, queue: str, priority: float | None) -> None: ...
    def set_priority(self, queue: str, call_id: str, priority: float | None) -> None: ...
    def move(self, queue: str, call_id: str, to: Destination) -> None: ...
    def withdraw(self, queue: str, call_id: str) -> None: ...
    def names(self, kind: str) -> Collection[str]:
        """What there is of a kind: queue, skill, agent."""

    def agents(self) -> Sequence[Mapping[str, Any]]: ...
    def queues(self) -> Sequence[Mapping[str, Any]]: ...
    def statistics(self, by: str) -> Sequence[Mapping[str, Any]]: ...
    def statistics_at_work(self, by: str) -> Sequence[Part]: ...
    @property
    def timezone(self) -> str: ...
    def wall_board(self) -> Sequence[Mapping[str, Any]]: ...
    def at_present(self, call_id: str) -> Moment | None: ...


class CallbackDesk(Protocol):
    """Customers who are to be called (`acd.desk.callbacks.Callbacks`). All but the views raise a `CallbackError`."""

    def ask(
        self, queue: str, number: str, attributes: Mapping[str, AttributeValue], *, due_at: float | None = None
    ) -> str:
        """Its id. Raises `UnknownQueue`, too."""

    def cancel(self, callback_id: str) -> None: ...
    def reschedule(self, callback_id: str, due_at: float) -> None: ...
    def known(self, session_id: str, attributes: Mapping[str, AttributeValue]) -> None: ...
    def views(self) -> Sequence[Mapping[str, Any]]: ...
    def view(self, callback_id: str) -> Mapping[str, Any] | None: ...


class Bans(Protocol):
    """Sources that are not listened to (`pbx.defence.Defence`)."""

    def view(self) -> Sequence[Mapping[str, Any]]: ...

    def lift(self, source: str) -> bool:
        """End a ban; False if there is none."""


class PhoneSettings(Protocol):
    """What users set for their phones (`pbx.call.phone_settings.PhoneSettings`)."""

    def view(self, extension: str) -> Mapping[str, Any]:
        """Raises UnknownPhone."""

    def change(self, extension: str, new: Mapping[str, str | None]) -> None:
        """All or nothing; None: as the site says again. Raises BadSetting, UnknownPhone."""


class Clicks(Protocol):
    """Calls that programs ask for (`pbx.call.originate.ClickToDial`)."""

    def dial(self, extension: str, number: str) -> CallView:
        """Ring a phone, then the number in its name. Raises NotDialled."""


class Conferences(Protocol):
    """Those who talk together (`pbx.call.rooms.Rooms`)."""

    def view(self) -> Sequence[Mapping[str, Any]]: ...

    def add(self, call_id: str, number: str, by: str | None = None) -> CallView:
        """Call somebody into a live call. Raises NotDialled."""


class Supervision(Protocol):
    """Those who listen to agents (`pbx.call.supervision.Supervision`). All but `view` raise NotDialled."""

    def view(self, agent: str) -> Sequence[Mapping[str, Any]]: ...
    def begin(self, agent: str, supervisor: str, mode: str) -> CallView: ...
    def change(self, agent: str, supervisor: str, mode: str) -> None: ...
    def end(self, agent: str, supervisor: str) -> None: ...


class MessageCounts(Protocol):
    """Message lights (`pbx.subscriptions.message_summary.MessageSummary`)."""

    def of(self, extension: str) -> Any:
        """The counts `new`, `old`, `new_urgent`, `old_urgent`. Raises KeyError for an unknown extension."""

    def set(self, extension: str, new: int, old: int, new_urgent: int, old_urgent: int) -> None:
        """Raises KeyError for an unknown extension."""


class Sound(Protocol):
    """An open recording (`media.recorded.RecordedFile`)."""

    size: int
    media_type: str
    complete: bool

    def read(self, start: int, size: int) -> bytes: ...
    def close(self) -> None: ...


class Recordings(Protocol):
    """Recordings of calls (`pbx.recordings.Recordings`). They raise UnknownResource and StateConflict."""

    def start(self, call_id: str, by: str) -> Mapping[str, Any]: ...
    def stop(self, recording_id: str, by: str) -> Mapping[str, Any]: ...
    def mask(self, recording_id: str, masked: bool, by: str) -> Mapping[str, Any]: ...
    def of_call(self, call_id: str) -> str | None: ...

    async def find(
        self, limit: int, *, call_id: str | None = None, queue: str | None = None, agent: str | None = None
    ) -> Sequence[Mapping[str, Any]]: ...
    async def get(self, recording_id: str) -> Mapping[str, Any]: ...
    async def read(self, recording_id: str) -> Sound: ...
    async def delete(self, recording_id: str, by: str) -> Mapping[str, Any]: ...
    async def erase(self, number: str, by: str) -> Mapping[str, Any]: ...
    async def hold(self, recording_id: str, on: bool) -> Mapping[str, Any]: ...


class CallRecords(Protocol):
    """The records (`pbx.store.records.Records`)."""

    async def cdrs(self, limit: int, *, call_id: str | None = None) -> Sequence[Any]:
        """The newest call records, newest first; or those of one call."""

    async def events(self, call_id: str) -> Sequence[Happened]:
        """All that happened to a call, in order."""

    async def calls_intervals(
        self, kind: str, since: float, before: float, name: str | None = None
    ) -> Sequence[CallsRow]: ...
    async def agent_intervals(self, since: float, before: float, name: str | None = None) -> Sequence[AgentRow]: ...
    async def ivr_intervals(self, since: float, before: float, name: str | None = None) -> Sequence[IvrRow]: ...
