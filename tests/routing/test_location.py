"""The location service: expiry by one deadline, preference, sources, bounds."""

from __future__ import annotations

import gc
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.routing.location import MAX_CONTACTS, Location
from pbx.sip.binding import Binding
from pbx.sip.hop import Hop

HOP = Hop("udp", "192.0.2.9", 5062)


def binding(contact: str = "sip:a@192.0.2.9", expires_at: float = 100, q: float = 1, source: Hop = HOP) -> Binding:
    return Binding(contact, "", q, expires_at, "c1", 1, source, source)


class Watched(Location):
    """A location that notes what on_change said."""

    def __init__(self) -> None:
        super().__init__(lambda aor, registered: self.said.append((aor, registered)))
        self.said: list[tuple[str, bool]] = []


def test_registered_and_gone_are_said_once() -> None:
    location = Watched()
    location.replace("101", [binding("sip:a@h")], 0)
    location.replace("101", [binding("sip:a@h"), binding("sip:b@h")], 0)
    location.replace("101", [binding("sip:b@h")], 0)
    location.replace("101", [], 0)
    location.replace("101", [], 0)
    assert location.said == [("101", True), ("101", False)]
    assert len(location) == 0 and location.next_deadline() is None


def test_highest_q_first_and_only_the_living() -> None:
    location = Location()
    location.replace("101", [binding("sip:a@h", 100, 0.5), binding("sip:b@h", 50), binding("sip:c@h", 100)], 0)
    assert [one.contact for one in location.contacts("101", 10)] == ["sip:b@h", "sip:c@h", "sip:a@h"]
    assert [one.contact for one in location.contacts("101", 50)] == ["sip:c@h", "sip:a@h"]
    assert location.is_registered("101", 99) and not location.is_registered("101", 100)
    assert location.contacts("102", 0) == [] and not location.is_registered("102", 0)
    assert [(aor, len(kept)) for aor, kept in location] == [("101", 3)]


def test_expiry_one_by_one() -> None:
    location = Watched()
    location.replace("101", [binding("sip:a@h", 100), binding("sip:b@h", 200)], 0)
    assert location.next_deadline() == 100
    assert location.expire(99) == []
    assert [(one.kind, one.aor, one.binding.contact) for one in location.expire(100)] == [("expired", "101", "sip:a@h")]
    assert location.next_deadline() == 200 and location.said == [("101", True)]
    assert [one.binding.contact for one in location.expire(500)] == ["sip:b@h"]
    assert location.said[-1] == ("101", False) and location.next_deadline() is None


def test_refreshes_do_not_fill_the_heap() -> None:
    location = Location()
    for second in range(10_000):
        location.replace("101", [binding(expires_at=second + 3600)], second)
        if (due := location.next_deadline()) is not None and due <= second:
            assert location.expire(second) == []
    assert len(location._heap) == 1
    assert location.next_deadline() is not None


def test_earlier_deadline_is_seen() -> None:
    location = Location()
    location.replace("101", [binding(expires_at=1000)], 0)
    location.replace("101", [binding(expires_at=100)], 0)
    assert location.next_deadline() == 100
    assert len(location.expire(100)) == 1 and location.next_deadline() is None


def test_source_look_up() -> None:
    location = Location()
    other = Hop("udp", "192.0.2.9", 7000)
    location.replace("carrier", [binding(source=HOP)], 0)
    assert location.aor_of_source("192.0.2.9", 5062) == "carrier"
    assert location.aor_of_source("192.0.2.9", 5062, "udp") == "carrier"
    assert location.aor_of_source("192.0.2.9", 5062, "tls") is None, "by another transport anybody may write so"
    assert location.aor_of_source("192.0.2.9", 7000) is None
    location.replace("second", [binding(source=HOP), binding("sip:b@h", source=other)], 0)
    assert location.aor_of_source("192.0.2.9", 5062) is None  # two: neither is proven
    assert location.is_source("192.0.2.9", 5062)
    location.replace("carrier", [binding(source=other)], 0)
    assert location.aor_of_source("192.0.2.9", 5062) == "second"
    location.expire(1000)
    assert not location.is_source("192.0.2.9", 7000) and not location._aors_by_source


def test_closed_connection_takes_its_contacts() -> None:
    location = Watched()
    tcp = Hop("tcp", "192.0.2.9", 51000)
    location.replace("101", [binding("sip:a@h", source=tcp), binding("sip:b@h", source=HOP)], 0)
    location.replace("102", [binding("sip:c@h", source=tcp)], 0)
    gone = location.drop_source(("tcp", "192.0.2.9", 51000), 1)
    assert sorted(one.binding.contact for one in gone) == ["sip:a@h", "sip:c@h"]
    assert location.said[-1] == ("102", False) and location.is_registered("101", 1)
    assert location.drop_source(("tcp", "192.0.2.9", 51000), 1) == []


