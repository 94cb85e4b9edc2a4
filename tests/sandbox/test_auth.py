"""The log-in and what a token opens."""

from __future__ import annotations

import jwt
import pytest

from dashboard.sandbox.app import CONTROLS, ROUTES
from dashboard.sandbox.auth import Tokens, hash_password, password_fits
from tests.sandbox.conftest import LOGIN_PATH

OPEN = {
    "/v1/api/config",
    "/_sandbox/health",
    "/_sandbox/samples/{name}",
    LOGIN_PATH,
    "/auth/realms/master/protocol/openid-connect/auth/device",
}


def grant(platform, **form):
    return platform.http.post(LOGIN_PATH, data={"client_id": "sdk-client", **form})


def test_a_password_brings_the_four_fields_the_sdk_needs(empty):
    answer = grant(
        empty, grant_type="password", username=empty.username, password=empty.password
    ).json()
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert (answer["expires_in"], answer["refresh_expires_in"]) == (300, 1800)
    assert answer["refresh_token"]
    assert claims["email"] == empty.username
    assert claims["sub"]


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "password", "username": "you@sandbox.example"}, 401, "invalid_grant"),
        ({"grant_type": "password", "username": "x", "password": "y"}, 401, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "nonsense"}, 400, "invalid_grant"),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({}, 400, "unsupported_grant_type"),
    ],
)
def test_a_refused_log_in_has_keycloaks_form(empty, form, status, error):
    answer = grant(empty, **form)
    assert answer.status_code == status
    assert answer.json()["error"] == error


def test_the_device_flow_says_that_it_is_not_there(empty):
    answer = empty.http.post("/auth/realms/master/protocol/openid-connect/auth/device")
    assert answer.status_code == 501
    assert answer.json()["error"] == "unsupported_grant_type"


def test_an_access_token_ends_after_300_seconds(empty):
    headers = empty.headers()
    empty.clock.now += 299
    assert empty.http.post("/v1/api/users/query", headers=headers).status_code == 200
    empty.clock.now += 1
    answer = empty.http.post("/v1/api/users/query", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"msg": "Unauthorized", "code": 401})


def test_a_refresh_token_brings_a_new_access_token_until_it_ends(empty):
    form = {"grant_type": "password", "username": empty.username, "password": empty.password}
    refresh = grant(empty, **form).json()["refresh_token"]
    empty.clock.now += 1799
    renewed = grant(empty, grant_type="refresh_token", refresh_token=refresh)
    assert renewed.status_code == 200
    headers = {"Authorization": f"Bearer {renewed.json()['access_token']}"}
    assert empty.http.post("/v1/api/users/query", headers=headers).status_code == 200
    empty.clock.now += 1
    assert grant(empty, grant_type="refresh_token", refresh_token=refresh).status_code == 400


def test_a_refresh_token_is_no_access_token(empty):
    form = {"grant_type": "password", "username": empty.username, "password": empty.password}
    refresh = grant(empty, **form).json()["refresh_token"]
    headers = {"Authorization": f"Bearer {refresh}"}
    assert empty.http.post("/v1/api/users/query", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "entry", [e for e in (*ROUTES, *CONTROLS) if e.path not in OPEN], ids=lambda e: e.path
)
def test_every_other_route_needs_a_token(empty, entry):
    path = entry.path.replace("{", "").replace("}", "")
    answer = empty.http.request(entry.method, path)
    assert (answer.status_code, answer.json()) == (401, {"msg": "Unauthorized", "code": 401})


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "definitely_a_bearer_token_str", "Bearer a.b.c", "Basic eA=="],
)
def test_what_is_no_token_of_ours_is_refused(empty, header):
    answer = empty.http.post("/v1/api/connections/list", headers={"Authorization": header})
    assert answer.status_code == 401


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
def test_a_forged_token_is_refused(empty, algorithm):
    real = jwt.decode(empty.login(), options={"verify_signature": False})
    key = "another secret, long enough for HS256" if algorithm == "HS256" else ""
    forged = jwt.encode(real, key, algorithm=algorithm)
    headers = {"Authorization": f"Bearer {forged}"}
    assert empty.http.post("/v1/api/connections/list", headers=headers).status_code == 401


