"""Clients at once see what each alone would see: nothing half-made, no 5xx, no other's answer."""

from __future__ import annotations

import asyncio

from tests.bench import clients
from tests.support.sandbox import running_sandbox

_MIX = {"reads": 3, "writes": 3, "deploys": 1, "inferences": 1}
_SECONDS = 5.0


def test_eight_clients_for_some_seconds_see_no_error(tmp_path):
    with running_sandbox(tmp_path / "data") as sandbox:
        tally = asyncio.run(clients.run(sandbox, _MIX, seconds=_SECONDS, pause_s=0.02))
    assert tally.errors == []
    # Each kind came to work, however slow the machine.
    assert {kind for kind, waited in tally.waited_ms.items() if waited} == {*_MIX, "polls"}
