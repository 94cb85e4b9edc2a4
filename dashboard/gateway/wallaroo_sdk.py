"""The platform through the Wallaroo SDK: the only module that imports it.

`import wallaroo` takes 2-3 s and 210 MB, so it happens on first use or by `warm_up`. The SDK is
used unmodified: it is given HTTP clients of ours where it takes them (see `wire`), and what its
objects would fetch one by one is asked in one GraphQL document over its own connection.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, TypeVar

import httpx

from dashboard.domain.connection import Connection
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.identity import Identity
from dashboard.domain.inference import LogPage
from dashboard.domain.model import Model, ModelDetails, ModelVersion, NewModel, UploadProgress
from dashboard.domain.pipeline import Deployment, DeploymentStatus, Pipeline
from dashboard.domain.table import ColumnFacts
from dashboard.domain.workspace import Member, MemberRole, Workspace
from dashboard.errors import DashboardError, InferenceFailed
from dashboard.gateway import (
    connection_calls,
    environment,
    inference,
    log_window,
    model_calls,
    model_inputs,
    pipeline_calls,
    pod_logs,
    room_calls,
    translate,
)
from dashboard.gateway.base import Account, DeployedVersion, Describe, InferenceSession
from dashboard.gateway.clients import Clients, Json, Sdk, SdkObject, Session
from dashboard.gateway.sdk_errors import Doing
from dashboard.gateway.sdk_errors import translate as translate_error
from dashboard.gateway.tokens import TokenKeeper
from dashboard.gateway.wire import Pool, Wire
from dashboard.masking import SecretDetails

_UPLOAD_LIMIT_S = 30 * 60.0
#: They log requests, and the bodies of GraphQL answers, at INFO.
_TALKATIVE = ("gql", "httpx", "httpcore")
_LOADING = threading.Lock()

T = TypeVar("T")

AroundInference = Callable[
    [Identity, Pipeline, AbstractAsyncContextManager[InferenceSession]],
    AbstractAsyncContextManager[InferenceSession],
]


def warm_up() -> None:
    """Import the SDK now. Call it from a thread, when nobody waits: it holds the interpreter."""
    load()


def load() -> Sdk:
    """Return the SDK, imported once for the process."""
    with _LOADING:
        return _load_once()


@functools.cache
def _load_once() -> Sdk:
    environment.prefer_certificate_folder()
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Its plotting libraries complain about each other's deprecations.
        warnings.simplefilter("ignore")
        return _LoadedSdk()


class _LoadedSdk:
    """The classes of the SDK in use, and the few calls that need more than a class."""

    def __init__(self) -> None:
        import gql
        import pyarrow as pa
        from wallaroo.client import Client
        from wallaroo.deployment import Deployment as SdkDeployment
        from wallaroo.deployment_config import DeploymentConfigBuilder
        from wallaroo.engine_config import Acceleration, Architecture
        from wallaroo.framework import Framework
        from wallaroo.model_version import ModelVersion as SdkModelVersion
        from wallaroo.pipeline import Pipeline as SdkPipeline
        from wallaroo.pipeline_config import PipelineConfigBuilder
        from wallaroo.workspace import Workspace as SdkWorkspace

        self.Acceleration: SdkObject = Acceleration
        self.Architecture: SdkObject = Architecture
        self.Deployment: SdkObject = SdkDeployment
        self.DeploymentConfigBuilder: SdkObject = DeploymentConfigBuilder
        self.Framework: SdkObject = Framework
        self.ModelVersion: SdkObject = SdkModelVersion
        self.Pipeline: SdkObject = SdkPipeline
        self.PipelineConfigBuilder: SdkObject = PipelineConfigBuilder
        self.Workspace: SdkObject = SdkWorkspace
        self.arrow: SdkObject = pa
        self._client_class: SdkObject = _client_class(Client)
        self._parse = functools.cache(gql.gql)

    def make_client(
        self, *, base_url: str, http: httpx.Client, wire: Wire, config: Json
    ) -> SdkObject:
        from gql import Client as GraphqlClient
        from gql.transport.httpx import HTTPXTransport

        # Without a schema the GraphQL client asks for none and checks nothing: the 84 kB of
        # introspection per client, and its parsing, are saved.
        transport = HTTPXTransport(
            url=f"{base_url}/v1/graphql", transport=wire, trust_env=False, timeout=None
        )
        return self._client_class(
            pooled=http,
            graphql=GraphqlClient(transport=transport),
            api_endpoint=base_url,
            auth_type="token",
            interactive=False,
            config=config,
        )

    def query(self, client: SdkObject, document: str, **variables: Json) -> dict[str, Any]:
        answer: dict[str, Any] = client.graphql.execute(
            self._parse(document), variable_values=variables
        )
        return answer

    def list_workspaces(self, client: SdkObject) -> list[dict[str, Any]]:
        # The SDK's own list drops nothing of the answer, but gives the ids of models and pipelines
        # only by one more request per workspace. It also turns refusals into errors.
        from wallaroo.wallaroo_ml_ops_api_client.api.workspace import workspaces_list
        from wallaroo.wallaroo_ml_ops_api_client.models import (
            WorkspacesListResponse200,
            workspaces_list_body,
        )

        body = workspaces_list_body.WorkspacesListBody()
        answer = workspaces_list.sync(client=client.mlops(), body=body)
        if not isinstance(answer, WorkspacesListResponse200):
            raise ConnectionError("workspaces/list was refused")
        return [room.to_dict() for room in answer.workspaces]

    def request_undeploy(self, client: SdkObject, deployment_id: int) -> None:
        from wallaroo.wallaroo_ml_ops_api_client.api.pipelines import pipelines_undeploy
        from wallaroo.wallaroo_ml_ops_api_client.models import pipelines_undeploy_body

        body = pipelines_undeploy_body.PipelinesUndeployBody(deployment_id)
        answer = pipelines_undeploy.sync_detailed(client=client.mlops(), body=body)
        if answer.status_code >= 300:
            raise ConnectionError("pipelines/undeploy was refused")


def _client_class(sdk_client: SdkObject) -> SdkObject:
    class PlatformClient(sdk_client):  # type: ignore[misc] # the SDK is untyped
        """The SDK's client over our HTTP client instead of a new one for each call."""

        def __init__(self, *, pooled: httpx.Client, graphql: SdkObject, **rest: SdkObject) -> None:
            self.pooled = pooled
            self.graphql = graphql
            super().__init__(gql_client=graphql, **rest)

        @property
        def httpx_client(self) -> httpx.Client:
            return self.pooled

        def mlops(self) -> SdkObject:
            return super().mlops().set_httpx_client(self.pooled)

    return PlatformClient


