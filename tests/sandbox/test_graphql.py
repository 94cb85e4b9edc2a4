"""GraphQL: the SDK's operations, filters, orders, changes, and what is refused."""

from __future__ import annotations

import pytest
from graphql import build_client_schema, get_introspection_query

from tests.sandbox.archives import packed, upload


@pytest.fixture
def other(demo):
    """A demo platform with a stranger in it."""
    demo.invite("ann@example.com")
    return demo


def data(platform, query, **variables):
    answer = platform.graphql(query, **variables)
    assert "errors" not in answer, answer
    return answer["data"]


def test_the_introspection_answer_builds_a_schema(demo):
    answer = demo.graphql(get_introspection_query())
    schema = build_client_schema(answer["data"])
    assert schema.query_type is not None
    assert "pipeline_version_by_pk" in schema.query_type.fields
    assert demo.graphql(get_introspection_query()) == answer


def test_a_bad_token_is_a_401(demo):
    answer = demo.http.post("/v1/graphql", json={"query": "{ tag { id } }"})
    assert (answer.status_code, answer.json()["msg"]) == (401, "Unauthorized")


def test_a_workspace_with_its_models_pipelines_and_users(demo):
    query = """query W($id: bigint!) { workspace_by_pk(id: $id) {
        id name archived created_at created_by users { user_id user_type }
        models(order_by: {updated_at: desc}) { id name models { id } } pipelines { id } } }"""
    found = data(demo, query, id=3)["workspace_by_pk"]
    assert found["name"] == "workshop-workspace-summarization"
    assert found["models"] == [{"id": 1, "name": "hf-summarizer", "models": [{"id": 1}]}]
    assert found["pipelines"] == [{"id": 1}]
    assert [each["user_type"] for each in found["users"]] == ["OWNER"]


def test_a_model_version_with_parts_of_its_conversion(demo):
    query = """{ model_by_pk(id: 1) { id model_id sha status image_path models_pk_id
        arch: conversion(path: "arch") accel: conversion(path: "$.accel") conversion
        model_tags { tag { id } } model { workspace { id name } } } }"""
    found = data(demo, query)["model_by_pk"]
    assert (found["arch"], found["accel"], found["model_id"]) == ("x86", "none", "hf-summarizer")
    assert found["conversion"]["framework"] == "hugging-face-summarization"
    assert found["model"]["workspace"]["id"] == 3


def test_the_pipeline_of_a_version_and_back(demo):
    query = """{ pipeline_by_pk(id: 1) { pipeline_id deployment { id }
        pipeline_versions(order_by: [{id: desc}]) { id version definition
        pipeline { id } deployment_model_configs { id } pipeline_publishes { id } } } }"""
    found = data(demo, query)["pipeline_by_pk"]
    assert found["deployment"] is None
    (version,) = found["pipeline_versions"]
    assert version["pipeline"] == {"id": 1}
    assert version["definition"]["id"] == "hf-summarizer"
    assert version["pipeline_publishes"] == []


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("{}", 1),
        ('{model_id: {_eq: "hf-summarizer"}}', 1),
        ('{_and: [{model_id: {_eq: "hf-summarizer"}}, {id: {_eq: 1}}]}', 1),
        ('{_and: [{model_id: {_eq: "hf-summarizer"}}, {id: {_eq: 2}}]}', 0),
        ('{model: {workspace: {name: {_eq: "workshop-workspace-summarization"}}}}', 1),
        ("{model: {workspace: {id: {_eq: 1}}}}", 0),
        ('{created_at: {_gte: "2026-10-12T00:00:00Z", _lte: "2026-10-13T00:00:00"}}', 1),
        ('{created_at: {_gte: "2026-10-13T00:00:00+00:00"}}', 0),
    ],
)
def test_where_filters_by_own_fields_and_through_relations(demo, where, count):
    found = data(demo, f"{{ model(where: {where}) {{ id }} }}")["model"]
    assert len(found) == count


def test_order_by_sorts_both_ways(demo):
    upload(demo, packed(), workspace_id=3)
    for direction, expected in (("asc", [1, 2]), ("desc", [2, 1])):
        query = f"{{ model(order_by: [{{id: {direction}}}]) {{ id }} }}"
        assert [each["id"] for each in data(demo, query)["model"]] == expected


