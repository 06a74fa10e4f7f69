"""Reads a site file. `load(path)` gives a Site or raises SiteError with every mistake at once.

    text -> yaml_tree.parse -> nodes -> Values (text, places, secrets, ranges) -> Site (schema) -> references

A wrong entry does not hide the others: it is set aside and the references are checked with what is left of the site;
then once more with all of the entry but its wrong keys, for what is a mistake whatever these should be.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from config import references
from config.errors import Problem, SiteError
from config.findings import Finding, Names
from config.schema import Site, Speech
from config.secret_file import Secrets
from config.values import Path, TooMuch, Values
from config.words import problems_of
from config.yaml_tree import Node, YamlProblem, parse

RANGES_IN: frozenset[Path] = frozenset({("extensions",), ("agents",)})
"""Sections whose keys may be ranges, `reg0001..reg1000`."""

MAX_BYTES = 32_000_000


Check = Callable[[Site, Names], Iterable[Finding]]


def load(
    path: str | os.PathLike[str], environment: Mapping[str, str] | None = None, also: Sequence[Check] = ()
) -> Site:
    """The site in the file at `path`. Raises SiteError.

    `environment` (the process's own by default) may hold the secrets, as PLATEAU_SECRET_NAME. `also` are checks of
    parts that this package may not know.
    """
    file = os.fspath(path)
    root = _read(file)
    secrets = Secrets(FilePath(file), file, os.environ if environment is None else environment)
    try:
        values = Values(root, file, secret=secrets.get, ranges_in=RANGES_IN)
    except TooMuch as error:
        raise SiteError([error.problem]) from None
    problems = [*secrets.problems, *values.problems]
    raw = _without_empty_sections(values.value)
    site, damaged, rest = _validate(raw, file, values, problems)
    names = Names(raw, damaged | values.unread)

    def findings(site: Site) -> Iterator[Finding]:
        yield from references.check(site, names)
        for check in also:
            yield from check(site, names)

    if site is not None:
        site = _with_absolute_paths(site, FilePath(file).absolute().parent)
        problems += [_located(finding, file, values) for finding in findings(site)]
    if rest is not None:
        problems += [_located(finding, file, values) for finding in findings(rest) if finding.certain]
    if problems or site is None:
        raise SiteError(problems)
    return site


def _read(file: str) -> Node:
    try:
        with open(file, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SiteError([Problem(file, 0, 0, "", error.strerror or "none", "a readable site file")]) from None
    if len(data) > MAX_BYTES:
        raise SiteError([Problem(file, 0, 0, "", "more", f"a site file of at most {MAX_BYTES:,} bytes")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        found = f"the byte 0x{data[error.start]:02X}"
        raise SiteError([Problem(file, line, column, "", found, "text in UTF-8")]) from None
    try:
        root = parse(text, file)
    except YamlProblem as error:
        raise SiteError([error.problem]) from None
    if root is None or root.kind != "mapping":
        line, column = (root.line, root.column) if root else (1, 1)
        found = f"a {root.kind}" if root else "an empty file"
        raise SiteError([Problem(file, line, column, "", found, "the sections of a site, as site: NAME")])
    return root


def _without_empty_sections(value: object) -> dict[str, Any]:
    """A section whose lines are all commented out counts as absent."""
    assert isinstance(value, dict)
    return {key: section for key, section in value.items() if section is not None or key in ("site", "listen")}


def _validate(
    raw: dict[str, Any], file: str, values: Values, problems: list[Problem]
) -> tuple[Site | None, frozenset[Path], Site | None]:
    """The site, or what is left of it without the wrong entries; the paths of those; and, if there are any, the site
    with these entries but without their wrong keys, as far as that makes one."""
    damaged: set[Path] = set()
    keys: set[Path] = set()
    for _ in range(2):
        try:
            site = Site.model_validate(_without(raw, damaged))
            break
        except ValidationError as error:
            if not damaged:
                problems += problems_of(error, file, values)
                keys = {_key(values.written(detail["loc"])) for detail in error.errors(include_input=False)}
            damaged |= {_entry(detail["loc"]) for detail in error.errors(include_url=False, include_input=False)}
    else:
        return None, frozenset(damaged), None
    return site, frozenset(damaged), _with_the_rest(raw, keys) if damaged else None


def _with_the_rest(raw: dict[str, Any], wrong: set[Path]) -> Site | None:
    def keep(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {k: keep(v, (*path, k)) for k, v in value.items() if (*path, k) not in wrong}
        return value

    try:
        return Site.model_validate(_NEEDED | keep(raw, ()))
    except ValidationError:
        return None


def _key(path: Path) -> Path:
    """The key that is left out for a mistake at `path`: of a list the whole list, that the others keep their places."""
    return path[: next((n for n, part in enumerate(path) if isinstance(part, int)), len(path))]


_NEEDED: dict[str, Any] = {"site": "-", "listen": {"sip": ["udp:127.0.0.1:5060"]}}
"""What a site cannot do without."""
_ENTRY_DEPTH = {"ivr": 3} | dict.fromkeys(
    ("extensions", "trunks", "numbers", "dial_plan", "hours", "agents", "queues"), 2
)


def _entry(path: Path) -> Path:
    """The smallest part that can be set aside when something in it is wrong."""
    return path[: _ENTRY_DEPTH.get(str(path[0]), 1)] if path else path


def _without(raw: dict[str, Any], damaged: set[Path]) -> dict[str, Any]:
    """A copy of the site without damaged parts; what a site needs is put in their place."""
    if not damaged:
        return raw

    def keep(value: Any, path: Path) -> Any:
        if isinstance(value, dict) and len(path) < 3:
            return {k: keep(v, (*path, k)) for k, v in value.items() if (*path, k) not in damaged}
        if path == ("dial_plan",) and isinstance(value, list):
            return [rule for i, rule in enumerate(value) if (*path, i) not in damaged]
        return value

    kept: dict[str, Any] = keep(raw, ())
    kept["ivr"] = {name: flow for name, flow in kept.get("ivr", {}).items() if flow}
    return _NEEDED | kept


def _with_absolute_paths(site: Site, folder: FilePath) -> Site:
    def absolute(part: BaseModel, *names: str) -> dict[str, Any]:
        return {name: os.path.normpath(folder / path) for name in names if (path := getattr(part, name)) is not None}

    media = absolute(site.media, "prompts", "prompt_cache")
    media["rtpengine"] = site.media.rtpengine.model_copy(update=absolute(site.media.rtpengine, "prompts", "spool"))
    changed: dict[str, Any] = {
        "media": site.media.model_copy(update=media),
        "recordings": site.recordings.model_copy(update=absolute(site.recordings, "folder")),
        "speech": _with_absolute_models(site.speech, folder),
    }
    tls = site.listen.tls
    if tls is not None:
        names = {
            name: one.model_copy(update=absolute(one, "certificate", "key")) for name, one in tls.names.items()
        }
        paths = absolute(tls, "certificate", "key", "ca", "client_ca")
        tls = tls.model_copy(update={**paths, "names": names})
        changed["listen"] = site.listen.model_copy(update={"tls": tls})
    return site.model_copy(update=changed)


def _with_absolute_models(speech: Speech, folder: FilePath) -> Speech:
    def absolute(path: str) -> str:
        return os.path.normpath(folder / path)

    voices = {voice: absolute(path) for voice, path in speech.voices.items()}
    return speech.model_copy(update={"model": speech.model and absolute(speech.model), "voices": voices})


def _located(finding: Finding, file: str, values: Values) -> Problem:
    place = values.place(finding.path)
    line, column = (place.key_line, place.key_column) if finding.on_key else (place.line, place.column)
    return Problem(file, line, column, place.shown, finding.found, finding.expected, finding.hint)
