"""Traps of inference: repeated requests, hidden errors, times that are none."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dashboard.errors import (
    InferenceFailed,
    RequestTooLarge,
    TimedOut,
    UnexpectedAnswer,
)
from tests.contract.scripted import (
    DENIED,
    ENGINE_ANSWER,
    GRAPHQL,
    INFER,
    PIPELINE,
    graphql,
    infer,
)


def test_an_inference_gives_rows_metadata_and_times(gateway, deployed, ann):
    answer = infer(gateway, ann)
    assert answer.rows == (
        {
            "time": 1795355056259,
            "in.inputs": "A long text.",
            "out.summary_text": "Short.",
            "anomaly.count": 0,
        },
    )
    assert answer.metadata["elapsed"] == [1_500_000, 20_000_000]
    assert (answer.timing.engine_read_ms, answer.timing.model_ms) == (1.5, 20.0)
    assert answer.timing.wait_ms is not None
    assert answer.timing.total_ms is not None


@pytest.mark.parametrize("status", [500, 503])
def test_a_failed_inference_is_sent_once(gateway, deployed, ann, status):
    deployed.scripts[INFER] = (
        status,
        {"code": status, "status": "Error", "error": "out of memory", "source": "engine"},
    )
    with pytest.raises(InferenceFailed) as caught:
        infer(gateway, ann)
    assert caught.value.message == "out of memory"
    assert len(deployed.requests("infer/hf-summarizer-5/hf-summarizer")) == 1


def test_a_slow_inference_ends_at_its_limit_and_is_sent_once(gateway, deployed, ann):
    deployed.drip_s[INFER] = 0.05
    began = time.monotonic()
    with pytest.raises(TimedOut):
        infer(gateway, ann, timeout_s=0.3)
    # To its end it would take more than 5 s.
    assert time.monotonic() - began < 4
    assert len(deployed.requests("infer/hf-summarizer-5/hf-summarizer")) == 1


@pytest.mark.parametrize("body", [b"<html>", [], {"outputs": 1}, [{"out.x": 1}]])
def test_an_engine_answer_that_makes_no_sense_is_unexpected(gateway, deployed, ann, body):
    deployed.scripts[INFER] = (200, body)
    with pytest.raises(UnexpectedAnswer):
        infer(gateway, ann)


def test_an_engine_that_forgot_the_pipeline_says_not_deployed(gateway, deployed, ann):
    deployed.scripts[INFER] = (404, {"msg": "no such deployment", "code": 404})
    with pytest.raises(InferenceFailed):
        infer(gateway, ann)


def test_a_pipeline_that_is_not_deployed_opens_no_session(gateway, platform, ann):
    record = {"id": 3, "deployment": None}
    platform.scripts[GRAPHQL] = graphql(DashboardDeployment={"pipeline_by_pk": record})
    with pytest.raises(InferenceFailed):
        infer(gateway, ann)


def test_an_inference_renews_a_refused_token(gateway, deployed, ann):
    stale = deployed.tokens_given[0]

    def reply(_body):
        return (200, ENGINE_ANSWER) if deployed.seen[-1].token != stale else DENIED

    deployed.scripts[INFER] = reply
    assert infer(gateway, ann).rows


def test_values_go_out_whole_and_as_records_of_a_frame_would(gateway, deployed, ann):
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    row = {
        "share": 0.123456789012345678,
        "tiny": 1e-12,
        "gap": float("nan"),
        "at": noon,
        "naive": noon.replace(tzinfo=None),
        "day": noon.date(),
        "took": timedelta(seconds=1.5),
        "price": Decimal("3.50"),
        "raw": b"abc",
        "tensor": [[1.5, float("inf")], [None, 2]],
        "nested": {"deep": noon},
    }

    async def run():
        async with gateway.open_inference(ann, PIPELINE) as session:
            await session.infer([row, row], timeout_s=2.0)

    asyncio.run(run())
    (request,) = deployed.requests("infer/hf-summarizer-5/hf-summarizer")
    noon_ms = 1_795_348_800_000
    sent = {
        "share": 0.123456789012345678,
        "tiny": 1e-12,
        "gap": None,
        "at": noon_ms,
        "naive": noon_ms,
        "day": noon_ms - 12 * 3_600_000,
        "took": 1500,
        "price": 3.5,
        "raw": "abc",
        "tensor": [[1.5, None], [None, 2]],
        "nested": {"deep": noon_ms},
    }
    assert request.body == [sent, sent]
    assert request.headers["content-type"] == "application/json; format=pandas-records"


def test_a_request_that_is_too_large_is_told_from_other_refusals(gateway, deployed, ann):
    deployed.scripts[INFER] = (413, b"<html>Request Entity Too Large</html>")
    with pytest.raises(RequestTooLarge, match="larger than the platform takes"):
        infer(gateway, ann)
