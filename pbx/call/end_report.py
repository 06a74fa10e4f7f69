"""The last event of a call, with what its caller's port counted."""

from __future__ import annotations

from collections.abc import Callable

from media.plane import PortStats
from pbx.call import events
from pbx.call.quality import quality_of


def end_report(
    emit: Callable[[object], None], at: float, call_id: str, cause: str, status: int, codec: str | None
) -> Callable[[PortStats], None]:
    """Emits LegQuality and CallEnded when the counters of the caller's port have come; holds nothing of the call.
    `codec` None: the caller was never heard."""

    def report(stats: PortStats) -> None:
        if codec is not None:
            emit(quality_of(at, call_id, 1, codec, stats))
        emit(
            events.CallEnded(
                at, call_id, cause, status, stats.packets_received, stats.packets_sent, stats.packets_lost,
                stats.jitter_ms,
            )
        )  # fmt: skip

    return report
