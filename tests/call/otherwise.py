"""A bridge that does some things otherwise: a compiled class has no heirs in a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from pbx.call.bridge import DirectBridge
from pbx.call.call import Call
from pbx.call.controller import Controller


class Otherwise:
    """`DirectBridge("extension")`, but for the methods that are given by name."""

    def __init__(self, **otherwise: Callable[..., object]) -> None:
        self._bridge = DirectBridge("extension")
        self.__dict__.update(otherwise)

    def __getattr__(self, name: str) -> object:
        return getattr(self._bridge, name)

    def start(self, call: Call, name: str) -> None:
        """A handler of destinations."""
        self._bridge.start(call, name)
        self.take(call)

    def take(self, call: Call) -> None:
        """In charge of the call from now on."""
        call.controller = cast(Controller, self)
