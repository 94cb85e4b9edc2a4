"""Workspaces and who is in them."""

from __future__ import annotations

import pytest


def create(platform, name="ws", as_user=""):
    return platform.post("workspaces/create", {"workspace_name": name}, as_user=as_user)


def listed(platform, as_user=""):
    return platform.post("workspaces/list", as_user=as_user).json()["workspaces"]


def test_a_created_workspace_is_listed_with_all_the_sdk_requires(empty):
    workspace_id = create(empty).json()["workspace_id"]
    (item,) = listed(empty)
    assert item["id"] == workspace_id
    assert (item["name"], item["archived"], item["models"], item["pipelines"]) == (
        "ws",
        False,
        [],
        [],
    )
    assert item["users"] == [{"user_id": item["created_by"]}]


def test_a_duplicate_name_is_refused(empty):
    create(empty)
    assert create(empty).status_code == 400
    assert len(listed(empty)) == 1


@pytest.mark.parametrize("body", [{}, {"workspace_name": ""}, {"workspace_name": 3}])
def test_a_bad_name_is_a_400_that_names_the_field(empty, body):
    answer = empty.post("workspaces/create", body)
    assert answer.status_code == 400
    assert answer.json()["msg"].startswith("workspace_name:")


def test_people_see_only_the_workspaces_they_are_in(empty):
    ann = empty.invite("ann@example.com")
    mine = create(empty, "mine").json()["workspace_id"]
    create(empty, "theirs", as_user="ann@example.com")
    assert [each["name"] for each in listed(empty)] == ["mine"]
    assert [each["name"] for each in listed(empty, "ann@example.com")] == ["theirs"]
    body = {"workspace_id": mine, "user_id": ann, "user_type": "collaborator", "url": "x"}
    assert empty.post("workspaces/add_user", body).status_code == 200
    assert [each["name"] for each in listed(empty, "ann@example.com")] == ["mine", "theirs"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("connections/list", {}),
        ("models/list", {}),
        ("pipelines/list_pipelines", {}),
        ("pipelines/create", {"pipeline_id": "p"}),
    ],
)
def test_a_strangers_workspace_is_a_403_and_a_missing_one_a_404(empty, path, body):
    empty.invite("ann@example.com")
    theirs = create(empty, "theirs", as_user="ann@example.com").json()["workspace_id"]
    assert empty.post(path, body | {"workspace_id": theirs}).status_code == 403
    assert empty.post(path, body | {"workspace_id": 99}).status_code == 404


def test_only_an_owner_adds_people(empty):
    ann = empty.invite("ann@example.com")
    bob = empty.invite("bob@example.com")
    workspace_id = create(empty).json()["workspace_id"]
    empty.post(
        "workspaces/add_user",
        {"workspace_id": workspace_id, "user_id": ann, "user_type": "collaborator"},
    )
    body = {"workspace_id": workspace_id, "user_id": bob, "user_type": "owner"}
    assert empty.post("workspaces/add_user", body, as_user="ann@example.com").status_code == 403
    assert empty.post("workspaces/add_user", body).status_code == 200
    assert empty.post("workspaces/add_user", body | {"user_id": "nobody"}).status_code == 404
    assert empty.post("workspaces/add_user", body | {"user_type": "king"}).status_code == 400


MEMBERS = "query($id: bigint!) { workspace_by_pk(id: $id) { users { user_id user_type } } }"


def members(platform, workspace_id):
    return platform.graphql(MEMBERS, id=workspace_id)["data"]["workspace_by_pk"]["users"]


def test_members_are_told_with_what_they_are(empty):
    ann = empty.invite("ann@example.com")
    workspace_id = create(empty).json()["workspace_id"]
    for user_type in ("collaborator", "owner"):
        body = {"workspace_id": workspace_id, "user_id": ann, "user_type": user_type}
        assert empty.post("workspaces/add_user", body).status_code == 200
        kinds = {each["user_id"]: each["user_type"] for each in members(empty, workspace_id)}
        assert kinds.pop(ann) == user_type.upper()
        assert list(kinds.values()) == ["OWNER"]


