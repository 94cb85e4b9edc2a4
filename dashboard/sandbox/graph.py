"""The object graph behind GraphQL: what each field of each type is, and how lists are filtered.

Everything is seen with the eyes of one person: what lies in a workspace they are not in does not
exist. Fields not listed here are read from the row under their own name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from graphql import (
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
)

from dashboard.sandbox.automation.shapes import orchestration_json
from dashboard.sandbox.bodies import storable
from dashboard.sandbox.context import Json, User
from dashboard.sandbox.shapes import CREATED_ON_VERSION, graph_version
from dashboard.sandbox.store import Row, Store

#: Fields and conditions worked out for one request. The largest list of the SDK needs a few
#: thousand; a query that goes round in the graph would need millions.
_MOST_STEPS = 60_000
_MOST_INDEX_DIGITS = 9


class Graph:
    """The store as one person sees it, for the length of one request."""

    def __init__(self, store: Store, user: User) -> None:
        self.store = store
        self.user = user
        self._steps_left = _MOST_STEPS
        self._workspaces: dict[int, Row] | None = None

    def spend(self) -> None:
        """Count a step of the work. Raises GraphQLError when it was too much."""
        self._steps_left -= 1
        if self._steps_left < 0:
            raise GraphQLError("the query asks for too much")

    def workspaces(self) -> dict[int, Row]:
        """Return the person's workspaces by id."""
        if self._workspaces is None:
            found = self.store.workspaces.of_user(self.user.user_id)
            self._workspaces = {row["id"]: _workspace(row) for row in found}
        return self._workspaces

    def refresh(self) -> None:
        """Look the workspaces up again, after a change."""
        self._workspaces = None

    def model(self, model_id: int) -> Row | None:
        """Return a model."""
        return self._mine(self.store.models.get(model_id))

    def models(self) -> list[Row]:
        """Return every model, the one changed last first."""
        return self.store.models.of_workspaces(list(self.workspaces()))

    def version(self, version_id: int) -> Row | None:
        """Return a model version under its GraphQL names."""
        row = self.store.models.version(version_id)
        model = None if row is None else self.model(row["model_pk"])
        return None if row is None or model is None else graph_version(row, model)

    def versions(self, models: Iterable[Row] | None = None) -> list[Row]:
        """Return the versions of models (all, if none are given), newest first."""
        by_id = {row["id"]: row for row in (self.models() if models is None else models)}
        found = self.store.models.versions_of(list(by_id))
        rows = [graph_version(row, by_id[pk]) for pk, group in found.items() for row in group]
        return sorted(rows, key=lambda row: -row["id"])

    def config(self, config_id: int) -> Row | None:
        """Return a model configuration."""
        row = self.store.models.config(config_id)
        return None if row is None or self.version(row["model_version_id"]) is None else row

    def pipeline(self, pipeline_id: int) -> Row | None:
        """Return a pipeline."""
        row = self._mine(self.store.pipelines.get(pipeline_id))
        return None if row is None else _pipeline(row)

    def pipelines(self) -> list[Row]:
        """Return every pipeline, newest first."""
        return [_pipeline(r) for r in self.store.pipelines.of_workspaces(list(self.workspaces()))]

    def pipeline_version(self, version_id: int) -> Row | None:
        """Return a pipeline version."""
        row = self.store.pipelines.version(version_id)
        return None if row is None or self.pipeline(row["pipeline_pk"]) is None else row

    def pipeline_versions(self) -> list[Row]:
        """Return every pipeline version, newest first."""
        ids = [row["id"] for row in self.pipelines()]
        groups = self.store.pipelines.versions_of(ids).values()
        return sorted((row for group in groups for row in group), key=lambda row: -row["id"])

    def deployment(self, deployment_id: int) -> Row | None:
        """Return a deployment."""
        row = self.store.pipelines.deployment(deployment_id)
        return None if row is None or self.pipeline(row["pipeline_pk"]) is None else row

    def deployments(self) -> list[Row]:
        """Return every deployment, oldest first."""
        mine = {row["id"] for row in self.pipelines()}
        return [row for row in self.store.pipelines.deployments() if row["pipeline_pk"] in mine]

    def orchestration(self, orchestration_id: str) -> Row | None:
        """Return an orchestration."""
        row = self._mine(self.store.orchestrations.get(storable(orchestration_id, "id").lower()))
        return None if row is None else orchestration_json(row)

    def _mine(self, row: Row | None) -> Row | None:
        return row if row is not None and row["workspace_id"] in self.workspaces() else None


