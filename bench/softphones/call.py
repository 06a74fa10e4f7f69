"""One call at one phone, as seen from the parent; and what a phone may be told to do with calls that come.

    SoftphoneError
    +-- SoftphoneMissing   the optional extra `softphone` is not installed
    +-- CallFailed         a call that was to be established was refused; `.status`
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.softphones.phone import Phone


class SoftphoneError(Exception):
    """A phone could not do what it was told."""


class SoftphoneMissing(SoftphoneError):
    """The optional extra `softphone` is not installed."""


class CallFailed(SoftphoneError):
    """Not established: the peer's final status is `status`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"call ended with {status} {reason}".rstrip())
        self.status = status


@dataclass(frozen=True, slots=True)
class Heard:
    """What was measured in the window that decided, or in the best one seen."""

    heard: bool
    share: float  # of the power at the wanted frequency, 0-1
    level_dbfs: float
    after_s: float  # since it was asked


def answer(after_ms: float = 0) -> dict[str, Any]:
    """Policy: ring, then answer."""
    return {"after_ms": after_ms}


def reject(status: int = 486) -> dict[str, Any]:
    """Policy: refuse at once."""
    return {"reject": status}


def ring_only() -> dict[str, Any]:
    """Policy: ring and wait for a command."""
    return {}


@dataclass(eq=False)
class PhoneCall:
    """One call at one phone. Times are Unix seconds measured at the phone, None until it happened."""

    phone: Phone = field(repr=False)
    number: int
    incoming: bool
    arrived_at: float | None = None  # the INVITE reached the phone
    told_at: float | None = None  # and this process knew: to compare with what else it was told
    ringing_at: float | None = None
    established_at: float | None = None
    ended_at: float | None = None
    status: int = 0  # last final status
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)  # of the INVITE received
    source: str = ""
    digits_received: str = ""
    held: bool = False  # by the peer
    media_changes: int = 0
    transfer: list[int] = field(default_factory=list)  # what NOTIFY said of a transfer of ours (PJSIP)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def note(self, event: dict[str, Any]) -> None:
        """Take in an event of the child."""
        name, at = event["event"], event["at"]
        if name == "ringing":
            self.ringing_at = self.ringing_at or at
        elif name == "established":
            self.established_at = self.established_at or at
        elif name == "media":
            self.held, self.media_changes = event["held"], self.media_changes + 1
        elif name == "transfer":
            self.transfer.append(event["status"])
        elif name == "digit":
            self.digits_received += event["digit"]
        elif name == "ended":
            self.ended_at, self.status, self.reason = at, event["status"], event["reason"]
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def until(self, true: Callable[[PhoneCall], object], within_s: float = 30.0) -> None:
        """Wait for the call to be as wanted. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not true(self):
                await self._changed.wait()

    async def established(self, within_s: float = 30.0) -> None:
        """Raises CallFailed when it ends instead, TimeoutError when neither happens."""
        await self.until(lambda call: call.established_at or call.ended_at, within_s)
        if self.established_at is None:
            raise CallFailed(self.status, self.reason)

    async def ended(self, within_s: float = 30.0) -> None:
        await self.until(lambda call: call.ended_at, within_s)

    async def _do(self, verb: str, **arguments: Any) -> dict[str, Any]:
        return await self.phone.process.do(verb, call=self.number, **arguments)

    async def answer(self) -> None:
        await self._do("answer", status=200)

    async def progress(self) -> None:
        """pjsip: sound before the answer, by 183."""
        await self._do("answer", status=183)

    async def update(self) -> None:
        """pjsip: UPDATE with the session as it is."""
        await self._do("update")

    async def reject(self, status: int = 486) -> None:
        await self._do("answer", status=status)

    async def hang_up(self) -> None:
        """Ends it in whatever state it is: CANCEL, a refusal or BYE. Nothing happens when it is over."""
        await self._do("hang_up")

    async def press(self, digits: str) -> None:
        """RFC 4733 events, one key after the other."""
        await self._do("digits", digits=digits)

    async def hold(self) -> None:
        await self._do("hold", held=True)

    async def resume(self) -> None:
        await self._do("hold", held=False)

    async def transfer_to_number(self, user: str) -> None:
        """Blind: REFER to somebody at the phone's own server."""
        await self._do("transfer", to=f"sip:{user}@{self.phone.server}")

    async def transfer_to_call(self, other: PhoneCall) -> None:
        """Attended: with whom the phone talks in another call."""
        await self._do("transfer_to", other=other.number)

    async def tone(self, tone_hz: float | None) -> None:
        """baresip: send this sine from now on, or silence."""
        await self._do("tone", tone_hz=tone_hz)

    async def levels(self) -> dict[str, float]:
        """pjsip: `received` and `sent`, 0-255. baresip: `received` in dBFS, `samples` heard so far."""
        return await self._do("levels")

    async def sounds(self, within_s: float = 20.0, *, level: float = 10) -> float:
        """pjsip: wait until what arrives is at least this loud; the loudest level seen, 0-255."""
        loudest, deadline = 0.0, asyncio.get_running_loop().time() + within_s
        while loudest < level and asyncio.get_running_loop().time() < deadline and self.ended_at is None:
            loudest = max(loudest, (await self.levels())["received"])
            await asyncio.sleep(0.05)
        return loudest

    async def hear(
        self,
        tone_hz: float | None,
        within_s: float = 20.0,
        *,
        window_s: float = 0.2,
        share: float = 0.8,
        level_dbfs: float = -40.0,
        back_s: float = 0.0,
    ) -> Heard:
        """baresip: wait until a window of what arrives is this tone, or with None any sound at all; with `back_s`, up
        to 4 s, one that came so long ago counts, too: of what is over before one can ask."""
        window = {"window_s": window_s, "share": share, "level": level_dbfs, "back_s": back_s}
        wanted = {"tone_hz": tone_hz, "within_s": within_s, **window}
        try:
            return Heard(**await self.phone.process.do("hear", call=self.number, more_s=within_s, **wanted))
        except SoftphoneError:
            if self.ended_at is None:
                raise
            return Heard(False, 0.0, -100.0, within_s)
