"""Calls to customers: which numbers may be called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.call.originate import NotDialled
from pbx.call.outbound import CustomerCalls

from .office import Office


@pytest.fixture
def customers(tmp_path: Path) -> Iterator[CustomerCalls]:
    office = Office(tmp_path)
    yield CustomerCalls(office.switch)
    assert office.leaks() == {}


@pytest.mark.parametrize("through", [None, "carrier"])
def test_no_number_of_ours_is_called(customers: CustomerCalls, through: str | None) -> None:
    """By a trunk, too: the carrier would send the call back, and an agent would talk to the next in the queue."""
    with pytest.raises(NotDialled, match="a number of ours") as error:
        customers.check("+33180000001", through)
    assert error.value.why == "number"


@pytest.mark.parametrize("through", [None, "carrier"])
def test_others_may_be_called(customers: CustomerCalls, through: str | None) -> None:
    customers.check("+33612345678", through)


def test_a_trunk_that_there_is_not(customers: CustomerCalls) -> None:
    with pytest.raises(NotDialled, match="no trunk nix"):
        customers.check("+33612345678", "nix")
