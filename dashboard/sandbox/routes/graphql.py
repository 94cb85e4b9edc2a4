"""`POST /v1/graphql`: a real GraphQL engine on the schema the SDK validates against.

graphql-core is imported with the first request, not at start-up.
"""

from __future__ import annotations

import logging
import threading
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
from dashboard.sandbox.routes.graphql_calls import GRAPHQL_CALLS

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

_MAKING_SCHEMA = threading.Lock()

_SCHEMA_FILE = Path(__file__).parent.parent / "schema.graphql"
_LONGEST_QUERY = 64 * 1024
_MOST_TOKENS = 5000
#: The SDK's deepest document has 8 levels.
_DEEPEST_LEVEL = 12
_MOST_ERRORS = 10


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
    from graphql import GraphQLError, execute_sync  # see the module's text

    from dashboard.sandbox.graph import Graph  # see the module's text

    document, errors = _prepare(body.query)
    if document is None:
        return {"errors": errors}
    store = sandbox_of(request).store
    try:
        # A graph is put together from many reads, which must fit together.
        with store.database.steady():
            result = execute_sync(
                _schema(),
                document,
                variable_values=body.variables,
                operation_name=body.operation_name,
                context_value=Graph(store, user_of(request)),
            )
    except RecursionError:
        return {"errors": [_told(GraphQLError("the variables are nested too deeply"))]}
    if result.errors:
        return {"errors": [_told(error) for error in result.errors[:_MOST_ERRORS]]}
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

    # Each fragment is looked at once: spread ten times on each level it would be a million times.
    depths: dict[str, int] = {}
    under_way: set[str] = set()

    def of_fragment(name: str) -> int:
        fragment = fragments.get(name)
        if name not in depths and fragment is not None:
            if name in under_way:
                raise GraphQLError("the query is nested too deeply")
            under_way.add(name)
            depths[name] = depth(fragment.selection_set)
        return depths.get(name, 0)

    def depth(selections: SelectionSetNode | None) -> int:
        """Return how many levels there are below; raise beyond any that is allowed."""
        deepest = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FragmentSpreadNode):
                deepest = max(deepest, 1 + of_fragment(node.name.value))
            elif not _asks_schema(node):
                below = getattr(node, "selection_set", None)
                deepest = max(deepest, 1 + depth(below) if below else 0)
        return deepest

    for definition in document.definitions:
        is_fragment = isinstance(definition, FragmentDefinitionNode)
        if not is_fragment and depth(getattr(definition, "selection_set", None)) > _DEEPEST_LEVEL:
            raise GraphQLError("the query is nested too deeply")


def _asks_schema(node: SelectionNode) -> bool:
    """Say whether a field asks about the schema, which is small however deep one looks."""
    return getattr(getattr(node, "name", None), "value", "") in ("__schema", "__type")


def _schema() -> GraphQLSchema:
    """Return the schema with a resolver on each of its fields; it is made once."""
    # Clients that come together would otherwise each make their own: a second of work, each time.
    with _MAKING_SCHEMA:
        return _made_schema()


@cache
def _made_schema() -> GraphQLSchema:
    from graphql import GraphQLObjectType, build_schema  # see the module's text

    from dashboard.sandbox.graph_scalars import with_checks  # likewise

    schema = with_checks(build_schema(_SCHEMA_FILE.read_text(encoding="utf-8")))
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


ROUTES: tuple[Entry, ...] = (Entry("POST", "/v1/graphql", graphql, GRAPHQL_CALLS),)