def test_a_person_is_added_by_address_alone_whatever_its_case(empty):
    ann = empty.invite("ann@example.com")
    workspace_id = create(empty).json()["workspace_id"]
    body = {"workspace_id": workspace_id, "email": "ANN@example.com"}
    assert empty.post("workspaces/add_user", body).json()["user_id"] == ann
    assert len(members(empty, workspace_id)) == 2


@pytest.mark.parametrize("key", ["user_id", "email"])
@pytest.mark.parametrize("value", ["\ud800", "", "x" * 5000, "'; DROP TABLE users"])
def test_a_person_who_cannot_be_is_refused_and_nothing_breaks(empty, key, value):
    workspace_id = create(empty).json()["workspace_id"]
    answer = empty.post("workspaces/add_user", {"workspace_id": workspace_id, key: value})
    assert answer.status_code in (400, 404)
    assert len(members(empty, workspace_id)) == 1


def test_a_workspace_keeps_its_last_owner(empty):
    workspace_id = create(empty).json()["workspace_id"]
    (me,) = members(empty, workspace_id)
    body = {
        "workspace_id": workspace_id,
        "user_id": me["user_id"],
        "user_type": "collaborator",
    }
    assert empty.post("workspaces/add_user", body).status_code == 400
    assert members(empty, workspace_id) == [me]
    ann = empty.invite("ann@example.com")
    other = {"workspace_id": workspace_id, "user_id": ann, "user_type": "owner"}
    assert empty.post("workspaces/add_user", other).status_code == 200
    assert empty.post("workspaces/add_user", body).status_code == 200


def test_people_are_told_by_id_to_whoever_asks(empty):
    ann = empty.invite("ann@example.com")
    answer = empty.post("users/query", {"user_ids": [ann, "nobody", "\ud800"]})
    assert {key: each["email"] for key, each in answer.json()["users"].items()} == {
        ann: "ann@example.com"
    }


def test_keycloak_finds_an_address_with_a_plus(empty):
    ann = empty.invite("ann+x@example.com")
    path = "/auth/admin/realms/master/users?email=ann%2Bx%40example.com"
    (found,) = empty.http.get(path, headers=empty.headers()).json()
    assert found["id"] == ann


@pytest.fixture
def shared(empty):
    """A workspace of Ann's, with Bob in it; the administrator and Eve are not."""
    people = {name: empty.invite(f"{name}@example.com") for name in ("ann", "bob", "eve")}
    workspace_id = create(empty, as_user="ann@example.com").json()["workspace_id"]
    body = {"workspace_id": workspace_id, "user_id": people["bob"]}
    assert empty.post("workspaces/add_user", body, as_user="ann@example.com").status_code == 200
    return empty, workspace_id, people


def kinds(platform, workspace_id, as_user=""):
    answer = platform.post("workspaces/list_users", {"workspace_id": workspace_id}, as_user=as_user)
    if answer.status_code != 200:
        return answer.status_code
    return {row["user_id"]: row["user_type"] for row in answer.json()["users"]}


def remove(platform, workspace_id, as_user="", **who):
    body = {"workspace_id": workspace_id} | who
    return platform.post("workspaces/remove_user", body, as_user=as_user)


def test_members_and_administrators_see_who_is_in_a_workspace(shared):
    platform, workspace_id, people = shared
    expected = {people["ann"]: "OWNER", people["bob"]: "COLLABORATOR"}
    assert kinds(platform, workspace_id, "bob@example.com") == expected
    assert kinds(platform, workspace_id) == expected
    assert kinds(platform, workspace_id, "eve@example.com") == 403
    assert kinds(platform, 99) == 404
    assert kinds(platform, 99, "eve@example.com") == 404


