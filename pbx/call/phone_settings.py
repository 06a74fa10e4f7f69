"""What a phone does with calls: what the site says, and over it what its user has set by feature code or REST."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from config.schema import Destination, Site
from pbx.routing.pattern import dialled

DND: Final = "dnd"
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

    def reconfigure(self, site: Site) -> None:
        """Another site. What was set for phones that it does not have is kept: they may come back."""
        self._site = site

    def restore(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """(extension, setting, value) as saved before."""
        for extension, setting, value in rows:
            self._set.setdefault(extension, {})[setting] = value

    def set(self, extension: str, setting: str, value: str | None) -> None:
        """`dnd` on or off; a forward to a number, or off; None: as the site says. Raises BadSetting."""
        if extension not in self._site.extensions:
            raise BadSetting(f"no extension {extension}")
        if setting == DND:
            if value not in (ON, OFF, None):
                raise BadSetting(f"expected {setting} on or off")
        elif setting not in FORWARDS:
            raise BadSetting(f"no setting {setting}")
        elif value is not None and value != OFF:
            value = dialled(value)
            if not _NUMBER.fullmatch(value) or value == extension:
                raise BadSetting(f"expected {setting} to another number, or off")
        own = self._set.setdefault(extension, {})
        if value is None:
            own.pop(setting, None)
        else:
            own[setting] = value
        if not own:
            del self._set[extension]
        self._save(extension, setting, value)

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

    def view(self, extension: str) -> Mapping[str, object]:
        """As people read it; `set` names what is not the site's word."""
        now = self.of(extension)
        shown: dict[str, object] = {
            setting: _shown(getattr(now, name)) for setting, name in FORWARDS.items()
        }
        return {"extension": extension, DND: now.dnd, **shown, "set": sorted(self._set.get(extension, {}))}


def _forward(own: str | None, site: Destination | None) -> Destination | None:
    if own is None:
        return site
    return None if own == OFF else Destination("number", own)


def _shown(to: Destination | None) -> str | None:
    if to is None:
        return None
    return to.name if to.kind == "number" else str(to)
