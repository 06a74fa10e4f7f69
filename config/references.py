"""What the schema cannot see: names that must exist, states that must be reachable, things that exclude each other.

Each check yields Findings at paths of the site; the loader turns them into Problems with line and column. Names are
taken from the raw file, so that an entry set aside for a mistake of its own still counts as existing.
"""

from __future__ import annotations

import ipaddress
import os
import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import holidays
import phonenumbers

from config import dial_patterns, flows, rtpengine, tolls, tones
from config.conferences import NEW
from config.destination_names import ACTS, PLACEHOLDER, check_destination
from config.findings import Finding, Names
from config.numbers import normalise
from config.prompts_used import SOUND_SUFFIXES, TEXT_SUFFIX, prompts_used
from config.queue_references import check_queues
from config.schema import Destination, DialRule, Site
from config.suggestion import did_you_mean
from config.values import Path

_PROMPT_SUFFIXES = SOUND_SUFFIXES | {TEXT_SUFFIX}


def check(site: Site, names: Names) -> Iterator[Finding]:
    """All findings of a site. `names` are of the file: they hold entries set aside, which are absent from `site`."""
    raw, damaged = names.raw, names.damaged
    yield from _locale(site)
    yield from _listeners(site)
    yield from _records(site)
    yield from _trunks(site, names)
    yield from _tolls(site, names)
    yield from _phones(site, names)
    yield from _numbers(site, names)
    yield from _supervision(site, names)
    yield from _dial_plan(site, raw, damaged, names)
    yield from _calendars(site)
    yield from _agents(site, names)
    yield from check_queues(site, names)
    if ("recordings",) not in damaged:
        yield from _recordings(site)
    if ("media",) not in damaged:
        yield from _prompts(site)
    for path, found, expected in rtpengine.beyond(site):
        yield Finding(path, found, expected)
    for flow in site.ivr:
        whole = not any(path[:2] == ("ivr", flow) for path in damaged)
        yield from _flow(site, flow, names, whole=whole)


def _locale(site: Site) -> Iterator[Finding]:
    zone, country = site.locale.timezone, site.locale.country
    try:
        zoneinfo.ZoneInfo(zone)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        hint = did_you_mean(zone, zoneinfo.available_timezones())
        yield Finding(("locale", "timezone"), f'"{zone}"', "a time zone, as Europe/Paris", hint)
    if country not in phonenumbers.SUPPORTED_REGIONS:
        yield Finding(("locale", "country"), f'"{country}"', "a country that has telephone numbers, as FR")


def _listeners(site: Site) -> Iterator[Finding]:
    taken: list[tuple[str, str, int, str]] = []
    sockets = [(("listen", "sip", i), *listener) for i, listener in enumerate(site.listen.sip)]
    if site.listen.http is not None:
        sockets.append((("listen", "http"), "tcp", *site.listen.http))  # type: ignore[arg-type]
    for path, transport, host, port in sockets:
        kind = "udp" if transport == "udp" else "tcp"  # whatever runs over it
        for other_kind, other_host, other_port, other in taken:
            everywhere = _any_of(host)  # the families do not hinder each other
            overlap = host == other_host or (everywhere in (host, other_host) and everywhere == _any_of(other_host))
            if (kind, port) == (other_kind, other_port) and port and overlap:
                yield Finding(path, f"{transport} {host}:{port}", "each address and port once", f"taken by {other}")
        taken.append((kind, host, port, ".".join(str(part) for part in path[:2])))
        if transport in ("tls", "wss") and (site.listen.tls is None or site.listen.tls.certificate is None):
            yield Finding(path, "no certificate", f"listen.tls.certificate, which {transport} needs")
        ours = site.media.backend == "worker"
        if transport == "udp" and ours and site.media.ports.first <= port <= site.media.ports.last:
            expected = f"a UDP port outside media.ports ({site.media.ports.first}-{site.media.ports.last})"
            yield Finding(path, str(port), expected)
    yield from _advertised(site.listen.advertise)


