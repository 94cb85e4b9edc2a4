from __future__ import annotations

import logging

from dashboard.services.failures import Steady


def test_a_call_that_fails_is_logged_and_made_again(caplog):
    made: list[int] = []
    now = [0.0]

    def fail() -> None:
        made.append(1)
        raise ZeroDivisionError

    call = Steady(fail, clock=lambda: now[0])
    with caplog.at_level(logging.ERROR):
        for _ in range(100):
            call()
            now[0] += 0.25
        assert len(made) == 100
        assert len(caplog.records) == 1
        assert caplog.records[0].exc_info is not None
        now[0] += 60
        call()
        assert len(caplog.records) == 2
