"""A switch and whole user agents with a network between them that loses, repeats and reorders, in virtual time from a
seed. An agent has transactions and dialogs of its own: what is lost it sends again, and what it can't end it gives up.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pbx.sip.dialog import Dialog
from pbx.sip.digest import DigestClient, DigestServer, Outcome, choose_challenge
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import T1, T2, TIMEOUT
from pbx.sip.transaction_layer import TransactionLayer
from tests.virtual_clock import VirtualClock

from .world import SITE, World, sdp

DUPLICATED = 0.1
RINGS_S = 180.0  # then a phone gives up by itself
SWITCH = Hop("udp", "192.0.2.100", 5060)


class LossyWorld(World):
    """Agents instead of phones; `counters` are the switch's alone."""

    loss = 0.15
    latest_s = 0.8  # more than T1: retransmissions overtake
    network: Callable[[VirtualClock, Callable[[], None]], None] | None = None

    def __init__(self, folder: Path, seed: int, text: str = SITE) -> None:
        self.dice = random.Random(seed)
        self.agents: dict[str, Agent] = {}
        super().__init__(text, folder)

    def agent(self, host: str, user: str, **options: str) -> Agent:
        agent = self.agents[host] = Agent(self, host, user, **options)
        return agent

    def carry(self, deliver: Callable[[], None]) -> None:
        """Over the network: perhaps twice, perhaps late, perhaps never; or as `network` has it."""
        if self.network is not None:
            self.network(self.clock, deliver)
            return
        for _ in range(2 if self.dice.random() < DUPLICATED else 1):
            if self.dice.random() >= self.loss:
                self.clock.after(self.dice.random() * self.latest_s, deliver)

    def _send(self, data: bytes, hop: Hop) -> None:
        agent = self.agents.get(hop.host)
        if agent is not None:
            self.carry(lambda: agent.layer.receive_bytes(data, SWITCH, self.clock.time))

    def later(self, callback: Callable[[], None], least_s: float = 0.0, most_s: float = 5.0) -> None:
        self.clock.after(least_s + self.dice.random() * (most_s - least_s), callback)

    def run(self, seconds: float = 0.0) -> None:
        end = self.clock.time + seconds
        while True:
            layers = [self.layer, *(agent.layer for agent in self.agents.values())]
            due = min(self.clock.due, *(layer.timers.earliest for layer in layers))
            if due > end:
                break
            self.clock.time = max(self.clock.time, due)
            for layer in layers:
                layer.timers.fire(self.clock.time)
            self.clock.fire()
        self.clock.time = end

    def leaks(self) -> dict[str, int]:
        found = super().leaks()
        for agent in self.agents.values():
            found |= {f"{agent.user}'s {name}": count for name, count in agent.left().items() if count}
        return found


