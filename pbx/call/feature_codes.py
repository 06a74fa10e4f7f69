"""Feature codes: a phone's user dials how calls to him go on. Destinations `set SETTING VALUE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.call.park import Said
from pbx.call.phone_settings import BadSetting, PhoneSettings

if TYPE_CHECKING:
    from pbx.call.call import Call

CONFIRMED = "confirmed"  # the prompt that is heard, if the site has it
_SAID = Said()


class FeatureCodes:
    """Handler of destinations `set`. Only for the phones themselves."""

    def __init__(self, settings: PhoneSettings) -> None:
        self._settings = settings

    def start(self, call: Call, name: str) -> None:
        extension = call.caller.extension
        if extension is None or call.answered:  # a transferred party is not the phone's user
            call.refuse(403, "only for phones of the house")
            return
        setting, _, value = name.partition(" ")
        try:
            self._settings.set(extension, setting, value)
        except BadSetting as error:
            call.refuse(484, str(error))
            return
        call.controller = _SAID
        call.play([CONFIRMED])
