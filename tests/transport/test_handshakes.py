"""A budget of TLS handshakes over all sources: so many a second, so many at once, and no place for the slow."""

from __future__ import annotations

import ssl

import pytest

from pbx.sip.hop import Hop
from pbx.transport import handshakes
from pbx.transport.streams import Limits
from pbx.transport.tls import TlsFiles

from .certificates import Authority
from .conftest import Run, connected, request, rig, trusting

AT_ONCE, PER_S = "handshakes_at_once", "handshakes_per_s"


def test_so_many_a_second(run: Run, files: TlsFiles, authority: Authority) -> None:
    """Finished ones count; TCP is not asked."""

    async def main() -> None:
        async with rig("tls", "tcp", tls=files, limits=Limits(handshakes_per_s=2)) as made:
            for _ in range(2):
                async with connected(made.port("tls"), tls=trusting(authority)) as peer:
                    peer.writer.write(request(transport="TLS"))
                    assert (await peer.message()).startswith(b"SIP/2.0 200")
            with pytest.raises((ConnectionError, ssl.SSLError)):
                async with connected(made.port("tls"), tls=trusting(authority)):
                    pass
            assert made.counters["tls_handshakes_refused"] == 1
            async with connected(made.port("tcp")) as peer:
                peer.writer.write(request())
                assert (await peer.message()).startswith(b"SIP/2.0 200")

    run(main)


def test_so_many_at_once(run: Run, files: TlsFiles, authority: Authority) -> None:
    async def main() -> None:
        async with rig("tls", tls=files, limits=Limits(handshakes_at_once=2)) as made:
            streams = made.driver._streams
            async with connected(made.port("tls")), connected(made.port("tls")):
                await made.until(lambda: len(streams.handshakes) == 2)
                async with connected(made.port("tls")) as third:
                    assert await third.is_cut_off()
                assert made.counters["tls_handshakes_refused"] == 1
            await made.until(lambda: len(streams.handshakes) == len(streams) == 0)
            async with (
                connected(made.port("tls"), tls=trusting(authority)),
                connected(made.port("tls"), tls=trusting(authority)),
                connected(made.port("tls"), tls=trusting(authority)),
            ):
                await made.until(lambda: len(streams) == 3)  # one after the other: none is under way any more
            assert len(streams.handshakes) == 0

    run(main)


def test_the_slow_make_room(run: Run, files: TlsFiles, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever holds all places says nothing; a phone gets in all the same."""
    monkeypatch.setattr(handshakes, "SLOW_S", -1.0)  # all are, in the same millisecond too

    async def main() -> None:
        async with rig("tls", tls=files, limits=Limits(handshakes_at_once=2)) as made:
            async with connected(made.port("tls")) as first, connected(made.port("tls")):
                await made.until(lambda: len(made.driver._streams.handshakes) == 2)
                async with connected(made.port("tls"), tls=trusting(authority)) as peer:
                    peer.writer.write(request(transport="TLS"))
                    assert (await peer.message()).startswith(b"SIP/2.0 200")
                assert await first.is_cut_off()
                assert made.counters["tls_handshakes_refused"] == 0
                assert made.counters["tls_handshake_failures"] == 1

    run(main)


def test_calls_of_ours_have_no_such_limit(run: Run, files: TlsFiles) -> None:
    async def main() -> None:
        async with rig("tls", tls=files, limits=Limits(handshakes_at_once=1, handshakes_per_s=1)) as made:
            for number in range(3):
                made.driver.send(request("OPTIONS", number, "TLS"), Hop("tls", "127.0.0.1", 9 + number))
            await made.until(lambda: made.counters["tcp_connect_failures"] == 3)
            assert made.counters["tls_handshakes_refused"] == 0

    run(main)
