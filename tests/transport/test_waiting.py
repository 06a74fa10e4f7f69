"""How long datagrams wait to be read: what overload control goes by."""

from __future__ import annotations

import time

from .conftest import Rig, Run, request, rig
from .test_driver import udp_peer


def test_the_age_of_the_oldest_unread_datagram(run: Run) -> None:
    """The loop is busy elsewhere; then the oldest is served and its age told."""

    async def main() -> None:
        async with rig("udp") as made:
            assert made.driver.waiting_s() == 0.0
            with udp_peer() as peer:
                peer.sendto(request("MESSAGE", 1, "UDP"), ("127.0.0.1", made.port("udp")))
                time.sleep(0.15)  # noqa: ASYNC251 - a busy loop
                peer.sendto(request("MESSAGE", 2, "UDP"), ("127.0.0.1", made.port("udp")))
                assert 0.14 < made.driver.waiting_s() < 1.0
                assert _served(made) == 1, "it is not lost"
                assert made.driver.waiting_s() < 0.1
                assert made.driver.waiting_s() == 0.0
                assert _served(made) == 2

    run(main)


def _served(made: Rig) -> int:
    return len(made.core.requests)
