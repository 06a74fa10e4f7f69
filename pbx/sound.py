"""What a site wants to be heard: its prompts as the media plane makes them, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from config.findings import Finding
from config.prompts_used import prompts_used, used
from config.sayings import Slot, Spoken, parts
from config.schema import Site
from config.speech import voice_of
from config.tones import PREFIX
from media.prompt_cache import PromptCache, default_folder
from media.prompts import Progress, PromptLibrary, Wanted
from media.speech import Speaker
from media.tones import STANDARD


def wanted(site: Site) -> Wanted:
    """All that the site file says of prompts."""
    media = site.media
    others = [one.codecs for part in (site.trunks, site.extensions) for one in part.values() if one.codecs]
    return Wanted(
        folder=None if media.prompts is None else Path(media.prompts),
        codecs=tuple(dict.fromkeys(codec for codecs in (media.codecs, *others) for codec in codecs)),
        country=site.locale.country,
        loudness_db=media.loudness_db,
        memory_bytes=media.prompts_mb * 1_000_000,
        tones=STANDARD | {name for _, name in prompts_used(site) if name.startswith(PREFIX)},
        texts=frozenset((text.text, text.voice) for _, text in _texts(site)),
        speaker=Speaker.of(site.speech, voice_of(site.locale.country)),
    )


def prompt_library(site: Site, progress: Progress | None = None) -> PromptLibrary:
    """Converted, or from the cache. Raises MediaError if there is no such folder."""
    folder = site.media.prompt_cache
    return PromptLibrary(wanted(site), PromptCache(default_folder() if folder is None else Path(folder)), progress)


def prompt_findings(site: Site, progress: Progress | None = None) -> Iterator[Finding]:
    """Each file and text that can't be used, at the first key that refers to it, else at the folder's."""
    if site.media.prompts is not None and not Path(site.media.prompts).is_dir():
        return  # told already
    library = prompt_library(site, progress)
    places = {name: path for path, name in reversed([*prompts_used(site)])}
    for path, text in _texts(site):
        places.setdefault(library.wanted.speaker.name(text.text, text.voice), path)
    complaint = library.wanted.speaker.complaint()
    for name, problem in library.problems.items():
        yield Finding(places.get(name, ("media", "prompts")), problem, "a prompt that can be played")
    if complaint is not None and not library.problems:
        for path, saying in used(site):
            if isinstance(saying, Spoken):  # with values of the call, so nothing was tried yet
                yield Finding(path, complaint, "a text that can be spoken")
                return


def _texts(site: Site) -> Iterator[tuple[tuple[str | int, ...], Spoken]]:
    """Those that are the same in every call."""
    for path, saying in used(site):
        if isinstance(saying, Spoken) and not any(isinstance(part, Slot) for part in parts(saying.text)):
            yield path, saying
