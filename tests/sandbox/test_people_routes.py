"""Administrators and users: who may let people in, change them and see what."""

from __future__ import annotations

import json

import pytest

from dashboard.sandbox.auth import hash_password
from dashboard.sandbox.datadir import ensure_account
from dashboard.sandbox.store import DATABASE_NAME, Store
from dashboard.sandbox.store.database import Database
from dashboard.sandbox.store.tables import MIGRATIONS
from dashboard.vault import Vault

USERS = "/auth/admin/realms/master/users"
ANN = "ann@example.com"


@pytest.fixture
def two(empty):
    """A platform with the administrator and one user."""
    empty.ann = empty.invite(ANN)
    (empty.me,) = [row["id"] for row in empty.sandbox.store.users.listing() if row["is_admin"]]
    return empty


def put(platform, path, body, as_user=""):
    return platform.http.put(f"{USERS}/{path}", json=body, headers=platform.headers(as_user))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("users/invite", {"email": "x@example.com"}),
        ("users/activate", {"email": ANN}),
        ("users/deactivate", {"email": ANN}),
        ("user", {"id": "x", "email": ANN, "enabled": True, "is_admin": True}),
    ],
)
def test_a_user_may_not_change_people(two, path, body):
    answer = two.post(path, body, as_user=ANN)
    assert (answer.status_code, answer.json()["code"]) == (403, 403)


def test_a_user_may_not_change_people_in_keycloak_either(two):
    assert put(two, two.me, {"enabled": False}, ANN).status_code == 403
    assert put(two, f"{two.me}/reset-password", {"value": "mine"}, ANN).status_code == 403
    assert two.login(), "the administrator still gets in"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "reset"),
        ("POST", "settings"),
        ("POST", "faults"),
        ("DELETE", "faults"),
        ("GET", "users"),
        ("POST", "users"),
    ],
)
def test_the_controls_of_the_sandbox_are_the_administrators(two, method, path):
    body = {"email": "x@example.com", "password": "pw"} if path == "users" else {}
    options = {} if method == "GET" else {"json": body}
    answer = two.http.request(method, f"/_sandbox/{path}", headers=two.headers(ANN), **options)
    assert answer.status_code == 403


def test_a_user_looks_people_up_as_the_sdk_does(two):
    headers = two.headers(ANN)
    assert two.http.get(f"{USERS}/{two.me}", headers=headers).json()["id"] == two.me
    assert len(two.http.get(USERS, headers=headers).json()) == 2
    assert len(two.post("users/query", as_user=ANN).json()["users"]) == 2


def test_an_invitation_without_a_password_answers_with_one(two):
    answer = two.post("users/invite", {"email": "bob@example.com", "roles": []}).json()
    assert set(answer) >= {"id", "password", "username", "enabled", "createdTimestamp"}
    assert two.login("bob@example.com", answer["password"])
    listed = two.http.get("/_sandbox/users", headers=two.headers()).json()["users"]
    assert {row["email"]: row["roles"] for row in listed} == {
        two.username: ["admin", "user"],
        ANN: ["user"],
        "bob@example.com": ["user"],
    }


def test_an_invited_administrator_may_invite(two):
    invited = {"email": "bob@example.com", "password": "pw", "roles": ["admin", "user"]}
    assert two.post("users/invite", invited).status_code == 200
    more = two.post("users/invite", {"email": "eve@example.com"}, as_user="bob@example.com")
    assert more.status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email": "no address"}, 400),
        ({"email": "bob@example.com", "roles": ["king"]}, 400),
        ({"email": "bob@example.com", "password": ""}, 400),
        ({"email": "ANN@EXAMPLE.COM"}, 400),
        ({"email": "\ud800@example.com"}, 400),
        ({"email": "bob@example.com", "require_reset": True}, 501),
    ],
)
def test_a_bad_invitation_is_refused(two, body, status):
    assert two.post("users/invite", body).status_code == status
    assert len(two.post("users/query").json()["users"]) == 2


