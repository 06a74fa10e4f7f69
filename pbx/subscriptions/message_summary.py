"""The package `message-summary`: the message light (RFC 3842)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple


class Messages(NamedTuple):
    """How many voice messages wait in a mailbox."""

    new: int = 0
    old: int = 0
    new_urgent: int = 0
    old_urgent: int = 0


MESSAGES: Final = "messages"  # the setting as which they are kept, as "2/8/1/2"

Save = Callable[[str, str, str | None], None]


class MessageSummary:
    """The counts are set from outside, by whatever takes the messages. `on_change(extension)` is told of new ones, and
    `save(extension, "messages", value)`, so that they outlive the server."""

    event: Final = "message-summary"
    content_type: Final = "application/simple-message-summary"
    default_s: Final = 3600

    def __init__(
        self, exists: Callable[[str], bool], save: Save = lambda extension, setting, value: None
    ) -> None:  # fmt: skip
        self._exists = exists
        self._save = save
        self._mailboxes: dict[str, Messages] = {}
        self.on_change: Callable[[str], None] = lambda extension: None

    def set(self, extension: str, new: int, old: int = 0, new_urgent: int = 0, old_urgent: int = 0) -> None:
        """Raises KeyError for an extension that does not exist."""
        messages = Messages(new, old, new_urgent, old_urgent)
        if self.of(extension) != messages:
            self._mailboxes[extension] = messages
            self._save(extension, MESSAGES, "/".join(map(str, messages)) if any(messages) else None)
            self.on_change(extension)

    def of(self, extension: str) -> Messages:
        """Raises KeyError for an extension that does not exist."""
        if not self._exists(extension):
            raise KeyError(extension)
        return self._mailboxes.get(extension, Messages())

    def restore(self, rows: Iterable[tuple[str, str]]) -> None:
        """(extension, value) as saved before; what can't be read is none."""
        for extension, value in rows:
            counts = value.split("/")
            if self._exists(extension) and len(counts) == 4 and all(one.isdecimal() for one in counts):
                self._mailboxes[extension] = Messages(*map(int, counts))

    def reconfigure(self) -> None:
        """Mailboxes of extensions that were deleted go."""
        for extension in [one for one in self._mailboxes if not self._exists(one)]:
            del self._mailboxes[extension]

    def refusal(self, watcher: str, resource: str) -> int | None:
        """One's own alone."""
        return None if resource == watcher else 403

    def document(self, resource: str, entity: str, version: int, now: float) -> str:
        counts = self.of(resource)
        waiting = "yes" if counts.new else "no"
        return (
            f"Messages-Waiting: {waiting}\r\nMessage-Account: {entity}\r\n"
            f"Voice-Message: {counts.new}/{counts.old} ({counts.new_urgent}/{counts.old_urgent})\r\n"
        )
