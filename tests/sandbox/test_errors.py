"""What goes wrong leaves in the wire's own form, and says nothing it should not."""

from __future__ import annotations

import logging

import pytest

from dashboard.sandbox.app import CONTROLS, ROUTES
from dashboard.sandbox.routes.entry import Support
from tests.sandbox.conftest import PORT

WIRE_KEYS = {"msg", "code"}
#: The engine's form, and that of the metrics.
OTHER_FORMS = ({"code", "status", "error", "source"}, {"status", "errorType", "error"})
TAKES_BODIES = [
    entry
    for entry in (*ROUTES, *CONTROLS)
    if entry.method == "POST" and "/auth/" not in entry.path and entry.support is not Support.NOT
]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/api/nothing"),
        ("GET", "/v1/api/nothing"),
        ("GET", "/v1/api/connections/list"),
        ("DELETE", "/v1/api/connections/list"),
        ("POST", "/v1/api/connections/list/"),
        ("POST", "/v1/api/assays/list"),
        ("PATCH", "/v1/graphql"),
        ("GET", "/"),
        ("OPTIONS", "/v1/graphql"),
        ("POST", "/_sandbox/nothing"),
    ],
)
def test_what_is_not_imitated_is_a_501_in_the_wires_form(empty, method, path):
    answer = empty.http.request(method, path, headers=empty.headers(), follow_redirects=False)
    assert answer.status_code == 501
    assert set(answer.json()) == WIRE_KEYS
    assert answer.json()["code"] == 501


@pytest.mark.parametrize("entry", TAKES_BODIES, ids=lambda entry: entry.path)
def test_no_odd_body_is_a_server_error(demo, entry):
    path = entry.path.replace("{", "").replace("}", "")
    for body in (b"[]", b"{", b"\xff\xfe", b"null", b'"text"', b"[" * 50_000):
        answer = demo.http.post(path, content=body, headers=demo.headers())
        assert answer.status_code < 500, (body[:10], answer.text)
        if answer.status_code >= 400:
            assert set(answer.json()) in (WIRE_KEYS, *OTHER_FORMS)


@pytest.mark.parametrize("number", [-1, 2**63, 10**30, 1.5, "1", True, None, [], {}])
def test_an_odd_id_is_a_400_that_names_the_field(demo, number):
    answer = demo.post("models/get", {"id": number})
    assert answer.status_code == 400
    assert answer.json()["msg"].startswith("id:")


def test_a_bad_value_is_not_quoted_back(empty):
    body = {"name": "c", "type": {"password": "planted-secret-8831"}, "details": {}}
    answer = empty.post("connections/create", body)
    assert answer.status_code == 400
    assert "planted-secret-8831" not in answer.text


def test_a_defect_is_a_500_without_traceback_and_a_log_without_texts(empty, monkeypatch, caplog):
    planted = "planted-secret-1177"

    def broken(*_):
        raise RuntimeError(planted)

    monkeypatch.setattr(empty.sandbox.store.connections, "by_name", broken)
    with caplog.at_level(logging.ERROR):
        answer = empty.post("connections/get", {"name": planted})
    assert answer.status_code == 500
    assert set(answer.json()) == WIRE_KEYS
    assert "Traceback" not in answer.text
    assert "RuntimeError" in caplog.text
    assert "test_errors.py" in caplog.text
    assert planted not in answer.text + caplog.text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1",
        f"127.0.0.1:{PORT + 1}",
        f"127.0.0.1.evil.example:{PORT}",
        f"0.0.0.0:{PORT}",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/_sandbox/health", "/v1/api/config"])
def test_a_foreign_host_name_is_a_403(empty, host, path):
    answer = empty.http.get(path, headers={"Host": host})
    assert (answer.status_code, set(answer.json())) == (403, WIRE_KEYS)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
def test_the_sandboxs_own_names_are_served(empty, host):
    answer = empty.http.get("/_sandbox/health", headers={"Host": f"{host}:{PORT}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1:8501", 403),
        (f"https://127.0.0.1:{PORT}", 403),
        (f"http://127.0.0.1:{PORT}", 200),
        (f"http://localhost:{PORT}", 200),
    ],
)
def test_only_the_sandboxs_own_origin_may_call(empty, origin, status):
    headers = empty.headers() | {"Origin": origin}
    answer = empty.http.post("/v1/api/connections/list", headers=headers)
    assert answer.status_code == status


def test_every_answer_tells_its_server_time(empty):
    header = empty.post("connections/list").headers["server-timing"]
    assert header.startswith("app;dur=")
    assert float(header.partition("=")[2]) >= 0
