"""Subscriptions: phones that watch others, their own messages and registrations. See README.md."""
