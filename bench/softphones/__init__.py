"""Headless softphones in child processes: PJSIP and baresip behind one asyncio API."""

from bench.softphones.phone import (
    CallFailed,
    Phone,
    PhoneCall,
    SoftphoneError,
    SoftphoneMissing,
    Softphones,
)

__all__ = ["CallFailed", "Phone", "PhoneCall", "SoftphoneError", "SoftphoneMissing", "Softphones"]