class Side:
    """One dialog of an agent, from its INVITE on."""

    def __init__(self, agent: Agent, dialog: Dialog) -> None:
        self.agent = agent
        self.dialog = dialog
        self.invite_cseq = 1
        self.invite_branch = ""
        self.provisional = False
        self.answered = False
        self.over = False
        self.acked = True
        self.pracked = False
        self.offered = ""  # the body of the INVITE in progress
        self.extra = ""  # its further headers
        self.statuses: list[int] = []
        self.ringing: tuple[Request, ServerTransaction] | None = None  # what we were called by and did not answer yet

    @property
    def replaces(self) -> str:
        """As somebody else names this dialog (RFC 3891)."""
        return f"{self.dialog.call_id};to-tag={self.dialog.remote_tag};from-tag={self.dialog.local_tag}"

    # --- as the caller ----------------------------------------------------------------------------------------------

    def invite(self, body: str, extra: str = "") -> None:
        """The first or a further INVITE."""
        self.offered, self.extra = body, extra
        self.invite_cseq = self.dialog.next_cseq()
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self.invite_branch = self.request("INVITE", self, extra + kind, body, self.invite_cseq)

    def request(self, method: str, user: object = None, headers: str = "", body: str = "", cseq: int = 0) -> str:
        agent = self.agent
        branch = agent.branch()
        via = f"SIP/2.0/UDP {agent.host};branch={branch}"
        data = self.dialog.request(method, cseq or self.dialog.next_cseq(), via, headers, body)
        agent.layer.request(data, branch, method, SWITCH, user or Unheard(), agent.world.clock.time)  # type: ignore[arg-type]
        return branch

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        self.statuses.append(response.status)
        if response.status < 200:
            self._provisional(response)
        elif response.status < 300:
            self._success(response)
        elif response.status in (401, 407) and self.statuses.count(response.status) == 1 and not self.over:
            self._log_in(response)
        elif not self.answered:
            self.over = True

    def _provisional(self, response: Response) -> None:
        self.provisional = True
        if not self.answered:
            self.dialog.remote_tag = response.to_tag or self.dialog.remote_tag  # an early dialog can be replaced
        number = response.get("RSeq")
        if number and not self.answered and response.to_tag:
            self.dialog.establish(response, SWITCH)
            rack = f"RAck: {number} {self.invite_cseq} INVITE\r\n"
            self.request("PRACK", headers=rack)

    def _success(self, response: Response) -> None:
        if response.cseq != self.invite_cseq:
            return
        self.dialog.establish(response, SWITCH)
        body = "" if self.offered else sdp(host=self.agent.host)
        kind = "Content-Type: application/sdp\r\n" if body else ""
        via = f"SIP/2.0/UDP {self.agent.host};branch={self.agent.branch()}"
        self.agent.layer.send(self.dialog.request("ACK", response.cseq, via, kind, body), SWITCH)
        self.answered = True
        if self.over:  # given up meanwhile
            self.hang_up()

    def _log_in(self, response: Response) -> None:
        name = "WWW-Authenticate" if response.status == 401 else "Proxy-Authenticate"
        challenge = choose_challenge(response.all(name))
        assert challenge is not None
        client = DigestClient(challenge, self.agent.user, "secret")
        credentials = client.credentials("INVITE", self.dialog.remote_target, "c")
        field = "Authorization" if response.status == 401 else "Proxy-Authorization"
        self.invite(self.offered, f"{self.extra}{field}: {credentials}\r\n")

    def on_failure(self, status: int, now: float) -> None:
        self.statuses.append(status)
        self.over = self.over or not self.answered

    def cancel(self) -> None:
        """RFC 3261 9.1: not before a provisional response, and not after a final one."""
        agent, now = self.agent, self.agent.world.clock.time
        if self.answered or self.over or agent.gone:
            self.hang_up()
        elif not self.provisional:
            agent.world.later(self.cancel, T1, T1)
        else:
            self.over = True
            via = f"SIP/2.0/UDP {agent.host};branch={self.invite_branch}"
            data = self.dialog.request("CANCEL", self.invite_cseq, via)
            agent.layer.request(data, self.invite_branch, "CANCEL", SWITCH, Unheard(), now)
            agent.world.later(self.abandon, TIMEOUT, TIMEOUT)

    def abandon(self) -> None:
        """Our INVITE gets no final response any more (9.1: 64*T1 after it was cancelled)."""
        agent = self.agent
        transaction = agent.layer._transactions.get((self.invite_branch, "INVITE"))
        if transaction is not None:
            transaction.input("abandoned", agent.world.clock.time)

    # --- as the called ----------------------------------------------------------------------------------------------

    def answer(self) -> None:
        if self.ringing is not None and not self.over:
            self.agent.answer(*self.ringing, self)

    # --- as either --------------------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        if self.answered:
            self.answered, self.over = False, True
            self.request("BYE")
            self.agent.world.later(self.abandon, TIMEOUT, TIMEOUT)  # a re-INVITE that crossed it

    def repeat(self, final: bytes, interval_s: float, since: float) -> None:
        """RFC 3261 13.3.1.4: a 200 until its ACK; without one the call is hung up."""
        world = self.agent.world
        if self.acked or self.over:
            return
        if world.clock.time - since > TIMEOUT:
            self.hang_up()
            return
        self.agent.layer.send(final, SWITCH)
        wait = min(interval_s, T2)
        world.clock.after(wait, self.repeat, final, interval_s * 2, since)


class Unheard:
    """The user of a request whose answer changes nothing."""

    def on_response(self, response: Response, hop: Hop, now: float) -> None: ...

    def on_failure(self, status: int, now: float) -> None: ...


