"""Prompts: the sound files of a site's folder, its texts and tones, each converted once to the site's codecs.

In the folder NAME.wav (mp3, opus, ogg, flac) is the prompt NAME, and NAME.txt is spoken. What can't be used is left out
and told in `problems`; calls skip it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from config.prompts_used import SOUND_SUFFIXES, TEXT_SUFFIX
from config.tones import known
from media import audio_file, encoding, tones
from media.codecs import Samples
from media.plane import BadPrompt, MediaError, UnknownPrompt
from media.prompt_cache import PromptCache
from media.speech import Speaker

MEMORY_BYTES = 512_000_000
_NO_CACHE = PromptCache(None)
Progress = Callable[[int, int], None]  # (prompts done, of how many)


class Prompt:
    """One prompt in all codecs: a sealed memfd that is closed when nobody needs it any more."""

    __slots__ = ("descriptor", "duration_ms", "key", "name", "size_bytes")

    def __init__(self, name: str, key: str, descriptor: int) -> None:
        self.name, self.key, self.descriptor = name, key, descriptor
        self.size_bytes = os.fstat(descriptor).st_size
        self.duration_ms = encoding.FRAME_MS * encoding.frame_count(os.pread(descriptor, 64, 0))

    def __del__(self) -> None:
        os.close(self.descriptor)

    def frames(self, form: str) -> list[bytes]:
        """The payloads of 20 ms in one form of `encoding.NUMBERS`. KeyError: it has none."""
        return encoding.payload(os.pread(self.descriptor, self.size_bytes, 0), form)


class Source(Protocol):
    """What a prompt is made of."""

    @property
    def name(self) -> str: ...

    @property
    def where(self) -> str:
        """For people: the file, the text."""

    def stamp(self) -> object:
        """Changes when the sound may have changed; quick. OSError: it is gone."""

    def digest(self) -> bytes:
        """Of everything the sound depends on. Raises BadPrompt."""

    def sound(self) -> Samples:
        """At encoding.RATE_HZ. Raises BadPrompt."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """A sound file."""

    name: str
    path: Path
    loudness_db: float | None

    @property
    def where(self) -> str:
        return str(self.path)

    def stamp(self) -> object:
        info = self.path.stat()
        return self.path, info.st_mtime_ns, info.st_size, self.loudness_db

    def digest(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").digest()
        except OSError as error:
            raise BadPrompt(f"can't be read: {error.strerror}") from None
        return content + repr(self.loudness_db).encode()

    def sound(self) -> Samples:
        return audio_file.read(self.path, self.loudness_db)


@dataclass(frozen=True, slots=True)
class TextSource:
    """A text to speak."""

    name: str
    where: str
    text: str
    voice: str | None
    speaker: Speaker

    def stamp(self) -> object:
        return self.speaker.stamp(self.text, self.voice)

    def digest(self) -> bytes:
        return "\0".join(self.speaker.stamp(self.text, self.voice)).encode()

    def sound(self) -> Samples:
        return self.speaker.speak(self.text, self.voice)


@dataclass(frozen=True, slots=True)
class ToneSource:
    """A tone, as the site names it: without a country it is the site's."""

    name: str
    country: str

    @property
    def where(self) -> str:
        return self.name

    def stamp(self) -> object:
        return self.name, self.country

    def digest(self) -> bytes:
        return f"{self.name} {self.country} {tones.EDITION}".encode()

    def sound(self) -> Samples:
        return tones.make(self.name, self.country)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a site wants of its prompts. `tones` are names as the site has them, `texts` (text, voice or None)."""

    folder: Path | None = None
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    country: str = "FR"
    loudness_db: float | None = None
    memory_bytes: int = MEMORY_BYTES
    tones: frozenset[str] = frozenset()
    texts: frozenset[tuple[str, str | None]] = frozenset()
    speaker: Speaker = field(default_factory=Speaker)


@dataclass(frozen=True, slots=True)
class PromptChanges:
    """What a reload found: names."""

    added: frozenset[str]
    changed: frozenset[str]
    removed: frozenset[str]


class PromptLibrary:
    """All prompts of a site. `problems` tells by name what is wrong with those left out. Raises MediaError if the
    folder is missing."""

    def __init__(
        self, wanted: Wanted | str | Path | None, cache: PromptCache | None = None, progress: Progress | None = None
    ) -> None:
        self.wanted = wanted if isinstance(wanted, Wanted) else Wanted(None if wanted is None else Path(wanted))
        self.cache = cache or PromptCache(None)
        self.problems: dict[str, str] = {}
        self._stamps: dict[str, object] = {}  # when converted
        self._prompts: dict[str, Prompt] = {}
        self.reload(progress=progress)

    def get(self, name: str) -> Prompt:
        """Raises UnknownPrompt."""
        prompt = self._prompts.get(name)
        if prompt is None:
            raise UnknownPrompt(name)
        return prompt

    def __contains__(self, name: object) -> bool:
        return name in self._prompts

    def __iter__(self) -> Iterator[str]:
        return iter(self._prompts)

    def __len__(self) -> int:
        return len(self._prompts)

    @property
    def size_bytes(self) -> int:
        return sum(prompt.size_bytes for prompt in self._prompts.values())

    def make(self, source: Source, *, keep: bool = True) -> Prompt:
        """Convert one, or take it from the cache if it may be kept there. Blocks; from any thread. Raises BadPrompt."""
        codecs = self.wanted.codecs
        head = f"{encoding.FORMAT} {' '.join(codecs)} ".encode()
        key = hashlib.sha256(head + source.digest()).hexdigest()

        def convert(file: BinaryIO) -> None:
            encoding.write(file, source.sound(), codecs)

        cache = self.cache if keep else _NO_CACHE
        return Prompt(source.name, key, cache.load(key, convert))

    def reload(self, wanted: Wanted | None = None, progress: Progress | None = None) -> PromptChanges:
        """Make what is new or changed. A prompt whose new content can't be used keeps the old one."""
        wanted = wanted or self.wanted
        listed, problems = sources(wanted)
        stale = wanted.codecs != self.wanted.codecs
        self.wanted = wanted
        stamps, prompts, due = dict[str, object](), dict[str, Prompt](), []
        for source in listed:
            stamp = _stamp(source)
            unchanged = stamp is not None and stamp == self._stamps.get(source.name) and source.name in self._prompts
            if unchanged and not stale:
                stamps[source.name], prompts[source.name] = stamp, self._prompts[source.name]
            else:
                due.append((source, stamp))
        for source, stamp, made in self._make_all(due, progress):
            if isinstance(made, Prompt):
                stamps[source.name], prompts[source.name] = stamp, made
            else:
                problems[source.name] = made
                if source.name in self._prompts:
                    prompts[source.name] = self._prompts[source.name]
        problems |= _too_much(prompts, wanted.memory_bytes)
        before, self._stamps, self._prompts, self.problems = self._prompts, stamps, prompts, problems
        self.cache.prune()
        kept = before.keys() & prompts.keys()
        return PromptChanges(
            added=frozenset(prompts.keys() - before.keys()),
            changed=frozenset(name for name in kept if prompts[name].key != before[name].key),
            removed=frozenset(before.keys() - prompts.keys()),
        )

    def _make_all(
        self, due: list[tuple[Source, object]], progress: Progress | None
    ) -> Iterator[tuple[Source, object, Prompt | str]]:
        """Side by side: decoders and encoders leave the interpreter alone. In order."""

        def one(source: Source) -> Prompt | str:
            try:
                return self.make(source)
            except BadPrompt as error:
                return f"{source.where} {error}"

        if progress is not None:
            progress(0, len(due))
        with ThreadPoolExecutor(os.cpu_count(), "prompts") as pool:
            results = pool.map(one, (source for source, _ in due))
            for done, ((source, stamp), made) in enumerate(zip(due, results, strict=True), 1):
                yield source, stamp, made
                if progress is not None:
                    progress(done, len(due))