def test_search_finds_by_part_of_a_name(demo):
    query = """query S($text: String) {
        search_models(args: {search: $text}, order_by: [{created_at: desc}]) { id }
        search_pipelines(args: {search: $text}, distinct_on: [id], order_by: [{id: desc}]) { id }
    }"""
    assert data(demo, query, text="SUMM") == {
        "search_models": [{"id": 1}],
        "search_pipelines": [{"id": 1}],
    }
    assert data(demo, query, text="zz") == {"search_models": [], "search_pipelines": []}
    assert data(demo, query, text="")["search_models"] == [{"id": 1}]


def test_a_deployment_with_what_runs_in_it(demo):
    version = demo.sandbox.store.pipelines.version(1)
    demo.sandbox.store.pipelines.save_deployment(
        version, deploy_id="hf-summarizer", engine_config={"engine": {"cpu": 1}}, config_ids=[1]
    )
    query = """{ deployment_by_pk(id: 1) { id deploy_id deployed engine_config limit_status
        pipeline { pipeline_id } deployment_model_configs { model_config { id model { id } } }
        deployment_model_configs_aggregate(distinct_on: [deployment_id]) {
            nodes { model_config_id } }
        deployment_pipeline_versions(order_by: [{pipeline_version: {id: desc}}]) {
            pipeline_version { id deployment_pipeline_versions { deployment { id } } } } } }"""
    found = data(demo, query)["deployment_by_pk"]
    assert (found["deployed"], found["engine_config"]) == (True, {"engine": {"cpu": 1}})
    assert found["limit_status"] is None
    assert found["deployment_model_configs"] == [{"model_config": {"id": 1, "model": {"id": 1}}}]
    (link,) = found["deployment_pipeline_versions"]
    assert link["pipeline_version"]["deployment_pipeline_versions"] == [{"deployment": {"id": 1}}]
    by_name = (
        '{ deployment(where: {deploy_id: {_eq: "hf-summarizer"}, deployed: {_eq: true}}) { id } }'
    )
    assert data(demo, by_name)["deployment"] == [{"id": 1}]


@pytest.mark.parametrize(
    "field",
    ["workspace", "model", "model_config", "pipeline", "pipeline_version", "deployment", "tag"],
)
def test_an_unknown_id_is_null(demo, field):
    assert data(demo, f"{{ {field}_by_pk(id: 9000000000) {{ id }} }}") == {f"{field}_by_pk": None}


def test_a_stranger_sees_nothing(other):
    query = """{ workspace { id } model { id } pipeline { id } deployment { id }
        model_by_pk(id: 1) { id } model_config_by_pk(id: 1) { id } pipeline_by_pk(id: 1) { id }
        pipeline_version_by_pk(id: 1) { id } workspace_by_pk(id: 3) { id }
        search_models(args: {search: ""}) { id }
        search_pipelines(args: {search: ""}) { id } }"""
    answer = other.graphql(query, as_user="ann@example.com")
    assert all(not value for value in answer["data"].values())


DEFAULT_WORKSPACE = """mutation D($user: String!, $name: String!) { insert_workspace_one(
    object: {name: $name, owner_id: $user, users: {data: {user_id: $user, user_type: "OWNER"}},
        archived: false, user_default_workspaces: {data: {user_id: $user}}},
    on_conflict: {constraint: workspace_name_key, update_columns: []}) { id } }"""


def test_the_default_workspace_is_made_once(empty):
    query = """query U($user: String!) {
        user_default_workspace(where: {user_id: {_eq: $user}}) { workspace { id name } } }"""
    (user,) = empty.post("users/query").json()["users"]
    assert data(empty, query, user=user) == {"user_default_workspace": []}
    name = f"{empty.username} - Default Workspace"
    made = data(empty, DEFAULT_WORKSPACE, user=user, name=name)["insert_workspace_one"]
    assert data(empty, query, user=user)["user_default_workspace"] == [
        {"workspace": {"id": made["id"], "name": name}}
    ]
    again = data(empty, DEFAULT_WORKSPACE, user=user, name=name)["insert_workspace_one"]
    assert again == made


