"""Figures of the states of flows: the fold, and what is asked of it over REST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from config.schema import Site
from cti.ivr_statistics import BY, MOST_AT_ONCE, IvrStatistics
from ivr.events import IvrDigits, IvrEnded, IvrNoInput, IvrStateEntered
from pbx.call.events import CallEnded

if TYPE_CHECKING:
    from tests.cti.conftest import Api

T0 = 1_795_305_600.0  # a full hour; one in the morning in Paris
SITE = Site.model_validate({
    "site": "test", "listen": {"sip": ["udp:127.0.0.1:5060"]}, "locale": {"timezone": "Europe/Paris"},
    "ivr": {"welcome": {"where": {"hang_up": True}, "bye": {"hang_up": True}}},
})  # fmt: skip


def statistics() -> IvrStatistics:
    made = IvrStatistics()
    made.reconfigure(SITE)
    return made


def entered(at: float, call: str, state: str = "where", flow: str = "welcome") -> IvrStateEntered:
    return IvrStateEntered(T0 + at, call, flow, state)


def ended(at: float, call: str, hung_up_by: str = "") -> IvrEnded:
    return IvrEnded(T0 + at, call, "welcome", "whatever", hung_up_by)


def over(at: float, call: str) -> CallEnded:
    return CallEnded(T0 + at, call, "caller hung up", 200, 0, 0, 0, 0.0)


def play(one: IvrStatistics, *events: Any) -> dict[str, dict[str, Any]]:
    """By name, all figures of this quarter."""
    for event in events:
        one.event(event)
    return {row["name"]: row["quarter"] for row in one.live(events[-1].at)}


def figures(
    entered: int, left: int, hung_up: int, ended: int, inputs: int, spent_s: float | None,
    no_match: int = 0, no_input: int = 0, unmatched: int = 0, silent: int = 0,
) -> dict[str, Any]:  # fmt: skip
    went = left + ended
    return {
        "entered": entered, "left": left, "hung_up": hung_up, "ended": ended, "inputs": inputs, "spent_s": spent_s,
        "no_match": no_match, "no_input": no_input, "unmatched": unmatched, "silent": silent,
        "unmatched_share": unmatched / went if went else None, "silent_share": silent / went if went else None,
    }  # fmt: skip


def keyed(at: float, call: str, matched: bool) -> IvrDigits:
    return IvrDigits(T0 + at, call, "welcome", "where", "1" if matched else "9", matched)


def unkeyed(at: float, call: str) -> IvrNoInput:
    return IvrNoInput(T0 + at, call, "welcome", "where")


def test_each_way_out_of_a_state() -> None:
    one = statistics()
    found = play(
        one,
        entered(0, "a"), keyed(2, "a", False), keyed(4, "a", True),
        entered(4, "a", "bye"), ended(7, "a", "flow"), over(7, "a"),
        entered(8, "b"), ended(9.5, "b", "caller"), over(9.5, "b"),
        entered(10, "c"), ended(12.5, "c"), over(60, "c"),
        entered(20, "d"),
    )  # fmt: skip
    assert found == {
        "welcome/bye": figures(1, 0, 0, 1, 0, 3.0),
        "welcome/where": figures(4, 2, 1, 0, 2, (4 + 1.5 + 2.5) / 3, no_match=1),
    }
    assert list(one.visits) == ["d"]


def test_what_callers_key_and_how_it_ends() -> None:
    """A menu: of those who went on, or were hung up by the flow, 2 of 5 said nothing at last, 1 was wrong."""
    found = play(
        statistics(),
        *(event for call in "ab" for event in (entered(0, call), unkeyed(5, call), unkeyed(10, call))),
        entered(10, "a", "bye"), ended(10, "b", "flow"),
        entered(0, "c"), unkeyed(5, "c"), keyed(10, "c", False), ended(10, "c"),
        entered(0, "d"), keyed(5, "d", False), unkeyed(10, "d"), keyed(10, "d", True), ended(10, "d"),
        entered(0, "e"), ended(10, "e"),
        entered(0, "f"), unkeyed(5, "f"), ended(10, "f", "caller"),
        entered(0, "g"), unkeyed(5, "g"),
    )["welcome/where"]  # fmt: skip
    assert found == figures(7, 4, 1, 1, 3, 10.0, no_match=2, no_input=8, unmatched=1, silent=2)
    assert (found["unmatched_share"], found["silent_share"]) == (0.2, 0.4)


def test_an_input_of_a_call_that_is_not_known_counts_as_an_input() -> None:
    found = play(statistics(), keyed(0, "a", False), unkeyed(1, "b"))
    assert found["welcome/where"] == figures(0, 0, 0, 0, 1, None, no_match=1, no_input=1)


def test_a_flow_that_leads_to_another_is_left() -> None:
    found = play(statistics(), entered(0, "a"), ended(1, "a"), entered(1, "a", "menu", "other"))
    assert found == {"other/menu": figures(1, 0, 0, 0, 0, None), "welcome/where": figures(1, 1, 0, 0, 0, 1.0)}


def test_a_call_that_died_with_the_server_ended_where_it_was() -> None:
    one = statistics()
    assert play(one, entered(0, "a"), over(5, "a"))["welcome/where"] == figures(1, 0, 1, 0, 0, 5.0)
    assert not one.visits
    assert play(one, over(6, "b")) == play(one, ended(6, "c", "caller")), "of calls that are not known"


def test_an_event_counts_when_it_happens_and_intervals_end_while_nothing_does() -> None:
    one = statistics()
    play(one, entered(899, "a"), entered(901, "a", "bye"))
    first = one.close(T0 + 902)
    assert [(one.state, one.start - T0, one.figures) for one in first] == [("where", 0, [1] + [0] * 9)]
    assert one.close(T0 + 902) == []
    assert {part.name: list(part.figures) for part in one.at_work(T0 + 902)} == {
        "welcome/where": [0, 1, 0, 0, 0, 2_000, 0, 0, 0, 0], "welcome/bye": [1] + [0] * 9,
    }  # fmt: skip
    assert one.at_work(T0 + 1_800) == one.at_work(T0 + 902), "over, and told nobody yet"
    assert {(one.state, one.start - T0) for one in one.close(T0 + 1_800)} == {("where", 900), ("bye", 900)}
    assert one.at_work(T0 + 1_800) == []
    (row,) = (row for row in one.live(T0 + 3_700) if row["name"] == "welcome/where")
    assert [row[span]["entered"] for span in ("quarter", "hour", "today")] == [0, 0, 1]
    assert row["hour"]["left"] == 1


def test_states_without_figures_are_forgotten_after_their_day() -> None:
    one = statistics()
    play(one, entered(0, "a"), ended(1, "a"), entered(1, "b", "gone", "before"), ended(2, "b"))
    assert one.names == {"welcome/where", "welcome/bye", "before/gone"}
    one.close(T0 + 82_800)  # midnight
    assert list(one.live(T0 + 82_800)) == [] and one.names == {"welcome/where", "welcome/bye"}


def test_very_many_states_are_told_in_pieces() -> None:
    one = statistics()
    for n in range(MOST_AT_ONCE + 1):
        one.event(entered(0, f"c{n}", f"state{n}"))
    assert [len(one.close(T0 + 900 + n)) for n in range(3)] == [MOST_AT_ONCE, 1, 0]


# --- over REST ------------------------------------------------------------------------------------------------------


async def test_now_and_history(api: Api) -> None:
    now = api.floor.clock.now()
    api.floor.ivr_statistics.event(IvrStateEntered(now, "c1", "welcome", "where"))
    body = (await api.call("GET", "/v1/statistics?by=ivr"))[1]
    assert body["by"] == "ivr" and body["rows"][0]["name"] == "welcome/where"
    assert body["rows"][0]["quarter"]["entered"] == body["rows"][0]["today"]["entered"] == 1
    assert (await api.call("GET", "/v1/statistics?by=ivr&name=welcome/where"))[1]["rows"] == body["rows"]
    rows = (await api.call("GET", "/v1/statistics?by=ivr&from=900&to=9000"))[1]["rows"]
    quarter = {"name": "welcome/where"} | figures(4, 1, 2, 0, 3, 3.0, 1, 2, 0, 1)
    assert rows == [{"start": start} | quarter for start in (900, 1_800)]
    hour = (await api.call("GET", "/v1/statistics?by=ivr&from=900&to=9000&step=hour"))[1]["rows"]
    assert hour == [{"start": 0, "name": "welcome/where"} | figures(8, 2, 4, 0, 6, 3.0, 2, 4, 0, 2)]
    begin = int(now // 900) * 900
    at_work = (await api.call("GET", f"/v1/statistics?by=ivr&from={begin}&to={begin + 900}&step=total"))[1]["rows"]
    assert at_work == [{"name": "welcome/where"} | figures(1, 0, 0, 0, 0, None)]


async def test_a_state_that_is_none_is_told(api: Api) -> None:
    api.floor.ivr_statistics.reconfigure(SITE)
    for span in ("", "&from=9000&to=9900"):
        assert (await api.call("GET", f"/v1/statistics?by=ivr&name=welcome/bye{span}"))[1]["rows"] == [], "known, idle"
        status, body, _ = await api.call("GET", f"/v1/statistics?by=ivr&name=welcome/wher{span}")
        assert (status, body["detail"]) == (404, "no ivr 'welcome/wher', did you mean welcome/where?")
    assert BY[-1] == "ivr"