class Agent:
    """A user agent at an address. `takes` says what it does with calls: answer, refuse (486), ring, redirect (302 to
    `contact`), ask for a login first (`login`), or answer after a reliable 183 (`early`)."""

    def __init__(self, world: LossyWorld, host: str, user: str, takes: str = "answer", contact: str = "") -> None:
        self.world = world
        self.host = host
        self.user = user
        self.takes = takes
        self.contact = contact
        self.sides: dict[str, Side] = {}  # by Call-ID
        self.watched: dict[str, Subscribed] = {}  # by Call-ID
        self.gone = False  # it neither sends nor hears anything
        self.messages = 0  # MESSAGEs that came
        self.counters: Counter[str] = Counter()
        self.layer = TransactionLayer(self._send, self.counters)
        self.layer.core = self
        self.digest = DigestServer("carrier", b"y" * 32, {"us": "trunk-pw"}.get)
        self._branches = 0

    def _send(self, data: bytes, hop: Hop) -> None:
        me, world = Hop("udp", self.host, 5060), self.world
        world.carry(lambda: world.layer.receive_bytes(data, me, world.clock.time))

    def branch(self) -> str:
        self._branches += 1
        return f"z9hG4bK{self.host}-{self._branches}"

    def left(self) -> dict[str, int]:
        return {"transactions": len(self.layer), "timers": len(self.layer.timers)}

    # --- calls ------------------------------------------------------------------------------------------------------

    def call(self, number: str, *, late_offer: bool = False, extra: str = "") -> Side:
        uri = f"sip:{number}@192.0.2.100"
        call_id = f"{self.host}-{len(self.sides)}"
        side = self.sides[call_id] = Side(
            self,
            Dialog(call_id, f"<sip:{self.user}@{self.host}>;tag=a{call_id}", f"<{uri}>", f"a{call_id}", None, uri,
                   f"<sip:{self.user}@{self.host}>", SWITCH),
        )  # fmt: skip
        side.invite("" if late_offer else sdp(host=self.host), extra)
        return side

    def register(self, expires_s: int = 600) -> None:
        """By two requests, the second with the password."""
        contact = f"{self.contact_line}Expires: {expires_s}\r\n"
        Asked(self, "REGISTER", "sip:192.0.2.100", contact, own=True).send()

    def subscribe(self, number: str, event: str, expires_s: int = 600) -> Subscribed:
        lines = f"{self.contact_line}Event: {event}\r\nExpires: {expires_s}\r\n"
        asked = Subscribed(self, "SUBSCRIBE", f"sip:{number}@192.0.2.100", lines)
        self.watched[asked.call_id] = asked
        asked.send()
        return asked

    def ask(self, method: str, number: str, lines: str, body: str = "") -> None:
        """A request outside any dialog."""
        Asked(self, method, f"sip:{number}@192.0.2.100", lines, body).send()

    def write(self, number: str) -> None:
        self.ask("MESSAGE", number, "Content-Type: text/plain\r\n", "hello")

    # --- what comes in ----------------------------------------------------------------------------------------------

    def on_stateless(self, request: Request, hop: Hop, via: str, now: float) -> bool:
        return False

    def on_request(self, request: Request, transaction: ServerTransaction, now: float) -> None:
        side = self.sides.get(request.call_id)
        if request.method == "INVITE":
            self._on_invite(request, transaction, side, now)
            return
        if request.method == "BYE" and side is not None:
            side.over, side.answered = True, False
            side.abandon()  # should each 200 to our INVITE have been lost, nothing else ends it
        if request.method == "PRACK" and side is not None:
            side.pracked = True
        known = side is not None or request.call_id in self.watched
        if request.method == "MESSAGE" and not known:
            self.messages, known = self.messages + 1, True
        transaction.respond(200 if known else 481, now, to_tag="x", headers=self.contact_line)

    @property
    def contact_line(self) -> str:
        return f"Contact: <sip:{self.user}@{self.host}>\r\n"

    def _on_invite(self, request: Request, transaction: ServerTransaction, side: Side | None, now: float) -> None:
        if request.to_tag is not None:
            if side is None or side.over:
                transaction.respond(481, now)
            else:
                self.answer(request, transaction, side)
            return
        if self.takes == "login" and not self._is_known(request, now):
            lines = self.digest.challenge_lines(now, proxy=True)
            transaction.respond(407, now, to_tag=f"l{request.cseq}", headers=lines)
            return
        tag = f"b{self.user}{len(self.sides)}"
        side = self.sides[request.call_id] = Side(
            self, Dialog.of_request(request, tag, self.contact_line[9:-2], SWITCH)
        )
        transaction.user = Ringing(side, transaction)
        side.ringing = request, transaction
        if self.takes == "early":
            self._early(transaction, side, T1, now)
        elif self.takes != "redirect":
            transaction.respond(180, now, to_tag=tag, headers=self.contact_line)
        self.world.later(lambda: self._decide(request, transaction, side))
        self.world.clock.after(RINGS_S, self._unanswered, transaction, side)

    def _early(self, transaction: ServerTransaction, side: Side, interval_s: float, since: float) -> None:
        """A 183 that wants to be acknowledged, until it is (RFC 3262 3)."""
        now = self.world.clock.time
        if side.pracked or side.answered or side.over or now - since > TIMEOUT:
            return
        lines = f"{self.contact_line}Require: 100rel\r\nRSeq: 7\r\nContent-Type: application/sdp\r\n"
        transaction.respond(183, now, to_tag=side.dialog.local_tag, headers=lines, body=sdp(host=self.host))
        self.world.clock.after(interval_s, self._early, transaction, side, 2 * interval_s, since)

    def _is_known(self, request: Request, now: float) -> bool:
        credentials = request.all("Proxy-Authorization")
        return self.digest.verify("INVITE", credentials, now, request.body).outcome is Outcome.ACCEPTED

    def _decide(self, request: Request, transaction: ServerTransaction, side: Side) -> None:
        now = self.world.clock.time
        if side.over or self.takes == "ring":
            return
        if self.takes in ("answer", "login", "early"):
            self.answer(request, transaction, side)
            return
        side.over = True
        status = {"refuse": 486, "redirect": 302}[self.takes]
        lines = f"Contact: <{self.contact}>\r\n" if self.takes == "redirect" else ""
        transaction.respond(status, now, to_tag=side.dialog.local_tag, headers=lines)

    def _unanswered(self, transaction: ServerTransaction, side: Side) -> None:
        """A caller none of our 180 has reached can't cancel (RFC 3261 9.1)."""
        if side.ringing is not None and not side.over:
            side.over = True
            transaction.respond(480, self.world.clock.time, to_tag=side.dialog.local_tag)

    def answer(self, request: Request, transaction: ServerTransaction, side: Side) -> None:
        now = self.world.clock.time
        side.ringing = None
        lines = f"{self.contact_line}Content-Type: application/sdp\r\n"
        body = sdp(host=self.host)
        final = transaction.respond(200, now, to_tag=side.dialog.local_tag, headers=lines, body=body)
        if final:
            side.answered, side.acked = True, False
            self.world.clock.after(T1, side.repeat, final, 2 * T1, now)
        else:  # too late
            side.over = True

    def on_ack(self, request: Request, hop: Hop, now: float) -> None:
        side = self.sides.get(request.call_id)
        if side is not None:
            side.acked = True


