"""What the pages read of the platform, as queries with their keys and how long they stay fresh."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from dashboard.domain.connection import Connection
from dashboard.domain.connection_list import ConnectionIndex
from dashboard.domain.identity import Identity
from dashboard.domain.model import Model
from dashboard.domain.pipeline import Deployment, Pipeline
from dashboard.domain.settings_json import without_values
from dashboard.domain.workspace import Member, Workspace
from dashboard.gateway.base import PlatformGateway
from dashboard.services.reads import Query

GatewayOf = Callable[[], PlatformGateway]

CONNECTIONS = "connections"
WORKSPACES = "workspaces"
MODELS = "models"
MEMBERS = "members"
PIPELINES = "pipelines"
DEPLOYMENTS = "deployments"

_LIST_FRESH_S = 10.0

#: Of so many people the index of their list is kept; those of the others are made anew.
_MOST_INDEXES = 16


class Catalog:
    """Builds the queries. `gateway` gives the platform, waiting until it is there."""

    def __init__(self, gateway: GatewayOf) -> None:
        self._gateway = gateway
        self._indexes: dict[str, ConnectionIndex] = {}

    def connections(self, who: Identity) -> Query[tuple[Connection, ...]]:
        """All connections of the platform, oldest first, without details."""

        def load() -> tuple[Connection, ...]:
            listed = self._gateway().list_connections(who)
            # Here and not when the page is drawn: it takes 0.1 s for ten thousand.
            known = self._indexes.get(who.key)
            self._keep(who, ConnectionIndex(listed, known.hidden if known is not None else ()))
            return listed

        return Query((who.key, CONNECTIONS), load, _LIST_FRESH_S)

    def index_of(
        self, who: Identity, connections: Sequence[Connection], hidden: Collection[str] = ()
    ) -> ConnectionIndex:
        """Return the index of a list of `connections`, without those of the names `hidden`.

        That of the list read last is there already; it belongs to this person alone.
        """
        known = self._indexes.get(who.key)
        if known is None or known.source is not connections or known.hidden != frozenset(hidden):
            known = ConnectionIndex(connections, hidden)
            self._keep(who, known)
        return known

    def _keep(self, who: Identity, index: ConnectionIndex) -> None:
        self._indexes[who.key] = index
        while len(self._indexes) > _MOST_INDEXES:
            self._indexes.pop(next(iter(self._indexes)), None)

    def linked_connections(self, who: Identity, workspace_id: int) -> Query[tuple[Connection, ...]]:
        """Return the connections linked to one workspace, by its own list."""
        return Query(
            (who.key, CONNECTIONS, workspace_id),
            lambda: self._gateway().list_connections(who, workspace_id=workspace_id),
            _LIST_FRESH_S,
        )

    def workspaces(self, who: Identity) -> Query[tuple[Workspace, ...]]:
        """Return the workspaces this person is in, oldest first."""
        return Query(
            (who.key, WORKSPACES), lambda: self._gateway().list_workspaces(who), _LIST_FRESH_S
        )

    def members(self, who: Identity, workspace_id: int) -> Query[tuple[Member, ...]]:
        """Return the people in a workspace, owners first."""
        return Query(
            (who.key, MEMBERS, workspace_id),
            lambda: self._gateway().list_members(who, workspace_id),
            _LIST_FRESH_S,
        )

    def models(self, who: Identity, workspace_id: int) -> Query[tuple[Model, ...]]:
        """Models of a workspace, newest version first."""
        return Query(
            (who.key, MODELS, workspace_id),
            lambda: self._gateway().list_models(who, workspace_id),
            _LIST_FRESH_S,
        )

    def pipelines(self, who: Identity) -> Query[tuple[Pipeline, ...]]:
        """Pipelines of all workspaces this person is in, with their versions."""
        return Query(
            (who.key, PIPELINES), lambda: self._gateway().list_pipelines(who), _LIST_FRESH_S
        )

    def deployment(self, who: Identity, pipeline: Pipeline) -> Query[Deployment | None]:
        """Return the record of a pipeline's last deployment, without its variables' values."""

        def load() -> Deployment | None:
            found = self._gateway().deployment(who, pipeline)
            # What is read stays in memory for an hour, and a variable may hold a token.
            return found and replace(found, engine_config=without_values(found.engine_config))

        return Query((who.key, DEPLOYMENTS, pipeline.pipeline_id), load, _LIST_FRESH_S)
