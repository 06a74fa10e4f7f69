"""The engine and the calls: the only part of `acd` that knows `pbx.call`."""

from acd.desk.desk import AcdError, AgentCommandError, Desk, ScreenPops, UnknownAgent, outcome_of

__all__ = ["AcdError", "AgentCommandError", "Desk", "ScreenPops", "UnknownAgent", "outcome_of"]
