"""What must be known of agents' work to check a site file that its schema cannot."""

from __future__ import annotations

from collections.abc import Iterator

from config.fields import Destination
from config.findings import Finding, Names
from config.schema import Site
from config.suggestion import did_you_mean
from config.values import Path


def agents_and_work(site: Site, names: Names) -> Iterator[Finding]:
    """Codes are an agent's own, everybody can be reached, dispositions can be given, phone codes say what there is."""
    yield from _agents(site, names)
    for name, queue in site.queues.items():
        if queue.disposition_needed and not queue.dispositions:
            yield Finding(("queues", name, "disposition_needed"), "true without dispositions", "dispositions to choose")
    for channel, others in site.acd.interrupts.items():
        if channel in others:
            path: Path = ("acd", "interrupts", channel)
            yield Finding(path, f'"{channel}"', f"other channels: how much {channel} at once is the agents' channels")
    for i, rule in enumerate(site.dial_plan):
        yield from _phone_code(site, rule.to, ("dial_plan", i, "to"), rule.callers)
    for number, to in site.numbers.items():
        yield from _phone_code(site, to, ("numbers", number), "trunks")


def _agents(site: Site, names: Names) -> Iterator[Finding]:
    codes: dict[str, str] = {}
    for name, agent in site.agents.items():
        path: Path = ("agents", name)
        if agent.code is not None and codes.setdefault(agent.code, name) != name:
            hint = f"{agent.code} is {codes[agent.code]}'s"
            yield Finding((*path, "code"), f'"{agent.code}" again', "a code of his own", hint)
        nowhere = agent.extension is None and agent.contact is None
        if nowhere and agent.login == "always":
            yield Finding((*path, "login"), '"always"', "an extension or a contact, to be at a phone")
        for queue in agent.queues or ():
            if queue not in (known := names.of("queues")) and names.known("queues"):
                hint, at = did_you_mean(queue, known), (*path, "queues", queue)
                yield Finding(at, f'"{queue}"', "an existing queue", hint, on_key=True, certain=True)
        if not any(agent.channels.values()):
            yield Finding((*path, "channels"), "nothing", "at least one channel of 1 or more, as {call: 1}")


def _phone_code(site: Site, to: Destination, path: Path, callers: str) -> Iterator[Finding]:
    if to.kind != "agent":
        return
    if callers != "extensions":
        yield Finding(path, f'"{to}"', "from: extensions, for phones of the house alone dial it")
    verb, _, rest = to.name.partition(" ")
    if "{" in rest:
        return
    codes = {agent.code: name for name, agent in site.agents.items() if agent.code is not None}
    if verb == "login" and rest and rest not in codes:
        yield Finding(path, f'"{rest}"', "the code of an agent", did_you_mean(rest, codes))
    reasons = site.acd.not_ready_reasons
    if verb == "not-ready" and reasons and rest not in reasons:
        expected = f"one of acd.not_ready_reasons: {', '.join(reasons)}"
        yield Finding(path, f'"{rest}"', expected, did_you_mean(rest, reasons))
