"""Hunt groups: phones that ring together or one after the other. Destinations `group NAME`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from config.schema import Destination, Group
from pbx.call.bridge import DirectBridge
from pbx.call.phone_settings import PhoneSettings

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.switch import Switch


class Groups:
    """All hunt groups: whose turn it is, who has been idle longest."""

    def __init__(self, switch: Switch, settings: PhoneSettings, registered: Callable[[str, float], bool]) -> None:
        self._switch = switch
        self._settings = settings
        self._registered = registered
        self._next: dict[str, str] = {}  # by group: the member whose turn it is
        self._busy_until: dict[str, float] = {}  # by extension: when its last call ended

    def phone_calls(self, extension: str, legs: int) -> None:
        """So many legs are live on an extension."""
        if not legs:
            self._busy_until[extension] = self._switch.clock.now()

    def reconfigure(self, extensions: Iterable[str]) -> None:
        """Forget phones that are no more."""
        known = set(extensions)
        self._busy_until = {name: at for name, at in self._busy_until.items() if name in known}

    def start(self, call: Call, name: str) -> None:
        group = self._switch.rules.site.groups.get(name)
        if group is None:
            call.refuse(404, f"no group {name}")
            return
        hunt = _Hunt(self, name, group, self.order(name, group))
        call.controller = hunt
        hunt.go_on(call)

    def order(self, name: str, group: Group) -> list[str]:
        """The members as they are to ring."""
        members = list(group.extensions)
        if group.ring == "longest idle":
            members.sort(key=lambda member: self._busy_until.get(member, 0.0))  # stable: as written when equal
        elif group.ring == "rotating":
            turn = self._next.get(name)
            at = members.index(turn) if turn in members else 0
            members = members[at:] + members[:at]
            self._next[name] = members[1 % len(members)]
        return members

    def is_free(self, extension: str) -> bool:
        return (
            self._registered(extension, self._switch.clock.now())
            and not self._switch.extension_legs(extension)
            and not self._settings.of(extension).dnd
        )

    def is_busy(self, extension: str) -> bool:
        return bool(self._switch.extension_legs(extension)) or self._settings.of(extension).dnd


class _Hunt(DirectBridge):
    """One call in a group."""

    def __init__(self, groups: Groups, name: str, group: Group, members: Sequence[str]) -> None:
        super().__init__("group")
        self._groups = groups
        self._name = name
        self._group = group
        self._waiting = deque(members)

    def go_on(self, call: Call, status: int = 0) -> None:
        """Ring who is next and free; who is busy when his turn comes is left out."""
        busy = [member for member in self._waiting if self._groups.is_busy(member)]
        phones = [Destination("extension", one) for one in self._waiting if self._groups.is_free(one)]
        if self._group.ring != "all":
            phones = phones[:1]
            if phones:
                while self._waiting.popleft() != phones[0].name:
                    pass
        else:
            self._waiting.clear()
        if phones:
            call.dial(Destination("group", self._name), ring_s=self._group.ring_s, phones=phones)
        elif self._group.otherwise is not None:
            call.route(self._group.otherwise)
        else:
            call.refuse(status or (486 if busy else 480), "nobody in the group takes the call")

    def on_failed(self, call: Call, attempt: Attempt, status: int, cause: str) -> None:
        self.go_on(call, 480 if status == 408 else 0)
