"""`POST /v1/graphql`: a real GraphQL engine on the schema the SDK validates against.

graphql-core is imported with the first request, not at start-up.
"""

from __future__ import annotations

import logging
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.bodies import Body, read
from dashboard.sandbox.context import Json, sandbox_of, user_of
from dashboard.sandbox.errors import WireError, json_answer
from dashboard.sandbox.routes.entry import Entry

if TYPE_CHECKING:
    from graphql import (
        DocumentNode,
        GraphQLError,
        GraphQLResolveInfo,
        GraphQLSchema,
        SelectionNode,
    )

    from dashboard.sandbox.graph import Graph

log = logging.getLogger(__name__)

_SCHEMA_FILE = Path(__file__).parent.parent / "schema.graphql"
_LONGEST_QUERY = 64 * 1024
_MOST_TOKENS = 5000
#: The SDK's deepest document has 8 levels.
_DEEPEST_LEVEL = 12


class Operation(Body):
    """A GraphQL request."""

    query: Annotated[str, Field(min_length=1, max_length=_LONGEST_QUERY)]
    variables: dict[str, Json] | None = None
    operation_name: Annotated[str | None, Field(alias="operationName")] = None


async def graphql(request: Request) -> Response:
    """Run one operation. Its errors are answered with 200, as Hasura does."""
    body = await read(request, Operation)
    if not body.variables and "__schema" in body.query:
        known = await run_in_threadpool(_introspect, body.query)
        if known is not None:
            return Response(known, media_type="application/json")
    return json_answer(await run_in_threadpool(_execute, request, body))


def _execute(request: Request, body: Operation) -> Json:
    from graphql import execute_sync  # see the module's text

    from dashboard.sandbox.graph import Graph  # see the module's text

    document, errors = _prepare(body.query)
    if document is None:
        return {"errors": errors}
    result = execute_sync(
        _schema(),
        document,
        variable_values=body.variables,
        operation_name=body.operation_name,
        context_value=Graph(sandbox_of(request).store, user_of(request)),
    )
    if result.errors:
        return {"errors": [_told(error) for error in result.errors]}
    return {"data": result.data}


@lru_cache(maxsize=8)
def _introspect(query: str) -> bytes | None:
    """Answer a question about the schema alone: the same for everybody, so worked out once.

    None if the query asks for anything else, or cannot be answered.
    """
    from graphql import FieldNode, OperationDefinitionNode, execute_sync  # as above

    document, _ = _prepare(query)
    operations = [
        node
        for node in (document.definitions if document else ())
        if isinstance(node, OperationDefinitionNode)
    ]
    fields = [each for node in operations for each in node.selection_set.selections]
    if (
        document is None
        or len(operations) != 1
        or not all(isinstance(each, FieldNode) and each.name.value == "__schema" for each in fields)
    ):
        return None
    result = execute_sync(_schema(), document)
    return None if result.errors else bytes(json_answer({"data": result.data}).body)


@lru_cache(maxsize=256)
def _prepare(query: str) -> tuple[DocumentNode | None, list[Json]]:
    """Parse and validate a document; clients send the same few again and again."""
    from graphql import GraphQLError, parse, validate  # see the module's text

    try:
        document = parse(query, max_tokens=_MOST_TOKENS)
        _check_depth(document)
        errors = validate(_schema(), document, max_errors=10)
    except GraphQLError as exc:
        errors = [exc]
    except RecursionError:
        errors = [GraphQLError("the query is nested too deeply")]
    if errors:
        return None, [_told(error) for error in errors]
    return document, []


def _told(error: GraphQLError) -> Json:
    """Return an error as Hasura words it; one that was not foreseen goes to the log instead."""
    from graphql import GraphQLError as Foreseen  # see the module's text

    original = error.original_error
    message = error.message
    if isinstance(original, WireError):
        message = original.msg
    elif original is not None and not isinstance(original, Foreseen):
        log.error("unexpected %s in a resolver", type(original).__name__)
        message = "The sandbox failed unexpectedly; its log says where."
    path = ".".join(["$", *map(str, error.path or [])])
    return {"message": message, "extensions": {"path": path, "code": "validation-failed"}}


def _check_depth(document: DocumentNode) -> None:
    """Refuse documents that go round in the graph: each round multiplies the work."""
    from graphql import (  # see the module's text
        FragmentDefinitionNode,
        FragmentSpreadNode,
        GraphQLError,
        SelectionSetNode,
    )

    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }

    def walk(selections: SelectionSetNode | None, level: int) -> None:
        if level > _DEEPEST_LEVEL:
            raise GraphQLError("the query is nested too deeply")
        for node in selections.selections if selections else ():
            if isinstance(node, FragmentSpreadNode):
                fragment = fragments.get(node.name.value)
                walk(fragment.selection_set if fragment else None, level + 1)
            elif not _asks_schema(node):
                walk(getattr(node, "selection_set", None), level + 1)

    for definition in document.definitions:
        if definition not in fragments.values():
            walk(getattr(definition, "selection_set", None), 0)


def _asks_schema(node: SelectionNode) -> bool:
    """Say whether a field asks about the schema, which is small however deep one looks."""
    return getattr(getattr(node, "name", None), "value", "") in ("__schema", "__type")


@cache
def _schema() -> GraphQLSchema:
    """Return the schema with a resolver on each of its fields."""
    from graphql import GraphQLObjectType, build_schema  # see the module's text

    schema = build_schema(_SCHEMA_FILE.read_text(encoding="utf-8"))
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for name, field in kind.fields.items():
                field.resolve = _resolver(schema, kind.name, name)
    return schema


def _resolver(schema: GraphQLSchema, kind_name: str, name: str) -> Json:
    from dashboard.sandbox.graph import narrowed, value_of  # see the module's text
    from dashboard.sandbox.graph_roots import CHANGES, QUERIES  # likewise

    def query(_root: Json, info: GraphQLResolveInfo, **args: Json) -> Json:
        graph: Graph = info.context
        found = QUERIES[name](graph, args)
        return narrowed(graph, info.return_type, found, args) if isinstance(found, list) else found

    def change(_root: Json, info: GraphQLResolveInfo, **args: Json) -> Json:
        graph: Graph = info.context
        with graph.store.database.transaction():
            return CHANGES[name](graph, args, schema)

    def field(row: Json, info: GraphQLResolveInfo, **args: Json) -> Json:
        return value_of(info.context, info.parent_type, row, name, args)

    if kind_name == "query_root":
        return query
    return change if kind_name == "mutation_root" else field


ROUTES: tuple[Entry, ...] = (
    Entry("POST", "/v1/graphql", graphql, "Workspace.models, Pipeline.versions"),
)
