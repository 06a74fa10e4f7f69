"""A switch with everything that phones can do, and agents, on a network that loses, repeats and reorders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pbx.call.leg import Leg
from pbx.call.phone_settings import PhoneSettings
from pbx.sip.hop import Hop
from tests.call.lossy import Agent, LossyWorld
from tests.call.office import add_features
from tests.subscriptions.conftest import add_subscriptions

DID = "+33180000001"
TRUNK, PARTNER = "198.51.100.1", "198.51.100.2"

SITE = """
site: test
listen: {{sip: [udp:192.0.2.100:5060]}}
media: {{ports: 20000-20199}}
records: {{url: "sqlite:///test.db"}}
trunks:
  carrier: {{from: 198.51.100.1, gateway: sip:198.51.100.1, login: {{username: us, password: trunk-pw}}}}
  partner: {{from: 198.51.100.2, gateway: sip:198.51.100.2, refer: true, redirects: follow}}
calls: {{hold: {hold}, session_timer: {{expires_s: {session_s}}}}}
extensions:
  101..106: {{password: secret, pickup_groups: sales}}
  107: {{password: secret, forward: {{no_answer: extension 102, busy: extension 102, after_s: 8}}}}
  108: {{password: secret, max_calls: 1, forward: {{busy: extension 102}}}}
  109: {{password: secret, forward: {{unregistered: number 0199}}}}
groups:
  together: {{extensions: [101, 102, 103], ring_s: 10}}
  ordered: {{extensions: [101, 102, 103], ring: in order, ring_s: 5, otherwise: extension 104}}
park:
  house: {{slots: 701-702, timeout_s: 40, otherwise: extension 106}}
numbers:
  +33180000001: extension 101
  +33180000002: group together
dial_plan:
  - {{match: "*8", to: pickup group}}
  - {{match: "*8XXX", to: "pickup {{number:2}}"}}
  - {{match: "700", to: park house}}
  - {{match: "70X", to: "park house {{number}}"}}
  - {{match: "61", to: group together}}
  - {{match: "62", to: group ordered}}
  - {{match: "*720", to: set forward-always off}}
  - {{match: "*72.", to: "set forward-always {{number:3}}"}}
  - {{match: "0X.", to: trunk carrier}}
  - {{match: "9X.", to: trunk partner, from: anyone}}
"""


#: How much is lost, and how late the latest is: more than T1, retransmissions overtake; more than T4, they come when
#: nobody remembers them.
NETWORKS = ((0.15, 0.8), (0.05, 0.1), (0.4, 2.0), (0.15, 7.0))


class LossyOffice(LossyWorld):
    """By the seed: whether holds are passed on or music is played, whether sessions are short, how bad the network
    is."""

    def __init__(self, folder: Path, seed: int) -> None:
        text = SITE.format(hold=("music", "pass")[seed % 2], session_s=(1800, 90)[seed // 2 % 2])
        super().__init__(folder, seed, text)
        self.loss, self.latest_s = NETWORKS[seed // 4 % len(NETWORKS)]
        self.vanished: list[Agent] = []
        self.settings = PhoneSettings(self.site)
        self.groups, self.park, _ = add_features(self, self.settings)
        self.notifier, self.messages = add_subscriptions(self, {})
        self.sent: list[tuple[bytes, Hop]] = []

    def telephone(self, user: str = "101", takes: str = "answer", contact: str = "") -> Agent:
        """A phone that has registered."""
        agent = self.agent(f"192.0.2.{10 + len(self.agents)}", user, takes=takes, contact=contact)
        agent.register()
        self.run(60)
        return agent

    def carrier(self, takes: str = "answer") -> Agent:
        return self.agent(TRUNK, "carrier", takes=takes)

    def partner(self, takes: str = "answer", contact: str = "") -> Agent:
        return self.agent(PARTNER, "partner", takes=takes, contact=contact)

    def vanish(self, agent: Agent) -> None:
        """It neither sends nor hears anything from now on."""
        if self.agents.pop(agent.host, None) is not None:
            agent.gone = True
            self.vanished.append(agent)

    def astray(self) -> list[str]:
        """Who talks and does not hear the other, hears a stranger, or belongs to no call and is not hung up."""
        found, together = [], set()
        lost = {one for one in self.switch._dialogs.values() if isinstance(one, Leg) and one.call is not None}
        for call in self.switch.calls():
            legs = [call.caller, *(leg for attempt in call._attempts for leg in (*attempt.legs, attempt.winner) if leg)]
            lost -= {leg for leg in legs if leg.call is call}
            if call.errand is None:  # else one may wait for how a transfer ends
                answered = [attempt for attempt in call._attempts if attempt.winner is not None]
                found += [f"leg {one.number} is set aside" for one in answered if one is not call.connected]
            ports = {leg.audio.port.number for leg in legs if leg.audio.port is not None}
            together |= {(a, b) for a in ports for b in ports}
            a, b = call.caller, call.partner_of(call.caller)
            if b is not None and a.audio.port is not None and b.audio.port is not None:
                found += self._talking(a, b, a.audio.port.number, b.audio.port.number)
        found += [f"{leg.phase} leg {leg.party.number} is in no call" for leg in lost]
        return found + [f"{pair} hear each other" for pair in self.plane.bridged.items() if pair not in together]

    def _talking(self, a: Leg, b: Leg, port_a: int, port_b: int) -> list[str]:
        if self.site.calls.hold == "music" and (a.held or b.held):
            held = [port for leg, port in ((a, port_b), (b, port_a)) if leg.held]
            return [f"no music on {port}" for port in held if port not in self.plane.playing]
        return [] if self.plane.bridged.get(port_a) == port_b else [f"{port_a} does not hear {port_b}"]

    def leaks(self) -> dict[str, int]:
        more = {
            "subscriptions": len(self.notifier), "dialogs": self.switch.dialogs,
            "slots": len(self.park._slots) + len(self.park._of), "loops": len(self.switch.loops),
        }  # fmt: skip
        return super().leaks() | {name: count for name, count in more.items() if count}


Flow = Callable[[LossyOffice], None]
