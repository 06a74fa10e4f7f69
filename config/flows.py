"""The shape of an IVR flow: which state leads to which. The first state is where a call enters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from config.schema import ByHours, Menu, State


def exits(state: State) -> Iterator[tuple[tuple[str, ...], str]]:
    """The states a state leads to, each with the path of keys that names it."""
    if isinstance(state, Menu):
        for key, target in state.keys.items():
            yield ("keys", key), target
    for name in ("then", "otherwise"):
        then: str | None = getattr(state, name, None)
        if then is not None:
            yield (name,), then
    if isinstance(state, ByHours):
        yield ("open",), state.open
        yield ("closed",), state.closed


def unreachable(flow: Mapping[str, State]) -> list[str]:
    """The states no call can come to."""
    seen: set[str] = set()
    ahead = [next(iter(flow))]
    while ahead:
        name = ahead.pop()
        if name in flow and name not in seen:
            seen.add(name)
            ahead += [target for _, target in exits(flow[name])]
    return [name for name in flow if name not in seen]


def endless(flow: Mapping[str, State]) -> list[str]:
    """The calendar states from which a call can come back without anything played, asked or waited for."""
    return [name for name, state in flow.items() if isinstance(state, ByHours) and _returns(flow, name)]


def _returns(flow: Mapping[str, State], start: str) -> bool:
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        state = flow.get(ahead.pop())
        if isinstance(state, ByHours):
            for target in (state.open, state.closed):
                if target == start:
                    return True
                if target not in seen:
                    seen.add(target)
                    ahead.append(target)
    return False
