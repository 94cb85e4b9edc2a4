from __future__ import annotations

from dashboard.domain.idle import GuardView
from dashboard.services.leaving import Left, leaving

GUARDED = Left("hf-summarizer", "press-desk", GuardView(minutes=45))
OFF = Left("house-price", "press-desk", GuardView())
FOREIGN = Left("theirs\x1b[2J\n", "x", None)


def test_nothing_that_runs_is_no_sentence():
    assert leaving([], is_sandbox=True) == ()


def test_on_an_instance_each_pipeline_goes_on_and_the_guard_does_not():
    first, *told = leaving([GUARDED, OFF, FOREIGN], is_sandbox=False)
    assert "go on running" in first
    assert "after 45 min without a request, but only while the dashboard runs" in told[0]
    assert "house-price (press-desk): the idle guard is off." in told[1]
    assert "not watched" in told[2]


def test_in_the_sandbox_everything_stops_and_is_deployed_again():
    first, told = leaving([GUARDED], is_sandbox=True)
    assert "stops with the dashboard" in first
    assert "again at the next start" in first
    assert "only while" not in told


def test_a_name_cannot_steer_the_terminal():
    assert all(line.isprintable() for line in leaving([FOREIGN], is_sandbox=False))