def test_nobody_takes_over_a_strangers_workspace_by_its_name(other):
    answer = other.graphql(
        DEFAULT_WORKSPACE,
        as_user="ann@example.com",
        user="whoever",
        name="workshop-workspace-summarization",
    )
    assert "Uniqueness violation" in answer["errors"][0]["message"]
    assert (
        other.graphql("{ workspace { id } }", as_user="ann@example.com")["data"]["workspace"] == []
    )


REMOVE = """mutation R($user: String!, $ws: bigint!) { delete_workspace_users(
    where: {_and: [{user_id: {_eq: $user}}, {workspace_id: {_eq: $ws}}]}) { affected_rows } }"""


def test_a_member_is_removed_by_an_owner_only(other):
    users = other.post("users/query").json()["users"]
    ids = {each["email"]: each["id"] for each in users.values()}
    body = {"workspace_id": 3, "user_id": ids["ann@example.com"], "user_type": "collaborator"}
    other.post("workspaces/add_user", body)
    mine = {"user": ids[other.username], "ws": 3}
    refused = other.graphql(REMOVE, as_user="ann@example.com", **mine)
    assert refused["data"]["delete_workspace_users"] == {"affected_rows": 0}
    removed = data(other, REMOVE, user=ids["ann@example.com"], ws=3)
    assert removed["delete_workspace_users"] == {"affected_rows": 1}


def test_tags_are_put_on_and_taken_off(demo):
    made = data(demo, 'mutation { insert_tag(objects: [{tag: "blue"}]) { returning { id tag } } }')
    assert made["insert_tag"]["returning"] == [{"id": 1, "tag": "blue"}]
    data(
        demo,
        "mutation { insert_model_tag(objects: [{model_id: 1, tag_id: 1}]) "
        "{ returning { tag_id } } }",
    )
    data(
        demo,
        "mutation { insert_pipeline_tag(objects: [{pipeline_pk_id: 1, tag_pk_id: 1}]) "
        "{ returning { id } } }",
    )
    query = """{
        tag_by_pk(id: 1) { tag model_tags { model { id } } pipeline_tags { pipeline { id } } }
        pipeline_by_pk(id: 1) { pipeline_tags { tag { tag } } } }"""
    found = data(demo, query)
    assert found["tag_by_pk"]["model_tags"] == [{"model": {"id": 1}}]
    assert found["pipeline_by_pk"]["pipeline_tags"] == [{"tag": {"tag": "blue"}}]
    off = "_and: [{model_id: {_eq: 1}}, {tag_id: {_eq: 1}}]"
    data(demo, f"mutation {{ delete_model_tag(where: {{{off}}}) {{ returning {{ tag_id }} }} }}")
    off = "_and: [{pipeline_pk_id: {_eq: 1}}, {tag_pk_id: {_eq: 1}}]"
    data(demo, f"mutation {{ delete_pipeline_tag(where: {{{off}}}) {{ returning {{ id }} }} }}")
    found = data(demo, query)
    assert found["tag_by_pk"] == {"tag": "blue", "model_tags": [], "pipeline_tags": []}


def test_a_search_finds_what_a_tag_is_on(demo):
    demo.sandbox.store.tags.add("Blue")
    demo.sandbox.store.tags.on_model(1, 1)
    demo.sandbox.store.tags.on_pipeline(1, 1)
    query = """query ($text: String) {
        search_models(args: {search: $text}) { id }
        search_pipelines(args: {search: $text}) { id } }"""
    both = {"search_models": [{"id": 1}], "search_pipelines": [{"id": 1}]}
    assert demo.graphql(query, text="blue")["data"] == both
    assert demo.graphql(query, text="hf-")["data"] == both
    none: dict[str, list[dict[str, int]]] = {"search_models": [], "search_pipelines": []}
    assert demo.graphql(query, text="green")["data"] == none


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ nothing }",
        "{ model { nothing } }",
        "mutation { delete_workspace_users(where: {}) { affected_rows } }",
        "mutation { insert_model_tag(objects: [{model_id: 9, tag_id: 9}]) {returning {tag_id}} }",
        "mutation { insert_workspace_one(object: {}) { id } }",
        '{ model(where: {created_at: {_gte: "yesterday"}}) { id } }',
        "{ model(where: {id: {_eq: null}}) { id } }",
        "{ a: workspace_by_pk(id: 3) " + "{ models { workspace " * 9 + "{ id }" + "} }" * 9 + " }",
        "query A { tag { id } } query B { tag { id } }",
        "{ ...F } fragment F on query_root { ...F }",
        "{" * 4000,
    ],
)
def test_errors_are_answered_with_200_and_errors(demo, query):
    answer = demo.graphql(query)
    assert "data" not in answer
    assert all(set(each) == {"message", "extensions"} for each in answer["errors"])