class Ringing:
    """The user of an INVITE that we have not answered yet."""

    def __init__(self, side: Side, transaction: ServerTransaction) -> None:
        self.side = side
        self.transaction = transaction

    def on_cancel(self, request: Request, now: float) -> None:
        if not self.side.answered and not self.side.over:
            self.side.over = True
            self.transaction.respond(487, now, to_tag=self.side.dialog.local_tag)


class Asked:
    """A request outside a dialog, and again with a password when asked. `own`: it is about the sender himself."""

    def __init__(
        self, agent: Agent, method: str, uri: str, lines: str, body: str = "", *, own: bool = False
    ) -> None:  # fmt: skip
        self.agent = agent
        self.method = method
        self.call_id = f"{method}{agent.branch()}"
        me = f"<sip:{agent.user}@192.0.2.100>"
        self.dialog = Dialog(
            self.call_id, f"{me};tag=r", me if own else f"<{uri}>", "r", None, uri, me, SWITCH
        )  # fmt: skip
        self.lines = lines
        self.body = body

    def send(self, credentials: str = "") -> None:
        agent, branch = self.agent, self.agent.branch()
        via = f"SIP/2.0/UDP {agent.host};branch={branch}"
        data = self.dialog.request(self.method, self.dialog.next_cseq(), via, self.lines + credentials, self.body)
        agent.layer.request(data, branch, self.method, SWITCH, self, agent.world.clock.time)

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        challenge = choose_challenge(response.all("WWW-Authenticate")) if response.status == 401 else None
        if challenge is not None and response.cseq < 3:
            client = DigestClient(challenge, self.agent.user, "secret")
            credentials = client.credentials(self.method, self.dialog.remote_target, "c", self.body.encode())
            self.send(f"Authorization: {credentials}\r\n")

    def on_failure(self, status: int, now: float) -> None: ...


class Subscribed(Asked):
    """A subscription, as the watcher sees it."""

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        super().on_response(response, hop, now)
        if response.status == 200:
            self.dialog.establish(response, SWITCH)

    def again(self, expires_s: int) -> None:
        """A refresh; 0 ends it."""
        if self.dialog.remote_tag is not None:
            event = self.lines.partition("Expires:")[0]
            self.lines = f"{event}Expires: {expires_s}\r\n"
            self.send()
