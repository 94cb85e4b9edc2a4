"""The queries and changes GraphQL offers: the fields of its two root types."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from graphql import GraphQLError, GraphQLObjectType, GraphQLSchema

from dashboard.sandbox.bodies import storable
from dashboard.sandbox.context import Json
from dashboard.sandbox.graph import Graph, meets
from dashboard.sandbox.store import Row
from dashboard.sandbox.store.workspaces import OWNER, LastOwner, NameTaken

Root = Callable[[Graph, Row], Json]
Change = Callable[[Graph, Row, GraphQLSchema], Json]


def _defaults(graph: Graph, _args: Row) -> list[Row]:
    workspace_id = graph.store.workspaces.default_of(graph.user.user_id)
    if workspace_id not in graph.workspaces():
        return []
    return [{"user_id": graph.user.user_id, "workspace_id": workspace_id}]


def _search_models(graph: Graph, args: Row) -> list[Row]:
    words = _words(args)
    return [
        row
        for row in graph.versions()
        if _matches(
            words,
            row["model_id"],
            row["model_version"],
            row["sha"],
            row["file_name"],
            *_tag_texts(graph, graph.store.tags.of_model(row["id"]), "tag_id"),
        )
    ]


def _search_pipelines(graph: Graph, args: Row) -> list[Row]:
    words = _words(args)
    texts = {
        row["id"]: [
            row["name"],
            *_tag_texts(graph, graph.store.tags.of_pipeline(row["id"]), "tag_pk_id"),
        ]
        for row in graph.pipelines()
    }
    return [
        row
        for row in graph.pipeline_versions()
        if _matches(words, row["version"], *texts[row["pipeline_pk"]], *_model_names(row))
    ]


#: Lists come unfiltered; `where` and `order_by` are applied to them afterwards.
QUERIES: dict[str, Root] = {
    "workspace": lambda graph, _: list(graph.workspaces().values()),
    "workspace_by_pk": lambda graph, args: graph.workspaces().get(args["id"]),
    "user_default_workspace": _defaults,
    "model": lambda graph, _: graph.versions(),
    "model_by_pk": lambda graph, args: graph.version(args["id"]),
    "model_config_by_pk": lambda graph, args: graph.config(args["id"]),
    "pipeline": lambda graph, _: graph.pipelines(),
    "pipeline_by_pk": lambda graph, args: graph.pipeline(args["id"]),
    "pipeline_version_by_pk": lambda graph, args: graph.pipeline_version(args["id"]),
    "deployment": lambda graph, _: graph.deployments(),
    "deployment_by_pk": lambda graph, args: graph.deployment(args["id"]),
    "search_models": _search_models,
    "search_pipelines": _search_pipelines,
    "tag": lambda graph, _: graph.store.tags.listing(),
    "tag_by_pk": lambda graph, args: graph.store.tags.get(args["id"]),
    "orchestration_by_pk": lambda graph, args: graph.orchestration(str(args["id"])),
}


def _insert_workspace(graph: Graph, args: Row, _schema: GraphQLSchema) -> Row | None:
    """Create a workspace for the sender, and make it their default if that is asked for.

    With `on_conflict` an existing one of this name is taken, if the sender is in it.
    """
    wanted = args["object"]
    name = storable(wanted.get("name") or "", "name")
    if not name:
        raise GraphQLError("a workspace needs a name")
    workspaces, user_id = graph.store.workspaces, graph.user.user_id
    try:
        workspace_id = workspaces.add(name, owner_id=user_id)
    except NameTaken as exc:
        existing = workspaces.by_name(name)
        if not args.get("on_conflict") or not existing or existing["id"] not in graph.workspaces():
            raise GraphQLError(
                "Uniqueness violation. duplicate key value violates unique constraint "
                '"workspace_name_key"'
            ) from exc
        workspace_id = existing["id"]
    if (wanted.get("user_default_workspaces") or {}).get("data"):
        workspaces.set_default(user_id, workspace_id)
    graph.refresh()
    return graph.workspaces().get(workspace_id)


def _delete_workspace_users(graph: Graph, args: Row, schema: GraphQLSchema) -> Row:
    """Take people out of workspaces the sender leads, or the sender out of their own."""
    where = _not_empty(args)
    kind = _kind(schema, "workspace_users")
    workspaces, user = graph.store.workspaces, graph.user
    removed = 0
    for workspace_id in workspaces.ids() if user.is_admin else list(graph.workspaces()):
        members = workspaces.members(workspace_id)
        # As in the REST calls: a role there counts, an administrator helps from outside.
        role = workspaces.role_of(workspace_id, user.user_id)
        leads = role == OWNER or (role is None and user.is_admin)
        for row in members:
            candidate = row | {"workspace_id": workspace_id}
            may = leads or row["user_id"] == user.user_id
            if may and meets(graph, kind, candidate, where):
                removed += _remove_member(graph, workspace_id, row["user_id"])
    graph.refresh()
    return {"affected_rows": removed}


def _remove_member(graph: Graph, workspace_id: int, user_id: str) -> int:
    try:
        return graph.store.workspaces.remove_member(workspace_id, user_id)
    except LastOwner as exc:
        raise GraphQLError("a workspace needs an owner") from exc


def _insert_tag(graph: Graph, args: Row, _schema: GraphQLSchema) -> Row:
    tags = [storable(each.get("tag") or "", "tag") for each in args["objects"]]
    return {"returning": [graph.store.tags.add(tag) for tag in tags]}


def _insert_model_tag(graph: Graph, args: Row, _schema: GraphQLSchema) -> Row:
    pairs = [(each.get("model_id"), each.get("tag_id")) for each in args["objects"]]
    for version_id, tag_id in pairs:
        if graph.version(version_id) is None or graph.store.tags.get(tag_id) is None:
            raise GraphQLError("Foreign key violation. there is no such model or tag")
    return {"returning": [graph.store.tags.on_model(*pair) for pair in pairs]}


def _insert_pipeline_tag(graph: Graph, args: Row, _schema: GraphQLSchema) -> Row:
    pairs = [(each.get("pipeline_pk_id"), each.get("tag_pk_id")) for each in args["objects"]]
    for pipeline_id, tag_id in pairs:
        if graph.pipeline(pipeline_id) is None or graph.store.tags.get(tag_id) is None:
            raise GraphQLError("Foreign key violation. there is no such pipeline or tag")
    return {"returning": [graph.store.tags.on_pipeline(*pair) for pair in pairs]}


def _delete_model_tag(graph: Graph, args: Row, schema: GraphQLSchema) -> Row:
    where, kind = _not_empty(args), _kind(schema, "model_tag")
    links = [link for row in graph.versions() for link in graph.store.tags.of_model(row["id"])]
    gone = [link for link in links if meets(graph, kind, link, where)]
    for link in gone:
        graph.store.tags.off_model(link["model_id"], link["tag_id"])
    return {"returning": gone}


def _delete_pipeline_tag(graph: Graph, args: Row, schema: GraphQLSchema) -> Row:
    where, kind = _not_empty(args), _kind(schema, "pipeline_tag")
    links = [link for row in graph.pipelines() for link in graph.store.tags.of_pipeline(row["id"])]
    gone = [link for link in links if meets(graph, kind, link, where)]
    for link in gone:
        graph.store.tags.off_pipeline(link["pipeline_pk_id"], link["tag_pk_id"])
    return {"returning": gone}


def _update_model(graph: Graph, args: Row, schema: GraphQLSchema) -> Row:
    where, kind = _not_empty(args), _kind(schema, "model")
    visibility = _visibility(args)
    found = [row for row in graph.versions() if meets(graph, kind, row, where)]
    for row in found:
        graph.store.models.set_visibility(row["id"], visibility)
    return {"returning": [graph.version(row["id"]) for row in found]}


def _update_pipeline(graph: Graph, args: Row, schema: GraphQLSchema) -> Row:
    where, kind = _not_empty(args), _kind(schema, "pipeline")
    visibility = _visibility(args)
    found = [row for row in graph.pipelines() if meets(graph, kind, row, where)]
    for row in found:
        graph.store.pipelines.set_visibility(row["id"], visibility)
    return {"returning": [graph.pipeline(row["id"]) for row in found]}


def _visibility(args: Row) -> str:
    wanted = (args.get("_set") or {}).get("visibility")
    if wanted not in ("private", "public"):
        raise GraphQLError("visibility must be private or public")
    return str(wanted)


def _refused(name: str, instead: str) -> Change:
    def refuse(_graph: Graph, _args: Row, _schema: GraphQLSchema) -> Json:
        raise GraphQLError(f"The sandbox does not imitate {name}; use {instead}")

    return refuse


CHANGES: dict[str, Change] = {
    "insert_workspace_one": _insert_workspace,
    "delete_workspace_users": _delete_workspace_users,
    "insert_tag": _insert_tag,
    "insert_model_tag": _insert_model_tag,
    "delete_model_tag": _delete_model_tag,
    "insert_pipeline_tag": _insert_pipeline_tag,
    "delete_pipeline_tag": _delete_pipeline_tag,
    "update_model": _update_model,
    "update_pipeline": _update_pipeline,
    # Engines start and stop by REST alone: these would leave them as they are.
    "update_deployment_by_pk": _refused("update_deployment_by_pk", "pipelines/deploy"),
    "insert_deployment_model_configs": _refused(
        "insert_deployment_model_configs", "pipelines/deploy"
    ),
}


def _not_empty(args: Row) -> Row:
    """Return the condition of a deletion; an empty one would delete everything by mistake."""
    where: Row = args["where"]
    if not where:
        raise GraphQLError("a deletion needs a condition")
    return where


def _kind(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    return cast("GraphQLObjectType", schema.get_type(name))  # object types of our own schema


def _tag_texts(graph: Graph, links: list[Row], key: str) -> list[str]:
    found = (graph.store.tags.get(link[key]) for link in links)
    return [row["tag"] for row in found if row is not None]


def _model_names(pipeline_version: Row) -> list[str]:
    """Return the names of the models in a pipeline's steps, whatever a client stored there."""
    definition = pipeline_version["definition"]
    steps = definition.get("steps") if isinstance(definition, dict) else None
    found: list[str] = []
    for step in steps if isinstance(steps, list) else []:
        for part in step.values() if isinstance(step, dict) else []:
            models = part.get("models") if isinstance(part, dict) else None
            for model in models if isinstance(models, list) else []:
                name = model.get("name") if isinstance(model, dict) else None
                found += [name] if isinstance(name, str) else []
    return found


def _words(args: Row) -> str:
    return str((args.get("args") or {}).get("search") or "").casefold()


def _matches(words: str, *texts: str | None) -> bool:
    return not words or any(words in (text or "").casefold() for text in texts)
