"""The engine's own times out of `metadata.elapsed`."""

from __future__ import annotations

import pytest

from dashboard.gateway.inference import _ANSWER_BEGAN, _ANSWERED, _SENT, Marks, engine_times


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


@pytest.mark.parametrize(
    ("engine_ms", "sent_ms"), [((0.1, 0.1), 9.0), ((0.5, 1.5), 7.3), ((5.0, 60.0), 0.0)]
)
def test_a_request_whose_end_was_noticed_late_was_out_before_the_engine_worked(engine_ms, sent_ms):
    seen_s = {_SENT: 1.009, _ANSWER_BEGAN: 1.0093, _ANSWERED: 1.0096}
    timing = Marks(started_s=1.0, seen_s=seen_s).timing([part * 1e6 for part in engine_ms])
    assert timing.send_ms == pytest.approx(sent_ms)
    assert timing.wait_ms == pytest.approx(9.3 - sent_ms)
    assert timing.total_ms == pytest.approx(9.6)
