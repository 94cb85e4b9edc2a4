"""SDK clients for many users and threads: lent out for one call at a time, never shared meanwhile.

One `wallaroo.Client` cannot run two GraphQL calls at once, and it remembers a "current workspace".
So a call borrows a client of its own identity and has it for itself until it is done. That keeps
the rule "one client per identity and thread" also where threads are many and short-lived, as page
scripts are: there are as many clients as calls ran at the same time, not as threads ever were.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from dashboard.domain.identity import Identity
from dashboard.errors import PlatformUnreachable, TimedOut
from dashboard.gateway import environment
from dashboard.gateway.tokens import TokenKeeper
from dashboard.gateway.wire import Pool, Wire

#: What the SDK makes and takes. It ships no types.
SdkObject = Any
#: Any JSON value.
Json = Any

_MOST_IDLE_PER_KEY = 8
_CONFIG_PATH = "/v1/api/config"
_ARCHITECTURES = ("x86", "arm", "power10")


class Sdk(Protocol):
    """The parts of the SDK the gateway uses, loaded on first use; all untyped by their maker."""

    Acceleration: SdkObject
    Architecture: SdkObject
    Deployment: SdkObject
    DeploymentConfigBuilder: SdkObject
    Framework: SdkObject
    ModelVersion: SdkObject
    Pipeline: SdkObject
    PipelineConfigBuilder: SdkObject
    Workspace: SdkObject
    arrow: SdkObject

    def make_client(
        self, *, base_url: str, http: httpx.Client, wire: Wire, config: Json
    ) -> SdkObject:
        """Build an SDK client over our HTTP client; inside `environment.building_client_for`."""

    def query(self, client: SdkObject, document: str, **variables: Json) -> dict[str, Any]:
        """Run a GraphQL document of ours over an SDK client's connection."""

    def list_workspaces(self, client: SdkObject) -> list[dict[str, Any]]:
        """Call `workspaces/list` and keep the ids of models and pipelines."""

    def request_undeploy(self, client: SdkObject, deployment_id: int) -> None:
        """Call `pipelines/undeploy` without the SDK's wait of up to 45 s."""


@dataclass(frozen=True, slots=True)
class Session:
    """An SDK client with the wire that watches it. Used by one thread at a time."""

    sdk: Sdk
    client: SdkObject
    wire: Wire
    http: httpx.Client

    def query(self, document: str, **variables: Json) -> dict[str, Any]:
        """Run a GraphQL document of ours."""
        return self.sdk.query(self.client, document, **variables)

    def workspace(self, workspace_id: int, name: str = "") -> SdkObject:
        """Make the SDK's handle of a workspace, without a request."""
        data = {"id": workspace_id, "name": name} if name else {"id": workspace_id}
        return self.sdk.Workspace(self.client, data)

    def close(self) -> None:
        """Let go of the HTTP client; the pool stays open."""
        self.http.close()


class Clients:
    """Builds sessions, lends them out, and takes them back.

    Parameters
    ----------
    load
        Gives the SDK; the first call takes seconds.
    """

    def __init__(self, pool: Pool, tokens: TokenKeeper, *, load: Callable[[], Sdk]) -> None:
        self._pool = pool
        self._tokens = tokens
        self._load = load
        self._idle: dict[str, list[Session]] = {}
        self._config: dict[str, str] | None = None
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def lend(self, who: Identity) -> Iterator[Session]:
        """Give a session for one call.

        Raises
        ------
        PlatformUnreachable, TimedOut
            The platform's configuration, needed once, could not be read.
        """
        session = self._take(who.key) or self.make(who)
        try:
            yield session
        finally:
            self._put_back(who.key, session)

    def make(self, who: Identity) -> Session:
        """Build a session for the caller alone; the caller closes it."""
        sdk = self._load()
        config = self._platform_config()
        wire = Wire(self._pool, self._tokens, who.key)
        http = self._pool.client(wire)
        with environment.building_client_for(who):
            client = sdk.make_client(
                base_url=self._pool.base_url, http=http, wire=wire, config=dict(config)
            )
        return Session(sdk, client, wire, http)

    def forget(self, key: str) -> None:
        """Close the idle sessions of `key`."""
        with self._lock:
            dropped = self._idle.pop(key, [])
        for session in dropped:
            session.close()

    def close(self) -> None:
        """Close every idle session; those lent out are closed when they come back."""
        with self._lock:
            self._closed = True
            dropped = [session for sessions in self._idle.values() for session in sessions]
            self._idle.clear()
        for session in dropped:
            session.close()

    def _take(self, key: str) -> Session | None:
        with self._lock:
            idle = self._idle.get(key)
            return idle.pop() if idle else None

    def _put_back(self, key: str, session: Session) -> None:
        with self._lock:
            idle = self._idle.setdefault(key, [])
            keep = not self._closed and len(idle) < _MOST_IDLE_PER_KEY
            if keep:
                idle.append(session)
        if not keep:
            session.close()

    def _platform_config(self) -> dict[str, str]:
        """Return the platform's default architecture, read once.

        The SDK keeps it in a global that the newest client sets for all, so all get the same.
        """
        if self._config is None:
            self._config = {"default_arch": self._read_architecture()}
        return self._config

    def _read_architecture(self) -> str:
        problem: TimedOut | PlatformUnreachable
        try:
            with self._pool.client() as http:
                answer = http.get(_CONFIG_PATH)
        except httpx.TimeoutException:
            problem = TimedOut("The platform takes too long to answer.")
        except httpx.HTTPError:
            problem = PlatformUnreachable("Nothing answers at the platform's address.")
        else:
            return _architecture(answer)
        raise problem


def _architecture(answer: httpx.Response) -> str:
    try:
        named = answer.json()["default_arch"] if answer.is_success else ""
    except (ValueError, KeyError, TypeError):
        named = ""
    return named if named in _ARCHITECTURES else _ARCHITECTURES[0]
