from __future__ import annotations

from dataclasses import asdict, field, fields, replace

from config.frozen import frozen


@frozen
class Told:
    at: float
    name: str = ""
    among: tuple[str, ...] = field(default=(), repr=False)


@frozen
class ToldTwice(Told):
    again: int = 0


def test_is_a_value_like_any_other_dataclass() -> None:
    one = Told(1.0, "ann", ("ben",))
    assert one == Told(1.0, "ann", ("ben",)) != Told(2.0, "ann", ("ben",))
    assert len({one, Told(1.0, "ann", ("ben",)), ToldTwice(1.0, "ann")}) == 2
    assert [each.name for each in fields(ToldTwice)] == ["at", "name", "among", "again"]
    assert replace(one, name="cid") == Told(1.0, "cid", ("ben",)) and asdict(one)["name"] == "ann"
    assert not hasattr(one, "__dict__") and repr(one) == "Told(at=1.0, name='ann')"
