"""The clock of the runtime: what one of its callers raises ends neither it nor the other."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import cast

import pytest

from dashboard import runtime
from dashboard.runtime import Runtime
from tests.support.waiting import wait_until


@pytest.mark.parametrize("failing", ["watch", "guard"])
def test_the_clock_goes_on_whatever_is_raised_in_it(monkeypatch, caplog, failing):
    ticks = {"watch": 0, "guard": 0}

    def tick(name: str) -> None:
        ticks[name] += 1
        if name == failing:
            raise ZeroDivisionError

    stopping, signed_in = threading.Event(), threading.Event()
    signed_in.set()
    half_made = SimpleNamespace(
        _stopping=stopping,
        _signed_in=signed_in,
        watch=SimpleNamespace(tick=lambda: tick("watch")),
        guard=SimpleNamespace(tick=lambda: tick("guard")),
        _acting=SimpleNamespace(submit=lambda _work: None),
        _sweep=None,
    )
    monkeypatch.setattr(runtime, "_TICK_S", 0.001)
    # Only its clock is wanted, without a sandbox and a store.
    clock = threading.Thread(target=Runtime._tick, args=[cast("Runtime", half_made)])
    clock.start()
    try:
        wait_until(lambda: min(ticks.values()) >= 3, within_s=20, what="both go on")
    finally:
        stopping.set()
        clock.join(20)
    assert [one.levelname for one in caplog.records] == ["ERROR"]
