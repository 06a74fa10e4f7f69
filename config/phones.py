"""The phones of the house: extensions and what they may do, hunt groups, parking lots."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field, field_validator

from config.calls import Reliable
from config.fields import Codecs, DestinationText, Expected, Names, Seconds, Secret
from config.media import Dtmf, OnSilence, OwnSilence, OwnSrtp
from config.model import Model
from config.tolls import TollLimits

MOST_SLOTS = 1000
_SLOTS = "FIRST-LAST of slot numbers of the same length, as 701-709"


class Slots(NamedTuple):
    """`701-709`: the slots of a parking lot, both ends included, with their leading zeros."""

    first: int
    last: int
    digits: int

    def has(self, slot: str) -> bool:
        known = slot.isascii() and slot.isdigit() and len(slot) == self.digits
        return known and self.first <= int(slot) <= self.last

    def names(self) -> list[str]:
        return [f"{number:0{self.digits}}" for number in range(self.first, self.last + 1)]


def _slots(value: object) -> Slots:
    if isinstance(value, Slots):
        return value
    m = isinstance(value, str) and re.fullmatch(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?", value)
    if not m:
        raise ValueError(f"expected {_SLOTS}")
    first, last = m[1], m[2] or m[1]
    if len(first) != len(last) or not int(first) <= int(last) < int(first) + MOST_SLOTS:
        raise ValueError(f"expected {_SLOTS}, {MOST_SLOTS} at most")
    return Slots(int(first), int(last), len(first))


SlotsText = Annotated[Slots, BeforeValidator(_slots, json_schema_input_type=str), Expected(_SLOTS)]


class Forward(Model):
    """Where calls go that a phone does not take. `no_answer` after it has rung for `after_s`; `busy` also when it says
    so, refuses, has `max_calls` or does not want to be disturbed."""

    always: DestinationText | None = None
    busy: DestinationText | None = None
    no_answer: DestinationText | None = None
    after_s: Seconds = 20
    unregistered: DestinationText | None = None


class Extension(Model):
    """A phone that registers: its key is its number and its user name.

    Calls that ring at phones of one of the `pickup_groups` may be picked up at phones whose `picks_up` (or, without it,
    `pickup_groups`) has that group. `record`: its conversations are recorded.
    """

    password: Secret
    name: str = ""
    caller_id: str | None = None
    max_contacts: int = Field(default=5, ge=1, le=50)
    qualify_s: float | None = Field(default=None, ge=0)
    max_calls: int | None = Field(default=None, ge=1, le=100)
    tolls: TollLimits | None = None
    do_not_disturb: bool = False
    forward: Forward = Forward()
    redirects: Literal["follow", "refuse"] = "follow"
    codecs: Codecs | None = None
    srtp: OwnSrtp = None
    dtmf: Dtmf = "auto"
    silent_after_s: OwnSilence = None
    on_silence: OnSilence | None = None
    record: bool = False
    reliable_provisional: Reliable | None = None
    pickup_groups: Names = ()
    picks_up: Names = ()


class Group(Model):
    """A hunt group: phones that ring together, or one after the other for `ring_s` each. Who talks is left out, and who
    does not want to be disturbed; forwards of the phones are not followed."""

    extensions: Names = Field(min_length=1)
    ring: Literal["all", "in order", "rotating", "longest idle"] = "all"
    ring_s: Seconds = 15
    otherwise: DestinationText | None = None

    @field_validator("extensions")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("expected each extension once")
        return value


class ParkingLot(Model):
    """Slots in which callers wait until somebody dials the slot. After `timeout_s` the call goes back to who parked it,
    and if he does not take it, to `otherwise`."""

    slots: SlotsText
    music: str | None = None
    timeout_s: Seconds = 120
    otherwise: DestinationText | None = None
