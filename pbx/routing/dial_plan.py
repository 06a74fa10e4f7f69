"""The dial plan, compiled: (caller, number dialled) -> route. See README.md for the order and the pattern language.

    plan = DialPlan(site)
    plan.resolve(Caller("trunk", "carrier"), "+33180203040")  # Route(destination=ivr welcome, ...) or None
    plan.explain(Caller("extension", "101"), "2001").steps    # why, one line a step
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from config.numbers import normalise
from config.schema import Destination, DialRule, Site
from pbx.routing.pattern import LONGEST_NUMBER, dialled, expression, fill, literal
from pbx.sip.grammar import escape
from pbx.sip.uri import USER_ALLOWED

CACHED_NUMBERS: Final = 4096  # per class of callers
_TAIL: Final = 6  # digits at the end of a number that decide whether an E.164 parse is worth its cost


class Caller(NamedTuple):
    """Who calls, as far as the dial plan cares."""

    kind: Literal["extension", "trunk"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call goes. Shared between calls to the same number: never change it."""

    destination: Destination  # with the number filled in
    number: str  # what was dialled: without separators, E.164 if it is a number of the site
    dial: str | None  # the number to dial, if the destination is a trunk
    rule: str  # what matched: "extension 101", "number +33180203040", "dial_plan[1] (0X.)"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A route, or None, and how it came about."""

    route: Route | None
    steps: tuple[str, ...]


class DialPlan:
    """The plan of one site. Immutable but for its cache: a reload makes another."""

    __slots__ = ("_any_trunk", "_extensions", "_numbers", "_site", "_trunks")

    def __init__(self, site: Site) -> None:
        self._site = site
        self._numbers = _Numbers(site.numbers, site.locale.country)
        rules = [_Rule(position, rule) for position, rule in enumerate(site.dial_plan)]
        self._extensions = _Table(rule for rule in rules if rule.concerns("extension", ""))
        self._any_trunk = _Table(rule for rule in rules if rule.concerns("trunk", ""))
        self._trunks = {name: _Table(rule for rule in rules if rule.concerns("trunk", name)) for name in site.trunks}

    def resolve(self, caller: Caller, number: str) -> Route | None:
        """The route of a number; None if nothing matches (404). `number` is the unescaped user part of the URI."""
        table = self._table(caller)
        cache = table.cache
        if number in cache:
            cache.move_to_end(number)
            return cache[number]
        if not 0 < len(number) <= LONGEST_NUMBER:
            return None
        route = cache[number] = self._find(caller, table, number)
        if len(cache) > CACHED_NUMBERS:
            cache.popitem(last=False)
        return route

    def is_ours(self, number: str) -> bool:
        """Whether it is one of the site's numbers."""
        return self._numbers.find(number) is not None

    def explain(self, caller: Caller, number: str) -> Explanation:
        """The same answer as `resolve`, with each thing that was looked at."""
        route = self.resolve(caller, number)
        steps = [f"from {caller}"]
        if caller.kind == "trunk" and caller.name not in self._site.trunks:
            steps.append(f"there is no trunk {caller.name}: only rules for all trunks apply")
        plain = dialled(number)
        if plain != number:
            steps.append(f"dialled {number}, read as {plain}")
        steps += self._explained(caller, plain, route)
        if route is None:
            steps.append("nothing matches: 404")
        return Explanation(route, tuple(steps))

    def _table(self, caller: Caller) -> _Table:
        if caller.kind == "extension":
            return self._extensions
        return self._trunks.get(caller.name, self._any_trunk)

    def _find(self, caller: Caller, table: _Table, number: str) -> Route | None:
        plain = dialled(number)
        if caller.kind == "extension" and plain in self._site.extensions:
            return Route(Destination("extension", plain), plain, None, f"extension {plain}")
        own = self._numbers.find(plain)
        if own is not None:
            e164, written = own
            return _route(self._site.numbers[written], e164, None, f"number {written}")
        rule = table.match(plain)
        return _route(rule.spec.to, plain, rule.spec.dial, rule.name) if rule is not None else None

    def _explained(self, caller: Caller, plain: str, route: Route | None) -> Iterable[str]:
        found = route.rule if route else None
        if caller.kind == "extension":
            if found == f"extension {plain}":
                yield f"extension {plain} exists"
                return
            yield f"no extension {plain}"
        if route is not None and found is not None and found.startswith("number "):
            yield f"{plain} is the site's {found} -> {route.destination}"
            return
        yield f"{plain} is none of the site's numbers" if self._site.numbers else "the site has no numbers"
        for position, spec in enumerate(self._site.dial_plan):
            rule = _Rule(position, spec)
            if not rule.concerns(caller.kind, caller.name):
                yield f"{rule.name}: for {spec.callers}, not for {caller}"
            elif route is not None and found == rule.name:
                dial = f", dial {route.dial}" if route.dial else ""
                yield f"{rule.name}: matches {plain} -> {route.destination}{dial}"
                return
            else:
                yield f"{rule.name}: does not match {plain}"


