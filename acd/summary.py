"""From figures to what people read: shares, averages. One place, for screens, exports and metrics alike.

Every value is None while there is nothing to take a share or an average of.
"""

from __future__ import annotations

from collections.abc import Sequence

from acd import figures as f

Summary = dict[str, float | int | None]


def of_calls(row: Sequence[int]) -> Summary:
    """A row of `figures.CALLS`. Times in seconds, shares from 0 to 1."""
    found: Summary = {name: n for name, n in zip(f.CALLS, row, strict=True) if not name.endswith("_ms")}
    answered, completed, told = row[f.ANSWERED], row[f.COMPLETED], row[f.ESTIMATES]
    lost, counted = row[f.ABANDONED] - row[f.SHORT], counted_in(row)
    return found | {
        "service_level": _ratio(row[f.IN_TIME], counted),
        "service_level_answered": _ratio(row[f.IN_TIME], answered),
        "abandon_share": _ratio(lost, counted),
        "asa_s": _seconds(row[f.WAITED], answered),
        "abandoned_after_s": _seconds(row[f.ABANDON_WAITED], row[f.ABANDONED]),
        "longest_wait_s": row[f.LONGEST] / 1000,
        "talk_s": _seconds(row[f.TALKED], completed),
        "wrap_up_s": _seconds(row[f.WRAPPED], completed),
        "aht_s": _seconds(row[f.TALKED] + row[f.WRAPPED], completed),
        "estimate_bias_s": _seconds(row[f.ERROR], told),
        "estimate_error_s": _seconds(row[f.OFF], told),
        "estimate_near_share": _ratio(row[f.NEAR], told),
    }


def of_agent(row: Sequence[int]) -> Summary:
    """A row of `figures.AGENTS`. Times in seconds, shares from 0 to 1."""
    found: Summary = {name: n for name, n in zip(f.AGENTS, row, strict=True) if not name.endswith("_ms")}
    busy, wrap_up, ready, reserved = (row[i] for i in (f.A_BUSY_MS, f.A_WRAP_UP_MS, f.A_READY_MS, f.A_RESERVED_MS))
    on_duty = ready + reserved + busy + wrap_up
    return found | {
        "logged_in_s": (on_duty + row[f.A_NOT_READY_MS]) / 1000,
        "ready_s": ready / 1000,
        "ringing_s": reserved / 1000,
        "busy_s": busy / 1000,
        "wrap_up_s": wrap_up / 1000,
        "not_ready_s": row[f.A_NOT_READY_MS] / 1000,
        "talk_s": _seconds(row[f.A_TALKED], row[f.A_COMPLETED]),
        "aht_s": _seconds(busy + wrap_up, row[f.A_COMPLETED]),
        "occupancy": _ratio(busy + wrap_up, on_duty),
    }


def counted_in(row: Sequence[int]) -> int:
    """The calls that a service level or a share of abandons is taken of: answered, lost or sent on, but for short
    abandons. Who was turned away (closed), or hung up to be called back, did not ask this queue for an answer."""
    return row[f.ANSWERED] + row[f.ABANDONED] - row[f.SHORT] + row[f.OVERFLOWED]


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None


def _seconds(total_ms: int, count: int) -> float | None:
    return total_ms / 1000 / count if count > 0 else None
