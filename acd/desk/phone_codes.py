"""Agents who log in and out, pause and go on by dialling. Destinations `agent login`, `agent login CODE`,
`agent logout`, `agent ready`, `agent not-ready REASON`.

    dialled              whose phone it is, without a code of his own     code known
    agent login  --------------------------------------------------------+
      | else: ask_code, typed and ended by #                             v
      +--------------------------------------> pin asked, if he has one --> logged in at this phone: done
                                                 | wrong three times: hung up; too many of them: refused for a while

The phone of an agent is the one that dialled, until he logs out. The others are for whoever is logged in there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from acd.errors import AcdError
from pbx.call.controller import Passive
from pbx.call.typed_keys import TypedKeys, same, say

if TYPE_CHECKING:
    from acd.desk.lines import Lines
    from config.agents import Agent, PhoneCodes
    from config.schema import Site
    from pbx.call.call import Call

WRONG_MOST: Final = 5  # PINs of one agent within LOCK_S; then nobody may try
LOCK_S: Final = 600.0


class Commands(Protocol):
    """The desk, as far as a telephone can speak to it."""

    def login(self, agent: str, *, phone: str | None = None) -> None: ...
    def logout(self, agent: str) -> None: ...
    def ready(self, agent: str) -> None: ...
    def not_ready(self, agent: str, reason: str) -> None: ...
    def agent_at(self, extension: str) -> str | None: ...


class _Login:
    """A caller who says who he is."""

    __slots__ = ("agent", "typed")

    def __init__(self, typed: TypedKeys) -> None:
        self.agent = ""  # "": his code is not known yet
        self.typed = typed


class PhoneLogin(Passive):
    """In charge of calls of agents to the desk. That of a nailed-up agent who logs in stays: it is his line."""

    def __init__(self, site: Site, desk: Commands) -> None:
        self._desk = desk
        self.lines: Lines | None = None  # of nailed-up agents
        self._logins: dict[str, _Login] = {}  # by call
        self._ends: set[str] = set()  # calls that hear their last prompt
        self._wrong: dict[str, tuple[int, float]] = {}  # by agent: wrong PINs since, when the first was
        self.reconfigure(site)

    def reconfigure(self, site: Site) -> None:
        self._agents = site.agents
        self._says: PhoneCodes = site.acd.phone_codes
        self._by_code = {agent.code: name for name, agent in site.agents.items() if agent.code is not None}
        self._owners = {agent.extension: name for name, agent in site.agents.items() if agent.extension is not None}
        self._wrong = {name: wrong for name, wrong in self._wrong.items() if name in site.agents}

    def start(self, call: Call, name: str) -> None:
        """Handler of destinations `agent`."""
        extension = call.caller.extension
        if extension is None or call.errand is not None or call.answered:
            call.refuse(403, "only for phones of the house")
            return
        verb, _, rest = name.partition(" ")
        call.controller = self
        call.on_over = self._over
        if verb == "login":
            self._begin(call, extension, rest)
            return
        agent = self._desk.agent_at(extension)
        if agent is None:
            self._say_last(call, self._says.wrong, "no agent here")
        elif verb == "logout":
            self._command(call, lambda: self._desk.logout(agent))
        elif verb == "ready":
            self._command(call, lambda: self._desk.ready(agent))
        else:
            self._command(call, lambda: self._desk.not_ready(agent, rest))

    # --- who is it ---

    def _begin(self, call: Call, extension: str, code: str) -> None:
        login = self._logins[call.id] = _Login(TypedKeys(call, self._too_long))
        owner = self._owners.get(extension)
        if code:
            self._coded(call, login, code)
        elif owner is not None and self._agents[owner].code is None:
            self._known(call, login, owner)
        else:
            say(call, self._says.ask_code)

    def _coded(self, call: Call, login: _Login, code: str) -> None:
        agent = self._by_code.get(code)
        if agent is None:
            call.switch.counters["agent_codes_refused"] += 1
            self._again(call, login, self._says.ask_code)
        else:
            self._known(call, login, agent)

    def _known(self, call: Call, login: _Login, agent: str) -> None:
        login.agent = agent
        if self._agents[agent].pin is None:
            self._log_in(call, agent)
        elif self._locked(call, agent):
            self._say_last(call, self._says.wrong, "too many wrong PINs")
        else:
            say(call, self._says.ask_pin)

    def on_digit(self, call: Call, digit: str) -> None:
        login = self._logins.get(call.id)
        if login is None:
            return
        keys = login.typed.take(call, digit)
        if keys is None:
            return
        if not login.agent:
            self._coded(call, login, keys)
        else:
            self._pin(call, login, keys)

    def _pin(self, call: Call, login: _Login, keys: str) -> None:
        spec: Agent | None = self._agents.get(login.agent)  # None: removed by a reload meanwhile
        pin = "" if spec is None or spec.pin is None else spec.pin.get_secret_value()
        if pin and not self._locked(call, login.agent) and same(keys, pin):
            self._wrong.pop(login.agent, None)
            self._log_in(call, login.agent)
            return
        call.switch.counters["agent_pins_refused"] += 1
        now = call.clock.now()
        count, since = self._wrong.get(login.agent, (0, now))
        self._wrong[login.agent] = (count + 1, since) if now - since < LOCK_S else (1, now)
        self._again(call, login, self._says.ask_pin)

    def _locked(self, call: Call, agent: str) -> bool:
        count, since = self._wrong.get(agent, (0, 0.0))
        return count >= WRONG_MOST and call.clock.now() - since < LOCK_S

    def _again(self, call: Call, login: _Login, ask: tuple[str, ...]) -> None:
        if login.typed.again():
            say(call, (*self._says.wrong, *ask))
        else:
            self._say_last(call, self._says.wrong, "wrong code or PIN")

    def _log_in(self, call: Call, agent: str) -> None:
        extension = call.caller.extension
        assert extension is not None
        self._forget(call)
        if self.lines is not None and self._agents[agent].nailed_up:
            self.lines.bring(agent, call)
        self._command(call, lambda: self._desk.login(agent, phone=extension), agent)

    # --- what is heard ---

    def _command(self, call: Call, command: Callable[[], None], logged_in: str = "") -> None:
        try:
            command()
        except AcdError as error:  # what makes no sense now
            if logged_in and self.lines is not None:
                self.lines.brought(logged_in, call)
            self._say_last(call, self._says.wrong, str(error))
            return
        if logged_in and self.lines is not None and self.lines.brought(logged_in, call):
            call.play(self._says.done)
            return
        self._say_last(call, self._says.done, "done")

    def _say_last(self, call: Call, prompts: tuple[str, ...], cause: str) -> None:
        """Then it ends."""
        self._forget(call)
        call.answer()
        if call.ended or not prompts:
            call.hang_up(cause)
            return
        self._ends.add(call.id)
        call.play(prompts)

    def on_played(self, call: Call, play_id: int) -> None:
        if call.id in self._ends:
            call.hang_up("told")

    def _too_long(self, call: Call) -> None:
        if call.id in self._logins:
            call.hang_up("no key")

    # --- the end ---

    def on_taken(self, call: Call, to: str) -> None:
        call.on_over = None
        self._over(call)

    def _over(self, call: Call) -> None:
        self._forget(call)
        self._ends.discard(call.id)

    def _forget(self, call: Call) -> None:
        login = self._logins.pop(call.id, None)
        if login is not None:
            login.typed.stop()