@pytest.mark.parametrize("body", [{}, {"query": 5}, {"query": ""}, {"query": "x" * 70_000}])
def test_a_request_without_a_usable_query_is_a_400(demo, body):
    answer = demo.http.post("/v1/graphql", json=body, headers=demo.headers())
    assert answer.status_code == 400
    assert answer.json()["msg"].startswith("query:")


def test_a_defect_in_a_resolver_is_not_shown(demo, monkeypatch):
    def broken(*_):
        raise RuntimeError("planted-secret-3310")

    monkeypatch.setattr(demo.sandbox.store.tags, "listing", broken)
    answer = demo.graphql("{ tag { id } }")
    assert "planted-secret-3310" not in str(answer)
    assert answer["errors"]


def test_a_search_finds_pipelines_by_their_models_and_survives_any_definition(demo):
    create = {"pipeline_id": "other", "workspace_id": 3}
    step = {"ModelInference": {"models": [{"name": "hf-summarizer", "version": "x", "sha": "y"}]}}
    for steps in ([step], [3], {"a": 1}, [{"x": {"models": [7, {"name": 3}]}}]):
        made = demo.post("pipelines/create", create | {"definition": {"id": "o", "steps": steps}})
        assert made.status_code == 200
    query = """query ($text: String!) { search_pipelines(args: {search: $text}, distinct_on: id,
        order_by: {id: desc}) { id pipeline { pipeline_id } } }"""
    found = data(demo, query, text="SUMMARIZER")["search_pipelines"]
    assert [each["pipeline"]["pipeline_id"] for each in found] == ["other", "hf-summarizer"]


def test_a_list_may_be_cut(demo):
    query = (
        "{ pipeline_by_pk(id: 1) { pipeline_versions(order_by: {id: desc}, limit: %s) { id } } }"
    )
    demo.post("pipelines/create", {"pipeline_id": "hf-summarizer", "workspace_id": 3})
    assert data(demo, query % 1)["pipeline_by_pk"] == {"pipeline_versions": [{"id": 2}]}
    assert "negative" in demo.graphql(query % -1)["errors"][0]["message"]


@pytest.mark.parametrize("value", ["1", 1])
def test_a_number_may_be_written_as_a_text(demo, value):
    query = "query ($id: bigint!) { model_by_pk(id: $id) { id } }"
    assert data(demo, query, id=value)["model_by_pk"] == {"id": 1}


@pytest.mark.parametrize("value", [2**63, -(2**70), 1.5, True, "x", [1], {"a": 1}, "\ud800"])
def test_what_is_no_number_is_refused_before_it_reaches_the_store(demo, value, caplog):
    query = "query ($id: bigint!) { model_by_pk(id: $id) { id } }"
    assert demo.graphql(query, id=value)["errors"]
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model", "update_model(where: {id: {_eq: 1}}, _set: {visibility: %s})"),
        ("pipeline", "update_pipeline(where: {id: {_eq: 1}}, _set: {visibility: %s})"),
    ],
)
def test_a_member_changes_the_visibility(other, name, change):
    def changed(value, as_user=""):
        query = f"mutation {{ {change % value} {{ returning {{ id visibility }} }} }}"
        return other.graphql(query, as_user=as_user)

    done = changed('"public"')["data"][f"update_{name}"]
    assert done == {"returning": [{"id": 1, "visibility": "public"}]}
    assert changed('"secret"')["errors"]
    assert changed("null")["errors"]
    strangers = changed('"private"', "ann@example.com")["data"][f"update_{name}"]
    assert strangers == {"returning": []}
    kept = data(other, f"{{ {name}_by_pk(id: 1) {{ visibility }} }}")
    assert kept[f"{name}_by_pk"] == {"visibility": "public"}


