"""Agents, and the rules of the floor that hold for all of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.conferences import Pin
from config.fields import Expected, Level, Names, Seconds, SipUri, Skill
from config.model import Model

CHANNELS = ("call", "callback", "chat", "mail")
Channel = Literal["call", "callback", "chat", "mail"]
Unanswered = Literal["not ready", "rest"]


class Agent(Model):
    """A person who answers. Reached at `extension`, or at a fixed `contact` (then always registered), or where he logs
    in with his `code` (and `pin`)."""

    extension: str | None = None
    contact: SipUri | None = None
    code: Annotated[str, Field(pattern=r"^[0-9]{1,16}$"), Expected("1 to 16 digits")] | None = None
    pin: Pin | None = None
    name: str = ""
    skills: Annotated[dict[Skill, Level], Expected("skills and levels, as {asia: 5}")] = Field(default_factory=dict)
    queues: Annotated[dict[str, Level], Expected("queues and levels, as {asia: 1}")] | None = None
    weight: int = Field(default=1, ge=1, le=100)
    channels: dict[Channel, Annotated[int, Field(ge=0, le=50)]] = Field(default={"call": 1})
    wrap_up_s: float | None = Field(default=None, ge=0)
    nailed_up: bool = False
    login: Literal["by agent", "always"] = "by agent"

    @model_validator(mode="after")
    def _one_phone(self) -> Agent:
        if self.extension is not None and self.contact is not None:
            raise ValueError("expected either extension or contact")
        if self.extension is None and self.contact is None and self.code is None:
            raise ValueError("expected either extension or contact, or a code to log in with")
        return self


class NotAnswered(Model):
    """What becomes of an agent whose phone did not take an offered call: `not ready`, until he presses ready; or he
    rests for `rest_s`, twice as long each time in a row up to `rest_at_most_s`."""

    no_answer: Unanswered = "not ready"
    rejected: Unanswered = "not ready"
    busy: Unanswered = "not ready"
    unregistered: Unanswered = "rest"
    failed: Unanswered = "rest"
    rest_s: Seconds = 5
    rest_at_most_s: Seconds = 60


class PhoneCodes(Model):
    """What an agent hears who dials a destination `agent ...`: prompts."""

    ask_code: Names = ("tone:beep",)
    ask_pin: Names = ("tone:beep",)
    wrong: Names = ("tone:sit",)
    done: Names = ("tone:beep", "tone:beep")


class Acd(Model):
    """Rules of the floor. `interrupts`: work of which channels an agent may get while at work of others."""

    not_ready_reasons: Names = ()
    not_answered: NotAnswered = NotAnswered()
    wrap_up_at_most_s: Seconds = 600
    interrupts: dict[Channel, tuple[Channel, ...]] = Field(
        default={"call": ("chat", "mail"), "callback": ("chat", "mail")}
    )
    phone_codes: PhoneCodes = PhoneCodes()
    explain_candidates: int = Field(default=5, ge=0, le=50)
