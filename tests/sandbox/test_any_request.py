"""Whatever fits a route's shape, or nearly does, is answered: no 5xx that is not meant, no hang."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    build_schema,
    get_named_type,
    is_leaf_type,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.sandbox.app import ROUTES
from dashboard.sandbox.bodies import Body
from dashboard.sandbox.routes import pipelines
from dashboard.sandbox.routes.entry import Entry, Support
from tests.support.sandbox import REPOSITORY

ERROR_FORMS = [
    {"msg", "code"},
    {"code", "status", "error", "source"},
    {"error", "error_description"},
    {"status", "errorType", "error"},
]
#: Far beyond what any answer takes, on the slowest machine.
HANG_S = 30.0
#: What exists in the demo, and what nearly does.
TEXTS = [
    "",
    "hf-summarizer",
    "hf-summarizer-1",
    "summary-sample-connection",
    "workshop-workspace-summarization",
    "admin",
    "a@example.com",
    str(uuid.UUID(int=7)),
    "2026-01-01T00:00:00Z",
    "2026-01-01",
    "*/5 * * * *",
    "x" * 300,
    "../..",
    "\x00",
    "é漢字🙂",
    "owner",
]
NUMBERS = [-1, 0, 1, 2, 3, 4, 5, 2**31, 2**63 - 1, 2**63, 10**30]
QUIET = settings(
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=12))
numbers = st.one_of(st.sampled_from(NUMBERS), st.integers())
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)

#: Routes that read their body themselves.
OWN_READERS: dict[str, type[Body]] = {
    "/v1/api/pipelines/undeploy": pipelines.Undeploy,
    "/v1/api/status/get_deployment": pipelines.DeploymentName,
}
SHAPED: dict[Entry, type[Body]] = {
    entry: getattr(entry.endpoint, "shape", None) or OWN_READERS[entry.path]
    for entry in ROUTES
    if hasattr(entry.endpoint, "shape") or entry.path in OWN_READERS
}


def fitting(schema: dict[str, Any], whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values of a JSON schema, as pydantic writes it; limits are left to the sandbox."""
    if "$ref" in schema:
        return fitting(whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in schema:
        return st.one_of([fitting(each, whole) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | texts
    if schema.get("type") == "array":
        return st.lists(fitting(schema.get("items", {}), whole), max_size=3)
    if schema.get("type") == "object":
        return of_object(schema, whole)
    plain: dict[str | None, st.SearchStrategy[Any]] = {
        "string": texts,
        "integer": numbers,
        "number": numbers | st.floats(allow_nan=False),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return plain.get(schema.get("type"), anything)


def of_object(schema: dict[str, Any], whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "properties" not in schema:
        return st.dictionaries(texts, anything, max_size=3)
    # One field in five is not what was asked for.
    fields = {
        name: st.one_of([fitting(each, whole)] * 4 + [anything])
        for name, each in schema["properties"].items()
    }
    required = {name: fields[name] for name in schema.get("required", ())}
    optional = {name: field for name, field in fields.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def requests() -> st.SearchStrategy[tuple[Any, Any]]:
    bodies = {entry: shape.model_json_schema() for entry, shape in SHAPED.items()}
    return st.one_of(
        [
            st.tuples(st.just(entry), fitting(schema, schema) | anything)
            for entry, schema in bodies.items()
        ]
    )


def check(answer: Any, began: float, *, may_refuse: bool) -> None:
    assert time.monotonic() - began < HANG_S
    assert answer.status_code < 500 or (may_refuse and answer.status_code == 501), answer.text
    if answer.status_code >= 400:
        assert set(answer.json()) in ERROR_FORMS


def test_any_body_is_answered(demo):
    headers = demo.headers()

    @QUIET
    @given(requests())
    def ask(request):
        entry, body = request
        path = entry.path.replace("{user_id}", "x")
        began = time.monotonic()
        answer = demo.http.request(entry.method, path, content=json.dumps(body), headers=headers)
        check(answer, began, may_refuse=entry.support is not Support.FULL)

    ask()
    # Whatever was written, the lists can still be read.
    for path in ("workspaces/list", "connections/list", "pipelines/list_pipelines"):
        assert demo.post(path).status_code == 200


def test_any_question_to_the_log_is_answered(demo):
    workspace = demo.post("workspaces/list").json()["workspaces"][0]["id"]
    topic = f"workspace-{workspace}-pipeline-hf-summarizer-inference"
    names = st.sampled_from(
        [
            *("page_size", "order", "time.start", "time.end", "limit"),
            *("dataset[]", "dataset.exclude[]", "dataset.separator"),
        ]
    )
    values = st.one_of(
        texts,
        numbers.map(str),
        st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
        st.sampled_from(["*", "in", "out", "metadata", "time", "anomaly", "desc", "asc", "."]),
    )

    @settings(QUIET, max_examples=100)
    @given(st.lists(st.tuples(names, values), max_size=5), anything)
    def ask(parameters, cursor):
        began = time.monotonic()
        answer = demo.http.post(
            f"/v1/logs/topic/{topic}/records",
            params=parameters,
            content=json.dumps(cursor),
            headers=demo.headers(),
        )
        check(answer, began, may_refuse=False)

    ask()


def of_type(kind: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return values of a GraphQL input type."""
    if isinstance(kind, GraphQLNonNull):
        return of_type(kind.of_type, depth)
    if isinstance(kind, GraphQLList):
        return st.lists(of_type(kind.of_type, depth), max_size=2 if depth < 3 else 0)
    if isinstance(kind, GraphQLEnumType):
        return st.sampled_from(list(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        fields = {
            name: of_type(field.type, depth + 1)
            for name, field in kind.fields.items()
            if depth < 3 or isinstance(field.type, GraphQLNonNull)
        }
        return st.fixed_dictionaries({}, optional=fields)
    by_name: dict[str, st.SearchStrategy[Any]] = {
        "bigint": numbers,
        "Int": numbers,
        "Float": numbers,
        "Boolean": st.booleans(),
        "timestamptz": texts,
    }
    return by_name.get(kind.name, texts)


def test_any_argument_of_graphql_is_answered(demo, caplog):
    text = (REPOSITORY / "dashboard/sandbox/schema.graphql").read_text(encoding="utf-8")
    schema = build_schema(text)
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    operations = []
    for word, root in (("query", schema.query_type), ("mutation", schema.mutation_type)):
        for name, field in root.fields.items():
            head = ", ".join(f"${arg}: {each.type}" for arg, each in field.args.items())
            tail = ", ".join(f"{arg}: ${arg}" for arg in field.args)
            wanted = "" if is_leaf_type(get_named_type(field.type)) else "{ __typename }"
            if field.args:
                head, tail = f"({head})", f"({tail})"
            document = f"{word}{head} {{ {name}{tail} {wanted} }}"
            arguments = {arg: of_type(each.type) | anything for arg, each in field.args.items()}
            operations.append(
                st.tuples(st.just(document), st.fixed_dictionaries({}, optional=arguments))
            )

    @settings(QUIET, max_examples=200)
    @given(st.one_of(operations))
    def ask(operation):
        document, variables = operation
        began = time.monotonic()
        answer = demo.http.post(
            "/v1/graphql",
            content=json.dumps({"query": document, "variables": variables}),
            headers=demo.headers(),
        )
        assert time.monotonic() - began < HANG_S
        assert answer.status_code in (200, 400), answer.text
        assert "unexpectedly" not in answer.text, (document, variables)

    ask()
    assert [record for record in caplog.records if "unexpected" in record.message] == []