def test_remove_an_extension() -> None:
    location = Watched()
    location.replace("101", [binding()], 0)
    assert [one.kind for one in location.remove("101", 1)] == ["removed"] and location.remove("101", 1) == []
    assert location.said == [("101", True), ("101", False)]


def test_contacts_of_an_aor_are_bounded() -> None:
    location = Location()
    location.replace("101", [binding(f"sip:{n}@h") for n in range(1000)], 0)
    kept = location.contacts("101", 0)
    assert len(kept) == MAX_CONTACTS and kept[-1].contact == "sip:999@h"


def flow(reg_id: int, instance: str = "<urn:x>", q: float = 1.0, contact: str = "sip:a@h") -> Binding:
    return Binding(contact, "", q, 100, f"c{reg_id}", 1, HOP, HOP, instance, (), reg_id)


def test_flows_are_grouped_by_device_newest_first() -> None:
    """RFC 5626 6: one at a time of a device."""
    location = Location()
    plain = binding("sip:plain@h")
    location.replace("101", [flow(1), plain, flow(1, "<urn:y>"), flow(2)], 0)
    assert [[one.call_id for one in device] for device in location.devices("101", 1)] == [["c2", "c1"], ["c1"], ["c1"]]
    assert location.devices("101", 1)[1] == (plain,)
    assert location.devices("101", 1, "urn:y") == [(flow(1, "<urn:y>"),)]
    assert location.devices("101", 100) == [] and location.devices("102", 1) == []


def test_higher_q_first_among_devices_and_flows() -> None:
    location = Location()
    location.replace("101", [flow(1, q=0.2), flow(1, "<urn:y>", 0.5), flow(2), flow(3, q=0.5)], 0)
    assert [[one.q for one in device] for device in location.devices("101", 1)] == [[1.0, 0.5, 0.2], [0.5]]


def test_same_instance_without_reg_id_is_a_device_a_contact() -> None:
    location = Location()
    location.replace("101", [flow(0, contact="sip:a@h"), flow(0, contact="sip:b@h")], 0)
    assert len(location.devices("101", 1)) == 2


def test_a_closed_connection_takes_its_flow_alone() -> None:
    location = Watched()
    tcp = Hop("tcp", "192.0.2.9", 51000)
    location.replace("101", [flow(1), flow(2)._replace(source=tcp, hop=tcp)], 0)
    location.drop_source(tcp[:3], 1)
    assert location.contacts("101", 1) == [flow(1)] and location.said == [("101", True)]


def test_every_change_is_told_for_the_store() -> None:
    written: list[str] = []
    location = Location(on_write=written.append)
    location.replace("101", [binding()], 0)
    location.replace("101", [binding(expires_at=200)], 0)
    assert location.bindings("101") == (binding(expires_at=200),)
    location.expire(300)
    location.replace("101", [], 0)
    assert written == ["101"] * 3 and location.bindings("101") == ()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["101", "102", "103"]),
        st.lists(st.tuples(st.integers(1, 60), st.sampled_from([1.0, 0.5]), st.integers(1, 3)), max_size=3),
        st.integers(0, 30),
    ),
    max_size=20,
)


@settings(max_examples=150)
@given(STEPS)
def test_expiry_follows_a_plain_model(steps: list[tuple[str, list[tuple[int, float, int]], int]]) -> None:
    """Whatever is registered: nothing lives past its end, nothing dies before, on_change tells the truth."""
    location = Watched()
    model: dict[str, list[Binding]] = {}
    now = 0.0
    for aor, wishes, wait in steps:
        bindings = [
            binding(f"sip:{n}@h", now + life, q, Hop("udp", "h", port)) for n, (life, q, port) in enumerate(wishes)
        ]
        location.replace(aor, bindings, now)
        model[aor] = bindings
        now += wait
        while (due := location.next_deadline()) is not None and due <= now:
            location.expire(due)
        model = {name: [one for one in kept if one.expires_at > now] for name, kept in model.items()}
        living = {name for name, kept in model.items() if kept}
        assert {name for name, _ in location} == living == {n for n in model if dict(location.said).get(n)}
        for name, kept in model.items():
            assert set(location.contacts(name, now)) == set(kept)
        sources = {one.source[1:3] for kept in model.values() for one in kept}
        assert set(location._aors_by_source) == sources


def test_memory_per_contact() -> None:
    """At most 3 kB a contact, its texts included."""
    location = Location()
    gc.collect()
    tracemalloc.start()
    for n in range(1000):
        source = Hop("udp", f"192.0.2.{n % 250}", 10_000 + n)
        contact = f"sip:10{n}@192.168.100.{n % 250}:5060;transport=udp;line=abcdef{n}"
        params = f';+sip.instance="<urn:uuid:00000000-0000-4000-8000-{n:012d}>";reg-id=1'
        call_id = f"{n:032x}@192.168.100.{n % 250}"
        one = Binding(contact, params, 1.0, 1e9 + n, call_id, n, source, source, params[2:])
        location.replace(f"user{n}", [one], 0)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / 1000 < 3000