def test_people_are_switched_off_and_on_by_address(two):
    token = two.headers(ANN)
    assert two.post("users/deactivate", {"email": ANN}).json() == {}
    assert two.http.post("/v1/api/users/query", headers=token).status_code == 401
    assert two.post("users/activate", {"email": ANN}).json() == {}
    assert two.http.post("/v1/api/users/query", headers=token).status_code == 200
    unknown = two.post("users/activate", {"email": "nobody@example.com"})
    assert (unknown.status_code, unknown.json()["msg"]) == (400, "email: there is no such user")
    assert two.post("users/deactivate", {"email": two.username}).status_code == 400


def edited(platform, user_id, **over):
    body = {
        "id": user_id,
        "first_name": "Ann",
        "last_name": "Lee",
        "email": ANN,
        "enabled": True,
        "is_admin": False,
    }
    return platform.post("user", body | over)


def test_a_person_is_edited(two):
    assert edited(two, two.ann, email="lee@example.com", is_admin=True).json() == {}
    found = two.http.get(f"{USERS}/{two.ann}", headers=two.headers()).json()
    assert (found["firstName"], found["lastName"]) == ("Ann", "Lee")
    assert found["email"] == "lee@example.com"
    assert two.login("lee@example.com", "pw")
    assert two.login(ANN, "pw"), "the user name stays"
    assert two.post("users/invite", {"email": "x@example.com"}, as_user=ANN).status_code == 200


@pytest.mark.parametrize(
    "over",
    [{"id": "nobody"}, {"email": "you@sandbox.example"}, {"email": "x"}, {"enabled": "yes"}],
)
def test_a_wrong_edit_is_refused(two, over):
    assert edited(two, over.pop("id", two.ann), **over).status_code == 400


def test_nobody_takes_their_own_rights_away(two):
    own = {"email": two.username}
    assert edited(two, two.me, is_admin=False, **own).status_code == 400
    assert edited(two, two.me, enabled=False, is_admin=True, **own).status_code == 400
    assert edited(two, two.me, is_admin=True, **own).status_code == 200


def test_a_new_password_signs_a_person_out_everywhere(two):
    token = two.headers(ANN)
    path = f"{two.ann}/reset-password"
    assert (
        put(two, path, {"type": "password", "value": "new", "temporary": False}).status_code == 204
    )
    assert two.http.post("/v1/api/users/query", headers=token).status_code == 401
    assert two.login(ANN, "new")
    assert put(two, path, {"value": "x", "temporary": True}).status_code == 501
    assert put(two, path, {"value": ""}).status_code == 400
    assert put(two, "nobody/reset-password", {"value": "x"}).status_code == 404


def test_the_control_makes_people_of_both_kinds(two):
    for email, role in (("bob@example.com", "admin"), ("eve@example.com", "user")):
        made = two.http.post(
            "/_sandbox/users",
            json={"email": email, "password": "pw", "role": role},
            headers=two.headers(),
        ).json()
        assert made["roles"][0] == role
        assert "password" not in made
        assert two.login(email, "pw")
    again = two.http.post(
        "/_sandbox/users", json={"email": ANN, "password": "pw"}, headers=two.headers()
    )
    assert again.status_code == 400


def test_people_outlive_a_reset(two):
    two.http.post("/_sandbox/reset", json={"seed": "empty"}, headers=two.headers())
    assert two.login(ANN, "pw")


def test_the_account_of_an_older_folder_becomes_the_administrator(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    hashed = hash_password("kept")
    old = Database(folder / DATABASE_NAME, migrations=MIGRATIONS[:1], clock=lambda: 0.0)
    for name in ("you@sandbox.example", ANN):
        row = {"id": name, "username": name, "email": name, "password_hash": hashed}
        old.insert("users", row | {"created_at": old.now()})
    old.close()
    account = {"username": "you@sandbox.example", "password": "kept"}
    (folder / "credentials.json").write_text(json.dumps(account))
    store = Store(folder, Vault(b"k" * 32), clock=lambda: 0.0)
    try:
        assert ensure_account(store, folder) == "you@sandbox.example"
        assert {row["id"]: row["is_admin"] for row in store.users.listing()} == {
            "you@sandbox.example": 1,
            ANN: 0,
        }
    finally:
        store.close()
