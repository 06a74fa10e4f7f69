"""The caller's place in a call that a program asked for, until the phone of who clicked has answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from media.plane import PortStats
from pbx.call.leg import Leg
from pbx.sip.dialog import Dialog
from pbx.sip.hop import Hop

if TYPE_CHECKING:
    from pbx.call.call import Call
    from pbx.call.switch import Switch

_NOWHERE: Final = Hop("udp", "127.0.0.1", 0)


class AbsentCaller(Leg):
    """No dialog, no port, no phone: only whose call it is."""

    __slots__ = ()

    def __init__(self, switch: Switch, call: Call, extension: str | None) -> None:
        nowhere = Dialog("", "", "", switch.ids.token(), None, "", "", _NOWHERE)
        super().__init__(switch, call, 1, nowhere, extension, None)

    def _phase(self) -> str:
        return "trying"

    def free(self, on_stats: Callable[[PortStats], None] | None = None) -> None:
        """It occupies nothing."""
        self.audio.release(on_stats)

    def end(self, reason: str = "") -> None:
        self.call = None
