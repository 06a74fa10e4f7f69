"""Every option of the ACD's benchmark is one that the queues of its load can have."""

from __future__ import annotations

import pytest

from acd.audit import audit
from bench.acd_load import Load
from bench.acd_variants import VARIANTS


@pytest.mark.parametrize("name", VARIANTS)
def test_all_queues_have_the_option(name: str) -> None:
    load = Load(60, 12, more=VARIANTS[name])
    load.fill()
    for _ in load.run(50):
        pass
    queues = load.site.queues
    assert all(VARIANTS[name].keys() <= queues[queue].model_fields_set for queue in queues if queue != "all")
    assert load.connected > 60 and audit(load.engine.floor) == []
