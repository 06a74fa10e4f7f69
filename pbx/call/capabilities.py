"""What we tell a peer that we can do, and what it may require of us (RFC 3261 20.5, 20.32, 20.37)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from config.schema import Site
from pbx.call.options import OF_REGISTRATION, RELIABLE, SUPPORTED, TIMER

_ALWAYS: Final = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO")


class Capabilities:
    """`required` are the options that somebody may require; `events` is for answers to OPTIONS."""

    __slots__ = ("_lines", "_site", "allow", "events", "packages", "required")

    def __init__(self) -> None:
        self.allow = ", ".join(_ALWAYS)
        self.packages: tuple[str, ...] = ()
        self.events = ""  # the header line with them
        self.required = SUPPORTED
        self._site: Site | None = None
        self._lines: dict[bool, str] = {}

    def serve(self, methods: Iterable[str]) -> None:
        """Methods beyond INVITE's."""
        self.allow = ", ".join(dict.fromkeys((*_ALWAYS, *sorted(methods))))
        self._write()

    def serve_event(self, event: str) -> None:
        """An event package (RFC 6665 7.2)."""
        self.packages = tuple(sorted({*self.packages, event}))
        self.events = f"Allow-Events: {', '.join(self.packages)}\r\n"

    def configure(self, site: Site) -> None:
        self._site = site
        own = {one.reliable_provisional for one in site.extensions.values()}
        own |= {one.reliable_provisional for one in site.trunks.values()}
        self.required = self._options(not {site.calls.reliable_provisional, *own} <= {"off", None})
        self._write()

    def reliable(self, extension: str | None, trunk: str | None) -> str:
        """Whether provisional responses are acknowledged between us and a peer: `supported`, `required` or `off`."""
        site = self._site
        assert site is not None
        if trunk is not None and trunk in site.trunks:
            own = site.trunks[trunk].reliable_provisional
        else:
            own = site.extensions[extension].reliable_provisional if extension in site.extensions else None
        return own or site.calls.reliable_provisional

    def lines(self, reliable: str = "") -> str:
        """Allow and Supported; `reliable` as above, "" as the site has it for those who are nobody's."""
        assert self._site is not None
        return self._lines[(reliable or self._site.calls.reliable_provisional) != "off"]

    def _options(self, reliable: bool) -> frozenset[str]:
        assert self._site is not None
        timer = self._site.calls.session_timer.expires_s
        return SUPPORTED - {"" if reliable else RELIABLE, "" if timer else TIMER}

    def _write(self) -> None:
        if self._site is not None:
            self._lines = {
                reliable: f"Allow: {self.allow}\r\n"
                f"Supported: {', '.join(sorted(self._options(reliable) - OF_REGISTRATION))}\r\n"
                for reliable in (False, True)
            }
