"""The seven calls on connections, as the wire has them."""

from __future__ import annotations

import pytest

ITEM_KEYS = {"id", "name", "type", "details", "created_at", "workspace_names"}


def create(platform, name="c", kind="HTTP", details=None):
    body = {"name": name, "type": kind, "details": {"url": "u"} if details is None else details}
    return platform.post("connections/create", body)


def names(platform, body=None):
    return [each["name"] for each in platform.post("connections/list", body).json()["connections"]]


def workspace(platform, name="ws") -> int:
    return int(platform.post("workspaces/create", {"workspace_name": name}).json()["workspace_id"])


def test_create_answers_the_whole_connection(empty):
    answer = create(empty, "summary-sample-connection", "HTTP", {"url": "http://x"})
    item = answer.json()
    assert answer.status_code == 200
    assert set(item) == ITEM_KEYS
    assert item["details"] == {"url": "http://x"}
    assert item["workspace_names"] == []
    assert empty.post("connections/get_by_id", {"id": item["id"]}).json() == item
    assert empty.post("connections/get", {"name": item["name"]}).json() == item


def test_a_duplicate_name_is_a_409_and_changes_nothing(empty):
    first = create(empty, "same", details={"url": "first"}).json()
    answer = create(empty, "same", details={"url": "second"})
    assert answer.status_code == 409
    assert answer.json()["code"] == 409
    assert "same" in answer.json()["msg"]
    assert empty.post("connections/get", {"name": "same"}).json() == first


@pytest.mark.parametrize(
    "name",
    ["", " ", "My amazing connection", "<b>x</b>", "é漢😀", "a/b\\c\n", "'; DROP TABLE", "\0"],
)
def test_names_and_types_are_free_text(empty, name):
    assert create(empty, name, name).status_code == 200
    item = empty.post("connections/get", {"name": name}).json()
    assert (item["name"], item["type"]) == (name, name)
    assert names(empty) == [name]


@pytest.mark.parametrize(
    "details", [None, [], "text", 0, 1.5, True, {}, {"a": {"b": [1, None, "é"]}}, {"": "\ud800"}]
)
def test_details_may_be_any_json(empty, details):
    answer = empty.post("connections/create", {"name": "c", "type": "t", "details": details})
    assert answer.status_code == 200
    assert empty.post("connections/list").json()["connections"][0]["details"] == details


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": 5, "type": "HTTP", "details": {}}, "name"),
        ({"name": "c", "details": {}}, "type"),
        ({"name": "c", "type": "HTTP"}, "details"),
        ({"name": "\ud800", "type": "HTTP", "details": {}}, "name"),
        ({"name": "c", "type": "HTTP", "details": "x" * 2_000_000}, "details"),
        (["not", "an", "object"], "body"),
    ],
)
def test_a_bad_body_is_a_400_that_names_the_field(empty, body, field):
    answer = empty.post("connections/create", body)
    assert answer.status_code == 400
    assert answer.json()["msg"].startswith(f"{field}:")


@pytest.mark.parametrize("text", [b"{", b"\xff", b'{"details": NaN}', b"[" * 100_000, b'{"a":'])
def test_what_is_no_json_is_a_400(empty, text):
    answer = empty.http.post("/v1/api/connections/create", content=text, headers=empty.headers())
    assert (answer.status_code, answer.json()["code"]) == (400, 400)


def test_a_number_too_large_for_json_is_a_400(empty):
    text = b'{"name":"c","type":"t","details":{"n":1e999}}'
    answer = empty.http.post("/v1/api/connections/create", content=text, headers=empty.headers())
    assert (answer.status_code, answer.json()["msg"]) == (400, "details: are not valid JSON")


def test_a_body_too_large_is_a_400_with_a_reason(empty):
    body = b" " * (5 * 1024 * 1024)
    answer = empty.http.post("/v1/api/connections/create", content=body, headers=empty.headers())
    assert answer.status_code == 400
    assert "larger than 4,096 KiB" in answer.json()["msg"]


