"""What must be known of how agents are chosen to check a site file that its schema cannot."""

from __future__ import annotations

from collections.abc import Iterator

from config.findings import Finding, Names
from config.schema import Site


def routing(site: Site, _: Names) -> Iterator[Finding]:
    """Settings of a queue that exclude each other, or have no effect."""
    for name, queue in site.queues.items():
        path = ("queues", name)
        many = queue.strategy in ("ring all", "ring progressively")
        if many and queue.assign == "together":
            hint = f"with {queue.strategy} the first answer decides"
            yield Finding((*path, "assign"), '"together"', "at once", hint)
        elif queue.assign == "together" and "strategy" in queue.model_fields_set and queue.strategy != "most skilled":
            hint = "pairs are made for the best levels in sum"
            expected = "most skilled, or none, with assign: together"
            yield Finding((*path, "strategy"), f'"{queue.strategy}"', expected, hint)
        if "ring_another_s" in queue.model_fields_set and queue.strategy != "ring progressively":
            expected = "strategy: ring progressively, which obeys it"
            yield Finding((*path, "ring_another_s"), "a time", expected, on_key=True)
