"""The engine's own times out of `metadata.elapsed`."""

from __future__ import annotations

import pytest

from dashboard.gateway.inference import Marks, engine_times


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [
        ([1_500_000, 20_000_000], (1.5, 20.0, False)),
        ([1_000_000, 2_000_000, 3_000_000], (1.0, 5.0, False)),
        ([1_000_000], (1.0, None, False)),
        ([4_294_967_295, 5], (None, None, True)),
        ([5, 4_294_967_295], (None, None, True)),
        ([1, 4_294_967_296], (1e-6, 4294.967296, False)),
        ([], (None, None, False)),
        (None, (None, None, False)),
        ("12", (None, None, False)),
        ([None, 5], (None, None, False)),
    ],
)
def test_elapsed_is_read_time_then_one_time_per_step(elapsed, expected):
    assert engine_times(elapsed) == expected


def test_a_request_that_was_never_answered_has_no_times():
    timing = Marks().timing(None)
    assert (timing.send_ms, timing.wait_ms, timing.receive_ms) == (None, None, None)
    assert timing.total_ms is None