def _route(to: Destination, number: str, dial: str | None, rule: str) -> Route:
    if "{" in to.name:
        # What was dialled must not be able to write another URI (RFC 3261 19.1.2: other characters are escaped).
        filling = escape(number, USER_ALLOWED) if to.kind == "uri" else number
        to = Destination(to.kind, fill(to.name, filling))
    return Route(to, number, fill(dial or "{number}", number) if to.kind == "trunk" else None, rule)


class _Rule:
    """One line of the dial plan, ready to match."""

    __slots__ = ("literal", "name", "spec")

    def __init__(self, position: int, spec: DialRule) -> None:
        self.spec = spec
        self.name = f"dial_plan[{position}] ({spec.match})"
        self.literal = literal(spec.match)

    def concerns(self, kind: str, name: str) -> bool:
        callers = self.spec.callers
        return callers in ("anyone", f"{kind}s") or (kind == "trunk" and callers == f"trunk {name}")


class _Table:
    """The rules that concern one class of callers, as a dictionary and one expression. First match wins, as written."""

    __slots__ = ("_expression", "_literals", "_patterns", "cache")

    def __init__(self, rules: Iterable[_Rule]) -> None:
        ordered = list(rules)
        self._patterns = [rule for rule in ordered if rule.literal is None]
        self._expression = _alternatives(self._patterns)
        self._literals: dict[str, _Rule] = {}
        for rule in ordered:
            if rule.literal is not None and rule.literal not in self._literals:
                self._literals[rule.literal] = _first(rule.literal, rule, ordered)
        self.cache: OrderedDict[str, Route | None] = OrderedDict()

    def match(self, number: str) -> _Rule | None:
        rule = self._literals.get(number)
        if rule is not None or self._expression is None:
            return rule
        found = self._expression.fullmatch(number)
        return self._patterns[found.lastindex - 1] if found is not None and found.lastindex else None


def _alternatives(rules: Sequence[_Rule]) -> re.Pattern[str] | None:
    """One expression whose n-th group is the n-th rule. Alternatives are tried in order, so the first rule wins."""
    return re.compile("|".join(f"({expression(rule.spec.match)})" for rule in rules)) if rules else None


def _first(number: str, own: _Rule, ordered: Sequence[_Rule]) -> _Rule:
    """The first rule that matches `number`: a pattern written before the literal takes it."""
    for rule in ordered:
        if rule is own or (rule.literal is None and re.fullmatch(expression(rule.spec.match), number)):
            return rule
    raise AssertionError("own is among ordered")


class _Numbers:
    """The site's numbers by E.164."""

    __slots__ = ("_country", "_exact", "_tails")

    def __init__(self, numbers: Mapping[str, object], country: str) -> None:
        self._country = country
        #: as it may be dialled -> (E.164, as written in the site)
        self._exact: dict[str, tuple[str, str]] = {}
        for written in numbers:
            e164 = normalise(dialled(written), country)
            self._exact.setdefault(e164, (e164, written))
            self._exact.setdefault(written, (e164, written))
        self._tails = {e164[-_TAIL:] for e164 in self._exact}

    def find(self, number: str) -> tuple[str, str] | None:
        """(E.164, as written in the site), or None."""
        found = self._exact.get(number)
        if found is not None or number[-_TAIL:] not in self._tails:
            return found
        return self._exact.get(normalise(number, self._country))
