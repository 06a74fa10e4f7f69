"""What must be known of how agents are chosen to check a site file that its schema cannot."""

from __future__ import annotations

from collections.abc import Iterator

from config.findings import Finding, Names
from config.schema import Queue, Site
from config.values import Path


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
        yield from _times(queue, path)
    rest = site.acd.not_answered
    if rest.rest_s > rest.rest_at_most_s:
        at: Path = ("acd", "not_answered")
        yield from _too_late((*at, "rest_s"), rest.rest_s, rest.rest_at_most_s, "rest_at_most_s", at_most=True)


def _times(queue: Queue, path: Path) -> Iterator[Finding]:
    """What would be too late: the phone rings no more, the caller has gone on, the callback is given up."""
    if queue.strategy == "ring progressively":
        yield from _too_late((*path, "ring_another_s"), queue.ring_another_s, queue.ring_s, "ring_s")
    if queue.announce is not None and "first_after_s" in queue.announce.model_fields_set:
        at: Path = (*path, "announce", "first_after_s")
        yield from _too_late(at, queue.announce.first_after_s, queue.max_wait_s, "max_wait_s")
    callback = queue.callback
    if callback is not None:
        at = (*path, "callback")
        yield from _too_late((*at, "offer_after_s"), callback.offer_after_s, queue.max_wait_s, "max_wait_s")
        if callback.retries:
            yield from _too_late((*at, "retry_after_s"), callback.retry_after_s, callback.keep_s, "keep_s")


def _too_late(
    path: Path, time_s: float, limit_s: float | None, limit: str, *, at_most: bool = False
) -> Iterator[Finding]:  # fmt: skip
    if limit_s is not None and (time_s > limit_s if at_most else time_s >= limit_s):
        expected = f"{path[-1]} {'at most' if at_most else 'less than'} {limit} ({limit_s:g} s)"
        yield Finding(path, f"{time_s:g} s", expected, "" if at_most else "else it never comes")