class WallarooGateway:
    """A `PlatformGateway` over the SDK. Thread-safe; every method blocks.

    Parameters
    ----------
    base_url
        The platform's address, such as `http://127.0.0.1:9000`.
    describe
        Says what may be shown of a connection's details.
    clock
        Seconds, for the life of tokens.
    call_timeout_s
        Most time for each request of a call; a call makes one to a dozen.
    around_inference
        Given who opens which session, returns it with whatever is to happen around it.
    """

    def __init__(
        self,
        *,
        base_url: str,
        describe: Describe,
        clock: Callable[[], float] = time.time,
        call_timeout_s: float = 20,
        around_inference: AroundInference = lambda _who, _pipeline, opening: opening,
    ) -> None:
        self._describe = describe
        self._around_inference = around_inference
        self._call_timeout_s = call_timeout_s
        self._pool = Pool(base_url)
        self._tokens = TokenKeeper(lambda: self._pool, clock=clock)
        self._clients = Clients(self._pool, self._tokens, load=load)

    @property
    def base_url(self) -> str:
        """The platform's address."""
        return self._pool.base_url

    def rebase(self, base_url: str) -> None:
        """Go on at another address of the same platform; calls under way fail.

        At the same address nothing changes: a restarted sandbox keeps its port.
        """
        if base_url.rstrip("/") == self._pool.base_url:
            return
        old_pool, old_clients = self._pool, self._clients
        self._pool = Pool(base_url)
        self._tokens.rebase(self._pool.base_url)
        self._clients = Clients(self._pool, self._tokens, load=load)
        old_clients.close()
        old_pool.close()

    def sign_in(self, key: str, account: Account) -> Identity:
        """See `PlatformGateway`."""
        identity = self._tokens.sign_in(key, account)
        self._clients.forget(key)
        return identity

    def forget(self, key: str) -> None:
        """See `PlatformGateway`."""
        self._tokens.forget(key)
        self._clients.forget(key)

    def close(self) -> None:
        """See `PlatformGateway`."""
        self._clients.close()
        self._pool.close()

    # Connections

    def list_connections(
        self, who: Identity, *, workspace_id: int | None = None
    ) -> tuple[Connection, ...]:
        """See `PlatformGateway`."""
        doing = Doing("list the connections", subject="such workspace")

        def read(session: Session) -> tuple[Connection, ...]:
            found = connection_calls.listing(session, workspace_id)
            shown = [translate.connection(item, self._describe) for item in found]
            return tuple(sorted(shown, key=lambda connection: connection.created_at))

        return self._read(who, doing, read)

    def get_connection(self, who: Identity, name: str) -> Connection:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("read the connection"),
            lambda session: translate.connection(
                connection_calls.get(session, name), self._describe
            ),
        )

    def read_details(self, who: Identity, name: str) -> tuple[Connection, SecretDetails]:
        """See `PlatformGateway`."""

        def read(session: Session) -> tuple[Connection, SecretDetails]:
            found = connection_calls.get(session, name)
            details = SecretDetails(found.details())
            return translate.connection(found, self._describe), details

        return self._read(who, Doing("read the connection"), read)

    def create_connection(
        self, who: Identity, *, name: str, connection_type: str, details: SecretDetails
    ) -> Connection:
        """See `PlatformGateway`."""
        return self._write(
            who,
            connection_calls.creating_connection(name),
            lambda session: connection_calls.create(
                session, name, connection_type, details, self._describe
            ),
        )

    def delete_connection(self, who: Identity, name: str, *, connection_id: str = "") -> None:
        """See `PlatformGateway`."""
        self._write(
            who,
            Doing("delete the connection"),
            lambda session: connection_calls.delete(session, name, connection_id),
        )

    def link_connection(
        self, who: Identity, *, name: str, workspace_id: int, connection_id: str = ""
    ) -> Connection:
        """See `PlatformGateway`."""
        return self._write(
            who,
            Doing("link the connection", subject="such workspace"),
            lambda session: connection_calls.link(
                session, name, connection_id, workspace_id, self._describe
            ),
        )

    def unlink_connection(
        self, who: Identity, *, name: str, workspace_id: int, connection_id: str = ""
    ) -> Connection:
        """See `PlatformGateway`."""
        return self._write(
            who,
            Doing("take the connection out of the workspace", subject="such workspace"),
            lambda session: connection_calls.unlink(
                session, name, connection_id, workspace_id, self._describe
            ),
        )

    # Workspaces and models

    def list_workspaces(self, who: Identity) -> tuple[Workspace, ...]:
        """See `PlatformGateway`."""

        def read(session: Session) -> tuple[Workspace, ...]:
            rows = session.sdk.list_workspaces(session.client)
            rooms = [translate.workspace(fields) for fields in rows]
            return tuple(sorted(rooms, key=lambda room: (room.created_at, room.workspace_id)))

        return self._read(who, Doing("list the workspaces"), read)

    def create_workspace(self, who: Identity, name: str) -> Workspace:
        """See `PlatformGateway`."""
        return self._write(
            who,
            room_calls.creating_workspace(name),
            lambda session: room_calls.create_workspace(session, name),
        )

    def list_members(self, who: Identity, workspace_id: int) -> tuple[Member, ...]:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("list the members", subject="such workspace"),
            lambda session: room_calls.list_members(session, workspace_id),
        )

    def add_member(
        self, who: Identity, *, workspace_id: int, email: str, role: MemberRole
    ) -> tuple[Member, ...]:
        """See `PlatformGateway`."""
        return self._write(
            who,
            room_calls.ADDING_MEMBER,
            lambda session: room_calls.add_member(session, workspace_id, email, role),
        )

    def list_models(self, who: Identity, workspace_id: int) -> tuple[Model, ...]:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("list the models", subject="such workspace"),
            lambda session: model_calls.list_models(session, workspace_id),
        )

    def list_all_models(self, who: Identity) -> tuple[Model, ...]:
        """See `PlatformGateway`."""
        return self._read(who, Doing("list the models"), model_calls.list_all)

    def model_details(self, who: Identity, version: ModelVersion) -> ModelDetails:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("read what the model takes", subject="such model version"),
            lambda session: model_calls.details(session, version),
        )

    def model_log(
        self, who: Identity, version: ModelVersion, *, limit: int = 200
    ) -> tuple[str, ...]:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("read the upload's log", subject="such model version"),
            lambda session: model_calls.upload_log(session, version, limit),
        )

    def model_inputs(self, who: Identity, pipeline: Pipeline) -> tuple[ColumnFacts, ...]:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("read what the model takes"),
            lambda session: model_inputs.model_inputs(session, pipeline),
        )

    def upload_model(
        self,
        who: Identity,
        model: NewModel,
        *,
        on_progress: Callable[[UploadProgress], None] = lambda _progress: None,
    ) -> ModelVersion:
        """See `PlatformGateway`."""
        file = model_calls.OutgoingFile(model.file_name, model.content, on_progress)
        version_id = self._write(
            who,
            Doing("upload the model", field="name"),
            lambda session: model_calls.upload(session, model, file),
            limit_s=_UPLOAD_LIMIT_S,
        )

        def read(wanted_id: int) -> Mapping[str, Any]:
            return self._read(
                who,
                Doing("read the model's status"),
                lambda session: model_calls.version_fields(session, wanted_id),
            )

        def told(status: str) -> None:
            on_progress(UploadProgress(file.total_bytes, file.total_bytes, status))

        return model_calls.wait_for_conversion(version_id, read, on_status=told)

    # Pipelines

    def list_pipelines(
        self, who: Identity, *, workspace_id: int | None = None
    ) -> tuple[Pipeline, ...]:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("list the pipelines"),
            lambda session: pipeline_calls.list_pipelines(session, workspace_id),
        )

    def get_pipeline(self, who: Identity, *, workspace_id: int, name: str) -> Pipeline:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("read the pipeline"),
            lambda session: pipeline_calls.get(session, workspace_id, name),
        )

    def create_pipeline(
        self, who: Identity, *, workspace_id: int, name: str, model_version: ModelVersion
    ) -> Pipeline:
        """See `PlatformGateway`."""
        return self._write(
            who,
            Doing("create the pipeline", field="name"),
            lambda session: pipeline_calls.create(session, workspace_id, name, model_version),
        )

    def deployment(self, who: Identity, pipeline: Pipeline) -> Deployment | None:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("read the deployment"),
            lambda session: pipeline_calls.deployment(session, pipeline),
        )

    def status(self, who: Identity, pipeline: Pipeline) -> DeploymentStatus:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("read the deployment's status"),
            lambda session: pipeline_calls.status(session, pipeline),
        )

    def deploy(
        self,
        who: Identity,
        pipeline: Pipeline,
        *,
        model_version: ModelVersion,
        settings: DeploymentSettings,
    ) -> DeployedVersion:
        """See `PlatformGateway`."""
        return self._write(
            who,
            pipeline_calls.deploying(pipeline),
            lambda session: pipeline_calls.deploy(session, pipeline, model_version, settings),
        )

    def undeploy(self, who: Identity, pipeline: Pipeline) -> None:
        """See `PlatformGateway`."""
        self._write(
            who,
            Doing(f'undeploy "{pipeline.name}"', subject="deployment of it"),
            lambda session: pipeline_calls.undeploy(session, pipeline),
        )

    def logs(
        self, who: Identity, pipeline: Pipeline, *, limit: int = 100
    ) -> tuple[Mapping[str, Any], ...]:
        """See `PlatformGateway`."""
        return self.log_page(who, pipeline, limit=limit).rows

    def log_page(self, who: Identity, pipeline: Pipeline, *, limit: int = 100) -> LogPage:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("read the log"),
            lambda session: pipeline_calls.log_page(session, pipeline, limit),
        )

    def log_between(
        self, who: Identity, pipeline: Pipeline, *, start: datetime, end: datetime, limit: int
    ) -> LogPage:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("read the log"),
            lambda session: log_window.rows_between(session, pipeline, start, end, limit),
        )

    def pod_log(
        self, who: Identity, pipeline: Pipeline, pod_name: str, *, limit: int = 60
    ) -> tuple[str, ...]:
        """See `PlatformGateway`."""
        return self._read(
            who,
            Doing("read the log of the model's process"),
            lambda session: pod_logs.newest_lines(session, pipeline, pod_name, limit),
        )

    def open_inference(
        self, who: Identity, pipeline: Pipeline
    ) -> AbstractAsyncContextManager[InferenceSession]:
        """See `PlatformGateway`."""
        pool, tokens = self._pool, self._tokens

        def transport() -> inference.AsyncWire:
            return inference.AsyncWire(pool.open_async(), tokens, who.key)

        opening = inference.open_session(lambda: self._prepare(who, pipeline), transport)
        return self._around_inference(who, pipeline, opening)

    def _prepare(self, who: Identity, pipeline: Pipeline) -> tuple[Session, SdkObject]:
        session = self._clients.make(who)
        try:
            fields = self._guard(
                session,
                Doing("read the deployment"),
                lambda lent: pipeline_calls.record(lent, pipeline),
                may_repeat=True,
            )
            if not fields or not fields.get("deployed"):
                raise InferenceFailed(
                    f'The pipeline "{pipeline.name}" is not deployed.', hint="Deploy it first."
                )
        except DashboardError:
            session.close()
            raise
        data = {**fields, "pipeline": {"pipeline_id": pipeline.name}}
        return session, session.sdk.Deployment(client=session.client, data=data)

    # How a call is made

    def _read(self, who: Identity, doing: Doing, work: Callable[[Session], T]) -> T:
        """Run a call that changes nothing: its requests may be sent once more."""
        with self._clients.lend(who) as session:
            return self._guard(session, doing, work, may_repeat=True)

    def _write(
        self,
        who: Identity,
        doing: Doing,
        work: Callable[[Session], T],
        *,
        limit_s: float | None = None,
    ) -> T:
        """Run a call that changes something: each request is sent once."""
        with self._clients.lend(who) as session:
            return self._guard(session, doing, work, may_repeat=False, limit_s=limit_s)

    def _guard(
        self,
        session: Session,
        doing: Doing,
        work: Callable[[Session], T],
        *,
        may_repeat: bool,
        limit_s: float | None = None,
    ) -> T:
        session.wire.begin(limit_s=limit_s or self._call_timeout_s, may_repeat=may_repeat)
        problem: DashboardError
        try:
            return work(session)
        except Exception as exc:  # noqa: BLE001 - this is the edge where all become ours
            problem = translate_error(exc, session.wire, doing)
        # Outside the except block, so that the SDK's exception, which holds the request with the
        # token and a connection's details, does not travel along as context.
        raise problem