Field = Callable[[Graph, Row, Row], Json]

#: Fields that are not simply a column: `(graph, row, arguments) -> value`.
FIELDS: dict[tuple[str, str], Field] = {
    ("workspace", "users"): lambda g, row, _: g.store.workspaces.members(row["id"]),
    ("workspace", "models"): lambda g, row, _: g.store.models.of_workspaces([row["id"]]),
    ("workspace", "pipelines"): lambda g, row, _: [
        _pipeline(each) for each in g.store.pipelines.of_workspaces([row["id"]])
    ],
    ("user_default_workspace", "workspace"): lambda g, row, _: g.workspaces()[row["workspace_id"]],
    ("models", "models"): lambda g, row, _: g.versions([row]),
    ("models", "workspace"): lambda g, row, _: g.workspaces().get(row["workspace_id"]),
    ("model", "conversion"): lambda _g, row, args: _at(row["conversion"], args.get("path")),
    ("model", "model_tags"): lambda g, row, _: g.store.tags.of_model(row["id"]),
    ("model", "model"): lambda g, row, _: g.model(row["models_pk_id"]),
    ("model_config", "model"): lambda g, row, _: g.version(row["model_version_id"]),
    ("pipeline", "pipeline_versions"): lambda g, row, _: g.store.pipelines.versions_of(
        [row["id"]]
    ).get(row["id"], []),
    ("pipeline", "pipeline_tags"): lambda g, row, _: g.store.tags.of_pipeline(row["id"]),
    ("pipeline", "workspace"): lambda g, row, _: g.workspaces()[row["workspace_id"]],
    ("pipeline", "deployment"): lambda g, row, _: g.store.pipelines.deployment_of(row["id"]),
    ("pipeline_version", "created_on_version"): lambda _g, _row, _: CREATED_ON_VERSION,
    ("pipeline_version", "pipeline_pk_id"): lambda _g, row, _: row["pipeline_pk"],
    ("pipeline_version", "pipeline"): lambda g, row, _: g.pipeline(row["pipeline_pk"]),
    (
        "pipeline_version",
        "deployment_pipeline_versions",
    ): lambda g, row, _: g.store.pipelines.deployments_of_version(row["id"]),
    (
        "pipeline_version",
        "deployment_model_configs",
    ): lambda g, row, _: g.store.pipelines.configs_of_version(row["id"]),
    ("pipeline_version", "pipeline_publishes"): lambda _g, _row, _: [],
    ("deployment", "deployed"): lambda _g, row, _: bool(row["deployed"]),
    ("deployment", "limit_status"): lambda _g, _row, _: None,
    ("deployment", "pipeline"): lambda g, row, _: g.pipeline(row["pipeline_pk"]),
    (
        "deployment",
        "deployment_model_configs",
    ): lambda g, row, _: g.store.pipelines.deployed_configs(row["id"]),
    ("deployment", "deployment_model_configs_aggregate"): lambda g, row, _: {
        "nodes": g.store.pipelines.deployed_configs(row["id"])
    },
    (
        "deployment",
        "deployment_pipeline_versions",
    ): lambda g, row, _: g.store.pipelines.deployed_versions(row["id"]),
    ("deployment_model_configs", "model_config"): lambda g, row, _: g.config(
        row["model_config_id"]
    ),
    ("deployment_pipeline_version", "deployment"): lambda g, row, _: g.deployment(
        row["deployment_id"]
    ),
    ("deployment_pipeline_version", "pipeline_version"): lambda g, row, _: g.pipeline_version(
        row["pipeline_version_id"]
    ),
    ("orchestration", "workspace"): lambda g, row, _: g.workspaces().get(row["workspace_id"]),
    ("tag", "model_tags"): lambda g, row, _: [
        each for each in g.store.tags.models_of(row["id"]) if g.version(each["model_id"])
    ],
    ("tag", "pipeline_tags"): lambda g, row, _: [
        each for each in g.store.tags.pipelines_of(row["id"]) if g.pipeline(each["pipeline_pk_id"])
    ],
    ("model_tag", "model"): lambda g, row, _: g.version(row["model_id"]),
    ("model_tag", "tag"): lambda g, row, _: g.store.tags.get(row["tag_id"]),
    ("pipeline_tag", "pipeline"): lambda g, row, _: g.pipeline(row["pipeline_pk_id"]),
    ("pipeline_tag", "tag"): lambda g, row, _: g.store.tags.get(row["tag_pk_id"]),
}


