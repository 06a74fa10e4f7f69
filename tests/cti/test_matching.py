from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cti.domain_events import WebSessionMatched
from cti.matching import MAX_GUESSES
from cti.models import WebSessionPost

if TYPE_CHECKING:
    from tests.cti.conftest import FakeCall, Floor


def post(floor: Floor, session_id: str, **fields: Any) -> None:
    session = floor.sessions.upsert(WebSessionPost.model_validate({"id": session_id, **fields}), floor.clock.now())
    floor.matching.on_session(session)


@pytest.fixture
def shop(floor: Floor) -> Floor:
    """A session for each way of matching."""
    post(floor, "by-token", name="Token", basket={"amount": 2300.0}, destination="asia", language="fr")
    post(floor, "by-code-1", name="Code", basket={"amount": 50.0})
    post(floor, "by-phone", name="Phone", phone_numbers=["+33 6 12 34 56 78"], destination="cruise")
    return floor


def test_a_token_in_the_header_is_certain(shop: Floor, make_call: type[FakeCall]) -> None:
    call = make_call(headers={"X-Web-Session": " by-token "})
    shop.matching.on_call(call)
    assert call.attributes == {
        "web_session": "by-token", "match_method": "token", "match_confidence": 1.0,
        "basket": 2300.0, "customer": "Token", "destination": "asia", "language": "fr",
    }  # fmt: skip
    assert shop.events == [WebSessionMatched(shop.clock.now(), "call-1", "by-token", "token", 1.0)]


def test_caller_id_is_the_last_resort(shop: Floor, make_call: type[FakeCall]) -> None:
    call = make_call(from_number="0033612345678", headers={"X-Web-Session": "unknown-token"})
    shop.matching.on_call(call)
    assert (call.attributes["match_method"], call.attributes["match_confidence"]) == ("caller_id", 0.7)
    assert "basket" not in call.attributes


def test_nobody_is_matched_without_cause(shop: Floor, floor: Floor, make_call: type[FakeCall]) -> None:
    call = make_call(from_number="anonymous")
    shop.matching.on_call(call)
    assert not call.attributes and not shop.events and not shop.matching._joined


def test_a_typed_code_replaces_the_caller_id_and_all_it_said(shop: Floor, make_call: type[FakeCall]) -> None:
    call = make_call()
    shop.matching.on_call(call)
    assert call.attributes["destination"] == "cruise"
    code, _ = shop.sessions.code("by-code-1", shop.clock.now())
    assert shop.matching.on_gathered(call, "web_code", code)
    assert call.attributes == {
        "web_session": "by-code-1", "match_method": "code", "match_confidence": 0.95,
        "basket": 50.0, "customer": "Code", "destination": "",
    }  # fmt: skip
    post(shop, "by-phone", name="Somebody else")
    assert call.attributes["customer"] == "Code", "the first session has no part in this call any more"


def test_worse_or_equal_never_replaces(shop: Floor, make_call: type[FakeCall]) -> None:
    call = make_call(headers={"X-Web-Session": "by-token"})
    shop.matching.on_call(call)
    code, _ = shop.sessions.code("by-code-1", shop.clock.now())
    assert shop.matching.on_gathered(call, "web_code", code), "the code was good"
    assert call.attributes["web_session"] == "by-token"
    shop.matching.on_call(call)
    assert len(shop.events) == 1


def test_other_gathered_digits_are_none_of_its_business(shop: Floor, make_call: type[FakeCall]) -> None:
    code, _ = shop.sessions.code("by-code-1", shop.clock.now())
    assert not shop.matching.on_gathered(make_call(), "account", code)


def test_guesses_are_limited_slips_are_not(shop: Floor, make_call: type[FakeCall]) -> None:
    from cti.codes import make_code

    call, other = make_call(), make_call("call-2")
    code, _ = shop.sessions.code("by-code-1", shop.clock.now())
    slip = code[:-1] + str((int(code[-1]) + 1) % 10)
    for wrong in [slip] * 9 + [make_code(900_000 + n) for n in range(MAX_GUESSES)]:
        assert not shop.matching.on_gathered(call, "web_code", wrong)
    assert not shop.matching.on_gathered(call, "web_code", code), "too late"
    assert shop.matching.on_gathered(other, "web_code", code), "every call counts for itself"
    assert shop.counters["web_codes_mistyped"] == 9
    assert shop.counters["web_codes_unknown"] == MAX_GUESSES and shop.counters["web_codes_refused"] == 1


def test_the_destination_chosen_in_the_ivr_stays(shop: Floor, make_call: type[FakeCall]) -> None:
    call = make_call(attributes={"destination": "europe"}, headers={"X-Web-Session": "by-token"})
    shop.matching.on_call(call)
    assert call.attributes["destination"] == "europe"
    post(shop, "by-token", destination="americas")
    assert call.attributes["destination"] == "europe"


def test_an_updated_session_updates_its_calls_and_their_pops(shop: Floor, make_call: type[FakeCall]) -> None:
    call = make_call(headers={"X-Web-Session": "by-token"})
    shop.matching.on_call(call)
    shop.pops.offer(call, "marie", "asia", 1, lambda: None)
    before = shop.hub.sequence
    post(shop, "by-token", basket={"amount": 3000.0}, destination="europe", language=None)
    assert call.attributes["basket"] == 3000.0 and call.attributes["destination"] == "europe"
    assert call.attributes["language"] == ""
    assert shop.hub.sequence == before + 1, "the pop `updated`"


def test_a_basket_counts_in_euros_only(shop: Floor, make_call: type[FakeCall]) -> None:
    call = make_call(headers={"X-Web-Session": "by-token"})
    shop.matching.on_call(call)
    post(shop, "by-token", basket={"amount": 9e6, "currency": "JPY"})
    assert call.attributes["basket"] == 0


def test_the_end_of_a_call_leaves_nothing(shop: Floor, make_call: type[FakeCall]) -> None:
    for headers in ({"X-Web-Session": "by-token"}, {}):
        call = make_call(headers=headers)
        shop.matching.on_call(call)
        shop.matching.on_gathered(call, "web_code", "0000000")
        shop.matching.on_ended(call.id)
        shop.matching.on_ended(call.id)
    assert not shop.matching._joined and not shop.matching._calls_of


def test_memory_is_bounded(shop: Floor, make_call: type[FakeCall], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cti.matching.MAX_CALLS", 2)
    for n in range(4):
        shop.matching.on_call(make_call(f"call-{n}", headers={"X-Web-Session": "by-token"}))
    assert len(shop.matching._joined) == 2 and shop.counters["web_matches_refused"] == 2