def test_tokens_outlive_a_restart_because_the_secret_is_kept_sealed(empty):
    token = empty.login()
    again = Tokens(empty.sandbox.store, empty.sandbox.vault, clock=empty.clock)
    user = again.user_of_access(token)
    assert user is not None
    assert user.email == empty.username


def test_the_users_answer_holds_no_password_hash(empty):
    users = empty.post("users/query").json()["users"]
    (user,) = users.values()
    assert set(user) == {
        "id",
        "username",
        "email",
        "enabled",
        "emailVerified",
        "createdTimestamp",
    }


def test_people_are_found_by_id_and_by_email(empty):
    person = empty.invite("ann@example.com")
    headers = empty.headers()
    users = "/auth/admin/realms/master/users"
    assert empty.http.get(f"{users}/{person}", headers=headers).json()["id"] == person
    assert empty.http.get(f"{users}/nobody", headers=headers).status_code == 404
    found = empty.http.get(users, params={"email": "ann@example.com"}, headers=headers).json()
    assert [each["id"] for each in found] == [person]
    only = empty.post("users/query", {"user_ids": [person]}).json()["users"]
    assert list(only) == [person]


def test_an_invited_person_can_log_in_and_is_invited_once(empty):
    empty.invite("ann@example.com")
    assert empty.login("ann@example.com", "pw")
    again = empty.post("users/invite", {"email": "ann@example.com"})
    assert again.status_code == 400
    assert "email" in again.json()["msg"]


def test_a_person_without_a_password_cannot_log_in(demo):
    answer = grant(demo, grant_type="password", username="john@sandbox.example", password="")
    assert answer.status_code == 401


def test_a_password_fits_only_its_own_hash():
    hashed = hash_password("right")
    assert password_fits("right", hashed)
    assert not password_fits("wrong", hashed)
    assert not password_fits("", None)
    assert hash_password("right") != hashed


def test_a_person_is_shut_out_and_let_in_again(empty):
    path = f"/auth/admin/realms/master/users/{empty.invite('ann@example.com')}"
    token = empty.headers("ann@example.com")
    form = {"grant_type": "password", "username": "ann@example.com", "password": "pw"}
    refresh = {
        "grant_type": "refresh_token",
        "refresh_token": grant(empty, **form).json()["refresh_token"],
    }
    out = {"enabled": False, "email": "other@example.com"}
    assert empty.http.put(path, json=out, headers=empty.headers()).status_code == 204
    assert empty.http.post("/v1/api/users/query", headers=token).status_code == 401
    assert grant(empty, **refresh).status_code == 400
    assert grant(empty, **form).json()["error_description"] == "Account disabled"
    answer = empty.http.put(path, json=out | {"enabled": True}, headers=empty.headers())
    assert answer.status_code == 204
    assert empty.http.post("/v1/api/users/query", headers=token).status_code == 200
    assert empty.http.get(path, headers=token).json()["email"] == "ann@example.com"


@pytest.mark.parametrize(
    ("person", "body", "status"),
    [
        ("nobody", {"enabled": True}, 404),
        ("me", {"enabled": False}, 400),
        ("me", {"enabled": "no"}, 400),
        ("me", {}, 400),
    ],
)
def test_who_cannot_be_changed_is_refused(empty, person, body, status):
    (me,) = empty.post("users/query").json()["users"]
    path = f"/auth/admin/realms/master/users/{me if person == 'me' else person}"
    assert empty.http.put(path, json=body, headers=empty.headers()).status_code == status
    assert empty.http.put(path, json={"enabled": True}).status_code == 401