def value_of(graph: Graph, kind: GraphQLObjectType, row: Row, name: str, args: Row) -> Json:
    """Return a field of a row, its list filtered and ordered if the arguments say so."""
    graph.spend()
    field = FIELDS.get((kind.name, name))
    value = row.get(name) if field is None else field(graph, row, args)
    if args and isinstance(value, list) and name in kind.fields:
        return narrowed(graph, kind.fields[name].type, value, args)
    return value


def narrowed(graph: Graph, kind: GraphQLOutputType, rows: list[Row], args: Row) -> list[Row]:
    """Return the rows that meet `where`, in the order of `order_by`, without doubles."""
    named = get_named_type(kind)
    if not isinstance(named, GraphQLObjectType):
        return rows
    where = args.get("where")
    found = [row for row in rows if where is None or meets(graph, named, row, where)]
    for order in reversed(_as_list(args.get("order_by"))):
        for path, direction in reversed(list(_paths(order))):
            found = _sorted(graph, named, found, path, descending=direction == "desc")
    for column in _as_list(args.get("distinct_on")):
        found = list({row.get(column): row for row in reversed(found)}.values())[::-1]
    limit = args.get("limit")
    if limit is not None and limit < 0:
        raise GraphQLError("unexpected negative value in limit")
    return found if limit is None else found[:limit]


def meets(graph: Graph, kind: GraphQLObjectType, row: Row, where: Row) -> bool:
    """Say whether a row meets a `*_bool_exp`."""
    graph.spend()
    for name, condition in where.items():
        if name == "_and":
            if not all(meets(graph, kind, row, each) for each in condition or ()):
                return False
        elif condition is not None and not _field_meets(graph, kind, row, name, condition):
            return False
    return True


def _field_meets(
    graph: Graph, kind: GraphQLObjectType, row: Row, name: str, condition: Row
) -> bool:
    value = value_of(graph, kind, row, name, {})
    field = kind.fields.get(name)
    related = None if field is None else get_named_type(field.type)
    if not isinstance(related, GraphQLObjectType):
        return all(_compares(value, sign, wanted) for sign, wanted in condition.items())
    assert field is not None  # noqa: S101  # `related` came from it
    rows = value if _is_list(field.type) else [value]
    return any(each is not None and meets(graph, related, each, condition) for each in rows)


def _compares(value: Json, sign: str, wanted: Json) -> bool:
    if wanted is None:
        raise GraphQLError("unexpected null value in a comparison")
    if sign == "_eq":
        return bool(value == wanted)
    if value is None:
        return False
    moment, limit = _moment(value), _moment(wanted)
    return moment >= limit if sign == "_gte" else moment <= limit


def _moment(text: Json) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError as exc:
        raise GraphQLError("a time must be written as ISO 8601") from exc
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _sorted(
    graph: Graph, kind: GraphQLObjectType, rows: list[Row], path: list[str], *, descending: bool
) -> list[Row]:
    def key(row: Row) -> tuple[bool, Json]:
        value: Json = row
        at: Json = kind
        for name in path:
            field = at.fields[name]
            value = None if value is None else value_of(graph, at, value, name, {})
            at = get_named_type(field.type)
        # As in PostgreSQL: what is missing comes last upwards and first downwards.
        return (value is None, 0 if value is None else value)

    return sorted(rows, key=key, reverse=descending)


def _paths(order: Row) -> Iterable[tuple[list[str], str]]:
    for name, below in order.items():
        if isinstance(below, dict):
            for path, direction in _paths(below):
                yield [name, *path], direction
        elif below is not None:
            yield [name], below


def _as_list(value: Json) -> list[Json]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _is_list(kind: GraphQLOutputType) -> bool:
    return isinstance(kind.of_type if isinstance(kind, GraphQLNonNull) else kind, GraphQLList)


def _at(value: Json, path: str | None) -> Json:
    """Return a part of JSON as Hasura's `path` argument does: `a`, `$.a.b`, `a[0]`."""
    for part in (path or "").removeprefix("$").replace("[", ".").replace("]", "").split("."):
        if not part:
            continue
        if isinstance(value, list) and part.isdecimal() and len(part) <= _MOST_INDEX_DIGITS:
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


def _workspace(row: Row) -> Row:
    return row | {"archived": bool(row["archived"])}


def _pipeline(row: Row) -> Row:
    return row | {"pipeline_id": row["name"]}
