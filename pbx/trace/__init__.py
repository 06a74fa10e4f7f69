"""Seeing SIP: the ring of messages, call ladders, exports."""
