"""An office in which every message is noted, and its people: Alice is 101, Bob 102, Carol 103."""

from __future__ import annotations

from pathlib import Path

from pbx.sip.digest import DigestClient, choose_challenge
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response
from tests.call.office import SITE, Office, Talk, Telephone
from tests.call.world import sdp
from tests.subscriptions.conftest import add_subscriptions

from .ladder import Ladder

HOME = "192.0.2.100"
NAMES = {"101": "Alice", "102": "Bob", "103": "Carol", "104": "Dave"}


class Person(Telephone):
    """A telephone whose messages are noted."""

    def __init__(self, office: Office, host: str, number: str, trunk: str | None) -> None:
        super().__init__(office, host, number, trunk)
        self.name = NAMES.get(number, (trunk or number).capitalize())
        self.silent = False  # it gets what is sent to it and says nothing
        self.rings_at_once = True  # 180 by itself
        self.told: list[Request] = []  # NOTIFY of a subscription, MESSAGE
        self._cseq = 0

    @property
    def scene(self) -> Scene:
        assert isinstance(self.office, Scene)
        return self.office

    def send(self, text: str) -> None:
        self.scene.ladder.note(self.name, True, text.encode())
        super().send(text)

    def read(self) -> None:
        if self.silent:
            self.inbox.clear()
        super().read()

    def ring(self, invite: Request, tag: str) -> None:
        if self.rings_at_once:
            super().ring(invite, tag)

    def ask(self, method: str, uri: str, lines: str = "", body: str = "", *, to: str = "", call: str = "") -> Response:
        """A request of our own outside a dialog, or with `to` and `call` inside one; the response to it."""
        self._cseq += 1
        call = call or f"{method}-{self.number}"
        kind = "" if not body or "Content-Type" in lines else "Content-Type: text/plain\r\n"
        self.send(
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.host}:{self.port};branch={self.branch()}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{self.number}@{HOME}>;tag=o{self.number}\r\nTo: {to or f'<{uri}>'}\r\n"
            f"Call-ID: {call}\r\nCSeq: {self._cseq} {method}\r\n{lines}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        )
        self.scene.settle()
        response = self.scene.ladder.newest(self.name, call, self._cseq)
        assert response is not None
        return response

    def register(self, *contacts: str, lines: str = "", password: str = "") -> Response:
        """With `password` after the challenge, else only once."""
        wanted = "".join(f"Contact: {contact}\r\n" for contact in contacts) + lines
        me = f"<sip:{self.number}@{HOME}>"
        response = self.ask("REGISTER", f"sip:{HOME}", wanted, to=me)
        if password:
            credentials = self.credentials(response, "REGISTER", f"sip:{HOME}", password)
            response = self.ask("REGISTER", f"sip:{HOME}", f"{wanted}{credentials}", to=me)
        return response

    def credentials(self, challenged: Response, method: str, uri: str, password: str = "secret") -> str:
        challenge = choose_challenge(challenged.all("WWW-Authenticate"))
        assert challenge is not None
        return f"Authorization: {DigestClient(challenge, self.number, password).credentials(method, uri, 'c')}\r\n"

    def dial_with_password(self, number: str, extra: str = "") -> Talk:
        """An INVITE, and again with what the challenge asks for."""
        first = self.dial(number, extra)
        assert first.final is not None and first.status == 401
        return self.dial(number, extra + self.credentials(first.final, "INVITE", f"sip:{number}@{HOME}"))

    def write(self, talk: Talk, text: str) -> None:
        """A MESSAGE inside a talk."""
        talk.send("MESSAGE", "Content-Type: text/plain\r\n", text)

    def subscribe(
        self, number: str, event: str = "dialog", expires_s: int = 3600, ok: Response | None = None
    ) -> Response:
        """`ok`: what answered the first one, to refresh or end it."""
        lines = f"Contact: {self.contact}\r\nEvent: {event}\r\nExpires: {expires_s}\r\n"
        return self.ask("SUBSCRIBE", f"sip:{number}@{HOME}", lines, to="" if ok is None else ok.get("To") or "")

    def _request(self, request: Request) -> None:
        if request.method == "MESSAGE" or (request.method == "NOTIFY" and request.call_id.startswith("SUBSCRIBE")):
            self.told.append(request)
            self.respond(request, 200)
        else:
            super()._request(request)

    def offer(self, talk: Talk, direction: str = "sendrecv", host: str = "", method: str = "INVITE") -> None:
        """A new description inside a talk: hold, resume, another address."""
        talk.send(method, body=sdp(self.port_of_sound, direction=direction, host=host or self.host))


class Scene(Office):
    """`text` is the site file. `passwords`: who calls has to log in, instead of being known by his address."""

    person = Person

    def __init__(self, folder: Path, text: str = SITE, *, passwords: bool = False) -> None:
        self.ladder = Ladder()
        super().__init__(folder, text)
        self.notifier, self.messages = add_subscriptions(self, {})
        if passwords:
            del self.switch.rules.screening.identify, self.switch.rules.screening.trunk_of

    def _send(self, data: bytes, hop: Hop) -> None:
        person = self.people.get((hop.host, hop.port))
        if person is not None:
            assert isinstance(person, Person)
            self.ladder.note(person.name, False, data)
        super()._send(data, hop)

    def people_of(self, *extensions: str) -> list[Person]:
        found = [self.telephone(extension) for extension in extensions]
        return [person for person in found if isinstance(person, Person)]

    def hears(self, talk: Talk) -> str:
        """What the person of a talk hears: a prompt, the name of who speaks, or nothing."""
        playing = self.plane.playing.get(talk.port)
        other = self.plane.bridged.get(talk.port)
        if playing is not None:
            return playing.prompts[0]
        for person in self.people.values():
            for one in person.talks:
                if other is not None and one.port == other and not one.ended and isinstance(person, Person):
                    return person.name
        return ""

    def over(self) -> None:
        """Everybody hangs up; nothing may be left, nothing wait for the collector, and no message have been wrong."""
        self.hang_up_all()
        self.notifier.close()
        super().over()
        assert not self.switch.dialogs and not len(self.notifier)
        assert not self.park._slots and not self.park._of
        self.ladder.check()
