"""What only the collector could free: it is off in the server, so that would be a leak."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cycles() -> Iterator[list[str]]:
    """Afterwards the list has the kinds of our objects that were left in reference cycles inside."""
    found: list[str] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += sorted({type(one).__name__ for one in gc.garbage if re.match(r"(pbx|media)\.", type(one).__module__)})
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@contextmanager
def only_new() -> Iterator[None]:
    """The collector looks at what is made inside, which is quick."""
    gc.collect()
    gc.freeze()  # for good, as all that was there when the tests began
    yield