def _tolls(site: Site, names: Names) -> Iterator[Finding]:
    for name, one in site.tolls.classes.items():
        for i, extension in enumerate(one.only or ()):
            yield from names.check("extensions", extension, ("tolls", "classes", name, "only", i), "extension")
    for path, found, expected in tolls.unreachable(site):
        yield Finding(path, found, expected)
    if names.whole("tolls"):
        for path, found in tolls.uncounted(site):
            expected = "a class of numbers that may be called and has a price: nothing else is counted"
            yield Finding(path, found, expected, "add one, as classes: {abroad: {numbers: abroad, per_minute: 0.60}}")


def _any_of(host: str) -> str:
    """The address that takes a port of every address of this one's family."""
    return "::" if ":" in host else "0.0.0.0"


def _advertised(advertise: Sequence[str]) -> Iterator[Finding]:
    seen: set[str] = set()
    for i, text in enumerate(advertise):
        path = ("listen", "advertise", i)
        if not _is_host(text):
            yield Finding(path, f'"{text}"', "an IP address or a host name")
            continue
        kind = "an IPv6 address" if ":" in text else "a host name" if re.search("[A-Za-z]", text) else "an IPv4 address"
        if kind in seen:
            yield Finding(path, f"{kind} again", "at most one address of each family, and one host name")
        seen.add(kind)


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return bool(re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", text))
    return True


def _records(site: Site) -> Iterator[Finding]:
    url = site.records.url
    if not re.fullmatch(r"sqlite:///.+|postgresql://[^\s/]+/[^\s/]+", url):
        found = re.sub(r"//.*@", "//...@", url)  # no password in an error
        yield Finding(("records", "url"), f'"{found}"', "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")


def _trunks(site: Site, names: Names) -> Iterator[Finding]:
    logins: dict[str, str] = dict.fromkeys(names.of("extensions"), "an extension")
    networks: dict[object, str] = {}
    yield from _certificates(site)
    for name, trunk in site.trunks.items():
        if trunk.registers_as is not None:
            username = trunk.registers_as.username
            if username in logins:
                path: Path = ("trunks", name, "registers_as", "username")
                yield Finding(path, f'"{username}"', "a user name of its own", f"taken by {logins[username]}")
            logins[username] = f"the trunk {name}"
        for i, network in enumerate(trunk.sources):
            if networks.setdefault(network, name) != name:
                path = ("trunks", name, "from", i)
                hint = f"taken by the trunk {networks[network]}"
                yield Finding(path, str(network), "each address in one trunk", hint)


def _certificates(site: Site) -> Iterator[Finding]:
    """Trunks known by TLS need somebody who asks for certificates."""
    owners: dict[str, str] = {}
    asked = site.listen.tls is not None and site.listen.tls.client_certificates != "none"
    for name, trunk in site.trunks.items():
        for i, tls_name in enumerate(trunk.tls_name):
            path: Path = ("trunks", name, "tls_name", i)
            if owners.setdefault(tls_name.lower(), name) != name:
                hint = f"taken by the trunk {owners[tls_name.lower()]}"
                yield Finding(path, f'"{tls_name}"', "each name in one trunk", hint)
            elif not asked:
                expected = "listen.tls with client_certificates optional or required, which prove the name"
                yield Finding(path, f'"{tls_name}"', expected)


def _supervision(site: Site, names: Names) -> Iterator[Finding]:
    if NEW in site.conferences:
        yield Finding(("conferences", NEW), f'"{NEW}"', "another name: conference new makes rooms", on_key=True)
    for name, supervisor in site.supervision.supervisors.items():
        path: Path = ("supervision", "supervisors", name)
        if name not in names.of("extensions") and names.known("extensions"):
            hint = did_you_mean(name, names.of("extensions"))
            yield Finding(path, f'"{name}"', "an existing extension", hint, on_key=True)
        for i, agent in enumerate(supervisor.agents or ()):
            yield from names.check("agents", agent, (*path, "agents", i), "agent")


def _phones(site: Site, names: Names) -> Iterator[Finding]:
    """Forwards, hunt groups and parking lots lead somewhere; nobody who is sent there dials a feature code."""
    wanted: list[tuple[Destination | None, Path]] = []
    groups = {group for phone in site.extensions.values() for group in phone.pickup_groups}
    for name, phone in site.extensions.items():
        for when in ("always", "busy", "no_answer", "unregistered"):
            to = getattr(phone.forward, when)
            path: Path = ("extensions", name, "forward", when)
            wanted.append((to, path))
            if to == Destination("extension", name):
                yield Finding(path, f'"{to}"', "another phone than itself")
        for i, group in enumerate(phone.picks_up):
            if group not in groups and names.whole("extensions"):
                hint = did_you_mean(group, sorted(groups))
                yield Finding(("extensions", name, "picks_up", i), f'"{group}"', "a pickup group of some phone", hint)
    for name, spec in site.groups.items():
        for i, member in enumerate(spec.extensions):
            yield from names.check("extensions", member, ("groups", name, "extensions", i), "extension")
        wanted.append((spec.otherwise, ("groups", name, "otherwise")))
        if name == min(_groups_after(site, name), default=""):  # of a circle, one is told of
            path = ("groups", name, "otherwise")
            yield Finding(path, f'"{spec.otherwise}"', "a destination that does not lead back to the group")
    wanted += [(lot.otherwise, ("park", name, "otherwise")) for name, lot in site.park.items()]
    for to, path in wanted:
        if to is not None:
            yield from check_destination(to, path, names)
            if to.kind in ACTS:
                yield Finding(path, f'"{to}"', "somebody or something that takes calls")


def _groups_after(site: Site, name: str) -> list[str]:
    """The groups that one leads to when nobody takes the call, in order, up to the first that comes again."""
    after: list[str] = []
    spec = site.groups.get(name)
    while spec is not None and spec.otherwise is not None and spec.otherwise.kind == "group":
        if spec.otherwise.name in after:
            break
        after.append(spec.otherwise.name)
        spec = site.groups.get(spec.otherwise.name)
    return after


def _numbers(site: Site, names: Names) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for number, destination in site.numbers.items():
        path: Path = ("numbers", number)
        yield from check_destination(destination, path, names)
        canonical = normalise(number, site.locale.country)
        if canonical == number and not number.removeprefix("+").isalnum() and " " in number:
            yield Finding(path, f'"{number}"', "a whole number, or a short one without blanks", on_key=True)
        if canonical in seen:
            yield Finding(path, f"{canonical} again", "each number once", f"first as {seen[canonical]}", on_key=True)
        seen.setdefault(canonical, number)


def _dial_plan(
    site: Site, raw: Mapping[str, Any], damaged: frozenset[Path], names: Names
) -> Iterator[Finding]:
    rules = raw.get("dial_plan")
    indexes = [i for i in range(len(rules) if isinstance(rules, list) else 0) if ("dial_plan", i) not in damaged]
    earlier: list[tuple[int, DialRule]] = []
    for i, rule in zip(indexes, site.dial_plan, strict=False):
        path: Path = ("dial_plan", i)
        yield from check_destination(rule.to, (*path, "to"), names, template=True)
        if rule.callers.startswith("trunk "):
            yield from names.check("trunks", rule.callers[6:], (*path, "from"), "trunk")
        if rule.dial is not None and re.search(r"[{}]", PLACEHOLDER.sub("", rule.dial)):
            yield Finding((*path, "dial"), f'"{rule.dial}"', "{number} or {number:N} between braces")
        if rule.dial is not None and rule.to.kind != "trunk":
            yield Finding((*path, "dial"), f"to: {rule.to}", "to: trunk NAME, where the number is dialled", on_key=True)
        trunk = site.trunks.get(rule.to.name) if rule.to.kind == "trunk" else None
        if trunk is not None and not trunk.ways and not trunk.registers_as:
            yield Finding((*path, "to"), f'"{rule.to}"', "a trunk with gateway or registers_as, to call out by it")
        for n, before in earlier:
            if _same_callers(before.callers, rule.callers) and dial_patterns.covers(before.match, rule.match):
                expected = "a pattern that no earlier rule covers"
                hint = f"dial_plan[{n}] ({before.match}) takes all its calls"
                yield Finding((*path, "match"), f'"{rule.match}"', expected, hint)
                break
        earlier.append((i, rule))


def _same_callers(wide: str, narrow: str) -> bool:
    return wide in ("anyone", narrow) or (wide == "trunks" and narrow.startswith("trunk "))


def _calendars(site: Site) -> Iterator[Finding]:
    for name, hours in site.hours.items():
        if hours.holidays is not None and hours.holidays not in holidays.list_supported_countries():
            path: Path = ("hours", name, "holidays")
            yield Finding(path, f'"{hours.holidays}"', "a country whose holidays are known, as FR")


def _agents(site: Site, names: Names) -> Iterator[Finding]:
    phones: dict[str, str] = {}
    for name, agent in site.agents.items():
        phone = agent.extension
        if phone is None:
            continue
        path: Path = ("agents", name, "extension")
        yield from names.check("extensions", phone, path, "extension")
        if phone in phones:
            yield Finding(path, f"{phone} again", "one agent for each extension", f"{phone} is {phones[phone]}'s")
        phones.setdefault(phone, name)


def _recordings(site: Site) -> Iterator[Finding]:
    """Who is to be recorded needs a folder."""
    if site.recordings.folder is not None:
        return
    for section, entries in (("queues", site.queues), ("extensions", site.extensions), ("trunks", site.trunks)):
        for name, entry in entries.items():
            if entry.record:
                expected = "recordings.folder, where they are kept"
                yield Finding((section, name, "record"), "no recordings.folder", expected)


def _prompts(site: Site) -> Iterator[Finding]:
    folder = site.media.prompts
    files = []
    for path, name in prompts_used(site):
        if not name.startswith(tones.PREFIX):
            files.append((path, name))
        elif not tones.known(name):
            yield Finding(path, f'"{name}"', tones.expected(name))
    if folder is None:
        for path, prompt in files[:1]:
            yield Finding(path, f'"{prompt}" but no media.prompts', "media.prompts, the folder of the prompts")
        return
    if not os.path.isdir(folder):
        yield Finding(("media", "prompts"), "none", f"the folder {folder}")
        return
    present = [name for name, suffix in map(os.path.splitext, os.listdir(folder)) if suffix.lower() in _PROMPT_SUFFIXES]
    for path, prompt in files:
        if prompt not in present:
            expected = f"a prompt, that is a file {prompt}.wav in {folder}"
            yield Finding(path, f'"{prompt}"', expected, did_you_mean(prompt, present))


def _flow(site: Site, name: str, names: Names, *, whole: bool) -> Iterator[Finding]:
    flow = site.ivr[name]
    raw_flow = names.raw["ivr"][name]
    for state_name, state in flow.items():
        path: Path = ("ivr", name, state_name)
        for key, target in flows.exits(state):
            if target not in raw_flow:
                whole = False  # what that was to lead to is no second mistake
                hint = did_you_mean(target, raw_flow)
                if " " in target:
                    hint = f"a state for it, as {target.replace(' ', '_')}: {{connect: {target}}}"
                yield Finding((*path, *key), f'"{target}"', f"a state of the flow {name}", hint)
        yield from _verb(site, state, path, names)
    if whole:
        for state_name in flows.unreachable(flow):
            expected = "a state that another state leads to"
            yield Finding(("ivr", name, state_name), f"{state_name}, which nothing leads to", expected, on_key=True)
        for state_name in flows.endless(flow)[:1]:
            expected = "a way out that plays, asks or waits"
            yield Finding(("ivr", name, state_name), "calendars that lead in a circle", expected, on_key=True)


def _verb(site: Site, state: object, path: Path, names: Names) -> Iterator[Finding]:
    checks: dict[str, Callable[[Any], Iterator[Finding]]] = {
        "hours": lambda value: names.check("hours", value, (*path, "hours"), "calendar"),
        "enqueue": lambda value: names.check("queues", value, (*path, "enqueue"), "queue"),
        "connect": lambda value: check_destination(value, (*path, "connect"), names),
    }
    for key, run in checks.items():
        value = getattr(state, key, None)
        if value is not None:
            yield from run(value)
    asked = getattr(state, "callback", None)
    if asked is not None:
        yield from names.check("queues", asked, (*path, "callback"), "queue")
        queue = site.queues.get(asked)
        if queue is not None and queue.callback is None:
            yield Finding((*path, "callback"), f'"{asked}"', f"a queue that offers callbacks: queues.{asked}.callback")
    digits, least = getattr(state, "digits", None), getattr(state, "min_digits", None)
    if digits is not None and least is not None and least > digits:
        yield Finding((*path, "min_digits"), str(least), f"at most digits, that is {digits}")
