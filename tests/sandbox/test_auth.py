"""The log-in and what a token opens."""

from __future__ import annotations

import jwt
import pytest

from dashboard.sandbox.app import CONTROLS, ROUTES
from dashboard.sandbox.auth import Tokens, hash_password, password_fits
from dashboard.sandbox.datadir import ensure_account
from dashboard.sandbox.store.sessions import Sessions
from tests.sandbox.conftest import LOGIN_PATH

OPEN = {
    "/v1/api/config",
    "/_sandbox/health",
    "/_sandbox/samples/{name}",
    *(entry.path for entry in ROUTES if entry.path.startswith("/auth/realms/")),
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


@pytest.mark.parametrize("algorithm", ["HS256", "public key", "none"])
def test_a_forged_token_is_refused(empty, algorithm):
    real = jwt.decode(empty.login(), options={"verify_signature": False})
    key = {"HS256": "another secret, long enough for HS256", "none": ""}.get(algorithm)
    if key is None:
        # Everybody has the public key: it must not pass for a shared secret.
        (public,) = empty.sandbox.tokens.public_keys()
        key, algorithm = public["n"], "HS256"
    forged = jwt.encode(real, key, algorithm=algorithm)
    headers = {"Authorization": f"Bearer {forged}"}
    assert empty.http.post("/v1/api/connections/list", headers=headers).status_code == 401


def test_tokens_outlive_a_restart_because_the_secret_is_kept_sealed(empty):
    token = empty.login()
    again = Tokens(empty.sandbox.store, empty.sandbox.vault, clock=empty.clock)
    user = again.user_of_access(token)
    assert user is not None
    assert user.email == empty.username


def test_a_refresh_token_is_used_up_and_a_thief_ends_the_session(empty):
    form = {"grant_type": "password", "username": empty.username, "password": empty.password}
    first = grant(empty, **form).json()
    renew = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = grant(empty, **renew).json()
    assert second["refresh_token"] != first["refresh_token"]
    # The SDK's processes share a file and refresh at once: the late one gets the same successor.
    empty.clock.now += 59
    late = grant(empty, **renew).json()
    ids = [
        jwt.decode(each["refresh_token"], options={"verify_signature": False})["jti"]
        for each in (second, late)
    ]
    assert ids[0] == ids[1]
    empty.clock.now += 1
    assert grant(empty, **renew).status_code == 400
    assert grant(empty, **renew | {"refresh_token": late["refresh_token"]}).status_code == 400
    headers = {"Authorization": f"Bearer {late['access_token']}"}
    assert empty.http.post("/v1/api/users/query", headers=headers).status_code == 401


def test_a_refresh_token_is_its_programs_own(empty):
    form = {"grant_type": "password", "username": empty.username, "password": empty.password}
    renew = {
        "grant_type": "refresh_token",
        "refresh_token": grant(empty, **form).json()["refresh_token"],
    }
    assert grant(empty, **renew | {"client_id": "dashboard"}).status_code == 400
    assert grant(empty, **renew).status_code == 200


def test_a_session_ends_after_ten_hours_however_often_it_is_renewed(empty):
    form = {"grant_type": "password", "username": empty.username, "password": empty.password}
    tokens = grant(empty, **form).json()
    for _ in range(36_000 // 1_500 - 1):
        empty.clock.now += 1_500
        tokens = grant(
            empty, grant_type="refresh_token", refresh_token=tokens["refresh_token"]
        ).json()
        assert "access_token" in tokens
    assert tokens["refresh_expires_in"] == 1_500
    empty.clock.now += 1_500
    renewed = grant(empty, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert renewed.status_code == 400


def test_an_offline_token_has_no_end_and_is_not_used_up(empty):
    form = {"grant_type": "password", "username": empty.username, "password": empty.password}
    tokens = grant(empty, **form, scope="offline_access").json()
    assert tokens["refresh_expires_in"] == 0
    renew = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    for _ in range(3):
        empty.clock.now += 86_400
        assert grant(empty, **renew).status_code == 200


def test_a_sign_out_outlives_a_restart(empty):
    token = empty.login()
    session = empty.sandbox.tokens.session_of(token)
    empty.sandbox.store.sessions.end(session["id"])
    again = Sessions(empty.sandbox.store.database)
    assert again.has_ended(session["id"])


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_id": ""}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_id": "dashboard"}, 400, "unauthorized_client"),
        ({"scope": "everything"}, 400, "invalid_scope"),
    ],
)
def test_only_a_registered_program_gets_a_token(empty, form, status, error):
    whole = {"grant_type": "password", "username": empty.username, "password": empty.password}
    answer = grant(empty, **whole | form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_program_may_name_itself_by_a_header(empty):
    form = {"grant_type": "password", "username": empty.username, "password": empty.password}
    answer = empty.http.post(LOGIN_PATH, data=form, auth=("api-client", "any secret"))
    assert answer.status_code == 200
    said = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert said["azp"] == "api-client"


def test_a_token_says_what_a_person_is(empty):
    empty.invite("ann@example.com")
    roles = [
        jwt.decode(token, options={"verify_signature": False})["realm_access"]["roles"]
        for token in (empty.login(), empty.login("ann@example.com", "pw"))
    ]
    assert roles == [["admin", "user"], ["user"]]


def test_the_account_of_the_folder_is_an_administrator_again_after_a_restart(empty, tmp_path):
    (me,) = empty.sandbox.store.users.listing()
    empty.sandbox.store.users.add("ann@example.com", password_hash=None, is_admin=True)
    empty.sandbox.store.users.set_admin(me["id"], is_admin=False)
    assert ensure_account(empty.sandbox.store, tmp_path / "data") == me["id"]
    assert empty.sandbox.store.users.by_id(me["id"])["is_admin"]


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
