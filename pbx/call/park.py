"""Call park: a party waits in a numbered slot until somebody dials the slot. Destinations `park LOT`, `park LOT SLOT`.

    by a transfer to it           the party that is given waits; the NOTIFY of a REFER says "Parked at 701"
    dialled, the slot is taken    who waits there is talked with
    dialled, on another call      with whom the phone talks there is put into the slot, which is said (prompt slot_701)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.schema import Destination, ParkingLot
from pbx.call import events
from pbx.call.bridge import JOINED
from pbx.call.controller import Passive

if TYPE_CHECKING:
    from pbx.call.attempt import Attempt
    from pbx.call.call import Call
    from pbx.call.clock import Timer
    from pbx.call.leg import Leg


@dataclass(slots=True, eq=False)
class _Slot:
    """A taken slot."""

    call: Call
    lot: str
    number: str
    by: str | None  # the extension that parked it
    otherwise: Destination | None
    timer: Timer

    @property
    def name(self) -> str:
        return f"{self.lot} {self.number}"


class Park(Passive):
    """All parking lots. In charge of the calls that are parked."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, str], _Slot] = {}
        self._of: dict[str, _Slot] = {}  # by call id

    def start(self, call: Call, name: str) -> None:
        """Handler of destinations `park`."""
        lot, _, number = name.partition(" ")
        spec = call.switch.rules.site.park.get(lot)
        taken = self._slots.get((lot, number))
        if spec is None or (number and not spec.slots.has(number) and taken is None):
            call.refuse(404, f"no slot {name}")
        elif call.errand is not None or (call.caller.extension is None and taken is None):
            self._park(call, lot, spec, number, call.referred_by or None)
        elif taken is not None:
            self._fetch(call, taken)
        else:
            self._park_other(call, lot, spec, number)

    def at(self, number: str) -> Call | None:
        """Who waits in a slot of this number, in any lot."""
        return next((slot.call for slot in self._slots.values() if slot.number == number), None)

    # --- in ---------------------------------------------------------------------------------------------------------

    def _free(self, lot: str, spec: ParkingLot, number: str) -> str:
        """The slot to use; "" if there is none."""
        return next((one for one in ([number] if number else spec.slots.names()) if (lot, one) not in self._slots), "")

    def _park(self, call: Call, lot: str, spec: ParkingLot, number: str, by: str | None) -> str:
        """The caller waits. Returns the slot's number; "" if he was refused."""
        free = self._free(lot, spec, number)
        if not free:
            call.switch.counters["park_lots_full"] += 1
            call.refuse(486, "no free slot")
            return ""
        call.controller = self
        timer = call.clock.after(spec.timeout_s, self._too_long, call.id)
        slot = _Slot(call, lot, free, by, spec.otherwise, timer)
        self._slots[lot, free] = self._of[call.id] = slot
        call.parked = free
        call.on_over = self._over
        call.diversions = ()
        call.switch.counters["calls_parked"] += 1
        call.switch.emit(events.CallParked(call.clock.now(), call.id, slot.name, by or ""))
        if spec.music is not None:
            call.play([spec.music], loop=True)
        else:
            call.answer()
            call.silence()
        return free

    def _park_other(self, call: Call, lot: str, spec: ParkingLot, number: str) -> None:
        """A phone in another call dials the lot: that call's other party is parked."""
        leg = self._talking(call)
        if leg is None or leg.call is None:
            call.refuse(480, "nobody there, and nobody to park")
            return
        if not self._free(lot, spec, number):
            call.switch.counters["park_lots_full"] += 1
            call.refuse(486, "no free slot")
            return
        other = leg.call
        aside = other.swap() if leg is other.caller else other.set_aside()
        other.take(f"park {lot}", self)
        slot = self._park(other, lot, spec, number, leg.extension)
        if aside is not None:
            other.drop(aside, "parked")
        self._announce(call, slot)

    @staticmethod
    def _talking(call: Call) -> Leg | None:
        """The leg of the phone's latest other conversation."""
        legs = call.switch.legs_of(call.caller.extension or "")
        talking = [leg for leg in legs if leg.call is not None and leg.call.partner_of(leg) is not None]
        return talking[-1] if talking else None

    def _announce(self, call: Call, slot: str) -> None:
        """Say the slot to who parked by dialling, then hang up."""
        call.controller = _SAID
        has = call.switch.plane.has_prompt
        whole, digits = f"slot_{slot}", [f"digit_{digit}" for digit in slot]
        call.play([whole] if has(whole) or not all(map(has, digits)) else digits)

    # --- out --------------------------------------------------------------------------------------------------------

    def _fetch(self, call: Call, slot: _Slot) -> None:
        call.answer(slot.call.caller.audio.codec)
        if not call.answered:
            return
        parked, leg = slot.call, call.caller
        self._leave(slot, leg.extension or leg.party.number)
        parked.controller = JOINED
        parked.bridge(parked.adopt(leg, Destination("extension", leg.extension or "")))
        call.dissolve("fetched a parked call")

    def _too_long(self, call_id: str) -> None:
        """Back to who parked it."""
        slot = self._of.get(call_id)
        if slot is None:
            return
        call = slot.call
        self._leave(slot, None)
        call.errand = _Return(slot.otherwise)
        if slot.by is not None:
            call.route(Destination("extension", slot.by))
        else:
            call.refuse(480, "parked too long")

    def _leave(self, slot: _Slot, by: str | None) -> None:
        call = slot.call
        slot.timer.cancel()
        del self._slots[slot.lot, slot.number]
        del self._of[call.id]
        call.parked = ""
        call.on_over = None
        call.switch.emit(events.CallUnparked(call.clock.now(), call.id, slot.name, by))

    def on_taken(self, call: Call, to: str) -> None:
        self._over(call)

    def _over(self, call: Call) -> None:
        slot = self._of.get(call.id)
        if slot is not None:
            self._leave(slot, None)


class _Return:
    """The errand of a call that goes back to who parked it."""

    __slots__ = ("_otherwise",)

    def __init__(self, otherwise: Destination | None) -> None:
        self._otherwise = otherwise

    def on_refused(self, call: Call, status: int, cause: str) -> bool:
        if self._otherwise is None:
            return False
        call.route(self._otherwise)
        return True

    def on_ringing(self, call: Call) -> None: ...
    def on_left(self, call: Call, attempt: Attempt) -> bool:
        return False

    def on_reached(self, call: Call) -> None: ...
    def on_over(self, call: Call, cause: str) -> None: ...


class Said(Passive):
    """In charge of a call that hears one announcement."""

    def on_played(self, call: Call, play_id: int) -> None:
        call.hang_up("told")


_SAID = Said()
