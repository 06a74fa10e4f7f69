"""Why calls end (RFC 3326): what we say, and what is passed on."""

from __future__ import annotations

import pytest

from pbx.call.reason import in_words

from .test_flows import talking
from .world import World


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("", ""), ("Q.850;cause=16", ""), ('q.850 ;cause=31;text="Normal"', ""), ("SIP;cause=200", ""), ("rubbish", ""),
        ("Q.850;cause=41", " (Q.850 41)"), ('SIP ; text="x;y" ; cause=503', " (SIP 503)"),
    ],
)  # fmt: skip
def test_in_words(reason: str, words: str) -> None:
    assert in_words(reason) == words


def test_ours_is_normal_call_clearing(world: World) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    carrier.follow("BYE", invite, tag, cseq=2)
    carrier.response(200)
    bye = phone.request("BYE")
    assert bye.get("Reason") == 'Q.850;cause=16;text="Normal call clearing"'
    phone.answer(bye, 200)
    assert world.named("CallEnded")[0].cause == "caller hung up"  # type: ignore[attr-defined]


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_the_peers_is_passed_on_and_kept_in_the_record(world: World, side: str) -> None:
    carrier, invite, tag, phone, request = talking(world)
    extra = 'Reason: Q.850;cause=41;text="Failure of 10.0.0.7"\r\n'  # the text may name what nobody is to know
    if side == "caller":
        carrier.follow("BYE", invite, tag, cseq=2, extra=extra)
        carrier.response(200)
        other = phone
        assert world.named("CallEnded")[0].cause == "caller hung up (Q.850 41)"  # type: ignore[attr-defined]
    else:
        phone.bye(request, extra=extra)
        phone.response(200)
        other = carrier
        assert world.named("LegEnded")[0].cause == "callee hung up (Q.850 41)"  # type: ignore[attr-defined]
    bye = other.request("BYE")
    assert bye.get("Reason") == "Q.850;cause=41"
    other.answer(bye, 200)


@pytest.mark.parametrize("reason", ["x" * 300, "nonsense", ";cause=16", 'SIP;cause="200"'])
def test_what_is_no_reason_is_not_passed_on(world: World, reason: str) -> None:
    carrier, invite, tag, phone, _ = talking(world)
    carrier.follow("BYE", invite, tag, cseq=2, extra=f"Reason: {reason}\r\n")
    carrier.response(200)
    bye = phone.request("BYE")
    assert bye.get("Reason") == 'Q.850;cause=16;text="Normal call clearing"'
    phone.answer(bye, 200)


def test_a_bye_that_waits_for_its_ack_keeps_its_reason(world: World) -> None:
    """15: not before the ACK of our 200; the reason of the other side's end is told then."""
    carrier, invite, tag, phone, request = talking(world, acknowledge=False)
    phone.bye(request, extra="Reason: Q.850;cause=38\r\n")
    phone.response(200)
    assert not carrier.inbox
    carrier.follow("ACK", invite, tag)
    bye = carrier.request("BYE")
    assert bye.get("Reason") == "Q.850;cause=38"
    carrier.answer(bye, 200)
