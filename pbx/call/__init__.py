"""Calls, legs and bridges: the back-to-back user agent. See README.md."""

# Compiled, a dataclass is told the classes of its fields, also those of modules imported for types alone: these must
# have been loaded, whichever module is asked for first. The switch loads them all.
import pbx.call.switch  # noqa: F401
