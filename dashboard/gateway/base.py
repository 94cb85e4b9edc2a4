"""The contract between the services and a Wallaroo platform.

Domain values in and out; SDK objects never leave the implementation. Every method may raise
`AuthenticationFailed`, `PlatformUnreachable`, `TimedOut`, `AccessDenied` and `UnexpectedAnswer`;
what else it raises stands with it. Methods block and may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from dashboard.domain.connection import Connection, Description
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.identity import Identity
from dashboard.domain.inference import Answer, LogPage
from dashboard.domain.model import Model, ModelDetails, ModelVersion, NewModel, UploadProgress
from dashboard.domain.pipeline import Deployment, DeploymentStatus, Pipeline, PipelineVersion
from dashboard.domain.table import ColumnFacts
from dashboard.domain.workspace import Member, MemberRole, Workspace
from dashboard.masking import Secret, SecretDetails


@dataclass(frozen=True, slots=True)
class Account:
    """How to log in at the platform. The sandbox's account is read from its credentials file."""

    base_url: str
    username: str
    password: Secret[str]


#: Given a connection's type and clear details, says what may be shown. From the connectors.
Describe = Callable[[str, Any], Description]


@dataclass(frozen=True, slots=True)
class DeployedVersion(PipelineVersion):
    """What `deploy` gives: the version, and whether it was running all along.

    Parameters
    ----------
    already_running
        True when the same step with the same sizes runs already, so that nothing was sent: each
        deploy makes a new version and restarts the engines.
    """

    already_running: bool = False


class InferenceSession(Protocol):
    """Sends rows to one deployed pipeline. Used inside one event loop; requests may overlap."""

    async def infer(self, rows: Sequence[Mapping[str, Any]], *, timeout_s: float) -> Answer:
        """Send `rows` in one request, once.

        Raises
        ------
        InferenceFailed
            The engine refused or failed it; the message is the engine's own, redacted.
        TimedOut
            No answer within `timeout_s` seconds.
        """
        ...