def sources(wanted: Wanted) -> tuple[list[Source], dict[str, str]]:
    """Everything a site has to play, by name; and what is wrong with some. Raises MediaError."""
    found: list[Source] = []
    problems: dict[str, str] = {}
    files: dict[str, Path] = {}
    for path in prompt_files(wanted.folder):
        other = files.setdefault(path.stem, path)
        if other is not path:
            problems[path.stem] = f"{path} and {other.name} are both the prompt {path.stem}: one must go"
            continue
        if path.suffix.lower() != TEXT_SUFFIX:
            found.append(FileSource(path.stem, path, wanted.loudness_db))
            continue
        try:
            text = path.read_text("utf-8")[:_TEXT_MOST]
        except (OSError, UnicodeDecodeError):
            problems[path.stem] = f"{path} can't be read as text in UTF-8"
            continue
        found.append(TextSource(path.stem, str(path), text, None, wanted.speaker))
    found += [ToneSource(name, wanted.country) for name in sorted(wanted.tones) if known(name)]
    for text, voice in sorted(wanted.texts, key=lambda one: (one[0], one[1] or "")):
        found.append(TextSource(wanted.speaker.name(text, voice), f'"{text}"', text, voice, wanted.speaker))
    return list({source.name: source for source in found}.values()), problems


_TEXT_MOST = 10_000  # characters read of a file: longer ones are refused by whoever speaks them


def prompt_files(folder: Path | None) -> Iterable[Path]:
    """The files that are prompts, sorted. Raises MediaError if there is no such folder."""
    if folder is None:
        return ()
    if not folder.is_dir():
        raise MediaError(f"prompts folder {folder} does not exist")
    suffixes = SOUND_SUFFIXES | {TEXT_SUFFIX}
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes and path.is_file())


def _stamp(source: Source) -> object | None:
    try:
        return source.stamp()
    except OSError:
        return None


def _too_much(prompts: dict[str, Prompt], most_bytes: int) -> dict[str, str]:
    """Take out the largest until the rest is within the bound; what is said of them."""
    total = sum(prompt.size_bytes for prompt in prompts.values())
    problems = {}
    for prompt in sorted(prompts.values(), key=lambda one: -one.size_bytes):
        if total <= most_bytes:
            break
        problems[prompt.name] = (
            f"{prompt.name} ({prompt.duration_ms // 1000} s) takes {prompt.size_bytes / 1e6:.0f} MB: all prompts "
            f"together take {total / 1e6:.0f} MB, more than media.prompts_mb, {most_bytes / 1e6:.0f}"
        )
        total -= prompt.size_bytes
        del prompts[prompt.name]
    return problems
