"""What the parts want to know of a site: who may register, where sound is bound, whom it calls out to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from config.listen import Listen
from config.schema import Site

TRUNK_CONTACTS: Final = 5  # places that one trunk may register from


@dataclass(slots=True)
class Users:
    """Who may register: the extensions, and the trunks that do."""

    passwords: dict[str, SecretStr]
    contacts: dict[str, int]  # how many each may have
    names: dict[str, str]  # display names of the extensions
    trunks: dict[str, str]  # user name -> trunk

    def __init__(self, site: Site) -> None:
        self.passwords = {name: extension.password for name, extension in site.extensions.items()}
        self.contacts = {name: extension.max_contacts for name, extension in site.extensions.items()}
        agents = {agent.extension: agent.name for agent in site.agents.values() if agent.extension}
        self.names = {name: phone.name or agents.get(name, "") for name, phone in site.extensions.items()}
        self.trunks = {}
        for name, trunk in site.trunks.items():
            if trunk.registers_as is not None:
                user = trunk.registers_as.username
                self.passwords[user] = trunk.registers_as.password
                self.contacts[user] = TRUNK_CONTACTS
                self.trunks[user] = name

    def password(self, user: str) -> str | None:
        secret = self.passwords.get(user)
        return None if secret is None else secret.get_secret_value()


def media_host(site: Site) -> str:
    """The address that audio is bound to: the one that SIP listens on, if it is one; else any, of both families if SIP
    has both."""
    hosts = {listener.host for listener in site.listen.sip}
    if len(hosts) == 1:
        return hosts.pop()
    return "::" if any(":" in host for host in hosts) else "0.0.0.0"


def realm_of(site: Site) -> str:
    """The digest realm: the site's name, without what a quoted string can't hold."""
    return "".join(c for c in site.site if c.isprintable() and c not in '"\\') or "plateau"


def nameservers_of(listen: Listen) -> list[tuple[str, int]]:
    """The name servers to ask in place of the machine's own."""
    return [(server.host, server.port) for server in listen.nameservers]


def uris_of(site: Site) -> Iterable[str]:
    """Every URI that the site calls out to."""
    uris = [way.uri for trunk in site.trunks.values() for way in trunk.ways]
    uris += [agent.contact for agent in site.agents.values() if agent.contact]
    uris += [rule.to.name for rule in site.dial_plan if rule.to.kind == "uri"]
    uris += [to.name for to in site.numbers.values() if to.kind == "uri"]
    led_to = [
        to for phone in site.extensions.values()
        for to in (phone.forward.always, phone.forward.busy, phone.forward.no_answer, phone.forward.unregistered)
    ]  # fmt: skip
    led_to += [group.otherwise for group in site.groups.values()] + [lot.otherwise for lot in site.park.values()]
    uris += [to.name for to in led_to if to is not None and to.kind == "uri"]
    return [uri.replace("{number}", "0") for uri in uris if "{" not in (uri.partition("@")[2] or uri)]
