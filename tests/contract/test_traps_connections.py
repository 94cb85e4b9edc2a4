"""Traps of connections: refusals the SDK swallows, texts that hide causes, secrets."""

from __future__ import annotations

import pytest

from dashboard.errors import (
    AccessDenied,
    Conflict,
    InvalidInput,
    NotFound,
    UnexpectedAnswer,
)
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from dashboard.masking import SecretDetails
from tests.contract.scripted import (
    GET,
    ITEM,
    LIST,
    SECRET,
    listed,
)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_a_delete_that_the_sdk_reports_as_done_is_found_out(gateway, platform, ann, status):
    platform.scripts[GET] = (200, ITEM)
    platform.scripts["/v1/api/connections/delete"] = (status, {"msg": "no", "code": status})
    with pytest.raises((Conflict, AccessDenied)) as caught:
        gateway.delete_connection(ann, "sample")
    assert "not deleted" in caught.value.message


def test_a_delete_is_believed_when_the_connection_is_gone(gateway, platform, ann):
    gone = [False]

    def get(_body):
        return (404, {"msg": "no", "code": 404}) if gone[0] else (200, ITEM)

    def delete(_body):
        gone[0] = True
        return 200, {}

    platform.scripts[GET] = get
    platform.scripts["/v1/api/connections/delete"] = delete
    gateway.delete_connection(ann, "sample")
    assert len(platform.requests("connections/delete")) == 1


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_link_that_the_sdk_reports_as_done_is_found_out(gateway, platform, ann, status):
    platform.scripts[GET] = (200, ITEM)
    platform.scripts["/v1/api/connections/add_to_workspace"] = (
        status,
        {"msg": "no", "code": status},
    )
    platform.scripts[LIST] = listed()
    with pytest.raises((Conflict, AccessDenied)) as caught:
        gateway.link_connection(ann, name="sample", workspace_id=1)
    assert "not linked" in caught.value.message


def test_linking_what_is_linked_already_is_no_error(gateway, platform, ann):
    platform.scripts[GET] = (200, ITEM)
    platform.scripts["/v1/api/connections/add_to_workspace"] = (
        409,
        {"msg": "linked already", "code": 409},
    )
    platform.scripts[LIST] = listed(ITEM)
    assert gateway.link_connection(ann, name="sample", workspace_id=1).name == "sample"


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_an_unlink_that_the_sdk_reports_as_done_is_found_out(gateway, platform, ann, status):
    platform.scripts[GET] = (200, ITEM)
    platform.scripts["/v1/api/connections/remove_from_workspace"] = (
        status,
        {"msg": "no", "code": status},
    )
    platform.scripts[LIST] = listed(ITEM)
    with pytest.raises((Conflict, AccessDenied)) as caught:
        gateway.unlink_connection(ann, name="sample", workspace_id=1)
    assert "not taken out" in caught.value.message


@pytest.mark.parametrize("act", ["link_connection", "unlink_connection"])
def test_one_that_took_the_name_is_neither_linked_nor_unlinked(gateway, platform, ann, act):
    platform.scripts[GET] = (200, ITEM)
    with pytest.raises(Conflict, match='Another connection is called "sample"'):
        getattr(gateway, act)(ann, name="sample", workspace_id=1, connection_id="another")
    assert platform.requests("_workspace") == []


@pytest.mark.parametrize(
    ("act", "path"),
    [("link_connection", "add_to_workspace"), ("unlink_connection", "remove_from_workspace")],
)
def test_a_name_that_changes_hands_just_then_costs_the_other_one_nothing(
    gateway, platform, ann, act, path
):
    asked = []

    def get(_body):
        asked.append(1)
        return 200, ITEM if len(asked) == 1 else {**ITEM, "id": "another"}

    platform.scripts[GET] = get
    platform.scripts[f"/v1/api/connections/{path}"] = (404, {"msg": "gone", "code": 404})
    platform.scripts[LIST] = listed({**ITEM, "id": "another"})
    with pytest.raises((Conflict, NotFound)):
        getattr(gateway, act)(ann, name="sample", workspace_id=1, connection_id=ITEM["id"])
    (written,) = platform.requests(path)
    assert written.body["connection_id"] == ITEM["id"]


def test_a_missing_connection_is_told_from_a_failing_platform(gateway, platform, ann):
    # The same text of the SDK for both: "Failed to get connection".
    platform.scripts[GET] = (500, {"msg": "row not found", "code": 500})
    platform.scripts[LIST] = listed()
    with pytest.raises(NotFound):
        gateway.get_connection(ann, "sample")
    platform.scripts[LIST] = listed(ITEM)
    with pytest.raises(UnexpectedAnswer):
        gateway.get_connection(ann, "sample")


def test_a_taken_name_is_a_conflict_at_its_field(gateway, platform, ann):
    platform.scripts["/v1/api/connections/create"] = (409, {"msg": "exists", "code": 409})
    with pytest.raises(Conflict) as caught:
        gateway.create_connection(
            ann, name="sample", connection_type="HTTP", details=SecretDetails({"url": "x"})
        )
    assert caught.value.field == "name"


def test_the_servers_own_words_reach_the_reader_without_secrets(gateway, platform, ann):
    details = SecretDetails({"url": SECRET})
    platform.scripts["/v1/api/connections/create"] = (
        400,
        {"msg": f"details.url: {SECRET} is no address\x1b[31m", "code": 400},
    )
    with pytest.raises(InvalidInput) as caught:
        gateway.create_connection(ann, name="n", connection_type="HTTP", details=details)
    assert "is no address" in caught.value.message
    assert SECRET not in caught.value.message
    assert "\x1b" not in caught.value.message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("value", [float("nan"), b"bytes", {1, 2}, object()])
def test_details_that_json_cannot_carry_are_refused_before_any_request(
    gateway, platform, ann, value
):
    with pytest.raises(InvalidInput) as caught:
        gateway.create_connection(
            ann, name="n", connection_type="HTTP", details=SecretDetails({"value": value})
        )
    assert caught.value.field == "details"
    assert platform.requests("connections/create") == []


def test_a_list_of_connections_keeps_no_details(gateway, platform, ann):
    platform.scripts[LIST] = listed(ITEM)
    (found,) = gateway.list_connections(ann)
    assert SECRET not in repr(found)
    assert [part.key for part in found.parts] == ["url", "note"]


def test_one_connection_that_cannot_be_described_hides_no_other(platform, caplog):
    def describe(_kind, details):
        raise ValueError(str(details))

    gateway = WallarooGateway(base_url=platform.url, describe=describe)
    ann = gateway.sign_in("ann", platform.account())
    platform.scripts[LIST] = listed(ITEM, {**ITEM, "id": "2", "details": None})
    assert len(gateway.list_connections(ann)) == 2
    gateway.close()
    assert SECRET not in caplog.text


def test_details_are_read_as_a_secret_only(gateway, platform, ann):
    platform.scripts[GET] = (200, ITEM)
    found, details = gateway.read_details(ann, "sample")
    assert SECRET not in f"{found!r} {details!r} {details}"
    assert details.reveal()["note"] == SECRET
