"""Several baresip phones at once, each with a tone of its own: who hears whose."""

from __future__ import annotations

import asyncio

import pytest

from bench.softphones import Phone, Softphones, answer
from bench.softphones.call import PhoneCall
from tests.wire.conftest import Office

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

TONES = {"103": 440.0, "105": 620.0, "106": 850.0}


async def phones(office: Office, baresip: Softphones) -> list[Phone]:
    found = []
    for extension, tone_hz in TONES.items():
        phone = await baresip.phone(
            extension, server=office.plateau.sip, password="wire", tone_hz=tone_hz, policy=answer()
        )  # fmt: skip
        assert await phone.register() == 200
        found.append(phone)
    return found


async def hears(call: PhoneCall, *wanted: str) -> None:
    """All of these tones, and none of the others: two at once share the sound, so each has nearly half of it."""
    part = 0.8 / max(len(wanted), 1)
    for extension in wanted:
        heard = await call.hear(TONES[extension], share=part, window_s=0.4)
        assert heard.heard, (extension, heard)
    for extension in TONES.keys() - set(wanted):
        heard = await call.hear(TONES[extension], within_s=0.8, share=0.1, window_s=0.4)
        assert not heard.heard, (extension, heard)


async def test_three_in_a_room_hear_each_other_and_not_themselves(office: Office, baresip: Softphones) -> None:
    members = await phones(office, baresip)
    calls = [await phone.call("1010") for phone in members]
    for call in calls:
        await call.established()
    await asyncio.sleep(0.5)
    names = list(TONES)
    for call, own in zip(calls, names, strict=True):
        await hears(call, *(name for name in names if name != own))
    await calls[1].hang_up()
    await asyncio.sleep(0.5)
    await hears(calls[0], "106")  # two are left, and bridged
    await hears(calls[2], "103")
    for call in (calls[0], calls[2]):
        await call.hang_up()


async def test_a_whispering_supervisor_is_heard_by_the_agent_alone(office: Office, baresip: Softphones) -> None:
    agent, customer, supervisor = await phones(office, baresip)
    call = await customer.call("103")
    there = await agent.next_call()
    await call.established()
    await hears(call, "103")
    listening = await supervisor.call("*41103")
    await listening.established()
    await asyncio.sleep(0.5)
    await hears(listening, "103", "105")
    await hears(there, "105", "106")
    await hears(call, "103")
    await listening.press("4")  # monitor
    await asyncio.sleep(0.7)
    await hears(there, "105")
    await call.hang_up()
    await listening.ended()
