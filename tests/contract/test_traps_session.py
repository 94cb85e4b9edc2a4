"""Traps of log-in, threads, time limits and errors that hold for every call."""

from __future__ import annotations

import logging
import os
import threading
import time

import pytest

from dashboard.errors import (
    AccessDenied,
    AuthenticationFailed,
    DashboardError,
    PlatformUnreachable,
    TimedOut,
    UnexpectedAnswer,
)
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from dashboard.masking import SecretDetails
from tests.contract.scripted import (
    DENIED,
    ENGINE_ANSWER,
    GRAPHQL,
    INFER,
    ITEM,
    LIST,
    SECRET,
    TOKEN_PATH,
    deployment,
    describe,
    graphql,
    infer,
    listed,
)


def test_the_shared_token_file_of_the_sdk_is_never_written(gateway, platform, ann):
    platform.scripts[LIST] = listed(ITEM)
    gateway.list_connections(ann)
    home = os.environ["HOME"]
    files = [name for _, _, names in os.walk(home) for name in names]
    assert "keycloak.json" not in files


def test_two_people_in_one_process_stay_two(gateway, platform, ann):
    bob = gateway.sign_in("bob", platform.account())
    platform.scripts[LIST] = listed(ITEM)
    for who in (ann, bob, ann):
        gateway.list_connections(who)
    sent = [request.token for request in platform.requests("connections/list")]
    assert sent == [platform.tokens_given[0], platform.tokens_given[1], platform.tokens_given[0]]


def test_a_platform_task_variable_does_not_change_the_log_in(gateway, platform, ann, monkeypatch):
    monkeypatch.setenv("WALLAROO_TASK_ID", "12")
    monkeypatch.setenv("WALLAROO_SDK_CREDENTIALS", "mine.json")
    platform.scripts[LIST] = listed(ITEM)
    assert gateway.list_connections(ann)
    assert os.environ["WALLAROO_TASK_ID"] == "12"
    assert os.environ["WALLAROO_SDK_CREDENTIALS"] == "mine.json"


def test_a_refused_token_is_renewed_and_a_read_sent_once_more(gateway, platform, ann):
    stale = platform.tokens_given[0]

    def list_all(_body):
        return listed(ITEM) if platform.seen[-1].token != stale else DENIED

    platform.scripts[LIST] = list_all
    assert [found.name for found in gateway.list_connections(ann)] == ["sample"]
    assert len(platform.requests("connections/list")) == 2


def test_a_token_that_stays_refused_is_one_retry_and_then_a_sign_in_error(gateway, platform, ann):
    platform.scripts[LIST] = DENIED
    with pytest.raises(AuthenticationFailed):
        gateway.list_connections(ann)
    assert len(platform.requests("connections/list")) == 2


def test_a_write_with_a_refused_token_is_sent_once_only(gateway, platform, ann):
    platform.scripts["/v1/api/connections/create"] = DENIED
    with pytest.raises(AuthenticationFailed):
        gateway.create_connection(
            ann, name="new", connection_type="HTTP", details=SecretDetails({"url": "x"})
        )
    assert len(platform.requests("connections/create")) == 1
    assert len(platform.tokens_given) == 2, "the next press must find a fresh token"


def test_the_token_is_refreshed_at_seven_tenths_of_its_life(platform):
    now = [1000.0]
    gateway = WallarooGateway(base_url=platform.url, describe=describe, clock=lambda: now[0])
    ann = gateway.sign_in("ann", platform.account())
    platform.scripts[LIST] = listed()
    now[0] += 0.69 * platform.expires_in_s
    gateway.list_connections(ann)
    now[0] += 0.02 * platform.expires_in_s
    gateway.list_connections(ann)
    gateway.close()
    grants = [request.body.split("grant_type=")[1] for request in platform.requests("/token")]
    assert [grant.split("&")[0] for grant in grants] == ["password", "refresh_token"]


def test_many_threads_share_a_gateway_without_an_error(gateway, platform, ann):
    platform.scripts[LIST] = listed(ITEM)
    platform.scripts[GRAPHQL] = graphql(DashboardPipelines={"pipeline": []})
    problems: list[Exception] = []

    def work():
        try:
            for _ in range(10):
                gateway.list_connections(ann)
                gateway.list_pipelines(ann)
        except DashboardError as exc:
            problems.append(exc)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(platform.requests("/v1/graphql")) == 80