class PlatformGateway(Protocol):
    """Everything the services ask of the platform, on behalf of `who`."""

    def sign_in(self, key: str, account: Account) -> Identity:
        """Log in and keep the token under `key`; later calls refresh it on their own."""
        ...

    def list_connections(
        self, who: Identity, *, workspace_id: int | None = None
    ) -> tuple[Connection, ...]:
        """All connections, or those linked to a workspace, oldest first, without details."""
        ...

    def get_connection(self, who: Identity, name: str) -> Connection:
        """One connection by its exact name. Raises NotFound."""
        ...

    def read_details(self, who: Identity, name: str) -> tuple[Connection, SecretDetails]:
        """One connection with its details, for connectors and guarded writes only."""
        ...

    def create_connection(
        self, who: Identity, *, name: str, connection_type: str, details: SecretDetails
    ) -> Connection:
        """Create and re-read it. Raises Conflict (field `name`) if the name is taken."""
        ...

    def delete_connection(self, who: Identity, name: str, *, connection_id: str = "") -> None:
        """Delete, and re-read that it is gone (the SDK hides failures).

        Parameters
        ----------
        connection_id
            The one that is meant, where names may have changed hands: the platform deletes by name.

        Raises
        ------
        NotFound
            There is none of that name.
        Conflict
            The one of that name has another id.
        """
        ...

    def link_connection(
        self, who: Identity, *, name: str, workspace_id: int, connection_id: str = ""
    ) -> Connection:
        """Link to a workspace; confirmed by that workspace's own list.

        Parameters
        ----------
        connection_id
            The one that is meant, where names may have changed hands. The platform links by id:
            no other one is ever linked.

        Raises
        ------
        NotFound
            There is none of that name, or no such workspace.
        Conflict
            The one of that name has another id: nothing was written.
        """
        ...

    def unlink_connection(
        self, who: Identity, *, name: str, workspace_id: int, connection_id: str = ""
    ) -> Connection:
        """Take it out of a workspace; confirmed by that workspace's own list.

        Parameters
        ----------
        connection_id
            As for `link_connection`: no other one is ever unlinked.

        Raises
        ------
        NotFound
            There is none of that name.
        Conflict
            The one of that name has another id: nothing was written, or it took the name just
            after the unlinking.
        """
        ...

    def list_workspaces(self, who: Identity) -> tuple[Workspace, ...]:
        """List the workspaces this person is in, oldest first."""
        ...

    def create_workspace(self, who: Identity, name: str) -> Workspace:
        """Create one. Raises InvalidInput (the platform's rule for names) or Conflict."""
        ...

    def list_members(self, who: Identity, workspace_id: int) -> tuple[Member, ...]:
        """List the people in a workspace, owners first."""
        ...

    def add_member(
        self, who: Identity, *, workspace_id: int, email: str, role: MemberRole
    ) -> tuple[Member, ...]:
        """Put a person into a workspace; return its members as they are read again.

        Raises
        ------
        NotFound
            Nobody of that address is known to the platform (field `email`).
        Conflict
            The person is in it already (field `email`).
        """
        ...

    def list_models(self, who: Identity, workspace_id: int) -> tuple[Model, ...]:
        """Models of a workspace with their versions, newest version first."""
        ...

    def list_all_models(self, who: Identity) -> tuple[Model, ...]:
        """Models of all workspaces the platform shows this account, in one request."""
        ...

    def model_details(self, who: Identity, version: ModelVersion) -> ModelDetails:
        """Read what a version takes and gives."""
        ...

    def model_log(self, who: Identity, version: ModelVersion, *, limit: int = 200) -> Sequence[str]:
        """Return the newest lines of a version's upload log, oldest first.

        Empty where the platform keeps none, or is of a version that gives none.
        """
        ...

    def model_inputs(self, who: Identity, pipeline: Pipeline) -> tuple[ColumnFacts, ...]:
        """Columns that the first model of a deployed pipeline reads.

        None where the platform does not tell; a type that is not told is empty.
        """
        ...

    def upload_model(
        self,
        who: Identity,
        model: NewModel,
        *,
        on_progress: Callable[[UploadProgress], None] = ...,
    ) -> ModelVersion:
        """Upload a model and wait for the real outcome of what the platform does with it.

        Takes as long as that takes, up to 30 min. Raises InvalidInput (field `file` or `name`).

        Parameters
        ----------
        on_progress
            Called on this thread as the file goes out, then with each status that was read.
        """
        ...

    def list_pipelines(
        self, who: Identity, *, workspace_id: int | None = None
    ) -> tuple[Pipeline, ...]:
        """Pipelines with their versions; of all workspaces if none is named."""
        ...

    def get_pipeline(self, who: Identity, *, workspace_id: int, name: str) -> Pipeline:
        """One pipeline, with its versions. Raises NotFound."""
        ...

    def create_pipeline(
        self, who: Identity, *, workspace_id: int, name: str, model_version: ModelVersion
    ) -> Pipeline:
        """Make a pipeline of one model step, saved but not deployed.

        Raises
        ------
        InvalidInput
            The platform's rule for pipeline names.
        Conflict
            The workspace has one of that name (the platform would add a version to it).
        """
        ...

    def deployment(self, who: Identity, pipeline: Pipeline) -> Deployment | None:
        """Read the record of its last deployment; None if it never was deployed."""
        ...

    def status(self, who: Identity, pipeline: Pipeline) -> DeploymentStatus:
        """Tell what its deployment is doing. Never raises for one that is not deployed.

        Whatever still answers after an undeploy is `STOPPING`; a deployment that is asked for but
        not there yet is `STARTING`; `DEGRADED` is one that runs with a process that does not.
        """
        ...

    def deploy(
        self,
        who: Identity,
        pipeline: Pipeline,
        *,
        model_version: ModelVersion,
        settings: DeploymentSettings,
    ) -> DeployedVersion:
        """Start it and return at once with the version made, or the one that runs already.

        With a value of the environment that was not kept from that one, it is always made anew:
        whether a typed value is the stored one is told to nobody.

        Raises
        ------
        DeployFailed
            The platform refused it; the message holds its reason.
        """
        ...

    def undeploy(self, who: Identity, pipeline: Pipeline) -> None:
        """Ask the platform to stop it and return at once; `status` tells when it has."""
        ...

    def open_inference(
        self, who: Identity, pipeline: Pipeline
    ) -> AbstractAsyncContextManager[InferenceSession]:
        """Open a session for inferences on a deployed pipeline. Raises InferenceFailed."""
        ...

    def logs(
        self, who: Identity, pipeline: Pipeline, *, limit: int = 100
    ) -> tuple[Mapping[str, Any], ...]:
        """Newest rows of the platform's inference log first, metadata included, flat keys."""
        ...

    def log_page(self, who: Identity, pipeline: Pipeline, *, limit: int = 100) -> LogPage:
        """Return the same rows, and whether the log holds more."""
        ...

    def log_between(
        self, who: Identity, pipeline: Pipeline, *, start: datetime, end: datetime, limit: int
    ) -> LogPage:
        """Return the newest rows from `start` to `end`, newest first; both moments are aware."""
        ...

    def pod_log(
        self, who: Identity, pipeline: Pipeline, pod_name: str, *, limit: int = 60
    ) -> tuple[str, ...]:
        """Return the newest lines of a sidekick's own log, newest first.

        Empty where the platform keeps none, or is of a version that gives none.
        """
        ...

    def forget(self, key: str) -> None:
        """Drop the token and the clients kept under `key`."""
        ...

    def close(self) -> None:
        """Drop every client."""
        ...
