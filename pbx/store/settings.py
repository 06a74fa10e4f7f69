"""What users set for their phones, kept: `save` on the call path. Only the last value of each setting waits, so no
more do than the site's phones have settings."""

from __future__ import annotations

from collections import Counter

from .latest import LatestWriter
from .tables import phone_settings


class SettingStore:
    """The newest value of each setting of each phone."""

    def __init__(self, url: str, counters: Counter[str]) -> None:
        """Raises BadUrl."""
        self._writer: LatestWriter[str | None] = LatestWriter(
            url, phone_settings, lambda _, value: None if value is None else (value,), counters, name="settings",
            what="settings",
        )  # fmt: skip
        self.close = self._writer.close

    @property
    def pending(self) -> int:
        """Settings not yet written."""
        return self._writer.pending

    def save(self, extension: str, setting: str, value: str | None) -> None:
        """None: forget it. Never blocks, never raises."""
        self._writer.put((extension, setting), value)

    async def open(self) -> list[tuple[str, str, str]]:
        """(extension, setting, value) of all; starts the writer. Raises DatabaseUnreachable, one line."""
        return [(extension, setting, value) for extension, setting, value in await self._writer.open()]