def test_a_dead_host_is_unreachable(platform, gateway, ann):
    gateway.rebase("http://127.0.0.1:9")
    with pytest.raises(PlatformUnreachable):
        gateway.list_connections(ann)


@pytest.mark.parametrize("path", [LIST, GRAPHQL])
def test_an_answer_that_drips_ends_at_the_limit(platform, path):
    gateway = WallarooGateway(base_url=platform.url, describe=describe, call_timeout_s=1.0)
    ann = gateway.sign_in("ann", platform.account())
    platform.scripts[LIST] = listed(ITEM)
    platform.scripts[GRAPHQL] = (200, {"data": {"pipeline": []}, "filler": "x" * 100})
    platform.drip_s[path] = 0.05
    began = time.monotonic()
    with pytest.raises(TimedOut):
        gateway.list_connections(ann) if path == LIST else gateway.list_pipelines(ann)
    gateway.close()
    # To its end it would take more than 5 s.
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, {"msg": "not yours", "code": 403}, AccessDenied),
        (429, {"msg": "busy", "code": 429}, TimedOut),
        (502, b"<html>bad gateway</html>", PlatformUnreachable),
        (500, b"not json", UnexpectedAnswer),
        (500, {"detail": "no msg"}, UnexpectedAnswer),
        (500, [1, 2], UnexpectedAnswer),
        (307, b"", UnexpectedAnswer),
        (200, b"<html>hello</html>", UnexpectedAnswer),
        (200, {"connections": [{"id": 1}]}, UnexpectedAnswer),
        (200, None, UnexpectedAnswer),
    ],
)
def test_every_answer_becomes_one_of_our_errors(gateway, platform, ann, status, body, error):
    platform.scripts[LIST] = (status, body)
    with pytest.raises(error):
        gateway.list_connections(ann)


def test_an_unknown_failure_is_logged_redacted_under_its_id(gateway, platform, ann, caplog):
    SecretDetails({"token": SECRET})
    platform.scripts[LIST] = (200, {"connections": [{"id": SECRET}]})
    platform.scripts[GRAPHQL] = (200, {"errors": [{"message": f"what is {SECRET}?"}]})
    with caplog.at_level(logging.DEBUG):
        for call in (gateway.list_connections, gateway.list_pipelines):
            with pytest.raises(UnexpectedAnswer) as caught:
                call(ann)
            assert caught.value.error_id in caplog.text
            assert SECRET not in str(caught.value)
    assert "Traceback" in caplog.text
    assert SECRET not in caplog.text
    assert platform.tokens_given[0] not in caplog.text


def test_a_graphql_refusal_with_status_200_is_a_sign_in_error(gateway, platform, ann):
    refusal = {"message": "Could not verify JWT", "extensions": {"code": "invalid-jwt"}}
    platform.scripts[GRAPHQL] = (200, {"errors": [refusal]})
    with pytest.raises(AuthenticationFailed):
        gateway.list_pipelines(ann)


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(platform, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    gateway = WallarooGateway(base_url=platform.url, describe=describe)
    ann = gateway.sign_in("ann", platform.account())
    platform.scripts[LIST] = listed(ITEM)
    platform.scripts[GRAPHQL] = graphql(
        DashboardPipelines={"pipeline": []},
        DashboardDeployment={"pipeline_by_pk": deployment(deployed=True)},
    )
    platform.scripts[INFER] = (200, ENGINE_ANSWER)
    assert gateway.list_connections(ann)
    assert gateway.list_pipelines(ann) == ()
    assert infer(gateway, ann).rows
    gateway.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors as Linux does")
def test_calls_leave_no_descriptor_behind(gateway, platform, ann):
    platform.scripts[LIST] = listed(ITEM)
    platform.scripts[GRAPHQL] = graphql(DashboardPipelines={"pipeline": []})

    def both():
        gateway.list_connections(ann)
        gateway.list_pipelines(ann)

    both()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        both()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_bodies_are_not_logged_by_the_libraries_below(gateway, platform, ann, caplog):
    platform.scripts[LIST] = listed(ITEM)
    platform.scripts[GRAPHQL] = graphql(DashboardPipelines={"pipeline": [], "x": SECRET})
    with caplog.at_level(logging.DEBUG):
        gateway.list_connections(ann)
        gateway.list_pipelines(ann)
    assert SECRET not in caplog.text
    assert TOKEN_PATH not in caplog.text
