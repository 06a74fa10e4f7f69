"""The fake keeps the promises of the interface, so that tests over it mean something."""

from __future__ import annotations

import pytest

from config.schema import PortRange
from media.fake import FakePlane
from media.plane import (
    MEMBERS_MOST,
    ConferencesExhausted,
    MediaPlane,
    PlaylistTooLong,
    PortsExhausted,
    PortStats,
    RemoteMedia,
    UnknownKey,
    UnknownPrompt,
)

REMOTE = RemoteMedia("192.0.2.7", 4000, "PCMU", 0)


@pytest.fixture
def fake() -> FakePlane:
    return FakePlane(ports=PortRange(30000, 30005), prompts={"welcome", "music"})


def test_is_a_media_plane(fake: FakePlane) -> None:
    plane: MediaPlane = fake
    assert plane.has_prompt("welcome") and not plane.has_prompt("other")


def test_pool_is_first_in_first_out_and_ends(fake: FakePlane) -> None:
    ports = [fake.lease() for _ in range(3)]
    assert [port.number for port in ports] == [30000, 30002, 30004]
    with pytest.raises(PortsExhausted):
        fake.lease()
    fake.release(ports[1])
    fake.release(ports[0])
    again = fake.lease()
    assert again.number == 30002 and again.generation != ports[1].generation
    assert fake.counters["media_ports_exhausted"] == 1


def test_records_commands(fake: FakePlane) -> None:
    a, b = fake.lease(), fake.lease()
    fake.connect(a, REMOTE)
    play_id = fake.play(a, ["welcome"], loop=True)
    fake.bridge(a, b)
    fake.send_digit(b, "5")
    fake.silence(a)
    fake.echo(a)
    fake.release(a)
    assert fake.commands == [
        ("lease", 30000), ("lease", 30002), ("connect", 30000, REMOTE), ("play", 30000, ("welcome",), True, play_id),
        ("bridge", 30000, 30002), ("send_digit", 30002, "5", 160), ("silence", 30000), ("echo", 30000),
        ("release", 30000),
    ]  # fmt: skip
    assert fake.bridged == {} and fake.playing == {}


def test_keys_and_ends_reach_the_callbacks(fake: FakePlane) -> None:
    heard: list[object] = []
    port = fake.lease()
    port.on_digit, port.on_played = heard.append, heard.append
    play_id = fake.play(port, ["welcome"])
    fake.press(fake.port_of(30000), "7")
    fake.finish(port)
    assert heard == ["7", play_id]
    with pytest.raises(AssertionError):
        fake.finish(port)
    fake.play(port, ["music"], loop=True)
    with pytest.raises(AssertionError):
        fake.finish(port)


def test_refusals(fake: FakePlane) -> None:
    port = fake.lease()
    with pytest.raises(UnknownPrompt):
        fake.play(port, ["welcome", "other"])
    with pytest.raises(PlaylistTooLong):
        fake.play(port, ["welcome"] * 33)
    with pytest.raises(UnknownKey):
        fake.send_digit(port, "x")


def test_released_ports_are_ignored_and_counted(fake: FakePlane) -> None:
    heard: list[object] = []
    stats: list[PortStats] = []
    port = fake.lease()
    port.on_digit = heard.append
    fake.stats = PortStats(packets_received=5)
    fake.release(port, stats.append)
    fake.release(port, stats.append)
    fake.silence(port)
    fake.press(port, "1")
    assert heard == [] and [one.packets_received for one in stats] == [5, 0]
    assert fake.counters["media_unknown_port"] == 3


def test_kill_tells_every_lease(fake: FakePlane) -> None:
    lost: list[int] = []
    ports = [fake.lease(), fake.lease()]
    for port in ports:
        port.on_lost = lambda number=port.number: lost.append(number)
    fake.kill()
    assert lost == [30000, 30002] and fake.leased == {}
    fake.check_no_leaks()
    assert [fake.lease().number for _ in range(3)] == [30004, 30000, 30002]
    with pytest.raises(AssertionError, match="30000"):
        fake.check_no_leaks()


def test_down(fake: FakePlane) -> None:
    fake.down = True
    with pytest.raises(PortsExhausted):
        fake.lease()


def test_everybody_in_a_conference_hears_the_others() -> None:
    plane = FakePlane()
    a, b, c = plane.lease(), plane.lease(), plane.lease()
    conference = plane.open_conference()
    for port in (a, b, c):
        plane.join(conference, port)
    assert plane.hears(a.number) == {b.number, c.number}
    plane.leave(b)
    assert plane.hears(a.number) == {c.number} and plane.hears(b.number) == set()
    plane.play(c, [])  # whatever else a port does takes it out
    assert plane.hears(a.number) == set()
    plane.close_conference(conference)
    assert not plane.members


def test_who_hears_whom_in_a_conference_is_said_by_both() -> None:
    plane = FakePlane()
    agent, caller, supervisor = plane.lease(), plane.lease(), plane.lease()
    conference = plane.open_conference()
    plane.join(conference, supervisor, None, (agent,))
    plane.join(conference, agent)
    plane.join(conference, caller)
    assert plane.hears(agent.number) == {caller.number, supervisor.number}
    assert plane.hears(caller.number) == {agent.number}
    plane.join(conference, supervisor, (caller,), ())
    assert plane.hears(agent.number) == {caller.number} and plane.hears(supervisor.number) == {caller.number}


def test_conferences_are_limited_and_lost_with_their_worker() -> None:
    plane = FakePlane(PortRange(20000, 20399))
    plane.conferences_most = 1
    conference = plane.open_conference()
    with pytest.raises(ConferencesExhausted):
        plane.open_conference()
    for _ in range(MEMBERS_MOST):
        plane.join(conference, plane.lease())
    with pytest.raises(ConferencesExhausted):
        plane.join(conference, plane.lease())
    plane.kill()
    assert conference.lost
    port = plane.lease()
    plane.join(conference, port)
    assert plane.counters["media_unknown_conference"] == 1 and plane.hears(port.number) == set()
