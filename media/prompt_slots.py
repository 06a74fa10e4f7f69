"""Prompts by the numbers the workers know them by: every worker has the same."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable

from media import records
from media.plane import MediaError, UnknownPrompt
from media.prompts import Prompt, PromptChanges, PromptLibrary

Send = Callable[[bytes, int], None]  # a record and the descriptor that goes with it, or -1


class PromptSlots:
    """Gives each prompt of a library a number and hands its sound to workers."""

    def __init__(self, library: PromptLibrary) -> None:
        self.library = library
        self._spoken: dict[str, Prompt] = {}  # of calls' texts, not in the library
        self._slots: dict[str, int] = {}
        self._free = deque(range(records.PROMPTS_MOST))

    def __contains__(self, name: object) -> bool:
        return name in self._slots

    def slot(self, name: str) -> int:
        """Raises UnknownPrompt."""
        slot = self._slots.get(name)
        if slot is None:
            raise UnknownPrompt(name)
        return slot

    def prompt(self, name: str) -> Prompt:
        """Raises UnknownPrompt."""
        return self._spoken.get(name) or self.library.get(name)

    def assign(self, names: Iterable[str]) -> None:
        """Raises MediaError when there are more than PROMPTS_MOST."""
        for name in names:
            if not self._free:
                raise MediaError(f"more than {records.PROMPTS_MOST} prompts")
            if name not in self._slots:
                self._slots[name] = self._free.popleft()

    def upload(self, send: Send) -> None:
        """All of them, to one worker."""
        for name in self._slots:
            self._upload_one(name, send)

    def change(self, changes: PromptChanges, sends: Iterable[Send]) -> None:
        """What was read again; what is playing plays to its end."""
        sends = list(sends)
        for name in changes.removed | changes.changed:
            slot = self._slots.pop(name)
            self._free.append(slot)
            for send in sends:
                send(records.forget(slot), -1)
        new = changes.added | changes.changed
        self.assign(new)
        for name in new:
            for send in sends:
                self._upload_one(name, send)

    def add(self, prompt: Prompt, sends: Iterable[Send]) -> None:
        """One that no file holds. Raises MediaError when there are too many."""
        self.assign((prompt.name,))
        self._spoken[prompt.name] = prompt
        for send in sends:
            self._upload_one(prompt.name, send)

    def drop(self, name: str, sends: Iterable[Send]) -> None:
        """Undo `add`. What is in the library by now stays."""
        if self._spoken.pop(name, None) is None or name in self.library:
            return
        slot = self._slots.pop(name)
        self._free.append(slot)
        for send in sends:
            send(records.forget(slot), -1)

    def _upload_one(self, name: str, send: Send) -> None:
        send(records.prompt(self._slots[name]), os.dup(self.prompt(name).descriptor))
