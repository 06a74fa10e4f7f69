"""Headless softphones in child processes: PJSIP and baresip behind one asyncio API."""

from bench.softphones.call import (
    CallFailed,
    Heard,
    PhoneCall,
    SoftphoneError,
    SoftphoneMissing,
    answer,
    reject,
    ring_only,
)
from bench.softphones.phone import Phone, Softphones

__all__ = [
    "CallFailed", "Heard", "Phone", "PhoneCall", "SoftphoneError", "SoftphoneMissing", "Softphones",
    "answer", "reject", "ring_only",
]  # fmt: skip
