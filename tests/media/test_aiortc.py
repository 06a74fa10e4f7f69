"""DTLS-SRTP with ICE against aiortc, whose ICE, DTLS and SRTP are its own: both roles, a tone there and back."""

from __future__ import annotations

import asyncio
import fractions
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from media.plane import MediaPlane, MediaPort, RemoteMedia
from media.security import Dtls, IceCredentials, SecurityPolicy
from media.worker_plane import WorkerPlane
from pbx.sdp.audio import read_audio
from pbx.sdp.offer_answer import LocalDescription
from pbx.sdp.security import Means, Secure
from tests.media.conftest import LOCAL, FreeRange

aiortc = pytest.importorskip("aiortc")
av = pytest.importorskip("av")
TONE_HZ = 700
RATE = 8000


class Tone(aiortc.AudioStreamTrack):  # type: ignore[name-defined,misc]
    """20 ms of a sine at a time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.at = 0

    async def recv(self) -> Any:
        await asyncio.sleep(0.02)
        samples = (8000 * np.sin(2 * np.pi * TONE_HZ * (self.at + np.arange(160)) / RATE)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None, :], layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.at, fractions.Fraction(1, RATE)
        self.at += 160
        return frame


async def heard(track: Any, frames: int = 40) -> float:
    """How much of what arrives is the tone: 1 is all."""
    samples: list[np.ndarray[Any, Any]] = []
    for _ in range(frames):
        frame = await track.recv()
        samples.append(frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0].astype(float))
        rate = frame.sample_rate
    sound = np.concatenate(samples[frames // 2 :])
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    at = round(TONE_HZ * len(sound) / rate)
    return float(spectrum[at - 3 : at + 4].sum() / max(spectrum.sum(), 1e-9))


class Peer:
    """aiortc at one port of the plane, which echoes."""

    def __init__(self, plane: MediaPlane, means: Means | None = None) -> None:
        self.plane, self.port = plane, plane.lease()
        self.secure: asyncio.Queue[bool] = asyncio.Queue()
        self.port.on_secure = self.secure.put_nowait
        self.local = LocalDescription(1)
        self.local.secure = Secure(means or Means("optional", fingerprint=plane.fingerprint, web=True))
        port = self.port
        self.local.secure.prescribe(port.ice_ufrag, port.ice_pwd, port.fingerprint, port.srtp_keys)
        self.connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        self.tracks: asyncio.Queue[Any] = asyncio.Queue()
        self.connection.on("track", self.tracks.put_nowait)
        plane.echo(self.port)

    async def offers(self) -> None:
        """It calls us."""
        self.connection.addTrack(Tone())
        await self.connection.setLocalDescription(await self.connection.createOffer())
        offer = read_audio(self.connection.localDescription.sdp, srtp="optional")
        text, negotiated = self.local.answer(offer, LOCAL, self.port.number, ["PCMA", "PCMU"])
        self.connect(negotiated)
        await self.connection.setRemoteDescription(aiortc.RTCSessionDescription(text, "answer"))

    async def answers(self) -> None:
        """We call it."""
        text = self.local.offer(LOCAL, self.port.number, ["PCMU", "PCMA"])
        await self.connection.setRemoteDescription(aiortc.RTCSessionDescription(text, "offer"))
        self.connection.addTrack(Tone())
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        self.connect(self.local.read_answer(self.connection.localDescription.sdp))

    def connect(self, negotiated: Any, digest: bytes | None = None) -> None:
        agreed = negotiated.security
        dtls = Dtls(agreed.hash, digest or agreed.digest, agreed.active)
        ice = IceCredentials(agreed.ice_ufrag, agreed.ice_pwd)
        self.plane.connect(
            self.port,
            RemoteMedia(
                negotiated.host, negotiated.port, negotiated.codec, negotiated.payload_type, rtcp_mux=True,
                security=dtls, ice=ice,
            ),
        )  # fmt: skip

    async def close(self) -> None:
        await self.connection.close()
        if self.port.on_secure is not None:
            self.plane.release(self.port)


@pytest.fixture
async def plane(free_range: FreeRange) -> AsyncIterator[WorkerPlane]:
    policy = SecurityPolicy(("AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"), ("ECDHE+AESGCM",), 5.0)
    made = WorkerPlane(LOCAL, None, free_range(4), None, Counter(), security=policy)
    await made.start()
    yield made
    await made.close()


async def secured(peer: Peer) -> bool:
    async with asyncio.timeout(30):
        return await peer.secure.get()


@pytest.mark.parametrize("calls", [True, False])
async def test_tone_there_and_back(plane: WorkerPlane, calls: bool) -> None:
    peer = Peer(plane)
    await (peer.offers() if calls else peer.answers())
    assert await secured(peer)
    async with asyncio.timeout(30):
        assert await heard(await peer.tracks.get()) > 0.8
    assert plane.counters["media_handshakes"] == 1
    await peer.close()


async def test_we_begin_the_handshake(plane: WorkerPlane) -> None:
    """It answers a=setup:passive when it must."""
    peer = Peer(plane)
    peer.connection.addTrack(Tone())
    await peer.connection.setLocalDescription(await peer.connection.createOffer())
    sdp = peer.connection.localDescription.sdp.replace("a=setup:actpass", "a=setup:passive")
    text, negotiated = peer.local.answer(read_audio(sdp, srtp="optional"), LOCAL, peer.port.number, ["PCMU"])
    assert negotiated.security is not None and negotiated.security.active and "a=setup:active" in text
    peer.connect(negotiated)
    await peer.connection.setRemoteDescription(aiortc.RTCSessionDescription(text, "answer"))
    assert await secured(peer)
    async with asyncio.timeout(30):
        assert await heard(await peer.tracks.get()) > 0.8
    await peer.close()


async def test_another_certificate(plane: WorkerPlane) -> None:
    """RFC 8122 6.2: no keys, and whoever holds the leg is told."""
    peer = Peer(plane)
    connect = peer.connect
    peer.connect = lambda negotiated: connect(negotiated, bytes(32))  # type: ignore[method-assign,assignment,misc]
    await peer.offers()
    assert not await secured(peer)
    assert plane.counters["media_wrong_certificates"] == plane.counters["media_insecure"] == 1
    await peer.close()


async def test_a_handshake_that_never_comes(plane: WorkerPlane) -> None:
    port: MediaPort = plane.lease()
    told: asyncio.Queue[bool] = asyncio.Queue()
    port.on_secure = told.put_nowait
    ice = IceCredentials("aaaa", "b" * 22)
    remote = RemoteMedia("0.0.0.0", 9, "PCMU", 0, security=Dtls("sha-256", bytes(32), False), ice=ice)
    plane.connect(port, remote)
    async with asyncio.timeout(30):
        assert not await told.get()
    assert plane.counters["media_handshakes_too_late"] == 1
