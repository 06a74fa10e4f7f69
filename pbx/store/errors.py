"""What can go wrong with the records.

StoreError
 +-- BadUrl                the URL names no database we speak
 +-- DatabaseUnreachable   no answer, no permission, no such file, or nothing of ours in it
 +-- DatabaseInUse         another server writes to it
 +-- LaterTables           a later version was there before

Every message is one line, fit for a terminal, and never holds a password.
"""

from __future__ import annotations

import re


class StoreError(Exception):
    """Base of all errors of this package."""


class BadUrl(StoreError):
    """The URL names no database we speak."""


class DatabaseUnreachable(StoreError):
    """The database cannot be used now."""


class DatabaseInUse(StoreError):
    """Another server holds the lock of this database."""


class LaterTables(StoreError):
    """A later version made the tables."""


def one_line(error: BaseException) -> str:
    """The driver's own words, without the SQL and its parameters; the type's name when it has none."""
    cause = getattr(error, "orig", None) or error
    said = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    lines = said.strip().splitlines()
    return re.sub(r"^<class '[^']*'>: ", "", lines[0]) if lines else type(cause).__name__
