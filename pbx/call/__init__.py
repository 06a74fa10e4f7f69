"""Calls, legs and bridges: the back-to-back user agent. See README.md."""