def test_the_list_is_in_the_order_of_creation(empty):
    for name in ("b", "a", "c"):
        create(empty, name)
    assert names(empty) == ["b", "a", "c"]


def test_a_workspaces_list_is_in_the_order_of_linking(empty):
    first, second = create(empty, "first").json(), create(empty, "second").json()
    to = workspace(empty)
    for item in (second, first):
        body = {"workspace_id": to, "connection_id": item["id"]}
        assert empty.post("connections/add_to_workspace", body).json()["id"] != item["id"]
    assert names(empty, {"workspace_id": to}) == ["second", "first"]
    assert names(empty) == ["first", "second"]


def test_a_linked_connection_names_its_workspaces(empty):
    item = create(empty).json()
    for name in ("ws-b", "ws-a"):
        body = {"workspace_id": workspace(empty, name), "connection_id": item["id"]}
        empty.post("connections/add_to_workspace", body)
    for found in (
        empty.post("connections/get", {"name": "c"}).json(),
        empty.post("connections/list").json()["connections"][0],
    ):
        assert found["workspace_names"] == ["ws-b", "ws-a"]


def test_failures_of_linking_have_the_statuses_the_sdk_reports(empty):
    item = create(empty).json()
    to = workspace(empty)
    link = {"workspace_id": to, "connection_id": item["id"]}
    assert empty.post("connections/add_to_workspace", link).status_code == 200
    assert empty.post("connections/add_to_workspace", link).status_code == 409
    assert (
        empty.post("connections/add_to_workspace", link | {"workspace_id": 99}).status_code == 404
    )
    missing = link | {"connection_id": "nothing"}
    assert empty.post("connections/add_to_workspace", missing).status_code == 404
    empty.invite("ann@example.com")
    answer = empty.post("connections/add_to_workspace", link, as_user="ann@example.com")
    assert answer.status_code == 403


def test_unlinking_keeps_the_connection(empty):
    item = create(empty).json()
    link = {"workspace_id": workspace(empty), "connection_id": item["id"]}
    empty.post("connections/add_to_workspace", link)
    answer = empty.post("connections/remove_from_workspace", link)
    assert (answer.status_code, answer.content) == (204, b"")
    assert names(empty) == ["c"]
    assert names(empty, {"workspace_id": link["workspace_id"]}) == []
    assert empty.post("connections/remove_from_workspace", link).status_code == 404


def test_deleting_removes_every_link_and_frees_the_name(empty):
    item = create(empty).json()
    for name in ("ws-a", "ws-b"):
        body = {"workspace_id": workspace(empty, name), "connection_id": item["id"]}
        empty.post("connections/add_to_workspace", body)
    answer = empty.post("connections/delete", {"name": "c"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert empty.post("connections/get_by_id", {"id": item["id"]}).status_code == 404
    assert empty.post("connections/delete", {"name": "c"}).status_code == 404
    assert create(empty).json()["workspace_names"] == []


def test_any_logged_in_person_reads_every_connection(empty):
    create(empty)
    empty.invite("ann@example.com")
    listed = empty.post("connections/list", as_user="ann@example.com").json()["connections"]
    assert [each["name"] for each in listed] == ["c"]
    got = empty.post("connections/get", {"name": "c"}, as_user="ann@example.com")
    assert got.status_code == 200


def test_details_lie_sealed_on_the_disk(empty):
    create(empty, details={"note": "planted-secret-7291"})
    folder = empty.sandbox.config.data_dir
    assert not [
        path
        for path in folder.rglob("*")
        if path.is_file() and b"planted-secret-7291" in path.read_bytes()
    ]


def test_sealed_details_cannot_be_moved_to_another_row(empty):
    create(empty, "a", details={"url": "secret-a"})
    create(empty, "b", details={"url": "secret-b"})
    sealed = empty.sandbox.store.database.one("SELECT details FROM connections WHERE name = 'a'")
    assert sealed is not None
    empty.sandbox.store.database.run(
        "UPDATE connections SET details = ? WHERE name = 'b'", (sealed["details"],)
    )
    answer = empty.post("connections/get", {"name": "b"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
