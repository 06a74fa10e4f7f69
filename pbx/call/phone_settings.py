"""What a phone does with calls: what the site says, and over it what its user has set by feature code or REST."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from config.schema import Destination, Site
from pbx.routing.pattern import dialled

DND: Final = "dnd"
RECORD: Final = "record"
SWITCHES: Final = (DND, RECORD)
ON: Final = "on"
OFF: Final = "off"
FORWARDS: Final = {
    "forward-always": "always", "forward-busy": "busy", "forward-no-answer": "no_answer",
    "forward-unregistered": "unregistered",
}  # fmt: skip
_NUMBER = re.compile(r"\+?[0-9A-Za-z*#._-]{1,40}")

Save = Callable[[str, str, str | None], None]


class BadSetting(Exception):
    """No such setting, or no value for it; the text says which."""


class UnknownPhone(BadSetting):
    """The site has no such extension."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a phone takes calls now."""

    dnd: bool
    always: Destination | None
    busy: Destination | None
    no_answer: Destination | None
    unregistered: Destination | None
    after_s: float
    max_calls: int | None
    follows: bool  # redirections of the phone itself


class PhoneSettings:
    """By extension. `save(extension, setting, value)` is told of each change; None: as the site says again."""

    def __init__(self, site: Site, save: Save = lambda extension, setting, value: None) -> None:
        self._site = site
        self._save = save
        self._set: dict[str, dict[str, str]] = {}
        self.on_change: Callable[[str], None] = lambda extension: None
        self.leads: Callable[[str, str], bool] = lambda extension, number: True  # what it dials leads somewhere

    def reconfigure(self, site: Site) -> None:
        """Another site. What was set for phones that it does not have is kept: they may come back."""
        self._site = site

    def restore(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """(extension, setting, value) as saved before; settings of others are left to them."""
        for extension, setting, value in rows:
            if setting not in SWITCHES and setting not in FORWARDS:
                continue
            self._set.setdefault(extension, {})[setting] = value

    def set(self, extension: str, setting: str, value: str | None) -> None:
        """`dnd` and `record` on or off; a forward to a number, or off; None: as the site says. Raises
        BadSetting, UnknownPhone."""
        self.change(extension, {setting: value})

    def change(self, extension: str, new: Mapping[str, str | None]) -> None:
        """Several settings, or none of them. Raises as `set`."""
        if extension not in self._site.extensions:
            raise UnknownPhone(f"no extension {extension}")
        good = {setting: _checked(extension, setting, value) for setting, value in new.items()}
        for setting, value in good.items():
            if setting in FORWARDS and value is not None and value != OFF and not self.leads(extension, value):
                raise BadSetting(f"expected {setting} to a number that {extension} can dial: nothing at {value}")
        own = self._set.setdefault(extension, {})
        for setting, value in good.items():
            if value is None:
                own.pop(setting, None)
            else:
                own[setting] = value
            self._save(extension, setting, value)
        if not own:
            del self._set[extension]
        self.on_change(extension)

    def of(self, extension: str) -> Behaviour:
        spec = self._site.extensions.get(extension)
        own = self._set.get(extension, {})
        if spec is None:
            return Behaviour(False, None, None, None, None, 20.0, None, False)
        to = {name: _forward(own.get(setting), getattr(spec.forward, name)) for setting, name in FORWARDS.items()}
        dnd = own.get(DND)
        return Behaviour(
            spec.do_not_disturb if dnd is None else dnd == ON,
            to["always"], to["busy"], to["no_answer"], to["unregistered"],
            spec.forward.after_s, spec.max_calls, spec.redirects == "follow",
        )  # fmt: skip

    def records(self, extension: str) -> bool:
        """Its conversations are recorded."""
        spec, own = self._site.extensions.get(extension), self._set.get(extension, {}).get(RECORD)
        return spec is not None and (spec.record if own is None else own == ON)

    def view(self, extension: str) -> Mapping[str, object]:
        """As people read it; `set` names what is not the site's word. Raises UnknownPhone."""
        if extension not in self._site.extensions:
            raise UnknownPhone(f"no extension {extension}")
        now = self.of(extension)
        shown: dict[str, object] = {
            setting.replace("-", "_"): _shown(getattr(now, name)) for setting, name in FORWARDS.items()
        }
        own = sorted(setting.replace("-", "_") for setting in self._set.get(extension, {}))
        return {"extension": extension, DND: now.dnd, RECORD: self.records(extension), **shown, "set": own}


def _checked(extension: str, setting: str, value: str | None) -> str | None:
    """The value as it is kept."""
    if setting not in SWITCHES and setting not in FORWARDS:
        raise BadSetting(f"no setting {setting}")
    if value is None or value == OFF or (setting in SWITCHES and value == ON):
        return value
    if setting in SWITCHES:
        raise BadSetting(f"expected {setting} on or off")
    number = dialled(value)
    if not _NUMBER.fullmatch(number) or number == extension:
        raise BadSetting(f"expected {setting} to another number, or off")
    return number


def _forward(own: str | None, site: Destination | None) -> Destination | None:
    if own is None:
        return site
    return None if own == OFF else Destination("number", own)


def _shown(to: Destination | None) -> str | None:
    if to is None:
        return None
    return to.name if to.kind == "number" else str(to)
