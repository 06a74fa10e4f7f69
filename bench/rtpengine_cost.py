"""The same load through rtpengine in userspace: what others' relay costs on this machine, in the same run."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from bench.media_cost import MediaLoadError
from bench.ports import ClaimedPorts
from bench.rtpengine import Rtpengine
from bench.streams import G711
from bench.worker_cost import LOCAL, Party, Work, claimed, prefer
from media.rtpengine.bencode import Value, decode, encode

RTPENGINE = "rtpengine, G.711"


class RtpengineCalls:
    """G.711 calls by offer and answer, whatever the work's own `build` would do."""

    def __init__(self, daemon: Rtpengine, local: ClaimedPorts) -> None:
        self.pid = daemon.pid
        self._address, self._local = (daemon.host, daemon.ng), local
        self._calls: list[str] = []

    async def set_up(self, work: Work, count: int) -> list[Party]:
        parties = []
        for n in range(count):
            caller, callee = self._local.first + 2 * n, self._local.first + 2 * n + 1
            call = secrets.token_hex(8)
            self._calls.append(call)
            for_callee = self._port("offer", call, caller, from_tag="a")
            for_caller = self._port("answer", call, callee, from_tag="a", to_tag="b")
            parties += [Party(caller, for_caller, G711), Party(callee, for_callee, G711)]
        return parties

    async def clear(self) -> None:
        for call in self._calls:
            self._ask("delete", call, from_tag="a")
        self._calls.clear()

    def _port(self, command: str, call: str, local: int, **tags: str) -> int:
        """Where a phone at `local` makes the other one send to."""
        sdp = f"v=0\r\no=- 1 1 IN IP4 {LOCAL}\r\ns=-\r\nc=IN IP4 {LOCAL}\r\nt=0 0\r\nm=audio {local} RTP/AVP 0\r\n"
        answer = self._ask(command, call, sdp=sdp, **tags).get("sdp")
        found = re.search(rb"m=audio (\d+)", answer) if isinstance(answer, bytes) else None
        if found is None:
            raise MediaLoadError("rtpengine made no description")
        return int(found[1])

    def _ask(self, command: str, call: str, **values: str) -> dict[str, Value]:
        request = {"command": command, "call-id": call, **{name.replace("_", "-"): v for name, v in values.items()}}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.settimeout(2)
            one.connect(self._address)
            one.send(secrets.token_hex(8).encode() + b" " + encode(request))
            reply = decode(one.recv(65536).partition(b" ")[2])
        if not isinstance(reply, dict) or reply.get("result") != b"ok":
            raise MediaLoadError(f"rtpengine refused: {reply!r}")
        return reply


@contextmanager
def rtpengine(calls: int, cores: tuple[int, int] | None) -> Iterator[RtpengineCalls]:
    """A daemon for so many calls on the server's core."""
    theirs, ours = claimed(2 * calls), claimed(4 * calls)
    with Rtpengine(ports=(ours.first, ours.last), options=["--num-threads=2"]) as daemon:
        if cores is not None:
            for thread in map(int, os.listdir(f"/proc/{daemon.pid}/task")):
                os.sched_setaffinity(thread, {cores[0]})
        prefer(daemon.pid, threads=True)
        yield RtpengineCalls(daemon, theirs)
    theirs.release()
    ours.release()