@pytest.mark.parametrize(("who", "status"), [("bob", 403), ("eve", 403), ("ann", 200), ("", 200)])
def test_an_owner_or_an_administrator_takes_people_out(shared, who, status):
    platform, workspace_id, people = shared
    platform.post(
        "workspaces/add_user",
        {"workspace_id": workspace_id, "user_id": people["eve"]},
        as_user="ann@example.com",
    )
    target = "bob" if who == "eve" else "eve"
    as_user = f"{who}@example.com" if who else ""
    answer = remove(platform, workspace_id, as_user, email=f"{target}@example.com")
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"affected_rows": 1}
        assert people[target] not in kinds(platform, workspace_id)
        again = remove(platform, workspace_id, as_user, user_id=people[target])
        assert again.json() == {"affected_rows": 0}


def test_a_collaborator_may_leave_and_the_last_owner_may_not(shared):
    platform, workspace_id, people = shared
    last = remove(platform, workspace_id, "ann@example.com", user_id=people["ann"])
    assert (last.status_code, last.json()["msg"]) == (400, "user_id: a workspace needs an owner")
    assert remove(platform, workspace_id, user_id=people["ann"]).status_code == 400
    left = remove(platform, workspace_id, "bob@example.com", user_id=people["bob"])
    assert left.json() == {"affected_rows": 1}
    assert listed(platform, "bob@example.com") == []
    assert (
        remove(platform, workspace_id, "bob@example.com", user_id=people["bob"]).status_code == 403
    )


def test_an_administrator_adds_people_to_any_workspace_and_sees_it_only_as_a_member(shared):
    platform, workspace_id, _ = shared
    assert listed(platform) == []
    body = {"workspace_id": workspace_id, "email": platform.username, "user_type": "owner"}
    assert platform.post("workspaces/add_user", body, as_user="eve@example.com").status_code == 403
    assert platform.post("workspaces/add_user", body, as_user="bob@example.com").status_code == 403
    assert platform.post("workspaces/add_user", body).status_code == 200
    assert [each["id"] for each in listed(platform)] == [workspace_id]
    missing = body | {"workspace_id": 99}
    assert platform.post("workspaces/add_user", missing).status_code == 404


def test_an_administrator_who_is_a_collaborator_has_the_rights_of_one(shared):
    platform, workspace_id, people = shared
    body = {"workspace_id": workspace_id, "email": platform.username}
    assert platform.post("workspaces/add_user", body).status_code == 200
    body["email"] = "eve@example.com"
    assert platform.post("workspaces/add_user", body).status_code == 403
    assert remove(platform, workspace_id, user_id=people["bob"]).status_code == 403
    remove_by_graphql = """mutation { delete_workspace_users(where: {user_id: {_eq: "%s"}})
        { affected_rows } }"""
    answer = platform.graphql(remove_by_graphql % people["bob"])
    assert answer["data"]["delete_workspace_users"] == {"affected_rows": 0}


def test_an_administrator_lists_the_workspaces_of_others(shared):
    platform, workspace_id, people = shared
    body = {"user_id": people["bob"]}
    found = platform.post("workspaces/list", body).json()["workspaces"]
    assert [each["id"] for each in found] == [workspace_id]
    assert platform.post("workspaces/list", body, as_user="eve@example.com").status_code == 403
    own = platform.post("workspaces/list", body, as_user="bob@example.com")
    assert own.json()["workspaces"] == found
    assert platform.post("workspaces/list", {"user_id": "nobody"}).json()["workspaces"] == []


def test_the_generated_clients_empty_fields_are_taken(shared):
    platform, workspace_id, people = shared
    body = {"workspace_id": workspace_id, "user_id": people["eve"], "email": None}
    body |= {"user_type": None, "url": None}
    assert platform.post("workspaces/add_user", body).json()["user_type"] == "COLLABORATOR"
    assert platform.post("workspaces/validate").json() == {}