@pytest.mark.parametrize(
    "change",
    [
        "update_deployment_by_pk(pk_columns: {id: 1}, _set: {deployed: true}) { id }",
        "insert_deployment_model_configs(objects: {deployment_id: 1, model_config_id: 1})"
        " { returning { id } }",
    ],
)
def test_what_only_rest_can_do_is_refused_by_name(demo, change):
    answer = demo.graphql(f"mutation {{ {change} }}")
    assert "The sandbox does not imitate" in answer["errors"][0]["message"]
    assert "pipelines/deploy" in answer["errors"][0]["message"]


def test_a_workspace_keeps_an_owner_and_nothing_of_the_change_is_kept(other):
    users = {e["email"]: e["id"] for e in other.post("users/query").json()["users"].values()}
    other.post("workspaces/add_user", {"workspace_id": 3, "user_id": users["ann@example.com"]})
    everybody = """mutation { delete_workspace_users(where: {workspace_id: {_eq: 3}})
        { affected_rows } }"""
    assert "needs an owner" in other.graphql(everybody)["errors"][0]["message"]
    members = other.post("workspaces/list_users", {"workspace_id": 3}).json()["users"]
    assert len(members) == 2


def test_an_administrator_takes_people_out_of_any_workspace(other):
    other.invite("bob@example.com")
    made = other.post("workspaces/create", {"workspace_name": "anns"}, as_user="ann@example.com")
    workspace_id = made.json()["workspace_id"]
    body = {"workspace_id": workspace_id, "email": "bob@example.com"}
    bob = other.post("workspaces/add_user", body, as_user="ann@example.com").json()["user_id"]
    removed = data(other, REMOVE, user=bob, ws=workspace_id)["delete_workspace_users"]
    assert removed == {"affected_rows": 1}


def test_tags_show_no_strangers_models_and_pipelines(other):
    other.sandbox.store.tags.add("blue")
    other.sandbox.store.tags.on_model(1, 1)
    other.sandbox.store.tags.on_pipeline(1, 1)
    query = "{ tag { tag model_tags { model_id } pipeline_tags { pipeline_pk_id } } }"
    answer = other.graphql(query, as_user="ann@example.com")["data"]["tag"]
    assert answer == [{"tag": "blue", "model_tags": [], "pipeline_tags": []}]
    for change in (
        "insert_model_tag(objects: {model_id: 1, tag_id: 1}) { returning { tag_id } }",
        "insert_pipeline_tag(objects: {pipeline_pk_id: 1, tag_pk_id: 1}) { returning { id } }",
    ):
        assert other.graphql(f"mutation {{ {change} }}", as_user="ann@example.com")["errors"]
    gone = other.graphql(
        "mutation { delete_model_tag(where: {tag_id: {_eq: 1}}) { returning { tag_id } } }",
        as_user="ann@example.com",
    )
    assert gone["data"]["delete_model_tag"] == {"returning": []}
    assert other.sandbox.store.tags.of_model(1)


def test_fragments_that_spread_each_other_are_looked_at_once(demo):
    fragments = "".join(
        f" fragment F{n} on workspace {{ id {f'...F{n + 1} ' * 40} }}" for n in range(10)
    )
    query = "{ workspace { ...F0 } }" + fragments + " fragment F10 on workspace { id }"
    assert demo.graphql(query)["data"]["workspace"]


def test_a_query_that_goes_round_in_the_graph_ends(demo, monkeypatch):
    monkeypatch.setattr("dashboard.sandbox.graph._MOST_STEPS", 500)
    for _ in range(4):
        demo.post("pipelines/create", {"pipeline_id": "hf-summarizer", "workspace_id": 3})
    query = (
        "{ pipeline { pipeline_versions { pipeline { pipeline_versions { pipeline "
        "{ pipeline_versions { pipeline { pipeline_versions { id } } } } } } } } }"
    )
    answer = demo.graphql(query)
    assert 1 <= len(answer["errors"]) <= 10
    assert answer["errors"][0]["message"] == "the query asks for too much"


def test_a_condition_as_deep_as_json_allows_is_answered(demo):
    where: dict[str, object] = {"id": {"_eq": 1}}
    for _ in range(400):
        where = {"_and": [where]}
    query = "query ($where: model_bool_exp) { model(where: $where) { id } }"
    answer = demo.graphql(query, where=where)
    assert answer.get("data") == {"model": [{"id": 1}]} or answer["errors"]
    assert data(demo, query, where={"_and": None})["model"] == [{"id": 1}]
