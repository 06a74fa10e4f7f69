"""Texts of calls, spoken while the caller waits: off the event loop, a few at a time, each within its time.

What was spoken stays a prompt for those to come with the same text, until others push it out. It is not kept on disk:
it may hold what is private to a customer.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from media.plane import BadPrompt, MediaError
from media.prompt_slots import PromptSlots
from media.prompts import Prompt, TextSource

log = structlog.get_logger("media")

OnReady = Callable[[str | None], None]

AT_ONCE = 2  # engines that run side by side
WAITING_MOST = 64  # texts; the next are refused
KEPT_MOST = 256  # prompts


class SpeechQueue:
    """`add` and `drop` give a prompt to the workers and take it away."""

    def __init__(
        self, slots: PromptSlots, add: Callable[[Prompt], None], drop: Callable[[str], None], counters: Counter[str]
    ) -> None:
        self._slots, self._add, self._drop, self._counters = slots, add, drop, counters
        self._kept: OrderedDict[str, None] = OrderedDict()  # spoken ones, used longest ago first
        self._waiting: dict[str, list[OnReady]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._engines = asyncio.Semaphore(AT_ONCE)

    def speak(self, text: str, voice: str | None, on_ready: OnReady) -> None:
        """`on_ready(name of the prompt)`, at once if it is there; None: it can't be spoken, or not in time."""
        speaker = self._slots.library.wanted.speaker
        name = speaker.name(text, voice)
        if name in self._slots:
            if name in self._kept:
                self._kept.move_to_end(name)
            on_ready(name)
        elif name in self._waiting:
            self._waiting[name].append(on_ready)
        elif len(self._tasks) >= WAITING_MOST:
            self._counters["media_speech_refused"] += 1
            on_ready(None)
        else:
            self._waiting[name] = [on_ready]
            loop = asyncio.get_running_loop()
            timer = loop.call_later(speaker.timeout_s, self._too_late, name)
            source = TextSource(name, "a call's text", text, voice, speaker)
            self._start(self._make(source, timer))

    def forget(self) -> None:
        """Other codecs or another voice: nothing that was spoken is good any more."""
        for name in self._kept:
            self._drop(name)
        self._kept.clear()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(self, source: TextSource, timer: asyncio.TimerHandle) -> None:
        library = self._slots.library
        wanted = library.wanted
        name: str | None = None
        try:
            async with self._engines:
                prompt = await asyncio.to_thread(library.make, source, keep=False)
            if library.wanted == wanted:  # no reload meanwhile
                self._keep(prompt)
                name = source.name
        except (BadPrompt, OSError) as error:
            self._counters["media_speech_failed"] += 1
            log.warning("a text can't be spoken", reason=str(error))
        except MediaError:
            self._counters["media_speech_refused"] += 1  # more prompts than a worker holds
        timer.cancel()
        self._answer(source.name, name)

    def _keep(self, prompt: Prompt) -> None:
        self._add(prompt)
        self._kept[prompt.name] = None
        while len(self._kept) > KEPT_MOST:
            self._drop(self._kept.popitem(last=False)[0])

    def _too_late(self, name: str) -> None:
        """Who waits goes on without. The engine ends by its own time; what it makes is there for the next."""
        self._counters["media_speech_timeouts"] += 1
        self._answer(name, None)

    def _answer(self, text_name: str, prompt_name: str | None) -> None:
        for on_ready in self._waiting.pop(text_name, ()):
            try:
                on_ready(prompt_name)
            except Exception:
                self._counters["media_callback_errors"] += 1
                log.exception("a media callback failed")
