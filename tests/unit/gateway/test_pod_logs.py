from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import pytest

from dashboard.domain.pipeline import Pipeline
from dashboard.errors import Conflict
from dashboard.gateway import pod_logs
from dashboard.masking import Secret

T0 = datetime(2026, 1, 1, tzinfo=UTC)
PIPE = Pipeline(7, "hf-summarizer", 1, "press-desk", T0, T0)
OWN = ((1, "press-desk"), (2, "lab"))


def lines(
    status: int, body: object, *, limit: int = 60, rooms: Sequence[tuple[int, str]] = OWN
) -> tuple[tuple[str, ...], dict[str, object]]:
    """Return what is read of an answer, and what was asked."""
    asked: dict[str, object] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        asked.update(json.loads(request.content), path=request.url.path)
        return httpx.Response(status, json=body)

    client = httpx.Client(base_url="http://h.example", transport=httpx.MockTransport(answer))
    sdk = SimpleNamespace(
        list_workspaces=lambda _client: [{"id": number, "name": name} for number, name in rooms]
    )
    session = SimpleNamespace(client=SimpleNamespace(httpx_client=client), sdk=sdk)
    # Only the HTTP client of a session is used, and its list of workspaces.
    found = pod_logs.newest_lines(session, PIPE, "engine-sidekick-1", limit)  # type: ignore[arg-type]
    return found, asked


def test_the_newest_lines_of_a_process_are_asked_for_by_name():
    found, asked = lines(200, {"logs": ["last", "first"]})
    assert found == ("last", "first")
    assert asked == {
        "path": "/v1/api/pipelines/get_sidekick_pod_logs",
        "pipeline_name": "hf-summarizer",
        "workspace_name": "press-desk",
        "sidekick_name": "engine-sidekick-1",
        "limit": 60,
    }


def test_more_lines_than_asked_for_are_cut():
    assert len(lines(200, {"logs": ["x"] * 9}, limit=4)[0]) == 4


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_platform_that_gives_no_logs_gives_no_lines(status):
    assert lines(status, {"msg": "no", "code": status})[0] == ()


@pytest.mark.parametrize("body", [{}, {"logs": None}, {"logs": "x"}, []])
def test_an_answer_of_another_kind_holds_no_lines(body):
    assert lines(200, body)[0] == ()


def test_a_failure_of_the_platform_is_a_failure():
    with pytest.raises(httpx.HTTPStatusError):
        lines(500, {})


def test_a_secret_that_a_process_has_written_is_not_told():
    secret = Secret("hf_planted-token-77aa")
    found, _ = lines(200, {"logs": [f"OSError: {secret.reveal()}", "next"]})
    assert "planted" not in str(found)
    assert found[1] == "next"


def test_a_name_that_two_workspaces_have_is_not_asked_by():
    with pytest.raises(Conflict, match="several workspaces called press-desk"):
        lines(200, {"logs": ["of the other one"]}, rooms=[(1, "press-desk"), (9, "press-desk")])


def test_a_workspace_that_has_taken_the_name_of_an_own_one_is_not_asked_either():
    with pytest.raises(Conflict):
        lines(200, {"logs": ["of the other one"]}, rooms=[(9, "press-desk")])


def test_a_workspace_that_is_not_listed_is_for_the_platform_to_refuse():
    assert lines(404, {"msg": "no"}, rooms=[])[0] == ()
