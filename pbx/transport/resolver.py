"""The name service, asked ahead of need so that no call waits for it (RFC 3263 4 by `pbx.sip.next_hop`).

    watch(uris of the site) --> asked now, and again before the answers end
    hops(uri)               --> from what is known, at once; None: not known yet
    resolve(uri, then)      --> asked on demand; what may wait is bounded in number and in time
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
from dns.message import QueryMessage
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from pbx.sip.hop import Hop
from pbx.sip.next_hop import Naptr, Question, Record, Records, Selection, Speaks, Srv, select
from pbx.transport.names import NameCache, hosts_in

PREFETCH_S: Final = 2.0  # how often the watched names are looked through
ANSWER_S: Final = 3.0  # what one question may take, retries and TCP included
SERVER_S: Final = 1.0  # after which the next name server is asked
WAIT_S: Final = 6.0  # how long the whole of a `resolve` or a `watch` may take
MAX_WAITING: Final = 10_000  # resolves at once
MAX_QUESTIONS: Final = 1000  # asked at once
PARALLEL: Final = 50  # of those on the wire
MAX_NUMERIC: Final = 1000  # URIs whose hop is kept, of at most so many characters
MAX_NUMERIC_LENGTH: Final = 200
MAX_RECORDS: Final = 64  # of one answer
EDNS_BYTES: Final = 1232  # fits the MTU everywhere (DNS flag day 2020)
HOSTS_FILE: Final = Path("/etc/hosts")

Then = Callable[[tuple[Hop, ...]], None]


class Resolver:
    """Knows where URIs lead. `now` is the clock's; `nameservers` as (address, port) in place of the machine's own."""

    def __init__(
        self,
        speaks: Speaks,
        now: Callable[[], float],
        counters: Counter[str],
        nameservers: Sequence[tuple[str, int]] = (),
        hosts_file: Path = HOSTS_FILE,
    ) -> None:
        self._speaks = speaks
        self._now = now
        self._counters = counters
        self._nameservers = nameservers
        self._hosts_file = hosts_file
        self.pick = partial(random.SystemRandom().randint, 0)
        self.cache = NameCache()
        self._dns = self._client()
        self._numeric: dict[str, Selection] = {}  # of URIs that lead to an address, whatever DNS says
        self._watched: tuple[str, ...] = ()
        self._asking: dict[Question, set[_Resolve]] = {}
        self._waiting: set[_Resolve] = set()
        self._places = asyncio.Semaphore(PARALLEL)
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    # --- what others ask for ----------------------------------------------------------------------------------------

    def hops(self, uri: str) -> tuple[Hop, ...] | None:
        """The hops of a URI, best first; () when it leads nowhere, None when that is not known yet."""
        hops, missing = self._select(uri)
        return None if missing else hops

    def lead(self, uri: str) -> tuple[Hop, ...] | None:
        """As `hops`; what is not known yet is asked for, so that it will be known next time."""
        hops = self.hops(uri)
        if hops is None:
            self.resolve(uri, _nothing)
        return hops

    def resolve(self, uri: str, then: Then) -> None:
        """Have `then(hops)` called: at once if they are known, within WAIT_S otherwise; () when there are none."""
        hops, missing = self._select(uri)
        if not missing:
            then(hops)
        elif len(self._waiting) >= MAX_WAITING:
            self._counters["dns_waits_refused"] += 1
            then(())
        else:
            one = _Resolve(uri, then)
            one.timer = asyncio.get_running_loop().call_later(WAIT_S, self._too_long, one)
            self._waiting.add(one)
            self._wait_for(one, missing)

    def address(self, host: str) -> str | None:
        """The first address of a host; None while it is unknown."""
        hops = self.hops(f"sip:{host}:5060" if ":" not in host else f"sip:[{host}]:5060")
        return hops[0].host if hops else None

    async def watch(self, uris: Iterable[str]) -> None:
        """Keep the answers for these, in place of those watched before; done when they are there, or WAIT_S later. An
        address needs none."""
        self._watched = tuple(sorted(uri for uri in set(uris) if self._walk(uri)[1]))
        self._dns = self._client()
        loop = asyncio.get_running_loop()
        self.cache.hosts = await loop.run_in_executor(None, self._read_hosts)
        found: list[asyncio.Future[tuple[Hop, ...]]] = []
        for uri in self._watched:
            future: asyncio.Future[tuple[Hop, ...]] = loop.create_future()
            self.resolve(uri, future.set_result)
            found.append(future)
        await asyncio.gather(*found)
        if self._timer is None and self._watched:
            self._prefetch()

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for one in list(self._waiting):
            self._settle(one, ())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- waiting ----------------------------------------------------------------------------------------------------

    def _select(self, uri: str) -> Selection:
        known = self._numeric.get(uri)
        if known is not None:
            return known
        selection, asked = self._walk(uri)
        if not asked and len(uri) <= MAX_NUMERIC_LENGTH:
            if len(self._numeric) >= MAX_NUMERIC:
                self._numeric.clear()
            self._numeric[uri] = selection
        return selection

    def _walk(self, uri: str) -> tuple[Selection, set[Question]]:
        """Where it leads by what is known now, and all that was asked on the way: nothing, if it has an address."""
        now, asked = self._now(), set[Question]()

        def records(question: Question) -> Records | None:
            asked.add(question)
            return self.cache.records(question, now)

        return select(uri, records, self._speaks, self.pick), asked

    def _wait_for(self, one: _Resolve, missing: Iterable[Question]) -> None:
        one.missing = set(missing)
        for question in tuple(one.missing):
            self._ask(question, one)

    def _ask(self, question: Question, for_whom: _Resolve | None) -> None:
        if (askers := self._asking.get(question)) is None:
            if len(self._asking) >= MAX_QUESTIONS:
                self._counters["dns_questions_refused"] += 1  # who waits for it does so until WAIT_S
                return
            askers = self._asking[question] = set()
            task = asyncio.get_running_loop().create_task(self._question(question))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if for_whom is not None:
            askers.add(for_whom)

    async def _question(self, question: Question) -> None:
        answer = None
        try:
            async with self._places:
                self._counters["dns_questions"] += 1
                answer = await self._look_up(question)
        finally:
            self._answered(question, answer)

    def _answered(self, question: Question, answer: tuple[Records, float] | None) -> None:
        if answer is not None:
            self.cache.answered(question, *answer, self._now())
        else:
            self._counters["dns_failures"] += 1
            if self.cache.failed(question, self._now()):
                self._counters["dns_stale_answers"] += 1
        for one in self._asking.pop(question):
            one.missing.discard(question)
            if not one.missing and one in self._waiting:
                self._go_on(one)

    def _go_on(self, one: _Resolve) -> None:
        hops, missing = self._select(one.uri)
        if missing:
            self._wait_for(one, missing)
        else:
            self._settle(one, hops)

    def _settle(self, one: _Resolve, hops: tuple[Hop, ...]) -> None:
        self._waiting.discard(one)
        if one.timer is not None:
            one.timer.cancel()
        asyncio.get_running_loop().call_soon(one.then, hops)  # on its own: its mistake is not ours

    def _too_long(self, one: _Resolve) -> None:
        self._counters["dns_waits_timed_out"] += 1
        self._settle(one, ())

    # --- ahead of need ----------------------------------------------------------------------------------------------

    def _prefetch(self) -> None:
        """Ask again for what ends soon. What the watched names need is walked anew each time: records come and go."""
        now = self._now()
        used = set[Question]().union(*(self._walk(uri)[1] for uri in self._watched))
        self.cache.kept = frozenset(used)
        for question in used:
            if self.cache.ends_within(question, 2 * PREFETCH_S + ANSWER_S, now):
                self._ask(question, None)
        self._timer = asyncio.get_running_loop().call_later(PREFETCH_S, self._prefetch)

    # --- the name service -------------------------------------------------------------------------------------------

    def _client(self) -> dns.asyncresolver.Resolver:
        try:
            client = dns.asyncresolver.Resolver(configure=not self._nameservers)
        except dns.resolver.NoResolverConfiguration:  # a machine without a name service
            client = dns.asyncresolver.Resolver(configure=False)
        if self._nameservers:
            client.nameservers = [dns.nameserver.Do53Nameserver(*server) for server in self._nameservers]
        client.timeout = SERVER_S
        client.lifetime = ANSWER_S
        client.use_edns(0, 0, EDNS_BYTES)
        return client

    def _read_hosts(self) -> dict[str, tuple[str, ...]]:
        try:
            return hosts_in(self._hosts_file.read_text("utf-8", "replace").splitlines())
        except OSError:
            return {}

    async def _look_up(self, question: Question) -> tuple[Records, float] | None:
        """The records and how long they are good (s); None when the name service gives no answer."""
        if not self._dns.nameservers:
            return None
        search = "." not in question.name  # a short name is one of the local domain
        try:
            answer = await self._dns.resolve(
                question.name, question.type, raise_on_no_answer=False, search=search, lifetime=ANSWER_S
            )
        except dns.resolver.NXDOMAIN as error:
            return (), _negative_ttl(error)
        except (dns.exception.DNSException, OSError, EOFError, ValueError):  # ValueError: a name that is none
            return None
        records = [_record(one) for one in list(answer.rrset or ())[:MAX_RECORDS]]
        return tuple(records), float(answer.chaining_result.minimum_ttl)


def _nothing(hops: tuple[Hop, ...]) -> None:
    pass


class _Resolve:
    """A `resolve` under way."""

    __slots__ = ("missing", "then", "timer", "uri")

    def __init__(self, uri: str, then: Then) -> None:
        self.uri = uri
        self.then = then
        self.missing: set[Question] = set()
        self.timer: asyncio.TimerHandle | None = None


def _negative_ttl(error: dns.resolver.NXDOMAIN) -> float:
    """RFC 2308 5: the least of the SOA's minimum and its time to live."""
    responses: dict[object, QueryMessage] = error.responses()  # type: ignore[no-untyped-call]
    return float(min((one.resolve_chaining().minimum_ttl for one in responses.values()), default=0))


def _record(data: object) -> Record:
    if isinstance(data, NAPTR):
        return Naptr(data.order, data.preference, _text(data.flags), _text(data.service), _name(data.replacement))
    if isinstance(data, SRV):
        return Srv(data.priority, data.weight, data.port, _name(data.target))
    return str(data)


def _text(data: bytes) -> str:
    return data.decode("ascii", "replace")


def _name(name: object) -> str:
    return str(name).lower().removesuffix(".")
