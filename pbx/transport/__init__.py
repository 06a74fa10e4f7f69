"""Sockets: the driver of the SIP core. See README.md."""
